//! One HTTP request: whose it is, whether it may come in, and its answer. Step Functions' requests are answered by the
//! operations; all others are offered to whoever else lives behind the same port.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Incoming};

use crate::access::{Access, SERVICE, TARGET, check_content_type, check_page, credential};
use crate::exception::Exception;
use crate::operations::Operations;

/// Another service behind the same port: the laptop services.
pub trait Other: Send + Sync {
    /// The answer; none if the request is for nobody here. Its own guard decides who may call.
    fn handle(&self, request: Request<Bytes>) -> OtherAnswer<'_>;

    /// Whether a request comes and is answered as a stream, because what it brings or asks for may be long.
    fn streams(&self, _head: &Parts) -> bool {
        false
    }

    /// The answer to a request that streams. Its own guard decides who may call.
    fn stream(&self, request: Request<Incoming>) -> OtherStream<'_>;
}

/// What another service answers.
pub type OtherAnswer<'a> = Pin<Box<dyn Future<Output = Option<Response<Bytes>>> + Send + 'a>>;

/// What another service answers as a stream.
pub type OtherStream<'a> = Pin<Box<dyn Future<Output = Response<StreamedBody>> + Send + 'a>>;
pub type StreamedBody = UnsyncBoxBody<Bytes, std::io::Error>;

const TARGET_PREFIX: &str = "AWSStepFunctions.";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.0");
const HEALTH: &str = "/health";

/// What the door needs to know.
pub struct Door {
    pub operations: Arc<Operations>,
    pub account: String,
    pub access: Access,
    pub allowed_hosts: Option<Vec<String>>,
    pub max_request_bytes: usize,
    pub body_timeout: Duration,
    pub other: Option<Arc<dyn Other>>,
    pub request_ids: RequestIds,
}

/// Whose request it is.
enum Claim<'h> {
    /// Step Functions': the operation, if it names one.
    StepFunctions(Option<&'h str>),
    Health,
    Unclaimed,
}

type Answer = Response<Full<Bytes>>;

impl Door {
    pub async fn answer(&self, request: Request<Incoming>) -> Response<Either<Full<Bytes>, StreamedBody>> {
        let (head, body) = request.into_parts();
        // Signatures over a stream are not verified, so only where nobody's are.
        let streaming = self.other.as_ref().filter(|other| matches!(self.access, Access::Open) && other.streams(&head));
        match streaming {
            Some(other) => other.stream(Request::from_parts(head, body)).await.map(Either::Right),
            None => self.answer_whole(head, body).await.map(Either::Left),
        }
    }

    async fn answer_whole(&self, head: Parts, body: Incoming) -> Answer {
        match claim(&head) {
            Claim::StepFunctions(operation) => self.step_functions(&head, operation, body).await,
            Claim::Health => {
                let mut answer = json(StatusCode::OK, Bytes::from_static(br#"{"status":"ok"}"#));
                answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                answer
            }
            Claim::Unclaimed => self.unclaimed(head, body).await,
        }
    }

    async fn step_functions(&self, head: &Parts, operation: Option<&str>, body: Incoming) -> Answer {
        let began = Instant::now();
        let request_id = self.request_ids.next();
        let result = self.carry_out(head, operation, body).await;
        let failed = result.as_ref().err().map(|exception| exception.code);
        tracing::debug!(operation, failed, took_us = began.elapsed().as_micros() as u64, "answered");
        let mut answer = result.map_or_else(refusal, |body| json(StatusCode::OK, body.into()));
        answer.headers_mut().insert(REQUEST_ID, request_id);
        answer
    }

    async fn carry_out(&self, head: &Parts, operation: Option<&str>, body: Incoming) -> Result<Vec<u8>, Exception> {
        check_page(head, &self.allowed_hosts)?;
        check_content_type(&head.headers)?;
        let operation = operation.filter(|_| head.method == Method::POST);
        let operation =
            operation.ok_or_else(|| Exception::unknown_operation("An operation is POSTed, by X-Amz-Target"))?;
        let body = self.read(body).await?;
        let account = self.access.account(head, &body, Some(SERVICE), &self.account)?;
        self.operations.call(account, operation, &body).await
    }

    async fn unclaimed(&self, head: Parts, body: Incoming) -> Answer {
        let nobody = match head.headers.get(&TARGET) {
            Some(target) => format!("Nobody here answers {}", target.to_str().unwrap_or_default()),
            None => format!("Nobody here answers {} {}", head.method, head.uri.path()),
        };
        let nobody = Exception::refused(404, "UnknownOperationException", nobody);
        let Some(other) = &self.other else { return refusal(nobody) };
        let body = match self.read(body).await {
            Ok(body) => body,
            Err(exception) => return refusal(exception),
        };
        if let Err(exception) = self.access.account(&head, &body, None, &self.account) {
            return refusal(exception);
        }
        let answer = other.handle(Request::from_parts(head, body)).await;
        answer.map_or_else(|| refusal(nobody), |answer| answer.map(Full::new))
    }

    /// The whole body, if it is not too long and does not take too long.
    async fn read(&self, body: Incoming) -> Result<Bytes, Exception> {
        let read = tokio::time::timeout(self.body_timeout, read(body, self.max_request_bytes));
        read.await.unwrap_or_else(|_| Err(Exception::refused(408, "RequestTimeout", "The body of the request is late")))
    }
}

fn claim(head: &Parts) -> Claim<'_> {
    let target = head.headers.get(&TARGET).and_then(|target| target.to_str().ok());
    match target.and_then(|target| target.strip_prefix(TARGET_PREFIX)) {
        Some(operation) => Claim::StepFunctions(Some(operation)),
        None if target.is_none() && credential(&head.headers).is_some_and(|(_, service)| service == SERVICE) => {
            Claim::StepFunctions(None)
        }
        None if head.method == Method::GET && head.uri.path() == HEALTH => Claim::Health,
        None => Claim::Unclaimed,
    }
}

async fn read(mut body: Incoming, most: usize) -> Result<Bytes, Exception> {
    let too_long = || {
        let message = format!("The body of the request is longer than {most} bytes");
        Exception::refused(413, "RequestEntityTooLarge", message)
    };
    if body.size_hint().lower() > most as u64 {
        return Err(too_long());
    }
    let mut whole = Bytes::new();
    let mut parts = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Exception::serialization(&format!("The body is cut off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + parts.len() + data.len() > most {
            return Err(too_long());
        }
        // Nearly all bodies come in one piece, which is not copied.
        if whole.is_empty() && parts.is_empty() {
            whole = data;
            continue;
        }
        parts.extend_from_slice(&std::mem::take(&mut whole));
        parts.extend_from_slice(&data);
    }
    Ok(if parts.is_empty() { whole } else { parts.freeze() })
}

fn json(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    answer
}

/// The way in which every AWS SDK reads an exception: its code in the body and in a header.
fn refusal(exception: Exception) -> Answer {
    let Exception { code, message, status, reason } = exception;
    let mut body = serde_json::json!({"__type": code, "message": message});
    if let Some(reason) = reason {
        body["reason"] = reason.into();
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut answer = json(status, body.to_string().into());
    answer.headers_mut().insert(ERROR_TYPE, HeaderValue::from_static(code));
    answer
}

/// Ids that no two requests share, without asking the system for randomness each time.
pub struct RequestIds {
    first: u128,
    given: AtomicU64,
}

impl RequestIds {
    pub fn new() -> RequestIds {
        RequestIds { first: uuid::Uuid::new_v4().as_u128(), given: AtomicU64::new(0) }
    }

    fn next(&self) -> HeaderValue {
        let given = self.given.fetch_add(1, Ordering::Relaxed);
        let id = self.first.wrapping_add(u128::from(given) << 64);
        let id = uuid::Builder::from_random_bytes(id.to_be_bytes()).into_uuid();
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        let text = id.hyphenated().encode_lower(&mut text);
        HeaderValue::from_str(text).expect("hexadecimal digits and hyphens")
    }
}
