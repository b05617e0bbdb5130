//! The records of the log. Most are history events as AWS shows them; the rest are hidden and keep what the fold must
//! know and no event tells (a retry's delay, a debt).
//!
//! A record is generic over how it names payloads: in memory it holds them, in the stored log it holds their number
//! (see `codec.rs`).

use std::sync::Arc;

use asl::{Payload, StateId, Transition};
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::states::map::Settled;

/// Milliseconds since 1970, UTC.
pub type Timestamp = i64;

/// A history event's number; the first is 1. 0 means none.
pub type EventId = u64;

/// A task is named by its Scheduled event.
pub type TaskId = EventId;

/// A line of control: 0 is the machine itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct FrameId(pub u32);

impl FrameId {
    pub const ROOT: FrameId = FrameId(0);
}

/// One entry of the log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record<P = Payload> {
    pub at: Timestamp,
    /// The line of control that it moves.
    pub frame: FrameId,
    /// The state that it concerns; the first state where it concerns none.
    #[serde(with = "state_id")]
    pub state: StateId,
    /// `previousEventId` of a visible event; where the frame's chain goes on for a hidden one.
    pub previous: EventId,
    pub body: Body<P>,
}

/// What happened.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Body<P = Payload> {
    ExecutionStarted(Box<Started<P>>),
    ExecutionSucceeded {
        output: P,
    },
    ExecutionFailed(Failure),
    ExecutionAborted(Failure),
    ExecutionTimedOut(Failure),

    StateEntered {
        input: P,
    },
    StateExited {
        output: P,
        #[serde(with = "transition")]
        next: Transition,
    },
    StateAborted,
    /// Hidden: a Wait state's end, decided when it was entered.
    WaitUntil {
        until: Timestamp,
    },

    TaskScheduled(Box<Scheduled<P>>),
    /// Handed out; an activity's worker may have a name.
    TaskStarted {
        task: TaskId,
        worker: Option<Arc<str>>,
    },
    TaskSubmitted {
        task: TaskId,
        output: P,
    },
    TaskSucceeded {
        task: TaskId,
        output: P,
    },
    TaskFailed {
        task: TaskId,
        failure: Failure,
        stage: Stage,
    },
    TaskTimedOut {
        task: TaskId,
        failure: Failure,
    },
    /// Hidden: the state's work is to be tried again at `until`; the delay includes jitter.
    RetryScheduled {
        retrier: u32,
        until: Timestamp,
    },

    /// Parallel: `items` is the input of every branch and `branches` are their first states. Map: the items.
    RegionStarted {
        length: u32,
        items: P,
        branches: Vec<u32>,
    },
    RegionSucceeded,
    RegionFailed,
    RegionAborted,
    /// `child` is the frame that runs the iteration, `start` its first state, `input` what it begins with.
    IterationStarted {
        index: u32,
        child: FrameId,
        #[serde(with = "state_id")]
        start: StateId,
        input: P,
    },
    IterationSucceeded {
        index: u32,
    },
    IterationFailed {
        index: u32,
    },
    IterationAborted {
        index: u32,
    },

    /// Hidden: an effect that outlives its wait.
    DebtIncurred {
        task: TaskId,
        kind: DebtKind,
    },
    /// Hidden: the debt is paid.
    Settled {
        task: TaskId,
    },

    // Since format 2. New kinds stand at the end: their place is their name in the log.
    /// JSONata could not be evaluated.
    EvaluationFailed {
        failure: Failure,
        location: Arc<str>,
    },
    /// Hidden: the state that exits with the next record sets these.
    VariablesAssigned {
        variables: Vec<(Arc<str>, P)>,
    },
    /// Hidden: what the Map that has just started computed.
    MapSettled(Settled),
    /// An execution that did not succeed goes on where it ended. `count` tells how many redrives there were with this
    /// one, `enter_again` the frames whose state is entered anew instead of gone on with.
    ExecutionRedriven {
        count: u32,
        token: Option<Arc<str>>,
        enter_again: Vec<FrameId>,
    },
    /// An iteration that did not succeed goes on after a redrive; history shows it as started.
    IterationResumed {
        index: u32,
    },
    /// Hidden: the execution takes part in this test case of a mock configuration.
    MockChosen {
        case: Arc<str>,
    },
}

/// Which step of a task failed: history has a name for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Stage {
    Schedule,
    Start,
    Submit,
    Run,
}

/// Why something must still be done after its wait has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DebtKind {
    /// A job or child execution that nobody waits for any more is to be stopped.
    CancelTask,
    /// Events from this one on are to be delivered to the state machine's log. No task has the number of this debt, 0.
    DeliverLogs { since: EventId },
    /// Spans that ended with this event or later are to be delivered. The number of this debt is [`SPANS`].
    ExportSpans { since: EventId },
}

/// Under which number the delivery of log events is owed: the first event is 1.
pub const LOGS: TaskId = 0;

/// The same for spans.
pub const SPANS: TaskId = TaskId::MAX;

/// All that an execution is given at its start, and never changes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Started<P = Payload> {
    pub arn: Arc<str>,
    pub name: Arc<str>,
    /// The state machine's ARN, without version or alias.
    pub machine: Arc<str>,
    pub role: Arc<str>,
    pub input: P,
    /// SHA-256 of the definition's text.
    pub definition: [u8; 32],
    pub version: Option<Arc<str>>,
    pub alias: Option<Arc<str>>,
    pub trace_header: Option<Arc<str>>,
    /// The execution that started this one by `states:startExecution`, and its task.
    pub parent: Option<Arc<str>>,
    /// The test case of a mock configuration that it takes part in. A record of its own in the log
    /// ([`Body::MockChosen`]).
    #[serde(skip)]
    pub mock: Option<Arc<str>>,
}

/// A task as it was asked for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Scheduled<P = Payload> {
    pub parameters: P,
    pub timeout_seconds: Option<u64>,
    pub heartbeat_seconds: Option<u64>,
    /// `Credentials`, evaluated.
    pub credentials: Option<P>,
}

impl<P> Body<P> {
    /// Whether `GetExecutionHistory` shows it.
    pub fn is_event(&self) -> bool {
        !matches!(
            self,
            Body::WaitUntil { .. }
                | Body::RetryScheduled { .. }
                | Body::DebtIncurred { .. }
                | Body::Settled { .. }
                | Body::VariablesAssigned { .. }
                | Body::MapSettled(_)
                | Body::MockChosen { .. }
        )
    }

    /// Whether it ends the execution.
    pub fn is_end(&self) -> bool {
        matches!(
            self,
            Body::ExecutionSucceeded { .. }
                | Body::ExecutionFailed(_)
                | Body::ExecutionAborted(_)
                | Body::ExecutionTimedOut(_)
        )
    }
}

impl<P> Record<P> {
    /// The same record with every payload named in another way.
    pub fn map<Q, E>(self, f: &mut impl FnMut(P) -> Result<Q, E>) -> Result<Record<Q>, E> {
        let Record { at, frame, state, previous, body } = self;
        Ok(Record { at, frame, state, previous, body: body.map(f)? })
    }
}

impl<P> Body<P> {
    fn map<Q, E>(self, f: &mut impl FnMut(P) -> Result<Q, E>) -> Result<Body<Q>, E> {
        Ok(match self {
            Body::ExecutionStarted(s) => {
                let Started { arn, name, machine, role, input, definition, version, alias, trace_header, parent, mock } =
                    *s;
                let input = f(input)?;
                Body::ExecutionStarted(Box::new(Started {
                    arn,
                    name,
                    machine,
                    role,
                    input,
                    definition,
                    version,
                    alias,
                    trace_header,
                    parent,
                    mock,
                }))
            }
            Body::ExecutionSucceeded { output } => Body::ExecutionSucceeded { output: f(output)? },
            Body::ExecutionFailed(failure) => Body::ExecutionFailed(failure),
            Body::ExecutionAborted(failure) => Body::ExecutionAborted(failure),
            Body::ExecutionTimedOut(failure) => Body::ExecutionTimedOut(failure),
            Body::StateEntered { input } => Body::StateEntered { input: f(input)? },
            Body::StateExited { output, next } => Body::StateExited { output: f(output)?, next },
            Body::StateAborted => Body::StateAborted,
            Body::WaitUntil { until } => Body::WaitUntil { until },
            Body::TaskScheduled(s) => {
                let Scheduled { parameters, timeout_seconds, heartbeat_seconds, credentials } = *s;
                Body::TaskScheduled(Box::new(Scheduled {
                    parameters: f(parameters)?,
                    timeout_seconds,
                    heartbeat_seconds,
                    credentials: credentials.map(f).transpose()?,
                }))
            }
            Body::TaskStarted { task, worker } => Body::TaskStarted { task, worker },
            Body::TaskSubmitted { task, output } => Body::TaskSubmitted { task, output: f(output)? },
            Body::TaskSucceeded { task, output } => Body::TaskSucceeded { task, output: f(output)? },
            Body::TaskFailed { task, failure, stage } => Body::TaskFailed { task, failure, stage },
            Body::TaskTimedOut { task, failure } => Body::TaskTimedOut { task, failure },
            Body::RetryScheduled { retrier, until } => Body::RetryScheduled { retrier, until },
            Body::RegionStarted { length, items, branches } => {
                Body::RegionStarted { length, items: f(items)?, branches }
            }
            Body::RegionSucceeded => Body::RegionSucceeded,
            Body::RegionFailed => Body::RegionFailed,
            Body::RegionAborted => Body::RegionAborted,
            Body::IterationStarted { index, child, start, input } => {
                Body::IterationStarted { index, child, start, input: f(input)? }
            }
            Body::IterationSucceeded { index } => Body::IterationSucceeded { index },
            Body::IterationFailed { index } => Body::IterationFailed { index },
            Body::IterationAborted { index } => Body::IterationAborted { index },
            Body::DebtIncurred { task, kind } => Body::DebtIncurred { task, kind },
            Body::MockChosen { case } => Body::MockChosen { case },
            Body::Settled { task } => Body::Settled { task },
            Body::EvaluationFailed { failure, location } => Body::EvaluationFailed { failure, location },
            Body::VariablesAssigned { variables } => {
                let variables = variables.into_iter().map(|(name, value)| Ok((name, f(value)?)));
                Body::VariablesAssigned { variables: variables.collect::<Result<_, E>>()? }
            }
            Body::MapSettled(settled) => Body::MapSettled(settled),
            Body::ExecutionRedriven { count, token, enter_again } => {
                Body::ExecutionRedriven { count, token, enter_again }
            }
            Body::IterationResumed { index } => Body::IterationResumed { index },
        })
    }
}

/// `asl` knows nothing of the log, so its two names that the log writes are spelt here.
mod state_id {
    use super::*;
    pub fn serialize<S: serde::Serializer>(id: &StateId, s: S) -> Result<S::Ok, S::Error> {
        id.0.serialize(s)
    }
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<StateId, D::Error> {
        u32::deserialize(d).map(StateId)
    }
}

mod transition {
    use super::*;
    pub fn serialize<S: serde::Serializer>(next: &Transition, s: S) -> Result<S::Ok, S::Error> {
        match next {
            Transition::Next(id) => Some(id.0),
            Transition::End => None,
        }
        .serialize(s)
    }
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Transition, D::Error> {
        let next: Option<u32> = Option::deserialize(d)?;
        Ok(next.map_or(Transition::End, |id| Transition::Next(StateId(id))))
    }
}
