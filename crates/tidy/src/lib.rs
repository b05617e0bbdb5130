//! The habits of the house, kept by a test.
