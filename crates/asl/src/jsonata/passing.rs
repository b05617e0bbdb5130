//! Expressions that only pass a value on: `$states.input`, `$states.result.order.id`, `$name`, `$name.a`.
//!
//! They are most of what state machines say, and need no engine: a whole payload is handed on as a pointer, a part of
//! it is copied as it stands, so whole numbers stay exact. As soon as an array lies on the way, or anything else is
//! not plain, the engine decides.

use std::sync::Arc;

use jlens_core::{Node, NodeKind};
use serde_json::Value;

use super::{STATES, Scope, States, numbers};
use crate::Payload;

/// A variable and the fields to follow in it.
#[derive(Debug)]
pub(super) struct Passing {
    from: From,
    fields: Vec<Arc<str>>,
}

#[derive(Debug)]
enum From {
    Input,
    Result,
    ErrorOutput,
    Context,
    Variable(Arc<str>),
}

pub(super) enum Passed {
    Value(Option<Payload>),
    /// Only the engine knows.
    Unsure,
}

impl Passing {
    /// Whether the expression is of this kind.
    pub(super) fn of(root: &Node) -> Option<Passing> {
        let steps = match &root.kind {
            NodeKind::Variable { .. } => std::slice::from_ref(root),
            NodeKind::Path { steps, keep_singleton_array: false } if is_plain(root) => steps,
            _ => return None,
        };
        let (first, rest) = steps.split_first()?;
        let NodeKind::Variable { name } = &first.kind else { return None };
        if !is_plain(first) || matches!(name.as_str(), "" | "$") || super::functions::is_function(name) {
            return None;
        }
        let mut fields = rest.iter().map(|step| match &step.kind {
            NodeKind::Name { name } if is_plain(step) => Some(Arc::from(name.as_str())),
            _ => None,
        });
        let from = if name == STATES {
            match &*fields.next()?? {
                "input" => From::Input,
                "result" => From::Result,
                "errorOutput" => From::ErrorOutput,
                "context" => From::Context,
                _ => return None,
            }
        } else {
            From::Variable(name.as_str().into())
        };
        Some(Passing { from, fields: fields.collect::<Option<Vec<_>>>()? })
    }

    pub(super) fn evaluate(&self, scope: &Scope<'_>) -> Passed {
        if let From::Variable(name) = &self.from {
            if self.fields.is_empty() {
                return Passed::Value(scope.variables.payload(name));
            }
            return self.follow(scope.variables.get(name));
        }
        let Some(states) = &scope.states else { return Passed::Unsure };
        let payload = match &self.from {
            From::Context => return self.context(states),
            From::Input => Some(states.input),
            From::Result => states.result,
            From::ErrorOutput => states.error_output,
            From::Variable(_) => None,
        };
        match payload {
            Some(payload) if self.fields.is_empty() => Passed::Value(Some(payload.clone())),
            Some(payload) => self.follow(Some(payload.value())),
            None => Passed::Value(None),
        }
    }

    fn context(&self, states: &States<'_>) -> Passed {
        let context = match self.fields.as_slice() {
            [] => states.context.whole(),
            [first, rest @ ..] if &**first != "Execution" || rest.first().is_some_and(|field| &**field != "Input") => {
                states.context.without_input()
            }
            _ => states.context.value(),
        };
        self.follow(Some(context))
    }

    fn follow(&self, start: Option<&Value>) -> Passed {
        let mut found = start;
        for field in &self.fields {
            found = match found {
                Some(Value::Object(object)) => object.get(&**field),
                Some(Value::Array(_)) => return Passed::Unsure,
                _ => None,
            };
        }
        Passed::Value(found.map(|value| {
            let mut value = value.clone();
            numbers::settle(&mut value);
            Payload::from(value)
        }))
    }
}

/// A node without filters, grouping, bindings or flags.
fn is_plain(node: &Node) -> bool {
    let attrs = &node.attrs;
    !(attrs.keep_array || attrs.cons_array || attrs.tuple)
        && attrs.focus.is_none()
        && attrs.index.is_none()
        && attrs.stages.is_empty()
        && attrs.predicate.is_empty()
        && attrs.group.is_none()
        && attrs.ancestor.is_none()
        && attrs.ancestor_label.is_none()
        && attrs.seeking_parent.is_empty()
}
