//! Worlds whose store is the real one, on a disk that loses what was not synced when the power goes. All processes die
//! with it; when it is back, what is on the disk must be exactly what was acknowledged, and of the one commit that was
//! under way all or nothing.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use fastrand::Rng;
use powercut::{Disk, VFS};
use store::sqlite::{Options, Synchronous};
use store::{ExecutionKey, Fence, Outcome, SqliteStore, Store};
use tempfile::TempDir;

use crate::dice::Dice;
use crate::house;
use crate::model;
use crate::plan::{Plan, Plant};
use crate::world::World;

/// The longest that the power stays after it was decided that it goes, in operations of the disk: about what three
/// commits take.
const STAYS: u64 = 40;

/// How often a computer that has just started is cut off again, in thousandths, and after how many operations at most.
const AGAIN: u32 = 200;
const SOON: u64 = 10;

/// The computer: its disk, and the store that is open on it.
pub(crate) struct Computer {
    folder: TempDir,
    synchronous: Synchronous,
    state: Mutex<State>,
}

struct State {
    disk: Arc<Disk>,
    store: Arc<SqliteStore>,
    starts: u32,
    armed: bool,
    dice: Dice,
    survival: Rng,
}

impl Computer {
    pub fn new(plan: &Plan) -> Computer {
        let folder = TempDir::new().expect("a directory for the disk");
        let synchronous = if plan.plant == Some(Plant::NeverSyncs) { Synchronous::Off } else { Synchronous::Full };
        let dir = folder.path().join("0");
        let disk = Disk::at(&dir).expect("a directory for the disk");
        let store = open(dir, synchronous).expect("an empty directory becomes a store");
        let dice = Dice::new(plan.seed, "power");
        let survival = Rng::with_seed(plan.seed);
        let state = State { disk, store: Arc::new(store), starts: 0, armed: false, dice, survival };
        Computer { folder, synchronous, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.try_lock().expect("there is one thread")
    }

    pub fn store(&self) -> Arc<SqliteStore> {
        self.state().store.clone()
    }

    pub fn is_out(&self) -> bool {
        self.state().disk.is_out()
    }

    /// Something is about to be written: perhaps the power goes soon.
    pub fn perhaps_goes(&self, per_mille: u32) {
        let mut state = self.state();
        if !state.armed && state.dice.per_mille(per_mille) {
            state.armed = true;
            let stays = state.dice.between(1, STAYS);
            state.disk.power_goes_after(stays);
        }
    }

    /// Nobody cuts it off any more.
    pub fn stays(&self) {
        let mut state = self.state();
        state.armed = true;
        state.disk.power_stays();
    }

    /// Starts it again from what is on its disk.
    fn start_again(&self) -> Result<(), String> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.starts += 1;
        let dir = self.folder.path().join(state.starts.to_string());
        state.disk = state.disk.restart_in(&dir, &mut state.survival).map_err(|error| error.to_string())?;
        state.store = Arc::new(open(dir, self.synchronous).map_err(|error| error.to_string())?);
        state.armed = state.dice.per_mille(AGAIN);
        if state.armed {
            state.disk.power_goes_after(state.dice.between(1, SOON));
        }
        Ok(())
    }
}

fn open(dir: PathBuf, synchronous: Synchronous) -> store::Result<SqliteStore> {
    SqliteStore::open(&Options { vfs: Some(VFS.to_string()), synchronous, ..Options::new(dir) })
}

/// The power has gone: everybody dies, and after a while it is back.
pub(crate) fn lose(world: &World, computer: &Computer) {
    world.note("the power is gone");
    world.saw("crash.power");
    let (lives, starting) = {
        let owners = &mut world.state().owners;
        let lives: Vec<_> = owners.lives.iter().map(|(life, _)| life.clone()).collect();
        (lives, owners.starting.take())
    };
    if starting.is_some() {
        world.saw("crash.power while starting");
    }
    lives.iter().chain(&starting).for_each(|life| house::kill(world, life));
    if let Err(error) = computer.start_again() {
        return world.violated(format!("the store does not open after a power cut: {error}"));
    }
    world.note("the power is back");
    let found = futures(async {
        let store = computer.store();
        let unknown = std::mem::take(&mut world.state().unknown);
        for (life, commit) in unknown {
            let found = store.load_seqs(commit.key, &[commit.seq]).await?;
            if found.iter().any(|stored| stored.chunk == commit.chunk) {
                world.saw("crash.power after all");
                life.landed(&commit, Outcome::Committed);
            }
        }
        compare(world, &store).await
    });
    world.check_result(found.unwrap_or_else(|error: store::Error| Err(format!("it cannot be read: {error}"))));
}

/// The store's own threads do the work: time does not go on meanwhile.
pub(crate) fn futures<T>(work: impl Future<Output = T>) -> T {
    pollster::block_on(tokio::task::unconstrained(work))
}

/// What is on the disk, and what the world knows to have landed.
async fn compare(world: &World, store: &SqliteStore) -> store::Result<Result<(), String>> {
    let logs: Vec<(ExecutionKey, String, usize, bool)> = {
        let state = world.state();
        let logs = state.truth.logs.iter().filter(|(_, log)| !model::is_old(&state, log));
        logs.map(|(key, log)| (*key, log.arn.clone(), log.chunks(), log.execution.is_over())).collect()
    };
    for (key, arn, chunks, over) in &logs {
        let found = store.load(*key, 0).await?.len();
        if found != *chunks {
            return Ok(Err(format!("{chunks} turns of {arn} were acknowledged, and {found} are on the disk")));
        }
        let listed = store.listing(*key).await?.map(|listing| listing.stopped_at.is_some());
        if listed != Some(*over) {
            return Ok(Err(format!("{arn} is over: {over}, and its row says {listed:?}")));
        }
    }
    let last = store.last_number(&Fence { shard: 0, epoch: 0 }).await?;
    for number in 1..=last {
        let key = ExecutionKey { shard: 0, number };
        let is_known = world.state().truth.logs.contains_key(&key);
        if !is_known && !store.load_ends(key).await?.is_empty() {
            return Ok(Err(format!("nobody has written {key}")));
        }
    }
    Ok(Ok(()))
}
