//! What is wrong with a definition, said in AWS's words.
//!
//! A [`Diagnostic`] is one entry of `ValidateStateMachineDefinition`'s answer with what a person needs beside it: the
//! bytes it speaks about and what to do. AWS asks nobody to rely on its wording, yet people do, so the codes and texts
//! are those that AWS was seen to answer; where none is known the text follows the nearest known one.

use std::fmt;
use std::ops::Range;

/// AWS's codes.
pub mod code {
    pub const SCHEMA_VALIDATION_FAILED: &str = "SCHEMA_VALIDATION_FAILED";
    pub const INVALID_JSON_DESCRIPTION: &str = "INVALID_JSON_DESCRIPTION";
    pub const MISSING_TRANSITION_TARGET: &str = "MISSING_TRANSITION_TARGET";
    pub const MISSING_END_STATE: &str = "MISSING_END_STATE";
    pub const DUPLICATE_STATE_NAME: &str = "DUPLICATE_STATE_NAME";
    pub const INVALID_STATE_NAME: &str = "INVALID_STATE_NAME";
    pub const DUPLICATE_LABEL_NAME: &str = "DUPLICATE_LABEL_NAME";
    pub const INVALID_LABEL_NAME: &str = "INVALID_LABEL_NAME";
    pub const TOO_DEEPLY_NESTED: &str = "TOO_DEEPLY_NESTED";
    pub const INVALID_VARIABLE_NAME: &str = "INVALID_VARIABLE_NAME";
    pub const RESERVED_VARIABLE_NAME: &str = "RESERVED_VARIABLE_NAME";
    /// A variable that a scope around this one sets, too.
    pub const DUPLICATE_VARIABLE_NAME: &str = "DUPLICATE_VARIABLE_NAME";
    /// A JSONata expression that does not parse.
    pub const INVALID_JSONATA_EXPRESSION: &str = "INVALID_JSONATA_EXPRESSION";
    /// A JSONata expression that names what is not there.
    pub const UNSUPPORTED_JSONATA_EXPRESSION: &str = "UNSUPPORTED_JSONATA_EXPRESSION";
    /// Warning: a value that looks like a path or an intrinsic function under a name without `.$`.
    pub const NO_DOLLAR: &str = "NO_DOLLAR";
    /// Warning: a value that looks like a path in a field that has a `…Path` form.
    pub const NO_PATH: &str = "NO_PATH";
    /// Warning: a path in a Pass state's `Result`.
    pub const PASS_RESULT_IS_STATIC: &str = "PASS_RESULT_IS_STATIC";
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    Error,
    Warning,
}

impl Severity {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
        }
    }
}

/// One thing that a check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    pub severity: Severity,
    /// One of [`code`].
    pub code: &'static str,
    /// AWS's text.
    pub message: String,
    /// AWS's form: `/States/X/Choices[0]/Next`, or Jackson's `[Source: …]` for text that is not JSON.
    pub location: Option<String>,
    /// RFC 6901, at least as exact as the location; empty is the whole document.
    pub pointer: String,
    /// Bytes of the checked text.
    pub span: Option<Range<usize>>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// `CODE: message at location`, as AWS joins them into an exception's text; a missing location reads `null` there.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let location = self.location.as_deref().unwrap_or("null");
        write!(f, "{}: {} at {location}", self.code, self.message)
    }
}

/// The text of CreateStateMachine's `InvalidDefinition`. Warnings do not appear in it.
pub fn invalid_definition_message(diagnostics: &[Diagnostic]) -> String {
    let errors: Vec<String> = diagnostics.iter().filter(|d| d.is_error()).map(Diagnostic::to_string).collect();
    format!("Invalid State Machine Definition: '{}'", errors.join(", "))
}

/// Line and column of a byte offset, both from 1, columns in characters: what an editor shows.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(code: &'static str, message: &str, location: Option<&str>) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code,
            message: message.into(),
            location: location.map(Into::into),
            pointer: String::new(),
            span: None,
            help: None,
        }
    }

    /// The texts are AWS's own: <https://github.com/localstack/localstack/pull/12487>.
    #[test]
    fn errors_are_joined_as_aws_joins_them() {
        let target =
            diagnostic(code::MISSING_TRANSITION_TARGET, "Missing 'Next' target: pass3", Some("/States/pass1/Next"));
        let end = diagnostic(code::MISSING_END_STATE, "Workflow has no terminal state", None);
        assert_eq!(
            invalid_definition_message(&[target, end]),
            "Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: pass3 at \
             /States/pass1/Next, MISSING_END_STATE: Workflow has no terminal state at null'"
        );
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        assert_eq!(line_column("ab\nçd", 0), (1, 1));
        assert_eq!(line_column("ab\nçd", 5), (2, 2));
        assert_eq!(line_column("ab", 99), (1, 3));
    }
}
