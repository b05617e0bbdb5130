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
    /// Whether `aws-sdk:<service>:<action>` is there, when a definition is created.
    pub is_action: fn(service: &str, action: &str) -> bool,
    /// Memory for executions that only wait or are over, in bytes; each takes some KiB and its data. More saves loading.
    pub resident_bytes: usize,
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
    pub quotas: Quotas,
    pub express: ExpressSettings,
}

/// Express executions: how many run at once, and how many are kept after their end for people to look at.
#[derive(Clone, Debug)]
pub struct ExpressSettings {
    pub running: usize,
    pub kept: usize,
    /// Of all that are kept.
    pub kept_bytes: usize,
    pub kept_for: Duration,
    /// Of one execution.
    pub kept_records: usize,
}

impl Default for ExpressSettings {
    fn default() -> ExpressSettings {
        ExpressSettings {
            running: 20_000,
            kept: 1_000,
            kept_bytes: 64 << 20,
            kept_for: Duration::from_secs(60 * 60),
            kept_records: 25_000,
        }
    }
}

/// How many of a thing there may be, as AWS has it.
#[derive(Clone, Debug)]
pub struct Quotas {
    /// Of an account; none: as many as the disk holds.
    pub state_machines: Option<usize>,
    /// The same.
    pub activities: Option<usize>,
    /// Versions of one state machine.
    pub versions: usize,
    /// Aliases of one state machine.
    pub aliases: usize,
}

impl Default for Quotas {
    fn default() -> Quotas {
        Quotas { state_machines: None, activities: None, versions: 1_000, aliases: 100 }
    }
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            account: "000000000000".into(),
            region: "us-east-1".into(),
            node: "local".into(),
            limits: Limits::default(),
            is_action: |_, _| true,
            resident_bytes: 1 << 20,
            programs: 1_000,
            dispatch: 512,
            backlog: 50_000,
            starts: 5_000,
            mailbox: 10_000,
            pollers: 1_000,
            retention: Retention::default(),
            timer_horizon: Duration::from_secs(600),
            quotas: Quotas::default(),
            express: ExpressSettings::default(),
        }
    }
}
