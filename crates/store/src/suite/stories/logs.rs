//! A log is read whole, by its ends, by number and by event.

use crate::suite::{chunk, key, landed, own, stored};
use crate::{Commit, EventRange, ExecutionKey, Store};

type Subject = Box<dyn Store>;

/// Write chunks of these numbers of events, one after the other from event 1 on, between logs of other executions.
async fn write_log(store: &dyn Store, of: ExecutionKey, events: &[u32]) {
    let fence = own(store, of.shard).await;
    let mut first_event = 1;
    for (seq, events) in (0..).zip(events) {
        for number in [of.number - 1, of.number, of.number + 1] {
            let text = format!("{number} {seq}");
            let commit = Commit::new(key(number), seq, chunk(first_event, *events, &text));
            landed(store, fence, commit).await;
        }
        first_event += u64::from(*events);
    }
}

async fn seqs(store: &dyn Store, range: EventRange) -> Vec<u32> {
    let chunks = store.load_events(key(5), range).await.expect("load events");
    for chunk in &chunks {
        assert_eq!(chunk.chunk.records, format!("5 {}", chunk.seq).into_bytes(), "the log of another execution");
    }
    chunks.iter().map(|chunk| chunk.seq).collect()
}

fn events(first: u64, last: u64) -> EventRange {
    EventRange { first, last, newest_first: false, max_bytes: usize::MAX }
}

fn backwards(first: u64, last: u64) -> EventRange {
    EventRange { newest_first: true, ..events(first, last) }
}

pub async fn a_log_is_read_from_any_number(store: Subject) {
    let store = &*store;
    // More chunks than a store may want to read at one go.
    write_log(store, key(5), &[2; 100]).await;
    for from in [0, 1, 31, 32, 33, 99, 100] {
        let chunks = store.load(key(5), from).await.expect("load");
        let read: Vec<u32> = chunks.iter().map(|chunk| chunk.seq).collect();
        assert_eq!(read, (from..100).collect::<Vec<_>>());
    }
    let chunks = store.load_seqs(key(5), &[7, 3, 200, 3]).await;
    let expected: Vec<_> = [(7, 15), (3, 7), (3, 7)]
        .into_iter()
        .map(|(seq, first)| stored(seq, chunk(first, 2, &format!("5 {seq}"))))
        .collect();
    assert_eq!(chunks, Ok(expected));
    let all: Vec<u32> = (0..100).collect();
    let chunks = store.load_seqs(key(5), &all).await.expect("load by number");
    assert_eq!(chunks.len(), 100);
}

pub async fn a_log_is_read_by_its_ends(store: Subject) {
    let store = &*store;
    assert_eq!(store.load_ends(key(5)).await, Ok(vec![]));
    let fence = own(store, 0).await;
    let (first, second) = (chunk(1, 3, "first"), chunk(4, 3, "second"));
    landed(store, fence, Commit::new(key(5), 0, first.clone())).await;
    let first = stored(0, first);
    assert_eq!(store.load_ends(key(5)).await, Ok(vec![first.clone()]));
    landed(store, fence, Commit::new(key(5), 1, second.clone())).await;
    let ends = store.load_ends(key(5)).await;
    assert_eq!(ends, Ok(vec![first.clone(), stored(1, second)]));
    let third = chunk(7, 1, "third");
    landed(store, fence, Commit::new(key(5), 2, third.clone())).await;
    let ends = store.load_ends(key(5)).await;
    assert_eq!(ends, Ok(vec![first, stored(2, third)]));
}

pub async fn events_are_found_in_both_directions(store: Subject) {
    let store = &*store;
    assert_eq!(seqs(store, events(1, 10)).await, []);
    // Events 1–3, 4, 5–9, 10–11, …: chunks of 3, 1, 5, 2 events in turn.
    let sizes: Vec<u32> = [3, 1, 5, 2].into_iter().cycle().take(40).collect();
    write_log(store, key(5), &sizes).await;
    let mut spans = Vec::new();
    let mut next = 1;
    for (seq, size) in (0u32..).zip(&sizes) {
        spans.push((seq, next, next + u64::from(*size) - 1));
        next += u64::from(*size);
    }
    for first in (0..next + 3).step_by(3) {
        for last in [first, first + 1, first + 7, first + 50, u64::MAX] {
            let mut expected: Vec<u32> =
                spans.iter().filter(|(_, begin, end)| *begin <= last && *end >= first).map(|(seq, ..)| *seq).collect();
            let found = seqs(store, events(first, last)).await;
            assert_eq!(found, expected, "events {first} to {last}");
            expected.reverse();
            let found = seqs(store, backwards(first, last)).await;
            assert_eq!(found, expected, "events {last} down to {first}");
        }
    }
}

pub async fn pages_of_events_have_a_size(store: Subject) {
    let store = &*store;
    write_log(store, key(5), &[1; 9]).await;
    // "5 0" and its payload.
    let size = chunk(1, 1, "5 0").size();
    for (max_bytes, count) in [(0, 1), (1, 1), (size, 1), (size + 1, 2), (3 * size, 3), (99 * size, 5)] {
        let page = EventRange { max_bytes, ..events(3, 7) };
        let expected: Vec<u32> = (2..7).take(count).collect();
        assert_eq!(seqs(store, page).await, expected, "{max_bytes} bytes");
        let page = EventRange { max_bytes, ..backwards(3, 7) };
        let expected: Vec<u32> = (2..7).rev().take(count).collect();
        assert_eq!(seqs(store, page).await, expected, "{max_bytes} bytes back");
    }
}

pub async fn chunks_without_events_are_passed_over(store: Subject) {
    let store = &*store;
    // 0: –, 1: 1–2, 2: –, 3: –, 4: 3, 5: –, 6: 4–6, 7: –
    write_log(store, key(5), &[0, 2, 0, 0, 1, 0, 3, 0]).await;
    for (first, last, expected) in [
        (1, 6, vec![1, 4, 6]),
        (1, 1, vec![1]),
        (2, 3, vec![1, 4]),
        (3, 3, vec![4]),
        (4, 9, vec![6]),
        (7, 9, vec![]),
        (0, 0, vec![]),
    ] {
        assert_eq!(seqs(store, events(first, last)).await, expected);
        let reversed: Vec<u32> = expected.into_iter().rev().collect();
        assert_eq!(seqs(store, backwards(first, last)).await, reversed);
    }
}
