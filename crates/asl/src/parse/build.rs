//! Tree → [`Program`]: compiles paths, templates and resources, and gives every state its number.
//!
//! It trusts a definition that was checked before and looks only for what it needs, so a definition that an older
//! version accepted is loaded whatever the rules are today. What it cannot compile it refuses; it never panics.

use std::collections::HashMap;
use std::sync::Arc;

use super::states;
use super::tree::Node;
use crate::program::{Program, QueryLanguage, Scope, ScopeId, State, StateId};

/// Why a tree did not become a program.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BuildError {
    /// It was never checked.
    #[error("the definition is broken at '{place}': {message}")]
    Broken { place: String, message: String },
}

pub(super) fn broken(place: &str, message: impl Into<String>) -> BuildError {
    BuildError::Broken { place: place.to_owned(), message: message.into() }
}

pub(super) type Build<T> = Result<T, BuildError>;

/// Compiles a whole machine.
pub fn program(root: &Node) -> Build<Program> {
    let query_language = language(root)?.unwrap_or(QueryLanguage::JsonPath);
    let mut builder = Builder { query_language, scopes: Vec::new(), states: Vec::new() };
    builder.scope(root, None)?;
    let scopes = builder.scopes.into_iter().collect::<Option<Vec<_>>>();
    let states = builder.states.into_iter().collect::<Option<Vec<_>>>();
    let (Some(scopes), Some(states)) = (scopes, states) else { return Err(broken("", "a state is not defined")) };
    let timeout_seconds = root.get("TimeoutSeconds").and_then(states::whole);
    Ok(Program { query_language, timeout_seconds, scopes, states })
}

struct Builder {
    query_language: QueryLanguage,
    scopes: Vec<Option<Scope>>,
    states: Vec<Option<State>>,
}

impl Builder {
    /// A list of states. Numbers are given in the order of the text: a state, what is inside it, the next state.
    fn scope(&mut self, node: &Node, owner: Option<StateId>) -> Build<ScopeId> {
        let id = ScopeId(u32::try_from(self.scopes.len()).map_err(|_| broken("", "too many branches"))?);
        self.scopes.push(None);
        let members = node.get("States").map_or(&[][..], Node::members);
        let mut names = HashMap::with_capacity(members.len());
        let mut inner = Vec::with_capacity(members.len());
        let mut states = Vec::with_capacity(members.len());
        for member in members {
            let state = StateId(u32::try_from(self.states.len()).map_err(|_| broken("", "too many states"))?);
            self.states.push(None);
            names.insert(member.name.as_str(), state);
            states.push(state);
            inner.push(self.inner_scopes(&member.value, state)?);
        }
        let targets = Targets(&names);
        let start_at = targets.of(node.get("StartAt"), "StartAt")?;
        for ((member, state), inner) in members.iter().zip(&states).zip(inner) {
            let place = &member.name;
            let built = self.state(&member.value, Arc::from(place.as_str()), id, inner, &targets)?;
            self.states[state.0 as usize] = Some(built);
        }
        self.scopes[id.0 as usize] = Some(Scope { owner, start_at, states });
        Ok(id)
    }

    fn inner_scopes(&mut self, state: &Node, owner: StateId) -> Build<Vec<ScopeId>> {
        match state.get("Type").and_then(Node::as_str) {
            Some("Parallel") => {
                let branches = state.get("Branches").map_or(&[][..], Node::elements);
                branches.iter().map(|branch| self.scope(branch, Some(owner))).collect()
            }
            Some("Map") => {
                let processor = state.get("ItemProcessor").or_else(|| state.get("Iterator"));
                processor.into_iter().map(|processor| self.scope(processor, Some(owner))).collect()
            }
            _ => Ok(Vec::new()),
        }
    }

    fn state(
        &self,
        node: &Node,
        name: Arc<str>,
        scope: ScopeId,
        inner: Vec<ScopeId>,
        targets: &Targets<'_>,
    ) -> Build<State> {
        let query_language = language(node)?.unwrap_or(self.query_language);
        let kind = states::kind(node, &name, query_language, inner, targets)?;
        let mut state = State {
            work: 0,
            scope,
            query_language,
            input_path: states::selection(node, "InputPath", &name)?,
            output_path: states::selection(node, "OutputPath", &name)?,
            output: states::computed(node, "Output", &name)?,
            assign: states::assign(node, &name, query_language)?,
            next: targets.transition(node)?,
            kind,
            name,
        };
        state.work = state.weigh();
        Ok(state)
    }
}

fn language(node: &Node) -> Build<Option<QueryLanguage>> {
    match node.get("QueryLanguage").map(Node::as_str) {
        None => Ok(None),
        Some(Some("JSONPath")) => Ok(Some(QueryLanguage::JsonPath)),
        Some(Some("JSONata")) => Ok(Some(QueryLanguage::Jsonata)),
        Some(_) => Err(broken("QueryLanguage", "no query language")),
    }
}

/// The names of a list of states.
pub(super) struct Targets<'a>(&'a HashMap<&'a str, StateId>);

impl Targets<'_> {
    pub fn of(&self, node: Option<&Node>, place: &str) -> Build<StateId> {
        let name = node.and_then(Node::as_str).ok_or_else(|| broken(place, "no state is named"))?;
        self.0.get(name).copied().ok_or_else(|| broken(place, format!("there is no state '{name}'")))
    }

    fn transition(&self, node: &Node) -> Build<crate::program::Transition> {
        use crate::program::Transition;
        match node.get("Next") {
            Some(next) if node.get("End").and_then(Node::as_bool) != Some(true) => {
                Ok(Transition::Next(self.of(Some(next), "Next")?))
            }
            _ => Ok(Transition::End),
        }
    }
}
