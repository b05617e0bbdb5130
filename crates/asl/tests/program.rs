//! What a right definition becomes.

use asl::*;

fn program(definition: &str) -> Program {
    let checked = check(definition, &CheckOptions::default());
    assert_eq!(checked.diagnostics, [], "{definition}");
    checked.program.expect("a program")
}

/// A machine whose first state leads to `Z`.
fn first(fields: &str) -> State {
    let mut program =
        program(&format!("{{\"StartAt\":\"A\",\"States\":{{\"A\":{{{fields}}},\"Z\":{{\"Type\":\"Succeed\"}}}}}}"));
    program.states.remove(0)
}

/// Numbers follow the text, so that a log may name a state by its number.
#[test]
fn states_are_numbered_as_they_are_written() {
    let definition = r#"{
        "StartAt": "Last",
        "States": {
            "Both": {
                "Type": "Parallel",
                "Branches": [
                    {"StartAt": "L2", "States": {"L1": {"Type": "Pass", "End": true}, "L2": {"Type": "Pass", "Next": "L1"}}},
                    {"StartAt": "Each", "States": {"Each": {"Type": "Map", "End": true, "Iterator": {
                        "StartAt": "One", "States": {"One": {"Type": "Pass", "End": true}}}}}}
                ],
                "Next": "Done"
            },
            "Done": {"Type": "Succeed"},
            "Last": {"Type": "Pass", "Next": "Both"}
        }
    }"#;
    let program = program(definition);
    let names: Vec<&str> = program.states.iter().map(|state| &*state.name).collect();
    assert_eq!(names, ["Both", "L1", "L2", "Each", "One", "Done", "Last"]);
    let scopes: Vec<_> = program
        .scopes
        .iter()
        .map(|scope| {
            (scope.owner.map(|id| id.0), scope.start_at.0, scope.states.iter().map(|id| id.0).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(
        scopes,
        [(None, 6, vec![0, 5, 6]), (Some(0), 2, vec![1, 2]), (Some(0), 3, vec![3]), (Some(3), 4, vec![4]),]
    );
    assert_eq!(program.state(StateId(2)).next, Transition::Next(StateId(1)));
    assert_eq!(program.state(StateId(4)).scope, ScopeId(3));
    let Kind::Parallel(both) = &program.state(StateId(0)).kind else { panic!("Both is a Parallel") };
    assert_eq!(both.branches, [ScopeId(1), ScopeId(2)]);
    assert_eq!(load(definition).expect("it was checked").states.len(), program.states.len());
}

#[test]
fn a_task_is_compiled_whole() {
    let state = first(
        r#""Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Next":"Z",
        "InputPath":"$.order","OutputPath":null,"ResultPath":"$.sent",
        "Parameters":{"QueueUrl":"q","MessageBody":{"token.$":"$$.Task.Token","fixed":[1,2]}},
        "ResultSelector":{"id.$":"States.Format('{}', $.MessageId)"},
        "TimeoutSecondsPath":"$.limit","HeartbeatSeconds":30,
        "Retry":[{"ErrorEquals":["A","B"],"MaxDelaySeconds":5,"JitterStrategy":"FULL"},
                 {"ErrorEquals":["States.ALL"],"IntervalSeconds":2,"MaxAttempts":0,"BackoffRate":1.5}],
        "Catch":[{"ErrorEquals":["States.ALL"],"Next":"Z","ResultPath":null}]"#,
    );
    assert!(matches!(&state.input_path, Selection::Path(path) if &*path.text == "$.order"));
    assert!(matches!(state.output_path, Selection::Empty));
    let Kind::Task(task) = state.kind else { panic!("a Task") };
    assert_eq!(
        task.resource.target,
        Target::Integration {
            service: "sqs".into(),
            action: "sendMessage.waitForTaskToken".into(),
            pattern: Pattern::WaitForTaskToken
        }
    );
    let Some(Template::Object(parameters)) = &task.parameters else { panic!("an object") };
    assert!(
        matches!(&parameters[0], (name, Template::Literal(url)) if &**name == "QueueUrl" && &**url.text() == "\"q\"")
    );
    let Template::Object(body) = &parameters[1].1 else { panic!("an object") };
    assert!(matches!(&body[0], (name, Template::Dynamic { field, .. }) if &**name == "token" && &**field == "token.$"));
    assert!(matches!(&body[1].1, Template::Literal(list) if &**list.text() == "[1,2]"));
    assert!(matches!(&task.result_path, ResultPath::At(path) if path.as_str() == "$.sent"));
    assert!(matches!(&task.timeout_seconds, Some(Amount::Path(path)) if &*path.text == "$.limit"));
    assert!(matches!(task.heartbeat_seconds, Some(Amount::Literal(30.0))));
    let retry: Vec<_> = task
        .retry
        .iter()
        .map(|r| (r.interval_seconds, r.max_attempts, r.backoff_rate, r.max_delay_seconds, r.full_jitter))
        .collect();
    assert_eq!(retry, [(1, 3, 2.0, Some(5), true), (2, 0, 1.5, None, false)]);
    assert!(matches!(task.catch[..], [Catcher { next: StateId(1), result_path: ResultPath::Discard, .. }]));
}

#[test]
fn the_other_states_are_compiled() {
    let Kind::Pass(pass) = first(r#""Type":"Pass","Next":"Z","Result":{"b":1,"a":2},"ResultPath":"$""#).kind else {
        panic!("a Pass")
    };
    assert_eq!(&**pass.result.expect("a result").text(), r#"{"b":1,"a":2}"#);
    assert!(matches!(pass.result_path, ResultPath::Replace));

    let wait = |field: &str| match first(&format!("\"Type\":\"Wait\",\"Next\":\"Z\",{field}")).kind {
        Kind::Wait(wait) => wait,
        _ => panic!("a Wait"),
    };
    assert!(matches!(wait("\"Seconds\":0"), Wait::Seconds(0)));
    assert!(matches!(wait("\"SecondsPath\":\"$.s\""), Wait::SecondsPath(_)));
    assert!(matches!(wait("\"Timestamp\":\"2016-03-14T01:59:00Z\""), Wait::Timestamp(at) if at.ends_with("00Z")));
    assert!(matches!(wait("\"TimestampPath\":\"$.t\""), Wait::TimestampPath(_)));

    let choice = first(
        r#""Type":"Choice","Default":"Z","Choices":[
            {"Not":{"Or":[{"Variable":"$.a","NumericLessThanPath":"$.b"},{"Variable":"$$.State.Name","IsNull":false}]},
             "Next":"Z","Comment":"why"},
            {"Variable":"$.s","StringMatches":"a*","Next":"A"}]"#,
    );
    let Kind::Choice(choice) = choice.kind else { panic!("a Choice") };
    let Condition::Not(inner) = &choice.rules[0].condition else { panic!("a Not") };
    let Condition::Or(any) = &**inner else { panic!("an Or") };
    assert!(matches!(
        &any[0],
        Condition::Compare { comparison: Comparison::Numeric(Order::LessThan), operand: Operand::Path(_), .. }
    ));
    assert!(matches!(&any[1], Condition::Is { test: TypeTest::IsNull, expected: false, .. }));
    assert_eq!((choice.rules[1].next, choice.default), (StateId(0), Some(StateId(1))));

    let machine = program(
        r#"{"StartAt":"F","TimeoutSeconds":9,"States":{"F":{"Type":"Fail","Error":"E","CausePath":"States.Format('{}',$.c)"}}}"#,
    );
    assert_eq!(machine.timeout_seconds, Some(9));
    let Kind::Fail(fail) = &machine.states[0].kind else { panic!("a Fail") };
    assert!(
        matches!(fail.error, Some(Text::Literal(_)))
            && matches!(fail.cause, Some(Text::Dynamic(Dynamic::Intrinsic(_))))
    );
}

#[test]
fn a_distributed_map_keeps_its_configuration() {
    let state = first(
        r#""Type":"Map","Next":"Z","Label":"L","MaxConcurrency":7,"ToleratedFailurePercentagePath":"$.p",
        "ItemReader":{"Resource":"arn:aws:states:::s3:getObject","Parameters":{"Bucket":"b","Key.$":"$.k"},
            "ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW","MaxItems":3}},
        "ItemBatcher":{"MaxItemsPerBatchPath":"$.n","BatchInput":{"x.$":"$.x"}},
        "ItemSelector":{"v.$":"$$.Map.Item.Value"},
        "ResultWriter":{"WriterConfig":{"OutputType":"JSON","Transformation":"NONE"}},
        "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},
            "StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}"#,
    );
    let Kind::Map(map) = state.kind else { panic!("a Map") };
    assert_eq!((map.mode, map.label.as_deref()), (MapMode::Distributed { express: true }, Some("L")));
    assert!(matches!(map.max_concurrency, Some(Amount::Literal(7.0))));
    assert!(map.tolerated_failure_percentage.is_some() && map.item_selector.is_some());
    let reader = map.distribution.item_reader.expect("a reader");
    assert!(matches!(reader.max_items, Some(Amount::Literal(3.0))) && reader.parameters.is_some());
    assert!(map.distribution.item_batcher.expect("a batcher").max_items_per_batch.is_some());
    assert!(map.distribution.result_writer.expect("a writer").config.is_some());
}

/// A stored definition is not judged again: what is refused today may have been taken once.
#[test]
fn loading_does_not_judge() {
    let old = r#"{"StartAt":"A","Unknown":1,"States":{"A":{"Type":"Task","Resource":"lambda","End":true,"End":true},
        "Unreachable":{"Type":"Succeed"}}}"#;
    assert!(!check(old, &CheckOptions::default()).is_valid());
    let program = load(old).expect("it loads");
    let Kind::Task(task) = &program.states[0].kind else { panic!("a Task") };
    assert_eq!(task.resource.target, Target::Unknown);
    assert!(load("{").is_err());
    assert!(load("").is_err());
    assert_eq!(
        load(r#"{"StartAt":"B","States":{"A":{"Type":"Succeed"}}}"#).expect_err("no B").to_string(),
        "the definition is broken at 'StartAt': there is no state 'B'"
    );
}
