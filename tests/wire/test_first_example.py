"""The README's first example, with each of AWS's clients: create a state machine, start an execution, see its end.

Where a client is run as a program of its own, what it prints is what it saw.
"""

import http.client
import json
import pathlib
import re
import shutil
import subprocess
import sys

import boto3
import pytest
from botocore.config import Config
from world import HERE, REGION, ROLE, ROOT, environment, unique

CLIENTS = HERE / "clients"


def first_example():
    """Name and definition of the README's create-state-machine."""
    text = (ROOT / "README.md").read_text()
    name = re.search(r"create-state-machine --name (\w+)", text)[1]
    definition = re.search(r"--definition '(.*)'", text)[1]
    json.loads(definition)
    return unique(name), definition


def run(command, server, **more):
    env = environment(AWS_ENDPOINT_URL=server.url, **more)
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_boto3(server):
    name, definition = first_example()
    config = Config(inject_host_prefix=False)
    client = boto3.client("stepfunctions", endpoint_url=server.url, region_name=REGION, config=config)
    machine = client.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=machine, name="first")["executionArn"]
    assert server.ended(execution)["output"] == '"hello"'
    express = client.create_state_machine(name=f"{name}-express", definition=definition, roleArn=ROLE, type="EXPRESS")
    assert client.start_sync_execution(stateMachineArn=express["stateMachineArn"])["output"] == '"hello"'


def test_the_aws_cli(server, tmp_path):
    name, definition = first_example()
    aws = [pathlib.Path(sys.executable).with_name("aws"), "stepfunctions", "--endpoint-url", server.url, "--output", "text"]
    make = ["create-state-machine", "--name", name, "--role-arn", ROLE, "--definition", definition]
    machine = run([*aws, *make, "--query", "stateMachineArn"], server, HOME=str(tmp_path)).strip()
    start = ["start-execution", "--state-machine-arn", machine, "--name", "first", "--query", "executionArn"]
    execution = run([*aws, *start], server, HOME=str(tmp_path)).strip()
    assert server.ended(execution)["output"] == '"hello"'
    made = ["--name", f"{name}-express", "--role-arn", ROLE, "--definition", definition, "--type", "EXPRESS"]
    express = run([*aws, "create-state-machine", *made, "--query", "stateMachineArn"], server, HOME=str(tmp_path)).strip()
    sync = ["start-sync-execution", "--state-machine-arn", express, "--query", "output"]
    quiet = {"HOME": str(tmp_path), "AWS_DISABLE_HOST_PREFIX_INJECTION": "true"}
    assert run([*aws, *sync], server, **quiet).strip() == '"hello"'


@pytest.mark.skipif(not shutil.which("node"), reason="node is not on this machine")
def test_the_javascript_sdk(server):
    name, definition = first_example()
    folder = ROOT / "target/clients/javascript"
    assert (folder / "node_modules").exists(), "scripts/setup installs what this client needs"
    # A module looks for others beside itself.
    shutil.copy(CLIENTS / "javascript/first.mjs", folder)
    told = json.loads(run(["node", folder / "first.mjs", name, definition, ROLE], server))
    assert (told["status"], told["output"], told["sync"]) == ("SUCCEEDED", '"hello"', '"hello"')
    assert server.ended(told["execution"])["status"] == "SUCCEEDED"


def test_the_rust_sdk(server):
    name, definition = first_example()
    program = ROOT / "target/clients/rust/debug/first-example"
    manifest = (CLIENTS / "rust/Cargo.toml").relative_to(ROOT)
    how = f"cargo build --locked --manifest-path {manifest} --target-dir target/clients/rust"
    assert program.exists(), f"`{how}` builds this client, as `make test` does"
    told = json.loads(run([program, name, definition, ROLE], server))
    assert (told["status"], told["output"], told["sync"]) == ("SUCCEEDED", '"hello"', '"hello"')
    assert server.ended(told["execution"])["status"] == "SUCCEEDED"


def test_a_host_with_the_prefix_of_the_sdks_is_answered(server):
    """Whoever lets `sync-localhost` resolve may leave the prefix on."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {"Host": f"sync-localhost:{server.port}", "Content-Type": "application/x-amz-json-1.0"}
    headers["X-Amz-Target"] = "AWSStepFunctions.ListStateMachines"
    connection.request("POST", "/", body="{}", headers=headers)
    assert connection.getresponse().status == 200
