//! The integrations, one row each: what is called, how its parameters are prepared, how its answer is shaped, how its
//! errors are named, and what happens when nobody knows whether a call was made.
//!
//! A new optimised integration is a new row here; `apigateway:invoke` alone, which no model describes, has a file of its own
//! (`gateway.rs`). Which patterns an integration allows is `asl`'s knowledge
//! ([`asl::INTEGRATIONS`]), because a definition that uses another one is refused at creation.

use std::time::Duration;

/// One integration.
pub(crate) struct Row {
    /// As the Resource ARN writes it.
    pub service: &'static str,
    pub action: &'static str,
    /// The service's name among the models; empty where the ARN says it.
    pub api: &'static str,
    pub voice: Voice,
    pub prepare: &'static [Prepare],
    pub result: Shape,
    /// Lists that are shown as empty ones where an answer leaves them out, as recorded.
    pub lists: &'static [&'static str],
    pub repeated: Repeated,
    /// How often a call is sent before the task fails, the first time included.
    pub attempts: u32,
    /// How long one call may take; see [`timeout`].
    pub timeout: Duration,
    /// Whether the call goes to the host of its QueueUrl.
    pub to_queue_url: bool,
    /// What `.sync` waits for.
    pub job: Option<Job>,
}

/// The words for errors. Step Functions calls what it optimised through the AWS SDK for Java 1, and everything else
/// through version 2; each has its own names and its own text.
#[derive(Clone, Copy)]
pub(crate) enum Voice {
    /// `SNS.NotFoundException`, `… (Service: AmazonSNS; Status Code: 404; Error Code: NotFound; …)`.
    One {
        prefix: &'static str,
        /// In the text.
        service: &'static str,
        /// The exception that stands for errors which the model does not name.
        base: &'static str,
    },
    /// `Sns.NotFoundException`, `… (Service: Sns, Status Code: 404, …)`: all from the service's id.
    Two,
}

/// What is done to the parameters before they are sent. History shows them as they were before.
#[derive(Clone, Copy)]
pub(crate) enum Prepare {
    /// Any JSON becomes text; null means not given.
    Text(&'static str),
    /// The task's idempotency key, unless the definition gives the parameter.
    Key(&'static str),
    /// The job can be recognised by its environment.
    MarkContainer,
    /// The state machine and the execution are added to the `Resources` of each event in this list.
    Origin(&'static str),
}

impl Prepare {
    /// The parameter that may be any JSON.
    pub fn text(&self) -> Option<&'static str> {
        match self {
            Prepare::Text(name) => Some(name),
            _ => None,
        }
    }
}

/// How an answer becomes a result.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As version 2 of the SDK has it: times as text.
    Plain,
    /// With `SdkHttpMetadata` and `SdkResponseMetadata`, names in alphabetical order, times in milliseconds.
    WithMetadata,
    /// The same of events that were put: one that the bus did not take fails the task.
    Entries,
    /// The same of tasks that were started: where the state waits for them, one that was not started fails it.
    Tasks,
    /// The same of a function's invocation: the payload is JSON, and a function's error is the task's.
    Invocation,
    /// The payload of an invocation alone.
    Payload,
}

/// What is known about a call that may have been made before.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeated {
    /// It is looked for before it is made again.
    Found(Find),
    /// A FIFO queue or topic, named by this parameter, takes the second for the first; another takes both.
    Fifo(&'static str),
    /// Both have their effect.
    Twice,
    /// As the operation says: one that only reads, or that takes a client token, does no harm.
    ByOperation,
}

/// How something that may have been started is found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Find {
    /// An execution, by its name.
    ExecutionByName,
    /// A Batch job, by its name and the mark in its environment.
    MarkedJob,
}

/// A job that `.sync` follows.
pub(crate) struct Job {
    /// The parameter that says how many there are to be, where that may be more than the one that is followed.
    pub count: Option<&'static str>,
    pub describe: Question,
    /// The member of the description that holds the jobs; `None` where the description is the job.
    pub among: Option<&'static str>,
    pub end: End,
    /// When it began, for the pace at which it is asked for.
    pub since: &'static str,
    /// JSON texts that `.sync:2` gives as JSON.
    pub texts: &'static [&'static str],
    /// The exception that says that there is no such job.
    pub gone: &'static str,
    /// What the cause of a failed job leaves out.
    pub failed_without: &'static [&'static str],
    pub cancel: Question,
    /// The parameter of the cancellation that says why.
    pub reason: &'static str,
    pub pace: Pace,
}

/// How a description tells that a job is over.
pub(crate) enum End {
    /// By its status.
    Status { member: &'static str, succeeded: &'static [&'static str], failed: &'static [&'static str] },
    /// By its containers, once it has stopped: it succeeded if each ended with zero.
    Containers,
}

/// An operation that is asked of a job.
#[derive(Clone, Copy)]
pub(crate) struct Question {
    pub operation: &'static str,
    pub asks: &'static [Ask],
}

/// A parameter, and the JSON pointer to its value in the answer to the submission. The last one names the job.
#[derive(Clone, Copy)]
pub(crate) enum Ask {
    One(&'static str, &'static str),
    /// A list with this one.
    Each(&'static str, &'static str),
}

/// How often a job is asked for: after a share of the time it has been running, within bounds.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub first: Duration,
    pub last: Duration,
}

/// Jobs of real AWS are asked for no faster than this: its APIs throttle, and jobs there take minutes.
pub(crate) const AWS_PACE: Pace = Pace { first: Duration::from_secs(2), last: Duration::from_secs(60) };

/// A child execution lives in this process, and asking costs a row.
const CHILD_PACE: Pace = Pace { first: Duration::from_millis(50), last: Duration::from_secs(5) };

/// A local service; a job's process takes a moment to start.
const LOCAL_PACE: Pace = Pace { first: Duration::from_millis(250), last: Duration::from_secs(10) };

/// SDKs give up after three attempts.
const ATTEMPTS: u32 = 3;

/// Longer than an SQS long poll (20 s) and than most actions of AWS take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A function may run for 15 minutes.
const LONGEST_INVOCATION: Duration = Duration::from_secs(15 * 60 + 10);

/// Operations whose answer is the end of somebody's work, however they are called.
const LONG: &[(&str, &str)] = &[("lambda", "Invoke")];

/// How long a call may take.
pub(crate) fn timeout(row: &Row, service: &str, operation: &str) -> Duration {
    if LONG.contains(&(service, operation)) { LONGEST_INVOCATION } else { row.timeout }
}

pub(crate) const ROWS: &[Row] = &[
    asked("athena", "getQueryExecution", ATHENA),
    asked("athena", "getQueryResults", ATHENA),
    asked("athena", "startQueryExecution", ATHENA),
    asked("athena", "stopQueryExecution", ATHENA),
    Row {
        prepare: &[Prepare::MarkContainer],
        repeated: Repeated::Found(Find::MarkedJob),
        job: Some(BATCH_JOB),
        ..asked("batch", "submitJob", BATCH)
    },
    asked("codebuild", "batchDeleteBuilds", CODEBUILD),
    asked("codebuild", "batchGetReports", CODEBUILD),
    asked("codebuild", "deleteBuildBatch", CODEBUILD),
    asked("codebuild", "retryBuildBatch", CODEBUILD),
    asked("codebuild", "startBuild", CODEBUILD),
    asked("codebuild", "startBuildBatch", CODEBUILD),
    asked("codebuild", "stopBuild", CODEBUILD),
    asked("codebuild", "stopBuildBatch", CODEBUILD),
    asked("databrew", "startJobRun", DATABREW),
    asked("dynamodb", "deleteItem", DYNAMODB),
    asked("dynamodb", "getItem", DYNAMODB),
    asked("dynamodb", "putItem", DYNAMODB),
    asked("dynamodb", "updateItem", DYNAMODB),
    Row { result: Shape::Tasks, lists: TASK_LISTS, job: Some(ECS_TASK), ..asked("ecs", "runTask", ECS) },
    Row {
        api: "eventbridge",
        prepare: &[Prepare::Origin("Entries")],
        result: Shape::Entries,
        repeated: Repeated::Twice,
        ..asked("events", "putEvents", EVENTS)
    },
    asked("glue", "startJobRun", GLUE),
    Row { service: "lambda", ..INVOCATION },
    asked("mediaconvert", "createJob", MEDIACONVERT),
    asked("sagemaker", "createEndpoint", SAGEMAKER),
    asked("sagemaker", "createEndpointConfig", SAGEMAKER),
    asked("sagemaker", "createHyperParameterTuningJob", SAGEMAKER),
    asked("sagemaker", "createLabelingJob", SAGEMAKER),
    asked("sagemaker", "createModel", SAGEMAKER),
    asked("sagemaker", "createProcessingJob", SAGEMAKER),
    asked("sagemaker", "createTrainingJob", SAGEMAKER),
    asked("sagemaker", "createTransformJob", SAGEMAKER),
    asked("sagemaker", "updateEndpoint", SAGEMAKER),
    Row { repeated: Repeated::Fifo("TopicArn"), ..asked("sns", "publish", SNS) },
    Row { repeated: Repeated::Fifo("QueueUrl"), to_queue_url: true, ..asked("sqs", "sendMessage", SQS) },
    Row {
        api: "sfn",
        prepare: &[Prepare::Text("Input"), Prepare::Key("Name")],
        repeated: Repeated::Found(Find::ExecutionByName),
        job: Some(CHILD),
        ..asked("states", "startExecution", STATES)
    },
];

const BATCH_JOB: Job = Job {
    count: None,
    describe: Question { operation: "DescribeJobs", asks: &[Ask::Each("Jobs", "/JobId")] },
    among: Some("Jobs"),
    end: End::Status { member: "Status", succeeded: &["SUCCEEDED"], failed: &["FAILED"] },
    since: "CreatedAt",
    texts: &[],
    // Batch does not say; it describes nothing.
    gone: "",
    failed_without: &[],
    cancel: Question { operation: "TerminateJob", asks: &[Ask::One("JobId", "/JobId")] },
    reason: "Reason",
    pace: LOCAL_PACE,
};

const ECS_TASK: Job = Job {
    count: Some("Count"),
    describe: Question {
        operation: "DescribeTasks",
        asks: &[Ask::One("Cluster", "/Tasks/0/ClusterArn"), Ask::Each("Tasks", "/Tasks/0/TaskArn")],
    },
    among: Some("Tasks"),
    end: End::Containers,
    since: "CreatedAt",
    texts: &[],
    // ECS tells of it among the failures of its answer.
    gone: "",
    failed_without: &[],
    cancel: Question {
        operation: "StopTask",
        asks: &[Ask::One("Cluster", "/Tasks/0/ClusterArn"), Ask::One("Task", "/Tasks/0/TaskArn")],
    },
    reason: "Reason",
    pace: LOCAL_PACE,
};

const CHILD: Job = Job {
    count: None,
    describe: Question { operation: "DescribeExecution", asks: &[Ask::One("ExecutionArn", "/ExecutionArn")] },
    among: None,
    end: End::Status { member: "Status", succeeded: &["SUCCEEDED"], failed: &["FAILED", "TIMED_OUT", "ABORTED"] },
    since: "StartDate",
    texts: &["Input", "Output"],
    gone: "ExecutionDoesNotExist",
    // Recorded answers of failed children have none of these; those of succeeded ones have them all.
    failed_without: &["OutputDetails", "RedriveCount", "RedriveStatus", "RedriveStatusReason"],
    cancel: Question { operation: "StopExecution", asks: &[Ask::One("ExecutionArn", "/ExecutionArn")] },
    reason: "Cause",
    pace: CHILD_PACE,
};

/// What optimised integrations have in common.
const OPTIMISED: Row = Row {
    service: "",
    action: "",
    api: "",
    voice: Voice::Two,
    prepare: &[],
    result: Shape::WithMetadata,
    lists: &[],
    repeated: Repeated::ByOperation,
    attempts: ATTEMPTS,
    timeout: TIMEOUT,
    to_queue_url: false,
    job: None,
};

/// What the SDK's answers of RunTask and DescribeTasks have always.
const TASK_LISTS: &[&str] = &[
    "Attachments",
    "Attributes",
    "Command",
    "ContainerOverrides",
    "Containers",
    "Details",
    "Environment",
    "EnvironmentFiles",
    "Failures",
    "GpuIds",
    "InferenceAcceleratorOverrides",
    "InferenceAccelerators",
    "ManagedAgents",
    "NetworkBindings",
    "NetworkInterfaces",
    "ResourceRequirements",
    "Tags",
    "Tasks",
];

/// A service that is asked, and whose answer is the result.
const fn asked(service: &'static str, action: &'static str, voice: Voice) -> Row {
    Row { service, action, api: service, voice, ..OPTIMISED }
}

const fn one(prefix: &'static str, service: &'static str, base: &'static str) -> Voice {
    Voice::One { prefix, service, base }
}

const ATHENA: Voice = one("Athena", "AmazonAthena", "AmazonAthenaException");
const BATCH: Voice = one("Batch", "AWSBatch", "AWSBatchException");
const CODEBUILD: Voice = one("CodeBuild", "AWSCodeBuild", "AWSCodeBuildException");
const DATABREW: Voice = one("DataBrew", "AWSGlueDataBrew", "AWSGlueDataBrewException");
const DYNAMODB: Voice = one("DynamoDB", "AmazonDynamoDBv2", "AmazonDynamoDBException");
const ECS: Voice = one("ECS", "AmazonECS", "AmazonECSException");
const EVENTS: Voice = one("EventBridge", "AmazonCloudWatchEvents", "AmazonCloudWatchEventsException");
const GLUE: Voice = one("Glue", "AWSGlue", "AWSGlueException");
const LAMBDA: Voice = one("Lambda", "AWSLambda", "AWSLambdaException");
const MEDIACONVERT: Voice = one("MediaConvert", "AWSMediaConvert", "AWSMediaConvertException");
const SAGEMAKER: Voice = one("SageMaker", "AmazonSageMaker", "AmazonSageMakerException");
const SNS: Voice = one("SNS", "AmazonSNS", "AmazonSNSException");
const SQS: Voice = one("SQS", "AmazonSQS", "AmazonSQSException");
const STATES: Voice = one("StepFunctions", "AWSStepFunctions", "AWSStepFunctionsException");

/// A function's invocation: nobody but its author knows whether it may be made twice.
const INVOCATION: Row = Row {
    action: "invoke",
    api: "lambda",
    voice: LAMBDA,
    result: Shape::Invocation,
    repeated: Repeated::Twice,
    attempts: 1,
    ..OPTIMISED
};

/// A Task whose Resource is a function's ARN: its input is the payload, and so is its result.
pub(crate) const FUNCTION: Row = Row { result: Shape::Payload, ..INVOCATION };

/// `aws-sdk:<service>:<action>`, for every service that has a model.
pub(crate) const SDK: Row = Row { service: "aws-sdk:", result: Shape::Plain, ..OPTIMISED };

/// The optimised integration of this name.
pub(crate) fn find(service: &str, action: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.service == service && row.action == action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_fits_its_model_and_the_language() {
        for row in ROWS.iter().chain([&FUNCTION]) {
            let service = aws::models().service(row.api).expect(row.api);
            let operation = service.operation(row.action).expect(row.action);
            let members = |operation: &str| {
                let input = service.operation(operation).expect(operation).input.clone().expect(operation);
                service.members(&input).iter().map(|member| member.pascal.clone()).collect::<Vec<_>>()
            };
            for step in row.prepare {
                if let Prepare::Text(name) | Prepare::Key(name) | Prepare::Origin(name) = step {
                    assert!(members(&operation.name).contains(&(*name).to_owned()), "{name}");
                }
            }
            let known =
                asl::INTEGRATIONS.iter().find(|known| known.service == row.service && known.action == row.action);
            assert_eq!(known.is_some(), !row.service.is_empty(), "{}:{}", row.service, row.action);
            if let Some(known) = known.filter(|_| row.job.is_some()) {
                let waits = known.patterns.iter().any(|pattern| matches!(pattern, asl::Pattern::Sync { .. }));
                assert!(waits, "{}:{}", row.service, row.action);
            }
            if let Some(job) = &row.job {
                for question in [job.describe, job.cancel] {
                    for Ask::One(parameter, _) | Ask::Each(parameter, _) in question.asks {
                        assert!(members(question.operation).contains(&(*parameter).to_owned()), "{parameter}");
                    }
                }
                assert!(members(job.cancel.operation).contains(&job.reason.to_owned()));
            }
        }
    }
}
