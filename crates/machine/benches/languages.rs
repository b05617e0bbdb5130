//! Ten Pass states in a row, in either query language: a whole execution in one turn, with the bytes of its log.
//!
//! `cargo bench -p machine --bench languages`. JSONata may take one and a half times what JSONPath takes for the same work.

use std::collections::BTreeMap;
use std::hint::black_box;

use asl::{Payload, Program, load};
use divan::Bencher;
use machine::codec::Writer;
use machine::{Execution, Input, Limits, LogLevel, Stamp, Started, TaskId};
use serde_json::{Map, Value, json};

const STATES: usize = 10;

fn main() {
    divan::main();
}

fn chain(language: &str, fields: &Value) -> Program {
    let mut states = Map::new();
    for index in 0..STATES {
        let mut state = fields.clone();
        state["Type"] = json!("Pass");
        match index + 1 {
            STATES => state["End"] = json!(true),
            next => state["Next"] = json!(format!("S{next}")),
        }
        states.insert(format!("S{index}"), state);
    }
    load(&json!({"QueryLanguage": language, "StartAt": "S0", "States": states}).to_string()).expect("a definition")
}

fn execute(bencher: Bencher<'_, '_>, language: &str, fields: &Value) {
    let (program, limits) = (chain(language, fields), Limits::default());
    let input = json!({"n": 1, "text": "x".repeat(200), "list": [1, 2, 3]}).to_string();
    bencher.bench_local(|| {
        let started = Started {
            arn: "arn:aws:states:us-east-1:000000000000:execution:m:e".into(),
            name: "e".into(),
            machine: "arn:aws:states:us-east-1:000000000000:stateMachine:m".into(),
            role: "arn:aws:iam::000000000000:role/r".into(),
            input: Payload::parse(input.as_str()).expect("JSON"),
            definition: [0; 32],
            version: None,
            alias: None,
            trace_header: None,
            parent: None,
            mock: None,
        };
        let seal = |task: TaskId, nonce: u128| format!("{task:x}{nonce:x}");
        let stamp = Stamp {
            at: 1_767_225_600_000,
            seed: [7; 32],
            seal: &seal,
            beats: &BTreeMap::new(),
            listening_since: 0,
            limits: &limits,
            log: LogLevel::Off,
            owes_spans: false,
            mistake: &|_, _| None,
        };
        let mut execution = Execution::default();
        let turn = execution.turn(&program, vec![Input::Start(Box::new(started))], &stamp);
        assert!(execution.is_over());
        black_box(Writer::default().encode(0, &turn.records));
    });
}

/// W1 as it is measured from outside.
#[divan::bench_group]
mod nothing {
    use super::*;

    #[divan::bench]
    fn jsonpath(bencher: Bencher) {
        execute(bencher, "JSONPath", &json!({}));
    }

    #[divan::bench]
    fn jsonata(bencher: Bencher) {
        execute(bencher, "JSONata", &json!({}));
    }

    #[divan::bench]
    fn jsonata_output(bencher: Bencher) {
        execute(bencher, "JSONata", &json!({"Output": "{% $states.input %}"}));
    }
}

#[divan::bench_group]
mod an_object_with_a_sum {
    use super::*;

    #[divan::bench]
    fn jsonpath(bencher: Bencher) {
        let parameters = json!({"n.$": "States.MathAdd($.n, 1)", "text.$": "$.text", "list.$": "$.list"});
        execute(bencher, "JSONPath", &json!({"Parameters": parameters}));
    }

    #[divan::bench]
    fn jsonata(bencher: Bencher) {
        let output = json!({"n": "{% $states.input.n + 1 %}", "text": "{% $states.input.text %}", "list": "{% $states.input.list %}"});
        execute(bencher, "JSONata", &json!({"Output": output}));
    }
}

#[divan::bench_group]
mod variables {
    use super::*;

    #[divan::bench]
    fn jsonpath(bencher: Bencher) {
        execute(bencher, "JSONPath", &json!({"Assign": {"n.$": "$.n", "text.$": "$.text"}}));
    }

    #[divan::bench]
    fn jsonata(bencher: Bencher) {
        let assign = json!({"n": "{% $states.input.n %}", "text": "{% $states.input.text %}"});
        execute(bencher, "JSONata", &json!({"Assign": assign}));
    }
}
