"""`states:startExecution`: children that are started, waited for, and stopped with their parents."""

import json

import pytest
from world import ask, check_history, output, refusal, states, task, unique, wait


def start(child, pattern, **fields):
    parameters = {"StateMachineArn": child, "Input.$": "$", "Name.$": "States.Format('{}-child', $$.Execution.Name)"}
    return task(f"states:startExecution{pattern}", parameters, **fields)


def child_of(server, parent, kind="TaskSubmitted"):
    details = server.reached(parent, kind)[kind[0].lower() + kind[1:] + "EventDetails"]
    return json.loads(details["output"])["ExecutionArn"]


def test_request_response_gives_the_arn_and_goes_on(server):
    child = server.machine(states(Wait=wait(600)))
    told = output(server.run(states(Start=start(child, ""))))
    assert told["ExecutionArn"].startswith(child.replace(":stateMachine:", ":execution:"))
    assert server.sfn.describe_execution(executionArn=told["ExecutionArn"])["status"] == "RUNNING"
    server.sfn.stop_execution(executionArn=told["ExecutionArn"])


@pytest.mark.parametrize(("pattern", "shape"), [(".sync", str), (".sync:2", dict)])
def test_a_child_is_waited_for(server, pattern, shape):
    child = server.machine(states(Double={"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, $.n)"}}))
    parent = server.begin(states(Start=start(child, pattern)), {"n": 21}, name=unique("run"))
    told = output(server.ended(parent))
    assert isinstance(told["Output"], shape) and isinstance(told["Input"], shape)
    assert (json.loads(told["Output"]) if shape is str else told["Output"]) == {"n": 42}
    assert (told["Status"], told["ExecutionArn"]) == ("SUCCEEDED", child_of(server, parent))
    assert server.sfn.describe_execution(executionArn=told["ExecutionArn"])["input"] == '{"n":21}'
    events = server.events(parent)
    check_history(events)
    assert [event["type"] for event in events[2:6]] == [
        "TaskScheduled",
        "TaskStarted",
        "TaskSubmitted",
        "TaskSucceeded",
    ]
    assert events[2]["taskScheduledEventDetails"]["resource"] == f"startExecution{pattern}"


def test_a_failed_child_fails_the_task(server):
    child = server.machine(states(Fail={"Type": "Fail", "Error": "Bad", "Cause": "Very"}))
    parent = start(child, ".sync:2", Catch=[{"ErrorEquals": ["States.TaskFailed"], "Next": "Told"}])
    told = output(server.run(states(Start=parent, Told={"Type": "Pass"}), {}))
    cause = json.loads(told["Cause"])
    assert told["Error"] == "States.TaskFailed"
    assert (cause["Status"], cause["Error"], cause["Cause"]) == ("FAILED", "Bad", "Very")


def test_a_child_that_times_out_or_is_stopped_fails_the_task(server):
    slow = server.machine({**states(Wait=wait(600)), "TimeoutSeconds": 1})
    described = server.run(states(Start=start(slow, ".sync:2")))
    assert json.loads(described["cause"])["Status"] == "TIMED_OUT"

    child = server.machine(states(Wait=wait(600)))
    parent = server.begin(states(Start=start(child, ".sync")))
    server.sfn.stop_execution(executionArn=child_of(server, parent), error="Enough")
    cause = json.loads(server.ended(parent)["cause"])
    assert (cause["Status"], cause["Error"]) == ("ABORTED", "Enough")


def test_stopping_the_parent_stops_the_child_and_its_child(server):
    grandchild = server.machine(states(Wait=wait(600)))
    child = server.machine(states(Start=start(grandchild, ".sync:2")))
    parent = server.begin(states(Start=start(child, ".sync:2")))
    one = child_of(server, parent)
    two = child_of(server, one)
    server.sfn.stop_execution(executionArn=parent)
    assert [server.ended(arn)["status"] for arn in (parent, one, two)] == ["ABORTED"] * 3
    for arn in (parent, one, two):
        check_history(server.events(arn))


def test_a_task_that_times_out_stops_its_child(server):
    child = server.machine(states(Wait=wait(600)))
    parent = server.begin(states(Start=start(child, ".sync", TimeoutSeconds=1)))
    assert server.ended(parent)["error"] == "States.Timeout"
    assert server.ended(child_of(server, parent))["status"] == "ABORTED"


def test_a_child_gives_back_the_parents_token(server):
    queue = server.queue()
    child = server.machine(states(Ask=ask(queue)))
    parameters = {"StateMachineArn": child, "Input": {"token.$": "$$.Task.Token"}}
    parent = server.begin(states(Start=task("states:startExecution.waitForTaskToken", parameters)))
    child_arn = child_of(server, parent)
    token = json.loads(server.sfn.describe_execution(executionArn=child_arn)["input"])["token"]
    server.sfn.send_task_success(taskToken=token, output='"from outside"')
    assert output(server.ended(parent)) == "from outside"
    # The parent waited for the token, not for the child.
    assert server.sfn.describe_execution(executionArn=child_arn)["status"] == "RUNNING"
    server.sfn.stop_execution(executionArn=child_arn)


def test_a_machine_that_is_not_there(server):
    nobody = server.machine(states(Only={"Type": "Pass"})).rsplit(":", 1)[0] + ":nobody"
    described = server.run(states(Start=start(nobody, ".sync")))
    assert described["error"] == "StepFunctions.StateMachineDoesNotExistException"
    words = f"State Machine Does Not Exist: '{nobody}' (Service: AWSStepFunctions; Status Code: 400; "
    assert described["cause"].startswith(words), described["cause"]


def test_a_child_without_a_name_has_one_of_its_own(server):
    child = server.machine(states(Only={"Type": "Pass"}))
    parameters = {"StateMachineArn": child, "Input": {"a": 1}}
    machine = server.machine(states(Start=task("states:startExecution.sync:2", parameters)))
    for _ in range(3):
        assert output(server.run(machine))["Output"] == {"a": 1}
    assert len(server.sfn.list_executions(stateMachineArn=child)["executions"]) == 3


def test_a_token_ends_a_sync_task_early(server):
    """The token of a `.sync` task works too, as AWS has it; the child goes."""
    child = server.machine(states(Wait=wait(600)))
    parameters = {"StateMachineArn": child, "Input": {"token.$": "$$.Task.Token"}}
    parent = server.begin(states(Start=task("states:startExecution.sync", parameters)))
    child_arn = child_of(server, parent)
    token = json.loads(server.sfn.describe_execution(executionArn=child_arn)["input"])["token"]
    server.sfn.send_task_success(taskToken=token, output='"early"')
    assert output(server.ended(parent)) == "early"
    assert refusal(server.sfn.send_task_success, taskToken=token, output="1")[0] == "TaskTimedOut"
    server.sfn.stop_execution(executionArn=child_arn)
