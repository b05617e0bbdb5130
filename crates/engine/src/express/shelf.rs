//! The last Express executions that have ended, so that a person can look at them; AWS cannot show them at all.
//!
//! They are found by `…:execution:<machine>:<name>:<id>`, an ARN that no execution of AWS has: about `…:express:…` the
//! API answers what AWS answers.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use asl::Program;
use machine::{Record, Timestamp, history};

use crate::api::{ExecutionDescription, History, HistoryQuery};
use crate::settings::ExpressSettings;

/// What an entry takes beside its payloads, about, in bytes.
const RECORD_BYTES: usize = 160;

/// An execution that has ended.
pub(crate) struct Kept {
    pub description: ExecutionDescription,
    pub records: Vec<Record>,
    /// Whether these are all its records.
    pub all: bool,
    /// Of its payloads.
    pub bytes: usize,
    pub program: Arc<Program>,
}

pub(crate) struct Shelf {
    inner: Mutex<Inner>,
    most: usize,
    most_bytes: usize,
    longest_ms: Timestamp,
}

#[derive(Default)]
struct Inner {
    by_arn: HashMap<Arc<str>, Arc<Kept>>,
    /// The oldest first.
    order: VecDeque<Arc<Kept>>,
    bytes: usize,
}

impl Kept {
    fn size(&self) -> usize {
        self.bytes + self.records.len() * RECORD_BYTES
    }

    fn ended_at(&self) -> Timestamp {
        self.description.stopped_at.unwrap_or(self.description.started_at)
    }

    /// A page of its history.
    pub fn history(&self, query: &HistoryQuery, region: &str) -> History {
        let view = history::View { program: &self.program, data: query.data, region };
        let mut events: Vec<history::Event> = history::events(&self.records, 1).collect();
        if let (false, Some(end)) = (self.all, events.last_mut()) {
            // The end of a history whose middle was not kept.
            end.id = end.record.previous + 1;
        }
        if query.reverse {
            events.reverse();
        }
        let from = |id: u64| match query.from {
            None => true,
            Some(from) if query.reverse => id <= from,
            Some(from) => id >= from,
        };
        let mut page = events.into_iter().filter(|event| from(event.id));
        let events = page.by_ref().take(query.limit).filter_map(|event| history::shown(view, event)).collect();
        History { events, next: page.next().map(|event| event.id) }
    }
}

impl Shelf {
    pub fn new(settings: &ExpressSettings) -> Shelf {
        Shelf {
            inner: Mutex::default(),
            most: settings.kept,
            most_bytes: settings.kept_bytes,
            longest_ms: settings.kept_for.as_millis() as Timestamp,
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().expect("no panic while held")
    }

    pub fn put(&self, kept: Kept) {
        let oldest = kept.ended_at() - self.longest_ms;
        let kept = Arc::new(kept);
        let mut gone = Vec::new();
        {
            let mut inner = self.lock();
            inner.bytes += kept.size();
            inner.by_arn.insert(kept.description.arn.clone(), kept.clone());
            inner.order.push_back(kept);
            while inner.order.len() > self.most
                || inner.bytes > self.most_bytes
                || inner.order.front().is_some_and(|first| first.ended_at() < oldest)
            {
                let Some(first) = inner.order.pop_front() else { break };
                inner.bytes -= first.size();
                // A second run of the same one may have taken its place.
                if inner.by_arn.get(&first.description.arn).is_some_and(|kept| Arc::ptr_eq(kept, &first)) {
                    inner.by_arn.remove(&first.description.arn);
                }
                gone.push(first);
            }
        }
        // Freed where nobody waits for it.
        drop(gone);
    }

    /// By `…:execution:<machine>:<name>:<id>`.
    pub fn find(&self, arn: &str, now: Timestamp) -> Option<Arc<Kept>> {
        let own = arn.replacen(":execution:", ":express:", 1);
        let kept = self.lock().by_arn.get(own.as_str()).cloned();
        kept.filter(|kept| kept.ended_at() >= now - self.longest_ms)
    }

    /// Those of a state machine, the newest first.
    pub fn of_machine(&self, machine: &str, now: Timestamp) -> Vec<Arc<Kept>> {
        let is_wanted =
            |kept: &&Arc<Kept>| *kept.description.machine == *machine && kept.ended_at() >= now - self.longest_ms;
        self.lock().order.iter().rev().filter(is_wanted).cloned().collect()
    }
}

/// Whether an ARN can only be that of a kept execution: one with a name and an id behind its machine's name.
pub(crate) fn is_kept_name(arn: &str) -> bool {
    arn.matches(':').count() == 8 && arn.split(':').nth(5) == Some("execution")
}
