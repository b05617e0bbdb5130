//! A JSONPath on a JSON document: the first line is the path, the rest the document.

use jsonpath::{HeadPath, JsonPath, ReferencePath};
use serde_json::Value;

/// A path compiles or is refused, and evaluates within its limits; what a reference path puts, it gets.
pub fn path(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (path, document) = text.split_once('\n').unwrap_or((text, "{}"));
    let document: Value = serde_json::from_str(document).unwrap_or_else(|_| Value::String(document.into()));
    let _ = HeadPath::parse(path);
    if let Ok(compiled) = JsonPath::parse(path) {
        assert_eq!(compiled.as_str(), path);
        let _ = compiled.canonical();
        let found = compiled.eval(&document).map(|found| found.into_value());
        if compiled.is_root() {
            assert_eq!(found.ok().as_ref(), Some(&document));
        }
    }
    if let Ok(reference) = ReferencePath::parse(path)
        && let Ok(put) = reference.put(document, Value::from(7))
    {
        assert_eq!(reference.get(&put), Some(&Value::from(7)), "{path} on {put}");
    }
}
