//! A Rust source as a flat list of tokens with their lines: strings and comments hold no code, so a rule that reads tokens
//! is never fooled by them. On top of it, the paths that a source mentions and the code that only tests compile.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    Word(String),
    /// A literal as it is written, quotes and all.
    Literal(String),
    /// Punctuation, and the brackets that groups open and close with.
    Sign(char),
}

#[derive(Debug, Clone)]
pub struct Token {
    pub kind: Kind,
    pub line: usize,
}

impl Token {
    pub fn is(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }

    pub fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// The tokens of a source, or the place where it stops being Rust.
pub fn read(source: &str) -> Result<Vec<Token>, (usize, String)> {
    let stream: TokenStream =
        source.parse().map_err(|e: proc_macro2::LexError| (e.span().start().line, e.to_string()))?;
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    Ok(tokens)
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        let kind = match tree {
            TokenTree::Ident(word) => Kind::Word(word.to_string()),
            TokenTree::Punct(sign) => Kind::Sign(sign.as_char()),
            TokenTree::Literal(literal) => Kind::Literal(literal.to_string()),
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ('(', ')'),
                    Delimiter::Brace => ('{', '}'),
                    Delimiter::Bracket => ('[', ']'),
                    Delimiter::None => (' ', ' '),
                };
                tokens.push(Token { kind: Kind::Sign(open), line });
                flatten(group.stream(), tokens);
                tokens.push(Token { kind: Kind::Sign(close), line: group.span_close().start().line });
                continue;
            }
        };
        tokens.push(Token { kind, line });
    }
}

/// Whether the tokens at `at` are these words and signs.
pub fn matches(tokens: &[Token], at: usize, pattern: &[&str]) -> bool {
    pattern.iter().enumerate().all(|(offset, expected)| {
        tokens.get(at + offset).is_some_and(|token| match &token.kind {
            Kind::Word(word) => word == expected,
            Kind::Sign(sign) => expected.chars().eq([*sign]),
            Kind::Literal(_) => false,
        })
    })
}

/// The tokens without what only tests compile: items under `#[cfg(test)]` or `#[test]`.
pub fn without_tests(tokens: &[Token]) -> Vec<Token> {
    if matches(tokens, 0, &["#", "!", "[", "cfg", "(", "test", ")", "]"]) {
        return Vec::new();
    }
    let mut live = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_attribute(tokens, at) {
            at = after_item(tokens, at);
        } else {
            live.push(tokens[at].clone());
            at += 1;
        }
    }
    live
}

fn is_test_attribute(tokens: &[Token], at: usize) -> bool {
    [
        &["#", "[", "test", "]"][..],
        &["#", "[", "cfg", "(", "test", ")", "]"],
        &["#", "[", "cfg", "(", "all", "(", "test"],
    ]
    .iter()
    .any(|pattern| matches(tokens, at, pattern))
}

/// Where the item ends whose first attribute is at `at`: after its semicolon, or after its body.
fn after_item(tokens: &[Token], mut at: usize) -> usize {
    while matches(tokens, at, &["#", "["]) {
        at = after_group(tokens, at + 1);
    }
    // The braces of `use a::{b, c};` and of `const X: T = T { … };` are not a body.
    let ends_with_semicolon = ["use", "const", "static", "type"]
        .iter()
        .any(|word| matches(tokens, at, &[word]) || matches(tokens, at, &["pub", word]))
        && !matches(tokens, at, &["const", "fn"]);
    while at < tokens.len() {
        let token = &tokens[at];
        if token.is(';') {
            return at + 1;
        }
        if token.is('{') && !ends_with_semicolon {
            return after_group(tokens, at);
        }
        at = if token.is('(') || token.is('[') || token.is('{') { after_group(tokens, at) } else { at + 1 };
    }
    at
}

/// Where the group ends that opens at `at`.
fn after_group(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (offset, token) in tokens[at..].iter().enumerate() {
        match token.kind {
            Kind::Sign('(' | '[' | '{') => depth += 1,
            Kind::Sign(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + offset + 1;
        }
    }
    tokens.len()
}

/// Every path that the tokens mention, as its segments, with its line; the trees of `use` are unfolded.
pub fn paths(tokens: &[Token]) -> Vec<(Vec<String>, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if matches(tokens, at, &["use"]) && !matches(tokens, at + 1, &["<"]) {
            at = unfold(tokens, at + 1, &[], &mut found);
        } else if tokens[at].word().is_some() {
            let (path, next) = straight(tokens, at);
            found.push((path, tokens[at].line));
            at = next;
        } else {
            at += 1;
        }
    }
    found
}

/// `a::b::c` from `at`, and where it ends.
fn straight(tokens: &[Token], mut at: usize) -> (Vec<String>, usize) {
    let mut path = Vec::new();
    while let Some(word) = tokens.get(at).and_then(Token::word) {
        path.push(word.to_owned());
        at += 1;
        if !(matches(tokens, at, &[":", ":"]) && tokens.get(at + 2).is_some_and(|next| next.word().is_some())) {
            break;
        }
        at += 2;
    }
    (path, at)
}

/// One tree of a `use`: what it names is noted, the place after it returned.
fn unfold(tokens: &[Token], mut at: usize, before: &[String], found: &mut Vec<(Vec<String>, usize)>) -> usize {
    if matches(tokens, at, &[":", ":"]) {
        at += 2;
    }
    let line = tokens.get(at).map_or(0, |token| token.line);
    let (path, next) = straight(tokens, at);
    at = next;
    let whole = [before, &path[..]].concat();
    if matches(tokens, at, &[":", ":"]) {
        at += 2;
    }
    if matches(tokens, at, &["{"]) {
        at += 1;
        while at < tokens.len() && !tokens[at].is('}') {
            at = unfold(tokens, at, &whole, found);
            if matches(tokens, at, &[","]) {
                at += 1;
            }
        }
        return at + 1;
    }
    if matches(tokens, at, &["*"]) {
        found.push(([&whole[..], &["*".to_owned()]].concat(), line));
        return at + 1;
    }
    found.push((whole, line));
    if matches(tokens, at, &["as"]) { at + 2 } else { at.max(next) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths_of(source: &str) -> Vec<String> {
        paths(&read(source).unwrap()).into_iter().map(|(path, _)| path.join("::")).collect()
    }

    #[test]
    fn uses_are_unfolded() {
        let source = "use std::{time::{Duration, Instant as I}, fs}; use ::a::*; pub use b;";
        let found = ["std::time::Duration", "std::time::Instant", "std::fs", "a::*", "pub", "b"];
        assert_eq!(paths_of(source), found);
    }

    #[test]
    fn strings_and_comments_are_no_code() {
        assert_eq!(paths_of("/// std::fs\n// std::fs\nconst A: &str = \"std::fs\";").concat(), "docconstAstr");
    }

    #[test]
    fn what_only_tests_compile_is_left_out() {
        let source =
            "fn a() {} #[cfg(test)] use x::{y}; #[cfg(test)] mod t { fn b() {} } #[test] fn c() { d() } fn e() {}";
        let live: Vec<_> =
            without_tests(&read(source).unwrap()).iter().filter_map(|t| t.word().map(str::to_owned)).collect();
        assert_eq!(live, ["fn", "a", "fn", "e"]);
        assert!(without_tests(&read("#![cfg(test)] fn a() {}").unwrap()).is_empty());
    }
}
