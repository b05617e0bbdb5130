//! The way to state machines, which are not this crate's: whoever puts the house together says how one is started.

use std::future::Future;
use std::pin::Pin;

/// Starts executions.
pub trait Machines: Send + Sync {
    /// Start an execution of a state machine (or of a version or alias of it), unless one of this name and input has been
    /// started before.
    fn start<'a>(&'a self, machine: &'a str, name: &'a str, input: &'a str) -> Starting<'a>;
}

/// What becomes of it.
pub type Starting<'a> = Pin<Box<dyn Future<Output = Result<(), NotStarted>> + Send + 'a>>;

/// An execution was not started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct NotStarted {
    /// The exception of the Step Functions API.
    pub code: String,
    pub message: String,
    /// Whether it may be started later.
    pub again: bool,
}
