//! A small real SQS. Queues and messages are rows; every call is one transaction and is answered when it is durable. It
//! keeps AWS's rules on visibility, order within FIFO groups, deduplication, dead letters and limits. It does not check
//! policies, does not encrypt, and moves no messages back from dead-letter queues. Start reading in `receive.rs`.

mod attributes;
mod batch;
pub mod error;
pub(crate) mod fifo;
pub(crate) mod message;
pub(crate) mod queue;
mod receive;
pub(crate) mod send;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::caller::Caller;
use crate::error::Answer;
use crate::params::list;
use crate::store::{Store, Tx};

/// The service; clones share the database.
#[derive(Clone)]
pub struct Sqs {
    store: Store,
}

impl Sqs {
    /// SQS over an open database.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Answer one call.
    pub async fn call(&self, operation: &str, params: Value, caller: &Caller) -> Answer {
        if operation == "ReceiveMessage" {
            return receive::receive(&self.store, params, caller.clone()).await;
        }
        let Some(act) = operation_of(operation) else {
            return Err(error::error("UnsupportedOperation", format!("The laptop's SQS does not have {operation}.")));
        };
        let caller = caller.clone();
        self.store.call(move |tx| act(tx, &params, &caller)).await
    }

    /// Delete what is past its time.
    pub async fn sweep(&self) -> Answer<()> {
        self.store.call(|tx| queue::sweep(tx)).await
    }
}

type Act = fn(&mut Tx<'_>, &Value, &Caller) -> Answer;

fn operation_of(name: &str) -> Option<Act> {
    Some(match name {
        "CreateQueue" => queue::create,
        "DeleteQueue" => queue::delete,
        "GetQueueUrl" => |tx, params, caller| queue::get_url(tx, params, caller),
        "ListQueues" => |tx, params, caller| queue::list_queues(tx, params, caller),
        "ListDeadLetterSourceQueues" => |tx, params, caller| queue::list_dead_letter_sources(tx, params, caller),
        "PurgeQueue" => queue::purge,
        "GetQueueAttributes" => |tx, params, caller| queue::get_attributes(tx, params, caller),
        "SetQueueAttributes" => queue::set_attributes,
        "TagQueue" => queue::tag,
        "UntagQueue" => queue::untag,
        "ListQueueTags" => |tx, params, caller| queue::list_tags(tx, params, caller),
        "SendMessage" => send::send,
        "SendMessageBatch" => send::send_batch,
        "DeleteMessage" => |tx, params, caller| {
            let queue = queue::of_request(tx, params, caller)?;
            receive::delete(tx, &queue, params)
        },
        "DeleteMessageBatch" => |tx, params, caller| {
            let queue = queue::of_request(tx, params, caller)?;
            let entries = list(params, "Entries");
            batch::check(entries)?;
            batch::each(entries, |entry| receive::delete(tx, &queue, entry))
        },
        "ChangeMessageVisibility" => |tx, params, caller| {
            let queue = queue::of_request(tx, params, caller)?;
            receive::change_visibility(tx, &queue, params)
        },
        "ChangeMessageVisibilityBatch" => |tx, params, caller| {
            let queue = queue::of_request(tx, params, caller)?;
            let entries = list(params, "Entries");
            batch::check(entries)?;
            batch::each(entries, |entry| receive::change_visibility(tx, &queue, entry))
        },
        _ => return None,
    })
}
