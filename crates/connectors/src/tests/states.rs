//! Our own API, in process: child executions, and the rest by `aws-sdk:sfn`.

use engine::port::{ApiError, Connector};
use serde_json::{Value, json};

use super::world::{Home, Stub, connectors, job, ok, refused, stands, task, told};

const START: &str = "arn:aws:states:::states:startExecution";
const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:child";
const CHILD: &str = "arn:aws:states:us-east-1:000000000000:execution:child:c";

fn started(_: &str, _: &Value) -> Result<Value, ApiError> {
    Ok(json!({"executionArn": CHILD, "startDate": 1762432788.5}))
}

/// Without what is new each time.
fn steady(told: String) -> String {
    let (kind, result) = told.split_once(' ').unwrap();
    let Ok(mut result) = serde_json::from_str::<Value>(result) else { return told };
    if let Some(http) = result.get_mut("SdkHttpMetadata") {
        http["AllHttpHeaders"] = json!("…");
        http["HttpHeaders"] = json!("…");
        result["SdkResponseMetadata"]["RequestId"] = json!("…");
    }
    format!("{kind} {result}")
}

#[tokio::test]
async fn children_are_started_here() {
    let home = Home::new(started);
    let connectors = connectors(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]);
    assert!(connectors.attach(home.clone()) && !connectors.attach(home.clone()));
    let mut story = String::new();
    for (suffix, parameters) in [
        ("", json!({"StateMachineArn": MACHINE, "Input": null, "Name": "n"})),
        (
            ".sync",
            json!({"StateMachineArn": MACHINE, "Input": {"a": 1, "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "e"}}),
        ),
        (".waitForTaskToken", json!({"StateMachineArn": MACHINE, "Input": "\"text\""})),
    ] {
        let answer = connectors.start(task(&format!("{START}{suffix}"), parameters)).await;
        story.push_str(&steady(told(&answer)));
        story.push('\n');
    }
    let mut elsewhere = task(START, json!({"StateMachineArn": MACHINE}));
    elsewhere.credentials = Some(json!({"RoleArn": "arn:aws:iam::000000000002:role/r"}).into());
    connectors.start(elsewhere).await;
    insta::assert_snapshot!(story, @r#"
    succeeded {"ExecutionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c","SdkHttpMetadata":{"AllHttpHeaders":"…","HttpHeaders":"…","HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"…"},"StartDate":1762432788500}
    submitted {"ExecutionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c","SdkHttpMetadata":{"AllHttpHeaders":"…","HttpHeaders":"…","HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"…"},"StartDate":1762432788500}
    submitted {"ExecutionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c","SdkHttpMetadata":{"AllHttpHeaders":"…","HttpHeaders":"…","HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"…"},"StartDate":1762432788500}
    "#);
    insta::assert_snapshot!(home.asked.lock().unwrap().join("\n"), @r#"
    000000000000 StartExecution {"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","name":"n"}
    000000000000 StartExecution {"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","input":"{\"a\":1,\"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID\":\"e\"}","name":"key-1"}
    000000000000 StartExecution {"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","input":"\"text\"","name":"key-1"}
    000000000002 StartExecution {"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","name":"key-1"}
    "#);
}

#[tokio::test]
async fn what_the_api_refuses_has_the_names_of_both_sdks() {
    let home = Home::new(|operation, _| match operation {
        "StartExecution" => refused("StateMachineDoesNotExist", "State Machine Does Not Exist: 'a'"),
        _ => refused("ThrottlingException", "Rate exceeded"),
    });
    let connectors = connectors(&[]);
    connectors.attach(home);
    let mut story = String::new();
    for (resource, parameters) in [
        (START, json!({"StateMachineArn": "a"})),
        ("arn:aws:states:::states:startExecution.sync", json!({"StateMachineArn": "a"})),
        ("arn:aws:states:::aws-sdk:sfn:startExecution", json!({"StateMachineArn": "a"})),
        ("arn:aws:states:::aws-sdk:sfn:startExecution", json!({"StateMachineArn": ["a"], "Name": 7})),
    ] {
        let answer = told(&connectors.start(task(resource, parameters)).await);
        let answer = match answer.split_once("Request ID: ") {
            Some((before, after)) => format!("{before}Request ID: …{}", &after[36..]),
            None => answer,
        };
        story.push_str(&answer);
        story.push('\n');
    }
    insta::assert_snapshot!(story, @r#"
    failed (Run) StepFunctions.StateMachineDoesNotExistException: State Machine Does Not Exist: 'a' (Service: AWSStepFunctions; Status Code: 400; Error Code: StateMachineDoesNotExist; Request ID: …; Proxy: null)
    failed (Submit) StepFunctions.StateMachineDoesNotExistException: State Machine Does Not Exist: 'a' (Service: AWSStepFunctions; Status Code: 400; Error Code: StateMachineDoesNotExist; Request ID: …; Proxy: null)
    failed (Run) Sfn.StateMachineDoesNotExistException: State Machine Does Not Exist: 'a' (Service: Sfn, Status Code: 400, Request ID: …)
    failed (Run) States.Runtime: The Parameters '{"StateMachineArn":["a"],"Name":7}' could not be used to start the Task: [The value for the field 'Name' must be a STRING]
    "#);
}

#[tokio::test]
async fn the_sdk_integration_calls_any_operation_here() {
    let home = Home::new(|operation, _| match operation {
        "StartExecution" => started("", &Value::Null),
        "ListStateMachines" => Ok(json!({"stateMachines": [{"name": "m", "creationDate": 1762432788}]})),
        _ => Ok(json!({})),
    });
    let connectors = connectors(&[]);
    connectors.attach(home.clone());
    let mut story = String::new();
    for (action, parameters) in [
        ("startExecution", json!({"StateMachineArn": MACHINE, "Input": {"key": "value"}})),
        ("sendTaskFailure", json!({"TaskToken": "t", "Error": "E", "Cause": "C"})),
        ("listStateMachines", json!({})),
    ] {
        let answer = connectors.start(task(&format!("arn:aws:states:::aws-sdk:sfn:{action}"), parameters)).await;
        story.push_str(&told(&answer));
        story.push('\n');
    }
    insta::assert_snapshot!(story, @r#"
    succeeded {"ExecutionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c","StartDate":"2025-11-06T12:39:48.500Z"}
    succeeded {}
    succeeded {"StateMachines":[{"Name":"m","CreationDate":"2025-11-06T12:39:48Z"}]}
    "#);
    insta::assert_snapshot!(home.asked.lock().unwrap().join("\n"), @r#"
    000000000000 StartExecution {"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","input":"{\"key\":\"value\"}"}
    000000000000 SendTaskFailure {"taskToken":"t","error":"E","cause":"C"}
    000000000000 ListStateMachines {}
    "#);
}

#[tokio::test]
async fn an_endpoint_that_is_set_for_it_is_called_instead() {
    let stub = Stub::saying(&[ok(&json!({"executionArn": CHILD, "startDate": 1762432788}).to_string())]).await;
    let connectors = connectors(&[("AWS_ENDPOINT_URL_SFN", &stub.url)]);
    let answer = connectors.start(task(START, json!({"StateMachineArn": MACHINE}))).await;
    assert!(told(&answer).contains(r#""StartDate":1762432788000"#), "{}", told(&answer));
    assert_eq!(stub.bodies(), [format!(r#"{{"stateMachineArn":"{MACHINE}","name":"key-1"}}"#)]);
}

fn description(status: &str, more: Value) -> Value {
    let mut description = json!({
        "executionArn": CHILD, "stateMachineArn": MACHINE, "name": "c", "status": status, "startDate": 1000.5,
        "stopDate": 2000, "input": "{\"k\":1}", "inputDetails": {"included": true},
        "redriveCount": 0, "redriveStatus": "NOT_REDRIVABLE",
        "redriveStatusReason": "Execution is SUCCEEDED and cannot be redriven",
    });
    description.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    description
}

#[tokio::test]
async fn a_child_is_followed_to_its_end() {
    let submitted = || json!({"ExecutionArn": CHILD, "StartDate": 1000});
    let output = || json!({"output": "{\"ok\":true}", "outputDetails": {"included": true}});
    let mut story = String::new();
    for (suffix, described) in [
        (".sync", Ok(description("RUNNING", json!({"startDate": jiff::Timestamp::now().as_second() + 5})))),
        (".sync", Ok(description("SUCCEEDED", output()))),
        (".sync:2", Ok(description("SUCCEEDED", output()))),
        (".sync", Ok(description("FAILED", json!({"error": "SomeFailure", "cause": "It failed."})))),
        (".sync:2", Ok(description("TIMED_OUT", json!({"error": "States.Timeout"})))),
        (".sync", refused("ExecutionDoesNotExist", "Execution Does Not Exist: 'c'")),
        (".sync", refused("InternalError", "the store is unwell")),
    ] {
        let connectors = connectors(&[]);
        connectors.attach(Home::new(move |_, _| described.clone()));
        let request = task(&format!("{START}{suffix}"), json!({"StateMachineArn": MACHINE}));
        let line = match connectors.follow(&job(request, submitted())).await {
            Ok(followed) => stands(&followed),
            Err(unreachable) => format!("unreachable: {unreachable}"),
        };
        story.push_str(&line);
        story.push('\n');
    }
    insta::assert_snapshot!(story, @r#"
    running, ask again after 50ms
    succeeded {"ExecutionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c","Input":"{\"k\":1}","InputDetails":{"Included":true},"Name":"c","Output":"{\"ok\":true}","OutputDetails":{"Included":true},"RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","RedriveStatusReason":"Execution is SUCCEEDED and cannot be redriven","StartDate":1000500,"StateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","Status":"SUCCEEDED","StopDate":2000000}
    succeeded {"ExecutionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c","Input":{"k":1},"InputDetails":{"Included":true},"Name":"c","Output":{"ok":true},"OutputDetails":{"Included":true},"RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","RedriveStatusReason":"Execution is SUCCEEDED and cannot be redriven","StartDate":1000500,"StateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","Status":"SUCCEEDED","StopDate":2000000}
    failed States.TaskFailed: {"Cause":"It failed.","Error":"SomeFailure","ExecutionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c","Input":"{\"k\":1}","InputDetails":{"Included":true},"Name":"c","StartDate":1000500,"StateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","Status":"FAILED","StopDate":2000000}
    failed States.TaskFailed: {"Error":"States.Timeout","ExecutionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c","Input":{"k":1},"InputDetails":{"Included":true},"Name":"c","StartDate":1000500,"StateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","Status":"TIMED_OUT","StopDate":2000000}
    failed States.TaskFailed: Execution Does Not Exist: 'c'
    unreachable: DescribeExecution: InternalError: the store is unwell
    "#);
}

#[tokio::test]
async fn a_child_is_stopped_and_found_again() {
    let home = Home::new(|operation, parameters| match (operation, parameters["executionArn"].as_str()) {
        ("DescribeExecution", Some(CHILD)) => Ok(description("RUNNING", json!({}))),
        ("DescribeExecution", _) => refused("ExecutionDoesNotExist", "no"),
        ("StartExecution", _) => started("", &Value::Null),
        _ => Ok(json!({})),
    });
    let connectors = connectors(&[]);
    connectors.attach(home.clone());
    let resource = format!("{START}.sync");
    let mut request =
        task(&resource, json!({"StateMachineArn": format!("{MACHINE}:PROD"), "Name": "c", "Input": {"k": 1}}));
    connectors.cancel(&job(request.clone(), json!({"ExecutionArn": CHILD}))).await.unwrap();
    request.resent = true;
    let found = steady(told(&connectors.start(request.clone()).await));
    // The same name with another input is somebody else's: the API is to say so.
    request.parameters = json!({"StateMachineArn": MACHINE, "Name": "c"}).into();
    connectors.start(request.clone()).await;
    // A name that the definition did not give is ours.
    request.parameters = json!({"StateMachineArn": MACHINE}).into();
    request.idempotency_key = "c".to_owned();
    connectors.start(request).await;
    insta::assert_snapshot!(found, @r#"submitted {"ExecutionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c","SdkHttpMetadata":{"AllHttpHeaders":"…","HttpHeaders":"…","HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"…"},"StartDate":1000500}"#);
    insta::assert_snapshot!(home.asked.lock().unwrap().join("\n"), @r#"
    000000000000 StopExecution {"executionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c","cause":"The Task state in AWS Step Functions execution [arn:aws:states:us-east-1:000000000000:execution:m:e] which was managing this resource was aborted"}
    000000000000 DescribeExecution {"executionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c"}
    000000000000 DescribeExecution {"executionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c"}
    000000000000 StartExecution {"stateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:child","name":"c"}
    000000000000 DescribeExecution {"executionArn":"arn:aws:states:us-east-1:000000000000:execution:child:c"}
    "#);
}
