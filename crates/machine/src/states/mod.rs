//! One file per state type. Each decides and returns a [`Flow`]; `turn.rs` alone moves frames and writes records.
//!
//! A state's data goes the way of the States Language: InputPath, Parameters, the work, ResultSelector, ResultPath,
//! OutputPath. The stages that several types share are here.

mod choice;
mod fail;
pub(crate) mod map;
pub(crate) mod parallel;
mod pass;
pub(crate) mod task;
mod wait;

use asl::eval::Env;
use asl::{Kind, Payload, ResultPath, Template, Transition};

use crate::Failure;
use crate::record::{Scheduled, Timestamp};
use crate::scene::Scene;

/// What a state decided.
pub(crate) enum Flow {
    /// It is done: this is its output, and there it goes.
    Exit(Payload, Transition),
    /// A Task is to be carried out.
    Task(Box<Scheduled>),
    WaitUntil(Timestamp),
    /// Branches or iterations are to be opened over these items.
    Open {
        length: u32,
        items: Payload,
        branches: Vec<u32>,
    },
}

/// A state that cannot go on has failed; whether somebody catches it is not its own affair.
pub(crate) type Decision = Result<Flow, Failure>;

/// The first decision of a state that was entered.
pub(crate) fn begin(scene: &Scene) -> Decision {
    match &scene.state.kind {
        Kind::Task(task) => task::begin(scene, task),
        Kind::Pass(pass) => pass::decide(scene, pass),
        Kind::Choice(choice) => choice::decide(scene, choice),
        Kind::Wait(wait) => wait::begin(scene, wait),
        Kind::Succeed => {
            let input = scene.input()?;
            scene.exit(input, Transition::End)
        }
        Kind::Fail(fail) => Err(fail::failure(scene, fail)),
        Kind::Parallel(parallel) => parallel::begin(scene, parallel),
        Kind::Map(map) => map::begin(scene, map),
    }
}

/// A Wait state whose time has come.
pub(crate) fn end_wait(scene: &Scene) -> Decision {
    let input = scene.input()?;
    scene.exit(input, scene.state.next)
}

/// A task, a Parallel or a Map has this result.
pub(crate) fn end_work(scene: &Scene, result: Payload) -> Decision {
    let (selector, result_path) = match &scene.state.kind {
        Kind::Task(task) => (&task.result_selector, &task.result_path),
        Kind::Parallel(parallel) => (&parallel.result_selector, &parallel.result_path),
        Kind::Map(map) => (&map.result_selector, &map.result_path),
        _ => unreachable!("only these have results"),
    };
    let result = match selector {
        Some(selector) => scene.template(selector, &result)?,
        None => result,
    };
    let output = scene.combine(result_path, result)?;
    scene.exit(output, scene.state.next)
}

impl Scene<'_> {
    /// Evaluates with `input` as what `$` names.
    fn env<'e>(&'e self, input: &'e Payload, draws: &'e mut crate::stamp::Draw) -> Env<'e> {
        Env { input, context: self, variables: self, draws }
    }

    /// After InputPath.
    pub fn input(&self) -> Result<Payload, Failure> {
        let data = &self.frame.data;
        let mut draw = self.draw(1);
        let selected = self.state.input_path.select("InputPath", data, &self.env(data, &mut draw));
        selected.map_err(|e| self.failure(e))
    }

    /// Parameters, ResultSelector, ItemSelector.
    pub fn template(&self, template: &Template, input: &Payload) -> Result<Payload, Failure> {
        let mut draw = self.draw(2);
        template.evaluate(&mut self.env(input, &mut draw)).map_err(|e| self.failure(e))
    }

    /// After ResultPath, which writes into the state's raw input.
    pub fn combine(&self, path: &ResultPath, result: Payload) -> Result<Payload, Failure> {
        path.apply(&self.frame.data, result).map_err(|e| self.failure(e))
    }

    /// After OutputPath.
    pub fn exit(&self, output: Payload, next: Transition) -> Decision {
        let mut draw = self.draw(3);
        let selected = self.state.output_path.select("OutputPath", &output, &self.env(&output, &mut draw));
        let output = selected.map_err(|e| self.failure(e))?;
        Ok(Flow::Exit(self.within_limit(output, &self.state.name)?, next))
    }

    /// A number that must be a whole one and not negative, such as seconds.
    pub fn amount(
        &self,
        amount: &Option<asl::Amount>,
        field: &'static str,
        input: &Payload,
    ) -> Result<Option<f64>, Failure> {
        let Some(amount) = amount else { return Ok(None) };
        let mut draw = self.draw(4);
        amount.evaluate(field, &self.env(input, &mut draw)).map(Some).map_err(|e| self.failure(e))
    }
}
