//! Expressions that only pass a value on: `$states.input`, `$states.result.order.id`, `$name`, `$name.lines[0].price`.
//!
//! They are most of what state machines say, and need no engine: a whole payload is handed on as a pointer, a part of
//! it is copied as it stands, so whole numbers stay exact. As soon as a path leads through an array otherwise than to
//! one of its items, or anything else is not plain, the engine decides.

use std::sync::Arc;

use jlens_core::ast::Stage;
use jlens_core::{Node, NodeKind};
use serde_json::Value;

use super::{STATES, Scope, States, numbers};
use crate::Payload;

/// A variable and the way to follow in it.
#[derive(Debug)]
pub(super) struct Passing {
    from: From,
    way: Vec<Step>,
}

/// A field, and the item of the array that it holds.
#[derive(Debug)]
struct Step {
    field: Arc<str>,
    item: Option<i64>,
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
        let mut way = rest.iter().map(Step::of);
        let from = if name == STATES {
            let Step { field, item: None } = way.next()?? else { return None };
            match &*field {
                "input" => From::Input,
                "result" => From::Result,
                "errorOutput" => From::ErrorOutput,
                "context" => From::Context,
                _ => return None,
            }
        } else {
            From::Variable(name.as_str().into())
        };
        Some(Passing { from, way: way.collect::<Option<Vec<_>>>()? })
    }

    pub(super) fn evaluate(&self, scope: &Scope<'_>) -> Passed {
        if let From::Variable(name) = &self.from {
            if self.way.is_empty() {
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
            Some(payload) if self.way.is_empty() => Passed::Value(Some(payload.clone())),
            Some(payload) => self.follow(Some(payload.value())),
            None => Passed::Value(None),
        }
    }

    fn context(&self, states: &States<'_>) -> Passed {
        let context = match self.way.as_slice() {
            [] => states.context.whole(),
            [first, rest @ ..]
                if &*first.field != "Execution" || rest.first().is_some_and(|step| &*step.field != "Input") =>
            {
                states.context.without_input()
            }
            _ => states.context.value(),
        };
        self.follow(Some(context))
    }

    fn follow(&self, start: Option<&Value>) -> Passed {
        let mut found = start;
        for step in &self.way {
            found = match found {
                Some(Value::Object(object)) => object.get(&*step.field),
                Some(Value::Array(_)) => return Passed::Unsure,
                _ => None,
            };
            let Some(place) = step.item else { continue };
            found = match found {
                // Of an array within an array the engine makes a sequence.
                Some(Value::Array(items)) => match at(items, place) {
                    Some(Value::Array(_)) => return Passed::Unsure,
                    item => item,
                },
                // Anything else is the only item of itself.
                alone => alone.filter(|_| matches!(place, 0 | -1)),
            };
        }
        Passed::Value(found.map(|value| {
            let mut value = value.clone();
            numbers::settle(&mut value);
            Payload::from(value)
        }))
    }
}

impl Step {
    /// A name, with a whole number behind it or nothing.
    fn of(node: &Node) -> Option<Step> {
        let NodeKind::Name { name } = &node.kind else { return None };
        let item = match &node.attrs.stages[..] {
            [] => None,
            [Stage::Filter { expr, .. }] => match expr.kind {
                #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
                NodeKind::Number { value } if value.fract() == 0.0 && value.abs() < 1e9 && is_plain(expr) => {
                    Some(value as i64)
                }
                _ => return None,
            },
            _ => return None,
        };
        has_plain_attributes(node).then(|| Step { field: name.as_str().into(), item })
    }
}

/// An item by its place; a negative one counts from the end.
fn at(items: &[Value], place: i64) -> Option<&Value> {
    let place = if place < 0 { place + i64::try_from(items.len()).ok()? } else { place };
    items.get(usize::try_from(place).ok()?)
}

/// A node without filters, grouping, bindings or flags.
fn is_plain(node: &Node) -> bool {
    node.attrs.stages.is_empty() && has_plain_attributes(node)
}

/// The same with filters.
fn has_plain_attributes(node: &Node) -> bool {
    let attrs = &node.attrs;
    !(attrs.keep_array || attrs.cons_array || attrs.tuple)
        && attrs.focus.is_none()
        && attrs.index.is_none()
        && attrs.predicate.is_empty()
        && attrs.group.is_none()
        && attrs.ancestor.is_none()
        && attrs.ancestor_label.is_none()
        && attrs.seeking_parent.is_empty()
}
