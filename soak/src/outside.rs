//! The services that the server calls: they live in the driver and outlive every kill, so what they have seen is what has
//! really happened. A queue gives its messages to workers, a function counts its calls, jobs run until they are done or
//! are ended.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{Message, serve};

/// How long a job runs.
const JOB: Duration = Duration::from_millis(80);
/// Jobs of this definition run until they are ended.
pub const ENDLESS: &str = "endless";
/// Messages of this queue are kept.
pub const PARKING: &str = "parking";

#[derive(Default)]
pub struct Seen {
    /// Messages of the queue that no worker has taken yet.
    pub messages: VecDeque<Token>,
    pub parked: BTreeMap<String, Token>,
    /// How often each execution has sent a message, and called the function.
    pub sent: BTreeMap<String, u32>,
    pub called: BTreeMap<String, u32>,
    pub jobs: Vec<Job>,
}

#[derive(Clone)]
pub struct Token {
    pub execution: String,
    pub text: String,
}

pub struct Job {
    pub name: String,
    definition: String,
    environment: Value,
    since: Instant,
    pub ended: Option<String>,
}

impl Seen {
    /// Whether anything of this execution has come here.
    pub fn knows(&self, execution: &str) -> bool {
        self.sent.contains_key(execution)
            || self.called.contains_key(execution)
            || self.jobs.iter().any(|job| job.name == execution)
    }
}

impl Job {
    fn status(&self) -> &'static str {
        match (&self.ended, self.definition == ENDLESS || self.since.elapsed() < JOB) {
            (Some(_), _) => "FAILED",
            (None, true) => "RUNNING",
            (None, false) => "SUCCEEDED",
        }
    }

    fn described(&self, id: usize) -> Value {
        json!({
            "jobId": id.to_string(), "jobName": self.name, "jobQueue": "q", "jobDefinition": self.definition,
            "status": self.status(), "startedAt": 1_700_000_000_000_u64,
            "statusReason": self.ended, "container": {"environment": self.environment}
        })
    }
}

#[derive(Clone)]
pub struct Outside {
    pub address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Outside {
    pub fn open() -> io::Result<Outside> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let outside = Outside { address: listener.local_addr()?, seen: Arc::default() };
        let answering = outside.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let outside = answering.clone();
                // A connection breaks when the server is killed.
                std::thread::spawn(move || serve(stream, |request| outside.answer(&request)));
            }
        });
        Ok(outside)
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn queue(&self, name: &str) -> String {
        format!("http://{}/000000000000/{name}", self.address)
    }

    fn answer(&self, request: &Message) -> (u16, String) {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let seen = &mut *self.seen();
        let answer = match request.line.as_str() {
            "/v1/submitjob" => submit(seen, &body),
            "/v1/listjobs" => list(seen, &body),
            "/v1/describejobs" => describe(seen, &body),
            "/v1/terminatejob" => terminate(seen, &body),
            path if path.starts_with("/2015-03-31/functions/") => {
                *seen.called.entry(text(&body["execution"])).or_default() += 1;
                json!({"called": body["execution"]})
            }
            _ if request.target == "AmazonSQS.SendMessage" => message(seen, &body),
            path => return (404, json!({"message": format!("{path} {} is not here", request.target)}).to_string()),
        };
        (200, answer.to_string())
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn message(seen: &mut Seen, body: &Value) -> Value {
    let inner: Value = serde_json::from_str(body["MessageBody"].as_str().unwrap_or_default()).unwrap_or_default();
    let token = Token { execution: text(&inner["execution"]), text: text(&inner["token"]) };
    *seen.sent.entry(token.execution.clone()).or_default() += 1;
    if text(&body["QueueUrl"]).ends_with(PARKING) {
        seen.parked.insert(token.execution.clone(), token);
    } else {
        seen.messages.push_back(token);
    }
    json!({"MessageId": "m", "MD5OfMessageBody": "00000000000000000000000000000000"})
}

fn submit(seen: &mut Seen, body: &Value) -> Value {
    let (name, definition) = (text(&body["jobName"]), text(&body["jobDefinition"]));
    let environment = body["containerOverrides"]["environment"].clone();
    seen.jobs.push(Job { name: name.clone(), definition, environment, since: Instant::now(), ended: None });
    json!({"jobId": (seen.jobs.len() - 1).to_string(), "jobName": name, "jobArn": "arn:aws:batch:::job/x"})
}

fn list(seen: &Seen, body: &Value) -> Value {
    let name = text(&body["filters"][0]["values"][0]);
    let named = seen.jobs.iter().enumerate().filter(|(_, job)| job.name == name);
    let rows: Vec<_> = named.map(|(id, job)| json!({"jobId": id.to_string(), "jobName": job.name})).collect();
    json!({"jobSummaryList": rows})
}

fn describe(seen: &Seen, body: &Value) -> Value {
    let ids = body["jobs"].as_array().into_iter().flatten().filter_map(|id| id.as_str()?.parse::<usize>().ok());
    let jobs: Vec<_> = ids.filter_map(|id| Some(seen.jobs.get(id)?.described(id))).collect();
    json!({"jobs": jobs})
}

fn terminate(seen: &mut Seen, body: &Value) -> Value {
    let id: Option<usize> = body["jobId"].as_str().and_then(|id| id.parse().ok());
    if let Some(job) = id.and_then(|id| seen.jobs.get_mut(id)) {
        job.ended = Some(text(&body["reason"]));
    }
    json!({})
}
