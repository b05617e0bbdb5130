//! Stories about topics: what was called, what arrived. The clock is the test's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::Sns;
use crate::caller::Caller;
use crate::sqs::Sqs;
use crate::store::{Clock, Store};

struct World {
    sns: Sns,
    sqs: Sqs,
    hand: Arc<AtomicI64>,
    caller: Caller,
    _dir: tempfile::TempDir,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let (clock, hand) = Clock::manual(1_700_000_000_123);
    let store = Store::open(&dir.path().join("laptop.db"), clock).unwrap();
    World {
        sns: Sns::new(store.clone()),
        sqs: Sqs::new(store),
        hand,
        caller: Caller {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            base_url: "http://127.0.0.1:8083".to_owned(),
            trace: None,
        },
        _dir: dir,
    }
}

impl World {
    async fn ok(&self, operation: &str, params: Value) -> Value {
        self.sns.call(operation, params, &self.caller).await.unwrap()
    }

    async fn refused(&self, operation: &str, params: Value) -> String {
        self.sns.call(operation, params, &self.caller).await.unwrap_err().to_string()
    }

    async fn topic(&self, name: &str, attributes: Value) -> String {
        let answer = self.ok("CreateTopic", json!({ "Name": name, "Attributes": attributes })).await;
        answer["TopicArn"].as_str().unwrap().to_owned()
    }

    /// Make a queue and give its ARN.
    async fn queue(&self, name: &str) -> String {
        let attributes = if name.ends_with(".fifo") { json!({ "FifoQueue": "true" }) } else { json!({}) };
        let params = json!({ "QueueName": name, "Attributes": attributes });
        self.sqs.call("CreateQueue", params, &self.caller).await.unwrap();
        format!("arn:aws:sqs:us-east-1:000000000000:{name}")
    }

    async fn subscribe(&self, topic: &str, queue: &str, attributes: Value) -> String {
        let params = json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": queue, "Attributes": attributes });
        self.ok("Subscribe", params).await["SubscriptionArn"].as_str().unwrap().to_owned()
    }

    /// What lies in a queue, which is then gone from sight.
    async fn messages(&self, name: &str) -> Vec<Value> {
        let params = json!({
            "QueueUrl": format!("http://x/000000000000/{name}"), "MaxNumberOfMessages": 10,
            "MessageAttributeNames": ["All"], "AttributeNames": ["All"],
        });
        let answer = self.sqs.call("ReceiveMessage", params, &self.caller).await.unwrap();
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }

    async fn bodies(&self, name: &str) -> Vec<String> {
        self.messages(name).await.iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_queue_gets_the_envelope_as_aws_writes_it() {
    let world = world();
    let topic = world.topic("t", json!({})).await;
    let queue = world.queue("q").await;
    let subscription = world.subscribe(&topic, &queue, json!({})).await;
    let answer = world
        .ok(
            "Publish",
            json!({ "TopicArn": topic, "Subject": "S", "Message": "Hello\n\"World\"", "MessageAttributes": {
                "my_attribute_no_1": { "DataType": "String", "StringValue": "Hello" },
                "bytes": { "DataType": "Binary", "BinaryValue": "AgME" },
            } }),
        )
        .await;
    let bodies = world.bodies("q").await;
    let body = bodies[0]
        .replace(answer["MessageId"].as_str().unwrap(), "<message id>")
        .replace(subscription.rsplit(':').next().unwrap(), "<subscription id>");
    let envelope: Value = serde_json::from_str(&body).unwrap();
    let body = body.replace(envelope["Signature"].as_str().unwrap(), "<signature>");
    insta::assert_snapshot!(body, @r#"
    {
      "Type" : "Notification",
      "MessageId" : "<message id>",
      "TopicArn" : "arn:aws:sns:us-east-1:000000000000:t",
      "Subject" : "S",
      "Message" : "Hello\n\"World\"",
      "Timestamp" : "2023-11-14T22:13:20.123Z",
      "SignatureVersion" : "1",
      "Signature" : "<signature>",
      "SigningCertURL" : "http://127.0.0.1:8083/SimpleNotificationService-00000000000000000000000000000000.pem",
      "UnsubscribeURL" : "http://127.0.0.1:8083/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:us-east-1:000000000000:t:<subscription id>",
      "MessageAttributes" : {
        "my_attribute_no_1" : {"Type":"String","Value":"Hello"},
        "bytes" : {"Type":"Binary","Value":"AgME"}
      }
    }
    "#);
}

#[tokio::test]
async fn raw_delivery_gives_what_was_published() {
    let world = world();
    let topic = world.topic("t", json!({})).await;
    let queue = world.queue("q").await;
    world.subscribe(&topic, &queue, json!({ "RawMessageDelivery": "true" })).await;
    let attributes = json!({ "attr1": { "DataType": "Number", "StringValue": "99.12" } });
    world.ok("Publish", json!({ "TopicArn": topic, "Message": "Test msg", "MessageAttributes": attributes })).await;
    let messages = world.messages("q").await;
    assert_eq!(messages[0]["Body"], "Test msg");
    assert_eq!(messages[0]["MessageAttributes"], attributes);
    assert_eq!(messages[0]["MD5OfMessageAttributes"], "d302007e9aa062660afc85fd0a482472");
}

#[tokio::test]
async fn a_filter_keeps_out_what_nobody_wants() {
    let world = world();
    let topic = world.topic("t", json!({})).await;
    let (by_attribute, by_body) = (world.queue("a").await, world.queue("b").await);
    let raw = json!("true");
    world
        .subscribe(&topic, &by_attribute, json!({ "RawMessageDelivery": raw, "FilterPolicy": "{\"kind\":[\"x\"]}" }))
        .await;
    world
        .subscribe(
            &topic,
            &by_body,
            json!({ "RawMessageDelivery": raw, "FilterPolicy": "{\"a\":{\"b\":[{\"prefix\":\"x\"}]}}", "FilterPolicyScope": "MessageBody" }),
        )
        .await;
    for (message, kind) in [("{\"a\":{\"b\":\"xy\"}}", "y"), ("{\"a\":{\"b\":\"y\"}}", "x"), ("text", "x")] {
        let attributes = json!({ "kind": { "DataType": "String", "StringValue": kind } });
        world.ok("Publish", json!({ "TopicArn": topic, "Message": message, "MessageAttributes": attributes })).await;
    }
    assert_eq!(world.bodies("a").await, ["{\"a\":{\"b\":\"y\"}}", "text"]);
    assert_eq!(world.bodies("b").await, ["{\"a\":{\"b\":\"xy\"}}"]);
}

#[tokio::test]
async fn a_fifo_topic_keeps_order_and_takes_a_repeated_message_once() {
    let world = world();
    let topic = world.topic("t.fifo", json!({ "FifoTopic": "true", "ContentBasedDeduplication": "true" })).await;
    let (fifo, standard) = (world.queue("q.fifo").await, world.queue("q").await);
    world.subscribe(&topic, &fifo, json!({})).await;
    world.subscribe(&topic, &standard, json!({})).await;
    let publish = json!({ "TopicArn": topic, "Message": "Test", "MessageGroupId": "message-group-id-1" });
    let first = world.ok("Publish", publish.clone()).await;
    assert_eq!(first, world.ok("Publish", publish).await);
    let messages = world.messages("q.fifo").await;
    assert_eq!(messages.len(), 1);
    let attributes = &messages[0]["Attributes"];
    assert_eq!(attributes["MessageGroupId"], "message-group-id-1");
    assert_eq!(
        attributes["MessageDeduplicationId"],
        "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25"
    );
    let envelope: Value = serde_json::from_str(messages[0]["Body"].as_str().unwrap()).unwrap();
    assert_eq!(envelope["SequenceNumber"], first["SequenceNumber"]);
    assert_eq!(envelope.get("Signature"), None);
    let messages = world.messages("q").await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["Attributes"].get("MessageGroupId"), None);
}

#[tokio::test]
async fn what_a_queue_cannot_take_goes_to_the_dead_letters() {
    let world = world();
    let topic = world.topic("t", json!({})).await;
    world.queue("dead").await;
    let policy = "{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:dead\"}";
    let gone = "arn:aws:sqs:us-east-1:000000000000:gone";
    world.subscribe(&topic, gone, json!({ "RedrivePolicy": policy, "RawMessageDelivery": "true" })).await;
    world.ok("Publish", json!({ "TopicArn": topic, "Message": "lost" })).await;
    assert_eq!(world.bodies("dead").await, ["lost"]);
}

#[tokio::test]
async fn a_batch_is_published_or_refused_whole() {
    let world = world();
    let topic = world.topic("t", json!({})).await;
    let queue = world.queue("q").await;
    world.subscribe(&topic, &queue, json!({ "RawMessageDelivery": "true" })).await;
    let entries = json!([
        { "Id": "1", "Message": "{\"default\":\"to all\",\"sqs\":\"to queues\"}", "MessageStructure": "json" },
        { "Id": "2", "Message": "two" },
    ]);
    let answer = world.ok("PublishBatch", json!({ "TopicArn": topic, "PublishBatchRequestEntries": entries })).await;
    assert_eq!(answer["Successful"].as_array().unwrap().len(), 2);
    assert_eq!(answer["Failed"], json!([]));
    assert_eq!(world.bodies("q").await, ["to queues", "two"]);
    let entries = json!([{ "Id": "1", "Message": "x" }, { "Id": "2", "Message": "{}", "MessageStructure": "json" }]);
    world.refused("PublishBatch", json!({ "TopicArn": topic, "PublishBatchRequestEntries": entries })).await;
    assert_eq!(world.bodies("q").await, [""; 0]);
}

#[tokio::test]
async fn calls_that_aws_refuses_are_refused_in_its_words() {
    let world = world();
    let topic = world.topic("t", json!({})).await;
    let fifo = world.topic("t.fifo", json!({ "FifoTopic": "true" })).await;
    let queue = world.queue("q").await;
    let subscription = world.subscribe(&topic, &queue, json!({})).await;
    let none = "arn:aws:sns:us-east-1:000000000000:none";
    let subscribe = |protocol: &str, endpoint: &str, attributes: Value| json!({ "TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint, "Attributes": attributes });
    let set = |name: &str, value: &str| json!({ "SubscriptionArn": subscription, "AttributeName": name, "AttributeValue": value });
    let attribute = |name: &str, attribute: Value| {
        let mut attributes = serde_json::Map::new();
        attributes.insert(name.to_owned(), attribute);
        json!({ "TopicArn": topic, "Message": "x", "MessageAttributes": attributes })
    };
    let string = json!({ "DataType": "String", "StringValue": "v" });
    let mut said = Vec::new();
    for (operation, params) in [
        ("Publish", json!({ "TopicArn": none, "Message": "x" })),
        ("Publish", json!({ "TopicArn": "t", "Message": "x" })),
        ("Publish", json!({ "TopicArn": topic, "Message": "" })),
        ("Publish", json!({ "TopicArn": topic, "Message": "x", "Subject": "" })),
        ("Publish", json!({ "TopicArn": topic, "Message": "x".repeat(262_145) })),
        ("Publish", json!({ "TopicArn": topic, "Message": "{}", "MessageStructure": "json" })),
        ("Publish", json!({ "TopicArn": topic, "Message": "x", "MessageStructure": "json" })),
        ("Publish", json!({ "TopicArn": topic, "Message": "x", "MessageDeduplicationId": "1" })),
        ("Publish", json!({ "TopicArn": fifo, "Message": "x" })),
        ("Publish", json!({ "TopicArn": fifo, "Message": "x", "MessageGroupId": "1" })),
        ("Publish", attribute("a", json!({ "DataType": "String", "StringValue": "" }))),
        ("Publish", attribute("a", json!({ "DataType": "Number", "BinaryValue": "AgME" }))),
        ("Publish", attribute("a", json!({ "DataType": "Colour", "StringValue": "red" }))),
        ("Publish", attribute("a", json!({ "StringValue": "red" }))),
        ("Publish", attribute("a^b", string.clone())),
        ("Publish", attribute(".a", string.clone())),
        ("Publish", attribute("a..b", string)),
        ("CreateTopic", json!({ "Name": "a b" })),
        ("CreateTopic", json!({ "Name": "t", "Attributes": { "DisplayName": "other" } })),
        ("CreateTopic", json!({ "Name": "t", "Tags": [{ "Key": "a", "Value": "b" }] })),
        ("Subscribe", subscribe("sqs", "http://127.0.0.1/q", json!({}))),
        ("Subscribe", subscribe("sqs", "arn:aws:sqs:us-east-1:000000000000:q.fifo", json!({}))),
        ("Subscribe", subscribe("test-protocol", "x", json!({}))),
        ("Subscribe", subscribe("firehose", "x", json!({}))),
        ("Subscribe", subscribe("http", "https://localhost", json!({}))),
        ("Subscribe", subscribe("sqs", &queue, json!({ "RawMessageDelivery": "wrongvalue" }))),
        ("Subscribe", subscribe("sqs", &queue, json!({ "RawMessageDelivery": "true" }))),
        ("SetSubscriptionAttributes", set("Colour", "red")),
        ("SetSubscriptionAttributes", set("RawMessageDelivery", "")),
        ("SetSubscriptionAttributes", set("RedrivePolicy", "{\"deadLetterTargetArn\":\"fake\"}")),
        ("SetSubscriptionAttributes", set("FilterPolicyScope", "RandomValue")),
        ("SetSubscriptionAttributes", set("FilterPolicy", "{\"a\":{\"b\":[\"c\"]}}")),
        ("SetSubscriptionAttributes", set("FilterPolicy", "{\"a\":[{\"wrong\":1}]}")),
        ("GetSubscriptionAttributes", json!({ "SubscriptionArn": format!("{topic}:{}", uuid::Uuid::nil()) })),
        ("Unsubscribe", json!({ "SubscriptionArn": "randomstring" })),
        ("Unsubscribe", json!({ "SubscriptionArn": format!("{topic}:x") })),
        ("ConfirmSubscription", json!({ "TopicArn": topic, "Token": "short" })),
        ("ConfirmSubscription", json!({ "TopicArn": topic, "Token": "0".repeat(128) })),
        ("CreatePlatformApplication", json!({})),
    ] {
        said.push(world.refused(operation, params).await);
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    NotFound: Topic does not exist
    InvalidParameter: Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1
    InvalidParameter: Invalid parameter: Empty message
    InvalidParameter: Invalid parameter: Subject
    InvalidParameter: Invalid parameter: Message too long
    InvalidParameter: Invalid parameter: Message Structure - No default entry in JSON message body
    InvalidParameter: Invalid parameter: Message Structure - JSON message body failed to parse
    InvalidParameter: Invalid parameter: MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type
    InvalidParameter: Invalid parameter: The MessageGroupId parameter is required for FIFO topics
    InvalidParameter: Invalid parameter: The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly
    ParameterValueInvalid: The message attribute 'a' must contain non-empty message attribute value for message attribute type 'String'.
    ParameterValueInvalid: The message attribute 'a' with type 'Number' must use field 'String'.
    ParameterValueInvalid: The message attribute 'a' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.
    ValidationError: 1 validation error detected: Value null at 'messageAttributes.a.member.dataType' failed to satisfy constraint: Member must not be null
    ParameterValueInvalid: Invalid non-alphanumeric character '#x5E' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.
    ParameterValueInvalid: Invalid message attribute name starting with character '.' was found.
    ParameterValueInvalid: Message attribute name can not have successive '.' character.
    InvalidParameter: Invalid parameter: Topic Name
    InvalidParameter: Invalid parameter: Attributes Reason: Topic already exists with different attributes
    InvalidParameter: Invalid parameter: Tags Reason: Topic already exists with different tags
    InvalidParameter: Invalid parameter: SQS endpoint ARN
    InvalidParameter: Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics
    InvalidParameter: Invalid parameter: Amazon SNS does not support this protocol string: test-protocol
    InvalidParameter: Invalid parameter: the laptop's SNS delivers to sqs, lambda, http and https, it cannot deliver to firehose
    InvalidParameter: Invalid parameter: Endpoint must match the specified protocol
    InvalidParameter: Invalid parameter: Attributes Reason: RawMessageDelivery: Invalid value [wrongvalue]. Must be true or false.
    InvalidParameter: Invalid parameter: Attributes Reason: Subscription already exists with different attributes
    InvalidParameter: Invalid parameter: AttributeName
    InvalidParameter: Invalid parameter: RawMessageDelivery: Invalid value []. Must be true or false.
    InvalidParameter: Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn
    InvalidParameter: Invalid parameter: FilterPolicyScope: Invalid value [RandomValue]. Please use either MessageBody or MessageAttributes
    InvalidParameter: Invalid parameter: Filter policy scope MessageAttributes does not support nested filter policy
    InvalidParameter: Invalid parameter: FilterPolicy: Unrecognized match type wrong
    NotFound: Subscription does not exist
    InvalidParameter: Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1
    InvalidParameter: Invalid parameter: SubscriptionId
    InvalidParameter: Invalid token
    InvalidParameter: Invalid parameter: Token
    InvalidAction: The laptop's SNS does not have CreatePlatformApplication.
    "#);
}

#[tokio::test]
async fn topics_and_subscriptions_are_shown_as_aws_shows_them() {
    let world = world();
    let topic = world.topic("t", json!({ "DisplayName": "Shown" })).await;
    let queue = world.queue("q").await;
    let policy = "{\"attr1\":[{\"numeric\":[\">\",0,\"<=\",100]}]}";
    let subscription = world.subscribe(&topic, &queue, json!({ "FilterPolicy": policy })).await;
    assert_eq!(subscription, world.subscribe(&topic, &queue, json!({})).await, "subscribing twice is one subscription");
    let id = subscription.rsplit(':').next().unwrap().to_owned();
    let mut shown = String::new();
    for (operation, params) in [
        ("GetTopicAttributes", json!({ "TopicArn": topic })),
        ("GetSubscriptionAttributes", json!({ "SubscriptionArn": subscription })),
        ("ListSubscriptionsByTopic", json!({ "TopicArn": topic })),
        ("ListTopics", json!({})),
    ] {
        let answer = world.ok(operation, params).await;
        shown += &format!("{operation}: {}\n", serde_json::to_string_pretty(&answer).unwrap());
    }
    insta::assert_snapshot!(shown.replace(&id, "<id>"), @r#"
    GetTopicAttributes: {
      "Attributes": {
        "DisplayName": "Shown",
        "EffectiveDeliveryPolicy": "{\"http\":{\"defaultHealthyRetryPolicy\":{\"minDelayTarget\":20,\"maxDelayTarget\":20,\"numRetries\":3,\"numMaxDelayRetries\":0,\"numNoDelayRetries\":0,\"numMinDelayRetries\":0,\"backoffFunction\":\"linear\"},\"disableSubscriptionOverrides\":false,\"defaultRequestPolicy\":{\"headerContentType\":\"text/plain; charset=UTF-8\"}}}",
        "Owner": "000000000000",
        "Policy": "{\"Version\":\"2008-10-17\",\"Id\":\"__default_policy_ID\",\"Statement\":[{\"Sid\":\"__default_statement_ID\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"*\"},\"Action\":[\"SNS:GetTopicAttributes\",\"SNS:SetTopicAttributes\",\"SNS:AddPermission\",\"SNS:RemovePermission\",\"SNS:DeleteTopic\",\"SNS:Subscribe\",\"SNS:ListSubscriptionsByTopic\",\"SNS:Publish\"],\"Resource\":\"arn:aws:sns:us-east-1:000000000000:t\",\"Condition\":{\"StringEquals\":{\"AWS:SourceOwner\":\"000000000000\"}}}]}",
        "SubscriptionsConfirmed": "1",
        "SubscriptionsDeleted": "0",
        "SubscriptionsPending": "0",
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:t"
      }
    }
    GetSubscriptionAttributes: {
      "Attributes": {
        "ConfirmationWasAuthenticated": "true",
        "Endpoint": "arn:aws:sqs:us-east-1:000000000000:q",
        "FilterPolicy": "{\"attr1\":[{\"numeric\":[\">\",0,\"<=\",100]}]}",
        "FilterPolicyScope": "MessageAttributes",
        "Owner": "000000000000",
        "PendingConfirmation": "false",
        "Protocol": "sqs",
        "RawMessageDelivery": "false",
        "SubscriptionArn": "arn:aws:sns:us-east-1:000000000000:t:<id>",
        "SubscriptionPrincipal": "arn:aws:iam::000000000000:user/laptop",
        "TopicArn": "arn:aws:sns:us-east-1:000000000000:t"
      }
    }
    ListSubscriptionsByTopic: {
      "Subscriptions": [
        {
          "SubscriptionArn": "arn:aws:sns:us-east-1:000000000000:t:<id>",
          "Owner": "000000000000",
          "Protocol": "sqs",
          "Endpoint": "arn:aws:sqs:us-east-1:000000000000:q",
          "TopicArn": "arn:aws:sns:us-east-1:000000000000:t"
        }
      ]
    }
    ListTopics: {
      "Topics": [
        {
          "TopicArn": "arn:aws:sns:us-east-1:000000000000:t"
        }
      ]
    }
    "#);
    world.ok("Unsubscribe", json!({ "SubscriptionArn": subscription })).await;
    world.ok("Unsubscribe", json!({ "SubscriptionArn": subscription })).await;
    let listed = world.ok("ListSubscriptions", json!({})).await;
    assert_eq!(listed, json!({ "Subscriptions": [] }));
}

/// A tiny endpoint: answers the n-th request with the n-th status, and gives what it got.
async fn endpoint(statuses: &'static [&'static str]) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        for status in statuses {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let read = socket.read(&mut buffer).await.unwrap();
                bytes.extend_from_slice(&buffer[..read]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let length = text.lines().find_map(|line| {
                    line.to_lowercase().strip_prefix("content-length: ")?.trim().parse::<usize>().ok()
                });
                if let (Some(start), Some(length)) = (text.find("\r\n\r\n"), length)
                    && bytes.len() >= start + 4 + length
                {
                    tell.send(text).unwrap();
                    break;
                }
            }
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, told)
}

async fn heard(told: &mut tokio::sync::mpsc::UnboundedReceiver<String>) -> String {
    tokio::time::timeout(Duration::from_secs(20), told.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn an_http_endpoint_confirms_and_a_failed_delivery_is_tried_again() {
    let world = world();
    let (url, mut told) = endpoint(&["200 OK", "200 OK", "500 Oh", "200 OK", "404 No"]).await;
    let topic = world.topic("t", json!({})).await;
    world.queue("dead").await;
    let policy = "{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:dead\"}";
    let attributes = json!({ "RawMessageDelivery": "true", "RedrivePolicy": policy });
    let subscribe = json!({ "TopicArn": topic, "Protocol": "http", "Endpoint": url, "Attributes": attributes });
    let answer = world.ok("Subscribe", subscribe.clone()).await;
    assert_eq!(answer["SubscriptionArn"], "pending confirmation");
    let sns = world.sns.clone();
    let deliverer = tokio::spawn(async move { sns.deliver().await });

    let asked = heard(&mut told).await;
    assert!(asked.contains("x-amz-sns-message-type: SubscriptionConfirmation"), "{asked}");
    let body: Value = serde_json::from_str(asked.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    world.ok("Publish", json!({ "TopicArn": topic, "Message": "too early" })).await;
    // Asking again asks the endpoint again, and only the newest token counts.
    world.ok("Subscribe", subscribe).await;
    let asked = heard(&mut told).await;
    let old = json!({ "TopicArn": topic, "Token": body["Token"] });
    assert_eq!(world.refused("ConfirmSubscription", old).await, "InvalidParameter: Invalid parameter: Token");
    let body: Value = serde_json::from_str(asked.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    world.ok("ConfirmSubscription", json!({ "TopicArn": topic, "Token": body["Token"] })).await;

    world.ok("Publish", json!({ "TopicArn": topic, "Message": "hello" })).await;
    assert!(heard(&mut told).await.ends_with("\r\n\r\nhello"));
    // The first answer was an error: after twenty seconds it comes again.
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.hand.fetch_add(20_000, Ordering::SeqCst);
    world.ok("Publish", json!({ "TopicArn": topic, "Message": "refused" })).await;
    let again = heard(&mut told).await;
    let refused = heard(&mut told).await;
    let mut both = [again, refused].map(|text| text.rsplit("\r\n\r\n").next().unwrap().to_owned());
    both.sort();
    assert_eq!(both, ["hello", "refused"]);
    // The last answer was 404, which no retry would change.
    let mut dead = Vec::new();
    while dead.is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
        dead = world.bodies("dead").await;
    }
    assert!(both.contains(&dead[0]), "{dead:?}");
    deliverer.abort();
}
