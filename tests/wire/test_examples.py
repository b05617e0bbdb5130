"""The sample projects: the demo passes and can fail, and the commands in the READMEs do what they say."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from world import BINARY, ROOT, environment

EXAMPLES = ROOT / "examples"
ARGUMENTS = [
    *("--image", f"examples/statistics:1={EXAMPLES / 'batch-job' / 'image'}"),
    *("--image", f"examples/invoice:1={EXAMPLES / 'order' / 'invoice'}"),
    *("--function", f"price={EXAMPLES / 'order' / 'price'}"),
]


def demo(folder, *projects):
    env = environment(STEPWELL=str(BINARY), PYTHONDONTWRITEBYTECODE="1")
    return subprocess.run(
        [sys.executable, folder / "run", *projects], env=env, capture_output=True, text=True, timeout=120
    )


def test_the_demo():
    told = demo(EXAMPLES)
    assert told.returncode == 0, told.stdout[-3000:] + told.stderr
    assert told.stdout.splitlines()[-1].startswith("All is as expected (")
    assert "\x1b" not in told.stdout, "colours are for terminals"
    assert "✗" not in told.stdout and told.stdout.count("✓") > 50


def test_the_demo_names_what_differs(tmp_path):
    copy = tmp_path / "examples"
    shutil.copytree(EXAMPLES, copy)
    file = copy / "request-response" / "order.asl.json"
    file.write_text(file.read_text().replace("Order {} from {}", "Order {} of {}"))
    told = demo(copy, "request-response")
    assert told.returncode == 1
    last = told.stdout.strip().splitlines()[-2:]
    assert last[0].startswith("1 of the expectations differ"), last
    assert last[1] == '  ✗ its subject was formatted: got "Order 2026-0417 of CH", expected "Order 2026-0417 from CH"'


def commands(readme):
    """The indented blocks of a README, as one script."""
    return "\n".join(line[4:] for line in readme.read_text().splitlines() if line.startswith("    ") or not line)


def where(server):
    """How the READMEs tell the CLI where the server is; it is not where they think."""
    told = commands(EXAMPLES / "README.md").replace("http://127.0.0.1:8083", server.url)
    assert "\nexport AWS_ENDPOINT_URL=" in told
    return told[told.index("\nexport ") :]


OUTCOMES = {
    "request-response": ("order", ["SUCCEEDED"], '"Subject" : "Order 2026-0417 from CH"'),
    "batch-job": ("statistics", ["FAILED", "SUCCEEDED"], "Essential container in task exited"),
    "callback": ("review", ["SUCCEEDED"], "said yes after"),
    "order": ("purchase", ["FAILED", "SUCCEEDED"], '"order":"2026-0612"'),
}


@pytest.mark.parametrize("project", OUTCOMES)
def test_the_commands_of_a_readme(project, fresh):
    server = fresh(arguments=ARGUMENTS).start()
    path = os.pathsep.join([str(BINARY.parent), str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    # `stepwell history` looks at its default endpoint, which is the READMEs' port.
    env = environment(PATH=path, AWS_ENDPOINT_URL_SFN=server.url)
    script = "set -u\n" + where(server) + commands(EXAMPLES / project / "README.md") + "\nwait\n"
    told = subprocess.run(
        ["bash", "-c", script],
        env=env,
        cwd=EXAMPLES / project,
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    assert not told.stderr, told.stderr
    machine, statuses, words = OUTCOMES[project]
    arn = f"arn:aws:states:us-east-1:000000000000:stateMachine:{machine}"
    rows = server.sfn.list_executions(stateMachineArn=arn)["executions"]
    assert [row["status"] for row in rows] == statuses, told.stdout
    assert words in told.stdout.replace('\\"', '"'), told.stdout


def test_the_definitions_are_right():
    files = sorted(EXAMPLES.glob("*/*.asl.json"))
    assert len(files) == 4
    told = subprocess.run([BINARY, "check", "--json", *files], env=environment(), capture_output=True, text=True)
    assert told.returncode == 0, told.stdout
    codes = {json.loads(line)["code"] for line in told.stdout.splitlines()}
    assert codes == {"PLACEHOLDER"}
