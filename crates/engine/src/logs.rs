//! What a state machine's loggingConfiguration asks for: events of its executions, in the form of AWS's log events.
//!
//! A Standard execution owes them: the debt is recorded with the turn and settled when the destination has them, so
//! that a crash repeats lines and loses none. An Express execution has no log to read them from again; its lines are
//! delivered as well as can be, as AWS says of its own.
//!
//! There is no timer: whatever waits for a destination when the last delivery ends is the next one.

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::Program;
use machine::record::Started;
use machine::{EventId, Input, LogLevel, Record, history};
use store::ExecutionKey;

use crate::api::StateMachine;
use crate::port::{LogBatch, LogEvent};
use crate::slots::Live;
use crate::{Engine, arn, log};

/// Events and bytes of one delivery. CloudWatch Logs: 10,000 and 1 MiB.
const BATCH_EVENTS: usize = 1_000;
const BATCH_BYTES: usize = 900 << 10;

/// Lines that wait for one destination. What is owed and does not fit is delivered after the next start.
const MOST_WAITING: usize = 100_000;

/// The pause after a delivery that failed, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Where a state machine's log events go, and which.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Logging {
    pub level: LogLevel,
    data: bool,
    destination: Destination,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Destination {
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

/// Lines that wait for their destination.
#[derive(Default)]
pub(crate) struct Logs(Mutex<HashMap<Destination, VecDeque<Waiting>>>);

struct Waiting {
    event: LogEvent,
    /// The last line of a turn: whose debt is settled with it, up to which event.
    settles: Option<(ExecutionKey, EventId)>,
}

impl Engine {
    /// What the state machine of an execution wants logged.
    pub(crate) async fn logging_of(&self, started: &Started) -> Option<Arc<Logging>> {
        match &started.version {
            Some(version) => Logging::of(&self.version(version).await.ok()?.machine),
            None => Logging::of(&*self.cached_machine(&started.machine).await.ok()?),
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
        of: Option<ExecutionKey>,
    ) {
        let view = history::View { program, data: logging.data, region: &self.settings.region };
        let is_logged =
            |event: &history::Event| events.contains(&event.id) && LogLevel::of(program, event.record) <= logging.level;
        let line = |event: history::Event| {
            let text = history::log_event(view, event, execution)?.to_string();
            Some(Waiting { event: LogEvent { at: event.record.at, text }, settles: None })
        };
        let logged = history::events(records, first).filter(is_logged);
        let mut lines: Vec<Waiting> = logged.filter_map(line).collect();
        let Some(end) = lines.last_mut() else { return };
        end.settles = of.map(|key| (key, *events.end()));
        self.queue_lines(logging, lines);
    }

    fn queue_lines(&self, logging: &Arc<Logging>, lines: Vec<Waiting>) {
        let mut queues = self.logs.0.lock().expect("no panic while held");
        let destination = &logging.destination;
        let is_new = !queues.contains_key(destination);
        let queue = queues.entry(destination.clone()).or_default();
        if queue.len() + lines.len() > MOST_WAITING {
            tracing::warn!(group = %destination.group, "log events wait for a destination that does not take them");
            return;
        }
        queue.extend(lines);
        if is_new {
            let (engine, destination) = (self.clone(), destination.clone());
            tokio::spawn(async move { engine.deliver_lines(destination).await });
        }
    }

    /// Delivers what waits, until nothing does.
    async fn deliver_lines(&self, destination: Destination) {
        let home = arn::Arn::parse(&destination.machine);
        let (account, region) = home.map_or(("", ""), |home| (home.account, home.region));
        let mut pause = PAUSES.0;
        loop {
            let (events, settled) = {
                let mut queues = self.logs.0.lock().expect("no panic while held");
                let Some(queue) = queues.get_mut(&destination) else { return };
                let (mut events, mut settled, mut bytes) = (Vec::new(), Vec::new(), 0);
                while let Some(next) = queue.front()
                    && (events.is_empty()
                        || events.len() < BATCH_EVENTS && bytes + next.event.text.len() <= BATCH_BYTES)
                {
                    let Some(Waiting { event, settles }) = queue.pop_front() else { break };
                    bytes += event.text.len();
                    events.push(event);
                    settled.extend(settles);
                }
                if events.is_empty() {
                    queues.remove(&destination);
                    return;
                }
                (events, settled)
            };
            let batch = LogBatch {
                account: account.into(),
                region: region.into(),
                machine: destination.machine.clone(),
                group: destination.group.clone(),
                events,
            };
            while let Err(error) = self.connector.deliver_logs(&batch).await {
                tracing::warn!(group = %destination.group, %error, "log events cannot be delivered yet");
                if self.is_stopping() {
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
            pause = PAUSES.0;
            for (key, up_to) in settled {
                self.tell(key, Input::LogsDelivered { up_to });
            }
        }
    }

    /// Pays the debt of an execution that was loaded: which of its lines were delivered is not known.
    pub(crate) fn log_again(&self, key: ExecutionKey, live: &Live, since: EventId) {
        let execution = &live.execution;
        let up_to = execution.events;
        let (Some(logging), Some(started)) = (live.logging.clone(), execution.started.clone()) else {
            // The configuration is gone, and nobody wants them any more.
            return self.tell(key, Input::LogsDelivered { up_to });
        };
        let (engine, program) = (self.clone(), live.program.clone());
        tokio::spawn(async move {
            match log::events(&engine, key, since, up_to).await {
                Ok((records, first)) => {
                    engine.log_events(&logging, &program, &started.arn, since..=up_to, (&records, first), Some(key))
                }
                Err(error) => tracing::error!(execution = %started.arn, %error, "log events cannot be read"),
            }
        });
    }
}
