//! Batches: the rules all of them share, and an answer per entry. An entry that is refused fails alone; the others stand.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::error::{error, query_code};
use crate::error::Answer;
use crate::params::text;

/// How many entries a batch may have, and how long their ids may be.
const ENTRY_LIMIT: usize = 10;
const ID_LIMIT: usize = 80;

/// Check the entries of a batch before any of them is done.
pub fn check(entries: &[Value]) -> Answer<()> {
    if entries.is_empty() {
        return Err(error("EmptyBatchRequest", "There should be at least one entry in the request."));
    }
    if entries.len() > ENTRY_LIMIT {
        return Err(error(
            "TooManyEntriesInBatchRequest",
            format!("Maximum number of entries per request are {ENTRY_LIMIT}. You have sent {}.", entries.len()),
        ));
    }
    let mut seen = HashSet::new();
    for entry in entries {
        let id = text(entry, "Id").unwrap_or_default();
        let good = (1..=ID_LIMIT).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !good {
            return Err(error(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.",
            ));
        }
        if !seen.insert(id) {
            return Err(error("BatchEntryIdsNotDistinct", format!("Id {id} repeated.")));
        }
    }
    Ok(())
}

/// Do each entry, and list what became of it. Lists that are empty are left out, as AWS does.
pub fn each(entries: &[Value], mut act: impl FnMut(&Value) -> Answer) -> Answer {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let id = entry.get("Id").cloned().unwrap_or_default();
        match act(entry) {
            Ok(Value::Object(answer)) => {
                let mut entry = Map::from_iter([("Id".to_owned(), id)]);
                entry.extend(answer);
                successful.push(Value::Object(entry));
            }
            Ok(_) => successful.push(json!({ "Id": id })),
            Err(error) if !error.sender_fault => return Err(error),
            Err(error) => failed.push(json!({
                "Id": id,
                "Code": query_code(&error.code),
                "Message": error.message,
                "SenderFault": true,
            })),
        }
    }
    let mut answer = Map::new();
    for (name, entries) in [("Successful", successful), ("Failed", failed)] {
        if !entries.is_empty() {
            answer.insert(name.to_owned(), Value::from(entries));
        }
    }
    Ok(Value::Object(answer))
}
