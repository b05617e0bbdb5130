//! The habits of the house, kept by a test so that nobody needs to remember them.
//!
//! It reads `Cargo.toml` files and sources, and tells of every place that breaks a rule, with file and line. It runs in
//! `tests/house.rs` over this workspace; `tests/planted.rs` breaks each rule once and looks whether it is found. The rules
//! are data: who may import whom in `imports.rs`, what no file may hold in `words.rs`, dead files in `modules.rs`.

mod imports;
mod modules;
mod tokens;
mod words;

use std::fmt;
use std::path::{Path, PathBuf};

use toml::Table;

/// What holds no sources of ours: builds, the environment of the Python tests, version control (a file in a worktree).
const NOT_OURS: &[&str] = &["target", ".git", ".venv", "__pycache__", ".pytest_cache"];

/// A place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Relative to the workspace.
    pub file: PathBuf,
    pub line: usize,
    /// What is wrong, and what to do instead.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

/// A package of the workspace.
struct Package {
    name: String,
    /// Relative to the workspace, as are all paths here.
    folder: PathBuf,
    manifest: Table,
    manifest_text: String,
}

impl Package {
    /// The line of the manifest that begins with this word, for messages.
    fn manifest_line(&self, word: &str) -> usize {
        let begins = |line: &str| line.trim_start().trim_start_matches('"').starts_with(word);
        self.manifest_text.lines().position(begins).map_or(1, |at| at + 1)
    }
}

/// The workspace as it lies on disk.
struct House {
    root: PathBuf,
    packages: Vec<Package>,
    /// Every file that is ours.
    files: Vec<PathBuf>,
}

impl House {
    fn read(root: &Path) -> std::io::Result<House> {
        let mut files = Vec::new();
        walk(root, Path::new(""), &mut files)?;
        files.sort();
        let mut packages = Vec::new();
        for file in files.iter().filter(|file| file.file_name().is_some_and(|name| name == "Cargo.toml")) {
            let manifest_text = std::fs::read_to_string(root.join(file))?;
            let manifest: Table = manifest_text.parse().map_err(std::io::Error::other)?;
            let Some(name) = manifest.get("package").and_then(|package| package.get("name")?.as_str()) else {
                continue;
            };
            let folder = file.parent().unwrap_or(Path::new("")).to_owned();
            packages.push(Package { name: name.to_owned(), folder, manifest, manifest_text });
        }
        Ok(House { root: root.to_owned(), packages, files })
    }

    /// A file's text, or nothing where it is not text.
    fn text(&self, file: &Path) -> Option<String> {
        String::from_utf8(std::fs::read(self.root.join(file)).ok()?).ok()
    }

    /// The Rust sources of a package, without those that are its tests' data.
    fn sources<'a>(&'a self, package: &'a Package) -> impl Iterator<Item = &'a PathBuf> {
        self.files.iter().filter(|file| is_rust(file) && file.starts_with(&package.folder) && !is_data(file))
    }
}

fn is_rust(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "rs")
}

/// Data that tests read comes from elsewhere and keeps its own words.
fn is_data(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "data")
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let (path, kind) = (folder.join(entry.file_name()), entry.file_type()?);
        if NOT_OURS.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if kind.is_dir() {
            walk(root, &path, files)?;
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// Every place of the workspace at `root` that breaks a rule.
pub fn violations(root: &Path) -> std::io::Result<Vec<Violation>> {
    let house = House::read(root)?;
    let mut found = Vec::new();
    imports::check(&house, &mut found);
    words::check(&house, &mut found);
    modules::check(&house, &mut found);
    found.sort();
    found.dedup();
    Ok(found)
}
