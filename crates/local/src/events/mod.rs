//! A small real EventBridge: buses, rules by pattern, and targets. What an event is brought to (queues, topics,
//! functions) has it when the publisher is answered; executions of state machines are started from rows that survive a
//! restart. It has no schedules, archives, replays, pipes or schemas, and brings nothing to other services. Start reading
//! in `put.rs`.

mod bus;
mod deliver;
mod error;
mod put;
mod rule;
mod tags;
mod target;
#[cfg(test)]
mod tests;
mod transform;

use serde_json::Value;

use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::machines::Machines;
use crate::store::{Store, Tx};

/// The service; clones share the database.
#[derive(Clone)]
pub struct Events {
    store: Store,
}

impl Events {
    /// EventBridge over an open database.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Answer one call.
    pub async fn call(&self, operation: &str, params: Value, caller: &Caller) -> Answer {
        let Some(act) = operation_of(operation) else {
            return Err(ServiceError::unsupported("EventBridge", operation));
        };
        let caller = caller.clone();
        self.store.call(move |tx| act(tx, &params, &caller)).await
    }

    /// Start the executions that events ask for, until the task is dropped.
    pub async fn deliver(&self, machines: &dyn Machines) {
        deliver::run(&self.store, machines).await;
    }
}

type Act = fn(&mut Tx<'_>, &Value, &Caller) -> Answer;

fn operation_of(name: &str) -> Option<Act> {
    Some(match name {
        "PutEvents" => put::put,
        "TestEventPattern" => put::test_pattern,
        "CreateEventBus" => bus::create,
        "DeleteEventBus" => bus::delete,
        "DescribeEventBus" => bus::describe,
        "ListEventBuses" => bus::list,
        "PutRule" => rule::put,
        "DeleteRule" => rule::delete,
        "DescribeRule" => rule::describe,
        "ListRules" => rule::list,
        "EnableRule" => rule::enable,
        "DisableRule" => rule::disable,
        "ListRuleNamesByTarget" => rule::list_by_target,
        "PutTargets" => target::put,
        "RemoveTargets" => target::remove,
        "ListTargetsByRule" => target::list_by_rule,
        "TagResource" => tags::tag,
        "UntagResource" => tags::untag,
        "ListTagsForResource" => tags::show,
        _ => return None,
    })
}
