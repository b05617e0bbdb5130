//! Reading a folded execution: what the listing says of it, what DescribeExecution shows, what its tasks still need.

use asl::{Kind, Pattern, Program, Target};
use machine::{Execution, Status, Task, TaskId};
use store::{ExecutionKey, Listing, ListingChange};

use crate::api::ExecutionDescription;

/// About what an execution takes in memory beside its data: one that waits for a task, and one that is only described.
const LIVE_BYTES: usize = 6 * 1024;
pub(crate) const OVER_BYTES: usize = 1024;

/// Data that was looked into is there as text and as a value, which is larger than the text.
const VALUE_SHARE: usize = 4;

/// What a task that waits still needs from here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Errand {
    /// Its request is to be sent, or its answer to be heard.
    Send,
    /// Its job is to be asked after.
    Follow,
    /// Somebody will call: an activity's worker, or who has the token.
    Wait,
}

pub(crate) fn errand(program: &Program, task: &Task) -> Errand {
    let Kind::Task(asl) = &program.state(task.state).kind else { return Errand::Wait };
    match &asl.resource.target {
        Target::Activity => Errand::Wait,
        Target::Integration { pattern, .. } if task.submitted.is_some() => match pattern {
            Pattern::Sync { .. } => Errand::Follow,
            _ => Errand::Wait,
        },
        _ => Errand::Send,
    }
}

/// The ARN of the activity that a task is for.
pub(crate) fn activity_of(program: &Program, execution: &Execution, task: TaskId) -> Option<String> {
    let task = execution.tasks.get(&task)?;
    match &program.state(task.state).kind {
        Kind::Task(asl) if asl.resource.target == Target::Activity => Some(asl.resource.text.to_string()),
        _ => None,
    }
}

/// About how many bytes an execution takes in memory while it waits.
pub(crate) fn resident_bytes(execution: &Execution) -> usize {
    let started = execution.started.as_ref().map_or(0, |s| s.input.text().len());
    let output = execution.output.as_ref().map_or(0, |o| o.text().len());
    let frames: usize = execution.frames.iter().map(|f| f.data.text().len() + size_of_val(f)).sum();
    let rest = if is_settled(execution) { OVER_BYTES } else { LIVE_BYTES };
    VALUE_SHARE * (started + output + frames) + rest
}

/// Whether nothing will ever happen to it again.
pub(crate) fn is_settled(execution: &Execution) -> bool {
    execution.is_over() && execution.debts.is_empty()
}

pub(crate) fn describe(execution: &Execution) -> ExecutionDescription {
    let started = execution.started.as_ref().expect("described after its start");
    ExecutionDescription {
        arn: started.arn.clone(),
        name: started.name.clone(),
        machine: started.machine.clone(),
        version: started.version.clone(),
        alias: started.alias.clone(),
        status: execution.status,
        started_at: execution.started_at,
        stopped_at: execution.stopped_at,
        input: started.input.clone(),
        output: execution.output.clone(),
        failure: execution.failure.clone(),
        trace_header: started.trace_header.clone(),
        redrive_count: execution.redriven.as_ref().map_or(0, |redriven| redriven.count),
        redriven_at: execution.redriven.as_ref().map(|redriven| redriven.at),
        events: execution.events,
        definition: started.definition,
        role: started.role.clone(),
    }
}

pub(crate) fn listing(key: ExecutionKey, execution: &Execution) -> Listing {
    let started = execution.started.as_ref().expect("listed after its start");
    let text = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
    Listing {
        key,
        machine: started.machine.to_string(),
        name: started.name.to_string(),
        status: store_status(execution.status),
        started_at: execution.started_at,
        stopped_at: execution.stopped_at,
        version: text(&started.version),
        alias: text(&started.alias),
        map_run: None,
        definition: started.definition,
        redrive_count: 0,
        redriven_at: None,
    }
}

/// How a redrive changes the listing, whatever followed in the same turn.
pub(crate) fn redriven(execution: &Execution) -> ListingChange {
    let redriven = execution.redriven.as_ref().expect("listed after its redrive");
    ListingChange::Redrive {
        status: store_status(execution.status),
        stopped_at: execution.stopped_at,
        redrive_count: redriven.count,
        redriven_at: redriven.at,
    }
}

pub(crate) fn store_status(status: Status) -> store::Status {
    match status {
        Status::Running => store::Status::Running,
        Status::Succeeded => store::Status::Succeeded,
        Status::Failed => store::Status::Failed,
        Status::TimedOut => store::Status::TimedOut,
        Status::Aborted => store::Status::Aborted,
    }
}

/// Only a Map Run's children wait for their redrive, and there are none yet.
pub(crate) fn status_of(status: store::Status) -> Status {
    match status {
        store::Status::Running | store::Status::PendingRedrive => Status::Running,
        store::Status::Succeeded => Status::Succeeded,
        store::Status::Failed => Status::Failed,
        store::Status::TimedOut => Status::TimedOut,
        store::Status::Aborted => Status::Aborted,
    }
}
