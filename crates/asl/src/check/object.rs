//! An object against its shape: what is missing, what does not belong, what excludes each other; then its values.

use std::sync::Arc;

use super::report::{Checker, Place};
use super::shapes::{Field, OneOf, Shape};
use super::trail::Trail;
use crate::QueryLanguage;
use crate::diagnostic::code;
use crate::jsonata::Expression;
use crate::parse::tree::Node;

/// How far a wrong name may be from a right one to be taken for a slip.
const SLIP: usize = 2;

/// What a state's values are written in.
pub struct Context {
    pub language: QueryLanguage,
    /// Whether fields of the other language are told; not in a state whose language is itself refused.
    pub mixed: bool,
    /// What `$states` has in `Output` and `Assign`, beside what it has everywhere.
    pub offers: Offers,
}

/// A member of `$states` that only some fields have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Offers {
    Nothing,
    /// `$states.result`: where a Task, Parallel or Map has succeeded.
    Result,
    /// `$states.errorOutput`: where one of them has failed.
    ErrorOutput,
}

impl Offers {
    fn has(self, member: &str) -> bool {
        match member {
            "result" => self == Offers::Result,
            "errorOutput" => self == Offers::ErrorOutput,
            _ => true,
        }
    }
}

impl Context {
    /// The first member of `$states` that an expression names and that is not there.
    pub fn missing<'e>(&self, expression: &'e Expression) -> Option<&'e (Arc<str>, usize)> {
        expression.references().states.iter().find(|(member, _)| !self.offers.has(member))
    }

    /// The same for a field that is evaluated before there is a result.
    fn before_work(&self) -> Context {
        Context { offers: Offers::Nothing, ..*self }
    }

    /// Whether a field may stand in a state of this language.
    fn allows(&self, field: &Field) -> bool {
        !self.mixed || field.language.is_none_or(|language| language == self.language)
    }
}

impl Checker<'_> {
    pub fn object(&mut self, node: &Node, shape: &Shape, trail: &Trail<'_>, context: &Context) {
        if !node.is_object() {
            return self.wrong(node, trail, "Expected value of type [OBJECT]", "Write an object here: { … }.");
        }
        for member in node.members() {
            let inner = trail.name(&member.name);
            let place = Place { location: trail, pointer: &inner, span: &member.name_span };
            match shape.field(&member.name) {
                None => self.unsupported(&member.name, &place, shape.all().map(|field| field.name)),
                Some(field) if !context.allows(field) => self.other_language(&member.name, &place, context.language),
                Some(_) => {}
            }
        }
        let missing: Vec<&str> = shape.required.iter().copied().filter(|name| !node.has(name)).collect();
        if !missing.is_empty() {
            let message = format!("These fields are required: [{}]", missing.join(", "));
            self.wrong(node, trail, message, "Add what is missing.");
        }
        for choice in shape.choices {
            self.one_of(node, choice, trail);
        }
        for member in node.members() {
            if let Some(field) = shape.field(&member.name).filter(|field| context.allows(field)) {
                let inner = trail.name(&member.name);
                match field.name {
                    "Output" | "Assign" => self.value(&field.rule, &member.value, &inner, context),
                    _ => self.value(&field.rule, &member.value, &inner, &context.before_work()),
                }
            }
        }
    }

    pub fn unsupported(&mut self, name: &str, place: &Place<'_>, known: impl Iterator<Item = &'static str>) {
        let nearest = known
            .map(|field| (strsim::levenshtein(&field.to_lowercase(), &name.to_lowercase()), field))
            .filter(|(distance, _)| *distance <= SLIP)
            .min();
        let help = match nearest {
            Some((_, field)) => format!("Did you mean '{field}'?"),
            None => "Remove the field: the States Language has none of this name here.".to_owned(),
        };
        self.error(code::SCHEMA_VALIDATION_FAILED, place, format!("Field '{name}' is not supported"), &help);
    }

    pub fn other_language(&mut self, name: &str, place: &Place<'_>, language: QueryLanguage) {
        let (mine, other) = match language {
            QueryLanguage::JsonPath => ("JSONPath", "JSONata"),
            QueryLanguage::Jsonata => ("JSONata", "JSONPath"),
        };
        let message = format!(
            "The QueryLanguage is set to '{mine}', but field '{name}' is only supported for the '{other}' QueryLanguage"
        );
        let help = format!("Use the field that {mine} has for this, or set the state's QueryLanguage to '{other}'.");
        self.error(code::SCHEMA_VALIDATION_FAILED, place, message, &help);
    }

    fn one_of(&mut self, node: &Node, choice: &OneOf, trail: &Trail<'_>) {
        let present = choice.names.iter().filter(|name| is_given(node, name)).count();
        let names = choice.names.join(", ");
        if present > 1 {
            let message = format!("There should only be one of the following fields: [{names}]");
            self.wrong(node, trail, message, "Keep one of them.");
        } else if present == 0 && choice.required {
            let message = format!("This object should have only one of the following fields: [{names}]");
            self.wrong(node, trail, message, "Add one of them.");
        }
    }
}

/// `"End": false` says nothing.
fn is_given(node: &Node, name: &str) -> bool {
    node.get(name).is_some_and(|value| name != "End" || value.as_bool() != Some(false))
}
