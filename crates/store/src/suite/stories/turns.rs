//! A turn lands whole or not at all, and takes its name and its number once.

use crate::suite::{DAWN, MACHINE, chunk, end, key, landed, listing, own, start, stored, write};
use crate::{
    ActivityTask, Chunk, Commit, Error, ExecutionKey, Fence, ListingChange, OpenChange, Outcome, Status, Store,
};

type Subject = Box<dyn Store>;

pub async fn a_turn_is_whole(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    let mut listing = listing(key(1), MACHINE, "first");
    listing.version = Some(format!("{MACHINE}:3"));
    listing.alias = Some(format!("{MACHINE}:live"));
    listing.map_run = Some("arn:aws:states:us-east-1:000000000000:mapRun:orders/Items:7".into());
    let task = ActivityTask {
        activity: "arn:aws:states:us-east-1:000000000000:activity:pack".into(),
        key: key(1),
        task: 3,
        scheduled_at: DAWN,
    };
    let mut commit = start(listing.clone());
    commit.open = OpenChange::Set { next_due: Some(DAWN + 60_000), hot: true };
    commit.add_tasks.push(task.clone());
    landed(store, fence, commit).await;

    assert_eq!(store.listing(key(1)).await, Ok(Some(listing.clone())));
    assert_eq!(store.find(MACHINE, "first").await, Ok(Some(listing)));
    let first = stored(0, chunk(1, 3, "start"));
    assert_eq!(store.load(key(1), 0).await, Ok(vec![first]));
    let due = store.due(&fence, i64::MAX, 9).await;
    assert_eq!(due, Ok(vec![(key(1), DAWN + 60_000)]));
    assert_eq!(store.hot(&fence, None, 9).await, Ok(vec![key(1)]));
    let tasks = store.activity_tasks(&task.activity, None, 9).await;
    assert_eq!(tasks.expect("tasks")[0].1, task);
    assert_eq!(store.last_number(&fence).await, Ok(1));
    // What nobody wrote is not there.
    assert_eq!(store.listing(key(2)).await, Ok(None));
    assert_eq!(store.find(MACHINE, "First").await, Ok(None));
    assert_eq!(store.find("another", "first").await, Ok(None));
    assert_eq!(store.load(key(2), 0).await, Ok(vec![]));
}

pub async fn a_name_is_taken_once(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    landed(store, fence, start(listing(key(1), MACHINE, "name"))).await;
    let mut again = start(listing(key(2), MACHINE, "name"));
    again.open = OpenChange::Set { next_due: Some(DAWN), hot: true };
    let outcome = write(store, fence, again.clone()).await;
    assert_eq!(outcome, Outcome::NameTaken(key(1)));
    // The refused turn has left nothing behind, whatever it wanted to write.
    assert_eq!(store.load(key(2), 0).await, Ok(vec![]));
    assert_eq!(store.listing(key(2)).await, Ok(None));
    assert_eq!(store.hot(&fence, None, 9).await, Ok(vec![]));
    assert_eq!(store.next_due(&fence).await, Ok(None));
    // An ended execution keeps its name.
    let ended = end(key(1), 1, Status::Failed, DAWN + 5);
    landed(store, fence, ended).await;
    let outcome = write(store, fence, again).await;
    assert_eq!(outcome, Outcome::NameTaken(key(1)));
    // Names are compared as they are written, and each machine has its own.
    for (number, machine, name) in [
        (3, "another machine", "name"),
        (4, MACHINE, "NAME"),
        (5, MACHINE, "näme"),
        (6, MACHINE, "name "),
        (7, MACHINE, "it's \"quoted\"; DROP TABLE executions"),
        (8, MACHINE, ""),
    ] {
        landed(store, fence, start(listing(key(number), machine, name))).await;
        let found = store.find(machine, name).await.expect("find");
        assert_eq!(found.expect("it is listed").key, key(number));
    }
}

pub async fn a_chunk_number_is_taken_once(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    let first = start(listing(key(1), MACHINE, "one"));
    landed(store, fence, first.clone()).await;
    // The very same turn again, as after an answer that was lost: it has landed, and its name is its own.
    assert_eq!(write(store, fence, first).await, Outcome::SeqTaken);
    landed(store, fence, Commit::new(key(1), 1, chunk(4, 2, "one"))).await;
    let mut other = end(key(1), 1, Status::Succeeded, DAWN + 9);
    other.open = OpenChange::Set { next_due: None, hot: true };
    assert_eq!(write(store, fence, other).await, Outcome::SeqTaken);
    let listed = store.listing(key(1)).await.expect("read").expect("listed");
    assert_eq!(listed.status, Status::Running);
    assert_eq!(store.hot(&fence, None, 9).await, Ok(vec![]));
    let chunks = store.load(key(1), 0).await.expect("load");
    assert_eq!(chunks[1], stored(1, chunk(4, 2, "one")));
    // A log without a listing holds its number against a start as well, and the start leaves no listing.
    landed(store, fence, Commit::new(key(2), 0, chunk(1, 1, "map run"))).await;
    let late = start(listing(key(2), MACHINE, "two"));
    assert_eq!(write(store, fence, late).await, Outcome::SeqTaken);
    assert_eq!(store.listing(key(2)).await, Ok(None));
    landed(store, fence, start(listing(key(3), MACHINE, "two"))).await;
    // A listed execution does not start again under another number of its log.
    let mut twice = start(listing(key(3), MACHINE, "three"));
    twice.seq = 7;
    assert_eq!(write(store, fence, twice).await, Outcome::SeqTaken);
    assert_eq!(store.find(MACHINE, "three").await, Ok(None));
}

pub async fn an_old_fence_is_refused(store: Subject) {
    let store = &*store;
    let old = own(store, 0).await;
    landed(store, old, start(listing(key(1), MACHINE, "one"))).await;
    let new = own(store, 0).await;
    assert!(new.epoch > old.epoch);
    let other = own(store, 1).await;
    let turn = || Commit::new(key(1), 1, chunk(4, 1, "next"));
    let unknown = Fence { shard: 0, epoch: new.epoch + 1 };
    for fence in [old, unknown, other] {
        assert_eq!(write(store, fence, turn()).await, Outcome::Fenced);
    }
    for (fence, owns) in [(old, false), (unknown, false), (new, true), (other, true)] {
        assert_eq!(store.owns(&fence).await, Ok(owns), "{fence:?}");
    }
    let never_taken = Fence { shard: 9, epoch: 0 };
    let stranger = ExecutionKey { shard: 9, number: 1 };
    let stranger = Commit::new(stranger, 0, Chunk::default());
    assert_eq!(write(store, never_taken, stranger).await, Outcome::Fenced);
    landed(store, new, turn()).await;
}

pub async fn refused_turns_leave_their_neighbours(store: Subject) {
    let store = &*store;
    let old = own(store, 0).await;
    let fence = own(store, 0).await;
    landed(store, fence, start(listing(key(1), MACHINE, "taken"))).await;
    let outcomes = store
        .commit(vec![
            (fence, start(listing(key(2), MACHINE, "a"))),
            (fence, start(listing(key(3), MACHINE, "taken"))),
            (fence, start(listing(key(4), MACHINE, "b"))),
            (old, start(listing(key(5), MACHINE, "c"))),
            (fence, Commit::new(key(1), 0, chunk(1, 1, "again"))),
            (fence, start(listing(key(6), MACHINE, "d"))),
        ])
        .await;
    assert_eq!(
        outcomes,
        Ok(vec![
            Outcome::Committed,
            Outcome::NameTaken(key(1)),
            Outcome::Committed,
            Outcome::Fenced,
            Outcome::SeqTaken,
            Outcome::Committed,
        ])
    );
    for (number, is_there) in [(2, true), (3, false), (4, true), (5, false), (6, true)] {
        let listed = store.listing(key(number)).await.expect("read");
        assert_eq!(listed.is_some(), is_there, "execution {number}");
        let chunks = store.load(key(number), 0).await.expect("load");
        assert_eq!(!chunks.is_empty(), is_there, "log of {number}");
    }
    assert_eq!(store.commit(vec![]).await, Ok(vec![]));
}

pub async fn turns_of_one_call_see_each_other(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    let outcomes = store
        .commit(vec![
            (fence, start(listing(key(1), MACHINE, "one"))),
            (fence, end(key(1), 1, Status::Succeeded, DAWN + 2)),
            (fence, start(listing(key(2), MACHINE, "one"))),
            (fence, end(key(1), 1, Status::Failed, DAWN + 3)),
        ])
        .await;
    assert_eq!(
        outcomes,
        Ok(vec![Outcome::Committed, Outcome::Committed, Outcome::NameTaken(key(1)), Outcome::SeqTaken,])
    );
    let listed = store.listing(key(1)).await.expect("read").expect("listed");
    assert_eq!(listed.status, Status::Succeeded);
}

pub async fn an_execution_can_end_in_its_first_turn(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    let mut listing = listing(key(1), MACHINE, "quick");
    listing.status = Status::Succeeded;
    listing.stopped_at = Some(DAWN + 4);
    landed(store, fence, start(listing.clone())).await;
    assert_eq!(store.listing(key(1)).await, Ok(Some(listing)));
    assert_eq!(store.has_running(MACHINE).await, Ok(false));
    assert_eq!(store.hot(&fence, None, 9).await, Ok(vec![]));
}

pub async fn an_execution_ends_and_is_redriven(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    let mut expected = listing(key(1), MACHINE, "one");
    landed(store, fence, start(expected.clone())).await;

    landed(store, fence, end(key(1), 1, Status::TimedOut, DAWN + 7)).await;
    expected.status = Status::TimedOut;
    expected.stopped_at = Some(DAWN + 7);
    assert_eq!(store.listing(key(1)).await, Ok(Some(expected.clone())));

    let mut redrive = Commit::new(key(1), 2, chunk(7, 1, "redrive"));
    redrive.listing = Some(ListingChange::Redrive {
        status: Status::Running,
        stopped_at: None,
        redrive_count: 1,
        redriven_at: DAWN + 9,
    });
    landed(store, fence, redrive).await;
    expected.status = Status::Running;
    expected.stopped_at = None;
    expected.redrive_count = 1;
    expected.redriven_at = Some(DAWN + 9);
    assert_eq!(store.listing(key(1)).await, Ok(Some(expected.clone())));

    landed(store, fence, end(key(1), 3, Status::Failed, DAWN + 10)).await;
    let mut in_vain = Commit::new(key(1), 4, chunk(8, 2, "it fails again at once"));
    in_vain.listing = Some(ListingChange::Redrive {
        status: Status::Failed,
        stopped_at: Some(DAWN + 11),
        redrive_count: 2,
        redriven_at: DAWN + 11,
    });
    landed(store, fence, in_vain).await;
    expected.status = Status::Failed;
    expected.stopped_at = Some(DAWN + 11);
    expected.redrive_count = 2;
    expected.redriven_at = Some(DAWN + 11);
    assert_eq!(store.listing(key(1)).await, Ok(Some(expected)));

    // What is not listed (the log of a map run) has no listing to change.
    landed(store, fence, end(key(2), 0, Status::Succeeded, DAWN)).await;
    assert_eq!(store.listing(key(2)).await, Ok(None));
}

pub async fn numbers_and_sizes_at_the_edge(store: Subject) {
    let store = &*store;
    let last = ExecutionKey { shard: u16::MAX, number: ExecutionKey::MAX_NUMBER };
    let fence = own(store, u16::MAX).await;
    let mut edge = start(listing(last, MACHINE, "edge"));
    edge.seq = u32::MAX;
    edge.chunk = Chunk {
        first_event: u64::MAX >> 1,
        events: u32::MAX,
        records: vec![0; 3 << 20],
        payloads: (0..=255).cycle().take(1 << 20).collect(),
    };
    landed(store, fence, edge.clone()).await;
    let loaded = store.load(last, u32::MAX).await;
    assert_eq!(loaded, Ok(vec![stored(u32::MAX, edge.chunk)]));
    assert_eq!(store.last_number(&fence).await, Ok(last.number));
    // No chunk at all is a chunk too.
    let empty = Commit::new(last, 0, Chunk::default());
    landed(store, fence, empty).await;
    let ends = store.load_ends(last).await.expect("ends");
    assert_eq!(ends[0], stored(0, Chunk::default()));

    let beyond = ExecutionKey { number: last.number + 1, ..last };
    let refused = store.commit(vec![(fence, Commit::new(beyond, 0, Chunk::default()))]).await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
}
