//! Rules: which events of a bus are wanted. A rule's pattern is checked when it is put, with AWS's texts for what is wrong
//! with it. Rules by the clock (`ScheduleExpression`) are not here.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use super::bus::{self, DEFAULT};
use super::error::{bad_pattern, constraint, no_rule, validation};
use super::tags::tags_of_request;
use crate::caller::Caller;
use crate::error::Answer;
use crate::params::{document, number, text};
use crate::pattern::{self, Dialect};
use crate::store::Tx;

/// AWS's bounds.
const NAME_LIMIT: usize = 64;
const PATTERN_LIMIT: usize = 4096;
const PAGE_LIMIT: i64 = 100;

/// A rule as it is stored.
pub struct Rule {
    pub arn: String,
    pub bus: String,
    pub name: String,
    pub pattern: String,
    pub enabled: bool,
    document: Map<String, Value>,
}

const COLUMNS: &str = "arn, bus, name, pattern, enabled, document";

fn read(row: &Row<'_>) -> rusqlite::Result<Rule> {
    Ok(Rule {
        arn: row.get(0)?,
        bus: row.get(1)?,
        name: row.get(2)?,
        pattern: row.get(3)?,
        enabled: row.get(4)?,
        document: document(&row.get::<_, String>(5)?),
    })
}

impl Rule {
    fn shown(&self) -> Map<String, Value> {
        let mut shown = self.document.clone();
        shown.insert("Name".to_owned(), json!(self.name));
        shown.insert("Arn".to_owned(), json!(self.arn));
        shown.insert("EventPattern".to_owned(), json!(self.pattern));
        shown.insert("State".to_owned(), json!(if self.enabled { "ENABLED" } else { "DISABLED" }));
        shown.insert("EventBusName".to_owned(), json!(self.bus));
        shown
    }
}

fn find(tx: &Tx<'_>, name: &str, bus: &str, caller: &Caller) -> Answer<Option<Rule>> {
    Ok(tx
        .db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM event_rules WHERE account = ?1 AND region = ?2 AND bus = ?3 AND name = ?4"
        ))?
        .query_row([&caller.account, &caller.region, bus, name], read)
        .optional()?)
}

/// The rule that a request means by `member`.
pub fn of_request(tx: &Tx<'_>, params: &Value, member: &str, caller: &Caller) -> Answer<Rule> {
    let bus = bus::of_request(tx, text(params, "EventBusName"), caller)?;
    let name = text(params, member).unwrap_or_default();
    find(tx, name, &bus.name, caller)?.ok_or_else(|| no_rule(name, &bus.name))
}

/// The rules of a bus that are enabled.
pub fn of_bus(tx: &Tx<'_>, bus: &str, caller: &Caller) -> Answer<Vec<Rule>> {
    Ok(tx
        .db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM event_rules WHERE account = ?1 AND region = ?2 AND bus = ?3 AND enabled ORDER BY name"
        ))?
        .query_map([&caller.account, &caller.region, bus], read)?
        .collect::<Result<_, _>>()?)
}

pub fn put(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let name = text(params, "Name").unwrap_or_default();
    let good = (1..=NAME_LIMIT).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if !good {
        return Err(constraint(name, "name", "Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+"));
    }
    let bus = bus::of_request(tx, text(params, "EventBusName"), caller)?;
    let given = |name: &str| text(params, name).filter(|text| !text.is_empty());
    let Some(event_pattern) = given("EventPattern") else {
        return Err(validation(match given("ScheduleExpression") {
            Some(_) => "The laptop's EventBridge has no schedules: a rule has an EventPattern.",
            None => "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        }));
    };
    if given("ScheduleExpression").is_some() {
        return Err(validation("The laptop's EventBridge has no schedules: a rule has an EventPattern alone."));
    }
    if event_pattern.len() > PATTERN_LIMIT {
        return Err(bad_pattern("Event pattern is too long"));
    }
    pattern::compile(event_pattern, Dialect::EventBridge).map_err(|reason| bad_pattern(&reason))?;
    let mut kept = Map::new();
    for member in ["Description", "RoleArn"] {
        if let Some(value) = given(member) {
            kept.insert(member.to_owned(), Value::from(value));
        }
    }
    let path = if bus.name == DEFAULT { name.to_owned() } else { format!("{}/{name}", bus.name) };
    let arn = format!("arn:aws:events:{}:{}:rule/{path}", caller.region, caller.account);
    let enabled = text(params, "State").is_none_or(|state| state.starts_with("ENABLED"));
    tx.db.execute(
        "INSERT INTO event_rules (arn, account, region, bus, name, pattern, enabled, document, tags)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (arn) DO UPDATE SET pattern = excluded.pattern, enabled = excluded.enabled, document = excluded.document",
        params![
            arn,
            caller.account,
            caller.region,
            bus.name,
            name,
            event_pattern,
            enabled,
            Value::Object(kept).to_string(),
            tags_of_request(params).to_string()
        ],
    )?;
    Ok(json!({ "RuleArn": arn }))
}

pub fn delete(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let bus = bus::of_request(tx, text(params, "EventBusName"), caller)?;
    // A rule that is not there is deleted.
    let Some(rule) = find(tx, text(params, "Name").unwrap_or_default(), &bus.name, caller)? else {
        return Ok(json!({}));
    };
    let targets: i64 =
        tx.db.query_row("SELECT count(*) FROM event_targets WHERE rule = ?1", [&rule.arn], |row| row.get(0))?;
    if targets > 0 {
        return Err(validation("Rule can't be deleted since it has targets."));
    }
    tx.db.execute("DELETE FROM event_rules WHERE arn = ?1", [rule.arn])?;
    Ok(json!({}))
}

pub fn describe(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let mut shown = of_request(tx, params, "Name", caller)?.shown();
    shown.insert("CreatedBy".to_owned(), json!(caller.account));
    Ok(Value::Object(shown))
}

pub fn list(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let bus = bus::of_request(tx, text(params, "EventBusName"), caller)?;
    let prefix = text(params, "NamePrefix").unwrap_or_default();
    let most = number(params, "Limit").unwrap_or(PAGE_LIMIT).clamp(1, PAGE_LIMIT);
    // The token is the last name of the page before.
    let after = text(params, "NextToken").unwrap_or_default();
    let mut rules: Vec<Rule> = tx
        .db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM event_rules WHERE account = ?1 AND region = ?2 AND bus = ?3
             AND substr(name, 1, length(?4)) = ?4 AND name > ?5 ORDER BY name LIMIT ?6"
        ))?
        .query_map(params![caller.account, caller.region, bus.name, prefix, after, most + 1], read)?
        .collect::<Result<_, _>>()?;
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = rules.len() > most;
    rules.truncate(most);
    let mut answer = json!({ "Rules": rules.iter().map(|rule| Value::Object(rule.shown())).collect::<Vec<_>>() });
    if let Some(last) = rules.last().filter(|_| more) {
        answer["NextToken"] = Value::from(last.name.as_str());
    }
    Ok(answer)
}

pub fn enable(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    set_enabled(tx, params, caller, true)
}

pub fn disable(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    set_enabled(tx, params, caller, false)
}

fn set_enabled(tx: &Tx<'_>, params: &Value, caller: &Caller, enabled: bool) -> Answer {
    let rule = of_request(tx, params, "Name", caller)?;
    tx.db.execute("UPDATE event_rules SET enabled = ?2 WHERE arn = ?1", params![rule.arn, enabled])?;
    Ok(json!({}))
}

pub fn list_by_target(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let bus = bus::of_request(tx, text(params, "EventBusName"), caller)?;
    let names: Vec<String> = tx
        .db
        .prepare_cached(
            "SELECT DISTINCT name FROM event_rules JOIN event_targets ON event_targets.rule = event_rules.arn
             WHERE account = ?1 AND region = ?2 AND bus = ?3 AND event_targets.arn = ?4 ORDER BY name",
        )?
        .query_map(
            [&caller.account, &caller.region, &bus.name, text(params, "TargetArn").unwrap_or_default()],
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    Ok(json!({ "RuleNames": names }))
}
