//! What a JSONata state's fields come to: one function per kind of field, each told the field's name as AWS writes it.
//!
//! A failure knows its place (`Output/a/b[0]`, `Choices[1]/Condition`), which `EvaluationFailed` shows as `location`.
//! The sentences of expressions themselves stand in `jsonata/failure.rs`; here are those about a value that a field
//! does not take.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::wait::WaitFor;
use super::{Draws, java};
use crate::jsonata::{self, Expression, Limits, QUERY_EVALUATION_ERROR, Scope};
use crate::program::{Amount, Assign, Choice, Computed, Condition, Map as MapState, Text, Wait};
use crate::{Payload, payload, timestamp};

/// What a JSONata field sees of the world.
pub struct QueryEnv<'a> {
    pub scope: Scope<'a>,
    /// Where `$random()`, `$uuid()` and `$shuffle()` get their chance from.
    pub draws: &'a mut dyn Draws,
    pub limits: Limits,
}

/// A field of a JSONata state that could not be evaluated: `States.QueryEvaluationError`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// AWS's text without the sentence that names the state.
    pub message: String,
    /// The field: `location` of `EvaluationFailed`.
    pub location: String,
    /// There was a value, and it is the state that cannot use it: then `EvaluationFailed` follows the state's Entered
    /// event, otherwise it follows what was before (recorded).
    pub value_refused: bool,
}

impl QueryError {
    pub const ERROR: &'static str = QUERY_EVALUATION_ERROR;

    /// The cause as history shows it.
    pub fn cause(&self, state: &str, entered_event_id: u64) -> String {
        format!(
            "An error occurred while executing the state '{state}' (entered at the event id #{entered_event_id}). {}",
            self.message
        )
    }

    fn of_expression(message: String, field: &str) -> QueryError {
        QueryError { message, location: field.to_owned(), value_refused: false }
    }

    fn of_value(message: String, field: &str) -> QueryError {
        QueryError { message, location: field.to_owned(), value_refused: true }
    }
}

impl Expression {
    /// The value of an expression that stands in `field`; undefined is a failure.
    pub fn value(&self, field: &str, env: &mut QueryEnv<'_>) -> Result<Payload, QueryError> {
        match self.evaluate(&env.scope, env.draws, &env.limits) {
            Ok(Some(payload)) => Ok(payload),
            Ok(None) => Err(QueryError::of_expression(jsonata::undefined(self.text(), field), field)),
            Err(failure) => Err(QueryError::of_expression(failure.sentence(self.text(), field), field)),
        }
    }

    /// The same, of one type.
    fn of_type<T>(
        &self,
        field: &str,
        expected: &str,
        env: &mut QueryEnv<'_>,
        take: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<T, QueryError> {
        let found = self.value(field, env)?;
        take(found.value()).ok_or_else(|| {
            let message = jsonata::unexpected_type(self.text(), field, expected, found.value());
            QueryError::of_expression(message, field)
        })
    }
}

impl Computed {
    /// The value of the field. A literal is handed on as a pointer, and so is what an expression only passes on.
    pub fn evaluate(&self, field: &str, env: &mut QueryEnv<'_>) -> Result<Payload, QueryError> {
        let made = match self {
            Computed::Literal(payload) => return Ok(payload.clone()),
            // As deep as what it was taken from, or as the engine allows: as deep as data may be.
            Computed::Expression(expression) => return expression.value(field, env),
            Computed::Object(_) | Computed::Array(_) => Payload::from(self.value(field, env)?),
        };
        if made.depth() > payload::MAX_DEPTH {
            let message = super::EvalError::too_deep().message;
            return Err(QueryError::of_value(message, field));
        }
        Ok(made)
    }

    /// Fields are evaluated in the order of writing; the first that fails is told.
    fn value(&self, field: &str, env: &mut QueryEnv<'_>) -> Result<Value, QueryError> {
        match self {
            Computed::Literal(payload) => Ok(payload.value().clone()),
            Computed::Expression(expression) => expression.value(field, env).map(|payload| payload.value().clone()),
            Computed::Array(items) => {
                let items = items.iter().enumerate();
                items.map(|(index, item)| item.value(&format!("{field}[{index}]"), env)).collect()
            }
            Computed::Object(fields) => {
                let mut object = Map::with_capacity(fields.len());
                for (name, value) in fields {
                    object.insert(name.to_string(), value.value(&format!("{field}/{name}"), env)?);
                }
                Ok(Value::Object(object))
            }
        }
    }

    /// `Items`.
    pub fn items(&self, field: &str, env: &mut QueryEnv<'_>) -> Result<Payload, QueryError> {
        let items = self.evaluate(field, env)?;
        match (items.value(), self) {
            (Value::Array(_), _) => Ok(items),
            (value, Computed::Expression(expression)) => {
                let message = jsonata::unexpected_type(expression.text(), field, "array", value);
                Err(QueryError::of_expression(message, field))
            }
            (value, _) => {
                let message = format!("The {field} field refers to a value that is not an array: {}", told(value));
                Err(QueryError::of_value(message, field))
            }
        }
    }

    /// `Condition`.
    pub fn holds(&self, field: &str, env: &mut QueryEnv<'_>) -> Result<bool, QueryError> {
        match self {
            Computed::Expression(expression) => expression.of_type(field, "boolean", env, Value::as_bool),
            other => Ok(other.evaluate(field, env)?.value() == &Value::Bool(true)),
        }
    }
}

impl Assign {
    /// The variables of a JSONata state, in the order of writing; `field` is `Assign`, or `Catch[0]/Assign`. All are
    /// evaluated before one is set, so each sees the values from before.
    pub fn compute(&self, field: &str, env: &mut QueryEnv<'_>) -> Result<Vec<(Arc<str>, Payload)>, QueryError> {
        let Assign::Computed(variables) = self else { return Ok(Vec::new()) };
        let values = variables.iter();
        values.map(|(name, value)| Ok((name.clone(), value.evaluate(&format!("{field}/{name}"), env)?))).collect()
    }
}

impl MapState {
    /// `Items` of a JSONata Map: an array. Where the field is absent it is the input, as if that were written.
    pub fn compute_items(&self, input: &Payload, env: &mut QueryEnv<'_>) -> Result<Payload, QueryError> {
        const FIELD: &str = "Items";
        match &self.items {
            Some(items) => items.items(FIELD, env),
            None if input.value().is_array() => Ok(input.clone()),
            None => {
                let message = jsonata::unexpected_type("$states.input", FIELD, "array", input.value());
                Err(QueryError::of_expression(message, FIELD))
            }
        }
    }
}

impl Choice {
    /// The first rule of a JSONata Choice that holds, by its place. Rules behind it are not evaluated.
    pub fn compute(&self, env: &mut QueryEnv<'_>) -> Result<Option<usize>, QueryError> {
        for (place, rule) in self.rules.iter().enumerate() {
            if let Condition::Computed(condition) = &rule.condition
                && condition.holds(&format!("Choices[{place}]/Condition"), env)?
            {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// What a number must be, where the field says more than its type.
struct Bounds {
    field: &'static str,
    whole: bool,
    least: f64,
    most: f64,
    /// What is said of a number outside; `{}` is the number. The sentences are those of the `…Path` fields.
    outside: &'static str,
}

/// The largest `TimeoutSeconds`, `HeartbeatSeconds` and `Seconds`, as at creation.
const MOST_SECONDS: f64 = 99_999_999.0;

const BOUNDS: [Bounds; 6] = [
    Bounds {
        field: "Seconds",
        whole: true,
        least: 0.0,
        most: MOST_SECONDS,
        outside: "Expected non-negative integer for Seconds, got '{}' instead.",
    },
    Bounds {
        field: "TimeoutSeconds",
        whole: true,
        least: 1.0,
        most: MOST_SECONDS,
        outside: "Expected positive integer for TimeoutSeconds, got '{}' instead.",
    },
    Bounds {
        field: "HeartbeatSeconds",
        whole: true,
        least: 1.0,
        most: MOST_SECONDS,
        outside: "Expected positive integer for HeartbeatSeconds, got '{}' instead.",
    },
    Bounds {
        field: "MaxConcurrency",
        whole: true,
        least: 0.0,
        most: f64::INFINITY,
        outside: "Expected non-negative integer for MaxConcurrency, got '{}' instead.",
    },
    Bounds {
        field: "ToleratedFailureCount",
        whole: true,
        least: 0.0,
        most: f64::INFINITY,
        outside: "ToleratedFailureCount cannot be negative.",
    },
    Bounds {
        field: "ToleratedFailurePercentage",
        whole: false,
        least: 0.0,
        most: 100.0,
        outside: "ToleratedFailurePercentage must be between 0 and 100.",
    },
];

impl Amount {
    /// The number of a field of a JSONata state.
    pub fn compute(&self, field: &str, env: &mut QueryEnv<'_>) -> Result<f64, QueryError> {
        match self {
            Amount::Literal(number) => Ok(*number),
            Amount::Expression(expression) => number(expression, field, env),
            Amount::Path(path) => Err(misplaced(&path.text, field)),
        }
    }
}

fn number(expression: &Expression, field: &str, env: &mut QueryEnv<'_>) -> Result<f64, QueryError> {
    let number = expression.of_type(field, "number", env, Value::as_f64)?;
    let name = field.rsplit('/').next().unwrap_or(field);
    let Some(bounds) = BOUNDS.iter().find(|bounds| bounds.field == name) else { return Ok(number) };
    if (bounds.whole && number.fract() != 0.0) || number < bounds.least || number > bounds.most {
        let message = bounds.outside.replace("{}", &number.to_string());
        return Err(QueryError::of_value(message, field));
    }
    Ok(number)
}

impl Text {
    /// `Error` and `Cause` of a JSONata Fail state.
    pub fn compute(&self, field: &str, env: &mut QueryEnv<'_>) -> Result<Arc<str>, QueryError> {
        match self {
            Text::Literal(text) => Ok(text.clone()),
            Text::Expression(expression) => {
                expression.of_type(field, "string", env, |value| value.as_str().map(Arc::from))
            }
            Text::Dynamic(dynamic) => Err(misplaced(dynamic.text(), field)),
        }
    }
}

impl Wait {
    /// How long a JSONata Wait state waits.
    pub fn compute(&self, env: &mut QueryEnv<'_>) -> Result<WaitFor, QueryError> {
        let until = |text: &str| {
            // Recorded: AWS's own words, and not about an expression.
            let refused = || {
                let message = format!(
                    "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {text}"
                );
                QueryError::of_value(message, "Timestamp")
            };
            timestamp::parse(text).map(WaitFor::Until).ok_or_else(refused)
        };
        match self {
            Wait::Seconds(seconds) => Ok(WaitFor::Seconds(*seconds)),
            Wait::Timestamp(text) => until(text),
            Wait::SecondsExpression(expression) => {
                let seconds = number(expression, "Seconds", env)?;
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within bounds")]
                Ok(WaitFor::Seconds(seconds as u64))
            }
            Wait::TimestampExpression(expression) => {
                let text: Arc<str> =
                    expression.of_type("Timestamp", "string", env, |value| value.as_str().map(Arc::from))?;
                until(&text)
            }
            Wait::SecondsPath(path) => Err(misplaced(&path.text, "Seconds")),
            Wait::TimestampPath(path) => Err(misplaced(&path.text, "Timestamp")),
        }
    }
}

/// A JSONPath in a JSONata state: no definition that was checked has it.
fn misplaced(text: &str, field: &str) -> QueryError {
    QueryError::of_value(format!("The path '{text}' has no place in the field '{field}' of a JSONata state"), field)
}

fn told(value: &Value) -> String {
    java::json_text(value)
}
