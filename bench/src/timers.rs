//! W5: many executions that wait five seconds; how late they end.
//!
//! Lateness is stopDate − startDate − 5 s, which disturbs nothing; a hundred executions are also watched from outside, so
//! that a server whose dates are kinder than its answers is found out.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;
use tokio::task::JoinSet;

use crate::api::Api;
use crate::drive::{Size, Source, chain, metered, side_by_side};
use crate::figures::{Report, percentile};

const WAIT: Duration = Duration::from_secs(5);
/// After this all have ended, unless something is wrong; until_succeeded then waits for the stragglers.
const GRACE: Duration = Duration::from_millis(500);
/// A watcher begins to look a little early, and looks every millisecond.
const EARLY: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_millis(1);
const WATCHED: usize = 100;

pub async fn w5(source: &Source, size: &Size, report: &mut Report) -> Result<()> {
    let target = source.server(&[]).await?;
    let address = target.address;
    let wait = chain(1, |_| json!({ "Type": "Wait", "Seconds": WAIT.as_secs() }));
    let machine = Api::new(address).create_machine("bench-w5", &wait).await?;
    let executions = Rc::new(RefCell::new(Vec::with_capacity(size.timers)));
    let watchers = Rc::new(RefCell::new(JoinSet::new()));
    let every = size.timers.div_ceil(WATCHED).max(1);
    let (arns, watch) = (executions.clone(), watchers.clone());
    let (mut seen, spent) = metered(&target, size.timers, async {
        side_by_side(address, size.in_flight, size.timers, async move |api, n| {
            let sent = Instant::now();
            let execution = api.start(&machine, "{}").await?;
            if n % every == 0 {
                watch.borrow_mut().spawn_local(seen_late(Api::new(address), execution.clone(), sent));
            }
            arns.borrow_mut().push(execution);
            Ok(())
        })
        .await?;
        let mut seen = Vec::new();
        let mut watchers = watchers.take();
        while let Some(late) = watchers.join_next().await {
            seen.push(late??);
        }
        tokio::time::sleep(GRACE).await;
        Ok(seen)
    })
    .await?;
    report.spent("W5", spent);
    let late = Rc::new(RefCell::new(Vec::with_capacity(size.timers)));
    let (samples, executions) = (late.clone(), executions.take());
    side_by_side(address, size.in_flight, size.timers, async move |api, n| {
        api.until_succeeded(&executions[n]).await?;
        let ended = api.describe(&executions[n]).await?;
        let stop = ended.stop_date.context("an execution that has ended without a stopDate")?;
        samples.borrow_mut().push((stop - ended.start_date - WAIT.as_secs_f64()) * 1_000.0);
        Ok(())
    })
    .await?;
    let mut late = late.take();
    report.got("w5.p50", percentile(&mut late, 0.5));
    report.got("w5.p99", percentile(&mut late, 0.99));
    report.got("w5.max", percentile(&mut late, 1.0));
    report.got("w5.seen", percentile(&mut seen, 0.99));
    Ok(())
}

/// Milliseconds after its time at which a caller sees the execution done.
async fn seen_late(mut api: Api, execution: String, sent: Instant) -> Result<f64> {
    tokio::time::sleep_until((sent + WAIT - EARLY).into()).await;
    while api.describe(&execution).await?.status == "RUNNING" {
        tokio::time::sleep(LOOK).await;
    }
    Ok((sent.elapsed().as_secs_f64() - WAIT.as_secs_f64()) * 1_000.0)
}
