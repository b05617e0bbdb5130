"""API Gateway and ECS, which no stand-in here plays: a scripted server answers as AWS did when these calls were
recorded, and the histories must be those of AWS, event by event. And EventBridge, which is told of status changes
unless the settings say otherwise."""

import http.server
import json
import subprocess
import time

import pytest
import world
from world import check_history, eventually, output, refusal, states, task

API = "abc123.execute-api.us-east-1.amazonaws.com"
CLUSTER = "arn:aws:ecs:us-east-1:000000000000:cluster/c"
TASK = "arn:aws:ecs:us-east-1:000000000000:task/c/t-1"


# What STS answers.
ASSUMED = """<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASSUMED</AccessKeyId>
<SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""

# Profiles of every kind that needs no service of AWS but STS.
PROFILES = """
[profile keys]
aws_access_key_id = FROMKEYS
aws_secret_access_key = s
[profile program]
credential_process = echo '{"Version": 1, "AccessKeyId": "FROMPROGRAM", "SecretAccessKey": "s"}'
[profile role]
role_arn = arn:aws:iam::000000000000:role/other
source_profile = keys
region = us-east-1
"""


class Scripted(http.server.BaseHTTPRequestHandler):
    """An API with one method that gives back its body, and an ECS whose task stops when it is looked at for the second
    time, or when somebody stops it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        target = self.headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        is_query = body.startswith(b"Action=")
        self.server.calls.append((target or self.path, None if is_query else json.loads(body or b"null")))
        self.server.signers.append(self.headers.get("authorization", "").partition("Credential=")[2].split("/")[0])
        if target:
            return self.answer(200, json.dumps(self.ecs(target)).encode(), "application/x-amz-json-1.1")
        if is_query:
            return self.answer(200, ASSUMED.encode(), "text/xml")
        if self.path != "/prod/id_func":
            return self.answer(403, b'{"message":"Missing Authentication Token"}', "application/json")
        self.answer(200, body or b"{}", "application/json")

    def ecs(self, target):
        looked = [call for call, _ in self.server.calls].count("DescribeTasks")
        ends = self.server.exit_code is not None and looked > 1
        container = {"containerArn": "c", "taskArn": TASK, "name": "main", "networkInterfaces": []}
        described = {
            "taskArn": TASK,
            "clusterArn": CLUSTER,
            "lastStatus": "STOPPED" if ends else "PROVISIONING",
            "createdAt": self.server.created_at,
            "overrides": {"containerOverrides": [{"name": "main"}]},
            "containers": [container | {"exitCode": self.server.exit_code} if ends else container],
        }
        if target == "PutEvents":
            return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}
        return {} if target == "StopTask" else {"tasks": [described], "failures": []}

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def scripted():
    with world.serving(Scripted) as scripted:
        scripted.signers = []
        scripted.exit_code = 0
        scripted.created_at = int(time.time())
        yield scripted


@pytest.fixture
def server(fresh, scripted, tmp_path):
    settings = tmp_path / "s.toml"
    settings.write_text("[events]\nstatus_changes = false\n")
    return fresh(laptop=False, env={"AWS_ENDPOINT_URL": scripted.url}, arguments=["--config", settings]).start()


def story(events):
    """What history tells, without times and what is everywhere."""
    dull = {"timestamp", "id", "previousEventId", "type"}
    details = lambda event: next((v for k, v in event.items() if k not in dull), {})
    return [(event["type"], details(event)) for event in events]


def invoke(**parameters):
    parameters = {"ApiEndpoint": API, "Method": "POST", "Stage": "prod", **parameters}
    return states(Invoke=task("apigateway:invoke", parameters))


@pytest.mark.parametrize("body", [None, "", "HelloWorld", {"message": "HelloWorld!"}])
def test_an_api_is_called(server, body):
    execution = server.begin(invoke(Path="id_func", RequestBody=body))
    result = output(server.ended(execution))
    assert result["ResponseBody"] == ({} if body is None else body)
    assert (result["StatusCode"], result["StatusText"]) == (200, "OK")
    assert result["Headers"]["Content-Type"] == ["application/json"]
    events = server.events(execution)
    check_history(events)
    parameters = {"ApiEndpoint": API, "Method": "POST", "Stage": "prod", "Path": "id_func", "RequestBody": body}
    told = dict(story(events))
    assert list(told) == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    scheduled = told["TaskScheduled"]
    assert json.loads(scheduled.pop("parameters")) == parameters
    assert scheduled == {"resourceType": "apigateway", "resource": "invoke", "region": "us-east-1"}
    assert told["TaskStarted"] == {"resourceType": "apigateway", "resource": "invoke"}
    assert set(told["TaskSucceeded"]) == {"resourceType", "resource", "output", "outputDetails"}


def test_an_api_that_refuses_fails_the_task(server):
    execution = server.begin(invoke(Path="id_funcinvalid", RequestBody="HelloWorld"))
    server.ended(execution)
    told = story(server.events(execution))
    failure = {"error": "ApiGateway.403", "cause": '{"message":"Missing Authentication Token"}'}
    assert told[4:] == [
        ("TaskFailed", {"resourceType": "apigateway", "resource": "invoke", **failure}),
        ("ExecutionFailed", failure),
    ]


def test_headers_that_are_no_lists_are_the_definitions_mistake(server):
    parameters = {"Path": "id_func", "Headers.$": "$.Headers"}
    execution = server.begin(invoke(**parameters), {"Headers": {"custom_header": "single"}})
    server.ended(execution)
    events = story(server.events(execution))
    assert [kind for kind, _ in events] == ["ExecutionStarted", "TaskStateEntered", "ExecutionFailed"]
    failure = events[2][1]
    assert failure["error"] == "States.Runtime"
    assert failure["cause"].startswith(
        "An error occurred while executing the state 'Invoke' (entered at the event id #2). The Parameters '{"
    )
    assert failure["cause"].endswith(
        "' could not be used to start the Task: [The value of the field 'Headers' has an invalid format]"
    )


def test_an_authorization_header_is_refused_at_creation(server):
    definition = json.dumps(invoke(Headers={"Authorization": ["me"], "X-Mine": ["x"]}))
    code, message = refusal(server.sfn.create_state_machine, name="m", definition=definition, roleArn=world.ROLE)
    assert code == "InvalidDefinition"
    assert "The 'Headers' field contains unsupported values: [authorization] at /States/Invoke/Parameters" in message


def run_task(pattern):
    parameters = {"Cluster": CLUSTER, "TaskDefinition": "family", "LaunchType": "FARGATE"}
    return states(Run=task(f"ecs:runTask{pattern}", parameters)), parameters


def test_a_task_of_ecs_is_run(server, scripted):
    definition, parameters = run_task("")
    execution = server.begin(definition)
    result = output(server.ended(execution))
    assert list(result) == ["Failures", "SdkHttpMetadata", "SdkResponseMetadata", "Tasks"]
    assert result["Tasks"][0]["Overrides"]["ContainerOverrides"] == [
        {"Command": [], "Environment": [], "EnvironmentFiles": [], "Name": "main", "ResourceRequirements": []}
    ]
    scheduled = dict(story(server.events(execution)))["TaskScheduled"]
    assert json.loads(scheduled["parameters"]) == parameters
    (target, sent), *more = scripted.calls
    assert (target, more, "startedBy" in sent) == ("RunTask", [], False) and sent["clientToken"]


@pytest.mark.parametrize("code", [0, 3])
def test_a_task_of_ecs_is_a_job(server, scripted, code):
    scripted.exit_code = code
    definition, parameters = run_task(".sync")
    execution = server.begin(definition)
    described = server.ended(execution)
    events = server.events(execution)
    check_history(events)
    told = dict(story(events))
    assert json.loads(told["TaskScheduled"]["parameters"]) == {**parameters, "StartedBy": "AWS Step Functions"}
    assert told["TaskScheduled"]["resource"] == "runTask.sync"
    assert json.loads(told["TaskSubmitted"]["output"])["Tasks"][0]["LastStatus"] == "PROVISIONING"
    if code == 0:
        result = output(described)
        assert list(told)[4:] == ["TaskSubmitted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]
    else:
        result = json.loads(told["TaskFailed"]["cause"])
        assert described["error"] == "States.TaskFailed"
        assert list(told)[4:] == ["TaskSubmitted", "TaskFailed", "ExecutionFailed"]
    assert (result["TaskArn"], result["LastStatus"]) == (TASK, "STOPPED")
    assert result["CreatedAt"] == scripted.created_at * 1000
    assert result["Containers"][0]["ExitCode"] == code
    assert scripted.calls[0][1]["startedBy"] == "AWS Step Functions"
    assert scripted.calls[1] == ("DescribeTasks", {"cluster": CLUSTER, "tasks": [TASK]})


def test_a_task_of_ecs_is_stopped_with_its_execution(server, scripted):
    scripted.exit_code = None
    execution = server.begin(run_task(".sync")[0])
    server.reached(execution, "TaskSubmitted")
    server.sfn.stop_execution(executionArn=execution)
    stops = lambda: [sent for target, sent in scripted.calls if target == "StopTask"]
    eventually(stops, bool)
    (stop,) = stops()
    assert (stop["cluster"], stop["task"]) == (CLUSTER, TASK)
    assert execution in stop["reason"]


def test_a_task_of_ecs_brings_the_token_back(server, scripted):
    override = {"Name": "main", "Environment": [{"Name": "TOKEN", "Value.$": "$$.Task.Token"}]}
    parameters = {"Cluster": CLUSTER, "TaskDefinition": "family", "Overrides": {"ContainerOverrides": [override]}}
    execution = server.begin(states(Run=task("ecs:runTask.waitForTaskToken", parameters)))
    server.reached(execution, "TaskSubmitted")
    (override,) = scripted.calls[0][1]["overrides"]["containerOverrides"]
    server.sfn.send_task_success(taskToken=override["environment"][0]["value"], output='"done"')
    assert output(server.ended(execution)) == "done"


def test_status_changes_are_told_unless_the_settings_say_otherwise(fresh, scripted, tmp_path):
    def told():
        sent = [sent["Entries"][0] for target, sent in scripted.calls if target == "PutEvents"]
        return [(entry["Source"], entry["Resources"], json.loads(entry["Detail"])["status"]) for entry in sent]

    for asked_for in ("", "[events]\nstatus_changes = false\n"):
        settings = tmp_path / "s.toml"
        settings.write_text(asked_for)
        server = fresh(laptop=False, env={"AWS_ENDPOINT_URL": scripted.url}, arguments=["--config", settings]).start()
        execution = server.begin(world.PASS)
        server.ended(execution)
        if not asked_for:
            heard = [("aws.states", [execution], status) for status in ("RUNNING", "SUCCEEDED")]
            eventually(told, lambda told: len(told) == 2)
        server.stop()
        assert told() == heard


def test_status_changes_that_nobody_can_hear_are_told_at_the_start(tmp_path):
    settings = tmp_path / "s.toml"
    settings.write_text("[events]\nstatus_changes = true\n")
    command = [world.BINARY, "serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data", "--config", settings]
    ended = subprocess.run(command, env=world.environment(), capture_output=True, text=True, timeout=30)
    assert ended.returncode != 0
    assert "events.status_changes: no endpoint for eventbridge" in ended.stderr


@pytest.mark.parametrize(
    ("source", "signers"),
    [
        ('profile = "keys"', ["FROMKEYS"]),
        ('profile = "program"', ["FROMPROGRAM"]),
        ('profile = "role"', ["FROMKEYS", "ASSUMED"]),
        ("assume = true", ["test", "ASSUMED"]),
    ],
)
def test_a_machines_role_has_the_credentials_of_the_settings(fresh, scripted, tmp_path, source, signers):
    settings, config = tmp_path / "s.toml", tmp_path / "aws.config"
    settings.write_text(f'events.status_changes = false\n[roles."{world.ROLE}"]\n{source}\n')
    config.write_text(PROFILES)
    env = {"AWS_ENDPOINT_URL": scripted.url, "AWS_ENDPOINT_URL_STS": scripted.url, "AWS_CONFIG_FILE": str(config)}
    server = fresh(laptop=False, env=env, arguments=["--config", settings]).start()
    definition, _ = run_task("")
    for _ in range(2):
        output(server.run(definition))
    assert scripted.signers == [*signers, signers[-1]], "they are found once"
