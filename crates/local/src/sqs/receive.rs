//! Messages out of queues: receiving with its visibility timeout and long poll, deleting, and changing the timeout.
//!
//! A message that is visible has `visible_at` in the past. In flight means received and not visible; delayed means never
//! received and not visible. A FIFO group is closed while one of its messages is in flight, and its messages come in the
//! order in which they were sent.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::attributes::redrive;
use super::error::{error, invalid, invalid_value, missing};
use super::message::{digest_of_attributes, digest_of_body};
use super::queue::{self, Queue};
use super::send::bury;
use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::params::{document, number, text, texts};
use crate::store::{Millis, Store, Tx};

/// No message stays invisible longer than this after it was received.
const LONGEST_VISIBILITY: i64 = 43_200;

/// What a receiver asks for.
#[derive(Clone)]
struct Wish {
    most: usize,
    visibility: Option<i64>,
    wait: Option<i64>,
    system: Vec<String>,
    names: Vec<String>,
}

fn read_wish(params: &Value) -> Answer<Wish> {
    let within = |name: &str, from: i64, to: i64, reason: &str| match number(params, name) {
        Some(value) if !(from..=to).contains(&value) => Err(invalid_value(value, name, reason)),
        value => Ok(value),
    };
    let most = within("MaxNumberOfMessages", 1, 10, "Must be between 1 and 10, if provided.")?;
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let mut system = owned(texts(params, "MessageSystemAttributeNames"));
    system.extend(owned(texts(params, "AttributeNames")));
    Ok(Wish {
        most: usize::try_from(most.unwrap_or(1)).unwrap_or(1),
        visibility: within("VisibilityTimeout", 0, LONGEST_VISIBILITY, "Must be >= 0 and <= 43200, if provided.")?,
        wait: within("WaitTimeSeconds", 0, 20, "Must be >= 0 and <= 20, if provided.")?,
        system,
        names: owned(texts(params, "MessageAttributeNames")),
    })
}

/// ReceiveMessage. Waits without holding anything: it looks, and looks again when the queue's bell rings or when a
/// hidden message comes back.
pub async fn receive(store: &Store, params: Value, caller: Caller) -> Answer {
    let wish = read_wish(&params)?;
    let queue = {
        let (params, caller) = (params.clone(), caller.clone());
        store.call(move |tx| queue::of_request(tx, &params, &caller)).await?
    };
    let wait = wish.wait.unwrap_or_else(|| queue.number("ReceiveMessageWaitTimeSeconds"));
    let deadline = Instant::now() + Duration::from_secs(u64::try_from(wait).unwrap_or_default());
    let bell = store.wakes.bell(&queue.bell());
    loop {
        let mut ring = std::pin::pin!(bell.notified());
        ring.as_mut().enable();
        let (params, caller, wish) = (params.clone(), caller.clone(), wish.clone());
        let found = store
            .call(move |tx| {
                let queue = queue::of_request(tx, &params, &caller)?;
                take(tx, &queue, &wish)
            })
            .await?;
        let now = Instant::now();
        if !found.messages.is_empty() {
            return Ok(json!({ "Messages": found.messages }));
        }
        if now >= deadline {
            return Ok(json!({}));
        }
        let until = match found.next_in {
            Some(millis) => deadline.min(now + Duration::from_millis(millis)),
            None => deadline,
        };
        tokio::select! {
            () = ring => {}
            () = tokio::time::sleep_until(until) => {}
        }
    }
}

struct Found {
    messages: Vec<Value>,
    /// How many milliseconds from now the next hidden message shows itself.
    next_in: Option<u64>,
}

/// A message as it lies in the queue.
struct Lying {
    id: i64,
    message_id: String,
    body: String,
    attributes: Map<String, Value>,
    system: Map<String, Value>,
    sent_at: Millis,
    receive_count: i64,
    first_receive_at: Option<Millis>,
    receipt: i64,
    group: Option<String>,
}

fn read_row(row: &Row<'_>) -> rusqlite::Result<Lying> {
    Ok(Lying {
        id: row.get(0)?,
        message_id: row.get(1)?,
        body: row.get(2)?,
        attributes: document(&row.get::<_, String>(3)?),
        system: document(&row.get::<_, String>(4)?),
        sent_at: row.get(5)?,
        receive_count: row.get(6)?,
        first_receive_at: row.get(7)?,
        receipt: row.get(8)?,
        group: row.get(9)?,
    })
}

const STANDARD_NEXT: &str =
    "SELECT id, message_id, body, attributes, system, sent_at, receive_count, first_receive_at, receipt, message_group
     FROM sqs_messages
     WHERE queue = ?1 AND visible_at <= ?2 AND sent_at > ?3
     ORDER BY id LIMIT ?4";

/// The oldest messages of groups that are open: nothing of the group is in flight, nothing older of it is hidden.
const FIFO_NEXT: &str =
    "SELECT id, message_id, body, attributes, system, sent_at, receive_count, first_receive_at, receipt, message_group
     FROM sqs_messages AS message
     WHERE queue = ?1 AND visible_at <= ?2 AND sent_at > ?3
       AND NOT EXISTS (
           SELECT 1 FROM sqs_messages AS other
           WHERE other.queue = message.queue AND other.message_group = message.message_group
             AND other.visible_at > ?2 AND (other.receive_count > 0 OR other.id < message.id))
     ORDER BY id LIMIT ?4";

fn take(tx: &mut Tx<'_>, queue: &Queue, wish: &Wish) -> Answer<Found> {
    let dead_letters = match redrive(queue.attribute("RedrivePolicy")) {
        Some(redrive) => queue::find_by_arn(tx, &redrive.target)?.map(|target| (target, redrive.max_receive_count)),
        None => None,
    };
    let visibility = wish.visibility.unwrap_or_else(|| queue.number("VisibilityTimeout"));
    let mut messages = Vec::new();
    // Each round either gives messages or moves some to the dead letters, so the loop ends with the queue.
    while messages.len() < wish.most {
        let wanted = i64::try_from(wish.most - messages.len()).unwrap_or(1);
        let rows: Vec<Lying> = tx
            .db
            .prepare_cached(if queue.fifo() { FIFO_NEXT } else { STANDARD_NEXT })?
            .query_map(params![queue.id, tx.now, queue.oldest_kept(tx.now), wanted], read_row)?
            .collect::<Result<_, _>>()?;
        if rows.is_empty() {
            break;
        }
        let mut buried = false;
        for mut row in rows {
            if let Some((target, most)) = &dead_letters
                && row.receive_count >= *most
            {
                bury(tx, row.id, queue, target)?;
                buried = true;
                continue;
            }
            row.receive_count += 1;
            row.receipt += 1;
            row.first_receive_at.get_or_insert(tx.now);
            tx.db
                .prepare_cached(
                    "UPDATE sqs_messages SET visible_at = ?2, receive_count = ?3, first_receive_at = ?4, receipt = ?5
                     WHERE id = ?1",
                )?
                .execute(params![
                    row.id,
                    tx.now + visibility * 1000,
                    row.receive_count,
                    row.first_receive_at,
                    row.receipt
                ])?;
            messages.push(show(queue, &row, wish));
        }
        // With a visibility timeout of zero the same messages would come again and again.
        if !buried {
            break;
        }
    }
    let next: Option<Millis> = if messages.is_empty() {
        tx.db
            .prepare_cached("SELECT min(visible_at) FROM sqs_messages WHERE queue = ?1 AND visible_at > ?2")?
            .query_row(params![queue.id, tx.now], |row| row.get(0))?
    } else {
        None
    };
    Ok(Found { messages, next_in: next.map(|at| u64::try_from(at - tx.now).unwrap_or_default()) })
}

fn show(queue: &Queue, row: &Lying, wish: &Wish) -> Value {
    let mut message = Map::new();
    let mut put = |name: &str, value: Value| message.insert(name.to_owned(), value);
    put("MessageId", Value::from(row.message_id.as_str()));
    put("ReceiptHandle", Value::from(handle(queue, row)));
    put("MD5OfBody", Value::from(digest_of_body(&row.body)));
    put("Body", Value::from(row.body.as_str()));
    let system = system_attributes(row, &wish.system);
    if !system.is_empty() {
        put("Attributes", Value::Object(system));
    }
    let attributes: Map<String, Value> = row
        .attributes
        .iter()
        .filter(|(name, _)| wish.names.iter().any(|wanted| matches_name(wanted, name)))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if let Some(digest) = digest_of_attributes(attributes.iter()) {
        put("MD5OfMessageAttributes", Value::from(digest));
        put("MessageAttributes", Value::Object(attributes));
    }
    Value::Object(message)
}

fn system_attributes(row: &Lying, wanted: &[String]) -> Map<String, Value> {
    let mut all = row.system.clone();
    let mut put = |name: &str, value: String| all.insert(name.to_owned(), Value::from(value));
    put("ApproximateReceiveCount", row.receive_count.to_string());
    put("SentTimestamp", row.sent_at.to_string());
    if let Some(first) = row.first_receive_at {
        put("ApproximateFirstReceiveTimestamp", first.to_string());
    }
    if let Some(group) = &row.group {
        put("MessageGroupId", group.clone());
    }
    all.retain(|name, _| wanted.iter().any(|wanted| wanted == "All" || wanted == name));
    all
}

/// `All` and `.*` mean all; `prefix.*` means those that begin so.
fn matches_name(wanted: &str, name: &str) -> bool {
    match wanted {
        "All" | ".*" => true,
        _ => match wanted.strip_suffix(".*") {
            Some(prefix) => name.starts_with(prefix),
            None => wanted == name,
        },
    }
}

fn handle(queue: &Queue, row: &Lying) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}/{}/{}/{}", queue.id, row.id, row.receipt, row.message_id))
}

/// What a receipt handle says.
struct Receipt {
    id: i64,
    receipt: i64,
    message_id: String,
}

fn read_handle(params: &Value, queue: &Queue) -> Answer<(Receipt, String)> {
    let handle = text(params, "ReceiptHandle").ok_or_else(|| missing("ReceiptHandle"))?;
    let read = || {
        let bytes = URL_SAFE_NO_PAD.decode(handle).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let mut parts = text.split('/');
        let mut next = || parts.next();
        let of: i64 = next()?.parse().ok()?;
        let receipt =
            Receipt { id: next()?.parse().ok()?, receipt: next()?.parse().ok()?, message_id: next()?.to_owned() };
        (of == queue.id).then_some(receipt)
    };
    match read() {
        Some(receipt) => Ok((receipt, handle.to_owned())),
        None => Err(error(
            "ReceiptHandleIsInvalid",
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
        )),
    }
}

/// The message of a receipt while it lies in the queue: its last receipt, when it shows itself, when it was first taken.
fn find(tx: &Tx<'_>, queue: &Queue, receipt: &Receipt) -> Answer<Option<(i64, Millis, Option<Millis>)>> {
    Ok(tx
        .db
        .prepare_cached(
            "SELECT receipt, visible_at, first_receive_at FROM sqs_messages
             WHERE id = ?1 AND queue = ?2 AND message_id = ?3 AND sent_at > ?4",
        )?
        .query_row(params![receipt.id, queue.id, receipt.message_id, queue.oldest_kept(tx.now)], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?)
}

pub fn delete(tx: &mut Tx<'_>, queue: &Queue, params: &Value) -> Answer {
    let (receipt, handle) = read_handle(params, queue)?;
    let Some((latest, visible_at, _)) = find(tx, queue, &receipt)? else {
        // Deleting twice is no error.
        return Ok(json!({}));
    };
    if queue.fifo() && (latest != receipt.receipt || visible_at <= tx.now) {
        return Err(expired(&handle));
    }
    tx.db.prepare_cached("DELETE FROM sqs_messages WHERE id = ?1")?.execute([receipt.id])?;
    // The next message of the group may go now.
    tx.wake(&queue.bell());
    Ok(json!({}))
}

fn expired(handle: &str) -> ServiceError {
    invalid_value(handle, "ReceiptHandle", "The receipt handle has expired.")
}

pub fn change_visibility(tx: &mut Tx<'_>, queue: &Queue, params: &Value) -> Answer {
    let timeout = number(params, "VisibilityTimeout").ok_or_else(|| missing("VisibilityTimeout"))?;
    if !(0..=LONGEST_VISIBILITY).contains(&timeout) {
        return Err(invalid_value(timeout, "VisibilityTimeout", "Must be >= 0 and <= 43200, if provided."));
    }
    let (receipt, handle) = read_handle(params, queue)?;
    let Some((latest, visible_at, first)) = find(tx, queue, &receipt)? else {
        return Err(invalid_value(
            handle,
            "ReceiptHandle",
            "Message does not exist or is not available for visibility timeout change.",
        ));
    };
    if queue.fifo() && (latest != receipt.receipt || visible_at <= tx.now) {
        return Err(expired(&handle));
    }
    let until = tx.now + timeout * 1000;
    if first.is_some_and(|first| until - first > LONGEST_VISIBILITY * 1000) {
        return Err(invalid(format!(
            "Value {timeout} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [{LONGEST_VISIBILITY} seconds]."
        )));
    }
    tx.db
        .prepare_cached("UPDATE sqs_messages SET visible_at = ?2 WHERE id = ?1")?
        .execute(params![receipt.id, until])?;
    tx.wake(&queue.bell());
    Ok(json!({}))
}
