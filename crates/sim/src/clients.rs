//! Those who call: every operation with what may come of it. A client may go away before it hears its answer, and a
//! process may die under it; then it knows nothing, and neither does the model.

use std::sync::Arc;
use std::time::Duration;

use asl::Payload;
use engine::api::{HistoryQuery, StartExecution, UpdateStateMachine};
use engine::arn::{arn, execution_arn};
use engine::{Engine, Error};
use machine::Status;

use crate::catalogue;
use crate::express;
use crate::life::Life;
use crate::model::{self, Asked, CREATED_WITH};
use crate::programs::{ACCOUNT, DEFINITIONS, INPUTS, LEAF, hash};
use crate::qualified;
use crate::redrive;
use crate::services::Token;
use crate::truth::{failed, succeeded};
use crate::world::World;

/// Names that executions are given, for each state machine: few, so that they are used again.
const NAMES: usize = 6;
/// The longest that a client stays that goes away, in milliseconds.
const GOES_AWAY_MS: u64 = 1_000;
/// How long anybody waits for an execution to end.
const WAITS: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Start,
    Stop,
    Describe,
    History,
    List,
    Finished,
    Success,
    Failure,
    Heartbeat,
    Forged,
    Update,
    DescribeMachine,
    Create,
    Delete,
    Visit,
    ListMachines,
    Redrive,
    Publish,
    ListVersions,
    DeleteVersion,
    ChangeAlias,
    StartQualified,
    StartExpress,
    RunExpress,
    Activity,
}

/// How often each is picked.
const WEIGHTS: &[(Operation, usize)] = &[
    (Operation::Start, 35),
    (Operation::Stop, 5),
    (Operation::Describe, 10),
    (Operation::History, 8),
    (Operation::List, 5),
    (Operation::Finished, 5),
    (Operation::Success, 18),
    (Operation::Failure, 5),
    (Operation::Heartbeat, 6),
    (Operation::Forged, 3),
    (Operation::Update, 3),
    (Operation::DescribeMachine, 4),
    (Operation::Create, 3),
    (Operation::Delete, 2),
    (Operation::Visit, 6),
    (Operation::ListMachines, 1),
    (Operation::Redrive, 6),
    (Operation::Publish, 3),
    (Operation::ListVersions, 2),
    (Operation::DeleteVersion, 1),
    (Operation::ChangeAlias, 5),
    (Operation::StartQualified, 4),
    (Operation::StartExpress, 5),
    (Operation::RunExpress, 3),
    (Operation::Activity, 3),
];

pub(crate) fn pick(world: &World) -> Operation {
    let total = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    let mut at = world.state().client_dice.below(total);
    for (operation, weight) in WEIGHTS {
        if at < *weight {
            return *operation;
        }
        at -= weight;
    }
    Operation::Start
}

pub(crate) fn machine_arn(name: &str) -> String {
    arn("us-east-1", ACCOUNT, "stateMachine", name)
}

/// One call to a process.
pub(crate) struct Call {
    pub life: Arc<Life>,
    pub engine: Engine,
    what: String,
    asked: Asked,
    /// The right time when it was made.
    wall: i64,
}

impl Call {
    /// `None` where no process answers.
    pub fn begin(world: &World, what: String) -> Option<Call> {
        let somebody = world.somebody();
        let mut state = world.state();
        state.operations += 1;
        let operation = state.operations;
        drop(state);
        let Some((life, engine)) = somebody else {
            world.note(&format!("op {operation} {what}: nobody"));
            return None;
        };
        world.note(&format!("op {operation} {what} to L{}", life.number));
        let wall = engine::Clock::now(&*life);
        Some(Call { life, engine, what, asked: Asked { operation, stale: false }, wall })
    }

    pub fn asked(&self) -> Asked {
        self.asked
    }

    /// Whether the process that answered had lost the store.
    pub fn is_stale(&self) -> bool {
        self.asked.stale
    }

    /// Its answer; `None` where nobody hears it. Errors that say that the world is unwell are judged here.
    pub async fn hear<T: std::fmt::Debug>(
        &mut self,
        world: &World,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Option<Result<T, Error>> {
        let stays = {
            let gone = if world.is_quiet() { 0 } else { world.plan.gone };
            let mut state = world.state();
            let goes = state.client_dice.per_mille(gone);
            goes.then(|| state.client_dice.delay(GOES_AWAY_MS))
        };
        let answer = match stays {
            None => self.life.while_alive(work).await,
            Some(ms) => {
                let stay = Duration::from_millis(ms);
                self.life.while_alive(tokio::time::timeout(stay, work)).await.and_then(Result::ok)
            }
        };
        self.asked.stale = self.life.is_superseded();
        let operation = self.asked.operation;
        world.note(&format!("op {operation} {} -> {answer:?}", self.what));
        match &answer {
            None => world.saw("client.unheard"),
            Some(Err(Error::Unavailable(_) | Error::Internal(_))) => {
                world.saw("client.unavailable");
                let excused = !world.plan.is_gentle() || self.asked.stale;
                world.check(excused, || format!("op {operation} {}: {answer:?}", self.what));
                return None;
            }
            Some(_) => {}
        }
        answer
    }
}

pub(crate) async fn operate(world: Arc<World>, operation: Operation) {
    match operation {
        Operation::Start => start(&world).await,
        Operation::Stop => stop(&world).await,
        Operation::Describe => describe(&world).await,
        Operation::History => history(&world).await,
        Operation::List => list(&world).await,
        Operation::Finished => finished(&world).await,
        Operation::Forged => forged(&world).await,
        Operation::Update => update(&world).await,
        Operation::DescribeMachine => describe_machine(&world).await,
        Operation::Create => catalogue::create(&world).await,
        Operation::Delete => catalogue::delete(&world).await,
        Operation::Visit => catalogue::visit(&world).await,
        Operation::ListMachines => catalogue::list(&world).await,
        Operation::Redrive => redrive::redrive(&world).await,
        Operation::Publish => qualified::publish(&world).await,
        Operation::ListVersions => qualified::list(&world).await,
        Operation::DeleteVersion => qualified::delete_version(&world).await,
        Operation::ChangeAlias => qualified::change_alias(&world).await,
        Operation::StartQualified => qualified::start(&world).await,
        Operation::StartExpress => express::start(&world).await,
        Operation::RunExpress => express::run(&world).await,
        Operation::Activity => catalogue::activity(&world).await,
        Operation::Success | Operation::Failure | Operation::Heartbeat => {
            let token = {
                let mut state = world.state();
                let (tokens, latest) = (state.services.tokens.len(), state.client_dice.per_mille(700));
                let back = state.client_dice.below(if latest { tokens.min(6) } else { tokens });
                tokens.checked_sub(back + 1).map(|at| state.services.tokens[at].clone())
            };
            let Some(token) = token else { return };
            let twice = {
                let chance = world.plan.services.twice;
                world.state().client_dice.per_mille(chance)
            };
            if twice {
                world.saw("client.twice");
                tokio::join!(send(&world, &token, operation), send(&world, &token, operation));
            } else {
                send(&world, &token, operation).await;
            }
        }
    }
}

async fn start(world: &World) {
    let (definition, name, input) = {
        let dice = &mut world.state().client_dice;
        (dice.pick(DEFINITIONS), dice.below(NAMES), *dice.pick(&INPUTS))
    };
    start_named(world, definition.name, &format!("e{name}"), input).await;
}

/// Whether it was acknowledged.
pub(crate) async fn start_named(world: &World, machine: &str, name: &str, input: &str) -> bool {
    let machine = machine_arn(machine);
    let execution = execution_arn(&machine, name);
    let passing = catalogue::comes_and_goes(&machine);
    let first = world.state().model.attempted.insert(execution.clone()) && !passing;
    let Some(mut call) = Call::begin(world, format!("start {execution} {input}")) else { return false };
    let engine = call.engine.clone();
    let request = StartExecution {
        machine: machine.clone(),
        name: Some(name.to_owned()),
        input: Payload::trusted(input),
        trace_header: None,
        parent: None,
    };
    let Some(answer) = call.hear(world, engine.start_execution(request)).await else { return false };
    let judged = match &answer {
        Ok(started) => {
            world.saw("op.start");
            let mut state = world.state();
            let judged = model::started(&mut state, call.asked, &execution, input, started.started_at);
            judged.and_then(|()| if first { model::begun(&state, call.asked, &execution) } else { Ok(()) })
        }
        Err(Error::ExecutionAlreadyExists(_)) => {
            world.saw("op.start refused");
            model::exists(&world.state(), call.asked, &execution, input)
        }
        Err(Error::ExecutionLimitExceeded) if world.plan.settings.starts < 100 => {
            world.saw("op.start throttled");
            Ok(())
        }
        Err(Error::StateMachineDoesNotExist(_) | Error::StateMachineDeleting(_)) if passing => {
            world.saw("op.start of nothing");
            Ok(())
        }
        Err(error) => Err(format!("start: {error:?}")),
    };
    world.check_result(judged);
    let refused = matches!(answer, Err(Error::StateMachineDoesNotExist(_)));
    if passing && (answer.is_ok() || refused) {
        let may = catalogue::may_start(world, &machine, call.asked, answer.is_ok());
        world.check(may, || format!("{execution}, of a machine that comes and goes: {answer:?}"));
    }
    answer.is_ok()
}

async fn update(world: &World) {
    let definition = world.state().client_dice.pick(DEFINITIONS);
    if definition.name != LEAF {
        update_named(world, definition.name).await;
    }
}

/// Gives a state machine another role, and the definition of any other one. Executions show both, and keep both.
pub(crate) async fn update_named(world: &World, machine: &str) {
    let definition = world.state().client_dice.pick(DEFINITIONS).text;
    let number = world.state().operations;
    let (machine, role) = (machine_arn(machine), format!("{CREATED_WITH}{number}"));
    let Some(mut call) = Call::begin(world, format!("update {machine} {role}")) else { return };
    model::updating(&mut world.state(), &machine, &role, hash(definition));
    let (role_given, definition) = (Some(role.clone()), Some(definition.to_owned()));
    let request = UpdateStateMachine { arn: machine.clone(), role: role_given, definition, ..Default::default() };
    let engine = call.engine.clone();
    let answer = call.hear(world, engine.update_state_machine(request)).await;
    // The catalogue has no owner: what another process than the owner changes, the owner sees when it starts anew.
    let acknowledged = matches!(answer, Some(Ok(_))) && !call.asked.stale;
    model::updated(&mut world.state(), call.asked, &machine, &role, acknowledged);
    match answer {
        Some(Ok(_)) => world.saw("op.update"),
        Some(Err(error)) => world.violated(format!("update: {error:?}")),
        None => {}
    }
}

async fn describe_machine(world: &World) {
    let definition = world.state().client_dice.pick(DEFINITIONS);
    describe_machine_named(world, definition.name).await;
}

pub(crate) async fn describe_machine_named(world: &World, machine: &str) {
    let machine = machine_arn(machine);
    let Some(mut call) = Call::begin(world, format!("describe {machine}")) else { return };
    let engine = call.engine.clone();
    let Some(answer) = call.hear(world, engine.state_machine(&machine)).await else { return };
    let judged = match answer {
        Ok(seen) => {
            world.saw("op.describe machine");
            model::role_seen(&world.state(), call.asked, &machine, &seen.role, seen.definition)
        }
        Err(error) => Err(format!("describe machine: {error:?}")),
    };
    world.check_result(judged);
}

/// An execution that somebody wanted to start, and whether that was acknowledged.
pub(crate) fn some_execution(world: &World) -> Option<(String, bool)> {
    let mut guard = world.state();
    let state = &mut *guard;
    let at = state.client_dice.below(state.model.attempted.len());
    let execution = state.model.attempted.iter().nth(at)?.clone();
    let known = state.model.started.contains_key(&execution);
    Some((execution, known))
}

async fn stop(world: &World) {
    let Some((execution, known)) = some_execution(world) else { return };
    stop_named(world, &execution, known).await;
}

pub(crate) async fn stop_named(world: &World, execution: &str, known: bool) {
    let Some(mut call) = Call::begin(world, format!("stop {execution}")) else { return };
    let engine = call.engine.clone();
    let Some(answer) = call.hear(world, engine.stop_execution(execution, Some("Stopped".into()), None)).await else {
        return;
    };
    let judged = match answer {
        Ok(at) => {
            world.saw("op.stop");
            model::stopped(&mut world.state(), call.asked, execution, at)
        }
        Err(Error::ExecutionDoesNotExist(_)) => {
            world.saw("op.stop of nothing");
            model::missing(&world.state(), execution, known)
        }
        Err(error) => Err(format!("stop: {error:?}")),
    };
    world.check_result(judged);
}

async fn describe(world: &World) {
    let Some((execution, known)) = some_execution(world) else { return };
    describe_named(world, &execution, known).await;
}

pub(crate) async fn describe_named(world: &World, execution: &str, known: bool) -> Option<Status> {
    let mut call = Call::begin(world, format!("describe {execution}"))?;
    let engine = call.engine.clone();
    let answer = call.hear(world, engine.describe_execution(execution)).await?;
    let judged = match &answer {
        Ok(description) => {
            world.saw("op.describe");
            model::described(&mut world.state(), call.asked, description)
        }
        Err(Error::ExecutionDoesNotExist(_)) => {
            world.saw("op.describe nothing");
            model::missing(&world.state(), execution, known)
        }
        Err(error) => Err(format!("describe: {error:?}")),
    };
    world.check_result(judged);
    answer.ok().map(|description| description.status)
}

async fn finished(world: &World) {
    let Some((execution, known)) = some_execution(world) else { return };
    let Some(mut call) = Call::begin(world, format!("wait for {execution}")) else { return };
    let engine = call.engine.clone();
    let wait =
        async { tokio::time::timeout(WAITS, engine.finished(&execution)).await.map_or(Ok(None), |d| d.map(Some)) };
    let Some(answer) = call.hear(world, wait).await else { return };
    let judged = match answer {
        Ok(Some(description)) => {
            world.saw("op.finished");
            let again = world.state().model.lives_again(&execution, call.asked.operation);
            world.check(again || description.status != Status::Running, || format!("{execution} is over and runs"));
            model::described(&mut world.state(), call.asked, &description)
        }
        Ok(None) => {
            world.saw("op.not finished");
            Ok(())
        }
        Err(Error::ExecutionDoesNotExist(_)) => model::missing(&world.state(), &execution, known),
        Err(error) => Err(format!("finished: {error:?}")),
    };
    world.check_result(judged);
}

async fn history(world: &World) {
    let Some((execution, known)) = some_execution(world) else { return };
    let (limit, reverse, data) = {
        let dice = &mut world.state().client_dice;
        (*dice.pick(&[1, 3, 10, 1_000]), dice.per_mille(400), dice.per_mille(700))
    };
    read_history(world, &execution, known, limit, reverse, data).await;
}

/// Reads all pages; whether it came to the end.
pub(crate) async fn read_history(
    world: &World,
    execution: &str,
    known: bool,
    limit: usize,
    reverse: bool,
    data: bool,
) -> bool {
    let mut from = None;
    loop {
        let key = world.state().truth.by_arn.get(execution).copied();
        let had = {
            let state = world.state();
            state.truth.log(execution).map_or(0, |log| log.execution.events).max(state.model.events_read(execution))
        };
        let what = format!("history {execution} {from:?} {limit} {reverse} {data}");
        let Some(mut call) = Call::begin(world, what) else { return false };
        let engine = call.engine.clone();
        let query = HistoryQuery { execution: execution.to_owned(), from, limit, reverse, data };
        let Some(answer) = call.hear(world, engine.history(query)).await else { return false };
        let page = match answer {
            Ok(page) => page,
            Err(Error::ExecutionDoesNotExist(_)) => {
                world.check_result(model::missing(&world.state(), execution, known));
                return false;
            }
            Err(error) => {
                world.violated(format!("history: {error:?}"));
                return false;
            }
        };
        world.saw(if reverse { "op.history reversed" } else { "op.history" });
        if world.state().truth.by_arn.get(execution).copied() != key {
            world.saw("op.history of a successor");
            return false;
        }
        let judged = model::history(&mut world.state(), execution, from, reverse, data, had, &page);
        world.check_result(judged);
        from = page.next;
        if from.is_none() || world.has_ended() {
            return true;
        }
    }
}

async fn list(world: &World) {
    let (definition, limit, status) = {
        let dice = &mut world.state().client_dice;
        let status = *dice.pick(&[None, None, Some(Status::Running), Some(Status::Succeeded), Some(Status::Aborted)]);
        (dice.pick(DEFINITIONS), *dice.pick(&[1, 2, 100]), status)
    };
    list_machine(world, definition.name, limit, status).await;
}

/// Whether the whole list was read.
pub(crate) async fn list_machine(world: &World, machine: &str, limit: usize, status: Option<Status>) -> bool {
    let machine = machine_arn(machine);
    let prefix = execution_arn(&machine, "");
    let known: Vec<String> =
        world.state().model.started.keys().filter(|execution| execution.starts_with(&prefix)).cloned().collect();
    let asked = world.state().operations;
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let Some(mut call) = Call::begin(world, format!("list {machine} {status:?} {after:?}")) else { return false };
        let engine = call.engine.clone();
        let Some(answer) = call.hear(world, engine.list_executions(&machine, status, None, after, limit)).await else {
            return false;
        };
        match answer {
            Ok(page) => {
                world.saw("op.list");
                rows.extend(page.items);
                after = page.next;
            }
            Err(error) => {
                world.violated(format!("list: {error:?}"));
                return false;
            }
        }
        if after.is_none() {
            let judged = model::listed(&world.state(), asked, &known, status, &rows);
            world.check_result(judged);
            return true;
        }
    }
}

/// Uses a token. Whether somebody heard what came of it.
pub(crate) async fn send(world: &World, token: &Token, operation: Operation) -> bool {
    let what = format!("{operation:?} {}", token.tag);
    let Some(mut call) = Call::begin(world, what) else { return false };
    let (number, tag, text) = (call.asked.operation, token.tag.as_str(), token.text.as_str());
    let open = {
        let state = world.state();
        state.truth.task(tag).is_some_and(|(_, _, task)| task.outcome.is_none())
    };
    let engine = call.engine.clone();
    let output = format!(r#"{{"by":{number}}}"#);
    let error = format!("Worker.{}", if number % 2 == 0 { "Tired" } else { "Lost" });
    let report = match operation {
        Operation::Success => succeeded(&output),
        Operation::Failure => failed(Some(&error)),
        _ => String::new(),
    };
    world.state().truth.report(tag, report.clone());
    let answer = match operation {
        Operation::Success => call.hear(world, engine.task_success(text, Payload::trusted(output))).await,
        Operation::Failure => call.hear(world, engine.task_failure(text, Some(error), None)).await,
        _ => call.hear(world, engine.task_heartbeat(text)).await,
    };
    let Some(answer) = answer else { return false };
    let now = engine::Clock::now(&*call.life);
    let mut guard = world.state();
    let state = &mut *guard;
    let judged = match answer {
        Ok(()) if operation == Operation::Heartbeat => {
            if let Some((key, task)) = state.truth.tags.get(tag) {
                // Its clock may have been set back meanwhile.
                let heard = call.wall.min(now);
                state.beats.insert((*key, *task), (call.life.number, heard));
            }
            if open || call.asked.stale { Ok(()) } else { Err(format!("{tag} does not wait and was heard")) }
        }
        Ok(()) => model::taken(state, tag, &report),
        Err(Error::TaskTimedOut) => {
            let waits = state.truth.task(tag).is_some_and(|(_, _, task)| task.outcome.is_none());
            if waits && !call.asked.stale { Err(format!("{tag} waits, and its report was refused")) } else { Ok(()) }
        }
        Err(Error::TaskDoesNotExist) => {
            let old = state.truth.task(tag).is_some_and(|(log, _, _)| model::is_old(state, log));
            if old { Ok(()) } else { Err(format!("{tag} is not known")) }
        }
        Err(ref error) => Err(format!("{operation:?}: {error:?}")),
    };
    drop(guard);
    let late = if answer.is_err() { " late" } else { "" };
    world.saw(format!("op.{}{late}", format!("{operation:?}").to_lowercase()));
    world.check_result(judged);
    true
}

/// Tokens that nobody was given: invented, cut, changed, or meant for something else.
async fn forged(world: &World) {
    let token = world.state().services.tokens.last().map(|token| token.text.clone()).unwrap_or_default();
    let Some(mut call) = Call::begin(world, "forged".into()) else { return };
    let engine = call.engine.clone();
    let page = engine.seal_page("1 2 3");
    let forged = {
        let dice = &mut world.state().client_dice;
        match dice.below(4) {
            0 => "AAAA".repeat(dice.below(40)),
            1 => token[..dice.below(token.len())].to_owned(),
            2 => {
                let mut bytes = token.into_bytes();
                let at = dice.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = if *byte == b'A' { b'B' } else { b'A' };
                }
                String::from_utf8(bytes).expect("ASCII")
            }
            _ => page,
        }
    };
    let Some(answer) = call.hear(world, engine.task_success(&forged, Payload::trusted("1"))).await else { return };
    world.saw("op.forged");
    world.check(matches!(answer, Err(Error::InvalidToken)), || format!("{forged} was accepted: {answer:?}"));
}
