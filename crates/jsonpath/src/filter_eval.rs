//! Does a filter hold for an item? Its paths are evaluated here; what they lead to from `$` is the same for every item
//! and is kept, so that `$.items[?(@.id in $.wanted[*].id)]` does not look for the wanted ones again and again.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::Value;

use crate::compare::{self, Elements, Json, Side, elements};
use crate::decimal::Decimal;
use crate::error::Fail;
use crate::eval::Evaluation;
use crate::filter::{Expression, Filter, Operand, Relation};
use crate::java;
use crate::token::Path;

/// What the filters' paths from `$` have led to, by the path's place in memory: the paths outlive the evaluation.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    values: RefCell<HashMap<(*const Path, bool), Rc<Kept>>>,
}

#[derive(Debug)]
pub(crate) struct Kept {
    /// `None`: the path leads to nothing.
    value: Option<Value>,
    elements: OnceCell<Elements>,
}

/// A value that a comparison holds on to while its sides borrow from it.
enum Held<'i> {
    Operand(&'i Operand),
    Item(Cow<'i, Value>),
    Kept(Rc<Kept>),
    Undefined,
}

impl Filter {
    pub(crate) fn accepts(&self, evaluation: &Evaluation<'_>, item: &Value) -> Result<bool, Fail> {
        evaluation.budget.spend(1)?;
        match holds(&self.expression, &evaluation.filtering(false), item) {
            Err(Fail::NotFound(_) | Fail::Invalid(_)) => Ok(false),
            result => result,
        }
    }
}

fn holds(expression: &Expression, evaluation: &Evaluation<'_>, item: &Value) -> Result<bool, Fail> {
    match expression {
        Expression::Or(parts) => {
            for part in parts {
                if holds(part, evaluation, item)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Expression::And(parts) => {
            for part in parts {
                if !holds(part, evaluation, item)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Expression::Not(part) => holds(part, evaluation, item).map(|holds| !holds),
        Expression::Exists { path, wanted } => Ok(exists(path, &evaluation.filtering(true), item)? == *wanted),
        Expression::Relation(relation) => {
            let Relation { left, operator, right } = &**relation;
            let (left, right) = (held(left, evaluation, item)?, held(right, evaluation, item)?);
            compare::holds(evaluation, &left.side(), *operator, &right.side())
        }
    }
}

/// Jayway starts even a path from `$` at the item when it only asks whether something is there.
fn exists(path: &Path, evaluation: &Evaluation<'_>, item: &Value) -> Result<bool, Fail> {
    match evaluation.of(path, item) {
        Ok(_) => Ok(true),
        Err(Fail::NotFound(_)) => Ok(false),
        Err(fail) => Err(fail),
    }
}

fn held<'i>(operand: &'i Operand, evaluation: &Evaluation<'_>, item: &'i Value) -> Result<Held<'i>, Fail> {
    let Operand::Path(path) = operand else {
        return Ok(Held::Operand(operand));
    };
    if path.from_document {
        return kept(path, evaluation).map(Held::Kept);
    }
    match evaluation.of(path, item) {
        Ok(found) => {
            let value = found.into_cow();
            comparable(path, &value)?;
            Ok(Held::Item(value))
        }
        Err(Fail::NotFound(_)) => Ok(Held::Undefined),
        Err(fail) => Err(fail),
    }
}

fn kept(path: &Path, evaluation: &Evaluation<'_>) -> Result<Rc<Kept>, Fail> {
    let key = (std::ptr::from_ref(path), evaluation.required);
    if let Some(kept) = evaluation.cache.values.borrow().get(&key) {
        return Ok(Rc::clone(kept));
    }
    let value = match evaluation.of(path, evaluation.root) {
        Ok(found) => {
            found.iter().try_for_each(|value| evaluation.budget.spend_copy(value))?;
            let value = found.into_value();
            comparable(path, &value)?;
            Some(value)
        }
        Err(Fail::NotFound(_)) => None,
        Err(fail) => return Err(fail),
    };
    let kept = Rc::new(Kept { value, elements: OnceCell::new() });
    evaluation.cache.values.borrow_mut().insert(key, Rc::clone(&kept));
    Ok(kept)
}

/// The keys of an object are a set in Java, and no filter compares a set.
fn comparable(path: &Path, value: &Value) -> Result<(), Fail> {
    if !(path.gives_keys() && value.is_array()) {
        return Ok(());
    }
    let (class, keys) = (java::KEYS, java::excerpt(value));
    Err(Fail::Failed(format!("Could not convert class {class}:{keys} to a ValueNode")))
}

impl Held<'_> {
    fn side(&self) -> Side<'_> {
        match self {
            Held::Undefined => Side::Undefined,
            Held::Item(value) => side(value, None),
            Held::Kept(kept) => match &kept.value {
                None => Side::Undefined,
                Some(value) => {
                    let list = value.as_array().map(|items| kept.elements.get_or_init(|| elements(items)));
                    side(value, list)
                }
            },
            Held::Operand(operand) => match operand {
                Operand::Path(_) => Side::Undefined,
                Operand::Text(text) => Side::Text(text),
                Operand::Number(number) => Side::Number(Cow::Borrowed(number)),
                Operand::Bool(bool) => Side::Bool(*bool),
                Operand::Null => Side::Null,
                Operand::Pattern(pattern) => Side::Pattern(pattern),
                Operand::Json(literal) => {
                    let items = literal.value.as_ref().and_then(Value::as_array);
                    let list = items.map(|items| literal.elements.get_or_init(|| elements(items)));
                    Side::Json(Json { value: literal.value.as_ref(), text: Some(&literal.text), elements: list })
                }
            },
        }
    }
}

fn side<'v>(value: &'v Value, elements: Option<&'v Elements>) -> Side<'v> {
    match value {
        Value::Null => Side::Null,
        Value::Bool(bool) => Side::Bool(*bool),
        Value::String(text) => Side::Text(text),
        Value::Number(number) => Side::Number(Cow::Owned(Decimal::of(number))),
        Value::Array(_) | Value::Object(_) => Side::Json(Json { value: Some(value), text: None, elements }),
    }
}
