"""Calls to services from states: the optimised SNS, SQS and Lambda, `aws-sdk:*`, and what their errors are called."""

import json

import pytest
from world import ACCOUNT, PASS, REGION, check_history, output, refusal, states, task, unique


@pytest.fixture
def topic(server):
    return server.sns.create_topic(Name=unique("topic"))["TopicArn"]


def subscribed(server, topic, raw="true"):
    queue = server.queue()
    arn = server.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    server.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": raw})
    return queue


def test_sns_publish_and_sqs_send_message(server, topic):
    listener, queue = subscribed(server, topic), server.queue()
    machine = states(
        Publish=task("sns:publish", {"TopicArn": topic, "Message": {"n.$": "$.n"}}, ResultPath="$.published"),
        Send=task("sqs:sendMessage", {"QueueUrl": queue, "MessageBody.$": "$"}, ResultPath="$.sent"),
    )
    told = output(server.run(machine, {"n": 1}))
    assert told["published"]["SdkHttpMetadata"]["HttpStatusCode"] == 200
    assert json.loads(server.receive(listener)["Body"]) == {"n": 1}
    message = server.receive(queue)
    assert (
        message["MessageId"] == told["sent"]["MessageId"] and message["MD5OfBody"] == told["sent"]["MD5OfMessageBody"]
    )
    assert json.loads(message["Body"])["published"]["MessageId"] == told["published"]["MessageId"]


def test_message_attributes_and_fifo(server):
    queue = server.queue(FifoQueue="true")
    parameters = {
        "QueueUrl": queue,
        "MessageBody": "hello",
        "MessageGroupId": "g",
        "MessageDeduplicationId.$": "$.id",
        "MessageAttributes": {"kind": {"DataType": "String", "StringValue.$": "$.kind"}},
    }
    machine = server.machine(states(Send=task("sqs:sendMessage", parameters)))
    first, second = (output(server.run(machine, {"id": "1", "kind": "k"})) for _ in range(2))
    assert first["MessageId"] == second["MessageId"], "the queue takes the second for the first"
    message = server.receive(queue, MessageAttributeNames=["All"])
    assert message["MessageAttributes"]["kind"]["StringValue"] == "k"
    assert server.receive(queue, wait=0) is None


@pytest.mark.parametrize(
    ("resource", "parameters", "error", "cause"),
    [
        (
            "sns:publish",
            {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:nobody", "Message": "m"},
            "SNS.NotFoundException",
            "Topic does not exist (Service: AmazonSNS; Status Code: 404; Error Code: NotFound; Request ID: ",
        ),
        (
            "sqs:sendMessage",
            {"QueueUrl": f"{{}}/{ACCOUNT}/nobody", "MessageBody": "m"},
            "SQS.QueueDoesNotExistException",
            "The specified queue does not exist. (Service: AmazonSQS; Status Code: 400; "
            "Error Code: AWS.SimpleQueueService.NonExistentQueue; ",
        ),
        (
            "aws-sdk:sqs:getQueueUrl",
            {"QueueName": "nobody"},
            "Sqs.QueueDoesNotExistException",
            "The specified queue does not exist. (Service: Sqs, Status Code: 400, Request ID: ",
        ),
    ],
)
def test_errors_of_services_have_awss_names(server, resource, parameters, error, cause):
    parameters = {key: value.format(server.url) for key, value in parameters.items()}
    described = server.run(states(Call=task(resource, parameters)))
    assert (described["status"], described["error"]) == ("FAILED", error), described["cause"]
    assert described["cause"].startswith(cause), described["cause"]


def test_aws_sdk_sqs_and_sns(server, topic):
    listener = subscribed(server, topic)
    machine = states(
        Make=task("aws-sdk:sqs:createQueue", {"QueueName.$": "$.name"}, ResultPath="$.queue"),
        Send=task(
            "aws-sdk:sqs:sendMessage", {"QueueUrl.$": "$.queue.QueueUrl", "MessageBody": "one"}, ResultPath="$.sent"
        ),
        Get=task(
            "aws-sdk:sqs:receiveMessage", {"QueueUrl.$": "$.queue.QueueUrl", "WaitTimeSeconds": 5}, ResultPath="$.got"
        ),
        Tell=task(
            "aws-sdk:sns:publish", {"TopicArn": topic, "Message.$": "$.got.Messages[0].Body"}, ResultPath="$.told"
        ),
    )
    told = output(server.run(machine, {"name": unique("made")}))
    assert told["got"]["Messages"][0]["MessageId"] == told["sent"]["MessageId"]
    assert server.receive(listener)["Body"] == "one"


def test_aws_sdk_sfn_is_this_installation(server):
    machine = server.machine(PASS)
    arn = server.ended(server.begin(machine))["executionArn"]
    describe = states(Ask=task("aws-sdk:sfn:describeExecution", {"ExecutionArn": arn}))
    told = output(server.run(describe))
    assert (told["ExecutionArn"], told["Status"]) == (arn, "SUCCEEDED") and isinstance(told["StartDate"], str)
    wrong = states(Ask=task("aws-sdk:sfn:describeExecution", {"ExecutionArn": arn + "x"}))
    described = server.run(wrong)
    assert described["error"] == "Sfn.ExecutionDoesNotExistException"
    words = f"Execution Does Not Exist: '{arn}x' (Service: Sfn, Status Code: 400, Request ID: "
    assert described["cause"].startswith(words), described["cause"]


def test_a_service_that_aws_has_not_is_refused(server):
    code, message = refusal(server.machine, states(Call=task("aws-sdk:nosuch:listThings", {})))
    assert code == "InvalidDefinition" and "aws-sdk:nosuch:listThings" in message


def test_lambda_invoke_and_function_arns(server):
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:echo"
    machine = states(
        Invoke=task(
            "lambda:invoke",
            {"FunctionName": function, "Payload": {"n.$": "$.n"}},
            ResultSelector={"p.$": "$.Payload", "code.$": "$.StatusCode"},
        ),
        Arn=task(function),
    )
    arn = server.begin(machine, {"n": 1})
    assert output(server.ended(arn)) == {"p": {"n": 1}, "code": 200}
    events = server.events(arn)
    check_history(events)
    types = [event["type"] for event in events]
    of_arn = ["LambdaFunctionScheduled", "LambdaFunctionStarted", "LambdaFunctionSucceeded", "TaskStateExited"]
    assert types[4] == "TaskSucceeded" and types[7:11] == of_arn, types


def test_a_function_that_fails_or_is_not_there(server):
    broken = server.run(states(Call=task("lambda:invoke", {"FunctionName": "broken", "Payload": {}})))
    assert (broken["error"], json.loads(broken["cause"])["errorMessage"]) == ("PrinterError", "out of ink")
    nobody = server.run(states(Call=task("lambda:invoke", {"FunctionName": "nobody"})))
    assert nobody["error"] == "Lambda.ResourceNotFoundException"
    assert "(Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException;" in nobody["cause"]


def test_wrong_parameters_are_the_definitions_fault(server):
    described = server.run(states(Call=task("sqs:sendMessage", {"QueueUrl.$": "$.url", "MessageBody": "m"})), {})
    assert (described["status"], described["error"]) == ("FAILED", "States.Runtime")
    assert "could not be found in the input" in described["cause"]
