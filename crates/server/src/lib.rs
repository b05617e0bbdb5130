//! The AWS Step Functions API over HTTP: requests are decoded and checked field by field here, carried out by the
//! engine, and answered in AWS's words.
//!
//! A request's way: `listen.rs` (connections), `door.rs` (whose it is), `access.rs` (who may call), `operations.rs`
//! (the table of operations), `decode.rs`, `shape.rs` and `requests.rs` (what is asked, and the constraints on it), one
//! file for each kind of thing (`executions.rs`, `machines.rs`, …), `answers.rs`. Every error's code and text is in
//! `exception.rs`. What needs knowledge of executions is the engine's; what needs a service's is the connectors'.

mod access;
mod activities;
mod aliases;
mod answers;
mod callbacks;
mod configuration;
mod data;
mod decode;
mod door;
mod exception;
mod executions;
mod express;
mod listen;
mod machines;
mod map_runs;
mod operations;
mod pages;
mod requests;
mod shape;
mod tags;
mod test_state;
mod throttle;
mod versions;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use engine::Engine;
use engine::port::Api;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use access::{Access, AccessKey};
pub use door::{Other, OtherAnswer, OtherStream, StreamedBody};
#[cfg(feature = "hostile")]
pub use requests::hostile;
pub use throttle::Rate;

use crate::door::{Door, RequestIds};
use crate::listen::Patience;
use crate::operations::Operations;
use crate::throttle::Throttle;

/// What the server can be told; every number is a limit with its reason.
#[derive(Clone)]
pub struct ServerSettings {
    pub access: Access,
    /// Names by which the server may be called, beside those of loopback and without ports; none: any name is good.
    pub allowed_hosts: Option<Vec<String>>,
    /// How often operations may be called, by their names; those that are not named, as often as they come.
    pub throttle: BTreeMap<String, Rate>,
    /// How long GetActivityTask waits for a task. AWS: 60 s.
    pub activity_wait: Duration,
    /// A definition of 1 MiB, each character written as `\u1234`, and the rest of its request.
    pub max_request_bytes: usize,
    /// Connections at once; each takes some KiB.
    pub max_connections: usize,
    /// For the head of a request to come in, and for an idle connection to be used again.
    pub head_timeout: Duration,
    /// For the body to come in.
    pub body_timeout: Duration,
    /// For what is being answered when the server closes.
    pub close_timeout: Duration,
}

impl Default for ServerSettings {
    fn default() -> ServerSettings {
        ServerSettings {
            access: Access::Open,
            allowed_hosts: Some(Vec::new()),
            throttle: BTreeMap::new(),
            activity_wait: Duration::from_secs(60),
            max_request_bytes: 7 << 20,
            max_connections: 10_000,
            head_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
            close_timeout: Duration::from_secs(10),
        }
    }
}

/// The API of one engine, not yet listening.
pub struct Server {
    operations: Arc<Operations>,
    settings: ServerSettings,
    account: String,
    other: Option<Arc<dyn Other>>,
    stop: watch::Sender<bool>,
}

impl Server {
    pub fn new(engine: Engine, settings: ServerSettings) -> Server {
        let (stop, stopping) = watch::channel(false);
        let account = engine.settings().account.clone();
        let operations =
            Arc::new(Operations::new(engine, Throttle::new(&settings.throttle), settings.activity_wait, stopping));
        Server { operations, settings, account, other: None, stop }
    }

    /// The same operations without HTTP, for tasks that call them.
    pub fn api(&self) -> Arc<dyn Api> {
        self.operations.clone()
    }

    /// Offers requests that are not Step Functions' to another service.
    pub fn with_other(self, other: Arc<dyn Other>) -> Server {
        Server { other: Some(other), ..self }
    }

    /// Answers until `shutdown` ends, and then what has been asked by then.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let Server { operations, settings, account, other, stop } = self;
        let patience = Patience {
            max_connections: settings.max_connections,
            head: settings.head_timeout,
            close: settings.close_timeout,
        };
        let door = Door {
            operations,
            account,
            access: settings.access,
            allowed_hosts: settings.allowed_hosts,
            max_request_bytes: settings.max_request_bytes,
            body_timeout: settings.body_timeout,
            other,
            request_ids: RequestIds::new(),
        };
        listen::listen(listener, Arc::new(door), patience, stop, shutdown).await;
    }
}
