//! Choice: the first rule that holds says where to go, and brings an Assign and an Output of its own.

use asl::eval::EvalError;
use asl::{Choice, Transition};

use super::Decision;
use super::ending::Ending;
use crate::scene::{Given, Scene};

pub(super) fn decide(scene: &Scene, choice: &Choice) -> Decision {
    let rule = if scene.is_jsonata() {
        scene.query(Given::default(), |env| choice.compute(env))?
    } else {
        let input = scene.input()?;
        let mut draw = scene.draw(5);
        choice.rule(&scene.env(&input, &mut draw)).map_err(|e| scene.failure(e))?
    };
    let ending = match (rule, choice.default) {
        (Some(place), _) => {
            let rule = &choice.rules[place];
            let next = Transition::Next(rule.next);
            Ending {
                output: rule.output.as_ref(),
                assign: rule.assign.as_ref(),
                place: format!("Choices[{place}]/"),
                next,
            }
        }
        (None, Some(default)) => Ending { next: Transition::Next(default), ..scene.ending() },
        (None, None) => return Err(scene.failure(EvalError::no_choice_matched()).into()),
    };
    scene.end_with_input(&ending)
}
