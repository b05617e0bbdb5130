//! What a state machine's tracingConfiguration asks for: a span for each execution and for each state that it was in.
//! `machine::spans` folds them from the log, `deliveries.rs` brings them to the collector.
//!
//! Names are functions of the execution's ARN and of what opened a span, so that a restart, a redrive, another node and
//! a delivery that is repeated all speak of the same trace. Inputs and outputs are never told; the cause of a failure
//! only where loggingConfiguration has includeExecutionData.

use std::sync::Arc;

use asl::{Kind, Program};
use machine::record::{SPANS, Started};
use machine::spans::{Happened, Span, SpanKey};
use machine::{Execution, Failure, FrameId, Input, Status, TaskId};
use serde_json::{Value, json};
use store::ExecutionKey;

use crate::api::StateMachine;
use crate::deliveries::{Destination, Owed, Queues};
use crate::port::{self, SpanEvent, SpanKind, Unreachable};
use crate::slots::Live;
use crate::{Engine, Shared, arn, programs};

/// The trace that an execution is part of.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Tracing {
    execution: Arc<str>,
    trace: [u8; 16],
    /// The span of who started it.
    parent: Option<[u8; 8]>,
    /// Whether its spans are wanted: `Sampled=0` goes on through the calls, and nothing else does.
    pub sampled: bool,
}

impl Tracing {
    pub fn of(machine: &StateMachine, started: &Started) -> Option<Arc<Tracing>> {
        let enabled = machine.tracing.as_ref()?.get("enabled")?.as_bool()?;
        enabled.then(|| Arc::new(Tracing::new(&started.arn, started.trace_header.as_deref().unwrap_or_default())))
    }

    /// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1`, in any order. What is not of this
    /// form begins a trace of its own.
    fn new(execution: &Arc<str>, header: &str) -> Tracing {
        let fields = || header.split(';').filter_map(|field| field.trim().split_once('='));
        let field = |name: &str| fields().find(|(key, _)| *key == name).map(|(_, value)| value);
        let root = field("Root").and_then(root);
        let trace = root.unwrap_or_else(|| cut(programs::hash(execution)));
        let parent = field("Parent").filter(|_| root.is_some()).and_then(bytes_of_hex);
        Tracing { execution: execution.clone(), trace, parent, sampled: field("Sampled") != Some("0") }
    }

    fn id(&self, key: SpanKey) -> [u8; 8] {
        let frame = key.frame.map_or(String::new(), |frame| frame.0.to_string());
        cut(programs::hash(&format!("{}/{}/{frame}", self.execution, key.event)))
    }

    /// The header with which what is called from a line of control goes on.
    pub fn header(&self, execution: &Execution, frame: Option<FrameId>) -> Arc<str> {
        let (time, rest) = self.trace.split_at(4);
        let caller = frame.and_then(|frame| execution.spans.as_ref()?.open(frame));
        let parent = caller.map_or(String::new(), |key| format!("Parent={};", hex(&self.id(key))));
        format!("Root=1-{}-{};{parent}Sampled={}", hex(time), hex(rest), u8::from(self.sampled)).into()
    }
}

fn root(text: &str) -> Option<[u8; 16]> {
    let (time, rest) = text.strip_prefix("1-")?.split_once('-')?;
    let same_length = time.len() == 8;
    bytes_of_hex(&format!("{time}{rest}")).filter(|_| same_length)
}

/// All zeros is no name.
fn bytes_of_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_hex = text.len() == 2 * N && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_hex.then(|| u128::from_str_radix(text, 16).ok()).flatten().filter(|number| *number != 0)?;
    number.to_be_bytes()[16 - N..].try_into().ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cut<const N: usize>(hash: [u8; 32]) -> [u8; N] {
    std::array::from_fn(|place| hash[place])
}

/// The one collector.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Collector;

impl Destination for Collector {
    type Item = port::Span;
    type Batch = Vec<port::Span>;
    const WHAT: &str = "spans";
    const DEBT: TaskId = SPANS;
    /// OpenTelemetry's own processor has 512 at most.
    const MOST: (usize, usize) = (512, usize::MAX);

    fn bytes(_: &port::Span) -> usize {
        0
    }

    fn queues(engine: &Shared) -> &Queues<Collector> {
        &engine.spans
    }

    fn batch(&self, spans: Vec<port::Span>) -> Vec<port::Span> {
        spans
    }

    async fn send(engine: &Engine, batch: &Vec<port::Span>) -> Result<(), Unreachable> {
        engine.connector.export_spans(batch).await
    }
}

impl Engine {
    /// Whether an execution's spans go anywhere.
    pub(crate) fn exports(&self, tracing: Option<&Arc<Tracing>>) -> bool {
        self.traced && tracing.is_some_and(|tracing| tracing.sampled)
    }

    /// Takes the spans that have ended since the last turn, and queues them where somebody wants them.
    pub(crate) fn export_spans(
        &self,
        tracing: &Arc<Tracing>,
        program: &Program,
        execution: &mut Execution,
        causes: bool,
        of: Option<ExecutionKey>,
    ) {
        let Some(spans) = &mut execution.spans else { return };
        let (ended, number) = (std::mem::take(&mut spans.ended), spans.number);
        if self.exports(Some(tracing)) {
            let of = of.filter(|_| execution.debts.contains_key(&SPANS)).map(|key| (key, number));
            self.queue_spans(tracing, program, execution, causes, &ended, of);
        }
    }

    fn queue_spans(
        &self,
        tracing: &Tracing,
        program: &Program,
        execution: &Execution,
        causes: bool,
        spans: &[Span],
        of: Option<Owed>,
    ) {
        let Some(started) = &execution.started else { return };
        let teller =
            Teller { tracing, program, started, causes, redrives: execution.redriven.as_ref().map(|r| r.count) };
        self.queue(&Collector, spans.iter().map(|span| teller.tell(span)).collect(), of);
    }

    /// Pays the debt of an execution that was just loaded, so that all of its spans are there.
    pub(crate) fn export_again(&self, key: ExecutionKey, live: &Live, since: machine::EventId) {
        // Where nobody folds them any more, the last event will do.
        let up_to = live.execution.spans.as_ref().map_or(live.execution.events, |spans| spans.number);
        let wanted = live.tracing.as_ref().filter(|tracing| self.exports(Some(tracing)));
        let (Some(tracing), Some(spans)) = (wanted, &live.execution.spans) else {
            return self.settle(key, Input::Delivered { debt: SPANS, up_to });
        };
        let owed: Vec<Span> = spans.ended.iter().filter(|span| span.ended_by >= since).cloned().collect();
        self.spans.forgive(key);
        let causes = live.logging.as_ref().is_some_and(|logging| logging.data);
        self.queue_spans(tracing, &live.program, &live.execution, causes, &owed, Some((key, up_to)));
    }
}

/// Says a span in the words of OpenTelemetry.
struct Teller<'a> {
    tracing: &'a Tracing,
    program: &'a Program,
    started: &'a Started,
    causes: bool,
    redrives: Option<u32>,
}

type Attributes = Vec<(&'static str, Value)>;

impl Teller<'_> {
    fn tell(&self, span: &Span) -> port::Span {
        let (name, kind, mut attributes) = match span.state {
            None => self.execution(span),
            Some(state) => self.state(span, state),
        };
        let failed = !matches!(span.status, Status::Succeeded | Status::Running);
        if failed {
            attributes.extend(self.failure(span.failure.as_ref(), "error.type", "aws.step_functions.cause"));
        }
        let error = span.failure.as_ref().and_then(|failure| failure.error.as_deref());
        port::Span {
            trace: self.tracing.trace,
            id: self.tracing.id(span.key),
            parent: span.parent.map(|key| self.tracing.id(key)).or(self.tracing.parent),
            parent_is_remote: span.parent.is_none(),
            name: name.into(),
            kind,
            from: span.from,
            until: span.until,
            failed: failed.then(|| error.unwrap_or(span.status.name()).to_owned()),
            attributes,
            events: span.moments.iter().map(|moment| self.event(moment)).collect(),
        }
    }

    fn execution(&self, span: &Span) -> (&str, SpanKind, Attributes) {
        let started = self.started;
        let mut attributes = vec![
            ("aws.step_functions.execution.arn", json!(&*started.arn)),
            ("aws.step_functions.execution.status", json!(span.status.name())),
            ("aws.step_functions.state_machine.arn", json!(&*started.machine)),
        ];
        let version =
            started.version.as_deref().map(|arn| ("aws.step_functions.state_machine.version.arn", json!(arn)));
        let alias = started.alias.as_deref().map(|arn| ("aws.step_functions.state_machine.alias.arn", json!(arn)));
        let redrives = self.redrives.map(|count| ("aws.step_functions.execution.redrive_count", json!(count)));
        attributes.extend(version.into_iter().chain(alias).chain(redrives));
        (arn::name_of(&started.machine), SpanKind::Execution, attributes)
    }

    fn state(&self, span: &Span, state: asl::StateId) -> (&str, SpanKind, Attributes) {
        let state = self.program.state(state);
        let mut attributes = vec![
            ("aws.step_functions.execution.arn", json!(&*self.started.arn)),
            ("aws.step_functions.state.name", json!(&*state.name)),
            ("aws.step_functions.state.type", json!(state.kind.name())),
            ("aws.step_functions.state.status", json!(span.status.name())),
        ];
        attributes.extend(span.index.map(|index| ("aws.step_functions.state.index", json!(index))));
        attributes.extend(span.caught.then(|| ("aws.step_functions.state.caught", json!(true))));
        let retries = span.moments.iter().filter(|moment| matches!(moment.what, Happened::Retried { .. })).count();
        attributes.extend((retries > 0).then(|| ("aws.step_functions.state.retries", json!(retries))));
        let kind = match &state.kind {
            Kind::Task(task) => {
                attributes.push(("aws.step_functions.resource", json!(&*task.resource.text)));
                SpanKind::Task
            }
            _ => SpanKind::State,
        };
        (&state.name, kind, attributes)
    }

    fn failure(&self, failure: Option<&Failure>, error: &'static str, cause: &'static str) -> Attributes {
        let named = failure.and_then(|failure| failure.error.as_deref()).map(|text| (error, json!(text)));
        let told = failure.and_then(|failure| failure.cause.as_deref()).filter(|_| self.causes);
        named.into_iter().chain(told.map(|text| (cause, json!(text)))).collect()
    }

    fn event(&self, moment: &machine::spans::Moment) -> SpanEvent {
        let (name, attributes) = match &moment.what {
            Happened::Failed(failure) => {
                ("exception", self.failure(Some(failure), "exception.type", "exception.message"))
            }
            Happened::Retried { until } => {
                ("retry", vec![("aws.step_functions.retry.delay_ms", json!(until - moment.at))])
            }
            Happened::Submitted => ("submitted", Vec::new()),
        };
        SpanEvent { at: moment.at, name, attributes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_that_of_the_header_or_one_of_the_execution_s_own() {
        let arn: Arc<str> = "arn:aws:states:us-east-1:000000000000:execution:m:e".into();
        let given = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let tracing = Tracing::new(&arn, given);
        assert_eq!(hex(&tracing.trace), "5759e988bd862e3fe1be46a994272793");
        assert_eq!(tracing.parent.map(|id| hex(&id)).as_deref(), Some("53995c3f42cd8ad8"));
        assert!(tracing.sampled);
        let own = Tracing::new(&arn, "");
        assert!(own.sampled && own.parent.is_none());
        assert!(!Tracing::new(&arn, "Sampled=0; Root=1-5759e988-bd862e3fe1be46a994272793").sampled);
        for wrong in ["Root=2-5759e988-bd862e3fe1be46a994272793", "Root=1-5759e98-8bd862e3fe1be46a994272793", "Root="] {
            let tracing = Tracing::new(&arn, &format!("{wrong};Parent=53995c3f42cd8ad8"));
            assert_eq!((tracing.trace, tracing.parent), (own.trace, None), "{wrong}");
        }
        let header = own.header(&Execution::default(), None);
        assert_eq!(Tracing::new(&"another".into(), &header).trace, own.trace, "{header}");
    }
}
