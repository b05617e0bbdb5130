//! What a caller is told went wrong: AWS's exceptions, their codes and texts. Nothing else words an error.
//!
//! Recorded answers of AWS are followed to the letter; where none is known, the text follows its neighbours.

use engine::Unwell;
use engine::port::ApiError;

/// An exception of the API.
#[derive(Clone, PartialEq, Debug)]
pub struct Exception {
    pub code: &'static str,
    pub message: String,
    pub status: u16,
    /// What a ValidationException says beside its message, for programs.
    pub reason: Option<&'static str>,
}

impl Exception {
    /// The caller's mistake.
    pub fn new(code: &'static str, message: impl Into<String>) -> Exception {
        Exception::refused(400, code, message)
    }

    /// Not looked into at all.
    pub fn refused(status: u16, code: &'static str, message: impl Into<String>) -> Exception {
        Exception { code, message: message.into(), status, reason: None }
    }

    pub fn because(self, reason: &'static str) -> Exception {
        Exception { reason: Some(reason), ..self }
    }

    pub fn validation(message: impl Into<String>) -> Exception {
        Exception::new("ValidationException", message)
    }

    pub fn serialization(message: &str) -> Exception {
        Exception::new("SerializationException", message)
    }

    pub fn unknown_operation(message: impl Into<String>) -> Exception {
        Exception::new("UnknownOperationException", message)
    }

    pub fn invalid_arn(reason: impl std::fmt::Display) -> Exception {
        Exception::new("InvalidArn", format!("Invalid Arn: '{reason}'"))
    }

    pub fn invalid_token() -> Exception {
        Exception::new("InvalidToken", "Invalid Token: 'Invalid token'")
    }

    /// `reason` is Jackson's.
    pub fn invalid_input(reason: &str) -> Exception {
        Exception::new("InvalidExecutionInput", format!("Invalid State Machine Execution Input: '{reason}'"))
    }

    /// `reason` is Jackson's.
    pub fn invalid_output(reason: &str) -> Exception {
        Exception::new("InvalidOutput", format!("Invalid Output: '{reason}'"))
    }

    pub fn type_not_supported() -> Exception {
        const MESSAGE: &str = "This operation is not supported by this type of state machine";
        Exception::new("StateMachineTypeNotSupported", MESSAGE)
    }

    /// What operations on tags say of a resource that is not there.
    pub fn resource_not_found(arn: &str) -> Exception {
        Exception::new("ResourceNotFound", format!("Resource not found: '{arn}'"))
    }

    /// The server's disk, not the caller. SDKs try again.
    fn unwell(how: Unwell) -> Exception {
        const FULL: &str = "The server's disk is full; it goes on when there is room again";
        const DAMAGED: &str = "What the server has stored of this is damaged; its log says what";
        match how {
            Unwell::Full => Exception::refused(503, "ServiceUnavailable", FULL),
            Unwell::Damaged => Exception::refused(500, "InternalServerError", DAMAGED),
            Unwell::Unavailable => Exception::refused(503, "ServiceUnavailable", "The store is unavailable"),
        }
    }

    pub fn internal(reason: impl std::fmt::Display) -> Exception {
        tracing::error!(%reason, "a request ended in an internal error");
        Exception::refused(500, "InternalServerError", "The server's log has the reason.")
    }
}

impl From<engine::Error> for Exception {
    fn from(error: engine::Error) -> Exception {
        use engine::Error as E;
        if let Some(unwell) = error.unwell() {
            tracing::error!(%error, "a request met a store that is unwell");
            return Exception::unwell(unwell);
        }
        match error {
            E::InvalidArn(reason) => Exception::invalid_arn(reason),
            E::NoTestCase(reason) => Exception::new("InvalidName", reason),
            E::InvalidName(name) => Exception::new("InvalidName", format!("Invalid Name: '{name}'")),
            E::InvalidDefinition(diagnostics) => {
                Exception::new("InvalidDefinition", asl::invalid_definition_message(&diagnostics))
            }
            E::Unsupported(reason) => {
                Exception::new("UnsupportedOperationException", format!("This version cannot run it: {reason}"))
            }
            E::InvalidExecutionInput(reason) => Exception::invalid_input(&reason),
            E::InvalidOutput(reason) => Exception::invalid_output(&reason),
            E::InvalidToken => Exception::invalid_token(),
            E::TaskTimedOut => Exception::new("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'"),
            E::TaskDoesNotExist => {
                Exception::new("TaskDoesNotExist", "Task does not exist: 'Provided task does not exist'")
            }
            E::StateMachineDoesNotExist(arn) => {
                Exception::new("StateMachineDoesNotExist", format!("State Machine Does Not Exist: '{arn}'"))
            }
            E::StateMachineAlreadyExists(arn) => {
                Exception::new("StateMachineAlreadyExists", format!("State Machine Already Exists: '{arn}'"))
            }
            E::StateMachineDeleting(arn) => {
                Exception::new("StateMachineDeleting", format!("State Machine is being deleted: '{arn}'"))
            }
            E::ExecutionDoesNotExist(arn) => {
                Exception::new("ExecutionDoesNotExist", format!("Execution Does Not Exist: '{arn}'"))
            }
            E::ExecutionAlreadyExists(arn) => {
                Exception::new("ExecutionAlreadyExists", format!("Execution Already Exists: '{arn}'"))
            }
            E::InvalidTest(told) => Exception::validation(told),
            E::ExecutionNotRedrivable(reason) => Exception::new("ExecutionNotRedrivable", reason),
            E::ExecutionLimitExceeded => {
                Exception::new("ExecutionLimitExceeded", "Too many executions wait to be started; try again")
            }
            E::ActivityDoesNotExist(arn) => {
                Exception::new("ActivityDoesNotExist", format!("Activity Does Not Exist: '{arn}'"))
            }
            E::ActivityWorkerLimitExceeded(arn) => {
                Exception::new("ActivityWorkerLimitExceeded", format!("Activity Worker Limit Exceeded: '{arn}'"))
            }
            E::StateMachineTypeNotSupported => Exception::type_not_supported(),
            E::Throttled => Exception::new("ThrottlingException", "Rate exceeded"),
            // Told above.
            E::Unavailable(reason) => Exception::internal(reason),
            E::QualifiedArn(arn) => Exception::validation(format!(
                "This operation does not support the ARN of a version or an alias: '{arn}'"
            )),
            E::ResourceNotFound(arn) => Exception::resource_not_found(&arn),
            E::StateMachineLimitExceeded(limit) => Exception::new(
                "StateMachineLimitExceeded",
                format!("The maximum number of state machines has been reached: {limit}"),
            ),
            E::ActivityLimitExceeded(limit) => Exception::new(
                "ActivityLimitExceeded",
                format!("The maximum number of activities has been reached: {limit}"),
            ),
            E::Conflict(message) => Exception::new("ConflictException", message),
            E::ServiceQuotaExceeded(message) => Exception::new("ServiceQuotaExceededException", message),
            E::Internal(reason) => Exception::internal(reason),
        }
    }
}

impl From<Exception> for ApiError {
    fn from(exception: Exception) -> ApiError {
        let Exception { code, message, status, .. } = exception;
        ApiError { code: code.into(), message, status }
    }
}
