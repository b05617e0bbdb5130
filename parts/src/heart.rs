//! Turns: what the heart does with one input, without a store.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use asl::{Payload, Program};
use machine::{Execution, Input, Limits, LogLevel, Report, Stamp, Started, TaskId, Turn};
use serde_json::{Value, json};

use crate::Work;

pub const ROLE: &str = "arn:aws:iam::000000000000:role/parts";

/// A definition of ten Pass states in a row.
pub fn passes() -> String {
    let mut states = serde_json::Map::new();
    for index in 0..10 {
        let mut state = json!({ "Type": "Pass" });
        match index {
            9 => state["End"] = json!(true),
            _ => state["Next"] = json!(format!("S{}", index + 1)),
        }
        states.insert(format!("S{index}"), state);
    }
    json!({ "StartAt": "S0", "States": states }).to_string()
}

fn map() -> String {
    let each = json!({ "StartAt": "Each", "States": { "Each": { "Type": "Pass", "End": true } } });
    alone(json!({ "Type": "Map", "ItemsPath": "$.items", "ItemProcessor": each }))
}

fn callback() -> String {
    alone(json!({ "Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": { "QueueUrl": "http://127.0.0.1/q", "MessageBody": { "token.$": "$$.Task.Token" } } }))
}

fn alone(mut state: Value) -> String {
    state["End"] = json!(true);
    json!({ "StartAt": "Only", "States": { "Only": state } }).to_string()
}

/// One execution that is turned.
pub struct Scene {
    program: Program,
    pub execution: Execution,
    limits: Limits,
}

impl Scene {
    pub fn new(definition: &str) -> Scene {
        let program = asl::load(definition).expect("a definition");
        Scene { program, execution: Execution::default(), limits: Limits::default() }
    }

    pub fn turn(&mut self, input: Input) -> Turn {
        let seal = |task: TaskId, nonce: u128| format!("{task:x}{nonce:x}");
        let stamp = Stamp {
            at: 1_767_225_600_000,
            seed: [7; 32],
            seal: &seal,
            beats: &BTreeMap::new(),
            listening_since: 0,
            limits: &self.limits,
            log: LogLevel::Off,
            owes_spans: false,
            mistake: &|_, _| None,
        };
        self.execution.turn(&self.program, vec![input], &stamp)
    }
}

pub fn start(input: &Payload) -> Input {
    Input::Start(Box::new(Started {
        arn: "arn:aws:states:us-east-1:000000000000:execution:parts:one".into(),
        name: "one".into(),
        machine: "arn:aws:states:us-east-1:000000000000:stateMachine:parts".into(),
        role: ROLE.into(),
        input: input.clone(),
        definition: [0; 32],
        version: None,
        alias: None,
        trace_header: None,
        parent: None,
        mock: None,
    }))
}

pub fn turn_passes() -> Work {
    turned(&passes(), json!({}))
}

pub fn turn_map() -> Work {
    turned(&map(), json!({ "items": (0..100).collect::<Vec<_>>() }))
}

/// The first turn of an execution, each time of a new one.
fn turned(definition: &str, input: Value) -> Work {
    let (mut scene, input) = (Scene::new(definition), input.to_string());
    Box::new(move || {
        scene.execution = Execution::default();
        let input = Payload::parse(input.as_str()).expect("JSON");
        let turn = scene.turn(start(&input));
        assert!(scene.execution.is_over());
        black_box(turn);
    })
}

pub fn turn_callback() -> Work {
    let mut scene = Scene::new(&callback());
    scene.turn(start(&Payload::trusted("{}")));
    let task = *scene.execution.tasks.keys().next().expect("a task");
    scene.turn(Input::Report { task, report: Report::Submitted { output: Payload::trusted("{}") } });
    let waiting = scene.execution.clone();
    let output: Arc<str> = "{}".into();
    Box::new(move || {
        scene.execution = waiting.clone();
        let output = Payload::parse(output.clone()).expect("JSON");
        black_box(scene.turn(Input::Report { task, report: Report::Succeeded { output } }));
        assert!(scene.execution.is_over());
    })
}
