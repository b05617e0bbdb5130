//! JSONata as AWS Step Functions speaks it: an expression is compiled once, shared between threads, and evaluated
//! against what a state sees.
//!
//! The engine underneath is `jlens-core`; nothing outside this folder knows that, so another one can take its place.
//! What AWS adds and refuses stands here: the six added functions (`functions.rs`), what an expression may refer to
//! (`references.rs`), what an evaluation may use up (`limits.rs`), and AWS's words for all of it (`failure.rs`).
//! Expressions that only pass a value on never reach the engine (`passing.rs`). No clock and no chance is read here:
//! the time is an argument, and chance comes from [`Draws`].

mod failure;
mod functions;
mod limits;
mod numbers;
mod passing;
mod references;
mod spelled;

use std::sync::Arc;

use jlens_core::{Bindings, Options};
use serde_json::{Map, Value};

pub use failure::{Failure, Limit, QUERY_EVALUATION_ERROR, Refusal, undefined, unexpected_type};
pub use functions::ADDED_FUNCTIONS;
pub use limits::Limits;
pub use references::References;

use crate::Payload;
use crate::eval::{Context, Draws, Variables};
use limits::Demands;
use passing::Passing;

/// The variable that holds what a state sees.
pub const STATES: &str = "states";

/// What stands between `{%` and `%}`; nothing for any other text.
pub fn delimited(text: &str) -> Option<&str> {
    text.strip_prefix("{%")?.strip_suffix("%}")
}

/// Whether an expression is held to what AWS takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// JSONata 2.0.6 as AWS has it: without `$eval`, without a context item, with AWS's added functions.
    Aws,
    /// All that the engine knows: what the official suite is about.
    Open,
}

/// A compiled expression. Cloning copies a pointer.
#[derive(Clone, Debug)]
pub struct Expression(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    text: Arc<str>,
    gate: Gate,
    counted: Counted,
    passing: Option<Passing>,
    /// What it may read of each variable: only that is handed to the engine.
    reads: jlens_core::reads::Reads,
    references: References,
    demands: Demands,
}

/// An expression as the engine has it.
#[derive(Debug)]
struct Counted {
    engine: jlens_core::Expression,
    /// It makes arrays of numbers whose size is not written down.
    ranges: bool,
}

impl Counted {
    /// With everything spelled out that would not be counted; `hidden` are functions behind variables of their names.
    fn of(engine: &jlens_core::Expression, hidden: &[&str]) -> Counted {
        let spelled = spelled::spelled(engine.source(), &engine.ast().root, hidden);
        let counted = spelled.and_then(|spelled| {
            let engine = jlens_core::Expression::compile(&spelled.text).ok()?;
            Some(Counted { engine, ranges: spelled.ranges })
        });
        counted.unwrap_or_else(|| Counted { engine: engine.clone(), ranges: false })
    }
}

/// What `$states` holds where an expression stands; a member that AWS does not offer there is absent.
#[derive(Clone, Copy)]
pub struct States<'a> {
    pub input: &'a Payload,
    pub result: Option<&'a Payload>,
    pub error_output: Option<&'a Payload>,
    pub context: &'a dyn Context,
}

/// What an expression sees of the world.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    pub states: Option<States<'a>>,
    pub variables: &'a dyn Variables,
    /// What `$` is. AWS gives an expression no context item, so a state has none.
    pub focus: Option<&'a Value>,
    /// What `$now()` and `$millis()` tell, in milliseconds since 1970.
    pub now_ms: i64,
}

impl Expression {
    /// Compiles what stands between `{%` and `%}`; all that is wrong with it, in the order in which it is written.
    pub fn compile(text: &str, gate: Gate) -> Result<Expression, Vec<Refusal>> {
        let text = text.trim();
        if text.len() > limits::MAX_EXPRESSION_BYTES {
            return Err(vec![Refusal::too_long()]);
        }
        let engine = jlens_core::Expression::compile(text).map_err(|error| vec![Refusal::syntax(text, &error)])?;
        let root = &engine.ast().root;
        if gate == Gate::Aws {
            let refused = references::refused(root);
            if !refused.is_empty() {
                return Err(refused);
            }
        }
        let reads = engine.reads_with(functions::signatures());
        let references = References::of(root, &reads);
        let compiled = Compiled {
            text: text.into(),
            gate,
            passing: Passing::of(root),
            demands: Demands::of(root),
            counted: Counted::of(&engine, &[]),
            reads,
            references,
        };
        Ok(Expression(Arc::new(compiled)))
    }

    /// As the definition wrote it, without delimiters and the white space beside them.
    pub fn text(&self) -> &Arc<str> {
        &self.0.text
    }

    /// Whether an evaluation can take long, more than its data is large, as far as its text tells.
    pub fn is_costly(&self) -> bool {
        self.0.demands.costly
    }

    /// Which members of `$states` and which variables it names.
    pub fn references(&self) -> &References {
        &self.0.references
    }

    /// What it comes to; `None` is JSONata's undefined.
    pub fn evaluate(
        &self,
        scope: &Scope<'_>,
        draws: &mut dyn Draws,
        limits: &Limits,
    ) -> Result<Option<Payload>, Failure> {
        self.evaluate_counted(scope, draws, limits).0
    }

    /// The same, with the work that it took, in steps. It is counted where it may be much (see
    /// [`Expression::is_costly`]); used up, each limit is worth [`Limits::max_steps`].
    pub fn evaluate_counted(
        &self,
        scope: &Scope<'_>,
        draws: &mut dyn Draws,
        limits: &Limits,
    ) -> (Result<Option<Payload>, Failure>, u64) {
        if let Some(passing) = &self.0.passing {
            match passing.evaluate(scope) {
                passing::Passed::Value(found) => return (Ok(found), 0),
                passing::Passed::Unsure => {}
            }
        }
        let seed = self.0.demands.chance.then(|| draws.next());
        let hidden = self.0.references.like_functions.iter().map(|name| &**name);
        let hidden: Vec<&str> = hidden.filter(|name| scope.variables.get(name).is_some()).collect();
        let counted = match hidden.as_slice() {
            [] => &self.0.counted,
            // Rare, and not worth keeping: which variables there are is known only here.
            hidden => match jlens_core::Expression::compile(&self.0.text) {
                Ok(engine) => &Counted::of(&engine, hidden),
                Err(error) => return (Err(Failure::of(&error)), 0),
            },
        };
        let mut bindings = self.bindings(scope, seed);
        if counted.ranges {
            bindings = functions::with_ranges(bindings, limits.max_items);
        }
        // A seed of 0 would make the engine read the clock: it mixes what it is given, so any other number will do.
        let shuffled = seed.map_or(1, |seed| (seed >> 64) as u64 | 1);
        let options = Options::new().now(scope.now_ms).seed(shuffled);
        let limits::Run { found, work } = limits.run(&counted.engine, &self.0.demands, scope.focus, &bindings, options);
        let made = match found {
            Ok(limits::Found::Value(mut value)) => {
                numbers::settle(&mut value);
                Ok(Some(Payload::from(value)))
            }
            Ok(limits::Found::Nothing) => Ok(None),
            Ok(limits::Found::Function) if self.0.gate == Gate::Open => Ok(None),
            Ok(limits::Found::Function) => Err(Failure::UnsupportedResult),
            Err(failure) => Err(failure),
        };
        (made, work)
    }

    /// What the engine is given: functions, and of the variables as much as the expression may read.
    fn bindings(&self, scope: &Scope<'_>, seed: Option<u128>) -> Bindings {
        let mut bindings = match self.0.gate {
            Gate::Aws if self.0.demands.added_functions => functions::bindings(seed),
            Gate::Aws | Gate::Open => Bindings::new(),
        };
        for (name, read) in self.0.reads.bindings() {
            if name == STATES {
                continue;
            }
            if let Some(value) = scope.variables.get(name) {
                bindings = bindings.var(name, read.cut(value));
            }
        }
        // A variable named like a function of the language hides it, and how it is read is not known.
        for name in &self.0.references.like_functions {
            if let Some(value) = scope.variables.get(name) {
                bindings = bindings.var(&**name, value.clone());
            }
        }
        if let (Some(states), Some(read)) = (&scope.states, self.0.reads.binding(STATES)) {
            bindings = bindings.var(STATES, states.cut(read));
        }
        bindings
    }
}

/// Whether this is read of the context object's `Execution` together with its `Input`.
fn reads_input(read: &jlens_core::reads::Read) -> bool {
    match read {
        jlens_core::reads::Read::Whole => true,
        jlens_core::reads::Read::Fields(fields) => fields.contains_key("Input"),
    }
}

impl States<'_> {
    /// The object, with as much of each member as is read.
    fn cut(&self, read: &jlens_core::reads::Read) -> Value {
        use jlens_core::reads::Read;
        let wanted = |member: &str| match read {
            Read::Whole => Some(&Read::Whole),
            Read::Fields(fields) => fields.get(member),
        };
        let mut object = Map::new();
        let members = [("input", Some(self.input)), ("result", self.result), ("errorOutput", self.error_output)];
        for (name, payload) in members {
            if let (Some(read), Some(payload)) = (wanted(name), payload) {
                object.insert(name.to_owned(), read.cut(payload.value()));
            }
        }
        if let Some(read) = wanted("context") {
            let context = match read {
                Read::Whole => self.context.whole(),
                Read::Fields(fields) if fields.get("Execution").is_none_or(|read| !reads_input(read)) => {
                    self.context.without_input()
                }
                Read::Fields(_) => self.context.value(),
            };
            object.insert("context".to_owned(), read.cut(context));
        }
        Value::Object(object)
    }
}
