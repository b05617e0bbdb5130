//! UpdateExpression. Everything on the right of a SET is read from the item as it was before.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html>

use serde_json::{Value, json};

use super::error::invalid;
use super::lexer::{Path, Reader, Scope};
use super::path::{self, follow};
use super::value::{Item, items, parts, text_of};
use super::{error, number};
use crate::error::Answer;

#[derive(Debug, Default)]
pub struct Update {
    set: Vec<(Path, Sum)>,
    remove: Vec<Path>,
    add: Vec<(Path, Value)>,
    delete: Vec<(Path, Value)>,
}

#[derive(Debug)]
enum Sum {
    One(Term),
    Plus(Term, Term),
    Minus(Term, Term),
}

#[derive(Debug)]
enum Term {
    Path(Path),
    Value(Value),
    IfNotExists(Path, Box<Term>),
    ListAppend(Box<Term>, Box<Term>),
}

/// The clauses, of which each may be there once.
const CLAUSES: &[&str] = &["SET", "REMOVE", "ADD", "DELETE"];

/// How deep functions may nest.
const DEPTH: usize = 32;

pub fn parse(text: &str, scope: &Scope) -> Answer<Update> {
    let mut reader = Reader::new("UpdateExpression", text, scope)?;
    let mut update = Update::default();
    let mut seen = Vec::new();
    while reader.peek().is_some() {
        let Some(clause) = CLAUSES.iter().find(|clause| reader.keyword(clause)) else {
            return Err(reader.unexpected());
        };
        if seen.contains(clause) {
            return Err(
                reader.wrong(&format!("The \"{clause}\" section can only be used once in an update expression;"))
            );
        }
        seen.push(clause);
        loop {
            let path = reader.path()?;
            match *clause {
                "SET" => {
                    reader.expect("=")?;
                    update.set.push((path, sum(&mut reader)?));
                }
                "REMOVE" => update.remove.push(path),
                clause => {
                    let value = reader.value()?.ok_or_else(|| reader.unexpected())?;
                    check_operand(&reader, clause, &value)?;
                    if clause == "ADD" { update.add.push((path, value)) } else { update.delete.push((path, value)) }
                }
            }
            if !reader.sign(",") {
                break;
            }
        }
    }
    path::check_apart(&update.paths(), &reader)?;
    Ok(update)
}

/// ADD takes numbers and sets, DELETE sets.
fn check_operand(reader: &Reader<'_>, clause: &str, value: &Value) -> Answer<()> {
    let (kind, _) = parts(value);
    let good = matches!(kind, "SS" | "NS" | "BS") || (kind == "N" && clause == "ADD");
    let name = match kind {
        "S" => "STRING",
        "N" => "NUMBER",
        "B" => "BINARY",
        "L" => "LIST",
        "M" => "MAP",
        other => other,
    };
    if good {
        return Ok(());
    }
    Err(reader
        .wrong(&format!("Incorrect operand type for operator or function; operator: {clause}, operand type: {name}")))
}

fn sum(reader: &mut Reader<'_>) -> Answer<Sum> {
    let first = term(reader, 0)?;
    if reader.sign("+") {
        return Ok(Sum::Plus(first, term(reader, 0)?));
    }
    if reader.sign("-") {
        return Ok(Sum::Minus(first, term(reader, 0)?));
    }
    Ok(Sum::One(first))
}

fn term(reader: &mut Reader<'_>, depth: usize) -> Answer<Term> {
    if depth > DEPTH {
        return Err(reader.wrong("The expression is nested too deeply;"));
    }
    if reader.sign("(") {
        let inner = term(reader, depth + 1)?;
        reader.expect(")")?;
        return Ok(inner);
    }
    if let Some(value) = reader.value()? {
        return Ok(Term::Value(value));
    }
    let Some(name) = reader.function() else { return Ok(Term::Path(reader.path()?)) };
    let called = match name.as_str() {
        "if_not_exists" => {
            let path = reader.path()?;
            reader.expect(",")?;
            Term::IfNotExists(path, term(reader, depth + 1)?.into())
        }
        "list_append" => {
            let first = term(reader, depth + 1)?;
            reader.expect(",")?;
            Term::ListAppend(first.into(), term(reader, depth + 1)?.into())
        }
        _ => return Err(reader.wrong(&format!("Invalid function name; function: {name}"))),
    };
    reader.expect(")")?;
    Ok(called)
}

impl Term {
    fn of(&self, item: &Item) -> Answer<Value> {
        match self {
            Self::Path(path) => follow(item, path).cloned().ok_or_else(|| {
                invalid("The provided expression refers to an attribute that does not exist in the item")
            }),
            Self::Value(value) => Ok(value.clone()),
            Self::IfNotExists(path, otherwise) => {
                follow(item, path).map_or_else(|| otherwise.of(item), |value| Ok(value.clone()))
            }
            Self::ListAppend(first, second) => match (parts(&first.of(item)?), parts(&second.of(item)?)) {
                (("L", first), ("L", second)) => {
                    let joined = [items(first), items(second)].concat();
                    Ok(json!({ "L": joined }))
                }
                _ => Err(wrong_type()),
            },
        }
    }
}

impl Sum {
    fn of(&self, item: &Item) -> Answer<Value> {
        let (one, other, minus) = match self {
            Self::One(term) => return term.of(item),
            Self::Plus(one, other) => (one, other, false),
            Self::Minus(one, other) => (one, other, true),
        };
        calculate(&one.of(item)?, &other.of(item)?, minus)
    }
}

fn calculate(one: &Value, other: &Value, minus: bool) -> Answer<Value> {
    if parts(one).0 != "N" || parts(other).0 != "N" {
        return Err(wrong_type());
    }
    let (one, other) = (number::parse(text_of(one))?, number::parse(text_of(other))?);
    let result = number::check(if minus { one - other } else { one + other })?;
    Ok(json!({ "N": number::shown(&result) }))
}

fn wrong_type() -> crate::error::ServiceError {
    invalid("An operand in the update expression has an incorrect data type")
}

impl Update {
    /// Everything that the update touches.
    pub fn paths(&self) -> Vec<Path> {
        let with_value = self.add.iter().chain(&self.delete).map(|(path, _)| path);
        self.set.iter().map(|(path, _)| path).chain(&self.remove).chain(with_value).cloned().collect()
    }

    /// The item after the update.
    pub fn apply(&self, before: &Item) -> Answer<Item> {
        let mut after = before.clone();
        for (path, sum) in &self.set {
            path::set(&mut after, path, sum.of(before)?)?;
        }
        for (path, value) in &self.add {
            let sum = match follow(before, path) {
                None => value.clone(),
                Some(old) => match (parts(old), parts(value)) {
                    (("N", _), ("N", _)) => calculate(old, value, false)?,
                    ((kind @ ("SS" | "NS" | "BS"), old), (other, more)) if kind == other => {
                        let new = items(more).iter().filter(|member| !items(old).contains(member));
                        json!({ kind: items(old).iter().chain(new).collect::<Vec<_>>() })
                    }
                    _ => return Err(wrong_type()),
                },
            };
            path::set(&mut after, path, sum)?;
        }
        let mut emptied = Vec::new();
        for (path, value) in &self.delete {
            let Some(old) = follow(before, path) else { continue };
            match (parts(old), parts(value)) {
                ((kind @ ("SS" | "NS" | "BS"), old), (other, less)) if kind == other => {
                    let left: Vec<&Value> = items(old).iter().filter(|member| !items(less).contains(member)).collect();
                    if left.is_empty() {
                        emptied.push(path.clone());
                    } else {
                        path::set(&mut after, path, json!({ kind: left }))?;
                    }
                }
                _ => return Err(wrong_type()),
            }
        }
        path::remove(&mut after, self.remove.iter().cloned().chain(emptied).collect())?;
        Ok(after)
    }

    /// Refuse to change a key.
    pub fn check_keys(&self, keys: &[&str]) -> Answer<()> {
        for path in self.paths() {
            if let Some(super::lexer::Step::Name(name)) = path.first()
                && keys.contains(&name.as_str())
            {
                return Err(error::bad_value(format!(
                    "Cannot update attribute {name}. This attribute is part of the key"
                )));
            }
        }
        Ok(())
    }
}
