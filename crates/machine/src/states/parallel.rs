//! Parallel: every branch gets the same input; the result is the array of their outputs.

use asl::Parallel;

use super::{Decision, Flow};
use crate::scene::Scene;

pub(super) fn begin(scene: &Scene, parallel: &Parallel) -> Decision {
    let items = if scene.is_jsonata() {
        scene.computed(&parallel.arguments, "Arguments")?
    } else {
        let input = scene.input()?;
        match &parallel.parameters {
            Some(parameters) => scene.template(parameters, &input)?,
            None => input,
        }
    };
    let branches = parallel.branches.iter().map(|scope| scene.program.scope(*scope).start_at.0).collect();
    Ok(Flow::Open { length: parallel.branches.len() as u32, items, branches, settled: None })
}
