//! RedriveExecution: an execution that did not succeed goes on where it ended.
//!
//! A state that was entered and not exited does its work again with the input that it had: a Task is scheduled anew, a
//! Choice decided anew, a Wait waited anew, and its retriers begin from zero. A Parallel or Map goes on with the
//! branches and iterations that have not succeeded; where all have and only their result was refused, it begins anew. A
//! Fail state is entered again, and fails again. That is what AWS's page on redriving says of each state type.

use asl::{Kind, Program};

use crate::Limits;
use crate::execution::{Execution, Phase, Status};
use crate::record::{Body, EventId, FrameId};
use crate::turn::{Verdict, Walk};

/// Beside the event that tells of the redrive there must be room for one that follows.
const ROOM: u64 = 2;

/// Whether a history of so many events has room for a redrive.
pub fn has_room_to_redrive(events: EventId, limits: &Limits) -> bool {
    events + ROOM <= limits.events
}

impl Execution {
    /// The states that are entered anew: who stands in a Fail state has nothing to go on with.
    fn to_enter_again(&self, program: &Program) -> Vec<FrameId> {
        let stands = |frame: &crate::Frame| {
            let over = matches!(frame.phase, Phase::Done | Phase::Joined | Phase::Free | Phase::Enter);
            !over && frame.entered != 0 && matches!(program.state(frame.state).kind, Kind::Fail(_))
        };
        let frames = self.frames.iter().enumerate().filter(|(_, frame)| stands(frame));
        frames.map(|(place, _)| FrameId(place as u32)).collect()
    }

    pub(crate) fn redrive(&mut self, event: EventId, enter_again: &[FrameId]) {
        self.status = Status::Running;
        self.stopped_at = None;
        self.output = None;
        self.failure = None;
        for id in enter_again {
            self.frame_mut(*id).entered = 0;
        }
        self.reopen(FrameId::ROOT, event);
    }

    /// A line of control that did not come to its end goes on; the chain of events goes on from `event`.
    fn reopen(&mut self, id: FrameId, event: EventId) {
        let frame = self.frame_mut(id);
        if matches!(frame.phase, Phase::Done | Phase::Joined) {
            return;
        }
        frame.retries.clear();
        frame.last_event = event;
        frame.before_entered = event;
        let goes_on = frame.region.as_ref().is_some_and(|region| region.joined.is_none());
        if frame.entered == 0 {
            frame.phase = Phase::Enter;
        } else if goes_on {
            frame.phase = Phase::InRegion;
            self.reopen_region(id, event);
        } else {
            self.close_region(id);
            self.frame_mut(id).phase = Phase::Entered;
        }
    }

    fn reopen_region(&mut self, id: FrameId, event: EventId) {
        let region = self.region_mut(id);
        let (is_map, children) = (region.is_map, region.children.clone());
        if !is_map {
            children.into_iter().for_each(|child| self.reopen(child, event));
            return;
        }
        let over = |child: &FrameId| matches!(self.frame(*child).phase, Phase::Done | Phase::Joined);
        let to_resume = (0..).zip(&children).filter(|(_, child)| !over(child)).map(|(index, _)| index).collect();
        let region = self.region_mut(id);
        region.to_resume = to_resume;
        region.failed = 0;
        region.freed_by = event;
    }

    pub(crate) fn resume_iteration(&mut self, id: FrameId, index: u32, event: EventId) {
        let region = self.region_mut(id);
        region.to_resume.retain(|waiting| *waiting != index);
        let child = region.children[index as usize];
        self.reopen(child, event);
    }
}

impl Walk<'_> {
    /// The verdict tells whether it was redriven; the same token again asks for what was done already.
    pub fn redrive(&mut self, token: Option<std::sync::Arc<str>>) -> Verdict {
        let execution = &*self.execution;
        let last = execution.redriven.as_ref();
        if token.is_some() && last.is_some_and(|last| last.token == token) {
            return Verdict::Done;
        }
        let ended = matches!(execution.status, Status::Failed | Status::TimedOut | Status::Aborted);
        if !ended || !has_room_to_redrive(execution.events, self.stamp.limits) {
            return Verdict::TooLate;
        }
        let count = last.map_or(0, |last| last.count) + 1;
        let enter_again = execution.to_enter_again(self.program);
        let previous = execution.events;
        self.write(FrameId::ROOT, previous, Body::ExecutionRedriven { count, token, enter_again });
        Verdict::Done
    }

    /// All that may go on below a frame that was taken up again.
    pub fn ready_below(&mut self, id: FrameId) {
        self.ready.insert(id);
        let region = self.execution.frame(id).region.as_ref();
        for child in region.map(|region| region.children.clone()).into_iter().flatten() {
            self.ready_below(child);
        }
    }
}
