//! What AWS checks by the service's model before DynamoDB itself is asked: parameters that must be there, and the letters
//! of a table's name. The texts are recorded answers.

use aws::models;
use serde_json::Value;

use super::error::invalid;
use crate::error::Answer;
use crate::params;

/// A table's ARN may stand for its name.
const ARN: &str = "arn:";

pub(super) fn check(operation: &str, given: &Value) -> Answer<()> {
    let Some(service) = models().service("dynamodb") else { return Ok(()) };
    let input = service.operation(operation).and_then(|operation| operation.input.as_ref());
    let members = input.map_or(&[][..], |input| service.members(input));
    let missing = members
        .iter()
        .filter(|member| member.required && given.get(&member.name).is_none_or(Value::is_null))
        .map(|member| broken("null", &member.name, "Member must not be null"));
    let misnamed =
        params::text(given, "TableName").filter(|name| !name.starts_with(ARN) && !is_name(name)).map(|name| {
            let pattern = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+";
            broken(&format!("'{name}'"), "TableName", pattern)
        });
    let all: Vec<String> = missing.chain(misnamed).collect();
    let errors = match all.len() {
        0 => return Ok(()),
        1 => "error",
        _ => "errors",
    };
    Err(invalid(format!("{} validation {errors} detected: {}", all.len(), all.join("; "))))
}

/// Members are told as they are called in Java.
fn broken(value: &str, member: &str, constraint: &str) -> String {
    let mut letters = member.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    let member: String = first.into_iter().chain(letters).collect();
    format!("Value {value} at '{member}' failed to satisfy constraint: {constraint}")
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}
