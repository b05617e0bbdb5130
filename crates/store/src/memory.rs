//! The store as plain maps behind a mutex: the model that the others are compared with, and the store of tests, of the
//! simulation and of `stepwell run`. It forgets everything when it is dropped, and there is nothing that it cannot do.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{
    ActivityTask, ActivityTaskId, Changed, Chunk, Commit, Error, EventRange, ExecutionKey, Fence, Hash, Inbox, Item,
    ItemChange, ItemKind, ListOf, ListQuery, Listing, ListingChange, OpenChange, Outcome, Page, Position, Result,
    Status, Store, StoredChunk,
};

#[derive(Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

impl MemoryStore {
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // No change is left half made by a panic: each is checked before it is begun.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Tables {
    epochs: BTreeMap<u16, u64>,
    last_numbers: BTreeMap<u16, u64>,
    log: BTreeMap<(ExecutionKey, u32), Chunk>,
    listings: BTreeMap<ExecutionKey, Listing>,
    names: BTreeMap<(String, String), ExecutionKey>,
    open: BTreeMap<ExecutionKey, (Option<i64>, bool)>,
    /// The number of the task or the news that came last; numbers are never used again.
    last_seq: u64,
    tasks: BTreeMap<u64, (ActivityTask, Option<i64>)>,
    task_seqs: BTreeMap<ActivityTaskId, u64>,
    inbox: BTreeMap<u64, (u16, ExecutionKey, Vec<u8>)>,
    definitions: BTreeMap<Hash, String>,
    items: BTreeMap<(ItemKind, String, String), (Item, u64)>,
    last_revision: u64,
    secrets: BTreeMap<String, Vec<u8>>,
}

impl Tables {
    fn owns(&self, fence: &Fence) -> bool {
        self.epochs.get(&fence.shard) == Some(&fence.epoch)
    }

    fn commit(&mut self, fence: Fence, commit: Commit) -> Outcome {
        let key = commit.key;
        if fence.shard != key.shard || !self.owns(&fence) {
            return Outcome::Fenced;
        }
        if matches!(commit.listing, Some(ListingChange::Redrive { .. })) && !self.listings.contains_key(&key) {
            return Outcome::Gone;
        }
        if self.log.contains_key(&(key, commit.seq)) {
            return Outcome::SeqTaken;
        }
        if let Some(ListingChange::Start(listing)) = &commit.listing {
            if self.listings.contains_key(&key) {
                return Outcome::SeqTaken;
            }
            let name = (listing.machine.clone(), listing.name.clone());
            if let Some(holder) = self.names.get(&name) {
                return Outcome::NameTaken(*holder);
            }
        }

        let last = self.last_numbers.entry(key.shard).or_default();
        *last = key.number.max(*last);
        self.log.insert((key, commit.seq), commit.chunk);
        match commit.listing {
            None => {}
            Some(ListingChange::Start(listing)) => {
                let name = (listing.machine.clone(), listing.name.clone());
                self.names.insert(name, key);
                self.listings.insert(key, Listing { key, ..listing });
            }
            Some(ListingChange::End { status, stopped_at }) => {
                if let Some(listing) = self.listings.get_mut(&key) {
                    listing.status = status;
                    listing.stopped_at = Some(stopped_at);
                }
            }
            Some(ListingChange::Redrive { status, stopped_at, redrive_count, redriven_at }) => {
                if let Some(listing) = self.listings.get_mut(&key) {
                    listing.status = status;
                    listing.stopped_at = stopped_at;
                    listing.redrive_count = redrive_count;
                    listing.redriven_at = Some(redriven_at);
                }
            }
        }
        match commit.open {
            OpenChange::Keep => {}
            OpenChange::Delete | OpenChange::Set { next_due: None, hot: false } => {
                self.open.remove(&key);
            }
            OpenChange::Set { next_due, hot } => {
                self.open.insert(key, (next_due, hot));
            }
        }
        for task in commit.add_tasks {
            if let Entry::Vacant(vacant) = self.task_seqs.entry(task.id()) {
                self.last_seq += 1;
                vacant.insert(self.last_seq);
                self.tasks.insert(self.last_seq, (task, None));
            }
        }
        for id in commit.remove_tasks {
            if let Some(seq) = self.task_seqs.remove(&id) {
                self.tasks.remove(&seq);
            }
        }
        for seq in commit.consumed_inbox {
            self.inbox.remove(&seq);
        }
        Outcome::Committed
    }

    fn chunks(&self, key: ExecutionKey) -> impl DoubleEndedIterator<Item = StoredChunk> + '_ {
        self.log
            .range((key, 0)..=(key, u32::MAX))
            .map(|((_, seq), chunk)| StoredChunk { seq: *seq, chunk: chunk.clone() })
    }

    fn shard_open(&self, fence: &Fence) -> impl Iterator<Item = (ExecutionKey, Option<i64>, bool)> + '_ {
        let shard = fence.shard;
        let (first, last) = (key(shard, 0), key(shard, u64::MAX));
        self.open.range(first..=last).map(|(key, (next_due, hot))| (*key, *next_due, *hot))
    }

    fn change_items(&mut self, changes: Vec<ItemChange>) -> Changed {
        // Changes see those before them, and all are undone at the first conflict.
        let mut undo = Vec::new();
        let mut revisions = Vec::with_capacity(changes.len());
        for (index, change) in changes.into_iter().enumerate() {
            let (place, expect, item) = match change {
                ItemChange::Put { item, expect } => {
                    let place = (item.kind, item.scope.clone(), item.name.clone());
                    (place, expect, Some(item))
                }
                ItemChange::Delete { kind, scope, name, expect } => ((kind, scope, name), expect, None),
            };
            let existing = self.items.get(&place);
            if !expect.holds(existing.map(|(_, revision)| *revision)) {
                let existing = existing.cloned();
                for (place, before) in undo.into_iter().rev() {
                    match before {
                        Some(item) => self.items.insert(place, item),
                        None => self.items.remove(&place),
                    };
                }
                return Changed::Conflict { index, existing };
            }
            undo.push((place.clone(), existing.cloned()));
            revisions.push(match item {
                Some(item) => {
                    self.last_revision += 1;
                    self.items.insert(place, (item, self.last_revision));
                    self.last_revision
                }
                None => self.items.remove(&place).map_or(0, |(_, revision)| revision),
            });
        }
        Changed::Done(revisions)
    }
}

fn key(shard: u16, number: u64) -> ExecutionKey {
    ExecutionKey { shard, number }
}

fn matches(query: &ListQuery, listing: &Listing) -> bool {
    let listed = match &query.of {
        ListOf::Machine(arn) => listing.machine == *arn,
        ListOf::Version(arn) => listing.version.as_ref() == Some(arn),
        ListOf::Alias(arn) => listing.alias.as_ref() == Some(arn),
        ListOf::MapRun(arn) => listing.map_run.as_ref() == Some(arn),
    };
    listed
        && query.status.is_none_or(|status| listing.status == status)
        && query.redriven.is_none_or(|redriven| (listing.redrive_count > 0) == redriven)
}

#[async_trait]
impl Store for MemoryStore {
    async fn acquire(&self, shard: u16, _node: &str) -> Result<Option<Fence>> {
        let mut tables = self.tables();
        let epoch = tables.epochs.entry(shard).or_default();
        *epoch += 1;
        Ok(Some(Fence { shard, epoch: *epoch }))
    }

    async fn owns(&self, fence: &Fence) -> Result<bool> {
        Ok(self.tables().owns(fence))
    }

    async fn commit(&self, turns: Vec<(Fence, Commit)>) -> Result<Vec<Outcome>> {
        if let Some((_, commit)) = turns.iter().find(|(_, commit)| commit.key.number > ExecutionKey::MAX_NUMBER) {
            return Err(Error::TooLarge(format!("execution {}", commit.key)));
        }
        let mut tables = self.tables();
        Ok(turns.into_iter().map(|(fence, commit)| tables.commit(fence, commit)).collect())
    }

    async fn load(&self, key: ExecutionKey, from_seq: u32) -> Result<Vec<StoredChunk>> {
        let tables = self.tables();
        Ok(tables.chunks(key).filter(|chunk| chunk.seq >= from_seq).collect())
    }

    async fn load_ends(&self, key: ExecutionKey) -> Result<Vec<StoredChunk>> {
        let tables = self.tables();
        let mut chunks = tables.chunks(key);
        let first = chunks.next();
        let last = chunks.next_back();
        Ok(first.into_iter().chain(last).collect())
    }

    async fn load_events(&self, key: ExecutionKey, range: EventRange) -> Result<Vec<StoredChunk>> {
        let tables = self.tables();
        let mut found: Vec<StoredChunk> = tables.chunks(key).filter(|stored| range.touches(&stored.chunk)).collect();
        if range.newest_first {
            found.reverse();
        }
        let mut bytes = 0;
        let enough = found.iter().position(|stored| {
            bytes += stored.chunk.size();
            bytes >= range.max_bytes
        });
        if let Some(last) = enough {
            found.truncate(last + 1);
        }
        Ok(found)
    }

    async fn load_seqs(&self, key: ExecutionKey, seqs: &[u32]) -> Result<Vec<StoredChunk>> {
        let tables = self.tables();
        Ok(seqs
            .iter()
            .filter_map(|seq| {
                let chunk = tables.log.get(&(key, *seq))?.clone();
                Some(StoredChunk { seq: *seq, chunk })
            })
            .collect())
    }

    async fn find(&self, machine: &str, name: &str) -> Result<Option<Listing>> {
        let tables = self.tables();
        let key = tables.names.get(&(machine.to_owned(), name.to_owned()));
        Ok(key.and_then(|key| tables.listings.get(key)).cloned())
    }

    async fn listing(&self, key: ExecutionKey) -> Result<Option<Listing>> {
        Ok(self.tables().listings.get(&key).cloned())
    }

    async fn list(&self, query: &ListQuery, after: Option<Position>, limit: usize) -> Result<Page<Listing>> {
        let tables = self.tables();
        let mut found: Vec<&Listing> = tables
            .listings
            .values()
            .filter(|listing| matches(query, listing))
            .filter(|listing| after.is_none_or(|after| listing.position() < after))
            .collect();
        found.sort_by_key(|listing| std::cmp::Reverse(listing.position()));
        let rows = found.into_iter().take(limit.saturating_add(1)).cloned();
        Ok(Page::of(rows.collect(), limit))
    }

    async fn has_running(&self, machine: &str) -> Result<bool> {
        let tables = self.tables();
        Ok(tables.listings.values().any(|listing| listing.machine == machine && listing.status == Status::Running))
    }

    async fn due(&self, fence: &Fence, until: i64, limit: usize) -> Result<Vec<(ExecutionKey, i64)>> {
        let tables = self.tables();
        let mut due: Vec<(ExecutionKey, i64)> = tables
            .shard_open(fence)
            .filter_map(|(key, next_due, _)| Some((key, next_due?)))
            .filter(|(_, at)| *at <= until)
            .collect();
        due.sort_by_key(|(key, at)| (*at, *key));
        due.truncate(limit);
        Ok(due)
    }

    async fn next_due(&self, fence: &Fence) -> Result<Option<i64>> {
        let tables = self.tables();
        let next = tables.shard_open(fence).filter_map(|(_, at, _)| at).min();
        Ok(next)
    }

    async fn hot(&self, fence: &Fence, after: Option<ExecutionKey>, limit: usize) -> Result<Vec<ExecutionKey>> {
        let tables = self.tables();
        Ok(tables
            .shard_open(fence)
            .filter(|(key, _, hot)| *hot && after.is_none_or(|after| *key > after))
            .map(|(key, _, _)| key)
            .take(limit)
            .collect())
    }

    async fn last_number(&self, fence: &Fence) -> Result<u64> {
        let tables = self.tables();
        Ok(tables.last_numbers.get(&fence.shard).copied().unwrap_or_default())
    }

    async fn deliver(&self, shard: u16, input: Vec<u8>, execution: ExecutionKey) -> Result<()> {
        let mut tables = self.tables();
        tables.last_seq += 1;
        let seq = tables.last_seq;
        tables.inbox.insert(seq, (shard, execution, input));
        Ok(())
    }

    async fn take_inbox(&self, fence: &Fence, limit: usize) -> Result<Vec<Inbox>> {
        let tables = self.tables();
        Ok(tables
            .inbox
            .iter()
            .filter(|(_, (shard, ..))| *shard == fence.shard)
            .take(limit)
            .map(|(seq, (_, execution, input))| Inbox { seq: *seq, execution: *execution, input: input.clone() })
            .collect())
    }

    async fn activity_tasks(
        &self,
        activity: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, ActivityTask)>> {
        let tables = self.tables();
        Ok(tables
            .tasks
            .iter()
            .filter(|(seq, _)| after.is_none_or(|after| **seq > after))
            .filter(|(_, (task, _))| task.activity == activity)
            .take(limit)
            .map(|(seq, (task, _))| (*seq, task.clone()))
            .collect())
    }

    async fn claim_activity(&self, activity: &str, now: i64, until: i64) -> Result<Option<ActivityTask>> {
        let mut tables = self.tables();
        let free = tables.tasks.values_mut().find(|(task, claimed_until)| {
            task.activity == activity && claimed_until.is_none_or(|claimed| claimed <= now)
        });
        Ok(free.map(|(task, claimed_until)| {
            *claimed_until = Some(until);
            task.clone()
        }))
    }

    async fn activities_waiting(&self) -> Result<Vec<String>> {
        let tables = self.tables();
        let activities: BTreeSet<&String> = tables.tasks.values().map(|(task, _)| &task.activity).collect();
        Ok(activities.into_iter().cloned().collect())
    }

    async fn put_definition(&self, hash: Hash, text: &str) -> Result<()> {
        let mut tables = self.tables();
        tables.definitions.entry(hash).or_insert_with(|| text.to_owned());
        Ok(())
    }

    async fn definition(&self, hash: Hash) -> Result<Option<String>> {
        Ok(self.tables().definitions.get(&hash).cloned())
    }

    async fn drop_unused_definitions(&self) -> Result<usize> {
        let mut tables = self.tables();
        let used: BTreeSet<Hash> = tables
            .listings
            .values()
            .map(|listing| listing.definition)
            .chain(tables.items.values().filter_map(|(item, _)| item.definition))
            .collect();
        let before = tables.definitions.len();
        tables.definitions.retain(|hash, _| used.contains(hash));
        Ok(before - tables.definitions.len())
    }

    async fn change_items(&self, changes: Vec<ItemChange>, definitions: Vec<(Hash, String)>) -> Result<Changed> {
        let mut tables = self.tables();
        let changed = tables.change_items(changes);
        if matches!(changed, Changed::Done(_)) {
            for (hash, text) in definitions {
                tables.definitions.entry(hash).or_insert(text);
            }
        }
        Ok(changed)
    }

    async fn item(&self, kind: ItemKind, scope: &str, name: &str) -> Result<Option<(Item, u64)>> {
        let place = (kind, scope.to_owned(), name.to_owned());
        Ok(self.tables().items.get(&place).cloned())
    }

    async fn items(
        &self,
        kind: ItemKind,
        scope: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<(Item, u64)>> {
        let tables = self.tables();
        let rows = tables
            .items
            .values()
            .filter(|(item, _)| item.kind == kind && item.scope == scope)
            .filter(|(item, _)| after.as_ref().is_none_or(|after| item.name > *after))
            .take(limit.saturating_add(1))
            .cloned();
        Ok(Page::of(rows.collect(), limit))
    }

    async fn items_newest(
        &self,
        kind: ItemKind,
        scope: &str,
        after: Option<(i64, String)>,
        limit: usize,
    ) -> Result<Page<(Item, u64)>> {
        let tables = self.tables();
        let place = |item: &Item| (item.created_at, item.name.clone());
        let mut rows: Vec<&(Item, u64)> = tables
            .items
            .values()
            .filter(|(item, _)| item.kind == kind && item.scope == scope)
            .filter(|(item, _)| after.as_ref().is_none_or(|after| place(item) < *after))
            .collect();
        rows.sort_by_key(|(item, _)| std::cmp::Reverse(place(item)));
        let rows = rows.into_iter().take(limit.saturating_add(1)).cloned();
        Ok(Page::of(rows.collect(), limit))
    }

    async fn secret(&self, name: &str, make: &[u8]) -> Result<Vec<u8>> {
        let mut tables = self.tables();
        let kept = tables.secrets.entry(name.to_owned()).or_insert_with(|| make.to_vec());
        Ok(kept.clone())
    }

    async fn bytes(&self) -> Result<u64> {
        Ok(self.tables().log.values().map(|chunk| chunk.size() as u64).sum())
    }

    async fn delete_ended(&self, before: i64, limit: usize) -> Result<usize> {
        let mut tables = self.tables();
        let mut ended: Vec<(i64, ExecutionKey)> = tables
            .listings
            .values()
            .filter(|listing| !tables.open.contains_key(&listing.key))
            .filter_map(|listing| listing.stopped_at.filter(|at| *at < before).map(|at| (at, listing.key)))
            .collect();
        ended.sort_unstable();
        ended.truncate(limit);
        for (_, key) in &ended {
            if let Some(listing) = tables.listings.remove(key) {
                tables.names.remove(&(listing.machine, listing.name));
            }
            let chunks = tables.log.range((*key, 0)..=(*key, u32::MAX));
            let chunks: Vec<_> = chunks.map(|(place, _)| *place).collect();
            for place in chunks {
                tables.log.remove(&place);
            }
        }
        Ok(ended.len())
    }

    async fn backup(&self, _to: &Path) -> Result<()> {
        Err(Error::Unavailable("what is in memory only has no backup".to_owned()))
    }
}
