"""A function of the wire tests: does what its event says."""

import json
import os
import time


def lambda_handler(event, context):
    asked = event.get("do") if isinstance(event, dict) else None
    if asked == "fail":
        raise RuntimeError("out of ink")
    if asked == "sleep":
        time.sleep(event["seconds"])
    if asked == "keep" or "Records" in event:
        with open(os.environ["KEPT"], "a") as file:
            file.write(json.dumps(event) + "\n")
    print("did", asked)
    return {"event": event, "region": os.environ["AWS_REGION"], "arn": context.invoked_function_arn}
