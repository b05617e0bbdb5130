//! Messages into queues: SendMessage, SendMessageBatch, and what SNS delivers inside its own transaction.

use rusqlite::params;
use serde_json::Value;

use super::batch;
use super::error::{error, invalid};
use super::fifo::{self, Earlier};
use super::message::{self, Message};
use super::queue::{self, Queue};
use crate::caller::Caller;
use crate::error::Answer;
use crate::params::list;
use crate::store::Tx;

/// The most bytes that the messages of one batch may have together.
const BATCH_BYTES: usize = 1_048_576;

/// What the sender is told.
pub struct Sent {
    pub message_id: String,
    pub sequence_number: Option<String>,
}

/// Put a checked message into a queue. It is durable when the transaction is.
pub fn enqueue(tx: &mut Tx<'_>, queue: &Queue, mut message: Message) -> Answer<Sent> {
    let message_id = uuid::Uuid::new_v4().to_string();
    let mut sequence_number = None;
    if queue.fifo() {
        let id = message.deduplication_id.take().unwrap_or_else(|| fifo::content_id(&message.body));
        if let Some(earlier) = fifo::repeats(tx, queue, &message, &id)? {
            return Ok(Sent { message_id: earlier.message_id, sequence_number: Some(earlier.sequence_number) });
        }
        let taken =
            Earlier { message_id: message_id.clone(), sequence_number: fifo::sequence_number(tx.next_number("sqs")?) };
        fifo::remember(tx, queue, &message, &id, &taken)?;
        message.system.insert("MessageDeduplicationId".to_owned(), Value::from(id));
        message.system.insert("SequenceNumber".to_owned(), Value::from(taken.sequence_number.clone()));
        sequence_number = Some(taken.sequence_number);
    }
    let delay = message.delay.unwrap_or_else(|| queue.number("DelaySeconds"));
    tx.db
        .prepare_cached(
            "INSERT INTO sqs_messages
                (queue, message_id, body, attributes, system, sent_at, visible_at, message_group)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            queue.id,
            message_id,
            message.body,
            Value::Object(message.attributes).to_string(),
            Value::Object(message.system).to_string(),
            tx.now,
            tx.now + delay * 1000,
            message.group
        ])?;
    tx.wake(&queue.bell());
    Ok(Sent { message_id, sequence_number })
}

fn answer(message: Message, tx: &mut Tx<'_>, queue: &Queue) -> Answer {
    let mut answer = message.digests();
    let sent = enqueue(tx, queue, message)?;
    answer.insert("MessageId".to_owned(), Value::from(sent.message_id));
    if let Some(number) = sent.sequence_number {
        answer.insert("SequenceNumber".to_owned(), Value::from(number));
    }
    Ok(Value::Object(answer))
}

pub fn send(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let queue = queue::of_request(tx, params, caller)?;
    let message = message::read(params, &queue, &caller.account)?;
    answer(message, tx, &queue)
}

pub fn send_batch(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let queue = queue::of_request(tx, params, caller)?;
    batch::check(list(params, "Entries"))?;
    let bytes: usize = list(params, "Entries").iter().map(size).sum();
    if bytes > BATCH_BYTES {
        return Err(error(
            "BatchRequestTooLong",
            format!("Batch requests cannot be longer than {BATCH_BYTES} bytes. You have sent {bytes} bytes."),
        ));
    }
    if queue.fifo() {
        // A FIFO batch is refused whole, and for its groups under another name than a single message is.
        let without = |name: &str| list(params, "Entries").iter().any(|entry| entry.get(name).is_none());
        if without("MessageGroupId") {
            return Err(invalid("The request must contain the parameter MessageGroupId."));
        }
        if without("MessageDeduplicationId") && queue.attribute("ContentBasedDeduplication") != "true" {
            return Err(invalid(message::NO_DEDUPLICATION_ID));
        }
    }
    batch::each(list(params, "Entries"), |entry| {
        let message = message::read(entry, &queue, &caller.account)?;
        answer(message, tx, &queue)
    })
}

fn size(entry: &Value) -> usize {
    let message = Message {
        body: crate::params::text(entry, "MessageBody").unwrap_or_default().to_owned(),
        attributes: crate::params::map(entry, "MessageAttributes")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        ..Message::default()
    };
    message.size()
}

/// Move a message to its dead-letter queue, keeping its identity.
pub fn bury(tx: &mut Tx<'_>, id: i64, source: &Queue, target: &Queue) -> Answer<()> {
    tx.db
        .prepare_cached(
            "UPDATE sqs_messages SET queue = ?2, visible_at = ?3, receive_count = 0, first_receive_at = NULL,
                system = json_set(system, '$.DeadLetterQueueSourceArn', ?4)
             WHERE id = ?1",
        )?
        .execute(params![id, target.id, tx.now + target.number("DelaySeconds") * 1000, source.arn()])?;
    tx.wake(&target.bell());
    Ok(())
}
