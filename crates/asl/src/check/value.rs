//! A value against its rule.

use super::object::{Context, Offers};
use super::report::{Checker, Place};
use super::shapes::{Rule, Shape};
use super::trail::Trail;
use crate::diagnostic::code;
use crate::jsonata;
use crate::parse::tree::{Json, Node};
use crate::program::{Dynamic, Path, QueryLanguage};
use crate::timestamp::is_rfc3339;
use jsonpath::{Head, ReferencePath};

/// The longest name of a variable, in characters.
const MAX_VARIABLE_CHARS: usize = 80;
/// The longest label, in characters.
const MAX_LABEL_CHARS: usize = 40;
/// What a label cannot have, beside white space and control characters.
const FORBIDDEN_IN_LABELS: &str = "?*<>{}[]\"#%\\^|~`$&,;:/";

/// What a `QueryLanguage` comes to: whatever is not exactly `JSONPath` is JSONata, as on AWS.
pub fn language(value: &Node) -> QueryLanguage {
    match value.as_str() {
        Some("JSONPath") => QueryLanguage::JsonPath,
        _ => QueryLanguage::Jsonata,
    }
}

impl Checker<'_> {
    pub fn value(&mut self, rule: &Rule, node: &Node, trail: &Trail<'_>, context: &Context) {
        if self.is_open(node) {
            return;
        }
        match rule {
            Rule::Any => {}
            Rule::Text => self.text(node, trail),
            Rule::Words => {
                self.text(node, trail);
                if context.language == QueryLanguage::Jsonata {
                    self.expression(node, trail, context);
                }
            }
            Rule::Flag => {
                if node.as_bool().is_none() {
                    self.wrong(node, trail, "Expected value of type [BOOLEAN]", "Write true or false, without quotes.");
                }
            }
            Rule::Integer { min, max } => self.integer(node, trail, context, *min, *max),
            Rule::Number { min, max } => self.number(node, trail, context, *min, *max),
            Rule::Word(words) => self.word(node, trail, words),
            Rule::Language => self.word(node, trail, &["JSONPath", "JSONata"]),
            Rule::Path => self.path(node, trail),
            Rule::ReferencePath { nullable, context } => {
                if !(*nullable && node.is_null()) {
                    self.reference_path(node, trail, *context, !*nullable);
                }
            }
            Rule::PathOrIntrinsic => match node.as_str().map(Dynamic::parse) {
                Some(Ok(_)) => {}
                _ => {
                    let help =
                        "Write a path such as $.error, or an intrinsic function such as States.Format('{}', $.x).";
                    self.wrong(node, trail, "Value must be a valid JSONPath or a valid intrinsic function call", help);
                }
            },
            Rule::Template if context.language == QueryLanguage::JsonPath => self.template(node, trail),
            Rule::Template | Rule::Expression => self.expression(node, trail, context),
            Rule::Assign => self.assign(node, trail, context),
            Rule::Timestamp => {
                if node.as_str().is_some_and(|text| self.is_expression(text, context)) {
                    self.expression(node, trail, context);
                } else if !node.as_str().is_some_and(is_rfc3339) {
                    let help = "Write an instant such as 2016-03-14T01:59:00Z.";
                    self.wrong(node, trail, "String does not match RFC3339 timestamp", help);
                }
            }
            Rule::Resource => self.resource(node, trail),
            Rule::S3(actions) => self.s3_resource(node, trail, actions),
            Rule::Credentials => self.credentials(node, trail, context),
            Rule::Label => self.label(node, trail),
            Rule::Object(shape) => {
                // The executions of a distributed Map see no variables of the machine.
                let mode = node.get("ProcessorConfig").and_then(|config| config.get("Mode"));
                let is_apart = mode.and_then(Node::as_str) == Some("DISTRIBUTED");
                let outside = if is_apart { std::mem::take(&mut self.assigned) } else { Vec::new() };
                self.object(node, shape, trail, context);
                if is_apart {
                    self.assigned = outside;
                }
            }
            Rule::List(rule) => {
                if !node.is_array() {
                    return self.wrong(node, trail, "Expected value of type [ARRAY]", "Write a list here: [ … ].");
                }
                if node.elements().is_empty() {
                    self.wrong(node, trail, "Value cannot be empty", "Add at least one element.");
                }
                for (index, element) in node.elements().iter().enumerate() {
                    self.value(rule, element, &trail.index(index), context);
                }
            }
            Rule::Handlers(shape) => self.handlers(node, shape, trail, context),
            Rule::ChoiceRules => self.choice_rules(node, trail, context),
            Rule::States => self.states(node, trail),
        }
    }

    /// Whether a string stands for a value that JSONata computes.
    fn is_expression(&self, text: &str, context: &Context) -> bool {
        context.language == QueryLanguage::Jsonata && jsonata::delimited(text).is_some()
    }

    pub fn text(&mut self, node: &Node, trail: &Trail<'_>) {
        if node.as_str().is_none() {
            self.wrong(node, trail, "Expected value of type [STRING]", "Write a string here.");
        }
    }

    fn integer(&mut self, node: &Node, trail: &Trail<'_>, context: &Context, min: u64, max: u64) {
        let number = match &node.json {
            Json::Number(number) => number,
            Json::String(text) if self.is_expression(text, context) => return self.expression(node, trail, context),
            _ => {
                return self.wrong(
                    node,
                    trail,
                    "Expected value of type Integer",
                    "Write a whole number, without quotes.",
                );
            }
        };
        let fraction = number.as_f64().is_some_and(|value| value.fract() != 0.0);
        let value = number.as_f64().unwrap_or(f64::MAX);
        if fraction {
            self.wrong(node, trail, "Expected value of type Integer", "Write a whole number.");
        } else if value < min as f64 {
            self.wrong(node, trail, format!("Minimum value is {min}"), "");
        } else if max != u64::MAX && value > max as f64 {
            self.wrong(node, trail, format!("Maximum value is {max}"), "");
        }
    }

    fn number(&mut self, node: &Node, trail: &Trail<'_>, context: &Context, min: f64, max: f64) {
        let value = match &node.json {
            Json::Number(number) => number.as_f64().unwrap_or(f64::MAX),
            Json::String(text) if self.is_expression(text, context) => return self.expression(node, trail, context),
            _ => return self.wrong(node, trail, "Expected value of type [NUMBER]", "Write a number, without quotes."),
        };
        if value < min {
            self.wrong(node, trail, format!("Minimum value is {min:?}"), "");
        } else if value > max {
            self.wrong(node, trail, format!("Maximum value is {max:?}"), "");
        }
    }

    fn word(&mut self, node: &Node, trail: &Trail<'_>, words: &[&str]) {
        match node.as_str() {
            None => self.wrong(node, trail, "Expected value of type [STRING]", "Write a string here."),
            Some(text) if words.contains(&text) => {}
            Some(_) => {
                let message = format!("Value should be one of the following: [{}]", words.join(", "));
                self.wrong(node, trail, message, "");
            }
        }
    }

    fn path(&mut self, node: &Node, trail: &Trail<'_>) {
        let fits = node.is_null() || node.as_str().is_some_and(|text| Path::parse(text).is_ok());
        if !fits {
            self.wrong(node, trail, "Value must be a valid JSONPath.", PATH_HELP);
        }
    }

    /// `in_context`: whether `$$` is allowed; `in_variables`: whether `$name` is.
    pub fn reference_path(&mut self, node: &Node, trail: &Trail<'_>, in_context: bool, in_variables: bool) {
        match node.as_str() {
            Some(text) if text.starts_with('$') => {
                if !is_reference_path(text, in_context, in_variables) {
                    self.wrong(node, trail, "Value is not a Reference Path", REFERENCE_PATH_HELP);
                }
            }
            _ => self.wrong(node, trail, "Value must be a valid JSONPath.", PATH_HELP),
        }
    }

    fn assign(&mut self, node: &Node, trail: &Trail<'_>, context: &Context) {
        if !node.is_object() {
            return self.wrong(
                node,
                trail,
                "Expected value of type [OBJECT]",
                "Write an object: variables and their values.",
            );
        }
        for member in node.members() {
            let inner = trail.name(&member.name);
            let place = Place { location: trail, pointer: &inner, span: &member.name_span };
            let is_jsonpath = context.language == QueryLanguage::JsonPath;
            let name = member.name.strip_suffix(".$").filter(|_| is_jsonpath).unwrap_or(&member.name);
            if name == "states" {
                let message = "Cannot assign to reserved variable '$states'.";
                self.error(code::RESERVED_VARIABLE_NAME, &place, message, "Choose another name.");
            } else if !is_variable_name(name) {
                let message = format!("Invalid variable name '{name}': the variable name contains invalid characters.");
                let help = "A name begins with a letter and has letters, digits and '_'; at most 80 characters.";
                self.error(code::INVALID_VARIABLE_NAME, &place, message, help);
            } else if self.is_set_outside(name) {
                let message = format!("The variable name '{name}' was already defined in a parent scope.");
                let help = "Choose another name: what is set in a branch is not seen outside, and must not look so.";
                self.error(code::DUPLICATE_VARIABLE_NAME, &place, message, help);
            }
        }
        match context.language {
            QueryLanguage::JsonPath => self.template(node, trail),
            QueryLanguage::Jsonata => self.expression(node, trail, context),
        }
    }

    /// Whether a list of states around this one sets a variable of this name.
    fn is_set_outside(&self, name: &str) -> bool {
        let outside = self.assigned.len().saturating_sub(1);
        self.assigned[..outside].iter().any(|names| names.contains(name))
    }

    fn label(&mut self, node: &Node, trail: &Trail<'_>) {
        let Some(label) = node.as_str() else {
            return self.wrong(node, trail, "Expected value of type [STRING]", "Write a string here.");
        };
        let place = Place { location: trail, pointer: trail, span: &node.span };
        let forbidden = |c: char| c.is_whitespace() || c.is_control() || FORBIDDEN_IN_LABELS.contains(c);
        if label.is_empty() {
            self.error(code::INVALID_LABEL_NAME, &place, "Invalid Label name: must not be empty", "");
        } else if label.chars().count() > MAX_LABEL_CHARS {
            let message = format!(
                "Invalid Label name: {label} exceeds the {MAX_LABEL_CHARS}-character limit allowed by the service"
            );
            self.error(code::INVALID_LABEL_NAME, &place, message, "");
        } else if let Some(found) = label.chars().find(|c| forbidden(*c)) {
            let message = format!("Invalid Label name: {label} contains invalid character {found:?}");
            self.error(code::INVALID_LABEL_NAME, &place, message, "");
        }
        if !self.labels.insert(label.to_owned()) {
            let message = format!("Duplicate Label name: {label}");
            self.error(code::DUPLICATE_LABEL_NAME, &place, message, "Give each Map state its own label.");
        }
    }

    fn handlers(&mut self, node: &Node, shape: &Shape, trail: &Trail<'_>, context: &Context) {
        if !node.is_array() {
            return self.wrong(node, trail, "Expected value of type [ARRAY]", "Write a list here: [ … ].");
        }
        let last = node.elements().len().saturating_sub(1);
        for (index, handler) in node.elements().iter().enumerate() {
            let trail = trail.index(index);
            let context = Context { offers: Offers::ErrorOutput, ..*context };
            self.object(handler, shape, &trail, &context);
            let Some(errors) = handler.get("ErrorEquals") else { continue };
            let names = trail.name("ErrorEquals");
            let all = errors.elements().iter().position(|error| error.as_str() == Some("States.ALL"));
            if let Some(at) = all.filter(|_| errors.elements().len() > 1 || index != last) {
                let message = "States.ALL must appear alone and at end of list";
                let help = "Put States.ALL into an entry of its own, behind all others.";
                self.wrong(&errors.elements()[at], &names.index(at), message, help);
            }
        }
    }
}

pub const PATH_HELP: &str =
    "Write a path: $.field for the input, $$.field for the context object, $name for a variable.";
pub const REFERENCE_PATH_HELP: &str =
    "A reference path names one place: only $, .field, ['field'] and [0]; no *, .., ?, @ or slices.";

/// The variable that a member of `Assign` sets.
pub fn variable(name: &str) -> &str {
    name.strip_suffix(".$").unwrap_or(name)
}

/// Whether a text is a path that can name one place only.
pub fn is_reference_path(text: &str, in_context: bool, in_variables: bool) -> bool {
    let Ok(path) = Path::parse(text) else { return false };
    let (allowed, rest) = match &path.head {
        Head::Input => (true, text.to_owned()),
        Head::Context => (in_context, text[1..].to_owned()),
        Head::Variable(name) => (in_variables, format!("${}", &text[1 + name.len()..])),
    };
    allowed && ReferencePath::parse(&rest).is_ok()
}

fn is_variable_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && characters.all(|c| c.is_alphanumeric() || c == '_')
        && name.chars().count() <= MAX_VARIABLE_CHARS
}
