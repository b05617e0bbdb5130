//! Payload templates and JSONata values: JSON in which some strings are code.

use super::object::Context;
use super::report::{Checker, Place};
use super::trail::Trail;
use crate::diagnostic::code;
use crate::jsonata::{self, Expression, Gate, Refusal};
use crate::parse::tree::{Json, Node};
use crate::program::Dynamic;

impl Checker<'_> {
    /// `Parameters`, `ResultSelector`, …: what stands behind a name that ends in `.$` is evaluated.
    pub fn template(&mut self, node: &Node, trail: &Trail<'_>) {
        for (index, element) in node.elements().iter().enumerate() {
            self.template(element, &trail.index(index));
        }
        for member in node.members() {
            let inner = trail.name(&member.name);
            if let Some(plain) = member.name.strip_suffix(".$") {
                if node.has(plain) {
                    let place = Place { location: trail, pointer: &inner, span: &member.name_span };
                    let message = format!("Duplicate field '{plain}': it is given as '{plain}' and as '{plain}.$'");
                    self.error(code::SCHEMA_VALIDATION_FAILED, &place, message, "Keep one of them.");
                }
                self.dynamic(&member.name, &member.value, trail, &inner);
            } else if let Some(text) = member.value.as_str() {
                let place = Place { location: &inner, pointer: &inner, span: &member.value.span };
                if looks_dynamic(text) {
                    let name = &member.name;
                    let message = format!(
                        "The value of the field '{name}' looks like a JSONPath or an intrinsic function call, but is static"
                    );
                    let help = format!("Name the field '{name}.$' if the value is to be evaluated.");
                    self.warning(code::NO_DOLLAR, &place, message, &help);
                }
            } else {
                self.template(&member.value, &inner);
            }
        }
    }

    fn dynamic(&mut self, name: &str, value: &Node, holder: &Trail<'_>, trail: &Trail<'_>) {
        if self.is_open(value) {
            return;
        }
        let place = Place { location: holder, pointer: trail, span: &value.span };
        let Some(text) = value.as_str() else {
            let found = match &value.json {
                Json::Null => "NULL",
                Json::Bool(_) => "BOOLEAN",
                Json::Number(_) => "NUMBER",
                Json::String(_) => "STRING",
                Json::Array(_) => "ARRAY",
                Json::Object(_) => "OBJECT",
            };
            let message = format!(
                "The value for the field '{name}' must be a STRING that contains a JSONPath but was an {found}"
            );
            let help = "Remove '.$' from the name, or write a path.";
            return self.error(code::SCHEMA_VALIDATION_FAILED, &place, message, help);
        };
        if let Err(error) = Dynamic::parse(text) {
            let message =
                format!("The value for the field '{name}' must be a valid JSONPath or a valid intrinsic function call");
            self.error(code::SCHEMA_VALIDATION_FAILED, &place, message, &error.to_string());
        }
    }

    /// `Arguments`, `Output`, …: a string in `{% %}` is JSONata.
    pub fn expression(&mut self, node: &Node, trail: &Trail<'_>, context: &Context) {
        if let Some(text) = node.as_str().filter(|_| !self.is_open(node)) {
            match jsonata::delimited(text) {
                Some(expression) => self.jsonata(expression, node, trail, context),
                None if text.starts_with("{%") != text.ends_with("%}") => {
                    let message = "JSONata string must start with {% and end with %}";
                    self.wrong(node, trail, message, "Write the whole string as one expression: {% … %}.");
                }
                None => {}
            }
        }
        for (index, element) in node.elements().iter().enumerate() {
            self.expression(element, &trail.index(index), context);
        }
        for member in node.members() {
            self.expression(&member.value, &trail.name(&member.name), context);
        }
    }

    /// What stands between the delimiters.
    fn jsonata(&mut self, text: &str, node: &Node, trail: &Trail<'_>, context: &Context) {
        let refusals = match Expression::compile(text, Gate::Aws) {
            Err(refusals) => refusals,
            Ok(expression) => {
                let missing = context.missing(&expression);
                missing.map(|(member, offset)| Refusal::no_such_member(member, *offset)).into_iter().collect()
            }
        };
        let place = Place { location: trail, pointer: trail, span: &node.span };
        for refusal in refusals {
            let at = text.trim().get(..refusal.offset).map_or(0, |before| before.chars().count()) + 1;
            self.error(refusal.code, &place, refusal.message, &format!("At character {at} of the expression."));
        }
    }
}

/// What a reader would take for code.
pub fn looks_dynamic(text: &str) -> bool {
    let path =
        text == "$" || text == "$$" || text.starts_with("$.") || text.starts_with("$$.") || text.starts_with("$[");
    let intrinsic = text.starts_with("States.") && text.contains('(') && text.ends_with(')');
    path || intrinsic
}
