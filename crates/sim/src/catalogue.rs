//! State machines that come and go: they are created, started, looked at and deleted by chance, also while executions of
//! theirs run. What was acknowledged must be there, and what was deleted must be gone when its last execution has ended.

use std::collections::BTreeMap;

use engine::Error;
use engine::api::MachineStatus;

use crate::clients::{Call, machine_arn, start_named};
use crate::house;
use crate::model::Asked;
use crate::programs::{ACCOUNT, DEFINITIONS, Definition};
use crate::workers::activity_arn;
use crate::world::World;

const PASSING: [&str; 2] = ["passing", "brief"];
const BRIEF: &str = "brief";

/// After the end of its last execution a state machine is gone by then, also where the store was unwell, in milliseconds.
const PATIENCE_MS: u64 = 10_000;

/// Names of executions of each.
const NAMES: usize = 20;

/// What has been asked about the machines that come and go, by their ARNs.
#[derive(Default)]
pub(crate) struct Passing(BTreeMap<String, History>);

#[derive(Default)]
pub(crate) struct History {
    creations: Vec<Change>,
    deletions: Vec<Change>,
}

/// Times are numbers of operations.
#[derive(Clone, Copy)]
pub(crate) struct Change {
    asked: u64,
    /// When it was known that nothing more comes of it.
    settled: Option<u64>,
    /// It was acknowledged by the owner of the store.
    done: bool,
}

impl Change {
    fn is_over(&self, before: u64) -> bool {
        self.settled.is_some_and(|settled| settled < before)
    }
}

impl History {
    /// One kind of change was acknowledged before this, and since it was asked nothing of the other kind can have come.
    fn holds(&self, changes: &[Change], against: &[Change], before: u64) -> bool {
        let done = changes.iter().filter(|change| change.done && change.is_over(before));
        done.clone().any(|change| against.iter().all(|other| other.is_over(change.asked)))
    }

    fn must_be(&self, before: u64) -> bool {
        self.holds(&self.creations, &self.deletions, before)
    }

    fn must_be_gone(&self, before: u64) -> bool {
        self.holds(&self.deletions, &self.creations, before)
    }
}

impl Passing {
    fn of(&mut self, machine: &str) -> &mut History {
        self.0.entry(machine.to_owned()).or_default()
    }
}

/// The last executions of all machines have ended.
pub(crate) async fn end(world: &World) {
    world.sleep_ms(PATIENCE_MS).await;
    let gone: Vec<String> = {
        let state = world.state();
        let (passing, now) = (&state.model.passing.0, state.operations);
        let gone = passing.iter().filter(|(what, history)| comes_and_goes(what) && history.must_be_gone(now));
        gone.map(|(machine, _)| machine.clone()).collect()
    };
    for machine in gone {
        look(world, &machine, true).await;
    }
    list(world).await;
}

/// One of the two kinds of changes.
pub(crate) type Of = fn(&mut History) -> &mut Vec<Change>;
pub(crate) const CREATION: Of = |history| &mut history.creations;
pub(crate) const DELETION: Of = |history| &mut history.deletions;

/// A change is asked for.
pub(crate) fn begin(world: &World, call: &Call, of: Of, what: &str) {
    let asked = call.asked().operation;
    of(world.state().model.passing.of(what)).push(Change { asked, settled: None, done: false });
}

/// It was answered.
pub(crate) fn settle(world: &World, call: &Call, done: bool, of: Of, what: &str) {
    let (asked, mut state) = (call.asked(), world.state());
    let now = state.operations;
    let changes = of(state.model.passing.of(what));
    for change in changes.iter_mut().filter(|change| change.asked == asked.operation) {
        (change.settled, change.done) = (Some(now), done && !asked.stale);
    }
}

/// The answer told what was changed.
pub(crate) fn happened(world: &World, call: &Call, of: Of, what: &str) {
    begin(world, call, of, what);
    settle(world, call, true, of, what);
}

/// Whether it must be there, and whether it must be gone, for whoever asks now.
pub(crate) fn must(world: &World, what: &str, asked: u64) -> (bool, bool) {
    let mut state = world.state();
    let history = state.model.passing.of(what);
    (history.must_be(asked), history.must_be_gone(asked))
}

/// An answer said that it is there, or that it is not.
pub(crate) fn judge(world: &World, call: &Call, what: &str, there: bool) {
    let (must_be, must_be_gone) = must(world, what, call.asked().operation);
    let right = if there { !must_be_gone } else { !must_be };
    world.check(right || call.is_stale(), || format!("{what} is there: {there}; it must be: {must_be}"));
}

fn some_machine(world: &World) -> &'static str {
    let at = world.state().client_dice.below(PASSING.len());
    PASSING[at]
}

pub(crate) async fn create(world: &World) {
    let name = some_machine(world);
    let text = world.state().client_dice.pick(DEFINITIONS).text;
    let machine = machine_arn(name);
    let Some(mut call) = Call::begin(world, format!("create {machine}")) else { return };
    begin(world, &call, CREATION, &machine);
    let engine = call.engine.clone();
    let request = house::creation(&Definition { name, text });
    let Some(answer) = call.hear(world, engine.create_state_machine(request)).await else { return };
    match answer {
        Ok(_) => world.saw("op.create"),
        Err(Error::StateMachineAlreadyExists(_) | Error::StateMachineDeleting(_)) => world.saw("op.create refused"),
        Err(ref error) => world.violated(format!("create: {error:?}")),
    }
    settle(world, &call, answer.is_ok(), CREATION, &machine);
}

pub(crate) async fn delete(world: &World) {
    let machine = machine_arn(some_machine(world));
    let Some(mut call) = Call::begin(world, format!("delete {machine}")) else { return };
    begin(world, &call, DELETION, &machine);
    let engine = call.engine.clone();
    let Some(answer) = call.hear(world, engine.delete_state_machine(&machine)).await else { return };
    match answer {
        Ok(()) => world.saw("op.delete"),
        Err(ref error) => world.violated(format!("delete: {error:?}")),
    }
    settle(world, &call, answer.is_ok(), DELETION, &machine);
}

/// Looks at one, or starts an execution of it.
pub(crate) async fn visit(world: &World) {
    let name = some_machine(world);
    if world.state().client_dice.per_mille(500) {
        look(world, &machine_arn(name), false).await;
    } else {
        let execution = format!("p{}", world.state().client_dice.below(NAMES));
        start_named(world, name, &execution, r#"{"n":1,"s":2,"items":[1]}"#).await;
    }
}

async fn look(world: &World, machine: &str, is_end: bool) {
    let Some(mut call) = Call::begin(world, format!("look at {machine}")) else { return };
    let before = call.asked().operation;
    let engine = call.engine.clone();
    let Some(answer) = call.hear(world, engine.state_machine(machine)).await else { return };
    let (must_be, must_be_gone) = must(world, machine, before);
    let stale = call.is_stale();
    match answer {
        Ok(seen) => {
            world.saw("op.look");
            let gone = must_be_gone && (is_end || seen.status != MachineStatus::Deleting);
            world.check(!gone || stale, || format!("{machine} was deleted and is there"));
        }
        Err(Error::StateMachineDoesNotExist(_)) => {
            world.saw(if is_end { "op.deleted" } else { "op.look at nothing" });
            world.check(!must_be || stale, || format!("{machine} was created and is gone"));
        }
        Err(error) => world.violated(format!("look: {error:?}")),
    }
}

/// An activity that comes and goes too.
pub(crate) async fn activity(world: &World) {
    let activity = activity_arn(BRIEF);
    let what = world.state().client_dice.below(4);
    let Some(mut call) = Call::begin(world, format!("activity {what}")) else { return };
    let engine = call.engine.clone();
    match what {
        0 => {
            begin(world, &call, CREATION, &activity);
            let create = engine.create_activity(ACCOUNT, BRIEF, Vec::new(), None);
            let Some(answer) = call.hear(world, create).await else { return };
            world.check(answer.is_ok(), || format!("create activity: {answer:?}"));
            world.saw("op.create activity");
            settle(world, &call, true, CREATION, &activity);
        }
        1 => {
            begin(world, &call, DELETION, &activity);
            let Some(answer) = call.hear(world, engine.delete_activity(&activity)).await else { return };
            world.check(answer.is_ok(), || format!("delete activity: {answer:?}"));
            world.saw("op.delete activity");
            settle(world, &call, true, DELETION, &activity);
        }
        2 => {
            let tag = ("seen".to_owned(), call.asked().operation.to_string());
            let Some(answer) = call.hear(world, engine.change_tags(&activity, vec![tag], Vec::new())).await else {
                return;
            };
            world.saw("op.tag activity");
            judge_activity(world, &call, &activity, &answer);
        }
        _ => {
            let Some(answer) = call.hear(world, engine.activity(&activity)).await else { return };
            world.saw("op.describe activity");
            judge_activity(world, &call, &activity, &answer);
        }
    }
}

fn judge_activity<T: std::fmt::Debug>(world: &World, call: &Call, activity: &str, answer: &Result<T, Error>) {
    match answer {
        Ok(_) | Err(Error::ActivityDoesNotExist(_)) => judge(world, call, activity, answer.is_ok()),
        Err(error) => world.violated(format!("activity: {error:?}")),
    }
}

/// Whether a start of a machine that comes and goes may be refused or taken.
pub(crate) fn may_start(world: &World, machine: &str, asked: Asked, started: bool) -> bool {
    let mut state = world.state();
    let history = state.model.passing.of(machine);
    let wrong = if started { history.must_be_gone(asked.operation) } else { history.must_be(asked.operation) };
    asked.stale || !wrong
}

pub(crate) fn comes_and_goes(machine: &str) -> bool {
    PASSING.iter().any(|name| machine_arn(name) == machine)
}

/// All that is never deleted is in the list, once, in order.
pub(crate) async fn list(world: &World) {
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let Some(mut call) = Call::begin(world, format!("list machines {after:?}")) else { return };
        let engine = call.engine.clone();
        let Some(answer) = call.hear(world, engine.list_state_machines(ACCOUNT, after.take(), 7)).await else { return };
        match answer {
            Ok(page) => {
                seen.extend(page.items.into_iter().map(|machine| machine.name));
                after = page.next;
            }
            Err(error) => return world.violated(format!("list machines: {error:?}")),
        }
        if after.is_none() {
            break;
        }
    }
    world.saw("op.list machines");
    let lost = DEFINITIONS.iter().find(|definition| !seen.iter().any(|name| name == definition.name));
    world.check(lost.is_none(), || format!("{:?} is not listed", lost.map(|lost| lost.name)));
    world.check(seen.is_sorted_by(|a, b| a < b), || format!("machines are listed as {seen:?}"));
}
