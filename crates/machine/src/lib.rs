//! The heart: an execution is the fold of its log, and one pure turn moves it.
//!
//! No clock, no chance, no I/O and nothing asynchronous in here: time and a seed come in with the [`Stamp`], wishes go
//! out as [`Effect`]s. Read `record.rs` (what is written), `execution.rs` (what it folds to), `turn.rs` (who decides
//! what comes next) and `states/` (what each state type decides); `history.rs` shows the log in AWS's words.

pub mod codec;
pub mod execution;
mod failure;
pub mod history;
pub mod limits;
mod log_level;
mod probe;
pub mod record;
mod redrive;
mod region;
mod retry;
mod scene;
pub mod spans;
mod stamp;
mod states;
pub mod test_state;
mod turn;

pub use execution::{Debt, Execution, Frame, Phase, Redriven, Status, Task};
pub use failure::Failure;
pub use limits::Limits;
pub use log_level::LogLevel;
pub use probe::Shown;
pub use record::{Body, EventId, FrameId, Record, Started, TaskId, Timestamp};
pub use redrive::has_room_to_redrive;
pub use scene::rfc3339;
pub use stamp::Stamp;
pub use turn::{Effect, Input, Report, Turn, Verdict};
