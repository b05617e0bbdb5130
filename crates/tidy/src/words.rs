//! What no file holds: unfinished code, tests that are skipped in silence, paths of somebody's machine, names that say
//! nothing; and no Rust file that is longer than one thought.

use std::path::Path;

use crate::tokens::{self, matches};
use crate::{House, Violation, is_data, is_rust};

/// A file is about 150 lines, seldom 400; beyond this it is split by meaning.
const MAX_LINES: usize = 800;
/// Macros that mark what is not finished or was left from looking for a mistake.
const UNFINISHED: &[&str] = &["todo", "unimplemented", "dbg"];
/// Marks that say the same in a comment. Written in two halves, or this file would break its own rule.
const MARKS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:")];
/// Folders of the machine that somebody worked on.
const MACHINE_PATHS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
/// Names of files and folders that say nothing of what lies there.
const EMPTY_NAMES: &[&str] = &["util", "utils", "misc", "new", "v2"];
/// Words that make any longer name as empty.
const EMPTY_PARTS: &[&str] = &["util", "utils", "v2"];
/// Files that are not ours to word.
const GIVEN: &[&str] = &["Cargo.lock", "LICENSE", "NOTICE"];

pub(crate) fn check(house: &House, found: &mut Vec<Violation>) {
    for file in house.files.iter().filter(|file| !is_data(file)) {
        let Some(text) = house.text(file) else { continue };
        let given = GIVEN.iter().any(|name| file.file_name().is_some_and(|own| own == *name));
        let mut tell = |line, what| found.push(Violation { file: file.clone(), line, what });
        for (at, line) in text.lines().enumerate().filter(|_| !given) {
            if let Some(path) = MACHINE_PATHS.iter().find(|path| names_path(line, path)) {
                tell(at + 1, format!("`{path}` is a path of somebody's machine"));
            }
            if let Some(mark) = MARKS.iter().find(|mark| holds_word(line, mark)) {
                tell(at + 1, format!("`{mark}`: finish it, or say in an issue what is left"));
            }
        }
        if is_rust(file) {
            check_rust(&text, &mut tell);
            check_names(file, &mut tell);
        }
    }
}

fn check_rust(text: &str, tell: &mut impl FnMut(usize, String)) {
    let lines = text.lines().count();
    if lines > MAX_LINES {
        tell(MAX_LINES + 1, format!("{lines} lines are more than one thought (at most {MAX_LINES}): split by meaning"));
    }
    let tokens = match tokens::read(text) {
        Ok(tokens) => tokens,
        Err((line, why)) => return tell(line, format!("this is not Rust: {why}")),
    };
    for (at, token) in tokens.iter().enumerate() {
        if let Some(name) = UNFINISHED.iter().find(|name| matches(&tokens, at, &[name, "!"])) {
            tell(token.line, format!("`{name}!` has no place in code that is done"));
        }
        if matches(&tokens, at, &["#", "[", "ignore", "]"]) {
            tell(token.line, "`#[ignore]` without a reason: write `#[ignore = \"why\"]`".into());
        }
    }
}

fn check_names(file: &Path, tell: &mut impl FnMut(usize, String)) {
    for part in file.iter().filter_map(|part| part.to_str()) {
        let name = part.trim_end_matches(".rs");
        if EMPTY_NAMES.contains(&name) || name.split(['_', '-']).any(|word| EMPTY_PARTS.contains(&word)) {
            tell(1, format!("`{name}` says nothing: name the thing that lies there"));
        }
    }
}

/// Whether the line holds the path from its root: `/a/` in `"/a/b"`, and not in `x/a/b`.
fn names_path(line: &str, path: &str) -> bool {
    let inner = |c: char| c.is_alphanumeric() || "_-.*}/$@".contains(c);
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(inner))
}

fn holds_word(line: &str, word: &str) -> bool {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word)
        .any(|(at, _)| !line[..at].ends_with(letter) && !line[at + word.len()..].starts_with(letter))
}
