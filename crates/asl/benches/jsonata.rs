//! What the two query languages cost for the same work, and how soon hostile expressions end.
//!
//! `cargo bench -p asl --bench jsonata`; a name behind `--` picks some. The second language may take a few times the
//! work of the first where it does more (a filter copies what it reads); a state that only passes data on takes none.

#[path = "../tests/hostile_expressions/mod.rs"]
mod hostile_expressions;

use std::fmt;
use std::hint::black_box;

use asl::eval::{Env, NoVariables, QueryEnv};
use asl::jsonata::{Expression, Gate, Limits, Scope, States};
use asl::{Kind, Payload, Program, State, load};
use divan::Bencher;
use serde_json::{Value, json};

fn main() {
    divan::main();
}

/// A machine of one state `A`, and `B` behind it.
fn program(language: &str, fields: &Value) -> Program {
    let mut state = json!({"Type": "Pass", "QueryLanguage": language, "Next": "B"});
    let members = state.as_object_mut().expect("an object");
    members.extend(fields.as_object().expect("an object").clone());
    if members["Type"] == "Choice" {
        members.remove("Next");
    }
    let definition = json!({"StartAt": "A", "States": {"A": state, "B": {"Type": "Succeed"}}});
    load(&definition.to_string()).expect("a definition")
}

/// An order of about 10 KiB: as much as a task answers.
fn order() -> Payload {
    let line = |n: i64| json!({"sku": format!("SKU-{n:06}"), "quantity": n % 7 + 1, "price": 9.5 + n as f64, "tags": ["a", "b"]});
    let lines: Vec<Value> = (0..120).map(line).collect();
    json(&json!({"id": "order-17", "customer": {"name": "Ada", "city": "London"}, "total": 7140, "lines": lines}))
}

/// A list of about 200 KiB, with `n` from 0 to 999.
fn list() -> Payload {
    let item = |n: i64| json!({"n": n, "name": format!("item {n}"), "text": "x".repeat(160)});
    json(&json!({"items": (0..1000).map(item).collect::<Vec<_>>()}))
}

/// As it lies in memory while an execution runs: a text that has been read once.
fn json(value: &Value) -> Payload {
    let payload = Payload::parse(value.to_string()).expect("JSON");
    payload.value();
    payload
}

/// What a state makes of its input, in either language.
fn work(state: &State, input: &Payload) -> Payload {
    let mut draws = || 4_u128;
    let context = Value::Null;
    if let Some(output) = &state.output {
        let states = States { input, result: None, error_output: None, context: &context };
        let scope = Scope { states: Some(states), variables: &NoVariables, focus: None, now_ms: 0 };
        let mut env = QueryEnv { scope, draws: &mut draws, limits: Limits::default() };
        return output.evaluate("Output", &mut env).expect("an output");
    }
    let mut env = Env { input, context: &context, variables: &NoVariables, draws: &mut draws };
    let selected = state.input_path.select("InputPath", input, &env).expect("an input");
    let Kind::Pass(pass) = &state.kind else { panic!("a Pass state") };
    env.input = &selected;
    pass.parameters.as_ref().map_or(selected.clone(), |template| template.evaluate(&mut env).expect("parameters"))
}

fn bench(bencher: Bencher<'_, '_>, language: &str, fields: &Value, input: &Payload) {
    let program = program(language, fields);
    bencher.bench_local(|| work(black_box(&program.states[0]), black_box(input)));
}

#[divan::bench_group]
mod choice {
    use super::*;

    #[divan::bench]
    fn jsonpath(bencher: Bencher) {
        let rule = json!({"And": [{"Variable": "$.total", "NumericGreaterThan": 100},
            {"Variable": "$.customer.city", "StringEquals": "London"}], "Next": "B"});
        let program = program("JSONPath", &json!({"Type": "Choice", "Choices": [rule]}));
        let (input, context) = (order(), Value::Null);
        let Kind::Choice(choice) = &program.states[0].kind else { panic!("a Choice") };
        bencher.bench_local(|| {
            let mut draws = || 4_u128;
            let env = Env { input: &input, context: &context, variables: &NoVariables, draws: &mut draws };
            assert_eq!(black_box(choice).rule(&env), Ok(Some(0)));
        });
    }

    #[divan::bench]
    fn jsonata(bencher: Bencher) {
        let condition = "{% $states.input.total > 100 and $states.input.customer.city = 'London' %}";
        let rule = json!({"Condition": condition, "Next": "B"});
        let program = program("JSONata", &json!({"Type": "Choice", "Choices": [rule]}));
        let (input, context) = (order(), Value::Null);
        let Kind::Choice(choice) = &program.states[0].kind else { panic!("a Choice") };
        bencher.bench_local(|| {
            let mut draws = || 4_u128;
            let states = States { input: &input, result: None, error_output: None, context: &context };
            let scope = Scope { states: Some(states), variables: &NoVariables, focus: None, now_ms: 0 };
            let mut env = QueryEnv { scope, draws: &mut draws, limits: Limits::default() };
            assert_eq!(black_box(choice).compute(&mut env), Ok(Some(0)));
        });
    }
}

/// An object of ten fields, built from 10 KiB.
#[divan::bench_group]
mod object_from_10_kib {
    use super::*;

    #[divan::bench]
    fn jsonpath(bencher: Bencher) {
        let parameters = json!({"id.$": "$.id", "name.$": "$.customer.name", "city.$": "$.customer.city",
            "total.$": "$.total", "first.$": "$.lines[0].sku", "skus.$": "$.lines[*].sku",
            "kind": "order", "nested": {"price.$": "$.lines[3].price", "tags.$": "$.lines[3].tags"},
            "customer.$": "$.customer"});
        bench(bencher, "JSONPath", &json!({"Parameters": parameters}), &order());
    }

    #[divan::bench]
    fn jsonata(bencher: Bencher) {
        let output = json!({"id": "{% $states.input.id %}", "name": "{% $states.input.customer.name %}",
            "city": "{% $states.input.customer.city %}", "total": "{% $states.input.total %}",
            "first": "{% $states.input.lines[0].sku %}", "skus": "{% $states.input.lines.sku %}", "kind": "order",
            "nested": {"price": "{% $states.input.lines[3].price %}", "tags": "{% $states.input.lines[3].tags %}"},
            "customer": "{% $states.input.customer %}"});
        bench(bencher, "JSONata", &json!({"Output": output}), &order());
    }
}

/// Half of the items of 200 KiB.
#[divan::bench_group]
mod filter_of_200_kib {
    use super::*;

    #[divan::bench]
    fn jsonpath(bencher: Bencher) {
        bench(bencher, "JSONPath", &json!({"InputPath": "$.items[?(@.n >= 500)]"}), &list());
    }

    #[divan::bench]
    fn jsonata(bencher: Bencher) {
        bench(bencher, "JSONata", &json!({"Output": "{% $states.input.items[n >= 500] %}"}), &list());
    }
}

#[divan::bench_group]
mod pass_through_of_200_kib {
    use super::*;

    #[divan::bench]
    fn jsonpath(bencher: Bencher) {
        bench(bencher, "JSONPath", &json!({}), &list());
    }

    #[divan::bench]
    fn jsonata(bencher: Bencher) {
        bench(bencher, "JSONata", &json!({"Output": "{% $states.input %}"}), &list());
    }
}

struct Hostile(&'static str, String);

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Each ends below 100 ms.
#[divan::bench(args = hostile_expressions::hostile().into_iter().map(|(name, text, _)| Hostile(name, text)), sample_count = 5, sample_size = 1)]
fn hostile(hostile: &Hostile) {
    let (input, context) = (Payload::empty_object(), Value::Null);
    let states = States { input: &input, result: None, error_output: None, context: &context };
    let scope = Scope { states: Some(states), variables: &NoVariables, focus: None, now_ms: 0 };
    if let Ok(expression) = Expression::compile(&hostile.1, Gate::Aws) {
        let _ = black_box(expression.evaluate(&scope, &mut || 4_u128, &Limits::default()));
    }
}
