//! Several items in one call: batches, in which each item stands alone, and transactions, in which all or none is done.

use rusqlite::{OptionalExtension, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::error::{bad_value, invalid};
use super::item::{self, Write, answer, load, twice};
use super::lexer::Scope;
use super::path::project;
use super::table::{self, Place};
use super::value::checked_item;
use crate::caller::Caller;
use crate::error::{Answer, ServiceError};
use crate::params::{list, map, text};
use crate::store::{Millis, Tx};

/// AWS's bounds on what one call may name.
const READ_LIMIT: usize = 100;
const WRITE_LIMIT: usize = 25;
const TRANSACTION_LIMIT: usize = 100;
/// How long a transaction is known by its token.
const TOKEN_LIFE: Millis = 10 * 60 * 1000;

pub fn get(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let asked: usize = map(params, "RequestItems").map(|(_, request)| list(request, "Keys").len()).sum();
    if asked > READ_LIMIT {
        return Err(invalid("Too many items requested for the BatchGetItem call"));
    }
    let mut responses = serde_json::Map::new();
    for (name, request) in map(params, "RequestItems") {
        item::check_legacy(request)?;
        let table = table::of_request(tx, &json!({ "TableName": name }), caller)?;
        let scope = Scope::of_request(request)?;
        let projection = item::projection(request, &scope)?;
        scope.all_used()?;
        let mut places: Vec<Place> = Vec::new();
        let mut items = Vec::new();
        for key in list(request, "Keys") {
            let place = table.place_of_key(&checked_item(Some(key))?)?;
            if places.contains(&place) {
                return Err(twice("batch"));
            }
            let found = load(tx, &table, &place)?;
            places.push(place);
            items.extend(found.map(|item| match &projection {
                Some(paths) => Value::Object(project(&item, paths)),
                None => Value::Object(item),
            }));
        }
        responses.insert(name.clone(), Value::from(items));
    }
    Ok(json!({ "Responses": responses, "UnprocessedKeys": {} }))
}

pub fn write(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let asked: usize = map(params, "RequestItems").map(|(_, requests)| requests.as_array().map_or(0, Vec::len)).sum();
    if asked == 0 {
        return Err(invalid("Batch write request must have at least one item"));
    }
    if asked > WRITE_LIMIT {
        return Err(invalid("Too many items requested for the BatchWriteItem call"));
    }
    let mut writes: Vec<Write> = Vec::new();
    for (name, requests) in map(params, "RequestItems") {
        for request in requests.as_array().into_iter().flatten() {
            let (put, delete) = (request.get("PutRequest"), request.get("DeleteRequest"));
            let write = match (put, delete) {
                (Some(put), None) => Write::put(tx, &json!({ "TableName": name, "Item": put.get("Item") }), caller)?,
                (None, Some(delete)) => {
                    Write::delete(tx, &json!({ "TableName": name, "Key": delete.get("Key") }), caller)?
                }
                _ => {
                    return Err(invalid(
                        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
                    ));
                }
            };
            if writes.iter().any(|other| other.table.id == write.table.id && other.place == write.place) {
                return Err(twice("batch"));
            }
            writes.push(write);
        }
    }
    for write in &writes {
        write.carry_out(tx)?;
    }
    Ok(json!({ "UnprocessedItems": {} }))
}

pub fn transact_get(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let requests = list(params, "TransactItems");
    check_number(requests)?;
    let mut responses = Vec::new();
    for request in requests {
        let get = request.get("Get").unwrap_or(&Value::Null);
        let shown = item::get(tx, get, caller)?;
        responses.push(answer([("Item", shown.get("Item").cloned())]));
    }
    Ok(json!({ "Responses": responses }))
}

fn check_number(requests: &[Value]) -> Answer<()> {
    if (1..=TRANSACTION_LIMIT).contains(&requests.len()) {
        return Ok(());
    }
    let bound = if requests.is_empty() { "greater than or equal to 1" } else { "less than or equal to 100" };
    Err(invalid(format!(
        "1 validation error detected: Value '[...]' at 'transactItems' failed to satisfy constraint: Member must have length {bound}"
    )))
}

type Read = fn(&Tx<'_>, &Value, &Caller) -> Answer<Write>;

const ACTIONS: &[(&str, Read)] =
    &[("Put", Write::put), ("Update", Write::update), ("Delete", Write::delete), ("ConditionCheck", Write::check)];

pub fn transact_write(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let requests = list(params, "TransactItems");
    check_number(requests)?;
    if let Some(token) = text(params, "ClientRequestToken")
        && was_answered(tx, params, token, caller)?
    {
        return Ok(json!({}));
    }
    let mut writes: Vec<Write> = Vec::new();
    for request in requests {
        let found = ACTIONS.iter().find_map(|(name, read)| Some((*read, request.get(*name)?)));
        let (read, action) =
            found.ok_or_else(|| bad_value("TransactItems can only contain one of Check, Put, Update or Delete"))?;
        let write = read(tx, action, caller)?;
        if writes.iter().any(|other| other.table.id == write.table.id && other.place == write.place) {
            return Err(twice("transaction"));
        }
        writes.push(write);
    }
    // What was done is undone with the call, if one of them fails.
    let mut reasons = Vec::new();
    for write in &writes {
        reasons.push(match write.carry_out(tx) {
            Ok(_) => json!({ "Code": "None" }),
            Err(error) => reason(error)?,
        });
    }
    if reasons.iter().all(|reason| reason["Code"] == "None") {
        return Ok(json!({}));
    }
    let codes: Vec<&str> = reasons.iter().filter_map(|reason| text(reason, "Code")).collect();
    let message =
        format!("Transaction cancelled, please refer cancellation reasons for specific reasons [{}]", codes.join(", "));
    Err(ServiceError::sender("TransactionCanceledException", 400, message).with("CancellationReasons", reasons))
}

/// Why an action cancels its transaction; what is the service's fault goes to the caller as it is.
fn reason(error: ServiceError) -> Answer<Value> {
    if !error.sender_fault {
        return Err(error);
    }
    let code = match error.code.as_str() {
        "ConditionalCheckFailedException" => "ConditionalCheckFailed",
        "ValidationException" => "ValidationError",
        _ => return Err(error),
    };
    let mut reason = json!({ "Code": code, "Message": error.message });
    if let Some(item) = error.members.get("Item") {
        reason["Item"] = item.clone();
    }
    Ok(reason)
}

/// Was this transaction done before? Remembers it, if not.
fn was_answered(tx: &Tx<'_>, params: &Value, token: &str, caller: &Caller) -> Answer<bool> {
    let digest = Sha256::digest(params["TransactItems"].to_string().as_bytes()).to_vec();
    let known: Option<Vec<u8>> = tx
        .db
        .prepare_cached("SELECT request FROM dynamodb_tokens WHERE account = ?1 AND token = ?2 AND expires_at > ?3")?
        .query_row(params![caller.account, token, tx.now], |row| row.get(0))
        .optional()?;
    match known {
        Some(known) if known == digest => Ok(true),
        Some(_) => Err(ServiceError::sender(
            "IdempotentParameterMismatchException",
            400,
            "Request parameters do not match with the previously used client request token",
        )),
        None => {
            tx.db.execute(
                "INSERT OR REPLACE INTO dynamodb_tokens (account, token, request, expires_at) VALUES (?1, ?2, ?3, ?4)",
                params![caller.account, token, digest, tx.now + TOKEN_LIFE],
            )?;
            Ok(false)
        }
    }
}
