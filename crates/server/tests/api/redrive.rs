//! RedriveExecution over the API: what goes on, what is refused and why, and what is told of it afterwards.

use crate::common::House;
use serde_json::{Value, json};

const ACTIVITY: &str = "arn:aws:states:us-east-1:000000000000:activity:a";

/// A task that its worker fails or completes.
fn definition() -> String {
    let task = json!({"Type": "Task", "Resource": ACTIVITY, "End": true});
    json!({"StartAt": "T", "States": {"T": task}}).to_string()
}

async fn answer(house: &House, operation: &'static str, mut with: Value) {
    let task = house.good("GetActivityTask", json!({"activityArn": ACTIVITY})).await;
    with["taskToken"] = task["taskToken"].clone();
    house.good(operation, with).await;
}

async fn history(house: &House, execution: &str) -> Vec<Value> {
    let history = house.good("GetExecutionHistory", json!({"executionArn": execution})).await;
    history["events"].as_array().expect("events").clone()
}

#[tokio::test]
async fn a_failed_execution_is_redriven() {
    let house = House::open().await;
    house.good("CreateActivity", json!({"name": "a"})).await;
    let machine = house.machine("m", &definition()).await;
    let execution = house.start(&machine, "e").await;
    answer(&house, "SendTaskFailure", json!({"error": "Boom", "cause": "why"})).await;
    house.finished(&execution).await;
    let before = history(&house, &execution).await;

    let this = json!({"executionArn": execution, "clientToken": "once"});
    let redriven = house.good("RedriveExecution", this.clone()).await;
    assert_eq!(house.good("RedriveExecution", this).await, redriven, "the same client token again");
    let refused = house.bad("RedriveExecution", json!({"executionArn": execution, "clientToken": "twice"})).await;
    assert_eq!(refused, "ExecutionNotRedrivable: Execution is RUNNING and cannot be redriven");
    let describe = async || house.good("DescribeExecution", json!({"executionArn": execution})).await;
    let running = describe().await;
    assert_eq!((&running["status"], &running["redriveCount"]), (&json!("RUNNING"), &json!(1)));
    assert_eq!(running["redriveDate"], redriven["redriveDate"]);
    assert_eq!((&running["error"], &running["stopDate"]), (&Value::Null, &Value::Null));

    answer(&house, "SendTaskSuccess", json!({"output": "5"})).await;
    house.finished(&execution).await;
    let over = describe().await;
    assert_eq!((&over["status"], &over["output"], &over["error"]), (&json!("SUCCEEDED"), &json!("5"), &Value::Null));
    let after = history(&house, &execution).await;
    assert_eq!(after[..before.len()], before, "the history before stays as it is");
    let types: Vec<_> = after[before.len()..].iter().map(|event| event["type"].as_str().expect("a type")).collect();
    assert_eq!(
        types,
        [
            "ExecutionRedriven",
            "ActivityScheduled",
            "ActivityStarted",
            "ActivitySucceeded",
            "TaskStateExited",
            "ExecutionSucceeded"
        ]
    );
    assert_eq!(after[before.len()]["executionRedrivenEventDetails"], json!({"redriveCount": 1}));
    let refused = house.bad("RedriveExecution", json!({"executionArn": execution})).await;
    assert_eq!(refused, "ExecutionNotRedrivable: Execution is SUCCEEDED and cannot be redriven");
    let late = json!({"executionArn": execution, "clientToken": "once"});
    assert_eq!(house.good("RedriveExecution", late).await, redriven, "an answer that was not heard is given again");
}

/// It fails again in the turn that redrives it: the listing and the description know both.
#[tokio::test]
async fn a_redrive_in_vain_is_counted_and_listed() {
    let house = House::open().await;
    let fail = json!({"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}}).to_string();
    let machine = house.machine("m", &fail).await;
    let execution = house.start(&machine, "redriven").await;
    let other = house.start(&machine, "other").await;
    house.finished(&execution).await;
    house.finished(&other).await;
    for _ in 0..2 {
        house.good("RedriveExecution", json!({"executionArn": execution})).await;
    }
    let described = house.good("DescribeExecution", json!({"executionArn": execution})).await;
    assert_eq!((&described["status"], &described["redriveCount"]), (&json!("FAILED"), &json!(2)));
    assert_eq!((&described["redriveStatus"], &described["error"]), (&json!("REDRIVABLE"), &json!("E")));
    for (filter, name) in [("REDRIVEN", "redriven"), ("NOT_REDRIVEN", "other")] {
        let listed = house.good("ListExecutions", json!({"stateMachineArn": machine, "redriveFilter": filter})).await;
        let listed = listed["executions"].as_array().expect("a list").clone();
        assert_eq!(listed.iter().map(|row| &row["name"]).collect::<Vec<_>>(), [&json!(name)]);
        assert_eq!(listed[0]["redriveDate"].is_number(), filter == "REDRIVEN");
        assert_eq!((&listed[0]["status"], listed[0]["stopDate"].is_number()), (&json!("FAILED"), true));
    }
}

#[tokio::test]
async fn what_is_unknown_or_wrong_is_refused() {
    let house = House::open().await;
    let unknown = "arn:aws:states:us-east-1:000000000000:execution:m:none";
    let told = house.bad("RedriveExecution", json!({"executionArn": unknown})).await;
    assert_eq!(told, format!("ExecutionDoesNotExist: Execution Does Not Exist: '{unknown}'"));
    let told = house.bad("RedriveExecution", json!({"executionArn": unknown, "clientToken": ""})).await;
    assert!(told.starts_with("ValidationException: 1 validation error detected: Value '' at 'clientToken'"), "{told}");
    assert!(house.bad("RedriveExecution", json!({})).await.starts_with("ValidationException"));
}
