//! What a call that failed is called in a state machine: error name and cause, in the words of the SDK that AWS uses.

use aws::codec::Wrong;
use aws::{CallError, CodecError, ServiceError};

use crate::names;
use crate::plan::Plan;
use crate::table::Voice;

pub(crate) const RUNTIME: &str = "States.Runtime";
pub(crate) const TASK_FAILED: &str = "States.TaskFailed";
const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";

/// The exception of both SDKs for everything that happened before a service answered.
const CLIENT: &str = "SdkClientException";

/// A task's failure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub error: String,
    pub cause: Option<String>,
}

impl Failure {
    pub fn new(error: impl Into<String>, cause: impl Into<String>) -> Failure {
        Failure { error: error.into(), cause: Some(cause.into()) }
    }

    /// Of a call that has no result. `parameters` are as history shows them.
    pub fn of_call(plan: &Plan, parameters: &str, error: &CallError) -> Failure {
        match error {
            CallError::Service { error, http, .. } => {
                let extended = http.headers.get("x-amz-id-2").and_then(|id| id.to_str().ok());
                of_service(plan, error, extended)
            }
            CallError::Params(error) => of_parameters(parameters, &field_mistake(error)),
            error => between(&plan.prefix(), &plan.subject, error),
        }
    }
}

/// Of whatever came between us and the service. `subject` is what AWS calls the task.
pub(crate) fn between(prefix: &str, subject: &str, error: &CallError) -> Failure {
    match error {
        CallError::TooLarge => Failure::new(
            DATA_LIMIT_EXCEEDED,
            format!(
                "The state/task '{subject}' returned a result with a size exceeding the maximum number of bytes service limit."
            ),
        ),
        CallError::Role { reason, .. } => Failure::new(TASK_FAILED, reason.clone()),
        CallError::Answer(error) => client(prefix, format!("Unable to unmarshall response ({error})")),
        other => client(prefix, other.to_string()),
    }
}

pub(crate) fn client(prefix: &str, cause: String) -> Failure {
    Failure::new(format!("{prefix}.{CLIENT}"), cause)
}

/// Parameters with which nothing can be called: a mistake of the definition, which a retry would repeat.
pub(crate) fn of_parameters(parameters: &str, mistake: &str) -> Failure {
    Failure::new(RUNTIME, format!("The Parameters '{parameters}' could not be used to start the Task: [{mistake}]"))
}

fn of_service(plan: &Plan, error: &ServiceError, extended_request_id: Option<&str>) -> Failure {
    let prefix = plan.prefix();
    let request_id = error.request_id.as_deref().unwrap_or("null");
    let status = error.status;
    let (name, message, details) = match plan.row.voice {
        Voice::One { service, base, .. } => {
            let name = error.exception.as_deref().map_or_else(|| base.to_owned(), names::plain_exception);
            // Where a service has moved on from the query protocol, version 1 still tells the code of those days.
            let code = error.query_code.as_deref().unwrap_or(&error.code);
            let details = format!(
                "(Service: {service}; Status Code: {status}; Error Code: {code}; Request ID: {request_id}; Proxy: null)"
            );
            (name, Some(error.message.as_deref().unwrap_or("null")), details)
        }
        Voice::Two => {
            let name = error.exception.as_deref().map_or_else(|| format!("{prefix}Exception"), names::exception);
            let extended = extended_request_id.map(|id| format!(", Extended Request ID: {id}")).unwrap_or_default();
            let details = format!("(Service: {prefix}, Status Code: {status}, Request ID: {request_id}{extended})");
            (name, error.message.as_deref(), details)
        }
    };
    let cause = message.map_or_else(|| details.clone(), |message| format!("{message} {details}"));
    Failure::new(format!("{prefix}.{name}"), cause)
}

pub(crate) fn field_mistake(error: &CodecError) -> String {
    let field = error.field();
    match &error.wrong {
        Wrong::UnknownMember => format!("The field \"{field}\" is not supported by Step Functions"),
        Wrong::MustBe(kind) => format!("The value for the field '{field}' must be a {kind}"),
        Wrong::Missing => format!("The field '{field}' is required but was missing"),
        _ => error.to_string(),
    }
}
