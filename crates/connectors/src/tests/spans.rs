//! Spans as a collector hears them, and the header that goes on with a trace.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use engine::port::{Connector, Span, SpanEvent, SpanKind};
use insta::assert_snapshot;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
use prost::Message;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::world::{Home, Stub, connectors, http, ok, task};
use crate::SpanSink;

/// A collector that keeps what it is sent, and answers with these statuses in turn; 200 after the last.
struct Collector {
    url: String,
    heard: Arc<Mutex<Vec<(String, ExportTraceServiceRequest)>>>,
}

impl Collector {
    async fn start(statuses: &'static [u16]) -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let collector = Collector { url, heard: heard.clone() };
        tokio::spawn(async move {
            let mut statuses = statuses.iter();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                let request = loop {
                    let mut part = [0; 4096];
                    let read = stream.read(&mut part).await.unwrap();
                    bytes.extend_from_slice(&part[..read]);
                    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
                    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                    if bytes.len() - end - 4 >= length.parse::<usize>().unwrap() {
                        break (head, ExportTraceServiceRequest::decode(&bytes[end + 4..]).unwrap());
                    }
                };
                heard.lock().unwrap().push(request);
                let status = statuses.next().copied().unwrap_or(200);
                let answer = http(status, "connection: close\r\n", "");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        collector
    }

    fn told(&self) -> Vec<(String, ExportTraceServiceRequest)> {
        self.heard.lock().unwrap().clone()
    }
}

fn sink(endpoint: Option<&str>, variables: &[(&str, &str)]) -> Result<Option<SpanSink>, String> {
    let variables: HashMap<&str, &str> = variables.iter().copied().collect();
    SpanSink::open(endpoint, |name| variables.get(name).map(|value| (*value).to_owned()))
}

fn span() -> Span {
    Span {
        trace: 0x5759e988bd862e3fe1be46a994272793_u128.to_be_bytes(),
        id: 7_u64.to_be_bytes(),
        parent: Some(0x53995c3f42cd8ad8_u64.to_be_bytes()),
        parent_is_remote: true,
        name: "orders".into(),
        kind: SpanKind::Execution,
        from: 1_800_000_000_000,
        until: 1_800_086_400_123,
        failed: Some("No".to_owned()),
        attributes: vec![("text", json!("a")), ("count", json!(3)), ("caught", json!(true))],
        events: vec![SpanEvent {
            at: 1_800_000_000_500,
            name: "exception",
            attributes: vec![("exception.type", json!("No"))],
        }],
    }
}

#[tokio::test]
async fn a_collector_is_told_in_otlp() {
    let collector = Collector::start(&[]).await;
    let sink = sink(Some(&format!("{}/", collector.url)), &[]).unwrap().unwrap();
    sink.export(&[span()]).await.unwrap();
    let (head, request) = &collector.told()[0];
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf"), "{head}");
    let resource = request.resource_spans[0].resource.as_ref().unwrap();
    let service = resource.attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
    let value = service.value.as_ref().unwrap().value.clone();
    assert_eq!(value, Some(any_value::Value::StringValue("stepwell".to_owned())));
    let told = &request.resource_spans[0].scope_spans[0].spans[0];
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let attributes: Vec<_> = told
        .attributes
        .iter()
        .map(|a| format!("{}={:?}", a.key, a.value.as_ref().unwrap().value.as_ref().unwrap()))
        .collect();
    let (status, event) = (told.status.as_ref().unwrap(), &told.events[0]);
    let names = format!("{} {} below {}", hex(&told.trace_id), hex(&told.span_id), hex(&told.parent_span_id));
    let times = format!("{}..{}", told.start_time_unix_nano, told.end_time_unix_nano);
    let what = format!("{} kind {} status {} {}", told.name, told.kind, status.code, status.message);
    let event = format!("{} at {}", event.name, event.time_unix_nano);
    assert_snapshot!([names, times, what, attributes.join(" "), event].join("\n"), @r#"
    5759e988bd862e3fe1be46a994272793 0000000000000007 below 53995c3f42cd8ad8
    1800000000000000000..1800086400123000000
    orders kind 2 status 2 No
    text=StringValue("a") count=IntValue(3) caught=BoolValue(true)
    exception at 1800000000500000000
    "#);
}

#[tokio::test]
async fn what_a_collector_refuses_for_good_is_not_sent_again() {
    let collector = Collector::start(&[503, 429, 400]).await;
    let sink = sink(Some(&collector.url), &[]).unwrap().unwrap();
    for is_taken in [false, false, true, true] {
        assert_eq!(sink.export(&[span()]).await.is_ok(), is_taken);
    }
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = self::sink(Some(&format!("http://{gone}")), &[]).unwrap().unwrap();
    let error = nobody.export(&[span()]).await.unwrap_err().to_string().replace(&gone.to_string(), "…");
    assert_snapshot!(error, @r"
    the collector of spans: Unable to execute HTTP request: Connect to … failed: Connection refused
    ");
}

#[test]
fn without_an_endpoint_there_is_no_collector() {
    assert!(sink(None, &[]).unwrap().is_none());
    let set = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
    assert!(sink(None, &[set]).unwrap().is_some());
    assert!(sink(None, &[set, ("OTEL_SDK_DISABLED", "true")]).unwrap().is_none());
    assert!(sink(None, &[set, ("OTEL_TRACES_EXPORTER", "none")]).unwrap().is_none());
    let refused = sink(None, &[set, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).unwrap_err();
    assert_snapshot!(refused, @r"
    OTEL_EXPORTER_OTLP_PROTOCOL=grpc: only http/protobuf is spoken here
    ");
    assert!(sink(Some("no address"), &[]).is_err());
}

/// Services get it as AWS's own SDKs send it; a child is started with it, unless its parameters have their own.
#[tokio::test]
async fn calls_go_on_with_the_trace() {
    const TRACE: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=0000000000000007;Sampled=1";
    let service = Stub::saying(&[ok("{}")]).await;
    let home = Home::new(|_, _| {
        Ok(json!({"executionArn": "arn:aws:states:us-east-1:000000000000:execution:c:c", "startDate": 1.5}))
    });
    let connectors = connectors(&[("AWS_ENDPOINT_URL", &service.url)]);
    connectors.attach(home.clone());
    let machine = "arn:aws:states:us-east-1:000000000000:stateMachine:c";
    for (resource, parameters) in [
        ("arn:aws:states:::sqs:sendMessage", json!({"QueueUrl": "q", "MessageBody": "b"})),
        ("arn:aws:states:::lambda:invoke", json!({"FunctionName": "f"})),
        ("arn:aws:states:::states:startExecution", json!({"StateMachineArn": machine, "Name": "c"})),
        (
            "arn:aws:states:::states:startExecution",
            json!({"StateMachineArn": machine, "Name": "c", "TraceHeader": "own"}),
        ),
    ] {
        let mut traced = task(resource, parameters);
        traced.trace = Some(TRACE.into());
        connectors.start(traced).await;
    }
    connectors.start(task("arn:aws:states:::sqs:sendMessage", json!({"QueueUrl": "q", "MessageBody": "b"}))).await;
    assert_eq!(service.header("x-amzn-trace-id"), [TRACE, TRACE, ""]);
    let asked: Vec<String> = home.asked.lock().unwrap().clone();
    assert!(asked[0].contains(&format!(r#""traceHeader":"{TRACE}""#)), "{asked:?}");
    assert!(asked[1].contains(r#""traceHeader":"own""#), "{asked:?}");
}
