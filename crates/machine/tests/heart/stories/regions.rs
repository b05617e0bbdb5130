//! Parallel and Map: how lines of control open, join, fail and are aborted.

use insta::assert_snapshot;
use machine::{Effect, Input, Status, Verdict};

use super::{JOB, TASK, caught, only};
use crate::world::{World, failed, started, submitted, succeeded};

#[test]
fn iterations_take_freed_slots_in_order() {
    let world = World::start(
        r#"{"StartAt": "M", "States": {"M": {"Type": "Map", "MaxConcurrency": 1, "End": true, "ItemsPath": "$.items",
            "ItemSelector": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value", "all.$": "$.k"},
            "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}}}}"#,
        r#"{"items": ["a", "b"], "k": 7}"#,
    );
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input={"items": ["a", "b"], "k": 7}
     2 <0  MapStateEntered input={"items": ["a", "b"], "k": 7} name=M
     3 <2  MapStateStarted length=2
     4 <3  MapIterationStarted name=M index=0
     5 <4  PassStateEntered input={"i":0,"v":"a","all":7} name=P
     6 <5  PassStateExited output={"i":0,"v":"a","all":7} name=P
     7 <6  MapIterationSucceeded name=M index=0
     8 <6  MapIterationStarted name=M index=1
     9 <8  PassStateEntered input={"i":1,"v":"b","all":7} name=P
    10 <9  PassStateExited output={"i":1,"v":"b","all":7} name=P
    11 <10 MapIterationSucceeded name=M index=1
    12 <11 MapStateSucceeded 
    13 <11 MapStateExited output=[{"i":0,"v":"a","all":7},{"i":1,"v":"b","all":7}] name=M
    14 <13 ExecutionSucceeded output=[{"i":0,"v":"a","all":7},{"i":1,"v":"b","all":7}]
    "#);
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
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input=[1, 2, 3]
     2 <0  MapStateEntered input=[1, 2, 3] name=M
     3 <2  MapStateStarted length=3
     4 <3  MapIterationStarted name=M index=0
     5 <3  MapIterationStarted name=M index=1
     6 <3  MapIterationStarted name=M index=2
     7 <4  TaskStateEntered input=1 name=T
     8 <7  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"} timeoutInSeconds=5
     9 <5  TaskStateEntered input=2 name=T
    10 <9  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"} timeoutInSeconds=5
    11 <6  TaskStateEntered input=3 name=T
    12 <11 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"} timeoutInSeconds=5
    13 <8  TaskStarted resourceType=lambda resource=invoke
    14 <10 TaskStarted resourceType=lambda resource=invoke
    15 <12 TaskStarted resourceType=lambda resource=invoke
    16 <13 TaskTimedOut resourceType=lambda resource=invoke error=States.Timeout
    17 <14 TaskTimedOut resourceType=lambda resource=invoke error=States.Timeout
    18 <15 TaskTimedOut resourceType=lambda resource=invoke error=States.Timeout
    19 <16 MapIterationFailed name=M index=0
    20 <16 TaskStateAborted 
    21 <16 MapIterationAborted name=M index=1
    22 <16 TaskStateAborted 
    23 <16 MapIterationAborted name=M index=2
    24 <16 TaskStateAborted 
    25 <16 MapStateFailed 
    26 <25 ExecutionFailed error=States.Timeout
    "#);
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
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input={}
     2 <0  ParallelStateEntered input={} name=P
     3 <2  ParallelStateStarted 
     4 <3  TaskStateEntered input={} name=A
     5 <4  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
     6 <3  WaitStateEntered input={} name=B
     7 <5  TaskStarted resourceType=lambda resource=invoke
     8 <7  TaskFailed resourceType=lambda resource=invoke error=Boom cause=why
     9 <8  TaskStateAborted 
    10 <8  WaitStateAborted 
    11 <8  ParallelStateFailed 
    12 <11 ParallelStateExited output={"Error":"Boom","Cause":"why"} name=P
    13 <12 SucceedStateEntered input={"Error":"Boom","Cause":"why"} name=C
    14 <13 SucceedStateExited output={"Error":"Boom","Cause":"why"} name=C
    15 <14 ExecutionSucceeded output={"Error":"Boom","Cause":"why"}
    "#);
    assert_eq!(world.due_in(), None);
}

/// A scope of one state.
fn scope(name: &str, state: &str) -> String {
    format!(r#"{{"StartAt": "{name}", "States": {{"{name}": {{{state}}}}}}}"#)
}

fn ends(state: &str) -> String {
    format!(r#"{state}, "End": true"#)
}

const BOOM: &str = r#""Type": "Fail", "Error": "Boom", "Cause": "why""#;

#[test]
fn branches_go_their_own_ways_and_join() {
    let world = World::start(
        &only(&format!(
            r#""Type": "Parallel", "ResultPath": "$.r", "Parameters": {{"x.$": "$.x", "from.$": "$$.State.Name"}}, "Branches": [
                {{"StartAt": "A", "States": {{"A": {{"Type": "Pass", "Next": "A2"}}, "A2": {{"Type": "Succeed"}}}}}}, {}]"#,
            scope("B", r#""Type": "Pass", "Result": 2, "End": true"#)
        )),
        r#"{"x": 1}"#,
    );
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input={"x": 1}
     2 <0  ParallelStateEntered input={"x": 1} name=S
     3 <2  ParallelStateStarted 
     4 <3  PassStateEntered input={"x":1,"from":"S"} name=A
     5 <4  PassStateExited output={"x":1,"from":"S"} name=A
     6 <5  SucceedStateEntered input={"x":1,"from":"S"} name=A2
     7 <6  SucceedStateExited output={"x":1,"from":"S"} name=A2
     8 <3  PassStateEntered input={"x":1,"from":"S"} name=B
     9 <8  PassStateExited output=2 name=B
    10 <9  ParallelStateSucceeded 
    11 <9  ParallelStateExited output={"x":1,"r":[{"x":1,"from":"S"},2]} name=S
    12 <11 ExecutionSucceeded output={"x":1,"r":[{"x":1,"from":"S"},2]}
    "#);
}

#[test]
fn what_fails_after_the_join_is_the_parallels_own_failure() {
    let world = World::start(
        &only(&format!(
            r#""Type": "Parallel", "ResultSelector": {{"m.$": "$.nope"}}, "Branches": [{}]"#,
            scope("A", r#""Type": "Pass", "End": true"#)
        )),
        "{}",
    );
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  ParallelStateEntered input={} name=S
    3 <2  ParallelStateStarted 
    4 <3  PassStateEntered input={} name=A
    5 <4  PassStateExited output={} name=A
    6 <5  ParallelStateSucceeded 
    7 <6  ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONPath '$.nope' specified for the field 'm.$' could not be found in the input '[{}]'
    "#);
}

#[test]
fn a_parallel_that_is_tried_again_starts_all_its_branches_anew() {
    let state = format!(
        r#""Type": "Parallel", "Retry": [{{"ErrorEquals": ["Boom"], "MaxAttempts": 1, "IntervalSeconds": 4}}], "Branches": [{}, {}]"#,
        scope("A", &ends(TASK)),
        scope("B", r#""Type": "Pass", "End": true"#)
    );
    let mut world = World::start(&only(&state), "{}");
    world.report(5, failed("Boom", "why"));
    assert_eq!(world.due_in(), Some(4.0));
    world.wait(4);
    let task = world.task();
    world.report(task, succeeded("1"));
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input={}
     2 <0  ParallelStateEntered input={} name=S
     3 <2  ParallelStateStarted 
     4 <3  TaskStateEntered input={} name=A
     5 <4  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
     6 <3  PassStateEntered input={} name=B
     7 <6  PassStateExited output={} name=B
     8 <5  TaskFailed resourceType=lambda resource=invoke error=Boom cause=why
     9 <8  TaskStateAborted 
    10 <8  ParallelStateStarted 
    11 <10 TaskStateEntered input={} name=A
    12 <11 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    13 <10 PassStateEntered input={} name=B
    14 <13 PassStateExited output={} name=B
    15 <12 TaskSucceeded resourceType=lambda resource=invoke output=1
    16 <15 TaskStateExited output=1 name=A
    17 <16 ParallelStateSucceeded 
    18 <16 ParallelStateExited output=[1,{}] name=S
    19 <18 ExecutionSucceeded output=[1,{}]
    "#);
}

#[test]
fn a_task_that_fails_in_a_branch_is_recorded_as_aborted_too() {
    let state = format!(
        r#""Type": "Parallel", "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "C"}}], "Branches": [{}]"#,
        scope("A", &ends(TASK))
    );
    let mut world = World::start(&caught(&state), "{}");
    world.report(5, started());
    world.report(5, failed("Boom", "why"));
    let previous: Vec<u64> = world.events().iter().map(|e| e["previousEventId"].as_u64().expect("a number")).collect();
    assert_eq!(previous, [0, 0, 2, 3, 4, 5, 6, 7, 7, 9, 10, 11, 12], "recorded from AWS");
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input={}
     2 <0  ParallelStateEntered input={} name=S
     3 <2  ParallelStateStarted 
     4 <3  TaskStateEntered input={} name=A
     5 <4  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
     6 <5  TaskStarted resourceType=lambda resource=invoke
     7 <6  TaskFailed resourceType=lambda resource=invoke error=Boom cause=why
     8 <7  TaskStateAborted 
     9 <7  ParallelStateFailed 
    10 <9  ParallelStateExited output={"Error":"Boom","Cause":"why"} name=S
    11 <10 PassStateEntered input={"Error":"Boom","Cause":"why"} name=C
    12 <11 PassStateExited output={"Error":"Boom","Cause":"why"} name=C
    13 <12 ExecutionSucceeded output={"Error":"Boom","Cause":"why"}
    "#);
}

#[test]
fn a_map_that_fails_gives_up_what_its_other_iterations_wait_for() {
    let state = format!(
        r#""Type": "Map", "Retry": [{{"ErrorEquals": ["Boom"], "MaxAttempts": 1}}], "ItemProcessor": {}"#,
        scope("J", &ends(JOB))
    );
    let mut world = World::start(&only(&state), "[1, 2, 3]");
    let tasks = world.tasks();
    for task in &tasks {
        world.report(*task, started());
        world.report(*task, submitted("{}"));
    }
    world.report(tasks[0], failed("Boom", "why"));
    assert!(world.tasks().is_empty(), "nobody waits for the others");
    assert_eq!(world.execution.debts.keys().copied().collect::<Vec<_>>(), tasks[1..], "their jobs are to be stopped");
    assert!(world.effects.contains(&Effect::CancelTask { task: tasks[1] }));
    assert_eq!(world.report(tasks[1], succeeded("{}")), Verdict::NotWaiting);
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input=[1, 2, 3]
     2 <0  MapStateEntered input=[1, 2, 3] name=S
     3 <2  MapStateStarted length=3
     4 <3  MapIterationStarted name=S index=0
     5 <3  MapIterationStarted name=S index=1
     6 <3  MapIterationStarted name=S index=2
     7 <4  TaskStateEntered input=1 name=J
     8 <7  TaskScheduled resourceType=batch resource=submitJob.sync parameters={"JobName":"n","JobQueue":"q","JobDefinition":"d"}
     9 <5  TaskStateEntered input=2 name=J
    10 <9  TaskScheduled resourceType=batch resource=submitJob.sync parameters={"JobName":"n","JobQueue":"q","JobDefinition":"d"}
    11 <6  TaskStateEntered input=3 name=J
    12 <11 TaskScheduled resourceType=batch resource=submitJob.sync parameters={"JobName":"n","JobQueue":"q","JobDefinition":"d"}
    13 <8  TaskStarted resourceType=batch resource=submitJob.sync
    14 <13 TaskSubmitted resourceType=batch resource=submitJob.sync output={}
    15 <10 TaskStarted resourceType=batch resource=submitJob.sync
    16 <15 TaskSubmitted resourceType=batch resource=submitJob.sync output={}
    17 <12 TaskStarted resourceType=batch resource=submitJob.sync
    18 <17 TaskSubmitted resourceType=batch resource=submitJob.sync output={}
    19 <14 TaskFailed resourceType=batch resource=submitJob.sync error=Boom cause=why
    20 <19 MapIterationFailed name=S index=0
    21 <19 TaskStateAborted 
    22 <19 MapIterationAborted name=S index=1
    23 <19 TaskStateAborted 
    24 <19 MapIterationAborted name=S index=2
    25 <19 TaskStateAborted
    "#);
    world.wait(1);
    assert_eq!(world.tasks().len(), 3, "all of them again");
}

#[test]
fn what_is_aborted_inside_is_aborted_all_the_way_down() {
    let inner =
        format!(r#""Type": "Map", "ItemsPath": "$.items", "End": true, "ItemProcessor": {}"#, scope("T", &ends(TASK)));
    let state = format!(
        r#""Type": "Parallel", "Catch": [{{"ErrorEquals": ["Boom"], "Next": "C"}}], "Branches": [{}, {}, {}]"#,
        scope("M", &inner),
        scope("W", r#""Type": "Wait", "Seconds": 100, "End": true"#),
        scope("F", &ends(TASK))
    );
    let mut world = World::start(&caught(&state), r#"{"items": [1, 2]}"#);
    let tasks = world.tasks();
    world.report(tasks[0], started());
    world.report(*tasks.last().expect("three"), failed("Boom", "why"));
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input={"items": [1, 2]}
     2 <0  ParallelStateEntered input={"items": [1, 2]} name=S
     3 <2  ParallelStateStarted 
     4 <3  MapStateEntered input={"items": [1, 2]} name=M
     5 <4  MapStateStarted length=2
     6 <5  MapIterationStarted name=M index=0
     7 <5  MapIterationStarted name=M index=1
     8 <3  WaitStateEntered input={"items": [1, 2]} name=W
     9 <3  TaskStateEntered input={"items": [1, 2]} name=F
    10 <9  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    11 <6  TaskStateEntered input=1 name=T
    12 <11 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    13 <7  TaskStateEntered input=2 name=T
    14 <13 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    15 <10 TaskStarted resourceType=lambda resource=invoke
    16 <14 TaskFailed resourceType=lambda resource=invoke error=Boom cause=why
    17 <16 MapIterationFailed name=M index=1
    18 <16 TaskStateAborted 
    19 <16 MapIterationAborted name=M index=0
    20 <16 TaskStateAborted 
    21 <16 MapStateFailed 
    22 <21 MapStateAborted 
    23 <21 WaitStateAborted 
    24 <21 TaskStateAborted 
    25 <21 ParallelStateFailed 
    26 <25 ParallelStateExited output={"Error":"Boom","Cause":"why"} name=S
    27 <26 PassStateEntered input={"Error":"Boom","Cause":"why"} name=C
    28 <27 PassStateExited output={"Error":"Boom","Cause":"why"} name=C
    29 <28 ExecutionSucceeded output={"Error":"Boom","Cause":"why"}
    "#);
    assert_eq!(world.execution.frames.len(), 1, "nothing is kept of them");
}

#[test]
fn a_failure_goes_up_through_regions_until_it_is_caught() {
    let inner = format!(r#""Type": "Map", "End": true, "ItemProcessor": {}"#, scope("F", BOOM));
    let state = format!(
        r#""Type": "Parallel", "Catch": [{{"ErrorEquals": ["Boom"], "Next": "C"}}], "Branches": [{}]"#,
        scope("M", &inner)
    );
    assert_snapshot!(World::start(&caught(&state), "[1]").story(), @r#"
     1 <0  ExecutionStarted input=[1]
     2 <0  ParallelStateEntered input=[1] name=S
     3 <2  ParallelStateStarted 
     4 <3  MapStateEntered input=[1] name=M
     5 <4  MapStateStarted length=1
     6 <5  MapIterationStarted name=M index=0
     7 <6  FailStateEntered input=1 name=F
     8 <7  MapIterationFailed name=M index=0
     9 <7  MapStateFailed 
    10 <9  MapStateAborted 
    11 <9  ParallelStateFailed 
    12 <11 ParallelStateExited output={"Error":"Boom","Cause":"why"} name=S
    13 <12 PassStateEntered input={"Error":"Boom","Cause":"why"} name=C
    14 <13 PassStateExited output={"Error":"Boom","Cause":"why"} name=C
    15 <14 ExecutionSucceeded output={"Error":"Boom","Cause":"why"}
    "#);
}

#[test]
fn a_failure_that_is_caught_inside_stays_inside() {
    let branch = format!(
        r#"{{"StartAt": "T", "States": {{"T": {{{TASK}, "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "R"}}], "End": true}},
            "R": {{"Type": "Pass", "Result": "recovered", "End": true}}}}}}"#
    );
    let mut world = World::start(&only(&format!(r#""Type": "Parallel", "Branches": [{branch}]"#)), "{}");
    world.report(5, failed("Boom", "why"));
    assert_eq!(world.end(), r#"SUCCEEDED ["recovered"]"#);
    assert!(!world.types().iter().any(|kind| kind.ends_with("Aborted")));
}

#[test]
fn a_map_over_nothing_is_done_at_once() {
    let state = format!(r#""Type": "Map", "ItemProcessor": {}"#, scope("P", r#""Type": "Pass", "End": true"#));
    let world = World::start(&only(&state), "[]");
    let previous: Vec<u64> = world.events().iter().map(|e| e["previousEventId"].as_u64().expect("a number")).collect();
    assert_eq!(previous, [0, 0, 2, 3, 3, 5], "recorded from AWS");
    assert_eq!(world.end(), "SUCCEEDED []");
}

#[test]
fn items_must_be_there_and_be_an_array() {
    let end = |path: &str, input: &str| {
        let state = format!(
            r#""Type": "Map", "ItemsPath": "{path}", "Catch": [{{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "C"}}], "ItemProcessor": {}"#,
            scope("P", r#""Type": "Pass", "End": true"#)
        );
        World::start(&caught(&state), input).end()
    };
    assert_snapshot!(end("$.items", r#"{"items": 5}"#), @r#"FAILED States.Runtime: An error occurred while executing the state 'S' (entered at the event id #2). Reference path "$.items" must point to array."#);
    assert_snapshot!(end("$.items", r#"{"other": 5}"#), @r#"SUCCEEDED {"other":5,"e":{"Error":"States.ReferencePathConflict","Cause":"Unable to apply step \"items\" to input {\"other\": 5}"}}"#);
}

#[test]
fn each_iteration_sees_its_item() {
    let state = format!(
        r#""Type": "Map", "ItemsPath": "$.items", "ItemSelector": {{"c.$": "$$.Map", "k.$": "$.k"}}, "ItemProcessor": {}"#,
        scope(
            "P",
            r#""Type": "Pass", "Parameters": {"in.$": "$", "here.$": "$$.Map.Item.Value", "name.$": "$$.State.Name"}, "End": true"#
        )
    );
    assert_snapshot!(World::start(&only(&state), r#"{"items": ["a", {"b": 1}], "k": 7}"#).end(), @r#"SUCCEEDED [{"in":{"c":{"Item":{"Index":0,"Value":"a"}},"k":7},"here":"a","name":"P"},{"in":{"c":{"Item":{"Index":1,"Value":{"b":1}}},"k":7},"here":{"b":1},"name":"P"}]"#);
}

#[test]
fn an_inner_map_shows_its_own_item() {
    let inner = format!(
        r#""Type": "Map", "End": true, "ItemProcessor": {}"#,
        scope(
            "P",
            r#""Type": "Pass", "Parameters": {"i.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"}, "End": true"#
        )
    );
    let state = format!(r#""Type": "Map", "ItemProcessor": {}"#, scope("M", &inner));
    assert_snapshot!(World::start(&only(&state), "[[1, 2], [3]]").end(), @r#"SUCCEEDED [[{"i":0,"v":1},{"i":1,"v":2}],[{"i":0,"v":3}]]"#);
}

/// A Map of tasks of which these fail, in this order.
fn map_of_tasks(fields: &str, items: usize, fail: &[usize]) -> World {
    let state = format!(r#""Type": "Map", {fields} "ItemProcessor": {}"#, scope("T", &ends(TASK)));
    let input = format!("{:?}", (0..items).collect::<Vec<_>>());
    let mut world = World::start(&only(&state), &input);
    let mut done = 0;
    while world.execution.status == Status::Running {
        let tasks = world.tasks();
        let task = tasks[0];
        let report = if fail.contains(&done) { failed("Boom", "why") } else { succeeded(&format!("\"did {done}\"")) };
        done += 1;
        world.report(task, report);
    }
    world
}

#[test]
fn tolerated_failures_leave_no_result() {
    assert_snapshot!(map_of_tasks(r#""ToleratedFailureCount": 1,"#, 3, &[1]).end(), @r#"SUCCEEDED ["did 0","did 2"]"#);
    assert_snapshot!(map_of_tasks(r#""ToleratedFailurePercentage": 50,"#, 4, &[0, 3]).end(), @r#"SUCCEEDED ["did 1","did 2"]"#);
    assert_snapshot!(map_of_tasks(r#""ToleratedFailureCount": 5, "MaxConcurrency": 1,"#, 3, &[0, 1, 2]).end(), @"SUCCEEDED []");
    assert_snapshot!(map_of_tasks(r#""ToleratedFailureCount": 1, "MaxConcurrency": 1,"#, 2, &[0]).story(), @r#"
     1 <0  ExecutionStarted input=[0, 1]
     2 <0  MapStateEntered input=[0, 1] name=S
     3 <2  MapStateStarted length=2
     4 <3  MapIterationStarted name=S index=0
     5 <4  TaskStateEntered input=0 name=T
     6 <5  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
     7 <6  TaskFailed resourceType=lambda resource=invoke error=Boom cause=why
     8 <7  MapIterationFailed name=S index=0
     9 <7  MapIterationStarted name=S index=1
    10 <9  TaskStateEntered input=1 name=T
    11 <10 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    12 <11 TaskSucceeded resourceType=lambda resource=invoke output="did 1"
    13 <12 TaskStateExited output="did 1" name=T
    14 <13 MapIterationSucceeded name=S index=1
    15 <14 MapStateSucceeded 
    16 <14 MapStateExited output=["did 1"] name=S
    17 <16 ExecutionSucceeded output=["did 1"]
    "#);
}

#[test]
fn one_failure_too_many_ends_the_map() {
    assert_snapshot!(map_of_tasks(r#""ToleratedFailureCount": 1,"#, 3, &[0, 1]).story(), @r#"
     1 <0  ExecutionStarted input=[0, 1, 2]
     2 <0  MapStateEntered input=[0, 1, 2] name=S
     3 <2  MapStateStarted length=3
     4 <3  MapIterationStarted name=S index=0
     5 <3  MapIterationStarted name=S index=1
     6 <3  MapIterationStarted name=S index=2
     7 <4  TaskStateEntered input=0 name=T
     8 <7  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
     9 <5  TaskStateEntered input=1 name=T
    10 <9  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    11 <6  TaskStateEntered input=2 name=T
    12 <11 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    13 <8  TaskFailed resourceType=lambda resource=invoke error=Boom cause=why
    14 <13 MapIterationFailed name=S index=0
    15 <10 TaskFailed resourceType=lambda resource=invoke error=Boom cause=why
    16 <15 MapIterationFailed name=S index=1
    17 <15 TaskStateAborted 
    18 <15 MapIterationAborted name=S index=2
    19 <15 TaskStateAborted 
    20 <15 MapStateFailed 
    21 <20 ExecutionFailed error=States.ExceedToleratedFailureThreshold cause=The specified tolerated failure threshold was exceeded
    "#);
    assert_snapshot!(map_of_tasks(r#""ToleratedFailurePercentage": 50, "ToleratedFailureCount": 9,"#, 3, &[0, 1]).end(), @"FAILED States.ExceedToleratedFailureThreshold: The specified tolerated failure threshold was exceeded");
    assert_snapshot!(map_of_tasks("", 3, &[1]).end(), @"FAILED Boom: why");
}

/// Found by chance: the branch that had not begun went on living beside the Map.
#[test]
fn nothing_moves_inside_an_iteration_whose_failure_was_tolerated() {
    let inner = format!(
        r#""Type": "Parallel", "End": true, "Branches": [{}, {}]"#,
        scope("F", BOOM),
        scope("P", r#""Type": "Pass", "End": true"#)
    );
    let processor = format!(
        r#"{{"StartAt": "Which", "States": {{
            "Which": {{"Type": "Choice", "Choices": [{{"Variable": "$", "NumericEquals": 0, "Next": "In"}}], "Default": "T"}},
            "In": {{{inner}}}, "T": {{{TASK}, "End": true}}}}}}"#
    );
    let state = format!(r#""Type": "Map", "ToleratedFailureCount": 1, "ItemProcessor": {processor}"#);
    let mut world = World::start(&only(&state), "[0, 1]");
    let before = world.log.len();
    world.wait(1);
    assert_eq!(world.log.len(), before);
    let task = world.task();
    world.report(task, succeeded("5"));
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input=[0, 1]
     2 <0  MapStateEntered input=[0, 1] name=S
     3 <2  MapStateStarted length=2
     4 <3  MapIterationStarted name=S index=0
     5 <3  MapIterationStarted name=S index=1
     6 <4  ChoiceStateEntered input=0 name=Which
     7 <6  ChoiceStateExited output=0 name=Which
     8 <7  ParallelStateEntered input=0 name=In
     9 <8  ParallelStateStarted 
    10 <5  ChoiceStateEntered input=1 name=Which
    11 <10 ChoiceStateExited output=1 name=Which
    12 <11 TaskStateEntered input=1 name=T
    13 <12 TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    14 <9  FailStateEntered input=0 name=F
    15 <14 ParallelStateFailed 
    16 <15 MapIterationFailed name=S index=0
    17 <13 TaskSucceeded resourceType=lambda resource=invoke output=5
    18 <17 TaskStateExited output=5 name=T
    19 <18 MapIterationSucceeded name=S index=1
    20 <19 MapStateSucceeded 
    21 <19 MapStateExited output=[5] name=S
    22 <21 ExecutionSucceeded output=[5]
    "#);
}

#[test]
fn only_so_many_iterations_run_at_once() {
    let running = |fields: &str, input: &str| {
        let state =
            format!(r#""Type": "Map", "ItemsPath": "$.items", {fields} "ItemProcessor": {}"#, scope("T", &ends(TASK)));
        let mut world = World::new(&only(&state));
        world.limits.inline_concurrency = 4;
        world.begin(input);
        world.tasks().len()
    };
    let input = r#"{"items": [1, 2, 3, 4, 5, 6], "n": 3}"#;
    assert_eq!(running("", input), 4, "AWS's own limit, here lowered");
    assert_eq!(running(r#""MaxConcurrency": 0,"#, input), 4);
    assert_eq!(running(r#""MaxConcurrency": 2,"#, input), 2);
    assert_eq!(running(r#""MaxConcurrency": 100,"#, input), 4);
    assert_eq!(running(r#""MaxConcurrencyPath": "$.n","#, input), 3);
}

#[test]
fn a_loop_over_a_map_does_not_grow_the_execution() {
    let mut world = World::start(
        &format!(
            r#"{{"StartAt": "M", "States": {{
                "M": {{"Type": "Map", "ItemsPath": "$.items", "ResultPath": null, "Next": "W", "ItemProcessor": {},
                    "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "End"}}]}},
                "W": {{"Type": "Wait", "Seconds": 1, "Next": "M"}}, "End": {{"Type": "Succeed"}}}}}}"#,
            scope("P", r#""Type": "Pass", "End": true"#)
        ),
        r#"{"items": [1, 2, 3]}"#,
    );
    for _ in 0..20 {
        world.wait(1);
        assert_eq!(world.execution.frames.len(), 1);
    }
}
