//! Query and Scan: items in the order of their keys, page by page. The key condition becomes a range of key bytes, so that
//! the database reads only what is asked for; filters come after that, as at AWS.

use rusqlite::types::Value as Sql;
use serde_json::{Value, json};

use super::condition::{self, Comparison, Condition, Operand};
use super::error::{bad_value, invalid};
use super::item::{self, READ_UNIT, answer, capacity, key_of, read_price};
use super::lexer::{Path, Scope, Step};
use super::path::project;
use super::table::{self, Schema, Table};
use super::value::{Item, checked_item, item_size, key_bytes, order, parts};
use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::params::{document, number, text};
use crate::store::Tx;

/// AWS's bound on the bytes of a page, before filters.
const PAGE_BYTES: usize = 1024 * 1024;
/// How many rows are read at once.
const ROWS: usize = 256;

/// Which keys are asked for.
#[derive(Debug, Default)]
struct Range {
    hash: Option<Vec<u8>>,
    low: Option<(Vec<u8>, bool)>,
    /// Exclusive, unless it is said otherwise; a prefix has no last key.
    high: Option<(Vec<u8>, bool)>,
}

/// What is done with the items of the range.
struct Reading<'a> {
    params: &'a Value,
    table: Table,
    schema: Schema,
    range: Range,
    filter: Option<Condition>,
    projection: Option<Vec<Path>>,
    forward: bool,
    segment: Option<(u64, u64)>,
}

pub fn query(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    item::check_legacy(params)?;
    let table = table::of_request(tx, params, caller)?;
    let schema = table.schema_named(text(params, "IndexName"))?;
    let scope = Scope::of_request(params)?;
    let Some(expression) = text(params, "KeyConditionExpression") else {
        return Err(invalid(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        ));
    };
    let keys = condition::parse("KeyConditionExpression", expression, &scope)?;
    let range = range_of(&table, &schema, keys)?;
    let forward = params.get("ScanIndexForward") != Some(&Value::Bool(false));
    read(
        tx,
        params,
        &scope,
        Reading { params, table, schema, range, filter: None, projection: None, forward, segment: None },
    )
}

pub fn scan(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    item::check_legacy(params)?;
    let table = table::of_request(tx, params, caller)?;
    let schema = table.schema_named(text(params, "IndexName"))?;
    let scope = Scope::of_request(params)?;
    let part = |name: &str| number(params, name).and_then(|number| u64::try_from(number).ok());
    let segment = match (part("Segment"), part("TotalSegments")) {
        (None, None) => None,
        (Some(segment), Some(total)) if segment < total => Some((segment, total)),
        _ => {
            return Err(invalid(
                "The Segment parameter is required and zero-based, and must be less than parameter TotalSegments",
            ));
        }
    };
    let range = Range::default();
    read(
        tx,
        params,
        &scope,
        Reading { params, table, schema, range, filter: None, projection: None, forward: true, segment },
    )
}

fn read(tx: &Tx<'_>, params: &Value, scope: &Scope, mut reading: Reading<'_>) -> Answer {
    if reading.schema.global && params.get("ConsistentRead") == Some(&Value::Bool(true)) {
        return Err(invalid("Consistent reads are not supported on global secondary indexes"));
    }
    reading.filter = text(params, "FilterExpression")
        .map(|expression| condition::parse("FilterExpression", expression, scope))
        .transpose()?;
    reading.projection = item::projection(params, scope)?;
    scope.all_used()?;
    let count_only = text(params, "Select") == Some("COUNT");
    if count_only && reading.projection.is_some() {
        return Err(invalid("Cannot specify the ProjectionExpression when choosing to get only the Count"));
    }
    let found = reading.run(tx)?;
    let bytes = found.bytes;
    Ok(answer([
        ("Count", Some(json!(found.items.len()))),
        ("ScannedCount", Some(json!(found.scanned))),
        ("Items", (!count_only).then(|| Value::from(found.items))),
        ("LastEvaluatedKey", found.last.map(Value::Object)),
        ("ConsumedCapacity", Some(capacity(params, &reading.table, bytes, READ_UNIT, read_price(params)))),
    ]))
}

struct Found {
    items: Vec<Value>,
    scanned: usize,
    bytes: usize,
    last: Option<Item>,
}

impl Reading<'_> {
    fn run(&self, tx: &Tx<'_>) -> Answer<Found> {
        let limit = match number(self.params, "Limit") {
            Some(limit) if limit < 1 => return Err(invalid("Limit must be greater than or equal to 1")),
            Some(limit) => usize::try_from(limit).unwrap_or(usize::MAX),
            None => usize::MAX,
        };
        let own = self.table.schema();
        let names: Vec<&str> = {
            let mut names = own.names();
            names.extend(self.schema.names().into_iter().filter(|name| !own.names().contains(name)));
            names
        };
        let mut after = match self.params.get("ExclusiveStartKey") {
            None => None,
            Some(key) => Some(self.position(&checked_item(Some(key))?, &names)?),
        };
        let mut found = Found { items: Vec::new(), scanned: 0, bytes: 0, last: None };
        loop {
            let rows = self.rows(tx, after.as_ref())?;
            let exhausted = rows.len() < ROWS;
            for (position, item) in rows {
                after = Some(position);
                if self.segment.is_some_and(|(segment, total)| hash_of(&item, &own) % total != segment) {
                    continue;
                }
                found.scanned += 1;
                found.bytes += item_size(&item);
                let full = found.scanned == limit || found.bytes >= PAGE_BYTES;
                let last = full.then(|| key_of(&item, &names));
                if self.filter.as_ref().is_none_or(|filter| filter.holds(&item)) {
                    found.items.push(Value::Object(self.shown(item)));
                }
                if full {
                    found.last = last;
                    return Ok(found);
                }
            }
            if exhausted {
                return Ok(found);
            }
        }
    }

    fn shown(&self, item: Item) -> Item {
        let item = match &self.schema.shown {
            Some(names) => item.into_iter().filter(|(name, _)| names.contains(name)).collect(),
            None => item,
        };
        match &self.projection {
            Some(paths) => project(&item, paths),
            None => item,
        }
    }

    /// Where a page begins: the key bytes that the database orders by.
    fn position(&self, key: &Item, names: &[&str]) -> Answer<Vec<Vec<u8>>> {
        let wrong = || invalid("The provided starting key is invalid");
        if key.len() != names.len() || !names.iter().all(|name| key.contains_key(*name)) {
            return Err(wrong());
        }
        let own = self.table.place(key).map_err(|_| wrong())?;
        if self.schema.index.is_none() {
            return Ok(vec![own.hash, own.range]);
        }
        let there = self.table.place_in(&self.schema, key).ok().flatten().ok_or_else(wrong)?;
        Ok(vec![there.hash, there.range, own.hash, own.range])
    }

    fn rows(&self, tx: &Tx<'_>, after: Option<&Vec<Vec<u8>>>) -> Answer<Vec<(Vec<Vec<u8>>, Item)>> {
        let (from, columns) = match &self.schema.index {
            None => ("dynamodb_items AS i WHERE i.owner = ?", vec!["i.hash", "i.range"]),
            Some(_) => (
                "dynamodb_index_items AS x JOIN dynamodb_items AS i
                 ON i.owner = x.owner AND i.hash = x.item_hash AND i.range = x.item_range
                 WHERE x.owner = ? AND x.name = ?",
                vec!["x.hash", "x.range", "x.item_hash", "x.item_range"],
            ),
        };
        let mut given: Vec<Sql> = vec![self.table.id.into()];
        given.extend(self.schema.index.iter().map(|name| Sql::from(name.clone())));
        let mut wanted = String::new();
        let mut and = |what: String, value: &[u8]| {
            wanted.push_str(&format!(" AND {what}"));
            given.push(value.to_vec().into());
        };
        let [hash, range] = [columns[0], columns[1]];
        if let Some(key) = &self.range.hash {
            and(format!("{hash} = ?"), key);
        }
        if let Some((key, inclusive)) = &self.range.low {
            and(format!("{range} {} ?", if *inclusive { ">=" } else { ">" }), key);
        }
        if let Some((key, inclusive)) = &self.range.high {
            and(format!("{range} {} ?", if *inclusive { "<=" } else { "<" }), key);
        }
        if let Some(after) = after {
            let marks = vec!["?"; columns.len()].join(", ");
            wanted.push_str(&format!(
                " AND ({}) {} ({marks})",
                columns.join(", "),
                if self.forward { ">" } else { "<" }
            ));
            given.extend(after.iter().map(|key| Sql::from(key.clone())));
        }
        let direction = if self.forward { "ASC" } else { "DESC" };
        let sorted: Vec<String> = columns.iter().map(|column| format!("{column} {direction}")).collect();
        let statement = format!(
            "SELECT i.item, {} FROM {from}{wanted} ORDER BY {} LIMIT {ROWS}",
            columns.join(", "),
            sorted.join(", ")
        );
        let rows = tx
            .db
            .prepare_cached(&statement)?
            .query_map(rusqlite::params_from_iter(given), |row| {
                let position = (1..=columns.len()).map(|at| row.get(at)).collect::<Result<_, _>>()?;
                Ok((position, document(&row.get::<_, String>(0)?)))
            })?
            .collect::<Result<_, _>>()?;
        Ok(rows)
    }
}

/// A number that spreads items over the segments of a parallel scan (FNV-1a).
fn hash_of(item: &Item, own: &Schema) -> u64 {
    let key = item.get(&own.hash).map(key_bytes).unwrap_or_default();
    key.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// What a key condition asks for.
fn range_of(table: &Table, schema: &Schema, keys: Condition) -> Answer<Range> {
    let mut range = Range::default();
    let mut waiting = vec![keys];
    let mut seen: Vec<String> = Vec::new();
    while let Some(condition) = waiting.pop() {
        let (name, bounds) = match condition {
            Condition::And(one, other) => {
                waiting.extend([*other, *one]);
                continue;
            }
            Condition::Compare(Operand::Path(path), comparison, Operand::Value(value)) => {
                let name = name_of(&path)?;
                (name.clone(), (comparison, value, None))
            }
            Condition::Between(Operand::Path(path), Operand::Value(low), Operand::Value(high)) => {
                let name = name_of(&path)?;
                if order(&low, &high).is_some_and(std::cmp::Ordering::is_gt) {
                    return Err(wrong(
                        "The BETWEEN operator requires upper bound to be greater than or equal to lower bound",
                    ));
                }
                (name.clone(), (Comparison::GreaterOrEqual, low, Some(high)))
            }
            Condition::BeginsWith(Operand::Path(path), Operand::Value(prefix)) => {
                let name = name_of(&path)?;
                check(table, schema, &name, &prefix, &mut seen)?;
                if Some(&name) != schema.range.as_ref() || parts(&prefix).0 == "N" {
                    return Err(unsupported());
                }
                let key = key_bytes(&prefix);
                range.high = successor(&key).map(|next| (next, false));
                range.low = Some((key, true));
                continue;
            }
            Condition::Or(..) => return Err(wrong("Invalid operator used in KeyConditionExpression: OR")),
            Condition::Not(..) => return Err(wrong("Invalid operator used in KeyConditionExpression: NOT")),
            _ => return Err(wrong("Invalid operator or function used in KeyConditionExpression")),
        };
        let (comparison, value, high) = bounds;
        check(table, schema, &name, &value, &mut seen)?;
        let key = key_bytes(&value);
        if name == schema.hash {
            if comparison != Comparison::Equal || high.is_some() {
                return Err(unsupported());
            }
            range.hash = Some(key);
            continue;
        }
        if let Some(high) = high {
            if parts(&high).0 != table.type_of(&name) {
                return Err(item::wrong_key_type());
            }
            range.low = Some((key, true));
            range.high = Some((key_bytes(&high), true));
            continue;
        }
        match comparison {
            Comparison::Equal => {
                range.low = Some((key.clone(), true));
                range.high = Some((key, true));
            }
            Comparison::Less => range.high = Some((key, false)),
            Comparison::LessOrEqual => range.high = Some((key, true)),
            Comparison::Greater => range.low = Some((key, false)),
            Comparison::GreaterOrEqual => range.low = Some((key, true)),
            Comparison::NotEqual => return Err(wrong("Invalid operator used in KeyConditionExpression: <>")),
        }
    }
    if range.hash.is_none() {
        return Err(invalid(format!("Query condition missed key schema element: {}", schema.hash)));
    }
    Ok(range)
}

fn check(table: &Table, schema: &Schema, name: &str, value: &Value, seen: &mut Vec<String>) -> Answer<()> {
    if !schema.names().contains(&name) {
        let missed = schema.names().into_iter().find(|key| !seen.iter().any(|seen| seen == key)).unwrap_or_default();
        return Err(invalid(format!("Query condition missed key schema element: {missed}")));
    }
    if seen.iter().any(|seen| seen == name) {
        return Err(wrong("KeyConditionExpressions must only contain one condition per key"));
    }
    seen.push(name.to_owned());
    if parts(value).0 != table.type_of(name) {
        return Err(item::wrong_key_type());
    }
    if key_bytes(value).is_empty() {
        return Err(bad_value(format!(
            "The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
        )));
    }
    Ok(())
}

fn name_of(path: &[Step]) -> Answer<String> {
    match path {
        [Step::Name(name)] => Ok(name.clone()),
        _ => Err(wrong("KeyConditionExpressions cannot have conditions on nested attributes")),
    }
}

fn wrong(what: &str) -> ServiceError {
    invalid(format!("Invalid KeyConditionExpression: {what}"))
}

fn unsupported() -> ServiceError {
    invalid("Query key condition not supported")
}

/// The first key that does not begin with a prefix.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte < 0xff)?;
    let mut next = prefix[..=last].to_vec();
    next[last] += 1;
    Some(next)
}
