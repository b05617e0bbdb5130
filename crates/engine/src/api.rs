//! What the engine is asked and answers, in the API's own notions. Requests are decoded and checked field by field
//! before they come here; what needs the engine's knowledge (does it exist, may it be) is decided here.

use std::sync::Arc;

use asl::Payload;
pub use machine::Status;
use machine::{Failure, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MachineType {
    Standard,
    Express,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum MachineStatus {
    Active,
    Deleting,
}

/// A state machine as the catalogue keeps it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StateMachine {
    pub arn: Arc<str>,
    pub name: String,
    pub machine_type: MachineType,
    pub status: MachineStatus,
    pub role: Arc<str>,
    /// SHA-256 of the definition's text.
    pub definition: [u8; 32],
    pub created_at: Timestamp,
    /// When it was last created or updated.
    pub updated_at: Timestamp,
    /// Absent until the first update, as AWS shows it.
    pub revision_id: Option<String>,
    /// As the caller gave them, in the API's shape.
    pub logging: Option<Value>,
    pub tracing: Option<Value>,
    pub encryption: Option<Value>,
    pub tags: Vec<(String, String)>,
    /// The number of the last version; deleted ones count.
    #[serde(default)]
    pub versions: u64,
    /// Given at creation: the same creation again must say the same.
    #[serde(default)]
    pub published: Option<Publish>,
}

/// A wish to publish a version.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Publish {
    pub description: Option<String>,
}

/// A state machine that was created or updated, and the ARN of the version that was published with it.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangedMachine {
    pub machine: StateMachine,
    pub version: Option<Arc<str>>,
}

/// A state machine as it was when it was published.
#[derive(Clone, PartialEq, Debug)]
pub struct Version {
    pub arn: Arc<str>,
    pub machine: Arc<StateMachine>,
    pub number: u64,
    pub description: Option<String>,
    pub created_at: Timestamp,
}

/// A name that leads to one or two versions of a state machine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Alias {
    pub arn: Arc<str>,
    pub name: String,
    pub description: Option<String>,
    /// One or two, whose weights sum up to 100.
    pub routes: Vec<Route>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// How many of a hundred starts go to a version.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Route {
    pub version: Arc<str>,
    pub weight: u8,
}

#[derive(Clone, Debug)]
pub struct CreateAlias {
    pub name: String,
    pub description: Option<String>,
    /// Of one state machine, checked by the caller as [`Alias::routes`] says.
    pub routes: Vec<Route>,
}

/// Absent fields stay as they are.
#[derive(Clone, Debug)]
pub struct UpdateAlias {
    pub arn: String,
    pub description: Option<String>,
    pub routes: Option<Vec<Route>>,
}

#[derive(Clone, Debug)]
pub struct CreateStateMachine {
    pub account: String,
    pub name: String,
    pub definition: String,
    pub role: String,
    pub machine_type: MachineType,
    pub logging: Option<Value>,
    pub tracing: Option<Value>,
    pub encryption: Option<Value>,
    pub tags: Vec<(String, String)>,
    pub publish: Option<Publish>,
}

/// Absent fields stay as they are.
#[derive(Clone, Debug, Default)]
pub struct UpdateStateMachine {
    pub arn: String,
    pub definition: Option<String>,
    pub role: Option<String>,
    pub logging: Option<Value>,
    pub tracing: Option<Value>,
    pub encryption: Option<Value>,
    pub publish: Option<Publish>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Activity {
    pub arn: Arc<str>,
    pub name: String,
    pub created_at: Timestamp,
    pub encryption: Option<Value>,
    pub tags: Vec<(String, String)>,
}

/// A page of something, and where the next one begins.
#[derive(Clone, PartialEq, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// A text for `list_*(after)`; the server seals it into the paging token.
    pub next: Option<String>,
}

#[derive(Clone, Debug)]
pub struct StartExecution {
    /// May end in a version or alias.
    pub machine: String,
    /// A random one where absent.
    pub name: Option<String>,
    pub input: Payload,
    pub trace_header: Option<String>,
    /// The task that starts it as a child, named by its execution's ARN.
    pub parent: Option<Arc<str>>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct StartedExecution {
    pub arn: Arc<str>,
    pub started_at: Timestamp,
}

/// An execution as DescribeExecution shows it.
#[derive(Clone, PartialEq, Debug)]
pub struct ExecutionDescription {
    pub arn: Arc<str>,
    pub name: Arc<str>,
    pub machine: Arc<str>,
    pub version: Option<Arc<str>>,
    pub alias: Option<Arc<str>>,
    pub status: Status,
    pub started_at: Timestamp,
    pub stopped_at: Option<Timestamp>,
    pub input: Payload,
    pub output: Option<Payload>,
    /// Of a failed, aborted or timed-out execution.
    pub failure: Option<Failure>,
    pub trace_header: Option<Arc<str>>,
    pub redrive_count: u32,
    /// Of the latest redrive.
    pub redriven_at: Option<Timestamp>,
    /// How many events its history has.
    pub events: u64,
    pub definition: [u8; 32],
    pub role: Arc<str>,
}

/// What an Express execution came to.
#[derive(Clone, PartialEq, Debug)]
pub struct ExpressExecution {
    pub description: ExecutionDescription,
    /// What it held, about: its definition and all that flowed through it.
    pub bytes: usize,
}

/// A row of ListExecutions.
#[derive(Clone, PartialEq, Debug)]
pub struct ExecutionRow {
    pub arn: String,
    pub name: String,
    pub machine: String,
    pub version: Option<String>,
    pub alias: Option<String>,
    pub status: Status,
    pub started_at: Timestamp,
    pub stopped_at: Option<Timestamp>,
    pub redrive_count: u32,
    pub redriven_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
pub struct HistoryQuery {
    pub execution: String,
    /// The first event of the page; 1, or the last event where the order is reversed.
    pub from: Option<u64>,
    pub limit: usize,
    pub reverse: bool,
    /// `includeExecutionData`.
    pub data: bool,
}

/// Events in the API's shape.
#[derive(Clone, PartialEq, Debug)]
pub struct History {
    pub events: Vec<Value>,
    pub next: Option<u64>,
}

/// What GetActivityTask hands out.
#[derive(Clone, PartialEq, Debug)]
pub struct ActivityWork {
    pub token: String,
    pub input: Payload,
}
