//! The only place where time passes: turns, group commit, timers, dispatch, tokens, activities.
