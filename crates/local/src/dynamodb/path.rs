//! Following, setting, removing and picking parts of an item by their paths.

use serde_json::{Map, Value, json};

use super::error::invalid;
use super::lexer::{Path, Reader, Scope, Step};
use super::value::{Item, items, parts};
use crate::error::Answer;

/// What a path leads to.
pub fn follow<'a>(item: &'a Item, path: &[Step]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let Step::Name(name) = first else { return None };
    rest.iter().try_fold(item.get(name)?, |value, step| match (step, parts(value)) {
        (Step::Name(name), ("M", held)) => held.get(name),
        (Step::Index(index), ("L", held)) => held.get(index),
        _ => None,
    })
}

/// Where a path leads to, to change it: the members of the map or list that holds its last step.
enum Holder<'a> {
    Map(&'a mut Map<String, Value>),
    List(&'a mut Vec<Value>),
}

fn holder<'a>(item: &'a mut Item, path: &[Step]) -> Answer<Holder<'a>> {
    let wrong = || invalid("The document path provided in the update expression is invalid for update");
    let mut holder = Holder::Map(item);
    for step in &path[..path.len() - 1] {
        let value = match (holder, step) {
            (Holder::Map(members), Step::Name(name)) => members.get_mut(name),
            (Holder::List(items), Step::Index(index)) => items.get_mut(*index),
            _ => None,
        };
        let members = value.and_then(Value::as_object_mut).ok_or_else(wrong)?;
        holder = match members.iter_mut().next() {
            Some((kind, Value::Object(members))) if kind == "M" => Holder::Map(members),
            Some((kind, Value::Array(items))) if kind == "L" => Holder::List(items),
            _ => return Err(wrong()),
        };
    }
    match (&holder, path.last()) {
        (Holder::Map(_), Some(Step::Name(_))) | (Holder::List(_), Some(Step::Index(_))) => Ok(holder),
        _ => Err(wrong()),
    }
}

pub fn set(item: &mut Item, path: &[Step], value: Value) -> Answer<()> {
    match (holder(item, path)?, path.last()) {
        (Holder::Map(members), Some(Step::Name(name))) => {
            members.insert(name.clone(), value);
        }
        (Holder::List(items), Some(Step::Index(index))) => match items.get_mut(*index) {
            Some(place) => *place = value,
            None => items.push(value),
        },
        _ => {}
    }
    Ok(())
}

/// Removes the parts, the last ones of a list first, so that indexes mean what they meant.
pub fn remove(item: &mut Item, mut paths: Vec<Path>) -> Answer<()> {
    paths.sort_unstable();
    for path in paths.iter().rev() {
        match (holder(item, path)?, path.last()) {
            (Holder::Map(members), Some(Step::Name(name))) => {
                members.shift_remove(name);
            }
            (Holder::List(items), Some(Step::Index(index))) if *index < items.len() => {
                items.remove(*index);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The parts of an item that paths lead to, in its own shape. Lists have only the elements that were asked for.
pub fn project(item: &Item, paths: &[Path]) -> Item {
    let whole = json!({ "M": item });
    let all: Vec<&[Step]> = paths.iter().map(Vec::as_slice).collect();
    match pick(&whole, &all) {
        Some(Value::Object(mut picked)) => match picked.shift_remove("M") {
            Some(Value::Object(members)) => members,
            _ => Item::new(),
        },
        _ => Item::new(),
    }
}

fn pick(value: &Value, paths: &[&[Step]]) -> Option<Value> {
    if paths.iter().any(|path| path.is_empty()) {
        return Some(value.clone());
    }
    let below = |step: &Step| -> Vec<&[Step]> {
        paths.iter().filter(|path| path.first() == Some(step)).map(|path| &path[1..]).collect()
    };
    match parts(value) {
        ("M", Value::Object(members)) => {
            let picked: Map<String, Value> = members
                .iter()
                .filter_map(|(name, value)| {
                    let paths = below(&Step::Name(name.clone()));
                    if paths.is_empty() { None } else { Some((name.clone(), pick(value, &paths)?)) }
                })
                .collect();
            (!picked.is_empty()).then(|| json!({ "M": picked }))
        }
        ("L", held) => {
            let picked: Vec<Value> = items(held)
                .iter()
                .enumerate()
                .filter_map(|(index, value)| {
                    let paths = below(&Step::Index(index));
                    if paths.is_empty() { None } else { pick(value, &paths) }
                })
                .collect();
            (!picked.is_empty()).then(|| json!({ "L": picked }))
        }
        _ => None,
    }
}

/// Refuse paths of which one is the beginning of another.
pub fn check_apart(paths: &[Path], reader: &Reader<'_>) -> Answer<()> {
    for (at, one) in paths.iter().enumerate() {
        if let Some(other) = paths[at + 1..].iter().find(|other| other.starts_with(one) || one.starts_with(other)) {
            return Err(reader.wrong(&format!(
                "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: {}, path two: {}",
                shown(one),
                shown(other)
            )));
        }
    }
    Ok(())
}

fn shown(path: &[Step]) -> String {
    let steps: Vec<String> = path
        .iter()
        .map(|step| match step {
            Step::Name(name) => name.clone(),
            Step::Index(index) => format!("[{index}]"),
        })
        .collect();
    format!("[{}]", steps.join(", "))
}

/// Read a ProjectionExpression.
pub fn parse_projection(text: &str, scope: &Scope) -> Answer<Vec<Path>> {
    let mut reader = Reader::new("ProjectionExpression", text, scope)?;
    let mut paths = vec![reader.path()?];
    while reader.sign(",") {
        paths.push(reader.path()?);
    }
    reader.end()?;
    check_apart(&paths, &reader)?;
    Ok(paths)
}
