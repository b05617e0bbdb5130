//! Stories of tasks: what is sent, what is heard, what becomes of it. The answers are those that AWS gave.

mod batch;
mod calls;
mod ecs;
mod faults;
mod gateway;
mod identity;
mod lambda;
mod messages;
mod spans;
mod states;
mod tables;
mod world;
