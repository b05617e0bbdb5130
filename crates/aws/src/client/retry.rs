//! Trying again, as the AWS SDK for Java v2 does in its standard mode.
//!
//! What is tried again: connections that fail, calls that time out, answers 500, 502, 503 and 504, and throttling under
//! any of its names. The pause is random between nothing and a bound that doubles with each attempt.

use std::time::Duration;

use super::CallError;
use crate::codec::ServiceError;

/// How often a call is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// All attempts, the first included; never less than one.
    pub attempts: u32,
    /// The bound of the first pause, and of the first pause after throttling.
    pub base: Duration,
    pub throttled_base: Duration,
    /// The bound of every pause.
    pub max: Duration,
}

impl Retries {
    /// One attempt.
    pub fn none() -> Retries {
        Retries { attempts: 1, ..Retries::standard() }
    }

    /// Three attempts, with the pauses of the standard mode: from 100 ms, from 1 s after throttling, at most 20 s.
    pub fn standard() -> Retries {
        Retries {
            attempts: 3,
            base: Duration::from_millis(100),
            throttled_base: Duration::from_secs(1),
            max: Duration::from_secs(20),
        }
    }

    /// The pause after attempt number `attempt`.
    pub(super) fn pause(&self, attempt: u32, throttled: bool) -> Duration {
        let base = if throttled { self.throttled_base } else { self.base };
        let bound = base.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))).min(self.max);
        bound.mul_f64(fastrand::f64())
    }
}

/// The SDKs' codes of throttling.
const THROTTLING: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

const TRANSIENT: &[&str] = &["InternalError", "PriorRequestNotComplete", "RequestTimeout", "RequestTimeoutException"];
const TRANSIENT_STATUS: &[u16] = &[500, 502, 503, 504];

pub(super) fn is_worth_it(error: &CallError) -> bool {
    match error {
        CallError::Connection(_) | CallError::Timeout { .. } => true,
        CallError::Service { error, .. } => {
            TRANSIENT_STATUS.contains(&error.status) || named(error, TRANSIENT) || named(error, THROTTLING)
        }
        _ => false,
    }
}

pub(super) fn is_throttling(error: &CallError) -> bool {
    matches!(error, CallError::Service { error, .. } if error.status == 429 || named(error, THROTTLING))
}

fn named(error: &ServiceError, codes: &[&str]) -> bool {
    let names = [Some(error.code.as_str()), error.exception.as_deref(), error.query_code.as_deref()];
    names.into_iter().flatten().any(|name| codes.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound() {
        let retries = Retries::standard();
        for (attempt, throttled, bound_ms) in [(1, false, 100), (2, false, 200), (3, true, 4_000), (40, false, 20_000)]
        {
            let longest = (0..200).map(|_| retries.pause(attempt, throttled)).max().unwrap();
            assert!(longest <= Duration::from_millis(bound_ms) && longest > Duration::from_millis(bound_ms / 2));
        }
    }
}
