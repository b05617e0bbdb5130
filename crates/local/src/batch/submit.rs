//! SubmitJob: a job is its definition, changed by what is submitted with it. Everything is decided here; the runner only
//! reads the result.

use serde_json::{Map, Value, json};

use super::error::{client, not_here};
use super::job::{self, Job};
use super::resources;
use super::retry::MOST_ATTEMPTS;
use crate::caller::Caller;
use crate::error::Answer;
use crate::params::{list, map, number, text};
use crate::store::Tx;

/// How many jobs a job may wait for.
const DEPENDENCY_LIMIT: usize = 20;
/// The longest name of a job.
const NAME_LIMIT: usize = 128;

pub fn submit(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let name = text(params, "jobName").unwrap_or_default();
    check_name(name)?;
    for unserved in ["arrayProperties", "nodeOverrides", "eksPropertiesOverride", "ecsPropertiesOverride"] {
        if params.get(unserved).is_some_and(|value| value.as_object().is_none_or(|members| !members.is_empty())) {
            return Err(not_here(unserved));
        }
    }
    let queue_name = text(params, "jobQueue").unwrap_or_default();
    let queue =
        resources::queue(tx, caller, queue_name)?.ok_or_else(|| client(format!("JobQueue {queue_name} not found.")))?;
    if queue.text("state") != "ENABLED" {
        return Err(client(format!("JobQueue {queue_name} is disabled, jobs cannot be submitted to it.")));
    }
    let definition_name = text(params, "jobDefinition").unwrap_or_default();
    let definition = resources::definition_of_job(tx, caller, definition_name)?
        .ok_or_else(|| client(format!("JobDefinition {definition_name} not found.")))?;
    let depends_on = dependencies(tx, params)?;
    let of_definition = Value::Object(definition.document.clone());

    let mut parameters: Map<String, Value> = clone_map(&of_definition, "parameters");
    parameters.extend(clone_map(params, "parameters"));
    let id = uuid::Uuid::new_v4().to_string();
    let mut detail = Map::new();
    let mut put = |name: &str, value: Value| {
        detail.insert(name.to_owned(), value);
    };
    put("jobArn", json!(format!("arn:aws:batch:{}:{}:job/{id}", caller.region, caller.account)));
    put("jobName", json!(name));
    put("jobId", json!(id));
    put("jobQueue", json!(queue.arn));
    put("status", json!(job::SUBMITTED));
    put("attempts", json!([]));
    put("createdAt", json!(tx.now));
    put("retryStrategy", retry_strategy(params, &of_definition)?);
    put("dependsOn", Value::from(depends_on));
    put("jobDefinition", json!(definition.arn));
    put("container", container(params, &of_definition, &parameters));
    put("parameters", Value::Object(parameters));
    if let Some(timeout) = timeout(params, &of_definition)? {
        put("timeout", timeout);
    }
    for (name, from) in [("shareIdentifier", params), ("schedulingPriorityOverride", params)] {
        if let Some(value) = from.get(name) {
            put(name.trim_end_matches("Override"), value.clone());
        }
    }
    let mut tags = clone_map(params, "tags");
    if of_definition.get("propagateTags").is_some_and(|on| on == true) {
        for (name, value) in map(&of_definition, "tags") {
            tags.entry(name.as_str()).or_insert_with(|| value.clone());
        }
    }
    put("tags", Value::Object(tags));
    put("platformCapabilities", of_definition.get("platformCapabilities").cloned().unwrap_or_else(|| json!(["EC2"])));

    let answer = json!({ "jobArn": detail["jobArn"], "jobName": name, "jobId": id });
    job::insert(tx, &Job::new(id, caller, queue.arn, name.to_owned(), detail, tx.now))?;
    tx.wake(super::BELL);
    Ok(answer)
}

fn check_name(name: &str) -> Answer<()> {
    let good = (1..=NAME_LIMIT).contains(&name.len())
        && name.starts_with(|char: char| char.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if good {
        return Ok(());
    }
    Err(client(
        "Job name should match valid pattern: it starts with a letter or number and has up to 128 letters, numbers, hyphens and underscores.",
    ))
}

fn dependencies(tx: &Tx<'_>, params: &Value) -> Answer<Vec<Value>> {
    let depends_on = list(params, "dependsOn");
    if depends_on.len() > DEPENDENCY_LIMIT {
        return Err(client(format!("A job can depend on at most {DEPENDENCY_LIMIT} jobs.")));
    }
    let mut checked = Vec::new();
    for dependency in depends_on {
        if let Some(kind) = text(dependency, "type").filter(|kind| !kind.is_empty()) {
            return Err(not_here(&format!("A dependency of type {kind} (array jobs)")));
        }
        let id = text(dependency, "jobId").unwrap_or_default();
        if job::find(tx, id)?.is_none() {
            return Err(client(format!("The job {id} that is depended on does not exist.")));
        }
        checked.push(json!({ "jobId": id }));
    }
    Ok(checked)
}

fn clone_map(from: &Value, name: &str) -> Map<String, Value> {
    map(from, name).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn retry_strategy(params: &Value, definition: &Value) -> Answer<Value> {
    let mut strategy = clone_map(definition, "retryStrategy");
    strategy.extend(clone_map(params, "retryStrategy"));
    strategy.entry("attempts").or_insert(json!(1));
    strategy.entry("evaluateOnExit").or_insert(json!([]));
    let strategy = Value::Object(strategy);
    let attempts = number(&strategy, "attempts").unwrap_or_default();
    if !(1..=MOST_ATTEMPTS).contains(&attempts) {
        return Err(client(format!("RetryStrategy attempts must be between 1 and {MOST_ATTEMPTS}.")));
    }
    Ok(strategy)
}

/// AWS asks for at least sixty seconds; a laptop may be told less, so that trying out takes no minute.
fn timeout(params: &Value, definition: &Value) -> Answer<Option<Value>> {
    let Some(timeout) = params.get("timeout").or_else(|| definition.get("timeout")) else {
        return Ok(None);
    };
    match number(timeout, "attemptDurationSeconds") {
        None => Ok(None),
        Some(seconds) if seconds >= 1 => Ok(Some(json!({ "attemptDurationSeconds": seconds }))),
        Some(_) => Err(client("Timeout attemptDurationSeconds must be positive.")),
    }
}

/// The container as DescribeJobs shows it.
fn container(params: &Value, definition: &Value, parameters: &Map<String, Value>) -> Value {
    let nothing = json!({});
    let overrides = params.get("containerOverrides").unwrap_or(&nothing);
    let mut container = clone_map(definition, "containerProperties");
    for name in ["vcpus", "memory", "instanceType"] {
        if let Some(value) = overrides.get(name) {
            container.insert(name.to_owned(), value.clone());
        }
    }
    let command = overrides.get("command").filter(|command| command.as_array().is_some_and(|words| !words.is_empty()));
    let command = command.or_else(|| container.get("command"));
    let command: Vec<Value> = command
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(|word| Value::from(filled(word, parameters)))
        .collect();
    container.insert("command".to_owned(), Value::from(command));
    for (name, key) in [("environment", "name"), ("resourceRequirements", "type")] {
        let merged = merged(container.get(name), overrides.get(name), key);
        container.insert(name.to_owned(), Value::from(merged));
    }
    for name in ["volumes", "mountPoints", "ulimits", "networkInterfaces", "secrets"] {
        container.entry(name).or_insert(json!([]));
    }
    Value::Object(container)
}

/// Two lists of named things; the second's replace the first's of the same name.
fn merged(first: Option<&Value>, second: Option<&Value>, key: &str) -> Vec<Value> {
    let items = |list: Option<&Value>| list.and_then(Value::as_array).cloned().unwrap_or_default();
    let mut merged = items(first);
    for item in items(second) {
        match merged.iter_mut().find(|known| known.get(key) == item.get(key)) {
            Some(known) => *known = item,
            None => merged.push(item),
        }
    }
    merged
}

/// Fill `Ref::name` with the parameter of this name. A name that nobody gave stays as it is, as AWS leaves it.
fn filled(word: &str, parameters: &Map<String, Value>) -> String {
    let mut filled = String::new();
    let mut rest = word;
    while let Some(at) = rest.find("Ref::") {
        let (before, reference) = rest.split_at(at);
        filled += before;
        let after = &reference["Ref::".len()..];
        let end =
            after.find(|char: char| !(char.is_ascii_alphanumeric() || "-_".contains(char))).unwrap_or(after.len());
        let (name, next) = after.split_at(end);
        match parameters.get(name).and_then(Value::as_str) {
            Some(value) => filled += value,
            None => filled += &reference[.."Ref::".len() + end],
        }
        rest = next;
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_fill_the_command() {
        let Value::Object(parameters) = json!({ "in": "a.txt", "codec": "mp4" }) else { panic!("an object") };
        for (word, filled_word) in [
            ("Ref::in", "a.txt"),
            ("--in=Ref::in,Ref::codec!", "--in=a.txt,mp4!"),
            ("Ref::other", "Ref::other"),
            ("Ref::", "Ref::"),
            ("plain", "plain"),
        ] {
            assert_eq!(filled(word, &parameters), filled_word);
        }
    }

    #[test]
    fn what_is_submitted_replaces_what_is_defined() {
        let definition = json!({ "containerProperties": {
            "image": "i", "command": ["a"], "memory": 128,
            "environment": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }],
        } });
        let params = json!({ "containerOverrides": { "memory": 256, "environment": [{ "name": "B", "value": "3" }] } });
        let container = container(&params, &definition, &Map::new());
        assert_eq!(container["command"], json!(["a"]));
        assert_eq!(container["memory"], json!(256));
        assert_eq!(container["environment"], json!([{ "name": "A", "value": "1" }, { "name": "B", "value": "3" }]));
    }
}
