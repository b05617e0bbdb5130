//! AWS's words for an expression that is refused or fails: whole and once.
//!
//! Each sentence is an answer of AWS, recorded in the conformance cases or measured on AWS in public
//! (<https://github.com/floci-io/floci/issues/2736>, 2737, 2745). The engine's messages are jsonata-js's, which are
//! AWS's too; the few codes of its own become the sentence that AWS has for the same.

use serde_json::Value;

use super::numbers;
use crate::diagnostic::code;

/// The error name of every evaluation that fails; Retry and Catch may match it.
pub const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";

/// Why an expression is not accepted when the state machine is created.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// One of the two codes about expressions.
    pub code: &'static str,
    pub message: String,
    /// Byte of the expression that it speaks about.
    pub offset: usize,
}

impl Refusal {
    /// The parser's own message, without its code (measured).
    pub(super) fn syntax(text: &str, error: &jlens_core::Error) -> Refusal {
        let offset = error.span().map_or(text.len(), |span| span.start);
        Refusal { code: code::INVALID_JSONATA_EXPRESSION, message: message(error), offset }
    }

    /// Jsonata 2.0.6 meets a symbol that only later versions know as an operator.
    pub(super) fn unknown_operator(symbol: &str, offset: usize) -> Refusal {
        let message = format!("The symbol \"{symbol}\" cannot be used as a unary operator");
        Refusal { code: code::INVALID_JSONATA_EXPRESSION, message, offset }
    }

    /// A name that is read from a context item, which a state has not.
    pub(super) fn top_level(name: &str, offset: usize) -> Refusal {
        let message = format!("Reference to '{name}' at the top level is not supported.");
        Refusal { code: code::UNSUPPORTED_JSONATA_EXPRESSION, message, offset }
    }

    pub(super) fn root(offset: usize) -> Refusal {
        let message = "Reference to '$$' is not supported.".to_owned();
        Refusal { code: code::UNSUPPORTED_JSONATA_EXPRESSION, message, offset }
    }

    /// `$states.result`, `$states.errorOutput` in a field that has none.
    pub fn no_such_member(member: &str, offset: usize) -> Refusal {
        let message = format!("Field '$states.{member}' does not exist.");
        Refusal { code: code::UNSUPPORTED_JSONATA_EXPRESSION, message, offset }
    }

    /// Ours: a definition has a limit of its own, so nobody has seen AWS say this.
    pub(super) fn too_long() -> Refusal {
        let message = "Expression is too long".to_owned();
        Refusal { code: code::INVALID_JSONATA_EXPRESSION, message, offset: 0 }
    }
}

/// Why an evaluation gives no value.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum Failure {
    /// An error of the language, or one that the expression raises itself.
    #[error("{code}: {message}")]
    Thrown { code: String, message: String },
    #[error("{}", .0.message())]
    Limit(Limit),
    /// It comes to a function.
    #[error("unsupported result type")]
    UnsupportedResult,
}

/// What an evaluation may not use up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    Memory,
    Depth,
    /// AWS's limit is a second; here it is a number of steps.
    Time,
}

impl Limit {
    pub fn message(self) -> &'static str {
        match self {
            Limit::Memory => "Expression evaluation memory limit exceeded: Check for excessive memory usage",
            Limit::Depth => {
                "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as \
                 tail-recursive"
            }
            Limit::Time => "Expression evaluation timeout: Check for infinite loop",
        }
    }
}

impl Failure {
    pub(super) fn of(error: &jlens_core::Error) -> Failure {
        match error.code() {
            // Too large, nested deeper than JSON may be, or a text that later versions of the language refuse to pad.
            "U1001" | "U1003" | "D2016" => Failure::Limit(Limit::Memory),
            "U1006" | "D1012" => Failure::Limit(Limit::Time),
            "D1011" => Failure::Limit(Limit::Depth),
            super::functions::OUT_OF_MEMORY => Failure::Limit(Limit::Memory),
            code => Failure::Thrown { code: code.to_owned(), message: message(error) },
        }
    }

    /// The sentence about an expression that stands in a field: `Output`, `Arguments/MessageBody`, `Catch[1]/Output/v`.
    pub fn sentence(&self, expression: &str, field: &str) -> String {
        let said = about(expression, field);
        match self {
            Failure::Thrown { code, message } => format!("{said} threw an error during evaluation. {code}: {message}"),
            Failure::Limit(limit) => format!("{said} threw an error during evaluation: {}", limit.message()),
            Failure::UnsupportedResult => format!("{said} returned an unsupported result type."),
        }
    }
}

/// The engine's message; whole numbers in it are written without a point, as JavaScript does.
fn message(error: &jlens_core::Error) -> String {
    let mut error = error.clone();
    for detail in ["value", "value2", "exp", "token"] {
        if let Some(mut value) = error.detail(detail).cloned() {
            numbers::settle(&mut value);
            error = error.with(detail, value);
        }
    }
    error.message()
}

/// An expression that comes to nothing where a value is needed.
pub fn undefined(expression: &str, field: &str) -> String {
    format!("{} returned nothing (undefined).", about(expression, field))
}

/// A value of another type than the field takes; `expected` is JSONata's word for the type.
pub fn unexpected_type(expression: &str, field: &str, expected: &str, value: &Value) -> String {
    let was = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let said = about(expression, field);
    format!("{said} returned an unexpected result type. Expected '{expected}', but was '{was}' for value: {value}")
}

fn about(expression: &str, field: &str) -> String {
    format!("The JSONata expression '{expression}' specified for the field '{field}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sentences are AWS's own; where they are from stands at the top.
    #[test]
    fn sentences() {
        let thrown = Failure::Thrown { code: "T1006".into(), message: "Attempted to invoke a non-function".into() };
        assert_eq!(
            thrown.sentence("$randomSeeded($states.input.FunctionInput.fst)", "Output/FunctionResult"),
            "The JSONata expression '$randomSeeded($states.input.FunctionInput.fst)' specified for the field \
             'Output/FunctionResult' threw an error during evaluation. T1006: Attempted to invoke a non-function"
        );
        assert_eq!(
            Failure::Limit(Limit::Memory).sentence("[1..900000] ~> $count()", "Output/r"),
            "The JSONata expression '[1..900000] ~> $count()' specified for the field 'Output/r' threw an error \
             during evaluation: Expression evaluation memory limit exceeded: Check for excessive memory usage"
        );
        assert_eq!(
            Failure::UnsupportedResult.sentence("$fn := function($x){$x}", "Items"),
            "The JSONata expression '$fn := function($x){$x}' specified for the field 'Items' returned an \
             unsupported result type."
        );
        assert_eq!(
            undefined("$states.input.missing", "Output/v"),
            "The JSONata expression '$states.input.missing' specified for the field 'Output/v' returned nothing \
             (undefined)."
        );
        assert_eq!(
            unexpected_type("{'foo': 'bar'}", "Items", "array", &serde_json::json!({"foo": "bar"})),
            "The JSONata expression '{'foo': 'bar'}' specified for the field 'Items' returned an unexpected result \
             type. Expected 'array', but was 'object' for value: {\"foo\":\"bar\"}"
        );
    }
}
