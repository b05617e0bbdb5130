//! Moving pages from the write-ahead log to the file, mostly while turns go on.
//!
//! SQLite's own checkpoint would stop the writer for the whole of it. Here a thread of its own copies most of the log
//! beside the writer, and the writer copies the few pages that came meanwhile, between two groups: only when all of the log
//! is copied does the next transaction begin it anew. The log's file is not cut, since writing over old blocks is cheaper
//! than growing a file, and its size is bounded by what one busy period needs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::open::PAGE_BYTES;
use crate::{Error, Result};

/// The log is copied when it has grown to this. Larger logs hold more changes of the same page, which are copied once;
/// smaller ones are read faster after a kill (this one in about 20 ms).
const LOG_BYTES: i64 = 16 << 20;

/// The log is looked at when groups have written about this much: a look costs about as much as a statement.
const LOOK_BYTES: usize = 4 << 20;

/// About what a group adds to the log beside its own bytes: the pages of the indexes that it touches.
const GROUP_PAGES_BYTES: usize = 256 << 10;

/// The writer's end. Dropping it ends the thread.
pub struct Checkpointer {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Set by the thread when most of the log is copied, and unset by the writer when it has copied the rest. Until then the
    /// thread does nothing: two cannot copy at one time, and the writer must not be the one who gives way.
    finish: Arc<AtomicBool>,
    /// About how much was written since the log was looked at.
    unseen: usize,
}

impl Checkpointer {
    /// Start the thread on a connection of its own. What ends the writing is put into `failed`.
    pub fn start(connection: Connection, failed: Arc<OnceLock<Error>>) -> Result<Checkpointer> {
        // One wake-up may wait: more would say nothing new.
        let (wake, woken) = sync_channel(1);
        let finish = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name("store-checkpoint".to_owned())
            .spawn({
                let finish = finish.clone();
                move || work(&connection, &woken, &finish, &failed)
            })
            .map_err(|error| Error::Unavailable(format!("starting the checkpointer: {error}")))?;
        Ok(Checkpointer { wake: Some(wake), thread: Some(thread), finish, unseen: 0 })
    }

    /// To be called by the writer between two groups, with the bytes of the last one.
    pub fn after_commit(&mut self, connection: &Connection, bytes: usize) -> Result<()> {
        if self.finish.load(Ordering::Acquire) {
            let copied = copy(connection);
            self.finish.store(false, Ordering::Release);
            copied?;
        }
        self.unseen += bytes + GROUP_PAGES_BYTES;
        if self.unseen >= LOOK_BYTES {
            self.unseen = 0;
            if let Some(wake) = &self.wake
                && let Err(TrySendError::Disconnected(())) = wake.try_send(())
            {
                self.wake = None;
                return Err(Error::Unavailable("the checkpointer has ended".to_owned()));
            }
        }
        Ok(())
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

fn work(connection: &Connection, woken: &Receiver<()>, finish: &AtomicBool, failed: &OnceLock<Error>) {
    while woken.recv().is_ok() {
        if finish.load(Ordering::Acquire) {
            continue;
        }
        let copied = log_bytes(connection).and_then(|bytes| {
            if bytes < LOG_BYTES {
                return Ok(false);
            }
            copy(connection).map(|()| true)
        });
        match copied {
            Ok(copied) => {
                if copied {
                    finish.store(true, Ordering::Release);
                }
            }
            Err(error) if error.is_fatal() => {
                tracing::error!(%error, "nothing more is written");
                let _ = failed.set(error);
                return;
            }
            // The log grows until it succeeds.
            Err(error) => tracing::warn!(%error, "copying the log failed and is tried again"),
        }
    }
}

/// How large the log is, copied or not.
fn log_bytes(connection: &Connection) -> Result<i64> {
    let pages: i64 = connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?.query_row([], |row| row.get(1))?;
    Ok(pages * PAGE_BYTES)
}

/// Copy what can be copied without waiting for anyone.
fn copy(connection: &Connection) -> Result<()> {
    connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |_| Ok(()))?;
    Ok(())
}
