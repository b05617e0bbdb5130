//! Targets: who is told of the events that a rule wants, and in which form.

use rusqlite::params;
use serde_json::{Value, json};

use super::error::{constraint, validation};
use super::rule;
use super::transform;
use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::params::{list, text, texts};
use crate::store::Tx;

/// AWS's bound on the targets of a rule.
const MOST: usize = 5;
const ID_LIMIT: usize = 64;

/// What a target's ARN stands for; others are not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Queue,
    Topic,
    Function,
    Machine,
}

/// The kind of a target's ARN.
pub fn kind_of(arn: &str) -> Option<Kind> {
    match arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "sqs", _, _, _] => Some(Kind::Queue),
        ["arn", _, "sns", _, _, _] => Some(Kind::Topic),
        ["arn", _, "lambda", _, _, "function", _] | ["arn", _, "lambda", _, _, "function", _, _] => {
            Some(Kind::Function)
        }
        ["arn", _, "states", _, _, "stateMachine", _] | ["arn", _, "states", _, _, "stateMachine", _, _] => {
            Some(Kind::Machine)
        }
        _ => None,
    }
}

/// The targets of a rule, in the order in which they came.
pub fn of_rule(tx: &Tx<'_>, rule: &str) -> Answer<Vec<Value>> {
    let documents: Vec<String> = tx
        .db
        .prepare_cached("SELECT document FROM event_targets WHERE rule = ?1 ORDER BY seq")?
        .query_map([rule], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(documents.iter().filter_map(|document| serde_json::from_str(document).ok()).collect())
}

pub fn put(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let rule = rule::of_request(tx, params, "Rule", caller)?;
    for target in list(params, "Targets") {
        check(target)?;
        let arn = text(target, "Arn").unwrap_or_default();
        tx.db
            .prepare_cached(
                "INSERT INTO event_targets (rule, id, arn, document) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (rule, id) DO UPDATE SET arn = excluded.arn, document = excluded.document",
            )?
            .execute(params![rule.arn, text(target, "Id").unwrap_or_default(), arn, target.to_string()])?;
    }
    if of_rule(tx, &rule.arn)?.len() > MOST {
        return Err(ServiceError::sender(
            "LimitExceededException",
            400,
            "The requested resource exceeds the maximum number allowed.",
        ));
    }
    Ok(json!({ "FailedEntryCount": 0, "FailedEntries": [] }))
}

fn check(target: &Value) -> Answer<()> {
    let (id, arn) = (text(target, "Id").unwrap_or_default(), text(target, "Arn").unwrap_or_default());
    let good = (1..=ID_LIMIT).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    if !good {
        return Err(constraint(
            id,
            "targets.1.member.id",
            "Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+",
        ));
    }
    let parts = arn.split(':').count();
    if parts < 6 || !arn.starts_with("arn:") {
        return Err(validation(format!(
            "Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."
        )));
    }
    if kind_of(arn).is_none() {
        return Err(validation(format!(
            "Parameter {arn} is not valid. Reason: the laptop's EventBridge brings events to queues, topics, functions and \
             state machines."
        )));
    }
    let forms = ["Input", "InputPath", "InputTransformer"].iter().filter(|form| target.get(**form).is_some()).count();
    if forms > 1 {
        return Err(validation(format!(
            "Only one of Input, InputPath, or InputTransformer must be provided for target {id}."
        )));
    }
    if let Some(input) = text(target, "Input")
        && serde_json::from_str::<serde::de::IgnoredAny>(input).is_err()
    {
        return Err(validation(format!("JSON syntax error in input for target {id}")));
    }
    transform::check(target).map_err(|reason| validation(format!("{reason} for target {id}.")))
}

pub fn remove(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let rule = rule::of_request(tx, params, "Rule", caller)?;
    for id in texts(params, "Ids") {
        tx.db.execute("DELETE FROM event_targets WHERE rule = ?1 AND id = ?2", [&rule.arn, id])?;
    }
    Ok(json!({ "FailedEntryCount": 0, "FailedEntries": [] }))
}

pub fn list_by_rule(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let rule = rule::of_request(tx, params, "Rule", caller)?;
    Ok(json!({ "Targets": of_rule(tx, &rule.arn)? }))
}
