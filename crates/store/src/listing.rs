//! The listing: one row per execution, with what is shown and searched without reading the log.

use crate::ExecutionKey;

/// The SHA-256 of a definition's text.
pub type Hash = [u8; 32];

/// One execution as `ListExecutions` and `DescribeExecution` find it. Times are milliseconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing {
    pub key: ExecutionKey,
    /// The state machine's ARN, without a version or alias.
    pub machine: String,
    /// Used once per state machine.
    pub name: String,
    pub status: Status,
    pub started_at: i64,
    pub stopped_at: Option<i64>,
    pub version: Option<String>,
    pub alias: Option<String>,
    pub map_run: Option<String>,
    pub definition: Hash,
    pub redrive_count: u32,
    pub redriven_at: Option<i64>,
}

/// AWS's execution statuses. The numbers are what is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Status {
    Running = 0,
    Succeeded = 1,
    Failed = 2,
    TimedOut = 3,
    Aborted = 4,
    PendingRedrive = 5,
}

impl Status {
    pub const ALL: [Status; 6] =
        [Status::Running, Status::Succeeded, Status::Failed, Status::TimedOut, Status::Aborted, Status::PendingRedrive];

    pub fn from_code(code: u8) -> Option<Status> {
        Status::ALL.get(usize::from(code)).copied()
    }

    pub fn code(self) -> u8 {
        self as u8
    }
}

/// Which executions to list, newest first.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListQuery {
    pub of: ListOf,
    pub status: Option<Status>,
    /// `Some(true)`: those that were redriven; `Some(false)`: those that were not.
    pub redriven: Option<bool>,
}

/// The ARN whose executions are listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListOf {
    Machine(String),
    Version(String),
    Alias(String),
    MapRun(String),
}

/// A place in a list of executions: by start time, then by key, so that a page stays right when shards mix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position {
    pub started_at: i64,
    pub key: ExecutionKey,
}

impl Listing {
    pub fn position(&self) -> Position {
        Position { started_at: self.started_at, key: self.key }
    }
}

/// A part of a list, and whether there is more behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub more: bool,
}

impl<T> Page<T> {
    /// A page from rows that were read with one more than the limit.
    pub(crate) fn of(mut rows: Vec<T>, limit: usize) -> Page<T> {
        let more = rows.len() > limit;
        rows.truncate(limit);
        Page { items: rows, more }
    }
}
