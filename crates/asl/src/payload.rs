//! JSON that flows through states: a text, a value, or both, each made from the other on demand and once.
//!
//! Cloning copies a pointer, so data that passes through a hundred states is parsed at most once and written out at
//! most once. Equality is equality of the JSON text.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use serde_json::Value;

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
        let value: Value = serde_json::from_str(&text)?;
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
            serde_json::from_str(text).expect("a trusted payload is JSON")
        })
    }

    /// The JSON text: as the caller wrote it, or compact.
    pub fn text(&self) -> &Arc<str> {
        self.0.text.get_or_init(|| {
            let value = self.0.value.get().expect("a payload has a text or a value");
            serde_json::to_string(value).expect("a value has string keys").into()
        })
    }

    /// Where it lies in memory: equal for clones while one of them lives.
    pub fn address(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }

    /// A handle that does not keep it alive.
    pub fn downgrade(&self) -> WeakPayload {
        WeakPayload(Arc::downgrade(&self.0))
    }

    /// Whether both share one document in memory.
    pub fn same(&self, other: &Payload) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
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
