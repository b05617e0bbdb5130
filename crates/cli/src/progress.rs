//! An execution as it goes, a line for each state and each thing a task waits for.

use std::collections::BTreeMap;

use serde_json::Value;

/// Turns history events into lines for people.
#[derive(Default)]
pub struct Progress {
    started: Option<f64>,
    /// Where each chain of events is: the state's name by the last event's id.
    states: BTreeMap<u64, String>,
}

impl Progress {
    /// The line for an event, where it is worth one.
    pub fn line(&mut self, event: &Value) -> Option<String> {
        let at = event["timestamp"].as_f64()?;
        let started = *self.started.get_or_insert(at);
        let kind = event["type"].as_str()?;
        let details = event.as_object()?.iter().find(|(name, _)| name.ends_with("EventDetails")).map(|(_, d)| d);
        let text = |name: &str| details.and_then(|d| d[name].as_str()).unwrap_or_default();
        let previous = event["previousEventId"].as_u64().unwrap_or_default();
        let state = match text("name") {
            "" => self.states.get(&previous).cloned().unwrap_or_default(),
            name => name.to_owned(),
        };
        self.states.insert(event["id"].as_u64()?, state.clone());
        let state = if kind.starts_with("Execution") { "" } else { &state };
        let what = match kind {
            "ExecutionStarted" => "started".to_owned(),
            "ExecutionSucceeded" => "SUCCEEDED".to_owned(),
            "ExecutionTimedOut" => "TIMED_OUT".to_owned(),
            "ExecutionFailed" | "ExecutionAborted" => {
                let status = if kind == "ExecutionFailed" { "FAILED" } else { "ABORTED" };
                format!("{status} {}", reason(text("error"), text("cause")))
            }
            kind if kind.ends_with("StateEntered") => {
                format!("entered ({})", &kind[..kind.len() - "StateEntered".len()])
            }
            kind if kind.ends_with("StateExited") => "exited".to_owned(),
            kind if kind.ends_with("Scheduled") => match text("resourceType") {
                "" => format!("scheduled {}", text("resource")),
                service => format!("scheduled {service}:{}", text("resource")),
            },
            kind if kind.ends_with("Submitted") => "submitted, waiting".to_owned(),
            kind if kind.ends_with("TimedOut") => format!("timed out: {}", text("error")),
            kind if kind.ends_with("Failed") => format!("failed {}", reason(text("error"), text("cause"))),
            kind if kind.ends_with("Started") && !kind.starts_with("Map") && !kind.starts_with("Parallel") => {
                "running".to_owned()
            }
            _ => return None,
        };
        let line = format!("{:>9.3}s  {state:<24} {what}", at - started);
        Some(line.trim_end().to_owned())
    }
}

/// An error and the beginning of its cause, which may be long.
fn reason(error: &str, cause: &str) -> String {
    const SHOWN: usize = 160;
    let mut cause: String = cause.split_whitespace().collect::<Vec<_>>().join(" ");
    if cause.chars().count() > SHOWN {
        cause = cause.chars().take(SHOWN).collect::<String>() + "…";
    }
    match (error.is_empty(), cause.is_empty()) {
        (_, true) => error.to_owned(),
        (true, _) => cause,
        _ => format!("{error}: {cause}"),
    }
}
