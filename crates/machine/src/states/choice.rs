//! Choice: the first rule that holds says where to go.

use asl::eval::EvalError;
use asl::{Choice, Transition};

use super::Decision;
use crate::scene::Scene;

pub(super) fn decide(scene: &Scene, choice: &Choice) -> Decision {
    let input = scene.input()?;
    let mut draw = scene.draw(5);
    let next = choice.decide(&scene.env(&input, &mut draw)).map_err(|e| scene.failure(e))?;
    match next {
        Some(next) => scene.exit(input, Transition::Next(next)),
        None => Err(scene.failure(EvalError::no_choice_matched())),
    }
}
