//! Whatever a model allows comes through: a client's parameters reach the service as they are, and the service's result
//! comes back as it is, in every protocol, for every operation of every service in the file.

use aws::codec::{self, Dialect, Protocol};
use aws::model::{Kind, Location, Member, Ref};
use aws::server::{self, Incoming};
use aws::{Operation, Service, models};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Deeper than this only values without parts are made.
const DEPTH: usize = 4;

/// Makes values of a shape, at random from a seed.
struct Maker<'a> {
    service: &'a Service,
    random: fastrand::Rng,
}

impl Maker<'_> {
    fn structure(&mut self, reference: &Ref, depth: usize) -> Map<String, Value> {
        let Some(structure) = self.service.structure(reference) else { return Map::new() };
        let mut made = Map::new();
        for (at, member) in structure.members.iter().enumerate() {
            let location = if depth == 0 { member.target.location } else { None };
            // Labels and the status are always there; an absent body and an empty one look the same, and so do no headers
            // of a prefix.
            let place = matches!(location, Some(Location::Uri | Location::StatusCode | Location::Headers));
            let always = place || structure.payload == Some(at);
            let host = depth == 0 && member.target.host_label;
            if always || host || self.random.u8(..10) < 6 {
                let value = match location {
                    _ if host => Some(json!("host-label")),
                    Some(Location::StatusCode) => Some(json!(200)),
                    // Without a prefix these are all headers of the answer, those of HTTP as well.
                    Some(Location::Headers) if all_headers(member) => None,
                    Some(location) => self.located(&member.target, location),
                    None => self.value(&member.target, depth + 1),
                };
                made.extend(value.map(|value| (member.name.clone(), value)));
            }
        }
        made
    }

    fn value(&mut self, reference: &Ref, depth: usize) -> Option<Value> {
        let service = self.service;
        Some(match &service.shape(reference.shape).kind {
            Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. } if depth > DEPTH => return None,
            Kind::Structure(_) => Value::Object(self.structure(reference, depth)),
            Kind::List { element, .. } => {
                (0..self.random.usize(1..4)).filter_map(|_| self.value(element, depth + 1)).collect()
            }
            Kind::Map { value, .. } => {
                let count = self.random.usize(1..4);
                let entry = |_| Some((self.text(), self.value(value, depth + 1)?));
                Value::Object((0..count).filter_map(entry).collect())
            }
            Kind::String => self.text().into(),
            Kind::Blob => {
                let length = self.random.usize(..20);
                STANDARD.encode(std::iter::repeat_with(|| self.random.u8(..)).take(length).collect::<Vec<_>>()).into()
            }
            Kind::Boolean => self.random.bool().into(),
            Kind::Integer => self.random.i32(..).into(),
            Kind::Float => (f64::from(self.random.i32(..)) + 0.5).into(),
            Kind::Timestamp(_) => self.random.i64(0..4_000_000_000).into(),
            Kind::Document => json!({"a": [self.random.i32(..), null, {"b": self.text()}]}),
        })
    }

    /// A value that stands in the address or in a header.
    fn located(&mut self, reference: &Ref, location: Location) -> Option<Value> {
        let service = self.service;
        let header = matches!(location, Location::Header | Location::Headers);
        Some(match &service.shape(reference.shape).kind {
            Kind::List { element, .. } => {
                (0..self.random.usize(1..4)).filter_map(|_| self.located(element, location)).collect()
            }
            Kind::Map { value, .. } => {
                let item = match &service.shape(value.shape).kind {
                    Kind::List { .. } => json!([self.word(), self.word()]),
                    _ => json!(self.word()),
                };
                json!({self.word().replace(['"', ','], "-").to_ascii_lowercase(): item})
            }
            Kind::String if header => self.word().into(),
            Kind::String => format!("{}x", self.text()).into(),
            _ => self.value(reference, 0)?,
        })
    }

    fn text(&mut self) -> String {
        const LETTERS: &[char] = &[
            'a', 'Z', '0', ' ', '+', '&', '=', '<', '>', '"', '\'', '%', '/', '.', '-', '~', '\n', '\r', 'ü', '💡', ':',
        ];
        (0..self.random.usize(..12)).map(|_| LETTERS[self.random.usize(..LETTERS.len())]).collect()
    }

    fn word(&mut self) -> String {
        const LETTERS: &[u8] = b"abcXYZ019-_\",\\";
        (0..self.random.usize(1..8)).map(|_| LETTERS[self.random.usize(..12)] as char).collect()
    }
}

fn all_headers(member: &Member) -> bool {
    member.target.location == Some(Location::Headers) && member.target.wire.as_deref().unwrap_or_default().is_empty()
}

/// Forms and XML cannot tell an empty list, map or structure from none.
fn without_empties(value: Value) -> Option<Value> {
    match value {
        Value::Object(entries) => {
            let kept = entries.into_iter().filter_map(|(key, value)| Some((key, without_empties(value)?)));
            let kept: Map<_, _> = kept.collect();
            (!kept.is_empty()).then_some(Value::Object(kept))
        }
        Value::Array(items) => {
            let kept: Vec<_> = items.into_iter().filter_map(without_empties).collect();
            (!kept.is_empty()).then_some(Value::Array(kept))
        }
        value => Some(value),
    }
}

fn same(protocol: Protocol, one: Value, other: Value) -> bool {
    match protocol {
        Protocol::Query => without_empties(one) == without_empties(other),
        _ => one == other,
    }
}

fn there(service: &Service, operation: &Operation, protocol: Protocol, params: Value) {
    let request = codec::encode_request_as(protocol, service, operation, params.clone(), Dialect::Native)
        .unwrap_or_else(|error| panic!("{}: {error}\n{params}", operation.name));
    let incoming = Incoming {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        headers: &request.headers,
        body: &request.body,
    };
    let read = server::decode_request(service, &incoming).unwrap_or_else(|error| panic!("{error:?}\n{request:?}"));
    assert_eq!((read.operation.name.as_str(), read.protocol), (operation.name.as_str(), protocol));
    assert!(same(protocol, read.params.clone(), params.clone()), "{}\n{}\n{params}", operation.name, read.params);
}

fn back(service: &Service, operation: &Operation, protocol: Protocol, result: Value) {
    let response = server::encode_response(service, operation, protocol, result.clone(), "id")
        .unwrap_or_else(|error| panic!("{}: {error}\n{result}", operation.name));
    let mut read = codec::decode_response_as(protocol, service, operation, &response, Dialect::Native)
        .unwrap_or_else(|error| panic!("{}: {error}\n{response:?}", operation.name));
    for member in operation.output.iter().flat_map(|output| service.members(output)) {
        if all_headers(member) {
            read.as_object_mut().unwrap().remove(&member.name);
        }
    }
    assert!(same(protocol, read.clone(), result.clone()), "{}\n{read}\n{result}", operation.name);
}

fn protocols(service: &Service) -> Vec<Protocol> {
    let own = Protocol::of(service).ok();
    own.into_iter().chain(service.metadata.query_compatible.then_some(Protocol::Query)).collect()
}

fn streams(service: &Service, operation: &Operation) -> bool {
    let shapes = operation.input.iter().chain(&operation.output);
    shapes.flat_map(|shape| service.members(shape)).any(|member| member.target.event_stream)
}

/// Services that are answered with this crate, so that its two sides have to fit.
const SERVED: &[&str] = &["batch", "dynamodb", "eventbridge", "lambda", "sfn", "sns", "sqs", "sts"];

/// What is written is compared with another client's in tests/wire/test_models.py; here it is written at all.
#[test]
fn every_operation_of_every_service_can_be_written() {
    let mut written = 0;
    for entry in models().entries() {
        let service = models().service(&entry.name).unwrap();
        let mut maker = Maker { service: &service, random: fastrand::Rng::with_seed(7) };
        for operation in service.operations().filter(|operation| !streams(&service, operation)) {
            let params = operation.input.as_ref().map(|input| maker.structure(input, 0)).unwrap_or_default();
            let request = codec::encode_request(&service, operation, Value::Object(params), Dialect::Native)
                .unwrap_or_else(|error| panic!("{}.{}: {error}", service.name, operation.name));
            assert!(request.path.starts_with('/') && !request.path.contains(['{', '}', ' ']), "{}", request.path);
            written += 1;
        }
    }
    assert!(written > 19_700, "{written}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_operation_there_and_back(seed: u64) {
        for name in SERVED {
            let service = models().service(name).unwrap();
            for protocol in protocols(&service) {
                let random = fastrand::Rng::with_seed(seed);
                let mut maker = Maker { service: &service, random };
                for operation in service.operations().filter(|operation| !streams(&service, operation)) {
                    let params = operation.input.as_ref().map(|input| maker.structure(input, 0)).unwrap_or_default();
                    there(&service, operation, protocol, Value::Object(params));
                    let result = operation.output.as_ref().map(|output| maker.structure(output, 0)).unwrap_or_default();
                    back(&service, operation, protocol, Value::Object(result));
                }
            }
        }
    }

    /// Nothing that comes in makes the codec panic.
    #[test]
    fn noise_is_refused_or_read(noise in proptest::collection::vec(any::<u8>(), 0..200), pick: usize) {
        let texts: [&[u8]; 6] = [b"", b"{\"a\":", b"Action=Publish&", b"<a>", b"{\"Messages\":[", b"Action=SendMessage&Attribute.1."];
        let body: Vec<u8> = texts[pick % texts.len()].iter().chain(&noise).copied().collect();
        let path = format!("/{}", String::from_utf8_lossy(&noise));
        let mut headers = http::HeaderMap::new();
        let kinds = ["application/x-www-form-urlencoded", "application/x-amz-json-1.0", "application/json"];
        headers.insert("content-type", http::HeaderValue::from_static(kinds[pick % kinds.len()]));
        headers.insert("x-amz-target", http::HeaderValue::from_static("AmazonSQS.SendMessage"));
        for name in SERVED {
            let service = models().service(name).unwrap();
            let method = ["GET", "POST", "PUT", "DELETE"][pick % 4];
            let incoming = Incoming { method, path: &path, query: &path, headers: &headers, body: &body };
            let _ = server::decode_request(&service, &incoming);
            let _ = server::service_of(&incoming);
            let response = codec::HttpResponse { status: 200 + (pick % 4) as u16 * 100, headers: headers.clone(), body: body.clone().into() };
            for operation in service.operations() {
                let _ = codec::decode_response(&service, operation, &response, Dialect::StateMachine);
            }
        }
    }
}
