//! ConditionExpression, FilterExpression and KeyConditionExpression: one language.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html>

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::lexer::{Path, Reader, Scope};
use super::path::follow;
use super::value::{Item, bytes, items, order, parts, same, text_of};
use crate::error::Answer;

#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Path(Path),
    Value(Value),
    Size(Path),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    Compare(Operand, Comparison, Operand),
    Between(Operand, Operand, Operand),
    In(Operand, Vec<Operand>),
    Exists(Path, bool),
    HasType(Path, Operand),
    BeginsWith(Operand, Operand),
    Contains(Operand, Operand),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
}

const COMPARISONS: &[(&str, Comparison)] = &[
    ("=", Comparison::Equal),
    ("<>", Comparison::NotEqual),
    ("<", Comparison::Less),
    ("<=", Comparison::LessOrEqual),
    (">", Comparison::Greater),
    (">=", Comparison::GreaterOrEqual),
];

/// How deep parentheses and NOT may nest: AWS has 300 operators at most, and the stack has an end.
const DEPTH: usize = 150;

/// Read an expression; `what` is the parameter that it was given in.
pub fn parse(what: &str, text: &str, scope: &Scope) -> Answer<Condition> {
    let mut reader = Reader::new(what, text, scope)?;
    let condition = either(&mut reader, 0)?;
    reader.end()?;
    Ok(condition)
}

fn either(reader: &mut Reader<'_>, depth: usize) -> Answer<Condition> {
    let mut condition = both(reader, depth)?;
    while reader.keyword("OR") {
        condition = Condition::Or(condition.into(), both(reader, depth)?.into());
    }
    Ok(condition)
}

fn both(reader: &mut Reader<'_>, depth: usize) -> Answer<Condition> {
    let mut condition = single(reader, depth)?;
    while reader.keyword("AND") {
        condition = Condition::And(condition.into(), single(reader, depth)?.into());
    }
    Ok(condition)
}

fn single(reader: &mut Reader<'_>, depth: usize) -> Answer<Condition> {
    if depth > DEPTH {
        return Err(reader.wrong("The expression contains too many operators;"));
    }
    if reader.keyword("NOT") {
        return Ok(Condition::Not(single(reader, depth + 1)?.into()));
    }
    if reader.sign("(") {
        let condition = either(reader, depth + 1)?;
        reader.expect(")")?;
        return Ok(condition);
    }
    let left = match reader.function() {
        Some(name) if name == "size" => Operand::Size(one_path(reader)?),
        Some(name) => return function(reader, &name),
        None => operand(reader)?,
    };
    if reader.keyword("BETWEEN") {
        let low = operand(reader)?;
        if !reader.keyword("AND") {
            return Err(reader.unexpected());
        }
        return Ok(Condition::Between(left, low, operand(reader)?));
    }
    if reader.keyword("IN") {
        reader.expect("(")?;
        let mut among = vec![operand(reader)?];
        while reader.sign(",") {
            among.push(operand(reader)?);
        }
        reader.expect(")")?;
        return Ok(Condition::In(left, among));
    }
    for (sign, comparison) in COMPARISONS {
        if reader.sign(sign) {
            return Ok(Condition::Compare(left, *comparison, operand(reader)?));
        }
    }
    Err(reader.unexpected())
}

fn one_path(reader: &mut Reader<'_>) -> Answer<Path> {
    let path = reader.path()?;
    reader.expect(")")?;
    Ok(path)
}

fn operand(reader: &mut Reader<'_>) -> Answer<Operand> {
    if let Some(value) = reader.value()? {
        return Ok(Operand::Value(value));
    }
    match reader.function() {
        Some(name) if name == "size" => Ok(Operand::Size(one_path(reader)?)),
        Some(name) => Err(reader
            .wrong(&format!("The function is not allowed to be used this way in an expression; function: {name}"))),
        None => Ok(Operand::Path(reader.path()?)),
    }
}

fn function(reader: &mut Reader<'_>, name: &str) -> Answer<Condition> {
    match name {
        "attribute_exists" => Ok(Condition::Exists(one_path(reader)?, true)),
        "attribute_not_exists" => Ok(Condition::Exists(one_path(reader)?, false)),
        "attribute_type" => {
            let path = reader.path()?;
            reader.expect(",")?;
            let kind = operand(reader)?;
            reader.expect(")")?;
            Ok(Condition::HasType(path, kind))
        }
        "begins_with" | "contains" => {
            let left = operand(reader)?;
            reader.expect(",")?;
            let right = operand(reader)?;
            reader.expect(")")?;
            Ok(if name == "contains" { Condition::Contains(left, right) } else { Condition::BeginsWith(left, right) })
        }
        _ => Err(reader.wrong(&format!("Invalid function name; function: {name}"))),
    }
}

impl Operand {
    fn of(&self, item: &Item) -> Option<Value> {
        match self {
            Self::Path(path) => follow(item, path).cloned(),
            Self::Value(value) => Some(value.clone()),
            Self::Size(path) => {
                let size = match parts(follow(item, path)?) {
                    ("S", held) => held.as_str()?.len(),
                    ("B", held) => bytes(held).len(),
                    ("SS" | "NS" | "BS" | "L", held) => items(held).len(),
                    ("M", held) => held.as_object()?.len(),
                    _ => return None,
                };
                Some(json!({ "N": size.to_string() }))
            }
        }
    }
}

impl Comparison {
    fn holds(self, one: &Value, other: &Value) -> bool {
        let ordered = |good: fn(Ordering) -> bool| order(one, other).is_some_and(good);
        match self {
            Self::Equal => same(one, other),
            Self::NotEqual => !same(one, other),
            Self::Less => ordered(Ordering::is_lt),
            Self::LessOrEqual => ordered(Ordering::is_le),
            Self::Greater => ordered(Ordering::is_gt),
            Self::GreaterOrEqual => ordered(Ordering::is_ge),
        }
    }
}

impl Condition {
    /// Does an item fulfil the condition? An item that is not there has no attributes.
    pub fn holds(&self, item: &Item) -> bool {
        match self {
            Self::And(one, other) => one.holds(item) && other.holds(item),
            Self::Or(one, other) => one.holds(item) || other.holds(item),
            Self::Not(condition) => !condition.holds(item),
            Self::Exists(path, wanted) => follow(item, path).is_some() == *wanted,
            Self::HasType(path, kind) => {
                let kind = kind.of(item);
                follow(item, path).zip(kind).is_some_and(|(value, kind)| parts(value).0 == text_of(&kind))
            }
            Self::Compare(left, comparison, right) => match (left.of(item), right.of(item)) {
                (Some(left), Some(right)) => comparison.holds(&left, &right),
                // Something is not nothing.
                (left, right) => *comparison == Comparison::NotEqual && left.is_some() != right.is_some(),
            },
            Self::Between(value, low, high) => {
                let Some(value) = value.of(item) else { return false };
                let holds = |comparison: Comparison, bound: &Operand| {
                    bound.of(item).is_some_and(|bound| comparison.holds(&value, &bound))
                };
                holds(Comparison::GreaterOrEqual, low) && holds(Comparison::LessOrEqual, high)
            }
            Self::In(value, among) => value
                .of(item)
                .is_some_and(|value| among.iter().any(|one| one.of(item).is_some_and(|one| same(&value, &one)))),
            Self::BeginsWith(value, prefix) => match (value.of(item), prefix.of(item)) {
                (Some(value), Some(prefix)) => match (parts(&value), parts(&prefix)) {
                    (("S", _), ("S", _)) => text_of(&value).starts_with(text_of(&prefix)),
                    (("B", value), ("B", prefix)) => bytes(value).starts_with(&bytes(prefix)),
                    _ => false,
                },
                _ => false,
            },
            Self::Contains(value, part) => match (value.of(item), part.of(item)) {
                (Some(value), Some(part)) => contains(&value, &part),
                _ => false,
            },
        }
    }
}

fn contains(value: &Value, part: &Value) -> bool {
    let (kind, held) = parts(part);
    match parts(value) {
        ("S", _) if kind == "S" => text_of(value).contains(text_of(part)),
        ("B", whole) if kind == "B" => {
            let (whole, part) = (bytes(whole), bytes(held));
            part.is_empty() || whole.windows(part.len()).any(|window| window == part)
        }
        ("SS", members) if kind == "S" => items(members).contains(held),
        ("NS", members) if kind == "N" => items(members).contains(held),
        ("BS", members) if kind == "B" => items(members).contains(held),
        ("L", members) => items(members).iter().any(|member| same(member, part)),
        _ => false,
    }
}
