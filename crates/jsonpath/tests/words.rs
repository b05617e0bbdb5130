//! The words that users read when a path leads nowhere, each kind of failure once. The first ones are recorded answers of
//! AWS, the rest is Jayway's.

use jsonpath::{Head, HeadPath, JsonPath};
use serde_json::{Value, json};

fn said(path: &str, document: &Value) -> String {
    let error = HeadPath::parse(path).expect(path).eval(document).expect_err(path);
    format!("{path} → {:?}: {}", error.kind, error.message)
}

#[test]
fn recorded_by_aws() {
    let document = json!({"items": []});
    let story = ["$.NoSuchInputPath", "$.NoSuchTimeoutSecondsPath", "$.no.such.result.path"]
        .map(|path| said(path, &document))
        .join("\n");
    insta::assert_snapshot!(story, @r#"
    $.NoSuchInputPath → NotFound: No results for path: $['NoSuchInputPath']
    $.NoSuchTimeoutSecondsPath → NotFound: No results for path: $['NoSuchTimeoutSecondsPath']
    $.no.such.result.path → NotFound: Missing property in path $['no']
    "#);
}

#[test]
fn each_kind_of_failure() {
    let document = json!({"text": "x", "list": [1, 2], "object": {"a": 1.5e10}, "null": null, "big": 12345678901_i64});
    let story = [
        "$.missing",
        "$.missing.inner",
        "$['missing'][0]",
        "$.missing[*]",
        "$.text.a",
        "$.list.a",
        "$.big.a",
        "$.null.a",
        "$.text[0]",
        "$.object[0].b",
        "$.null[0]",
        "$.list[2]",
        "$.list[2].a",
        "$.list[-3]",
        "$.text[?(@.a)]",
        "$.list.nofunction()",
        "$.object.sum()",
        "$.list.index(7)",
        "$$.Missing",
        "$variable.missing",
    ]
    .map(|path| said(path, &document))
    .join("\n");
    insta::assert_snapshot!(story, @r#"
    $.missing → NotFound: No results for path: $['missing']
    $.missing.inner → NotFound: Missing property in path $['missing']
    $['missing'][0] → NotFound: Missing property in path $['missing']
    $.missing[*] → NotFound: Missing property in path $['missing']
    $.text.a → NotFound: Expected to find an object with property ['a'] in path $['text'] but found 'java.lang.String'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.
    $.list.a → NotFound: Expected to find an object with property ['a'] in path $['list'] but found 'java.util.ArrayList'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.
    $.big.a → NotFound: Expected to find an object with property ['a'] in path $['big'] but found 'java.lang.Long'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.
    $.null.a → NotFound: Expected to find an object with property ['a'] in path $['null'] but found 'null'. This is not a json object according to the JsonProvider: 'com.jayway.jsonpath.spi.json.JacksonJsonProvider'.
    $.text[0] → NotFound: Filter: [0] can only be applied to arrays. Current context is: x
    $.object[0].b → NotFound: Filter: [0]['b'] can only be applied to arrays. Current context is: {a=1.5E10}
    $.null[0] → NotFound: The path $['null'] is null
    $.list[2] → NotFound: No results for path: $['list'][2]
    $.list[2].a → NotFound: No results for path: $['list'][2]['a']
    $.list[-3] → NotFound: No results for path: $['list'][-3]
    $.text[?(@.a)] → Invalid: Filter: [?] can not be applied to primitives. Current context is: x
    $.list.nofunction() → Invalid: Function with name: nofunction does not exist.
    $.object.sum() → Failed: Aggregation function attempted to calculate value using empty array
    $.list.index(7) → Failed: Index 7 out of bounds for length 2
    $$.Missing → NotFound: No results for path: $['Missing']
    $variable.missing → NotFound: No results for path: $['missing']
    "#);
}

#[test]
fn nothing_is_copied_for_one_value() {
    let document = json!({"a": [{"b": {"c": "x".repeat(1000)}}]});
    let found = JsonPath::parse("$.a[0].b").expect("a path").eval(&document).expect("a value");
    assert!(std::ptr::eq(found.one().expect("one value"), &document["a"][0]["b"]));
    let found = JsonPath::parse("$..c").expect("a path").eval(&document).expect("a value");
    assert!(found.iter().all(|value| std::ptr::eq(value, &document["a"][0]["b"]["c"])));
}

#[test]
fn paths_can_be_shared() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<JsonPath>();
    shared::<HeadPath>();
    shared::<Head>();
    shared::<jsonpath::ReferencePath>();
}
