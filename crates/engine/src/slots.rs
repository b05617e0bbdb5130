//! Executions in memory. A slot is one execution's mailbox and, while it is worth keeping, its folded state; all that
//! arrives while a turn is being committed is taken together by the next one.
//!
//! A busy slot has a driver. A parked one may be dropped at any time: its log is in the store.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use asl::{Payload, Program};
use lru::LruCache;
use machine::codec::Writer;
use machine::{Execution, Input, TaskId, Timestamp, Verdict};
use store::ExecutionKey;
use tokio::sync::oneshot;

use crate::Result;
use crate::api::ExecutionDescription;
use crate::logs::Logging;
use crate::spans::Tracing;

/// Something for an execution, and who wants to know what came of it.
pub(crate) struct Mail {
    pub input: Input,
    pub reply: Option<oneshot::Sender<Result<Verdict>>>,
}

/// A folded execution with what is needed to write its next chunk.
pub(crate) struct Live {
    pub execution: Execution,
    pub program: Arc<Program>,
    pub writer: Writer,
    /// The next chunk's number.
    pub seq: u32,
    /// As the store's `open` row says it.
    pub open: store::OpenChange,
    /// What its state machine wants logged.
    pub logging: Option<Arc<Logging>>,
    /// The trace that it is part of, where its state machine has that enabled.
    pub tracing: Option<Arc<Tracing>>,
}

pub(crate) struct Slot {
    pub key: ExecutionKey,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    mail: Vec<Mail>,
    driven: bool,
    live: Option<Box<Live>>,
    description: Option<Arc<ExecutionDescription>>,
    /// Commits that were lost in a row.
    lost: u32,
}

impl Slot {
    fn new(key: ExecutionKey) -> Arc<Slot> {
        Arc::new(Slot { key, inner: Mutex::default() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while held")
    }

    /// The driver takes what there is.
    pub fn take(&self) -> (Vec<Mail>, Option<Box<Live>>) {
        let mut inner = self.lock();
        (std::mem::take(&mut inner.mail), inner.live.take())
    }

    /// A commit was lost, or the log could not be loaded; how many before it, in a row.
    pub fn lost(&self) -> u32 {
        let mut inner = self.lock();
        inner.lost += 1;
        inner.lost - 1
    }

    pub fn landed(&self) {
        self.lock().lost = 0;
    }

    /// What has been committed, for those who only look.
    pub fn description(&self) -> Option<Arc<ExecutionDescription>> {
        self.lock().description.clone()
    }

    pub fn describe(&self, description: Arc<ExecutionDescription>) {
        self.lock().description = Some(description);
    }

    /// What has been committed is not known any more: who looks must ask the store.
    pub fn forget_description(&self) {
        self.lock().description = None;
    }

    pub fn put_back(&self, live: Box<Live>) {
        self.lock().live = Some(live);
    }
}

/// All slots.
pub(crate) struct Slots {
    inner: Mutex<Maps>,
    /// How many bytes the parked ones may take, all together. One that would take more alone is not kept.
    resident_bytes: usize,
    mailbox: usize,
}

struct Maps {
    busy: HashMap<ExecutionKey, Arc<Slot>>,
    /// With the bytes that each takes.
    parked: LruCache<ExecutionKey, (Arc<Slot>, usize)>,
    parked_bytes: usize,
    by_arn: HashMap<Arc<str>, ExecutionKey>,
}

impl Slots {
    pub fn new(resident_bytes: usize, mailbox: usize) -> Slots {
        let (busy, by_arn) = Default::default();
        let maps = Maps { busy, parked: LruCache::unbounded(), parked_bytes: 0, by_arn };
        Slots { inner: Mutex::new(maps), resident_bytes, mailbox }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Maps> {
        self.inner.lock().expect("no panic while held")
    }

    /// A slot for an execution that begins now; its driver is the caller.
    pub fn begin(&self, key: ExecutionKey) -> Arc<Slot> {
        let slot = Slot::new(key);
        slot.lock().driven = true;
        self.lock().busy.insert(key, slot.clone());
        slot
    }

    /// Takes back an execution that did not come to be, or one that nobody can drive: the next mail loads it anew.
    pub fn abandon(&self, slot: &Arc<Slot>) {
        let mut maps = self.lock();
        if maps.busy.get(&slot.key).is_some_and(|busy| Arc::ptr_eq(busy, slot)) {
            maps.busy.remove(&slot.key);
            let arn = slot.description().map(|d| d.arn.clone());
            maps.forget(arn);
        }
    }

    /// Leaves mail. `Some` where the slot has no driver: the caller becomes it. Mail that somebody waits for comes back
    /// where the mailbox is full; what only wakes the execution always fits.
    pub fn post(&self, key: ExecutionKey, mail: Mail) -> Result<Option<Arc<Slot>>, Mail> {
        let mut maps = self.lock();
        let slot = match maps.busy.get(&key) {
            Some(slot) => slot.clone(),
            None => {
                let slot = maps.take_parked(&key).unwrap_or_else(|| Slot::new(key));
                maps.busy.insert(key, slot.clone());
                slot
            }
        };
        let mut inner = slot.lock();
        if inner.mail.len() >= self.mailbox && mail.reply.is_some() {
            return Err(mail);
        }
        inner.mail.push(mail);
        let undriven = !std::mem::replace(&mut inner.driven, true);
        drop(inner);
        Ok(undriven.then_some(slot))
    }

    /// The driver wants to leave: true where nothing has come in meanwhile. `keep` says how many bytes the execution takes
    /// where it may come again soon.
    pub fn park(&self, slot: &Arc<Slot>, keep: Option<usize>) -> bool {
        let mut maps = self.lock();
        let mut inner = slot.lock();
        if !inner.mail.is_empty() {
            return false;
        }
        inner.driven = false;
        let arn = inner.description.as_ref().map(|d| d.arn.clone());
        drop(inner);
        maps.busy.remove(&slot.key);
        let Some(bytes) = keep.filter(|bytes| *bytes <= self.resident_bytes) else {
            maps.forget(arn);
            return true;
        };
        if let Some(arn) = arn {
            maps.by_arn.insert(arn, slot.key);
        }
        maps.take_parked(&slot.key);
        maps.parked.put(slot.key, (slot.clone(), bytes));
        maps.parked_bytes += bytes;
        while maps.parked_bytes > self.resident_bytes {
            let Some((_, (old, bytes))) = maps.parked.pop_lru() else { break };
            maps.parked_bytes -= bytes;
            let arn = old.description().map(|d| d.arn.clone());
            maps.forget(arn);
        }
        true
    }

    /// What has been committed of an execution that is in memory.
    pub fn description(&self, arn: &str) -> Option<Arc<ExecutionDescription>> {
        let maps = self.lock();
        let key = maps.by_arn.get(arn)?;
        maps.slot(key)?.description()
    }

    /// The same, also of one whose ARN is not known yet because it has just been loaded.
    pub fn description_of(&self, key: ExecutionKey) -> Option<Arc<ExecutionDescription>> {
        self.lock().slot(&key)?.description()
    }

    pub fn key(&self, arn: &str) -> Option<ExecutionKey> {
        self.lock().by_arn.get(arn).copied()
    }

    /// How many commits of an execution were lost in a row.
    pub fn lost(&self, key: ExecutionKey) -> u32 {
        self.lock().slot(&key).map_or(0, |slot| slot.lock().lost)
    }

    /// What a task was asked, where its execution is in memory and at rest.
    pub fn task_parameters(&self, key: ExecutionKey, task: TaskId) -> Option<Payload> {
        let maps = self.lock();
        let slot = maps.slot(&key)?;
        let inner = slot.lock();
        let task = inner.live.as_ref()?.execution.tasks.get(&task)?;
        Some(task.parameters.clone())
    }

    /// Executions that ended before a time may be gone from the store.
    pub fn forget_ended(&self, before: Timestamp) {
        let mut maps = self.lock();
        let ended = |slot: &Slot| slot.description().and_then(|d| d.stopped_at).is_some_and(|at| at < before);
        let gone: Vec<_> = maps.parked.iter().filter(|(_, (slot, _))| ended(slot)).map(|(key, _)| *key).collect();
        for key in gone {
            let arn = maps.take_parked(&key).and_then(|slot| slot.description().map(|d| d.arn.clone()));
            maps.forget(arn);
        }
    }

    /// How many have a driver.
    pub fn busy(&self) -> usize {
        self.lock().busy.len()
    }
}

impl Maps {
    fn slot(&self, key: &ExecutionKey) -> Option<&Arc<Slot>> {
        self.busy.get(key).or_else(|| Some(&self.parked.peek(key)?.0))
    }

    fn take_parked(&mut self, key: &ExecutionKey) -> Option<Arc<Slot>> {
        let (slot, bytes) = self.parked.pop(key)?;
        self.parked_bytes -= bytes;
        Some(slot)
    }

    fn forget(&mut self, arn: Option<Arc<str>>) {
        if let Some(arn) = arn {
            self.by_arn.remove(&arn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_mailbox_refuses_who_waits_and_nobody_else() {
        let slots = Slots::new(1, 2);
        let key = ExecutionKey { shard: 0, number: 1 };
        let asked = || Mail { input: Input::Continue, reply: Some(oneshot::channel().0) };
        let told = || Mail { input: Input::Continue, reply: None };
        let slot = slots.post(key, asked()).ok().flatten().expect("the first one drives");
        assert!(matches!(slots.post(key, asked()), Ok(None)));
        assert!(slots.post(key, asked()).is_err());
        assert!(matches!(slots.post(key, told()), Ok(None)));
        assert_eq!(slot.take().0.len(), 3);
        assert!(matches!(slots.post(key, asked()), Ok(None)), "there is room again");
    }

    fn park(slots: &Slots, number: u64, bytes: usize) {
        let slot = slots.begin(ExecutionKey { shard: 0, number });
        assert!(slots.park(&slot, Some(bytes)), "no mail has come");
    }

    fn parked(slots: &Slots) -> (Vec<u64>, usize) {
        let maps = slots.lock();
        (maps.parked.iter().map(|(key, _)| key.number).collect(), maps.parked_bytes)
    }

    #[test]
    fn what_is_parked_takes_no_more_than_its_bytes() {
        let slots = Slots::new(1_000, 10);
        for number in 1..=10 {
            park(&slots, number, 300);
        }
        assert_eq!(parked(&slots), (vec![10, 9, 8], 900));
        park(&slots, 11, 1_001);
        assert_eq!(parked(&slots), (vec![10, 9, 8], 900), "a large one does not push out the others");
        let mail = Mail { input: Input::Continue, reply: None };
        let slot = slots.post(ExecutionKey { shard: 0, number: 9 }, mail).ok().flatten().expect("it has no driver");
        assert_eq!(parked(&slots), (vec![10, 8], 600));
        slot.take();
        assert!(slots.park(&slot, None));
        assert_eq!(parked(&slots), (vec![10, 8], 600));
    }
}
