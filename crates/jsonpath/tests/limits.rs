//! Every way in which a path could cost too much ends at a limit, soon and without harm.

use std::time::{Duration, Instant};

use jsonpath::{JsonPath, PathErrorKind, limits};
use serde_json::{Value, json};

fn limited(path: &str, document: &Value) -> String {
    let path = JsonPath::parse(path).expect(path);
    let begin = Instant::now();
    let error = path.eval(document).expect_err("a limit");
    assert_eq!(error.kind, PathErrorKind::Limit, "{}", error.message);
    assert!(begin.elapsed() < Duration::from_secs(30), "{path} took {:?}", begin.elapsed());
    error.message
}

/// Without `json!`, which would copy the value by recursion.
fn within(inner: Value) -> Value {
    Value::Object([("a".to_owned(), inner)].into_iter().collect())
}

/// `{"a": {"a": … }}`, built and taken apart without recursion.
fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| within(inner))
}

fn dismantle(mut value: Value) {
    while let Some(inner) = value.get_mut("a") {
        value = inner.take();
    }
}

#[test]
fn paths_that_multiply() {
    let zeros = |times: usize| format!("[{}]", vec!["0"; times].join(","));
    let wide = Value::Array((0..2000).map(|id| json!({ "id": id, "ids": [1, 2, 3] })).collect());
    assert!(limited(&format!("${}{}", zeros(2000), zeros(2000)), &json!([[1]])).contains("matches"));
    assert!(limited(&format!("${}{}.a", zeros(3000), zeros(3000)), &json!([[1]])).contains("values"));
    assert!(limited("$..*..*..*..*", &deep(120)).contains("matches"));
    assert!(limited("$..*..*..*..*.b", &deep(120)).contains("values"));
    assert!(limited("$[?($..id subsetof $..id)]", &wide).contains("values"));
}

#[test]
fn results_that_would_be_too_large() {
    let long = "x".repeat(200 * 1024);
    let document = (0..100).fold(json!(long), |inner, _| within(inner));
    assert!(limited("$..*..*", &document).contains("bytes"));
    limited("$..['a','a']", &(0..120).fold(json!("x".repeat(20 << 20)), |inner, _| within(inner)));
}

#[test]
fn texts_that_nest_or_go_on() {
    let refused = |text: String| JsonPath::parse(&text).expect_err("a limit").message;
    let nested = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    assert!(refused(format!("$.{}", "a".repeat(limits::MAX_PATH_CHARS))).contains("longer"));
    assert!(refused(format!("$[?{}]", nested("(", "@.a", ")", 200))).contains("nested"));
    assert!(refused(format!("$[?({}(@.a))]", "!".repeat(200))).contains("nested"));
    assert!(refused(format!("${}", nested("[?(@", ".a", ")]", 200))).contains("nested"));
    assert!(JsonPath::parse(&format!("$[?{}]", nested("(", "@.a", ")", 20))).is_ok());
    // Not nested at all: as long as a path may be.
    assert!(JsonPath::parse(&format!("${}", ".a".repeat(8000))).is_ok());
    assert!(JsonPath::parse(&format!("$[?(@.a == 1{})]", " || @.a == 1".repeat(1000))).is_ok());
}

#[test]
fn what_is_just_within_the_limits_works() {
    let nested = |open: &str, close: &str| format!("${}.a{}", open.repeat(30), close.repeat(30));
    let eval =
        |path: &str, document: &Value| JsonPath::parse(path).expect(path).eval(document).expect(path).into_value();
    let objects = (0..40).fold(json!({"a": 1}), |inner, _| json!({ "a": inner }));
    assert_eq!(eval(&nested("[?(@.*", ")]"), &objects), json!([objects]));
    assert_eq!(eval(&nested("[?(!(@.*", "))]").replace("!(", "!(!"), &objects), json!([objects]));
    assert_eq!(eval(&format!("${}", "[*]".repeat(190)), &json!([])), json!([]));
}

#[test]
fn regular_expressions_are_linear_and_small() {
    let error = JsonPath::parse("$[?(@.a =~ /(a{1000}){1000}/)]").expect_err("a limit");
    assert!(error.message.contains("too much memory"), "{}", error.message);
    let path = JsonPath::parse("$[?(@.a =~ /(a+)+b/)]").expect("a path");
    let begin = Instant::now();
    let document = json!([{ "a": "a".repeat(100_000) }]);
    assert_eq!(path.eval(&document).expect("no match").into_value(), json!([]));
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[test]
fn documents_deeper_than_the_stack() {
    let document = deep(100_000);
    let count = |path: &str| JsonPath::parse(path).expect(path).eval(&document).map(|found| found.iter().count());
    assert_eq!(count(&format!("${}", ".a".repeat(8000))), Ok(1));
    assert_eq!(count("$..nope"), Ok(0));
    // All matches together would be copied 100,000 times over.
    assert_eq!(count("$..a").map_err(|error| error.kind), Err(PathErrorKind::Limit));
    assert_eq!(count("$.a[0]").map_err(|error| error.kind), Err(PathErrorKind::NotFound));
    dismantle(document);
}

#[test]
fn a_path_that_branches_at_every_step() {
    let path = format!("${}", "[*]".repeat(5000));
    let document = (0..10_000).fold(json!(1), |inner, _| Value::Array(vec![inner]));
    let error = JsonPath::parse(&path).expect("a path").eval(&document).expect_err("a limit");
    assert_eq!(error.kind, PathErrorKind::Limit);
    let mut document = document;
    while let Some(inner) = document.get_mut(0) {
        document = inner.take();
    }
}
