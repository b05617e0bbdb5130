//! Fail: ends its line of control with an error of its own.

use std::sync::Arc;

use asl::{Fail, Payload, Text};

use super::Fault;
use crate::Failure;
use crate::failure::Origin;
use crate::scene::{Given, Scene};

pub(super) fn fault(scene: &Scene, fail: &Fail) -> Fault {
    match decide(scene, fail) {
        Ok(failure) => failure.into(),
        Err(fault) => fault,
    }
}

fn decide(scene: &Scene, fail: &Fail) -> Result<Failure, Fault> {
    let (error, cause) = if scene.is_jsonata() {
        scene.query(Given::default(), |env| {
            let error = fail.error.as_ref().map(|error| error.compute("Error", env)).transpose()?;
            Ok((error, fail.cause.as_ref().map(|cause| cause.compute("Cause", env)).transpose()?))
        })?
    } else {
        let input = scene.input()?;
        (evaluate(scene, &fail.error, "ErrorPath", &input, 6)?, evaluate(scene, &fail.cause, "CausePath", &input, 7)?)
    };
    Ok(Failure { error, cause, origin: Origin::Reported })
}

fn evaluate(
    scene: &Scene,
    text: &Option<Text>,
    field: &'static str,
    input: &Payload,
    place: u32,
) -> Result<Option<Arc<str>>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let mut draw = scene.draw(place);
    let text = text.evaluate(field, &mut scene.env(input, &mut draw)).map_err(|e| scene.failure(e))?;
    Ok(Some(text.into()))
}
