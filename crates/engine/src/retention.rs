//! Housekeeping: what ended long ago goes, and its name is free again.
//!
//! It goes in small steps, each of which waits for the store as a turn does, and between two of them is a pause as long as
//! the step: so the sweep takes at most half of the store's time, and less where turns are waiting.

use std::time::Duration;

use tokio::time::Instant;

use crate::{Engine, Result};

/// What an installation keeps of executions that are over.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Retention {
    /// How long after its end an execution is kept. AWS: 90 days.
    pub age: Option<Duration>,
    /// How large the store may be before the executions that ended first go, however young they are.
    pub bytes: Option<u64>,
}

/// However full the store is, what ended within this time stays: somebody may be about to ask for it, a parent for one.
const SPARED: Duration = Duration::from_secs(300);

/// Rows that one step deletes: some milliseconds of the store's time.
const STEP: usize = 200;

/// The same where the store is only a little too large, so that not much more goes than must.
const SMALL_STEP: usize = 10;

/// A little: this part of what it may be.
const LITTLE: u64 = 50;

/// How often it is looked whether something is to go.
const PAUSE: Duration = Duration::from_secs(20);

/// Before every execution.
const NEVER: i64 = i64::MIN;

impl Engine {
    /// Sweeps again and again, until the engine stops.
    pub(crate) async fn keep_house(&self) {
        while !self.is_stopping() {
            match self.sweep().await {
                Ok(0) => {}
                Ok(rows) => tracing::debug!(rows, "what has ended long ago is gone"),
                Err(error) => tracing::warn!(%error, "what has ended long ago cannot be deleted; trying again"),
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = self.stop.notified() => {}
            }
        }
    }

    /// Deletes all that is to go now; how many rows that were.
    async fn sweep(&self) -> Result<usize> {
        let Retention { age, bytes } = self.settings.retention;
        let mut rows = 0;
        if let Some(age) = age {
            rows += self.delete_ended(self.ago(age)).await?;
        }
        if let Some(most) = bytes {
            // Their logs give room only when they are gone too, so each step is brought to its end before the next look.
            while !self.is_stopping() {
                let excess = self.store.bytes().await?.saturating_sub(most);
                if excess == 0 {
                    break;
                }
                let limit = if excess < most / LITTLE { SMALL_STEP } else { STEP };
                let step = self.step(self.ago(SPARED), limit).await? + self.delete_ended(NEVER).await?;
                if step == 0 {
                    tracing::warn!(most, excess, "the store is larger than it should be, and all of it is needed");
                    break;
                }
                rows += step;
            }
        }
        Ok(rows)
    }

    async fn delete_ended(&self, before: i64) -> Result<usize> {
        let mut rows = 0;
        while !self.is_stopping() {
            match self.step(before, STEP).await? {
                0 => break,
                step => rows += step,
            }
        }
        Ok(rows)
    }

    async fn step(&self, before: i64, limit: usize) -> Result<usize> {
        let begun = Instant::now();
        let rows = self.store.delete_ended(before, limit).await?;
        if rows > 0 {
            self.slots.forget_ended(before);
            tokio::time::sleep(begun.elapsed()).await;
        }
        Ok(rows)
    }

    fn ago(&self, age: Duration) -> i64 {
        self.clock.now().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX))
    }
}
