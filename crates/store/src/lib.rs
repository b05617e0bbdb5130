//! Where logs and listings lie: one trait, SQLite and memory, and the suite both pass.
