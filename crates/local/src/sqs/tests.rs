//! Stories about queues: what was called, what was answered. The clock is the test's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::Sqs;
use crate::caller::Caller;
use crate::error::Answer;
use crate::store::{Clock, Store};

struct World {
    sqs: Sqs,
    hand: Arc<AtomicI64>,
    caller: Caller,
    _dir: tempfile::TempDir,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let (clock, hand) = Clock::manual(1_700_000_000_000);
    let store = Store::open(&dir.path().join("laptop.db"), clock).unwrap();
    World {
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
    async fn call(&self, operation: &str, params: Value) -> Answer {
        self.sqs.call(operation, params, &self.caller).await
    }

    async fn ok(&self, operation: &str, params: Value) -> Value {
        self.call(operation, params).await.unwrap()
    }

    /// Code and text of a refused call.
    async fn refused(&self, operation: &str, params: Value) -> String {
        self.call(operation, params).await.unwrap_err().to_string()
    }

    async fn queue(&self, name: &str, attributes: Value) -> String {
        let answer = self.ok("CreateQueue", json!({ "QueueName": name, "Attributes": attributes })).await;
        answer["QueueUrl"].as_str().unwrap().to_owned()
    }

    async fn send(&self, url: &str, body: &str) -> Value {
        self.ok("SendMessage", json!({ "QueueUrl": url, "MessageBody": body })).await
    }

    async fn send_fifo(&self, url: &str, body: &str, group: &str) -> Value {
        self.ok(
            "SendMessage",
            json!({ "QueueUrl": url, "MessageBody": body, "MessageGroupId": group, "MessageDeduplicationId": body }),
        )
        .await
    }

    /// Receive up to ten messages, giving body and receipt handle of each.
    async fn receive(&self, url: &str) -> Vec<(String, String)> {
        let answer = self.ok("ReceiveMessage", json!({ "QueueUrl": url, "MaxNumberOfMessages": 10 })).await;
        answer["Messages"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|message| {
                let text = |name: &str| message[name].as_str().unwrap().to_owned();
                (text("Body"), text("ReceiptHandle"))
            })
            .collect()
    }

    async fn bodies(&self, url: &str) -> Vec<String> {
        self.receive(url).await.into_iter().map(|(body, _)| body).collect()
    }

    fn pass(&self, seconds: i64) {
        self.hand.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_message_is_sent_received_hidden_shown_again_and_deleted() {
    let world = world();
    let url = world.queue("q", json!({})).await;
    assert_eq!(url, "http://127.0.0.1:8083/000000000000/q");
    let sent = world.send(&url, "test_message_body").await;
    assert_eq!(sent["MD5OfMessageBody"].as_str().map(str::len), Some(32));

    assert_eq!(world.bodies(&url).await, ["test_message_body"]);
    assert_eq!(world.bodies(&url).await, [""; 0], "in flight");
    world.pass(29);
    assert_eq!(world.bodies(&url).await, [""; 0]);
    world.pass(1);
    let again = world.receive(&url).await;
    assert_eq!(again.len(), 1, "after thirty seconds it is visible again");

    let delete = json!({ "QueueUrl": url, "ReceiptHandle": again[0].1 });
    world.ok("DeleteMessage", delete.clone()).await;
    world.ok("DeleteMessage", delete).await;
    world.pass(60);
    assert_eq!(world.bodies(&url).await, [""; 0]);
}

#[tokio::test]
async fn the_attributes_of_a_queue_are_those_of_aws() {
    let world = world();
    let url = world.queue("q", json!({ "VisibilityTimeout": "20" })).await;
    let answer = world.ok("GetQueueAttributes", json!({ "QueueUrl": url, "AttributeNames": ["All"] })).await;
    insta::assert_json_snapshot!(answer, @r#"
    {
      "Attributes": {
        "QueueArn": "arn:aws:sqs:us-east-1:000000000000:q",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
        "ApproximateNumberOfMessagesDelayed": "0",
        "CreatedTimestamp": "1700000000",
        "LastModifiedTimestamp": "1700000000",
        "VisibilityTimeout": "20",
        "MaximumMessageSize": "1048576",
        "MessageRetentionPeriod": "345600",
        "DelaySeconds": "0",
        "ReceiveMessageWaitTimeSeconds": "0",
        "SqsManagedSseEnabled": "true"
      }
    }
    "#);
}

#[tokio::test]
async fn messages_are_counted_by_where_they_are() {
    let world = world();
    let url = world.queue("q", json!({})).await;
    for body in ["a", "b", "c"] {
        world.send(&url, body).await;
    }
    world.ok("SendMessage", json!({ "QueueUrl": url, "MessageBody": "later", "DelaySeconds": 5 })).await;
    world.ok("ReceiveMessage", json!({ "QueueUrl": url })).await;
    let names =
        ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"];
    let answer = world.ok("GetQueueAttributes", json!({ "QueueUrl": url, "AttributeNames": names })).await;
    let counts: Vec<&str> = names.iter().map(|name| answer["Attributes"][name].as_str().unwrap()).collect();
    assert_eq!(counts, ["2", "1", "1"]);
    world.pass(5);
    assert_eq!(world.bodies(&url).await, ["b", "c", "later"]);
}

#[tokio::test]
async fn calls_that_aws_refuses_are_refused_in_its_words() {
    let world = world();
    let url = world.queue("q", json!({ "DelaySeconds": "1" })).await;
    let fifo = world.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    let mut said = Vec::new();
    for (operation, params) in [
        ("GetQueueUrl", json!({ "QueueName": "none" })),
        ("SendMessage", json!({ "QueueUrl": "http://127.0.0.1/000000000000/none", "MessageBody": "x" })),
        ("CreateQueue", json!({ "QueueName": "q", "Attributes": { "DelaySeconds": "2" } })),
        ("CreateQueue", json!({ "QueueName": "a b" })),
        ("CreateQueue", json!({ "QueueName": "a", "Attributes": { "FifoQueue": "true" } })),
        ("CreateQueue", json!({ "QueueName": "a", "Attributes": { "VisibilityTimeout": "43201" } })),
        ("SetQueueAttributes", json!({ "QueueUrl": url, "Attributes": { "FifoQueue": "true" } })),
        ("SetQueueAttributes", json!({ "QueueUrl": fifo, "Attributes": { "FifoQueue": "false" } })),
        (
            "SetQueueAttributes",
            json!({ "QueueUrl": url, "Attributes": { "RedrivePolicy": "{\"deadLetterTargetArn\": \"dummy\", \"maxReceiveCount\": 42}" } }),
        ),
        ("GetQueueAttributes", json!({ "QueueUrl": url, "AttributeNames": ["Colour"] })),
        ("SendMessage", json!({ "QueueUrl": url, "MessageBody": "" })),
        ("SendMessage", json!({ "QueueUrl": url, "MessageBody": "\u{1}" })),
        ("SendMessage", json!({ "QueueUrl": url, "MessageBody": "x".repeat(1_048_577) })),
        (
            "SendMessage",
            json!({ "QueueUrl": url, "MessageBody": "x", "MessageAttributes": { "ErrorDetails": { "DataType": "String", "StringValue": "" } } }),
        ),
        ("SendMessage", json!({ "QueueUrl": fifo, "MessageBody": "x", "MessageDeduplicationId": "1" })),
        ("SendMessage", json!({ "QueueUrl": fifo, "MessageBody": "x", "MessageGroupId": "1" })),
        (
            "SendMessage",
            json!({ "QueueUrl": fifo, "MessageBody": "x", "MessageGroupId": "1", "MessageDeduplicationId": "1", "DelaySeconds": 2 }),
        ),
        ("SendMessageBatch", json!({ "QueueUrl": fifo, "Entries": [{ "Id": "1", "MessageBody": "x" }] })),
        ("SendMessageBatch", json!({ "QueueUrl": url, "Entries": [{ "Id": "in:valid", "MessageBody": "x" }] })),
        ("SendMessageBatch", json!({ "QueueUrl": url, "Entries": [] })),
        ("ReceiveMessage", json!({ "QueueUrl": url, "MaxNumberOfMessages": 11 })),
        ("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": "garbage" })),
        ("StartMessageMoveTask", json!({})),
    ] {
        said.push(world.refused(operation, params).await);
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    QueueDoesNotExist: The specified queue does not exist.
    QueueDoesNotExist: The specified queue does not exist.
    QueueNameExists: A queue already exists with the same name and a different value for attribute DelaySeconds
    InvalidParameterValueException: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length
    InvalidParameterValueException: The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.
    InvalidAttributeValue: Invalid value for the parameter VisibilityTimeout.
    InvalidAttributeName: Unknown Attribute FifoQueue.
    InvalidAttributeValue: Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.
    InvalidParameterValueException: Value {"deadLetterTargetArn": "dummy", "maxReceiveCount": 42} for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn.
    InvalidAttributeName: Unknown Attribute Colour.
    MissingRequiredParameterException: The request must contain the parameter MessageBody.
    InvalidMessageContents: Invalid binary character '#x1' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF
    InvalidParameterValueException: One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes.
    InvalidParameterValueException: Message (user) attribute 'ErrorDetails' must contain a non-empty value of type 'String'.
    MissingRequiredParameterException: The request must contain the parameter MessageGroupId.
    InvalidParameterValueException: The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly
    InvalidParameterValueException: Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid for this queue type.
    InvalidParameterValueException: The request must contain the parameter MessageGroupId.
    InvalidBatchEntryId: A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.
    EmptyBatchRequest: There should be at least one entry in the request.
    InvalidParameterValueException: Value 11 for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.
    ReceiptHandleIsInvalid: The input receipt handle "garbage" is not a valid receipt handle.
    UnsupportedOperation: The laptop's SQS does not have StartMessageMoveTask.
    "#);
}

#[tokio::test]
async fn a_queue_is_created_once_listed_in_pages_and_gone_when_deleted() {
    let world = world();
    for name in ["b-1", "a-2", "a-1"] {
        world.queue(name, json!({})).await;
    }
    world.queue("a-1", json!({ "DelaySeconds": "0" })).await;
    let page = world.ok("ListQueues", json!({ "QueueNamePrefix": "a-", "MaxResults": 1 })).await;
    assert_eq!(page["QueueUrls"], json!(["http://127.0.0.1:8083/000000000000/a-1"]));
    let next = world
        .ok("ListQueues", json!({ "QueueNamePrefix": "a-", "MaxResults": 1, "NextToken": page["NextToken"] }))
        .await;
    assert_eq!(next, json!({ "QueueUrls": ["http://127.0.0.1:8083/000000000000/a-2"] }));

    let url = &page["QueueUrls"][0];
    world.ok("DeleteQueue", json!({ "QueueUrl": url })).await;
    let error = world.refused("GetQueueUrl", json!({ "QueueName": "a-1" })).await;
    assert_eq!(error, "QueueDoesNotExist: The specified queue does not exist.");
    assert_eq!(world.ok("ListQueues", json!({ "QueueNamePrefix": "z" })).await, json!({}));
}

#[tokio::test]
async fn only_the_attributes_that_were_asked_for_come_with_a_message() {
    let world = world();
    let url = world.queue("q", json!({ "VisibilityTimeout": "0" })).await;
    world
        .ok(
            "SendMessage",
            json!({ "QueueUrl": url, "MessageBody": "msg", "MessageAttributes": {
                "Help.Me": { "DataType": "String", "StringValue": "Me" },
                "Hello": { "DataType": "String", "StringValue": "There" },
                "General": { "DataType": "String", "StringValue": "Kenobi" },
            } }),
        )
        .await;
    // The digests are AWS's own for these selections.
    for (names, digest) in [
        (json!(["All"]), Some("4c360f3fdafd970e05fae2f149d997f5")),
        (json!([".*"]), Some("4c360f3fdafd970e05fae2f149d997f5")),
        (json!(["Foo", "Bar"]), None),
        (json!(["General", "Hello"]), Some("fca026605781cb4126a1e9044df24232")),
        (json!(["Hello", "Foo"]), Some("a311262e065454b75da111d535b8dacd")),
        (json!(["Hel.*"]), Some("83fee93c1bcd8b9a5a923ffacdc636c7")),
        (json!([]), None),
    ] {
        let answer = world
            .ok(
                "ReceiveMessage",
                json!({ "QueueUrl": url, "MessageAttributeNames": names, "AttributeNames": ["SenderId"] }),
            )
            .await;
        let message = &answer["Messages"][0];
        assert_eq!(message["MD5OfMessageAttributes"].as_str(), digest, "{names}");
        assert_eq!(message["Attributes"], json!({ "SenderId": "000000000000" }));
    }
}

#[tokio::test]
async fn a_group_is_closed_while_one_of_its_messages_is_in_flight() {
    let world = world();
    let url = world.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    for (body, group) in [("a1", "a"), ("a2", "a"), ("b1", "b"), ("a3", "a")] {
        world.send_fifo(&url, body, group).await;
    }
    let first = world.ok("ReceiveMessage", json!({ "QueueUrl": url })).await;
    assert_eq!(first["Messages"][0]["Body"], "a1");
    let others = world.receive(&url).await;
    assert_eq!(others.iter().map(|(body, _)| body.as_str()).collect::<Vec<_>>(), ["b1"]);
    world.ok("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": first["Messages"][0]["ReceiptHandle"] })).await;
    let rest = world.receive(&url).await;
    assert_eq!(rest.iter().map(|(body, _)| body.as_str()).collect::<Vec<_>>(), ["a2", "a3"]);

    // An expired receipt is refused, and the order stays.
    world.pass(30);
    let late = world.refused("DeleteMessage", json!({ "QueueUrl": url, "ReceiptHandle": rest[0].1 })).await;
    assert!(late.ends_with("Reason: The receipt handle has expired."), "{late}");
    assert_eq!(world.bodies(&url).await, ["a2", "b1", "a3"]);
}

#[tokio::test]
async fn a_repeated_message_is_taken_once_within_five_minutes() {
    let world = world();
    let url = world.queue("q.fifo", json!({ "FifoQueue": "true", "ContentBasedDeduplication": "true" })).await;
    let send = json!({ "QueueUrl": url, "MessageBody": "Test", "MessageGroupId": "g" });
    let first = world.ok("SendMessage", send.clone()).await;
    assert_eq!(first, world.ok("SendMessage", send.clone()).await);
    let received = world
        .ok("ReceiveMessage", json!({ "QueueUrl": url, "MaxNumberOfMessages": 10, "AttributeNames": ["All"] }))
        .await;
    let messages = received["Messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1);
    let attributes = &messages[0]["Attributes"];
    assert_eq!(attributes["SequenceNumber"], first["SequenceNumber"]);
    assert_eq!(
        attributes["MessageDeduplicationId"],
        "532eaabd9574880dbf76b9b8cc00832c20a6ec113d682299550d7a6e0f345e25"
    );
    world.pass(300);
    let later = world.ok("SendMessage", send).await;
    assert_ne!(later["MessageId"], first["MessageId"]);
    assert!(later["SequenceNumber"].as_str() > first["SequenceNumber"].as_str());
}

#[tokio::test]
async fn a_message_that_nobody_deletes_goes_to_the_dead_letters() {
    let world = world();
    let dead = world.queue("dead", json!({})).await;
    let policy = json!({ "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": "2" });
    let url = world.queue("q", json!({ "VisibilityTimeout": "0", "RedrivePolicy": policy.to_string() })).await;
    world.send(&url, "poison").await;
    assert_eq!(world.bodies(&url).await, ["poison"]);
    assert_eq!(world.bodies(&url).await, ["poison"]);
    assert_eq!(world.bodies(&url).await, [""; 0]);
    let buried = world.ok("ReceiveMessage", json!({ "QueueUrl": dead, "AttributeNames": ["All"] })).await;
    assert_eq!(buried["Messages"][0]["Body"], "poison");
    assert_eq!(buried["Messages"][0]["Attributes"]["DeadLetterQueueSourceArn"], "arn:aws:sqs:us-east-1:000000000000:q");
    assert_eq!(
        world.ok("ListDeadLetterSourceQueues", json!({ "QueueUrl": dead })).await,
        json!({ "queueUrls": [url] })
    );
}

#[tokio::test]
async fn a_batch_fails_entry_by_entry() {
    let world = world();
    let url = world.queue("q", json!({})).await;
    let answer = world
        .ok(
            "SendMessageBatch",
            json!({ "QueueUrl": url, "Entries": [
            { "Id": "1", "MessageBody": "a" },
            { "Id": "2", "MessageBody": "" },
        ] }),
        )
        .await;
    assert_eq!(answer["Successful"][0]["Id"], "1");
    assert_eq!(
        answer["Failed"],
        json!([{ "Id": "2", "Code": "MissingParameter", "Message": "The request must contain the parameter MessageBody.", "SenderFault": true }])
    );
    let received = world.receive(&url).await;
    let entries: Vec<Value> = received
        .iter()
        .map(|(_, handle)| json!({ "Id": "x", "ReceiptHandle": handle, "VisibilityTimeout": 0 }))
        .collect();
    world.ok("ChangeMessageVisibilityBatch", json!({ "QueueUrl": url, "Entries": entries })).await;
    let received = world.receive(&url).await;
    assert_eq!(received.len(), 1, "visible at once");
    let answer = world
        .ok(
            "DeleteMessageBatch",
            json!({ "QueueUrl": url, "Entries": [{ "Id": "x", "ReceiptHandle": received[0].1 }] }),
        )
        .await;
    assert_eq!(answer, json!({ "Successful": [{ "Id": "x" }] }));
}

#[tokio::test]
async fn old_messages_are_gone_and_purging_is_allowed_once_a_minute() {
    let world = world();
    let url = world.queue("q", json!({ "MessageRetentionPeriod": "60" })).await;
    world.send(&url, "old").await;
    world.pass(60);
    assert_eq!(world.bodies(&url).await, [""; 0]);
    world.sqs.sweep().await.unwrap();
    world.send(&url, "new").await;
    world.ok("PurgeQueue", json!({ "QueueUrl": url })).await;
    assert_eq!(world.bodies(&url).await, [""; 0]);
    assert_eq!(
        world.refused("PurgeQueue", json!({ "QueueUrl": url })).await,
        "PurgeQueueInProgress: Only one PurgeQueue operation on q is allowed every 60 seconds."
    );
}

#[tokio::test]
async fn tags_are_kept() {
    let world = world();
    let url = world.queue("q", json!({})).await;
    world.ok("TagQueue", json!({ "QueueUrl": url, "Tags": { "tag1": "value1", "tag2": "value2", "tag3": "" } })).await;
    world.ok("UntagQueue", json!({ "QueueUrl": url, "TagKeys": ["tag1", "tag3"] })).await;
    assert_eq!(world.ok("ListQueueTags", json!({ "QueueUrl": url })).await, json!({ "Tags": { "tag2": "value2" } }));
}

#[tokio::test]
async fn a_long_poll_ends_when_a_message_comes() {
    let world = world();
    let url = world.queue("q", json!({})).await;
    let poll = json!({ "QueueUrl": url, "WaitTimeSeconds": 20 });
    let started = std::time::Instant::now();
    let (received, _) = tokio::join!(world.ok("ReceiveMessage", poll), async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        world.send(&url, "news").await
    });
    assert_eq!(received["Messages"][0]["Body"], "news");
    assert!(started.elapsed().as_secs() < 10);

    let empty = world.ok("ReceiveMessage", json!({ "QueueUrl": url, "WaitTimeSeconds": 1 })).await;
    assert_eq!(empty, json!({}));
}

/// What chance does to a FIFO queue.
#[derive(Debug, Clone)]
enum Act {
    Send {
        group: usize,
    },
    /// Receive up to so many.
    Receive {
        most: usize,
    },
    /// Delete the n-th of the messages in flight.
    Delete {
        which: usize,
    },
    /// Show the n-th of the messages in flight again at once.
    Release {
        which: usize,
    },
    Pass {
        seconds: i64,
    },
}

fn act() -> impl proptest::strategy::Strategy<Value = Act> {
    use proptest::prelude::*;
    prop_oneof![
        (0..3_usize).prop_map(|group| Act::Send { group }),
        (1..=10_usize).prop_map(|most| Act::Receive { most }),
        (0..8_usize).prop_map(|which| Act::Delete { which }),
        (0..8_usize).prop_map(|which| Act::Release { which }),
        (1..40_i64).prop_map(|seconds| Act::Pass { seconds }),
    ]
}

/// The simplest model of a FIFO queue: per group the bodies that are there, in order, and who is hidden until when.
#[derive(Default)]
struct Model {
    groups: [Vec<(String, i64)>; 3],
}

impl Model {
    /// What may be received: the front of each group that has nothing in flight.
    fn open(&self, now: i64) -> [Vec<&str>; 3] {
        self.groups.each_ref().map(|group| {
            let closed = group.iter().any(|(_, hidden)| *hidden > now);
            if closed { Vec::new() } else { group.iter().map(|(body, _)| body.as_str()).collect() }
        })
    }

    fn entry(&mut self, body: &str) -> Option<&mut (String, i64)> {
        self.groups.iter_mut().flatten().find(|(known, _)| known == body)
    }
}

async fn fifo_story(acts: Vec<Act>) {
    let world = world();
    let url = world.queue("q.fifo", json!({ "FifoQueue": "true" })).await;
    let (mut model, mut flying, mut sent, mut now) = (Model::default(), Vec::<(String, String)>::new(), 0, 0);
    for act in acts {
        match act {
            Act::Send { group } => {
                let body = format!("{group}-{sent}");
                sent += 1;
                world.send_fifo(&url, &body, &group.to_string()).await;
                model.groups[group].push((body, 0));
            }
            Act::Receive { most } => {
                let params = json!({ "QueueUrl": url, "MaxNumberOfMessages": most });
                let answer = world.ok("ReceiveMessage", params).await;
                let got = answer["Messages"].as_array().cloned().unwrap_or_default();
                let open = model.open(now).map(|group| group.into_iter().map(str::to_owned).collect::<Vec<_>>());
                let available: usize = open.iter().map(Vec::len).sum();
                assert_eq!(got.len(), available.min(most), "as many as there are");
                let mut next = open.map(Vec::into_iter);
                for message in got {
                    let body = message["Body"].as_str().unwrap().to_owned();
                    let group: usize = body[..1].parse().unwrap();
                    assert_eq!(next[group].next().as_deref(), Some(body.as_str()), "each group in its order");
                    model.entry(&body).unwrap().1 = now + 30;
                    flying.retain(|(known, _)| *known != body);
                    flying.push((body, message["ReceiptHandle"].as_str().unwrap().to_owned()));
                }
            }
            Act::Delete { which } | Act::Release { which } if which < flying.len() => {
                let (body, handle) = flying.remove(which);
                let alive = model.entry(&body).is_some_and(|(_, hidden)| *hidden > now);
                let delete = matches!(act, Act::Delete { .. });
                let operation = if delete { "DeleteMessage" } else { "ChangeMessageVisibility" };
                let params = json!({ "QueueUrl": url, "ReceiptHandle": handle, "VisibilityTimeout": 0 });
                let answer = world.call(operation, params).await;
                assert_eq!(answer.is_ok(), alive, "an expired receipt is worth nothing");
                if alive && delete {
                    model.groups.iter_mut().for_each(|group| group.retain(|(known, _)| *known != body));
                } else if alive {
                    model.entry(&body).unwrap().1 = 0;
                }
            }
            Act::Delete { .. } | Act::Release { .. } => {}
            Act::Pass { seconds } => {
                now += seconds;
                world.pass(seconds);
            }
        }
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 32, ..Default::default() })]

    /// Whatever happens, a group's messages come in order, one holder at a time, and none is lost.
    #[test]
    fn a_fifo_queue_is_what_its_simplest_model_is(acts in proptest::collection::vec(act(), 1..60)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(fifo_story(acts));
    }
}
