//! No dead files: every Rust source of a package is reached from one of its roots by `mod`, or cargo never compiles it and
//! nobody notices that it no longer holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::tokens::{self, Kind, Token, matches};
use crate::{House, Package, Violation};

pub(crate) fn check(house: &House, found: &mut Vec<Violation>) {
    for package in &house.packages {
        let mut reached = BTreeSet::new();
        for root in house.sources(package).filter(|file| is_root(package, file)) {
            let folder = root.parent().unwrap_or(Path::new("")).to_owned();
            follow(house, root, &folder, &mut reached);
        }
        for dead in house.sources(package).filter(|file| !reached.contains(*file)) {
            let what = "no crate root reaches this file by `mod`: name it there, or take it away".into();
            found.push(Violation { file: dead.clone(), line: 1, what });
        }
    }
}

/// What cargo compiles without being told by a `mod`: the conventional places, and what the manifest names.
fn is_root(package: &Package, file: &Path) -> bool {
    let Ok(inside) = file.strip_prefix(&package.folder) else { return false };
    let parts: Vec<_> = inside.iter().filter_map(|part| part.to_str()).collect();
    let conventional = match parts[..] {
        ["src", file] => matches!(file, "lib.rs" | "main.rs"),
        ["src", "bin", ..] | ["tests" | "benches" | "examples", ..] => {
            parts.len() == if parts[0] == "src" { 3 } else { 2 } || parts.ends_with(&["main.rs"])
        }
        _ => parts == ["build.rs"],
    };
    let named = ["lib", "bin", "test", "bench", "example"].iter().filter_map(|kind| package.manifest.get(*kind));
    let tables = named.flat_map(|value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]));
    conventional || tables.into_iter().any(|table| table.get("path").and_then(|path| path.as_str()) == inside.to_str())
}

/// Notes a file and all that it names; `folder` is where its modules lie.
fn follow(house: &House, file: &Path, folder: &Path, reached: &mut BTreeSet<PathBuf>) {
    if !reached.insert(file.to_owned()) {
        return;
    }
    let Some(Ok(tokens)) = house.text(file).map(|text| tokens::read(&text)) else { return };
    let beside = file.parent().unwrap_or(Path::new(""));
    for module in named_modules(&tokens) {
        let mut inner = folder.to_owned();
        inner.extend(&module.inside);
        let candidates = match &module.path {
            Some(path) => vec![(beside.join(path), beside.to_owned())],
            None => vec![
                (inner.join(format!("{}.rs", module.name)), inner.join(&module.name)),
                (inner.join(&module.name).join("mod.rs"), inner.join(&module.name)),
            ],
        };
        for (candidate, modules) in candidates {
            if house.files.contains(&candidate) {
                follow(house, &candidate, &modules, reached);
            }
        }
    }
}

/// A `mod name;`, with the inline modules around it and its `#[path = …]`; an `include!` is one with a path and no name.
struct Named {
    name: String,
    inside: Vec<String>,
    path: Option<String>,
}

fn named_modules(tokens: &[Token]) -> Vec<Named> {
    let mut found = Vec::new();
    // The inline modules that are open, each with the depth of braces at which it closes.
    let (mut open, mut depth): (Vec<(String, usize)>, usize) = (Vec::new(), 0);
    let mut path = None;
    for at in 0..tokens.len() {
        match tokens[at].kind {
            Kind::Sign('{') => depth += 1,
            Kind::Sign('}') => {
                depth = depth.saturating_sub(1);
                open.retain(|(_, closes)| *closes <= depth);
            }
            _ => {}
        }
        if matches(tokens, at, &["#", "[", "path", "="]) {
            path = text_at(tokens, at + 4);
        }
        if matches(tokens, at, &["include", "!", "("]) {
            found.extend(text_at(tokens, at + 3).map(|file| Named {
                name: String::new(),
                inside: Vec::new(),
                path: Some(file),
            }));
        }
        let Some(name) = tokens.get(at + 1).and_then(Token::word).filter(|_| matches(tokens, at, &["mod"])) else {
            continue;
        };
        let name = name.trim_start_matches("r#").to_owned();
        if matches(tokens, at + 2, &[";"]) {
            let inside = open.iter().map(|(name, _)| name.clone()).collect();
            found.push(Named { name, inside, path: path.take() });
        } else if matches(tokens, at + 2, &["{"]) {
            open.push((name, depth + 1));
        }
    }
    found
}

fn text_at(tokens: &[Token], at: usize) -> Option<String> {
    match &tokens.get(at)?.kind {
        Kind::Literal(literal) => Some(literal.trim_matches('"').to_owned()),
        _ => None,
    }
}
