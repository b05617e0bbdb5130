//! What a path may cost. A definition comes from outside and is evaluated on every execution, so each way in which a
//! path could grow without bound (its text, its nesting, its matches, its result) ends at a constant of this file.

/// Characters of one path. The longest path seen in thousands of published definitions has a few hundred.
pub const MAX_PATH_CHARS: usize = 16 * 1024;

/// Filters, function arguments, parentheses and negations inside one another. Parsing recurses once for each.
pub const MAX_NESTING: usize = 64;

/// Branching steps (`*`, `..`, slices, filters) that are open at once during an evaluation, those of nested filters
/// included. Evaluation recurses once for each; every other step is a loop.
pub const MAX_OPEN_BRANCHES: u32 = 200;

/// Values looked at during one evaluation. The largest document (256 KiB) has some 130,000 values; a path that
/// multiplies (`$..*..*`, `$[0,0][0,0]…`) ends here instead of running for hours.
pub const MAX_STEPS: u64 = 5_000_000;

/// Copying this many bytes counts as a step: a merge or an argument within `$..*` is copied again and again.
pub const COPIED_BYTES_PER_STEP: u64 = 64;

/// Comparing this many elements of a list counts as a step.
pub const COMPARED_PER_STEP: u64 = 16;

/// Matches of one evaluation, intermediate ones included.
pub const MAX_MATCHES: usize = 500_000;

/// Approximate bytes of all matches together once they are copied out: overlapping matches (`$..*`) repeat their
/// parts, and no use of a result allows more than a few hundred KiB anyway.
pub const MAX_RESULT_BYTES: usize = 64 * 1024 * 1024;

/// Bytes that a compiled regular expression may take; `[?(@.x =~ /(a{1000}){1000}/)]` is refused.
pub const MAX_PATTERN_BYTES: usize = 1024 * 1024;

/// Characters of a value that an error message repeats.
pub const MAX_MESSAGE_CHARS: usize = 32 * 1024;

/// Levels of a value that are written out in Java's notation (for messages and `concat`), because writing recurses.
pub const MAX_TEXT_DEPTH: usize = 128;
