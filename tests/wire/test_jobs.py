"""`batch:submitJob` in its patterns, with real processes as jobs: their results, failures, timeouts, and their end when
the execution ends."""

import json
import os
import re
import time

import pytest
from world import check_history, eventually, output, states, task, unique


@pytest.fixture(scope="module")
def queue(server):
    return server.job_queue()


def submit(queue, definition, pattern=".sync", name="job", more=None, **fields):
    parameters = {"JobName": name, "JobQueue": queue, "JobDefinition": definition, **(more or {})}
    return task(f"batch:submitJob{pattern}", parameters, **fields)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] != "Z"


def pid_of(server, job_id):
    """The process of a job that has told its number."""

    def look():
        job = server.job(job_id)
        if "logStreamName" not in job.get("container", {}):
            return None
        try:
            return re.search(r"pid (\d+)", server.job_log(job))
        except FileNotFoundError:
            return None

    return int(eventually(look, lambda found: found is not None)[1])


def test_a_job_that_succeeds(server, queue):
    job = submit(
        queue,
        server.job_definition("work.sh", "sum", "Ref::a", "Ref::b"),
        more={"Parameters": {"a.$": "$.a", "b.$": "$.b"}},
        ResultPath="$.job",
    )
    arn = server.begin(states(Sum=job), {"a": "40", "b": "2"})
    told = output(server.ended(arn))
    assert (told["job"]["Status"], told["job"]["Container"]["ExitCode"]) == ("SUCCEEDED", 0)
    assert server.job_log(server.job(told["job"]["JobId"])) == "sum 42\n"
    events = server.events(arn)
    check_history(events)
    assert [event["type"] for event in events[2:6]] == [
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
    ]
    submitted = json.loads(events[4]["taskSubmittedEventDetails"]["output"])
    assert submitted["JobId"] == told["job"]["JobId"] and submitted["SdkHttpMetadata"]["HttpStatusCode"] == 200
    assert events[5]["taskSucceededEventDetails"]["resource"] == "submitJob.sync"


def test_a_job_that_fails(server, queue):
    job = submit(queue, server.job_definition("work.sh", "fail", "7", "no paper"))
    described = server.run(states(Fail=job))
    assert (described["status"], described["error"]) == ("FAILED", "States.TaskFailed")
    cause = json.loads(described["cause"])
    assert (cause["Status"], cause["Container"]["ExitCode"]) == ("FAILED", 7)
    assert cause["StatusReason"] == "Essential container in task exited"
    assert server.job_log(server.job(cause["JobId"])) == "cannot: no paper\n"


def test_a_job_is_tried_as_often_as_its_strategy_says(server, queue):
    definition = server.job_definition("work.sh", "fail", "1", "again", attempts=3)
    cause = json.loads(server.run(states(Fail=submit(queue, definition)))["cause"])
    assert len(cause["Attempts"]) == 3


def test_a_job_runs_alone_in_an_empty_directory(server, queue):
    job = submit(
        queue,
        server.job_definition("work.sh", "where"),
        more={"ContainerOverrides": {"Environment": [{"Name": "GREETING", "Value.$": "$.word"}]}},
    )
    told = output(server.run(states(Where=job), {"word": "hello"}))
    assert server.job_log(server.job(told["JobId"])) == "1 hello 1 0\n"


def test_an_image_that_is_not_mapped_says_so(server, queue):
    definition = server.job_definition("anything", image="nobody/knows:1")
    described = server.run(states(Run=submit(queue, definition)))
    cause = json.loads(described["cause"])
    assert "nobody/knows:1 is not mapped to a folder" in cause["StatusReason"], cause["StatusReason"]


def test_request_response_does_not_wait(server, queue):
    definition = server.job_definition("work.sh", "sleep", "600")
    told = output(server.run(states(Submit=submit(queue, definition, pattern=""))))
    job = server.job(told["JobId"])
    assert job["status"] not in ("SUCCEEDED", "FAILED")
    server.batch.terminate_job(jobId=told["JobId"], reason="the test is over")
    job = server.job_ended(told["JobId"])
    assert (job["status"], job["statusReason"]) == ("FAILED", "the test is over")


def test_stopping_the_execution_ends_the_job(server, queue):
    arn = server.begin(states(Sleep=submit(queue, server.job_definition("work.sh", "sleep", "600", attempts=5))))
    submitted = server.reached(arn, "TaskSubmitted")["taskSubmittedEventDetails"]
    job_id = json.loads(submitted["output"])["JobId"]
    pid = pid_of(server, job_id)
    assert alive(pid)
    server.sfn.stop_execution(executionArn=arn)
    job = server.job_ended(job_id)
    assert (job["status"], len(job["attempts"])) == ("FAILED", 1)
    assert arn in job["statusReason"], "it says which execution was stopped"
    eventually(lambda: alive(pid), lambda lives: not lives)
    assert server.ended(arn)["status"] == "ABORTED"
    check_history(server.events(arn))


def test_a_state_that_times_out_ends_its_job(server, queue):
    job = submit(queue, server.job_definition("work.sh", "sleep", "600"), TimeoutSeconds=1)
    described = server.run(states(Sleep=job))
    assert (described["status"], described["error"]) == ("FAILED", "States.Timeout")
    submitted = next(e for e in server.events(described["executionArn"]) if e["type"] == "TaskSubmitted")
    job_id = json.loads(submitted["taskSubmittedEventDetails"]["output"])["JobId"]
    assert server.job_ended(job_id)["status"] == "FAILED"


def test_a_branch_that_fails_ends_the_job_of_the_other(server, queue):
    sleep = submit(queue, server.job_definition("work.sh", "sleep", "600"), name=unique("other"))
    fail = states(Wait={"Type": "Wait", "Seconds": 1}, Fail={"Type": "Fail", "Error": "Enough"})
    arn = server.begin(states(Both={"Type": "Parallel", "Branches": [states(Sleep=sleep), fail]}))
    assert server.ended(arn)["error"] == "Enough"
    submitted = next(e for e in server.events(arn) if e["type"] == "TaskSubmitted")
    job_id = json.loads(submitted["taskSubmittedEventDetails"]["output"])["JobId"]
    assert server.job_ended(job_id)["status"] == "FAILED"


def test_what_batch_refuses_is_the_tasks_error(server, queue):
    described = server.run(states(Submit=submit(queue, "no-such-definition")))
    assert (described["status"], described["error"]) == ("FAILED", "Batch.ClientException")
    assert "JobDefinition no-such-definition not found." in described["cause"], described["cause"]
    assert "(Service: AWSBatch; Status Code: 400; Error Code: ClientException;" in described["cause"]
    types = server.types(described["executionArn"])
    assert "TaskSubmitFailed" in types, types


def test_many_jobs_of_a_map(server, queue):
    definition = server.job_definition("work.sh", "sum", "1", "Ref::n")
    parameters = {"Parameters": {"n.$": "States.Format('{}', $)"}}
    job = submit(queue, definition, more=parameters, ResultSelector={"id.$": "$.JobId"})
    begun = time.monotonic()
    told = output(server.run(states(All={"Type": "Map", "ItemProcessor": states(Sum=job)}), list(range(8))))
    assert [server.job_log(server.job(one["id"])) for one in told] == [f"sum {n + 1}\n" for n in range(8)]
    assert time.monotonic() - begun < 12
