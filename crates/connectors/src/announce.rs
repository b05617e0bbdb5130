//! Tells EventBridge when an execution's status changes, as AWS does: to the default bus, and on a best-effort basis.
//!
//! It is told where it has an endpoint, unless the settings say otherwise; that of real AWS only where they ask for it.

use std::time::Duration;

use engine::api::ExecutionDescription;
use machine::{Status, rfc3339};
use serde_json::{Value, json};

use crate::Connectors;
use crate::call::Errand;

const SERVICE: &str = "events";

/// Whether a service has an endpoint is the same in each.
const ANY_REGION: &str = "us-east-1";

/// AWS leaves input and output out of events that would be larger than this together.
const MAX_DATA_BYTES: usize = 248 * 1024;

const TIMEOUT: Duration = Duration::from_secs(10);
const ATTEMPTS: u32 = 5;

impl Connectors {
    pub(crate) fn announces(&self) -> bool {
        let endpoint = self.caller.endpoint(SERVICE, ANY_REGION);
        endpoint.is_ok_and(|endpoint| self.status_changes.unwrap_or(!endpoint.is_aws()))
    }

    pub(crate) async fn announce(&self, account: &str, region: &str, execution: &ExecutionDescription) {
        let Some(service) = aws::models().service(SERVICE) else { return };
        let at = execution.stopped_at.or(execution.redriven_at).unwrap_or(execution.started_at);
        let entry = json!({
            "Source": "aws.states",
            "DetailType": "Step Functions Execution Status Change",
            "Time": rfc3339(at),
            "Resources": [&*execution.arn],
            "Detail": detail(execution).to_string(),
        });
        let errand = Errand {
            service: &service,
            operation: "PutEvents",
            parameters: json!({"Entries": [entry]}),
            account,
            role: &execution.role,
            task_role: None,
            region,
            idempotency_key: "",
            trace: None,
            attempts: ATTEMPTS,
            timeout: TIMEOUT,
            harmless: true,
            to_queue_url: false,
        };
        if let Err(error) = self.caller.call(errand).await {
            tracing::warn!(execution = %execution.arn, %error, "a status change could not be told to EventBridge");
        }
    }
}

fn detail(execution: &ExecutionDescription) -> Value {
    let size = execution.input.text().len() + execution.output.as_ref().map_or(0, |output| output.text().len());
    let included = size <= MAX_DATA_BYTES;
    let data = |text: Option<&str>| if included { text.map(str::to_owned) } else { None };
    let failure = execution.failure.as_ref().filter(|_| execution.status != Status::TimedOut);
    let (redrive, reason) = match execution.status {
        Status::Running | Status::Succeeded => {
            ("NOT_REDRIVABLE", Some(format!("Execution is {} and cannot be redriven", execution.status.name())))
        }
        _ => ("REDRIVABLE", None),
    };
    json!({
        "executionArn": &*execution.arn,
        "stateMachineArn": &*execution.machine,
        "name": &*execution.name,
        "status": execution.status.name(),
        "startDate": execution.started_at,
        "stopDate": execution.stopped_at,
        "input": data(Some(execution.input.text())),
        "output": data(execution.output.as_ref().map(|output| &**output.text())),
        "stateMachineVersionArn": execution.version.as_deref(),
        "stateMachineAliasArn": execution.alias.as_deref(),
        "redriveCount": execution.redrive_count,
        "redriveDate": execution.redriven_at,
        "redriveStatus": redrive,
        "redriveStatusReason": reason,
        "inputDetails": {"included": included},
        "outputDetails": execution.output.as_ref().map(|_| json!({"included": included})),
        "error": failure.and_then(|f| f.error.as_deref()),
        "cause": failure.and_then(|f| f.cause.as_deref()),
    })
}
