//! How a state ends: what it hands on, which variables it sets, where it goes.
//!
//! `Assign` and `Output` see the variables from before, whichever is written first: all values are there before one is
//! set. What a state has at its end is the same for all types; only a Choice's rule and a catcher bring their own.

use std::sync::Arc;

use asl::{Assign, Computed, Payload, QueryLanguage, Transition};

use super::{Decision, Exit, Fault, Flow};
use crate::scene::{Given, Scene};

/// The fields that say how a state ends: its own, those of a Choice's rule, or those of a catcher.
pub(crate) struct Ending<'a> {
    pub output: Option<&'a Computed>,
    pub assign: Option<&'a Assign>,
    /// Where the fields stand in the state, as error texts name it: ``, `Choices[0]/`, `Catch[1]/`.
    pub place: String,
    pub next: Transition,
}

impl Scene<'_> {
    /// The state's own.
    pub fn ending(&self) -> Ending<'_> {
        let (output, assign) = (self.state.output.as_ref(), self.state.assign.as_ref());
        Ending { output, assign, place: String::new(), next: self.state.next }
    }

    /// Ends a JSONata state. Without `Output` it hands on its result, its error output, or else its input.
    pub fn end_computed(&self, ending: &Ending, given: Given) -> Result<Exit, Fault> {
        let field = |name: &str| format!("{}{name}", ending.place);
        let (variables, output) = self.query(given, |env| {
            let variables = ending.assign.map_or(Ok(Vec::new()), |assign| assign.compute(&field("Assign"), env))?;
            let output = ending.output.map(|output| output.evaluate(&field("Output"), env)).transpose()?;
            Ok((variables, output))
        })?;
        let output = output.unwrap_or_else(|| given.handed_on().unwrap_or(&self.frame.data).clone());
        self.exit(output, variables, ending.next)
    }

    /// Ends a JSONPath state; `$` is `subject` in `Assign`, and `output` has not been through OutputPath yet.
    pub fn end_selected(&self, ending: &Ending, subject: &Payload, output: Payload) -> Decision {
        let variables = self.assigned(ending.assign, subject)?;
        let mut draw = self.draw(3);
        let selected = self.state.output_path.select("OutputPath", &output, &self.env(&output, &mut draw));
        let output = selected.map_err(|e| self.failure(e))?;
        self.exit(output, variables, ending.next).map(Flow::Exit)
    }

    /// Ends a state that makes nothing: Choice, Wait, Succeed.
    pub fn end_with_input(&self, ending: &Ending) -> Decision {
        if self.state.query_language == QueryLanguage::Jsonata {
            return self.end_computed(ending, Given::default()).map(Flow::Exit);
        }
        let input = self.input()?;
        self.end_selected(ending, &input, input.clone())
    }

    /// The variables that `Assign` of a JSONPath state sets.
    pub fn assigned(&self, assign: Option<&Assign>, subject: &Payload) -> Result<Vec<(Arc<str>, Payload)>, Fault> {
        let Some(assign) = assign else { return Ok(Vec::new()) };
        let mut draw = self.draw(11);
        Ok(assign.evaluate(&mut self.env(subject, &mut draw)).map_err(|e| self.failure(e))?)
    }

    /// Within the limits.
    pub fn exit(&self, output: Payload, variables: Vec<(Arc<str>, Payload)>, next: Transition) -> Result<Exit, Fault> {
        let output = self.within_limit(output, &self.state.name)?;
        self.within_variables(&variables)?;
        Ok(Exit { output, variables, next })
    }
}
