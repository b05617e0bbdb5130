//! Parameters, from what the state evaluated to what is sent.

use engine::port::TaskRequest;
use serde_json::{Map, Value, json};

use crate::failure::{Failure, of_parameters};
use crate::plan::Plan;
use crate::table::{Prepare, Shape};

/// How AWS marks the containers that a `.sync` task started; rules of EventBridge and cost reports look for it.
const MANAGED: (&str, &str) = ("MANAGED_BY_AWS", "STARTED_BY_STEP_FUNCTIONS");

pub(crate) const NO_OBJECT: &str = "Parameters must be a JSON object";

/// How a job is recognised after a crash: the idempotency key of the task that submitted it.
pub(crate) const MARK: &str = "STEPWELL_TASK";

/// Overrides beside which Batch does not take those of a container.
const OTHER_OVERRIDES: [&str; 3] = ["EcsPropertiesOverride", "EksPropertiesOverride", "NodeOverrides"];

pub(crate) fn parameters(plan: &Plan, request: &TaskRequest) -> Result<Map<String, Value>, Failure> {
    if plan.row.result == Shape::Payload {
        let payload = Value::from(&**request.parameters.text());
        return Ok(Map::from_iter([
            ("FunctionName".to_owned(), Value::from(&*request.resource.text)),
            ("Payload".to_owned(), payload),
        ]));
    }
    let Value::Object(mut parameters) = request.parameters.value().clone() else {
        return Err(of_parameters(request.parameters.text(), NO_OBJECT));
    };
    for step in plan.row.prepare {
        match step {
            Prepare::Text(name) => text(&mut parameters, name),
            Prepare::Key(name) => {
                if parameters.get(*name).is_none_or(Value::is_null) {
                    parameters.insert((*name).to_owned(), Value::from(request.idempotency_key.as_str()));
                }
            }
            Prepare::MarkContainer => mark(&mut parameters, &request.idempotency_key),
            Prepare::Origin(name) => originate(&mut parameters, name, &request.execution_arn),
        }
    }
    Ok(parameters)
}

/// Text stays as it is: it is JSON already, or the service says that it is not.
fn text(parameters: &mut Map<String, Value>, name: &str) {
    match parameters.get_mut(name) {
        Some(Value::String(_) | Value::Null) | None => {}
        Some(value) => *value = Value::from(value.to_string()),
    }
}

/// What is not of the expected type stays for the codec to refuse.
fn mark(parameters: &mut Map<String, Value>, key: &str) {
    if OTHER_OVERRIDES.iter().any(|name| parameters.get(*name).is_some_and(|given| !given.is_null())) {
        return;
    }
    let overrides = parameters.entry("ContainerOverrides").or_insert(Value::Null);
    if overrides.is_null() {
        *overrides = json!({});
    }
    let Value::Object(overrides) = overrides else { return };
    let environment = overrides.entry("Environment").or_insert(Value::Null);
    if environment.is_null() {
        *environment = json!([]);
    }
    let Value::Array(environment) = environment else { return };
    for (name, value) in [MANAGED, (MARK, key)] {
        environment.push(json!({"Name": name, "Value": value}));
    }
}

/// As recorded: the state machine first. What is not of the expected type stays for the codec to refuse.
fn originate(parameters: &mut Map<String, Value>, name: &str, execution: &str) {
    let machine = execution.replacen(":execution:", ":stateMachine:", 1);
    let machine = machine.rsplit_once(':').map_or(machine.as_str(), |(machine, _)| machine);
    let Some(Value::Array(entries)) = parameters.get_mut(name) else { return };
    for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
        let resources = entry.entry("Resources").or_insert(Value::Null);
        if resources.is_null() {
            *resources = json!([]);
        }
        let Value::Array(resources) = resources else { continue };
        resources.extend([Value::from(machine), Value::from(execution)]);
    }
}

/// Whether a job that is described carries the mark of a task.
pub(crate) fn is_marked(job: &Value, key: &str) -> bool {
    let environment = job.pointer("/Container/Environment").and_then(Value::as_array);
    environment.is_some_and(|environment| environment.iter().any(|set| set["Name"] == MARK && set["Value"] == key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_are_marked_beside_what_they_bring() {
        let marked = |mut parameters: Value| {
            mark(parameters.as_object_mut().unwrap(), "k1");
            parameters.to_string()
        };
        assert_eq!(
            marked(json!({"ContainerOverrides": {"Environment": [{"Name": "A", "Value": "1"}], "Memory": 5}})),
            r#"{"ContainerOverrides":{"Environment":[{"Name":"A","Value":"1"},{"Name":"MANAGED_BY_AWS","Value":"STARTED_BY_STEP_FUNCTIONS"},{"Name":"STEPWELL_TASK","Value":"k1"}],"Memory":5}}"#
        );
        assert_eq!(marked(json!({"NodeOverrides": {}})), r#"{"NodeOverrides":{}}"#);
        assert_eq!(marked(json!({"ContainerOverrides": "x"})), r#"{"ContainerOverrides":"x"}"#);
        let job = json!({"Container": {"Environment": [{"Name": "STEPWELL_TASK", "Value": "k1"}]}});
        assert!(is_marked(&job, "k1") && !is_marked(&job, "k2") && !is_marked(&json!({}), "k1"));
    }

    #[test]
    fn events_tell_where_they_are_from() {
        let mut parameters = json!({"Entries": [{"Source": "s"}, {"Resources": ["r"]}, 7]});
        originate(parameters.as_object_mut().unwrap(), "Entries", "arn:aws:states:r:0:execution:m:e");
        assert_eq!(
            parameters.to_string(),
            r#"{"Entries":[{"Source":"s","Resources":["arn:aws:states:r:0:stateMachine:m","arn:aws:states:r:0:execution:m:e"]},{"Resources":["r","arn:aws:states:r:0:stateMachine:m","arn:aws:states:r:0:execution:m:e"]},7]}"#
        );
    }

    #[test]
    fn json_becomes_text_and_text_stays() {
        for (input, sent) in [
            (json!({"a": [1, 2.0]}), json!(r#"{"a":[1,2.0]}"#)),
            (json!("\"given\""), json!("\"given\"")),
            (json!(7), json!("7")),
            (json!(null), json!(null)),
        ] {
            let mut parameters = Map::from_iter([("Input".to_owned(), input)]);
            text(&mut parameters, "Input");
            assert_eq!(parameters["Input"], sent);
        }
    }
}
