//! Text of a `.$` field into a [`Path`] or an [`Intrinsic`], as strictly as AWS reads it when a machine is created.
//!
//! A path begins with `$`; `$$` reads the context object and `$name` a variable, and what follows is JSONPath. An
//! intrinsic is `States.Function(argument, …)`. AWS refuses unknown functions, wrong syntax and unknown escapes at
//! creation, but the number and the kinds of the arguments only when the call is evaluated, so nothing of that is
//! checked here.

use jsonpath::HeadPath;
use serde_json::{Number, Value};

use crate::{Argument, Dynamic, Function, Intrinsic, Path};

/// Calls within calls; AWS: "you can nest up to 10 intrinsic functions within a field in your workflows".
pub const MAX_NESTED_CALLS: usize = 10;

/// Why a text is neither a path nor a call, and at which byte of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at offset {offset})")]
pub struct ParseError {
    pub message: String,
    pub offset: usize,
}

impl ParseError {
    fn new(message: impl Into<String>, offset: usize) -> ParseError {
        ParseError { message: message.into(), offset }
    }

    fn moved(mut self, by: usize) -> ParseError {
        self.offset += by;
        self
    }
}

impl Path {
    /// `$…`, `$$…` or `$name…`.
    pub fn parse(text: &str) -> Result<Path, ParseError> {
        let trimmed = text.trim_start();
        let indent = text.len() - trimmed.len();
        let path = HeadPath::parse(trimmed.trim_end())
            .map_err(|error| ParseError::new(error.message, (error.offset + indent).min(text.len())))?;
        Ok(Path { text: text.into(), head: path.head().clone(), path: path.path().clone() })
    }
}

impl Dynamic {
    /// What stands behind a `.$` field: a path or a call.
    pub fn parse(text: &str) -> Result<Dynamic, ParseError> {
        if text.trim_start().starts_with('$') {
            Path::parse(text).map(Dynamic::Path)
        } else {
            Intrinsic::parse(text).map(|call| Dynamic::Intrinsic(Box::new(call)))
        }
    }
}

impl Intrinsic {
    pub fn parse(text: &str) -> Result<Intrinsic, ParseError> {
        let mut parser = Parser { text, at: 0 };
        parser.skip_space();
        let call = parser.call(0)?;
        parser.skip_space();
        match parser.peek() {
            None => Ok(call),
            Some(_) => Err(parser.fail("nothing may follow the call")),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn call(&mut self, depth: usize) -> Result<Intrinsic, ParseError> {
        if depth > MAX_NESTED_CALLS {
            return Err(self.fail(format!("calls may be nested {MAX_NESTED_CALLS} deep at most")));
        }
        let start = self.at;
        let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '.');
        let function = Function::named(name)
            .ok_or_else(|| ParseError::new(format!("'{name}' is not an intrinsic function"), start))?;
        self.skip_space();
        self.expect('(')?;
        self.skip_space();
        let mut arguments = Vec::new();
        if self.peek() == Some(')') {
            self.at += 1;
        } else {
            loop {
                let keep_escapes = function == Function::Format && arguments.is_empty();
                arguments.push(self.argument(depth, keep_escapes)?);
                self.skip_space();
                match self.peek() {
                    Some(',') => self.at += 1,
                    Some(')') => break self.at += 1,
                    _ => return Err(self.fail("expected ',' or ')'")),
                }
            }
        }
        Ok(Intrinsic { text: self.text[start..self.at].into(), function, arguments })
    }

    fn argument(&mut self, depth: usize, keep_escapes: bool) -> Result<Argument, ParseError> {
        self.skip_space();
        match self.peek() {
            Some('\'') => self.string(keep_escapes).map(|text| Argument::Literal(Value::String(text))),
            Some('$') => self.path().map(Argument::Path),
            Some(c) if c == '-' || c.is_ascii_digit() => self.number().map(|n| Argument::Literal(Value::Number(n))),
            Some('S') => self.call(depth + 1).map(|call| Argument::Call(Box::new(call))),
            _ => {
                let start = self.at;
                let value = match self.take_while(|c| c.is_ascii_alphabetic()) {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    "null" => Value::Null,
                    _ => return Err(ParseError::new("expected a string, a number, a path or a call", start)),
                };
                Ok(Argument::Literal(value))
            }
        }
    }

    /// A string in single quotes. The template of `States.Format` keeps its escapes: there `\{` differs from `{`.
    fn string(&mut self, keep_escapes: bool) -> Result<String, ParseError> {
        let start = self.at;
        self.at += 1;
        let mut out = String::new();
        while let Some(c) = self.peek() {
            match c {
                '\'' => {
                    self.at += 1;
                    return Ok(out);
                }
                '\\' => {
                    self.at += 1;
                    let escaped = self.peek().filter(|c| matches!(c, '\'' | '\\' | '{' | '}'));
                    let escaped = escaped.ok_or_else(|| self.fail(r"only \', \\, \{ and \} are escapes"))?;
                    if keep_escapes {
                        out.push('\\');
                    }
                    out.push(escaped);
                    self.at += 1;
                }
                _ => {
                    out.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        Err(ParseError::new("the string has no end", start))
    }

    fn number(&mut self) -> Result<Number, ParseError> {
        let start = self.at;
        let text = self.take_while(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
        serde_json::from_str(text).map_err(|_| ParseError::new(format!("'{text}' is not a number"), start))
    }

    /// A path ends before the `,` or `)` that is not its own: brackets, quotes and function calls may hold both.
    fn path(&mut self) -> Result<Path, ParseError> {
        let start = self.at;
        let (mut brackets, mut parens) = (0usize, 0usize);
        let mut quote: Option<char> = None;
        while let Some(c) = self.peek() {
            match (quote, c) {
                (Some(_), '\\') => {
                    self.at += 1;
                    if self.peek().is_none() {
                        break;
                    }
                }
                (Some(open), _) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') if brackets > 0 || parens > 0 => quote = Some(c),
                (None, '[') => brackets += 1,
                (None, ']') => brackets = brackets.saturating_sub(1),
                (None, '(') => parens += 1,
                (None, ')') if parens > 0 => parens -= 1,
                (None, ',' | ')') if brackets == 0 && parens == 0 => break,
                _ => {}
            }
            self.at += self.peek().map_or(0, char::len_utf8);
        }
        Path::parse(self.text[start..self.at].trim_end()).map_err(|error| error.moved(start))
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn expect(&mut self, wanted: char) -> Result<(), ParseError> {
        if self.peek() != Some(wanted) {
            return Err(self.fail(format!("expected '{wanted}'")));
        }
        self.at += wanted.len_utf8();
        Ok(())
    }

    fn fail(&self, message: impl Into<String>) -> ParseError {
        ParseError::new(message, self.at)
    }
}

/// The names of the functions, in the order of AWS's page.
const FUNCTIONS: [(&str, Function); 18] = [
    ("States.Array", Function::Array),
    ("States.ArrayPartition", Function::ArrayPartition),
    ("States.ArrayContains", Function::ArrayContains),
    ("States.ArrayRange", Function::ArrayRange),
    ("States.ArrayGetItem", Function::ArrayGetItem),
    ("States.ArrayLength", Function::ArrayLength),
    ("States.ArrayUnique", Function::ArrayUnique),
    ("States.Base64Encode", Function::Base64Encode),
    ("States.Base64Decode", Function::Base64Decode),
    ("States.Hash", Function::Hash),
    ("States.JsonMerge", Function::JsonMerge),
    ("States.StringToJson", Function::StringToJson),
    ("States.JsonToString", Function::JsonToString),
    ("States.MathRandom", Function::MathRandom),
    ("States.MathAdd", Function::MathAdd),
    ("States.StringSplit", Function::StringSplit),
    ("States.UUID", Function::Uuid),
    ("States.Format", Function::Format),
];

impl Function {
    /// The function that AWS calls so, `States.` included.
    pub fn named(name: &str) -> Option<Function> {
        FUNCTIONS.iter().find(|(known, _)| *known == name).map(|&(_, function)| function)
    }

    /// Its name, `States.` included.
    pub fn name(self) -> &'static str {
        FUNCTIONS.iter().find(|(_, function)| *function == self).map_or("", |(name, _)| name)
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Function> {
        FUNCTIONS.iter().map(|&(_, function)| function)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a call looks like after parsing, one argument a line.
    fn shape(text: &str) -> String {
        fn show(call: &Intrinsic) -> String {
            let arguments: Vec<String> = call
                .arguments
                .iter()
                .map(|argument| match argument {
                    Argument::Literal(value) => value.to_string(),
                    Argument::Path(path) => format!("path {}", path.text),
                    Argument::Call(call) => show(call),
                })
                .collect();
            format!("{}[{}]", call.function.name(), arguments.join(" | "))
        }
        match Intrinsic::parse(text) {
            Ok(call) => show(&call),
            Err(error) => format!("{error}"),
        }
    }

    #[test]
    fn calls_are_read() {
        let cases = [
            ("States.UUID()", "States.UUID[]"),
            ("States.UUID( )", "States.UUID[]"),
            ("States.Array( $.a , $.b )", "States.Array[path $.a | path $.b]"),
            ("States.Array(1,-2.5,1e3,true,false,null)", "States.Array[1 | -2.5 | 1000.0 | true | false | null]"),
            (r"States.Array('it\'s', 'a\\b', '\{\}')", r#"States.Array["it's" | "a\\b" | "{}"]"#),
            (r"States.Format('\{\} {}', $.a)", r#"States.Format["\\{\\} {}" | path $.a]"#),
            (r#"States.StringToJson('{"a": "b"}')"#, r#"States.StringToJson["{\"a\": \"b\"}"]"#),
            ("States.StringSplit('Hello\nWorld', '\n')", r#"States.StringSplit["Hello\nWorld" | "\n"]"#),
            (
                "States.ArrayGetItem(States.StringSplit($$.StateMachine.Name, '-'), 0)",
                "States.ArrayGetItem[States.StringSplit[path $$.StateMachine.Name | \"-\"] | 0]",
            ),
            (
                "States.Array($['a,b)'], $.x[?(@.k == 'v,)')].z)",
                "States.Array[path $['a,b)'] | path $.x[?(@.k == 'v,)')].z]",
            ),
            ("States.Array($.a.length(), 1)", "States.Array[path $.a.length() | 1]"),
        ];
        for (text, wanted) in cases {
            assert_eq!(shape(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_aws_refuses_at_creation() {
        let cases = [
            // Recorded: ESCAPE_SEQUENCES_ILLEGAL_INTRINSIC_FUNCTION and …_2.
            (r#"States.StringToJson('{"text":"An \"escaped double quote\" here"}')"#, 34),
            (r#"States.Format('He said, \"Hello, {}!\"', 'Test \"Name\" Here')"#, 25),
            (r"States.Base64Decode('YWJj\nZA==')", 26),
            ("States.NoSuch($.a)", 0),
            ("Format('{}')", 0),
            ("States.Array(", 13),
            ("States.Array($.a) trailing", 18),
            ("States.Array($.a, )", 18),
            ("States.Array([1,2])", 13),
            ("States.Array(1.)", 13),
            ("States.Array(.5)", 13),
            ("States.Array('open)", 13),
            ("States.UUID", 11),
            ("States.UUID)", 11),
            ("States.UUID(,)", 12),
            ("", 0),
            ("not-a-path", 0),
        ];
        for (text, offset) in cases {
            let error = Dynamic::parse(text).expect_err(text);
            assert_eq!(error.offset, offset, "{text}: {error}");
        }
    }

    #[test]
    fn calls_nest_ten_deep() {
        let nested = |n: usize| format!("{}1{}", "States.Array(".repeat(n + 1), ")".repeat(n + 1));
        assert!(Intrinsic::parse(&nested(MAX_NESTED_CALLS)).is_ok());
        assert!(Intrinsic::parse(&nested(MAX_NESTED_CALLS + 1)).is_err());
    }

    #[test]
    fn heads_tell_the_document() {
        use jsonpath::Head;
        assert!(matches!(Path::parse("$").unwrap().head, Head::Input));
        assert!(matches!(Path::parse("$.a.b").unwrap().head, Head::Input));
        assert!(matches!(Path::parse("$['a b']").unwrap().head, Head::Input));
        assert!(matches!(Path::parse("$$").unwrap().head, Head::Context));
        assert!(matches!(Path::parse("$$.Execution.Id").unwrap().head, Head::Context));
        let Head::Variable(name) = Path::parse("$größe.x[0]").unwrap().head else { panic!("a variable") };
        assert_eq!(&*name, "größe");
        assert_eq!(&*Path::parse("$$.Execution.Id").unwrap().text, "$$.Execution.Id");
    }

    #[test]
    fn every_function_has_one_name() {
        assert_eq!(Function::all().count(), 18);
        for function in Function::all() {
            assert_eq!(Function::named(function.name()), Some(function));
        }
    }
}
