//! Every operator of the Choice state: AWS's recorded answers, and what the documents add.

use asl::eval::{Env, NoVariables};
use asl::{Choice, ChoiceRule, Comparison, Condition, Operand, Order, Path, Payload, StateId, TypeTest};
use serde_json::{Value, json};

/// A rule's operator as a definition writes it.
fn condition(variable: &str, operator: &str, operand: &Value) -> Condition {
    let variable = Path::parse(variable).expect("a path");
    let expected = operand == &json!(true);
    let test = match operator {
        "IsNull" => Some(TypeTest::IsNull),
        "IsPresent" => Some(TypeTest::IsPresent),
        "IsNumeric" => Some(TypeTest::IsNumeric),
        "IsString" => Some(TypeTest::IsString),
        "IsBoolean" => Some(TypeTest::IsBoolean),
        "IsTimestamp" => Some(TypeTest::IsTimestamp),
        _ => None,
    };
    if let Some(test) = test {
        return Condition::Is { variable, test, expected };
    }
    let (operator, operand) = match operator.strip_suffix("Path") {
        Some(operator) => (operator, Operand::Path(Path::parse(operand.as_str().expect("a path")).expect("a path"))),
        None => (operator, Operand::Literal(operand.clone())),
    };
    let order = |rest: &str| match rest {
        "Equals" => Order::Equals,
        "LessThan" => Order::LessThan,
        "GreaterThan" => Order::GreaterThan,
        "LessThanEquals" => Order::LessThanEquals,
        "GreaterThanEquals" => Order::GreaterThanEquals,
        other => panic!("no order: {other}"),
    };
    let comparison = match operator {
        "StringMatches" => Comparison::StringMatches,
        "BooleanEquals" => Comparison::BooleanEquals,
        _ => match operator.split_at(operator.find(['E', 'L', 'G']).expect("an order")) {
            ("String", rest) => Comparison::String(order(rest)),
            ("Numeric", rest) => Comparison::Numeric(order(rest)),
            ("Timestamp", rest) => Comparison::Timestamp(order(rest)),
            (kind, _) => panic!("no kind: {kind}"),
        },
    };
    Condition::Compare { variable, comparison, operand }
}

fn with_env<T>(input: &Value, body: impl FnOnce(&Env<'_>) -> T) -> T {
    let input = Payload::from(input.clone());
    let context = json!({"State": {"Name": "Check"}});
    let mut draws = || 0;
    body(&Env { input: &input, context: &context, variables: &NoVariables, draws: &mut draws })
}

fn holds(input: &Value, condition: &Condition) -> bool {
    with_env(input, |env| condition.holds(env)).expect("no error")
}

/// `$.v` is compared with the operand; both orders of a `…Path` find theirs at `$.w`.
fn check(operator: &str, lines: &[(Value, Value, bool)]) {
    for (variable, operand, wanted) in lines {
        let input = json!({"v": variable, "w": operand});
        assert_eq!(holds(&input, &condition("$.v", operator, operand)), *wanted, "{variable} {operator} {operand}");
        if !operator.starts_with("Is") && operator != "StringMatches" {
            let by_path = condition("$.v", &format!("{operator}Path"), &json!("$.w"));
            assert_eq!(holds(&input, &by_path), *wanted, "{variable} {operator}Path {operand}");
        }
    }
}

/// One value of each kind, as the recordings have them.
fn kinds() -> Vec<Value> {
    vec![
        json!(null),
        json!(0),
        json!(0.0),
        json!(1.1),
        json!(""),
        json!(" "),
        json!("HelloWorld"),
        json!("2012-10-09T19:00:55"),
        json!("2012-10-09T19:00:55Z"),
        json!("2012-10-09T19:00:55+01:00"),
        json!("2023-02-24"),
        json!([]),
        json!([""]),
        json!({}),
        json!({"A": 0}),
        json!(true),
        json!(false),
    ]
}

#[test]
fn type_tests() {
    type Says = fn(&Value) -> bool;
    let says: [(&str, Says); 6] = [
        ("IsNull", Value::is_null),
        ("IsPresent", |_| true),
        ("IsNumeric", Value::is_number),
        ("IsString", Value::is_string),
        ("IsBoolean", Value::is_boolean),
        ("IsTimestamp", |v| v.as_str().is_some_and(|t| t.ends_with("55Z") || t.ends_with("+01:00"))),
    ];
    for (operator, says) in says {
        for value in kinds() {
            let yes = says(&value);
            check(operator, &[(value.clone(), json!(true), yes), (value, json!(false), !yes)]);
        }
    }
}

#[test]
fn booleans() {
    for value in kinds() {
        let (yes, no) = (value == json!(true), value == json!(false));
        check("BooleanEquals", &[(value.clone(), json!(true), yes), (value, json!(false), no)]);
    }
}

#[test]
fn strings() {
    for value in kinds() {
        let same = value == json!("HelloWorld");
        check("StringEquals", &[(value, json!("HelloWorld"), same)]);
    }
    check(
        "StringEquals",
        &[
            (json!("Hello"), json!("Hello"), true),
            (json!(" "), json!("     "), false),
            (json!("\t\n"), json!("\t\r\n"), false),
        ],
    );
    check("StringLessThan", &[(json!("A"), json!("AB"), true), (json!(""), json!(""), false)]);
    check(
        "StringGreaterThan",
        &[(json!("A"), json!("A "), false), (json!("AB"), json!("ABC"), false), (json!("b"), json!("B"), true)],
    );
    check("StringLessThanEquals", &[(json!(""), json!(""), true), (json!("AB"), json!("A"), false)]);
    check(
        "StringGreaterThanEquals",
        &[(json!(""), json!(""), true), (json!("AB"), json!("A"), true), (json!("A"), json!("AB"), false)],
    );
    check(
        "StringMatches",
        &[
            (json!("log-1.txt"), json!("log-*.txt"), true),
            (json!("log-1.csv"), json!("log-*.txt"), false),
            (json!("a*b"), json!(r"a\*b"), true),
            (json!(123), json!("123"), false),
        ],
    );
}

#[test]
fn numbers() {
    for value in kinds() {
        let zero = value.as_f64() == Some(0.0);
        check("NumericEquals", &[(value, json!(0), zero)]);
    }
    check(
        "NumericEquals",
        &[
            (json!(1), json!(1.0), true),
            (json!(2.22), json!(2.22), true),
            (json!("1"), json!(1), false),
            (json!(9007199254740993i64), json!(9007199254740992i64), false),
            (json!(u64::MAX), json!(-1), false),
        ],
    );
    check("NumericGreaterThan", &[(json!(1), json!(0), true), (json!(0.0), json!(0), false)]);
    check("NumericGreaterThanEquals", &[(json!(0.0), json!(0), true), (json!(0), json!(1), false)]);
    check("NumericLessThan", &[(json!(0), json!(1), true), (json!(1), json!(1), false)]);
    check("NumericLessThanEquals", &[(json!(1), json!(1), true), (json!(1), json!(0), false)]);
}

#[test]
fn timestamps_are_instants() {
    let (early, late) = (json!("2012-10-09T19:00:55Z"), json!("2012-10-09T19:00:56Z"));
    check(
        "TimestampEquals",
        &[
            (early.clone(), early.clone(), true),
            (early.clone(), late.clone(), false),
            (json!("2025-01-01T07:00:00.000-05:00"), json!("2025-01-01T12:00:00Z"), true),
            (json!("2012-10-09T19:00:55"), early.clone(), false),
            (json!("2012-10-09"), early.clone(), false),
            (early.clone(), json!("not-a-timestamp"), false),
            (json!(1349809255), early.clone(), false),
        ],
    );
    check("TimestampLessThan", &[(early.clone(), late.clone(), true), (early.clone(), early.clone(), false)]);
    check("TimestampGreaterThan", &[(late.clone(), early.clone(), true), (early.clone(), late.clone(), false)]);
    check(
        "TimestampLessThanEquals",
        &[(json!("2012-10-09T19:00:55.000000001Z"), json!("2012-10-09T19:00:55.000000002Z"), true)],
    );
    check("TimestampGreaterThanEquals", &[(late, early.clone(), true), (early.clone(), early, true)]);
}

#[test]
fn a_path_that_finds_nothing_is_an_error_except_for_is_present() {
    let input = json!({"left": 7, "items": [1]});
    let message = |variable: &str, operator: &str, operand: Value| {
        with_env(&input, |env| condition(variable, operator, &operand).holds(env)).expect_err("an error").message
    };
    let invalid =
        |path: &str| format!("Invalid path '{path}': The choice state's condition path references an invalid value.");
    for operator in ["IsNull", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp"] {
        assert_eq!(message("$.missing", operator, json!(true)), invalid("$.missing"), "{operator}");
    }
    assert_eq!(message("$.jobs[0].done", "BooleanEquals", json!(true)), invalid("$.jobs[0].done"));
    assert_eq!(message("$.left", "NumericEqualsPath", json!("$.right")), invalid("$.right"));
    assert_eq!(message("$$.Task.Token", "StringEquals", json!("x")), invalid("$$.Task.Token"));

    let present = |path: &str| holds(&input, &condition(path, "IsPresent", &json!(true)));
    assert!(present("$.left"));
    assert!(present("$$.State.Name"));
    assert!(present("$.items[*]"));
    assert!(!present("$.missing"));
    assert!(!present("$.items[1]"));
    assert!(!present("$.items[*].x"));
    assert!(holds(&input, &condition("$.missing.deeper", "IsPresent", &json!(false))));
}

#[test]
fn the_first_rule_that_holds_decides() {
    let equals = |path: &str| condition(path, "NumericEquals", &json!(1));
    let guarded = || Condition::And(vec![condition("$.b", "IsPresent", &json!(true)), equals("$.b")]);
    let either = || Condition::Or(vec![equals("$.a"), equals("$.missing")]);
    let rule = |condition, next| ChoiceRule { condition, next: StateId(next), assign: None, output: None };
    let choice = |default| Choice { rules: vec![rule(guarded(), 1), rule(either(), 2)], default };
    let decide = |choice: &Choice, input: Value| with_env(&input, |env| choice.decide(env));

    assert_eq!(decide(&choice(None), json!({"a": 1})), Ok(Some(StateId(2))));
    assert_eq!(decide(&choice(None), json!({"a": 1, "b": 1})), Ok(Some(StateId(1))));
    assert_eq!(decide(&choice(Some(StateId(9))), json!({"a": 2, "missing": 0})), Ok(Some(StateId(9))));
    assert_eq!(decide(&choice(None), json!({"a": 2, "missing": 0})), Ok(None));
    assert!(decide(&choice(Some(StateId(9))), json!({"a": 2})).is_err(), "a default does not hide a broken path");
    assert!(holds(&json!({"a": 2}), &Condition::Not(Box::new(equals("$.a")))));

    let error = asl::eval::EvalError::no_choice_matched();
    assert_eq!(error.error, "States.Runtime");
    assert_eq!(error.message, "Failed to transition out of the state. The state does not point to a next state.");
}
