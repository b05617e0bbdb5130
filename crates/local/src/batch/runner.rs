//! The runner: moves jobs on, starts as many as may run at once, follows each to its end. What it knows is in the
//! database; it holds nothing but the processes. When the server stops it ends them, and the next start finds their jobs
//! and tries them again or says why not.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::BELL;
use super::image::{self, Images};
use super::job::{self, EXITED, Ended, HOST_LOST, Job, RUNNING, STARTING, TIMED_OUT};
use super::process::{Plan, Process, end_leftover};
use crate::error::Answer;
use crate::params::{list, number, text};
use crate::store::Store;

/// How the laptop runs jobs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Image names and the folders of programs that stand for them.
    pub images: Images,
    /// How many jobs run at once; as many as there are cores if nobody says.
    pub at_once: Option<usize>,
    /// What every job finds in its environment, for example where the services are.
    pub environment: BTreeMap<String, String>,
    /// How long a job that is to end may take to do so by itself.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            images: Images::new(),
            at_once: None,
            environment: BTreeMap::new(),
            // AWS's own pause between SIGTERM and SIGKILL.
            grace: Duration::from_secs(30),
        }
    }
}

/// When nothing rings, the runner looks anyway: a bell is a hint, not a promise.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// A runner over an open database and a directory of its own.
pub struct Runner {
    pub store: Store,
    pub directory: PathBuf,
    pub settings: Settings,
}

impl Runner {
    /// Run jobs until `stop` says true, then end what runs.
    pub async fn run(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        if let Err(error) = self.recover().await {
            tracing::error!(%error, "the jobs of the last run could not be looked at");
        }
        let most = self.settings.at_once.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let bell = self.store.wakes.bell(BELL);
        let mut attempts = JoinSet::new();
        while !*stop.borrow() {
            let mut ring = std::pin::pin!(bell.notified());
            ring.as_mut().enable();
            let free = most.max(1) - attempts.len().min(most.max(1));
            match self.take(free).await {
                Ok(jobs) => {
                    for job in jobs {
                        attempts.spawn(self.clone().attempt(job, stop.clone()));
                    }
                }
                Err(error) => tracing::error!(%error, "no jobs can be taken"),
            }
            tokio::select! {
                () = ring => {}
                Some(_) = attempts.join_next() => {}
                _ = stop.changed() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            // A runner that nobody can stop any more has nobody to run for.
            if stop.has_changed().is_err() {
                break;
            }
        }
        while attempts.join_next().await.is_some() {}
    }

    async fn take(&self, free: usize) -> Answer<Vec<Job>> {
        self.store
            .call(move |tx| {
                job::advance(tx)?;
                job::claim(tx, free)
            })
            .await
    }

    /// Attempts that an earlier run of the server left: their processes are ended, and the attempt has failed.
    async fn recover(&self) -> Answer<()> {
        let left = self.store.call(|tx| job::in_status(tx, &[STARTING, RUNNING])).await?;
        for job in left {
            if let Some(process) = &job.process {
                end_leftover(process);
            }
            let ended = Ended { exit_code: None, reason: None, status_reason: HOST_LOST.to_owned(), last: false };
            self.store.call(move |tx| job::ended(tx, &job.id, &ended)).await?;
        }
        match tokio::fs::remove_dir_all(self.directory.join("work")).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "directories of earlier jobs could not be removed");
            }
            _ => {}
        }
        Ok(())
    }

    /// One attempt, from its start to what is known of its end.
    async fn attempt(self: Arc<Self>, job: Job, stop: watch::Receiver<bool>) {
        let id = job.id.clone();
        if let Some(ended) = self.follow(&job, stop).await {
            tracing::info!(job = %id, exit_code = ?ended.exit_code, reason = %ended.status_reason, "an attempt has ended");
            if let Err(error) = self.store.call(move |tx| job::ended(tx, &id, &ended)).await {
                tracing::error!(job = %job.id, %error, "the end of an attempt could not be noted");
            }
        }
    }

    /// Start the process and follow it. None if the server stops: then the next start says how it ended.
    async fn follow(&self, job: &Job, mut stop: watch::Receiver<bool>) -> Option<Ended> {
        let could_not = |reason: String| {
            Some(Ended { exit_code: None, reason: Some(reason.clone()), status_reason: reason, last: true })
        };
        let stream = log_stream(job);
        let plan = match self.plan(job, &stream) {
            Ok(plan) => plan,
            Err(reason) => return could_not(reason),
        };
        let bell = self.store.wakes.bell(&job::bell(&job.id));
        let mut process = match Process::start(plan).await {
            Ok(process) => process,
            Err(error) => return could_not(format!("CannotStartContainerError: {error}")),
        };
        let (id, identity) = (job.id.clone(), process.identity());
        if self.store.call(move |tx| job::started(tx, &id, &identity, &stream)).await.is_err() {
            // It was logged where it happened. Without a record the process must not run.
            process.finish().await;
            return could_not("CannotStartContainerError: the job's start could not be recorded".to_owned());
        }
        if let Err(error) = process.go().await {
            tracing::warn!(job = %job.id, %error, "a job's process ended before it began");
        }
        let limit = job.at("timeout").and_then(|timeout| number(timeout, "attemptDurationSeconds"));
        let limit = limit.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        let timeout = async {
            match limit {
                Some(limit) => tokio::time::sleep(limit).await,
                None => std::future::pending().await,
            }
        };
        let by_itself = |code: std::io::Result<i64>| Ended {
            exit_code: code.ok(),
            reason: None,
            status_reason: EXITED.to_owned(),
            last: false,
        };
        let ended = tokio::select! {
            code = process.wait() => Some(by_itself(code)),
            () = timeout => {
                let code = process.stop(self.settings.grace).await.ok();
                Some(Ended { exit_code: code, reason: None, status_reason: TIMED_OUT.to_owned(), last: true })
            }
            () = self.wanted_gone(&job.id, &bell) => {
                let code = process.stop(self.settings.grace).await;
                Some(by_itself(code))
            }
            () = stopped(&mut stop) => None,
        };
        process.finish().await;
        ended
    }

    /// Returns when somebody has asked for the job's end.
    async fn wanted_gone(&self, id: &str, bell: &tokio::sync::Notify) {
        loop {
            let mut ring = std::pin::pin!(bell.notified());
            ring.as_mut().enable();
            let asked = id.to_owned();
            let found = self.store.call(move |tx| job::find(tx, &asked)).await;
            if matches!(found, Ok(Some(job)) if job.terminate.is_some()) {
                return;
            }
            ring.await;
        }
    }

    fn plan(&self, job: &Job, stream: &str) -> Result<Plan, String> {
        let nothing = Value::Null;
        let container = job.at("container").unwrap_or(&nothing);
        let folder = image::folder(&self.settings.images, text(container, "image").unwrap_or_default())?;
        let folder = std::path::absolute(folder).map_err(|error| error.to_string())?;
        let command: Vec<String> =
            list(container, "command").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let command = image::resolve(&folder, &command).ok_or_else(|| {
            "CannotStartContainerError: the job has no command; an image's own command is not known here".to_owned()
        })?;
        let attempt = job.attempts_made() + 1;
        let directory = self.directory.join("work").join(&job.id).join(attempt.to_string());
        let directory = std::path::absolute(directory).map_err(|error| error.to_string())?;
        let mut environment = BTreeMap::new();
        let mut set = |name: &str, value: String| {
            environment.insert(name.to_owned(), value);
        };
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
        set("PATH", format!("{}:{path}", folder.display()));
        set("HOME", directory.display().to_string());
        set("TMPDIR", directory.display().to_string());
        set("LANG", "C.UTF-8".to_owned());
        set("AWS_REGION", job.region.clone());
        set("AWS_DEFAULT_REGION", job.region.clone());
        for (name, value) in &self.settings.environment {
            set(name, value.clone());
        }
        for variable in list(container, "environment") {
            if let (Some(name), Some(value)) = (text(variable, "name"), text(variable, "value"))
                && !name.is_empty()
                && !name.contains(['=', '\0'])
                && !value.contains('\0')
            {
                set(name, value.to_owned());
            }
        }
        set("STEPWELL_IMAGE_DIR", folder.display().to_string());
        set("AWS_BATCH_JOB_ID", job.id.clone());
        set("AWS_BATCH_JOB_ATTEMPT", attempt.to_string());
        set("AWS_BATCH_JQ_NAME", job.queue.rsplit('/').next().unwrap_or_default().to_owned());
        set("AWS_BATCH_CE_NAME", "laptop".to_owned());
        Ok(Plan {
            command,
            environment: environment.into_iter().collect(),
            directory,
            log: log_file(&self.directory, stream),
        })
    }

    /// Forget what ended long ago, with its logs.
    pub async fn sweep(&self) -> Answer<()> {
        for stream in self.store.call(job::sweep).await? {
            let file = log_file(&self.directory, &stream);
            if let Err(error) = tokio::fs::remove_file(&file).await
                && error.kind() != std::io::ErrorKind::NotFound
            {
                tracing::warn!(file = %file.display(), %error, "an old log could not be removed");
            }
        }
        Ok(())
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that nobody can stop the runner any more; that is a stop, too.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The name of an attempt's log, in AWS's form: the definition, the container, the task.
fn log_stream(job: &Job) -> String {
    let definition = job.at("jobDefinition").and_then(Value::as_str).unwrap_or_default();
    let definition = definition.rsplit('/').next().and_then(|name| name.split(':').next()).unwrap_or_default();
    format!("{definition}/default/{}", uuid::Uuid::new_v4().simple())
}

/// Where the log of a stream lies.
pub fn log_file(directory: &std::path::Path, stream: &str) -> PathBuf {
    directory.join("logs").join(format!("{stream}.log"))
}
