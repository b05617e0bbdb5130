#!/usr/bin/env python3
"""A worker that reviews invoices: a process of its own, written with an ordinary AWS SDK.

It takes one message off the queue, sends heartbeats while it works, and gives the task token back: SendTaskSuccess if
the invoice's lines add up to its total, SendTaskFailure if they do not. With --vanish it ends as if it had crashed,
after it took the message. Where the services are, it learns as any SDK does: from AWS_ENDPOINT_URL.
"""

import argparse
import decimal
import json
import sys
import time

import boto3

# The longest that SQS lets a receiver wait.
LONG_POLL_SECONDS = 20


def say(text):
    print(text, flush=True)


def receive(sqs, queue_url):
    while True:
        answer = sqs.receive_message(QueueUrl=queue_url, WaitTimeSeconds=LONG_POLL_SECONDS)
        for message in answer.get("Messages", []):
            return message


def work(stepfunctions, token, seconds, beat):
    """Takes its time, and says now and then that it is alive."""
    end, beats = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        time.sleep(min(beat, seconds))
        stepfunctions.send_task_heartbeat(taskToken=token)
        beats += 1
    return beats


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--queue-url", required=True)
    options.add_argument("--work-seconds", type=float, default=3, help="how long a review takes (3)")
    options.add_argument("--beat-seconds", type=float, default=0.5, help="between two heartbeats (0.5)")
    options.add_argument("--vanish", action="store_true", help="end without an answer")
    options = options.parse_args()
    sqs, stepfunctions = boto3.client("sqs"), boto3.client("stepfunctions")

    message = receive(sqs, options.queue_url)
    body = json.loads(message["Body"])
    invoice, token = body["invoice"], body["token"]
    say(f"took {invoice['number']} of execution {body['execution']}")
    if options.vanish:
        say("vanishing without a word")
        sys.exit(1)

    beats = work(stepfunctions, token, options.work_seconds, options.beat_seconds)
    total, lines = (decimal.Decimal(str(n)) for n in (invoice["total"], sum_of(invoice)))
    if total == lines:
        output = {"worker": "worker.py", "sum": float(lines), "heartbeats": beats}
        stepfunctions.send_task_success(taskToken=token, output=json.dumps(output))
        say(f"said yes after {beats} heartbeats")
    else:
        cause = f"The lines add up to {lines}, the total says {total}"
        stepfunctions.send_task_failure(taskToken=token, error="Invoice.SumDiffers", cause=cause)
        say(f"said no after {beats} heartbeats: {cause}")
    sqs.delete_message(QueueUrl=options.queue_url, ReceiptHandle=message["ReceiptHandle"])


def sum_of(invoice):
    return sum(decimal.Decimal(str(line["amount"])) for line in invoice["lines"])


if __name__ == "__main__":
    main()
