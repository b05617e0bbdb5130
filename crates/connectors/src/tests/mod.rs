//! Stories of tasks: what is sent, what is heard, what becomes of it. The answers are those that AWS gave.

mod batch;
mod calls;
mod faults;
mod identity;
mod lambda;
mod messages;
mod states;
mod tables;
mod world;
