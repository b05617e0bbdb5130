//! A small real SNS. What is published is in the subscribed queues when the publisher is answered: both lie in one file
//! and one transaction. HTTP endpoints are posted to by `deliver.rs`, from rows that survive a restart. It does not check
//! policies, does not encrypt, and delivers neither to phones nor mail. Start reading in `publish.rs`.

mod deliver;
mod error;
mod notification;
pub(crate) mod publish;
mod subscription;
#[cfg(test)]
mod tests;
mod topic;

use serde_json::Value;

use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::store::{Store, Tx};

/// The service; clones share the database.
#[derive(Clone)]
pub struct Sns {
    store: Store,
}

impl Sns {
    /// SNS over an open database.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Answer one call.
    pub async fn call(&self, operation: &str, params: Value, caller: &Caller) -> Answer {
        let Some(act) = operation_of(operation) else {
            return Err(ServiceError::sender(
                "InvalidAction",
                400,
                format!("The laptop's SNS does not have {operation}."),
            ));
        };
        let caller = caller.clone();
        self.store.call(move |tx| act(tx, &params, &caller)).await
    }

    /// Post to HTTP endpoints until the task is dropped.
    pub async fn deliver(&self) {
        deliver::run(&self.store).await;
    }

    /// Delete what is past its time.
    pub async fn sweep(&self) -> Answer<()> {
        self.store
            .call(|tx| {
                publish::sweep(tx)?;
                subscription::sweep(tx)
            })
            .await
    }
}

type Act = fn(&mut Tx<'_>, &Value, &Caller) -> Answer;

fn operation_of(name: &str) -> Option<Act> {
    Some(match name {
        "CreateTopic" => topic::create,
        "DeleteTopic" => topic::delete,
        "ListTopics" => topic::list_topics,
        "GetTopicAttributes" => topic::get_attributes,
        "SetTopicAttributes" => topic::set_attributes,
        "TagResource" => topic::tag,
        "UntagResource" => topic::untag,
        "ListTagsForResource" => topic::list_tags,
        "Subscribe" => subscription::subscribe,
        "ConfirmSubscription" => subscription::confirm,
        "Unsubscribe" => subscription::unsubscribe,
        "ListSubscriptions" => subscription::list,
        "ListSubscriptionsByTopic" => subscription::list_by_topic,
        "GetSubscriptionAttributes" => subscription::get_attributes,
        "SetSubscriptionAttributes" => subscription::set_attributes,
        "Publish" => publish::publish,
        "PublishBatch" => publish::publish_batch,
        _ => return None,
    })
}
