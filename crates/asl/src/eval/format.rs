//! `States.Format`: a template with `{}` for each further argument.
//!
//! A literal template comes with its escapes still in it, because `\{` means a brace and `{` the start of a
//! placeholder; a template that a path finds is read the same way.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;

use super::functions::Refusal;
use super::java;

/// Text, then placeholder, then text, …: one text more than there are placeholders.
fn texts(template: &str) -> Result<Vec<String>, Refusal> {
    let invalid = |what: &str| Refusal::Said(format!("Invalid template in States.Format: {what}"));
    let mut texts = vec![String::new()];
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        let plain = match c {
            '\\' => chars.next_if(|c| matches!(c, '\'' | '\\' | '{' | '}')).unwrap_or('\\'),
            '{' => {
                if chars.next() != Some('}') {
                    return Err(invalid("matching '}' not found for '{'."));
                }
                texts.push(String::new());
                continue;
            }
            '}' => return Err(invalid("matching '{' not found for '}'.")),
            other => other,
        };
        texts.last_mut().expect("there is always a text").push(plain);
    }
    Ok(texts)
}

/// Fills a template. Each argument is already the text that stands for it.
pub(crate) fn fill<'t>(
    template: &str,
    arguments: impl ExactSizeIterator<Item = Cow<'t, str>>,
) -> Result<Value, Refusal> {
    let texts = texts(template)?;
    if texts.len() != arguments.len() + 1 {
        return Err(Refusal::Said(
            "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.".to_owned(),
        ));
    }
    let mut texts = texts.into_iter();
    let mut out = texts.next().unwrap_or_default();
    for (argument, text) in arguments.zip(texts) {
        let _ = write!(out, "{argument}{text}");
    }
    Ok(out.into())
}

/// How an argument is shown: text as it is, an object as Java shows a map.
pub(crate) fn shown(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(java::to_string(other)),
    }
}

/// The call on values alone.
pub(crate) fn from_values(arguments: &[Cow<'_, Value>]) -> Result<Value, Refusal> {
    match arguments.split_first().map(|(template, rest)| (&**template, rest)) {
        Some((Value::String(template), rest)) => fill(template, rest.iter().map(|value| shown(value))),
        _ => Err(Refusal::Arguments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, arguments: &[&str]) -> String {
        match fill(template, arguments.iter().map(|text| Cow::Borrowed(*text))) {
            Ok(value) => value.as_str().unwrap_or_default().to_owned(),
            Err(refusal) => refusal.text(crate::Function::Format),
        }
    }

    #[test]
    fn templates() {
        let no_close = "Invalid template in States.Format: matching '}' not found for '{'.";
        let no_open = "Invalid template in States.Format: matching '{' not found for '}'.";
        let count = "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.";
        let cases: [(&str, &[&str], &str); 13] = [
            ("no placeholders", &[], "no placeholders"),
            ("", &[], ""),
            ("{}", &["x"], "x"),
            ("  {}  ", &["x"], "  x  "),
            ("{}{}-{}", &["a", "b", "c"], "ab-c"),
            ("{}", &["{}"], "{}"),
            (r"\{\} {} it\'s \\", &["x"], r"{} x it's \"),
            (r"C:\dir {}", &["x"], r"C:\dir x"),
            ("Hello {", &["x"], no_close),
            ("Hello {{}}", &["x"], no_close),
            ("}", &[], no_open),
            ("{} {}", &["x"], count),
            ("{}", &["x", "y"], count),
        ];
        for (template, arguments, wanted) in cases {
            assert_eq!(filled(template, arguments), wanted, "{template}");
        }
    }
}
