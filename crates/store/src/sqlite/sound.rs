//! Whether what is read is what was written. SQLite knows the shape of its pages, not what they hold: so each chunk of a log
//! carries a checksum of itself and of its place, which every read looks at, and [`whole`] looks at everything.

use crc32fast::Hasher;
use rusqlite::Connection;

use crate::{Chunk, Error, Result};

/// What is told at most: one broken page is often seen from many sides.
const TOLD: usize = 5;

/// The checksum of a chunk, bound to its place: a chunk that turns up in another execution's log is damage too.
pub fn checksum(execution: i64, seq: u32, chunk: &Chunk) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&execution.to_le_bytes());
    hasher.update(&seq.to_le_bytes());
    hasher.update(&chunk.first_event.to_le_bytes());
    hasher.update(&chunk.events.to_le_bytes());
    hasher.update(&(chunk.records.len() as u64).to_le_bytes());
    hasher.update(&chunk.records);
    hasher.update(&chunk.payloads);
    hasher.finalize()
}

/// A chunk as it was read, if it is what was written. Chunks of the first format have no checksum.
pub fn sound(execution: i64, seq: u32, chunk: &Chunk, written: Option<u32>) -> Result<()> {
    match written {
        Some(written) if written != checksum(execution, seq, chunk) => Err(Error::Corrupt(format!(
            "chunk {seq} of execution {} is not what was written",
            super::key::key(execution)
        ))),
        _ => Ok(()),
    }
}

/// Looks at every page, every index and every chunk. Takes about three seconds of CPU for a gigabyte of
/// small executions.
pub fn whole(connection: &Connection) -> Result<()> {
    let mut select = connection.prepare("PRAGMA integrity_check")?;
    let found = select.query_map([], |row| row.get::<_, String>(0))?;
    let mut found = found.take(TOLD).collect::<rusqlite::Result<Vec<_>>>()?;
    if found == ["ok"] {
        found.clear();
        chunks(connection, &mut found)?;
    }
    if found.is_empty() { Ok(()) } else { Err(Error::Corrupt(found.join("; "))) }
}

fn chunks(connection: &Connection, found: &mut Vec<String>) -> Result<()> {
    let mut select =
        connection.prepare("SELECT execution, seq, first_event, events, records, payloads, checksum FROM log")?;
    let mut rows = select.query([])?;
    while found.len() < TOLD
        && let Some(row) = rows.next()?
    {
        let chunk = Chunk {
            first_event: row.get::<_, i64>(2)?.cast_unsigned(),
            events: row.get(3)?,
            records: row.get(4)?,
            payloads: row.get(5)?,
        };
        match sound(row.get(0)?, row.get(1)?, &chunk, row.get(6)?) {
            Err(Error::Corrupt(damage)) => found.push(damage),
            other => other?,
        }
    }
    Ok(())
}
