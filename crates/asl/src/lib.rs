//! The Amazon States Language: text in, a checked [`Program`] and [`Diagnostic`]s out, and everything that can be
//! evaluated without knowing what an execution is (paths, payload templates, intrinsic functions, choice rules).
//!
//! Nothing here waits, reads a clock, or draws a random number: what an expression needs of the world comes in
//! through [`eval::Env`]. Read `program.rs` first, then `parse/` (text → `Program`) and `eval/` (values).

pub mod check;
pub mod diagnostic;
pub mod eval;
pub mod jsonata;
pub mod parse;
mod parse_path;
pub mod payload;
pub mod program;
mod resource;
pub mod timestamp;
mod variables;

pub use check::{CheckOptions, Checked, MAX_DEFINITION_BYTES, MachineType, Syntax, check};
pub use diagnostic::{Diagnostic, Severity, invalid_definition_message, line_column};
pub use parse::{LoadError, load};
pub use parse_path::{MAX_NESTED_CALLS, ParseError};
pub use payload::Payload;
pub use program::*;
pub use resource::{INTEGRATIONS, Integration, header_mistake};
