//! How the log lies on disk: a turn's records as one chunk, small records that refer to their payloads, and the payloads
//! apart. An equal payload is written once in an execution, so 200 KiB that pass through a hundred states lie there
//! once; a reference says in which chunk, so that a page of history is read without all that came before.
//!
//! Each chunk's records begin with the format's version; a reader refuses what it does not know.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use asl::Payload;
use asl::payload::WeakPayload;
use serde::{Deserialize, Serialize};

use crate::record::Record;

/// The version that is written. Each one only adds kinds of records, so the readers of one read all before it.
pub const VERSION: u8 = 2;

#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    #[error("the log was written by a newer version (format {0}, this one reads up to {VERSION})")]
    Newer(u8),
    #[error("the log is damaged: {0}")]
    Damaged(String),
}

/// One turn as bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chunk {
    pub records: Vec<u8>,
    pub payloads: Vec<u8>,
}

/// Where a payload lies: the chunk's number and its place there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct PayloadRef {
    pub chunk: u32,
    pub place: u32,
}

/// Remembers which payloads an execution's log holds already. It keeps none of them alive: one that nobody else holds
/// is written again when it comes again.
#[derive(Default)]
pub struct Writer {
    by_address: HashMap<usize, (PayloadRef, WeakPayload)>,
    by_hash: HashMap<u64, (PayloadRef, WeakPayload)>,
}

impl Writer {
    /// Encodes the records of a turn as the chunk of this number.
    pub fn encode(&mut self, chunk: u32, records: &[Record]) -> Chunk {
        self.forget_the_dead();
        let mut next = PayloadRef { chunk, place: 0 };
        let mut payloads = Vec::new();
        let mut stored: Vec<Record<PayloadRef>> = Vec::with_capacity(records.len());
        for record in records {
            let mut refer = |payload: Payload| Ok(self.refer(payload, &mut next, &mut payloads));
            let Ok(record) = record.clone().map::<_, std::convert::Infallible>(&mut refer);
            stored.push(record);
        }
        let records = postcard::to_extend(&stored, vec![VERSION]).expect("records are plain data");
        Chunk { records, payloads }
    }

    fn refer(&mut self, payload: Payload, next: &mut PayloadRef, payloads: &mut Vec<u8>) -> PayloadRef {
        if let Some((found, weak)) = self.by_address.get(&payload.address())
            && weak.is_alive()
        {
            return *found;
        }
        let text = payload.text().clone();
        let hash = hash(&text);
        if let Some((found, weak)) = self.by_hash.get(&hash)
            && weak.upgrade().is_some_and(|held| *held.text() == text)
        {
            let found = *found;
            self.by_address.insert(payload.address(), (found, payload.downgrade()));
            return found;
        }
        let written = *next;
        next.place += 1;
        payloads.extend_from_slice(&(text.len() as u32).to_le_bytes());
        payloads.extend_from_slice(text.as_bytes());
        self.remember(written, hash, &payload);
        written
    }

    fn remember(&mut self, at: PayloadRef, hash: u64, payload: &Payload) {
        self.by_hash.insert(hash, (at, payload.downgrade()));
        self.by_address.insert(payload.address(), (at, payload.downgrade()));
    }

    /// Keeps the memory in step with the payloads that live, not with the length of the log.
    fn forget_the_dead(&mut self) {
        self.by_address.retain(|_, (_, weak)| weak.is_alive());
        self.by_hash.retain(|_, (_, weak)| weak.is_alive());
    }
}

/// A chunk's records before their payloads are looked up.
pub fn records(bytes: &[u8]) -> Result<Vec<Record<PayloadRef>>, CodecError> {
    match bytes.split_first() {
        None => Err(CodecError::Damaged("an empty chunk".into())),
        Some((1..=VERSION, bytes)) => postcard::from_bytes(bytes).map_err(|e| CodecError::Damaged(e.to_string())),
        Some((version, _)) if *version > VERSION => Err(CodecError::Newer(*version)),
        Some((version, _)) => Err(CodecError::Damaged(format!("unknown format {version}"))),
    }
}

/// Reads chunks: first the payloads of all that records may refer to, then the records.
#[derive(Default)]
pub struct Reader {
    /// In order, so that of two equal payloads the later one is referred to, whoever reads.
    payloads: BTreeMap<u32, Vec<Payload>>,
}

impl Reader {
    /// Takes the payloads of the chunk of this number.
    pub fn take(&mut self, chunk: u32, mut bytes: &[u8]) -> Result<(), CodecError> {
        let damaged = || CodecError::Damaged("a payload is cut".into());
        let mut payloads = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(damaged)?;
            let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or_else(damaged)?;
            let text = std::str::from_utf8(text).map_err(|e| CodecError::Damaged(e.to_string()))?;
            payloads.push(Payload::trusted(Arc::<str>::from(text)));
            bytes = rest;
        }
        self.payloads.insert(chunk, payloads);
        Ok(())
    }

    /// The chunks whose payloads these records need and nobody has taken yet.
    pub fn missing(&self, records: &[Record<PayloadRef>]) -> BTreeSet<u32> {
        let mut missing = BTreeSet::new();
        for record in records {
            let mut note = |at: PayloadRef| {
                if !self.payloads.contains_key(&at.chunk) {
                    missing.insert(at.chunk);
                }
                Ok(())
            };
            let Ok(_) = record.clone().map::<(), std::convert::Infallible>(&mut note);
        }
        missing
    }

    /// The records with their payloads.
    pub fn resolve(&self, records: Vec<Record<PayloadRef>>) -> Result<Vec<Record>, CodecError> {
        let mut find = |at: PayloadRef| {
            let payload = self.payloads.get(&at.chunk).and_then(|chunk| chunk.get(at.place as usize));
            payload
                .cloned()
                .ok_or_else(|| CodecError::Damaged(format!("no payload {} in chunk {}", at.place, at.chunk)))
        };
        records.into_iter().map(|record| record.map(&mut find)).collect()
    }

    /// A writer that goes on where the read log ends.
    pub fn into_writer(self) -> Writer {
        let mut writer = Writer::default();
        for (chunk, payloads) in &self.payloads {
            // A payload that only this reader holds will never be met again.
            for (place, payload) in payloads.iter().enumerate().filter(|(_, payload)| payload.is_shared()) {
                let at = PayloadRef { chunk: *chunk, place: place as u32 };
                writer.remember(at, hash(payload.text()), payload);
            }
        }
        writer
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
