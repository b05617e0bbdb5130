//! What a state sees while it decides: itself, its data, the context object, chance.
//!
//! The context object is made only when a path asks for it, and a token is sealed only then.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;

use asl::eval::{Context, Draws, EvalError, QueryEnv, QueryError, Variables};
use asl::jsonata::{Scope, States};
use asl::payload::MAX_DEPTH;
use asl::{Kind, Payload, Program, State};
use jiff::{Timestamp as Instant, ToSpan};
use serde_json::{Map, Value, json};

use crate::execution::{Execution, Frame};
use crate::probe::{Probe, Shown};
use crate::record::{FrameId, Timestamp};
use crate::stamp::{Draw, Stamp};
use crate::states::Fault;
use crate::{Failure, failure};

pub(crate) struct Scene<'a> {
    pub execution: &'a Execution,
    pub program: &'a Program,
    pub stamp: &'a Stamp<'a>,
    pub id: FrameId,
    pub frame: &'a Frame,
    pub state: &'a State,
    /// The iteration whose ItemSelector is evaluated, where the frame is still the Map's own.
    pub item: Option<(u32, &'a Value)>,
    probe: Option<&'a Probe>,
    /// How often JSONata was evaluated: chance is another one each time.
    queries: Cell<u32>,
    context: OnceCell<Value>,
    /// Without the execution's input.
    slim_context: OnceCell<Value>,
    whole_context: OnceCell<Value>,
}

/// What `$states` has beside the input and the context object.
#[derive(Clone, Copy, Default)]
pub(crate) struct Given<'a> {
    pub result: Option<&'a Payload>,
    pub error_output: Option<&'a Payload>,
}

impl<'a> Given<'a> {
    pub fn result(result: &'a Payload) -> Given<'a> {
        Given { result: Some(result), error_output: None }
    }

    pub fn error_output(error_output: &'a Payload) -> Given<'a> {
        Given { result: None, error_output: Some(error_output) }
    }

    /// What goes on where no `Output` says otherwise.
    pub fn handed_on(&self) -> Option<&'a Payload> {
        self.result.or(self.error_output)
    }
}

/// `draw` fields from here on are those of JSONata.
const FIRST_QUERY: u32 = 256;

impl<'a> Scene<'a> {
    pub fn new(execution: &'a Execution, program: &'a Program, stamp: &'a Stamp<'a>, id: FrameId) -> Scene<'a> {
        let frame = execution.frame(id);
        let state = program.state(frame.state);
        Scene {
            execution,
            program,
            stamp,
            id,
            frame,
            state,
            item: None,
            probe: None,
            queries: Cell::new(0),
            context: OnceCell::new(),
            slim_context: OnceCell::new(),
            whole_context: OnceCell::new(),
        }
    }

    /// Watched, and where a context object is given, with that instead of the execution's own.
    pub fn watched(mut self, probe: &'a Probe, context: Option<&Value>) -> Scene<'a> {
        self.probe = Some(probe);
        if let Some(context) = context {
            self.context = OnceCell::from(context.clone());
            self.whole_context = OnceCell::from(context.clone());
        }
        self
    }

    /// A stage of the data's way.
    pub fn show(&self, stage: Shown, payload: &Payload) {
        if let Some(probe) = self.probe {
            probe.payloads.borrow_mut().insert(stage, payload.clone());
        }
    }

    pub fn show_amount(&self, field: &'static str, amount: f64) {
        if let Some(probe) = self.probe {
            probe.amounts.borrow_mut().insert(field, amount);
        }
    }

    pub fn with_item(mut self, index: u32, value: &'a Value) -> Scene<'a> {
        self.item = Some((index, value));
        self
    }

    /// Chance for this frame after the last event; `field` keeps two draws of one state apart.
    pub fn draw(&self, field: u32) -> Draw {
        let item = self.item.map_or(0, |(index, _)| u64::from(index) + 1);
        Draw::new(self.stamp, self.execution.events, (u64::from(self.id.0) << 40) ^ (u64::from(field) << 32) ^ item)
    }

    /// Evaluates fields of a JSONata state.
    pub fn query<T>(
        &self,
        given: Given,
        evaluate: impl FnOnce(&mut QueryEnv<'_>) -> Result<T, QueryError>,
    ) -> Result<T, Fault> {
        let mut draws = self.draw(FIRST_QUERY + self.queries.replace(self.queries.get() + 1));
        let Given { result, error_output } = given;
        let states = States { input: &self.frame.data, result, error_output, context: self };
        let scope = Scope { states: Some(states), variables: self, focus: None, now_ms: self.stamp.at };
        let mut env = QueryEnv { scope, draws: &mut draws, limits: self.stamp.limits.query };
        evaluate(&mut env).map_err(|error| self.fault(error))
    }

    /// AWS's words around a failed evaluation.
    pub fn failure(&self, error: EvalError) -> Failure {
        let failure =
            Failure::new(error.error, self.cause(&error.message, || error.cause(&self.state.name, self.frame.entered)));
        if error.error == failure::RUNTIME { failure.terminal() } else { failure }
    }

    /// A state that is tested alone was entered at no event, and AWS says only what went wrong (recorded).
    pub fn cause(&self, message: &str, in_history: impl FnOnce() -> String) -> String {
        if self.probe.is_some() { message.to_owned() } else { in_history() }
    }

    /// Refuses what is nested deeper than it could be read again: joining outputs adds a level each time.
    pub fn within_depth(&self, payload: Payload) -> Result<Payload, Failure> {
        if payload.depth() > MAX_DEPTH { Err(self.failure(EvalError::too_deep())) } else { Ok(payload) }
    }

    /// Refuses what is larger than a payload may be.
    pub fn within_limit(&self, payload: Payload, name: &str) -> Result<Payload, Failure> {
        if payload.text().len() > self.stamp.limits.payload_bytes {
            return Err(too_large(name).terminal());
        }
        Ok(payload)
    }

    /// Refuses variables that are larger than they may be: each, all of one `Assign`, and all of the execution.
    pub fn within_variables(&self, variables: &[(Arc<str>, Payload)]) -> Result<(), Failure> {
        let length = |payload: &Payload| payload.text().len();
        let limits = self.stamp.limits;
        let new: usize = variables.iter().map(|(_, value)| length(value)).sum();
        let old = variables.iter().filter_map(|(name, _)| self.frame.variables.get(name));
        let all = self.execution.variable_bytes + new - old.map(length).sum::<usize>();
        if new > limits.payload_bytes || all > limits.variables_bytes {
            return Err(too_large(&self.state.name).terminal());
        }
        Ok(())
    }

    fn map_item(&self) -> Option<Value> {
        if let Some((index, value)) = self.item {
            return Some(json!({"Item": {"Index": index, "Value": value}}));
        }
        let mut frame = self.frame;
        while let Some(parent) = frame.parent {
            let index = frame.index;
            frame = self.execution.frame(parent);
            if matches!(self.program.state(frame.state).kind, Kind::Map(_)) {
                let items = frame.region.as_ref()?.items.value();
                return Some(json!({"Item": {"Index": index, "Value": items.get(index as usize)?}}));
            }
        }
        None
    }

    fn make_context(&self, with_input: bool) -> Value {
        let started = self.execution.started.as_ref().expect("a frame exists after ExecutionStarted");
        let mut execution = Map::new();
        execution.insert("Id".into(), started.arn.as_ref().into());
        if with_input {
            execution.insert("Input".into(), started.input.value().clone());
        }
        execution.insert("StartTime".into(), rfc3339(self.execution.started_at).into());
        execution.insert("Name".into(), started.name.as_ref().into());
        execution.insert("RoleArn".into(), started.role.as_ref().into());
        let redriven = self.execution.redriven.as_ref();
        execution.insert("RedriveCount".into(), redriven.map_or(0, |redriven| redriven.count).into());
        if let Some(redriven) = redriven {
            execution.insert("RedriveTime".into(), rfc3339(redriven.at).into());
        }
        let machine_name = started.machine.rsplit(':').next().unwrap_or_default();
        let mut state = Map::new();
        state.insert("Name".into(), self.state.name.as_ref().into());
        state.insert("EnteredTime".into(), rfc3339(self.frame.entered_at).into());
        if self.can_retry() {
            state.insert("RetryCount".into(), self.frame.retries.iter().sum::<u32>().into());
        }
        let mut context = Map::new();
        context.insert("Execution".into(), execution.into());
        context.insert("StateMachine".into(), json!({"Id": started.machine.as_ref(), "Name": machine_name}));
        context.insert("State".into(), state.into());
        if let Some(map) = self.map_item() {
            context.insert("Map".into(), map);
        }
        if self.waits_for_token() {
            let token = (self.stamp.seal)(self.execution.events + 1, self.draw(u32::from(b't')).next());
            context.insert("Task".into(), json!({"Token": token}));
        }
        context.into()
    }

    fn can_retry(&self) -> bool {
        matches!(self.state.kind, Kind::Task(_) | Kind::Parallel(_) | Kind::Map(_))
    }

    /// Tokens exist for tasks that somebody may answer: callbacks and jobs.
    fn waits_for_token(&self) -> bool {
        match &self.state.kind {
            Kind::Task(task) => match &task.resource.target {
                asl::Target::Integration { pattern, .. } => *pattern != asl::Pattern::RequestResponse,
                _ => false,
            },
            _ => false,
        }
    }
}

impl Context for Scene<'_> {
    fn value(&self) -> &Value {
        self.context.get_or_init(|| self.make_context(true))
    }

    fn value_at(&self, path: &str) -> &Value {
        match self.context.get() {
            Some(context) => context,
            None if leads_beside_input(path) => self.without_input(),
            None => self.value(),
        }
    }

    fn without_input(&self) -> &Value {
        self.slim_context.get_or_init(|| self.make_context(false))
    }

    /// A Task that copies the whole context object sees no RedriveCount: AWS's recorded answers show none there,
    /// though a path to it finds it.
    fn whole(&self) -> &Value {
        if !self.can_retry() {
            return self.value();
        }
        self.whole_context.get_or_init(|| {
            let mut whole = self.value().clone();
            if let Some(execution) = whole.get_mut("Execution").and_then(Value::as_object_mut) {
                execution.shift_remove("RedriveCount");
            }
            whole
        })
    }
}

/// Whether a path into the context object surely does not see the execution's input.
fn leads_beside_input(path: &str) -> bool {
    const BESIDE: [&str; 10] = [
        "Map",
        "State",
        "StateMachine",
        "Task",
        "Execution.Id",
        "Execution.Name",
        "Execution.StartTime",
        "Execution.RoleArn",
        "Execution.RedriveCount",
        "Execution.RedriveTime",
    ];
    let Some(names) = path.trim().strip_prefix("$$.") else { return false };
    let is_plain = names.chars().all(|c| c.is_ascii_alphanumeric() || c == '.') && !names.contains("..");
    is_plain
        && BESIDE
            .iter()
            .any(|beside| names.strip_prefix(beside).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// Branches and iterations see the variables of the states around them.
impl Variables for Scene<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.variable(name).map(Payload::value)
    }

    fn payload(&self, name: &str) -> Option<Payload> {
        self.variable(name).cloned()
    }
}

impl Scene<'_> {
    fn variable(&self, name: &str) -> Option<&Payload> {
        let mut frame = self.frame;
        loop {
            if let Some(value) = frame.variables.get(name) {
                return Some(value);
            }
            frame = self.execution.frame(frame.parent?);
        }
    }
}

impl Draws for Draw {
    fn next(&mut self) -> u128 {
        Draw::next(self)
    }
}

pub(crate) fn too_large(name: &str) -> Failure {
    Failure::new(
        failure::DATA_LIMIT_EXCEEDED,
        format!(
            "The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service limit."
        ),
    )
}

/// `2024-01-31T12:00:00.123Z`.
pub fn rfc3339(at: Timestamp) -> String {
    let instant = Instant::UNIX_EPOCH.checked_add(at.milliseconds()).unwrap_or(Instant::UNIX_EPOCH);
    format!("{instant:.3}")
}
