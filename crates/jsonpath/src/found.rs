//! What a path has led to: one value, or a list of them. The values are borrowed from the document unless a function or
//! a merge of properties made them.

use std::borrow::Cow;

use serde_json::Value;

#[derive(Debug, Clone, PartialEq)]
pub enum Found<'a> {
    /// The value of a definite path.
    One(Cow<'a, Value>),
    /// The matches of any other, in the order of the document.
    Many(Vec<Cow<'a, Value>>),
}

impl<'a> Found<'a> {
    /// The value of a definite path, or all matches as an array.
    pub fn into_value(self) -> Value {
        self.into_cow().into_owned()
    }

    /// The same, but borrowed if it can be.
    pub fn into_cow(self) -> Cow<'a, Value> {
        match self {
            Found::One(value) => value,
            Found::Many(values) => Cow::Owned(Value::Array(values.into_iter().map(Cow::into_owned).collect())),
        }
    }

    /// The value of a definite path.
    pub fn one(&self) -> Option<&Value> {
        match self {
            Found::One(value) => Some(value),
            Found::Many(_) => None,
        }
    }

    /// All values that were found.
    pub fn iter(&self) -> impl Iterator<Item = &Value> {
        let values = match self {
            Found::One(value) => std::slice::from_ref(value),
            Found::Many(values) => values,
        };
        values.iter().map(|value| &**value)
    }
}
