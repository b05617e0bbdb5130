//! From a Resource to what is to be done: the row of the table, the service's model, the operation, the pattern.

use std::sync::Arc;

use asl::{Pattern, Resource, Target};
use aws::{Operation, Service};

use crate::failure::{Failure, RUNTIME};
use crate::names;
use crate::table::{self, FUNCTION, Row, SDK, Voice};

/// How one Resource is carried out.
pub(crate) struct Plan {
    pub row: &'static Row,
    pub service: Arc<Service>,
    /// The operation's name in the model.
    pub operation: String,
    pub pattern: Pattern,
    /// What AWS calls the task where it says that a result is too large.
    pub subject: Arc<str>,
}

impl Plan {
    /// The failure says that this installation has no such integration, which no retrier can change.
    pub fn of(resource: &Resource) -> Result<Plan, Failure> {
        let nothing = |why: String| Failure { error: RUNTIME.to_owned(), cause: Some(why) };
        let (row, api, action, pattern, subject) = match &resource.target {
            Target::Lambda => (&FUNCTION, FUNCTION.api, FUNCTION.action, Pattern::RequestResponse, &resource.text),
            Target::Integration { service, action, pattern } => {
                let action = action.strip_suffix(pattern.suffix()).unwrap_or(action);
                if let Some(mistake) = resource.mistake() {
                    return Err(nothing(mistake));
                }
                match service.strip_prefix(SDK.service) {
                    Some(api) => (&SDK, api, action, *pattern, service),
                    None => match table::find(service, action) {
                        Some(row) => (row, row.api, action, *pattern, service),
                        None => return Err(nothing(not_here(resource, "it is not among the integrations"))),
                    },
                }
            }
            Target::Activity => return Err(nothing(not_here(resource, "an activity's workers fetch their tasks"))),
            Target::Unknown => {
                return Err(nothing(resource.mistake().unwrap_or_else(|| not_here(resource, "it names nothing"))));
            }
        };
        if row.job.is_none() && matches!(pattern, Pattern::Sync { .. }) {
            return Err(nothing(not_here(resource, "its jobs are not followed")));
        }
        let Some(service) = aws::models().service(api) else {
            return Err(nothing(not_here(resource, &format!("there is no model of the service {api}"))));
        };
        let Some(operation) = service.operation(action).map(|operation| operation.name.clone()) else {
            return Err(nothing(not_here(resource, &format!("the service {api} has no action {action}"))));
        };
        Ok(Plan { row, service, operation, pattern, subject: subject.clone() })
    }

    pub fn operation(&self) -> &Operation {
        self.service.operation(&self.operation).expect("a plan is made of operations that are there")
    }

    /// The first part of the names of its errors.
    pub fn prefix(&self) -> String {
        match self.row.voice {
            Voice::One { prefix, .. } => prefix.to_owned(),
            Voice::Two => names::service(&self.service.metadata.service_id),
        }
    }
}

fn not_here(resource: &Resource, why: &str) -> String {
    format!("The resource {} cannot be called by this installation: {why}.", resource.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(arn: &str) -> String {
        match Plan::of(&Resource::parse(arn)) {
            Ok(plan) => {
                format!("{} {} {:?}, errors {}.…", plan.service.name, plan.operation, plan.pattern, plan.prefix())
            }
            Err(failure) => format!("{}: {}", failure.error, failure.cause.unwrap_or_default()),
        }
    }

    #[test]
    fn resources_become_calls() {
        let stories = [
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            "arn:aws:states:::lambda:invoke.waitForTaskToken",
            "arn:aws:states:::sns:publish",
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "arn:aws:states:::batch:submitJob.sync",
            "arn:aws:states:::states:startExecution.sync:2",
            "arn:aws:states:::aws-sdk:sqs:receiveMessage",
            "arn:aws:states:::aws-sdk:sfn:sendTaskSuccess",
            "arn:aws:states:::aws-sdk:nosuch:action",
            "arn:aws:states:::aws-sdk:sqs:noSuchAction",
            "arn:aws:states:::aws-sdk:sqs:sendMessage.sync",
            "arn:aws:states:::sns:publish.sync",
            "arn:aws:states:::mediaconvert:createJob",
            "arn:aws:states:::mediaconvert:createJob.sync",
            "arn:aws:states:::eks:runJob",
            "arn:aws:states:us-east-1:000000000000:activity:a",
            "arn:aws:sqs:us-east-1:000000000000:queue",
        ]
        .map(|arn| format!("{arn}\n    {}\n", story(arn)));
        insta::assert_snapshot!(stories.concat(), @r"
        arn:aws:lambda:us-east-1:000000000000:function:f
            lambda Invoke RequestResponse, errors Lambda.…
        arn:aws:states:::lambda:invoke.waitForTaskToken
            lambda Invoke WaitForTaskToken, errors Lambda.…
        arn:aws:states:::sns:publish
            sns Publish RequestResponse, errors SNS.…
        arn:aws:states:::sqs:sendMessage.waitForTaskToken
            sqs SendMessage WaitForTaskToken, errors SQS.…
        arn:aws:states:::batch:submitJob.sync
            batch SubmitJob Sync { version: 1 }, errors Batch.…
        arn:aws:states:::states:startExecution.sync:2
            sfn StartExecution Sync { version: 2 }, errors StepFunctions.…
        arn:aws:states:::aws-sdk:sqs:receiveMessage
            sqs ReceiveMessage RequestResponse, errors Sqs.…
        arn:aws:states:::aws-sdk:sfn:sendTaskSuccess
            sfn SendTaskSuccess RequestResponse, errors Sfn.…
        arn:aws:states:::aws-sdk:nosuch:action
            States.Runtime: The resource arn:aws:states:::aws-sdk:nosuch:action cannot be called by this installation: there is no model of the service nosuch.
        arn:aws:states:::aws-sdk:sqs:noSuchAction
            States.Runtime: The resource arn:aws:states:::aws-sdk:sqs:noSuchAction cannot be called by this installation: the service sqs has no action noSuchAction.
        arn:aws:states:::aws-sdk:sqs:sendMessage.sync
            States.Runtime: The resource provided arn:aws:states:::aws-sdk:sqs:sendMessage.sync is not recognized. The value is not a valid resource ARN, or the resource is not available in this region.
        arn:aws:states:::sns:publish.sync
            States.Runtime: The resource provided arn:aws:states:::sns:publish.sync is not recognized. The value is not a valid resource ARN, or the resource is not available in this region.
        arn:aws:states:::mediaconvert:createJob
            mediaconvert CreateJob RequestResponse, errors MediaConvert.…
        arn:aws:states:::mediaconvert:createJob.sync
            States.Runtime: The resource arn:aws:states:::mediaconvert:createJob.sync cannot be called by this installation: its jobs are not followed.
        arn:aws:states:::eks:runJob
            States.Runtime: The resource arn:aws:states:::eks:runJob cannot be called by this installation: it is not among the integrations.
        arn:aws:states:us-east-1:000000000000:activity:a
            States.Runtime: The resource arn:aws:states:us-east-1:000000000000:activity:a cannot be called by this installation: an activity's workers fetch their tasks.
        arn:aws:sqs:us-east-1:000000000000:queue
            States.Runtime: The resource provided arn:aws:sqs:us-east-1:000000000000:queue is not recognized. The value is not a valid resource ARN, or the resource is not available in this region.
        ");
    }
}
