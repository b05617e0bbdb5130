//! Patterns: which messages a subscription of SNS wants (filter policies), and which events a rule of EventBridge (event
//! patterns). Both are one language at AWS. A pattern is checked and compiled when it is set, with AWS's texts for what is
//! wrong with it, and matched against a message's attributes, its JSON body, or an event. All are seen as the same thing
//! here: names with values.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// How many keys a filter policy may have, and how many combinations its values may make.
const KEY_LIMIT: usize = 5;
const COMBINATION_LIMIT: usize = 150;

/// Whose pattern it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A filter policy: short, because it is matched for each message.
    Sns,
    /// An event pattern.
    EventBridge,
}

/// A compiled pattern: all of its rules have to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy(Vec<Rule>);

#[derive(Debug, Clone, PartialEq)]
enum Rule {
    /// One of the conditions has to hold for the value of this name.
    Key(String, Vec<Condition>),
    /// The policy has to hold for the object of this name.
    Nested(String, Policy),
    /// One of the policies has to hold.
    Or(Vec<Policy>),
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    Equals(Value),
    IgnoreCase(String),
    Prefix(String),
    Suffix(String),
    /// A prefix or suffix, in any case of letters.
    PrefixIgnoreCase(String),
    SuffixIgnoreCase(String),
    /// The literal parts between the stars.
    Wildcard(Vec<String>),
    Exists(bool),
    /// Operator and number, all of which hold.
    Numeric(Vec<(Comparison, f64)>),
    Cidr(IpAddr, u8),
    /// None of these holds.
    AnythingBut(Vec<Condition>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a policy looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The message's attributes.
    Attributes,
    /// The message or event itself, a JSON object.
    Body,
}

/// Check a pattern and compile it. The error is AWS's text for the first thing that is wrong with it.
pub fn compile(text: &str, dialect: Dialect) -> Result<Policy, String> {
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return Err("failed to parse JSON".to_owned());
    };
    let Value::Object(members) = value else {
        return Err("Filter must be a JSON object".to_owned());
    };
    let policy = compile_object(&members)?;
    if dialect == Dialect::EventBridge {
        return if policy.0.is_empty() { Err("Empty objects are not allowed".to_owned()) } else { Ok(policy) };
    }
    if policy.keys() > KEY_LIMIT {
        return Err(format!("Filter policy can not have more than {KEY_LIMIT} keys"));
    }
    if policy.combinations(1) > COMBINATION_LIMIT {
        return Err("Filter policy is too complex".to_owned());
    }
    Ok(policy)
}

fn compile_object(members: &Map<String, Value>) -> Result<Policy, String> {
    let mut rules = Vec::new();
    for (name, value) in members {
        rules.push(match value {
            Value::Array(alternatives) if name == "$or" && is_or(alternatives) => {
                let policies = alternatives.iter().filter_map(Value::as_object).map(compile_object);
                Rule::Or(policies.collect::<Result<_, _>>()?)
            }
            Value::Array(values) if values.is_empty() => return Err("Empty arrays are not allowed".to_owned()),
            Value::Array(values) => {
                Rule::Key(name.clone(), values.iter().map(compile_condition).collect::<Result<_, _>>()?)
            }
            Value::Object(members) if members.is_empty() => return Err("Empty objects are not allowed".to_owned()),
            Value::Object(members) => Rule::Nested(name.clone(), compile_object(members)?),
            _ => return Err(format!("\"{name}\" must be an object or an array")),
        });
    }
    Ok(Policy(rules))
}

/// `$or` is an operator if it lists at least two objects that are not match expressions; otherwise it is a name like any.
fn is_or(alternatives: &[Value]) -> bool {
    const OPERATORS: &[&str] =
        &["prefix", "suffix", "anything-but", "numeric", "exists", "equals-ignore-case", "cidr", "wildcard"];
    alternatives.len() >= 2
        && alternatives.iter().all(|alternative| {
            alternative.as_object().is_some_and(|members| {
                !members.is_empty() && !members.keys().any(|name| OPERATORS.contains(&name.as_str()))
            })
        })
}

fn compile_condition(value: &Value) -> Result<Condition, String> {
    let members = match value {
        Value::Array(_) => return Err("Match value must be String, number, true, false, or null".to_owned()),
        Value::Object(members) => members,
        simple => return Ok(Condition::Equals(simple.clone())),
    };
    let mut members_left = members.iter();
    let (Some((operator, operand)), None) = (members_left.next(), members_left.next()) else {
        return Err("Only one key allowed in match expression".to_owned());
    };
    let pattern =
        || operand.as_str().map(str::to_owned).ok_or_else(|| format!("{operator} match pattern must be a string"));
    // `{"prefix": {"equals-ignore-case": "x"}}`
    let ignoring_case = operand
        .as_object()
        .filter(|inner| inner.len() == 1)
        .and_then(|inner| inner.get("equals-ignore-case").and_then(Value::as_str).map(str::to_lowercase));
    match operator.as_str() {
        "prefix" => {
            ignoring_case.map_or_else(|| pattern().map(Condition::Prefix), |text| Ok(Condition::PrefixIgnoreCase(text)))
        }
        "suffix" => {
            ignoring_case.map_or_else(|| pattern().map(Condition::Suffix), |text| Ok(Condition::SuffixIgnoreCase(text)))
        }
        "wildcard" => compile_wildcard(&pattern()?).map(Condition::Wildcard),
        "equals-ignore-case" => pattern().map(Condition::IgnoreCase),
        "exists" => operand
            .as_bool()
            .map(Condition::Exists)
            .ok_or_else(|| "exists match pattern must be either true or false.".to_owned()),
        "cidr" => {
            let text = pattern()?;
            compile_cidr(&text).ok_or_else(|| format!("Malformed CIDR, one '/' required: {text}"))
        }
        "numeric" => match operand {
            Value::Array(terms) => compile_numeric(terms).map(Condition::Numeric),
            _ => Err("Value of numeric must be an array.".to_owned()),
        },
        "anything-but" => compile_anything_but(operand).map(Condition::AnythingBut),
        other => Err(format!("Unrecognized match type {other}")),
    }
}

fn compile_anything_but(operand: &Value) -> Result<Vec<Condition>, String> {
    let wrong = || "Value of anything-but must be an array or single string/number value.".to_owned();
    let simple = |value: &Value| match value {
        Value::String(_) | Value::Number(_) => Ok(Condition::Equals(value.clone())),
        _ => Err(wrong()),
    };
    match operand {
        Value::Array(values) if values.is_empty() => Err("Empty arrays are not allowed".to_owned()),
        Value::Array(values) => values.iter().map(simple).collect(),
        Value::Object(members) => {
            let mut members = members.iter();
            let (Some((operator, operand)), None) = (members.next(), members.next()) else {
                return Err("Only one key allowed in match expression".to_owned());
            };
            if !matches!(operator.as_str(), "prefix" | "suffix" | "equals-ignore-case" | "wildcard") {
                return Err(format!("Unsupported anything-but pattern: {operator}"));
            }
            let patterns = match operand {
                Value::Array(patterns) if !patterns.is_empty() => patterns.as_slice(),
                single => std::slice::from_ref(single),
            };
            patterns
                .iter()
                .map(|pattern| compile_condition(&serde_json::json!({ operator.as_str(): pattern })))
                .collect()
        }
        single => Ok(vec![simple(single)?]),
    }
}

/// The literal parts of a pattern with stars; a backslash takes a star or a backslash as it is.
fn compile_wildcard(text: &str) -> Result<Vec<String>, String> {
    let mut parts = vec![String::new()];
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '*' if letters.peek().is_some_and(|(_, next)| *next == '*') => {
                return Err(format!("Consecutive wildcard characters at pos {at}"));
            }
            '*' => parts.push(String::new()),
            '\\' => match letters.next() {
                Some((_, escaped @ ('*' | '\\'))) => push(&mut parts, escaped),
                _ => return Err(format!("Invalid escape character at pos {at}")),
            },
            letter => push(&mut parts, letter),
        }
    }
    Ok(parts)
}

fn push(parts: &mut [String], letter: char) {
    if let Some(last) = parts.last_mut() {
        last.push(letter);
    }
}

fn fits(parts: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = parts else { return parts.first().is_some_and(|only| only == text) };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
    for part in middle {
        let Some(at) = rest.find(part.as_str()) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last.as_str())
}

fn compile_numeric(terms: &[Value]) -> Result<Vec<(Comparison, f64)>, String> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let Some(first) = terms.first() else {
        return Err("Invalid member in numeric match: ]".to_owned());
    };
    let Some(operator) = first.as_str() else {
        return Err(format!("Invalid member in numeric match: {}", shown(first)));
    };
    let comparison = match operator {
        "=" => Equal,
        "<" => Less,
        "<=" => LessOrEqual,
        ">" => Greater,
        ">=" => GreaterOrEqual,
        other => return Err(format!("Unrecognized numeric range operator: {other}")),
    };
    let name = if comparison == Equal { "equals" } else { operator };
    let number = terms.get(1).and_then(Value::as_f64).ok_or_else(|| format!("Value of {name} must be numeric"))?;
    let Some(second) = terms.get(2) else {
        return Ok(vec![(comparison, number)]);
    };
    if !matches!(comparison, Greater | GreaterOrEqual) {
        return Err("Too many elements in numeric expression".to_owned());
    }
    let upper = match second.as_str() {
        Some("<") => Less,
        Some("<=") => LessOrEqual,
        Some(other) => return Err(format!("Bad numeric range operator: {other}")),
        None => return Err(format!("Bad value in numeric range: {}", shown(second))),
    };
    let top =
        terms.get(3).and_then(Value::as_f64).ok_or_else(|| format!("Value of {} must be numeric", shown(second)))?;
    if number >= top {
        return Err("Bottom must be less than top".to_owned());
    }
    if terms.len() > 4 {
        return Err("Too many terms in numeric range expression".to_owned());
    }
    Ok(vec![(comparison, number), (upper, top)])
}

fn compile_cidr(text: &str) -> Option<Condition> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    (length <= if address.is_ipv4() { 32 } else { 128 }).then_some(Condition::Cidr(address, length))
}

impl Policy {
    fn keys(&self) -> usize {
        self.0
            .iter()
            .map(|rule| match rule {
                Rule::Key(..) => 1,
                Rule::Nested(_, policy) => policy.keys(),
                Rule::Or(policies) => policies.iter().map(Self::keys).max().unwrap_or_default(),
            })
            .sum()
    }

    /// The product of each key's values, each weighted by how deep it lies; alternatives add up.
    fn combinations(&self, depth: usize) -> usize {
        self.0
            .iter()
            .map(|rule| match rule {
                Rule::Key(_, conditions) => conditions.len() * depth,
                Rule::Nested(_, policy) => policy.combinations(depth + 1),
                Rule::Or(policies) => policies.iter().map(|policy| policy.combinations(depth)).sum(),
            })
            .fold(1, usize::saturating_mul)
    }

    /// Does an event pass?
    pub fn wants_event(&self, event: &Map<String, Value>) -> bool {
        self.wants(event, Scope::Body)
    }

    /// Does the policy look into objects? Attributes have none.
    pub fn is_nested(&self) -> bool {
        self.0.iter().any(|rule| match rule {
            Rule::Key(..) => false,
            Rule::Nested(..) => true,
            Rule::Or(policies) => policies.iter().any(Self::is_nested),
        })
    }

    /// Does a message with these attributes pass?
    pub fn wants_attributes(&self, attributes: &Map<String, Value>) -> bool {
        let values = attributes.iter().map(|(name, attribute)| (name.clone(), attribute_value(attribute))).collect();
        self.wants(&values, Scope::Attributes)
    }

    /// Does a message with this body pass? What is not a JSON object does not.
    pub fn wants_body(&self, body: &str) -> bool {
        match serde_json::from_str(body) {
            Ok(Value::Object(members)) => self.wants(&members, Scope::Body),
            _ => false,
        }
    }

    fn wants(&self, members: &Map<String, Value>, scope: Scope) -> bool {
        self.0.iter().all(|rule| match rule {
            Rule::Or(policies) => policies.iter().any(|policy| policy.wants(members, scope)),
            Rule::Nested(name, policy) => match members.get(name) {
                Some(Value::Object(inner)) => policy.wants(inner, scope),
                Some(Value::Array(items)) => {
                    items.iter().filter_map(Value::as_object).any(|inner| policy.wants(inner, scope))
                }
                _ => policy.wants(&Map::new(), scope),
            },
            Rule::Key(name, conditions) => conditions.iter().any(|condition| condition.holds(members.get(name), scope)),
        })
    }
}

/// The value that a message attribute stands for.
fn attribute_value(attribute: &Value) -> Value {
    let text = attribute.get("StringValue").and_then(Value::as_str).unwrap_or_default();
    match attribute.get("DataType").and_then(Value::as_str).unwrap_or_default() {
        "String.Array" => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        kind if kind.starts_with("Number") => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
        kind if kind.starts_with("Binary") => {
            let bytes = attribute.get("BinaryValue").and_then(Value::as_str);
            let bytes = bytes.and_then(|bytes| STANDARD.decode(bytes).ok()).unwrap_or_default();
            Value::from(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => Value::from(text),
    }
}

impl Condition {
    fn holds(&self, value: Option<&Value>, scope: Scope) -> bool {
        match (self, value) {
            // Only a leaf is there: an object is the way to others.
            (Self::Exists(wanted), value) => *wanted == value.is_some_and(|value| !value.is_object()),
            // AWS lets null stand for an attribute that is not there.
            (Self::Equals(Value::Null), None) => scope == Scope::Attributes,
            (_, None) => false,
            (_, Some(Value::Array(items))) => items.iter().any(|item| self.holds_for(item)),
            (_, Some(item)) => self.holds_for(item),
        }
    }

    fn holds_for(&self, item: &Value) -> bool {
        let text = item.as_str();
        match self {
            Self::Equals(Value::Number(wanted)) => item.as_f64().is_some() && item.as_f64() == wanted.as_f64(),
            Self::Equals(wanted) => item == wanted,
            Self::IgnoreCase(wanted) => text.is_some_and(|text| text.to_lowercase() == wanted.to_lowercase()),
            Self::Prefix(prefix) => text.is_some_and(|text| text.starts_with(prefix.as_str())),
            Self::Suffix(suffix) => text.is_some_and(|text| text.ends_with(suffix.as_str())),
            Self::PrefixIgnoreCase(prefix) => text.is_some_and(|text| text.to_lowercase().starts_with(prefix.as_str())),
            Self::SuffixIgnoreCase(suffix) => text.is_some_and(|text| text.to_lowercase().ends_with(suffix.as_str())),
            Self::Wildcard(parts) => text.is_some_and(|text| fits(parts, text)),
            Self::Exists(wanted) => *wanted,
            Self::Numeric(terms) => item
                .as_f64()
                .is_some_and(|number| terms.iter().all(|(comparison, bound)| comparison.holds(number, *bound))),
            Self::Cidr(network, length) => {
                text.and_then(|text| text.parse().ok()).is_some_and(|address| within(address, *network, *length))
            }
            Self::AnythingBut(conditions) => !conditions.iter().any(|condition| condition.holds_for(item)),
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Equal => number == bound,
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
        }
    }
}

fn within(address: IpAddr, network: IpAddr, length: u8) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    };
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
    address.is_ipv4() == network.is_ipv4() && bits(address) & mask == bits(network) & mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn attributes(given: Value) -> Map<String, Value> {
        let Value::Object(given) = given else { panic!("an object") };
        given
            .into_iter()
            .map(|(name, value)| {
                let attribute = match &value {
                    Value::Number(number) => json!({ "DataType": "Number", "StringValue": number.to_string() }),
                    Value::Array(_) => json!({ "DataType": "String.Array", "StringValue": value.to_string() }),
                    _ => json!({ "DataType": "String", "StringValue": value }),
                };
                (name, attribute)
            })
            .collect()
    }

    #[test]
    fn attributes_pass_or_not() {
        for (policy, passing, failing) in [
            (json!({ "a": ["x", "y"] }), json!({ "a": "y" }), json!({ "a": "z" })),
            (json!({ "a": ["x"], "b": ["y"] }), json!({ "a": "x", "b": "y" }), json!({ "a": "x" })),
            (json!({ "a": [{ "numeric": [">", 0, "<=", 100] }] }), json!({ "a": 99.12 }), json!({ "a": 100.5 })),
            (json!({ "a": [{ "numeric": ["=", 3.0] }] }), json!({ "a": 3 }), json!({ "a": "3" })),
            (json!({ "a": [301] }), json!({ "a": 301.0 }), json!({ "a": 302 })),
            (json!({ "a": [{ "prefix": "mid" }] }), json!({ "a": "middle" }), json!({ "a": "amid" })),
            (json!({ "a": [{ "suffix": "ball" }] }), json!({ "a": "football" }), json!({ "a": "balls" })),
            (json!({ "a": [{ "equals-ignore-case": "tennis" }] }), json!({ "a": "TENNIS" }), json!({ "a": "ten" })),
            (json!({ "a": [{ "anything-but": ["x", "y"] }] }), json!({ "a": "z" }), json!({ "a": "x" })),
            (json!({ "a": [{ "anything-but": 5 }] }), json!({ "a": 6 }), json!({ "a": 5 })),
            (
                json!({ "a": [{ "anything-but": { "prefix": "order-" } }] }),
                json!({ "a": "x" }),
                json!({ "a": "order-1" }),
            ),
            (json!({ "a": [{ "anything-but": { "suffix": "ball" } }] }), json!({ "a": "x" }), json!({ "a": "ball" })),
            (json!({ "a": [{ "anything-but": "x" }] }), json!({ "a": "y" }), json!({})),
            (json!({ "a": [{ "exists": true }] }), json!({ "a": "" }), json!({ "b": "" })),
            (json!({ "a": [{ "exists": false }] }), json!({ "b": "" }), json!({ "a": "" })),
            (json!({ "a": [null, { "anything-but": "whatever" }] }), json!({}), json!({ "a": "whatever" })),
            (json!({ "a": [{ "cidr": "10.0.0.0/24" }] }), json!({ "a": "10.0.0.255" }), json!({ "a": "10.1.1.0" })),
            (json!({ "a": [{ "cidr": "2001:db8::/32" }] }), json!({ "a": "2001:db8::1" }), json!({ "a": "10.0.0.1" })),
            (json!({ "a": [{ "cidr": "0.0.0.0/0" }] }), json!({ "a": "8.8.8.8" }), json!({ "a": "no address" })),
            (json!({ "a": ["x"] }), json!({ "a": ["w", "x"] }), json!({ "a": ["w"] })),
            (
                json!({ "$or": [{ "a": ["x"] }, { "b": [1] }], "c": ["z"] }),
                json!({ "b": 1, "c": "z" }),
                json!({ "b": 2, "c": "z" }),
            ),
        ] {
            let compiled = compile(&policy.to_string(), Dialect::Sns).unwrap();
            assert!(compiled.wants_attributes(&attributes(passing.clone())), "{policy} wants {passing}");
            assert!(!compiled.wants_attributes(&attributes(failing.clone())), "{policy} does not want {failing}");
        }
    }

    #[test]
    fn bodies_pass_or_not() {
        for (policy, passing, failing) in [
            (json!({ "a": { "b": ["x"] } }), json!({ "a": { "b": "x" } }), json!({ "a": { "b": "y" } })),
            (json!({ "a": { "b": ["x"] } }), json!({ "a": [{ "b": "y" }, { "b": "x" }] }), json!({ "a": [] })),
            (json!({ "a": [true] }), json!({ "a": true }), json!({ "a": "true" })),
            (json!({ "a": [null] }), json!({ "a": null }), json!({})),
            (json!({ "a": { "b": [{ "exists": false }] } }), json!({}), json!({ "a": { "b": 1 } })),
        ] {
            let compiled = compile(&policy.to_string(), Dialect::Sns).unwrap();
            assert!(compiled.wants_body(&passing.to_string()), "{policy} wants {passing}");
            assert!(!compiled.wants_body(&failing.to_string()), "{policy} does not want {failing}");
        }
        assert!(!compile("{\"a\":[\"x\"]}", Dialect::Sns).unwrap().wants_body("not JSON"));
    }

    #[test]
    fn events_pass_or_not() {
        let is = |pattern: Value| json!({ "detail": { "a": pattern } });
        let has = |value: Value| json!({ "source": "shop", "detail": { "a": value, "n": 5, "o": { "k": 1 } } });
        for (pattern, passing, failing) in [
            (json!({ "source": ["shop"] }), has(json!(1)), json!({ "source": "stop" })),
            (is(json!([{ "wildcard": "*/img/*.png" }])), has(json!("x/img/y.png")), has(json!("x/img/y.jpg"))),
            (is(json!([{ "wildcard": "a*b*c" }])), has(json!("abbc")), has(json!("ac"))),
            (is(json!([{ "wildcard": "1\\*2" }])), has(json!("1*2")), has(json!("1x2"))),
            (is(json!([{ "wildcard": "aa*aa" }])), has(json!("aaaa")), has(json!("aaa"))),
            (is(json!([{ "prefix": { "equals-ignore-case": "EU-" } }])), has(json!("eu-west")), has(json!("us-eu-"))),
            (is(json!([{ "suffix": { "equals-ignore-case": ".PNG" } }])), has(json!("a.png")), has(json!("a.jpg"))),
            (is(json!([{ "anything-but": { "wildcard": "*/lib/*" } }])), has(json!("a/b")), has(json!("a/lib/b"))),
            (is(json!([{ "anything-but": { "prefix": ["x", "y"] } }])), has(json!("z")), has(json!("yz"))),
            (is(json!([{ "equals-ignore-case": "alice" }])), has(json!("ALICE")), has(json!("alicia"))),
            (is(json!([{ "numeric": [">", 0, "<=", 5] }, "x"])), has(json!(5)), has(json!(5.5))),
            (is(json!([null, ""])), has(json!(null)), has(json!("null"))),
            (is(json!(["x"])), has(json!(["y", "x"])), has(json!(["y"]))),
            (json!({ "detail": { "o": [{ "exists": false }] } }), has(json!(1)), json!({ "detail": { "o": 1 } })),
            (
                json!({ "detail": { "none": [{ "exists": false }] } }),
                has(json!(1)),
                json!({ "detail": { "none": null } }),
            ),
            (
                json!({ "detail": { "$or": [{ "a": ["x"] }, { "n": [{ "numeric": ["<", 5] }] }] } }),
                has(json!("x")),
                has(json!("y")),
            ),
            (
                json!({ "detail": { "a": { "p": [1], "q": [2] } } }),
                has(json!([{ "p": 1, "q": 2 }])),
                has(json!([{ "p": 1, "q": 1 }, { "p": 2, "q": 2 }])),
            ),
        ] {
            let compiled = compile(&pattern.to_string(), Dialect::EventBridge).unwrap();
            assert!(compiled.wants_event(passing.as_object().unwrap()), "{pattern} wants {passing}");
            assert!(!compiled.wants_event(failing.as_object().unwrap()), "{pattern} does not want {failing}");
        }
        for (pattern, text) in [
            (json!({}), "Empty objects are not allowed"),
            (json!({ "source": "shop" }), "\"source\" must be an object or an array"),
            (json!({ "source": [] }), "Empty arrays are not allowed"),
            (json!({ "source": [{ "wildcard": "a**b" }] }), "Consecutive wildcard characters at pos 1"),
            (json!({ "source": [{ "starts": "a" }] }), "Unrecognized match type starts"),
        ] {
            assert_eq!(compile(&pattern.to_string(), Dialect::EventBridge).unwrap_err(), text, "{pattern}");
        }
    }

    /// The texts are those AWS gave for these policies.
    #[test]
    fn policies_that_aws_refuses_are_refused_in_its_words() {
        for (policy, text) in [
            (json!({ "key": [["value"]] }), "Match value must be String, number, true, false, or null"),
            (json!({ "key": [{ "wrong-operator": true }] }), "Unrecognized match type wrong-operator"),
            (json!({ "key": [{ "suffix": "v", "prefix": "v" }] }), "Only one key allowed in match expression"),
            (json!({ "key": [{ "suffix": 100 }] }), "suffix match pattern must be a string"),
            (json!({ "key": { "suffix": "value" } }), "\"suffix\" must be an object or an array"),
            (json!({ "key_a": "value_one" }), "\"key_a\" must be an object or an array"),
            (json!({ "key": [{ "numeric": [] }] }), "Invalid member in numeric match: ]"),
            (json!({ "key": [{ "numeric": ["operator"] }] }), "Unrecognized numeric range operator: operator"),
            (json!({ "key": [{ "numeric": [1, "<="] }] }), "Invalid member in numeric match: 1"),
            (json!({ "key": [{ "numeric": ["=", "000"] }] }), "Value of equals must be numeric"),
            (json!({ "key": [{ "numeric": [">="] }] }), "Value of >= must be numeric"),
            (json!({ "key": [{ "numeric": ["<", 100, ">", 10] }] }), "Too many elements in numeric expression"),
            (json!({ "key": [{ "numeric": [">=", 1, ">", 2] }] }), "Bad numeric range operator: >"),
            (json!({ "key": [{ "numeric": [">", 3, "<", 1] }] }), "Bottom must be less than top"),
            (json!({ "key": [{ "numeric": [">", 20, "<="] }] }), "Value of <= must be numeric"),
            (json!({ "key": [{ "numeric": [">", 20, 30] }] }), "Bad value in numeric range: 30"),
            (
                json!({ "key": [{ "numeric": [">", 20, "<", 30, "<", 50] }] }),
                "Too many terms in numeric range expression",
            ),
            (json!({ "key": [{ "exists": "no" }] }), "exists match pattern must be either true or false."),
            (
                json!({ "a": [1], "b": [1], "c": [1], "d": [1], "e": [1], "f": [1] }),
                "Filter policy can not have more than 5 keys",
            ),
            (json!({ "a": vec![1; 151] }), "Filter policy is too complex"),
        ] {
            assert_eq!(compile(&policy.to_string(), Dialect::Sns).unwrap_err(), text, "{policy}");
        }
    }
}
