//! What one evaluation may use up, without a clock: the same expression on the same data ends in the same way on every
//! machine.
//!
//! AWS's own limits were measured from outside: evaluations nested about 100 deep, values of about 7 MB, a second of
//! time. The engine counts depth and steps and bounds the size of each single value. That leaves two holes, which are
//! closed here: many large values (an expression that repeats what builds strings or arrays runs beside a [`Meter`]
//! that adds up what is built and touched), and regular expressions, of which one step stands for a thousand
//! backtrackings (they start with a small purse, and get the full one only if the steps went elsewhere).

use jlens_core::ast::BinaryOp;
use jlens_core::audit::{CaptureLimits, Outcome, Tracer, ValueRef};
use jlens_core::{Bindings, CancelToken, Node, NodeKind, Options};
use serde_json::Value;

use super::failure::{Failure, Limit};
use super::functions::{self, ADDED_FUNCTIONS};
use super::spelled;

/// Longer than any expression that a definition of 1 MiB would hold in earnest; parsing takes time and stack.
pub(super) const MAX_EXPRESSION_BYTES: usize = 262_144;

/// The limits of one evaluation; the defaults are AWS's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Evaluations within evaluations.
    pub max_depth: usize,
    /// Nodes evaluated and functions called: in place of AWS's second.
    pub max_steps: u64,
    /// Bytes of a text, of a result, of the arguments of an added function.
    pub max_value_bytes: usize,
    /// Items of an array.
    pub max_items: usize,
    /// Bytes of all that is built by an expression that repeats itself.
    pub max_built_bytes: u64,
    /// Bytes of text that such an expression looks at.
    pub max_touched_bytes: u64,
}

impl Limits {
    /// Measured: AWS takes `1+1+…` with 100 terms and refuses 101.
    pub const MAX_DEPTH: usize = 100;

    /// A tenth of a second's work on a small machine; adding up 200,000 numbers, which AWS does, takes half of it.
    pub const MAX_STEPS: u64 = 1_000_000;

    /// Measured: AWS builds a text of 4,194,304 characters and none of twice that, and `[1..873782]` at 8 bytes each.
    pub const MAX_VALUE_BYTES: usize = Limits::MAX_ITEMS * 8;

    /// Measured: AWS counts `[1..873782]` and refuses one number more.
    pub const MAX_ITEMS: usize = 873_782;

    /// Seven of the largest values: as much as an expression should ever hold.
    pub const MAX_BUILT_BYTES: u64 = 48 << 20;

    /// What is read and compared in the time that [`Limits::MAX_STEPS`] stand for.
    pub const MAX_TOUCHED_BYTES: u64 = 256 << 20;
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_depth: Limits::MAX_DEPTH,
            max_steps: Limits::MAX_STEPS,
            max_value_bytes: Limits::MAX_VALUE_BYTES,
            max_items: Limits::MAX_ITEMS,
            max_built_bytes: Limits::MAX_BUILT_BYTES,
            max_touched_bytes: Limits::MAX_TOUCHED_BYTES,
        }
    }
}

/// Steps that an expression with regular expressions has at first: each may be 1,024 backtrackings.
const REGEX_STEPS: u64 = 8_000;

/// What an item of an array or a field of an object counts.
const ITEM_BYTES: u64 = 24;

/// What an item counts that `$append` has put into a new array: mostly that one takes the place of the old.
const APPENDED_BYTES: u64 = 16;

/// What an item counts that a function has made anew.
const PIECE_BYTES: u64 = 96;

/// Functions that make each item of their result anew.
const PIECEWISE: [&str; 5] = ["split", "match", "spread", "zip", "partition"];

/// What a byte counts of a text that is made character by character, and of one that is searched for each of them:
/// as many times the work of copying it. One text of the greatest length can still be made in either way.
const PADDED_BYTES: u64 = 3;
const REPLACED_BYTES: u64 = 7;

/// What a bare value counts in a copy of all that holds it.
const COPIED_BYTES: u64 = 64;

/// What an array or object counts beside its content. The engine's takes about 300; three times as much keeps what
/// nests in each other below [`Limits::MAX_BUILT_BYTES`] / 1,024 levels, which [`STACK_BYTES`] are enough for.
const CONTAINER_BYTES: u64 = 1024;

/// Stack for an expression that nests values: the engine gives them free one within the other.
const STACK_BYTES: usize = 64 << 20;

/// What an expression came to.
pub(super) enum Found {
    Value(Value),
    Nothing,
    Function,
}

/// An evaluation, and what it took where that may be much: see [`Limits::work`].
pub(super) struct Run {
    pub found: Result<Found, Failure>,
    pub work: u64,
}

/// What an expression needs of its evaluation, read off its text.
#[derive(Debug, Default)]
pub(super) struct Demands {
    /// It draws.
    pub chance: bool,
    /// It names a function that the language has not.
    pub added_functions: bool,
    /// It may backtrack.
    regex: bool,
    /// It repeats something that builds values.
    pub metered: bool,
    /// It can put values into each other, again and again.
    nests: bool,
    /// It can take long, more than its data is large: it calls functions of its own, or repeats what repeats.
    pub costly: bool,
}

impl Demands {
    pub(super) fn of(root: &Node) -> Demands {
        let mut demands = Demands::default();
        let (mut builds, mut repeats, mut calls) = (false, 0_usize, false);
        root.walk(&mut |node| match &node.kind {
            NodeKind::Variable { name } => {
                demands.chance |= matches!(name.as_str(), "random" | "uuid" | "shuffle");
                demands.added_functions |= ADDED_FUNCTIONS.contains(&name.as_str()) || name == functions::EVAL;
                // The picture becomes one.
                demands.regex |= name == "toMillis";
                builds |= spelled::BUILDERS.iter().any(|(builder, _)| builder == name);
            }
            NodeKind::Regex { .. } => demands.regex = true,
            NodeKind::Binary { op: BinaryOp::Concat | BinaryOp::Range, .. } | NodeKind::Transform(_) => builds = true,
            NodeKind::Object { .. } | NodeKind::Array { .. } => demands.nests = true,
            NodeKind::Lambda(function) => calls |= !function.thunk,
            NodeKind::Path { steps, .. } => repeats += steps.iter().skip(1).filter(|step| !is_lookup(step)).count(),
            _ => repeats += usize::from(!node.attrs.predicate.is_empty() || node.attrs.group.is_some()),
        });
        demands.nests = calls && (builds || demands.nests);
        demands.metered = demands.nests || builds && repeats > 0;
        demands.costly = demands.metered || demands.regex || calls || repeats > 1;
        demands
    }
}

fn is_lookup(step: &Node) -> bool {
    matches!(step.kind, NodeKind::Name { .. }) && step.attrs.stages.is_empty() && step.attrs.group.is_none()
}

impl Limits {
    /// What was built and touched, in steps: each byte by its share of its limit.
    fn work(&self, built_left: u64, touched_left: u64) -> u64 {
        let share = |left: u64, most: u64| {
            let used = u128::from(most.saturating_sub(left)) * u128::from(self.max_steps);
            u64::try_from(used / u128::from(most.max(1))).unwrap_or(u64::MAX)
        };
        share(built_left, self.max_built_bytes) + share(touched_left, self.max_touched_bytes)
    }

    /// Evaluates within the limits.
    pub(super) fn run(
        &self,
        engine: &jlens_core::Expression,
        demands: &Demands,
        focus: Option<&Value>,
        bindings: &Bindings,
        options: Options,
    ) -> Run {
        let options = options
            .max_depth(self.max_depth)
            .max_string_length(self.max_value_bytes)
            .max_array_length(self.max_items)
            .max_result_size(self.max_value_bytes);
        let whole = options.clone().max_steps(self.max_steps);
        if demands.nests {
            return stacker::grow(STACK_BYTES, || self.purses(engine, demands, focus, bindings, options, &whole));
        }
        if demands.regex || demands.metered {
            return self.purses(engine, demands, focus, bindings, options, &whole);
        }
        if demands.costly {
            let mut end = End::default();
            let found = engine.evaluate_traced(focus, bindings, &whole, &mut end);
            return end.run(found);
        }
        match engine.evaluate_with(focus, bindings, &whole) {
            // Undefined and a function look alike, as do null and what is not a number.
            Ok(None | Some(Value::Null)) => self.traced(engine, focus, bindings, &whole).0,
            Ok(Some(value)) => Run { found: Ok(Found::Value(value)), work: 0 },
            Err(error) => Run { found: Err(Failure::of(&error)), work: 0 },
        }
    }

    /// With a small purse first, where a step may be more than a step.
    fn purses(
        &self,
        engine: &jlens_core::Expression,
        demands: &Demands,
        focus: Option<&Value>,
        bindings: &Bindings,
        options: Options,
        whole: &Options,
    ) -> Run {
        if demands.regex && self.max_steps > REGEX_STEPS {
            let few = options.max_steps(REGEX_STEPS);
            let (run, meter) = self.traced(engine, focus, bindings, &few);
            let went_elsewhere = meter.entered > REGEX_STEPS / 2;
            if !matches!(run.found, Err(Failure::Limit(Limit::Time))) || !went_elsewhere {
                // As if each step had been one of a regular expression.
                let work = run.work.saturating_mul(self.max_steps / REGEX_STEPS).min(self.max_steps);
                return Run { work, ..run };
            }
        }
        self.traced(engine, focus, bindings, whole).0
    }

    fn traced(
        &self,
        engine: &jlens_core::Expression,
        focus: Option<&Value>,
        bindings: &Bindings,
        options: &Options,
    ) -> (Run, Meter) {
        let mut meter = Meter::new(self);
        let options = options.clone().cancel_token(meter.stop.clone());
        let found = engine.evaluate_traced(focus, bindings, &options, &mut meter);
        let mut run = meter.end.run(found);
        if let (Err(_), Some(limit)) = (&run.found, meter.exceeded) {
            run.found = Err(Failure::Limit(limit));
        }
        run.work += self.work(meter.built_left, meter.touched_left);
        (run, meter)
    }
}

/// What is heard of an evaluation when it ends: its steps, and the type of the result.
#[derive(Default)]
struct End {
    steps: u64,
    ended: &'static str,
}

impl End {
    fn run(&self, found: jlens_core::Result<Option<Value>>) -> Run {
        let found = match (found, self.ended) {
            (Err(error), _) => Err(Failure::of(&error)),
            (Ok(None), "function") => Ok(Found::Function),
            (Ok(None), _) => Ok(Found::Nothing),
            // JSON has no NaN; AWS writes JavaScript's name for it (measured).
            (Ok(Some(Value::Null)), "number") => Ok(Found::Value("NaN".into())),
            (Ok(Some(value)), _) => Ok(Found::Value(value)),
        };
        Run { found, work: self.steps }
    }
}

impl Tracer for End {
    fn steps(&mut self, steps: u64) {
        self.steps = steps;
    }

    fn end(&mut self, outcome: Outcome<'_>) {
        if let Outcome::Value(value) = outcome {
            self.ended = value.type_name();
        }
    }
}

/// Adds up what an evaluation builds and looks at, and stops it when it is too much.
struct Meter {
    stop: CancelToken,
    exceeded: Option<Limit>,
    built_left: u64,
    touched_left: u64,
    entered: u64,
    end: End,
}

impl Meter {
    fn new(limits: &Limits) -> Meter {
        Meter {
            stop: CancelToken::new(),
            exceeded: None,
            built_left: limits.max_built_bytes,
            touched_left: limits.max_touched_bytes,
            entered: 0,
            end: End::default(),
        }
    }

    fn built(&mut self, bytes: u64) {
        match self.built_left.checked_sub(bytes) {
            Some(left) => self.built_left = left,
            None => self.exceed(Limit::Memory),
        }
    }

    fn touched(&mut self, bytes: u64) {
        match self.touched_left.checked_sub(bytes) {
            Some(left) => self.touched_left = left,
            None => self.exceed(Limit::Time),
        }
    }

    fn exceed(&mut self, limit: Limit) {
        self.exceeded.get_or_insert(limit);
        self.stop.cancel();
    }
}

impl Tracer for Meter {
    fn enter(&mut self, _node: &Node, _input: ValueRef<'_>) {
        self.entered += 1;
    }

    fn exit(&mut self, node: &Node, outcome: Outcome<'_>) {
        let Outcome::Value(value) = outcome else { return };
        let (item_bytes, byte_bytes) = match called(node) {
            Some("append") => (APPENDED_BYTES, 1),
            Some("pad") => (ITEM_BYTES, PADDED_BYTES),
            Some("replace") => (ITEM_BYTES, REPLACED_BYTES),
            Some(name) if PIECEWISE.contains(&name) => (PIECE_BYTES, 1),
            _ => (ITEM_BYTES, 1),
        };
        let size = match value.type_name() {
            "string" => text_bytes(value) * byte_bytes,
            "array" | "object" => CONTAINER_BYTES + items(value) * item_bytes,
            _ => return,
        };
        match &node.kind {
            // What hands on a value that something within it has made.
            NodeKind::Block { .. } | NodeKind::Bind { .. } | NodeKind::Condition { .. } | NodeKind::String { .. } => {}
            NodeKind::Variable { .. } | NodeKind::Name { .. } => {
                if value.type_name() == "string" {
                    self.touched(size);
                }
            }
            // What stands behind `~>` may be a transform.
            NodeKind::Transform(_) | NodeKind::Apply { .. } => self.built(copied_bytes(value)),
            _ if called(node) == Some("clone") => self.built(copied_bytes(value)),
            _ => self.built(size),
        }
    }

    fn steps(&mut self, steps: u64) {
        self.end.steps(steps);
    }

    fn end(&mut self, outcome: Outcome<'_>) {
        self.end.end(outcome);
    }
}

/// The name of the function that a node calls.
fn called(node: &Node) -> Option<&str> {
    let NodeKind::Function { procedure, .. } = &node.kind else { return None };
    let NodeKind::Variable { name } = &procedure.kind else { return None };
    Some(name)
}

/// The length of a text. To copy it is the fastest way in which the engine tells it.
fn text_bytes(value: ValueRef<'_>) -> u64 {
    value.to_json().as_ref().and_then(Value::as_str).map_or(0, |text| text.len() as u64)
}

/// How many items an array or fields an object has. The engine tells it as the number of those it leaves out.
fn items(value: ValueRef<'_>) -> u64 {
    let limits = CaptureLimits { max_items: 0, ..CaptureLimits::default() };
    let more = match value.capture(&limits) {
        Some(Value::Array(said)) => said.into_iter().next(),
        Some(Value::Object(said)) => said.into_values().next(),
        _ => None,
    };
    let Some(Value::String(more)) = more else { return 0 };
    let digits: String = more.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// What a deep copy takes.
fn copied_bytes(value: ValueRef<'_>) -> u64 {
    fn count(value: &Value) -> u64 {
        match value {
            Value::String(text) => ITEM_BYTES + text.len() as u64,
            Value::Array(items) => CONTAINER_BYTES + items.iter().map(count).sum::<u64>(),
            Value::Object(fields) => {
                CONTAINER_BYTES + fields.values().map(|field| ITEM_BYTES + count(field)).sum::<u64>()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => COPIED_BYTES,
        }
    }
    value.to_json().as_ref().map_or(0, count)
}
