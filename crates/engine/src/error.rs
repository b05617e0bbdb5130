//! What an engine's caller can be told went wrong: a closed list, which `server` turns into AWS's exceptions in one
//! file. Texts are AWS's where AWS has one; here are only the facts they are made of.

use asl::Diagnostic;

use crate::arn::ArnError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    InvalidArn(#[from] ArnError),
    #[error("invalid name: {0}")]
    InvalidName(String),
    /// The test case that the state machine's ARN names cannot be played; the text says what to do.
    #[error("{0}")]
    NoTestCase(String),
    #[error("the definition is wrong")]
    InvalidDefinition(Vec<Diagnostic>),
    /// In AWS's words.
    #[error("{0}")]
    InvalidTest(String),
    #[error("this version cannot run it: {0}")]
    Unsupported(String),
    #[error("invalid execution input: {0}")]
    InvalidExecutionInput(String),
    #[error("invalid output: {0}")]
    InvalidOutput(String),
    #[error("invalid token")]
    InvalidToken,
    #[error("the task does not wait any more")]
    TaskTimedOut,
    #[error("the task's execution is gone")]
    TaskDoesNotExist,
    #[error("no state machine {0}")]
    StateMachineDoesNotExist(String),
    #[error("the state machine {0} exists with other properties")]
    StateMachineAlreadyExists(String),
    #[error("the state machine {0} is being deleted")]
    StateMachineDeleting(String),
    #[error("no execution {0}")]
    ExecutionDoesNotExist(String),
    #[error("the execution {0} exists")]
    ExecutionAlreadyExists(String),
    /// Why, in AWS's words.
    #[error("{0}")]
    ExecutionNotRedrivable(String),
    #[error("too many executions wait to be started")]
    ExecutionLimitExceeded,
    #[error("no activity {0}")]
    ActivityDoesNotExist(String),
    #[error("too many workers wait for {0}")]
    ActivityWorkerLimitExceeded(String),
    #[error("not for this type of state machine")]
    StateMachineTypeNotSupported,
    /// Too much waits to be done already; the caller may try again.
    #[error("too much waits already")]
    Throttled,
    /// The ARN of a version or alias where a state machine's own is meant.
    #[error("{0} has a version or alias")]
    QualifiedArn(String),
    #[error("there are {0} state machines already")]
    StateMachineLimitExceeded(usize),
    #[error("there are {0} activities already")]
    ActivityLimitExceeded(usize),
    #[error("no resource {0}")]
    ResourceNotFound(String),
    /// The text is AWS's.
    #[error("{0}")]
    Conflict(String),
    /// The text is AWS's.
    #[error("{0}")]
    ServiceQuotaExceeded(String),
    /// The world is unwell; the caller may try again.
    #[error("the store is unavailable: {0}")]
    Unavailable(#[from] store::Error),
    /// Something that must not be: its reason is in the server's log too.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What is wrong with the store, as far as it makes a difference to a caller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unwell {
    /// It goes on when there is room.
    Full,
    /// Something that was asked for is not what was written; asking again does not help.
    Damaged,
    Unavailable,
}

impl Error {
    /// Whether the store is to blame, and how.
    pub fn unwell(&self) -> Option<Unwell> {
        match self {
            Error::Unavailable(store::Error::Full(_)) => Some(Unwell::Full),
            Error::Unavailable(store::Error::Corrupt(_)) => Some(Unwell::Damaged),
            Error::Unavailable(_) => Some(Unwell::Unavailable),
            _ => None,
        }
    }

    /// The same for one more of those who hear of it.
    pub(crate) fn again(&self) -> Error {
        match self {
            Error::Unavailable(error) => Error::Unavailable(error.clone()),
            error => Error::Internal(error.to_string()),
        }
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
