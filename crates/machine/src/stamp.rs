//! What a turn is told of the world: the time, a seed for chance, how to seal a task token, and when each task was
//! last heard. With the same stamp, a turn does the same again.

use std::collections::BTreeMap;

use asl::{Payload, Resource};
use sha2::{Digest, Sha256};

use crate::limits::Limits;
use crate::log_level::LogLevel;
use crate::record::{EventId, TaskId, Timestamp};

pub struct Stamp<'a> {
    pub at: Timestamp,
    pub seed: [u8; 32],
    /// Makes the token of a task; the number is fresh for each call and may serve as a nonce.
    pub seal: &'a dyn Fn(TaskId, u128) -> String,
    /// The last heartbeat of each task. Heartbeats are not records: who owns the execution remembers them.
    pub beats: &'a BTreeMap<TaskId, Timestamp>,
    /// Since when heartbeats are heard. After a restart every heartbeat clock starts anew, so that a task may be
    /// failed one period late but never early.
    pub listening_since: Timestamp,
    pub limits: &'a Limits,
    /// Which events must not be lost on their way to the state machine's log: they are owed.
    pub log: LogLevel,
    /// Whether spans are owed in the same way.
    pub owes_spans: bool,
    /// What is wrong with the parameters of a call, which is then not made. The same resource and parameters give the
    /// same answer.
    pub mistake: &'a dyn Fn(&Resource, &Payload) -> Option<String>,
}

/// Chance, keyed by where it is needed: the same seed, event, place and count give the same number.
pub(crate) struct Draw {
    seed: [u8; 32],
    event: EventId,
    place: u64,
    count: u64,
}

impl Draw {
    pub fn new(stamp: &Stamp, event: EventId, place: u64) -> Draw {
        Draw { seed: stamp.seed, event, place, count: 0 }
    }

    pub fn next(&mut self) -> u128 {
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.event.to_be_bytes());
        hash.update(self.place.to_be_bytes());
        hash.update(self.count.to_be_bytes());
        self.count += 1;
        let digest = hash.finalize();
        u128::from_be_bytes(digest[..16].try_into().expect("a SHA-256 has 32 bytes"))
    }

    /// Evenly from 0 up to 1.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 75) as f64 / (1u64 << 53) as f64
    }
}
