//! Stories about jobs, with real processes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use super::image::Images;
use super::{Batch, Settings, job, process};
use crate::caller::Caller;
use crate::store::{Clock, Store};

struct World {
    batch: Batch,
    store: Store,
    stop: watch::Sender<bool>,
    runner: Option<tokio::task::JoinHandle<()>>,
    dir: tempfile::TempDir,
}

fn caller() -> Caller {
    Caller {
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        base_url: "http://127.0.0.1:8083".to_owned(),
        trace: None,
    }
}

fn batch(store: &Store, dir: &Path, at_once: usize) -> Batch {
    let settings = Settings {
        images: Images::from([("programs".to_owned(), dir.join("programs"))]),
        at_once: Some(at_once),
        grace: Duration::from_millis(200),
        ..Settings::default()
    };
    Batch::new(store.clone(), dir.join("batch"), settings)
}

/// A queue `q`, an image `programs` with these scripts, and a runner.
async fn world(at_once: usize, scripts: &[(&str, &str)]) -> World {
    let dir = tempfile::tempdir().unwrap();
    let programs = dir.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    for (name, text) in scripts {
        let file = programs.join(name);
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let store = Store::open(&dir.path().join("laptop.db"), Clock::System).unwrap();
    let batch = batch(&store, dir.path(), at_once);
    let (stop, stopped) = watch::channel(false);
    let runner = batch.clone();
    let runner = tokio::spawn(async move { runner.run(stopped).await });
    let world = World { batch, store, stop, runner: Some(runner), dir };
    world.ok("CreateJobQueue", json!({ "jobQueueName": "q", "priority": 1, "computeEnvironmentOrder": [] })).await;
    world
}

impl World {
    async fn ok(&self, operation: &str, params: Value) -> Value {
        self.batch.call(operation, params, &caller()).await.unwrap()
    }

    async fn refused(&self, operation: &str, params: Value) -> String {
        self.batch.call(operation, params, &caller()).await.unwrap_err().to_string()
    }

    /// Define a job and submit it; `more` goes into the submission.
    async fn submit(&self, command: &[&str], more: Value) -> String {
        let properties = json!({ "image": "programs:latest", "command": command, "vcpus": 1, "memory": 128 });
        self.ok(
            "RegisterJobDefinition",
            json!({ "jobDefinitionName": "d", "type": "container", "containerProperties": properties }),
        )
        .await;
        let mut params = json!({ "jobName": "j", "jobQueue": "q", "jobDefinition": "d" });
        for (name, value) in more.as_object().unwrap() {
            params[name] = value.clone();
        }
        self.ok("SubmitJob", params).await["jobId"].as_str().unwrap().to_owned()
    }

    async fn describe(&self, id: &str) -> Value {
        self.ok("DescribeJobs", json!({ "jobs": [id] })).await["jobs"][0].clone()
    }

    /// Wait until the job is in a status.
    async fn until(&self, id: &str, statuses: &[&str]) -> Value {
        for _ in 0..2000 {
            let job = self.describe(id).await;
            if statuses.contains(&job["status"].as_str().unwrap()) {
                return job;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the job never came to {statuses:?}: {}", self.describe(id).await);
    }

    async fn end(&self, id: &str) -> Value {
        self.until(id, &["SUCCEEDED", "FAILED"]).await
    }

    fn log(&self, job: &Value) -> String {
        let stream = job["container"]["logStreamName"].as_str().unwrap();
        std::fs::read_to_string(self.batch.log_file(stream)).unwrap()
    }

    async fn stop(&mut self) {
        self.stop.send(true).unwrap();
        self.runner.take().unwrap().await.unwrap();
    }
}

#[tokio::test]
async fn a_job_runs_in_an_empty_directory_and_its_output_is_kept() {
    let world =
        world(2, &[("sum.sh", "ls -A | wc -l\necho $1 $COLOUR $AWS_BATCH_JQ_NAME $AWS_BATCH_JOB_ATTEMPT >&2")]).await;
    let more = json!({
        "parameters": { "what": "sum" },
        "containerOverrides": {
            "command": ["./sum.sh", "Ref::what"], "environment": [{ "name": "COLOUR", "value": "red" }]
        },
    });
    let id = world.submit(&["never"], more).await;
    let job = world.end(&id).await;
    let lines: Vec<String> = world.log(&job).lines().map(|line| line.trim().to_owned()).collect();
    assert_eq!(lines, ["0", "sum red q 1"]);
    assert_eq!(job["container"]["exitCode"], 0);
    assert!(job["createdAt"].as_i64() <= job["startedAt"].as_i64());
    assert!(job["startedAt"].as_i64() <= job["stoppedAt"].as_i64());
    let text = serde_json::to_string_pretty(&job).unwrap();
    let unknown = [
        ("jobId", &job["jobId"]),
        ("logStreamName", &job["container"]["logStreamName"]),
        ("taskArn", &job["container"]["taskArn"]),
    ];
    let text =
        unknown.iter().fold(text, |text, (name, value)| text.replace(value.as_str().unwrap(), &format!("<{name}>")));
    let text = ["createdAt", "startedAt", "stoppedAt"]
        .iter()
        .fold(text, |text, name| text.replace(&job[name].to_string(), "<time>"));
    insta::assert_snapshot!(text, @r#"
    {
      "jobArn": "arn:aws:batch:us-east-1:000000000000:job/<jobId>",
      "jobName": "j",
      "jobId": "<jobId>",
      "jobQueue": "arn:aws:batch:us-east-1:000000000000:job-queue/q",
      "status": "SUCCEEDED",
      "attempts": [
        {
          "container": {
            "taskArn": "<taskArn>",
            "exitCode": 0,
            "logStreamName": "<logStreamName>",
            "networkInterfaces": []
          },
          "startedAt": <time>,
          "stoppedAt": <time>,
          "statusReason": "Essential container in task exited"
        }
      ],
      "createdAt": <time>,
      "retryStrategy": {
        "attempts": 1,
        "evaluateOnExit": []
      },
      "dependsOn": [],
      "jobDefinition": "arn:aws:batch:us-east-1:000000000000:job-definition/d:1",
      "container": {
        "image": "programs:latest",
        "command": [
          "./sum.sh",
          "sum"
        ],
        "vcpus": 1,
        "memory": 128,
        "environment": [
          {
            "name": "COLOUR",
            "value": "red"
          }
        ],
        "resourceRequirements": [],
        "volumes": [],
        "mountPoints": [],
        "ulimits": [],
        "networkInterfaces": [],
        "secrets": [],
        "logStreamName": "<logStreamName>",
        "taskArn": "<taskArn>",
        "exitCode": 0
      },
      "parameters": {
        "what": "sum"
      },
      "tags": {},
      "platformCapabilities": [
        "EC2"
      ],
      "startedAt": <time>,
      "statusReason": "Essential container in task exited",
      "stoppedAt": <time>
    }
    "#);
    let left = std::fs::read_dir(world.dir.path().join("batch/work")).unwrap().count();
    assert_eq!(left, 0, "the directory is removed");
}

#[tokio::test]
async fn a_failed_job_is_tried_as_often_as_it_says() {
    let world = world(2, &[("fail.sh", "exit 3")]).await;
    let id = world.submit(&["fail.sh"], json!({ "retryStrategy": { "attempts": 3 } })).await;
    let job = world.end(&id).await;
    assert_eq!(job["status"], "FAILED");
    assert_eq!(job["statusReason"], "Essential container in task exited");
    let codes: Vec<&Value> =
        job["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["container"]["exitCode"]).collect();
    assert_eq!(codes, [3, 3, 3]);

    let rules = json!({ "attempts": 3, "evaluateOnExit": [{ "onExitCode": "3", "action": "EXIT" }] });
    let id = world.submit(&["fail.sh"], json!({ "retryStrategy": rules })).await;
    assert_eq!(world.end(&id).await["attempts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_job_that_cannot_run_says_what_is_missing() {
    let world = world(1, &[]).await;
    let properties = json!({ "image": "python:3.13", "command": ["true"] });
    world
        .ok(
            "RegisterJobDefinition",
            json!({ "jobDefinitionName": "p", "type": "container", "containerProperties": properties }),
        )
        .await;
    let submit = json!({ "jobName": "j", "jobQueue": "q", "jobDefinition": "p:1", "retryStrategy": { "attempts": 2 } });
    let id = world.ok("SubmitJob", submit).await["jobId"].as_str().unwrap().to_owned();
    let job = world.end(&id).await;
    assert_eq!(
        job["statusReason"],
        "CannotPullContainerError: the image python:3.13 is not mapped to a folder on this machine. Add it to the settings: --image python:3.13=FOLDER, or in the file [images] \"python:3.13\" = \"FOLDER\""
    );
    let id = world.submit(&[], json!({})).await;
    let job = world.end(&id).await;
    assert!(job["statusReason"].as_str().unwrap().contains("no command"), "{job}");
    let id = world.submit(&["no-such-program"], json!({})).await;
    assert_eq!(world.end(&id).await["container"]["exitCode"], 127);
}

/// Wait until a process and everything it started are gone.
async fn gone(pid: i32) {
    let alive = || {
        std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
    };
    for _ in 0..500 {
        if !alive() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("process {pid} is still there");
}

/// Wait for the number that a job's script prints first.
async fn printed_pid(world: &World, id: &str) -> i32 {
    let job = world.until(id, &["RUNNING"]).await;
    for _ in 0..500 {
        if let Some(pid) =
            std::fs::read_to_string(world.batch.log_file(job["container"]["logStreamName"].as_str().unwrap()))
                .ok()
                .and_then(|log| log.lines().next()?.parse().ok())
        {
            return pid;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the job printed nothing");
}

/// Starts a child that ignores a polite end, and waits for it.
const STUBBORN: &str = "sh -c 'trap \"\" TERM; while true; do sleep 0.1; done' & echo $!; wait";

#[tokio::test]
async fn a_job_that_takes_too_long_is_ended_with_all_it_started() {
    let world = world(1, &[("stubborn.sh", STUBBORN)]).await;
    let more = json!({ "timeout": { "attemptDurationSeconds": 1 }, "retryStrategy": { "attempts": 2 } });
    let id = world.submit(&["stubborn.sh"], more).await;
    let pid = printed_pid(&world, &id).await;
    let job = world.end(&id).await;
    assert_eq!(job["statusReason"], "Job attempt duration exceeded timeout");
    assert_eq!(job["attempts"].as_array().unwrap().len(), 1, "a timeout is not tried again");
    gone(pid).await;
}

#[tokio::test]
async fn a_job_is_terminated_with_the_reason_given() {
    let world = world(1, &[("stubborn.sh", STUBBORN)]).await;
    let running = world.submit(&["stubborn.sh"], json!({ "retryStrategy": { "attempts": 5 } })).await;
    let pid = printed_pid(&world, &running).await;
    let waiting = world.submit(&["stubborn.sh"], json!({})).await;
    assert_eq!(world.until(&waiting, &["RUNNABLE"]).await["status"], "RUNNABLE", "one at a time");

    world.ok("CancelJob", json!({ "jobId": running, "reason": "too late" })).await;
    world.ok("CancelJob", json!({ "jobId": waiting, "reason": "not wanted" })).await;
    let job = world.end(&waiting).await;
    assert_eq!((&job["statusReason"], &job["isCancelled"]), (&json!("not wanted"), &json!(true)));
    assert_eq!(world.describe(&running).await["status"], "RUNNING");

    world.ok("TerminateJob", json!({ "jobId": running, "reason": "enough" })).await;
    let job = world.end(&running).await;
    assert_eq!((&job["statusReason"], &job["isTerminated"]), (&json!("enough"), &json!(true)));
    gone(pid).await;
}

#[tokio::test]
async fn a_job_waits_for_the_jobs_it_depends_on() {
    let world = world(4, &[("ok.sh", "sleep 0.2"), ("fail.sh", "exit 1")]).await;
    let first = world.submit(&["ok.sh"], json!({})).await;
    let second = world.submit(&["ok.sh"], json!({ "dependsOn": [{ "jobId": first }] })).await;
    assert_eq!(world.until(&second, &["PENDING"]).await["status"], "PENDING");
    let second = world.end(&second).await;
    assert_eq!(second["status"], "SUCCEEDED");
    assert!(second["startedAt"].as_i64() >= world.describe(&first).await["stoppedAt"].as_i64());

    let failing = world.submit(&["fail.sh"], json!({})).await;
    let never = world.submit(&["ok.sh"], json!({ "dependsOn": [{ "jobId": failing }] })).await;
    let job = world.end(&never).await;
    assert_eq!(job["statusReason"], "Dependent Job failed");
    assert_eq!(job.get("startedAt"), None);
}

#[tokio::test]
async fn a_stopped_server_ends_its_jobs_and_the_next_one_tries_them_again() {
    let mut world = world(2, &[("once.sh", "echo $$\n[ $AWS_BATCH_JOB_ATTEMPT = 1 ] && sleep 60\nexit 0")]).await;
    let again = world.submit(&["once.sh"], json!({ "retryStrategy": { "attempts": 2 } })).await;
    let never = world.submit(&["once.sh"], json!({})).await;
    let pids = [printed_pid(&world, &again).await, printed_pid(&world, &never).await];
    world.stop().await;
    for pid in pids {
        gone(pid).await;
    }
    assert_eq!(world.describe(&again).await["status"], "RUNNING", "nobody has said yet how it ended");

    let next = batch(&world.store, world.dir.path(), 2);
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(async move { next.run(stopped).await });
    let job = world.end(&again).await;
    assert_eq!(job["status"], "SUCCEEDED");
    assert!(job["attempts"][0]["statusReason"].as_str().unwrap().starts_with("Host EC2 (this machine) terminated"));
    let job = world.end(&never).await;
    assert_eq!((&job["status"], &job["statusReason"]), (&json!("FAILED"), &json!(job::HOST_LOST)));
}

#[tokio::test]
async fn a_process_that_a_killed_server_left_is_ended_and_no_other_is() {
    let dir = tempfile::tempdir().unwrap();
    let plan = |name: &str| process::Plan {
        command: vec!["sleep".to_owned(), "60".to_owned()],
        environment: vec![("PATH".to_owned(), std::env::var("PATH").unwrap())],
        directory: dir.path().join(name),
        log: dir.path().join(format!("{name}.log")),
    };
    let mut left = process::Process::start(plan("a")).await.unwrap();
    left.go().await.unwrap();
    let identity = left.identity();
    let other: Value = serde_json::from_str(&identity).unwrap();
    let other = json!({ "pid": other["pid"], "born": "another time" }).to_string();
    process::end_leftover(&other);
    assert!(tokio::time::timeout(Duration::from_millis(100), left.wait()).await.is_err(), "not the one that was meant");
    process::end_leftover(&identity);
    assert_eq!(left.wait().await.unwrap(), 137);

    // A process that never got its word ends when the server that holds its input is gone.
    let waiting = process::Process::start(plan("b")).await.unwrap();
    let pid: Value = serde_json::from_str(&waiting.identity()).unwrap();
    drop(waiting);
    gone(i32::try_from(pid["pid"].as_i64().unwrap()).unwrap()).await;
}

#[tokio::test]
async fn definitions_have_revisions_and_queues_have_states() {
    let world = world(1, &[]).await;
    let register =
        json!({ "jobDefinitionName": "d", "type": "container", "containerProperties": { "image": "programs" } });
    for revision in 1..=3 {
        assert_eq!(world.ok("RegisterJobDefinition", register.clone()).await["revision"], revision);
    }
    world.ok("DeregisterJobDefinition", json!({ "jobDefinition": "d:3" })).await;
    let active = world.ok("DescribeJobDefinitions", json!({ "jobDefinitionName": "d", "status": "ACTIVE" })).await;
    let revisions: Vec<&Value> =
        active["jobDefinitions"].as_array().unwrap().iter().map(|definition| &definition["revision"]).collect();
    assert_eq!(revisions, [1, 2]);
    let submit = |definition: &str| json!({ "jobName": "j", "jobQueue": "q", "jobDefinition": definition });
    let id = world.ok("SubmitJob", submit("d")).await["jobId"].as_str().unwrap().to_owned();
    assert_eq!(
        world.describe(&id).await["jobDefinition"],
        "arn:aws:batch:us-east-1:000000000000:job-definition/d:2",
        "the newest active one"
    );
    let mut said = vec![
        world.refused("SubmitJob", submit("d:3")).await,
        world.refused("SubmitJob", submit("none")).await,
        world.refused("DeleteJobQueue", json!({ "jobQueue": "q" })).await,
        world.refused("CreateJobQueue", json!({ "jobQueueName": "q" })).await,
        world.refused("RegisterJobDefinition", json!({ "jobDefinitionName": "m", "type": "multinode" })).await,
    ];
    let mut array = submit("d");
    array["arrayProperties"] = json!({ "size": 2 });
    said.push(world.refused("SubmitJob", array).await);
    world.ok("UpdateJobQueue", json!({ "jobQueue": "q", "state": "DISABLED" })).await;
    said.push(world.refused("SubmitJob", submit("d")).await);
    said.push(world.refused("SubmitServiceJob", json!({})).await);
    insta::assert_snapshot!(said.join("\n"), @r#"
    ClientException: JobDefinition d:3 not found.
    ClientException: JobDefinition none not found.
    ClientException: Cannot delete, q must be DISABLED first
    ClientException: Object already exists
    ClientException: A job definition of type multinode is not supported by the laptop's Batch.
    ClientException: arrayProperties is not supported by the laptop's Batch.
    ClientException: JobQueue q is disabled, jobs cannot be submitted to it.
    ClientException: SubmitServiceJob is not supported by the laptop's Batch.
    "#);
    world.ok("DeleteJobQueue", json!({ "jobQueue": "q" })).await;
    assert_eq!(world.ok("DescribeJobQueues", json!({})).await, json!({ "jobQueues": [] }));
}

#[tokio::test]
async fn jobs_are_listed_by_status_or_by_filter() {
    let world = world(1, &[("ok.sh", "true")]).await;
    let id = world.submit(&["ok.sh"], json!({})).await;
    world.end(&id).await;
    let listed = |answer: Value| answer["jobSummaryList"].as_array().unwrap().len();
    assert_eq!(listed(world.ok("ListJobs", json!({ "jobQueue": "q" })).await), 0, "running jobs if nobody says");
    assert_eq!(listed(world.ok("ListJobs", json!({ "jobQueue": "q", "jobStatus": "SUCCEEDED" })).await), 1);
    let filter = |value: &str| json!({ "jobQueue": "q", "filters": [{ "name": "JOB_NAME", "values": [value] }] });
    assert_eq!(listed(world.ok("ListJobs", filter("J*")).await), 1);
    assert_eq!(listed(world.ok("ListJobs", filter("k*")).await), 0);
}

#[tokio::test]
async fn output_beyond_the_limit_does_not_stop_the_job() {
    let world = world(1, &[("loud.sh", "yes | head -c 20000000; echo done")]).await;
    let id = world.submit(&["loud.sh"], json!({})).await;
    let job = world.end(&id).await;
    assert_eq!(job["status"], "SUCCEEDED");
    let log = world.log(&job);
    assert!(log.ends_with("[the log ends here: it has reached its limit]\n"));
    assert!(log.len() < 17 * 1024 * 1024);
}
