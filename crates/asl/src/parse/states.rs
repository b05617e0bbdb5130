//! The fields of a state, compiled: one function per state type, and the pieces they share.

use std::sync::Arc;

use jsonpath::ReferencePath;

use super::build::{Build, Targets, broken};
use super::operators::{Operator, operator};
use super::tree::{Json, Member, Node};
use crate::Payload;
use crate::jsonata::{self, Expression, Gate};
use crate::program::*;

/// The seconds before a first retry, where the retrier does not say.
const DEFAULT_INTERVAL_SECONDS: u64 = 1;
/// The retries of a retrier that does not say.
const DEFAULT_MAX_ATTEMPTS: u64 = 3;
/// How the delay grows where the retrier does not say.
const DEFAULT_BACKOFF_RATE: f64 = 2.0;

pub(super) fn kind(
    node: &Node,
    name: &str,
    language: QueryLanguage,
    inner: Vec<ScopeId>,
    targets: &Targets<'_>,
) -> Build<Kind> {
    match node.get("Type").and_then(Node::as_str) {
        Some("Task") => Ok(Kind::Task(Box::new(task(node, name, language, targets)?))),
        Some("Pass") => Ok(Kind::Pass(Pass {
            result: node.get("Result").map(|result| Payload::from(result.to_value())),
            parameters: template(node, "Parameters", name)?,
            result_path: result_path(node, name)?,
        })),
        Some("Choice") => choice(node, name, language, targets).map(Kind::Choice),
        Some("Wait") => wait(node, name, language).map(Kind::Wait),
        Some("Succeed") => Ok(Kind::Succeed),
        Some("Fail") => Ok(Kind::Fail(Fail {
            error: text(node, "Error", "ErrorPath", name, language)?,
            cause: text(node, "Cause", "CausePath", name, language)?,
        })),
        Some("Parallel") => Ok(Kind::Parallel(Box::new(Parallel {
            branches: inner,
            parameters: template(node, "Parameters", name)?,
            arguments: computed(node, "Arguments", name)?,
            result_selector: template(node, "ResultSelector", name)?,
            result_path: result_path(node, name)?,
            retry: retriers(node, name)?,
            catch: catchers(node, name, language, targets)?,
        }))),
        Some("Map") => Ok(Kind::Map(Box::new(map(node, name, language, &inner, targets)?))),
        _ => Err(broken(name, "no type of state")),
    }
}

fn task(node: &Node, name: &str, language: QueryLanguage, targets: &Targets<'_>) -> Build<Task> {
    let resource = node.get("Resource").and_then(Node::as_str).ok_or_else(|| broken(name, "no Resource"))?;
    Ok(Task {
        resource: Resource::parse(resource),
        parameters: template(node, "Parameters", name)?,
        arguments: computed(node, "Arguments", name)?,
        result_selector: template(node, "ResultSelector", name)?,
        result_path: result_path(node, name)?,
        timeout_seconds: amount(node, "TimeoutSeconds", "TimeoutSecondsPath", name, language)?,
        heartbeat_seconds: amount(node, "HeartbeatSeconds", "HeartbeatSecondsPath", name, language)?,
        credentials: of_jsonpath(language, || template(node, "Credentials", name))?,
        computed_credentials: of_jsonata(language, || computed(node, "Credentials", name))?,
        retry: retriers(node, name)?,
        catch: catchers(node, name, language, targets)?,
    })
}

fn wait(node: &Node, name: &str, language: QueryLanguage) -> Build<Wait> {
    if let Some(seconds) = node.get("Seconds") {
        if let Some(expression) = expression(seconds, name, language)? {
            return Ok(Wait::SecondsExpression(expression));
        }
        return whole(seconds).map(Wait::Seconds).ok_or_else(|| broken(name, "Seconds is no whole number"));
    }
    if let Some(path) = optional_path(node, "SecondsPath", name)? {
        return Ok(Wait::SecondsPath(path));
    }
    if let Some(timestamp) = node.get("Timestamp") {
        if let Some(expression) = expression(timestamp, name, language)? {
            return Ok(Wait::TimestampExpression(expression));
        }
        let timestamp = timestamp.as_str().ok_or_else(|| broken(name, "Timestamp is no string"))?;
        return Ok(Wait::Timestamp(timestamp.into()));
    }
    let path = optional_path(node, "TimestampPath", name)?;
    path.map(Wait::TimestampPath).ok_or_else(|| broken(name, "nothing to wait for"))
}

fn choice(node: &Node, name: &str, language: QueryLanguage, targets: &Targets<'_>) -> Build<Choice> {
    let rules = node.get("Choices").map_or(&[][..], Node::elements).iter();
    let rules = rules.map(|rule| {
        Ok(ChoiceRule {
            condition: match rule.get("Condition") {
                Some(condition) => Condition::Computed(computed_of(condition, name)?),
                None => condition(rule, name)?,
            },
            next: targets.of(rule.get("Next"), name)?,
            assign: assign(rule, name, language)?,
            output: computed(rule, "Output", name)?,
        })
    });
    let default = node.get("Default").map(|default| targets.of(Some(default), name)).transpose()?;
    Ok(Choice { rules: rules.collect::<Build<_>>()?, default })
}

fn condition(rule: &Node, name: &str) -> Build<Condition> {
    let all = |rules: &Node| rules.elements().iter().map(|rule| condition(rule, name)).collect::<Build<Vec<_>>>();
    if let Some(rules) = rule.get("And") {
        return all(rules).map(Condition::And);
    }
    if let Some(rules) = rule.get("Or") {
        return all(rules).map(Condition::Or);
    }
    if let Some(rule) = rule.get("Not") {
        return Ok(Condition::Not(Box::new(condition(rule, name)?)));
    }
    let variable = optional_path(rule, "Variable", name)?.ok_or_else(|| broken(name, "a rule without Variable"))?;
    let found = rule.members().iter().find_map(|member| Some((operator(&member.name)?, &member.value)));
    let (operator, value) = found.ok_or_else(|| broken(name, "a rule without comparison"))?;
    match operator {
        Operator::Is(test) => Ok(Condition::Is { variable, test, expected: value.as_bool().unwrap_or(true) }),
        Operator::Compare { comparison, by_path: true } => {
            let operand = Operand::Path(path(value, name)?);
            Ok(Condition::Compare { variable, comparison, operand })
        }
        Operator::Compare { comparison, by_path: false } => {
            Ok(Condition::Compare { variable, comparison, operand: Operand::Literal(value.to_value()) })
        }
    }
}

fn map(node: &Node, name: &str, language: QueryLanguage, inner: &[ScopeId], targets: &Targets<'_>) -> Build<Map> {
    let processor = node.get("ItemProcessor").or_else(|| node.get("Iterator"));
    let config = processor.and_then(|processor| processor.get("ProcessorConfig"));
    let word = |field: &str| config.and_then(|config| config.get(field)).and_then(Node::as_str);
    let mode = match word("Mode") {
        Some("DISTRIBUTED") => MapMode::Distributed { express: word("ExecutionType") == Some("EXPRESS") },
        _ => MapMode::Inline,
    };
    let selector = of_jsonpath(language, || template(node, "ItemSelector", name))?;
    let number = |field: &str, path_field: &str| amount(node, field, path_field, name, language);
    Ok(Map {
        processor: *inner.first().ok_or_else(|| broken(name, "no ItemProcessor"))?,
        mode,
        items_path: selection(node, "ItemsPath", name)?,
        items: computed(node, "Items", name)?,
        item_selector: if selector.is_some() { selector } else { template(node, "Parameters", name)? },
        computed_item_selector: of_jsonata(language, || computed(node, "ItemSelector", name))?,
        max_concurrency: number("MaxConcurrency", "MaxConcurrencyPath")?,
        tolerated_failure_count: number("ToleratedFailureCount", "ToleratedFailureCountPath")?,
        tolerated_failure_percentage: number("ToleratedFailurePercentage", "ToleratedFailurePercentagePath")?,
        label: node.get("Label").and_then(Node::as_str).map(Arc::from),
        distribution: distribution(node, name, language)?,
        result_selector: template(node, "ResultSelector", name)?,
        result_path: result_path(node, name)?,
        retry: retriers(node, name)?,
        catch: catchers(node, name, language, targets)?,
    })
}

fn distribution(node: &Node, name: &str, language: QueryLanguage) -> Build<Distribution> {
    let resource = |node: &Node| node.get("Resource").and_then(Node::as_str).map(Resource::parse);
    let config = |node: &Node, field: &str| node.get(field).map(|config| Payload::from(config.to_value()));
    let item_reader = match node.get("ItemReader") {
        None => None,
        Some(reader) => Some(ItemReader {
            resource: resource(reader).ok_or_else(|| broken(name, "an ItemReader without Resource"))?,
            parameters: template(reader, "Parameters", name)?,
            arguments: computed(reader, "Arguments", name)?,
            config: config(reader, "ReaderConfig"),
            max_items: match reader.get("ReaderConfig") {
                Some(config) => amount(config, "MaxItems", "MaxItemsPath", name, language)?,
                None => None,
            },
        }),
    };
    let item_batcher = match node.get("ItemBatcher") {
        None => None,
        Some(batcher) => Some(ItemBatcher {
            batch_input: of_jsonpath(language, || template(batcher, "BatchInput", name))?,
            computed_batch_input: of_jsonata(language, || computed(batcher, "BatchInput", name))?,
            max_items_per_batch: amount(batcher, "MaxItemsPerBatch", "MaxItemsPerBatchPath", name, language)?,
            max_input_bytes_per_batch: amount(
                batcher,
                "MaxInputBytesPerBatch",
                "MaxInputBytesPerBatchPath",
                name,
                language,
            )?,
        }),
    };
    let result_writer = match node.get("ResultWriter") {
        None => None,
        Some(writer) => Some(ResultWriter {
            resource: resource(writer),
            parameters: template(writer, "Parameters", name)?,
            arguments: computed(writer, "Arguments", name)?,
            config: config(writer, "WriterConfig"),
        }),
    };
    Ok(Distribution { item_reader, item_batcher, result_writer })
}

fn retriers(node: &Node, name: &str) -> Build<Vec<Retrier>> {
    let retriers = node.get("Retry").map_or(&[][..], Node::elements).iter();
    let retriers = retriers.map(|retrier| {
        let number = |field: &str| retrier.get(field).map(|value| whole(value).ok_or_else(|| broken(name, field)));
        Ok(Retrier {
            error_equals: error_equals(retrier),
            interval_seconds: number("IntervalSeconds").transpose()?.unwrap_or(DEFAULT_INTERVAL_SECONDS),
            max_attempts: number("MaxAttempts").transpose()?.unwrap_or(DEFAULT_MAX_ATTEMPTS),
            backoff_rate: retrier.get("BackoffRate").and_then(Node::as_f64).unwrap_or(DEFAULT_BACKOFF_RATE),
            max_delay_seconds: number("MaxDelaySeconds").transpose()?,
            full_jitter: retrier.get("JitterStrategy").and_then(Node::as_str) == Some("FULL"),
        })
    });
    retriers.collect()
}

fn catchers(node: &Node, name: &str, language: QueryLanguage, targets: &Targets<'_>) -> Build<Vec<Catcher>> {
    let catchers = node.get("Catch").map_or(&[][..], Node::elements).iter();
    let catchers = catchers.map(|catcher| {
        Ok(Catcher {
            error_equals: error_equals(catcher),
            next: targets.of(catcher.get("Next"), name)?,
            result_path: result_path(catcher, name)?,
            assign: assign(catcher, name, language)?,
            output: computed(catcher, "Output", name)?,
        })
    });
    catchers.collect()
}

fn error_equals(node: &Node) -> Vec<Arc<str>> {
    let names = node.get("ErrorEquals").map_or(&[][..], Node::elements);
    names.iter().filter_map(Node::as_str).map(Arc::from).collect()
}

pub(super) fn selection(node: &Node, field: &str, name: &str) -> Build<Selection> {
    match node.get(field) {
        None => Ok(Selection::Whole),
        Some(value) if value.is_null() => Ok(Selection::Empty),
        Some(value) if value.as_str() == Some("$") => Ok(Selection::Whole),
        Some(value) => path(value, name).map(Selection::Path),
    }
}

fn result_path(node: &Node, name: &str) -> Build<ResultPath> {
    match node.get("ResultPath") {
        None => Ok(ResultPath::Replace),
        Some(value) if value.is_null() => Ok(ResultPath::Discard),
        Some(value) if value.as_str() == Some("$") => Ok(ResultPath::Replace),
        Some(value) => {
            let text = value.as_str().ok_or_else(|| broken(name, "ResultPath is no path"))?;
            ReferencePath::parse(text).map(ResultPath::At).map_err(|error| broken(name, error.to_string()))
        }
    }
}

fn path(node: &Node, name: &str) -> Build<Path> {
    let text = node.as_str().ok_or_else(|| broken(name, "a path must be a string"))?;
    Path::parse(text).map_err(|error| broken(name, format!("'{text}' is no path: {error}")))
}

fn optional_path(node: &Node, field: &str, name: &str) -> Build<Option<Path>> {
    node.get(field).map(|value| path(value, name)).transpose()
}

fn amount(node: &Node, field: &str, path_field: &str, name: &str, language: QueryLanguage) -> Build<Option<Amount>> {
    match node.get(field) {
        Some(value) => {
            if let Some(expression) = expression(value, name, language)? {
                return Ok(Some(Amount::Expression(expression)));
            }
            let number = value.as_f64().ok_or_else(|| broken(name, format!("{field} is no number")))?;
            Ok(Some(Amount::Literal(number)))
        }
        None => Ok(optional_path(node, path_field, name)?.map(Amount::Path)),
    }
}

fn text(node: &Node, field: &str, path_field: &str, name: &str, language: QueryLanguage) -> Build<Option<Text>> {
    if let Some(literal) = node.get(field) {
        if let Some(expression) = expression(literal, name, language)? {
            return Ok(Some(Text::Expression(expression)));
        }
        let literal = literal.as_str().ok_or_else(|| broken(name, format!("{field} is no string")))?;
        return Ok(Some(Text::Literal(literal.into())));
    }
    node.get(path_field).map(|value| dynamic(value, name).map(Text::Dynamic)).transpose()
}

fn dynamic(node: &Node, name: &str) -> Build<Dynamic> {
    let text = node.as_str().ok_or_else(|| broken(name, "a path or an intrinsic function must be a string"))?;
    Dynamic::parse(text).map_err(|error| broken(name, error.to_string()))
}

fn template(node: &Node, field: &str, name: &str) -> Build<Option<Template>> {
    node.get(field).map(|value| template_of(value, name)).transpose()
}

fn template_of(node: &Node, name: &str) -> Build<Template> {
    match &node.json {
        Json::Array(elements) => {
            let parts = elements.iter().map(|element| template_of(element, name)).collect::<Build<Vec<_>>>()?;
            if parts.iter().all(|part| matches!(part, Template::Literal(_))) {
                return Ok(Template::Literal(Payload::from(node.to_value())));
            }
            Ok(Template::Array(parts))
        }
        Json::Object(members) => {
            let parts = template_members(members, name)?;
            if parts.iter().all(|(_, part)| matches!(part, Template::Literal(_))) {
                return Ok(Template::Literal(Payload::from(node.to_value())));
            }
            Ok(Template::Object(parts))
        }
        _ => Ok(Template::Literal(Payload::from(node.to_value()))),
    }
}

fn template_members(members: &[Member], name: &str) -> Build<Vec<(Arc<str>, Template)>> {
    let parts = members.iter().map(|member| match member.name.strip_suffix(".$") {
        Some(plain) => {
            let value = dynamic(&member.value, name)?;
            Ok((plain.into(), Template::Dynamic { field: member.name.as_str().into(), value }))
        }
        None => Ok((member.name.as_str().into(), template_of(&member.value, name)?)),
    });
    parts.collect()
}

/// A field that is a template in one language and JSONata in the other.
fn of_jsonpath<T>(language: QueryLanguage, read: impl FnOnce() -> Build<Option<T>>) -> Build<Option<T>> {
    if language == QueryLanguage::JsonPath { read() } else { Ok(None) }
}

fn of_jsonata<T>(language: QueryLanguage, read: impl FnOnce() -> Build<Option<T>>) -> Build<Option<T>> {
    if language == QueryLanguage::Jsonata { read() } else { Ok(None) }
}

pub(super) fn computed(node: &Node, field: &str, name: &str) -> Build<Option<Computed>> {
    node.get(field).map(|value| computed_of(value, name)).transpose()
}

fn computed_of(node: &Node, name: &str) -> Build<Computed> {
    let literal = || Ok(Computed::Literal(Payload::from(node.to_value())));
    match &node.json {
        Json::String(_) => match expression(node, name, QueryLanguage::Jsonata)? {
            Some(expression) => Ok(Computed::Expression(expression)),
            None => literal(),
        },
        Json::Array(elements) => {
            let parts = elements.iter().map(|element| computed_of(element, name)).collect::<Build<Vec<_>>>()?;
            if parts.iter().all(|part| matches!(part, Computed::Literal(_))) {
                return literal();
            }
            Ok(Computed::Array(parts))
        }
        Json::Object(members) => {
            let parts = members
                .iter()
                .map(|member| Ok((Arc::from(member.name.as_str()), computed_of(&member.value, name)?)))
                .collect::<Build<Vec<_>>>()?;
            if parts.iter().all(|(_, part)| matches!(part, Computed::Literal(_))) {
                return literal();
            }
            Ok(Computed::Object(parts))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => literal(),
    }
}

/// What a string of a JSONata state says between its delimiters; nothing for any other value.
fn expression(node: &Node, name: &str, language: QueryLanguage) -> Build<Option<Expression>> {
    let Some(text) = node.as_str().filter(|_| language == QueryLanguage::Jsonata).and_then(jsonata::delimited) else {
        return Ok(None);
    };
    let compiled = Expression::compile(text, Gate::Aws);
    compiled.map(Some).map_err(|refusals| broken(name, refusals.first().map_or("", |refusal| &refusal.message)))
}

pub(super) fn assign(node: &Node, name: &str, language: QueryLanguage) -> Build<Option<Assign>> {
    let Some(members) = node.get("Assign").map(Node::members) else { return Ok(None) };
    let assign = match language {
        QueryLanguage::JsonPath => Assign::Templates(template_members(members, name)?),
        QueryLanguage::Jsonata => Assign::Computed(
            members
                .iter()
                .map(|member| Ok((Arc::from(member.name.as_str()), computed_of(&member.value, name)?)))
                .collect::<Build<Vec<_>>>()?,
        ),
    };
    Ok(Some(assign))
}

/// A whole number, `5.0` too.
pub(super) fn whole(node: &Node) -> Option<u64> {
    node.as_u64()
        .or_else(|| node.as_f64().filter(|value| value.fract() == 0.0 && *value >= 0.0).map(|value| value as u64))
}
