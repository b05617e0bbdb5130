//! Whether AWS would take a definition: every mistake at once, and the program if there is none.
//!
//! `shapes` holds the States Language as tables, `object` and `value` apply them, `state`, `choice`, `template` and
//! `resource` know what no table can tell, `graph` looks at transitions. A definition that is only loaded again is never
//! judged again: see [`load`](crate::load).

mod choice;
mod graph;
mod object;
mod placeholder;
mod report;
mod resource;
mod shapes;
mod state;
mod template;
mod trail;
mod value;

use self::report::Checker;
use self::trail::Trail;
use crate::diagnostic::{Diagnostic, Severity, code};
use crate::parse::tree::{MAX_DEPTH, Node};
use crate::parse::{build, json, yaml};
use crate::{Program, QueryLanguage};

pub use self::placeholder::{Placeholder, fill, placeholders};

/// The longest definition that AWS takes, in bytes.
pub const MAX_DEFINITION_BYTES: usize = 1_048_576;

/// How many mistakes are told; AWS tells at most 100, an author reads fewer, and a hostile text could hold a million.
const MAX_DIAGNOSTICS: usize = 1_000;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MachineType {
    #[default]
    Standard,
    Express,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Syntax {
    /// The only one that AWS's API takes.
    #[default]
    Json,
    Yaml,
}

#[derive(Clone, Debug)]
pub struct CheckOptions {
    pub machine_type: MachineType,
    pub syntax: Syntax,
    /// Whether a string with `${…}` may stand wherever something else belongs, as in a template that is filled later.
    pub placeholders: bool,
    pub max_bytes: usize,
    /// Whether `aws-sdk:<service>:<action>` is there. The language has no list of AWS's services, so everything is as
    /// long as nobody who has one is asked.
    pub is_action: fn(service: &str, action: &str) -> bool,
}

impl Default for CheckOptions {
    fn default() -> CheckOptions {
        CheckOptions {
            machine_type: MachineType::Standard,
            syntax: Syntax::Json,
            placeholders: false,
            max_bytes: MAX_DEFINITION_BYTES,
            is_action: |_, _| true,
        }
    }
}

/// What a check found.
#[derive(Debug)]
pub struct Checked {
    pub diagnostics: Vec<Diagnostic>,
    /// There if nothing is wrong and this version can run it.
    pub program: Option<Program>,
    /// Why a definition without mistakes has no program.
    pub unsupported: Option<String>,
}

impl Checked {
    /// Whether AWS would take the definition.
    pub fn is_valid(&self) -> bool {
        !self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Judges a definition as `ValidateStateMachineDefinition` does, and compiles it if it is right.
pub fn check(text: &str, options: &CheckOptions) -> Checked {
    let root = match read(text, options) {
        Ok(root) => root,
        Err(diagnostic) => return Checked { diagnostics: vec![*diagnostic], program: None, unsupported: None },
    };
    let mut checker = Checker::new(options);
    checker.machine(&root);
    checker.found.truncate(MAX_DIAGNOSTICS);
    let mut checked = Checked { diagnostics: checker.found, program: None, unsupported: None };
    if checked.is_valid() {
        match build::program(&root) {
            Ok(program) => checked.program = Some(program),
            Err(error) => checked.unsupported = Some(error.to_string()),
        }
    }
    checked
}

impl Checker<'_> {
    fn machine(&mut self, root: &Node) {
        let language = match root.get("QueryLanguage") {
            None => QueryLanguage::JsonPath,
            Some(value) => value::language(value),
        };
        self.machine_language = language;
        let context = object::Context { language, mixed: true, offers: object::Offers::Nothing };
        self.object(root, &shapes::MACHINE, &Trail::ROOT, &context);
        self.transitions(root, &Trail::ROOT, true);
    }
}

fn read(text: &str, options: &CheckOptions) -> Result<Node, Box<Diagnostic>> {
    let diagnostic = |code, message: String, location, span, help: &str| {
        Box::new(Diagnostic {
            severity: Severity::Error,
            code,
            message,
            location,
            pointer: String::new(),
            span,
            help: Some(help.to_owned()),
        })
    };
    if text.len() > options.max_bytes {
        let message = format!("Definition must not be longer than {} bytes", options.max_bytes);
        let help = "Move parts of the machine into machines of their own and start them with states:startExecution.";
        return Err(diagnostic(code::SCHEMA_VALIDATION_FAILED, message, None, None, help));
    }
    let root = match options.syntax {
        Syntax::Json => json::read(text, json::Duplicates::Refuse).map_err(|error| {
            let help = if error.too_deep {
                format!("Arrays and objects may lie {MAX_DEPTH} deep in each other.")
            } else {
                "Correct the JSON at this place; nothing behind it has been read.".to_owned()
            };
            let code = if error.too_deep { code::TOO_DEEPLY_NESTED } else { code::INVALID_JSON_DESCRIPTION };
            diagnostic(code, error.message, Some(error.location), Some(error.span), &help)
        })?,
        Syntax::Yaml => yaml::read(text).map_err(|error| {
            let help = "Correct the YAML at this place; nothing behind it has been read.";
            diagnostic(code::INVALID_JSON_DESCRIPTION, error.message, None, Some(error.span), help)
        })?,
    };
    root.filter(Node::is_object).ok_or_else(|| {
        let message = "Definition must be a valid JSON object".to_owned();
        diagnostic(
            code::SCHEMA_VALIDATION_FAILED,
            message,
            None,
            None,
            "A definition is an object with StartAt and States.",
        )
    })
}
