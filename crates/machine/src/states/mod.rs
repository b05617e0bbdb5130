//! One file per state type. Each decides and returns a [`Flow`]; `turn.rs` alone moves frames and writes records.
//!
//! The data of a JSONPath state go the way InputPath, Parameters, the work, ResultSelector, ResultPath, OutputPath; a
//! JSONata state has Arguments before its work and Output behind it. The stages that several types share are here, and
//! the end of every state in `ending.rs`.

mod choice;
pub(crate) mod ending;
mod fail;
pub(crate) mod map;
pub(crate) mod parallel;
mod pass;
pub(crate) mod task;
mod wait;

use std::sync::Arc;

use asl::eval::{Env, QueryError};
use asl::{Catcher, Computed, Kind, Payload, QueryLanguage, ResultPath, Template, Transition};

use ending::Ending;

use crate::Failure;
use crate::probe::Shown;
use crate::record::{Scheduled, Timestamp};
use crate::scene::{Given, Scene};

/// What a state decided.
pub(crate) enum Flow {
    /// It is done.
    Exit(Exit),
    /// A Task is to be carried out.
    Task(Box<Scheduled>),
    WaitUntil(Timestamp),
    /// Branches or iterations are to be opened over these items.
    Open {
        length: u32,
        items: Payload,
        branches: Vec<u32>,
        /// What a Map computed that may not be computed again.
        settled: Option<map::Settled>,
    },
}

/// The end of a state: its output, the variables that it sets, and where it goes.
pub(crate) struct Exit {
    pub output: Payload,
    pub variables: Vec<(Arc<str>, Payload)>,
    pub next: Transition,
}

/// A state that cannot go on has failed; whether somebody catches it is not its own affair.
pub(crate) type Decision = Result<Flow, Fault>;

/// Why a state cannot go on.
pub(crate) struct Fault {
    pub failure: Failure,
    /// Where JSONata was being evaluated: that has an event of its own.
    pub evaluation: Option<Evaluation>,
}

pub(crate) struct Evaluation {
    /// The field.
    pub location: Arc<str>,
    /// There was a value, and the state cannot use it.
    pub value_refused: bool,
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Fault {
        Fault { failure, evaluation: None }
    }
}

/// The first decision of a state that was entered.
pub(crate) fn begin(scene: &Scene) -> Decision {
    match &scene.state.kind {
        Kind::Task(task) => task::begin(scene, task),
        Kind::Pass(pass) => pass::decide(scene, pass),
        Kind::Choice(choice) => choice::decide(scene, choice),
        Kind::Wait(wait) => wait::begin(scene, wait),
        Kind::Succeed => scene.end_with_input(&scene.ending()),
        Kind::Fail(fail) => Err(fail::fault(scene, fail)),
        Kind::Parallel(parallel) => parallel::begin(scene, parallel),
        Kind::Map(map) => map::begin(scene, map),
    }
}

/// A Wait state whose time has come.
pub(crate) fn end_wait(scene: &Scene) -> Decision {
    scene.end_with_input(&scene.ending())
}

/// A task, a Parallel or a Map has this result.
pub(crate) fn end_work(scene: &Scene, result: Payload) -> Decision {
    scene.show(Shown::Result, &result);
    if scene.is_jsonata() {
        return scene.end_computed(&scene.ending(), Given::result(&result)).map(Flow::Exit);
    }
    let (selector, result_path) = match &scene.state.kind {
        Kind::Task(task) => (&task.result_selector, &task.result_path),
        Kind::Parallel(parallel) => (&parallel.result_selector, &parallel.result_path),
        Kind::Map(map) => (&map.result_selector, &map.result_path),
        _ => unreachable!("only these have results"),
    };
    let selected = match selector {
        Some(selector) => scene.template(selector, &result)?,
        None => result.clone(),
    };
    scene.show(Shown::AfterResultSelector, &selected);
    let output = scene.combine(result_path, selected)?;
    scene.show(Shown::AfterResultPath, &output);
    // The States Language has it so: Assign reads the result, not what ResultSelector makes of it.
    scene.end_selected(&scene.ending(), &result, output)
}

/// A catcher takes the failure of its state: it ends otherwise.
pub(crate) fn catch(scene: &Scene, catcher: &Catcher, place: usize, failure: &Failure) -> Result<Exit, Fault> {
    let error_output = failure.output();
    let ending = Ending {
        output: catcher.output.as_ref(),
        assign: catcher.assign.as_ref(),
        place: format!("Catch[{place}]/"),
        next: Transition::Next(catcher.next),
    };
    if scene.is_jsonata() {
        return scene.end_computed(&ending, Given::error_output(&error_output));
    }
    // No OutputPath: what a catcher makes is handed on as it is.
    let exit = || {
        let variables = scene.assigned(ending.assign, &error_output)?;
        let output = scene.combine(&catcher.result_path, error_output.clone())?;
        scene.exit(output, variables, ending.next)
    };
    exit().map_err(|fault: Fault| Fault { failure: fault.failure.terminal(), ..fault })
}

impl Scene<'_> {
    pub fn is_jsonata(&self) -> bool {
        self.state.query_language == QueryLanguage::Jsonata
    }

    /// AWS's words around JSONata that failed.
    pub fn fault(&self, error: QueryError) -> Fault {
        let cause = self.cause(&error.message, || error.cause(&self.state.name, self.frame.entered));
        let evaluation = Evaluation { location: error.location.into(), value_refused: error.value_refused };
        Fault { failure: Failure::new(QueryError::ERROR, cause), evaluation: Some(evaluation) }
    }

    /// Evaluates JSONPath with `input` as what `$` names.
    fn env<'e>(&'e self, input: &'e Payload, draws: &'e mut crate::stamp::Draw) -> Env<'e> {
        Env { input, context: self, variables: self, draws }
    }

    /// After InputPath.
    pub fn input(&self) -> Result<Payload, Failure> {
        let data = &self.frame.data;
        let mut draw = self.draw(1);
        let selected = self.state.input_path.select("InputPath", data, &self.env(data, &mut draw));
        let input = selected.map_err(|e| self.failure(e))?;
        self.show(Shown::AfterInputPath, &input);
        Ok(input)
    }

    /// Parameters, ResultSelector, ItemSelector.
    pub fn template(&self, template: &Template, input: &Payload) -> Result<Payload, Failure> {
        let mut draw = self.draw(2);
        template.evaluate(&mut self.env(input, &mut draw)).map_err(|e| self.failure(e))
    }

    /// Arguments, ItemSelector; absent: the state's input.
    pub fn computed(&self, computed: &Option<Computed>, field: &str) -> Result<Payload, Fault> {
        match computed {
            Some(computed) => self.query(Given::default(), |env| computed.evaluate(field, env)),
            None => Ok(self.frame.data.clone()),
        }
    }

    /// After ResultPath, which writes into the state's raw input.
    pub fn combine(&self, path: &ResultPath, result: Payload) -> Result<Payload, Failure> {
        path.apply(&self.frame.data, result).map_err(|e| self.failure(e))
    }

    /// A number that must be a whole one and not negative, such as seconds.
    pub fn amount(
        &self,
        amount: &Option<asl::Amount>,
        field: &'static str,
        input: &Payload,
    ) -> Result<Option<f64>, Fault> {
        let Some(amount) = amount else { return Ok(None) };
        let amount = if self.is_jsonata() {
            self.query(Given::default(), |env| amount.compute(field, env))?
        } else {
            let mut draw = self.draw(4);
            amount.evaluate(field, &self.env(input, &mut draw)).map_err(|e| self.failure(e))?
        };
        self.show_amount(field, amount);
        Ok(Some(amount))
    }
}
