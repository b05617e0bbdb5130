//! SQS clients from before 2023 speak the query protocol. Its names are no longer in the model; what such clients write
//! and expect is held here as text.

use aws::codec::{self, Dialect, Protocol};
use aws::server::{self, Incoming};
use aws::{ServiceError, models};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

fn form(params: &Value, operation: &str) -> String {
    let service = models().service("sqs").unwrap();
    let operation = service.operation(operation).unwrap();
    let request =
        codec::encode_request_as(Protocol::Query, &service, operation, params.clone(), Dialect::Native).unwrap();
    let text = String::from_utf8(request.body.to_vec()).unwrap();

    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
    let incoming =
        Incoming { method: "POST", path: "/000000000000/q", query: "", headers: &headers, body: text.as_bytes() };
    let read = server::decode_request(&service, &incoming).unwrap();
    assert_eq!(read.protocol, Protocol::Query);
    assert_eq!((read.operation.name.as_str(), &read.params), (operation.name.as_str(), params));
    text.replace('&', "\n")
}

#[test]
fn requests() {
    let params = json!({
        "QueueUrl": "http://h/0/q",
        "MessageBody": "a b",
        "MessageAttributes": {"k": {"DataType": "String", "StringValue": "v"}},
        "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "t"}},
    });
    insta::assert_snapshot!(form(&params, "SendMessage"), @r#"
    Action=SendMessage
    Version=2012-11-05
    QueueUrl=http%3A%2F%2Fh%2F0%2Fq
    MessageBody=a+b
    MessageAttribute.1.Name=k
    MessageAttribute.1.Value.DataType=String
    MessageAttribute.1.Value.StringValue=v
    MessageSystemAttribute.1.Name=AWSTraceHeader
    MessageSystemAttribute.1.Value.DataType=String
    MessageSystemAttribute.1.Value.StringValue=t
    "#);
    let params = json!({
        "QueueUrl": "q",
        "Entries": [
            {"Id": "1", "MessageBody": "a", "MessageAttributes": {"k": {"DataType": "Binary", "BinaryValue": "AQI="}}},
            {"Id": "2", "MessageBody": "b", "DelaySeconds": 1},
        ],
    });
    insta::assert_snapshot!(form(&params, "SendMessageBatch"), @r#"
    Action=SendMessageBatch
    Version=2012-11-05
    QueueUrl=q
    SendMessageBatchRequestEntry.1.Id=1
    SendMessageBatchRequestEntry.1.MessageBody=a
    SendMessageBatchRequestEntry.1.MessageAttribute.1.Name=k
    SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.DataType=Binary
    SendMessageBatchRequestEntry.1.MessageAttribute.1.Value.BinaryValue=AQI%3D
    SendMessageBatchRequestEntry.2.Id=2
    SendMessageBatchRequestEntry.2.MessageBody=b
    SendMessageBatchRequestEntry.2.DelaySeconds=1
    "#);
    let params = json!({"QueueName": "q", "Attributes": {"VisibilityTimeout": "1"}, "tags": {"a": "b"}});
    insta::assert_snapshot!(form(&params, "CreateQueue"), @r#"
    Action=CreateQueue
    Version=2012-11-05
    QueueName=q
    Attribute.1.Name=VisibilityTimeout
    Attribute.1.Value=1
    Tag.1.Key=a
    Tag.1.Value=b
    "#);
    let params = json!({"QueueUrl": "q", "AttributeNames": ["All"], "MessageAttributeNames": ["a", "b"]});
    insta::assert_snapshot!(form(&params, "ReceiveMessage"), @r#"
    Action=ReceiveMessage
    Version=2012-11-05
    QueueUrl=q
    AttributeName.1=All
    MessageAttributeName.1=a
    MessageAttributeName.2=b
    "#);
}

#[test]
fn answers() {
    let service = models().service("sqs").unwrap();
    let write = |operation: &str, result: Value| {
        let operation = service.operation(operation).unwrap();
        let response = server::encode_response(&service, operation, Protocol::Query, result, "id").unwrap();
        assert_eq!(response.headers["content-type"], "text/xml");
        String::from_utf8(response.body.to_vec()).unwrap()
    };
    let messages = json!({"Messages": [
        {
            "MessageId": "1",
            "Body": "<a>",
            "Attributes": {"SentTimestamp": "1"},
            "MessageAttributes": {"k": {"DataType": "String", "StringValue": "v"}},
        },
        {"MessageId": "2"},
    ]});
    insta::assert_snapshot!(write("ReceiveMessage", messages), @r#"
    <ReceiveMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">
      <ReceiveMessageResult>
        <Message>
          <MessageId>1</MessageId>
          <Body>&lt;a&gt;</Body>
          <Attribute>
            <Name>SentTimestamp</Name>
            <Value>1</Value>
          </Attribute>
          <MessageAttribute>
            <Name>k</Name>
            <Value>
              <DataType>String</DataType>
              <StringValue>v</StringValue>
            </Value>
          </MessageAttribute>
        </Message>
        <Message>
          <MessageId>2</MessageId>
        </Message>
      </ReceiveMessageResult>
      <ResponseMetadata>
        <RequestId>id</RequestId>
      </ResponseMetadata>
    </ReceiveMessageResponse>
    "#);
    insta::assert_snapshot!(write("GetQueueAttributes", json!({"Attributes": {"DelaySeconds": "0"}})), @r#"
    <GetQueueAttributesResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">
      <GetQueueAttributesResult>
        <Attribute>
          <Name>DelaySeconds</Name>
          <Value>0</Value>
        </Attribute>
      </GetQueueAttributesResult>
      <ResponseMetadata>
        <RequestId>id</RequestId>
      </ResponseMetadata>
    </GetQueueAttributesResponse>
    "#);
    insta::assert_snapshot!(write("DeleteMessage", json!({})), @r#"
    <DeleteMessageResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">
      <ResponseMetadata>
        <RequestId>id</RequestId>
      </ResponseMetadata>
    </DeleteMessageResponse>
    "#);
    let error = ServiceError::modelled(&service, "QueueDoesNotExist", "The specified queue does not exist.");
    let response = server::encode_error(&service, Protocol::Query, &error, "id");
    insta::assert_snapshot!(String::from_utf8(response.body.to_vec()).unwrap(), @r#"
    <ErrorResponse xmlns="http://queue.amazonaws.com/doc/2012-11-05/">
      <Error>
        <Type>Sender</Type>
        <Code>AWS.SimpleQueueService.NonExistentQueue</Code>
        <Message>The specified queue does not exist.</Message>
      </Error>
      <RequestId>id</RequestId>
    </ErrorResponse>
    "#);
    let response = server::encode_error(&service, Protocol::Json, &error, "id");
    assert_eq!(response.headers["x-amzn-query-error"], "AWS.SimpleQueueService.NonExistentQueue;Sender");
    insta::assert_snapshot!(String::from_utf8(response.body.to_vec()).unwrap(), @r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}"#);
}

/// A state machine sees the length of SNS's and SQS's answers; these are the lengths that AWS's answers had.
#[test]
fn answers_are_as_long_as_those_of_aws() {
    let id = "11111111-2222-3333-4444-555555555555";
    let length = |service: &str, operation: &str, result: Value| {
        let service = models().service(service).unwrap();
        let protocol = Protocol::of(&service).unwrap();
        let operation = service.operation(operation).unwrap();
        server::encode_response(&service, operation, protocol, result, id).unwrap().body.len()
    };
    assert_eq!(length("sns", "Publish", json!({"MessageId": id})), 294);
    let fifo = json!({"MessageId": id, "SequenceNumber": "10000000000000003000"});
    assert_eq!(length("sns", "Publish", fifo), 352);
    let sent = json!({"MD5OfMessageBody": "0cc175b9c0f1b6a831c399e269772661", "MessageId": id});
    assert_eq!(length("sqs", "SendMessage", sent), 106);
}

/// What a web page can send (a form or plain text, without AWS's headers) is not a call.
#[test]
fn only_the_protocol_s_content_types_are_calls() {
    let service = models().service("sqs").unwrap();
    for (content_type, target, understood) in [
        ("application/x-amz-json-1.0", Some("AmazonSQS.ListQueues"), true),
        ("application/x-amz-json-1.1; charset=utf-8", Some("AmazonSQS.ListQueues"), true),
        ("text/plain", Some("AmazonSQS.ListQueues"), false),
        ("application/json", Some("AmazonSQS.ListQueues"), false),
        ("multipart/form-data", None, false),
        ("application/x-amz-json-1.0", Some("AmazonSQS.listQueues"), false),
        ("application/x-amz-json-1.0", Some("Other.ListQueues"), false),
        ("application/x-amz-json-1.0", None, false),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static(content_type));
        if let Some(target) = target {
            headers.insert("x-amz-target", HeaderValue::from_static(target));
        }
        let incoming = Incoming { method: "POST", path: "/", query: "", headers: &headers, body: b"{}" };
        let read = server::decode_request(&service, &incoming);
        assert_eq!(read.is_ok(), understood, "{content_type} {target:?}");
    }
}
