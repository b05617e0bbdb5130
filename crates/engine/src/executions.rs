//! Executions from the caller's side: start, stop, describe, list, read the history.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use machine::codec::Writer;
use machine::record::Started;
use machine::{Body, Execution, Input, Record, Status, Timestamp, Verdict};
use store::{ExecutionKey, ListOf, ListQuery, Listing, Position};
use tokio::sync::oneshot;

use crate::api::{
    ExecutionDescription, ExecutionRow, History, HistoryQuery, MachineType, Page, StartExecution, StartedExecution,
    StateMachine,
};
use crate::arn::{Arn, execution_arn, name_of, split_execution, split_qualifier};
use crate::drive::{Driving, Lost};
use crate::express::{Kept, is_kept_name};
use crate::logs::Logging;
use crate::machines::check_name;
use crate::slots::Live;
use crate::spans::Tracing;
use crate::token::Purpose;
use crate::versions::Chosen;
use crate::{Engine, Error, Result, describe, log};

/// When an execution is looked for whose start was not heard to have landed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Engine {
    pub async fn start_execution(&self, request: StartExecution) -> Result<StartedExecution> {
        let (chosen, mock) = self.choose_case(&request.machine).await?;
        if chosen.machine.machine_type == MachineType::Express {
            return self.start_express(chosen, request, mock).await;
        }
        let Chosen { machine, version, alias } = chosen;
        let name = match request.name {
            Some(name) => {
                check_name(&name)?;
                name
            }
            None => self.uuid(),
        };
        // A child is not refused: its parent was accepted, and must get on.
        if request.parent.is_none() && self.gates.waiting() >= self.settings.backlog {
            return Err(Error::ExecutionLimitExceeded);
        }
        let Ok(_permit) = self.starts.try_acquire() else { return Err(Error::ExecutionLimitExceeded) };
        let arn: Arc<str> = execution_arn(&machine.arn, &name).into();
        let started = Started {
            arn: arn.clone(),
            name: name.as_str().into(),
            machine: machine.arn.clone(),
            role: machine.role.clone(),
            input: request.input,
            definition: machine.definition,
            version,
            alias,
            trace_header: request.trace_header.map(Into::into),
            parent: request.parent,
            mock,
        };
        loop {
            // In a task of its own: a caller who goes away must not leave an execution that nobody drives.
            let begun = {
                let (engine, logging, started) = (self.clone(), Logging::of(&machine), started.clone());
                let tracing = Tracing::of(&machine, &started);
                tokio::spawn(async move { engine.begin(logging, tracing, started).await })
            };
            let begun = begun.await.unwrap_or_else(|error| Err(Lost::SetAside(Error::Internal(error.to_string()))));
            match begun {
                Ok(started_at) => return Ok(StartedExecution { arn, started_at }),
                Err(Lost::Other(error) | Lost::SetAside(error)) => return Err(error),
                Err(Lost::Gone) => return Err(Error::Internal("what begins was deleted".into())),
                Err(Lost::NameTaken) => {}
            }
            match self.started_before(&machine, &name, &started).await {
                // The one that had the name has just been deleted.
                Err(Error::ExecutionDoesNotExist(_)) => {}
                answer => return answer,
            }
        }
    }

    /// What `<ARN>#<test case>` means; without the second part no answers are mocked.
    pub(crate) async fn choose_case(&self, text: &str) -> Result<(Chosen, Option<Arc<str>>)> {
        let Some((machine, case)) = text.split_once('#') else { return Ok((self.choose(text).await?, None)) };
        let chosen = self.choose(machine).await?;
        self.connector.has_test_case(name_of(&chosen.machine.arn), case).map_err(Error::NoTestCase)?;
        Ok((chosen, Some(case.into())))
    }

    /// The first turn of a new execution.
    async fn begin(
        &self,
        logging: Option<Arc<Logging>>,
        tracing: Option<Arc<Tracing>>,
        started: Started,
    ) -> Result<Timestamp, Lost> {
        let program = self.programs.get(self, started.definition).await.map_err(Lost::Other)?;
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        let key = ExecutionKey { shard: self.fence.shard, number };
        let mut live = Live {
            execution: Execution::begin(tracing.is_some()),
            program,
            writer: Writer::default(),
            seq: 0,
            open: store::OpenChange::Delete,
            logging,
            tracing,
        };
        let slot = self.slots.begin(key);
        let driving = Driving::new(self, &slot);
        let turned = self.turn_once(&slot, &mut live, vec![Input::Start(Box::new(started))]).await;
        let started_at = live.execution.started_at;
        match turned {
            Ok((_, more)) => {
                if more {
                    self.tell(key, Input::Continue);
                }
                driving.ends_well();
                self.leave(slot, Box::new(live));
                Ok(started_at)
            }
            Err(lost) => {
                self.timers.set(key, None);
                if let Lost::Other(_) = lost {
                    // It may have landed all the same, and then it must go on.
                    self.look_after_a_pause(key, LOOK_AGAIN);
                }
                Err(lost)
            }
        }
    }

    /// The same name again is the same execution while it runs with the same input.
    async fn started_before(&self, machine: &StateMachine, name: &str, started: &Started) -> Result<StartedExecution> {
        let existing = self.describe_execution(&execution_arn(&machine.arn, name)).await?;
        let same_input = existing.input.text() == started.input.text();
        if existing.status == Status::Running && same_input {
            return Ok(StartedExecution { arn: existing.arn, started_at: existing.started_at });
        }
        Err(Error::ExecutionAlreadyExists(existing.arn.to_string()))
    }

    /// When it was stopped: an execution that has ended keeps its own end.
    pub async fn stop_execution(
        &self,
        execution: &str,
        error: Option<String>,
        cause: Option<String>,
    ) -> Result<Timestamp> {
        let input = Input::Stop { error: error.map(Into::into), cause: cause.map(Into::into) };
        self.ask_of(execution, input).await?;
        let description = self.describe_execution(execution).await?;
        Ok(description.stopped_at.unwrap_or_else(|| self.clock.now()))
    }

    /// Asks an execution by its ARN.
    pub(crate) async fn ask_of(&self, execution: &str, input: Input) -> Result<Verdict> {
        let key = self.key_of(execution).await?;
        match self.ask(key, input).await {
            // It has been deleted meanwhile.
            Err(Error::TaskDoesNotExist) => Err(Error::ExecutionDoesNotExist(execution.to_owned())),
            verdict => verdict,
        }
    }

    pub async fn describe_execution(&self, execution: &str) -> Result<ExecutionDescription> {
        if let Some(description) = self.slots.description(execution).filter(|_| !self.is_superseded()) {
            return Ok(ExecutionDescription::clone(&description));
        }
        if let Some(kept) = self.kept(execution) {
            return Ok(kept.description.clone());
        }
        let mut wrong = Error::Internal(format!("the log of {execution} is not as its row says"));
        // Between two reads it may be deleted, or redriven.
        for _ in 0..LOOKS {
            let listing = self.listing(execution).await?;
            let ends = log::load_ends(self, listing.key).await;
            // A commit may have landed that nobody has heard of: what memory does not tell yet is not told from here.
            if let Some(known) = self.slots.description_of(listing.key).filter(|_| !self.is_superseded()) {
                return Ok(ExecutionDescription::clone(&known));
            }
            match ends {
                Ok((ends, events)) => {
                    if let Some(description) = describe_ends(&listing, &ends, events) {
                        return Ok(description);
                    }
                }
                Err(error @ Error::Internal(_)) => wrong = error,
                Err(error) => return Err(error),
            }
        }
        Err(wrong)
    }

    /// What was read of an execution's log; what cannot be read may just have been deleted.
    async fn unless_gone<T>(&self, execution: &str, key: ExecutionKey, read: Result<T>) -> Result<T> {
        match read {
            Err(Error::Internal(_)) if self.store.listing(key).await?.is_none() => {
                Err(Error::ExecutionDoesNotExist(execution.to_owned()))
            }
            read => read,
        }
    }

    /// Waits until the execution is over.
    pub async fn finished(&self, execution: &str) -> Result<ExecutionDescription> {
        let key = self.key_of(execution).await?;
        let (watcher, over) = oneshot::channel();
        self.watchers.lock().expect("no panic while held").entry(key).or_default().push(watcher);
        let watching = Watching { engine: self, key, over };
        let description = self.describe_execution(execution).await?;
        if description.status != Status::Running {
            return Ok(description);
        }
        watching.end().await;
        self.describe_execution(execution).await
    }

    pub async fn list_executions(
        &self,
        machine: &str,
        status: Option<Status>,
        redriven: Option<bool>,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<ExecutionRow>> {
        let (machine_arn, qualifier) = split_qualifier(machine);
        if let Err(error) = self.cached_machine(machine_arn).await {
            return Err(match error {
                Error::StateMachineDoesNotExist(_) => Error::StateMachineDoesNotExist(machine.to_owned()),
                error => error,
            });
        }
        // Executions are listed by the version or alias that they were started by, also when it is gone.
        let of = match qualifier {
            None => ListOf::Machine(machine.to_owned()),
            Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => ListOf::Version(machine.to_owned()),
            Some(_) => ListOf::Alias(machine.to_owned()),
        };
        let query = ListQuery { of, status: status.map(describe::store_status), redriven };
        let after = after.as_deref().and_then(parse_position);
        let page = self.store.list(&query, after, limit).await?;
        let next = page.items.last().filter(|_| page.more).map(|listing| write_position(listing.position()));
        Ok(Page { items: page.items.into_iter().map(row).collect(), next })
    }

    pub async fn history(&self, query: HistoryQuery) -> Result<History> {
        if let Some(kept) = self.kept(&query.execution) {
            return Ok(kept.history(&query, &self.settings.region));
        }
        let (key, definition) = match self.slots.description(&query.execution) {
            Some(description) => (self.key_of(&query.execution).await?, description.definition),
            None => {
                let listing = self.listing(&query.execution).await?;
                (listing.key, listing.definition)
            }
        };
        let page = log::page(self, key, definition, &query).await;
        self.unless_gone(&query.execution, key, page).await
    }

    /// A text that only this installation can read back, for paging tokens.
    pub fn seal_page(&self, text: &str) -> String {
        self.tokens.seal(Purpose::Page, text.as_bytes(), self.nonce())
    }

    pub fn open_page(&self, token: &str) -> Option<String> {
        String::from_utf8(self.tokens.open(Purpose::Page, token)?).ok()
    }

    /// An Express execution that has ended, by the name that only this installation gives it.
    fn kept(&self, execution: &str) -> Option<Arc<Kept>> {
        let now = || self.clock.now();
        is_kept_name(execution).then(|| self.express.shelf().find(execution, now())).flatten()
    }

    /// The Express executions of a state machine that are kept, the newest first, after so many.
    pub fn list_express(&self, machine: &str, after: usize, limit: usize) -> Page<ExecutionRow> {
        let all = self.express.shelf().of_machine(machine, self.clock.now());
        let row = |kept: &Arc<Kept>| {
            let description = &kept.description;
            ExecutionRow {
                arn: description.arn.to_string(),
                name: description.name.to_string(),
                machine: description.machine.to_string(),
                version: description.version.as_deref().map(str::to_owned),
                alias: description.alias.as_deref().map(str::to_owned),
                status: description.status,
                started_at: description.started_at,
                stopped_at: description.stopped_at,
                redrive_count: 0,
                redriven_at: None,
            }
        };
        let items: Vec<_> = all.iter().skip(after).take(limit).map(row).collect();
        let end = after + items.len();
        Page { items, next: (end < all.len()).then(|| end.to_string()) }
    }

    pub(crate) async fn key_of(&self, execution: &str) -> Result<ExecutionKey> {
        match self.slots.key(execution) {
            Some(key) => Ok(key),
            None => Ok(self.listing(execution).await?.key),
        }
    }

    async fn listing(&self, execution: &str) -> Result<Listing> {
        let parsed = Arn::of_kind(execution, &["execution"])?;
        let missing = || Error::ExecutionDoesNotExist(execution.to_owned());
        if !parsed.rest.contains(':') {
            return Err(missing());
        }
        let (machine, name) = split_execution(execution).ok_or_else(missing)?;
        self.store.find(&machine, name).await?.ok_or_else(missing)
    }
}

/// How often an execution is read that does not agree with its row.
const LOOKS: usize = 3;

/// Who waits for an execution's end; one that goes away is not remembered.
struct Watching<'a> {
    engine: &'a Engine,
    key: ExecutionKey,
    over: oneshot::Receiver<()>,
}

impl Watching<'_> {
    async fn end(mut self) {
        let _ = (&mut self.over).await;
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.over.close();
        let mut watchers = self.engine.watchers.lock().expect("no panic while held");
        if let Some(of_execution) = watchers.get_mut(&self.key) {
            of_execution.retain(|watcher| !watcher.is_closed());
            if of_execution.is_empty() {
                watchers.remove(&self.key);
            }
        }
    }
}

/// What the first and the last chunk tell.
fn describe_ends(listing: &Listing, ends: &[Record], events: u64) -> Option<ExecutionDescription> {
    let first = ends.first()?;
    let Body::ExecutionStarted(started) = &first.body else { return None };
    let mut description = ExecutionDescription {
        arn: started.arn.clone(),
        name: started.name.clone(),
        machine: started.machine.clone(),
        version: started.version.clone(),
        alias: started.alias.clone(),
        status: Status::Running,
        started_at: first.at,
        stopped_at: None,
        input: started.input.clone(),
        output: None,
        failure: None,
        trace_header: started.trace_header.clone(),
        redrive_count: listing.redrive_count,
        redriven_at: listing.redriven_at,
        events,
        definition: started.definition,
        role: started.role.clone(),
    };
    // The row says that it is over; after the end only the payment of debts is recorded.
    if listing.status == store::Status::Running {
        return Some(description);
    }
    description.status = describe::status_of(listing.status);
    description.stopped_at = listing.stopped_at;
    // A redriven execution has ended before, too.
    match &ends.iter().rev().find(|record| record.body.is_end())?.body {
        Body::ExecutionSucceeded { output } => description.output = Some(output.clone()),
        Body::ExecutionFailed(failure) | Body::ExecutionAborted(failure) | Body::ExecutionTimedOut(failure) => {
            description.failure = Some(failure.clone())
        }
        _ => {}
    }
    Some(description)
}

fn row(listing: Listing) -> ExecutionRow {
    ExecutionRow {
        arn: execution_arn(&listing.machine, &listing.name),
        name: listing.name,
        machine: listing.machine,
        version: listing.version,
        alias: listing.alias,
        status: describe::status_of(listing.status),
        started_at: listing.started_at,
        stopped_at: listing.stopped_at,
        redrive_count: listing.redrive_count,
        redriven_at: listing.redriven_at,
    }
}

fn write_position(position: Position) -> String {
    format!("{} {} {}", position.started_at, position.key.shard, position.key.number)
}

fn parse_position(text: &str) -> Option<Position> {
    let mut parts = text.split(' ');
    let started_at = parts.next()?.parse().ok()?;
    let key = ExecutionKey { shard: parts.next()?.parse().ok()?, number: parts.next()?.parse().ok()? };
    Some(Position { started_at, key })
}
