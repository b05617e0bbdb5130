//! The one binary: serve, check, run, history.
fn main() {}
