//! The API as its callers see it. One program, so that `fields.rs` can run its other tests once more, each without a
//! field.

mod common;
mod fields;
mod hostile;
mod http;
mod redrive;
mod stories;
mod test_state;
mod validation;
mod versions;
