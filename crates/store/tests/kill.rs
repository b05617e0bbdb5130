//! A process that commits is killed (SIGKILL) at some moment, many times over on one directory: whatever it said was
//! committed is there, and every turn is there whole or not at all.
//!
//! The child is this test binary itself, asked to run `child` with the directory in its environment. It tells on its
//! standard output which executions were committed, after it was told so.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use store::sqlite::Options;
use store::{Chunk, Commit, ExecutionKey, Listing, ListingChange, OpenChange, Outcome, SqliteStore, Status, Store};

/// The directory, for the child; and how many rounds, for those who have the time.
const DIRECTORY: &str = "STORE_KILL_DIRECTORY";
const ROUNDS: &str = "STORE_KILL_ROUNDS";
const FEW_ROUNDS: u64 = 12;

const MACHINE: &str = "machine";

/// Callers in the child.
const CALLERS: u64 = 8;

fn key(number: u64) -> ExecutionKey {
    ExecutionKey { shard: 0, number }
}

/// The turns of one execution, each of which touches several tables.
fn turns(number: u64) -> [Commit; 2] {
    let key = key(number);
    let chunk = |seq: u64| Chunk {
        first_event: 1 + seq,
        events: 1,
        records: number.to_le_bytes().repeat(1 + (number % 700) as usize),
        payloads: vec![seq as u8; (number % 9000) as usize],
    };
    let mut start = Commit::new(key, 0, chunk(0));
    start.listing = Some(ListingChange::Start(Listing {
        key,
        machine: MACHINE.into(),
        name: format!("name {number}"),
        status: Status::Running,
        started_at: number as i64,
        stopped_at: None,
        version: None,
        alias: None,
        map_run: None,
        definition: [0; 32],
        redrive_count: 0,
        redriven_at: None,
    }));
    start.open = OpenChange::Set { next_due: Some(number as i64), hot: true };
    let mut end = Commit::new(key, 1, chunk(1));
    end.listing = Some(ListingChange::End { status: Status::Succeeded, stopped_at: 1 + number as i64 });
    end.open = OpenChange::Delete;
    [start, end]
}

#[test]
#[ignore = "the child of the next test"]
fn child() {
    let Some(dir) = std::env::var_os(DIRECTORY) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&Options::new(dir)).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let fence = store.acquire(0, "child").await.unwrap().unwrap();
        let first = 1 + store.last_number(&fence).await.unwrap();
        let callers: Vec<_> = (0..CALLERS)
            .map(|caller| {
                let store = store.clone();
                tokio::spawn(async move {
                    for number in (first + caller..).step_by(CALLERS as usize) {
                        for commit in turns(number) {
                            let seq = commit.seq;
                            let outcome = store.commit(vec![(fence, commit)]).await.unwrap();
                            assert_eq!(outcome, [Outcome::Committed]);
                            // One write, so that a kill cannot cut it.
                            let line = format!("committed {number} {seq}\n");
                            std::io::stdout().write_all(line.as_bytes()).unwrap();
                        }
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
    });
}

#[test]
fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let rounds = std::env::var(ROUNDS).ok();
    let rounds = rounds.and_then(|rounds| rounds.parse().ok());
    let mut acknowledged = BTreeSet::new();
    for round in 0..rounds.unwrap_or(FEW_ROUNDS) {
        // From the first moments of opening to well into the work.
        let patience = Duration::from_millis(round * round * 37 % 190);
        run_and_kill(dir.path(), patience, &mut acknowledged);
        check(dir.path(), &acknowledged);
    }
    assert!(acknowledged.len() > 100, "the child did next to nothing");
}

fn run_and_kill(dir: &Path, patience: Duration, acknowledged: &mut BTreeSet<(u64, u32)>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--ignored", "--nocapture", "--quiet"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut committed = BTreeSet::new();
        for line in output.lines().map_while(Result::ok) {
            // The test harness speaks on the same line before the first.
            let Some((_, told)) = line.split_once("committed ") else {
                continue;
            };
            let (number, seq) = told.split_once(' ').unwrap();
            committed.insert((number.parse().unwrap(), seq.parse().unwrap()));
        }
        committed
    });
    std::thread::sleep(patience);
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.append(&mut reader.join().unwrap());
}

fn check(dir: &Path, acknowledged: &BTreeSet<(u64, u32)>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = SqliteStore::open(&Options::new(dir)).unwrap();
        let fence = store.acquire(0, "check").await.unwrap().unwrap();
        let hot: BTreeSet<_> = store.hot(&fence, None, usize::MAX).await.unwrap().into_iter().collect();
        let due = store.due(&fence, i64::MAX, usize::MAX).await.unwrap();
        assert_eq!(hot, due.iter().map(|(key, _)| *key).collect());
        for number in 1..=store.last_number(&fence).await.unwrap() {
            let chunks = store.load(key(number), 0).await.unwrap();
            let written: Vec<Chunk> = chunks.into_iter().map(|stored| stored.chunk).collect();
            let expected = turns(number).map(|commit| commit.chunk);
            assert!(expected.starts_with(&written), "the log of {number} is not what was written");
            let turns = written.len() as u32;
            for seq in turns..2 {
                assert!(!acknowledged.contains(&(number, seq)), "turn {seq} of {number} is lost");
            }
            // Each table tells of the same turns as the log.
            let listing = store.listing(key(number)).await.unwrap();
            let status = listing.as_ref().map(|listing| listing.status);
            let name = store.find(MACHINE, &format!("name {number}")).await.unwrap();
            assert_eq!(name, listing);
            let told = [None, Some(Status::Running), Some(Status::Succeeded)];
            assert_eq!(status, told[turns as usize], "listing of {number} after {turns} turns");
            assert_eq!(hot.contains(&key(number)), turns == 1);
        }
    });
}
