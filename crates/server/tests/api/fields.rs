//! The service model, walked: every constraint of it is kept, and every operation and field is told of in `docs/api.md`.
//!
//! `data/constraints.txt` has a line for each constraint of the model (botocore 1.44.5): operation, path, kind, bound.
//! `data/fields.txt` has a line for each field: what is asked (`<`) or answered (`>`), and the test that fails if it is
//! ignored, or (`~`) why it has no effect. A field that neither file knows fails here.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::common::{House, IGNORED};
use engine::port::ApiError;
use serde_json::{Value, json};

const CONSTRAINTS: &str = include_str!("data/constraints.txt");
const FIELDS: &str = include_str!("data/fields.txt");

/// The page that this test writes where `UPDATE_DOCS` is set, and holds to otherwise.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");

/// A value that breaks a constraint, and the words in which that is told.
fn broken(kind: &str, bound: &str) -> (Value, String) {
    let number = || bound.parse::<i64>().expect("a number");
    let text = |length: i64| Value::from("x".repeat(length as usize));
    let items = |length: i64| Value::from(vec![json!({}); length as usize]);
    let length = |which: &str| format!("Member must have length {which} than or equal to {bound}");
    let value = |which: &str| format!("Member must have value {which} than or equal to {bound}");
    match kind {
        "required" => (Value::Null, "Member must not be null".into()),
        "shorter" => (text(number() - 1), length("greater")),
        "longer" => (text(number() + 1), length("less")),
        "fewer" => (items(number() - 1), length("greater")),
        "moreitems" => (items(number() + 1), length("less")),
        "less" => ((number() - 1).into(), value("greater")),
        "more" => ((number() + 1).into(), value("less")),
        "pattern" => ("ä".into(), format!("Member must satisfy regular expression pattern: {bound}")),
        "enum" => ("neither".into(), "Member must satisfy enum value set: [".into()),
        kind => panic!("no constraint is called {kind}"),
    }
}

/// A request with nothing but this value, at this path.
fn request(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, step| match step.parse::<usize>() {
        Ok(_) => json!([inner]),
        Err(_) => json!({step: inner}),
    })
}

/// As AWS names a place: `tags.1.member.key`.
fn place(path: &str) -> String {
    let steps: Vec<&str> = path.split('.').map(|step| if step == "1" { "1.member" } else { step }).collect();
    steps.join(".")
}

#[tokio::test]
async fn every_constraint_of_the_model_is_kept() {
    let house = House::open().await;
    let mut kept = 0;
    for line in CONSTRAINTS.lines() {
        let mut words = line.splitn(4, ' ');
        let mut next = || words.next().unwrap_or_default();
        let (operation, path, kind, rest) = (next(), next(), next(), next());
        let (bound, sensitive) = match rest.strip_suffix("sensitive") {
            Some(bound) => (bound.trim_end(), true),
            None => (rest, false),
        };
        let (value, words) = broken(kind, bound);
        let told = house.call(operation, request(path, value)).await;
        let Err(ApiError { code, message, .. }) = told else { panic!("{line}: accepted: {told:?}") };
        let wanted = format!(" at '{}' failed to satisfy constraint: {words}", place(path));
        assert_eq!(code, "ValidationException", "{line}: {message}");
        assert!(message.contains(&wanted), "{line}: {message}");
        // What is sensitive is not repeated.
        assert_eq!(message.contains(&format!("Value{wanted}")), sensitive, "{line}: {message}");
        kept += 1;
    }
    assert!(kept > 200, "{kept} constraints were looked at");
}

/// A field's line: `Operation < field = test` or `Operation > field = ~ reason`.
struct Field<'a> {
    operation: &'a str,
    sign: &'a str,
    name: &'a str,
    told: &'a str,
}

fn fields() -> Vec<Field<'static>> {
    let field = |line: &'static str| {
        let (place, told) = line.split_once(" = ").expect("Operation < field = test");
        let words: Vec<&str> = place.split(' ').collect();
        let [operation, sign, name] = words[..] else { panic!("{line}") };
        Field { operation, sign, name, told }
    };
    FIELDS.lines().map(field).collect()
}

#[test]
fn every_field_is_told_of() {
    let model = aws::models().service("sfn").expect("the model of Step Functions");
    let mut wanted = BTreeSet::new();
    for operation in model.operations() {
        for (sign, shape) in [("<", &operation.input), (">", &operation.output)] {
            for member in shape.as_ref().map_or(&[][..], |shape| model.members(shape)) {
                wanted.insert(format!("{} {sign} {}", operation.name, member.name));
            }
        }
    }
    let known: BTreeSet<String> =
        fields().iter().map(|field| format!("{} {} {}", field.operation, field.sign, field.name)).collect();
    let missing: Vec<_> = wanted.difference(&known).collect();
    let unknown: Vec<_> = known.difference(&wanted).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing {missing:?}, unknown {unknown:?}");
}

/// A test that takes so long without a field does not pass without it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Runs a test of this program once more, as if a field were not known, and tells whether it fails.
fn fails_without(field: &Field, test: &str) -> bool {
    let Field { operation, sign, name, .. } = field;
    let mut run = Command::new(std::env::current_exe().expect("this program"));
    run.args(["--exact", test]).env(IGNORED, format!("{operation} {sign} {name}"));
    // The place of each failure is of no use to anybody here.
    run.env("RUST_BACKTRACE", "0").env("INSTA_UPDATE", "no").stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = run.spawn().expect("it runs");
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(status) = run.try_wait().expect("it can be asked") {
            return !status.success();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    eprintln!("{test} without {operation} {sign} {name}: still no end after {PATIENCE:?}");
    run.kill().and_then(|()| run.wait()).expect("it can be stopped");
    true
}

/// The tests that the fields name fail if the fields are ignored.
#[test]
fn a_field_that_is_ignored_is_noticed() {
    let fields = fields();
    let next = AtomicUsize::new(0);
    let unnoticed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(field) = fields.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let Field { operation, sign, name, told } = field;
                    if !told.starts_with("~ ") && !fails_without(field, told) {
                        unnoticed.lock().unwrap().push(format!("{operation} {sign} {name}: {told}"));
                    }
                }
            });
        }
    });
    let unnoticed = unnoticed.into_inner().unwrap();
    assert!(unnoticed.is_empty(), "{} fields are not missed:\n{}", unnoticed.len(), unnoticed.join("\n"));
}

#[test]
fn the_page_of_the_api_is_up_to_date() {
    let mut page = String::from(
        "# The API, field by field\n\n\
         Written by `crates/server/tests/api/fields.rs`, which walks the service model (`UPDATE_DOCS=1 cargo test -p server \
         --test api fields` writes it anew). For each field that is supported stands the test of `crates/server/tests/api` \
         that fails if it is ignored: each is run so. For the others stands why they have no effect.\n",
    );
    let mut last = "";
    for Field { operation, sign, name, told } in fields() {
        if operation != last {
            let _ = write!(page, "\n## {operation}\n\n| field | | |\n|---|---|---|\n");
            last = operation;
        }
        let direction = if sign == "<" { "asked" } else { "answered" };
        let told = match told.strip_prefix("~ ") {
            Some(reason) => format!("no effect: {reason}"),
            None => format!("`{told}`"),
        };
        let _ = writeln!(page, "| `{name}` | {direction} | {told} |");
    }
    let path = Path::new(PAGE);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(path).expect("docs/api.md");
    assert_eq!(written, page, "UPDATE_DOCS=1 cargo test -p server --test api fields writes docs/api.md anew");
}
