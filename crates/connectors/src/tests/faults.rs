//! Services that are unwell: what a task's failure is called, how often a call is made, and what is left behind.

use std::time::Duration;

use engine::port::Connector;
use serde_json::json;

use super::world::{Stub, connectors, http, ok, task, told};

const SEND: &str = "arn:aws:states:::sqs:sendMessage";
const RECEIVE: &str = "arn:aws:states:::aws-sdk:sqs:getQueueAttributes";
const INVOKE: &str = "arn:aws:states:::lambda:invoke";

/// An answer that ends before it is whole, and then the connection does.
fn half() -> String {
    "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":\0".to_owned()
}

#[tokio::test]
async fn failures_have_their_names_and_calls_their_number() {
    let mut story = String::new();
    let service = |status, code: &str| http(status, "", &json!({"__type": code, "message": "said"}).to_string());
    for (what, answer) in [
        ("broken", "broken".to_owned()),
        ("half", half()),
        ("500", service(500, "InternalFailure")),
        ("503 without words", http(503, "", "<html>busy</html>")),
        ("429", service(429, "TooManyRequestsException")),
        ("throttled", service(400, "ThrottlingException")),
        ("not JSON", ok("{\"a\":")),
    ] {
        for (resource, parameters) in [
            (SEND, json!({"QueueUrl": "q", "MessageBody": "m"})),
            (RECEIVE, json!({"QueueUrl": "q"})),
            (INVOKE, json!({"FunctionName": "f"})),
        ] {
            if resource == INVOKE && what == "not JSON" {
                continue;
            }
            let stub = Stub::saying(std::slice::from_ref(&answer)).await;
            let answer = told(&stub.connectors().start(task(resource, parameters)).await);
            let answer = answer.replace(stub.url.trim_start_matches("http://"), "HOST");
            let action = resource.rsplit(":::").next().unwrap();
            story.push_str(&format!("{what}: {action}, {} calls: {answer}\n", stub.asked().len()));
        }
    }
    insta::assert_snapshot!(story, @r#"
    broken: sqs:sendMessage, 1 calls: failed (Run) SQS.SdkClientException: Unable to execute HTTP request: connection closed before message completed
    broken: aws-sdk:sqs:getQueueAttributes, 3 calls: failed (Run) Sqs.SdkClientException: Unable to execute HTTP request: connection closed before message completed
    broken: lambda:invoke, 1 calls: failed (Run) Lambda.SdkClientException: Unable to execute HTTP request: connection closed before message completed
    half: sqs:sendMessage, 1 calls: failed (Run) SQS.SdkClientException: Unable to execute HTTP request: end of file before message length reached
    half: aws-sdk:sqs:getQueueAttributes, 3 calls: failed (Run) Sqs.SdkClientException: Unable to execute HTTP request: end of file before message length reached
    half: lambda:invoke, 1 calls: failed (Run) Lambda.SdkClientException: Unable to execute HTTP request: end of file before message length reached
    500: sqs:sendMessage, 1 calls: failed (Run) SQS.AmazonSQSException: said (Service: AmazonSQS; Status Code: 500; Error Code: InternalFailure; Request ID: id-1; Proxy: null)
    500: aws-sdk:sqs:getQueueAttributes, 3 calls: failed (Run) Sqs.SqsException: said (Service: Sqs, Status Code: 500, Request ID: id-1)
    500: lambda:invoke, 1 calls: failed (Run) Lambda.AWSLambdaException: said (Service: AWSLambda; Status Code: 500; Error Code: InternalFailure; Request ID: id-1; Proxy: null)
    503 without words: sqs:sendMessage, 3 calls: failed (Run) SQS.AmazonSQSException: Service Unavailable (Service: AmazonSQS; Status Code: 503; Error Code: 503; Request ID: id-1; Proxy: null)
    503 without words: aws-sdk:sqs:getQueueAttributes, 3 calls: failed (Run) Sqs.SqsException: Service Unavailable (Service: Sqs, Status Code: 503, Request ID: id-1)
    503 without words: lambda:invoke, 1 calls: failed (Run) Lambda.AWSLambdaException: Service Unavailable (Service: AWSLambda; Status Code: 503; Error Code: 503; Request ID: id-1; Proxy: null)
    429: sqs:sendMessage, 3 calls: failed (Run) SQS.AmazonSQSException: said (Service: AmazonSQS; Status Code: 429; Error Code: TooManyRequestsException; Request ID: id-1; Proxy: null)
    429: aws-sdk:sqs:getQueueAttributes, 3 calls: failed (Run) Sqs.SqsException: said (Service: Sqs, Status Code: 429, Request ID: id-1)
    429: lambda:invoke, 1 calls: failed (Run) Lambda.TooManyRequestsException: said (Service: AWSLambda; Status Code: 429; Error Code: TooManyRequestsException; Request ID: id-1; Proxy: null)
    throttled: sqs:sendMessage, 3 calls: failed (Run) SQS.AmazonSQSException: said (Service: AmazonSQS; Status Code: 400; Error Code: ThrottlingException; Request ID: id-1; Proxy: null)
    throttled: aws-sdk:sqs:getQueueAttributes, 3 calls: failed (Run) Sqs.SqsException: said (Service: Sqs, Status Code: 400, Request ID: id-1)
    throttled: lambda:invoke, 1 calls: failed (Run) Lambda.AWSLambdaException: said (Service: AWSLambda; Status Code: 400; Error Code: ThrottlingException; Request ID: id-1; Proxy: null)
    not JSON: sqs:sendMessage, 1 calls: failed (Run) SQS.SdkClientException: Unable to unmarshall response (not a message of the protocol: EOF while parsing a value at line 1 column 5)
    not JSON: aws-sdk:sqs:getQueueAttributes, 1 calls: failed (Run) Sqs.SdkClientException: Unable to unmarshall response (not a message of the protocol: EOF while parsing a value at line 1 column 5)
    "#);
}

#[tokio::test]
async fn a_million_bytes_are_a_result() {
    let text = "x".repeat(1_000_000);
    let stub = Stub::saying(&[ok(&json!({"Attributes": {"Policy": text}}).to_string())]).await;
    let answer = told(&stub.connectors().start(task(RECEIVE, json!({"QueueUrl": "q"}))).await);
    assert_eq!(answer.len(), "succeeded {\"Attributes\":{\"Policy\":\"\"}}".len() + 1_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_may_take_its_time() {
    let stub = Stub::start(|_, _| {
        std::thread::sleep(Duration::from_millis(300));
        ok(r#"{"Attributes":{}}"#)
    })
    .await;
    let answer = told(&stub.connectors().start(task(RECEIVE, json!({"QueueUrl": "q"}))).await);
    assert_eq!(answer, r#"succeeded {"Attributes":{}}"#);
}

/// The clock goes as fast as nothing happens.
#[tokio::test(start_paused = true)]
async fn silence_ends() {
    let stub = Stub::saying(&["silence".to_owned()]).await;
    let began = tokio::time::Instant::now();
    let answer = told(&stub.connectors().start(task(SEND, json!({"QueueUrl": "q", "MessageBody": "m"}))).await);
    assert_eq!(answer, "failed (Run) SQS.SdkClientException: Unable to execute HTTP request: Read timed out");
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(60) && took < Duration::from_secs(70), "{took:?}");
}

#[tokio::test]
async fn a_host_without_an_address_is_asked_once() {
    let connectors = connectors(&[("AWS_ENDPOINT_URL", "http://no-such-host.invalid:1")]);
    let answer = told(&connectors.start(task(INVOKE, json!({"FunctionName": "f"}))).await);
    assert_eq!(
        answer,
        "failed (Run) Lambda.SdkClientException: Unable to execute HTTP request: no-such-host.invalid: Name or service not known"
    );
}

/// Files that this process has open, and the memory that it has, in KiB.
fn footprint() -> (usize, usize) {
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse().ok());
    (open, resident.unwrap_or(0))
}

#[tokio::test]
async fn ten_thousand_calls_leave_nothing_behind() {
    let stub = Stub::start(|turn, _| match turn % 6 {
        0 => "broken".to_owned(),
        1 => half(),
        2 => http(500, "", "{}"),
        3 => http(429, "", r#"{"Reason":"x"}"#),
        4 => "silence".to_owned(),
        _ => http(200, "", "{}"),
    })
    .await;
    let connectors = std::sync::Arc::new(stub.connectors());
    let calls = |number: usize| {
        let connectors = connectors.clone();
        async move {
            let mut running = tokio::task::JoinSet::new();
            for _ in 0..number {
                let connectors = connectors.clone();
                running.spawn(async move {
                    let call = connectors.start(task(INVOKE, json!({"FunctionName": "f"})));
                    // Whoever gives up takes the connection along.
                    let _ = tokio::time::timeout(Duration::from_millis(250), call).await;
                });
                if running.len() >= 64 {
                    running.join_next().await;
                }
            }
            running.join_all().await;
        }
    };
    calls(1_000).await;
    let before = footprint();
    calls(9_000).await;
    // The stub sees that a connection is gone when it looks.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let after = footprint();
    assert!(stub.asked().len() > 5_000, "{}", stub.asked().len());
    assert!(after.0 <= before.0 + 128, "open files: {before:?} before, {after:?} after");
    assert!(after.1 <= before.1 + 32 * 1024, "KiB of memory: {before:?} before, {after:?} after");
}
