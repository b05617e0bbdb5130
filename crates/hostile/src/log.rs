//! The bytes of a chunk of a log, as they lie in the store: two bytes say how many of the rest are its records (little
//! endian), and what follows them are its payloads.

use machine::codec::{Reader, records};

/// Bytes of a log are read or refused as damaged; a reader never trusts a length or a reference.
pub fn log(bytes: &[u8]) {
    let Some((cut, rest)) = bytes.split_first_chunk::<2>() else { return };
    let (stored, payloads) = rest.split_at(usize::from(u16::from_le_bytes(*cut)).min(rest.len()));
    let mut reader = Reader::default();
    let taken = reader.take(0, payloads);
    let Ok(decoded) = records(stored) else { return };
    let missing = reader.missing(&decoded);
    let resolved = reader.resolve(decoded);
    if taken.is_ok() && missing.iter().any(|chunk| *chunk != 0) {
        assert!(resolved.is_err(), "a payload of another chunk came from nowhere");
    }
}
