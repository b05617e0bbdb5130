//! Express executions: started and answered in one call, and looked at after their end.

use engine::api::{ExpressExecution, StartExecution, Status};
use serde::{Serialize, Serializer};

use crate::answers::{BillingDetails, DataDetails, ExecutionList, Seconds, SyncExecution};
use crate::exception::Exception;
use crate::executions::{input, item, status_named};
use crate::machines::wants_data;
use crate::operations::Caller;
use crate::pages::{Pages, page_size};
use crate::requests::{self, taken};

/// What is billed begins with this much, and goes on in steps of it: in bytes and milliseconds.
const MEMORY_STEP: usize = 64 << 20;
const DURATION_STEP: i64 = 100;

/// AWS counts this much for the execution itself, in bytes.
const OWN_MEMORY: usize = 50 << 20;

/// StartSyncExecution's answer, which owns what it shows.
pub struct Ended {
    execution: ExpressExecution,
    with_data: bool,
}

pub async fn start(caller: Caller<'_>, request: requests::StartSyncExecution<'_>) -> Result<Ended, Exception> {
    let with_data = wants_data(&request.included_data);
    let start = StartExecution {
        machine: taken(request.state_machine_arn),
        name: request.name.map(|name| name.into_string()),
        input: input(request.input.as_deref())?,
        trace_header: request.trace_header.map(|header| header.into_string()),
        parent: None,
    };
    Ok(Ended { execution: caller.engine().start_sync_execution(start).await?, with_data })
}

impl Serialize for Ended {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Ended { execution: ExpressExecution { description, bytes }, with_data } = self;
        let stopped_at = description.stopped_at.unwrap_or(description.started_at);
        let failure = description.failure.as_ref().filter(|_| *with_data);
        let details = || DataDetails { included: *with_data };
        let answer = SyncExecution {
            execution_arn: &description.arn,
            state_machine_arn: &description.machine,
            name: &description.name,
            start_date: Seconds(description.started_at),
            stop_date: Seconds(stopped_at),
            status: description.status.name(),
            error: failure.and_then(|failure| failure.error.as_deref()),
            cause: failure.and_then(|failure| failure.cause.as_deref()),
            input: with_data.then(|| &**description.input.text()),
            input_details: details(),
            output: description.output.as_ref().filter(|_| *with_data).map(|output| &**output.text()),
            // Recorded: also where there is no output.
            output_details: details(),
            trace_header: description.trace_header.as_deref(),
            billing_details: billing(stopped_at - description.started_at, *bytes),
        };
        answer.serialize(serializer)
    }
}

fn billing(milliseconds: i64, bytes: usize) -> BillingDetails {
    let steps = (milliseconds.max(1) as u64).div_ceil(DURATION_STEP as u64);
    BillingDetails {
        billed_memory_used_in_mb: ((OWN_MEMORY + bytes).div_ceil(MEMORY_STEP) * MEMORY_STEP) >> 20,
        billed_duration_in_milliseconds: steps * DURATION_STEP as u64,
    }
}

/// ListExecutions of `…:express:<machine>`: those that have ended and are kept. AWS refuses such an ARN.
pub fn list(
    caller: Caller<'_>,
    machine: &str,
    request: &requests::ListExecutions<'_>,
) -> Result<ExecutionList, Exception> {
    let query = ["ListExecutions", machine];
    let pages = Pages::new(caller.engine(), &query);
    let after = match pages.after(&request.next_token)? {
        Some(after) => after.parse().map_err(|_| Exception::invalid_token())?,
        None => 0,
    };
    let machine = machine.replacen(":express:", ":stateMachine:", 1);
    let page = caller.engine().list_express(&machine, after, page_size(request.max_results));
    let wanted: Option<Status> = request.status_filter.as_deref().map(status_named);
    let executions = page.items.into_iter().filter(|row| wanted.is_none_or(|status| row.status == status));
    Ok(ExecutionList { executions: executions.map(item).collect(), next_token: pages.token(page.next) })
}

#[cfg(test)]
mod tests {
    use super::billing;

    #[test]
    fn billing_is_rounded_up() {
        let told = |milliseconds, bytes| {
            let billing = billing(milliseconds, bytes);
            (billing.billed_duration_in_milliseconds, billing.billed_memory_used_in_mb)
        };
        assert_eq!(told(0, 0), (100, 64));
        assert_eq!(told(100, 14 << 20), (100, 64));
        assert_eq!(told(101, (14 << 20) + 1), (200, 128));
        assert_eq!(told(7_523, 0), (7_600, 64));
    }
}
