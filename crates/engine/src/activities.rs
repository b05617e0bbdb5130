//! Activity tasks that wait for a worker, and workers that wait for a task.
//!
//! Each waiting task is a row in the store, added by the turn that scheduled it and removed by the turn that hands it
//! out. Here are the same tasks in memory, in order, so that a worker is served without a look into the store.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Mutex;

use machine::TaskId;
use store::ExecutionKey;
use tokio::sync::oneshot;

/// A task by its execution.
pub(crate) type Waiting = (ExecutionKey, TaskId);

#[derive(Default)]
pub(crate) struct Activities {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    queues: HashMap<String, Queue>,
    /// Every task that has a row.
    known: HashSet<Waiting>,
    /// Tasks whose worker went away while they were being handed out. Their row is gone or going, but they wait.
    returned: HashSet<Waiting>,
    /// Tasks that are being handed out, or were when their worker went away.
    claimed: HashSet<Waiting>,
}

#[derive(Default)]
struct Queue {
    /// Also some that wait no more, until a worker comes by or there are too many of them.
    tasks: VecDeque<Waiting>,
    workers: VecDeque<oneshot::Sender<Waiting>>,
    /// How long the queue grows before it is looked through.
    look_at: usize,
}

/// A queue is not looked through before it holds so many.
const LOOK_THROUGH: usize = 1_024;

impl Activities {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while held")
    }

    /// A task has become durable: it goes to the worker that has waited longest, or into the queue.
    pub fn add(&self, activity: &str, task: Waiting) {
        let mut inner = self.lock();
        let Inner { queues, known, returned, .. } = &mut *inner;
        known.insert(task);
        let queue = queues.entry(activity.to_owned()).or_default();
        while let Some(worker) = queue.workers.pop_front() {
            if worker.send(task).is_ok() {
                return;
            }
        }
        queue.tasks.push_back(task);
        if queue.tasks.len() >= queue.look_at.max(LOOK_THROUGH) {
            queue.tasks.retain(|task| known.contains(task) || returned.contains(task));
            queue.look_at = 2 * queue.tasks.len();
        }
    }

    /// A task has a row, and is for nobody here.
    pub fn note(&self, task: Waiting) {
        self.lock().known.insert(task);
    }

    /// Whether the task has a row in the store.
    pub fn knows(&self, key: ExecutionKey, task: TaskId) -> bool {
        self.lock().known.contains(&(key, task))
    }

    /// Somebody is to have the task: whether it was begun to be handed out before, and may have been started by that.
    pub fn claim(&self, task: Waiting) -> bool {
        !self.lock().claimed.insert(task)
    }

    /// The task's row is gone, for it has been started.
    pub fn started(&self, key: ExecutionKey, task: TaskId) {
        self.lock().known.remove(&(key, task));
    }

    /// The task waits no more, or a worker has it.
    pub fn forget(&self, key: ExecutionKey, task: TaskId) {
        let mut inner = self.lock();
        inner.known.remove(&(key, task));
        inner.returned.remove(&(key, task));
        inner.claimed.remove(&(key, task));
    }

    /// The next task, or a place in the row of workers; `None` where that row is too long.
    pub fn next(&self, activity: &str, most_workers: usize) -> Option<Next> {
        let mut inner = self.lock();
        let Inner { queues, known, returned, .. } = &mut *inner;
        let queue = queues.entry(activity.to_owned()).or_default();
        while let Some(task) = queue.tasks.pop_front() {
            if returned.remove(&task) || known.contains(&task) {
                return Some(Next::Task(task));
            }
        }
        queue.workers.retain(|worker| !worker.is_closed());
        if queue.workers.len() >= most_workers {
            return None;
        }
        let (worker, task) = oneshot::channel();
        queue.workers.push_back(worker);
        Some(Next::Wait(task))
    }

    /// A worker went away after it had been given this task: the next one gets it first.
    pub fn give_back(&self, activity: &str, task: Waiting) {
        let mut inner = self.lock();
        let queue = inner.queues.entry(activity.to_owned()).or_default();
        while let Some(worker) = queue.workers.pop_front() {
            if worker.send(task).is_ok() {
                return;
            }
        }
        queue.tasks.push_front(task);
        inner.returned.insert(task);
    }
}

pub(crate) enum Next {
    Task(Waiting),
    Wait(oneshot::Receiver<Waiting>),
}
