//! A small world around one execution: it keeps the log, checks after every turn that the log folds to what is in
//! memory, also through the codec, and prints what a reader of a story wants to see.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use asl::{CheckOptions, Payload, Program};
use machine::codec::{Chunk, Reader, Writer, records};
use machine::history::{View, event};
use machine::record::Stage;
use machine::{Effect, Execution, Input, Limits, Record, Report, Stamp, Started, TaskId, Timestamp, Verdict};

pub struct World {
    pub program: Arc<Program>,
    pub execution: Execution,
    pub log: Vec<Record>,
    pub chunks: Vec<Chunk>,
    pub now: Timestamp,
    pub beats: BTreeMap<TaskId, Timestamp>,
    pub limits: Limits,
    pub effects: Vec<Effect>,
    writer: Writer,
}

pub const START: Timestamp = 1_700_000_000_000;

pub fn compile(definition: &str) -> Program {
    let checked = asl::check(definition, &CheckOptions::default());
    assert!(checked.is_valid(), "{:#?}", checked.diagnostics);
    checked.program.expect("a valid JSONPath definition has a program")
}

impl World {
    pub fn new(definition: &str) -> World {
        World {
            program: Arc::new(compile(definition)),
            execution: Execution::default(),
            log: Vec::new(),
            chunks: Vec::new(),
            now: START,
            beats: BTreeMap::new(),
            limits: Limits::default(),
            effects: Vec::new(),
            writer: Writer::default(),
        }
    }

    pub fn start(definition: &str, input: &str) -> World {
        let mut world = World::new(definition);
        world.begin(input);
        world
    }

    pub fn begin(&mut self, input: &str) {
        let started = Started {
            arn: "arn:aws:states:us-east-1:000000000000:execution:m:e".into(),
            name: "e".into(),
            machine: "arn:aws:states:us-east-1:000000000000:stateMachine:m".into(),
            role: "arn:aws:iam::000000000000:role/r".into(),
            input: Payload::parse(input).expect("JSON"),
            definition: [0; 32],
            version: None,
            alias: None,
            trace_header: None,
            parent: None,
        };
        self.turn(vec![Input::Start(Box::new(started))]);
    }

    /// One turn, and as many more as its budget asks for.
    pub fn turn(&mut self, mut inputs: Vec<Input>) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        loop {
            let seal = |task: TaskId, _nonce: u128| format!("token-{task}");
            let stamp = Stamp {
                at: self.now,
                seed: [1; 32],
                seal: &seal,
                beats: &self.beats,
                listening_since: START,
                limits: &self.limits,
            };
            let turn = self.execution.turn(&self.program, inputs, &stamp);
            verdicts.extend(turn.verdicts);
            self.effects.extend(turn.effects);
            if !turn.records.is_empty() {
                let number = self.chunks.len() as u32;
                self.chunks.push(self.writer.encode(number, &turn.records));
                self.log.extend(turn.records);
            }
            self.check_fold();
            if !turn.more {
                return verdicts;
            }
            inputs = vec![Input::Continue];
        }
    }

    /// The log, in memory and from its bytes, folds to the execution.
    fn check_fold(&self) {
        assert_eq!(Execution::fold(&self.log), self.execution, "the fold of the log");
        let mut reader = Reader::default();
        let mut stored = Vec::new();
        for (number, chunk) in self.chunks.iter().enumerate() {
            reader.take(number as u32, &chunk.payloads).expect("payloads");
            stored.extend(records(&chunk.records).expect("records"));
        }
        assert!(reader.missing(&stored).is_empty());
        assert_eq!(reader.resolve(stored).expect("payloads"), self.log, "the log from its bytes");
    }

    pub fn report(&mut self, task: TaskId, report: Report) -> Verdict {
        self.turn(vec![Input::Report { task, report }])[0]
    }

    pub fn wait(&mut self, seconds: i64) {
        self.now += seconds * 1000;
        self.turn(vec![Input::Continue]);
    }

    pub fn due_in(&self) -> Option<f64> {
        let seal = |_: TaskId, _: u128| String::new();
        let stamp = Stamp {
            at: self.now,
            seed: [1; 32],
            seal: &seal,
            beats: &self.beats,
            listening_since: START,
            limits: &self.limits,
        };
        self.execution.next_due(&self.program, &stamp).map(|at| (at - self.now) as f64 / 1000.0)
    }

    /// The history, an event a line: id, previousEventId, type, details.
    pub fn story(&self) -> String {
        let view = View { program: &self.program, data: true, region: "us-east-1" };
        let mut story = String::new();
        let mut id = 0;
        for record in &self.log {
            if record.body.is_event() {
                id += 1;
            }
            let Some(event) = event(view, id, record) else { continue };
            let details = event.as_object().and_then(|e| e.iter().find(|(name, _)| name.ends_with("Details")));
            let details = details.map(|(_, details)| show(details)).unwrap_or_default();
            let kind = event["type"].as_str().expect("a type");
            let _ = writeln!(story, "{id:>2} <{:<2} {kind} {details}", record.previous);
        }
        story
    }
}

fn show(details: &serde_json::Value) -> String {
    let shown = details
        .as_object()
        .expect("an object")
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "inputDetails" | "outputDetails" | "roleArn" | "region"));
    shown
        .map(|(name, value)| format!("{name}={}", value.as_str().map_or(value.to_string(), str::to_owned)))
        .collect::<Vec<_>>()
        .join(" ")
}

pub fn succeeded(output: &str) -> Report {
    Report::Succeeded { output: Payload::parse(output).expect("JSON") }
}

pub fn failed(error: &str, cause: &str) -> Report {
    Report::Failed { error: Some(error.into()), cause: Some(cause.into()), stage: Stage::Run }
}

pub fn started() -> Report {
    Report::Started { worker: None }
}

pub fn submitted(output: &str) -> Report {
    Report::Submitted { output: Payload::parse(output).expect("JSON") }
}
