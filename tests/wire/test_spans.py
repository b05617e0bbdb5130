"""Spans of executions at a collector: the binary speaks OTLP, and a kill loses none of a state that was left."""

import http.server
import time

import pytest
import world
from world import serving, states, task, wait

HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
TRACE = "5759e988bd862e3fe1be46a994272793"
# Kills in a row; each comes while spans are on their way.
KILLS = 5


def fields(data):
    """A protobuf message as pairs of field number and value: whole numbers, or bytes."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            yield number, varint()
            continue
        length = {1: 8, 5: 4}.get(kind) or varint()
        value = data[at : at + length]
        at += length
        yield number, int.from_bytes(value, "little") if kind in (1, 5) else value


def inner(data, *path):
    """The messages at a path of field numbers."""
    found = [data]
    for number in path:
        found = [value for message in found for field, value in fields(message) if field == number]
    return found


class Collector(http.server.BaseHTTPRequestHandler):
    """Takes spans (opentelemetry/proto/trace/v1/trace.proto), or none while it is `closed`."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        is_open = not getattr(self.server, "closed", False)
        if is_open:
            self.server.calls.extend(self.span(data) for data in inner(body, 1, 2, 2))
        self.send_response(200 if is_open else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    @staticmethod
    def span(data):
        values = dict(fields(data))
        attributes = {}
        for attribute in inner(data, 9):
            key, value = (dict(fields(attribute))[number] for number in (1, 2))
            attributes[key.decode()] = next(value.decode() if isinstance(value, bytes) else value for _, value in fields(value))
        return {
            "trace": values[1].hex(),
            "id": values[2].hex(),
            "parent": values.get(4, b"").hex(),
            "name": values[5].decode(),
            "from": values[7],
            "until": values[8],
            "execution": attributes["aws.step_functions.execution.arn"],
            "error": attributes.get("error.type"),
        }

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    with serving(Collector) as collector:
        yield collector


def machine(server, definition, **more):
    return server.sfn.create_state_machine(
        name=world.unique("machine"),
        definition=world.json.dumps(definition),
        roleArn=world.ROLE,
        tracingConfiguration={"enabled": True},
        **more,
    )["stateMachineArn"]


def spans(collector, execution):
    """Those of an execution, by name and by span: what comes twice is the same."""
    of = [span for span in list(collector.calls) if span["execution"] == execution]
    return {(span["name"], span["id"]): span for span in of}


def names(collector, execution):
    return sorted(name for name, _ in spans(collector, execution))


def test_a_parent_and_its_child_are_one_trace(fresh, collector):
    server = fresh(env={"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}).start()
    child = machine(server, states(Inner={"Type": "Fail", "Error": "Lost"}))
    start = {"StateMachineArn": child, "Name": world.unique("child")}
    parent = machine(server, states(Starts=task("states:startExecution.sync:2", start)))
    execution = server.begin(parent, traceHeader=HEADER)
    assert server.ended(execution)["status"] == "FAILED"
    below = child.replace(":stateMachine:", ":execution:") + ":" + start["Name"]
    world.eventually(lambda: names(collector, execution) + names(collector, below), lambda seen: len(seen) == 4)
    by_name = {span["name"]: span for span in collector.calls}
    parent_name, child_name = (arn.rsplit(":", 1)[-1] for arn in (parent, child))
    assert {span["trace"] for span in by_name.values()} == {TRACE}
    assert by_name[parent_name]["parent"] == "53995c3f42cd8ad8"
    assert by_name["Starts"]["parent"] == by_name[parent_name]["id"]
    assert by_name[child_name]["parent"] == by_name["Starts"]["id"], "the child goes on below the task that started it"
    assert by_name["Inner"]["parent"] == by_name[child_name]["id"] and by_name["Inner"]["error"] == "Lost"
    header = server.sfn.describe_execution(executionArn=below)["traceHeader"]
    assert header == f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={by_name['Starts']['id']};Sampled=1"


def test_a_kill_loses_no_span_of_a_state_that_was_left(fresh, collector, tmp_path):
    (tmp_path / "stepwell.toml").write_text(f'[tracing]\nendpoint = "{collector.url}"\n')
    server = fresh(arguments=["--config", tmp_path / "stepwell.toml"]).start()
    steps = {f"Step{number}": wait(1) if number % 2 else {"Type": "Pass"} for number in range(6)}
    arn = machine(server, states(**steps))
    collector.closed = True
    executions = [server.begin(arn) for _ in range(20)]
    for _ in range(KILLS):
        time.sleep(0.5)
        server.kill()
        server.start()
        collector.closed = not collector.closed
    collector.closed = False
    for execution in executions:
        assert server.ended(execution)["status"] == "SUCCEEDED"
    wanted = sorted([*steps, arn.rsplit(":", 1)[-1]])
    for execution in executions:
        world.eventually(lambda: names(collector, execution), lambda seen: len(seen) >= len(wanted), 60)
        assert names(collector, execution) == wanted, "each state once, under one name"
        events = server.events(execution)
        root = next(span for (name, _), span in spans(collector, execution).items() if name not in steps)
        times = [int(event["timestamp"].timestamp() * 1000 + 0.5) for event in (events[0], events[-1])]
        assert [root["from"] // 1_000_000, root["until"] // 1_000_000] == times, "the times of the history"


def test_a_function_goes_on_with_the_trace(fresh, tmp_path):
    folder = tmp_path / "traced"
    folder.mkdir()
    code = 'import os\n\ndef lambda_handler(event, context):\n    return os.environ["_X_AMZN_TRACE_ID"]\n'
    (folder / "lambda_function.py").write_text(code)
    server = fresh(arguments=["--function", f"traced={folder}"]).start()
    definition = states(Asks=task("lambda:invoke", {"FunctionName": "traced"}, OutputPath="$.Payload"))
    execution = server.begin(machine(server, definition), traceHeader=HEADER)
    seen = world.output(server.ended(execution))
    root, parent, sampled = seen.split(";")
    assert (root, sampled) == (HEADER.split(";")[0], "Sampled=1"), seen
    assert parent.startswith("Parent=") and parent not in HEADER, "below the state, not beside the execution"
