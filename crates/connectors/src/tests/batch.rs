//! `batch:submitJob`: submitted, followed, stopped, and found again.

use engine::port::{Connector, Job};
use serde_json::{Value, json};

use super::world::{Asked, Stub, http, job, ok, stands, task, told};

const SUBMIT: &str = "arn:aws:states:::batch:submitJob.sync";

fn parameters() -> Value {
    json!({"JobName": "n", "JobDefinition": "d", "JobQueue": "q",
           "ContainerOverrides": {"Environment": [{"Name": "A", "Value": "1"}]}})
}

fn detail(status: &str, more: Value) -> String {
    let mut detail = json!({
        "jobName": "n", "jobId": "j-1", "jobQueue": "q", "status": status, "createdAt": 1591403386307_i64,
        "attempts": [{"startedAt": 1591403928719_i64, "container": {"taskArn": "t", "exitCode": 1}}],
        "container": {"vcpus": 2, "image": "i", "environment": [{"name": "A", "value": "1"}]},
        "parameters": {"zeta": "1", "alpha": "2"}, "dependsOn": [],
    });
    detail.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ok(&json!({"jobs": [detail]}).to_string())
}

fn submitted() -> Value {
    json!({"JobArn": "a", "JobId": "j-1", "JobName": "n"})
}

#[tokio::test]
async fn a_job_is_submitted_with_its_mark() {
    let stub = Stub::saying(&[ok(r#"{"jobName":"n","jobId":"j-1","jobArn":"a"}"#)]).await;
    let answer = stub.connectors().start(task(SUBMIT, parameters())).await;
    assert!(told(&answer).starts_with(r#"submitted {"JobArn":"a","JobId":"j-1","JobName":"n","SdkHttp"#));
    let (path, body) = stub.asked().remove(0);
    insta::assert_snapshot!(format!("{path} {body}"), @r#"/v1/submitjob {"jobName":"n","jobDefinition":"d","jobQueue":"q","containerOverrides":{"environment":[{"name":"A","value":"1"},{"name":"MANAGED_BY_AWS","value":"STARTED_BY_STEP_FUNCTIONS"},{"name":"STEPWELL_TASK","value":"key-1"}]}}"#);
}

#[tokio::test]
async fn a_job_is_followed_to_its_end() {
    let now = jiff::Timestamp::now().as_millisecond();
    let stub = Stub::saying(&[
        detail("RUNNABLE", json!({"createdAt": now})),
        detail("RUNNING", json!({"createdAt": now - 3_600_000})),
        detail("SUCCEEDED", json!({"stoppedAt": 1591403929450_i64})),
        detail("FAILED", json!({"statusReason": "Essential container in task exited"})),
        ok(r#"{"jobs":[]}"#),
        http(403, "x-amzn-errortype: ClientException\r\n", r#"{"message":"not yours"}"#),
    ])
    .await;
    let connectors = stub.connectors();
    let mut story = String::new();
    for _ in 0..6 {
        let line = match connectors.follow(&job(task(SUBMIT, parameters()), submitted())).await {
            Ok(followed) => stands(&followed),
            Err(unreachable) => format!("unreachable: {unreachable}"),
        };
        story.push_str(&line);
        story.push('\n');
    }
    insta::assert_snapshot!(story, @r#"
    running, ask again after 250ms
    running, ask again after 10s
    succeeded {"Attempts":[{"Container":{"ExitCode":1,"TaskArn":"t"},"StartedAt":1591403928719}],"Container":{"Environment":[{"Name":"A","Value":"1"}],"Image":"i","Vcpus":2},"CreatedAt":1591403386307,"DependsOn":[],"JobId":"j-1","JobName":"n","JobQueue":"q","Parameters":{"zeta":"1","alpha":"2"},"Status":"SUCCEEDED","StoppedAt":1591403929450}
    failed States.TaskFailed: {"Attempts":[{"Container":{"ExitCode":1,"TaskArn":"t"},"StartedAt":1591403928719}],"Container":{"Environment":[{"Name":"A","Value":"1"}],"Image":"i","Vcpus":2},"CreatedAt":1591403386307,"DependsOn":[],"JobId":"j-1","JobName":"n","JobQueue":"q","Parameters":{"zeta":"1","alpha":"2"},"Status":"FAILED","StatusReason":"Essential container in task exited"}
    running, ask again after 10s
    unreachable: DescribeJobs: ClientException: not yours
    "#);
    assert_eq!(stub.asked()[0], ("/v1/describejobs".to_owned(), r#"{"jobs":["j-1"]}"#.to_owned()));
}

#[tokio::test]
async fn a_job_that_nobody_knows_is_lost_in_the_end() {
    let stub = Stub::saying(&[ok(r#"{"jobs":[]}"#)]).await;
    let mut answer = submitted();
    answer["SdkHttpMetadata"] = json!({"HttpHeaders": {"Date": "Thu, 06 Nov 2025 12:39:48 GMT"}});
    let followed = stub.connectors().follow(&job(task(SUBMIT, parameters()), answer)).await.unwrap();
    assert_eq!(stands(&followed), "failed States.TaskFailed: SubmitJob does not know j-1 any more");
}

#[tokio::test]
async fn a_job_is_stopped() {
    let busy = http(503, "", "{}");
    let ended = http(400, "x-amzn-errortype: ClientException\r\n", r#"{"message":"ended"}"#);
    let stub = Stub::saying(&[ok("{}"), busy, ended]).await;
    let connectors = stub.connectors();
    let job = job(task(SUBMIT, parameters()), submitted());
    assert!(connectors.cancel(&job).await.is_ok());
    assert!(connectors.cancel(&job).await.is_err(), "it is told again");
    assert!(connectors.cancel(&job).await.is_ok());
    let (path, body) = stub.asked().remove(0);
    insta::assert_snapshot!(format!("{path} {body}"), @r#"/v1/terminatejob {"jobId":"j-1","reason":"The Task state in AWS Step Functions execution [arn:aws:states:us-east-1:000000000000:execution:m:e] which was managing this resource was aborted"}"#);
}

/// Two jobs of the same name; the second is ours.
fn two_jobs(_: usize, (path, _): &Asked) -> String {
    let marked = |id: &str, key: &str| {
        json!({"jobName": "n", "jobId": id, "jobArn": format!("arn-{id}"), "status": "RUNNING",
               "container": {"environment": [{"name": "STEPWELL_TASK", "value": key}]}})
    };
    match path.as_str() {
        "/v1/listjobs" => ok(r#"{"jobSummaryList":[{"jobId":"j-1","jobName":"n"},{"jobId":"j-2","jobName":"n"}]}"#),
        "/v1/describejobs" => ok(&json!({"jobs": [marked("j-1", "key-0"), marked("j-2", "key-1")]}).to_string()),
        _ => ok(r#"{"jobName":"n","jobId":"j-3","jobArn":"arn-j-3"}"#),
    }
}

#[tokio::test]
async fn after_a_crash_the_job_is_found_and_not_submitted_again() {
    let stub = Stub::start(two_jobs).await;
    let connectors = stub.connectors();
    let mut request = task(SUBMIT, parameters());
    request.resent = true;
    let answer = told(&connectors.start(request.clone()).await);
    assert!(answer.starts_with(r#"submitted {"JobArn":"arn-j-2","JobId":"j-2","JobName":"n","Sdk"#), "{answer}");
    insta::assert_snapshot!(stub.bodies().join("\n"), @r#"
    {"jobQueue":"q","filters":[{"name":"JOB_NAME","values":["n"]}],"maxResults":100}
    {"jobs":["j-1","j-2"]}
    "#);

    // One of another task is not found, and so it is submitted.
    request.idempotency_key = "key-9".to_owned();
    let answer = told(&connectors.start(request.clone()).await);
    assert!(answer.starts_with(r#"submitted {"JobArn":"arn-j-3""#), "{answer}");

    // A stop that comes before anybody heard of the job finds it too, and has nothing to do where there is none.
    assert!(connectors.cancel(&Job { request: request.clone(), submitted: None }).await.is_ok());
    assert!(!stub.asked().iter().any(|(path, _)| path == "/v1/terminatejob"));
    request.idempotency_key = "key-1".to_owned();
    assert!(connectors.cancel(&Job { request, submitted: None }).await.is_ok());
    let (path, body) = stub.asked().pop().unwrap();
    assert!(path == "/v1/terminatejob" && body.contains(r#""jobId":"j-2""#), "{body}");
}
