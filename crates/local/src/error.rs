//! What a service says when it refuses a call. The code is the name of the error's shape in the service model; the wire
//! (`wire.rs`) turns it into the protocol's words. Nothing here is shown to a user without a text that AWS would give,
//! except where the laptop service itself is the reason.

use serde_json::{Map, Value};

/// A refused call: AWS's error shape, its text, and whose fault it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// The code as AWS's protocol of the service shows it, for example `QueueDoesNotExist` or `NotFound`.
    pub code: String,
    /// The text AWS gives.
    pub message: String,
    /// The HTTP status of the answer.
    pub http_status: u16,
    /// True when the caller has to change something.
    pub sender_fault: bool,
    /// What else the error's shape says, under the names of the wire.
    pub members: Box<Map<String, Value>>,
}

impl ServiceError {
    /// The caller's fault.
    pub fn sender(code: &str, http_status: u16, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            http_status,
            sender_fault: true,
            members: Box::default(),
        }
    }

    /// The same error with one more member of its shape.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The service's fault: what went wrong is logged, the caller learns only that it may try again.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a laptop service failed");
        Self {
            code: "InternalFailure".to_owned(),
            message: "We encountered an internal error. Please try again.".to_owned(),
            http_status: 500,
            sender_fault: false,
            members: Box::default(),
        }
    }

    /// An operation of the service that this stand-in does not have.
    pub fn unsupported(service: &str, operation: &str) -> Self {
        Self::sender("UnsupportedOperation", 400, format!("The laptop's {service} does not have {operation}."))
    }
}

impl From<rusqlite::Error> for ServiceError {
    fn from(error: rusqlite::Error) -> Self {
        Self::internal(error)
    }
}

/// What every operation answers.
pub type Answer<T = serde_json::Value> = Result<T, ServiceError>;
