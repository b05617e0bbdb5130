//! Queues: making, finding, listing, describing, emptying and deleting them, and their tags.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use super::attributes::{self, COMPUTED};
use super::error::{error, invalid, invalid_value, missing, no_queue};
use crate::caller::Caller;
use crate::error::Answer;
use crate::params::{document, list, map, number, text, texts};
use crate::store::{Millis, Tx};

/// The longest name of a queue.
const NAME_LIMIT: usize = 80;
/// How many queues one page of a listing has at most.
const PAGE_LIMIT: i64 = 1000;
/// AWS empties a queue at most once a minute.
const PURGE_PAUSE: Millis = 60_000;
/// How many tags a queue may have.
const TAG_LIMIT: usize = 50;

/// A queue as it is stored.
#[derive(Debug, Clone)]
pub struct Queue {
    pub id: i64,
    pub account: String,
    pub region: String,
    pub name: String,
    pub attributes: Map<String, Value>,
    tags: Map<String, Value>,
    created_at: Millis,
    modified_at: Millis,
    purged_at: Option<Millis>,
}

const COLUMNS: &str = "id, account, region, name, attributes, tags, created_at, modified_at, purged_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Queue> {
    Ok(Queue {
        id: row.get(0)?,
        account: row.get(1)?,
        region: row.get(2)?,
        name: row.get(3)?,
        attributes: document(&row.get::<_, String>(4)?),
        tags: document(&row.get::<_, String>(5)?),
        created_at: row.get(6)?,
        modified_at: row.get(7)?,
        purged_at: row.get(8)?,
    })
}

impl Queue {
    pub fn arn(&self) -> String {
        format!("arn:aws:sqs:{}:{}:{}", self.region, self.account, self.name)
    }

    pub fn fifo(&self) -> bool {
        self.attribute("FifoQueue") == "true"
    }

    /// A text attribute; empty if it is not set.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// A numeric attribute, checked when it was set.
    pub fn number(&self, name: &str) -> i64 {
        self.attribute(name).parse().unwrap_or_default()
    }

    /// Messages sent before this moment are gone, whether or not they have been swept away yet.
    pub fn oldest_kept(&self, now: Millis) -> Millis {
        now - self.number("MessageRetentionPeriod") * 1000
    }

    /// The name under which long polls wait for this queue.
    pub fn bell(&self) -> String {
        format!("sqs:{}", self.id)
    }
}

/// The queue of an account and region.
pub fn find(tx: &Tx<'_>, account: &str, region: &str, name: &str) -> Answer<Option<Queue>> {
    Ok(tx
        .db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM sqs_queues WHERE account = ?1 AND region = ?2 AND name = ?3"))?
        .query_row([account, region, name], read)
        .optional()?)
}

/// The queue of an ARN; none if the text is not a queue's ARN.
pub fn find_by_arn(tx: &Tx<'_>, arn: &str) -> Answer<Option<Queue>> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts[..] {
        ["arn", _, "sqs", region, account, name] => find(tx, account, region, name),
        _ => Ok(None),
    }
}

/// The queue that a request's QueueUrl names: the last two parts of the path are the account and the name. The host is
/// whatever name the caller has for this server.
pub fn of_request(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer<Queue> {
    let url = text(params, "QueueUrl").filter(|url| !url.is_empty()).ok_or_else(|| missing("QueueUrl"))?;
    let mut parts = url.trim_end_matches('/').rsplit('/');
    let name = parts.next().unwrap_or_default();
    let account = parts
        .next()
        .filter(|part| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit()))
        .unwrap_or(&caller.account);
    find(tx, account, &caller.region, name)?.ok_or_else(no_queue)
}

fn url(caller: &Caller, account: &str, name: &str) -> String {
    format!("{}/{account}/{name}", caller.base_url)
}

fn check_name(name: &str, fifo: bool) -> Answer<()> {
    let stem = if fifo { name.strip_suffix(".fifo") } else { Some(name) };
    let good = stem.is_some_and(|stem| {
        !stem.is_empty()
            && name.len() <= NAME_LIMIT
            && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    });
    match (good, fifo) {
        (true, _) => Ok(()),
        (false, true) => Err(invalid(
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
        )),
        (false, false) => {
            Err(invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"))
        }
    }
}

pub fn create(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let name = text(params, "QueueName").filter(|name| !name.is_empty()).ok_or_else(|| missing("QueueName"))?;
    let fifo = params.pointer("/Attributes/FifoQueue").and_then(Value::as_str);
    if fifo == Some("false") {
        // AWS knows the attribute only as true.
        return Err(error("InvalidAttributeName", "Unknown Attribute FifoQueue."));
    }
    let fifo = fifo.is_some();
    check_name(name, fifo)?;
    let given = attributes::check(tx, map(params, "Attributes"), fifo, None, &caller.region)?;
    let answer = json!({ "QueueUrl": url(caller, &caller.account, name) });
    if let Some(queue) = find(tx, &caller.account, &caller.region, name)? {
        let differs = given.iter().find(|(name, value)| queue.attributes.get(*name) != Some(value));
        return match differs {
            None => Ok(answer),
            Some((attribute, _)) => Err(error(
                "QueueNameExists",
                format!("A queue already exists with the same name and a different value for attribute {attribute}"),
            )),
        };
    }
    let mut all = attributes::defaults(fifo);
    all.extend(given);
    let tags: Map<String, Value> = map(params, "tags").map(|(name, value)| (name.clone(), value.clone())).collect();
    tx.db.execute(
        "INSERT INTO sqs_queues (account, region, name, attributes, tags, created_at, modified_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        params![
            caller.account,
            caller.region,
            name,
            Value::Object(all).to_string(),
            Value::Object(tags).to_string(),
            tx.now
        ],
    )?;
    Ok(answer)
}

pub fn get_url(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let name = text(params, "QueueName").ok_or_else(|| missing("QueueName"))?;
    let account = text(params, "QueueOwnerAWSAccountId").unwrap_or(&caller.account);
    let queue = find(tx, account, &caller.region, name)?.ok_or_else(no_queue)?;
    Ok(json!({ "QueueUrl": url(caller, &queue.account, &queue.name) }))
}

/// List the names of queues after `after`, at most `limit` of them, and whether there are more.
fn page(
    tx: &Tx<'_>,
    params: &Value,
    caller: &Caller,
    keep: impl Fn(&Queue) -> bool,
) -> Answer<(Vec<String>, Option<String>)> {
    let asked = number(params, "MaxResults");
    if let Some(asked) = asked.filter(|asked| !(1..=PAGE_LIMIT).contains(asked)) {
        return Err(invalid_value(asked, "MaxResults", "MaxResults must be an integer between 1 and 1000."));
    }
    let limit = usize::try_from(asked.unwrap_or(PAGE_LIMIT)).unwrap_or(1);
    let after = text(params, "NextToken").unwrap_or_default();
    let mut statement = tx.db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sqs_queues WHERE account = ?1 AND region = ?2 AND name > ?3 ORDER BY name"
    ))?;
    let mut names = Vec::new();
    for queue in statement.query_map([&caller.account, &caller.region, after], read)? {
        let queue = queue?;
        if !keep(&queue) {
            continue;
        }
        if names.len() == limit {
            // AWS gives a token only to those who asked for pages.
            let token = asked.and(names.last().cloned());
            return Ok((names, token));
        }
        names.push(queue.name);
    }
    Ok((names, None))
}

pub fn list_queues(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let prefix = text(params, "QueueNamePrefix").unwrap_or_default();
    let (names, token) = page(tx, params, caller, |queue| queue.name.starts_with(prefix))?;
    Ok(listing("QueueUrls", names, token, caller))
}

pub fn list_dead_letter_sources(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let target = of_request(tx, params, caller)?.arn();
    let (names, token) = page(tx, params, caller, |queue| {
        attributes::redrive(queue.attribute("RedrivePolicy")).is_some_and(|redrive| redrive.target == target)
    })?;
    let mut answer = listing("queueUrls", names, token, caller);
    // The model requires this list, so it is there when it is empty.
    if answer.get("queueUrls").is_none() {
        answer["queueUrls"] = json!([]);
    }
    Ok(answer)
}

fn listing(member: &str, names: Vec<String>, token: Option<String>, caller: &Caller) -> Value {
    let mut answer = Map::new();
    if !names.is_empty() {
        let urls: Vec<Value> = names.iter().map(|name| Value::from(url(caller, &caller.account, name))).collect();
        answer.insert(member.to_owned(), Value::from(urls));
    }
    if let Some(token) = token {
        answer.insert("NextToken".to_owned(), Value::from(token));
    }
    Value::Object(answer)
}

pub fn delete(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let queue = of_request(tx, params, caller)?;
    tx.db.execute("DELETE FROM sqs_queues WHERE id = ?1", [queue.id])?;
    tx.wake(&queue.bell());
    Ok(json!({}))
}

pub fn purge(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let queue = of_request(tx, params, caller)?;
    if queue.purged_at.is_some_and(|purged| tx.now - purged < PURGE_PAUSE) {
        return Err(error(
            "PurgeQueueInProgress",
            format!("Only one PurgeQueue operation on {} is allowed every 60 seconds.", queue.name),
        ));
    }
    tx.db.execute("DELETE FROM sqs_messages WHERE queue = ?1", [queue.id])?;
    tx.db.execute("UPDATE sqs_queues SET purged_at = ?2 WHERE id = ?1", params![queue.id, tx.now])?;
    Ok(json!({}))
}

pub fn get_attributes(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let queue = of_request(tx, params, caller)?;
    let asked = texts(params, "AttributeNames");
    if let Some(name) = asked.iter().find(|name| !attributes::known(name)) {
        return Err(error("InvalidAttributeName", format!("Unknown Attribute {name}.")));
    }
    let all = asked.contains(&"All");
    let wanted = |name: &str| all || asked.contains(&name);
    let mut answer = Map::new();
    if COMPUTED.iter().any(|name| wanted(name)) {
        let (visible, in_flight, delayed) = counts(tx, &queue)?;
        let values = [
            queue.arn(),
            visible.to_string(),
            in_flight.to_string(),
            delayed.to_string(),
            (queue.created_at / 1000).to_string(),
            (queue.modified_at / 1000).to_string(),
        ];
        for (name, value) in COMPUTED.iter().zip(values) {
            if wanted(name) {
                answer.insert((*name).to_owned(), Value::from(value));
            }
        }
    }
    for (name, value) in &queue.attributes {
        if wanted(name) {
            answer.insert(name.clone(), value.clone());
        }
    }
    Ok(if answer.is_empty() { json!({}) } else { json!({ "Attributes": answer }) })
}

/// Visible, in flight, delayed.
fn counts(tx: &Tx<'_>, queue: &Queue) -> Answer<(i64, i64, i64)> {
    Ok(tx
        .db
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE visible_at <= ?2),
                    count(*) FILTER (WHERE visible_at > ?2 AND receive_count > 0),
                    count(*) FILTER (WHERE visible_at > ?2 AND receive_count = 0)
             FROM sqs_messages WHERE queue = ?1 AND sent_at > ?3",
        )?
        .query_row(params![queue.id, tx.now, queue.oldest_kept(tx.now)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?)
}

pub fn set_attributes(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let mut queue = of_request(tx, params, caller)?;
    let given = attributes::check(tx, map(params, "Attributes"), queue.fifo(), Some(&queue), &queue.region)?;
    for (name, value) in given {
        let empty = value.as_str() == Some("");
        if empty {
            queue.attributes.remove(&name);
        } else {
            queue.attributes.insert(name, value);
        }
    }
    tx.db.execute(
        "UPDATE sqs_queues SET attributes = ?2, modified_at = ?3 WHERE id = ?1",
        params![queue.id, Value::Object(queue.attributes.clone()).to_string(), tx.now],
    )?;
    tx.wake(&queue.bell());
    Ok(json!({}))
}

pub fn tag(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let mut queue = of_request(tx, params, caller)?;
    for (name, value) in map(params, "Tags") {
        queue.tags.insert(name.clone(), value.clone());
    }
    if queue.tags.len() > TAG_LIMIT {
        return Err(invalid(format!("Too many tags added for queue {}.", queue.name)));
    }
    save_tags(tx, queue)
}

pub fn untag(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let mut queue = of_request(tx, params, caller)?;
    for name in list(params, "TagKeys").iter().filter_map(Value::as_str) {
        queue.tags.shift_remove(name);
    }
    save_tags(tx, queue)
}

fn save_tags(tx: &Tx<'_>, queue: Queue) -> Answer {
    tx.db.execute(
        "UPDATE sqs_queues SET tags = ?2 WHERE id = ?1",
        params![queue.id, Value::Object(queue.tags).to_string()],
    )?;
    Ok(json!({}))
}

pub fn list_tags(tx: &Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let queue = of_request(tx, params, caller)?;
    Ok(if queue.tags.is_empty() { json!({}) } else { json!({ "Tags": queue.tags }) })
}

/// Sweep away what is past its queue's retention, and deduplication ids past their five minutes.
pub fn sweep(tx: &Tx<'_>) -> Answer<()> {
    let queues: Vec<Queue> = tx
        .db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM sqs_queues"))?
        .query_map([], read)?
        .collect::<Result<_, _>>()?;
    for queue in queues {
        tx.db.execute(
            "DELETE FROM sqs_messages WHERE queue = ?1 AND sent_at <= ?2",
            params![queue.id, queue.oldest_kept(tx.now)],
        )?;
    }
    tx.db.execute("DELETE FROM sqs_deduplication WHERE expires_at <= ?1", [tx.now])?;
    Ok(())
}
