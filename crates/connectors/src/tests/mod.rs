//! Stories of tasks: what is sent, what is heard, what becomes of it. The answers are those that AWS gave.

mod batch;
mod calls;
mod lambda;
mod messages;
mod states;
mod world;
