//! Resource ARN to call: the optimised integrations as a table, `.sync` jobs, callbacks, `aws-sdk:*`.
//!
//! The three patterns of a Resource are one code path with three endings: the answer is the result, or a job is
//! followed to its end, or the engine waits for the token. Everything that differs between integrations is in
//! `table.rs`, and every call goes through `aws`; this installation's own Step Functions API (`states:startExecution`,
//! `aws-sdk:sfn:*`) is called in process, unless an endpoint is set for it (`AWS_ENDPOINT_URL_SFN`). Read `table.rs`,
//! then [`Connectors`], then `job.rs`.
//!
//! # What a task may rely on
//!
//! | integration | sent again without being asked | after a crash between sending and hearing |
//! |---|---|---|
//! | `states:startExecution` | 3 times in all; the name makes a second call harmless | found by its name (the task's idempotency key where the definition gives none); a given name is ours if the input is the same |
//! | `batch:submitJob` | 3 times in all, where the first did nothing | found among the queue's jobs of the same name by `STEPWELL_TASK` in its environment; with `NodeOverrides`, `EksPropertiesOverride` or `EcsPropertiesOverride` there is no place for the mark, and it is submitted again |
//! | `sqs:sendMessage`, `sns:publish`, FIFO | 3 times in all | sent again; the queue or topic drops it within five minutes, by the given deduplication id or the content |
//! | `sqs:sendMessage`, `sns:publish`, standard | 3 times in all, where the first did nothing | sent again: two messages, with the same task token |
//! | `lambda:invoke`, function ARNs | never | invoked again |
//! | `dynamodb:getItem` | 3 times in all | read again |
//! | `dynamodb:putItem`, `updateItem`, `deleteItem` | 3 times in all, where the first did nothing | done again |
//! | `events:putEvents` | 3 times in all, where the first did nothing | put again: each event twice |
//! | `ecs:runTask` | 3 times in all; the task's key is the client token | run again, harmlessly |
//! | `apigateway:invoke` | never | called again |
//! | the table's other rows and `aws-sdk:*`, reading or with a client token (the task's key is the token) | 3 times in all | called again, harmlessly |
//! | the others of these | 3 times in all, where the first did nothing | called again |
//!
//! "Did nothing" is a connection that was not made, an answer of status 503, and throttling. Where the last column says
//! that something has its effect twice, [`AfterCrash::Fail`] fails the task instead. Whatever is left goes straight to
//! the state's Retry: every answer of a service, and `<Prefix>.SdkClientException` for what came between.
//!
//! No deduplication id is made up for FIFO queues and topics: where the definition gives none, AWS takes the content,
//! or refuses.
//!
//! # Jobs
//!
//! | `.sync` of | is asked with | ends | is stopped with | asked again after |
//! |---|---|---|---|---|
//! | `batch:submitJob` | DescribeJobs | `SUCCEEDED`, `FAILED` | TerminateJob | a tenth of its age, 250 ms to 10 s; at AWS 2 s to 60 s |
//! | `states:startExecution` | DescribeExecution | `SUCCEEDED`, `FAILED`, `TIMED_OUT`, `ABORTED` | StopExecution | a tenth of its age, 50 ms to 5 s |
//! | `ecs:runTask` | DescribeTasks | `STOPPED`: succeeded if each container ended with zero | StopTask | a tenth of its age, 250 ms to 10 s; at AWS 2 s to 60 s |
//!
//! A failed job is `States.TaskFailed`, and its description is the cause.
//!
//! # Whose account
//!
//! Calls are made in the account of the task's `Credentials` role, else in the execution's. How they are signed is told in
//! `identity.rs`.

mod announce;
mod answer_check;
mod call;
mod failure;
mod gateway;
mod identity;
mod job;
mod logs;
mod mock;
mod names;
mod plan;
mod prepare;
mod shape;
mod spans;
mod table;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use asl::{Pattern, Payload, Resource};
use async_trait::async_trait;
use aws::{Answer as Called, CallError, Client, CredentialChain, Endpoints, Service};
use engine::api::ExecutionDescription;
use engine::port::{
    Answer, Api, Connector, Followed, Job, LogBatch, MockedTask, Played, Span, TaskRequest, Unreachable,
};
use engine::test_state::FieldValidation;
use machine::record::Stage;
use serde_json::{Map, Value};

use call::{Caller, Errand};
use failure::{Failure, TASK_FAILED};
use identity::Identity;
pub use identity::RoleSource;
pub use logs::LogSink;
use logs::Streams;
pub use mock::Mocks;
use plan::Plan;
pub use spans::SpanSink;
use table::{Repeated, Shape};

/// How many calls of one service are under way at once: a process has 1024 open files where nobody raised it, and
/// there is more than one service.
pub const IN_FLIGHT: usize = 256;

/// What is done with a call that may have been made before the process died, and that has its effect each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterCrash {
    /// It is made again: at least once.
    #[default]
    Resend,
    /// The task fails with `States.TaskFailed`: at most once.
    Fail,
}

/// What [`Connectors`] are made of.
pub struct ConnectorSettings {
    pub endpoints: Endpoints,
    pub credentials: CredentialChain,
    /// The account of this installation.
    pub account: String,
    /// Where the credentials of state machines' roles come from; others have this installation's.
    pub roles: BTreeMap<String, RoleSource>,
    /// A mock configuration, for executions that are started with a test case.
    pub mocks: Option<Mocks>,
    /// For each service; [`IN_FLIGHT`] where nobody chose.
    pub in_flight: usize,
    /// By integration: `sns:publish`, `aws-sdk:sqs:sendMessage`, and `lambda:invoke`, which stands for function ARNs
    /// too.
    pub after_crash: BTreeMap<String, AfterCrash>,
    /// Where log events of executions go beside CloudWatch Logs.
    pub log_sink: Option<LogSink>,
    /// Whether EventBridge is told of each change of an execution's status; where nobody chose, each but AWS's is.
    pub status_changes: Option<bool>,
    /// Where spans go.
    pub span_sink: Option<SpanSink>,
}

impl ConnectorSettings {
    pub fn new(endpoints: Endpoints, credentials: CredentialChain) -> ConnectorSettings {
        ConnectorSettings {
            endpoints,
            credentials,
            account: "000000000000".into(),
            roles: BTreeMap::new(),
            mocks: None,
            in_flight: IN_FLIGHT,
            after_crash: BTreeMap::new(),
            log_sink: None,
            status_changes: None,
            span_sink: None,
        }
    }
}

/// Carries tasks out.
pub struct Connectors {
    caller: Caller,
    mocks: Option<Mocks>,
    after_crash: BTreeMap<String, AfterCrash>,
    log_sink: Option<Arc<Mutex<LogSink>>>,
    status_changes: Option<bool>,
    span_sink: Option<SpanSink>,
    streams: Streams,
}

impl Connectors {
    /// Ready for every service but our own API, which comes with [`Connectors::attach`]: the engine behind it needs
    /// its connector first.
    pub fn new(settings: ConnectorSettings) -> Connectors {
        let identity = Identity::new(settings.account, settings.roles, &settings.credentials);
        let client = Client::new(settings.endpoints.clone(), settings.credentials);
        let caller = Caller::new(client, settings.endpoints, identity, settings.in_flight.max(1));
        let log_sink = settings.log_sink.map(|sink| Arc::new(Mutex::new(sink)));
        Connectors {
            caller,
            mocks: settings.mocks,
            after_crash: settings.after_crash,
            log_sink,
            status_changes: settings.status_changes,
            span_sink: settings.span_sink,
            streams: Streams::default(),
        }
    }

    /// Gives it this installation's own API. Only the first one counts; the answer says whether it was that.
    pub fn attach(&self, api: Arc<dyn Api>) -> bool {
        self.caller.attach(api)
    }

    async fn carry_out(&self, plan: &Plan, request: &TaskRequest) -> Result<Value, Failure> {
        let parameters = prepare::parameters(plan, request)?;
        let shown = request.parameters.text();
        let missed = |error: CallError| Failure::of_call(plan, shown, &error);
        if request.resent {
            if let Some(found) = self.find(plan, request, &parameters).await.map_err(missed)? {
                return shape::result(plan, found);
            }
            if !is_harmless(plan, &parameters) {
                self.may_resend(request)?;
            }
        }
        let answer = self.submit(plan, request, parameters).await.map_err(missed)?;
        shape::result(plan, answer)
    }

    /// Whether a call that may have had its effect is made again.
    fn may_resend(&self, request: &TaskRequest) -> Result<(), Failure> {
        if self.after_crash(request) == AfterCrash::Resend {
            return Ok(());
        }
        let cause = "The process ended between sending this call and hearing its answer; it may have had its effect.";
        Err(Failure::new(TASK_FAILED, cause))
    }

    fn after_crash(&self, request: &TaskRequest) -> AfterCrash {
        let name = match &request.resource.target {
            asl::Target::Integration { service, action, pattern } => {
                format!("{service}:{}", action.strip_suffix(pattern.suffix()).unwrap_or(action))
            }
            _ => "lambda:invoke".to_owned(),
        };
        self.after_crash.get(&name).copied().unwrap_or_default()
    }

    async fn submit(
        &self,
        plan: &Plan,
        request: &TaskRequest,
        parameters: Map<String, Value>,
    ) -> Result<Called, CallError> {
        let harmless = is_harmless(plan, &parameters);
        let row = plan.row;
        let errand = Errand {
            operation: &plan.operation,
            attempts: row.attempts,
            timeout: table::timeout(row, &plan.service.name, &plan.operation),
            harmless,
            region: region(request, plan),
            to_queue_url: row.to_queue_url,
            ..errand(&plan.service, request, Value::Object(parameters))
        };
        self.caller.call(errand).await
    }

    /// A call beside the submission: one that may be made any number of times.
    async fn look(
        &self,
        plan: &Plan,
        operation: &str,
        parameters: Value,
        request: &TaskRequest,
    ) -> Result<Called, CallError> {
        self.caller.call(Errand { operation, ..errand(&plan.service, request, parameters) }).await
    }

    /// What the submission of a job was answered, heard or found.
    async fn submitted(&self, plan: &Plan, job: &Job) -> Result<Option<Value>, Unreachable> {
        if let Some(submitted) = &job.submitted {
            return Ok(Some(submitted.value().clone()));
        }
        let Ok(parameters) = prepare::parameters(plan, &job.request) else { return Ok(None) };
        let found = self.find(plan, &job.request, &parameters).await;
        Ok(found.map_err(|error| Unreachable(error.to_string()))?.map(|answer| answer.value))
    }
}

/// What every call for a task has in common.
fn errand<'a>(service: &'a Service, request: &'a TaskRequest, parameters: Value) -> Errand<'a> {
    Errand {
        service,
        operation: "",
        parameters,
        account: account(request),
        role: &request.role,
        task_role: task_role(request),
        region: &request.region,
        idempotency_key: &request.idempotency_key,
        trace: request.trace.as_deref(),
        attempts: 1,
        timeout: aws::client::DEFAULT_TIMEOUT,
        harmless: true,
        to_queue_url: false,
    }
}

/// The account of `arn:aws:iam::123456789012:role/name`, else that of the execution.
fn account(request: &TaskRequest) -> &str {
    let account = task_role(request).and_then(|role| role.split(':').nth(4)).filter(|account| !account.is_empty());
    account.unwrap_or(&request.account)
}

fn task_role(request: &TaskRequest) -> Option<&str> {
    request.credentials.as_ref()?.value().get("RoleArn")?.as_str()
}

/// A function is called where its ARN says that it is.
fn region<'a>(request: &'a TaskRequest, plan: &Plan) -> &'a str {
    let of_function = (plan.row.result == Shape::Payload).then(|| request.resource.text.split(':').nth(3)).flatten();
    of_function.filter(|region| !region.is_empty()).unwrap_or(&request.region)
}

fn joined(mistakes: Vec<String>) -> Option<String> {
    (!mistakes.is_empty()).then(|| mistakes.join(", "))
}

/// Actions that change nothing.
const READING: &[&str] = &["BatchGet", "Describe", "Get", "Head", "List", "Query", "Scan", "Search"];

/// Whether a second call is as good as one.
fn is_harmless(plan: &Plan, parameters: &Map<String, Value>) -> bool {
    match plan.row.repeated {
        Repeated::Found(table::Find::ExecutionByName) => true,
        Repeated::Found(table::Find::MarkedJob) | Repeated::Twice => false,
        Repeated::Fifo(name) => {
            parameters.get(name).and_then(Value::as_str).is_some_and(|name| name.ends_with(".fifo"))
        }
        Repeated::ByOperation => {
            let operation = plan.operation();
            let members = operation.input.as_ref().map_or(&[][..], |input| plan.service.members(input));
            READING.iter().any(|verb| operation.name.starts_with(verb))
                || members.iter().any(|member| member.target.idempotency_token)
        }
    }
}

#[async_trait]
impl Connector for Connectors {
    fn mistake(&self, resource: &Resource, parameters: &Payload) -> Option<String> {
        let plan = Plan::of(resource).ok().filter(|plan| plan.row.result != Shape::Payload);
        let is_gateway = gateway::pattern(resource).is_some();
        if plan.is_none() && !is_gateway {
            return None;
        }
        let Value::Object(parameters) = parameters.value() else {
            return Some(prepare::NO_OBJECT.to_owned());
        };
        let Some(plan) = plan else { return joined(gateway::mistakes(parameters)) };
        let texts: Vec<&str> = plan.row.prepare.iter().filter_map(|step| step.text()).collect();
        let mistakes = aws::codec::mistakes(&plan.service, plan.operation(), parameters, &texts);
        let mistakes = mistakes.iter().map(failure::field_mistake);
        joined(mistakes.chain(job::count_mistake(&plan, parameters)).collect())
    }

    fn has_test_case(&self, machine: &str, case: &str) -> Result<(), String> {
        match &self.mocks {
            Some(mocks) => mocks.has_case(machine, case),
            None => Err(format!(
                "the test case {case} cannot be played: no mock configuration is set (SFN_MOCK_CONFIG, or mock in the settings)"
            )),
        }
    }

    fn play(&self, task: &MockedTask<'_>) -> Option<Played> {
        self.mocks.as_ref()?.play(task)
    }

    fn listens(&self) -> bool {
        self.announces()
    }

    fn check_mock(&self, resource: &Resource, result: &Value, validation: FieldValidation) -> Result<(), String> {
        match Plan::of(resource) {
            Ok(plan) => answer_check::check(&plan, result, validation),
            // An activity's worker, or what is not known here: nobody has said what they answer.
            Err(_) => Ok(()),
        }
    }

    async fn status_changed(&self, account: &str, region: &str, execution: &ExecutionDescription) {
        self.announce(account, region, execution).await
    }

    async fn deliver_logs(&self, batch: &LogBatch) -> Result<(), Unreachable> {
        self.deliver(batch).await
    }

    fn takes_spans(&self) -> bool {
        self.span_sink.is_some()
    }

    async fn export_spans(&self, spans: &[Span]) -> Result<(), Unreachable> {
        match &self.span_sink {
            Some(sink) => sink.export(spans).await,
            None => Ok(()),
        }
    }

    async fn start(&self, request: TaskRequest) -> Answer {
        let failed = |Failure { error, cause }, stage| Answer::Failed { error, cause, stage };
        let (pattern, carried_out) = match gateway::pattern(&request.resource) {
            Some(pattern) => (pattern, self.invoke(&request).await),
            None => match Plan::of(&request.resource) {
                Ok(plan) => (plan.pattern, self.carry_out(&plan, &request).await),
                Err(failure) => return failed(failure, Stage::Run),
            },
        };
        // What history calls a failure: of the submission, where the task would go on after it.
        match (carried_out, pattern) {
            (Ok(result), Pattern::RequestResponse) => Answer::Succeeded(result.into()),
            (Err(failure), Pattern::RequestResponse) => failed(failure, Stage::Run),
            (Ok(result), _) => Answer::Submitted(result.into()),
            (Err(failure), _) => failed(failure, Stage::Submit),
        }
    }

    async fn follow(&self, job: &Job) -> Result<Followed, Unreachable> {
        let Some((plan, row)) = plan_of(job) else {
            return Err(Unreachable(format!("{} has no job", job.request.resource.text)));
        };
        match self.submitted(&plan, job).await? {
            Some(submitted) => self.ask(&plan, row, &job.request, &submitted).await,
            None => Err(Unreachable("the job is not found; it may not have been submitted".to_owned())),
        }
    }

    async fn cancel(&self, job: &Job) -> Result<(), Unreachable> {
        let Some((plan, row)) = plan_of(job) else { return Ok(()) };
        match self.submitted(&plan, job).await? {
            Some(submitted) => self.stop(&plan, row, &job.request, &submitted).await,
            None => Ok(()),
        }
    }
}

/// A task that has a job: one of a `.sync` pattern.
fn plan_of(job: &Job) -> Option<(Plan, &'static table::Job)> {
    let plan = Plan::of(&job.request.resource).ok()?;
    let row = plan.row.job.as_ref().filter(|_| matches!(plan.pattern, Pattern::Sync { .. }))?;
    Some((plan, row))
}

#[cfg(test)]
mod tests;
