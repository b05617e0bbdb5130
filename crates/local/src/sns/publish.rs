//! Publishing: what a message has to be, which subscriptions want it, and its delivery to queues, which happens in the
//! transaction that takes the message: when the publisher is answered, the message is in the queues.

use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value, json};

use super::deliver;
use super::error::{bad_attribute, check_arn, invalid, no_topic};
use super::notification::notification;
use super::subscription::{self, Subscription};
use super::topic::{self, Topic};
use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::params::{list, map, text};
use crate::pattern::{self, Dialect};
use crate::sqs::fifo;
use crate::sqs::message::Message as QueueMessage;
use crate::sqs::queue::find_by_arn;
use crate::sqs::send::enqueue;
use crate::store::Tx;

/// The most bytes of a message with its attributes.
const SIZE_LIMIT: usize = 262_144;
/// The longest subject.
const SUBJECT_LIMIT: usize = 100;
/// The longest name of a message attribute.
const NAME_LIMIT: usize = 256;
/// How many messages a batch may have.
const BATCH_LIMIT: usize = 10;
/// SQS takes no more attributes than this, so a raw delivery with more cannot be made.
const RAW_ATTRIBUTES: usize = 10;
/// Whom SQS shows as the sender of what SNS delivers.
const SENDER: &str = "AIDAIT2UOQQY3AUEKVGXU";

/// A message that has been taken.
pub struct Message {
    pub id: String,
    pub subject: Option<String>,
    pub attributes: Map<String, Value>,
    pub sequence_number: Option<String>,
    version: String,
    text: Text,
    group: Option<String>,
    deduplication_id: Option<String>,
}

/// What is said: the same to all, or something else per protocol.
enum Text {
    Same(String),
    PerProtocol(Map<String, Value>),
}

impl Message {
    /// The version of the signature that the topic asks for.
    pub fn signature_version(&self) -> &str {
        if self.version.is_empty() { "1" } else { &self.version }
    }

    fn text_for(&self, protocol: &str) -> &str {
        match &self.text {
            Text::Same(text) => text,
            Text::PerProtocol(texts) => {
                texts.get(protocol).or_else(|| texts.get("default")).and_then(Value::as_str).unwrap_or_default()
            }
        }
    }
}

fn read(params: &Value, topic: &Topic, path: &str) -> Answer<Message> {
    let said = text(params, "Message").filter(|said| !said.is_empty()).ok_or_else(|| invalid("Empty message"))?;
    let subject = text(params, "Subject");
    if subject.is_some_and(|subject| {
        subject.is_empty() || subject.chars().count() > SUBJECT_LIMIT || subject.contains(char::is_control)
    }) {
        return Err(invalid("Subject"));
    }
    let attributes: Map<String, Value> =
        map(params, "MessageAttributes").map(|(name, value)| (name.clone(), value.clone())).collect();
    for (name, attribute) in &attributes {
        check_attribute(name, attribute, path)?;
    }
    if said.len() + size(&attributes) > SIZE_LIMIT {
        return Err(invalid("Message too long"));
    }
    let structured = match text(params, "MessageStructure") {
        None | Some("") => Text::Same(said.to_owned()),
        Some("json") => per_protocol(said)?,
        Some(_) => return Err(invalid("MessageStructure")),
    };
    let group = text(params, "MessageGroupId").map(str::to_owned);
    let mut deduplication_id = text(params, "MessageDeduplicationId").map(str::to_owned);
    if topic.fifo() {
        if group.is_none() {
            return Err(invalid("The MessageGroupId parameter is required for FIFO topics"));
        }
        if deduplication_id.is_none() {
            if topic.attribute("ContentBasedDeduplication") != "true" {
                return Err(invalid(
                    "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
                ));
            }
            deduplication_id = Some(fifo::content_id(said));
        }
    } else if deduplication_id.is_some() {
        return Err(invalid(
            "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type",
        ));
    }
    Ok(Message {
        id: uuid::Uuid::new_v4().to_string(),
        subject: subject.map(str::to_owned),
        attributes,
        sequence_number: None,
        version: topic.attribute("SignatureVersion").to_owned(),
        text: structured,
        group,
        deduplication_id,
    })
}

fn per_protocol(said: &str) -> Answer<Text> {
    let Ok(Value::Object(texts)) = serde_json::from_str(said) else {
        return Err(invalid("Message Structure - JSON message body failed to parse"));
    };
    if !texts.get("default").is_some_and(Value::is_string) {
        return Err(invalid("Message Structure - No default entry in JSON message body"));
    }
    Ok(Text::PerProtocol(texts))
}

fn size(attributes: &Map<String, Value>) -> usize {
    let part = |attribute: &Value, name: &str| text(attribute, name).map_or(0, str::len);
    attributes
        .iter()
        .map(|(name, value)| {
            name.len() + part(value, "DataType") + part(value, "StringValue") + part(value, "BinaryValue") * 3 / 4
        })
        .sum()
}

fn check_attribute(name: &str, attribute: &Value, path: &str) -> Answer<()> {
    if name.len() > NAME_LIMIT {
        return Err(bad_attribute("Length of message attribute name must be less than 256 bytes."));
    }
    if let Some(char) = name.chars().find(|char| !char.is_ascii_alphanumeric() && !matches!(char, '-' | '_' | '.')) {
        return Err(bad_attribute(format!(
            "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. Can only include alphanumeric characters, hyphens, underscores, or dots.",
            u32::from(char)
        )));
    }
    if name.starts_with('.') {
        return Err(bad_attribute("Invalid message attribute name starting with character '.' was found."));
    }
    if name.ends_with('.') {
        return Err(bad_attribute("Invalid message attribute name ending with character '.' was found."));
    }
    if name.contains("..") {
        return Err(bad_attribute("Message attribute name can not have successive '.' character."));
    }
    let Some(data_type) = text(attribute, "DataType") else {
        return Err(ServiceError::sender(
            "ValidationError",
            400,
            format!(
                "1 validation error detected: Value null at '{path}messageAttributes.{name}.member.dataType' failed to satisfy constraint: Member must not be null"
            ),
        ));
    };
    let base = data_type.split('.').next().unwrap_or_default();
    let (own, other) = match base {
        "String" | "Number" => ("StringValue", "BinaryValue"),
        "Binary" => ("BinaryValue", "StringValue"),
        _ => {
            return Err(bad_attribute(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
            )));
        }
    };
    let held = |name: &str| text(attribute, name).filter(|value| !value.is_empty());
    if held(own).is_none() && held(other).is_some() {
        return Err(bad_attribute(format!(
            "The message attribute '{name}' with type '{data_type}' must use field '{}'.",
            own.trim_end_matches("Value")
        )));
    }
    let Some(value) = held(own) else {
        return Err(bad_attribute(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for message attribute type '{data_type}'."
        )));
    };
    if base == "Number" && value.trim().parse::<f64>().is_err() {
        return Err(bad_attribute(format!("Could not cast message attribute '{name}' value to number.")));
    }
    Ok(())
}

/// The topic that a message is for. A target that is no topic is an endpoint of a phone, of which there are none.
fn topic_of(tx: &Tx<'_>, params: &Value) -> Answer<Topic> {
    if text(params, "PhoneNumber").is_some() {
        return Err(invalid("PhoneNumber Reason: the laptop's SNS sends no text messages"));
    }
    let (parameter, arn) = match (text(params, "TopicArn"), text(params, "TargetArn")) {
        (Some(arn), _) => ("TopicArn", arn),
        (None, Some(arn)) => ("TargetArn", arn),
        (None, None) => return Err(invalid("TopicArn or TargetArn Reason: no value for required parameter")),
    };
    check_arn(parameter, arn)?;
    if parameter == "TargetArn" && arn.contains(":endpoint/") {
        return Err(invalid("TargetArn Reason: No endpoint found for the target arn specified"));
    }
    topic::find(tx, arn)?.ok_or_else(no_topic)
}

pub fn publish(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    // AWS looks at the message's emptiness before it looks for the topic.
    if text(params, "Message").is_none_or(str::is_empty) {
        return Err(invalid("Empty message"));
    }
    let topic = topic_of(tx, params)?;
    let message = read(params, &topic, "")?;
    Ok(answer(take(tx, &topic, message, caller)?))
}

pub fn publish_batch(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let entries = list(params, "PublishBatchRequestEntries");
    let refuse = |code: &str, text: &str| Err(ServiceError::sender(code, 400, text));
    if entries.len() > BATCH_LIMIT {
        return refuse("TooManyEntriesInBatchRequest", "The batch request contains more entries than permissible.");
    }
    let topic = topic::of_request(tx, params)?;
    if entries.is_empty() {
        return refuse("EmptyBatchRequest", "The batch request doesn't contain any entries.");
    }
    let mut ids = std::collections::HashSet::new();
    for entry in entries {
        let id = text(entry, "Id").unwrap_or_default();
        let good = (1..=80).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !good {
            return refuse(
                "InvalidBatchEntryId",
                "The Id of a batch entry in a batch request doesn't abide by the specification.",
            );
        }
        if !ids.insert(id) {
            return refuse("BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.");
        }
    }
    // AWS refuses the whole batch for a message that is not as it has to be.
    let messages = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| read(entry, &topic, &format!("publishBatchRequestEntries.{}.member.", index + 1)))
        .collect::<Answer<Vec<_>>>()?;
    let mut successful = Vec::new();
    for (entry, message) in entries.iter().zip(messages) {
        let mut taken = json!({ "Id": entry["Id"] });
        if let (Value::Object(taken), Value::Object(answer)) = (&mut taken, answer(take(tx, &topic, message, caller)?))
        {
            taken.extend(answer);
        }
        successful.push(taken);
    }
    Ok(json!({ "Successful": successful, "Failed": [] }))
}

fn answer((id, sequence_number): (String, Option<String>)) -> Value {
    let mut answer = json!({ "MessageId": id });
    if let Some(number) = sequence_number {
        answer["SequenceNumber"] = Value::from(number);
    }
    answer
}

/// Take a message: number it, recognise its repetition, and bring it to everybody who wants it.
fn take(tx: &mut Tx<'_>, topic: &Topic, mut message: Message, caller: &Caller) -> Answer<(String, Option<String>)> {
    if topic.fifo() {
        if let Some(earlier) = repeats(tx, topic, &message)? {
            return Ok(earlier);
        }
        let number = fifo::sequence_number(tx.next_number("sns")?);
        remember(tx, topic, &message, &number)?;
        message.sequence_number = Some(number);
    }
    for subscription in subscription::of_topic(tx, &topic.arn)? {
        if wants(&subscription, &message) {
            bring(tx, &subscription, &message, caller)?;
        }
    }
    Ok((message.id, message.sequence_number))
}

fn scope<'a>(topic: &Topic, message: &'a Message) -> &'a str {
    match topic.attribute("FifoThroughputScope") {
        "MessageGroup" => message.group.as_deref().unwrap_or_default(),
        _ => "",
    }
}

fn repeats(tx: &Tx<'_>, topic: &Topic, message: &Message) -> Answer<Option<(String, Option<String>)>> {
    Ok(tx
        .db
        .prepare_cached(
            "SELECT message_id, sequence_number FROM sns_deduplication
             WHERE topic = ?1 AND scope = ?2 AND deduplication_id = ?3 AND expires_at > ?4",
        )?
        .query_row(params![topic.arn, scope(topic, message), message.deduplication_id, tx.now], |row| {
            Ok((row.get(0)?, Some(row.get(1)?)))
        })
        .optional()?)
}

fn remember(tx: &Tx<'_>, topic: &Topic, message: &Message, number: &str) -> Answer<()> {
    tx.db
        .prepare_cached(
            "INSERT OR REPLACE INTO sns_deduplication
                (topic, scope, deduplication_id, message_id, sequence_number, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            topic.arn,
            scope(topic, message),
            message.deduplication_id,
            message.id,
            number,
            tx.now + fifo::DEDUPLICATION
        ])?;
    Ok(())
}

fn wants(subscription: &Subscription, message: &Message) -> bool {
    let policy = subscription.attribute("FilterPolicy");
    if policy.is_empty() {
        return true;
    }
    match pattern::compile(policy, Dialect::Sns) {
        Ok(policy) if subscription.attribute("FilterPolicyScope") == "MessageBody" => {
            policy.wants_body(message.text_for(&subscription.protocol))
        }
        Ok(policy) => policy.wants_attributes(&message.attributes),
        // It was checked when it was set; a policy that nobody can read lets nothing through.
        Err(_) => false,
    }
}

fn bring(tx: &mut Tx<'_>, subscription: &Subscription, message: &Message, caller: &Caller) -> Answer<()> {
    let said = message.text_for(&subscription.protocol);
    let raw = subscription.raw() && subscription.protocol != "lambda";
    let body = if raw { said.to_owned() } else { notification(message, said, subscription, tx.now, caller) };
    if subscription.protocol == "lambda" {
        // Functions are always told in the envelope, and in a record.
        let envelope: Value = serde_json::from_str(&body).unwrap_or_default();
        return deliver::to_function(tx, subscription, envelope);
    }
    if subscription.protocol != "sqs" {
        return deliver::post_message(tx, subscription, message, &body);
    }
    let attributes = if subscription.raw() { message.attributes.clone() } else { Map::new() };
    let to_queue = QueueMessage {
        body,
        attributes,
        system: Map::from_iter([("SenderId".to_owned(), Value::from(SENDER))]),
        delay: None,
        group: message.group.clone(),
        deduplication_id: message.deduplication_id.clone(),
    };
    if !into_queue(tx, &subscription.endpoint, &to_queue)? {
        bury(tx, subscription, to_queue)?;
    }
    Ok(())
}

/// Put a message into the queue of an ARN; false if the queue is not there or does not take it.
fn into_queue(tx: &mut Tx<'_>, arn: &str, message: &QueueMessage) -> Answer<bool> {
    let Some(queue) = find_by_arn(tx, arn)? else {
        return Ok(false);
    };
    let limit = usize::try_from(queue.number("MaximumMessageSize")).unwrap_or(usize::MAX);
    if message.size() > limit || message.attributes.len() > RAW_ATTRIBUTES {
        return Ok(false);
    }
    let mut message = message.clone();
    if !queue.fifo() {
        // A FIFO topic shows nothing of its groups to a standard queue.
        message.deduplication_id = None;
        message.group = None;
    } else if message.group.is_none() {
        return Ok(false);
    }
    enqueue(tx, &queue, message)?;
    Ok(true)
}

/// What could not be delivered goes to the subscription's dead letters, or is lost, which the log says.
pub fn bury(tx: &mut Tx<'_>, subscription: &Subscription, message: QueueMessage) -> Answer<()> {
    if let Some(target) = subscription.dead_letters()
        && into_queue(tx, &target, &message)?
    {
        return Ok(());
    }
    tracing::warn!(
        subscription = %subscription.arn, endpoint = %subscription.endpoint,
        "a message could not be delivered and there is no dead-letter queue for it"
    );
    Ok(())
}

/// Forget deduplication ids past their five minutes.
pub fn sweep(tx: &Tx<'_>) -> Answer<()> {
    tx.db.execute("DELETE FROM sns_deduplication WHERE expires_at <= ?1", [tx.now])?;
    Ok(())
}
