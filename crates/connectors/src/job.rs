//! Jobs: how one stands, how it is stopped, and how it is found when nobody heard that it was submitted.

use std::time::Duration;

use asl::Pattern;
use aws::{Answer, CallError};
use engine::arn;
use engine::port::{Followed, TaskRequest, Unreachable};
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::{Map, Value, json};

use crate::Connectors;
use crate::failure::{Failure, TASK_FAILED};
use crate::plan::Plan;
use crate::prepare;
use crate::shape;
use crate::table::{AWS_PACE, Ask, End, Find, Job, Pace, Question, Repeated};

/// A job is asked for again after this share of its age, so that its end is noticed late by as little.
const SHARE: u32 = 10;

/// A job that is not described so long after it was submitted is lost; before, the service may not know it yet.
const LOST_AFTER: Duration = Duration::from_secs(10 * 60);

/// Jobs that DescribeJobs takes at once, and so the size of a page of ListJobs.
const PAGE: usize = 100;
/// A thousand jobs of one name in one queue are more than a search may cost.
const MAX_PAGES: usize = 10;

/// The reason that AWS gives to what it stops.
fn stopped_by(request: &TaskRequest) -> String {
    format!(
        "The Task state in AWS Step Functions execution [{}] which was managing this resource was aborted",
        request.execution_arn
    )
}

impl Connectors {
    /// How the job of a submission stands.
    pub(crate) async fn ask(
        &self,
        plan: &Plan,
        job: &Job,
        request: &TaskRequest,
        submitted: &Value,
    ) -> Result<Followed, Unreachable> {
        let described = match self.question(plan, job.describe, submitted, None, request).await? {
            Ok(answer) => answer.value,
            Err(CallError::Service { error, .. }) if error.exception.as_deref() == Some(job.gone) => {
                return Ok(failed(
                    error.message.unwrap_or_else(|| format!("{} does not exist", job_id(job, submitted))),
                ));
            }
            Err(error) => return Err(Unreachable(format!("{}: {error}", job.describe.operation))),
        };
        let output = plan.service.operation(job.describe.operation).and_then(|operation| operation.output.as_ref());
        let described = match output {
            Some(output) => shape::version_one(plan, output, described),
            None => described,
        };
        let described = match job.among {
            Some(among) => described.get(among).and_then(|jobs| jobs.get(0)).cloned(),
            None => Some(described),
        };
        let pace = if self.caller.is_aws(&plan.service, &request.region) { AWS_PACE } else { job.pace };
        let now = jiff::Timestamp::now().as_millisecond();
        match described {
            Some(Value::Object(described)) => Ok(stands(plan, job, described, pace, now)),
            _ => match submitted_at(submitted).map(|at| since(at, now)) {
                Some(age) if age > LOST_AFTER => {
                    let id = job_id(job, submitted);
                    Ok(failed(format!("{} does not know {id} any more", plan.operation)))
                }
                _ => Ok(Followed::Running { ask_again: pace.last }),
            },
        }
    }

    /// Stops a job. What the service refuses to stop has ended, or will never be ours to stop.
    pub(crate) async fn stop(
        &self,
        plan: &Plan,
        job: &Job,
        request: &TaskRequest,
        submitted: &Value,
    ) -> Result<(), Unreachable> {
        let reason = Some((job.reason, stopped_by(request)));
        match self.question(plan, job.cancel, submitted, reason, request).await? {
            Ok(_) => Ok(()),
            Err(CallError::Service { error, .. }) if error.status < 500 && error.status != 429 => {
                tracing::info!(job = job_id(job, submitted), %error, "a job that is to stop is not stopped");
                Ok(())
            }
            Err(error) => Err(Unreachable(format!("{}: {error}", job.cancel.operation))),
        }
    }

    /// What was answered, or would have been, to a submission that nobody heard of.
    pub(crate) async fn find(
        &self,
        plan: &Plan,
        request: &TaskRequest,
        parameters: &Map<String, Value>,
    ) -> Result<Option<Answer>, CallError> {
        match plan.row.repeated {
            Repeated::Found(Find::ExecutionByName) => self.execution_by_name(plan, request, parameters).await,
            Repeated::Found(Find::MarkedJob) => self.marked_job(plan, request, parameters).await,
            _ => Ok(None),
        }
    }

    /// A name that the definition gives may belong to somebody else's execution; one with the same input is ours, and
    /// AWS itself would answer a second StartExecution with it.
    async fn execution_by_name(
        &self,
        plan: &Plan,
        request: &TaskRequest,
        parameters: &Map<String, Value>,
    ) -> Result<Option<Answer>, CallError> {
        let text = |name: &str| parameters.get(name).and_then(Value::as_str);
        let (Some(machine), Some(name)) = (text("StateMachineArn"), text("Name")) else { return Ok(None) };
        let execution = arn::execution_arn(arn::split_qualifier(machine).0, name);
        let described = match self.look(plan, "DescribeExecution", json!({"ExecutionArn": execution}), request).await {
            Ok(answer) => answer,
            Err(CallError::Service { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let parsed = |text: Option<&str>| serde_json::from_str::<Value>(text.unwrap_or("{}")).ok();
        let its_input = described.value.get("Input").and_then(Value::as_str);
        if name != request.idempotency_key && parsed(text("Input")) != parsed(its_input) {
            return Ok(None);
        }
        Ok(Some(only(described, &["ExecutionArn", "StartDate"])))
    }

    /// Jobs of the same name in the same queue, and among them the one with the task's mark.
    async fn marked_job(
        &self,
        plan: &Plan,
        request: &TaskRequest,
        parameters: &Map<String, Value>,
    ) -> Result<Option<Answer>, CallError> {
        let mut ask = json!({
            "JobQueue": parameters.get("JobQueue"),
            "Filters": [{"Name": "JOB_NAME", "Values": [parameters.get("JobName")]}],
            "MaxResults": PAGE,
        });
        for _ in 0..MAX_PAGES {
            let listed = self.look(plan, "ListJobs", ask.clone(), request).await?.value;
            let jobs = listed.get("JobSummaryList").and_then(Value::as_array);
            let ids: Vec<&Value> = jobs.into_iter().flatten().filter_map(|job| job.get("JobId")).collect();
            if !ids.is_empty() {
                let mut described = self.look(plan, "DescribeJobs", json!({"Jobs": ids}), request).await?;
                let jobs = described.value.get_mut("Jobs").and_then(Value::as_array_mut);
                let ours = jobs.and_then(|jobs| {
                    let at = jobs.iter().position(|job| prepare::is_marked(job, &request.idempotency_key))?;
                    Some(jobs.swap_remove(at))
                });
                if let Some(value) = ours {
                    return Ok(Some(only(Answer { value, ..described }, &["JobArn", "JobId", "JobName"])));
                }
            }
            match listed.get("NextToken") {
                Some(Value::String(next)) => ask["NextToken"] = Value::from(next.as_str()),
                _ => break,
            }
        }
        Ok(None)
    }

    async fn question(
        &self,
        plan: &Plan,
        question: Question,
        submitted: &Value,
        reason: Option<(&str, String)>,
        request: &TaskRequest,
    ) -> Result<Result<Answer, CallError>, Unreachable> {
        let mut parameters = asked(question, submitted)?;
        if let Some((name, reason)) = reason {
            parameters.insert(name.to_owned(), Value::from(reason));
        }
        Ok(self.look(plan, question.operation, Value::Object(parameters), request).await)
    }
}

/// A state has one job, and follows and stops that one.
pub(crate) fn count_mistake(plan: &Plan, parameters: &Map<String, Value>) -> Option<String> {
    let name = plan.row.job.as_ref().filter(|_| matches!(plan.pattern, Pattern::Sync { .. }))?.count?;
    let several = parameters.get(name).filter(|count| !count.is_null() && **count != 1)?;
    Some(format!("The value for the field '{name}' must be 1 where the state waits for the job, not {several}"))
}

fn failed(cause: String) -> Followed {
    Followed::Failed { error: TASK_FAILED.to_owned(), cause: Some(cause) }
}

fn job_id<'a>(job: &Job, submitted: &'a Value) -> &'a str {
    let Some(Ask::One(_, pointer) | Ask::Each(_, pointer)) = job.describe.asks.last() else { return "" };
    submitted.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The parameters of a question, from what was answered to the submission.
fn asked(question: Question, submitted: &Value) -> Result<Map<String, Value>, Unreachable> {
    let found = |pointer: &str| {
        let value = submitted.pointer(pointer).filter(|value| value.is_string()).cloned();
        value.ok_or_else(|| Unreachable(format!("the answer to the submission has no {pointer}")))
    };
    let parameter = |ask: &Ask| match ask {
        Ask::One(name, pointer) => Ok(((*name).to_owned(), found(pointer)?)),
        Ask::Each(name, pointer) => Ok(((*name).to_owned(), json!([found(pointer)?]))),
    };
    question.asks.iter().map(parameter).collect()
}

impl End {
    /// Whether the job succeeded, once it is over.
    fn of(&self, described: &Map<String, Value>) -> Option<bool> {
        let text = |member: &str| described.get(member).and_then(Value::as_str).unwrap_or_default();
        match self {
            End::Status { member, succeeded, failed } => {
                let status = text(member);
                succeeded.contains(&status).then_some(true).or(failed.contains(&status).then_some(false))
            }
            // ECS says of no container here whether it is essential. One without an exit code never ran.
            End::Containers => (text("LastStatus") == "STOPPED").then(|| {
                let containers = described.get("Containers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                text("StopCode") != "TaskFailedToStart"
                    && !containers.is_empty()
                    && containers.iter().all(|container| container["ExitCode"] == 0)
            }),
        }
    }
}

fn stands(plan: &Plan, job: &Job, mut described: Map<String, Value>, pace: Pace, now: i64) -> Followed {
    let Some(succeeded) = job.end.of(&described) else {
        let age = described.get(job.since).and_then(Value::as_i64).map_or(Duration::ZERO, |at| since(at, now));
        return Followed::Running { ask_again: (age / SHARE).clamp(pace.first, pace.last) };
    };
    if plan.pattern == (Pattern::Sync { version: 2 }) {
        for name in job.texts {
            if let Some(Value::String(text)) = described.get(*name) {
                let parsed = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text.as_str()));
                described.insert((*name).to_owned(), parsed);
            }
        }
    }
    if succeeded {
        return Followed::Succeeded(Value::Object(described).into());
    }
    described.retain(|name, _| !job.failed_without.contains(&name.as_str()));
    let Failure { error, cause } = Failure::new(TASK_FAILED, Value::Object(described).to_string());
    Followed::Failed { error, cause }
}

/// From one time to another, both in milliseconds; clocks differ, so nothing is negative.
fn since(at: i64, now: i64) -> Duration {
    Duration::from_millis(u64::try_from(now.saturating_sub(at)).unwrap_or(0))
}

/// When the service answered to the submission, in milliseconds.
fn submitted_at(submitted: &Value) -> Option<i64> {
    let date = submitted.pointer("/SdkHttpMetadata/HttpHeaders/Date")?.as_str()?;
    Some(DateTimeParser::new().parse_timestamp(date).ok()?.as_millisecond())
}

/// An answer with some of its members.
fn only(answer: Answer, names: &[&str]) -> Answer {
    let members = names.iter().filter_map(|name| Some(((*name).to_owned(), answer.value.get(*name)?.clone())));
    Answer { value: Value::Object(members.collect()), ..answer }
}
