//! What a transition and a page cost as work grows: with ever more executions in the store, and with ever more events in
//! one execution. Every row should say the same; where one does not, `docs/performance.md` says why.
//!
//! Costs are the server's CPU, since what a disk does meanwhile says more of the machine than of the engine. It is counted
//! in hundredths of a second, so each cost is the mean of many calls.

use std::cell::RefCell;
use std::rc::Rc;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::api::Api;
use crate::drive::{Size, Source, chain, metered, side_by_side};
use crate::process::Target;
use crate::queue::Queue;

const STATES: usize = 10;
/// Executions that are run at each size to see what one costs.
const SAMPLE: usize = 5_000;
/// Calls of each kind that are made at each size.
const CALLS: usize = 2_000;
const PAGE: usize = 100;
/// Events of one round of the loop.
const ROUND_EVENTS: usize = 4;
/// Callbacks of the long execution: one that is loaded cold, and the others.
const CALLBACKS: usize = 101;

/// How far it grows.
#[derive(clap::Args, Clone, Debug)]
pub struct Sizes {
    /// Executions in the store
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    executions: Vec<usize>,
    /// Events in one execution; AWS's limit is 25,000
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 23_500])]
    events: Vec<usize>,
}

/// Prints both tables.
pub async fn growth(source: &Source, size: &Size, sizes: &Sizes, queue: &Queue) -> Result<()> {
    in_the_store(source, size, &sizes.executions).await?;
    println!();
    in_one_execution(source, &sizes.events, queue).await
}

async fn in_the_store(source: &Source, size: &Size, sizes: &[usize]) -> Result<()> {
    println!("executions  transition  first page  next pages  one status  describe  history   memory");
    println!("  in store     µs each     µs each     µs each     µs each   µs each  µs each      MiB");
    let target = source.server(&[]).await?;
    let machine =
        Api::new(target.address).create_machine("bench-growth", &chain(STATES, |_| json!({ "Type": "Pass" }))).await?;
    let started = Rc::new(RefCell::new(Vec::new()));
    let run = |total| {
        let (machine, started) = (machine.clone(), started.clone());
        side_by_side(target.address, size.in_flight, total, async move |api, _| {
            let execution = api.start(&machine, "{}").await?;
            api.until_succeeded(&execution).await?;
            started.borrow_mut().push(execution);
            Ok(())
        })
    };
    for size in sizes {
        let there = started.borrow().len();
        run(size.saturating_sub(there)).await?;
        // A connection of its own: the server closes those that have been idle for a minute.
        let mut api = Api::new(target.address);
        let first = json!({ "stateMachineArn": machine, "maxResults": PAGE });
        let mut of_status = first.clone();
        of_status["statusFilter"] = json!("SUCCEEDED");
        let page = calls(&target, &mut api, "ListExecutions", |_| first.clone()).await?;
        let status = calls(&target, &mut api, "ListExecutions", |_| of_status.clone()).await?;
        let next = paging(&target, &mut api, first).await?;
        // Spread over all that are there, so that most have left every cache.
        let some = |call: usize| started.borrow()[call * (started.borrow().len() / CALLS).max(1) % size].clone();
        let describe = calls(&target, &mut api, "DescribeExecution", |n| json!({ "executionArn": some(n) })).await?;
        let history = |n| json!({ "executionArn": some(n), "maxResults": PAGE });
        let history = calls(&target, &mut api, "GetExecutionHistory", history).await?;
        let memory = target.resident().unwrap_or(f64::NAN) / 1024.0 / 1024.0;
        let ((), spent) = metered(&target, SAMPLE * STATES, run(SAMPLE)).await?;
        let transition = each(&spent);
        println!(
            "{size:>10}  {transition:>10.1}  {page:>10.0}  {next:>10.0}  {status:>10.0}  {describe:>8.0}  {history:>7.0}  {memory:>7.0}"
        );
    }
    Ok(())
}

async fn in_one_execution(source: &Source, sizes: &[usize], queue: &Queue) -> Result<()> {
    println!("   events  transition  first page   last page        load  callback");
    println!("in history     µs each     µs each     µs each          ms   µs each");
    for events in sizes {
        queue.empty();
        let mut target = source.server(&queue.environment()).await?;
        let mut api = Api::new(target.address);
        let rounds = events / ROUND_EVENTS;
        let machine = api.create_machine("bench-growth", &long_machine(queue, rounds)).await?;
        let mut execution = String::new();
        let (token, spent) = metered(&target, rounds * 2, async {
            execution = api.start(&machine, r#"{"n":0}"#).await?;
            queue.token(0).await
        })
        .await?;
        let transition = each(&spent);
        let first = json!({ "executionArn": execution, "maxResults": PAGE });
        let mut last = first.clone();
        last["reverseOrder"] = json!(true);
        let first = calls(&target, &mut api, "GetExecutionHistory", |_| first.clone()).await?;
        let last = calls(&target, &mut api, "GetExecutionHistory", |_| last.clone()).await?;
        target.kill_and_restart()?;
        target.answers().await?;
        let mut api = Api::new(target.address);
        let ((), load) = metered(&target, 1, api.send_success(&token, "{}")).await?;
        let ((), callbacks) = metered(&target, CALLBACKS - 1, async {
            for _ in 1..CALLBACKS {
                let token = queue.token(0).await?;
                api.send_success(&token, "{}").await?;
            }
            api.until_succeeded(&execution).await
        })
        .await?;
        let (load, callback) = (load.seconds * 1e3, each(&callbacks));
        println!("{events:>10}  {transition:>10.1}  {first:>10.0}  {last:>10.0}  {load:>10.1}  {callback:>8.0}");
    }
    Ok(())
}

/// A loop of a Pass and a Choice, and then callbacks one after the other.
fn long_machine(queue: &Queue, rounds: usize) -> Value {
    let call = queue.callback_machine()["States"]["Call"].clone();
    let mut states = chain(CALLBACKS, |_| {
        let mut call = call.clone();
        call.as_object_mut().map(|state| state.remove("End"));
        call["ResultPath"] = Value::Null;
        call
    });
    let more = json!({ "Variable": "$.round", "NumericLessThan": rounds.max(1) - 1, "Next": "Count" });
    states["StartAt"] = json!("Begin");
    states["States"]["Begin"] = json!({ "Type": "Pass", "Result": 0, "ResultPath": "$.round", "Next": "Count" });
    states["States"]["Count"] = json!({ "Type": "Pass", "Next": "More",
        "Parameters": { "n.$": "$.n", "round.$": "States.MathAdd($.round, 1)" } });
    states["States"]["More"] = json!({ "Type": "Choice", "Choices": [more], "Default": "S0" });
    states
}

/// The server's microseconds for each of many calls.
async fn calls(target: &Target, api: &mut Api, operation: &str, request: impl Fn(usize) -> Value) -> Result<f64> {
    let ((), spent) = metered(target, CALLS, async {
        for call in 0..CALLS {
            api.plain(operation, request(call)).await?;
        }
        Ok(())
    })
    .await?;
    Ok(each(&spent))
}

/// The same for the pages that follow the first, as far as there are any.
async fn paging(target: &Target, api: &mut Api, first: Value) -> Result<f64> {
    let mut request = first.clone();
    let mut page = api.plain("ListExecutions", request.clone()).await?;
    let ((), spent) = metered(target, CALLS, async {
        for _ in 0..CALLS {
            // From the last page back to the second.
            if page["nextToken"].is_null() {
                page = api.plain("ListExecutions", first.clone()).await?;
            }
            request["nextToken"] = page["nextToken"].clone();
            page = api.plain("ListExecutions", request.clone()).await?;
        }
        Ok(())
    })
    .await?;
    page["executions"].as_array().context("a page without executions")?;
    Ok(each(&spent))
}

fn each(spent: &crate::drive::Spent) -> f64 {
    spent.server.unwrap_or(f64::NAN) / spent.transitions as f64 * 1e6
}
