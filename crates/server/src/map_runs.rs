//! Map runs: no state machine here makes any yet, so none is ever found.

use engine::arn::Arn;

use crate::answers::{Empty, MapRunList};
use crate::exception::Exception;
use crate::operations::Caller;
use crate::requests::{self, given};

pub async fn describe(_: Caller<'_>, request: requests::DescribeMapRun<'_>) -> Result<Empty, Exception> {
    Err(missing(given(&request.map_run_arn)))
}

pub async fn list(caller: Caller<'_>, request: requests::ListMapRuns<'_>) -> Result<MapRunList, Exception> {
    caller.engine().describe_execution(given(&request.execution_arn)).await?;
    // Whatever token there may be, no list here has a second page.
    match request.next_token {
        None => Ok(MapRunList { map_runs: [] }),
        Some(_) => Err(Exception::invalid_token()),
    }
}

pub async fn update(_: Caller<'_>, request: requests::UpdateMapRun<'_>) -> Result<Empty, Exception> {
    Err(missing(given(&request.map_run_arn)))
}

pub fn missing(map_run: &str) -> Exception {
    match Arn::of_kind(map_run, &["mapRun"]) {
        Ok(_) => Exception::resource_not_found(map_run),
        Err(reason) => Exception::invalid_arn(reason),
    }
}
