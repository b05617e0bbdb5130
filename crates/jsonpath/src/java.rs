//! How Java names and writes JSON values. Its class names and its notation of maps, lists and doubles are part of
//! Jayway's messages (`but found 'java.lang.Integer'`, `Current context is: {a=1}`) and of what `concat` joins.

use std::fmt::Write;

use serde_json::{Number, Value};

use crate::limits::{MAX_MESSAGE_CHARS, MAX_TEXT_DEPTH};

/// The class of what `keys()` gives.
pub(crate) const KEYS: &str = "java.util.LinkedHashMap$LinkedKeySet";

/// The class that Jackson reads a value into.
pub(crate) fn class_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "java.lang.Boolean",
        Value::Number(number) => match number.as_i64() {
            Some(int) if i32::try_from(int).is_ok() => "java.lang.Integer",
            Some(_) => "java.lang.Long",
            None if number.is_u64() => "java.math.BigInteger",
            None => "java.lang.Double",
        },
        Value::String(_) => "java.lang.String",
        Value::Array(_) => "java.util.ArrayList",
        Value::Object(_) => "java.util.LinkedHashMap",
    }
}

/// `toString` of a value.
pub(crate) fn text(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, 0, usize::MAX);
    out
}

/// `toString` of a value, short enough for a message.
pub(crate) fn excerpt(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, 0, MAX_MESSAGE_CHARS);
    if let Some((end, _)) = out.char_indices().nth(MAX_MESSAGE_CHARS) {
        out.truncate(end);
    }
    out
}

fn write_value(out: &mut String, value: &Value, depth: usize, limit: usize) {
    if out.len() > limit.saturating_mul(4) {
        return;
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(bool) => {
            let _ = write!(out, "{bool}");
        }
        Value::Number(number) => out.push_str(&self::number(number)),
        Value::String(text) => out.push_str(text),
        Value::Array(_) | Value::Object(_) if depth >= MAX_TEXT_DEPTH => out.push('…'),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                write_value(out, item, depth + 1, limit);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                let _ = write!(out, "{}{name}=", if index == 0 { "" } else { ", " });
                write_value(out, member, depth + 1, limit);
            }
            out.push('}');
        }
    }
}

fn number(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => double(float),
        _ => number.to_string(),
    }
}

/// `Double.toString`: at least one digit after the point, and an exponent outside of 10⁻³…10⁷.
pub(crate) fn double(float: f64) -> String {
    if float == 0.0 || !float.is_finite() || (1e-3..1e7).contains(&float.abs()) {
        return format!("{float:?}");
    }
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    format!("{mantissa}{point}E{exponent}")
}
