//! Log events of executions on their way out: to CloudWatch Logs, as a state machine's loggingConfiguration asks for, and
//! to a file or the standard output, where the settings say so.
//!
//! CloudWatch Logs is called only where an endpoint for `logs` is set (or AWS is called). A log group that is not there
//! gets nothing, and nobody fails for it: AWS does the same.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::CallError;
use engine::port::{LogBatch, Unreachable};
use machine::rfc3339;
use serde_json::{Value, json};

use crate::Connectors;
use crate::call::Errand;

const SERVICE: &str = "logs";
const TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPTS: u32 = 3;

/// AWS writes into this stream when a log group is first used, to see whether it may.
const FIRST_STREAM: &str = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions";
const FIRST_MESSAGE: &str = "Permissions are set correctly to allow AWS CloudWatch Logs to write into your logs while \
                             creating a subscription.";

/// Where log events go beside CloudWatch Logs, a JSON object a line.
#[derive(Debug)]
pub enum LogSink {
    Stdout,
    File(File),
}

/// A log group's ARN and a state machine's.
type Writer = (Arc<str>, Arc<str>);

/// What is known of log groups: the stream of each state machine.
#[derive(Default)]
pub(crate) struct Streams(Mutex<HashMap<Writer, String>>);

impl LogSink {
    fn write(&mut self, batch: &LogBatch) -> std::io::Result<()> {
        let lines: String = batch.events.iter().flat_map(|event| [event.text.as_str(), "\n"]).collect();
        match self {
            LogSink::Stdout => std::io::stdout().lock().write_all(lines.as_bytes()),
            // What is settled is not written again, so it must be on the disk.
            LogSink::File(file) => file.write_all(lines.as_bytes()).and_then(|()| file.sync_data()),
        }
    }
}

impl Connectors {
    pub(crate) async fn deliver(&self, batch: &LogBatch) -> Result<(), Unreachable> {
        self.put_events(batch).await?;
        let Some(sink) = self.log_sink.clone() else { return Ok(()) };
        let batch = batch.clone();
        let written = tokio::task::spawn_blocking(move || sink.lock().expect("no panic while held").write(&batch));
        let written = written.await.map_err(|error| Unreachable(error.to_string()))?;
        written.map_err(|error| Unreachable(format!("the file of log events: {error}")))
    }

    async fn put_events(&self, batch: &LogBatch) -> Result<(), Unreachable> {
        let Some(service) = aws::models().service(SERVICE) else { return Ok(()) };
        if self.caller.endpoint(&service.name, &batch.region).is_err() {
            return Ok(());
        }
        let Some(group) = group_name(&batch.group) else { return Ok(()) };
        let stream = match self.stream_of(batch, group).await? {
            Some(stream) => stream,
            None => return Ok(()),
        };
        let events: Vec<Value> =
            batch.events.iter().map(|event| json!({"Timestamp": event.at, "Message": event.text})).collect();
        let parameters = json!({"LogGroupName": group, "LogStreamName": stream, "LogEvents": events});
        self.log_call(batch, "PutLogEvents", parameters).await.map(|_| ())
    }

    /// The stream of a state machine in a group, made where there is none; `None` where there is no such group.
    async fn stream_of(&self, batch: &LogBatch, group: &str) -> Result<Option<String>, Unreachable> {
        let key = (batch.group.clone(), batch.machine.clone());
        if let Some(known) = self.streams.0.lock().expect("no panic while held").get(&key) {
            return Ok(Some(known.clone()));
        }
        let at = batch.events.first().map_or(0, |event| event.at);
        let first = json!({"LogGroupName": group, "LogStreamName": FIRST_STREAM});
        if self.log_call(batch, "CreateLogStream", first).await? == Found::New {
            let events = json!([{"Timestamp": at, "Message": FIRST_MESSAGE}]);
            let put = json!({"LogGroupName": group, "LogStreamName": FIRST_STREAM, "LogEvents": events});
            self.log_call(batch, "PutLogEvents", put).await?;
        }
        let machine = batch.machine.rsplit(':').next().unwrap_or_default();
        // `states/name/2026-01-31-12-00/6f1c…`
        let minute = rfc3339(at).get(..16).unwrap_or_default().replace(['T', ':'], "-");
        let id: u32 = batch.machine.bytes().fold(at as u32, |hash, byte| hash.rotate_left(5) ^ u32::from(byte));
        let stream = format!("states/{machine}/{minute}/{id:08x}");
        let parameters = json!({"LogGroupName": group, "LogStreamName": stream});
        if self.log_call(batch, "CreateLogStream", parameters).await? == Found::Nowhere {
            tracing::warn!(group, "a state machine's log group is not there; its log events are dropped");
            return Ok(None);
        }
        self.streams.0.lock().expect("no panic while held").insert(key, stream.clone());
        Ok(Some(stream))
    }

    async fn log_call(&self, batch: &LogBatch, operation: &str, parameters: Value) -> Result<Found, Unreachable> {
        let Some(service) = aws::models().service(SERVICE) else { return Ok(Found::Nowhere) };
        let errand = Errand {
            service: &service,
            operation,
            parameters,
            account: &batch.account,
            // Logs are delivered in this installation's name.
            role: "",
            task_role: None,
            region: &batch.region,
            idempotency_key: "",
            trace: None,
            attempts: ATTEMPTS,
            timeout: TIMEOUT,
            harmless: true,
            to_queue_url: false,
        };
        match self.caller.call(errand).await {
            Ok(_) => Ok(Found::New),
            Err(CallError::Service { error, .. }) if error.code == "ResourceAlreadyExistsException" => Ok(Found::Known),
            Err(error) if is_lasting(&error) => {
                // It will not be taken at another time either; what was known of the group is not so any more.
                tracing::warn!(group = %batch.group, %error, "CloudWatch Logs does not take log events");
                let key = (batch.group.clone(), batch.machine.clone());
                self.streams.0.lock().expect("no panic while held").remove(&key);
                Ok(Found::Nowhere)
            }
            Err(error) => Err(Unreachable(error.to_string())),
        }
    }
}

#[derive(PartialEq)]
enum Found {
    New,
    Known,
    Nowhere,
}

/// Whether another attempt would end in the same way.
fn is_lasting(error: &CallError) -> bool {
    match error {
        CallError::Service { error, http, .. } => http.status < 500 && !error.code.contains("Throttl"),
        CallError::Params(_) | CallError::NoSuchService(_) | CallError::NoSuchOperation { .. } => true,
        _ => false,
    }
}

/// `arn:aws:logs:us-east-1:000000000000:log-group:/aws/states/name:*` → `/aws/states/name`
fn group_name(arn: &str) -> Option<&str> {
    let (_, name) = arn.split_once(":log-group:")?;
    Some(name.strip_suffix(":*").unwrap_or(name))
}
