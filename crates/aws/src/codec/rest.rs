//! REST bindings: which member goes into the path, the query, a header, the status, and which is the body.
//!
//! The body of what is left is JSON or XML ([`Bodies`]).
//! Read from the server's side, method and path find the operation.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use form_urlencoded::Serializer;
use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::document::Element;
use super::route::Found;
use super::scalar::{Scalar, time_format};
use super::{
    CodecError, Dialect, HttpRequest, HttpResponse, Wrong, header, is_plain, json, member_named, our_name, xml,
};
use crate::model::{Kind, Location, Member, Operation, Ref, Service, Structure, TimestampFormat};

/// What RFC 3986 leaves unreserved stays as it is in a path label.
const LABEL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const GREEDY_LABEL: &AsciiSet = &LABEL.remove(b'/');

/// What bodies are written in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bodies {
    Json,
    Xml,
}

impl Bodies {
    fn content_type(self) -> &'static str {
        match self {
            Bodies::Json => "application/json",
            Bodies::Xml => "application/xml",
        }
    }

    /// A body of all members that have no place elsewhere.
    fn write(
        self,
        service: &Service,
        input: &Ref,
        value: Map<String, Value>,
        dialect: Dialect,
    ) -> Result<Bytes, CodecError> {
        match self {
            Bodies::Json => {
                let members = service.members(input);
                Ok(json::text(&Value::Object(json::structure_to_wire(service, members, value, dialect, 0)?)))
            }
            // What is not given has no element.
            Bodies::Xml if value.is_empty() => Ok(Bytes::new()),
            Bodies::Xml => {
                let name = &service.shape(input.shape).name;
                xml::body(service, input, name, Value::Object(value), dialect)
            }
        }
    }

    /// A body that is one member.
    fn write_member(
        self,
        service: &Service,
        member: &Member,
        value: Value,
        dialect: Dialect,
    ) -> Result<Bytes, CodecError> {
        match self {
            Bodies::Json => Ok(json::text(&json::to_wire(service, &member.target, value, dialect, 0)?)),
            Bodies::Xml => xml::body(service, &member.target, &member.name, value, dialect),
        }
    }

    fn read_structure(
        self,
        service: &Service,
        members: &[Member],
        body: &[u8],
        dialect: Dialect,
    ) -> Result<Map<String, Value>, CodecError> {
        match self {
            Bodies::Json => {
                let Value::Object(body) = json::parse(body)? else { return Err(CodecError::must_be("MAP")) };
                json::structure_from_wire(service, members, body, dialect, 0)
            }
            Bodies::Xml if body.is_empty() => Ok(Map::new()),
            Bodies::Xml => {
                let root = Element::parse(body)?;
                // S3 answers GetBucketLocation with the member itself.
                let root = match members.iter().any(|member| wire_name(member) == root.name && root.is_leaf()) {
                    true => Element::around(root),
                    false => root,
                };
                xml::structure_from_xml(service, members, &root, dialect, 0)
            }
        }
    }

    fn read_member(
        self,
        service: &Service,
        member: &Member,
        body: &[u8],
        dialect: Dialect,
    ) -> Result<Value, CodecError> {
        match self {
            Bodies::Json => json::from_wire(service, &member.target, json::parse(body)?, dialect, 0),
            Bodies::Xml => xml::from_xml(service, &member.target, &Element::parse(body)?, dialect, 0),
        }
    }
}

pub(super) fn encode_request(
    bodies: Bodies,
    service: &Service,
    operation: &Operation,
    params: Map<String, Value>,
    dialect: Dialect,
) -> Result<HttpRequest, CodecError> {
    let members = operation.input.as_ref().map_or(&[][..], |input| service.members(input));
    let (template, constant) = operation.uri.split_once('?').unwrap_or((&operation.uri, ""));
    let mut path = template.to_owned();
    let mut query: Vec<(String, String)> = form_urlencoded::parse(constant.as_bytes()).into_owned().collect();
    let mut headers = HeaderMap::new();
    let mut body = Map::new();
    let mut payload = None;
    let payload_member = payload_of(service, operation.input.as_ref());

    for (name, value) in params {
        let member = member_named(members, &name, dialect)?;
        if value.is_null() {
            continue;
        }
        let placed = match member.target.location {
            Some(Location::Uri) => put_label(service, &mut path, member, value, dialect),
            Some(Location::Query) => put_query(service, &mut query, member, value, dialect),
            Some(Location::Header) => put_header(service, &mut headers, member, value, dialect),
            Some(Location::Headers) => put_headers(&mut headers, member, value),
            Some(Location::StatusCode) | None
                if payload_member.is_some_and(|payload| std::ptr::eq(payload, member)) =>
            {
                payload = Some(value);
                Ok(())
            }
            Some(Location::StatusCode) | None => {
                body.insert(name.clone(), value);
                Ok(())
            }
        };
        placed.map_err(|error| error.at(name))?;
    }
    if let Some(label) = path.find('{') {
        let name = path[label + 1..].split(['+', '}']).next().unwrap_or_default();
        return Err(CodecError::new(Wrong::Missing).at(our_label(members, name, dialect)));
    }

    let body = match (payload_member, payload, &operation.input) {
        (Some(member), Some(value), _) => payload_bytes(bodies, service, member, value, dialect)?,
        (Some(member), None, _) if is_plain(service.kind(&member.target)) => Bytes::new(),
        (None, _, _) if members.iter().all(|member| member.target.location.is_some()) => Bytes::new(),
        (_, _, Some(input)) => bodies.write(service, input, body, dialect)?,
        (_, _, None) => Bytes::new(),
    };
    let raw = payload_member.is_some_and(|member| is_plain(service.kind(&member.target)));
    if !body.is_empty() && !raw && !headers.contains_key("content-type") {
        header(&mut headers, "content-type", bodies.content_type())?;
    }
    let query = if query.is_empty() { String::new() } else { write_query(&query) };
    Ok(HttpRequest { method: operation.method.clone(), path, query, headers, body, host_prefix: None })
}

/// Like a form, but with `%20` for a space: a signature covers the query, and `+` is not a space there.
fn write_query(pairs: &[(String, String)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish().replace('+', "%20")
}

fn our_label<'a>(members: &'a [Member], name: &'a str, dialect: Dialect) -> &'a str {
    let member = members.iter().find(|member| wire_name(member) == name);
    member.map_or(name, |member| our_name(member, dialect))
}

fn wire_name(member: &Member) -> &str {
    member.target.wire.as_deref().unwrap_or(&member.name)
}

fn payload_of<'a>(service: &'a Service, reference: Option<&Ref>) -> Option<&'a Member> {
    let structure: &Structure = service.structure(reference?)?;
    Some(&structure.members[structure.payload?])
}

fn scalar_text(
    service: &Service,
    reference: &Ref,
    value: Value,
    times: TimestampFormat,
    dialect: Dialect,
) -> Result<String, CodecError> {
    let kind = service.kind(reference);
    if matches!(kind, Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. }) {
        return Err(CodecError::new(Wrong::Unsendable));
    }
    Ok(Scalar::from_ours(value, kind, time_format(reference, kind, times), dialect)?.into_text())
}

fn put_label(
    service: &Service,
    path: &mut String,
    member: &Member,
    value: Value,
    dialect: Dialect,
) -> Result<(), CodecError> {
    let text = scalar_text(service, &member.target, value, TimestampFormat::Iso8601, dialect)?;
    let name = wire_name(member);
    let (label, greedy) = (format!("{{{name}}}"), format!("{{{name}+}}"));
    // An empty label would be another path.
    if text.is_empty() {
        return Err(CodecError::new(Wrong::Unsendable));
    }
    *path = path
        .replace(&label, &utf8_percent_encode(&text, LABEL).to_string())
        .replace(&greedy, &utf8_percent_encode(&text, GREEDY_LABEL).to_string());
    Ok(())
}

fn put_query(
    service: &Service,
    query: &mut Vec<(String, String)>,
    member: &Member,
    value: Value,
    dialect: Dialect,
) -> Result<(), CodecError> {
    let times = TimestampFormat::Iso8601;
    match (service.kind(&member.target), value) {
        (Kind::List { element, .. }, Value::Array(items)) => {
            for item in items {
                let text = scalar_text(service, element, item, times, dialect)?;
                query.push((wire_name(member).to_owned(), text));
            }
        }
        (Kind::Map { value: shape, .. }, Value::Object(entries)) => {
            for (name, item) in entries {
                let (each, items) = match (service.kind(shape), item) {
                    (Kind::List { element, .. }, Value::Array(items)) => (element, items),
                    (_, item) => (shape, vec![item]),
                };
                for item in items {
                    query.push((name.clone(), scalar_text(service, each, item, times, dialect)?));
                }
            }
        }
        (_, value) => {
            let text = scalar_text(service, &member.target, value, times, dialect)?;
            query.push((wire_name(member).to_owned(), text));
        }
    }
    Ok(())
}

fn put_header(
    service: &Service,
    headers: &mut HeaderMap,
    member: &Member,
    value: Value,
    dialect: Dialect,
) -> Result<(), CodecError> {
    let times = TimestampFormat::Rfc822;
    let text = match (service.kind(&member.target), value) {
        (Kind::List { .. }, Value::Array(items)) if items.is_empty() => return Ok(()),
        (Kind::List { element, .. }, Value::Array(items)) => {
            let texts = items.into_iter().map(|item| scalar_text(service, element, item, times, dialect));
            texts.map(|text| text.map(quoted)).collect::<Result<Vec<_>, _>>()?.join(",")
        }
        (_, Value::String(text)) if member.target.json_value => STANDARD.encode(text),
        (_, value) if member.target.json_value => STANDARD.encode(value.to_string()),
        (_, value) => scalar_text(service, &member.target, value, times, dialect)?,
    };
    header(headers, wire_name(member), &text)
}

/// An element of a header list, in quotes where it would fall apart.
fn quoted(text: String) -> String {
    if text.contains(['"', ',']) { format!("\"{}\"", text.replace('"', "\\\"")) } else { text }
}

fn put_headers(headers: &mut HeaderMap, member: &Member, value: Value) -> Result<(), CodecError> {
    let Value::Object(entries) = value else { return Err(CodecError::must_be("MAP")) };
    for (name, value) in entries {
        let Value::String(text) = value else { return Err(CodecError::must_be("STRING").at(name)) };
        header(headers, &format!("{}{name}", wire_name(member)), &text)?;
    }
    Ok(())
}

fn payload_bytes(
    bodies: Bodies,
    service: &Service,
    member: &Member,
    value: Value,
    dialect: Dialect,
) -> Result<Bytes, CodecError> {
    let kind = service.kind(&member.target);
    let at = |error: CodecError| error.at(our_name(member, dialect));
    if !is_plain(kind) {
        return bodies.write_member(service, member, value, dialect).map_err(at);
    }
    match Scalar::from_ours(value, kind, TimestampFormat::Iso8601, dialect).map_err(at)? {
        Scalar::Blob(bytes) => Ok(Bytes::from(bytes)),
        scalar => Ok(Bytes::from(scalar.into_text())),
    }
}

pub(super) fn decode_response(
    bodies: Bodies,
    service: &Service,
    operation: &Operation,
    response: &HttpResponse,
    dialect: Dialect,
) -> Result<Value, CodecError> {
    let Some(output) = &operation.output else { return Ok(Value::Object(Map::new())) };
    let mut ours = Map::new();
    for member in service.members(output) {
        let value = match member.target.location {
            Some(Location::StatusCode) => Some(Value::from(response.status)),
            Some(Location::Header) => from_header(service, member, &response.headers, dialect)?,
            Some(Location::Headers) => Some(prefixed_headers(member, &response.headers)),
            _ => None,
        };
        if let Some(value) = value {
            ours.insert(our_name(member, dialect).to_owned(), value);
        }
    }
    ours.extend(body_members(bodies, service, output, &response.body, dialect)?);
    Ok(Value::Object(ours))
}

/// What the body says: the payload member, or all members without a place of their own.
fn body_members(
    bodies: Bodies,
    service: &Service,
    reference: &Ref,
    body: &[u8],
    dialect: Dialect,
) -> Result<Map<String, Value>, CodecError> {
    let Some(member) = payload_of(service, Some(reference)) else {
        let members = service.members(reference);
        let mut ours = bodies.read_structure(service, members, body, dialect)?;
        // A body cannot speak for a member that has its place elsewhere.
        for member in members.iter().filter(|member| member.target.location.is_some()) {
            ours.shift_remove(our_name(member, dialect));
        }
        return Ok(ours);
    };
    let value = match service.kind(&member.target) {
        Kind::Blob => Some(Scalar::Blob(body.to_vec()).into_ours(dialect)),
        Kind::String => Some(Value::String(String::from_utf8_lossy(body).into_owned())),
        _ if body.is_empty() => None,
        _ => Some(bodies.read_member(service, member, body, dialect)?),
    };
    Ok(value.map(|value| (our_name(member, dialect).to_owned(), value)).into_iter().collect())
}

fn from_header(
    service: &Service,
    member: &Member,
    headers: &HeaderMap,
    dialect: Dialect,
) -> Result<Option<Value>, CodecError> {
    let name = wire_name(member);
    let Some(found) = headers.get(name) else { return Ok(None) };
    let text = String::from_utf8_lossy(found.as_bytes()).into_owned();
    let at = |error: CodecError| error.at(name);
    if member.target.json_value {
        let decoded = STANDARD.decode(&text).map_err(|_| at(CodecError::must_be("header in base64")))?;
        return Ok(Some(Value::String(String::from_utf8_lossy(&decoded).into_owned())));
    }
    let read = |reference: &Ref, text: String| {
        let kind = service.kind(reference);
        let format = time_format(reference, kind, TimestampFormat::Rfc822);
        Ok(Scalar::from_text(text, kind, format).map_err(at)?.into_ours(dialect))
    };
    match service.kind(&member.target) {
        Kind::List { element, .. } => {
            let items = split_list(&text).into_iter().map(|item| read(element, item));
            Ok(Some(Value::Array(items.collect::<Result<_, _>>()?)))
        }
        _ => read(&member.target, text).map(Some),
    }
}

/// Elements of a header list; commas inside quotes do not separate.
fn split_list(text: &str) -> Vec<String> {
    let (mut items, mut item, mut inside) = (Vec::new(), String::new(), false);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => inside = !inside,
            '\\' if inside => item.extend(letters.next()),
            ',' if !inside => items.push(std::mem::take(&mut item).trim().to_owned()),
            letter => item.push(letter),
        }
    }
    items.push(item.trim().to_owned());
    items
}

fn prefixed_headers(member: &Member, headers: &HeaderMap) -> Value {
    let prefix = wire_name(member).to_ascii_lowercase();
    let entries = headers.iter().filter_map(|(name, value)| {
        let key = name.as_str().strip_prefix(&prefix)?;
        Some((key.to_owned(), Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned())))
    });
    Value::Object(entries.collect())
}

pub(super) fn encode_response(
    service: &Service,
    operation: &Operation,
    result: Map<String, Value>,
) -> Result<HttpResponse, CodecError> {
    let dialect = Dialect::Native;
    let mut response = HttpResponse { status: operation.response_code, headers: HeaderMap::new(), body: Bytes::new() };
    let Some(output) = &operation.output else { return Ok(response) };
    let members = service.members(output);
    let payload_member = payload_of(service, Some(output));
    let mut body = Map::new();
    let mut raw = payload_member.is_some_and(|member| is_plain(service.kind(&member.target)));
    for (name, value) in result {
        let member = member_named(members, &name, dialect)?;
        if value.is_null() {
            continue;
        }
        match member.target.location {
            Some(Location::StatusCode) => {
                let status = value.as_u64().and_then(|status| u16::try_from(status).ok());
                response.status = status.ok_or_else(|| CodecError::must_be("NUMBER").at(name))?;
            }
            Some(Location::Header) => put_header(service, &mut response.headers, member, value, dialect)?,
            Some(Location::Headers) => put_headers(&mut response.headers, member, value)?,
            _ if payload_member.is_some_and(|payload| std::ptr::eq(payload, member)) => {
                response.body = payload_bytes(Bodies::Json, service, member, value, dialect)?;
            }
            _ => {
                body.insert(name, value);
            }
        }
    }
    if payload_member.is_none() && members.iter().any(|member| member.target.location.is_none()) {
        response.body = json::text(&Value::Object(json::structure_to_wire(service, members, body, dialect, 0)?));
        raw = false;
    }
    if !raw && !response.body.is_empty() {
        header(&mut response.headers, "content-type", Bodies::Json.content_type())?;
    }
    Ok(response)
}

/// What SDKs put before the host name, with labels of the input filled in.
pub(super) fn host_prefix(
    service: &Service,
    operation: &Operation,
    params: &Map<String, Value>,
    dialect: Dialect,
) -> Result<Option<String>, CodecError> {
    let (Some(template), Some(input)) = (&operation.host_prefix, &operation.input) else {
        return Ok(operation.host_prefix.clone());
    };
    let mut prefix = template.clone();
    for member in service.members(input).iter().filter(|member| member.target.host_label) {
        let name = our_name(member, dialect);
        let text = params.get(name).and_then(Value::as_str).unwrap_or_default();
        let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
        if text.is_empty() || !text.chars().all(fits) {
            return Err(CodecError::new(Wrong::Unsendable).at(name));
        }
        prefix = prefix.replace(&format!("{{{}}}", member.name), text);
    }
    Ok(Some(prefix))
}

/// Reads the parameters of a request that [`Router::find`] found the operation of.
pub(crate) fn decode_request(
    service: &Service,
    operation: &Operation,
    found: &Found<'_>,
    query: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, CodecError> {
    let dialect = Dialect::Native;
    let Some(input) = &operation.input else { return Ok(Value::Object(Map::new())) };
    let members = service.members(input);
    let mut query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    query.retain(|pair| !found.constant.contains(pair));
    let mut ours = Map::new();
    // A map in the query takes what is left, so it comes after the members with names.
    let is_map = |member: &&Member| matches!(service.kind(&member.target), Kind::Map { .. });
    let (maps, named): (Vec<&Member>, Vec<&Member>) = members.iter().partition(is_map);
    for member in named.into_iter().chain(maps) {
        let name = wire_name(member);
        let value = match member.target.location {
            Some(Location::Uri) => {
                let label = found.labels.iter().find(|(label, _)| *label == name);
                label.map(|(_, text)| from_text(service, &member.target, text.clone())).transpose()
            }
            Some(Location::Query) => from_query(service, member, &mut query),
            Some(Location::Header) => from_header(service, member, headers, dialect),
            Some(Location::Headers) => Ok(Some(prefixed_headers(member, headers))),
            _ => Ok(None),
        };
        if let Some(value) = value.map_err(|error| error.at(&member.name))? {
            ours.insert(member.name.clone(), value);
        }
    }
    ours.extend(body_members(Bodies::Json, service, input, body, dialect)?);
    Ok(Value::Object(ours))
}

fn from_text(service: &Service, reference: &Ref, text: String) -> Result<Value, CodecError> {
    let kind = service.kind(reference);
    let format = time_format(reference, kind, TimestampFormat::Iso8601);
    Ok(Scalar::from_text(text, kind, format)?.into_ours(Dialect::Native))
}

fn from_query(
    service: &Service,
    member: &Member,
    query: &mut Vec<(String, String)>,
) -> Result<Option<Value>, CodecError> {
    if let Kind::Map { value, .. } = service.kind(&member.target) {
        let left = std::mem::take(query);
        return (!left.is_empty()).then(|| query_map(service, value, left)).transpose();
    }
    let name = wire_name(member);
    let texts: Vec<String> = query.extract_if(.., |(asked, _)| asked == name).map(|(_, text)| text).collect();
    match service.kind(&member.target) {
        _ if texts.is_empty() => Ok(None),
        Kind::List { element, .. } => {
            let items = texts.into_iter().map(|text| from_text(service, element, text));
            Ok(Some(Value::Array(items.collect::<Result<_, _>>()?)))
        }
        _ => texts.into_iter().next().map(|text| from_text(service, &member.target, text)).transpose(),
    }
}

/// What is left of a query, as a map; where its values are lists, a name may come more than once.
fn query_map(service: &Service, value: &Ref, left: Vec<(String, String)>) -> Result<Value, CodecError> {
    let mut ours = Map::new();
    for (name, text) in left {
        match service.kind(value) {
            Kind::List { element, .. } => {
                let item = from_text(service, element, text)?;
                if let Value::Array(items) = ours.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                    items.push(item);
                }
            }
            _ => {
                ours.insert(name, from_text(service, value, text)?);
            }
        }
    }
    Ok(Value::Object(ours))
}
