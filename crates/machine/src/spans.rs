//! The spans of an execution, for whoever follows it with a tracer: one for the execution, or for each redrive of it, and
//! one for each state that was entered.
//!
//! They are a second fold of the log, beside the execution's own and kept only where somebody asks for it
//! ([`Execution::spans`]). A span is named by what opened it, an event on a line of control, so that a restart, another
//! node and a repeated delivery give the same names.

use std::collections::{BTreeMap, BTreeSet};

use asl::StateId;

use crate::execution::{Execution, Phase, Status};
use crate::failure::Failure;
use crate::record::{Body, EventId, FrameId, Record, Timestamp};

/// What is told of within one span at most, as OpenTelemetry bounds a span's events.
const MOST_MOMENTS: usize = 128;

/// What opened a span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpanKey {
    pub event: EventId,
    /// The line of control; absent for the execution itself. A redrive opens the spans of several.
    pub frame: Option<FrameId>,
}

/// A span that has ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Span {
    pub key: SpanKey,
    /// The state around it, or the execution; absent for the execution itself.
    pub parent: Option<SpanKey>,
    /// Absent for the execution itself.
    pub state: Option<StateId>,
    /// The number of its branch or iteration.
    pub index: Option<u32>,
    pub from: Timestamp,
    pub until: Timestamp,
    /// A state that has failed and was caught has failed too.
    pub status: Status,
    /// Why it failed, as far as an event tells.
    pub failure: Option<Failure>,
    /// The state failed, and the execution went on.
    pub caught: bool,
    pub moments: Vec<Moment>,
    /// The event with which it ended.
    pub ended_by: EventId,
}

/// Something that happened within a state's span.
#[derive(Clone, PartialEq, Debug)]
pub struct Moment {
    pub at: Timestamp,
    pub what: Happened,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Happened {
    Failed(Failure),
    /// The work is to be tried again at that time.
    Retried {
        until: Timestamp,
    },
    /// A job or callback was accepted.
    Submitted,
}

/// The spans that are open, and those that have ended and were not taken yet.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Spans {
    run: Option<Run>,
    open: BTreeMap<FrameId, Open>,
    pub ended: Vec<Span>,
    /// How many have ended, taken or not.
    pub number: u64,
}

/// The execution itself, since it started or was redriven.
#[derive(Clone, PartialEq, Debug)]
struct Run {
    key: SpanKey,
    from: Timestamp,
}

/// A state that was entered.
#[derive(Clone, PartialEq, Debug)]
struct Open {
    key: SpanKey,
    parent: Option<SpanKey>,
    above: Option<FrameId>,
    /// The lines of control below it whose spans are open.
    below: BTreeSet<FrameId>,
    state: StateId,
    index: Option<u32>,
    from: Timestamp,
    /// Its latest attempt failed.
    failed: bool,
    failure: Option<Failure>,
    moments: Vec<Moment>,
}

impl Spans {
    /// A record that has just been applied.
    pub(crate) fn take(&mut self, execution: &Execution, record: &Record) {
        let (event, frame, at) = (execution.events, record.frame, record.at);
        let now = Now { event, at };
        match &record.body {
            Body::ExecutionStarted(_) => self.run = Some(Run { key: SpanKey { event, frame: None }, from: at }),
            Body::ExecutionRedriven { .. } => {
                self.run = Some(Run { key: SpanKey { event, frame: None }, from: at });
                self.reopen(execution, FrameId::ROOT, now);
            }
            Body::IterationResumed { index } => {
                if let Some(child) = child(execution, frame, *index) {
                    self.reopen(execution, child, now);
                }
            }
            Body::StateEntered { .. } => self.enter(execution, frame, now),
            Body::StateExited { .. } => self.close(frame, Status::Succeeded, now),
            Body::StateAborted | Body::RegionAborted => self.close(frame, Status::Aborted, now),
            Body::TaskScheduled(_) | Body::RegionStarted { .. } | Body::RegionSucceeded => self.begin_again(frame),
            Body::TaskSubmitted { .. } => self.note(frame, at, Happened::Submitted),
            Body::TaskFailed { failure, .. }
            | Body::TaskTimedOut { failure, .. }
            | Body::EvaluationFailed { failure, .. } => {
                self.fail(frame, Some(failure));
                self.note(frame, at, Happened::Failed(failure.clone()));
            }
            Body::RegionFailed => {
                self.close_below(frame, Status::Failed, now);
                self.fail(frame, None);
            }
            Body::RetryScheduled { until, .. } => {
                self.close_below(frame, Status::Failed, now);
                self.note(frame, at, Happened::Retried { until: *until });
            }
            Body::IterationFailed { index } => {
                if let Some(child) = child(execution, frame, *index) {
                    self.close(child, Status::Failed, now);
                }
            }
            Body::IterationAborted { index } => {
                if let Some(child) = child(execution, frame, *index) {
                    self.close(child, Status::Aborted, now);
                }
            }
            Body::ExecutionSucceeded { .. } => self.end(Status::Succeeded, None, frame, now),
            Body::ExecutionFailed(failure) => self.end(Status::Failed, Some(failure), frame, now),
            Body::ExecutionAborted(failure) => self.end(Status::Aborted, Some(failure), frame, now),
            Body::ExecutionTimedOut(failure) => self.end(Status::TimedOut, Some(failure), frame, now),
            _ => {}
        }
    }

    /// The span that a line of control is in.
    pub fn open(&self, frame: FrameId) -> Option<SpanKey> {
        self.open.get(&frame).map(|open| open.key).or(self.run.as_ref().map(|run| run.key))
    }

    fn enter(&mut self, execution: &Execution, id: FrameId, now: Now) {
        let frame = execution.frame(id);
        let run = self.run.as_ref().map(|run| run.key);
        let around = frame.parent.and_then(|above| self.open.get_mut(&above));
        let parent = match around {
            Some(around) => {
                around.below.insert(id);
                Some(around.key)
            }
            None => run,
        };
        let open = Open {
            key: SpanKey { event: now.event, frame: Some(id) },
            parent,
            above: frame.parent,
            below: BTreeSet::new(),
            state: frame.state,
            index: frame.parent.map(|_| frame.index),
            from: now.at,
            failed: false,
            failure: None,
            moments: Vec::new(),
        };
        self.open.insert(id, open);
    }

    /// After a redrive the states that were left go on without being entered.
    fn reopen(&mut self, execution: &Execution, id: FrameId, now: Now) {
        let frame = execution.frame(id);
        if frame.entered == 0 || !matches!(frame.phase, Phase::Entered | Phase::InRegion) {
            return;
        }
        self.enter(execution, id, now);
        for child in frame.region.iter().flat_map(|region| &region.children) {
            self.reopen(execution, *child, now);
        }
    }

    fn begin_again(&mut self, frame: FrameId) {
        if let Some(open) = self.open.get_mut(&frame) {
            open.failed = false;
            open.failure = None;
        }
    }

    fn fail(&mut self, frame: FrameId, failure: Option<&Failure>) {
        if let Some(open) = self.open.get_mut(&frame) {
            open.failed = true;
            open.failure = failure.cloned().or(open.failure.take());
        }
    }

    fn note(&mut self, frame: FrameId, at: Timestamp, what: Happened) {
        if let Some(open) = self.open.get_mut(&frame).filter(|open| open.moments.len() < MOST_MOMENTS) {
            open.moments.push(Moment { at, what });
        }
    }

    /// Ends a state's span and those below it. What failed before it was left has failed.
    fn close(&mut self, id: FrameId, status: Status, now: Now) {
        self.close_below(id, status, now);
        let Some(open) = self.open.remove(&id) else { return };
        let failed = open.failed || status == Status::Failed;
        if let Some(around) = open.above.and_then(|above| self.open.get_mut(&above)) {
            around.below.remove(&id);
            // A region fails as its first branch or iteration does.
            if failed && status != Status::Succeeded && around.failure.is_none() {
                around.failure.clone_from(&open.failure);
            }
        }
        self.number += 1;
        self.ended.push(Span {
            key: open.key,
            parent: open.parent,
            state: Some(open.state),
            index: open.index,
            from: open.from,
            until: now.at,
            status: if failed { Status::Failed } else { status },
            failure: open.failure.filter(|_| failed),
            caught: failed && status == Status::Succeeded,
            moments: open.moments,
            ended_by: now.event,
        });
    }

    fn close_below(&mut self, id: FrameId, status: Status, now: Now) {
        while let Some(child) = self.open.get(&id).and_then(|open| open.below.last().copied()) {
            self.close(child, status, now);
        }
    }

    /// The execution is over, by a failure of this line of control where it has failed.
    fn end(&mut self, status: Status, failure: Option<&Failure>, frame: FrameId, now: Now) {
        if status == Status::Failed {
            let mut above = Some(frame);
            while let Some(id) = above {
                self.fail(id, failure);
                above = self.open.get(&id).and_then(|open| open.above);
            }
        }
        let left = if status == Status::Failed { Status::Aborted } else { status };
        while let Some(id) = self.open.first_key_value().map(|(id, _)| *id) {
            self.close(id, left, now);
        }
        let Some(run) = self.run.take() else { return };
        self.number += 1;
        self.ended.push(Span {
            key: run.key,
            parent: None,
            state: None,
            index: None,
            from: run.from,
            until: now.at,
            status,
            failure: failure.cloned(),
            caught: false,
            moments: Vec::new(),
            ended_by: now.event,
        });
    }
}

#[derive(Clone, Copy)]
struct Now {
    event: EventId,
    at: Timestamp,
}

fn child(execution: &Execution, region: FrameId, index: u32) -> Option<FrameId> {
    execution.frame(region).region.as_ref()?.children.get(index as usize).copied()
}
