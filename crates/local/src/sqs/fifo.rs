//! What FIFO queues add when a message comes in: deduplication for five minutes, and sequence numbers.

use rusqlite::{OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::message::Message;
use super::queue::Queue;
use crate::error::Answer;
use crate::store::{Millis, Tx};

/// How long a deduplication id is remembered.
pub const DEDUPLICATION: Millis = 5 * 60_000;

/// AWS's sequence numbers have twenty digits and grow with gaps of 256.
const FIRST_SEQUENCE: u128 = 18_849_496_460_467_696_128;
const SEQUENCE_STEP: u128 = 256;

/// The sequence number of the n-th message.
pub fn sequence_number(nth: i64) -> String {
    let nth = u128::try_from(nth).unwrap_or_default();
    (FIRST_SEQUENCE + nth * SEQUENCE_STEP).to_string()
}

/// The id that content-based deduplication gives a body.
pub fn content_id(body: &str) -> String {
    Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What an earlier message with the same deduplication id was answered with.
pub struct Earlier {
    pub message_id: String,
    pub sequence_number: String,
}

fn scope<'a>(queue: &Queue, message: &'a Message) -> &'a str {
    match queue.attribute("DeduplicationScope") {
        "messageGroup" => message.group.as_deref().unwrap_or_default(),
        _ => "",
    }
}

/// The message that this one repeats, if there was one within the last five minutes.
pub fn repeats(tx: &Tx<'_>, queue: &Queue, message: &Message, id: &str) -> Answer<Option<Earlier>> {
    Ok(tx
        .db
        .prepare_cached(
            "SELECT message_id, sequence_number FROM sqs_deduplication
             WHERE queue = ?1 AND scope = ?2 AND deduplication_id = ?3 AND expires_at > ?4",
        )?
        .query_row(params![queue.id, scope(queue, message), id, tx.now], |row| {
            Ok(Earlier { message_id: row.get(0)?, sequence_number: row.get(1)? })
        })
        .optional()?)
}

/// Remember a message that was taken.
pub fn remember(tx: &Tx<'_>, queue: &Queue, message: &Message, id: &str, taken: &Earlier) -> Answer<()> {
    tx.db
        .prepare_cached(
            "INSERT OR REPLACE INTO sqs_deduplication
                (queue, scope, deduplication_id, message_id, sequence_number, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            queue.id,
            scope(queue, message),
            id,
            taken.message_id,
            taken.sequence_number,
            tx.now + DEDUPLICATION
        ])?;
    Ok(())
}
