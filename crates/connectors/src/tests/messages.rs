//! SQS and SNS.

use engine::port::Connector;
use serde_json::json;

use super::world::{Stub, connectors, http, ok, task, told};

const QUEUE: &str = "http://127.0.0.1:1/000000000000/q";
const SEND: &str = "arn:aws:states:::sqs:sendMessage";
const PUBLISH: &str = "arn:aws:states:::sns:publish";
const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:t";

#[tokio::test]
async fn a_message_is_sent_and_its_answer_is_the_result() {
    let headers = "content-type: application/x-amz-json-1.0\r\ndate: Thu, 06 Nov 2025 12:39:48 GMT\r\n";
    let stub = Stub::saying(&[http(200, headers, r#"{"MessageId":"m-1","MD5OfMessageBody":"md5"}"#)]).await;
    let answer = stub.connectors().start(task(SEND, json!({"QueueUrl": QUEUE, "MessageBody": "text"}))).await;
    insta::assert_snapshot!(told(&answer), @r#"succeeded {"MD5OfMessageBody":"md5","MessageId":"m-1","SdkHttpMetadata":{"AllHttpHeaders":{"Content-Length":["44"],"Content-Type":["application/x-amz-json-1.0"],"Date":["Thu, 06 Nov 2025 12:39:48 GMT"],"x-amzn-RequestId":["id-1"]},"HttpHeaders":{"Content-Length":"44","Content-Type":"application/x-amz-json-1.0","Date":"Thu, 06 Nov 2025 12:39:48 GMT","x-amzn-RequestId":"id-1"},"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"id-1"}}"#);
    insta::assert_snapshot!(stub.bodies().join("\n"), @r#"{"QueueUrl":"http://127.0.0.1:1/000000000000/q","MessageBody":"text"}"#);
}

#[tokio::test]
async fn json_is_sent_as_text_and_the_task_waits_for_its_token() {
    let stub = Stub::saying(&[ok(r#"{"MessageId":"m-1"}"#)]).await;
    let parameters =
        json!({"QueueUrl": QUEUE, "MessageBody": {"Message": "m", "TaskToken": "t"}, "DelaySeconds": null});
    let answer = stub.connectors().start(task(&format!("{SEND}.waitForTaskToken"), parameters)).await;
    assert!(told(&answer).starts_with(r#"submitted {"MessageId":"m-1","SdkHttpMetadata""#), "{}", told(&answer));
    insta::assert_snapshot!(stub.bodies().join("\n"), @r#"{"QueueUrl":"http://127.0.0.1:1/000000000000/q","MessageBody":"{\"Message\":\"m\",\"TaskToken\":\"t\"}"}"#);
}

#[tokio::test]
async fn a_queue_on_a_host_of_its_own_is_asked_there() {
    let stub = Stub::saying(&[ok("{}")]).await;
    let url = "http://no-such-queue-1.invalid";
    let answer = stub.connectors().start(task(SEND, json!({"QueueUrl": url, "MessageBody": "m"}))).await;
    insta::assert_snapshot!(told(&answer), @"failed (Run) SQS.SdkClientException: Unable to execute HTTP request: no-such-queue-1.invalid: Name or service not known");
    assert!(stub.asked().is_empty());
    // The second version of the SDK asks the configured endpoint whatever the QueueUrl is.
    let sdk = task("arn:aws:states:::aws-sdk:sqs:sendMessage", json!({"QueueUrl": url, "MessageBody": "m"}));
    assert_eq!(told(&stub.connectors().start(sdk).await), "succeeded {}");
}

#[tokio::test]
async fn errors_of_sqs_and_sns_have_their_names() {
    let gone = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#;
    let query = "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender\r\n";
    let stub = Stub::saying(&[http(400, query, gone)]).await;
    let parameters = json!({"QueueUrl": QUEUE, "MessageBody": "m"});
    let answer = stub.connectors().start(task(&format!("{SEND}.waitForTaskToken"), parameters.clone())).await;
    insta::assert_snapshot!(told(&answer), @"failed (Submit) SQS.QueueDoesNotExistException: The specified queue does not exist. (Service: AmazonSQS; Status Code: 400; Error Code: AWS.SimpleQueueService.NonExistentQueue; Request ID: id-1; Proxy: null)");
    let answer = stub.connectors().start(task("arn:aws:states:::aws-sdk:sqs:sendMessage", parameters)).await;
    insta::assert_snapshot!(told(&answer), @"failed (Run) Sqs.QueueDoesNotExistException: The specified queue does not exist. (Service: Sqs, Status Code: 400, Request ID: id-1)");

    let error = |code: &str, message: &str| {
        format!(
            "<ErrorResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>{message}</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
        )
    };
    let stub = Stub::saying(&[
        http(404, "", &error("NotFound", "Topic does not exist")),
        http(400, "", &error("InvalidParameter", "Invalid parameter: The MessageGroupId parameter is required")),
        http(403, "", &error("SomethingElse", "No")),
    ])
    .await;
    let mut story = String::new();
    for _ in 0..3 {
        let answer = stub.connectors().start(task(PUBLISH, json!({"TopicArn": TOPIC, "Message": {"a": 1}}))).await;
        story.push_str(&told(&answer));
        story.push('\n');
    }
    insta::assert_snapshot!(story, @r#"
    failed (Run) SNS.NotFoundException: Topic does not exist (Service: AmazonSNS; Status Code: 404; Error Code: NotFound; Request ID: r-1; Proxy: null)
    failed (Run) SNS.InvalidParameterException: Invalid parameter: The MessageGroupId parameter is required (Service: AmazonSNS; Status Code: 400; Error Code: InvalidParameter; Request ID: r-1; Proxy: null)
    failed (Run) SNS.AmazonSNSException: No (Service: AmazonSNS; Status Code: 403; Error Code: SomethingElse; Request ID: r-1; Proxy: null)
    "#);
}

#[tokio::test]
async fn a_notice_is_published() {
    let body = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult>\
                <MessageId>m-1</MessageId><SequenceNumber>10000000000000000000</SequenceNumber></PublishResult>\
                <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></PublishResponse>";
    let stub = Stub::saying(&[http(200, "content-type: text/xml\r\n", body)]).await;
    let attributes = json!({"Version": {"DataType": "String", "StringValue": "1"}});
    let parameters = json!({"TopicArn": TOPIC, "Message": {"a": 1}, "MessageAttributes": attributes});
    let answer = stub.connectors().start(task(PUBLISH, parameters)).await;
    insta::assert_snapshot!(told(&answer), @r#"succeeded {"MessageId":"m-1","SdkHttpMetadata":{"AllHttpHeaders":{"Content-Length":["257"],"Content-Type":["text/xml"],"x-amzn-RequestId":["id-1"]},"HttpHeaders":{"Content-Length":"257","Content-Type":"text/xml","x-amzn-RequestId":"id-1"},"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"id-1"},"SequenceNumber":"10000000000000000000"}"#);
    insta::assert_snapshot!(stub.bodies().join("\n"), @"Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A000000000000%3At&Message=%7B%22a%22%3A1%7D&MessageAttributes.entry.1.Name=Version&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=1");
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_the_definitions_mistake() {
    let connectors = connectors(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]);
    let mut story = String::new();
    for parameters in [
        json!({"QueueUrl": 5, "MessageBody": "m"}),
        json!({"QueueUrl": QUEUE, "MessageBody": "m", "Colour": "red"}),
        json!({"QueueUrl": QUEUE, "MessageBody": "m", "MessageAttributes": {"a": {"DataType": true}}}),
        json!("text"),
    ] {
        story.push_str(&told(&connectors.start(task(SEND, parameters)).await));
        story.push('\n');
    }
    insta::assert_snapshot!(story, @r#"
    failed (Run) States.Runtime: The Parameters '{"QueueUrl":5,"MessageBody":"m"}' could not be used to start the Task: [The value for the field 'QueueUrl' must be a STRING]
    failed (Run) States.Runtime: The Parameters '{"QueueUrl":"http://127.0.0.1:1/000000000000/q","MessageBody":"m","Colour":"red"}' could not be used to start the Task: [The field "Colour" is not supported by Step Functions]
    failed (Run) States.Runtime: The Parameters '{"QueueUrl":"http://127.0.0.1:1/000000000000/q","MessageBody":"m","MessageAttributes":{"a":{"DataType":true}}}' could not be used to start the Task: [The value for the field 'MessageAttributes.a.DataType' must be a STRING]
    failed (Run) States.Runtime: The Parameters '"text"' could not be used to start the Task: [Parameters must be a JSON object]
    "#);
}
