//! From the text of a path to its steps, the way Jayway's `PathCompiler` goes: each reader looks at what comes next and
//! either takes it, declines it, or says what is wrong. Texts that only look like paths (`$.a[`, `$['a']x`,
//! `$.keys().length()`) mean here what they mean there. Nothing panics, and every recursion is counted.

use std::sync::Arc;

use crate::call_parse::{call, inverted};
use crate::cursor::{Cursor, unescape};
use crate::error::{Fault, ParseError};
use crate::filter::Filter;
use crate::limits::{MAX_NESTING, MAX_PATH_CHARS};
use crate::token::{Path, Slice, Token};

/// Compiles a whole text, as the user wrote it.
pub(crate) fn parse(text: &str) -> Result<Path, ParseError> {
    let chars: Vec<char> = text.chars().take(MAX_PATH_CHARS + 1).collect();
    let parsed = if chars.len() > MAX_PATH_CHARS {
        let message = format!("The path is longer than {MAX_PATH_CHARS} characters");
        Err(Fault::Refused { message, at: MAX_PATH_CHARS as isize })
    } else {
        compile(&chars, 0, 0)
    };
    parsed.map_err(|fault| {
        let (message, at) = fault.into_parts();
        let at = usize::try_from(at).unwrap_or(0);
        let offset = text.char_indices().nth(at).map_or(text.len(), |(offset, _)| offset);
        ParseError { message, offset }
    })
}

/// Compiles a path that stands alone: a whole text, or one side of a comparison in a filter.
pub(crate) fn compile(chars: &[char], base: isize, depth: usize) -> Result<Path, Fault> {
    let Some(first) = chars.first() else {
        return Err(Fault::Invalid { message: "The path is empty".to_owned(), at: base });
    };
    // Without a root it is read as if `$.` stood before it: `a.b`, `['a']`, `*`.
    let rooted: Vec<char>;
    let mut cursor = if matches!(first, '$' | '@') {
        Cursor::new(chars, base)
    } else {
        rooted = ['$', '.'].iter().chain(chars).copied().collect();
        Cursor::new(&rooted, base - 2)
    };
    cursor.trim();
    if cursor.last_is('.') {
        cursor.position = cursor.end;
        return Err(cursor.invalid("Path must not end with a '.' or '..'"));
    }
    PathParser { cursor, depth, tokens: Vec::new() }.path().map_err(|fault| match fault {
        Fault::Broken { message, at } => Fault::Invalid { message, at },
        fault => fault,
    })
}

pub(crate) struct PathParser<'t> {
    pub(crate) cursor: Cursor<'t>,
    pub(crate) depth: usize,
    pub(crate) tokens: Vec<Token>,
}

impl<'t> PathParser<'t> {
    pub(crate) fn path(mut self) -> Result<Path, Fault> {
        if self.depth > MAX_NESTING {
            return Err(self.cursor.refused(format!("The path is nested deeper than {MAX_NESTING} levels")));
        }
        while self.cursor.in_bounds(self.cursor.position) && is_whitespace(self.cursor.current()?) {
            self.cursor.position += 1;
        }
        let root = self.cursor.current()?;
        if !matches!(root, '$' | '@') {
            return Err(self.cursor.invalid("Path must start with '$' or '@'"));
        }
        if !self.cursor.is_tail() {
            self.cursor.position += 1;
            if !matches!(self.cursor.current()?, '.' | '[') {
                let position = self.cursor.position;
                return Err(self
                    .cursor
                    .invalid(format!("Illegal character at position {position} expected '.' or '['")));
            }
            loop {
                self.step()?;
                if self.cursor.is_tail() {
                    break;
                }
            }
        }
        Ok(inverted(root, self.tokens))
    }

    fn step(&mut self) -> Result<(), Fault> {
        if self.cursor.current()? == '.' {
            self.dots()?;
        }
        let position = self.cursor.position;
        match self.cursor.current()? {
            '[' => {
                let taken = self.bracket_properties()?
                    || self.indexes()?
                    || self.wildcard()?
                    || self.filter()?
                    || self.placeholder()?;
                if !taken {
                    return Err(self.cursor.invalid(format!(
                        "Could not parse token starting at position {position}. Expected ?, ', 0-9, * "
                    )));
                }
            }
            '*' => {
                self.wildcard()?;
            }
            ' ' => {
                return Err(self.cursor.invalid(format!("Could not parse token starting at position {position}")));
            }
            _ => self.property_or_call()?,
        }
        Ok(())
    }

    fn dots(&mut self) -> Result<(), Fault> {
        if self.cursor.next_is('.') {
            self.tokens.push(Token::Scan);
            self.cursor.position += 2;
        } else if !self.cursor.in_bounds(self.cursor.position + 1) {
            return Err(self.cursor.invalid("Path must not end with a '."));
        } else {
            self.cursor.position += 1;
        }
        if self.cursor.current_is('.')? {
            let position = self.cursor.position;
            return Err(self.cursor.invalid(format!("Character '.' on position {position} is not valid.")));
        }
        Ok(())
    }

    /// `name`, `name()` or `name(arguments)`, up to the next dot, bracket or end.
    fn property_or_call(&mut self) -> Result<(), Fault> {
        let start = self.cursor.position;
        let mut end = start;
        let mut is_call = false;
        while self.cursor.in_bounds(end) {
            match self.cursor.at(end)? {
                ' ' => {
                    return Err(self.cursor.invalid(format!(
                        "Use bracket notion ['my prop'] if your property contains blank characters. position: {start}"
                    )));
                }
                '.' | '[' => break,
                '(' => {
                    is_call = true;
                    break;
                }
                _ => end += 1,
            }
        }
        let name = self.cursor.text(start, end);
        if !is_call {
            self.cursor.position = end;
            self.tokens.push(Token::Property { name, quote: '\'' });
            return Ok(());
        }
        let mut open = 1;
        for index in end + 1..self.cursor.end {
            match self.cursor.at(index)? {
                ')' => open -= 1,
                '(' => open += 1,
                _ => {}
            }
            if open == 0 {
                break;
            }
        }
        if open != 0 {
            return Err(self.not_closed(&name));
        }
        let mut arguments = Vec::new();
        if self.cursor.at(end + 1)? == ')' {
            // Jayway stays on the bracket, so that `$.a.keys().length()` asks the keys for a property `)`.
            self.cursor.position = end + 1;
        } else {
            self.cursor.position = end + 1;
            arguments = self.arguments(&name)?;
        }
        self.tokens.push(call(name, arguments));
        Ok(())
    }

    /// `[?]` stands for a filter that a Java program hands over; nobody does that here.
    fn placeholder(&mut self) -> Result<bool, Fault> {
        let position = self.cursor.position;
        let Some(question) = self.cursor.index_of_next_significant(position, '?')? else {
            return Ok(false);
        };
        if !matches!(self.cursor.next_significant(question), ']' | ',') {
            return Ok(false);
        }
        let Some(close) = self.cursor.index_of(position + 1, ']') else {
            return Ok(false);
        };
        let expression = self.cursor.text(position + 1, close);
        Err(self
            .cursor
            .invalid(format!("Not enough predicates supplied for filter [{expression}] at position {position}")))
    }

    fn filter(&mut self) -> Result<bool, Fault> {
        let position = self.cursor.position;
        let Some(question) = self.cursor.index_of_next_significant(position, '?')? else {
            return Ok(false);
        };
        let Some(open) = self.cursor.index_of_next_significant(question, '(')? else {
            return Ok(false);
        };
        let Some(close) = self.cursor.matching_close(open, '(', ')', true)? else {
            return Ok(false);
        };
        if !self.cursor.next_significant_is(close, ']') {
            return Ok(false);
        }
        let Some(end) = self.cursor.index_of_next_significant(close, ']')? else {
            return Ok(false);
        };
        let criteria = self.cursor.slice(position, end + 1);
        let filter = Filter::parse(criteria, self.cursor.place(position), self.depth + 1)?;
        self.tokens.push(Token::Filter(Arc::new(filter)));
        self.cursor.position = end + 1;
        Ok(true)
    }

    fn wildcard(&mut self) -> Result<bool, Fault> {
        let position = self.cursor.position;
        if self.cursor.current_is('[')? {
            if !self.cursor.next_significant_is(position, '*') {
                return Ok(false);
            }
            let star = self.cursor.index_of_next_significant(position, '*')?.unwrap_or(position);
            if !self.cursor.next_significant_is(star, ']') {
                return Err(self
                    .cursor
                    .invalid(format!("Expected wildcard token to end with ']' on position {}", star + 1)));
            }
            let close = self.cursor.index_of_next_significant(star, ']')?.unwrap_or(star);
            self.cursor.position = close + 1;
        } else {
            self.cursor.position += 1;
        }
        self.tokens.push(Token::Wildcard);
        Ok(true)
    }

    /// `[1]`, `[1,2]`, `[1:]`, `[:2]`, `[1:2]`.
    fn indexes(&mut self) -> Result<bool, Fault> {
        let position = self.cursor.position;
        let next = self.cursor.next_significant(position);
        if !next.is_ascii_digit() && next != '-' && next != ':' {
            return Ok(false);
        }
        let Some(close) = self.cursor.index_of(position + 1, ']') else {
            return Ok(false);
        };
        let expression = self.cursor.text(position + 1, close);
        let expression = expression.trim_matches(|c| c <= ' ');
        if !expression.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '-' | ':' | ' ')) {
            return Ok(false);
        }
        let token = if expression.contains(':') { self.slice(expression)? } else { self.index_list(expression)? };
        self.tokens.push(token);
        self.cursor.position = close + 1;
        Ok(true)
    }

    fn index_list(&self, expression: &str) -> Result<Token, Fault> {
        let mut indexes = Vec::new();
        for part in expression.split(',').map(|part| part.trim_matches(' ')) {
            indexes.push(
                part.parse().map_err(|_| {
                    self.cursor.invalid(format!("Failed to parse token in ArrayIndexOperation: {part}"))
                })?,
            );
        }
        Ok(match indexes.as_slice() {
            [index] => Token::Index(*index),
            _ => Token::Indexes(indexes),
        })
    }

    fn slice(&self, expression: &str) -> Result<Token, Fault> {
        let wrong = || self.cursor.invalid(format!("Failed to parse SliceOperation: {expression}"));
        if expression.contains([',', ' ']) {
            return Err(wrong());
        }
        let bound = |part: Option<&str>| match part {
            None | Some("") => Ok(None),
            Some(part) => part.parse::<i32>().map(Some).map_err(|_| {
                self.cursor.broken(format!("java.lang.NumberFormatException: For input string: \"{part}\""))
            }),
        };
        let mut parts = expression.split(':');
        let slice = match (bound(parts.next())?, bound(parts.next())?) {
            (Some(from), Some(to)) => Slice::Between(from, to),
            (Some(from), None) => Slice::From(from),
            (None, Some(to)) => Slice::To(to),
            (None, None) => return Err(wrong()),
        };
        Ok(Token::Slice(slice))
    }

    /// `['a']`, `["a"]`, `['a','b']`.
    fn bracket_properties(&mut self) -> Result<bool, Fault> {
        let quote = self.cursor.next_significant(self.cursor.position);
        if !matches!(quote, '\'' | '"') {
            return Ok(false);
        }
        let mut names = Vec::new();
        let mut start = self.cursor.position + 1;
        let mut index = start;
        let mut end = 0;
        let (mut inside, mut escaped, mut after_comma) = (false, false, false);
        while self.cursor.in_bounds(index) {
            let c = self.cursor.at(index)?;
            if escaped {
                escaped = false;
            } else if c == '\\' {
                escaped = true;
            } else if c == ']' && !inside {
                if after_comma {
                    return Err(self.cursor.invalid(format!("Found empty property at index {index}")));
                }
                break;
            } else if c == quote && inside {
                if !matches!(self.cursor.next_significant(index), ']' | ',') {
                    return Err(self.cursor.invalid(format!(
                        "Property must be separated by comma or Property must be terminated close square bracket at index {index}"
                    )));
                }
                end = index;
                let name = unescape(&self.cursor.text(start, end)).map_err(|message| self.cursor.broken(message))?;
                names.push(name);
                inside = false;
            } else if c == quote {
                start = index + 1;
                inside = true;
                after_comma = false;
            } else if c == ',' && !inside {
                if after_comma {
                    return Err(self.cursor.invalid(format!("Found empty property at index {index}")));
                }
                after_comma = true;
            }
            index += 1;
        }
        if inside {
            return Err(self.cursor.invalid(format!("Property has not been closed - missing closing {quote}")));
        }
        let Some(close) = self.cursor.index_of_next_significant(end, ']')? else {
            return Err(self.cursor.invalid("Property has not been closed - missing closing ]"));
        };
        self.cursor.position = close + 1;
        let token = match names.len() {
            0 => return Err(self.cursor.invalid("Empty properties")),
            1 => Token::Property { name: names.remove(0), quote },
            _ => Token::Properties { names, quote },
        };
        self.tokens.push(token);
        Ok(true)
    }
}

pub(crate) fn is_whitespace(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
