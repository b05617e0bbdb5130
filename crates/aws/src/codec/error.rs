//! What a service answers when it does not do what was asked, in each protocol's clothes.
//!
//! One error has up to three names: the exception in the model (`QueueDoesNotExist`), the code on the wire (for SNS
//! `NotFound` where the exception is `NotFoundException`), and for services that once spoke query the code of those
//! days (`AWS.SimpleQueueService.NonExistentQueue`). All three are kept, because AWS shows a different one in each place.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::document::Element;
use super::{CodecError, HttpResponse, Protocol, REQUEST_ID, header, json as json_codec, set_request_id};
use crate::model::{ErrorTraits, Kind, Member, Operation, Service, Shape, Structure};

/// A service's error. It is kept small (boxes), because it is the error of many a `Result`.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {}", message.as_deref().unwrap_or("no message"))]
pub struct ServiceError {
    /// The code as the service's own protocol says it, without a namespace.
    pub code: String,
    /// The exception in the service's model, where there is one.
    pub exception: Option<Box<str>>,
    /// The code of the query protocol, from a service that has moved on from it.
    pub query_code: Option<Box<str>>,
    pub message: Option<String>,
    /// The HTTP status.
    pub status: u16,
    pub fault: Fault,
    pub request_id: Option<Box<str>>,
    /// What else the answer says (JSON protocols), under the names of the wire.
    pub fields: Box<Map<String, Value>>,
}

/// Whose fault an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Sender,
    Receiver,
}

impl ServiceError {
    /// An error that the model does not name.
    pub fn plain(code: impl Into<String>, status: u16, message: impl Into<String>) -> ServiceError {
        ServiceError {
            code: code.into(),
            exception: None,
            query_code: None,
            message: Some(message.into()),
            status,
            fault: if status >= 500 { Fault::Receiver } else { Fault::Sender },
            request_id: None,
            fields: Box::default(),
        }
    }

    /// The exception called `exception` in the model of `service`, with its code and status; a name that is not there
    /// gives a plain error of status 400.
    pub fn modelled(service: &Service, exception: &str, message: impl Into<String>) -> ServiceError {
        let mut error = ServiceError::plain(exception, 400, message);
        if let Some((shape, traits)) = service.exception(exception) {
            error.adopt(shape, traits);
            error.code = traits.code.clone().unwrap_or_else(|| shape.name.clone());
            error.status = traits.status();
            error.fault = if error.status >= 500 { Fault::Receiver } else { Fault::Sender };
        }
        error
    }

    /// The same error with one more modelled member, under its wire name.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> ServiceError {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    fn adopt(&mut self, shape: &Shape, traits: &ErrorTraits) {
        self.exception = Some(shape.name.as_str().into());
        self.query_code = self.query_code.take().or_else(|| Some(traits.query_code.as_deref()?.into()));
    }
}

/// Reads an error answer. Whatever the answer is, there is an error at the end: proxies and load balancers answer too.
pub(super) fn decode(
    protocol: Protocol,
    service: &Service,
    operation: &Operation,
    response: &HttpResponse,
) -> ServiceError {
    let mut error = match protocol {
        Protocol::Json | Protocol::RestJson => from_json(response, serde_json::from_slice(&response.body).ok()),
        Protocol::Cbor => from_json(response, super::cbor::parse(&response.body).ok()),
        Protocol::Query | Protocol::Ec2 | Protocol::RestXml => from_xml(response),
    };
    // An answer to HEAD has no body to say more: what is missing is what the operation asks for.
    if let (404, true, [missing]) = (response.status, response.body.is_empty(), &operation.errors[..]) {
        error.code = service.shape(*missing).name.clone();
        error.message = None;
    }
    let known = service.exceptions().find(|(shape, traits)| {
        shape.name == error.code || [&traits.code, &traits.query_code].contains(&&Some(error.code.clone()))
    });
    if let Some((shape, traits)) = known {
        error.adopt(shape, traits);
    }
    error.request_id = error.request_id.or_else(|| request_id(&response.headers).map(Into::into));
    error
}

/// The request's id in the headers of an answer.
pub fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = [REQUEST_ID, "x-amz-request-id"].into_iter().find_map(|name| headers.get(name))?;
    Some(id.to_str().ok()?.to_owned())
}

fn from_status(response: &HttpResponse) -> ServiceError {
    let reason = StatusCode::from_u16(response.status).ok().and_then(|status| status.canonical_reason());
    ServiceError::plain(response.status.to_string(), response.status, reason.unwrap_or_default())
}

/// Whether an answer of success is an error after all.
pub(super) fn is_late(service: &Service, operation: &Operation, response: &HttpResponse) -> bool {
    let output = operation.output.as_ref().and_then(|output| service.structure(output));
    let streams = output.is_some_and(|output| {
        output.payload.is_some_and(|payload| super::is_plain(service.kind(&output.members[payload].target)))
    });
    service.metadata.signing_name() == "s3"
        && !streams
        && Element::parse(&response.body).is_ok_and(|root| root.name == "Error")
}

fn from_json(response: &HttpResponse, body: Option<Value>) -> ServiceError {
    let mut error = from_status(response);
    let said = |name| response.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let mut fields = match body {
        Some(Value::Object(fields)) => fields,
        _ => {
            let text = String::from_utf8_lossy(&response.body);
            if !text.trim().is_empty() && !text.trim_start().starts_with('<') {
                error.message = Some(text.into_owned());
            }
            Map::new()
        }
    };
    let mut text = |name: &str| match fields.get(name) {
        Some(Value::String(_)) => fields.remove(name).and_then(|value| value.as_str().map(str::to_owned)),
        _ => None,
    };
    let kind = text("__type");
    let named = said("x-amzn-errortype").map(str::to_owned).or(kind).or_else(|| text("code")).or_else(|| text("Code"));
    if let Some(code) = named {
        error.code = bare(&code).to_owned();
    }
    if let Some(message) = text("message").or_else(|| text("Message")).or_else(|| text("errorMessage")) {
        error.message = Some(message);
    }
    if let Some((code, fault)) = said("x-amzn-query-error").and_then(|value| value.split_once(';')) {
        error.query_code = (!code.is_empty()).then(|| code.into());
        error.fault = if fault == "Sender" { Fault::Sender } else { Fault::Receiver };
    }
    error.fields = Box::new(fields);
    error
}

/// A code without namespace and link: `aws.x#Code:http://…` is `Code`.
fn bare(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or(code);
    code.rsplit('#').next().unwrap_or(code)
}

fn from_xml(response: &HttpResponse) -> ServiceError {
    let mut error = from_status(response);
    let Ok(root) = Element::parse(&response.body) else { return error };
    // `<ErrorResponse><Error>`, `<Response><Errors><Error>`, or `<Error>` alone.
    let told = root.child("Error").or_else(|| root.child("Errors")?.child("Error")).unwrap_or(&root);
    let text = |element: &Element, name| element.child(name).map(|child| child.text.trim().to_owned());
    if let Some(code) = text(told, "Code").filter(|code| !code.is_empty()) {
        error.code = code;
        error.message = text(told, "Message");
    }
    match text(told, "Type").as_deref() {
        Some("Sender") => error.fault = Fault::Sender,
        Some(_) => error.fault = Fault::Receiver,
        None => {}
    }
    let id = ["RequestId", "RequestID"].into_iter().find_map(|name| text(&root, name).or_else(|| text(told, name)));
    error.request_id = id.map(Into::into);
    error
}

/// Writes an error answer.
pub(crate) fn encode(protocol: Protocol, service: &Service, error: &ServiceError, request_id: &str) -> HttpResponse {
    let written = match protocol {
        Protocol::Json => to_json(service, error),
        Protocol::RestJson => to_rest_json(service, error),
        Protocol::Query | Protocol::Ec2 | Protocol::RestXml | Protocol::Cbor => to_xml(service, error, request_id),
    };
    // Only a code that cannot be a header ends here; the body would say the same.
    let (mut headers, body) = written.unwrap_or_default();
    set_request_id(&mut headers, request_id);
    HttpResponse { status: error.status, headers, body }
}

fn to_json(service: &Service, error: &ServiceError) -> Result<(HeaderMap, Bytes), CodecError> {
    let mut headers = HeaderMap::new();
    header(&mut headers, "content-type", &json_codec::content_type(service))?;
    let kind = match &error.exception {
        Some(exception) => format!("com.amazonaws.{}#{exception}", service.name),
        None => format!("com.amazon.coral.service#{}", error.code),
    };
    if let (true, Some(code)) = (service.metadata.query_compatible, &error.query_code) {
        header(&mut headers, "x-amzn-query-error", &format!("{code};{}", fault_name(error.fault)))?;
    }
    let mut body = Map::from_iter([("__type".to_owned(), json!(kind))]);
    put_message(&mut body, service, error);
    Ok((headers, json_codec::text(&Value::Object(body))))
}

fn to_rest_json(service: &Service, error: &ServiceError) -> Result<(HeaderMap, Bytes), CodecError> {
    let mut headers = HeaderMap::new();
    header(&mut headers, "content-type", "application/json")?;
    header(&mut headers, "x-amzn-errortype", error.exception.as_deref().unwrap_or(&error.code))?;
    let mut body = Map::new();
    if members(service, error).iter().any(|member| member.name == "Type") {
        let kind = if error.fault == Fault::Sender { "User" } else { "Service" };
        body.insert("Type".to_owned(), json!(kind));
    }
    put_message(&mut body, service, error);
    Ok((headers, json_codec::text(&Value::Object(body))))
}

fn to_xml(service: &Service, error: &ServiceError, request_id: &str) -> Result<(HeaderMap, Bytes), CodecError> {
    let code = error.query_code.as_deref().unwrap_or(&error.code);
    let message = error.message.as_deref().unwrap_or_default();
    super::xml::encode_error(service, fault_name(error.fault), code, message, request_id)
}

fn fault_name(fault: Fault) -> &'static str {
    match fault {
        Fault::Sender => "Sender",
        Fault::Receiver => "Receiver",
    }
}

/// Members of the exception's structure.
fn members<'a>(service: &'a Service, error: &ServiceError) -> &'a [Member] {
    match error.exception.as_deref().and_then(|name| service.shape_named(name)).map(|shape| &shape.kind) {
        Some(Kind::Structure(Structure { members, .. })) => members,
        _ => &[],
    }
}

/// The message under the name that the exception gives it (some models write `Message`), and the other fields.
fn put_message(body: &mut Map<String, Value>, service: &Service, error: &ServiceError) {
    let called = members(service, error).iter().find(|member| member.name.eq_ignore_ascii_case("message"));
    let name = called.map_or("message", |member| member.target.wire.as_deref().unwrap_or(&member.name));
    if let Some(message) = &error.message {
        body.insert(name.to_owned(), json!(message));
    }
    body.extend(error.fields.iter().map(|(name, value)| (name.clone(), value.clone())));
}

impl From<CodecError> for ServiceError {
    /// What AWS's front end answers to a message that it cannot read.
    fn from(error: CodecError) -> ServiceError {
        ServiceError::plain("SerializationException", 400, error.to_string())
    }
}
