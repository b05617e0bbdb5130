//! What a turn wished, done: requests are sent, jobs followed to their end, debts paid, workers given their tasks.
//!
//! Whatever happens here is reported back as mail. After a crash the folded execution says what is still to be done,
//! and [`Engine::tend`] does it: a request that may have been sent is sent again under the same idempotency key.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::{Kind, Pattern, Payload, Resource, Target};
use machine::record::Stage;
use machine::{Body, Effect, Execution, Input, Record, Report, Status, TaskId, Turn, Verdict};
use store::ExecutionKey;
use tokio::task::AbortHandle;

use crate::api::ExecutionDescription;
use crate::describe::{self, Errand};
use crate::port::{Answer, Followed, Job, TaskRequest};
use crate::slots::Live;
use crate::{Engine, arn};

/// The pause after a service could not be asked about a job, at first and at most.
const RETRY_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// What is under way here for tasks, so that nothing is sent or followed twice by one process.
#[derive(Default)]
pub(crate) struct Errands {
    under_way: Mutex<HashMap<(ExecutionKey, TaskId), (Errand, AbortHandle)>>,
}

impl Errands {
    /// Starts an errand unless one is under way for the task.
    fn start(&self, key: ExecutionKey, task: TaskId, kind: Errand, work: impl Future<Output = ()> + Send + 'static) {
        let mut under_way = self.under_way.lock().expect("no panic while held");
        under_way.entry((key, task)).or_insert_with(|| (kind, tokio::spawn(work).abort_handle()));
    }

    fn finish(&self, key: ExecutionKey, task: TaskId) {
        self.under_way.lock().expect("no panic while held").remove(&(key, task));
    }

    /// Drops what is under way for the task. `heard` spares a request whose answer still has to be heard.
    fn abort(&self, key: ExecutionKey, task: TaskId, heard: bool) {
        let mut under_way = self.under_way.lock().expect("no panic while held");
        if let Entry::Occupied(entry) = under_way.entry((key, task))
            && !(heard && entry.get().0 == Errand::Send)
        {
            entry.remove().1.abort();
        }
    }
}

impl Engine {
    /// After the commit of a turn.
    pub(crate) fn carry_out(&self, key: ExecutionKey, live: &Live, turn: &Turn) {
        let execution = &live.execution;
        for record in &turn.records {
            match &record.body {
                Body::TaskStarted { task, .. } => self.activities.forget(key, *task),
                Body::TaskSubmitted { task, .. } => self.look_after(key, live, *task),
                _ => {}
            }
        }
        for effect in &turn.effects {
            match effect {
                Effect::StartTask { task } => self.look_after(key, live, *task),
                Effect::ForgetTask { task } => {
                    self.activities.forget(key, *task);
                    // The name of a job that was being submitted is needed to stop it.
                    self.errands.abort(key, *task, execution.debts.contains_key(task));
                }
                Effect::CancelTask { task } => self.pay(key, live, *task),
                Effect::Finished => self.finish(key, execution),
            }
        }
        self.beats.keep(key, |task| execution.tasks.contains_key(&task));
    }

    /// All that a loaded execution has under way and this process does not know of.
    pub(crate) fn tend(&self, key: ExecutionKey, live: &Live) {
        for task in live.execution.tasks.keys() {
            if describe::activity_of(&live.program, &live.execution, *task).is_none() {
                self.look_after(key, live, *task);
            }
        }
        for task in live.execution.debts.keys() {
            self.pay(key, live, *task);
        }
    }

    /// Does for a task what it needs now.
    fn look_after(&self, key: ExecutionKey, live: &Live, task: TaskId) {
        if let Some(activity) = describe::activity_of(&live.program, &live.execution, task) {
            self.activities.add(&activity, (key, task));
            return;
        }
        let Some(waiting) = live.execution.tasks.get(&task) else { return };
        let Some(mut request) = self.request(live, task, waiting.state, &waiting.parameters, &waiting.credentials)
        else {
            return;
        };
        let engine = self.clone();
        match describe::errand(&live.program, waiting) {
            Errand::Wait => {}
            Errand::Send => {
                request.resent = waiting.started_at.is_some();
                self.errands.start(key, task, Errand::Send, async move { engine.send(key, task, request).await });
            }
            Errand::Follow => {
                let job = Job { request, submitted: waiting.submitted.clone() };
                self.errands.start(key, task, Errand::Follow, async move { engine.follow(key, task, job).await });
            }
        }
    }

    fn request(
        &self,
        live: &Live,
        task: TaskId,
        state: asl::StateId,
        parameters: &Payload,
        credentials: &Option<Payload>,
    ) -> Option<TaskRequest> {
        let state = live.program.state(state);
        let Kind::Task(asl) = &state.kind else { return None };
        let started = live.execution.started.as_ref()?;
        let home = arn::Arn::parse(&started.arn).ok()?;
        Some(TaskRequest {
            execution_arn: started.arn.clone(),
            state: state.name.clone(),
            resource: asl.resource.clone(),
            parameters: parameters.clone(),
            credentials: credentials.clone(),
            account: home.account.into(),
            region: home.region.into(),
            idempotency_key: idempotency_key(&started.arn, task),
            resent: false,
        })
    }

    async fn send(&self, key: ExecutionKey, task: TaskId, request: TaskRequest) {
        // Dispatch is bounded: the rest waits here, not at the service.
        let Ok(_permit) = self.dispatch.acquire().await else { return };
        self.tell(key, Input::Report { task, report: Report::Started { worker: None } });
        let mut job = Job { request: request.clone(), submitted: None };
        let report = match self.connector.start(request).await {
            Answer::Succeeded(output) => Report::Succeeded { output },
            Answer::Submitted(output) => {
                job.submitted = Some(output.clone());
                Report::Submitted { output }
            }
            Answer::Failed { error, cause, stage } => {
                Report::Failed { error: Some(error.into()), cause: cause.map(Into::into), stage }
            }
        };
        // Before the report: what it leads to may be another errand for the same task.
        self.errands.finish(key, task);
        let verdict = self.ask(key, Input::Report { task, report }).await;
        if let (Ok(Verdict::NotWaiting), true) = (verdict, job.submitted.is_some()) {
            // Stopped while it was being submitted: only now has the job a name to stop it by.
            let engine = self.clone();
            self.errands.start(key, task, Errand::Wait, async move { engine.cancel(key, task, job).await });
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
        self.errands.finish(key, task);
        self.tell(key, Input::Report { task, report });
    }

    /// Pays a debt: stops a job that nobody waits for.
    fn pay(&self, key: ExecutionKey, live: &Live, task: TaskId) {
        let Some(debt) = live.execution.debts.get(&task) else { return };
        let Some(request) = self.request(live, task, debt.state, &debt.parameters, &debt.credentials) else { return };
        let job = Job { request, submitted: debt.submitted.clone() };
        self.errands.abort(key, task, true);
        let engine = self.clone();
        self.errands.start(key, task, Errand::Wait, async move { engine.cancel(key, task, job).await });
    }

    async fn cancel(&self, key: ExecutionKey, task: TaskId, job: Job) {
        if is_job(&job.request.resource) {
            let mut pause = RETRY_PAUSE.0;
            while let Err(error) = self.connector.cancel(&job).await {
                tracing::warn!(execution = %job.request.execution_arn, %error, "a job cannot be stopped yet");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_PAUSE.1);
            }
        }
        self.errands.finish(key, task);
        self.tell(key, Input::Settled { task });
    }

    /// Tells who wants to hear that an execution has started, or is over.
    pub(crate) fn announce(&self, turn: &Turn, description: &Arc<ExecutionDescription>) {
        if !self.listened {
            return;
        }
        let is_start = |record: &Record| matches!(record.body, Body::ExecutionStarted(_));
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
    fn finish(&self, key: ExecutionKey, execution: &Execution) {
        for watcher in self.watchers.lock().expect("no panic while held").remove(&key).into_iter().flatten() {
            let _ = watcher.send(());
        }
        let Some(started) = execution.started.as_ref() else { return };
        if self.deleting.lock().expect("no panic while held").contains(&started.machine) {
            let (engine, machine) = (self.clone(), started.machine.clone());
            tokio::spawn(async move { engine.delete_when_idle(&machine).await });
        }
    }
}

fn is_job(resource: &Resource) -> bool {
    matches!(resource.target, Target::Integration { pattern: Pattern::Sync { .. }, .. })
}

/// The same for every attempt to send one task: a hash, so that its length and letters suit every service.
fn idempotency_key(execution: &str, task: TaskId) -> String {
    let hash = crate::programs::hash(&format!("{execution}/{task}"));
    hash[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}
