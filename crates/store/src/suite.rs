//! What every store must do, as tests that its author runs: when they pass, the store is done.
//!
//! `stories` are small and say one thing each; `random` compares long random histories with [`MemoryStore`](crate::MemoryStore)
//! and shrinks what differs. A store's tests call [`conformance_tests!`](crate::conformance_tests) with a function that
//! makes a [`Subject`].

mod random;
mod stories;

pub use random::random_histories;
pub use stories::{catalog, lists, logs, retention, turns, waiting};

use crate::{Chunk, Commit, ExecutionKey, Fence, Listing, ListingChange, Outcome, Status, Store, StoredChunk};

/// A store under test: `open` makes it, and when it is durable, opens what is there again after it was dropped.
pub struct Subject {
    pub open: Box<dyn Fn() -> Box<dyn Store>>,
    pub durable: bool,
}

/// Run one story on a store of its own.
pub fn tell<F>(subject: Subject, story: impl FnOnce(Box<dyn Store>) -> F)
where
    F: Future<Output = ()>,
{
    runtime().block_on(story((subject.open)()));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

/// One test for each story, and the random histories: `conformance_tests!(make)`, where `make()` gives a
/// [`Subject`](crate::suite::Subject).
#[macro_export]
macro_rules! conformance_tests {
    ($make:expr) => {
        $crate::conformance_tests! { @stories $make;
            turns: a_turn_is_whole, a_name_is_taken_once, a_chunk_number_is_taken_once,
                an_old_fence_is_refused, refused_turns_leave_their_neighbours, turns_of_one_call_see_each_other,
                an_execution_can_end_in_its_first_turn, an_execution_ends_and_is_redriven,
                numbers_and_sizes_at_the_edge;
            logs: a_log_is_read_from_any_number, a_log_is_read_by_its_ends, events_are_found_in_both_directions,
                pages_of_events_have_a_size, chunks_without_events_are_passed_over;
            lists: the_newest_comes_first, a_status_is_filtered, pages_join_without_gap_or_repeat,
                versions_aliases_and_map_runs_have_lists, redriven_ones_are_filtered, running_ones_are_known;
            waiting: what_is_due_comes_in_order, what_is_hot_is_found, what_only_waits_to_be_called_has_no_row,
                shards_are_apart, news_stays_until_it_is_consumed, activity_tasks_come_in_order,
                a_claim_runs_out, claims_are_given_once;
            catalog: an_item_is_put_and_found, expectations_are_kept, changes_are_made_together_or_not_at_all,
                items_are_listed_by_name_and_by_creation, definitions_are_kept_once,
                unused_definitions_go, a_secret_is_made_once;
            retention: ended_executions_go_in_small_steps, what_lives_or_owes_stays, a_number_is_never_free_again;
        }

        #[test]
        fn random_histories() {
            $crate::suite::random_histories(&$make);
        }
    };
    (@stories $make:expr; $($part:ident: $($story:ident),+;)+) => {
        $($(
            #[test]
            fn $story() {
                $crate::suite::tell($make(), $crate::suite::$part::$story);
            }
        )+)+
    };
}

/// A machine's ARN for the stories.
pub(crate) const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:orders";

/// 2026-11-01 in milliseconds, the stories' first moment.
pub(crate) const DAWN: i64 = 1_793_491_200_000;

pub(crate) fn key(number: u64) -> ExecutionKey {
    ExecutionKey { shard: 0, number }
}

pub(crate) fn chunk(first_event: u64, events: u32, text: &str) -> Chunk {
    Chunk {
        first_event,
        events,
        records: text.as_bytes().to_vec(),
        payloads: format!("payload of {text}").into_bytes(),
    }
}

pub(crate) fn stored(seq: u32, chunk: Chunk) -> StoredChunk {
    StoredChunk { seq, chunk }
}

/// A running execution that began `number` milliseconds after dawn.
pub(crate) fn listing(key: ExecutionKey, machine: &str, name: &str) -> Listing {
    Listing {
        key,
        machine: machine.to_owned(),
        name: name.to_owned(),
        status: Status::Running,
        started_at: DAWN + i64::try_from(key.number).unwrap_or(i64::MAX - DAWN),
        stopped_at: None,
        version: None,
        alias: None,
        map_run: None,
        definition: [1; 32],
        redrive_count: 0,
        redriven_at: None,
    }
}

pub(crate) fn start(listing: Listing) -> Commit {
    let mut commit = Commit::new(listing.key, 0, chunk(1, 3, "start"));
    commit.listing = Some(ListingChange::Start(listing));
    commit
}

pub(crate) fn end(key: ExecutionKey, seq: u32, status: Status, stopped_at: i64) -> Commit {
    let mut commit = Commit::new(key, seq, chunk(1 + 3 * u64::from(seq), 3, "end"));
    commit.listing = Some(ListingChange::End { status, stopped_at });
    commit
}

/// Take a shard.
pub(crate) async fn own(store: &dyn Store, shard: u16) -> Fence {
    let fence = store.acquire(shard, "story").await;
    fence.expect("acquire").expect("the shard is free")
}

/// Write one turn and give its outcome.
pub(crate) async fn write(store: &dyn Store, fence: Fence, commit: Commit) -> Outcome {
    let outcomes = store.commit(vec![(fence, commit)]).await.expect("commit");
    assert_eq!(outcomes.len(), 1, "one outcome for each turn");
    outcomes[0]
}

/// Write one turn that must land.
pub(crate) async fn landed(store: &dyn Store, fence: Fence, commit: Commit) {
    let outcome = write(store, fence, commit).await;
    assert_eq!(outcome, Outcome::Committed);
}
