//! The official suite of JSONata, through the adapter that the engine uses.
//!
//! With AWS's gate off it shows that the language is whole; with the gate on, which parts of it AWS has. Both print how
//! many cases ran, and neither number may shrink.

mod suite_cases;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use asl::Payload;
use asl::eval::{Draws, QueryEnv, Variables};
use asl::jsonata::{Expression, Failure, Gate, Limit, Limits, Scope, States};
use serde_json::{Map, Value};
use suite_cases::{CASE_COUNT, Case, Outcome, RESULT, SAME_WITH_GATE, cases, is_syntax_error, same, wanted, wrapped};

/// The cases that are missed with the gate off, and why.
const MISSES: [(&str, &str); 3] = [
    (
        "function-encodeUrl/case002",
        "a text of ours cannot hold half of a surrogate pair, so there is nothing to refuse",
    ),
    ("function-encodeUrlComponent/case002", "the same"),
    ("function-string/case019", "infinity is refused where it arises (D1001), not where it becomes text (D3001)"),
];

/// How many a state takes.
const THROUGH_A_STATE: usize = 1601;

struct Bound<'a>(&'a Map<String, Value>);

impl Variables for Bound<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }
}

fn outcome(found: Result<Option<Payload>, Failure>) -> Outcome {
    match found {
        Ok(Some(payload)) => Outcome::Value(payload.value().clone()),
        Ok(None) => Outcome::Undefined,
        Err(Failure::Thrown { code, .. }) => Outcome::Error(code),
        // The suite's own guard against running away.
        Err(Failure::Limit(Limit::Depth | Limit::Time)) => Outcome::Error("U1001".into()),
        Err(other) => Outcome::Error(format!("{other:?}")),
    }
}

fn draws() -> impl Draws {
    let mut drawn = 0_u128;
    move || {
        drawn += 1;
        drawn << 64 | drawn
    }
}

/// Some time in 2026, as `$now()` tells it.
const NOW_MS: i64 = 1_790_000_000_000;

/// The limits that the suite was made for: it recurses deeper and makes larger arrays than AWS allows.
fn wide(case: &Case) -> Limits {
    Limits { max_depth: case.depth.unwrap_or(1000), max_items: 10_000_000, ..Limits::default() }
}

fn run(text: &str, gate: Gate, scope: &Scope<'_>, limits: &Limits) -> Outcome {
    match Expression::compile(text, gate) {
        Err(refusals) => Outcome::Error(format!("{}: {}", refusals[0].code, refusals[0].message)),
        Ok(expression) => outcome(expression.evaluate(scope, &mut draws(), limits)),
    }
}

#[test]
fn the_language_is_whole() {
    let (cases, datasets) = cases();
    assert_eq!(cases.len(), CASE_COUNT);
    let mut missed = BTreeMap::new();
    for case in &cases {
        let focus = case.data.as_ref().or_else(|| case.dataset.as_ref().map(|name| &datasets[name]));
        let variables = Bound(&case.bindings);
        let scope = Scope { states: None, variables: &variables, focus, now_ms: NOW_MS };
        let found = run(&case.expr, Gate::Open, &scope, &wide(case));
        let wanted = wanted(case);
        if !same(&found, &wanted, case.unordered) && !is_syntax_error(&found, &wanted) {
            missed.insert(case.case.as_str(), format!("wanted {wanted:?}, found {found:?}"));
        }
    }
    println!("jsonata suite, gate off: {} of {} cases", cases.len() - missed.len(), cases.len());
    let known: Vec<&str> = MISSES.iter().map(|(case, _)| *case).collect();
    assert!(missed.keys().copied().eq(known), "{missed:#?}");
}

/// What a case comes to where AWS takes it as it stands, or else behind its input.
fn behind_its_input(case: &Case, has_input: bool, scope: &Scope<'_>, input: &Value) -> Outcome {
    if !has_input || Expression::compile(&case.expr, Gate::Open).is_err() {
        let bare = run(&case.expr, Gate::Aws, scope, &Limits::default());
        if !matches!(&bare, Outcome::Error(refused) if refused.starts_with("UNSUPPORTED")) {
            return bare;
        }
    }
    match run(&wrapped(&case.expr, input), Gate::Aws, scope, &Limits::default()) {
        Outcome::Value(Value::Object(mut object)) => {
            object.shift_remove(RESULT).map_or(Outcome::Undefined, Outcome::Value)
        }
        found => found,
    }
}

#[test]
fn what_aws_has_of_the_language() {
    let (cases, datasets) = cases();
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut same_count = 0;
    for case in &cases {
        let focus = case.data.as_ref().or_else(|| case.dataset.as_ref().map(|name| &datasets[name]));
        let input = Payload::from(focus.cloned().unwrap_or(Value::Null));
        let variables = Bound(&case.bindings);
        let states = States { input: &input, result: None, error_output: None, context: &Value::Null };
        let scope = Scope { states: Some(states), variables: &variables, focus: None, now_ms: NOW_MS };
        let wanted = wanted(case);
        let found = behind_its_input(case, focus.is_some(), &scope, input.value());
        if same(&found, &wanted, case.unordered) || is_syntax_error(&found, &wanted) {
            same_count += 1;
        } else {
            table.entry(reason(case, &found, &wanted, input.value())).or_default().push(case.case.clone());
        }
    }
    let mut told = String::new();
    for (reason, cases) in &table {
        let _ = writeln!(told, "{reason}: {}\n    {}", cases.len(), cases.join(" "));
    }
    println!("jsonata suite, gate on: {same_count} of {} cases the same", cases.len());
    insta::assert_snapshot!(told);
    assert!(same_count >= SAME_WITH_GATE, "{same_count}");
}

/// The same expressions as the `Output` of a Pass state: a definition is checked, compiled and evaluated.
#[test]
fn through_a_state() {
    let (cases, datasets) = cases();
    let (mut ran, mut refused) = (0, 0);
    for case in &cases {
        let focus = case.data.as_ref().or_else(|| case.dataset.as_ref().map(|name| &datasets[name]));
        let input = Payload::from(focus.cloned().unwrap_or(Value::Null));
        let variables = Bound(&case.bindings);
        let states = States { input: &input, result: None, error_output: None, context: &Value::Null };
        let scope = Scope { states: Some(states), variables: &variables, focus: None, now_ms: NOW_MS };
        let wrapped = format!("$states.input.(\n{}\n)", case.expr);
        let definition = serde_json::json!({"QueryLanguage": "JSONata", "StartAt": "A", "States": {
            "A": {"Type": "Pass", "Output": {"v": [format!("{{% {wrapped} %}}")]}, "End": true}}});
        let checked = asl::check(&definition.to_string(), &asl::CheckOptions::default());
        let direct = Expression::compile(&wrapped, Gate::Aws);
        assert_eq!(checked.is_valid(), direct.is_ok(), "{}: {:?}", case.case, checked.diagnostics);
        let Ok(direct) = direct else {
            refused += 1;
            continue;
        };
        ran += 1;
        let program = asl::load(&definition.to_string()).expect(&case.case);
        let output = program.states[0].output.as_ref().expect("Output");
        let mut draws = draws();
        let mut env = QueryEnv { scope, draws: &mut draws, limits: Limits::default() };
        let found = output.evaluate("Output", &mut env);
        match (direct.evaluate(&scope, &mut self::draws(), &Limits::default()), found) {
            (Ok(Some(value)), Ok(found)) => {
                assert_eq!(found.value()["v"][0], *value.value(), "{}", case.case);
            }
            (Ok(None), Err(error)) => {
                assert!(error.message.ends_with("returned nothing (undefined)."), "{}", case.case)
            }
            (Err(failure), Err(error)) => {
                assert_eq!(error.message, failure.sentence(direct.text(), "Output/v[0]"), "{}", case.case);
                assert_eq!(error.location, "Output/v[0]");
            }
            (direct, found) => panic!("{}: {direct:?} {found:?}", case.case),
        }
    }
    println!("jsonata suite, through a state: {ran} ran, {refused} refused");
    assert!(ran >= THROUGH_A_STATE, "{ran}");
}

/// Which rule makes the difference.
fn reason(case: &Case, found: &Outcome, wanted: &Outcome, input: &Value) -> String {
    match found {
        Outcome::Error(message) if message.starts_with("UNSUPPORTED") && message.contains("'$$'") => {
            "refused: `$$` is the whole input, which AWS does not give".into()
        }
        Outcome::Error(message) if message.contains("unary operator") => {
            "refused: an operator that is newer than JSONata 2.0.6".into()
        }
        Outcome::Error(_) if case.expr.contains("$eval(") => "refused: `$eval` is no function".into(),
        Outcome::Error(message) if message == "Limit(Memory)" => "refused: more than 7 MB".into(),
        Outcome::Error(message) if message == "U1001" => "refused: deeper than 100 or longer than AWS's second".into(),
        Outcome::Error(message) if message == "UnsupportedResult" => "refused: the result is a function".into(),
        _ if MISSES.iter().any(|(miss, _)| *miss == case.case) => "the engine: missed with the gate off, too".into(),
        _ if input.is_null() => "the wrapping: there is no input to put it behind".into(),
        _ if input.is_array() => {
            "the wrapping: an input that is an array stands in a sequence of its own, which no state has".into()
        }
        found => format!("else: {}: wanted {wanted:?}, found {found:?}", case.case),
    }
}
