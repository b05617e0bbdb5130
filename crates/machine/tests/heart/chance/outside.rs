//! A random world outside: services that answer, answer twice, answer late or not at all, clocks that jump, callers who
//! stop. What it does is written down as steps, so that another run can be told exactly the same.

use std::sync::Arc;

use asl::Payload;
use machine::record::Stage;
use machine::{Input, Report, TaskId};

use super::dice::Dice;
use crate::world::{START, World};

/// What was taken together, and when.
#[derive(Clone, Debug)]
pub struct Step {
    pub at: i64,
    pub inputs: Vec<Input>,
}

/// However long the tape is, it ends.
const STEPS: usize = 60;

/// How often a program may be answered until it is stopped.
const PATIENCE: usize = 80;

/// Lives through one execution, from its start until nothing is left to be done.
pub fn live(world: &mut World, dice: &mut Dice, input: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    take(world, &mut steps, vec![crate::world::start(input)]);
    while !dice.is_spent() && !world.execution.is_over() && steps.len() < STEPS {
        match dice.roll(12) {
            9 => world.now += [1, 999, 5_000, 100_000_000][dice.roll(4)],
            10 => world.now = world.due().unwrap_or(world.now),
            11 => world.now = (world.now - [1, 2_000, 100_000][dice.roll(3)]).max(START / 2),
            _ => {}
        }
        let inputs = (0..dice.roll(4) + 1).map(|_| input_of(world, dice)).collect();
        take(world, &mut steps, inputs);
        if dice.one_in(8) {
            let again = steps.last().expect("a step").inputs.clone();
            take(world, &mut steps, again);
        }
    }
    wind_up(world, &mut steps);
    while dice.one_in(3) && steps.len() < STEPS {
        take(world, &mut steps, vec![Input::Redrive { token: dice.one_in(2).then(|| "t".into()) }]);
        let inputs = (0..dice.roll(4)).map(|_| input_of(world, dice)).collect();
        take(world, &mut steps, inputs);
        wind_up(world, &mut steps);
    }
    steps
}

/// Answers and waits until it is over, or stops it; then all debts are paid.
fn wind_up(world: &mut World, steps: &mut Vec<Step>) {
    for _ in 0..PATIENCE {
        if world.execution.is_over() {
            break;
        }
        match (world.tasks().first(), world.due()) {
            (Some(task), _) => {
                take(world, steps, vec![Input::Report { task: *task, report: success() }]);
            }
            (None, Some(due)) => {
                world.now = due;
                take(world, steps, vec![Input::Continue]);
            }
            (None, None) => panic!("it waits for nothing:\n{}", world.story()),
        }
    }
    if !world.execution.is_over() {
        take(world, steps, vec![Input::Stop { error: None, cause: None }]);
    }
    let owed: Vec<TaskId> = world.execution.debts.keys().copied().collect();
    for task in owed {
        take(world, steps, vec![Input::Settled { task }, Input::Settled { task }]);
    }
}

/// What a service answers that is in a good mood.
pub fn success() -> Report {
    Report::Succeeded { output: Payload::parse(r#"{"items": [1, 2], "n": 1}"#).expect("JSON") }
}

fn take(world: &mut World, steps: &mut Vec<Step>, inputs: Vec<Input>) {
    let step = Step { at: world.now, inputs };
    tell(world, &step);
    steps.push(step);
}

/// Tells a world what another one was told.
pub fn tell(world: &mut World, step: &Step) {
    world.now = step.at;
    world.turn(step.inputs.clone());
}

fn input_of(world: &World, dice: &mut Dice) -> Input {
    let task = task_of(world, dice);
    let report = |report| Input::Report { task, report };
    match dice.roll(20) {
        0..=4 => report(Report::Started { worker: dice.one_in(3).then(|| Arc::from("worker")) }),
        5..=6 => report(Report::Submitted { output: Payload::parse(r#"{"JobId": "j"}"#).expect("JSON") }),
        7..=11 => report(Report::Succeeded { output: output(dice) }),
        12..=14 => report(failure(dice)),
        15..=16 => report(Report::Heartbeat),
        17 if dice.one_in(2) => Input::Redrive { token: None },
        17 => Input::Settled { task },
        18 => Input::Continue,
        _ if dice.one_in(4) => Input::Stop { error: Some("Stopped".into()), cause: None },
        _ => super::super::world::start("{}"),
    }
}

/// Mostly one that waits; else one that never was, that is over, or that is no task at all.
fn task_of(world: &World, dice: &mut Dice) -> TaskId {
    let tasks = world.tasks();
    if tasks.is_empty() || dice.one_in(8) {
        return dice.roll(world.execution.events as usize + 3) as TaskId;
    }
    tasks[dice.roll(tasks.len())]
}

fn output(dice: &mut Dice) -> Payload {
    let long = format!("\"{}\"", "x".repeat(3_000));
    let text = dice.pick(&[
        r#"{"items": [1, 2, 3], "n": 2, "flag": true}"#,
        r#"{"items": [], "n": 1, "s": "\u0000é", "t": "2023-11-14T22:14:10Z"}"#,
        "null",
        "5",
        r#"{"n": 100, "items": [{"n": 1, "items": [4]}]}"#,
        long.as_str(),
    ]);
    Payload::parse(text).expect("JSON")
}

fn failure(dice: &mut Dice) -> Report {
    let error = dice.pick(&["Boom", "Other", "States.Timeout", "States.Runtime", "States.DataLimitExceeded", "é"]);
    let stage = [Stage::Run, Stage::Submit, Stage::Start, Stage::Schedule][dice.roll(4)];
    let (error, cause) = (Some(Arc::from(error)), dice.one_in(2).then(|| Arc::from("because")));
    Report::Failed { error: error.filter(|_| !dice.one_in(9)), cause, stage }
}
