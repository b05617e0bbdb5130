//! A small real DynamoDB: tables, items with their expressions, queries, secondary indexes, batches and transactions, in
//! one SQLite file. Every call is one transaction, so every read is consistent. It has no streams, no PartiQL, no legacy
//! parameters, no replicas and no limits on throughput. Why it is not a library: `docs/decisions/`. Start reading in
//! `item.rs`.

mod batch;
mod condition;
mod constraints;
mod error;
mod item;
mod lexer;
mod number;
mod path;
mod query;
mod table;
#[cfg(test)]
mod tests;
mod update;
mod value;

use serde_json::Value;

use crate::caller::Caller;
use crate::error::Answer;
use crate::store::{Store, Tx};

/// The service; clones share the database.
#[derive(Clone)]
pub struct DynamoDb {
    store: Store,
}

impl DynamoDb {
    /// DynamoDB over an open database.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Answer one call.
    pub async fn call(&self, operation: &str, params: Value, caller: &Caller) -> Answer {
        let Some(act) = operation_of(operation) else { return Err(error::not_here(operation)) };
        constraints::check(operation, &params)?;
        let caller = caller.clone();
        self.store.call(move |tx| act(tx, &params, &caller)).await
    }

    /// Delete what is past its time.
    pub async fn sweep(&self) -> Answer<()> {
        self.store.call(|tx| item::sweep(tx)).await
    }
}

type Act = fn(&mut Tx<'_>, &Value, &Caller) -> Answer;

fn operation_of(name: &str) -> Option<Act> {
    Some(match name {
        "CreateTable" => table::create,
        "DescribeTable" => table::describe,
        "UpdateTable" => table::update,
        "DeleteTable" => table::delete,
        "ListTables" => table::list_tables,
        "UpdateTimeToLive" => table::update_time_to_live,
        "DescribeTimeToLive" => table::describe_time_to_live,
        "ListTagsOfResource" => table::list_tags,
        "TagResource" => table::tag,
        "UntagResource" => table::untag,
        "GetItem" => item::get,
        "PutItem" => item::put,
        "UpdateItem" => item::update,
        "DeleteItem" => item::delete,
        "Query" => query::query,
        "Scan" => query::scan,
        "BatchGetItem" => batch::get,
        "BatchWriteItem" => batch::write,
        "TransactGetItems" => batch::transact_get,
        "TransactWriteItems" => batch::transact_write,
        _ => return None,
    })
}
