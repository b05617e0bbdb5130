//! How a workload is driven: a fresh server, callers side by side, and the meter that tells what it cost.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::api::Api;
use crate::process::{self, Recipe, Target};

/// How much is done. The defaults are the ones of the published figures.
#[derive(clap::Args, Clone, Debug)]
pub struct Size {
    /// Executions of W1; W1t does a tenth of them
    #[arg(long, default_value_t = 20_000)]
    pub executions: usize,
    /// Callers at once, each with one connection and one call at a time
    #[arg(long, default_value_t = 32)]
    pub in_flight: usize,
    /// Samples where one caller's latency is measured (W2s, W3, floor)
    #[arg(long, default_value_t = 2_000)]
    pub calls: usize,
    /// Executions parked at once (W3, W7)
    #[arg(long, default_value_t = 10_000)]
    pub parked: usize,
    /// Executions parked at once where they are many (a second round of W7)
    #[arg(long, default_value_t = 100_000)]
    pub many: usize,
    /// Executions that wait five seconds (W5)
    #[arg(long, default_value_t = 10_000)]
    pub timers: usize,
    /// Repetitions of what takes long alone (W4, W6, W8)
    #[arg(long, default_value_t = 20)]
    pub runs: usize,
}

/// Where the servers of the workloads come from.
pub enum Source {
    /// A fresh one for every workload.
    Spawn(Recipe),
    /// One that runs already.
    Running { address: SocketAddr, pid: Option<u32> },
}

impl Source {
    /// A server that answers, with these variables in its environment.
    pub async fn server(&self, environment: &[(&str, String)]) -> Result<Target> {
        let mut target = match self {
            Source::Spawn(recipe) => Target::spawn(recipe, environment)?,
            Source::Running { address, pid } => Target::running(*address, *pid),
        };
        target.answers().await?;
        Ok(target)
    }
}

/// What a stretch of work cost.
#[derive(Clone, Debug)]
pub struct Spent {
    /// States that were entered; requests, where nothing is run.
    pub transitions: usize,
    pub seconds: f64,
    /// CPU of the driver.
    pub own: f64,
    /// CPU of the server, where its process is known.
    pub server: Option<f64>,
    /// The most memory that the server has held until then, in bytes.
    pub peak: Option<f64>,
}

/// Runs a stretch of work of so many transitions, and says what came of it and what it cost.
pub async fn metered<T>(
    target: &Target,
    transitions: usize,
    work: impl Future<Output = Result<T>>,
) -> Result<(T, Spent)> {
    let (own, server, begun) = (process::own_cpu()?, target.cpu(), Instant::now());
    let value = work.await?;
    let seconds = begun.elapsed().as_secs_f64();
    let server = server.and_then(|before| Some(target.cpu()? - before));
    let (own, peak) = (process::own_cpu()? - own, target.peak());
    Ok((value, Spent { transitions, seconds, own, server, peak }))
}

impl Spent {
    /// The server's CPU for 1,000 transitions, in seconds.
    pub fn per_thousand(&self) -> Option<f64> {
        self.server.map(|cpu| cpu / self.transitions as f64 * 1_000.0)
    }
}

/// Does `total` pieces of work with `callers` callers at once, each with a connection of its own.
pub async fn side_by_side<W>(address: SocketAddr, callers: usize, total: usize, work: W) -> Result<()>
where
    W: AsyncFn(&mut Api, usize) -> Result<()> + 'static,
{
    let (work, next) = (Rc::new(work), Rc::new(Cell::new(0)));
    let mut running = JoinSet::new();
    for _ in 0..callers.min(total) {
        let (work, next) = (work.clone(), next.clone());
        running.spawn_local(async move {
            let mut api = Api::new(address);
            while next.get() < total {
                let index = next.replace(next.get() + 1);
                work(&mut api, index).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}

/// Milliseconds that each of `total` calls takes a caller who is alone.
pub async fn one_by_one(
    address: SocketAddr,
    total: usize,
    work: impl AsyncFn(&mut Api, usize) -> Result<()>,
) -> Result<Vec<f64>> {
    let mut api = Api::new(address);
    let mut samples = Vec::with_capacity(total);
    for index in 0..total {
        let begun = Instant::now();
        work(&mut api, index).await?;
        samples.push(begun.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(samples)
}

/// A definition of `length` states in a row, each made by `state` (which leaves out Next and End).
pub fn chain(length: usize, state: impl Fn(usize) -> Value) -> Value {
    let mut states = serde_json::Map::new();
    for index in 0..length {
        let mut state = state(index);
        if index + 1 < length {
            state["Next"] = json!(format!("S{}", index + 1));
        } else {
            state["End"] = json!(true);
        }
        states.insert(format!("S{index}"), state);
    }
    json!({ "StartAt": "S0", "States": states })
}
