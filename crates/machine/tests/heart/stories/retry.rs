//! Retry and Catch: which failures they are shown, how long they wait, and what they hand on.

use insta::assert_snapshot;
use machine::record::Stage;
use machine::{Input, Report, Status};

use super::{TASK, caught};
use crate::world::{World, failed, started, succeeded};

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
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input={"n": 1}
     2 <0  TaskStateEntered input={"n": 1} name=T
     3 <2  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
     4 <3  TaskStarted resourceType=lambda resource=invoke
     5 <4  TaskFailed resourceType=lambda resource=invoke error=Busy cause=try later
     6 <5  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
     7 <6  TaskStarted resourceType=lambda resource=invoke
     8 <7  TaskFailed resourceType=lambda resource=invoke error=Busy cause=try later
     9 <8  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    10 <9  TaskStarted resourceType=lambda resource=invoke
    11 <10 TaskFailed resourceType=lambda resource=invoke error=Busy cause=no more
    12 <11 TaskStateExited output={"n":1,"error":{"Error":"Busy","Cause":"no more"}} name=T
    13 <12 PassStateEntered input={"n":1,"error":{"Error":"Busy","Cause":"no more"}} name=C
    14 <13 PassStateExited output={"n":1,"error":{"Error":"Busy","Cause":"no more"}} name=C
    15 <14 ExecutionSucceeded output={"n":1,"error":{"Error":"Busy","Cause":"no more"}}
    "#);
}

/// Whether a task with this handler is tried again, caught, or fails, when its only attempt so far fails like this.
fn handled(handler: &str, fails: impl Fn(&mut World)) -> &'static str {
    let state = format!(r#"{TASK}, "TimeoutSeconds": 10, "HeartbeatSeconds": 5, {handler}"#);
    let mut world = World::start(&caught(&state), "{}");
    world.report(3, started());
    fails(&mut world);
    match world.execution.status {
        Status::Succeeded => "caught",
        Status::Running => "tried again",
        _ => "failed",
    }
}

fn answer(world: &mut World, report: Report) {
    world.report(3, report);
}

/// Every name that stands for failures, beside every failure.
#[test]
fn which_failures_a_name_stands_for() {
    let names = [
        "States.ALL",
        "States.TaskFailed",
        "States.Timeout",
        "States.HeartbeatTimeout",
        "States.Runtime",
        "States.DataLimitExceeded",
        "Boom",
    ];
    type Fails = fn(&mut World);
    let failures: [(&str, Fails); 6] = [
        ("Boom", |world| answer(world, failed("Boom", ""))),
        ("no error at all", |world| answer(world, Report::Failed { error: None, cause: None, stage: Stage::Run })),
        ("timeout", |world| {
            for _ in 0..3 {
                answer(world, Report::Heartbeat);
                world.wait(4);
            }
        }),
        ("missed heartbeat", |world| world.wait(5)),
        ("reported States.Runtime", |world| answer(world, failed("States.Runtime", ""))),
        ("result too large", |world| answer(world, succeeded(&format!("\"{}\"", "x".repeat(262_144))))),
    ];
    let mut table = String::new();
    for (failure, fails) in failures {
        let by = |handler: &dyn Fn(&str) -> String, what: &str| {
            let which = names.into_iter().filter(|name| handled(&handler(name), fails) == what);
            which.collect::<Vec<_>>().join(", ")
        };
        let caught = by(&|name| format!(r#""Catch": [{{"ErrorEquals": ["{name}"], "Next": "C"}}]"#), "caught");
        let retried = by(&|name| format!(r#""Retry": [{{"ErrorEquals": ["{name}"]}}]"#), "tried again");
        assert_eq!(caught, retried, "Retry and Catch are shown the same");
        table += &format!("{failure}: {caught}\n");
    }
    assert_snapshot!(table, @r#"
    Boom: States.ALL, States.TaskFailed, Boom
    no error at all: States.ALL, States.TaskFailed
    timeout: States.ALL, States.Timeout
    missed heartbeat: States.ALL, States.Timeout, States.HeartbeatTimeout
    reported States.Runtime: States.Runtime
    result too large: States.ALL, States.TaskFailed, States.DataLimitExceeded
    "#);
}

#[test]
fn an_output_that_is_too_large_is_nobodys_to_catch() {
    let state = format!(
        r#"{TASK}, "ResultPath": "$.r", "Retry": [{{"ErrorEquals": ["States.ALL"]}}],
            "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "C"}}]"#
    );
    let half = format!("\"{}\"", "x".repeat(140_000));
    let mut world = World::start(&caught(&state), &format!(r#"{{"in": {half}}}"#));
    world.report(3, succeeded(&half));
    assert_snapshot!(world.end(), @"FAILED States.DataLimitExceeded: The state/task 'S' returned a result with a size exceeding the maximum number of bytes service limit.");
    assert_eq!(world.types()[3..], ["TaskSucceeded", "ExecutionFailed"]);
}

#[test]
fn a_reference_path_conflict_is_caught_by_name() {
    let state = format!(
        r#"{TASK}, "ResultPath": "$.a.b", "Catch": [{{"ErrorEquals": ["States.ReferencePathConflict"], "Next": "C"}}]"#
    );
    let mut world = World::start(&caught(&state), r#"{"a": "text"}"#);
    world.report(3, succeeded("1"));
    assert_snapshot!(world.end(), @r#"SUCCEEDED {"Error":"States.ReferencePathConflict","Cause":"Unable to apply step \"b\" to input {\"a\": \"text\"}"}"#);
}

#[test]
fn retriers_count_for_themselves() {
    let state = format!(
        r#"{TASK}, "Retry": [
            {{"ErrorEquals": ["A"], "MaxAttempts": 1}},
            {{"ErrorEquals": ["B"], "MaxAttempts": 2, "IntervalSeconds": 3}}]"#
    );
    let mut world = World::start(&caught(&state), "{}");
    let mut delays = Vec::new();
    for error in ["B", "A", "B", "A"] {
        let task = world.task();
        world.report(task, failed(error, "again"));
        delays.push(world.due_in());
        world.wait(60);
    }
    assert_eq!(delays, [Some(3.0), Some(1.0), Some(6.0), None]);
    assert_eq!(world.end(), "FAILED A: again");
}

#[test]
fn a_new_visit_counts_anew() {
    let mut world = World::start(
        &format!(
            r#"{{"StartAt": "S", "States": {{"S": {{{TASK}, "Retry": [{{"ErrorEquals": ["A"], "MaxAttempts": 1}}], "Next": "Again"}},
            "Again": {{"Type": "Choice", "Choices": [{{"Variable": "$.over", "IsPresent": true, "Next": "End"}}], "Default": "S"}},
            "End": {{"Type": "Succeed"}}}}}}"#
        ),
        "{}",
    );
    for _ in 0..3 {
        let task = world.task();
        world.report(task, failed("A", ""));
        world.wait(1);
        let task = world.task();
        world.report(task, succeeded("{}"));
    }
    assert_eq!(world.execution.status, Status::Running);
}

#[test]
fn delays_grow_up_to_their_maximum() {
    let delays = |retrier: &str| {
        let state = format!(r#"{TASK}, "Retry": [{{"ErrorEquals": ["A"], "MaxAttempts": 5, {retrier}}}]"#);
        let mut world = World::start(&caught(&state), "{}");
        let mut delays = Vec::new();
        while world.execution.status == Status::Running {
            let task = world.task();
            world.report(task, failed("A", ""));
            let Some(seconds) = world.due_in() else { break };
            delays.push(seconds.to_string());
            world.now = world.due().expect("due");
            world.turn(vec![Input::Continue]);
        }
        delays.join(" ")
    };
    assert_snapshot!(delays(r#""IntervalSeconds": 2"#), @"2 4 8 16 32");
    assert_snapshot!(delays(r#""IntervalSeconds": 2, "BackoffRate": 1.5"#), @"2 3 4.5 6.75 10.125");
    assert_snapshot!(delays(r#""IntervalSeconds": 2, "BackoffRate": 1"#), @"2 2 2 2 2");
    assert_snapshot!(delays(r#""IntervalSeconds": 2, "MaxDelaySeconds": 5"#), @"2 4 5 5 5");
    let jittered = delays(r#""IntervalSeconds": 2, "JitterStrategy": "FULL""#);
    let jittered: Vec<f64> = jittered.split(' ').map(|seconds| seconds.parse().expect("a number")).collect();
    assert_eq!(jittered.len(), 5);
    for (delay, most) in jittered.iter().zip([2.0, 4.0, 8.0, 16.0, 32.0]) {
        assert!((0.0..=most).contains(delay), "{jittered:?}");
    }
    assert_eq!(delays(r#""IntervalSeconds": 2, "JitterStrategy": "FULL""#).split(' ').count(), 5);
}

#[test]
fn jitter_is_drawn_once() {
    let state =
        format!(r#"{TASK}, "Retry": [{{"ErrorEquals": ["A"], "IntervalSeconds": 1000, "JitterStrategy": "FULL"}}]"#);
    let mut world = World::start(&caught(&state), "{}");
    world.report(3, failed("A", ""));
    let due = world.due();
    for _ in 0..3 {
        world.reload();
        world.wait(0);
        assert_eq!(world.due(), due, "the log has it");
    }
}

#[test]
fn no_retry_is_also_an_answer() {
    let state = format!(
        r#"{TASK}, "Retry": [{{"ErrorEquals": ["A"], "MaxAttempts": 0}}, {{"ErrorEquals": ["States.ALL"], "MaxAttempts": 9}}],
            "Catch": [{{"ErrorEquals": ["B"], "Next": "C"}}, {{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "C"}}]"#
    );
    let mut world = World::start(&caught(&state), r#"{"in": 1}"#);
    world.report(3, failed("A", "the first retrier that names it decides"));
    assert_snapshot!(world.end(), @r#"SUCCEEDED {"in":1,"e":{"Error":"A","Cause":"the first retrier that names it decides"}}"#);
}

#[test]
fn what_a_catcher_hands_on() {
    for (path, input) in [
        ("", "5"),
        (r#""ResultPath": "$.e","#, r#"{"in": 1}"#),
        (r#""ResultPath": null,"#, r#"{"in": 1}"#),
        (r#""ResultPath": "$.e","#, "5"),
    ] {
        let state = format!(r#"{TASK}, "Catch": [{{"ErrorEquals": ["A"], {path} "Next": "C"}}]"#);
        let mut world = World::start(&caught(&state), input);
        world.report(3, failed("A", "why"));
        let end = world.end();
        match (path, input) {
            ("", _) => assert_snapshot!(end, @r#"SUCCEEDED {"Error":"A","Cause":"why"}"#),
            (r#""ResultPath": "$.e","#, "5") => {
                assert_snapshot!(end, @r#"FAILED States.ReferencePathConflict: Unable to apply step "e" to input 5"#)
            }
            (r#""ResultPath": null,"#, _) => assert_snapshot!(end, @r#"SUCCEEDED {"in": 1}"#),
            _ => assert_snapshot!(end, @r#"SUCCEEDED {"in":1,"e":{"Error":"A","Cause":"why"}}"#),
        }
    }
}

#[test]
fn the_context_object_counts_retries() {
    let state = r#""Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": "f", "Payload": {"attempt.$": "$$.State.RetryCount"}}, "Retry": [{"ErrorEquals": ["A"]}]"#;
    let mut world = World::start(&caught(state), "{}");
    let mut seen = Vec::new();
    for _ in 0..3 {
        let task = world.task();
        seen.push(world.execution.tasks[&task].parameters.value()["Payload"]["attempt"].as_u64().expect("a number"));
        world.report(task, failed("A", ""));
        world.wait(60);
    }
    assert_eq!(seen, [0, 1, 2]);
}
