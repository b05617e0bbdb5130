//! The laptop services' own SQLite file, and the one thread that owns it. Calls are closures that run inside a
//! transaction; whatever waits when the last commit ends is the next transaction, so many callers share one fsync
//! without a timer. A call that refuses is rolled back alone and never spoils its neighbours. A caller is answered only
//! after the commit. Time enters here and nowhere else, so tests can own the clock.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::{Answer, ServiceError};
use crate::wakes::Wakes;

/// The steps that have made the file's layout, in their order; a file's version is the number of steps it has taken. A
/// change of a table is one more step.
const STEPS: &[&str] = &[
    include_str!("tables/1-messages-and-jobs.sql"),
    include_str!("tables/2-functions.sql"),
    include_str!("tables/3-events.sql"),
    include_str!("tables/4-items.sql"),
    include_str!("tables/5-objects.sql"),
];

/// How many calls share one commit at most: bounds how long the first of them waits for the last.
const GROUP_LIMIT: usize = 256;

/// How many calls may wait for the database before callers wait too.
const QUEUE_LIMIT: usize = 1024;

/// How many free pages go back to the file system at once: few enough that nobody waits for it.
const SHRINK_PAGES: usize = 256;

/// A moment, in milliseconds since 1970.
pub type Millis = i64;

/// Where a transaction's time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that only tests move.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands still at `at` until the test moves it.
    pub fn manual(at: Millis) -> (Self, Arc<AtomicI64>) {
        let hand = Arc::new(AtomicI64::new(at));
        (Self::Manual(hand.clone()), hand)
    }

    /// The present moment.
    pub fn now(&self) -> Millis {
        match self {
            Self::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map(|since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
                .unwrap_or(0),
            Self::Manual(hand) => hand.load(Ordering::SeqCst),
        }
    }
}

/// One call inside a transaction: the database, the time, and who is to be woken once the commit has happened.
pub struct Tx<'a> {
    /// The database, inside the open transaction.
    pub db: &'a Connection,
    /// The moment at which the call happens.
    pub now: Millis,
    wakes: BTreeSet<String>,
}

impl Tx<'_> {
    /// Wake whoever waits for `what` after this call is committed.
    pub fn wake(&mut self, what: &str) {
        self.wakes.insert(what.to_owned());
    }

    /// The next number of a named sequence; numbers are never given twice.
    pub fn next_number(&self, name: &str) -> Answer<i64> {
        Ok(self.db.query_row(
            "INSERT INTO sequences (name, value) VALUES (?1, 1)
             ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            [name],
            |row| row.get(0),
        )?)
    }
}

type Job = Box<dyn FnOnce(&Connection, Millis) -> Finished + Send>;

/// What a call left behind: whether it is to be kept, whom it wakes, and how its caller is told.
struct Finished {
    keep: bool,
    wakes: BTreeSet<String>,
    tell: Box<dyn FnOnce(Result<(), String>) + Send>,
}

/// A handle to the database; clones share it. The file is closed when the last clone is gone.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    /// Who waits for what.
    pub wakes: Wakes,
    /// Where time comes from.
    pub clock: Clock,
}

impl Store {
    /// Open the file, or make it. It is created readable by its owner only: messages and job environments hold secrets.
    pub fn open(path: &Path, clock: Clock) -> Result<Self, rusqlite::Error> {
        let db = Connection::open(path)?;
        restrict(path);
        prepare(&db)?;
        let (jobs, waiting) = mpsc::channel(QUEUE_LIMIT);
        let wakes = Wakes::default();
        let thread = (wakes.clone(), clock.clone());
        std::thread::Builder::new()
            .name("laptop-db".to_owned())
            .spawn(move || serve(&db, waiting, &thread.0, &thread.1))
            .map_err(|error| {
                rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOMEM),
                    Some(format!("no thread for the database: {error}")),
                )
            })?;
        Ok(Self { jobs, wakes, clock })
    }

    /// Run `call` in a transaction and answer once it is durable.
    pub async fn call<T, F>(&self, call: F) -> Answer<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Answer<T> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |db, now| {
            let mut tx = Tx { db, now, wakes: BTreeSet::new() };
            let answer = call(&mut tx);
            Finished {
                keep: answer.is_ok(),
                wakes: tx.wakes,
                tell: Box::new(move |committed| {
                    let answer = match committed {
                        Ok(()) => answer,
                        Err(cause) => Err(ServiceError::internal(cause)),
                    };
                    // A caller that went away does not need the answer.
                    let _ = tell.send(answer);
                }),
            }
        });
        self.jobs.send(job).await.map_err(|_| ServiceError::internal("the database thread has ended"))?;
        told.await.map_err(|_| ServiceError::internal("the database thread dropped a call"))?
    }
}

impl Store {
    /// Give space that deleting has freed back to the file system, a little at a time.
    pub async fn shrink(&self) -> Answer<()> {
        self.call(|tx| {
            // The statement gives back a page each time it is asked for its next row.
            let mut statement = tx.db.prepare(&format!("PRAGMA incremental_vacuum({SHRINK_PAGES})"))?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        })
        .await
    }
}

fn prepare(db: &Connection) -> Result<(), rusqlite::Error> {
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", "ON")?;
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    db.set_prepared_statement_cache_capacity(128);
    let layout: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let Some(steps) = usize::try_from(layout).ok().and_then(|taken| STEPS.get(taken..)) else {
        let known = STEPS.len();
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_SCHEMA),
            Some(format!(
                "the laptop services' file has layout {layout}, this program knows {known}: it was written by another version"
            )),
        ));
    };
    if layout == 0 {
        db.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM;")?;
    }
    if steps.is_empty() {
        return Ok(());
    }
    db.execute_batch(&format!("BEGIN; {} PRAGMA user_version = {}; COMMIT;", steps.concat(), STEPS.len()))
}

#[cfg(unix)]
fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if let Err(error) = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)) {
        tracing::warn!(path = %path.display(), %error, "could not make the file private");
    }
}

#[cfg(not(unix))]
fn restrict(_path: &Path) {}

fn serve(db: &Connection, mut waiting: mpsc::Receiver<Job>, wakes: &Wakes, clock: &Clock) {
    while let Some(first) = waiting.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP_LIMIT
            && let Ok(next) = waiting.try_recv()
        {
            group.push(next);
        }
        let (finished, committed) = commit(db, group, clock);
        for call in finished {
            if committed.is_ok() {
                wakes.wake(&call.wakes);
            }
            (call.tell)(committed.clone());
        }
    }
}

/// Run a group in one transaction, each call behind its own savepoint.
fn commit(db: &Connection, group: Vec<Job>, clock: &Clock) -> (Vec<Finished>, Result<(), String>) {
    let mut finished = Vec::with_capacity(group.len());
    let mut outcome = db.execute_batch("BEGIN IMMEDIATE").map_err(text);
    for job in group {
        if outcome.is_ok() {
            outcome = db.execute_batch("SAVEPOINT call").map_err(text);
        }
        let mut call = job(db, clock.now());
        if outcome.is_ok() {
            let end = if call.keep { "RELEASE call" } else { "ROLLBACK TO call; RELEASE call" };
            outcome = db.execute_batch(end).map_err(text);
        }
        if !call.keep {
            call.wakes.clear();
        }
        finished.push(call);
    }
    if outcome.is_ok() {
        outcome = db.execute_batch("COMMIT").map_err(text);
    }
    if outcome.is_err() && !db.is_autocommit() {
        // The group's calls are answered with the failure; nothing of them may stay.
        let _ = db.execute_batch("ROLLBACK");
    }
    (finished, outcome)
}

fn text(error: rusqlite::Error) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(store: &Store) -> impl Future<Output = Answer<i64>> + use<> {
        let store = store.clone();
        async move { store.call(|tx| tx.next_number("n")).await }
    }

    #[tokio::test]
    async fn a_refused_call_leaves_nothing_and_its_neighbours_stay() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("laptop.db"), Clock::System).unwrap();
        let refused = store.call(|tx| {
            tx.next_number("n")?;
            Err::<(), _>(ServiceError::sender("No", 400, "no"))
        });
        let (one, no, two) = tokio::join!(numbers(&store), refused, numbers(&store));
        assert_eq!(no.unwrap_err().code, "No");
        let mut both = [one.unwrap(), two.unwrap()];
        both.sort_unstable();
        assert_eq!(both, [1, 2]);
    }

    #[tokio::test]
    async fn what_was_answered_is_there_after_opening_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("laptop.db");
        let store = Store::open(&path, Clock::System).unwrap();
        assert_eq!(numbers(&store).await.unwrap(), 1);
        drop(store);
        let store = Store::open(&path, Clock::System).unwrap();
        assert_eq!(numbers(&store).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn space_that_was_freed_goes_back() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("laptop.db"), Clock::System).unwrap();
        let free = || store.call(|tx| Ok(tx.db.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0))?));
        let fill = "CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(500000)); DROP TABLE t";
        store.call(|tx| Ok(tx.db.execute_batch(fill)?)).await.unwrap();
        assert!(free().await.unwrap() > 100);
        store.shrink().await.unwrap();
        assert_eq!(free().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_file_of_an_earlier_version_takes_the_steps_since() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("laptop.db");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(&format!("{} INSERT INTO sequences VALUES ('n', 7); PRAGMA user_version = 1;", STEPS[0]))
            .unwrap();
        drop(old);
        let store = Store::open(&path, Clock::System).unwrap();
        assert_eq!(numbers(&store).await.unwrap(), 8);
        let events = store
            .call(|tx| Ok(tx.db.query_row("SELECT count(*) FROM lambda_events", [], |row| row.get::<_, i64>(0))?));
        assert_eq!(events.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_file_of_another_version_is_refused_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("laptop.db");
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let error = Store::open(&path, Clock::System).err().unwrap();
        assert!(error.to_string().contains("layout 99"), "{error}");
    }
}
