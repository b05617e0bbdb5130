//! Logs from the store: a whole one folded, or a page of history.

use asl::Payload;
use machine::codec::{self, Reader};
use machine::{Body, Execution, Record, TaskId, history};
use store::{EventRange, ExecutionKey, StoredChunk};

use crate::api::{History, HistoryQuery};
use crate::slots::Live;
use crate::{Engine, Error, Result};

/// A page of history is read until its chunks reach this, so that one answer's memory has a bound.
const PAGE_BYTES: usize = 8 << 20;

/// Folds an execution's log.
pub(crate) async fn load(engine: &Engine, key: ExecutionKey) -> Result<Option<Live>> {
    let chunks = engine.store.load(key, 0).await?;
    let Some(last) = chunks.last() else { return Ok(None) };
    let seq = last.seq + 1;
    let mut reader = Reader::default();
    let mut records = Vec::new();
    for StoredChunk { seq, chunk } in &chunks {
        reader.take(*seq, &chunk.payloads).map_err(damaged)?;
        records.extend(codec::records(&chunk.records).map_err(damaged)?);
    }
    let records = reader.resolve(records).map_err(damaged)?;
    let Some(Record { body: Body::ExecutionStarted(started), .. }) = records.first() else {
        return Err(Error::Internal(format!("the log of {key} does not begin with its start")));
    };
    let (logging, tracing) = engine.watched(started).await?;
    let mut execution = Execution::begin(tracing.is_some());
    records.iter().for_each(|record| execution.apply(record));
    let program = engine.programs.get(engine, started.definition).await?;
    drop(records);
    let writer = reader.into_writer();
    Ok(Some(Live { execution, program, writer, seq, open: store::OpenChange::Keep, logging, tracing }))
}

/// What a task was asked, from the chunk that scheduled it.
pub(crate) async fn task_input(engine: &Engine, key: ExecutionKey, task: TaskId) -> Result<Option<Payload>> {
    let range = EventRange { first: task, last: task, newest_first: false, max_bytes: PAGE_BYTES };
    let chunks = engine.store.load_events(key, range).await?;
    let records = resolve(engine, key, &chunks).await?;
    for (StoredChunk { chunk, .. }, records) in chunks.iter().zip(records) {
        for event in history::events(&records, chunk.first_event) {
            if let (true, Body::TaskScheduled(scheduled)) = (event.id == task, &event.record.body) {
                return Ok(Some(scheduled.parameters.clone()));
            }
        }
    }
    Ok(None)
}

/// The records of the chunks that hold a range of events, and the number of their first event.
pub(crate) async fn events(engine: &Engine, key: ExecutionKey, first: u64, last: u64) -> Result<(Vec<Record>, u64)> {
    let range = EventRange { first, last, newest_first: false, max_bytes: usize::MAX };
    let chunks = engine.store.load_events(key, range).await?;
    let records = resolve(engine, key, &chunks).await?;
    Ok((records.concat(), chunks.first().map_or(first, |stored| stored.chunk.first_event)))
}

/// The first and the last records of an execution, which tell all that DescribeExecution shows, and how many events
/// there are.
pub(crate) async fn load_ends(engine: &Engine, key: ExecutionKey) -> Result<(Vec<Record>, u64)> {
    let mut chunks = engine.store.load_ends(key).await?;
    // Debts are paid after the end, and that is no event: the last event lies before.
    if let Some(last) = chunks.last().filter(|last| last.chunk.events == 0) {
        let event = last.chunk.first_event.saturating_sub(1);
        let range = EventRange { first: event, last: event, newest_first: false, max_bytes: PAGE_BYTES };
        chunks.extend(engine.store.load_events(key, range).await?);
    }
    let end = |stored: &StoredChunk| stored.chunk.first_event.saturating_sub(1) + u64::from(stored.chunk.events);
    let events = chunks.iter().map(end).max().unwrap_or_default();
    let records = resolve(engine, key, &chunks).await?;
    Ok((records.into_iter().flatten().collect(), events))
}

/// The records of some chunks; payloads that lie in others are fetched.
async fn resolve(engine: &Engine, key: ExecutionKey, chunks: &[StoredChunk]) -> Result<Vec<Vec<Record>>> {
    let mut reader = Reader::default();
    let mut parsed = Vec::with_capacity(chunks.len());
    for StoredChunk { seq, chunk } in chunks {
        reader.take(*seq, &chunk.payloads).map_err(damaged)?;
        parsed.push(codec::records(&chunk.records).map_err(damaged)?);
    }
    let missing: Vec<u32> = parsed.iter().flat_map(|records| reader.missing(records)).collect();
    if !missing.is_empty() {
        for StoredChunk { seq, chunk } in engine.store.load_seqs(key, &missing).await? {
            reader.take(seq, &chunk.payloads).map_err(damaged)?;
        }
    }
    parsed.into_iter().map(|records| reader.resolve(records).map_err(damaged)).collect()
}

/// The number of an execution's last event, by the newest chunk that has any: a page from the end must not read the
/// whole log to find it.
async fn last_event(engine: &Engine, key: ExecutionKey) -> Result<u64> {
    let range = EventRange { first: 1, last: u64::MAX, newest_first: true, max_bytes: 1 };
    let chunks = engine.store.load_events(key, range).await?;
    Ok(chunks.last().map_or(0, |stored| stored.chunk.first_event + u64::from(stored.chunk.events) - 1))
}

/// A page of history events.
pub(crate) async fn page(
    engine: &Engine,
    key: ExecutionKey,
    definition: [u8; 32],
    query: &HistoryQuery,
) -> Result<History> {
    // One more than the page holds: whether there is a next page, and where it begins.
    let limit = query.limit as u64;
    let (first, last) = match (query.reverse, query.from) {
        (false, from) => (from.unwrap_or(1), from.unwrap_or(1).saturating_add(limit)),
        (true, from) => {
            let from = match from {
                Some(from) => from,
                None => last_event(engine, key).await?,
            };
            (from.saturating_sub(limit).max(1), from)
        }
    };
    let range = EventRange { first, last, newest_first: query.reverse, max_bytes: PAGE_BYTES };
    let chunks = engine.store.load_events(key, range).await?;
    // What is being deleted loses its beginning first.
    let begins = chunks.iter().map(|stored| stored.chunk.first_event).min();
    if begins.is_none_or(|begins| begins > first) && engine.store.listing(key).await?.is_none() {
        return Err(Error::ExecutionDoesNotExist(query.execution.clone()));
    }
    let records = resolve(engine, key, &chunks).await?;
    let program = engine.programs.get(engine, definition).await?;
    let view = history::View { program: &program, data: query.data, region: &engine.settings.region };
    let mut events = Vec::new();
    let mut next = None;
    // Where a page goes on that ends because its chunks are large.
    let mut cut = None;
    for (StoredChunk { chunk, .. }, records) in chunks.iter().zip(records) {
        let visible = history::events(&records, chunk.first_event);
        let mut shown: Vec<_> = visible.filter(|event| (first..=last).contains(&event.id)).collect();
        if query.reverse {
            shown.reverse();
        }
        let room = query.limit - events.len();
        next = shown.get(room).map(|event| event.id);
        events.extend(shown.into_iter().take(room).filter_map(|event| history::shown(view, event)));
        if next.is_some() {
            break;
        }
        let end = chunk.first_event + u64::from(chunk.events);
        cut = if query.reverse { chunk.first_event.checked_sub(1).filter(|id| *id > 0) } else { Some(end) };
    }
    let read: usize = chunks.iter().map(|stored| stored.chunk.size()).sum();
    if next.is_none() && read >= PAGE_BYTES {
        next = cut;
    }
    Ok(History { events, next })
}

fn damaged(error: codec::CodecError) -> Error {
    Error::Internal(error.to_string())
}
