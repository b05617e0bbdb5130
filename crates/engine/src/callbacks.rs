//! Who holds a token: workers of activities and receivers of callbacks.

use std::sync::Arc;
use std::time::Duration;

use asl::Payload;
use machine::record::Stage;
use machine::{Input, Report, Verdict};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::activities::{Next, Waiting};
use crate::api::ActivityWork;
use crate::token::TokenTarget;
use crate::{Engine, Error, Result, log};

impl Engine {
    pub async fn task_success(&self, token: &str, output: Payload) -> Result<()> {
        self.report(token, Report::Succeeded { output }).await
    }

    pub async fn task_failure(&self, token: &str, error: Option<String>, cause: Option<String>) -> Result<()> {
        let (error, cause) = (error.map(Into::into), cause.map(Into::into));
        self.report(token, Report::Failed { error, cause, stage: Stage::Run }).await
    }

    pub async fn task_heartbeat(&self, token: &str) -> Result<()> {
        self.report(token, Report::Heartbeat).await
    }

    /// Durable when it returns.
    async fn report(&self, token: &str, report: Report) -> Result<()> {
        let target = self.tokens.open_task(token).ok_or(Error::InvalidToken)?;
        match self.ask(target.execution, Input::Report { task: target.task, report }).await? {
            Verdict::Done => Ok(()),
            Verdict::NotWaiting | Verdict::TooLate => Err(Error::TaskTimedOut),
        }
    }

    /// The next task of an activity, waiting for one at most this long. It is handed out when that is durable.
    pub async fn get_activity_task(
        &self,
        activity: &str,
        worker: Option<String>,
        wait: Duration,
    ) -> Result<Option<ActivityWork>> {
        self.activity(activity).await?;
        let deadline = Instant::now() + wait;
        let worker: Option<Arc<str>> = worker.map(Into::into);
        loop {
            let next = self.activities.next(activity, self.settings.pollers);
            let task = match next.ok_or_else(|| Error::ActivityWorkerLimitExceeded(activity.to_owned()))? {
                Next::Task(task) => task,
                Next::Wait(given) => {
                    let mut place = Place { engine: self, activity, given };
                    match tokio::time::timeout_at(deadline, &mut place.given).await {
                        Ok(Ok(task)) => task,
                        Ok(Err(_)) | Err(_) => return Ok(None),
                    }
                }
            };
            // A worker that goes away before this is done leaves the task to the next one.
            let claim = Claim { engine: self, activity, task, handed_out: false };
            if let Some(work) = claim.hand_out(worker.clone()).await? {
                return Ok(Some(work));
            }
        }
    }
}

/// A worker's place in the row. What is given to one who leaves in the same moment goes to the next.
struct Place<'a> {
    engine: &'a Engine,
    activity: &'a str,
    given: oneshot::Receiver<Waiting>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.given.close();
        if let Ok(task) = self.given.try_recv() {
            self.engine.activities.give_back(self.activity, task);
        }
    }
}

/// A task between the queue and its worker.
struct Claim<'a> {
    engine: &'a Engine,
    activity: &'a str,
    task: Waiting,
    handed_out: bool,
}

impl Claim<'_> {
    /// `None` where the task waits no more: it timed out, or its execution was stopped.
    async fn hand_out(mut self, worker: Option<Arc<str>>) -> Result<Option<ActivityWork>> {
        let (key, task) = self.task;
        let again = self.engine.activities.claim(self.task);
        let mut verdict = self.report(Report::Started { worker }).await?;
        if again && verdict == Verdict::NotWaiting {
            // It may be that it was started for a worker who went away, and still waits.
            verdict = self.report(Report::Heartbeat).await?;
        }
        if verdict != Verdict::Done {
            self.handed_out = true;
            self.engine.activities.forget(key, task);
            return Ok(None);
        }
        let input = match self.engine.slots.task_parameters(key, task) {
            Some(input) => Some(input),
            None => log::task_input(self.engine, key, task).await?,
        };
        self.handed_out = true;
        self.engine.activities.forget(key, task);
        let Some(input) = input else { return Ok(None) };
        let token = self.engine.tokens.seal_task(TokenTarget { execution: key, task }, self.engine.nonce());
        Ok(Some(ActivityWork { token, input }))
    }

    async fn report(&self, report: Report) -> Result<Verdict> {
        let (key, task) = self.task;
        match self.engine.ask(key, Input::Report { task, report }).await {
            // Its execution has ended meanwhile, and was deleted.
            Err(Error::TaskDoesNotExist) => Ok(Verdict::NotWaiting),
            verdict => verdict,
        }
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if !self.handed_out {
            self.engine.activities.give_back(self.activity, self.task);
        }
    }
}
