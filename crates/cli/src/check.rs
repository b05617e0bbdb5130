//! `stepwell check`: every mistake of definitions, with its place and what to do.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use asl::check::{fill, placeholders};
use asl::{CheckOptions, Diagnostic, MachineType, Severity, Syntax, line_column};
use clap::Args;
use miette::{LabeledSpan, MietteDiagnostic, NamedSource, Report};
use serde_json::json;

use crate::Failed;

/// Check definitions, in JSON or YAML, as AWS would at creation
///
/// Tells every mistake with file, line, column and JSON pointer. Exit code 0: all are good; 1: one is wrong; 2: one
/// cannot be read.
#[derive(Args)]
pub struct Check {
    /// Definitions; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Fill the placeholder ${NAME} before checking; unfilled ones are noted and may stand for anything
    #[arg(long = "set", value_name = "NAME=VALUE")]
    values: Vec<String>,

    /// Check as an Express state machine
    #[arg(long)]
    express: bool,

    /// One JSON object a line for each mistake
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn execute(self) -> Result<ExitCode, Failed> {
        let values = parse_values(&self.values)?;
        let (mut errors, mut warnings) = (0, 0);
        for path in &self.files {
            let text = read(path)?;
            let text = fill(&text, |name| values.get(name).cloned());
            let found = self.check(path, &text);
            errors += found.iter().filter(|d| d.is_error()).count();
            warnings += found.iter().filter(|d| !d.is_error()).count();
            for diagnostic in &found {
                self.tell(path, &text, diagnostic);
            }
        }
        if !self.json {
            let files = self.files.len();
            let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
            println!("{}: {}, {}", plural(files, "file"), plural(errors, "error"), plural(warnings, "warning"));
        }
        Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    fn check(&self, path: &Path, text: &str) -> Vec<Diagnostic> {
        let options = CheckOptions {
            machine_type: if self.express { MachineType::Express } else { MachineType::Standard },
            syntax: syntax(path),
            placeholders: true,
            is_action: aws::is_action,
            ..CheckOptions::default()
        };
        let mut found = asl::check(text, &options).diagnostics;
        found.extend(placeholders(text).into_iter().map(|hole| Diagnostic {
            severity: Severity::Warning,
            code: "PLACEHOLDER",
            message: format!("The placeholder ${{{}}} is not filled", hole.name),
            location: None,
            pointer: String::new(),
            span: Some(hole.span),
            help: Some(format!("Fill it with --set {}=VALUE to check what it stands for.", hole.name)),
        }));
        found
    }

    fn tell(&self, path: &Path, text: &str, diagnostic: &Diagnostic) {
        let (line, column) = diagnostic.span.as_ref().map_or((1, 1), |span| line_column(text, span.start));
        if self.json {
            let line = json!({
                "file": path, "line": line, "column": column, "pointer": diagnostic.pointer,
                "severity": diagnostic.severity.name(), "code": diagnostic.code, "message": diagnostic.message,
                "location": diagnostic.location, "help": diagnostic.help,
            });
            println!("{line}");
            return;
        }
        let severity = match diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        };
        let mut shown = MietteDiagnostic::new(&diagnostic.message).with_severity(severity).with_code(diagnostic.code);
        if let Some(span) = &diagnostic.span {
            let label = if diagnostic.pointer.is_empty() { "here" } else { &diagnostic.pointer };
            shown = shown.with_label(LabeledSpan::new_with_span(Some(label.to_owned()), span.clone()));
        }
        if let Some(help) = &diagnostic.help {
            shown = shown.with_help(help);
        }
        let source = NamedSource::new(path.display().to_string(), text.to_owned());
        println!("{:?}", Report::new(shown).with_source_code(source));
    }
}

/// `NAME=VALUE` texts.
pub fn parse_values(texts: &[String]) -> Result<BTreeMap<String, String>, Failed> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(format!("--set {text}: NAME=VALUE is meant").into()),
    };
    texts.iter().map(pair).collect()
}

/// The text of a file or of standard input.
pub fn read(path: &Path) -> Result<String, Failed> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map(drop)
    } else {
        std::fs::read_to_string(path).map(|read| text = read)
    };
    read.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text)
}

/// By the file's name; whatever is not YAML is JSON.
pub fn syntax(path: &Path) -> Syntax {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => Syntax::Yaml,
        _ => Syntax::Json,
    }
}
