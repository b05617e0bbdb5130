//! Walking a document along a path. Steps that lead from one value to one value are a loop; only steps that branch call
//! themselves, and those are counted. Matches are borrowed from the document; only what a function or a merge of
//! properties makes is owned. As in Jayway, a mismatch is an error as long as the way is definite, and no match after.

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Map, Value};

use crate::Found;
use crate::error::Fail;
use crate::filter_eval::Cache;
use crate::function::Function;
use crate::java;
use crate::limits::{COPIED_BYTES_PER_STEP, MAX_MATCHES, MAX_OPEN_BRANCHES, MAX_RESULT_BYTES, MAX_STEPS};
use crate::token::{Path, Slice, Token};

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

/// What one evaluation has used up, that of its filters and arguments included.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    steps: Cell<u64>,
    open: Cell<u32>,
}

/// Where an evaluation takes place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evaluation<'e> {
    /// What `$` is within filters and arguments.
    pub(crate) root: &'e Value,
    budget: &'e Budget,
    /// What the filters' paths from `$` have led to.
    pub(crate) cache: &'e Cache,
    /// Nobody will read the texts of `NotFound` and `Invalid`, so they are not written.
    quiet: bool,
    /// A missing property is an error even where the way is not definite: the question is whether something exists.
    pub(crate) required: bool,
}

enum Descent {
    End,
    Gone,
    Branch,
}

type Matches<'m> = Vec<Cow<'m, Value>>;

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

    /// Accounts for a copy of `value`.
    pub(crate) fn spend_copy(&self, value: &Value) -> Result<(), Fail> {
        self.spend(weight(value, MAX_RESULT_BYTES)? as u64 / COPIED_BYTES_PER_STEP)
    }

    pub(crate) fn spend(&self, steps: u64) -> Result<(), Fail> {
        let spent = self.budget.steps.get() + steps;
        self.budget.steps.set(spent);
        if spent > MAX_STEPS {
            return Err(Fail::Limit(format!("The path looks at more than {MAX_STEPS} values")));
        }
        Ok(())
    }

    fn not_found(&self, message: impl FnOnce() -> String) -> Fail {
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
        let mut walk = Walk { evaluation: self, path, upstream_indexes: Vec::new(), matches: 0 };
        let mut found = Vec::new();
        walk.from(0, model, &mut found)?;
        if !path.definite {
            return Ok(Found::Many(found));
        }
        // A function in the middle leaves its result as well; the last one counts.
        found.pop().map(Found::One).ok_or_else(nothing)
    }

    /// Follows the steps that lead from one value to one value.
    fn descend(&self, path: &Path, index: &mut usize, model: &mut &Value, indexed: &mut bool) -> Result<Descent, Fail> {
        loop {
            let Some(step) = path.steps.get(*index) else {
                return Ok(Descent::End);
            };
            match &step.token {
                Token::Property { name, .. } => {
                    self.spend(1)?;
                    let Value::Object(members) = *model else {
                        return self.mismatch(path, *index, model);
                    };
                    match members.get(name) {
                        Some(member) => *model = member,
                        None => return self.missing(path, *index, name),
                    }
                }
                Token::Index(at) => {
                    self.spend(1)?;
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
    fn mismatch(&self, path: &Path, index: usize, model: &Value) -> Result<Descent, Fail> {
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
    fn missing(&self, path: &Path, index: usize, name: &str) -> Result<Descent, Fail> {
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
    fn no_array(&self, path: &Path, index: usize, model: &Value) -> Result<Descent, Fail> {
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

fn element(items: &[Value], index: i64) -> Option<&Value> {
    let index = if index < 0 { items.len() as i64 + index } else { index };
    usize::try_from(index).ok().and_then(|index| items.get(index))
}

/// One evaluation of one path.
struct Walk<'w, 'e> {
    evaluation: &'w Evaluation<'e>,
    path: &'w Path,
    /// Of each step that a deep scan has reached through an array: the index it came by last. See [`Walk::is_hidden`].
    upstream_indexes: Vec<Option<usize>>,
    matches: usize,
}

impl Walk<'_, '_> {
    /// Walks from `model` along the steps from `index` on.
    fn from<'m>(&mut self, index: usize, model: &'m Value, out: &mut Matches<'m>) -> Result<(), Fail> {
        let open = &self.evaluation.budget.open;
        if open.get() >= MAX_OPEN_BRANCHES {
            return Err(Fail::Limit(format!("The path branches more than {MAX_OPEN_BRANCHES} times")));
        }
        open.set(open.get() + 1);
        let mut indexed = false;
        let result = self.along(index, model, &mut indexed, out);
        let open = &self.evaluation.budget.open;
        open.set(open.get() - 1);
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
            self.evaluation.spend(1)?;
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
        self.evaluation.spend(1)?;
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
        self.evaluation.spend(names.len() as u64)?;
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
                self.evaluation.spend_copy(member)?;
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
                    self.evaluation.spend(1)?;
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
            self.evaluation.spend(1)?;
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

/// Refuses matches that would be too large together once they are copied.
fn weigh(values: &[Cow<'_, Value>]) -> Result<(), Fail> {
    let mut left = MAX_RESULT_BYTES;
    for value in values {
        left = left.saturating_sub(weight(value, left)?);
    }
    Ok(())
}

/// The bytes that a value takes, roughly; an error beyond `limit`.
fn weight(value: &Value, limit: usize) -> Result<usize, Fail> {
    let mut bytes = 0;
    let mut ahead = vec![value];
    while let Some(value) = ahead.pop() {
        bytes += size_of::<Value>();
        match value {
            Value::String(text) => bytes += text.len(),
            Value::Array(items) => ahead.extend(items),
            Value::Object(members) => {
                for (name, member) in members {
                    bytes += name.len();
                    ahead.push(member);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
        if bytes > limit {
            return Err(Fail::Limit(format!("The matches take more than {MAX_RESULT_BYTES} bytes")));
        }
    }
    Ok(bytes)
}
