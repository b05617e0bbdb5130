//! Resource ARN to call: the optimised integrations as a table.
