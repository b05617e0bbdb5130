//! The little XML that S3 speaks: writing answers, and reading the texts of a request by their path.

use std::fmt::Write;

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::Event;

/// AWS's namespace of S3.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// An element that is being written.
pub struct Element {
    name: &'static str,
    inside: String,
}

impl Element {
    pub fn new(name: &'static str) -> Self {
        Self { name, inside: String::new() }
    }

    pub fn text(mut self, name: &str, text: &str) -> Self {
        // Writing into a text does not fail.
        let _ = write!(self.inside, "<{name}>{}</{name}>", escape(text));
        self
    }

    pub fn child(mut self, child: Element) -> Self {
        let _ = write!(self.inside, "<{0}>{1}</{0}>", child.name, child.inside);
        self
    }

    /// The whole document. Errors have no namespace.
    pub fn document(&self) -> String {
        let namespace = if self.name == "Error" { String::new() } else { format!(" xmlns=\"{NAMESPACE}\"") };
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{0}{namespace}>{1}</{0}>", self.name, self.inside)
    }
}

/// The texts of all elements at a path, in their order; none if it is not XML.
pub fn texts_of(document: &[u8], path: &[&str]) -> Option<Vec<String>> {
    let mut reader = Reader::from_str(std::str::from_utf8(document).ok()?);
    let mut at: Vec<String> = Vec::new();
    let mut texts: Vec<String> = Vec::new();
    loop {
        let here = |at: &[String]| at.iter().map(String::as_str).eq(path.iter().copied());
        match reader.read_event().ok()? {
            Event::Start(element) => {
                at.push(element.local_name().as_ref().to_owned());
                if here(&at) {
                    texts.push(String::new());
                }
            }
            Event::End(_) => {
                at.pop()?;
            }
            Event::Text(text) if here(&at) => texts.last_mut()?.push_str(&text.xml10_content()),
            Event::GeneralRef(name) if here(&at) => match name.resolve_char_ref().ok()? {
                Some(letter) => texts.last_mut()?.push(letter),
                None => texts.last_mut()?.push_str(resolve_predefined_entity(&name.xml10_content())?),
            },
            Event::Eof => return at.is_empty().then_some(texts),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let written = Element::new("Delete")
            .child(Element::new("Object").text("Key", "a&b<c>\"é\""))
            .child(Element::new("Object").text("Key", "x"))
            .text("Quiet", "true")
            .document();
        assert_eq!(texts_of(written.as_bytes(), &["Delete", "Object", "Key"]).unwrap(), ["a&b<c>\"é\"", "x"]);
        assert_eq!(texts_of(written.as_bytes(), &["Delete", "Quiet"]).unwrap(), ["true"]);
        assert_eq!(texts_of(b"<Delete><Object>", &["Delete"]), None);
    }
}
