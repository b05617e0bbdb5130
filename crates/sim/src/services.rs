//! The services outside, and the connector by which a process reaches them. They are late, fail, never answer, and
//! know a request again by its idempotency key; they outlive every process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use asl::{Pattern, Payload, Target};
use async_trait::async_trait;
use engine::port::{Answer, Connector, Followed, Job, Span, TaskRequest, Unreachable};
use machine::record::Stage;

use crate::children;
use crate::express;
use crate::life::Life;
use crate::script::{Said, Says};
use crate::truth::{failed, succeeded, tag};
use crate::world::{State, World};

/// How often a job is asked after, in milliseconds.
pub(crate) const POLL_MS: u64 = 1_500;
/// The longest that a job runs, in milliseconds.
const JOB_MS: u64 = 40_000;
/// How a question is named that starts something at a service.
const START: &str = "start ";
/// How late a request may reach its service, in milliseconds.
const LATE_MS: u64 = 30_000;

/// What the services know.
#[derive(Default)]
pub(crate) struct Services {
    /// Every request that was begun, by its task's tag.
    pub asked: BTreeMap<String, Asked>,
    /// Jobs by idempotency key.
    pub jobs: BTreeMap<String, RunningJob>,
    /// Jobs that were to be stopped, also when they had not been heard of.
    pub cancelled: BTreeSet<String>,
    /// Tokens that were given away, oldest first.
    pub tokens: Vec<Token>,
    /// The spans that the collector was told, by execution: their names, and the states that they are of.
    pub spans: BTreeMap<String, BTreeMap<[u8; 8], String>>,
    /// What is being asked now, by life, tag and question; a start names its service.
    under_way: BTreeSet<(u32, String, String)>,
}

#[derive(Default)]
pub(crate) struct Asked {
    pub key: String,
    /// How often each process has asked.
    pub by_life: BTreeMap<u32, u32>,
}

pub(crate) struct RunningJob {
    pub ends_at_ms: u64,
    pub fails: bool,
}

/// A task token and the task that it is for.
#[derive(Clone)]
pub(crate) struct Token {
    pub text: String,
    pub tag: String,
}

/// A process's way to the services.
pub(crate) struct Hands(pub Arc<Life>);

/// Something that is being asked; it ends also when whoever asks is dropped.
struct UnderWay<'a> {
    world: &'a World,
    what: (u32, String, String),
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        // The world's lock is never held while something is dropped.
        self.world.state().services.under_way.remove(&self.what);
    }
}

impl Hands {
    pub fn world(&self) -> &World {
        &self.0.world
    }

    fn begin(&self, tag: &str, question: &str) -> UnderWay<'_> {
        let what = (self.0.number, tag.to_owned(), question.to_owned());
        let (first, asked) = {
            let mut state = self.world().state();
            let first = state.services.under_way.insert(what.clone());
            let asked = state.services.under_way.iter();
            (
                first,
                asked
                    .filter(|(life, _, what)| *life == self.0.number && what.starts_with(START) && what == question)
                    .count(),
            )
        };
        self.world().check(first, || format!("{question} of {tag} twice at once by L{}", self.0.number));
        let most = self.world().plan.settings.dispatch;
        self.world().check(asked <= most, || format!("{asked} requests at once to {question}, and {most} may be"));
        UnderWay { world: self.world(), what }
    }

    pub async fn pause(&self) {
        let world = self.world();
        let slow = if world.is_quiet() { 0 } else { world.plan.services.slow_ms };
        let ms = world.state().service_dice.delay(slow);
        world.sleep_ms(ms).await;
        self.0.go_on().await;
    }

    fn chance(&self, per_mille: u32) -> bool {
        !self.world().is_quiet() && self.world().state().service_dice.per_mille(per_mille)
    }

    async fn perhaps_die(&self) {
        if self.chance(self.world().plan.crashes.in_call) {
            self.world().note(&format!("L{} dies in a call", self.0.number));
            self.world().saw("crash.in call");
            self.0.die();
        }
        self.0.go_on().await;
    }

    /// Whether it may be asked at all: the log knows the task, and its key is its own.
    fn check_request(&self, request: &TaskRequest, tag: &str) -> Result<(), String> {
        let (key, life) = (&request.idempotency_key, self.0.number);
        let mut guard = self.world().state();
        let State { truth, services, .. } = &mut *guard;
        if !express::is_express(tag) {
            let (log, _, _) = truth.task(tag).ok_or_else(|| format!("{tag} was asked before it was in the log"))?;
            if log.arn != *request.execution_arn {
                return Err(format!("{tag} was asked for {}", request.execution_arn));
            }
        }
        if services.asked.iter().any(|(other, asked)| other != tag && asked.key == *key) {
            return Err(format!("two tasks with the idempotency key {key}"));
        }
        let before = services.asked.get(tag).is_some_and(|asked| !asked.by_life.is_empty());
        let asked = services.asked.entry(tag.to_owned()).or_default();
        if before && asked.key != *key {
            return Err(format!("{tag} with another idempotency key"));
        }
        if before && !request.resent && !self.0.is_superseded() {
            return Err(format!("{tag} is asked again and not called resent"));
        }
        asked.key.clone_from(key);
        let times = asked.by_life.entry(life).or_default();
        *times += 1;
        if *times > 1 {
            return Err(format!("{tag} is asked {times} times by L{life}, which did not die"));
        }
        Ok(())
    }

    /// The service has it: from now on it has happened, whoever hears of it.
    fn effect(&self, request: &TaskRequest, tag: &str) {
        let now = self.world().now_ms();
        let mut guard = self.world().state();
        let state = &mut *guard;
        state.transcript.line(now, &format!("service has {tag} of {}", request.execution_arn));
        match pattern(request) {
            Pattern::Sync { .. } => {
                let (runs, fails) = (state.service_dice.delay(JOB_MS), self.world().plan.services.fails);
                let fails = state.service_dice.per_mille(fails);
                let job = RunningJob { ends_at_ms: now + runs, fails };
                state.services.jobs.entry(request.idempotency_key.clone()).or_insert(job);
            }
            Pattern::WaitForTaskToken => {
                let text = token(request.parameters.value()).unwrap_or_default().to_owned();
                if !state.services.tokens.iter().any(|token| token.text == text) {
                    state.services.tokens.push(Token { text, tag: tag.to_owned() });
                }
            }
            Pattern::RequestResponse => {}
        }
    }

    /// What the service will do with a request.
    fn says(&self, request: &TaskRequest) -> Says {
        let world = self.world();
        let mut state = world.state();
        if let Some(scripted) = state.script.services.pop_front() {
            return scripted;
        }
        if world.is_quiet() {
            return Says { late_ms: 0, acts: true, answer: Said::Yes };
        }
        let (faults, dice) = (&world.plan.services, &mut state.service_dice);
        let late_ms = if dice.per_mille(faults.late) { dice.between(1, LATE_MS) } else { 0 };
        if dice.per_mille(faults.never_answers) {
            return Says { late_ms, acts: dice.per_mille(500), answer: Said::Nothing };
        }
        if dice.per_mille(faults.fails) {
            let is_job = matches!(pattern(request), Pattern::Sync { .. });
            let error = *dice.pick(&["Service.Busy", "Service.Down"]);
            return Says { late_ms, acts: !is_job, answer: Said::Fails(error) };
        }
        Says { late_ms, acts: true, answer: Said::Yes }
    }

    pub fn is_unreachable(&self) -> bool {
        let scripted = {
            let mut state = self.world().state();
            let left = state.script.unreachable;
            state.script.unreachable = left.saturating_sub(1);
            left > 0
        };
        scripted || self.chance(self.world().plan.services.unreachable)
    }

    fn fails(&self, request: &TaskRequest, tag: &str, error: &str) -> Answer {
        self.world().state().truth.report(tag, failed(Some(error)));
        let stage = if pattern(request) == Pattern::RequestResponse { Stage::Run } else { Stage::Submit };
        Answer::Failed { error: error.into(), cause: None, stage }
    }

    fn succeeds(&self, request: &TaskRequest, tag: &str) -> Answer {
        let output = Payload::trusted(format!(r#"{{"done":"{}"}}"#, request.idempotency_key));
        match pattern(request) {
            Pattern::RequestResponse => {
                self.world().state().truth.report(tag, succeeded(output.text()));
                Answer::Succeeded(output)
            }
            _ => Answer::Submitted(output),
        }
    }
}

#[async_trait]
impl Connector for Hands {
    async fn start(&self, request: TaskRequest) -> Answer {
        self.0.go_on().await;
        let world = self.world();
        let tag = tag(request.parameters.value()).unwrap_or_default().to_owned();
        let _under_way = self.begin(&tag, &format!("{START}{}", service(&request)));
        let (life, resent) = (self.0.number, request.resent);
        world.note(&format!("L{life} start {tag} resent {resent} for {} {}", request.execution_arn, request.state));
        world.saw(if resent { "service.resent" } else { "service.asked" });
        world.check_result(self.check_request(&request, &tag));
        self.perhaps_die().await;
        self.pause().await;
        if children::is_start(&request) {
            let answer = children::start(self, &request).await;
            self.perhaps_die().await;
            world.note(&format!("L{life} has started {tag}: {answer:?}"));
            return answer;
        }
        let says = self.says(&request);
        if says.late_ms > 0 {
            world.saw("service.late");
            world.sleep_ms(says.late_ms).await;
            self.0.go_on().await;
        }
        if says.acts {
            self.effect(&request, &tag);
        }
        let answer = match says.answer {
            Said::Nothing => {
                world.saw("service.never answers");
                world.quiet.pass().await;
                self.0.go_on().await;
                self.fails(&request, &tag, "Service.Lost")
            }
            said => {
                self.pause().await;
                self.perhaps_die().await;
                match said {
                    Said::Fails(error) => self.fails(&request, &tag, error),
                    _ => self.succeeds(&request, &tag),
                }
            }
        };
        world.note(&format!("L{life} hears of {tag}: {answer:?}"));
        answer
    }

    async fn follow(&self, job: &Job) -> Result<Followed, Unreachable> {
        self.0.go_on().await;
        let world = self.world();
        let tag = tag(job.request.parameters.value()).unwrap_or_default().to_owned();
        let _under_way = self.begin(&tag, "follow");
        self.pause().await;
        if self.is_unreachable() {
            world.saw("service.unreachable to follow");
            return Err(Unreachable("no route".into()));
        }
        if children::is_start(&job.request) {
            return children::follow(self, &job.request, &tag).await;
        }
        let now = world.now_ms();
        let mut guard = world.state();
        let State { services, truth, .. } = &mut *guard;
        let key = &job.request.idempotency_key;
        let Some(running) = services.jobs.get(key) else {
            drop(guard);
            world.violated(format!("{tag} is followed and was never submitted"));
            return Err(Unreachable("no such job".into()));
        };
        if services.cancelled.contains(key) || running.fails && running.ends_at_ms <= now {
            truth.report(&tag, failed(Some("Job.Failed")));
            return Ok(Followed::Failed { error: "Job.Failed".into(), cause: Some(key.clone()) });
        }
        if running.ends_at_ms > now && !world.is_quiet() {
            return Ok(Followed::Running { ask_again: Duration::from_millis(POLL_MS) });
        }
        let output = Payload::trusted(format!(r#"{{"job":"{key}"}}"#));
        truth.report(&tag, succeeded(output.text()));
        Ok(Followed::Succeeded(output))
    }

    fn takes_spans(&self) -> bool {
        true
    }

    async fn export_spans(&self, spans: &[Span]) -> Result<(), Unreachable> {
        self.0.go_on().await;
        let world = self.world();
        self.pause().await;
        if self.is_unreachable() {
            world.saw("service.unreachable to spans");
            return Err(Unreachable("no route".into()));
        }
        world.saw("service.spans");
        for span in spans {
            let execution = span.attributes.iter().find(|(name, _)| *name == "aws.step_functions.execution.arn");
            let execution = execution.and_then(|(_, arn)| arn.as_str()).unwrap_or_default().to_owned();
            let mut state = world.state();
            let told = state.services.spans.entry(execution).or_default();
            let before = told.insert(span.id, span.name.to_string());
            drop(state);
            world.check(before.is_none_or(|name| name == *span.name), || format!("two spans have a name: {span:?}"));
        }
        self.perhaps_die().await;
        Ok(())
    }

    async fn cancel(&self, job: &Job) -> Result<(), Unreachable> {
        self.0.go_on().await;
        let world = self.world();
        let tag = tag(job.request.parameters.value()).unwrap_or_default().to_owned();
        let _under_way = self.begin(&tag, "cancel");
        world.note(&format!("L{} cancel {tag}", self.0.number));
        let waits = world.state().truth.task(&tag).is_none_or(|(_, _, task)| task.outcome.is_none());
        world.check(!waits, || format!("the job {tag} is cancelled while somebody waits for it"));
        self.pause().await;
        if self.is_unreachable() {
            world.saw("service.unreachable to cancel");
            return Err(Unreachable("no route".into()));
        }
        if children::is_start(&job.request) {
            return children::stop(self, &job.request).await;
        }
        world.saw("service.cancelled");
        world.state().services.cancelled.insert(job.request.idempotency_key.clone());
        Ok(())
    }
}

fn service(request: &TaskRequest) -> &str {
    match &request.resource.target {
        Target::Integration { service, .. } => service,
        _ => "lambda",
    }
}

fn pattern(request: &TaskRequest) -> Pattern {
    match &request.resource.target {
        Target::Integration { pattern, .. } => *pattern,
        _ => Pattern::RequestResponse,
    }
}

fn token(parameters: &serde_json::Value) -> Option<&str> {
    match parameters {
        serde_json::Value::Object(members) => match members.get("token") {
            Some(token) => token.as_str(),
            None => members.values().find_map(token),
        },
        _ => None,
    }
}
