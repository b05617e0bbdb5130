//! The service model, walked: every constraint of it is kept, and every operation and field is told of in `docs/api.md`.
//!
//! `data/constraints.txt` has a line for each constraint of the model (botocore 1.44.5): operation, path, kind, bound.
//! `data/fields.txt` has a line for each field: what is asked (`<`) or answered (`>`), and the test that fails if it is
//! ignored, or (`~`) why it has no effect. A field that neither file knows fails here.

mod common;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use common::House;
use engine::port::ApiError;
use serde_json::{Value, json};

const CONSTRAINTS: &str = include_str!("data/constraints.txt");
const FIELDS: &str = include_str!("data/fields.txt");

/// The tests that fields may name.
const TESTS: [(&str, &str); 5] = [
    ("redrive", include_str!("redrive.rs")),
    ("stories", include_str!("stories.rs")),
    ("test_state", include_str!("test_state.rs")),
    ("validation", include_str!("validation.rs")),
    ("versions", include_str!("versions.rs")),
];
const COMMON: &str = include_str!("common/mod.rs");

/// The page that this test writes where `UPDATE_DOCS` is set, and holds to otherwise.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");

/// A value that breaks a constraint, and the words in which that is told.
fn broken(kind: &str, bound: &str) -> (Value, String) {
    let number = || bound.parse::<i64>().expect("a number");
    let text = |length: i64| Value::from("x".repeat(length as usize));
    let items = |length: i64| Value::from(vec![json!({}); length as usize]);
    let length = |which: &str| format!("Member must have length {which} than or equal to {bound}");
    let value = |which: &str| format!("Member must have value {which} than or equal to {bound}");
    match kind {
        "required" => (Value::Null, "Member must not be null".into()),
        "shorter" => (text(number() - 1), length("greater")),
        "longer" => (text(number() + 1), length("less")),
        "fewer" => (items(number() - 1), length("greater")),
        "moreitems" => (items(number() + 1), length("less")),
        "less" => ((number() - 1).into(), value("greater")),
        "more" => ((number() + 1).into(), value("less")),
        "pattern" => ("ä".into(), format!("Member must satisfy regular expression pattern: {bound}")),
        "enum" => ("neither".into(), "Member must satisfy enum value set: [".into()),
        kind => panic!("no constraint is called {kind}"),
    }
}

/// A request with nothing but this value, at this path.
fn request(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, step| match step.parse::<usize>() {
        Ok(_) => json!([inner]),
        Err(_) => json!({step: inner}),
    })
}

/// As AWS names a place: `tags.1.member.key`.
fn place(path: &str) -> String {
    let steps: Vec<&str> = path.split('.').map(|step| if step == "1" { "1.member" } else { step }).collect();
    steps.join(".")
}

#[tokio::test]
async fn every_constraint_of_the_model_is_kept() {
    let house = House::open().await;
    let mut kept = 0;
    for line in CONSTRAINTS.lines() {
        let mut words = line.splitn(4, ' ');
        let mut next = || words.next().unwrap_or_default();
        let (operation, path, kind, rest) = (next(), next(), next(), next());
        let (bound, sensitive) = match rest.strip_suffix("sensitive") {
            Some(bound) => (bound.trim_end(), true),
            None => (rest, false),
        };
        let (value, words) = broken(kind, bound);
        let told = house.call(operation, request(path, value)).await;
        let Err(ApiError { code, message, .. }) = told else { panic!("{line}: accepted: {told:?}") };
        let wanted = format!(" at '{}' failed to satisfy constraint: {words}", place(path));
        assert_eq!(code, "ValidationException", "{line}: {message}");
        assert!(message.contains(&wanted), "{line}: {message}");
        // What is sensitive is not repeated.
        assert_eq!(message.contains(&format!("Value{wanted}")), sensitive, "{line}: {message}");
        kept += 1;
    }
    assert!(kept > 200, "{kept} constraints were looked at");
}

/// A field's line: `Operation < field = test` or `Operation > field = ~ reason`.
struct Field<'a> {
    operation: &'a str,
    sign: &'a str,
    name: &'a str,
    told: &'a str,
}

fn fields() -> Vec<Field<'static>> {
    let field = |line: &'static str| {
        let (place, told) = line.split_once(" = ").expect("Operation < field = test");
        let words: Vec<&str> = place.split(' ').collect();
        let [operation, sign, name] = words[..] else { panic!("{line}") };
        Field { operation, sign, name, told }
    };
    FIELDS.lines().map(field).collect()
}

#[test]
fn every_field_is_told_of() {
    let model = aws::models().service("sfn").expect("the model of Step Functions");
    let mut wanted = BTreeSet::new();
    for operation in model.operations() {
        for (sign, shape) in [("<", &operation.input), (">", &operation.output)] {
            for member in shape.as_ref().map_or(&[][..], |shape| model.members(shape)) {
                wanted.insert(format!("{} {sign} {}", operation.name, member.name));
            }
        }
    }
    let known: BTreeSet<String> =
        fields().iter().map(|field| format!("{} {} {}", field.operation, field.sign, field.name)).collect();
    let missing: Vec<_> = wanted.difference(&known).collect();
    let unknown: Vec<_> = known.difference(&wanted).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing {missing:?}, unknown {unknown:?}");
}

/// The body of a test, by the name that a field gives it.
fn body(name: &str) -> Option<&'static str> {
    let (file, test) = name.split_once("::")?;
    let (_, text) = TESTS.iter().find(|(known, _)| *known == file)?;
    let from = text.find(&format!("async fn {test}("))?;
    let rest = &text[from..];
    Some(rest.find("\n}\n").map_or(rest, |end| &rest[..end]))
}

#[test]
fn the_tests_that_fields_name_speak_of_them() {
    for Field { operation, sign, name, told } in fields() {
        if told.starts_with("~ ") {
            continue;
        }
        let body = body(told).unwrap_or_else(|| panic!("{operation} {sign} {name}: there is no test {told}"));
        assert!(body.contains(name) || COMMON.contains(name), "{told} does not speak of {operation} {sign} {name}");
    }
}

#[test]
fn the_page_of_the_api_is_up_to_date() {
    let mut page = String::from(
        "# The API, field by field\n\n\
         Written by `crates/server/tests/model.rs`, which walks the service model (`UPDATE_DOCS=1 cargo test -p server \
         --test model` writes it anew). For each field that is supported stands the test of `crates/server/tests` that \
         fails if it is ignored; for the others why they have no effect.\n",
    );
    let mut last = "";
    for Field { operation, sign, name, told } in fields() {
        if operation != last {
            let _ = write!(page, "\n## {operation}\n\n| field | | |\n|---|---|---|\n");
            last = operation;
        }
        let direction = if sign == "<" { "asked" } else { "answered" };
        let told = match told.strip_prefix("~ ") {
            Some(reason) => format!("no effect: {reason}"),
            None => format!("`{told}`"),
        };
        let _ = writeln!(page, "| `{name}` | {direction} | {told} |");
    }
    let path = Path::new(PAGE);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(path).expect("docs/api.md");
    assert_eq!(written, page, "UPDATE_DOCS=1 cargo test -p server --test model writes docs/api.md anew");
}
