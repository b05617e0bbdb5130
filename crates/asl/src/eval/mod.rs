//! What a [`Program`](crate::Program) describes, evaluated: paths, payload templates, intrinsic functions, choice
//! rules, the numbers and instants that fields find in data.
//!
//! An evaluation is a function of its [`Env`] alone. Time never comes in, chance only as [`Draws`], and the context
//! object is asked for only when a `$$` path is met. Large documents are borrowed, not copied: `$` and a literal
//! template hand on a pointer. What AWS says when an evaluation fails stands in `error.rs`, whole and once.

mod amount;
mod choice;
pub mod error;
mod format;
mod functions;
mod intrinsic;
mod jackson;
pub(crate) mod java;
mod lookup;
mod matches;
mod query;
mod selection;
mod template;
pub mod wait;

use serde_json::Value;

pub use error::EvalError;
pub use functions::{MAX_RANGE_ITEMS, MAX_TEXT_CHARS};
pub use query::{QueryEnv, QueryError};
pub use wait::WaitFor;

use crate::{Payload, payload};

/// Data that programs build up, level by level, must stay readable.
fn within_depth(made: Payload) -> Result<Payload, EvalError> {
    if made.depth() > payload::MAX_DEPTH { Err(EvalError::too_deep()) } else { Ok(made) }
}

/// What an expression sees of the world.
pub struct Env<'a> {
    /// What `$` is: the effective input, or the result for a `ResultSelector`.
    pub input: &'a Payload,
    /// What `$$` is.
    pub context: &'a dyn Context,
    /// What `$name` is.
    pub variables: &'a dyn Variables,
    /// Where `States.UUID` and `States.MathRandom` get their chance from.
    pub draws: &'a mut dyn Draws,
}

/// The context object, made when the first `$$` path asks for it.
pub trait Context {
    fn value(&self) -> &Value;

    /// The same for one path, as the definition wrote it: what it does not lead to may be left out, because a Map whose
    /// every iteration copied the execution's whole input would take the square of its items' time.
    fn value_at(&self, _path: &str) -> &Value {
        self.value()
    }

    /// The same for who does not look at the execution's input.
    fn without_input(&self) -> &Value {
        self.value()
    }

    /// What `$$` alone copies; AWS leaves things out there that a path into it finds.
    fn whole(&self) -> &Value {
        self.value()
    }
}

/// A context object that is there already.
impl Context for Value {
    fn value(&self) -> &Value {
        self
    }
}

/// The workflow variables that are visible in a state.
pub trait Variables {
    fn get(&self, name: &str) -> Option<&Value>;

    /// The variable as it is handed on whole. Whoever keeps payloads gives a pointer; otherwise it is a copy.
    fn payload(&self, name: &str) -> Option<Payload> {
        self.get(name).map(|value| Payload::from(value.clone()))
    }
}

/// No variables at all.
pub struct NoVariables;

impl Variables for NoVariables {
    fn get(&self, _name: &str) -> Option<&Value> {
        None
    }
}

/// The only source of chance. The same log must give the same draws.
pub trait Draws {
    fn next(&mut self) -> u128;
}

/// Draws from a function.
impl<F: FnMut() -> u128> Draws for F {
    fn next(&mut self) -> u128 {
        self()
    }
}
