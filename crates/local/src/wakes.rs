//! Who waits for what: a long poll waits for its queue, the job runner for work. A wake is only a hint to look again,
//! sent after the commit that made it true; whoever waits looks at the database first and after each wake.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// A board of names to wait for; clones share it.
#[derive(Clone, Default)]
pub struct Wakes(Arc<Mutex<HashMap<String, Arc<Notify>>>>);

impl Wakes {
    /// The bell of `what`. Register with `notified().enable()` before looking, so that no wake is missed in between.
    pub fn bell(&self, what: &str) -> Arc<Notify> {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A bell that nobody holds is forgotten, so that deleted queues do not stay on the board.
        if board.len() > 1024 {
            board.retain(|_, bell| Arc::strong_count(bell) > 1);
        }
        board.entry(what.to_owned()).or_default().clone()
    }

    /// Ring the bells of all names that somebody waits for.
    pub fn wake(&self, names: &BTreeSet<String>) {
        if names.is_empty() {
            return;
        }
        let board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in names {
            if let Some(bell) = board.get(name) {
                bell.notify_waiters();
            }
        }
    }
}
