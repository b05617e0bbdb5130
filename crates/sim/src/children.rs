//! Executions that start others: the connector asks the very engine that asks it, as the real one does. A child is named by
//! its task's idempotency key, so that there is one however often it is started.

use std::time::Duration;

use asl::{Payload, Target};
use engine::api::StartExecution;
use engine::arn::execution_arn;
use engine::port::{Answer, Followed, TaskRequest, Unreachable};
use engine::{Engine, Error};
use machine::Status;

use crate::clients::machine_arn;
use crate::model;
use crate::programs::LEAF;
use crate::services::{Hands, POLL_MS};
use crate::truth::{failed, succeeded};

/// Between two attempts to start a child, in milliseconds.
const AGAIN_MS: u64 = 700;

pub(crate) fn is_start(request: &TaskRequest) -> bool {
    matches!(&request.resource.target, Target::Integration { service, .. } if **service == *"states")
}

fn child(request: &TaskRequest) -> String {
    execution_arn(&machine_arn(LEAF), &request.idempotency_key)
}

/// The engine of this process. Work that was under way is taken up before anybody else knows it.
async fn engine(hands: &Hands) -> Engine {
    loop {
        let found = {
            let state = hands.world().state();
            let mut lives = state.owners.lives.iter();
            lives.find(|(life, _)| life.number == hands.0.number).map(|(_, engine)| engine.clone())
        };
        match found {
            Some(engine) => return engine,
            None => again(hands).await,
        }
    }
}

async fn again(hands: &Hands) {
    hands.world().sleep_ms(AGAIN_MS).await;
    hands.0.go_on().await;
}

pub(crate) async fn start(hands: &Hands, request: &TaskRequest) -> Answer {
    let engine = engine(hands).await;
    loop {
        let start = StartExecution {
            machine: machine_arn(LEAF),
            name: Some(request.idempotency_key.clone()),
            input: Payload::trusted(r#"{"n":0,"s":1}"#),
            trace_header: None,
            parent: Some(request.execution_arn.clone()),
        };
        match engine.start_execution(start).await {
            // One that is over already was started before a crash.
            Ok(_) | Err(Error::ExecutionAlreadyExists(_)) => {
                hands.world().saw("child.started");
                hands.world().state().model.attempted.insert(child(request));
                return Answer::Submitted(Payload::trusted(format!(r#"{{"child":"{}"}}"#, child(request))));
            }
            Err(Error::Unavailable(_) | Error::Internal(_) | Error::ExecutionLimitExceeded) => again(hands).await,
            Err(error) => hands.world().violated(format!("a child is refused: {error:?}")),
        }
        hands.0.go_on().await;
    }
}

pub(crate) async fn follow(hands: &Hands, request: &TaskRequest, tag: &str) -> Result<Followed, Unreachable> {
    let world = hands.world();
    let described = match engine(hands).await.describe_execution(&child(request)).await {
        Ok(described) => described,
        Err(error) => {
            let missing = matches!(error, Error::ExecutionDoesNotExist(_));
            if missing && model::may_be_gone(&world.state(), &child(request)) {
                world.saw("child.deleted");
                world.state().truth.report(tag, failed(Some("States.TaskFailed")));
                return Ok(Followed::Failed { error: "States.TaskFailed".into(), cause: None });
            }
            let lost = missing && !hands.0.is_superseded();
            world.check(!lost, || format!("{} was started and is not there", child(request)));
            return Err(Unreachable(error.to_string()));
        }
    };
    match (described.status, described.output) {
        (Status::Running, _) => Ok(Followed::Running { ask_again: Duration::from_millis(POLL_MS) }),
        (Status::Succeeded, Some(output)) => {
            world.saw("child.succeeded");
            world.state().truth.report(tag, succeeded(output.text()));
            Ok(Followed::Succeeded(output))
        }
        _ => {
            world.saw("child.failed");
            world.state().truth.report(tag, failed(Some("States.TaskFailed")));
            Ok(Followed::Failed { error: "States.TaskFailed".into(), cause: None })
        }
    }
}

pub(crate) async fn stop(hands: &Hands, request: &TaskRequest) -> Result<(), Unreachable> {
    match engine(hands).await.stop_execution(&child(request), None, None).await {
        Ok(_) | Err(Error::ExecutionDoesNotExist(_)) => {
            hands.world().saw("child.stopped");
            Ok(())
        }
        Err(error) => Err(Unreachable(error.to_string())),
    }
}
