//! Smithy RPC v2 with CBOR bodies, for the few services that speak nothing else.
//!
//! The values are those of JSON in other clothes: blobs are bytes, times are tagged numbers, so the JSON codec does the
//! walk for everything else.

use bytes::Bytes;
use ciborium::Value as Cbor;
use http::HeaderMap;
use serde_json::{Map, Number, Value};

use super::scalar::{Scalar, time_format};
use super::{CodecError, Dialect, HttpRequest, HttpResponse, MAX_DEPTH, descend, header, json, member_named};
use crate::model::{Kind, Operation, Ref, Service, TimestampFormat};

/// The tag of seconds since 1970.
const EPOCH: u64 = 1;

pub(super) fn encode_request(
    service: &Service,
    operation: &Operation,
    params: Map<String, Value>,
    dialect: Dialect,
) -> Result<HttpRequest, CodecError> {
    let target = service.metadata.target_prefix.as_deref().unwrap_or_default();
    let mut headers = HeaderMap::new();
    header(&mut headers, "smithy-protocol", "rpc-v2-cbor")?;
    header(&mut headers, "accept", "application/cbor")?;
    let mut body = Vec::new();
    if let Some(input) = &operation.input {
        header(&mut headers, "content-type", "application/cbor")?;
        let value = to_cbor(service, input, Value::Object(params), dialect, 0)?;
        ciborium::into_writer(&value, &mut body).map_err(|error| CodecError::malformed(error.to_string()))?;
    }
    Ok(HttpRequest {
        method: operation.method.clone(),
        path: format!("/service/{target}/operation/{}", operation.name),
        query: String::new(),
        headers,
        body: Bytes::from(body),
        host_prefix: None,
    })
}

pub(super) fn decode_response(
    service: &Service,
    operation: &Operation,
    response: &HttpResponse,
    dialect: Dialect,
) -> Result<Value, CodecError> {
    match &operation.output {
        Some(output) => json::from_wire(service, output, parse(&response.body)?, dialect, 0),
        None => Ok(Value::Object(Map::new())),
    }
}

/// A CBOR body as the JSON that means the same: bytes are base64, times are seconds.
pub(super) fn parse(body: &[u8]) -> Result<Value, CodecError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let value = ciborium::de::from_reader_with_recursion_limit(body, MAX_DEPTH);
    into_json(value.map_err(|error| CodecError::malformed(error.to_string()))?)
}

fn to_cbor(
    service: &Service,
    reference: &Ref,
    value: Value,
    dialect: Dialect,
    depth: usize,
) -> Result<Cbor, CodecError> {
    let depth = descend(depth)?;
    match (service.kind(reference), value) {
        (Kind::Structure(structure), Value::Object(value)) => {
            let mut entries = Vec::with_capacity(value.len());
            for (name, value) in value {
                let member = member_named(&structure.members, &name, dialect)?;
                if !value.is_null() {
                    let value = to_cbor(service, &member.target, value, dialect, depth);
                    let wire = member.target.wire.as_deref().unwrap_or(&member.name);
                    entries.push((Cbor::from(wire), value.map_err(|error| error.at(name))?));
                }
            }
            Ok(Cbor::Map(entries))
        }
        (Kind::List { element, .. }, Value::Array(items)) => {
            let item = |(at, item): (usize, Value)| {
                to_cbor(service, element, item, dialect, depth).map_err(|error| error.at(format!("[{at}]")))
            };
            items.into_iter().enumerate().map(item).collect::<Result<_, _>>().map(Cbor::Array)
        }
        (Kind::Map { value: shape, .. }, Value::Object(entries)) => {
            let entry = |(name, item): (String, Value)| {
                let item = to_cbor(service, shape, item, dialect, depth).map_err(|error| error.at(&name))?;
                Ok((Cbor::from(name), item))
            };
            entries.into_iter().map(entry).collect::<Result<_, _>>().map(Cbor::Map)
        }
        (Kind::Structure(_) | Kind::Map { .. }, _) => Err(CodecError::must_be("MAP")),
        (Kind::List { .. }, _) => Err(CodecError::must_be("LIST")),
        (Kind::Document, value) => Ok(from_json(value)),
        (kind, value) => {
            let format = time_format(reference, kind, TimestampFormat::Unix);
            Ok(match Scalar::from_ours(value, kind, format, dialect)? {
                Scalar::Blob(bytes) => Cbor::Bytes(bytes),
                scalar @ Scalar::Time(..) => Cbor::Tag(EPOCH, Box::new(from_json(scalar.into_json()))),
                Scalar::Number(number) if matches!(kind, Kind::Float) => {
                    Cbor::Float(number.as_f64().unwrap_or(f64::NAN))
                }
                Scalar::Text(text) if matches!(kind, Kind::Float) => Cbor::Float(text.parse().unwrap_or(f64::NAN)),
                scalar => from_json(scalar.into_json()),
            })
        }
    }
}

fn from_json(value: Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(value) => Cbor::Bool(value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(integer), _) => Cbor::from(integer),
            (None, Some(integer)) => Cbor::from(integer),
            (None, None) => Cbor::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cbor::Text(text),
        Value::Array(items) => Cbor::Array(items.into_iter().map(from_json).collect()),
        Value::Object(entries) => {
            Cbor::Map(entries.into_iter().map(|(name, value)| (Cbor::Text(name), from_json(value))).collect())
        }
    }
}

/// The decoder's limit bounds the depth.
fn into_json(value: Cbor) -> Result<Value, CodecError> {
    Ok(match value {
        Cbor::Null => Value::Null,
        Cbor::Bool(value) => Value::Bool(value),
        Cbor::Integer(integer) => {
            let integer = i128::from(integer);
            let number = i64::try_from(integer).map(Number::from).or_else(|_| u64::try_from(integer).map(Number::from));
            Value::Number(number.map_err(|_| CodecError::must_be("NUMBER of 64 bits"))?)
        }
        Cbor::Float(float) => match Number::from_f64(float) {
            Some(number) => Value::Number(number),
            None if float.is_nan() => "NaN".into(),
            None if float > 0.0 => "Infinity".into(),
            None => "-Infinity".into(),
        },
        Cbor::Bytes(bytes) => Scalar::Blob(bytes).into_json(),
        Cbor::Text(text) => Value::String(text),
        Cbor::Array(items) => Value::Array(items.into_iter().map(into_json).collect::<Result<_, _>>()?),
        Cbor::Map(entries) => {
            let entry = |(name, value)| match name {
                Cbor::Text(name) => Ok((name, into_json(value)?)),
                _ => Err(CodecError::must_be("MAP with names that are text")),
            };
            Value::Object(entries.into_iter().map(entry).collect::<Result<_, CodecError>>()?)
        }
        Cbor::Tag(_, value) => into_json(*value)?,
        _ => return Err(CodecError::malformed("an unknown kind of value")),
    })
}
