//! What a subscriber gets to see: the JSON envelope as AWS writes it, byte for byte in its layout, and the messages with
//! a link to confirm or to restore a subscription.
//!
//! The signature has the form of AWS's and signs nothing: a verifier accepts only certificates of amazonaws.com, which
//! nobody else can have.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::publish::Message;
use super::subscription::Subscription;
use crate::caller::Caller;
use crate::params::text;
use crate::store::Millis;

/// Why a link is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// To confirm a new subscription.
    Subscribe,
    /// To take back one that was ended.
    Restore,
}

/// The moment in AWS's form, with milliseconds.
pub fn timestamp(at: Millis) -> String {
    let moment = jiff::Timestamp::from_millisecond(at).unwrap_or_default();
    format!("{moment:.3}")
}

/// The envelope of a published message.
pub fn notification(message: &Message, body: &str, subscription: &Subscription, at: Millis, caller: &Caller) -> String {
    let mut lines = Lines::default();
    lines.put("Type", "Notification");
    lines.put("MessageId", &message.id);
    if let Some(number) = &message.sequence_number {
        lines.put("SequenceNumber", number);
    }
    lines.put("TopicArn", &subscription.topic);
    if let Some(subject) = &message.subject {
        lines.put("Subject", subject);
    }
    lines.put("Message", body);
    lines.put("Timestamp", &timestamp(at));
    if message.sequence_number.is_none() {
        sign(&mut lines, message.signature_version(), caller);
    }
    lines.put(
        "UnsubscribeURL",
        &format!("{}/?Action=Unsubscribe&SubscriptionArn={}", caller.base_url, subscription.arn),
    );
    if !message.attributes.is_empty() {
        lines.0.push(format!("  \"MessageAttributes\" : {}", attributes(&message.attributes)));
    }
    lines.finish()
}

/// A message with a link that confirms or restores a subscription.
pub fn link(why: Link, subscription: &Subscription, token: &str, at: Millis, caller: &Caller) -> String {
    let (kind, message) = match why {
        Link::Subscribe => (
            "SubscriptionConfirmation",
            format!(
                "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit the SubscribeURL included in this message.",
                subscription.topic
            ),
        ),
        Link::Restore => (
            "UnsubscribeConfirmation",
            format!(
                "You have chosen to deactivate subscription {}.\nTo cancel this operation and restore the subscription, visit the SubscribeURL included in this message.",
                subscription.arn
            ),
        ),
    };
    let mut lines = Lines::default();
    lines.put("Type", kind);
    lines.put("MessageId", &uuid::Uuid::new_v4().to_string());
    lines.put("Token", token);
    lines.put("TopicArn", &subscription.topic);
    lines.put("Message", &message);
    lines.put(
        "SubscribeURL",
        &format!("{}/?Action=ConfirmSubscription&TopicArn={}&Token={token}", caller.base_url, subscription.topic),
    );
    lines.put("Timestamp", &timestamp(at));
    sign(&mut lines, "1", caller);
    lines.finish()
}

fn sign(lines: &mut Lines, version: &str, caller: &Caller) {
    let digest = Sha256::digest(lines.0.join("\n").as_bytes());
    lines.put("SignatureVersion", version);
    lines.put("Signature", &STANDARD.encode(digest));
    lines.put(
        "SigningCertURL",
        &format!("{}/SimpleNotificationService-00000000000000000000000000000000.pem", caller.base_url),
    );
}

fn attributes(attributes: &Map<String, Value>) -> String {
    let shown: Vec<String> = attributes
        .iter()
        .map(|(name, attribute)| {
            let value = text(attribute, "BinaryValue").or_else(|| text(attribute, "StringValue")).unwrap_or_default();
            format!(
                "    {} : {{\"Type\":{},\"Value\":{}}}",
                Value::from(name.as_str()),
                Value::from(text(attribute, "DataType").unwrap_or_default()),
                Value::from(value)
            )
        })
        .collect();
    format!("{{\n{}\n  }}", shown.join(",\n"))
}

/// The members of an envelope, one a line.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn put(&mut self, name: &str, value: &str) {
        self.0.push(format!("  \"{name}\" : {}", Value::from(value)));
    }

    fn finish(self) -> String {
        format!("{{\n{}\n}}", self.0.join(",\n"))
    }
}
