//! Executions that did not succeed and are redriven: by chance also those that run, have succeeded, or are gone.

use std::sync::Arc;

use engine::Error;
use machine::{Status, has_room_to_redrive};

use crate::catalogue;
use crate::clients::{Call, some_execution};
use crate::model;
use crate::truth::Log;
use crate::world::World;

pub(crate) async fn redrive(world: &Arc<World>) {
    let failed = {
        let mut guard = world.state();
        let state = &mut *guard;
        let ended: Vec<_> = state.truth.newest().filter(|log| is_redrivable(log)).map(|log| log.arn.clone()).collect();
        let prefers = state.client_dice.per_mille(800);
        (prefers && !ended.is_empty()).then(|| state.client_dice.pick(&ended).clone())
    };
    let Some((execution, known)) = failed.map(|execution| (execution, false)).or_else(|| some_execution(world)) else {
        return;
    };
    let (token, twice) = {
        let dice = &mut world.state().client_dice;
        (*dice.pick(&[None, Some("a"), Some("b")]), dice.per_mille(200))
    };
    if twice {
        tokio::join!(redrive_named(world, &execution, known, token), redrive_named(world, &execution, known, token));
    } else {
        redrive_named(world, &execution, known, token).await;
    }
}

fn is_redrivable(log: &Log) -> bool {
    matches!(log.execution.status, Status::Failed | Status::TimedOut | Status::Aborted)
}

pub(crate) async fn redrive_named(world: &World, execution: &str, known: bool, token: Option<&str>) {
    let Some(mut call) = Call::begin(world, format!("redrive {execution} {token:?}")) else { return };
    let (engine, limits) = (call.engine.clone(), world.plan.settings.limits.clone());
    let must = {
        let mut guard = world.state();
        let state = &mut *guard;
        let redrivable =
            |log: &Log| is_redrivable(log) && has_room_to_redrive(log.execution.events, &limits) && log.is_settled();
        let machine =
            execution.rsplit_once(':').map_or("", |(machine, _)| machine).replace(":execution:", ":stateMachine:");
        let must = state.truth.log(execution).is_some_and(redrivable)
            && !catalogue::comes_and_goes(&machine)
            && !state.model.lives_again(execution, call.asked().operation);
        state.model.redriving(execution);
        must
    };
    let answer = call.hear(world, engine.redrive_execution(execution, token.map(str::to_owned))).await;
    let Some(answer) = answer else { return };
    let judged = {
        let mut state = world.state();
        let now = state.operations;
        let alone = state.model.redriven(execution, call.asked().operation, now);
        match &answer {
            Ok(at) => model::redriven_at(&state, execution, *at),
            Err(Error::ExecutionNotRedrivable(reason)) => {
                let wrong = must && alone && !call.is_stale();
                if wrong { Err(format!("{execution} was not redriven: {reason}")) } else { Ok(()) }
            }
            Err(Error::ExecutionDoesNotExist(_)) => model::missing(&state, execution, known),
            Err(error) => Err(format!("redrive: {error:?}")),
        }
    };
    world.saw(match answer {
        Ok(_) => "op.redrive",
        Err(Error::ExecutionNotRedrivable(_)) => "op.redrive refused",
        Err(_) => "op.redrive of nothing",
    });
    world.check_result(judged);
}
