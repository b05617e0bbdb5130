//! Heartbeats are not records: the owner of an execution remembers when each of its tasks was last heard.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;

use machine::{TaskId, Timestamp};
use store::ExecutionKey;

#[derive(Default)]
pub(crate) struct Beats {
    heard: Mutex<HashMap<ExecutionKey, BTreeMap<TaskId, Timestamp>>>,
}

impl Beats {
    pub fn beat(&self, key: ExecutionKey, task: TaskId, at: Timestamp) {
        self.heard.lock().expect("no panic while held").entry(key).or_default().insert(task, at);
    }

    pub fn of(&self, key: ExecutionKey) -> BTreeMap<TaskId, Timestamp> {
        self.heard.lock().expect("no panic while held").get(&key).cloned().unwrap_or_default()
    }

    /// Forgets the tasks that wait no more.
    pub fn keep(&self, key: ExecutionKey, waits: impl Fn(TaskId) -> bool) {
        let mut heard = self.heard.lock().expect("no panic while held");
        if let Some(tasks) = heard.get_mut(&key) {
            tasks.retain(|task, _| waits(*task));
            if tasks.is_empty() {
                heard.remove(&key);
            }
        }
    }
}
