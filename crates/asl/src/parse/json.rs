//! JSON text → tree, complaining as Jackson does.
//!
//! AWS reads definitions with Jackson and hands its words to the author (`Unrecognized token 'not': was expecting …\n
//! at [Source: (String)"not a definition"; line: 1, column: 4]`), so this reader knows Jackson's words and its way of
//! counting: a column is where reading had got to, one past the character that was wrong. No JSON library keeps both
//! the places of all values and those texts, hence an own one. It stops at the first mistake, as Jackson does.

use std::collections::HashMap;

use serde_json::Number;

use super::tree::{Json, MAX_DEPTH, Member, Node, Span};

/// How much of a text Jackson shows in `[Source: …]`.
const SNIPPET_CHARS: usize = 500;

/// How much of an unknown token Jackson shows.
const TOKEN_CHARS: usize = 256;

const VALUES: &str = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')";

/// Why a text is not JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyntaxError {
    /// Jackson's message, with its location in a second line.
    pub message: String,
    /// Jackson's location alone: `[Source: (String)"…"; line: 1, column: 4]`.
    pub location: String,
    /// The bytes that are wrong.
    pub span: Span,
    /// The nesting is deeper than [`MAX_DEPTH`].
    pub too_deep: bool,
}

/// What to do with a name that an object has twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duplicates {
    /// An error: what AWS does with a definition.
    Refuse,
    /// The last one counts.
    LastWins,
}

/// Reads one JSON document. `Ok(None)`: there is nothing but white space.
pub fn read(text: &str, duplicates: Duplicates) -> Result<Option<Node>, SyntaxError> {
    let mut reader = Reader { text, at: 0, depth: 0, duplicates };
    reader.skip_space();
    if reader.peek().is_none() {
        return Ok(None);
    }
    let node = reader.value("root")?;
    reader.skip_space();
    if reader.peek().is_some() {
        let start = reader.at;
        reader.value("root")?;
        let message = "Trailing token found after the end of the definition: not allowed as per \
                       `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`";
        return Err(reader.fail(message, start..reader.at));
    }
    Ok(Some(node))
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    duplicates: Duplicates,
}

type Read<T> = Result<T, SyntaxError>;

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.at += found.len_utf8();
        Some(found)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t' | '\n' | '\r')) {
            self.at += 1;
        }
    }

    /// A value; `inside` is Jackson's word for what holds it.
    fn value(&mut self, inside: &'static str) -> Read<Node> {
        let start = self.at;
        let Some(first) = self.next() else {
            return Err(self.end(&format!(" within/between {inside} entries")));
        };
        let json = match first {
            '{' => self.nested(start, Self::object)?,
            '[' => self.nested(start, Self::array)?,
            '"' => Json::String(self.string("string value")?),
            '-' | '0'..='9' => self.number(start, first)?,
            't' => self.token(start, "true", Json::Bool(true))?,
            'f' => self.token(start, "false", Json::Bool(false))?,
            'n' => self.token(start, "null", Json::Null)?,
            ']' | '}' if inside == "root" => return Err(self.mismatched(first, '}', "root", 0)),
            'N' if self.text[start..].starts_with("NaN") => return Err(self.non_standard(start, "NaN")),
            'I' if self.text[start..].starts_with("Infinity") => return Err(self.non_standard(start, "Infinity")),
            other if is_identifier_start(other) => return Err(self.unrecognized(start)),
            other => return Err(self.unexpected(other, &format!("expected a valid value {VALUES}"))),
        };
        Ok(Node { json, span: start..self.at })
    }

    fn nested(&mut self, start: usize, read: fn(&mut Self, usize) -> Read<Json>) -> Read<Json> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("Document nesting depth ({}) exceeds the maximum allowed ({MAX_DEPTH})", self.depth);
            return Err(SyntaxError { too_deep: true, ..self.fail(&message, start..self.at) });
        }
        let json = read(self, start)?;
        self.depth -= 1;
        Ok(json)
    }

    fn object(&mut self, start: usize) -> Read<Json> {
        let mut members: Vec<Member> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        self.skip_space();
        if self.peek() == Some('}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            self.skip_space();
            let name_start = self.at;
            let name = match self.next() {
                Some('"') => self.string("name")?,
                Some(']') if members.is_empty() => return Err(self.mismatched(']', '}', "Object", start)),
                Some(other) => return Err(self.unexpected(other, "was expecting double-quote to start field name")),
                None if members.is_empty() => return Err(self.unclosed("Object", start)),
                None => return Err(self.end(" within/between Object entries")),
            };
            let name_span = name_start..self.at;
            let place = *places.entry(name.clone()).or_insert(members.len());
            if place < members.len() && self.duplicates == Duplicates::Refuse {
                return Err(self.fail(&format!("Duplicate field '{name}'"), name_span));
            }
            self.skip_space();
            match self.next() {
                Some(':') => {}
                Some(other) => {
                    return Err(self.unexpected(other, "was expecting a colon to separate field name and value"));
                }
                None => return Err(self.end(" within/between Object entries")),
            }
            self.skip_space();
            let member = Member { name, name_span, value: self.value("Object")? };
            match members.get_mut(place) {
                Some(known) => *known = member,
                None => members.push(member),
            }
            self.skip_space();
            match self.next() {
                Some(',') => {}
                Some('}') => return Ok(Json::Object(members)),
                Some(']') => return Err(self.mismatched(']', '}', "Object", start)),
                Some(other) => return Err(self.unexpected(other, "was expecting comma to separate Object entries")),
                None => return Err(self.unclosed("Object", start)),
            }
        }
    }

    fn array(&mut self, start: usize) -> Read<Json> {
        let mut elements = Vec::new();
        self.skip_space();
        match self.peek() {
            Some(']') => {
                self.at += 1;
                return Ok(Json::Array(elements));
            }
            Some('}') => {
                self.at += 1;
                return Err(self.mismatched('}', ']', "Array", start));
            }
            None => return Err(self.unclosed("Array", start)),
            _ => {}
        }
        loop {
            self.skip_space();
            elements.push(self.value("Array")?);
            self.skip_space();
            match self.next() {
                Some(',') => {}
                Some(']') => return Ok(Json::Array(elements)),
                Some('}') => return Err(self.mismatched('}', ']', "Array", start)),
                Some(other) => return Err(self.unexpected(other, "was expecting comma to separate Array entries")),
                None => return Err(self.unclosed("Array", start)),
            }
        }
    }

    /// The rest of a string after its quote; `what` is Jackson's word for it.
    fn string(&mut self, what: &'static str) -> Read<String> {
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ').unwrap_or(rest.len());
            text.push_str(&rest[..plain]);
            self.at += plain;
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(control) => {
                    let message = format!(
                        "Illegal unquoted character ({}): has to be escaped using backslash to be included in {what}",
                        describe(control)
                    );
                    return Err(self.fail(&message, self.at - 1..self.at));
                }
                None if what == "name" => return Err(self.end(" in field name")),
                None => return Err(self.end(": was expecting closing quote for a string value")),
            }
        }
    }

    fn escape(&mut self) -> Read<char> {
        let start = self.at;
        let Some(letter) = self.next() else {
            return Err(self.end(" in character escape sequence"));
        };
        Ok(match letter {
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            '"' | '/' | '\\' => letter,
            'u' => {
                let high = self.hex4()?;
                if !(0xD800..0xDC00).contains(&high) || !self.text[self.at..].starts_with("\\u") {
                    // A lone surrogate is no character: Java keeps it, UTF-8 cannot.
                    return Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                let before_low = self.at;
                self.at += 2;
                let low = self.hex4()?;
                if !(0xDC00..0xE000).contains(&low) {
                    self.at = before_low;
                    return Ok(char::REPLACEMENT_CHARACTER);
                }
                let point = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => {
                let message = format!("Unrecognized character escape {}", describe(other));
                return Err(self.fail(&message, start..self.at));
            }
        })
    }

    fn hex4(&mut self) -> Read<u32> {
        let mut value = 0;
        for _ in 0..4 {
            let Some(digit) = self.next() else {
                return Err(self.end(" in character escape sequence"));
            };
            let Some(digit_value) = digit.to_digit(16) else {
                return Err(self.unexpected(digit, "expected a hex-digit for character escape sequence"));
            };
            value = value * 16 + digit_value;
        }
        Ok(value)
    }

    fn number(&mut self, start: usize, first: char) -> Read<Json> {
        if first == '-' && !matches!(self.peek(), Some('0'..='9')) {
            let Some(other) = self.next() else { return Err(self.end(" in a value")) };
            return Err(self.bad_number(other, "expected digit (0-9) to follow minus sign, for valid numeric value"));
        }
        let digits = start + usize::from(first == '-');
        self.digits();
        if self.text[digits..self.at].len() > 1 && self.text[digits..].starts_with('0') {
            return Err(self.fail("Invalid numeric value: Leading zeroes not allowed", start..self.at));
        }
        if self.peek() == Some('.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.no_digit("Decimal point not followed by a digit"));
            }
        }
        if matches!(self.peek(), Some('e' | 'E')) {
            self.at += 1;
            if matches!(self.peek(), Some('+' | '-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(self.no_digit("Exponent indicator not followed by a digit"));
            }
        }
        match serde_json::from_str::<Number>(&self.text[start..self.at]) {
            Ok(number) => Ok(Json::Number(number)),
            Err(_) => {
                let message = format!("Numeric value ({}) out of range of double", &self.text[start..self.at]);
                Err(self.fail(&message, start..self.at))
            }
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some('0'..='9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn no_digit(&mut self, comment: &str) -> SyntaxError {
        match self.next() {
            Some(other) => self.bad_number(other, comment),
            None => self.end(" in a value"),
        }
    }

    fn token(&mut self, start: usize, token: &str, json: Json) -> Read<Json> {
        if !self.text[start..].starts_with(token) {
            return Err(self.unrecognized(start));
        }
        self.at = start + token.len();
        if self.peek().is_some_and(is_identifier_part) {
            return Err(self.unrecognized(start));
        }
        Ok(json)
    }

    fn unrecognized(&mut self, start: usize) -> SyntaxError {
        self.at = start;
        let mut token = String::new();
        while let Some(part) = self.peek().filter(|c| is_identifier_part(*c)) {
            self.at += part.len_utf8();
            token.push(part);
            if token.chars().count() >= TOKEN_CHARS {
                token.push_str("...");
                break;
            }
        }
        self.fail(&format!("Unrecognized token '{token}': was expecting {VALUES}"), start..self.at)
    }

    fn non_standard(&mut self, start: usize, token: &str) -> SyntaxError {
        self.at = start + token.len();
        let message =
            format!("Non-standard token '{token}': enable JsonParser.Feature.ALLOW_NON_NUMERIC_NUMBERS to allow");
        self.fail(&message, start..self.at)
    }

    fn unexpected(&self, found: char, comment: &str) -> SyntaxError {
        let message = format!("Unexpected character ({}): {comment}", describe(found));
        self.fail(&message, self.at - found.len_utf8()..self.at)
    }

    fn bad_number(&self, found: char, comment: &str) -> SyntaxError {
        let message = format!("Unexpected character ({}) in numeric value: {comment}", describe(found));
        self.fail(&message, self.at - found.len_utf8()..self.at)
    }

    fn mismatched(&self, found: char, expected: char, inside: &str, start: usize) -> SyntaxError {
        let source = source(self.text, start);
        let message =
            format!("Unexpected close marker '{found}': expected '{expected}' (for {inside} starting at {source})");
        self.fail(&message, self.at - 1..self.at)
    }

    fn unclosed(&self, what: &str, start: usize) -> SyntaxError {
        let source = source(self.text, start);
        self.end(&format!(": expected close marker for {what} (start marker at {source})"))
    }

    fn end(&self, rest: &str) -> SyntaxError {
        self.fail(&format!("Unexpected end-of-input{rest}"), self.text.len()..self.text.len())
    }

    fn fail(&self, message: &str, span: Span) -> SyntaxError {
        let location = source(self.text, self.at);
        SyntaxError { message: format!("{message}\n at {location}"), location, span, too_deep: false }
    }
}

/// Jackson's description of a place: the start of the text, the line, the column in UTF-16 units.
pub(super) fn source(text: &str, at: usize) -> String {
    let mut line = 1;
    let mut row_start = 0;
    for (index, byte) in text.as_bytes()[..at].iter().enumerate() {
        let ends_line = *byte == b'\n' || (*byte == b'\r' && text.as_bytes().get(index + 1) != Some(&b'\n'));
        if ends_line {
            line += 1;
            row_start = index + 1;
        }
    }
    let column = text[row_start..at].encode_utf16().count() + 1;
    let shown: String = text.chars().take(SNIPPET_CHARS).collect();
    let more = text[shown.len()..].encode_utf16().count();
    let truncated = if more > 0 { format!("[truncated {more} chars]") } else { String::new() };
    format!("[Source: (String)\"{shown}\"{truncated}; line: {line}, column: {column}]")
}

fn describe(found: char) -> String {
    let point = found as u32;
    match found {
        control if control.is_control() => format!("(CTRL-CHAR, code {point})"),
        _ if point > 255 => format!("'{found}' (code {point} / 0x{point:x})"),
        _ => format!("'{found}' (code {point})"),
    }
}

/// Java's idea of where an identifier may begin.
fn is_identifier_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

/// Java's idea of how an identifier goes on.
fn is_identifier_part(c: char) -> bool {
    is_identifier_start(c) || c.is_numeric()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(text: &str) -> String {
        match read(text, Duplicates::Refuse) {
            Err(error) => error.message,
            Ok(node) => panic!("{text} was read: {node:?}"),
        }
    }

    /// The first text is AWS's own answer; the others are Jackson's as its users quote them.
    #[test]
    fn broken_json_is_told_in_jacksons_words() {
        let cases = [
            "not a definition",
            "{not json",
            "{\"a\":1,}",
            "[1,]",
            "{\"a\" 1}",
            "{\"a\":1 \"b\":2}",
            "[1 2]",
            "{",
            "[",
            "{\"a\":",
            "{\"a\":1,",
            "{\"a",
            "\"a",
            "{]",
            "[}",
            "]",
            "\"\\x\"",
            "\"\\u00g0\"",
            "\"a\nb\"",
            "01",
            "-x",
            "1.x",
            "1e",
            "nul",
            "truex",
            "NaN",
            "%",
            "{\"a\":1,\r\n\"ä\":é}",
            "{\"a\":1,\"a\":2}",
            "{} {}",
            "{} x",
        ];
        let story: String =
            cases.iter().map(|text| format!("{text:?}\n  {}\n", message(text).replace('\n', "\n  "))).collect();
        insta::assert_snapshot!(story);
    }

    #[test]
    fn a_long_text_is_shown_in_part() {
        let text = format!("{{\"a\": \"{}\"", "x".repeat(600));
        assert!(message(&text).contains("\"[truncated 108 chars]; line: 1, column: 609]"), "{}", message(&text));
    }

    #[test]
    fn every_value_knows_its_bytes() {
        let text = " {\"ä\": [1, -2.5e1, true, null, \"\\u00e9\\ud83d\\ude00\"]} ";
        let node = read(text, Duplicates::Refuse).unwrap().unwrap();
        assert_eq!(node.to_value(), json!({"ä": [1, -25.0, true, null, "é😀"]}));
        let list = node.get("ä").unwrap();
        let bytes: Vec<&str> = list.elements().iter().map(|element| &text[element.span.clone()]).collect();
        assert_eq!(bytes, ["1", "-2.5e1", "true", "null", "\"\\u00e9\\ud83d\\ude00\""]);
        assert_eq!(&text[node.members()[0].name_span.clone()], "\"ä\"");
    }

    #[test]
    fn nothing_is_not_a_mistake_of_json() {
        assert!(read("", Duplicates::Refuse).unwrap().is_none());
        assert!(read(" \n", Duplicates::Refuse).unwrap().is_none());
    }

    #[test]
    fn hostile_nesting_ends_early() {
        let error = read(&"[".repeat(1 << 20), Duplicates::Refuse).unwrap_err();
        assert!(error.too_deep);
        let depth = format!("{}{}", "[".repeat(MAX_DEPTH), "]".repeat(MAX_DEPTH));
        assert!(read(&depth, Duplicates::Refuse).is_ok());
    }

    #[test]
    fn of_two_names_the_last_counts_when_they_are_let_through() {
        let node = read("{\"a\":1,\"a\":2}", Duplicates::LastWins).unwrap().unwrap();
        assert_eq!(node.get("a").unwrap().to_value(), json!(2));
        assert_eq!(node.to_value(), json!({"a": 2}));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\",:0-9a-z\\\\ .\\-+u\u{0}-\u{20}é😀]{0,40}") {
            let _ = read(&text, Duplicates::Refuse);
        }

        #[test]
        fn what_serde_reads_is_read_the_same(text in "\\PC{0,40}") {
            let text = serde_json::to_string(&json!({"k": [text, 1.5, -3, {"n": null}]})).unwrap();
            let node = read(&text, Duplicates::Refuse).unwrap().unwrap();
            proptest::prop_assert_eq!(node.to_value(), serde_json::from_str::<serde_json::Value>(&text).unwrap());
        }
    }
}
