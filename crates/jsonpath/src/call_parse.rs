//! The calls in a path, `.sum($.a, 1)`: how their arguments are cut out of the text, and what a call behind a deep scan
//! becomes.

use serde_json::Value;

use crate::cursor::Cursor;
use crate::error::Fault;
use crate::function::Function;
use crate::parse::{PathParser, is_whitespace};
use crate::token::{Argument, Path, Token};

impl PathParser<'_> {
    pub(crate) fn not_closed(&self, name: &str) -> Fault {
        self.cursor.invalid(format!("Arguments to function: '{name}' are not closed properly."))
    }

    /// The arguments of a call: JSON, or paths. What is neither is skipped without a word, and a comma is dropped from
    /// within a string: Jayway cuts the text with a count of brackets and quotes.
    pub(crate) fn arguments(&mut self, name: &str) -> Result<Vec<Argument>, Fault> {
        #[derive(Clone, Copy)]
        enum Kind {
            Json,
            Path,
        }
        let (mut parens, mut brackets, mut braces, mut quotes) = (1i32, 0, 0, 0);
        let mut ended = false;
        let mut prior = '\0';
        let mut kind = None;
        let mut text: Vec<char> = Vec::new();
        let mut begins = self.cursor.place(self.cursor.position);
        let mut arguments = Vec::new();
        while self.cursor.in_bounds(self.cursor.position) && !ended {
            let c = self.cursor.current()?;
            self.cursor.position += 1;
            if kind.is_none() {
                if is_whitespace(c) {
                    continue;
                }
                begins = self.cursor.place(self.cursor.position - 1);
                if matches!(c, '{' | '"' | '-') || c.is_ascii_digit() {
                    kind = Some(Kind::Json);
                } else if matches!(c, '$' | '@') {
                    kind = Some(Kind::Path);
                }
            }
            match c {
                '"' if prior != '\\' && quotes > 0 => quotes -= 1,
                '"' => quotes += 1,
                '(' => parens += 1,
                '{' => braces += 1,
                '[' => brackets += 1,
                '}' if braces == 0 => {
                    let position = self.cursor.position;
                    return Err(self
                        .cursor
                        .invalid(format!("Unexpected close brace '}}' at character position: {position}")));
                }
                '}' => braces -= 1,
                ']' if brackets == 0 => {
                    let position = self.cursor.position;
                    return Err(self
                        .cursor
                        .invalid(format!("Unexpected close bracket ']' at character position: {position}")));
                }
                ']' => brackets -= 1,
                ')' | ',' => {
                    if c == ')' {
                        parens -= 1;
                        if parens < 0 || prior == '(' {
                            text.push(c);
                        }
                    }
                    let outermost = quotes == 0 && braces == 0 && brackets == 0;
                    if outermost && ((parens == 0 && c == ')') || parens == 1) {
                        ended = parens == 0;
                        let argument = match kind {
                            Some(Kind::Json) => Some(Argument::Json(first_value(&text.iter().collect::<String>()))),
                            Some(Kind::Path) => Some(self.path_argument(&text, begins)?),
                            None => None,
                        };
                        if let Some(argument) = argument {
                            arguments.push(argument);
                            text.clear();
                            kind = None;
                        }
                    }
                }
                _ => {}
            }
            if kind.is_some() && !(c == ',' && braces == 0 && brackets == 0 && parens == 1) {
                text.push(c);
            }
            prior = c;
        }
        if braces != 0 || parens != 0 || brackets != 0 {
            return Err(self.not_closed(name));
        }
        Ok(arguments)
    }

    fn path_argument(&self, text: &[char], base: isize) -> Result<Argument, Fault> {
        let parser = PathParser { cursor: Cursor::new(text, base), depth: self.depth + 1, tokens: Vec::new() };
        parser.path().map(Argument::Path)
    }
}

/// A call of the function, with what is known of it beforehand.
pub(crate) fn call(name: String, mut arguments: Vec<Argument>) -> Token {
    let function = Function::named(&name);
    let written_with_arguments = !arguments.is_empty();
    if function == Some(Function::Length)
        && let Some(Argument::Path(path)) = arguments.first_mut()
        && !path.calls
        && !path.steps.is_empty()
    {
        let path = std::mem::replace(path, Path::new('$', Vec::new()));
        let steps = path.steps.iter().map(|step| step.token.clone());
        let children = Path::new(path.root, steps.chain([Token::Wildcard]).collect());
        // Jayway knows already whether the path is definite when it puts the wildcard there.
        let children = Path { definite: path.definite, written: path.written, ..children };
        arguments[0] = Argument::Children { path, children };
    }
    Token::Call { name, function, arguments: arguments.into(), written_with_arguments }
}

/// A call behind a deep scan takes the scan as its argument: `$..price.max()` is evaluated as `$.max($..price)`.
pub(crate) fn inverted(root: char, mut tokens: Vec<Token>) -> Path {
    let calls = matches!(tokens.last(), Some(Token::Call { .. }));
    let first = tokens.iter().position(|token| matches!(token, Token::Call { .. }));
    let (true, Some(Token::Scan), Some(first)) = (calls, tokens.first(), first) else {
        return Path::new(root, tokens);
    };
    let mut rest = tokens.split_off(first);
    if let Some(Token::Call { name, written_with_arguments, .. }) = rest.first() {
        let (name, written) = (name.clone(), *written_with_arguments);
        rest[0] = call(name, vec![Argument::Path(Path::new(root, tokens))]);
        if let Some(Token::Call { written_with_arguments, .. }) = rest.first_mut() {
            *written_with_arguments = written;
        }
    }
    let mut path = Path { calls: true, from_document: root == '$', ..Path::new('$', rest) };
    // What follows the call stays behind the scan for the question whether a mismatch is an error.
    path.steps.iter_mut().skip(1).for_each(|step| step.upstream_definite = false);
    path
}

/// The first JSON value of a text: Jayway's JSON library does not look at what follows, unless it touches a number or a
/// word.
fn first_value(text: &str) -> Result<Value, String> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let first = values.next().and_then(Result::ok);
    let touched = text[values.byte_offset()..].starts_with(|c| !is_whitespace(c));
    match first {
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) if touched => None,
        first => first,
    }
    .ok_or_else(|| format!("The argument is not JSON: {text}"))
}
