//! What the engine does unseen, spelled out so that it can be counted.
//!
//! The engine tells a meter about every node that it evaluates (see `limits.rs`), but three things happen outside of
//! nodes: a built-in function that another function calls, the last call of a function, which is made after the
//! function has ended, and the numbers of a range, of which it makes ten million before it looks at its limit. So
//! `$map(names, $uppercase)` is compiled as `$map(names, function($a){($_last:=$uppercase($a))})`, and `[1..$n]` as
//! `[$_from(1)..$_up_to($n)]`, where the second refuses what is too much. The meaning is the same, and the author
//! never sees it.

use jlens_core::ast::{BinaryOp, Stage};
use jlens_core::{Node, NodeKind, Span, function_catalog};

/// The function around the start of a range.
pub(super) const FROM: &str = "_from";

/// The function around the end of a range.
pub(super) const UP_TO: &str = "_up_to";

/// An expression as it is compiled.
pub(super) struct Spelled {
    pub text: String,
    /// It needs [`FROM`] and [`UP_TO`].
    pub ranges: bool,
}

/// Functions that make much of little, or copy all they get, with the number of arguments that they declare to
/// functions that call them.
pub(super) const BUILDERS: [(&str, usize); 33] = [
    ("append", 2),
    ("base64decode", 1),
    ("base64encode", 1),
    ("clone", 1),
    ("decodeUrl", 1),
    ("decodeUrlComponent", 1),
    ("distinct", 1),
    ("encodeUrl", 1),
    ("encodeUrlComponent", 1),
    ("formatBase", 2),
    ("formatInteger", 2),
    ("formatNumber", 3),
    ("join", 2),
    ("keys", 1),
    ("lowercase", 1),
    ("match", 3),
    ("merge", 1),
    ("pad", 3),
    ("partition", 2),
    ("range", 3),
    ("replace", 4),
    ("reverse", 1),
    ("shuffle", 1),
    ("sort", 2),
    ("split", 3),
    ("spread", 1),
    ("string", 1),
    ("substring", 3),
    ("substringAfter", 2),
    ("substringBefore", 2),
    ("trim", 1),
    ("uppercase", 1),
    ("zip", 1),
];

/// The expression with everything where a meter sees it; nothing if it is there already. `hidden` are functions whose
/// names are taken by variables.
pub(super) fn spelled(text: &str, root: &Node, hidden: &[&str]) -> Option<Spelled> {
    let mut speller = Speller { hidden: hidden.to_vec(), insertions: Insertions::default(), ranges: false };
    speller.visit(root);
    Some(Spelled { text: speller.insertions.into_text(text)?, ranges: speller.ranges })
}

struct Speller<'n> {
    /// Names that stand for something else where the walk is.
    hidden: Vec<&'n str>,
    insertions: Insertions,
    ranges: bool,
}

impl<'n> Speller<'n> {
    fn visit(&mut self, node: &'n Node) {
        match &node.kind {
            NodeKind::Lambda(last) if last.thunk => {
                if let NodeKind::Function { procedure, .. } = &last.body.kind
                    && self.builder(procedure).is_some()
                {
                    self.insertions.around(last.body.span, "($_last:=".into(), ")".into());
                }
                self.visit(&last.body);
            }
            NodeKind::Lambda(lambda) => {
                let outside = self.hidden.len();
                self.hidden.extend(lambda.params.iter().map(String::as_str));
                self.visit(&lambda.body);
                self.hidden.truncate(outside);
            }
            NodeKind::Block { exprs, .. } => {
                let outside = self.hidden.len();
                exprs.iter().for_each(|expr| self.visit(expr));
                self.hidden.truncate(outside);
            }
            NodeKind::Path { steps, .. } => {
                let outside = self.hidden.len();
                steps.iter().for_each(|step| self.visit(step));
                self.attributes(node);
                self.hidden.truncate(outside);
                return;
            }
            NodeKind::Bind { lhs, rhs } => {
                self.visit(rhs);
                if let NodeKind::Variable { name } = &lhs.kind {
                    self.hidden.push(name);
                }
            }
            NodeKind::Function { procedure, args } => {
                self.visit_unless_named(procedure);
                args.iter().for_each(|argument| self.visit(argument));
            }
            NodeKind::Apply { lhs, rhs } => {
                self.visit(lhs);
                self.visit_unless_named(rhs);
            }
            NodeKind::Partial { procedure, args } => {
                if let Some((name, _)) = self.builder(procedure) {
                    let all = function_catalog().iter().find(|function| function.name == name).map(|f| f.params.len());
                    let (before, behind) = function(all.unwrap_or(3));
                    self.insertions.around(procedure.span, format!("({before}"), format!("{behind})"));
                } else {
                    self.visit_unless_named(procedure);
                }
                args.iter().for_each(|argument| self.visit(argument));
            }
            NodeKind::Binary { op: BinaryOp::Range, lhs, rhs } if !is_small(lhs, rhs) => {
                self.ranges = true;
                self.insertions.around(lhs.span, format!("${FROM}("), ")".into());
                self.visit(lhs);
                self.insertions.around(rhs.span, format!("${UP_TO}("), ")".into());
                self.visit(rhs);
            }
            NodeKind::Variable { .. } => {
                if let Some((_, arguments)) = self.builder(node) {
                    let (before, behind) = function(arguments);
                    self.insertions.around(node.span, before, behind);
                }
            }
            _ => {
                node.for_each_child(|child| self.visit(child));
                return;
            }
        }
        self.attributes(node);
    }

    /// Filters and groups of a node, and the names that it gives to what follows.
    fn attributes(&mut self, node: &'n Node) {
        let attrs = &node.attrs;
        self.hidden.extend(attrs.focus.as_deref());
        self.hidden.extend(attrs.index.as_deref());
        for stage in attrs.stages.iter().chain(&attrs.predicate) {
            match stage {
                Stage::Filter { expr, .. } => self.visit(expr),
                Stage::Index { var, .. } => self.hidden.push(var),
            }
        }
        for (key, value) in attrs.group.iter().flat_map(|group| &group.pairs) {
            self.visit(key);
            self.visit(value);
        }
    }

    /// A function that is called where it is named is a node already.
    fn visit_unless_named(&mut self, function: &'n Node) {
        if !matches!(function.kind, NodeKind::Variable { .. }) {
            self.visit(function);
        }
    }

    /// A node that names one of [`BUILDERS`].
    fn builder(&self, node: &'n Node) -> Option<(&'n str, usize)> {
        let NodeKind::Variable { name } = &node.kind else { return None };
        if self.hidden.contains(&name.as_str()) {
            return None;
        }
        BUILDERS.iter().find(|(builder, _)| builder == name).map(|(_, arguments)| (name.as_str(), *arguments))
    }
}

/// A range whose ends are written down, and not far from each other.
fn is_small(lhs: &Node, rhs: &Node) -> bool {
    match (&lhs.kind, &rhs.kind) {
        (NodeKind::Number { value: start }, NodeKind::Number { value: end }) => end - start < 10_000.0,
        _ => false,
    }
}

/// What stands around a name to make a function of it that calls the named one: `function($a){($_last:=`, `($a))}`.
fn function(arguments: usize) -> (String, String) {
    let arguments: Vec<&str> = ["$a", "$b", "$c", "$d"].into_iter().take(arguments).collect();
    let arguments = arguments.join(",");
    (format!("function({arguments}){{($_last:="), format!("({arguments}))}}"))
}

/// Pieces of text to put into another one.
#[derive(Default)]
struct Insertions(Vec<(usize, Side, String)>);

/// Of what is put in at one place, everything that ends there comes first, the inner before the outer; then
/// everything that begins there, the outer before the inner. Nodes are met from the outside to the inside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    End(std::cmp::Reverse<usize>),
    Begin(usize),
}

impl Insertions {
    fn around(&mut self, span: Span, before: String, behind: String) {
        let nth = self.0.len();
        self.0.push((span.start, Side::Begin(nth), before));
        self.0.push((span.end, Side::End(std::cmp::Reverse(nth)), behind));
    }

    fn into_text(mut self, text: &str) -> Option<String> {
        self.0.sort_by_key(|(at, side, _)| (*at, *side));
        let (mut made, mut copied) = (String::new(), 0);
        for (at, _, piece) in &self.0 {
            made.push_str(text.get(copied..*at)?);
            made.push_str(piece);
            copied = *at;
        }
        made.push_str(text.get(copied..)?);
        (!self.0.is_empty()).then_some(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_meter_would_not_see() {
        let check = |text: &str| {
            let ast = jlens_core::parse(text).expect(text);
            let made = spelled(text, &ast.root, &[]).map(|spelled| spelled.text).unwrap_or_default();
            jlens_core::parse(if made.is_empty() { "1" } else { &made }).expect("it parses");
            made
        };
        assert_eq!(check("$map(x, $uppercase)"), "$map(x, function($a){($_last:=$uppercase($a))})");
        assert_eq!(
            check("$map(x, $pad(?, 9)) ~> $join"),
            "$map(x, (function($a,$b,$c){($_last:=$pad($a,$b,$c))})(?, 9)) ~> $join"
        );
        assert_eq!(check("($f := $string; $map(x, $f))"), "($f := function($a){($_last:=$string($a))}; $map(x, $f))");
        assert_eq!(check("function($x){ $pad($x, 3) }"), "function($x){ ($_last:=$pad($x, 3)) }");
        assert_eq!(check("[1, a.b .. c]"), "[1, $_from(a.b) .. $_up_to(c)]");
        assert_eq!(check("[a..$count(b.[1..c])]"), "[$_from(a)..$_up_to($count(b.[$_from(1)..$_up_to(c)]))]");
        // The name of a parameter is no function, nor is that of a variable of the expression.
        assert_eq!(
            check("function($match) { $trim($match.match) }"),
            "function($match) { ($_last:=$trim($match.match)) }"
        );
        assert_eq!(check("($keys := 1; $f($keys))"), "");
        for text in ["$uppercase(x) ~> $trim", "$map(x, $count)", "[1..10]", "function($x){ $f($x) }"] {
            assert_eq!(check(text), "");
        }
    }
}
