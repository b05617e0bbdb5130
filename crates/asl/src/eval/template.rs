//! Payload templates: `Parameters`, `ResultSelector`, `ItemSelector`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Env, EvalError};
use crate::{Assign, Payload, Template};

impl Template {
    /// The payload it makes. A literal is handed on as a pointer.
    pub fn evaluate(&self, env: &mut Env<'_>) -> Result<Payload, EvalError> {
        match self {
            Template::Literal(payload) => Ok(payload.clone()),
            made => super::within_depth(Payload::from(made.value(env)?)),
        }
    }

    /// Fields are evaluated in the order in which the template has them.
    fn value(&self, env: &mut Env<'_>) -> Result<Value, EvalError> {
        match self {
            Template::Literal(payload) => Ok(payload.value().clone()),
            Template::Array(items) => items.iter().map(|item| item.value(env)).collect(),
            Template::Dynamic { field, value } => Ok(value.evaluate(field, env)?.into_owned()),
            Template::Object(fields) => {
                let mut object = Map::with_capacity(fields.len());
                for (name, field) in fields {
                    let name: &str = match field {
                        Template::Dynamic { field, .. } => field.strip_suffix(".$").unwrap_or(name),
                        _ => name,
                    };
                    object.insert(name.to_owned(), field.value(env)?);
                }
                Ok(Value::Object(object))
            }
        }
    }
}

impl Assign {
    /// The variables of a JSONPath state, in the order of writing. All are evaluated before one is set, so each sees
    /// the values from before; `$` is the state's result, or its effective input where it has none.
    pub fn evaluate(&self, env: &mut Env<'_>) -> Result<Vec<(Arc<str>, Payload)>, EvalError> {
        let Assign::Templates(variables) = self else { return Ok(Vec::new()) };
        variables.iter().map(|(name, value)| Ok((name.clone(), value.evaluate(env)?))).collect()
    }
}
