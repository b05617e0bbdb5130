//! Stories: a program, what happened, what followed. The shapes of histories are AWS's, from recorded answers.

mod world;

use insta::assert_snapshot;
use machine::{Effect, Input, Verdict};
use world::{World, failed, started, submitted, succeeded};

const TASK: &str =
    r#""Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}"#;

const LOOP: &str = r#"{"StartAt": "A", "States": {
    "A": {"Type": "Pass", "Next": "B"},
    "B": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "C"}], "Default": "A"},
    "C": {"Type": "Succeed"}}}"#;

#[test]
fn passes_run_in_one_turn() {
    let world = World::start(
        r#"{"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Result": {"x": 1}, "ResultPath": "$.a", "Next": "B"},
            "B": {"Type": "Pass", "Parameters": {"y.$": "$.a.x"}, "End": true}}}"#,
        r#"{"in": true}"#,
    );
    assert_snapshot!(world.story());
    assert_eq!(world.chunks.len(), 1);
}

#[test]
fn a_task_is_started_heard_and_left() {
    let mut world = World::start(
        &format!(r#"{{"StartAt": "T", "States": {{"T": {{{TASK}, "TimeoutSeconds": 5, "End": true}}}}}}"#),
        "{}",
    );
    assert_eq!(world.effects, [Effect::StartTask { task: 3 }]);
    assert_eq!(world.due_in(), None, "the clock of a task runs from its start");
    world.report(3, started());
    assert_eq!(world.due_in(), Some(5.0));
    assert_eq!(world.report(3, succeeded(r#"{"ok": true}"#)), Verdict::Done);
    assert_eq!(world.report(3, succeeded("1")), Verdict::NotWaiting, "a late report changes nothing");
    assert_snapshot!(world.story());
}

#[test]
fn a_failed_task_is_tried_again_then_caught() {
    let mut world = World::start(
        &format!(
            r#"{{"StartAt": "T", "States": {{"T": {{{TASK}, "End": true,
                "Retry": [{{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 2, "BackoffRate": 3}}],
                "Catch": [{{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "C"}}]}},
                "C": {{"Type": "Pass", "End": true}}}}}}"#
        ),
        r#"{"n": 1}"#,
    );
    world.report(3, started());
    world.report(3, failed("Busy", "try later"));
    assert_eq!(world.due_in(), Some(2.0));
    world.wait(2);
    world.report(6, started());
    world.report(6, failed("Busy", "try later"));
    assert_eq!(world.due_in(), Some(6.0));
    world.wait(6);
    world.report(9, started());
    world.report(9, failed("Busy", "no more"));
    assert_snapshot!(world.story());
}

#[test]
fn a_token_is_where_the_definition_puts_it_and_heartbeats_keep_the_task_alive() {
    let mut world = World::start(
        r#"{"StartAt": "W", "States": {"W": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": "q", "MessageBody": {"t.$": "$$.Task.Token"}}, "HeartbeatSeconds": 10, "TimeoutSeconds": 60, "End": true}}}"#,
        "{}",
    );
    world.report(3, started());
    world.report(3, submitted(r#"{"MessageId": "m"}"#));
    assert_eq!(world.due_in(), Some(10.0));
    world.now += 9_000;
    assert_eq!(world.report(3, machine::Report::Heartbeat), Verdict::Done);
    world.beats.insert(3, world.now);
    assert_eq!(world.due_in(), Some(10.0));
    world.wait(10);
    assert_eq!(world.report(3, machine::Report::Heartbeat), Verdict::NotWaiting);
    assert_snapshot!(world.story());
}

#[test]
fn iterations_take_freed_slots_in_order() {
    let world = World::start(
        r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1, "End": true, "ItemsPath": "$.items",
            "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "all.$": "$.k"},
            "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}}}}"#,
        r#"{"items": ["a", "b"], "k": 7}"#,
    );
    assert_snapshot!(world.story());
}

#[test]
fn tasks_that_time_out_together_are_all_recorded_before_the_map_fails() {
    let mut world = World::start(
        &format!(
            r#"{{"StartAt": "M", "States": {{"M": {{"Type": "Map", "End": true, "ItemProcessor": {{
                "StartAt": "T", "States": {{"T": {{{TASK}, "TimeoutSeconds": 5, "End": true}}}}}}}}}}}}"#
        ),
        "[1, 2, 3]",
    );
    world.turn([8, 10, 12].map(|task| Input::Report { task, report: started() }).to_vec());
    world.wait(5);
    assert_snapshot!(world.story());
}

#[test]
fn a_branch_that_fails_aborts_the_others() {
    let mut world = World::start(
        &format!(
            r#"{{"StartAt": "P", "States": {{"P": {{"Type": "Parallel", "End": true,
                "Catch": [{{"ErrorEquals": ["Boom"], "Next": "C"}}],
                "Branches": [
                    {{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}},
                    {{"StartAt": "B", "States": {{"B": {{"Type": "Wait", "Seconds": 100, "End": true}}}}}}]}},
                "C": {{"Type": "Succeed"}}}}}}"#
        ),
        "{}",
    );
    world.report(5, started());
    world.report(5, failed("Boom", "why"));
    assert_snapshot!(world.story());
    assert_eq!(world.due_in(), None);
}

#[test]
fn a_job_nobody_waits_for_is_a_debt() {
    let mut world = World::start(
        r#"{"StartAt": "J", "States": {"J": {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob.sync",
            "Parameters": {"JobName": "n", "JobQueue": "q", "JobDefinition": "d"}, "End": true}}}"#,
        "{}",
    );
    world.report(3, started());
    world.report(3, submitted(r#"{"JobId": "id"}"#));
    world.turn(vec![Input::Stop { error: Some("E".into()), cause: None }]);
    assert_eq!(
        world.execution.debts[&3].submitted.as_ref().map(|p| p.text().to_string()),
        Some(r#"{"JobId": "id"}"#.into())
    );
    assert!(world.effects.contains(&Effect::CancelTask { task: 3 }));
    world.turn(vec![Input::Settled { task: 3 }]);
    assert!(world.execution.debts.is_empty());
    assert_snapshot!(world.story());
}

#[test]
fn a_runtime_error_ends_the_execution_where_it_happens() {
    let world = World::start(
        r#"{"StartAt": "P", "States": {"P": {"Type": "Parallel", "End": true,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}],
            "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Pass", "Parameters": {"m.$": "$.nope"}, "End": true}}}]},
            "C": {"Type": "Succeed"}}}"#,
        "{}",
    );
    assert_snapshot!(world.story());
}

#[test]
fn the_last_event_is_kept_for_the_failure() {
    let mut world = World::new(LOOP);
    world.limits.events = 10;
    world.begin("{}");
    assert_snapshot!(world.story());
}

#[test]
fn a_loop_gives_way_and_is_stored_once() {
    let mut world = World::new(LOOP);
    world.limits.turn_records = 100;
    world.limits.events = 3_000;
    let big = format!("{{\"data\": \"{}\"}}", "x".repeat(100_000));
    world.begin(&big);
    assert_eq!(world.execution.events, 3_000);
    assert!(world.chunks.len() > 25, "many turns: {}", world.chunks.len());
    let bytes: usize = world.chunks.iter().map(|chunk| chunk.payloads.len()).sum();
    assert_eq!(bytes, big.len() + 4, "the payload lies in the log once");
}

#[test]
fn the_machine_times_out() {
    let mut world = World::start(
        r#"{"TimeoutSeconds": 3, "StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 10, "End": true}}}"#,
        "{}",
    );
    assert_eq!(world.due_in(), Some(3.0));
    world.wait(3);
    assert_snapshot!(world.story());
}
