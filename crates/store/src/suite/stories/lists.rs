//! Executions are listed by start time, the newest first, in pages that join.

use crate::suite::{DAWN, MACHINE, chunk, end, key, landed, listing, own, start};
use crate::{Commit, ExecutionKey, ListOf, ListQuery, Listing, ListingChange, Position, Status, Store};

type Subject = Box<dyn Store>;

fn of(machine: &str) -> ListQuery {
    ListQuery { of: ListOf::Machine(machine.to_owned()), status: None, redriven: None }
}

/// More pages than any story's list has.
const PAGES: usize = 100;

/// All pages of a list, of a size.
async fn all(store: &dyn Store, query: &ListQuery, limit: usize) -> Vec<Listing> {
    let mut found: Vec<Listing> = Vec::new();
    for _ in 0..PAGES {
        let after = found.last().map(Listing::position);
        let page = store.list(query, after, limit).await.expect("list");
        assert!(page.items.len() <= limit);
        assert!(page.items.len() == limit || !page.more, "a page is full unless it is the last");
        found.extend(page.items);
        if !page.more {
            return found;
        }
    }
    panic!("the list does not end");
}

async fn numbers(store: &dyn Store, query: &ListQuery) -> Vec<u64> {
    let found = all(store, query, 100).await;
    found.iter().map(|listing| listing.key.number).collect()
}

pub async fn the_newest_comes_first(store: Subject) {
    let store = &*store;
    assert_eq!(numbers(store, &of(MACHINE)).await, []);
    let fence = own(store, 0).await;
    for number in 1..=5 {
        let name = number.to_string();
        landed(store, fence, start(listing(key(number), MACHINE, &name))).await;
        landed(store, fence, start(listing(key(number + 10), "other", &name))).await;
    }
    assert_eq!(numbers(store, &of(MACHINE)).await, [5, 4, 3, 2, 1]);
    // A clock that went back: the start time decides, then the number.
    for (number, started_at) in [(20, DAWN + 2), (21, DAWN + 2), (22, DAWN - 9)] {
        let mut listing = listing(key(number), MACHINE, &number.to_string());
        listing.started_at = started_at;
        landed(store, fence, start(listing)).await;
    }
    // Another shard's executions stand among them by their start time.
    let elsewhere = own(store, 3).await;
    let foreign = ExecutionKey { shard: 3, number: 4 };
    landed(store, elsewhere, start(listing(foreign, MACHINE, "foreign"))).await;
    let listed = all(store, &of(MACHINE), 100).await;
    let listed: Vec<(u16, u64)> = listed.iter().map(|listing| (listing.key.shard, listing.key.number)).collect();
    assert_eq!(listed, [(0, 5), (3, 4), (0, 4), (0, 3), (0, 21), (0, 20), (0, 2), (0, 1), (0, 22)]);
}

pub async fn a_status_is_filtered(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    for number in 1..=12 {
        let name = number.to_string();
        landed(store, fence, start(listing(key(number), MACHINE, &name))).await;
    }
    for (number, status) in [
        (2, Status::Succeeded),
        (3, Status::Failed),
        (5, Status::Succeeded),
        (7, Status::Aborted),
        (8, Status::TimedOut),
        (9, Status::PendingRedrive),
        (11, Status::Succeeded),
    ] {
        landed(store, fence, end(key(number), 1, status, DAWN + 99)).await;
    }
    for (status, expected) in [
        (None, (1..=12).rev().collect()),
        (Some(Status::Running), vec![12, 10, 6, 4, 1]),
        (Some(Status::Succeeded), vec![11, 5, 2]),
        (Some(Status::Failed), vec![3]),
        (Some(Status::Aborted), vec![7]),
        (Some(Status::TimedOut), vec![8]),
        (Some(Status::PendingRedrive), vec![9]),
    ] {
        let query = ListQuery { status, ..of(MACHINE) };
        assert_eq!(numbers(store, &query).await, expected, "{status:?}");
    }
}

pub async fn pages_join_without_gap_or_repeat(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    for number in 1..=23 {
        let mut listing = listing(key(number), MACHINE, &number.to_string());
        // Many start in one millisecond.
        listing.started_at = DAWN + i64::try_from(number / 7).expect("small");
        if number % 3 == 0 {
            listing.status = Status::Failed;
            listing.stopped_at = Some(DAWN + 50);
        }
        landed(store, fence, start(listing)).await;
    }
    for status in [None, Some(Status::Failed), Some(Status::Aborted)] {
        let query = ListQuery { status, ..of(MACHINE) };
        let whole = all(store, &query, 100).await;
        for limit in [1, 2, 5, 22, 23, 24] {
            assert_eq!(all(store, &query, limit).await, whole, "pages of {limit}");
        }
    }
    // New ones come before the first page, and do not move the next.
    let query = of(MACHINE);
    let first = store.list(&query, None, 10).await.expect("list");
    landed(store, fence, start(listing(key(90), MACHINE, "late"))).await;
    let after = first.items.last().map(Listing::position);
    let second = store.list(&query, after, 10).await.expect("list");
    assert_eq!(second.items[0].key, key(13));
    // A position that nothing stands at is a place all the same.
    let between = Position { started_at: DAWN, key: key(4) };
    let rest = store.list(&query, Some(between), 10).await.expect("list");
    let rest: Vec<u64> = rest.items.iter().map(|row| row.key.number).collect();
    assert_eq!(rest, [3, 2, 1]);
}

pub async fn versions_aliases_and_map_runs_have_lists(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    for number in 1..=8u64 {
        let mut listing = listing(key(number), MACHINE, &number.to_string());
        listing.version = (number % 2 == 0).then(|| "version".to_owned());
        listing.alias = (number % 4 == 0).then(|| "alias".to_owned());
        listing.map_run = (number % 3 == 0).then(|| "map run".to_owned());
        landed(store, fence, start(listing)).await;
    }
    landed(store, fence, end(key(4), 1, Status::Failed, DAWN + 99)).await;
    for (of, all, failed) in [
        (ListOf::Version("version".into()), vec![8, 6, 4, 2], vec![4]),
        (ListOf::Alias("alias".into()), vec![8, 4], vec![4]),
        (ListOf::MapRun("map run".into()), vec![6, 3], vec![]),
        // An ARN is listed as what it is only.
        (ListOf::Alias("version".into()), vec![], vec![]),
        (ListOf::Machine("map run".into()), vec![], vec![]),
        (ListOf::Version("unknown".into()), vec![], vec![]),
    ] {
        for (status, expected) in [(None, all), (Some(Status::Failed), failed)] {
            let query = ListQuery { of: of.clone(), status, redriven: None };
            assert_eq!(numbers(store, &query).await, expected, "{query:?}");
        }
    }
}

pub async fn redriven_ones_are_filtered(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    for number in 1..=6 {
        let mut listing = listing(key(number), MACHINE, &number.to_string());
        listing.map_run = Some("map run".into());
        landed(store, fence, start(listing)).await;
    }
    for number in [2, 5] {
        landed(store, fence, end(key(number), 1, Status::Failed, DAWN + 50)).await;
        let mut redrive = Commit::new(key(number), 2, chunk(7, 1, "redrive"));
        redrive.listing = Some(ListingChange::Redrive {
            status: Status::Running,
            stopped_at: None,
            redrive_count: 1,
            redriven_at: DAWN + 60,
        });
        landed(store, fence, redrive).await;
    }
    landed(store, fence, end(key(5), 3, Status::Failed, DAWN + 70)).await;
    for (status, redriven, expected) in [
        (None, Some(true), vec![5, 2]),
        (None, Some(false), vec![6, 4, 3, 1]),
        (Some(Status::Failed), Some(true), vec![5]),
        (Some(Status::Running), Some(true), vec![2]),
        (Some(Status::Running), Some(false), vec![6, 4, 3, 1]),
    ] {
        let query = ListQuery { of: ListOf::MapRun("map run".into()), status, redriven };
        assert_eq!(numbers(store, &query).await, expected, "{query:?}");
    }
}

pub async fn running_ones_are_known(store: Subject) {
    let store = &*store;
    let fence = own(store, 0).await;
    assert_eq!(store.has_running(MACHINE).await, Ok(false));
    landed(store, fence, start(listing(key(1), MACHINE, "one"))).await;
    landed(store, fence, start(listing(key(2), MACHINE, "two"))).await;
    assert_eq!(store.has_running(MACHINE).await, Ok(true));
    assert_eq!(store.has_running("another").await, Ok(false));
    landed(store, fence, end(key(2), 1, Status::Failed, DAWN + 9)).await;
    assert_eq!(store.has_running(MACHINE).await, Ok(true));
    landed(store, fence, end(key(1), 1, Status::Succeeded, DAWN + 9)).await;
    assert_eq!(store.has_running(MACHINE).await, Ok(false));
}
