//! JSON as Jayway's filters take it. The lists and objects of a filter (`@.sku in ['A1', B2]`) are read by json-smart in
//! its permissive mode: single quotes, no quotes, missing elements and leading zeros are all fine.

use serde_json::{Map, Number, Value};

use crate::cursor::unescape;
use crate::limits::MAX_NESTING;

/// `None` for what even json-smart refuses.
pub(crate) fn parse(text: &str) -> Option<Value> {
    let mut reader = Reader { chars: text.chars().collect(), position: 0 };
    reader.skip();
    reader.value("", 0)
}

struct Reader {
    chars: Vec<char>,
    position: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.position).copied()
    }

    fn skip(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_whitespace()) {
            self.position += 1;
        }
    }

    fn value(&mut self, stops: &str, depth: usize) -> Option<Value> {
        if depth > MAX_NESTING {
            return None;
        }
        match self.peek()? {
            '{' => self.object(depth),
            '[' => self.array(depth),
            quote @ ('\'' | '"') => self.quoted(quote).map(Value::String),
            '}' | ']' | ':' => None,
            _ => Some(bare_value(&self.bare(stops))),
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        self.position += 1;
        let mut items = Vec::new();
        loop {
            self.skip();
            match self.peek()? {
                ']' => {
                    self.position += 1;
                    return Some(Value::Array(items));
                }
                ',' => self.position += 1,
                _ => items.push(self.value(",]", depth + 1)?),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.position += 1;
        let mut members = Map::new();
        loop {
            self.skip();
            let name = match self.peek()? {
                '}' => {
                    self.position += 1;
                    return Some(Value::Object(members));
                }
                ',' => {
                    self.position += 1;
                    continue;
                }
                quote @ ('\'' | '"') => self.quoted(quote)?,
                ':' | ']' | '[' | '{' => return None,
                _ => self.bare(":"),
            };
            self.skip();
            if self.peek()? != ':' {
                return None;
            }
            self.position += 1;
            self.skip();
            members.insert(name, self.value(",}", depth + 1)?);
        }
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let start = self.position + 1;
        let mut end = start;
        loop {
            match *self.chars.get(end)? {
                '\\' => end += 2,
                c if c == quote => break,
                _ => end += 1,
            }
        }
        self.position = end + 1;
        unescape(&self.chars[start..end].iter().collect::<String>()).ok()
    }

    fn bare(&mut self, stops: &str) -> String {
        let start = self.position;
        while self.peek().is_some_and(|c| !stops.contains(c)) {
            self.position += 1;
        }
        let text: String = self.chars[start..self.position].iter().collect();
        text.trim_end().to_owned()
    }
}

fn bare_value(text: &str) -> Value {
    match text {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => bare_number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

fn bare_number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        let int = text.parse::<i64>().map(Number::from);
        return int.or_else(|_| text.parse::<u64>().map(Number::from)).ok().or_else(|| float(text));
    }
    if digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-')) {
        return float(text);
    }
    None
}

fn float(text: &str) -> Option<Number> {
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lenient() {
        let check = |text: &str, expected: Value| assert_eq!(parse(text), Some(expected), "{text}");
        check("[1, 'a', \"b\", true, null]", json!([1, "a", "b", true, null]));
        check("[a b, c]", json!(["a b", "c"]));
        check("[1,,2,]", json!([1, 2]));
        check("[01, -2, 1.50, 1e2, 1-1]", json!([1, -2, 1.5, 100.0, "1-1"]));
        check(r"['it\'s', 'A']", json!(["it's", "A"]));
        check("{a: 1, 'b': [x], \"c\": {}}", json!({"a": 1, "b": ["x"], "c": {}}));
        check("[12345678901234567890]", json!([12_345_678_901_234_567_890_u64]));
        check("[]", json!([]));
    }

    #[test]
    fn refused() {
        for text in ["[", "[}", "{a}", "{a:}", "['a", "{:1}", "[{]"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse(&"[".repeat(100_000)), None);
    }
}
