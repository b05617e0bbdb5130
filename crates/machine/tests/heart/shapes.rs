//! No cause text and no history is made for one case: names, nesting and values vary, the shape stays.
//!
//! Each failure here happens in a state with a random name, over random data, at a random depth of Parallel and Map
//! states. With the name, the data and the state's event number taken out, what history says is always the same.

use insta::assert_snapshot;
use proptest::prelude::*;

use crate::world::{World, failed, started, succeeded};

/// A state that fails, and the data that make it fail. `NAME` and `VALUE` vary; a task is answered with `answer`.
struct Failing {
    what: &'static str,
    state: &'static str,
    data: &'static str,
    answer: fn(&mut World, &str),
}

fn nobody(_: &mut World, _: &str) {}

const TASK: &str = r#"{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"},
    "TimeoutSeconds": 5, "End": true}"#;

const FAILING: [Failing; 23] = [
    Failing {
        what: "a path that finds nothing in a template",
        state: r#"{"Type": "Pass", "Parameters": {"m.$": "$.nope"}, "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "a path that finds nothing in an intrinsic",
        state: r#"{"Type": "Pass", "Parameters": {"m.$": "States.JsonToString($.nope)"}, "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "an intrinsic that does not like its argument",
        state: r#"{"Type": "Pass", "Parameters": {"m.$": "States.MathAdd($.v, 1)"}, "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "InputPath",
        state: r#"{"Type": "Pass", "InputPath": "$.nope", "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "OutputPath",
        state: r#"{"Type": "Pass", "OutputPath": "$.nope", "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "ResultPath",
        state: r#"{"Type": "Pass", "ResultPath": "$.v.deeper", "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "no rule",
        state: r#"{"Type": "Choice", "Choices": [{"Variable": "$.v", "IsNull": true, "Next": "Beside"}]}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "a condition's path",
        state: r#"{"Type": "Choice", "Choices": [{"Variable": "$.nope", "IsNull": true, "Next": "Beside"}]}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "seconds that are none",
        state: r#"{"Type": "Wait", "SecondsPath": "$.v", "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "a time that is none",
        state: r#"{"Type": "Wait", "TimestampPath": "$.v", "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "a wait that is too long",
        state: r#"{"Type": "Wait", "Timestamp": "2999-01-01T00:00:00Z", "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "items that are none",
        state: r#"{"Type": "Map", "ItemsPath": "$.v", "ItemProcessor": {"StartAt": "Inner", "States": {"Inner": {"Type": "Succeed"}}}, "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "a Fail state",
        state: r#"{"Type": "Fail", "Error": "E", "CausePath": "$.v"}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "a Fail state's path",
        state: r#"{"Type": "Fail", "ErrorPath": "$.nope"}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "TimeoutSecondsPath",
        state: r#"{"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}, "TimeoutSecondsPath": "$.v", "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "a task that fails",
        state: TASK,
        data: r#"{"v":VALUE}"#,
        answer: |world, value| {
            let task = world.task();
            world.report(task, started());
            world.report(task, failed("E", value));
        },
    },
    Failing {
        what: "a task that times out",
        state: TASK,
        data: r#"{"v":VALUE}"#,
        answer: |world, _| {
            let task = world.task();
            world.report(task, started());
            world.wait(5);
        },
    },
    Failing {
        what: "a result that is too large",
        state: TASK,
        data: r#"{"v":VALUE}"#,
        answer: |world, value| {
            let task = world.task();
            world.report(task, started());
            world.report(task, succeeded(&format!("[{value}, \"{}\"]", "x".repeat(262_144))));
        },
    },
    Failing {
        what: "JSONata that comes to nothing",
        state: r#"{"Type": "Pass", "QueryLanguage": "JSONata", "Output": {"a": "{% $states.input.nope %}"}, "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "JSONata of the wrong type",
        state: r#"{"Type": "Wait", "QueryLanguage": "JSONata", "Seconds": "{% $states.input.v %}", "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "a condition in JSONata that throws",
        state: r#"{"Type": "Choice", "QueryLanguage": "JSONata", "Choices": [{"Condition": "{% $states.input.v + 1 = 2 %}", "Next": "Beside"}]}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "a variable in JSONata that was never set",
        state: r#"{"Type": "Fail", "QueryLanguage": "JSONata", "Cause": "{% $nope %}"}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
    Failing {
        what: "a variable in JSONPath that was never set",
        state: r#"{"Type": "Pass", "Parameters": {"m.$": "$nope.a"}, "End": true}"#,
        data: r#"{"v":VALUE}"#,
        answer: nobody,
    },
];

/// Where a failing state stands.
#[derive(Clone, Debug)]
struct Place {
    name: String,
    /// A JSON text, and also the value of a failed task's cause.
    value: String,
    /// From the outside in: whether a Map or a Parallel.
    around: Vec<bool>,
}

fn place() -> impl Strategy<Value = Place> {
    // What is taken out again must not stand in the sentences by chance, so it begins and ends with rare letters.
    let name = "§[a-z A-Zé状🚀.'$#-]{1,30}§";
    let value = "¶([a-zA-Z é{}\\[\\]🚀',:0-9]{0,30})¶";
    let around = prop::collection::vec(any::<bool>(), 0..4);
    (name, value, around).prop_map(|(name, value, around)| Place { name, value: format!("{value:?}"), around })
}

/// What history says at the end, with all that varies taken out.
fn shape(failing: &Failing, place: &Place) -> String {
    let beside = if failing.state.contains("Beside") { r#", "Beside": {"Type": "Succeed"}"# } else { "" };
    let name = serde_json::to_string(&place.name).expect("a text");
    let mut scope = format!(r#"{{"StartAt": {name}, "States": {{{name}: {}{beside}}}}}"#, failing.state);
    let mut input = failing.data.replace("VALUE", &place.value);
    for (depth, is_map) in place.around.iter().enumerate() {
        scope = if *is_map {
            input = format!("[{input}]");
            format!(
                r#"{{"StartAt": "Around {depth}", "States": {{"Around {depth}": {{"Type": "Map", "ItemProcessor": {scope}, "End": true}}}}}}"#
            )
        } else {
            format!(
                r#"{{"StartAt": "Around {depth}", "States": {{"Around {depth}": {{"Type": "Parallel", "Branches": [{scope}], "End": true}}}}}}"#
            )
        };
    }
    let mut world = World::start(&scope, &input);
    (failing.answer)(&mut world, &place.value);
    assert!(world.execution.is_over(), "{}", world.story());
    let events = world.events();
    let entered = events.iter().find(|event| event["stateEnteredEventDetails"]["name"] == place.name.as_str());
    let entered = entered.expect("the state was entered")["id"].as_u64().expect("a number");
    let mut shape = String::new();
    for event in events.iter().filter(|event| event["id"].as_u64() >= Some(entered)) {
        // What the states around it say of its failure is told by `stories/regions.rs`.
        let kind = event["type"].as_str().expect("a type");
        if ["Parallel", "MapState", "MapIter", "TaskStateAborted", "WaitStateAborted"]
            .iter()
            .any(|around| kind.starts_with(around))
            && event["id"].as_u64() != Some(entered)
        {
            continue;
        }
        let details = event.as_object().and_then(|e| e.iter().find(|(name, _)| name.ends_with("Details")));
        let text = |field: &str| details.and_then(|(_, details)| details[field].as_str()).map(str::to_owned);
        shape += kind;
        for field in ["name", "error", "cause", "location", "state"] {
            shape += &text(field).map(|text| format!(" {field}={text}")).unwrap_or_default();
        }
        shape += "\n";
    }
    let plain: String = serde_json::from_str(&place.value).expect("a text");
    shape
        .replace(&place.name, "NAME")
        .replace(&place.value, "VALUE")
        .replace(&plain, "PLAIN")
        .replace(&format!("#{entered})"), "#ENTERED)")
}

/// The plainest place.
fn plain() -> Place {
    Place { name: "§S§".into(), value: r#""¶x¶""#.into(), around: Vec::new() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn names_nesting_and_values_do_not_change_what_history_says(place in place()) {
        for failing in &FAILING {
            prop_assert_eq!(shape(failing, &place), shape(failing, &plain()), "{}", failing.what);
        }
    }
}

#[test]
fn what_history_says_of_each_failure() {
    let all: String = FAILING.iter().map(|f| format!("{}:\n{}", f.what, shape(f, &plain()))).collect();
    assert_snapshot!(all, @r#"
    a path that finds nothing in a template:
    PassStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The JSONPath '$.nope' specified for the field 'm.$' could not be found in the input '{"v":VALUE}'
    a path that finds nothing in an intrinsic:
    PassStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The function 'States.JsonToString($.nope)' had the following error: The JsonPath argument for the field '$.nope' could not be found in the input '{"v":VALUE}'
    an intrinsic that does not like its argument:
    PassStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). There was an error while evaluating the intrinsic function: States.MathAdd($.v, 1). Invalid arguments in States.MathAdd
    InputPath:
    PassStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). Invalid path '$.nope' : No results for path: $['nope']
    OutputPath:
    PassStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). Invalid path '$.nope' : No results for path: $['nope']
    ResultPath:
    PassStateEntered name=NAME
    ExecutionFailed error=States.ReferencePathConflict cause=Unable to apply step "deeper" to input {"v":VALUE}
    no rule:
    ChoiceStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). Failed to transition out of the state. The state does not point to a next state.
    a condition's path:
    ChoiceStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). Invalid path '$.nope': The choice state's condition path references an invalid value.
    seconds that are none:
    WaitStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The SecondsPath parameter cannot be parsed as a long value: $.v == PLAIN
    a time that is none:
    WaitStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: $.v == PLAIN
    a wait that is too long:
    WaitStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). Wait state delay is too long.
    items that are none:
    MapStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). Reference path "$.v" must point to array.
    a Fail state:
    FailStateEntered name=NAME
    ExecutionFailed error=E cause=PLAIN
    a Fail state's path:
    FailStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The JSONPath '$.nope' specified for the field 'ErrorPath' could not be found in the input '{"v":VALUE}'
    TimeoutSecondsPath:
    TaskStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The TimeoutSecondsPath field refers to value VALUE which is not a valid integer: $.v
    a task that fails:
    TaskStateEntered name=NAME
    TaskScheduled
    TaskStarted
    TaskFailed error=E cause=VALUE
    ExecutionFailed error=E cause=VALUE
    a task that times out:
    TaskStateEntered name=NAME
    TaskScheduled
    TaskStarted
    TaskTimedOut error=States.Timeout
    ExecutionFailed error=States.Timeout
    a result that is too large:
    TaskStateEntered name=NAME
    TaskScheduled
    TaskStarted
    TaskFailed error=States.DataLimitExceeded cause=The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.
    ExecutionFailed error=States.DataLimitExceeded cause=The state/task 'lambda' returned a result with a size exceeding the maximum number of bytes service limit.
    JSONata that comes to nothing:
    PassStateEntered name=NAME
    EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The JSONata expression '$states.input.nope' specified for the field 'Output/a' returned nothing (undefined). location=Output/a state=NAME
    ExecutionFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The JSONata expression '$states.input.nope' specified for the field 'Output/a' returned nothing (undefined).
    JSONata of the wrong type:
    WaitStateEntered name=NAME
    EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The JSONata expression '$states.input.v' specified for the field 'Seconds' returned an unexpected result type. Expected 'number', but was 'string' for value: VALUE location=Seconds state=NAME
    ExecutionFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The JSONata expression '$states.input.v' specified for the field 'Seconds' returned an unexpected result type. Expected 'number', but was 'string' for value: VALUE
    a condition in JSONata that throws:
    ChoiceStateEntered name=NAME
    EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The JSONata expression '$states.input.v + 1 = 2' specified for the field 'Choices[0]/Condition' threw an error during evaluation. T2001: The left side of the "+" operator must evaluate to a number location=Choices[0]/Condition state=NAME
    ExecutionFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The JSONata expression '$states.input.v + 1 = 2' specified for the field 'Choices[0]/Condition' threw an error during evaluation. T2001: The left side of the "+" operator must evaluate to a number
    a variable in JSONata that was never set:
    FailStateEntered name=NAME
    EvaluationFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The JSONata expression '$nope' specified for the field 'Cause' returned nothing (undefined). location=Cause state=NAME
    ExecutionFailed error=States.QueryEvaluationError cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The JSONata expression '$nope' specified for the field 'Cause' returned nothing (undefined).
    a variable in JSONPath that was never set:
    PassStateEntered name=NAME
    ExecutionFailed error=States.Runtime cause=An error occurred while executing the state 'NAME' (entered at the event id #ENTERED). The JSONPath '$nope.a' specified for the field 'm.$' could not be found in the input '{"v":VALUE}'
    "#);
}
