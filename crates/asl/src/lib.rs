//! The Amazon States Language: text in, a checked [`Program`] and [`Diagnostic`]s out, and everything that can be
//! evaluated without knowing what an execution is (paths, payload templates, intrinsic functions, choice rules).
//!
//! Nothing here waits, reads a clock, or draws a random number: what an expression needs of the world comes in
//! through [`eval::Scope`]. Read `program.rs` first, then `parse/` (text → `Program`) and `eval/` (values).

pub mod diagnostic;
pub mod parse;
pub mod payload;
pub mod program;

pub use diagnostic::{Diagnostic, Severity, invalid_definition_message, line_column};
pub use payload::Payload;
pub use program::*;
