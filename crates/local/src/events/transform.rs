//! What a target gets to see of an event: all of it, a part (`InputPath`), something fixed (`Input`), or a text with parts
//! of it filled in (`InputTransformer`).
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>

use std::collections::BTreeMap;

use serde_json::Value;

use crate::params::{map, text};

/// The rule that an event has passed, for the variables that name it.
pub struct Passed<'a> {
    pub rule_arn: &'a str,
    pub rule_name: &'a str,
    /// When the event came, as AWS writes it.
    pub ingested: &'a str,
}

/// Refuse paths that nobody can follow.
pub fn check(target: &Value) -> Result<(), String> {
    let transformer = target.get("InputTransformer").unwrap_or(&Value::Null);
    let paths = map(transformer, "InputPathsMap").filter_map(|(_, path)| path.as_str());
    for path in paths.chain(text(target, "InputPath")) {
        steps(path).ok_or_else(|| format!("Invalid JSON path {path}"))?;
    }
    Ok(())
}

/// What the target gets.
pub fn input(target: &Value, event: &Value, passed: &Passed<'_>) -> String {
    if let Some(fixed) = text(target, "Input") {
        return fixed.to_owned();
    }
    if let Some(path) = text(target, "InputPath") {
        return follow(event, path).map_or_else(|| "{}".to_owned(), ToString::to_string);
    }
    let Some(transformer) = target.get("InputTransformer") else { return event.to_string() };
    let mut values: BTreeMap<&str, Value> = map(transformer, "InputPathsMap")
        .filter_map(|(name, path)| Some((name.as_str(), follow(event, path.as_str()?)?.clone())))
        .collect();
    values.insert("aws.events.rule-arn", Value::from(passed.rule_arn));
    values.insert("aws.events.rule-name", Value::from(passed.rule_name));
    values.insert("aws.events.event.ingestion-time", Value::from(passed.ingested));
    values.insert("aws.events.event.json", event.clone());
    // Without the detail, so that it stays small.
    let mut head = event.clone();
    if let Value::Object(members) = &mut head {
        members.shift_remove("detail");
    }
    values.insert("aws.events.event", head);
    fill(text(transformer, "InputTemplate").unwrap_or_default(), &values)
}

/// Fill a template. Outside of quotes a value is JSON; inside it is text that fits between quotes.
fn fill(template: &str, values: &BTreeMap<&str, Value>) -> String {
    let mut filled = String::with_capacity(template.len());
    let (mut quoted, mut rest) = (false, template.trim());
    while let Some(letter) = rest.chars().next() {
        let variable = if letter == '<' { rest[1..].split_once('>') } else { None };
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        if let Some((name, after)) = variable.filter(|(name, _)| is_name(name)) {
            let value = values.get(name);
            match (quoted, value) {
                (false, value) => filled.push_str(&value.unwrap_or(&Value::Null).to_string()),
                (true, Some(value)) => filled.push_str(&inside_quotes(value)),
                (true, None) => {}
            }
            rest = after;
            continue;
        }
        let mut taken = letter.len_utf8();
        if letter == '\\' && quoted {
            taken += rest[1..].chars().next().map_or(0, char::len_utf8);
        } else if letter == '"' {
            quoted = !quoted;
        }
        filled.push_str(&rest[..taken]);
        rest = &rest[taken..];
    }
    filled
}

fn inside_quotes(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let escaped = Value::from(text).to_string();
    escaped[1..escaped.len() - 1].to_owned()
}

/// The steps of a path: `$.detail.items[0]["a name"]`. None if it is another kind of path.
fn steps(path: &str) -> Option<Vec<String>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            if name.is_empty() || name.contains(['*', '?', '@', '(']) {
                return None;
            }
            steps.push(name.to_owned());
            rest = after;
        } else {
            let inside = rest.strip_prefix('[')?;
            let quote = inside.chars().next().filter(|quote| matches!(quote, '"' | '\''));
            let (name, after) = match quote {
                Some(quote) => inside[1..].split_once(&format!("{quote}]"))?,
                None => inside.split_once(']').filter(|(index, _)| index.parse::<usize>().is_ok())?,
            };
            steps.push(name.to_owned());
            rest = after;
        }
    }
    Some(steps)
}

fn follow<'a>(event: &'a Value, path: &str) -> Option<&'a Value> {
    steps(path)?.iter().try_fold(event, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        value => value.get(step),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_of_input() {
        let event = json!({
            "source": "shop", "resources": ["arn:a"],
            "detail": { "id": 7, "who": "O\"Hara", "deep": { "a b": [1, { "x": true }] } },
        });
        let passed = Passed { rule_arn: "arn:rule", rule_name: "r", ingested: "2026-01-02T03:04:05Z" };
        let paths =
            json!({ "id": "$.detail.id", "who": "$.detail.who", "none": "$.detail.none", "deep": "$.detail.deep" });
        let template =
            |template: &str| json!({ "InputTransformer": { "InputPathsMap": paths, "InputTemplate": template } });
        for (target, seen) in [
            (json!({}), event.to_string()),
            (json!({ "Input": "{\"a\": 1}" }), "{\"a\": 1}".to_owned()),
            (json!({ "InputPath": "$.detail.id" }), "7".to_owned()),
            (json!({ "InputPath": "$.detail.deep['a b'][1].x" }), "true".to_owned()),
            (json!({ "InputPath": "$.resources[0]" }), "\"arn:a\"".to_owned()),
            (template("\"<who> is <id>\""), r#""O\"Hara is 7""#.to_owned()),
            (
                template("{\"id\": <id>, \"who\": <who>, \"none\": <none>, \"text\": \"<none>!\", \"d\": <deep>}"),
                r#"{"id": 7, "who": "O\"Hara", "none": null, "text": "!", "d": {"a b":[1,{"x":true}]}}"#.to_owned(),
            ),
            (template("\"<aws.events.rule-name> < <id>\""), "\"r < 7\"".to_owned()),
            (template("<aws.events.event>"), r#"{"source":"shop","resources":["arn:a"]}"#.to_owned()),
        ] {
            assert_eq!(input(&target, &event, &passed), seen, "{target}");
        }
        assert!(check(&json!({ "InputPath": "$..id" })).is_err());
        assert!(check(&json!({ "InputTransformer": { "InputPathsMap": { "a": "detail" } } })).is_err());
    }
}
