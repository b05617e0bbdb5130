//! A path on its document: the input, the context object or a variable.
//!
//! Each field has its own sentence for a path that finds nothing, and payload templates are milder than other fields:
//! there a path to many places that finds none is `[]`, and an index beyond the end of an array is null (recorded).

use std::borrow::Cow;

use jsonpath::{Found, Head, JsonPath, PathError, PathErrorKind};
use serde_json::Value;

use super::{Env, EvalError, java};
use crate::{Path, Payload};

/// What the path finds, `$` being `data`.
pub(crate) fn find<'d, 'a: 'd>(path: &Path, data: &'d Payload, env: &Env<'a>) -> Result<Cow<'d, Value>, PathError> {
    // The context object as a whole is not quite what paths into it find.
    if path.head == Head::Context && path.text.trim() == "$$" {
        return Ok(Cow::Borrowed(env.context.whole()));
    }
    if path.head == Head::Context {
        return evaluate(&path.path, env.context.value_at(&path.text));
    }
    evaluate(&path.path, document(&path.head, data, env)?)
}

/// Whether the path leads to one place.
pub(crate) fn is_definite(path: &Path) -> bool {
    path.path.is_definite()
}

fn evaluate<'d>(path: &JsonPath, document: &'d Value) -> Result<Cow<'d, Value>, PathError> {
    path.eval(document).map(Found::into_cow)
}

fn document<'d, 'a: 'd>(head: &Head, data: &'d Payload, env: &Env<'a>) -> Result<&'d Value, PathError> {
    match head {
        Head::Input => Ok(data.value()),
        Head::Context => Ok(env.context.value()),
        Head::Variable(name) => env.variables.get(name).ok_or_else(|| PathError {
            kind: PathErrorKind::NotFound,
            message: format!("No results for path: $['{name}']"),
        }),
    }
}

/// A path behind a `.$` field, an `ErrorPath` or a `CausePath`.
pub(crate) fn in_template<'a>(path: &Path, field: &str, env: &Env<'a>) -> Result<Cow<'a, Value>, EvalError> {
    refuse_null_input(path, env)?;
    match find(path, env.input, env) {
        Ok(value) => Ok(value),
        Err(error) if !error.is_not_found() => Err(EvalError::runtime(error.message)),
        Err(_) if !is_definite(path) => Ok(Cow::Owned(Value::Array(Vec::new()))),
        Err(_) if is_beyond_the_end(path, env) => Ok(Cow::Owned(Value::Null)),
        Err(_) => {
            let searched = match path.head {
                Head::Context => Cow::Owned(java::json_text(env.context.value())),
                Head::Input | Head::Variable(_) => Cow::Borrowed(&**env.input.text()),
            };
            Err(EvalError::not_in_input(&path.text, field, &searched))
        }
    }
}

/// A path among the arguments of an intrinsic; `call` is the whole expression as written.
pub(crate) fn in_call<'a>(path: &Path, call: &str, env: &Env<'a>) -> Result<Cow<'a, Value>, EvalError> {
    refuse_null_input(path, env)?;
    match find(path, env.input, env) {
        Ok(value) => Ok(value),
        Err(error) if error.is_not_found() && !is_definite(path) => Ok(Cow::Owned(Value::Array(Vec::new()))),
        // Recorded: here AWS lets the words of its JSONPath library through.
        Err(error) if !error.is_not_found() || error.message.contains("can only be applied to arrays") => {
            Err(EvalError::broken_argument(call, &error.message))
        }
        Err(_) => Err(EvalError::argument_not_in_input(call, applied(path), env.input.text())),
    }
}

/// A path as it is applied to its document: `$$.a` to the context object as `$.a`.
pub(crate) fn applied(path: &Path) -> &str {
    match path.head {
        Head::Context => path.text.trim().strip_prefix('$').unwrap_or(&path.text),
        Head::Input | Head::Variable(_) => &path.text,
    }
}

fn refuse_null_input(path: &Path, env: &Env<'_>) -> Result<(), EvalError> {
    match path.head {
        Head::Input if env.input.value().is_null() => Err(EvalError::null_input()),
        _ => Ok(()),
    }
}

/// Whether the path ends in an index that only the array's length forbids.
fn is_beyond_the_end(path: &Path, env: &Env<'_>) -> bool {
    let split = applied(path).trim().strip_suffix(']').and_then(|text| text.rsplit_once('['));
    let Some((array, index)) = split else { return false };
    if index.trim().parse::<i64>().is_err() {
        return false;
    }
    // The head stays: only the last step is taken off.
    let array = match &path.head {
        Head::Variable(name) => array.replacen(&format!("${name}"), "$", 1),
        Head::Input | Head::Context => array.to_owned(),
    };
    let (Ok(array), Ok(document)) = (JsonPath::parse(&array), document(&path.head, env.input, env)) else {
        return false;
    };
    evaluate(&array, document).is_ok_and(|value| value.is_array())
}
