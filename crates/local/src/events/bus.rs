//! Event buses. Each account and region has one called `default` that nobody has to make.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use super::error::{no_bus, validation};
use super::tags::tags_of_request;
use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::params::{document, text};
use crate::store::{Millis, Tx};

pub const DEFAULT: &str = "default";

/// A bus as it is stored.
pub struct Bus {
    pub arn: String,
    pub name: String,
    description: Map<String, Value>,
    created_at: Option<Millis>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Bus> {
    Ok(Bus {
        arn: row.get(0)?,
        name: row.get(1)?,
        description: document(&row.get::<_, String>(2)?),
        created_at: Some(row.get(3)?),
    })
}

impl Bus {
    fn default_of(caller: &Caller) -> Self {
        Self { arn: arn(caller, DEFAULT), name: DEFAULT.to_owned(), description: Map::new(), created_at: None }
    }

    fn shown(&self) -> Value {
        let mut shown = json!({ "Name": self.name, "Arn": self.arn });
        if let Some(at) = self.created_at {
            shown["CreationTime"] = json!(at / 1000);
            shown["LastModifiedTime"] = json!(at / 1000);
        }
        if let Some(text) = self.description.get("Description") {
            shown["Description"] = text.clone();
        }
        shown
    }
}

fn arn(caller: &Caller, name: &str) -> String {
    format!("arn:aws:events:{}:{}:event-bus/{name}", caller.region, caller.account)
}

/// The name of the bus that a request means, by name, by ARN or not at all.
pub fn name_of(given: Option<&str>) -> &str {
    let given = given.filter(|given| !given.is_empty()).unwrap_or(DEFAULT);
    given.rsplit_once(":event-bus/").map_or(given, |(_, name)| name)
}

/// The bus that a request means.
pub fn of_request(tx: &Tx<'_>, given: Option<&str>, caller: &Caller) -> Answer<Bus> {
    let name = name_of(given);
    find(tx, name, caller)?.ok_or_else(|| no_bus(name))
}

fn find(tx: &Tx<'_>, name: &str, caller: &Caller) -> Answer<Option<Bus>> {
    if name == DEFAULT {
        return Ok(Some(Bus::default_of(caller)));
    }
    Ok(tx
        .db
        .prepare_cached("SELECT arn, name, document, created_at FROM event_buses WHERE arn = ?1")?
        .query_row([arn(caller, name)], read)
        .optional()?)
}

pub fn create(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let name = text(params, "Name").unwrap_or_default();
    let good = (1..=256).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.-_".contains(&byte));
    if !good || name == DEFAULT {
        return Err(validation(format!("Event bus name {name} is not valid.")));
    }
    if find(tx, name, caller)?.is_some() {
        return Err(ServiceError::sender(
            "ResourceAlreadyExistsException",
            400,
            format!("Event bus {name} already exists."),
        ));
    }
    let description = text(params, "Description");
    let kept = json!({ "Description": description });
    tx.db.execute(
        "INSERT INTO event_buses (arn, account, region, name, document, tags, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            arn(caller, name),
            caller.account,
            caller.region,
            name,
            kept.to_string(),
            tags_of_request(params).to_string(),
            tx.now
        ],
    )?;
    Ok(json!({ "EventBusArn": arn(caller, name), "Description": description }))
}

pub fn delete(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let name = name_of(text(params, "Name"));
    if name == DEFAULT {
        return Err(validation("Cannot delete event bus default."));
    }
    let rules: i64 = tx.db.query_row(
        "SELECT count(*) FROM event_rules WHERE account = ?1 AND region = ?2 AND bus = ?3",
        [&caller.account, &caller.region, name],
        |row| row.get(0),
    )?;
    if rules > 0 {
        return Err(validation("EventBus can't be deleted since it has rules."));
    }
    tx.db.execute("DELETE FROM event_buses WHERE arn = ?1", [arn(caller, name)])?;
    Ok(json!({}))
}

pub fn describe(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    Ok(of_request(tx, text(params, "Name"), caller)?.shown())
}

pub fn list(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let prefix = text(params, "NamePrefix").unwrap_or_default();
    let made: Vec<Bus> = tx
        .db
        .prepare_cached(
            "SELECT arn, name, document, created_at FROM event_buses WHERE account = ?1 AND region = ?2 ORDER BY name",
        )?
        .query_map([&caller.account, &caller.region], read)?
        .collect::<Result<_, _>>()?;
    let all = std::iter::once(Bus::default_of(caller)).chain(made).filter(|bus| bus.name.starts_with(prefix));
    Ok(json!({ "EventBuses": all.map(|bus| bus.shown()).collect::<Vec<_>>() }))
}
