//! What a Task calls: the `Resource` ARN taken apart, and the closed table of optimised integrations.
//!
//! [`Resource::parse`] never fails: a name that means nothing here fails when the task is reached, as it does on AWS
//! when a definition is older than the rule. [`Resource::mistake`] is what AWS says about it at creation.
//! Source of the table: the Developer Guide's page "Integrating optimized services".

use crate::program::{Pattern, Resource, Target};

/// One optimised integration.
pub struct Integration {
    pub service: &'static str,
    pub action: &'static str,
    /// The patterns it has beside request-response.
    pub patterns: &'static [Pattern],
    /// Parameters that AWS demands at creation.
    pub required: &'static [&'static str],
}

/// Headers that a call of an API cannot bring, and the beginnings of others. Source: the Developer Guide's page about API
/// Gateway.
const OWN_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "content-md5",
    "expect",
    "host",
    "max-forwards",
    "proxy-authenticate",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "www-authenticate",
];
const OWN_PREFIXES: &[&str] = &["x-amz", "x-forwarded"];

/// What AWS says of the names of an API call's headers; nothing where all may be sent.
pub fn header_mistake<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let is_own = |name: &String| {
        OWN_HEADERS.contains(&name.as_str()) || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    };
    let refused: Vec<String> = names.map(str::to_ascii_lowercase).filter(is_own).collect();
    (!refused.is_empty()).then(|| format!("The 'Headers' field contains unsupported values: [{}]", refused.join(", ")))
}

const TOKEN: &[Pattern] = &[Pattern::WaitForTaskToken];
const SYNC: &[Pattern] = &[Pattern::Sync { version: 1 }];
const SYNC_TOKEN: &[Pattern] = &[Pattern::Sync { version: 1 }, Pattern::WaitForTaskToken];
const NESTED: &[Pattern] = &[Pattern::Sync { version: 1 }, Pattern::Sync { version: 2 }, Pattern::WaitForTaskToken];

const fn row(
    service: &'static str,
    action: &'static str,
    patterns: &'static [Pattern],
    required: &'static [&'static str],
) -> Integration {
    Integration { service, action, patterns, required }
}

/// Every optimised integration. What is not here is `not recognized`, as `dynamodb:query` is.
pub const INTEGRATIONS: &[Integration] = &[
    row("apigateway", "invoke", TOKEN, &["ApiEndpoint", "Method"]),
    row("athena", "getQueryExecution", &[], &[]),
    row("athena", "getQueryResults", &[], &[]),
    row("athena", "startQueryExecution", SYNC, &[]),
    row("athena", "stopQueryExecution", &[], &[]),
    row("batch", "submitJob", SYNC, &["JobDefinition", "JobName", "JobQueue"]),
    row("bedrock", "createModelCustomizationJob", SYNC, &[]),
    row("bedrock", "invokeModel", TOKEN, &["ModelId"]),
    row("bedrockagentcore", "invokeHarness", &[], &[]),
    row("codebuild", "batchDeleteBuilds", &[], &[]),
    row("codebuild", "batchGetReports", &[], &[]),
    row("codebuild", "deleteBuildBatch", &[], &[]),
    row("codebuild", "retryBuildBatch", SYNC, &[]),
    row("codebuild", "startBuild", SYNC, &[]),
    row("codebuild", "startBuildBatch", SYNC, &[]),
    row("codebuild", "stopBuild", &[], &[]),
    row("codebuild", "stopBuildBatch", &[], &[]),
    row("databrew", "startJobRun", SYNC, &["Name"]),
    row("dynamodb", "deleteItem", &[], &["TableName", "Key"]),
    row("dynamodb", "getItem", &[], &["TableName", "Key"]),
    row("dynamodb", "putItem", &[], &["TableName", "Item"]),
    row("dynamodb", "updateItem", &[], &["TableName", "Key"]),
    row("ecs", "runTask", SYNC_TOKEN, &["TaskDefinition"]),
    row("eks", "call", TOKEN, &[]),
    row("eks", "createCluster", SYNC, &[]),
    row("eks", "createFargateProfile", SYNC, &[]),
    row("eks", "createNodegroup", SYNC, &[]),
    row("eks", "deleteCluster", SYNC, &[]),
    row("eks", "deleteFargateProfile", SYNC, &[]),
    row("eks", "deleteNodegroup", SYNC, &[]),
    row("eks", "runJob", SYNC_TOKEN, &[]),
    row("elasticmapreduce", "addStep", SYNC, &[]),
    row("elasticmapreduce", "cancelStep", &[], &[]),
    row("elasticmapreduce", "createCluster", SYNC, &[]),
    row("elasticmapreduce", "modifyInstanceFleetByName", &[], &[]),
    row("elasticmapreduce", "modifyInstanceGroupByName", &[], &[]),
    row("elasticmapreduce", "setClusterTerminationProtection", &[], &[]),
    row("elasticmapreduce", "terminateCluster", SYNC, &[]),
    row("emr-containers", "createVirtualCluster", &[], &[]),
    row("emr-containers", "deleteVirtualCluster", SYNC, &[]),
    row("emr-containers", "startJobRun", SYNC, &[]),
    row("emr-serverless", "cancelJobRun", SYNC, &[]),
    row("emr-serverless", "createApplication", SYNC, &[]),
    row("emr-serverless", "deleteApplication", SYNC, &[]),
    row("emr-serverless", "startApplication", SYNC, &[]),
    row("emr-serverless", "startJobRun", SYNC, &[]),
    row("emr-serverless", "stopApplication", SYNC, &[]),
    row("events", "putEvents", TOKEN, &["Entries"]),
    row("glue", "startJobRun", SYNC, &["JobName"]),
    row("http", "invoke", &[], &["ApiEndpoint", "Method"]),
    row("lambda", "invoke", TOKEN, &["FunctionName"]),
    row("mediaconvert", "createJob", SYNC, &[]),
    row("sagemaker", "createEndpoint", &[], &[]),
    row("sagemaker", "createEndpointConfig", &[], &[]),
    row("sagemaker", "createHyperParameterTuningJob", SYNC, &[]),
    row("sagemaker", "createLabelingJob", SYNC, &[]),
    row("sagemaker", "createModel", &[], &[]),
    row("sagemaker", "createProcessingJob", SYNC, &[]),
    row("sagemaker", "createTrainingJob", SYNC, &[]),
    row("sagemaker", "createTransformJob", SYNC, &[]),
    row("sagemaker", "updateEndpoint", &[], &[]),
    row("sns", "publish", TOKEN, &["Message"]),
    row("sqs", "sendMessage", TOKEN, &["QueueUrl", "MessageBody"]),
    row("states", "startExecution", NESTED, &["StateMachineArn"]),
];

/// The ways to write a pattern, longest first.
const SUFFIXES: [(&str, Pattern); 3] = [
    (".sync:2", Pattern::Sync { version: 2 }),
    (".sync", Pattern::Sync { version: 1 }),
    (".waitForTaskToken", Pattern::WaitForTaskToken),
];

impl Pattern {
    /// How the ARN writes it: `.sync`, `.sync:2`, `.waitForTaskToken`, or nothing.
    pub fn suffix(self) -> &'static str {
        SUFFIXES.iter().find(|(_, pattern)| *pattern == self).map_or("", |(suffix, _)| suffix)
    }
}

impl Resource {
    /// Takes an ARN apart; what names nothing becomes [`Target::Unknown`].
    pub fn parse(text: &str) -> Resource {
        Resource { text: text.into(), target: target(text).unwrap_or(Target::Unknown) }
    }

    /// The row of the table, for an optimised integration.
    pub fn integration(&self) -> Option<&'static Integration> {
        let Target::Integration { service, action, pattern } = &self.target else { return None };
        let action = action.strip_suffix(pattern.suffix()).unwrap_or(action);
        INTEGRATIONS.iter().find(|row| row.service == &**service && row.action == action)
    }

    /// What AWS says of it when a definition is created; nothing when it is right.
    pub fn mistake(&self) -> Option<String> {
        let known = match &self.target {
            Target::Activity | Target::Lambda => true,
            Target::Unknown if !self.text.starts_with("arn:") => {
                return Some("Value is not a valid resource ARN".to_owned());
            }
            Target::Unknown => false,
            Target::Integration { service, action, pattern } if service.starts_with("aws-sdk:") => {
                let action = action.strip_suffix(pattern.suffix()).unwrap_or(action);
                let camel_case = action.starts_with(|c: char| c.is_ascii_lowercase());
                camel_case && !matches!(pattern, Pattern::Sync { .. })
            }
            Target::Integration { pattern, .. } => self
                .integration()
                .is_some_and(|row| *pattern == Pattern::RequestResponse || row.patterns.contains(pattern)),
        };
        (!known).then(|| self.not_recognized())
    }

    /// The parameter that AWS adds to those of a job, by which its end is found among the service's events.
    pub fn signature(&self) -> Option<(&'static str, &'static str)> {
        let Target::Integration { pattern: Pattern::Sync { .. }, .. } = self.target else { return None };
        let row = self.integration()?;
        ((row.service, row.action) == ("ecs", "runTask")).then_some(("StartedBy", "AWS Step Functions"))
    }

    /// What AWS says of a resource that it does not have.
    pub fn not_recognized(&self) -> String {
        format!(
            "The resource provided {} is not recognized. The value is not a valid resource ARN, or the resource is \
             not available in this region.",
            self.text
        )
    }

    /// Service and action of `aws-sdk:<service>:<action>`, without the pattern.
    pub fn sdk_action(&self) -> Option<(&str, &str)> {
        let Target::Integration { service, action, pattern } = &self.target else { return None };
        Some((service.strip_prefix("aws-sdk:")?, action.strip_suffix(pattern.suffix()).unwrap_or(action)))
    }
}

fn target(text: &str) -> Option<Target> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, service, region, account, rest] = parts[..] else { return None };
    if partition.is_empty() {
        return None;
    }
    match (service, region, account) {
        ("states", "", "") => integration(rest),
        ("states", _, _) => rest.strip_prefix("activity:").filter(|name| !name.is_empty()).map(|_| Target::Activity),
        ("lambda", _, _) => rest.strip_prefix("function:").filter(|name| is_function(name)).map(|_| Target::Lambda),
        _ => None,
    }
}

/// `name`, `name:alias`, `name:7`, `name:$LATEST`.
fn is_function(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    match name.split_once(':') {
        None => is_word(name),
        Some((name, qualifier)) => is_word(name) && (qualifier == "$LATEST" || is_word(qualifier)),
    }
}

/// `sqs:sendMessage.waitForTaskToken`, `aws-sdk:sqs:sendMessage`.
fn integration(rest: &str) -> Option<Target> {
    let (service, action) = match rest.strip_prefix("aws-sdk:") {
        Some(sdk) => {
            let (service, action) = sdk.split_once(':')?;
            (&rest[.."aws-sdk:".len() + service.len()], action)
        }
        None => rest.split_once(':')?,
    };
    let pattern = SUFFIXES.iter().find(|(suffix, _)| action.ends_with(suffix));
    let name = pattern.map_or(action, |(suffix, _)| &action[..action.len() - suffix.len()]);
    if service.is_empty() || name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let pattern = pattern.map_or(Pattern::RequestResponse, |(_, pattern)| *pattern);
    Some(Target::Integration { service: service.into(), action: action.into(), pattern })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story(text: &str) -> String {
        let resource = Resource::parse(text);
        let target = match &resource.target {
            Target::Integration { service, action, pattern } => format!("{service} | {action} | {pattern:?}"),
            other => format!("{other:?}"),
        };
        let verdict =
            resource.mistake().map_or("", |text| if text.contains("region") { ", unknown" } else { ", no ARN" });
        format!("{text} -> {target}{verdict}\n")
    }

    #[test]
    fn arns_are_taken_apart() {
        let arns = [
            "arn:aws:states:us-east-1:123456789012:activity:work",
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:f:PROD",
            "arn:aws:states:::lambda:invoke",
            "arn:aws:states:::lambda:invoke.sync",
            "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "arn:aws:states:::states:startExecution.sync:2",
            "arn:aws:states:::batch:submitJob.sync",
            "arn:aws:states:::batch:submitJob.sync:2",
            "arn:aws:states:::batch:submitJob.waitForTaskToken",
            "arn:aws:states:::dynamodb:query",
            "arn:aws:states:::aws-sdk:s3:listBuckets.waitForTaskToken",
            "arn:aws:states:::aws-sdk:s3:listBuckets.sync",
            "arn:aws:states:::aws-sdk:s3:ListBuckets",
            "arn:aws:states:::aws-sdk:s3",
            "arn:aws:states:us-east-1:123456789012:stateMachine:m",
            "arn:aws:sqs:us-east-1:123456789012:q",
            "arn:aws:states:::",
            "arn:",
            "${Function}",
            "",
        ];
        insta::assert_snapshot!(arns.map(story).concat(), @"
        arn:aws:states:us-east-1:123456789012:activity:work -> Activity
        arn:aws-cn:lambda:cn-north-1:123456789012:function:f:PROD -> Lambda
        arn:aws:states:::lambda:invoke -> lambda | invoke | RequestResponse
        arn:aws:states:::lambda:invoke.sync -> lambda | invoke.sync | Sync { version: 1 }, unknown
        arn:aws:states:::sqs:sendMessage.waitForTaskToken -> sqs | sendMessage.waitForTaskToken | WaitForTaskToken
        arn:aws:states:::states:startExecution.sync:2 -> states | startExecution.sync:2 | Sync { version: 2 }
        arn:aws:states:::batch:submitJob.sync -> batch | submitJob.sync | Sync { version: 1 }
        arn:aws:states:::batch:submitJob.sync:2 -> batch | submitJob.sync:2 | Sync { version: 2 }, unknown
        arn:aws:states:::batch:submitJob.waitForTaskToken -> batch | submitJob.waitForTaskToken | WaitForTaskToken, unknown
        arn:aws:states:::dynamodb:query -> dynamodb | query | RequestResponse, unknown
        arn:aws:states:::aws-sdk:s3:listBuckets.waitForTaskToken -> aws-sdk:s3 | listBuckets.waitForTaskToken | WaitForTaskToken
        arn:aws:states:::aws-sdk:s3:listBuckets.sync -> aws-sdk:s3 | listBuckets.sync | Sync { version: 1 }, unknown
        arn:aws:states:::aws-sdk:s3:ListBuckets -> aws-sdk:s3 | ListBuckets | RequestResponse, unknown
        arn:aws:states:::aws-sdk:s3 -> Unknown, unknown
        arn:aws:states:us-east-1:123456789012:stateMachine:m -> Unknown, unknown
        arn:aws:sqs:us-east-1:123456789012:q -> Unknown, unknown
        arn:aws:states::: -> Unknown, unknown
        arn: -> Unknown, unknown
        ${Function} -> Unknown, no ARN
         -> Unknown, no ARN
        ");
    }

    #[test]
    fn the_table_is_sorted_and_its_rows_differ() {
        let keys: Vec<_> = INTEGRATIONS.iter().map(|row| (row.service, row.action)).collect();
        assert!(keys.is_sorted());
        assert!(keys.windows(2).all(|pair| pair[0] != pair[1]));
    }
}
