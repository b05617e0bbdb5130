//! Damage on the disk is found by a check, and what is damaged is never served: one page, or one bit, at a time.

use std::fs;
use std::path::{Path, PathBuf};

use store::sqlite::{FILE, Options, Synchronous};
use store::{Chunk, Commit, Error, ExecutionKey, Listing, ListingChange, SqliteStore, Status, Store, StoredChunk};

const PAGE: usize = 8192;
const EXECUTIONS: u64 = 12;

fn open(dir: &Path) -> Result<SqliteStore, Error> {
    SqliteStore::open(&Options { synchronous: Synchronous::Off, ..Options::new(dir) })
}

fn key(number: u64) -> ExecutionKey {
    ExecutionKey { shard: 0, number }
}

/// Chunks of all sizes: in the row, in one page beside it, in a long chain of pages.
fn chunk(number: u64, seq: u32) -> Chunk {
    let bytes = [100, 3_000, 20_000][(number as usize + seq as usize) % 3];
    // Bytes that come nowhere else.
    let mut state = number * 3 + u64::from(seq) + 1;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    let payloads = noise.take(bytes).collect();
    Chunk { first_event: 1 + 3 * u64::from(seq), events: 3, records: vec![number as u8; 200], payloads }
}

fn listing(number: u64) -> Listing {
    Listing {
        key: key(number),
        machine: "machine".into(),
        name: format!("execution-{number}"),
        status: Status::Running,
        started_at: 1,
        stopped_at: None,
        version: None,
        alias: None,
        map_run: None,
        definition: [0; 32],
        redrive_count: 0,
        redriven_at: None,
    }
}

/// A closed store, as bytes.
async fn written(dir: &Path) -> Vec<u8> {
    let store = open(dir).unwrap();
    let fence = store.acquire(0, "test").await.unwrap().unwrap();
    for number in 1..=EXECUTIONS {
        let mut turns: Vec<_> = (0..3).map(|seq| (fence, Commit::new(key(number), seq, chunk(number, seq)))).collect();
        turns[0].1.listing = Some(ListingChange::Start(listing(number)));
        store.commit(turns).await.unwrap();
    }
    assert_eq!(store.check().await, Ok(()));
    drop(store);
    fs::read(dir.join(FILE)).unwrap()
}

/// Whether the damage was found. What is served is always what was written.
async fn is_found(dir: &Path) -> bool {
    let store = match open(dir) {
        Ok(store) => store,
        Err(Error::Corrupt(_) | Error::Foreign { .. } | Error::Newer { .. }) => return true,
        Err(error) => panic!("{error}"),
    };
    let found = match store.check().await {
        Ok(()) => false,
        Err(Error::Corrupt(_)) => true,
        Err(error) => panic!("{error}"),
    };
    for number in 1..=EXECUTIONS {
        let expected: Vec<_> = (0..3).map(|seq| StoredChunk { seq, chunk: chunk(number, seq) }).collect();
        match store.load(key(number), 0).await {
            Ok(chunks) if chunks == expected => {}
            // A page of the index may have hidden some, and then that was found.
            Ok(chunks) => assert!(found && chunks.iter().all(|chunk| expected.contains(chunk)), "{number}: {chunks:?}"),
            Err(error) => assert!(found && matches!(error, Error::Corrupt(_)), "{number}: {error}"),
        }
    }
    found
}

fn damaged(dir: &Path, bytes: &[u8]) -> PathBuf {
    let damaged = dir.join("damaged");
    let _ = fs::remove_dir_all(&damaged);
    fs::create_dir(&damaged).unwrap();
    fs::write(damaged.join(FILE), bytes).unwrap();
    damaged
}

#[tokio::test]
async fn a_page_of_noise_or_of_nothing_is_found_wherever_it_lies() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = written(dir.path()).await;
    assert!(!is_found(&damaged(dir.path(), &bytes)).await);
    let pages = bytes.len() / PAGE;
    assert!(pages > 40);
    for page in 0..pages {
        for noise in [true, false] {
            let mut bytes = bytes.clone();
            for (at, byte) in bytes[page * PAGE..][..PAGE].iter_mut().enumerate() {
                *byte = if noise { (at * 7 + page) as u8 } else { 0 };
            }
            assert!(is_found(&damaged(dir.path(), &bytes)).await, "page {} (noise: {noise})", page + 1);
        }
    }
}

#[tokio::test]
async fn a_bit_of_a_log_is_found_or_nobody_sees_it() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = written(dir.path()).await;
    let (mut at, mut found) = (PAGE, 0);
    for bit in 0..100 {
        // A step that shares no factor with the size of a page.
        at = (at + 5_807) % bytes.len();
        let mut bytes = bytes.clone();
        bytes[at] ^= 1 << (bit % 8);
        found += u32::from(is_found(&damaged(dir.path(), &bytes)).await);
    }
    // The rest lies in space that is free, or in rows that say nothing of a log.
    assert!(found > 30, "{found}");
}

#[tokio::test]
async fn the_rest_is_served_beside_a_damaged_chunk() {
    let dir = tempfile::tempdir().unwrap();
    let mut bytes = written(dir.path()).await;
    let wanted = &chunk(7, 2).payloads[..64];
    let at = bytes.windows(64).position(|window| window == wanted).expect("the payload lies in the file");
    bytes[at + 10] ^= 1;
    let store = open(&damaged(dir.path(), &bytes)).unwrap();
    let told = "the store is damaged: chunk 2 of execution 0/7 is not what was written";
    assert_eq!(store.load(key(7), 0).await.unwrap_err().to_string(), told);
    assert_eq!(store.load_seqs(key(7), &[0, 1]).await.unwrap().len(), 2);
    assert_eq!(store.load(key(8), 0).await.unwrap().len(), 3);
    assert!(matches!(store.check().await, Err(Error::Corrupt(text)) if text.contains("chunk 2 of execution 0/7")));
}
