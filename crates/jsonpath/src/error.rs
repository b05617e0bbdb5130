//! What can go wrong, in the library's own words. The texts of Jayway's exceptions reach users (`Invalid path '$.x' :
//! No results for path: $['x']`), so they are kept letter by letter; the kinds say what a caller may decide upon.

/// A text that is not a path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// Jayway's words, or ours where it shows only an exception of Java.
    pub message: String,
    /// Where in the text, in bytes; never beyond its end.
    pub offset: usize,
}

/// A path that gave no result on a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PathError {
    pub kind: PathErrorKind,
    /// Jayway's words for it.
    pub message: String,
}

/// Which of Jayway's exceptions it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathErrorKind {
    /// `PathNotFoundException`: the document has nothing there.
    NotFound,
    /// `InvalidPathException`: the path cannot be applied (unknown function, filter on a primitive).
    Invalid,
    /// `JsonPathException` and the like: the evaluation itself broke (aggregating nothing, index out of range).
    Failed,
    /// Ours: the evaluation went beyond a limit of this crate.
    Limit,
    /// A [`ReferencePath`](crate::ReferencePath) that cannot be put into the document.
    Mismatch,
}

impl PathError {
    /// Is it merely that the document has nothing there?
    pub fn is_not_found(&self) -> bool {
        self.kind == PathErrorKind::NotFound
    }
}

/// How compiling ends early. Jayway tries again after an `InvalidPathException` in some places and lets every other
/// exception through, so the two are told apart here. Offsets are in characters of the whole text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    /// `InvalidPathException`.
    Invalid { message: String, at: isize },
    /// Any other exception of Java: reading beyond the end, a number that is none.
    Broken { message: String, at: isize },
    /// Nothing that Jayway would say: a limit, or a regular expression that cannot be had in linear time.
    Refused { message: String, at: isize },
}

impl Fault {
    pub(crate) fn into_parts(self) -> (String, isize) {
        match self {
            Fault::Invalid { message, at } | Fault::Broken { message, at } | Fault::Refused { message, at } => {
                (message, at)
            }
        }
    }
}

/// How evaluating ends early; see [`PathErrorKind`]. `OutOfBounds` is apart because an index step above it swallows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fail {
    NotFound(String),
    Invalid(String),
    Failed(String),
    OutOfBounds(String),
    Limit(String),
}

impl Fail {
    pub(crate) fn into_error(self) -> PathError {
        let (kind, message) = match self {
            Fail::NotFound(message) => (PathErrorKind::NotFound, message),
            Fail::Invalid(message) => (PathErrorKind::Invalid, message),
            Fail::Failed(message) | Fail::OutOfBounds(message) => (PathErrorKind::Failed, message),
            Fail::Limit(message) => (PathErrorKind::Limit, message),
        };
        PathError { kind, message }
    }
}
