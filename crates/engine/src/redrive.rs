//! RedriveExecution, and whether an execution may be redriven. How one goes on is `machine`'s knowledge.

use machine::{Input, Status, Timestamp, Verdict, has_room_to_redrive};

use crate::api::{ExecutionDescription, MachineStatus};
use crate::{Engine, Error, Result};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// How long after its end an execution may be redriven.
const REDRIVABLE_MS: i64 = 14 * DAY_MS;

/// How long after its start an execution may live, redrives included.
const LONGEST_LIFE_MS: i64 = 365 * DAY_MS;

impl Engine {
    /// When it was redriven. The client token of the latest redrive again asks for nothing new.
    pub async fn redrive_execution(&self, execution: &str, token: Option<String>) -> Result<Timestamp> {
        let before = self.describe_execution(execution).await?;
        // Of one that lives or has succeeded the turn knows whether this is the token of its latest redrive.
        if !matches!(before.status, Status::Running | Status::Succeeded)
            && let Some(reason) = self.not_redrivable(&before).await
        {
            return Err(Error::ExecutionNotRedrivable(reason));
        }
        let verdict = self.ask_of(execution, Input::Redrive { token: token.map(Into::into) }).await?;
        let after = self.describe_execution(execution).await?;
        match (verdict, after.redriven_at) {
            (Verdict::Done, Some(at)) => Ok(at),
            _ => {
                let reason = self.not_redrivable(&after).await;
                Err(Error::ExecutionNotRedrivable(reason.unwrap_or_else(|| "Execution cannot be redriven".into())))
            }
        }
    }

    /// Why it cannot be redriven now, in AWS's words; `None` where it can.
    pub async fn not_redrivable(&self, execution: &ExecutionDescription) -> Option<String> {
        let now = self.clock.now();
        let status = execution.status;
        if matches!(status, Status::Running | Status::Succeeded) {
            return Some(format!("Execution is {} and cannot be redriven", status.name()));
        }
        if now - execution.stopped_at.unwrap_or(now) > REDRIVABLE_MS {
            return Some("Execution redrivable period exceeded".into());
        }
        if now - execution.started_at > LONGEST_LIFE_MS {
            return Some("Execution has exceeded the max execution time".into());
        }
        if !has_room_to_redrive(execution.events, &self.settings.limits) {
            return Some("Execution history event limit exceeded".into());
        }
        let machine = self.cached_machine(&execution.machine).await;
        let deleting = match machine {
            Ok(machine) => machine.status == MachineStatus::Deleting,
            Err(error) => matches!(error, Error::StateMachineDoesNotExist(_)),
        };
        deleting.then(|| "State machine is in DELETING status".into())
    }
}
