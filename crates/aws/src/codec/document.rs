//! XML documents as such, for the protocols that speak XML.
//!
//! AWS indents its answers by two spaces and ends them with a newline, and a state machine can see their length, so they
//! are written the same way here. Read are elements, attributes and text; namespaces are overlooked, and document types
//! are refused.

use bytes::Bytes;
use quick_xml::Reader;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use quick_xml::writer::Writer;

use super::{CodecError, MAX_DEPTH, Wrong};

const INDENT: usize = 2;

/// An XML element without its namespaces. Mixed content keeps all its text in one piece.
#[derive(Debug, Default)]
pub(super) struct Element {
    pub name: String,
    pub text: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
}

impl Element {
    /// Reads a document. Doctypes are refused, so no entity can be defined.
    pub fn parse(document: &[u8]) -> Result<Element, CodecError> {
        let document = std::str::from_utf8(document).map_err(|error| CodecError::malformed(error.to_string()))?;
        let wrong = |what: &dyn std::fmt::Display| CodecError::malformed(what.to_string());
        let mut reader = Reader::from_str(document);
        reader.config_mut().expand_empty_elements = true;
        let mut open: Vec<Element> = vec![Element::default()];
        loop {
            match reader.read_event().map_err(|error| wrong(&error))? {
                Event::Start(start) => {
                    if open.len() > MAX_DEPTH {
                        return Err(CodecError::new(Wrong::TooDeep));
                    }
                    open.push(Element::start(&start)?);
                }
                Event::End(_) => {
                    let (Some(done), Some(parent)) = (open.pop(), open.last_mut()) else {
                        return Err(wrong(&"an end without a start"));
                    };
                    parent.children.push(done);
                }
                Event::Text(text) => top(&mut open).text.push_str(&text.xml10_content()),
                Event::CData(text) => top(&mut open).text.push_str(&text.xml10_content()),
                Event::GeneralRef(reference) => {
                    let character = reference.resolve_char_ref().map_err(|error| wrong(&error))?;
                    let name = reference.xml10_content();
                    match (character, quick_xml::escape::resolve_predefined_entity(&name)) {
                        (Some(character), _) => top(&mut open).text.push(character),
                        (None, Some(entity)) => top(&mut open).text.push_str(entity),
                        (None, None) => return Err(wrong(&format!("unknown entity {name}"))),
                    }
                }
                Event::DocType(_) => return Err(wrong(&"a document type")),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Empty(_) => {}
                Event::Eof => break,
            }
        }
        let complete = open.len() == 1;
        let mut roots = open.pop().map(|outer| outer.children).unwrap_or_default();
        match (complete, roots.pop(), roots.is_empty()) {
            (true, Some(root), true) => Ok(root),
            _ => Err(wrong(&"not one whole element")),
        }
    }

    fn start(start: &BytesStart<'_>) -> Result<Element, CodecError> {
        let name = start.local_name().as_ref().to_owned();
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| CodecError::malformed(error.to_string()))?;
            let value = quick_xml::escape::unescape(&attribute.value)
                .map_err(|error| CodecError::malformed(error.to_string()))?;
            attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
        }
        Ok(Element { name, attributes, ..Element::default() })
    }

    /// An element with `child` alone in it.
    pub fn around(child: Element) -> Element {
        Element { children: vec![child], ..Element::default() }
    }

    /// Whether there is nothing but text in it.
    pub fn is_leaf(&self) -> bool {
        self.children.is_empty()
    }

    pub fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The bottom element is never popped before the end of the document.
fn top(open: &mut [Element]) -> &mut Element {
    open.last_mut().expect("the document itself is always open")
}

/// A document that is being written.
pub(super) struct XmlText(Writer<Vec<u8>>, bool);

impl XmlText {
    pub fn new() -> XmlText {
        XmlText(Writer::new_with_indent(Vec::new(), b' ', INDENT), true)
    }

    fn event(&mut self, event: Event<'_>) -> Result<(), CodecError> {
        self.0.write_event(event).map_err(|error| CodecError::malformed(error.to_string()))
    }

    /// Without the indentation and the last newline that AWS gives its answers.
    pub fn compact() -> XmlText {
        XmlText(Writer::new(Vec::new()), false)
    }

    pub fn open_with(
        &mut self,
        name: &str,
        namespace: Option<&(Option<String>, String)>,
        attributes: &[(&str, &str)],
    ) -> Result<(), CodecError> {
        let mut start = BytesStart::new(name);
        if let Some((prefix, uri)) = namespace {
            let attribute = prefix.as_ref().map_or_else(|| "xmlns".to_owned(), |prefix| format!("xmlns:{prefix}"));
            start.push_attribute((attribute.as_str(), uri.as_str()));
        }
        for attribute in attributes {
            start.push_attribute(*attribute);
        }
        self.event(Event::Start(start))
    }

    pub fn open(&mut self, name: &str, namespace: Option<&str>) -> Result<(), CodecError> {
        let mut start = BytesStart::new(name);
        if let Some(uri) = namespace {
            start.push_attribute(("xmlns", uri));
        }
        self.event(Event::Start(start))
    }

    pub fn close(&mut self, name: &str) -> Result<(), CodecError> {
        self.event(Event::End(BytesEnd::new(name)))
    }

    pub fn empty(&mut self, name: &str) -> Result<(), CodecError> {
        self.event(Event::Empty(BytesStart::new(name)))
    }

    pub fn leaf(&mut self, name: &str, text: &str) -> Result<(), CodecError> {
        if text.is_empty() {
            return self.empty(name);
        }
        self.open(name, None)?;
        // A reader turns a bare carriage return into a newline.
        let text = quick_xml::escape::partial_escape(text).replace('\r', "&#xD;");
        self.event(Event::Text(BytesText::from_escaped(text)))?;
        self.close(name)
    }

    pub fn finish(self) -> Bytes {
        let mut text = self.0.into_inner();
        if self.1 {
            text.push(b'\n');
        }
        Bytes::from(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(document: &str) -> Result<String, CodecError> {
        Ok(Element::parse(document.as_bytes())?.child("a").map(|a| a.text.clone()).unwrap_or_default())
    }

    #[test]
    fn text_comes_through_whole() {
        for (document, holds) in [
            ("<r><a>x</a></r>", "x"),
            ("<r><a/></r>", ""),
            ("<?xml version=\"1.0\"?>\n<r>\n  <a> x </a>\n</r>\n", " x "),
            ("<r><a>&lt;&amp;&#x41;&#10;&quot;</a></r>", "<&A\n\""),
            ("<r><a><![CDATA[<b>]]></a></r>", "<b>"),
            ("<n:r xmlns:n='u'><n:a>ü</n:a></n:r>", "ü"),
        ] {
            assert_eq!(text(document).unwrap(), holds, "{document}");
        }
    }

    #[test]
    fn what_is_not_one_whole_document_is_refused() {
        let deep = "<a>".repeat(MAX_DEPTH + 2);
        for document in ["", "x", "<r>", "<r></a>", "<r/><r/>", "<!DOCTYPE r><r/>", "<r>&e;</r>", "<r", &deep] {
            assert!(text(document).is_err(), "{document}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for holds in ["x", " x ", "a\r\nb", "<&>\"'", "ü💡", "]]>", "\n"] {
            let mut xml = XmlText::new();
            xml.open("r", Some("urn:x&y")).unwrap();
            xml.leaf("a", holds).unwrap();
            xml.close("r").unwrap();
            let document = xml.finish();
            let document = std::str::from_utf8(&document).unwrap();
            assert_eq!(text(document).unwrap(), holds, "{document}");
        }
    }
}
