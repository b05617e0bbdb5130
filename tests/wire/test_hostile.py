"""Input that is out for harm: each is answered soon, with AWS's exception, and the server goes on for everybody else."""

import json
import socket
import time

import pytest
from world import ACCOUNT, PASS, REGION, ROLE, ask, eventually, make_client, output, refusal, request, states, task, unique

# Of a debug build on a busy machine.
SOON = 30
MIB = 1 << 20
TARGET = {"X-Amz-Target": "AWSStepFunctions.CreateStateMachine", "Content-Type": "application/x-amz-json-1.0"}


def create(server, definition):
    """The exception of a definition that must not be accepted."""
    begun = time.monotonic()
    told = refusal(server.sfn.create_state_machine, name=unique("hostile"), definition=definition, roleArn=ROLE)
    assert time.monotonic() - begun < SOON
    return told


@pytest.mark.parametrize("text", [" ", "{", "[]", "nul", '"text"', "{}", "{'StartAt': 'A'}", "\ufeff{}", "x" * MIB])
def test_definitions_that_are_no_definitions(server, text):
    code, message = create(server, text)
    assert code == "InvalidDefinition" and message.startswith("Invalid State Machine Definition: '"), message
    assert len(message) < 20_000


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"StartAt":"A","States":{"A":'])
def test_definitions_nested_as_deep_as_they_are_long(server, opening):
    deep = opening * (MIB // len(opening))
    assert create(server, deep)[0] == "InvalidDefinition"
    times = MIB // (len(opening) + 2) - 8
    closed = opening * times + "1" + {"[": "]", "{": "}"}[opening[0]] * (times * opening.count("{") if opening[0] == "{" else times)
    assert create(server, closed[:MIB])[0] == "InvalidDefinition"


def test_a_definition_of_a_million_states(server):
    body = ",".join(f'"{n}":{{}}' for n in range(1_000_000))
    assert create(server, f'{{"StartAt":"0","States":{{{body}}}}}')[0] == "RequestEntityTooLarge"
    assert create(server, " " * (MIB + 1))[0] == "ValidationException", "longer than a definition may be"
    # As many as there is room for.
    many = ",".join(f'"{n:x}":{{}}' for n in range(95_000))
    text = f'{{"StartAt":"0","States":{{{many}}}}}'
    assert len(text) <= MIB
    assert create(server, text)[0] == "InvalidDefinition"


def choice(rule):
    return states(Choose={"Type": "Choice", "Choices": [{**rule, "Next": "Yes"}], "Default": "No"},
                  Yes={"Type": "Pass", "End": True}, No={"Type": "Pass", "End": True})


def test_choices_that_grow_without_end(server):
    """Deep as it may be, and as wide as there is room for."""
    deep = {"Variable": "$.a", "IsPresent": True}
    for _ in range(60):
        deep = {"And": [{"Not": {"Or": [deep, {"Variable": "$.b", "IsPresent": True}]}}, {"Variable": "$.c", "IsPresent": False}]}
    wide = {"Or": [{"And": [{"Variable": "$.list[?(@.n > 5)]", "IsNull": True}] * 20} for _ in range(400)]}
    for rule in (deep, wide):
        text = json.dumps(choice(rule))
        begun = time.monotonic()
        try:
            arn = server.machine(text)
        except server.sfn.exceptions.InvalidDefinition:
            arn = None
        if arn:
            assert server.run(arn, {"list": [{"n": n} for n in range(5000)]})["status"] in ("SUCCEEDED", "FAILED")
        assert time.monotonic() - begun < SOON


SLOW_PATHS = [
    "$" + "..*" * 12,
    "$" + "..a" * 30,
    "$..[?(@..[?(@..[?(@.a)])])]",
    "$.list[?(@.s =~ /(a+)+$/)]",
    "$.list[?(@.s =~ /(x+x+)+y/)]",
    "$.list[?($..s == $..s)]",
    "$" + ".list[*]" * 40,
    "$.list[" + ",".join(["0:"] * 500) + "]",
]


@pytest.mark.parametrize("path", SLOW_PATHS)
def test_paths_made_to_be_slow(server, path):
    deep = {"a": 1}
    for _ in range(60):
        deep = {"a": deep, "b": [deep["a"]]} if len(json.dumps(deep)) < 40_000 else {"a": deep}
    data = {"list": [{"s": "a" * 200 + "!", "n": n} for n in range(300)], "deep": deep}
    begun = time.monotonic()
    try:
        arn = server.machine(states(Slow={"Type": "Pass", "InputPath": path}))
    except server.sfn.exceptions.InvalidDefinition:
        return
    started = server.begin(arn, data)
    # While it is at work others are served.
    assert server.run(PASS)["status"] == "SUCCEEDED"
    ended = server.ended(started, SOON)
    assert ended["status"] in ("SUCCEEDED", "FAILED")
    if ended["status"] == "FAILED":
        assert ended["error"] in ("States.Runtime", "States.DataLimitExceeded"), ended
    assert time.monotonic() - begun < SOON


def test_bodies_of_the_wrong_type(server):
    for body, code in [
        ("", "SerializationException"),
        ("null", "SerializationException"),
        ("[]", "SerializationException"),
        ('"text"', "SerializationException"),
        ("{", "SerializationException"),
        ('{"name": [}', "SerializationException"),
        (b"\xff\xfe\x00", "SerializationException"),
        ('{"name": {}}', "SerializationException"),
        ('{"name": ["a"]}', "SerializationException"),
        ('{"name": 7}', "SerializationException"),
        ("{}", "ValidationException"),
        ("[" * 100_000, "SerializationException"),
        ('{"x":' * 100_000, "SerializationException"),
    ]:
        status, _, answer = request(server, "POST", headers=TARGET, body=body)
        told = json.loads(answer)
        assert (status, told["__type"]) == (400, code), (body[:20], told)


def test_bodies_that_are_cut_or_too_large(server):
    head = f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in TARGET.items())
    for ending in ("Content-Length: 100\r\n\r\n{}", "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"na", "Content-Length: zero\r\n\r\n{}", "\r\n"):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall((head + ending).encode())
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
            assert not answer.startswith(b"HTTP/1.1 2") and not answer.startswith(b"HTTP/1.1 5"), answer
    huge = {**TARGET, "Content-Length": str(1 << 40)}
    status, _, answer = request(server, "POST", headers=huge, body="{}")
    assert status == 413 and "RequestEntityTooLarge" in answer
    assert server.run(PASS)["status"] == "SUCCEEDED"


def test_tokens_that_are_forged_cut_or_foreign(server, fresh):
    queue = server.queue()
    waiting = server.begin(states(Ask=ask(queue)))
    token = json.loads(server.receive(queue)["Body"])["token"]
    stranger = fresh().start()
    strange_queue = stranger.queue()
    stranger.begin(states(Ask=ask(strange_queue)))
    foreign = json.loads(stranger.receive(strange_queue)["Body"])["token"]
    machine = server.machine(PASS)
    for _ in range(3):
        server.begin(machine)
    page = server.sfn.list_executions(stateMachineArn=machine, maxResults=1)["nextToken"]

    middle = len(token) // 2
    bad = [
        "x", "AQ==", "=" * 40, token[:-4], token[4:], token[:middle], token + "AAAA", token[::-1], token.swapcase(),
        token[:middle] + ("B" if token[middle] == "A" else "A") + token[middle + 1 :], foreign, page, "ä" * 100, "\0", "A" * 2048,
    ]
    for wrong in bad:
        for call, more in [
            (server.sfn.send_task_success, {"output": "{}"}),
            (server.sfn.send_task_failure, {}),
            (server.sfn.send_task_heartbeat, {}),
        ]:
            assert refusal(call, taskToken=wrong, **more)[0] == "InvalidToken", wrong
    assert refusal(server.sfn.send_task_heartbeat, taskToken="A" * 2049)[0] == "ValidationException"
    assert server.sfn.describe_execution(executionArn=waiting)["status"] == "RUNNING"
    server.sfn.send_task_success(taskToken=token, output='"true"')
    assert output(server.ended(waiting)) == "true"
    assert refusal(server.sfn.send_task_success, taskToken=token, output="{}")[0] == "TaskTimedOut"

    foreign_machine = stranger.machine(PASS)
    for _ in range(3):
        stranger.begin(foreign_machine)
    foreign_page = stranger.sfn.list_executions(stateMachineArn=foreign_machine, maxResults=1)["nextToken"]
    other = server.machine(PASS)
    arn = server.begin(machine)
    for wrong in ["x", page[:-4], page[4:], page + "AAAA", page[::-1], token, foreign_page, "ä"]:
        for call, more in [
            (server.sfn.list_executions, {"stateMachineArn": machine}),
            (server.sfn.list_state_machines, {}),
            (server.sfn.list_activities, {}),
            (server.sfn.get_execution_history, {"executionArn": arn}),
        ]:
            assert refusal(call, nextToken=wrong, **more)[0] == "InvalidToken", (call, wrong)
    # A true one, of another query.
    assert refusal(server.sfn.list_executions, stateMachineArn=other, nextToken=page)[0] == "InvalidToken"
    assert refusal(server.sfn.list_state_machines, nextToken=page)[0] == "InvalidToken"
    assert len(server.sfn.list_executions(stateMachineArn=machine, nextToken=page)["executions"]) == 2
