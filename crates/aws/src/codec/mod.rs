//! Wire codecs: from parameters to an HTTP request and from an HTTP response to a result, by walking shapes.
//!
//! Each protocol is a file and works both ways: as the client ([`encode_request`], [`decode_response`]) and, through
//! [`crate::server`], as the service. Values are JSON in one of two [`Dialect`]s. Nothing here opens a connection.

mod cbor;
mod check;
mod checksum;
mod document;
pub mod error;
mod form;
mod json;
pub(crate) mod rest;
pub(crate) mod route;
mod scalar;
mod usage;
mod xml;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::model::{Kind, Operation, Service};

pub use check::mistakes;
pub use error::{Fault, ServiceError};

/// How deep a message may nest: AWS's own deepest inputs stay below 32, and a walk must not exhaust the stack.
pub const MAX_DEPTH: usize = 128;

/// How values look on our side of the wire.
///
/// | | `StateMachine` | `Native` |
/// |---|---|---|
/// | names | PascalCase, as state machines write them | as in the service's model |
/// | blob | its text; base64 where it is not UTF-8 | base64 |
/// | timestamp | `2026-01-02T03:04:05.678Z` | seconds since 1970; read from either |
/// | object or array where a string or blob is due | its JSON text | an error |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// What flows through a state machine.
    StateMachine,
    /// What a service of ours works with.
    Native,
}

/// A protocol that a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// AWS JSON 1.0 and 1.1: the operation in `X-Amz-Target`, a JSON body.
    Json,
    /// REST with JSON bodies: the operation is method and path.
    RestJson,
    /// REST with XML bodies: S3, S3 Control, Route 53, CloudFront.
    RestXml,
    /// A form with `Action` and dotted names, answered in XML.
    Query,
    /// Query as EC2 speaks it: all lists flattened, names in a case of their own.
    Ec2,
    /// Smithy RPC v2: the operation in the path, a CBOR body.
    Cbor,
}

impl Protocol {
    /// The protocol that `service` is called with: its preferred one. Where that is CBOR, JSON if the service has it as
    /// well, because a JSON body can be read by whoever looks at the wire.
    pub fn of(service: &Service) -> Result<Protocol, CodecError> {
        let metadata = &service.metadata;
        let named = |name: &String| match name.as_str() {
            "json" => Some(Protocol::Json),
            "rest-json" => Some(Protocol::RestJson),
            "rest-xml" => Some(Protocol::RestXml),
            "query" => Some(Protocol::Query),
            "ec2" => Some(Protocol::Ec2),
            "smithy-rpc-v2-cbor" => Some(Protocol::Cbor),
            _ => None,
        };
        let known = || std::iter::once(&metadata.protocol).chain(&metadata.protocols).filter_map(named);
        let readable = known().find(|protocol| *protocol != Protocol::Cbor);
        readable.or_else(|| known().next()).ok_or_else(|| unsupported(&metadata.protocol))
    }
}

fn unsupported(protocol: &str) -> CodecError {
    CodecError::new(Wrong::Protocol(protocol.to_owned()))
}

/// An HTTP request without a host: what the codec knows of it.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    pub method: String,
    /// Percent-encoded path, beginning with `/`.
    pub path: String,
    /// Encoded query without `?`; empty for none.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What SDKs put before the host name of the service, such as `sync-`.
    pub host_prefix: Option<String>,
}

/// An HTTP response.
#[derive(Clone, Debug)]
pub struct HttpResponse {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A value does not fit its shape, or a message is not of its protocol.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{}{wrong}", self.place())]
pub struct CodecError {
    path: Vec<String>,
    pub wrong: Wrong,
}

/// What is wrong with a value or a message.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Wrong {
    #[error("there is no member of this name")]
    UnknownMember,
    #[error("the value must be a {0}")]
    MustBe(&'static str),
    #[error("the value is required")]
    Missing,
    #[error("the value cannot be part of a URI, header or host name")]
    Unsendable,
    #[error("nested deeper than {MAX_DEPTH}")]
    TooDeep,
    #[error("not a message of the protocol: {0}")]
    Malformed(String),
    #[error("the protocol {0} is not supported")]
    Protocol(String),
    #[error("streams of events are not supported")]
    EventStream,
}

impl CodecError {
    pub(crate) fn new(wrong: Wrong) -> CodecError {
        CodecError { path: Vec::new(), wrong }
    }

    pub(crate) fn malformed(what: impl Into<String>) -> CodecError {
        CodecError::new(Wrong::Malformed(what.into()))
    }

    pub(crate) fn must_be(what: &'static str) -> CodecError {
        CodecError::new(Wrong::MustBe(what))
    }

    /// The error, seen from one level further out.
    pub(crate) fn at(mut self, name: impl Into<String>) -> CodecError {
        self.path.push(name.into());
        self
    }

    /// Where the value is, such as `Entries[0].Id`; empty for the whole.
    pub fn field(&self) -> String {
        let mut field = String::new();
        for part in self.path.iter().rev() {
            if !field.is_empty() && !part.starts_with('[') {
                field.push('.');
            }
            field.push_str(part);
        }
        field
    }

    fn place(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!("{}: ", self.field()) }
    }
}

/// Writes the request of one call. `params` are in `dialect`; a missing or null value means no parameter.
pub fn encode_request(
    service: &Service,
    operation: &Operation,
    params: Value,
    dialect: Dialect,
) -> Result<HttpRequest, CodecError> {
    encode_request_as(Protocol::of(service)?, service, operation, params, dialect)
}

/// Writes the request of one call in a protocol that is not the service's preferred one.
pub fn encode_request_as(
    protocol: Protocol,
    service: &Service,
    operation: &Operation,
    params: Value,
    dialect: Dialect,
) -> Result<HttpRequest, CodecError> {
    let params = match params {
        Value::Null => serde_json::Map::new(),
        Value::Object(params) => params,
        _ => return Err(CodecError::must_be("MAP")),
    };
    if service.streams(operation) {
        return Err(CodecError::new(Wrong::EventStream));
    }
    let params = usage::prepare(service, params, dialect);
    let host_prefix = rest::host_prefix(service, operation, &params, dialect)?;
    let mut request = match protocol {
        Protocol::Json => json::encode_request(service, operation, params, dialect),
        Protocol::RestJson => rest::encode_request(rest::Bodies::Json, service, operation, params, dialect),
        Protocol::RestXml => rest::encode_request(rest::Bodies::Xml, service, operation, params, dialect),
        Protocol::Query | Protocol::Ec2 => form::encode_request(protocol, service, operation, params, dialect),
        Protocol::Cbor => cbor::encode_request(service, operation, params, dialect),
    }?;
    request.host_prefix = host_prefix;
    usage::finish(service, operation, &mut request)?;
    checksum::add(service, operation, &mut request)?;
    Ok(request)
}

/// Reads the response of one call: the result, or the error that the service answered.
pub fn decode_response(
    service: &Service,
    operation: &Operation,
    response: &HttpResponse,
    dialect: Dialect,
) -> Result<Value, ResponseError> {
    decode_response_as(Protocol::of(service)?, service, operation, response, dialect)
}

/// Reads the response of one call that was made in a protocol that is not the service's preferred one.
pub fn decode_response_as(
    protocol: Protocol,
    service: &Service,
    operation: &Operation,
    response: &HttpResponse,
    dialect: Dialect,
) -> Result<Value, ResponseError> {
    // The SDKs' rule: redirects are not followed, they are errors.
    if response.status >= 300 {
        return Err(ResponseError::Service(Box::new(error::decode(protocol, service, operation, response))));
    }
    // S3 begins to answer before it is done, so a late error comes with a status of success.
    if protocol == Protocol::RestXml && error::is_late(service, operation, response) {
        let response = HttpResponse { status: 500, ..response.clone() };
        return Err(ResponseError::Service(Box::new(error::decode(protocol, service, operation, &response))));
    }
    let value = match protocol {
        Protocol::Json => json::decode_response(service, operation, response, dialect),
        Protocol::RestJson => rest::decode_response(rest::Bodies::Json, service, operation, response, dialect),
        Protocol::RestXml => rest::decode_response(rest::Bodies::Xml, service, operation, response, dialect),
        Protocol::Query | Protocol::Ec2 => xml::decode_response(service, operation, response, dialect),
        Protocol::Cbor => cbor::decode_response(service, operation, response, dialect),
    }?;
    Ok(value)
}

/// Why a response is not a result.
#[derive(Debug, thiserror::Error)]
pub enum ResponseError {
    #[error(transparent)]
    Service(Box<ServiceError>),
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A codec's writing half, as the server uses it.
pub(crate) fn encode_result(
    protocol: Protocol,
    service: &Service,
    operation: &Operation,
    result: Value,
    request_id: &str,
) -> Result<HttpResponse, CodecError> {
    let result = match result {
        Value::Null => serde_json::Map::new(),
        Value::Object(result) => result,
        _ => return Err(CodecError::must_be("MAP")),
    };
    let mut response = match protocol {
        Protocol::Json => json::encode_response(service, operation, result),
        Protocol::RestJson => rest::encode_response(service, operation, result),
        Protocol::Query => xml::encode_response(service, operation, result, request_id),
        // Nobody here answers for a service that speaks one of these.
        Protocol::RestXml | Protocol::Ec2 | Protocol::Cbor => Err(unsupported(&service.metadata.protocol)),
    }?;
    set_request_id(&mut response.headers, request_id);
    Ok(response)
}

pub(crate) use form::{Pairs, decode_request as decode_form};
pub(crate) use json::decode_request as decode_json;

pub(crate) const REQUEST_ID: &str = "x-amzn-requestid";

pub(crate) fn set_request_id(headers: &mut HeaderMap, request_id: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
}

fn header(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), CodecError> {
    let unsendable = || CodecError::new(Wrong::Unsendable).at(name);
    let key = HeaderName::try_from(name).map_err(|_| unsendable())?;
    headers.insert(key, HeaderValue::from_str(value).map_err(|_| unsendable())?);
    Ok(())
}

fn descend(depth: usize) -> Result<usize, CodecError> {
    if depth >= MAX_DEPTH { Err(CodecError::new(Wrong::TooDeep)) } else { Ok(depth + 1) }
}

/// The name of a member on our side of the wire.
fn our_name(member: &crate::model::Member, dialect: Dialect) -> &str {
    match dialect {
        Dialect::StateMachine => &member.pascal,
        Dialect::Native => &member.name,
    }
}

/// The member that our side calls `name`.
fn member_named<'a>(
    members: &'a [crate::model::Member],
    name: &str,
    dialect: Dialect,
) -> Result<&'a crate::model::Member, CodecError> {
    members
        .iter()
        .find(|member| our_name(member, dialect) == name)
        .ok_or_else(|| CodecError::new(Wrong::UnknownMember).at(name))
}

/// Whether a shape is written without a structure around it.
fn is_plain(kind: &Kind) -> bool {
    matches!(kind, Kind::String | Kind::Blob)
}
