//! Invoke: who is meant, whether it may be, and what the caller is told.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::error::{busy, invalid, no_function, not_json, too_large};
use super::name::{self, Name};
use super::pool::Pool;
use super::runtime_api::Invocation;
use super::sandbox::Outcome;
use super::{Lambda, events};
use crate::caller::Caller;
use crate::error::Answer;
use crate::params::text;
use crate::store::Clock;

/// AWS's limits on an event: when the caller waits, and when it does not.
const WAITED_LIMIT: usize = 6 * 1024 * 1024;
const EVENT_LIMIT: usize = 1024 * 1024;
/// AWS's limit on the client context, in base64.
const CONTEXT_LIMIT: usize = 3583;

/// What came of one try.
pub enum Done {
    Answered(Outcome),
    Busy,
    NoSuchFunction,
}

/// A function that is there, and the ARN by which it was called.
pub struct Found<'a> {
    pub pool: &'a Arc<Pool>,
    pub arn: String,
    pub region: String,
}

impl Lambda {
    /// The function that a call names.
    pub(super) fn find(&self, params: &Value, caller: &Caller) -> Answer<Found<'_>> {
        let given = text(params, "FunctionName").unwrap_or_default();
        let mut name = name::parse(given).ok_or_else(|| invalid(&format!("Invalid function name: {given}")))?;
        if let Some(qualifier) = text(params, "Qualifier") {
            if name.qualifier.as_deref().is_some_and(|own| own != qualifier) {
                return Err(invalid(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ));
            }
            name.qualifier = Some(qualifier.to_owned());
        }
        let arn = arn(&name, &caller.account, &caller.region);
        self.lookup(&name, &caller.account, &caller.region).ok_or_else(|| no_function(&arn))
    }

    fn lookup(&self, name: &Name, account: &str, region: &str) -> Option<Found<'_>> {
        let account = name.account.as_deref().unwrap_or(account);
        let pool = self.pools.get(&name.function).filter(|_| account == self.account)?;
        let known =
            |qualifier: &str| qualifier == "$LATEST" || pool.function.aliases.iter().any(|alias| alias == qualifier);
        let region = name.region.as_deref().unwrap_or(region);
        name.qualifier.as_deref().is_none_or(known).then(|| Found {
            pool,
            arn: arn(name, account, region),
            region: region.to_owned(),
        })
    }

    pub(super) async fn invoke(&self, params: &Value, caller: &Caller) -> Answer {
        let found = self.find(params, caller)?;
        let payload = STANDARD.decode(text(params, "Payload").unwrap_or_default()).unwrap_or_default();
        let context = client_context(text(params, "ClientContext"))?;
        let kind = text(params, "InvocationType").unwrap_or("RequestResponse");
        let limit = if kind == "Event" { EVENT_LIMIT } else { WAITED_LIMIT };
        if payload.len() > limit {
            return Err(too_large(payload.len(), kind, limit));
        }
        let payload = match payload.as_slice() {
            [] => b"{}".to_vec(),
            _ => payload,
        };
        serde_json::from_slice::<serde::de::IgnoredAny>(&payload).map_err(not_json)?;
        match kind {
            "DryRun" => return Ok(json!({ "StatusCode": 204 })),
            "Event" => {
                let arn = found.arn;
                self.store.call(move |tx| events::enqueue(tx, &arn, &payload, context.as_deref())).await?;
                return Ok(json!({ "StatusCode": 202 }));
            }
            _ => {}
        }
        let request_id = uuid::Uuid::new_v4().to_string();
        let trace = caller.trace.clone().unwrap_or_else(new_trace);
        let invocation = invocation(&found, &request_id, payload.into(), context, trace);
        let outcome = found.pool.invoke(invocation, &found.region).await.map_err(busy)?;
        let mut answer = json!({
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "Payload": STANDARD.encode(&outcome.payload),
        });
        if outcome.failed {
            answer["FunctionError"] = Value::from("Unhandled");
        }
        if text(params, "LogType") == Some("Tail") {
            answer["LogResult"] = Value::from(STANDARD.encode(&outcome.tail));
        }
        Ok(answer)
    }

    /// One try of an event.
    pub(super) async fn run_once(
        &self,
        function: &str,
        request_id: &str,
        payload: Bytes,
        context: Option<String>,
    ) -> Done {
        let Some(found) = name::parse(function).and_then(|name| self.lookup(&name, &self.account, &self.region)) else {
            return Done::NoSuchFunction;
        };
        let invocation = invocation(&found, request_id, payload, context, new_trace());
        match found.pool.invoke(invocation, &found.region).await {
            Ok(outcome) => Done::Answered(outcome),
            Err(_) => Done::Busy,
        }
    }
}

fn invocation(
    found: &Found<'_>,
    request_id: &str,
    payload: Bytes,
    client_context: Option<String>,
    trace_id: String,
) -> Invocation {
    Invocation {
        request_id: request_id.to_owned(),
        // The pool sets it when the function's time begins.
        deadline: 0,
        function_arn: found.arn.clone(),
        trace_id,
        client_context,
        payload,
    }
}

/// A trace of its own that nobody collects, in X-Ray's form: the seconds and 24 random digits.
fn new_trace() -> String {
    let seconds = Clock::System.now() / 1000;
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("Root=1-{seconds:08x}-{};Sampled=0", &random[..24])
}

fn client_context(given: Option<&str>) -> Answer<Option<String>> {
    let Some(given) = given.filter(|given| !given.is_empty()) else { return Ok(None) };
    let wrong = || invalid("Client context must be a valid Base64-encoded JSON object.");
    if given.len() > CONTEXT_LIMIT {
        return Err(invalid(&format!(
            "Client context must be no more than {CONTEXT_LIMIT} bytes when base64-encoded."
        )));
    }
    let decoded = STANDARD.decode(given).map_err(|_| wrong())?;
    let context: Value = serde_json::from_slice(&decoded).map_err(|_| wrong())?;
    // On one line, because it goes into a header.
    if context.is_object() { Ok(Some(context.to_string())) } else { Err(wrong()) }
}

/// The function's ARN, with the qualifier by which it was called.
pub fn arn(name: &Name, account: &str, region: &str) -> String {
    let account = name.account.as_deref().unwrap_or(account);
    let region = name.region.as_deref().unwrap_or(region);
    let qualifier = name.qualifier.as_deref().map(|qualifier| format!(":{qualifier}")).unwrap_or_default();
    format!("arn:aws:lambda:{region}:{account}:function:{}{qualifier}", name.function)
}
