//! What an evaluation may use up. A path comes from outside and the document does too, so both are made to pay: each value
//! that is looked at, each branch that is open, each byte that is copied.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::Value;

use crate::error::Fail;
use crate::limits::{COPIED_BYTES_PER_STEP, MAX_OPEN_BRANCHES, MAX_RESULT_BYTES, MAX_STEPS};

/// What one evaluation has used up, that of its filters and arguments included.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    steps: Cell<u64>,
    open: Cell<u32>,
}

impl Budget {
    pub(crate) fn spend(&self, steps: u64) -> Result<(), Fail> {
        let spent = self.steps.get().saturating_add(steps);
        self.steps.set(spent);
        if spent > MAX_STEPS {
            return Err(Fail::Limit(format!("The path looks at more than {MAX_STEPS} values")));
        }
        Ok(())
    }

    /// Accounts for a copy of `value`.
    pub(crate) fn spend_copy(&self, value: &Value) -> Result<(), Fail> {
        self.spend(weight(value, MAX_RESULT_BYTES)? as u64 / COPIED_BYTES_PER_STEP)
    }

    /// Runs a branch of the walk, if not too many are open.
    pub(crate) fn branch<T>(&self, run: impl FnOnce() -> Result<T, Fail>) -> Result<T, Fail> {
        let open = self.open.get();
        if open >= MAX_OPEN_BRANCHES {
            return Err(Fail::Limit(format!("The path branches more than {MAX_OPEN_BRANCHES} times")));
        }
        self.open.set(open + 1);
        let result = run();
        self.open.set(open);
        result
    }
}

/// Refuses matches that would be too large together once they are copied.
pub(crate) fn weigh(values: &[Cow<'_, Value>]) -> Result<(), Fail> {
    let mut left = MAX_RESULT_BYTES;
    for value in values {
        left = left.saturating_sub(weight(value, left)?);
    }
    Ok(())
}

/// The bytes that a value takes, roughly; an error beyond `limit`.
fn weight(value: &Value, limit: usize) -> Result<usize, Fail> {
    let mut bytes = 0;
    let mut ahead = vec![value];
    while let Some(value) = ahead.pop() {
        bytes += size_of::<Value>();
        match value {
            Value::String(text) => bytes += text.len(),
            Value::Array(items) => ahead.extend(items),
            Value::Object(members) => {
                for (name, member) in members {
                    bytes += name.len();
                    ahead.push(member);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        if bytes > limit {
            return Err(Fail::Limit(format!("The matches take more than {MAX_RESULT_BYTES} bytes")));
        }
    }
    Ok(bytes)
}
