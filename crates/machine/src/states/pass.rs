//! Pass: hands its input, its Parameters or its Result on.

use asl::Pass;

use super::Decision;
use crate::probe::Shown;
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
    let stage = if pass.result.is_some() { Shown::Result } else { Shown::AfterParameters };
    scene.show(stage, &result);
    scene.show(Shown::AfterResultSelector, &result);
    let output = scene.combine(&pass.result_path, result.clone())?;
    scene.show(Shown::AfterResultPath, &output);
    scene.end_selected(&scene.ending(), &result, output)
}
