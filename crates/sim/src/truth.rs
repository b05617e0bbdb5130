//! What is in the log, seen as it lands: every chunk is decoded and folded beside the store, and what can be said of a
//! log by itself is said here. It grows in order, it has one end, no timer fires early, no result comes from nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use asl::{Kind, Program, Target};
use machine::codec::{self, Reader};
use machine::record::{DebtKind, Scheduled};
use machine::{Body, Execution, FrameId, Record, Status, TaskId, Timestamp};
use store::{Commit, ExecutionKey, ListingChange};

use crate::life::Life;
use crate::model;
use crate::programs;
use crate::world::State;

/// How late a timer may be where nothing goes wrong, in milliseconds.
const LATE_MS: i64 = 20;

/// All logs.
#[derive(Default)]
pub(crate) struct Truth {
    pub logs: BTreeMap<ExecutionKey, Log>,
    pub by_arn: BTreeMap<String, ExecutionKey>,
    /// Each task carries a tag that was drawn when it was scheduled.
    pub tags: BTreeMap<String, (ExecutionKey, TaskId)>,
    /// What has been reported about a task, by its tag, before the engine was told.
    pub reports: BTreeMap<String, BTreeSet<String>>,
}

/// One execution's log, and what it folds to.
pub(crate) struct Log {
    pub arn: String,
    pub records: Vec<Record>,
    pub execution: Execution,
    pub program: Arc<Program>,
    pub tasks: BTreeMap<TaskId, Task>,
    /// One of this name was there before, and was deleted.
    pub is_successor: bool,
    reader: Reader,
    chunks: u32,
    /// Until when a frame is to wait.
    waits: BTreeMap<FrameId, Timestamp>,
}

/// What may follow an execution's end.
fn is_of_debts(body: &Body) -> bool {
    matches!(body, Body::Settled { .. } | Body::DebtIncurred { kind: DebtKind::ExportSpans { .. }, .. })
}

/// A task, also when it is over.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub tag: String,
    pub how: How,
    pub timeout_seconds: Option<u64>,
    pub heartbeat_seconds: Option<u64>,
    pub started_at: Option<Timestamp>,
    /// The process that wrote that it was started.
    pub started_by: Option<u32>,
    pub outcome: Option<Outcome>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    Activity,
    Call,
    Job,
    Callback,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// As [`succeeded`] and [`failed`] write it.
    Reported(String),
    TimedOut,
    /// Its execution ended, or its branch did.
    Abandoned,
}

/// How a report is written down.
pub(crate) fn succeeded(output: &str) -> String {
    format!("succeeded {output}")
}

pub(crate) fn failed(error: Option<&str>) -> String {
    format!("failed {}", error.unwrap_or("-"))
}

/// The tag of a task, from what it was asked.
pub(crate) fn tag(parameters: &serde_json::Value) -> Option<&str> {
    match parameters {
        serde_json::Value::Object(members) => match members.get("tag") {
            Some(tag) => tag.as_str(),
            None => members.values().find_map(tag),
        },
        serde_json::Value::Array(items) => items.iter().find_map(tag),
        _ => None,
    }
}

impl Truth {
    pub fn log(&self, arn: &str) -> Option<&Log> {
        self.by_arn.get(arn).and_then(|key| self.logs.get(key))
    }

    /// Of each name the execution that began last.
    pub fn newest(&self) -> impl Iterator<Item = &Log> {
        self.by_arn.values().filter_map(|key| self.logs.get(key))
    }

    pub fn task(&self, tag: &str) -> Option<(&Log, TaskId, &Task)> {
        let (key, id) = self.tags.get(tag)?;
        let log = self.logs.get(key)?;
        Some((log, *id, log.tasks.get(id)?))
    }

    pub fn report(&mut self, tag: &str, what: String) {
        self.reports.entry(tag.to_owned()).or_default().insert(what);
    }
}

/// A commit has landed.
pub(crate) fn landed(state: &mut State, commit: &Commit, life: &Life) -> Result<(), String> {
    let records = codec::records(&commit.chunk.records).map_err(|e| e.to_string())?;
    if !state.truth.logs.contains_key(&commit.key) {
        begin(state, commit, &records)?;
    }
    let log = state.truth.logs.get_mut(&commit.key).expect("begun");
    if commit.seq != log.chunks {
        return Err(format!("chunk {} follows {} chunks", commit.seq, log.chunks));
    }
    log.chunks += 1;
    log.reader.take(commit.seq, &commit.chunk.payloads).map_err(|e| e.to_string())?;
    let records = log.reader.resolve(records).map_err(|e| e.to_string())?;
    let first = log.execution.events + 1;
    let ended_before = log.execution.is_over();
    let redriven = records.iter().any(|record| matches!(record.body, Body::ExecutionRedriven { .. }));
    for record in records {
        take(state, commit.key, record, life)?;
    }
    let log = state.truth.logs.get_mut(&commit.key).expect("begun");
    for (id, task) in &mut log.tasks {
        if task.outcome.is_none() && !log.execution.tasks.contains_key(id) {
            task.outcome = Some(Outcome::Abandoned);
        }
    }
    let events = log.execution.events + 1 - first;
    if (commit.chunk.first_event, u64::from(commit.chunk.events)) != (first, events) {
        return Err(format!("the chunk says events {}+{}", commit.chunk.first_event, commit.chunk.events));
    }
    let ends = log.execution.is_over() && (redriven || !ended_before);
    let listed = match &commit.listing {
        None => false,
        Some(ListingChange::End { .. }) => true,
        Some(ListingChange::Start(row)) => row.stopped_at.is_some(),
        Some(ListingChange::Redrive { stopped_at, .. }) => stopped_at.is_some(),
    };
    if ends != listed {
        return Err(format!("it ends: {ends}, and its row says so: {listed}"));
    }
    if redriven != matches!(&commit.listing, Some(ListingChange::Redrive { .. })) {
        return Err(format!("it is redriven: {redriven}, and its row says otherwise"));
    }
    Ok(())
}

fn begin(state: &mut State, commit: &Commit, records: &[Record<codec::PayloadRef>]) -> Result<(), String> {
    let Some(Body::ExecutionStarted(started)) = records.first().map(|record| &record.body) else {
        return Err("a log that does not begin with its start".into());
    };
    let program = programs::program(&started.definition).ok_or("a definition that nobody created")?;
    let before = state.truth.log(&started.arn);
    if before.is_some_and(|before| !model::is_old(state, before)) {
        return Err(format!("{} begins twice", started.arn));
    }
    let is_successor = before.is_some();
    if is_successor {
        state.model.begins_anew(&started.arn);
    }
    let log = Log {
        arn: started.arn.to_string(),
        is_successor,
        records: Vec::new(),
        execution: Execution::default(),
        program,
        tasks: BTreeMap::new(),
        reader: Reader::default(),
        chunks: 0,
        waits: BTreeMap::new(),
    };
    state.truth.by_arn.insert(log.arn.clone(), commit.key);
    state.truth.logs.insert(commit.key, log);
    Ok(())
}

fn take(state: &mut State, key: ExecutionKey, record: Record, life: &Life) -> Result<(), String> {
    *state.seen.entry(format!("record.{}", name(&record.body))).or_default() += 1;
    let latest = state.latest_wall;
    let truth = &mut state.truth;
    let log = truth.logs.get_mut(&key).expect("begun");
    log.check_waits(&record, life.world.plan.calm)?;
    let execution = &log.execution;
    if record.at < execution.last_at || record.at > latest {
        return Err(format!("{} at {} after {}", name(&record.body), record.at, execution.last_at));
    }
    if let Body::ExecutionRedriven { count, token, .. } = &record.body {
        let last = execution.redriven.as_ref();
        let may_be = execution.is_over() && execution.status != Status::Succeeded;
        let same = token.is_some() && last.is_some_and(|last| last.token == *token);
        if !may_be || same || *count != last.map_or(0, |last| last.count) + 1 {
            return Err(format!("{:?} is redriven with {token:?} after {last:?}", execution.status));
        }
        // What was waited for is waited for anew.
        log.waits.clear();
    } else if execution.is_over() && !is_of_debts(&record.body) {
        return Err(format!("{} after the end", name(&record.body)));
    }
    if matches!(record.body, Body::ExecutionStarted(_)) != log.records.is_empty() {
        return Err("a log begins with ExecutionStarted, and only there".into());
    }
    if let Some((id, outcome)) = outcome(&record.body) {
        let task = log.tasks.get_mut(&id).ok_or("an outcome without a task")?;
        if task.outcome.is_some() {
            return Err(format!("task {id} ends twice: {:?}, then {outcome:?}", task.outcome));
        }
        if let Outcome::Reported(what) = &outcome
            && !truth.reports.get(&task.tag).is_some_and(|reports| reports.contains(what))
        {
            return Err(format!("nobody reported {what} of task {id}"));
        }
        if let Body::TaskTimedOut { failure, .. } = &record.body {
            let started = task.started_at.ok_or("a task times out that was not started")?;
            let heartbeat = failure.matches(&["States.HeartbeatTimeout".into()]);
            let beat = state.beats.get(&(key, id)).filter(|(by, _)| *by == life.number).map_or(0, |(_, at)| *at);
            let (from, seconds) = match heartbeat {
                true => (started.max(beat).max(life.born_at), task.heartbeat_seconds),
                false => (started, task.timeout_seconds),
            };
            let due = from + seconds.ok_or("a timeout that nobody asked for")? as i64 * 1000;
            let late = record.at - due;
            if late < 0 || life.world.plan.calm && late > LATE_MS {
                return Err(format!("task {id} times out {late} ms late"));
            }
        }
        task.outcome = Some(outcome);
    }
    match &record.body {
        Body::TaskStarted { task, .. } => {
            let task = log.tasks.get_mut(task).ok_or("a start without a task")?;
            if task.started_at.replace(record.at).is_some() {
                return Err("a task starts twice".into());
            }
            task.started_by = Some(life.number);
        }
        Body::ExecutionTimedOut(_) => {
            let deadline = execution.deadline(&log.program, &machine::Limits::default()).ok_or("no TimeoutSeconds")?;
            let late = record.at - deadline;
            if late < 0 || life.world.plan.calm && late > LATE_MS {
                return Err(format!("the execution times out {late} ms late"));
            }
        }
        _ => {}
    }
    log.execution.apply(&record);
    if let Body::TaskScheduled(scheduled) = &record.body {
        let (id, task) = (log.execution.events, log.scheduled(&record, scheduled)?);
        if let Some(other) = truth.tags.insert(task.tag.clone(), (key, id)) {
            return Err(format!("tasks {id} and {other:?} drew the same tag"));
        }
        log.tasks.insert(id, task);
    }
    log.records.push(record);
    Ok(())
}

impl Log {
    /// Whether nothing of it is under way any more.
    pub fn is_settled(&self) -> bool {
        self.execution.is_over() && self.execution.debts.is_empty()
    }

    /// How many turns it holds.
    pub fn chunks(&self) -> usize {
        self.chunks as usize
    }

    fn scheduled(&self, record: &Record, scheduled: &Scheduled) -> Result<Task, String> {
        let Kind::Task(asl) = &self.program.state(record.state).kind else { return Err("no Task state".into()) };
        let how = match &asl.resource.target {
            Target::Activity => How::Activity,
            Target::Integration { pattern: asl::Pattern::Sync { .. }, .. } => How::Job,
            Target::Integration { pattern: asl::Pattern::WaitForTaskToken, .. } => How::Callback,
            _ => How::Call,
        };
        Ok(Task {
            tag: tag(scheduled.parameters.value()).ok_or("a task without a tag")?.to_owned(),
            how,
            timeout_seconds: scheduled.timeout_seconds,
            heartbeat_seconds: scheduled.heartbeat_seconds,
            started_at: None,
            started_by: None,
            outcome: None,
        })
    }

    /// A Wait state and the pause before a retry end when their time has come.
    fn check_waits(&mut self, record: &Record, calm: bool) -> Result<(), String> {
        let frame = record.frame;
        match &record.body {
            Body::WaitUntil { until } | Body::RetryScheduled { until, .. } => {
                self.waits.insert(frame, *until);
            }
            Body::StateExited { .. } | Body::TaskScheduled(_) | Body::RegionStarted { .. } => {
                let Some(until) = self.waits.remove(&frame) else { return Ok(()) };
                let late = record.at - until;
                if late < 0 || calm && late > LATE_MS {
                    return Err(format!("{} comes {late} ms late", name(&record.body)));
                }
            }
            Body::StateEntered { .. } | Body::StateAborted | Body::RegionAborted => {
                self.waits.remove(&frame);
            }
            _ => {}
        }
        Ok(())
    }
}

fn outcome(body: &Body) -> Option<(TaskId, Outcome)> {
    Some(match body {
        Body::TaskSucceeded { task, output } => (*task, Outcome::Reported(succeeded(output.text()))),
        Body::TaskFailed { task, failure, .. } => (*task, Outcome::Reported(failed(failure.error.as_deref()))),
        Body::TaskTimedOut { task, .. } => (*task, Outcome::TimedOut),
        _ => return None,
    })
}

/// A record's kind.
pub(crate) fn name(body: &Body) -> String {
    let text = format!("{body:?}");
    let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    text[..end].to_owned()
}
