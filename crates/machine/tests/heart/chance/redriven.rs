//! An execution that is stopped at any moment and redriven ends as if nothing had happened, and does nothing twice that
//! had succeeded.

use machine::record::Body;
use machine::{Input, Status};

use super::dice::{Dice, tapes};
use super::{outside, program, spans};
use crate::world::World;

/// How many steps an execution may take.
const STEPS: usize = 30;

const SEEDS: u64 = 600;

/// What another time, another chance or a redrive shows in an output.
const DIFFERS: [&str; 9] =
    ["$$", "UUID", "Timestamp", "TimeoutSeconds", "context", "$now", "$millis", "$random", "$uuid"];

/// Lives in a world where every task succeeds at once; before some steps it is stopped and redriven. `None` where it
/// takes too long.
fn live(definition: &str, input: &str, interruptions: &mut Dice) -> Option<World> {
    let mut world = World::new(definition);
    world.begin(input);
    for _ in 0..STEPS {
        if world.execution.is_over() {
            return Some(world);
        }
        if interruptions.roll(3) > 0 {
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

#[test]
fn a_redriven_execution_ends_as_if_it_had_not_been_stopped() {
    let (mut compared, mut redrives) = (0, 0);
    for seed in 0..SEEDS {
        let mut tape = tapes(seed);
        let (definition, input) = program::machine(&mut Dice::new(&tape(120)));
        if DIFFERS.iter().any(|differs| definition.contains(differs)) {
            continue;
        }
        let undisturbed = live(&definition, &input, &mut Dice::new(&[]));
        let redriven = live(&definition, &input, &mut Dice::new(&tape(60)));
        let (Some(undisturbed), Some(redriven)) = (undisturbed, redriven) else { continue };
        let story = || format!("seed {seed}\n{definition}\n{}", redriven.story());
        assert_eq!(undisturbed.execution.status, redriven.execution.status, "{}", story());
        spans::check(&redriven.log, story);
        if undisturbed.execution.status == Status::Succeeded {
            assert_eq!(undisturbed.end(), redriven.end(), "{}", story());
            assert_eq!(successes(&undisturbed), successes(&redriven), "{}", story());
        }
        compared += 1;
        redrives += redriven.execution.redriven.map_or(0, |redriven| redriven.count);
    }
    // The property would hold of machines that never wait, too.
    assert!(compared >= 10 && redrives >= 10, "{compared} compared, {redrives} redrives");
}
