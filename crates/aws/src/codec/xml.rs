//! XML bodies: the answers of the query protocols, and what REST services with XML send and answer. Values to elements and
//! back, by their shapes.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value};

use super::document::{Element, XmlText};
use super::form;
use super::scalar::{Scalar, time_format};
use super::{CodecError, Dialect, HttpResponse, descend, header, member_named, our_name};
use crate::model::{Kind, Member, Operation, Ref, Service, TimestampFormat};

/// What `text/xml` answers are called; AWS sends it without a charset.
const CONTENT_TYPE: &str = "text/xml";

pub(super) fn encode_response(
    service: &Service,
    operation: &Operation,
    result: Map<String, Value>,
    request_id: &str,
) -> Result<HttpResponse, CodecError> {
    let mut xml = XmlText::new();
    let root = format!("{}Response", operation.name);
    xml.open(&root, namespace(service))?;
    if let Some(output) = &operation.output {
        let wrapper = operation.result_wrapper.as_deref().unwrap_or(&operation.name);
        if result.is_empty() {
            xml.empty(wrapper)?;
        } else {
            xml.open(wrapper, None)?;
            structure_to_xml(&mut xml, service, service.members(output), result, Dialect::Native, 0)?;
            xml.close(wrapper)?;
        }
    }
    xml.open("ResponseMetadata", None)?;
    xml.leaf("RequestId", request_id)?;
    xml.close("ResponseMetadata")?;
    xml.close(&root)?;
    Ok(HttpResponse { status: operation.response_code, headers: headers()?, body: xml.finish() })
}

/// An error answer: `<ErrorResponse><Error>…</Error><RequestId/></ErrorResponse>`.
pub(super) fn encode_error(
    service: &Service,
    fault: &str,
    code: &str,
    message: &str,
    request_id: &str,
) -> Result<(HeaderMap, Bytes), CodecError> {
    let mut xml = XmlText::new();
    xml.open("ErrorResponse", namespace(service))?;
    xml.open("Error", None)?;
    xml.leaf("Type", fault)?;
    xml.leaf("Code", code)?;
    xml.leaf("Message", message)?;
    xml.close("Error")?;
    xml.leaf("RequestId", request_id)?;
    xml.close("ErrorResponse")?;
    Ok((headers()?, xml.finish()))
}

pub(super) fn decode_response(
    service: &Service,
    operation: &Operation,
    response: &HttpResponse,
    dialect: Dialect,
) -> Result<Value, CodecError> {
    let Some(output) = &operation.output else { return Ok(Value::Object(Map::new())) };
    if response.body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let root = Element::parse(&response.body)?;
    let start = match &operation.result_wrapper {
        Some(wrapper) => root.child(wrapper).ok_or_else(|| CodecError::malformed(format!("no element {wrapper}")))?,
        None => &root,
    };
    structure_from_xml(service, service.members(output), start, dialect, 0).map(Value::Object)
}

fn headers() -> Result<HeaderMap, CodecError> {
    let mut headers = HeaderMap::new();
    header(&mut headers, "content-type", CONTENT_TYPE)?;
    Ok(headers)
}

fn namespace(service: &Service) -> Option<&str> {
    service.metadata.query_xml_namespace.as_deref().or(service.metadata.xml_namespace.as_deref())
}

fn structure_to_xml(
    xml: &mut XmlText,
    service: &Service,
    members: &[Member],
    value: Map<String, Value>,
    dialect: Dialect,
    depth: usize,
) -> Result<(), CodecError> {
    for (name, value) in value {
        let member = member_named(members, &name, dialect)?;
        if !value.is_null() && !member.target.xml_attribute {
            let element = xml_name(service, &member.target, &member.name);
            to_xml(xml, service, &member.target, element, value, dialect, depth).map_err(|error| error.at(name))?;
        }
    }
    Ok(())
}

/// Members that are attributes of their structure's element.
fn attributes<'a>(members: &'a [Member], value: &'a Map<String, Value>, dialect: Dialect) -> Vec<(&'a str, &'a str)> {
    let attribute = |member: &'a Member| {
        let text = value.get(our_name(member, dialect)).and_then(Value::as_str)?;
        member.target.xml_attribute.then(|| (member.target.wire.as_deref().unwrap_or(&member.name), text))
    };
    members.iter().filter_map(attribute).collect()
}

/// The document that is a request's body: `value` in an element of the name and namespace that its use gives it.
pub(super) fn body(
    service: &Service,
    reference: &Ref,
    name: &str,
    value: Value,
    dialect: Dialect,
) -> Result<Bytes, CodecError> {
    let mut xml = XmlText::compact();
    to_xml(&mut xml, service, reference, reference.wire.as_deref().unwrap_or(name), value, dialect, 0)?;
    Ok(xml.finish())
}

/// The name of an element. EC2 has names for its requests that its answers do not use.
fn xml_name<'a>(service: &Service, target: &'a Ref, name: &'a str) -> &'a str {
    match service.metadata.protocol.as_str() {
        "ec2" => target.wire.as_deref().unwrap_or(name),
        _ => form::query_name(target, name),
    }
}

fn element_name(element: &Ref) -> Option<&str> {
    form::element_name(element)
}

fn to_xml(
    xml: &mut XmlText,
    service: &Service,
    reference: &Ref,
    name: &str,
    value: Value,
    dialect: Dialect,
    depth: usize,
) -> Result<(), CodecError> {
    let depth = descend(depth)?;
    match (service.kind(reference), value) {
        (Kind::Structure(structure), Value::Object(value)) => {
            let attributes = attributes(&structure.members, &value, dialect);
            xml.open_with(name, reference.xml_namespace.as_ref(), &attributes)?;
            structure_to_xml(xml, service, &structure.members, value, dialect, depth)?;
            xml.close(name)
        }
        (Kind::List { element, flattened }, Value::Array(items)) => {
            let flattened = *flattened || reference.flattened;
            let each = element_name(element).unwrap_or(if flattened { name } else { "member" });
            if !flattened {
                xml.open_with(name, reference.xml_namespace.as_ref(), &[])?;
            }
            for (at, item) in items.into_iter().enumerate() {
                to_xml(xml, service, element, each, item, dialect, depth)
                    .map_err(|error| error.at(format!("[{at}]")))?;
            }
            if flattened { Ok(()) } else { xml.close(name) }
        }
        (Kind::Map { key, value: shape, flattened }, Value::Object(entries)) => {
            let flattened = *flattened || reference.flattened;
            let each = if flattened { name } else { "entry" };
            if !flattened {
                xml.open(name, None)?;
            }
            for (entry, item) in entries {
                xml.open(each, None)?;
                xml.leaf(xml_name(service, key, "key"), &entry)?;
                to_xml(xml, service, shape, xml_name(service, shape, "value"), item, dialect, depth)
                    .map_err(|error| error.at(entry))?;
                xml.close(each)?;
            }
            if flattened { Ok(()) } else { xml.close(name) }
        }
        (Kind::Structure(_) | Kind::Map { .. }, _) => Err(CodecError::must_be("MAP")),
        (Kind::List { .. }, _) => Err(CodecError::must_be("LIST")),
        (kind, value) => {
            let format = time_format(reference, kind, TimestampFormat::Iso8601);
            xml.leaf(name, &Scalar::from_ours(value, kind, format, dialect)?.into_text())
        }
    }
}

pub(super) fn structure_from_xml(
    service: &Service,
    members: &[Member],
    element: &Element,
    dialect: Dialect,
    depth: usize,
) -> Result<Map<String, Value>, CodecError> {
    let mut ours = Map::new();
    for member in members {
        if let Some(value) = member_from_xml(service, member, element, dialect, depth)? {
            ours.insert(our_name(member, dialect).to_owned(), value);
        }
    }
    Ok(ours)
}

fn member_from_xml(
    service: &Service,
    member: &Member,
    element: &Element,
    dialect: Dialect,
    depth: usize,
) -> Result<Option<Value>, CodecError> {
    let name = xml_name(service, &member.target, &member.name);
    let at = |error: CodecError| error.at(&member.name);
    if member.target.xml_attribute {
        return Ok(element.attribute(name).map(|text| Value::String(text.to_owned())));
    }
    match service.kind(&member.target) {
        Kind::List { element: each, flattened } if *flattened || member.target.flattened => {
            let items: Vec<_> = element.children_named(element_name(each).unwrap_or(name)).collect();
            (!items.is_empty()).then(|| list(service, each, &items, dialect, depth).map_err(at)).transpose()
        }
        Kind::Map { key, value, flattened } if *flattened || member.target.flattened => {
            let entries: Vec<_> = element.children_named(name).collect();
            (!entries.is_empty()).then(|| map(service, key, value, &entries, dialect, depth).map_err(at)).transpose()
        }
        _ => {
            let found = element.child(name);
            found.map(|child| from_xml(service, &member.target, child, dialect, depth).map_err(at)).transpose()
        }
    }
}

pub(super) fn from_xml(
    service: &Service,
    reference: &Ref,
    element: &Element,
    dialect: Dialect,
    depth: usize,
) -> Result<Value, CodecError> {
    let depth = descend(depth)?;
    match service.kind(reference) {
        Kind::Structure(structure) => {
            structure_from_xml(service, &structure.members, element, dialect, depth).map(Value::Object)
        }
        Kind::List { element: each, .. } => {
            let items: Vec<_> = element.children_named(element_name(each).unwrap_or("member")).collect();
            list(service, each, &items, dialect, depth)
        }
        Kind::Map { key, value, .. } => {
            let entries: Vec<_> = element.children_named("entry").collect();
            map(service, key, value, &entries, dialect, depth)
        }
        kind => {
            let format = time_format(reference, kind, TimestampFormat::Iso8601);
            Ok(Scalar::from_text(element.text.clone(), kind, format)?.into_ours(dialect))
        }
    }
}

fn list(
    service: &Service,
    each: &Ref,
    items: &[&Element],
    dialect: Dialect,
    depth: usize,
) -> Result<Value, CodecError> {
    let read = |(at, item): (usize, &&Element)| {
        from_xml(service, each, item, dialect, depth).map_err(|error| error.at(format!("[{at}]")))
    };
    items.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>().map(Value::Array)
}

fn map(
    service: &Service,
    key: &Ref,
    value: &Ref,
    entries: &[&Element],
    dialect: Dialect,
    depth: usize,
) -> Result<Value, CodecError> {
    let mut ours = Map::new();
    for entry in entries {
        let missing = || CodecError::malformed(format!("an incomplete entry in {}", entry.name));
        let name = entry.child(xml_name(service, key, "key")).ok_or_else(missing)?.text.clone();
        let item = entry.child(xml_name(service, value, "value")).ok_or_else(missing)?;
        let item = from_xml(service, value, item, dialect, depth).map_err(|error| error.at(&name))?;
        ours.insert(name, item);
    }
    Ok(Value::Object(ours))
}
