//! Each rule is broken once, and must be found, at its place: a check that cannot fail keeps nothing.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// A small house that keeps every habit, with the given files planted in it; returns what is told of it.
fn told(planted: &[(&str, &str)]) -> Vec<String> {
    let house = TempDir::new().unwrap();
    let lay = |file: &str, text: &str| {
        let file = house.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    lay("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n");
    for (name, dependencies) in [("machine", "asl = { path = \"../asl\" }"), ("asl", ""), ("store", ""), ("server", "")]
    {
        lay(&format!("crates/{name}/Cargo.toml"), &manifest(name, dependencies));
        lay(&format!("crates/{name}/src/lib.rs"), "//! What it is.\n");
    }
    for (file, text) in planted {
        lay(file, text);
    }
    tidy::violations(Path::new(house.path())).unwrap().iter().map(ToString::to_string).collect()
}

fn manifest(name: &str, dependencies: &str) -> String {
    format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependencies}\n[lints]\nworkspace = true\n")
}

/// One violation, and only that: its file, its line, and words of what is told.
#[track_caller]
fn finds(planted: &[(&str, &str)], place: &str, words: &str) {
    let told = told(planted);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].starts_with(&format!("{place}: ")) && told[0].contains(words), "{}", told[0]);
}

#[track_caller]
fn accepts(planted: &[(&str, &str)]) {
    assert_eq!(told(planted), [""; 0]);
}

#[test]
fn a_clean_house_is_told_nothing() {
    accepts(&[]);
}

#[test]
fn a_crate_imports_only_what_it_may() {
    let upwards = manifest("store", "thiserror = \"2\"\nmachine = { path = \"../machine\" }");
    finds(&[("crates/store/Cargo.toml", &upwards)], "crates/store/Cargo.toml:5", "`store` may not import `machine`");
    let renamed = manifest("server", "rows = { package = \"store\", path = \"../store\" }");
    finds(&[("crates/server/Cargo.toml", &renamed)], "crates/server/Cargo.toml:1", "`server` may not import `store`");
    let elsewhere = manifest("store", "") + "[target.'cfg(unix)'.dependencies]\nasl = { path = \"../asl\" }\n";
    finds(&[("crates/store/Cargo.toml", &elsewhere)], "crates/store/Cargo.toml:8", "`store` may not import `asl`");
}

#[test]
fn tests_may_build_the_whole_house() {
    let tested = manifest("server", "") + "[dev-dependencies]\nstore = { path = \"../store\" }\n";
    accepts(&[("crates/server/Cargo.toml", &tested)]);
}

#[test]
fn the_heart_takes_no_runtime_and_no_randomness() {
    for name in ["tokio", "rand", "rand_chacha", "uuid", "async-trait", "rusqlite"] {
        let impure = manifest("machine", &format!("{name} = \"1\""));
        finds(
            &[("crates/machine/Cargo.toml", &impure)],
            "crates/machine/Cargo.toml:4",
            &format!("never imports `{name}`"),
        );
    }
    let spoken = manifest("server", "hyper = \"1\"");
    accepts(&[("crates/server/Cargo.toml", &spoken)]);
}

#[test]
fn a_crate_without_a_place_is_told() {
    let guest = manifest("guest", "");
    let planted = [("crates/guest/Cargo.toml", &*guest), ("crates/guest/src/lib.rs", "")];
    finds(&planted, "crates/guest/Cargo.toml:2", "`guest` has no place in the table of imports");
}

#[test]
fn the_lints_of_the_workspace_are_taken_over() {
    let own = "[package]\nname = \"store\"\n";
    finds(&[("crates/store/Cargo.toml", own)], "crates/store/Cargo.toml:1", "[lints] workspace = true");
}

#[test]
fn pure_sources_know_no_world() {
    for (source, words) in [
        ("use std::time::Instant;", "`std::time::Instant` brings in a clock"),
        ("use std::{time::{Duration, SystemTime}};", "a clock"),
        ("fn f() { jiff::Timestamp::now(); }", "a clock"),
        ("use std::fs;", "files"),
        ("fn f() { ::std::net::TcpStream::connect(1); }", "the network"),
        ("use std::env::var;", "the environment"),
        ("async fn f() {}", "async"),
        ("fn f() { std::thread::spawn(g); }", "threads"),
        ("use std::hash::RandomState;", "randomness"),
        ("fn f() { println!(\"x\"); }", "prints nothing"),
        ("fn f() { format!(\"{}\", std::process::id()); }", "processes"),
    ] {
        let source = format!("//! What it is.\n\n{source}\n");
        finds(&[("crates/machine/src/lib.rs", &source)], "crates/machine/src/lib.rs:3", words);
        accepts(&[("crates/store/src/lib.rs", &source)]);
    }
}

#[test]
fn tests_of_pure_crates_and_words_in_texts_are_free() {
    let source = "//! It never reads std::fs.\nuse std::time::Duration;\nconst WHY: &str = \"async std::fs\";\n\
                  #[cfg(test)]\nmod tests { use std::fs; fn now() { std::time::Instant::now(); } }\n";
    accepts(&[("crates/asl/src/lib.rs", source), ("crates/asl/tests/corpus.rs", "use std::fs;\n")]);
}

#[test]
fn the_language_below_knows_no_word_of_the_one_above() {
    let jsonpath = manifest("jsonpath", "");
    let source = "//! For ResultPath and others.\nstruct ResultPath;\n";
    let planted = [("crates/jsonpath/Cargo.toml", &*jsonpath), ("crates/jsonpath/src/lib.rs", source)];
    finds(&planted, "crates/jsonpath/src/lib.rs:2", "`ResultPath` is a word of ASL");
}

#[test]
fn dead_files_are_found_and_living_ones_are_not() {
    finds(&[("crates/store/src/old.rs", "")], "crates/store/src/old.rs:1", "no crate root reaches this file");
    accepts(&[
        (
            "crates/store/src/lib.rs",
            "mod a;\n#[cfg(test)] mod tests;\n#[path = \"odd.rs\"] mod even;\nmod in_line { mod d; }\n",
        ),
        ("crates/store/src/a.rs", "pub mod b;\n"),
        ("crates/store/src/a/b/mod.rs", "mod c;\n"),
        ("crates/store/src/a/b/c.rs", ""),
        ("crates/store/src/tests.rs", ""),
        ("crates/store/src/odd.rs", ""),
        ("crates/store/src/in_line/d.rs", ""),
        ("crates/store/tests/suite.rs", "mod common;\n"),
        ("crates/store/tests/common/mod.rs", ""),
        ("crates/store/examples/show.rs", ""),
        ("crates/store/build.rs", "fn main() {}"),
    ]);
    let planted = [("crates/store/src/lib.rs", "// mod a;\n"), ("crates/store/src/a.rs", "")];
    finds(&planted, "crates/store/src/a.rs:1", "no crate root reaches this file");
    finds(&[("crates/store/tests/common/mod.rs", "")], "crates/store/tests/common/mod.rs:1", "no crate root");
}

#[test]
fn a_file_is_one_thought() {
    finds(&[("crates/store/src/lib.rs", &"\n".repeat(801))], "crates/store/src/lib.rs:801", "801 lines");
    accepts(&[("crates/store/src/lib.rs", &"\n".repeat(800))]);
}

#[test]
fn nothing_is_unfinished() {
    for name in ["todo", "unimplemented", "dbg"] {
        let source = format!("fn f() {{\n    {name}!()\n}}\n");
        finds(&[("crates/store/src/lib.rs", &source)], "crates/store/src/lib.rs:2", &format!("`{name}!`"));
    }
    accepts(&[("crates/store/src/lib.rs", "const A: &str = \"todo!()\"; // unimplemented!() is not here\n")]);
    let mark = concat!("// TO", "DO: later\n");
    finds(&[("crates/store/src/lib.rs", mark)], "crates/store/src/lib.rs:1", "finish it");
}

#[test]
fn a_skipped_test_says_why() {
    let bare = "#[test]\n#[ignore]\nfn f() {}\n";
    finds(&[("crates/store/tests/suite.rs", bare)], "crates/store/tests/suite.rs:2", "without a reason");
    accepts(&[("crates/store/tests/suite.rs", "#[test]\n#[ignore = \"needs PostgreSQL\"]\nfn f() {}\n")]);
}

#[test]
fn paths_of_a_machine_do_not_belong() {
    for path in [concat!("/wo", "rk/main"), concat!("/ro", "ot/.cargo"), concat!("/ho", "me/ann/x")] {
        finds(&[("README.md", &format!("Welcome.\nSee {path}.\n"))], "README.md:2", "somebody's machine");
        accepts(&[("README.md", &format!("See tests{path}\n")), ("crates/store/tests/data/a.json", path)]);
    }
}

#[test]
fn names_say_something() {
    let planted = [("crates/store/src/lib.rs", "mod utils;\n"), ("crates/store/src/utils.rs", "")];
    finds(&planted, "crates/store/src/utils.rs:1", "`utils` says nothing");
    let planted = [("crates/store/src/lib.rs", "mod log_v2;\n"), ("crates/store/src/log_v2.rs", "")];
    finds(&planted, "crates/store/src/log_v2.rs:1", "`log_v2` says nothing");
    let planted = [("crates/store/src/lib.rs", "mod newest;\n"), ("crates/store/src/newest.rs", "")];
    accepts(&planted);
}

#[test]
fn what_is_not_rust_is_told() {
    finds(&[("crates/store/src/lib.rs", "fn f() {\n")], "crates/store/src/lib.rs:1", "this is not Rust");
}
