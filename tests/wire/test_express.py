"""Express executions through kills: one that was acknowledged runs to its end, at least once; a synchronous one is cut."""

import collections
import json
import random
import threading
import time

import botocore.exceptions
import pytest
import world
from world import eventually, states, task, wait

KILLS = 6
# Starts go on so long after a kill before the next one comes.
LIFE_SECONDS = (0.3, 1.2)
NO_ANSWER = (
    botocore.exceptions.ConnectionClosedError,
    botocore.exceptions.ConnectionError,
    botocore.exceptions.HTTPClientError,
)


def tell(queue, what):
    body = {"what": what, "who.$": "$.who"}
    return task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody": body}, ResultPath=None)


@pytest.fixture
def server(fresh):
    return fresh().start()


def machine(server, queue):
    definition = states(Begins=tell(queue, "begun"), Waits=wait(1), Ends=tell(queue, "ended"))
    made = server.sfn.create_state_machine(
        name=world.unique("express"), definition=json.dumps(definition), roleArn=world.ROLE, type="EXPRESS"
    )
    return made["stateMachineArn"]


class Heard:
    """What the executions told so far, by who and what."""

    def __init__(self, server, queue):
        self.server, self.queue, self.counts = server, queue, collections.Counter()

    def more(self):
        while message := self.server.receive(self.queue, wait=0):
            body = json.loads(message["Body"])
            self.counts[body["who"], body["what"]] += 1
        return self.counts


def test_what_was_acknowledged_runs_to_its_end(server):
    chance = random.Random(7)
    queue = server.queue()
    arn = machine(server, queue)
    acknowledged, asked, over = [], [], threading.Event()

    def start():
        while not over.is_set():
            who = f"e{len(asked)}"
            asked.append(who)
            try:
                server.sfn.start_execution(stateMachineArn=arn, name=who, input=json.dumps({"who": who}))
                acknowledged.append(who)
            except NO_ANSWER:
                pass
            time.sleep(0.02)

    starter = threading.Thread(target=start)
    starter.start()
    for _ in range(KILLS):
        time.sleep(chance.uniform(*LIFE_SECONDS))
        server.kill()
        server.start()
    over.set()
    starter.join()
    assert len(acknowledged) > 10 * KILLS
    heard = Heard(server, queue)
    lost = lambda: [who for who in acknowledged if not heard.more()[who, "ended"]]
    eventually(lost, lambda names: not names, 60)
    again = [who for who in acknowledged if heard.counts[who, "begun"] > 1]
    assert again, "a kill that cuts none of them tells nothing"
    assert {who for who, _ in heard.counts} <= set(asked)
    # They are gone when they have ended, so that the next start runs none of them.
    ended = sum(heard.more().values())
    server.kill()
    server.start()
    time.sleep(2)
    assert sum(heard.more().values()) == ended


def test_a_synchronous_one_is_cut(server):
    queue = server.queue()
    arn = machine(server, queue)
    answers = []

    def call():
        try:
            answers.append(server.sfn.start_sync_execution(stateMachineArn=arn, input=json.dumps({"who": "s"})))
        except NO_ANSWER as error:
            answers.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    heard = Heard(server, queue)
    eventually(heard.more, lambda counts: counts["s", "begun"] == 1)
    server.kill()
    caller.join()
    assert isinstance(answers[0], NO_ANSWER), answers
    server.start()
    time.sleep(2)
    assert heard.more() == {("s", "begun"): 1}, "nobody waits for it, and it does not run again"
