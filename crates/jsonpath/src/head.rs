//! Which document a path begins in. Where several documents are at hand, `$.a` begins in the input, `$$.a` in the
//! context object and `$name.a` in a variable. The head is split off, and the rest is a path like any other, evaluated
//! on that document: messages speak of it from there (`$$.Foo` missing is `No results for path: $['Foo']`).

use std::fmt;

use serde_json::Value;

use crate::{Found, JsonPath, ParseError, PathError};

/// Characters of a variable's name, as AWS limits them.
pub const MAX_VARIABLE_CHARS: usize = 80;

/// The document that a path begins in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Head {
    /// `$`: the input.
    Input,
    /// `$$`: the context object.
    Context,
    /// `$name`: a variable.
    Variable(String),
}

/// A path with its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadPath {
    text: String,
    head: Head,
    path: JsonPath,
}

impl HeadPath {
    /// Splits the head off and compiles the rest. The text must begin with `$`.
    pub fn parse(text: &str) -> Result<HeadPath, ParseError> {
        let (head, rest_at) = split(text)?;
        if rest_at == 1 {
            return Ok(HeadPath { text: text.to_owned(), head, path: JsonPath::parse(text)? });
        }
        // The rest is compiled behind a `$` of its own, which stands where the head's last character was.
        let path = JsonPath::parse(&format!("${}", &text[rest_at..]))
            .map_err(|error| ParseError { offset: (error.offset + rest_at).saturating_sub(1), ..error })?;
        Ok(HeadPath { text: text.to_owned(), head, path })
    }

    /// The path as it was written, with its head.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The path within the document of the head: `$.Execution.Id` for `$$.Execution.Id`.
    pub fn path(&self) -> &JsonPath {
        &self.path
    }

    pub fn is_definite(&self) -> bool {
        self.path.is_definite()
    }

    /// Evaluates the path on the document that its head names.
    pub fn eval<'a>(&self, document: &'a Value) -> Result<Found<'a>, PathError> {
        self.path.eval(document)
    }
}

impl fmt::Display for HeadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The head, and where the rest begins.
fn split(text: &str) -> Result<(Head, usize), ParseError> {
    let wrong = |message: &str, offset| Err(ParseError { message: message.to_owned(), offset });
    let Some(rest) = text.strip_prefix('$') else {
        return wrong("Path must start with '$'", 0);
    };
    if rest.starts_with('$') {
        return Ok((Head::Context, 2));
    }
    if !rest.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return Ok((Head::Input, 1));
    }
    let name: &str = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    if name.chars().count() > MAX_VARIABLE_CHARS {
        return wrong(&format!("The name of a variable has at most {MAX_VARIABLE_CHARS} characters"), 1);
    }
    Ok((Head::Variable(name.to_owned()), 1 + name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let check = |text: &str, head: Head, rest: &str| {
            let path = HeadPath::parse(text).expect(text);
            assert_eq!((path.head(), path.path().as_str(), path.as_str()), (&head, rest, text));
        };
        check("$", Head::Input, "$");
        check("$.a", Head::Input, "$.a");
        check("$['a']", Head::Input, "$['a']");
        check("$$", Head::Context, "$");
        check("$$.Execution.Id", Head::Context, "$.Execution.Id");
        check("$$['Map'].Item", Head::Context, "$['Map'].Item");
        check("$order", Head::Variable("order".into()), "$");
        check("$order_2.lines[0]", Head::Variable("order_2".into()), "$.lines[0]");
        check("$länge[0]", Head::Variable("länge".into()), "$[0]");
    }

    #[test]
    fn mistakes_are_placed_in_the_text_as_it_was_written() {
        let check = |text: &str, offset: usize, message: &str| {
            let error = HeadPath::parse(text).expect_err(text);
            assert_eq!((error.offset, error.message.as_str()), (offset, message), "{text}");
        };
        check("a.b", 0, "Path must start with '$'");
        check("", 0, "Path must start with '$'");
        check("$$$", 2, "Illegal character at position 1 expected '.' or '['");
        check("$$.a b", 3, "Use bracket notion ['my prop'] if your property contains blank characters. position: 2");
        check("$or-der", 3, "Illegal character at position 1 expected '.' or '['");
        check("$order.", 7, "Path must not end with a '.' or '..'");
    }
}
