//! W6, the server as a process: how soon it answers, what it holds when idle, how large it is. And the second half of W8:
//! an execution with a long history, loaded cold and paged through.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::api::Api;
use crate::drive::{Size, Source};
use crate::figures::{Report, percentile};
use crate::process::Target;
use crate::queue::Queue;

/// Idle is a second after the first answer.
const IDLE: Duration = Duration::from_secs(1);
/// Idle memory varies little: few samples tell it.
const IDLE_RUNS: usize = 3;
/// Rounds of a loop with four events each, so that the whole stays below AWS's 25,000 events.
const ROUNDS: usize = 6_200;
const PAGE: usize = 1_000;

/// W6: cold start to the first answer, idle memory, size of the binary.
pub async fn w6(source: &Source, size: &Size, report: &mut Report) -> Result<()> {
    let Source::Spawn(recipe) = source else {
        eprintln!("w6 needs a server that the driver starts (--server); left out");
        return Ok(());
    };
    let (mut cold, mut idle) = (Vec::new(), Vec::new());
    for run in 0..size.runs.max(1) {
        let begun = Instant::now();
        let mut target = Target::spawn(recipe, &[])?;
        target.answers().await?;
        cold.push(begun.elapsed().as_secs_f64());
        if run < IDLE_RUNS {
            tokio::time::sleep(IDLE).await;
            idle.extend(target.resident().map(|bytes| bytes / 1024.0 / 1024.0));
        }
    }
    report.got("w6.cold", percentile(&mut cold, 0.5));
    report.got("w6.idle", percentile(&mut idle, 0.5));
    report.got("w6.binary", std::fs::metadata(&recipe.binary)?.len() as f64 / 1e6);
    Ok(())
}

/// W8, second half: a history of almost 25,000 events that waits for a token; resumed by a server that has just started.
pub async fn w8_history(source: &Source, queue: &Queue, report: &mut Report) -> Result<()> {
    if !matches!(source, Source::Spawn(_)) {
        eprintln!("the history of w8 needs a server that the driver starts (--server); left out");
        return Ok(());
    }
    queue.empty();
    let mut target = source.server(&queue.environment()).await?;
    let mut api = Api::new(target.address);
    let machine = api.create_machine("bench-w8-history", &long_machine(queue)).await?;
    let execution = api.start(&machine, r#"{"n":0}"#).await?;
    let token = queue.token(0).await?;
    target.kill_and_restart()?;
    target.answers().await?;
    let mut api = Api::new(target.address);
    let begun = Instant::now();
    api.send_success(&token, "{}").await?;
    api.until_succeeded(&execution).await?;
    report.got("w8.load", begun.elapsed().as_secs_f64() * 1_000.0);
    let begun = Instant::now();
    let events = page_through(&mut api, &execution).await?;
    report.got("w8.page", begun.elapsed().as_secs_f64() * 1_000.0);
    ensure!(events > 4 * ROUNDS, "the history has only {events} events");
    Ok(())
}

/// Counts to ROUNDS with a Pass and a Choice, then sends its token and waits.
fn long_machine(queue: &Queue) -> Value {
    let mut machine = queue.callback_machine();
    machine["StartAt"] = json!("Begin");
    let more = json!({ "Variable": "$.round", "NumericLessThan": ROUNDS - 1, "Next": "Count" });
    machine["States"]["Begin"] = json!({ "Type": "Pass", "Result": 0, "ResultPath": "$.round", "Next": "Count" });
    machine["States"]["Count"] = json!({ "Type": "Pass", "Next": "More",
        "Parameters": { "n.$": "$.n", "round.$": "States.MathAdd($.round, 1)" } });
    machine["States"]["More"] = json!({ "Type": "Choice", "Choices": [more], "Default": "Call" });
    machine
}

async fn page_through(api: &mut Api, execution: &str) -> Result<usize> {
    let mut request = json!({ "executionArn": execution, "maxResults": PAGE, "includeExecutionData": true });
    let mut events = 0;
    loop {
        let page = api.plain("GetExecutionHistory", request.clone()).await?;
        events += page["events"].as_array().context("a page without events")?.len();
        match page.get("nextToken") {
            Some(token) if !token.is_null() => request["nextToken"] = token.clone(),
            _ => return Ok(events),
        }
    }
}
