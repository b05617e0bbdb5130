//! A small world around one execution: it keeps the log and its bytes, and after every turn it checks what must always
//! hold: the log folds to what is in memory (also through the codec), the books are right, nothing is left undone, and
//! no timer lies in the past. Then it prints what a reader of a story wants to see.

pub mod ledger;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use asl::{CheckOptions, Payload, Program};
use ledger::Ledger;
use machine::codec::{Chunk, Reader, Writer, records};
use machine::history::{self, View};
use machine::record::Stage;
use machine::{Effect, Execution, Input, Limits, LogLevel, Record, Report, Stamp, Started, TaskId, Timestamp, Verdict};

pub struct World {
    pub program: Arc<Program>,
    pub execution: Execution,
    pub log: Vec<Record>,
    pub chunks: Vec<Chunk>,
    pub now: Timestamp,
    pub beats: BTreeMap<TaskId, Timestamp>,
    pub limits: Limits,
    pub effects: Vec<Effect>,
    pub verdicts: Vec<Verdict>,
    /// Whether the process dies after every turn.
    pub crashing: bool,
    writer: Writer,
    ledger: Ledger,
    /// Seeds what happens by chance: one seed for everything that was taken together.
    steps: u8,
}

pub const START: Timestamp = 1_700_000_000_000;

pub fn compile(definition: &str) -> Program {
    let checked = asl::check(definition, &CheckOptions::default());
    assert!(checked.is_valid(), "{definition}\n{:#?}", checked.diagnostics);
    checked.program.expect("a valid JSONPath definition has a program")
}

impl World {
    pub fn new(definition: &str) -> World {
        World::of(Arc::new(compile(definition)))
    }

    pub fn of(program: Arc<Program>) -> World {
        World {
            program,
            execution: Execution::default(),
            log: Vec::new(),
            chunks: Vec::new(),
            now: START,
            beats: BTreeMap::new(),
            limits: Limits::default(),
            effects: Vec::new(),
            verdicts: Vec::new(),
            crashing: false,
            writer: Writer::default(),
            ledger: Ledger::default(),
            steps: 0,
        }
    }

    pub fn start(definition: &str, input: &str) -> World {
        let mut world = World::new(definition);
        world.begin(input);
        world
    }

    pub fn begin(&mut self, input: &str) {
        self.turn(vec![start(input)]);
    }

    /// One turn, and as many more as its budget asks for.
    pub fn turn(&mut self, inputs: Vec<Input>) -> Vec<Verdict> {
        self.steps = self.steps.wrapping_add(1);
        let asked = inputs.len();
        let heard: Vec<TaskId> = inputs.iter().filter_map(heartbeat).collect();
        let (mut inputs, mut verdicts) = (inputs, Vec::new());
        loop {
            if self.crashing {
                self.reload();
            }
            let (program, limits, beats) = (self.program.clone(), self.limits.clone(), self.beats.clone());
            let stamp = stamp(self.now, self.steps, &beats, &limits);
            let taken = inputs.len();
            let turn = self.execution.turn(&program, std::mem::take(&mut inputs), &stamp);
            assert_eq!(turn.verdicts.len(), taken, "a verdict for each input");
            verdicts.extend(turn.verdicts);
            self.ledger.take(&turn.records, &turn.effects, &self.execution);
            self.effects.extend(turn.effects);
            if !turn.records.is_empty() {
                let number = self.chunks.len() as u32;
                self.chunks.push(self.writer.encode(number, &turn.records));
                self.log.extend(turn.records);
            }
            self.check_fold();
            if !turn.more {
                break;
            }
            inputs = vec![Input::Continue];
        }
        for task in heard {
            if self.execution.tasks.contains_key(&task) {
                self.beats.insert(task, self.now);
            }
        }
        self.check_rest();
        verdicts.truncate(asked);
        self.verdicts.extend_from_slice(&verdicts);
        verdicts
    }

    /// The log, in memory and from its bytes, folds to the execution.
    fn check_fold(&self) {
        assert_eq!(Execution::fold(&self.log), self.execution, "the fold of the log");
        assert_eq!(self.stored(), self.log, "the log from its bytes");
        assert!(self.execution.events <= self.limits.events, "more events than there may be");
    }

    /// With nothing new, a further turn does nothing, and no timer would ring at once.
    fn check_rest(&self) {
        let mut again = self.execution.clone();
        let stamp = stamp(self.now, self.steps, &self.beats, &self.limits);
        let turn = again.turn(&self.program, vec![Input::Continue], &stamp);
        assert_eq!(turn.records, [], "left undone by the turn before");
        assert_eq!(turn.effects, []);
        assert!(!turn.more);
        if let Some(due) = self.execution.next_due(&self.program, &stamp) {
            assert!(due > self.now.max(self.execution.last_at), "a timer in the past: {due}");
            assert!(!self.execution.is_over());
        }
    }

    fn stored(&self) -> Vec<Record> {
        self.read().1
    }

    fn read(&self) -> (Reader, Vec<Record>) {
        let mut reader = Reader::default();
        let mut stored = Vec::new();
        for (number, chunk) in self.chunks.iter().enumerate() {
            reader.take(number as u32, &chunk.payloads).expect("payloads");
            stored.extend(records(&chunk.records).expect("records"));
        }
        assert!(reader.missing(&stored).is_empty());
        let records = reader.resolve(stored).expect("every reference finds its payload");
        (reader, records)
    }

    /// The process dies and another one goes on with what is stored.
    pub fn reload(&mut self) {
        let (reader, stored) = self.read();
        self.execution = Execution::fold(&stored);
        drop(stored);
        self.writer = reader.into_writer();
    }

    pub fn report(&mut self, task: TaskId, report: Report) -> Verdict {
        self.turn(vec![Input::Report { task, report }])[0]
    }

    /// Time goes on, and the execution is looked at.
    pub fn wait(&mut self, seconds: i64) {
        self.now += seconds * 1000;
        self.turn(vec![Input::Continue]);
    }

    pub fn due(&self) -> Option<Timestamp> {
        self.execution.next_due(&self.program, &stamp(self.now, self.steps, &self.beats, &self.limits))
    }

    pub fn due_in(&self) -> Option<f64> {
        self.due().map(|at| (at - self.now) as f64 / 1000.0)
    }

    /// The tasks that wait, oldest first.
    pub fn tasks(&self) -> Vec<TaskId> {
        self.execution.tasks.keys().copied().collect()
    }

    /// The only task that waits.
    pub fn task(&self) -> TaskId {
        let tasks = self.tasks();
        assert_eq!(tasks.len(), 1, "one task waits: {tasks:?}");
        tasks[0]
    }

    /// `ExecutionSucceeded` and its output, or how else it ended.
    pub fn end(&self) -> String {
        let status = self.execution.status.name();
        match (&self.execution.output, &self.execution.failure) {
            (Some(output), _) => format!("{status} {}", output.text()),
            (None, Some(failure)) => {
                let (error, cause) = (failure.error.as_deref().unwrap_or("-"), failure.cause.as_deref().unwrap_or("-"));
                format!("{status} {error}: {cause}")
            }
            (None, None) => status.to_owned(),
        }
    }

    /// The history, an event a line: id, previousEventId, type, details.
    pub fn story(&self) -> String {
        let mut story = String::new();
        for event in self.events() {
            let details = event.as_object().and_then(|e| e.iter().find(|(name, _)| name.ends_with("Details")));
            let details = details.map(|(_, details)| show(details)).unwrap_or_default();
            let (id, previous) =
                (event["id"].as_u64().expect("an id"), event["previousEventId"].as_u64().expect("one"));
            let kind = event["type"].as_str().expect("a type");
            let _ = writeln!(story, "{id:>2} <{previous:<2} {kind} {details}");
        }
        story
    }

    /// As `GetExecutionHistory` answers.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let view = View { program: &self.program, data: true, region: "us-east-1" };
        history::events(&self.log, 1).map(|event| history::shown(view, event).expect("an event is shown")).collect()
    }

    /// The types of its events.
    pub fn types(&self) -> Vec<String> {
        self.events().iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
    }

    /// What each state of this name was entered with.
    pub fn inputs_of(&self, state: &str) -> Vec<String> {
        let entered = self
            .events()
            .into_iter()
            .filter_map(|mut event| event.get_mut("stateEnteredEventDetails").map(|d| d.take()));
        entered.filter(|d| d["name"] == state).map(|d| d["input"].as_str().expect("a text").to_owned()).collect()
    }
}

fn stamp<'a>(at: Timestamp, step: u8, beats: &'a BTreeMap<TaskId, Timestamp>, limits: &'a Limits) -> Stamp<'a> {
    Stamp {
        at,
        seed: [step; 32],
        seal: &|task, _nonce| format!("token-{task}"),
        beats,
        listening_since: START,
        limits,
        log: LogLevel::Off,
        owes_spans: false,
        mistake: &|_, parameters| parameters.value().get("Colour").map(|_| "no colours".to_owned()),
    }
}

pub fn start(input: &str) -> Input {
    Input::Start(Box::new(Started {
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
        mock: None,
    }))
}

fn heartbeat(input: &Input) -> Option<TaskId> {
    match input {
        Input::Report { task, report: Report::Heartbeat } => Some(*task),
        _ => None,
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
