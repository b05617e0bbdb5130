//! The configurations of a state machine: what AWS accepts of them, and how it shows them again.

use serde_json::{Map, Value, json};

use crate::decode::Integer;
use crate::exception::Exception;
use crate::requests::{EncryptionConfiguration, LoggingConfiguration, TracingConfiguration, given, is_set};

/// AWS delivers to one log group.
const MAX_DESTINATIONS: usize = 1;

/// As it is shown again: with what AWS takes where something is absent.
pub fn logging(configuration: &LoggingConfiguration<'_>) -> Result<Value, Exception> {
    let level = configuration.level.as_deref().unwrap_or("OFF");
    let destinations = configuration.destinations.as_deref().unwrap_or_default();
    if destinations.len() > MAX_DESTINATIONS || (level != "OFF" && destinations.is_empty()) {
        const MESSAGE: &str = "Invalid Logging Configuration: Must specify exactly one Log Destination.";
        return Err(Exception::new("InvalidLoggingConfiguration", MESSAGE));
    }
    let mut shown = Map::new();
    shown.insert("level".into(), level.into());
    shown.insert("includeExecutionData".into(), is_set(configuration.include_execution_data).into());
    if !destinations.is_empty() {
        let group = |group: &_| json!({"cloudWatchLogsLogGroup": {"logGroupArn": given(group)}});
        let groups = destinations.iter().filter_map(|to| to.cloud_watch_logs_log_group.as_ref());
        shown.insert("destinations".into(), groups.map(|to| group(&to.log_group_arn)).collect());
    }
    Ok(shown.into())
}

pub fn tracing(configuration: &TracingConfiguration) -> Value {
    json!({"enabled": is_set(configuration.enabled)})
}

/// How long a data key is used again where the caller does not say, in seconds. AWS: 300.
const REUSE_SECONDS: i64 = 300;

/// Checked and shown again; whoever names a key of their own is told in the server's log that nothing is encrypted
/// with it here.
pub fn encryption(configuration: &EncryptionConfiguration<'_>) -> Result<Value, Exception> {
    let wrong = |message| Err(Exception::new("InvalidEncryptionConfiguration", message));
    let seconds = configuration.kms_data_key_reuse_period_seconds.map(|Integer(seconds)| seconds);
    match (given(&configuration.r#type), configuration.kms_key_id.as_deref()) {
        ("AWS_OWNED_KEY", None) if seconds.is_none() => Ok(owned_key()),
        ("AWS_OWNED_KEY", _) => {
            wrong("Invalid Encryption Configuration: an AWS owned key has no key id and no reuse period")
        }
        (_, None) => wrong("Invalid Encryption Configuration: a customer managed key must be named by its kmsKeyId"),
        (own, Some(key)) => {
            tracing::warn!("a customer managed key is kept and shown, but data here is not encrypted with it");
            let seconds = seconds.unwrap_or(REUSE_SECONDS);
            Ok(json!({"type": own, "kmsKeyId": key, "kmsDataKeyReusePeriodSeconds": seconds}))
        }
    }
}

pub fn owned_key() -> Value {
    json!({"type": "AWS_OWNED_KEY"})
}

pub fn logging_or_default(configuration: Option<Value>) -> Value {
    configuration.unwrap_or_else(|| json!({"level": "OFF", "includeExecutionData": false}))
}

pub fn tracing_or_default(configuration: Option<Value>) -> Value {
    configuration.unwrap_or_else(|| json!({"enabled": false}))
}
