//! The engine's ports: who carries tasks out, and how this installation's own API is reached from inside.
//!
//! A connector is asked once for each task that starts, is asked again and again how a job stands, and is told when a
//! job is to stop. It never sees the log, the store or the key of the tokens.

use std::sync::Arc;
use std::time::Duration;

use asl::{Payload, Resource};
use async_trait::async_trait;
use machine::Report;
use machine::Timestamp;
use machine::record::Stage;
use serde_json::Value;

use crate::api::ExecutionDescription;
use crate::test_state::FieldValidation;

/// A task to be carried out. Activities never come here: their workers fetch them.
#[derive(Clone, Debug)]
pub struct TaskRequest {
    pub execution_arn: Arc<str>,
    /// The state that asks, for logs.
    pub state: Arc<str>,
    pub resource: Resource,
    pub parameters: Payload,
    /// `Credentials`, evaluated: `{"RoleArn": …}`.
    pub credentials: Option<Payload>,
    /// The role of the state machine.
    pub role: Arc<str>,
    pub account: Arc<str>,
    pub region: Arc<str>,
    /// The same for every attempt to send this one task, also after a crash; different for a retry of the state. Fit to
    /// be a client token, a deduplication id or an execution name: at most 64 letters, digits and hyphens.
    pub idempotency_key: String,
    /// X-Ray's header (`X-Amzn-Trace-Id`) with which the service goes on with the execution's trace.
    pub trace: Option<Arc<str>>,
    /// The task may have been sent before: the process died between sending and hearing.
    pub resent: bool,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Request response: this is the result.
    Succeeded(Payload),
    /// `.sync` and `.waitForTaskToken`: accepted, and this is what the service said.
    Submitted(Payload),
    Failed {
        error: String,
        cause: Option<String>,
        stage: Stage,
    },
}

/// A job that was submitted, and may have to be looked up by the request that submitted it.
#[derive(Clone, Debug)]
pub struct Job {
    pub request: TaskRequest,
    /// What the service answered to the submission; absent where the process died before it heard.
    pub submitted: Option<Payload>,
}

/// How a job stands.
#[derive(Clone, Debug)]
pub enum Followed {
    /// Ask again, but not before this time has gone.
    Running {
        ask_again: Duration,
    },
    Succeeded(Payload),
    Failed {
        error: String,
        cause: Option<String>,
    },
}

/// Why a question could not be put at all; it will be put again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unreachable(pub String);

/// A task of an execution that takes part in a test case.
#[derive(Clone, Copy, Debug)]
pub struct MockedTask<'a> {
    /// The state machine's name.
    pub machine: &'a str,
    pub case: &'a str,
    pub state: &'a str,
    /// How often the state was retried.
    pub attempt: u32,
    pub resource: &'a Resource,
}

/// What a test case says of a task.
#[derive(Clone, Debug)]
pub enum Played {
    Succeeded(Payload),
    Failed { error: String, cause: Option<String> },
}

impl Played {
    /// As if it had been heard from outside.
    pub(crate) fn report(self) -> Report {
        match self {
            Played::Succeeded(output) => Report::Succeeded { output },
            Played::Failed { error, cause } => {
                Report::Failed { error: Some(error.into()), cause: cause.map(Into::into), stage: Stage::Run }
            }
        }
    }
}

/// Who carries tasks out.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Carries a task out, or submits it.
    async fn start(&self, request: TaskRequest) -> Answer;

    /// Asks how a `.sync` job stands.
    async fn follow(&self, job: &Job) -> Result<Followed, Unreachable>;

    /// Stops a job that nobody waits for any more. A job that is gone is a job that has stopped.
    async fn cancel(&self, job: &Job) -> Result<(), Unreachable>;

    /// Whether the service could have answered this, by its model; what is wrong, in AWS's words.
    fn check_mock(&self, _resource: &Resource, _result: &Value, _validation: FieldValidation) -> Result<(), String> {
        Ok(())
    }

    /// Delivers log events. What cannot be delivered ever counts as delivered.
    async fn deliver_logs(&self, _batch: &LogBatch) -> Result<(), Unreachable> {
        Ok(())
    }

    /// Whether anybody takes spans.
    fn takes_spans(&self) -> bool {
        false
    }

    /// Delivers spans. What cannot be delivered ever counts as delivered.
    async fn export_spans(&self, _spans: &[Span]) -> Result<(), Unreachable> {
        Ok(())
    }

    /// What is wrong with the parameters of a call, in AWS's words; such a task is not started. Nothing waits in here,
    /// and the same question has the same answer.
    fn mistake(&self, _resource: &Resource, _parameters: &Payload) -> Option<String> {
        None
    }

    /// Whether a state machine has a test case of this name; else why not.
    fn has_test_case(&self, _machine: &str, _case: &str) -> Result<(), String> {
        Err("there is no mock configuration (SFN_MOCK_CONFIG names one)".to_owned())
    }

    /// What is to be heard of a task in a test case, in place of everybody outside; nothing where it is not mocked.
    fn play(&self, _task: &MockedTask<'_>) -> Option<Played> {
        None
    }

    /// Whether anybody wants to hear of status changes.
    fn listens(&self) -> bool {
        false
    }

    /// An execution has started, or is over; told after it is durable, on a best-effort basis.
    async fn status_changed(&self, _account: &str, _region: &str, _execution: &ExecutionDescription) {}
}

/// A line of a state machine's log.
#[derive(Clone, PartialEq, Debug)]
pub struct LogEvent {
    pub at: Timestamp,
    /// A JSON object in the form of AWS's log events.
    pub text: String,
}

/// Lines for one log group, in the order in which they happened.
#[derive(Clone, PartialEq, Debug)]
pub struct LogBatch {
    pub account: Arc<str>,
    pub region: Arc<str>,
    /// The state machine's ARN.
    pub machine: Arc<str>,
    /// The log group's ARN, as the loggingConfiguration has it.
    pub group: Arc<str>,
    pub events: Vec<LogEvent>,
}

/// An execution, or a state that it was in, as OpenTelemetry tells it.
#[derive(Clone, PartialEq, Debug)]
pub struct Span {
    pub trace: [u8; 16],
    pub id: [u8; 8],
    pub parent: Option<[u8; 8]>,
    /// The parent is somebody else's.
    pub parent_is_remote: bool,
    pub name: Arc<str>,
    pub kind: SpanKind,
    pub from: Timestamp,
    pub until: Timestamp,
    /// Why, where it did not succeed.
    pub failed: Option<String>,
    /// Texts, integers and truth values.
    pub attributes: Vec<(&'static str, Value)>,
    pub events: Vec<SpanEvent>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SpanKind {
    Execution,
    /// A state that asks somebody outside.
    Task,
    State,
}

/// Something that happened within a span.
#[derive(Clone, PartialEq, Debug)]
pub struct SpanEvent {
    pub at: Timestamp,
    pub name: &'static str,
    pub attributes: Vec<(&'static str, Value)>,
}

/// An AWS exception as an API call answers it.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    /// `StateMachineDoesNotExist`.
    pub code: String,
    pub message: String,
    pub status: u16,
}

/// The Step Functions API of this installation, for tasks that call it (`states:startExecution`, `aws-sdk:sfn:*`).
#[async_trait]
pub trait Api: Send + Sync {
    /// One operation (`StartExecution`) with parameters and an answer in the API's own names.
    async fn call(&self, account: &str, operation: &str, parameters: Value) -> Result<Value, ApiError>;
}
