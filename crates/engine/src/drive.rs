//! The way of one execution: load, turn, commit, answer, dispatch. A slot has one driver at a time, and a driver has one
//! uncommitted turn at a time; what arrives meanwhile is the next turn's.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use asl::Program;
use machine::codec::Chunk;
use machine::{Body, Effect, Input, LogLevel, Stamp, Timestamp, Turn, Verdict};
use store::{ActivityTaskId, Commit, ExecutionKey, ListingChange, OpenChange, Outcome};
use tokio::sync::{SemaphorePermit, oneshot};

use crate::slots::{Live, Mail, Slot};
use crate::token::TokenTarget;
use crate::{Engine, Error, Result, describe, log};

/// Why a turn did not land.
pub(crate) enum Lost {
    /// Another execution has the name.
    NameTaken,
    /// The execution has been deleted meanwhile.
    Gone,
    /// It was not written, or nobody knows: it is looked at again.
    Other(Error),
    /// It was not written, and looking again would not help.
    SetAside(Error),
}

/// What a turn left, before anybody is told.
struct Turned {
    turn: Turn,
    /// When the execution is to be looked at again.
    due: Option<Timestamp>,
    at: Timestamp,
}

impl Engine {
    /// Leaves mail for an execution and waits for the verdict.
    pub(crate) async fn ask(&self, key: ExecutionKey, input: Input) -> Result<Verdict> {
        let (reply, verdict) = oneshot::channel();
        self.post(key, Mail { input, reply: Some(reply) });
        verdict.await.unwrap_or_else(|_| Err(Error::Internal("the execution was set aside".into())))
    }

    /// Leaves news that nobody waits for.
    pub(crate) fn tell(&self, key: ExecutionKey, input: Input) {
        self.post(key, Mail { input, reply: None });
    }

    fn post(&self, key: ExecutionKey, mail: Mail) {
        if self.is_superseded() {
            return refuse(vec![mail], || store::Error::Unavailable("the shard has a newer owner".into()).into());
        }
        match self.slots.post(key, mail) {
            Ok(Some(slot)) => {
                let engine = self.clone();
                tokio::spawn(async move { engine.drive(slot).await });
            }
            Ok(None) => {}
            Err(mail) => refuse(vec![mail], || Error::Throttled),
        }
    }

    /// The driver of an execution's first turn leaves; if something came in meanwhile, another one takes over.
    pub(crate) fn leave(&self, slot: Arc<Slot>, live: Box<Live>) {
        let keep = Some(put_down(&slot, live));
        if !self.slots.park(&slot, keep) {
            let engine = self.clone();
            tokio::spawn(async move { engine.drive(slot).await });
        }
    }

    /// Turns the slot's execution until nothing is left to do for it.
    pub(crate) async fn drive(&self, slot: Arc<Slot>) {
        let driving = Driving::new(self, &slot);
        // A slot without an execution is kept too: it counts the commits that were lost in a row.
        let mut keep = Some(describe::OVER_BYTES);
        loop {
            let (mail, live) = slot.take();
            if mail.is_empty() {
                if let Some(live) = live {
                    keep = Some(put_down(&slot, live));
                }
                if self.slots.park(&slot, keep) {
                    driving.ends_well();
                    return;
                }
                continue;
            }
            let loaded = match live {
                Some(live) => Ok(Some(live)),
                None => self.load(&slot).await,
            };
            match loaded {
                Ok(Some(live)) => self.turn(&slot, live, mail).await,
                Ok(None) => refuse(mail, || Error::TaskDoesNotExist),
                Err(error) => {
                    tracing::error!(execution = %slot.key, %error, "an execution cannot be loaded");
                    refuse(mail, || error.again());
                    keep = None;
                    if matches!(error, Error::Unavailable(store::Error::Unavailable(_) | store::Error::Full(_))) {
                        self.look_again(&slot);
                    }
                }
            }
        }
    }

    /// Brings an execution back from its log, and looks after what it has under way.
    async fn load(&self, slot: &Slot) -> Result<Option<Box<Live>>> {
        let key = slot.key;
        let Some(mut live) = log::load(self, key).await? else { return Ok(None) };
        // What a newer owner has begun is not to be looked after here.
        if !self.store.owns(&self.fence).await? {
            self.is_replaced();
            return Err(store::Error::Unavailable("the shard has a newer owner".into()).into());
        }
        // What was described last is not what is there, where a commit landed without being heard of.
        slot.describe(Arc::new(describe::describe(&live.execution)));
        if live.execution.is_over() {
            // The commit that ended it may have landed without being heard of.
            self.finish(key, &live.execution);
        }
        self.tend(key, &live);
        if let Some(spans) = &mut live.execution.spans {
            // Those that are owed are on their way.
            spans.ended.clear();
        }
        Ok(Some(Box::new(live)))
    }

    async fn turn(&self, slot: &Arc<Slot>, mut live: Box<Live>, mail: Vec<Mail>) {
        let (inputs, replies): (Vec<Input>, Vec<_>) = mail.into_iter().map(|m| (m.input, m.reply)).unzip();
        let result = self.turn_once(slot, &mut live, inputs).await;
        match result {
            Ok((turn, more)) => {
                slot.put_back(live);
                for (reply, verdict) in replies.into_iter().zip(turn) {
                    if let Some(reply) = reply {
                        let _ = reply.send(Ok(verdict));
                    }
                }
                if more {
                    self.tell(slot.key, Input::Continue);
                }
            }
            Err(Lost::NameTaken) => refuse_all(replies, || Error::Internal("the name is taken".into())),
            Err(Lost::Gone) => {
                slot.forget_description();
                refuse_all(replies, || Error::TaskDoesNotExist);
            }
            Err(Lost::Other(error)) => {
                // What the store holds now is not known: the next turn loads the log anew.
                slot.forget_description();
                tracing::error!(execution = %slot.key, %error, "a turn was lost");
                refuse_all(replies, || error.again());
                self.look_again(slot);
            }
            Err(Lost::SetAside(error)) => {
                tracing::error!(execution = %slot.key, %error, "a turn was lost");
                refuse_all(replies, || Error::Internal(error.to_string()));
            }
        }
    }

    /// One turn and its commit; when it returns, it is durable and its effects are on their way.
    pub(crate) async fn turn_once(
        &self,
        slot: &Arc<Slot>,
        live: &mut Live,
        inputs: Vec<Input>,
    ) -> Result<(Vec<Verdict>, bool), Lost> {
        let key = slot.key;
        let events_before = live.execution.events;
        let permit = self.permit(&live.program).await;
        let decided = self.decide(key, live, inputs);
        drop(permit);
        let Turned { turn, due, at } = decided?;
        if !turn.records.is_empty() {
            let chunk = live.writer.encode(live.seq, &turn.records);
            let open = self.open_of(live, due, turn.more);
            let commit = self.commit_of(key, live, &turn, chunk, events_before, open);
            self.commit(commit).await?;
            slot.landed();
            live.open = open;
            live.seq += 1;
            let description = Arc::new(describe::describe(&live.execution));
            slot.describe(description.clone());
            self.announce(&turn, &description);
            self.carry_out(key, live, &turn);
            if let Some(tracing) = live.tracing.clone() {
                let causes = live.logging.as_ref().is_some_and(|logging| logging.data);
                self.export_spans(&tracing, &live.program, &mut live.execution, causes, Some(key));
            }
        }
        let near = due.filter(|due| *due <= at + self.settings.timer_horizon.as_millis() as i64);
        self.timers.set(key, near);
        Ok((turn.verdicts, turn.more))
    }

    /// Whose expressions can take long waits until a thread is free that others do not need.
    pub(crate) async fn permit(&self, program: &Program) -> Option<SemaphorePermit<'_>> {
        if program.is_costly() { self.long_turns.acquire().await.ok() } else { None }
    }

    /// The turn itself: nothing waits in here.
    fn decide(&self, key: ExecutionKey, live: &mut Live, inputs: Vec<Input>) -> Result<Turned, Lost> {
        let beats = self.beats.of(key);
        let seal = |task, nonce| self.tokens.seal_task(TokenTarget { execution: key, task }, nonce);
        let at = self.clock.now();
        let stamp = Stamp {
            at,
            seed: self.seed(),
            seal: &seal,
            beats: &beats,
            listening_since: self.listening_since,
            limits: &self.settings.limits,
            log: live.logging.as_ref().map_or(LogLevel::Off, |logging| logging.level),
            owes_spans: self.exports(live.tracing.as_ref()),
            mistake: &|resource, parameters| self.connector.mistake(resource, parameters),
        };
        let heartbeats: Vec<_> = inputs.iter().filter_map(heartbeat).collect();
        let (program, execution) = (&live.program, &mut live.execution);
        let turned = catch_unwind(AssertUnwindSafe(|| execution.turn(program, inputs, &stamp)));
        let Ok(turn) = turned else {
            // Nothing of it is committed. The reason was printed by the panic itself.
            tracing::error!(execution = %key, "a turn panicked; the execution is set aside until it is asked for again");
            return Err(Lost::SetAside(Error::Internal("a turn of this execution panicked".into())));
        };
        for task in heartbeats {
            if execution.tasks.contains_key(&task) {
                self.beats.beat(key, task, at);
            }
        }
        // With the heartbeats that have just been heard.
        let beats = self.beats.of(key);
        let due = execution.next_due(program, &Stamp { beats: &beats, ..stamp });
        Ok(Turned { turn, due, at })
    }

    /// What is under way is the newer owner's now; doing it here too would do it twice.
    fn is_replaced(&self) {
        self.superseded.store(true, Ordering::Relaxed);
        self.retire();
    }

    async fn commit(&self, commit: Commit) -> Result<(), Lost> {
        let outcomes = self.store.commit(vec![(self.fence, commit)]).await;
        match outcomes.map(|mut outcomes| outcomes.pop()) {
            Ok(Some(Outcome::Committed)) => Ok(()),
            Ok(Some(Outcome::NameTaken(_))) => Err(Lost::NameTaken),
            Ok(Some(Outcome::Gone)) => Err(Lost::Gone),
            Ok(Some(Outcome::SeqTaken)) => Err(Lost::Other(Error::Internal("another writer was here".into()))),
            Ok(Some(Outcome::Fenced)) => {
                self.is_replaced();
                Err(Lost::SetAside(Error::Internal("the shard has a newer owner".into())))
            }
            Ok(None) => Err(Lost::Other(Error::Internal("the store gave no outcome".into()))),
            Err(error) => {
                if error.is_fatal() {
                    // What the disk holds is unknown: nothing may be acknowledged any more.
                    tracing::error!(%error, "the process ends");
                    std::process::abort();
                }
                Err(Lost::Other(error.into()))
            }
        }
    }

    /// What a turn writes.
    fn commit_of(
        &self,
        key: ExecutionKey,
        live: &Live,
        turn: &Turn,
        chunk: Chunk,
        events_before: u64,
        open: OpenChange,
    ) -> Commit {
        let execution = &live.execution;
        let chunk = store::Chunk {
            first_event: events_before + 1,
            events: (execution.events - events_before) as u32,
            records: chunk.records,
            payloads: chunk.payloads,
        };
        let mut commit = Commit::new(key, live.seq, chunk);
        let ended = turn.records.iter().any(|record| record.body.is_end());
        let redriven = turn.records.iter().any(|record| matches!(record.body, Body::ExecutionRedriven { .. }));
        commit.listing = match (live.seq, ended) {
            _ if redriven => Some(describe::redriven(execution)),
            (0, _) => Some(ListingChange::Start(describe::listing(key, execution))),
            (_, true) => Some(ListingChange::End {
                status: describe::store_status(execution.status),
                stopped_at: execution.stopped_at.unwrap_or_default(),
            }),
            (_, false) => None,
        };
        commit.open = if open == live.open { OpenChange::Keep } else { open };
        for effect in &turn.effects {
            if let Effect::StartTask { task } = effect
                && let Some(activity) = describe::activity_of(&live.program, execution, *task)
            {
                let scheduled_at = execution.last_at;
                commit.add_tasks.push(store::ActivityTask { activity, key, task: *task, scheduled_at });
            }
        }
        let gone = turn.effects.iter().filter_map(|effect| match effect {
            Effect::ForgetTask { task } => Some(*task),
            _ => None,
        });
        let handed_out = turn.records.iter().filter_map(|record| match &record.body {
            Body::TaskStarted { task, .. } => Some(*task),
            _ => None,
        });
        let mut removed: Vec<_> = gone.chain(handed_out).collect();
        removed.retain(|task| self.activities.knows(key, *task));
        commit.remove_tasks = removed.into_iter().map(|task| ActivityTaskId { key, task }).collect();
        commit
    }

    /// What must be found without loading the execution: when to look at it, and whether work is in flight or owed.
    /// `more`: its lines of control have not come to rest, and a new owner must go on at once.
    fn open_of(&self, live: &Live, due: Option<i64>, more: bool) -> OpenChange {
        let execution = &live.execution;
        let mut hot = more || !execution.debts.is_empty();
        let mut next_due = due;
        for task in execution.tasks.values() {
            match describe::errand(&live.program, task) {
                describe::Errand::Send => hot = true,
                // A followed job is looked at as soon as anybody looks for what is due.
                describe::Errand::Follow => next_due = Some(task.started_at.unwrap_or(0)),
                describe::Errand::Wait => {}
            }
        }
        match (next_due, hot) {
            (None, false) => OpenChange::Delete,
            (next_due, hot) => OpenChange::Set { next_due, hot },
        }
    }

    /// Loads an execution again after a while, so that what its log asks for is not forgotten. Each time that this does
    /// not help it takes longer.
    fn look_again(&self, slot: &Slot) {
        self.look_after_a_pause(slot.key, pause_after(slot.lost()));
    }

    /// A debt has been paid. Where that cannot be written, the execution is loaded anew and pays once more, so it is told
    /// of it ever more slowly.
    pub(crate) fn settle(&self, key: ExecutionKey, delivered: Input) {
        let Some(lost) = self.slots.lost(key).checked_sub(1) else { return self.tell(key, delivered) };
        let engine = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause_after(lost)).await;
            engine.tell(key, delivered);
        });
    }

    pub(crate) fn look_after_a_pause(&self, key: ExecutionKey, pause: Duration) {
        let engine = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            engine.tell(key, Input::Continue);
        });
    }
}

/// After a commit was lost, and so many before it in a row.
fn pause_after(lost: u32) -> Duration {
    const PAUSE: Duration = Duration::from_millis(500);
    const DOUBLINGS: u32 = 6;
    PAUSE * 2_u32.pow(lost.min(DOUBLINGS))
}

/// Held by who drives a slot. A panic outside of a turn must not leave the slot without a driver and full of mail.
pub(crate) struct Driving<'a> {
    engine: &'a Engine,
    slot: &'a Arc<Slot>,
}

impl<'a> Driving<'a> {
    pub fn new(engine: &'a Engine, slot: &'a Arc<Slot>) -> Driving<'a> {
        Driving { engine, slot }
    }

    pub fn ends_well(self) {
        std::mem::forget(self);
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        self.engine.slots.abandon(self.slot);
        // Who waits for an answer hears that there is none.
        drop(self.slot.take());
    }
}

/// Leaves an execution in memory while it waits; what is over is only described. How many bytes it takes.
fn put_down(slot: &Slot, live: Box<Live>) -> usize {
    let bytes = describe::resident_bytes(&live.execution);
    if !describe::is_settled(&live.execution) {
        slot.put_back(live);
    }
    bytes
}

fn heartbeat(input: &Input) -> Option<u64> {
    match input {
        Input::Report { task, report: machine::Report::Heartbeat } => Some(*task),
        _ => None,
    }
}

fn refuse(mail: Vec<Mail>, error: impl Fn() -> Error) {
    refuse_all(mail.into_iter().map(|m| m.reply).collect(), error)
}

fn refuse_all(replies: Vec<Option<oneshot::Sender<Result<Verdict>>>>, error: impl Fn() -> Error) {
    for reply in replies.into_iter().flatten() {
        let _ = reply.send(Err(error()));
    }
}
