//! The log in AWS's words: what `GetExecutionHistory` shows of each record.

use std::sync::Arc;

use asl::{Kind, Payload, Program, Resource, Target};
use serde_json::{Map, Value, json};

use crate::Failure;
use crate::record::{Body, EventId, Record, Scheduled, Stage};

/// What a reader wants to see.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    pub program: &'a Program,
    /// `includeExecutionData`: without it, inputs and outputs are left out.
    pub data: bool,
    /// Where the installation says it is: `TaskScheduled` shows it.
    pub region: &'a str,
}

/// A record that is an event, with its number.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    pub id: EventId,
    pub record: &'a Record,
    /// What the state that exits has set, which the hidden record before its own tells.
    assigned: &'a [(Arc<str>, Payload)],
}

/// The events among the records of a chunk, of which the first has this number.
pub fn events(records: &[Record], first: EventId) -> impl Iterator<Item = Event<'_>> {
    let before = |place: usize| place.checked_sub(1).map(|place| &records[place].body);
    let visible = records.iter().enumerate().filter(|(_, record)| record.body.is_event());
    visible.zip(first..).map(move |((place, record), id)| {
        let assigned = match before(place) {
            Some(Body::VariablesAssigned { variables }) => &variables[..],
            _ => &[],
        };
        Event { id, record, assigned }
    })
}

/// One history event.
pub fn shown(view: View, event: Event) -> Option<Value> {
    let Event { id, record, assigned } = event;
    let (kind, details) = describe(view, record, assigned)?;
    let mut event = Map::new();
    event.insert("timestamp".into(), seconds(record.at));
    event.insert("type".into(), kind.clone().into());
    event.insert("id".into(), id.into());
    event.insert("previousEventId".into(), record.previous.into());
    if let Some((name, details)) = details {
        event.insert(name.unwrap_or_else(|| details_name(&kind)), details.into());
    }
    Some(event.into())
}

/// The same as a line of the state machine's log: in snake_case, and every number a text (recorded).
pub fn log_event(view: View, event: Event, execution: &str) -> Option<Value> {
    let Event { id, record, assigned } = event;
    let (kind, details) = describe(view, record, assigned)?;
    let mut details = details.map(|(_, details)| details).unwrap_or_default();
    if !view.data {
        details.shift_remove("parameters");
    }
    Some(json!({
        "id": id.to_string(),
        "type": kind,
        "details": details,
        "previous_event_id": record.previous.to_string(),
        "event_timestamp": record.at.to_string(),
        "execution_arn": execution,
        "redrive_count": "0",
    }))
}

/// A time as the API writes it: seconds since 1970 with milliseconds.
pub fn seconds(at: i64) -> Value {
    json!(at as f64 / 1000.0)
}

type Details = Option<(Option<String>, Map<String, Value>)>;

/// `TaskFailed` → `taskFailedEventDetails`.
fn details_name(kind: &str) -> String {
    let mut name = kind.to_owned();
    name[..1].make_ascii_lowercase();
    name + "EventDetails"
}

fn describe(view: View, record: &Record, assigned: &[(Arc<str>, Payload)]) -> Option<(String, Details)> {
    let state = view.program.state(record.state);
    let of_state = |what: &str| format!("{}State{what}", state.kind.name());
    let own = |details: Map<String, Value>| Some((None, details));
    Some(match &record.body {
        Body::ExecutionStarted(started) => {
            let mut details = payload(view, "input", &started.input);
            put(&mut details, "roleArn", Some(&*started.role));
            put(&mut details, "stateMachineVersionArn", started.version.as_deref());
            put(&mut details, "stateMachineAliasArn", started.alias.as_deref());
            ("ExecutionStarted".into(), own(details))
        }
        Body::ExecutionSucceeded { output } => ("ExecutionSucceeded".into(), own(payload(view, "output", output))),
        Body::ExecutionFailed(failure) => ("ExecutionFailed".into(), own(of_failure(failure))),
        Body::ExecutionAborted(failure) => ("ExecutionAborted".into(), own(of_failure(failure))),
        Body::ExecutionTimedOut(failure) => ("ExecutionTimedOut".into(), own(of_failure(failure))),
        Body::ExecutionRedriven { count, .. } => {
            ("ExecutionRedriven".into(), own(object([("redriveCount", json!(count))])))
        }
        Body::StateEntered { input } => {
            let mut details = payload(view, "input", input);
            put(&mut details, "name", Some(&*state.name));
            (of_state("Entered"), Some((Some("stateEnteredEventDetails".into()), details)))
        }
        Body::StateExited { output, .. } => {
            let mut details = payload(view, "output", output);
            put(&mut details, "name", Some(&*state.name));
            if view.data && !assigned.is_empty() {
                let texts = assigned.iter().map(|(name, value)| (name.to_string(), json!(**value.text())));
                details.insert("assignedVariables".into(), texts.collect::<Map<_, _>>().into());
                details.insert("assignedVariablesDetails".into(), json!({"truncated": false}));
            }
            (of_state("Exited"), Some((Some("stateExitedEventDetails".into()), details)))
        }
        Body::EvaluationFailed { failure, location } => {
            let mut details = of_failure(failure);
            put(&mut details, "location", Some(&**location));
            put(&mut details, "state", Some(&*state.name));
            ("EvaluationFailed".into(), own(details))
        }
        Body::StateAborted | Body::RegionAborted => (of_state("Aborted"), None),
        Body::RegionStarted { length, .. } => match state.kind {
            Kind::Map(_) => (of_state("Started"), own(object([("length", json!(length))]))),
            _ => (of_state("Started"), None),
        },
        Body::RegionSucceeded => (of_state("Succeeded"), None),
        Body::RegionFailed => (of_state("Failed"), None),
        Body::IterationStarted { index, .. } | Body::IterationResumed { index } => {
            ("MapIterationStarted".into(), own(iteration(&state.name, *index)))
        }
        Body::IterationSucceeded { index } => ("MapIterationSucceeded".into(), own(iteration(&state.name, *index))),
        Body::IterationFailed { index } => ("MapIterationFailed".into(), own(iteration(&state.name, *index))),
        Body::IterationAborted { index } => ("MapIterationAborted".into(), own(iteration(&state.name, *index))),
        body => return task(view, &state.kind, body),
    })
}

/// The same news of a task has three names: an activity's, a Lambda function's, and everybody else's.
fn task(view: View, kind: &Kind, body: &Body) -> Option<(String, Details)> {
    let Kind::Task(task) = kind else { return None };
    let resource = &task.resource;
    let prefix = match &resource.target {
        Target::Activity => "Activity",
        Target::Lambda => "LambdaFunction",
        _ => "Task",
    };
    let named = |suffix: &str, details: Map<String, Value>| {
        let details = names(resource).into_iter().chain(details).collect::<Map<_, _>>();
        // Of all of them only LambdaFunctionStarted has no details object; an activity's may be empty.
        let shown = !(details.is_empty() && prefix == "LambdaFunction" && suffix == "Started");
        (format!("{prefix}{suffix}"), shown.then_some((None, details)))
    };
    Some(match body {
        Body::TaskScheduled(scheduled) => named("Scheduled", of_scheduled(view, resource, scheduled)),
        Body::TaskStarted { worker, .. } => {
            let mut details = Map::new();
            put(&mut details, "workerName", worker.as_deref());
            named("Started", details)
        }
        Body::TaskSubmitted { output, .. } => named("Submitted", payload(view, "output", output)),
        Body::TaskSucceeded { output, .. } => named("Succeeded", payload(view, "output", output)),
        Body::TaskFailed { failure, stage, .. } => {
            let suffix = match stage {
                Stage::Schedule => "ScheduleFailed",
                Stage::Start => "StartFailed",
                Stage::Submit => "SubmitFailed",
                Stage::Run => "Failed",
            };
            named(suffix, of_failure(failure))
        }
        Body::TaskTimedOut { failure, .. } => named("TimedOut", of_failure(failure)),
        _ => return None,
    })
}

/// `resourceType` and `resource`, which every event of an integration repeats.
fn names(resource: &Resource) -> Map<String, Value> {
    match &resource.target {
        Target::Integration { service, action, .. } => {
            object([("resourceType", json!(&**service)), ("resource", json!(&**action))])
        }
        Target::Unknown => object([("resourceType", json!("")), ("resource", json!(&*resource.text))]),
        _ => Map::new(),
    }
}

fn of_scheduled(view: View, resource: &Resource, scheduled: &Scheduled) -> Map<String, Value> {
    let mut details = match resource.target {
        Target::Activity | Target::Lambda => {
            let mut details = payload(view, "input", &scheduled.parameters);
            put(&mut details, "resource", Some(&*resource.text));
            details
        }
        _ => {
            let mut details = Map::new();
            let parameters = if view.data { scheduled.parameters.text().as_ref() } else { "" };
            details.insert("region".into(), view.region.into());
            details.insert("parameters".into(), parameters.into());
            details
        }
    };
    if let Some(seconds) = scheduled.timeout_seconds {
        details.insert("timeoutInSeconds".into(), seconds.into());
    }
    if let (Some(seconds), false) = (scheduled.heartbeat_seconds, resource.target == Target::Lambda) {
        details.insert("heartbeatInSeconds".into(), seconds.into());
    }
    if let Some(credentials) = &scheduled.credentials {
        let role = credentials.value().get("RoleArn").cloned().unwrap_or_default();
        details.insert("taskCredentials".into(), json!({"roleArn": role}));
    }
    details
}

/// A payload and what AWS says beside it.
fn payload(view: View, name: &str, payload: &Payload) -> Map<String, Value> {
    let mut details = Map::new();
    if view.data {
        details.insert(name.into(), payload.text().as_ref().into());
        details.insert(format!("{name}Details"), json!({"truncated": false}));
    }
    details
}

fn of_failure(failure: &Failure) -> Map<String, Value> {
    let mut details = Map::new();
    put(&mut details, "error", failure.error.as_deref());
    put(&mut details, "cause", failure.cause.as_deref());
    details
}

fn iteration(name: &str, index: u32) -> Map<String, Value> {
    object([("name", json!(name)), ("index", json!(index))])
}

fn object<const N: usize>(members: [(&str, Value); N]) -> Map<String, Value> {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn put(details: &mut Map<String, Value>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        details.insert(name.into(), value.into());
    }
}
