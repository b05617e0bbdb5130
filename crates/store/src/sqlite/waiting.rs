//! What waits to be taken up: executions that are due or hot, news in the inbox, activity tasks.

use rusqlite::{Connection, OptionalExtension};

use super::key;
use crate::{ActivityTask, ExecutionKey, Fence, Inbox, Result};

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub fn due(connection: &Connection, fence: &Fence, until: i64, limit: usize) -> Result<Vec<(ExecutionKey, i64)>> {
    let mut select = connection.prepare_cached(
        "SELECT execution, next_due FROM open WHERE shard = ?1 AND next_due <= ?2
         ORDER BY next_due, execution LIMIT ?3",
    )?;
    let rows = select.query_map((fence.shard, until, count(limit)), |row| Ok((key::key(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn next_due(connection: &Connection, fence: &Fence) -> Result<Option<i64>> {
    let next = connection
        .prepare_cached("SELECT min(next_due) FROM open WHERE shard = ?1 AND next_due IS NOT NULL")?
        .query_row([fence.shard], |row| row.get(0))?;
    Ok(next)
}

pub fn hot(
    connection: &Connection,
    fence: &Fence,
    after: Option<ExecutionKey>,
    limit: usize,
) -> Result<Vec<ExecutionKey>> {
    let (first, last) = key::range(fence.shard);
    let from = match after {
        Some(after) => key::id(after)?.saturating_add(1).max(first),
        None => first,
    };
    let mut select = connection.prepare_cached(
        "SELECT execution FROM open WHERE hot = 1 AND execution BETWEEN ?1 AND ?2
         ORDER BY execution LIMIT ?3",
    )?;
    let rows = select.query_map((from, last, count(limit)), |row| Ok(key::key(row.get(0)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn last_number(connection: &Connection, fence: &Fence) -> Result<u64> {
    let (first, last) = key::range(fence.shard);
    let highest: Option<i64> = connection
        .prepare_cached("SELECT max(execution) FROM log WHERE execution BETWEEN ?1 AND ?2")?
        .query_row((first, last), |row| row.get(0))?;
    let deleted: Option<i64> = connection
        .prepare_cached("SELECT last_number FROM shards WHERE shard = ?1")?
        .query_row([fence.shard], |row| row.get(0))
        .optional()?;
    let highest = highest.map_or(0, |id| key::key(id).number);
    Ok(highest.max(deleted.unwrap_or_default().cast_unsigned()))
}

pub fn inbox(connection: &Connection, fence: &Fence, limit: usize) -> Result<Vec<Inbox>> {
    let mut select =
        connection.prepare_cached("SELECT seq, execution, input FROM inbox WHERE shard = ?1 ORDER BY seq LIMIT ?2")?;
    let rows = select.query_map((fence.shard, count(limit)), |row| {
        Ok(Inbox { seq: row.get::<_, i64>(0)?.cast_unsigned(), execution: key::key(row.get(1)?), input: row.get(2)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn activity_tasks(
    connection: &Connection,
    activity: &str,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<(u64, ActivityTask)>> {
    let after = after.map_or(Ok(-1), i64::try_from).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(
        "SELECT seq, execution, task, scheduled_at FROM activity_tasks
         WHERE activity = (SELECT id FROM arns WHERE text = ?1) AND seq > ?2
         ORDER BY seq LIMIT ?3",
    )?;
    let rows = select.query_map((activity, after, count(limit)), |row| {
        let task = ActivityTask {
            activity: activity.to_owned(),
            key: key::key(row.get(1)?),
            task: row.get::<_, i64>(2)?.cast_unsigned(),
            scheduled_at: row.get(3)?,
        };
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), task))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Steps from activity to activity, so that the number of tasks does not matter.
pub fn activities(connection: &Connection) -> Result<Vec<String>> {
    let mut next = connection.prepare_cached(
        "SELECT activity, (SELECT text FROM arns WHERE id = activity) FROM activity_tasks
         WHERE activity > ?1 ORDER BY activity LIMIT 1",
    )?;
    let mut activities = Vec::new();
    let mut last: i64 = -1;
    while let Some((number, activity)) = next.query_row([last], |row| Ok((row.get(0)?, row.get(1)?))).optional()? {
        last = number;
        activities.push(activity);
    }
    activities.sort_unstable();
    Ok(activities)
}
