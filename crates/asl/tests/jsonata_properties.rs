//! What holds for every expression and all data.

use asl::Payload;
use asl::eval::NoVariables;
use asl::jsonata::{Expression, Failure, Gate, Limits, Scope, States};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn evaluate(text: &str, input: &Payload) -> Option<Result<Option<Payload>, Failure>> {
    let expression = Expression::compile(text, Gate::Aws).ok()?;
    let states = States { input, result: None, error_output: None, context: &Value::Null };
    let scope = Scope { states: Some(states), variables: &NoVariables, focus: None, now_ms: 1 };
    let mut drawn = 0_u128;
    let mut draws = || {
        drawn += 1;
        drawn
    };
    Some(expression.evaluate(&scope, &mut draws, &Limits::default()))
}

/// Names that collide often, so that paths find something.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c", "and", "a b", "$"]).prop_map(str::to_owned)
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1000_i64..1000).prop_map(Value::from),
        (-1e6..1e6).prop_map(Value::from),
        "[a-c]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Pieces that expressions are made of, in any order: most do not parse, and many that do are odd.
fn gibberish() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "$",
        "$$",
        "states",
        "input",
        ".",
        "a",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "1",
        "..",
        "'x'",
        "+",
        "-",
        "*",
        "/",
        "%",
        "~>",
        "|",
        "?",
        ":",
        ":=",
        "?:",
        "??",
        "^",
        "@",
        "#",
        ";",
        ",",
        "$map",
        "$uppercase",
        "function",
        "$x",
        "<",
        ">",
        "=",
        "and",
        "in",
        " ",
        "$range",
        "$parse",
        "$pad",
        "/a+/",
        "`b c`",
        "**",
        "$f",
        "\\",
        "\"",
        "é",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Whoever writes nonsense is told so, at a place within the text.
    #[test]
    fn nothing_panics(text in gibberish(), input in json()) {
        let input = Payload::from(input);
        for gate in [Gate::Aws, Gate::Open] {
            if let Err(refusals) = Expression::compile(&text, gate) {
                prop_assert!(!refusals.is_empty());
                prop_assert!(refusals.iter().all(|refusal| refusal.offset <= text.len() && !refusal.message.is_empty()));
            }
        }
        let _ = evaluate(&text, &input);
    }

    /// The short way and the engine agree on expressions that only pass a value on.
    #[test]
    fn passing_on_means_what_it_says(input in json(), steps in prop::collection::vec((name(), prop::option::of(-3_i8..3)), 0..4)) {
        let input = Payload::from(input);
        let step = |(name, item): &(String, Option<i8>)| match item {
            Some(item) => format!(".`{name}`[{item}]"),
            None => format!(".`{name}`"),
        };
        let path: String = steps.iter().map(step).collect();
        let short = evaluate(&format!("$states.input{path}"), &input).expect("a path");
        // In parentheses it is no longer plain, so the engine evaluates it.
        let long = evaluate(&format!("($states.input{path})"), &input).expect("a path");
        prop_assert!(same(&short, &long), "{short:?} {long:?}");
    }

    /// The same draws and the same data give the same value.
    #[test]
    fn evaluation_repeats(input in json()) {
        let input = Payload::from(input);
        for text in ["$shuffle([1..9])", "[$uuid(), $random()]", "$states.input.*", "$keys($states.input)", "$string($states)"] {
            prop_assert_eq!(evaluate(text, &input), evaluate(text, &input));
        }
    }

    /// What a value loses by being written out and parsed is nothing.
    #[test]
    fn parse_undoes_string(input in json()) {
        let input = Payload::from(input);
        let there_and_back = evaluate("$parse($string([$states.input]))", &input).expect("it compiles");
        let plain = evaluate("[$states.input]", &input).expect("it compiles");
        prop_assert!(same(&there_and_back, &plain), "{there_and_back:?} {plain:?}");
    }
}

fn same(left: &Result<Option<Payload>, Failure>, right: &Result<Option<Payload>, Failure>) -> bool {
    match (left, right) {
        (Ok(Some(left)), Ok(Some(right))) => alike(left.value(), right.value()),
        (left, right) => left == right,
    }
}

/// Text keeps 15 digits of a number; a whole payload that is handed on keeps its form.
fn alike(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or_default(), b.as_f64().unwrap_or_default());
            (a - b).abs() <= a.abs() * 1e-14
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| alike(a, b)))
        }
        (a, b) => a == b,
    }
}
