//! Whatever text comes, a check answers: it never panics, never runs away, and points into the text.

use asl::{CheckOptions, MachineType, Syntax, check, load};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    definition: &'a RawValue,
}

fn definitions() -> Vec<&'static str> {
    let lines = include_str!("data/corpus.jsonl").lines();
    lines.map(|line| serde_json::from_str::<Entry>(line).expect("a line of the corpus").definition.get()).collect()
}

fn judge(text: &str) {
    for syntax in [Syntax::Json, Syntax::Yaml] {
        for (machine_type, placeholders) in [(MachineType::Standard, false), (MachineType::Express, true)] {
            let options = CheckOptions { machine_type, syntax, placeholders, ..CheckOptions::default() };
            let checked = check(text, &options);
            assert!(checked.is_valid() || checked.program.is_none());
            for diagnostic in &checked.diagnostics {
                if let Some(span) = &diagnostic.span {
                    assert!(text.get(span.clone()).is_some(), "{diagnostic:?}");
                }
            }
        }
    }
    let _ = load(text);
}

#[test]
fn hostile_texts() {
    let nested = |open: &str, close: &str, times: usize| format!("{}{}", open.repeat(times), close.repeat(times));
    judge(&"[".repeat(1 << 20));
    judge(&"{\"a\":".repeat(100_000));
    judge(&nested("[", "]", 100_000));
    judge(&format!("{{\"StartAt\":\"A\",\"States\":{}}}", nested("{\"A\":", "}", 126).replace(":}", ":1}")));
    let deep =
        nested("{\"Type\":\"Map\",\"End\":true,\"ItemProcessor\":{\"StartAt\":\"A\",\"States\":{\"A\":", "}}}", 40);
    judge(&format!("{{\"StartAt\":\"A\",\"States\":{{\"A\":{}}}}}", deep.replacen(":}", ":1}", 1)));
    judge(&format!("{{\"StartAt\":\"{}\"}}", "x".repeat((1 << 20) - 20)));
    judge(&"x".repeat((1 << 20) + 1));
    let many: Vec<String> = (0..20_000).map(|index| format!("\"{index}\":{{}}")).collect();
    judge(&format!("{{\"StartAt\":\"0\",\"States\":{{{}}}}}", many.join(",")));
}

#[test]
fn a_definition_of_many_states_is_judged_quickly() {
    let states: Vec<String> =
        (0..15_000).map(|index| format!("\"{index}\":{{\"Type\":\"Pass\",\"Next\":\"{}\"}}", index + 1)).collect();
    let text = format!("{{\"StartAt\":\"0\",\"States\":{{{},\"15000\":{{\"Type\":\"Succeed\"}}}}}}", states.join(","));
    let checked = check(&text, &CheckOptions::default());
    assert_eq!(checked.diagnostics, []);
    assert_eq!(checked.program.map(|program| program.states.len()), Some(15_001));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        judge(&text);
    }

    /// A part of a definition is cut out, doubled, or replaced by something else that is JSON.
    #[test]
    fn damaged_definitions(
        pick in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        length in 0usize..40,
        part in prop::sample::select(vec![
            "", "\"\"", "null", "1", "-1", "true", "[]", "{}", "\"$\"", "\"$.a[\"", "{\"a.$\":1}", "[[[[", "}", "\"${x}\"",
            "\"arn:aws:states:::\"", "\"{% \"", "1e999", "\u{0}", "\"States.Format(\"",
        ]),
    ) {
        let all = definitions();
        let text = pick.get(&all);
        let mut from = from.index(text.len());
        let mut to = (from + length).min(text.len());
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        while !text.is_char_boundary(to) {
            to -= 1;
        }
        judge(&format!("{}{part}{}", &text[..from], &text[to.max(from)..]));
    }

    /// A value is replaced whole, so that the text stays JSON and the checks have their say.
    #[test]
    fn definitions_with_a_strange_value(
        pick in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        strange in prop::sample::select(vec![
            "null", "1", "-7.5", "true", "\"\"", "\"$.x\"", "\"$$\"", "\"$x.y\"", "[]", "[1]", "{}", "{\"a\":{\"b\":[]}}",
            "\"JSONata\"", "\"Map\"", "\"Choice\"", "\"End\"", "\"DISTRIBUTED\"", "99999999999999999999",
        ]),
    ) {
        let all = definitions();
        let text = pick.get(&all);
        let colons: Vec<usize> = text.match_indices("\":").map(|(at, _)| at + 2).collect();
        prop_assume!(!colons.is_empty());
        let start = *at.get(&colons);
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<serde_json::Value>();
        prop_assume!(matches!(values.next(), Some(Ok(_))));
        let end = start + values.byte_offset();
        judge(&format!("{}{strange}{}", &text[..start], &text[end..]));
    }
}
