//! States in JSONata: what their fields come to, and what history says when one comes to nothing.

use insta::assert_snapshot;

use crate::world::{World, failed, started, succeeded};

/// A machine in JSONata of these states, which begins with `S`.
fn jsonata(states: &str) -> String {
    format!(r#"{{"QueryLanguage": "JSONata", "StartAt": "S", "States": {{{states}}}}}"#)
}

fn only(state: &str) -> String {
    jsonata(&format!(r#""S": {{{state}, "End": true}}"#))
}

/// What history says from the first state's Entered event on.
fn story_of(states: &str, input: &str) -> String {
    let story = World::start(&jsonata(states), input).story();
    story.split_once('\n').expect("ExecutionStarted").1.to_owned()
}

const LAMBDA: &str = r#""Type": "Task", "Resource": "arn:aws:states:::lambda:invoke""#;

#[test]
fn a_task_has_arguments_before_and_output_after_its_work() {
    let state = format!(
        r#"{LAMBDA}, "Arguments": {{"FunctionName": "f", "Payload": {{"n": "{{% $states.input.n + 1 %}}"}}}},
            "TimeoutSeconds": "{{% $states.input.n * 10 %}}", "HeartbeatSeconds": "{{% $states.input.n %}}",
            "Output": {{"was": "{{% $states.input.n %}}", "is": "{{% $states.result.Payload %}}"}}"#
    );
    let mut world = World::start(&only(&state), r#"{"n": 4}"#);
    let task = world.task();
    world.report(task, started());
    world.report(task, succeeded(r#"{"Payload": 5, "StatusCode": 200}"#));
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={"n": 4}
    2 <0  TaskStateEntered input={"n": 4} name=S
    3 <2  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f","Payload":{"n":5}} timeoutInSeconds=40 heartbeatInSeconds=4
    4 <3  TaskStarted resourceType=lambda resource=invoke
    5 <4  TaskSucceeded resourceType=lambda resource=invoke output={"Payload": 5, "StatusCode": 200}
    6 <5  TaskStateExited output={"was":4,"is":5} name=S
    7 <6  ExecutionSucceeded output={"was":4,"is":5}
    "#);
}

#[test]
fn a_state_without_output_hands_on_its_result_or_its_input() {
    assert_snapshot!(World::start(&only(r#""Type": "Pass""#), "[1.0]").end(), @r"SUCCEEDED [1.0]");
    assert_snapshot!(World::start(&only(r#""Type": "Wait", "Seconds": 0"#), "[1]").end(), @r"SUCCEEDED [1]");
    assert_snapshot!(World::start(&jsonata(r#""S": {"Type": "Succeed"}"#), "[1]").end(), @r"SUCCEEDED [1]");
    let parallel = r#""Type": "Parallel", "Arguments": {"x": "{% $states.input %}"},
        "Branches": [{"StartAt": "B", "States": {"B": {"Type": "Pass", "End": true}}}]"#;
    assert_snapshot!(World::start(&only(parallel), "7").end(), @r#"SUCCEEDED [{"x":7}]"#);
}

#[test]
fn undefined_is_an_error_that_can_be_caught() {
    assert_snapshot!(story_of(r#""S": {"Type": "Pass", "Output": {"a": ["{% $states.input.nope %}"]}, "End": true}"#, "{}"), @r"
    2 <0  PassStateEntered input={} name=S
    3 <0  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.input.nope' specified for the field 'Output/a[0]' returned nothing (undefined). location=Output/a[0] state=S
    4 <3  ExecutionFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.input.nope' specified for the field 'Output/a[0]' returned nothing (undefined).
    ");
    let task = format!(
        r#""S": {{{LAMBDA}, "Arguments": "{{% $states.input.nope %}}", "End": true,
            "Catch": [{{"ErrorEquals": ["States.QueryEvaluationError"], "Output": "{{% $states.errorOutput.Error %}}", "Next": "C"}}]}},
        "C": {{"Type": "Succeed"}}"#
    );
    assert_snapshot!(story_of(&task, "{}"), @r#"
    2 <0  TaskStateEntered input={} name=S
    3 <0  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.input.nope' specified for the field 'Arguments' returned nothing (undefined). location=Arguments state=S
    4 <3  TaskStateExited output="States.QueryEvaluationError" name=S
    5 <4  SucceedStateEntered input="States.QueryEvaluationError" name=C
    6 <5  SucceedStateExited output="States.QueryEvaluationError" name=C
    7 <6  ExecutionSucceeded output="States.QueryEvaluationError"
    "#);
}

/// Recorded for the first state and one behind it; that a state which has done its work follows that work is ours.
#[test]
fn an_evaluation_that_fails_follows_what_was_done_before() {
    let second = r#""S": {"Type": "Pass", "Next": "T"}, "T": {"Type": "Pass", "Output": "{% $nope %}", "End": true}"#;
    assert_snapshot!(story_of(second, "{}"), @r"
    2 <0  PassStateEntered input={} name=S
    3 <2  PassStateExited output={} name=S
    4 <3  PassStateEntered input={} name=T
    5 <3  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'T' (entered at the event id #4). The JSONata expression '$nope' specified for the field 'Output' returned nothing (undefined). location=Output state=T
    6 <5  ExecutionFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'T' (entered at the event id #4). The JSONata expression '$nope' specified for the field 'Output' returned nothing (undefined).
    ");
    let refused = r#""S": {"Type": "Wait", "Timestamp": "{% $states.input %}", "End": true}"#;
    assert_snapshot!(story_of(refused, r#""tomorrow""#), @r#"
    2 <0  WaitStateEntered input="tomorrow" name=S
    3 <2  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: tomorrow location=Timestamp state=S
    4 <3  ExecutionFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: tomorrow
    "#);
    let mut world = World::start(
        &only(&format!(r#"{LAMBDA}, "Arguments": {{"FunctionName": "f"}}, "Output": "{{% $states.result.nope %}}""#)),
        "{}",
    );
    let task = world.task();
    world.report(task, started());
    world.report(task, succeeded("{}"));
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  TaskStateEntered input={} name=S
    3 <2  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
    4 <3  TaskStarted resourceType=lambda resource=invoke
    5 <4  TaskSucceeded resourceType=lambda resource=invoke output={}
    6 <5  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.result.nope' specified for the field 'Output' returned nothing (undefined). location=Output state=S
    7 <6  ExecutionFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.result.nope' specified for the field 'Output' returned nothing (undefined).
    "#);
}

#[test]
fn an_evaluation_is_tried_again_as_anything_else() {
    let state = format!(
        r#"{LAMBDA}, "Arguments": {{"FunctionName": "{{% $states.context.State.RetryCount = 0 ? $nope : $states.context.State.RetryCount %}}"}},
            "Retry": [{{"ErrorEquals": ["States.QueryEvaluationError"], "IntervalSeconds": 5}}]"#
    );
    let mut world = World::start(&only(&state), "{}");
    assert_eq!(world.due_in(), Some(5.0));
    world.wait(5);
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  TaskStateEntered input={} name=S
    3 <0  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.context.State.RetryCount = 0 ? $nope : $states.context.State.RetryCount' specified for the field 'Arguments/FunctionName' returned nothing (undefined). location=Arguments/FunctionName state=S
    4 <3  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":1}
    "#);
}

#[test]
fn a_map_fails_as_a_whole_over_its_items() {
    let map = |fields: &str| {
        format!(
            r#""S": {{"Type": "Map", {fields}, "End": true,
                "Catch": [{{"ErrorEquals": ["States.ALL"], "Next": "C"}}],
                "ItemProcessor": {{"StartAt": "I", "States": {{"I": {{"Type": "Pass", "End": true}}}}}}}},
            "C": {{"Type": "Pass", "Output": 1, "End": true}}"#
        )
    };
    assert_snapshot!(story_of(&map(r#""Items": "{% $states.input.a %}""#), r#"{"a": 5}"#), @r#"
    2 <0  MapStateEntered input={"a": 5} name=S
    3 <0  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.input.a' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'number' for value: 5 location=Items state=S
    4 <3  MapStateFailed 
    5 <4  MapStateExited output={"Error":"States.QueryEvaluationError","Cause":"An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.input.a' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'number' for value: 5"} name=S
    6 <5  PassStateEntered input={"Error":"States.QueryEvaluationError","Cause":"An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.input.a' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was 'number' for value: 5"} name=C
    7 <6  PassStateExited output=1 name=C
    8 <7  ExecutionSucceeded output=1
    "#);
    assert_snapshot!(story_of(&map(r#""MaxConcurrency": "{% 'many' %}""#), "[1]"), @r#"
    2 <0  MapStateEntered input=[1] name=S
    3 <0  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression ''many'' specified for the field 'MaxConcurrency' returned an unexpected result type. Expected 'number', but was 'string' for value: "many" location=MaxConcurrency state=S
    4 <3  MapStateFailed 
    5 <4  MapStateExited output={"Error":"States.QueryEvaluationError","Cause":"An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression ''many'' specified for the field 'MaxConcurrency' returned an unexpected result type. Expected 'number', but was 'string' for value: \"many\""} name=S
    6 <5  PassStateEntered input={"Error":"States.QueryEvaluationError","Cause":"An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression ''many'' specified for the field 'MaxConcurrency' returned an unexpected result type. Expected 'number', but was 'string' for value: \"many\""} name=C
    7 <6  PassStateExited output=1 name=C
    8 <7  ExecutionSucceeded output=1
    "#);
    let selector = r#""ItemSelector": {"v": "{% $states.context.Map.Item.Value.v %}"}, "MaxConcurrency": 1"#;
    assert_snapshot!(story_of(&map(selector), r#"[{"v": 1}, {}]"#), @r#"
     2 <0  MapStateEntered input=[{"v": 1}, {}] name=S
     3 <2  MapStateStarted length=2
     4 <3  MapIterationStarted name=S index=0
     5 <4  PassStateEntered input={"v":1} name=I
     6 <5  PassStateExited output={"v":1} name=I
     7 <6  MapIterationSucceeded name=S index=0
     8 <7  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.context.Map.Item.Value.v' specified for the field 'ItemSelector/v' returned nothing (undefined). location=ItemSelector/v state=S
     9 <8  MapStateFailed 
    10 <9  MapStateExited output={"Error":"States.QueryEvaluationError","Cause":"An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.context.Map.Item.Value.v' specified for the field 'ItemSelector/v' returned nothing (undefined)."} name=S
    11 <10 PassStateEntered input={"Error":"States.QueryEvaluationError","Cause":"An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.context.Map.Item.Value.v' specified for the field 'ItemSelector/v' returned nothing (undefined)."} name=C
    12 <11 PassStateExited output=1 name=C
    13 <12 ExecutionSucceeded output=1
    "#);
    assert_snapshot!(story_of(&map(r#""Output": "{% $states.result.nope %}""#), "[1]"), @r#"
     2 <0  MapStateEntered input=[1] name=S
     3 <2  MapStateStarted length=1
     4 <3  MapIterationStarted name=S index=0
     5 <4  PassStateEntered input=1 name=I
     6 <5  PassStateExited output=1 name=I
     7 <6  MapIterationSucceeded name=S index=0
     8 <7  MapStateSucceeded 
     9 <7  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.result.nope' specified for the field 'Output' returned nothing (undefined). location=Output state=S
    10 <9  MapStateExited output={"Error":"States.QueryEvaluationError","Cause":"An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.result.nope' specified for the field 'Output' returned nothing (undefined)."} name=S
    11 <10 PassStateEntered input={"Error":"States.QueryEvaluationError","Cause":"An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.result.nope' specified for the field 'Output' returned nothing (undefined)."} name=C
    12 <11 PassStateExited output=1 name=C
    13 <12 ExecutionSucceeded output=1
    "#);
}

#[test]
fn a_map_computes_its_numbers_once() {
    let state = r#""Type": "Map", "Items": "{% [1..3] %}", "MaxConcurrency": "{% $round($random()) + 1 %}",
        "ToleratedFailurePercentage": "{% 50 + $millis() * 0 %}",
        "ItemSelector": {"of": "{% $states.input %}", "i": "{% $states.context.Map.Item.Index %}"},
        "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Task", "End": true,
            "Resource": "arn:aws:states:us-east-1:000000000000:activity:a"}}}"#;
    let mut world = World::start(&only(state), "0");
    let at_once = world.tasks().len();
    while let Some(task) = world.tasks().first().copied() {
        let report = if world.tasks().len() == at_once { succeeded("1") } else { failed("Boom", "why") };
        world.report(task, report);
        assert!(world.tasks().len() <= at_once);
    }
    let inputs = world.inputs_of("I");
    assert_snapshot!(inputs.join("\n"), @r#"
    {"of":0,"i":0}
    {"of":0,"i":1}
    {"of":0,"i":2}
    "#);
}

#[test]
fn a_choice_takes_the_first_rule_and_its_output() {
    let machine = r#""S": {"Type": "Choice", "Default": "Z", "Output": "none",
        "Choices": [
            {"Condition": "{% $states.input.n > 5 %}", "Output": "{% 'large ' & $states.input.n %}", "Next": "Z"},
            {"Condition": "{% $states.input.n > 1 %}", "Next": "Z"}]},
        "Z": {"Type": "Succeed"}"#;
    for (input, end) in [
        (r#"{"n": 9}"#, r#"SUCCEEDED "large 9""#),
        (r#"{"n": 2}"#, r#"SUCCEEDED {"n": 2}"#),
        (r#"{"n": 1}"#, r#"SUCCEEDED "none""#),
    ] {
        assert_eq!(World::start(&jsonata(machine), input).end(), end);
    }
    assert_snapshot!(story_of(machine, r#"{"n": "many"}"#), @r#"
    2 <0  ChoiceStateEntered input={"n": "many"} name=S
    3 <0  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.input.n > 5' specified for the field 'Choices[0]/Condition' threw an error during evaluation. T2009: The values "many" and 5 either side of operator ">" must be of the same data type location=Choices[0]/Condition state=S
    4 <3  ExecutionFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.input.n > 5' specified for the field 'Choices[0]/Condition' threw an error during evaluation. T2009: The values "many" and 5 either side of operator ">" must be of the same data type
    "#);
}

#[test]
fn error_and_cause_of_a_fail_state() {
    let machine = r#""S": {"Type": "Fail", "Error": "{% $states.input.e %}", "Cause": "{% 'at ' & $states.context.State.Name %}"}"#;
    assert_snapshot!(World::start(&jsonata(machine), r#"{"e": "E"}"#).end(), @r"FAILED E: at S");
    assert_snapshot!(story_of(machine, "{}"), @r"
    2 <0  FailStateEntered input={} name=S
    3 <0  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.input.e' specified for the field 'Error' returned nothing (undefined). location=Error state=S
    4 <3  ExecutionFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$states.input.e' specified for the field 'Error' returned nothing (undefined).
    ");
}

#[test]
fn a_jsonpath_machine_has_jsonata_states() {
    let machine = r#"{"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Parameters": {"n.$": "$.n"}, "ResultPath": "$.r", "Next": "B"},
        "B": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"sum": "{% $states.input.n + $states.input.r.n %}"}, "Next": "C"},
        "C": {"Type": "Pass", "InputPath": "$.sum", "End": true}}}"#;
    assert_snapshot!(World::start(machine, r#"{"n": 2}"#).end(), @r"SUCCEEDED 4");
}

#[test]
fn time_and_chance_are_the_stamps() {
    let state = r#""Type": "Pass", "Assign": {"id": "{% $uuid() %}"}, "Output": ["{% $now() %}", "{% $uuid() %}", "{% $uuid() %}"], "Next": "T""#;
    let machine = jsonata(&format!(
        r#""S": {{{state}}}, "T": {{"Type": "Pass", "Output": "{{% [$id, $states.input] %}}", "End": true}}"#
    ));
    let (one, other) = (World::start(&machine, "0"), World::start(&machine, "0"));
    assert_eq!(one.story(), other.story());
    let output = one.execution.output.clone().expect("it succeeded");
    let mut texts: Vec<&str> =
        output.value().as_array().expect("texts").iter().filter_map(|text| text.as_str()).collect();
    assert_eq!(texts.len(), 4);
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 4, "no number is drawn twice: {texts:?}");
}
