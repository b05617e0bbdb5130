//! One turn: everything that waits for an execution is taken at once, and every line of control is driven until it
//! waits for the outside world again.
//!
//! First the outcomes of all inputs and all due timers are recorded, then frames move, lowest first. Nothing here is
//! kept between turns: what a turn leaves behind is its records, and what must be done for them its effects.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use asl::eval::QueryError;
use asl::{Kind, Pattern, Payload, Program, StateId, Target};

use crate::execution::{Execution, Phase};
use crate::failure::{self, Failure};
use crate::log_level::LogLevel;
use crate::record::{Body, DebtKind, EventId, FrameId, LOGS, Record, SPANS, Stage, Started, TaskId, Timestamp};
use crate::scene::Scene;
use crate::stamp::Stamp;
use crate::states::{self, Exit, Fault, Flow};
use crate::{limits, region, retry};

/// What happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    Start(Box<Started>),
    /// News of a task.
    Report {
        task: TaskId,
        report: Report,
    },
    /// StopExecution.
    Stop {
        error: Option<Arc<str>>,
        cause: Option<Arc<str>>,
    },
    /// RedriveExecution, with its clientToken.
    Redrive {
        token: Option<Arc<str>>,
    },
    /// The debt of this task is paid.
    Settled {
        task: TaskId,
    },
    /// What was owed under this number has come to its destination: of [`LOGS`] up to this event, of [`SPANS`] so many.
    Delivered {
        debt: TaskId,
        up_to: u64,
    },
    /// Nothing new: time has gone on, or the last turn's budget was used up.
    Continue,
}

/// What is heard of a task.
#[derive(Clone, Debug)]
pub enum Report {
    /// It was handed out: to a connector, or to an activity's worker.
    Started {
        worker: Option<Arc<str>>,
    },
    /// A job or callback was accepted by its service, which answered this.
    Submitted {
        output: Payload,
    },
    Succeeded {
        output: Payload,
    },
    Failed {
        error: Option<Arc<str>>,
        cause: Option<Arc<str>>,
        stage: Stage,
    },
    /// SendTaskHeartbeat: nothing is recorded, but the caller wants to know whether anybody still waits.
    Heartbeat,
}

/// What is to be done once the turn's records are durable.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Carry the task out; `Execution::tasks` tells what it is.
    StartTask { task: TaskId },
    /// The task waits no longer and no report about it matters.
    ForgetTask { task: TaskId },
    /// A debt: the job or child is to be stopped, and then `Settled` reported.
    CancelTask { task: TaskId },
    /// The execution is over.
    Finished,
}

/// What an input's caller is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Done,
    /// No such task waits, or not any more.
    NotWaiting,
    /// The execution has ended, was started before, never was, or cannot be redriven.
    TooLate,
}

/// What a turn leaves.
#[derive(Debug, Default)]
pub struct Turn {
    pub records: Vec<Record>,
    pub effects: Vec<Effect>,
    /// One for each input, in their order.
    pub verdicts: Vec<Verdict>,
    /// The budget was used up: call again with `Continue`.
    pub more: bool,
}

impl Turn {
    /// The numbers of its events, of which this is the last.
    pub fn events_up_to(&self, last: EventId) -> RangeInclusive<EventId> {
        let events = self.records.iter().filter(|record| record.body.is_event()).count() as u64;
        last + 1 - events..=last
    }
}

impl Execution {
    /// Decides what follows from the inputs and from the time, and applies it.
    pub fn turn(&mut self, program: &Program, inputs: Vec<Input>, stamp: &Stamp) -> Turn {
        // History does not go backwards when the clock does.
        let at = stamp.at.max(self.last_at);
        let mut walk = Walk {
            execution: self,
            program,
            stamp: &Stamp { at, ..*stamp },
            turn: Turn::default(),
            bytes: 0,
            work: 0,
            ready: BTreeSet::new(),
            abandoned: BTreeSet::new(),
            heard: BTreeSet::new(),
            map_inputs: BTreeMap::new(),
        };
        let all = walk.take_inputs(inputs).and_then(|()| walk.take_timers()).and_then(|()| walk.run());
        if let Err(halt) = all {
            walk.halt(halt);
        }
        walk.owe_logs();
        walk.owe_spans();
        walk.turn
    }

    /// When the next timer falls due, if nothing is heard before.
    pub fn next_due(&self, program: &Program, stamp: &Stamp) -> Option<Timestamp> {
        if self.is_over() || self.started.is_none() {
            return None;
        }
        let frames = self.frames.iter().filter_map(|frame| match frame.phase {
            Phase::WaitingUntil(until) | Phase::BackingOffUntil(until) if self.lives(frame) => Some(until),
            _ => None,
        });
        let tasks = self.tasks.keys().filter_map(|task| self.task_due(*task, stamp, false).map(|(at, _)| at));
        frames.chain(tasks).chain(self.deadline(program, stamp.limits)).min()
    }

    /// When a task times out, and whether it is for a missed heartbeat. `heard` where a heartbeat has just come.
    fn task_due(&self, id: TaskId, stamp: &Stamp, heard: bool) -> Option<(Timestamp, bool)> {
        let task = self.tasks.get(&id)?;
        let started = task.started_at?;
        let after = |from: Timestamp, seconds: Option<u64>| {
            seconds.map(|s| from.saturating_add(s.min(limits::LONGEST_SECONDS) as i64 * 1000))
        };
        let last_beat = if heard { Some(stamp.at) } else { stamp.beats.get(&id).copied() };
        let heard = last_beat.unwrap_or(started).max(started).max(stamp.listening_since);
        let timeout = after(started, task.timeout_seconds).map(|at| (at, false));
        let heartbeat = after(heard, task.heartbeat_seconds).map(|at| (at, true));
        timeout.into_iter().chain(heartbeat).min()
    }
}

/// Why a turn stops before every line of control has come to rest: the execution is to end.
pub(crate) enum Halt {
    Failed { frame: FrameId, failure: Failure },
    HistoryFull { frame: FrameId },
}

pub(crate) type Going<T = ()> = Result<T, Halt>;

pub(crate) struct Walk<'a> {
    pub execution: &'a mut Execution,
    pub program: &'a Program,
    pub stamp: &'a Stamp<'a>,
    pub turn: Turn,
    bytes: usize,
    /// What the expressions weigh that may have been evaluated.
    work: u32,
    /// Frames that may go on.
    pub ready: BTreeSet<FrameId>,
    /// Tasks that nobody waits for since this turn, whether a record says so already or not.
    abandoned: BTreeSet<TaskId>,
    /// Tasks that were heard of in this turn: a heartbeat that came in time is in time, however long the turn waited.
    heard: BTreeSet<TaskId>,
    /// What InputPath made of the input of each Map in this turn, with the Map's Entered event: every iteration asks.
    map_inputs: BTreeMap<FrameId, (EventId, Payload)>,
}

impl<'a> Walk<'a> {
    /// Writes and applies a record of this frame; the chain of events goes on from the frame's last event.
    pub fn emit(&mut self, frame: FrameId, body: Body) -> Going<EventId> {
        let previous = self.execution.frame(frame).last_event;
        self.emit_after(frame, previous, body)
    }

    /// The same with a chain that comes from elsewhere.
    pub fn emit_after(&mut self, frame: FrameId, previous: EventId, body: Body) -> Going<EventId> {
        if body.is_event() && self.execution.events + 1 >= self.stamp.limits.events {
            return Err(Halt::HistoryFull { frame });
        }
        Ok(self.write(frame, previous, body))
    }

    pub fn write(&mut self, frame: FrameId, previous: EventId, body: Body) -> EventId {
        let held = self.execution.frames.get(frame.0 as usize);
        let state = held.map_or(self.program.scope(Program::ROOT).start_at, |frame| frame.state);
        let new = payloads_of(&body).into_iter().filter(|payload| held.is_none_or(|frame| !frame.data.same(payload)));
        self.bytes += new.map(|payload| payload.text().len()).sum::<usize>();
        let record = Record { at: self.stamp.at, frame, state, previous, body };
        self.execution.apply(&record);
        self.turn.records.push(record);
        self.execution.events
    }

    /// Owes what of this turn is to be logged, unless earlier events are owed already.
    fn owe_logs(&mut self) {
        let is_logged =
            |record: &Record| record.body.is_event() && LogLevel::of(self.program, record) <= self.stamp.log;
        let is_owed = self.execution.debts.contains_key(&LOGS);
        if self.stamp.log == LogLevel::Off || is_owed || !self.turn.records.iter().any(is_logged) {
            return;
        }
        let since = *self.turn.events_up_to(self.execution.events).start();
        self.write(FrameId::ROOT, 0, Body::DebtIncurred { task: LOGS, kind: DebtKind::DeliverLogs { since } });
    }

    /// Up to where all would be delivered. Events do not tell it of spans: a hidden record ends some too.
    fn owed(&self, debt: TaskId) -> u64 {
        match &self.execution.spans {
            Some(spans) if debt == SPANS => spans.number,
            _ => self.execution.events,
        }
    }

    /// Owes the spans that ended in this turn, unless earlier ones are owed already.
    fn owe_spans(&mut self) {
        if !self.stamp.owes_spans || self.execution.debts.contains_key(&SPANS) {
            return;
        }
        // Not the turn's first event: a hidden record ends spans too, and then the last event is an earlier turn's.
        let ended = self.execution.spans.iter().flat_map(|spans| &spans.ended).map(|span| span.ended_by);
        let Some(since) = ended.min() else { return };
        self.write(FrameId::ROOT, 0, Body::DebtIncurred { task: SPANS, kind: DebtKind::ExportSpans { since } });
    }

    pub fn scene(&self, frame: FrameId) -> Scene<'_> {
        Scene::new(self.execution, self.program, self.stamp, frame)
    }

    /// What ItemsPath and ItemSelector of a Map read: its input, after InputPath.
    pub fn map_input(&mut self, frame: FrameId) -> Result<Payload, Fault> {
        let entered = self.execution.frame(frame).entered;
        if let Some((of, input)) = self.map_inputs.get(&frame)
            && *of == entered
        {
            return Ok(input.clone());
        }
        let input = self.scene(frame).input()?;
        self.map_inputs.insert(frame, (entered, input.clone()));
        Ok(input)
    }

    pub fn kind(&self, frame: FrameId) -> &'a Kind {
        &self.program.state(self.execution.frame(frame).state).kind
    }

    fn take_inputs(&mut self, inputs: Vec<Input>) -> Going {
        // All verdicts are given even when one input ends the execution: the later ones are then too late.
        let mut end = Ok(());
        for input in inputs {
            let verdict = match (&end, input) {
                (Err(_), Input::Report { .. }) => Verdict::NotWaiting,
                (Err(_), Input::Start(_) | Input::Stop { .. } | Input::Redrive { .. }) => Verdict::TooLate,
                // What is paid is paid, however this ends.
                (_, input) => match self.take(input) {
                    Ok(verdict) => verdict,
                    // Only a report finds the history full, and what was not recorded was not taken.
                    Err(halt) => {
                        end = Err(halt);
                        Verdict::NotWaiting
                    }
                },
            };
            self.turn.verdicts.push(verdict);
        }
        end
    }

    fn take(&mut self, input: Input) -> Going<Verdict> {
        match input {
            Input::Start(_) if self.execution.started.is_some() => return Ok(Verdict::TooLate),
            Input::Start(mut started) => {
                let mock = started.mock.take();
                self.write(FrameId::ROOT, 0, Body::ExecutionStarted(started));
                if let Some(case) = mock {
                    self.write(FrameId::ROOT, 0, Body::MockChosen { case });
                }
            }
            Input::Report { task, report } => return self.report(task, report),
            Input::Stop { .. } if self.execution.is_over() || self.execution.started.is_none() => {
                return Ok(Verdict::TooLate);
            }
            Input::Stop { error, cause } => {
                let failure = Failure { error, cause, ..Failure::default() };
                self.end(FrameId::ROOT, 0, Body::ExecutionAborted(failure));
            }
            Input::Redrive { token } => return Ok(self.redrive(token)),
            Input::Settled { task } if self.execution.debts.contains_key(&task) => {
                self.write(FrameId::ROOT, 0, Body::Settled { task });
            }
            // What has happened since then is still owed.
            Input::Delivered { debt, up_to }
                if up_to == self.owed(debt) && self.execution.debts.contains_key(&debt) =>
            {
                self.write(FrameId::ROOT, 0, Body::Settled { task: debt });
            }
            Input::Settled { .. } | Input::Delivered { .. } | Input::Continue => {}
        }
        Ok(Verdict::Done)
    }

    fn report(&mut self, id: TaskId, report: Report) -> Going<Verdict> {
        let Some(task) = self.execution.tasks.get(&id) else { return Ok(Verdict::NotWaiting) };
        let frame = task.frame;
        let Kind::Task(asl) = &self.program.state(task.state).kind else { return Ok(Verdict::NotWaiting) };
        match report {
            Report::Heartbeat => {
                self.heard.insert(id);
            }
            // Somebody has it already.
            Report::Started { .. } if task.started_at.is_some() => return Ok(Verdict::NotWaiting),
            Report::Started { worker } => {
                self.emit(frame, Body::TaskStarted { task: id, worker })?;
            }
            Report::Submitted { .. } if task.submitted.is_some() => {}
            Report::Submitted { output } => {
                if task.started_at.is_none() {
                    // The news of its start was lost, but the clocks that run from it must run.
                    self.emit(frame, Body::TaskStarted { task: id, worker: None })?;
                }
                self.emit(frame, Body::TaskSubmitted { task: id, output })?;
            }
            Report::Succeeded { output } => {
                match states::task::check_result(asl, &output, self.stamp.limits.payload_bytes) {
                    Ok(()) => self.emit(frame, Body::TaskSucceeded { task: id, output })?,
                    Err(failure) => self.emit(frame, Body::TaskFailed { task: id, failure, stage: Stage::Run })?,
                };
            }
            Report::Failed { error, cause, stage } => {
                let failure = Failure { error, cause, ..Failure::default() };
                self.emit(frame, Body::TaskFailed { task: id, failure, stage })?;
            }
        }
        Ok(Verdict::Done)
    }

    fn take_timers(&mut self) -> Going {
        if self.execution.is_over() || self.execution.started.is_none() {
            return Ok(());
        }
        if self.execution.deadline(self.program, self.stamp.limits).is_some_and(|at| at <= self.stamp.at) {
            self.end(FrameId::ROOT, 0, Body::ExecutionTimedOut(Failure::timeout()));
            return Ok(());
        }
        let tasks: Vec<TaskId> = self.execution.tasks.keys().copied().collect();
        for id in tasks {
            match self.execution.task_due(id, self.stamp, self.heard.contains(&id)) {
                Some((at, heartbeat)) if at <= self.stamp.at => self.time_out(id, heartbeat)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn time_out(&mut self, id: TaskId, heartbeat: bool) -> Going {
        let frame = self.execution.tasks[&id].frame;
        self.abandon(id);
        let failure = if heartbeat { Failure::missed_heartbeat() } else { Failure::timeout() };
        self.emit(frame, Body::TaskTimedOut { task: id, failure })?;
        Ok(())
    }

    /// Nobody will wait for this task any more: a job is to be cancelled, other work is left alone.
    pub fn abandon(&mut self, id: TaskId) {
        if !self.abandoned.insert(id) {
            return;
        }
        let task = &self.execution.tasks[&id];
        let frame = task.frame;
        let is_job = match &self.program.state(task.state).kind {
            Kind::Task(task) => {
                matches!(&task.resource.target, Target::Integration { pattern: Pattern::Sync { .. }, .. })
            }
            _ => false,
        };
        self.turn.effects.push(Effect::ForgetTask { task: id });
        if is_job {
            let previous = self.execution.frame(frame).last_event;
            self.write(frame, previous, Body::DebtIncurred { task: id, kind: DebtKind::CancelTask });
            self.turn.effects.push(Effect::CancelTask { task: id });
        }
    }

    /// Drives every frame that can go on, lowest first, until all wait.
    fn run(&mut self) -> Going {
        for (place, frame) in self.execution.frames.iter().enumerate() {
            let due = |at: Timestamp| at <= self.stamp.at;
            let ready = match &frame.phase {
                Phase::Enter | Phase::Entered | Phase::Outcome(_) | Phase::InRegion => true,
                // A branch that is done waits for the others; an iteration, and the machine itself, for their record.
                Phase::Done => frame.parent.is_none_or(|parent| matches!(self.kind(parent), Kind::Map(_))),
                Phase::WaitingUntil(until) | Phase::BackingOffUntil(until) => due(*until),
                Phase::Working(_) | Phase::Joined | Phase::Failed | Phase::Aborted | Phase::Free => false,
            };
            if ready && self.execution.lives(frame) {
                self.ready.insert(FrameId(place as u32));
            }
        }
        while let Some(frame) = self.ready.pop_first() {
            if self.execution.is_over() {
                break;
            }
            self.step_until_parked(frame)?;
            if self.is_spent() {
                self.turn.more = !self.execution.is_over();
                break;
            }
        }
        Ok(())
    }

    /// Whether others are to have their turn.
    fn is_spent(&self) -> bool {
        let limits = self.stamp.limits;
        self.turn.records.len() >= limits.turn_records
            || self.bytes >= limits.turn_bytes
            || self.work >= limits.turn_work
    }

    /// The frame's state is about to evaluate its expressions.
    pub fn works(&mut self, id: FrameId) {
        let state = self.execution.frame(id).state;
        self.work = self.work.saturating_add(self.program.state(state).work);
    }

    fn step_until_parked(&mut self, id: FrameId) -> Going {
        // A frame that loops without waiting gives way when the turn's budget is used up.
        while !self.is_spent() {
            // It may have given itself up, with all that a region above it has opened.
            let frame = self.execution.frames.get(id.0 as usize);
            let Some(frame) = frame.filter(|frame| self.execution.lives(frame)) else { return Ok(()) };
            match &frame.phase {
                Phase::Enter => {
                    let input = frame.data.clone();
                    self.emit(id, Body::StateEntered { input })?;
                }
                Phase::Entered => self.begin(id)?,
                Phase::WaitingUntil(until) if *until <= self.stamp.at => {
                    self.works(id);
                    let decision = states::end_wait(&self.scene(id));
                    self.follow(id, decision)?;
                }
                Phase::BackingOffUntil(until) if *until <= self.stamp.at => self.begin(id)?,
                Phase::Outcome(outcome) => {
                    let outcome = outcome.clone();
                    self.works(id);
                    let decision = match outcome {
                        Ok(result) => states::end_work(&self.scene(id), result),
                        Err(failure) => Err(failure.into()),
                    };
                    self.follow(id, decision)?;
                }
                Phase::InRegion => {
                    if !region::advance(self, id)? {
                        return Ok(());
                    }
                }
                Phase::Done => match frame.parent {
                    Some(parent) => {
                        region::child_done(self, parent, id)?;
                        return Ok(());
                    }
                    None => {
                        let (output, previous) = (frame.data.clone(), frame.last_event);
                        self.end(id, previous, Body::ExecutionSucceeded { output });
                        return Ok(());
                    }
                },
                _ => return Ok(()),
            }
        }
        self.ready.insert(id);
        Ok(())
    }

    fn begin(&mut self, id: FrameId) -> Going {
        self.works(id);
        let decision = states::begin(&self.scene(id));
        self.follow(id, decision)
    }

    /// Does what a state decided.
    pub fn follow(&mut self, id: FrameId, decision: states::Decision) -> Going {
        match decision {
            Ok(Flow::Exit(exit)) => {
                let frame = self.execution.frame(id);
                // A region's Succeeded event stands beside the chain: the exit follows what it followed.
                let joined = frame.region.as_ref().and_then(|region| region.joined);
                self.exit(id, joined.unwrap_or(frame.last_event), exit)
            }
            Ok(Flow::WaitUntil(until)) => self.emit(id, Body::WaitUntil { until }).map(drop),
            Ok(Flow::Task(scheduled)) => {
                let task = self.emit(id, Body::TaskScheduled(scheduled))?;
                self.turn.effects.push(Effect::StartTask { task });
                Ok(())
            }
            Ok(Flow::Open { length, items, branches, settled }) => {
                self.emit(id, Body::RegionStarted { length, items, branches })?;
                if let Some(settled) = settled {
                    self.emit(id, Body::MapSettled(settled))?;
                }
                region::opened(self, id);
                Ok(())
            }
            Err(fault) => {
                let failure = self.told(id, fault)?;
                let previous = self.execution.frame(id).last_event;
                self.fail_from(id, previous, failure)
            }
        }
    }

    fn exit(&mut self, id: FrameId, previous: EventId, exit: Exit) -> Going {
        let Exit { output, variables, next } = exit;
        if !variables.is_empty() {
            self.emit(id, Body::VariablesAssigned { variables })?;
        }
        self.emit_after(id, previous, Body::StateExited { output, next }).map(drop)
    }

    /// The failure of a state that cannot go on; where JSONata failed, history has told so.
    pub fn told(&mut self, id: FrameId, fault: Fault) -> Going<Failure> {
        let Fault { failure, evaluation } = fault;
        if let Some(evaluation) = evaluation {
            let frame = self.execution.frame(id);
            let previous = if evaluation.value_refused { frame.last_event } else { frame.before_evaluation() };
            let body = Body::EvaluationFailed { failure: failure.clone(), location: evaluation.location };
            self.emit_after(id, previous, body)?;
        }
        Ok(failure)
    }

    /// The frame's state has failed: it is tried again, caught, or the failure goes up. The chain of events may come
    /// from inside the state's region.
    pub fn fail_from(&mut self, id: FrameId, previous: EventId, mut failure: Failure) -> Going {
        if failure.is_terminal() {
            return Err(Halt::Failed { frame: id, failure });
        }
        let (retriers, catchers) = retry::handlers(self.kind(id));
        let frame = self.execution.frame(id);
        if let Some((retrier, delay_ms)) = retry::next_attempt(retriers, &frame.retries, &failure, &self.scene(id)) {
            let until = self.stamp.at.saturating_add(delay_ms);
            self.emit_after(id, previous, Body::RetryScheduled { retrier, until })?;
            self.ready.insert(id);
            return Ok(());
        }
        let place = catchers.iter().position(|catcher| failure.matches(&catcher.error_equals));
        if self.region_fails(id, &failure) {
            self.emit_after(id, previous, Body::RegionFailed)?;
        }
        if let Some(place) = place {
            match states::catch(&self.scene(id), &catchers[place], place, &failure) {
                Ok(exit) => {
                    let previous = self.execution.frame(id).last_event;
                    self.exit(id, previous, exit)?;
                    self.ready.insert(id);
                    return Ok(());
                }
                // What fails while it is caught is caught by nobody here.
                Err(fault) => failure = self.told(id, fault)?,
            }
        }
        if failure.is_terminal() {
            return Err(Halt::Failed { frame: id, failure });
        }
        match self.execution.frame(id).parent {
            None => Err(Halt::Failed { frame: id, failure }),
            Some(parent) => region::child_failed(self, parent, id, failure),
        }
    }

    /// Whether a Parallel or Map fails as a whole, which has an event of its own: its region is open, or JSONata kept it
    /// from being opened.
    fn region_fails(&self, id: FrameId, failure: &Failure) -> bool {
        match &self.execution.frame(id).region {
            Some(region) => region.joined.is_none(),
            None => {
                matches!(self.kind(id), Kind::Parallel(_) | Kind::Map(_))
                    && failure.error.as_deref() == Some(QueryError::ERROR)
            }
        }
    }

    fn halt(&mut self, halt: Halt) {
        let (frame, failure) = match halt {
            Halt::Failed { frame, failure } => (frame, failure),
            Halt::HistoryFull { frame } => {
                let most = self.stamp.limits.events;
                let cause = format!("The execution reached the maximum number of history events ({most}).");
                (frame, Failure::new(failure::RUNTIME, cause))
            }
        };
        let previous = self.execution.frame(frame).last_event;
        self.end(frame, previous, Body::ExecutionFailed(failure));
    }

    /// Ends the execution: nobody waits for its tasks any more.
    fn end(&mut self, frame: FrameId, previous: EventId, body: Body) {
        let tasks: Vec<TaskId> = self.execution.tasks.keys().copied().collect();
        for task in tasks {
            self.abandon(task);
        }
        self.write(frame, previous, body);
        self.turn.effects.push(Effect::Finished);
    }
}

/// The payloads that a record may add to the log; the budget of a turn counts those that are new.
fn payloads_of(body: &Body) -> Vec<&Payload> {
    match body {
        Body::StateExited { output, .. } | Body::TaskSucceeded { output, .. } => vec![output],
        Body::TaskScheduled(scheduled) => vec![&scheduled.parameters],
        Body::VariablesAssigned { variables } => variables.iter().map(|(_, value)| value).collect(),
        _ => Vec::new(),
    }
}

/// The first state of a scope.
pub(crate) fn start_of(program: &Program, scope: asl::ScopeId) -> StateId {
    program.scope(scope).start_at
}
