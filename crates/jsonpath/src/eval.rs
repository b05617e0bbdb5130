//! Walking a document along a path. Steps that lead from one value to one value are a loop here; those that branch are in
//! `walk`. Matches are borrowed from the document; only what a function or a merge of
//! properties makes is owned. As in Jayway, a mismatch is an error as long as the way is definite, and no match after.

use std::borrow::Cow;

use serde_json::Value;

use crate::Found;
use crate::budget::{Budget, weigh};
use crate::error::Fail;
use crate::filter_eval::Cache;
use crate::function::Function;
use crate::java;
use crate::token::{Path, Token};
use crate::walk::Walk;

/// Evaluates a path on a whole document.
pub(crate) fn evaluate<'a>(path: &Path, root: &'a Value) -> Result<Found<'a>, Fail> {
    let budget = Budget::default();
    let cache = Cache::default();
    let found = Evaluation { root, budget: &budget, cache: &cache, quiet: false, required: false }.of(path, root)?;
    if let Found::Many(values) = &found {
        weigh(values)?;
    }
    Ok(found)
}

/// Where an evaluation takes place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluation<'e> {
    /// What `$` is within filters and arguments.
    pub(crate) root: &'e Value,
    pub(crate) budget: &'e Budget,
    /// What the filters' paths from `$` have led to.
    pub(crate) cache: &'e Cache,
    /// Nobody will read the texts of `NotFound` and `Invalid`, so they are not written.
    quiet: bool,
    /// A missing property is an error even where the way is not definite: the question is whether something exists.
    pub(crate) required: bool,
}

/// How far the steps without a branch have led.
pub(crate) enum Descent {
    /// To the end of the path.
    End,
    /// To nothing.
    Gone,
    /// To a step that branches, or a call.
    Branch,
}

impl<'e> Evaluation<'e> {
    /// The same evaluation inside of a filter.
    pub(crate) fn filtering(self, required: bool) -> Self {
        Evaluation { quiet: true, required, ..self }
    }

    /// The same evaluation with another document as `$`, of which nothing is known yet.
    pub(crate) fn rooted<'n>(self, root: &'n Value, cache: &'n Cache) -> Evaluation<'n>
    where
        'e: 'n,
    {
        Evaluation { root, cache, ..self }
    }

    pub(crate) fn not_found(&self, message: impl FnOnce() -> String) -> Fail {
        Fail::NotFound(if self.quiet { String::new() } else { message() })
    }

    /// All that `path` leads to from `model`.
    pub(crate) fn of<'m>(&self, path: &Path, model: &'m Value) -> Result<Found<'m>, Fail> {
        let nothing = || self.not_found(|| format!("No results for path: {path}"));
        if path.plain {
            let (mut index, mut value, mut indexed) = (0, model, false);
            return match self.descend(path, &mut index, &mut value, &mut indexed)? {
                Descent::End => Ok(Found::One(Cow::Borrowed(value))),
                Descent::Gone | Descent::Branch => Err(nothing()),
            };
        }
        let mut found = Vec::new();
        Walk::new(self, path).from(0, model, &mut found)?;
        if !path.definite {
            return Ok(Found::Many(found));
        }
        // A function in the middle leaves its result as well; the last one counts.
        found.pop().map(Found::One).ok_or_else(nothing)
    }

    /// Follows the steps that lead from one value to one value.
    pub(crate) fn descend(
        &self,
        path: &Path,
        index: &mut usize,
        model: &mut &Value,
        indexed: &mut bool,
    ) -> Result<Descent, Fail> {
        loop {
            let Some(step) = path.steps.get(*index) else {
                return Ok(Descent::End);
            };
            match &step.token {
                Token::Property { name, .. } => {
                    self.budget.spend(1)?;
                    let Value::Object(members) = *model else {
                        return self.mismatch(path, *index, model);
                    };
                    match members.get(name) {
                        Some(member) => *model = member,
                        None => return self.missing(path, *index, name),
                    }
                }
                Token::Index(at) => {
                    self.budget.spend(1)?;
                    let Value::Array(items) = *model else {
                        return self.no_array(path, *index, model);
                    };
                    *indexed = true;
                    match element(items, i64::from(*at)) {
                        Some(item) => *model = item,
                        None => return Ok(Descent::Gone),
                    }
                }
                _ => return Ok(Descent::Branch),
            }
            *index += 1;
        }
    }

    /// A property is asked of what is no object.
    pub(crate) fn mismatch(&self, path: &Path, index: usize, model: &Value) -> Result<Descent, Fail> {
        let step = &path.steps[index];
        if !step.upstream_definite {
            return Ok(Descent::Gone);
        }
        // The keys of an object are a set in Java, not a list.
        let before = index.checked_sub(1).map(|before| &path.steps[before].token);
        let is_keys = matches!(before, Some(Token::Call { function: Some(Function::Keys), .. }));
        let class = if is_keys && model.is_array() { java::KEYS } else { java::class_name(model) };
        Err(self.not_found(|| {
            format!(
                "Expected to find an object with property {} in path {} but found '{}'. This is not a json object \
                 according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.",
                step.token,
                path.place(index),
                class
            )
        }))
    }

    /// An object has no such property.
    pub(crate) fn missing(&self, path: &Path, index: usize, name: &str) -> Result<Descent, Fail> {
        let step = &path.steps[index];
        let single = matches!(step.token, Token::Property { .. });
        let definite = step.upstream_definite && single;
        let words = match (path.is_leaf(index), definite) {
            (true, _) if self.required => "No results for path: ",
            (false, definite) if self.required || definite => "Missing property in path ",
            _ => return Ok(Descent::Gone),
        };
        Err(self.not_found(|| format!("{words}{}['{name}']", path.place(index))))
    }

    /// An index or a slice is asked of what is no array.
    pub(crate) fn no_array(&self, path: &Path, index: usize, model: &Value) -> Result<Descent, Fail> {
        if !path.steps[index].upstream_definite {
            return Ok(Descent::Gone);
        }
        Err(self.not_found(|| match model {
            Value::Null => format!("The path {} is null", path.place(index)),
            _ => format!(
                "Filter: {} can only be applied to arrays. Current context is: {}",
                path.suffix(index),
                java::excerpt(model)
            ),
        }))
    }
}

/// The element of a list, counted from the end if the index is negative.
pub(crate) fn element(items: &[Value], index: i64) -> Option<&Value> {
    let index = if index < 0 { items.len() as i64 + index } else { index };
    usize::try_from(index).ok().and_then(|index| items.get(index))
}
