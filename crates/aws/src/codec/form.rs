//! Requests of the query protocol: a form with `Action`, `Version` and a dotted name for each value.
//!
//! EC2 has a dialect of its own: what it calls `instanceId` in answers is `InstanceId` here, and every list is flattened.
//! Lists are counted from one, under `member` or the name of their element; maps are lists of entries; what is
//! flattened leaves that word out. Answers are XML and live in `xml.rs`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::HeaderMap;
use serde_json::{Map, Value};

use super::scalar::{Scalar, time_format};
use super::{CodecError, Dialect, HttpRequest, Protocol, Wrong, descend, header, member_named, our_name};
use crate::model::{Kind, Member, Operation, Ref, Service, TimestampFormat, capitalised};

/// More values than any AWS request has: the largest batches of SNS and SQS stay below a thousand.
const MAX_PAIRS: usize = 20_000;

pub(super) fn encode_request(
    protocol: Protocol,
    service: &Service,
    operation: &Operation,
    params: Map<String, Value>,
    dialect: Dialect,
) -> Result<HttpRequest, CodecError> {
    let mut form = Form { service, ec2: protocol == Protocol::Ec2, dialect, pairs: Vec::new() };
    form.push("Action", operation.name.clone());
    form.push("Version", service.metadata.api_version.clone());
    if let Some(input) = &operation.input {
        form.structure(service.members(input), params, "", 0)?;
    }
    let mut headers = HeaderMap::new();
    header(&mut headers, "content-type", "application/x-www-form-urlencoded; charset=utf-8")?;
    Ok(HttpRequest {
        method: operation.method.clone(),
        path: "/".into(),
        query: String::new(),
        headers,
        body: Bytes::from(Serializer::new(String::new()).extend_pairs(&form.pairs).finish()),
        host_prefix: None,
    })
}

/// The name of a member in forms and in XML answers.
pub(super) fn query_name<'a>(target: &'a Ref, name: &'a str) -> &'a str {
    target.query.as_deref().or(target.wire.as_deref()).unwrap_or(name)
}

/// The name of a list's elements where the model gives them one.
pub(super) fn element_name(element: &Ref) -> Option<&str> {
    element.query.as_deref().or(element.wire.as_deref())
}

struct Form<'a> {
    service: &'a Service,
    ec2: bool,
    dialect: Dialect,
    pairs: Vec<(String, String)>,
}

impl Form<'_> {
    fn push(&mut self, name: &str, value: String) {
        self.pairs.push((name.to_owned(), value));
    }

    fn name<'m>(&self, member: &'m Member) -> Cow<'m, str> {
        match (self.ec2, &member.target.query, &member.target.wire) {
            (true, None, Some(wire)) => Cow::Owned(capitalised(wire)),
            _ => Cow::Borrowed(query_name(&member.target, &member.name)),
        }
    }

    fn structure(
        &mut self,
        members: &[Member],
        value: Map<String, Value>,
        prefix: &str,
        depth: usize,
    ) -> Result<(), CodecError> {
        for (name, value) in value {
            let member = member_named(members, &name, self.dialect)?;
            if !value.is_null() {
                let prefix = join(prefix, &self.name(member));
                self.value(&member.target, value, &prefix, depth).map_err(|error| error.at(name))?;
            }
        }
        Ok(())
    }

    fn value(&mut self, reference: &Ref, value: Value, prefix: &str, depth: usize) -> Result<(), CodecError> {
        let depth = descend(depth)?;
        let service = self.service;
        match (service.kind(reference), value) {
            (Kind::Structure(structure), Value::Object(value)) => {
                self.structure(&structure.members, value, prefix, depth)
            }
            (Kind::List { element, flattened }, Value::Array(items)) => {
                if items.is_empty() && !self.ec2 {
                    self.push(prefix, String::new());
                    return Ok(());
                }
                let prefix = match self.ec2 {
                    true => prefix.to_owned(),
                    false => list_prefix(prefix, *flattened || reference.flattened, element),
                };
                for (at, item) in items.into_iter().enumerate() {
                    self.value(element, item, &format!("{prefix}.{}", at + 1), depth)
                        .map_err(|error| error.at(format!("[{at}]")))?;
                }
                Ok(())
            }
            (Kind::Map { key, value: shape, flattened }, Value::Object(entries)) => {
                let entry = if *flattened || reference.flattened { "" } else { ".entry" };
                let (key, named) = (query_name(key, "key"), query_name(shape, "value"));
                for (at, (name, item)) in entries.into_iter().enumerate() {
                    let prefix = format!("{prefix}{entry}.{}", at + 1);
                    self.push(&join(&prefix, key), name.clone());
                    self.value(shape, item, &join(&prefix, named), depth).map_err(|error| error.at(name))?;
                }
                Ok(())
            }
            (Kind::Structure(_) | Kind::Map { .. }, _) => Err(CodecError::must_be("MAP")),
            (Kind::List { .. }, _) => Err(CodecError::must_be("LIST")),
            (kind, value) => {
                let format = time_format(reference, kind, TimestampFormat::Iso8601);
                let text = Scalar::from_ours(value, kind, format, self.dialect)?.into_text();
                self.push(prefix, text);
                Ok(())
            }
        }
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// Where the elements of a list are counted: a flattened list takes its element's name in place of its own.
fn list_prefix(prefix: &str, flattened: bool, element: &Ref) -> String {
    match (flattened, element_name(element)) {
        (false, name) => join(prefix, name.unwrap_or("member")),
        (true, None) => prefix.to_owned(),
        (true, Some(name)) => join(prefix.rsplit_once('.').map_or("", |(outer, _)| outer), name),
    }
}

/// A form, read into the tree that its dotted names describe.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    text: Option<String>,
    below: BTreeMap<String, Pairs>,
}

impl Pairs {
    /// Reads an encoded form; later values of a name replace earlier ones.
    pub fn parse(form: &[u8]) -> Result<Pairs, CodecError> {
        let mut tree = Pairs::default();
        for (count, (name, value)) in form_urlencoded::parse(form).enumerate() {
            if count >= MAX_PAIRS {
                return Err(CodecError::malformed(format!("more than {MAX_PAIRS} parameters")));
            }
            let mut node = &mut tree;
            for (depth, part) in name.split('.').enumerate() {
                if depth >= super::MAX_DEPTH {
                    return Err(CodecError::new(Wrong::TooDeep));
                }
                node = node.below.entry(part.to_owned()).or_default();
            }
            node.text = Some(value.into_owned());
        }
        Ok(tree)
    }

    /// The value of a name without dots.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.below.get(name)?.text.as_deref()
    }

    /// Elements in the order of their numbers; gaps close up.
    fn counted(&self) -> Vec<&Pairs> {
        let numbered = self.below.iter().filter_map(|(number, node)| Some((number.parse::<u32>().ok()?, node)));
        let mut numbered: Vec<_> = numbered.collect();
        numbered.sort_by_key(|(number, _)| *number);
        numbered.into_iter().map(|(_, node)| node).collect()
    }
}

/// Reads the parameters of `operation` from a form, in the native dialect.
pub(crate) fn decode_request(service: &Service, operation: &Operation, form: &Pairs) -> Result<Value, CodecError> {
    match &operation.input {
        Some(input) => structure(service, service.members(input), form, 0).map(Value::Object),
        None => Ok(Value::Object(Map::new())),
    }
}

fn structure(
    service: &Service,
    members: &[Member],
    node: &Pairs,
    depth: usize,
) -> Result<Map<String, Value>, CodecError> {
    let depth = descend(depth)?;
    let mut ours = Map::new();
    for member in members {
        if let Some(node) = member_node(service, member, node) {
            let read = value(service, &member.target, node, depth).map_err(|error| error.at(&member.name))?;
            ours.insert(our_name(member, Dialect::Native).to_owned(), read);
        }
    }
    Ok(ours)
}

/// A flattened list stands under its element's name, unless it is empty.
fn member_node<'a>(service: &Service, member: &Member, node: &'a Pairs) -> Option<&'a Pairs> {
    let own = node.below.get(query_name(&member.target, &member.name));
    match service.kind(&member.target) {
        Kind::List { element, flattened } if *flattened || member.target.flattened => {
            element_name(element).and_then(|name| node.below.get(name)).or(own)
        }
        _ => own,
    }
}

fn value(service: &Service, reference: &Ref, node: &Pairs, depth: usize) -> Result<Value, CodecError> {
    let depth = descend(depth)?;
    match service.kind(reference) {
        Kind::Structure(shape) => structure(service, &shape.members, node, depth).map(Value::Object),
        Kind::List { element, flattened } => {
            let counted = if *flattened || reference.flattened {
                Some(node)
            } else {
                node.below.get(element_name(element).unwrap_or("member"))
            };
            let mut nodes = counted.map(Pairs::counted).unwrap_or_default();
            // Some old clients leave the number out when there is one element.
            if nodes.is_empty() && node.text.as_ref().is_some_and(|text| !text.is_empty()) {
                nodes.push(node);
            }
            let read = |(at, node)| value(service, element, node, depth).map_err(|error| error.at(format!("[{at}]")));
            nodes.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        Kind::Map { key, value: shape, flattened } => {
            let entries = if *flattened || reference.flattened { Some(node) } else { node.below.get("entry") };
            let mut ours = Map::new();
            for entry in entries.map(Pairs::counted).unwrap_or_default() {
                let name = entry.get(query_name(key, "key"));
                let name = name.ok_or_else(|| CodecError::malformed("an entry without a key"))?;
                // A structure without members leaves no trace; what must be in it is the service's to say.
                let absent = Pairs::default();
                let node = match (entry.below.get(query_name(shape, "value")), service.kind(shape)) {
                    (Some(node), _) => node,
                    (None, Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. }) => &absent,
                    (None, _) => return Err(CodecError::new(Wrong::Missing).at(name)),
                };
                let read = value(service, shape, node, depth).map_err(|error| error.at(name))?;
                ours.insert(name.to_owned(), read);
            }
            Ok(Value::Object(ours))
        }
        kind => {
            let text = node.text.clone().ok_or_else(|| CodecError::must_be("value without parts"))?;
            let format = time_format(reference, kind, TimestampFormat::Iso8601);
            Ok(Scalar::from_text(text, kind, format)?.into_ours(Dialect::Native))
        }
    }
}
