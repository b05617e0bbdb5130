//! What AWS says when an evaluation fails, all of it in one table: names, nesting and values vary, sentences do not.
//!
//! Each sentence is what AWS answered somewhere, recorded (see the comment above each). The machine puts
//! `An error occurred while executing the state …` in front, unless AWS shows the sentence bare.

use serde_json::Value;

use super::java;

/// Nearly every failed evaluation; Retry and Catch never match it by `States.ALL`.
pub const STATES_RUNTIME: &str = "States.Runtime";

/// A reference path (`ResultPath`, `ItemsPath`) whose steps do not fit the document.
pub const REFERENCE_PATH_CONFLICT: &str = "States.ReferencePathConflict";

/// A failed evaluation: the workflow's error name and AWS's sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {message}")]
pub struct EvalError {
    pub error: &'static str,
    /// AWS's text without the sentence that names the state.
    pub message: String,
    /// AWS shows the message alone, without the sentence that names the state.
    pub bare: bool,
}

impl EvalError {
    /// The cause as history shows it.
    pub fn cause(&self, state: &str, entered_event_id: u64) -> String {
        if self.bare {
            return self.message.clone();
        }
        format!(
            "An error occurred while executing the state '{state}' (entered at the event id #{entered_event_id}). {}",
            self.message
        )
    }

    pub(crate) fn runtime(message: impl Into<String>) -> EvalError {
        EvalError { error: STATES_RUNTIME, message: message.into(), bare: false }
    }

    /// `InputPath`, `OutputPath`, `TimeoutSecondsPath` and their like; `why` is Jayway's own text.
    pub(crate) fn invalid_path(path: &str, why: &str) -> EvalError {
        EvalError::runtime(format!("Invalid path '{path}' : {why}"))
    }

    /// Payload templates, `ErrorPath` and `CausePath`; `document` is what was searched.
    pub(crate) fn not_in_input(path: &str, field: &str, document: &str) -> EvalError {
        EvalError::runtime(format!(
            "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{document}'"
        ))
    }

    /// An argument of an intrinsic; `call` is the whole expression as written.
    pub(crate) fn argument_not_in_input(call: &str, path: &str, input: &str) -> EvalError {
        EvalError::broken_argument(
            call,
            &format!("The JsonPath argument for the field '{path}' could not be found in the input '{input}'"),
        )
    }

    /// An argument of an intrinsic whose path fails otherwise than by finding nothing.
    pub(crate) fn broken_argument(call: &str, why: &str) -> EvalError {
        EvalError::runtime(format!("The function '{call}' had the following error: {why}"))
    }

    /// An intrinsic that does not like its arguments; `call` is the whole expression as written.
    pub(crate) fn intrinsic(call: &str, why: &str) -> EvalError {
        EvalError::runtime(format!("There was an error while evaluating the intrinsic function: {call}. {why}"))
    }

    /// `Variable` and the `…Path` operand of a choice rule.
    pub(crate) fn choice_path(path: &str) -> EvalError {
        EvalError::runtime(format!(
            "Invalid path '{path}': The choice state's condition path references an invalid value."
        ))
    }

    /// Parameters that what is called does not take.
    pub fn unusable_parameters(parameters: &str, mistakes: &str) -> EvalError {
        EvalError::runtime(format!("The Parameters '{parameters}' could not be used to start the Task: [{mistakes}]"))
    }

    /// A Choice without `Default` in which no rule holds. (`States.NoChoiceMatched` exists in documents only.)
    pub fn no_choice_matched() -> EvalError {
        EvalError::runtime("Failed to transition out of the state. The state does not point to a next state.")
    }

    /// Paths on a null input, for example after a task that returned nothing.
    pub(crate) fn null_input() -> EvalError {
        EvalError::runtime("Unable to apply Path transformation to null or empty input.")
    }

    /// `ResultPath` into something that is not an object, `ItemsPath` to a field that is not there.
    pub(crate) fn reference_path_conflict(step: &str, document: &str) -> EvalError {
        EvalError {
            error: REFERENCE_PATH_CONFLICT,
            message: format!("Unable to apply step \"{step}\" to input {document}"),
            bare: true,
        }
    }

    /// `ItemsPath` to something that is no array; `$$.` paths are shown as they are applied, with one `$`.
    pub fn items_no_array(path: &str) -> EvalError {
        EvalError::runtime(format!("Reference path \"{path}\" must point to array."))
    }

    /// `SecondsPath`, `TimestampPath`.
    pub(crate) fn wait_not_in_input(field: &str, path: &str) -> EvalError {
        EvalError::runtime(format!("The {field} parameter does not reference an input value: {path}"))
    }

    pub(crate) fn wait_no_long(field: &str, path: &str, value: &Value) -> EvalError {
        let value = shown(value);
        EvalError::runtime(format!("The {field} parameter cannot be parsed as a long value: {path} == {value}"))
    }

    pub(crate) fn wait_negative(field: &str, path: &str, value: &Value) -> EvalError {
        let value = shown(value);
        EvalError::runtime(format!("The {field} parameter references a negative value: {path} == {value}"))
    }

    pub(crate) fn wait_no_timestamp(field: &str, path: &str, value: &Value) -> EvalError {
        let value = shown(value);
        EvalError::runtime(format!(
            "The {field} parameter does not reference a valid ISO-8601 extended offset date-time format string: \
             {path} == {value}"
        ))
    }

    /// A Wait beyond [`super::wait::LONGEST_WAIT_SECONDS`].
    pub fn wait_too_long() -> EvalError {
        EvalError::runtime("Wait state delay is too long.")
    }

    /// `ToleratedFailureCountPath` and the other paths to numbers; `kind` is `integer` or `float`.
    pub(crate) fn no_number(field: &str, kind: &str, path: &str, value: &Value) -> EvalError {
        let value = shown(value);
        EvalError::runtime(format!("The {field} field refers to value \"{value}\" which is not a valid {kind}: {path}"))
    }

    /// Ours: AWS's parser has this limit, how the service says it is not known.
    pub fn too_deep() -> EvalError {
        let most = crate::payload::MAX_DEPTH;
        EvalError::runtime(format!("Document nesting depth exceeds the maximum allowed ({most})"))
    }

    /// An expression where JSONPath is evaluated: no definition that was checked has it.
    pub(crate) fn misplaced(expression: &str) -> EvalError {
        EvalError::runtime(format!("The JSONata expression '{expression}' has no place in a JSONPath state"))
    }

    /// `ErrorPath`, `CausePath` that find something else than text.
    pub(crate) fn no_text(field: &str, path: &str, value: &Value) -> EvalError {
        let value = shown(value);
        EvalError::runtime(format!("The {field} field refers to value \"{value}\" which is not a valid string: {path}"))
    }
}

/// A value in a sentence: text as it is, anything else as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => java::json_text(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_names_the_state_unless_it_stands_bare() {
        let error = EvalError::wait_too_long();
        assert_eq!(
            error.cause("It's late", 7),
            "An error occurred while executing the state 'It's late' (entered at the event id #7). \
             Wait state delay is too long."
        );
        let error = EvalError::reference_path_conflict("a", "\"text\"");
        assert_eq!(error.cause("S", 2), "Unable to apply step \"a\" to input \"text\"");
    }
}
