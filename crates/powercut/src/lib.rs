//! A disk that loses what was not synced when the power goes. SQLite writes to it as to any other: `vfs.rs` stands
//! between SQLite and its own file system layer and tells a [`Disk`] of every write, sync and deletion; `disk.rs`
//! remembers what of that a real disk would still have.
//!
//! A store is opened with the name of this layer ([`VFS`]) in a directory that has a [`Disk`]. The power goes at an
//! operation that the test chooses; what survived is then put into another directory, from which the store starts again.
//!
//! Never part of the binary. There are libraries for such layers: `sqlite-plugin` builds with a C compiler's own parser,
//! which nobody should have to install for our tests, and `sqlite-vfs` cannot share a log's index between connections.

mod disk;
mod vfs;

pub use disk::Disk;
pub use vfs::NAME as VFS;
