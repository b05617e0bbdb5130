//! From a service's answer to a task's result.
//!
//! The SDK of version 1 shows its own notes beside the answer (`SdkHttpMetadata`, `SdkResponseMetadata`), writes times
//! as milliseconds and names in alphabetical order; version 2 shows the answer as it is. Source: recorded answers.

use std::collections::BTreeMap;

use aws::client::Http;
use aws::model::{Kind, Ref};
use aws::{Answer, Operation, Service};
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::plan::Plan;
use crate::table::Shape;

/// The bus took some of the events, and not all.
const FAILED_ENTRY: &str = "EventBridge.FailedEntry";

/// Where AWS has no name for an error of a function.
const UNKNOWN: &str = "Lambda.Unknown";

/// The result of a call, or the failure that its answer tells.
pub(crate) fn result(plan: &Plan, answer: Answer) -> Result<Value, Failure> {
    match plan.row.result {
        Shape::Plain => Ok(answer.value),
        Shape::WithMetadata => Ok(with_metadata(&plan.service, plan.operation(), answer)),
        Shape::Entries => match answer.value.get("FailedEntryCount").and_then(Value::as_u64) {
            None | Some(0) => Ok(with_metadata(&plan.service, plan.operation(), answer)),
            Some(_) => {
                let mut told = answer.value;
                if let Value::Object(told) = &mut told {
                    told.sort_keys();
                }
                Err(Failure::new(FAILED_ENTRY, told.to_string()))
            }
        },
        Shape::Invocation | Shape::Payload => invocation(plan, answer),
    }
}

fn invocation(plan: &Plan, mut answer: Answer) -> Result<Value, Failure> {
    let text = match answer.value.get("Payload") {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    if answer.value.get("FunctionError").is_some_and(|error| !error.is_null()) {
        return Err(of_function(text));
    }
    // What is not JSON stays the text it is: an asynchronous invocation has an empty one.
    let payload = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if plan.row.result == Shape::Payload {
        return Ok(payload);
    }
    answer.value["Payload"] = payload;
    Ok(with_metadata(&plan.service, plan.operation(), answer))
}

/// The function's own error; its whole payload is the cause.
fn of_function(payload: String) -> Failure {
    let parsed: Value = serde_json::from_str(&payload).unwrap_or_default();
    match parsed.get("errorType").and_then(Value::as_str) {
        Some(kind) => Failure::new(kind, payload),
        None => Failure::new(
            UNKNOWN,
            format!(
                "The cause could not be determined because Lambda did not return an error type. Returned payload: {payload}"
            ),
        ),
    }
}

fn with_metadata(service: &Service, operation: &Operation, answer: Answer) -> Value {
    let Answer { value, http, request_id, .. } = answer;
    let mut value = match &operation.output {
        Some(output) => version_one(service, output, value),
        None => value,
    };
    if let Value::Object(members) = &mut value {
        members.insert("SdkHttpMetadata".into(), http_metadata(&http));
        members.insert("SdkResponseMetadata".into(), json!({"RequestId": request_id}));
        members.sort_keys();
    }
    value
}

fn http_metadata(http: &Http) -> Value {
    let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in &http.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        all.entry(Http::spelled(name.as_str())).or_default().push(value);
    }
    let last: Map<String, Value> =
        all.iter().map(|(name, values)| ((*name).to_owned(), Value::from(values.join(",")))).collect();
    json!({"AllHttpHeaders": all, "HttpHeaders": last, "HttpStatusCode": http.status})
}

/// An answer as version 1 shows it: members of structures sorted, times in milliseconds; the user's own maps stay.
pub(crate) fn version_one(service: &Service, reference: &Ref, value: Value) -> Value {
    match (&service.shape(reference.shape).kind, value) {
        (Kind::Structure(structure), Value::Object(members)) => {
            let shaped = members.into_iter().map(|(name, value)| {
                let member = structure.members.iter().find(|member| member.pascal == name);
                let value = match member {
                    Some(member) => version_one(service, &member.target, value),
                    None => value,
                };
                (name, value)
            });
            let mut members: Map<String, Value> = shaped.collect();
            members.sort_keys();
            Value::Object(members)
        }
        (Kind::List { element, .. }, Value::Array(items)) => {
            items.into_iter().map(|item| version_one(service, element, item)).collect()
        }
        (Kind::Map { value: shape, .. }, Value::Object(entries)) => {
            entries.into_iter().map(|(name, value)| (name, version_one(service, shape, value))).collect()
        }
        (Kind::Timestamp(_), Value::String(text)) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Value::from(time.as_millisecond()),
            Err(_) => Value::String(text),
        },
        (_, value) => value,
    }
}
