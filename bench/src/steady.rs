//! W1 for a long time: memory and the store's size must stay flat while executions come, end and go.
//!
//! The server keeps what has ended for a minute only, so that its housekeeping is under load too. Everything it ever holds
//! for an execution has come and gone many times when this ends, and what it forgets to let go of has added up.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::api::Api;
use crate::drive::{Size, chain, side_by_side};
use crate::process::{Recipe, Target};

const STATES: usize = 10;
const MIB: f64 = 1024.0 * 1024.0;
/// One minute, in days.
const SETTINGS: &str = "[retention]\ndays = 0.0007\n";
/// Executions between two looks.
const SLICE: usize = 5_000;
/// Until everything has its size: caches are full, and the first executions are being deleted.
const WARM_PART: f64 = 0.25;
/// What the second half of the rest may hold more than the first.
const GROWTH: f64 = 1.10;

#[derive(clap::Args, Clone, Debug)]
pub struct Length {
    /// How long
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
}

/// What was seen at one time.
struct Look {
    seconds: f64,
    resident: f64,
}

/// Runs W1 and prints what the server holds, once a minute; fails where it grows.
pub async fn steady(recipe: &Recipe, options: &Length, size: &Size) -> Result<()> {
    std::fs::create_dir_all(&recipe.scratch)?;
    let settings = recipe.scratch.join("steady.toml");
    std::fs::write(&settings, SETTINGS)?;
    let mut recipe = recipe.clone();
    recipe.command.extend(["--config".to_owned(), settings.display().to_string()]);
    let mut target = Target::spawn(&recipe, &[])?;
    target.answers().await?;
    let machine =
        Api::new(target.address).create_machine("steady", &chain(STATES, |_| json!({ "Type": "Pass" }))).await?;

    println!("{:>8} {:>12} {:>14} {:>12} {:>11}", "minute", "executions", "executions/s", "memory MiB", "store MiB");
    let (begun, limit) = (Instant::now(), Duration::from_secs_f64(options.minutes * 60.0));
    let (mut looks, mut executions, mut told) = (Vec::new(), 0, 0);
    while begun.elapsed() < limit {
        let machine = machine.clone();
        let run = async move |api: &mut Api, _| api.run(&machine, "{}").await;
        side_by_side(target.address, size.in_flight, SLICE, run).await?;
        executions += SLICE;
        let seconds = begun.elapsed().as_secs_f64();
        let resident = target.resident().context("the server has no memory to look at")? / MIB;
        looks.push(Look { seconds, resident });
        if (seconds / 60.0) as usize >= told {
            told = (seconds / 60.0) as usize + 1;
            let store = target.data().map_or(0.0, |folder| bytes_of(&folder)) / MIB;
            let rate = executions as f64 / seconds;
            println!("{:>8.1} {executions:>12} {rate:>14.0} {resident:>12.1} {store:>11.1}", seconds / 60.0);
        }
    }
    let warm = looks.iter().filter(|look| look.seconds > WARM_PART * limit.as_secs_f64());
    let warm: Vec<f64> = warm.map(|look| look.resident).collect();
    let (first, second) = warm.split_at(warm.len() / 2);
    ensure!(!first.is_empty(), "too short: nothing was seen after the first quarter");
    let (first, second) = (mean(first), mean(second));
    println!("memory after the first quarter: {first:.1} MiB in the first half, {second:.1} MiB in the second");
    ensure!(second <= first * GROWTH, "memory grows");
    Ok(())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn bytes_of(folder: &Path) -> f64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len() as f64).sum()
}
