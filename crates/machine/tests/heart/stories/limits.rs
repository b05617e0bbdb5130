//! Limits: what one execution may hold, and how it ends when it wants more.

use insta::assert_snapshot;

use super::{TASK, caught, only};
use crate::world::{World, started, succeeded};

const LOOP: &str = r#"{"StartAt": "A", "States": {
    "A": {"Type": "Pass", "Next": "B"},
    "B": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "C"}], "Default": "A"},
    "C": {"Type": "Succeed"}}}"#;

#[test]
fn the_last_event_is_kept_for_the_failure() {
    let mut world = World::new(LOOP);
    world.limits.events = 10;
    world.begin("{}");
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input={}
     2 <0  PassStateEntered input={} name=A
     3 <2  PassStateExited output={} name=A
     4 <3  ChoiceStateEntered input={} name=B
     5 <4  ChoiceStateExited output={} name=B
     6 <5  PassStateEntered input={} name=A
     7 <6  PassStateExited output={} name=A
     8 <7  ChoiceStateEntered input={} name=B
     9 <8  ChoiceStateExited output={} name=B
    10 <9  ExecutionFailed error=States.Runtime cause=The execution reached the maximum number of history events (10).
    "#);
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

/// What expressions take counts, too: a Map of many that take long gives way between its iterations, and nobody who reads
/// its history can tell.
#[test]
fn expressions_that_take_long_are_many_turns() {
    let squares = "{% $sum($map([1..100], function($n){ $n * $n })) %}";
    let definition = format!(
        r#"{{"QueryLanguage": "JSONata", "StartAt": "M", "States": {{"M": {{"Type": "Map", "End": true,
        "Items": "{{% [1..20] %}}", "ItemSelector": {{"v": "{squares}"}}, "ItemProcessor": {{"StartAt": "P", "States": {{
            "P": {{"Type": "Pass", "Output": {{"w": "{squares}"}}, "End": true}}}}}}}}}}}}"#
    );
    let run = |work| {
        let mut world = World::new(&definition);
        world.limits.turn_work = work;
        world.begin("{}");
        world
    };
    let (one, many) = (run(u32::MAX), run(asl::COSTLY));
    assert_eq!(one.chunks.len(), 1);
    assert!(many.chunks.len() > 20, "a turn for each iteration, at least: {}", many.chunks.len());
    assert_eq!(many.story(), one.story());
}

#[test]
fn the_machine_times_out() {
    let mut world = World::start(
        r#"{"TimeoutSeconds": 3, "StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 10, "End": true}}}"#,
        "{}",
    );
    assert_eq!(world.due_in(), Some(3.0));
    world.wait(3);
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  WaitStateEntered input={} name=W
    3 <0  ExecutionTimedOut error=States.Timeout
    "#);
}

#[test]
fn an_execution_may_use_its_last_event_to_succeed() {
    let pass = only(r#""Type": "Pass""#);
    for (events, end) in [
        (4, "SUCCEEDED {}"),
        (3, "FAILED States.Runtime: The execution reached the maximum number of history events (3)."),
    ] {
        let mut world = World::new(&pass);
        world.limits.events = events;
        world.begin("{}");
        assert_eq!(world.end(), end);
        assert_eq!(world.execution.events, events);
    }
}

#[test]
fn a_full_history_gives_up_its_tasks_and_catches_nothing() {
    let map = format!(
        r#""Type": "Map", "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "C"}}],
            "ItemProcessor": {{"StartAt": "T", "States": {{"T": {{{TASK}, "End": true}}}}}}"#
    );
    let mut world = World::new(&caught(&map));
    world.limits.events = 10;
    world.begin("[1, 2]");
    let tasks = world.tasks();
    world.report(tasks[0], started());
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input=[1, 2]
     2 <0  MapStateEntered input=[1, 2] name=S
     3 <2  MapStateStarted length=2
     4 <3  MapIterationStarted name=S index=0
     5 <3  MapIterationStarted name=S index=1
     6 <4  TaskStateEntered input=1 name=T
     7 <6  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
     8 <5  TaskStateEntered input=2 name=T
     9 <8  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    10 <7  ExecutionFailed error=States.Runtime cause=The execution reached the maximum number of history events (10).
    "#);
    assert_eq!(world.execution.events, 10);
}

#[test]
fn a_debt_is_paid_also_when_history_is_full() {
    let job = format!(
        r#"{{"StartAt": "J", "States": {{"J": {{{}, "TimeoutSeconds": 1, "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "T"}}], "End": true}},
            "T": {{{TASK}, "End": true}}}}}}"#,
        super::JOB
    );
    let mut world = World::new(&job);
    world.limits.events = 9;
    world.begin("{}");
    world.report(3, started());
    world.wait(1);
    let task = world.task();
    let settled = machine::Input::Settled { task: 3 };
    world.turn(vec![machine::Input::Report { task, report: started() }, settled]);
    assert_eq!(world.end(), "FAILED States.Runtime: The execution reached the maximum number of history events (9).");
    assert!(world.execution.debts.is_empty());
}

#[test]
fn parameters_of_a_task_may_not_be_too_large() {
    let half = "x".repeat(140_000);
    let state = r#""Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "f", "Payload": {"a.$": "$", "b.$": "$"}}"#;
    assert_snapshot!(World::start(&only(state), &format!("\"{half}\"")).end(), @"FAILED States.DataLimitExceeded: The state/task 'S' returned a result with a size exceeding the maximum number of bytes service limit.");
}

#[test]
fn a_result_that_is_too_large_names_the_function_or_the_service() {
    for resource in ["arn:aws:lambda:us-east-1:000000000000:function:f", "arn:aws:states:::lambda:invoke"] {
        let parameters = if resource.contains(":::") { r#", "Parameters": {"FunctionName": "f"}"# } else { "" };
        let mut world = World::start(&only(&format!(r#""Type": "Task", "Resource": "{resource}"{parameters}"#)), "{}");
        world.report(3, succeeded(&format!("\"{}\"", "x".repeat(262_143))));
        match parameters {
            "" => {
                assert_snapshot!(world.end(), @"FAILED States.DataLimitExceeded: The state/task 'arn:aws:lambda:us-east-1:000000000000:function:f' returned a result with a size exceeding the maximum number of bytes service limit.")
            }
            _ => {
                assert_snapshot!(world.end(), @"FAILED States.DataLimitExceeded: The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.")
            }
        }
    }
}

/// Each time around, a Parallel puts its input into one more array.
#[test]
fn no_loop_nests_data_deeper_than_they_can_be_read_back() {
    let mut world = World::new(
        r#"{"StartAt": "P", "States": {
            "P": {"Type": "Parallel", "Next": "Again", "Branches": [{"StartAt": "X", "States": {"X": {"Type": "Pass", "End": true}}}]},
            "Again": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "E"}], "Default": "P"},
            "E": {"Type": "Succeed"}}}"#,
    );
    world.begin("{}");
    assert_snapshot!(world.end(), @"FAILED States.Runtime: An error occurred while executing the state 'P' (entered at the event id #7994). Document nesting depth exceeds the maximum allowed (1000)");
    let deepest = world.log.iter().map(|record| format!("{:?}", record.body).matches('[').count()).max();
    assert!(deepest.is_some_and(|depth| depth < 1_010), "{deepest:?}");
}

#[test]
fn a_result_that_is_nested_too_deep_fails_its_task() {
    let mut world = World::start(&only(TASK), "{}");
    let output = asl::Payload::trusted(format!("{}{}", "[".repeat(1_001), "]".repeat(1_001)));
    world.report(3, machine::Report::Succeeded { output });
    assert_snapshot!(world.end(), @"FAILED States.Runtime: Document nesting depth exceeds the maximum allowed (1000)");
}

#[test]
fn hurried_waits_and_retries_and_unhurried_timeouts() {
    let definition = r#"{"StartAt": "W", "States": {
        "W": {"Type": "Wait", "Seconds": 3600, "Next": "U"},
        "U": {"Type": "Wait", "Timestamp": "2023-11-14T23:13:26Z", "Next": "T"},
        "T": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "TimeoutSeconds": 30,
            "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 60, "MaxAttempts": 2}], "End": true}}}"#;
    let mut world = World::new(definition);
    world.limits.time_scale = 600.0;
    world.begin("{}");
    assert_eq!(world.due_in(), Some(6.0));
    world.wait(6);
    // Of the hour until then that the clock shows, so many seconds.
    assert_eq!(world.due_in(), Some(6.0));
    world.wait(6);
    let task = world.task();
    world.report(task, started());
    assert_eq!(world.due_in(), Some(30.0), "what a timeout watches is not hurried");
    world.wait(30);
    assert_eq!(world.due_in(), Some(0.1));
}
