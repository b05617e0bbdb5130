//! A server is killed (SIGKILL) again and again at moments that chance chooses, under a load that waits in every way in
//! which an execution can wait. Callers write down what they were told (`load.rs`), the services outside live here and
//! write down what they were asked (`outside.rs`), and when all has ended the books are compared (`check.rs`).

mod api;
mod check;
mod http;
mod load;
mod machines;
mod outside;
mod server;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use fastrand::Rng;

use crate::load::Load;
use crate::outside::Outside;
use crate::server::Server;

/// Kills a server again and again under load, and compares the books afterwards.
#[derive(Parser)]
struct Arguments {
    /// The program that is killed.
    #[arg(long, default_value = "target/release/stepwell")]
    server: PathBuf,
    /// How often.
    #[arg(long, default_value_t = 200)]
    rounds: u32,
    /// Repeats the choices of an earlier run (not its timing).
    #[arg(long)]
    seed: Option<u64>,
}

/// The longest that the server lives in a round.
const LIFE: Duration = Duration::from_millis(600);
/// How soon it dies after a caller's call was sent, and after the start of an execution that calls a service.
const AFTER_CALL: Duration = Duration::from_millis(6);
const AFTER_START: Duration = Duration::from_millis(12);

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let seed = arguments.seed.unwrap_or_else(|| fastrand::u64(..));
    let folder = tempfile::Builder::new().prefix("soak-").tempdir()?;
    let outside = Outside::open()?;
    let server = Server::new(&arguments.server, folder.path(), outside.address)?;
    server.start()?;
    let since = Instant::now();
    let load = Load::prepare(server, outside, seed)?;
    let table = kill_and_compare(&load, &arguments, seed).inspect_err(|_| {
        eprintln!("{}", load.server.last_words());
        eprintln!("again with: --seed {seed}");
    })?;
    println!("{} kills in {} s, seed {seed}", arguments.rounds, since.elapsed().as_secs());
    println!("{:<24}{:>14}{:>10}", "", "acknowledged", "found");
    for (what, acknowledged, found) in table {
        println!("{what:<24}{acknowledged:>14}{found:>10}");
        ensure!(acknowledged == found, "{what}: the books differ");
    }
    for (what, times) in &load.books().counts {
        println!("{times:>8} {what}");
    }
    Ok(())
}

fn kill_and_compare(load: &Load, arguments: &Arguments, seed: u64) -> Result<check::Table> {
    load.run(|| {
        let mut dice = Rng::with_seed(seed);
        for round in 0..arguments.rounds {
            kill_at_some_moment(load, &mut dice);
            load.server.start()?;
            load.parked_tokens_work().with_context(|| format!("after kill {}", round + 1))?;
        }
        load.settle()
    })?;
    let table = check::check(load)?;
    let books = load.books();
    let met = books.words.len() as u32 > arguments.rounds && books.stopped.len() as u32 >= arguments.rounds / 6;
    ensure!(
        met,
        "the load did not meet what it is meant for: {} successes, {} stops",
        books.words.len(),
        books.stopped.len()
    );
    drop(books);
    Ok(table)
}

/// At any time; just after some caller sent something; or while the server itself calls a service, hears its answer and
/// writes the report down, which it does in the milliseconds after a start is acknowledged.
fn kill_at_some_moment(load: &Load, dice: &mut Rng) {
    let up_to = |dice: &mut Rng, longest: Duration| Duration::from_micros(dice.u64(0..longest.as_micros() as u64));
    std::thread::sleep(up_to(dice, LIFE / 2));
    match dice.u8(0..3) {
        0 => std::thread::sleep(up_to(dice, LIFE / 2)),
        1 => {
            let (before, since) = (load.calls(), Instant::now());
            while load.calls() == before && since.elapsed() < LIFE {
                std::thread::sleep(Duration::from_micros(100));
            }
            std::thread::sleep(up_to(dice, AFTER_CALL));
        }
        _ => {
            let kind = dice.choice(["job", "endless", "parent", "callback", "call"]).expect("there are some");
            // What nobody answered is learned at the end.
            let _ = load.begin(&mut load.api(), kind);
            std::thread::sleep(up_to(dice, AFTER_START));
        }
    }
    load.server.kill();
}
