//! The world that all parts share: its time, its store, who lives in it, and what has been seen. One lock holds what
//! changes, and nobody waits while holding it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use engine::Engine;
use machine::{TaskId, Timestamp};
use store::{Commit, ExecutionKey, Fence, MemoryStore, Store};
use tokio::time::Instant;

use crate::dice::Dice;
use crate::gate::Gate;
use crate::life::Life;
use crate::model::Model;
use crate::plan::Plan;
use crate::power::{self, Computer};
use crate::script::Script;
use crate::services::Services;
use crate::transcript::Transcript;
use crate::truth::Truth;

/// What the clocks show when the world begins: a day in November 2023.
const BEGINNING: Timestamp = 1_700_000_000_000;

/// More than this is never asked of the store in one moment.
const ENDLESS: u32 = 20_000;

pub(crate) struct World {
    pub plan: Plan,
    memory: Arc<MemoryStore>,
    /// The store is on its disk, and not in memory.
    computer: Option<Computer>,
    began: Instant,
    /// Open when the faults are over.
    pub quiet: Gate,
    /// Open when something was seen that must not be.
    pub ended: Gate,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub transcript: Transcript,
    pub truth: Truth,
    pub model: Model,
    pub services: Services,
    pub script: Script,
    pub owners: Owners,
    /// What has happened, and how often.
    pub seen: BTreeMap<String, u64>,
    pub violations: Vec<String>,
    pub chance: Dice,
    pub store_dice: Dice,
    pub service_dice: Dice,
    pub client_dice: Dice,
    /// The latest time that any clock has shown.
    pub latest_wall: Timestamp,
    /// The last heartbeat that a caller was told is heard: in which life, and when it was sent by that life's clock.
    pub beats: BTreeMap<(ExecutionKey, TaskId), (u32, Timestamp)>,
    pub full_until_ms: u64,
    /// What was being committed when the power went, by whom.
    pub unknown: Vec<(Arc<Life>, Commit)>,
    /// A moment, and how often the store was asked in it.
    hurry: (u64, u32),
    /// Numbers what clients ask, in order.
    pub operations: u64,
}

/// The processes that live, the owner of the store last.
#[derive(Default)]
pub(crate) struct Owners {
    pub lives: Vec<(Arc<Life>, Engine)>,
    pub born: u32,
    /// How far the clock of the last one is from the world's time.
    pub skew_ms: i64,
    /// One is being started.
    pub taking: bool,
    pub starting: Option<Arc<Life>>,
    /// As the store gave it out last.
    pub fence: Option<Fence>,
}

impl World {
    pub fn new(plan: Plan, whole_transcript: bool) -> Arc<World> {
        let seed = plan.seed;
        let state = State {
            transcript: Transcript::new(whole_transcript),
            truth: Truth::default(),
            model: Model::new(plan.kept_ms()),
            services: Services::default(),
            script: Script::default(),
            owners: Owners::default(),
            seen: BTreeMap::new(),
            violations: Vec::new(),
            chance: Dice::new(seed, "chance"),
            store_dice: Dice::new(seed, "store"),
            service_dice: Dice::new(seed, "services"),
            client_dice: Dice::new(seed, "clients"),
            latest_wall: 0,
            beats: BTreeMap::new(),
            full_until_ms: 0,
            unknown: Vec::new(),
            hurry: (0, 0),
            operations: 0,
        };
        Arc::new(World {
            computer: plan.power_goes.map(|_| Computer::new(&plan)),
            plan,
            memory: Arc::new(MemoryStore::new()),
            began: Instant::now(),
            quiet: Gate::default(),
            ended: Gate::default(),
            state: Mutex::new(state),
        })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        // There is one thread: waiting for the lock would be waiting for oneself.
        self.state.try_lock().expect("the world's state is held already")
    }

    /// What is written outlives every process.
    pub fn store(&self) -> Arc<dyn Store> {
        match &self.computer {
            Some(computer) => computer.store(),
            None => self.memory.clone(),
        }
    }

    /// What the store answers. The real one has threads of its own, which know nothing of the world's time.
    pub async fn wait_for<T>(&self, work: impl Future<Output = T>) -> T {
        if self.computer.is_some() { power::futures(work) } else { work.await }
    }

    pub fn perhaps_cut_power(&self) {
        match (&self.computer, self.plan.power_goes) {
            (Some(computer), Some(_)) if self.is_quiet() => computer.stays(),
            (Some(computer), Some(per_mille)) => computer.perhaps_goes(per_mille),
            _ => {}
        }
    }

    /// Whether the power has gone; then everybody has died of it.
    pub fn lost_power(&self) -> bool {
        match &self.computer {
            Some(computer) if computer.is_out() => {
                power::lose(self, computer);
                true
            }
            _ => false,
        }
    }

    pub fn power_is_out(&self) -> bool {
        self.computer.as_ref().is_some_and(Computer::is_out)
    }

    /// Milliseconds since the world began; no process knows them.
    pub fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    /// What a clock shows that is right.
    pub fn wall_ms(&self) -> Timestamp {
        BEGINNING + self.now_ms() as i64
    }

    pub fn is_quiet(&self) -> bool {
        self.quiet.is_open()
    }

    /// A line of the transcript.
    pub fn note(&self, text: &str) {
        let now = self.now_ms();
        self.state().transcript.line(now, text);
    }

    /// Counts that something has happened.
    pub fn saw(&self, what: impl Into<String>) {
        *self.state().seen.entry(what.into()).or_default() += 1;
    }

    /// A violation ends the world: what comes after it proves nothing.
    pub fn has_ended(&self) -> bool {
        self.ended.is_open()
    }

    /// Counts what is asked of the store in one moment: a process that asks without end never lets time go on.
    pub fn hurry(&self) {
        let now = self.now_ms();
        let mut state = self.state();
        let (moment, times) = &mut state.hurry;
        (*moment, *times) = if *moment == now { (now, *times + 1) } else { (now, 1) };
        let endless = *times == ENDLESS;
        drop(state);
        self.check(!endless, || format!("the store is asked {ENDLESS} times in one moment"));
    }

    /// What must not be was seen.
    pub fn violated(&self, what: String) {
        let now = self.now_ms();
        let mut state = self.state();
        state.transcript.line(now, &format!("VIOLATION {what}"));
        state.violations.push(what);
        self.ended.open();
    }

    pub fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violated(what());
        }
    }

    pub fn check_result(&self, result: Result<(), String>) {
        if let Err(what) = result {
            self.violated(what);
        }
    }

    pub async fn sleep_ms(&self, ms: u64) {
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }

    /// The process that holds the store, if one lives.
    pub fn owner(&self) -> Option<(Arc<Life>, Engine)> {
        let state = self.state();
        state.owners.lives.last().filter(|(life, _)| !life.is_dead() && !life.is_superseded()).cloned()
    }

    /// Any process that answers; seldom it is one that has lost the store and does not know.
    pub fn somebody(&self) -> Option<(Arc<Life>, Engine)> {
        let mut state = self.state();
        let living: Vec<_> = state.owners.lives.iter().filter(|(life, _)| !life.is_dead()).cloned().collect();
        let pick = !self.plan.scripted && state.client_dice.per_mille(300);
        if living.len() > 1 && pick {
            let at = state.client_dice.below(living.len());
            return Some(living[at].clone());
        }
        living.last().cloned()
    }
}
