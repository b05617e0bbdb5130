//! DynamoDB's errors, with AWS's texts.

use crate::error::ServiceError;

pub(super) fn invalid(message: impl Into<String>) -> ServiceError {
    ServiceError::sender("ValidationException", 400, message)
}

/// A value that does not fit the table or the request.
pub(super) fn bad_value(message: impl std::fmt::Display) -> ServiceError {
    invalid(format!("One or more parameter values were invalid: {message}"))
}

/// A table that is not there, as reading and writing say it.
pub(super) fn no_resource() -> ServiceError {
    ServiceError::sender("ResourceNotFoundException", 400, "Requested resource not found")
}

/// A table that is not there, as its description says it.
pub(super) fn no_table(name: &str) -> ServiceError {
    ServiceError::sender(
        "ResourceNotFoundException",
        400,
        format!("Requested resource not found: Table: {name} not found"),
    )
}

pub(super) fn condition_failed() -> ServiceError {
    ServiceError::sender("ConditionalCheckFailedException", 400, "The conditional request failed")
}

/// Something AWS has and this stand-in has not.
pub(super) fn not_here(what: &str) -> ServiceError {
    invalid(format!("The laptop's DynamoDB does not have {what}."))
}
