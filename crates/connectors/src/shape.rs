//! From a service's answer to a task's result.
//!
//! The SDK of version 1 shows its own notes beside the answer (`SdkHttpMetadata`, `SdkResponseMetadata`), writes times
//! as milliseconds and names in alphabetical order; version 2 shows the answer as it is. Source: recorded answers.

use std::collections::BTreeMap;

use asl::Pattern;
use aws::Answer;
use aws::client::Http;
use aws::model::{Kind, Ref};
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::plan::Plan;
use crate::table::Shape;

/// The bus took some of the events, and not all.
const FAILED_ENTRY: &str = "EventBridge.FailedEntry";

/// Where AWS has no name for an error of a function.
const UNKNOWN: &str = "Lambda.Unknown";

/// Where AWS has no name for why a task of ECS was not started.
const NOT_STARTED: &str = "AmazonECS.Unknown";

/// The result of a call, or the failure that its answer tells.
pub(crate) fn result(plan: &Plan, answer: Answer) -> Result<Value, Failure> {
    let value = &answer.value;
    match plan.row.result {
        Shape::Plain => Ok(answer.value),
        Shape::WithMetadata => Ok(with_metadata(plan, answer)),
        Shape::Entries if value["FailedEntryCount"].as_u64().is_some_and(|failed| failed > 0) => {
            let mut told = answer.value;
            if let Value::Object(told) = &mut told {
                told.sort_keys();
            }
            Err(Failure::new(FAILED_ENTRY, told.to_string()))
        }
        Shape::Tasks if plan.pattern != Pattern::RequestResponse && !are_started(value) => {
            Err(Failure::new(NOT_STARTED, with_metadata(plan, answer).to_string()))
        }
        Shape::Entries | Shape::Tasks => Ok(with_metadata(plan, answer)),
        Shape::Invocation | Shape::Payload => invocation(plan, answer),
    }
}

fn are_started(tasks: &Value) -> bool {
    let is_empty = |name: &str| tasks[name].as_array().is_none_or(Vec::is_empty);
    is_empty("Failures") && !is_empty("Tasks")
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
    Ok(with_metadata(plan, answer))
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

fn with_metadata(plan: &Plan, answer: Answer) -> Value {
    let Answer { value, http, request_id, .. } = answer;
    let mut value = match &plan.operation().output {
        Some(output) => version_one(plan, output, value),
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
pub(crate) fn version_one(plan: &Plan, reference: &Ref, value: Value) -> Value {
    match (&plan.service.shape(reference.shape).kind, value) {
        (Kind::Structure(structure), Value::Object(mut members)) => {
            let mut shown = Map::new();
            for member in &structure.members {
                match members.remove(&member.pascal) {
                    Some(value) => shown.insert(member.pascal.clone(), version_one(plan, &member.target, value)),
                    None if plan.row.lists.contains(&member.pascal.as_str()) => {
                        shown.insert(member.pascal.clone(), json!([]))
                    }
                    None => None,
                };
            }
            shown.extend(members);
            shown.sort_keys();
            Value::Object(shown)
        }
        (Kind::List { element, .. }, Value::Array(items)) => {
            items.into_iter().map(|item| version_one(plan, element, item)).collect()
        }
        (Kind::Map { value: shape, .. }, Value::Object(entries)) => {
            entries.into_iter().map(|(name, value)| (name, version_one(plan, shape, value))).collect()
        }
        (Kind::Timestamp(_), Value::String(text)) => match text.parse::<jiff::Timestamp>() {
            Ok(time) => Value::from(time.as_millisecond()),
            Err(_) => Value::String(text),
        },
        (_, value) => value,
    }
}
