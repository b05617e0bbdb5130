//! Text → tree → [`Program`](crate::Program).
//!
//! `json` and `yaml` read a text into the [`tree`] that keeps the place of every value, `build` compiles a tree into a
//! program. Nothing here judges a definition: that is `check`, which reads with the same readers.

pub mod json;
pub mod tree;
pub mod yaml;
