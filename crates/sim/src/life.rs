//! One process of the engine, from its start to its end: its clock, its chance, and its death. When it dies, nothing it
//! has begun goes on: whatever its tasks wait for never comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use engine::{Chance, Clock};
use machine::Timestamp;
use store::{Commit, Outcome};

use crate::gate::Gate;
use crate::world::World;

pub(crate) struct Life {
    pub number: u32,
    pub world: Arc<World>,
    /// How far its clock is from the world's time.
    skew_ms: AtomicI64,
    pub born_at: Timestamp,
    dead: Gate,
    /// Another process has taken the store over.
    pub superseded: AtomicBool,
}

impl Life {
    pub fn new(number: u32, world: Arc<World>, skew_ms: i64) -> Arc<Life> {
        let born_at = world.wall_ms() + skew_ms;
        Arc::new(Life {
            number,
            world,
            skew_ms: skew_ms.into(),
            born_at,
            dead: Gate::default(),
            superseded: AtomicBool::new(false),
        })
    }

    pub fn is_dead(&self) -> bool {
        self.dead.is_open()
    }

    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Relaxed)
    }

    /// Somebody sets its clock.
    pub fn set_clock(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    pub fn die(&self) {
        self.dead.open();
    }

    /// The store says what became of a turn of its.
    pub fn landed(&self, commit: &Commit, outcome: Outcome) {
        let world = &self.world;
        let now = world.now_ms();
        let mut guard = world.state();
        let state = &mut *guard;
        let name = format!("{} {}", commit.key, commit.seq);
        state.transcript.line(now, &format!("L{} commit {name} {outcome:?}", self.number));
        state.transcript.bytes(&commit.chunk.records);
        state.transcript.bytes(&commit.chunk.payloads);
        let kind = match outcome {
            Outcome::Committed => "committed",
            Outcome::NameTaken(_) => "name taken",
            Outcome::SeqTaken => "seq taken",
            Outcome::Fenced => "fenced",
            Outcome::Gone => "gone",
        };
        *state.seen.entry(format!("commit.{kind}")).or_default() += 1;
        if outcome == Outcome::SeqTaken {
            drop(guard);
            world.violated(format!("chunk {name} is written twice"));
        } else if outcome == Outcome::Committed {
            let landed = crate::truth::landed(state, commit, self);
            drop(guard);
            world.check_result(landed.map_err(|e| format!("commit {name}: {e}")));
        }
    }

    /// What comes of it while the process lives; `None` where it died first.
    pub async fn while_alive<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.dead.pass() => None,
            done = work => Some(done),
        }
    }

    /// The dead go no further; nor does anybody once something was seen that must not be.
    pub async fn go_on(&self) {
        if self.is_dead() || self.world.has_ended() {
            std::future::pending::<()>().await;
        }
    }
}

impl Clock for Life {
    fn now(&self) -> Timestamp {
        let now = self.world.wall_ms() + self.skew_ms.load(Ordering::Relaxed);
        let mut state = self.world.state();
        state.latest_wall = state.latest_wall.max(now);
        now
    }
}

impl Chance for Life {
    fn fill(&self, bytes: &mut [u8]) {
        self.world.state().chance.fill(bytes);
    }
}
