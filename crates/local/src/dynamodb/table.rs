//! Tables: making, describing, changing, listing and deleting them. A table is there at once. Throughput is not limited,
//! and there are no streams, replicas or backups.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use super::error::{bad_value, invalid, no_resource, no_table, not_here};
use super::value::{Item, key_bytes, parts};
use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::params::{document, list, number, text, texts};
use crate::store::{Millis, Tx};

const PAGE_LIMIT: i64 = 100;
/// AWS's bounds on the bytes of a key.
const HASH_LIMIT: usize = 2048;
const RANGE_LIMIT: usize = 1024;

/// A table as it is stored.
pub struct Table {
    pub id: i64,
    pub name: String,
    pub arn: String,
    /// What CreateTable and UpdateTable said.
    pub said: Map<String, Value>,
    created_at: Millis,
}

/// What an item is found by: a table's own key, or that of an index.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The index; none for the table itself.
    pub index: Option<String>,
    pub hash: String,
    pub range: Option<String>,
    /// Attributes that the index shows; none for all.
    pub shown: Option<Vec<String>>,
    /// Only a local index can be read consistently.
    pub global: bool,
}

/// Where an item lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub hash: Vec<u8>,
    pub range: Vec<u8>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Table> {
    let (account, region, name): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    Ok(Table {
        id: row.get(0)?,
        arn: format!("arn:aws:dynamodb:{region}:{account}:table/{name}"),
        name,
        said: document(&row.get::<_, String>(4)?),
        created_at: row.get(5)?,
    })
}

const COLUMNS: &str = "id, account, region, name, document, created_at";

impl Table {
    pub fn schema(&self) -> Schema {
        schema_of(&Value::Object(self.said.clone()), None, false)
    }

    /// All secondary indexes.
    pub fn indexes(&self) -> Vec<Schema> {
        let own = self.schema();
        let said = Value::Object(self.said.clone());
        [("GlobalSecondaryIndexes", true), ("LocalSecondaryIndexes", false)]
            .iter()
            .flat_map(|(member, global)| list(&said, member).iter().map(move |index| (index, *global)))
            .map(|(index, global)| {
                let mut schema = schema_of(index, text(index, "IndexName").map(str::to_owned), global);
                let projection = index.get("Projection").unwrap_or(&Value::Null);
                if text(projection, "ProjectionType").is_some_and(|kind| kind != "ALL") {
                    let keys = own.names().into_iter().chain(schema.names());
                    let more = texts(projection, "NonKeyAttributes");
                    schema.shown = Some(keys.chain(more).map(str::to_owned).collect());
                }
                schema
            })
            .collect()
    }

    /// The table's own key, or that of the index that is named.
    pub fn schema_named(&self, index: Option<&str>) -> Answer<Schema> {
        let Some(name) = index else { return Ok(self.schema()) };
        self.indexes()
            .into_iter()
            .find(|schema| schema.index.as_deref() == Some(name))
            .ok_or_else(|| invalid(format!("The table does not have the specified index: {name}")))
    }

    /// The type that the table says a key attribute has.
    pub fn type_of(&self, attribute: &str) -> &str {
        let definitions =
            self.said.get("AttributeDefinitions").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        definitions
            .iter()
            .find(|definition| text(definition, "AttributeName") == Some(attribute))
            .and_then(|definition| text(definition, "AttributeType"))
            .unwrap_or_default()
    }

    /// Where an item lies, from all of its attributes.
    pub fn place(&self, item: &Item) -> Answer<Place> {
        let schema = self.schema();
        let mut keys = Vec::new();
        for name in schema.names() {
            let value = item.get(name).ok_or_else(|| bad_value(format!("Missing the key {name} in the item")))?;
            keys.push(self.key_of(name, value, keys.is_empty())?);
        }
        Ok(place(keys))
    }

    /// Where an item lies, from its key alone.
    pub fn place_of_key(&self, key: &Item) -> Answer<Place> {
        let schema = self.schema();
        let names = schema.names();
        if key.len() != names.len() || !names.iter().all(|name| key.contains_key(*name)) {
            return Err(invalid("The provided key element does not match the schema"));
        }
        let of = |(at, name): (usize, &&str)| {
            if parts(&key[*name]).0 != self.type_of(name) {
                return Err(invalid("The provided key element does not match the schema"));
            }
            self.key_of(name, &key[*name], at == 0)
        };
        Ok(place(names.iter().enumerate().map(of).collect::<Answer<_>>()?))
    }

    /// Where an item lies in an index; none if it has not all of its keys.
    pub fn place_in(&self, schema: &Schema, item: &Item) -> Answer<Option<Place>> {
        let mut keys = Vec::new();
        for name in schema.names() {
            let Some(value) = item.get(name) else { return Ok(None) };
            let kind = self.type_of(name);
            if parts(value).0 != kind {
                let index = schema.index.as_deref().unwrap_or_default();
                return Err(bad_value(format!(
                    "Type mismatch for Index Key {name} Expected: {kind} Actual: {} IndexName: {index}",
                    parts(value).0
                )));
            }
            keys.push(key_bytes(value));
        }
        Ok(Some(place(keys)))
    }

    fn key_of(&self, name: &str, value: &Value, hash: bool) -> Answer<Vec<u8>> {
        let (kind, expected) = (parts(value).0, self.type_of(name));
        if kind != expected {
            return Err(bad_value(format!("Type mismatch for key {name} expected: {expected} actual: {kind}")));
        }
        let key = key_bytes(value);
        if key.is_empty() {
            let what = if kind == "S" { "string" } else { "binary" };
            return Err(invalid(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty {what} value. Key: {name}"
            )));
        }
        let (limit, which) = if hash { (HASH_LIMIT, "hashkey") } else { (RANGE_LIMIT, "rangekey") };
        if key.len() > limit {
            return Err(bad_value(format!("Size of {which} has exceeded the maximum size limit of{limit} bytes")));
        }
        Ok(key)
    }

    fn shown(&self, tx: &Tx<'_>) -> Answer<Value> {
        let (items, bytes): (i64, i64) = tx.db.query_row(
            "SELECT count(*), coalesce(sum(length(item)), 0) FROM dynamodb_items WHERE owner = ?1",
            [self.id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        let mut shown = self.said.clone();
        shown.shift_remove("TimeToLive");
        for member in ["GlobalSecondaryIndexes", "LocalSecondaryIndexes"] {
            for index in shown.get_mut(member).and_then(Value::as_array_mut).into_iter().flatten() {
                let name = text(index, "IndexName").unwrap_or_default();
                index["IndexArn"] = Value::from(format!("{}/index/{name}", self.arn));
                index["ItemCount"] = json!(items);
                index["IndexSizeBytes"] = json!(bytes);
                if member == "GlobalSecondaryIndexes" {
                    index["IndexStatus"] = Value::from("ACTIVE");
                    index["ProvisionedThroughput"] = throughput(index.get("ProvisionedThroughput"));
                }
            }
        }
        if let Some(mode) = shown.shift_remove("BillingMode") {
            shown.insert("BillingModeSummary".to_owned(), json!({ "BillingMode": mode }));
        }
        let provisioned = throughput(shown.get("ProvisionedThroughput"));
        shown.insert("ProvisionedThroughput".to_owned(), provisioned);
        for (name, value) in [
            ("TableName", json!(self.name)),
            ("TableArn", json!(self.arn)),
            ("TableId", json!(uuid::Uuid::from_u128(u128::try_from(self.id).unwrap_or_default()).to_string())),
            ("TableStatus", json!("ACTIVE")),
            ("CreationDateTime", json!(self.created_at as f64 / 1000.0)),
            ("ItemCount", json!(items)),
            ("TableSizeBytes", json!(bytes)),
        ] {
            shown.insert(name.to_owned(), value);
        }
        Ok(Value::Object(shown))
    }
}

impl Schema {
    pub fn names(&self) -> Vec<&str> {
        std::iter::once(self.hash.as_str()).chain(self.range.as_deref()).collect()
    }
}

fn place(mut keys: Vec<Vec<u8>>) -> Place {
    let range = if keys.len() > 1 { keys.pop().unwrap_or_default() } else { Vec::new() };
    Place { hash: keys.pop().unwrap_or_default(), range }
}

fn throughput(said: Option<&Value>) -> Value {
    let units = |name: &str| said.and_then(|said| number(said, name)).unwrap_or(0);
    json!({
        "NumberOfDecreasesToday": 0,
        "ReadCapacityUnits": units("ReadCapacityUnits"),
        "WriteCapacityUnits": units("WriteCapacityUnits"),
    })
}

fn schema_of(said: &Value, index: Option<String>, global: bool) -> Schema {
    let attribute = |kind: &str| {
        let keys = list(said, "KeySchema").iter();
        let mut keys = keys.filter(|key| text(key, "KeyType") == Some(kind));
        keys.next().and_then(|key| text(key, "AttributeName")).map(str::to_owned)
    };
    Schema { index, hash: attribute("HASH").unwrap_or_default(), range: attribute("RANGE"), shown: None, global }
}

/// The table that a request names, by name or ARN.
pub fn find(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer<Option<Table>> {
    let given = text(params, "TableName").unwrap_or_default();
    let (account, region, name) = match given.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "dynamodb", region, account, table] => (account, region, table.trim_start_matches("table/")),
        _ => (caller.account.as_str(), caller.region.as_str(), given),
    };
    Ok(tx
        .db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM dynamodb_tables WHERE account = ?1 AND region = ?2 AND name = ?3"
        ))?
        .query_row([account, region, name], read)
        .optional()?)
}

/// The table that reading or writing needs.
pub fn of_request(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer<Table> {
    find(tx, params, caller)?.ok_or_else(no_resource)
}

fn described(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer<Table> {
    find(tx, params, caller)?.ok_or_else(|| no_table(text(params, "TableName").unwrap_or_default()))
}

/// What is kept of a request.
const SAID: &[&str] = &[
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "DeletionProtectionEnabled",
];

pub fn create(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let name = text(params, "TableName").unwrap_or_default();
    let good = (3..=255).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !good {
        return Err(invalid(
            "TableName must be at least 3 characters long and at most 255 characters long, of letters, digits, '_', '-' and '.'",
        ));
    }
    if params.get("StreamSpecification").is_some_and(|stream| stream["StreamEnabled"] == true) {
        return Err(not_here("streams"));
    }
    if find(tx, params, caller)?.is_some() {
        return Err(ServiceError::sender("ResourceInUseException", 400, format!("Table already exists: {name}")));
    }
    let said: Map<String, Value> =
        SAID.iter().filter_map(|member| Some(((*member).to_owned(), params.get(*member)?.clone()))).collect();
    tx.db.execute(
        "INSERT INTO dynamodb_tables (account, region, name, document, tags, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            caller.account,
            caller.region,
            name,
            Value::Object(said).to_string(),
            Value::from(list(params, "Tags")).to_string(),
            tx.now
        ],
    )?;
    let table = of_request(tx, params, caller)?;
    check(&table)?;
    Ok(json!({ "TableDescription": table.shown(tx)? }))
}

/// Keys and definitions have to fit.
fn check(table: &Table) -> Answer<()> {
    let own = table.schema();
    if own.hash.is_empty() {
        return Err(invalid("No Hash Key specified in schema.  All Dynamo DB tables must have exactly one hash key"));
    }
    let mut used: Vec<String> = own.names().into_iter().map(str::to_owned).collect();
    for index in table.indexes() {
        used.extend(index.names().into_iter().map(str::to_owned));
        if !index.global && index.hash != own.hash {
            return Err(bad_value(format!(
                "Index KeySchema does not have the same leading hash key as table KeySchema for index: {}. index hash key: {}, table hash key: {}",
                index.index.unwrap_or_default(),
                index.hash,
                own.hash
            )));
        }
    }
    if let Some(name) = used.iter().find(|name| !matches!(table.type_of(name), "S" | "N" | "B")) {
        return Err(bad_value(format!(
            "Some index key attributes are not defined in AttributeDefinitions. Keys: [{name}]"
        )));
    }
    let definitions = table.said.get("AttributeDefinitions").and_then(Value::as_array).map_or(0, Vec::len);
    used.sort_unstable();
    used.dedup();
    if definitions != used.len() {
        return Err(bad_value(
            "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        ));
    }
    Ok(())
}

pub fn describe(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let table = described(tx, params, caller)?;
    Ok(json!({ "Table": table.shown(tx)? }))
}

pub fn update(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let mut table = described(tx, params, caller)?;
    if params.get("StreamSpecification").is_some_and(|stream| stream["StreamEnabled"] == true) {
        return Err(not_here("streams"));
    }
    if params.get("ReplicaUpdates").is_some() {
        return Err(not_here("replicas"));
    }
    for member in ["AttributeDefinitions", "BillingMode", "ProvisionedThroughput", "DeletionProtectionEnabled"] {
        if let Some(value) = params.get(member) {
            table.said.insert(member.to_owned(), value.clone());
        }
    }
    for change in list(params, "GlobalSecondaryIndexUpdates") {
        let indexes = table.said.entry("GlobalSecondaryIndexes").or_insert_with(|| json!([]));
        let Some(indexes) = indexes.as_array_mut() else { continue };
        if let Some(index) = change.get("Create") {
            indexes.push(index.clone());
        } else if let Some(index) = change.get("Delete") {
            indexes.retain(|kept| kept["IndexName"] != index["IndexName"]);
        }
    }
    check(&table)?;
    tx.db.execute(
        "UPDATE dynamodb_tables SET document = ?2 WHERE id = ?1",
        params![table.id, Value::Object(table.said.clone()).to_string()],
    )?;
    if params.get("GlobalSecondaryIndexUpdates").is_some() {
        super::item::index_again(tx, &table)?;
    }
    Ok(json!({ "TableDescription": table.shown(tx)? }))
}

pub fn delete(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let table = described(tx, params, caller)?;
    if table.said.get("DeletionProtectionEnabled") == Some(&Value::Bool(true)) {
        return Err(invalid(format!(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first. Table: {}",
            table.name
        )));
    }
    let mut shown = table.shown(tx)?;
    shown["TableStatus"] = Value::from("DELETING");
    tx.db.execute("DELETE FROM dynamodb_tables WHERE id = ?1", [table.id])?;
    Ok(json!({ "TableDescription": shown }))
}

pub fn list_tables(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let most = number(params, "Limit").unwrap_or(PAGE_LIMIT).clamp(1, PAGE_LIMIT);
    let after = text(params, "ExclusiveStartTableName").unwrap_or_default();
    let mut names: Vec<String> = tx
        .db
        .prepare_cached(
            "SELECT name FROM dynamodb_tables WHERE account = ?1 AND region = ?2 AND name > ?3 ORDER BY name LIMIT ?4",
        )?
        .query_map(params![caller.account, caller.region, after, most + 1], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = names.len() > most;
    names.truncate(most);
    let last = names.last().filter(|_| more).cloned();
    Ok(json!({ "TableNames": names, "LastEvaluatedTableName": last }))
}

pub fn update_time_to_live(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let mut table = described(tx, params, caller)?;
    let said = params.get("TimeToLiveSpecification").cloned().unwrap_or_default();
    table.said.insert("TimeToLive".to_owned(), said.clone());
    tx.db.execute(
        "UPDATE dynamodb_tables SET document = ?2 WHERE id = ?1",
        params![table.id, Value::Object(table.said.clone()).to_string()],
    )?;
    super::item::index_again(tx, &table)?;
    Ok(json!({ "TimeToLiveSpecification": said }))
}

pub fn describe_time_to_live(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let table = described(tx, params, caller)?;
    let said = table.said.get("TimeToLive").cloned().unwrap_or_default();
    let status = if said["Enabled"] == true { "ENABLED" } else { "DISABLED" };
    let attribute = text(&said, "AttributeName").filter(|_| status == "ENABLED");
    Ok(json!({ "TimeToLiveDescription": { "TimeToLiveStatus": status, "AttributeName": attribute } }))
}

fn tags_of(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer<(Table, Vec<Value>)> {
    let named = json!({ "TableName": params.get("ResourceArn") });
    let table = find(tx, &named, caller)?.ok_or_else(no_resource)?;
    let tags: String =
        tx.db.query_row("SELECT tags FROM dynamodb_tables WHERE id = ?1", [table.id], |row| row.get(0))?;
    Ok((table, serde_json::from_str(&tags).unwrap_or_default()))
}

fn keep_tags(tx: &Tx<'_>, table: &Table, tags: Vec<Value>) -> Answer {
    tx.db.execute(
        "UPDATE dynamodb_tables SET tags = ?2 WHERE id = ?1",
        params![table.id, Value::from(tags).to_string()],
    )?;
    Ok(json!({}))
}

pub fn list_tags(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    Ok(json!({ "Tags": tags_of(tx, params, caller)?.1 }))
}

pub fn tag(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let (table, mut tags) = tags_of(tx, params, caller)?;
    for tag in list(params, "Tags") {
        tags.retain(|kept| kept["Key"] != tag["Key"]);
        tags.push(tag.clone());
    }
    keep_tags(tx, &table, tags)
}

pub fn untag(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let (table, mut tags) = tags_of(tx, params, caller)?;
    tags.retain(|kept| !texts(params, "TagKeys").iter().any(|key| kept["Key"] == *key));
    keep_tags(tx, &table, tags)
}
