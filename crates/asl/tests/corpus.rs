//! Definitions that others wrote: linters' test suites and AWS's samples.
//!
//! Where an author annotated a definition, we give the same verdict or say why AWS's is another one: an annotation is a
//! linter's opinion. For the rest the snapshot holds our verdict, to be read by a person when it changes.

use asl::{CheckOptions, Checked, check, load};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Entry<'a> {
    id: String,
    language: String,
    valid: Option<bool>,
    placeholders: bool,
    #[serde(borrow)]
    definition: &'a RawValue,
}

impl Entry<'_> {
    fn check(&self) -> Checked {
        self.check_text(self.definition.get())
    }

    fn check_text(&self, text: &str) -> Checked {
        check(text, &CheckOptions { placeholders: self.placeholders, ..CheckOptions::default() })
    }

    /// With a resource that AWS calls where the linter did not look at it: see [`STAND_INS`].
    fn with_a_resource(&self) -> String {
        STAND_INS.iter().fold(self.definition.get().to_owned(), |text, stand_in| text.replace(stand_in, FUNCTION))
    }
}

/// Resources that linters let pass and AWS refuses (`Value is not a valid resource ARN`; it calls no Simple Workflow
/// tasks). They are not what those definitions are about, so a function takes their place before they are judged.
const STAND_INS: [&str; 3] = ["\"foo:bar\"", "\"a:b\"", "\"arn:aws:swf:us-east-1:123456789012:task:X\""];
const FUNCTION: &str = "\"arn:aws:lambda:us-east-1:123456789012:function:f\"";

fn entries() -> Vec<Entry<'static>> {
    include_str!("data/corpus.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of the corpus"))
        .collect()
}

const NO_ROLE: &str = "its Credentials have no RoleArn, which AWS demands";

/// Annotated definitions whose verdict is another one here.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("asl-validator/valid-task-credentials.json", NO_ROLE),
    ("statelint/task-with-credentials.json", NO_ROLE),
    (
        "statelint/states-array-invocation-leftpad.json",
        "white space before a function's name is nothing that AWS was seen to refuse",
    ),
    (
        "asl-validator/invalid-json-surround-syntax-extra-spaces.json",
        "a string that does not begin with {% is a string (recorded)",
    ),
    (
        "asl-validator/invalid-jsonata-surround-syntax-no-spaces.json",
        "AWS's documents ask for no white space inside {% and %}",
    ),
    ("asl-validator/invalid-math-add.json", "AWS looks at the kinds of arguments when a function is called"),
    (
        "asl-validator/valid-current-value-predicate.json",
        "its filter has an unquoted word, which Jayway refuses; AWS is said to take it (asl-validator issue 150)",
    ),
    ("asl-validator/valid-assign.asl.json", "it sets 'top-level', which AWS's documents do not take for a name"),
    (
        "asl-validator/valid-map-with-item-batcher-jsonata.json",
        "a state in it goes back to JSONPath, which AWS refuses (recorded)",
    ),
    ("asl-validator/valid-path-array-context.json", "Jayway, which AWS reads paths with, has no [(@.length-1)]"),
    ("asl-validator/valid-task-intrisic-function.json", "its Resource is an object for CloudFormation, not ASL"),
    ("statelint/succeed-with-comment-in-catcher.json", "AWS demands Parameters of lambda:invoke"),
];

#[test]
fn annotated_definitions_get_their_verdict() {
    let mut judged = 0;
    let mut differing = Vec::new();
    for entry in &entries() {
        let Some(annotated) = entry.valid else { continue };
        judged += 1;
        let checked = entry.check_text(&entry.with_a_resource());
        let excepted = EXCEPTIONS.iter().any(|(id, _)| *id == entry.id);
        if (checked.is_valid() == annotated) == excepted {
            differing.push(format!("{} (annotated {annotated}): {:?}", entry.id, checked.diagnostics));
        }
    }
    assert_eq!(judged, 181);
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn valid_definitions_become_programs() {
    for entry in entries().iter().filter(|entry| entry.language == "JSONPath") {
        let checked = entry.check();
        if !checked.is_valid() {
            assert!(checked.program.is_none(), "{}", entry.id);
            continue;
        }
        match checked.program {
            Some(program) => {
                let loaded = load(entry.definition.get()).expect(&entry.id);
                assert_eq!(loaded.states.len(), program.states.len(), "{}", entry.id);
            }
            None => {
                let reason = checked.unsupported.expect(&entry.id);
                assert!(entry.placeholders || reason.contains("Assign"), "{}: {reason}", entry.id);
            }
        }
    }
}

/// What the machine cannot run yet is compiled all the same.
#[test]
fn definitions_in_every_language_become_programs() {
    let mut compiled = 0;
    for entry in entries().iter().filter(|entry| entry.check().is_valid() && !entry.placeholders) {
        let program = asl::load(entry.definition.get()).unwrap_or_else(|error| panic!("{}: {error}", entry.id));
        assert!(!program.states.is_empty(), "{}", entry.id);
        compiled += 1;
    }
    println!("{compiled} definitions compiled");
    assert!(compiled >= 100, "{compiled}");
}

/// One line for each definition that nobody annotated or that is not JSONPath.
#[test]
fn the_others() {
    const LONGEST: usize = 150;
    let mut story = String::new();
    for entry in entries() {
        if entry.language == "JSONPath" && entry.valid.is_some() {
            continue;
        }
        let checked = entry.check();
        let told = checked.diagnostics.iter().filter(|diagnostic| diagnostic.is_error()).map(|diagnostic| {
            let message: String = diagnostic.message.chars().take(LONGEST).collect();
            format!("{message} @ {}", diagnostic.location.as_deref().unwrap_or("-"))
        });
        let told: Vec<String> = told.collect();
        let verdict = if told.is_empty() { "ok".to_owned() } else { told.join(" | ") };
        story.push_str(&format!("{}: {verdict}\n", entry.id));
    }
    insta::assert_snapshot!(story);
}
