"""What the demo stands on: a server in a fresh directory, clients for it, lines for the terminal, and expectations.

Nothing here knows the sample projects; `run` does. An expectation does not end the demo: the end tells what differs.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import boto3
import botocore.config

ACCOUNT, REGION = "000000000000", "us-east-1"
# A busy machine starts the server in well under a second; after this something is wrong.
START_SECONDS = 30
STOP_SECONDS = 10
# Longer than any execution of the demo takes on a busy machine.
EXECUTION_SECONDS = 60
COLOURS = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33, "cyan": 36}


class Terminal:
    """Readable lines, with colours where somebody looks at a terminal."""

    def __init__(self):
        self.coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.differences = []
        self.begun = time.monotonic()

    def paint(self, text, *names):
        if not self.coloured or not names:
            return text
        codes = ";".join(str(COLOURS[name]) for name in names)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def line(self, text="", *names):
        print(self.paint(text, *names), flush=True)

    def title(self, text):
        self.line()
        self.line(text, "bold", "cyan")
        self.line("─" * len(text), "cyan")

    def step(self, text):
        self.line()
        self.line(text, "bold")

    def event(self, line):
        """A line of the live history, its outcome in the outcome's colour."""
        colours = {"SUCCEEDED": "green", "FAILED": "red", "TIMED_OUT": "red", "ABORTED": "red", "failed": "yellow"}
        colours["timed out"] = "yellow"
        found = next((colour for word, colour in colours.items() if re.search(rf"\s{word}\b", line)), None)
        self.line("  " + line, *([found] if found else []))

    def shown(self, name, value):
        text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
        first, *rest = text.splitlines() or [""]
        self.line(f"  {self.paint(name, 'dim')}  {first}")
        for line in rest:
            self.line(" " * (len(name) + 4) + line)

    def expect(self, what, got, wanted):
        """Says whether it is as expected. `wanted` is a value, or a function that judges what it gets."""
        right = wanted(got) if callable(wanted) else got == wanted
        if right:
            self.line("  " + self.paint("✓", "green") + " " + what)
            return
        told = f"{what}: got {json.dumps(got, ensure_ascii=False, default=str)}"
        if not callable(wanted):
            told += f", expected {json.dumps(wanted, ensure_ascii=False, default=str)}"
        self.differences.append(told)
        self.line("  " + self.paint("✗ " + told, "red"))

    def verdict(self):
        took = f"{time.monotonic() - self.begun:.1f} s"
        self.line()
        if not self.differences:
            self.line(f"All is as expected ({took}).", "bold", "green")
            return 0
        self.line(f"{len(self.differences)} of the expectations differ ({took}):", "bold", "red")
        for told in self.differences:
            self.line("  ✗ " + told, "red")
        return 1


def environment(**more):
    """Nothing of the user's AWS settings: the demo must not reach a real account."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "STEPWELL_"))}
    env.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_REGION=REGION, AWS_DEFAULT_REGION=REGION)
    env.update(more)
    return env


class Stage:
    """A server with the laptop services in a fresh directory, which is gone afterwards."""

    def __init__(self, binary, images, functions, terminal):
        self.binary, self.terminal = binary, terminal
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="stepwell-demo-"))
        self.data = self.folder / "data"
        self.processes = []
        command = [binary, "serve", "--listen", "127.0.0.1:0", "--data", self.data, "--account", ACCOUNT]
        command += ["--region", REGION, "--laptop", "--json"]
        for name, folder in images.items():
            command += ["--image", f"{name}={folder}"]
        for name, folder in functions.items():
            command += ["--function", f"{name}={folder}"]
        self.log = open(self.folder / "server.log", "wb")
        self.server = subprocess.Popen(
            command,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            cwd=self.folder,
        )
        self.processes.append(self.server)

    def __enter__(self):
        try:
            self.url = self.ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def ready(self):
        lines = []
        reader = threading.Thread(target=lambda: lines.append(self.server.stdout.readline()), daemon=True)
        reader.start()
        reader.join(START_SECONDS)
        if not lines or not lines[0]:
            log = (self.folder / "server.log").read_text("utf-8", "replace")
            raise SystemExit(f"the server did not start:\n{log}")
        return json.loads(lines[0])["url"]

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in reversed(self.processes):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, service):
        # One attempt: whatever would be retried is a mistake that the demo has to show.
        config = botocore.config.Config(retries={"total_max_attempts": 1})
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=config,
        )

    def check(self, file, values):
        """What `stepwell check` says of a definition."""
        filled = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
        checked = subprocess.run(
            [self.binary, "check", file, *filled], capture_output=True, text=True, env=environment()
        )
        return checked.returncode, checked.stdout.strip() + checked.stderr.strip()

    def worker(self, *command):
        """A process beside the server, its output shown as it comes."""
        worker = subprocess.Popen(
            [sys.executable, *map(str, command)],
            env=environment(AWS_ENDPOINT_URL=self.url),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(worker)

        def show():
            for line in worker.stdout:
                self.terminal.line(f"  {'':10}  worker: {line.rstrip()}", "cyan")

        thread = threading.Thread(target=show, daemon=True)
        thread.start()

        def ended():
            code = worker.wait(EXECUTION_SECONDS)
            thread.join(STOP_SECONDS)
            return code

        return ended

    def follow(self, execution):
        """Shows the execution as it goes; the exit code tells how it ended."""
        follower = subprocess.Popen(
            [self.binary, "history", execution, "--endpoint", self.url, "--follow"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.processes.append(follower)
        # Whoever waits for the pipe's end must not wait for ever.
        limit = threading.Timer(EXECUTION_SECONDS, follower.kill)
        limit.start()
        for line in follower.stdout:
            self.terminal.event(line.rstrip())
        code = follower.wait()
        limit.cancel()
        return code
