//! The operations of the API, as a table: a name, and what carries it out. A request comes as the bytes of its body and
//! goes through the same steps wherever it comes from: decode, check, call the engine, encode.
//!
//! Read `requests.rs` for what is asked, `answers.rs` for what is answered, `exception.rs` for what can go wrong.

use std::time::Duration;

use async_trait::async_trait;
use engine::Engine;
use engine::port::{Api, ApiError};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use crate::decode::decode;
use crate::exception::Exception;
use crate::throttle::Throttle;
use crate::{activities, aliases, callbacks, executions, express, machines, map_runs, tags, test_state, versions};

/// Room for an answer without payloads.
const ANSWER_BYTES: usize = 512;

/// The operation layer over one engine.
pub struct Operations {
    engine: Engine,
    throttle: Throttle,
    /// How long GetActivityTask waits for a task.
    pub(crate) activity_wait: Duration,
    /// Set when the server closes: nobody is to be kept waiting.
    stopping: watch::Receiver<bool>,
}

impl Operations {
    pub fn new(
        engine: Engine,
        throttle: Throttle,
        activity_wait: Duration,
        stopping: watch::Receiver<bool>,
    ) -> Operations {
        Operations { engine, throttle, activity_wait, stopping }
    }

    /// Ends when the server closes; never where there is no server.
    pub(crate) async fn stopped(&self) {
        if self.stopping.clone().wait_for(|stop| *stop).await.is_err() {
            std::future::pending().await
        }
    }
}

/// Who calls.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    pub operations: &'a Operations,
    /// The account that names belong to.
    pub account: &'a str,
}

impl<'a> Caller<'a> {
    pub fn engine(&self) -> &'a Engine {
        &self.operations.engine
    }
}

/// Makes the table into a `match`, so that a call costs no more than one.
macro_rules! operations {
    ($($name:literal => $handler:path,)*) => {
        /// What is carried out.
        #[cfg(test)]
        pub const SUPPORTED: &[&str] = &[$($name),*];
        impl Operations {
            /// Carries an operation out; the answer's body.
            pub async fn call(&self, account: &str, operation: &str, body: &[u8]) -> Result<Vec<u8>, Exception> {
                self.throttle.admit(operation)?;
                let caller = Caller { operations: self, account };
                let payload_bytes = self.engine.settings().limits.payload_bytes;
                match operation {
                    $($name => encode(&$handler(caller, decode(body, payload_bytes)?).await?),)*
                    _ => Err(Exception::unknown_operation(format!("There is no operation {operation}"))),
                }
            }
        }
    };
}

operations! {
    "StartExecution" => executions::start,
    "StartSyncExecution" => express::start,
    "DescribeExecution" => executions::describe,
    "SendTaskSuccess" => callbacks::success,
    "SendTaskFailure" => callbacks::failure,
    "SendTaskHeartbeat" => callbacks::heartbeat,
    "GetActivityTask" => activities::task,
    "StopExecution" => executions::stop,
    "RedriveExecution" => executions::redrive,
    "ListExecutions" => executions::list,
    "GetExecutionHistory" => executions::history,
    "DescribeStateMachineForExecution" => executions::state_machine,
    "CreateStateMachine" => machines::create,
    "UpdateStateMachine" => machines::update,
    "DescribeStateMachine" => machines::describe,
    "ListStateMachines" => machines::list,
    "DeleteStateMachine" => machines::delete,
    "ValidateStateMachineDefinition" => machines::validate,
    "PublishStateMachineVersion" => versions::publish,
    "ListStateMachineVersions" => versions::list,
    "DeleteStateMachineVersion" => versions::delete,
    "CreateStateMachineAlias" => aliases::create,
    "UpdateStateMachineAlias" => aliases::update,
    "DescribeStateMachineAlias" => aliases::describe,
    "ListStateMachineAliases" => aliases::list,
    "DeleteStateMachineAlias" => aliases::delete,
    "DescribeMapRun" => map_runs::describe,
    "ListMapRuns" => map_runs::list,
    "UpdateMapRun" => map_runs::update,
    "TestState" => test_state::test,
    "CreateActivity" => activities::create,
    "DescribeActivity" => activities::describe,
    "ListActivities" => activities::list,
    "DeleteActivity" => activities::delete,
    "TagResource" => tags::tag,
    "UntagResource" => tags::untag,
    "ListTagsForResource" => tags::list,
}

fn encode(answer: &impl Serialize) -> Result<Vec<u8>, Exception> {
    let mut body = Vec::with_capacity(ANSWER_BYTES);
    serde_json::to_writer(&mut body, answer).map_err(Exception::internal)?;
    Ok(body)
}

/// The same from inside: for tasks that call this installation's own API.
#[async_trait]
impl Api for Operations {
    async fn call(&self, account: &str, operation: &str, parameters: Value) -> Result<Value, ApiError> {
        let body = serde_json::to_vec(&parameters).map_err(Exception::internal)?;
        let answer = Operations::call(self, account, operation, &body).await?;
        Ok(serde_json::from_slice(&answer).map_err(Exception::internal)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::SUPPORTED;

    #[test]
    fn every_operation_of_the_model_is_in_the_table() {
        let model = aws::models().service("sfn").expect("the model of Step Functions");
        let model: BTreeSet<&str> = model.operations().map(|operation| operation.name.as_str()).collect();
        let table: BTreeSet<&str> = SUPPORTED.iter().copied().collect();
        assert_eq!(table, model);
        assert_eq!(table.len(), SUPPORTED.len(), "none is there twice");
    }
}
