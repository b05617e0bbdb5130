//! `${Name}`: the holes that CloudFormation, SAM and Terraform fill before a definition reaches AWS.

use crate::parse::tree::Span;

/// One hole and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placeholder {
    pub name: String,
    pub span: Span,
}

/// All holes of a text, in its order.
pub fn placeholders(text: &str) -> Vec<Placeholder> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find("${").map(|offset| at + offset) {
        let inside = start + 2;
        let Some(length) = text[inside..].find(['}', '"', '\n', '$']) else { break };
        let end = inside + length;
        if text[end..].starts_with('}') && length > 0 {
            found.push(Placeholder { name: text[inside..end].to_owned(), span: start..end + 1 });
        }
        at = end;
    }
    found
}

/// Fills the holes that have a value; others stay. Values enter as they are: inside quotes the caller escapes them.
pub fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut at = 0;
    for hole in placeholders(text) {
        filled.push_str(&text[at..hole.span.start]);
        match value(&hole.name) {
            Some(value) => filled.push_str(&value),
            None => filled.push_str(&text[hole.span.clone()]),
        }
        at = hole.span.end;
    }
    filled.push_str(&text[at..]);
    filled
}

pub(super) fn has(text: &str) -> bool {
    !placeholders(text).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_found_and_filled() {
        let text = "{\"a\": \"arn:${Partition}:x:${Name}\", \"b\": \"${ open\", \"c\": \"${}${Name}\"}";
        let names: Vec<String> = placeholders(text).into_iter().map(|hole| hole.name).collect();
        assert_eq!(names, ["Partition", "Name", "Name"]);
        let filled = fill(text, |name| (name == "Name").then(|| "n".to_owned()));
        assert_eq!(filled, "{\"a\": \"arn:${Partition}:x:n\", \"b\": \"${ open\", \"c\": \"${}n\"}");
    }
}
