"""Executions: started, described, listed, stopped, with their histories; and what is refused."""

import datetime
import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from world import PASS, ask, check_history, output, refusal, states, unique, wait


def test_an_execution_from_start_to_end(server):
    add = {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}}
    machine = server.machine(states(First=add, Last={"Type": "Succeed"}))
    name = unique("run")
    started = server.sfn.start_execution(stateMachineArn=machine, name=name, input='{"n": 1}')
    arn = started["executionArn"]
    assert arn == machine.replace(":stateMachine:", ":execution:") + ":" + name
    described = server.ended(arn)
    assert output(described) == {"n": 2}
    assert (described["name"], described["input"]) == (name, '{"n": 1}')
    assert described["startDate"] == started["startDate"] <= described["stopDate"]
    assert described["inputDetails"] == described["outputDetails"] == {"included": True}
    assert (described["redriveCount"], described["redriveStatus"]) == (0, "NOT_REDRIVABLE")
    events = server.events(arn)
    check_history(events)
    assert server.types(arn) == (
        "ExecutionStarted PassStateEntered PassStateExited SucceedStateEntered SucceedStateExited ExecutionSucceeded"
    )
    assert [event["previousEventId"] for event in events] == [0, 0, 2, 3, 4, 5]
    entered = {"name": "First", "input": '{"n": 1}', "inputDetails": {"truncated": False}}
    assert events[1]["stateEnteredEventDetails"] == entered
    assert json.loads(events[2]["stateExitedEventDetails"]["output"]) == {"n": 2}
    assert abs((described["stopDate"] - datetime.datetime.now(datetime.UTC)).total_seconds()) < 60


def test_without_a_name_one_is_made_and_without_input_it_is_empty(server):
    machine = server.machine(PASS)
    one, two = (server.sfn.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(2))
    assert one != two and server.ended(one)["output"] == "{}"


def test_a_name_is_used_once(server):
    machine, name = server.machine(states(Wait=wait(600))), unique("run")
    start = lambda data: server.sfn.start_execution(stateMachineArn=machine, name=name, input=data)
    first = start('{"a":1}')
    again = start('{"a":1}')
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    taken = ("ExecutionAlreadyExists", f"Execution Already Exists: '{first['executionArn']}'")
    assert refusal(start, '{"a":2}') == taken
    server.sfn.stop_execution(executionArn=first["executionArn"])
    assert refusal(start, '{"a":1}') == taken, "it has ended, and its name stays taken"
    assert len(server.sfn.list_executions(stateMachineArn=machine)["executions"]) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [("not json", "Unrecognized token 'not'"), ("", "Invalid execution input."), ('{"a":', "end-of-input")],
)
def test_input_that_is_no_json_is_refused(server, text, words):
    machine = server.machine(PASS)
    code, message = refusal(server.sfn.start_execution, stateMachineArn=machine, input=text)
    assert code == "InvalidExecutionInput" and words in message, message


def test_input_may_have_as_much_as_aws_allows_and_no_more(server):
    machine = server.machine(PASS)
    full = json.dumps("x" * (262_144 - 2))
    assert (
        server.ended(server.sfn.start_execution(stateMachineArn=machine, input=full)["executionArn"])["output"] == full
    )
    code, _ = refusal(server.sfn.start_execution, stateMachineArn=machine, input=json.dumps("x" * 262_144))
    assert code in ("InvalidExecutionInput", "ValidationException")


def test_stop(server):
    arn = server.begin(states(Wait=wait(600)))
    server.reached(arn, "WaitStateEntered")
    stopped = server.sfn.stop_execution(executionArn=arn, error="Enough", cause="Nobody waits for it")
    described = server.ended(arn)
    assert described["status"] == "ABORTED" and described["stopDate"] == stopped["stopDate"]
    assert (described["error"], described["cause"]) == ("Enough", "Nobody waits for it")
    events = server.events(arn)
    check_history(events)
    assert events[-1]["executionAbortedEventDetails"] == {"error": "Enough", "cause": "Nobody waits for it"}
    assert events[-1]["previousEventId"] == 0
    # A second stop changes nothing.
    assert server.sfn.stop_execution(executionArn=arn, error="Other")["stopDate"] == stopped["stopDate"]
    assert server.events(arn) == events


def test_failure_and_timeouts(server):
    failed = server.run(states(F={"Type": "Fail", "Error": "Bad", "Cause": "It is bad"}))
    assert (failed["status"], failed["error"], failed["cause"]) == ("FAILED", "Bad", "It is bad")
    assert failed["redriveStatus"] == "REDRIVABLE" and "output" not in failed

    slow = {**states(Wait=wait(600)), "TimeoutSeconds": 1}
    described = server.run(slow)
    assert described["status"] == "TIMED_OUT" and "error" not in described
    last = server.events(described["executionArn"])[-1]
    assert (last["type"], last["previousEventId"]) == ("ExecutionTimedOut", 0)
    assert last["executionTimedOutEventDetails"] == {"error": "States.Timeout"}


def test_timers_fire_in_time(server):
    machine = states(
        One=wait(1),
        Two={"Type": "Wait", "TimestampPath": "$.past"},
        Three={"Type": "Wait", "SecondsPath": "$.none"},
    )
    described = server.run(machine, {"past": "2020-01-01T00:00:00Z", "none": 0})
    took = (described["stopDate"] - described["startDate"]).total_seconds()
    assert described["status"] == "SUCCEEDED" and 1 <= took < 3


def test_retry_and_catch(server):
    look = {"Type": "Choice", "Choices": [{"Variable": "$", "NumericEquals": 3, "Next": "No"}], "Default": "Yes"}
    each = {
        "Type": "Map",
        "ItemsPath": "$.items",
        "MaxConcurrency": 2,
        "ItemProcessor": states(Look=look, Yes={"Type": "Pass", "End": True}, No={"Type": "Fail", "Error": "Three"}),
        "Retry": [{"ErrorEquals": ["Three"], "IntervalSeconds": 1, "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.caught", "Next": "Told"}],
    }
    described = server.run(
        states(Each=each, Told={"Type": "Pass", "OutputPath": "$.caught.Error"}), {"items": [1, 2, 3]}
    )
    assert output(described) == "Three"
    events = server.events(described["executionArn"])
    check_history(events)
    assert [event["type"] for event in events].count("MapStateStarted") == 2


def test_list_executions_newest_first_by_status_and_pages(server):
    rule = {"Variable": "$.fail", "BooleanEquals": True, "Next": "No"}
    look = {"Type": "Choice", "Choices": [rule], "Default": "Yes"}
    machine = server.machine(states(Look=look, Yes={"Type": "Succeed"}, No={"Type": "Fail"}))
    arns = []
    for n in range(7):
        arns.append(server.begin(machine, {"fail": n % 3 == 0}))
        server.ended(arns[-1])
    first = server.sfn.list_executions(stateMachineArn=machine, maxResults=4)
    assert [row["executionArn"] for row in first["executions"]] == arns[:2:-1]
    second = server.sfn.list_executions(stateMachineArn=machine, maxResults=4, nextToken=first["nextToken"])
    assert [row["executionArn"] for row in second["executions"]] == arns[2::-1] and "nextToken" not in second
    failed = server.sfn.list_executions(stateMachineArn=machine, statusFilter="FAILED")["executions"]
    assert [row["executionArn"] for row in failed] == [arns[6], arns[3], arns[0]]
    assert {"executionArn", "stateMachineArn", "name", "status", "startDate", "stopDate"} <= set(failed[0])
    assert len(server.sfn.list_executions(stateMachineArn=machine, maxResults=0)["executions"]) == 7
    unchecked = server.client("stepfunctions", parameter_validation=False)
    code, message = refusal(unchecked.list_executions, stateMachineArn=machine, statusFilter="succeeded")
    assert code == "ValidationException" and "Member must satisfy enum value set: [" in message


def test_history_by_pages_and_backwards(server):
    arn = server.run(states(**{f"S{n}": {"Type": "Pass"} for n in range(30)}))["executionArn"]
    events = server.events(arn)
    check_history(events)
    assert len(events) == 62
    by = lambda size: {"executionArn": arn, "PaginationConfig": {"PageSize": size}}
    pages = list(server.sfn.get_paginator("get_execution_history").paginate(**by(7)))
    assert len(pages) == 9 and [event for page in pages for event in page["events"]] == events
    assert server.all("get_execution_history", "events", reverseOrder=True, **by(20)) == events[::-1]
    bare = server.sfn.get_execution_history(executionArn=arn, includeExecutionData=False)["events"]
    assert "input" not in bare[1]["stateEnteredEventDetails"] and bare[1]["stateEnteredEventDetails"]["name"] == "S0"


def test_the_context_object(server):
    machine = server.machine(states(Tell={"Type": "Pass", "Parameters": {"all.$": "$$", "state.$": "$$.State.Name"}}))
    arn = server.begin(machine, {"a": 1}, name=unique("run"))
    told = output(server.ended(arn))
    context = told["all"]
    assert told["state"] == "Tell" and context["Execution"]["Id"] == arn
    assert context["Execution"]["Input"] == {"a": 1} and context["StateMachine"]["Id"] == machine


def test_a_parked_execution_is_still_running(server):
    queue = server.queue()
    arn = server.begin(states(Ask=ask(queue)))
    server.reached(arn, "TaskSubmitted")
    described = server.sfn.describe_execution(executionArn=arn)
    assert described["status"] == "RUNNING" and "stopDate" not in described and "output" not in described
    check_history(server.events(arn), ended=False)
    server.sfn.stop_execution(executionArn=arn)


def test_many_at_once(server):
    machine = server.machine(PASS)
    with ThreadPoolExecutor(16) as pool:
        arns = list(pool.map(lambda n: server.begin(machine, {"n": n}), range(200)))
        ended = list(pool.map(server.ended, arns))
    assert [output(described)["n"] for described in ended] == list(range(200))
