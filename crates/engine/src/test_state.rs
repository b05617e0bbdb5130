//! TestState: a state by itself, in a definition of its own or in that of a machine, with what it asks for done once or
//! mocked. Nothing of it is stored.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use asl::{Kind, Pattern, Payload, Program, State, StateId, Target, Task};
use machine::test_state::{Setup, Step, TestState};
use machine::{LogLevel, Shown, Stamp, Started, Timestamp};
use serde_json::Value;

pub use machine::Failure;
pub use machine::test_state::{Ended, Handler};

use crate::api::MachineType;
use crate::arn::arn;
use crate::port::{Answer, TaskRequest};
use crate::{Engine, Error, Result};

/// AWS gives up after this.
const LONGEST: Duration = Duration::from_secs(300);

/// What AWS calls a state whose definition stands alone.
const ALONE: &str = "StateName";

#[derive(Clone, Debug)]
pub struct TestStateRequest {
    pub account: String,
    /// Of a state, or of a machine where `state_name` is given.
    pub definition: String,
    pub state_name: Option<String>,
    pub role: String,
    pub input: Payload,
    pub variables: BTreeMap<Arc<str>, Payload>,
    pub mock: Option<Mock>,
    /// Instead of the context object that the state would see; only with a mock.
    pub context: Option<Value>,
    pub retries: u32,
    /// The state inside a Map or Parallel whose error is mocked.
    pub caused_by: Option<String>,
    pub iteration_failures: Option<u64>,
    pub items_read: Option<Payload>,
}

#[derive(Clone, Debug)]
pub enum Mock {
    Result { result: Payload, validation: FieldValidation },
    Error(Failure),
}

/// How a mocked result is held against the service's model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldValidation {
    /// What the model requires must be there, and all that is there must be as it says.
    Strict,
    /// Only what is there is looked at.
    Present,
    None,
}

/// What TestState tells.
pub struct Tested {
    pub ended: Ended,
    pub shown: Vec<(Shown, Payload)>,
    /// `MaxConcurrency` and the tolerated failures of a Map.
    pub amounts: BTreeMap<&'static str, f64>,
}

impl Engine {
    pub async fn test_state(&self, request: TestStateRequest) -> Result<Tested> {
        let (program, id) = self.find(&request).await?;
        let state = program.state(id);
        self.check_mock(&request, state)?;
        let now = self.clock.now();
        let (machine, name) = (self.uuid(), self.uuid());
        let region = &self.settings.region;
        let started = Started {
            arn: format!("{}:{name}", arn(region, &request.account, "express", &machine)).into(),
            machine: arn(region, &request.account, "stateMachine", &machine).into(),
            name: name.into(),
            role: request.role.as_str().into(),
            input: request.input.clone(),
            definition: [0; 32],
            version: None,
            alias: None,
            trace_header: None,
            parent: None,
            mock: None,
        };
        let arn = started.arn.clone();
        let setup = Setup {
            program: program.clone(),
            state: id,
            started,
            variables: request.variables.clone(),
            context: request.context.clone(),
            retries: request.retries,
            items_read: request.items_read.clone(),
        };
        let test = TestState::new(setup, now);
        let (seed, token) = (self.seed(), self.uuid());
        let permit = self.permit(&program).await;
        let step = self.stamped(now, seed, &token, |stamp| test.begin(stamp));
        drop(permit);
        let outcome = match step {
            Step::Ended(ended) => return Ok(tested(&test, ended)),
            Step::Task(scheduled) => match &request.mock {
                Some(mock) => mocked(mock),
                None => {
                    let task = TaskRequest {
                        execution_arn: arn,
                        state: state.name.clone(),
                        resource: task_of(state).expect("only a Task asks for one").resource.clone(),
                        parameters: scheduled.parameters,
                        credentials: scheduled.credentials,
                        role: request.role.as_str().into(),
                        account: request.account.as_str().into(),
                        region: region.as_str().into(),
                        idempotency_key: self.uuid(),
                        trace: None,
                        resent: false,
                    };
                    self.try_once(task, scheduled.timeout_seconds).await
                }
            },
            Step::Wait { until } => {
                let pause = Duration::from_millis(until.saturating_sub(now).max(0).unsigned_abs());
                tokio::time::sleep(pause.min(LONGEST)).await;
                if pause > LONGEST { Err(Failure::timeout()) } else { Ok(Payload::empty_object()) }
            }
            Step::Open { length, tolerated_failures } => {
                let failed = request.iteration_failures.unwrap_or_default();
                if failed > u64::from(length) {
                    let told = "Map iteration failure count must be less than or equal to the number of Map iterations";
                    return Err(Error::InvalidTest(told.into()));
                }
                let outcome = mocked(request.mock.as_ref().expect("checked before"));
                match tolerated_failures {
                    Some(most) if failed as f64 > most => outcome.and(Err(Failure::threshold_exceeded())),
                    _ => outcome,
                }
            }
        };
        let _permit = self.permit(&program).await;
        let ended = self.stamped(self.clock.now(), seed, &token, |stamp| test.end(stamp, outcome));
        Ok(tested(&test, ended))
    }

    /// Compiles the definition; the state that is to be tested.
    async fn find(&self, request: &TestStateRequest) -> Result<(Arc<Program>, StateId)> {
        let (text, name) = match &request.state_name {
            Some(name) => (request.definition.as_str().into(), name.as_str()),
            None => (Cow::Owned(machine_of(&request.definition)), ALONE),
        };
        let program = self.compile(&text, MachineType::Standard).await?;
        let place = program.states.iter().position(|state| *state.name == *name);
        let place = place.ok_or_else(|| Error::InvalidTest("State not found in definition".into()))?;
        Ok((Arc::new(program), StateId(place as u32)))
    }

    fn stamped<T>(&self, at: Timestamp, seed: [u8; 32], token: &str, decide: impl FnOnce(&Stamp) -> T) -> T {
        let seal = |_, _| token.to_owned();
        let (limits, log) = (&self.settings.limits, LogLevel::Off);
        let mistake = &|resource: &asl::Resource, parameters: &Payload| self.connector.mistake(resource, parameters);
        decide(&Stamp {
            at,
            seed,
            seal: &seal,
            beats: &BTreeMap::new(),
            listening_since: at,
            limits,
            log,
            owes_spans: false,
            mistake,
        })
    }

    /// One attempt, as long as a test may take.
    async fn try_once(&self, task: TaskRequest, timeout_seconds: Option<u64>) -> Result<Payload, Failure> {
        let longest = timeout_seconds.map_or(LONGEST, |seconds| Duration::from_secs(seconds).min(LONGEST));
        match tokio::time::timeout(longest, self.connector.start(task)).await {
            Ok(Answer::Succeeded(result) | Answer::Submitted(result)) => Ok(result),
            Ok(Answer::Failed { error, cause, .. }) => {
                Err(Failure { error: Some(error.into()), cause: cause.map(Into::into), ..Failure::default() })
            }
            Err(_) => Err(Failure::timeout()),
        }
    }

    /// Whether the state can be tested as it is asked to be.
    fn check_mock(&self, request: &TestStateRequest, state: &State) -> Result<()> {
        let refused = |told: String| Err(Error::InvalidTest(told));
        let kind = state.kind.name();
        if let Some(name) = &request.caused_by
            && !is_inside(request, name)
        {
            return refused(format!("State '{name}' in errorCausedByState was not found in definition"));
        }
        let Some(mock) = &request.mock else {
            if request.iteration_failures.is_some() {
                let told = "TestState does not support MapIterationFailureCount when a mock is not specified.";
                return refused(told.into());
            }
            if request.context.is_some() {
                return refused("TestState does not support a Context object when a mock is not specified.".into());
            }
            return match &state.kind {
                Kind::Map(_) | Kind::Parallel(_) => {
                    refused(format!("State type '{kind}' is not supported when a mock is not specified"))
                }
                Kind::Task(task) if !answers_at_once(task) => {
                    let resource = &task.resource.text;
                    refused(format!("Resource '{resource}' is not supported when a mock is not specified"))
                }
                _ => Ok(()),
            };
        };
        let Mock::Result { result, validation } = mock else {
            return match &state.kind {
                Kind::Task(_) | Kind::Map(_) | Kind::Parallel(_) => Ok(()),
                _ => refused(format!("State type '{kind}' is not supported when a mock is specified")),
            };
        };
        match &state.kind {
            Kind::Map(map) if map.distribution.result_writer.is_some() => {
                if result.value().is_object() {
                    Ok(())
                } else {
                    refused("Mocked result must be a JSON object.".into())
                }
            }
            Kind::Map(_) | Kind::Parallel(_) => {
                if result.value().is_array() {
                    Ok(())
                } else {
                    refused("Mocked result must be an array.".into())
                }
            }
            Kind::Task(task) => match self.connector.check_mock(&task.resource, result.value(), *validation) {
                Ok(()) => Ok(()),
                Err(wrong) => refused(format!("Mock result schema validation error: {wrong}")),
            },
            _ => refused(format!("State type '{kind}' is not supported when a mock is specified")),
        }
    }
}

fn tested(test: &TestState, ended: Ended) -> Tested {
    let (shown, amounts) = test.shown();
    Tested { ended, shown, amounts }
}

fn mocked(mock: &Mock) -> Result<Payload, Failure> {
    match mock {
        Mock::Result { result, .. } => Ok(result.clone()),
        Mock::Error(failure) => Err(failure.clone()),
    }
}

fn task_of(state: &State) -> Option<&Task> {
    match &state.kind {
        Kind::Task(task) => Some(task),
        _ => None,
    }
}

/// Activities, jobs and callbacks are answered by somebody else, some time.
fn answers_at_once(task: &Task) -> bool {
    match &task.resource.target {
        Target::Activity => false,
        Target::Integration { pattern, .. } => *pattern == Pattern::RequestResponse,
        _ => true,
    }
}

/// A machine of one state, and of whatever it leads to.
fn machine_of(state: &str) -> String {
    // What is no object is shown as it is: the check tells what is wrong with it.
    let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(state) else { return state.to_owned() };
    let targets = |list: &str| fields.get(list).and_then(Value::as_array).into_iter().flatten().map(|at| &at["Next"]);
    let own = ["Next", "Default"].iter().filter_map(|field| fields.get(*field));
    let names = own.chain(targets("Choices")).chain(targets("Catch")).filter_map(Value::as_str);
    let others: BTreeSet<&str> = names.filter(|name| *name != ALONE).collect();
    let others: String =
        others.iter().map(|name| format!(r#", {}: {{"Type": "Succeed"}}"#, Value::from(*name))).collect();
    format!(r#"{{"StartAt": "{ALONE}", "States": {{"{ALONE}": {state}{others}}}}}"#)
}

/// Whether a definition has a state of this name anywhere below the one that is tested.
fn is_inside(request: &TestStateRequest, name: &str) -> bool {
    fn has(value: &Value, name: &str) -> bool {
        match value {
            Value::Object(fields) => {
                let states = fields.get("States").and_then(Value::as_object);
                states.is_some_and(|states| states.contains_key(name)) || fields.values().any(|value| has(value, name))
            }
            Value::Array(items) => items.iter().any(|value| has(value, name)),
            _ => false,
        }
    }
    serde_json::from_str(&request.definition).is_ok_and(|definition| has(&definition, name))
}
