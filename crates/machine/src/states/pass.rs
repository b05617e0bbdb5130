//! Pass: hands its input, its Parameters or its Result on.

use asl::Pass;

use super::Decision;
use crate::scene::Scene;

pub(super) fn decide(scene: &Scene, pass: &Pass) -> Decision {
    if scene.is_jsonata() {
        return scene.end_with_input(&scene.ending());
    }
    let input = scene.input()?;
    let result = match (&pass.result, &pass.parameters) {
        (Some(result), _) => result.clone(),
        (None, Some(parameters)) => scene.template(parameters, &input)?,
        (None, None) => input,
    };
    let output = scene.combine(&pass.result_path, result.clone())?;
    scene.end_selected(&scene.ending(), &result, output)
}
