//! Jobs: their rows, their way through the statuses, and the calls that look at them or end them. What the runner learns
//! of an attempt comes back here, so that every change of a status is in this file.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use super::error::client;
use super::resources;
use super::retry::{self, Ending};
use crate::caller::Caller;
use crate::error::Answer;
use crate::params::{document, list, number, text, texts};
use crate::store::{Millis, Tx};

pub const SUBMITTED: &str = "SUBMITTED";
pub const PENDING: &str = "PENDING";
pub const RUNNABLE: &str = "RUNNABLE";
pub const STARTING: &str = "STARTING";
pub const RUNNING: &str = "RUNNING";
pub const SUCCEEDED: &str = "SUCCEEDED";
pub const FAILED: &str = "FAILED";

/// What AWS says of a job whose process has ended by itself.
pub const EXITED: &str = "Essential container in task exited";
/// What AWS says of a job that ran too long.
pub const TIMED_OUT: &str = "Job attempt duration exceeded timeout";
/// What this says of a job whose server went away; it begins as AWS's text for a lost host, which retry rules match.
pub const HOST_LOST: &str = "Host EC2 (this machine) terminated: the server was stopped while the job ran.";

/// How many jobs one page shows at most.
const PAGE_LIMIT: i64 = 100;
/// How long AWS shows a job that has ended.
const KEPT: Millis = 7 * 24 * 3_600_000;

/// A job as it is stored.
#[derive(Debug, Clone)]
pub struct Job {
    pub seq: i64,
    pub id: String,
    account: String,
    pub region: String,
    /// The ARN of its queue.
    pub queue: String,
    name: String,
    pub status: String,
    /// What DescribeJobs shows.
    pub detail: Map<String, Value>,
    /// The process that runs it.
    pub process: Option<String>,
    /// Why it is to be ended.
    pub terminate: Option<String>,
    created_at: Millis,
    stopped_at: Option<Millis>,
}

const COLUMNS: &str =
    "seq, id, account, region, queue, name, status, detail, process, terminate, created_at, stopped_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Job> {
    Ok(Job {
        seq: row.get(0)?,
        id: row.get(1)?,
        account: row.get(2)?,
        region: row.get(3)?,
        queue: row.get(4)?,
        name: row.get(5)?,
        status: row.get(6)?,
        detail: document(&row.get::<_, String>(7)?),
        process: row.get(8)?,
        terminate: row.get(9)?,
        created_at: row.get(10)?,
        stopped_at: row.get(11)?,
    })
}

impl Job {
    /// A job that has just been submitted.
    pub fn new(
        id: String,
        caller: &Caller,
        queue: String,
        name: String,
        detail: Map<String, Value>,
        now: Millis,
    ) -> Self {
        Self {
            seq: 0,
            id,
            account: caller.account.clone(),
            region: caller.region.clone(),
            queue,
            name,
            status: SUBMITTED.to_owned(),
            detail,
            process: None,
            terminate: None,
            created_at: now,
            stopped_at: None,
        }
    }

    /// A member of what DescribeJobs shows.
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        let mut names = pointer.split('/');
        let first = self.detail.get(names.next()?)?;
        names.try_fold(first, |value, name| value.get(name))
    }

    /// How many attempts have ended.
    pub fn attempts_made(&self) -> i64 {
        self.detail
            .get("attempts")
            .and_then(Value::as_array)
            .map_or(0, |attempts| i64::try_from(attempts.len()).unwrap_or(i64::MAX))
    }

    fn ended(&self) -> bool {
        self.status == SUCCEEDED || self.status == FAILED
    }

    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.detail.insert(name.to_owned(), value.into());
    }

    fn set_status(&mut self, status: &str) {
        self.status = status.to_owned();
        self.put("status", status);
    }

    fn container(&mut self) -> &mut Map<String, Value> {
        let container = self.detail.entry("container").or_insert_with(|| json!({}));
        if !container.is_object() {
            *container = json!({});
        }
        match container {
            Value::Object(members) => members,
            _ => unreachable!("it was made an object above"),
        }
    }
}

pub fn insert(tx: &Tx<'_>, job: &Job) -> Answer<()> {
    tx.db.execute(
        "INSERT INTO batch_jobs (id, account, region, queue, name, status, detail, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            job.id,
            job.account,
            job.region,
            job.queue,
            job.name,
            job.status,
            Value::Object(job.detail.clone()).to_string(),
            job.created_at
        ],
    )?;
    Ok(())
}

pub fn save(tx: &mut Tx<'_>, job: &Job) -> Answer<()> {
    tx.db
        .prepare_cached(
            "UPDATE batch_jobs SET status = ?2, detail = ?3, process = ?4, terminate = ?5, stopped_at = ?6 WHERE id = ?1",
        )?
        .execute(params![
            job.id,
            job.status,
            Value::Object(job.detail.clone()).to_string(),
            job.process,
            job.terminate,
            job.stopped_at
        ])?;
    tx.wake(super::BELL);
    Ok(())
}

pub fn find(tx: &Tx<'_>, id: &str) -> Answer<Option<Job>> {
    let id = id.rsplit('/').next().unwrap_or_default();
    Ok(tx
        .db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM batch_jobs WHERE id = ?1"))?
        .query_row([id], read)
        .optional()?)
}

/// All jobs in one of these statuses, in the order they were submitted.
pub fn in_status(tx: &Tx<'_>, statuses: &[&str]) -> Answer<Vec<Job>> {
    let wanted = Value::from(statuses.to_vec()).to_string();
    Ok(tx
        .db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM batch_jobs WHERE status IN (SELECT value FROM json_each(?1)) ORDER BY seq"
        ))?
        .query_map([wanted], read)?
        .collect::<Result<_, _>>()?)
}

// The way through the statuses.

/// Move on the jobs that wait for nothing any more.
pub fn advance(tx: &mut Tx<'_>) -> Answer<()> {
    for mut job in in_status(tx, &[SUBMITTED, PENDING])? {
        let mut waits = false;
        let mut lost = false;
        for dependency in job.detail.get("dependsOn").and_then(Value::as_array).cloned().unwrap_or_default() {
            match find(tx, text(&dependency, "jobId").unwrap_or_default())? {
                Some(other) if other.status == SUCCEEDED => {}
                Some(other) if other.status == FAILED => lost = true,
                Some(_) => waits = true,
                // It was there when the job was submitted: it has ended long ago and is no longer shown.
                None => {}
            }
        }
        if lost {
            fail(tx, &mut job, "Dependent Job failed");
        } else {
            let next = if waits { PENDING } else { RUNNABLE };
            if job.status == next {
                continue;
            }
            job.set_status(next);
        }
        save(tx, &job)?;
    }
    Ok(())
}

fn fail(tx: &Tx<'_>, job: &mut Job, reason: &str) {
    job.set_status(FAILED);
    job.put("statusReason", reason);
    job.put("stoppedAt", tx.now);
    job.stopped_at = Some(tx.now);
    job.process = None;
}

/// Take up to `free` jobs that may run: higher priority of their queue first, then the order they were submitted in.
pub fn claim(tx: &mut Tx<'_>, free: usize) -> Answer<Vec<Job>> {
    let mut waiting = Vec::new();
    for job in in_status(tx, &[RUNNABLE])? {
        let priority = match resources::by_arn(tx, resources::QUEUE, &job.queue)? {
            Some(queue) => queue.document.get("priority").and_then(Value::as_i64).unwrap_or_default(),
            None => 0,
        };
        waiting.push((-priority, job.seq, job));
    }
    waiting.sort_by_key(|(priority, seq, _)| (*priority, *seq));
    let mut claimed = Vec::new();
    for (_, _, mut job) in waiting.into_iter().take(free) {
        job.set_status(STARTING);
        save(tx, &job)?;
        claimed.push(job);
    }
    Ok(claimed)
}

/// An attempt has a process.
pub fn started(tx: &mut Tx<'_>, id: &str, process: &str, log_stream: &str) -> Answer<()> {
    let Some(mut job) = find(tx, id)? else { return Ok(()) };
    job.set_status(RUNNING);
    job.process = Some(process.to_owned());
    job.put("startedAt", tx.now);
    let task = format!("arn:aws:ecs:{}:{}:task/laptop/{}", job.region, job.account, uuid::Uuid::new_v4().simple());
    let container = job.container();
    container.insert("logStreamName".to_owned(), json!(log_stream));
    container.insert("taskArn".to_owned(), json!(task));
    container.shift_remove("exitCode");
    container.shift_remove("reason");
    save(tx, &job)
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub exit_code: Option<i64>,
    /// What happened to the process, if it did not end by itself.
    pub reason: Option<String>,
    pub status_reason: String,
    /// Another attempt would end the same way, or is not wanted.
    pub last: bool,
}

/// An attempt has ended: the job has succeeded, is tried again, or has failed.
pub fn ended(tx: &mut Tx<'_>, id: &str, ended: &Ended) -> Answer<()> {
    let Some(mut job) = find(tx, id)? else { return Ok(()) };
    let started_at = job.detail.get("startedAt").cloned().unwrap_or_else(|| json!(tx.now));
    let container = job.container();
    if let Some(code) = ended.exit_code {
        container.insert("exitCode".to_owned(), json!(code));
    }
    if let Some(reason) = &ended.reason {
        container.insert("reason".to_owned(), json!(reason));
    }
    let mut seen = Map::new();
    for name in ["containerInstanceArn", "taskArn", "exitCode", "reason", "logStreamName", "networkInterfaces"] {
        if let Some(value) = container.get(name) {
            seen.insert(name.to_owned(), value.clone());
        }
    }
    let attempt = json!({
        "container": seen, "startedAt": started_at, "stoppedAt": tx.now, "statusReason": ended.status_reason,
    });
    if let Some(Value::Array(attempts)) = job.detail.get_mut("attempts") {
        attempts.push(attempt);
    }
    let reason = ended.reason.as_deref().unwrap_or_default();
    let ending = Ending { exit_code: ended.exit_code, reason, status_reason: &ended.status_reason };
    let strategy = job.detail.get("retryStrategy").cloned().unwrap_or_default();
    job.process = None;
    if let Some(why) = job.terminate.clone() {
        fail(tx, &mut job, &why);
        job.put("isTerminated", true);
    } else if ended.exit_code == Some(0) && !ended.last {
        job.set_status(SUCCEEDED);
        job.put("statusReason", ended.status_reason.as_str());
        job.put("stoppedAt", tx.now);
        job.stopped_at = Some(tx.now);
    } else if !ended.last && retry::again(&strategy, job.attempts_made(), &ending) {
        job.set_status(RUNNABLE);
        job.put("statusReason", ended.status_reason.as_str());
    } else {
        fail(tx, &mut job, &ended.status_reason);
    }
    save(tx, &job)
}

// The calls.

pub fn describe(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let mut jobs = Vec::new();
    for id in texts(params, "jobs") {
        if let Some(job) = find(tx, id)? {
            jobs.push(Value::Object(job.detail));
        }
    }
    Ok(json!({ "jobs": jobs }))
}

pub fn list_jobs(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let name = text(params, "jobQueue")
        .ok_or_else(|| client("The laptop's Batch lists the jobs of a jobQueue; arrays and nodes it has not."))?;
    let queue = resources::queue(tx, caller, name)?.ok_or_else(|| client(format!("JobQueue {name} not found.")))?;
    let filters = list(params, "filters");
    let status = text(params, "jobStatus").unwrap_or(RUNNING);
    let after: i64 = text(params, "nextToken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let limit = number(params, "maxResults").unwrap_or(PAGE_LIMIT).clamp(1, PAGE_LIMIT);
    let limit = usize::try_from(limit).unwrap_or(1);
    let mut statement = tx.db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM batch_jobs WHERE queue = ?1 AND (status = ?2 OR ?2 = '') AND seq > ?3 ORDER BY seq"
    ))?;
    // With filters AWS lists jobs of all statuses.
    let status = if filters.is_empty() { status } else { "" };
    let mut shown = Vec::new();
    let (mut last, mut more) = (after, false);
    for job in statement.query_map(params![queue.arn, status, after], read)? {
        let job = job?;
        if !filters.iter().all(|filter| passes(&job, filter)) {
            continue;
        }
        if shown.len() == limit {
            more = true;
            break;
        }
        last = job.seq;
        shown.push(summary(&job));
    }
    let mut answer = json!({ "jobSummaryList": shown });
    if more {
        answer["nextToken"] = json!(last.to_string());
    }
    Ok(answer)
}

fn passes(job: &Job, filter: &Value) -> bool {
    let matches = |value: &str, pattern: &str| match pattern.strip_suffix('*') {
        Some(prefix) => value.to_lowercase().starts_with(&prefix.to_lowercase()),
        None => value.eq_ignore_ascii_case(pattern),
    };
    let definition = job.at("jobDefinition").and_then(Value::as_str).unwrap_or_default();
    let values = texts(filter, "values");
    let any = |fits: &dyn Fn(&str) -> bool| values.iter().any(|value| fits(value));
    match text(filter, "name").unwrap_or_default() {
        "JOB_NAME" => any(&|value| matches(&job.name, value)),
        "JOB_DEFINITION" => any(&|value| {
            let short = definition.rsplit('/').next().unwrap_or_default();
            matches(definition, value) || matches(short, value) || short.split(':').next() == Some(value)
        }),
        "BEFORE_CREATED_AT" => any(&|value| value.parse().is_ok_and(|at: i64| job.created_at < at)),
        "AFTER_CREATED_AT" => any(&|value| value.parse().is_ok_and(|at: i64| job.created_at > at)),
        _ => true,
    }
}

fn summary(job: &Job) -> Value {
    let mut summary = Map::new();
    for name in
        ["jobArn", "jobId", "jobName", "createdAt", "status", "statusReason", "startedAt", "stoppedAt", "jobDefinition"]
    {
        if let Some(value) = job.detail.get(name) {
            summary.insert(name.to_owned(), value.clone());
        }
    }
    let mut container = Map::new();
    for name in ["exitCode", "reason"] {
        if let Some(value) = job.at("container").and_then(|container| container.get(name)) {
            container.insert(name.to_owned(), value.clone());
        }
    }
    if !container.is_empty() {
        summary.insert("container".to_owned(), Value::Object(container));
    }
    Value::Object(summary)
}

fn of_request(tx: &Tx<'_>, params: &Value) -> Answer<(Job, String)> {
    let id = text(params, "jobId").unwrap_or_default();
    let reason = text(params, "reason").filter(|reason| !reason.is_empty());
    let reason = reason.ok_or_else(|| client("A reason is required."))?;
    let job = find(tx, id)?.ok_or_else(|| client(format!("Job {id} not found.")))?;
    Ok((job, reason.to_owned()))
}

/// CancelJob ends what has not started; what runs is left alone, as AWS leaves it.
pub fn cancel(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let (mut job, reason) = of_request(tx, params)?;
    if [SUBMITTED, PENDING, RUNNABLE].contains(&job.status.as_str()) {
        fail(tx, &mut job, &reason);
        job.put("isCancelled", true);
        save(tx, &job)?;
    }
    Ok(json!({}))
}

/// TerminateJob ends what has not started at once, and tells the runner to end what runs.
pub fn terminate(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let (job, reason) = of_request(tx, params)?;
    end(tx, job, &reason)?;
    Ok(json!({}))
}

fn end(tx: &mut Tx<'_>, mut job: Job, reason: &str) -> Answer<()> {
    if job.ended() {
        return Ok(());
    }
    if job.status == STARTING || job.status == RUNNING {
        job.terminate.get_or_insert_with(|| reason.to_owned());
        tx.wake(&bell(&job.id));
    } else {
        fail(tx, &mut job, reason);
        job.put("isTerminated", true);
    }
    save(tx, &job)
}

/// The name under which the process of a job waits for its termination.
pub fn bell(id: &str) -> String {
    format!("batch:job:{id}")
}

/// End all jobs of a queue.
pub fn terminate_all(tx: &mut Tx<'_>, queue: &str, reason: &str) -> Answer<()> {
    for job in in_status(tx, &[SUBMITTED, PENDING, RUNNABLE, STARTING, RUNNING])? {
        if job.queue == queue {
            end(tx, job, reason)?;
        }
    }
    Ok(())
}

/// Forget jobs that ended long ago, and give the log streams that go with them.
pub fn sweep(tx: &mut Tx<'_>) -> Answer<Vec<String>> {
    let old: Vec<Job> = tx
        .db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM batch_jobs WHERE stopped_at <= ?1"))?
        .query_map([tx.now - KEPT], read)?
        .collect::<Result<_, _>>()?;
    let mut streams = Vec::new();
    for job in old {
        for attempt in job.detail.get("attempts").and_then(Value::as_array).into_iter().flatten() {
            let stream = attempt.pointer("/container/logStreamName").and_then(Value::as_str);
            streams.extend(stream.map(str::to_owned));
        }
        tx.db.execute("DELETE FROM batch_jobs WHERE id = ?1", [&job.id])?;
    }
    Ok(streams)
}
