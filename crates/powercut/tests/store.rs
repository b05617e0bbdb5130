//! Callers commit to the real store at once, group by group, until the power goes at some operation of the disk: while
//! the store is made, in the middle of a commit, while the log is copied. Whatever was acknowledged is there afterwards,
//! every turn is there whole or not at all, and the next life goes on from what is there.
//!
//! `POWER_STORES` says how many stores live, `POWER_SEED` repeats the choices (not the timing of the threads).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use powercut::{Disk, VFS};
use rusqlite::{Connection, OpenFlags};
use store::sqlite::{FILE, Options, Synchronous};
use store::{
    Chunk, Commit, Error, ExecutionKey, Listing, ListingChange, OpenChange, Outcome, SqliteStore, Status, Store,
};

/// Stores, and lives of each.
const STORES: u64 = 5;
const LIVES: u64 = 20;
const CALLERS: u64 = 8;
/// Operations until the power goes: in most lives in the first moments, in one while the log is copied to the file, which
/// begins at about 4,000.
const SOON: u64 = 150;
const LATE: std::ops::Range<u64> = 4_000..7_000;
const LATE_LIFE: u64 = 12;
const MACHINE: &str = "machine";

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn key(number: u64) -> ExecutionKey {
    ExecutionKey { shard: 0, number }
}

/// The turns of one execution, each of which touches several tables and some of which fill many pages.
fn turns(number: u64) -> [Commit; 2] {
    let key = key(number);
    let bulk = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
    let chunk = |seq: u64| Chunk {
        first_event: 1 + seq,
        events: 1,
        records: number.to_le_bytes().repeat(1 + (number % 700) as usize),
        payloads: vec![seq as u8 + 1; bulk as usize],
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

/// What callers were told while there was power.
type Acknowledged = Arc<Mutex<BTreeSet<(u64, u32)>>>;

fn options(dir: &Path, synchronous: Synchronous) -> Options {
    Options { vfs: Some(VFS.to_string()), synchronous, ..Options::new(dir) }
}

/// One life: from opening the store until the power goes.
fn live(disk: &Arc<Disk>, options: Options, acknowledged: &Acknowledged) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("threads");
    runtime.block_on(async {
        let store: Arc<dyn Store> = match SqliteStore::open(&options) {
            Ok(store) => Arc::new(store),
            Err(_) if disk.is_out() => return Ok(()),
            Err(error) => return Err(format!("it does not open: {error}")),
        };
        let callers: Vec<_> = {
            let Some((fence, last)) = begin(&store, disk).await? else { return Ok(()) };
            let call = |caller| {
                let (store, disk, acknowledged) = (store.clone(), disk.clone(), acknowledged.clone());
                async move {
                    for number in (last + 1 + caller..).step_by(CALLERS as usize) {
                        for commit in turns(number) {
                            let seq = commit.seq;
                            let outcome = store.commit(vec![(fence, commit)]).await;
                            if disk.is_out() {
                                return Ok(());
                            }
                            if outcome != Ok(vec![Outcome::Committed]) {
                                return Err(format!("turn {seq} of {number}: {outcome:?}"));
                            }
                            acknowledged.lock().expect("nobody panics").insert((number, seq));
                        }
                    }
                    Ok(())
                }
            };
            (0..CALLERS).map(|caller| tokio::spawn(call(caller))).collect()
        };
        for caller in callers {
            caller.await.expect("a caller does not panic")?;
        }
        Ok(())
    })
}

/// The right to write, and the last number that was taken; nothing where the power has gone.
async fn begin(store: &Arc<dyn Store>, disk: &Disk) -> Result<Option<(store::Fence, u64)>, String> {
    let begun = async {
        let fence = store.acquire(0, "node").await?.expect("there is no other node");
        let last = store.last_number(&fence).await?;
        Ok::<_, Error>((fence, last))
    };
    match begun.await {
        Ok(begun) => Ok(Some(begun)),
        Err(_) if disk.is_out() => Ok(None),
        Err(error) => Err(format!("it does not begin: {error}")),
    }
}

/// What is wrong with what survived, if anything is.
fn check(dir: &Path, acknowledged: &BTreeSet<(u64, u32)>) -> Result<(), String> {
    let whole = Connection::open_with_flags_and_vfs(dir.join(FILE), OpenFlags::default(), *VFS)
        .and_then(|file| file.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)));
    if whole.as_deref() != Ok("ok") {
        return Err(format!("the file is damaged: {whole:?}"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("one thread");
    let compared = runtime.block_on(async {
        let store = SqliteStore::open(&options(dir, Synchronous::Full))?;
        let fence = store.acquire(0, "check").await?.expect("there is no other node");
        let hot: BTreeSet<_> = store.hot(&fence, None, usize::MAX).await?.into_iter().collect();
        let due: BTreeSet<_> = store.due(&fence, i64::MAX, usize::MAX).await?.into_iter().map(|(key, _)| key).collect();
        if hot != due {
            return Ok(Err("one turn wrote both, and one of them is there".to_owned()));
        }
        for number in 1..=store.last_number(&fence).await? {
            let chunks: Vec<Chunk> = store.load(key(number), 0).await?.into_iter().map(|stored| stored.chunk).collect();
            let listing = store.listing(key(number)).await?;
            if let Err(wrong) = compare(number, &chunks, listing, hot.contains(&key(number))) {
                return Ok(Err(wrong));
            }
            let lost = (chunks.len() as u32..2).find(|seq| acknowledged.contains(&(number, *seq)));
            if let Some(seq) = lost {
                return Ok(Err(format!("turn {seq} of {number} was acknowledged and is lost")));
            }
        }
        let last = store.last_number(&fence).await?;
        let beyond = acknowledged.iter().find(|(number, _)| *number > last);
        Ok(beyond.map_or(Ok(()), |turn| Err(format!("{turn:?} was acknowledged and is lost"))))
    });
    compared.unwrap_or_else(|error: Error| Err(format!("it cannot be read: {error}")))
}

fn compare(number: u64, chunks: &[Chunk], listing: Option<Listing>, hot: bool) -> Result<(), String> {
    let expected = turns(number).map(|commit| commit.chunk);
    let status = listing.map(|listing| listing.status);
    let told = [None, Some(Status::Running), Some(Status::Succeeded)];
    if !expected.starts_with(chunks) {
        return Err(format!("the log of {number} is not what was written"));
    }
    if status != told[chunks.len()] || hot != (chunks.len() == 1) {
        return Err(format!("{} turns of {number} are in the log, and it is listed as {status:?}", chunks.len()));
    }
    Ok(())
}

/// Many lives of one store, each from what the last one has left.
fn live_and_die(seed: u64, synchronous: Synchronous) -> Result<usize, String> {
    let folder = tempfile::tempdir().expect("a directory");
    let mut dice = Rng::with_seed(seed);
    let mut disk = Disk::at(&folder.path().join("0")).expect("a directory");
    let acknowledged = Acknowledged::default();
    for life in 0..LIVES {
        let dir = folder.path().join(life.to_string());
        disk.power_goes_after(if life == LATE_LIFE { dice.u64(LATE) } else { dice.u64(1..SOON) });
        live(&disk, options(&dir, synchronous), &acknowledged).map_err(|wrong| format!("life {life}: {wrong}"))?;
        let next = folder.path().join((life + 1).to_string());
        let after = disk.restart_in(&next, &mut dice).expect("there is room");
        // The check opens the file and thereby changes it, so it is given what another such cut leaves.
        let seen = folder.path().join("seen");
        let check_disk = disk.restart_in(&seen, &mut dice).expect("there is room");
        let acknowledged = acknowledged.lock().expect("nobody panics").clone();
        check(&seen, &acknowledged).map_err(|wrong| format!("life {life}: {wrong}"))?;
        drop((disk, check_disk));
        std::fs::remove_dir_all(&seen).and_then(|()| std::fs::remove_dir_all(&dir)).expect("it is there");
        disk = after;
    }
    let acknowledged = acknowledged.lock().expect("nobody panics");
    Ok(acknowledged.len())
}

#[test]
fn what_was_acknowledged_before_the_power_went_is_there_after_it() {
    let seed = from_environment("POWER_SEED");
    let stores = if seed.is_some() { 1 } else { from_environment("POWER_STORES").unwrap_or(STORES) };
    for _ in 0..stores {
        let seed = seed.unwrap_or_else(|| fastrand::u64(..));
        match live_and_die(seed, Synchronous::Full) {
            Ok(acknowledged) => assert!(acknowledged > 100, "{acknowledged} turns"),
            Err(wrong) => panic!("POWER_SEED={seed}: {wrong}"),
        }
    }
}

/// Who watches the watchman: without syncs, the same lives must lose something, and soon.
#[test]
fn a_store_that_does_not_sync_is_found_out() {
    for seed in 0..5 {
        let found = live_and_die(seed, Synchronous::Off);
        assert!(found.is_err(), "{found:?}");
    }
}
