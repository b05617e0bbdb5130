//! Express executions: an asynchronous one that was acknowledged runs at least once, whatever dies meanwhile; a
//! synchronous one is over when its caller hears of it.

use asl::Payload;
use engine::Error;
use engine::api::{CreateStateMachine, MachineType, StartExecution};
use machine::Status;
use store::ItemKind;

use crate::clients::{Call, machine_arn};
use crate::house;
use crate::programs::Definition;
use crate::world::World;

pub(crate) const MACHINE: Definition = Definition {
    name: "express",
    text: r#"{"StartAt":"A","States":{
        "A":{"Type":"Pass","Next":"B"},
        "B":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","TimeoutSeconds":60,
            "Parameters":{"FunctionName":"f","Payload":{"tag.$":"$.tag"}},"ResultPath":null,"Next":"C"},
        "C":{"Type":"Wait","Seconds":1,"End":true}}}"#,
};

/// What the tags of Express executions begin with: the world has no log of these.
const TAG: &str = "express-";
/// Where the store keeps the rows of shard 0.
const SCOPE: &str = "0";
/// The longest that one may take, in milliseconds.
const LONGEST_MS: u64 = 300_000;
/// How often it is looked whether they are over, in milliseconds.
const LOOK_MS: u64 = 2_000;

pub(crate) fn creation() -> CreateStateMachine {
    CreateStateMachine { machine_type: MachineType::Express, ..house::creation(&MACHINE) }
}

pub(crate) fn is_express(tag: &str) -> bool {
    tag.starts_with(TAG)
}

fn request(operation: u64) -> (String, StartExecution) {
    let tag = format!("{TAG}{operation}");
    let input = Payload::trusted(format!(r#"{{"tag":"{tag}"}}"#));
    (tag, StartExecution { machine: machine_arn(MACHINE.name), name: None, input, trace_header: None, parent: None })
}

/// Starts one, and does not wait for it.
pub(crate) async fn start(world: &World) {
    let Some(mut call) = Call::begin(world, "start express".into()) else { return };
    let (tag, request) = request(call.asked().operation);
    let engine = call.engine.clone();
    match call.hear(world, engine.start_execution(request)).await {
        Some(Ok(_)) => {
            world.saw("op.start express");
            // Who has lost the store runs it while it lives; nobody else knows of it before the next start.
            if !call.is_stale() {
                world.state().model.express.insert(tag);
            }
        }
        Some(Err(Error::ExecutionLimitExceeded)) if world.plan.settings.starts < 100 => {}
        Some(Err(error)) => world.violated(format!("start express: {error:?}")),
        None => {}
    }
}

/// Runs one, and waits for it.
pub(crate) async fn run(world: &World) {
    let Some(mut call) = Call::begin(world, "run express".into()) else { return };
    let (tag, request) = request(call.asked().operation);
    let engine = call.engine.clone();
    match call.hear(world, engine.start_sync_execution(request)).await {
        Some(Ok(execution)) => {
            let status = execution.description.status;
            world.saw(if status == Status::Succeeded { "op.run express" } else { "op.run express in vain" });
            world.check(status != Status::Running, || format!("{tag} is over and runs"));
            let asked = world.state().services.asked.contains_key(&tag);
            world.check(asked || status != Status::Succeeded, || format!("{tag} succeeded and asked nobody"));
        }
        Some(Err(Error::ExecutionLimitExceeded)) if world.plan.settings.starts < 100 => {}
        Some(Err(error)) => world.violated(format!("run express: {error:?}")),
        None => {}
    }
}

/// All that were acknowledged have run, and no row is left of them.
pub(crate) async fn end(world: &World) {
    let store = world.store();
    let rows = async || {
        let page = world.wait_for(store.items(ItemKind::Express, SCOPE, None, usize::MAX)).await;
        page.map(|page| page.items.len()).unwrap_or_default()
    };
    for _ in 0..LONGEST_MS / LOOK_MS {
        if rows().await == 0 {
            break;
        }
        world.sleep_ms(LOOK_MS).await;
    }
    let left = rows().await;
    world.check(left == 0, || format!("{left} Express executions never end"));
    let lost: Vec<String> = {
        let state = world.state();
        let ran = |tag: &&String| !state.services.asked.contains_key(*tag);
        state.model.express.iter().filter(ran).cloned().collect()
    };
    world.check(lost.is_empty(), || format!("{lost:?} were acknowledged and never ran"));
}
