//! An execution's key as the one integer under which SQLite finds its rows fastest: shard and number side by side, so
//! that a shard is a range of integers and shard 0 has small ones.

use crate::{Error, ExecutionKey, Result};

const NUMBER_BITS: u32 = 47;

/// The integer of a key.
pub fn id(key: ExecutionKey) -> Result<i64> {
    if key.number > ExecutionKey::MAX_NUMBER {
        return Err(Error::TooLarge(format!("execution {key}")));
    }
    Ok((i64::from(key.shard) << NUMBER_BITS) | key.number.cast_signed())
}

/// The key of an integer.
pub fn key(id: i64) -> ExecutionKey {
    let number_mask = ExecutionKey::MAX_NUMBER.cast_signed();
    ExecutionKey {
        // The mask makes the conversion exact: a stored id is never negative, and a damaged one must not panic.
        shard: u16::try_from((id >> NUMBER_BITS) & 0xffff).unwrap_or_default(),
        number: (id & number_mask).cast_unsigned(),
    }
}

/// The first and the last integer of a shard.
pub fn range(shard: u16) -> (i64, i64) {
    let first = i64::from(shard) << NUMBER_BITS;
    (first, first | ExecutionKey::MAX_NUMBER.cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shard_has_its_own_range_and_keys_come_back() {
        for shard in [0, 1, 255, u16::MAX] {
            let (first, last) = range(shard);
            for number in [0, 1, 7_000_000_000, ExecutionKey::MAX_NUMBER] {
                let of = ExecutionKey { shard, number };
                let integer = id(of).unwrap();
                assert!((first..=last).contains(&integer));
                assert_eq!(key(integer), of);
            }
        }
        assert_eq!(range(0).1 + 1, range(1).0);
        let beyond = ExecutionKey { shard: 0, number: ExecutionKey::MAX_NUMBER + 1 };
        assert!(matches!(id(beyond), Err(Error::TooLarge(_))));
    }
}
