//! Has a function's code changed? The answer is asked for before each invocation, so whoever saves a file and calls the
//! function calls what was saved.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What is installed or generated is not looked at: it is much, and nobody edits it.
const PASSED_OVER: &[&str] = &[".git", ".venv", "__pycache__", "node_modules", "target"];
/// How many files are looked at: enough for anybody's own code, and a walk of some milliseconds.
const MOST_FILES: usize = 10_000;

/// A number that changes when a file of the folder does.
pub fn fingerprint(folder: &Path) -> io::Result<u64> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if PASSED_OVER.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            // What has gone since it was listed is a change that the next look sees.
            let Ok(told) = std::fs::metadata(entry.path()) else { continue };
            if told.is_dir() && !entry.file_type()?.is_symlink() {
                waiting.push(entry.path());
            } else if found.len() < MOST_FILES {
                found.push((entry.path(), told.len(), told.mtime(), told.mtime_nsec(), told.ino()));
            }
        }
    }
    found.sort_unstable();
    let mut hasher = DefaultHasher::new();
    found.hash(&mut hasher);
    Ok(hasher.finish())
}
