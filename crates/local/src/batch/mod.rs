//! A small real Batch: a job's command runs as a process of this machine. Image names stand for folders of programs
//! (`image.rs`), an attempt is a process group in an empty directory (`process.rs`), and the runner starts, follows and
//! ends them (`runner.rs`). It has no arrays, no multi-node jobs and no containers: a job sees the whole machine, so it is
//! for the machine's owner only. Start reading in `job.rs`.

mod error;
pub mod image;
mod job;
mod process;
mod resources;
mod retry;
mod runner;
mod submit;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use crate::caller::Caller;
use crate::error::Answer;
use crate::store::{Store, Tx};
use runner::Runner;
pub use runner::Settings;

/// The name under which the runner waits for work.
const BELL: &str = "batch:jobs";

/// The service; clones share the database and the runner.
#[derive(Clone)]
pub struct Batch {
    runner: Arc<Runner>,
}

impl Batch {
    /// Batch over an open database; logs and working directories lie in `directory`.
    pub fn new(store: Store, directory: PathBuf, settings: Settings) -> Self {
        Self { runner: Arc::new(Runner { store, directory, settings }) }
    }

    /// Answer one call.
    pub async fn call(&self, operation: &str, params: Value, caller: &Caller) -> Answer {
        let Some(act) = operation_of(operation) else {
            return Err(error::not_here(operation));
        };
        let caller = caller.clone();
        self.runner.store.call(move |tx| act(tx, &params, &caller)).await
    }

    /// Run jobs until `stop` says true. Processes that still run are ended then; the next start tries their jobs again.
    pub async fn run(&self, stop: watch::Receiver<bool>) {
        self.runner.clone().run(stop).await;
    }

    /// Where the output of an attempt is kept, by its `logStreamName`.
    pub fn log_file(&self, stream: &str) -> PathBuf {
        runner::log_file(&self.runner.directory, stream)
    }

    /// Delete what is past its time.
    pub async fn sweep(&self) -> Answer<()> {
        self.runner.sweep().await
    }
}

type Act = fn(&mut Tx<'_>, &Value, &Caller) -> Answer;

fn operation_of(name: &str) -> Option<Act> {
    Some(match name {
        "RegisterJobDefinition" => resources::register,
        "DeregisterJobDefinition" => resources::deregister,
        "DescribeJobDefinitions" => resources::describe_definitions,
        "CreateJobQueue" => resources::create_queue,
        "UpdateJobQueue" => resources::update_queue,
        "DeleteJobQueue" => resources::delete_queue,
        "DescribeJobQueues" => resources::describe_queues,
        "CreateComputeEnvironment" => resources::create_environment,
        "UpdateComputeEnvironment" => resources::update_environment,
        "DeleteComputeEnvironment" => resources::delete_environment,
        "DescribeComputeEnvironments" => resources::describe_environments,
        "TagResource" => resources::tag,
        "UntagResource" => resources::untag,
        "ListTagsForResource" => resources::list_tags,
        "SubmitJob" => submit::submit,
        "DescribeJobs" => job::describe,
        "ListJobs" => job::list_jobs,
        "CancelJob" => job::cancel,
        "TerminateJob" => job::terminate,
        _ => return None,
    })
}
