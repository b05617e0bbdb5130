//! TestState: one state is driven to its decision, with a probe that listens, and without a log or a store.
//!
//! [`TestState::begin`] says what the state asks for; its caller has that done, or mocks it, and [`TestState::end`]
//! tells what the state makes of the outcome. A failure is not acted upon: which retrier or catcher would is the answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::{Kind, Map, Payload, Program, QueryLanguage, State, StateId, Transition};
use serde_json::Value;

use crate::execution::Execution;
use crate::failure::Failure;
use crate::probe::{Probe, Shown};
use crate::record::{Body, FrameId, Record, Scheduled, Started, Timestamp};
use crate::retry;
use crate::scene::Scene;
use crate::stamp::Stamp;
use crate::states::{self, Decision, Exit, Flow};

/// What is tested, and in which circumstances.
pub struct Setup {
    pub program: Arc<Program>,
    pub state: StateId,
    pub started: Started,
    pub variables: BTreeMap<Arc<str>, Payload>,
    /// Instead of the context object that the state would see.
    pub context: Option<Value>,
    /// How often the state was tried again before.
    pub retries: u32,
    /// What the ItemReader of a Map has read.
    pub items_read: Option<Payload>,
}

pub struct TestState {
    program: Arc<Program>,
    execution: Execution,
    retries: u32,
    context: Option<Value>,
    items_read: Option<Payload>,
    probe: Probe,
}

/// What the state asks for.
pub enum Step {
    Ended(Ended),
    Task(Scheduled),
    Wait {
        until: Timestamp,
    },
    /// Branches or iterations: so many, and so many of them may fail.
    Open {
        length: u32,
        tolerated_failures: Option<f64>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TestStatus {
    Succeeded,
    Failed,
    Retriable,
    CaughtError,
}

impl TestStatus {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            TestStatus::Succeeded => "SUCCEEDED",
            TestStatus::Failed => "FAILED",
            TestStatus::Retriable => "RETRIABLE",
            TestStatus::CaughtError => "CAUGHT_ERROR",
        }
    }
}

/// What became of the state.
pub struct Ended {
    pub status: TestStatus,
    pub output: Option<Payload>,
    pub failure: Option<Failure>,
    pub next: Option<Arc<str>>,
    /// All variables that are set afterwards.
    pub variables: BTreeMap<Arc<str>, Payload>,
    /// Which handler takes the failure.
    pub handler: Option<Handler>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Handler {
    Retrier { place: u32, delay_seconds: f64 },
    Catcher { place: u32 },
}

impl TestState {
    pub fn new(setup: Setup, at: Timestamp) -> TestState {
        let Setup { program, state, started, variables, context, retries, items_read } = setup;
        let input = started.input.clone();
        let mut execution = Execution::default();
        let record = |previous, body| Record { at, frame: FrameId::ROOT, state, previous, body };
        execution.apply(&record(0, Body::ExecutionStarted(Box::new(started))));
        execution.apply(&record(0, Body::StateEntered { input }));
        let variables = variables.into_iter().collect();
        execution.apply(&record(0, Body::VariablesAssigned { variables }));
        execution.set_retries(FrameId::ROOT, vec![retries]);
        TestState { program, execution, retries, context, items_read, probe: Probe::default() }
    }

    fn scene<'a>(&'a self, stamp: &'a Stamp<'a>) -> Scene<'a> {
        Scene::new(&self.execution, &self.program, stamp, FrameId::ROOT).watched(&self.probe, self.context.as_ref())
    }

    fn state(&self) -> &State {
        self.program.state(self.execution.frame(FrameId::ROOT).state)
    }

    pub fn begin(&self, stamp: &Stamp) -> Step {
        let scene = self.scene(stamp);
        let decision = match (&self.state().kind, &self.items_read) {
            (Kind::Map(map), Some(items)) if map.distribution.item_reader.is_some() => {
                states::map::open(&scene, map, &self.execution.frame(FrameId::ROOT).data, items.clone())
            }
            // A mocked Map may be of a mode that this version does not run.
            (Kind::Map(map), _) => states::map::select(&scene, map),
            _ => states::begin(&scene),
        };
        match decision {
            Ok(Flow::Task(scheduled)) => Step::Task(*scheduled),
            Ok(Flow::WaitUntil(until)) => Step::Wait { until },
            Ok(Flow::Open { length, items, .. }) => match self.opened(stamp, length, &items) {
                Ok(tolerated_failures) => Step::Open { length, tolerated_failures },
                Err(fault) => Step::Ended(self.conclude(&scene, Err(fault))),
            },
            decision => Step::Ended(self.conclude(&scene, decision)),
        }
    }

    /// What a Map's iterations would begin with; how many of them may fail.
    fn opened(&self, stamp: &Stamp, length: u32, items: &Payload) -> Result<Option<f64>, states::Fault> {
        let Kind::Map(map) = &self.state().kind else { return Ok(None) };
        let input = match self.state().query_language {
            QueryLanguage::Jsonata => self.execution.frame(FrameId::ROOT).data.clone(),
            QueryLanguage::JsonPath => self.scene(stamp).input()?,
        };
        if map.max_concurrency.is_none() {
            self.probe.amounts.borrow_mut().insert("MaxConcurrency", 0.0);
        }
        if selects_items(map) {
            let selected = (0..length).map(|index| {
                states::map::iteration_input(self.scene(stamp), map, &input, items, index)
                    .map(|made| made.value().clone())
            });
            let selected = Value::Array(selected.collect::<Result<_, _>>()?).into();
            self.scene(stamp).show(Shown::AfterItemSelector, &selected);
        }
        states::map::tolerance(&self.scene(stamp), map, &input, length)
    }

    /// What follows from the outcome of what the state asked for.
    pub fn end(&self, stamp: &Stamp, outcome: Result<Payload, Failure>) -> Ended {
        let scene = self.scene(stamp);
        let decision = match (outcome, &self.state().kind) {
            (Ok(_), Kind::Wait(_)) => states::end_wait(&scene),
            (Ok(result), Kind::Task(task)) => {
                match states::task::check_result(task, &result, stamp.limits.payload_bytes) {
                    Ok(()) => states::end_work(&scene, result),
                    Err(failure) => Err(failure.into()),
                }
            }
            (Ok(result), _) => states::end_work(&scene, result),
            (Err(failure), _) => Err(failure.into()),
        };
        self.conclude(&scene, decision)
    }

    fn conclude(&self, scene: &Scene, decision: Decision) -> Ended {
        let failure = match decision {
            Ok(Flow::Exit(exit)) => return self.exited(TestStatus::Succeeded, exit, None, None),
            Ok(_) => unreachable!("a state asks once, and then it ends"),
            Err(fault) => fault.failure,
        };
        let (retriers, catchers) = retry::handlers(&self.state().kind);
        let failed = |status, failure, handler| Ended {
            status,
            output: None,
            failure: Some(failure),
            next: None,
            variables: self.execution.frame(FrameId::ROOT).variables.clone(),
            handler,
        };
        if failure.is_terminal() {
            return failed(TestStatus::Failed, failure, None);
        }
        // Whichever retrier takes the failure, it has been used so often.
        let used = vec![self.retries; retriers.len()];
        if let Some((place, delay_ms)) = retry::next_attempt(retriers, &used, &failure, scene) {
            let handler = Handler::Retrier { place, delay_seconds: delay_ms as f64 / 1000.0 };
            return failed(TestStatus::Retriable, failure, Some(handler));
        }
        let Some(place) = catchers.iter().position(|catcher| failure.matches(&catcher.error_equals)) else {
            return failed(TestStatus::Failed, failure, None);
        };
        match states::catch(scene, &catchers[place], place, &failure) {
            Ok(exit) => {
                let handler = Handler::Catcher { place: place as u32 };
                self.exited(TestStatus::CaughtError, exit, Some(failure), Some(handler))
            }
            Err(fault) => failed(TestStatus::Failed, fault.failure, None),
        }
    }

    fn exited(&self, status: TestStatus, exit: Exit, failure: Option<Failure>, handler: Option<Handler>) -> Ended {
        let mut variables = self.execution.frame(FrameId::ROOT).variables.clone();
        variables.extend(exit.variables);
        let next = match exit.next {
            Transition::Next(next) => Some(self.program.state(next).name.clone()),
            Transition::End => None,
        };
        Ended { status, output: Some(exit.output), failure, next, variables, handler }
    }

    /// The stages that AWS shows of a state of this type, and the numbers of a Map.
    pub fn shown(&self) -> (Vec<(Shown, Payload)>, BTreeMap<&'static str, f64>) {
        let stages = stages(self.state());
        let payloads = self.probe.payloads.borrow();
        let shown = payloads.iter().filter(|(stage, _)| stages.contains(stage));
        let amounts = self.probe.amounts.borrow().clone();
        (shown.map(|(stage, payload)| (*stage, payload.clone())).collect(), amounts)
    }
}

fn selects_items(map: &Map) -> bool {
    map.item_selector.is_some() || map.computed_item_selector.is_some()
}

/// Read off recorded answers; the stages of a JSONata state off the API's documentation, too.
fn stages(state: &State) -> &'static [Shown] {
    use Shown::*;
    match (&state.kind, state.query_language) {
        (Kind::Task(_), QueryLanguage::Jsonata) => &[AfterArguments, Result],
        (Kind::Map(_), QueryLanguage::Jsonata) => &[AfterItemSelector],
        (_, QueryLanguage::Jsonata) => &[],
        (Kind::Pass(pass), _) if pass.result.is_some() => &[Result, AfterResultSelector, AfterResultPath],
        (Kind::Pass(_), _) => &[AfterInputPath, AfterParameters, AfterResultSelector, AfterResultPath],
        (Kind::Task(_), _) => &[AfterInputPath, AfterParameters, Result, AfterResultSelector, AfterResultPath],
        (Kind::Parallel(_), _) => &[AfterResultSelector, AfterResultPath],
        (Kind::Map(_), _) => &[AfterInputPath, AfterItemsPath, AfterItemSelector, AfterResultSelector, AfterResultPath],
        _ => &[AfterInputPath],
    }
}
