//! SNS's errors and the texts that several operations share. The query protocol shows codes, not the model's shapes.

use crate::error::ServiceError;

pub(super) fn invalid(what: impl std::fmt::Display) -> ServiceError {
    ServiceError::sender("InvalidParameter", 400, format!("Invalid parameter: {what}"))
}

/// A message attribute that is not as it has to be.
pub(super) fn bad_attribute(message: impl Into<String>) -> ServiceError {
    ServiceError::sender("ParameterValueInvalid", 400, message)
}

pub(super) fn no_topic() -> ServiceError {
    ServiceError::sender("NotFound", 404, "Topic does not exist")
}

pub(super) fn no_subscription() -> ServiceError {
    ServiceError::sender("NotFound", 404, "Subscription does not exist")
}

pub(super) fn no_resource() -> ServiceError {
    ServiceError::sender("ResourceNotFound", 404, "Resource does not exist")
}

/// Refuse what cannot be an ARN, in AWS's words.
pub(super) fn check_arn(parameter: &str, arn: &str) -> Result<(), ServiceError> {
    let parts = arn.split(':').count();
    if parts >= 6 {
        Ok(())
    } else {
        Err(invalid(format!("{parameter} Reason: An ARN must have at least 6 elements, not {parts}")))
    }
}
