//! Calls: over the wire by the `aws` client, or in this process where the service is our own API.
//!
//! A call is tried again only while that can do no harm: where nothing was sent, where the service says that it did
//! nothing, and otherwise only where a second call is as good as one. All else goes straight to the state's Retry.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws::client::{Connection, Http, Plain};
use aws::codec::{self, Dialect, HttpResponse};
use aws::endpoint::{Endpoint, EndpointError, Source};
use aws::{Answer, CallContext, CallError, Client, Endpoints, Service, ServiceError};
use engine::port::{Api, ApiError};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use jiff::fmt::rfc2822::DateTimePrinter;
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::identity::Identity;

/// The first pause before another attempt; it doubles, and its half is left to chance.
const PAUSE: Duration = Duration::from_millis(100);
/// The same after throttling.
const THROTTLED_PAUSE: Duration = Duration::from_secs(1);

/// One call.
pub(crate) struct Errand<'a> {
    pub service: &'a Service,
    pub operation: &'a str,
    /// In a state machine's names.
    pub parameters: Value,
    /// Whose services are called: of the task's role, else of the execution.
    pub account: &'a str,
    /// The state machine's role.
    pub role: &'a str,
    /// The role in the task's `Credentials`.
    pub task_role: Option<&'a str>,
    pub region: &'a str,
    pub idempotency_key: &'a str,
    /// X-Ray's header.
    pub trace: Option<&'a str>,
    pub attempts: u32,
    pub timeout: Duration,
    /// Whether a second call is as good as one.
    pub harmless: bool,
    pub to_queue_url: bool,
}

pub(crate) struct Caller {
    client: Client,
    endpoints: Endpoints,
    identity: Identity,
    api: OnceLock<Arc<dyn Api>>,
    /// For each service, how many calls may be under way.
    in_flight: usize,
    permits: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Caller {
    pub fn new(client: Client, endpoints: Endpoints, identity: Identity, in_flight: usize) -> Caller {
        Caller { client, endpoints, identity, api: OnceLock::new(), in_flight, permits: Mutex::default() }
    }

    pub fn attach(&self, api: Arc<dyn Api>) -> bool {
        self.api.set(api).is_ok()
    }

    /// Whether a call is for this installation's own API: always, unless somebody set an endpoint for it.
    pub fn is_home(&self, service: &Service, operation: &str, region: &str) -> bool {
        service.name == "sfn"
            && !self
                .endpoints
                .resolve_operation(&service.name, operation, region)
                .is_ok_and(|endpoint| matches!(endpoint.source, Source::Settings | Source::ServiceVariable))
    }

    /// Whether the service is real AWS.
    pub fn is_aws(&self, service: &Service, region: &str) -> bool {
        !self.is_home(service, "", region)
            && self.endpoints.resolve(&service.name, region).is_ok_and(|endpoint| endpoint.is_aws())
    }

    pub async fn call(&self, errand: Errand<'_>) -> Result<Answer, CallError> {
        let home = self.is_home(errand.service, errand.operation, errand.region);
        let credentials = if home { None } else { self.identity.of(&errand, &self.client, &self.endpoints).await? };
        let headers = trace_header(errand.trace);
        let context = CallContext {
            credentials,
            headers,
            endpoint_from_queue_url: errand.to_queue_url && is_elsewhere(&errand.parameters),
            timeout: errand.timeout,
            idempotency_token: Some(errand.idempotency_key.to_owned()),
            ..CallContext::new(errand.region)
        };
        let mut attempt = 1;
        loop {
            let called = if home {
                self.call_home(&errand).await
            } else {
                let _permit = self.permit(&errand.service.name).await;
                let Errand { service, operation, parameters, .. } = &errand;
                self.client.call(&service.name, operation, parameters.clone(), &context).await
            };
            match called {
                Err(error) if attempt < errand.attempts && is_worth_it(&error, errand.harmless) => {
                    let pause = pause(attempt, is_throttling(&error));
                    tracing::debug!(service = errand.service.name, operation = errand.operation, attempt, %error, "trying again");
                    tokio::time::sleep(pause).await;
                    attempt += 1;
                }
                outcome => return outcome.map(|answer| Answer { attempts: attempt, ..answer }),
            }
        }
    }

    /// A request that no model describes, once; signed for the errand's service where that is wanted.
    pub async fn send(
        &self,
        request: &Plain,
        headers: HeaderMap,
        signed: bool,
        errand: &Errand<'_>,
    ) -> Result<HttpResponse, CallError> {
        // What AWS gives for AWS goes nowhere else.
        let is_meant = request.endpoint.is_aws() || !self.is_aws(errand.service, errand.region);
        let credentials = match signed && is_meant {
            true => self.identity.of(errand, &self.client, &self.endpoints).await?,
            false => None,
        };
        let mut all_headers = trace_header(errand.trace);
        all_headers.extend(headers);
        let (headers, timeout) = (all_headers, errand.timeout);
        let context = CallContext { credentials, headers, timeout, ..CallContext::new(errand.region) };
        let _permit = self.permit(&errand.service.name).await;
        self.client.send(request, signed.then(|| errand.service.metadata.signing_name()), &context).await
    }

    /// Where a service is.
    pub fn endpoint(&self, service: &str, region: &str) -> Result<Endpoint, EndpointError> {
        self.endpoints.resolve(service, region)
    }

    async fn permit(&self, service: &str) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let permits = {
            let mut permits = self.permits.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Arc::new(Semaphore::new(self.in_flight));
            permits.entry(service.to_owned()).or_insert_with(new).clone()
        };
        // It is never closed.
        permits.acquire_owned().await.ok()
    }

    /// The same codecs as on the wire, without the wire.
    async fn call_home(&self, errand: &Errand<'_>) -> Result<Answer, CallError> {
        let Errand { service, operation, parameters, account, .. } = errand;
        let request_id = uuid::Uuid::new_v4().to_string();
        let operation = service.operation(operation).ok_or_else(|| CallError::NoSuchOperation {
            service: service.name.clone(),
            operation: (*operation).to_owned(),
        })?;
        let request = codec::encode_request(service, operation, parameters.clone(), Dialect::StateMachine)
            .map_err(CallError::Params)?;
        let mut native: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        if let (Some(trace), true, Value::Object(native)) =
            (errand.trace, operation.name.starts_with("Start"), &mut native)
        {
            native.entry("traceHeader").or_insert_with(|| trace.into());
        }
        let answered = match self.api.get() {
            Some(api) => api.call(account, &operation.name, native).await,
            None => Err(ApiError {
                code: "ServiceUnavailable".into(),
                message: "This installation has not started yet.".into(),
                status: 503,
            }),
        };
        match answered {
            Ok(value) => {
                let body = value.to_string();
                let headers = home_headers(body.len(), &request_id);
                let response = HttpResponse { status: 200, headers, body: body.into() };
                let value = codec::decode_response(service, operation, &response, Dialect::StateMachine)
                    .map_err(|error| CallError::Answer(codec_error(error)))?;
                let http = Http { status: response.status, headers: response.headers };
                Ok(Answer { value, http, request_id: Some(request_id), attempts: 1 })
            }
            Err(ApiError { code, message, status }) => {
                let mut error = ServiceError::plain(code, status, message);
                error.exception = service.exception(&error.code).map(|(shape, _)| shape.name.as_str().into());
                error.request_id = Some(request_id.as_str().into());
                let http = Http { status, headers: home_headers(0, &request_id) };
                Err(CallError::Service { error: Box::new(error), http, attempts: 1 })
            }
        }
    }
}

/// SQS and EventBridge hand it on with the message, SNS too; Lambda gives it to the function.
fn trace_header(trace: Option<&str>) -> HeaderMap {
    let value = trace.and_then(|trace| HeaderValue::from_str(trace).ok());
    value.map(|value| (HeaderName::from_static("x-amzn-trace-id"), value)).into_iter().collect()
}

/// An answer of status 200 can only fail to be read.
fn codec_error(error: codec::ResponseError) -> aws::CodecError {
    match error {
        codec::ResponseError::Codec(error) => error,
        codec::ResponseError::Service(_) => unreachable!("a response of status 200 is no error"),
    }
}

fn home_headers(length: usize, request_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.0"));
    let now = DateTimePrinter::new().timestamp_to_rfc9110_string(&jiff::Timestamp::now()).unwrap_or_default();
    for (name, value) in [(DATE.as_str(), now.as_str()), ("x-amzn-requestid", request_id)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(http::HeaderName::from_bytes(name.as_bytes()).expect("a constant name"), value);
        }
    }
    headers
}

/// Names under which a machine knows itself; a QueueUrl with one of them means the configured endpoint.
const HERE: &[&str] = &["localhost", "localhost.localstack.cloud"];

/// Whether the QueueUrl names a host of its own. One of this machine does not: in a container it is somebody else, and
/// the configured endpoint knows better.
fn is_elsewhere(parameters: &Value) -> bool {
    let url = parameters.get("QueueUrl").and_then(Value::as_str).unwrap_or_default();
    let Some(uri) = url.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some()) else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
    let here = HERE.iter().any(|name| host == *name || host.ends_with(&format!(".{name}")));
    let local = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified());
    !host.is_empty() && !here && !local
}

/// How far a connection came.
#[derive(Debug, PartialEq)]
enum Reached {
    /// The host has no address.
    Nothing,
    /// The host has one, and nobody took the connection.
    Host,
    /// It broke on the way; the service may have done its work.
    Service,
}

/// The type of `connection.failed` has no name outside of its crate, only its own words.
fn reached(connection: &Connection) -> Reached {
    match format!("{:?}", connection.failed).as_str() {
        "Lookup" => Reached::Nothing,
        "Connect" => Reached::Host,
        _ => Reached::Service,
    }
}

/// Codes of services that are too busy, beside those that say `Throttl…`.
const BUSY: &[&str] = &[
    "BandwidthLimitExceeded",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "SlowDown",
    "TooManyRequestsException",
];

fn is_throttling(error: &CallError) -> bool {
    let CallError::Service { error, .. } = error else { return false };
    let code = error.exception.as_deref().unwrap_or(&error.code);
    error.status == 429 || code.contains("Throttl") || BUSY.contains(&code)
}

fn is_worth_it(error: &CallError, harmless: bool) -> bool {
    match error {
        CallError::Connection(connection) => match reached(connection) {
            // A name that is not known now is not known in a moment.
            Reached::Nothing => false,
            Reached::Host => true,
            Reached::Service => harmless,
        },
        CallError::Timeout { .. } => harmless,
        CallError::Service { error: service, .. } => {
            service.status == 503 || is_throttling(error) || (harmless && [500, 502, 504].contains(&service.status))
        }
        _ => false,
    }
}

fn pause(attempt: u32, throttled: bool) -> Duration {
    let base = if throttled { THROTTLED_PAUSE } else { PAUSE };
    base.saturating_mul(2_u32.saturating_pow(attempt - 1)).mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn queue_urls_of_this_machine_mean_the_endpoint() {
        for (url, elsewhere) in [
            ("http://no-such-queue-1", true),
            ("https://sqs.example.com/0/q", true),
            ("http://10.1.2.3:9324/queue/q", true),
            ("http://localhost:4566/0/q", false),
            ("http://sqs.us-east-1.localhost.localstack.cloud:4566/0/q", false),
            ("http://127.0.0.1:8083/0/q", false),
            ("http://[::1]:8083/0/q", false),
            ("q", false),
            ("", false),
        ] {
            assert_eq!(is_elsewhere(&json!({"QueueUrl": url})), elsewhere, "{url}");
        }
    }

    #[test]
    fn only_what_does_no_harm_is_tried_again() {
        let service = |code: &str, status| CallError::Service {
            error: Box::new(ServiceError::plain(code, status, "")),
            http: Http { status, headers: HeaderMap::new() },
            attempts: 1,
        };
        for (error, always, if_harmless) in [
            (CallError::Timeout { after: Duration::ZERO }, false, true),
            (service("ServiceUnavailable", 503), true, true),
            (service("ThrottlingException", 400), true, true),
            (service("InternalError", 500), false, true),
            (service("InvalidParameter", 400), false, false),
            (CallError::TooLarge, false, false),
        ] {
            assert_eq!((is_worth_it(&error, false), is_worth_it(&error, true)), (always, if_harmless), "{error:?}");
        }
    }
}
