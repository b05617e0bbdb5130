//! How often each operation may be called: a bucket of tokens for each one that has a limit, as AWS does it. A call takes a
//! token, and they come back at a steady rate.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use crate::exception::Exception;

/// Calls of one operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// That may come at once.
    pub bucket: f64,
    /// A second, once the bucket is empty.
    pub per_second: f64,
}

#[derive(Default)]
pub struct Throttle(BTreeMap<String, Bucket>);

struct Bucket {
    rate: Rate,
    /// Tokens that were left at a time.
    left: Mutex<(f64, Instant)>,
}

impl Throttle {
    /// Limits by the operations' names.
    pub fn new(rates: &BTreeMap<String, Rate>) -> Throttle {
        let bucket = |rate: &Rate| Bucket { rate: *rate, left: Mutex::new((rate.bucket, Instant::now())) };
        Throttle(rates.iter().map(|(operation, rate)| (operation.clone(), bucket(rate))).collect())
    }

    pub fn admit(&self, operation: &str) -> Result<(), Exception> {
        match self.0.get(operation) {
            Some(bucket) if !bucket.take(Instant::now()) => Err(Exception::new("ThrottlingException", "Rate exceeded")),
            _ => Ok(()),
        }
    }
}

impl Bucket {
    fn take(&self, now: Instant) -> bool {
        let mut left = self.left.lock().expect("no panic while held");
        let (tokens, at) = *left;
        let back = now.saturating_duration_since(at).as_secs_f64() * self.rate.per_second;
        let tokens = (tokens + back).min(self.rate.bucket);
        let is_admitted = tokens >= 1.0;
        *left = (if is_admitted { tokens - 1.0 } else { tokens }, now);
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let now = Instant::now();
        let rate = Rate { bucket: 3.0, per_second: 2.0 };
        let bucket = Bucket { rate, left: Mutex::new((3.0, now)) };
        let taken = |at: Instant| (0..5).filter(|_| bucket.take(at)).count();
        assert_eq!(taken(now), 3);
        assert_eq!(taken(now + Duration::from_secs(1)), 2);
        assert_eq!(taken(now + Duration::from_secs(60)), 3, "no more than the bucket holds");
    }

    #[test]
    fn what_has_no_limit_is_admitted() {
        let rates = BTreeMap::from([("StartExecution".to_owned(), Rate { bucket: 1.0, per_second: 0.0 })]);
        let throttle = Throttle::new(&rates);
        assert_eq!(throttle.admit("StartExecution"), Ok(()));
        assert_eq!(throttle.admit("StartExecution").unwrap_err().code, "ThrottlingException");
        assert_eq!(throttle.admit("DescribeExecution"), Ok(()));
    }
}
