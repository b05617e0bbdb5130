//! The fields of a state, compiled: one function per state type, and the pieces they share.

use std::sync::Arc;

use jsonpath::ReferencePath;

use super::build::{Build, Targets, broken};
use super::operators::{Operator, operator};
use super::tree::{Json, Node};
use crate::Payload;
use crate::program::*;

/// The seconds before a first retry, where the retrier does not say.
const DEFAULT_INTERVAL_SECONDS: u64 = 1;
/// The retries of a retrier that does not say.
const DEFAULT_MAX_ATTEMPTS: u64 = 3;
/// How the delay grows where the retrier does not say.
const DEFAULT_BACKOFF_RATE: f64 = 2.0;

/// Whether a state sets variables.
pub(super) fn assigns(node: &Node) -> bool {
    let inside =
        |name: &str| node.get(name).map_or(&[][..], Node::elements).iter().any(|element| element.has("Assign"));
    node.has("Assign") || inside("Catch") || inside("Choices")
}

pub(super) fn kind(node: &Node, name: &str, inner: Vec<ScopeId>, targets: &Targets<'_>) -> Build<Kind> {
    match node.get("Type").and_then(Node::as_str) {
        Some("Task") => Ok(Kind::Task(Box::new(task(node, name, targets)?))),
        Some("Pass") => Ok(Kind::Pass(Pass {
            result: node.get("Result").map(|result| Payload::from(result.to_value())),
            parameters: template(node, "Parameters", name)?,
            result_path: result_path(node, name)?,
        })),
        Some("Choice") => choice(node, name, targets).map(Kind::Choice),
        Some("Wait") => wait(node, name).map(Kind::Wait),
        Some("Succeed") => Ok(Kind::Succeed),
        Some("Fail") => Ok(Kind::Fail(Fail {
            error: text(node, "Error", "ErrorPath", name)?,
            cause: text(node, "Cause", "CausePath", name)?,
        })),
        Some("Parallel") => Ok(Kind::Parallel(Box::new(Parallel {
            branches: inner,
            parameters: template(node, "Parameters", name)?,
            result_selector: template(node, "ResultSelector", name)?,
            result_path: result_path(node, name)?,
            retry: retriers(node, name)?,
            catch: catchers(node, name, targets)?,
        }))),
        Some("Map") => Ok(Kind::Map(Box::new(map(node, name, &inner, targets)?))),
        _ => Err(broken(name, "no type of state")),
    }
}

fn task(node: &Node, name: &str, targets: &Targets<'_>) -> Build<Task> {
    let resource = node.get("Resource").and_then(Node::as_str).ok_or_else(|| broken(name, "no Resource"))?;
    Ok(Task {
        resource: Resource::parse(resource),
        parameters: template(node, "Parameters", name)?,
        result_selector: template(node, "ResultSelector", name)?,
        result_path: result_path(node, name)?,
        timeout_seconds: amount(node, "TimeoutSeconds", "TimeoutSecondsPath", name)?,
        heartbeat_seconds: amount(node, "HeartbeatSeconds", "HeartbeatSecondsPath", name)?,
        credentials: template(node, "Credentials", name)?,
        retry: retriers(node, name)?,
        catch: catchers(node, name, targets)?,
    })
}

fn wait(node: &Node, name: &str) -> Build<Wait> {
    if let Some(seconds) = node.get("Seconds") {
        return whole(seconds).map(Wait::Seconds).ok_or_else(|| broken(name, "Seconds is no whole number"));
    }
    if let Some(path) = optional_path(node, "SecondsPath", name)? {
        return Ok(Wait::SecondsPath(path));
    }
    if let Some(timestamp) = node.get("Timestamp").and_then(Node::as_str) {
        return Ok(Wait::Timestamp(timestamp.into()));
    }
    let path = optional_path(node, "TimestampPath", name)?;
    path.map(Wait::TimestampPath).ok_or_else(|| broken(name, "nothing to wait for"))
}

fn choice(node: &Node, name: &str, targets: &Targets<'_>) -> Build<Choice> {
    let rules = node.get("Choices").map_or(&[][..], Node::elements).iter();
    let rules = rules
        .map(|rule| Ok(ChoiceRule { condition: condition(rule, name)?, next: targets.of(rule.get("Next"), name)? }));
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

fn map(node: &Node, name: &str, inner: &[ScopeId], targets: &Targets<'_>) -> Build<Map> {
    let processor = node.get("ItemProcessor").or_else(|| node.get("Iterator"));
    let config = processor.and_then(|processor| processor.get("ProcessorConfig"));
    let word = |field: &str| config.and_then(|config| config.get(field)).and_then(Node::as_str);
    let mode = match word("Mode") {
        Some("DISTRIBUTED") => MapMode::Distributed { express: word("ExecutionType") == Some("EXPRESS") },
        _ => MapMode::Inline,
    };
    let selector = template(node, "ItemSelector", name)?;
    Ok(Map {
        processor: *inner.first().ok_or_else(|| broken(name, "no ItemProcessor"))?,
        mode,
        items_path: selection(node, "ItemsPath", name)?,
        item_selector: if selector.is_some() { selector } else { template(node, "Parameters", name)? },
        max_concurrency: amount(node, "MaxConcurrency", "MaxConcurrencyPath", name)?,
        tolerated_failure_count: amount(node, "ToleratedFailureCount", "ToleratedFailureCountPath", name)?,
        tolerated_failure_percentage: amount(
            node,
            "ToleratedFailurePercentage",
            "ToleratedFailurePercentagePath",
            name,
        )?,
        label: node.get("Label").and_then(Node::as_str).map(Arc::from),
        distribution: distribution(node, name)?,
        result_selector: template(node, "ResultSelector", name)?,
        result_path: result_path(node, name)?,
        retry: retriers(node, name)?,
        catch: catchers(node, name, targets)?,
    })
}

fn distribution(node: &Node, name: &str) -> Build<Distribution> {
    let resource = |node: &Node| node.get("Resource").and_then(Node::as_str).map(Resource::parse);
    let config = |node: &Node, field: &str| node.get(field).map(|config| Payload::from(config.to_value()));
    let item_reader = match node.get("ItemReader") {
        None => None,
        Some(reader) => Some(ItemReader {
            resource: resource(reader).ok_or_else(|| broken(name, "an ItemReader without Resource"))?,
            parameters: template(reader, "Parameters", name)?,
            config: config(reader, "ReaderConfig"),
            max_items: match reader.get("ReaderConfig") {
                Some(config) => amount(config, "MaxItems", "MaxItemsPath", name)?,
                None => None,
            },
        }),
    };
    let item_batcher = match node.get("ItemBatcher") {
        None => None,
        Some(batcher) => Some(ItemBatcher {
            batch_input: template(batcher, "BatchInput", name)?,
            max_items_per_batch: amount(batcher, "MaxItemsPerBatch", "MaxItemsPerBatchPath", name)?,
            max_input_bytes_per_batch: amount(batcher, "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath", name)?,
        }),
    };
    let result_writer = match node.get("ResultWriter") {
        None => None,
        Some(writer) => Some(ResultWriter {
            resource: resource(writer),
            parameters: template(writer, "Parameters", name)?,
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

fn catchers(node: &Node, name: &str, targets: &Targets<'_>) -> Build<Vec<Catcher>> {
    let catchers = node.get("Catch").map_or(&[][..], Node::elements).iter();
    let catchers = catchers.map(|catcher| {
        Ok(Catcher {
            error_equals: error_equals(catcher),
            next: targets.of(catcher.get("Next"), name)?,
            result_path: result_path(catcher, name)?,
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

fn amount(node: &Node, field: &str, path_field: &str, name: &str) -> Build<Option<Amount>> {
    match node.get(field) {
        Some(value) => {
            let number = value.as_f64().ok_or_else(|| broken(name, format!("{field} is no number")))?;
            Ok(Some(Amount::Literal(number)))
        }
        None => Ok(optional_path(node, path_field, name)?.map(Amount::Path)),
    }
}

fn text(node: &Node, field: &str, path_field: &str, name: &str) -> Build<Option<Text>> {
    if let Some(literal) = node.get(field) {
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
            let parts = members.iter().map(|member| match member.name.strip_suffix(".$") {
                Some(plain) => {
                    let value = dynamic(&member.value, name)?;
                    Ok((plain.into(), Template::Dynamic { field: member.name.as_str().into(), value }))
                }
                None => Ok((member.name.as_str().into(), template_of(&member.value, name)?)),
            });
            let parts = parts.collect::<Build<Vec<(Arc<str>, Template)>>>()?;
            if parts.iter().all(|(_, part)| matches!(part, Template::Literal(_))) {
                return Ok(Template::Literal(Payload::from(node.to_value())));
            }
            Ok(Template::Object(parts))
        }
        _ => Ok(Template::Literal(Payload::from(node.to_value()))),
    }
}

/// A whole number, `5.0` too.
pub(super) fn whole(node: &Node) -> Option<u64> {
    node.as_u64()
        .or_else(|| node.as_f64().filter(|value| value.fract() == 0.0 && *value >= 0.0).map(|value| value as u64))
}
