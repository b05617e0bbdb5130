//! What the SQLite store says of directories and files that it cannot or must not use, and of a disk that is full.

use std::fs;
use std::path::Path;

use rusqlite::Connection;
use store::sqlite::{FILE, FORMAT, Options, Synchronous};
use store::{Chunk, Commit, Error, ExecutionKey, Fence, Listing, ListingChange, Outcome, SqliteStore, Status, Store};

fn open(dir: &Path) -> Result<SqliteStore, Error> {
    SqliteStore::open(&Options::new(dir))
}

fn refused(dir: &Path) -> Error {
    match open(dir) {
        Err(error) => error,
        Ok(_) => panic!("{} was opened", dir.display()),
    }
}

fn key(number: u64) -> ExecutionKey {
    ExecutionKey { shard: 0, number }
}

/// A turn that starts and ends an execution and carries so many bytes.
fn whole(number: u64, bytes: usize) -> Commit {
    let chunk = Chunk { first_event: 1, events: 1, records: vec![7; bytes], payloads: Vec::new() };
    let mut commit = Commit::new(key(number), 0, chunk);
    commit.listing = Some(ListingChange::Start(Listing {
        key: key(number),
        machine: "machine".into(),
        name: number.to_string(),
        status: Status::Succeeded,
        started_at: 1,
        stopped_at: Some(2),
        version: None,
        alias: None,
        map_run: None,
        definition: [0; 32],
        redrive_count: 0,
        redriven_at: None,
    }));
    commit
}

async fn own(store: &SqliteStore) -> Fence {
    store.acquire(0, "test").await.unwrap().unwrap()
}

#[test]
fn two_servers_on_one_directory_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path()).unwrap();
    let error = refused(dir.path());
    assert_eq!(
        error.to_string(),
        format!(
            "the data directory {} is in use by another server (process {})",
            dir.path().display(),
            std::process::id()
        )
    );
    drop(first);
    open(dir.path()).unwrap();
}

#[test]
fn a_directory_is_made_with_those_above_it() {
    let dir = tempfile::tempdir().unwrap();
    let deep = dir.path().join("a/b/c");
    drop(open(&deep).unwrap());
    // Closed in order, everything is in the one file.
    let mut names: Vec<_> = fs::read_dir(&deep).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["stepwell.db", "stepwell.lock"]);
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let connection = Connection::open(dir.path().join(FILE)).unwrap();
    let newer = FORMAT + 1;
    connection.pragma_update(None, "user_version", newer).unwrap();
    drop(connection);
    let error = refused(dir.path());
    assert!(matches!(error, Error::Newer { found, .. } if found == newer));
    assert_eq!(
        error.to_string(),
        format!(
            "the data directory {} was written by a newer version (format {newer}, this version knows up to {FORMAT})",
            dir.path().display()
        )
    );
    let connection = Connection::open(dir.path().join(FILE)).unwrap();
    connection.pragma_update(None, "user_version", FORMAT).unwrap();
    drop(connection);
    open(dir.path()).unwrap();
}

#[test]
fn files_of_others_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE);
    let text = "not a database, but somebody's letter\n".repeat(100);
    fs::write(&file, &text).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    fs::remove_file(&file).unwrap();
    let connection = Connection::open(&file).unwrap();
    connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(connection);
    let error = refused(dir.path());
    assert!(matches!(error, Error::Foreign { .. }), "{error}");

    fs::remove_file(&file).unwrap();
    let connection = Connection::open(&file).unwrap();
    connection.pragma_update(None, "application_id", 42).unwrap();
    drop(connection);
    let before = fs::read(&file).unwrap();
    let error = refused(dir.path());
    assert!(matches!(error, Error::Foreign { .. }), "{error}");
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_directory_that_is_a_file_is_unavailable() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = refused(&file);
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(error.to_string().contains(&*file.to_string_lossy()), "{error}");
}

#[test]
fn a_file_that_was_begun_and_not_finished_is_begun_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), "").unwrap();
    drop(open(dir.path()).unwrap());
    fs::remove_file(dir.path().join(FILE)).unwrap();
    // As a crash leaves it between the first settings and the tables.
    let connection = Connection::open(dir.path().join(FILE)).unwrap();
    connection.pragma_update(None, "page_size", 8192).unwrap();
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").unwrap();
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
    drop(connection);
    drop(open(dir.path()).unwrap());
    settings_are_as_they_should_be(dir.path());
}

fn settings_are_as_they_should_be(dir: &Path) {
    let connection = Connection::open(dir.join(FILE)).unwrap();
    let pragma = |name| -> i64 { connection.pragma_query_value(None, name, |row| row.get(0)).unwrap() };
    assert_eq!(pragma("page_size"), 8192);
    assert_eq!(pragma("auto_vacuum"), 2);
    assert_eq!(pragma("user_version"), FORMAT);
    assert_eq!(pragma("application_id"), 0x5377_656c);
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    let check: String = connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn a_format_that_disagrees_with_itself_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()).unwrap());
    let connection = Connection::open(dir.path().join(FILE)).unwrap();
    connection.execute("UPDATE meta SET value = 77 WHERE name = 'format'", []).unwrap();
    drop(connection);
    let error = refused(dir.path());
    assert!(matches!(error, Error::Corrupt(_)), "{error}");
}

#[tokio::test]
async fn a_full_disk_refuses_what_does_not_fit_and_goes_on_with_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options { max_bytes: Some(4 << 20), ..Options::new(dir.path()) };
    let store = SqliteStore::open(&options).unwrap();
    let fence = own(&store).await;
    let mut written = 0;
    let full = loop {
        let number = written + 1;
        match store.commit(vec![(fence, whole(number, 100_000))]).await {
            Ok(outcomes) => assert_eq!(outcomes, [Outcome::Committed]),
            Err(error) => break error,
        }
        written = number;
    };
    assert!(matches!(full, Error::Full(_)), "{full}");
    assert!(written > 20);
    // The refused one left nothing, and a small one still fits, even beside a large one in the same group.
    assert_eq!(store.load(key(written + 1), 0).await, Ok(vec![]));
    let (large, small) =
        tokio::join!(store.commit(vec![(fence, whole(1000, 200_000))]), store.commit(vec![(fence, whole(1001, 10))]),);
    assert!(matches!(large, Err(Error::Full(_))), "{large:?}");
    assert_eq!(small, Ok(vec![Outcome::Committed]));
    // Room that is given back is used again by the same process.
    while store.delete_ended(i64::MAX, 100).await.unwrap() > 0 {}
    let again = store.commit(vec![(fence, whole(2000, 100_000))]).await;
    assert_eq!(again, Ok(vec![Outcome::Committed]));
    drop(store);
    settings_are_as_they_should_be(dir.path());
}

#[tokio::test]
async fn space_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    let fence = own(&store).await;
    for number in 1..=200 {
        let outcomes = store.commit(vec![(fence, whole(number, 100_000))]).await;
        assert_eq!(outcomes, Ok(vec![Outcome::Committed]));
    }
    while store.delete_ended(i64::MAX, 10).await.unwrap() > 0 {}
    drop(store);
    let size = fs::metadata(dir.path().join(FILE)).unwrap().len();
    assert!(size < 10 << 20, "{size} bytes are left of 20 MB");
    settings_are_as_they_should_be(dir.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_one_moment_of_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(dir.path()).unwrap());
    let fence = own(&store).await;
    store.secret("token/1", b"key").await.unwrap();
    for number in 1..=100 {
        store.commit(vec![(fence, whole(number, 1000))]).await.unwrap();
    }
    // Turns go on while the copy is made.
    let writing = tokio::spawn({
        let store = store.clone();
        async move {
            for number in 101..=600 {
                store.commit(vec![(fence, whole(number, 1000))]).await.unwrap();
            }
        }
    });
    let restored = dir.path().join("restored");
    fs::create_dir(&restored).unwrap();
    let to = restored.join(FILE);
    store.backup(&to).await.unwrap();
    let again = store.backup(&to).await;
    assert!(matches!(again, Err(Error::Unavailable(_))), "it does not write over a file");
    writing.await.unwrap();

    let copy = open(&restored).unwrap();
    let kept = copy.secret("token/1", b"other").await;
    assert_eq!(kept, Ok(b"key".to_vec()));
    let fence = own(&copy).await;
    let last = copy.last_number(&fence).await.unwrap();
    assert!((100..=600).contains(&last));
    for number in 1..=last {
        assert!(copy.listing(key(number)).await.unwrap().is_some());
        assert_eq!(copy.load(key(number), 0).await.unwrap().len(), 1);
    }
    // The copy lives: it can be written to.
    let outcome = copy.commit(vec![(fence, whole(last + 1, 10))]).await;
    assert_eq!(outcome, Ok(vec![Outcome::Committed]));
    drop(copy);
    settings_are_as_they_should_be(&restored);
}

#[tokio::test]
async fn the_log_stays_bounded_under_load() {
    let dir = tempfile::tempdir().unwrap();
    // Without waiting for the disk: this is about the log's size, not about safety.
    let options = Options { synchronous: Synchronous::Off, ..Options::new(dir.path()) };
    let store = SqliteStore::open(&options).unwrap();
    let fence = own(&store).await;
    let mut largest = 0;
    for number in 1..=1500 {
        store.commit(vec![(fence, whole(number, 200_000))]).await.unwrap();
        let wal = fs::metadata(dir.path().join(format!("{FILE}-wal"))).unwrap();
        largest = largest.max(wal.len());
    }
    // 300 MB went through it.
    assert!(largest < 128 << 20, "the log grew to {largest} bytes");
}
