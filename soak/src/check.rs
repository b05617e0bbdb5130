//! What must hold when everything has ended: the books of the callers, the histories of the server and what the services
//! outside have seen say the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::api::Api;
use crate::load::{Begun, Books, Load};

/// Acknowledged and found, for the table at the end.
pub type Table = Vec<(&'static str, usize, usize)>;

pub fn check(load: &Load) -> Result<Table> {
    let books = load.books();
    ensure!(books.wrong.is_empty(), "{:#?}", &books.wrong[..books.wrong.len().min(10)]);
    let mut api = load.api();
    let listed = listed(load, &mut api, &books)?;
    let (mut words, mut stopped, mut children) = (BTreeMap::<String, usize>::new(), 0, BTreeSet::new());
    for (name, begun) in &books.started {
        let arn = load.arn(begun.kind, name);
        let described = api.call("DescribeExecution", &json!({"executionArn": arn}))?;
        let events = api.all("GetExecutionHistory", "events", json!({"executionArn": arn}))?;
        let types: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
        let seen = Execution { name, begun, described: &described, events: &events, types: &types };
        let checked = seen.check().and_then(|()| seen.check_outside(load));
        checked.with_context(|| format!("{name}: {}", types.join(" ")))?;
        for word in seen.words(&books) {
            *words.entry(word).or_default() += 1;
        }
        if let Some(date) = books.stopped.get(name) {
            ensure!(described["stopDate"] == *date, "{name} was said to have been stopped at {date}");
            stopped += 1;
        }
        if begun.kind == "parent" {
            let output: Value = serde_json::from_str(described["output"].as_str().unwrap_or_default())?;
            let child = output["child"].as_str().context("a parent names its child")?.to_owned();
            ensure!(children.insert(child), "{name} was given another one's child");
        }
    }
    for (word, name) in &books.words {
        let times = words.get(word).copied().unwrap_or_default();
        ensure!(times == 1, "{word} of {name} was acknowledged, and is in the histories {times} times");
    }
    let of_child = api.all("ListExecutions", "executions", json!({"stateMachineArn": load.machines["child"]}))?;
    let found: BTreeSet<String> =
        of_child.iter().filter_map(|row| Some(row["executionArn"].as_str()?.to_owned())).collect();
    ensure!(found == children, "{} children, and {} parents", found.len(), children.len());
    let acknowledged = books.started.values().filter(|begun| begun.acknowledged).count();
    let jobs = books.started.values().filter(|begun| begun.kind == "job").count();
    let submitted = load.outside.seen().jobs.iter().filter(|job| job.name.starts_with("job-")).count();
    Ok(vec![
        ("executions", acknowledged, listed),
        ("successes of tasks", books.words.len(), words.len()),
        ("stops", books.stopped.len(), stopped),
        ("jobs, once each", jobs, submitted),
        ("children, once each", children.len(), found.len()),
    ])
}

/// A name is one execution, and there is none that nobody began; how many there are.
fn listed(load: &Load, api: &mut Api, books: &Books) -> Result<usize> {
    let mut count = 0;
    for (kind, machine) in load.machines.iter().filter(|(kind, _)| **kind != "child") {
        let rows = api.all("ListExecutions", "executions", json!({"stateMachineArn": machine}))?;
        let names: BTreeSet<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
        ensure!(names.len() == rows.len(), "{kind} lists a name twice");
        let begun = books.started.iter().filter(|(_, begun)| begun.kind == *kind);
        let begun: BTreeSet<&str> = begun.map(|(name, _)| name.as_str()).collect();
        let odd: Vec<_> = begun.symmetric_difference(&names).collect();
        ensure!(odd.is_empty(), "{kind}: begun and not listed, or listed and not begun: {odd:?}");
        count += rows.len();
    }
    Ok(count)
}

struct Execution<'a> {
    name: &'a str,
    begun: &'a Begun,
    described: &'a Value,
    events: &'a [Value],
    types: &'a [&'a str],
}

impl Execution<'_> {
    fn count(&self, types: &[&str]) -> usize {
        self.types.iter().filter(|kind| types.contains(kind)).count()
    }

    fn check(&self) -> Result<()> {
        let (kind, input) = (self.begun.kind, self.begun.input.as_str());
        let begun = &self.events[0]["executionStartedEventDetails"]["input"];
        ensure!(self.described["input"] == input && *begun == input, "it runs with another input: {begun}");
        let (status, end) =
            if kind == "endless" { ("ABORTED", "ExecutionAborted") } else { ("SUCCEEDED", "ExecutionSucceeded") };
        ensure!(self.described["status"] == status, "it is {}: {}", self.described["status"], self.described["cause"]);
        let last = self.events.last().context("no history")?;
        ensure!(last["type"] == end && last["timestamp"] == self.described["stopDate"], "it ends with {last}");
        for (place, event) in self.events.iter().enumerate() {
            let (id, previous) = (event["id"].as_u64(), event["previousEventId"].as_u64());
            ensure!(id == Some(place as u64 + 1) && previous < id, "event {} is {event}", place + 1);
        }
        let times: Vec<f64> = self.events.iter().filter_map(|event| event["timestamp"].as_f64()).collect();
        ensure!(times.is_sorted() && times.len() == self.events.len(), "time goes back: {times:?}");
        self.check_tasks()?;
        self.check_timers()
    }

    /// Each task has one outcome.
    fn check_tasks(&self) -> Result<()> {
        if self.begun.kind == "endless" {
            return Ok(());
        }
        for group in ["Task", "Activity"] {
            let outcomes = ["Succeeded", "Failed", "TimedOut"].map(|how| format!("{group}{how}"));
            let outcomes = self.count(&outcomes.each_ref().map(String::as_str));
            let scheduled = self.count(&[&format!("{group}Scheduled")]);
            ensure!(outcomes == scheduled, "{scheduled} tasks have {outcomes} outcomes");
        }
        Ok(())
    }

    /// All waits of an execution begin together, so whichever is left first must have lasted.
    fn check_timers(&self) -> Result<()> {
        let at = |kind: &'static str| {
            let of_kind = self.events.iter().filter(move |event| event["type"] == kind);
            of_kind.filter_map(|event| event["timestamp"].as_f64())
        };
        let entered = at("WaitStateEntered").fold(f64::MIN, f64::max);
        let left = at("WaitStateExited").fold(f64::MAX, f64::min);
        ensure!(at("WaitStateEntered").count() == at("WaitStateExited").count(), "a wait is not over");
        // Times are fractions of a second in binary, so a second is compared with what may be lost there.
        ensure!(left - entered > 0.9995, "a timer fired after {} s", left - entered);
        Ok(())
    }

    /// Side effects: at least once, and once where a key or the job itself tells that it was there before.
    fn check_outside(&self, load: &Load) -> Result<()> {
        let seen = load.outside.seen();
        let times = |of: &BTreeMap<String, u32>| of.get(self.name).copied().unwrap_or_default();
        let jobs: Vec<_> = seen.jobs.iter().filter(|job| job.name == self.name).collect();
        let (kind, sent, called) = (self.begun.kind, times(&seen.sent), times(&seen.called));
        let right = match kind {
            "callback" | "both" | "parked" => sent >= 1,
            "call" => called >= 1,
            "map" => called >= 2,
            "job" => jobs.len() == 1 && jobs[0].ended.is_none(),
            // A stop may come before the job was submitted.
            "endless" => jobs.len() <= 1 && jobs.iter().all(|job| job.ended.is_some()),
            _ => sent + called == 0,
        };
        if !right {
            let ended: Vec<_> = jobs.iter().map(|job| &job.ended).collect();
            bail!("{kind}: {sent} messages, {called} calls, jobs that ended: {ended:?}");
        }
        Ok(())
    }

    /// The acknowledged words that are in its tasks' outputs, each as often as it is there.
    fn words(&self, books: &Books) -> Vec<String> {
        let details = ["taskSucceededEventDetails", "activitySucceededEventDetails"];
        let outputs = self.events.iter().flat_map(|event| details.map(|name| event[name]["output"].as_str()));
        let parsed = outputs.flatten().filter_map(|output| serde_json::from_str::<Value>(output).ok());
        let words = parsed.filter_map(|output| Some(output["word"].as_str()?.to_owned()));
        words.filter(|word| books.words.get(word).is_some_and(|name| name == self.name)).collect()
    }
}
