//! Every intrinsic function, a line for each thing that AWS was seen to do: expression, input, what comes of it.
//!
//! A line that begins with `!` is the error's text without the expression and the sentence around it.

use asl::eval::{Env, NoVariables};
use asl::{Dynamic, Payload};
use serde_json::{Value, json};

/// What the expression gives on the input, as JSON, or `!` and why not.
fn said(expression: &str, input: &Value) -> String {
    let dynamic = match Dynamic::parse(expression) {
        Ok(dynamic) => dynamic,
        Err(error) => return format!("refused: {error}"),
    };
    let input = Payload::from(input.clone());
    let context = json!({"Execution": {"Input": input.value(), "Name": "run"}, "StateMachine": {"Name": "a-b-c"}});
    let mut draws = || 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef;
    let mut env = Env { input: &input, context: &context, variables: &NoVariables, draws: &mut draws };
    match dynamic.evaluate("value.$", &mut env) {
        Ok(value) => value.to_string(),
        Err(error) => {
            assert_eq!(error.error, "States.Runtime", "{expression}");
            let around = format!("There was an error while evaluating the intrinsic function: {expression}. ");
            match error.message.strip_prefix(&around) {
                Some(why) => format!("!{why}"),
                None => error.message,
            }
        }
    }
}

fn check(input: Value, lines: &[(&str, &str)]) {
    for (expression, wanted) in lines {
        assert_eq!(said(expression, &input), *wanted, "{expression} on {input}");
    }
}

#[test]
fn array() {
    check(
        json!({"a": 1, "b": "2", "o": {"k": 1}, "l": [1, 2]}),
        &[
            ("States.Array()", "[]"),
            ("States.Array($.a, $.b, true)", r#"[1,"2",true]"#),
            ("States.Array(42, true, null, 'hello', -1.5, '')", r#"[42,true,null,"hello",-1.5,""]"#),
            ("States.Array($.o, $.l)", r#"[{"k":1},[1,2]]"#),
            ("States.Array(1, States.Array(2, 3))", "[1,[2,3]]"),
            ("States.Array($$.Execution.Input.a, $$.Execution.Name)", r#"[1,"run"]"#),
        ],
    );
}

#[test]
fn array_partition() {
    let invalid = "!Invalid arguments in States.ArrayPartition";
    check(
        json!({"l": [1, 2, 3, 4, 5], "e": [], "n": 2}),
        &[
            ("States.ArrayPartition($.l, 2)", "[[1,2],[3,4],[5]]"),
            ("States.ArrayPartition($.l, $$.Execution.Input.n)", "[[1,2],[3,4],[5]]"),
            ("States.ArrayPartition($.l, 2147483647)", "[[1,2,3,4,5]]"),
            ("States.ArrayPartition($.e, 3)", "[]"),
            ("States.ArrayPartition($.l, 2.6)", "[[1,2],[3,4],[5]]"),
            ("States.ArrayPartition($.l, 0.6)", invalid),
            ("States.ArrayPartition($.l, 0)", invalid),
            ("States.ArrayPartition($.l, -1)", invalid),
            ("States.ArrayPartition($.l, '2')", invalid),
            ("States.ArrayPartition($.l, null)", invalid),
            ("States.ArrayPartition('text', 2)", invalid),
            ("States.ArrayPartition($.l)", invalid),
            ("States.ArrayPartition($.l, 2, 9)", invalid),
        ],
    );
}

#[test]
fn array_contains() {
    let invalid = "!Invalid arguments in States.ArrayContains";
    check(
        json!({
            "n": [1, 2, null, false], "s": ["1", "true", "a"], "o": [{"a": 1, "b": 2}], "l": [[1, 2]],
            "same": {"a": 1, "b": 2}, "turned": {"b": 2, "a": 1}, "pair": [1, 2], "e": []
        }),
        &[
            ("States.ArrayContains($.n, 2)", "true"),
            ("States.ArrayContains($.n, 5)", "false"),
            ("States.ArrayContains($.n, null)", "true"),
            ("States.ArrayContains($.n, 0)", "false"),
            ("States.ArrayContains($.s, 'a')", "true"),
            ("States.ArrayContains($.s, 1)", "true"),
            ("States.ArrayContains($.s, true)", "true"),
            ("States.ArrayContains($.o, $.same)", "true"),
            ("States.ArrayContains($.o, $.turned)", "false"),
            ("States.ArrayContains($.l, $.pair)", "true"),
            ("States.ArrayContains($.e, 1)", "false"),
            ("States.ArrayContains('text', 'x')", invalid),
            ("States.ArrayContains($.n)", invalid),
            ("States.ArrayContains($.n, 1, 2)", invalid),
        ],
    );
}

#[test]
fn array_range() {
    let invalid = "!Invalid arguments in States.ArrayRange";
    check(
        json!({"base": 0}),
        &[
            ("States.ArrayRange(1, 9, 2)", "[1,3,5,7,9]"),
            ("States.ArrayRange(0, 10, 3)", "[0,3,6,9]"),
            ("States.ArrayRange(1, 9, 9)", "[1]"),
            ("States.ArrayRange(-2, 2, 2)", "[-2,0,2]"),
            ("States.ArrayRange(1.4, 5.6, 2.2)", "[1,3,5]"),
            ("States.ArrayRange(1.6, 1.4, 1)", "[1]"),
            ("States.ArrayRange(5.4, -0.6, -2.4)", "[5,3,1]"),
            ("States.ArrayRange(3, 3, -1)", "[3]"),
            ("States.ArrayRange(5, 1, -2)", "[5,3,1]"),
            ("States.ArrayRange(5, 1, 1)", "[]"),
            ("States.ArrayRange(1, 5, -1)", "[]"),
            ("States.ArrayRange(States.MathAdd($.base, 1), States.MathAdd($.base, 5), 2)", "[1,3,5]"),
            ("States.ArrayLength(States.ArrayRange(1, 1000, 1))", "1000"),
            ("States.ArrayLength(States.ArrayRange(1000, 1, -1))", "1000"),
            ("States.ArrayRange(1, 1001, 1)", invalid),
            ("States.ArrayRange(1001, 1, -1)", invalid),
            ("States.ArrayRange(-9223372036854775808, 9223372036854775807, 1)", invalid),
            ("States.ArrayRange(1, 10, 0)", invalid),
            ("States.ArrayRange(1, 10, 0.49)", invalid),
            ("States.ArrayRange('a', 5, 1)", invalid),
            ("States.ArrayRange(1, 5)", invalid),
            ("States.ArrayRange(1, 5, 1, 99)", invalid),
        ],
    );
}

#[test]
fn array_get_item() {
    let invalid = "!Invalid arguments in States.ArrayGetItem";
    check(
        json!({"l": [10, {"k": [1]}, null], "e": [], "i": 1}),
        &[
            ("States.ArrayGetItem($.l, 0)", "10"),
            ("States.ArrayGetItem($.l, $.i)", r#"{"k":[1]}"#),
            ("States.ArrayGetItem($.l, 2)", "null"),
            ("States.ArrayGetItem($.l, 1.2)", r#"{"k":[1]}"#),
            ("States.ArrayGetItem(States.Array('x', 'y'), 1)", r#""y""#),
            ("States.ArrayGetItem(States.StringSplit($$.StateMachine.Name, '-'), 0)", r#""a""#),
            (
                "States.ArrayGetItem(States.StringSplit($$.StateMachine.Name, '-'), \
                 States.MathAdd(States.ArrayLength(States.StringSplit($$.StateMachine.Name, '-')), -1))",
                r#""c""#,
            ),
            ("States.ArrayGetItem($.e, 999)", "null"),
            ("States.ArrayGetItem($.l, 3)", invalid),
            ("States.ArrayGetItem($.l, -1)", invalid),
            ("States.ArrayGetItem($.l, '1')", invalid),
            ("States.ArrayGetItem('text', 0)", invalid),
            ("States.ArrayGetItem($.l)", invalid),
        ],
    );
}

#[test]
fn array_length() {
    let invalid = "!Invalid arguments in States.ArrayLength";
    check(
        json!({"l": [[1, 2], {}, null], "o": {"k": 1}}),
        &[
            ("States.ArrayLength($.l)", "3"),
            ("States.ArrayLength(States.Array())", "0"),
            ("States.ArrayLength($.l[*].none)", "0"),
            ("States.ArrayLength($.o)", invalid),
            ("States.ArrayLength('text')", invalid),
            ("States.ArrayLength()", invalid),
            ("States.ArrayLength(States.JsonToString($.l))", invalid),
        ],
    );
}

#[test]
fn array_unique() {
    check(
        json!({
            "n": [1, 2, 3, 3, 3, 4], "s": ["a", "b", "a", "c", "b"], "e": [], "b": [true, false, true, false],
            "z": [null, null, 1, null], "m": [1, "1", 1, "01"], "o": [{"a": 1, "b": 2}, {"b": 2, "a": 1}],
            "l": [[1, 2], [1, 2], [2, 1]], "f": [1, 1.0]
        }),
        &[
            ("States.ArrayUnique($.n)", "[1,2,3,4]"),
            ("States.ArrayUnique($.s)", r#"["a","b","c"]"#),
            ("States.ArrayUnique($.e)", "[]"),
            ("States.ArrayUnique($.b)", "[false,true]"),
            ("States.ArrayUnique($.z)", "[null,1]"),
            ("States.ArrayUnique($.m)", r#"[1,"1","01"]"#),
            ("States.ArrayUnique($.o)", r#"[{"a":1,"b":2}]"#),
            ("States.ArrayUnique($.l)", "[[2,1],[1,2]]"),
            ("States.ArrayUnique('text')", "!Invalid arguments in States.ArrayUnique"),
            ("States.ArrayUnique($.n, 1)", "!Invalid arguments in States.ArrayUnique"),
        ],
    );
}

#[test]
fn base64() {
    let invalid = "!Invalid arguments in States.Base64Encode";
    check(
        json!({"japanese": "こんにちは", "nul": "abc\u{0}def", "o": {}, "most": "a".repeat(10_000), "more": "a".repeat(10_001)}),
        &[
            ("States.Base64Encode('Data to encode')", r#""RGF0YSB0byBlbmNvZGU=""#),
            ("States.Base64Encode('')", r#""""#),
            ("States.Base64Encode($.japanese)", r#""44GT44KT44Gr44Gh44Gv""#),
            ("States.Base64Encode($.nul)", r#""YWJjAGRlZg==""#),
            ("States.Base64Encode('🚀')", r#""8J+agA==""#),
            ("States.ArrayLength(States.Array(States.Base64Encode($.most)))", "1"),
            ("States.Base64Encode($.more)", invalid),
            ("States.Base64Encode(123)", invalid),
            ("States.Base64Encode($.o)", invalid),
            ("States.Base64Encode('a', 'b')", invalid),
            ("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", r#""Data to encode""#),
            ("States.Base64Decode('')", r#""""#),
            ("States.Base64Decode('4pyT')", r#""✓""#),
            ("States.Base64Decode(States.Base64Encode($.japanese))", r#""こんにちは""#),
            ("States.Base64Decode(' YWJjZA== ')", r#""abcd""#),
            ("States.Base64Decode('YWJj!')", r#""abc""#),
            ("States.Base64Decode('YWI')", r#""ab""#),
            ("States.Base64Decode('YWJjZ')", r#""abc""#),
            ("States.Base64Decode('YW==JjZA')", r#""a""#),
            ("States.Base64Decode('_-8=')", r#""��""#),
            ("States.Base64Decode($.more)", "!Invalid arguments in States.Base64Decode"),
            ("States.Base64Decode(1)", "!Invalid arguments in States.Base64Decode"),
        ],
    );
}

#[test]
fn hash() {
    let invalid = "!Invalid arguments in States.Hash";
    check(
        json!({"s": "input data", "n": 123, "a": "MD5", "more": "a".repeat(10_001)}),
        &[
            ("States.Hash($.s, $.a)", r#""812f45842bc6d66ee14572ce20db8e86""#),
            ("States.Hash($.s, 'SHA-1')", r#""aaff4a450a104cd177d28d18d74485e8cae074b7""#),
            ("States.Hash($.s, 'SHA-256')", r#""b4a697a057313163aee33cd8d40c66e9f0f177e00cac2de32475ffff6169c3e3""#),
            (
                "States.Hash('hello', 'SHA-384')",
                r#""59e1748777448c69de6b800d7a33bbfb9ff1b463e44354c3553bcdb9c666fa90125a3c79f90397bdf5f6a13de828684f""#,
            ),
            (
                "States.Hash('hello', 'SHA-512')",
                "\"9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7\
                 2323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043\"",
            ),
            ("States.Hash($.n, 'MD5')", r#""202cb962ac59075b964b07152d234b70""#),
            ("States.Hash('hello', 'sha-256')", invalid),
            ("States.Hash('hello', 'SHA256')", invalid),
            ("States.Hash('hello', '')", invalid),
            ("States.Hash('hello', 1)", invalid),
            ("States.Hash($.more, 'MD5')", invalid),
            ("States.Hash('hello')", invalid),
            ("States.Hash()", invalid),
        ],
    );
}

#[test]
fn json_merge() {
    let invalid = "!Invalid arguments in States.JsonMerge";
    check(
        json!({"a": {"x": 1, "y": {"l": 1}}, "b": {"y": {"r": 2}, "z": null}, "e": {}, "n": null}),
        &[
            ("States.JsonMerge($.a, $.b, false)", r#"{"x":1,"y":{"r":2},"z":null}"#),
            ("States.JsonMerge($.a, $.e, false)", r#"{"x":1,"y":{"l":1}}"#),
            ("States.JsonMerge($.e, $.a, 'false')", r#"{"x":1,"y":{"l":1}}"#),
            (
                r#"States.JsonMerge(States.StringToJson('{"constant_in_literal": "false"}'), $$.Execution.Input.e, false)"#,
                r#"{"constant_in_literal":"false"}"#,
            ),
            ("States.JsonMerge($.a, $.b, true)", invalid),
            ("States.JsonMerge($.n, $.b, false)", invalid),
            ("States.JsonMerge($.a, 'x', false)", invalid),
            ("States.JsonMerge($.a, $.b)", invalid),
        ],
    );
}

#[test]
fn string_to_json() {
    let invalid = "!Invalid arguments in States.StringToJson";
    let source = r"at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column:";
    let bad = format!(
        "!Cannot convert String to Json in States.StringToJson, caused by: Unexpected character ('b' (code 98)): was \
         expecting double-quote to start field name\n {source} 2]"
    );
    check(
        json!({
            "o": r#" {"a":[1,2.50,{}]} "#, "s": r#""hello""#, "z": "null", "e": "", "n": 123, "bad": "{bad json}",
            "quote": r#"{"a":"it's"}"#
        }),
        &[
            ("States.StringToJson($.o)", r#"{"a":[1,2.5,{}]}"#),
            ("States.StringToJson($.s)", r#""hello""#),
            ("States.StringToJson($.z)", "null"),
            ("States.StringToJson($.e)", "null"),
            ("States.StringToJson($.quote)", r#"{"a":"it's"}"#),
            (r"States.StringToJson('{\'a\': 1}')", &format!(
                "!Cannot convert String to Json in States.StringToJson, caused by: Unexpected character (''' (code \
                 39)): was expecting double-quote to start field name\n {source} 2]"
            )),
            ("States.StringToJson(States.JsonToString($))", &json!({
                "o": r#" {"a":[1,2.50,{}]} "#, "s": r#""hello""#, "z": "null", "e": "", "n": 123, "bad": "{bad json}",
                "quote": r#"{"a":"it's"}"#
            }).to_string()),
            ("States.StringToJson($.bad)", &bad),
            ("States.StringToJson($.n)", invalid),
            ("States.StringToJson()", invalid),
            ("States.StringToJson($.s, $.s)", invalid),
        ],
    );
}

#[test]
fn json_to_string() {
    check(
        json!({"o": {"a": {"b": [true, null]}, "s": "x\"y"}, "f": [1.0, -1, 1e21, 0.5], "n": null}),
        &[
            ("States.JsonToString($.o)", r#""{\"a\":{\"b\":[true,null]},\"s\":\"x\\\"y\"}""#),
            ("States.JsonToString($.f)", r#""[1.0,-1,1.0E21,0.5]""#),
            ("States.JsonToString($.n)", r#""null""#),
            ("States.JsonToString('x')", r#""\"x\"""#),
            ("States.JsonToString(States.Array(1, 2))", r#""[1,2]""#),
            ("States.JsonToString()", "!Invalid arguments in States.JsonToString"),
        ],
    );
}

#[test]
fn math_random() {
    let invalid = "!Invalid arguments in States.MathRandom";
    check(
        json!({"low": 2147483640, "high": 2147483647}),
        &[
            ("States.MathRandom(1, 100, 42)", "63"),
            ("States.MathRandom(1, 1000, 1)", "106"),
            ("States.MathRandom(1, 1000, 2)", "806"),
            ("States.MathRandom(1, 10, -10)", "1"),
            ("States.MathRandom($.low, $.high, 1)", "2147483644"),
            ("States.MathRandom(-99999, -99998)", "-99999"),
            ("States.MathRandom(1.6, 2.4)", "1"),
            ("States.MathRandom(1.4, 1.6)", invalid),
            ("States.MathRandom(1, 1)", invalid),
            ("States.MathRandom(10, 5)", invalid),
            ("States.MathRandom(1, 10, 'seed')", invalid),
            ("States.MathRandom(1, 10, null)", invalid),
            ("States.MathRandom('a', 10)", invalid),
            ("States.MathRandom(0, 3000000000)", invalid),
            ("States.MathRandom(-2147483648, 2147483647)", invalid),
            ("States.MathRandom(1)", invalid),
            ("States.MathRandom(1, 10, 5, 99)", invalid),
        ],
    );
}

#[test]
fn math_add() {
    let invalid = "!Invalid arguments in States.MathAdd";
    check(
        json!({"v": 111, "a": 1.6, "b": 2.7, "c": 0.1}),
        &[
            ("States.MathAdd($.v, -1)", "110"),
            ("States.MathAdd($.a, $.b)", "5"),
            ("States.MathAdd($.c, 0.2)", "0"),
            ("States.MathAdd(2147483646, 1)", "2147483647"),
            ("States.MathAdd(-2147483648, 0)", "-2147483648"),
            ("States.MathAdd(States.MathAdd(5, 1), 2)", "8"),
            ("States.MathAdd(2147483647, 1)", invalid),
            ("States.MathAdd(-2147483648, -1)", invalid),
            ("States.MathAdd(3000000000, 1)", invalid),
            ("States.MathAdd('1', 2)", invalid),
            ("States.MathAdd(null, 1)", invalid),
            ("States.MathAdd(true, 1)", invalid),
            ("States.MathAdd(1)", invalid),
            ("States.MathAdd(1, 2, 3)", invalid),
        ],
    );
}

#[test]
fn string_split() {
    let invalid = "!Invalid arguments in States.StringSplit";
    check(
        json!({"s": "1+2,3.4", "d": ".+,", "n": 123}),
        &[
            ("States.StringSplit($.s, $.d)", r#"["1","2","3","4"]"#),
            ("States.StringSplit('Hello\nWorld', '\n')", r#"["Hello","World"]"#),
            ("States.StringSplit(',a,,b,', ',')", r#"["a","b"]"#),
            ("States.StringSplit('1a2b3ab4', 'ab')", r#"["1","2","3","4"]"#),
            ("States.StringSplit(',', ',')", "[]"),
            ("States.StringSplit('', ',')", "[]"),
            ("States.StringSplit('abc', '')", r#"["abc"]"#),
            ("States.StringSplit($.n, ',')", invalid),
            ("States.StringSplit($.s, 1)", invalid),
            ("States.StringSplit($.s)", invalid),
        ],
    );
}

#[test]
fn uuid() {
    check(
        json!({}),
        &[
            ("States.UUID()", r#""01234567-89ab-4def-8123-456789abcdef""#),
            ("States.UUID('x', 1)", r#""01234567-89ab-4def-8123-456789abcdef""#),
            ("States.Format('{}', States.UUID())", r#""01234567-89ab-4def-8123-456789abcdef""#),
        ],
    );
}

#[test]
fn format() {
    check(
        json!({
            "e": "", "s": "Hello", "n": null, "i": 1, "f": 1.1, "big": 1e21, "o": {"Arg1": 1, "Arg2": []},
            "json": "{\"Arg1\": 1, \"Arg2\": []}", "t": "n={}"
        }),
        &[
            ("States.Format('Formatting argument {}.', $.e)", r#""Formatting argument .""#),
            ("States.Format('{}, {}', $.s, $.n)", r#""Hello, null""#),
            ("States.Format('{}|{}|{}', $.i, $.f, $.big)", r#""1|1.1|1.0E21""#),
            (
                "States.Format('fst={} and snd={}', $.o, $.json)",
                r#""fst={Arg1=1, Arg2=[]} and snd={\"Arg1\": 1, \"Arg2\": []}""#,
            ),
            ("States.Format($.t, 1)", r#""n=1""#),
            (r#"States.Format('Name: \'{}\', Surname: "{}"', $.s, $.i)"#, r#""Name: 'Hello', Surname: \"1\"""#),
            (r"States.Format('\{\} is {}', true)", r#""{} is true""#),
            (r#"States.Format('{}', States.StringToJson('"x"'))"#, r#""\"x\"""#),
            (
                "States.Format('{} {}', $.s)",
                "!Invalid arguments in States.Format: number of arguments do not match the occurrences of {}.",
            ),
            ("States.Format('Hello {', $.s)", "!Invalid template in States.Format: matching '}' not found for '{'."),
            ("States.Format('Hello {{}}', $.s)", "!Invalid template in States.Format: matching '}' not found for '{'."),
            ("States.Format('}')", "!Invalid template in States.Format: matching '{' not found for '}'."),
            ("States.Format($.i, $.s)", "!Invalid arguments in States.Format"),
            ("States.Format()", "!Invalid arguments in States.Format"),
        ],
    );
}

/// The first four are answers of AWS, as the texts of the other tests are.
#[test]
fn arguments_that_are_not_there() {
    let input = json!({"other": 1, "items": [1, 2]});
    let missing = |call: &str, path: &str| {
        format!(
            "The function '{call}' had the following error: The JsonPath argument for the field '{path}' could not be \
             found in the input '{input}'"
        )
    };
    let cases = [
        ("States.Format('{}',$.nope)", "$.nope"),
        ("States.Format('{} {}', $.other, $.a.b)", "$.a.b"),
        ("States.Format('{}', States.Format('{}', $.nope))", "$.nope"),
        ("States.Format('{}', $.items[5])", "$.items[5]"),
        ("States.Format('{}', $$.Nope.Deep)", "$.Nope.Deep"),
        ("States.JsonMerge($.nope, $.other, false)", "$.nope"),
    ];
    for (call, path) in cases {
        assert_eq!(said(call, &input), missing(call, path), "{call}");
    }
    assert_eq!(
        said("States.Format('{}', $.other[0])", &input),
        "The function 'States.Format('{}', $.other[0])' had the following error: Filter: [0] can only be applied to \
         arrays. Current context is: 1"
    );
}
