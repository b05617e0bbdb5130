//! SQS's errors: the shapes of the model, their older names of the query protocol (which SDKs still show, through the
//! `x-amzn-query-error` header), and the texts that several operations share.

use crate::error::ServiceError;

/// Shape, name in the query protocol, HTTP status. Shapes that are not listed have one name and status 400.
const NAMES: &[(&str, &str, u16)] = &[
    ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", 400),
    ("QueueNameExists", "QueueAlreadyExists", 400),
    ("PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress", 403),
    ("BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", 400),
    ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong", 400),
    ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", 400),
    ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", 400),
    ("TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest", 400),
    ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", 400),
    ("OverLimit", "OverLimit", 403),
    ("InvalidParameterValueException", "InvalidParameterValue", 400),
    ("MissingRequiredParameterException", "MissingParameter", 400),
];

/// The error's name in the query protocol, which `x-amzn-query-error` carries.
pub fn query_code(shape: &str) -> &str {
    NAMES.iter().find(|(name, ..)| *name == shape).map_or(shape, |(_, query, _)| query)
}

/// The name with its namespace, as the JSON protocol's `__type` shows it.
pub fn qualified(shape: &str) -> String {
    let namespace = match shape {
        "InvalidParameterValueException" | "MissingRequiredParameterException" | "InternalFailure" => {
            "com.amazon.coral.service"
        }
        _ => "com.amazonaws.sqs",
    };
    format!("{namespace}#{shape}")
}

pub(super) fn error(shape: &str, message: impl Into<String>) -> ServiceError {
    let status = NAMES.iter().find(|(name, ..)| *name == shape).map_or(400, |(.., status)| *status);
    ServiceError::sender(shape, status, message)
}

pub(super) fn invalid(message: impl Into<String>) -> ServiceError {
    error("InvalidParameterValueException", message)
}

pub(super) fn invalid_value(value: impl std::fmt::Display, parameter: &str, reason: &str) -> ServiceError {
    invalid(format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}"))
}

pub(super) fn missing(parameter: &str) -> ServiceError {
    error("MissingRequiredParameterException", format!("The request must contain the parameter {parameter}."))
}

pub(super) fn no_queue() -> ServiceError {
    error("QueueDoesNotExist", "The specified queue does not exist.")
}
