//! Nothing that anybody writes makes the crate panic, and what it says of a text stays true of what it makes of it.

use jsonpath::{Found, HeadPath, JsonPath, ReferencePath};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Pieces that paths are made of, right and wrong.
const PIECES: &[&str] = &[
    "$",
    "@",
    ".",
    "..",
    "*",
    "[*]",
    "[",
    "]",
    "(",
    ")",
    "?",
    "[?(",
    ")]",
    "'a'",
    "\"a\"",
    "a",
    "b",
    "['a']",
    "['a','b']",
    "[0]",
    "[-1]",
    "[0,1]",
    "[1:]",
    "[:1]",
    "[0:2]",
    "[-2:2]",
    ",",
    ":",
    " ",
    "==",
    "!=",
    "<",
    ">=",
    "=~",
    "/a.*/i",
    "/",
    "&&",
    "||",
    "!",
    "in",
    " in ",
    "nin",
    "contains",
    "size",
    "empty",
    "subsetof",
    "anyof",
    "noneof",
    "true",
    "null",
    "1",
    "-1.5e3",
    ".length()",
    ".sum()",
    ".keys()",
    ".concat(",
    ".first()",
    ".index(",
    ".append(",
    "['x",
    "\\",
    "\\u00",
    "{",
    "}",
    "ä",
    "𝒳",
    "[?(@.a)]",
    "[?(@.a == 1)]",
    "[?(@.b in ['x', 1])]",
    "[?(@ > $.a)]",
    "$.a",
    "@.b",
];

fn any_path() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES), 0..14).prop_map(|pieces| pieces.concat());
    prop_oneof![
        1 => ".{0,40}",
        2 => pieces.clone(),
        6 => pieces.prop_map(|path| format!("$.{path}")),
    ]
}

fn any_document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "[a-c$@\\[\\]'\"\\\\]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[ab]|length|x y", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(text in any_path(), document in any_document()) {
        let _ = HeadPath::parse(&text);
        let _ = ReferencePath::parse(&text);
        match JsonPath::parse(&text) {
            Err(error) => {
                prop_assert!(!error.message.is_empty());
                prop_assert!(text.is_char_boundary(error.offset), "{} in {text}", error.offset);
            }
            Ok(path) => {
                let result = path.eval(&document);
                prop_assert_eq!(&result, &path.eval(&document), "the same path and document, another answer");
                if let Ok(found) = result {
                    prop_assert_eq!(matches!(found, Found::One(_)), path.is_definite());
                }
            }
        }
    }

    /// A path is written as it was read, and reads the same again; so does the way Jayway writes it, as long as nothing
    /// is left out there (filters and arguments are).
    #[test]
    fn written_and_read_again(text in any_path()) {
        if let Ok(path) = JsonPath::parse(&text) {
            prop_assert_eq!(&JsonPath::parse(&path.to_string()).expect("a path"), &path);
            let canonical = path.canonical();
            if !canonical.contains(['?', '(', '\\', '\'', '"']) {
                prop_assert_eq!(JsonPath::parse(&canonical).expect("a path").canonical(), canonical);
            }
        }
    }

    /// What was put somewhere is found there, and nothing else has changed.
    #[test]
    fn put_and_found(segments in prop::collection::vec("[ab]|\\[[0-2]\\]", 0..5), root in any_document(), new in any_document()) {
        let text = segments.iter().fold("$".to_owned(), |path, segment| match segment.strip_prefix('[') {
            Some(_) => path + segment,
            None => path + "." + segment,
        });
        let path = ReferencePath::parse(&text).expect("a reference path");
        let old = path.get(&root).cloned();
        if let Ok(written) = path.put(root.clone(), new.clone()) {
            prop_assert_eq!(path.get(&written), Some(&new));
            let found = JsonPath::parse(&text).expect("a path").eval(&written).expect("a value");
            prop_assert_eq!(found.into_value(), new);
            if let Some(old) = old {
                prop_assert_eq!(path.put(written, old).expect("it was there"), root);
            }
        } else {
            prop_assert!(old.is_none(), "{text} is there and cannot be replaced");
        }
    }
}
