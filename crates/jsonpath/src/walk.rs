//! The steps of a path that branch: all children, all descendants, slices, filters, several properties. Only these call
//! themselves, and each open one is counted.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::error::Fail;
use crate::eval::{Descent, Evaluation, element};
use crate::java;
use crate::limits::MAX_MATCHES;
use crate::token::{Path, Slice, Token};

type Matches<'m> = Vec<Cow<'m, Value>>;

/// One evaluation of one path.
pub(crate) struct Walk<'w, 'e> {
    evaluation: &'w Evaluation<'e>,
    path: &'w Path,
    /// Of each step that a deep scan has reached through an array: the index it came by last. See [`Walk::is_hidden`].
    upstream_indexes: Vec<Option<usize>>,
    matches: usize,
}

impl<'w, 'e> Walk<'w, 'e> {
    pub(crate) fn new(evaluation: &'w Evaluation<'e>, path: &'w Path) -> Self {
        Walk { evaluation, path, upstream_indexes: Vec::new(), matches: 0 }
    }

    /// Walks from `model` along the steps from `index` on.
    pub(crate) fn from<'m>(&mut self, index: usize, model: &'m Value, out: &mut Matches<'m>) -> Result<(), Fail> {
        let budget = self.evaluation.budget;
        let mut indexed = false;
        let result = budget.branch(|| self.along(index, model, &mut indexed, out));
        match result {
            // An element that is not there is no match, even if it was a function that looked for it.
            Err(Fail::OutOfBounds(_)) if indexed => Ok(()),
            result => result,
        }
    }

    fn along<'m>(
        &mut self,
        mut index: usize,
        mut model: &'m Value,
        indexed: &mut bool,
        out: &mut Matches<'m>,
    ) -> Result<(), Fail> {
        loop {
            match self.evaluation.descend(self.path, &mut index, &mut model, indexed)? {
                Descent::Gone => return Ok(()),
                Descent::End => {
                    let last = self.path.steps.last().map(|step| &step.token);
                    if matches!(last, Some(Token::Property { .. })) && self.is_hidden(index - 1) {
                        return Ok(());
                    }
                    return self.found(Cow::Borrowed(model), out);
                }
                Descent::Branch => {}
            }
            let Token::Call { name, function, arguments, .. } = &self.path.steps[index].token else {
                return self.branch(index, model, out);
            };
            self.evaluation.budget.spend(1)?;
            let Some(function) = function else {
                return Err(Fail::Invalid(format!("Function with name: {name} does not exist.")));
            };
            match function.call(self.evaluation, model, arguments)? {
                Cow::Borrowed(value) => {
                    self.found(Cow::Borrowed(value), out)?;
                    model = value;
                }
                Cow::Owned(value) => {
                    if !self.path.is_leaf(index) {
                        let mut rest = Vec::new();
                        self.from(index + 1, &value, &mut rest)?;
                        let rest: Vec<Value> = rest.into_iter().map(Cow::into_owned).collect();
                        self.found(Cow::Owned(value), out)?;
                        out.extend(rest.into_iter().map(Cow::Owned));
                        return Ok(());
                    }
                    return self.found(Cow::Owned(value), out);
                }
            }
            if self.path.is_leaf(index) {
                return Ok(());
            }
            index += 1;
        }
    }

    fn found<'m>(&mut self, value: Cow<'m, Value>, out: &mut Matches<'m>) -> Result<(), Fail> {
        self.matches += 1;
        if self.matches > MAX_MATCHES {
            return Err(Fail::Limit(format!("The path has more than {MAX_MATCHES} matches")));
        }
        out.push(value);
        Ok(())
    }

    fn branch<'m>(&mut self, index: usize, model: &'m Value, out: &mut Matches<'m>) -> Result<(), Fail> {
        match &self.path.steps[index].token {
            Token::Properties { names, .. } => self.properties(index, names, model, out),
            Token::Indexes(indexes) => {
                let Some(items) = self.array(index, model)? else {
                    return Ok(());
                };
                indexes.iter().try_for_each(|at| self.element(index, items, i64::from(*at), out))
            }
            Token::Slice(slice) => {
                let Some(items) = self.array(index, model)? else {
                    return Ok(());
                };
                slice.range(items.len() as i64).try_for_each(|at| self.element(index, items, at, out))
            }
            Token::Wildcard => self.wildcard(index, model, out),
            Token::Filter(filter) => match model {
                Value::Object(_) => {
                    if filter.accepts(self.evaluation, model)? {
                        self.from(index + 1, model, out)?;
                    }
                    Ok(())
                }
                Value::Array(items) => {
                    for (at, item) in items.iter().enumerate() {
                        if filter.accepts(self.evaluation, item)? {
                            self.element(index, items, at as i64, out)?;
                        }
                    }
                    Ok(())
                }
                _ if self.path.steps[index].upstream_definite => Err(Fail::Invalid(format!(
                    "Filter: {} can not be applied to primitives. Current context is: {}",
                    self.path.suffix(index),
                    java::excerpt(model)
                ))),
                _ => Ok(()),
            },
            Token::Scan => self.scan(index, model, out),
            Token::Property { .. } | Token::Index(_) | Token::Call { .. } => Ok(()),
        }
    }

    fn array<'m>(&self, index: usize, model: &'m Value) -> Result<Option<&'m [Value]>, Fail> {
        match model {
            Value::Array(items) => Ok(Some(items)),
            _ => self.evaluation.no_array(self.path, index, model).map(|_| None),
        }
    }

    fn element<'m>(&mut self, index: usize, items: &'m [Value], at: i64, out: &mut Matches<'m>) -> Result<(), Fail> {
        self.evaluation.budget.spend(1)?;
        let Some(item) = element(items, at) else {
            return Ok(());
        };
        match self.from(index + 1, item, out) {
            Err(Fail::OutOfBounds(_)) => Ok(()),
            result => result,
        }
    }

    /// Several properties: merged into one object at the end of a path, followed one by one otherwise.
    fn properties<'m>(
        &mut self,
        index: usize,
        names: &[String],
        model: &'m Value,
        out: &mut Matches<'m>,
    ) -> Result<(), Fail> {
        self.evaluation.budget.spend(names.len() as u64)?;
        let Value::Object(members) = model else {
            return self.evaluation.mismatch(self.path, index, model).map(|_| ());
        };
        if !self.path.is_leaf(index) {
            for name in names {
                match members.get(name) {
                    Some(member) => self.from(index + 1, member, out)?,
                    None => {
                        self.evaluation.missing(self.path, index, name)?;
                    }
                }
            }
            return Ok(());
        }
        let mut merged = Map::new();
        for name in names {
            if let Some(member) = members.get(name) {
                self.evaluation.budget.spend_copy(member)?;
                merged.insert(name.clone(), member.clone());
            } else if self.evaluation.required {
                return Err(self.evaluation.not_found(String::new));
            }
        }
        self.found(Cow::Owned(Value::Object(merged)), out)
    }

    fn wildcard<'m>(&mut self, index: usize, model: &'m Value, out: &mut Matches<'m>) -> Result<(), Fail> {
        match model {
            Value::Object(members) => {
                for member in members.values() {
                    self.evaluation.budget.spend(1)?;
                    if !(self.path.is_leaf(index) && self.is_hidden(index)) {
                        self.from(index + 1, member, out)?;
                    }
                }
            }
            Value::Array(items) => {
                for at in 0..items.len() {
                    match self.element(index, items, at as i64, out) {
                        Err(Fail::NotFound(_)) if !self.evaluation.required => {}
                        result => result?,
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Visits `model` and all that is in it, in the order of the document, and goes on wherever the next step may match.
    fn scan<'m>(&mut self, index: usize, model: &'m Value, out: &mut Matches<'m>) -> Result<(), Fail> {
        let path = self.path;
        let Some(target) = path.steps.get(index + 1) else {
            return Err(Fail::Failed("A deep scan needs a step to look for".to_owned()));
        };
        let mut ahead = vec![model];
        while let Some(model) = ahead.pop() {
            self.evaluation.budget.spend(1)?;
            let matches = self.may_match(&target.token, path.is_leaf(index + 1), model)?;
            match model {
                Value::Object(members) => {
                    if matches {
                        self.from(index + 1, model, out)?;
                    }
                    ahead.extend(members.values().rev().filter(|member| member.is_object() || member.is_array()));
                }
                Value::Array(items) => {
                    if matches && path.is_leaf(index + 1) {
                        self.from(index + 1, model, out)?;
                    } else if matches {
                        for (at, item) in items.iter().enumerate() {
                            self.came_by(index + 2, at);
                            self.from(index + 2, item, out)?;
                        }
                    }
                    ahead.extend(items.iter().rev().filter(|item| item.is_object() || item.is_array()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn may_match(&self, target: &Token, leaf: bool, model: &Value) -> Result<bool, Fail> {
        Ok(match (target, model) {
            (Token::Property { name, .. }, Value::Object(members)) => members.contains_key(name),
            (Token::Properties { names, .. }, Value::Object(members)) => {
                !leaf || names.iter().all(|name| members.contains_key(name))
            }
            (Token::Index(_) | Token::Indexes(_) | Token::Slice(_), model) => model.is_array(),
            (Token::Wildcard, _) => true,
            (Token::Filter(filter), model) => filter.accepts(self.evaluation, model)?,
            _ => false,
        })
    }

    fn came_by(&mut self, index: usize, at: usize) {
        if self.upstream_indexes.is_empty() {
            self.upstream_indexes.resize(self.path.steps.len(), None);
        }
        self.upstream_indexes[index] = Some(at);
    }

    /// Behind a scan that looks into arrays, Jayway goes on from every element and keeps only those whose index is
    /// the one written in the step before the last: `$..[0].name` finds the first elements' names, `$..[*].name` and
    /// `$..[0:1].name` none of the elements'. The index stays noted when the scan moves on to objects.
    fn is_hidden(&self, index: usize) -> bool {
        let Some(Some(at)) = self.upstream_indexes.get(index) else {
            return false;
        };
        let before_last = self.path.written.checked_sub(2).map(|place| &self.path.steps[place].token);
        !matches!(before_last, Some(Token::Index(written)) if *at as i64 == i64::from(*written))
    }
}

impl Slice {
    /// The indexes that the slice stands for. Between two bounds a negative one counts through zero (`[-2:2]` is the
    /// last two and the first two), as it does in Jayway.
    fn range(self, length: i64) -> std::ops::Range<i64> {
        match self {
            Slice::From(from) if from < 0 => (length + i64::from(from)).max(0)..length,
            Slice::From(from) => i64::from(from)..length,
            Slice::To(to) if to < 0 => 0..length + i64::from(to),
            Slice::To(to) => 0..i64::from(to).min(length),
            Slice::Between(from, to) => i64::from(from).max(-length)..i64::from(to).min(length),
        }
    }
}
