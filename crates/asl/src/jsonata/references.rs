//! What an expression refers to, found without evaluating it: for refusing it at creation as AWS does, and for
//! `variableReferences`.
//!
//! AWS evaluates without a context item, so a name that is read from one is refused. Only the first step of a path
//! stands at that top level: later steps, predicates, sort terms and groupings have a context of their own, while the
//! body of a function has that of the place where it is written (all measured on AWS, see
//! <https://github.com/floci-io/floci/issues/2670>).

use std::collections::BTreeSet;
use std::sync::Arc;

use jlens_core::ast::FallbackOp;
use jlens_core::reads::Reads;
use jlens_core::{Node, NodeKind};

use super::{Refusal, STATES, functions};

/// What an expression names.
#[derive(Debug, Default)]
pub struct References {
    /// Members of `$states`, each once, in the order of writing, with the byte where the first one stands.
    pub states: Vec<(Arc<str>, usize)>,
    /// Variables that the expression reads and does not set itself, sorted; functions are not among them.
    pub variables: Vec<Arc<str>>,
    /// Names of functions that stand as values: a workflow variable of such a name hides the function.
    pub like_functions: Vec<Arc<str>>,
}

impl References {
    pub(super) fn of(root: &Node, reads: &Reads) -> References {
        let mut states: Vec<(Arc<str>, usize)> = Vec::new();
        let mut like_functions = BTreeSet::new();
        root.walk(&mut |node| match &node.kind {
            NodeKind::Path { steps, .. } => {
                if let [first, second, ..] = steps.as_slice()
                    && matches!(&first.kind, NodeKind::Variable { name } if name == STATES)
                    && let NodeKind::Name { name } = &second.kind
                    && states.iter().all(|(seen, _)| **seen != **name)
                {
                    states.push((name.as_str().into(), node.span.start));
                }
            }
            NodeKind::Variable { name } if functions::is_function(name) => {
                like_functions.insert(name.as_str());
            }
            _ => {}
        });
        let variables = reads.bindings().keys().filter(|name| *name != STATES && !functions::is_function(name));
        References {
            states,
            variables: variables.map(|name| name.as_str().into()).collect(),
            like_functions: like_functions.into_iter().map(Arc::from).collect(),
        }
    }
}

/// What AWS does not take, in the order of writing, each name once.
pub(super) fn refused(root: &Node) -> Vec<Refusal> {
    let newer = newer_operator(root);
    if let Some((symbol, offset)) = newer {
        // To JSONata 2.0.6 it is a mistake of syntax, and the parser tells one.
        return vec![Refusal::unknown_operator(symbol, offset)];
    }
    let mut found = Found::default();
    found.at_top(root);
    root.walk(&mut |node| {
        if let NodeKind::Variable { name } = &node.kind
            && name == "$"
        {
            found.add("$$", node, Refusal::root);
        }
    });
    found.refusals.sort_by_key(|refusal| refusal.offset);
    found.refusals
}

/// The first use of `?:` or `??` (both since 2.1.0), with the symbol that an older parser stumbles over.
fn newer_operator(root: &Node) -> Option<(&'static str, usize)> {
    let mut first: Option<(&'static str, usize)> = None;
    root.walk(&mut |node| {
        if let NodeKind::Fallback { op, lhs, .. } = &node.kind
            && first.is_none_or(|(_, offset)| lhs.span.end < offset)
        {
            let symbol = match op {
                FallbackOp::Default => ":",
                FallbackOp::Coalesce => "?",
            };
            first = Some((symbol, lhs.span.end));
        }
    });
    first
}

#[derive(Default)]
struct Found {
    names: BTreeSet<String>,
    refusals: Vec<Refusal>,
}

impl Found {
    fn add(&mut self, name: &str, node: &Node, refusal: impl FnOnce(usize) -> Refusal) {
        if self.names.insert(name.to_owned()) {
            self.refusals.push(refusal(node.span.start));
        }
    }

    /// A node whose context is the one that the expression has not.
    fn at_top(&mut self, node: &Node) {
        match &node.kind {
            NodeKind::Path { steps, .. } => steps.first().into_iter().for_each(|step| self.at_top(step)),
            NodeKind::Name { name } => self.add(name, node, |offset| Refusal::top_level(name, offset)),
            NodeKind::Variable { name } if name.is_empty() => {
                self.add("$", node, |offset| Refusal::top_level("$", offset));
            }
            NodeKind::Binary { lhs, rhs, .. } | NodeKind::Fallback { lhs, rhs, .. } | NodeKind::Apply { lhs, rhs } => {
                self.at_top(lhs);
                self.at_top(rhs);
            }
            NodeKind::Bind { rhs, .. } => self.at_top(rhs),
            NodeKind::Negate { expr } => self.at_top(expr),
            NodeKind::Array { items } => items.iter().for_each(|item| self.at_top(item)),
            NodeKind::Block { exprs, .. } => exprs.iter().for_each(|expr| self.at_top(expr)),
            NodeKind::Object { pairs } => pairs.iter().for_each(|(key, value)| {
                self.at_top(key);
                self.at_top(value);
            }),
            NodeKind::Condition { condition, then, otherwise } => {
                self.at_top(condition);
                self.at_top(then);
                otherwise.iter().for_each(|otherwise| self.at_top(otherwise));
            }
            NodeKind::Function { procedure, args } | NodeKind::Partial { procedure, args } => {
                self.at_top(procedure);
                args.iter().for_each(|argument| self.at_top(argument));
            }
            NodeKind::Lambda(function) => self.at_top(&function.body),
            // Neither literals nor what has a context of its own; `*`, `**` and `%` AWS lets through.
            _ => {}
        }
    }
}
