//! The heart under test: stories that a reader can follow, properties that chance looks for, and the format on disk.
//!
//! Everything goes through [`world::World`], which keeps the books of `world/ledger.rs` after every single turn, so a
//! story checks far more than it shows.

mod chance;
mod golden;
mod shapes;
mod stories;
mod suite;
mod world;
