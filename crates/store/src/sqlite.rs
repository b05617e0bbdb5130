//! The durable store of one machine: one SQLite file in a data directory that one process holds.
//!
//! One thread writes (`writer.rs`), a few connections read (`readers.rs`), one thread moves pages from the log to the file
//! (`checkpoint.rs`). `schema.rs` has the tables; `turn.rs` what a turn does to them.

mod backup;
mod catalog;
mod checkpoint;
mod failure;
mod key;
mod listings;
mod logs;
mod numbers;
mod open;
mod readers;
mod schema;
mod sound;
mod sweep;
mod turn;
mod waiting;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;

use self::checkpoint::Checkpointer;
use self::open::{DirectoryLock, Role};
use self::readers::Readers;
use self::writer::{Tables, Writer};
use crate::{
    ActivityTask, Changed, Commit, EventRange, ExecutionKey, Fence, Hash, Inbox, Item, ItemChange, ItemKind, ListQuery,
    Listing, Outcome, Page, Position, Result, Store, StoredChunk,
};

pub use self::backup::backup;
pub use self::open::FILE;
pub use self::schema::NEWEST as FORMAT;

/// How many reads go on at one time: more than that wait for each other on a disk anyway.
const READERS: usize = 4;

/// A log of up to this many chunks is read on the caller's thread, see `readers.rs`.
const QUICK_CHUNKS: usize = 32;

/// What a read of a definition or an item weighs nothing against: the rows of a catalog change.
const ITEM_BYTES: usize = 512;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory; it is made if it is not there.
    pub dir: PathBuf,
    /// The name of a registered SQLite VFS, for tests that lose writes or slow them down.
    pub vfs: Option<String>,
    pub synchronous: Synchronous,
    /// The file grows no further than this; what does not fit is refused with [`Error::Full`](crate::Error::Full).
    pub max_bytes: Option<u64>,
}

impl Options {
    pub fn new(dir: impl Into<PathBuf>) -> Options {
        Options { dir: dir.into(), vfs: None, synchronous: Synchronous::Full, max_bytes: None }
    }
}

/// When a commit counts as written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Synchronous {
    /// When the disk says so.
    Full,
    /// When the system has it. A power cut loses what was acknowledged: only for tests that show that they would see it.
    Off,
}

pub struct SqliteStore {
    // Dropped in this order: the writer is the last connection to close, and leaves one file without a log.
    readers: Readers,
    writer: Writer,
    /// The epoch of each shard's newest owner. One process has the directory, so it need not be read.
    epochs: Mutex<HashMap<u16, u64>>,
    /// One sweep of definitions at a time, see `numbers.rs`.
    sweep: tokio::sync::Mutex<()>,
    _lock: DirectoryLock,
}

impl SqliteStore {
    /// Open the store of a directory, or make one there.
    pub fn open(options: &Options) -> Result<SqliteStore> {
        let lock = open::lock(&options.dir)?;
        let mut connection = open::connect(options, Role::Writer)?;
        open::prepare(&mut connection, options)?;
        let readers = (0..READERS).map(|_| open::connect(options, Role::Reader)).collect::<Result<_>>()?;
        let failed = Arc::new(OnceLock::new());
        let copying = open::connect(options, Role::Reader)?;
        let checkpointer = Checkpointer::start(copying, failed.clone())?;
        let writer = Writer::start(Tables::read(connection)?, checkpointer, failed)?;
        Ok(SqliteStore {
            readers: Readers::new(readers),
            writer,
            epochs: Mutex::default(),
            sweep: tokio::sync::Mutex::default(),
            _lock: lock,
        })
    }

    /// Looks whether everything is what was written; [`Error::Corrupt`](crate::Error::Corrupt) says what is not. Turns go on meanwhile.
    pub async fn check(&self) -> Result<()> {
        self.readers.slow(sound::whole).await
    }

    async fn drop_unused(&self) -> Result<usize> {
        self.writer
            .write(0, |tables| {
                tables.numbers.begin_sweep();
                Ok(())
            })
            .await?;
        let unused = self.readers.slow(sweep::unused_definitions).await?;
        self.writer.write(0, move |tables| tables.drop_definitions(&unused)).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn acquire(&self, shard: u16, node: &str) -> Result<Option<Fence>> {
        let node = node.to_owned();
        let fence = self.writer.write(0, move |tables| tables.acquire(shard, &node)).await?;
        self.epochs.lock().expect("no panic while held").insert(shard, fence.epoch);
        Ok(Some(fence))
    }

    async fn owns(&self, fence: &Fence) -> Result<bool> {
        Ok(self.epochs.lock().expect("no panic while held").get(&fence.shard) == Some(&fence.epoch))
    }

    async fn commit(&self, turns: Vec<(Fence, Commit)>) -> Result<Vec<Outcome>> {
        self.writer
            .write(turn::bytes(&turns), move |tables| {
                turns.iter().map(|(fence, commit)| tables.turn(*fence, commit)).collect()
            })
            .await
    }

    async fn load(&self, key: ExecutionKey, from_seq: u32) -> Result<Vec<StoredChunk>> {
        let id = key::id(key)?;
        let mut chunks =
            self.readers.quick(|connection| logs::from_seq(connection, id, from_seq, QUICK_CHUNKS)).await?;
        // A log only grows, so the rest may be read later than the beginning.
        if chunks.len() == QUICK_CHUNKS
            && let Some(next) = chunks.last().and_then(|last| last.seq.checked_add(1))
        {
            let rest = self.readers.slow(move |connection| logs::from_seq(connection, id, next, usize::MAX)).await?;
            chunks.extend(rest);
        }
        Ok(chunks)
    }

    async fn load_ends(&self, key: ExecutionKey) -> Result<Vec<StoredChunk>> {
        let id = key::id(key)?;
        self.readers.quick(|connection| logs::ends(connection, id)).await
    }

    async fn load_events(&self, key: ExecutionKey, range: EventRange) -> Result<Vec<StoredChunk>> {
        let id = key::id(key)?;
        self.readers.slow(move |connection| logs::by_events(connection, id, &range)).await
    }

    async fn load_seqs(&self, key: ExecutionKey, seqs: &[u32]) -> Result<Vec<StoredChunk>> {
        let id = key::id(key)?;
        if seqs.len() <= QUICK_CHUNKS {
            return self.readers.quick(|connection| logs::by_seqs(connection, id, seqs)).await;
        }
        let seqs = seqs.to_vec();
        self.readers.slow(move |connection| logs::by_seqs(connection, id, &seqs)).await
    }

    async fn find(&self, machine: &str, name: &str) -> Result<Option<Listing>> {
        self.readers.quick(|connection| listings::by_name(connection, machine, name)).await
    }

    async fn listing(&self, key: ExecutionKey) -> Result<Option<Listing>> {
        let id = key::id(key)?;
        self.readers.quick(|connection| listings::by_key(connection, id)).await
    }

    async fn list(&self, query: &ListQuery, after: Option<Position>, limit: usize) -> Result<Page<Listing>> {
        let query = query.clone();
        self.readers.slow(move |connection| listings::page(connection, &query, after, limit)).await
    }

    async fn has_running(&self, machine: &str) -> Result<bool> {
        self.readers.quick(|connection| listings::has_running(connection, machine)).await
    }

    async fn due(&self, fence: &Fence, until: i64, limit: usize) -> Result<Vec<(ExecutionKey, i64)>> {
        let fence = *fence;
        self.readers.slow(move |connection| waiting::due(connection, &fence, until, limit)).await
    }

    async fn next_due(&self, fence: &Fence) -> Result<Option<i64>> {
        self.readers.quick(|connection| waiting::next_due(connection, fence)).await
    }

    async fn hot(&self, fence: &Fence, after: Option<ExecutionKey>, limit: usize) -> Result<Vec<ExecutionKey>> {
        let fence = *fence;
        self.readers.slow(move |connection| waiting::hot(connection, &fence, after, limit)).await
    }

    async fn last_number(&self, fence: &Fence) -> Result<u64> {
        self.readers.quick(|connection| waiting::last_number(connection, fence)).await
    }

    async fn deliver(&self, shard: u16, input: Vec<u8>, execution: ExecutionKey) -> Result<()> {
        self.writer.write(input.len(), move |tables| tables.deliver(shard, &input, execution)).await
    }

    async fn take_inbox(&self, fence: &Fence, limit: usize) -> Result<Vec<Inbox>> {
        let fence = *fence;
        self.readers.slow(move |connection| waiting::inbox(connection, &fence, limit)).await
    }

    async fn activity_tasks(
        &self,
        activity: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, ActivityTask)>> {
        let activity = activity.to_owned();
        self.readers.slow(move |connection| waiting::activity_tasks(connection, &activity, after, limit)).await
    }

    async fn claim_activity(&self, activity: &str, now: i64, until: i64) -> Result<Option<ActivityTask>> {
        let activity = activity.to_owned();
        self.writer.write(0, move |tables| tables.claim_activity(&activity, now, until)).await
    }

    async fn activities_waiting(&self) -> Result<Vec<String>> {
        self.readers.slow(waiting::activities).await
    }

    async fn put_definition(&self, hash: Hash, text: &str) -> Result<()> {
        let text = text.to_owned();
        self.writer.write(text.len(), move |tables| tables.put_definition(&hash, &text)).await
    }

    async fn definition(&self, hash: Hash) -> Result<Option<String>> {
        self.readers.quick(|connection| catalog::definition(connection, &hash)).await
    }

    async fn drop_unused_definitions(&self) -> Result<usize> {
        let _alone = self.sweep.lock().await;
        let dropped = self.drop_unused().await;
        self.writer
            .write(0, |tables| {
                tables.numbers.end_sweep();
                Ok(())
            })
            .await?;
        dropped
    }

    async fn change_items(&self, changes: Vec<ItemChange>, definitions: Vec<(Hash, String)>) -> Result<Changed> {
        let items: usize = changes
            .iter()
            .map(|change| match change {
                ItemChange::Put { item, .. } => item.body.len() + ITEM_BYTES,
                ItemChange::Delete { .. } => ITEM_BYTES,
            })
            .sum();
        let texts: usize = definitions.iter().map(|(_, text)| text.len()).sum();
        self.writer.write(items + texts, move |tables| tables.change_items(&changes, &definitions)).await
    }

    async fn item(&self, kind: ItemKind, scope: &str, name: &str) -> Result<Option<(Item, u64)>> {
        self.readers.quick(|connection| catalog::one(connection, kind, scope, name)).await
    }

    async fn items(
        &self,
        kind: ItemKind,
        scope: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<(Item, u64)>> {
        let scope = scope.to_owned();
        self.readers.slow(move |connection| catalog::by_name(connection, kind, &scope, after.as_deref(), limit)).await
    }

    async fn items_newest(
        &self,
        kind: ItemKind,
        scope: &str,
        after: Option<(i64, String)>,
        limit: usize,
    ) -> Result<Page<(Item, u64)>> {
        let scope = scope.to_owned();
        self.readers
            .slow(move |connection| {
                let after = after.as_ref().map(|(time, name)| (*time, name.as_str()));
                catalog::newest(connection, kind, &scope, after, limit)
            })
            .await
    }

    async fn secret(&self, name: &str, make: &[u8]) -> Result<Vec<u8>> {
        let kept = self.readers.quick(|connection| catalog::secret(connection, name)).await?;
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let (name, make) = (name.to_owned(), make.to_vec());
        self.writer.write(make.len(), move |tables| tables.secret(&name, &make)).await
    }

    async fn bytes(&self) -> Result<u64> {
        self.readers.quick(sweep::used_bytes).await
    }

    async fn delete_ended(&self, before: i64, limit: usize) -> Result<usize> {
        self.writer.write(0, move |tables| tables.delete_ended(before, limit)).await
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        let to = to.to_owned();
        self.readers.slow(move |connection| backup::copy(connection, &to)).await
    }
}
