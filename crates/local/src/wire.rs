//! Between HTTP and the services: whose request it is, whether it is listened to, what it says, and the answer in the
//! protocol in which it came. Nothing here knows what a queue or a job is.

use aws::codec::{Fault, ServiceError as WireError};
use aws::server::{self, Incoming, Rejection};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use crate::Local;
use crate::caller::Caller;
use crate::error::ServiceError;
use crate::guard::{Refusal, is_link};
use crate::{s3, sqs};

/// What stands before the operation in `X-Amz-Target`, for the services that are called by it.
const TARGETS: &[(&str, &str)] = &[("AmazonSQS", "sqs"), ("AWSEvents", "events"), ("DynamoDB_20120810", "dynamodb")];

/// Whose request it is.
enum Claim {
    /// A service of ours.
    Service(&'static str),
    /// It is made for one of our services, but by nobody who could call it.
    Suspect,
}

impl Local {
    /// Answer a request, if it is for one of the laptop services; none if it is somebody else's.
    pub async fn handle(&self, request: Request<Bytes>) -> Option<Response<Bytes>> {
        let (head, body) = request.into_parts();
        let query = head.uri.query().unwrap_or_default();
        let incoming = Incoming {
            method: head.method.as_str(),
            path: head.uri.path(),
            query,
            headers: &head.headers,
            body: &body,
        };
        let claim = claim(&head.method, &incoming)?;
        let request_id = uuid::Uuid::new_v4().to_string();
        let authority = head.uri.authority().map(http::uri::Authority::as_str);
        if let Err(refusal) = self.guard.check(&head.method, authority, query, &head.headers) {
            tracing::warn!(%refusal, path = head.uri.path(), "a request to the laptop services was refused");
            return Some(refused(refusal, &request_id));
        }
        let Claim::Service(name) = claim else {
            return Some(refused(Refusal::Unsigned, &request_id));
        };
        Some(self.answer(name, &incoming, &request_id).await)
    }

    /// Is it a request to S3? Those come and are answered as streams.
    pub fn streams(&self, head: &http::request::Parts) -> bool {
        !head.headers.contains_key("x-amz-target")
            && aws::auth::Scope::of(&head.headers, head.uri.query().unwrap_or_default())
                .is_some_and(|scope| scope.service == "s3")
    }

    /// Answer a request to S3.
    pub async fn stream<B>(&self, request: Request<B>) -> s3::Answer
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::fmt::Display,
    {
        let authority = request.uri().authority().map(http::uri::Authority::as_str);
        if let Err(refusal) = self.guard.check_signed(authority, request.headers()) {
            tracing::warn!(%refusal, path = request.uri().path(), "a request to the laptop's S3 was refused");
            let refused = refused(refusal, &uuid::Uuid::new_v4().to_string());
            return refused.map(|body| Full::new(body).map_err(|never| match never {}).boxed_unsync());
        }
        self.s3.answer(request).await
    }

    async fn answer(&self, name: &'static str, incoming: &Incoming<'_>, request_id: &str) -> Response<Bytes> {
        let Some(service) = aws::models::models().service(name) else {
            let error = ServiceError::internal(format!("no model of {name} in this build"));
            return plain(500, &error.code, &error.message, request_id);
        };
        let call = match server::decode_request(&service, incoming) {
            Ok(call) => call,
            Err(Rejection { protocol, error }) => {
                return response(server::encode_error(&service, protocol, &error, request_id));
            }
        };
        let caller = self.caller(incoming);
        let params = with_queue_of_path(name, call.params, incoming.path, &caller);
        let answer = self.call(name, &call.operation.name, params, &caller).await;
        let encoded = match answer {
            Ok(result) => server::encode_response(&service, call.operation, call.protocol, result, request_id)
                .map_err(|error| ServiceError::internal(format!("{name} {}: {error}", call.operation.name))),
            Err(error) => Err(error),
        };
        response(encoded.unwrap_or_else(|error| {
            let error = wire_error(name, &service, &error);
            server::encode_error(&service, call.protocol, &error, request_id)
        }))
    }

    /// Who calls: an access key id of twelve digits names its account, any other belongs to the server's.
    fn caller(&self, incoming: &Incoming<'_>) -> Caller {
        let scope = aws::auth::Scope::of(incoming.headers, "");
        let is_account = |key: &str| key.len() == 12 && key.bytes().all(|byte| byte.is_ascii_digit());
        let account = scope.as_ref().map(|scope| scope.access_key_id.as_str()).filter(|key| is_account(key));
        let region = scope.as_ref().map(|scope| scope.region.as_str());
        let host = incoming.headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        Caller {
            account: account.unwrap_or(&self.settings.account).to_owned(),
            region: region.unwrap_or(&self.settings.region).to_owned(),
            base_url: format!("http://{host}"),
            trace: incoming.headers.get("x-amzn-trace-id").and_then(|trace| trace.to_str().ok()).map(str::to_owned),
        }
    }
}

fn claim(method: &http::Method, incoming: &Incoming<'_>) -> Option<Claim> {
    let header = |name: &str| incoming.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(target) = header("x-amz-target") {
        let (prefix, _) = target.split_once('.')?;
        return TARGETS.iter().find(|(own, _)| *own == prefix).map(|(_, name)| Claim::Service(name));
    }
    if let Some(scope) = aws::auth::Scope::of(incoming.headers, "") {
        let ours = crate::SERVICES.iter().find(|name| **name == scope.service)?;
        return Some(Claim::Service(ours));
    }
    if is_link(method, incoming.query) {
        return Some(Claim::Service("sns"));
    }
    // Unsigned forms, links, and the paths of Batch and Lambda: nobody's, and better refused aloud than passed on.
    let form = header("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let action = form_urlencoded::parse(incoming.query.as_bytes()).any(|(name, _)| name == "Action");
    let path = is_batch_path(incoming.path) || incoming.path.starts_with("/2015-03-31/functions");
    (form || action || path).then_some(Claim::Suspect)
}

/// Batch has one word after its version for each operation, and tags of resources.
fn is_batch_path(path: &str) -> bool {
    let Some(rest) = path.strip_prefix("/v1/") else { return false };
    rest.starts_with("tags/") || (!rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// SQS clients of the older protocol name the queue by the path that they call.
fn with_queue_of_path(name: &str, mut params: Value, path: &str, caller: &Caller) -> Value {
    if name == "sqs"
        && path.trim_matches('/').contains('/')
        && let Value::Object(members) = &mut params
    {
        members.entry("QueueUrl").or_insert_with(|| Value::from(format!("{}{path}", caller.base_url)));
    }
    params
}

/// The error as the protocols need it, which is more than a service says.
fn wire_error(name: &str, service: &aws::Service, error: &ServiceError) -> WireError {
    let mut wire = match name {
        // SNS speaks codes, the others the model's shapes.
        "sns" => WireError::plain(&error.code, error.http_status, &error.message),
        _ => WireError::modelled(service, &error.code, &error.message),
    };
    wire.fields.extend((*error.members).clone());
    if name == "lambda" {
        // Lambda says in the body whose fault it was.
        wire = wire.with("Type", if error.sender_fault { "User" } else { "Service" });
    }
    wire.status = error.http_status;
    wire.fault = if error.sender_fault { Fault::Sender } else { Fault::Receiver };
    if name == "sqs" {
        wire.query_code = Some(sqs::error::query_code(&error.code).into());
    }
    wire
}

fn response(written: aws::HttpResponse) -> Response<Bytes> {
    let mut response = Response::new(written.body);
    *response.headers_mut() = written.headers;
    if let Ok(status) = http::StatusCode::from_u16(written.status) {
        *response.status_mut() = status;
    }
    response
}

fn refused(refusal: Refusal, request_id: &str) -> Response<Bytes> {
    plain(refusal.status().as_u16(), "AccessDeniedException", &refusal.to_string(), request_id)
}

/// An answer to a request whose protocol is unknown.
fn plain(status: u16, code: &str, message: &str, request_id: &str) -> Response<Bytes> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    let body = Bytes::from(json!({ "__type": code, "message": message }).to_string());
    response(aws::HttpResponse { status, headers, body })
}
