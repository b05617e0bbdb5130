//! Deliveries to HTTP endpoints. A delivery is a row from the moment the message is taken until the endpoint takes it or
//! the last try has failed, so a restart loses none; an endpoint may see one twice. Retries follow AWS's default (three,
//! twenty seconds apart) or the subscription's own delivery policy.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rusqlite::params;
use serde_json::{Map, Value};

use super::publish::{self, Message};
use super::subscription::{self, Subscription};
use crate::error::Answer;
use crate::lambda;
use crate::params::{document, whole};
use crate::sqs::message::Message as QueueMessage;
use crate::store::{Millis, Store, Tx};

/// The name under which the deliverer waits for work.
const BELL: &str = "sns:deliveries";
/// How many deliveries are under way at once: enough for a laptop, few enough for its sockets.
const AT_ONCE: i64 = 16;
/// How long AWS waits for an endpoint's answer.
const PATIENCE: Duration = Duration::from_secs(15);
/// AWS's retries when no delivery policy says otherwise.
const RETRIES: i64 = 3;
const DELAY_SECONDS: i64 = 20;
/// AWS's own bounds on what a delivery policy may ask for.
const MOST_RETRIES: i64 = 100;
const LONGEST_DELAY_SECONDS: i64 = 3600;

/// Post a message to a subscription's endpoint, in its own time.
pub fn post_message(tx: &mut Tx<'_>, subscription: &Subscription, message: &Message, body: &str) -> Answer<()> {
    let mut headers = vec![
        ("x-amz-sns-message-type", "Notification"),
        ("x-amz-sns-message-id", &message.id),
        ("x-amz-sns-subscription-arn", &subscription.arn),
    ];
    if subscription.raw() {
        headers.push(("x-amz-sns-rawdelivery", "true"));
    }
    enqueue(tx, subscription, &headers, body)
}

/// Invoke a function with a record of a message, as AWS does it: without waiting for it.
pub fn to_function(tx: &mut Tx<'_>, subscription: &Subscription, mut envelope: Value) -> Answer<()> {
    if let Value::Object(members) = &mut envelope {
        // Records spell these two in another way than envelopes.
        for (of_envelope, of_record) in [("SigningCertURL", "SigningCertUrl"), ("UnsubscribeURL", "UnsubscribeUrl")] {
            if let Some(value) = members.shift_remove(of_envelope) {
                members.insert(of_record.to_owned(), value);
            }
        }
        members.entry("Subject").or_insert(Value::Null);
        members.entry("MessageAttributes").or_insert_with(|| Value::Object(Map::new()));
    }
    let record = serde_json::json!({
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription.arn,
        "Sns": envelope,
    });
    let event = serde_json::json!({ "Records": [record] }).to_string();
    lambda::events::enqueue(tx, &subscription.endpoint, event.as_bytes(), None).map(drop)
}

/// Post a message with a link to a subscription's endpoint.
pub fn post(tx: &mut Tx<'_>, subscription: &Subscription, body: &str) -> Answer<()> {
    let members = document(body);
    let member = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
    let headers = [("x-amz-sns-message-type", member("Type")), ("x-amz-sns-message-id", member("MessageId"))];
    enqueue(tx, subscription, &headers, body)
}

fn enqueue(tx: &mut Tx<'_>, subscription: &Subscription, headers: &[(&str, &str)], body: &str) -> Answer<()> {
    let mut all: Map<String, Value> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    all.insert("x-amz-sns-topic-arn".to_owned(), Value::from(subscription.topic.as_str()));
    tx.db.execute(
        "INSERT INTO sns_deliveries (subscription, topic, url, headers, body, policy, due_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            subscription.arn,
            subscription.topic,
            subscription.endpoint,
            Value::Object(all).to_string(),
            body,
            subscription.attribute("DeliveryPolicy"),
            tx.now
        ],
    )?;
    tx.wake(BELL);
    Ok(())
}

/// How many times, and how far apart, a delivery is tried again.
struct Retries {
    most: i64,
    first: i64,
    last: i64,
}

fn retries(policy: &str) -> Retries {
    let policy = document(policy);
    let own = policy.get("healthyRetryPolicy");
    let number = |name: &str, otherwise: i64, most: i64| {
        own.and_then(|own| own.get(name)).and_then(whole).unwrap_or(otherwise).clamp(0, most)
    };
    let first = number("minDelayTarget", DELAY_SECONDS, LONGEST_DELAY_SECONDS);
    Retries {
        most: number("numRetries", RETRIES, MOST_RETRIES),
        first,
        last: number("maxDelayTarget", first.max(DELAY_SECONDS), LONGEST_DELAY_SECONDS).max(first),
    }
}

impl Retries {
    /// Seconds before the n-th retry, counted from one: from the first delay to the last in even steps.
    fn delay(&self, nth: i64) -> i64 {
        match self.most {
            0 | 1 => self.first,
            most => self.first + (self.last - self.first) * (nth - 1).min(most - 1) / (most - 1),
        }
    }
}

struct Delivery {
    id: i64,
    subscription: String,
    url: String,
    headers: Map<String, Value>,
    body: String,
    policy: String,
    attempts: i64,
}

/// Post what is due, until the task is dropped. What was under way then is posted again after the next start.
pub async fn run(store: &Store) {
    let client = Arc::new(Http::new());
    let bell = store.wakes.bell(BELL);
    loop {
        let mut ring = std::pin::pin!(bell.notified());
        ring.as_mut().enable();
        let (due, next) = match store.call(|tx| due(tx)).await {
            Ok(found) => found,
            Err(_) => (Vec::new(), Some(1000)),
        };
        if due.is_empty() {
            let pause = Duration::from_millis(next.unwrap_or(60_000));
            tokio::select! {
                () = ring => {}
                () = tokio::time::sleep(pause) => {}
            }
            continue;
        }
        let mut posts = tokio::task::JoinSet::new();
        for delivery in due {
            let (client, store) = (client.clone(), store.clone());
            posts.spawn(async move {
                let outcome = attempt(&client, &delivery).await;
                // A failure to note it is logged where it happens; the row stays and is posted again.
                let _ = store.call(move |tx| settle(tx, &delivery, &outcome)).await;
            });
        }
        while posts.join_next().await.is_some() {}
    }
}

fn due(tx: &Tx<'_>) -> Answer<(Vec<Delivery>, Option<u64>)> {
    let due: Vec<Delivery> = tx
        .db
        .prepare_cached(
            "SELECT id, subscription, url, headers, body, policy, attempts FROM sns_deliveries
             WHERE due_at <= ?1 ORDER BY due_at, id LIMIT ?2",
        )?
        .query_map(params![tx.now, AT_ONCE], |row| {
            Ok(Delivery {
                id: row.get(0)?,
                subscription: row.get(1)?,
                url: row.get(2)?,
                headers: document(&row.get::<_, String>(3)?),
                body: row.get(4)?,
                policy: row.get(5)?,
                attempts: row.get(6)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    let next: Option<Millis> = tx.db.query_row("SELECT min(due_at) FROM sns_deliveries", [], |row| row.get(0))?;
    Ok((due, next.map(|at| u64::try_from(at - tx.now).unwrap_or_default())))
}

type Secure = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// HTTP and HTTPS apart: a machine without root certificates still delivers to its own loopback.
struct Http {
    plain: Client<HttpConnector, Full<Bytes>>,
    secure: OnceLock<Result<Secure, String>>,
}

impl Http {
    fn new() -> Self {
        Self { plain: Client::builder(TokioExecutor::new()).build_http(), secure: OnceLock::new() }
    }

    /// Post and give the status of the answer, or say why there is none.
    async fn send(&self, request: Request<Full<Bytes>>) -> Result<StatusCode, String> {
        let answer = if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) {
            self.secure.get_or_init(secure).as_ref().map_err(String::clone)?.request(request).await
        } else {
            self.plain.request(request).await
        };
        answer.map(|answer| answer.status()).map_err(|error| error.to_string())
    }
}

fn secure() -> Result<Secure, String> {
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
        .map_err(|error| format!("the system's root certificates cannot be read: {error}"))?
        .https_only()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(connector))
}

/// What came of a try.
enum Outcome {
    Taken,
    /// The endpoint will not take it later either.
    Refused(String),
    Failed(String),
}

async fn attempt(client: &Http, delivery: &Delivery) -> Outcome {
    let mut request = Request::post(&delivery.url)
        .header(header::CONTENT_TYPE, "text/plain; charset=UTF-8")
        .header(header::USER_AGENT, "Amazon Simple Notification Service Agent");
    for (name, value) in &delivery.headers {
        request = request.header(name, value.as_str().unwrap_or_default());
    }
    let request = match request.body(Full::new(Bytes::from(delivery.body.clone()))) {
        Ok(request) => request,
        Err(error) => return Outcome::Refused(error.to_string()),
    };
    match tokio::time::timeout(PATIENCE, client.send(request)).await {
        Err(_) => Outcome::Failed(format!("no answer within {} seconds", PATIENCE.as_secs())),
        Ok(Err(error)) => Outcome::Failed(error),
        Ok(Ok(status)) => match status {
            status if status.is_success() => Outcome::Taken,
            StatusCode::TOO_MANY_REQUESTS => Outcome::Failed("the endpoint is busy".to_owned()),
            status if status.is_client_error() => Outcome::Refused(format!("the endpoint answered {status}")),
            status => Outcome::Failed(format!("the endpoint answered {status}")),
        },
    }
}

fn settle(tx: &mut Tx<'_>, delivery: &Delivery, outcome: &Outcome) -> Answer<()> {
    let (again, cause) = match outcome {
        Outcome::Taken => (false, None),
        Outcome::Refused(cause) => (false, Some(cause)),
        Outcome::Failed(cause) => (true, Some(cause)),
    };
    let retries = retries(&delivery.policy);
    if again && delivery.attempts < retries.most {
        tx.db.execute(
            "UPDATE sns_deliveries SET attempts = attempts + 1, due_at = ?2 WHERE id = ?1",
            params![delivery.id, tx.now + retries.delay(delivery.attempts + 1) * 1000],
        )?;
        return Ok(());
    }
    tx.db.execute("DELETE FROM sns_deliveries WHERE id = ?1", [delivery.id])?;
    if let Some(cause) = cause {
        tracing::warn!(endpoint = %delivery.url, %cause, attempts = delivery.attempts + 1, "a delivery has failed");
        if let Some(subscription) = subscription::find(tx, &delivery.subscription)? {
            let message = QueueMessage { body: delivery.body.clone(), ..QueueMessage::default() };
            publish::bury(tx, &subscription, message)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_come_as_the_policy_says() {
        let plain = retries("");
        assert_eq!((plain.most, plain.delay(1), plain.delay(3)), (3, 20, 20));
        let own = retries(
            r#"{"healthyRetryPolicy":{"numRetries":5,"minDelayTarget":1,"maxDelayTarget":9,"backoffFunction":"linear"}}"#,
        );
        let delays: Vec<i64> = (1..=5).map(|nth| own.delay(nth)).collect();
        assert_eq!(delays, [1, 3, 5, 7, 9]);
    }
}
