//! Versions and aliases of a state machine: published, listed, deleted, and started by. A version never changes, and
//! what was acknowledged is there until somebody deletes it.

use asl::Payload;
use engine::Error;
use engine::api::{Alias, CreateAlias, Publish, Route, StartExecution, UpdateAlias, Version};
use engine::arn::execution_arn;

use crate::catalogue::{self, CREATION, DELETION};
use crate::clients::{Call, machine_arn};
use crate::model;
use crate::world::World;

const MACHINE: &str = "choices";
const ALIASES: [&str; 2] = ["live", "next"];

fn version_arn(number: u64) -> String {
    format!("{}:{number}", machine_arn(MACHINE))
}

fn some_alias(world: &World) -> String {
    let name = *world.state().client_dice.pick(&ALIASES);
    format!("{}:{name}", machine_arn(MACHINE))
}

/// One of the versions that anybody has seen.
fn some_version(world: &World) -> Option<u64> {
    let mut guard = world.state();
    let state = &mut *guard;
    let at = state.client_dice.below(state.model.versions.len());
    state.model.versions.keys().nth(at).copied()
}

/// A version is what it was when it was seen first.
fn check_version(world: &World, seen: &Version) {
    let machine = (seen.machine.role.to_string(), seen.machine.definition);
    let changed = {
        let mut state = world.state();
        *state.model.versions.entry(seen.number).or_insert_with(|| machine.clone()) != machine
    };
    world.check(!changed, || format!("{} has changed", seen.arn));
}

pub(crate) async fn publish(world: &World) {
    let machine = machine_arn(MACHINE);
    let Some(mut call) = Call::begin(world, format!("publish {machine}")) else { return };
    let engine = call.engine.clone();
    let Some(answer) = call.hear(world, engine.publish_version(&machine, None, Publish::default())).await else {
        return;
    };
    match answer {
        Ok(version) => {
            world.saw("op.publish");
            check_version(world, &version);
            catalogue::happened(world, &call, CREATION, &version.arn);
            let (role, definition) = (&version.machine.role, version.machine.definition);
            let judged = model::role_seen(&world.state(), call.asked(), &machine, role, definition);
            world.check_result(judged);
        }
        Err(error) => world.violated(format!("publish: {error:?}")),
    }
}

pub(crate) async fn list(world: &World) {
    let machine = machine_arn(MACHINE);
    let (mut seen, mut after) = (Vec::new(), None);
    let asked = world.state().operations + 1;
    loop {
        let Some(mut call) = Call::begin(world, format!("list versions {after:?}")) else { return };
        let engine = call.engine.clone();
        let Some(answer) = call.hear(world, engine.list_versions(&machine, after.take(), 3)).await else { return };
        match answer {
            Ok(page) => {
                page.items.iter().for_each(|version| check_version(world, version));
                seen.extend(page.items.into_iter().map(|version| version.number));
                after = page.next;
            }
            Err(error) => return world.violated(format!("list versions: {error:?}")),
        }
        if after.is_none() {
            break;
        }
    }
    world.saw("op.list versions");
    world.check(seen.is_sorted_by(|a, b| a > b), || format!("versions are listed as {seen:?}"));
    let numbers: Vec<u64> = world.state().model.versions.keys().copied().collect();
    for number in numbers {
        let (must_be, must_be_gone) = catalogue::must(world, &version_arn(number), asked);
        let right = if seen.contains(&number) { !must_be_gone } else { !must_be };
        world.check(right, || format!("version {number} should not be in, or missing from, {seen:?}"));
    }
}

pub(crate) async fn delete_version(world: &World) {
    let Some(number) = some_version(world) else { return };
    let version = version_arn(number);
    let Some(mut call) = Call::begin(world, format!("delete {version}")) else { return };
    catalogue::begin(world, &call, DELETION, &version);
    let engine = call.engine.clone();
    let Some(answer) = call.hear(world, engine.delete_version(&version)).await else { return };
    match &answer {
        Ok(()) => world.saw("op.delete version"),
        Err(Error::Conflict(_)) => world.saw("op.delete version refused"),
        Err(error) => world.violated(format!("delete version: {error:?}")),
    }
    catalogue::settle(world, &call, answer.is_ok(), DELETION, &version);
}

/// To one version, or to two of them by chance.
fn some_routes(world: &World) -> Option<Vec<Route>> {
    let (one, other) = (version_arn(some_version(world)?), version_arn(some_version(world)?));
    let weight = *world.state().client_dice.pick(&[100, 30]);
    let route = |version: String, weight| Route { version: version.into(), weight };
    Some(match weight {
        100 => vec![route(one, 100)],
        _ if one == other => vec![route(one, 100)],
        weight => vec![route(one, weight), route(other, 100 - weight)],
    })
}

pub(crate) async fn change_alias(world: &World) {
    let (alias, what) = (some_alias(world), world.state().client_dice.below(4));
    match what {
        0 => create_alias(world, &alias).await,
        1 => update_alias(world, &alias).await,
        2 => delete_alias(world, &alias).await,
        _ => look_at_alias(world, &alias).await,
    }
}

async fn create_alias(world: &World, alias: &str) {
    let Some(routes) = some_routes(world) else { return };
    let Some(mut call) = Call::begin(world, format!("create {alias} {routes:?}")) else { return };
    catalogue::begin(world, &call, CREATION, alias);
    let name = alias.rsplit(':').next().unwrap_or_default().to_owned();
    let (engine, request) = (call.engine.clone(), CreateAlias { name, description: None, routes });
    let Some(answer) = call.hear(world, engine.create_alias(request)).await else { return };
    let done = changed(world, "op.create alias", &answer);
    catalogue::settle(world, &call, done, CREATION, alias);
}

async fn update_alias(world: &World, alias: &str) {
    let routes = some_routes(world);
    let Some(mut call) = Call::begin(world, format!("update {alias} {routes:?}")) else { return };
    let (engine, request) = (call.engine.clone(), UpdateAlias { arn: alias.to_owned(), description: None, routes });
    let Some(answer) = call.hear(world, engine.update_alias(request)).await else { return };
    changed(world, "op.update alias", &answer);
}

/// Whether it was changed. What is not there is refused, and so is a route to what is not there.
fn changed(world: &World, what: &str, answer: &Result<Alias, Error>) -> bool {
    match answer {
        Ok(_) => world.saw(what),
        Err(Error::Conflict(_) | Error::ResourceNotFound(_)) => world.saw(format!("{what} refused")),
        Err(error) => world.violated(format!("{what}: {error:?}")),
    }
    answer.is_ok()
}

async fn delete_alias(world: &World, alias: &str) {
    let Some(mut call) = Call::begin(world, format!("delete {alias}")) else { return };
    catalogue::begin(world, &call, DELETION, alias);
    let engine = call.engine.clone();
    let Some(answer) = call.hear(world, engine.delete_alias(alias)).await else { return };
    match &answer {
        Ok(()) => world.saw("op.delete alias"),
        Err(error) => world.violated(format!("delete alias: {error:?}")),
    }
    catalogue::settle(world, &call, answer.is_ok(), DELETION, alias);
}

async fn look_at_alias(world: &World, alias: &str) {
    let Some(mut call) = Call::begin(world, format!("look at {alias}")) else { return };
    let engine = call.engine.clone();
    let Some(answer) = call.hear(world, engine.alias(alias)).await else { return };
    match &answer {
        Ok(_) => world.saw("op.look at alias"),
        Err(Error::ResourceNotFound(_)) => world.saw("op.look at no alias"),
        Err(error) => world.violated(format!("look at alias: {error:?}")),
    }
    catalogue::judge(world, &call, alias, answer.is_ok());
}

/// Starts an execution by a version or an alias, under a name of its own.
pub(crate) async fn start(world: &World) {
    let by_alias = world.state().client_dice.per_mille(500);
    let target = match some_version(world) {
        Some(number) if !by_alias => version_arn(number),
        _ => some_alias(world),
    };
    let Some(mut call) = Call::begin(world, format!("start {target}")) else { return };
    let (name, input) = (format!("q{}", call.asked().operation), r#"{"n":1}"#);
    let execution = execution_arn(&machine_arn(MACHINE), &name);
    world.state().model.attempted.insert(execution.clone());
    let request = StartExecution {
        machine: target.clone(),
        name: Some(name),
        input: Payload::trusted(input),
        trace_header: None,
        parent: None,
    };
    let engine = call.engine.clone();
    let Some(answer) = call.hear(world, engine.start_execution(request)).await else { return };
    let judged = match &answer {
        Ok(started) => {
            world.saw("op.start qualified");
            let mut state = world.state();
            let judged = model::started(&mut state, call.asked(), &execution, input, started.started_at);
            judged.and_then(|()| model::runs_version(&state, &execution, &target))
        }
        Err(Error::StateMachineDoesNotExist(_) | Error::ResourceNotFound(_)) => {
            world.saw("op.start unqualified");
            Ok(())
        }
        Err(Error::ExecutionLimitExceeded) if world.plan.settings.starts < 100 => return,
        Err(error) => Err(format!("start {target}: {error:?}")),
    };
    world.check_result(judged);
    catalogue::judge(world, &call, &target, answer.is_ok());
}
