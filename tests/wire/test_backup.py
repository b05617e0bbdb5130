"""A copy while the server writes, and a server that lives on from it; and what ended long ago goes."""

import json
import os
import stat
import subprocess
import threading

from world import BINARY, PASS, ask, environment, eventually, output, refusal, states


def backup(server, to):
    command = [BINARY, "backup", to, "--data", server.data]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)


def test_a_backup_of_a_server_at_work_is_a_server(fresh, tmp_path):
    server = fresh().start()
    machine, queue = server.machine(PASS), server.queue()
    waiting = server.begin(states(Ask=ask(queue)))
    token = json.loads(server.receive(queue)["Body"])["token"]
    before = [server.begin(machine, {"n": n}, name=f"before-{n}") for n in range(20)]
    stop = threading.Event()

    def work():
        n = 0
        while not stop.is_set():
            server.begin(machine, {"n": n}, name=f"during-{n}")
            n += 1

    worker = threading.Thread(target=work)
    worker.start()
    try:
        done = backup(server, tmp_path / "copy.db")
    finally:
        stop.set()
        worker.join()
    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(os.stat(tmp_path / "copy.db").st_mode) == 0o600, "keys are in it"
    again = backup(server, tmp_path / "copy.db")
    assert again.returncode == 2 and "is there already" in again.stderr
    assert server.run(machine)["status"] == "SUCCEEDED"
    server.kill()

    # Restored as the README tells.
    server.data = tmp_path / "restored"
    server.data.mkdir()
    (tmp_path / "copy.db").rename(server.data / "stepwell.db")
    server.start()
    for arn in before:
        assert server.ended(arn)["status"] == "SUCCEEDED"
    during = [row["name"] for row in server.all("list_executions", "executions", stateMachineArn=machine)]
    during = sorted(int(name.split("-")[1]) for name in during if name.startswith("during"))
    assert during == list(range(len(during))), "one moment: nothing is missing before what is there"
    server.sfn.send_task_success(taskToken=token, output='"after the restore"')
    assert output(server.ended(waiting)) == "after the restore"
    assert server.run(machine)["status"] == "SUCCEEDED"


def test_no_backup_of_what_is_no_store(tmp_path):
    command = [BINARY, "backup", tmp_path / "copy.db", "--data", tmp_path]
    refused = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=30)
    assert refused.returncode == 2 and "there is no" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_executions_go_after_their_retention(fresh, tmp_path):
    (tmp_path / "short.toml").write_text("[retention]\ndays = 0.00002\n")
    server = fresh(arguments=["--config", tmp_path / "short.toml"]).start()
    machine, queue = server.machine(PASS), server.queue()
    waiting = server.begin(states(Ask=ask(queue)))
    arn = server.begin(machine, {"n": 1}, name="one")
    server.ended(arn)
    gone = lambda: server.sfn.list_executions(stateMachineArn=machine)["executions"]
    eventually(gone, lambda rows: not rows, 45)
    assert refusal(server.sfn.describe_execution, executionArn=arn)[0] == "ExecutionDoesNotExist"
    assert refusal(server.sfn.get_execution_history, executionArn=arn)[0] == "ExecutionDoesNotExist"
    assert server.begin(machine, {"n": 2}, name="one") == arn, "the name is free"
    assert server.sfn.describe_execution(executionArn=waiting)["status"] == "RUNNING"
