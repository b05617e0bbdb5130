//! The functions that a path may call: `$.prices.max()`, `$.concat($.a, "-", $.b)`.

use std::borrow::Cow;

use serde_json::{Number, Value};

use crate::Found;
use crate::error::Fail;
use crate::eval::Evaluation;
use crate::filter_eval::Cache;
use crate::java;
use crate::token::Argument;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Avg,
    Stddev,
    Sum,
    Min,
    Max,
    Concat,
    Length,
    Append,
    Keys,
    First,
    Last,
    Index,
}

const FUNCTIONS: &[(&str, Function)] = &[
    ("avg", Function::Avg),
    ("stddev", Function::Stddev),
    ("sum", Function::Sum),
    ("min", Function::Min),
    ("max", Function::Max),
    ("concat", Function::Concat),
    ("length", Function::Length),
    ("size", Function::Length),
    ("append", Function::Append),
    ("keys", Function::Keys),
    ("first", Function::First),
    ("last", Function::Last),
    ("index", Function::Index),
];

impl Function {
    pub(crate) fn named(name: &str) -> Option<Function> {
        FUNCTIONS.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    /// What the function says of `model`, the value that its path has led to.
    pub(crate) fn call<'m>(
        self,
        evaluation: &Evaluation<'_>,
        model: &'m Value,
        arguments: &[Argument],
    ) -> Result<Cow<'m, Value>, Fail> {
        let values = values(evaluation, arguments)?;
        match self {
            Function::Length => length(evaluation, model, arguments).map(Cow::Owned),
            Function::Keys => Ok(Cow::Owned(match model {
                Value::Object(members) => members.keys().map(|name| Value::String(name.clone())).collect(),
                _ => Value::Null,
            })),
            Function::Concat => Ok(Cow::Owned(Value::String(concat(model, arguments, &json(&values)?)))),
            Function::Append => match model {
                Value::Array(items) if !arguments.is_empty() => {
                    let added = json(&values)?;
                    evaluation.budget.spend_copy(model)?;
                    Ok(Cow::Owned(items.iter().chain(added).cloned().collect()))
                }
                _ => Ok(Cow::Borrowed(model)),
            },
            Function::First => element(model, |_| Ok(0)),
            Function::Last => element(model, |_| Ok(-1)),
            Function::Index => element(model, |_| index_argument(&json(&values)?)),
            Function::Avg | Function::Stddev | Function::Sum | Function::Min | Function::Max => {
                Ok(Cow::Owned(self.aggregate(&numbers(model, &json(&values)?))?))
            }
        }
    }

    fn aggregate(self, numbers: &[f64]) -> Result<Value, Fail> {
        if numbers.is_empty() {
            return Err(nothing_to_aggregate());
        }
        let count = numbers.len() as f64;
        let sum: f64 = numbers.iter().sum();
        let result = match self {
            Function::Sum => sum,
            Function::Min => numbers.iter().copied().fold(f64::MAX, f64::min),
            // Jayway begins at Java's `Double.MIN_VALUE`, the smallest number above zero.
            Function::Max => numbers.iter().copied().fold(f64::from_bits(1), f64::max),
            Function::Stddev => {
                let squares: f64 = numbers.iter().map(|number| number * number).sum();
                (squares / count - sum * sum / count / count).sqrt()
            }
            _ => sum / count,
        };
        // Jackson writes what JSON has no number for as a text.
        Ok(Number::from_f64(result).map_or_else(|| Value::String(java::double(result)), Value::Number))
    }
}

fn nothing_to_aggregate() -> Fail {
    Fail::Failed("Aggregation function attempted to calculate value using empty array".to_owned())
}

type Evaluated = Vec<Result<Value, String>>;

/// Paths are evaluated whether the function looks at them or not; JSON that is none fails only when it is looked at.
fn values(evaluation: &Evaluation<'_>, arguments: &[Argument]) -> Result<Evaluated, Fail> {
    arguments
        .iter()
        .map(|argument| match argument {
            Argument::Json(value) => Ok(value.clone()),
            Argument::Path(path) | Argument::Children { path, .. } => {
                let found = evaluation.of(path, evaluation.root)?;
                found.iter().try_for_each(|value| evaluation.budget.spend_copy(value))?;
                Ok(Ok(found.into_value()))
            }
        })
        .collect()
}

fn json(values: &Evaluated) -> Result<Vec<&Value>, Fail> {
    values.iter().map(|value| value.as_ref().map_err(|message| Fail::Failed(message.clone()))).collect()
}

/// How many children a value has; with a path as its argument, how many things the path with a `[*]` behind it finds. If
/// that path is definite its last find is looked at instead, and if that is no list, the value after all.
fn length(evaluation: &Evaluation<'_>, model: &Value, arguments: &[Argument]) -> Result<Value, Fail> {
    let cache = Cache::default();
    let counted = match arguments.first() {
        None => None,
        Some(Argument::Json(_)) => return Err(Fail::Failed("The argument of length() must be a path".to_owned())),
        Some(_) if model.is_null() => return Err(Fail::Failed("root can not be null".to_owned())),
        Some(Argument::Path(path) | Argument::Children { children: path, .. }) => {
            match evaluation.rooted(model, &cache).of(path, model)? {
                Found::One(value) => value.as_array().map(Vec::len),
                Found::Many(values) => Some(values.len()),
            }
        }
    };
    let own = || match model {
        Value::Array(items) => Some(items.len()),
        Value::Object(members) => Some(members.len()),
        _ => None,
    };
    Ok(counted.or_else(own).map_or(Value::Null, Value::from))
}

fn concat(model: &Value, arguments: &[Argument], values: &[&Value]) -> String {
    let mut text = String::new();
    for item in model.as_array().into_iter().flatten() {
        text.push_str(item.as_str().unwrap_or_default());
    }
    for (argument, value) in arguments.iter().zip(values) {
        match value {
            // The keys of an object are no list in Java.
            keys if matches!(argument, Argument::Path(path) if path.gives_keys()) => text.push_str(&java::text(keys)),
            Value::Array(items) => {
                items.iter().filter(|item| !item.is_null()).for_each(|item| text.push_str(&java::text(item)));
            }
            Value::Null => {}
            other => text.push_str(&java::text(other)),
        }
    }
    text
}

fn numbers(model: &Value, arguments: &[&Value]) -> Vec<f64> {
    let mut numbers: Vec<f64> = model.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
    for argument in arguments {
        match argument {
            Value::Array(items) => numbers.extend(items.iter().filter_map(Value::as_f64)),
            other => numbers.extend(other.as_f64()),
        }
    }
    numbers
}

fn index_argument(arguments: &[&Value]) -> Result<i64, Fail> {
    let number = arguments.iter().flat_map(|argument| match argument {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(*other),
    });
    match number.filter_map(Value::as_f64).next() {
        Some(number) => Ok(number as i64),
        None => Err(Fail::OutOfBounds("Index 0 out of bounds for length 0".to_owned())),
    }
}

fn element<'m>(model: &'m Value, index: impl Fn(()) -> Result<i64, Fail>) -> Result<Cow<'m, Value>, Fail> {
    let Value::Array(items) = model else {
        return Err(nothing_to_aggregate());
    };
    let (index, length) = (index(())?, items.len());
    let place = if index >= 0 { index } else { length as i64 + index };
    // Jayway does not reach the first element from the end.
    if index < 0 && place <= 0 {
        return Err(Fail::Failed(format!("Target index:{index} larger than object count:{length}")));
    }
    usize::try_from(place)
        .ok()
        .and_then(|place| items.get(place))
        .map(Cow::Borrowed)
        .ok_or_else(|| Fail::OutOfBounds(format!("Index {index} out of bounds for length {length}")))
}
