//! The laptop's EventBridge starts executions through the same operations as everybody else.

use std::sync::Arc;

use engine::port::Api;
use local::machines::{Machines, NotStarted, Starting};

/// Exceptions that may be over the next time.
const PASSING: &[&str] = &["ExecutionLimitExceeded", "ThrottlingException", "ServiceUnavailable"];

pub struct Starter(pub Arc<dyn Api>);

impl Machines for Starter {
    fn start<'a>(&'a self, machine: &'a str, name: &'a str, input: &'a str) -> Starting<'a> {
        Box::pin(async move {
            let account = machine.split(':').nth(4).unwrap_or_default();
            let parameters = serde_json::json!({ "stateMachineArn": machine, "name": name, "input": input });
            match self.0.call(account, "StartExecution", parameters).await {
                // It was started before, and this process did not live to note it.
                Err(error) if error.code == "ExecutionAlreadyExists" => Ok(()),
                Err(error) => {
                    let again = error.status >= 500 || PASSING.contains(&error.code.as_str());
                    Err(NotStarted { code: error.code, message: error.message, again })
                }
                Ok(_) => Ok(()),
            }
        })
    }
}
