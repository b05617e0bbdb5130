//! A document that remembers where each of its values stood in the text.
//!
//! JSON and YAML both become this tree, so everything after it (checks, the program) is written once and a diagnostic
//! points into whatever the author wrote. Members keep their order; no name occurs twice in an object.

use std::ops::Range;

use serde_json::{Map, Number, Value};

/// Bytes of the text.
pub type Span = Range<usize>;

/// How deep arrays and objects may lie in each other: thirty Parallel states in each other, and shallow enough that
/// walking a tree cannot exhaust a stack.
pub const MAX_DEPTH: usize = 128;

/// A value and where it stood.
#[derive(Clone, Debug)]
pub struct Node {
    pub json: Json,
    pub span: Span,
}

#[derive(Clone, Debug)]
pub enum Json {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    Array(Vec<Node>),
    Object(Vec<Member>),
}

/// A name and its value.
#[derive(Clone, Debug)]
pub struct Member {
    pub name: String,
    pub name_span: Span,
    pub value: Node,
}

impl Node {
    /// The member's value.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.members().iter().find(|member| member.name == name).map(|member| &member.value)
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// An object's members; nothing for anything else.
    pub fn members(&self) -> &[Member] {
        match &self.json {
            Json::Object(members) => members,
            _ => &[],
        }
    }

    /// An array's elements; nothing for anything else.
    pub fn elements(&self) -> &[Node] {
        match &self.json {
            Json::Array(elements) => elements,
            _ => &[],
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.json {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        match self.json {
            Json::Bool(value) => Some(value),
            _ => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match &self.json {
            Json::Number(number) => number.as_f64(),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match &self.json {
            Json::Number(number) => number.as_u64(),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.json, Json::Null)
    }

    pub fn is_object(&self) -> bool {
        matches!(self.json, Json::Object(_))
    }

    pub fn is_array(&self) -> bool {
        matches!(self.json, Json::Array(_))
    }

    /// The value without its places.
    pub fn to_value(&self) -> Value {
        match &self.json {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::Bool(*value),
            Json::Number(number) => Value::Number(number.clone()),
            Json::String(text) => Value::String(text.clone()),
            Json::Array(elements) => Value::Array(elements.iter().map(Node::to_value).collect()),
            Json::Object(members) => Value::Object(
                members.iter().map(|member| (member.name.clone(), member.value.to_value())).collect::<Map<_, _>>(),
            ),
        }
    }
}
