//! What one turn of one execution writes, and what the store answers.

use crate::{Chunk, ExecutionKey, Listing, Status};

/// One turn of one execution: written whole or not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Commit {
    pub key: ExecutionKey,
    /// The number of this chunk in the execution's log; 0 is the first.
    pub seq: u32,
    pub chunk: Chunk,
    pub listing: Option<ListingChange>,
    pub open: OpenChange,
    pub add_tasks: Vec<ActivityTask>,
    pub remove_tasks: Vec<ActivityTaskId>,
    /// The inbox entries that this turn has taken in.
    pub consumed_inbox: Vec<u64>,
}

impl Commit {
    /// A turn that appends a chunk and changes nothing else.
    pub fn new(key: ExecutionKey, seq: u32, chunk: Chunk) -> Commit {
        Commit {
            key,
            seq,
            chunk,
            listing: None,
            open: OpenChange::Keep,
            add_tasks: Vec::new(),
            remove_tasks: Vec::new(),
            consumed_inbox: Vec::new(),
        }
    }
}

/// How a turn changes its execution's row in the listing. The `End` of an execution that is not listed changes nothing;
/// its `Redrive` is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ListingChange {
    /// A new row under the commit's key. An execution that ends in its first turn is inserted as ended, and needs neither
    /// an `End` nor an open row.
    Start(Listing),
    End {
        status: Status,
        /// Milliseconds since 1970.
        stopped_at: i64,
    },
    /// The execution lives again, or has lived again and ended in the same turn: then it has a new stop time.
    Redrive {
        status: Status,
        stopped_at: Option<i64>,
        redrive_count: u32,
        /// Milliseconds since 1970.
        redriven_at: i64,
    },
}

/// How a turn changes what is found without loading the execution.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenChange {
    Keep,
    /// With no due time and not hot this is the same as `Delete`: an execution that only waits to be called has no row.
    Set {
        /// When the execution must be looked at again, in milliseconds since 1970.
        next_due: Option<i64>,
        /// Whether work is in flight or owed, so that a new owner loads the execution at once.
        hot: bool,
    },
    Delete,
}

/// An activity's task that waits for a worker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ActivityTask {
    /// The activity's ARN.
    pub activity: String,
    pub key: ExecutionKey,
    /// The number of the event that scheduled it.
    pub task: u64,
    /// Milliseconds since 1970.
    pub scheduled_at: i64,
}

impl ActivityTask {
    pub fn id(&self) -> ActivityTaskId {
        ActivityTaskId { key: self.key, task: self.task }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ActivityTaskId {
    pub key: ExecutionKey,
    pub task: u64,
}

/// What became of a turn. Only `Committed` has written anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Committed,
    /// The state machine has an execution of this name already.
    NameTaken(ExecutionKey),
    /// The log has a chunk of this number already: another writer was here, or this very turn has landed before.
    SeqTaken,
    /// The shard has a newer owner.
    Fenced,
    /// It was to be redriven, and has been deleted.
    Gone,
}

/// News for an execution that nobody waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inbox {
    pub seq: u64,
    pub execution: ExecutionKey,
    pub input: Vec<u8>,
}
