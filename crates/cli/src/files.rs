//! How many files the process may have open: a connection is one, and so is each request to a service.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than any server of ours uses.
const ENOUGH: u64 = 65_536;

/// What the store, the laptop services and the runtime need beside connections.
const RESERVED: u64 = 48;

/// Raises the limit as far as the system allows it, and says how many connections may be served at once: half of what is
/// left over, because what they ask for may need as many requests to services.
pub fn connections(most: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if limit.current.is_some_and(|current| current < wanted) {
        // Where it is not allowed, the limit stays what it was.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: limit.maximum });
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(ENOUGH);
    let connections = usize::try_from(files.saturating_sub(RESERVED) / 2).unwrap_or(most).clamp(1, most);
    if connections < most / 2 {
        tracing::info!(files, connections, "fewer connections at once, because few files may be open (ulimit -n)");
    }
    connections
}
