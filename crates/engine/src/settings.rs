//! What an engine can be told; every number is a limit with its reason.

use std::time::Duration;

use machine::Limits;

use crate::Retention;

#[derive(Clone, Debug)]
pub struct Settings {
    pub account: String,
    pub region: String,
    /// Names this node to the others.
    pub node: String,
    /// Of one execution.
    pub limits: Limits,
    /// Executions that are kept in memory though they only wait. Each takes a few KiB; more save loading.
    pub resident: usize,
    /// Programs kept in memory, by definition.
    pub programs: usize,
    /// Requests to one service that are under way at once; the rest wait their turn.
    pub dispatch: usize,
    /// Requests that may wait their turn before new executions are refused, while those that run and callbacks go on.
    /// Each keeps its parameters in memory.
    pub backlog: usize,
    /// Starts that wait for their commit at once; more are refused, while callbacks go on.
    pub starts: usize,
    /// News that wait for one execution at once; more are refused, and those who brought them come again.
    pub mailbox: usize,
    /// Workers that wait for one activity at once. AWS: 1,000.
    pub pollers: usize,
    /// What is kept of executions that are over; all of it where nothing is said.
    pub retention: Retention,
    /// Timers within this time are kept in memory, later ones are found in the store when they come near.
    pub timer_horizon: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            account: "000000000000".into(),
            region: "us-east-1".into(),
            node: "local".into(),
            limits: Limits::default(),
            resident: 512,
            programs: 1_000,
            dispatch: 512,
            backlog: 50_000,
            starts: 5_000,
            mailbox: 10_000,
            pollers: 1_000,
            retention: Retention::default(),
            timer_horizon: Duration::from_secs(600),
        }
    }
}
