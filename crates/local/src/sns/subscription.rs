//! Subscriptions: who hears of what is published, in which form, and what they want to hear. A queue or a
//! function is subscribed at once; an HTTP endpoint has to confirm with the token that is posted to it.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use super::deliver;
use super::error::{check_arn, invalid, no_subscription};
use super::notification::{self, Link};
use super::topic::{self, ONE_MORE, PAGE_LIMIT, Topic};
use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::params::{document, map, text};
use crate::pattern::{self, Dialect};
use crate::sqs::queue::find_by_arn;
use crate::store::{Millis, Tx};

/// Protocols that SNS knows and this stand-in does not deliver to.
const UNSERVED: &[&str] = &["application", "email", "email-json", "firehose", "sms"];
/// Attributes a subscription may have.
const ATTRIBUTES: &[&str] = &[
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RawMessageDelivery",
    "RedrivePolicy",
    "ReplayPolicy",
    "SubscriptionRoleArn",
];
/// How long an unsubscribed HTTP endpoint may take its subscription back.
const RESTORE: Millis = 3 * 24 * 3_600_000;

const CONFIRMED: i64 = 0;
const PENDING: i64 = 1;
/// Unsubscribed, and kept for a while so that the endpoint can restore it.
const REMOVED: i64 = 2;

/// A subscription as it is stored.
pub struct Subscription {
    pub arn: String,
    pub topic: String,
    pub protocol: String,
    pub endpoint: String,
    pub attributes: Map<String, Value>,
    pending: i64,
}

const COLUMNS: &str = "arn, topic, protocol, endpoint, attributes, pending";

fn read(row: &Row<'_>) -> rusqlite::Result<Subscription> {
    Ok(Subscription {
        arn: row.get(0)?,
        topic: row.get(1)?,
        protocol: row.get(2)?,
        endpoint: row.get(3)?,
        attributes: document(&row.get::<_, String>(4)?),
        pending: row.get(5)?,
    })
}

impl Subscription {
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Is the message given as it was published, without the envelope?
    pub fn raw(&self) -> bool {
        self.attribute("RawMessageDelivery") == "true"
    }

    /// The queue that takes what could not be delivered.
    pub fn dead_letters(&self) -> Option<String> {
        let policy: Value = serde_json::from_str(self.attribute("RedrivePolicy")).ok()?;
        Some(policy.get("deadLetterTargetArn")?.as_str()?.to_owned())
    }

    fn shown_arn(&self) -> &str {
        if self.pending == PENDING { "PendingConfirmation" } else { &self.arn }
    }
}

/// The confirmed subscriptions of a topic, oldest first.
pub fn of_topic(tx: &Tx<'_>, topic: &str) -> Answer<Vec<Subscription>> {
    Ok(tx
        .db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM sns_subscriptions WHERE topic = ?1 AND pending = {CONFIRMED} ORDER BY id"
        ))?
        .query_map([topic], read)?
        .collect::<Result<_, _>>()?)
}

/// The subscription of an ARN, confirmed or waiting.
pub fn find(tx: &Tx<'_>, arn: &str) -> Answer<Option<Subscription>> {
    Ok(tx
        .db
        .prepare_cached(&format!("SELECT {COLUMNS} FROM sns_subscriptions WHERE arn = ?1 AND pending < {REMOVED}"))?
        .query_row([arn], read)
        .optional()?)
}

/// Post a link with a new token to the endpoint; only the newest link of a subscription works.
fn ask(tx: &mut Tx<'_>, subscription: &Subscription, why: Link, caller: &Caller) -> Answer<()> {
    let token: String = std::iter::repeat_with(|| uuid::Uuid::new_v4().simple().to_string()).take(4).collect();
    tx.db.execute("UPDATE sns_subscriptions SET token = ?2 WHERE arn = ?1", params![subscription.arn, token])?;
    let body = notification::link(why, subscription, &token, tx.now, caller);
    deliver::post(tx, subscription, &body)
}

pub fn subscribe(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let topic = topic::of_request(tx, params)?;
    let protocol = text(params, "Protocol").unwrap_or_default();
    let endpoint = text(params, "Endpoint").unwrap_or_default();
    check_endpoint(&topic, protocol, endpoint)?;
    let mut attributes = Map::new();
    for (name, value) in map(params, "Attributes") {
        let value = value.as_str().unwrap_or_default();
        check_attribute(tx, &topic, endpoint, name, value)
            .map_err(|what| invalid(format!("Attributes Reason: {what}")))?;
        attributes.insert(name.clone(), Value::from(value));
    }
    check_scope(&attributes).map_err(|what| invalid(format!("Attributes Reason: {what}")))?;
    let existing = tx
        .db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM sns_subscriptions
             WHERE topic = ?1 AND protocol = ?2 AND endpoint = ?3 AND pending < {REMOVED}"
        ))?
        .query_row([&topic.arn, protocol, endpoint], read)
        .optional()?;
    let whole = params.get("ReturnSubscriptionArn").is_some_and(|asked| asked == true || asked == "true");
    if let Some(existing) = existing {
        if attributes.iter().any(|(name, value)| existing.attributes.get(name) != Some(value)) {
            return Err(invalid("Attributes Reason: Subscription already exists with different attributes"));
        }
        if existing.pending == PENDING {
            // Whoever asks again has missed the first message, so the endpoint is asked again.
            ask(tx, &existing, Link::Subscribe, caller)?;
        }
        return Ok(answer(&existing, whole));
    }
    let needs_confirmation = !matches!(protocol, "sqs" | "lambda");
    let subscription = Subscription {
        arn: format!("{}:{}", topic.arn, uuid::Uuid::new_v4()),
        topic: topic.arn.clone(),
        protocol: protocol.to_owned(),
        endpoint: endpoint.to_owned(),
        attributes,
        pending: if needs_confirmation { PENDING } else { CONFIRMED },
    };
    tx.db.execute(
        "INSERT INTO sns_subscriptions (arn, topic, protocol, endpoint, attributes, pending, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            subscription.arn,
            subscription.topic,
            subscription.protocol,
            subscription.endpoint,
            Value::Object(subscription.attributes.clone()).to_string(),
            subscription.pending,
            tx.now
        ],
    )?;
    if needs_confirmation {
        ask(tx, &subscription, Link::Subscribe, caller)?;
    }
    Ok(answer(&subscription, whole))
}

fn answer(subscription: &Subscription, whole: bool) -> Value {
    let arn = if subscription.pending == PENDING && !whole { "pending confirmation" } else { &subscription.arn };
    json!({ "SubscriptionArn": arn })
}

fn check_endpoint(topic: &Topic, protocol: &str, endpoint: &str) -> Answer<()> {
    match protocol {
        "sqs" => {
            let parts: Vec<&str> = endpoint.split(':').collect();
            if !matches!(parts[..], ["arn", _, "sqs", _, _, _]) {
                return Err(invalid("SQS endpoint ARN"));
            }
            if endpoint.ends_with(".fifo") && !topic.fifo() {
                return Err(invalid(
                    "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
                ));
            }
            Ok(())
        }
        "lambda" if !topic.fifo() => match endpoint.split(':').collect::<Vec<_>>()[..] {
            ["arn", _, "lambda", _, _, "function", ..] => Ok(()),
            _ => Err(invalid("Lambda endpoint ARN")),
        },
        "http" | "https" | "lambda" if topic.fifo() => Err(invalid(format!(
            "Invalid parameter: Endpoint Reason: Please use FIFO SQS queue: {protocol} is no protocol of FIFO topics"
        ))),
        "http" | "https" => {
            let good = endpoint.starts_with(&format!("{protocol}://")) && endpoint.parse::<http::Uri>().is_ok();
            if good { Ok(()) } else { Err(invalid("Endpoint must match the specified protocol")) }
        }
        _ if UNSERVED.contains(&protocol) => Err(invalid(format!(
            "the laptop's SNS delivers to sqs, lambda, http and https, it cannot deliver to {protocol}"
        ))),
        _ => Err(invalid(format!("Amazon SNS does not support this protocol string: {protocol}"))),
    }
}

/// Check one attribute; the error is the text after "Invalid parameter: ".
fn check_attribute(tx: &Tx<'_>, topic: &Topic, endpoint: &str, name: &str, value: &str) -> Result<(), String> {
    match name {
        "RawMessageDelivery" if !matches!(value.to_lowercase().as_str(), "true" | "false") => {
            Err(format!("RawMessageDelivery: Invalid value [{value}]. Must be true or false."))
        }
        "FilterPolicyScope" if !matches!(value, "MessageAttributes" | "MessageBody") => Err(format!(
            "FilterPolicyScope: Invalid value [{value}]. Please use either MessageBody or MessageAttributes"
        )),
        "FilterPolicy" if !value.is_empty() => {
            pattern::compile(value, Dialect::Sns).map(|_| ()).map_err(|what| format!("FilterPolicy: {what}"))
        }
        "RedrivePolicy" if !value.is_empty() => check_redrive(tx, topic, endpoint, value),
        "DeliveryPolicy" if !value.is_empty() && serde_json::from_str::<Map<String, Value>>(value).is_err() => {
            Err("DeliveryPolicy: failed to parse JSON.".to_owned())
        }
        name if ATTRIBUTES.contains(&name) => Ok(()),
        _ => Err("AttributeName".to_owned()),
    }
}

fn check_redrive(tx: &Tx<'_>, topic: &Topic, endpoint: &str, policy: &str) -> Result<(), String> {
    let Ok(members) = serde_json::from_str::<Map<String, Value>>(policy) else {
        return Err("RedrivePolicy: failed to parse JSON.".to_owned());
    };
    let target = members.get("deadLetterTargetArn").and_then(Value::as_str).unwrap_or_default();
    if !matches!(target.split(':').collect::<Vec<_>>()[..], ["arn", _, "sqs", _, _, _]) {
        return Err("RedrivePolicy: deadLetterTargetArn is an invalid arn".to_owned());
    }
    if topic.fifo() && endpoint.ends_with(".fifo") && !target.ends_with(".fifo") {
        return Err("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.".to_owned());
    }
    // AWS takes the ARN of a queue that is not there yet; so does this, and says it in the log.
    if !find_by_arn(tx, target).is_ok_and(|queue| queue.is_some()) {
        tracing::warn!(%target, "the dead-letter queue of a subscription does not exist");
    }
    Ok(())
}

/// A policy that looks into objects needs the scope that has objects.
fn check_scope(attributes: &Map<String, Value>) -> Result<(), String> {
    let value = |name: &str| attributes.get(name).and_then(Value::as_str).unwrap_or_default();
    let nested = pattern::compile(value("FilterPolicy"), Dialect::Sns).is_ok_and(|policy| policy.is_nested());
    if nested && value("FilterPolicyScope") != "MessageBody" {
        return Err("Filter policy scope MessageAttributes does not support nested filter policy".to_owned());
    }
    Ok(())
}

/// ConfirmSubscription, by the endpoint's owner or by a visit of the link that was posted to it.
pub fn confirm(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let token = text(params, "Token").unwrap_or_default();
    if token.len() < 64 || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(ServiceError::sender("InvalidParameter", 400, "Invalid token"));
    }
    let found = tx
        .db
        .query_row(&format!("SELECT {COLUMNS} FROM sns_subscriptions WHERE token = ?1"), [token], read)
        .optional()?
        .ok_or_else(|| invalid("Token"))?;
    if text(params, "TopicArn") != Some(&found.topic) {
        return Err(invalid("Topic"));
    }
    tx.db.execute("UPDATE sns_subscriptions SET pending = ?2 WHERE arn = ?1", params![found.arn, CONFIRMED])?;
    Ok(json!({ "SubscriptionArn": found.arn }))
}

pub fn unsubscribe(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let arn = text(params, "SubscriptionArn").unwrap_or_default();
    if arn.is_empty() {
        return Err(invalid("SubscriptionArn Reason: no value for required parameter"));
    }
    check_arn("SubscriptionArn", arn)?;
    if arn.rsplit(':').next().is_none_or(|id| uuid::Uuid::try_parse(id).is_err()) {
        return Err(invalid("SubscriptionId"));
    }
    let Some(subscription) = find(tx, arn)? else {
        return Ok(json!({}));
    };
    tx.db.execute(
        "UPDATE sns_topics SET deleted_subscriptions = deleted_subscriptions + 1 WHERE arn = ?1",
        [&subscription.topic],
    )?;
    if subscription.protocol == "sqs" || subscription.pending == PENDING {
        tx.db.execute("DELETE FROM sns_subscriptions WHERE arn = ?1", [arn])?;
        return Ok(json!({}));
    }
    tx.db.execute(
        "UPDATE sns_subscriptions SET pending = ?2, created_at = ?3 WHERE arn = ?1",
        params![arn, REMOVED, tx.now],
    )?;
    ask(tx, &subscription, Link::Restore, caller)?;
    Ok(json!({}))
}

pub fn list(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let prefix = format!("arn:aws:sns:{}:{}:", caller.region, caller.account);
    page(tx, params, "substr(topic, 1, length(?1)) = ?1", &prefix)
}

pub fn list_by_topic(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let topic = topic::of_request(tx, params)?;
    page(tx, params, "topic = ?1", &topic.arn)
}

fn page(tx: &Tx<'_>, params: &Value, which: &str, of: &str) -> Answer {
    let after = text(params, "NextToken").unwrap_or_default();
    let rows: Vec<Subscription> = tx
        .db
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM sns_subscriptions
             WHERE {which} AND arn > ?2 AND pending < {REMOVED} ORDER BY arn LIMIT ?3"
        ))?
        .query_map(params![of, after, ONE_MORE], read)?
        .collect::<Result<_, _>>()?;
    let shown: Vec<Value> = rows.iter().take(PAGE_LIMIT).map(show).collect();
    let mut answer = json!({ "Subscriptions": shown });
    if rows.len() > PAGE_LIMIT {
        answer["NextToken"] = Value::from(rows[PAGE_LIMIT - 1].arn.as_str());
    }
    Ok(answer)
}

fn show(subscription: &Subscription) -> Value {
    json!({
        "SubscriptionArn": subscription.shown_arn(),
        "Owner": owner(subscription),
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "TopicArn": subscription.topic,
    })
}

fn owner(subscription: &Subscription) -> &str {
    subscription.topic.split(':').nth(4).unwrap_or_default()
}

fn of_request(tx: &Tx<'_>, params: &Value) -> Answer<Subscription> {
    let arn = text(params, "SubscriptionArn").unwrap_or_default();
    check_arn("SubscriptionArn", arn)?;
    find(tx, arn)?.ok_or_else(no_subscription)
}

pub fn get_attributes(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let subscription = of_request(tx, params)?;
    let account = owner(&subscription).to_owned();
    let mut attributes = subscription.attributes.clone();
    let mut put = |name: &str, value: &str| {
        attributes.entry(name).or_insert_with(|| Value::from(value));
    };
    put("ConfirmationWasAuthenticated", if subscription.protocol == "sqs" { "true" } else { "false" });
    put("Endpoint", &subscription.endpoint);
    put("Owner", &account);
    put("PendingConfirmation", if subscription.pending == PENDING { "true" } else { "false" });
    put("Protocol", &subscription.protocol);
    put("RawMessageDelivery", "false");
    put("SubscriptionArn", &subscription.arn);
    put("SubscriptionPrincipal", &format!("arn:aws:iam::{account}:user/laptop"));
    put("TopicArn", &subscription.topic);
    if subscription.attribute("FilterPolicy").is_empty() {
        attributes.shift_remove("FilterPolicy");
        attributes.shift_remove("FilterPolicyScope");
    } else {
        attributes.entry("FilterPolicyScope").or_insert_with(|| Value::from("MessageAttributes"));
    }
    attributes.sort_keys();
    Ok(json!({ "Attributes": attributes }))
}

pub fn set_attributes(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let mut subscription = of_request(tx, params)?;
    let topic = topic::find(tx, &subscription.topic)?.ok_or_else(no_subscription)?;
    let name = text(params, "AttributeName").unwrap_or_default();
    let value = text(params, "AttributeValue").unwrap_or_default();
    check_attribute(tx, &topic, &subscription.endpoint, name, value).map_err(invalid)?;
    if value.is_empty() {
        subscription.attributes.shift_remove(name);
    } else {
        subscription.attributes.insert(name.to_owned(), Value::from(value));
    }
    check_scope(&subscription.attributes).map_err(invalid)?;
    tx.db.execute(
        "UPDATE sns_subscriptions SET attributes = ?2 WHERE arn = ?1",
        params![subscription.arn, Value::Object(subscription.attributes).to_string()],
    )?;
    Ok(json!({}))
}

/// Forget subscriptions that nobody took back.
pub fn sweep(tx: &Tx<'_>) -> Answer<()> {
    tx.db.execute(
        "DELETE FROM sns_subscriptions WHERE pending = ?1 AND created_at <= ?2",
        params![REMOVED, tx.now - RESTORE],
    )?;
    Ok(())
}
