//! The world is unwell: what can be wrong with a store, as kinds that tell the engine what to do.
//!
//! A refused turn is not an error (see [`Outcome`](crate::Outcome)); an error says that nothing is known to be written.

use std::path::PathBuf;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No room: nothing was written, and the same store goes on when there is room again.
    #[error("the store is full: {0}")]
    Full(String),
    /// The disk did not confirm a write. What it holds is unknown, so the process must end and read it anew.
    #[error("the disk did not confirm a write, so the process must end: {0}")]
    Fatal(String),
    /// What was read is not what was written.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// Another server uses this data directory.
    #[error("the data directory {} is in use by another server{}", dir.display(), holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked { dir: PathBuf, holder: Option<u32> },
    /// The data has a format that this program does not know yet.
    #[error(
        "the data directory {} was written by a newer version (format {found}, this version knows up to {known})",
        dir.display()
    )]
    Newer { dir: PathBuf, found: i64, known: i64 },
    /// The file is not a store of ours, and is left alone.
    #[error("{} is not a Stepwell store: {reason}", path.display())]
    Foreign { path: PathBuf, reason: String },
    /// Reading or writing failed; trying again may help.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A value is beyond what a store can keep (a blob of a gigabyte, an execution number of 2^47).
    #[error("too large for the store: {0}")]
    TooLarge(String),
}

impl Error {
    /// Whether the process must end: nothing that this store says can be trusted any more.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Error::Fatal(_))
    }
}
