//! Which history events a state machine's `loggingConfiguration` has logged, as AWS's table of log levels says.

use asl::{Kind, Program};

use crate::record::{Body, Record};

/// How much of its executions a state machine wants logged; each level holds those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum LogLevel {
    #[default]
    Off,
    /// How an execution ended, unless it succeeded.
    Fatal,
    /// Whatever failed, was aborted or timed out, and that a Fail state was entered.
    Error,
    All,
}

impl LogLevel {
    /// The lowest level at which the event of a record is logged.
    pub fn of(program: &Program, record: &Record) -> LogLevel {
        match &record.body {
            Body::ExecutionFailed(_) | Body::ExecutionAborted(_) | Body::ExecutionTimedOut(_) => LogLevel::Fatal,
            Body::StateAborted
            | Body::TaskFailed { .. }
            | Body::TaskTimedOut { .. }
            | Body::RegionFailed
            | Body::RegionAborted
            | Body::IterationFailed { .. }
            | Body::IterationAborted { .. }
            | Body::EvaluationFailed { .. } => LogLevel::Error,
            Body::StateEntered { .. } if matches!(program.state(record.state).kind, Kind::Fail(_)) => LogLevel::Error,
            _ => LogLevel::All,
        }
    }
}
