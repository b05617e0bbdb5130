//! The driver that measures a Step Functions endpoint from outside.
fn main() {}
