//! Workflow variables: who sets them, who sees them, and when.

use insta::assert_snapshot;

use crate::world::{World, failed, succeeded};

#[test]
fn output_and_assign_see_the_values_from_before() {
    let jsonata = r#"{"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1, "y": "{% $states.input %}"}, "Next": "B"},
        "B": {"Type": "Pass", "Assign": {"x": "{% $x + 1 %}", "z": "{% $x %}"}, "Output": {"x": "{% $x %}"}, "Next": "C"},
        "C": {"Type": "Pass", "Output": "{% [$x, $y, $z] %}", "End": true}}}"#;
    assert_snapshot!(World::start(jsonata, "7").story(), @r#"
    1 <0  ExecutionStarted input=7
    2 <0  PassStateEntered input=7 name=A
    3 <2  PassStateExited output=7 name=A assignedVariables={"x":"1","y":"7"} assignedVariablesDetails={"truncated":false}
    4 <3  PassStateEntered input=7 name=B
    5 <4  PassStateExited output={"x":1} name=B assignedVariables={"x":"2","z":"1"} assignedVariablesDetails={"truncated":false}
    6 <5  PassStateEntered input={"x":1} name=C
    7 <6  PassStateExited output=[2,7,1] name=C
    8 <7  ExecutionSucceeded output=[2,7,1]
    "#);
    let jsonpath = r#"{"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": 1, "y.$": "$"}, "Next": "B"},
        "B": {"Type": "Pass", "Result": {"n": 5}, "ResultPath": "$.r", "OutputPath": "$x",
            "Assign": {"x.$": "States.MathAdd($x, $.n)", "z.$": "$x"}, "Next": "C"},
        "C": {"Type": "Pass", "Parameters": {"all.$": "States.Array($x, $y.in, $z, $)"}, "End": true}}}"#;
    assert_snapshot!(World::start(jsonpath, r#"{"in": true}"#).story(), @r#"
    1 <0  ExecutionStarted input={"in": true}
    2 <0  PassStateEntered input={"in": true} name=A
    3 <2  PassStateExited output={"in": true} name=A assignedVariables={"x":"1","y":"{\"in\":true}"} assignedVariablesDetails={"truncated":false}
    4 <3  PassStateEntered input={"in": true} name=B
    5 <4  PassStateExited output=1 name=B assignedVariables={"x":"6","z":"1"} assignedVariablesDetails={"truncated":false}
    6 <5  PassStateEntered input=1 name=C
    7 <6  PassStateExited output={"all":[6,true,1,1]} name=C
    8 <7  ExecutionSucceeded output={"all":[6,true,1,1]}
    "#);
}

#[test]
fn a_task_assigns_of_its_result() {
    let machine = r#"{"StartAt": "T", "States": {
        "T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"},
            "ResultSelector": {"n.$": "$.StatusCode"}, "ResultPath": "$.r", "Assign": {"n.$": "$.Payload"}, "Next": "P"},
        "P": {"Type": "Pass", "Parameters": {"n.$": "$n", "r.$": "$.r"}, "End": true}}}"#;
    let mut world = World::start(machine, "{}");
    world.report(world.task(), succeeded(r#"{"Payload": 5, "StatusCode": 200}"#));
    assert_eq!(world.end(), r#"SUCCEEDED {"n":5,"r":{"n":200}}"#);
}

#[test]
fn a_choice_assigns_by_the_rule_that_holds() {
    let machine = r#"{"StartAt": "S", "States": {
        "S": {"Type": "Choice", "Assign": {"x": "none"}, "Default": "P", "Choices": [
            {"Variable": "$.n", "NumericEquals": 1, "Assign": {"x.$": "$.n", "y": 2}, "Next": "P"}]},
        "P": {"Type": "Pass", "Parameters": {"x.$": "$x"}, "End": true}}}"#;
    assert_eq!(World::start(machine, r#"{"n": 1}"#).end(), r#"SUCCEEDED {"x":1}"#);
    assert_eq!(World::start(machine, r#"{"n": 2}"#).end(), r#"SUCCEEDED {"x":"none"}"#);
}

#[test]
fn branches_see_what_is_around_them_and_keep_what_is_theirs() {
    let machine = r#"{"StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"outer": 1}, "Next": "M"},
        "M": {"Type": "Map", "QueryLanguage": "JSONata", "Items": "{% [1, 2] %}", "MaxConcurrency": 1, "Next": "Z",
            "ItemProcessor": {"StartAt": "I", "States": {
                "I": {"Type": "Pass", "Assign": {"inner.$": "$outer"}, "Next": "P"},
                "P": {"Type": "Parallel", "End": true, "Branches": [{"StartAt": "B", "States": {
                    "B": {"Type": "Pass", "Parameters": {"both.$": "States.Array($inner, $outer, $)"}, "End": true}}}]}}}},
        "Z": {"Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% [$states.input, $exists($inner)] %}", "End": true}}}"#;
    let world = World::start(machine, "{}");
    assert_snapshot!(world.end(), @r#"SUCCEEDED [[{"both":[1,1,1]}],[{"both":[1,1,2]}],false]"#);
    assert_eq!(world.execution.variable_bytes, 1, "what nobody sees any more is gone");
}

#[test]
fn a_catcher_assigns_in_the_scope_of_its_state() {
    let machine = r#"{"QueryLanguage": "JSONata", "StartAt": "P", "States": {
        "P": {"Type": "Parallel", "End": true, "Branches": [{"StartAt": "T", "States": {
            "T": {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {"FunctionName": "f"}, "End": true}}}],
            "Catch": [{"ErrorEquals": ["Other"], "Next": "Z"},
                {"ErrorEquals": ["States.ALL"], "Assign": {"why": "{% $states.errorOutput.Cause %}"}, "Output": {"in": "{% $states.input %}"}, "Next": "Z"}]},
        "Z": {"Type": "Pass", "Output": "{% [$why, $states.input.in] %}", "End": true}}}"#;
    let mut world = World::start(machine, "3");
    world.report(world.task(), failed("Boom", "because"));
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input=3
     2 <0  ParallelStateEntered input=3 name=P
     3 <2  ParallelStateStarted 
     4 <3  TaskStateEntered input=3 name=T
     5 <4  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
     6 <5  TaskFailed resourceType=lambda resource=invoke error=Boom cause=because
     7 <6  TaskStateAborted 
     8 <6  ParallelStateFailed 
     9 <8  ParallelStateExited output={"in":3} name=P assignedVariables={"why":"\"because\""} assignedVariablesDetails={"truncated":false}
    10 <9  PassStateEntered input={"in":3} name=Z
    11 <10 PassStateExited output=["because",3] name=Z
    12 <11 ExecutionSucceeded output=["because",3]
    "#);

    // What fails while it is caught is not caught again.
    let wrong = machine.replace("$states.errorOutput.Cause", "$states.errorOutput.Nope");
    let mut world = World::start(&wrong, "3");
    world.report(world.task(), failed("Boom", "because"));
    assert_snapshot!(world.story(), @r#"
     1 <0  ExecutionStarted input=3
     2 <0  ParallelStateEntered input=3 name=P
     3 <2  ParallelStateStarted 
     4 <3  TaskStateEntered input=3 name=T
     5 <4  TaskScheduled resourceType=lambda resource=invoke parameters={"FunctionName":"f"}
     6 <5  TaskFailed resourceType=lambda resource=invoke error=Boom cause=because
     7 <6  TaskStateAborted 
     8 <6  ParallelStateFailed 
     9 <8  EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'P' (entered at the event id #2). The JSONata expression '$states.errorOutput.Nope' specified for the field 'Catch[1]/Assign/why' returned nothing (undefined). location=Catch[1]/Assign/why state=P
    10 <9  ExecutionFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'P' (entered at the event id #2). The JSONata expression '$states.errorOutput.Nope' specified for the field 'Catch[1]/Assign/why' returned nothing (undefined).
    "#);
}

#[test]
fn variables_survive_a_crash() {
    let machine = r#"{"QueryLanguage": "JSONata", "StartAt": "A", "States": {
        "A": {"Type": "Pass", "Assign": {"x": "{% $random() %}", "list": [1, "{% 2 %}"]}, "Next": "W"},
        "W": {"Type": "Wait", "Seconds": "{% $count($list) %}", "Assign": {"y": "{% $x %}"}, "Next": "Z"},
        "Z": {"Type": "Pass", "Output": "{% $x = $y %}", "End": true}}}"#;
    let mut world = World::start(machine, "0");
    world.reload();
    world.wait(2);
    assert_eq!(world.end(), "SUCCEEDED true");
}

#[test]
fn a_variable_that_was_never_set() {
    let end = |state: &str| {
        World::start(&format!(r#"{{"StartAt": "S", "States": {{"S": {{{state}, "End": true}}}}}}"#), "{}").end()
    };
    assert_snapshot!(end(r#""Type": "Pass", "Parameters": {"x.$": "$nope.a"}"#), @r"FAILED States.Runtime: An error occurred while executing the state 'S' (entered at the event id #2). The JSONPath '$nope.a' specified for the field 'x.$' could not be found in the input '{}'");
    assert_snapshot!(end(r#""Type": "Pass", "InputPath": "$nope""#), @r"FAILED States.Runtime: An error occurred while executing the state 'S' (entered at the event id #2). Invalid path '$nope' : No results for path: $['nope']");
    assert_snapshot!(end(r#""Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $nope %}""#), @r"FAILED States.QueryEvaluationError: An error occurred while executing the state 'S' (entered at the event id #2). The JSONata expression '$nope' specified for the field 'Output' returned nothing (undefined).");
}

#[test]
fn variables_have_limits() {
    let machine = |value: &str| {
        format!(
            r#"{{"QueryLanguage": "JSONata", "StartAt": "A", "States": {{
                "A": {{"Type": "Pass", "Assign": {value}, "Next": "Z"}},
                "Z": {{"Type": "Pass", "Output": "{{% $length($x) %}}", "End": true}}}}}}"#
        )
    };
    // 262,144 bytes of text, quotes included, is what one Assign may set.
    let fits = machine(r#"{"x": "{% $pad('', 262142, '#') %}"}"#);
    assert_eq!(World::start(&fits, "{}").end(), "SUCCEEDED 262142");
    let large = machine(r#"{"x": "{% $pad('', 262141, '#') %}", "y": "{% 10 %}"}"#);
    assert_snapshot!(World::start(&large, "{}").end(), @r"FAILED States.DataLimitExceeded: The state/task 'A' returned a result with a size exceeding the maximum number of bytes service limit.");

    // Forty of them fill ten mebibytes; setting one anew takes no further room.
    let all = |last: &str| {
        let text = "{% $pad('', 262142, '#') %}";
        let names = (0..40).map(|n| format!("v{n}")).chain([last.to_owned()]);
        let names: Vec<String> = names.collect();
        let states = names.iter().enumerate().map(|(place, name)| {
            let next = if place == 40 { r#""End": true"#.to_owned() } else { format!(r#""Next": "S{}""#, place + 1) };
            format!(r#""S{place}": {{"Type": "Pass", "Output": 1, "Assign": {{"{name}": "{text}"}}, {next}}}"#)
        });
        let states: Vec<String> = states.collect();
        format!(r#"{{"QueryLanguage": "JSONata", "StartAt": "S0", "States": {{{}}}}}"#, states.join(","))
    };
    assert_eq!(World::start(&all("v7"), "{}").end(), "SUCCEEDED 1");
    assert!(World::start(&all("w"), "{}").end().starts_with("FAILED States.DataLimitExceeded"));
}
