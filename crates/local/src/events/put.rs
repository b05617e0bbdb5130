//! PutEvents: events are taken one by one, told to every rule of their bus, and brought to the targets in the transaction
//! that takes them. An event that cannot be taken has its own error; the others are taken all the same.
//!
//! Sources of AWS itself (`aws.…`) are taken from anybody here, so that what AWS would tell can be told.

use serde_json::{Map, Value, json};

use super::bus;
use super::deliver;
use super::error::{bad_pattern, constraint, validation};
use super::rule;
use super::target;
use super::transform::{self, Passed};
use crate::caller::Caller;
use crate::error::Answer;
use crate::params::{list, text, texts};
use crate::pattern::{self, Dialect};
use crate::store::{Millis, Tx};

/// AWS's bounds on a request: entries, and bytes of all entries together.
const MOST_ENTRIES: usize = 10;
const MOST_BYTES: usize = 256 * 1024;
/// What a time counts for, whatever it is.
const TIME_BYTES: usize = 14;

pub fn put(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let entries = list(params, "Entries");
    if entries.is_empty() || entries.len() > MOST_ENTRIES {
        let length = if entries.is_empty() { "greater than or equal to 1" } else { "less than or equal to 10" };
        return Err(constraint("[PutEventsRequestEntry]", "entries", &format!("Member must have length {length}")));
    }
    if entries.iter().map(size).sum::<usize>() > MOST_BYTES {
        return Err(validation("Total size of the entries in the request is over the limit."));
    }
    let mut failed = 0;
    let mut answers = Vec::new();
    for entry in entries {
        match event_of(entry, tx.now, caller) {
            Ok(event) => {
                let bus = bus::name_of(text(entry, "EventBusName"));
                tell(tx, &event, bus, caller)?;
                answers.push(json!({ "EventId": event["id"] }));
            }
            Err((code, message)) => {
                failed += 1;
                answers.push(json!({ "ErrorCode": code, "ErrorMessage": message }));
            }
        }
    }
    Ok(json!({ "FailedEntryCount": failed, "Entries": answers }))
}

/// As AWS counts an entry.
fn size(entry: &Value) -> usize {
    let texts_of = ["Source", "DetailType", "Detail"].iter().filter_map(|name| text(entry, name)).map(str::len);
    let time = if entry.get("Time").is_some() { TIME_BYTES } else { 0 };
    time + texts_of.sum::<usize>() + texts(entry, "Resources").iter().map(|text| text.len()).sum::<usize>()
}

/// The event that an entry becomes, or why it does not.
fn event_of(entry: &Value, now: Millis, caller: &Caller) -> Result<Value, (&'static str, String)> {
    let required = |name: &'static str| {
        text(entry, name).filter(|text| !text.is_empty()).ok_or_else(|| {
            ("InvalidArgument", format!("Parameter {name} is not valid. Reason: {name} is a required argument."))
        })
    };
    let (source, detail_type) = (required("Source")?, required("DetailType")?);
    let detail: Option<Map<String, Value>> = serde_json::from_str(required("Detail")?).ok();
    let detail = detail.ok_or_else(|| ("MalformedDetail", "Detail is malformed.".to_owned()))?;
    let at = entry.get("Time").and_then(moment).unwrap_or(now);
    Ok(json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": detail_type,
        "source": source,
        "account": caller.account,
        "time": shown(at),
        "region": caller.region,
        "resources": texts(entry, "Resources"),
        "detail": detail,
    }))
}

/// A time as seconds since 1970 or as text.
fn moment(time: &Value) -> Option<Millis> {
    if let Some(text) = time.as_str() {
        return Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond());
    }
    let seconds = time.as_f64().filter(|seconds| seconds.abs() < 1e11)?;
    // The bound makes it fit.
    #[allow(clippy::cast_possible_truncation)]
    Some((seconds * 1000.0) as Millis)
}

/// A moment as events show it: whole seconds.
fn shown(at: Millis) -> String {
    format!("{:.0}", jiff::Timestamp::from_millisecond(at).unwrap_or_default())
}

/// Tell every rule of a bus. As at AWS, a bus that is not there swallows what it is told.
fn tell(tx: &mut Tx<'_>, event: &Value, bus: &str, caller: &Caller) -> Answer<()> {
    let Value::Object(members) = event else { return Ok(()) };
    for rule in rule::of_bus(tx, bus, caller)? {
        // It was checked when it was put; a pattern that nobody can read wants nothing.
        let Ok(pattern) = pattern::compile(&rule.pattern, Dialect::EventBridge) else { continue };
        if !pattern.wants_event(members) {
            continue;
        }
        let ingested = shown(tx.now);
        let passed = Passed { rule_arn: &rule.arn, rule_name: &rule.name, ingested: &ingested };
        for target in target::of_rule(tx, &rule.arn)? {
            let input = transform::input(&target, event, &passed);
            let id = event["id"].as_str().unwrap_or_default();
            deliver::bring(tx, &rule, id, &target, &input, caller)?;
        }
    }
    Ok(())
}

/// TestEventPattern: would this event pass?
pub fn test_pattern(_tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let pattern = text(params, "EventPattern").unwrap_or_default();
    let pattern = pattern::compile(pattern, Dialect::EventBridge).map_err(|reason| bad_pattern(&reason))?;
    let event: Option<Map<String, Value>> = serde_json::from_str(text(params, "Event").unwrap_or_default()).ok();
    let event = event.ok_or_else(|| validation("Parameter Event is not valid."))?;
    for name in ["id", "account", "source", "time", "region", "resources", "detail-type"] {
        if !event.contains_key(name) {
            return Err(validation(format!("Parameter Event is not valid. Reason: {name} is a required argument.")));
        }
    }
    Ok(json!({ "Result": pattern.wants_event(&event) }))
}
