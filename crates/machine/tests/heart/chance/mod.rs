//! Properties that hold for every program and every world: chance writes both.
//!
//! What must hold after each turn stands in `world/mod.rs` and `world/ledger.rs`; here whole runs are compared: with one
//! that dies after every turn, and with one whose turns may do next to nothing at a time.

pub mod dice;
mod jsonata;
mod outside;
mod program;
mod redriven;
mod spans;

use std::sync::Arc;

use dice::Dice;
use outside::Step;
use proptest::prelude::*;

use crate::world::{World, compile};

/// What a world is limited to: small enough that limits are met.
fn limit(world: &mut World, dice: &mut Dice) {
    world.limits.events = 400 - dice.roll(370) as u64;
    if dice.one_in(3) {
        world.limits.payload_bytes = 2_000;
    }
    if dice.one_in(3) {
        world.limits.variables_bytes = 4_000;
    }
    if dice.one_in(3) {
        world.limits.inline_concurrency = 2;
    }
}

struct Run {
    world: World,
    steps: Vec<Step>,
}

fn run(definition: &str, input: &str, happens: &[u16]) -> Run {
    let mut dice = Dice::new(happens);
    let mut world = World::of(Arc::new(compile(definition)));
    limit(&mut world, &mut dice);
    let steps = outside::live(&mut world, &mut dice, input);
    assert!(world.execution.is_over() && world.execution.debts.is_empty(), "{}", world.story());
    Run { world, steps }
}

/// The same again in a world that is different in one thing only.
fn again(first: &Run, change: impl Fn(&mut World)) -> World {
    let mut world = World::of(first.world.program.clone());
    world.limits = first.world.limits.clone();
    change(&mut world);
    for step in &first.steps {
        outside::tell(&mut world, step);
    }
    world
}

fn tape(longest: usize) -> impl Strategy<Value = Vec<u16>> {
    prop::collection::vec(any::<u16>(), 0..longest)
}

/// A random machine lives through a random world; the same run crashes after every turn, and is cut into crumbs.
fn check((definition, input): &(String, String), happens: &[u16]) {
    let first = run(definition, input, happens);
    let crashing = again(&first, |world| world.crashing = true);
    assert_eq!(crashing.log, first.world.log, "a crash between turns changes the history");
    assert_eq!(crashing.effects, first.world.effects, "a crash between turns changes what is wished");
    for records in [1, 3] {
        let crumbs = again(&first, |world| world.limits.turn_records = records);
        assert_eq!(crumbs.log, first.world.log, "{records} records a turn change the history");
        assert_eq!(crumbs.effects, first.world.effects);
    }
    let light = again(&first, |world| {
        world.limits.turn_bytes = 10;
        world.crashing = true;
    });
    assert_eq!(light.log, first.world.log, "10 bytes a turn change the history");
    let idle = again(&first, |world| world.limits.turn_work = 1);
    assert_eq!(idle.log, first.world.log, "an expression a turn changes the history");
    spans::check(&first.world.log, || first.world.story());
}

proptest! {
    // A tape means something else as soon as the author learns something new: what was found becomes a named story.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_machine_lives_well_in_every_world(
        machine in tape(120).prop_map(|tape| program::machine(&mut Dice::new(&tape))),
        happens in tape(160),
    ) {
        check(&machine, &happens);
    }
}

/// Chance is only worth something where it comes by: every kind of record, effect, verdict and end has happened.
#[test]
fn everything_happens() {
    let mut seen = std::collections::BTreeSet::new();
    let name = |debug: String| debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned();
    for seed in 0..400_u64 {
        let mut tape = dice::tapes(seed);
        let (definition, input) = program::machine(&mut Dice::new(&tape(120)));
        let run = run(&definition, &input, &tape(160));
        seen.extend(run.world.log.iter().map(|record| name(format!("{:?}", record.body))));
        seen.extend(run.world.effects.iter().map(|effect| name(format!("{effect:?}"))));
        seen.insert(format!("{:?}", run.world.execution.status));
        seen.extend(run.world.verdicts.iter().map(|verdict| format!("{verdict:?}")));
    }
    let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
    insta::assert_snapshot!(seen.join(" "), @r"Aborted CancelTask DebtIncurred Done EvaluationFailed ExecutionAborted ExecutionFailed ExecutionRedriven ExecutionStarted ExecutionSucceeded ExecutionTimedOut Failed Finished ForgetTask IterationAborted IterationFailed IterationResumed IterationStarted IterationSucceeded MapSettled NotWaiting RegionAborted RegionFailed RegionStarted RegionSucceeded RetryScheduled Settled StartTask StateAborted StateEntered StateExited Succeeded TaskFailed TaskScheduled TaskStarted TaskSubmitted TaskSucceeded TaskTimedOut TimedOut TooLate VariablesAssigned WaitUntil");
}
