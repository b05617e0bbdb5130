//! `stepwell history`: an execution's history, as it is or as it grows.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::client::{DEFAULT_ENDPOINT, Server};
use crate::progress::Progress;
use crate::{Failed, runtime};

/// Show an execution's history
///
/// With --follow it goes on until the execution is over, and the exit code is that of `run`: 0 succeeded, 1 failed,
/// 3 timed out, 4 aborted. Of Express executions the last ones to end are kept for an hour.
#[derive(Args)]
pub struct History {
    /// The execution's ARN
    #[arg(value_name = "EXECUTION")]
    execution: String,

    /// Where the server is
    #[arg(long, env = "AWS_ENDPOINT_URL_SFN", default_value = DEFAULT_ENDPOINT, value_name = "URL")]
    endpoint: String,

    /// Show what comes, until the execution is over
    #[arg(long, short)]
    follow: bool,

    /// Events as JSON lines
    #[arg(long)]
    json: bool,
}

/// How often a followed execution is looked at.
const LOOK: Duration = Duration::from_millis(100);

impl History {
    pub fn execute(self) -> Result<ExitCode, Failed> {
        runtime()?.block_on(self.show())
    }

    async fn show(&self) -> Result<ExitCode, Failed> {
        // An Express execution that has ended is kept for a while under a name that only a server of ours knows.
        let execution = self.execution.replacen(":express:", ":execution:", 1);
        let region = self.execution.split(':').nth(3).unwrap_or("us-east-1");
        let server = Server::at(&self.endpoint, region)?;
        let mut progress = Progress::default();
        let mut shown = 0;
        loop {
            let description = server.call("DescribeExecution", json!({"executionArn": execution})).await?;
            shown = self.print(&server, &execution, &mut progress, shown).await?;
            let status = description["status"].as_str().unwrap_or_default();
            if !self.follow || status != "RUNNING" {
                return Ok(match (self.follow, status) {
                    (true, "FAILED") => ExitCode::from(1),
                    (true, "TIMED_OUT") => ExitCode::from(3),
                    (true, "ABORTED") => ExitCode::from(4),
                    _ => ExitCode::SUCCESS,
                });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Prints the events after the first `shown` ones; how many there are now.
    async fn print(
        &self,
        server: &Server,
        execution: &str,
        progress: &mut Progress,
        shown: u64,
    ) -> Result<u64, Failed> {
        let mut count = 0;
        let mut token = Value::Null;
        loop {
            let mut request = json!({"executionArn": execution, "maxResults": 1000});
            if token.is_string() {
                request["nextToken"] = token;
            }
            let page = server.call("GetExecutionHistory", request).await?;
            for event in page["events"].as_array().into_iter().flatten() {
                count += 1;
                if count <= shown {
                    continue;
                }
                match self.json {
                    true => println!("{event}"),
                    false => progress.line(event).into_iter().for_each(|line| println!("{line}")),
                }
            }
            token = page["nextToken"].clone();
            if !token.is_string() {
                return Ok(count);
            }
        }
    }
}
