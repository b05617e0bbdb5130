//! JSONata and variables in states: which field takes what, what a definition becomes, what it comes to.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use asl::eval::{Env, NoVariables, QueryEnv, QueryError, Variables, WaitFor};
use asl::jsonata::{Limits, Scope, States};
use asl::*;
use serde_json::{Value, json};

fn errors(definition: &str) -> Vec<String> {
    let checked = check(definition, &CheckOptions::default());
    let errors = checked.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
    errors.map(|d| format!("{}: {} at {}", d.code, d.message, d.location.as_deref().unwrap_or("-"))).collect()
}

/// A machine with one state `X`, and another one if it goes there.
fn machine(language: &str, fields: &str) -> String {
    let other = if fields.contains("\"Z\"") { r#","Z":{"Type":"Pass","End":true}"# } else { "" };
    format!("{{\"QueryLanguage\":\"{language}\",\"StartAt\":\"X\",\"States\":{{\"X\":{{{fields}}}{other}}}}}")
}

const PROCESSOR: &str = r#""ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}}"#;
const DISTRIBUTED: &str = r#""ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
    "StartAt":"I","States":{"I":{"Type":"Pass","End":true}}}"#;

/// A state of each type that is right in both languages: its fields, and the fields that it may have beside.
fn bases() -> Vec<(&'static str, String)> {
    let task = r#""Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Next":"Z""#;
    vec![
        ("Task", task.to_owned()),
        ("Pass", r#""Type":"Pass","Next":"Z""#.to_owned()),
        ("Wait", r#""Type":"Wait","Next":"Z""#.to_owned()),
        ("Succeed", r#""Type":"Succeed""#.to_owned()),
        ("Fail", r#""Type":"Fail""#.to_owned()),
        (
            "Parallel",
            r#""Type":"Parallel","Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}],"Next":"Z""#
                .to_owned(),
        ),
        ("Map", format!("\"Type\":\"Map\",{PROCESSOR},\"Next\":\"Z\"")),
        ("Distributed Map", format!("\"Type\":\"Map\",{DISTRIBUTED},\"Next\":\"Z\"")),
    ]
}

/// Every field that takes data, with a value in JSONPath and one in JSONata.
const FIELDS: &[(&str, &str, &str)] = &[
    ("InputPath", r#""$.a""#, r#""{% 1 %}""#),
    ("OutputPath", r#""$.a""#, r#""{% 1 %}""#),
    ("Parameters", r#"{"a.$":"$.a"}"#, r#"{"a":"{% 1 %}"}"#),
    ("ResultSelector", r#"{"a.$":"$.a"}"#, r#"{"a":"{% 1 %}"}"#),
    ("ResultPath", r#""$.a""#, r#""{% 1 %}""#),
    ("Result", r#"{"a":1}"#, r#""{% 1 %}""#),
    ("Arguments", r#"{"a.$":"$.a"}"#, r#"{"a":"{% 1 %}"}"#),
    ("Output", r#"{"a.$":"$.a"}"#, r#"{"a":"{% 1 %}"}"#),
    ("Assign", r#"{"a.$":"$.a"}"#, r#"{"a":"{% 1 %}"}"#),
    ("Credentials", r#"{"RoleArn.$":"$.a"}"#, r#"{"RoleArn":"{% $a %}"}"#),
    ("TimeoutSeconds", "1", r#""{% 1 %}""#),
    ("TimeoutSecondsPath", r#""$.a""#, r#""{% 1 %}""#),
    ("HeartbeatSeconds", "1", r#""{% 1 %}""#),
    ("HeartbeatSecondsPath", r#""$.a""#, r#""{% 1 %}""#),
    ("Seconds", "1", r#""{% 1 %}""#),
    ("SecondsPath", r#""$.a""#, r#""{% 1 %}""#),
    ("Timestamp", r#""2016-03-14T01:59:00Z""#, r#""{% $now() %}""#),
    ("TimestampPath", r#""$.a""#, r#""{% 1 %}""#),
    ("Error", r#""e""#, r#""{% 'e' %}""#),
    ("ErrorPath", r#""$.a""#, r#""{% 1 %}""#),
    ("Cause", r#""c""#, r#""{% 'c' %}""#),
    ("CausePath", r#""$.a""#, r#""{% 1 %}""#),
    ("Items", r#""$.a""#, r#""{% [1] %}""#),
    ("ItemsPath", r#""$.a""#, r#""{% [1] %}""#),
    ("ItemSelector", r#"{"a.$":"$.a"}"#, r#"{"a":"{% 1 %}"}"#),
    ("MaxConcurrency", "1", r#""{% 1 %}""#),
    ("MaxConcurrencyPath", r#""$.a""#, r#""{% 1 %}""#),
    ("ToleratedFailureCount", "1", r#""{% 1 %}""#),
    ("ToleratedFailureCountPath", r#""$.a""#, r#""{% 1 %}""#),
    ("ToleratedFailurePercentage", "1", r#""{% 1 %}""#),
    ("ToleratedFailurePercentagePath", r#""$.a""#, r#""{% 1 %}""#),
    (
        "ItemReader",
        r#"{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket.$":"$.b","Key":"k"},
        "ReaderConfig":{"InputType":"JSON","MaxItemsPath":"$.a"}}"#,
        r#"{"Resource":"arn:aws:states:::s3:getObject","Arguments":{"Bucket":"{% $b %}","Key":"k"},
        "ReaderConfig":{"InputType":"JSON","MaxItems":"{% 1 %}"}}"#,
    ),
    (
        "ItemBatcher",
        r#"{"MaxItemsPerBatchPath":"$.a","BatchInput":{"a.$":"$.a"}}"#,
        r#"{"MaxItemsPerBatch":"{% 1 %}","MaxInputBytesPerBatch":"{% 9 %}","BatchInput":{"a":"{% 1 %}"}}"#,
    ),
    (
        "ResultWriter",
        r#"{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket.$":"$.b"}}"#,
        r#"{"Resource":"arn:aws:states:::s3:putObject","Arguments":{"Bucket":"{% $b %}"}}"#,
    ),
    (
        "Catch",
        r#"[{"ErrorEquals":["States.ALL"],"Next":"Z","ResultPath":"$.e","Assign":{"a.$":"$.a"}}]"#,
        r#"[{"ErrorEquals":["States.ALL"],"Next":"Z","Output":"{% 1 %}","Assign":{"a":"{% 1 %}"}}]"#,
    ),
];

/// Which field takes which language, by state type: `path` and `ata` are taken, a dash is refused.
#[test]
fn every_field_in_both_languages() {
    let mut table = String::new();
    let _ = write!(table, "{:31}", "");
    for (name, _) in bases() {
        let _ = write!(table, "{name:16}");
    }
    for (field, jsonpath, jsonata) in FIELDS {
        let mut row = format!("{field:31}");
        for (name, base) in bases() {
            let taken = |language: &str, value: &str| {
                let wait = if name == "Wait" && !field.starts_with("Seconds") && !field.starts_with("Timestamp") {
                    ",\"Seconds\":1"
                } else {
                    ""
                };
                errors(&machine(language, &format!("{base}{wait},\"{field}\":{value}"))).is_empty()
            };
            let path = if taken("JSONPath", jsonpath) { "path" } else { "-" };
            let ata = if taken("JSONata", jsonata) { "ata" } else { "-" };
            let _ = write!(row, "{:16}", format!("{path} {ata}"));
        }
        let _ = write!(table, "\n{}", row.trim_end());
    }
    insta::assert_snapshot!(table);
}

#[test]
fn choices_in_both_languages() {
    let taken = |language: &str, rule: &str, beside: &str| {
        errors(&machine(language, &format!("\"Type\":\"Choice\",\"Choices\":[{{{rule},\"Next\":\"Z\"}}]{beside}")))
    };
    assert_eq!(
        taken("JSONata", r#""Condition":"{% $a > 1 %}","Output":"{% 1 %}","Assign":{"b":"{% $a %}"}"#, ""),
        [""; 0]
    );
    assert_eq!(taken("JSONata", r#""Condition":true"#, r#","Output":1,"Assign":{"c":2},"Default":"Z""#), [""; 0]);
    assert_eq!(taken("JSONPath", r#""Variable":"$a","NumericEquals":1,"Assign":{"b.$":"$.x"}"#, ""), [""; 0]);
    assert_eq!(
        taken("JSONPath", r#""Condition":"{% true %}""#, ""),
        [
            "SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONPath', but field 'Condition' is only supported for \
          the 'JSONata' QueryLanguage at /States/X/Choices[0]"
        ]
    );
    assert_eq!(
        taken("JSONata", r#""Variable":"$.a","NumericEquals":1"#, "").len(),
        2,
        "both fields belong to the other language"
    );
    assert_eq!(
        taken("JSONata", r#""Condition":"{% a = 1 %}","Output":{"v":["{% $states.result %}"]}"#, ""),
        [
            "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'a' at the top level is not supported. at \
             /States/X/Choices[0]/Condition",
            "UNSUPPORTED_JSONATA_EXPRESSION: Field '$states.result' does not exist. at \
             /States/X/Choices[0]/Output/v[0]"
        ]
    );
}

/// `$states.result` is there when a Task, Parallel or Map has succeeded, `$states.errorOutput` when one has failed.
#[test]
fn members_of_states_are_refused_where_they_are_not() {
    let catch = |fields: &str| format!("\"Catch\":[{{\"ErrorEquals\":[\"States.ALL\"],\"Next\":\"Z\",{fields}}}]");
    let mut table = String::new();
    for (name, base) in bases() {
        let base = if name == "Wait" { format!("{base},\"Seconds\":1") } else { base };
        for field in ["Arguments", "Output", "Assign", "ItemSelector", "Catch/Output", "Catch/Assign"] {
            let outcome = |member: &str| {
                let value = format!("{{\"v\":\"{{% $states.{member} %}}\"}}");
                let field = match field.split_once('/') {
                    Some((_, inner)) => catch(&format!("\"{inner}\":{value}")),
                    None => format!("\"{field}\":{value}"),
                };
                errors(&machine("JSONata", &format!("{base},{field}")))
            };
            if outcome("input").iter().any(|error| error.contains("is not supported") || error.contains("JSONPath")) {
                continue;
            }
            assert_eq!(outcome("input"), [""; 0], "{name} {field}");
            assert_eq!(outcome("context"), [""; 0], "{name} {field}");
            let has = |member: &str| match &outcome(member)[..] {
                [] => member.to_owned(),
                [error] => {
                    assert!(
                        error.contains(&format!("Field '$states.{member}' does not exist. at /States/X/")),
                        "{error}"
                    );
                    "-".to_owned()
                }
                more => panic!("{more:?}"),
            };
            let _ = writeln!(table, "{name:16}{field:14}{:8}{}", has("result"), has("errorOutput"));
        }
    }
    insta::assert_snapshot!(table, @r"
    Task            Arguments     -       -
    Task            Output        result  -
    Task            Assign        result  -
    Task            Catch/Output  -       errorOutput
    Task            Catch/Assign  -       errorOutput
    Pass            Output        -       -
    Pass            Assign        -       -
    Wait            Output        -       -
    Wait            Assign        -       -
    Succeed         Output        -       -
    Parallel        Arguments     -       -
    Parallel        Output        result  -
    Parallel        Assign        result  -
    Parallel        Catch/Output  -       errorOutput
    Parallel        Catch/Assign  -       errorOutput
    Map             Output        result  -
    Map             Assign        result  -
    Map             ItemSelector  -       -
    Map             Catch/Output  -       errorOutput
    Map             Catch/Assign  -       errorOutput
    Distributed Map Output        result  -
    Distributed Map Assign        result  -
    Distributed Map ItemSelector  -       -
    Distributed Map Catch/Output  -       errorOutput
    Distributed Map Catch/Assign  -       errorOutput
    ");
}

/// Where an expression stands, in AWS's words (measured: see jsonata.rs).
#[test]
fn places_of_expressions() {
    let at = |fields: &str| errors(&machine("JSONata", fields)).concat();
    let top = "UNSUPPORTED_JSONATA_EXPRESSION: Reference to 'phone' at the top level is not supported. at ";
    for (fields, place) in [
        (r#""Type":"Pass","End":true,"Output":{"a":{"b":["{% phone %}"]}}"#, "/States/X/Output/a/b[0]"),
        (r#""Type":"Pass","End":true,"Assign":{"Next":"{% phone %}"}"#, "/States/X/Assign/Next"),
        (r#""Type":"Wait","End":true,"Seconds":"{% phone %}""#, "/States/X/Seconds"),
        (r#""Type":"Wait","End":true,"Timestamp":"{% phone %}""#, "/States/X/Timestamp"),
        (r#""Type":"Fail","Cause":"{% phone %}""#, "/States/X/Cause"),
    ] {
        assert_eq!(at(fields), format!("{top}{place}"));
    }
    let inner = r#""StartAt":"I","States":{"I":{"Type":"Pass","Output":{"v":"{% phone %}"},"End":true}}"#;
    assert_eq!(
        at(&format!("\"Type\":\"Map\",\"End\":true,\"ItemProcessor\":{{{inner}}}")),
        format!("{top}/States/X/ItemProcessor/States/I/Output/v")
    );
    assert_eq!(
        at(&format!("\"Type\":\"Parallel\",\"End\":true,\"Branches\":[{{{inner}}}]")),
        format!("{top}/States/X/Branches[0]/States/I/Output/v")
    );
    assert_eq!(
        at(r#""Type":"Pass","End":true,"Output":{"v":"{% phone[1,2) %}"}"#),
        "INVALID_JSONATA_EXPRESSION: Expected \"]\", got \",\" at /States/X/Output/v"
    );
    // What is not evaluated keeps its delimiters as text.
    assert_eq!(at(r#""Type":"Pass","Comment":"{% phone %}","End":true,"Output":" {% phone %} ""#), "");
    let placeholders = CheckOptions { placeholders: true, ..CheckOptions::default() };
    let filled_later = machine("JSONata", r#""Type":"Pass","End":true,"Output":"{% ${what} %}""#);
    assert!(check(&filled_later, &placeholders).is_valid());
}

#[test]
fn a_branch_does_not_set_what_is_set_around_it() {
    let nested = |outer: &str, config: &str, inner: &str| {
        errors(&format!(
            "{{\"StartAt\":\"A\",\"States\":{{\"A\":{{\"Type\":\"Pass\",\"Assign\":{{{outer}}},\"Next\":\"M\"}},\
             \"M\":{{\"Type\":\"Map\",\"End\":true,\"ItemProcessor\":{{{config}\"StartAt\":\"I\",\"States\":{{\
             \"I\":{{\"Type\":\"Pass\",\"Assign\":{{{inner}}},\"End\":true}}}}}}}}}}}}"
        ))
    };
    let refused = "DUPLICATE_VARIABLE_NAME: The variable name 'x' was already defined in a parent scope. at \
                   /States/M/ItemProcessor/States/I/Assign";
    assert_eq!(nested(r#""x":1"#, "", r#""x.$":"$""#), [refused]);
    assert_eq!(nested(r#""x.$":"$.a""#, "", r#""x":1"#), [refused]);
    assert_eq!(nested(r#""x":1"#, "", r#""y.$":"$x""#), [""; 0]);
    let apart = r#""ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"#;
    assert_eq!(nested(r#""x":1"#, apart, r#""x":2"#), [""; 0], "a distributed Map sees no variables of the machine");
}

// What states come to.

struct Named(BTreeMap<&'static str, Payload>);

impl Variables for Named {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).map(Payload::value)
    }

    fn payload(&self, name: &str) -> Option<Payload> {
        self.0.get(name).cloned()
    }
}

fn state(language: &str, fields: &str) -> State {
    let definition = machine(language, fields);
    assert_eq!(errors(&definition), [""; 0], "{definition}");
    load(&definition).expect("it was checked").states.remove(0)
}

fn with_env<T>(body: impl FnOnce(&mut QueryEnv<'_>) -> T) -> T {
    let payload = |value: Value| Payload::from(value);
    let (input, result) =
        (payload(json!({"n": 2, "text": "t", "list": [1, 2]})), payload(json!({"Payload": {"ok": true}})));
    let error = payload(json!({"Error": "E", "Cause": "C"}));
    let context = json!({"State": {"Name": "X"}});
    let variables = Named([("a", payload(json!(41))), ("words", payload(json!(["x", "y"])))].into());
    let states = States { input: &input, result: Some(&result), error_output: Some(&error), context: &context };
    let scope = Scope { states: Some(states), variables: &variables, focus: None, now_ms: 0 };
    let mut draws = || 7;
    body(&mut QueryEnv { scope, draws: &mut draws, limits: Limits::default() })
}

fn told(made: Result<Payload, QueryError>) -> String {
    match made {
        Ok(payload) => payload.text().to_string(),
        Err(error) => {
            format!("{} [{}{}]", error.message, error.location, if error.value_refused { ", value" } else { "" })
        }
    }
}

#[test]
fn arguments_and_outputs() {
    let task = |fields: &str| {
        let resource = r#""Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f","Next":"Z""#;
        state("JSONata", &format!("{resource},{fields}"))
    };
    let arguments = |value: &str| {
        let Kind::Task(task) = task(&format!("\"Arguments\":{value}")).kind else { panic!("a Task") };
        with_env(|env| told(task.arguments.expect("Arguments").evaluate("Arguments", env)))
    };
    assert_eq!(
        arguments(
            r#"{"b":[null,0.5,"{% $a + 1 %}",{"deep":"{% $states.input.list %}"}],"text":"$a"," k":" {% $a %} "}"#
        ),
        r#"{"b":[null,0.5,42,{"deep":[1,2]}],"text":"$a"," k":" {% $a %} "}"#
    );
    assert_eq!(arguments(r#"{"fixed":[1,{"x":"y"}]}"#), r#"{"fixed":[1,{"x":"y"}]}"#);
    assert_eq!(
        arguments(r#"{"MessageBody":{"a":["{% $states.input.nothing %}"]}}"#),
        "The JSONata expression '$states.input.nothing' specified for the field 'Arguments/MessageBody/a[0]' returned \
         nothing (undefined). [Arguments/MessageBody/a[0]]"
    );
    let state = task(
        r#""Output":"{% $states.result.Payload %}","Assign":{"b":"{% $a %}","a":"{% $states.result.Payload.ok %}"},
        "Catch":[{"ErrorEquals":["A"],"Next":"Z"},
                 {"ErrorEquals":["States.ALL"],"Next":"Z","Output":{"v":"{% $states.errorOutput.Error %}"},
                  "Assign":{"e":"{% $states.errorOutput.No %}"}}]"#,
    );
    with_env(|env| {
        assert_eq!(told(state.output.as_ref().expect("Output").evaluate("Output", env)), r#"{"ok":true}"#);
        let assigned = state.assign.as_ref().expect("Assign").compute("Assign", env).expect("values");
        let assigned: Vec<_> = assigned.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        assert_eq!(assigned, ["b=41", "a=true"], "both see the values from before");
        let Kind::Task(task) = &state.kind else { panic!("a Task") };
        assert!(task.catch[0].output.is_none() && task.catch[0].assign.is_none());
        let caught = &task.catch[1];
        assert_eq!(told(caught.output.as_ref().expect("Output").evaluate("Catch[1]/Output", env)), r#"{"v":"E"}"#);
        let error = caught.assign.as_ref().expect("Assign").compute("Catch[1]/Assign", env).expect_err("undefined");
        assert_eq!(error.location, "Catch[1]/Assign/e");
        assert_eq!(
            error.cause("X", 2),
            "An error occurred while executing the state 'X' (entered at the event id #2). The JSONata expression \
             '$states.errorOutput.No' specified for the field 'Catch[1]/Assign/e' returned nothing (undefined)."
        );
    });
}

/// A payload that is only passed on is never copied.
#[test]
fn what_is_passed_on_is_a_pointer() {
    let state =
        state("JSONata", r#""Type":"Pass","Next":"Z","Output":"{% $states.input %}","Assign":{"w":"{% $words %}"}"#);
    with_env(|env| {
        let input = env.scope.states.expect("states").input.clone();
        assert!(state.output.as_ref().expect("Output").evaluate("Output", env).expect("the input").same(&input));
        let words = env.scope.variables.payload("words").expect("a variable");
        let assigned = state.assign.as_ref().expect("Assign").compute("Assign", env).expect("values");
        assert!(assigned[0].1.same(&words));
    });
}

#[test]
fn items_of_a_map() {
    let items = |value: &str| {
        let Kind::Map(map) =
            state("JSONata", &format!("\"Type\":\"Map\",{PROCESSOR},\"Next\":\"Z\",\"Items\":{value}")).kind
        else {
            panic!("a Map")
        };
        with_env(|env| told(map.items.expect("Items").items("Items", env)))
    };
    assert_eq!(items(r#"[1,"{% $a %}"]"#), "[1,41]");
    assert_eq!(items(r#""{% $words %}""#), r#"["x","y"]"#);
    assert_eq!(items(r#""{% [] %}""#), "[]");
    assert_eq!(items(r#""{% [0] %}""#), "[0]");
    for (value, was) in [
        ("true", "'boolean' for value: true"),
        ("1", "'number' for value: 1"),
        ("null", "'null' for value: null"),
        ("'string'", "'string' for value: \"string\""),
        ("{'foo': 'bar'}", "'object' for value: {\"foo\":\"bar\"}"),
    ] {
        assert_eq!(
            items(&format!("\"{{% {value} %}}\"")),
            format!(
                "The JSONata expression '{value}' specified for the field 'Items' returned an unexpected result type. \
                 Expected 'array', but was {was} [Items]"
            )
        );
    }
    assert_eq!(
        items(r#""{% $fn := function($x){$x} %}""#),
        "The JSONata expression '$fn := function($x){$x}' specified for the field 'Items' returned an unsupported \
         result type. [Items]"
    );
}

#[test]
fn choices_waits_and_fails() {
    let choice = |rules: &str| {
        let Kind::Choice(choice) =
            state("JSONata", &format!("\"Type\":\"Choice\",\"Choices\":[{rules}],\"Default\":\"Z\"")).kind
        else {
            panic!("a Choice")
        };
        with_env(|env| choice.compute(env)).map_err(|error| error.message)
    };
    let rule = |condition: &str| format!("{{\"Condition\":{condition},\"Next\":\"Z\"}}");
    assert_eq!(choice(&[rule("false"), rule(r#""{% $a = 41 %}""#), rule(r#""{% 1 %}""#)].join(",")), Ok(Some(1)));
    assert_eq!(choice(&rule(r#""{% $a = 1 %}""#)), Ok(None));
    assert_eq!(
        choice(&[rule("false"), rule(r#""{% $states.input.text %}""#)].join(",")).expect_err("no boolean"),
        "The JSONata expression '$states.input.text' specified for the field 'Choices[1]/Condition' returned an \
         unexpected result type. Expected 'boolean', but was 'string' for value: \"t\""
    );
    let wait = |fields: &str| {
        let Kind::Wait(wait) = state("JSONata", &format!("\"Type\":\"Wait\",\"Next\":\"Z\",{fields}")).kind else {
            panic!("a Wait")
        };
        with_env(|env| wait.compute(env)).map_err(|error| (error.message, error.value_refused))
    };
    assert_eq!(wait(r#""Seconds":5"#), Ok(WaitFor::Seconds(5)));
    assert_eq!(wait(r#""Seconds":"{% $states.input.n %}""#), Ok(WaitFor::Seconds(2)));
    assert!(matches!(wait(r#""Timestamp":"{% '2016-03-14T01:59:00.5Z' %}""#), Ok(WaitFor::Until(_))));
    // Recorded: here it is the value that is refused.
    for text in ["2016-13-05T21:29:29Z", "05-12-2016T21:29:29Z", "2016-12-05T25:29:29Z", "2016-12-05 21:29:29Z"] {
        let message = "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: ";
        assert_eq!(wait(&format!("\"Timestamp\":\"{{% '{text}' %}}\"")), Err((format!("{message}{text}"), true)));
    }
    assert_eq!(
        wait(r#""Seconds":"{% -1 %}""#),
        Err(("Expected non-negative integer for Seconds, got '-1' instead.".to_owned(), true))
    );
    let Kind::Fail(fail) = state("JSONata", r#""Type":"Fail","Error":"{% 'E' & $a %}","Cause":"plain""#).kind else {
        panic!("a Fail")
    };
    with_env(|env| {
        assert_eq!(&*fail.error.expect("Error").compute("Error", env).expect("a text"), "E41");
        assert_eq!(&*fail.cause.expect("Cause").compute("Cause", env).expect("a text"), "plain");
    });
}

#[test]
fn numbers_of_tasks_and_maps() {
    let fields = r#""MaxConcurrency":"{% $states.input.n %}","ToleratedFailureCount":"{% $words %}",
        "ToleratedFailurePercentage":"{% 100.5 %}","ItemSelector":{"v":"{% $states.context.State.Name %}"}"#;
    let Kind::Map(map) = state("JSONata", &format!("\"Type\":\"Map\",{PROCESSOR},\"Next\":\"Z\",{fields}")).kind else {
        panic!("a Map")
    };
    with_env(|env| {
        assert_eq!(map.max_concurrency.as_ref().map(|n| n.compute("MaxConcurrency", env)), Some(Ok(2.0)));
        let error = map.tolerated_failure_count.as_ref().expect("a count").compute("ToleratedFailureCount", env);
        assert_eq!(
            error.expect_err("an array").message,
            "The JSONata expression '$words' specified for the field 'ToleratedFailureCount' returned an unexpected \
             result type. Expected 'number', but was 'array' for value: [\"x\",\"y\"]"
        );
        let percentage = map.tolerated_failure_percentage.as_ref().expect("a percentage");
        assert!(percentage.compute("ToleratedFailurePercentage", env).is_err());
        assert!(map.item_selector.is_none());
        let selector = map.computed_item_selector.as_ref().expect("an ItemSelector");
        assert_eq!(told(selector.evaluate("ItemSelector", env)), r#"{"v":"X"}"#);
    });
}

#[test]
fn assign_in_jsonpath() {
    let state = state(
        "JSONPath",
        r#""Type":"Pass","Next":"Z","Assign":{"literal":{"x":"$.a"},"path.$":"$.n","in":{"deep.$":"States.Format('{}!', $.text)"}}"#,
    );
    let input = Payload::from(json!({"n": 2, "text": "t"}));
    let mut draws = || 7;
    let mut env = Env { input: &input, context: &Value::Null, variables: &NoVariables, draws: &mut draws };
    let assigned = state.assign.expect("Assign").evaluate(&mut env).expect("values");
    let assigned: Vec<_> = assigned.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    assert_eq!(assigned, [r#"literal={"x":"$.a"}"#, "path=2", r#"in={"deep":"t!"}"#]);
}

/// Recorded: `variableReferences` of DescribeStateMachine.
#[test]
fn variable_references() {
    let told = |definition: &str| {
        let references = load(definition).expect(definition).variable_references();
        let lines = references.iter().map(|(state, names)| {
            format!("{state}: {}", names.iter().map(|name| &**name).collect::<Vec<_>>().join(" "))
        });
        lines.collect::<Vec<_>>().join("; ")
    };
    for (definition, wanted) in [
        (
            r#"{"StartAt":"Setup","States":{"Setup":{"Type":"Pass","Assign":{"guess":"the_guess","answer":"the_answer"},
            "Next":"CheckAnswer"},"CheckAnswer":{"Type":"Choice","Choices":[{"Variable":"$guess","StringEqualsPath":
            "$answer","Next":"CorrectAnswer"}],"Default":"WrongAnswer"},"CorrectAnswer":{"Type":"Pass","Result":
            {"state":"CORRECT"},"End":true},"WrongAnswer":{"Type":"Pass","Assign":{"guess.$":"$answer"},"Result":
            {"state":"WRONG"},"Next":"CheckAnswer"}}}"#,
            "CheckAnswer: answer guess; WrongAnswer: answer",
        ),
        (
            r#"{"StartAt":"State1","States":{"State1":{"Type":"Pass","InputPath":"$answer","ResultPath":"$.theAnswer",
            "OutputPath":"$answer","Assign":{"answer":""},"End":true}}}"#,
            "State1: answer",
        ),
        (
            r#"{"StartAt":"Fail","States":{"Fail":{"Type":"Fail","CausePath":"$causeVar","ErrorPath":"$errorVar"}}}"#,
            "Fail: causeVar errorVar",
        ),
        (
            r#"{"StartAt":"S","States":{"S":{"Type":"Pass","Assign":{
            "Sum.$":"States.MathAdd(States.MathAdd(States.MathAdd($yCurrent, $xCurrent), $zCurrent), $bias)"},
            "End":true}}}"#,
            "S: bias xCurrent yCurrent zCurrent",
        ),
        (
            r#"{"StartAt":"M","States":{"M":{"Type":"Map","MaxConcurrencyPath":"$most","ItemSelector":{"x.$":
            "States.Format($template, $$.Map.Item.Value)"},"ItemProcessor":{"StartAt":"P","States":{"P":{"Type":"Pass",
            "Parameters":{"q.$":"$Question","r":"$static"},"End":true}}},"End":true}}}"#,
            "M: most template; P: Question",
        ),
        (r#"{"StartAt":"W","States":{"W":{"Type":"Wait","SecondsPath":"$waitTime","End":true}}}"#, "W: waitTime"),
        (
            r#"{"QueryLanguage":"JSONata","StartAt":"T","States":{"T":{"Type":"Task","Resource":"r","TimeoutSeconds":
            "{% $limit %}","Arguments":{"a":["{% $a & $sum($b) %}"]},"Output":"{% ($x := 1; $x + $c) %}","Catch":[
            {"ErrorEquals":["States.ALL"],"Next":"T","Assign":{"e":"{% $d %}"}}],"End":true}}}"#,
            "T: a b c d limit",
        ),
        (r#"{"StartAt":"P","States":{"P":{"Type":"Pass","Assign":{"x":1},"End":true}}}"#, ""),
    ] {
        assert_eq!(told(definition), wanted);
    }
}
