//! Stories about events, from the publisher to the target.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::Events;
use crate::caller::Caller;
use crate::machines::{Machines, NotStarted, Starting};
use crate::sns::Sns;
use crate::sqs::Sqs;
use crate::store::{Clock, Store};

struct World {
    events: Events,
    sqs: Sqs,
    sns: Sns,
    store: Store,
    _dir: tempfile::TempDir,
}

fn caller() -> Caller {
    Caller {
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        base_url: "http://127.0.0.1:8083".to_owned(),
        trace: None,
    }
}

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

/// A queue `q`, and nothing else.
async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("laptop.db"), Clock::System).unwrap();
    let world = World {
        events: Events::new(store.clone()),
        sqs: Sqs::new(store.clone()),
        sns: Sns::new(store.clone()),
        store,
        _dir: dir,
    };
    world.queue("q").await;
    world
}

impl World {
    async fn ok(&self, operation: &str, params: Value) -> Value {
        self.events.call(operation, params, &caller()).await.unwrap()
    }

    async fn refused(&self, operation: &str, params: Value) -> String {
        self.events.call(operation, params, &caller()).await.unwrap_err().to_string()
    }

    async fn queue(&self, name: &str) {
        self.sqs.call("CreateQueue", json!({ "QueueName": name }), &caller()).await.unwrap();
    }

    /// The bodies of all messages in a queue.
    async fn bodies(&self, name: &str) -> Vec<Value> {
        let params = json!({
            "QueueUrl": format!("http://x/000000000000/{name}"), "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"],
        });
        let answer = self.sqs.call("ReceiveMessage", params, &caller()).await.unwrap();
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }

    /// The first message in the queue `q`, which is JSON.
    async fn seen(&self) -> Value {
        let messages = self.bodies("q").await;
        messages.first().map_or(Value::Null, |first| serde_json::from_str(first["Body"].as_str().unwrap()).unwrap())
    }

    async fn rule(&self, name: &str, pattern: Value, targets: Value) -> String {
        let made = self.ok("PutRule", json!({ "Name": name, "EventPattern": pattern.to_string() })).await;
        self.ok("PutTargets", json!({ "Rule": name, "Targets": targets })).await;
        made["RuleArn"].as_str().unwrap().to_owned()
    }

    async fn publish(&self, detail: Value) -> Value {
        let entry = json!({ "Source": "shop", "DetailType": "Order", "Detail": detail.to_string(),
                            "Time": 1_767_323_045, "Resources": ["arn:r"] });
        self.ok("PutEvents", json!({ "Entries": [entry] })).await
    }
}

#[tokio::test]
async fn an_event_is_in_the_queue_when_the_publisher_is_answered() {
    let world = world().await;
    let rule = world.rule("r", json!({ "source": ["shop"] }), json!([{ "Id": "q", "Arn": QUEUE }])).await;
    assert_eq!(rule, "arn:aws:events:us-east-1:000000000000:rule/r");
    let told = world.publish(json!({ "id": 7 })).await;
    assert_eq!(told["FailedEntryCount"], 0);
    assert_eq!(
        world.seen().await,
        json!({
            "version": "0", "id": told["Entries"][0]["EventId"], "detail-type": "Order", "source": "shop",
            "account": "000000000000", "time": "2026-01-02T03:04:05Z", "region": "us-east-1", "resources": ["arn:r"],
            "detail": { "id": 7 },
        })
    );
    world.ok("DisableRule", json!({ "Name": "r" })).await;
    world.publish(json!({})).await;
    assert_eq!(world.bodies("q").await, Vec::<Value>::new(), "nobody listens");
}

#[tokio::test]
async fn what_cannot_be_taken_has_its_own_error() {
    let world = world().await;
    world.rule("r", json!({ "source": ["shop"] }), json!([{ "Id": "q", "Arn": QUEUE, "InputPath": "$.detail" }])).await;
    let told = world
        .ok(
            "PutEvents",
            json!({ "Entries": [
                { "DetailType": "t", "Detail": "{}" },
                { "Source": "shop", "Detail": "{}" },
                { "Source": "shop", "DetailType": "t" },
                { "Source": "shop", "DetailType": "t", "Detail": "[1]" },
                { "Source": "shop", "DetailType": "t", "Detail": "{\"good\":true}" },
            ] }),
        )
        .await;
    let mut story = format!("{}\n", told["FailedEntryCount"]);
    for entry in told["Entries"].as_array().unwrap() {
        let text = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
        story.push_str(&format!("{}: {}\n", text("ErrorCode"), text("ErrorMessage")));
    }
    insta::assert_snapshot!(story, @r"
    4
    InvalidArgument: Parameter Source is not valid. Reason: Source is a required argument.
    InvalidArgument: Parameter DetailType is not valid. Reason: DetailType is a required argument.
    InvalidArgument: Parameter Detail is not valid. Reason: Detail is a required argument.
    MalformedDetail: Detail is malformed.
    -: -
    ");
    assert_eq!(world.seen().await, json!({ "good": true }));
    let entry = json!({ "Source": "s", "DetailType": "t", "Detail": "{}" });
    let refused = world.refused("PutEvents", json!({ "Entries": vec![entry; 11] })).await;
    assert!(refused.contains("Member must have length less than or equal to 10"), "{refused}");
    let long = json!({ "Source": "s", "DetailType": "t", "Detail": json!({ "x": "y".repeat(262_144) }).to_string() });
    let refused = world.refused("PutEvents", json!({ "Entries": [long] })).await;
    assert_eq!(refused, "ValidationException: Total size of the entries in the request is over the limit.");
}

#[tokio::test]
async fn topics_and_functions_are_told_too_and_dead_letters_are_kept() {
    let world = world().await;
    world.queue("dead").await;
    world.sns.call("CreateTopic", json!({ "Name": "t" }), &caller()).await.unwrap();
    let topic = "arn:aws:sns:us-east-1:000000000000:t";
    let subscription = json!({ "TopicArn": topic, "Protocol": "sqs", "Endpoint": QUEUE, "Attributes": { "RawMessageDelivery": "true" } });
    world.sns.call("Subscribe", subscription, &caller()).await.unwrap();
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let template = json!({ "InputPathsMap": { "id": "$.detail.id" }, "InputTemplate": "{\"order\": <id>}" });
    world
        .rule(
            "r",
            json!({ "detail": { "id": [{ "numeric": [">", 5] }] } }),
            json!([
                { "Id": "topic", "Arn": topic, "InputTransformer": template },
                { "Id": "function", "Arn": function, "InputPath": "$.detail" },
                { "Id": "gone", "Arn": "arn:aws:sqs:us-east-1:000000000000:none", "Input": "\"lost\"",
                  "DeadLetterConfig": { "Arn": "arn:aws:sqs:us-east-1:000000000000:dead" } },
            ]),
        )
        .await;
    world.publish(json!({ "id": 5 })).await;
    world.publish(json!({ "id": 7 })).await;
    assert_eq!(world.seen().await, json!({ "order": 7 }));
    let rows = world.store.call(|tx| {
        let mut rows = tx.db.prepare("SELECT function, payload FROM lambda_events")?;
        let rows = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    });
    assert_eq!(rows.await.unwrap(), [(function.to_owned(), b"{\"id\":7}".to_vec())]);
    let dead = world.bodies("dead").await;
    assert_eq!((dead.len(), &dead[0]["Body"]), (1, &json!("\"lost\"")));
    assert_eq!(dead[0]["MessageAttributes"]["ERROR_MESSAGE"]["StringValue"], "The specified queue does not exist.");
}

/// Fails at first, then starts; machines of the name `none` are not there.
#[derive(Default)]
struct Starts(Mutex<Vec<String>>);

impl Machines for Starts {
    fn start<'a>(&'a self, machine: &'a str, name: &'a str, input: &'a str) -> Starting<'a> {
        Box::pin(async move {
            let mut calls = self.0.lock().unwrap();
            calls.push(format!("{machine} {} {input}", &name[36..]));
            let not = |code: &str, again| Err(NotStarted { code: code.to_owned(), message: "no".to_owned(), again });
            match machine.rsplit(':').next() {
                Some("none") => not("StateMachineDoesNotExist", false),
                _ if calls.iter().filter(|call| call.starts_with(machine)).count() == 1 => {
                    not("ServiceUnavailable", true)
                }
                _ => Ok(()),
            }
        })
    }
}

#[tokio::test]
async fn machines_are_started_and_started_again() {
    let world = world().await;
    let machine = |name: &str| format!("arn:aws:states:us-east-1:000000000000:stateMachine:{name}");
    world
        .rule(
            "r",
            json!({ "source": ["shop"] }),
            json!([
                { "Id": "m", "Arn": machine("m"), "InputPath": "$.detail" },
                { "Id": "none", "Arn": machine("none"), "DeadLetterConfig": { "Arn": QUEUE }, "Input": "{}" },
            ]),
        )
        .await;
    world.publish(json!({ "n": 1 })).await;
    let starts = Starts::default();
    let rows = || {
        world
            .store
            .call(|tx| Ok(tx.db.query_row("SELECT count(*) FROM event_deliveries", [], |row| row.get::<_, i64>(0))?))
    };
    assert_eq!(rows().await.unwrap(), 2, "they are kept until they are started");
    tokio::select! {
        () = world.events.deliver(&starts) => {}
        () = async { while rows().await.unwrap() > 0 { tokio::time::sleep(Duration::from_millis(20)).await } } => {}
    }
    let mut calls = starts.0.lock().unwrap().clone();
    calls.sort();
    assert_eq!(
        calls,
        [
            format!("{} _m {{\"n\":1}}", machine("m")),
            format!("{} _m {{\"n\":1}}", machine("m")),
            format!("{} _none {{}}", machine("none")),
        ]
    );
    assert_eq!(
        world.bodies("q").await[0]["MessageAttributes"]["ERROR_CODE"]["StringValue"],
        "StateMachineDoesNotExist"
    );
}

#[tokio::test]
async fn buses_are_apart() {
    let world = world().await;
    world.ok("CreateEventBus", json!({ "Name": "own" })).await;
    let put = json!({ "Name": "r", "EventBusName": "own", "EventPattern": "{\"source\":[\"shop\"]}" });
    let made = world.ok("PutRule", put).await;
    assert_eq!(made["RuleArn"], "arn:aws:events:us-east-1:000000000000:rule/own/r");
    let target = json!([{ "Id": "q", "Arn": QUEUE, "InputPath": "$.detail" }]);
    world.ok("PutTargets", json!({ "Rule": "r", "EventBusName": "own", "Targets": target })).await;
    world.publish(json!({ "on": "default" })).await;
    let entry = json!({ "Source": "shop", "DetailType": "t", "Detail": "{\"on\":\"own\"}",
                        "EventBusName": "arn:aws:events:us-east-1:000000000000:event-bus/own" });
    world.ok("PutEvents", json!({ "Entries": [entry] })).await;
    let seen = world.bodies("q").await;
    assert_eq!(seen.iter().map(|message| message["Body"].clone()).collect::<Vec<_>>(), [json!("{\"on\":\"own\"}")]);
    let listed = world.ok("ListEventBuses", json!({})).await;
    let names: Vec<&Value> = listed["EventBuses"].as_array().unwrap().iter().map(|bus| &bus["Name"]).collect();
    assert_eq!(names, ["default", "own"]);
}

#[tokio::test]
async fn rules_are_described_listed_and_deleted() {
    let world = world().await;
    let target = json!([{ "Id": "q", "Arn": QUEUE }]);
    let arn = world.rule("b", json!({ "source": ["x"] }), target.clone()).await;
    world.rule("a", json!({ "source": ["x"] }), target).await;
    world.ok("TagResource", json!({ "ResourceARN": arn, "Tags": [{ "Key": "k", "Value": "v" }] })).await;
    let tags = world.ok("ListTagsForResource", json!({ "ResourceARN": arn })).await;
    assert_eq!(tags, json!({ "Tags": [{ "Key": "k", "Value": "v" }] }));
    let page = world.ok("ListRules", json!({ "Limit": 1 })).await;
    assert_eq!((&page["Rules"][0]["Name"], &page["NextToken"]), (&json!("a"), &json!("a")));
    let page = world.ok("ListRules", json!({ "NextToken": page["NextToken"] })).await;
    assert_eq!((&page["Rules"][0]["Name"], page.get("NextToken")), (&json!("b"), None));
    assert_eq!(world.ok("ListRuleNamesByTarget", json!({ "TargetArn": QUEUE })).await["RuleNames"], json!(["a", "b"]));
    assert_eq!(world.ok("DescribeRule", json!({ "Name": "b" })).await["State"], "ENABLED");
    let mut story = String::new();
    for (operation, params) in [
        ("DeleteRule", json!({ "Name": "b" })),
        ("DescribeRule", json!({ "Name": "none" })),
        ("PutRule", json!({ "Name": "c" })),
        ("PutRule", json!({ "Name": "c", "ScheduleExpression": "rate(1 minute)" })),
        ("PutRule", json!({ "Name": "c", "EventPattern": "{\"source\": \"x\"}" })),
        ("PutRule", json!({ "Name": "c", "EventPattern": "{\"source\": [\"x\"]}", "EventBusName": "none" })),
        ("PutTargets", json!({ "Rule": "b", "Targets": [{ "Id": "x", "Arn": "q" }] })),
        ("PutTargets", json!({ "Rule": "b", "Targets": [{ "Id": "x", "Arn": QUEUE, "Input": "{" }] })),
        (
            "PutTargets",
            json!({ "Rule": "b", "Targets": [{ "Id": "x", "Arn": QUEUE, "Input": "{}", "InputPath": "$" }] }),
        ),
        ("CreateArchive", json!({})),
    ] {
        story.push_str(&format!("{operation}: {}\n", world.refused(operation, params).await));
    }
    insta::assert_snapshot!(story, @r#"
    DeleteRule: ValidationException: Rule can't be deleted since it has targets.
    DescribeRule: ResourceNotFoundException: Rule none does not exist on EventBus default.
    PutRule: ValidationException: Parameter(s) EventPattern or ScheduleExpression must be specified.
    PutRule: ValidationException: The laptop's EventBridge has no schedules: a rule has an EventPattern.
    PutRule: InvalidEventPatternException: Event pattern is not valid. Reason: "source" must be an object or an array
    PutRule: ResourceNotFoundException: Event bus none does not exist.
    PutTargets: ValidationException: Parameter q is not valid. Reason: Provided Arn is not in correct format.
    PutTargets: ValidationException: JSON syntax error in input for target x
    PutTargets: ValidationException: Only one of Input, InputPath, or InputTransformer must be provided for target x.
    CreateArchive: UnsupportedOperation: The laptop's EventBridge does not have CreateArchive.
    "#);
    world.ok("RemoveTargets", json!({ "Rule": "b", "Ids": ["q"] })).await;
    world.ok("DeleteRule", json!({ "Name": "b" })).await;
    world.ok("DeleteRule", json!({ "Name": "b" })).await;
}

#[tokio::test]
async fn a_pattern_can_be_tried() {
    let world = world().await;
    let event = json!({ "id": "1", "account": "0", "source": "shop", "time": "t", "region": "r", "resources": [], "detail-type": "d" });
    let tried = |pattern: Value| json!({ "EventPattern": pattern.to_string(), "Event": event.to_string() });
    assert_eq!(world.ok("TestEventPattern", tried(json!({ "source": ["shop"] }))).await, json!({ "Result": true }));
    assert_eq!(world.ok("TestEventPattern", tried(json!({ "source": ["x"] }))).await, json!({ "Result": false }));
}
