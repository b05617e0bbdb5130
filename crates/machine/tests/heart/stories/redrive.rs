//! RedriveExecution: what did not succeed goes on, what succeeded is not done again, and the history only grows.
//!
//! No answer of AWS is recorded for it; the rules are those of its page on redriving executions.

use insta::assert_snapshot;
use machine::{Input, Status, Verdict};

use super::{JOB, TASK, only};
use crate::world::{World, failed, started, submitted, succeeded};

fn redrive(world: &mut World) -> Verdict {
    world.turn(vec![Input::Redrive { token: None }])[0]
}

fn stop(world: &mut World) {
    world.turn(vec![Input::Stop { error: None, cause: None }]);
}

/// The events since the redrive; all before it must have stayed as they were.
fn story_after(world: &mut World) -> String {
    let before = world.story();
    assert_eq!(redrive(world), Verdict::Done);
    let after = world.story();
    after.strip_prefix(&before).expect("the history before stays").to_owned()
}

fn two_branches(one: &str, two: &str) -> String {
    only(&format!(
        r#""Type": "Parallel", "Branches": [
            {{"StartAt": "A", "States": {{"A": {{{one}, "End": true}}}}}},
            {{"StartAt": "B", "States": {{"B": {{{two}, "End": true}}}}}}]"#
    ))
}

#[test]
fn a_task_that_failed_is_scheduled_again_with_its_input() {
    let definition = format!(
        r#"{{"StartAt": "P", "States": {{
            "P": {{"Type": "Pass", "Result": {{"n": 1}}, "Next": "T"}},
            "T": {{{TASK}, "Next": "End", "Retry": [{{"ErrorEquals": ["Busy"], "MaxAttempts": 1, "IntervalSeconds": 1}}]}},
            "End": {{"Type": "Pass", "End": true}}}}}}"#
    );
    let mut world = World::start(&definition, "{}");
    let task = world.task();
    world.report(task, failed("Busy", "once"));
    world.wait(1);
    let task = world.task();
    world.report(task, failed("Busy", "twice"));
    assert_eq!(world.execution.status, Status::Failed);
    assert_snapshot!(story_after(&mut world), @r#"
    10 <9  ExecutionRedriven redriveCount=1
    11 <10 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    "#);
    let task = world.task();
    world.report(task, failed("Busy", "the retriers begin from zero"));
    world.wait(1);
    let task = world.task();
    world.report(task, succeeded("5"));
    assert_eq!(world.end(), "SUCCEEDED 5");
    assert_eq!(world.inputs_of("P").len(), 1, "what succeeded is not done again");
    assert_eq!(world.execution.redriven.as_ref().map(|redriven| redriven.count), Some(1));
}

#[test]
fn every_type_of_state_goes_on_in_its_way() {
    // A path that finds nothing.
    let mut pass = World::start(&only(r#""Type": "Pass", "InputPath": "$.missing""#), "{}");
    assert_snapshot!(story_after(&mut pass), @r#"
    4 <3  ExecutionRedriven redriveCount=1
    5 <4  ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'S' (entered at the event id #2). Invalid path '$.missing' : No results for path: $['missing']
    "#);
    let mut choice = World::start(
        r#"{"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [
            {"Variable": "$.n", "NumericEquals": 1, "Next": "E"}]}, "E": {"Type": "Succeed"}}}"#,
        r#"{"n": 2}"#,
    );
    assert_snapshot!(story_after(&mut choice), @r#"
    4 <3  ExecutionRedriven redriveCount=1
    5 <4  ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'C' (entered at the event id #2). Failed to transition out of the state. The state does not point to a next state.
    "#);
    let mut fail = World::start(r#"{"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}}"#, "{}");
    assert_snapshot!(story_after(&mut fail), @r#"
    4 <3  ExecutionRedriven redriveCount=1
    5 <4  FailStateEntered input={} name=F
    6 <5  ExecutionFailed error=E
    "#);
    let mut wait = World::start(&only(r#""Type": "Wait", "Seconds": 10"#), "{}");
    wait.wait(4);
    stop(&mut wait);
    wait.wait(100);
    assert_snapshot!(story_after(&mut wait), @" 4 <3  ExecutionRedriven redriveCount=1");
    assert_eq!(wait.due_in(), Some(10.0), "waited anew");
    let mut until = World::start(&only(r#""Type": "Wait", "Timestamp": "2023-11-14T22:14:00Z""#), "{}");
    stop(&mut until);
    until.wait(1_000);
    assert_snapshot!(story_after(&mut until), @r#"
    4 <3  ExecutionRedriven redriveCount=1
    5 <4  WaitStateExited output={} name=S
    6 <5  ExecutionSucceeded output={}
    "#);
}

#[test]
fn only_branches_that_did_not_succeed_run_again() {
    let mut world = World::start(&two_branches(TASK, TASK), "{}");
    let (first, second) = (world.tasks()[0], world.tasks()[1]);
    world.report(first, succeeded("1"));
    world.report(second, failed("Boom", "why"));
    assert_snapshot!(story_after(&mut world), @r#"
    14 <13 ExecutionRedriven redriveCount=1
    15 <14 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    "#);
    let task = world.task();
    world.report(task, succeeded("2"));
    assert_eq!(world.end(), "SUCCEEDED [1,2]");
    assert_eq!(world.inputs_of("A").len(), 1);
}

#[test]
fn a_branch_that_was_stopped_by_anothers_failure_goes_on_too() {
    let mut world = World::start(&two_branches(TASK, r#""Type": "Wait", "Seconds": 3"#), "{}");
    let task = world.task();
    world.report(task, failed("Boom", "why"));
    assert_snapshot!(story_after(&mut world), @r#"
    12 <11 ExecutionRedriven redriveCount=1
    13 <12 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    "#);
    let task = world.task();
    world.report(task, succeeded("1"));
    world.wait(3);
    assert_eq!(world.end(), "SUCCEEDED [1,{}]");
}

#[test]
fn a_result_that_was_too_large_has_all_branches_run_again() {
    let mut world = World::new(&two_branches(TASK, TASK));
    world.limits.payload_bytes = 30;
    world.begin("{}");
    for task in world.tasks() {
        world.report(task, succeeded(r#""xxxxxxxxxxxxxxxxxx""#));
    }
    assert_eq!(
        world.execution.failure.as_ref().and_then(|failure| failure.error.as_deref()),
        Some("States.DataLimitExceeded")
    );
    assert_eq!(redrive(&mut world), Verdict::Done);
    assert_eq!(world.tasks().len(), 2);
}

#[test]
fn only_iterations_that_did_not_succeed_run_again_and_no_more_at_once_than_may() {
    let state = format!(
        r#""Type": "Map", "MaxConcurrency": 2, "ToleratedFailureCount": 1,
            "ItemProcessor": {{"StartAt": "T", "States": {{"T": {{{TASK}, "End": true}}}}}}"#
    );
    let mut world = World::start(&only(&state), "[0, 1, 2, 3]");
    let tasks = world.tasks();
    world.report(tasks[0], succeeded("0"));
    world.report(tasks[1], failed("Boom", "tolerated"));
    let task = world.tasks()[0];
    world.report(task, failed("Boom", "one too many"));
    assert_eq!(world.execution.status, Status::Failed);
    assert_snapshot!(story_after(&mut world), @r#"
    28 <27 ExecutionRedriven redriveCount=1
    29 <28 MapIterationStarted name=S index=1
    30 <28 MapIterationStarted name=S index=2
    31 <29 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    32 <30 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    "#);
    for answer in ["1", "2", "3"] {
        let task = world.tasks()[0];
        world.report(task, succeeded(answer));
    }
    assert_eq!(world.end(), "SUCCEEDED [0,1,2,3]");
}

#[test]
fn what_stands_inside_a_failed_iteration_goes_on_from_there() {
    let inner = format!(
        r#""Type": "Parallel", "Branches": [
            {{"StartAt": "A", "States": {{"A": {{{TASK}, "End": true}}}}}},
            {{"StartAt": "B", "States": {{"B": {{{TASK}, "End": true}}}}}}]"#
    );
    let state =
        format!(r#""Type": "Map", "ItemProcessor": {{"StartAt": "In", "States": {{"In": {{{inner}, "End": true}}}}}}"#);
    let mut world = World::start(&only(&state), "[7]");
    let tasks = world.tasks();
    world.report(tasks[0], succeeded("1"));
    world.report(tasks[1], failed("Boom", "why"));
    assert_eq!(redrive(&mut world), Verdict::Done);
    let task = world.task();
    world.report(task, succeeded("2"));
    assert_eq!(world.end(), "SUCCEEDED [[1,2]]");
    assert_eq!(world.inputs_of("A").len(), 1);
}

#[test]
fn a_job_that_was_cancelled_is_submitted_as_a_new_one() {
    let mut world = World::start(&only(JOB), "{}");
    let first = world.task();
    world.report(first, started());
    world.report(first, submitted(r#"{"JobId": "j1"}"#));
    stop(&mut world);
    assert_eq!(world.execution.debts.keys().collect::<Vec<_>>(), [&first], "it is still to be cancelled");
    assert_eq!(redrive(&mut world), Verdict::Done);
    let second = world.task();
    assert!(second > first);
    world.turn(vec![Input::Settled { task: first }]);
    world.report(second, succeeded(r#"{"JobId": "j2"}"#));
    assert_eq!(world.end(), r#"SUCCEEDED {"JobId": "j2"}"#);
}

#[test]
fn the_machines_time_begins_anew() {
    let definition = format!(r#"{{"TimeoutSeconds": 10, "StartAt": "T", "States": {{"T": {{{TASK}, "End": true}}}}}}"#);
    let mut world = World::start(&definition, "{}");
    world.wait(10);
    assert_eq!(world.execution.status, Status::TimedOut);
    world.wait(5);
    assert_eq!(redrive(&mut world), Verdict::Done);
    assert_eq!(world.due_in(), Some(10.0));
}

#[test]
fn the_context_object_tells_of_redrives() {
    let state = r#""Type": "Pass", "Parameters": {"count.$": "$$.Execution.RedriveCount",
        "time.$": "$$.Execution.RedriveTime", "n.$": "$.n"}"#;
    let definition =
        format!(r#"{{"StartAt": "T", "States": {{"T": {{{TASK}, "Next": "S"}}, "S": {{{state}, "End": true}}}}}}"#);
    let mut world = World::start(&definition, "{}");
    stop(&mut world);
    world.wait(1);
    assert_eq!(redrive(&mut world), Verdict::Done);
    let task = world.task();
    world.report(task, succeeded(r#"{"n": 1}"#));
    assert_snapshot!(world.end(), @r#"SUCCEEDED {"count":1,"time":"2023-11-14T22:13:21.000Z","n":1}"#);
}

#[test]
fn what_cannot_be_redriven() {
    let mut running = World::start(&only(TASK), "{}");
    assert_eq!(redrive(&mut running), Verdict::TooLate);
    let task = running.task();
    running.report(task, succeeded("1"));
    assert_eq!(redrive(&mut running), Verdict::TooLate, "it has succeeded");
    let mut full = World::new(&only(TASK));
    full.limits.events = 6;
    full.begin("{}");
    let task = full.task();
    full.report(task, failed("Boom", "why"));
    assert_eq!(full.execution.events, 5);
    assert_eq!(redrive(&mut full), Verdict::TooLate, "its history has no room");
}

#[test]
fn the_same_token_again_is_the_same_redrive() {
    let mut world = World::start(&only(TASK), "{}");
    stop(&mut world);
    let token = |text: &str| Input::Redrive { token: Some(text.into()) };
    assert_eq!(world.turn(vec![token("a"), token("a"), token("b")]), [Verdict::Done, Verdict::Done, Verdict::TooLate]);
    assert_eq!(world.execution.redriven.as_ref().map(|redriven| redriven.count), Some(1));
}
