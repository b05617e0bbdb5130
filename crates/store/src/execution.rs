//! An execution as the store sees it: a key, and a log of numbered chunks of opaque bytes.

use std::fmt;

/// An execution's number in its shard: allocated by the shard's owner, increasing with start time, never used again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ExecutionKey {
    pub shard: u16,
    /// At most [`ExecutionKey::MAX_NUMBER`].
    pub number: u64,
}

impl ExecutionKey {
    /// 2^47 - 1, so that shard and number fit one signed integer: 446 years of 10,000 starts a second.
    pub const MAX_NUMBER: u64 = (1 << 47) - 1;
}

impl fmt::Display for ExecutionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.shard, self.number)
    }
}

/// The right to write to a shard, until a newer owner takes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fence {
    pub shard: u16,
    pub epoch: u64,
}

/// What one turn appends to an execution's log. The bytes are opaque to the store.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chunk {
    /// The number of the first history event in this chunk, or of the next one if the chunk has none. It grows with the
    /// chunk's own number.
    pub first_event: u64,
    /// How many history events it holds; their numbers are consecutive.
    pub events: u32,
    pub records: Vec<u8>,
    pub payloads: Vec<u8>,
}

/// A chunk and its place in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredChunk {
    pub seq: u32,
    pub chunk: Chunk,
}

/// Which chunks a history page needs: those that hold an event from `first` to `last`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventRange {
    pub first: u64,
    pub last: u64,
    /// Whether the chunks come from the newest to the oldest.
    pub newest_first: bool,
    /// Reading stops after the chunk with which the sum of records and payloads reaches this; at least one is read.
    pub max_bytes: usize,
}

impl EventRange {
    pub(crate) fn touches(&self, chunk: &Chunk) -> bool {
        let end = chunk.first_event.saturating_add(u64::from(chunk.events));
        chunk.events > 0 && chunk.first_event <= self.last && end > self.first
    }
}

impl Chunk {
    /// The bytes that the chunk keeps in the store, without its numbers.
    pub fn size(&self) -> usize {
        self.records.len() + self.payloads.len()
    }
}
