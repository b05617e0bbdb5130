//! What may be seen from outside: what the engine has promised its callers, and whether an answer agrees with that and
//! with what lies in the log.

use std::collections::{BTreeMap, BTreeSet};

use engine::api::{ExecutionDescription, ExecutionRow, History};
use machine::history::{self, View};
use machine::{Status, Timestamp};
use serde_json::Value;

use crate::catalogue::Passing;
use crate::programs::{self, DEFINITIONS};
use crate::truth::{Log, Outcome, Truth};
use crate::world::State;

/// What callers have been told, and may rely on.
#[derive(Default)]
pub(crate) struct Model {
    /// Acknowledged starts: the input, and when it was.
    pub started: BTreeMap<String, (String, Timestamp)>,
    /// Executions that somebody wanted to start.
    pub attempted: BTreeSet<String>,
    /// The outcome of a task that its reporter was told is taken, by tag.
    pub taken: BTreeMap<String, String>,
    /// How often a worker was given an activity's task, by tag.
    pub handed_out: BTreeMap<String, u32>,
    /// After which operation an execution was said to be over.
    over: BTreeMap<String, u64>,
    redrives: BTreeMap<String, Redrives>,
    /// How long after its end an execution is certain to be kept, in milliseconds; for ever where nothing is said.
    kept_ms: Option<i64>,
    /// How many events of an execution a reader has seen.
    read: BTreeMap<String, u64>,
    /// The roles and definitions that each state machine was given; none for those that it was created with.
    roles: BTreeMap<String, Vec<Role>>,
    pub passing: Passing,
    /// The role and definition of each version, as somebody saw it first.
    pub versions: BTreeMap<u64, (String, [u8; 32])>,
    /// Asynchronous Express executions that were acknowledged, by the tag of their task.
    pub express: BTreeSet<String>,
}

/// What is known of the attempts to redrive an execution.
#[derive(Default)]
struct Redrives {
    /// Attempts of which nobody knows what comes of them.
    open: u32,
    /// After which operation the last of the others was answered.
    answered: u64,
}

/// A role and a definition that a state machine was given in one update, or may have been. Times are numbers of
/// operations.
struct Role {
    role: String,
    definition: [u8; 32],
    /// When it was known that nothing more comes of the change.
    settled: Option<u64>,
    /// When a later one was acknowledged: who asks after that sees this one no more.
    gone: Option<u64>,
}

/// Who answered, as far as the model must know.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    /// The operation's number.
    pub operation: u64,
    /// The process that answered had lost the store: it may tell what was, and may not know of it yet.
    pub stale: bool,
}

/// The role that state machines are created with.
pub(crate) const CREATED_WITH: &str = "arn:aws:iam::000000000000:role/r";

pub(crate) type Judgement = Result<(), String>;

fn require(holds: bool, what: impl FnOnce() -> String) -> Judgement {
    if holds { Ok(()) } else { Err(what()) }
}

fn log<'a>(truth: &'a Truth, arn: &str) -> Result<&'a Log, String> {
    truth.log(arn).ok_or_else(|| format!("{arn} is spoken of and not in the log"))
}

/// UpdateStateMachine is asked for.
pub(crate) fn updating(state: &mut State, machine: &str, role: &str, definition: [u8; 32]) {
    let created =
        || vec![Role { role: CREATED_WITH.into(), definition: created_with(machine), settled: Some(0), gone: None }];
    let roles = state.model.roles.entry(machine.to_owned()).or_insert_with(created);
    roles.push(Role { role: role.to_owned(), definition, settled: None, gone: None });
}

/// The definition that a state machine of this ARN was created with.
fn created_with(machine: &str) -> [u8; 32] {
    let name = machine.rsplit(':').next().unwrap_or_default();
    programs::hash(DEFINITIONS.iter().find(|definition| definition.name == name).map_or("", |found| found.text))
}

/// UpdateStateMachine was answered, or will not be any more.
pub(crate) fn updated(state: &mut State, asked: Asked, machine: &str, role: &str, acknowledged: bool) {
    let now = state.operations;
    for other in state.model.roles.get_mut(machine).into_iter().flatten() {
        if other.role == role {
            other.settled = Some(now);
        } else if acknowledged && other.settled.is_some_and(|settled| settled < asked.operation) {
            other.gone.get_or_insert(now);
        }
    }
}

/// A state machine was seen with a role and a definition.
pub(crate) fn role_seen(state: &State, asked: Asked, machine: &str, role: &str, definition: [u8; 32]) -> Judgement {
    let Some(roles) = state.model.roles.get(machine) else {
        let right = role == CREATED_WITH && definition == created_with(machine);
        return require(right, || format!("{machine} has a role or definition that nobody gave it: {role}"));
    };
    let given: Vec<_> = roles.iter().filter(|one| one.role == role && one.definition == definition).collect();
    require(!given.is_empty(), || format!("{machine} never had this definition together with the role {role}"))?;
    let right = given.iter().any(|one| one.gone.is_none_or(|gone| asked.operation <= gone));
    require(right || asked.stale, || format!("{machine} has the role {role}, which it had before"))
}

/// StartExecution was acknowledged.
pub(crate) fn started(state: &mut State, asked: Asked, arn: &str, input: &str, at: Timestamp) -> Judgement {
    let log = log(&state.truth, arn)?;
    let begun = log.execution.started.as_ref().expect("a log begins with its start");
    require(begun.input.text().as_ref() == input, || format!("{arn} runs with another input than was acknowledged"))?;
    require(log.execution.started_at == at, || format!("{arn} was said to begin at {at}"))?;
    let over = state.model.is_over(arn, asked);
    require(!over || asked.stale, || format!("{arn} was started again after it was over"))?;
    state.model.started.insert(arn.to_owned(), (input.to_owned(), at));
    Ok(())
}

/// An execution was started by a version or an alias.
pub(crate) fn runs_version(state: &State, arn: &str, by: &str) -> Judgement {
    let begun = log(&state.truth, arn)?.execution.started.as_ref().expect("a log begins with its start");
    let version = begun.version.as_deref().unwrap_or_default();
    require(version == by || begun.alias.as_deref() == Some(by), || format!("{arn} was not started by {by}"))?;
    let number = version.rsplit(':').next().and_then(|number| number.parse().ok());
    let known = number.and_then(|number: u64| state.model.versions.get(&number));
    let right = known.is_none_or(|known| *known == (begun.role.to_string(), begun.definition));
    require(right && number.is_some(), || format!("{arn} runs another definition than {version} has"))
}

/// An execution whose name nobody had asked for before was started: by the state machine as it was when that was asked.
pub(crate) fn begun(state: &State, asked: Asked, arn: &str) -> Judgement {
    let begun = log(&state.truth, arn)?.execution.started.as_ref().expect("a log begins with its start");
    role_seen(state, asked, &begun.machine, &begun.role, begun.definition)
}

/// The name was said to be taken.
pub(crate) fn exists(state: &State, asked: Asked, arn: &str, input: &str) -> Judgement {
    let log = log(&state.truth, arn)?;
    let begun = log.execution.started.as_ref().expect("a log begins with its start");
    let same = begun.input.text().as_ref() == input && !log.execution.is_over();
    let excused = asked.stale || state.model.lives_again(arn, asked.operation);
    require(!same || excused, || format!("{arn} runs with the same input and was refused"))
}

/// StopExecution was acknowledged.
pub(crate) fn stopped(state: &mut State, asked: Asked, arn: &str, at: Timestamp) -> Judgement {
    let log = log(&state.truth, arn)?;
    if state.model.lives_again(arn, asked.operation) {
        return Ok(());
    }
    require(log.execution.is_over(), || format!("{arn} was stopped and runs"))?;
    let told = log.execution.stopped_at == Some(at);
    require(told || asked.stale, || format!("{arn} stopped at {:?}, not at {at}", log.execution.stopped_at))?;
    told_over(state, arn);
    Ok(())
}

/// An execution was said not to be there. `known`: it was acknowledged before the question.
pub(crate) fn missing(state: &State, arn: &str, known: bool) -> Judgement {
    require(!known || may_be_gone(state, arn), || format!("{arn} was acknowledged and is not found"))
}

/// Whether an execution has been over for so long that it need not be kept.
pub(crate) fn may_be_gone(state: &State, arn: &str) -> bool {
    state.truth.log(arn).is_none_or(|log| is_old(state, log))
}

pub(crate) fn is_old(state: &State, log: &Log) -> bool {
    let stopped = log.execution.stopped_at.filter(|_| log.is_settled());
    state.model.kept_ms.zip(stopped).is_some_and(|(kept, stopped)| stopped + kept <= state.latest_wall)
}

/// RedriveExecution was acknowledged.
pub(crate) fn redriven_at(state: &State, arn: &str, at: Timestamp) -> Judgement {
    let log = log(&state.truth, arn)?;
    let right = log.records.iter().any(|r| r.at == at && matches!(r.body, machine::Body::ExecutionRedriven { .. }));
    require(right, || format!("{arn} was said to be redriven at {at}, and the log knows nothing of it"))
}

/// Somebody was told that an execution is over.
fn told_over(state: &mut State, arn: &str) {
    let (model, now) = (&mut state.model, state.operations);
    let again = model.over.get(arn).is_none_or(|over| model.lives_again(arn, *over));
    if again {
        model.over.insert(arn.to_owned(), now);
    }
}

/// An execution was described.
pub(crate) fn described(state: &mut State, asked: Asked, seen: &ExecutionDescription) -> Judgement {
    let arn = seen.arn.as_ref();
    let execution = &log(&state.truth, arn)?.execution;
    let begun = execution.started.as_ref().expect("a log begins with its start");
    require(seen.input.text() == begun.input.text(), || format!("{arn} is shown with another input"))?;
    require(seen.started_at == execution.started_at, || format!("{arn} is shown to begin at {}", seen.started_at))?;
    if seen.status == Status::Running {
        let over = state.model.is_over(arn, asked);
        require(!over || asked.stale, || format!("{arn} is shown as running after it was over"))?;
        return require(seen.stopped_at.is_none() && seen.output.is_none(), || format!("{arn} runs and has ended"));
    }
    let same = seen.status == execution.status
        && seen.stopped_at == execution.stopped_at
        && seen.failure == execution.failure
        && seen.output.as_ref().map(|o| o.text()) == execution.output.as_ref().map(|o| o.text());
    if state.model.lives_again(arn, asked.operation) {
        return Ok(());
    }
    require(same, || format!("{arn} is shown as {:?}, and is {:?}", seen.status, execution.status))?;
    told_over(state, arn);
    Ok(())
}

/// A page of history, asked for from an event on; `had` is how many events there were before the question.
pub(crate) fn history(
    state: &mut State,
    arn: &str,
    from: Option<u64>,
    reverse: bool,
    data: bool,
    had: u64,
    page: &History,
) -> Judgement {
    let log = log(&state.truth, arn)?;
    let view = View { program: &log.program, data, region: "us-east-1" };
    let events: Vec<_> = history::events(&log.records, 1).collect();
    let ids: Vec<u64> = page.events.iter().filter_map(|event| event["id"].as_u64()).collect();
    let step = |pair: &[u64]| if reverse { pair[0] == pair[1] + 1 } else { pair[1] == pair[0] + 1 };
    require(ids.len() == page.events.len() && ids.windows(2).all(step), || format!("{arn}: events {ids:?}"))?;
    for (id, event) in ids.iter().zip(&page.events) {
        let there = events.get(*id as usize - 1).ok_or_else(|| format!("{arn}: an event {id} that is not there"))?;
        let expected = history::shown(view, *there).unwrap_or(Value::Null);
        require(*event == expected, || format!("{arn}: event {id} is shown as {event}, and is {expected}"))?;
    }
    let first = from.or(if reverse { None } else { Some(1) });
    if let (Some(first), Some(id)) = (first, ids.first()) {
        require(first == *id, || format!("{arn}: asked from {first}, shown from {id}"))?;
    }
    let end = if reverse { ids.first() } else { ids.last() };
    let seen = end.copied().unwrap_or_default();
    let whole = if reverse { from.is_none() } else { page.next.is_none() && from.unwrap_or(1) <= had };
    require(!whole || seen >= had, || format!("{arn}: the history ends at {seen} of {had} events"))?;
    let read = state.model.read.entry(arn.to_owned()).or_default();
    *read = seen.max(*read);
    Ok(())
}

impl Model {
    pub fn new(kept_ms: Option<i64>) -> Model {
        Model { kept_ms, ..Model::default() }
    }

    /// How many events of an execution somebody has seen.
    pub fn events_read(&self, arn: &str) -> u64 {
        self.read.get(arn).copied().unwrap_or_default()
    }

    /// RedriveExecution is asked for.
    pub fn redriving(&mut self, arn: &str) {
        self.redrives.entry(arn.to_owned()).or_default().open += 1;
    }

    /// It was answered; whether nobody else asked for it meanwhile.
    pub fn redriven(&mut self, arn: &str, asked: u64, now: u64) -> bool {
        let redrives = self.redrives.entry(arn.to_owned()).or_default();
        let alone = redrives.open == 1 && redrives.answered < asked;
        redrives.open -= 1;
        redrives.answered = now;
        alone
    }

    /// Whether an execution may have been redriven since an operation was asked for.
    pub fn lives_again(&self, arn: &str, since: u64) -> bool {
        self.redrives.get(arn).is_some_and(|redrives| redrives.open > 0 || redrives.answered >= since)
    }

    /// Whether an execution was said to be over before this was asked, and cannot have been redriven since.
    fn is_over(&self, arn: &str, asked: Asked) -> bool {
        self.over.get(arn).is_some_and(|over| *over < asked.operation && !self.lives_again(arn, *over))
    }

    /// An execution of this name was deleted, and another one has begun.
    pub fn begins_anew(&mut self, arn: &str) {
        self.started.remove(arn);
        self.over.remove(arn);
        self.read.remove(arn);
        self.redrives.remove(arn);
    }
}

/// All rows of a state machine's list; `known` were acknowledged before the question.
pub(crate) fn listed(
    state: &State,
    asked: u64,
    known: &[String],
    status: Option<Status>,
    rows: &[ExecutionRow],
) -> Judgement {
    let mut seen = BTreeSet::new();
    for row in rows {
        let log = log(&state.truth, &row.arn)?;
        let execution = &log.execution;
        require(seen.insert(&row.arn), || format!("{} is listed twice", row.arn))?;
        if log.is_successor || state.model.lives_again(&row.arn, asked) {
            continue;
        }
        require(row.started_at == execution.started_at, || format!("{} is listed as begun at another time", row.arn))?;
        let right = row.status == Status::Running || row.status == execution.status;
        require(right, || format!("{} is listed as {:?}", row.arn, row.status))?;
        require(status.is_none_or(|status| status == row.status), || format!("{} is not of that status", row.arn))?;
    }
    let ordered = rows.windows(2).all(|pair| pair[0].started_at >= pair[1].started_at);
    require(ordered, || "a list that is not in order".into())?;
    let lost = known.iter().find(|arn| status.is_none() && !seen.contains(arn) && !may_be_gone(state, arn));
    require(lost.is_none(), || format!("{lost:?} was acknowledged and is not listed"))
}

/// A report about a task was taken.
pub(crate) fn taken(state: &mut State, tag: &str, what: &str) -> Judgement {
    let (_, _, task) = state.truth.task(tag).ok_or("a token of a task that is not in the log")?;
    let right = task.outcome == Some(Outcome::Reported(what.to_owned()));
    require(right, || format!("{what} of {tag} was taken, and its outcome is {:?}", task.outcome))?;
    let before = state.model.taken.insert(tag.to_owned(), what.to_owned());
    require(before.is_none(), || format!("{before:?} and {what} of {tag} were both taken"))
}

/// A task was handed to a worker that has heard of it. Whoever has lost the store without knowing, and could not read
/// what came of its own attempt to hand the task out, is `excused`: it may take another's attempt for its own.
pub(crate) fn handed_out(state: &mut State, tag: &str, excused: bool) -> Judgement {
    let (_, _, task) = state.truth.task(tag).ok_or("work that is not in the log")?;
    require(task.started_at.is_some(), || format!("{tag} was handed out and is not started"))?;
    let times = state.model.handed_out.entry(tag.to_owned()).or_default();
    *times += 1;
    require(*times == 1 || excused, || format!("{tag} was handed out {times} times"))
}
