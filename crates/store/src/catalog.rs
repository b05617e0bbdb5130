//! The catalog: state machines, versions, aliases, activities, tags and whatever else comes in small numbers.
//!
//! One table of opaque rows with optimistic concurrency serves them all, so that a new kind of thing is a new
//! [`ItemKind`] and not a new table in every store.

use crate::Hash;

/// What an item is. The numbers are what is stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum ItemKind {
    Machine = 0,
    Version = 1,
    Alias = 2,
    Activity = 3,
    Tags = 4,
    MapRun = 5,
    /// What the installation says of itself.
    Setting = 6,
    /// An asynchronous Express execution that runs.
    Express = 7,
}

impl ItemKind {
    pub const ALL: [ItemKind; 8] = [
        ItemKind::Machine,
        ItemKind::Version,
        ItemKind::Alias,
        ItemKind::Activity,
        ItemKind::Tags,
        ItemKind::MapRun,
        ItemKind::Setting,
        ItemKind::Express,
    ];

    pub fn code(self) -> u8 {
        self as u8
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    pub kind: ItemKind,
    /// Where the name is unique: "account/region", or the parent's ARN.
    pub scope: String,
    /// Items are listed in the order of their names' bytes: numbers want leading zeros.
    pub name: String,
    /// Milliseconds since 1970.
    pub created_at: i64,
    pub body: Vec<u8>,
    /// The definition that the body names, so that it is kept.
    pub definition: Option<Hash>,
}

/// What must be true of an item for a change to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    Absent,
    /// The item is there, and has not changed since it was read.
    Revision(u64),
    Any,
}

impl Expect {
    /// Whether an item that is there with this revision, or not there, is as expected.
    pub(crate) fn holds(self, revision: Option<u64>) -> bool {
        match self {
            Expect::Absent => revision.is_none(),
            Expect::Revision(expected) => revision == Some(expected),
            Expect::Any => true,
        }
    }
}

/// One of several changes that are made together or not at all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ItemChange {
    Put { item: Item, expect: Expect },
    Delete { kind: ItemKind, scope: String, name: String, expect: Expect },
}

/// What became of a list of changes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Changed {
    /// The revisions in the order of the changes: the new one of what was put, the last one of what was deleted, 0 for
    /// a deletion of what was not there. A revision is never used again in the life of a store.
    Done(Vec<u64>),
    /// Nothing was changed, because this item (its place in the list) is not as expected; how it is now.
    Conflict { index: usize, existing: Option<(Item, u64)> },
}

/// What became of a put.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Put {
    Done {
        revision: u64,
    },
    /// How the item is now, if it is there.
    Conflict(Option<(Item, u64)>),
}

/// What became of a deletion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Removed {
    Done,
    Absent,
    /// The item is there, but not as expected.
    Conflict((Item, u64)),
}
