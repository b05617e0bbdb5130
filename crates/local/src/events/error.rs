//! EventBridge's errors, with AWS's texts.

use crate::error::ServiceError;

pub(super) fn validation(message: impl Into<String>) -> ServiceError {
    ServiceError::sender("ValidationException", 400, message)
}

pub(super) fn not_found(message: impl Into<String>) -> ServiceError {
    ServiceError::sender("ResourceNotFoundException", 400, message)
}

pub(super) fn no_bus(name: &str) -> ServiceError {
    not_found(format!("Event bus {name} does not exist."))
}

pub(super) fn no_rule(name: &str, bus: &str) -> ServiceError {
    not_found(format!("Rule {name} does not exist on EventBus {bus}."))
}

pub(super) fn bad_pattern(reason: &str) -> ServiceError {
    ServiceError::sender("InvalidEventPatternException", 400, format!("Event pattern is not valid. Reason: {reason}"))
}

/// A constraint of the model that a value breaks.
pub(super) fn constraint(value: &str, member: &str, constraint: &str) -> ServiceError {
    validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    ))
}
