//! Numbers and texts that a field gives or that its `…Path` form finds: timeouts, concurrency, tolerated failures, the
//! error and cause of a Fail state.

use serde_json::Value;

use super::{Env, EvalError, lookup};
use crate::{Amount, Text};

/// What a field that finds a number wants of it: the field, whether a fraction will do, the least and the largest.
struct Wanted {
    field: &'static str,
    kind: Kind,
    least: f64,
    most: f64,
    /// What AWS says of a number outside; `{}` is the number.
    outside: &'static str,
}

#[derive(PartialEq)]
enum Kind {
    Integer,
    Float,
}

/// The largest `TimeoutSeconds` and `HeartbeatSeconds`, as at creation.
const MOST_SECONDS: f64 = 99_999_999.0;

const WANTED: [Wanted; 5] = [
    Wanted {
        field: "TimeoutSecondsPath",
        kind: Kind::Integer,
        least: 1.0,
        most: MOST_SECONDS,
        outside: "Expected positive integer for TimeoutSeconds, got '{}' instead.",
    },
    Wanted {
        field: "HeartbeatSecondsPath",
        kind: Kind::Integer,
        least: 1.0,
        most: MOST_SECONDS,
        outside: "Expected positive integer for HeartbeatSeconds, got '{}' instead.",
    },
    Wanted {
        field: "MaxConcurrencyPath",
        kind: Kind::Integer,
        least: 0.0,
        most: f64::INFINITY,
        outside: "Expected non-negative integer for MaxConcurrency, got '{}' instead.",
    },
    Wanted {
        field: "ToleratedFailureCountPath",
        kind: Kind::Integer,
        least: 0.0,
        most: f64::INFINITY,
        outside: "ToleratedFailureCount cannot be negative.",
    },
    Wanted {
        field: "ToleratedFailurePercentagePath",
        kind: Kind::Float,
        least: 0.0,
        most: 100.0,
        outside: "ToleratedFailurePercentage must be between 0 and 100.",
    },
];

impl Amount {
    /// The number. `field` is the name of the `…Path` form, with or without `Path`.
    pub fn evaluate(&self, field: &str, env: &Env<'_>) -> Result<f64, EvalError> {
        let path = match self {
            Amount::Literal(number) => return Ok(*number),
            Amount::Path(path) => path,
            Amount::Expression(expression) => return Err(EvalError::misplaced(expression.text())),
        };
        let value =
            lookup::find(path, env.input, env).map_err(|error| EvalError::invalid_path(&path.text, &error.message))?;
        let name = field.strip_suffix("Path").unwrap_or(field);
        let wanted = WANTED.iter().find(|wanted| wanted.field.strip_suffix("Path") == Some(name));
        let kind = wanted.map_or("float", |wanted| if wanted.kind == Kind::Integer { "integer" } else { "float" });
        // AWS parses what the value looks like, so a text of digits is a number too.
        let number = match &*value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.parse::<f64>().ok().filter(|number| number.is_finite()),
            _ => None,
        };
        let number = number.filter(|number| kind == "float" || number.fract() == 0.0);
        let number = number.ok_or_else(|| EvalError::no_number(&format!("{name}Path"), kind, &path.text, &value))?;
        match wanted {
            Some(wanted) if number < wanted.least || number > wanted.most => {
                Err(EvalError::runtime(wanted.outside.replace("{}", &number.to_string())))
            }
            _ => Ok(number),
        }
    }
}

impl Text {
    /// The text. `field` is `ErrorPath` or `CausePath`.
    pub fn evaluate(&self, field: &str, env: &mut Env<'_>) -> Result<String, EvalError> {
        let dynamic = match self {
            Text::Literal(text) => return Ok(text.to_string()),
            Text::Dynamic(dynamic) => dynamic,
            Text::Expression(expression) => return Err(EvalError::misplaced(expression.text())),
        };
        match dynamic.evaluate(field, env)?.into_owned() {
            Value::String(text) => Ok(text),
            other => Err(EvalError::no_text(field, dynamic.text(), &other)),
        }
    }
}
