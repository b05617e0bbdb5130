//! AWS's limits on what one execution may hold; each can be raised by a setting.

/// No wait, timeout or heartbeat is longer than AWS's own default for `TimeoutSeconds`.
pub const LONGEST_SECONDS: u64 = 99_999_999;

/// What one execution may hold.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Input, output and result of a state or task, in bytes of UTF-8.
    pub payload_bytes: usize,
    /// Values of all workflow variables of an execution, in bytes of UTF-8. One `Assign` may set `payload_bytes`.
    pub variables_bytes: usize,
    /// What one JSONata expression may use up.
    pub query: asl::jsonata::Limits,
    /// History events of one execution; the last one is kept for the failure.
    pub events: u64,
    /// Iterations of an inline Map that run at once, however high its MaxConcurrency.
    pub inline_concurrency: u32,
    /// How far ahead a Wait may end, in seconds. AWS refuses what does not fit 31 bits of seconds.
    pub wait_seconds: u64,
    /// How many times as fast as the clock Wait states and the pauses before retries go by: 1, unless a workflow is being
    /// tested. Timeouts and heartbeats are not hurried, because what they watch is not; nor is any time that is written.
    pub time_scale: f64,
    /// How long an execution may run, beside what its definition says, in seconds; Express: five minutes.
    pub execution_seconds: Option<u64>,
    /// Records that one turn may write before others have their turn.
    pub turn_records: usize,
    /// What the expressions that one turn evaluates may weigh before others have their turn: see [`asl::State::work`].
    pub turn_work: u32,
    /// Bytes of new payloads that one turn may write before others have their turn.
    pub turn_bytes: usize,
}

impl Limits {
    /// So long takes what a definition calls so many milliseconds.
    pub(crate) fn scaled(&self, ms: i64) -> i64 {
        if self.time_scale == 1.0 { ms } else { (ms as f64 / self.time_scale) as i64 }
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            payload_bytes: 262_144,
            variables_bytes: 10 << 20,
            query: asl::jsonata::Limits::default(),
            events: 25_000,
            inline_concurrency: 40,
            wait_seconds: 2_147_483_647,
            time_scale: 1.0,
            execution_seconds: None,
            turn_records: 10_000,
            turn_work: 500,
            turn_bytes: 16 << 20,
        }
    }
}
