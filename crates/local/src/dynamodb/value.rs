//! Attribute values in DynamoDB's own form (`{"S": "text"}`): checking them, comparing them, their size. They are stored
//! as they are written, with numbers in their one text.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::error::{bad_value, invalid};
use super::number;
use crate::error::Answer;

/// An item: names and attribute values.
pub type Item = Map<String, Value>;

/// How deep a value may nest.
const DEPTH: usize = 32;

/// The type of a value and what it holds.
pub fn parts(value: &Value) -> (&str, &Value) {
    static NOTHING: Value = Value::Null;
    value.as_object().and_then(|members| members.iter().next()).map_or(("", &NOTHING), |(kind, held)| (kind, held))
}

pub fn text_of(value: &Value) -> &str {
    parts(value).1.as_str().unwrap_or_default()
}

/// Check an item, and write its numbers in their one text.
pub fn checked_item(given: Option<&Value>) -> Answer<Item> {
    let members = given.and_then(Value::as_object).into_iter().flatten();
    members.map(|(name, value)| Ok((name.clone(), checked(value, 1)?))).collect()
}

/// Check a value, and write its numbers in their one text.
pub fn checked(value: &Value, depth: usize) -> Answer<Value> {
    if depth > DEPTH {
        return Err(invalid("Nesting Levels have exceeded supported limits"));
    }
    let members = value.as_object().map_or(0, Map::len);
    if members != 1 {
        let what = if members == 0 { "is empty," } else { "has more than one datatypes set," };
        return Err(invalid(format!(
            "Supplied AttributeValue {what} must contain exactly one of the supported datatypes"
        )));
    }
    let (kind, held) = parts(value);
    let number = |text: &Value| Ok(Value::from(number::shown(&number::parse(text.as_str().unwrap_or_default())?)));
    let held = match kind {
        "N" => number(held)?,
        "NS" => Value::Array(items(held).iter().map(number).collect::<Answer<_>>()?),
        "L" => Value::Array(items(held).iter().map(|item| checked(item, depth + 1)).collect::<Answer<_>>()?),
        "M" => {
            let members = held.as_object().into_iter().flatten();
            let members = members.map(|(name, value)| Ok((name.clone(), checked(value, depth + 1)?)));
            Value::Object(members.collect::<Answer<_>>()?)
        }
        "NULL" if held != &Value::Bool(true) => {
            return Err(bad_value("Null attribute value types must have the value of true"));
        }
        _ => held.clone(),
    };
    if let "SS" | "NS" | "BS" = kind {
        let members = items(&held);
        if members.is_empty() {
            let name = match kind {
                "SS" => "string",
                "NS" => "number",
                _ => "binary",
            };
            return Err(bad_value(format!("An {name} set  may not be empty")));
        }
        if members.iter().enumerate().any(|(at, member)| members[..at].contains(member)) {
            let shown: Vec<&str> = members.iter().filter_map(Value::as_str).collect();
            return Err(bad_value(format!("Input collection [{}] contains duplicates.", shown.join(", "))));
        }
    }
    Ok(json!({ kind: held }))
}

pub fn items(held: &Value) -> &[Value] {
    held.as_array().map_or(&[], Vec::as_slice)
}

/// Are two values the same? Sets have no order.
pub fn same(one: &Value, other: &Value) -> bool {
    match (parts(one), parts(other)) {
        ((kind @ ("SS" | "NS" | "BS"), one), (other_kind, other)) => {
            let (one, other) = (items(one), items(other));
            kind == other_kind && one.len() == other.len() && one.iter().all(|member| other.contains(member))
        }
        (("L", one), ("L", other)) => {
            let (one, other) = (items(one), items(other));
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (("M", Value::Object(one)), ("M", Value::Object(other))) => {
            one.len() == other.len()
                && one.iter().all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        (one, other) => one == other,
    }
}

/// The order of two values of one type that has an order.
pub fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (parts(one), parts(other)) {
        (("S", one), ("S", other)) => Some(one.as_str()?.cmp(other.as_str()?)),
        (("N", one), ("N", other)) => {
            Some(number::parse(one.as_str()?).ok()?.cmp(&number::parse(other.as_str()?).ok()?))
        }
        (("B", one), ("B", other)) => Some(bytes(one).cmp(&bytes(other))),
        _ => None,
    }
}

pub fn bytes(held: &Value) -> Vec<u8> {
    STANDARD.decode(held.as_str().unwrap_or_default()).unwrap_or_default()
}

/// Bytes in DynamoDB's order, for a value that is a key.
pub fn key_bytes(value: &Value) -> Vec<u8> {
    match parts(value) {
        ("N", held) => {
            number::parse(held.as_str().unwrap_or_default()).map(|number| number::key(&number)).unwrap_or_default()
        }
        ("B", held) => bytes(held),
        (_, held) => held.as_str().unwrap_or_default().as_bytes().to_vec(),
    }
}

/// How many bytes an item counts for.
pub fn item_size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size(value)).sum()
}

fn size(value: &Value) -> usize {
    let number = |text: &Value| {
        let digits = text.as_str().unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
        digits.div_ceil(2) + 1
    };
    match parts(value) {
        ("S", held) => held.as_str().map_or(0, str::len),
        ("N", held) => number(held),
        ("B", held) => bytes(held).len(),
        ("SS", held) => items(held).iter().filter_map(Value::as_str).map(str::len).sum(),
        ("NS", held) => items(held).iter().map(number).sum(),
        ("BS", held) => items(held).iter().map(|held| bytes(held).len()).sum(),
        ("L", held) => 3 + items(held).iter().map(|value| 1 + size(value)).sum::<usize>(),
        ("M", Value::Object(held)) => 3 + held.iter().map(|(name, value)| 1 + name.len() + size(value)).sum::<usize>(),
        _ => 1,
    }
}
