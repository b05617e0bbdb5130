//! A workflow's failure: `Error` and `Cause` as data, which Retry and Catch decide about.
//!
//! Which names `States.ALL` and `States.TaskFailed` stand for follows AWS: a `States.Runtime` failure is shown to
//! no retrier and no catcher at all; a task's result that is too large is caught by `States.ALL`.

use std::sync::Arc;

use asl::Payload;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why a state, and perhaps the execution, failed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Failure {
    pub error: Option<Arc<str>>,
    pub cause: Option<Arc<str>>,
    pub origin: Origin,
}

/// Where a failure comes from, as far as Retry and Catch must know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Origin {
    #[default]
    Reported,
    /// A missed heartbeat: history calls it `States.Timeout`, and a retrier or catcher may also name it
    /// `States.HeartbeatTimeout`.
    Heartbeat,
    /// Found while the state itself was evaluated: it ends the execution where it happens, and nobody is asked.
    Terminal,
}

pub const ALL: &str = "States.ALL";
pub const TASK_FAILED: &str = "States.TaskFailed";
pub const TIMEOUT: &str = "States.Timeout";
pub const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
pub const RUNTIME: &str = "States.Runtime";
pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
pub const EXCEED_TOLERATED_FAILURE_THRESHOLD: &str = "States.ExceedToleratedFailureThreshold";

impl Failure {
    pub fn new(error: impl Into<Arc<str>>, cause: impl Into<Arc<str>>) -> Failure {
        Failure { error: Some(error.into()), cause: Some(cause.into()), origin: Origin::Reported }
    }

    /// A timeout has no cause.
    pub fn timeout() -> Failure {
        Failure { error: Some(TIMEOUT.into()), cause: None, origin: Origin::Reported }
    }

    pub fn missed_heartbeat() -> Failure {
        Failure { origin: Origin::Heartbeat, ..Failure::timeout() }
    }

    /// Of a Map of whose iterations more have failed than may.
    pub fn threshold_exceeded() -> Failure {
        let cause = "The specified tolerated failure threshold was exceeded";
        Failure::new(EXCEED_TOLERATED_FAILURE_THRESHOLD, cause)
    }

    /// The same failure, shown to no retrier and no catcher.
    pub fn terminal(self) -> Failure {
        Failure { origin: Origin::Terminal, ..self }
    }

    pub fn is_terminal(&self) -> bool {
        self.origin == Origin::Terminal
    }

    /// Whether a retrier or catcher with these names takes it.
    pub fn matches(&self, error_equals: &[Arc<str>]) -> bool {
        if self.is_terminal() {
            return false;
        }
        let error = self.error.as_deref().unwrap_or("");
        error_equals.iter().any(|name| match name.as_ref() {
            ALL => error != RUNTIME,
            TASK_FAILED => error != TIMEOUT && error != RUNTIME,
            HEARTBEAT_TIMEOUT => self.origin == Origin::Heartbeat || error == HEARTBEAT_TIMEOUT,
            name => name == error,
        })
    }

    /// What a catcher hands to its next state.
    pub fn output(&self) -> Payload {
        let text = |t: &Option<Arc<str>>| t.as_deref().map_or(Value::Null, Value::from);
        let mut output = Map::new();
        output.insert("Error".into(), text(&self.error));
        output.insert("Cause".into(), text(&self.cause));
        Value::Object(output).into()
    }
}
