//! Processes come and go: one is started when none owns the store, one dies by itself now and then, and now and then a
//! second one takes the store over while the first believes that it still has it.

use std::sync::Arc;

use engine::api::{CreateStateMachine, MachineType};
use engine::{Engine, Error};
use serde_json::json;

use crate::express;
use crate::life::Life;
use crate::model::CREATED_WITH;
use crate::programs::{ACCOUNT, ACTIVITIES, DEFINITIONS, Definition, TRACED};
use crate::services::Hands;
use crate::store::FaultyStore;
use crate::world::World;

/// How often it is looked whether a process lives, in milliseconds.
const WATCH_MS: u64 = 100;
/// How long it takes at most until a dead process is followed by another, in milliseconds.
const DOWN_MS: u64 = 5_000;
/// How long one that has lost the store lives on at most, in milliseconds.
const STALE_MS: u64 = 15_000;

/// Starts a process; whether it came to live.
pub(crate) async fn start(world: &Arc<World>) -> bool {
    let skew = jump(world);
    let number = {
        let mut state = world.state();
        state.owners.born += 1;
        state.owners.born
    };
    let life = Life::new(number, world.clone(), skew);
    world.state().owners.starting = Some(life.clone());
    world.note(&format!("L{number} starts, its clock {skew} ms off"));
    let store = Arc::new(FaultyStore(life.clone()));
    let hands = Arc::new(Hands(life.clone()));
    let open = Engine::open_in(world.plan.settings.clone(), store, hands, life.clone(), life.clone());
    let opened = life.while_alive(open).await;
    world.state().owners.starting = None;
    match opened {
        Some(Ok(engine)) => {
            world.note(&format!("L{number} lives"));
            world.saw("process.lives");
            world.state().owners.lives.push((life, engine));
            true
        }
        failed => {
            let why = failed.map(|opened| opened.err().map(|error| error.to_string()));
            world.note(&format!("L{number} cannot start: {why:?}"));
            world.saw("process.cannot start");
            life.die();
            false
        }
    }
}

/// How far the clocks are off from now on.
fn jump(world: &World) -> i64 {
    let mut guard = world.state();
    let state = &mut *guard;
    let most = world.plan.clock_jump_ms;
    let jump = state.client_dice.between(0, 2 * most as u64) as i64 - most;
    state.owners.skew_ms += jump;
    let skew = state.owners.skew_ms;
    drop(guard);
    if jump != 0 {
        world.saw(if jump > 0 { "clock.forward" } else { "clock.back" });
    }
    skew
}

/// Clocks that are set while their process lives.
pub(crate) async fn set_clocks(world: Arc<World>) {
    let mean = world.plan.clock_set_every_ms;
    while mean > 0 && !world.is_quiet() {
        let pause = world.state().client_dice.between(0, 2 * mean);
        world.sleep_ms(pause).await;
        if let Some((life, _)) = world.owner().filter(|_| !world.is_quiet()) {
            let skew = jump(&world);
            world.note(&format!("L{} has its clock set {skew} ms off", life.number));
            world.saw("clock.set");
            life.set_clock(skew);
        }
    }
}

pub(crate) fn kill(world: &World, life: &Life) {
    world.note(&format!("L{} is killed", life.number));
    life.die();
    world.state().owners.lives.retain(|(life, _)| !life.is_dead());
}

/// Keeps a process alive until the faults are over; another may be taking the store meanwhile.
pub(crate) async fn keep(world: Arc<World>) {
    while !world.is_quiet() {
        world.state().owners.lives.retain(|(life, _)| !life.is_dead());
        if world.owner().is_none() && !world.state().owners.taking {
            let down = world.state().client_dice.between(0, DOWN_MS);
            world.sleep_ms(down).await;
            if !world.is_quiet() {
                take(&world).await;
            }
        }
        world.sleep_ms(WATCH_MS).await;
    }
}

/// One process at a time tries to take the store.
pub(crate) async fn take(world: &Arc<World>) -> bool {
    if std::mem::replace(&mut world.state().owners.taking, true) {
        return false;
    }
    let lives = start(world).await;
    world.state().owners.taking = false;
    lives
}

/// Processes that die by themselves, or are ended with notice.
pub(crate) async fn crash(world: Arc<World>) {
    let mean = world.plan.crashes.every_ms;
    while mean > 0 && !world.is_quiet() {
        let pause = world.state().client_dice.between(0, 2 * mean);
        world.sleep_ms(pause).await;
        let Some((life, engine)) = world.owner().filter(|_| !world.is_quiet()) else { continue };
        if world.state().client_dice.per_mille(300) {
            world.note(&format!("L{} is shut down", life.number));
            world.saw("process.shut down");
            life.while_alive(engine.shutdown()).await;
        } else {
            world.saw("crash.by itself");
        }
        kill(&world, &life);
    }
}

/// Processes that take the store from one that lives.
pub(crate) async fn usurp(world: Arc<World>) {
    let mean = world.plan.crashes.two_owners_every_ms;
    while mean > 0 && !world.is_quiet() {
        let pause = world.state().client_dice.between(0, 2 * mean);
        world.sleep_ms(pause).await;
        let Some((old, _)) = world.owner().filter(|_| !world.is_quiet()) else { continue };
        take(&world).await;
        if old.is_superseded() {
            world.saw("crash.two owners");
        }
        let stays = world.state().client_dice.between(0, STALE_MS);
        let world = world.clone();
        tokio::spawn(async move {
            world.sleep_ms(stays).await;
            if old.is_superseded() {
                kill(&world, &old);
            }
        });
    }
}

pub(crate) fn creation(definition: &Definition) -> CreateStateMachine {
    CreateStateMachine {
        account: ACCOUNT.into(),
        name: definition.name.into(),
        definition: definition.text.into(),
        role: CREATED_WITH.into(),
        machine_type: MachineType::Standard,
        logging: None,
        tracing: TRACED.contains(&definition.name).then(|| json!({"enabled": true})),
        encryption: None,
        tags: Vec::new(),
        publish: None,
    }
}

/// Creates what the operations need; asked again until it is acknowledged.
pub(crate) async fn furnish(world: &World) {
    for definition in DEFINITIONS {
        let create = async |engine: Engine| engine.create_state_machine(creation(definition)).await.map(drop);
        while !again(world, create).await {}
    }
    let create = async |engine: Engine| engine.create_state_machine(express::creation()).await.map(drop);
    while !again(world, create).await {}
    for activity in ACTIVITIES {
        while !again(world, async |engine| engine.create_activity(ACCOUNT, activity, Vec::new(), None).await.map(drop))
            .await
        {}
    }
}

async fn again(world: &World, ask: impl AsyncFnOnce(Engine) -> Result<(), Error>) -> bool {
    let Some((life, engine)) = world.owner() else {
        world.sleep_ms(WATCH_MS).await;
        return false;
    };
    match life.while_alive(ask(engine)).await {
        Some(Ok(())) => true,
        Some(Err(error @ (Error::Unavailable(_) | Error::Internal(_)))) => {
            world.check(!world.plan.is_gentle(), || format!("create: {error}"));
            world.sleep_ms(WATCH_MS).await;
            false
        }
        Some(Err(error)) => {
            world.violated(format!("create: {error:?}"));
            true
        }
        None => false,
    }
}
