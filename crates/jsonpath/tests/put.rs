//! Writing to a place: what is made, what is replaced, and what is refused.

use jsonpath::{PathErrorKind, ReferencePath};
use serde_json::{Value, json};

fn put(path: &str, root: Value, new: Value) -> Result<Value, String> {
    let path = ReferencePath::parse(path).expect(path);
    path.put(root, new).map_err(|error| {
        assert_eq!(error.kind, PathErrorKind::Mismatch);
        error.message
    })
}

#[test]
fn what_is_there_is_replaced_and_what_is_missing_is_made() {
    let check = |path: &str, root: Value, expected: Value| {
        assert_eq!(put(path, root, json!("new")).as_ref(), Ok(&expected), "{path}");
    };
    check("$", json!({"a": 1}), json!("new"));
    check("$", json!(null), json!("new"));
    check("$.a", json!({}), json!({"a": "new"}));
    check("$.a", json!({"a": {"b": 1}, "z": 1}), json!({"a": "new", "z": 1}));
    check("$.a.b.c", json!({"z": 1}), json!({"z": 1, "a": {"b": {"c": "new"}}}));
    check("$.a.b", json!({"a": {"c": 1}}), json!({"a": {"c": 1, "b": "new"}}));
    check("$['a b']['']", json!({}), json!({"a b": {"": "new"}}));
    check("$.a[0]", json!({"a": [1, 2]}), json!({"a": ["new", 2]}));
    check("$.a[1].b.c", json!({"a": [1, {}]}), json!({"a": [1, {"b": {"c": "new"}}]}));
    check("$[1]", json!([1, null]), json!([1, "new"]));
}

#[test]
fn what_is_no_object_stays_what_it_is() {
    let refused = |path: &str, root: Value| put(path, root, json!("new")).expect_err(path);
    let story = [
        refused("$.a", json!("text")),
        refused("$.a", json!(null)),
        refused("$.a.b", json!({"a": 1})),
        refused("$.a.b", json!({"a": null})),
        refused("$.a.b", json!({"a": [{}]})),
        refused("$.a[2]", json!({"a": [1, 2]})),
        refused("$.a[0]", json!({"a": {}})),
        refused("$.a[0]", json!({})),
        refused("$.a.b[0].c", json!({"a": {}})),
        refused("$[0]", json!({})),
    ];
    insta::assert_snapshot!(story.join("\n"), @r"
    $.a cannot be put into the document: at $, there is a text where ['a'] is to be
    $.a cannot be put into the document: at $, there is null where ['a'] is to be
    $.a.b cannot be put into the document: at $['a'], there is a number where ['b'] is to be
    $.a.b cannot be put into the document: at $['a'], there is null where ['b'] is to be
    $.a.b cannot be put into the document: at $['a'], there is a list where ['b'] is to be
    $.a[2] cannot be put into the document: at $['a'], the list is shorter where [2] is to be
    $.a[0] cannot be put into the document: at $['a'], there is an object where [0] is to be
    $.a[0] cannot be put into the document: at $, there is no list where ['a'] is to be
    $.a.b[0].c cannot be put into the document: at $['a'], there is no list where ['b'] is to be
    $[0] cannot be put into the document: at $, there is an object where [0] is to be
    ");
}

#[test]
fn only_one_place_can_be_named() {
    let refused = |text: &str| format!("{text}: {}", ReferencePath::parse(text).expect_err(text).message);
    let story = [
        refused("$.a[*]"),
        refused("$..a"),
        refused("$.a[0:1]"),
        refused("$.a[0,1]"),
        refused("$.a[-1]"),
        refused("$['a','b']"),
        refused("$.a[?(@.b)]"),
        refused("$.a.length()"),
        refused("a.b"),
        refused("@.a"),
        refused("$$.a"),
        refused("$name"),
        refused("$.a."),
        refused(""),
    ];
    insta::assert_snapshot!(story.join("\n"), @r"
    $.a[*]: A reference path cannot contain '[*]'
    $..a: A reference path cannot contain '..'
    $.a[0:1]: A reference path cannot contain '[0:1]'
    $.a[0,1]: A reference path cannot contain '[0,1]'
    $.a[-1]: A reference path cannot count from the end: [-1]
    $['a','b']: A reference path cannot contain '['a','b']'
    $.a[?(@.b)]: A reference path cannot contain '[?]'
    $.a.length(): A reference path cannot contain '.length()'
    a.b: Path must start with '$'
    @.a: Path must start with '$'
    $$.a: Illegal character at position 1 expected '.' or '['
    $name: Illegal character at position 1 expected '.' or '['
    $.a.: Path must not end with a '.' or '..'
    : Path must start with '$'
    ");
}

#[test]
fn reading_the_place() {
    let path = ReferencePath::parse("$.a[1]['b']").expect("a path");
    assert_eq!(path.get(&json!({"a": [0, {"b": 2}]})), Some(&json!(2)));
    assert_eq!(path.get(&json!({"a": [0]})), None);
    assert_eq!(path.get(&json!({"a": {"1": {"b": 2}}})), None);
    assert!(!path.is_root());
    assert!(ReferencePath::parse("$").expect("a path").is_root());
}
