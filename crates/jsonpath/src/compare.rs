//! What the operators of a filter answer. Jayway's rules are looser than they look: a number equals the text that writes
//! it, a list in a filter equals nothing on its right, and an element of a list that looks like a path or like JSON is
//! one. An `InvalidPathException` means that the whole filter does not hold; see `Fail::Invalid`.

use std::borrow::Cow;
use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value;

use crate::cursor::unescape;
use crate::decimal::Decimal;
use crate::error::Fail;
use crate::eval::Evaluation;
use crate::filter::Operator;
use crate::limits::{COMPARED_PER_STEP, MAX_PATH_CHARS};
use crate::{literal, parse};

/// One side of a comparison once its path is evaluated.
#[derive(Debug)]
pub(crate) enum Side<'v> {
    /// The path led to nothing.
    Undefined,
    Null,
    Bool(bool),
    Text(&'v str),
    Number(Cow<'v, Decimal>),
    Json(Json<'v>),
    Pattern(&'v Regex),
}

/// A list or an object.
#[derive(Debug)]
pub(crate) struct Json<'v> {
    /// `None`: the filter's text for it is no JSON.
    pub(crate) value: Option<&'v Value>,
    /// How the filter writes it, if it is the filter's.
    pub(crate) text: Option<&'v str>,
    /// Its elements, if somebody keeps them.
    pub(crate) elements: Option<&'v Elements>,
}

/// The elements of a list as sides of a comparison; an error if one of them cannot be compared with anything.
pub(crate) type Elements = Result<Vec<Element>, String>;

#[derive(Debug, Clone)]
pub(crate) enum Element {
    Null,
    Bool(bool),
    Text(String),
    Number(Decimal),
    /// A text that is JSON.
    Json(String),
    /// A text that is a path, which is not evaluated and equals nothing.
    Path,
}

pub(crate) fn holds(
    evaluation: &Evaluation<'_>,
    left: &Side<'_>,
    operator: Operator,
    right: &Side<'_>,
) -> Result<bool, Fail> {
    let order = |accepted: &[Ordering]| Ok(order(left, right).is_some_and(|order| accepted.contains(&order)));
    match operator {
        Operator::Equal => equal(left, right),
        Operator::NotEqual => equal(left, right).map(|equal| !equal),
        Operator::SameTypeEqual => Ok(same_type(left, right) && equal(left, right)?),
        Operator::SameTypeNotEqual => Ok(!(same_type(left, right) && equal(left, right)?)),
        Operator::Less => order(&[Ordering::Less]),
        Operator::LessOrEqual => order(&[Ordering::Less, Ordering::Equal]),
        Operator::Greater => order(&[Ordering::Greater]),
        Operator::GreaterOrEqual => order(&[Ordering::Greater, Ordering::Equal]),
        Operator::Matches => matches(evaluation, left, right),
        Operator::In => is_in(evaluation, left, right),
        Operator::NotIn => is_in(evaluation, left, right).map(|is_in| !is_in),
        Operator::Contains => contains(evaluation, left, right),
        Operator::Size => Ok(size(left, right)),
        Operator::Empty => empty(left, right),
        Operator::SubsetOf => lists(evaluation, left, right, |left, right| {
            left.iter().all(|element| right.iter().any(|other| element.equals(other)))
        }),
        Operator::AnyOf => lists(evaluation, left, right, share_an_element),
        Operator::NoneOf => lists(evaluation, left, right, |left, right| !share_an_element(left, right)),
        Operator::Exists => match (left, right) {
            (Side::Bool(left), Side::Bool(right)) => Ok(left == right),
            (Side::Bool(_), _) | (_, Side::Bool(_)) => Err(expected("boolean")),
            _ => Err(Fail::Failed("Failed to evaluate exists expression".to_owned())),
        },
        Operator::All => Err(expected("value list")),
        Operator::Type => Err(expected("class")),
        Operator::Predicate => Err(expected("predicate")),
    }
}

fn expected(node: &str) -> Fail {
    Fail::Invalid(format!("Expected {node} node"))
}

fn equal(left: &Side<'_>, right: &Side<'_>) -> Result<bool, Fail> {
    Ok(match (left, right) {
        (Side::Json(left), Side::Json(right)) => {
            let other = right.value()?;
            // The text of a list on the left is compared with a value on the right: never the same.
            left.text.is_none() && left.value == Some(other)
        }
        (Side::Null, Side::Null) => true,
        (Side::Bool(left), Side::Bool(right)) => left == right,
        (Side::Text(left), Side::Text(right)) => left == right,
        (Side::Text(left), Side::Number(right)) => *left == right.to_string(),
        (Side::Number(left), Side::Text(right)) => {
            Decimal::parse(right).is_some_and(|right| left.compare(&right) == Ordering::Equal)
        }
        (Side::Number(left), Side::Number(right)) => left.compare(right) == Ordering::Equal,
        _ => false,
    })
}

fn same_type(left: &Side<'_>, right: &Side<'_>) -> bool {
    std::mem::discriminant(left) == std::mem::discriminant(right)
}

fn order(left: &Side<'_>, right: &Side<'_>) -> Option<Ordering> {
    match (left, right) {
        (Side::Number(left), Side::Number(right)) => Some(left.compare(right)),
        (Side::Text(left), Side::Text(right)) => Some(left.encode_utf16().cmp(right.encode_utf16())),
        _ => None,
    }
}

fn matches(evaluation: &Evaluation<'_>, left: &Side<'_>, right: &Side<'_>) -> Result<bool, Fail> {
    let (pattern, side) = match (left, right) {
        (Side::Pattern(_), Side::Pattern(_)) => return Ok(false),
        (Side::Pattern(pattern), side) | (side, Side::Pattern(pattern)) => (pattern, side),
        _ => return Ok(false),
    };
    let text: Cow<'_, str> = match side {
        Side::Text(text) => Cow::Borrowed(text),
        Side::Number(number) => Cow::Owned(number.to_string()),
        Side::Bool(bool) => Cow::Owned(bool.to_string()),
        Side::Json(json) if json.value()?.is_array() => {
            let elements = json.elements(evaluation)?;
            return Ok(elements.unwrap_or_default().iter().any(|element| pattern.is_match(&element.input())));
        }
        _ => Cow::Borrowed(""),
    };
    evaluation.budget.spend(text.len() as u64 / COMPARED_PER_STEP)?;
    Ok(pattern.is_match(&text))
}

fn is_in(evaluation: &Evaluation<'_>, left: &Side<'_>, right: &Side<'_>) -> Result<bool, Fail> {
    let Side::Json(list) = right else {
        return Err(expected("value list"));
    };
    let elements = list.elements(evaluation)?;
    Ok(elements.unwrap_or_default().iter().any(|element| element.is_equal_to(left)))
}

fn contains(evaluation: &Evaluation<'_>, left: &Side<'_>, right: &Side<'_>) -> Result<bool, Fail> {
    match (left, right) {
        (Side::Text(left), Side::Text(right)) => Ok(left.contains(right)),
        (Side::Json(_), _) => is_in(evaluation, right, left),
        _ => Ok(false),
    }
}

fn size(left: &Side<'_>, right: &Side<'_>) -> bool {
    let Side::Number(expected) = right else {
        return false;
    };
    let size = match left {
        Side::Text(text) => text.encode_utf16().count() as i64,
        Side::Json(json) => json.value.and_then(Value::as_array).map_or(-1, |items| items.len() as i64),
        _ => return false,
    };
    expected.int_part() == Some(size)
}

fn empty(left: &Side<'_>, right: &Side<'_>) -> Result<bool, Fail> {
    let is_empty = match left {
        Side::Text(text) => text.is_empty(),
        Side::Json(json) => match json.value()? {
            Value::Array(items) => items.is_empty(),
            _ => return Err(Fail::Failed("An object cannot be compared with 'empty'".to_owned())),
        },
        _ => return Ok(false),
    };
    match right {
        Side::Bool(wanted) => Ok(is_empty == *wanted),
        _ => Err(expected("boolean")),
    }
}

/// Compares two lists; what is no list has no elements to speak of.
fn lists(
    evaluation: &Evaluation<'_>,
    left: &Side<'_>,
    right: &Side<'_>,
    test: impl Fn(&[Element], &[Element]) -> bool,
) -> Result<bool, Fail> {
    // The right side first: if it is an object, nobody asks what the left one is.
    let Some(right) = list(evaluation, right)? else {
        return Ok(false);
    };
    let Some(left) = list(evaluation, left)? else {
        return Ok(false);
    };
    evaluation.budget.spend(left.len() as u64 * right.len() as u64 / COMPARED_PER_STEP)?;
    Ok(test(&left, &right))
}

fn list<'v>(evaluation: &Evaluation<'_>, side: &Side<'v>) -> Result<Option<Cow<'v, [Element]>>, Fail> {
    match side {
        Side::Json(json) => json.elements(evaluation),
        _ => Err(expected("value list")),
    }
}

fn share_an_element(left: &[Element], right: &[Element]) -> bool {
    left.iter().any(|element| right.iter().any(|other| element.equals(other)))
}

impl<'v> Json<'v> {
    fn value(&self) -> Result<&'v Value, Fail> {
        self.value.ok_or_else(|| Fail::Failed(format!("{} is not JSON", self.text.unwrap_or_default())))
    }

    /// The elements of a list; `None` for an object.
    fn elements(&self, evaluation: &Evaluation<'_>) -> Result<Option<Cow<'v, [Element]>>, Fail> {
        let Value::Array(items) = self.value()? else {
            return Ok(None);
        };
        evaluation.budget.spend(items.len() as u64 / COMPARED_PER_STEP)?;
        let failed = |message: &String| Fail::Failed(message.clone());
        match self.elements {
            Some(Ok(elements)) => Ok(Some(Cow::Borrowed(elements))),
            Some(Err(message)) => Err(failed(message)),
            None => {
                evaluation.budget.spend_copy(self.value()?)?;
                elements(items).map(|elements| Some(Cow::Owned(elements))).map_err(|message| failed(&message))
            }
        }
    }
}

/// Reads the elements of a list.
pub(crate) fn elements(items: &[Value]) -> Elements {
    items.iter().map(Element::of).collect()
}

impl Element {
    fn of(value: &Value) -> Result<Element, String> {
        Ok(match value {
            Value::Null => Element::Null,
            Value::Bool(bool) => Element::Bool(*bool),
            Value::Number(number) => Element::Number(Decimal::of(number)),
            Value::String(text) if is_path(text) => Element::Path,
            Value::String(text) if is_json(text) => Element::Json(text.clone()),
            Value::String(text) => Element::Text(unquoted(text)?),
            Value::Array(_) | Value::Object(_) => return Err("Could not determine value type".to_owned()),
        })
    }

    fn side(&self) -> Side<'_> {
        match self {
            Element::Null => Side::Null,
            Element::Bool(bool) => Side::Bool(*bool),
            Element::Text(text) => Side::Text(text),
            Element::Number(number) => Side::Number(Cow::Borrowed(number)),
            Element::Json(text) => Side::Json(Json { value: None, text: Some(text), elements: None }),
            Element::Path => Side::Undefined,
        }
    }

    fn is_equal_to(&self, side: &Side<'_>) -> bool {
        match (side, self) {
            (Side::Json(json), Element::Json(text)) => json.text == Some(text),
            (Side::Json(_), _) | (_, Element::Json(_)) => false,
            _ => equal(side, &self.side()).unwrap_or(false),
        }
    }

    fn equals(&self, other: &Element) -> bool {
        other.is_equal_to(&self.side())
    }

    /// What a regular expression is tried on.
    fn input(&self) -> Cow<'_, str> {
        match self {
            Element::Text(text) => Cow::Borrowed(text),
            Element::Number(number) => Cow::Owned(number.to_string()),
            Element::Bool(bool) => Cow::Owned(bool.to_string()),
            Element::Null | Element::Json(_) | Element::Path => Cow::Borrowed(""),
        }
    }
}

fn is_path(text: &str) -> bool {
    let text = text.trim_matches(|c| c <= ' ');
    if !text.starts_with(['$', '@']) || text.len() > MAX_PATH_CHARS {
        return false;
    }
    let chars: Vec<char> = text.chars().collect();
    parse::compile(&chars, 0, 0).is_ok()
}

fn is_json(text: &str) -> bool {
    let text = text.trim_matches(|c| c <= ' ');
    let bracketed = |open: char, close: char| text.len() > 1 && text.starts_with(open) && text.ends_with(close);
    (bracketed('[', ']') || bracketed('{', '}')) && literal::parse(text).is_some()
}

/// A text of a list may bring quotes of its own.
fn unquoted(text: &str) -> Result<String, String> {
    if text.chars().nth(1).is_none() {
        return Ok(text.to_owned());
    }
    let inner = ['\'', '"'].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    unescape(inner.unwrap_or(text))
}
