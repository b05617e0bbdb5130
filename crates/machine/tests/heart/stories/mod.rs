//! Stories: a program, what happened, what followed. The shapes of histories are AWS's, read off recorded answers; where
//! none is recorded, the story says how we go on from what is.

mod flow;
mod jsonata;
mod limits;
mod redrive;
mod regions;
mod retry;
mod tasks;
mod variables;

use crate::world::World;

/// A task that answers by itself.
const TASK: &str =
    r#""Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}"#;

/// A task that is a job, to be stopped when nobody waits for it.
const JOB: &str = r#""Type": "Task", "Resource": "arn:aws:states:::batch:submitJob.sync",
    "Parameters": {"JobName": "n", "JobQueue": "q", "JobDefinition": "d"}"#;

/// A machine of one state, `S`, which is also where it ends.
fn only(state: &str) -> String {
    format!(r#"{{"StartAt": "S", "States": {{"S": {{{state}, "End": true}}}}}}"#)
}

/// The state `S`, and `C` for what is caught, if something is.
fn caught(state: &str) -> String {
    if !state.contains(r#""Next": "C""#) {
        return only(state);
    }
    format!(r#"{{"StartAt": "S", "States": {{"S": {{{state}, "End": true}}, "C": {{"Type": "Pass", "End": true}}}}}}"#)
}

/// How a machine of one state ends that waits for nobody.
fn end_of(state: &str, input: &str) -> String {
    World::start(&only(state), input).end()
}
