//! TestState over the API. What AWS answered to whole requests is in the recorded cases; here is what they do not show.

use crate::common::{House, ROLE};
use serde_json::{Value, json};

/// What is told of a state, without the texts' quotes.
async fn told(house: &House, definition: Value, mut with: Value) -> Value {
    with["definition"] = definition.to_string().into();
    with["roleArn"] = ROLE.into();
    let mut answer = house.good("TestState", with).await;
    let read = |value: &mut Value| {
        if let Some(inner) = value.as_str().and_then(|text| serde_json::from_str(text).ok()) {
            *value = inner;
        }
    };
    read(&mut answer["output"]);
    if let Some(data) = answer["inspectionData"].as_object_mut() {
        data.values_mut().for_each(read);
    }
    answer
}

async fn refused(house: &House, definition: Value, mut with: Value) -> String {
    with["definition"] = definition.to_string().into();
    house.bad("TestState", with).await
}

fn task(more: Value) -> Value {
    let mut task = json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": true,
        "Parameters": {"FunctionName": "f"}});
    task.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    task
}

#[tokio::test]
async fn variables_go_in_and_come_out() {
    let house = House::open().await;
    let state = json!({"Type": "Pass", "QueryLanguage": "JSONata", "End": true,
        "Assign": {"sum": "{% $a + $states.input.b %}"}, "Output": "{% $a %}"});
    let with = json!({"input": "{\"b\": 2}", "variables": "{\"a\": 1}", "inspectionLevel": "DEBUG"});
    let told = told(&house, state, with).await;
    assert_eq!((&told["status"], &told["output"]), (&json!("SUCCEEDED"), &json!(1)));
    assert_eq!(told["inspectionData"], json!({"input": {"b": 2}, "variables": {"a": 1, "sum": 3}}));
}

#[tokio::test]
async fn a_failure_is_told_with_who_would_take_it() {
    let house = House::open().await;
    let state = task(json!({
        "Retry": [{"ErrorEquals": ["Other"]}, {"ErrorEquals": ["Boom"], "IntervalSeconds": 3, "MaxAttempts": 2, "BackoffRate": 2}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Mend"}]}));
    let mocked = |retries: u32| {
        json!({"input": "{\"n\": 1}", "inspectionLevel": "DEBUG", "stateConfiguration": {"retrierRetryCount": retries},
            "mock": {"errorOutput": {"error": "Boom", "cause": "why"}}})
    };
    let first = told(&house, state.clone(), mocked(1)).await;
    assert_eq!(
        (&first["status"], &first["error"], &first["cause"]),
        (&json!("RETRIABLE"), &json!("Boom"), &json!("why"))
    );
    assert_eq!(first["inspectionData"]["errorDetails"], json!({"retryIndex": 1, "retryBackoffIntervalSeconds": 6}));
    let last = told(&house, state, mocked(2)).await;
    assert_eq!((&last["status"], &last["nextState"]), (&json!("CAUGHT_ERROR"), &json!("Mend")));
    assert_eq!(last["output"], json!({"n": 1, "error": {"Error": "Boom", "Cause": "why"}}));
    assert_eq!(last["inspectionData"]["errorDetails"], json!({"catchIndex": 0}));
}

#[tokio::test]
async fn a_state_is_found_wherever_it_stands_in_a_machine() {
    let house = House::open().await;
    let inner = json!({"StartAt": "In", "States": {"In": {"Type": "Pass", "Result": 7, "Next": "Out"}, "Out": {"Type": "Succeed"}}});
    let machine = json!({"StartAt": "P", "States": {"P": {"Type": "Parallel", "Branches": [inner], "End": true}}});
    let told = told(&house, machine, json!({"stateName": "In"})).await;
    assert_eq!((&told["output"], &told["nextState"]), (&json!(7), &json!("Out")));
}

#[tokio::test]
async fn each_item_is_selected_for_a_map() {
    let house = House::open().await;
    let map = json!({"Type": "Map", "End": true, "ItemsPath": "$.items",
        "ItemSelector": {"v.$": "$$.Map.Item.Value", "of.$": "$.of"}, "ToleratedFailurePercentage": 50,
        "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}});
    let input = json!({"items": [1, 2], "of": "x"}).to_string();
    let with = |failures: u64| {
        json!({"input": input, "inspectionLevel": "TRACE", "mock": {"result": "[3, 4]"},
            "stateConfiguration": {"mapIterationFailureCount": failures}})
    };
    let good = told(&house, map.clone(), with(1)).await;
    assert_eq!((&good["status"], &good["output"]), (&json!("SUCCEEDED"), &json!([3, 4])));
    let data = &good["inspectionData"];
    assert_eq!(data["afterItemsPath"], json!([1, 2]));
    assert_eq!(data["afterItemSelector"], json!([{"v": 1, "of": "x"}, {"v": 2, "of": "x"}]));
    assert_eq!((&data["toleratedFailurePercentage"], &data["maxConcurrency"]), (&json!(50.0), &json!(0)));
    let bad = told(&house, map, with(2)).await;
    assert_eq!((&bad["status"], &bad["error"]), (&json!("FAILED"), &json!("States.ExceedToleratedFailureThreshold")));
}

#[tokio::test]
async fn a_wait_is_waited_and_a_choice_is_made() {
    let house = House::open().await;
    let begun = std::time::Instant::now();
    let wait = told(&house, json!({"Type": "Wait", "Seconds": 1, "Next": "There"}), json!({})).await;
    assert_eq!((&wait["status"], &wait["nextState"]), (&json!("SUCCEEDED"), &json!("There")));
    assert!(begun.elapsed().as_millis() >= 1_000);
    let choice = json!({"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "One"}]});
    let none = told(&house, choice, json!({"input": "{\"n\": 2}"})).await;
    assert_eq!((&none["status"], &none["error"]), (&json!("FAILED"), &json!("States.Runtime")));
}

#[tokio::test]
async fn what_cannot_be_tested_is_refused_and_told_why() {
    let house = House::open().await;
    let callback = json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": true,
        "Parameters": {"QueueUrl": "q", "MessageBody": "m"}});
    let parallel = json!({"Type": "Parallel", "End": true,
        "Branches": [{"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}}]});
    for (definition, with, why) in [
        (callback, json!({}), "is not supported when a mock is not specified"),
        (parallel.clone(), json!({}), "State type 'Parallel' is not supported when a mock is not specified"),
        (task(json!({})), json!({"context": "{}"}), "does not support a Context object when a mock is not specified"),
        (task(json!({})), json!({"variables": "[]"}), "Variables must be a JSON object"),
        (
            parallel,
            json!({"mock": {"errorOutput": {}}, "stateConfiguration": {"errorCausedByState": "Q"}}),
            "State 'Q'",
        ),
    ] {
        let told = refused(&house, definition, with).await;
        assert!(told.starts_with("ValidationException: ") && told.contains(why), "{told}");
    }
    let told = house.bad("TestState", json!({"definition": "{"})).await;
    assert!(told.starts_with("InvalidDefinition: "), "{told}");
}
