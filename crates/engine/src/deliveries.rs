//! What goes to somebody outside in batches, at least once: log events and spans.
//!
//! A Standard execution owes them: the debt is recorded with the turn and settled when the destination has them, so
//! that a crash repeats some and loses none. An Express execution has no log to read them from again; its own are
//! delivered as well as can be, as AWS says.
//!
//! There is no timer: whatever waits for a destination when the last delivery ends is the next one.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Duration;

use machine::{Input, TaskId};
use store::ExecutionKey;

use crate::port::Unreachable;
use crate::{Engine, Shared};

/// What waits for one destination. What is owed and does not fit is delivered after the next start.
const MOST_WAITING: usize = 100_000;

/// The pause after a delivery that failed, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Where things of a kind go.
pub(crate) trait Destination: Clone + Eq + Hash + Send + Sync + 'static {
    type Item: Send + 'static;
    type Batch: Send + Sync;
    /// What they are called in this process's own log.
    const WHAT: &str;
    /// Under which number an execution owes them.
    const DEBT: TaskId;
    /// How many, and how many bytes, one delivery has.
    const MOST: (usize, usize);

    fn bytes(item: &Self::Item) -> usize;
    fn queues(engine: &Shared) -> &Queues<Self>;
    fn batch(&self, items: Vec<Self::Item>) -> Self::Batch;
    fn send(engine: &Engine, batch: &Self::Batch) -> impl Future<Output = Result<(), Unreachable>> + Send;
}

/// Whose debt is settled with a delivery, and up to where, in the words of `Input::Delivered`.
pub(crate) type Owed = (ExecutionKey, u64);

pub(crate) struct Queues<D: Destination>(Mutex<Inner<D>>);

struct Inner<D: Destination> {
    queues: HashMap<D, VecDeque<Waiting<D::Item>>>,
    /// Of whom something was turned away. Their debt stays until they are loaded anew, with all that is owed.
    short: HashSet<ExecutionKey>,
}

/// An item, or the end of what a turn had to deliver.
enum Waiting<T> {
    Item(T),
    End(ExecutionKey, u64),
}

impl<D: Destination> Default for Queues<D> {
    fn default() -> Queues<D> {
        Queues(Mutex::new(Inner { queues: HashMap::new(), short: HashSet::new() }))
    }
}

impl<D: Destination> Queues<D> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner<D>> {
        self.0.lock().expect("no panic while held")
    }

    /// What an execution owed when it was loaded is not queued here.
    pub fn turn_away(&self, key: ExecutionKey) {
        self.lock().short.insert(key);
    }

    /// All that an execution owes is about to be queued.
    pub fn forgive(&self, key: ExecutionKey) {
        self.lock().short.remove(&key);
    }

    /// What the next delivery has, and whose debts it settles; nothing where nothing waits.
    fn next(&self, destination: &D) -> Option<(Vec<D::Item>, Vec<Owed>)> {
        let mut inner = self.lock();
        let queue = inner.queues.get_mut(destination)?;
        let (mut items, mut settled, mut bytes) = (Vec::new(), Vec::new(), 0);
        while let Some(next) = queue.front() {
            let more = if let Waiting::Item(item) = next { D::bytes(item) } else { 0 };
            if !items.is_empty() && (items.len() >= D::MOST.0 || bytes + more > D::MOST.1) {
                break;
            }
            bytes += more;
            match queue.pop_front() {
                Some(Waiting::Item(item)) => items.push(item),
                Some(Waiting::End(key, up_to)) => settled.push((key, up_to)),
                None => break,
            }
        }
        if items.is_empty() && settled.is_empty() {
            inner.queues.remove(destination);
            return None;
        }
        settled.retain(|(key, _)| !inner.short.contains(key));
        Some((items, settled))
    }
}

impl Engine {
    /// Queues what a turn has to deliver; nothing at all settles the debt too, as it is older.
    pub(crate) fn queue<D: Destination>(&self, destination: &D, items: Vec<D::Item>, of: Option<Owed>) {
        if items.is_empty() && of.is_none() {
            return;
        }
        let mut inner = D::queues(self).lock();
        let is_new = !inner.queues.contains_key(destination);
        let queue = inner.queues.entry(destination.clone()).or_default();
        if queue.len() + items.len() > MOST_WAITING {
            tracing::warn!("{} wait for a destination that does not take them", D::WHAT);
            inner.short.extend(of.map(|(key, _)| key));
            return;
        }
        queue.extend(items.into_iter().map(Waiting::Item));
        queue.extend(of.map(|(key, up_to)| Waiting::End(key, up_to)));
        if is_new {
            let (engine, destination) = (self.clone(), destination.clone());
            tokio::spawn(async move { engine.deliver(destination).await });
        }
    }

    /// Delivers what waits, until nothing does.
    async fn deliver<D: Destination>(&self, destination: D) {
        let mut pause = PAUSES.0;
        while let Some((items, settled)) = D::queues(self).next(&destination) {
            if !items.is_empty() {
                let batch = destination.batch(items);
                while let Err(error) = D::send(self, &batch).await {
                    tracing::warn!(%error, "{} cannot be delivered yet", D::WHAT);
                    if self.is_stopping() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSES.1);
                }
                pause = PAUSES.0;
            }
            for (key, up_to) in settled {
                self.settle(key, Input::Delivered { debt: D::DEBT, up_to });
            }
        }
    }
}
