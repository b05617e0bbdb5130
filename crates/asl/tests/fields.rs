//! What fields find in data: selections, templates, result paths, amounts, texts and waits, with AWS's words when they
//! find nothing.

use asl::eval::{Context, Env, EvalError, NoVariables, WaitFor};
use asl::{Amount, Dynamic, Path, Payload, ResultPath, Selection, Template, Text, Wait};
use jsonpath::ReferencePath;
use proptest::prelude::*;
use serde_json::{Value, json};

fn path(text: &str) -> Path {
    Path::parse(text).expect(text)
}

fn with_env<T>(input: &Payload, body: impl FnOnce(&mut Env<'_>) -> T) -> T {
    let context = json!({"Execution": {"Input": {"from": "context"}}});
    let mut draws = || 7;
    body(&mut Env { input, context: &context, variables: &NoVariables, draws: &mut draws })
}

fn select(field: &str, text: &str, data: &Value) -> Result<String, EvalError> {
    let data = Payload::from(data.clone());
    with_env(&data, |env| Selection::Path(path(text)).select(field, &data, env)).map(|found| found.text().to_string())
}

fn template(fields: &[(&str, &str)]) -> Template {
    Template::Object(
        fields
            .iter()
            .map(|(name, text)| match name.ends_with(".$") {
                true => {
                    ((*name).into(), Template::Dynamic { field: (*name).into(), value: Dynamic::parse(text).unwrap() })
                }
                false => ((*name).into(), Template::Literal(Payload::trusted(*text))),
            })
            .collect(),
    )
}

fn evaluated(fields: &[(&str, &str)], input: &str) -> Result<String, EvalError> {
    let input = Payload::parse(input).expect("JSON");
    with_env(&input, |env| template(fields).evaluate(env)).map(|made| made.text().to_string())
}

fn message<T: std::fmt::Debug>(result: Result<T, EvalError>) -> String {
    let error = result.expect_err("an error");
    assert_eq!(error.error, "States.Runtime");
    error.message
}

#[test]
fn whole_and_empty_selections_copy_nothing() {
    let data = Payload::from(json!({"large": [1, 2, 3]}));
    with_env(&data, |env| {
        assert!(Selection::Whole.select("InputPath", &data, env).unwrap().same(&data));
        assert_eq!(&**Selection::Empty.select("OutputPath", &data, env).unwrap().text(), "{}");
        assert!(Template::Literal(data.clone()).evaluate(env).unwrap().same(&data));
    });
    assert!(ResultPath::Discard.apply(&data, Payload::from(json!(1))).unwrap().same(&data));
    let result = Payload::from(json!(1));
    assert!(ResultPath::Replace.apply(&data, result.clone()).unwrap().same(&result));
}

#[test]
fn selections() {
    let data = json!({"a": {"b": [1, 2]}, "s": "x"});
    assert_eq!(select("InputPath", "$.a.b", &data).unwrap(), "[1,2]");
    assert_eq!(select("InputPath", "$$.Execution.Input", &data).unwrap(), r#"{"from":"context"}"#);
    assert_eq!(
        message(select("InputPath", "$.NoSuchInputPath", &data)),
        "Invalid path '$.NoSuchInputPath' : No results for path: $['NoSuchInputPath']"
    );
    assert_eq!(
        message(select("OutputPath", "$.no.such.result.path", &data)),
        "Invalid path '$.no.such.result.path' : Missing property in path $['no']"
    );
    assert_eq!(
        message(select("OutputPath", "$.a", &json!(null))),
        "Unable to apply Path transformation to null or empty input."
    );
}

#[test]
fn items() {
    let items = |text: &str, data: Value| {
        let data = Payload::from(data);
        with_env(&data, |env| Selection::Path(path(text)).select_items(&data, env))
            .map(|found| found.text().to_string())
    };
    assert_eq!(items("$.l", json!({"l": [1]})).unwrap(), "[1]");
    let error = items("$.payload.items", json!({"payload": {"x": 1}})).unwrap_err();
    assert_eq!(error.error, "States.ReferencePathConflict");
    assert_eq!(error.cause("M", 2), r#"Unable to apply step "items" to input {"payload":{"x":1}}"#);
    assert_eq!(message(items("$.l", json!({"l": {}}))), r#"Reference path "$.l" must point to array."#);
    assert_eq!(
        message(items("$$.Execution.Input", json!([]))),
        r#"Reference path "$.Execution.Input" must point to array."#
    );
    let data = Payload::from(json!("text"));
    let whole = with_env(&data, |env| Selection::Whole.select_items(&data, env));
    assert_eq!(message(whole), r#"Reference path "$" must point to array."#);
}

#[test]
fn templates() {
    let input = r#"{"a": {"b": 1.50}, "l": [1, 2]}"#;
    assert_eq!(
        evaluated(
            &[("x.$", "$.a"), ("lit", r#"{"y.$": "$.a"}"#), ("all.$", "$.l[*]"), ("c.$", "$$.Execution.Input.from")],
            input
        )
        .unwrap(),
        r#"{"x":{"b":1.5},"lit":{"y.$":"$.a"},"all":[1,2],"c":"context"}"#
    );
    // Paths to many places that find none, and an index beyond the end: recorded.
    assert_eq!(
        evaluated(&[("none.$", "$.no.items[1:5].x"), ("star.$", "$.items[*]"), ("beyond.$", "$.l[5]")], input).unwrap(),
        r#"{"none":[],"star":[],"beyond":null}"#
    );
    assert_eq!(
        message(evaluated(&[("value.$", "$.no_such_jsonpath")], input)),
        format!(
            "The JSONPath '$.no_such_jsonpath' specified for the field 'value.$' could not be found in the input '{input}'"
        ),
        "the input stands there as its author wrote it"
    );
    assert_eq!(
        message(evaluated(&[("value.$", "$$.Execution.Input.no")], input)),
        "The JSONPath '$$.Execution.Input.no' specified for the field 'value.$' could not be found in the input \
         '{\"Execution\":{\"Input\":{\"from\":\"context\"}}}'"
    );
    assert_eq!(
        message(evaluated(&[("value.$", "$")], "null")),
        "Unable to apply Path transformation to null or empty input."
    );
    assert_eq!(evaluated(&[("value.$", "$$.Execution.Input.from")], "null").unwrap(), r#"{"value":"context"}"#);
}

#[test]
fn result_paths() {
    let apply = |text: &str, input: Value| {
        let path = ResultPath::At(ReferencePath::parse(text).expect("a reference path"));
        path.apply(&Payload::from(input), Payload::from(json!("R"))).map(|made| made.text().to_string())
    };
    assert_eq!(apply("$.a", json!({"b": 1})).unwrap(), r#"{"b":1,"a":"R"}"#);
    assert_eq!(apply("$.a", json!({"a": {"x": 1}, "b": 1})).unwrap(), r#"{"a":"R","b":1}"#);
    assert_eq!(apply("$.a.b.c", json!({"a": {"x": 1}})).unwrap(), r#"{"a":{"x":1,"b":{"c":"R"}}}"#);
    for (text, input, step) in [
        ("$.someTaskResult", json!("input1"), "someTaskResult"),
        ("$.a.b", json!({"a": [1]}), "b"),
        ("$.a.b", json!([1]), "a"),
    ] {
        let error = apply(text, input.clone()).unwrap_err();
        assert_eq!(error.error, "States.ReferencePathConflict");
        assert_eq!(error.cause("S", 2), format!("Unable to apply step \"{step}\" to input {input}"));
    }
}

#[test]
fn amounts() {
    let amount = |field: &str, value: Value| {
        let input = Payload::from(json!({"n": value}));
        with_env(&input, |env| Amount::Path(path("$.n")).evaluate(field, env))
    };
    assert_eq!(amount("TimeoutSecondsPath", json!(5)), Ok(5.0));
    assert_eq!(amount("TimeoutSeconds", json!("5")), Ok(5.0));
    assert_eq!(amount("ToleratedFailurePercentagePath", json!(12.5)), Ok(12.5));
    assert_eq!(
        message(amount("ToleratedFailureCountPath", json!("NoNumber"))),
        "The ToleratedFailureCountPath field refers to value \"NoNumber\" which is not a valid integer: $.n"
    );
    assert_eq!(
        message(amount("ToleratedFailureCountPath", json!({}))),
        "The ToleratedFailureCountPath field refers to value \"{}\" which is not a valid integer: $.n"
    );
    assert_eq!(message(amount("ToleratedFailureCountPath", json!(-1))), "ToleratedFailureCount cannot be negative.");
    assert_eq!(
        message(amount("MaxConcurrencyPath", json!(-1))),
        "Expected non-negative integer for MaxConcurrency, got '-1' instead."
    );
    assert_eq!(
        message(amount("MaxConcurrencyPath", json!(1.5))),
        "The MaxConcurrencyPath field refers to value \"1.5\" which is not a valid integer: $.n"
    );
    assert_eq!(
        message(amount("ToleratedFailurePercentagePath", json!(101))),
        "ToleratedFailurePercentage must be between 0 and 100."
    );
    assert!(amount("TimeoutSecondsPath", json!(0)).is_err());
    let input = Payload::from(json!({}));
    let missing =
        with_env(&input, |env| Amount::Path(path("$.NoSuchTimeoutSecondsPath")).evaluate("TimeoutSecondsPath", env));
    assert_eq!(
        message(missing),
        "Invalid path '$.NoSuchTimeoutSecondsPath' : No results for path: $['NoSuchTimeoutSecondsPath']"
    );
    assert_eq!(with_env(&input, |env| Amount::Literal(3.0).evaluate("TimeoutSeconds", env)), Ok(3.0));
}

#[test]
fn errors_and_causes_of_fail() {
    let input = Payload::parse(r#"{"Error": "E", "Cause": "C", "n": 1}"#).unwrap();
    let text = |field: &str, expression: &str| {
        with_env(&input, |env| Text::Dynamic(Dynamic::parse(expression).unwrap()).evaluate(field, env))
    };
    assert_eq!(text("ErrorPath", "$.Error").unwrap(), "E");
    assert_eq!(
        text("CausePath", "States.Format('This is {}, caused by {}.', $.Error, $.Cause)").unwrap(),
        "This is E, caused by C."
    );
    assert_eq!(
        message(text("CausePath", "$.NoSuchCausePath")),
        "The JSONPath '$.NoSuchCausePath' specified for the field 'CausePath' could not be found in the input \
         '{\"Error\": \"E\", \"Cause\": \"C\", \"n\": 1}'"
    );
    assert!(text("ErrorPath", "$.n").is_err());
    assert_eq!(with_env(&input, |env| Text::Literal("x".into()).evaluate("Error", env)).unwrap(), "x");
}

#[test]
fn waits() {
    let wait = |wait: Wait, value: Value| {
        let input = Payload::from(json!({"v": value}));
        with_env(&input, |env| wait.evaluate(env))
    };
    let seconds = |value: Value| wait(Wait::SecondsPath(path("$.v")), value);
    let timestamp = |value: Value| wait(Wait::TimestampPath(path("$.v")), value);
    assert_eq!(wait(Wait::Seconds(3), json!(null)), Ok(WaitFor::Seconds(3)));
    assert_eq!(seconds(json!(0)), Ok(WaitFor::Seconds(0)));
    assert_eq!(seconds(json!("12")), Ok(WaitFor::Seconds(12)));
    assert_eq!(
        message(seconds(json!({"raw": "3"}))),
        "The SecondsPath parameter cannot be parsed as a long value: $.v == {\"raw\":\"3\"}"
    );
    assert_eq!(message(seconds(json!(1.5))), "The SecondsPath parameter cannot be parsed as a long value: $.v == 1.5");
    assert_eq!(message(seconds(json!(-1))), "The SecondsPath parameter references a negative value: $.v == -1");
    assert_eq!(
        message(wait(Wait::SecondsPath(path("$.waitSeconds")), json!(1))),
        "The SecondsPath parameter does not reference an input value: $.waitSeconds"
    );
    assert_eq!(
        message(wait(Wait::TimestampPath(path("$.resumeAt")), json!(1))),
        "The TimestampPath parameter does not reference an input value: $.resumeAt"
    );
    let invalid = |shown: &str| {
        format!(
            "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: \
             $.v == {shown}"
        )
    };
    assert_eq!(message(timestamp(json!("2026-11-22T13:14:25"))), invalid("2026-11-22T13:14:25"));
    assert_eq!(message(timestamp(json!(1735689600000i64))), invalid("1735689600000"));
    let until = "2026-11-22T13:14:24.5Z".parse().unwrap();
    assert_eq!(timestamp(json!("2026-11-22T14:14:24.500+01:00")), Ok(WaitFor::Until(until)));
    assert_eq!(wait(Wait::Timestamp("2026-11-22T13:14:24.5Z".into()), json!(1)), Ok(WaitFor::Until(until)));
}

/// A loop that wraps its data again and again ends with an error, not with data that cannot be read back.
#[test]
fn data_cannot_grow_without_end_in_depth() {
    let wrap = template(&[("a.$", "$")]);
    let mut data = Payload::from(json!(1));
    let error = loop {
        match with_env(&data, |env| wrap.evaluate(env)) {
            Ok(deeper) => data = Payload::trusted(deeper.text().clone()),
            Err(error) => break error,
        }
    };
    assert_eq!(data.depth(), asl::payload::MAX_DEPTH);
    assert_eq!(error.message, "Document nesting depth exceeds the maximum allowed (1000)");
    let path = ResultPath::At(ReferencePath::parse("$.b").unwrap());
    assert!(path.apply(&Payload::empty_object(), data).is_err());
}

/// The context object is made only for those who ask.
#[test]
fn the_context_is_asked_for_only_by_its_paths() {
    struct Never;
    impl Context for Never {
        fn value(&self) -> &Value {
            panic!("nobody asked")
        }
    }
    let input = Payload::from(json!({"a": 1}));
    let mut draws = || 0;
    let mut env = Env { input: &input, context: &Never, variables: &NoVariables, draws: &mut draws };
    let made = template(&[("x.$", "States.Array($.a, $.missing[*])")]).evaluate(&mut env).unwrap();
    assert_eq!(&**made.text(), r#"{"x":[1,[]]}"#);
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-d]", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn argument() -> impl Strategy<Value = String> {
    prop_oneof![
        "[$]([.][a-d]|\\[[0-3]\\]|\\[\\*\\]){0,2}",
        "'[a-z{} ,]{0,5}'",
        "-?[1-9][0-9]{0,10}([.][0-9])?",
        Just("true".to_owned()),
        Just("null".to_owned()),
        Just("$$".to_owned()),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    let name = prop::sample::select(asl::Function::all().map(asl::Function::name).collect::<Vec<_>>());
    let call = |arguments: Vec<String>, name: &str| format!("{name}({})", arguments.join(", "));
    let flat = (prop::collection::vec(argument(), 0..4), name.clone()).prop_map(move |(a, n)| call(a, n));
    (prop::collection::vec(prop_oneof![argument(), flat], 0..4), name).prop_map(move |(a, n)| call(a, n))
}

proptest! {
    /// Whatever is called on whatever, there is a value or a sentence.
    #[test]
    fn calls_never_panic(expression in expression(), input in json_value()) {
        if let Ok(dynamic) = Dynamic::parse(&expression) {
            let input = Payload::from(input);
            let result = with_env(&input, |env| dynamic.evaluate("x.$", env).map(|value| value.into_owned()));
            if let Err(error) = result {
                prop_assert!(error.message.contains(&expression) || error.message.starts_with("Unable to apply"), "{}", error.message);
            }
        }
    }

    #[test]
    fn parsing_never_panics(text in ".{0,30}", call in "States[.][A-Za-z]{0,8}[(][^)]{0,12}[)]?") {
        let _ = Dynamic::parse(&text);
        let _ = Dynamic::parse(&format!("${text}"));
        let _ = Dynamic::parse(&call);
        let _ = Dynamic::parse(&format!("States.Array({text})"));
        let _ = asl::timestamp::parse(&text);
    }

    /// Names and values fill the blanks of a sentence and change nothing else of it.
    #[test]
    fn sentences_vary_only_in_their_blanks(name in "[A-Za-z][A-Za-z0-9_]{0,12}", field in "[A-Za-z]{1,12}", value in json_value()) {
        let mut document = json!({});
        document["_"] = value;
        let text = document.to_string();
        let missing = format!("$.{name}");
        let key = format!("{field}.$");
        prop_assert_eq!(
            message(evaluated(&[(&key, &missing)], &text)),
            format!("The JSONPath '{missing}' specified for the field '{key}' could not be found in the input '{text}'")
        );
        prop_assert_eq!(
            message(select("InputPath", &missing, &document)),
            format!("Invalid path '{missing}' : No results for path: $['{name}']")
        );
        let call = format!("States.Array({missing})");
        prop_assert_eq!(
            message(evaluated(&[(&key, &call)], &text)),
            format!("The function '{call}' had the following error: The JsonPath argument for the field '{missing}' could not be found in the input '{text}'")
        );
    }
}
