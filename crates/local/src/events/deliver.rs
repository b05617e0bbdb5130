//! Bringing events to targets. Queues, topics and functions lie in the same file, so they have the event when the
//! publisher is answered. A state machine is somebody else's: the execution that is to be started is a row until it is, so
//! a restart loses none. Its name follows from event and target, so starting it twice is starting it once.

use std::time::Duration;

use rusqlite::params;
use serde_json::{Value, json};

use super::rule::Rule;
use super::target::{Kind, kind_of};
use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::machines::{Machines, NotStarted};
use crate::params::{number, text};
use crate::sns;
use crate::sqs::message::Message;
use crate::sqs::queue::find_by_arn;
use crate::sqs::send::enqueue;
use crate::store::{Millis, Store, Tx};

/// The name under which the starter waits for work.
const BELL: &str = "events:deliveries";
/// How many are started one after another before the database is asked again.
const AT_ONCE: i64 = 32;
/// AWS's own, where a target has no RetryPolicy: tries for a day, 185 of them.
const OLDEST_SECONDS: i64 = 24 * 3600;
const MOST_RETRIES: i64 = 185;
/// Between tries: doubled each time, up to a minute.
const PAUSE: Millis = 1000;
const LONGEST_PAUSE: Millis = 60_000;
const LOOK_AGAIN: u64 = 30_000;

/// Bring an event to a target. What the target does not take goes to its dead letters.
pub fn bring(tx: &mut Tx<'_>, rule: &Rule, event_id: &str, target: &Value, input: &str, caller: &Caller) -> Answer<()> {
    let arn = text(target, "Arn").unwrap_or_default();
    // What a target refuses leaves nothing behind, and is nobody else's matter.
    tx.db.execute_batch("SAVEPOINT target")?;
    let taken = match kind_of(arn) {
        Some(Kind::Queue) => {
            let group = target.get("SqsParameters").and_then(|given| text(given, "MessageGroupId"));
            into_queue(tx, arn, input, group)
        }
        Some(Kind::Topic) => {
            let message = json!({ "TopicArn": arn, "Message": input });
            sns::publish::publish(tx, &message, caller).map(drop)
        }
        Some(Kind::Function) => crate::lambda::events::enqueue(tx, arn, input.as_bytes(), None).map(drop),
        Some(Kind::Machine) => start_later(tx, rule, event_id, target, input),
        None => Err(ServiceError::sender("NotHere", 400, "nothing here has such an ARN")),
    };
    match taken {
        Ok(()) => Ok(tx.db.execute_batch("RELEASE target")?),
        Err(error) => {
            tx.db.execute_batch("ROLLBACK TO target; RELEASE target")?;
            bury(tx, &rule.arn, target, input, &error.code, &error.message)
        }
    }
}

fn into_queue(tx: &mut Tx<'_>, arn: &str, body: &str, group: Option<&str>) -> Answer<()> {
    let refused = |why: &str| Err(ServiceError::sender("SqsError", 400, why));
    let Some(queue) = find_by_arn(tx, arn)? else { return refused("The specified queue does not exist.") };
    if queue.fifo() && group.is_none() {
        return refused("The request must contain the parameter MessageGroupId.");
    }
    let group = group.filter(|_| queue.fifo()).map(str::to_owned);
    let message = Message { body: body.to_owned(), group, ..Message::default() };
    if message.size() > usize::try_from(queue.number("MaximumMessageSize")).unwrap_or(usize::MAX) {
        return refused("The event is larger than the queue's MaximumMessageSize.");
    }
    enqueue(tx, &queue, message).map(drop)
}

fn start_later(tx: &mut Tx<'_>, rule: &Rule, event_id: &str, target: &Value, input: &str) -> Answer<()> {
    // Two targets of one rule may be the same machine.
    let name = format!("{event_id}_{}", text(target, "Id").unwrap_or_default());
    let name: String = name.chars().take(80).collect();
    tx.db
        .prepare_cached(
            "INSERT INTO event_deliveries (rule, machine, name, input, target, accepted_at, due_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        )?
        .execute(params![rule.arn, text(target, "Arn"), name, input, target.to_string(), tx.now])?;
    tx.wake(BELL);
    Ok(())
}

/// What could not be delivered goes to the target's dead letters with the reason, or is lost, which the log says.
fn bury(tx: &mut Tx<'_>, rule: &str, target: &Value, input: &str, code: &str, message: &str) -> Answer<()> {
    let arn = text(target, "Arn").unwrap_or_default();
    let dead = target.get("DeadLetterConfig").and_then(|config| text(config, "Arn"));
    if let Some(dead) = dead
        && let Some(queue) = find_by_arn(tx, dead)?
    {
        let said = |value: &str| json!({ "DataType": "String", "StringValue": value });
        let attributes = [("RULE_ARN", rule), ("TARGET_ARN", arn), ("ERROR_CODE", code), ("ERROR_MESSAGE", message)];
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), said(value))).collect();
        let letter = Message { body: input.to_owned(), attributes, ..Message::default() };
        return enqueue(tx, &queue, letter).map(drop);
    }
    tracing::warn!(%rule, target = %arn, %code, %message, "an event could not be delivered, and there is no dead-letter queue for it");
    Ok(())
}

struct Delivery {
    id: i64,
    rule: String,
    machine: String,
    name: String,
    input: String,
    target: Value,
    attempts: i64,
    accepted_at: Millis,
}

/// Start what is to be started, until the task is dropped.
pub async fn run(store: &Store, machines: &dyn Machines) {
    let bell = store.wakes.bell(BELL);
    loop {
        let mut ring = std::pin::pin!(bell.notified());
        ring.as_mut().enable();
        let (due, next) = store.call(|tx| due(tx)).await.unwrap_or((Vec::new(), Some(1000)));
        if due.is_empty() {
            let pause = Duration::from_millis(next.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN));
            tokio::select! {
                () = ring => {}
                () = tokio::time::sleep(pause) => {}
            }
            continue;
        }
        for delivery in due {
            let started = machines.start(&delivery.machine, &delivery.name, &delivery.input).await;
            // A failure to note it is logged where it happens; the row stays and is tried again.
            let _ = store.call(move |tx| settle(tx, &delivery, started)).await;
        }
    }
}

fn due(tx: &Tx<'_>) -> Answer<(Vec<Delivery>, Option<u64>)> {
    let due = tx
        .db
        .prepare_cached(
            "SELECT id, rule, machine, name, input, target, attempts, accepted_at FROM event_deliveries
             WHERE due_at <= ?1 ORDER BY due_at, id LIMIT ?2",
        )?
        .query_map(params![tx.now, AT_ONCE], |row| {
            Ok(Delivery {
                id: row.get(0)?,
                rule: row.get(1)?,
                machine: row.get(2)?,
                name: row.get(3)?,
                input: row.get(4)?,
                target: serde_json::from_str(&row.get::<_, String>(5)?).unwrap_or_default(),
                attempts: row.get(6)?,
                accepted_at: row.get(7)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let next: Option<Millis> = tx.db.query_row("SELECT min(due_at) FROM event_deliveries", [], |row| row.get(0))?;
    Ok((due, next.map(|at| u64::try_from(at - tx.now).unwrap_or_default())))
}

fn settle(tx: &mut Tx<'_>, delivery: &Delivery, started: Result<(), NotStarted>) -> Answer<()> {
    let policy = delivery.target.get("RetryPolicy").unwrap_or(&Value::Null);
    let oldest = number(policy, "MaximumEventAgeInSeconds").unwrap_or(OLDEST_SECONDS) * 1000;
    let most = number(policy, "MaximumRetryAttempts").unwrap_or(MOST_RETRIES);
    let Err(error) = started else {
        tx.db.execute("DELETE FROM event_deliveries WHERE id = ?1", [delivery.id])?;
        return Ok(());
    };
    if error.again && delivery.attempts < most && tx.now - delivery.accepted_at < oldest {
        let pause = (PAUSE << delivery.attempts.min(6)).min(LONGEST_PAUSE);
        tx.db.execute(
            "UPDATE event_deliveries SET attempts = attempts + 1, due_at = ?2 WHERE id = ?1",
            params![delivery.id, tx.now + pause],
        )?;
        return Ok(());
    }
    tx.db.execute("DELETE FROM event_deliveries WHERE id = ?1", [delivery.id])?;
    bury(tx, &delivery.rule, &delivery.target, &delivery.input, &error.code, &error.message)
}
