//! Expressions as tokens, and what all expressions of a request share: the names and values that stand for others, and
//! which of them were used.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Map, Value};

use super::error::invalid;
use super::value::checked;
use crate::error::{Answer, ServiceError};
use crate::params::map;

/// AWS's bound on an expression.
const LENGTH: usize = 4096;
static RESERVED: &str = include_str!("reserved.txt");

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A name or a keyword.
    Name(String),
    /// `#name`
    Alias(String),
    /// `:value`
    Value(String),
    Number(usize),
    Sign(&'static str),
}

/// Longer signs come before those that they begin with.
const SIGNS: &[&str] = &["<>", "<=", ">=", "=", "<", ">", "(", ")", ",", ".", "[", "]", "+", "-"];

/// An attribute of an item, or a part of one.
pub type Path = Vec<Step>;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Name(String),
    Index(usize),
}

/// The expressions of one request.
pub struct Scope {
    names: Map<String, Value>,
    values: Map<String, Value>,
    used: RefCell<BTreeSet<String>>,
}

impl Scope {
    pub fn of_request(params: &Value) -> Answer<Self> {
        let mut values = Map::new();
        for (name, value) in map(params, "ExpressionAttributeValues") {
            let value = checked(value, 1).map_err(|error| {
                invalid(format!("ExpressionAttributeValues contains invalid value: {} for key {name}", error.message))
            })?;
            values.insert(name.clone(), value);
        }
        let names = map(params, "ExpressionAttributeNames").map(|(name, text)| (name.clone(), text.clone())).collect();
        Ok(Self { names, values, used: RefCell::default() })
    }

    fn name(&self, alias: &str) -> Option<String> {
        self.used.borrow_mut().insert(alias.to_owned());
        self.names.get(alias)?.as_str().map(str::to_owned)
    }

    fn value(&self, name: &str) -> Option<Value> {
        self.used.borrow_mut().insert(name.to_owned());
        self.values.get(name).cloned()
    }

    /// Refuse names and values that no expression has used.
    pub fn all_used(&self) -> Answer<()> {
        for (what, given) in [("ExpressionAttributeNames", &self.names), ("ExpressionAttributeValues", &self.values)] {
            let used = self.used.borrow();
            let unused: Vec<&str> = given.keys().filter(|name| !used.contains(*name)).map(String::as_str).collect();
            if !unused.is_empty() {
                return Err(invalid(format!(
                    "Value provided in {what} unused in expressions: keys: {{{}}}",
                    unused.join(", ")
                )));
            }
        }
        Ok(())
    }
}

/// The tokens of one expression, read from left to right.
pub struct Reader<'a> {
    /// `ConditionExpression` and the like, for errors.
    what: &'a str,
    scope: &'a Scope,
    /// Each with its place in the text.
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    text: &'a str,
}

impl<'a> Reader<'a> {
    pub fn new(what: &'a str, text: &'a str, scope: &'a Scope) -> Answer<Self> {
        let mut reader = Self { what, scope, tokens: Vec::new(), at: 0, text };
        if text.trim().is_empty() {
            return Err(reader.wrong("The expression can not be empty;"));
        }
        if text.len() > LENGTH {
            return Err(reader.wrong("Expression size has exceeded the maximum allowed size;"));
        }
        reader.split()?;
        Ok(reader)
    }

    fn split(&mut self) -> Answer<()> {
        let bytes = self.text.as_bytes();
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let mut at = 0;
        while at < bytes.len() {
            let begin = at;
            let rest = &self.text[at..];
            if bytes[at].is_ascii_whitespace() {
                at += 1;
                continue;
            }
            if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                at += sign.len();
                self.tokens.push((Token::Sign(sign), begin..at));
                continue;
            }
            let prefixed = matches!(bytes[at], b'#' | b':');
            at += usize::from(prefixed);
            while at < bytes.len() && is_word(bytes[at]) {
                at += 1;
            }
            let word = self.text[begin..at].to_owned();
            let token = match word.as_bytes() {
                [b'#', _, ..] => Token::Alias(word),
                [b':', _, ..] => Token::Value(word),
                [first, ..] if first.is_ascii_digit() => {
                    let number = word.parse().map_err(|_| self.syntax(begin, at))?;
                    Token::Number(number)
                }
                [first, ..] if is_word(*first) => Token::Name(word),
                _ => {
                    let letter = rest.chars().next().map_or(0, char::len_utf8);
                    return Err(self.syntax(begin, begin + letter));
                }
            };
            self.tokens.push((token, begin..at));
        }
        Ok(())
    }

    /// An error in this expression.
    pub fn wrong(&self, message: &str) -> ServiceError {
        invalid(format!("Invalid {}: {message}", self.what))
    }

    /// A token that cannot be where it is, shown between its neighbours.
    fn syntax(&self, from: usize, to: usize) -> ServiceError {
        let before =
            self.tokens.iter().rev().find(|(_, place)| place.end <= from).map_or(from, |(_, place)| place.start);
        let after = self.tokens.iter().find(|(_, place)| place.start >= to).map_or(to, |(_, place)| place.end);
        let (token, near) = (&self.text[from..to], &self.text[before..after]);
        self.wrong(&format!("Syntax error; token: \"{token}\", near: \"{near}\""))
    }

    /// The next token cannot be here.
    pub fn unexpected(&self) -> ServiceError {
        if let Some((_, place)) = self.tokens.get(self.at) {
            return self.syntax(place.start, place.end);
        }
        let last = self.tokens.len().saturating_sub(2);
        let near = self.tokens.get(last).map_or("", |(_, place)| &self.text[place.start..]);
        self.wrong(&format!("Syntax error; token: \"<EOF>\", near: \"{}\"", near.trim_end()))
    }

    pub fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    pub fn skip(&mut self) {
        self.at += 1;
    }

    /// Take the keyword if it is next.
    pub fn keyword(&mut self, word: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Name(name)) if name.eq_ignore_ascii_case(word));
        self.at += usize::from(is_next);
        is_next
    }

    /// Take the sign if it is next.
    pub fn sign(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token::Sign(next)) if *next == sign);
        self.at += usize::from(is_next);
        is_next
    }

    pub fn expect(&mut self, sign: &str) -> Answer<()> {
        if self.sign(sign) { Ok(()) } else { Err(self.unexpected()) }
    }

    pub fn end(&self) -> Answer<()> {
        if self.at == self.tokens.len() { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The name of a function, if one is called next.
    pub fn function(&mut self) -> Option<String> {
        let called = matches!(self.tokens.get(self.at + 1), Some((Token::Sign("("), _)));
        let Some(Token::Name(name)) = self.peek().filter(|_| called) else { return None };
        let name = name.clone();
        self.at += 2;
        Some(name)
    }

    /// The value that `:name` stands for.
    pub fn value(&mut self) -> Answer<Option<Value>> {
        let Some(Token::Value(name)) = self.peek() else { return Ok(None) };
        let name = name.clone();
        self.skip();
        let value = self.scope.value(&name).ok_or_else(|| {
            self.wrong(&format!(
                "An expression attribute value used in expression is not defined; attribute value: {name}"
            ))
        })?;
        Ok(Some(value))
    }

    pub fn path(&mut self) -> Answer<Path> {
        let mut path = vec![Step::Name(self.attribute()?)];
        loop {
            if self.sign(".") {
                path.push(Step::Name(self.attribute()?));
            } else if self.sign("[") {
                let Some(Token::Number(index)) = self.peek() else { return Err(self.unexpected()) };
                path.push(Step::Index(*index));
                self.skip();
                self.expect("]")?;
            } else {
                return Ok(path);
            }
        }
    }

    fn attribute(&mut self) -> Answer<String> {
        match self.peek().cloned() {
            Some(Token::Name(name)) => {
                if RESERVED.lines().any(|word| word.eq_ignore_ascii_case(&name)) {
                    return Err(self.wrong(&format!("Attribute name is a reserved keyword; reserved keyword: {name}")));
                }
                self.skip();
                Ok(name)
            }
            Some(Token::Alias(alias)) => {
                self.skip();
                self.scope.name(&alias).ok_or_else(|| {
                    self.wrong(&format!(
                        "An expression attribute name used in the document path is not defined; attribute name: {alias}"
                    ))
                })
            }
            _ => Err(self.unexpected()),
        }
    }
}
