//! Calls of intrinsic functions: arguments are evaluated from left to right, innermost first.
//!
//! Errors name the whole expression as the definition wrote it, however deep the call that failed, and the function
//! that failed (both recorded).

use std::borrow::Cow;

use serde_json::Value;

use super::functions::{self, Refusal};
use super::{Env, EvalError, format, java, lookup};
use crate::{Argument, Dynamic, Function, Intrinsic};

impl Dynamic {
    /// The value behind a `.$` field, an `ErrorPath` or a `CausePath`; `field` is the name that error texts quote.
    pub fn evaluate<'a>(&self, field: &str, env: &mut Env<'a>) -> Result<Cow<'a, Value>, EvalError> {
        match self {
            Dynamic::Path(path) => lookup::in_template(path, field, env),
            Dynamic::Intrinsic(call) => call.evaluate(env),
        }
    }

    /// As the definition wrote it.
    pub fn text(&self) -> &str {
        match self {
            Dynamic::Path(path) => &path.text,
            Dynamic::Intrinsic(call) => &call.text,
        }
    }
}

impl Intrinsic {
    pub fn evaluate<'a>(&self, env: &mut Env<'a>) -> Result<Cow<'a, Value>, EvalError> {
        evaluate(self, &self.text, env)
    }
}

/// `whole` is the expression that errors quote.
fn evaluate<'a>(call: &Intrinsic, whole: &str, env: &mut Env<'a>) -> Result<Cow<'a, Value>, EvalError> {
    let mut arguments = Vec::with_capacity(call.arguments.len());
    for argument in &call.arguments {
        arguments.push(match argument {
            Argument::Literal(value) => Cow::Owned(value.clone()),
            Argument::Path(path) => lookup::in_call(path, whole, env)?,
            Argument::Call(inner) => evaluate(inner, whole, env)?,
        });
    }
    let outcome = match call.function {
        Function::Format => fill(call, &arguments),
        function => functions::call(function, arguments, env.draws),
    };
    outcome.map_err(|refusal| EvalError::intrinsic(whole, &refusal.text(call.function)))
}

/// `States.Format`. What `States.StringToJson` made is shown as JSON, all else as Java shows it (recorded).
fn fill<'a>(call: &Intrinsic, arguments: &[Cow<'a, Value>]) -> Result<Cow<'a, Value>, Refusal> {
    let Some((template, rest)) = arguments.split_first() else { return Err(Refusal::Arguments) };
    let template = template.as_str().ok_or(Refusal::Arguments)?;
    let texts = call.arguments.iter().skip(1).zip(rest).map(|(argument, value)| match argument {
        Argument::Call(inner) if inner.function == Function::StringToJson => Cow::Owned(java::json_text(value)),
        _ => format::shown(value),
    });
    let texts: Vec<Cow<'_, str>> = texts.collect();
    format::fill(template, texts.into_iter()).map(Cow::Owned)
}
