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
    /// Like `Length`, and every text as the pattern wants it.
    Pattern {
        min: usize,
        max: usize,
        pattern: Pattern,
    },
    /// JSON that flows through states: bytes, at most as many as the installation's limit says.
    Data,
    OneOf(&'static [&'static str]),
    Range {
        min: i64,
        max: i64,
    },
    /// Of a list; what the items must satisfy they know themselves.
    Items {
        min: usize,
        max: usize,
    },
}

/// The regular expressions of the model, each with what it means.
#[derive(Clone, Copy)]
struct Pattern {
    text: &'static str,
    matches: fn(&str) -> bool,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

const ASCII: Pattern = Pattern { text: r"\p{ASCII}*", matches: str::is_ascii };
const VISIBLE: Pattern = Pattern { text: "[!-~]+", matches: |text| text.bytes().all(|byte| byte.is_ascii_graphic()) };
const WORD: Pattern = Pattern { text: r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$", matches: is_word };

fn is_word(text: &str) -> bool {
    let is_mark = |byte: u8| matches!(byte, b'_' | b'-' | b'.');
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || is_mark(byte))
        && text.bytes().any(|byte| byte.is_ascii_alphabetic() || is_mark(byte))
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
        Shape::of(Rule::Pattern { min: 0, max, pattern: ASCII })
    }

    /// Letters, digits, `_`, `-` and `.`, and not digits alone.
    pub const fn word(max: usize) -> Shape {
        Shape::of(Rule::Pattern { min: 1, max, pattern: WORD })
    }

    /// ASCII without blanks.
    pub const fn visible(max: usize) -> Shape {
        Shape::of(Rule::Pattern { min: 1, max, pattern: VISIBLE })
    }

    pub const fn items(min: usize, max: usize) -> Shape {
        Shape::of(Rule::Items { min, max })
    }

    pub const fn at_least(min: i64) -> Shape {
        Shape::of(Rule::Range { min, max: i64::MAX })
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
            Step::Member(name) => write!(f, "{}", CamelCase(name)),
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

    fn check_length(&mut self, length: usize, min: usize, max: usize, shown: Option<&dyn fmt::Display>, path: &Path) {
        if length < min {
            self.add(shown, path, format_args!("Member must have length greater than or equal to {min}"));
        }
        if length > max {
            self.add(shown, path, format_args!("Member must have length less than or equal to {max}"));
        }
    }

    fn add(&mut self, value: Option<&dyn fmt::Display>, path: &Path, constraint: fmt::Arguments) {
        let value = value.map(|value| format!(" '{value}'")).unwrap_or_default();
        self.told.push(format!("Value{value} at '{path}' failed to satisfy constraint: {constraint}"));
    }
}

/// A member of a request that can be held against its shape.
pub trait Member {
    fn check(&self, path: &Path, shape: &Shape, found: &mut Violations);

    /// As AWS's own framework, which is written in Java, writes the value into its messages.
    fn show(&self, f: &mut fmt::Formatter<'_>, shape: &Shape) -> fmt::Result;
}

/// A structure as it is written in a message: `Tag(key=a, value=b)`.
pub struct Members<'f, 'b> {
    f: &'f mut fmt::Formatter<'b>,
    number: usize,
}

impl<'f, 'b> Members<'f, 'b> {
    pub fn begin(f: &'f mut fmt::Formatter<'b>, structure: &str) -> Result<Members<'f, 'b>, fmt::Error> {
        write!(f, "{structure}(")?;
        Ok(Members { f, number: 0 })
    }

    /// Absent members are left out.
    pub fn show<T: Member>(&mut self, name: &str, value: &Option<T>, shape: &Shape) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        let comma = if self.number > 0 { ", " } else { "" };
        self.number += 1;
        write!(self.f, "{comma}{}=", CamelCase(name))?;
        if shape.sensitive {
            return self.f.write_str("*** Sensitive Data Redacted ***");
        }
        value.show(self.f, shape)
    }

    pub fn end(self) -> fmt::Result {
        self.f.write_str(")")
    }
}

/// Rust's spelling of a member as AWS spells it: `state_machine_arn`, `r#type`.
struct CamelCase<'n>(&'n str);

impl fmt::Display for CamelCase<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.0.trim_start_matches("r#").split('_');
        f.write_str(words.next().unwrap_or_default())?;
        for word in words {
            write!(f, "{}{}", word[..1].to_ascii_uppercase(), &word[1..])?;
        }
        Ok(())
    }
}

/// A value in a message.
struct Shown<'m, T>(&'m T, &'m Shape);

impl<T: Member> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f, self.1)
    }
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

    fn show(&self, f: &mut fmt::Formatter<'_>, shape: &Shape) -> fmt::Result {
        self.as_ref().map_or(Ok(()), |value| value.show(f, shape))
    }
}

impl<T: Member> Member for Vec<T> {
    fn check(&self, path: &Path, shape: &Shape, found: &mut Violations) {
        if let Rule::Items { min, max } = shape.rule {
            let shown = Shown(self, shape);
            let shown: Option<&dyn fmt::Display> = if shape.sensitive { None } else { Some(&shown) };
            found.check_length(self.len(), min, max, shown, path);
        }
        for (index, item) in self.iter().enumerate() {
            item.check(&path.item(index), shape, found);
        }
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, shape: &Shape) -> fmt::Result {
        f.write_str("[")?;
        for (index, item) in self.iter().enumerate() {
            f.write_str(if index > 0 { ", " } else { "" })?;
            item.show(f, shape)?;
        }
        f.write_str("]")
    }
}

impl Shape {
    pub fn check_text(&self, text: &str, path: &Path, found: &mut Violations) {
        let shown: Option<&dyn fmt::Display> = if self.sensitive { None } else { Some(&text) };
        match self.rule {
            Rule::Any | Rule::Range { .. } | Rule::Items { .. } => {}
            Rule::Length { min, max } => found.check_length(characters(text, max), min, max, shown, path),
            Rule::Data => found.check_length(text.len(), 0, found.payload_bytes, shown, path),
            Rule::Pattern { min, max, pattern } => {
                found.check_length(characters(text, max), min, max, shown, path);
                if !(pattern.matches)(text) {
                    let pattern = pattern.text;
                    found.add(shown, path, format_args!("Member must satisfy regular expression pattern: {pattern}"));
                }
            }
            Rule::OneOf(values) if !values.contains(&text) => {
                let values = values.join(", ");
                found.add(shown, path, format_args!("Member must satisfy enum value set: [{values}]"));
            }
            Rule::OneOf(_) => {}
        }
    }

    pub fn check_number<N: Copy + fmt::Display + Compare>(&self, number: N, path: &Path, found: &mut Violations) {
        let Rule::Range { min, max } = self.rule else { return };
        let shown: Option<&dyn fmt::Display> = if self.sensitive { None } else { Some(&number) };
        if number.compare(min).is_lt() {
            found.add(shown, path, format_args!("Member must have value greater than or equal to {min}"));
        }
        if number.compare(max).is_gt() {
            found.add(shown, path, format_args!("Member must have value less than or equal to {max}"));
        }
    }
}

/// Numbers that have a place beside the whole ones.
pub trait Compare {
    fn compare(self, whole: i64) -> std::cmp::Ordering;
}

impl Compare for i64 {
    fn compare(self, whole: i64) -> std::cmp::Ordering {
        self.cmp(&whole)
    }
}

impl Compare for f64 {
    fn compare(self, whole: i64) -> std::cmp::Ordering {
        self.total_cmp(&(whole as f64))
    }
}

/// Counted only where the bytes alone do not tell that it fits.
fn characters(text: &str, max: usize) -> usize {
    if text.len() <= max { text.len() } else { text.chars().count() }
}
