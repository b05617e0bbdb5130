"""The world unwell: what a server says of directories that it cannot use, and how it goes on when the world is well again."""

import json
import os
import resource
import socket
import sqlite3
import subprocess
import time

import botocore.exceptions
import pytest
from world import BINARY, HERE, PASS, ask, check_history, eventually, output, refusal, states, task, wait

MIB = 1 << 20


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def refused_to_start(server):
    """What a server says that does not start."""
    command = [BINARY, "serve", "--listen", f"127.0.0.1:{server.port}", "--data", server.data, *server.arguments]
    ended = subprocess.run(command, env=server.env, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2 and "panicked" not in ended.stderr, ended.stderr
    return ended.stderr


def fill(folder):
    """Takes all the room there is."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                pass
    return filler


def is_sound(data):
    connection = sqlite3.connect(f"file:{data / 'stepwell.db'}?mode=ro", uri=True)
    try:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        connection.close()


def test_a_full_disk(disk, fresh):
    server = fresh(laptop=False)
    server.data = disk / "data"
    server.start()
    machine = server.machine(PASS)
    activity = server.sfn.create_activity(name="work")["activityArn"]
    waiting = server.begin(states(Ask=task(activity)))
    token = server.sfn.get_activity_task(activityArn=activity)["taskToken"]
    timer = server.begin(states(Wait=wait(2)))
    filler = fill(disk)

    kept, refused = [], None
    for n in range(3000):
        try:
            server.begin(machine, {"data": "x" * 20_000}, name=f"n{n}")
            kept.append(f"n{n}")
        except botocore.exceptions.ClientError as error:
            refused = (f"n{n}", error.response["Error"])
            break
    assert refused, "the disk never was full"
    name, told = refused
    assert told["Code"] == "ServiceUnavailable" and "disk is full" in told["Message"], told
    # Whoever only looks is answered.
    assert server.sfn.describe_execution(executionArn=waiting)["status"] == "RUNNING"
    large = '"' + "y" * 100_000 + '"'
    assert refusal(server.sfn.send_task_success, taskToken=token, output=large)[0] == "ServiceUnavailable"
    time.sleep(2)

    filler.unlink()

    def go_on():
        try:
            return server.begin(machine, {"again": True}, name=name)
        except botocore.exceptions.ClientError as error:
            return error.response["Error"]["Code"]

    eventually(go_on, lambda arn: arn.startswith("arn:"))
    eventually(lambda: refusal_or_none(server, token), lambda code: code in (None, "TaskTimedOut"))
    assert server.ended(waiting)["status"] == "SUCCEEDED"
    assert server.ended(timer, within=45)["status"] == "SUCCEEDED"
    assert server.process.poll() is None, "the same process goes on"
    assert server.stop() == 0
    assert is_sound(server.data)
    server.start()
    listed = {row["name"]: row["status"] for row in server.all("list_executions", "executions", stateMachineArn=machine)}
    assert listed == {kept_name: "SUCCEEDED" for kept_name in [*kept, name]}
    for arn in (waiting, timer):
        check_history(server.events(arn))


def test_laptop_services_on_a_full_disk(disk, fresh):
    server = fresh()
    server.data = disk / "data"
    server.start()
    queue = server.queue()
    filler = fill(disk)
    assert refusal(server.sqs.send_message, QueueUrl=queue, MessageBody="x" * 100_000)[0] == "InternalFailure"
    filler.unlink()
    server.sqs.send_message(QueueUrl=queue, MessageBody="again")
    assert server.receive(queue)["Body"] == "again"
    assert server.stop() == 0


def refusal_or_none(server, token):
    try:
        server.sfn.send_task_success(taskToken=token, output='"in the end"')
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]


def test_a_read_only_directory(disk, fresh):
    server = fresh(laptop=False)
    server.data = disk / "data"
    server.start()
    server.machine(PASS)
    server.stop()
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    told = refused_to_start(server)
    assert str(server.data) in told and "Read-only file system" in told
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    server.start()


def test_data_of_a_newer_version(fresh):
    server = fresh(laptop=False).start()
    server.machine(PASS)
    server.stop()
    connection = sqlite3.connect(server.data / "stepwell.db")
    [known] = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {known + 1}")
    connection.close()
    before = (server.data / "stepwell.db").read_bytes()
    told = refused_to_start(server)
    assert f"written by a newer version (format {known + 1}, this version knows up to {known})" in told
    assert (server.data / "stepwell.db").read_bytes() == before, "it is left alone"


def test_two_servers_on_one_directory(fresh):
    first = fresh(laptop=False).start()
    machine = first.machine(PASS)
    second = fresh(laptop=False)
    told = refused_to_start(second)
    assert f"in use by another server (process {first.process.pid})" in told
    assert first.run(machine)["status"] == "SUCCEEDED"


def test_a_corrupted_page(fresh):
    server = fresh(laptop=False).start()
    machine = server.machine(PASS)
    arns = [server.begin(machine, {"data": f"{n:03}" * 4000}, name=f"n{n}") for n in range(20)]
    for arn in arns:
        server.ended(arn)
    assert server.stop() == 0
    assert sorted(file.name for file in server.data.iterdir()) == ["stepwell.db", "stepwell.lock"], "it is closed"
    store = server.data / "stepwell.db"
    sound = store.read_bytes()
    at = sound.index(b"007" * 100) + 50

    # One letter of a payload: SQLite sees nothing wrong with it.
    store.write_bytes(sound[:at] + b"X" + sound[at + 1 :])
    assert is_sound(server.data)
    told = refused_to_start(server)
    assert f"{server.data}: the store is damaged: chunk 0 of execution" in told
    assert "Restore it from a backup" in told and "--accept-damage" in told
    server.arguments.append("--accept-damage")
    server.start()
    # The whole ones are served, and of the damaged one nothing is.
    for n, arn in enumerate(arns):
        if n == 7:
            code, message = refusal(server.sfn.get_execution_history, executionArn=arn)
            assert code == "InternalServerError" and "damaged" in message
            assert refusal(server.sfn.describe_execution, executionArn=arn)[0] == "InternalServerError"
        else:
            assert output(server.ended(arn)) == {"data": f"{n:03}" * 4000}
    assert server.run(machine)["status"] == "SUCCEEDED"
    assert server.stop() == 0
    server.arguments.remove("--accept-damage")

    # A whole page of noise, in the middle.
    page = (len(sound) // 8192 // 2) * 8192
    store.write_bytes(sound[:page] + os.urandom(8192) + sound[page + 8192 :])
    assert "the store is damaged" in refused_to_start(server)
    store.write_bytes(sound)
    server.start()
    assert output(server.ended(arns[7])) == {"data": "007" * 4000}


def test_damage_in_a_large_store_is_found_beside_the_serving(fresh):
    server = fresh(laptop=False).start()
    machine = server.machine(PASS)
    for n in range(160):
        server.begin(machine, {"data": f"{n:03}" * 80_000}, name=f"n{n}")
    assert server.stop() == 0
    with open(server.data / "stepwell.db", "r+b") as store:
        at = store.read().index(b"111" * 100) + 50
        assert store.tell() > 32 * MIB
        store.seek(at)
        store.write(b"X")
    server.start()
    assert server.process.wait(60) == 2, "it was ready, looked on, and ended"
    assert "the store is damaged: chunk 0 of execution" in server.log()


@pytest.fixture(scope="session")
def shift(tmp_path_factory):
    """A library that sets the clock of one process off by SHIFT_SECONDS."""
    library = tmp_path_factory.mktemp("clock") / "shift.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "shift.c", "-ldl"], check=True)
    return library


def test_clocks_that_jump_across_a_restart(fresh, shift):
    server = fresh()

    def again(seconds):
        if server.process:
            server.kill()
        server.env.update(LD_PRELOAD=str(shift), SHIFT_SECONDS=str(seconds))
        server.start()

    again(0)
    machine, queue = server.machine(PASS), server.queue()
    hour, asked = server.begin(states(Hour=wait(3600))), server.begin(states(Ask=ask(queue), Second=wait(1)))
    token = receive_token(server, queue)
    again(2 * 3600)
    # Forward: what has become due is done at once.
    assert server.ended(hour)["status"] == "SUCCEEDED"
    future = server.begin(machine, name="of-the-future")
    server.ended(future)
    late = server.begin(states(Ask=ask(queue)))
    late_token = receive_token(server, queue)

    again(0)
    # Back: nothing is lost, history does not go backwards, and what begins now takes its time and no longer.
    assert server.ended(future)["status"] == "SUCCEEDED"
    began = time.monotonic()
    assert server.ended(server.begin(states(Second=wait(1))))["status"] == "SUCCEEDED"
    assert 1 <= time.monotonic() - began < 10
    server.sfn.send_task_success(taskToken=late_token, output='"late"')
    assert output(server.ended(late)) == "late"
    server.sfn.send_task_success(taskToken=token, output='"asked"')
    assert server.ended(asked)["status"] == "SUCCEEDED"
    assert server.run(machine)["status"] == "SUCCEEDED"
    names = [row["name"] for row in server.all("list_executions", "executions", stateMachineArn=machine)]
    assert names[0] == "of-the-future" and len(names) == 2, "by start time, as they were told"
    for arn in (hour, future, late, asked):
        check_history(server.events(arn))


def receive_token(server, queue):
    return json.loads(server.receive(queue)["Body"])["token"]


def test_out_of_file_descriptors(fresh):
    files = 120
    server = fresh(preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)))
    server.start()
    queue = server.queue()
    sends = server.machine(states(Send=task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody": "m"})))
    machine = server.machine(PASS)
    crowd = []
    for _ in range(files):
        connection = socket.socket()
        connection.settimeout(5)
        connection.connect(("127.0.0.1", server.port))
        crowd.append(connection)
    # Who is in is served.
    for _ in range(5):
        assert server.run(machine)["status"] == "SUCCEEDED"
    assert len(os.listdir(f"/proc/{server.process.pid}/fd")) < files
    for connection in crowd:
        connection.close()
    fresh_client = server.client("stepfunctions", tcp_keepalive=True)
    assert fresh_client.list_state_machines()["stateMachines"]
    assert server.run(sends)["status"] == "SUCCEEDED"
