//! Single items: reading, putting, updating and deleting them, each write with its condition. What transactions and
//! batches do to an item is done here, too.

use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value, json};

use super::condition::{self, Condition};
use super::error::{bad_value, condition_failed, invalid, not_here};
use super::lexer::{Path, Scope};
use super::path::{parse_projection, project};
use super::table::{self, Place, Table};
use super::update::{self, Update};
use super::value::{Item, checked_item, item_size, parts, text_of};
use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::params::{document, text};
use crate::store::Tx;

/// AWS's bound on the bytes of an item.
const SIZE_LIMIT: usize = 400 * 1024;

/// Parameters of the time before expressions.
const LEGACY: &[&str] = &[
    "AttributesToGet",
    "AttributeUpdates",
    "ConditionalOperator",
    "Expected",
    "KeyConditions",
    "QueryFilter",
    "ScanFilter",
];

/// Refuse what is not here, rather than leave it unheard.
pub fn check_legacy(params: &Value) -> Answer<()> {
    match LEGACY.iter().find(|name| params.get(**name).is_some()) {
        Some(name) => Err(not_here(&format!("the legacy parameter {name}; expressions do the same"))),
        None => Ok(()),
    }
}

/// The item that lies somewhere.
pub fn load(tx: &Tx<'_>, table: &Table, place: &Place) -> Answer<Option<Item>> {
    let found: Option<String> = tx
        .db
        .prepare_cached("SELECT item FROM dynamodb_items WHERE owner = ?1 AND hash = ?2 AND range = ?3")?
        .query_row(params![table.id, place.hash, place.range], |row| row.get(0))
        .optional()?;
    Ok(found.map(|text| document(&text)))
}

/// Put an item where it lies, and into the indexes.
fn store(tx: &Tx<'_>, table: &Table, place: &Place, item: &Item) -> Answer<()> {
    if item_size(item) > SIZE_LIMIT {
        return Err(invalid("Item size has exceeded the maximum allowed size"));
    }
    tx.db
        .prepare_cached(
            "INSERT INTO dynamodb_items (owner, hash, range, item, expires) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (owner, hash, range) DO UPDATE SET item = excluded.item, expires = excluded.expires",
        )?
        .execute(params![
            table.id,
            place.hash,
            place.range,
            Value::Object(item.clone()).to_string(),
            expires(table, item)
        ])?;
    tx.db
        .prepare_cached("DELETE FROM dynamodb_index_items WHERE owner = ?1 AND item_hash = ?2 AND item_range = ?3")?
        .execute(params![table.id, place.hash, place.range])?;
    for schema in table.indexes() {
        let Some(there) = table.place_in(&schema, item)? else { continue };
        tx.db
            .prepare_cached(
                "INSERT INTO dynamodb_index_items (owner, name, hash, range, item_hash, item_range)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![table.id, schema.index, there.hash, there.range, place.hash, place.range])?;
    }
    Ok(())
}

/// When an item's time is over, in seconds since 1970.
fn expires(table: &Table, item: &Item) -> Option<i64> {
    let said = table.said.get("TimeToLive").filter(|said| said["Enabled"] == true)?;
    let value = item.get(text(said, "AttributeName")?).filter(|value| parts(value).0 == "N")?;
    text_of(value).split('.').next()?.parse().ok()
}

fn discard(tx: &Tx<'_>, table: &Table, place: &Place) -> Answer<()> {
    tx.db
        .prepare_cached("DELETE FROM dynamodb_items WHERE owner = ?1 AND hash = ?2 AND range = ?3")?
        .execute(params![table.id, place.hash, place.range])?;
    Ok(())
}

/// Write every item of a table again, for indexes or a time to live that are new.
pub fn index_again(tx: &Tx<'_>, table: &Table) -> Answer<()> {
    tx.db.execute("DELETE FROM dynamodb_index_items WHERE owner = ?1", [table.id])?;
    let items: Vec<String> = tx
        .db
        .prepare("SELECT item FROM dynamodb_items WHERE owner = ?1")?
        .query_map([table.id], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for item in items.iter().map(|item| document(item)) {
        store(tx, table, &table.place(&item)?, &item)?;
    }
    Ok(())
}

/// Delete what has expired. AWS does it within days; here it is a minute.
pub fn sweep(tx: &Tx<'_>) -> Answer<()> {
    tx.db.execute("DELETE FROM dynamodb_items WHERE expires < ?1", [tx.now / 1000])?;
    tx.db.execute("DELETE FROM dynamodb_tokens WHERE expires_at < ?1", [tx.now])?;
    Ok(())
}

/// A write that has been read and checked, but not done.
pub struct Write {
    pub table: Table,
    pub place: Place,
    pub condition: Option<Condition>,
    pub change: Change,
    /// Whether a caller whose condition fails gets to see the item.
    pub show_on_failure: bool,
}

pub enum Change {
    Put(Item),
    Update(Item, Update),
    Delete,
    /// Only the condition counts.
    Nothing,
}

/// What a write found and left.
pub struct Written {
    pub before: Option<Item>,
    pub after: Option<Item>,
}

impl Write {
    pub fn put(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer<Self> {
        let table = table::of_request(tx, params, caller)?;
        let item = checked_item(params.get("Item"))?;
        if let Some(name) = item.keys().find(|name| name.is_empty()) {
            return Err(invalid(format!(
                "One or more parameter values are not valid. Attribute name is empty: {name}"
            )));
        }
        let place = table.place(&item)?;
        Self::read(params, table, place, |_| Ok(Change::Put(item)))
    }

    pub fn update(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer<Self> {
        let table = table::of_request(tx, params, caller)?;
        let key = checked_item(params.get("Key"))?;
        let place = table.place_of_key(&key)?;
        let schema = table.schema();
        Self::read(params, table, place, |scope| {
            let update = match text(params, "UpdateExpression") {
                Some(expression) => update::parse(expression, scope)?,
                None => Update::default(),
            };
            update.check_keys(&schema.names())?;
            Ok(Change::Update(key, update))
        })
    }

    pub fn delete(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer<Self> {
        Self::by_key(tx, params, caller, Change::Delete)
    }

    /// A condition alone.
    pub fn check(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer<Self> {
        Self::by_key(tx, params, caller, Change::Nothing)
    }

    fn by_key(tx: &Tx<'_>, params: &Value, caller: &Caller, change: Change) -> Answer<Self> {
        let table = table::of_request(tx, params, caller)?;
        let place = table.place_of_key(&checked_item(params.get("Key"))?)?;
        Self::read(params, table, place, |_| Ok(change))
    }

    fn read(params: &Value, table: Table, place: Place, change: impl FnOnce(&Scope) -> Answer<Change>) -> Answer<Self> {
        check_legacy(params)?;
        let scope = Scope::of_request(params)?;
        let change = change(&scope)?;
        let condition = text(params, "ConditionExpression")
            .map(|expression| condition::parse("ConditionExpression", expression, &scope))
            .transpose()?;
        scope.all_used()?;
        let show_on_failure = text(params, "ReturnValuesOnConditionCheckFailure") == Some("ALL_OLD");
        Ok(Self { table, place, condition, change, show_on_failure })
    }

    /// Do it, if its condition holds.
    pub fn carry_out(&self, tx: &Tx<'_>) -> Answer<Written> {
        let before = load(tx, &self.table, &self.place)?;
        let nothing = Item::new();
        if self.condition.as_ref().is_some_and(|condition| !condition.holds(before.as_ref().unwrap_or(&nothing))) {
            let failed = condition_failed();
            return Err(match before.filter(|_| self.show_on_failure) {
                Some(item) => failed.with("Item", item),
                None => failed,
            });
        }
        let after = match &self.change {
            Change::Put(item) => Some(item.clone()),
            Change::Update(key, update) => Some(update.apply(before.as_ref().unwrap_or(key))?),
            Change::Delete => None,
            Change::Nothing => before.clone(),
        };
        match (&self.change, &after) {
            (Change::Nothing, _) => {}
            (_, Some(item)) => store(tx, &self.table, &self.place, item)?,
            (_, None) => discard(tx, &self.table, &self.place)?,
        }
        Ok(Written { before, after })
    }
}

/// What a read or write would have cost, where the caller asks.
pub fn capacity(params: &Value, table: &Table, bytes: usize, unit: usize, each: f64) -> Value {
    match text(params, "ReturnConsumedCapacity") {
        // The bound on an item keeps the number small.
        #[allow(clippy::cast_precision_loss)]
        Some("TOTAL" | "INDEXES") => {
            json!({ "TableName": table.name, "CapacityUnits": bytes.div_ceil(unit).max(1) as f64 * each })
        }
        _ => Value::Null,
    }
}

pub const READ_UNIT: usize = 4096;
pub const WRITE_UNIT: usize = 1024;

/// Half a unit for a read that may be late.
pub fn read_price(params: &Value) -> f64 {
    if params.get("ConsistentRead") == Some(&Value::Bool(true)) { 1.0 } else { 0.5 }
}

/// The paths of a request's ProjectionExpression.
pub fn projection(params: &Value, scope: &Scope) -> Answer<Option<Vec<Path>>> {
    text(params, "ProjectionExpression").map(|expression| parse_projection(expression, scope)).transpose()
}

pub fn get(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    check_legacy(params)?;
    let table = table::of_request(tx, params, caller)?;
    let place = table.place_of_key(&checked_item(params.get("Key"))?)?;
    let scope = Scope::of_request(params)?;
    let projection = projection(params, &scope)?;
    scope.all_used()?;
    let found = load(tx, &table, &place)?;
    let bytes = found.as_ref().map_or(0, item_size);
    let shown = found.map(|item| match &projection {
        Some(paths) => project(&item, paths),
        None => item,
    });
    Ok(answer([
        ("Item", shown.map(Value::Object)),
        ("ConsumedCapacity", Some(capacity(params, &table, bytes, READ_UNIT, read_price(params)))),
    ]))
}

/// The members of an answer that are there.
pub fn answer<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.filter(|(_, value)| !value.is_null()).collect())
}

/// What a caller may ask to see, of the item before or after.
fn check_return_values(params: &Value, allowed: &[&str]) -> Answer<()> {
    match text(params, "ReturnValues") {
        Some(asked) if !allowed.contains(&asked) => Err(invalid("Return values set to invalid value")),
        _ => Ok(()),
    }
}

pub fn put(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    check_return_values(params, &["NONE", "ALL_OLD"])?;
    finish(params, &Write::put(tx, params, caller)?, tx)
}

pub fn delete(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    check_return_values(params, &["NONE", "ALL_OLD"])?;
    finish(params, &Write::delete(tx, params, caller)?, tx)
}

pub fn update(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    check_return_values(params, &["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"])?;
    finish(params, &Write::update(tx, params, caller)?, tx)
}

fn finish(params: &Value, write: &Write, tx: &Tx<'_>) -> Answer {
    let written = write.carry_out(tx)?;
    let size = |item: &Option<Item>| item.as_ref().map_or(0, item_size);
    let bytes = size(&written.before).max(size(&written.after));
    let touched = match &write.change {
        Change::Update(_, update) => update.paths(),
        _ => Vec::new(),
    };
    let attributes = match text(params, "ReturnValues") {
        Some("ALL_OLD") => written.before,
        Some("ALL_NEW") => written.after,
        Some("UPDATED_OLD") => written.before.map(|item| project(&item, &touched)).filter(|item| !item.is_empty()),
        Some("UPDATED_NEW") => written.after.map(|item| project(&item, &touched)).filter(|item| !item.is_empty()),
        _ => None,
    };
    Ok(answer([
        ("Attributes", attributes.map(Value::Object)),
        ("ConsumedCapacity", Some(capacity(params, &write.table, bytes, WRITE_UNIT, 1.0))),
    ]))
}

/// A key as a document, for LastEvaluatedKey and the like.
pub fn key_of(item: &Item, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone()))).collect()
}

/// A batch or transaction names the same item twice.
pub fn twice(what: &str) -> ServiceError {
    match what {
        "transaction" => invalid("Transaction request cannot include multiple operations on one item"),
        _ => invalid("Provided list of item keys contains duplicates"),
    }
}

/// A value of a key condition that is not of the key's type.
pub fn wrong_key_type() -> ServiceError {
    bad_value("Condition parameter type does not match schema type")
}
