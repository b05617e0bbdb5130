"""RedriveExecution with boto3: what failed goes on, what succeeded is not done again, and a kill in between loses nothing."""

import random
import threading
import time

import botocore.exceptions
import pytest
from world import eventually, refusal, states, task, unique


def order(done, missing):
    """Both branches send a message; the second one's queue is not there yet."""
    send = lambda url: task("sqs:sendMessage", {"QueueUrl": url, "MessageBody.$": "$$.Execution.Name"})
    branches = [states(Send=send(done)), states(SendToo=send(missing))]
    return states(Both={"Type": "Parallel", "Branches": branches})


def messages(server, queue):
    """All that is in a queue, without waiting for more."""
    answer = server.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [message["Body"] for message in answer.get("Messages", [])]


@pytest.fixture
def failed(fresh):
    """A server, an execution that failed in one of two branches, and the queues of both; the second is there now."""
    server = fresh().start()
    done, name = server.queue(), unique("missing")
    missing = done.rsplit("/", 1)[0] + "/" + name
    arn = server.begin(order(done, missing))
    # A queue that is not there fails at once, and the other branch may be stopped before it has sent.
    assert server.ended(arn)["error"] == "SQS.QueueDoesNotExistException"
    server.sqs.create_queue(QueueName=name)
    return server, arn, done, missing


def test_what_failed_goes_on_and_what_succeeded_is_not_done_again(failed):
    server, arn, done, missing = failed
    before = server.events(arn)
    sent_before = server.types(arn).count("TaskSucceeded")
    redriven = server.sfn.redrive_execution(executionArn=arn, clientToken="one")["redriveDate"]
    described = server.ended(arn)
    assert (described["status"], described["redriveCount"], described["redriveDate"]) == ("SUCCEEDED", 1, redriven)
    events = server.events(arn)
    assert events[: len(before)] == before
    assert server.types(arn).count("TaskSucceeded") == 2
    assert len(messages(server, missing)) == 1
    if sent_before:
        assert len(messages(server, done)) == 1
    again = server.sfn.redrive_execution(executionArn=arn, clientToken="one")["redriveDate"]
    assert again == redriven
    assert refusal(server.sfn.redrive_execution, executionArn=arn)[0] == "ExecutionNotRedrivable"


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_during_a_redrive(failed, seed):
    server, arn, done, missing = failed
    before = server.events(arn)
    acknowledged = threading.Event()

    def redrive():
        try:
            server.sfn.redrive_execution(executionArn=arn, clientToken="one")
            acknowledged.set()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
            pass

    caller = threading.Thread(target=redrive)
    caller.start()
    time.sleep(random.Random(seed).random() * 0.02)
    server.kill()
    caller.join()
    server.start()
    if acknowledged.is_set():
        assert server.sfn.describe_execution(executionArn=arn)["redriveCount"] == 1
    # Whoever heard nothing asks again, with the same token.
    server.sfn.redrive_execution(executionArn=arn, clientToken="one")
    described = server.ended(arn)
    assert (described["status"], described["redriveCount"]) == ("SUCCEEDED", 1)
    events = server.events(arn)
    assert events[: len(before)] == before
    assert [event["type"] for event in events].count("ExecutionRedriven") == 1
    eventually(lambda: messages(server, missing), lambda found: found)
