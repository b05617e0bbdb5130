//! The simulated world: the real engine over a virtual clock, a store and services that fail in every way they may, and
//! processes that die at any moment. Clients and workers call it by chance, and a model says what they may see.
//!
//! All of it runs on one thread with tokio's clock paused, and every throw of chance follows from the seed: the same seed
//! gives the same transcript to the last byte. `plan.rs` says what a seed's world is like, `truth.rs` what a log may
//! hold, `model.rs` what callers may be told, `ending.rs` what must be so when the faults are over.

mod catalogue;
mod children;
mod clients;
mod coverage;
mod dice;
mod ending;
mod express;
mod gate;
mod house;
mod life;
mod model;
mod plan;
mod power;
mod programs;
mod qualified;
mod redrive;
mod script;
mod services;
mod store;
#[cfg(test)]
mod stories;
mod transcript;
mod truth;
mod workers;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Once};

pub use coverage::{EXPECTED, missing};
pub use plan::{Crashes, Plan, Plant, ServiceFaults, StoreFaults};

use crate::world::World;

/// How long clients are heard after the last of them has called, in milliseconds.
const AFTERMATH_MS: u64 = 20_000;

/// What a run has shown.
#[derive(Clone, Debug)]
pub struct Report {
    pub seed: u64,
    /// SHA-256 of the transcript.
    pub hash: String,
    pub lines: u64,
    /// How often each thing has happened.
    pub seen: BTreeMap<String, u64>,
    /// What must not be and was; the transcript says what led to it.
    pub violation: Option<String>,
    /// The end of the transcript, or all of it.
    pub transcript: String,
}

/// Runs the world of a plan from its beginning to its end.
pub fn run(plan: Plan, whole_transcript: bool) -> Report {
    simulate(plan, whole_transcript, async |world| {
        live(&world).await;
        ending::settle(&world).await;
    })
}

fn simulate(plan: Plan, whole_transcript: bool, act: impl AsyncFnOnce(Arc<World>)) -> Report {
    listen_for_panics();
    PANICS.with_borrow_mut(|panics| *panics = Some(Vec::new()));
    let seed = plan.seed;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O needs nothing");
    let world = runtime.block_on(async {
        let world = World::new(plan, whole_transcript);
        tokio::select! {
            biased;
            () = world.ended.pass() => {}
            () = act(world.clone()) => {}
        }
        world
    });
    drop(runtime);
    let panics = PANICS.with_borrow_mut(Option::take).unwrap_or_default();
    // Lives know the world, and it knows them: nothing of either would ever be freed, its disk among it.
    let (owners, unknown) = {
        let mut state = world.state();
        (std::mem::take(&mut state.owners), std::mem::take(&mut state.unknown))
    };
    drop((owners, unknown));
    let mut state = world.state();
    state.violations.extend(panics);
    let transcript = state.transcript.last();
    let violation = state.violations.first().cloned();
    let (hash, lines) = (state.transcript.hash(), state.transcript.lines);
    Report { seed, hash, lines, seen: std::mem::take(&mut state.seen), violation, transcript }
}

async fn live(world: &Arc<World>) {
    tokio::spawn(house::keep(world.clone()));
    house::furnish(world).await;
    tokio::spawn(house::crash(world.clone()));
    tokio::spawn(house::usurp(world.clone()));
    tokio::spawn(house::set_clocks(world.clone()));
    for number in 0..world.plan.workers {
        tokio::spawn(workers::work(world.clone(), number));
    }
    for _ in 0..world.plan.operations {
        let gap = world.state().client_dice.delay(world.plan.gap_ms);
        world.sleep_ms(gap).await;
        let operation = clients::pick(world);
        tokio::spawn(clients::operate(world.clone(), operation));
    }
    world.sleep_ms(AFTERMATH_MS).await;
}

thread_local! {
    /// What has panicked on this thread while a world runs: the engine goes on after a panic, a world does not.
    static PANICS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

fn listen_for_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let heard = PANICS.with_borrow_mut(|panics| match panics {
                Some(panics) => {
                    panics.push(format!("a panic: {panic}"));
                    true
                }
                None => false,
            });
            if !heard {
                before(panic);
            }
        }));
    });
}
