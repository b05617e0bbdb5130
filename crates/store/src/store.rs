//! The trait: all that the engine asks of a store.
//!
//! It is shaped for a database that many nodes share, so a commit carries the fence of its shard, and nothing here assumes
//! that the caller is the only one. What is asked with a key or a name is answered from committed data only.

use std::path::Path;

use async_trait::async_trait;

use crate::{
    ActivityTask, Changed, Commit, EventRange, ExecutionKey, Expect, Fence, Hash, Inbox, Item, ItemChange, ItemKind,
    ListQuery, Listing, Outcome, Page, Position, Put, Removed, Result, StoredChunk,
};

#[async_trait]
pub trait Store: Send + Sync {
    /// Take a shard. Older fences of the shard are refused from now on. `None`: another node's lease still lives.
    async fn acquire(&self, shard: u16, node: &str) -> Result<Option<Fence>>;

    /// Whether nobody has taken the shard over since: then whatever was read of it before was not written by a newer owner.
    async fn owns(&self, fence: &Fence) -> Result<bool>;

    /// Write turns: durable when it returns, with one outcome for each, in order. A refused turn writes nothing and does
    /// not touch its neighbours. After an error the fate of the turns is unknown until their `seq` is asked for.
    async fn commit(&self, turns: Vec<(Fence, Commit)>) -> Result<Vec<Outcome>>;

    /// The execution's chunks from a number on, in order.
    async fn load(&self, key: ExecutionKey, from_seq: u32) -> Result<Vec<StoredChunk>>;

    /// The first and the last chunk: none, one, or two.
    async fn load_ends(&self, key: ExecutionKey) -> Result<Vec<StoredChunk>>;

    /// The chunks that hold events of a range.
    async fn load_events(&self, key: ExecutionKey, range: EventRange) -> Result<Vec<StoredChunk>>;

    /// Chunks by number, in the order asked for; those that are not there are left out.
    async fn load_seqs(&self, key: ExecutionKey, seqs: &[u32]) -> Result<Vec<StoredChunk>>;

    /// The execution of this name, by its state machine's ARN.
    async fn find(&self, machine: &str, name: &str) -> Result<Option<Listing>>;

    async fn listing(&self, key: ExecutionKey) -> Result<Option<Listing>>;

    /// Executions by start time, the newest first, after a position (which itself is left out).
    async fn list(&self, query: &ListQuery, after: Option<Position>, limit: usize) -> Result<Page<Listing>>;

    /// Whether the state machine has an execution with the status `Running`.
    async fn has_running(&self, machine: &str) -> Result<bool>;

    /// The shard's executions that are due at a time or before, the longest due first.
    async fn due(&self, fence: &Fence, until: i64, limit: usize) -> Result<Vec<(ExecutionKey, i64)>>;

    /// When the shard's next execution is due.
    async fn next_due(&self, fence: &Fence) -> Result<Option<i64>>;

    /// The shard's executions with work in flight or owed, by key, after a key.
    async fn hot(&self, fence: &Fence, after: Option<ExecutionKey>, limit: usize) -> Result<Vec<ExecutionKey>>;

    /// The highest number that an execution of the shard has ever had, or 0: deleting does not free it.
    async fn last_number(&self, fence: &Fence) -> Result<u64>;

    /// Leave news for an execution of a shard that may belong to another node.
    async fn deliver(&self, shard: u16, input: Vec<u8>, execution: ExecutionKey) -> Result<()>;

    /// The oldest news of a shard. They stay until a commit consumes them.
    async fn take_inbox(&self, fence: &Fence, limit: usize) -> Result<Vec<Inbox>>;

    /// The tasks of an activity in the order they were added, claimed or not, after a number.
    async fn activity_tasks(
        &self,
        activity: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, ActivityTask)>>;

    /// Take the oldest task that nobody has claimed, or whose claim has run out at `now`, until a time. It is removed by
    /// the turn that hands it out.
    async fn claim_activity(&self, activity: &str, now: i64, until: i64) -> Result<Option<ActivityTask>>;

    /// The activities that have tasks, sorted.
    async fn activities_waiting(&self) -> Result<Vec<String>>;

    /// Keep a definition under its hash. Doing it again changes nothing.
    async fn put_definition(&self, hash: Hash, text: &str) -> Result<()>;

    async fn definition(&self, hash: Hash) -> Result<Option<String>>;

    /// Drop definitions that neither an execution nor an item names; how many went.
    async fn drop_unused_definitions(&self) -> Result<usize>;

    /// Change items, and keep definitions with them, all or nothing.
    async fn change_items(&self, changes: Vec<ItemChange>, definitions: Vec<(Hash, String)>) -> Result<Changed>;

    /// Write one item, and keep the definitions that it needs, in one transaction.
    async fn put_item(&self, item: Item, expect: Expect, definitions: Vec<(Hash, String)>) -> Result<Put> {
        let change = ItemChange::Put { item, expect };
        Ok(match self.change_items(vec![change], definitions).await? {
            Changed::Done(revisions) => Put::Done { revision: revisions.first().copied().unwrap_or_default() },
            Changed::Conflict { existing, .. } => Put::Conflict(existing),
        })
    }

    /// Delete one item. One that is not there is `Absent`, whatever was expected.
    async fn delete_item(&self, kind: ItemKind, scope: &str, name: &str, expect: Expect) -> Result<Removed> {
        let change = ItemChange::Delete { kind, scope: scope.to_owned(), name: name.to_owned(), expect };
        Ok(match self.change_items(vec![change], Vec::new()).await? {
            Changed::Done(revisions) if revisions == [0] => Removed::Absent,
            Changed::Done(_) => Removed::Done,
            Changed::Conflict { existing: None, .. } => Removed::Absent,
            Changed::Conflict { existing: Some(existing), .. } => Removed::Conflict(existing),
        })
    }

    /// An item and its revision.
    async fn item(&self, kind: ItemKind, scope: &str, name: &str) -> Result<Option<(Item, u64)>>;

    /// The items of a scope by name, after a name.
    async fn items(
        &self,
        kind: ItemKind,
        scope: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<(Item, u64)>>;

    /// The items of a scope by creation, the newest first (of one time: the greater name first), after a creation time
    /// and name.
    async fn items_newest(
        &self,
        kind: ItemKind,
        scope: &str,
        after: Option<(i64, String)>,
        limit: usize,
    ) -> Result<Page<(Item, u64)>>;

    /// A key of this installation: the one that is kept under this name, which is `make` if there was none.
    async fn secret(&self, name: &str, make: &[u8]) -> Result<Vec<u8>>;

    /// How many bytes the store takes up, without what is free for new rows.
    async fn bytes(&self) -> Result<u64>;

    /// Delete executions that stopped before a time and owe nothing, the oldest first, in a small step; how much work was
    /// done (about `limit` rows), 0 when nothing is left. An execution is gone, and its name free, with the first step that
    /// touches it; the rows of its log follow.
    async fn delete_ended(&self, before: i64, limit: usize) -> Result<usize>;

    /// Write a copy of the whole store, as it is at one moment, to a file that does not exist yet, while turns go on.
    async fn backup(&self, to: &Path) -> Result<()>;
}
