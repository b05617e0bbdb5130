//! A JSONata expression on a JSON document: the first line is the expression, the rest the document.

use asl::Payload;
use asl::eval::NoVariables;
use asl::jsonata::{Expression, Gate, Limits, Scope, States};
use serde_json::Value;

/// An expression compiles or is refused, and ends within its limits with JSON.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (expression, input) = text.split_once('\n').unwrap_or((text, "{}"));
    let Ok(input) = Payload::parse(input) else { return };
    let Ok(compiled) = Expression::compile(expression, Gate::Aws) else { return };
    let states = States { input: &input, result: None, error_output: None, context: &Value::Null };
    let scope = Scope { states: Some(states), variables: &NoVariables, focus: None, now_ms: 1 };
    let mut drawn = 0_u128;
    let mut draws = || {
        drawn += 1;
        drawn
    };
    if let Ok(Some(output)) = compiled.evaluate(&scope, &mut draws, &Limits::default()) {
        assert!(serde_json::from_str::<Value>(output.text()).is_ok(), "{}", output.text());
    }
}
