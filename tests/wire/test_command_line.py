"""The binary as its users type it: check, run, history, serve, their exit codes and what they say."""

import json
import os
import signal
import subprocess
import threading
import time

import pytest
from world import BINARY, PASS, ask, environment, eventually, free_port, make_client, output, states, task, wait


def stepwell(*words, env=None, cwd=None, text=None, timeout=60):
    command = [BINARY, *map(str, words)]
    env = environment(**(env or {}))
    return subprocess.run(command, env=env, capture_output=True, text=True, cwd=cwd, input=text, timeout=timeout)


@pytest.fixture
def file(tmp_path):
    def write(content, name="machine.asl.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
        return path

    return write


# check


def test_check_says_nothing_is_wrong(file):
    told = stepwell("check", file(PASS))
    assert (told.returncode, told.stdout.strip()) == (0, "1 file: 0 errors, 0 warnings")


def test_check_tells_every_mistake_with_its_place(file):
    text = """{
  "StartAt": "A",
  "States": {
    "A": {"Type": "Pass", "Next": "B"},
    "C": {"Type": "Pas", "Next": "A"}
  }
}"""
    path = file(text)
    told = stepwell("check", path, "--json")
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert told.returncode == 1 and all(one["file"] == str(path) for one in found)
    places = {(one["pointer"], one["line"]) for one in found if one["severity"] == "ERROR"}
    assert {("/States/A/Next", 4), ("/States/C/Type", 5)} <= places, found
    assert all(one["message"] and one["code"] and one["column"] > 1 for one in found)
    shown = stepwell("check", path)
    assert shown.returncode == 1 and f"1 file: {len(found)} errors, 0 warnings" in shown.stdout
    for place in (f"{path}:4:", f"{path}:5:", "/States/A/Next", "Missing 'Next' target: B", "help: Name a state"):
        assert place in shown.stdout, shown.stdout


def test_check_of_several_files_and_of_none(file, tmp_path):
    good, bad = file(PASS), file("{", "bad.json")
    assert stepwell("check", good, bad).returncode == 1
    missing = stepwell("check", tmp_path / "nobody.json")
    assert missing.returncode == 2 and "nobody.json" in missing.stderr
    assert stepwell("check").returncode == 2


def test_check_reads_yaml_and_standard_input(file):
    yaml = "StartAt: A\nStates:\n  A:\n    Type: Pass\n    Next: B\n"
    told = stepwell("check", file(yaml, "m.yaml"), "--json")
    found = [json.loads(line) for line in told.stdout.splitlines()]
    assert told.returncode == 1 and (5, "/States/A/Next") in {(one["line"], one["pointer"]) for one in found}
    assert stepwell("check", "-", text=json.dumps(PASS)).returncode == 0


def test_placeholders_are_noted_or_filled(file):
    path = file(states(Call=task("sns:publish", {"TopicArn": "${Topic}", "Message": "m"})))
    told = stepwell("check", path)
    assert told.returncode == 0 and "${Topic}" in told.stdout and "1 warning" in told.stdout
    told = stepwell("check", path, "--set", "Topic=arn:aws:sns:us-east-1:000000000000:t")
    assert (told.returncode, told.stdout.strip()) == (0, "1 file: 0 errors, 0 warnings")


# run


@pytest.mark.parametrize(
    ("machine", "code", "said"),
    [
        (PASS, 0, '{"n":1}'),
        (states(F={"Type": "Fail", "Error": "Bad", "Cause": "Very"}), 1, ""),
        ({**states(W=wait(600)), "TimeoutSeconds": 1}, 3, ""),
    ],
    ids=["succeeded", "failed", "timed out"],
)
def test_run_ends_as_the_execution_does(file, machine, code, said):
    told = stepwell("run", file(machine), "--input", '{"n":1}')
    assert (told.returncode, told.stdout.strip()) == (code, said), told.stderr
    assert "started" in told.stderr


def test_run_with_bad_input(file, tmp_path):
    assert stepwell("run", file(PASS), "--input", "{").returncode == 2
    assert stepwell("run", file({"StartAt": "A"}, "bad.json")).returncode == 2
    assert stepwell("run", tmp_path / "nobody.json").returncode == 2


def test_run_takes_its_input_from_a_file_and_gives_json(file):
    data = file({"n": 41}, "input.json")
    machine = file(states(Add={"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}}))
    told = stepwell("run", machine, "--input", data)
    assert (told.returncode, json.loads(told.stdout)) == (0, {"n": 42})
    lines = [json.loads(line) for line in stepwell("run", machine, "--input", data, "--json").stdout.splitlines()]
    types = " ".join(line["type"] for line in lines[:-1])
    assert types == "ExecutionStarted PassStateEntered PassStateExited ExecutionSucceeded"
    assert (lines[-1]["status"], lines[-1]["output"]) == ("SUCCEEDED", {"n": 42})


def test_run_reaches_no_service_that_it_was_not_told_of(file):
    """Nothing reaches a real account by accident."""
    told = stepwell("run", file(states(List=task("aws-sdk:sqs:listQueues", {}))), "--json")
    last = json.loads(told.stdout.splitlines()[-1])
    assert (told.returncode, last["error"]) == (1, "Sqs.SdkClientException")
    assert last["cause"].startswith("no endpoint for sqs: set AWS_ENDPOINT_URL_SQS"), last


def test_run_with_a_task_that_waits_listens_and_says_where(file):
    # The queue is made after the run has begun, so the first sending fails and is tried again.
    again = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 20, "BackoffRate": 1}]
    machine = file(states(Ask=ask("${Queue}", Retry=again)))
    port = free_port()
    queue = f"http://127.0.0.1:{port}/000000000000/answers"
    command = [BINARY, "run", machine, "--laptop", "--listen", f"127.0.0.1:{port}", "--set", f"Queue={queue}"]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert f"listening on http://127.0.0.1:{port}" in process.stderr.readline()
        sqs, sfn = (make_client(service, f"http://127.0.0.1:{port}") for service in ("sqs", "stepfunctions"))
        sqs.create_queue(QueueName="answers")
        [message] = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=15)["Messages"]
        sfn.send_task_success(taskToken=json.loads(message["Body"])["token"], output='"done"')
        out, _ = process.communicate(timeout=20)
        assert (process.returncode, out.strip()) == (0, '"done"')
    finally:
        process.kill()
        process.wait()


def test_run_is_aborted_by_an_interrupt(file):
    command = [BINARY, "run", file(states(W=wait(600)))]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "entered (Wait)" in line:
            break
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=20)
    assert process.returncode == 4 and "ABORTED" in rest


def test_run_leaves_nothing_behind(file, tmp_path):
    machine = file(PASS)
    before = set(os.listdir(tmp_path))
    assert stepwell("run", machine, cwd=tmp_path).returncode == 0
    assert set(os.listdir(tmp_path)) == before


# history


def test_history_of_what_has_ended_and_of_what_goes_on(server):
    done = server.run(PASS, {"a": 1})["executionArn"]
    told = stepwell("history", done, "--endpoint", server.url)
    assert told.returncode == 0 and told.stdout.splitlines()[-1].endswith("SUCCEEDED")
    told = stepwell("history", done, "--endpoint", server.url, "--json")
    assert [json.loads(line)["id"] for line in told.stdout.splitlines()] == [1, 2, 3, 4]

    going = server.begin(states(W=wait(1), F={"Type": "Fail", "Error": "Bad"}))
    told = stepwell("history", going, "--endpoint", server.url)
    assert told.returncode == 0 and "entered (Wait)" in told.stdout and "FAILED" not in told.stdout
    told = stepwell("history", going, "--follow", "--endpoint", server.url)
    assert told.returncode == 1 and told.stdout.splitlines()[-1].split()[-2:] == ["FAILED", "Bad"]

    stopped = server.begin(states(W=wait(600)))
    server.sfn.stop_execution(executionArn=stopped)
    assert stepwell("history", stopped, "-f", env={"AWS_ENDPOINT_URL_SFN": server.url}).returncode == 4
    late = server.begin({**states(W=wait(600)), "TimeoutSeconds": 1})
    assert stepwell("history", late, "--follow", "--endpoint", server.url).returncode == 3


def test_history_of_nothing(server):
    arn = "arn:aws:states:us-east-1:000000000000:execution:no:body"
    told = stepwell("history", arn, "--endpoint", server.url)
    assert told.returncode == 2 and "Execution Does Not Exist" in told.stderr
    told = stepwell("history", arn, "--endpoint", f"http://127.0.0.1:{free_port()}")
    assert told.returncode == 2 and told.stderr.startswith("stepwell: ")


# serve


def test_serve_closes_in_order(fresh):
    """SIGTERM: polls are ended, what was acknowledged is kept, and the exit code is 0."""
    server = fresh().start()
    activity = server.sfn.create_activity(name="work")["activityArn"]
    waiting = server.begin(states(Work=task(activity)), {"n": 1}, name="waiting")
    token = server.sfn.get_activity_task(activityArn=activity)["taskToken"]
    errors = []

    def poll():
        try:
            server.client("stepfunctions", read_timeout=30).get_activity_task(activityArn=activity)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=poll)
    thread.start()
    time.sleep(0.3)
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < 10
    thread.join(10)
    assert not thread.is_alive()
    server.start()
    assert server.sfn.describe_execution(executionArn=waiting)["status"] == "RUNNING"
    server.sfn.send_task_success(taskToken=token, output="2")
    assert output(server.ended(waiting)) == 2


def test_serve_ends_jobs_when_it_closes_and_tries_them_again(fresh):
    server = fresh().start()
    queue, definition = server.job_queue(), server.job_definition("work.sh", "sleep", "2", attempts=5)
    job = task("batch:submitJob.sync", {"JobName": "j", "JobQueue": queue, "JobDefinition": definition})
    arn = server.begin(states(Sleep=job))
    job_id = json.loads(server.reached(arn, "TaskSubmitted")["taskSubmittedEventDetails"]["output"])["JobId"]
    eventually(lambda: server.job(job_id)["status"], lambda status: status == "RUNNING")
    assert server.stop() == 0
    server.start()
    told = output(server.ended(arn))
    assert (told["JobId"], len(told["Attempts"])) == (job_id, 2)


def test_serve_listens_on_loopback_only(tmp_path):
    told = stepwell("serve", "--listen", "0.0.0.0:0", "--data", tmp_path / "d")
    assert told.returncode == 2 and "is not a loopback address" in told.stderr


def test_serve_says_that_the_port_or_the_directory_is_taken(fresh, tmp_path):
    server = fresh().start()
    told = stepwell("serve", "--listen", f"127.0.0.1:{server.port}", "--data", tmp_path / "other")
    assert told.returncode == 2 and f"cannot listen on 127.0.0.1:{server.port}" in told.stderr
    told = stepwell("serve", "--listen", "127.0.0.1:0", "--data", server.data)
    assert told.returncode == 2, "two servers must not share a data directory"


SETTINGS = """
account = "111111111111"
region = "eu-west-1"
laptop = true
[images]
"my/image:1" = "programs"
[limits]
payload_bytes = 1000
"""


def test_settings_come_from_flags_environment_and_file(fresh, tmp_path):
    images = tmp_path / "programs"
    images.mkdir()
    (images / "hello.sh").write_text("#!/bin/sh\necho from the file\n")
    (images / "hello.sh").chmod(0o755)
    config = tmp_path / "settings.toml"
    config.write_text(SETTINGS)
    server = fresh(env={"STEPWELL_REGION": "eu-west-3", "STEPWELL_ACCOUNT": "222222222222"})
    server.arguments = ["--config", config, "--account", "333333333333"]
    server.start()
    arn = server.machine(PASS, "m")
    assert arn == "arn:aws:states:eu-west-3:333333333333:stateMachine:m"
    definition = server.job_definition("hello.sh", image="my/image:1")
    job_id = server.batch.submit_job(jobName="j", jobQueue=server.job_queue(), jobDefinition=definition)["jobId"]
    assert server.job_log(server.job_ended(job_id)) == "from the file\n"
    long = {"x": "y" * 2000}
    failed = server.run(states(Big={"Type": "Pass", "Result": long}))
    assert failed["status"] == "FAILED" and failed["error"] == "States.DataLimitExceeded"


def test_a_setting_that_nobody_knows_is_refused(tmp_path):
    (tmp_path / "stepwell.toml").write_text('regoin = "x"\n')
    told = stepwell("serve", "--listen", "127.0.0.1:0", cwd=tmp_path)
    assert told.returncode == 2 and "unknown field `regoin`" in told.stderr and "stepwell.toml" in told.stderr


# help


def test_help_teaches():
    told = stepwell("--help")
    assert told.returncode == 0
    for word in ("serve", "check", "run", "history", "completion", "--version"):
        assert word in told.stdout
    assert "  stepwell serve --laptop\n  aws stepfunctions list-state-machines --endpoint-url" in told.stdout
    for command, words in {
        "serve": ("--listen", "--data", "--account", "--region", "--laptop", "--image", "STEPWELL_DATA"),
        "run": ("--input", "Exit code", "--set"),
        "check": ("--set", "JSON pointer"),
        "history": ("--follow", "--endpoint"),
    }.items():
        told = stepwell(command, "--help")
        assert told.returncode == 0 and all(word in told.stdout for word in words), (command, told.stdout)
    assert stepwell("--version").stdout.startswith("stepwell ")
    assert stepwell("frobnicate").returncode == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell):
    told = stepwell("completion", shell)
    assert told.returncode == 0 and "history" in told.stdout
