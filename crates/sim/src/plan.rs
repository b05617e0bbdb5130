//! What a seed's world is like. Each seed has its own choice of faults ("swarm"): a world with everything at once hides
//! what only a few of them do together, and a world with none shows what must never happen.

use std::time::Duration;

use engine::{Retention, Settings};
use machine::Limits;

use crate::dice::Dice;

/// Chances are in thousandths, times in milliseconds.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    /// No fault at all: then no call may fail for a reason that is not the caller's.
    pub calm: bool,
    /// A story lays down what goes wrong.
    pub scripted: bool,
    pub operations: usize,
    /// Between two operations.
    pub gap_ms: u64,
    pub workers: usize,
    pub store: StoreFaults,
    pub crashes: Crashes,
    /// The store is the real one on a disk of its own, and how likely it is with each write that the power goes soon.
    pub power_goes: Option<u32>,
    pub services: ServiceFaults,
    /// Workers and clients that go away in the middle.
    pub gone: u32,
    /// How far the clock of a new process may be from the last one's.
    pub clock_jump_ms: i64,
    /// The mean time between two settings of a living process's clock; 0: nobody does.
    pub clock_set_every_ms: u64,
    pub settings: Settings,
    pub plant: Option<Plant>,
}

/// A lie that no store may tell: worlds that hold one must not come to a good end, or nothing is proved by those that do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Plant {
    /// Now and then a commit is acknowledged and not written.
    ForgetsCommits,
    /// Who has lost the store may write all the same.
    IgnoresFences,
    /// Work in flight is not found after a restart.
    ForgetsWork,
    /// Now and then the last chunk of a log is not read.
    ReadsOldLogs,
    /// Nothing is synced; found out only where the power goes.
    NeverSyncs,
}

#[derive(Clone, Debug, Default)]
pub struct StoreFaults {
    pub slow_ms: u64,
    /// An error, and nothing was written.
    pub error_before: u32,
    /// An error, and it was written all the same.
    pub error_after: u32,
    pub read_error: u32,
    /// A commit finds the disk full, and so do all others for a while.
    pub full: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Crashes {
    /// The mean time between two that come by themselves; 0: none do.
    pub every_ms: u64,
    pub before_commit: u32,
    pub after_commit: u32,
    pub in_call: u32,
    /// Another process takes the store over while the first one believes that it still has it.
    pub two_owners_every_ms: u64,
}

#[derive(Clone, Debug, Default)]
pub struct ServiceFaults {
    pub slow_ms: u64,
    pub fails: u32,
    pub never_answers: u32,
    /// A service hears a request long after it was sent.
    pub late: u32,
    pub unreachable: u32,
    /// Whoever has a token uses it twice.
    pub twice: u32,
}

impl StoreFaults {
    /// Whether it ever tells of an error.
    pub fn fails(&self) -> bool {
        self.error_before + self.error_after + self.read_error + self.full > 0
    }
}

impl Plan {
    pub fn of(seed: u64) -> Plan {
        let mut dice = Dice::new(seed, "plan");
        let calm = dice.per_mille(125);
        let mut plan = Plan::quiet(seed);
        plan.calm = calm;
        plan.operations = 40 + dice.below(160);
        plan.gap_ms = *dice.pick(&[5, 50, 400, 2_000]);
        plan.workers = 1 + dice.below(4);
        plan.settings = settings(&mut dice);
        plan.services.fails = *dice.pick(&[0, 50, 300]);
        plan.services.slow_ms = *dice.pick(&[0, 20, 3_000]);
        plan.services.late = *dice.pick(&[0, 50]);
        plan.services.twice = *dice.pick(&[0, 200]);
        if calm {
            return plan;
        }
        plan.gone = *dice.pick(&[0, 50, 300]);
        plan.store.slow_ms = *dice.pick(&[0, 5, 50, 2_000]);
        let mut store = |plan: &mut u32, chances: &[u32]| *plan = *dice.pick(chances);
        store(&mut plan.store.error_before, &[0, 0, 10, 100]);
        store(&mut plan.store.error_after, &[0, 0, 10, 100]);
        store(&mut plan.store.read_error, &[0, 0, 10, 100]);
        store(&mut plan.store.full, &[0, 0, 5]);
        store(&mut plan.crashes.before_commit, &[0, 0, 3, 20]);
        store(&mut plan.crashes.after_commit, &[0, 0, 3, 20]);
        store(&mut plan.crashes.in_call, &[0, 0, 10, 50]);
        store(&mut plan.services.never_answers, &[0, 30]);
        store(&mut plan.services.unreachable, &[0, 300]);
        plan.crashes.every_ms = *dice.pick(&[0, 0, 2_000, 30_000]);
        plan.crashes.two_owners_every_ms = *dice.pick(&[0, 0, 0, 10_000]);
        plan.clock_jump_ms = *dice.pick(&[0, 0, 2_000, 3_600_000]);
        plan.clock_set_every_ms = *dice.pick(&[0, 0, 20_000]);
        plan.power_goes = *dice.pick(&[None, None, None, None, None, None, Some(3), Some(30)]);
        plan
    }

    /// A world in which everything goes well.
    pub fn quiet(seed: u64) -> Plan {
        Plan {
            seed,
            calm: true,
            scripted: false,
            operations: 0,
            gap_ms: 0,
            workers: 0,
            store: StoreFaults::default(),
            crashes: Crashes::default(),
            power_goes: None,
            services: ServiceFaults::default(),
            gone: 0,
            clock_jump_ms: 0,
            clock_set_every_ms: 0,
            settings: Settings::default(),
            plant: None,
        }
    }

    /// Whether a process may end, or not know what became of a commit.
    pub fn is_gentle(&self) -> bool {
        let crashes = &self.crashes;
        !self.scripted
            && self.power_goes.is_none()
            && crashes.every_ms == 0
            && crashes.before_commit + crashes.after_commit + crashes.in_call == 0
            && crashes.two_owners_every_ms == 0
            && !self.store.fails()
    }
}

/// What ended a minute ago goes.
const BY_AGE: Retention = Retention { age: Some(Duration::from_secs(60)), bytes: None };
/// The store is always too full: what ended five minutes ago goes.
const BY_SIZE: Retention = Retention { age: None, bytes: Some(1) };

impl Plan {
    /// How long after its end an execution is certain to be kept, in milliseconds.
    pub fn kept_ms(&self) -> Option<i64> {
        match self.settings.retention {
            BY_AGE => Some(60_000),
            BY_SIZE => Some(300_000),
            _ => None,
        }
    }
}

/// Small limits reach what large ones would reach in years.
fn settings(dice: &mut Dice) -> Settings {
    let limits = Limits {
        turn_records: *dice.pick(&[3, 20, 10_000]),
        events: *dice.pick(&[40, 25_000, 25_000]),
        ..Limits::default()
    };
    Settings {
        resident_bytes: *dice.pick(&[1, 32 << 10, 16 << 20]),
        programs: *dice.pick(&[1, 1_000]),
        dispatch: *dice.pick(&[1, 8, 512]),
        starts: *dice.pick(&[2, 20_000, 20_000]),
        pollers: *dice.pick(&[1, 1_000, 1_000]),
        timer_horizon: Duration::from_secs(*dice.pick(&[2, 20, 600])),
        retention: *dice.pick(&[Retention::default(), Retention::default(), BY_AGE, BY_SIZE]),
        limits,
        ..Settings::default()
    }
}
