//! The only place where time passes: executions are loaded, turned, committed and answered, tasks are dispatched,
//! timers fire, tokens are sealed and opened.
//!
//! `api.rs` says what may be asked and `port.rs` who carries tasks out. The way of an execution is in `slots.rs` (what
//! is in memory), `drive.rs` (load, turn, commit, answer) and `dispatch.rs` (what follows a commit). What a state does
//! is not known here: that is `machine`.

mod activities;
pub mod api;
pub mod arn;
mod beats;
mod callbacks;
mod clock;
mod deleting;
mod deliveries;
mod describe;
mod dispatch;
mod drive;
mod error;
mod executions;
mod express;
mod gates;
mod log;
mod logs;
mod machines;
pub mod port;
mod programs;
mod redrive;
mod retention;
mod settings;
mod slots;
mod spans;
pub mod test_state;
mod timers;
mod token;
mod versions;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lru::LruCache;
use machine::{Input, Timestamp};
use store::{ExecutionKey, Fence, Store};
use tokio::sync::{Notify, Semaphore, oneshot};

pub use clock::{Chance, Clock, SystemChance, SystemClock};
pub use error::{Error, Result, Unwell};
pub use machines::check_name;
pub use retention::Retention;
pub use settings::{ExpressSettings, Quotas, Settings};
#[cfg(feature = "hostile")]
pub use token::hostile;
pub use versions::INITIAL_REVISION;

use crate::activities::Activities;
use crate::beats::Beats;
use crate::deliveries::Queues;
use crate::dispatch::Errands;
use crate::express::Express;
use crate::gates::Gates;
use crate::machines::CachedMachine;
use crate::port::Connector;
use crate::programs::Programs;
use crate::slots::Slots;
use crate::timers::Timers;
use crate::token::Tokens;
use crate::versions::NamedCache;

/// The embedded store has one shard.
const SHARD: u16 = 0;

/// State machines kept in memory.
const CACHED_MACHINES: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Executions that are found in the store at once.
const SCAN: usize = 1_000;

/// Executions that are loaded at once after a start, or when many timers fire: more would only wait for the disk.
const LOADS: usize = 256;

/// The clock on the wall is looked at so often at least: it may be set, and it goes on while a laptop sleeps, when the
/// clock that sleeps are measured by does not.
const LONGEST_NAP: Duration = Duration::from_secs(1);

/// A workflow engine over a store. Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

pub struct Shared {
    settings: Settings,
    store: Arc<dyn Store>,
    connector: Arc<dyn Connector>,
    /// Whether the connector wants to hear of status changes.
    listened: bool,
    /// Whether it takes spans.
    traced: bool,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
    fence: Fence,
    last_number: AtomicU64,
    listening_since: Timestamp,
    tokens: Tokens,
    programs: Programs,
    machines: Mutex<LruCache<Arc<str>, CachedMachine>>,
    named: NamedCache,
    deleting: deleting::Deleting,
    slots: Slots,
    timers: Timers,
    beats: Beats,
    activities: Activities,
    errands: Errands,
    gates: Gates,
    express: Express,
    logs: Queues<logs::Destination>,
    spans: Queues<spans::Collector>,
    /// Turns whose expressions may take long: fewer than there are threads, so that others are answered meanwhile.
    long_turns: Semaphore,
    starts: Semaphore,
    wakes: Arc<Semaphore>,
    watchers: Mutex<HashMap<ExecutionKey, Vec<oneshot::Sender<()>>>>,
    stopping: AtomicBool,
    superseded: AtomicBool,
    stop: Notify,
}

impl Deref for Engine {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Engine {
    /// Takes the store over and goes on with all that it holds.
    pub async fn open(settings: Settings, store: Arc<dyn Store>, connector: Arc<dyn Connector>) -> Result<Engine> {
        Engine::open_in(settings, store, connector, Arc::new(SystemClock), Arc::new(SystemChance)).await
    }

    /// The same with a clock and chance of the caller's.
    pub async fn open_in(
        settings: Settings,
        store: Arc<dyn Store>,
        connector: Arc<dyn Connector>,
        clock: Arc<dyn Clock>,
        chance: Arc<dyn Chance>,
    ) -> Result<Engine> {
        let fence = store.acquire(SHARD, &settings.node).await?;
        let fence = fence.ok_or_else(|| Error::Internal("another node holds the store".into()))?;
        let mut key = [0; Tokens::KEY_BYTES];
        chance.fill(&mut key);
        let key = store.secret("task-tokens", &key).await?;
        let key = key.try_into().map_err(|_| Error::Internal("the key of the task tokens is damaged".into()))?;
        let last_number = store.last_number(&fence).await?;
        let engine = Engine(Arc::new(Shared {
            fence,
            last_number: AtomicU64::new(last_number),
            listening_since: clock.now(),
            tokens: Tokens::new(&key),
            programs: Programs::new(settings.programs),
            machines: Mutex::new(LruCache::new(CACHED_MACHINES)),
            named: NamedCache::default(),
            deleting: deleting::Deleting::default(),
            slots: Slots::new(settings.resident_bytes, settings.mailbox),
            timers: Timers::default(),
            beats: Beats::default(),
            activities: Activities::default(),
            errands: Errands::default(),
            gates: Gates::new(settings.dispatch),
            express: Express::new(&settings),
            logs: Queues::default(),
            spans: Queues::default(),
            starts: Semaphore::new(settings.starts),
            long_turns: Semaphore::new(threads().saturating_sub(1).max(1)),
            wakes: Arc::new(Semaphore::new(LOADS)),
            watchers: Mutex::default(),
            stopping: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
            stop: Notify::new(),
            listened: connector.listens(),
            traced: connector.takes_spans(),
            settings,
            store,
            connector,
            clock,
            chance,
        }));
        engine.resume_deletions().await?;
        engine.queue_activity_tasks().await?;
        let (background, recovery) = (engine.clone(), engine.clone());
        tokio::spawn(async move { background.run_timers().await });
        tokio::spawn(async move { recovery.recover().await });
        if engine.settings.retention != Retention::default() {
            let housekeeper = engine.clone();
            tokio::spawn(async move { housekeeper.keep_house().await });
        }
        let express = engine.clone();
        tokio::spawn(async move { express.recover_express().await });
        Ok(engine)
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether nothing new is to be begun: it is being shut down, or another node has its shard.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Whether another node is known to have its shard: what is in memory is not what is, and only the store knows.
    pub(crate) fn is_superseded(&self) -> bool {
        self.superseded.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Begins nothing any more.
    pub(crate) fn retire(&self) {
        self.stopping.store(true, std::sync::atomic::Ordering::Relaxed);
        self.stop.notify_waiters();
    }

    /// Lets what is being committed end; nothing else needs to be saved.
    pub async fn shutdown(&self) {
        const PATIENCE: Duration = Duration::from_secs(5);
        const PAUSE: Duration = Duration::from_millis(10);
        self.retire();
        let idle = async {
            while self.slots.busy() > 0 {
                tokio::time::sleep(PAUSE).await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, idle).await;
    }

    /// Randomness for one turn.
    fn seed(&self) -> [u8; 32] {
        self.random()
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.chance.fill(&mut bytes);
        bytes
    }

    /// A name or id that nobody gave. It begins with the time (UUID version 7), so that names given by the engine lie
    /// beside each other in an index, however many there are.
    fn uuid(&self) -> String {
        let millis = u64::try_from(self.clock.now()).unwrap_or_default();
        let random: [u8; 10] = self.random();
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
    }

    /// A nonce for what is sealed outside a turn.
    fn nonce(&self) -> u128 {
        u128::from_be_bytes(self.random())
    }

    /// Tasks of activities that waited for a worker when the process ended.
    async fn queue_activity_tasks(&self) -> Result<()> {
        for activity in self.store.activities_waiting().await? {
            let mut after = None;
            loop {
                let rows = self.store.activity_tasks(&activity, after, SCAN).await?;
                after = rows.last().map(|(seq, _)| *seq);
                let full = rows.len() == SCAN;
                for (_, row) in rows {
                    self.activities.add(&activity, (row.key, row.task));
                }
                if !full {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Loads what had work in flight or owed when the process ended.
    async fn recover(&self) {
        let mut after = None;
        loop {
            match self.store.hot(&self.fence, after, SCAN).await {
                Ok(hot) => {
                    after = hot.last().copied().or(after);
                    let full = hot.len() == SCAN;
                    for key in hot {
                        self.wake(key).await;
                    }
                    if !full {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!(%error, "work in flight cannot be found; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// Runs the Express executions again that had not ended when the process did.
    async fn recover_express(&self) {
        let mut after = None;
        while let Err(error) = self.run_express_again(&mut after).await {
            tracing::error!(%error, "Express executions that were running cannot be run again yet");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Has an execution look at the time, and at what it has under way. Waits while too many do so already.
    async fn wake(&self, key: ExecutionKey) {
        let engine = self.clone();
        // The semaphore is never closed.
        let Ok(permit) = self.wakes.clone().acquire_owned().await else { return };
        tokio::spawn(async move {
            // What becomes of it is the execution's own affair, and is in its log or the server's.
            let _ = engine.ask(key, Input::Continue).await;
            drop(permit);
        });
    }

    /// Fires timers, and fetches those that come near from the store.
    async fn run_timers(&self) {
        let mut scan_at = self.clock.now();
        while !self.is_stopping() {
            let now = self.clock.now();
            if now >= scan_at {
                scan_at = self.fetch_timers(now).await;
            }
            for key in self.timers.take_due(now) {
                self.wake(key).await;
            }
            let next = self.timers.next().unwrap_or(scan_at).min(scan_at);
            let pause = Duration::from_millis(next.saturating_sub(self.clock.now()).max(0) as u64).min(LONGEST_NAP);
            tokio::select! {
                biased;
                () = tokio::time::sleep(pause) => {}
                () = self.timers.wait_for_earlier() => {}
                () = self.stop.notified() => {}
            }
        }
    }

    /// Fetches the timers of the next horizon; when to do so again.
    async fn fetch_timers(&self, now: Timestamp) -> Timestamp {
        let horizon = self.settings.timer_horizon.as_millis() as i64;
        match self.store.due(&self.fence, now + horizon, usize::MAX).await {
            Ok(due) => {
                for (key, at) in due {
                    self.timers.offer(key, at);
                }
                now + horizon / 2
            }
            Err(error) => {
                tracing::error!(%error, "timers cannot be fetched; trying again");
                now + 1_000
            }
        }
    }
}

/// Threads that run turns.
fn threads() -> usize {
    tokio::runtime::Handle::current().metrics().num_workers()
}
