//! Timers: when which execution is due next. Only those within the horizon are here; the store knows all of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

use machine::Timestamp;
use store::ExecutionKey;
use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Timers {
    entries: Mutex<Entries>,
    /// Something earlier than before has come in.
    earlier: Notify,
}

#[derive(Default)]
struct Entries {
    order: BTreeSet<(Timestamp, ExecutionKey)>,
    by_key: HashMap<ExecutionKey, Timestamp>,
}

impl Timers {
    /// Sets, moves or takes away an execution's timer.
    pub fn set(&self, key: ExecutionKey, due: Option<Timestamp>) {
        self.put(&mut self.entries.lock().expect("no panic while held"), key, due);
    }

    fn put(&self, entries: &mut Entries, key: ExecutionKey, due: Option<Timestamp>) {
        let old = match due {
            Some(at) => entries.by_key.insert(key, at),
            None => entries.by_key.remove(&key),
        };
        if let Some(old) = old {
            entries.order.remove(&(old, key));
        }
        if let Some(at) = due {
            let first = entries.order.first().is_none_or(|(first, _)| at < *first);
            entries.order.insert((at, key));
            if first {
                self.earlier.notify_one();
            }
        }
    }

    /// Takes a timer over from the store. One that is set and rings earlier is newer than what was read there.
    pub fn offer(&self, key: ExecutionKey, at: Timestamp) {
        let mut entries = self.entries.lock().expect("no panic while held");
        if entries.by_key.get(&key).is_none_or(|set| at < *set) {
            self.put(&mut entries, key, Some(at));
        }
    }

    /// Takes what is due.
    pub fn take_due(&self, now: Timestamp) -> Vec<ExecutionKey> {
        let mut entries = self.entries.lock().expect("no panic while held");
        let mut due = Vec::new();
        while let Some((at, key)) = entries.order.first().copied()
            && at <= now
        {
            entries.order.remove(&(at, key));
            entries.by_key.remove(&key);
            due.push(key);
        }
        due
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.entries.lock().expect("no panic while held").order.first().map(|(at, _)| *at)
    }

    pub async fn wait_for_earlier(&self) {
        self.earlier.notified().await;
    }
}
