//! Opening a data directory: it must be ours alone, the file must be a store of ours, and its format must be known.
//!
//! Nothing is changed in a file that is refused. A new file gets its tables in one transaction together with the marks by
//! which it is known, so that a crash in between leaves an empty file that is begun again.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::schema::{APPLICATION_ID, FORMAT, NEWEST, STEPS};
use super::{Options, Synchronous};
use crate::{Error, Result};

/// The database's name in the data directory.
pub const FILE: &str = "stepwell.db";
const LOCK: &str = "stepwell.lock";

/// Bytes of a page: an ordinary first chunk fits into one, and larger ones cost more per changed row.
pub const PAGE_BYTES: i64 = 8192;

/// How long a connection waits for another one's lock. Nothing holds one that long unless the disk hangs.
const BUSY: Duration = Duration::from_secs(5);

/// What the writer keeps between two groups: the ends of the trees, where new rows go, and their upper pages. A group may
/// hold more until it commits (its pages never go to the log early, which would cost twice), and gives that back.
const WRITER_CACHE_KIB: i64 = 2 * 1024;

/// A reader's pages are stale after every commit, so it keeps few.
const READER_CACHE_KIB: i64 = 256;

/// Every statement of the store fits in here, so none is ever prepared twice.
const STATEMENTS: usize = 64;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Writer,
    Reader,
}

/// Holds the data directory until it is dropped; the system frees it when the process dies.
pub struct DirectoryLock {
    _file: File,
}

/// Take the directory for this process, creating it if it is not there.
pub fn lock(dir: &Path) -> Result<DirectoryLock> {
    let unavailable =
        |error: std::io::Error| Error::Unavailable(format!("the data directory {}: {error}", dir.display()));
    let is_new = !dir.exists();
    // What lies there is nobody else's to read: inputs, outputs, the keys of the task tokens.
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unavailable)?;
    if is_new && let Some(parent) = dir.parent().filter(|parent| parent.is_dir()) {
        // The directory's own name must survive a power cut too.
        File::open(parent).and_then(|parent| parent.sync_all()).map_err(unavailable)?;
    }
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join(LOCK))
        .map_err(unavailable)?;
    match try_lock(&file) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only a hint for the message: without it the message is still true.
            let _ = file.read_to_string(&mut holder);
            return Err(Error::Locked { dir: dir.to_owned(), holder: holder.trim().parse().ok() });
        }
        Err(TryLockError::Error(error)) => return Err(unavailable(error)),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(unavailable)?;
    Ok(DirectoryLock { _file: file })
}

/// A server that was killed may leave its lock for a moment with a child that it was just starting, so a second server
/// is told so only when the lock has been held this long.
fn try_lock(file: &File) -> std::result::Result<(), TryLockError> {
    const PATIENCE: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_millis(20);
    let since = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if since.elapsed() < PATIENCE => std::thread::sleep(PAUSE),
            taken => return taken,
        }
    }
}

/// Open a connection, set up for its role.
pub fn connect(options: &Options, role: Role) -> Result<Connection> {
    let path = options.dir.join(FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | match role {
            Role::Writer => OpenFlags::SQLITE_OPEN_CREATE,
            Role::Reader => OpenFlags::empty(),
        };
    let connection = match &options.vfs {
        Some(vfs) => Connection::open_with_flags_and_vfs(&path, flags, vfs.as_str()),
        None => Connection::open_with_flags(&path, flags),
    }
    .map_err(|error| Error::Unavailable(format!("{}: {error}", path.display())))?;
    set_up(&connection, options, role).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => Error::Foreign { path, reason: "it is not an SQLite file".to_owned() },
        _ => Error::from(error),
    })?;
    Ok(connection)
}

fn set_up(connection: &Connection, options: &Options, role: Role) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", false)?;
    // A plan must not depend on the values that are bound, or SQLite makes it anew whenever they change.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let synchronous = match options.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Off => "OFF",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    match role {
        Role::Writer => {
            connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
            connection.pragma_update(None, "cache_spill", false)
        }
        Role::Reader => {
            connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
            connection.pragma_update(None, "query_only", true)
        }
    }
}

/// Check that the file is ours, or empty, and of a format that is known: how many tables it has, and the format.
pub fn known(connection: &Connection, options: &Options) -> Result<(i64, i64)> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let application: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || tables != 0) {
        let reason = "it belongs to another application".to_owned();
        return Err(Error::Foreign { path: options.dir.join(FILE), reason });
    }
    let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format > NEWEST {
        return Err(Error::Newer { dir: options.dir.clone(), found: format, known: NEWEST });
    }
    Ok((tables, format))
}

/// Bring a file that is ours to the newest format, creating the tables if it is new.
pub fn prepare(connection: &mut Connection, options: &Options) -> Result<()> {
    let (tables, format) = known(connection, options)?;
    if tables == 0 {
        // Neither can be changed once there are tables.
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    }
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Error::Unavailable(format!(
            "{}: the file system does not allow a write-ahead log (journal mode {mode})",
            options.dir.join(FILE).display()
        )));
    }
    // Moving pages from the log to the file is the checkpointer's work, see `checkpoint.rs`.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    if let Some(bytes) = options.max_bytes {
        let pages = i64::try_from(bytes).unwrap_or(i64::MAX) / PAGE_BYTES;
        connection.pragma_update_and_check(None, "max_page_count", pages.max(1), |_| Ok(()))?;
    }
    migrate(connection, format)
}

fn migrate(connection: &mut Connection, format: i64) -> Result<()> {
    let done = usize::try_from(format).map_err(|_| Error::Corrupt(format!("the store's format is {format}")))?;
    for (index, step) in STEPS.iter().enumerate().skip(done) {
        let next = index as i64 + 1;
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)", (FORMAT, next))?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", next)?;
        transaction.commit()?;
        tracing::info!(format = next, "the store has a new format");
    }
    let told: i64 = connection.query_row("SELECT value FROM meta WHERE name = ?1", [FORMAT], |row| row.get(0))?;
    if told != NEWEST {
        return Err(Error::Corrupt(format!("the store's format is {NEWEST} by its header and {told} by its own row")));
    }
    Ok(())
}
