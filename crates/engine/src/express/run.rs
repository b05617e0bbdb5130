//! One Express execution while it runs: turns, the tasks that are under way, and the clock.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use asl::Program;
use machine::record::{Stage, Started};
use machine::{Body, Effect, Execution, Failure, Input, Record, Report, Stamp, TaskId, Timestamp, Turn};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::shelf::Kept;
use crate::api::ExpressExecution;
use crate::logs::Logging;
use crate::port::Answer;
use crate::spans::Tracing;
use crate::{Engine, Result, describe};

pub(super) struct Run {
    engine: Engine,
    program: Arc<Program>,
    logging: Option<Arc<Logging>>,
    tracing: Option<Arc<Tracing>>,
    started: Started,
    execution: Execution,
    /// What the clock showed when it began: it lives in memory and for minutes, so nobody who sets clocks keeps it waiting.
    began: (Timestamp, Instant),
    /// The first ones and the end, where there are more than are kept.
    records: Vec<Record>,
    /// What flowed through states, in bytes.
    bytes: usize,
    tasks: JoinSet<Report>,
    under_way: HashMap<Id, (TaskId, AbortHandle)>,
    /// Tasks that were handed out in the last turn.
    handed_out: Vec<TaskId>,
    more: bool,
    /// It ran before, in a process that ended.
    again: bool,
}

impl Run {
    pub async fn new(engine: &Engine, started: Started) -> Result<Run> {
        let program = engine.programs.get(engine, started.definition).await?;
        let (logging, tracing) = engine.watched(&started).await?;
        let execution = Execution::begin(tracing.is_some());
        Ok(Run {
            engine: engine.clone(),
            program,
            logging,
            tracing,
            started,
            execution,
            began: (engine.clock.now(), Instant::now()),
            records: Vec::new(),
            bytes: 0,
            tasks: JoinSet::new(),
            under_way: HashMap::new(),
            handed_out: Vec::new(),
            more: false,
            again: false,
        })
    }

    fn now(&self) -> Timestamp {
        let (at, instant) = self.began;
        at + i64::try_from(instant.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    pub fn again(self) -> Run {
        Run { again: true, ..self }
    }

    pub fn started(&self) -> &Started {
        &self.started
    }

    pub fn start(&self) -> Vec<Input> {
        vec![Input::Start(Box::new(self.started.clone()))]
    }

    pub fn is_over(&self) -> bool {
        self.execution.is_over()
    }

    /// Goes on until it is over.
    pub async fn finish(&mut self) {
        while !self.is_over() {
            let inputs = if !self.handed_out.is_empty() {
                let started = |task| Input::Report { task, report: Report::Started { worker: None } };
                std::mem::take(&mut self.handed_out).into_iter().map(started).collect()
            } else if self.more {
                tokio::task::yield_now().await;
                vec![Input::Continue]
            } else {
                self.wait().await
            };
            self.turn(inputs).await;
        }
    }

    /// What happens next: a task is over, or time has gone on.
    async fn wait(&mut self) -> Vec<Input> {
        let now = self.now();
        let due = self.with_stamp(|run, stamp| run.execution.next_due(&run.program, stamp)).unwrap_or(now);
        let pause = Duration::from_millis(due.saturating_sub(now).max(0).unsigned_abs());
        let mut inputs = vec![Input::Continue];
        tokio::select! {
            biased;
            Some(ended) = self.tasks.join_next_with_id() => inputs.extend(self.heard(ended)),
            () = tokio::time::sleep(pause) => {}
        }
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            inputs.extend(self.heard(ended));
        }
        inputs
    }

    fn heard(&mut self, ended: Result<(Id, Report), JoinError>) -> Option<Input> {
        let (id, report) = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => {
                self.under_way.remove(&error.id());
                return None;
            }
            Err(error) => {
                tracing::error!(execution = %self.started.arn, %error, "a task's connector panicked");
                let cause = Some("The connector failed; the server's log has the reason.".into());
                let error_name = Some("States.TaskFailed".into());
                (error.id(), Report::Failed { error: error_name, cause, stage: Stage::Run })
            }
        };
        let (task, _) = self.under_way.remove(&id)?;
        Some(Input::Report { task, report })
    }

    fn with_stamp<T>(&mut self, with: impl FnOnce(&mut Run, &Stamp) -> T) -> T {
        let engine = self.engine.clone();
        let beats = BTreeMap::new();
        // Neither callbacks nor jobs are allowed here, so there are no tokens.
        let seal = |_, _| String::new();
        let stamp = Stamp {
            at: self.now(),
            seed: engine.seed(),
            seal: &seal,
            beats: &beats,
            listening_since: engine.listening_since,
            limits: &engine.express.limits,
            // What is logged of it is not owed: who has no log cannot read it again.
            log: machine::LogLevel::Off,
            owes_spans: false,
            mistake: &|resource, parameters| engine.connector.mistake(resource, parameters),
        };
        with(self, &stamp)
    }

    pub async fn turn(&mut self, inputs: Vec<Input>) {
        let engine = self.engine.clone();
        let _permit = engine.permit(&self.program).await;
        let turn = self.with_stamp(|run, stamp| {
            let (program, execution) = (&run.program, &mut run.execution);
            catch_unwind(AssertUnwindSafe(|| execution.turn(program, inputs, stamp)))
        });
        let turn = turn.unwrap_or_else(|_| self.give_up());
        self.more = turn.more;
        for effect in &turn.effects {
            match effect {
                Effect::StartTask { task } => self.hand_out(*task),
                Effect::ForgetTask { task } | Effect::CancelTask { task } => self.forget(*task),
                Effect::Finished => {}
            }
        }
        if let Some(logging) = &self.logging {
            let events = turn.events_up_to(self.execution.events);
            let records = (&turn.records[..], *events.start());
            self.engine.log_events(logging, &self.program, &self.started.arn, events, records, None);
        }
        if let Some(tracing) = &self.tracing {
            let causes = self.logging.as_ref().is_some_and(|logging| logging.data);
            self.engine.export_spans(tracing, &self.program, &mut self.execution, causes, None);
        }
        self.remember(turn.records);
    }

    /// A turn panicked, and its reason was printed: the execution ends.
    fn give_up(&mut self) -> Turn {
        tracing::error!(execution = %self.started.arn, "a turn panicked; the Express execution fails");
        let failure =
            Failure::new("States.Runtime", "An internal error ended the execution; the server's log has the reason.");
        let record = Record {
            at: self.now(),
            frame: machine::FrameId::ROOT,
            state: self.program.scope(Program::ROOT).start_at,
            previous: self.execution.events,
            body: Body::ExecutionFailed(failure),
        };
        self.execution.apply(&record);
        Turn { records: vec![record], ..Turn::default() }
    }

    fn hand_out(&mut self, task: TaskId) {
        let Some(waiting) = self.execution.tasks.get(&task) else { return };
        let request = self.engine.request(
            &self.program,
            &self.execution,
            task,
            waiting.state,
            &waiting.parameters,
            &waiting.credentials,
        );
        let Some(mut request) = request else { return };
        request.resent = self.again;
        request.trace = self.tracing.as_ref().map(|tracing| tracing.header(&self.execution, Some(waiting.frame)));
        let engine = self.engine.clone();
        let mocked = engine.mocked(&self.program, &self.execution, task);
        let handle = self.tasks.spawn(async move {
            if let Some((_, played)) = mocked {
                return played.report();
            }
            let _open = engine.gates.pass(&request.resource).await;
            match engine.connector.start(request).await {
                Answer::Succeeded(output) | Answer::Submitted(output) => Report::Succeeded { output },
                Answer::Failed { error, cause, stage } => {
                    Report::Failed { error: Some(error.into()), cause: cause.map(Into::into), stage }
                }
            }
        });
        self.under_way.insert(handle.id(), (task, handle));
        self.handed_out.push(task);
    }

    fn forget(&mut self, forgotten: TaskId) {
        if let Some((_, handle)) = self.under_way.values().find(|(task, _)| *task == forgotten) {
            handle.abort();
        }
        self.handed_out.retain(|task| *task != forgotten);
    }

    fn remember(&mut self, records: Vec<Record>) {
        for record in &records {
            self.bytes += match &record.body {
                Body::StateExited { output, .. } | Body::TaskSucceeded { output, .. } => output.text().len(),
                Body::TaskScheduled(scheduled) => scheduled.parameters.text().len(),
                _ => 0,
            };
        }
        let most = self.engine.settings.express.kept_records;
        if self.records.is_empty() && records.len() <= most {
            self.records = records;
            return;
        }
        let (room, end) = (most.saturating_sub(self.records.len()), self.is_over());
        let mut records = records.into_iter();
        self.records.extend(records.by_ref().take(room));
        self.records.extend(records.last().filter(|_| end));
    }

    /// Puts it among those that can be looked at, and tells what it came to.
    pub fn keep(mut self) -> ExpressExecution {
        let description = describe::describe(&self.execution);
        let records = std::mem::take(&mut self.records);
        let all = records.iter().filter(|record| record.body.is_event()).count() as u64 == self.execution.events;
        let bytes = self.bytes + self.started.input.text().len();
        self.engine.express.shelf().put(Kept {
            description: description.clone(),
            records,
            all,
            bytes,
            program: self.program.clone(),
        });
        ExpressExecution { description, bytes: bytes + self.definition_bytes() }
    }

    fn definition_bytes(&self) -> usize {
        // A state takes about this much text.
        const STATE_BYTES: usize = 256;
        self.program.states.len() * STATE_BYTES
    }
}
