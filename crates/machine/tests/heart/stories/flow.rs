//! The states that work by themselves: Pass, Choice, Wait, Succeed, Fail, and how data flow through them.

use insta::assert_snapshot;

use super::{end_of, only};
use crate::world::World;

#[test]
fn passes_run_in_one_turn() {
    let world = World::start(
        r#"{"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Result": {"x": 1}, "ResultPath": "$.a", "Next": "B"},
            "B": {"Type": "Pass", "Parameters": {"y.$": "$.a.x"}, "End": true}}}"#,
        r#"{"in": true}"#,
    );
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={"in": true}
    2 <0  PassStateEntered input={"in": true} name=A
    3 <2  PassStateExited output={"in":true,"a":{"x":1}} name=A
    4 <3  PassStateEntered input={"in":true,"a":{"x":1}} name=B
    5 <4  PassStateExited output={"y":1} name=B
    6 <5  ExecutionSucceeded output={"y":1}
    "#);
    assert_eq!(world.chunks.len(), 1);
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
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  ParallelStateEntered input={} name=P
    3 <2  ParallelStateStarted 
    4 <3  PassStateEntered input={} name=A
    5 <4  ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'A' (entered at the event id #4). The JSONPath '$.nope' specified for the field 'm.$' could not be found in the input '{}'
    "#);
}

#[test]
fn data_go_through_input_path_result_path_and_output_path() {
    assert_snapshot!(end_of(r#""Type": "Pass", "InputPath": "$.a", "ResultPath": "$.r", "OutputPath": "$.r""#, r#"{"a": {"b": 1}}"#), @r#"SUCCEEDED {"b":1}"#);
    assert_snapshot!(end_of(r#""Type": "Pass", "InputPath": null"#, "[1]"), @"SUCCEEDED {}");
    assert_snapshot!(end_of(r#""Type": "Pass", "OutputPath": null"#, "[1]"), @"SUCCEEDED {}");
    assert_snapshot!(end_of(r#""Type": "Pass", "Result": 5, "ResultPath": null"#, "[1]"), @"SUCCEEDED [1]");
    assert_snapshot!(end_of(r#""Type": "Pass", "Result": 5, "ResultPath": "$.a.b""#, r#"{"z": 0}"#), @r#"SUCCEEDED {"z":0,"a":{"b":5}}"#);
    assert_snapshot!(end_of(r#""Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.a, 1)"}"#, r#"{"a": 1}"#), @r#"SUCCEEDED {"n":2}"#);
}

#[test]
fn a_result_that_has_no_place_is_a_conflict() {
    assert_snapshot!(end_of(r#""Type": "Pass", "Result": 5, "ResultPath": "$.a.b""#, r#"{"a": "text"}"#), @r#"FAILED States.ReferencePathConflict: Unable to apply step "b" to input {"a": "text"}"#);
    assert_snapshot!(end_of(r#""Type": "Pass", "Result": 5, "ResultPath": "$.a""#, "[]"), @r#"FAILED States.ReferencePathConflict: Unable to apply step "a" to input []"#);
}

#[test]
fn paths_that_find_nothing_say_where() {
    for field in [
        r#""Type": "Pass", "InputPath": "$.nope""#,
        r#""Type": "Pass", "OutputPath": "$.nope""#,
        r#""Type": "Pass", "Parameters": {"v.$": "$.nope"}"#,
        r#""Type": "Pass", "Parameters": {"v.$": "States.Format('{}', $.nope)"}"#,
    ] {
        let end = end_of(field, r#"{"a": 1}"#);
        assert!(
            end.starts_with(
                "FAILED States.Runtime: An error occurred while executing the state 'S' (entered at the event id #2). "
            ),
            "{end}"
        );
        assert!(end.contains("$.nope"), "{end}");
    }
}

#[test]
fn a_choice_takes_the_first_rule_that_holds() {
    let choice = |default: &str| {
        format!(
            r#"{{"StartAt": "S", "States": {{"S": {{"Type": "Choice", {default} "Choices": [
                {{"Variable": "$.n", "NumericLessThan": 5, "Next": "Small"}},
                {{"And": [{{"Variable": "$.n", "NumericLessThan": 50}}, {{"Not": {{"Variable": "$.odd", "IsPresent": true}}}}], "Next": "Middle"}}]}},
                "Small": {{"Type": "Succeed"}}, "Middle": {{"Type": "Succeed"}}, "Other": {{"Type": "Succeed"}}}}}}"#
        )
    };
    let goes = |input: &str| {
        let world = World::start(&choice(r#""Default": "Other","#), input);
        ["Small", "Middle", "Other"].into_iter().filter(|state| !world.inputs_of(state).is_empty()).collect::<String>()
    };
    assert_eq!(goes(r#"{"n": 4}"#), "Small");
    assert_eq!(goes(r#"{"n": 40}"#), "Middle");
    assert_eq!(goes(r#"{"n": 40, "odd": 1}"#), "Other");
    let without_default = choice("").replace(r#", "Other": {"Type": "Succeed"}"#, "");
    assert_snapshot!(World::start(&without_default, r#"{"n": 400}"#).story(), @r#"
    1 <0  ExecutionStarted input={"n": 400}
    2 <0  ChoiceStateEntered input={"n": 400} name=S
    3 <2  ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'S' (entered at the event id #2). Failed to transition out of the state. The state does not point to a next state.
    "#);
}

#[test]
fn a_wait_has_four_forms() {
    let due = |form: &str, input: &str| {
        let world = World::start(&only(&format!(r#""Type": "Wait", {form}"#)), input);
        world.due_in().map_or(world.end(), |seconds| format!("due in {seconds}"))
    };
    // It is 2023-11-14T22:13:20Z.
    assert_snapshot!(due(r#""Seconds": 10"#, "{}"), @"due in 10");
    assert_snapshot!(due(r#""Seconds": 0"#, "{}"), @"SUCCEEDED {}");
    assert_snapshot!(due(r#""SecondsPath": "$.s""#, r#"{"s": 7}"#), @"due in 7");
    assert_snapshot!(due(r#""Timestamp": "2023-11-14T23:13:30+01:00""#, "{}"), @"due in 10");
    assert_snapshot!(due(r#""TimestampPath": "$.t""#, r#"{"t": "2023-11-14T22:13:20.5Z"}"#), @"due in 0.5");
    assert_snapshot!(due(r#""Timestamp": "2001-01-01T00:00:00Z""#, "{}"), @"SUCCEEDED {}");
    assert_snapshot!(due(r#""SecondsPath": "$.s""#, r#"{"s": -7}"#), @"FAILED States.Runtime: An error occurred while executing the state 'S' (entered at the event id #2). The SecondsPath parameter references a negative value: $.s == -7");
    assert_snapshot!(due(r#""SecondsPath": "$.s""#, "{}"), @"FAILED States.Runtime: An error occurred while executing the state 'S' (entered at the event id #2). The SecondsPath parameter does not reference an input value: $.s");
    assert_snapshot!(due(r#""TimestampPath": "$.t""#, r#"{"t": "tomorrow"}"#), @"FAILED States.Runtime: An error occurred while executing the state 'S' (entered at the event id #2). The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: $.t == tomorrow");
    assert_snapshot!(due(r#""TimestampPath": "$.t""#, r#"{"t": "2123-11-14T22:13:20Z"}"#), @"FAILED States.Runtime: An error occurred while executing the state 'S' (entered at the event id #2). Wait state delay is too long.");
}

#[test]
fn a_wait_ends_when_its_time_has_come_and_not_before() {
    let mut world = World::start(&only(r#""Type": "Wait", "Seconds": 10"#), "{}");
    world.wait(9);
    assert_eq!(world.due_in(), Some(1.0));
    world.now -= 5_000;
    assert_eq!(world.due_in(), Some(6.0), "a clock that goes back makes it wait longer");
    world.turn(vec![machine::Input::Continue]);
    world.wait(6);
    assert_snapshot!(world.story(), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  WaitStateEntered input={} name=S
    3 <2  WaitStateExited output={} name=S
    4 <3  ExecutionSucceeded output={}
    "#);
}

#[test]
fn a_fail_state_says_what_it_was_told() {
    let fail = |fields: &str, input: &str| {
        World::start(&format!(r#"{{"StartAt": "S", "States": {{"S": {{"Type": "Fail"{fields}}}}}}}"#), input).story()
    };
    assert_snapshot!(fail("", "{}"), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  FailStateEntered input={} name=S
    3 <2  ExecutionFailed
    "#);
    assert_snapshot!(fail(r#", "Error": "E", "Cause": "why""#, "{}"), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  FailStateEntered input={} name=S
    3 <2  ExecutionFailed error=E cause=why
    "#);
    assert_snapshot!(fail(r#", "ErrorPath": "$.e", "CausePath": "States.Format('{} in {}', $.c, $$.State.Name)""#, r#"{"e": "E", "c": "why"}"#), @r#"
    1 <0  ExecutionStarted input={"e": "E", "c": "why"}
    2 <0  FailStateEntered input={"e": "E", "c": "why"} name=S
    3 <2  ExecutionFailed error=E cause=why in S
    "#);
    assert_snapshot!(fail(r#", "ErrorPath": "$.e""#, r#"{"e": 1}"#), @r#"
    1 <0  ExecutionStarted input={"e": 1}
    2 <0  FailStateEntered input={"e": 1} name=S
    3 <2  ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'S' (entered at the event id #2). The ErrorPath field refers to value "1" which is not a valid string: $.e
    "#);
    assert_snapshot!(fail(r#", "CausePath": "$.c""#, "{}"), @r#"
    1 <0  ExecutionStarted input={}
    2 <0  FailStateEntered input={} name=S
    3 <2  ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'S' (entered at the event id #2). The JSONPath '$.c' specified for the field 'CausePath' could not be found in the input '{}'
    "#);
}

#[test]
fn the_context_object_tells_where_it_is() {
    let world = World::start(
        r#"{"StartAt": "A", "States": {
            "A": {"Type": "Pass", "Parameters": {"c.$": "$$"}, "ResultPath": "$.pass", "Next": "B"},
            "B": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true,
                "Parameters": {"QueueUrl": "q", "MessageBody": {"c.$": "$$", "redrives.$": "$$.Execution.RedriveCount"}}}}}"#,
        r#"{"in": 1}"#,
    );
    assert_snapshot!(world.inputs_of("B")[0], @r#"{"in":1,"pass":{"c":{"Execution":{"Id":"arn:aws:states:us-east-1:000000000000:execution:m:e","Input":{"in":1},"StartTime":"2023-11-14T22:13:20.000Z","Name":"e","RoleArn":"arn:aws:iam::000000000000:role/r","RedriveCount":0},"StateMachine":{"Id":"arn:aws:states:us-east-1:000000000000:stateMachine:m","Name":"m"},"State":{"Name":"A","EnteredTime":"2023-11-14T22:13:20.000Z"}}}}"#);
    assert_snapshot!(world.execution.tasks[&world.task()].parameters.text(), @r#"{"QueueUrl":"q","MessageBody":{"c":{"Execution":{"Id":"arn:aws:states:us-east-1:000000000000:execution:m:e","Input":{"in":1},"StartTime":"2023-11-14T22:13:20.000Z","Name":"e","RoleArn":"arn:aws:iam::000000000000:role/r"},"StateMachine":{"Id":"arn:aws:states:us-east-1:000000000000:stateMachine:m","Name":"m"},"State":{"Name":"B","EnteredTime":"2023-11-14T22:13:20.000Z","RetryCount":0},"Task":{"Token":"token-5"}},"redrives":0}}"#);
}

#[test]
fn chance_is_drawn_once_and_is_different_each_time() {
    let state = r#""Type": "Pass", "Parameters": {
        "a.$": "States.UUID()", "b.$": "States.UUID()", "r.$": "States.MathRandom(1, 1000000)"}"#;
    let world = World::start(&only(state), "{}");
    let output = world.execution.output.as_ref().expect("it succeeds").value();
    assert_ne!(output["a"], output["b"]);
    assert_eq!(World::start(&only(state), "{}").log, world.log, "the same seed, the same history");
}
