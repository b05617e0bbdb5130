//! What AWS's model demands of each member, and the words in which it is told that a member falls short.
//!
//! The constraints are data (see `requests.rs`); all of them are checked before anything else happens, and all that
//! fail are told at once, in the order of the model: `2 validation errors detected: …; …`. The values of sensitive
//! members are not repeated.

use std::fmt;

/// The constraints of one member.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    rule: Rule,
    required: bool,
    sensitive: bool,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    Any,
    /// Characters.
    Length {
        min: usize,
        max: usize,
    },
    /// Like `Length`, and nothing but ASCII.
    Ascii {
        max: usize,
    },
    /// JSON that flows through states: bytes, at most as many as the installation's limit says.
    Data,
    OneOf(&'static [&'static str]),
    Range {
        min: i64,
        max: i64,
    },
}

impl Shape {
    pub const ANY: Shape = Shape::of(Rule::Any);
    /// Sensitive JSON text of at most the installation's payload limit.
    pub const DATA: Shape = Shape { sensitive: true, ..Shape::of(Rule::Data) };

    const fn of(rule: Rule) -> Shape {
        Shape { rule, required: false, sensitive: false }
    }

    pub const fn text(min: usize, max: usize) -> Shape {
        Shape::of(Rule::Length { min, max })
    }

    pub const fn ascii(max: usize) -> Shape {
        Shape::of(Rule::Ascii { max })
    }

    /// In the order in which AWS lists them.
    pub const fn one_of(values: &'static [&'static str]) -> Shape {
        Shape::of(Rule::OneOf(values))
    }

    pub const fn range(min: i64, max: i64) -> Shape {
        Shape::of(Rule::Range { min, max })
    }

    pub const fn required(self) -> Shape {
        Shape { required: true, ..self }
    }

    pub const fn sensitive(self) -> Shape {
        Shape { sensitive: true, ..self }
    }
}

/// Where a member stands: `tags.1.member.key`. Written out only when something is wrong there.
#[derive(Clone, Copy)]
pub struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    Request,
    /// As Rust spells it: `state_machine_arn`, `r#type`.
    Member(&'static str),
    /// From one, as AWS counts.
    Item(usize),
}

impl Path<'_> {
    /// The request itself.
    pub const REQUEST: Path<'static> = Path { parent: None, step: Step::Request };

    pub fn member(&self, name: &'static str) -> Path<'_> {
        Path { parent: Some(self), step: Step::Member(name) }
    }

    fn item(&self, index: usize) -> Path<'_> {
        Path { parent: Some(self), step: Step::Item(index + 1) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent.filter(|parent| !matches!(parent.step, Step::Request)) {
            write!(f, "{parent}.")?;
        }
        match self.step {
            Step::Request => Ok(()),
            Step::Item(number) => write!(f, "{number}.member"),
            Step::Member(name) => {
                let mut words = name.trim_start_matches("r#").split('_');
                f.write_str(words.next().unwrap_or_default())?;
                for word in words {
                    write!(f, "{}{}", word[..1].to_ascii_uppercase(), &word[1..])?;
                }
                Ok(())
            }
        }
    }
}

/// The constraints that were found violated.
pub struct Violations {
    told: Vec<String>,
    /// The installation's limit on JSON that flows through states.
    payload_bytes: usize,
}

impl Violations {
    pub fn new(payload_bytes: usize) -> Violations {
        Violations { told: Vec::new(), payload_bytes }
    }

    /// The text of a ValidationException.
    pub fn message(&self) -> Option<String> {
        let number = self.told.len();
        let plural = if number == 1 { "" } else { "s" };
        (number > 0).then(|| format!("{number} validation error{plural} detected: {}", self.told.join("; ")))
    }

    fn add(&mut self, value: Option<&dyn fmt::Display>, path: &Path, constraint: fmt::Arguments) {
        let value = value.map(|value| format!(" '{value}'")).unwrap_or_default();
        self.told.push(format!("Value{value} at '{path}' failed to satisfy constraint: {constraint}"));
    }
}

/// A member of a request that can be held against its shape.
pub trait Member {
    fn check(&self, path: &Path, shape: &Shape, found: &mut Violations);
}

impl<T: Member> Member for Option<T> {
    fn check(&self, path: &Path, shape: &Shape, found: &mut Violations) {
        match self {
            Some(value) => value.check(path, shape, found),
            None if shape.required => {
                let value = if shape.sensitive { "" } else { " null" };
                found
                    .told
                    .push(format!("Value{value} at '{path}' failed to satisfy constraint: Member must not be null"));
            }
            None => {}
        }
    }
}

impl<T: Member> Member for Vec<T> {
    fn check(&self, path: &Path, shape: &Shape, found: &mut Violations) {
        for (index, item) in self.iter().enumerate() {
            item.check(&path.item(index), shape, found);
        }
    }
}

impl Member for str {
    fn check(&self, path: &Path, shape: &Shape, found: &mut Violations) {
        let shown: Option<&dyn fmt::Display> = if shape.sensitive { None } else { Some(&self) };
        let payload_bytes = found.payload_bytes;
        let mut length = |length: usize, min: usize, max: usize| {
            if length < min {
                found.add(shown, path, format_args!("Member must have length greater than or equal to {min}"));
            }
            if length > max {
                found.add(shown, path, format_args!("Member must have length less than or equal to {max}"));
            }
        };
        match shape.rule {
            Rule::Any | Rule::Range { .. } => {}
            Rule::Length { min, max } => length(characters(self, max), min, max),
            Rule::Data => length(self.len(), 0, payload_bytes),
            Rule::Ascii { max } => {
                length(characters(self, max), 0, max);
                if !self.is_ascii() {
                    const CONSTRAINT: &str = "Member must satisfy regular expression pattern: \\p{ASCII}*";
                    found.add(shown, path, format_args!("{CONSTRAINT}"));
                }
            }
            Rule::OneOf(values) if !values.contains(&self) => {
                let values = values.join(", ");
                found.add(shown, path, format_args!("Member must satisfy enum value set: [{values}]"));
            }
            Rule::OneOf(_) => {}
        }
    }
}

/// Counted only where the bytes alone do not tell that it fits.
fn characters(text: &str, max: usize) -> usize {
    if text.len() <= max { text.len() } else { text.chars().count() }
}

impl Member for i64 {
    fn check(&self, path: &Path, shape: &Shape, found: &mut Violations) {
        let Rule::Range { min, max } = shape.rule else { return };
        if *self < min {
            found.add(Some(self), path, format_args!("Member must have value greater than or equal to {min}"));
        }
        if *self > max {
            found.add(Some(self), path, format_args!("Member must have value less than or equal to {max}"));
        }
    }
}
