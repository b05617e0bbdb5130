"""Task tokens and activities: success, failure, heartbeats, timeouts, late and wrong tokens, long polls."""

import json
import threading
import time

import botocore.exceptions
import pytest
from world import ask, check_history, eventually, output, refusal, states, task, unique

TIMED_OUT = ("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")


def token_of(server, queue):
    return json.loads(server.receive(queue)["Body"])["token"]


@pytest.fixture
def queue(server):
    return server.queue()


@pytest.fixture
def activity(server):
    return server.sfn.create_activity(name=unique("activity"))["activityArn"]


def poll(server, activity, **more):
    return server.sfn.get_activity_task(activityArn=activity, **more)


def test_a_callback_succeeds_once(server, queue):
    arn = server.begin(states(Ask=ask(queue, ResultPath="$.answer")), {"kept": 1})
    token = token_of(server, queue)
    assert 0 < len(token) <= 2048
    server.sfn.send_task_success(taskToken=token, output='{"said": "yes"}')
    assert output(server.ended(arn)) == {"kept": 1, "answer": {"said": "yes"}}
    events = server.events(arn)
    check_history(events)
    assert [e["type"] for e in events[2:6]] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
    assert json.loads(events[2]["taskScheduledEventDetails"]["parameters"])["MessageBody"]["token"] == token
    assert events[5]["taskSucceededEventDetails"]["output"] == '{"said": "yes"}'
    for call in (
        lambda: server.sfn.send_task_success(taskToken=token, output="{}"),
        lambda: server.sfn.send_task_failure(taskToken=token),
        lambda: server.sfn.send_task_heartbeat(taskToken=token),
    ):
        assert refusal(call) == TIMED_OUT
    assert server.events(arn) == events


def test_a_callback_fails(server, queue):
    caught = ask(queue, Catch=[{"ErrorEquals": ["No"], "Next": "Told"}])
    arn = server.begin(states(Ask=caught, Told={"Type": "Pass"}))
    server.sfn.send_task_failure(taskToken=token_of(server, queue), error="No", cause="Because")
    assert output(server.ended(arn)) == {"Error": "No", "Cause": "Because"}

    arn = server.begin(states(Ask=ask(queue)))
    server.sfn.send_task_failure(taskToken=token_of(server, queue))
    described = server.ended(arn)
    assert described["status"] == "FAILED" and "error" not in described and "cause" not in described
    details = server.events(arn)[-2]["taskFailedEventDetails"]
    assert details == {"resourceType": "sqs", "resource": "sendMessage.waitForTaskToken"}


def test_a_retried_callback_has_a_new_token(server, queue):
    retried = ask(queue, Retry=[{"ErrorEquals": ["Again"], "IntervalSeconds": 1, "MaxAttempts": 2}])
    arn = server.begin(states(Ask=retried))
    first = token_of(server, queue)
    server.sfn.send_task_failure(taskToken=first, error="Again")
    second = token_of(server, queue)
    assert first != second
    assert refusal(server.sfn.send_task_success, taskToken=first, output="1") == TIMED_OUT
    server.sfn.send_task_success(taskToken=second, output="2")
    assert output(server.ended(arn)) == 2


def test_heartbeats_keep_a_task_and_their_absence_ends_it(server, queue):
    arn = server.begin(states(Ask=ask(queue, HeartbeatSeconds=1, TimeoutSeconds=60)))
    token = token_of(server, queue)
    for _ in range(6):
        time.sleep(0.3)
        server.sfn.send_task_heartbeat(taskToken=token)
    silent_since = time.monotonic()
    assert server.sfn.describe_execution(executionArn=arn)["status"] == "RUNNING"
    described = server.ended(arn)
    assert 0.7 < time.monotonic() - silent_since < 4
    assert (described["status"], described["error"]) == ("FAILED", "States.Timeout") and "cause" not in described
    event = server.events(arn)[-2]
    assert event["type"] == "TaskTimedOut"
    assert event["taskTimedOutEventDetails"] == {
        "error": "States.Timeout",
        "resource": "sendMessage.waitForTaskToken",
        "resourceType": "sqs",
    }
    assert refusal(server.sfn.send_task_heartbeat, taskToken=token) == TIMED_OUT


def test_a_task_times_out_though_it_beats(server, queue):
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Told"}]
    caught = ask(queue, HeartbeatSeconds=1, TimeoutSeconds=2, Catch=catch)
    arn = server.begin(states(Ask=caught, Told={"Type": "Pass"}))
    token = token_of(server, queue)
    over = threading.Event()

    def beat():
        while not over.wait(0.3):
            try:
                server.sfn.send_task_heartbeat(taskToken=token)
            except server.sfn.exceptions.TaskTimedOut:
                return

    thread = threading.Thread(target=beat)
    thread.start()
    described = server.ended(arn)
    over.set()
    thread.join()
    assert output(described)["Error"] == "States.Timeout"
    assert 2 <= (described["stopDate"] - described["startDate"]).total_seconds() < 5


@pytest.mark.parametrize("token", ["nonsense", "A" * 200, "x"])
def test_tokens_that_were_never_given_are_refused(server, token):
    for call in (
        lambda: server.sfn.send_task_success(taskToken=token, output="{}"),
        lambda: server.sfn.send_task_failure(taskToken=token),
        lambda: server.sfn.send_task_heartbeat(taskToken=token),
    ):
        code, message = refusal(call)
        assert code == "InvalidToken" and message.startswith("Invalid Token: 'Invalid token'"), message


def test_a_changed_token_is_refused(server, queue):
    arn = server.begin(states(Ask=ask(queue)))
    token = token_of(server, queue)
    for at in (0, len(token) // 2, len(token) - 3):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert refusal(server.sfn.send_task_success, taskToken=changed, output="{}")[0] == "InvalidToken"
    server.sfn.stop_execution(executionArn=arn)
    assert refusal(server.sfn.send_task_success, taskToken=token, output="{}") == TIMED_OUT


def test_an_output_must_be_json(server, queue):
    arn = server.begin(states(Ask=ask(queue)))
    token = token_of(server, queue)
    code, _ = refusal(server.sfn.send_task_success, taskToken=token, output="not json")
    assert code == "InvalidOutput"
    server.sfn.send_task_success(taskToken=token, output='"now it is"')
    assert output(server.ended(arn)) == "now it is"


# Activities.


def test_an_activity_worker_at_work(server, activity):
    arn = server.begin(states(Work=task(activity, TimeoutSeconds=30, HeartbeatSeconds=10)), {"n": 1})
    given = poll(server, activity, workerName="ann")
    assert json.loads(given["input"]) == {"n": 1}
    server.sfn.send_task_heartbeat(taskToken=given["taskToken"])
    server.sfn.send_task_success(taskToken=given["taskToken"], output='{"n": 2}')
    assert output(server.ended(arn)) == {"n": 2}
    events = server.events(arn)
    check_history(events)
    assert [e["type"] for e in events[2:5]] == ["ActivityScheduled", "ActivityStarted", "ActivitySucceeded"]
    assert events[2]["activityScheduledEventDetails"] == {
        "resource": activity,
        "input": '{"n": 1}',
        "inputDetails": {"truncated": False},
        "timeoutInSeconds": 30,
        "heartbeatInSeconds": 10,
    }
    assert events[3]["activityStartedEventDetails"] == {"workerName": "ann"}


def test_an_activity_fails_and_is_retried(server, activity):
    work = task(activity, Retry=[{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 1}])
    arn = server.begin(states(Work=work))
    server.sfn.send_task_failure(taskToken=poll(server, activity)["taskToken"], error="Busy", cause="Later")
    server.sfn.send_task_failure(taskToken=poll(server, activity)["taskToken"], error="Broken", cause="Never")
    described = server.ended(arn)
    assert (described["status"], described["error"], described["cause"]) == ("FAILED", "Broken", "Never")
    assert server.types(arn).count("ActivityFailed") == 2


def test_a_worker_that_waits_gets_the_task_when_it_comes(server, activity):
    got = {}

    def worker():
        got.update(poll(server, activity), at=time.monotonic())

    thread = threading.Thread(target=worker)
    thread.start()
    time.sleep(0.5)
    assert not got
    begun = time.monotonic()
    arn = server.begin(states(Work=task(activity)), {"n": 1})
    thread.join(10)
    assert json.loads(got["input"]) == {"n": 1} and got["at"] - begun < 2
    server.sfn.send_task_success(taskToken=got["taskToken"], output="{}")
    assert server.ended(arn)["status"] == "SUCCEEDED"


def test_each_task_goes_to_one_worker_in_order(server, activity):
    machine = server.machine(states(Work=task(activity)))
    arns = [server.begin(machine, {"n": n}) for n in range(6)]
    for arn in arns:
        server.reached(arn, "ActivityScheduled")
    given, lock = [], threading.Lock()

    def worker():
        while True:
            with lock:
                if len(given) >= 6:
                    return
                one = poll(server, activity)
                given.append(one)
            server.sfn.send_task_success(taskToken=one["taskToken"], output=one["input"])

    threads = [threading.Thread(target=worker) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [json.loads(one["input"])["n"] for one in given] == list(range(6))
    assert len({one["taskToken"] for one in given}) == 6
    assert [output(server.ended(arn))["n"] for arn in arns] == list(range(6))


def test_an_activity_that_nobody_finishes_times_out(server, activity):
    arn = server.begin(states(Work=task(activity, TimeoutSeconds=1)))
    token = poll(server, activity)["taskToken"]
    described = server.ended(arn)
    assert (described["status"], described["error"]) == ("FAILED", "States.Timeout")
    assert "ActivityTimedOut" in server.types(arn)
    assert refusal(server.sfn.send_task_success, taskToken=token, output="{}") == TIMED_OUT


def test_a_stopped_execution_takes_its_task_back(server, activity):
    machine = server.machine(states(Work=task(activity)))
    first, second = server.begin(machine, {"n": 1}), server.begin(machine, {"n": 2})
    for arn in (first, second):
        server.reached(arn, "ActivityScheduled")
    server.sfn.stop_execution(executionArn=first)
    given = poll(server, activity)
    assert json.loads(given["input"]) == {"n": 2}
    server.sfn.send_task_success(taskToken=given["taskToken"], output="{}")
    server.ended(second)


def test_a_worker_who_hangs_up_takes_no_task_along(server, activity):
    """A poll that its caller gave up must not swallow the next task."""
    impatient = server.client("stepfunctions", read_timeout=1)
    with pytest.raises(botocore.exceptions.ReadTimeoutError):
        impatient.get_activity_task(activityArn=activity)
    time.sleep(0.2)
    arn = server.begin(states(Work=task(activity)), {"n": 1})
    given = poll(server, activity)
    assert json.loads(given["input"]) == {"n": 1}
    server.sfn.send_task_success(taskToken=given["taskToken"], output="{}")
    server.ended(arn)


def test_branches_wait_for_their_own_tokens(server, queue, activity):
    machine = states(Both={"Type": "Parallel", "Branches": [states(A=ask(queue)), states(B=task(activity))]})
    arn = server.begin(machine)
    server.sfn.send_task_success(taskToken=poll(server, activity)["taskToken"], output='"b"')
    server.sfn.send_task_success(taskToken=token_of(server, queue), output='"a"')
    assert output(server.ended(arn)) == ["a", "b"]
    check_history(server.events(arn))


def test_a_failing_branch_ends_the_waiting_one(server, queue, activity):
    machine = states(Both={"Type": "Parallel", "Branches": [states(A=ask(queue)), states(B=task(activity))]})
    arn = server.begin(machine)
    token = token_of(server, queue)
    server.sfn.send_task_failure(taskToken=poll(server, activity)["taskToken"], error="Enough")
    described = server.ended(arn)
    assert (described["status"], described["error"]) == ("FAILED", "Enough")
    eventually(
        lambda: refusal(server.sfn.send_task_success, taskToken=token, output="1"), lambda told: told == TIMED_OUT
    )
    check_history(server.events(arn))
