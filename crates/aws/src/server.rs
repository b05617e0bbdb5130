//! The codec from the service's side: which operation a request means, its parameters, and how to answer.
//!
//! Clients of the same service speak different protocols (an SQS client of 2022 sends forms, one of today sends JSON), so
//! a request says which one it speaks and is answered in kind. Values are in the native dialect. Who may call, and what
//! the call does, is not decided here.

use std::sync::Arc;

use http::HeaderMap;
use serde_json::Value;

use crate::auth::Scope;
use crate::codec::route::Router;
use crate::codec::{self, CodecError, HttpResponse, Pairs, Protocol, ServiceError};
use crate::model::{Operation, Service};
use crate::models;

/// An HTTP request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    pub method: &'a str,
    /// Percent-encoded path.
    pub path: &'a str,
    /// Encoded query without `?`.
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// What a request asks for.
#[derive(Debug)]
pub struct Request<'s> {
    pub operation: &'s Operation,
    /// The protocol of the request, and of its answer.
    pub protocol: Protocol,
    /// Parameters in the native dialect.
    pub params: Value,
    /// All of it was in the address of a GET. Any web page can make a browser follow a link, so whoever answers
    /// unsigned calls should take only harmless operations from one.
    pub by_link: bool,
}

/// A request that cannot be read: the protocol to say so in, and what to say.
#[derive(Debug)]
pub struct Rejection {
    pub protocol: Protocol,
    pub error: ServiceError,
}

/// The service that a request is for: by `X-Amz-Target`, else by the scope of its signature.
///
/// `None` for requests that are not of an AWS client, or for a service that this build has no model of.
pub fn service_of(request: &Incoming<'_>) -> Option<Arc<Service>> {
    if let Some((prefix, _)) = header(request, "x-amz-target").and_then(|target| target.rsplit_once('.')) {
        return models().service_by_target(prefix);
    }
    models().service(Scope::of(request.headers, request.query)?.service.as_str())
}

/// The protocol that a request to `service` is in. Content types that no protocol has give `None`: a browser's form must
/// not pass for a call.
pub fn protocol_of(service: &Service, request: &Incoming<'_>) -> Option<Protocol> {
    let own = Protocol::of(service).ok()?;
    let content_type = header(request, "content-type").unwrap_or_default();
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let speaks_query = own == Protocol::Query || service.metadata.query_compatible;
    match own {
        Protocol::RestJson => Some(own),
        Protocol::RestXml | Protocol::Ec2 | Protocol::Cbor => None,
        _ if kind.starts_with("application/x-amz-json-") => (own == Protocol::Json).then_some(own),
        _ if kind == "application/x-www-form-urlencoded" && speaks_query => Some(Protocol::Query),
        // Query calls may be plain links: all parameters in the query string.
        _ if kind.is_empty() && speaks_query && has_action(request) => Some(Protocol::Query),
        _ => None,
    }
}

/// Reads a request to `service`: operation and parameters.
pub fn decode_request<'s>(service: &'s Service, request: &Incoming<'_>) -> Result<Request<'s>, Rejection> {
    let Some(protocol) = protocol_of(service, request) else {
        let protocol = Protocol::of(service).unwrap_or(Protocol::Json);
        return Err(reject(protocol, unknown_operation(protocol)));
    };
    let read = match protocol {
        Protocol::Json => decode_json(service, request),
        Protocol::Query => decode_query(service, request),
        Protocol::RestJson => decode_rest(service, request),
        Protocol::RestXml | Protocol::Ec2 | Protocol::Cbor => Err(unknown_operation(protocol)),
    };
    match read {
        Ok((operation, params)) => {
            let by_link = protocol == Protocol::Query && request.body.is_empty();
            Ok(Request { operation, protocol, params, by_link })
        }
        Err(error) => Err(reject(protocol, error)),
    }
}

/// Writes the answer of a call that succeeded; `result` is in the native dialect.
pub fn encode_response(
    service: &Service,
    operation: &Operation,
    protocol: Protocol,
    result: Value,
    request_id: &str,
) -> Result<HttpResponse, CodecError> {
    codec::encode_result(protocol, service, operation, result, request_id)
}

/// Writes the answer of a call that failed.
pub fn encode_error(service: &Service, protocol: Protocol, error: &ServiceError, request_id: &str) -> HttpResponse {
    codec::error::encode(protocol, service, error, request_id)
}

type Read<'s> = Result<(&'s Operation, Value), ServiceError>;

fn decode_json<'s>(service: &'s Service, request: &Incoming<'_>) -> Read<'s> {
    let target = header(request, "x-amz-target").unwrap_or_default();
    let (prefix, name) = target.rsplit_once('.').unwrap_or_default();
    let operation = exact(service, name).filter(|_| Some(prefix) == service.metadata.target_prefix.as_deref());
    let operation = operation.ok_or_else(|| unknown_operation(Protocol::Json))?;
    Ok((operation, codec::decode_json(service, operation, request.body)?))
}

fn decode_query<'s>(service: &'s Service, request: &Incoming<'_>) -> Read<'s> {
    let form = if request.body.is_empty() { request.query.as_bytes() } else { request.body };
    let malformed = |error: CodecError| ServiceError::plain("MalformedInput", 400, error.to_string());
    let form = Pairs::parse(form).map_err(malformed)?;
    let Some(name) = form.get("Action") else {
        return Err(ServiceError::plain("MissingAction", 400, "The request is missing an Action parameter."));
    };
    let version = form.get("Version");
    let known = version.is_none_or(|version| version == service.metadata.api_version);
    let Some(operation) = exact(service, name).filter(|_| known) else {
        let version = version.unwrap_or("(unspecified)");
        let message = format!("The action {name} is not valid for this web service (version {version}).");
        return Err(ServiceError::plain("InvalidAction", 400, message));
    };
    Ok((operation, codec::decode_form(service, operation, &form).map_err(malformed)?))
}

fn decode_rest<'s>(service: &'s Service, request: &Incoming<'_>) -> Read<'s> {
    let router = service.router.get_or_init(|| Router::new(service));
    let found = router.find(request.method, request.path, request.query);
    let found = found.ok_or_else(|| unknown_operation(Protocol::RestJson))?;
    let operation = exact(service, found.operation).ok_or_else(|| unknown_operation(Protocol::RestJson))?;
    let params = codec::rest::decode_request(service, operation, &found, request.query, request.headers, request.body)?;
    Ok((operation, params))
}

/// On the wire only AWS's own spelling counts.
fn exact<'s>(service: &'s Service, name: &str) -> Option<&'s Operation> {
    service.operation(name).filter(|operation| operation.name == name)
}

fn unknown_operation(protocol: Protocol) -> ServiceError {
    let status = if protocol == Protocol::RestJson { 404 } else { 400 };
    let mut error = ServiceError::plain("UnknownOperationException", status, "");
    error.message = None;
    error
}

fn reject(protocol: Protocol, error: ServiceError) -> Rejection {
    Rejection { protocol, error }
}

fn has_action(request: &Incoming<'_>) -> bool {
    form_urlencoded::parse(request.query.as_bytes()).any(|(name, _)| name == "Action")
}

fn header<'a>(request: &Incoming<'a>, name: &str) -> Option<&'a str> {
    request.headers.get(name)?.to_str().ok()
}
