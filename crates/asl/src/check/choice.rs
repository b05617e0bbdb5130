//! The rules of a Choice state.

use super::object::Context;
use super::report::{Checker, Place};
use super::trail::Trail;
use super::value::{PATH_HELP, REFERENCE_PATH_HELP, is_reference_path};
use crate::QueryLanguage;
use crate::jsonata;
use crate::parse::operators::{OPERATORS, Operator, Wants, operator};
use crate::parse::tree::Node;
use crate::timestamp::is_rfc3339;

/// What decides; a rule has exactly one.
const SELECTORS: &[&str] = &["And", "Or", "Not", "Variable", "Condition"];

/// What a rule has beside what decides.
const BESIDE: &[&str] = &["Next", "Comment", "Assign", "Output"];

impl Checker<'_> {
    pub fn choice_rules(&mut self, node: &Node, trail: &Trail<'_>, context: &Context) {
        if !node.is_array() {
            return self.wrong(node, trail, "Expected value of type [ARRAY]", "Write a list of rules: [ … ].");
        }
        if node.elements().is_empty() {
            self.wrong(node, trail, "Value cannot be empty", "Add at least one rule.");
        }
        for (index, rule) in node.elements().iter().enumerate() {
            let trail = trail.index(index);
            self.choice_rule(rule, &trail, context, true);
            if rule.is_object() && !rule.has("Next") {
                self.wrong(rule, &trail, "These fields are required: [Next]", "Say where the machine goes.");
            }
        }
    }

    fn choice_rule(&mut self, rule: &Node, trail: &Trail<'_>, context: &Context, outermost: bool) {
        if !rule.is_object() {
            return self.wrong(rule, trail, "Expected value of type [OBJECT]", "Write a rule: an object.");
        }
        let has_variable = rule.has("Variable");
        for member in rule.members() {
            let name = member.name.as_str();
            let inner = trail.name(name);
            let place = Place { location: trail, pointer: &inner, span: &member.name_span };
            let beside = BESIDE.contains(&name) && (outermost || name == "Comment");
            let operator = operator(name).filter(|_| has_variable);
            if !(beside || operator.is_some() || SELECTORS.contains(&name)) {
                let known = OPERATORS.iter().map(|row| row.0).chain(SELECTORS.iter().chain(BESIDE).copied());
                self.unsupported(name, &place, known);
                continue;
            }
            let language = match name {
                "Condition" | "Output" => Some(QueryLanguage::Jsonata),
                _ if beside => None,
                _ => Some(QueryLanguage::JsonPath),
            };
            if context.mixed && language.is_some_and(|language| language != context.language) {
                self.other_language(name, &place, context.language);
                continue;
            }
            match (name, operator) {
                (_, Some(operator)) => self.operand(operator, &member.value, &inner),
                ("Variable", _) => self.variable(&member.value, &inner),
                ("And" | "Or", _) => self.inner_rules(&member.value, &inner, context),
                ("Not", _) => self.choice_rule(&member.value, &inner, context, false),
                ("Condition", _) => self.condition(&member.value, &inner, context),
                ("Assign", _) => self.value(&super::shapes::Rule::Assign, &member.value, &inner, context),
                ("Output", _) => self.expression(&member.value, &inner, context),
                _ => self.text(&member.value, &inner),
            }
        }
        self.deciders(rule, trail);
    }

    /// Exactly one thing decides, by exactly one comparison.
    fn deciders(&mut self, rule: &Node, trail: &Trail<'_>) {
        let selectors = SELECTORS.iter().filter(|name| rule.has(name)).count();
        if selectors != 1 {
            let message = format!("The object must have only one of the following fields, [{}]", SELECTORS.join(", "));
            return self.wrong(rule, trail, message, "Keep one of them; combine several with And, Or, Not.");
        }
        let operators = rule.members().iter().filter(|member| operator(&member.name).is_some()).count();
        if rule.has("Variable") && operators != 1 {
            let all: Vec<&str> = OPERATORS.iter().map(|row| row.0).collect();
            let message = match operators {
                0 => format!("This object should have only one of the following fields: [{}]", all.join(", ")),
                _ => format!("There should only be one of the following fields: [{}]", all.join(", ")),
            };
            self.wrong(rule, trail, message, "Compare the variable once; combine several comparisons with And.");
        }
    }

    fn inner_rules(&mut self, node: &Node, trail: &Trail<'_>, context: &Context) {
        if !node.is_array() {
            return self.wrong(node, trail, "Expected value of type [ARRAY]", "Write a list of rules: [ … ].");
        }
        if node.elements().is_empty() {
            self.wrong(node, trail, "Value cannot be empty", "Add at least one rule.");
        }
        for (index, rule) in node.elements().iter().enumerate() {
            self.choice_rule(rule, &trail.index(index), context, false);
        }
    }

    fn condition(&mut self, node: &Node, trail: &Trail<'_>, context: &Context) {
        if node.as_str().is_some_and(|text| jsonata::delimited(text).is_some()) {
            return self.expression(node, trail, context);
        }
        if node.as_bool().is_none() && !self.is_open(node) {
            let message = "JSONata string must start with {% and end with %}";
            self.wrong(node, trail, message, "Write a condition such as {% $states.input.n > 1 %}.");
        }
    }

    fn variable(&mut self, node: &Node, trail: &Trail<'_>) {
        if self.is_open(node) {
            return;
        }
        match node.as_str() {
            Some(text) if is_reference_path(text, true, true) => {}
            Some(text) if text.starts_with('$') => {
                self.wrong(node, trail, "Value is not a Reference Path", REFERENCE_PATH_HELP);
            }
            Some(_) => {
                let message = "Value is not a Reference Path: Reference path didn't start with '$'";
                self.wrong(node, trail, message, PATH_HELP);
            }
            None => self.wrong(node, trail, "Expected value of type [STRING]", PATH_HELP),
        }
    }

    fn operand(&mut self, operator: Operator, node: &Node, trail: &Trail<'_>) {
        if self.is_open(node) {
            return;
        }
        let (fits, message, help) = match operator.wants() {
            Wants::Path => return self.variable(node, trail),
            Wants::String => (node.as_str().is_some(), "Expected value of type [STRING]", "Write a string."),
            Wants::Number => {
                (node.as_f64().is_some(), "Expected value of type [NUMBER]", "Write a number, without quotes.")
            }
            Wants::Boolean => {
                (node.as_bool().is_some(), "Expected value of type [BOOLEAN]", "Write true or false, without quotes.")
            }
            Wants::Timestamp => (
                node.as_str().is_some_and(is_rfc3339),
                "String does not match RFC3339 timestamp",
                "Write an instant such as 2016-03-14T01:59:00Z.",
            ),
        };
        if !fits {
            self.wrong(node, trail, message, help);
        }
    }
}
