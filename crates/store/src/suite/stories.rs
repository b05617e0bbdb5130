//! The stories, by what they are about.

pub mod catalog;
pub mod lists;
pub mod logs;
pub mod retention;
pub mod turns;
pub mod waiting;
