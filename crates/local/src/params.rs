//! Reading a call's parameters. The wire has already checked names and types against the service model, so what is
//! missing or of another type here is simply absent; each service says itself what it requires, in its own words.

use serde_json::{Map, Value};

/// The text of a member.
pub fn text<'a>(params: &'a Value, name: &str) -> Option<&'a str> {
    params.get(name)?.as_str()
}

/// A whole number; texts that hold one count too, because the query protocol knows only texts.
pub fn number(params: &Value, name: &str) -> Option<i64> {
    whole(params.get(name)?)
}

/// A whole number given as a number or as text.
pub fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The members of a map; empty if it is absent.
pub fn map<'a>(params: &'a Value, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    params.get(name).and_then(Value::as_object).into_iter().flatten()
}

/// The items of a list; empty if it is absent.
pub fn list<'a>(params: &'a Value, name: &str) -> &'a [Value] {
    params.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of a list.
pub fn texts<'a>(params: &'a Value, name: &str) -> Vec<&'a str> {
    list(params, name).iter().filter_map(Value::as_str).collect()
}

/// A document that was stored as JSON text; what cannot be read is empty.
pub fn document(text: &str) -> Map<String, Value> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
