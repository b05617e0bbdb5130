//! Data of every format that was ever released can be opened and read: one golden file for each, made by the version that
//! first wrote the format and never made again. `cargo test -p store --test golden -- --ignored` writes the file of the
//! newest format if there is none yet.

use std::fs;
use std::path::{Path, PathBuf};

use store::sqlite::{FILE, FORMAT, Options};
use store::{
    ActivityTask, Chunk, Commit, ExecutionKey, Expect, Item, ItemKind, ListOf, ListQuery, Listing, ListingChange,
    OpenChange, Outcome, Page, Put, SqliteStore, Status, Store, StoredChunk,
};

const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:orders";
const ACTIVITY: &str = "arn:aws:states:us-east-1:000000000000:activity:pack";
const DEFINITION: &str = r#"{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}"#;
const DAWN: i64 = 1_793_491_200_000;

fn golden(format: i64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/format-{format}.db"))
}

fn key(shard: u16, number: u64) -> ExecutionKey {
    ExecutionKey { shard, number }
}

fn chunk(seq: u32) -> Chunk {
    Chunk {
        first_event: 1 + 4 * u64::from(seq),
        events: 4,
        records: format!("records of chunk {seq}").into_bytes(),
        payloads: vec![0xa5; 10_000 * seq as usize],
    }
}

/// The executions: one parked with a version and an alias, one ended, one redriven map run child of another shard.
fn listings() -> [Listing; 3] {
    let plain = |key: ExecutionKey, name: &str| Listing {
        key,
        machine: MACHINE.into(),
        name: name.into(),
        status: Status::Running,
        started_at: DAWN + key.number as i64,
        stopped_at: None,
        version: None,
        alias: None,
        map_run: None,
        definition: [1; 32],
        redrive_count: 0,
        redriven_at: None,
    };
    [
        Listing {
            version: Some(format!("{MACHINE}:3")),
            alias: Some(format!("{MACHINE}:live")),
            ..plain(key(0, 1), "parked")
        },
        Listing { status: Status::Failed, stopped_at: Some(DAWN + 50), ..plain(key(0, 2), "ended, ä") },
        Listing {
            map_run: Some("arn:aws:states:us-east-1:000000000000:mapRun:orders/Items:7".into()),
            redrive_count: 2,
            redriven_at: Some(DAWN + 70),
            ..plain(key(7, 3), "child")
        },
    ]
}

fn item() -> Item {
    Item {
        kind: ItemKind::Machine,
        scope: "000000000000/us-east-1".into(),
        name: "orders".into(),
        created_at: DAWN,
        body: br#"{"role": "arn:aws:iam::000000000000:role/orders"}"#.to_vec(),
        definition: Some([1; 32]),
    }
}

fn task() -> ActivityTask {
    ActivityTask { activity: ACTIVITY.into(), key: key(0, 1), task: 5, scheduled_at: DAWN + 9 }
}

async fn write(store: &SqliteStore) {
    let put = store.put_item(item(), Expect::Absent, vec![([1; 32], DEFINITION.into())]).await;
    assert!(matches!(put, Ok(Put::Done { revision: 1 })));
    store.secret("token/1", &[42; 32]).await.unwrap();
    let here = store.acquire(0, "golden").await.unwrap().unwrap();
    let there = store.acquire(7, "golden").await.unwrap().unwrap();
    let mut turns = Vec::new();
    for listing in listings() {
        let fence = if listing.key.shard == 0 { here } else { there };
        let mut start = Commit::new(listing.key, 0, chunk(0));
        start.listing = Some(ListingChange::Start(listing));
        turns.push((fence, start));
    }
    let mut parked = Commit::new(key(0, 1), 1, chunk(1));
    parked.open = OpenChange::Set { next_due: Some(DAWN + 60_000), hot: true };
    parked.add_tasks.push(task());
    turns.push((here, parked));
    turns.push((here, Commit::new(key(0, 1), 2, chunk(2))));
    let outcomes = store.commit(turns).await.unwrap();
    assert_eq!(outcomes, [Outcome::Committed; 5]);
    store.deliver(0, b"news".to_vec(), key(0, 2)).await.unwrap();
}

async fn read(store: &SqliteStore) {
    assert_eq!(store.item(ItemKind::Machine, &item().scope, "orders").await, Ok(Some((item(), 1))));
    assert_eq!(store.definition([1; 32]).await, Ok(Some(DEFINITION.into())));
    assert_eq!(store.secret("token/1", b"another").await, Ok(vec![42; 32]));
    let [parked, ended, child] = listings();
    for listing in [&parked, &ended, &child] {
        assert_eq!(store.listing(listing.key).await, Ok(Some(listing.clone())));
        assert_eq!(store.find(MACHINE, &listing.name).await, Ok(Some(listing.clone())));
    }
    for (of, expected) in [
        (ListOf::Machine(MACHINE.into()), vec![child.clone(), ended.clone(), parked.clone()]),
        (ListOf::Version(parked.version.clone().unwrap()), vec![parked.clone()]),
        (ListOf::Alias(parked.alias.clone().unwrap()), vec![parked.clone()]),
        (ListOf::MapRun(child.map_run.clone().unwrap()), vec![child.clone()]),
    ] {
        let query = ListQuery { of, status: None, redriven: None };
        let page = Page { items: expected, more: false };
        assert_eq!(store.list(&query, None, 9).await, Ok(page));
    }
    let log: Vec<StoredChunk> = (0..3).map(|seq| StoredChunk { seq, chunk: chunk(seq) }).collect();
    assert_eq!(store.load(key(0, 1), 0).await, Ok(log));
    assert_eq!(store.load(key(7, 3), 0).await.unwrap().len(), 1);

    let here = store.acquire(0, "test").await.unwrap().unwrap();
    assert_eq!(here.epoch, 2, "the epoch goes on from what was stored");
    assert_eq!(store.due(&here, i64::MAX, 9).await, Ok(vec![(key(0, 1), DAWN + 60_000)]));
    assert_eq!(store.hot(&here, None, 9).await, Ok(vec![key(0, 1)]));
    assert_eq!(store.last_number(&here).await, Ok(2));
    let news = store.take_inbox(&here, 9).await.unwrap();
    assert_eq!((news.len(), &*news[0].input, news[0].execution), (1, &b"news"[..], key(0, 2)));
    let tasks = store.activity_tasks(ACTIVITY, None, 9).await.unwrap();
    assert_eq!(tasks.into_iter().map(|(_, task)| task).collect::<Vec<_>>(), [task()]);

    // And it can be written on.
    let next = Commit::new(key(0, 1), 3, chunk(3));
    assert_eq!(store.commit(vec![(here, next)]).await, Ok(vec![Outcome::Committed]));
}

#[tokio::test]
#[ignore = "writes the golden file of a new format, once"]
async fn write_the_newest() {
    let to = golden(FORMAT);
    assert!(!to.exists(), "{} is there; it is never made again", to.display());
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&Options::new(dir.path())).unwrap();
    write(&store).await;
    drop(store);
    fs::copy(dir.path().join(FILE), to).unwrap();
}

#[tokio::test]
async fn every_format_is_read() {
    for format in 1..=FORMAT {
        let dir = tempfile::tempdir().unwrap();
        let golden = golden(format);
        fs::copy(&golden, dir.path().join(FILE)).unwrap_or_else(|error| panic!("{}: {error}", golden.display()));
        let store = SqliteStore::open(&Options::new(dir.path())).unwrap();
        read(&store).await;
    }
}
