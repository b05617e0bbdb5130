//! The only place where time passes: executions are loaded, turned, committed, answered; tasks are dispatched; timers
//! fire; tokens are sealed and opened.
//!
//! Read `execution.rs`-style facts in `machine` first. Here: `api.rs` (what may be asked), `port.rs` (who carries tasks
//! out), `slot.rs` (one execution in memory and its mailbox), `drive.rs` (load, turn, commit, answer, dispatch).

pub mod api;
pub mod arn;
mod error;
pub mod port;

pub use error::{Error, Result};
