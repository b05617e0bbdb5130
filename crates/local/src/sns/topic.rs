//! Topics: making, finding, listing, describing and deleting them, and their tags.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use super::error::{check_arn, invalid, no_resource, no_topic};
use crate::caller::Caller;
use crate::error::Answer;
use crate::params::{document, list, map, text, texts};
use crate::store::Tx;

/// The longest name of a topic.
const NAME_LIMIT: usize = 256;
/// How many topics or subscriptions AWS lists at once.
pub const PAGE_LIMIT: usize = 100;
/// What is asked of the database, to see whether there is another page.
pub const ONE_MORE: i64 = 101;

/// Attributes that may be set, and whether only at creation. Those that end in a feedback's name are kept as data.
const ATTRIBUTES: &[(&str, bool)] = &[
    ("DisplayName", false),
    ("Policy", false),
    ("DeliveryPolicy", false),
    ("KmsMasterKeyId", false),
    ("SignatureVersion", false),
    ("TracingConfig", false),
    ("ContentBasedDeduplication", false),
    ("FifoThroughputScope", false),
    ("ArchivePolicy", false),
    ("DataProtectionPolicy", false),
    ("FifoTopic", true),
];
const FEEDBACK: &[&str] = &["SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate", "FailureFeedbackRoleArn"];

/// A topic as it is stored.
pub struct Topic {
    pub arn: String,
    pub attributes: Map<String, Value>,
    tags: Map<String, Value>,
    deleted_subscriptions: i64,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Topic> {
    Ok(Topic {
        arn: row.get(0)?,
        attributes: document(&row.get::<_, String>(1)?),
        tags: document(&row.get::<_, String>(2)?),
        deleted_subscriptions: row.get(3)?,
    })
}

impl Topic {
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn fifo(&self) -> bool {
        self.attribute("FifoTopic") == "true"
    }

    /// The account that owns it.
    pub fn owner(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }
}

/// The topic of an ARN.
pub fn find(tx: &Tx<'_>, arn: &str) -> Answer<Option<Topic>> {
    Ok(tx
        .db
        .prepare_cached("SELECT arn, attributes, tags, deleted_subscriptions FROM sns_topics WHERE arn = ?1")?
        .query_row([arn], read)
        .optional()?)
}

/// The topic that a request names.
pub fn of_request(tx: &Tx<'_>, params: &Value) -> Answer<Topic> {
    let arn = text(params, "TopicArn").unwrap_or_default();
    check_arn("TopicArn", arn)?;
    find(tx, arn)?.ok_or_else(no_topic)
}

fn check_name(name: &str, fifo: bool) -> Answer<()> {
    let stem = if fifo { name.strip_suffix(".fifo") } else { Some(name) };
    let good = stem.is_some_and(|stem| {
        !stem.is_empty()
            && name.len() <= NAME_LIMIT
            && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    });
    match (good, fifo) {
        (true, _) => Ok(()),
        (false, true) => Err(invalid(
            "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.",
        )),
        (false, false) => Err(invalid("Topic Name")),
    }
}

fn check_attribute(name: &str, born: bool) -> Answer<()> {
    let known = ATTRIBUTES.iter().any(|(known, only_born)| *known == name && (born || !only_born))
        || FEEDBACK.iter().any(|suffix| name.ends_with(suffix));
    if known { Ok(()) } else { Err(invalid("AttributeName")) }
}

fn read_tags(params: &Value) -> Answer<Map<String, Value>> {
    let mut tags = Map::new();
    for tag in list(params, "Tags") {
        let (name, value) = (text(tag, "Key").unwrap_or_default(), text(tag, "Value").unwrap_or_default());
        if tags.insert(name.to_owned(), Value::from(value)).is_some() {
            return Err(invalid("Duplicated keys are not allowed."));
        }
    }
    Ok(tags)
}

pub fn create(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let name = text(params, "Name").unwrap_or_default();
    let mut given = Map::new();
    for (attribute, value) in map(params, "Attributes") {
        check_attribute(attribute, true)?;
        given.insert(attribute.clone(), value.clone());
    }
    let fifo = given.get("FifoTopic").and_then(Value::as_str) == Some("true");
    check_name(name, fifo)?;
    let tags = read_tags(params)?;
    let arn = format!("arn:aws:sns:{}:{}:{name}", caller.region, caller.account);
    if let Some(topic) = find(tx, &arn)? {
        if given.iter().any(|(name, value)| topic.attributes.get(name) != Some(value)) {
            return Err(invalid("Attributes Reason: Topic already exists with different attributes"));
        }
        if !tags.is_empty() && tags != topic.tags {
            return Err(invalid("Tags Reason: Topic already exists with different tags"));
        }
        return Ok(json!({ "TopicArn": arn }));
    }
    given.entry("DisplayName").or_insert_with(|| Value::from(""));
    if fifo {
        given.entry("ContentBasedDeduplication").or_insert_with(|| Value::from("false"));
    } else {
        given.shift_remove("FifoTopic");
    }
    tx.db.execute(
        "INSERT INTO sns_topics (arn, attributes, tags, created_at) VALUES (?1, ?2, ?3, ?4)",
        params![arn, Value::Object(given).to_string(), Value::Object(tags).to_string(), tx.now],
    )?;
    Ok(json!({ "TopicArn": arn }))
}

pub fn delete(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let arn = text(params, "TopicArn").unwrap_or_default();
    check_arn("TopicArn", arn)?;
    // Deleting what is not there is no error.
    tx.db.execute("DELETE FROM sns_topics WHERE arn = ?1", [arn])?;
    Ok(json!({}))
}

pub fn list_topics(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let prefix = format!("arn:aws:sns:{}:{}:", caller.region, caller.account);
    let after = text(params, "NextToken").unwrap_or_default();
    let mut statement = tx.db.prepare_cached(
        "SELECT arn FROM sns_topics WHERE substr(arn, 1, length(?1)) = ?1 AND arn > ?2 ORDER BY arn LIMIT ?3",
    )?;
    let arns: Vec<String> =
        statement.query_map(params![prefix, after, ONE_MORE], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut answer = Map::new();
    let shown: Vec<Value> = arns.iter().take(PAGE_LIMIT).map(|arn| json!({ "TopicArn": arn })).collect();
    if arns.len() > PAGE_LIMIT {
        answer.insert("NextToken".to_owned(), Value::from(arns[PAGE_LIMIT - 1].as_str()));
    }
    answer.insert("Topics".to_owned(), Value::from(shown));
    Ok(Value::Object(answer))
}

/// The delivery policy that AWS shows for every topic that has none of its own.
fn effective_delivery_policy() -> Value {
    json!({
        "http": {
            "defaultHealthyRetryPolicy": {
                "minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3, "numMaxDelayRetries": 0,
                "numNoDelayRetries": 0, "numMinDelayRetries": 0, "backoffFunction": "linear"
            },
            "disableSubscriptionOverrides": false,
            "defaultRequestPolicy": { "headerContentType": "text/plain; charset=UTF-8" }
        }
    })
}

fn default_policy(topic: &Topic) -> Value {
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": { "AWS": "*" },
            "Action": [
                "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission", "SNS:RemovePermission",
                "SNS:DeleteTopic", "SNS:Subscribe", "SNS:ListSubscriptionsByTopic", "SNS:Publish"
            ],
            "Resource": topic.arn,
            "Condition": { "StringEquals": { "AWS:SourceOwner": topic.owner() } }
        }]
    })
}

pub fn get_attributes(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let topic = of_request(tx, params)?;
    let count = |pending: i64| -> Answer<i64> {
        Ok(tx.db.query_row(
            "SELECT count(*) FROM sns_subscriptions WHERE topic = ?1 AND pending = ?2",
            params![topic.arn, pending],
            |row| row.get(0),
        )?)
    };
    let (confirmed, pending) = (count(0)?, count(1)?);
    let mut attributes = topic.attributes.clone();
    let mut put = |name: &str, value: String| {
        attributes.entry(name).or_insert(Value::from(value));
    };
    put("EffectiveDeliveryPolicy", effective_delivery_policy().to_string());
    put("Owner", topic.owner().to_owned());
    put("Policy", default_policy(&topic).to_string());
    put("SubscriptionsConfirmed", confirmed.to_string());
    put("SubscriptionsDeleted", topic.deleted_subscriptions.to_string());
    put("SubscriptionsPending", pending.to_string());
    put("TopicArn", topic.arn.clone());
    attributes.sort_keys();
    Ok(json!({ "Attributes": attributes }))
}

pub fn set_attributes(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let mut topic = of_request(tx, params)?;
    let name = text(params, "AttributeName").unwrap_or_default();
    check_attribute(name, false)?;
    let value = text(params, "AttributeValue").unwrap_or_default();
    topic.attributes.insert(name.to_owned(), Value::from(value));
    tx.db.execute(
        "UPDATE sns_topics SET attributes = ?2 WHERE arn = ?1",
        params![topic.arn, Value::Object(topic.attributes).to_string()],
    )?;
    Ok(json!({}))
}

fn tagged(tx: &Tx<'_>, params: &Value) -> Answer<Topic> {
    find(tx, text(params, "ResourceArn").unwrap_or_default())?.ok_or_else(no_resource)
}

pub fn tag(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let mut topic = tagged(tx, params)?;
    topic.tags.extend(read_tags(params)?);
    save_tags(tx, topic)
}

pub fn untag(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let mut topic = tagged(tx, params)?;
    for name in texts(params, "TagKeys") {
        topic.tags.shift_remove(name);
    }
    save_tags(tx, topic)
}

fn save_tags(tx: &Tx<'_>, topic: Topic) -> Answer {
    tx.db.execute(
        "UPDATE sns_topics SET tags = ?2 WHERE arn = ?1",
        params![topic.arn, Value::Object(topic.tags).to_string()],
    )?;
    Ok(json!({}))
}

pub fn list_tags(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let topic = tagged(tx, params)?;
    let tags: Vec<Value> = topic.tags.iter().map(|(name, value)| json!({ "Key": name, "Value": value })).collect();
    Ok(json!({ "Tags": tags }))
}
