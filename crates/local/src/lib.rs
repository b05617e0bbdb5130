//! Laptop services: small real SQS, SNS and Batch in the same binary, over the real AWS wire.

pub mod batch;
pub mod caller;
pub mod error;
mod params;
pub mod sns;
pub mod sqs;
pub mod store;
pub mod wakes;
