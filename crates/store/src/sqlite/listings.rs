//! Reading the listing: by key, by name, and in pages by start time.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::key;
use crate::{ListOf, ListQuery, Listing, Page, Position, Result, Status};

/// Left joins keep `executions` the outer table; each finds at most one row by its number.
const SELECT: &str = "
SELECT e.id, m.text, e.name, e.status, e.started_at, e.stopped_at, v.text, a.text, r.text, d.hash,
       e.redrive_count, e.redriven_at
FROM executions e
LEFT JOIN arns m ON m.id = e.machine
LEFT JOIN arns v ON v.id = e.version
LEFT JOIN arns a ON a.id = e.alias
LEFT JOIN arns r ON r.id = e.map_run
LEFT JOIN definitions d ON d.id = e.definition";

fn listing(row: &Row<'_>) -> rusqlite::Result<Listing> {
    let status: u8 = row.get(3)?;
    Ok(Listing {
        key: key::key(row.get(0)?),
        machine: row.get(1)?,
        name: row.get(2)?,
        status: Status::from_code(status).ok_or(rusqlite::Error::IntegralValueOutOfRange(3, status.into()))?,
        started_at: row.get(4)?,
        stopped_at: row.get(5)?,
        version: row.get(6)?,
        alias: row.get(7)?,
        map_run: row.get(8)?,
        definition: row.get(9)?,
        redrive_count: row.get(10)?,
        redriven_at: row.get(11)?,
    })
}

pub fn by_key(connection: &Connection, id: i64) -> Result<Option<Listing>> {
    let sql = format!("{SELECT} WHERE e.id = ?1");
    let mut select = connection.prepare_cached(&sql)?;
    Ok(select.query_row([id], listing).optional()?)
}

pub fn by_name(connection: &Connection, machine: &str, name: &str) -> Result<Option<Listing>> {
    let sql = format!("{SELECT} WHERE e.machine = (SELECT id FROM arns WHERE text = ?1) AND e.name = ?2");
    let mut select = connection.prepare_cached(&sql)?;
    Ok(select.query_row((machine, name), listing).optional()?)
}

pub fn has_running(connection: &Connection, machine: &str) -> Result<bool> {
    let found = connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM executions
             WHERE machine = (SELECT id FROM arns WHERE text = ?1) AND status = ?2)",
        )?
        .query_row((machine, Status::Running.code()), |row| row.get(0))?;
    Ok(found)
}

pub fn page(
    connection: &Connection,
    query: &ListQuery,
    after: Option<Position>,
    limit: usize,
) -> Result<Page<Listing>> {
    // One snapshot for all ranges and rows.
    let transaction = connection.unchecked_transaction()?;
    let mut found = Vec::new();
    for status in Status::ALL {
        if query.status.is_none_or(|wanted| wanted == status) {
            range(connection, query, status, after, limit, &mut found)?;
        }
    }
    found.sort_unstable_by(|one, other| other.cmp(one));
    let found = Page::of(found, limit);
    let mut items = Vec::with_capacity(found.items.len());
    for (_, id) in found.items {
        items.extend(by_key(connection, id)?);
    }
    transaction.finish()?;
    Ok(Page { items, more: found.more })
}

/// The newest of one status, as start time and key: one range of an index that holds both.
fn range(
    connection: &Connection,
    query: &ListQuery,
    status: Status,
    after: Option<Position>,
    limit: usize,
    found: &mut Vec<(i64, i64)>,
) -> Result<()> {
    let (column, arn) = match &query.of {
        ListOf::Machine(arn) => ("machine", arn),
        ListOf::Version(arn) => ("version", arn),
        ListOf::Alias(arn) => ("alias", arn),
        ListOf::MapRun(arn) => ("map_run", arn),
    };
    let redriven = match query.redriven {
        None => "",
        Some(true) => " AND redrive_count > 0",
        Some(false) => " AND redrive_count = 0",
    };
    let (after_time, after_id) = match after {
        Some(after) => (after.started_at, key::id(after.key)?),
        None => (i64::MAX, i64::MAX),
    };
    let sql = format!(
        "SELECT started_at, id FROM executions
         WHERE {column} = (SELECT id FROM arns WHERE text = ?1) AND status = ?2
           AND (started_at, id) < (?3, ?4){redriven}
         ORDER BY started_at DESC, id DESC LIMIT ?5"
    );
    let one_more = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select
        .query_map(params![arn, status.code(), after_time, after_id, one_more], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for row in rows {
        found.push(row?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;
    use crate::SqliteStore;
    use crate::sqlite::Options;

    #[tokio::test]
    async fn a_statement_is_prepared_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&Options::new(dir.path())).unwrap();
        let read = store.readers.quick(|connection| {
            for id in 1..9 {
                assert_eq!(by_key(connection, id)?, None);
            }
            let select = connection.prepare_cached(&format!("{SELECT} WHERE e.id = ?1"))?;
            assert_eq!(select.get_status(StatementStatus::Run), 8, "it is the one that was used");
            Ok(select.get_status(StatementStatus::RePrepare))
        });
        assert_eq!(read.await, Ok(0));
    }
}
