//! The one writer: a thread with the only connection that writes, fed by a channel.
//!
//! Group commit has no timer. Whatever waits when the last commit ends is the next group: turns, catalog changes and
//! deliveries of all callers share one transaction and one fsync, and are answered after it. When a group fails, each job
//! is tried alone, so that one bad job never fails its neighbours. A disk that did not confirm a write ends it all: from
//! then on every job is answered with that error.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use rusqlite::{Connection, OptionalExtension};
use tokio::sync::{mpsc, oneshot};

use super::checkpoint::Checkpointer;
use super::numbers::Numbers;
use crate::{Error, Result};

/// How many jobs may wait before callers do: some groups' worth at the highest rates.
const WAITING_JOBS: usize = 4096;

/// A group is closed when its jobs carry this much, so that its pages fit the writer's cache and the wait stays short.
const GROUP_BYTES: usize = 4 << 20;

/// Asks the thread for work. The thread ends when the last of these is gone.
pub struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread owns: the connection, and what it knows of the tables without asking.
pub struct Tables {
    pub connection: Connection,
    pub numbers: Numbers,
    /// The epoch of each shard that has an owner.
    pub epochs: HashMap<u16, u64>,
    /// The number of the activity task or the news that came last.
    pub last_seq: i64,
}

/// Work that may be done again in another transaction if the first one fails.
trait Job: Send {
    fn bytes(&self) -> usize;
    fn run(&mut self, tables: &mut Tables) -> Result<()>;
    fn answer(self: Box<Self>, outcome: Result<()>);
}

struct Work<F, T> {
    bytes: usize,
    work: F,
    value: Option<T>,
    answer: oneshot::Sender<Result<T>>,
}

impl<F, T> Job for Work<F, T>
where
    F: FnMut(&mut Tables) -> Result<T> + Send,
    T: Send,
{
    fn bytes(&self) -> usize {
        self.bytes
    }

    fn run(&mut self, tables: &mut Tables) -> Result<()> {
        self.value = Some((self.work)(tables)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<()>) {
        let Work { value, answer, .. } = *self;
        // Whoever asked may have gone; the work is done all the same.
        let _ = answer.send(outcome.and_then(|()| value.ok_or_else(ended)));
    }
}

fn ended() -> Error {
    Error::Unavailable("the store's writer has ended".to_owned())
}

impl Writer {
    /// Start the thread. `failed` is shared with the checkpointer: what it holds ends the writing.
    pub fn start(tables: Tables, checkpointer: Checkpointer, failed: Arc<OnceLock<Error>>) -> Result<Writer> {
        let (sender, receiver) = mpsc::channel(WAITING_JOBS);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || Groups { checkpointer, tables, failed }.work(receiver))
            .map_err(|error| Error::Unavailable(format!("starting the writer: {error}")))?;
        Ok(Writer { jobs: Some(sender), thread: Some(thread) })
    }

    /// Do something in the next transaction; returns when it is durable. `bytes` is about how much it writes. The work may
    /// be called more than once, and only the last call counts.
    pub async fn write<T, F>(&self, bytes: usize, work: F) -> Result<T>
    where
        F: FnMut(&mut Tables) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Work { bytes, work, value: None, answer });
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

struct Groups {
    // Dropped in this order: the writer's connection is the last one.
    checkpointer: Checkpointer,
    tables: Tables,
    failed: Arc<OnceLock<Error>>,
}

impl Groups {
    fn work(mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let mut group = Vec::new();
        while let Some(first) = jobs.blocking_recv() {
            let mut bytes = first.bytes();
            group.push(first);
            while bytes < GROUP_BYTES
                && let Ok(job) = jobs.try_recv()
            {
                bytes += job.bytes();
                group.push(job);
            }
            self.write(&mut group);
            if let Err(error) = self.checkpointer.after_commit(&self.tables.connection, bytes) {
                self.fail(error);
            }
        }
    }

    /// Do the jobs of a group and answer them.
    fn write(&mut self, group: &mut Vec<Box<dyn Job>>) {
        let outcome = self.transaction(group);
        match outcome {
            Err(error) if !error.is_fatal() && group.len() > 1 => {
                tracing::warn!(%error, jobs = group.len(), "a group failed, so each of it is tried alone");
                for job in group.drain(..) {
                    let mut alone = [job];
                    let outcome = self.transaction(&mut alone);
                    let [job] = alone;
                    job.answer(outcome);
                }
            }
            outcome => {
                for job in group.drain(..) {
                    job.answer(outcome.clone());
                }
            }
        }
    }

    fn transaction(&mut self, group: &mut [Box<dyn Job>]) -> Result<()> {
        if let Some(error) = self.failed.get() {
            return Err(error.clone());
        }
        let outcome = self.attempt(group);
        if let Err(error) = &outcome {
            // After some errors SQLite has rolled back by itself, and says so when asked to do it again.
            if !self.tables.connection.is_autocommit()
                && let Err(error) = execute(&self.tables.connection, "ROLLBACK")
            {
                tracing::error!(%error, "rolling back failed");
            }
            self.tables.numbers.clear();
            if error.is_fatal() {
                self.fail(error.clone());
            } else if let Err(error) = self.tables.read_epochs() {
                tracing::error!(%error, "reading the shards again failed");
            }
        }
        outcome
    }

    fn attempt(&mut self, group: &mut [Box<dyn Job>]) -> Result<()> {
        execute(&self.tables.connection, "BEGIN IMMEDIATE")?;
        for job in group {
            job.run(&mut self.tables)?;
        }
        execute(&self.tables.connection, "COMMIT")
    }

    fn fail(&mut self, error: Error) {
        if error.is_fatal() {
            tracing::error!(%error, "nothing more is written");
            // The first failure is the one to tell.
            let _ = self.failed.set(error);
        } else {
            tracing::warn!(%error, "a checkpoint failed and will be tried again");
        }
    }
}

fn execute(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

impl Tables {
    pub fn read(connection: Connection) -> Result<Tables> {
        let last_seq = connection
            .query_row(
                "SELECT max((SELECT ifnull(max(seq), 0) FROM activity_tasks),
                            (SELECT ifnull(max(seq), 0) FROM inbox))",
                [],
                |row| row.get(0),
            )
            .optional()?
            .unwrap_or_default();
        let mut tables = Tables { connection, numbers: Numbers::default(), epochs: HashMap::new(), last_seq };
        tables.read_epochs()?;
        Ok(tables)
    }

    fn read_epochs(&mut self) -> Result<()> {
        self.epochs.clear();
        let mut shards = self.connection.prepare_cached("SELECT shard, epoch FROM shards")?;
        let mut rows = shards.query([])?;
        while let Some(row) = rows.next()? {
            let epoch: i64 = row.get(1)?;
            self.epochs.insert(row.get(0)?, epoch.cast_unsigned());
        }
        Ok(())
    }

    /// The next number for an activity task or for news.
    pub fn next_seq(&mut self) -> i64 {
        self.last_seq += 1;
        self.last_seq
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStore;
    use crate::sqlite::Options;

    fn note(tables: &mut Tables, name: &str) -> Result<()> {
        tables.connection.execute("INSERT INTO secrets (name, value) VALUES (?1, x'00')", [name])?;
        Ok(())
    }

    async fn noted(store: &SqliteStore) -> Vec<String> {
        let names = store.readers.quick(|connection| {
            let mut select = connection.prepare("SELECT name FROM secrets ORDER BY name")?;
            let names = select.query_map([], |row| row.get(0))?;
            Ok(names.collect::<rusqlite::Result<_>>()?)
        });
        names.await.unwrap()
    }

    #[tokio::test]
    async fn a_bad_job_never_fails_its_neighbours() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&Options::new(dir.path())).unwrap();
        // What comes while this one sleeps is one group.
        let first = store.writer.write(0, |tables| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            note(tables, "first")
        });
        let good = store.writer.write(0, |tables| note(tables, "good"));
        let bad = store.writer.write(0, |tables| {
            note(tables, "bad")?;
            Err::<(), _>(Error::TooLarge("bad".into()))
        });
        let last = store.writer.write(0, |tables| note(tables, "last"));
        let (first, good, bad, last) = tokio::join!(first, good, bad, last);
        assert_eq!((first, good, last), (Ok(()), Ok(()), Ok(())));
        assert_eq!(bad, Err(Error::TooLarge("bad".into())));
        assert_eq!(noted(&store).await, ["first", "good", "last"]);
    }

    #[tokio::test]
    async fn nothing_is_written_after_a_write_that_was_not_confirmed() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&Options::new(dir.path())).unwrap();
        store.writer.write(0, |tables| note(tables, "before")).await.unwrap();
        let fatal = Error::Fatal("fsync".into());
        let failed = store.writer.write(0, {
            let fatal = fatal.clone();
            move |tables| {
                note(tables, "failed")?;
                Err::<(), _>(fatal.clone())
            }
        });
        assert_eq!(failed.await, Err(fatal.clone()));
        let after = store.writer.write(0, |tables| note(tables, "after")).await;
        assert_eq!(after, Err(fatal));
        assert_eq!(noted(&store).await, ["before"]);
    }

    #[tokio::test]
    async fn a_job_that_panics_is_answered_and_ends_the_writing() {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&Options::new(dir.path())).unwrap();
        let panicked = store.writer.write(0, |_| -> Result<()> { panic!("a bug") }).await;
        assert!(matches!(panicked, Err(Error::Unavailable(_))), "{panicked:?}");
        let after = store.writer.write(0, |tables| note(tables, "after")).await;
        assert!(matches!(after, Err(Error::Unavailable(_))), "{after:?}");
        assert_eq!(noted(&store).await, [] as [&str; 0]);
    }
}
