//! Executions: start, stop, describe, list, read the history.

use asl::Payload;
use engine::api::{
    ExecutionDescription, ExecutionRow, HistoryQuery, MachineType, StartExecution, StateMachine, Status,
};

use engine::arn::Arn;

use crate::answers::{
    DataDetails, ExecutionDescribed, ExecutionHistory, ExecutionItem, ExecutionList, ExecutionRedriven,
    ExecutionStarted, ExecutionStopped, Seconds, StateMachineForExecution,
};
use crate::configuration::{logging_or_default, tracing_or_default};
use crate::exception::Exception;
use crate::operations::Caller;
use crate::pages::{Pages, page_size};
use crate::requests::{self, given, is_set, taken};
use crate::{data, express, machines, map_runs};

pub async fn start(caller: Caller<'_>, request: requests::StartExecution<'_>) -> Result<ExecutionStarted, Exception> {
    let start = StartExecution {
        machine: taken(request.state_machine_arn),
        name: request.name.map(|name| name.into_string()),
        input: input(request.input.as_deref())?,
        trace_header: request.trace_header.map(|header| header.into_string()),
        parent: None,
    };
    let started = caller.engine().start_execution(start).await?;
    Ok(ExecutionStarted { execution_arn: started.arn, start_date: Seconds(started.started_at) })
}

/// What an execution is started with.
pub fn input(text: Option<&str>) -> Result<Payload, Exception> {
    match text {
        None => Ok(Payload::empty_object()),
        Some(text) if text.trim().is_empty() => {
            Err(Exception::new("InvalidExecutionInput", "Invalid execution input."))
        }
        Some(text) => data::parse(text).map_err(|reason| Exception::invalid_input(&reason)),
    }
}

pub async fn stop(caller: Caller<'_>, request: requests::StopExecution<'_>) -> Result<ExecutionStopped, Exception> {
    let error = request.error.map(|error| error.into_string());
    let cause = request.cause.map(|cause| cause.into_string());
    let stopped_at = caller.engine().stop_execution(given(&request.execution_arn), error, cause).await?;
    Ok(ExecutionStopped { stop_date: Seconds(stopped_at) })
}

pub async fn redrive(
    caller: Caller<'_>,
    request: requests::RedriveExecution<'_>,
) -> Result<ExecutionRedriven, Exception> {
    let token = request.client_token.map(|token| token.into_string());
    let redriven_at = caller.engine().redrive_execution(given(&request.execution_arn), token).await?;
    Ok(ExecutionRedriven { redrive_date: Seconds(redriven_at) })
}

/// A description that owns what its answer borrows.
pub struct Described {
    execution: ExecutionDescription,
    /// Why it cannot be redriven.
    not_redrivable: Option<String>,
    with_data: bool,
}

pub async fn describe(caller: Caller<'_>, request: requests::DescribeExecution<'_>) -> Result<Described, Exception> {
    let execution = caller.engine().describe_execution(given(&request.execution_arn)).await?;
    let not_redrivable = caller.engine().not_redrivable(&execution).await;
    Ok(Described { execution, not_redrivable, with_data: machines::wants_data(&request.included_data) })
}

impl serde::Serialize for Described {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Described { execution, not_redrivable, with_data } = self;
        // AWS names no error for an execution that ran out of its own time; its history does.
        let named = execution.status != Status::TimedOut && *with_data;
        let failure = execution.failure.as_ref().filter(|_| named);
        let details = || DataDetails { included: *with_data };
        let answer = ExecutionDescribed {
            execution_arn: &execution.arn,
            state_machine_arn: &execution.machine,
            name: &execution.name,
            status: execution.status.name(),
            start_date: Seconds(execution.started_at),
            stop_date: execution.stopped_at.map(Seconds),
            input: with_data.then(|| &**execution.input.text()),
            input_details: details(),
            output: execution.output.as_ref().filter(|_| *with_data).map(|output| &**output.text()),
            output_details: execution.output.as_ref().map(|_| details()),
            trace_header: execution.trace_header.as_deref(),
            error: failure.and_then(|failure| failure.error.as_deref()),
            cause: failure.and_then(|failure| failure.cause.as_deref()),
            state_machine_version_arn: execution.version.as_deref(),
            state_machine_alias_arn: execution.alias.as_deref(),
            redrive_count: execution.redrive_count,
            redrive_date: execution.redriven_at.map(Seconds),
            redrive_status: if not_redrivable.is_some() { "NOT_REDRIVABLE" } else { "REDRIVABLE" },
            redrive_status_reason: not_redrivable.as_deref(),
        };
        answer.serialize(serializer)
    }
}

pub async fn list(caller: Caller<'_>, request: requests::ListExecutions<'_>) -> Result<ExecutionList, Exception> {
    let machine = match (request.state_machine_arn.as_deref(), request.map_run_arn.as_deref()) {
        (Some(machine), None) => machine,
        // There are none yet.
        (None, Some(map_run)) => return Err(map_runs::missing(map_run)),
        _ => return Err(Exception::validation("Must provide either a state machine ARN or a Map Run ARN")),
    };
    let engine = caller.engine();
    if is_express(machine) {
        return express::list(caller, machine, &request);
    }
    if engine.type_of(machine).await? == MachineType::Express {
        return Err(Exception::type_not_supported());
    }
    let filter = request.status_filter.as_deref().unwrap_or_default();
    let redriven = request.redrive_filter.as_deref().map(|filter| filter == "REDRIVEN");
    let query = ["ListExecutions", machine, filter, request.redrive_filter.as_deref().unwrap_or_default()];
    let pages = Pages::new(engine, &query);
    let after = pages.after(&request.next_token)?;
    let status = match filter {
        "" => None,
        // Executions wait for a redrive only in Map Runs.
        "PENDING_REDRIVE" => return Ok(ExecutionList { executions: Vec::new(), next_token: None }),
        name => Some(status_named(name)),
    };
    let page = engine.list_executions(machine, status, redriven, after, page_size(request.max_results)).await?;
    Ok(ExecutionList { executions: page.items.into_iter().map(item).collect(), next_token: pages.token(page.next) })
}

/// `arn:aws:states:us-east-1:000000000000:express:name`, which AWS does not know.
fn is_express(machine: &str) -> bool {
    Arn::of_kind(machine, &["express"]).is_ok_and(|arn| !arn.rest.contains(':'))
}

pub fn status_named(name: &str) -> Status {
    match name {
        "SUCCEEDED" => Status::Succeeded,
        "FAILED" => Status::Failed,
        "TIMED_OUT" => Status::TimedOut,
        "ABORTED" => Status::Aborted,
        _ => Status::Running,
    }
}

pub fn item(row: ExecutionRow) -> ExecutionItem {
    ExecutionItem {
        execution_arn: row.arn,
        state_machine_arn: row.machine,
        name: row.name,
        status: row.status.name(),
        start_date: Seconds(row.started_at),
        stop_date: row.stopped_at.map(Seconds),
        state_machine_version_arn: row.version,
        state_machine_alias_arn: row.alias,
        redrive_count: row.redrive_count,
        redrive_date: row.redriven_at.map(Seconds),
    }
}

pub async fn history(
    caller: Caller<'_>,
    request: requests::GetExecutionHistory<'_>,
) -> Result<ExecutionHistory, Exception> {
    let execution = given(&request.execution_arn);
    let reverse = is_set(request.reverse_order);
    let query = ["GetExecutionHistory", execution, if reverse { "reverse" } else { "forward" }];
    let pages = Pages::new(caller.engine(), &query);
    let from = match pages.after(&request.next_token)? {
        Some(event) => Some(event.parse().map_err(|_| Exception::invalid_token())?),
        None => None,
    };
    let query = HistoryQuery {
        execution: execution.to_owned(),
        from,
        limit: page_size(request.max_results),
        reverse,
        data: request.include_execution_data.is_none_or(|flag| flag.0),
    };
    let page = caller.engine().history(query).await?;
    Ok(ExecutionHistory { events: page.events, next_token: pages.token(page.next.map(|event| event.to_string())) })
}

/// DescribeStateMachineForExecution: the machine as the execution took it, also when it has been changed or deleted.
pub async fn state_machine(
    caller: Caller<'_>,
    request: requests::DescribeExecution<'_>,
) -> Result<StateMachineForExecution, Exception> {
    let engine = caller.engine();
    let execution = engine.describe_execution(given(&request.execution_arn)).await?;
    let machine = match &execution.version {
        Some(version) => engine.version(version).await.map(|version| StateMachine::clone(&version.machine)),
        None => engine.state_machine(&execution.machine).await,
    };
    let machine = match machine {
        Ok(machine) => Some(machine),
        Err(engine::Error::StateMachineDoesNotExist(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let same = |machine: &&StateMachine| machine.definition == execution.definition && machine.role == execution.role;
    let unchanged = machine.as_ref().filter(same);
    let definition = match machines::wants_data(&request.included_data) {
        true => engine.definition(execution.definition).await?,
        false => machines::HIDDEN_DEFINITION.into(),
    };
    let references = machines::variable_references(engine, execution.definition, &request.included_data).await?;
    let encryption = machine.as_ref().and_then(|machine| machine.encryption.clone());
    Ok(StateMachineForExecution {
        name: execution.machine.rsplit(':').next().unwrap_or_default().to_owned(),
        definition,
        role_arn: execution.role.clone(),
        // Of a machine that was changed since, no more is known than that it was there when the execution started.
        update_date: Seconds(unchanged.map_or(execution.started_at, |machine| machine.updated_at)),
        logging_configuration: logging_or_default(machine.as_ref().and_then(|machine| machine.logging.clone())),
        tracing_configuration: tracing_or_default(machine.as_ref().and_then(|machine| machine.tracing.clone())),
        revision_id: unchanged.and_then(|machine| machine.revision_id.clone()),
        encryption_configuration: machines::shown_encryption(encryption, &references),
        variable_references: references,
        state_machine_arn: execution.machine,
    })
}
