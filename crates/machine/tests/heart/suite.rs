//! The official suite of JSONata from end to end: each case is a state of a machine that is checked, started, turned and
//! folded again, with the case's bindings as workflow variables.

#[path = "../../../asl/tests/suite_cases/mod.rs"]
mod suite_cases;

use asl::{CheckOptions, check};
use machine::Status;
use serde_json::{Value, json};
use suite_cases::{CASE_COUNT, Case, Outcome, RESULT, SAME_WITH_GATE, cases, is_syntax_error, same, wanted, wrapped};

use crate::world::World;

/// How many cases AWS's rules let into a machine.
const RAN: usize = 1597;

/// A machine that comes to what the expression comes to. (`Output` alone, so that undefined stays undefined.)
fn definition(text: &str, case: &Case) -> String {
    let run = json!({"Type": "Pass", "Output": format!("{{% {text} %}}"), "End": true});
    let set = json!({"Type": "Pass", "Assign": case.bindings, "Next": "Run"});
    let (first, states) = match case.bindings.is_empty() {
        true => ("Run", json!({"Run": run})),
        false => ("Set", json!({"Set": set, "Run": run})),
    };
    json!({"QueryLanguage": "JSONata", "StartAt": first, "States": states}).to_string()
}

/// What a machine of this expression comes to; refused is a word of AWS's.
fn outcome(text: &str, case: &Case, input: &Value) -> Outcome {
    let definition = definition(text, case);
    let checked = check(&definition, &CheckOptions::default());
    if let Some(refused) = checked.diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
        return Outcome::Error(format!("{}: {}", refused.code, refused.message));
    }
    let mut world = World::new(&definition);
    // The suite's data is larger than what AWS lets into a state.
    world.limits.payload_bytes = 64 << 20;
    world.begin(&input.to_string());
    let execution = &world.execution;
    if execution.status == Status::Succeeded {
        return Outcome::Value(execution.output.as_ref().expect("an output").value().clone());
    }
    let failure = execution.failure.as_ref().expect("it has failed");
    assert_eq!(failure.error.as_deref(), Some("States.QueryEvaluationError"), "{}: {failure:?}", case.case);
    let cause = failure.cause.as_deref().expect("a cause");
    if cause.ends_with("returned nothing (undefined).") {
        return Outcome::Undefined;
    }
    let (_, thrown) = cause.split_once(" threw an error during evaluation").expect(cause);
    match thrown.strip_prefix(". ").and_then(|thrown| thrown.split_once(": ")) {
        Some((code, _)) => Outcome::Error(code.to_owned()),
        // The suite's own guard against running away.
        None if thrown.contains("Stack overflow") || thrown.contains("timeout") => Outcome::Error("U1001".to_owned()),
        None => Outcome::Error(thrown.to_owned()),
    }
}

#[test]
fn the_suite_from_end_to_end() {
    let (cases, datasets) = cases();
    assert_eq!(cases.len(), CASE_COUNT);
    let (mut ran, mut refused, mut the_same) = (0, 0, 0);
    for case in &cases {
        let given = case.data.as_ref().or_else(|| case.dataset.as_ref().map(|name| &datasets[name]));
        let input = given.unwrap_or(&Value::Null);
        // A case without data is about no input; what does not parse is best refused as it stands.
        let bare = (given.is_none() || matches!(&case.code, Some(code) if code.starts_with('S')))
            .then(|| outcome(&case.expr, case, input))
            .filter(|found| !matches!(found, Outcome::Error(refused) if refused.starts_with("UNSUPPORTED")));
        let found = bare.unwrap_or_else(|| match outcome(&wrapped(&case.expr, input), case, input) {
            Outcome::Value(Value::Object(mut object)) => {
                object.shift_remove(RESULT).map_or(Outcome::Undefined, Outcome::Value)
            }
            found => found,
        });
        match &found {
            Outcome::Error(words) if words.contains("_JSONATA_EXPRESSION") => refused += 1,
            _ => ran += 1,
        }
        let wanted = wanted(case);
        the_same += usize::from(same(&found, &wanted, case.unordered) || is_syntax_error(&found, &wanted));
    }
    println!("jsonata suite, from end to end: {ran} ran, {refused} refused, {the_same} the same");
    assert!(ran >= RAN, "{ran}");
    assert!(the_same >= SAME_WITH_GATE, "{the_same}");
}
