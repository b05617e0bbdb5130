//! Reading logs: whole, by their ends, by number, and by the numbers of the events that they hold.

use rusqlite::{Connection, Params, Row};

use super::sound::sound;
use crate::{Chunk, EventRange, Result, StoredChunk};

/// The chunks of an execution, unless it is gone and only its chunks are still to go.
const COLUMNS: &str = "SELECT seq, first_event, events, records, payloads, checksum FROM log
 WHERE execution = ?1 AND NOT EXISTS (SELECT 1 FROM deleted WHERE execution = ?1)";

/// A row as a chunk, if it is what was written.
fn stored(id: i64, row: &Row<'_>) -> Result<StoredChunk> {
    let seq = row.get(0)?;
    let chunk = Chunk {
        first_event: row.get::<_, i64>(1)?.cast_unsigned(),
        events: row.get(2)?,
        records: row.get(3)?,
        payloads: row.get(4)?,
    };
    sound(id, seq, &chunk, row.get(5)?)?;
    Ok(StoredChunk { seq, chunk })
}

fn one(connection: &Connection, sql: &str, id: i64, params: impl Params) -> Result<Option<StoredChunk>> {
    let mut select = connection.prepare_cached(sql)?;
    let mut rows = select.query(params)?;
    rows.next()?.map(|row| stored(id, row)).transpose()
}

/// At most `limit` chunks from a number on.
pub fn from_seq(connection: &Connection, id: i64, from_seq: u32, limit: usize) -> Result<Vec<StoredChunk>> {
    let sql = format!("{COLUMNS} AND seq >= ?2 ORDER BY seq LIMIT ?3");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query((id, from_seq, limit))?;
    let mut chunks = Vec::new();
    while let Some(row) = rows.next()? {
        chunks.push(stored(id, row)?);
    }
    Ok(chunks)
}

pub fn ends(connection: &Connection, id: i64) -> Result<Vec<StoredChunk>> {
    let mut chunks = Vec::with_capacity(2);
    for order in ["ASC", "DESC"] {
        let sql = format!("{COLUMNS} ORDER BY seq {order} LIMIT 1");
        chunks.extend(one(connection, &sql, id, [id])?);
    }
    chunks.dedup_by_key(|chunk| chunk.seq);
    Ok(chunks)
}

pub fn by_seqs(connection: &Connection, id: i64, seqs: &[u32]) -> Result<Vec<StoredChunk>> {
    let sql = format!("{COLUMNS} AND seq = ?2");
    let mut chunks = Vec::with_capacity(seqs.len());
    for seq in seqs {
        chunks.extend(one(connection, &sql, id, (id, seq))?);
    }
    Ok(chunks)
}

pub fn by_events(connection: &Connection, id: i64, range: &EventRange) -> Result<Vec<StoredChunk>> {
    // One snapshot for the search and the reading.
    let transaction = connection.unchecked_transaction()?;
    let Some(from) = search(connection, id, range)? else {
        return Ok(Vec::new());
    };
    let sql = if range.newest_first {
        format!("{COLUMNS} AND seq <= ?2 ORDER BY seq DESC")
    } else {
        format!("{COLUMNS} AND seq >= ?2 ORDER BY seq")
    };
    let mut chunks = Vec::new();
    let mut bytes = 0;
    let mut select = connection.prepare_cached(&sql)?;
    let mut rows = select.query((id, from))?;
    while let Some(row) = rows.next()? {
        let first_event = row.get::<_, i64>(1)?.cast_unsigned();
        let events: u32 = row.get(2)?;
        let is_past = if range.newest_first {
            first_event.saturating_add(u64::from(events)) <= range.first
        } else {
            first_event > range.last
        };
        if is_past {
            break;
        }
        let stored = stored(id, row)?;
        if range.touches(&stored.chunk) {
            bytes += stored.chunk.size();
            chunks.push(stored);
            if bytes >= range.max_bytes {
                break;
            }
        }
    }
    drop(rows);
    drop(select);
    transaction.finish()?;
    Ok(chunks)
}

/// A number from which on (in the range's direction) all wanted chunks lie, by halving: event numbers grow with it.
fn search(connection: &Connection, id: i64, range: &EventRange) -> Result<Option<u32>> {
    let bounds: (Option<u32>, Option<u32>) = connection
        .prepare_cached(
            "SELECT (SELECT min(seq) FROM log WHERE execution = ?1),
                    (SELECT max(seq) FROM log WHERE execution = ?1)",
        )?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(mut low), Some(mut high)) = bounds else {
        return Ok(None);
    };
    // The last chunk that begins at or before the event that is wanted first; several may begin there, and all but the
    // last of them hold no event.
    let wanted = if range.newest_first { range.last } else { range.first };
    let mut select = connection
        .prepare_cached("SELECT seq, first_event FROM log WHERE execution = ?1 AND seq >= ?2 ORDER BY seq LIMIT 1")?;
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        let (seq, first_event): (u32, i64) = select.query_row((id, middle), |row| Ok((row.get(0)?, row.get(1)?)))?;
        if first_event.cast_unsigned() <= wanted {
            low = seq;
        } else {
            high = middle - 1;
        }
    }
    Ok(Some(low))
}
