//! How long a Wait state waits, as far as that is a function of its data.

use serde_json::Value;

use super::{Env, EvalError, lookup};
use crate::{Path, Wait, timestamp};

/// The longest wait: what AWS counts in 32 bits (recorded: 24,855 days go, 24,856 do not). See
/// [`EvalError::wait_too_long`].
pub const LONGEST_WAIT_SECONDS: i64 = i32::MAX as i64;

/// What to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitFor {
    Seconds(u64),
    Until(jiff::Timestamp),
}

impl Wait {
    pub fn evaluate(&self, env: &Env<'_>) -> Result<WaitFor, EvalError> {
        match self {
            Wait::Seconds(seconds) => Ok(WaitFor::Seconds(*seconds)),
            Wait::Timestamp(text) => {
                // Checked at creation; a program from elsewhere fails as if data had said it.
                let no_timestamp = || EvalError::wait_no_timestamp("Timestamp", text, &Value::from(&**text));
                timestamp::parse(text).map(WaitFor::Until).ok_or_else(no_timestamp)
            }
            Wait::SecondsExpression(expression) | Wait::TimestampExpression(expression) => {
                Err(EvalError::misplaced(expression.text()))
            }
            Wait::SecondsPath(path) => seconds(path, env).map(WaitFor::Seconds),
            Wait::TimestampPath(path) => {
                const FIELD: &str = "TimestampPath";
                let value =
                    lookup::find(path, env.input, env).map_err(|_| EvalError::wait_not_in_input(FIELD, &path.text))?;
                let instant = value.as_str().and_then(timestamp::parse);
                instant.map(WaitFor::Until).ok_or_else(|| EvalError::wait_no_timestamp(FIELD, &path.text, &value))
            }
        }
    }
}

/// A whole number, or a text that is one: AWS parses what the value looks like.
fn seconds(path: &Path, env: &Env<'_>) -> Result<u64, EvalError> {
    const FIELD: &str = "SecondsPath";
    let value = lookup::find(path, env.input, env).map_err(|_| EvalError::wait_not_in_input(FIELD, &path.text))?;
    let number: Option<i64> = match &*value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let number = number.ok_or_else(|| EvalError::wait_no_long(FIELD, &path.text, &value))?;
    u64::try_from(number).map_err(|_| EvalError::wait_negative(FIELD, &path.text, &value))
}
