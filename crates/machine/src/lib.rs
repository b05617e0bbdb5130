//! The heart: an execution is the fold of its log, and one pure turn moves it.
