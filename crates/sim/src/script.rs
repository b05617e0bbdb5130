//! What a story lays down, where a seed would throw dice: the fates of the next commits, reads that fail, what the next
//! services say.

use std::collections::VecDeque;

/// Fates that a story has laid down; chance decides where there are none.
#[derive(Default)]
pub(crate) struct Script {
    /// With how long each commit takes, in milliseconds.
    pub commits: VecDeque<(Fate, u64)>,
    /// Of what is written beside turns: state machines, activities.
    pub items: VecDeque<Fate>,
    /// How long it takes until what was read is heard, in milliseconds.
    pub slow_reads: VecDeque<u64>,
    /// So many reads fail.
    pub failing_reads: u32,
    pub services: VecDeque<Says>,
    /// So many questions about jobs, and wishes to stop one, find no service.
    pub unreachable: u32,
}

/// What becomes of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Lands,
    /// It is on the disk long before anybody hears of it.
    HeardLate,
    /// An error, and nothing was written.
    ErrorBefore,
    /// An error, and it was written all the same.
    ErrorAfter,
    Full,
    /// The process dies before it is written.
    DiesBefore,
    /// The process dies before it hears that it was written.
    DiesAfter,
}

/// What a service does with a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Says {
    /// How long the request travels, in milliseconds.
    pub late_ms: u64,
    /// It does what it is asked. A job that it refuses does not come to be.
    pub acts: bool,
    pub answer: Said,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    Yes,
    Fails(&'static str),
    /// Nothing, until something on the way gives up.
    Nothing,
}
