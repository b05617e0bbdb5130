//! The connections that read: each sees the last commit at the moment it begins.
//!
//! A read of a few rows takes about as long as handing it to another thread would, so it is done on the caller's thread.
//! Reads that may take longer (lists, whole logs, sweeps) are handed to the runtime's threads for blocking work.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Error, Result};

pub struct Readers {
    idle: Arc<Mutex<Vec<Connection>>>,
    /// As many permits as there are connections.
    free: Arc<Semaphore>,
}

/// A connection for one read; it goes back when it is dropped.
struct Lent {
    connection: Option<Connection>,
    idle: Arc<Mutex<Vec<Connection>>>,
    _permit: OwnedSemaphorePermit,
}

impl Readers {
    pub fn new(connections: Vec<Connection>) -> Readers {
        Readers { free: Arc::new(Semaphore::new(connections.len())), idle: Arc::new(Mutex::new(connections)) }
    }

    /// Read a few rows, here and now.
    pub async fn quick<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let lent = self.lend().await?;
        read(lent.connection()?)
    }

    /// Read something that may take longer than a caller's thread should be held.
    pub async fn slow<T, F>(&self, read: F) -> Result<T>
    where
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let lent = self.lend().await?;
        tokio::task::spawn_blocking(move || read(lent.connection()?))
            .await
            .map_err(|error| Error::Unavailable(format!("a read did not end: {error}")))?
    }

    async fn lend(&self) -> Result<Lent> {
        let permit = self.free.clone().acquire_owned().await.map_err(|_| closed())?;
        let connection = stack(&self.idle).pop();
        Ok(Lent { connection, idle: self.idle.clone(), _permit: permit })
    }
}

impl Lent {
    fn connection(&self) -> Result<&Connection> {
        self.connection.as_ref().ok_or_else(closed)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            stack(&self.idle).push(connection);
        }
    }
}

fn stack(idle: &Mutex<Vec<Connection>>) -> MutexGuard<'_, Vec<Connection>> {
    idle.lock().unwrap_or_else(PoisonError::into_inner)
}

fn closed() -> Error {
    Error::Unavailable("the store's readers have ended".to_owned())
}
