//! Spans of executions: the tree that a tracer sees, whole after a crash, and nothing where nobody wants it.

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{House, task, until};
use engine::api::{CreateStateMachine, MachineType, StartExecution};
use engine::port::{Span, SpanKind};
use insta::assert_snapshot;
use machine::Status;
use serde_json::{Value, json};

const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

fn traced(machine_type: MachineType, definition: &str) -> CreateStateMachine {
    CreateStateMachine { machine_type, tracing: Some(json!({"enabled": true})), ..House::new_machine("m", definition) }
}

impl House {
    async fn traced(&self, definition: Value) -> Arc<str> {
        let request = traced(MachineType::Standard, &definition.to_string());
        self.engine.create_state_machine(request).await.unwrap().machine.arn
    }

    async fn start_in(&self, machine: &str, header: &str) -> Arc<str> {
        let request = StartExecution { trace_header: Some(header.into()), ..House::request(machine, "{}") };
        self.engine.start_execution(request).await.unwrap().arn
    }

    fn spans(&self) -> Vec<Span> {
        self.world.spans.lock().unwrap().clone()
    }

    async fn told(&self, spans: usize) -> Vec<Span> {
        until("all spans are told", || self.spans().len() >= spans).await;
        self.spans()
    }
}

/// The spans below each other, those beside each other by name and number.
fn tree(spans: &[Span]) -> String {
    let mut below: HashMap<_, Vec<&Span>> = HashMap::new();
    let ids: Vec<_> = spans.iter().map(|span| span.id).collect();
    for span in spans {
        below.entry(span.parent.filter(|parent| ids.contains(parent))).or_default().push(span);
    }
    let mut text = String::new();
    write(&mut text, &below, None, 0);
    text
}

fn write(text: &mut String, below: &HashMap<Option<[u8; 8]>, Vec<&Span>>, above: Option<[u8; 8]>, depth: usize) {
    let Some(spans) = below.get(&above) else { return };
    let mut spans = spans.clone();
    spans.sort_by_key(|span| (span.name.clone(), attribute(span, "state.index").and_then(|index| index.as_u64())));
    for span in spans {
        assert!(span.from <= span.until, "{span:?}");
        let status = attribute(span, "state.status").or(attribute(span, "execution.status")).unwrap();
        let events: Vec<_> = span.events.iter().map(|event| event.name).collect();
        let mut line = format!("{}{} {}", "  ".repeat(depth), span.name, status.as_str().unwrap());
        for name in ["state.index", "state.caught", "state.retries", "execution.redrive_count", "cause"] {
            if let Some(value) = attribute(span, name) {
                line += &format!(" {}={value}", name.rsplit('.').next().unwrap());
            }
        }
        let failed = span.failed.iter().map(|why| format!(" because of {why}"));
        let events = (!events.is_empty()).then(|| format!(" [{}]", events.join(" ")));
        line.extend(failed.chain(events));
        *text += &(line + "\n");
        write(text, below, Some(span.id), depth + 1);
    }
}

fn attribute(span: &Span, name: &str) -> Option<Value> {
    let name = format!("aws.step_functions.{name}");
    span.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
}

/// A task, or a callback's, with these parameters beside a message's own, and these fields.
fn message(parameters: Value, fields: Value) -> Value {
    let mut all = json!({"QueueUrl": "q", "MessageBody": "b"});
    all.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    let mut state = json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": all});
    state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    state
}

/// States one after the other.
fn chain<const N: usize>(states: [(&str, Value); N]) -> Value {
    let names = states.each_ref().map(|(name, _)| name.to_string());
    let mut all = json!({});
    for (place, (name, mut state)) in states.into_iter().enumerate() {
        match names.get(place + 1) {
            Some(next) => state["Next"] = json!(next),
            None => state["End"] = json!(true),
        }
        all[name] = state;
    }
    json!({"StartAt": names[0], "States": all})
}

#[tokio::test]
async fn an_execution_is_a_tree_of_its_states() {
    let house = House::new().await;
    let retry = json!({"Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxDelaySeconds": 1}]});
    let catch = |next: &str| json!({"Catch": [{"ErrorEquals": ["States.ALL"], "Next": next}]});
    let items = chain([("Item", json!({"Type": "Pass"}))]);
    let callback = json!({"Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken"});
    let both = [
        chain([("Tries", message(json!({"fail": "Busy", "times": 1}), retry))]),
        chain([
            ("Caught", message(json!({"fail": "Lost"}), catch("After"))),
            ("After", json!({"Type": "Pass", "Result": [1, 2]})),
        ]),
    ];
    let fails = [
        chain([("Refused", message(json!({"fail": "No"}), json!({})))]),
        chain([("Hangs", message(json!({"hang": true}), json!({})))]),
    ];
    let machine = house
        .traced(chain([
            ("Both", json!({"Type": "Parallel", "Branches": both})),
            ("Each", json!({"Type": "Map", "ItemsPath": "$[1]", "ItemProcessor": items})),
            ("Fails", json!({"Type": "Parallel", "Branches": fails, "Catch": catch("Asks")["Catch"]})),
            ("Asks", message(json!({"MessageBody": {"token.$": "$$.Task.Token"}}), callback)),
        ]))
        .await;
    let execution = house.start_in(&machine, HEADER).await;
    let token = || {
        let asked = house.world.asked.lock().unwrap();
        let asks = asked.iter().find(|request| &*request.state == "Asks")?;
        Some(asks.parameters.value()["MessageBody"]["token"].as_str()?.to_owned())
    };
    until("the token is sent", || token().is_some()).await;
    house.engine.task_success(&token().unwrap(), asl::Payload::empty_object()).await.unwrap();
    assert_eq!(house.engine.finished(&execution).await.unwrap().status, Status::Succeeded);
    let spans = house.told(12).await;
    assert_snapshot!(tree(&spans), @r"
    m SUCCEEDED
      Asks SUCCEEDED [submitted]
      Both SUCCEEDED
        After SUCCEEDED index=1
        Caught FAILED index=1 caught=true because of Lost [exception]
        Tries SUCCEEDED index=0 retries=1 [exception retry]
      Each SUCCEEDED
        Item SUCCEEDED index=0
        Item SUCCEEDED index=1
      Fails FAILED caught=true because of No
        Hangs ABORTED index=1 because of ABORTED
        Refused FAILED index=0 because of No [exception]
    ");
    let root = spans.iter().find(|span| span.kind == SpanKind::Execution).unwrap();
    assert_eq!(root.parent.unwrap(), 0x53995c3f42cd8ad8_u64.to_be_bytes());
    assert!(spans.iter().all(|span| span.trace == 0x5759e988bd862e3fe1be46a994272793_u128.to_be_bytes()));
    let requests = house.world.asked.lock().unwrap().clone();
    let asks = spans.iter().find(|span| &*span.name == "Asks").unwrap();
    let id: String = asks.id.iter().map(|byte| format!("{byte:02x}")).collect();
    let header = requests.iter().find(|request| &*request.state == "Asks").unwrap().trace.clone().unwrap();
    assert_eq!(*header, format!("Root=1-5759e988-bd862e3fe1be46a994272793;Parent={id};Sampled=1"));
    let told = format!("{spans:?}");
    assert!(!told.contains("a secret") && !told.contains(&token().unwrap()), "no payload and no secret: {told}");
    house.owes_nothing(1).await;
}

/// What was not told is owed: another process over the same store tells it, under the same names.
#[tokio::test]
async fn spans_survive_a_crash() {
    let house = House::new().await;
    house.world.deaf.store(u32::MAX, Ordering::Relaxed);
    let waits = json!({"Type": "Wait", "Seconds": 1});
    let machine = house.traced(chain([("First", json!({"Type": "Pass"})), ("Waits", waits)])).await;
    let execution = house.start_in(&machine, "").await;
    until("it waits", || house.world.deaf.load(Ordering::Relaxed) < u32::MAX).await;
    assert_eq!(house.owing(1).await, 1);
    let house = house.again().await;
    house.engine.finished(&execution).await.unwrap();
    let spans = house.told(3).await;
    assert_snapshot!(tree(&spans), @r"
    m SUCCEEDED
      First SUCCEEDED
      Waits SUCCEEDED
    ");
    let waits = spans.iter().find(|span| &*span.name == "Waits").unwrap();
    assert!((1_000..10_000).contains(&(waits.until - waits.from)), "from the log's times: {waits:?}");
    assert!(spans.iter().all(|span| span.trace == spans[0].trace), "the execution's own trace");
    house.owes_nothing(2).await;
    let again = house.again().await;
    again.engine.describe_execution(&execution).await.unwrap();
    assert!(again.spans().is_empty(), "what is settled is not told again");
}

#[tokio::test]
async fn a_redrive_is_a_span_of_the_same_trace() {
    let house = House::new().await;
    let branches = [
        chain([("Good", json!({"Type": "Pass"}))]),
        chain([("Bad", message(json!({"fail": "No", "times": 1}), json!({})))]),
    ];
    let machine = house.traced(chain([("Both", json!({"Type": "Parallel", "Branches": branches}))])).await;
    let execution = house.start_in(&machine, HEADER).await;
    assert_eq!(house.engine.finished(&execution).await.unwrap().status, Status::Failed);
    let before = house.told(4).await;
    assert_snapshot!(tree(&before), @r"
    m FAILED because of No
      Both FAILED because of No
        Bad FAILED index=1 because of No [exception]
        Good SUCCEEDED index=0
    ");
    house.engine.redrive_execution(&execution, None).await.unwrap();
    assert_eq!(house.engine.finished(&execution).await.unwrap().status, Status::Succeeded);
    let all = house.told(before.len() + 3).await;
    assert_snapshot!(tree(&all[before.len()..]), @r"
    m SUCCEEDED redrive_count=1
      Both SUCCEEDED
        Bad SUCCEEDED index=1
    ");
    assert!(all.iter().all(|span| span.trace == all[0].trace));
    let ids: std::collections::HashSet<_> = all.iter().map(|span| span.id).collect();
    assert_eq!(ids.len(), all.len(), "each has a name of its own");
}

#[tokio::test]
async fn what_is_left_open_ends_with_the_execution() {
    let house = House::new().await;
    let branches = [
        chain([("Hangs", message(json!({"hang": true}), json!({})))]),
        chain([("Waits", json!({"Type": "Wait", "Seconds": 9}))]),
    ];
    let machine = house.traced(chain([("Both", json!({"Type": "Parallel", "Branches": branches}))])).await;
    let execution = house.start_in(&machine, "").await;
    house.engine.stop_execution(&execution, Some("Enough".into()), None).await.unwrap();
    assert_snapshot!(tree(&house.told(4).await), @r"
    m ABORTED because of Enough
      Both ABORTED because of ABORTED
        Hangs ABORTED index=0 because of ABORTED
        Waits ABORTED index=1 because of ABORTED
    ");
}

#[tokio::test]
async fn express_executions_have_spans_too() {
    let house = House::new().await;
    let refused = chain([("Refused", message(json!({"fail": "No"}), json!({})))]);
    let fails = chain([("Each", json!({"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": refused}))]);
    let mut request = traced(MachineType::Express, &fails.to_string());
    // Who wants the executions' data in the log may have the causes here.
    let group = json!({"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"});
    request.logging = Some(json!({
        "level": "FATAL", "includeExecutionData": true, "destinations": [{"cloudWatchLogsLogGroup": group}],
    }));
    let machine = house.engine.create_state_machine(request).await.unwrap().machine.arn;
    let start = StartExecution { trace_header: Some(HEADER.into()), ..House::request(&machine, r#"{"items": [1]}"#) };
    house.engine.start_sync_execution(start).await.unwrap();
    assert_snapshot!(tree(&house.told(3).await), @r#"
    m FAILED cause="a secret" because of No
      Each FAILED cause="a secret" because of No
        Refused FAILED index=0 cause="a secret" because of No [exception]
    "#);
}

#[tokio::test]
async fn nothing_is_told_where_nobody_wants_it() {
    let house = House::new().await;
    let machine = house.machine(&task(json!({}))).await;
    let execution = house.start_in(&machine, HEADER).await;
    house.engine.finished(&execution).await.unwrap();
    assert_eq!(house.world.asked.lock().unwrap()[0].trace, None, "tracing is not enabled");
    let request = CreateStateMachine { name: "n".into(), ..traced(MachineType::Standard, &task(json!({}))) };
    let machine = house.engine.create_state_machine(request).await.unwrap().machine.arn;
    let unsampled = house.start_in(&machine, &HEADER.replace("Sampled=1", "Sampled=0")).await;
    house.engine.finished(&unsampled).await.unwrap();
    let header = house.world.asked.lock().unwrap()[1].trace.clone().unwrap();
    assert!(header.ends_with("Sampled=0"), "{header}");
    // A third one is told, and comes after both.
    let last = house.start_in(&machine, HEADER).await;
    house.engine.finished(&last).await.unwrap();
    let spans = house.told(2).await;
    assert!(spans.iter().all(|span| attribute(span, "execution.arn") == Some(json!(&*last))), "{spans:?}");
}
