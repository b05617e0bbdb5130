//! Who may import whom, and what the pure crates never touch: the table of ARCHITECTURE.md, as data.
//!
//! What a crate may import is read off its `Cargo.toml`; that the heart knows no clock, no randomness, no I/O and no async is
//! read off its sources, without what only tests compile. Dev-dependencies are free: a test may build the whole house.

use toml::Table;

use crate::tokens::{self, Token, matches};
use crate::{House, Package, Violation, is_rust};

/// One crate's place in the house.
struct Place {
    name: &'static str,
    /// Crates of the house that it may import.
    may: &'static [&'static str],
    /// Crates from outside that it never imports; a name that ends in `*` is a beginning.
    never: &'static [&'static str],
    /// Whether its sources know no clock, randomness, I/O or async.
    pure: bool,
}

/// What brings a clock, randomness, I/O or async with it.
const IMPURE: &[&str] = &[
    "async-*",
    "chrono",
    "fastrand",
    "futures*",
    "getrandom",
    "http*",
    "hyper*",
    "mio",
    "quinn*",
    "rand*",
    "reqwest",
    "rusqlite",
    "rustix",
    "smol",
    "time",
    "tokio*",
    "uuid",
];
const HTTP: &[&str] = &["aws-*", "axum*", "http*", "hyper*", "reqwest", "tower*"];

const fn place(name: &'static str, may: &'static [&'static str], never: &'static [&'static str], pure: bool) -> Place {
    Place { name, may, never, pure }
}

const HOUSE: &[Place] = &[
    place("jsonpath", &[], IMPURE, true),
    place("asl", &["jsonpath"], IMPURE, true),
    place("machine", &["asl"], IMPURE, true),
    place("store", &[], HTTP, false),
    place("aws", &[], &["rusqlite"], false),
    place("engine", &["machine", "asl", "store"], HTTP, false),
    // The engine's port is spoken in words of `machine` and `asl`.
    place("connectors", &["engine", "machine", "asl", "aws"], &["rusqlite"], false),
    place("local", &["aws"], &[], false),
    place("server", &["engine", "asl", "aws"], &["rusqlite"], false),
    place(
        "cli",
        &["engine", "machine", "asl", "jsonpath", "store", "aws", "connectors", "local", "server"],
        &[],
        false,
    ),
    // It reads the log beside the engine, in the words of `machine` and `asl`.
    place("sim", &["engine", "store", "machine", "asl", "powercut"], HTTP, false),
    place("powercut", &[], HTTP, false),
    // What the fuzzer and its replay hand hostile bytes to.
    place("hostile", &["engine", "machine", "asl", "jsonpath", "server"], &[], false),
    place("fuzz", &["hostile"], &[], false),
    // A client of the wire tests, and a workspace of its own too.
    place("first-example", &[], &[], false),
    place("bench", &[], &[], false),
    place("soak", &[], &[], false),
    // It measures the others from inside.
    place("parts", &["jsonpath", "asl", "machine", "store", "engine", "server"], &[], false),
    place("tidy", &[], &[], false),
];

/// Tests only, and not all of it safe Rust: a lint that is forbidden cannot be allowed in one file.
const OWN_LINTS: &[&str] = &["powercut"];

/// Parts of paths that a pure crate never mentions, and what they would bring in.
const IMPURE_PATHS: &[(&[&str], &str)] = &[
    (&["time", "Instant"], "a clock"),
    (&["time", "SystemTime"], "a clock"),
    (&["Timestamp", "now"], "a clock"),
    (&["Zoned", "now"], "a clock"),
    (&["std", "env"], "the environment"),
    (&["std", "fs"], "files"),
    (&["std", "net"], "the network"),
    (&["std", "os"], "the system"),
    (&["std", "process"], "processes"),
    (&["std", "thread"], "threads"),
    (&["io", "stdin"], "the terminal"),
    (&["io", "stdout"], "the terminal"),
    (&["io", "stderr"], "the terminal"),
    (&["async"], "async"),
    (&["await"], "async"),
    (&["RandomState"], "randomness"),
];
const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln"];

/// The language below knows nothing of the language above: words of ASL have no place in the JSONPath crate.
const ASL_WORDS: &[&str] = &["StateMachine", "InputPath", "OutputPath", "ResultPath", "ItemsPath", "ResultSelector"];

pub(crate) fn check(house: &House, found: &mut Vec<Violation>) {
    for package in &house.packages {
        let manifest = package.folder.join("Cargo.toml");
        let mut tell = |word: &str, what: String| {
            found.push(Violation { file: manifest.clone(), line: package.manifest_line(word), what });
        };
        let inherits = package.manifest.get("lints").and_then(|lints| lints.get("workspace")?.as_bool());
        // A package that is a workspace of its own (`fuzz`) has no other one to take them from.
        let is_own = package.manifest.contains_key("workspace") || OWN_LINTS.contains(&&*package.name);
        if inherits != Some(true) && !is_own {
            tell("[lints]", "the lints of the workspace are not taken over: add `[lints] workspace = true`".into());
        }
        let Some(place) = HOUSE.iter().find(|place| place.name == package.name) else {
            let name = &package.name;
            tell(
                "name",
                format!("`{name}` has no place in the table of imports: add it to crates/tidy/src/imports.rs"),
            );
            continue;
        };
        for dependency in dependencies(&package.manifest) {
            let ours = HOUSE.iter().any(|other| other.name == dependency);
            if ours && !place.may.contains(&&*dependency) {
                tell(&dependency, format!("`{}` may not import `{dependency}`; it may: {:?}", place.name, place.may));
            }
            if !ours && place.never.iter().any(|pattern| fits(pattern, &dependency)) {
                tell(&dependency, format!("`{}` never imports `{dependency}` or its like", place.name));
            }
        }
        if place.pure {
            check_pure(house, package, found);
        }
    }
}

/// The crates that a manifest names outside dev-dependencies, under whatever name it uses them.
fn dependencies(manifest: &Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(|targets| targets.as_table());
    let tables =
        std::iter::once(manifest).chain(targets.into_iter().flatten().filter_map(|(_, value)| value.as_table()));
    let lists = tables.flat_map(|table| ["dependencies", "build-dependencies"].map(|kind| table.get(kind)));
    let mut names = Vec::new();
    for (name, value) in lists.flatten().filter_map(|list| list.as_table()).flatten() {
        names.push(value.get("package").and_then(|real| real.as_str()).unwrap_or(name).to_owned());
    }
    names
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

fn check_pure(house: &House, package: &Package, found: &mut Vec<Violation>) {
    let source_folder = package.folder.join("src");
    for file in house.files.iter().filter(|file| is_rust(file) && file.starts_with(&source_folder)) {
        let Some(Ok(tokens)) = house.text(file).map(|text| tokens::read(&text)) else { continue };
        let name = &package.name;
        let mut tell = |line, what| found.push(Violation { file: file.clone(), line, what });
        let live = tokens::without_tests(&tokens);
        for (path, line) in tokens::paths(&live) {
            for (forbidden, brings) in IMPURE_PATHS {
                if path.windows(forbidden.len()).any(|part| part == *forbidden) {
                    tell(
                        line,
                        format!("`{name}` is pure: `{}` brings in {brings}; take it as an input", path.join("::")),
                    );
                }
            }
            if name == "jsonpath" && path.iter().any(|word| ASL_WORDS.contains(&&**word)) {
                tell(line, format!("`{}` is a word of ASL, which `jsonpath` does not know", path.join("::")));
            }
        }
        for at in (0..live.len()).filter(|at| is_printing(&live, *at)) {
            tell(live[at].line, format!("`{name}` is pure: it prints nothing"));
        }
    }
}

fn is_printing(tokens: &[Token], at: usize) -> bool {
    PRINTING.iter().any(|name| matches(tokens, at, &[name, "!"]))
}
