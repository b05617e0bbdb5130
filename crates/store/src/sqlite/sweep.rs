//! Giving back: executions after their retention, definitions that nothing names, and the file's free pages.
//!
//! Everything happens in small steps between turns. An execution goes from the listing first, in one transaction with a note
//! in `deleted`, so that no reader ever sees half a log; its chunks follow in later steps.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rusqlite::Connection;

use super::key;
use super::open::PAGE_BYTES;
use super::writer::Tables;
use crate::Result;

/// Free pages are kept for new rows up to this part of the file, since a file that shrinks and grows costs twice.
const KEPT_FREE_PART: i64 = 8;

/// How many pages one step gives back.
const PAGES_A_STEP: i64 = 128;

impl Tables {
    /// One step: about `limit` rows.
    pub fn delete_ended(&mut self, before: i64, limit: usize) -> Result<usize> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let chunks = self.delete_chunks(limit)?;
        let executions = if chunks < limit { self.delete_listings(before, limit - chunks)? } else { 0 };
        let done = chunks + executions;
        if done > 0 {
            self.shrink()?;
        }
        Ok(usize::try_from(done).unwrap_or_default())
    }

    /// Delete chunks of executions that are gone.
    fn delete_chunks(&mut self, limit: i64) -> Result<i64> {
        let connection = &self.connection;
        let mut done = 0;
        while done < limit {
            let ids: Vec<i64> = connection
                .prepare_cached("SELECT execution FROM deleted ORDER BY execution LIMIT 64")?
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            if ids.is_empty() {
                break;
            }
            for id in ids {
                let left = limit - done;
                let gone = connection
                    .prepare_cached("DELETE FROM log WHERE id IN (SELECT id FROM log WHERE execution = ?1 LIMIT ?2)")?
                    .execute((id, left))?;
                done += i64::try_from(gone).unwrap_or(i64::MAX);
                if done >= limit {
                    return Ok(done);
                }
                connection.prepare_cached("DELETE FROM deleted WHERE execution = ?1")?.execute([id])?;
            }
        }
        Ok(done)
    }

    /// Take ended executions that owe nothing off the listing.
    fn delete_listings(&mut self, before: i64, limit: i64) -> Result<i64> {
        let connection = &self.connection;
        let mut select = connection.prepare_cached(
            "SELECT id, machine, version, alias, map_run FROM executions
             WHERE stopped_at < ?1 AND NOT EXISTS (SELECT 1 FROM open WHERE execution = executions.id)
             ORDER BY stopped_at LIMIT ?2",
        )?;
        let mut rows = select.query((before, limit))?;
        let mut ids: Vec<i64> = Vec::new();
        let mut arns: BTreeSet<i64> = BTreeSet::new();
        while let Some(row) = rows.next()? {
            ids.push(row.get(0)?);
            for column in 1..=4 {
                arns.extend(row.get::<_, Option<i64>>(column)?);
            }
        }
        drop(rows);
        drop(select);

        let mut highest: BTreeMap<u16, i64> = BTreeMap::new();
        for id in &ids {
            connection.prepare_cached("DELETE FROM executions WHERE id = ?1")?.execute([id])?;
            connection.prepare_cached("INSERT INTO deleted (execution) VALUES (?1)")?.execute([id])?;
            let key = key::key(*id);
            let last = highest.entry(key.shard).or_default();
            *last = key.number.cast_signed().max(*last);
        }
        for (shard, number) in highest {
            connection
                .prepare_cached("UPDATE shards SET last_number = max(last_number, ?2) WHERE shard = ?1")?
                .execute((shard, number))?;
        }
        self.drop_arns(&arns)?;
        Ok(i64::try_from(ids.len()).unwrap_or(i64::MAX))
    }

    /// Drop the ARNs among these that nothing names any more.
    fn drop_arns(&mut self, arns: &BTreeSet<i64>) -> Result<()> {
        let mut dropped = 0;
        for arn in arns {
            dropped += self
                .connection
                .prepare_cached(
                    "DELETE FROM arns WHERE id = ?1
                     AND NOT EXISTS (SELECT 1 FROM executions WHERE machine = ?1)
                     AND NOT EXISTS (SELECT 1 FROM executions WHERE version = ?1)
                     AND NOT EXISTS (SELECT 1 FROM executions WHERE alias = ?1)
                     AND NOT EXISTS (SELECT 1 FROM executions WHERE map_run = ?1)
                     AND NOT EXISTS (SELECT 1 FROM activity_tasks WHERE activity = ?1)",
                )?
                .execute([arn])?;
        }
        if dropped > 0 {
            self.numbers.clear();
        }
        Ok(())
    }

    /// Give a few pages back to the file system when many are free.
    fn shrink(&self) -> Result<()> {
        let pragma = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let free = pragma("freelist_count")?;
        if free <= pragma("page_count")? / KEPT_FREE_PART {
            return Ok(());
        }
        let sql = format!("PRAGMA incremental_vacuum({PAGES_A_STEP})");
        let mut vacuum = self.connection.prepare_cached(&sql)?;
        // Each step of the statement gives one page back.
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
        Ok(())
    }

    /// Drop those of the definitions that were not named since the sweep began.
    pub fn drop_definitions(&mut self, unused: &[i64]) -> Result<usize> {
        let named = self.numbers.named_since();
        let mut dropped = 0;
        for id in unused.iter().filter(|id| !named.contains(id)) {
            dropped += self.connection.prepare_cached("DELETE FROM definitions WHERE id = ?1")?.execute([id])?;
        }
        if dropped > 0 {
            self.numbers.clear();
        }
        Ok(dropped)
    }
}

/// What the file would take up if it were given back all that is free.
pub fn used_bytes(connection: &Connection) -> Result<u64> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = pragma("page_count")? - pragma("freelist_count")?;
    Ok((pages * PAGE_BYTES).max(0).cast_unsigned())
}

/// The definitions that no row names at the moment of reading.
pub fn unused_definitions(connection: &Connection) -> Result<Vec<i64>> {
    let transaction = connection.unchecked_transaction()?;
    let numbers = |sql: &str| -> Result<HashSet<i64>> {
        let mut select = connection.prepare(sql)?;
        let rows = select.query_map([], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    };
    let mut unused = numbers("SELECT id FROM definitions")?;
    for used in [
        "SELECT DISTINCT definition FROM executions",
        "SELECT DISTINCT definition FROM items WHERE definition IS NOT NULL",
    ] {
        for id in numbers(used)? {
            unused.remove(&id);
        }
    }
    transaction.finish()?;
    Ok(unused.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use crate::sqlite::Options;
    use crate::sqlite::sweep::unused_definitions;
    use crate::{Expect, Item, ItemKind, SqliteStore, Store};

    #[tokio::test]
    async fn a_definition_that_is_named_while_the_sweep_looks_stays() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&Options::new(dir.path())).unwrap();
        for byte in [1, 2] {
            store.put_definition([byte; 32], "{}").await.unwrap();
        }
        let began = store.writer.write(0, |tables| {
            tables.numbers.begin_sweep();
            Ok(())
        });
        began.await.unwrap();
        let unused = store.readers.slow(unused_definitions).await.unwrap();
        assert_eq!(unused.len(), 2);
        let item = Item {
            kind: ItemKind::Machine,
            scope: "scope".into(),
            name: "late".into(),
            created_at: 0,
            body: Vec::new(),
            definition: Some([1; 32]),
        };
        store.put_item(item, Expect::Absent, Vec::new()).await.unwrap();
        let dropped = store.writer.write(0, move |tables| tables.drop_definitions(&unused)).await;
        assert_eq!(dropped, Ok(1));
        assert_eq!(store.definition([1; 32]).await, Ok(Some("{}".into())));
        assert_eq!(store.definition([2; 32]).await, Ok(None));
    }
}
