//! Batch has one error for callers. The texts name what has to change.

use crate::error::ServiceError;

pub(super) fn client(message: impl Into<String>) -> ServiceError {
    ServiceError::sender("ClientException", 400, message)
}

/// Something AWS has and this stand-in has not.
pub(super) fn not_here(what: &str) -> ServiceError {
    client(format!("{what} is not supported by the laptop's Batch."))
}
