//! The store as a process sees it: slow, failing before or after it has written, full, or the last thing the process
//! ever asks. What it holds is in the world's own memory and outlives every process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use store::{
    ActivityTask, Changed, Commit, Error, EventRange, ExecutionKey, Fence, Hash, Inbox, Item, ItemChange, ItemKind,
    ListQuery, Listing, Outcome, Page, Position, Result, Store, StoredChunk,
};

use crate::life::Life;
use crate::plan::Plant;
use crate::script::Fate;
use crate::world::World;

/// How likely it is where the store is slow, in thousandths.
const HEARD_LATE: u32 = 20;
/// How late it is heard what was to be heard late, in milliseconds.
const HEARD_LATE_MS: u64 = 500;
/// How long a full disk stays full, in milliseconds.
const FULL_MS: u64 = 3_000;

pub(crate) struct FaultyStore(pub Arc<Life>);

impl FaultyStore {
    fn world(&self) -> &World {
        &self.0.world
    }

    async fn pause(&self) {
        self.world().hurry();
        let ms = {
            let world = self.world();
            let slow = if world.is_quiet() { 0 } else { world.plan.store.slow_ms };
            world.state().store_dice.delay(slow)
        };
        self.world().sleep_ms(ms).await;
        self.0.go_on().await;
    }

    fn failed(&self, what: &str) -> Error {
        self.world().note(&format!("L{} store {what}", self.0.number));
        self.world().saw(format!("store.{what}"));
        Error::Unavailable(what.to_owned())
    }

    /// Something that is only read.
    async fn read<T>(&self, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.pause().await;
        let fails = {
            let world = self.world();
            let mut state = world.state();
            let scripted = state.script.failing_reads > 0;
            state.script.failing_reads = state.script.failing_reads.saturating_sub(1);
            scripted || !world.is_quiet() && state.store_dice.per_mille(world.plan.store.read_error)
        };
        if fails {
            return Err(self.failed("read error"));
        }
        let answer = self.world().wait_for(work).await;
        let ms = self.world().state().script.slow_reads.pop_front().unwrap_or_default();
        self.world().sleep_ms(ms).await;
        self.pause().await;
        self.world().note(&format!("L{} store {what}", self.0.number));
        answer
    }

    /// What becomes of a write, and how long it takes.
    fn fate(&self, turns: usize) -> (Fate, u64) {
        let (world, now) = (self.world(), self.world().now_ms());
        let mut state = world.state();
        let script = &mut state.script;
        let scripted =
            if turns > 0 { script.commits.pop_front() } else { script.items.pop_front().map(|fate| (fate, 0)) };
        if let Some(fate) = scripted {
            return fate;
        }
        if world.is_quiet() {
            return (Fate::Lands, 0);
        }
        let (store, crashes) = (&world.plan.store, &world.plan.crashes);
        if now < state.full_until_ms {
            return (Fate::Full, 0);
        }
        let chances = [
            (store.error_before, Fate::ErrorBefore),
            (store.error_after, Fate::ErrorAfter),
            (store.full, Fate::Full),
            (if store.slow_ms > 0 { HEARD_LATE } else { 0 }, Fate::HeardLate),
            (crashes.before_commit, Fate::DiesBefore),
            (crashes.after_commit, Fate::DiesAfter),
        ];
        let fate = chances.iter().find(|(chance, _)| state.store_dice.per_mille(*chance));
        let fate = fate.map_or(Fate::Lands, |(_, fate)| *fate);
        if fate == Fate::Full {
            state.full_until_ms = now + FULL_MS;
        }
        (fate, 0)
    }

    /// Something that is written: `land` writes it.
    async fn write<T>(&self, what: &str, turns: usize, land: impl Future<Output = Result<T>>) -> Result<T> {
        self.pause().await;
        let (fate, ms) = self.fate(turns);
        self.world().sleep_ms(ms).await;
        self.0.go_on().await;
        match fate {
            Fate::ErrorBefore => return Err(self.failed("error before")),
            Fate::Full => {
                self.failed("full");
                return Err(Error::Full("no space left".into()));
            }
            Fate::DiesBefore => self.die("dies before commit").await,
            Fate::Lands | Fate::HeardLate | Fate::ErrorAfter | Fate::DiesAfter => {}
        }
        self.world().perhaps_cut_power();
        let answer = self.world().wait_for(land).await;
        if self.world().lost_power() {
            self.0.go_on().await;
        }
        match fate {
            Fate::ErrorAfter => return Err(self.failed("error after")),
            Fate::HeardLate => self.world().sleep_ms(HEARD_LATE_MS).await,
            Fate::DiesAfter => self.die("dies after commit").await,
            _ => {}
        }
        self.pause().await;
        self.world().note(&format!("L{} store {what} answered", self.0.number));
        answer
    }

    /// Whether the store tells this lie now.
    fn lies(&self, plant: Plant) -> bool {
        self.world().plan.plant == Some(plant) && self.world().state().store_dice.per_mille(20)
    }

    async fn die(&self, how: &str) {
        self.world().note(&format!("L{} {how}", self.0.number));
        self.world().saw(format!("crash.{how}"));
        self.0.die();
        self.0.go_on().await;
    }

    /// The turns, and what the world sees of those that land.
    async fn land(&self, mut turns: Vec<(Fence, Commit)>) -> Result<Vec<Outcome>> {
        if self.lies(Plant::ForgetsCommits) {
            return Ok(vec![Outcome::Committed; turns.len()]);
        }
        let newest = self.world().state().owners.fence;
        if let (Some(Plant::IgnoresFences), Some(newest)) = (self.world().plan.plant, newest) {
            turns.iter_mut().for_each(|(fence, _)| *fence = newest);
        }
        let outcomes = self.world().store().commit(turns.clone()).await;
        match &outcomes {
            Ok(outcomes) => {
                for ((_, commit), outcome) in turns.iter().zip(outcomes) {
                    self.0.landed(commit, *outcome);
                }
            }
            // What became of these will be seen when there is power again.
            Err(_) if self.world().power_is_out() => {
                let commits = turns.into_iter().map(|(_, commit)| commit);
                self.world().state().unknown.extend(commits.map(|commit| (self.0.clone(), commit)));
            }
            Err(_) => {}
        }
        outcomes
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn acquire(&self, shard: u16, node: &str) -> Result<Option<Fence>> {
        let take = async {
            let fence = self.world().store().acquire(shard, node).await;
            let owners = &mut self.world().state().owners;
            owners.fence = fence.clone().ok().flatten();
            for (life, _) in &owners.lives {
                life.superseded.store(true, Ordering::Relaxed);
            }
            fence
        };
        self.write("acquire", 0, take).await
    }

    async fn owns(&self, fence: &Fence) -> Result<bool> {
        self.read("owns", self.world().store().owns(fence)).await
    }

    async fn commit(&self, turns: Vec<(Fence, Commit)>) -> Result<Vec<Outcome>> {
        self.write("commit", turns.len(), self.land(turns)).await
    }

    async fn load(&self, key: ExecutionKey, from_seq: u32) -> Result<Vec<StoredChunk>> {
        let mut chunks = self.read(&format!("load {key} {from_seq}"), self.world().store().load(key, from_seq)).await?;
        if chunks.len() > 1 && self.lies(Plant::ReadsOldLogs) {
            chunks.pop();
        }
        Ok(chunks)
    }

    async fn load_ends(&self, key: ExecutionKey) -> Result<Vec<StoredChunk>> {
        self.read(&format!("load_ends {key}"), self.world().store().load_ends(key)).await
    }

    async fn load_events(&self, key: ExecutionKey, range: EventRange) -> Result<Vec<StoredChunk>> {
        self.read(&format!("load_events {key} {range:?}"), self.world().store().load_events(key, range)).await
    }

    async fn load_seqs(&self, key: ExecutionKey, seqs: &[u32]) -> Result<Vec<StoredChunk>> {
        self.read(&format!("load_seqs {key} {seqs:?}"), self.world().store().load_seqs(key, seqs)).await
    }

    async fn find(&self, machine: &str, name: &str) -> Result<Option<Listing>> {
        self.read(&format!("find {name}"), self.world().store().find(machine, name)).await
    }

    async fn listing(&self, key: ExecutionKey) -> Result<Option<Listing>> {
        self.read(&format!("listing {key}"), self.world().store().listing(key)).await
    }

    async fn list(&self, query: &ListQuery, after: Option<Position>, limit: usize) -> Result<Page<Listing>> {
        self.read(&format!("list {query:?} {after:?}"), self.world().store().list(query, after, limit)).await
    }

    async fn has_running(&self, machine: &str) -> Result<bool> {
        self.read("has_running", self.world().store().has_running(machine)).await
    }

    async fn due(&self, fence: &Fence, until: i64, limit: usize) -> Result<Vec<(ExecutionKey, i64)>> {
        self.read(&format!("due {until}"), self.world().store().due(fence, until, limit)).await
    }

    async fn next_due(&self, fence: &Fence) -> Result<Option<i64>> {
        self.read("next_due", self.world().store().next_due(fence)).await
    }

    async fn hot(&self, fence: &Fence, after: Option<ExecutionKey>, limit: usize) -> Result<Vec<ExecutionKey>> {
        let hot = self.read("hot", self.world().store().hot(fence, after, limit)).await?;
        Ok(if self.world().plan.plant == Some(Plant::ForgetsWork) { Vec::new() } else { hot })
    }

    async fn last_number(&self, fence: &Fence) -> Result<u64> {
        self.read("last_number", self.world().store().last_number(fence)).await
    }

    async fn deliver(&self, shard: u16, input: Vec<u8>, execution: ExecutionKey) -> Result<()> {
        self.write("deliver", 0, self.world().store().deliver(shard, input, execution)).await
    }

    async fn take_inbox(&self, fence: &Fence, limit: usize) -> Result<Vec<Inbox>> {
        self.read("take_inbox", self.world().store().take_inbox(fence, limit)).await
    }

    async fn activity_tasks(
        &self,
        activity: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, ActivityTask)>> {
        self.read("activity_tasks", self.world().store().activity_tasks(activity, after, limit)).await
    }

    async fn claim_activity(&self, activity: &str, now: i64, until: i64) -> Result<Option<ActivityTask>> {
        self.write("claim_activity", 0, self.world().store().claim_activity(activity, now, until)).await
    }

    async fn activities_waiting(&self) -> Result<Vec<String>> {
        self.read("activities_waiting", self.world().store().activities_waiting()).await
    }

    async fn put_definition(&self, hash: Hash, text: &str) -> Result<()> {
        self.write("put_definition", 0, self.world().store().put_definition(hash, text)).await
    }

    async fn definition(&self, hash: Hash) -> Result<Option<String>> {
        self.read("definition", self.world().store().definition(hash)).await
    }

    async fn drop_unused_definitions(&self) -> Result<usize> {
        self.write("drop_unused_definitions", 0, self.world().store().drop_unused_definitions()).await
    }

    async fn change_items(&self, changes: Vec<ItemChange>, definitions: Vec<(Hash, String)>) -> Result<Changed> {
        self.write("change_items", 0, self.world().store().change_items(changes, definitions)).await
    }

    async fn item(&self, kind: ItemKind, scope: &str, name: &str) -> Result<Option<(Item, u64)>> {
        self.read(&format!("item {name}"), self.world().store().item(kind, scope, name)).await
    }

    async fn items(
        &self,
        kind: ItemKind,
        scope: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<(Item, u64)>> {
        self.read("items", self.world().store().items(kind, scope, after, limit)).await
    }

    async fn items_newest(
        &self,
        kind: ItemKind,
        scope: &str,
        after: Option<(i64, String)>,
        limit: usize,
    ) -> Result<Page<(Item, u64)>> {
        self.read("items_newest", self.world().store().items_newest(kind, scope, after, limit)).await
    }

    async fn secret(&self, name: &str, make: &[u8]) -> Result<Vec<u8>> {
        self.write("secret", 0, self.world().store().secret(name, make)).await
    }

    async fn bytes(&self) -> Result<u64> {
        self.read("bytes", self.world().store().bytes()).await
    }

    async fn delete_ended(&self, before: i64, limit: usize) -> Result<usize> {
        self.write("delete_ended", 0, self.world().store().delete_ended(before, limit)).await
    }

    async fn backup(&self, to: &Path) -> Result<()> {
        self.read("backup", self.world().store().backup(to)).await
    }
}
