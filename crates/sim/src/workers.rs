//! Workers of activities: they poll, work, send heartbeats, answer; and some of them die while they wait or while they
//! work, and are never heard again.

use std::sync::Arc;
use std::time::Duration;

use engine::Error;
use engine::arn::arn;

use crate::clients::{Call, Operation, send};
use crate::model;
use crate::programs::{ACCOUNT, ACTIVITIES};
use crate::services::Token;
use crate::truth::tag;
use crate::world::World;

/// How long a worker's work takes at most, in milliseconds.
const WORK_MS: u64 = 20_000;
/// Between two heartbeats of a worker, in milliseconds: shorter than any heartbeat that is asked for.
const BEAT_MS: u64 = 4_000;
/// After nobody answered, in milliseconds.
const AGAIN_MS: u64 = 500;

pub(crate) fn activity_arn(name: &str) -> String {
    arn("us-east-1", ACCOUNT, "activity", name)
}

/// A worker until the faults are over.
pub(crate) async fn work(world: Arc<World>, number: usize) {
    while !world.is_quiet() {
        let (activity, wait_ms) = {
            let dice = &mut world.state().client_dice;
            (*dice.pick(&ACTIVITIES), dice.between(500, 20_000))
        };
        let Some(token) = poll(&world, activity, number, wait_ms).await else {
            world.sleep_ms(AGAIN_MS).await;
            continue;
        };
        let (dies, fails, mut takes) = {
            let gone = world.plan.gone;
            let dice = &mut world.state().client_dice;
            (dice.per_mille(gone), dice.per_mille(150), dice.delay(WORK_MS))
        };
        if dies {
            world.saw("worker.died at work");
            continue;
        }
        while takes > BEAT_MS {
            world.sleep_ms(BEAT_MS).await;
            takes -= BEAT_MS;
            send(&world, &token, Operation::Heartbeat).await;
        }
        world.sleep_ms(takes).await;
        send(&world, &token, if fails { Operation::Failure } else { Operation::Success }).await;
    }
}

/// Asks for work; what was given, if the worker lived to hear of it.
pub(crate) async fn poll(world: &World, activity: &str, number: usize, wait_ms: u64) -> Option<Token> {
    let mut call = Call::begin(world, format!("poll {activity} w{number} {wait_ms}"))?;
    let (engine, activity) = (call.engine.clone(), activity_arn(activity));
    let poll = engine.get_activity_task(&activity, Some(format!("w{number}")), Duration::from_millis(wait_ms));
    let work = match call.hear(world, poll).await? {
        Ok(Some(work)) => work,
        Ok(None) => {
            world.saw("worker.idle");
            return None;
        }
        Err(Error::ActivityWorkerLimitExceeded(_)) if world.plan.settings.pollers < 100 => {
            world.saw("worker.one too many");
            return None;
        }
        Err(error) => {
            world.violated(format!("poll: {error:?}"));
            return None;
        }
    };
    world.saw("worker.work");
    let Some(tag) = tag(work.input.value()) else {
        world.violated(format!("work without a tag: {}", work.input.text()));
        return None;
    };
    let token = Token { text: work.token, tag: tag.to_owned() };
    let mut state = world.state();
    state.services.tokens.push(token.clone());
    let excused = call.is_stale() && world.plan.store.fails();
    let judged = model::handed_out(&mut state, tag, excused);
    drop(state);
    world.check_result(judged);
    Some(token)
}
