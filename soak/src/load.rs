//! The callers, and the books of what they were told. Each call may be cut off at any point; then nobody knows what
//! became of it, and it is asked again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use serde_json::{Value, json};

use crate::api::{Api, Fault};
use crate::machines::{self, WEIGHTS};
use crate::outside::{Outside, Token};
use crate::server::Server;

/// Between two starts of a starter: more executions a second would say no more than these.
const PAUSE: Duration = Duration::from_millis(40);
/// After a call that nobody answered.
const AGAIN: Duration = Duration::from_millis(10);
/// How long a worker waits for work before it asks anew.
const POLL: Duration = Duration::from_secs(2);
/// Until everything that was begun has ended, once nobody kills any more.
const SETTLES: Duration = Duration::from_secs(240);
/// Executions whose tokens are kept from the beginning.
const PARKED: usize = 12;

/// What a caller does again and again.
type Caller = fn(&Load, &mut Api, &mut Rng) -> Result<(), Fault>;

#[derive(Default)]
pub struct Books {
    pub started: BTreeMap<String, Begun>,
    /// The word in an acknowledged output, and its execution.
    pub words: BTreeMap<String, String>,
    /// When executions were said to have been stopped.
    pub stopped: BTreeMap<String, Value>,
    pub counts: BTreeMap<String, u64>,
    /// What must not be and was.
    pub wrong: Vec<String>,
}

#[derive(Clone)]
pub struct Begun {
    pub kind: &'static str,
    pub input: String,
    pub acknowledged: bool,
}

pub struct Load {
    pub server: Server,
    pub outside: Outside,
    pub machines: BTreeMap<&'static str, String>,
    activity: String,
    books: Mutex<Books>,
    names: AtomicU64,
    sent: Arc<AtomicU64>,
    settling: AtomicBool,
    over: AtomicBool,
    seed: u64,
}

impl Load {
    /// A server that runs, with everything that the callers need.
    pub fn prepare(server: Server, outside: Outside, seed: u64) -> Result<Load> {
        let mut api = Api::new(server.address);
        let activity =
            api.call("CreateActivity", &json!({"name": "work"}))?["activityArn"].as_str().context("an ARN")?.to_owned();
        let mut create = |name: &str, definition: Value| -> Result<String> {
            let parameters = json!({"name": name, "definition": definition.to_string(), "roleArn": "arn:aws:iam::000000000000:role/soak"});
            let answer = api.call("CreateStateMachine", &parameters)?;
            Ok(answer["stateMachineArn"].as_str().context("an ARN")?.to_owned())
        };
        let child = create("child", machines::child())?;
        let mut arns = BTreeMap::new();
        for (kind, definition) in machines::definitions(&outside, &activity, &child) {
            arns.insert(kind, create(kind, definition)?);
        }
        arns.insert("child", child);
        let (books, names, sent) = (Mutex::default(), AtomicU64::new(0), Arc::default());
        let (settling, over) = (AtomicBool::new(false), AtomicBool::new(false));
        let load = Load { server, outside, machines: arns, activity, books, names, sent, settling, over, seed };
        for _ in 0..PARKED {
            load.begin(&mut load.api(), "parked")?;
        }
        load.wait("the parked tokens", || load.outside.seen().parked.len() == PARKED)?;
        Ok(load)
    }

    pub fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, what: &str) {
        *self.books().counts.entry(what.to_owned()).or_default() += 1;
    }

    fn complain(&self, what: String) {
        self.books().wrong.push(what);
    }

    pub fn api(&self) -> Api {
        let sent = self.sent.clone();
        Api::telling(self.server.address, move || {
            sent.fetch_add(1, Ordering::Relaxed);
        })
    }

    /// How many calls were sent so far.
    pub fn calls(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    pub fn arn(&self, kind: &str, name: &str) -> String {
        format!("{}:{name}", self.machines[kind].replace(":stateMachine:", ":execution:"))
    }

    fn wait(&self, what: &str, mut done: impl FnMut() -> bool) -> Result<()> {
        let since = Instant::now();
        while !done() {
            ensure!(since.elapsed() < SETTLES, "{what}: they do not come");
            std::thread::sleep(AGAIN);
        }
        Ok(())
    }

    /// Runs the callers until `act` returns.
    pub fn run<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        std::thread::scope(|scope| {
            let callers: [(&str, Caller); 7] = [
                ("starter", Load::start),
                ("another starter", Load::start),
                ("stopper", Load::start_and_stop),
                ("worker", Load::work),
                ("another worker", Load::work),
                ("answerer", Load::answer),
                ("another answerer", Load::answer),
            ];
            for (place, (who, call)) in callers.into_iter().enumerate() {
                scope.spawn(move || {
                    let mut dice = Rng::with_seed(self.seed.wrapping_add(place as u64 + 1));
                    let mut api =
                        if who.contains("worker") { Api::impatient(self.server.address, POLL) } else { self.api() };
                    while !self.over.load(Ordering::Relaxed) {
                        match call(self, &mut api, &mut dice) {
                            Ok(()) => {}
                            Err(Fault::NoAnswer) => {
                                self.count("calls without an answer");
                                std::thread::sleep(AGAIN);
                            }
                            Err(Fault::Refused(name, message)) => self.complain(format!("{who}: {name}: {message}")),
                        }
                    }
                });
            }
            let done = act();
            self.over.store(true, Ordering::Relaxed);
            done
        })
    }

    /// Starts an execution; its name.
    pub fn begin(&self, api: &mut Api, kind: &'static str) -> Result<String, Fault> {
        let name = format!("{kind}-{}", self.names.fetch_add(1, Ordering::Relaxed));
        let input = json!({"items": [1, 2], "name": name}).to_string();
        self.books().started.insert(name.clone(), Begun { kind, input: input.clone(), acknowledged: false });
        self.start_named(api, kind, &name, &input)?;
        Ok(name)
    }

    fn start_named(&self, api: &mut Api, kind: &str, name: &str, input: &str) -> Result<(), Fault> {
        api.call("StartExecution", &json!({"stateMachineArn": self.machines[kind], "name": name, "input": input}))?;
        self.books().started.get_mut(name).expect("it was written down").acknowledged = true;
        Ok(())
    }

    fn start(&self, api: &mut Api, dice: &mut Rng) -> Result<(), Fault> {
        std::thread::sleep(PAUSE);
        if self.settling.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut at = dice.u32(0..WEIGHTS.iter().map(|(_, weight)| weight).sum());
        for (kind, weight) in WEIGHTS {
            if at < *weight {
                self.begin(api, kind)?;
                break;
            }
            at -= weight;
        }
        Ok(())
    }

    /// Begins jobs that never end, and stops each after a while, asking again until that is acknowledged.
    fn start_and_stop(&self, api: &mut Api, dice: &mut Rng) -> Result<(), Fault> {
        let waiting: Vec<(String, Begun)> = {
            let books = self.books();
            let endless = books
                .started
                .iter()
                .filter(|(name, begun)| begun.kind == "endless" && !books.stopped.contains_key(*name));
            endless.map(|(name, begun)| (name.clone(), begun.clone())).collect()
        };
        for (name, begun) in waiting {
            if !begun.acknowledged {
                self.learn(api, &name, &begun)?;
            }
            let stopped =
                api.call("StopExecution", &json!({"executionArn": self.arn("endless", &name), "error": "Stopped"}))?;
            self.books().stopped.insert(name, stopped["stopDate"].clone());
        }
        if !self.settling.load(Ordering::Relaxed) {
            self.begin(api, "endless")?;
        }
        std::thread::sleep(Duration::from_millis(dice.u64(0..300)));
        Ok(())
    }

    /// Nobody heard the answer to this start. If it has done anything, it is there; the same call again says where it is,
    /// or begins what never was.
    fn learn(&self, api: &mut Api, name: &str, begun: &Begun) -> Result<(), Fault> {
        if self.outside.seen().knows(name)
            && api
                .call("DescribeExecution", &json!({"executionArn": self.arn(begun.kind, name)}))
                .is_err_and(|fault| fault.is("ExecutionDoesNotExist"))
        {
            self.complain(format!("{name} has called a service and is not there"));
        }
        match self.start_named(api, begun.kind, name, &begun.input) {
            Err(fault) if fault.is("ExecutionAlreadyExists") => {
                self.books().started.get_mut(name).expect("it was written down").acknowledged = true;
                self.count("starts asked again that had ended");
                Ok(())
            }
            answer => {
                self.count("starts asked again");
                answer
            }
        }
    }

    /// Gives a token back. What is acknowledged has to be in the history.
    fn succeed(&self, api: &mut Api, token: &Token) -> Result<(), Fault> {
        let word = format!("word-{}", self.names.fetch_add(1, Ordering::Relaxed));
        let output = json!({"word": word}).to_string();
        match api.call("SendTaskSuccess", &json!({"taskToken": token.text, "output": output})) {
            Ok(_) => {
                self.books().words.insert(word, token.execution.clone());
                Ok(())
            }
            // Another sending of the same token was heard, or the task has timed out since it was handed out.
            Err(fault) if fault.is("TaskTimedOut") => {
                self.count("tokens that came late");
                Ok(())
            }
            Err(fault) => Err(fault),
        }
    }

    fn beat(&self, api: &mut Api, token: &Token) -> Result<(), Fault> {
        match api.call("SendTaskHeartbeat", &json!({"taskToken": token.text})) {
            Ok(_) => self.count("heartbeats"),
            Err(fault) if fault.is("TaskTimedOut") => {}
            Err(fault) => return Err(fault),
        }
        Ok(())
    }

    fn work(&self, api: &mut Api, dice: &mut Rng) -> Result<(), Fault> {
        let work = api.call("GetActivityTask", &json!({"activityArn": self.activity}))?;
        let Some(text) = work["taskToken"].as_str().map(str::to_owned) else { return Ok(()) };
        let input: Value = serde_json::from_str(work["input"].as_str().unwrap_or_default()).unwrap_or_default();
        let token = Token { execution: input["execution"].as_str().unwrap_or_default().to_owned(), text };
        self.count("activity tasks");
        if dice.u8(..) < 80 {
            self.beat(api, &token)?;
        }
        self.succeed(api, &token)
    }

    fn answer(&self, api: &mut Api, dice: &mut Rng) -> Result<(), Fault> {
        let Some(token) = self.outside.seen().messages.pop_front() else {
            std::thread::sleep(AGAIN);
            return Ok(());
        };
        let done = if dice.u8(..) < 80 { self.beat(api, &token) } else { Ok(()) };
        let done = done.and_then(|()| self.succeed(api, &token));
        if done.is_err() {
            // It stays in the queue until it was answered.
            self.outside.seen().messages.push_back(token);
        }
        done
    }

    /// What was parked before the first kill still works: one token is given back, another's heart beats.
    pub fn parked_tokens_work(&self) -> Result<()> {
        let mut parked = std::mem::take(&mut self.outside.seen().parked);
        let mut api = self.api();
        if parked.len() > 2
            && let Some((name, token)) = parked.pop_first()
        {
            api.call("SendTaskSuccess", &json!({"taskToken": token.text, "output": json!({"word": name}).to_string()}))
                .map_err(|fault| anyhow::Error::from(fault).context("a parked token was refused"))?;
            self.books().words.insert(name.clone(), name);
        }
        if let Some((_, token)) = parked.first_key_value() {
            api.call("SendTaskHeartbeat", &json!({"taskToken": token.text}))?;
        }
        self.outside.seen().parked.append(&mut parked);
        Ok(())
    }

    /// Lets all end that can.
    pub fn settle(&self) -> Result<()> {
        self.settling.store(true, Ordering::Relaxed);
        let mut api = self.api();
        let parked = std::mem::take(&mut self.outside.seen().parked);
        for token in parked.values() {
            self.succeed(&mut api, token)?;
        }
        let unheard: Vec<(String, Begun)> = {
            let books = self.books();
            let unheard = books.started.iter().filter(|(_, begun)| !begun.acknowledged && begun.kind != "endless");
            unheard.map(|(name, begun)| (name.clone(), begun.clone())).collect()
        };
        for (name, begun) in unheard {
            self.learn(&mut api, &name, &begun)?;
        }
        let since = Instant::now();
        for (kind, machine) in &self.machines {
            loop {
                let running = api.all(
                    "ListExecutions",
                    "executions",
                    json!({"stateMachineArn": machine, "statusFilter": "RUNNING"}),
                )?;
                let Some(one) = running.first() else { break };
                if since.elapsed() > SETTLES {
                    bail!("{} of {kind} have not ended, such as {}", running.len(), one["executionArn"]);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }
}
