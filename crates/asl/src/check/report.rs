//! The one who collects: a [`Checker`] walks a definition and writes down what it finds.

use std::collections::HashSet;

use super::CheckOptions;
use super::trail::Trail;
use crate::QueryLanguage;
use crate::diagnostic::{Diagnostic, Severity, code};
use crate::parse::tree::{Node, Span};

pub struct Checker<'a> {
    pub options: &'a CheckOptions,
    pub found: Vec<Diagnostic>,
    pub machine_language: QueryLanguage,
    /// Names are unique over the whole machine, branches included.
    pub state_names: HashSet<String>,
    pub labels: HashSet<String>,
    /// The variables that each list of states sets, from the machine's own inwards.
    pub assigned: Vec<HashSet<String>>,
}

/// Where a mistake is: AWS names the object that holds a wrong field, an editor wants the field.
pub struct Place<'a> {
    pub location: &'a Trail<'a>,
    pub pointer: &'a Trail<'a>,
    pub span: &'a Span,
}

impl<'a> Checker<'a> {
    pub fn new(options: &'a CheckOptions) -> Checker<'a> {
        Checker {
            options,
            found: Vec::new(),
            machine_language: QueryLanguage::JsonPath,
            state_names: HashSet::new(),
            labels: HashSet::new(),
            assigned: Vec::new(),
        }
    }

    /// A value that breaks the schema, told where it stands.
    pub fn wrong(&mut self, node: &Node, trail: &Trail<'_>, message: impl Into<String>, help: &str) {
        let place = Place { location: trail, pointer: trail, span: &node.span };
        self.error(code::SCHEMA_VALIDATION_FAILED, &place, message, help);
    }

    pub fn error(&mut self, code: &'static str, place: &Place<'_>, message: impl Into<String>, help: &str) {
        self.add(Severity::Error, code, place, message.into(), help);
    }

    pub fn warning(&mut self, code: &'static str, place: &Place<'_>, message: impl Into<String>, help: &str) {
        self.add(Severity::Warning, code, place, message.into(), help);
    }

    fn add(&mut self, severity: Severity, code: &'static str, place: &Place<'_>, message: String, help: &str) {
        if self.found.len() > super::MAX_DIAGNOSTICS {
            return;
        }
        self.found.push(Diagnostic {
            severity,
            code,
            message,
            location: Some(place.location.location()),
            pointer: place.pointer.pointer(),
            span: Some(place.span.clone()),
            help: (!help.is_empty()).then(|| help.to_owned()),
        });
    }

    /// Whether a string will be filled in later, so that nothing can be said of it now.
    pub fn is_open(&self, node: &Node) -> bool {
        self.options.placeholders && node.as_str().is_some_and(super::placeholder::has)
    }
}
