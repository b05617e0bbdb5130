//! What runs to its end without leaving the engine: W1, W2s, W4 and the payload of W8.

use anyhow::Result;
use serde_json::{Value, json};

use crate::drive::{Size, Source, Spent, chain, metered, one_by_one, side_by_side};
use crate::figures::{Report, percentile};

/// States of one execution of W1, as PERFORMANCE counts transitions.
const W1_STATES: usize = 10;
const W4_ITEMS: usize = 1_000;
const W8_STATES: usize = 100;
const W8_BYTES: usize = 200 * 1024;
/// What is run before the clock starts: connections open, code and caches warm.
const WARM: usize = 200;

/// W1: 10 Pass states, many in flight, start and poll until done.
pub async fn w1(source: &Source, size: &Size, report: &mut Report) -> Result<()> {
    let spent = passes(source, size, &json!({ "Type": "Pass" })).await?;
    report.got("w1.rate", size.executions as f64 / spent.seconds);
    report.got("w1.cpu", spent.per_thousand());
    report.spent("W1", spent);
    Ok(())
}

/// The same in the other query language, where each state says what it hands on.
pub async fn w1a(source: &Source, size: &Size, report: &mut Report) -> Result<()> {
    let state = json!({ "Type": "Pass", "QueryLanguage": "JSONata", "Output": "{% $states.input %}" });
    let spent = passes(source, size, &state).await?;
    report.got("w1a.rate", size.executions as f64 / spent.seconds);
    report.got("w1a.cpu", spent.per_thousand());
    report.spent("W1a", spent);
    Ok(())
}

async fn passes(source: &Source, size: &Size, state: &Value) -> Result<Spent> {
    let target = source.server(&[]).await?;
    let mut api = crate::api::Api::new(target.address);
    let machine = api.create_machine("bench-w1", &chain(W1_STATES, |_| state.clone())).await?;
    let work = move |total| {
        let machine = machine.clone();
        side_by_side(target.address, size.in_flight, total, async move |api, _| api.run(&machine, "{}").await)
    };
    work(WARM.min(size.executions)).await?;
    let ((), spent) = metered(&target, size.executions * W1_STATES, work(size.executions)).await?;
    Ok(spent)
}

/// W1x: the same as Express, synchronous; the answer of the one call is the end.
pub async fn w1x(source: &Source, size: &Size, report: &mut Report) -> Result<()> {
    let target = source.server(&[]).await?;
    let mut api = crate::api::Api::new(target.address);
    let machine = api.create_express("bench-w1x", &chain(W1_STATES, |_| json!({ "Type": "Pass" }))).await?;
    let work = move |total| {
        let machine = machine.clone();
        side_by_side(target.address, size.in_flight, total, async move |api, _| api.run_sync(&machine, "{}").await)
    };
    work(WARM.min(size.executions)).await?;
    let ((), spent) = metered(&target, size.executions * W1_STATES, work(size.executions)).await?;
    report.got("w1x.rate", size.executions as f64 / spent.seconds);
    report.spent("W1x", spent);
    Ok(())
}

/// W2: one Pass state as Express, synchronous, one caller.
pub async fn w2(source: &Source, size: &Size, report: &mut Report) -> Result<()> {
    let target = source.server(&[]).await?;
    let mut api = crate::api::Api::new(target.address);
    let machine = api.create_express("bench-w2", &chain(1, |_| json!({ "Type": "Pass" }))).await?;
    let run = async |api: &mut crate::api::Api, _| api.run_sync(&machine, "{}").await;
    one_by_one(target.address, WARM.min(size.calls), &run).await?;
    let mut samples = one_by_one(target.address, size.calls, &run).await?;
    report.got("w2.p50", percentile(&mut samples, 0.5));
    report.got("w2.p99", percentile(&mut samples, 0.99));
    Ok(())
}

/// W2s: one Pass state, one caller, start and poll.
pub async fn w2s(source: &Source, size: &Size, report: &mut Report) -> Result<()> {
    let target = source.server(&[]).await?;
    let mut api = crate::api::Api::new(target.address);
    let machine = api.create_machine("bench-w2s", &chain(1, |_| json!({ "Type": "Pass" }))).await?;
    let run = async |api: &mut crate::api::Api, _| api.run(&machine, "{}").await;
    one_by_one(target.address, WARM.min(size.calls), &run).await?;
    let (mut samples, spent) = metered(&target, size.calls, one_by_one(target.address, size.calls, &run)).await?;
    report.spent("W2s", spent);
    report.got("w2s.p50", percentile(&mut samples, 0.5));
    report.got("w2s.p99", percentile(&mut samples, 0.99));
    Ok(())
}

/// W4: an inline Map of 1,000 items with one Pass each.
pub async fn w4(source: &Source, size: &Size, report: &mut Report) -> Result<()> {
    let target = source.server(&[]).await?;
    let mut api = crate::api::Api::new(target.address);
    let map = json!({ "Type": "Map", "ItemsPath": "$.items", "ItemProcessor": {
        "ProcessorConfig": { "Mode": "INLINE" }, "StartAt": "Each", "States": { "Each": { "Type": "Pass", "End": true } },
    } });
    let machine = api.create_machine("bench-w4", &chain(1, |_| map.clone())).await?;
    let input = json!({ "items": (0..W4_ITEMS).collect::<Vec<_>>() }).to_string();
    let run = async |api: &mut crate::api::Api, _| api.run(&machine, &input).await;
    one_by_one(target.address, 1, &run).await?;
    let transitions = size.runs * (W4_ITEMS + 1);
    let (mut samples, spent) = metered(&target, transitions, one_by_one(target.address, size.runs, &run)).await?;
    report.spent("W4", spent);
    report.got("w4.p50", percentile(&mut samples, 0.5));
    Ok(())
}

/// W8, first half: 200 KiB through 100 Pass states.
pub async fn w8_payload(source: &Source, size: &Size, report: &mut Report) -> Result<()> {
    let target = source.server(&[]).await?;
    let mut api = crate::api::Api::new(target.address);
    let machine = api.create_machine("bench-w8", &chain(W8_STATES, |_| json!({ "Type": "Pass" }))).await?;
    let input = json!({ "text": "x".repeat(W8_BYTES) }).to_string();
    let run = async |api: &mut crate::api::Api, _| api.run(&machine, &input).await;
    one_by_one(target.address, 1, &run).await?;
    let transitions = size.runs * W8_STATES;
    let (mut samples, spent) = metered(&target, transitions, one_by_one(target.address, size.runs, &run)).await?;
    report.spent("W8 200 KiB", spent);
    report.got("w8.passes", percentile(&mut samples, 0.5));
    Ok(())
}
