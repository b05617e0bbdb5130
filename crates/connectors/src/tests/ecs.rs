//! `ecs:runTask` against a scripted server. What AWS answers to these calls is recorded; here are its facts.

use asl::Resource;
use engine::port::Connector;
use serde_json::{Value, json};

use super::world::{Stub, connectors, http, job, ok, stands, task, told};

const RUN: &str = "arn:aws:states:::ecs:runTask";
const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/c";
const TASK: &str = "arn:aws:ecs:us-east-1:000000000000:task/c/t-1";

fn parameters() -> Value {
    json!({"Cluster": CLUSTER, "TaskDefinition": "family", "LaunchType": "FARGATE", "PlatformVersion": "1.4.0",
           "NetworkConfiguration": {"AwsvpcConfiguration": {"Subnets": ["s-1"], "SecurityGroups": ["g-1"]}}})
}

/// As ECS describes a task of one container.
fn described(status: &str, exit_code: Option<i64>, more: Value) -> Value {
    let mut container = json!({"containerArn": "container-1", "taskArn": TASK, "name": "main", "image": "busybox",
                               "lastStatus": status, "networkInterfaces": [], "cpu": "0"});
    if let Some(code) = exit_code {
        container["exitCode"] = code.into();
    }
    let mut task = json!({
        "attachments": [{"id": "a-1", "type": "eni", "status": "PRECREATED", "details": [{"name": "subnetId", "value": "s-1"}]}],
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "availabilityZone": "us-east-1b", "clusterArn": CLUSTER, "containers": [container], "cpu": "256",
        "createdAt": 1708715912.104, "desiredStatus": "RUNNING", "enableExecuteCommand": false,
        "ephemeralStorage": {"sizeInGiB": 20}, "group": "family:family", "lastStatus": status, "launchType": "FARGATE",
        "memory": "512", "overrides": {"containerOverrides": [{"name": "main"}]}, "platformVersion": "1.4.0",
        "taskArn": TASK, "taskDefinitionArn": "definition:17", "version": 1,
    });
    task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task
}

fn answer(tasks: &[Value], failures: &[Value]) -> String {
    ok(&json!({"tasks": tasks, "failures": failures}).to_string())
}

#[tokio::test]
async fn a_task_is_run_and_told_as_version_1_of_the_sdk_tells_it() {
    let stub = Stub::saying(&[answer(&[described("PROVISIONING", None, json!({}))], &[])]).await;
    let result = told(&stub.connectors().start(task(RUN, parameters())).await);
    insta::assert_snapshot!(format!("{}\n{result}", stub.bodies()[0]), @r#"
    {"cluster":"arn:aws:ecs:us-east-1:000000000000:cluster/c","taskDefinition":"family","launchType":"FARGATE","platformVersion":"1.4.0","networkConfiguration":{"awsvpcConfiguration":{"subnets":["s-1"],"securityGroups":["g-1"]}},"clientToken":"key-1"}
    succeeded {"Failures":[],"SdkHttpMetadata":{"AllHttpHeaders":{"Content-Length":["895"],"Content-Type":["application/x-amz-json-1.0"],"x-amzn-RequestId":["id-1"]},"HttpHeaders":{"Content-Length":"895","Content-Type":"application/x-amz-json-1.0","x-amzn-RequestId":"id-1"},"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"id-1"},"Tasks":[{"Attachments":[{"Details":[{"Name":"subnetId","Value":"s-1"}],"Id":"a-1","Status":"PRECREATED","Type":"eni"}],"Attributes":[{"Name":"ecs.cpu-architecture","Value":"x86_64"}],"AvailabilityZone":"us-east-1b","ClusterArn":"arn:aws:ecs:us-east-1:000000000000:cluster/c","Containers":[{"ContainerArn":"container-1","Cpu":"0","GpuIds":[],"Image":"busybox","LastStatus":"PROVISIONING","ManagedAgents":[],"Name":"main","NetworkBindings":[],"NetworkInterfaces":[],"TaskArn":"arn:aws:ecs:us-east-1:000000000000:task/c/t-1"}],"Cpu":"256","CreatedAt":1708715912104,"DesiredStatus":"RUNNING","EnableExecuteCommand":false,"EphemeralStorage":{"SizeInGiB":20},"Group":"family:family","InferenceAccelerators":[],"LastStatus":"PROVISIONING","LaunchType":"FARGATE","Memory":"512","Overrides":{"ContainerOverrides":[{"Command":[],"Environment":[],"EnvironmentFiles":[],"Name":"main","ResourceRequirements":[]}],"InferenceAcceleratorOverrides":[]},"PlatformVersion":"1.4.0","Tags":[],"TaskArn":"arn:aws:ecs:us-east-1:000000000000:task/c/t-1","TaskDefinitionArn":"definition:17","Version":1}]}
    "#);
}

#[tokio::test]
async fn a_task_that_is_not_started_fails_whoever_waits_for_it() {
    let failure =
        json!({"arn": "arn:aws:ecs:us-east-1:000000000000:container-instance/i", "reason": "RESOURCE:MEMORY"});
    let stub = Stub::saying(&[answer(&[], &[failure])]).await;
    let mut story = String::new();
    for pattern in ["", ".sync", ".waitForTaskToken"] {
        let result = told(&stub.connectors().start(task(&format!("{RUN}{pattern}"), parameters())).await);
        story.push_str(&format!("runTask{pattern}: {}\n", result.replace(&stub.url, "HOST")));
    }
    insta::assert_snapshot!(story, @r#"
    runTask: succeeded {"Failures":[{"Arn":"arn:aws:ecs:us-east-1:000000000000:container-instance/i","Reason":"RESOURCE:MEMORY"}],"SdkHttpMetadata":{"AllHttpHeaders":{"Content-Length":["118"],"Content-Type":["application/x-amz-json-1.0"],"x-amzn-RequestId":["id-1"]},"HttpHeaders":{"Content-Length":"118","Content-Type":"application/x-amz-json-1.0","x-amzn-RequestId":"id-1"},"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"id-1"},"Tasks":[]}
    runTask.sync: failed (Submit) AmazonECS.Unknown: {"Failures":[{"Arn":"arn:aws:ecs:us-east-1:000000000000:container-instance/i","Reason":"RESOURCE:MEMORY"}],"SdkHttpMetadata":{"AllHttpHeaders":{"Content-Length":["118"],"Content-Type":["application/x-amz-json-1.0"],"x-amzn-RequestId":["id-1"]},"HttpHeaders":{"Content-Length":"118","Content-Type":"application/x-amz-json-1.0","x-amzn-RequestId":"id-1"},"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"id-1"},"Tasks":[]}
    runTask.waitForTaskToken: failed (Submit) AmazonECS.Unknown: {"Failures":[{"Arn":"arn:aws:ecs:us-east-1:000000000000:container-instance/i","Reason":"RESOURCE:MEMORY"}],"SdkHttpMetadata":{"AllHttpHeaders":{"Content-Length":["118"],"Content-Type":["application/x-amz-json-1.0"],"x-amzn-RequestId":["id-1"]},"HttpHeaders":{"Content-Length":"118","Content-Type":"application/x-amz-json-1.0","x-amzn-RequestId":"id-1"},"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"id-1"},"Tasks":[]}
    "#);
}

#[tokio::test]
async fn a_job_is_followed_until_its_containers_have_stopped() {
    let now = jiff::Timestamp::now().as_millisecond() as f64 / 1000.0;
    let stopped = |code, more: Value| {
        let mut end =
            json!({"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"});
        end.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        answer(&[described("STOPPED", code, end)], &[])
    };
    let stub = Stub::saying(&[
        answer(&[described("RUNNING", None, json!({"createdAt": now - 3600.0}))], &[]),
        stopped(Some(0), json!({})),
        stopped(Some(3), json!({})),
        stopped(
            None,
            json!({"stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullContainerError: no such image"}),
        ),
        answer(&[], &[json!({"arn": TASK, "reason": "MISSING"})]),
        http(400, "", r#"{"__type":"ClusterNotFoundException","message":"Cluster not found."}"#),
    ])
    .await;
    let connectors = stub.connectors();
    let submitted = json!({"Tasks": [{"ClusterArn": CLUSTER, "TaskArn": TASK}]});
    let mut story = String::new();
    for _ in 0..6 {
        let job = job(task(&format!("{RUN}.sync"), parameters()), submitted.clone());
        let line = match connectors.follow(&job).await {
            Ok(followed) => stands(&followed),
            Err(unreachable) => format!("unreachable: {unreachable}"),
        };
        story.push_str(&format!("{line}\n"));
    }
    insta::assert_snapshot!(format!("{}\n{story}", stub.bodies()[0]), @r#"
    {"cluster":"arn:aws:ecs:us-east-1:000000000000:cluster/c","tasks":["arn:aws:ecs:us-east-1:000000000000:task/c/t-1"]}
    running, ask again after 10s
    succeeded {"Attachments":[{"Details":[{"Name":"subnetId","Value":"s-1"}],"Id":"a-1","Status":"PRECREATED","Type":"eni"}],"Attributes":[{"Name":"ecs.cpu-architecture","Value":"x86_64"}],"AvailabilityZone":"us-east-1b","ClusterArn":"arn:aws:ecs:us-east-1:000000000000:cluster/c","Containers":[{"ContainerArn":"container-1","Cpu":"0","ExitCode":0,"GpuIds":[],"Image":"busybox","LastStatus":"STOPPED","ManagedAgents":[],"Name":"main","NetworkBindings":[],"NetworkInterfaces":[],"TaskArn":"arn:aws:ecs:us-east-1:000000000000:task/c/t-1"}],"Cpu":"256","CreatedAt":1708715912104,"DesiredStatus":"RUNNING","EnableExecuteCommand":false,"EphemeralStorage":{"SizeInGiB":20},"Group":"family:family","InferenceAccelerators":[],"LastStatus":"STOPPED","LaunchType":"FARGATE","Memory":"512","Overrides":{"ContainerOverrides":[{"Command":[],"Environment":[],"EnvironmentFiles":[],"Name":"main","ResourceRequirements":[]}],"InferenceAcceleratorOverrides":[]},"PlatformVersion":"1.4.0","StopCode":"EssentialContainerExited","StoppedReason":"Essential container in task exited","Tags":[],"TaskArn":"arn:aws:ecs:us-east-1:000000000000:task/c/t-1","TaskDefinitionArn":"definition:17","Version":1}
    failed States.TaskFailed: {"Attachments":[{"Details":[{"Name":"subnetId","Value":"s-1"}],"Id":"a-1","Status":"PRECREATED","Type":"eni"}],"Attributes":[{"Name":"ecs.cpu-architecture","Value":"x86_64"}],"AvailabilityZone":"us-east-1b","ClusterArn":"arn:aws:ecs:us-east-1:000000000000:cluster/c","Containers":[{"ContainerArn":"container-1","Cpu":"0","ExitCode":3,"GpuIds":[],"Image":"busybox","LastStatus":"STOPPED","ManagedAgents":[],"Name":"main","NetworkBindings":[],"NetworkInterfaces":[],"TaskArn":"arn:aws:ecs:us-east-1:000000000000:task/c/t-1"}],"Cpu":"256","CreatedAt":1708715912104,"DesiredStatus":"RUNNING","EnableExecuteCommand":false,"EphemeralStorage":{"SizeInGiB":20},"Group":"family:family","InferenceAccelerators":[],"LastStatus":"STOPPED","LaunchType":"FARGATE","Memory":"512","Overrides":{"ContainerOverrides":[{"Command":[],"Environment":[],"EnvironmentFiles":[],"Name":"main","ResourceRequirements":[]}],"InferenceAcceleratorOverrides":[]},"PlatformVersion":"1.4.0","StopCode":"EssentialContainerExited","StoppedReason":"Essential container in task exited","Tags":[],"TaskArn":"arn:aws:ecs:us-east-1:000000000000:task/c/t-1","TaskDefinitionArn":"definition:17","Version":1}
    failed States.TaskFailed: {"Attachments":[{"Details":[{"Name":"subnetId","Value":"s-1"}],"Id":"a-1","Status":"PRECREATED","Type":"eni"}],"Attributes":[{"Name":"ecs.cpu-architecture","Value":"x86_64"}],"AvailabilityZone":"us-east-1b","ClusterArn":"arn:aws:ecs:us-east-1:000000000000:cluster/c","Containers":[{"ContainerArn":"container-1","Cpu":"0","GpuIds":[],"Image":"busybox","LastStatus":"STOPPED","ManagedAgents":[],"Name":"main","NetworkBindings":[],"NetworkInterfaces":[],"TaskArn":"arn:aws:ecs:us-east-1:000000000000:task/c/t-1"}],"Cpu":"256","CreatedAt":1708715912104,"DesiredStatus":"RUNNING","EnableExecuteCommand":false,"EphemeralStorage":{"SizeInGiB":20},"Group":"family:family","InferenceAccelerators":[],"LastStatus":"STOPPED","LaunchType":"FARGATE","Memory":"512","Overrides":{"ContainerOverrides":[{"Command":[],"Environment":[],"EnvironmentFiles":[],"Name":"main","ResourceRequirements":[]}],"InferenceAcceleratorOverrides":[]},"PlatformVersion":"1.4.0","StopCode":"TaskFailedToStart","StoppedReason":"CannotPullContainerError: no such image","Tags":[],"TaskArn":"arn:aws:ecs:us-east-1:000000000000:task/c/t-1","TaskDefinitionArn":"definition:17","Version":1}
    running, ask again after 10s
    unreachable: DescribeTasks: ClusterNotFoundException: Cluster not found.
    "#);
}

#[tokio::test]
async fn a_job_is_stopped() {
    let stub =
        Stub::saying(&[ok("{}"), http(400, "", r#"{"__type":"InvalidParameterException","message":"not found"}"#)])
            .await;
    let job =
        job(task(&format!("{RUN}.sync"), parameters()), json!({"Tasks": [{"ClusterArn": CLUSTER, "TaskArn": TASK}]}));
    assert!(stub.connectors().cancel(&job).await.is_ok());
    assert!(stub.connectors().cancel(&job).await.is_ok(), "what is gone has stopped");
    insta::assert_snapshot!(stub.bodies()[0], @r#"{"cluster":"arn:aws:ecs:us-east-1:000000000000:cluster/c","task":"arn:aws:ecs:us-east-1:000000000000:task/c/t-1","reason":"The Task state in AWS Step Functions execution [arn:aws:states:us-east-1:000000000000:execution:m:e] which was managing this resource was aborted"}"#);
}

#[test]
fn a_state_that_waits_has_one_task() {
    let connectors = connectors(&[]);
    let mistake = |pattern: &str, count: Value| {
        let mut parameters = parameters();
        parameters["Count"] = count;
        connectors.mistake(&Resource::parse(&format!("{RUN}{pattern}")), &parameters.into())
    };
    assert_eq!((mistake(".sync", json!(1)), mistake("", json!(2))), (None, None));
    insta::assert_snapshot!(mistake(".sync", json!(2)).unwrap(), @"The value for the field 'Count' must be 1 where the state waits for the job, not 2");
}

#[tokio::test]
async fn errors_have_the_names_of_version_1() {
    let mut story = String::new();
    for code in ["InvalidParameterException", "ClientException", "AccessDeniedException", "Unknown"] {
        let body = json!({"__type": code, "message": "said"}).to_string();
        let stub = Stub::saying(&[http(400, "", &body), ok("{}")]).await;
        let result = told(&stub.connectors().start(task(&format!("{RUN}.sync"), parameters())).await);
        story.push_str(&format!("{code}: {}\n", result.split("; Request").next().unwrap()));
    }
    insta::assert_snapshot!(story, @"
    InvalidParameterException: failed (Submit) ECS.InvalidParameterException: said (Service: AmazonECS; Status Code: 400; Error Code: InvalidParameterException
    ClientException: failed (Submit) ECS.ClientException: said (Service: AmazonECS; Status Code: 400; Error Code: ClientException
    AccessDeniedException: failed (Submit) ECS.AccessDeniedException: said (Service: AmazonECS; Status Code: 400; Error Code: AccessDeniedException
    Unknown: failed (Submit) ECS.AmazonECSException: said (Service: AmazonECS; Status Code: 400; Error Code: Unknown
    ");
}
