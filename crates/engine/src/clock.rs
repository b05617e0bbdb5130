//! Time and chance, which come in from outside so that a test can hold both: with the same clock and the same chance an
//! engine over the same store does the same again.
//!
//! Everything that waits uses tokio's clock, everything that is written uses this one.

use std::time::{SystemTime, UNIX_EPOCH};

use machine::Timestamp;

pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Where every random byte comes from: seeds of turns, names that nobody gave, the installation's key.
pub trait Chance: Send + Sync {
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's randomness.
pub struct SystemChance;

impl Chance for SystemChance {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system has randomness");
    }
}
