//! What botocore writes and reads is what this crate writes and reads, in both directions. The texts in `data/` are
//! botocore's own (`scripts/models/golden.py`).

use std::time::{Duration, UNIX_EPOCH};

use aws::codec::{self, Dialect, HttpResponse, Protocol, ResponseError};
use aws::server::{self, Incoming};
use aws::{Service, auth, models};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::{Map, Value};

#[derive(Deserialize)]
struct Sent {
    service: String,
    operation: String,
    params: Value,
    method: String,
    path: String,
    query: String,
    headers: Map<String, Value>,
    body: String,
    binary: bool,
}

impl Sent {
    fn all() -> Vec<Sent> {
        serde_json::from_str(include_str!("data/requests.json")).unwrap()
    }

    fn body(&self) -> Vec<u8> {
        if self.binary { STANDARD.decode(&self.body).unwrap() } else { self.body.clone().into_bytes() }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = header_map(&self.headers);
        headers.insert("host", HeaderValue::from_static("127.0.0.1:8083"));
        headers
    }
}

#[derive(Deserialize)]
struct Answered {
    service: String,
    operation: String,
    status: u16,
    headers: Map<String, Value>,
    body: String,
    parsed: Value,
}

impl Answered {
    fn all() -> Vec<Answered> {
        serde_json::from_str(include_str!("data/answers.json")).unwrap()
    }

    fn response(&self) -> HttpResponse {
        HttpResponse { status: self.status, headers: header_map(&self.headers), body: self.body.clone().into() }
    }
}

fn header_map(headers: &Map<String, Value>) -> HeaderMap {
    let header = |(name, value): (&String, &Value)| {
        (HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value.as_str().unwrap()).unwrap())
    };
    headers.iter().map(header).collect()
}

fn service(name: &str) -> std::sync::Arc<Service> {
    models().service(name).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn requests_are_written_as_botocore_writes_them() {
    for sent in Sent::all() {
        let called = format!("{}.{}", sent.service, sent.operation);
        let service = service(&sent.service);
        let operation = service.operation(&sent.operation).unwrap();
        let mut params = sent.params.clone();
        if sent.service == "Lambda" && sent.operation == "Invoke" && params.get("Payload").is_none() {
            params["Payload"] = Value::Null;
        }
        let request = codec::encode_request(&service, operation, params, Dialect::Native).expect(&called);
        assert_eq!(
            (&request.method, &request.path, &request.query),
            (&sent.method, &sent.path, &sent.query),
            "{called}"
        );
        for (name, value) in header_map(&sent.headers).iter() {
            if !["x-amz-date", "authorization"].contains(&name.as_str()) {
                assert_eq!(request.headers.get(name), Some(value), "{called}: {name}");
            }
        }
        match (serde_json::from_slice::<Value>(&request.body), serde_json::from_slice::<Value>(&sent.body())) {
            (Ok(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{called}"),
            _ => assert_eq!(String::from_utf8_lossy(&request.body), String::from_utf8_lossy(&sent.body()), "{called}"),
        }
    }
}

#[test]
fn requests_of_botocore_are_understood() {
    for sent in Sent::all() {
        let called = format!("{}.{}", sent.service, sent.operation);
        let (headers, body) = (sent.headers(), sent.body());
        let incoming =
            Incoming { method: &sent.method, path: &sent.path, query: &sent.query, headers: &headers, body: &body };
        let service = server::service_of(&incoming).expect(&called);
        assert_eq!(service.metadata.service_id, sent.service);
        let request = server::decode_request(&service, &incoming).unwrap_or_else(|error| panic!("{called}: {error:?}"));
        assert_eq!(request.operation.name, sent.operation);
        let mut params = request.params;
        if sent.operation == "Invoke" && sent.params.get("Payload").is_none() {
            assert_eq!(params.as_object_mut().unwrap().remove("Payload"), Some("".into()));
        }
        assert_eq!(params, sent.params, "{called}");
    }
}

#[test]
fn signatures_of_botocore_are_verified() {
    let now = UNIX_EPOCH + Duration::from_secs(1_767_323_045);
    for sent in Sent::all() {
        let (headers, body) = (sent.headers(), sent.body());
        let called = format!("{}.{}", sent.service, sent.operation);
        let incoming =
            Incoming { method: &sent.method, path: &sent.path, query: &sent.query, headers: &headers, body: &body };
        let verify = |secret: &'static str| auth::verify(&incoming, |_| Some(secret.into()), now, auth::CLOCK_SKEW);
        let scope = verify("test").unwrap_or_else(|error| panic!("{called}: {error}"));
        assert_eq!(scope.service, service(&sent.service).metadata.signing_name());
        assert_eq!(verify("other"), Err(auth::VerifyError::Mismatch));
    }
}

#[test]
fn answers_are_read_as_botocore_reads_them() {
    for answered in Answered::all() {
        let called = format!("{}.{} {}", answered.service, answered.operation, answered.status);
        let service = service(&answered.service);
        let operation = service.operation(&answered.operation).unwrap();
        match codec::decode_response(&service, operation, &answered.response(), Dialect::Native) {
            Ok(mut value) => {
                // botocore gives a body as it is; in the native dialect a blob is base64.
                if let Some(payload) = value.get_mut("Payload") {
                    let decoded = STANDARD.decode(payload.as_str().unwrap()).unwrap();
                    *payload = String::from_utf8(decoded).unwrap().into();
                }
                assert_eq!(value, answered.parsed, "{called}");
            }
            Err(ResponseError::Service(error)) => {
                let theirs = &answered.parsed["Error"];
                let code = error.query_code.as_deref().unwrap_or(&error.code);
                assert_eq!(theirs["Code"], code, "{called}");
                assert_eq!(theirs["Message"], error.message.clone().unwrap_or_default(), "{called}");
                assert_eq!(error.status, answered.status);
                assert_eq!(error.request_id.as_deref(), Some("11111111-2222-3333-4444-555555555555"));
            }
            Err(error) => panic!("{called}: {error}"),
        }
    }
}

#[test]
fn answers_that_are_written_are_read_again() {
    for answered in Answered::all().into_iter().filter(|answered| answered.status == 200) {
        let service = service(&answered.service);
        let operation = service.operation(&answered.operation).unwrap();
        let read = |response: &HttpResponse, protocol| {
            codec::decode_response_as(protocol, &service, operation, response, Dialect::Native).unwrap()
        };
        let own = Protocol::of(&service).unwrap();
        let result = read(&answered.response(), own);
        let also = service.metadata.query_compatible.then_some(Protocol::Query);
        for protocol in [own].into_iter().chain(also) {
            let written = server::encode_response(&service, operation, protocol, result.clone(), "id").unwrap();
            assert_eq!(read(&written, protocol), result, "{} {protocol:?}", answered.operation);
            assert_eq!(written.headers["x-amzn-requestid"], "id");
        }
    }
}

#[test]
fn errors_that_are_written_are_read_again() {
    for (name, exception) in [
        ("sqs", "QueueDoesNotExist"),
        ("sns", "NotFoundException"),
        ("sns", "InvalidParameterException"),
        ("lambda", "ResourceNotFoundException"),
        ("lambda", "TooManyRequestsException"),
        ("batch", "ClientException"),
        ("sfn", "StateMachineDoesNotExist"),
        ("sts", "MalformedPolicyDocumentException"),
    ] {
        let service = service(name);
        let operation = service.operations().next().unwrap();
        let own = Protocol::of(&service).unwrap();
        let also = service.metadata.query_compatible.then_some(Protocol::Query);
        for protocol in [own].into_iter().chain(also) {
            let error = aws::ServiceError::modelled(&service, exception, "it is <not> there");
            let written = server::encode_error(&service, protocol, &error, "id");
            let read = codec::decode_response_as(protocol, &service, operation, &written, Dialect::StateMachine);
            let Err(ResponseError::Service(read)) = read else { panic!("{read:?}") };
            assert_eq!(read.exception.as_deref(), Some(exception));
            assert_eq!(read.message, error.message);
            assert_eq!((read.status, read.fault, &read.query_code), (error.status, error.fault, &error.query_code));
            assert_eq!(read.request_id.as_deref(), Some("id"));
        }
    }
}
