//! What an author sees: where a mistake is in the file, and what to do about it.

use asl::check::{fill, placeholders};
use asl::{CheckOptions, Syntax, check, line_column};

fn story(text: &str, options: &CheckOptions) -> String {
    let checked = check(text, options);
    let told = checked.diagnostics.iter().map(|diagnostic| {
        let place = diagnostic.span.as_ref().map(|span| {
            let (line, column) = line_column(text, span.start);
            format!("{line}:{column} `{}`", text[span.clone()].lines().next().unwrap_or_default())
        });
        let help = diagnostic.help.as_deref().map(|help| format!("\n  {help}")).unwrap_or_default();
        format!(
            "{} {} {}\n  {}{help}\n",
            diagnostic.severity.name(),
            place.unwrap_or_else(|| "-".to_owned()),
            diagnostic.pointer,
            diagnostic.message
        )
    });
    told.collect()
}

#[test]
fn mistakes_are_shown_where_they_are() {
    let text = r#"{
  "StartAt": "Go",
  "States": {
    "Go": {
      "Type": "Task",
      "Resource": "arn:aws:states:::lambda:invoke",
      "Paramters": {"FunctionName": "f"},
      "Parameters": {"FunctionName": "f", "Payload": {"id": "$.id", "who.$": "$.who[x", "who": 1}},
      "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": -1}],
      "Next": "Gone"
    },
    "Lost/~": {"Type": "Pass", "Result": "$.x", "End": true}
  }
}"#;
    insta::assert_snapshot!(story(text, &CheckOptions::default()), @r#"
    ERROR 7:7 `"Paramters"` /States/Go/Paramters
      Field 'Paramters' is not supported
      Did you mean 'Parameters'?
    WARNING 8:61 `"$.id"` /States/Go/Parameters/Payload/id
      The value of the field 'id' looks like a JSONPath or an intrinsic function call, but is static
      Name the field 'id.$' if the value is to be evaluated.
    ERROR 8:69 `"who.$"` /States/Go/Parameters/Payload/who.$
      Duplicate field 'who': it is given as 'who' and as 'who.$'
      Keep one of them.
    ERROR 8:78 `"$.who[x"` /States/Go/Parameters/Payload/who.$
      The value for the field 'who.$' must be a valid JSONPath or a valid intrinsic function call
      Could not parse token starting at position 5. Expected ?, ', 0-9, *  (at offset 5)
    ERROR 9:64 `-1` /States/Go/Retry/0/MaxAttempts
      Minimum value is 0
    WARNING 12:42 `"$.x"` /States/Lost~1~0/Result
      The Result of a Pass state is static, but contains what looks like a path
      Use Parameters to compute what goes on.
    ERROR 10:15 `"Gone"` /States/Go/Next
      Missing 'Next' target: Gone
      Name a state of the same list: a branch or an item processor cannot be entered or left by Next.
    ERROR 12:5 `"Lost/~"` /States/Lost~1~0
      State "Lost/~" is not reachable.
      Lead to it from another state of this list, or remove it.
    "#);
}

#[test]
fn yaml_is_judged_like_json() {
    let text = "StartAt: Wait\nStates:\n  Wait:\n    Type: Wait\n    Seconds: ten\n    Next: Done\n  Done: &done\n    \
                Type: Succeed\n  Other: *done\n";
    let options = CheckOptions { syntax: Syntax::Yaml, ..CheckOptions::default() };
    insta::assert_snapshot!(story(text, &options), @r#"
    ERROR 5:14 `ten` /States/Wait/Seconds
      Expected value of type Integer
      Write a whole number, without quotes.
    ERROR 9:3 `Other` /States/Other
      State "Other" is not reachable.
      Lead to it from another state of this list, or remove it.
    "#);
    insta::assert_snapshot!(story("StartAt: [", &options), @r"
    ERROR 1:11 `` 
      while parsing a node, did not find expected node content
      Correct the YAML at this place; nothing behind it has been read.
    ");
}

#[test]
fn holes_may_stand_for_anything_if_they_may() {
    let text = r#"{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"${Function}","TimeoutSeconds":"${Limit}",
        "Retry":[{"ErrorEquals":["E"],"MaxAttempts":"${Tries}"}],"Next":"${Next}"},"Z":{"Type":"Succeed"}}}"#;
    assert_eq!(check(text, &CheckOptions::default()).diagnostics.iter().filter(|d| d.is_error()).count(), 5);
    let open = CheckOptions { placeholders: true, ..CheckOptions::default() };
    let unreachable: Vec<String> = check(text, &open).diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(unreachable, [""; 0]);
    let names: Vec<String> = placeholders(text).into_iter().map(|hole| hole.name).collect();
    assert_eq!(names, ["Function", "Limit", "Tries", "Next"]);
    let filled = fill(text, |name| (name == "Function").then(|| "arn:aws:states:us-east-1:1:activity:a".to_owned()));
    assert!(filled.contains("\"Resource\":\"arn:aws:states:us-east-1:1:activity:a\""));
}

#[test]
fn sizes_have_an_end() {
    let text = format!("{{\"StartAt\":\"{}\"}}", "x".repeat(asl::MAX_DEFINITION_BYTES));
    let told = check(&text, &CheckOptions::default()).diagnostics;
    assert_eq!(told[0].message, "Definition must not be longer than 1048576 bytes");
    let told = check(&text, &CheckOptions { max_bytes: usize::MAX, ..CheckOptions::default() }).diagnostics;
    assert_eq!(told[0].message, "These fields are required: [States]");
}
