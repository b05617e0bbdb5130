//! A checked state machine, ready to run: what `parse` makes and `machine` walks.
//!
//! States lie in one vector in the order in which the definition's text names them (nested ones after the state that
//! holds them), so a [`StateId`] is a function of the text alone and may be written to the log. Paths, templates and
//! resources are compiled; nothing here is looked up by name while an execution runs.

use std::sync::Arc;

use jsonpath::{Head, JsonPath, ReferencePath};
use serde_json::Value;

use crate::Payload;
use crate::jsonata::Expression;

/// A state's place in [`Program::states`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct StateId(pub u32);

/// A state list's place in [`Program::scopes`]: the whole machine is 0, then branches and item processors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ScopeId(pub u32);

/// A whole state machine.
#[derive(Debug)]
pub struct Program {
    pub query_language: QueryLanguage,
    /// The machine's own `TimeoutSeconds`.
    pub timeout_seconds: Option<u64>,
    pub scopes: Vec<Scope>,
    pub states: Vec<State>,
}

impl Program {
    /// The machine itself, as opposed to its branches and item processors.
    pub const ROOT: ScopeId = ScopeId(0);

    pub fn state(&self, id: StateId) -> &State {
        &self.states[id.0 as usize]
    }

    /// Whether some state has an expression that can take long.
    pub fn is_costly(&self) -> bool {
        self.states.iter().any(|state| state.work >= COSTLY)
    }

    pub fn scope(&self, id: ScopeId) -> &Scope {
        &self.scopes[id.0 as usize]
    }
}

/// A list of states with its own `StartAt`: the machine, a branch, an item processor.
#[derive(Debug)]
pub struct Scope {
    /// The Parallel or Map state that holds it; the machine itself has none.
    pub owner: Option<StateId>,
    pub start_at: StateId,
    pub states: Vec<StateId>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueryLanguage {
    JsonPath,
    Jsonata,
}

/// What an expression counts that can take long, compared to one that cannot.
pub const COSTLY: u32 = 50;

#[derive(Debug)]
pub struct State {
    pub name: Arc<str>,
    pub scope: ScopeId,
    pub query_language: QueryLanguage,
    /// JSONPath only; `Selection::Whole` where the field is absent.
    pub input_path: Selection,
    /// JSONPath only; `Selection::Whole` where the field is absent.
    pub output_path: Selection,
    /// `Output`, JSONata only; absent: the result, or the input where there is none.
    pub output: Option<Computed>,
    /// `Assign`: of a Choice, what is set where no rule holds.
    pub assign: Option<Assign>,
    /// What its expressions may take altogether: 1 for a plain one, [`COSTLY`] for one that can take long.
    pub work: u32,
    /// Where it goes when it is done; Choice, Fail and Succeed have `End`.
    pub next: Transition,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transition {
    Next(StateId),
    End,
}

#[derive(Debug)]
pub enum Kind {
    Task(Box<Task>),
    Pass(Pass),
    Choice(Choice),
    Wait(Wait),
    Succeed,
    Fail(Fail),
    Parallel(Box<Parallel>),
    Map(Box<Map>),
}

impl Kind {
    /// The word of the `Type` field.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Task(_) => "Task",
            Kind::Pass(_) => "Pass",
            Kind::Choice(_) => "Choice",
            Kind::Wait(_) => "Wait",
            Kind::Succeed => "Succeed",
            Kind::Fail(_) => "Fail",
            Kind::Parallel(_) => "Parallel",
            Kind::Map(_) => "Map",
        }
    }
}

/// A JSONPath with the document that it reads: `$.a` the input, `$$.a` the context object, `$name.a` a variable.
#[derive(Clone, Debug)]
pub struct Path {
    /// As the definition wrote it.
    pub text: Arc<str>,
    pub head: Head,
    pub path: JsonPath,
}

/// `InputPath`, `OutputPath`, `ItemsPath`.
#[derive(Clone, Debug)]
pub enum Selection {
    /// `$`, or the field is absent.
    Whole,
    /// `null`: `{}` goes on.
    Empty,
    Path(Path),
}

/// `ResultPath`.
#[derive(Clone, Debug)]
pub enum ResultPath {
    /// `$`, or absent: the result replaces the input.
    Replace,
    /// `null`: the input goes on.
    Discard,
    At(ReferencePath),
}

/// `Parameters`, `ResultSelector`, `ItemSelector`: fields that end in `.$` are evaluated, the rest is literal.
#[derive(Clone, Debug)]
pub enum Template {
    /// Nothing inside is evaluated.
    Literal(Payload),
    Object(Vec<(Arc<str>, Template)>),
    Array(Vec<Template>),
    /// `field` is the name with its `.$`, which error texts quote.
    Dynamic {
        field: Arc<str>,
        value: Dynamic,
    },
}

/// JSON of a JSONata state: what stands between `{%` and `%}` is evaluated, wherever it stands. The JSONata twin of
/// [`Template`], for `Arguments`, `Output`, `Items` and the fields that both languages have.
#[derive(Clone, Debug)]
pub enum Computed {
    /// Nothing inside is evaluated.
    Literal(Payload),
    Expression(Expression),
    Object(Vec<(Arc<str>, Computed)>),
    Array(Vec<Computed>),
}

/// `Assign`: variables and their values, in the order of writing, in the language of the state.
#[derive(Clone, Debug)]
pub enum Assign {
    Templates(Vec<(Arc<str>, Template)>),
    Computed(Vec<(Arc<str>, Computed)>),
}

/// What stands behind a `.$` field, and in `ErrorPath` and `CausePath`.
#[derive(Clone, Debug)]
pub enum Dynamic {
    Path(Path),
    Intrinsic(Box<Intrinsic>),
}

/// A call of an intrinsic function; its text is quoted in error texts.
#[derive(Clone, Debug)]
pub struct Intrinsic {
    pub text: Arc<str>,
    pub function: Function,
    pub arguments: Vec<Argument>,
}

#[derive(Clone, Debug)]
pub enum Argument {
    Literal(Value),
    Path(Path),
    Call(Box<Intrinsic>),
}

/// The 18 intrinsic functions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Function {
    Array,
    ArrayPartition,
    ArrayContains,
    ArrayRange,
    ArrayGetItem,
    ArrayLength,
    ArrayUnique,
    Base64Encode,
    Base64Decode,
    Hash,
    JsonMerge,
    StringToJson,
    JsonToString,
    MathRandom,
    MathAdd,
    StringSplit,
    Uuid,
    Format,
}

/// A number that a field gives or that a `…Path` field finds.
#[derive(Clone, Debug)]
pub enum Amount {
    Literal(f64),
    Path(Path),
    /// JSONata only.
    Expression(Expression),
}

/// `Error` and `Cause` of a Fail state, or their `…Path` forms.
#[derive(Clone, Debug)]
pub enum Text {
    Literal(Arc<str>),
    Dynamic(Dynamic),
    /// JSONata only.
    Expression(Expression),
}

#[derive(Debug)]
pub struct Task {
    pub resource: Resource,
    pub parameters: Option<Template>,
    /// `Arguments`, JSONata only.
    pub arguments: Option<Computed>,
    pub result_selector: Option<Template>,
    pub result_path: ResultPath,
    pub timeout_seconds: Option<Amount>,
    pub heartbeat_seconds: Option<Amount>,
    pub credentials: Option<Template>,
    /// `Credentials` of a JSONata state.
    pub computed_credentials: Option<Computed>,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
}

#[derive(Debug)]
pub struct Pass {
    pub result: Option<Payload>,
    pub parameters: Option<Template>,
    pub result_path: ResultPath,
}

#[derive(Debug)]
pub struct Choice {
    pub rules: Vec<ChoiceRule>,
    pub default: Option<StateId>,
}

#[derive(Debug)]
pub struct ChoiceRule {
    pub condition: Condition,
    pub next: StateId,
    pub assign: Option<Assign>,
    /// JSONata only.
    pub output: Option<Computed>,
}

#[derive(Debug)]
pub enum Condition {
    And(Vec<Condition>),
    Or(Vec<Condition>),
    Not(Box<Condition>),
    Compare {
        variable: Path,
        comparison: Comparison,
        operand: Operand,
    },
    /// `Condition`, JSONata only: an expression, or a literal.
    Computed(Computed),
    /// `IsNull`, `IsPresent`, …: whether the answer must be true or false.
    Is {
        variable: Path,
        test: TypeTest,
        expected: bool,
    },
}

#[derive(Debug)]
pub enum Operand {
    Literal(Value),
    Path(Path),
}

/// The left half of an operator's name is the type, the right half the order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    String(Order),
    Numeric(Order),
    Timestamp(Order),
    BooleanEquals,
    StringMatches,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    Equals,
    LessThan,
    GreaterThan,
    LessThanEquals,
    GreaterThanEquals,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TypeTest {
    IsNull,
    IsPresent,
    IsNumeric,
    IsString,
    IsBoolean,
    IsTimestamp,
}

#[derive(Debug)]
pub enum Wait {
    Seconds(u64),
    SecondsPath(Path),
    /// As the definition wrote it; checked to be a timestamp.
    Timestamp(Arc<str>),
    TimestampPath(Path),
    /// `Seconds` of a JSONata state that are computed.
    SecondsExpression(Expression),
    /// `Timestamp` of a JSONata state that is computed.
    TimestampExpression(Expression),
}

#[derive(Debug)]
pub struct Fail {
    pub error: Option<Text>,
    pub cause: Option<Text>,
}

#[derive(Debug)]
pub struct Parallel {
    pub branches: Vec<ScopeId>,
    pub parameters: Option<Template>,
    /// `Arguments`, JSONata only.
    pub arguments: Option<Computed>,
    pub result_selector: Option<Template>,
    pub result_path: ResultPath,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
}

#[derive(Debug)]
pub struct Map {
    pub processor: ScopeId,
    pub mode: MapMode,
    pub items_path: Selection,
    /// `Items`, JSONata only; absent: the input.
    pub items: Option<Computed>,
    /// `ItemSelector`, or the legacy `Parameters`.
    pub item_selector: Option<Template>,
    /// `ItemSelector` of a JSONata state.
    pub computed_item_selector: Option<Computed>,
    pub max_concurrency: Option<Amount>,
    pub tolerated_failure_count: Option<Amount>,
    pub tolerated_failure_percentage: Option<Amount>,
    pub label: Option<Arc<str>>,
    pub distribution: Distribution,
    pub result_selector: Option<Template>,
    pub result_path: ResultPath,
    pub retry: Vec<Retrier>,
    pub catch: Vec<Catcher>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapMode {
    Inline,
    Distributed { express: bool },
}

/// What a Map has in DISTRIBUTED mode only.
#[derive(Debug, Default)]
pub struct Distribution {
    pub item_reader: Option<ItemReader>,
    pub item_batcher: Option<ItemBatcher>,
    pub result_writer: Option<ResultWriter>,
}

#[derive(Debug)]
pub struct ItemReader {
    pub resource: Resource,
    pub parameters: Option<Template>,
    /// `Arguments`, JSONata only.
    pub arguments: Option<Computed>,
    /// `ReaderConfig` as the definition wrote it.
    pub config: Option<Payload>,
    pub max_items: Option<Amount>,
}

#[derive(Debug)]
pub struct ItemBatcher {
    pub batch_input: Option<Template>,
    /// `BatchInput` of a JSONata state.
    pub computed_batch_input: Option<Computed>,
    pub max_items_per_batch: Option<Amount>,
    pub max_input_bytes_per_batch: Option<Amount>,
}

#[derive(Debug)]
pub struct ResultWriter {
    pub resource: Option<Resource>,
    pub parameters: Option<Template>,
    /// `Arguments`, JSONata only.
    pub arguments: Option<Computed>,
    /// `WriterConfig` as the definition wrote it.
    pub config: Option<Payload>,
}

#[derive(Clone, Debug)]
pub struct Retrier {
    pub error_equals: Vec<Arc<str>>,
    pub interval_seconds: u64,
    pub max_attempts: u64,
    pub backoff_rate: f64,
    pub max_delay_seconds: Option<u64>,
    /// `JitterStrategy: FULL`.
    pub full_jitter: bool,
}

#[derive(Clone, Debug)]
pub struct Catcher {
    pub error_equals: Vec<Arc<str>>,
    pub next: StateId,
    pub result_path: ResultPath,
    /// Set in the scope of the state that fails, not in its branches.
    pub assign: Option<Assign>,
    /// `Output`, JSONata only; absent: the error output.
    pub output: Option<Computed>,
}

/// What a Task calls, read off its `Resource`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resource {
    /// As the definition wrote it.
    pub text: Arc<str>,
    pub target: Target,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// `arn:aws:states:region:account:activity:name`.
    Activity,
    /// `arn:aws:lambda:region:account:function:name[:qualifier]`.
    Lambda,
    /// `arn:aws:states:::service:action[.pattern]`.
    Integration {
        /// `sqs`, or `aws-sdk:sqs`: what history calls `resourceType`.
        service: Arc<str>,
        /// `sendMessage.waitForTaskToken`: what history calls `resource`.
        action: Arc<str>,
        pattern: Pattern,
    },
    /// Names nothing that exists here (an unfilled placeholder, a foreign ARN); the task fails when it is reached.
    Unknown,
}

/// The three service integration patterns.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pattern {
    RequestResponse,
    /// `.sync`, and `.sync:2` where `Output` is JSON instead of a string.
    Sync {
        version: u8,
    },
    WaitForTaskToken,
}
