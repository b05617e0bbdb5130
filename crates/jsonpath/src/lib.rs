//! JSONPath in the Jayway dialect: compile once, evaluate many.
//!
//! There is no one JSONPath. The services that this crate stands in for use the Java library `com.jayway.jsonpath`, and
//! its users see its answers, its error texts and its oddities; so this is that dialect, as version 2.10 has it, and not
//! RFC 9535. A path is compiled to steps ([`JsonPath`]), evaluated on a document without copying it ([`Found`] borrows),
//! and bounded in every direction ([`limits`]). [`ReferencePath`] is the small form that also writes, [`HeadPath`] says
//! which document a path begins in. It knows nothing of workflows, has no state and never panics.
//!
//! ```
//! use jsonpath::JsonPath;
//! use serde_json::json;
//!
//! let path = JsonPath::parse("$.lines[?(@.qty > 1)].sku")?;
//! let document = json!({"lines": [{"sku": "A1", "qty": 2}, {"sku": "B2", "qty": 1}]});
//! assert_eq!(path.eval(&document)?.into_value(), json!(["A1"]));
//!
//! let missing = JsonPath::parse("$.nope")?.eval(&document).unwrap_err();
//! assert_eq!(missing.message, "No results for path: $['nope']");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod call_parse;
mod compare;
mod cursor;
mod decimal;
mod error;
mod eval;
mod filter;
mod filter_eval;
mod filter_parse;
mod found;
mod function;
mod head;
mod java;
pub mod limits;
mod literal;
mod parse;
mod pattern;
mod reference;
mod token;
mod walk;

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

pub use error::{ParseError, PathError, PathErrorKind};
pub use found::Found;
pub use head::{Head, HeadPath};
pub use reference::{ReferencePath, Segment};

/// A compiled path. Cloning it copies a pointer; it can be shared between threads.
#[derive(Clone)]
pub struct JsonPath {
    compiled: Arc<Compiled>,
}

struct Compiled {
    text: String,
    path: token::Path,
}

impl JsonPath {
    /// Compiles a path. A text without `$` is read as if `$.` stood before it (`a.b`), as Jayway does; whoever wants the
    /// `$` written has to look for it.
    pub fn parse(text: &str) -> Result<JsonPath, ParseError> {
        let path = parse::parse(text)?;
        Ok(JsonPath { compiled: Arc::new(Compiled { text: text.to_owned(), path }) })
    }

    /// Evaluates the path on a document.
    ///
    /// A definite path gives its one value or [`PathErrorKind::NotFound`]; any other a list, which may be empty, but
    /// still `NotFound` if something is missing before the first step that could match several values (`$.nope[*]`).
    pub fn eval<'a>(&self, root: &'a Value) -> Result<Found<'a>, PathError> {
        eval::evaluate(&self.compiled.path, root).map_err(error::Fail::into_error)
    }

    /// The path as it was written.
    pub fn as_str(&self) -> &str {
        &self.compiled.text
    }

    /// Does the path give one value, rather than a list of matches?
    pub fn is_definite(&self) -> bool {
        self.compiled.path.definite
    }

    /// Is it `$`, the document itself?
    pub fn is_root(&self) -> bool {
        self.compiled.path.steps.is_empty()
    }

    /// The path as Jayway writes it in its messages: `$['a'][0]`. Filters are `[?]` there.
    pub fn canonical(&self) -> String {
        self.compiled.path.to_string()
    }

    pub(crate) fn steps(&self) -> &[token::Step] {
        &self.compiled.path.steps
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonPath({})", self.as_str())
    }
}

/// Two paths are the same if they are written the same.
impl PartialEq for JsonPath {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for JsonPath {}

impl std::str::FromStr for JsonPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        JsonPath::parse(text)
    }
}
