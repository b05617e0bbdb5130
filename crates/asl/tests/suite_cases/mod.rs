//! The official suite of JSONata: its cases, what they want, and how one is put behind its input.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

const CASES: &str = include_str!("../data/jsonata-suite/cases.jsonl");
const DATASETS: &str = include_str!("../data/jsonata-suite/datasets.json");

/// What the suite holds.
pub const CASE_COUNT: usize = 1686;

/// How many come out the same under AWS's rules.
pub const SAME_WITH_GATE: usize = 1605;

#[derive(Deserialize)]
pub struct Case {
    pub case: String,
    pub expr: String,
    pub dataset: Option<String>,
    #[serde(default, deserialize_with = "given")]
    pub data: Option<Value>,
    #[serde(default)]
    pub bindings: Map<String, Value>,
    #[serde(default, deserialize_with = "given")]
    pub result: Option<Value>,
    #[serde(default, rename = "undefinedResult")]
    pub undefined_result: bool,
    pub code: Option<String>,
    pub error: Option<Value>,
    #[allow(dead_code, reason = "only where the limits are not AWS's")]
    pub depth: Option<usize>,
    #[serde(default)]
    pub unordered: bool,
}

/// A null that is there is a value.
fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// What an expression came to, as far as the suite can tell.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    Value(Value),
    Undefined,
    Error(String),
}

pub fn cases() -> (Vec<Case>, BTreeMap<String, Value>) {
    let cases: Vec<Case> = CASES
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    (cases, serde_json::from_str(DATASETS).expect("datasets"))
}

pub fn wanted(case: &Case) -> Outcome {
    let code = case.code.clone().or_else(|| Some(case.error.as_ref()?.get("code")?.as_str()?.to_owned()));
    match (&case.result, code) {
        (_, Some(code)) => Outcome::Error(code),
        (Some(value), None) => Outcome::Value(value.clone()),
        (None, None) => {
            assert!(case.undefined_result || case.error.is_none(), "{}", case.case);
            Outcome::Undefined
        }
    }
}

/// The parser's errors have codes in the suite, which AWS does not show; their messages tell the code.
pub fn is_syntax_error(found: &Outcome, wanted: &Outcome) -> bool {
    matches!((found, wanted), (Outcome::Error(found), Outcome::Error(code))
        if found.starts_with("INVALID_JSONATA_EXPRESSION") && code.starts_with('S'))
}

/// The engine's numbers are doubles: 15 digits must be the same.
pub fn same(found: &Outcome, wanted: &Outcome, unordered: bool) -> bool {
    match (found, wanted) {
        (Outcome::Value(found), Outcome::Value(wanted)) => same_value(found, wanted, unordered),
        (found, wanted) => found == wanted,
    }
}

fn same_value(found: &Value, wanted: &Value, unordered: bool) -> bool {
    match (found, wanted) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().expect("a number"), b.as_f64().expect("a number"));
            a == b || (a - b).abs() <= a.abs().max(b.abs()) * 1e-15
        }
        (Value::Array(a), Value::Array(b)) if unordered => {
            a.len() == b.len() && b.iter().all(|b| a.iter().any(|a| same_value(a, b, false)))
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b, false))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && b.iter().all(|(name, b)| a.get(name).is_some_and(|a| same_value(a, b, false)))
        }
        (a, b) => a == b,
    }
}

/// With the gate on an expression has no context item, so each case is put behind its input: what it reads from the
/// context it then reads from `$states.input`. What it comes to is the one field of an object, so that no path makes
/// an array of one out of it.
pub fn wrapped(text: &str, input: &Value) -> String {
    // A step is evaluated for each item of an array: here for the only one, which is the input.
    let input = if input.is_array() { "[[$states.input]]" } else { "$states.input" };
    // White space before the end keeps a comment from swallowing it.
    format!("{input}.{{'{RESULT}':\n{text}\n}}")
}

/// The field of the wrapping.
pub const RESULT: &str = "result";
