//! How many turns a second the SQLite store commits, and what a turn costs: `cargo run --release -p store --example
//! commit_rate [DIR] [TURNS]`. Every caller commits one turn, waits until it is durable, and goes on.
//!
//! The shapes: `whole` starts and ends an execution in one turn (ten Pass states), `parked` starts one that waits, `resumed`
//! appends to a parked one and ends it, `task` is an activity's task that comes and goes. Names are random as UUIDs are;
//! with `ORDERED` in the environment they grow with time, and the difference is what random names cost.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use store::{
    ActivityTask, ActivityTaskId, Chunk, Commit, ExecutionKey, Fence, Listing, ListingChange, OpenChange, Outcome,
    SqliteStore, Status, Store, sqlite::Options,
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Whole,
    Parked,
    Resumed,
    Task,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().map_or_else(|| std::env::temp_dir().join("commit-rate"), PathBuf::from);
    let turns: u64 = arguments.next().and_then(|turns| turns.parse().ok()).unwrap_or(60_000);
    // What is in the directory already is part of the measurement: it shows the cost as the store grows.
    let store = Arc::new(SqliteStore::open(&Options::new(&dir)).expect("the store opens"));
    let fence = store.acquire(0, "bench").await.unwrap().unwrap();
    let number = Arc::new(AtomicU64::new(store.last_number(&fence).await.unwrap()));
    println!("{} executions there, {}", number.load(Ordering::Relaxed), resident());
    println!("shape    callers   turns/s   CPU µs/turn   p50 ms   p99 ms");
    for (shape, callers, share) in [
        (Shape::Whole, 1, 20),
        (Shape::Whole, 8, 4),
        (Shape::Whole, 32, 1),
        (Shape::Whole, 256, 1),
        (Shape::Parked, 32, 1),
        (Shape::Resumed, 32, 1),
        (Shape::Task, 32, 1),
    ] {
        let first = number.load(Ordering::Relaxed);
        let cpu = cpu_time();
        let began = Instant::now();
        let next = Arc::new(AtomicU64::new(match shape {
            // What the shape before has parked.
            Shape::Resumed | Shape::Task => first - turns,
            _ => first,
        }));
        let each = turns / share / callers;
        let workers: Vec<_> =
            (0..callers).map(|_| tokio::spawn(work(store.clone(), fence, shape, next.clone(), each))).collect();
        let mut waits = Vec::new();
        for worker in workers {
            waits.extend(worker.await.expect("no panic"));
        }
        number.fetch_max(next.load(Ordering::Relaxed), Ordering::Relaxed);
        let (wall, cpu) = (began.elapsed(), cpu_time() - cpu);
        waits.sort_unstable();
        let done = waits.len();
        println!(
            "{:8} {callers:7} {:9.0} {:13.1} {:8.2} {:8.2}",
            format!("{shape:?}").to_lowercase(),
            done as f64 / wall.as_secs_f64(),
            cpu.as_secs_f64() * 1e6 / done as f64,
            millis(waits[done / 2]),
            millis(waits[done * 99 / 100]),
        );
    }
    reads(&store, number.load(Ordering::Relaxed)).await;
    println!("resident: {}", resident());
    println!("write-ahead log: {} MiB", log_size(&dir) >> 20);
}

async fn work(store: Arc<SqliteStore>, fence: Fence, shape: Shape, next: Arc<AtomicU64>, turns: u64) -> Vec<Duration> {
    let mut waits = Vec::new();
    for _ in 0..turns {
        let number = next.fetch_add(1, Ordering::Relaxed) + 1;
        let began = Instant::now();
        let outcomes = store.commit(vec![(fence, turn(shape, number))]).await;
        waits.push(began.elapsed());
        assert_eq!(outcomes.unwrap(), [Outcome::Committed]);
    }
    waits
}

fn turn(shape: Shape, number: u64) -> Commit {
    let key = ExecutionKey { shard: 0, number };
    let (seq, bytes) = match shape {
        Shape::Whole => (0, 1500),
        Shape::Parked => (0, 600),
        Shape::Resumed => (1, 500),
        Shape::Task => (2, 300),
    };
    let chunk = Chunk {
        first_event: 1 + 20 * u64::from(seq),
        events: 20,
        records: vec![number as u8; bytes],
        payloads: Vec::new(),
    };
    let mut commit = Commit::new(key, seq, chunk);
    match shape {
        Shape::Whole | Shape::Parked => {
            let ended = shape == Shape::Whole;
            commit.listing = Some(ListingChange::Start(Listing {
                key,
                machine: "arn:aws:states:us-east-1:000000000000:stateMachine:bench".to_owned(),
                name: random_name(number),
                status: if ended { Status::Succeeded } else { Status::Running },
                started_at: 1_790_000_000_000 + number as i64 / 8,
                stopped_at: ended.then_some(1_790_000_000_001 + number as i64 / 8),
                version: None,
                alias: None,
                map_run: None,
                definition: [7; 32],
                redrive_count: 0,
                redriven_at: None,
            }));
            if !ended {
                commit.open = OpenChange::Set { next_due: Some(1_790_000_600_000 + number as i64 / 8), hot: false };
            }
        }
        Shape::Resumed => {
            commit.listing = Some(ListingChange::End {
                status: Status::Succeeded,
                stopped_at: 1_790_000_700_000 + number as i64 / 8,
            });
            commit.open = OpenChange::Delete;
        }
        Shape::Task => {
            commit.add_tasks.push(ActivityTask {
                activity: "arn:aws:states:us-east-1:000000000000:activity:bench".to_owned(),
                key,
                task: 5,
                scheduled_at: 1_790_000_000_000,
            });
            if number > 32 {
                let key = ExecutionKey { shard: 0, number: number - 32 };
                commit.remove_tasks.push(ActivityTaskId { key, task: 5 });
            }
        }
    }
    commit
}

/// As random as the UUID of an execution that was started without a name.
fn random_name(number: u64) -> String {
    let ordered = std::env::var_os("ORDERED").is_some();
    let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
    let high = if ordered { (number << 24) | (random >> 40) } else { random };
    let low = high.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = format!("{high:016x}{low:016x}");
    let (a, rest) = bits.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    format!("{a}-{b}-{c}-{d}-{e}")
}

async fn reads(store: &SqliteStore, last: u64) {
    let count = 20_000;
    let cpu = cpu_time();
    for index in 0..count {
        let number = 1 + index * 7919 % last;
        let key = ExecutionKey { shard: 0, number };
        assert!(store.listing(key).await.unwrap().is_some());
    }
    let listing = cpu_time() - cpu;
    let cpu = cpu_time();
    for index in 0..count {
        let number = 1 + index * 7919 % last;
        let key = ExecutionKey { shard: 0, number };
        assert!(!store.load(key, 0).await.unwrap().is_empty());
    }
    let load = cpu_time() - cpu;
    println!(
        "reads at rest: listing {:.1} µs, load {:.1} µs",
        listing.as_secs_f64() * 1e6 / count as f64,
        load.as_secs_f64() * 1e6 / count as f64
    );
}

fn millis(wait: Duration) -> f64 {
    wait.as_secs_f64() * 1e3
}

/// User and system time of this process.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.split_whitespace().collect();
    // The kernel counts in hundredths of a second.
    let ticks = |index: usize| fields.get(index).and_then(|t| t.parse::<u64>().ok());
    Duration::from_millis(10 * (ticks(13).unwrap_or(0) + ticks(14).unwrap_or(0)))
}

fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    line.unwrap_or("unknown").to_owned()
}

fn log_size(dir: &Path) -> u64 {
    std::fs::metadata(dir.join("stepwell.db-wal")).map_or(0, |file| file.len())
}
