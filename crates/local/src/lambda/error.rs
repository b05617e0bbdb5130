//! Lambda's errors, with AWS's texts.

use super::pool::Busy;
use crate::error::ServiceError;

pub(super) fn invalid(message: &str) -> ServiceError {
    ServiceError::sender("InvalidParameterValueException", 400, message)
}

pub(super) fn no_function(arn: &str) -> ServiceError {
    ServiceError::sender("ResourceNotFoundException", 404, format!("Function not found: {arn}"))
}

pub(super) fn not_json(error: serde_json::Error) -> ServiceError {
    ServiceError::sender(
        "InvalidRequestContentException",
        400,
        format!("Could not parse request body into json: Could not parse payload into json: {error}"),
    )
}

pub(super) fn too_large(bytes: usize, kind: &str, limit: usize) -> ServiceError {
    ServiceError::sender(
        "RequestTooLargeException",
        413,
        format!("{bytes} byte payload is too large for the {kind} invocation type (limit {limit} bytes)"),
    )
}

pub(super) fn busy(busy: Busy) -> ServiceError {
    let reason = match busy {
        Busy::Reserved => "ReservedFunctionConcurrentInvocationLimitExceeded",
        Busy::Waited => "ConcurrentInvocationLimitExceeded",
    };
    ServiceError::sender("TooManyRequestsException", 429, "Rate Exceeded.").with("Reason", reason)
}

pub(super) fn not_here(operation: &str) -> ServiceError {
    invalid(&format!(
        "The laptop's Lambda does not have {operation}. Functions are folders: start the server with --function \
         NAME=FOLDER, or name them in the settings under [functions.NAME]."
    ))
}
