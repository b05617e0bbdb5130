//! What hostile bytes meet: a door is a function that takes any bytes, hands them to a part of the house that reads what
//! others have written, and checks what must hold whatever they are.
//!
//! `fuzz/` looks for bytes that break a door (`make fuzz`); what it has found interesting lies in `fuzz/corpus/`, a folder
//! for each door, and is replayed by `tests/replay.rs` as an ordinary test. A new door is a row in [`DOORS`], a function
//! here, and a line in `fuzz/`.

mod definition;
mod expression;
mod log;
mod path;
mod request;
mod token;

pub use definition::definition;
pub use expression::expression;
pub use log::log;
pub use path::path;
pub use request::request;
pub use token::token;

/// One door: it panics where something does not hold.
pub type Door = fn(&[u8]);

/// Every door by the name of its corpus.
pub const DOORS: &[(&str, Door)] = &[
    ("definition", definition),
    ("expression", expression),
    ("log", log),
    ("path", path),
    ("request", request),
    ("token", token),
];
