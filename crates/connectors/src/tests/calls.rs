//! Connections, repetition and limits, whatever the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use engine::port::Connector;
use serde_json::json;

use super::world::{Stub, connectors, http, ok, settings, task, told};
use crate::{AfterCrash, Connectors};

const SEND: &str = "arn:aws:states:::sqs:sendMessage";

fn message(queue: &str) -> serde_json::Value {
    json!({"QueueUrl": format!("http://127.0.0.1/0/{queue}"), "MessageBody": "m"})
}

#[tokio::test]
async fn what_does_no_harm_is_tried_again() {
    let internal = http(500, "", r#"{"__type":"InternalFailure"}"#);
    let busy = http(503, "", "");
    let good = ok("{}");
    for (resource, queue, answers, asked, succeeds) in [
        (SEND, "q", [&busy, &busy, &good], 3, true),
        (SEND, "q", [&busy, &busy, &busy], 3, false),
        (SEND, "q", [&internal, &good, &good], 1, false),
        (SEND, "q.fifo", [&internal, &good, &good], 2, true),
        (SEND, "q", [&"broken".to_owned(), &good, &good], 1, false),
        (SEND, "q.fifo", [&"broken".to_owned(), &good, &good], 2, true),
        ("arn:aws:states:::aws-sdk:sqs:getQueueAttributes", "q", [&internal, &good, &good], 2, true),
        ("arn:aws:states:::aws-sdk:sqs:sendMessage", "q", [&internal, &good, &good], 1, false),
    ] {
        let stub = Stub::saying(&answers.map(String::clone)).await;
        let mut parameters = message(queue);
        if resource.ends_with("Attributes") {
            parameters.as_object_mut().unwrap().remove("MessageBody");
        }
        let answer = told(&stub.connectors().start(task(resource, parameters)).await);
        assert_eq!(
            (stub.asked().len(), answer.starts_with("succeeded")),
            (asked, succeeds),
            "{resource} {queue} {answer}"
        );
    }
}

#[tokio::test]
async fn what_came_between_is_a_client_exception() {
    let nobody = Stub::saying(&["broken".to_owned()]).await;
    let mut story = String::new();
    for (name, variables) in [
        ("nobody listens", vec![("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]),
        ("no endpoint", vec![]),
        ("broken", vec![("AWS_ENDPOINT_URL", nobody.url.as_str())]),
    ] {
        let answer = connectors(&variables).start(task(SEND, message("q"))).await;
        story.push_str(&format!("{name}: {}\n", told(&answer)));
    }
    let answer = connectors(&[]).start(task("arn:aws:states:::aws-sdk:sns:publish", json!({"Message": "m"}))).await;
    story.push_str(&told(&answer));
    insta::assert_snapshot!(story, @r#"
    nobody listens: failed (Run) SQS.SdkClientException: Unable to execute HTTP request: Connect to 127.0.0.1:1 failed: Connection refused
    no endpoint: failed (Run) SQS.SdkClientException: no endpoint for sqs: set AWS_ENDPOINT_URL_SQS (or endpoints.sqs in the settings), set AWS_ENDPOINT_URL, start with --laptop if it is a laptop service, or set aws = true to call real AWS
    broken: failed (Run) SQS.SdkClientException: Unable to execute HTTP request: connection closed before message completed
    failed (Run) Sns.SdkClientException: no endpoint for sns: set AWS_ENDPOINT_URL_SNS (or endpoints.sns in the settings), set AWS_ENDPOINT_URL, start with --laptop if it is a laptop service, or set aws = true to call real AWS
    "#);
}

#[tokio::test]
async fn after_a_crash_a_call_is_made_again_or_not_as_the_settings_say() {
    let stub = Stub::saying(&[ok("{}")]).await;
    let mut settings = settings(&[("AWS_ENDPOINT_URL", &stub.url)]);
    settings.after_crash.insert("sqs:sendMessage".to_owned(), AfterCrash::Fail);
    let careful = Connectors::new(settings);
    let resent = |queue| {
        let mut request = task(&format!("{SEND}.waitForTaskToken"), message(queue));
        request.resent = true;
        request
    };
    assert!(told(&stub.connectors().start(resent("q")).await).starts_with("submitted"));
    insta::assert_snapshot!(told(&careful.start(resent("q")).await), @"failed (Submit) States.TaskFailed: The process ended between sending this call and hearing its answer; it may have had its effect.");
    assert!(told(&careful.start(resent("q.fifo")).await).starts_with("submitted"), "a FIFO queue drops the second");
    assert_eq!(stub.asked().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_of_one_service_are_bounded() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, highest) = (now.clone(), most.clone());
    let stub = Stub::start(move |_, _| {
        let under_way = counted.fetch_add(1, Ordering::SeqCst) + 1;
        highest.fetch_max(under_way, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(5));
        counted.fetch_sub(1, Ordering::SeqCst);
        ok("{}")
    })
    .await;
    let mut settings = settings(&[("AWS_ENDPOINT_URL", &stub.url)]);
    settings.in_flight = 2;
    let connectors = Arc::new(Connectors::new(settings));
    let calls: Vec<_> = (0..12)
        .map(|_| {
            let connectors = connectors.clone();
            tokio::spawn(async move { told(&connectors.start(task(SEND, message("q"))).await) })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().starts_with("succeeded"));
    }
    assert!(most.load(Ordering::SeqCst) <= 2);
    assert_eq!(stub.asked().len(), 12);
}

#[tokio::test]
async fn what_cannot_be_called_says_so() {
    let connectors = connectors(&[]);
    let mut story = String::new();
    for resource in [
        "${Function}",
        "arn:aws:states:::glue:startJobRun.sync",
        "arn:aws:states:::eks:call",
        "arn:aws:states:::aws-sdk:nosuch:action",
        "arn:aws:states:::sns:publish.sync",
    ] {
        story.push_str(&told(&connectors.start(task(resource, json!({}))).await));
        story.push('\n');
    }
    insta::assert_snapshot!(story, @r"
    failed (Run) States.Runtime: Value is not a valid resource ARN
    failed (Run) States.Runtime: The resource arn:aws:states:::glue:startJobRun.sync cannot be called by this installation: its jobs are not followed.
    failed (Run) States.Runtime: The resource arn:aws:states:::eks:call cannot be called by this installation: it is not among the integrations.
    failed (Run) States.Runtime: The resource arn:aws:states:::aws-sdk:nosuch:action cannot be called by this installation: there is no model of the service nosuch.
    failed (Run) States.Runtime: The resource provided arn:aws:states:::sns:publish.sync is not recognized. The value is not a valid resource ARN, or the resource is not available in this region.
    ");
}

#[test]
fn parameters_are_judged_before_anything_is_sent() {
    let connectors = connectors(&[]);
    let mut story = String::new();
    for (resource, parameters) in [
        ("arn:aws:states:::sqs:sendMessage", json!({"QueueUrl": "q", "MessageBody": {"any": ["json"]}})),
        ("arn:aws:states:::sqs:sendMessage", json!({"queueUrl": "q", "MessageBody": 7})),
        ("arn:aws:states:::states:startExecution", json!({"StateMachineArn": "a", "Input": 7})),
        ("arn:aws:states:::aws-sdk:dynamodb:putItem", json!({"TableName": "t", "Item": null})),
        ("arn:aws:states:::aws-sdk:dynamodb:putItem", json!({"TableName": "t", "Item": {"a": {"S": 1}}})),
        (
            "arn:aws:states:::aws-sdk:s3:putObject",
            json!({"Bucket": "b", "Key": "k", "Body": [1], "Expires": "2026-01-02T03:04:05Z"}),
        ),
        ("arn:aws:states:::aws-sdk:s3:putObject", json!([])),
        ("arn:aws:lambda:us-east-1:000000000000:function:f", json!([])),
    ] {
        let mistake = connectors.mistake(&asl::Resource::parse(resource), &parameters.into());
        let called = resource.rsplit(":::").next().unwrap();
        story.push_str(&format!("{called}: {}\n", mistake.as_deref().unwrap_or("-")));
    }
    insta::assert_snapshot!(story, @r#"
    sqs:sendMessage: -
    sqs:sendMessage: The field "queueUrl" is not supported by Step Functions, The value for the field 'MessageBody' must be a STRING
    states:startExecution: -
    aws-sdk:dynamodb:putItem: -
    aws-sdk:dynamodb:putItem: The value for the field 'Item.a.S' must be a STRING
    aws-sdk:s3:putObject: -
    aws-sdk:s3:putObject: Parameters must be a JSON object
    arn:aws:lambda:us-east-1:000000000000:function:f: -
    "#);
}
