//! What a message is: its body, its attributes, the digests by which clients check both, and the rules a message must
//! keep before a queue takes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use serde_json::{Map, Value};

use super::error::{error, invalid, invalid_value, missing};
use super::queue::Queue;
use crate::error::Answer;
use crate::params::{map, number, text};

/// How many attributes a message may carry.
const ATTRIBUTE_LIMIT: usize = 10;
/// The longest name of an attribute, and the longest group or deduplication id.
const NAME_LIMIT: usize = 256;
const ID_LIMIT: usize = 128;

/// AWS's text for a FIFO message that nobody can tell from its repetition.
pub const NO_DEDUPLICATION_ID: &str =
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly";

/// A message on its way into a queue.
#[derive(Debug, Clone, Default)]
pub struct Message {
    pub body: String,
    /// The user's attributes, as they came: name → `{DataType, StringValue | BinaryValue}`.
    pub attributes: Map<String, Value>,
    /// System attributes that stay with the message: SenderId, AWSTraceHeader, MessageDeduplicationId, SequenceNumber,
    /// DeadLetterQueueSourceArn.
    pub system: Map<String, Value>,
    /// Seconds until it can be received; the queue's own delay if it does not say.
    pub delay: Option<i64>,
    pub group: Option<String>,
    pub deduplication_id: Option<String>,
}

/// Read a message from a request or from an entry of a batch.
pub fn read(params: &Value, queue: &Queue, sender: &str) -> Answer<Message> {
    let body = text(params, "MessageBody").filter(|body| !body.is_empty()).ok_or_else(|| missing("MessageBody"))?;
    check_body(body)?;
    let attributes: Map<String, Value> =
        map(params, "MessageAttributes").map(|(name, value)| (name.clone(), value.clone())).collect();
    check_attributes(&attributes)?;
    let mut system = Map::new();
    system.insert("SenderId".to_owned(), Value::from(sender));
    for (name, value) in map(params, "MessageSystemAttributes") {
        if name != "AWSTraceHeader" {
            return Err(invalid(format!("Message system attribute name '{name}' is invalid.")));
        }
        let value = text(value, "StringValue").unwrap_or_default();
        system.insert(name.clone(), Value::from(value));
    }
    let message = Message {
        body: body.to_owned(),
        attributes,
        system,
        delay: number(params, "DelaySeconds"),
        group: text(params, "MessageGroupId").map(str::to_owned),
        deduplication_id: text(params, "MessageDeduplicationId").map(str::to_owned),
    };
    check_queue_type(&message, queue)?;
    let limit = queue.number("MaximumMessageSize");
    if message.size() > usize::try_from(limit).unwrap_or(usize::MAX) {
        return Err(invalid(format!(
            "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
        )));
    }
    Ok(message)
}

impl Message {
    /// Bytes that count towards the limits: the body, and each attribute's name, type and value.
    pub fn size(&self) -> usize {
        let attributes: usize = self
            .attributes
            .iter()
            .map(|(name, value)| {
                name.len() + text(value, "DataType").unwrap_or_default().len() + value_bytes(value).len()
            })
            .sum();
        self.body.len() + attributes
    }

    /// The answer's fields that let the sender check what arrived.
    pub fn digests(&self) -> Map<String, Value> {
        let mut digests = Map::new();
        digests.insert("MD5OfMessageBody".to_owned(), Value::from(digest_of_body(&self.body)));
        if let Some(digest) = digest_of_attributes(self.attributes.iter()) {
            digests.insert("MD5OfMessageAttributes".to_owned(), Value::from(digest));
        }
        if let Some(trace) = self.system.get("AWSTraceHeader") {
            let attribute = serde_json::json!({ "DataType": "String", "StringValue": trace });
            let name = "AWSTraceHeader".to_owned();
            if let Some(digest) = digest_of_attributes([(&name, &attribute)].into_iter()) {
                digests.insert("MD5OfMessageSystemAttributes".to_owned(), Value::from(digest));
            }
        }
        digests
    }
}

fn check_body(body: &str) -> Answer<()> {
    let bad = body
        .chars()
        .find(|&char| !matches!(char, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..));
    match bad {
        None => Ok(()),
        Some(char) => Err(error(
            "InvalidMessageContents",
            format!(
                "Invalid binary character '#x{:X}' was found in the message body, the set of allowed characters is #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF",
                u32::from(char)
            ),
        )),
    }
}

fn check_attributes(attributes: &Map<String, Value>) -> Answer<()> {
    if attributes.len() > ATTRIBUTE_LIMIT {
        return Err(invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{ATTRIBUTE_LIMIT}].",
            attributes.len()
        )));
    }
    for (name, value) in attributes {
        let good_name = !name.is_empty()
            && name.len() <= NAME_LIMIT
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
            && !name.starts_with('.')
            && !name.ends_with('.')
            && !name.contains("..");
        if !good_name {
            return Err(invalid(format!(
                "Message (user) attribute name '{name}' is invalid. Can only include alphanumeric characters, hyphens, underscores, or dots, may not begin or end with a dot or have successive dots, and be 1 to 256 in length."
            )));
        }
        let data_type = text(value, "DataType").unwrap_or_default();
        if data_type.is_empty() {
            return Err(invalid(format!(
                "The message attribute '{name}' must contain a non-empty message attribute type."
            )));
        }
        let base = data_type.split('.').next().unwrap_or_default();
        if !matches!(base, "String" | "Number" | "Binary") {
            return Err(invalid(format!(
                "The type of message (user) attribute '{name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String."
            )));
        }
        let held = if base == "Binary" { text(value, "BinaryValue") } else { text(value, "StringValue") };
        if held.is_none_or(str::is_empty) {
            return Err(invalid(format!(
                "Message (user) attribute '{name}' must contain a non-empty value of type '{}'.",
                if base == "Binary" { "Binary" } else { "String" }
            )));
        }
        if base == "Number" && held.is_none_or(|held| held.trim().parse::<f64>().is_err()) {
            return Err(invalid(format!("Can't cast the value of message (user) attribute '{name}' to a number.")));
        }
    }
    Ok(())
}

fn check_queue_type(message: &Message, queue: &Queue) -> Answer<()> {
    if let Some(delay) = message.delay {
        if !(0..=900).contains(&delay) {
            return Err(invalid_value(delay, "DelaySeconds", "DelaySeconds must be >= 0 and <= 900."));
        }
        if queue.fifo() && delay > 0 {
            return Err(invalid_value(
                delay,
                "DelaySeconds",
                "The request include parameter that is not valid for this queue type.",
            ));
        }
    }
    for (id, parameter) in [(&message.group, "MessageGroupId"), (&message.deduplication_id, "MessageDeduplicationId")] {
        let good = id
            .as_ref()
            .is_none_or(|id| (1..=ID_LIMIT).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
        if !good {
            return Err(invalid_value(
                id.as_deref().unwrap_or_default(),
                parameter,
                &format!("{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length."),
            ));
        }
    }
    if !queue.fifo() {
        // A group on a standard queue is allowed: there it only asks for fairness.
        return match &message.deduplication_id {
            None => Ok(()),
            Some(id) => Err(invalid_value(
                id,
                "MessageDeduplicationId",
                "The request includes a parameter that is not valid for this queue type",
            )),
        };
    }
    if message.group.is_none() {
        return Err(missing("MessageGroupId"));
    }
    if message.deduplication_id.is_none() && queue.attribute("ContentBasedDeduplication") != "true" {
        return Err(invalid(NO_DEDUPLICATION_ID));
    }
    Ok(())
}

/// The MD5 of a body, in hex.
pub fn digest_of_body(body: &str) -> String {
    hex(&Md5::digest(body.as_bytes()))
}

/// The MD5 over attributes as AWS defines it: sorted by name; each name, type and value with its length before it. None
/// if there are no attributes.
pub fn digest_of_attributes<'a>(attributes: impl Iterator<Item = (&'a String, &'a Value)>) -> Option<String> {
    let mut sorted: Vec<_> = attributes.collect();
    if sorted.is_empty() {
        return None;
    }
    sorted.sort_by(|left, right| left.0.cmp(right.0));
    let mut bytes = Vec::new();
    for (name, value) in sorted {
        let data_type = text(value, "DataType").unwrap_or_default();
        add(&mut bytes, name.as_bytes());
        add(&mut bytes, data_type.as_bytes());
        bytes.push(if data_type.starts_with("Binary") { 2 } else { 1 });
        add(&mut bytes, &value_bytes(value));
    }
    Some(hex(&Md5::digest(&bytes)))
}

fn add(bytes: &mut Vec<u8>, part: &[u8]) {
    let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(part);
}

fn value_bytes(value: &Value) -> Vec<u8> {
    match (text(value, "BinaryValue"), text(value, "StringValue")) {
        (Some(binary), _) => STANDARD.decode(binary).unwrap_or_default(),
        (None, Some(string)) => string.as_bytes().to_vec(),
        (None, None) => Vec::new(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Digests that AWS itself gave for these attributes.
    #[test]
    fn digests_are_those_of_aws() {
        let digest =
            |attributes: Value| digest_of_attributes(attributes.as_object().unwrap().iter()).unwrap_or_default();
        assert_eq!(digest_of_body("message-body-1"), "19c9e282d65f9733bc6b35d50062c7ee");
        assert_eq!(
            digest(json!({ "Foo": { "DataType": "String", "StringValue": "Bar" } })),
            "ae7155c6026991b6d54b11589678bf9c"
        );
        assert_eq!(
            digest(json!({
                "Help.Me": { "DataType": "String", "StringValue": "Me" },
                "Hello": { "DataType": "String", "StringValue": "There" },
                "General": { "DataType": "String", "StringValue": "Kenobi" },
            })),
            "4c360f3fdafd970e05fae2f149d997f5"
        );
        assert_eq!(
            digest(json!({
                "attr1": { "DataType": "Number", "StringValue": "99.12" },
                "attr2": { "DataType": "Number", "StringValue": "109.12" },
            })),
            "9b720b3af309c1c4b0d395c53b08c502"
        );
        let binary = STANDARD.encode(b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01");
        assert_eq!(
            digest(json!({ "attr1": { "DataType": "Binary", "BinaryValue": binary } })),
            "8cbe4db156db8a94db8b801b7addb984"
        );
    }
}
