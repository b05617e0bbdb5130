//! Choice rules: which of them holds first.
//!
//! A comparison of kinds that do not fit is false, not an error; a path that finds nothing fails the execution, whatever
//! the operator, except for `IsPresent`. `And` and `Or` stop at the first answer, so `IsPresent` guards what follows it.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::{Env, EvalError, java, lookup, matches};
use crate::{Choice, Comparison, Condition, Operand, Order, Path, StateId, TypeTest, timestamp};

impl Choice {
    /// Where to go: the first rule that holds, else `Default`, else nothing ([`EvalError::no_choice_matched`]).
    pub fn decide(&self, env: &Env<'_>) -> Result<Option<StateId>, EvalError> {
        Ok(self.rule(env)?.map_or(self.default, |place| Some(self.rules[place].next)))
    }

    /// The first rule that holds, by its place: it may set variables.
    pub fn rule(&self, env: &Env<'_>) -> Result<Option<usize>, EvalError> {
        for (place, rule) in self.rules.iter().enumerate() {
            if rule.condition.holds(env)? {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

impl Condition {
    pub fn holds(&self, env: &Env<'_>) -> Result<bool, EvalError> {
        match self {
            Condition::And(all) => {
                for condition in all {
                    if !condition.holds(env)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Condition::Or(any) => {
                for condition in any {
                    if condition.holds(env)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Condition::Not(condition) => Ok(!condition.holds(env)?),
            Condition::Computed(_) => Err(EvalError::misplaced("Condition")),
            Condition::Is { variable, test: TypeTest::IsPresent, expected } => Ok(present(variable, env) == *expected),
            Condition::Is { variable, test, expected } => Ok(is(*test, &*found(variable, env)?) == *expected),
            Condition::Compare { variable, comparison, operand } => {
                let left = found(variable, env)?;
                let right = match operand {
                    Operand::Literal(value) => Cow::Borrowed(value),
                    Operand::Path(path) => found(path, env)?,
                };
                Ok(compare(*comparison, &left, &right))
            }
        }
    }
}

fn found<'a>(path: &Path, env: &Env<'a>) -> Result<Cow<'a, Value>, EvalError> {
    lookup::find(path, env.input, env).map_err(|_| EvalError::choice_path(&path.text))
}

/// A path to many places is present if it finds one.
fn present(path: &Path, env: &Env<'_>) -> bool {
    match lookup::find(path, env.input, env) {
        Ok(value) => lookup::is_definite(path) || value.as_array().is_none_or(|many| !many.is_empty()),
        Err(_) => false,
    }
}

fn is(test: TypeTest, value: &Value) -> bool {
    match test {
        TypeTest::IsPresent => true,
        TypeTest::IsNull => value.is_null(),
        TypeTest::IsNumeric => value.is_number(),
        TypeTest::IsString => value.is_string(),
        TypeTest::IsBoolean => value.is_boolean(),
        TypeTest::IsTimestamp => value.as_str().is_some_and(|text| timestamp::parse(text).is_some()),
    }
}

fn compare(comparison: Comparison, left: &Value, right: &Value) -> bool {
    match comparison {
        Comparison::BooleanEquals => left.is_boolean() && left == right,
        Comparison::StringMatches => both(left.as_str(), right.as_str()).is_some_and(|(l, r)| matches::matches(r, l)),
        Comparison::String(order) => {
            both(left.as_str(), right.as_str()).is_some_and(|(l, r)| order.allows(java::compare(l, r)))
        }
        Comparison::Numeric(order) => both(left.as_number(), right.as_number())
            .and_then(|(l, r)| compare_numbers(l, r))
            .is_some_and(|ordering| order.allows(ordering)),
        Comparison::Timestamp(order) => {
            let instant = |value: &Value| value.as_str().and_then(timestamp::parse);
            both(instant(left), instant(right)).is_some_and(|(l, r)| order.allows(l.cmp(&r)))
        }
    }
}

fn both<T>(left: Option<T>, right: Option<T>) -> Option<(T, T)> {
    left.zip(right)
}

/// Whole numbers exactly, others as doubles.
fn compare_numbers(left: &Number, right: &Number) -> Option<Ordering> {
    match (left.as_i128(), right.as_i128()) {
        (Some(l), Some(r)) => Some(l.cmp(&r)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

impl Order {
    fn allows(self, ordering: Ordering) -> bool {
        match self {
            Order::Equals => ordering.is_eq(),
            Order::LessThan => ordering.is_lt(),
            Order::GreaterThan => ordering.is_gt(),
            Order::LessThanEquals => ordering.is_le(),
            Order::GreaterThanEquals => ordering.is_ge(),
        }
    }
}
