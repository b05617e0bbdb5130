//! Retry: which retrier takes a failure, and how long it waits.

use asl::{Catcher, Kind, Retrier};

use crate::failure::Failure;
use crate::limits::LONGEST_SECONDS;
use crate::scene::Scene;

/// The Retry and Catch of a state; only Task, Parallel and Map have them.
pub(crate) fn handlers(kind: &Kind) -> (&[Retrier], &[Catcher]) {
    match kind {
        Kind::Task(task) => (&task.retry, &task.catch),
        Kind::Parallel(parallel) => (&parallel.retry, &parallel.catch),
        Kind::Map(map) => (&map.retry, &map.catch),
        _ => (&[], &[]),
    }
}

/// The first retrier that names the failure decides: its place and the delay in milliseconds, or no further attempt.
pub(crate) fn next_attempt(retriers: &[Retrier], used: &[u32], failure: &Failure, scene: &Scene) -> Option<(u32, i64)> {
    let (place, retrier) = retriers.iter().enumerate().find(|(_, r)| failure.matches(&r.error_equals))?;
    let used = used.get(place).copied().unwrap_or(0);
    if u64::from(used) >= retrier.max_attempts {
        return None;
    }
    let longest = retrier.max_delay_seconds.unwrap_or(LONGEST_SECONDS).min(LONGEST_SECONDS) as f64;
    // A large rate grows beyond all numbers, and even then nothing times infinity is nothing.
    let growth = retrier.backoff_rate.powi(i32::try_from(used).unwrap_or(i32::MAX)).min(f64::MAX);
    let delay = (retrier.interval_seconds as f64 * growth).min(longest);
    let delay = if retrier.full_jitter { delay * scene.draw(10).fraction() } else { delay };
    Some((place as u32, scene.stamp.limits.scaled((delay * 1000.0) as i64)))
}
