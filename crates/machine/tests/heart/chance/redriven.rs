//! An execution that is stopped at any moment and redriven ends as if nothing had happened, and does nothing twice that
//! had succeeded.

use machine::record::Body;
use machine::{Input, Status};
use proptest::prelude::*;

use super::dice::{Dice, tapes};
use super::{outside, program, tape};
use crate::world::World;

/// How many steps an execution may take.
const STEPS: usize = 100;

/// What another time, another chance or a redrive shows in an output.
const DIFFERS: [&str; 4] = ["$$", "UUID", "Timestamp", "TimeoutSeconds"];

/// Lives in a world where every task succeeds at once; before some steps it is stopped and redriven. `None` where it
/// takes too long.
fn live(definition: &str, input: &str, interruptions: &mut Dice) -> Option<World> {
    let mut world = World::new(definition);
    world.begin(input);
    for _ in 0..STEPS {
        if world.execution.is_over() {
            return Some(world);
        }
        if interruptions.one_in(3) {
            world.turn(vec![Input::Stop { error: None, cause: None }]);
            world.now += interruptions.roll(100_000) as i64;
            world.turn(vec![Input::Redrive { token: None }]);
        }
        match (world.tasks().first(), world.due()) {
            (Some(task), _) => drop(world.report(*task, outside::success())),
            (None, Some(due)) => {
                world.now = due;
                world.turn(vec![Input::Continue]);
            }
            (None, None) => assert!(world.execution.is_over(), "it waits for nothing:\n{}", world.story()),
        }
    }
    None
}

fn successes(world: &World) -> usize {
    world.log.iter().filter(|record| matches!(record.body, Body::TaskSucceeded { .. })).count()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_global_rejects: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn a_redriven_execution_ends_as_if_it_had_not_been_stopped(machine in tape(120), stops in tape(60)) {
        let (definition, input) = program::machine(&mut Dice::new(&machine));
        prop_assume!(!DIFFERS.iter().any(|differs| definition.contains(differs)));
        let undisturbed = live(&definition, &input, &mut Dice::new(&[]));
        let redriven = live(&definition, &input, &mut Dice::new(&stops));
        let (Some(undisturbed), Some(redriven)) = (undisturbed, redriven) else {
            return Err(TestCaseError::reject("it takes long"));
        };
        prop_assert_eq!(undisturbed.execution.status, redriven.execution.status, "{}", redriven.story());
        if undisturbed.execution.status == Status::Succeeded {
            prop_assert_eq!(undisturbed.end(), redriven.end(), "{}", redriven.story());
            prop_assert_eq!(successes(&undisturbed), successes(&redriven), "{}", redriven.story());
        }
    }
}

/// The property would hold of machines that never wait, too.
#[test]
fn many_are_redriven() {
    let mut redrives = 0;
    for seed in 0..200 {
        let mut tape = tapes(seed);
        let (definition, input) = program::machine(&mut Dice::new(&tape(120)));
        let stops = tape(60);
        if let Some(world) = live(&definition, &input, &mut Dice::new(&stops)) {
            redrives += world.execution.redriven.map_or(0, |redriven| redriven.count);
        }
    }
    assert!(redrives > 40, "{redrives}");
}
