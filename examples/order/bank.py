#!/usr/bin/env python3
"""A bank that pays one order: it takes the payment off the queue and gives the task token back.

What costs more than the limit is declined. Where the services are, it learns as any SDK does: from AWS_ENDPOINT_URL.
"""

import argparse
import decimal
import json

import boto3

# The longest that SQS lets a receiver wait.
LONG_POLL_SECONDS = 20


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--queue-url", required=True)
    options.add_argument("--limit", type=decimal.Decimal, default=decimal.Decimal(500), help="what it pays (500)")
    options = options.parse_args()
    sqs, stepfunctions = boto3.client("sqs"), boto3.client("stepfunctions")
    messages = []
    while not messages:
        answer = sqs.receive_message(QueueUrl=options.queue_url, WaitTimeSeconds=LONG_POLL_SECONDS)
        messages = answer.get("Messages", [])
    payment = json.loads(messages[0]["Body"])
    if decimal.Decimal(payment["total"]) <= options.limit:
        output = json.dumps({"reference": f"P-{payment['order']}"})
        stepfunctions.send_task_success(taskToken=payment["token"], output=output)
        print(f"paid {payment['total']} for {payment['order']}", flush=True)
    else:
        cause = f"{payment['total']} is more than {options.limit}"
        stepfunctions.send_task_failure(taskToken=payment["token"], error="Payment.Declined", cause=cause)
        print(f"declined {payment['order']}: {cause}", flush=True)
    sqs.delete_message(QueueUrl=options.queue_url, ReceiptHandle=messages[0]["ReceiptHandle"])


if __name__ == "__main__":
    main()
