//! Task: something outside is to do the work. What it is asked for is decided here; who asks is the engine's matter.

use asl::eval::EvalError;
use asl::payload::MAX_DEPTH;
use asl::{Payload, Target, Task};
use serde_json::Value;

use super::{Decision, Fault, Flow};
use crate::Failure;
use crate::failure::RUNTIME;
use crate::probe::Shown;
use crate::record::Scheduled;
use crate::scene::{Scene, too_large};

pub(super) fn begin(scene: &Scene, task: &Task) -> Decision {
    let is_jsonata = scene.is_jsonata();
    let input = if is_jsonata { scene.frame.data.clone() } else { scene.input()? };
    let timeout_seconds = seconds(scene, &task.timeout_seconds, "TimeoutSeconds", &input)?;
    let heartbeat_seconds = seconds(scene, &task.heartbeat_seconds, "HeartbeatSeconds", &input)?;
    let parameters = match &task.parameters {
        _ if is_jsonata => scene.computed(&task.arguments, "Arguments")?,
        Some(parameters) => scene.template(parameters, &input)?,
        None => input.clone(),
    };
    scene.show(if is_jsonata { Shown::AfterArguments } else { Shown::AfterParameters }, &parameters);
    let parameters = scene.within_limit(signed(task, parameters), &scene.state.name)?;
    if let Some(mistake) = (scene.stamp.mistake)(&task.resource, &parameters) {
        return Err(scene.failure(EvalError::unusable_parameters(parameters.text(), &mistake)).into());
    }
    let credentials = match (&task.credentials, &task.computed_credentials) {
        (Some(credentials), _) => Some(scene.template(credentials, &input)?),
        (None, credentials @ Some(_)) => Some(scene.computed(credentials, "Credentials")?),
        (None, None) => None,
    };
    Ok(Flow::Task(Box::new(Scheduled { parameters, timeout_seconds, heartbeat_seconds, credentials })))
}

/// With what AWS adds for a job.
fn signed(task: &Task, parameters: Payload) -> Payload {
    match (task.resource.signature(), parameters.value()) {
        (Some((name, value)), Value::Object(given)) => {
            let mut given = given.clone();
            given.insert(name.to_owned(), value.into());
            Value::Object(given).into()
        }
        _ => parameters,
    }
}

fn seconds(
    scene: &Scene,
    amount: &Option<asl::Amount>,
    field: &'static str,
    input: &Payload,
) -> Result<Option<u64>, Fault> {
    Ok(scene.amount(amount, field, input)?.map(|seconds| seconds as u64))
}

/// A result that is too large is a failure of the task, named as AWS names it: by the function's ARN or the service. One
/// that is nested too deep could not be read back from the log.
pub(crate) fn check_result(task: &Task, output: &Payload, payload_bytes: usize) -> Result<(), Failure> {
    let length = output.text().len();
    if length <= payload_bytes {
        // A level takes two bytes, so nearly all results need no look.
        let too_deep = length > 2 * MAX_DEPTH && output.depth() > MAX_DEPTH;
        return if too_deep { Err(Failure::new(RUNTIME, EvalError::too_deep().message)) } else { Ok(()) };
    }
    Err(match &task.resource.target {
        Target::Integration { service, .. } => too_large(service),
        _ => too_large(&task.resource.text),
    })
}
