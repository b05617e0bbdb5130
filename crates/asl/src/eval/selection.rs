//! `InputPath`, `OutputPath` and `ItemsPath` take a part of the data, `ResultPath` puts the result into the input.
//!
//! Where nothing is taken apart, a pointer is handed on. AWS treats `ItemsPath` and `ResultPath` as reference paths: a
//! step that does not fit the document is a `States.ReferencePathConflict` that names the step.

use jsonpath::{Head, ReferencePath, Segment};
use serde_json::Value;

use super::{Env, EvalError, lookup};
use crate::{Payload, ResultPath, Selection};

impl Selection {
    /// The selected part of `data`, which is what `$` means here. `field` is the field's name.
    pub fn select(&self, field: &str, data: &Payload, env: &Env<'_>) -> Result<Payload, EvalError> {
        let path = match self {
            Selection::Whole => return Ok(data.clone()),
            Selection::Empty => return Ok(Payload::empty_object()),
            Selection::Path(path) => path,
        };
        let reads_data = matches!(path.head, Head::Input);
        if reads_data && data.value().is_null() {
            return Err(EvalError::null_input());
        }
        lookup::find(path, data, env).map(|value| Payload::from(value.into_owned())).map_err(|error| {
            let conflict = (field == "ItemsPath" && reads_data && error.is_not_found())
                .then(|| ReferencePath::parse(path.path.as_str()).ok())
                .flatten()
                .and_then(|reference| first_misfit(&reference, data.value(), false));
            match conflict {
                Some(step) => EvalError::reference_path_conflict(&step, data.text()),
                None => EvalError::invalid_path(&path.text, &error.message),
            }
        })
    }

    /// The array of an `ItemsPath`.
    pub fn select_items(&self, data: &Payload, env: &Env<'_>) -> Result<Payload, EvalError> {
        let items = self.select("ItemsPath", data, env)?;
        if items.value().is_array() {
            return Ok(items);
        }
        let path = match self {
            Selection::Path(path) => lookup::applied(path),
            Selection::Whole | Selection::Empty => "$",
        };
        Err(EvalError::items_no_array(path))
    }
}

impl ResultPath {
    /// The input with the result in its place.
    pub fn apply(&self, input: &Payload, result: Payload) -> Result<Payload, EvalError> {
        let path = match self {
            ResultPath::Replace => return Ok(result),
            ResultPath::Discard => return Ok(input.clone()),
            ResultPath::At(path) => path,
        };
        let put = path.put(input.value().clone(), result.value().clone());
        let made = put.map_err(|error| {
            let step = first_misfit(path, input.value(), true).unwrap_or(error.message);
            EvalError::reference_path_conflict(&step, input.text())
        })?;
        super::within_depth(Payload::from(made))
    }
}

/// The first step of a reference path that a document does not have, as error texts name it; with `creating`, fields
/// that are missing would be made.
fn first_misfit(path: &ReferencePath, document: &Value, creating: bool) -> Option<String> {
    let mut here = document;
    for segment in path.segments() {
        let next = match (segment, here) {
            (Segment::Property(name), Value::Object(fields)) => match fields.get(name) {
                None if creating => return None,
                field => field,
            },
            (Segment::Index(index), Value::Array(items)) => items.get(*index),
            _ => None,
        };
        match next {
            Some(value) => here = value,
            None => {
                return Some(match segment {
                    Segment::Property(name) => name.clone(),
                    Segment::Index(index) => index.to_string(),
                });
            }
        }
    }
    None
}
