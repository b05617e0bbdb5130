"""The laptop's EventBridge as boto3 sees it: rules by pattern, targets of every kind, and the engine's own events."""

import json

from world import ACCOUNT, PASS, REGION, eventually, output, refusal, unique


def queue_arn(server, url):
    return server.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def rule(server, pattern, *targets, **more):
    name = unique("rule")
    events = server.client("events")
    events.put_rule(Name=name, EventPattern=json.dumps(pattern), **more)
    told = events.put_targets(Rule=name, Targets=[{"Id": str(n), **target} for n, target in enumerate(targets)])
    assert told["FailedEntryCount"] == 0
    return name


def publish(server, source, detail, **more):
    entry = {"Source": source, "DetailType": "Order", "Detail": json.dumps(detail), **more}
    told = server.client("events").put_events(Entries=[entry])
    assert told["FailedEntryCount"] == 0
    return told["Entries"][0]["EventId"]


def test_an_event_comes_to_a_queue(server):
    queue, source = server.queue(), unique("shop")
    pattern = {"source": [source], "detail": {"total": [{"numeric": [">", 10]}], "file": [{"wildcard": "*.pdf"}]}}
    rule(server, pattern, {"Arn": queue_arn(server, queue)})
    publish(server, source, {"total": 5, "file": "a.pdf"})
    event = publish(server, source, {"total": 11, "file": "b.pdf"}, Resources=["arn:x"])
    seen = json.loads(server.receive(queue)["Body"])
    assert (seen["id"], seen["source"], seen["detail-type"]) == (event, source, "Order")
    assert (seen["account"], seen["region"], seen["resources"]) == (ACCOUNT, REGION, ["arn:x"])
    assert seen["detail"] == {"total": 11, "file": "b.pdf"}
    assert server.receive(queue, wait=0) is None


def test_topics_and_machines_are_told(server):
    queue, source = server.queue(), unique("shop")
    topic = server.sns.create_topic(Name=unique("topic"))["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    server.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn(server, queue), Attributes=raw)
    machine = server.machine(PASS)
    template = {"InputPathsMap": {"id": "$.detail.id"}, "InputTemplate": '{"order": <id>, "rule": <aws.events.rule-name>}'}
    name = rule(
        server,
        {"source": [source]},
        {"Arn": topic, "InputPath": "$.detail"},
        {"Arn": machine, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/any", "InputTransformer": template},
    )
    event = publish(server, source, {"id": "7"})
    assert json.loads(server.receive(queue)["Body"]) == {"id": "7"}
    listed = lambda: server.sfn.list_executions(stateMachineArn=machine)["executions"]
    [execution] = eventually(listed, lambda rows: len(rows) == 1)
    assert execution["name"].startswith(event)
    assert output(server.ended(execution["executionArn"])) == {"order": "7", "rule": name}


def test_the_engine_tells_of_its_executions(server):
    queue, machine = server.queue(), server.machine(PASS)
    pattern = {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [machine], "status": ["SUCCEEDED"]},
    }
    rule(server, pattern, {"Arn": queue_arn(server, queue)})
    execution = server.begin(machine, {"n": 1})
    seen = json.loads(server.receive(queue)["Body"])
    assert seen["resources"] == [execution] and seen["detail"]["executionArn"] == execution
    assert json.loads(seen["detail"]["output"]) == {"n": 1}


def test_what_is_refused(server):
    events = server.client("events")
    assert refusal(events.put_rule, Name="r", EventPattern='{"a": "b"}') == (
        "InvalidEventPatternException",
        'Event pattern is not valid. Reason: "a" must be an object or an array',
    )
    assert refusal(events.describe_rule, Name="none")[0] == "ResourceNotFoundException"
    told = events.put_events(Entries=[{"DetailType": "t", "Detail": "{}"}, {"Source": "s", "DetailType": "t", "Detail": "{"}])
    assert told["FailedEntryCount"] == 2
    assert [entry["ErrorCode"] for entry in told["Entries"]] == ["InvalidArgument", "MalformedDetail"]


def test_rules_are_there_after_a_kill(fresh):
    server = fresh().start()
    queue = server.queue()
    name = rule(server, {"source": ["shop"]}, {"Arn": queue_arn(server, queue)})
    publish(server, "shop", {"before": True})
    server.kill()
    server.start()
    server._clients.clear()
    assert server.client("events").describe_rule(Name=name)["State"] == "ENABLED"
    publish(server, "shop", {"before": False})
    seen = [json.loads(server.receive(queue)["Body"])["detail"]["before"] for _ in range(2)]
    assert sorted(seen) == [False, True]


def test_a_pattern_can_be_tried(server):
    event = {"id": "1", "account": ACCOUNT, "source": "s", "time": "t", "region": REGION, "resources": [], "detail-type": "d"}
    test = lambda pattern: server.client("events").test_event_pattern(
        EventPattern=json.dumps(pattern), Event=json.dumps(event)
    )["Result"]
    assert test({"source": [{"prefix": "s"}]}) and not test({"source": [{"anything-but": "s"}]})
