//! Invocations that nobody waits for (`InvocationType: Event`, rules and topics with a function as their target). One is a
//! row from the moment it is taken until the function has done it or the last try has failed, so a restart loses none; a
//! function may see one twice. Tries follow AWS: a function's error twice more, after one and two minutes; a busy
//! function again and again for six hours.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::params;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Lambda;
use super::invoke::Done;
use crate::error::Answer;
use crate::store::{Millis, Tx};

/// The name under which the runner waits for work.
const BELL: &str = "lambda:events";
/// How many are looked at together, and under way at once.
const AT_ONCE: usize = 64;
/// AWS's retries of a function's own error, and the minutes before each.
const RETRY_MINUTES: &[i64] = &[1, 2];
/// How long AWS keeps one that cannot be started.
const OLDEST: Millis = 6 * 3600 * 1000;
/// Between tries while the function is busy; AWS goes up to five minutes.
const BUSY_PAUSE: Millis = 1000;
/// When nothing rings, the runner looks anyway: a bell is a hint, not a promise.
const LOOK_AGAIN: u64 = 30_000;

/// Take an invocation; it is durable when the transaction is.
pub fn enqueue(tx: &mut Tx<'_>, function_arn: &str, payload: &[u8], client_context: Option<&str>) -> Answer<String> {
    let request_id = uuid::Uuid::new_v4().to_string();
    tx.db
        .prepare_cached(
            "INSERT INTO lambda_events (request_id, function, payload, client_context, accepted_at, due_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
        )?
        .execute(params![request_id, function_arn, payload, client_context, tx.now])?;
    tx.wake(BELL);
    Ok(request_id)
}

struct Event {
    id: i64,
    request_id: String,
    function: String,
    payload: Vec<u8>,
    client_context: Option<String>,
    attempts: i64,
    accepted_at: Millis,
}

/// Invoke what is due, until `stop` says true. What is under way then is invoked again after the next start.
pub async fn run(lambda: &Lambda, mut stop: watch::Receiver<bool>) {
    let store = &lambda.store;
    let bell = store.wakes.bell(BELL);
    let mut under_way = BTreeSet::new();
    let mut tries: JoinSet<i64> = JoinSet::new();
    loop {
        let mut ring = std::pin::pin!(bell.notified());
        ring.as_mut().enable();
        let most = under_way.len() + AT_ONCE;
        let (events, next) = store.call(move |tx| due(tx, most)).await.unwrap_or((Vec::new(), Some(1000)));
        let full = under_way.len() >= AT_ONCE;
        for event in events {
            if under_way.len() < AT_ONCE && under_way.insert(event.id) {
                let lambda = lambda.clone();
                tries.spawn(async move {
                    let id = event.id;
                    attempt(&lambda, event).await;
                    id
                });
            }
        }
        let pause = Duration::from_millis(if full { LOOK_AGAIN } else { next.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN) });
        tokio::select! {
            () = ring => {}
            Some(ended) = tries.join_next() => {
                if let Ok(id) = ended {
                    under_way.remove(&id);
                }
            }
            () = tokio::time::sleep(pause) => {}
            stopped = stop.wait_for(|stop| *stop) => {
                let _ = stopped;
                return;
            }
        }
    }
}

/// What is due now, and when the next one is that is not.
fn due(tx: &Tx<'_>, most: usize) -> Answer<(Vec<Event>, Option<u64>)> {
    let events = tx
        .db
        .prepare_cached(
            "SELECT id, request_id, function, payload, client_context, attempts, accepted_at FROM lambda_events
             WHERE due_at <= ?1 ORDER BY due_at, id LIMIT ?2",
        )?
        .query_map(params![tx.now, i64::try_from(most).unwrap_or(i64::MAX)], |row| {
            Ok(Event {
                id: row.get(0)?,
                request_id: row.get(1)?,
                function: row.get(2)?,
                payload: row.get(3)?,
                client_context: row.get(4)?,
                attempts: row.get(5)?,
                accepted_at: row.get(6)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let next: Option<Millis> =
        tx.db.query_row("SELECT min(due_at) FROM lambda_events WHERE due_at > ?1", [tx.now], |row| row.get(0))?;
    Ok((events, next.map(|at| u64::try_from(at - tx.now).unwrap_or_default())))
}

async fn attempt(lambda: &Lambda, event: Event) {
    let payload = Bytes::from(event.payload);
    let done = lambda.run_once(&event.function, &event.request_id, payload, event.client_context).await;
    let (id, attempts, accepted_at, function) = (event.id, event.attempts, event.accepted_at, event.function);
    let settled = lambda
        .store
        .call(move |tx| {
            let again = match &done {
                Done::Answered(outcome) if !outcome.failed => None,
                Done::Answered(_) => usize::try_from(attempts)
                    .ok()
                    .and_then(|tried| RETRY_MINUTES.get(tried))
                    .map(|minutes| (attempts + 1, minutes * 60_000)),
                Done::Busy => (tx.now - accepted_at < OLDEST).then_some((attempts, BUSY_PAUSE)),
                Done::NoSuchFunction => None,
            };
            let given_up = match &done {
                Done::Answered(outcome) => outcome.failed,
                Done::Busy | Done::NoSuchFunction => true,
            };
            match again {
                Some((attempts, pause)) => {
                    tx.db.execute(
                        "UPDATE lambda_events SET attempts = ?2, due_at = ?3 WHERE id = ?1",
                        params![id, attempts, tx.now + pause],
                    )?;
                }
                None => {
                    tx.db.execute("DELETE FROM lambda_events WHERE id = ?1", [id])?;
                    if given_up {
                        tracing::warn!(%function, attempts = attempts + 1, "an event has been given up");
                    }
                }
            }
            Ok(())
        })
        .await;
    // What could not be noted was logged where it failed; the row stays and is tried again.
    let _ = settled;
}
