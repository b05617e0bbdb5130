//! Fail: ends its line of control with an error of its own.

use asl::{Fail, Payload, Text};

use crate::Failure;
use crate::failure::Origin;
use crate::scene::Scene;

pub(super) fn failure(scene: &Scene, fail: &Fail) -> Failure {
    match decide(scene, fail) {
        Ok(failure) | Err(failure) => failure,
    }
}

fn decide(scene: &Scene, fail: &Fail) -> Result<Failure, Failure> {
    let input = scene.input()?;
    let text = |text: &Option<Text>, field, place| evaluate(scene, text, field, &input, place);
    Ok(Failure {
        error: text(&fail.error, "ErrorPath", 6)?,
        cause: text(&fail.cause, "CausePath", 7)?,
        origin: Origin::Reported,
    })
}

fn evaluate(
    scene: &Scene,
    text: &Option<Text>,
    field: &'static str,
    input: &Payload,
    place: u32,
) -> Result<Option<std::sync::Arc<str>>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let mut draw = scene.draw(place);
    let text = text.evaluate(field, &mut scene.env(input, &mut draw)).map_err(|e| scene.failure(e))?;
    Ok(Some(text.into()))
}
