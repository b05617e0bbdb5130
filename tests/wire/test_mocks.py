"""Test cases of a mock configuration, against the binary: nothing outside is called."""

import json
import subprocess
import time

import pytest
import world

NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}


def machine(states, start="A"):
    return json.dumps({"StartAt": start, "States": states})


def task(resource, parameters=None, **more):
    state = {"Type": "Task", "Resource": resource, **more}
    if parameters is not None:
        state["Parameters"] = parameters
    if "Next" not in more:
        state["End"] = True
    return state


SQS = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
MESSAGE = {"QueueUrl": "q", "MessageBody": {"Token.$": "$$.Task.Token"}}


@pytest.fixture
def mocked(tmp_path, fresh):
    """A server with a mock configuration that a test writes."""
    path = tmp_path / "mock.json"
    path.write_text("{}")
    server = fresh(laptop=False, env={"SFN_MOCK_CONFIG": str(path), **NOWHERE})
    server.start()
    return server, path


def create(client, name, definition):
    role = world.ROLE
    return client.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]


def outcome(client, arn):
    end = time.monotonic() + world.SOON
    while time.monotonic() < end:
        described = client.describe_execution(executionArn=arn)
        if described["status"] != "RUNNING":
            return described
        time.sleep(0.02)
    raise AssertionError("the execution does not end")


def events(client, arn):
    return [event["type"] for event in client.get_execution_history(executionArn=arn)["events"]]


def test_tasks_callbacks_jobs_and_activities_are_played(mocked):
    server, path = mocked
    client = server.client("stepfunctions")
    activity = client.create_activity(name="work")["activityArn"]
    batch = {"JobName": "j", "JobQueue": "q", "JobDefinition": "d"}
    retry = [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 1, "BackoffRate": 1}]
    arn = create(
        client,
        "Orders",
        machine(
            {
                "A": task("arn:aws:states:::lambda:invoke", {"FunctionName": "f"}, Retry=retry, ResultPath="$.a", Next="B"),
                "B": task(SQS, MESSAGE, ResultPath="$.b", Next="C"),
                "C": task("arn:aws:states:::batch:submitJob.sync", batch, ResultPath="$.c", Next="D"),
                "D": task(activity, ResultPath="$.d"),
            }
        ),
    )
    throw = {"Throw": {"Error": "Lambda.TooManyRequestsException", "Cause": "later"}}
    config = {
        "StateMachines": {"Orders": {"TestCases": {"Happy": {"A": "Function", "B": "Told", "C": "Job", "D": "Worked"}}}},
        "MockedResponses": {
            "Function": {"0-1": throw, "2": {"Return": {"StatusCode": 200, "Payload": 1}}},
            "Told": {"0": {"Return": "told"}},
            "Job": {"0": {"Return": {"Status": "SUCCEEDED"}}},
            "Worked": {"0": {"Return": [1]}},
        },
    }
    path.write_text(json.dumps(config))
    execution = client.start_execution(stateMachineArn=f"{arn}#Happy", input="{}")["executionArn"]
    described = outcome(client, execution)
    assert described["status"] == "SUCCEEDED", described
    expected = {"a": {"StatusCode": 200, "Payload": 1}, "b": "told", "c": {"Status": "SUCCEEDED"}, "d": [1]}
    assert json.loads(described["output"]) == expected
    assert described["stateMachineArn"] == arn
    types = events(client, execution)
    assert types.count("TaskFailed") == 2 and types.count("TaskSubmitted") == 2
    assert types[-5:-1] == ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded", "TaskStateExited"]


def test_express_executions_take_part(mocked):
    server, path = mocked
    client = server.client("stepfunctions")
    retry = [{"ErrorEquals": ["Lambda.TooManyRequestsException"], "IntervalSeconds": 1}]
    function = task("arn:aws:states:::lambda:invoke", {"FunctionName": "f"}, Retry=retry, ResultPath="$.a", Next="B")
    states = {"A": function, "B": task("arn:aws:states:::sns:publish", {"Message": "m", "TopicArn": "t"})}
    arn = client.create_state_machine(
        name="Quick", definition=machine(states), roleArn=world.ROLE, type="EXPRESS"
    )["stateMachineArn"]
    throw = {"Throw": {"Error": "Lambda.TooManyRequestsException", "Cause": "later"}}
    config = {
        "StateMachines": {"Quick": {"TestCases": {"Happy": {"A": "Function", "B": "Sent"}, "Lost": {"A": "Broken"}}}},
        "MockedResponses": {
            "Function": {"0": throw, "1": {"Return": {"StatusCode": 200, "Payload": {"ok": True}}}},
            "Sent": {"0": {"Return": {"MessageId": "1"}}},
            "Broken": {"0": {"Throw": {"Error": "E", "Cause": "c"}}},
        },
    }
    path.write_text(json.dumps(config))
    done = client.start_sync_execution(stateMachineArn=f"{arn}#Happy", input="{}")
    assert (done["status"], json.loads(done["output"])) == ("SUCCEEDED", {"MessageId": "1"})
    done = client.start_sync_execution(stateMachineArn=f"{arn}#Lost", input="{}")
    assert (done["status"], done["error"], done["cause"]) == ("FAILED", "E", "c")
    execution = client.start_execution(stateMachineArn=f"{arn}#Happy", input="{}")["executionArn"]
    shown = execution.replace(":express:", ":execution:")

    def ended():
        try:
            return client.describe_execution(executionArn=shown)
        except client.exceptions.ExecutionDoesNotExist:
            return None  # It is shown when it has ended.

    described = world.eventually(ended, bool)
    assert (described["status"], json.loads(described["output"])) == ("SUCCEEDED", {"MessageId": "1"})
    assert events(client, shown).count("TaskFailed") == 1
    with pytest.raises(client.exceptions.InvalidName):
        client.start_sync_execution(stateMachineArn=f"{arn}#None", input="{}")


def test_a_case_survives_a_kill(mocked):
    server, path = mocked
    client = server.client("stepfunctions")
    wait = {"Type": "Wait", "Seconds": 2, "Next": "A"}
    arn = create(client, "Killed", machine({"W": wait, "A": task(SQS, MESSAGE)}, start="W"))
    path.write_text(
        json.dumps(
            {
                "StateMachines": {"Killed": {"TestCases": {"C": {"A": "R"}}}},
                "MockedResponses": {"R": {"0": {"Throw": {"Error": "E"}}}},
            }
        )
    )
    execution = client.start_execution(stateMachineArn=f"{arn}#C")["executionArn"]
    server.kill()
    server.start()
    described = outcome(server.client("stepfunctions"), execution)
    assert (described["status"], described["error"]) == ("FAILED", "E")


def test_what_cannot_be_played_is_told(mocked):
    server, path = mocked
    client = server.client("stepfunctions")
    arn = create(client, "Told", machine({"A": task(SQS, MESSAGE)}))
    for text, says in [
        ("{}", "has no state machine Told"),
        ('{"StateMachines": {"Told": {"TestCases": {"X": {}}}}}', "has no test case C in StateMachines.Told.TestCases"),
        ("{broken", "key must be a string at line 1 column 2"),
    ]:
        path.write_text(text)
        with pytest.raises(client.exceptions.InvalidName) as refused:
            client.start_execution(stateMachineArn=f"{arn}#C")
        assert says in str(refused.value) and str(path) in str(refused.value)


def test_run_plays_a_case(tmp_path):
    definition, mocks = tmp_path / "order.asl.json", tmp_path / "mocks.json"
    definition.write_text(machine({"A": task("arn:aws:states:::sns:publish", {"Message": "m", "TopicArn": "t"})}))
    mocks.write_text(
        json.dumps(
            {
                "StateMachines": {"order": {"TestCases": {"Sent": {"A": "R"}}}},
                "MockedResponses": {"R": {"0": {"Return": {"MessageId": "1"}}}},
            }
        )
    )
    run = [world.BINARY, "run", definition, "--mock", mocks, "--case"]
    done = subprocess.run([*run, "Sent"], capture_output=True, text=True, env=world.environment(**NOWHERE), timeout=60)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"MessageId": "1"}), done.stderr
    done = subprocess.run([*run, "Lost"], capture_output=True, text=True, env=world.environment(**NOWHERE), timeout=60)
    assert done.returncode == 2 and "has no test case Lost" in done.stderr, done.stderr
    mocks.write_text("[]")
    done = subprocess.run([*run, "Sent"], capture_output=True, text=True, env=world.environment(**NOWHERE), timeout=60)
    assert done.returncode == 2 and "the mock configuration" in done.stderr, done.stderr
