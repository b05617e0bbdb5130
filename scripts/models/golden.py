"""Writes what botocore puts on the wire, and reads off it, for the tests of crates/aws.

Requests are taken from botocore just before they would be sent; nothing is called. Answers are texts as the services
write them, with what botocore's parser makes of them.
"""

import argparse
import base64
import datetime
import json
import pathlib

import boto3
import botocore.auth
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.parsers import create_parser

REGION = "us-east-1"
QUEUE = "http://127.0.0.1:8083/000000000000/q"
TOPIC = "arn:aws:sns:us-east-1:000000000000:t"
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:m"

# Signatures are dated; a fixed date keeps the texts the same.
WHEN = datetime.datetime(2026, 1, 2, 3, 4, 5)
botocore.auth.get_current_datetime = lambda remove_tzinfo=True: WHEN

# service, method, parameters
CALLS = [
    ("sqs", "create_queue", {"QueueName": "q.fifo", "Attributes": {"FifoQueue": "true"}, "tags": {"a": "b"}}),
    ("sqs", "list_queues", {}),
    (
        "sqs",
        "send_message",
        {
            "QueueUrl": QUEUE,
            "MessageBody": "grüße & <b>\r\n",
            "DelaySeconds": 3,
            "MessageAttributes": {
                "s": {"DataType": "String", "StringValue": "v"},
                "b": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
            },
        },
    ),
    (
        "sqs",
        "send_message_batch",
        {"QueueUrl": QUEUE, "Entries": [{"Id": "1", "MessageBody": "a"}, {"Id": "2", "MessageBody": "b"}]},
    ),
    ("sqs", "receive_message", {"QueueUrl": QUEUE, "MessageAttributeNames": ["All"], "WaitTimeSeconds": 20}),
    (
        "sns",
        "publish",
        {
            "TopicArn": TOPIC,
            "Message": "a+b=c & d",
            "MessageAttributes": {
                "one": {"DataType": "String", "StringValue": "1"},
                "two": {"DataType": "Binary", "BinaryValue": b"\x01\x02"},
            },
        },
    ),
    ("sns", "create_topic", {"Name": "t", "Attributes": {"FifoTopic": "true"}, "Tags": [{"Key": "k", "Value": "v"}]}),
    ("sns", "untag_resource", {"ResourceArn": TOPIC, "TagKeys": []}),
    (
        "sns",
        "subscribe",
        {"TopicArn": TOPIC, "Protocol": "sqs", "Endpoint": QUEUE, "ReturnSubscriptionArn": True, "Attributes": {"a": "b"}},
    ),
    (
        "sns",
        "publish_batch",
        {"TopicArn": TOPIC, "PublishBatchRequestEntries": [{"Id": "1", "Message": "m"}, {"Id": "2", "Message": "n"}]},
    ),
    (
        "batch",
        "submit_job",
        {
            "jobName": "j",
            "jobQueue": "q",
            "jobDefinition": "d:1",
            "parameters": {"p": "1"},
            "timeout": {"attemptDurationSeconds": 60},
            "containerOverrides": {"command": ["a", "b"], "environment": [{"name": "X", "value": "y"}]},
            "arrayProperties": {"size": 2},
        },
    ),
    ("batch", "describe_jobs", {"jobs": ["a", "b"]}),
    ("batch", "list_tags_for_resource", {"resourceArn": "arn:aws:batch:us-east-1:000000000000:job/a b"}),
    ("batch", "untag_resource", {"resourceArn": "arn:x", "tagKeys": ["a", "b c"]}),
    (
        "lambda",
        "invoke",
        {
            "FunctionName": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
            "Payload": b'{"a": 1}',
            "InvocationType": "RequestResponse",
            "LogType": "Tail",
            "Qualifier": "live",
        },
    ),
    ("lambda", "invoke", {"FunctionName": "f"}),
    ("lambda", "get_function", {"FunctionName": "f"}),
    ("lambda", "list_functions", {"MaxItems": 5, "Marker": "a/b+c"}),
    (
        "lambda",
        "create_function",
        {"FunctionName": "f", "Role": "arn:r", "Code": {"ZipFile": b"PK\x03\x04"}, "Publish": True, "Tags": {"a": "b"}},
    ),
    ("stepfunctions", "start_execution", {"stateMachineArn": MACHINE, "input": '{"a":"ü"}', "name": "n"}),
    ("stepfunctions", "list_executions", {"stateMachineArn": MACHINE, "maxResults": 2, "statusFilter": "RUNNING"}),
    ("stepfunctions", "start_sync_execution", {"stateMachineArn": MACHINE}),
    (
        "sts",
        "assume_role",
        {"RoleArn": "arn:aws:iam::000000000000:role/r", "RoleSessionName": "session", "Tags": [{"Key": "k", "Value": "v"}]},
    ),
    ("sts", "get_caller_identity", {}),
]

# Headers that differ from run to run, or that HTTP itself adds.
UNSIGNED = ("amz-sdk-invocation-id", "amz-sdk-request", "content-length", "user-agent")

ID = "11111111-2222-3333-4444-555555555555"
SNS = 'xmlns="http://sns.amazonaws.com/doc/2010-03-31/"'
META = f"<ResponseMetadata><RequestId>{ID}</RequestId></ResponseMetadata>"

# service, operation, status, headers, body
ANSWERS = [
    ("sqs", "SendMessage", 200, {}, '{"MD5OfMessageBody":"0cc175b9c0f1b6a831c399e269772661","MessageId":"m"}'),
    ("sqs", "DeleteMessage", 200, {}, ""),
    (
        "sqs",
        "ReceiveMessage",
        200,
        {},
        '{"Messages":[{"Body":"b","MessageId":"1","Attributes":{"SentTimestamp":"1"},"MessageAttributes":'
        '{"x":{"DataType":"Binary","BinaryValue":"aGk="}}}],"Unknown":1}',
    ),
    (
        "sqs",
        "SendMessage",
        400,
        {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
        '{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"The specified queue does not exist."}',
    ),
    (
        "sns",
        "Publish",
        200,
        {},
        f"<PublishResponse {SNS}>\n  <PublishResult>\n    <MessageId>m</MessageId>\n  </PublishResult>\n  {META}\n"
        "</PublishResponse>\n",
    ),
    (
        "sns",
        "ListTopics",
        200,
        {},
        f"<ListTopicsResponse {SNS}><ListTopicsResult><Topics><member><TopicArn>a</TopicArn></member><member><TopicArn>b"
        f"</TopicArn></member></Topics><NextToken>n&amp;&lt;</NextToken></ListTopicsResult>{META}</ListTopicsResponse>",
    ),
    (
        "sns",
        "GetTopicAttributes",
        200,
        {},
        f"<GetTopicAttributesResponse {SNS}><GetTopicAttributesResult><Attributes><entry><key>Owner</key><value>0</value>"
        "</entry><entry><key>DisplayName</key><value/></entry></Attributes></GetTopicAttributesResult>"
        f"{META}</GetTopicAttributesResponse>",
    ),
    (
        "sns",
        "PublishBatch",
        200,
        {},
        f"<PublishBatchResponse {SNS}><PublishBatchResult><Failed/><Successful><member><Id>1</Id><MessageId>m</MessageId>"
        f"</member></Successful></PublishBatchResult>{META}</PublishBatchResponse>",
    ),
    (
        "sns",
        "Publish",
        404,
        {},
        f"<ErrorResponse {SNS}>\n  <Error>\n    <Type>Sender</Type>\n    <Code>NotFound</Code>\n    <Message>Topic does not "
        f"exist</Message>\n  </Error>\n  <RequestId>{ID}</RequestId>\n</ErrorResponse>\n",
    ),
    ("sns", "Publish", 503, {}, "<html><body>busy</body></html>"),
    ("batch", "SubmitJob", 200, {}, '{"jobArn":"arn:j","jobName":"j","jobId":"1"}'),
    (
        "batch",
        "DescribeJobs",
        200,
        {},
        '{"jobs":[{"jobId":"1","status":"FAILED","createdAt":1762432788123,"isCancelled":false,"container":{"exitCode":1,'
        '"environment":[]},"attempts":null}]}',
    ),
    (
        "batch",
        "SubmitJob",
        400,
        {"x-amzn-ErrorType": "ClientException"},
        '{"message":"JobQueue q not found."}',
    ),
    (
        "lambda",
        "Invoke",
        200,
        {"X-Amz-Executed-Version": "$LATEST", "X-Amz-Function-Error": "Unhandled"},
        '{"errorMessage":"x"}',
    ),
    (
        "lambda",
        "Invoke",
        404,
        {"x-amzn-ErrorType": "ResourceNotFoundException:http://internal.amazon.com/coral/"},
        '{"Type":"User","Message":"Function not found: f"}',
    ),
    (
        "stepfunctions",
        "DescribeExecution",
        200,
        {},
        '{"executionArn":"a","stateMachineArn":"m","status":"RUNNING","startDate":1762432788.5,"inputDetails":'
        '{"included":true},"redriveCount":0}',
    ),
    (
        "stepfunctions",
        "StartExecution",
        400,
        {},
        '{"__type":"StateMachineDoesNotExist","message":"State Machine Does Not Exist: \'m\'"}',
    ),
    ("stepfunctions", "StartExecution", 500, {}, ""),
    (
        "sts",
        "AssumeRole",
        200,
        {},
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>'
        "A</AccessKeyId><SecretAccessKey>s/+=</SecretAccessKey><SessionToken>t</SessionToken><Expiration>"
        "2026-01-02T03:04:05Z</Expiration></Credentials><PackedPolicySize>6</PackedPolicySize></AssumeRoleResult>"
        f"{META}</AssumeRoleResponse>",
    ),
]


def plain(value):
    """As JSON: bytes in base64, times as seconds."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.datetime):
        seconds = value.timestamp()
        return int(seconds) if seconds == int(seconds) else seconds
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "read"):
        return plain(value.read())
    return value


def client(service):
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url="http://127.0.0.1:8083",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=boto3.session.Config(inject_host_prefix=False),
    )


def requests():
    for service, method, params in CALLS:
        api, taken = client(service), []

        def take(request, **_):
            taken.append(request)
            return AWSResponse(request.url, 200, {}, None)

        api.meta.events.register("before-send.*", take)
        try:
            getattr(api, method)(**params)
        except Exception as error:  # the empty answer is no answer; the request is all that is wanted
            assert taken, (service, method, error)
        request = taken[0]
        url = request.url.removeprefix("http://127.0.0.1:8083")
        path, _, query = url.partition("?")
        headers = {k.lower(): v.decode() if isinstance(v, bytes) else v for k, v in request.headers.items()}
        body = request.body or b""
        body = body if isinstance(body, bytes) else body.encode()
        yield {
            "service": api.meta.service_model.service_id,
            "operation": api.meta.method_to_api_mapping[method],
            "params": plain(params),
            "method": request.method,
            "path": path,
            "query": query,
            "headers": {k: v for k, v in headers.items() if k not in UNSIGNED},
            "body": body.decode("utf-8", "surrogateescape") if is_text(body) else plain(body),
            "binary": not is_text(body),
        }


def is_text(body):
    try:
        body.decode()
        return True
    except UnicodeDecodeError:
        return False


def answers():
    for service, operation, status, headers, body in ANSWERS:
        api = client(service)
        model = api.meta.service_model.operation_model(operation)
        parser = create_parser(api.meta.service_model.resolved_protocol)
        headers = {"x-amzn-RequestId": ID, **headers}
        lowered = {k.lower(): v for k, v in headers.items()}
        response = {"body": body.encode(), "headers": HeadersDict(lowered), "status_code": status, "context": {}}
        parsed = parser.parse(response, model.output_shape)
        parsed.pop("ResponseMetadata", None)
        yield {
            "service": api.meta.service_model.service_id,
            "operation": operation,
            "status": status,
            "headers": headers,
            "body": body,
            "parsed": plain(parsed),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in (("requests", requests()), ("answers", answers())):
        rows = list(rows)
        (out / f"{name}.json").write_text(json.dumps(rows, indent=1, ensure_ascii=False, default=str) + "\n")
        print(f"{name}.json: {len(rows)}")


if __name__ == "__main__":
    main()
