"""The binary as a process, clients for it, and short words for what tests ask again and again.

Everything is on loopback and in directories of the test; server and clients see nothing of the caller's AWS settings.
"""

import contextlib
import http.client
import http.server
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

import boto3
import botocore.exceptions
from botocore.config import Config

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BINARY = pathlib.Path(os.environ.get("STEPWELL") or ROOT / "target/debug/stepwell").absolute()
ACCOUNT, REGION = "000000000000", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/wire"
IMAGE = "wire/work"

# A debug build on a busy machine; whoever does not come by then does not come.
START_SECONDS = 30
STOP_SECONDS = 20
# How long anything asynchronous may take that should take milliseconds.
SOON = 15

_names = itertools.count(1)


def unique(prefix="thing"):
    """A name that nobody else has in this run."""
    return f"{prefix}-{os.getpid()}-{next(_names)}"


def environment(**more):
    """Nothing of the caller's AWS settings: a profile of theirs must not lead a test to a real account."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STEPWELL_", "SFN_"))}
    env.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION=REGION, AWS_DEFAULT_REGION=REGION)
    env.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_EC2_METADATA_DISABLED="true")
    env.update(more)
    return env


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """`stepwell serve` over one data directory and one port, which may be killed and started again."""

    def __init__(self, folder, *, laptop=True, arguments=(), env=None, preexec=None):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = environment(**(env or {}))
        self.arguments = ["--account", ACCOUNT, "--region", REGION, *map(str, arguments)]
        if laptop:
            self.arguments += ["--laptop", "--image", f"{IMAGE}={HERE / 'image'}"]
        self.preexec = preexec
        self.process = None
        self._clients = {}
        self._lock = threading.Lock()

    def start(self):
        where = ["--listen", f"127.0.0.1:{self.port}", "--data", self.data]
        command = [BINARY, "serve", *where, "--json", *self.arguments]
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                command,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
                preexec_fn=self.preexec,
            )
        told = []
        reader = threading.Thread(target=lambda: told.append(self.process.stdout.readline()), daemon=True)
        reader.start()
        reader.join(START_SECONDS)
        assert told and told[0], f"the server did not start:\n{self.log()[-4000:]}"
        assert json.loads(told[0])["url"] == self.url
        return self

    def kill(self):
        """As if the power had gone: nothing is closed, nothing is said."""
        self.process.send_signal(signal.SIGKILL)
        self._reap()

    def stop(self):
        """As an administrator stops it; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._reap()

    def _reap(self):
        code = self.process.wait(STOP_SECONDS)
        self.process.stdout.close()
        return code

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def log(self):
        return (self.folder / "server.log").read_text("utf-8", "replace")

    def client(self, service, **more):
        """A client that tries once, so that a test sees every answer there is."""
        key = (service, repr(sorted(more.items())))
        with self._lock:
            if key not in self._clients:
                self._clients[key] = make_client(service, self.url, **more)
            return self._clients[key]

    @property
    def sfn(self):
        return self.client("stepfunctions")

    @property
    def sqs(self):
        return self.client("sqs")

    @property
    def sns(self):
        return self.client("sns")

    @property
    def batch(self):
        return self.client("batch")

    # Short words.

    def machine(self, definition, name=None):
        """Creates a state machine; its ARN."""
        text = definition if isinstance(definition, str) else json.dumps(definition)
        name = name or unique("machine")
        return self.sfn.create_state_machine(name=name, definition=text, roleArn=ROLE)["stateMachineArn"]

    def begin(self, machine, data=None, **more):
        """Starts an execution of a machine, given by its ARN or as a definition to create; the execution's ARN."""
        arn = machine if isinstance(machine, str) and machine.startswith("arn:") else self.machine(machine)
        text = json.dumps({} if data is None else data)
        return self.sfn.start_execution(stateMachineArn=arn, input=text, **more)["executionArn"]

    def run(self, machine, data=None, **more):
        """One execution to its end: its description."""
        return self.ended(self.begin(machine, data, **more))

    def ended(self, execution, within=SOON):
        return eventually(
            lambda: self.sfn.describe_execution(executionArn=execution),
            lambda described: described["status"] != "RUNNING",
            within,
        )

    def all(self, operation, member, **parameters):
        """What a paged operation of Step Functions lists, page after page."""
        pages = self.sfn.get_paginator(operation).paginate(**parameters)
        return [item for page in pages for item in page[member]]

    def events(self, execution):
        return self.all("get_execution_history", "events", executionArn=execution)

    def types(self, execution):
        return " ".join(event["type"] for event in self.events(execution))

    def reached(self, execution, kind, within=SOON):
        """The first event of this type, once it is there."""
        find = lambda: next((event for event in self.events(execution) if event["type"] == kind), None)
        return eventually(find, lambda event: event is not None, within)

    def queue(self, **attributes):
        """A new queue; its URL."""
        name = unique("queue") + (".fifo" if attributes.get("FifoQueue") else "")
        return self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def receive(self, queue, wait=SOON, **more):
        """The next message, deleted."""
        answer = self.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=wait, AttributeNames=["All"], **more)
        for message in answer.get("Messages", []):
            self.sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return message
        return None

    def job_definition(self, *command, attempts=1, image=IMAGE, **more):
        """A new job definition; its name."""
        name = unique("job")
        properties = {"image": image, "command": list(command), "vcpus": 1, "memory": 64}
        self.batch.register_job_definition(
            jobDefinitionName=name,
            type="container",
            containerProperties=properties,
            retryStrategy={"attempts": attempts},
            **more,
        )
        return name

    def job_queue(self):
        """A new job queue; its name."""
        name = unique("jobs")
        environment = self.batch.create_compute_environment(computeEnvironmentName=unique("env"), type="UNMANAGED")
        order = [{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}]
        self.batch.create_job_queue(jobQueueName=name, priority=1, computeEnvironmentOrder=order)
        return name

    def job(self, job_id):
        return self.batch.describe_jobs(jobs=[job_id])["jobs"][0]

    def job_ended(self, job_id, within=SOON):
        return eventually(lambda: self.job(job_id), lambda job: job["status"] in ("SUCCEEDED", "FAILED"), within)

    def job_log(self, job):
        return (self.data / "batch" / "logs" / (job["container"]["logStreamName"] + ".log")).read_text()

    def jobs_named(self, queue, name):
        filters = [{"name": "JOB_NAME", "values": [name]}]
        return self.batch.list_jobs(jobQueue=queue, filters=filters)["jobSummaryList"]


def make_client(service, url, *, account="test", read_timeout=70, **more):
    config = Config(
        retries={"total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=read_timeout,
        max_pool_connections=50,
        inject_host_prefix=False,
        **more,
    )
    return boto3.session.Session().client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=account,
        aws_secret_access_key="test",
        config=config,
    )


def eventually(look, good, within=SOON):
    """What `look` sees once it is good; fails if it never is."""
    end = time.monotonic() + within
    pause = 0.01
    while True:
        seen = look()
        if good(seen):
            return seen
        assert time.monotonic() < end, f"after {within} s still: {json.dumps(seen, default=str)[:2000]}"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def refusal(call, *arguments, **more):
    """The error code and the message of a call that must fail."""
    try:
        answer = call(*arguments, **more)
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"it was not refused: {json.dumps(answer, default=str)[:1000]}")


def output(described):
    assert described["status"] == "SUCCEEDED", {k: described.get(k) for k in ("status", "error", "cause")}
    return json.loads(described["output"])


# Definitions.


def states(**states):
    """A machine of these states, the first one first. Each leads to the next if it says neither Next nor End."""
    names = list(states)
    for name, following in itertools.zip_longest(names, names[1:]):
        state = states[name]
        if state["Type"] in ("Choice", "Succeed", "Fail") or "Next" in state or "End" in state:
            continue
        state.update({"Next": following} if following else {"End": True})
    return {"StartAt": names[0], "States": states}


def task(resource, parameters=None, **fields):
    """A Task; the resource of an integration without its `arn:aws:states:::`."""
    resource = resource if resource.startswith("arn:") else f"arn:aws:states:::{resource}"
    state = {"Type": "Task", "Resource": resource, **fields}
    if parameters is not None:
        state["Parameters"] = parameters
    return state


def wait(seconds):
    return {"Type": "Wait", "Seconds": seconds}


def ask(queue, **fields):
    """Sends the task's token to a queue and waits for the answer."""
    body = {"token.$": "$$.Task.Token", "execution.$": "$$.Execution.Name"}
    return task("sqs:sendMessage.waitForTaskToken", {"QueueUrl": queue, "MessageBody": body}, **fields)


PASS = states(Only={"Type": "Pass"})


# What must hold of any history.


def check_history(events, ended=True):
    """Ids are consecutive, every event follows an earlier one, time does not go back, and the one end is the last."""
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert all(event["previousEventId"] < event["id"] for event in events)
    times = [event["timestamp"] for event in events]
    assert times == sorted(times)
    assert events[0]["type"] == "ExecutionStarted"
    ends = [event["id"] for event in events if event["type"] in END_EVENTS]
    assert ends == ([len(events)] if ended else []), [event["type"] for event in events]
    assert sum(event["type"] == "ExecutionStarted" for event in events) == 1


END_EVENTS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}


# A stand-in for Lambda, which the laptop services do not have.


class Functions(http.server.BaseHTTPRequestHandler):
    """Functions by name: `echo` gives back its event, `broken` fails, any other is not there."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        # /2015-03-31/functions/<name or ARN>/invocations
        name = urllib.parse.unquote(self.path).split("/")[3].rsplit(":", 1)[-1]
        self.server.calls.append((name, body))
        if name == "echo":
            return self.answer(200, body, {"X-Amz-Executed-Version": "$LATEST"})
        if name == "broken":
            failed = json.dumps({"errorMessage": "out of ink", "errorType": "PrinterError", "stackTrace": []}).encode()
            return self.answer(200, failed, {"X-Amz-Function-Error": "Unhandled", "X-Amz-Executed-Version": "$LATEST"})
        told = {"Type": "User", "Message": f"Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"}
        return self.answer(404, json.dumps(told).encode(), {"x-amzn-ErrorType": "ResourceNotFoundException"})

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serving(handler):
    """An HTTP server of this process on a free port; it remembers its calls."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.calls = []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def request(server, method, path="/", headers=None, body=b""):
    """One HTTP request exactly as given: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = dict(headers or {})
    connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
    body = body.encode() if isinstance(body, str) else body
    if body or method == "POST":
        headers.setdefault("Content-Length", str(len(body)))
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body or None)
    response = connection.getresponse()
    told = response.status, {k.lower(): v for k, v in response.getheaders()}, response.read().decode("utf-8", "replace")
    connection.close()
    return told
