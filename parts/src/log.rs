//! The log: encoded, folded, committed.

use std::hint::black_box;
use std::sync::Arc;

use asl::Payload;
use machine::codec::{self, Reader, Writer};
use machine::{Execution, Record};
use store::sqlite::Options;
use store::{Commit, ExecutionKey, Fence, Listing, ListingChange, MemoryStore, Outcome, SqliteStore, Status, Store};

use crate::Work;
use crate::heart::{Scene, passes, start};

fn records(definition: &str) -> Vec<Record> {
    let mut scene = Scene::new(definition);
    scene.turn(start(&Payload::trusted(r#"{"n":1}"#))).records
}

pub fn encoded() -> Work {
    let records = records(&passes());
    Box::new(move || drop(black_box(Writer::default().encode(0, black_box(&records)))))
}

pub fn folded() -> Work {
    // Two events each, and two for the execution.
    let states = (0..499).map(|n| {
        let next = if n == 498 { r#""End":true"#.to_owned() } else { format!(r#""Next":"S{}""#, n + 1) };
        format!(r#""S{n}":{{"Type":"Pass",{next}}}"#)
    });
    let states = states.collect::<Vec<_>>().join(",");
    let records = records(&format!(r#"{{"StartAt":"S0","States":{{{states}}}}}"#));
    assert_eq!(records.len(), 1_000);
    let chunk = Writer::default().encode(0, &records);
    Box::new(move || {
        let mut reader = Reader::default();
        reader.take(0, &chunk.payloads).expect("payloads");
        let records = codec::records(&chunk.records).and_then(|records| reader.resolve(records));
        let execution = Execution::fold(&records.expect("records"));
        assert!(execution.is_over());
    })
}

pub fn commit_in_memory() -> Work {
    committed(Arc::new(MemoryStore::new()), ())
}

pub fn commit_on_disk() -> Work {
    // Where cargo builds, so that it is a disk: in a memory file system an fsync is free.
    let target = std::env::current_exe().expect("a path");
    let dir = tempfile::tempdir_in(target.parent().expect("a folder")).expect("a folder");
    let store = SqliteStore::open(&Options::new(dir.path())).expect("a store");
    committed(Arc::new(store), dir)
}

/// Commits of whole executions, one by one; `held` is kept as long as the store.
fn committed(store: Arc<dyn Store>, held: impl Sized + 'static) -> Work {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let fence = runtime.block_on(store.acquire(0, "parts")).expect("a shard").expect("it is free");
    let chunk = Writer::default().encode(0, &records(&passes()));
    let mut number = 0;
    Box::new(move || {
        let _ = &held;
        number += 1;
        let turns = vec![(fence, whole(fence, number, &chunk))];
        let outcomes = runtime.block_on(store.commit(turns)).expect("a commit");
        assert_eq!(outcomes, [Outcome::Committed]);
    })
}

fn whole(fence: Fence, number: u64, chunk: &codec::Chunk) -> Commit {
    let key = ExecutionKey { shard: fence.shard, number };
    let (records, payloads) = (chunk.records.clone(), chunk.payloads.clone());
    let mut commit = Commit::new(key, 0, store::Chunk { first_event: 1, events: 22, records, payloads });
    commit.listing = Some(ListingChange::Start(Listing {
        key,
        machine: "arn:aws:states:us-east-1:000000000000:stateMachine:parts".into(),
        name: format!("one-{number}"),
        status: Status::Succeeded,
        started_at: 1_767_225_600_000,
        stopped_at: Some(1_767_225_600_000),
        version: None,
        alias: None,
        map_run: None,
        definition: [0; 32],
        redrive_count: 0,
        redriven_at: None,
    }));
    commit
}
