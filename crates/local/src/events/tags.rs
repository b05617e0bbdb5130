//! Tags of rules and event buses. They say nothing to the laptop; whoever deploys with a tool reads them back.

use rusqlite::OptionalExtension;
use serde_json::{Map, Value, json};

use super::error::not_found;
use crate::caller::Caller;
use crate::error::Answer;
use crate::params::{document, list, text, texts};
use crate::store::Tx;

/// The tags that a request brings, as a document of names and values.
pub fn tags_of_request(params: &Value) -> Value {
    let pairs =
        list(params, "Tags").iter().filter_map(|tag| Some((text(tag, "Key")?.to_owned(), tag["Value"].clone())));
    Value::Object(pairs.collect())
}

fn table_of(arn: &str) -> &'static str {
    if arn.contains(":event-bus/") { "event_buses" } else { "event_rules" }
}

fn tags_of(tx: &Tx<'_>, params: &Value) -> Answer<(String, Map<String, Value>)> {
    let arn = text(params, "ResourceARN").unwrap_or_default();
    let found = tx
        .db
        .prepare_cached(&format!("SELECT tags FROM {} WHERE arn = ?1", table_of(arn)))?
        .query_row([arn], |row| row.get::<_, String>(0))
        .optional()?;
    let found = found.ok_or_else(|| not_found(format!("{arn} does not exist.")))?;
    Ok((arn.to_owned(), document(&found)))
}

fn keep(tx: &Tx<'_>, arn: &str, tags: Map<String, Value>) -> Answer {
    let update = format!("UPDATE {} SET tags = ?2 WHERE arn = ?1", table_of(arn));
    tx.db.execute(&update, [arn, &Value::Object(tags).to_string()])?;
    Ok(json!({}))
}

pub fn show(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let (_, tags) = tags_of(tx, params)?;
    let tags: Vec<Value> = tags.into_iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    Ok(json!({ "Tags": tags }))
}

pub fn tag(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let (arn, mut tags) = tags_of(tx, params)?;
    if let Value::Object(more) = tags_of_request(params) {
        tags.extend(more);
    }
    keep(tx, &arn, tags)
}

pub fn untag(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let (arn, mut tags) = tags_of(tx, params)?;
    for name in texts(params, "TagKeys") {
        tags.remove(name);
    }
    keep(tx, &arn, tags)
}
