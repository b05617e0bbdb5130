//! Functions: by the optimised integration, and by their own ARN.

use engine::port::Connector;
use serde_json::{Value, json};

use super::world::{Stub, http, task, told};

const INVOKE: &str = "arn:aws:states:::lambda:invoke";
const FUNCTION: &str = "arn:aws:lambda:eu-west-1:000000000000:function:f:PROD";

fn answered(headers: &str, payload: &str) -> String {
    http(200, &format!("x-amz-executed-version: $LATEST\r\n{headers}"), payload)
}

#[tokio::test]
async fn payloads_are_json_both_ways() {
    let mut story = String::new();
    for (given, answer) in [
        (json!(null), "{}"),
        (json!("0.0"), "0.0"),
        (json!("\"HelloWorld\""), "\"HelloWorld\""),
        (json!({"a": [1, null]}), r#"{"b":true}"#),
        (json!("true"), "not JSON"),
    ] {
        let stub = Stub::saying(&[answered("", answer)]).await;
        let parameters = json!({"FunctionName": "f", "Payload": given});
        let answer = told(&stub.connectors().start(task(INVOKE, parameters)).await);
        let result: Value = serde_json::from_str(answer.strip_prefix("succeeded ").unwrap()).unwrap();
        let (path, body) = stub.asked().remove(0);
        let rest: Vec<&String> = result.as_object().unwrap().keys().collect();
        story.push_str(&format!("{path} {body:?} -> {} {rest:?}\n", result["Payload"]));
    }
    insta::assert_snapshot!(story, @r#"
    /2015-03-31/functions/f/invocations "" -> {} ["ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"]
    /2015-03-31/functions/f/invocations "0.0" -> 0.0 ["ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"]
    /2015-03-31/functions/f/invocations "\"HelloWorld\"" -> "HelloWorld" ["ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"]
    /2015-03-31/functions/f/invocations "{\"a\":[1,null]}" -> {"b":true} ["ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"]
    /2015-03-31/functions/f/invocations "true" -> "not JSON" ["ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"]
    "#);
}

#[tokio::test]
async fn a_functions_arn_takes_and_gives_the_payload_alone() {
    let mut story = String::new();
    for (given, answer) in [(json!({}), "\"HelloWorld!\""), (json!("text"), "[1, 2.50]"), (json!(null), "")] {
        let stub = Stub::saying(&[answered("", answer)]).await;
        let answer = told(&stub.connectors().start(task(FUNCTION, given)).await);
        let (path, body) = stub.asked().remove(0);
        story.push_str(&format!("{path} {body:?} -> {answer}\n"));
    }
    insta::assert_snapshot!(story, @r#"
    /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3Af%3APROD/invocations "{}" -> succeeded "HelloWorld!"
    /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3Af%3APROD/invocations "\"text\"" -> succeeded [1,2.5]
    /2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3Af%3APROD/invocations "null" -> succeeded ""
    "#);
}

#[tokio::test]
async fn a_functions_error_is_the_tasks() {
    let unhandled = "x-amz-function-error: Unhandled\r\n";
    let stub = Stub::saying(&[
        answered(unhandled, r#"{"errorMessage": "Some exception was raised.", "errorType": "Exception"}"#),
        answered(unhandled, r#"{"errorMessage":"2024-11-26T00:36:39.604Z id Task timed out after 3.00 seconds"}"#),
        http(
            404,
            "x-amzn-errortype: ResourceNotFoundException\r\n",
            r#"{"Type":"User","Message":"Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"}"#,
        ),
        http(500, "x-amzn-errortype: ServiceException\r\n", r#"{"Message":"Internal"}"#),
    ])
    .await;
    let mut story = String::new();
    for resource in [INVOKE, FUNCTION, INVOKE, "arn:aws:states:::lambda:invoke.waitForTaskToken"] {
        let answer = stub.connectors().start(task(resource, json!({"FunctionName": "f"}))).await;
        story.push_str(&told(&answer));
        story.push('\n');
    }
    insta::assert_snapshot!(story, @r#"
    failed (Run) Exception: {"errorMessage": "Some exception was raised.", "errorType": "Exception"}
    failed (Run) Lambda.Unknown: The cause could not be determined because Lambda did not return an error type. Returned payload: {"errorMessage":"2024-11-26T00:36:39.604Z id Task timed out after 3.00 seconds"}
    failed (Run) Lambda.ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; Request ID: id-1; Proxy: null)
    failed (Submit) Lambda.ServiceException: Internal (Service: AWSLambda; Status Code: 500; Error Code: ServiceException; Request ID: id-1; Proxy: null)
    "#);
    assert_eq!(stub.asked().len(), 4, "no function is invoked twice for one task");
}
