//! Where states lead: every target exists in its own list of states, every state can be reached, the machine can end.
//!
//! Told as AWS tells it: a target that is not there is `Missing 'Next' target` in whatever field it stands; a machine
//! in which nothing ends is told so and nothing about unreachable states; only the outermost list must have an end.

use std::collections::HashMap;

use super::report::{Checker, Place};
use super::trail::Trail;
use crate::diagnostic::{Diagnostic, Severity, code};
use crate::parse::tree::Node;

impl Checker<'_> {
    /// One list of states with its StartAt, then those inside its states.
    pub fn transitions(&mut self, scope: &Node, trail: &Trail<'_>, outermost: bool) {
        let (Some(start_at), Some(states)) = (scope.get("StartAt"), scope.get("States")) else { return };
        if start_at.as_str().is_none() || states.members().is_empty() {
            return;
        }
        let in_states = trail.name("States");
        let index: HashMap<&str, usize> =
            states.members().iter().enumerate().map(|(at, member)| (member.name.as_str(), at)).collect();

        let start = self.target(start_at, &trail.name("StartAt"), &index);
        let mut edges = Vec::with_capacity(states.members().len());
        for member in states.members() {
            edges.push(self.targets(&member.value, &in_states.name(&member.name), &index));
        }
        if outermost && !states.members().iter().any(|member| self.may_end(&member.value)) {
            self.found.push(Diagnostic {
                severity: Severity::Error,
                code: code::MISSING_END_STATE,
                message: "Workflow has no terminal state".into(),
                location: None,
                pointer: trail.pointer(),
                span: Some(states.span.clone()),
                help: Some("End one state with \"End\": true, or add a Succeed or Fail state.".into()),
            });
        } else if !self.may_lead_anywhere(scope) {
            let reached = reach(start, &edges);
            for (member, _) in states.members().iter().zip(&reached).filter(|(_, reached)| !**reached) {
                let trail = in_states.name(&member.name);
                let place = Place { location: &trail, pointer: &trail, span: &member.name_span };
                let message = format!("State \"{}\" is not reachable.", member.name);
                let help = "Lead to it from another state of this list, or remove it.";
                self.error(code::MISSING_TRANSITION_TARGET, &place, message, help);
            }
        }
        for member in states.members() {
            self.inner_scopes(&member.value, &in_states.name(&member.name));
        }
    }

    fn inner_scopes(&mut self, state: &Node, trail: &Trail<'_>) {
        match state.get("Type").and_then(Node::as_str) {
            Some("Parallel") => {
                let branches = trail.name("Branches");
                let elements = state.get("Branches").map_or(&[][..], Node::elements);
                for (index, branch) in elements.iter().enumerate() {
                    self.transitions(branch, &branches.index(index), false);
                }
            }
            Some("Map") => {
                for name in ["ItemProcessor", "Iterator"] {
                    if let Some(processor) = state.get(name) {
                        self.transitions(processor, &trail.name(name), false);
                    }
                }
            }
            _ => {}
        }
    }

    /// Whether some target of this list will be filled in later.
    fn may_lead_anywhere(&self, scope: &Node) -> bool {
        let targets = |state: &Node| {
            let own = ["Next", "Default"].map(|name| state.get(name).is_some_and(|next| self.is_open(next)));
            let rules = ["Choices", "Catch"].iter().filter_map(|name| state.get(name)).flat_map(Node::elements);
            own.contains(&true) || rules.filter_map(|rule| rule.get("Next")).any(|next| self.is_open(next))
        };
        let states = scope.get("States").map_or(&[][..], Node::members);
        self.options.placeholders
            && (scope.get("StartAt").is_some_and(|start| self.is_open(start))
                || states.iter().any(|member| targets(&member.value)))
    }

    /// Whether the machine can end in this state; a state whose type is not known yet may.
    fn may_end(&self, state: &Node) -> bool {
        let kind = state.get("Type").and_then(Node::as_str);
        let known = kind.is_some_and(|kind| super::shapes::state(kind).is_some());
        let ends = state.get("End").is_some_and(|end| end.as_bool() != Some(false));
        !known || ends || matches!(kind, Some("Succeed" | "Fail"))
    }

    /// The states that a state leads to; targets that are not there are told.
    fn targets(&mut self, state: &Node, trail: &Trail<'_>, index: &HashMap<&str, usize>) -> Vec<usize> {
        let mut found = Vec::new();
        for member in state.members() {
            let inner = trail.name(&member.name);
            match member.name.as_str() {
                "Next" | "Default" => found.extend(self.target(&member.value, &inner, index)),
                "Choices" | "Catch" => {
                    for (at, element) in member.value.elements().iter().enumerate() {
                        let element_trail = inner.index(at);
                        if let Some(next) = element.get("Next") {
                            found.extend(self.target(next, &element_trail.name("Next"), index));
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }

    fn target(&mut self, node: &Node, trail: &Trail<'_>, index: &HashMap<&str, usize>) -> Option<usize> {
        let name = node.as_str()?;
        let found = index.get(name).copied();
        if found.is_none() && !self.is_open(node) {
            let place = Place { location: trail, pointer: trail, span: &node.span };
            let message = format!("Missing 'Next' target: {name}");
            let help =
                "Name a state of the same list: a branch or an item processor cannot be entered or left by Next.";
            self.error(code::MISSING_TRANSITION_TARGET, &place, message, help);
        }
        found
    }
}

/// Which states can be reached.
fn reach(start: Option<usize>, edges: &[Vec<usize>]) -> Vec<bool> {
    let mut reached = vec![false; edges.len()];
    let mut rest: Vec<usize> = start.into_iter().collect();
    while let Some(at) = rest.pop() {
        if !std::mem::replace(&mut reached[at], true) {
            rest.extend(&edges[at]);
        }
    }
    reached
}
