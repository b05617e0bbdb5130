//! The restricted path that names one place and can be written to: `$.a.b[0]`, `$['a']`. Writing makes the objects that
//! are missing on the way and replaces what is there; it never makes an element of a list, and never turns a value that
//! is no object into one.

use std::fmt;

use serde_json::{Map, Value};

use crate::error::PathErrorKind;
use crate::token::Token;
use crate::{JsonPath, ParseError, PathError};

/// A path that names one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferencePath {
    path: JsonPath,
    segments: Vec<Segment>,
}

/// One step of a [`ReferencePath`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    Property(String),
    Index(usize),
}

impl ReferencePath {
    /// Compiles a path and refuses whatever could name more than one place, or none that can be written to: wildcards,
    /// scans, slices, unions, filters, functions and indexes from the end.
    pub fn parse(text: &str) -> Result<ReferencePath, ParseError> {
        let wrong = |message: String| ParseError { message, offset: 0 };
        if !text.starts_with('$') {
            return Err(wrong("Path must start with '$'".to_owned()));
        }
        let path = JsonPath::parse(text)?;
        let segments: Result<Vec<Segment>, ParseError> = path
            .steps()
            .iter()
            .map(|step| match &step.token {
                Token::Property { name, .. } => Ok(Segment::Property(name.clone())),
                Token::Index(index) => usize::try_from(*index)
                    .map(Segment::Index)
                    .map_err(|_| wrong(format!("A reference path cannot count from the end: {}", step.token))),
                token => Err(wrong(format!("A reference path cannot contain '{token}'"))),
            })
            .collect();
        let segments = segments?;
        Ok(ReferencePath { path, segments })
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        self.path.as_str()
    }

    /// The same path for reading.
    pub fn path(&self) -> &JsonPath {
        &self.path
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Is it `$`, the whole document?
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// The value at the place, if there is one.
    pub fn get<'a>(&self, root: &'a Value) -> Option<&'a Value> {
        self.segments.iter().try_fold(root, |value, segment| match segment {
            Segment::Property(name) => value.as_object()?.get(name),
            Segment::Index(index) => value.as_array()?.get(*index),
        })
    }

    /// `root` with `new` at the place. `$` replaces the whole.
    ///
    /// Fails with [`PathErrorKind::Mismatch`] if the way leads through a value that is no object, or to an element that
    /// a list does not have.
    pub fn put(&self, mut root: Value, new: Value) -> Result<Value, PathError> {
        let mut place = &mut root;
        for (depth, segment) in self.segments.iter().enumerate() {
            place = match (segment, place) {
                (Segment::Property(name), Value::Object(members)) => {
                    // What is missing on the way becomes an object, and is filled by the next step.
                    let fresh = || Value::Object(Map::new());
                    match self.segments.get(depth + 1) {
                        Some(Segment::Index(_)) if !members.contains_key(name) => {
                            return Err(self.mismatch(depth, "there is no list"));
                        }
                        _ => members.entry(name.as_str()).or_insert_with(fresh),
                    }
                }
                (Segment::Index(index), Value::Array(items)) => match items.get_mut(*index) {
                    Some(item) => item,
                    None => return Err(self.mismatch(depth, "the list is shorter")),
                },
                (Segment::Property(_), other) => return Err(self.mismatch(depth, kind(other))),
                (Segment::Index(_), other) => return Err(self.mismatch(depth, kind(other))),
            };
        }
        *place = new;
        Ok(root)
    }

    fn mismatch(&self, depth: usize, found: &str) -> PathError {
        let step = &self.path.steps()[depth].token;
        let before: String = self.path.steps()[..depth].iter().map(|step| step.token.to_string()).collect();
        PathError {
            kind: PathErrorKind::Mismatch,
            message: format!(
                "{} cannot be put into the document: at ${before}, {found} where {step} is to be",
                self.path
            ),
        }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "there is null",
        Value::Bool(_) => "there is a boolean",
        Value::Number(_) => "there is a number",
        Value::String(_) => "there is a text",
        Value::Array(_) => "there is a list",
        Value::Object(_) => "there is an object",
    }
}

impl fmt::Display for ReferencePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
