//! The driver that measures Stepwell, or anything else that speaks the Step Functions API, from outside.
//!
//! It starts the server itself, a fresh one for each workload, and reads the server's CPU and memory from `/proc`; its own
//! CPU is printed apart, so it is written to need little: one thread, hand-written frames, no copies on the hot path. What
//! the workloads are and what their figures must be stands in `figures.rs`; start reading there, then `drive.rs`.

mod activities;
mod api;
mod callbacks;
mod drive;
mod figures;
mod floor;
mod growth;
mod http;
mod lifecycle;
mod passes;
mod process;
mod queue;
mod steady;
mod timers;
#[cfg(test)]
mod toy;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use crate::drive::{Size, Source};
use crate::figures::Report;
use crate::process::Recipe;
use crate::queue::Queue;

/// Measures the workloads and prints figure | must | aim | got.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    /// What to measure
    #[arg(value_enum, required = true)]
    work: Vec<Work>,
    /// The binary to start: a fresh server with a fresh data directory for each workload
    #[arg(long, default_value = "target/release/stepwell")]
    server: PathBuf,
    /// Something more for the server's command line (may be given again)
    #[arg(long, allow_hyphen_values = true)]
    server_arg: Vec<String>,
    /// Measure this server instead, which runs already (W6, W7 and the history of W8 are left out)
    #[arg(long, value_name = "ADDRESS")]
    endpoint: Option<SocketAddr>,
    /// The process of --endpoint, for its CPU and memory
    #[arg(long, requires = "endpoint")]
    pid: Option<u32>,
    /// Where the driver's SQS listens; a server that runs already needs AWS_ENDPOINT_URL_SQS to point there
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    queue: SocketAddr,
    /// Where data directories are made; on a disk, or durability is not measured
    #[arg(long, default_value = "target/bench")]
    scratch: PathBuf,
    /// Seconds after which a workload is given up
    #[arg(long, default_value_t = 150)]
    limit: u64,
    /// The figures as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    size: Size,
}

#[derive(Subcommand)]
enum Role {
    /// W1 for an hour: what the server holds must stay flat
    Steady {
        /// The binary to start
        #[arg(long, default_value = "target/release/stepwell")]
        server: PathBuf,
        /// Where the data directory is made
        #[arg(long, default_value = "target/bench")]
        scratch: PathBuf,
        #[command(flatten)]
        options: steady::Length,
        #[command(flatten)]
        size: Size,
    },
    /// What a transition and a page cost as executions and events grow
    Growth {
        #[arg(long, default_value = "target/release/stepwell")]
        server: PathBuf,
        #[arg(long, default_value = "target/bench")]
        scratch: PathBuf,
        #[command(flatten)]
        sizes: growth::Sizes,
    },
    /// The least that a server can do (started by `floor`)
    #[command(hide = true)]
    FloorServer(floor::FloorServer),
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Work {
    /// Everything below
    All,
    /// A server that runs nothing, without and with a durable log: what this machine allows
    Floor,
    /// 10 Pass states, many in flight
    W1,
    /// The same in JSONata
    W1a,
    /// The same as Express, synchronous
    W1x,
    /// 10 activity tasks, the worker in the driver
    W1t,
    /// One Pass state as Express, synchronous, one caller
    W2,
    /// One Pass state, one caller
    W2s,
    /// Task tokens: latency, and many parked at once
    W3,
    /// Inline Map of 1,000 items
    W4,
    /// 10,000 timers of five seconds
    W5,
    /// Cold start, idle memory, size
    W6,
    /// kill -9 with many parked
    W7,
    /// Large payloads and long histories
    W8,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("bench: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        match &cli.role {
            Some(Role::Steady { server, scratch, options, size }) => {
                let recipe =
                    Recipe { binary: server.clone(), scratch: scratch.clone(), command: vec!["serve".to_owned()] };
                steady::steady(&recipe, options, size).await
            }
            Some(Role::FloorServer(options)) => floor::serve(options).await,
            Some(Role::Growth { server, scratch, sizes }) => {
                let source = spawned(server, scratch, &[]);
                let queue = Queue::open(cli.queue).await?;
                growth::growth(&source, &cli.size, sizes, &queue).await
            }
            None => measure(cli).await,
        }
    })
}

async fn measure(cli: &Cli) -> Result<()> {
    let source = match cli.endpoint {
        Some(address) => Source::Running { address, pid: cli.pid },
        None => spawned(&cli.server, &cli.scratch, &cli.server_arg),
    };
    let queue = Queue::open(cli.queue).await?;
    let mut report = Report::default();
    let mut failed = 0;
    for work in Work::value_variants().iter().skip(1) {
        if !cli.work.contains(work) && !cli.work.contains(&Work::All) {
            continue;
        }
        let name = work.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
        eprintln!("{name} …");
        let limit = Duration::from_secs(cli.limit);
        let done = tokio::time::timeout(limit, one(*work, cli, &source, &queue, &mut report)).await;
        if let Err(e) = done.unwrap_or_else(|_| Err(anyhow::anyhow!("it was not done after {limit:?}"))) {
            eprintln!("{name} failed: {e:#}");
            failed += 1;
        }
    }
    if cli.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.table());
    }
    anyhow::ensure!(failed == 0, "{failed} workloads failed");
    Ok(())
}

/// A fresh server for every workload.
fn spawned(binary: &Path, scratch: &Path, more: &[String]) -> Source {
    let command = std::iter::once("serve".to_owned()).chain(more.iter().cloned()).collect();
    Source::Spawn(Recipe { binary: binary.to_owned(), scratch: scratch.to_owned(), command })
}

async fn one(work: Work, cli: &Cli, source: &Source, queue: &Queue, report: &mut Report) -> Result<()> {
    let size = &cli.size;
    match work {
        Work::All => Ok(()),
        Work::Floor => floor::floor(&cli.scratch, size, report).await,
        Work::W1 => passes::w1(source, size, report).await,
        Work::W1a => passes::w1a(source, size, report).await,
        Work::W1x => passes::w1x(source, size, report).await,
        Work::W1t => activities::w1t(source, size, report).await,
        Work::W2 => passes::w2(source, size, report).await,
        Work::W2s => passes::w2s(source, size, report).await,
        Work::W3 => {
            callbacks::w3_latency(source, size, queue, report).await?;
            callbacks::w3_parked(source, size, queue, report).await
        }
        Work::W4 => passes::w4(source, size, report).await,
        Work::W5 => timers::w5(source, size, report).await,
        Work::W6 => lifecycle::w6(source, size, report).await,
        Work::W7 => callbacks::w7(source, size, queue, report).await,
        Work::W8 => {
            passes::w8_payload(source, size, report).await?;
            lifecycle::w8_history(source, queue, report).await
        }
    }
}
