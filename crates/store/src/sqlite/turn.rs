//! One turn as statements. Whatever may refuse it is asked before anything is written, or undone by hand, so that a
//! refused turn costs its neighbours nothing and no savepoint is needed.

use rusqlite::{OptionalExtension, params};

use super::key;
use super::sound::checksum;
use super::writer::Tables;
use crate::{ActivityTask, Commit, ExecutionKey, Fence, Listing, ListingChange, OpenChange, Outcome, Result};

/// About what a turn's rows weigh without the chunk.
const ROW_BYTES: usize = 256;

pub fn bytes(turns: &[(Fence, Commit)]) -> usize {
    turns.iter().map(|(_, commit)| commit.chunk.size() + ROW_BYTES).sum()
}

impl Tables {
    pub fn acquire(&mut self, shard: u16, node: &str) -> Result<Fence> {
        let epoch: i64 = self
            .connection
            .prepare_cached(
                "INSERT INTO shards (shard, owner, epoch, last_number) VALUES (?1, ?2, 1, 0)
                 ON CONFLICT (shard) DO UPDATE SET owner = excluded.owner, epoch = epoch + 1
                 RETURNING epoch",
            )?
            .query_row((shard, node), |row| row.get(0))?;
        let epoch = epoch.cast_unsigned();
        self.epochs.insert(shard, epoch);
        Ok(Fence { shard, epoch })
    }

    pub fn turn(&mut self, fence: Fence, commit: &Commit) -> Result<Outcome> {
        let id = key::id(commit.key)?;
        if fence.shard != commit.key.shard || self.epochs.get(&fence.shard) != Some(&fence.epoch) {
            return Ok(Outcome::Fenced);
        }
        let started = match &commit.listing {
            Some(ListingChange::Redrive { .. }) if !self.is_listed(id)? => return Ok(Outcome::Gone),
            Some(ListingChange::Start(listing)) => {
                if !self.start(id, listing)? {
                    return self.why_not_started(id, commit.seq, listing);
                }
                true
            }
            _ => false,
        };
        if !self.append(id, commit)? {
            if started {
                // A log without a listing has this number: take back what was just inserted.
                self.connection.prepare_cached("DELETE FROM executions WHERE id = ?1")?.execute([id])?;
            }
            return Ok(Outcome::SeqTaken);
        }
        match &commit.listing {
            None | Some(ListingChange::Start(_)) => {}
            Some(ListingChange::End { status, stopped_at }) => {
                self.connection
                    .prepare_cached("UPDATE executions SET status = ?2, stopped_at = ?3 WHERE id = ?1")?
                    .execute((id, status.code(), stopped_at))?;
            }
            Some(ListingChange::Redrive { status, stopped_at, redrive_count, redriven_at }) => {
                self.connection
                    .prepare_cached(
                        "UPDATE executions SET status = ?2, stopped_at = ?3,
                         redrive_count = ?4, redriven_at = ?5 WHERE id = ?1",
                    )?
                    .execute((id, status.code(), stopped_at, redrive_count, redriven_at))?;
            }
        }
        self.open(id, commit.key, commit.open)?;
        for task in &commit.add_tasks {
            self.add_task(task)?;
        }
        for task in &commit.remove_tasks {
            self.connection
                .prepare_cached("DELETE FROM activity_tasks WHERE execution = ?1 AND task = ?2")?
                .execute((key::id(task.key)?, task.task.cast_signed()))?;
        }
        for seq in &commit.consumed_inbox {
            self.connection
                .prepare_cached("DELETE FROM inbox WHERE shard = ?1 AND seq = ?2")?
                .execute((commit.key.shard, seq.cast_signed()))?;
        }
        Ok(Outcome::Committed)
    }

    fn is_listed(&self, id: i64) -> Result<bool> {
        let mut select = self.connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM executions WHERE id = ?1)")?;
        Ok(select.query_row([id], |row| row.get(0))?)
    }

    /// Insert the listing, unless its name or its key is taken.
    fn start(&mut self, id: i64, listing: &Listing) -> Result<bool> {
        let connection = &self.connection;
        let machine = self.numbers.arn(connection, &listing.machine)?;
        let definition = self.numbers.definition(connection, &listing.definition)?;
        let mut optional =
            |arn: &Option<String>| arn.as_deref().map(|arn| self.numbers.arn(connection, arn)).transpose();
        let version = optional(&listing.version)?;
        let alias = optional(&listing.alias)?;
        let map_run = optional(&listing.map_run)?;
        let inserted = connection
            .prepare_cached(
                "INSERT OR IGNORE INTO executions (id, machine, name, status, started_at, stopped_at,
                 definition, version, alias, map_run, redrive_count, redriven_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                id,
                machine,
                listing.name,
                listing.status.code(),
                listing.started_at,
                listing.stopped_at,
                definition,
                version,
                alias,
                map_run,
                listing.redrive_count,
                listing.redriven_at,
            ])?;
        Ok(inserted == 1)
    }

    fn why_not_started(&mut self, id: i64, seq: u32, listing: &Listing) -> Result<Outcome> {
        let is_known = self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM executions WHERE id = ?1)
                     OR EXISTS (SELECT 1 FROM log WHERE execution = ?1 AND seq = ?2)",
            )?
            .query_row((id, seq), |row| row.get(0))?;
        if is_known {
            return Ok(Outcome::SeqTaken);
        }
        let machine = self.numbers.arn(&self.connection, &listing.machine)?;
        let holder = self
            .connection
            .prepare_cached("SELECT id FROM executions WHERE machine = ?1 AND name = ?2")?
            .query_row((machine, &listing.name), |row| row.get(0))?;
        Ok(Outcome::NameTaken(key::key(holder)))
    }

    /// Append the chunk, unless its number is taken.
    fn append(&mut self, id: i64, commit: &Commit) -> Result<bool> {
        let chunk = &commit.chunk;
        let appended = self
            .connection
            .prepare_cached(
                "INSERT OR IGNORE INTO log (execution, seq, first_event, events, records, payloads, checksum)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                id,
                commit.seq,
                chunk.first_event.cast_signed(),
                chunk.events,
                chunk.records,
                chunk.payloads,
                checksum(id, commit.seq, chunk),
            ])?;
        Ok(appended == 1)
    }

    fn open(&mut self, id: i64, key: ExecutionKey, change: OpenChange) -> Result<()> {
        match change {
            OpenChange::Keep => {}
            OpenChange::Delete | OpenChange::Set { next_due: None, hot: false } => {
                self.connection.prepare_cached("DELETE FROM open WHERE execution = ?1")?.execute([id])?;
            }
            OpenChange::Set { next_due, hot } => {
                self.connection
                    .prepare_cached(
                        "INSERT INTO open (execution, shard, next_due, hot) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (execution) DO UPDATE
                         SET next_due = excluded.next_due, hot = excluded.hot",
                    )?
                    .execute((id, key.shard, next_due, hot))?;
            }
        }
        Ok(())
    }

    fn add_task(&mut self, task: &ActivityTask) -> Result<()> {
        let activity = self.numbers.arn(&self.connection, &task.activity)?;
        let seq = self.next_seq();
        self.connection
            .prepare_cached(
                "INSERT OR IGNORE INTO activity_tasks (activity, seq, execution, task, scheduled_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((activity, seq, key::id(task.key)?, task.task.cast_signed(), task.scheduled_at))?;
        Ok(())
    }

    pub fn deliver(&mut self, shard: u16, input: &[u8], execution: ExecutionKey) -> Result<()> {
        let seq = self.next_seq();
        self.connection
            .prepare_cached("INSERT INTO inbox (shard, seq, execution, input) VALUES (?1, ?2, ?3, ?4)")?
            .execute((shard, seq, key::id(execution)?, input))?;
        Ok(())
    }

    pub fn claim_activity(&mut self, activity: &str, now: i64, until: i64) -> Result<Option<ActivityTask>> {
        // Claimed tasks go with the turn that hands them out, so there are few to pass over.
        let free: Option<(i64, i64, i64, i64, i64)> = self
            .connection
            .prepare_cached(
                "SELECT activity, seq, execution, task, scheduled_at FROM activity_tasks
                 WHERE activity = (SELECT id FROM arns WHERE text = ?1)
                   AND (claimed_until IS NULL OR claimed_until <= ?2)
                 ORDER BY seq LIMIT 1",
            )?
            .query_row((activity, now), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .optional()?;
        let Some((number, seq, execution, task, scheduled_at)) = free else {
            return Ok(None);
        };
        self.connection
            .prepare_cached("UPDATE activity_tasks SET claimed_until = ?3 WHERE activity = ?1 AND seq = ?2")?
            .execute((number, seq, until))?;
        Ok(Some(ActivityTask {
            activity: activity.to_owned(),
            key: key::key(execution),
            task: task.cast_unsigned(),
            scheduled_at,
        }))
    }
}
