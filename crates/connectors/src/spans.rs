//! Spans on their way out: to an OpenTelemetry collector, by OTLP over HTTP.
//!
//! What the collector is and how it is spoken to is said by OpenTelemetry's own environment variables
//! (`OTEL_EXPORTER_OTLP_ENDPOINT`, `_HEADERS`, `_TIMEOUT`, …, `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`), which its
//! crates read; the settings can name the endpoint too. Without an endpoint nothing is sent.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws::Transport;
use bytes::Bytes;
use engine::port::{Span, SpanKind, Unreachable};
use opentelemetry::trace::{Event, SpanContext, Status, TraceFlags, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceId, trace};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use serde_json::Value;

use machine::Timestamp;

/// Either of them names an endpoint; the first for spans alone, with its whole path.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];

/// Where the settings' endpoint takes spans.
const PATH: &str = "/v1/traces";

/// A collector that takes so long has not taken them.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where spans go.
#[derive(Debug)]
pub struct SpanSink {
    exporter: SpanExporter,
    scope: InstrumentationScope,
    answered: Answered,
}

/// What came of the latest request: the exporter itself tells little of it.
type Answered = Arc<Mutex<Result<u16, String>>>;

impl SpanSink {
    /// The collector that the environment or the settings name, if they do. `endpoint` is as in
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, which is stronger.
    pub fn open(
        endpoint: Option<&str>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<SpanSink>, String> {
        let is = |name: &str, value: &str| environment(name).is_some_and(|set| set.eq_ignore_ascii_case(value));
        let named = ENDPOINTS.iter().any(|name| environment(name).is_some_and(|url| !url.is_empty()));
        if !(named || endpoint.is_some()) || is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
            return Ok(None);
        }
        let protocol = PROTOCOLS.iter().find_map(|name| Some((name, environment(name)?)));
        if let Some((name, protocol)) = protocol.filter(|(_, protocol)| protocol != "http/protobuf") {
            return Err(format!("{name}={protocol}: only http/protobuf is spoken here"));
        }
        let answered = Arc::new(Mutex::new(Ok(200)));
        let wire = Wire { transport: Transport::default(), answered: answered.clone() };
        let builder = SpanExporter::builder().with_http().with_http_client(wire).with_protocol(Protocol::HttpBinary);
        // Its own pauses would hold a thread up; what is not taken is sent again by the engine.
        let builder = builder.with_retry_policy(RetryPolicy::disabled());
        let builder = match endpoint.filter(|_| !named) {
            Some(endpoint) => builder.with_endpoint(format!("{}{PATH}", endpoint.trim_end_matches('/'))),
            None => builder,
        };
        let mut exporter = builder.build().map_err(|error| format!("spans cannot be exported: {error}"))?;
        let resource = Resource::builder();
        let attributes = environment("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let has_name = environment("OTEL_SERVICE_NAME").is_some() || attributes.contains("service.name=");
        let resource = if has_name { resource } else { resource.with_service_name("stepwell") };
        exporter.set_resource(&resource.build());
        let scope = InstrumentationScope::builder("stepwell").with_version(env!("CARGO_PKG_VERSION")).build();
        Ok(Some(SpanSink { exporter, scope, answered }))
    }

    pub(crate) async fn export(&self, spans: &[Span]) -> Result<(), Unreachable> {
        let batch = spans.iter().map(|span| self.data(span)).collect();
        if self.exporter.export(batch).await.is_ok() {
            return Ok(());
        }
        match self.answered.lock().expect("no panic while held").clone() {
            // It will not be taken at another time either.
            Ok(status) if (400..500).contains(&status) && ![408, 429].contains(&status) => {
                tracing::warn!(status, "the collector refuses spans, and they are dropped");
                Ok(())
            }
            Ok(status) => Err(Unreachable(format!("the collector of spans answered with status {status}"))),
            Err(reason) => Err(Unreachable(format!("the collector of spans: {reason}"))),
        }
    }

    fn data(&self, span: &Span) -> SpanData {
        let id = SpanId::from_bytes(span.id);
        let trace = TraceId::from_bytes(span.trace);
        SpanData {
            span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::default()),
            parent_span_id: span.parent.map_or(SpanId::INVALID, SpanId::from_bytes),
            parent_span_is_remote: span.parent_is_remote && span.parent.is_some(),
            span_kind: match span.kind {
                SpanKind::Execution => trace::SpanKind::Server,
                SpanKind::Task => trace::SpanKind::Client,
                SpanKind::State => trace::SpanKind::Internal,
            },
            name: span.name.to_string().into(),
            start_time: time(span.from),
            end_time: time(span.until),
            attributes: attributes(&span.attributes),
            dropped_attributes_count: 0,
            events: {
                let event = |event: &engine::port::SpanEvent| {
                    Event::new(event.name, time(event.at), attributes(&event.attributes), 0)
                };
                let mut events = SpanEvents::default();
                events.events = span.events.iter().map(event).collect();
                events
            },
            links: SpanLinks::default(),
            status: match &span.failed {
                Some(why) => Status::error(why.clone()),
                None => Status::Unset,
            },
            instrumentation_scope: self.scope.clone(),
        }
    }
}

fn time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.max(0).unsigned_abs())
}

fn attributes(given: &[(&'static str, Value)]) -> Vec<KeyValue> {
    let attribute = |(name, value): &(&'static str, Value)| match value {
        Value::Bool(value) => KeyValue::new(*name, *value),
        Value::Number(number) => KeyValue::new(*name, number.as_i64().unwrap_or_default()),
        Value::String(text) => KeyValue::new(*name, text.clone()),
        other => KeyValue::new(*name, other.to_string()),
    };
    given.iter().map(attribute).collect()
}

/// The house's own connections.
#[derive(Debug)]
struct Wire {
    transport: Transport,
    answered: Answered,
}

#[async_trait]
impl HttpClient for Wire {
    async fn send_bytes(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpError> {
        let response = match tokio::time::timeout(TIMEOUT, self.transport.request(request)).await {
            Ok(response) => response.map_err(|unsent| unsent.to_string()),
            Err(_) => Err(format!("no answer within {TIMEOUT:?}")),
        };
        let answered = response.as_ref().map(|response| response.status().as_u16());
        *self.answered.lock().expect("no panic while held") = answered.map_err(Clone::clone);
        Ok(response?)
    }
}
