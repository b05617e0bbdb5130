//! Queue attributes: which there are, what they may hold, what they are when nobody says. One table; the rules that need
//! to see another queue (dead letters) are functions below it.

use serde_json::{Map, Value};

use super::error::{error, invalid_value};
use super::queue::{Queue, find_by_arn};
use crate::error::Answer;
use crate::store::Tx;

/// What a value may be.
enum Kind {
    /// A whole number from, to.
    Number(i64, i64),
    Flag,
    OneOf(&'static [&'static str]),
    /// A JSON document or any other text.
    Text,
}

/// Who may have it, and from when on.
#[derive(PartialEq)]
enum When {
    Always,
    /// Only FIFO queues have it.
    Fifo,
    /// Only at creation of a FIFO queue.
    Born,
}

/// Name, values, when, default (none: absent until somebody sets it).
const ATTRIBUTES: &[(&str, Kind, When, Option<&str>)] = &[
    ("VisibilityTimeout", Kind::Number(0, 43_200), When::Always, Some("30")),
    ("MaximumMessageSize", Kind::Number(1024, 1_048_576), When::Always, Some("1048576")),
    ("MessageRetentionPeriod", Kind::Number(60, 1_209_600), When::Always, Some("345600")),
    ("DelaySeconds", Kind::Number(0, 900), When::Always, Some("0")),
    ("ReceiveMessageWaitTimeSeconds", Kind::Number(0, 20), When::Always, Some("0")),
    ("Policy", Kind::Text, When::Always, None),
    ("RedrivePolicy", Kind::Text, When::Always, None),
    ("RedriveAllowPolicy", Kind::Text, When::Always, None),
    ("KmsMasterKeyId", Kind::Text, When::Always, None),
    ("KmsDataKeyReusePeriodSeconds", Kind::Number(60, 86_400), When::Always, None),
    ("SqsManagedSseEnabled", Kind::Flag, When::Always, Some("true")),
    ("FifoQueue", Kind::Flag, When::Born, Some("true")),
    ("ContentBasedDeduplication", Kind::Flag, When::Fifo, Some("false")),
    ("DeduplicationScope", Kind::OneOf(&["messageGroup", "queue"]), When::Fifo, Some("queue")),
    ("FifoThroughputLimit", Kind::OneOf(&["perQueue", "perMessageGroupId"]), When::Fifo, Some("perQueue")),
];

/// Attributes that are counted or known, never set.
pub const COMPUTED: &[&str] = &[
    "QueueArn",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
];

/// Is there an attribute of this name?
pub fn known(name: &str) -> bool {
    name == "All" || COMPUTED.contains(&name) || ATTRIBUTES.iter().any(|(attribute, ..)| *attribute == name)
}

/// What a new queue has when nobody says.
pub fn defaults(fifo: bool) -> Map<String, Value> {
    ATTRIBUTES
        .iter()
        .filter(|(_, _, when, _)| fifo || *when == When::Always)
        .filter_map(|(name, _, _, default)| Some(((*name).to_owned(), Value::from((*default)?))))
        .collect()
}

/// Check the attributes of a request for a queue that is `fifo` and, if it exists already, is `queue`.
pub fn check<'a>(
    tx: &Tx<'_>,
    given: impl Iterator<Item = (&'a String, &'a Value)>,
    fifo: bool,
    queue: Option<&Queue>,
    region: &str,
) -> Answer<Map<String, Value>> {
    let mut checked = Map::new();
    for (name, value) in given {
        let value = value.as_str().unwrap_or_default();
        let Some((_, kind, when, _)) = ATTRIBUTES.iter().find(|(known, ..)| known == name) else {
            return Err(unknown(name));
        };
        if *when != When::Always && !fifo {
            return Err(unknown(name));
        }
        if *when == When::Born && queue.is_some_and(|queue| queue.attribute(name) != value) {
            return Err(error(
                "InvalidAttributeValue",
                format!("Invalid value for the parameter {name}. Reason: Modifying queue type is not supported."),
            ));
        }
        let fits = match kind {
            Kind::Number(from, to) => value.parse::<i64>().is_ok_and(|number| (*from..=*to).contains(&number)),
            Kind::Flag => matches!(value, "true" | "false"),
            Kind::OneOf(values) => values.contains(&value),
            Kind::Text => true,
        };
        if !fits {
            return Err(error("InvalidAttributeValue", format!("Invalid value for the parameter {name}.")));
        }
        match name.as_str() {
            "RedrivePolicy" if !value.is_empty() => check_redrive(tx, value, fifo, region)?,
            "Policy" if !value.is_empty() && serde_json::from_str::<Map<_, _>>(value).is_err() => {
                return Err(error("InvalidAttributeValue", "Invalid value for the parameter Policy."));
            }
            _ => {}
        }
        checked.insert(name.clone(), Value::from(value));
    }
    let on = |name: &str| checked.get(name).and_then(Value::as_str);
    if on("SqsManagedSseEnabled") == Some("true") && on("KmsMasterKeyId").is_some_and(|key| !key.is_empty()) {
        return Err(error(
            "InvalidAttributeName",
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
        ));
    }
    if on("KmsMasterKeyId").is_some_and(|key| !key.is_empty()) {
        checked.insert("SqsManagedSseEnabled".to_owned(), Value::from("false"));
    }
    Ok(checked)
}

fn unknown(name: &str) -> crate::error::ServiceError {
    error("InvalidAttributeName", format!("Unknown Attribute {name}."))
}

/// Where messages go that were received too often.
pub struct Redrive {
    pub target: String,
    pub max_receive_count: i64,
}

/// Read a RedrivePolicy that was checked when it was set.
pub fn redrive(policy: &str) -> Option<Redrive> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    Some(Redrive {
        target: policy.get("deadLetterTargetArn")?.as_str()?.to_owned(),
        max_receive_count: crate::params::whole(policy.get("maxReceiveCount")?)?,
    })
}

fn check_redrive(tx: &Tx<'_>, policy: &str, fifo: bool, region: &str) -> Answer<()> {
    let refuse = |reason: &str| Err(invalid_value(policy, "RedrivePolicy", reason));
    let Ok(members) = serde_json::from_str::<Map<String, Value>>(policy) else {
        return refuse("Redrive policy is not a valid JSON map.");
    };
    for name in ["maxReceiveCount", "deadLetterTargetArn"] {
        if !members.contains_key(name) {
            return refuse(&format!("Redrive policy does not contain mandatory attribute: {name}."));
        }
    }
    let target = members["deadLetterTargetArn"].as_str().unwrap_or_default();
    if target.split(':').count() != 6 || !target.starts_with("arn:") {
        return refuse("Invalid value for deadLetterTargetArn.");
    }
    let count = &members["maxReceiveCount"];
    if !crate::params::whole(count).is_some_and(|count| (1..=1000).contains(&count)) {
        let count = count.as_str().map_or_else(|| count.to_string(), str::to_owned);
        return refuse(&format!(
            "Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both inclusive."
        ));
    }
    match find_by_arn(tx, target)? {
        Some(queue) if queue.region != region => refuse("Dead letter target does not exist."),
        Some(queue) if queue.fifo() != fifo => refuse("Dead-letter queue must be same type of queue as the source."),
        Some(_) => Ok(()),
        None => refuse("Dead letter target does not exist."),
    }
}
