//! The way from the root of a definition to the value that is being looked at.
//!
//! A chain of borrowed steps on the stack: made for every value of a definition, written out only for a diagnostic.

use std::fmt::Write;

#[derive(Clone, Copy)]
pub struct Trail<'a> {
    above: Option<&'a Trail<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Name(&'a str),
    Index(usize),
}

impl<'a> Trail<'a> {
    pub const ROOT: Trail<'static> = Trail { above: None, step: Step::Root };

    pub fn name(&'a self, name: &'a str) -> Trail<'a> {
        Trail { above: Some(self), step: Step::Name(name) }
    }

    pub fn index(&'a self, index: usize) -> Trail<'a> {
        Trail { above: Some(self), step: Step::Index(index) }
    }

    fn steps(&self) -> Vec<Step<'a>> {
        let mut steps = vec![self.step];
        let mut at = self.above;
        while let Some(trail) = at {
            steps.push(trail.step);
            at = trail.above;
        }
        steps.reverse();
        steps
    }

    /// AWS's form, which escapes nothing: `/States/X/Choices[0]/Next`; the root is `/`.
    pub fn location(&self) -> String {
        let mut text = String::new();
        for step in self.steps() {
            match step {
                Step::Root => {}
                Step::Name(name) => {
                    text.push('/');
                    text.push_str(name);
                }
                Step::Index(index) => _ = write!(text, "[{index}]"),
            }
        }
        if text.is_empty() { "/".to_owned() } else { text }
    }

    /// RFC 6901: `/States/X/Choices/0/Next`; the root is empty.
    pub fn pointer(&self) -> String {
        let mut text = String::new();
        for step in self.steps() {
            match step {
                Step::Root => {}
                Step::Name(name) => {
                    text.push('/');
                    text.push_str(&name.replace('~', "~0").replace('/', "~1"));
                }
                Step::Index(index) => _ = write!(text, "/{index}"),
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_both_ways() {
        let states = Trail::ROOT.name("States");
        let state = states.name("a/b~");
        let choices = state.name("Choices");
        let rule = choices.index(2);
        assert_eq!(rule.location(), "/States/a/b~/Choices[2]");
        assert_eq!(rule.pointer(), "/States/a~1b~0/Choices/2");
        assert_eq!((Trail::ROOT.location().as_str(), Trail::ROOT.pointer().as_str()), ("/", ""));
    }
}
