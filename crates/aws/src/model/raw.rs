//! A service model as it is written in the file, and its translation into [`Service`].
//!
//! The names are botocore's. References by name become indices here, so a model that refers to a shape it does not
//! have is refused as a whole.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    ErrorTraits, Kind, Limits, Location, Member, Operation, Ref, Service, Shape, ShapeId, Structure, TimestampFormat,
    pascal,
};

/// What the model says about the service as a whole.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    pub service_id: String,
    pub api_version: String,
    pub endpoint_prefix: String,
    pub signing_name: Option<String>,
    /// The protocol that SDKs speak; see [`crate::codec::Protocol`].
    pub protocol: String,
    #[serde(default)]
    pub protocols: Vec<String>,
    pub target_prefix: Option<String>,
    pub json_version: Option<String>,
    pub global_endpoint: Option<String>,
    pub xml_namespace: Option<String>,
    /// Set where clients from before a change of protocol still speak query.
    pub query_xml_namespace: Option<String>,
    #[serde(default)]
    pub query_compatible: bool,
}

impl Metadata {
    /// The service's name in the credential scope of a signature.
    pub fn signing_name(&self) -> &str {
        self.signing_name.as_deref().unwrap_or(&self.endpoint_prefix)
    }
}

#[derive(Deserialize)]
struct RawService {
    metadata: Metadata,
    // Ordered: serde_json's map keeps the order of the text.
    operations: Map<String, Value>,
    shapes: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawOperation {
    http: RawHttp,
    input: Option<RawRef>,
    output: Option<RawRef>,
    #[serde(default)]
    errors: Vec<String>,
    host_prefix: Option<String>,
    authtype: Option<String>,
    #[serde(default)]
    checksum_required: bool,
    checksum_member: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawHttp {
    method: String,
    request_uri: String,
    response_code: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRef {
    shape: String,
    location: Option<String>,
    location_name: Option<String>,
    query_name: Option<String>,
    result_wrapper: Option<String>,
    #[serde(default)]
    flattened: bool,
    timestamp_format: Option<String>,
    xml_namespace: Option<RawNamespace>,
    #[serde(default)]
    xml_attribute: bool,
    #[serde(default)]
    host_label: bool,
    #[serde(default)]
    idempotency_token: bool,
    #[serde(default)]
    jsonvalue: bool,
    #[serde(default)]
    eventstream: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawNamespace {
    Uri(String),
    Prefixed { prefix: Option<String>, uri: String },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawShape {
    r#type: String,
    #[serde(default)]
    members: Map<String, Value>,
    #[serde(default)]
    required: Vec<String>,
    payload: Option<String>,
    member: Option<RawRef>,
    key: Option<RawRef>,
    value: Option<RawRef>,
    #[serde(default)]
    flattened: bool,
    timestamp_format: Option<String>,
    #[serde(default)]
    exception: bool,
    #[serde(default)]
    fault: bool,
    error: Option<RawError>,
    #[serde(default)]
    document: bool,
    #[serde(default)]
    eventstream: bool,
    #[serde(default)]
    r#enum: Vec<String>,
    min: Option<f64>,
    max: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct RawError {
    code: Option<String>,
    query_code: Option<String>,
    http_status_code: Option<u16>,
    sender_fault: Option<bool>,
}

type Ids = HashMap<String, ShapeId>;

impl Service {
    /// Reads a service from the JSON text of its frame.
    pub(crate) fn parse(name: &str, text: &[u8]) -> Result<Service, String> {
        let raw: RawService = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let ids: Ids = raw.shapes.keys().zip(0..).map(|(name, at)| (name.clone(), ShapeId(at))).collect();
        let mut shapes = Vec::with_capacity(raw.shapes.len());
        let mut streams = Vec::new();
        for (name, shape) in raw.shapes {
            let mut shape: RawShape = serde_json::from_value(shape).map_err(|error| format!("{name}: {error}"))?;
            let limits = Limits { values: std::mem::take(&mut shape.r#enum), min: shape.min, max: shape.max };
            streams.push(shape.eventstream);
            shapes.push(Shape { kind: kind(shape, &ids).map_err(|error| format!("{name}: {error}"))?, name, limits });
        }
        mark_event_streams(&mut shapes, &streams);

        let mut operations = Vec::with_capacity(raw.operations.len());
        for (name, operation) in raw.operations {
            let operation = serde_json::from_value(operation).map_err(|error| format!("{name}: {error}"))?;
            operations.push(self::operation(name, operation, &ids)?);
        }
        let by_name = operations.iter().enumerate().map(|(at, op): (usize, &Operation)| (op.name.clone(), at));
        Ok(Service {
            name: name.to_owned(),
            metadata: raw.metadata,
            by_name: by_name.collect(),
            operations,
            shapes,
            by_shape: ids,
            router: OnceLock::new(),
        })
    }
}

/// The trait is written at the shape, and asked for at the member that uses it.
fn mark_event_streams(shapes: &mut [Shape], streams: &[bool]) {
    for shape in shapes {
        if let Kind::Structure(structure) = &mut shape.kind {
            for member in &mut structure.members {
                member.target.event_stream |= streams[member.target.shape.0 as usize];
            }
        }
    }
}

fn operation(name: String, raw: RawOperation, ids: &Ids) -> Result<Operation, String> {
    let result_wrapper = raw.output.as_ref().and_then(|output| output.result_wrapper.clone());
    let errors = raw.errors.iter().map(|name| id(name, ids)).collect::<Result<_, _>>()?;
    Ok(Operation {
        method: raw.http.method,
        uri: raw.http.request_uri,
        response_code: raw.http.response_code.unwrap_or(200),
        input: raw.input.map(|input| reference(input, ids)).transpose()?,
        output: raw.output.map(|output| reference(output, ids)).transpose()?,
        result_wrapper,
        errors,
        host_prefix: raw.host_prefix,
        unsigned: raw.authtype.as_deref() == Some("none"),
        checksum_required: raw.checksum_required,
        checksum_member: raw.checksum_member,
        name,
    })
}

fn kind(raw: RawShape, ids: &Ids) -> Result<Kind, String> {
    let part = |part: Option<RawRef>| reference(part.ok_or("a part of it is missing")?, ids);
    Ok(match raw.r#type.as_str() {
        "structure" if raw.document => Kind::Document,
        "structure" => Kind::Structure(structure(raw, ids)?),
        "list" => Kind::List { element: part(raw.member)?, flattened: raw.flattened },
        "map" => Kind::Map { key: part(raw.key)?, value: part(raw.value)?, flattened: raw.flattened },
        "string" | "character" => Kind::String,
        "blob" => Kind::Blob,
        "boolean" => Kind::Boolean,
        "integer" | "long" | "short" | "byte" | "bigInteger" => Kind::Integer,
        "float" | "double" | "bigDecimal" => Kind::Float,
        "timestamp" => Kind::Timestamp(raw.timestamp_format.as_deref().map(timestamp_format).transpose()?),
        other => return Err(format!("unknown type {other}")),
    })
}

fn structure(raw: RawShape, ids: &Ids) -> Result<Structure, String> {
    let mut members = Vec::with_capacity(raw.members.len());
    for (name, member) in raw.members {
        let member: RawRef = serde_json::from_value(member).map_err(|error| format!("{name}: {error}"))?;
        members.push(Member {
            pascal: pascal(&name),
            required: raw.required.contains(&name),
            target: reference(member, ids)?,
            name,
        });
    }
    let payload = match &raw.payload {
        Some(name) => Some(members.iter().position(|member| member.name == *name).ok_or("its payload is missing")?),
        None => None,
    };
    let error = raw.exception.then(|| {
        let error = raw.error.unwrap_or_default();
        ErrorTraits {
            server_fault: raw.fault || error.sender_fault == Some(false),
            code: error.code,
            query_code: error.query_code,
            status: error.http_status_code,
        }
    });
    Ok(Structure { members, payload, error })
}

fn reference(raw: RawRef, ids: &Ids) -> Result<Ref, String> {
    let location = match raw.location.as_deref() {
        None => None,
        Some("uri") => Some(Location::Uri),
        Some("querystring") => Some(Location::Query),
        Some("header") => Some(Location::Header),
        Some("headers") => Some(Location::Headers),
        Some("statusCode") => Some(Location::StatusCode),
        Some(other) => return Err(format!("unknown location {other}")),
    };
    Ok(Ref {
        shape: id(&raw.shape, ids)?,
        location,
        wire: raw.location_name,
        query: raw.query_name,
        flattened: raw.flattened,
        timestamp: raw.timestamp_format.as_deref().map(timestamp_format).transpose()?,
        xml_namespace: raw.xml_namespace.map(|namespace| match namespace {
            RawNamespace::Uri(uri) => (None, uri),
            RawNamespace::Prefixed { prefix, uri } => (prefix, uri),
        }),
        xml_attribute: raw.xml_attribute,
        host_label: raw.host_label,
        idempotency_token: raw.idempotency_token,
        json_value: raw.jsonvalue,
        event_stream: raw.eventstream,
    })
}

fn id(name: &str, ids: &Ids) -> Result<ShapeId, String> {
    ids.get(name).copied().ok_or_else(|| format!("it refers to {name}, which is not there"))
}

fn timestamp_format(name: &str) -> Result<TimestampFormat, String> {
    match name.to_ascii_lowercase().as_str() {
        "iso8601" => Ok(TimestampFormat::Iso8601),
        "rfc822" => Ok(TimestampFormat::Rfc822),
        "unixtimestamp" => Ok(TimestampFormat::Unix),
        other => Err(format!("unknown timestamp format {other}")),
    }
}
