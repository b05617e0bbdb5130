//! Where logs and listings lie: one trait, SQLite and memory, and the suite both pass.
//!
//! A store keeps bytes and the few fields that must be found without reading them. It knows nothing of workflows: what a
//! record means is told by `machine`, when to write is decided by `engine`. It promises three things: what it acknowledged
//! is there after a crash, one turn lands whole or not at all, and a name or a chunk number is taken once.
//!
//! Start with [`Store`], the trait; [`Commit`] is what one turn writes. [`SqliteStore`] is the durable store of one
//! machine, [`MemoryStore`] is its model in plain maps. `suite` (feature `conformance`) tells the author of another store
//! when it is done.

mod catalog;
mod commit;
mod error;
mod execution;
mod listing;
pub mod memory;
pub mod sqlite;
mod store;
#[cfg(feature = "conformance")]
pub mod suite;

pub use catalog::{Changed, Expect, Item, ItemChange, ItemKind, Put, Removed};
pub use commit::{ActivityTask, ActivityTaskId, Commit, Inbox, ListingChange, OpenChange, Outcome};
pub use error::{Error, Result};
pub use execution::{Chunk, EventRange, ExecutionKey, Fence, StoredChunk};
pub use listing::{Hash, ListOf, ListQuery, Listing, Page, Position, Status};
pub use memory::MemoryStore;
pub use sqlite::SqliteStore;
pub use store::Store;
