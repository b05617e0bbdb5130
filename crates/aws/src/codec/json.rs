//! AWS JSON 1.0 and 1.1, and the JSON bodies of REST services.
//!
//! Members are called by their wire name where they have one. Nulls mean "not set" in both directions, except as
//! elements of lists and maps, where they stand for themselves.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value};

use super::scalar::{Scalar, time_format};
use super::{CodecError, Dialect, HttpRequest, HttpResponse, descend, header, member_named, our_name};
use crate::model::{Kind, Member, Operation, Ref, Service, TimestampFormat};

pub(super) fn encode_request(
    service: &Service,
    operation: &Operation,
    params: Map<String, Value>,
    dialect: Dialect,
) -> Result<HttpRequest, CodecError> {
    let target = service.metadata.target_prefix.as_deref().unwrap_or_default();
    let mut headers = HeaderMap::new();
    header(&mut headers, "content-type", &content_type(service))?;
    header(&mut headers, "x-amz-target", &format!("{target}.{}", operation.name))?;
    if service.metadata.query_compatible {
        // Asks for the error codes of the query protocol, which is what SDKs show.
        header(&mut headers, "x-amzn-query-mode", "true")?;
    }
    let body = match &operation.input {
        Some(input) => structure_to_wire(service, service.members(input), params, dialect, 0)?,
        None => Map::new(),
    };
    Ok(HttpRequest {
        method: operation.method.clone(),
        path: "/".into(),
        query: String::new(),
        headers,
        body: text(&Value::Object(body)),
        host_prefix: None,
    })
}

pub(crate) fn decode_request(service: &Service, operation: &Operation, body: &[u8]) -> Result<Value, CodecError> {
    match &operation.input {
        Some(input) => from_wire(service, input, parse(body)?, Dialect::Native, 0),
        None => Ok(Value::Object(Map::new())),
    }
}

pub(super) fn encode_response(
    service: &Service,
    operation: &Operation,
    result: Map<String, Value>,
) -> Result<HttpResponse, CodecError> {
    let mut headers = HeaderMap::new();
    header(&mut headers, "content-type", &content_type(service))?;
    let body = match &operation.output {
        Some(output) => {
            let members = service.members(output);
            text(&Value::Object(structure_to_wire(service, members, result, Dialect::Native, 0)?))
        }
        None => Bytes::new(),
    };
    Ok(HttpResponse { status: operation.response_code, headers, body })
}

pub(super) fn decode_response(
    service: &Service,
    operation: &Operation,
    response: &HttpResponse,
    dialect: Dialect,
) -> Result<Value, CodecError> {
    match &operation.output {
        Some(output) => from_wire(service, output, parse(&response.body)?, dialect, 0),
        None => Ok(Value::Object(Map::new())),
    }
}

pub(super) fn content_type(service: &Service) -> String {
    format!("application/x-amz-json-{}", service.metadata.json_version.as_deref().unwrap_or("1.0"))
}

/// A JSON body; none at all is an empty object.
pub(super) fn parse(body: &[u8]) -> Result<Value, CodecError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body).map_err(|error| CodecError::malformed(error.to_string()))
}

pub(super) fn text(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}

/// From our side to JSON.
pub(super) fn to_wire(
    service: &Service,
    reference: &Ref,
    value: Value,
    dialect: Dialect,
    depth: usize,
) -> Result<Value, CodecError> {
    let depth = descend(depth)?;
    match (service.kind(reference), value) {
        (Kind::Structure(structure), Value::Object(value)) => {
            structure_to_wire(service, &structure.members, value, dialect, depth).map(Value::Object)
        }
        (Kind::List { element, .. }, Value::Array(items)) => {
            each(items, |item| to_wire(service, element, item, dialect, depth))
        }
        (Kind::Map { value: shape, .. }, Value::Object(entries)) => {
            entry_values(entries, |item| to_wire(service, shape, item, dialect, depth))
        }
        (Kind::Structure(_) | Kind::Map { .. }, _) => Err(CodecError::must_be("MAP")),
        (Kind::List { .. }, _) => Err(CodecError::must_be("LIST")),
        (Kind::Document, value) => Ok(value),
        (kind, value) => {
            let format = time_format(reference, kind, TimestampFormat::Unix);
            Ok(Scalar::from_ours(value, kind, format, dialect)?.into_json())
        }
    }
}

pub(super) fn structure_to_wire(
    service: &Service,
    members: &[Member],
    value: Map<String, Value>,
    dialect: Dialect,
    depth: usize,
) -> Result<Map<String, Value>, CodecError> {
    let mut wire = Map::with_capacity(value.len());
    for (name, value) in value {
        let member = member_named(members, &name, dialect)?;
        if !value.is_null() {
            let value = to_wire(service, &member.target, value, dialect, depth).map_err(|error| error.at(name))?;
            wire.insert(wire_name(member).to_owned(), value);
        }
    }
    Ok(wire)
}

/// From JSON to our side. Members that the model does not know are left out, as SDKs leave them out.
pub(super) fn from_wire(
    service: &Service,
    reference: &Ref,
    value: Value,
    dialect: Dialect,
    depth: usize,
) -> Result<Value, CodecError> {
    let depth = descend(depth)?;
    match (service.kind(reference), value) {
        (Kind::Structure(structure), Value::Object(value)) => {
            structure_from_wire(service, &structure.members, value, dialect, depth).map(Value::Object)
        }
        (Kind::List { element, .. }, Value::Array(items)) => {
            each(items, |item| from_wire(service, element, item, dialect, depth))
        }
        (Kind::Map { value: shape, .. }, Value::Object(entries)) => {
            entry_values(entries, |item| from_wire(service, shape, item, dialect, depth))
        }
        (Kind::Structure(_) | Kind::Map { .. }, _) => Err(CodecError::must_be("MAP")),
        (Kind::List { .. }, _) => Err(CodecError::must_be("LIST")),
        (Kind::Document, value) => Ok(value),
        (kind, value) => {
            let format = time_format(reference, kind, TimestampFormat::Unix);
            Ok(Scalar::from_json(value, kind, format)?.into_ours(dialect))
        }
    }
}

pub(super) fn structure_from_wire(
    service: &Service,
    members: &[Member],
    mut value: Map<String, Value>,
    dialect: Dialect,
    depth: usize,
) -> Result<Map<String, Value>, CodecError> {
    let mut ours = Map::with_capacity(value.len());
    for member in members {
        match value.get_mut(wire_name(member)).map(Value::take) {
            None | Some(Value::Null) => {}
            Some(value) => {
                let value = from_wire(service, &member.target, value, dialect, depth)
                    .map_err(|error| error.at(wire_name(member)))?;
                ours.insert(our_name(member, dialect).to_owned(), value);
            }
        }
    }
    Ok(ours)
}

fn wire_name(member: &Member) -> &str {
    member.target.wire.as_deref().unwrap_or(&member.name)
}

fn each(items: Vec<Value>, convert: impl Fn(Value) -> Result<Value, CodecError>) -> Result<Value, CodecError> {
    let convert = |(at, item): (usize, Value)| match item {
        Value::Null => Ok(Value::Null),
        item => convert(item).map_err(|error| error.at(format!("[{at}]"))),
    };
    items.into_iter().enumerate().map(convert).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn entry_values(
    entries: Map<String, Value>,
    convert: impl Fn(Value) -> Result<Value, CodecError>,
) -> Result<Value, CodecError> {
    let convert = |(key, item): (String, Value)| match item {
        Value::Null => Ok((key, Value::Null)),
        item => match convert(item) {
            Ok(value) => Ok((key, value)),
            Err(error) => Err(error.at(key)),
        },
    };
    entries.into_iter().map(convert).collect::<Result<Map<_, _>, _>>().map(Value::Object)
}
