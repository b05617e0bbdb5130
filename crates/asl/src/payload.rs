//! JSON that flows through states: a text, a value, or both, each made from the other on demand and once.
//!
//! Cloning copies a pointer, so data that passes through a hundred states is parsed at most once and written out at
//! most once. Equality is equality of the JSON text.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use serde::Deserialize;
use serde_json::Value;

/// Levels of nesting that a document may have: Jackson's limit, which is AWS's parser. Walking a value recurses.
pub const MAX_DEPTH: usize = 1000;

/// A JSON document, shared and lazily converted.
#[derive(Clone)]
pub struct Payload(Arc<Inner>);

struct Inner {
    text: OnceLock<Arc<str>>,
    value: OnceLock<Value>,
}

impl Payload {
    /// Takes text that is already known to be JSON, for example out of the log.
    pub fn trusted(text: impl Into<Arc<str>>) -> Payload {
        Payload(Arc::new(Inner { text: OnceLock::from(text.into()), value: OnceLock::new() }))
    }

    /// Parses a caller's text; the error is serde_json's, with line and column.
    pub fn parse(text: impl Into<Arc<str>>) -> Result<Payload, serde_json::Error> {
        let text = text.into();
        let value = parse(&text)?;
        Ok(Payload(Arc::new(Inner { text: OnceLock::from(text), value: OnceLock::from(value) })))
    }

    /// `{}`.
    pub fn empty_object() -> Payload {
        static EMPTY: OnceLock<Payload> = OnceLock::new();
        EMPTY.get_or_init(|| Payload::trusted("{}")).clone()
    }

    /// The parsed value.
    pub fn value(&self) -> &Value {
        self.0.value.get_or_init(|| {
            let text = self.0.text.get().expect("a payload has a text or a value");
            parse(text).expect("a trusted payload is JSON")
        })
    }

    /// The JSON text: as the caller wrote it, or compact.
    pub fn text(&self) -> &Arc<str> {
        self.0.text.get_or_init(|| {
            let value = self.0.value.get().expect("a payload has a text or a value");
            serde_json::to_string(value).expect("a value has string keys").into()
        })
    }

    /// Levels of nesting. What a program makes of data may not go beyond [`MAX_DEPTH`]: it could not be read again.
    pub fn depth(&self) -> usize {
        depth(self.text())
    }

    /// Where it lies in memory: equal for clones while one of them lives.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// A handle that does not keep it alive.
    pub fn downgrade(&self) -> WeakPayload {
        WeakPayload(Arc::downgrade(&self.0))
    }

    /// Whether anybody else holds it.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Whether both share one document in memory.
    pub fn same(&self, other: &Payload) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// serde_json gives up at 128 levels, AWS's parser at [`MAX_DEPTH`].
fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let error = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let depth = depth(text);
    if !(SERDE_DEPTH..=MAX_DEPTH).contains(&depth) {
        return Err(error);
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.disable_recursion_limit();
    let value = Value::deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// Where serde_json gives up.
const SERDE_DEPTH: usize = 128;

/// How deep brackets outside of strings are nested, whether the text is JSON or not.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Names a payload without keeping it.
#[derive(Clone)]
pub struct WeakPayload(Weak<Inner>);

impl WeakPayload {
    pub fn upgrade(&self) -> Option<Payload> {
        self.0.upgrade().map(Payload)
    }

    pub fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl From<Value> for Payload {
    fn from(value: Value) -> Payload {
        Payload(Arc::new(Inner { text: OnceLock::new(), value: OnceLock::from(value) }))
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Payload) -> bool {
        self.same(other) || self.text() == other.text()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_ends_where_jackson_ends_it() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let nested = |depth: usize| {
                let inner = if open == "[" { "" } else { "0" };
                format!("{}{inner}{}", open.repeat(depth), close.repeat(depth))
            };
            let deepest = Payload::parse(nested(MAX_DEPTH)).expect("as deep as AWS takes it");
            assert_eq!(deepest.depth(), MAX_DEPTH);
            let again = Payload::from(deepest.value().clone());
            assert_eq!(Payload::trusted(again.text().clone()).value(), deepest.value());
            assert!(Payload::parse(nested(MAX_DEPTH + 1)).is_err());
            assert!(Payload::parse(nested(200_000)).is_err());
        }
        assert_eq!(Payload::trusted(r#"{"a":["[[[\\\"[",{}]}"#).depth(), 3);
        assert_eq!(Payload::trusted("1").depth(), 0);
    }
}
