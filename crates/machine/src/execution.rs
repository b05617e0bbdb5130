//! An execution: the fold of its log. [`Execution::apply`] is the only way in which one changes, it decides nothing,
//! and it evaluates nothing; `turn.rs` decides and emits the records.
//!
//! A frame is one line of control. The machine itself is frame 0; a Parallel's branches and a Map's iterations are
//! frames below the frame whose state opened them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use asl::{Payload, Program, StateId, Transition};

use crate::Failure;
use crate::limits::{self, Limits};
use crate::record::{Body, DebtKind, EventId, FrameId, Record, Started, TaskId, Timestamp};
use crate::spans::Spans;
use crate::states::map::Settled;

/// Where an execution stands; the log tells all of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Execution {
    /// Absent until the first record.
    pub started: Option<Arc<Started>>,
    pub started_at: Timestamp,
    pub stopped_at: Option<Timestamp>,
    /// Absent where it was never redriven.
    pub redriven: Option<Redriven>,
    pub status: Status,
    pub output: Option<Payload>,
    pub failure: Option<Failure>,
    /// Freed frames stay as `Phase::Free` and are used again, lowest first.
    pub frames: Vec<Frame>,
    /// The freed frames, so that an iteration that starts need not look for one among thousands.
    free: BTreeSet<FrameId>,
    /// Tasks that somebody is to report about, by their Scheduled event.
    pub tasks: BTreeMap<TaskId, Task>,
    pub debts: BTreeMap<TaskId, Debt>,
    /// The values of all variables together.
    pub variable_bytes: usize,
    /// The test case of a mock configuration that it takes part in.
    pub mock: Option<Arc<str>>,
    /// The last event's id, which is also their number.
    pub events: EventId,
    pub last_at: Timestamp,
    /// What a tracer is to be told; kept where whoever owns the execution has asked for it before the first record.
    pub spans: Option<Box<Spans>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Status {
    #[default]
    Running,
    Succeeded,
    Failed,
    TimedOut,
    Aborted,
}

impl Status {
    /// AWS's word.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "RUNNING",
            Status::Succeeded => "SUCCEEDED",
            Status::Failed => "FAILED",
            Status::TimedOut => "TIMED_OUT",
            Status::Aborted => "ABORTED",
        }
    }
}

/// The latest redrive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Redriven {
    /// How many there were.
    pub count: u32,
    pub at: Timestamp,
    /// Its clientToken: the same one again asks for the same redrive.
    pub token: Option<Arc<str>>,
}

/// One line of control.
#[derive(Clone, PartialEq, Debug)]
pub struct Frame {
    pub parent: Option<FrameId>,
    /// Its number among its siblings: the branch or the iteration.
    pub index: u32,
    pub phase: Phase,
    pub state: StateId,
    /// The current state's input as it was entered; the output once the frame is done.
    pub data: Payload,
    /// The workflow variables that were set on this line of control; it also sees those of the lines around it.
    pub variables: BTreeMap<Arc<str>, Payload>,
    /// Where the chain of `previousEventId`s goes on.
    pub last_event: EventId,
    /// The current state's Entered event (0 until it is entered), what that followed, and when it was.
    pub entered: EventId,
    pub before_entered: EventId,
    pub entered_at: Timestamp,
    /// How often each retrier of the current state was used, by its place.
    pub retries: Vec<u32>,
    /// The branches or iterations of the current state.
    pub region: Option<Region>,
}

impl Frame {
    /// What JSONata that fails now follows: a state that has done nothing yet is as if it were not entered (recorded),
    /// and a region that has succeeded stands beside the chain.
    pub(crate) fn before_evaluation(&self) -> EventId {
        if self.phase == Phase::Entered {
            return self.before_entered;
        }
        let joined = self.region.as_ref().and_then(|region| region.joined);
        joined.unwrap_or(self.last_event)
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum Phase {
    /// `state` is to be entered.
    Enter,
    /// Entered; what it does is to be decided.
    Entered,
    WaitingUntil(Timestamp),
    Working(TaskId),
    BackingOffUntil(Timestamp),
    InRegion,
    /// The task is over; what follows is to be decided.
    Outcome(Result<Payload, Failure>),
    Done,
    /// Done, and counted by its Map.
    Joined,
    Failed,
    Aborted,
    Free,
}

/// What a Parallel or Map state has opened.
#[derive(Clone, PartialEq, Debug)]
pub struct Region {
    pub is_map: bool,
    pub length: u32,
    /// A Map's items, a JSON array.
    pub items: Payload,
    /// By branch or iteration; grows as iterations start.
    pub children: Vec<FrameId>,
    /// The iterations that a redrive is to take up again, in order; they wait for a slot as new ones do.
    pub to_resume: VecDeque<u32>,
    /// Branches or iterations that came to their end; of a Map's, those count as `succeeded` once that is recorded.
    pub done: u32,
    pub succeeded: u32,
    pub failed: u32,
    /// Where an iteration that starts now comes from: the region's Started event, or the last event inside the
    /// iteration that freed the slot.
    pub freed_by: EventId,
    /// The chain's end inside the region, once all has succeeded.
    pub joined: Option<EventId>,
    /// What a Map computed when it began.
    pub settled: Option<Settled>,
}

impl Region {
    pub fn running(&self) -> u32 {
        (self.children.len() - self.to_resume.len()) as u32 - self.succeeded - self.failed
    }
}

/// A task that waits for a report.
#[derive(Clone, PartialEq, Debug)]
pub struct Task {
    pub frame: FrameId,
    pub state: StateId,
    pub parameters: Payload,
    pub credentials: Option<Payload>,
    pub timeout_seconds: Option<u64>,
    pub heartbeat_seconds: Option<u64>,
    pub scheduled_at: Timestamp,
    pub started_at: Option<Timestamp>,
    /// What the service answered to the submission of a job or callback.
    pub submitted: Option<Payload>,
}

/// An effect that outlives its wait.
#[derive(Clone, PartialEq, Debug)]
pub struct Debt {
    pub kind: DebtKind,
    pub state: StateId,
    pub parameters: Payload,
    pub credentials: Option<Payload>,
    pub submitted: Option<Payload>,
}

impl Execution {
    /// Before its first record; with the spans of what follows, where somebody wants them.
    pub fn begin(with_spans: bool) -> Execution {
        Execution { spans: with_spans.then(Box::default), ..Execution::default() }
    }

    /// Folds a whole log.
    pub fn fold<'a>(records: impl IntoIterator<Item = &'a Record>) -> Execution {
        let mut execution = Execution::default();
        for record in records {
            execution.apply(record);
        }
        execution
    }

    pub fn frame(&self, id: FrameId) -> &Frame {
        &self.frames[id.0 as usize]
    }

    pub(crate) fn frame_mut(&mut self, id: FrameId) -> &mut Frame {
        &mut self.frames[id.0 as usize]
    }

    /// Whether nothing above a frame was given up. What a failed branch or iteration has opened is kept for a redrive,
    /// but nothing moves there.
    pub(crate) fn lives(&self, frame: &Frame) -> bool {
        let mut above = frame.parent;
        while let Some(id) = above {
            let frame = self.frame(id);
            if frame.phase != Phase::InRegion {
                return false;
            }
            above = frame.parent;
        }
        true
    }

    /// Where the next new frame goes.
    pub(crate) fn free_frame(&self) -> FrameId {
        self.free.first().copied().unwrap_or(FrameId(self.frames.len() as u32))
    }

    pub fn is_over(&self) -> bool {
        self.status != Status::Running
    }

    /// The machine's own time limit; a redrive gives it anew.
    pub fn deadline(&self, program: &Program, limits: &Limits) -> Option<Timestamp> {
        let seconds = program.timeout_seconds.into_iter().chain(limits.execution_seconds).min()?;
        let seconds = seconds.min(limits::LONGEST_SECONDS);
        let from = self.redriven.as_ref().map_or(self.started_at, |redriven| redriven.at);
        Some(from.saturating_add(seconds as i64 * 1000))
    }

    /// The only way an execution changes.
    pub fn apply(&mut self, record: &Record) {
        let event = if record.body.is_event() {
            self.events += 1;
            self.events
        } else {
            self.events
        };
        self.last_at = record.at;
        match &record.body {
            Body::ExecutionStarted(started) => {
                self.started = Some(Arc::new(Started::clone(started)));
                self.started_at = record.at;
                // The first state's chain begins at 0, not at ExecutionStarted: AWS's histories show it.
                self.frames = vec![Frame::new(None, 0, record.state, started.input.clone(), 0)];
            }
            Body::ExecutionSucceeded { output } => {
                self.end(Status::Succeeded, record.at);
                self.output = Some(output.clone());
            }
            Body::ExecutionFailed(failure) => {
                self.end(Status::Failed, record.at);
                self.failure = Some(failure.clone());
            }
            Body::ExecutionAborted(failure) => {
                self.end(Status::Aborted, record.at);
                self.failure = Some(failure.clone());
            }
            Body::ExecutionTimedOut(failure) => {
                self.end(Status::TimedOut, record.at);
                self.failure = Some(failure.clone());
            }
            Body::ExecutionRedriven { count, token, enter_again } => {
                self.redriven = Some(Redriven { count: *count, at: record.at, token: token.clone() });
                self.redrive(event, enter_again);
            }
            Body::Settled { task } => {
                self.debts.remove(task);
            }
            Body::DebtIncurred { task, kind } => self.incur(*task, *kind),
            Body::MockChosen { case } => self.mock = Some(case.clone()),
            Body::IterationStarted { start, child, index, input } => {
                let frame = Frame::new(Some(record.frame), *index, *start, input.clone(), event);
                self.place(*child, frame);
                self.region_mut(record.frame).children.push(*child);
            }
            Body::RegionStarted { length, items, branches } => {
                self.start_region(record.frame, *length, items, branches, event)
            }
            Body::IterationResumed { index } => self.resume_iteration(record.frame, *index, event),
            body => self.apply_to_frame(record, body, event),
        }
        if let Some(mut spans) = self.spans.take() {
            spans.take(self, record);
            self.spans = Some(spans);
        }
    }

    fn apply_to_frame(&mut self, record: &Record, body: &Body, event: EventId) {
        let id = record.frame;
        let mut chain = event;
        match body {
            Body::StateEntered { input } => {
                let frame = self.frame_mut(id);
                frame.state = record.state;
                frame.data = input.clone();
                frame.entered = event;
                frame.before_entered = record.previous;
                frame.entered_at = record.at;
                frame.phase = Phase::Entered;
                frame.retries.clear();
            }
            Body::StateExited { output, next } => {
                self.close_region(id);
                let frame = self.frame_mut(id);
                frame.data = output.clone();
                frame.entered = 0;
                match next {
                    Transition::Next(state) => {
                        frame.state = *state;
                        frame.phase = Phase::Enter;
                    }
                    Transition::End => {
                        frame.phase = Phase::Done;
                        if let Some(parent) = frame.parent {
                            self.region_mut(parent).done += 1;
                            // Nobody sees them any more.
                            self.forget_variables(id);
                        }
                    }
                }
            }
            Body::StateAborted | Body::RegionAborted => {
                self.forget_task(id);
                let frame = self.frame_mut(id);
                frame.phase = Phase::Aborted;
                chain = frame.last_event;
            }
            Body::WaitUntil { until } => {
                let frame = self.frame_mut(id);
                frame.phase = Phase::WaitingUntil(*until);
                chain = frame.last_event;
            }
            Body::TaskScheduled(scheduled) => {
                self.tasks.insert(
                    event,
                    Task {
                        frame: id,
                        state: record.state,
                        parameters: scheduled.parameters.clone(),
                        credentials: scheduled.credentials.clone(),
                        timeout_seconds: scheduled.timeout_seconds,
                        heartbeat_seconds: scheduled.heartbeat_seconds,
                        scheduled_at: record.at,
                        started_at: None,
                        submitted: None,
                    },
                );
                self.frame_mut(id).phase = Phase::Working(event);
            }
            Body::TaskStarted { task, .. } => self.task_mut(*task).started_at = Some(record.at),
            Body::TaskSubmitted { task, output } => self.task_mut(*task).submitted = Some(output.clone()),
            Body::TaskSucceeded { task, output } => {
                self.tasks.remove(task);
                self.frame_mut(id).phase = Phase::Outcome(Ok(output.clone()));
            }
            Body::TaskFailed { task, failure, .. } | Body::TaskTimedOut { task, failure } => {
                self.tasks.remove(task);
                self.frame_mut(id).phase = Phase::Outcome(Err(failure.clone()));
            }
            Body::RetryScheduled { retrier, until } => {
                self.close_region(id);
                let frame = self.frame_mut(id);
                let place = *retrier as usize;
                if frame.retries.len() <= place {
                    frame.retries.resize(place + 1, 0);
                }
                frame.retries[place] += 1;
                frame.phase = Phase::BackingOffUntil(*until);
                chain = record.previous;
            }
            Body::RegionSucceeded => self.region_mut(id).joined = Some(record.previous),
            Body::RegionFailed => {}
            Body::IterationSucceeded { index } => {
                let region = self.region_mut(id);
                region.succeeded += 1;
                region.freed_by = record.previous;
                let child = region.children[*index as usize];
                self.frame_mut(child).phase = Phase::Joined;
            }
            Body::IterationFailed { index } => {
                let region = self.region_mut(id);
                region.failed += 1;
                region.freed_by = record.previous;
                let child = region.children[*index as usize];
                // What it has opened stays as it is: a redrive goes on from there.
                self.frame_mut(child).phase = Phase::Failed;
                chain = record.previous;
            }
            Body::IterationAborted { index } => {
                let child = self.region_mut(id).children[*index as usize];
                self.forget_task(child);
                self.frame_mut(child).phase = Phase::Aborted;
                chain = record.previous;
            }
            Body::EvaluationFailed { .. } => {}
            Body::VariablesAssigned { variables } => {
                chain = self.frame(id).last_event;
                self.assign(id, variables);
            }
            Body::MapSettled(settled) => {
                chain = self.frame(id).last_event;
                self.region_mut(id).settled = Some(*settled);
            }
            _ => unreachable!("apply() has taken every other body"),
        }
        self.frame_mut(id).last_event = chain;
    }

    fn end(&mut self, status: Status, at: Timestamp) {
        self.status = status;
        self.stopped_at = Some(at);
        self.tasks.clear();
    }

    fn incur(&mut self, task: TaskId, kind: DebtKind) {
        if let DebtKind::DeliverLogs { .. } | DebtKind::ExportSpans { .. } = kind {
            let nothing = Payload::empty_object();
            let debt = Debt { kind, state: StateId(0), parameters: nothing, credentials: None, submitted: None };
            self.debts.insert(task, debt);
            return;
        }
        if let Some(t) = self.tasks.remove(&task) {
            let debt = Debt {
                kind,
                state: t.state,
                parameters: t.parameters,
                credentials: t.credentials,
                submitted: t.submitted,
            };
            self.debts.insert(task, debt);
        }
    }

    fn start_region(&mut self, id: FrameId, length: u32, items: &Payload, branches: &[u32], event: EventId) {
        self.close_region(id);
        let mut children = Vec::with_capacity(length as usize);
        for (index, start) in branches.iter().enumerate() {
            let child = self.free_frame();
            self.place(child, Frame::new(Some(id), index as u32, StateId(*start), items.clone(), event));
            children.push(child);
        }
        let frame = self.frame_mut(id);
        frame.phase = Phase::InRegion;
        frame.last_event = event;
        let region = Region {
            is_map: branches.is_empty(),
            length,
            items: items.clone(),
            children,
            to_resume: VecDeque::new(),
            done: 0,
            succeeded: 0,
            failed: 0,
            freed_by: event,
            joined: None,
            settled: None,
        };
        frame.region = Some(region);
    }

    /// Gives the frames below back, so that a loop over a Map does not grow the execution.
    pub(crate) fn close_region(&mut self, id: FrameId) {
        let Some(region) = self.frame_mut(id).region.take() else { return };
        for child in region.children {
            self.close_region(child);
            self.forget_task(child);
            self.forget_variables(child);
            let frame = self.frame_mut(child);
            frame.phase = Phase::Free;
            frame.data = Payload::empty_object();
            self.free.insert(child);
        }
        while self.frames.last().is_some_and(|f| f.phase == Phase::Free) {
            self.frames.pop();
            self.free.remove(&FrameId(self.frames.len() as u32));
        }
    }

    /// For a state that is tested alone: as if its retriers had been used so often.
    pub(crate) fn set_retries(&mut self, id: FrameId, retries: Vec<u32>) {
        self.frame_mut(id).retries = retries;
    }

    fn assign(&mut self, id: FrameId, variables: &[(Arc<str>, Payload)]) {
        for (name, value) in variables {
            let old = self.frame_mut(id).variables.insert(name.clone(), value.clone());
            self.variable_bytes += value.text().len();
            self.variable_bytes -= old.map_or(0, |old| old.text().len());
        }
    }

    fn forget_variables(&mut self, id: FrameId) {
        let forgotten = std::mem::take(&mut self.frame_mut(id).variables);
        self.variable_bytes -= forgotten.values().map(|value| value.text().len()).sum::<usize>();
    }

    pub(crate) fn forget_task(&mut self, id: FrameId) {
        if let Phase::Working(task) = self.frame(id).phase {
            self.tasks.remove(&task);
        }
    }

    fn place(&mut self, id: FrameId, frame: Frame) {
        let place = id.0 as usize;
        self.free.remove(&id);
        if place == self.frames.len() {
            self.frames.push(frame);
        } else {
            self.frames[place] = frame;
        }
    }

    pub(crate) fn region_mut(&mut self, id: FrameId) -> &mut Region {
        self.frame_mut(id).region.as_mut().expect("a region's record follows its start")
    }

    fn task_mut(&mut self, id: TaskId) -> &mut Task {
        self.tasks.get_mut(&id).expect("a task's record follows its Scheduled")
    }
}

impl Frame {
    fn new(parent: Option<FrameId>, index: u32, start: StateId, data: Payload, last_event: EventId) -> Frame {
        Frame {
            parent,
            index,
            phase: Phase::Enter,
            state: start,
            data,
            variables: BTreeMap::new(),
            last_event,
            entered: 0,
            before_entered: 0,
            entered_at: 0,
            retries: Vec::new(),
            region: None,
        }
    }
}
