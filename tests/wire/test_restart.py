"""Killed with SIGKILL at one chosen moment, started again on the same directory: one story for each kind of waiting."""

import json
import time

import pytest
from test_jobs import alive, pid_of, submit
from world import ask, check_history, eventually, output, refusal, states, task, wait


@pytest.fixture
def server(fresh):
    return fresh().start()


def again(server, down=0):
    server.kill()
    time.sleep(down)
    return server.start()


def test_what_has_ended_is_still_there(server):
    machine = server.machine(states(Only={"Type": "Pass"}), "kept")
    arn = server.begin(machine, {"a": 1}, name="one")
    server.ended(arn)
    events = server.events(arn)
    again(server)
    assert server.events(arn) == events and output(server.ended(arn)) == {"a": 1}
    assert (
        refusal(server.sfn.start_execution, stateMachineArn=machine, name="one", input="{}")[0]
        == "ExecutionAlreadyExists"
    )
    assert [row["name"] for row in server.sfn.list_executions(stateMachineArn=machine)["executions"]] == ["one"]
    assert server.begin(machine, {}, name="two")


def test_timers_that_fell_due_in_the_meantime_fire_at_once(server):
    machine = server.machine(states(Wait=wait(1)))
    arns = [server.begin(machine) for _ in range(5)]
    later = server.begin(states(Wait=wait(3)))
    again(server, down=1.2)
    begun = time.monotonic()
    for arn in arns:
        assert server.ended(arn)["status"] == "SUCCEEDED"
    assert time.monotonic() - begun < 1.5
    described = server.ended(later)
    assert 3 <= (described["stopDate"] - described["startDate"]).total_seconds() < 4.5
    for arn in [*arns, later]:
        check_history(server.events(arn))


def test_retries_timeouts_and_heartbeats_go_on(server):
    queue = server.queue()
    silent = server.begin(states(Ask=ask(queue, HeartbeatSeconds=2)))
    limited = server.begin(states(Ask=ask(queue, TimeoutSeconds=2)))
    whole = server.begin({**states(Ask=ask(queue)), "TimeoutSeconds": 2})
    again_in_two = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 2, "MaxAttempts": 1}]
    send = task("sqs:sendMessage", {"QueueUrl": queue + "-no", "MessageBody": "m"}, Retry=again_in_two)
    retried = server.begin(states(Send=send))
    for arn in (silent, limited, whole):
        server.reached(arn, "TaskSubmitted")
    server.reached(retried, "TaskFailed")
    again(server)
    assert server.ended(limited)["error"] == server.ended(silent)["error"] == "States.Timeout"
    assert server.ended(whole)["status"] == "TIMED_OUT"
    assert server.ended(retried)["error"] == "SQS.QueueDoesNotExistException"
    assert server.types(retried).count("TaskFailed") == 2
    for arn in (silent, limited, whole, retried):
        check_history(server.events(arn))


def test_parked_tokens_still_work(server):
    queue = server.queue()
    activity = server.sfn.create_activity(name="work")["activityArn"]
    asked = [server.begin(states(Ask=ask(queue))) for _ in range(3)]
    tokens = {}
    for _ in asked:
        body = json.loads(server.receive(queue)["Body"])
        tokens[body["execution"]] = body["token"]
    working = server.begin(states(Work=task(activity, HeartbeatSeconds=60)), {"n": 1})
    given = server.sfn.get_activity_task(activityArn=activity)
    unclaimed = server.begin(states(Work=task(activity)), {"n": 2})
    server.reached(unclaimed, "ActivityScheduled")
    again(server)
    token_of = lambda arn: tokens[arn.rsplit(":", 1)[1]]
    server.sfn.send_task_heartbeat(taskToken=token_of(asked[0]))
    server.sfn.send_task_success(taskToken=token_of(asked[0]), output="0")
    server.sfn.send_task_failure(taskToken=token_of(asked[1]), error="No")
    server.sfn.send_task_heartbeat(taskToken=given["taskToken"])
    server.sfn.send_task_success(taskToken=given["taskToken"], output="1")
    other = server.sfn.get_activity_task(activityArn=activity)
    assert json.loads(other["input"]) == {"n": 2}
    server.sfn.send_task_success(taskToken=other["taskToken"], output="2")
    assert [output(server.ended(arn)) for arn in (asked[0], working, unclaimed)] == [0, 1, 2]
    assert server.ended(asked[1])["error"] == "No"
    again(server)
    assert refusal(server.sfn.send_task_success, taskToken=token_of(asked[0]), output="9")[0] == "TaskTimedOut"
    server.sfn.send_task_success(taskToken=token_of(asked[2]), output="2")
    assert output(server.ended(asked[2])) == 2


def test_an_acknowledged_call_is_never_lost(server):
    """Killed as soon as the answer is here."""
    queue = server.queue()
    machine = server.machine(states(Ask=ask(queue)))
    started = server.begin(machine, name="started")
    again(server)
    assert server.sfn.describe_execution(executionArn=started)["status"] == "RUNNING"
    token = json.loads(server.receive(queue)["Body"])["token"]
    server.sfn.send_task_success(taskToken=token, output='"heard"')
    again(server)
    assert output(server.ended(started)) == "heard"
    stopped = server.begin(machine, name="stopped")
    server.sfn.stop_execution(executionArn=stopped)
    again(server)
    assert server.sfn.describe_execution(executionArn=stopped)["status"] == "ABORTED"
    server.sfn.delete_state_machine(stateMachineArn=machine)
    again(server)
    assert machine not in [row["stateMachineArn"] for row in server.sfn.list_state_machines()["stateMachines"]]


def test_a_job_in_flight_is_followed_on(server):
    queue, definition = server.job_queue(), server.job_definition("work.sh", "sleep", "1", attempts=5)
    arn = server.begin(states(Sleep=submit(queue, definition, name="followed")))
    job_id = json.loads(server.reached(arn, "TaskSubmitted")["taskSubmittedEventDetails"]["output"])["JobId"]
    pid = pid_of(server, job_id)
    again(server)
    eventually(lambda: alive(pid), lambda lives: not lives, 3)
    told = output(server.ended(arn))
    assert (told["JobId"], told["Status"]) == (job_id, "SUCCEEDED")
    assert len(server.jobs_named(queue, "followed")) == 1, "it was not submitted again"
    check_history(server.events(arn))


def test_a_stopped_job_is_cancelled_though_the_server_died(server):
    queue, definition = server.job_queue(), server.job_definition("work.sh", "sleep", "600", attempts=5)
    arn = server.begin(states(Sleep=submit(queue, definition)))
    job_id = json.loads(server.reached(arn, "TaskSubmitted")["taskSubmittedEventDetails"]["output"])["JobId"]
    pid = pid_of(server, job_id)
    server.sfn.stop_execution(executionArn=arn)
    again(server)
    assert server.job_ended(job_id)["status"] == "FAILED"
    eventually(lambda: alive(pid), lambda lives: not lives, 3)
    assert server.ended(arn)["status"] == "ABORTED"


def test_children_and_their_parents_find_each_other(server):
    child = server.machine(states(Wait=wait(1), Said={"Type": "Pass", "Result": "child"}))
    start = task("states:startExecution.sync:2", {"StateMachineArn": child, "Input": {}}, OutputPath="$.Output")
    parent = server.begin(states(Start=start))
    server.reached(parent, "TaskSubmitted")
    again(server)
    assert output(server.ended(parent)) == "child"
    assert len(server.sfn.list_executions(stateMachineArn=child)["executions"]) == 1

    slow = server.machine(states(Wait=wait(600)))
    parent = server.begin(states(Start=task("states:startExecution.sync", {"StateMachineArn": slow})))
    submitted = server.reached(parent, "TaskSubmitted")["taskSubmittedEventDetails"]
    server.sfn.stop_execution(executionArn=parent)
    again(server)
    child_arn = json.loads(submitted["output"])["ExecutionArn"]
    assert [server.ended(arn)["status"] for arn in (parent, child_arn)] == ["ABORTED", "ABORTED"]


def test_a_running_execution_keeps_its_definition(server):
    machine = server.machine(states(Wait=wait(1), Old={"Type": "Pass", "Result": "old"}), "changing")
    arn = server.begin(machine)
    changed = json.dumps(states(New={"Type": "Pass", "Result": "new"}))
    server.sfn.update_state_machine(stateMachineArn=machine, definition=changed)
    again(server)
    assert output(server.ended(arn)) == "old" and output(server.run(machine)) == "new"


def test_messages_topics_and_jobs_are_still_there(server):
    queue = server.queue(VisibilityTimeout="1")
    topic = server.sns.create_topic(Name="kept")["TopicArn"]
    arn = server.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    server.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    server.sns.publish(TopicArn=topic, Message="before")
    [taken] = server.sqs.receive_message(QueueUrl=queue)["Messages"]
    again(server)
    server.sns.publish(TopicArn=topic, Message="after")
    bodies = {server.receive(queue, wait=5)["Body"] for _ in range(2)}
    assert bodies == {"before", "after"} and taken["Body"] == "before"
