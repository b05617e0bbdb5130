"""Log events of executions in a file and on the standard output, as `--execution-logs` says."""

import json
import subprocess

import pytest
import world
from world import eventually, states

GROUP = f"arn:aws:logs:{world.REGION}:{world.ACCOUNT}:log-group:/wire:*"
FAILS = states(First={"Type": "Pass", "Result": {"a": "secret"}}, Fails={"Type": "Fail", "Error": "Bad"})
STARTED = ["ExecutionStarted", "PassStateEntered", "PassStateExited"]
LEVELS = {
    "ALL": [*STARTED, "FailStateEntered", "ExecutionFailed"],
    "ERROR": ["FailStateEntered", "ExecutionFailed"],
    "FATAL": ["ExecutionFailed"],
    "OFF": [],
}


def begin(server, kind, level, data):
    """An execution of a machine that is logged so; its ARN."""
    group = {"cloudWatchLogsLogGroup": {"logGroupArn": GROUP}}
    made = server.sfn.create_state_machine(
        name=world.unique("logged"),
        definition=json.dumps(FAILS),
        roleArn=world.ROLE,
        type=kind,
        loggingConfiguration={"level": level, "includeExecutionData": data, "destinations": [group]},
    )
    return server.begin(made["stateMachineArn"], {"b": "secret"})


def lines(path):
    """The whole lines of a file, by the execution that they tell of."""
    told = {}
    for line in path.read_text().splitlines(keepends=True):
        if line.endswith("\n"):
            event = json.loads(line)
            told.setdefault(event["execution_arn"], []).append(event)
    return told


@pytest.mark.parametrize("data", [True, False])
def test_a_file_has_what_the_level_says(fresh, tmp_path, data):
    path = tmp_path / "executions.log"
    server = fresh(arguments=["--execution-logs", path]).start()
    wanted = {begin(server, kind, level, data): LEVELS[level] for level in LEVELS for kind in ("STANDARD", "EXPRESS")}
    number = sum(map(len, wanted.values()))
    told = eventually(lambda: lines(path), lambda told: sum(map(len, told.values())) >= number)
    for execution, types in wanted.items():
        events = told.get(execution, [])
        assert [event["type"] for event in events] == types
        assert [event["id"] for event in events] == [str(5 - len(types) + place) for place in range(1, len(types) + 1)]
        # Inputs and outputs are there where they are wanted, and nowhere else.
        assert ("secret" in json.dumps(events)) == (data and len(types) > 1), events
    standard = next(iter(wanted))
    event = told[standard][3]
    assert event["details"]["name"] == "Fails" and event["previous_event_id"] == "3"
    # What was written stays through a restart, and what is settled is not written again.
    server.stop()
    server.start()
    last = begin(server, "STANDARD", "FATAL", data)
    told = eventually(lambda: lines(path), lambda told: last in told)
    assert sum(map(len, told.values())) == number + 1


def test_a_file_that_cannot_be_written_is_told_at_the_start(tmp_path):
    nowhere = tmp_path / "no" / "executions.log"
    command = [world.BINARY, "serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "data", "--execution-logs", nowhere]
    done = subprocess.run(command, env=world.environment(), capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and str(nowhere) in done.stderr, done.stderr


def test_the_standard_output_has_them_too(fresh):
    server = fresh(arguments=["--execution-logs", "stdout"]).start()
    execution = begin(server, "STANDARD", "ERROR", False)
    events = [json.loads(server.process.stdout.readline()) for _ in LEVELS["ERROR"]]
    assert [event["type"] for event in events] == LEVELS["ERROR"]
    assert {event["execution_arn"] for event in events} == {execution}
