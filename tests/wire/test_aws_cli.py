"""The AWS CLI (v1) as a user types it, with `--endpoint-url`."""

import json
import pathlib
import subprocess
import sys

import pytest
from world import PASS, ROLE, ask, environment, states, unique

AWS = pathlib.Path(sys.executable).with_name("aws")


@pytest.fixture
def aws(server, tmp_path):
    def call(service, *words, fails=False):
        command = [AWS, service, *map(str, words), "--endpoint-url", server.url, "--output", "json"]
        env = environment(HOME=str(tmp_path))
        done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=tmp_path, timeout=60)
        if fails:
            assert done.returncode != 0, done.stdout
            return done.stderr.strip()
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    return call


def test_an_execution_by_hand(aws, tmp_path, server):
    (tmp_path / "m.json").write_text(json.dumps(PASS))
    name = unique("cli")
    made = ("--name", name, "--role-arn", ROLE, "--definition", "file://m.json")
    machine = aws("stepfunctions", "create-state-machine", *made)["stateMachineArn"]
    started = aws("stepfunctions", "start-execution", "--state-machine-arn", machine, "--input", '{"a": 1}')
    execution = started["executionArn"]
    server.ended(execution)
    described = aws("stepfunctions", "describe-execution", "--execution-arn", execution)
    assert (described["status"], described["output"]) == ("SUCCEEDED", '{"a": 1}')
    history = aws("stepfunctions", "get-execution-history", "--execution-arn", execution, "--max-items", 2)
    assert [event["type"] for event in history["events"]] == ["ExecutionStarted", "PassStateEntered"] and history[
        "NextToken"
    ]
    told = aws("stepfunctions", "describe-execution", "--execution-arn", execution + "x", fails=True)
    assert "(ExecutionDoesNotExist) when calling the DescribeExecution operation: Execution Does Not Exist: '" in told


def test_a_callback_by_hand(aws, server):
    queue = aws("sqs", "create-queue", "--queue-name", unique("cli"))["QueueUrl"]
    execution = server.begin(states(Ask=ask(queue)))
    message = aws("sqs", "receive-message", "--queue-url", queue, "--wait-time-seconds", 10)["Messages"][0]
    token = json.loads(message["Body"])["token"]
    assert aws("stepfunctions", "send-task-heartbeat", "--task-token", token) is None
    aws("stepfunctions", "send-task-success", "--task-token", token, "--task-output", '{"said": "yes"}')
    assert server.ended(execution)["output"] == '{"said": "yes"}'
    aws("sqs", "delete-message", "--queue-url", queue, "--receipt-handle", message["ReceiptHandle"])


def test_a_topic_and_a_job_by_hand(aws, server):
    topic = aws("sns", "create-topic", "--name", unique("cli"))["TopicArn"]
    queue = server.queue()
    arn = server.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws("sns", "subscribe", "--topic-arn", topic, "--protocol", "sqs", "--notification-endpoint", arn)
    published = aws("sns", "publish", "--topic-arn", topic, "--message", "hello")
    assert json.loads(server.receive(queue)["Body"])["MessageId"] == published["MessageId"]
    jobs, definition = server.job_queue(), server.job_definition("work.sh", "sum", "1", "2")
    submitted = ("--job-name", "by-hand", "--job-queue", jobs, "--job-definition", definition)
    job = aws("batch", "submit-job", *submitted)["jobId"]
    server.job_ended(job)
    assert aws("batch", "describe-jobs", "--jobs", job)["jobs"][0]["status"] == "SUCCEEDED"
