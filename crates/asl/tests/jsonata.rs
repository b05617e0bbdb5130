//! What AWS was measured to do with JSONata: every expectation here is an answer of AWS, from the recorded cases or
//! from measurements published at <https://github.com/floci-io/floci> (issues 2670, 2736, 2737, 2745; requests 2676,
//! 2689, 2783).

use std::collections::HashMap;

use asl::Payload;
use asl::eval::{Draws, NoVariables, Variables};
use asl::jsonata::{Expression, Failure, Gate, Limits, Scope, States};
use serde_json::{Value, json};

/// 2026-08-30T12:00:00Z.
const NOW_MS: i64 = 1_788_091_200_000;

struct Drawn(u128);

impl Draws for Drawn {
    fn next(&mut self) -> u128 {
        self.0 += 1;
        self.0 << 64 | 0x1234_5678_9abc
    }
}

struct Named(HashMap<String, Payload>);

impl Variables for Named {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).map(Payload::value)
    }

    fn payload(&self, name: &str) -> Option<Payload> {
        self.0.get(name).cloned()
    }
}

fn compile(text: &str) -> Expression {
    Expression::compile(text, Gate::Aws).unwrap_or_else(|refused| panic!("{text}: {refused:?}"))
}

fn evaluate_with(text: &str, input: &Payload, variables: &dyn Variables) -> Result<Option<Payload>, Failure> {
    let context = json!({"Execution": {"Name": "run"}, "State": {"Name": "S"}});
    let states = States { input, result: None, error_output: None, context: &context };
    let scope = Scope { states: Some(states), variables, focus: None, now_ms: NOW_MS };
    compile(text).evaluate(&scope, &mut Drawn(0), &Limits::default())
}

/// The value as text, or AWS's words.
fn told(text: &str, input: &str) -> String {
    let input = Payload::parse(input).expect("input");
    match evaluate_with(text, &input, &NoVariables) {
        Ok(Some(payload)) => payload.text().to_string(),
        Ok(None) => "undefined".to_owned(),
        Err(failure) => failure.to_string(),
    }
}

fn check(cases: &[(&str, &str)]) {
    let mut wrong = String::new();
    for (text, wanted) in cases {
        let found = told(text, r#"{"n":5,"items":[{"v":1},{"v":4}],"bar":null,"big":9223372036854775807,"one":1.0}"#);
        if found != *wanted {
            wrong.push_str(&format!("{text}\n  wanted {wanted}\n  found  {found}\n"));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn added_functions() {
    check(&[
        ("$partition([1,2,3,4,5], 2)", "[[1,2],[3,4],[5]]"),
        ("$partition([1,2,3])", "[[1,2,3]]"),
        ("$partition([1,2,3,4,5], 2.9)", "[[1,2],[3,4],[5]]"),
        ("$partition([], 2)", "undefined"),
        ("$partition([1,2,3], 0)", "undefined"),
        ("$partition([1,2,3,4], -0.5)", "undefined"),
        ("$partition([1,2,3], -1)", "D3137: Second argument must be zero or greater"),
        ("$partition(null, 2)", "T0412: Argument 1 of function \"partition\" must be an array of undefined"),
        ("$partition([1], 2, 'x')", "T0410: Argument 3 of function \"partition\" does not match function signature"),
        ("$range(0, 10, 2)", "[0,2,4,6,8,10]"),
        ("$range(10, 0, -2)", "[10,8,6,4,2,0]"),
        ("$range(1.7, 5, 1)", "[1,2,3,4,5]"),
        ("$range(-1.7, 2, 1)", "[-1,0,1,2]"),
        ("$range(-2.9, 0, 1)", "[-2,-1,0]"),
        ("$range(5, 1, -1.5)", "[5,4,3,2,1]"),
        ("$range(0, 10, 3)", "[0,3,6,9]"),
        // One number is no array (recorded).
        ("$range(1, 9, 9)", "1"),
        ("$range(3, 3, 1)", "3"),
        ("$range(5, 1, 1)", "undefined"),
        ("$range(1, 5, 0)", "undefined"),
        ("$range(1, 5)", "undefined"),
        ("$range(1)", "T0410: Argument 2 of function \"range\" does not match function signature"),
        ("$range(1, 5, 1, 'x')", "T0410: Argument 4 of function \"range\" does not match function signature"),
        ("$count($range(-9223372036854775808, 9223372036854775807, 9223372036854775807))", "3"),
        ("$count($range(1, 360145, 1))", "360145"),
        ("$range(1, 360146, 1)", "Expression evaluation memory limit exceeded: Check for excessive memory usage"),
        ("$hash('Hello', 'MD5')", "\"8b1a9953c4611296a827abf8c47804d7\""),
        ("$hash('Hello', 'SHA-1')", "\"f7ff9e8b7bb2e09b70935a5d785e0cc5d9d0abf0\""),
        ("$hash('Hello', 'SHA-256')", "\"185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969\""),
        (
            "$hash('Hello', 'SHA-384')",
            "\"3519fe5ad2c596efe3e276a6f351b8fc0b03db861782490d45f7598ebd0ab5fd5520ed102f38c4a5ec834e98668035fc\"",
        ),
        (
            "$hash('Hello', 'SHA-512')",
            "\"3615f80c9d293ed7402687f94b22d58e529b8cc7916f8fac7fddf7fbd5af4cf777d3d795a7a00a16bf7e7f3fb9561ee9baae480da9\
             fe7a18769e71886b03f315\"",
        ),
        ("$hash('ñ', 'MD5')", "\"94e9342ecbb1458b6043ecd3bfcbc192\""),
        ("$hash('Hello', 'md5')", "D3137: Hash algorithm 'md5' must be one of SHA-1, SHA-384, SHA-256, SHA-512, MD5"),
        ("$hash('Hello')", "undefined"),
        ("$hash(42, 'MD5')", "T0410: Argument 1 of function \"hash\" does not match function signature"),
        ("$hash('a', 5)", "T0410: Argument 2 of function \"hash\" does not match function signature"),
        ("$random(42)", "0.7275636800328681"),
        ("$random(0)", "0.730967787376657"),
        ("$random(0.9)", "0.730967787376657"),
        ("$random() = $random()", "false"),
        ("$random(1, 2)", "T0410: Argument 2 of function \"random\" does not match function signature"),
        ("$uuid() = $uuid()", "false"),
        ("$length($uuid())", "36"),
        ("$contains($uuid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)", "true"),
        ("$uuid('seed')", "T0410: Argument 1 of function \"uuid\" does not match function signature"),
        ("$parse('{\"a\":1,\"b\":[1,2,3]}')", "{\"a\":1,\"b\":[1,2,3]}"),
        ("$parse('{\"b\":1,\"a\":2}')", "{\"b\":1,\"a\":2}"),
        ("$parse('{\"joinable\": true}').joinable", "true"),
        ("$exists($parse('null'))", "true"),
        ("$parse()", "undefined"),
        ("$parse('1.0')", "1"),
        ("$parse('1e2')", "100"),
        ("$parse('1.5')", "1.5"),
        ("$parse(null)", "T0410: Argument 1 of function \"parse\" does not match function signature"),
        ("$parse('{}', 'x')", "T0410: Argument 2 of function \"parse\" does not match function signature"),
        ("$parse('not valid json')", "D3137: Invalid JSON"),
        ("$parse('')", "D3137: Invalid JSON"),
        ("$parse('  ')", "D3137: Invalid JSON"),
        ("$parse('{\"a\":1}{\"b\":2}')", "D3137: Invalid JSON"),
        ("$parse('{\"a\":1,\"a\":2}')", "D3137: Invalid JSON"),
        ("$parse('1e400')", "D3137: Invalid JSON"),
        ("$map(['{\"a\":1}', '{\"a\":2}'], $parse).a", "[1,2]"),
    ]);
}

#[test]
fn what_aws_takes_away() {
    check(&[
        ("$eval('1+1')", "T1006: Attempted to invoke a non-function"),
        ("$randomSeeded(1)", "T1006: Attempted to invoke a non-function"),
    ]);
}

#[test]
fn errors_of_the_language() {
    check(&[
        ("$split('a','b',-1)", "D3020: Third argument of split function must evaluate to a positive number"),
        ("$each('x', function($v){$v})", "T0410: Argument 1 of function \"each\" does not match function signature"),
        ("$sum(['a'])", "T0412: Argument 1 of function \"sum\" must be an array of \"numbers\""),
        (
            "$reduce([1,2], function($a){$a})",
            "D3050: The second argument of reduce function must be a function with at least two arguments",
        ),
        (
            "$single([1,2], function($x){true})",
            "D3138: The $single() function expected exactly 1 matching result.  Instead it matched more.",
        ),
        ("$sqrt(-1)", "D3060: The sqrt function cannot be applied to a negative number: -1"),
        ("1 + {}", "T2002: The right side of the \"+\" operator must evaluate to a number"),
        ("$abs('x')", "T0410: Argument 1 of function \"abs\" does not match function signature"),
        (
            "$formatNumber(1, 'x')",
            "D3086: The sub-picture must not contain a passive character that is preceded by an active character and \
             that is followed by another active character",
        ),
    ]);
}

#[test]
fn numbers() {
    check(&[
        ("$states.input.one", "1"),
        ("$states.input.big", "9223372036854775807"),
        ("$states.input.bar", "null"),
        ("$exists($states.input.bar)", "true"),
        ("$string(1e20)", "\"100000000000000000000\""),
        ("$string(1e21)", "\"1e+21\""),
        ("$string(1/3)", "\"0.333333333333333\""),
        ("$string(1e-7)", "\"1e-7\""),
        ("$parseInteger('abc', '0')", "\"NaN\""),
        ("0/0", "\"NaN\""),
        ("1e3", "1000"),
    ]);
}

#[test]
fn depth_is_measured_as_aws_measures_it() {
    let overflow = "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as \
                    tail-recursive";
    let recursion = |n: u32| format!("($f := function($x){{ $x <= 0 ? 0 : 1 + $f($x-1) }}; $f({n}))");
    let sum = |terms: usize| format!("1{}", "+1".repeat(terms - 1));
    let within = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    let chain = |n: usize| format!("1{}", "~>$string".repeat(n));
    for (text, wanted) in [
        (sum(100), "100"),
        (sum(101), overflow),
        (within("(", ")", 99), "1"),
        (within("(", ")", 100), overflow),
        (within("[", "]", 100), overflow),
        (chain(99), "\"1\""),
        (chain(100), overflow),
        (recursion(31), "31"),
        (recursion(32), overflow),
    ] {
        assert_eq!(told(&text, "{}"), wanted, "{text}");
    }
    assert!(told(&within("[", "]", 99), "{}").starts_with("[[["));
}

#[test]
fn sizes_end_where_aws_ends_them() {
    let memory = "Expression evaluation memory limit exceeded: Check for excessive memory usage";
    let doubled =
        |n: u32| format!("($f := function($s, $n){{ $n = 0 ? $s : $f($s & $s, $n - 1) }}; $length($f('x', {n})))");
    for (text, wanted) in [
        ("[1..873782] ~> $count()".to_owned(), "873782"),
        ("[1..873783] ~> $count()".to_owned(), memory),
        ("$sum([1..900000])".to_owned(), memory),
        ("$sum($map([1..200000], function($v){$v * 2}))".to_owned(), "40000200000"),
        (doubled(22), "4194304"),
        (doubled(23), memory),
    ] {
        assert_eq!(told(&text, "{}"), wanted, "{text}");
    }
}

#[test]
fn what_is_refused_at_creation() {
    let refused = |text: &str| match Expression::compile(text, Gate::Aws) {
        Ok(_) => "accepted".to_owned(),
        Err(refusals) => refusals.iter().map(|r| format!("{}: {}", r.code, r.message)).collect::<Vec<_>>().join("; "),
    };
    let top_level = |name: &str| {
        format!("UNSUPPORTED_JSONATA_EXPRESSION: Reference to '{name}' at the top level is not supported.")
    };
    for text in [
        "phone",
        "phone[0].number",
        "phone.number.street",
        "-phone",
        "phone ? 1 : 2",
        "$states.input.a ? phone : 2",
        "phone & 'x'",
        "phone in $states.input.b",
        "$sum(phone)",
        "phone(1)",
        "phone ~> $string()",
        "[1..phone]",
        "(phone)",
        "(phone).other",
        "[phone].other",
        "[phone, 1]",
        "{phone: 1}",
        "($x := phone; $x)",
        "$map($states.input.a, function($y){ phone })",
        "$count(phone[inner])",
        "phone.**.deeper",
        "phone + phone",
    ] {
        assert_eq!(refused(text), top_level("phone"), "{text}");
    }
    for text in ["$", "$.phone", "$[0]", "$string($)", "$map($states.input.a, function($x){ $ })"] {
        assert_eq!(refused(text), top_level("$"), "{text}");
    }
    for text in ["$$", "$$.phone"] {
        let wanted = "UNSUPPORTED_JSONATA_EXPRESSION: Reference to '$$' is not supported.";
        assert_eq!(refused(text), wanted, "{text}");
    }
    for text in ["aaa + bbb", "(aaa; bbb)", "$number(aaa) + $number(bbb)", "aaa + bbb + aaa"] {
        assert_eq!(refused(text), format!("{}; {}", top_level("aaa"), top_level("bbb")), "{text}");
    }
    assert_eq!(refused("[bbb, aaa]"), format!("{}; {}", top_level("bbb"), top_level("aaa")));
    for text in [
        "$states.input.phone",
        "$states.input.a[0].phone",
        "$states.input.items[phone > 3]",
        "$states.input.a^(phone)",
        "$states.input.a{'k': phone}",
        "$states.input.a.(phone)",
        "$states.input.a.$phone",
        "$phone",
        "$states.input.a ~> $string()",
        "$states.input ~> |phone|{'b': 1}|",
        "**.phone",
        "{'k': 1}.phone",
        "$states.input.a[$ > 1]",
        "function($x){ $x.phone }",
        "'phone'",
        "1 + 1",
        "$now()",
        "$eval('1')",
    ] {
        assert_eq!(refused(text), "accepted", "{text}");
    }
    for (text, message) in [
        ("phone[1,2)", "Expected \"]\", got \",\""),
        ("phone %.other", "The symbol \".\" cannot be used as a unary operator"),
        ("", "Unexpected end of expression"),
        ("\"unterminated", "String literal must be terminated by a matching quote"),
        ("1 +", "Unexpected end of expression"),
        ("{\"a\":}", "The symbol \"}\" cannot be used as a unary operator"),
        ("$x :=", "Unexpected end of expression"),
        ("$match(\"a\", /abc", "No terminating / in regular expression"),
        // Operators that came after 2.0.6, as 2.0.6 stumbles over them.
        ("$states.input.a ?: 1", "The symbol \":\" cannot be used as a unary operator"),
        ("$states.input.a ?? 1", "The symbol \"?\" cannot be used as a unary operator"),
    ] {
        assert_eq!(refused(text), format!("INVALID_JSONATA_EXPRESSION: {message}"), "{text}");
    }
}

#[test]
fn what_an_expression_refers_to() {
    let told = |text: &str| {
        let expression = compile(text);
        let references = expression.references();
        let states: Vec<&str> = references.states.iter().map(|(name, _)| &**name).collect();
        let variables: Vec<&str> = references.variables.iter().map(|name| &**name).collect();
        format!("{} | {}", states.join(" "), variables.join(" "))
    };
    for (text, wanted) in [
        ("$states.input.a + $states.context.State.Name & $x", "input context | x"),
        ("$states.result[$states.errorOutput.Error = $b]", "result errorOutput | b"),
        ("($x := 1; $x + $y)", " | y"),
        ("$map($list, function($item){ $item.price * $rate })", " | list rate"),
        ("$sum($list) + $uuid()", " | list"),
        ("$f(1)", " | f"),
    ] {
        assert_eq!(told(text), wanted, "{text}");
    }
}

#[test]
fn passing_a_value_on_copies_a_pointer() {
    let input = Payload::parse(r#"{"a": {"b": [1]}, "list": [{"c": 1}, {"c": 2}]}"#).expect("input");
    let variables =
        Named(HashMap::from([("name".to_owned(), input.clone()), ("count".to_owned(), Payload::trusted("7"))]));
    for text in ["$states.input", "$name"] {
        let found = evaluate_with(text, &input, &variables).expect(text).expect(text);
        assert!(found.same(&input), "{text}");
    }
    for (text, wanted) in [
        ("$states.input.a.b", "[1]"),
        ("$name.a", r#"{"b":[1]}"#),
        ("$name.list.c", "[1,2]"),
        // One item of an array is no matter for the engine, whatever says which.
        ("$states.input.list[0].c", "1"),
        ("$states.input.list[-1]", r#"{"c":2}"#),
        ("$states.input.a[0].b", "[1]"),
        ("$states.input.a.b[0]", "1"),
        ("$states.input.list[1.5].c", "2"),
        ("$states.input.list[$states.input.a.b].c", "2"),
        ("$states.context.State.Name", r#""S""#),
        // A variable hides a function of its name.
        ("$count", "7"),
        ("$count + $name.list[0].c", "8"),
        ("$count($name.list)", "T1006: Attempted to invoke a non-function"),
    ] {
        let found = evaluate_with(text, &input, &variables);
        let found =
            found.map(|found| found.expect(text).text().to_string()).unwrap_or_else(|failure| failure.to_string());
        assert_eq!(found, wanted, "{text}");
    }
    for text in ["$states.input.a.nothing", "$states.input.list[2]", "$states.input.list[-3].c", "$states.input.a[1]"] {
        assert_eq!(evaluate_with(text, &input, &variables), Ok(None), "{text}");
    }
    assert_eq!(evaluate_with("$states.result", &input, &variables), Ok(None));
    assert_eq!(evaluate_with("$nothing", &input, &variables), Ok(None));
}

#[test]
fn time_and_chance_come_in() {
    check(&[("$now()", "\"2026-08-30T12:00:00.000Z\""), ("$millis()", "1788091200000")]);
    let input = Payload::empty_object();
    for text in ["$random()", "$uuid()", "$shuffle([1..100])", "[$uuid(), $uuid()]"] {
        let first = evaluate_with(text, &input, &NoVariables).expect(text);
        assert_eq!(
            first,
            evaluate_with(text, &input, &NoVariables).expect(text),
            "{text}: the same draws, the same value"
        );
        let states = States { input: &input, result: None, error_output: None, context: &Value::Null };
        let scope = Scope { states: Some(states), variables: &NoVariables, focus: None, now_ms: NOW_MS };
        let other = compile(text).evaluate(&scope, &mut Drawn(7), &Limits::default()).expect(text);
        assert_ne!(first, other, "{text}: other draws, another value");
    }
    // Who does not draw does not use up draws.
    let mut draws = || -> u128 { panic!("drawn") };
    let states = States { input: &input, result: None, error_output: None, context: &Value::Null };
    let scope = Scope { states: Some(states), variables: &NoVariables, focus: None, now_ms: NOW_MS };
    compile("1 + 1").evaluate(&scope, &mut draws, &Limits::default()).expect("no chance");
}
