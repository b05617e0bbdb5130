//! Laptop services: small SQS, SNS and Batch over the real AWS wire.
