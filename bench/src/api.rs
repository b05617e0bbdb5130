//! The handful of Step Functions calls that the workloads make, in the shapes that the API has on the wire.
//!
//! Answers are read with borrowed fields only, because every copy here would be counted as the driver's own time. A start
//! that is throttled is tried again, as an SDK would: the workload measures what comes through.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::http::Client;

/// Between two looks at an execution that still runs. The first looks come at once: most are done by then.
const POLL: Duration = Duration::from_millis(1);
const POLLS_AT_ONCE: usize = 4;
/// A workload that stands still is a failure to report, not a run to wait for.
const PATIENCE: Duration = Duration::from_secs(120);
/// AWS's SDKs wait longer; a driver wants to know what the server can take.
const AFTER_THROTTLE: Duration = Duration::from_millis(2);

/// Executions that this driver has started.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// One caller: one connection, one call at a time.
pub struct Api {
    client: Client,
    body: Vec<u8>,
}

/// What DescribeExecution tells of an execution.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    pub status: String,
    #[serde(default)]
    pub start_date: f64,
    #[serde(default)]
    pub stop_date: Option<f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StartExecution<'a> {
    state_machine_arn: &'a str,
    name: &'a str,
    input: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DescribeExecution<'a> {
    execution_arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    included_data: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SendTaskSuccess<'a> {
    task_token: &'a str,
    output: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Started<'a> {
    #[serde(borrow)]
    execution_arn: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
}

/// An activity task, or an empty hand when nothing came within the long poll.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityTask {
    #[serde(default)]
    pub task_token: Option<String>,
    #[serde(default)]
    pub input: Option<String>,
}

impl Api {
    pub fn new(address: SocketAddr) -> Api {
        Api { client: Client::new(address), body: Vec::new() }
    }

    /// One call; an answer that is not 200 is an error that carries AWS's own words.
    async fn call(&mut self, target: &str, request: &impl Serialize) -> Result<&[u8]> {
        self.body.clear();
        serde_json::to_writer(&mut self.body, request)?;
        let answer = self.client.call(target, &self.body).await?;
        if answer.status != 200 {
            bail!("{target}: {} {}", answer.status, String::from_utf8_lossy(answer.body));
        }
        Ok(answer.body)
    }

    /// A call of no workload's hot path, as JSON both ways.
    pub async fn plain(&mut self, operation: &str, request: Value) -> Result<Value> {
        let body = self.call(&format!("AWSStepFunctions.{operation}"), &request).await?;
        if body.is_empty() {
            Ok(Value::Null)
        } else {
            serde_json::from_slice(body).context("an answer that is not JSON")
        }
    }

    /// Creates a Standard state machine and returns its ARN.
    pub async fn create_machine(&mut self, name: &str, definition: &Value) -> Result<String> {
        let request = json!({ "name": name, "definition": definition.to_string(),
            "roleArn": "arn:aws:iam::000000000000:role/bench" });
        text_of(&self.plain("CreateStateMachine", request).await?, "stateMachineArn")
    }

    /// Creates an Express state machine and returns its ARN.
    pub async fn create_express(&mut self, name: &str, definition: &Value) -> Result<String> {
        let request = json!({ "name": name, "definition": definition.to_string(), "type": "EXPRESS",
            "roleArn": "arn:aws:iam::000000000000:role/bench" });
        text_of(&self.plain("CreateStateMachine", request).await?, "stateMachineArn")
    }

    /// Runs an Express execution to its end in one call; anything but SUCCEEDED is an error.
    pub async fn run_sync(&mut self, machine: &str, input: &str) -> Result<()> {
        let name = format!("{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let request = StartExecution { state_machine_arn: machine, name: &name, input };
        let body = self.call("AWSStepFunctions.StartSyncExecution", &request).await?;
        match &*serde_json::from_slice::<Status<'_>>(body)?.status {
            "SUCCEEDED" => Ok(()),
            other => bail!("{name} ended {other}: {}", String::from_utf8_lossy(body)),
        }
    }

    pub async fn create_activity(&mut self, name: &str) -> Result<String> {
        text_of(&self.plain("CreateActivity", json!({ "name": name })).await?, "activityArn")
    }

    /// Starts an execution under a name of its own (not every peer makes one up) and returns its ARN.
    pub async fn start(&mut self, machine: &str, input: &str) -> Result<String> {
        let name = format!("{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let request = StartExecution { state_machine_arn: machine, name: &name, input };
        loop {
            match self.call("AWSStepFunctions.StartExecution", &request).await {
                Ok(body) => return Ok(serde_json::from_slice::<Started<'_>>(body)?.execution_arn.into_owned()),
                Err(e) if is_throttle(&e) => tokio::time::sleep(AFTER_THROTTLE).await,
                Err(e) => return Err(e),
            }
        }
    }

    pub async fn describe(&mut self, execution: &str) -> Result<Seen> {
        let request = DescribeExecution { execution_arn: execution, included_data: None };
        Ok(serde_json::from_slice(self.call("AWSStepFunctions.DescribeExecution", &request).await?)?)
    }

    /// Asks until the execution has ended, without its payloads; anything but SUCCEEDED is an error.
    pub async fn until_succeeded(&mut self, execution: &str) -> Result<()> {
        let request = DescribeExecution { execution_arn: execution, included_data: Some("METADATA_ONLY") };
        let mut looks = 0_usize;
        let begun = std::time::Instant::now();
        loop {
            let body = self.call("AWSStepFunctions.DescribeExecution", &request).await?;
            match &*serde_json::from_slice::<Status<'_>>(body)?.status {
                "SUCCEEDED" => return Ok(()),
                "RUNNING" => {}
                other => bail!("{execution} ended {other}: {}", String::from_utf8_lossy(body)),
            }
            looks += 1;
            if looks > POLLS_AT_ONCE {
                if begun.elapsed() > PATIENCE {
                    bail!("{execution} still runs after {PATIENCE:?}");
                }
                tokio::time::sleep(POLL).await;
            }
        }
    }

    /// Starts an execution and waits until it has succeeded.
    pub async fn run(&mut self, machine: &str, input: &str) -> Result<()> {
        let execution = self.start(machine, input).await?;
        self.until_succeeded(&execution).await
    }

    pub async fn activity_task(&mut self, activity: &str) -> Result<ActivityTask> {
        let request = json!({ "activityArn": activity, "workerName": "bench" });
        Ok(serde_json::from_slice(self.call("AWSStepFunctions.GetActivityTask", &request).await?)?)
    }

    pub async fn send_success(&mut self, token: &str, output: &str) -> Result<()> {
        let request = SendTaskSuccess { task_token: token, output };
        self.call("AWSStepFunctions.SendTaskSuccess", &request).await.map(drop)
    }
}

fn text_of(answer: &Value, field: &str) -> Result<String> {
    Ok(answer[field].as_str().with_context(|| format!("no {field} in {answer}"))?.to_owned())
}

fn is_throttle(error: &anyhow::Error) -> bool {
    let text = error.to_string();
    ["ThrottlingException", "ExecutionLimitExceeded", "TooManyRequests"].iter().any(|name| text.contains(name))
}
