//! The end of a run: the faults are over, everybody answers, and time goes on until all that can end has ended. Then
//! everything that was promised is asked for once more.

use std::collections::BTreeMap;
use std::sync::Arc;

use machine::Body;
use machine::record::DebtKind;

use crate::catalogue;
use crate::clients::{Operation, describe_named, list_machine, read_history, send, stop_named};
use crate::express;
use crate::house;
use crate::programs::{ACTIVITIES, DEFINITIONS, TRACED};
use crate::truth::{How, Log, Outcome, Task};
use crate::workers;
use crate::world::{State, World};

/// How often the last answers are given, in milliseconds.
const ROUND_MS: u64 = 1_000;
/// Between two polls of a worker who was given nothing, in milliseconds.
const REST_MS: u64 = 10_000;
/// How much longer than the latest time in any log it may take, in milliseconds: longer than any wait of any program.
const PATIENCE_MS: i64 = 3_600_000;
/// Workers of each activity at the end.
const WORKERS: usize = 2;

pub(crate) async fn settle(world: &Arc<World>) {
    world.note("the faults are over");
    world.quiet.open();
    // One that is about to take the store comes to it first.
    while world.state().owners.taking {
        world.sleep_ms(ROUND_MS).await;
    }
    // Half of the worlds go on with the process that went through it all, half with one that was not there.
    let restarts = world.state().client_dice.per_mille(500);
    let lives = world.state().owners.lives.clone();
    let owner = world.owner().map(|(life, _)| life.number);
    for (life, _) in lives {
        if Some(life.number) != owner || restarts && !world.plan.is_gentle() && !world.plan.scripted {
            house::kill(world, &life);
        }
    }
    while world.owner().is_none() {
        if !house::take(world).await {
            world.sleep_ms(ROUND_MS).await;
        }
    }
    for (place, activity) in ACTIVITIES.iter().cycle().take(WORKERS * ACTIVITIES.len()).enumerate() {
        let world = world.clone();
        tokio::spawn(async move {
            loop {
                match workers::poll(&world, activity, 100 + place, 60_000).await {
                    Some(token) => drop(send(&world, &token, Operation::Success).await),
                    None => world.sleep_ms(REST_MS).await,
                }
            }
        });
    }
    // What any clock has shown may stand in a log, and the owner's may be set back by hours.
    let shown = owners_wall_ms(world);
    let until = world.state().latest_wall.max(shown) + PATIENCE_MS;
    while owners_wall_ms(world) < until {
        world.sleep_ms(ROUND_MS).await;
        // One that was being shut down when the faults ended has gone meanwhile.
        if world.owner().is_none() {
            house::take(world).await;
        }
        let tokens: Vec<_> = {
            let state = world.state();
            let waits = |tag: &str| state.truth.task(tag).is_some_and(|(_, _, task)| task.outcome.is_none());
            state.services.tokens.iter().filter(|token| waits(&token.tag)).cloned().collect()
        };
        for token in tokens {
            send(world, &token, Operation::Success).await;
        }
        let lost: Vec<String> = {
            let state = world.state();
            let lost = |log: &&Log| log.tasks.values().any(|task| is_lost(&state, task));
            state.truth.logs.values().filter(lost).map(|log| log.arn.clone()).collect()
        };
        for execution in lost {
            stop_named(world, &execution, false).await;
        }
        if world.state().truth.logs.values().all(Log::is_settled) {
            break;
        }
    }
    express::end(world).await;
    check(world).await;
}

/// What the owner's clock shows.
fn owners_wall_ms(world: &World) -> i64 {
    world.wall_ms() + world.state().owners.skew_ms
}

/// A process died between writing that a task is handed out and telling the worker: only the task's own time limit, or
/// a stop, ends it.
fn is_lost(state: &State, task: &Task) -> bool {
    let owner = state.owners.lives.last().map(|(life, _)| life.number);
    task.how == How::Activity
        && task.outcome.is_none()
        && task.timeout_seconds.is_none()
        && task.started_by.is_some_and(|by| Some(by) != owner)
        && !state.model.handed_out.contains_key(&task.tag)
}

async fn check(world: &Arc<World>) {
    world.note("all is asked for once more");
    // What was settled by the last commit may still be on its way.
    world.sleep_ms(ROUND_MS).await;
    let executions: Vec<(String, bool)> = {
        let state = world.state();
        let known = |arn: &String| state.model.started.contains_key(arn);
        state.truth.by_arn.keys().map(|arn| (arn.clone(), known(arn))).collect()
    };
    for (execution, known) in &executions {
        describe_named(world, execution, *known).await;
        read_history(world, execution, true, 1_000, false, true).await;
        read_history(world, execution, true, 7, true, false).await;
    }
    for definition in DEFINITIONS {
        list_machine(world, definition.name, 3, None).await;
    }
    catalogue::end(world).await;
    let (unsettled, lost, undone) = {
        let state = world.state();
        let logs = state.truth.logs.values();
        let unsettled: Vec<String> = logs.filter(|log| !log.is_settled()).map(unsettled).collect();
        let lost = state.model.started.keys().find(|arn| !state.truth.by_arn.contains_key(*arn)).cloned();
        (unsettled, lost, [undone(&state), untold(&state)].concat())
    };
    world.check(unsettled.is_empty(), || format!("these never end: {unsettled:#?}"));
    world.check(lost.is_none(), || format!("{lost:?} was acknowledged and is gone"));
    world.check(undone.is_empty(), || undone.join("; "));
    check_store(world).await;
}

fn unsettled(log: &Log) -> String {
    let (execution, last) = (&log.execution, log.records.last());
    let waiting: Vec<_> = log.tasks.iter().filter(|(_, task)| task.outcome.is_none()).collect();
    let debts: Vec<_> = execution.debts.keys().collect();
    let last = last.map(|record| crate::truth::name(&record.body));
    format!("{} {:?} after {last:?}, debts {debts:?}, waits for {waiting:?}", log.arn, execution.status)
}

/// Side effects that should have been and were not.
fn undone(state: &State) -> Vec<String> {
    let mut undone = Vec::new();
    for log in state.truth.logs.values() {
        for (id, task) in &log.tasks {
            let asked = state.services.asked.contains_key(&task.tag);
            let over = matches!(task.outcome, Some(Outcome::Reported(_) | Outcome::TimedOut));
            if over && !asked && task.how != How::Activity {
                undone.push(format!("task {id} of {} is over and was never sent", log.arn));
            }
        }
        for record in &log.records {
            let Body::DebtIncurred { task, kind: DebtKind::CancelTask } = &record.body else { continue };
            let Some(asked) = state.services.asked.get(&log.tasks[task].tag) else { continue };
            let services = &state.services;
            if services.jobs.contains_key(&asked.key) && !services.cancelled.contains(&asked.key) {
                undone.push(format!("the job of task {task} of {} was left running", log.arn));
            }
        }
    }
    undone
}

/// States that were entered and left, and of which the collector has not heard.
fn untold(state: &State) -> Vec<String> {
    let mut untold = Vec::new();
    for log in state.truth.logs.values() {
        let machine = log.execution.started.as_ref().map(|started| started.machine.clone()).unwrap_or_default();
        if !TRACED.iter().any(|name| machine.ends_with(&format!(":{name}"))) {
            continue;
        }
        let mut entered: BTreeMap<&str, usize> = BTreeMap::new();
        for record in log.records.iter().filter(|record| matches!(record.body, Body::StateEntered { .. })) {
            *entered.entry(&log.program.state(record.state).name).or_default() += 1;
        }
        let told = state.services.spans.get(&log.arn);
        for (name, times) in entered {
            let spans = told.into_iter().flatten().filter(|(_, of)| *of == name).count();
            if spans < times {
                untold.push(format!("{name} of {} was entered {times} times and has {spans} spans", log.arn));
            }
        }
    }
    untold
}

/// Nothing is left in the store that would be looked for again.
async fn check_store(world: &World) {
    let fence = store::Fence { shard: 0, epoch: 0 };
    let store = world.store();
    let hot = world.wait_for(store.hot(&fence, None, usize::MAX)).await.unwrap_or_default();
    let due = world.wait_for(store.due(&fence, i64::MAX, usize::MAX)).await.unwrap_or_default();
    let waiting = world.wait_for(store.activities_waiting()).await.unwrap_or_default();
    world.check(hot.is_empty(), || format!("still hot: {hot:?}"));
    world.check(due.is_empty(), || format!("still due: {due:?}"));
    world.check(waiting.is_empty(), || format!("activity tasks are left: {waiting:?}"));
}
