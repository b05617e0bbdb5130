//! The three calls of whoever holds a task token.

use crate::answers::Empty;
use crate::data;
use crate::decode::Text;
use crate::exception::Exception;
use crate::operations::Caller;
use crate::requests::{SendTaskFailure, SendTaskHeartbeat, SendTaskSuccess, given};

pub async fn success(caller: Caller<'_>, request: SendTaskSuccess<'_>) -> Result<Empty, Exception> {
    let output = data::parse(given(&request.output)).map_err(|reason| Exception::invalid_output(&reason))?;
    caller.engine().task_success(given(&request.task_token), output).await?;
    Ok(Empty {})
}

pub async fn failure(caller: Caller<'_>, request: SendTaskFailure<'_>) -> Result<Empty, Exception> {
    let (error, cause) = (request.error.map(Text::into_string), request.cause.map(Text::into_string));
    caller.engine().task_failure(given(&request.task_token), error, cause).await?;
    Ok(Empty {})
}

pub async fn heartbeat(caller: Caller<'_>, request: SendTaskHeartbeat<'_>) -> Result<Empty, Exception> {
    caller.engine().task_heartbeat(given(&request.task_token)).await?;
    Ok(Empty {})
}
