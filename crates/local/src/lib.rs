//! Laptop services: small real SQS, SNS, Batch, Lambda, EventBridge, DynamoDB and S3 in the same binary, over the real AWS wire.
//!
//! Each service answers calls over one durable SQLite file and knows nothing of HTTP; [`Local::handle`] is the border to
//! it, and [`guard`] stands there, because the services run commands. Time-driven work (jobs, deliveries to HTTP
//! endpoints, retention) is done by [`Local::run`]. Nothing here knows of state machines: to a connector this is AWS.

pub mod batch;
pub mod caller;
pub mod dynamodb;
pub mod error;
pub mod events;
pub mod guard;
pub mod lambda;
pub mod machines;
mod params;
mod pattern;
pub mod s3;
pub mod sns;
pub mod sqs;
pub mod store;
pub mod wakes;
mod wire;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use batch::Batch;
use caller::Caller;
use dynamodb::DynamoDb;
use error::{Answer, ServiceError};
use events::Events;
use guard::Guard;
use lambda::Lambda;
use machines::Machines;
use s3::S3;
use sns::Sns;
use sqs::Sqs;
use store::{Clock, Store};

/// The services that are served, by their signing names.
const SERVICES: &[&str] = &["sqs", "sns", "batch", "lambda", "events", "dynamodb", "s3"];

/// How often what is past its time is deleted. It is out of sight before that; this only frees the space.
const SWEEP: Duration = Duration::from_secs(60);

/// What the laptop services need to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The account of callers whose access key id does not name one.
    pub account: String,
    /// The region of callers who do not sign for one.
    pub region: String,
    /// Host names, without port, under which the server may be called beside those of loopback.
    pub hosts: Vec<String>,
    /// The folder whose folders are buckets; `s3/` beside the file where absent.
    pub buckets: Option<PathBuf>,
    /// How jobs are run.
    pub batch: batch::Settings,
    /// The functions, and how they are run.
    pub lambda: lambda::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            hosts: Vec::new(),
            buckets: None,
            batch: batch::Settings::default(),
            lambda: lambda::Settings::default(),
        }
    }
}

/// The laptop services cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be made.
    #[error("the directory {} cannot be made: {cause}", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// The file cannot be opened.
    #[error("the file {} cannot be opened: {cause}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why not.
        cause: rusqlite::Error,
    },
    /// A function of the settings cannot be run.
    #[error(transparent)]
    Function(#[from] lambda::NotAFunction),
    /// The folder of the buckets cannot be used.
    #[error(transparent)]
    Buckets(#[from] s3::NotAFolder),
}

/// The laptop services; clones share everything.
#[derive(Clone)]
pub struct Local {
    sqs: Sqs,
    sns: Sns,
    batch: Batch,
    lambda: Lambda,
    events: Events,
    dynamodb: DynamoDb,
    s3: S3,
    guard: Guard,
    settings: std::sync::Arc<Settings>,
    store: Store,
}

impl Local {
    /// Open the services over the file `laptop.db` in a directory; jobs and functions keep their logs in `batch/` and
    /// `lambda/` beside it. One process at a time may have a directory open.
    pub fn open(directory: &Path, settings: Settings) -> Result<Self, OpenError> {
        std::fs::create_dir_all(directory)
            .map_err(|cause| OpenError::Directory { directory: directory.to_owned(), cause })?;
        let file = directory.join("laptop.db");
        let store = Store::open(&file, Clock::System).map_err(|cause| OpenError::File { file, cause })?;
        let functions = settings.lambda.clone();
        let home = std::path::absolute(directory.join("lambda"))
            .map_err(|cause| OpenError::Directory { directory: directory.to_owned(), cause })?;
        let lambda = Lambda::new(store.clone(), &home, functions, &settings.account, &settings.region)?;
        Ok(Self {
            sqs: Sqs::new(store.clone()),
            sns: Sns::new(store.clone()),
            batch: Batch::new(store.clone(), directory.join("batch"), settings.batch.clone()),
            lambda,
            events: Events::new(store.clone()),
            dynamodb: DynamoDb::new(store.clone()),
            s3: S3::new(store.clone(), &settings.buckets.clone().unwrap_or_else(|| directory.join("s3")))?,
            guard: Guard::new(&settings.hosts),
            settings: std::sync::Arc::new(settings),
            store,
        })
    }

    /// The names of the services that are served.
    pub fn services(&self) -> &'static [&'static str] {
        SERVICES
    }

    /// Answer one call, without a wire.
    pub async fn call(&self, service: &str, operation: &str, params: Value, caller: &Caller) -> Answer {
        match service {
            "sqs" => self.sqs.call(operation, params, caller).await,
            "sns" => self.sns.call(operation, params, caller).await,
            "events" => self.events.call(operation, params, caller).await,
            "dynamodb" => self.dynamodb.call(operation, params, caller).await,
            "lambda" => self.lambda.call(operation, params, caller).await,
            "batch" => self.batch.call(operation, params, caller).await,
            other => Err(ServiceError::unsupported(other, operation)),
        }
    }

    /// Where the output of a job's attempt is kept, by its `logStreamName`.
    pub fn log_file(&self, stream: &str) -> PathBuf {
        self.batch.log_file(stream)
    }

    /// Where the log of a function is kept.
    pub fn function_log(&self, function: &str) -> Option<PathBuf> {
        self.lambda.log_file(function)
    }

    /// Do what time asks for, until `shutdown` completes: run jobs and functions, start executions, post to HTTP endpoints,
    /// delete what is old. Returns when the processes of jobs and functions have ended; their jobs are tried again after the next start.
    pub async fn run(&self, machines: &dyn Machines, shutdown: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let mut work = std::pin::pin!(async {
            tokio::join!(self.batch.run(stopped.clone()), self.lambda.run(stopped));
        });
        tokio::select! {
            () = shutdown => {}
            () = &mut work => return,
            () = self.sns.deliver() => {}
            () = self.events.deliver(machines) => {}
            () = self.sweep() => {}
        }
        stop.send_replace(true);
        work.await;
    }

    async fn sweep(&self) {
        loop {
            tokio::time::sleep(SWEEP).await;
            // What fails is logged where it fails, and tried again the next time.
            let _ = self.sqs.sweep().await;
            let _ = self.sns.sweep().await;
            let _ = self.batch.sweep().await;
            let _ = self.dynamodb.sweep().await;
            self.lambda.sweep();
            let _ = self.store.shrink().await;
        }
    }
}
