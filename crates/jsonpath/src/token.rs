//! A compiled path: its steps, what is known of them beforehand, and how Jayway writes them in its messages.

use std::fmt::{self, Write};
use std::sync::Arc;

use serde_json::Value;

use crate::filter::Filter;
use crate::function::Function;

/// A path with its steps. Cheap to walk: what evaluation asks for was worked out when it was compiled.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    /// `$` or `@`, for messages.
    pub(crate) root: char,
    /// Within a filter it begins at the document (`$`) and not at the item that the filter looks at (`@`).
    pub(crate) from_document: bool,
    pub(crate) steps: Vec<Step>,
    /// One result at most, given as itself rather than as a list.
    pub(crate) definite: bool,
    /// Nothing but single properties and indexes: evaluated by a loop that allocates nothing.
    pub(crate) plain: bool,
    /// How many steps were written; `length` puts one more behind.
    pub(crate) written: usize,
    /// The last step as it was written is a function (a call after a deep scan is turned around when compiled).
    pub(crate) calls: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) token: Token,
    /// All steps before this one lead to one value: then a mismatch is an error, otherwise it is no match.
    pub(crate) upstream_definite: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Token {
    Property {
        name: String,
        quote: char,
    },
    Properties {
        names: Vec<String>,
        quote: char,
    },
    Index(i32),
    Indexes(Vec<i32>),
    Slice(Slice),
    Wildcard,
    Scan,
    /// Shared, so that a copy of the steps does not copy what is nested in them.
    Filter(Arc<Filter>),
    Call {
        name: String,
        function: Option<Function>,
        arguments: Arc<[Argument]>,
        written_with_arguments: bool,
    },
}

/// Python's slice without its step, which Jayway reads and ignores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slice {
    From(i32),
    To(i32),
    Between(i32, i32),
}

#[derive(Debug, Clone)]
pub(crate) enum Argument {
    /// The value, or why there is none.
    Json(Result<Value, String>),
    Path(Path),
    /// What `length` behind a deep scan counts: the matches of the path, and the path with a `[*]` behind it.
    Children {
        path: Path,
        children: Path,
    },
}

impl Path {
    pub(crate) fn new(root: char, tokens: Vec<Token>) -> Path {
        let calls = matches!(tokens.last(), Some(Token::Call { .. }));
        let written = tokens.len();
        let last = written.saturating_sub(1);
        let mut upstream_definite = true;
        let mut plain = true;
        let mut steps = Vec::with_capacity(tokens.len());
        for (index, token) in tokens.into_iter().enumerate() {
            let definite = token.is_definite(index == last);
            plain &= matches!(token, Token::Property { .. } | Token::Index(_));
            steps.push(Step { token, upstream_definite });
            upstream_definite &= definite;
        }
        Path { root, from_document: root == '$', written, steps, definite: upstream_definite, plain, calls }
    }

    pub(crate) fn is_leaf(&self, index: usize) -> bool {
        index + 1 >= self.steps.len()
    }

    /// Is its one value what `keys()` gives?
    pub(crate) fn gives_keys(&self) -> bool {
        let last = self.steps.last().map(|step| &step.token);
        self.definite && matches!(last, Some(Token::Call { function: Some(Function::Keys), .. }))
    }

    /// The steps from `index` on, as Jayway writes them.
    pub(crate) fn suffix(&self, index: usize) -> String {
        let mut text = String::new();
        for step in &self.steps[index..] {
            let _ = write!(text, "{}", step.token);
        }
        text
    }

    /// Where the walk stands before step `index`, if every step so far led to one value.
    pub(crate) fn place(&self, index: usize) -> String {
        let mut text = String::from(self.root);
        for step in &self.steps[..index] {
            match &step.token {
                Token::Property { name, .. } => {
                    let _ = write!(text, "['{name}']");
                }
                Token::Index(index) => {
                    let _ = write!(text, "[{index}]");
                }
                // A function stays where it is; the others have no one place.
                _ => {}
            }
        }
        text
    }
}

impl Token {
    /// Does this step lead from one value to one value? Several properties at the end are merged into one object.
    fn is_definite(&self, leaf: bool) -> bool {
        match self {
            Token::Property { .. } | Token::Index(_) | Token::Call { .. } => true,
            Token::Properties { .. } => leaf,
            Token::Indexes(_) | Token::Slice(_) | Token::Wildcard | Token::Scan | Token::Filter(_) => false,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(self.root)?;
        self.steps.iter().try_for_each(|step| write!(f, "{}", step.token))
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Token::Property { name, quote } => write!(f, "[{quote}{name}{quote}]"),
            Token::Properties { names, quote } => {
                f.write_char('[')?;
                for (index, name) in names.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{quote}{name}{quote}")?;
                }
                f.write_char(']')
            }
            Token::Index(index) => write!(f, "[{index}]"),
            Token::Indexes(indexes) => {
                f.write_char('[')?;
                for (place, index) in indexes.iter().enumerate() {
                    let comma = if place == 0 { "" } else { "," };
                    write!(f, "{comma}{index}")?;
                }
                f.write_char(']')
            }
            Token::Slice(Slice::From(from)) => write!(f, "[{from}:]"),
            Token::Slice(Slice::To(to)) => write!(f, "[:{to}]"),
            Token::Slice(Slice::Between(from, to)) => write!(f, "[{from}:{to}]"),
            Token::Wildcard => f.write_str("[*]"),
            Token::Scan => f.write_str(".."),
            Token::Filter(_) => f.write_str("[?]"),
            Token::Call { name, written_with_arguments, .. } => {
                write!(f, ".{name}({})", if *written_with_arguments { "..." } else { "" })
            }
        }
    }
}
