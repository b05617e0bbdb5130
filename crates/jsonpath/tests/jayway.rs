//! What Jayway JsonPath 2.10 answered, case by case: values, kinds of errors and their texts.
//!
//! `data/jayway.json`, `data/answers.json` (oddities, one by one) and `data/chance.json` (paths made by chance) hold
//! recorded answers of the library itself. A case that this crate answers
//! otherwise stands in [`DIFFERENT`] with its reason, and must really be answered otherwise.

use jsonpath::{JsonPath, PathErrorKind};
use serde_json::Value;

/// Paths that are answered otherwise on purpose, with the beginning of what is said instead.
const DIFFERENT: &[(&str, &str)] = &[
    // Matching is done in linear time, which excludes what only a backtracking matcher can do.
    ("$.o[?(@.n =~ /(?=1)1/)].n", "The regular expression /(?=1)1/ cannot be used: lookaround"),
    ("$[?(@.a.s =~ /st++r/)].t", "The regular expression /st++r/ cannot be used: possessive quantifiers"),
    ("$[?(@.a.s =~ /(s)tr\\1?/)].t", "The regular expression /(s)tr\\1?/ cannot be used: backreferences"),
];

#[test]
fn all_recorded_answers() {
    let cases = include_str!("data/jayway.json");
    let recorded: Value = serde_json::from_str(cases).expect("the cases are JSON");
    let cases = recorded["cases"].as_array().expect("a list of cases");
    assert_eq!(cases.len(), 178);
    check(cases, |case| &recorded["documents"][case["doc"].as_str().unwrap_or_default()]);
}

#[test]
fn oddities() {
    all_of(include_str!("data/answers.json"));
}

#[test]
fn paths_made_by_chance() {
    all_of(include_str!("data/chance.json"));
}

fn all_of(cases: &str) {
    let recorded: Value = serde_json::from_str(cases).expect("the cases are JSON");
    check(recorded["cases"].as_array().expect("a list of cases"), |_| &recorded["document"]);
}

fn check<'a>(cases: &'a [Value], document: impl Fn(&'a Value) -> &'a Value) {
    let wrong: Vec<String> = cases.iter().filter_map(|case| differs(case, document(case)).err()).collect();
    assert!(wrong.is_empty(), "{} of {} answers differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn differs(case: &Value, document: &Value) -> Result<(), String> {
    let text = case["path"].as_str().ok_or("a case without a path")?;
    let same = |what: &str, expected: &Value, actual: Value| {
        if *expected == actual {
            return Ok(());
        }
        Err(format!("{text}\n  {what}: {actual}\n  Jayway: {expected}"))
    };
    let message = |actual: String| match &case["message"] {
        Value::Null => Ok(()),
        expected => same("message", expected, Value::from(actual)),
    };
    if let Some((_, said)) = DIFFERENT.iter().find(|(path, _)| *path == text) {
        let error = JsonPath::parse(text).expect_err(text);
        assert!(error.message.starts_with(said), "{text}: {}", error.message);
        return Ok(());
    }
    let path = match JsonPath::parse(text) {
        Ok(path) => path,
        Err(error) => {
            assert!(error.offset <= text.len() && text.is_char_boundary(error.offset), "{text}: {}", error.offset);
            same("refused", &case["phase"], Value::from("compile"))?;
            return message(error.message);
        }
    };
    same("definite", &case["definite"], Value::from(path.is_definite()))?;
    if let Some(canonical) = case.get("canonical") {
        same("canonical", canonical, Value::from(path.canonical()))?;
    }
    match path.eval(document) {
        Ok(found) => same("result", case.get("result").unwrap_or(&case["error"]), found.into_value()),
        Err(error) => {
            same("failed", &case["phase"], Value::from("read"))?;
            let kind = match case["error"].as_str() {
                Some("PathNotFoundException") => PathErrorKind::NotFound,
                Some("InvalidPathException") => PathErrorKind::Invalid,
                _ => PathErrorKind::Failed,
            };
            same("kind", &Value::from(format!("{kind:?}")), Value::from(format!("{:?}", error.kind)))?;
            message(error.message)
        }
    }
}
