//! Items, definitions and secrets.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::writer::Tables;
use crate::{Changed, Hash, Item, ItemChange, ItemKind, Page, Result};

/// The row of `meta` that counts revisions.
const REVISION: &str = "revision";

const SELECT: &str = "
SELECT i.name, i.created_at, i.revision, d.hash, i.body
FROM items i LEFT JOIN definitions d ON d.id = i.definition";

fn item(row: &Row<'_>, kind: ItemKind, scope: &str) -> rusqlite::Result<(Item, u64)> {
    let item = Item {
        kind,
        scope: scope.to_owned(),
        name: row.get(0)?,
        created_at: row.get(1)?,
        body: row.get(4)?,
        definition: row.get(3)?,
    };
    Ok((item, row.get::<_, i64>(2)?.cast_unsigned()))
}

pub fn one(connection: &Connection, kind: ItemKind, scope: &str, name: &str) -> Result<Option<(Item, u64)>> {
    let sql = format!("{SELECT} WHERE i.kind = ?1 AND i.scope = ?2 AND i.name = ?3");
    Ok(connection
        .prepare_cached(&sql)?
        .query_row((kind.code(), scope, name), |row| item(row, kind, scope))
        .optional()?)
}

pub fn by_name(
    connection: &Connection,
    kind: ItemKind,
    scope: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page<(Item, u64)>> {
    let sql = format!(
        "{SELECT} WHERE i.kind = ?1 AND i.scope = ?2 {} ORDER BY i.name LIMIT ?4",
        // An empty name is a name too, so the first page asks for no name at all.
        match after {
            Some(_) => "AND i.name > ?3",
            None => "AND ?3 IS NULL",
        }
    );
    let mut select = connection.prepare_cached(&sql)?;
    let rows = select.query_map((kind.code(), scope, after, one_more(limit)), |row| item(row, kind, scope))?;
    Ok(Page::of(rows.collect::<rusqlite::Result<_>>()?, limit))
}

pub fn newest(
    connection: &Connection,
    kind: ItemKind,
    scope: &str,
    after: Option<(i64, &str)>,
    limit: usize,
) -> Result<Page<(Item, u64)>> {
    let sql = format!(
        "{SELECT} WHERE i.kind = ?1 AND i.scope = ?2 {}
         ORDER BY i.created_at DESC, i.name DESC LIMIT ?5",
        match after {
            Some(_) => "AND (i.created_at, i.name) < (?3, ?4)",
            None => "AND ?3 IS NULL AND ?4 IS NULL",
        }
    );
    let (time, name) = after.unzip();
    let mut select = connection.prepare_cached(&sql)?;
    let rows =
        select.query_map(params![kind.code(), scope, time, name, one_more(limit)], |row| item(row, kind, scope))?;
    Ok(Page::of(rows.collect::<rusqlite::Result<_>>()?, limit))
}

fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

pub fn definition(connection: &Connection, hash: &Hash) -> Result<Option<String>> {
    let text = connection
        .prepare_cached("SELECT text FROM definitions WHERE hash = ?1")?
        .query_row([hash], |row| row.get(0))
        .optional()?;
    Ok(text.flatten())
}

pub fn secret(connection: &Connection, name: &str) -> Result<Option<Vec<u8>>> {
    Ok(connection
        .prepare_cached("SELECT value FROM secrets WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?)
}

impl Tables {
    pub fn put_definition(&mut self, hash: &Hash, text: &str) -> Result<()> {
        let id = self.numbers.definition(&self.connection, hash)?;
        self.connection
            .prepare_cached("UPDATE definitions SET text = ?2 WHERE id = ?1 AND text IS NULL")?
            .execute((id, text))?;
        Ok(())
    }

    /// Make all changes or none. A conflict is undone by a savepoint, because other work shares the transaction.
    pub fn change_items(&mut self, changes: &[ItemChange], definitions: &[(Hash, String)]) -> Result<Changed> {
        self.connection.execute_batch("SAVEPOINT items")?;
        let mut revisions = Vec::with_capacity(changes.len());
        for (index, change) in changes.iter().enumerate() {
            let (kind, scope, name, expect) = match change {
                ItemChange::Put { item, expect } => (item.kind, &item.scope, &item.name, *expect),
                ItemChange::Delete { kind, scope, name, expect } => (*kind, scope, name, *expect),
            };
            let existing = one(&self.connection, kind, scope, name)?;
            let revision = existing.as_ref().map(|(_, revision)| *revision);
            if !expect.holds(revision) {
                self.connection.execute_batch("ROLLBACK TO items; RELEASE items")?;
                // What was given a number meanwhile has lost it.
                self.numbers.clear();
                return Ok(Changed::Conflict { index, existing });
            }
            revisions.push(match change {
                ItemChange::Put { item, .. } => self.put(item)?,
                ItemChange::Delete { .. } => {
                    self.connection
                        .prepare_cached("DELETE FROM items WHERE kind = ?1 AND scope = ?2 AND name = ?3")?
                        .execute((kind.code(), scope, name))?;
                    revision.unwrap_or_default()
                }
            });
        }
        for (hash, text) in definitions {
            self.put_definition(hash, text)?;
        }
        self.connection.execute_batch("RELEASE items")?;
        Ok(Changed::Done(revisions))
    }

    fn put(&mut self, item: &Item) -> Result<u64> {
        let definition = match &item.definition {
            Some(hash) => Some(self.numbers.definition(&self.connection, hash)?),
            None => None,
        };
        let revision: i64 = self
            .connection
            .prepare_cached(
                "INSERT INTO meta (name, value) VALUES (?1, 1)
                 ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            )?
            .query_row([REVISION], |row| row.get(0))?;
        self.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO items (kind, scope, name, created_at, revision, definition, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                item.kind.code(),
                item.scope,
                item.name,
                item.created_at,
                revision,
                definition,
                item.body,
            ])?;
        Ok(revision.cast_unsigned())
    }

    pub fn secret(&mut self, name: &str, make: &[u8]) -> Result<Vec<u8>> {
        if let Some(kept) = secret(&self.connection, name)? {
            return Ok(kept);
        }
        self.connection.prepare_cached("INSERT INTO secrets (name, value) VALUES (?1, ?2)")?.execute((name, make))?;
        Ok(make.to_vec())
    }
}
