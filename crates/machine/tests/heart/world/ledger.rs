//! The books that are kept about a log, record by record: what must hold of every history, whatever the program.
//!
//! Nothing here knows what a state does. It knows that events are numbered, that what is entered is left at most once,
//! that a task which was asked for is answered, forgotten or owed, and that after the end only debts are paid.

use std::collections::{BTreeMap, BTreeSet};

use machine::record::{Body, FrameId, Record};
use machine::{Effect, EventId, Execution, Phase, TaskId};

#[derive(Default)]
pub struct Ledger {
    /// The fold so far, one record behind what is checked.
    shadow: Execution,
    /// The Entered event that each frame has not left.
    entered: BTreeMap<FrameId, EventId>,
    /// Tasks that were asked for, and neither answered nor forgotten.
    waiting: BTreeSet<TaskId>,
    owed: BTreeSet<TaskId>,
    scheduled: BTreeSet<TaskId>,
}

impl Ledger {
    /// Takes in one turn, and checks it.
    pub fn take(&mut self, records: &[Record], effects: &[Effect], after: &Execution) {
        let (mut answered, mut incurred) = (BTreeSet::new(), BTreeSet::new());
        let mut ended = false;
        let mut asked = BTreeSet::new();
        for record in records {
            self.record(record, &mut asked, &mut answered, &mut incurred);
            ended |= record.body.is_end();
        }
        self.effects(effects, &asked, &answered, &incurred, ended);
        assert_eq!(self.waiting, after.tasks.keys().copied().collect(), "who is waited for");
        assert_eq!(self.owed, after.debts.keys().copied().collect(), "what is owed");
        for (id, task) in &after.tasks {
            assert_eq!(after.frame(task.frame).phase, Phase::Working(*id), "a task that no line of control waits for");
        }
        if after.is_over() {
            assert!(after.tasks.is_empty() && after.stopped_at.is_some(), "after the end nothing is waited for");
        }
    }

    fn record(
        &mut self,
        record: &Record,
        asked: &mut BTreeSet<TaskId>,
        answered: &mut BTreeSet<TaskId>,
        incurred: &mut BTreeSet<TaskId>,
    ) {
        let body = &record.body;
        assert!(record.at >= self.shadow.last_at, "history goes backwards: {record:?}");
        assert!(
            !self.shadow.is_over() || matches!(body, Body::Settled { .. } | Body::ExecutionRedriven { .. }),
            "after the end: {record:?}"
        );
        let known = self.shadow.events;
        assert!(record.previous <= known, "a previousEventId that does not exist: {record:?}");
        if body.is_event() && record.previous == 0 {
            let may = match body {
                Body::ExecutionStarted(_) => known == 0,
                Body::StateEntered { .. } => known == 1,
                // In the machine's first state.
                Body::EvaluationFailed { .. } => self.shadow.frame(record.frame).before_entered == 0,
                Body::ExecutionAborted(_) | Body::ExecutionTimedOut(_) => true,
                _ => false,
            };
            assert!(may, "an event that follows none: {record:?}");
        }
        match body {
            Body::StateEntered { .. } => {
                let before = self.entered.insert(record.frame, known + 1);
                assert_eq!(before, None, "entered before the last state was left: {record:?}");
            }
            Body::StateExited { .. } | Body::StateAborted | Body::RegionAborted => {
                assert!(self.entered.remove(&record.frame).is_some(), "left, but not entered: {record:?}");
            }
            Body::TaskScheduled(_) => {
                asked.insert(known + 1);
            }
            Body::TaskStarted { task, .. } | Body::TaskSubmitted { task, .. } => {
                assert!(self.shadow.tasks.contains_key(task), "news of a task that does not wait: {record:?}");
            }
            Body::TaskSucceeded { task, .. } | Body::TaskFailed { task, .. } => {
                assert!(self.shadow.tasks.contains_key(task), "an answer to a task that does not wait: {record:?}");
                assert!(answered.insert(*task), "answered twice: {record:?}");
            }
            Body::TaskTimedOut { task, .. } => assert!(self.scheduled.contains(task) || asked.contains(task)),
            Body::DebtIncurred { task, .. } => {
                assert!(self.shadow.tasks.contains_key(task), "owed for a task that does not wait: {record:?}");
                assert!(self.owed.insert(*task) && incurred.insert(*task), "owed twice: {record:?}");
            }
            Body::Settled { task } => assert!(self.owed.remove(task), "paid, but not owed: {record:?}"),
            _ => {}
        }
        self.shadow.apply(record);
        // The frames of a region that opens are new ones, whatever a former region left in them.
        match body {
            Body::RegionStarted { .. } => {
                let region = self.shadow.frame(record.frame).region.clone().expect("a region");
                self.entered.retain(|frame, _| !region.children.contains(frame));
            }
            Body::IterationStarted { child, .. } => {
                self.entered.remove(child);
            }
            // What was given up goes on in the state that it had entered.
            Body::ExecutionRedriven { .. } | Body::IterationResumed { .. } => {
                let frames = (0..).map(FrameId).zip(&self.shadow.frames);
                self.entered = frames.filter(|(_, frame)| frame.entered != 0).map(|(id, f)| (id, f.entered)).collect();
            }
            _ => {}
        }
    }

    fn effects(
        &mut self,
        effects: &[Effect],
        asked: &BTreeSet<TaskId>,
        answered: &BTreeSet<TaskId>,
        incurred: &BTreeSet<TaskId>,
        ended: bool,
    ) {
        let mut started = BTreeSet::new();
        let mut cancelled = BTreeSet::new();
        let mut finished = 0;
        for effect in effects {
            match effect {
                Effect::StartTask { task } => {
                    assert!(started.insert(*task), "asked for twice: {task}");
                    self.waiting.insert(*task);
                }
                Effect::ForgetTask { task } => {
                    assert!(!answered.contains(task), "forgotten, but answered: {task}");
                    assert!(self.waiting.remove(task), "forgotten, but nobody waited: {task}");
                }
                Effect::CancelTask { task } => assert!(cancelled.insert(*task), "cancelled twice: {task}"),
                Effect::Finished => finished += 1,
            }
        }
        for task in answered {
            assert!(self.waiting.remove(task), "answered, but nobody waited: {task}");
        }
        assert_eq!(&started, asked, "every Scheduled is one StartTask");
        assert_eq!(&cancelled, incurred, "every debt is one CancelTask");
        assert_eq!(finished, u32::from(ended), "the end is told once");
        self.scheduled.extend(asked);
    }
}
