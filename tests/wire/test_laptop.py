"""The laptop's SQS, SNS and Batch as their own clients see them, without any state machine."""

import http.server
import json
import threading
import time

import pytest
from world import ACCOUNT, IMAGE, REGION, eventually, refusal, serving, unique

# SQS.


def test_a_message_goes_through_a_queue(server):
    queue = server.queue(VisibilityTimeout="30")
    sent = server.sqs.send_message(
        QueueUrl=queue,
        MessageBody="héllo",
        MessageAttributes={
            "n": {"DataType": "Number", "StringValue": "7"},
            "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )
    answer = server.sqs.receive_message(QueueUrl=queue, AttributeNames=["All"], MessageAttributeNames=["All"])
    [message] = answer["Messages"]
    assert (message["Body"], message["MessageId"]) == ("héllo", sent["MessageId"])
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MessageAttributes"]["b"]["BinaryValue"] == b"\x00\xff"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert "Messages" not in server.sqs.receive_message(QueueUrl=queue), "it is out of sight"
    server.sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    [again] = server.sqs.receive_message(QueueUrl=queue, AttributeNames=["All"])["Messages"]
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"
    server.sqs.delete_message(QueueUrl=queue, ReceiptHandle=again["ReceiptHandle"])
    attributes = server.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (attributes["ApproximateNumberOfMessages"], attributes["ApproximateNumberOfMessagesNotVisible"]) == (
        "0",
        "0",
    )


def test_a_long_poll_ends_when_a_message_comes(server):
    queue, got = server.queue(), {}

    def worker():
        begun = time.monotonic()
        got.update(server.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10), took=time.monotonic() - begun)

    thread = threading.Thread(target=worker)
    thread.start()
    time.sleep(0.4)
    server.sqs.send_message(QueueUrl=queue, MessageBody="now")
    thread.join(12)
    assert got["Messages"][0]["Body"] == "now" and 0.3 < got["took"] < 3


def test_fifo_keeps_order_and_takes_a_message_once(server):
    queue = server.queue(FifoQueue="true", ContentBasedDeduplication="true")
    for body in ("a", "b", "a", "c"):
        server.sqs.send_message(QueueUrl=queue, MessageBody=body, MessageGroupId="g")
    assert [server.receive(queue, wait=1)["Body"] for _ in range(3)] == ["a", "b", "c"]
    assert server.receive(queue, wait=0) is None


def test_dead_letters(server):
    dead = server.queue()
    arn = server.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    queue = server.queue(VisibilityTimeout="0", RedrivePolicy=redrive)
    server.sqs.send_message(QueueUrl=queue, MessageBody="poison")
    for _ in range(2):
        assert server.sqs.receive_message(QueueUrl=queue)["Messages"]
    assert "Messages" not in server.sqs.receive_message(QueueUrl=queue)
    assert server.receive(dead)["Body"] == "poison"


def test_batches_lists_and_the_end_of_a_queue(server):
    name = unique("queue")
    queue = server.sqs.create_queue(QueueName=name)["QueueUrl"]
    assert queue == f"{server.url}/{ACCOUNT}/{name}" == server.sqs.get_queue_url(QueueName=name)["QueueUrl"]
    entries = [{"Id": str(n), "MessageBody": f"m{n}"} for n in range(10)]
    assert len(server.sqs.send_message_batch(QueueUrl=queue, Entries=entries)["Successful"]) == 10
    messages = server.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
    gone = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
    assert len(server.sqs.delete_message_batch(QueueUrl=queue, Entries=gone)["Successful"]) == len(messages)
    assert queue in server.sqs.list_queues(QueueNamePrefix=name)["QueueUrls"]
    server.sqs.delete_queue(QueueUrl=queue)
    code, message = refusal(server.sqs.send_message, QueueUrl=queue, MessageBody="m")
    assert code in ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")
    assert message == "The specified queue does not exist."


# SNS.


def subscribe(server, topic, **attributes):
    queue = server.queue()
    arn = server.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscription = server.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    return queue, subscription["SubscriptionArn"]


def test_a_topic_tells_its_queues(server):
    name = unique("topic")
    topic = server.sns.create_topic(Name=name)["TopicArn"]
    assert topic == f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}" == server.sns.create_topic(Name=name)["TopicArn"]
    plain, subscription = subscribe(server, topic)
    raw, _ = subscribe(server, topic, RawMessageDelivery="true")
    published = server.sns.publish(
        TopicArn=topic, Message="news", Subject="S", MessageAttributes={"k": {"DataType": "String", "StringValue": "v"}}
    )
    envelope = json.loads(server.receive(plain)["Body"])
    assert (envelope["Type"], envelope["Message"], envelope["Subject"]) == ("Notification", "news", "S")
    assert (envelope["MessageId"], envelope["TopicArn"]) == (published["MessageId"], topic)
    assert envelope["MessageAttributes"] == {"k": {"Type": "String", "Value": "v"}}
    message = server.receive(raw, MessageAttributeNames=["All"])
    assert message["Body"] == "news" and message["MessageAttributes"]["k"]["StringValue"] == "v"
    server.sns.unsubscribe(SubscriptionArn=subscription)
    server.sns.publish(TopicArn=topic, Message="more")
    assert server.receive(raw)["Body"] == "more" and server.receive(plain, wait=0) is None
    server.sns.delete_topic(TopicArn=topic)
    assert refusal(server.sns.publish, TopicArn=topic, Message="m") == ("NotFound", "Topic does not exist")


def test_filter_policies(server):
    topic = server.sns.create_topic(Name=unique("topic"))["TopicArn"]
    by_attribute, _ = subscribe(
        server, topic, RawMessageDelivery="true", FilterPolicy='{"kind": ["a", {"prefix": "b"}]}'
    )
    of_body = {"FilterPolicyScope": "MessageBody", "FilterPolicy": '{"n": [{"numeric": [">", 5]}]}'}
    by_body, _ = subscribe(server, topic, RawMessageDelivery="true", **of_body)
    for kind, n in (("a", 1), ("bee", 9), ("c", 7)):
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        server.sns.publish(TopicArn=topic, Message=json.dumps({"n": n}), MessageAttributes=attributes)

    def all_of(queue):
        got = []
        while message := server.receive(queue, wait=1 if not got else 0):
            got.append(json.loads(message["Body"])["n"])
        return sorted(got)

    assert all_of(by_attribute) == [1, 9] and all_of(by_body) == [7, 9]


def test_http_endpoints_confirm_and_are_told(server):
    class Endpoint(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            self.server.calls.append((self.headers["x-amz-sns-message-type"], json.loads(body)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    topic = server.sns.create_topic(Name=unique("topic"))["TopicArn"]
    with serving(Endpoint) as endpoint:
        server.sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint.url)
        kind, told = eventually(lambda: endpoint.calls[:1], bool)[0]
        assert kind == "SubscriptionConfirmation" and told["TopicArn"] == topic
        server.sns.publish(TopicArn=topic, Message="too early")
        server.sns.confirm_subscription(TopicArn=topic, Token=told["Token"])
        server.sns.publish(TopicArn=topic, Message="in time")
        told = eventually(lambda: [told["Message"] for kind, told in endpoint.calls if kind == "Notification"], bool)
        assert told == ["in time"]


def test_fifo_topics(server):
    attributes = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    topic = server.sns.create_topic(Name=unique("topic") + ".fifo", Attributes=attributes)["TopicArn"]
    queue = server.queue(FifoQueue="true")
    arn = server.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    server.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    for message in ("1", "2", "1", "3"):
        server.sns.publish(TopicArn=topic, Message=message, MessageGroupId="g")
    assert [server.receive(queue, wait=1)["Body"] for _ in range(3)] == ["1", "2", "3"]


# Batch.


@pytest.fixture(scope="module")
def jobs(server):
    return server.job_queue()


def submit(server, jobs, definition, **more):
    return server.batch.submit_job(jobName="job", jobQueue=jobs, jobDefinition=definition, **more)["jobId"]


def test_a_job_goes_its_way(server, jobs):
    definition = server.job_definition("work.sh", "sum", "Ref::n", "2")
    job_id = submit(server, jobs, definition, parameters={"n": "3"})
    job = server.job_ended(job_id)
    assert (job["status"], job["container"]["exitCode"], server.job_log(job)) == ("SUCCEEDED", 0, "sum 5\n")
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"] and len(job["attempts"]) == 1
    listed = server.batch.list_jobs(jobQueue=jobs, jobStatus="SUCCEEDED")["jobSummaryList"]
    assert job_id in [row["jobId"] for row in listed]


def test_a_job_that_depends_on_another_waits_for_it(server, jobs):
    first = submit(server, jobs, server.job_definition("work.sh", "sleep", "1"))
    second = submit(server, jobs, server.job_definition("work.sh", "sum", "1"), dependsOn=[{"jobId": first}])
    bad = submit(server, jobs, server.job_definition("work.sh", "fail", "1", "no"))
    orphan = submit(server, jobs, server.job_definition("work.sh", "sum", "1"), dependsOn=[{"jobId": bad}])
    assert server.job_ended(orphan)["statusReason"] == "Dependent Job failed"
    assert server.job_ended(second)["startedAt"] >= server.job_ended(first)["stoppedAt"]


def test_a_job_that_runs_too_long_is_ended(server, jobs):
    definition = server.job_definition("work.sh", "sleep", "600", timeout={"attemptDurationSeconds": 1})
    job = server.job_ended(submit(server, jobs, definition))
    assert (job["status"], job["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")


def test_a_job_is_cancelled_before_it_starts_and_terminated_after(server, jobs):
    waits_for = submit(server, jobs, server.job_definition("work.sh", "sleep", "600"))
    waiting = submit(server, jobs, server.job_definition("work.sh", "sum", "1"), dependsOn=[{"jobId": waits_for}])
    server.batch.cancel_job(jobId=waiting, reason="not needed")
    assert server.job_ended(waiting)["statusReason"] == "not needed"
    eventually(lambda: server.job(waits_for)["status"], lambda status: status == "RUNNING")
    server.batch.terminate_job(jobId=waits_for, reason="long enough")
    assert server.job_ended(waits_for)["statusReason"] == "long enough"


def test_definitions_have_revisions(server):
    name = unique("job")
    for revision in (1, 2):
        properties = {"image": IMAGE, "command": ["work.sh", "sum", str(revision)]}
        made = server.batch.register_job_definition(
            jobDefinitionName=name, type="container", containerProperties=properties
        )
        assert made["revision"] == revision
    found = server.batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
    assert sorted(d["revision"] for d in found) == [1, 2]
    server.batch.deregister_job_definition(jobDefinition=f"{name}:2")
    found = server.batch.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")["jobDefinitions"]
    assert [d["revision"] for d in found] == [1]


def test_what_batch_does_not_know(server, jobs):
    code, message = refusal(server.batch.submit_job, jobName="j", jobQueue="nobody", jobDefinition="d")
    assert (code, message) == ("ClientException", "JobQueue nobody not found.")
    code, message = refusal(server.batch.submit_job, jobName="j", jobQueue=jobs, jobDefinition="nobody")
    assert (code, message) == ("ClientException", "JobDefinition nobody not found.")
    assert server.batch.describe_jobs(jobs=["nobody"])["jobs"] == []
