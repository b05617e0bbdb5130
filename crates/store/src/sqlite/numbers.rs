//! The small numbers that stand for ARNs and definitions in the tables, so that a start writes a few bytes for them.
//!
//! Only the writer gives numbers, and it remembers those it gave lately. A number is never given twice, even after its row
//! is gone. Each transaction that names a definition leaves its mark here, which is how the sweep of unused definitions
//! knows what was taken into use while it was looking (see `sweep.rs`).

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension};

use crate::{Hash, Result};

/// How many ARNs and definitions are remembered: more than one server's busy state machines, and small in memory.
const REMEMBERED: usize = 4096;

#[derive(Default)]
pub struct Numbers {
    arns: HashMap<String, i64>,
    definitions: HashMap<Hash, i64>,
    /// The definitions named since a sweep began, while there is one.
    named: Option<HashSet<i64>>,
}

impl Numbers {
    /// Forget what is remembered, because a transaction was rolled back or rows are gone.
    pub fn clear(&mut self) {
        self.arns.clear();
        self.definitions.clear();
    }

    /// From now on, note which definitions are named.
    pub fn begin_sweep(&mut self) {
        self.named = Some(HashSet::new());
    }

    /// Which definitions were named since `begin_sweep`, or perhaps named by what was rolled back.
    pub fn named_since(&self) -> HashSet<i64> {
        self.named.clone().unwrap_or_default()
    }

    pub fn end_sweep(&mut self) {
        self.named = None;
    }

    pub fn arn(&mut self, connection: &Connection, arn: &str) -> Result<i64> {
        if let Some(id) = self.arns.get(arn) {
            return Ok(*id);
        }
        let found = connection
            .prepare_cached("SELECT id FROM arns WHERE text = ?1")?
            .query_row([arn], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                connection.prepare_cached("INSERT INTO arns (text) VALUES (?1)")?.execute([arn])?;
                connection.last_insert_rowid()
            }
        };
        if self.arns.len() >= REMEMBERED {
            self.arns.clear();
        }
        self.arns.insert(arn.to_owned(), id);
        Ok(id)
    }

    pub fn definition(&mut self, connection: &Connection, hash: &Hash) -> Result<i64> {
        let id = match self.definitions.get(hash) {
            Some(id) => *id,
            None => self.find_definition(connection, hash)?,
        };
        if let Some(named) = &mut self.named {
            named.insert(id);
        }
        Ok(id)
    }

    fn find_definition(&mut self, connection: &Connection, hash: &Hash) -> Result<i64> {
        let found = connection
            .prepare_cached("SELECT id FROM definitions WHERE hash = ?1")?
            .query_row([hash], |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => {
                connection.prepare_cached("INSERT INTO definitions (hash) VALUES (?1)")?.execute([hash])?;
                connection.last_insert_rowid()
            }
        };
        if self.definitions.len() >= REMEMBERED {
            self.definitions.clear();
        }
        self.definitions.insert(*hash, id);
        Ok(id)
    }
}
