//! Tasks: the three patterns, activities, timeouts, heartbeats, and what happens to work that nobody waits for.

use insta::assert_snapshot;
use machine::record::Stage;
use machine::{Effect, Input, Report, Verdict};

use super::{JOB, TASK, caught, only};
use crate::world::{World, failed, started, submitted, succeeded};

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
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  TaskStateEntered input={} name=T
    3 <2  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"} timeoutInSeconds=5
    4 <3  TaskStarted resourceType=lambda resource=invoke
    5 <4  TaskSucceeded resourceType=lambda resource=invoke output={"ok": true}
    6 <5  TaskStateExited output={"ok": true} name=T
    7 <6  ExecutionSucceeded output={"ok": true}
    "#);
}

#[test]
fn a_task_whose_parameters_nothing_takes_is_not_scheduled() {
    let world = World::start(
        r#"{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage",
            "Parameters": {"QueueUrl": "q", "MessageBody": "m", "Colour": 1}, "End": true,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}]}, "C": {"Type": "Pass", "End": true}}}"#,
        "{}",
    );
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  TaskStateEntered input={} name=T
    3 <2  ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'T' (entered at the event id #2). The Parameters '{"QueueUrl":"q","MessageBody":"m","Colour":1}' could not be used to start the Task: [no colours]
    "#);
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
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  TaskStateEntered input={} name=W
    3 <2  TaskScheduled resourceType=sqs resource=sendMessage.waitForTaskToken parameters={"QueueUrl":"q","MessageBody":{"t":"token-3"}} timeoutInSeconds=60 heartbeatInSeconds=10
    4 <3  TaskStarted resourceType=sqs resource=sendMessage.waitForTaskToken
    5 <4  TaskSubmitted resourceType=sqs resource=sendMessage.waitForTaskToken output={"MessageId": "m"}
    6 <5  TaskTimedOut resourceType=sqs resource=sendMessage.waitForTaskToken error=States.Timeout
    7 <6  ExecutionFailed error=States.Timeout
    "#);
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
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  TaskStateEntered input={} name=J
    3 <2  TaskScheduled resourceType=batch resource=submitJob.sync parameters={"JobName":"n","JobQueue":"q","JobDefinition":"d"}
    4 <3  TaskStarted resourceType=batch resource=submitJob.sync
    5 <4  TaskSubmitted resourceType=batch resource=submitJob.sync output={"JobId": "id"}
    6 <0  ExecutionAborted error=E
    "#);
}

/// What history calls the same news, by resource.
#[test]
fn a_lambda_function_and_an_activity_have_events_of_their_own() {
    for (resource, worker) in [
        ("arn:aws:lambda:us-east-1:000000000000:function:f", None),
        ("arn:aws:states:us-east-1:000000000000:activity:a", Some("w")),
    ] {
        let mut world = World::start(
            &only(&format!(r#""Type": "Task", "Resource": "{resource}", "TimeoutSeconds": 9, "HeartbeatSeconds": 5"#)),
            "{}",
        );
        world.report(3, Report::Started { worker: worker.map(Into::into) });
        world.wait(5);
        match worker {
            None => assert_snapshot!(world.story(), @r#"
            1 <0  ExecutionStarted input={}
            2 <0  TaskStateEntered input={} name=S
            3 <2  LambdaFunctionScheduled input={} resource=arn:aws:lambda:us-east-1:000000000000:function:f timeoutInSeconds=9
            4 <3  LambdaFunctionStarted 
            5 <4  LambdaFunctionTimedOut error=States.Timeout
            6 <5  ExecutionFailed error=States.Timeout
            "#),
            Some(_) => assert_snapshot!(world.story(), @r#"
            1 <0  ExecutionStarted input={}
            2 <0  TaskStateEntered input={} name=S
            3 <2  ActivityScheduled input={} resource=arn:aws:states:us-east-1:000000000000:activity:a timeoutInSeconds=9 heartbeatInSeconds=5
            4 <3  ActivityStarted workerName=w
            5 <4  ActivityTimedOut error=States.Timeout
            6 <5  ExecutionFailed error=States.Timeout
            "#),
        }
    }
}

#[test]
fn each_step_of_a_task_fails_under_its_own_name() {
    for (stage, name) in [
        (Stage::Schedule, "TaskScheduleFailed"),
        (Stage::Start, "TaskStartFailed"),
        (Stage::Submit, "TaskSubmitFailed"),
        (Stage::Run, "TaskFailed"),
    ] {
        let mut world = World::start(&only(TASK), "{}");
        world.report(3, Report::Failed { error: Some("E".into()), cause: None, stage });
        assert_eq!(world.types()[3..], [name, "ExecutionFailed"]);
        assert_eq!(world.end(), "FAILED E: -");
    }
}

#[test]
fn a_job_is_submitted_and_its_end_is_the_result() {
    let state = format!(r#"{JOB}, "ResultSelector": {{"id.$": "$.JobId"}}, "ResultPath": "$.job""#);
    let mut world = World::start(&only(&state), r#"{"keep": true}"#);
    world.report(3, started());
    world.report(3, submitted(r#"{"JobId": "i"}"#));
    assert_eq!(world.report(3, submitted(r#"{"JobId": "again"}"#)), Verdict::Done, "told twice, written once");
    world.report(3, succeeded(r#"{"JobId": "i", "Status": "SUCCEEDED"}"#));
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={"keep": true}
    2 <0  TaskStateEntered input={"keep": true} name=S
    3 <2  TaskScheduled resourceType=batch resource=submitJob.sync parameters={"JobName":"n","JobQueue":"q","JobDefinition":"d"}
    4 <3  TaskStarted resourceType=batch resource=submitJob.sync
    5 <4  TaskSubmitted resourceType=batch resource=submitJob.sync output={"JobId": "i"}
    6 <5  TaskSucceeded resourceType=batch resource=submitJob.sync output={"JobId": "i", "Status": "SUCCEEDED"}
    7 <6  TaskStateExited output={"keep":true,"job":{"id":"i"}} name=S
    8 <7  ExecutionSucceeded output={"keep":true,"job":{"id":"i"}}
    "#);
    assert!(world.execution.debts.is_empty(), "a job that has ended is not owed");
}

#[test]
fn what_is_submitted_has_also_been_started() {
    let mut world = World::start(&only(&format!(r#"{JOB}, "TimeoutSeconds": 5"#)), "{}");
    world.report(3, submitted(r#"{"JobId": "i"}"#));
    assert_eq!(world.types()[3..], ["TaskStarted", "TaskSubmitted"]);
    assert_eq!(world.due_in(), Some(5.0));
    world.report(3, started());
    assert_eq!(world.types().len(), 5, "the lost news come after all, and are no news");
}

#[test]
fn a_timeout_may_come_from_the_data() {
    let state = format!(r#"{TASK}, "TimeoutSecondsPath": "$.t", "HeartbeatSecondsPath": "$.h""#);
    let mut world = World::start(&only(&state), r#"{"t": 30, "h": 4}"#);
    world.report(3, started());
    assert_eq!(world.due_in(), Some(4.0));
    world.report(3, Report::Heartbeat);
    world.wait(4);
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={"t": 30, "h": 4}
    2 <0  TaskStateEntered input={"t": 30, "h": 4} name=S
    3 <2  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"} timeoutInSeconds=30 heartbeatInSeconds=4
    4 <3  TaskStarted resourceType=lambda resource=invoke
    5 <4  TaskTimedOut resourceType=lambda resource=invoke error=States.Timeout
    6 <5  ExecutionFailed error=States.Timeout
    "#);
}

#[test]
fn a_timeout_that_is_not_in_the_data_ends_the_execution() {
    let state = format!(
        r#"{TASK}, "TimeoutSecondsPath": "$.NoSuch", "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "C"}}]"#
    );
    assert_snapshot!(World::start(&caught(&state), "{}").story(), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  TaskStateEntered input={} name=S
    3 <2  ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'S' (entered at the event id #2). Invalid path '$.NoSuch' : No results for path: $['NoSuch']
    "#);
    assert_snapshot!(World::start(&caught(&state), r#"{"NoSuch": 0}"#).end(), @"FAILED States.Runtime: An error occurred while executing the state 'S' (entered at the event id #2). Expected positive integer for TimeoutSeconds, got '0' instead.");
}

#[test]
fn heartbeats_do_not_stop_the_clock_of_the_whole_task() {
    let mut world = World::start(&only(&format!(r#"{TASK}, "TimeoutSeconds": 7, "HeartbeatSeconds": 5"#)), "{}");
    world.report(3, started());
    for _ in 0..2 {
        world.now += 3_000;
        assert_eq!(world.report(3, Report::Heartbeat), Verdict::Done);
    }
    assert_eq!(world.due_in(), Some(1.0));
    world.wait(1);
    assert_eq!(world.end(), "FAILED States.Timeout: -");
}

#[test]
fn a_heartbeat_that_waited_for_its_turn_is_in_time() {
    let mut world = World::start(&only(&format!(r#"{TASK}, "TimeoutSeconds": 60, "HeartbeatSeconds": 5"#)), "{}");
    world.report(3, started());
    // It came after four seconds, while the disk was busy for two.
    world.now += 6_000;
    assert_eq!(world.report(3, Report::Heartbeat), Verdict::Done);
    assert_eq!(world.due_in(), Some(5.0));
}

#[test]
fn the_clock_of_an_activity_runs_from_the_hand_out() {
    let state =
        r#""Type": "Task", "Resource": "arn:aws:states:us-east-1:000000000000:activity:a", "TimeoutSeconds": 5"#;
    let mut world = World::start(&only(state), "{}");
    world.wait(1_000);
    assert_eq!(world.execution.status, machine::Status::Running);
    world.report(3, started());
    world.report(3, started());
    world.wait(5);
    assert_eq!(world.end(), "FAILED States.Timeout: -");
}

#[test]
fn news_that_come_too_late_are_told_so() {
    let mut world = World::start(&only(TASK), "{}");
    for report in [started(), submitted("1"), succeeded("1"), failed("E", "c"), Report::Heartbeat] {
        assert_eq!(world.report(2, report), Verdict::NotWaiting, "2 is no task");
    }
    world.report(3, succeeded("1"));
    for report in [started(), submitted("1"), succeeded("2"), failed("E", "c"), Report::Heartbeat] {
        assert_eq!(world.report(3, report), Verdict::NotWaiting);
    }
    assert_eq!(world.turn(vec![Input::Stop { error: None, cause: None }]), [Verdict::TooLate]);
    assert_eq!(world.turn(vec![crate::world::start("{}")]), [Verdict::TooLate]);
    assert_eq!(world.end(), "SUCCEEDED 1");
}

#[test]
fn of_two_answers_in_one_turn_the_first_counts() {
    let mut world = World::start(&only(TASK), "{}");
    let report = |report| Input::Report { task: 3, report };
    let verdicts = world.turn(vec![report(started()), report(failed("E", "first")), report(succeeded("2"))]);
    assert_eq!(verdicts, [Verdict::Done, Verdict::Done, Verdict::NotWaiting]);
    assert_eq!(world.end(), "FAILED E: first");
}

#[test]
fn an_execution_that_never_was_can_neither_be_stopped_nor_end() {
    let mut world = World::new(&only(TASK).replacen('{', r#"{"TimeoutSeconds": 1, "#, 1));
    let verdicts = world.turn(vec![Input::Stop { error: None, cause: None }, Input::Continue]);
    assert_eq!(verdicts, [Verdict::TooLate, Verdict::Done]);
    assert!(world.log.is_empty());
}

#[test]
fn a_job_that_times_out_is_owed_and_the_execution_goes_on() {
    let state = format!(r#"{JOB}, "TimeoutSeconds": 5, "Catch": [{{"ErrorEquals": ["States.Timeout"], "Next": "C"}}]"#);
    let mut world = World::start(&caught(&state), "{}");
    world.report(3, started());
    world.report(3, submitted(r#"{"JobId": "i"}"#));
    world.wait(5);
    assert_eq!(world.effects[1..], [Effect::ForgetTask { task: 3 }, Effect::CancelTask { task: 3 }, Effect::Finished]);
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input={}
     2 <0  TaskStateEntered input={} name=S
     3 <2  TaskScheduled resourceType=batch resource=submitJob.sync parameters={"JobName":"n","JobQueue":"q","JobDefinition":"d"} timeoutInSeconds=5
     4 <3  TaskStarted resourceType=batch resource=submitJob.sync
     5 <4  TaskSubmitted resourceType=batch resource=submitJob.sync output={"JobId": "i"}
     6 <5  TaskTimedOut resourceType=batch resource=submitJob.sync error=States.Timeout
     7 <6  TaskStateExited output={"Error":"States.Timeout","Cause":null} name=S
     8 <7  PassStateEntered input={"Error":"States.Timeout","Cause":null} name=C
     9 <8  PassStateExited output={"Error":"States.Timeout","Cause":null} name=C
    10 <9  ExecutionSucceeded output={"Error":"States.Timeout","Cause":null}
    "#);
    assert_eq!(world.execution.debts.len(), 1);
    assert_eq!(
        world.turn(vec![Input::Settled { task: 3 }, Input::Settled { task: 3 }]),
        [Verdict::Done, Verdict::Done]
    );
    assert!(world.execution.debts.is_empty());
}

#[test]
fn an_execution_that_times_out_leaves_its_job_as_a_debt() {
    let mut world = World::start(&only(JOB).replacen('{', r#"{"TimeoutSeconds": 2, "#, 1), "{}");
    world.report(3, started());
    world.wait(2);
    assert_eq!(world.end(), "TIMED_OUT States.Timeout: -");
    assert!(world.execution.debts[&3].submitted.is_none(), "the job has no name yet");
    assert_eq!(world.report(3, submitted("{}")), Verdict::NotWaiting);
}
