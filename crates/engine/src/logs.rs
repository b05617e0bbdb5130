//! What a state machine's loggingConfiguration asks for: events of its executions, in the form of AWS's log events.
//! `deliveries.rs` brings them to their log group.

use std::ops::RangeInclusive;
use std::sync::Arc;

use asl::Program;
use machine::record::{LOGS, Started};
use machine::{EventId, Input, LogLevel, Record, TaskId, history};
use store::ExecutionKey;

use crate::api::StateMachine;
use crate::deliveries::{self, Owed, Queues};
use crate::port::{LogBatch, LogEvent, Unreachable};
use crate::slots::Live;
use crate::spans::Tracing;
use crate::{Engine, Error, Result, Shared, arn, log};

/// Where a state machine's log events go, and which.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Logging {
    pub level: LogLevel,
    /// `includeExecutionData`.
    pub data: bool,
    destination: Destination,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Destination {
    machine: Arc<str>,
    /// The log group's ARN.
    group: Arc<str>,
}

impl Logging {
    pub fn of(machine: &StateMachine) -> Option<Arc<Logging>> {
        let configuration = machine.logging.as_ref()?;
        let level = match configuration.get("level")?.as_str()? {
            "ALL" => LogLevel::All,
            "ERROR" => LogLevel::Error,
            "FATAL" => LogLevel::Fatal,
            _ => return None,
        };
        let group = configuration.get("destinations")?.get(0)?.get("cloudWatchLogsLogGroup")?.get("logGroupArn")?;
        let destination = Destination { machine: machine.arn.clone(), group: group.as_str()?.into() };
        let data = configuration.get("includeExecutionData").and_then(serde_json::Value::as_bool).unwrap_or_default();
        Some(Arc::new(Logging { level, data, destination }))
    }
}

impl deliveries::Destination for Destination {
    type Item = LogEvent;
    type Batch = LogBatch;
    const WHAT: &str = "log events";
    const DEBT: TaskId = LOGS;
    /// CloudWatch Logs: 10,000 and 1 MiB.
    const MOST: (usize, usize) = (1_000, 900 << 10);

    fn bytes(event: &LogEvent) -> usize {
        event.text.len()
    }

    fn queues(engine: &Shared) -> &Queues<Destination> {
        &engine.logs
    }

    fn batch(&self, events: Vec<LogEvent>) -> LogBatch {
        let home = arn::Arn::parse(&self.machine);
        let (account, region) = home.map_or(("", ""), |home| (home.account, home.region));
        LogBatch {
            account: account.into(),
            region: region.into(),
            machine: self.machine.clone(),
            group: self.group.clone(),
            events,
        }
    }

    async fn send(engine: &Engine, batch: &LogBatch) -> Result<(), Unreachable> {
        engine.connector.deliver_logs(batch).await
    }
}

impl Engine {
    /// How an execution is to be watched, by its state machine or by the version of it that runs; not at all where that
    /// is gone. A store that cannot tell is no such answer: what is owed would be forgotten.
    pub(crate) async fn watched(&self, started: &Started) -> Result<(Option<Arc<Logging>>, Option<Arc<Tracing>>)> {
        let of = |machine: &StateMachine| (Logging::of(machine), Tracing::of(machine, started));
        let watched = match &started.version {
            Some(version) => self.version(version).await.map(|version| of(&version.machine)),
            None => self.cached_machine(&started.machine).await.map(|machine| of(&machine)),
        };
        match watched {
            Err(Error::StateMachineDoesNotExist(_) | Error::ResourceNotFound(_)) => Ok((None, None)),
            watched => watched,
        }
    }

    /// Queues the lines of records of which these events are to be told; `of` whose debt they are.
    pub(crate) fn log_events(
        &self,
        logging: &Arc<Logging>,
        program: &Program,
        execution: &Arc<str>,
        events: RangeInclusive<EventId>,
        (records, first): (&[Record], EventId),
        of: Option<Owed>,
    ) {
        let view = history::View { program, data: logging.data, region: &self.settings.region };
        let is_logged =
            |event: &history::Event| events.contains(&event.id) && LogLevel::of(program, event.record) <= logging.level;
        let line = |event: history::Event| {
            let text = history::log_event(view, event, execution)?.to_string();
            Some(LogEvent { at: event.record.at, text })
        };
        let lines: Vec<LogEvent> = history::events(records, first).filter(is_logged).filter_map(line).collect();
        self.queue(&logging.destination, lines, of);
    }

    /// Pays the debt of an execution that was loaded: which of its lines were delivered is not known.
    pub(crate) fn log_again(&self, key: ExecutionKey, live: &Live, since: EventId) {
        let execution = &live.execution;
        let up_to = execution.events;
        let (Some(logging), Some(started)) = (live.logging.clone(), execution.started.clone()) else {
            // The configuration is gone, and nobody wants them any more.
            return self.settle(key, Input::Delivered { debt: LOGS, up_to });
        };
        let (engine, program) = (self.clone(), live.program.clone());
        tokio::spawn(async move {
            match log::events(&engine, key, since, up_to).await {
                Ok((records, first)) => {
                    engine.logs.forgive(key);
                    let of = Some((key, up_to));
                    engine.log_events(&logging, &program, &started.arn, since..=up_to, (&records, first), of)
                }
                Err(error) => tracing::error!(execution = %started.arn, %error, "log events cannot be read"),
            }
        });
    }
}
