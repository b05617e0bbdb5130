"""Workflows tested in less time than they take: waits and retries go by faster, and nothing else does."""

import json
import subprocess
import time

from world import BINARY, ask, environment, output, states, task, wait


def test_waits_and_retries_are_hurried_and_timeouts_are_not(fresh):
    server = fresh(arguments=["--time-scale", "3600"]).start()
    queue = server.queue()
    patient = {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1800, "MaxAttempts": 2, "BackoffRate": 1}
    missing = task("sqs:sendMessage", {"QueueUrl": queue + "-no", "MessageBody": "m"}, Retry=[patient])
    caught = {**missing, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Hour"}]}
    begun = time.monotonic()
    arn = server.begin(states(Try=caught, Hour=wait(3600), Last={"Type": "Pass", "Result": "a day's work"}))
    assert output(server.ended(arn)) == "a day's work"
    took = time.monotonic() - begun
    assert 2 <= took < 30, "two retries after half an hour each, and an hour"
    events = server.events(arn)
    told = (events[-1]["timestamp"] - events[0]["timestamp"]).total_seconds()
    assert 2 <= told <= took, "history tells the time that went by"

    begun = time.monotonic()
    late = server.ended(server.begin(states(Ask=ask(queue, TimeoutSeconds=2))))
    assert late["status"] == "FAILED" and late["error"] == "States.Timeout"
    assert time.monotonic() - begun >= 2


def test_a_server_hurries_on_a_laptop_only(tmp_path):
    command = [BINARY, "serve", "--data", tmp_path / "data", "--listen", "127.0.0.1:0", "--time-scale", "60"]
    refused = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30)
    assert refused.returncode == 2 and "needs --laptop" in refused.stderr, refused.stderr
    assert not (tmp_path / "data").exists()


def test_run_hurries(tmp_path):
    (tmp_path / "m.asl.json").write_text(json.dumps(states(Day=wait(86400))))
    command = [BINARY, "run", tmp_path / "m.asl.json", "--time-scale", "86400"]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30)
    assert run.returncode == 0, run.stderr
    wrong = subprocess.run([*command[:-1], "0.5"], env=environment(), capture_output=True, text=True, timeout=30)
    assert wrong.returncode == 2 and "from 1 to a million" in wrong.stderr
