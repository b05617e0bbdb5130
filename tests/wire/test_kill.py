"""Killed with SIGKILL again and again under load, at moments that chance chooses, and what must hold afterwards.

Threads start executions of every kind, work on activities, answer callbacks and stop what waits, and write down what
they were told. Some kills come at any time, some within milliseconds after a call, which is between commit, answer,
call and report. At the end everything is let finish, and the books are compared with the server's. KILL_ROUNDS sets how
often it is killed, KILL_SEED repeats the choices (not the timing).
"""

import collections
import json
import os
import random
import threading
import time
import uuid

import botocore.exceptions
import pytest
from world import ask, check_history, states, task, wait

ROUNDS = int(os.environ.get("KILL_ROUNDS", "25"))
SEED = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(1 << 32))
# The longest that the server lives in a round.
LIFE_SECONDS = 0.7
# How soon the server dies after a caller's call was sent, and after the start of an execution that calls a service.
AFTER_CALL_SECONDS = 0.006
AFTER_START_SECONDS = 0.012
# Until everything that was begun has ended, once nobody kills any more.
SETTLE_SECONDS = 60
PARKED = 12
# What the starters are paced by: a hundred executions a second would say no more than these.
PAUSE_SECONDS = 0.03

# Refused connections, connections that break, answers that never come.
NO_ANSWER = (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError)


class Load:
    """The callers, and the book of what they were told."""

    def __init__(self, server):
        self.server = server
        self.chance = random.Random(SEED)
        self.lock = threading.Lock()
        self.over = threading.Event()
        # Set once nothing new is to be begun.
        self.settling = threading.Event()
        self.call_sent = threading.Event()
        self.started = {}  # name -> [kind, input, ARN or None if nobody heard the answer]
        self.done = {}  # the word in an output -> its execution, acknowledged
        self.stopped = {}  # name -> stop date, acknowledged
        self.wrong = []
        self.counts = collections.Counter()
        self.threads = []

    def prepare(self):
        server = self.server
        self.activity = server.sfn.create_activity(name="work")["activityArn"]
        self.asked, self.parking = (server.queue(VisibilityTimeout="2") for _ in range(2))
        jobs = server.job_queue()
        self.jobs = jobs
        short = server.job_definition("work.sh", "sleep", "0.05", attempts=10)
        long = server.job_definition("work.sh", "sleep", "600", attempts=10)

        def job(definition):
            parameters = {"JobName.$": "$$.Execution.Name", "JobQueue": jobs, "JobDefinition": definition}
            return task("batch:submitJob.sync", parameters, ResultSelector={"job.$": "$.JobId"})

        # A task whose worker never heard of it is only found again by its timeout.
        again = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 99}]
        work = lambda: task(self.activity, {"execution.$": "$$.Execution.Name"}, TimeoutSeconds=2, Retry=again)
        child = server.machine(states(Wait=wait(1), Said={"Type": "Pass", "Parameters": {"child": True}}), "child")
        parameters = {"StateMachineArn": child, "Input": {}}
        start = task("states:startExecution.sync:2", parameters, ResultSelector={"child.$": "$.ExecutionArn"})
        both = {"Type": "Parallel", "Branches": [states(Ask=ask(self.asked)), states(Rest=wait(1), Work=work())]}
        each = states(Rest=wait(1), Ask=ask(self.asked))
        map_of = {"Type": "Map", "ItemsPath": "$$.Execution.Input.items", "ItemProcessor": each}
        definitions = {
            "timer": states(Before={"Type": "Pass"}, Rest=wait(1), After={"Type": "Pass"}),
            "activity": states(Work=work()),
            "callback": states(Ask=ask(self.asked)),
            "job": states(Job=job(short)),
            "parent": states(Child=start),
            "both": states(Both=both),
            "map": states(All=map_of),
            "endless": states(Job=job(long)),
            "parked": states(Ask=ask(self.parking, HeartbeatSeconds=3600)),
        }
        self.machines = {kind: server.machine(definition, kind) for kind, definition in definitions.items()}
        self.machines["child"] = child
        self.children = child

    def park(self):
        """Executions whose tokens are kept for the whole test."""
        for _ in range(PARKED):
            self.begin("parked")
        self.tokens = {}
        while len(self.tokens) < PARKED:
            body = json.loads(self.server.receive(self.parking)["Body"])
            self.tokens[body["execution"]] = body["token"]

    # What callers do. Each may be cut off at any point.

    def begin(self, kind):
        name = f"{kind}-{uuid.uuid4().hex[:12]}"
        data = json.dumps({"items": [1, 2], "name": name})
        with self.lock:
            self.started[name] = [kind, data, None]
        self.call_sent.set()
        answer = self.server.sfn.start_execution(stateMachineArn=self.machines[kind], name=name, input=data)
        with self.lock:
            self.started[name][2] = answer["executionArn"]
        return name

    def starter(self):
        if self.settling.is_set():
            return self.over.wait(0.1)
        kinds = ["timer", "activity", "callback", "job", "parent", "both", "map"]
        self.begin(self.chance.choices(kinds, weights=[3, 4, 4, 1.2, 1.5, 2, 1])[0])
        self.over.wait(PAUSE_SECONDS)

    def stopper(self):
        """Begins jobs that never end, and stops each after a while, asking again until it is acknowledged."""
        for name in self.unstopped():
            if self.started[name][2] is None:
                self.learn(name)
            self.stop(name)
        if self.settling.is_set():
            return self.over.wait(0.1)
        self.begin("endless")
        self.over.wait(self.chance.uniform(0, 0.4))

    def unstopped(self):
        with self.lock:
            endless = [name for name, (kind, _, _) in self.started.items() if kind == "endless"]
        return [name for name in endless if name not in self.stopped]

    def stop(self, name):
        arn = self.arn(name)
        self.call_sent.set()
        answer = self.server.sfn.stop_execution(executionArn=arn, error="Stopped")
        with self.lock:
            self.stopped[name] = answer["stopDate"]

    def arn(self, name):
        kind = self.started[name][0]
        return self.machines[kind].replace(":stateMachine:", ":execution:") + ":" + name

    def succeed(self, token, execution):
        """Gives a token back. What is acknowledged has to be in the history."""
        word = uuid.uuid4().hex
        self.call_sent.set()
        try:
            self.server.sfn.send_task_success(taskToken=token, output=json.dumps({"word": word}))
        except botocore.exceptions.ClientError as error:
            code = error.response["Error"]["Code"]
            self.counts[code] += 1
            # Another sending of the same token was heard, or the task has timed out since it was handed out.
            if code != "TaskTimedOut":
                self.complain(f"{execution}: {error}")
            return
        with self.lock:
            self.done[word] = execution
        self.counts["acknowledged"] += 1

    def activity_worker(self):
        given = self.server.client("stepfunctions", read_timeout=2).get_activity_task(activityArn=self.activity)
        if given.get("taskToken"):
            if self.chance.random() < 0.3:
                try:
                    self.server.sfn.send_task_heartbeat(taskToken=given["taskToken"])
                except self.server.sfn.exceptions.TaskTimedOut:
                    return
            self.succeed(given["taskToken"], json.loads(given["input"])["execution"])

    def callback_worker(self):
        answer = self.server.sqs.receive_message(QueueUrl=self.asked, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            body = json.loads(message["Body"])
            self.succeed(body["token"], body["execution"])
            self.server.sqs.delete_message(QueueUrl=self.asked, ReceiptHandle=message["ReceiptHandle"])

    def complain(self, what):
        with self.lock:
            self.wrong.append(what)

    def loop(self, act):
        while not self.over.is_set():
            try:
                act()
            except NO_ANSWER as error:
                self.counts[type(error).__name__] += 1
                time.sleep(0.02)
            except Exception as error:  # noqa: BLE001  every surprise is a finding
                self.complain(f"{act.__name__}: {type(error).__name__}: {error}")
                time.sleep(0.1)

    def run(self):
        acts = [self.starter] * 2 + [self.stopper] + [self.activity_worker] * 2 + [self.callback_worker] * 2
        self.threads = [threading.Thread(target=self.loop, args=(act,), daemon=True) for act in acts]
        for thread in self.threads:
            thread.start()

    def finish(self):
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    # What the test does between the kills.

    def parked_tokens_work(self):
        """One token is given back, another one's heart beats."""
        sfn = self.server.sfn
        waiting = [name for name in self.tokens if name not in self.done.values()]
        if len(waiting) < 2:
            return
        self.succeed(self.tokens[waiting[0]], waiting[0])
        assert waiting[0] in self.done.values(), "a parked token was refused"
        sfn.send_task_heartbeat(taskToken=self.tokens[waiting[1]])

    def settle(self):
        """Lets all end that can, then makes sure that nobody was forgotten."""
        self.settling.set()
        for name in list(self.tokens):
            if name not in self.done.values():
                self.succeed(self.tokens[name], name)
        for name, (_, _, arn) in list(self.started.items()):
            if arn is None:
                self.learn(name)
        end = time.monotonic() + SETTLE_SECONDS
        for kind, machine in self.machines.items():
            while running := self.server.sfn.list_executions(stateMachineArn=machine, statusFilter="RUNNING")[
                "executions"
            ]:
                told = f"{len(running)} of {kind} have not ended, such as {running[0]['name']}: "
                assert time.monotonic() < end, told + self.server.types(running[0]["executionArn"])
                time.sleep(0.1)

    def learn(self, name):
        """Nobody heard the answer to this start. The same call again says where it is, or begins what never was."""
        kind, data, _ = self.started[name]
        try:
            answer = self.server.sfn.start_execution(stateMachineArn=self.machines[kind], name=name, input=data)
            self.counts["asked again"] += 1
            self.started[name][2] = answer["executionArn"]
        except self.server.sfn.exceptions.ExecutionAlreadyExists:
            self.counts["had ended"] += 1
            self.started[name][2] = self.arn(name)


def kill_at_some_moment(load, chance):
    """At any time; just after some caller sent something; or while the server itself calls a service, hears its answer
    and writes the report down, which it does in the milliseconds after a start is acknowledged."""
    time.sleep(chance.uniform(0.02, LIFE_SECONDS / 2))
    match chance.randrange(3):
        case 0:
            time.sleep(chance.uniform(0, LIFE_SECONDS / 2))
        case 1:
            load.call_sent.clear()
            load.call_sent.wait(LIFE_SECONDS)
            time.sleep(chance.uniform(0, AFTER_CALL_SECONDS))
        case 2:
            load.begin(chance.choice(["job", "endless", "parent", "callback"]))
            time.sleep(chance.uniform(0, AFTER_START_SECONDS))
    load.server.kill()


@pytest.fixture
def load(fresh):
    load = Load(fresh().start())
    load.prepare()
    load.park()
    yield load
    load.finish()


def test_killed_at_any_moment_nothing_is_lost_and_nothing_is_twice(load):
    print(f"KILL_SEED={SEED}")
    server, chance = load.server, random.Random(SEED + 1)
    load.run()
    for _ in range(ROUNDS):
        kill_at_some_moment(load, chance)
        server.start()
        load.parked_tokens_work()
    load.settle()
    load.finish()
    print(dict(load.counts), collections.Counter(kind for kind, _, _ in load.started.values()))
    assert not load.wrong, load.wrong[:10]

    histories = read_histories(load)
    for name, (kind, data, _) in load.started.items():
        check_execution(load, kind, data, *histories[name])
    check_names(load)
    check_words(load, histories)
    check_jobs(load)
    check_children(load, histories)
    # The load has to have met what it is meant for.
    assert load.counts["acknowledged"] > ROUNDS and len(load.stopped) >= ROUNDS / 6


def read_histories(load):
    """Every execution that anybody began is found: its description and its history, by its name."""
    sfn = load.server.sfn
    return {
        name: (sfn.describe_execution(executionArn=arn), load.server.events(arn))
        for name, (_, _, arn) in load.started.items()
    }


def check_execution(load, kind, data, described, events):
    check_history(events)
    assert described["input"] == data == events[0]["executionStartedEventDetails"]["input"]
    wanted = "ABORTED" if kind == "endless" else "SUCCEEDED"
    assert described["status"] == wanted, (kind, described["status"], described.get("cause"))
    end = {"SUCCEEDED": "ExecutionSucceeded", "ABORTED": "ExecutionAborted"}[wanted]
    assert events[-1]["type"] == end and events[-1]["timestamp"] == described["stopDate"]
    counts = collections.Counter(event["type"] for event in events)
    if kind in ("timer", "both", "map"):
        waited = [
            [e["timestamp"] for e in events if e["type"] == f"WaitState{which}"] for which in ("Entered", "Exited")
        ]
        assert len(waited[0]) == len(waited[1]) > 0
        # All of them begin together, so whichever leaves first must have waited.
        assert (min(waited[1]) - max(waited[0])).total_seconds() >= 1, "a timer fired early"
    # Each task has one outcome. A callback may come before anybody heard that its message was sent.
    outcomes = sum(counts[kind] for kind in ("TaskSucceeded", "TaskFailed", "TaskTimedOut"))
    if kind != "endless":
        assert outcomes == counts["TaskScheduled"] >= counts["TaskSubmitted"], counts
    if kind in ("job", "parent"):
        assert outcomes == counts["TaskSubmitted"], counts
    ended = sum(counts[kind] for kind in ("ActivitySucceeded", "ActivityFailed", "ActivityTimedOut"))
    assert ended == counts["ActivityScheduled"], counts


def check_names(load):
    """A name is one execution, and there is no execution that nobody began."""
    for kind, machine in load.machines.items():
        listed = [row["name"] for row in load.server.all("list_executions", "executions", stateMachineArn=machine)]
        assert len(listed) == len(set(listed)), kind
        if kind != "child":
            assert set(listed) == {name for name, (of, _, _) in load.started.items() if of == kind}
    for name, (kind, _, _) in list(load.started.items())[:20]:
        with pytest.raises(load.server.sfn.exceptions.ExecutionAlreadyExists):
            load.server.sfn.start_execution(stateMachineArn=load.machines[kind], name=name, input='{"other": 1}')


def check_words(load, histories):
    """Every acknowledged success is in its execution's history, once."""
    for word, name in load.done.items():
        _, events = histories[name]
        succeeded = [e for e in events if e["type"] in ("TaskSucceeded", "ActivitySucceeded")]
        assert sum(word in str(event) for event in succeeded) == 1, (name, word, [e["type"] for e in events])


def check_jobs(load):
    """One job for each execution, followed to its end; those of stopped executions have been ended."""
    for name, (kind, _, arn) in load.started.items():
        if kind not in ("job", "endless"):
            continue
        submitted = load.server.jobs_named(load.jobs, name)
        # A stop may come before the job was submitted.
        once = len(submitted) == 1 or (kind == "endless" and not submitted)
        assert once, (name, submitted, load.server.types(arn))
        for row in submitted:
            job = load.server.job_ended(row["jobId"])
            assert job["status"] == ("SUCCEEDED" if kind == "job" else "FAILED"), (name, job["statusReason"])
            assert kind == "job" or arn in job["statusReason"], job["statusReason"]


def check_children(load, histories):
    """Each parent has one child, the one whose outcome it was given."""
    rows = load.server.all("list_executions", "executions", stateMachineArn=load.children)
    children = {row["executionArn"]: row["status"] for row in rows}
    outcomes = [histories[name][0]["output"] for name, (kind, _, _) in load.started.items() if kind == "parent"]
    parents = [json.loads(outcome)["child"] for outcome in outcomes]
    assert sorted(children) == sorted(parents) and set(children.values()) <= {"SUCCEEDED"}
    for arn in children:
        check_history(load.server.events(arn))
