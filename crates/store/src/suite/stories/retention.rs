//! Ended executions go after their time, in steps, and nothing else does.

use crate::suite::{DAWN, MACHINE, chunk, end, key, landed, listing, own, start};
use crate::{Commit, ListOf, ListQuery, OpenChange, Outcome, Status, Store};

type Subject = Box<dyn Store>;

/// More steps than any story needs.
const STEPS: usize = 1000;

/// Sweep to the end, and tell how many steps did something.
async fn sweep(store: &dyn Store, before: i64, limit: usize) -> usize {
    for step in 0..STEPS {
        let done = store.delete_ended(before, limit).await.expect("delete");
        if done == 0 {
            return step;
        }
        assert!(done <= limit, "a step is small");
    }
    panic!("the sweep does not end");
}

async fn listed(store: &dyn Store) -> Vec<u64> {
    let query = ListQuery { of: ListOf::Machine(MACHINE.to_owned()), status: None, redriven: None };
    let page = store.list(&query, None, 100).await.expect("list");
    page.items.iter().map(|row| row.key.number).collect()
}

pub async fn ended_executions_go_in_small_steps(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    for number in 1..=9 {
        let name = number.to_string();
        landed(store, fence, start(listing(key(number), MACHINE, &name))).await;
        for seq in 1..=5 {
            let turn = Commit::new(key(number), seq, chunk(u64::from(seq) + 9, 1, "turn"));
            landed(store, fence, turn).await;
        }
        let stopped_at = DAWN + i64::try_from(number).expect("small") * 10;
        landed(store, fence, end(key(number), 6, Status::Succeeded, stopped_at)).await;
    }
    // The first step already takes some of them away, whole.
    assert!(store.delete_ended(DAWN + 60, 2).await.expect("delete") > 0);
    let left = listed(store).await;
    for number in 1..=9 {
        let name = number.to_string();
        let found = store.find(MACHINE, &name).await.expect("find");
        assert_eq!(found.is_some(), left.contains(&number));
        // However far its log has gone, nobody sees a part of it.
        let chunks = store.load(key(number), 0).await.expect("load").len();
        assert_eq!(chunks, if found.is_some() { 7 } else { 0 });
    }
    // The oldest go first.
    assert_eq!(left, (1..=9).rev().take(left.len()).collect::<Vec<_>>());
    sweep(store, DAWN + 60, 3).await;
    assert_eq!(listed(store).await, [9, 8, 7, 6]);
    for number in 1..=5 {
        assert_eq!(store.load(key(number), 0).await, Ok(vec![]));
        assert_eq!(store.listing(key(number)).await, Ok(None));
    }
    assert_eq!(store.load(key(6), 0).await.expect("load").len(), 7);
    // The names are free again.
    let again = start(listing(key(20), MACHINE, "3"));
    landed(store, fence, again).await;
    sweep(store, i64::MAX, 100).await;
    assert_eq!(listed(store).await, [20]);
}

pub async fn what_lives_or_owes_stays(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    for number in 1..=4 {
        let name = number.to_string();
        landed(store, fence, start(listing(key(number), MACHINE, &name))).await;
    }
    let mut owing = end(key(2), 1, Status::Aborted, DAWN + 10);
    owing.open = OpenChange::Set { next_due: None, hot: true };
    landed(store, fence, owing).await;
    landed(store, fence, end(key(3), 1, Status::Failed, DAWN + 10)).await;
    landed(store, fence, end(key(4), 1, Status::Failed, DAWN + 20)).await;
    sweep(store, DAWN + 20, 100).await;
    assert_eq!(listed(store).await, [4, 2, 1]);
    assert_eq!(store.load(key(2), 0).await.expect("load").len(), 2);
    // Its debts are paid, and it goes like any other.
    let mut settled = Commit::new(key(2), 2, chunk(7, 0, "settled"));
    settled.open = OpenChange::Delete;
    landed(store, fence, settled).await;
    sweep(store, DAWN + 20, 100).await;
    assert_eq!(listed(store).await, [4, 1]);
    // A redriven execution lives again.
    let mut redrive = Commit::new(key(4), 2, chunk(7, 1, "redrive"));
    redrive.listing = Some(crate::ListingChange::Redrive {
        status: Status::Running,
        stopped_at: None,
        redrive_count: 1,
        redriven_at: DAWN + 30,
    });
    landed(store, fence, redrive.clone()).await;
    sweep(store, i64::MAX, 100).await;
    assert_eq!(listed(store).await, [4, 1]);
    // One that has gone does not.
    landed(store, fence, end(key(4), 3, Status::Failed, DAWN + 40)).await;
    sweep(store, i64::MAX, 100).await;
    redrive.seq = 4;
    assert_eq!(store.commit(vec![(fence, redrive)]).await, Ok(vec![Outcome::Gone]));
    assert_eq!(store.load(key(4), 0).await, Ok(Vec::new()));
}

pub async fn a_number_is_never_free_again(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    let other = own(store, 1).await;
    for number in 1..=7 {
        let mut listing = listing(key(number), MACHINE, &number.to_string());
        listing.status = Status::Succeeded;
        listing.stopped_at = Some(DAWN);
        landed(store, fence, start(listing)).await;
    }
    sweep(store, i64::MAX, 3).await;
    assert_eq!(listed(store).await, []);
    assert_eq!(store.last_number(&fence).await, Ok(7));
    assert_eq!(store.last_number(&other).await, Ok(0));
    let fence = own(store, 0).await;
    assert_eq!(store.last_number(&fence).await, Ok(7));
    // A late turn of the old owner does not bring one back.
    let late = Commit::new(key(8), 0, chunk(1, 1, "late"));
    let stale = crate::Fence { epoch: fence.epoch - 1, ..fence };
    let outcome = crate::suite::write(store, stale, late).await;
    assert_eq!(outcome, Outcome::Fenced);
    assert_eq!(store.last_number(&fence).await, Ok(7));
}
