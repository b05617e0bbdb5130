//! What a turn wished, done: requests are sent, jobs followed to their end, debts paid, workers given their tasks.
//!
//! Whatever happens here is reported back as mail. After a crash the folded execution says what is still to be done,
//! and [`Engine::tend`] does it: a request that may have been sent is sent again under the same idempotency key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::{Kind, Pattern, Payload, Program, Resource, Target};
use machine::record::{DebtKind, LOGS, Stage};
use machine::{Body, Effect, Execution, Input, Record, Report, Status, TaskId, Timestamp, Turn, Verdict};
use store::ExecutionKey;
use tokio::task::AbortHandle;

use crate::api::ExecutionDescription;
use crate::describe::{self, Errand};
use crate::port::{Answer, Followed, Job, MockedTask, Played, TaskRequest};
use crate::slots::Live;
use crate::{Engine, Error, arn};

/// The pause after a service could not be asked about a job, at first and at most.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// What is under way here for tasks, so that nothing is sent or followed twice by one process.
#[derive(Default)]
pub(crate) struct Errands {
    inner: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    tasks: HashMap<(ExecutionKey, TaskId), Going>,
    last_number: u64,
}

struct Going {
    kind: Errand,
    number: u64,
    /// Absent for the moment in which it is being started.
    abort: Option<AbortHandle>,
}

impl Errands {
    fn lock(&self) -> std::sync::MutexGuard<'_, UnderWay> {
        self.inner.lock().expect("no panic while held")
    }

    /// A number for a new errand, unless one is under way for the task. A request that was answered makes way for the
    /// following of its job: all that it still does is to wait until its report is durable.
    fn begin(&self, key: ExecutionKey, task: TaskId, kind: Errand) -> Option<u64> {
        let mut inner = self.lock();
        match inner.tasks.get(&(key, task)) {
            Some(going) if !(going.kind == Errand::Send && kind == Errand::Follow) => return None,
            _ => {}
        }
        inner.last_number += 1;
        let number = inner.last_number;
        inner.tasks.insert((key, task), Going { kind, number, abort: None });
        Some(number)
    }

    /// The errand runs, and this stops it.
    fn runs(&self, key: ExecutionKey, task: TaskId, number: u64, abort: AbortHandle) {
        if let Some(going) = self.lock().tasks.get_mut(&(key, task))
            && going.number == number
        {
            going.abort = Some(abort);
            return;
        }
        // It was stopped, or has ended, before it was known how to stop it.
        abort.abort();
    }

    fn end(&self, key: ExecutionKey, task: TaskId, number: u64) {
        if let Entry::Occupied(entry) = self.lock().tasks.entry((key, task))
            && entry.get().number == number
        {
            entry.remove();
        }
    }

    /// A request has been answered and is not wanted any more. What has taken its place stays.
    fn make_way(&self, key: ExecutionKey, task: TaskId) {
        if let Entry::Occupied(entry) = self.lock().tasks.entry((key, task))
            && entry.get().kind == Errand::Send
        {
            entry.remove();
        }
    }

    /// Drops what is under way for the task, if it is one of these.
    fn abort(&self, key: ExecutionKey, task: TaskId, kinds: &[Errand]) {
        let stopped = match self.lock().tasks.entry((key, task)) {
            Entry::Occupied(entry) if kinds.contains(&entry.get().kind) => entry.remove().abort,
            _ => None,
        };
        if let Some(handle) = stopped {
            handle.abort();
        }
    }
}

/// Held by an errand while it runs, however it ends: with its work, stopped, or by a panic of its connector.
struct Ticket {
    engine: Engine,
    key: ExecutionKey,
    task: TaskId,
    number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.engine.errands.end(self.key, self.task, self.number);
    }
}

/// Whether a request may have been sent before.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Never,
    /// By the process that ended.
    Perhaps,
}

impl Engine {
    /// After the commit of a turn.
    pub(crate) fn carry_out(&self, key: ExecutionKey, live: &Live, turn: &Turn) {
        let execution = &live.execution;
        for record in &turn.records {
            match &record.body {
                Body::TaskStarted { task, .. } => self.activities.started(key, *task),
                Body::TaskSubmitted { task, .. } => self.look_after(key, live, *task, Before::Never),
                _ => {}
            }
        }
        for effect in &turn.effects {
            match effect {
                Effect::StartTask { task } => self.look_after(key, live, *task, Before::Never),
                Effect::ForgetTask { task } => {
                    self.activities.forget(key, *task);
                    // The name of a job that was being submitted is needed to stop it.
                    let is_owed = execution.debts.contains_key(task);
                    let stopped: &[_] = if is_owed { &[Errand::Follow] } else { &[Errand::Send, Errand::Follow] };
                    self.errands.abort(key, *task, stopped);
                }
                Effect::CancelTask { task } => self.pay(key, live, *task),
                Effect::Finished => self.finish(key, execution),
            }
        }
        if let (Some(logging), Some(started)) = (&live.logging, &execution.started) {
            let events = turn.events_up_to(execution.events);
            let records = (&turn.records[..], *events.start());
            // What is owed since an earlier turn is settled with whatever this one adds, were it nothing.
            let of = execution.debts.contains_key(&LOGS).then_some((key, execution.events));
            self.log_events(logging, &live.program, &started.arn, events, records, of);
        }
        self.beats.keep(key, |task| execution.tasks.contains_key(&task));
    }

    /// All that a loaded execution has under way and this process does not know of. Who is stopping begins nothing more.
    pub(crate) fn tend(&self, key: ExecutionKey, live: &Live) {
        let is_stopping = self.is_stopping();
        for (task, waiting) in &live.execution.tasks {
            let is_activity = describe::activity_of(&live.program, &live.execution, *task).is_some();
            // Its row is there since it was scheduled, even where that commit's outcome was not heard.
            let is_missing = || waiting.started_at.is_none() && !self.activities.knows(key, *task);
            if is_activity && !is_missing() {
                continue;
            }
            match is_stopping {
                false => self.look_after(key, live, *task, Before::Perhaps),
                // The row goes with whatever turn ends the task.
                true if is_activity => self.activities.note((key, *task)),
                true => {}
            }
        }
        if is_stopping {
            // What its turns here deliver is not all that it owes.
            self.spans.turn_away(key);
            self.logs.turn_away(key);
            return;
        }
        for task in live.execution.debts.keys() {
            self.pay(key, live, *task);
        }
    }

    /// Does for a task what it needs now.
    fn look_after(&self, key: ExecutionKey, live: &Live, task: TaskId, sent: Before) {
        if let Some((pattern, played)) = self.mocked(&live.program, &live.execution, task) {
            self.run_errand(key, task, Errand::Send, |engine| async move {
                engine.play(key, task, pattern, played).await;
            });
            return;
        }
        if let Some(activity) = describe::activity_of(&live.program, &live.execution, task) {
            self.activities.add(&activity, (key, task));
            return;
        }
        let Some(waiting) = live.execution.tasks.get(&task) else { return };
        let Some(mut request) = self.request(
            &live.program,
            &live.execution,
            task,
            waiting.state,
            &waiting.parameters,
            &waiting.credentials,
        ) else {
            return;
        };
        request.trace = live.tracing.as_ref().map(|tracing| tracing.header(&live.execution, Some(waiting.frame)));
        match describe::errand(&live.program, waiting) {
            Errand::Wait => {}
            Errand::Send => {
                // That it was started is recorded while it is being sent, so a crash may have hidden that it was.
                request.resent = sent == Before::Perhaps;
                self.run_errand(key, task, Errand::Send, |engine| async move { engine.send(key, task, request).await });
            }
            Errand::Follow => {
                let job = Job { request, submitted: waiting.submitted.clone() };
                self.run_errand(key, task, Errand::Follow, |engine| async move { engine.follow(key, task, job).await });
            }
        }
    }

    /// What the test case of the execution says of a task, and the task's pattern.
    pub(crate) fn mocked(&self, program: &Program, execution: &Execution, task: TaskId) -> Option<(Pattern, Played)> {
        let case = execution.mock.as_deref()?;
        let waiting = execution.tasks.get(&task)?;
        let state = program.state(waiting.state);
        let Kind::Task(asl) = &state.kind else { return None };
        let played = self.connector.play(&MockedTask {
            machine: arn::name_of(&execution.started.as_ref()?.machine),
            case,
            state: &state.name,
            attempt: execution.frame(waiting.frame).retries.iter().sum(),
            resource: &asl.resource,
        })?;
        let pattern = match &asl.resource.target {
            Target::Integration { pattern, .. } => *pattern,
            _ => Pattern::RequestResponse,
        };
        Some((pattern, played))
    }

    /// Whether the test case plays a state, at its first attempt.
    fn is_mocked(&self, live: &Live, state: asl::StateId) -> bool {
        let (Some(case), Some(started)) = (live.execution.mock.as_deref(), live.execution.started.as_ref()) else {
            return false;
        };
        let state = live.program.state(state);
        let Kind::Task(asl) = &state.kind else { return false };
        let machine = arn::name_of(&started.machine);
        let task = MockedTask { machine, case, state: &state.name, attempt: 0, resource: &asl.resource };
        self.connector.play(&task).is_some()
    }

    /// Reports what a test case says, as if it had been heard from outside.
    async fn play(&self, key: ExecutionKey, task: TaskId, pattern: Pattern, played: Played) {
        let mut reports = vec![Report::Started { worker: None }];
        if pattern != Pattern::RequestResponse {
            reports.push(Report::Submitted { output: Payload::empty_object() });
        }
        reports.push(played.report());
        for report in reports {
            self.insist(key, Input::Report { task, report }).await;
        }
    }

    fn run_errand<F>(&self, key: ExecutionKey, task: TaskId, kind: Errand, work: impl FnOnce(Engine) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(number) = self.errands.begin(key, task, kind) else { return };
        let ticket = Ticket { engine: self.clone(), key, task, number };
        let work = work(self.clone());
        let running = tokio::spawn(async move {
            let _ticket = ticket;
            work.await;
        });
        self.errands.runs(key, task, number, running.abort_handle());
    }

    pub(crate) fn request(
        &self,
        program: &Program,
        execution: &Execution,
        task: TaskId,
        state: asl::StateId,
        parameters: &Payload,
        credentials: &Option<Payload>,
    ) -> Option<TaskRequest> {
        let state = program.state(state);
        let Kind::Task(asl) = &state.kind else { return None };
        let started = execution.started.as_ref()?;
        let home = arn::Arn::parse(&started.arn).ok()?;
        Some(TaskRequest {
            execution_arn: started.arn.clone(),
            state: state.name.clone(),
            resource: asl.resource.clone(),
            parameters: parameters.clone(),
            credentials: credentials.clone(),
            role: started.role.clone(),
            account: home.account.into(),
            region: home.region.into(),
            // An Express execution has its ARN alone, and begins anew after a crash.
            idempotency_key: match home.kind {
                "express" => idempotency_key(&started.arn, 0, task),
                _ => idempotency_key(&started.arn, execution.started_at, task),
            },
            trace: None,
            resent: false,
        })
    }

    async fn send(&self, key: ExecutionKey, task: TaskId, request: TaskRequest) {
        let mut job = Job { request: request.clone(), submitted: None };
        let answer = {
            // Dispatch is bounded: the rest waits here, not at the service.
            let _open = self.gates.pass(&request.resource).await;
            let started = self.insist(key, Input::Report { task, report: Report::Started { worker: None } });
            tokio::select! {
                biased;
                never = async { started.await; std::future::pending().await } => never,
                answer = self.connector.start(request) => answer,
            }
        };
        // A refusal says nothing of the request that may have been sent before a crash.
        let was_refused = matches!(answer, Answer::Failed { .. }) && !job.request.resent;
        let report = match answer {
            Answer::Succeeded(output) => Report::Succeeded { output },
            Answer::Submitted(output) => {
                job.submitted = Some(output.clone());
                Report::Submitted { output }
            }
            Answer::Failed { error, cause, stage } => {
                Report::Failed { error: Some(error.into()), cause: cause.map(Into::into), stage }
            }
        };
        let verdict = self.insist(key, Input::Report { task, report }).await;
        if verdict == Some(Verdict::NotWaiting) && is_job(&job.request.resource) {
            // Stopped while it was being submitted: only now has the job a name to stop it by.
            self.errands.make_way(key, task);
            self.run_errand(key, task, Errand::Wait, |engine| async move {
                if was_refused {
                    // As far as anybody knows there is no job; one look is enough.
                    let _ = engine.connector.cancel(&job).await;
                    engine.insist(key, Input::Settled { task }).await;
                } else {
                    engine.cancel(key, task, job).await;
                }
            });
        }
    }

    async fn follow(&self, key: ExecutionKey, task: TaskId, job: Job) {
        let mut pause = RETRY_PAUSE.0;
        let report = loop {
            match self.connector.follow(&job).await {
                Ok(Followed::Running { ask_again }) => {
                    pause = RETRY_PAUSE.0;
                    tokio::time::sleep(ask_again).await;
                }
                Ok(Followed::Succeeded(output)) => break Report::Succeeded { output },
                Ok(Followed::Failed { error, cause }) => {
                    let cause = cause.map(Into::into);
                    break Report::Failed { error: Some(error.into()), cause, stage: Stage::Run };
                }
                Err(error) => {
                    tracing::warn!(execution = %job.request.execution_arn, %error, "a job cannot be asked after");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RETRY_PAUSE.1);
                }
            }
        };
        self.insist(key, Input::Report { task, report }).await;
    }

    /// Leaves news until a turn has taken it in: that a commit failed is no reason to forget what a service has said, or
    /// to ask it a second time. `None` where there is nobody to tell, or the engine stops.
    async fn insist(&self, key: ExecutionKey, input: Input) -> Option<Verdict> {
        let mut pause = RETRY_PAUSE.0;
        loop {
            match self.ask(key, input.clone()).await {
                Ok(verdict) => return Some(verdict),
                Err(Error::TaskDoesNotExist) => return None,
                Err(_) if self.is_stopping() => return None,
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause = (pause * 2).min(RETRY_PAUSE.1);
        }
    }

    /// Pays a debt: stops a job that nobody waits for.
    fn pay(&self, key: ExecutionKey, live: &Live, task: TaskId) {
        let Some(debt) = live.execution.debts.get(&task) else { return };
        match debt.kind {
            DebtKind::DeliverLogs { since } => return self.log_again(key, live, since),
            DebtKind::ExportSpans { since } => return self.export_again(key, live, since),
            DebtKind::CancelTask => {}
        }
        if self.is_mocked(live, debt.state) {
            // Nobody outside has heard of it.
            self.run_errand(key, task, Errand::Wait, |engine| async move {
                engine.insist(key, Input::Settled { task }).await;
            });
            return;
        }
        let Some(request) =
            self.request(&live.program, &live.execution, task, debt.state, &debt.parameters, &debt.credentials)
        else {
            return;
        };
        let job = Job { request, submitted: debt.submitted.clone() };
        self.errands.abort(key, task, &[Errand::Follow]);
        if debt.submitted.is_some() {
            // The request was answered, and in the turn that took the answer the job was stopped.
            self.errands.make_way(key, task);
        }
        self.run_errand(key, task, Errand::Wait, |engine| async move { engine.cancel(key, task, job).await });
    }

    async fn cancel(&self, key: ExecutionKey, task: TaskId, job: Job) {
        let mut pause = RETRY_PAUSE.0;
        while let Err(error) = self.connector.cancel(&job).await {
            tracing::warn!(execution = %job.request.execution_arn, %error, "a job cannot be stopped yet");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY_PAUSE.1);
        }
        self.insist(key, Input::Settled { task }).await;
    }

    /// Tells who wants to hear that an execution has started, goes on after a redrive, or is over.
    pub(crate) fn announce(&self, turn: &Turn, description: &Arc<ExecutionDescription>) {
        if !self.listened {
            return;
        }
        let is_start =
            |record: &Record| matches!(record.body, Body::ExecutionStarted(_) | Body::ExecutionRedriven { .. });
        let started = turn.records.first().is_some_and(is_start).then(|| ExecutionDescription {
            status: Status::Running,
            stopped_at: None,
            output: None,
            failure: None,
            ..ExecutionDescription::clone(description)
        });
        let over = turn.records.iter().any(|record| record.body.is_end()).then(|| description.clone());
        if started.is_none() && over.is_none() {
            return;
        }
        let engine = self.clone();
        tokio::spawn(async move {
            for change in started.iter().chain(over.as_deref()) {
                let Ok(home) = arn::Arn::parse(&change.arn) else { return };
                engine.connector.status_changed(home.account, home.region, change).await;
            }
        });
    }

    /// An execution is over.
    pub(crate) fn finish(&self, key: ExecutionKey, execution: &Execution) {
        for watcher in self.watchers.lock().expect("no panic while held").remove(&key).into_iter().flatten() {
            let _ = watcher.send(());
        }
        let Some(started) = execution.started.as_ref() else { return };
        if self.deleting.number(&started.machine).is_some() {
            let (engine, machine) = (self.clone(), started.machine.clone());
            tokio::spawn(async move { engine.delete_when_idle(&machine).await });
        }
    }
}

fn is_job(resource: &Resource) -> bool {
    matches!(resource.target, Target::Integration { pattern: Pattern::Sync { .. }, .. })
}

/// The same for every attempt to send one task, and for nothing else, also where an execution takes the name of one that
/// was deleted: a hash, so that its length and letters suit every service.
fn idempotency_key(execution: &str, started_at: Timestamp, task: TaskId) -> String {
    let hash = crate::programs::hash(&format!("{execution}/{started_at}/{task}"));
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
