//! W1t: ten activity tasks in a row, the worker in the driver. Each step leaves the engine and comes back, which is the
//! fair comparison with engines whose steps are user code.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::api::Api;
use crate::drive::{Size, Source, chain, metered, side_by_side};
use crate::figures::Report;

const TASKS: usize = 10;
const WARM: usize = 50;
/// W1t does this part of W1's executions: each is ten times the work.
const PART: usize = 10;

/// The executions under way: how many of their tasks are done, and who wants to know of the last.
type Under = Rc<RefCell<HashMap<usize, (usize, oneshot::Sender<()>)>>>;

#[derive(Deserialize)]
struct Input {
    n: usize,
}

pub async fn w1t(source: &Source, size: &Size, report: &mut Report) -> Result<()> {
    let target = source.server(&[]).await?;
    let mut api = Api::new(target.address);
    let activity = api.create_activity("bench-w1t").await?;
    let task = json!({ "Type": "Task", "Resource": activity, "ResultPath": null });
    let machine = api.create_machine("bench-w1t", &chain(TASKS, |_| task.clone())).await?;
    let under = Under::default();
    let mut workers = JoinSet::new();
    for _ in 0..size.in_flight {
        workers.spawn_local(work(Api::new(target.address), activity.clone(), under.clone()));
    }
    let executions = (size.executions / PART).max(1);
    let run = |first: usize, total| {
        let (machine, under) = (machine.clone(), under.clone());
        side_by_side(target.address, size.in_flight, total, async move |api, index| {
            let (done, last) = oneshot::channel();
            under.borrow_mut().insert(first + index, (0, done));
            let execution = api.start(&machine, &format!(r#"{{"n":{}}}"#, first + index)).await?;
            last.await.context("the workers have stopped")?;
            api.until_succeeded(&execution).await
        })
    };
    let measured = async {
        run(0, WARM.min(executions)).await?;
        metered(&target, executions * TASKS, run(WARM, executions)).await
    };
    let ((), spent) = tokio::select! {
        spent = measured => spent?,
        Some(ended) = workers.join_next() => return ended?,
    };
    report.got("w1t.rate", executions as f64 / spent.seconds);
    report.spent("W1t", spent);
    Ok(())
}

/// One worker: takes a task, does nothing, reports success. It ends only by an error.
async fn work(mut api: Api, activity: String, under: Under) -> Result<()> {
    loop {
        let task = api.activity_task(&activity).await?;
        let (Some(token), Some(input)) = (task.task_token, task.input) else { continue };
        let Input { n } = serde_json::from_str(&input)?;
        api.send_success(&token, "{}").await?;
        let mut under = under.borrow_mut();
        let (done, _) = under.get_mut(&n).context("a task of no execution")?;
        *done += 1;
        if *done == TASKS {
            let _ = under.remove(&n).map(|(_, last)| last.send(()));
        }
    }
}
