"""What a web page that the machine's owner visits could send to the port. None of it may have an effect, because what
is behind the port runs commands.
"""

import json
from urllib.parse import urlencode

import pytest
from world import PASS, ROLE, request, unique

JSON = "application/x-amz-json-1.0"
FORM = "application/x-www-form-urlencoded"
EVIL = "https://evil.example"


def signed(service):
    return (
        f"AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )


def create_queue(name):
    """The queue's creation in both protocols, as an SDK would send it."""
    target = {"X-Amz-Target": "AmazonSQS.CreateQueue", "Content-Type": JSON, "Authorization": signed("sqs")}
    form = {"Content-Type": FORM, "Authorization": signed("sqs")}
    return [
        (target, json.dumps({"QueueName": name})),
        (form, urlencode({"Action": "CreateQueue", "QueueName": name, "Version": "2012-11-05"})),
    ]


def queues(server, name):
    return server.sqs.list_queues(QueueNamePrefix=name).get("QueueUrls", [])


def test_the_same_requests_of_an_sdk_are_answered(server):
    """Else the refusals below would prove nothing."""
    for headers, body in create_queue(name := unique("page")):
        status, answered, told = request(server, "POST", "/", headers, body)
        assert status == 200, told
        assert not [header for header in answered if header.startswith("access-control-")]
    assert len(queues(server, name)) == 1


@pytest.mark.parametrize(
    "page",
    [
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "10.0.0.1"},
    ],
    ids=lambda page: " ".join(next(iter(page.items()))),
)
def test_origins_and_foreign_hosts_are_refused(server, page):
    name = unique("page")
    for headers, body in create_queue(name):
        status, answered, _ = request(server, "POST", "/", {**headers, **page}, body)
        assert status == 403
        assert not [header for header in answered if header.startswith("access-control-")]
    for service, target, body in (
        (
            "states",
            "AWSStepFunctions.CreateStateMachine",
            {"name": name, "definition": json.dumps(PASS), "roleArn": ROLE},
        ),
        ("states", "AWSStepFunctions.ListStateMachines", {}),
        ("sqs", "AmazonSQS.ListQueues", {}),
    ):
        headers = {"X-Amz-Target": target, "Content-Type": JSON, "Authorization": signed(service), **page}
        status, _, told = request(server, "POST", "/", headers, json.dumps(body))
        assert status == 403 and server.url not in told, told
    headers = {"Content-Type": "application/json", "Authorization": signed("batch"), **page}
    status, _, _ = request(server, "POST", "/v1/submitjob", headers, "{}")
    assert status == 403
    assert not queues(server, name)
    assert name not in [machine["name"] for machine in server.all("list_state_machines", "stateMachines")]


@pytest.mark.parametrize(
    "kind", [FORM, "multipart/form-data; boundary=x", "text/plain", "text/plain;charset=UTF-8", None]
)
def test_what_a_form_or_a_simple_script_can_send_is_refused(server, kind):
    """Without asking first a page can send these content types, or none, and no Authorization and no X-Amz-Target. The
    origin is left out here: it must not be the only thing that is looked at."""
    name = unique("page")
    headers = {"Content-Type": kind} if kind else {}
    action = urlencode({"Action": "CreateQueue", "QueueName": name, "Version": "2012-11-05"})
    definition = {
        "jobDefinitionName": name,
        "type": "container",
        "containerProperties": {"image": "i", "command": ["sh"]},
    }
    machine = {"name": name, "definition": json.dumps(PASS), "roleArn": ROLE}
    for path, body in (
        ("/", action),
        ("/?" + action, ""),
        ("/?" + action, "x"),
        ("/v1/registerjobdefinition", json.dumps(definition)),
        ("/", json.dumps(machine)),
        ("/?X-Amz-Target=AWSStepFunctions.CreateStateMachine", json.dumps(machine)),
    ):
        status, _, told = request(server, "POST", path, headers, body)
        assert status in (400, 403, 404, 415), (path, status, told)
    assert not queues(server, name)
    assert not server.batch.describe_job_definitions(jobDefinitionName=name)["jobDefinitions"]


def test_a_wrong_content_type_is_refused_even_with_a_target(server):
    """A page has to ask before it sends a target, and is never allowed to. Should one get through, it is refused."""
    name = unique("page")
    for kind in (FORM, "text/plain", "multipart/form-data; boundary=x"):
        for target, body in (
            ("AmazonSQS.CreateQueue", {"QueueName": name}),
            ("AWSStepFunctions.CreateStateMachine", {"name": name, "definition": json.dumps(PASS), "roleArn": ROLE}),
        ):
            headers = {"X-Amz-Target": target, "Content-Type": kind}
            status, _, told = request(server, "POST", "/", headers, json.dumps(body))
            assert status in (400, 403, 415), (kind, target, status, told)
    assert not queues(server, name)


@pytest.mark.parametrize(
    "path", ["/?Action=CreateQueue&QueueName=from-a-link", "/v1/submitjob", "/v1/describejobs", "/"]
)
def test_links_and_images_do_nothing(server, path):
    status, _, _ = request(server, "GET", path)
    assert status >= 400
    assert not queues(server, "from-a-link")


def test_a_page_that_asks_first_is_told_no(server):
    for path in ("/", "/v1/submitjob"):
        asked = {
            "Origin": EVIL,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-amz-target,authorization",
            "Access-Control-Request-Private-Network": "true",
        }
        status, answered, _ = request(server, "OPTIONS", path, asked)
        assert status >= 400
        assert not [header for header in answered if header.startswith("access-control-")]
