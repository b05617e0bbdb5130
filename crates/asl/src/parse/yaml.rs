//! YAML text → tree, for `stepwell check` of definitions that people keep as YAML.
//!
//! Built from the parser's events without recursion. Anchors, aliases and merge keys (`<<`) work, within a budget, so
//! that a small text cannot unfold into a huge tree. Plain scalars follow YAML's core schema; a scalar with a tag of
//! its own (`!Sub`, `!Ref`) is a string, as what CloudFormation puts there is not known here.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::Number;

use super::tree::{Json, MAX_DEPTH, Member, Node, Span};

/// How many values a document may unfold to: more than a definition of 1 MiB can hold without aliases.
const MAX_NODES: usize = 1 << 20;

/// Why a text is not YAML that can be a definition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct YamlError {
    pub message: String,
    pub span: Span,
}

/// Reads the first document. `Ok(None)`: there is none.
pub fn read(text: &str) -> Result<Option<Node>, YamlError> {
    let places = Places::new(text);
    let mut builder = Builder { open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = places.byte(error.marker().index());
            YamlError { message: error.info().to_owned(), span: at..at }
        })?;
        let span = places.byte(span.start.index())..places.byte(span.end.index());
        builder.event(event, span)?;
        if builder.root.is_some() {
            break;
        }
    }
    Ok(builder.root)
}

/// The parser counts characters, spans are bytes.
struct Places(Vec<usize>);

impl Places {
    fn new(text: &str) -> Places {
        Places(text.char_indices().map(|(byte, _)| byte).chain([text.len()]).collect())
    }

    fn byte(&self, character: usize) -> usize {
        *self.0.get(character).or(self.0.last()).unwrap_or(&0)
    }
}

struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    root: Option<Node>,
}

/// A collection whose end has not come yet.
struct Open {
    start: usize,
    anchor: usize,
    nodes_before: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    /// The members, and a name that waits for its value.
    Mapping(Vec<Member>, Option<(String, Span)>),
}

impl Builder {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let core = tag.as_ref().is_none_or(|tag| tag.is_yaml_core_schema());
                let string = tag.as_ref().is_some_and(|tag| tag.suffix == "str");
                let plain = style == ScalarStyle::Plain && core && !string;
                let json = if plain { plain_scalar(&text) } else { Json::String(text.into_owned()) };
                self.nodes += 1;
                self.add(Node { json, span }, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => self.open(span, anchor, Content::Sequence(Vec::new())),
            Event::MappingStart(anchor, _) => self.open(span, anchor, Content::Mapping(Vec::new(), None)),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let json = match open.content {
                    Content::Sequence(elements) => Json::Array(elements),
                    Content::Mapping(members, _) => Json::Object(merge(members)),
                };
                let size = self.nodes - open.nodes_before;
                self.add(Node { json, span: open.start..span.end.max(open.start) }, open.anchor, size)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
                    return Err(YamlError { message: "an alias names an anchor that contains it".into(), span });
                };
                if self.open.len() + depth(&node) > MAX_DEPTH {
                    return Err(YamlError { message: format!("nested deeper than {MAX_DEPTH} levels"), span });
                }
                self.nodes += size;
                self.add(node, 0, size)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, span: Span, anchor: usize, content: Content) -> Result<(), YamlError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(YamlError { message: format!("nested deeper than {MAX_DEPTH} levels"), span });
        }
        self.open.push(Open { start: span.start, anchor, nodes_before: self.nodes, content });
        self.nodes += 1;
        Ok(())
    }

    /// Puts a finished value where it belongs; `size` is how many values it is made of.
    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), YamlError> {
        let span = node.span.clone();
        if self.nodes > MAX_NODES {
            return Err(YamlError { message: format!("unfolds to more than {MAX_NODES} values"), span });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some(Open { content: Content::Sequence(elements), .. }) => elements.push(node),
            Some(Open { content: Content::Mapping(members, waiting), .. }) => match waiting.take() {
                Some((name, name_span)) => members.push(Member { name, name_span, value: node }),
                None => {
                    let name = match node.json {
                        Json::String(name) => name,
                        Json::Null => "null".into(),
                        Json::Bool(value) => value.to_string(),
                        Json::Number(number) => number.to_string(),
                        Json::Array(_) | Json::Object(_) => {
                            return Err(YamlError { message: "a name must be a scalar".into(), span });
                        }
                    };
                    if members.iter().any(|known| known.name == name && name != "<<") {
                        return Err(YamlError { message: format!("Duplicate field '{name}'"), span });
                    }
                    *waiting = Some((name, span));
                }
            },
        }
        Ok(())
    }
}

/// How many collections lie in each other in a value.
fn depth(node: &Node) -> usize {
    let mut deepest = 0;
    let mut rest = vec![(node, 0)];
    while let Some((node, depth)) = rest.pop() {
        let inner = depth + usize::from(node.is_array() || node.is_object());
        deepest = deepest.max(inner);
        rest.extend(node.elements().iter().map(|element| (element, inner)));
        rest.extend(node.members().iter().map(|member| (&member.value, inner)));
    }
    deepest
}

/// Unfolds `<<: *defaults`: names that stand in the mapping itself win.
fn merge(members: Vec<Member>) -> Vec<Member> {
    if !members.iter().any(|member| member.name == "<<") {
        return members;
    }
    let mut own: Vec<Member> = Vec::new();
    let mut merged: Vec<Member> = Vec::new();
    for member in members {
        if member.name != "<<" {
            own.push(member);
            continue;
        }
        let sources =
            if member.value.is_array() { member.value.elements() } else { std::slice::from_ref(&member.value) };
        for found in sources.iter().flat_map(Node::members) {
            if !merged.iter().any(|known| known.name == found.name) {
                merged.push(found.clone());
            }
        }
    }
    merged.retain(|found| !own.iter().any(|known| known.name == found.name));
    own.extend(merged);
    own
}

/// YAML 1.2's core schema, without what JSON has no word for (infinity, not-a-number).
fn plain_scalar(text: &str) -> Json {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Json::Null,
        "true" | "True" | "TRUE" => return Json::Bool(true),
        "false" | "False" | "FALSE" => return Json::Bool(false),
        _ => {}
    }
    let number = integer(text).or_else(|| float(text));
    number.map_or_else(|| Json::String(text.to_owned()), Json::Number)
}

fn integer(text: &str) -> Option<Number> {
    if let Some(hex) = text.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(Number::from);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        return u64::from_str_radix(octal, 8).ok().map(Number::from);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse::<i64>().map(Number::from).or_else(|_| text.parse::<u64>().map(Number::from)).ok()
}

fn float(text: &str) -> Option<Number> {
    let starts_as_number = text.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if !starts_as_number || !is_number {
        return None;
    }
    Number::from_f64(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(text: &str) -> serde_json::Value {
        read(text).unwrap().unwrap().to_value()
    }

    #[test]
    fn scalars_follow_the_core_schema() {
        let text = "a: 1\nb: -2.5\nc: yes\nd: null\ne: '1'\nf: 2020-01-01T00:00:00Z\ng: true\nh: 0x1F\ni: !!str 5\n\
                    j: !Sub x-${y}\nk: 1e3\nl: .\n";
        assert_eq!(
            value(text),
            json!({"a": 1, "b": -2.5, "c": "yes", "d": null, "e": "1", "f": "2020-01-01T00:00:00Z", "g": true,
                   "h": 31, "i": "5", "j": "x-${y}", "k": 1000.0, "l": "."})
        );
    }

    #[test]
    fn anchors_and_merge_keys_unfold() {
        let text = "base: &b {x: 1, y: 2}\nlist: [*b]\nmore:\n  <<: *b\n  y: 3\n";
        assert_eq!(
            value(text),
            json!({"base": {"x": 1, "y": 2}, "list": [{"x": 1, "y": 2}], "more": {"y": 3, "x": 1}})
        );
    }

    #[test]
    fn every_value_knows_its_bytes() {
        let text = "ä: ö\nlist:\n  - one\n  - {b: 22}\n";
        let node = read(text).unwrap().unwrap();
        assert_eq!(&text[node.get("ä").unwrap().span.clone()], "ö");
        let list = node.get("list").unwrap().elements();
        assert_eq!(&text[list[0].span.clone()], "one");
        assert_eq!(&text[list[1].get("b").unwrap().span.clone()], "22");
        assert_eq!(&text[node.members()[1].name_span.clone()], "list");
    }

    #[test]
    fn a_small_text_cannot_unfold_into_a_huge_tree() {
        let mut text = String::from("a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n");
        for level in 1..20 {
            let previous = format!("*a{}", level - 1);
            text += &format!("a{level}: &a{level} [{}]\n", vec![previous; 10].join(","));
        }
        assert!(read(&text).unwrap_err().message.contains("unfolds"));
    }

    #[test]
    fn broken_and_hostile_texts_are_refused() {
        assert!(read("a: [1").is_err());
        assert!(read("a: b: c").is_err());
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&"- ".repeat(100_000)).is_err());
        assert!(read("").unwrap().is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\",:&*!<\\-|>#%@ \n\ta-z0-9é]{0,40}") {
            let _ = read(&text);
        }
    }
}
