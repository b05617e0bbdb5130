"""Every operation of every service model: what we write is what botocore writes, and what we read is what it reads.

Inputs and outputs are made from botocore's own shapes, by a seed (WIRE_SEED), for at least 200 operations of each protocol
and all of the services that have optimised integrations; for all operations there are with WIRE_ALL=1 (some minutes). botocore's client writes each request, just
not sending it; ours comes from `crates/aws/examples/wire.rs`. Answers are written here with botocore's serializers and
read by its parser and by us. Two messages are the same if they mean the same: the order of JSON members, form fields,
query parameters and headers does not count, nor do headers that every client writes in its own way.
"""

import base64
import collections
import datetime
import hashlib
import io
import json
import os
import random
import subprocess
import urllib.parse
import xml.etree.ElementTree as ElementTree
import zlib

import boto3
import botocore
import botocore.handlers
import botocore.parsers
import botocore.serialize
import pytest
import world
from botocore.config import Config

EXAMPLE = world.BINARY.parent / "examples" / "wire"
SEED = int(os.environ.get("WIRE_SEED", "20261125"))
DEPTH = 4
# Some operations stream and are left out.
ENOUGH = 220
OPTIMISED = ["athena", "batch", "codebuild", "databrew", "dynamodb", "ecs", "events", "glue", "lambda", "mediaconvert"]
OPTIMISED += ["sagemaker", "sns", "sqs", "stepfunctions", "sts"]
# Written by each HTTP client or signer in its own way.
OWN = ("accept-encoding", "amz-sdk-invocation-id", "amz-sdk-request", "authorization", "connection", "content-length")
OWN += ("expect", "host", "user-agent", "x-amz-content-sha256", "x-amz-date", "x-amz-user-agent", "x-amzn-trace-id")
# Of clients that look for endpoints by themselves.
OWN += ("x-amz-api-version",)
# What botocore adds for its users' convenience, and no other client does.
CONVENIENCES = [
    ("before-parameter-build.s3.ListObjects", "set_list_objects_encoding_type_url"),
    ("before-parameter-build.s3.ListObjectsV2", "set_list_objects_encoding_type_url"),
    ("before-parameter-build.s3.ListObjectVersions", "set_list_objects_encoding_type_url"),
    ("before-parameter-build.ec2.RunInstances", "base64_encode_user_data"),
    ("before-parameter-build.autoscaling.CreateLaunchConfiguration", "base64_encode_user_data"),
    ("before-call.glacier.UploadArchive", "add_glacier_checksums"),
    ("before-call.glacier.UploadMultipartPart", "add_glacier_checksums"),
    ("before-call.s3.DeleteObjects", "escape_xml_payload"),
    ("before-call.s3.PutBucketLifecycleConfiguration", "escape_xml_payload"),
]
CONVENIENCES += [
    (f"before-parameter-build.s3.{operation}", "sse_md5")
    for operation in ("HeadObject", "GetObject", "PutObject", "CopyObject", "CreateMultipartUpload", "UploadPart")
    + ("UploadPartCopy", "CompleteMultipartUpload", "SelectObjectContent")
]
CONVENIENCES += [
    (f"before-parameter-build.s3.{operation}", "copy_source_sse_md5") for operation in ("CopyObject", "UploadPartCopy")
]
# The others need code that botocore does not bring itself.
CHECKSUMS = {"CRC32": lambda body: zlib.crc32(body).to_bytes(4, "big")}
CHECKSUMS |= {name: lambda body, name=name: hashlib.new(name.lower(), body).digest() for name in ("SHA1", "SHA256", "SHA512")}
# Signed addresses that a client makes for copies between regions, and what is written to another host than the call's.
APART = {
    ("ec2", "CopySnapshot"): "botocore signs an address for the other region",
    ("rds", "CopyDBClusterSnapshot"): "botocore signs an address for the other region",
    ("rds", "CopyDBSnapshot"): "botocore signs an address for the other region",
    ("rds", "CreateDBCluster"): "botocore signs an address for the other region",
    ("rds", "CreateDBInstanceReadReplica"): "botocore signs an address for the other region",
    ("rds", "StartDBInstanceAutomatedBackupsReplication"): "botocore signs an address for the other region",
    ("neptune", "CopyDBClusterSnapshot"): "botocore signs an address for the other region",
    ("neptune", "CreateDBCluster"): "botocore signs an address for the other region",
    ("docdb", "CopyDBClusterSnapshot"): "botocore signs an address for the other region",
    ("docdb", "CreateDBCluster"): "botocore signs an address for the other region",
    ("machinelearning", "Predict"): "the host is a parameter",
    ("s3", "WriteGetObjectResponse"): "the host is made of a parameter",
    ("s3control", "ListRegionalBuckets"): "the host is another one where an outpost is named",
    ("signin", ""): "botocore goes to AWS's own host whatever the endpoint",
    ("cloudfront-keyvaluestore", ""): "the host is made of a parameter",
}


# Two members have one name, and botocore gives one of them its own elements.
UNREADABLE = {("s3", "GetBucketNotification")}
# Some of their operations are signed in a way that botocore does not leave out.
SIGNED = ("ebs", "importexport", "lex-runtime", "lexv2-runtime", "mediastore-data", "omics")
# Parameters that botocore makes an address of, so that not every text will do.
PLACES = {
    ("events", "EndpointId"): "abcde.veo",
    ("s3control", "AccountId"): "000000000000",
    ("sesv2", "EndpointId"): "abcde.veo",
    ("sqs", "QueueUrl"): "http://127.0.0.1:9/000000000000/q",
}


class Ours:
    """The example, kept running."""

    def __init__(self):
        if not EXAMPLE.exists():
            pytest.fail(f"{EXAMPLE} is not there; `cargo build -p aws --example wire` builds it")
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([EXAMPLE], stdin=pipe, stdout=pipe, text=True)

    def ask(self, **asked):
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


@pytest.fixture(scope="module")
def ours():
    ours = Ours()
    yield ours
    ours.close()


class Clients:
    """botocore's clients, in the protocol that we speak: JSON, where a service has both that and CBOR."""

    def __init__(self):
        self.session = boto3.session.Session()._session
        self.loader = self.session.get_component("data_loader")
        load = self.loader.load_service_model

        def in_json(service, kind, api_version=None):
            model = load(service, kind, api_version)
            if kind == "service-2" and {"json", "query"} & set(model["metadata"].get("protocols", [])):
                if model["metadata"]["protocol"] == "smithy-rpc-v2-cbor":
                    model["metadata"] = {**model["metadata"], "protocol": "json", "protocols": ["json"]}
            return model

        self.loader.load_service_model = in_json

    def names(self):
        return self.session.get_available_services()

    def client(self, name):
        config = Config(
            parameter_validation=False,
            disable_request_compression=True,
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"},
            # Signatures are compared in crates/aws/tests/wire.rs; here they would ask for bearer tokens too.
            signature_version=None if name in SIGNED else botocore.UNSIGNED,
        )
        client = self.session.create_client(
            name, "us-east-1", endpoint_url="http://127.0.0.1:9", config=config,
            aws_access_key_id="test", aws_secret_access_key="test",
        )  # fmt: skip
        for event, handler in CONVENIENCES:
            if event.split(".")[1] == name:
                client.meta.events.unregister(event, getattr(botocore.handlers, handler))
        return client


class NotSent(Exception):
    pass


def sent(client, operation, params):
    """What botocore would send, from its own signed request."""
    caught = []

    def stop(request, **_):
        caught.append(request)
        raise NotSent

    client.meta.events.register(f"before-send.*.{operation}", stop)
    try:
        client._make_api_call(operation, params)
    except NotSent:
        pass
    finally:
        client.meta.events.unregister(f"before-send.*.{operation}", stop)
    return caught[0]


class Maker:
    """Makes values of shapes, in botocore's types. What a model constrains by a pattern is not looked at."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def make(self, shape, depth=0, place=None):
        kind = shape.type_name
        if getattr(shape, "is_document_type", False):
            return {"any": [1, "x", True]}
        if kind == "structure":
            return self.structure(shape, depth)
        if kind == "list":
            count = 0 if depth >= DEPTH else self.random.randint(1, 2)
            return [self.make(shape.member, depth + 1, place) for _ in range(count)]
        if kind == "map":
            count = 0 if depth >= DEPTH else self.random.randint(1, 2)
            return {self.key(shape.key, at, place): self.make(shape.value, depth + 1, place) for at in range(count)}
        return self.scalar(shape, place)

    def key(self, shape, at, place):
        named = getattr(shape, "enum", None)
        return self.random.choice(named) if named else f"k{at}-" + self.word(plain=place == "headers")

    def scalar(self, shape, place):
        kind = shape.type_name
        if kind == "blob":
            return self.random.randbytes(self.random.randint(1, 9))
        if kind == "boolean":
            return self.random.random() < 0.5
        if kind in ("integer", "long"):
            return self.random.randint(0, 1000)
        if kind in ("float", "double"):
            return self.random.randint(1, 1000) / 4 + 0.125
        if kind == "timestamp":
            return datetime.datetime.fromtimestamp(self.random.randint(10**9, 2 * 10**9), datetime.timezone.utc)
        if getattr(shape, "enum", None):
            return self.random.choice(sorted(CHECKSUMS) if "CRC32" in shape.enum else shape.enum)
        return self.word(plain=place in ("header", "headers", "uri"))

    def structure(self, shape, depth):
        members = list(shape.members.items())
        union = getattr(shape, "is_tagged_union", False) and members
        if union:
            leaves = [member for member in members if member[1].type_name not in ("structure", "list", "map")]
            members = [self.random.choice(leaves if depth >= DEPTH and leaves else members)]
        made = {}
        for name, member in members:
            place = member.serialization.get("location")
            # The name of a part of the address, or of a host, cannot be anything.
            needed = name in shape.required_members or place == "uri" or member.serialization.get("hostLabel")
            # Both clients make one up where it is missing.
            needed = needed or member.metadata.get("idempotencyToken")
            if not needed and not union and (depth >= DEPTH or self.random.random() < 0.4):
                continue
            if depth >= 3 * DEPTH or member.serialization.get("eventstream"):
                continue
            if place == "uri" or member.serialization.get("hostLabel"):
                made[name] = self.make(member, depth + 1, "uri")
            else:
                made[name] = self.make(member, depth + 1, place)
        return made

    def word(self, plain=False):
        letters = "abcXYZ019-" if plain else "abcXYZ019-_ .:/&<>=+%\"'üλ💡"
        text = "".join(self.random.choice(letters) for _ in range(self.random.randint(3, 9)))
        return "w" + text + "w"


def native(shape, value):
    """botocore's value in the native dialect of ours: blobs in base64, times in seconds."""
    kind = shape.type_name
    if value is None or getattr(shape, "is_document_type", False):
        return value
    if kind == "structure":
        return {name: native(shape.members[name], item) for name, item in value.items() if name in shape.members}
    if kind == "list":
        return [native(shape.member, item) for item in value]
    if kind == "map":
        return {name: native(shape.value, item) for name, item in value.items()}
    if kind == "blob":
        return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
    if kind == "timestamp":
        seconds = value.timestamp()
        return int(seconds) if seconds == int(seconds) else seconds
    if shape.serialization.get("jsonvalue") and shape.serialization.get("location") == "header":
        return json.dumps(value)
    return value


def meaning(headers, body):
    """A body, as far as it means something."""
    kind = headers.get("content-type", "")
    if "x-www-form-urlencoded" in kind:
        return sorted(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
    if kind.startswith("application/cbor"):
        return botocore.parsers.RpcV2CBORParser().parse_data_item(io.BytesIO(body)) if body else None
    if body[:1] == b"<":
        return ElementTree.canonicalize(body.decode())
    try:
        return json.loads(body)
    except ValueError:
        return body


def canonical(method, url, headers, body):
    parts = urllib.parse.urlsplit(url)
    headers = {name.lower(): value.decode() if isinstance(value, bytes) else str(value) for name, value in headers.items()}
    for name, digest in CHECKSUMS.items():
        header = f"x-amz-checksum-{name.lower()}"
        # Two bodies that mean the same have two checksums.
        if headers.get(header) == base64.b64encode(digest(body)).decode():
            headers[header] = "of the body"
    if headers.get("content-type") == "application/xml":
        # botocore does not say it.
        del headers["content-type"]
    body = meaning(headers, body)
    return {
        "method": method,
        "host": parts.netloc,
        "path": parts.path or "/",
        "query": sorted(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
        "headers": {name: value for name, value in sorted(headers.items()) if name not in OWN},
        "body": body,
    }


def theirs_written(client, operation, params):
    request = sent(client, operation, params)
    body = request.body or b""
    if hasattr(body, "read"):
        body.seek(0)
        body = body.read()
    return canonical(request.method, request.url, request.headers, body.encode() if isinstance(body, str) else body)


def ours_written(answer):
    prefix = answer["hostPrefix"] or ""
    query = f"?{answer['query']}" if answer["query"] else ""
    url = f"http://{prefix}127.0.0.1:9{answer['path']}{query}"
    return canonical(answer["method"], url, answer["headers"], base64.b64decode(answer["body"]))


def streams(model):
    return model.has_event_stream_input or model.has_event_stream_output


def protocol_of(client):
    return client.meta.service_model.resolved_protocol


def walk():
    """Each client with its operations, and a maker of their own, so that one operation can be looked at alone."""
    clients = Clients()
    for name in chosen(clients):
        client = clients.client(name)
        for operation in client.meta.service_model.operation_names:
            model = client.meta.service_model.operation_model(operation)
            if not streams(model):
                yield client, name, operation, model, Maker(f"{SEED}/{name}/{operation}")


def chosen(clients):
    """Services by a seed, until there are enough operations of each protocol."""
    named = [name for name in os.environ.get("WIRE_SERVICES", "").split(",") if name]
    if named or os.environ.get("WIRE_ALL"):
        return named or clients.names()
    names = clients.names()
    random.Random(SEED).shuffle(names)
    counts, picked = collections.Counter(), []
    for name in OPTIMISED + names:
        model = clients.loader.load_service_model(name, "service-2")
        protocol = model["metadata"]["protocol"]
        if name not in picked and (name in OPTIMISED or counts[protocol] < ENOUGH):
            counts[protocol] += len(model["operations"])
            picked.append(name)
    return picked


def judge(counts, wrong):
    print(", ".join(f"{protocol}: {count} messages" for protocol, count in sorted(counts.items())))
    assert not wrong, f"{len(wrong)} differ (WIRE_SEED={SEED}):\n" + "\n".join(wrong[:20])
    if "WIRE_SERVICES" not in os.environ:
        assert len(counts) == 6
        # CBOR alone is spoken by three services, all of whose operations are here.
        assert all(count >= (100 if protocol == "smithy-rpc-v2-cbor" else 200) for protocol, count in counts.items())


def test_every_request_is_written_as_botocore_writes_it(ours):
    counts, wrong = collections.Counter(), []
    for client, name, operation, model, maker in walk():
        if {(name, operation), (name, "")} & APART.keys():
            continue
        shape = model.input_shape
        params = maker.make(shape) if shape else {}
        params.update({key: value for (of, key), value in PLACES.items() if of == name and key in params})
        service = client.meta.service_model.service_id
        answer = ours.ask(service=service, operation=operation, params=native(shape, params) if shape else {})
        try:
            theirs = theirs_written(client, operation, params)
        except Exception as error:  # noqa: BLE001: whatever botocore refuses is told with the operation
            wrong.append(f"{name} {operation}: botocore refuses: {error!r}"[:600])
            continue
        counts[protocol_of(client)] += 1
        if "refused" in answer:
            wrong.append(f"{name} {operation}: refused: {answer['refused']}")
            continue
        mine = ours_written(answer)
        if mine != theirs:
            differs = [part for part in mine if mine[part] != theirs[part]]
            told = "".join(f"\n    {part} ours   {mine[part]}\n    {part} theirs {theirs[part]}" for part in differs)
            wrong.append(f"{name} {operation}:{told}"[:1500])
    judge(counts, wrong)


class Xml(botocore.serialize.RestXMLSerializer):
    """Writes answers: unlike in requests, a flattened list's elements have the name of its member."""

    def _serialize_type_list(self, node, params, shape, name):
        if shape.serialization.get("flattened"):
            name = shape.member.serialization.get("name", name)
        super()._serialize_type_list(node, params, shape, name)

    def document(self, shape, value, name, result=None):
        root = ElementTree.Element(name)
        inner = ElementTree.SubElement(root, result) if result else root
        holder = ElementTree.Element("holder")
        self._serialize(shape, value, holder, "v")
        inner.extend(list(holder[0]))
        inner.attrib.update(holder[0].attrib)
        return ElementTree.tostring(root)


def answered(client, operation, model, value):
    """The answer of a service, in its protocol: headers and body."""
    protocol, shape = protocol_of(client), model.output_shape
    if shape is None:
        return {}, f"<{operation}Response/>".encode() if protocol in ("query", "ec2") else b""
    if protocol == "json":
        out = {}
        botocore.serialize.JSONSerializer()._serialize(out, value, shape)
        return {"content-type": "application/x-amz-json-1.0"}, json.dumps(out).encode()
    if protocol == "smithy-rpc-v2-cbor":
        out = bytearray()
        botocore.serialize.RpcV2CBORSerializer()._serialize_data_item(out, value, shape)
        return {"content-type": "application/cbor"}, bytes(out)
    if protocol in ("query", "ec2"):
        result = shape.serialization.get("resultWrapper") if protocol == "query" else None
        return {}, Xml().document(shape, value, f"{operation}Response", result)
    serializer = Xml() if protocol == "rest-xml" else botocore.serialize.RestJSONSerializer()
    placed = {"uri_path_kwargs": {}, "query_string_kwargs": {}, "body_kwargs": {}, "headers": {}}
    for name, item in value.items():
        if shape.members[name].serialization.get("location") != "statusCode":
            serializer._partition_parameters(placed, name, item, shape.members)
    headers = {name: str(item) for name, item in placed["headers"].items()}
    payload = shape.serialization.get("payload")
    if payload and shape.members[payload].type_name in ("blob", "string"):
        body = value.get(payload, b"")
        return headers, body.encode() if isinstance(body, str) else body
    inner, inside = (shape.members[payload], value.get(payload)) if payload else (shape, placed["body_kwargs"])
    if inside is None:
        return headers, b""
    if protocol == "rest-json":
        return headers, serializer._serialize_body_params(inside, inner)
    return headers, serializer.document(inner, inside, inner.serialization.get("name", inner.name))


def in_header(member):
    """JSON in a header, which botocore parses and we give as the text it is."""
    return member.serialization.get("jsonvalue") and member.serialization.get("location") == "header"


def without_empties(value):
    """XML cannot tell an empty list, map or structure from none."""
    if isinstance(value, dict):
        kept = {name: without_empties(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in ({}, [], None)} or None
    if isinstance(value, list):
        return [without_empties(item) for item in value] or None
    return value


def test_every_answer_is_read_as_botocore_reads_it(ours):
    counts, wrong = collections.Counter(), []
    for client, name, operation, model, maker in walk():
        if (name, operation) in UNREADABLE:
            continue
        shape, protocol = model.output_shape, protocol_of(client)
        value = maker.make(shape) if shape else {}
        payload = shape.serialization.get("payload") if shape else None
        if payload in value and shape.members[payload].type_name == "blob":
            value[payload] = b"botocore gives a body as text"
        headers, body = answered(client, operation, model, value)
        answer = {"status_code": 200, "headers": botocore.awsrequest.HeadersDict(headers), "body": body}
        parsed = botocore.parsers.create_parser(protocol).parse(answer, shape)
        parsed.pop("ResponseMetadata", None)
        theirs = native(shape, parsed) if shape else {}
        service = client.meta.service_model.service_id
        mine = ours.ask(
            service=service, operation=operation, status=200, headers=headers, body=base64.b64encode(body).decode()
        )
        counts[protocol] += 1
        if "value" not in mine:
            wrong.append(f"{name} {operation}: {mine}\n    {headers} {body}"[:900])
            continue
        mine = mine["value"]
        for json_value in [n for n, m in (shape.members if shape else {}).items() if in_header(m)]:
            if json_value in mine:
                mine[json_value], theirs[json_value] = json.loads(mine[json_value]), json.loads(theirs[json_value])
        if protocol in ("query", "ec2", "rest-xml"):
            mine, theirs = without_empties(mine), without_empties(theirs)
        if mine != theirs:
            wrong.append(f"{name} {operation}:\n    ours   {mine}\n    theirs {theirs}\n    {headers} {body}"[:1500])
    judge(counts, wrong)


def refusals(protocol, code, message):
    """How services of a protocol say no: all the forms that are in use."""
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    about = json.dumps({"__type": f"com.amazonaws.x#{code}", "message": message}).encode()
    if protocol == "json":
        plain = json.dumps({"__type": code, "Message": message}).encode()
        return [({}, about), ({}, plain)]
    if protocol == "rest-json":
        said = json.dumps({"message": message}).encode()
        return [({"x-amzn-ErrorType": code}, said), ({"x-amzn-ErrorType": f"{code}:http://x/"}, said), ({}, about)]
    if protocol == "smithy-rpc-v2-cbor":
        text = lambda word: bytes([0x78, len(word.encode())]) + word.encode()
        return [({}, b"\xa2" + text("__type") + text(f"x#{code}") + text("message") + text(message))]
    if protocol == "ec2":
        return [({}, f"<Response><Errors><Error>{error}</Error></Errors><RequestID>r</RequestID></Response>".encode())]
    forms = [f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>r</RequestId></ErrorResponse>"]
    if protocol == "rest-xml":
        forms.append(f"<Error>{error}<RequestId>r</RequestId></Error>")
    return [({}, form.encode()) for form in forms]


def test_every_error_is_read_as_botocore_reads_it(ours):
    counts, wrong = collections.Counter(), []
    for client, name, operation, model, _ in walk():
        protocol = protocol_of(client)
        parser = botocore.parsers.create_parser(protocol)
        service = client.meta.service_model.service_id
        in_json = protocol in ("json", "rest-json", "smithy-rpc-v2-cbor")
        for code in ["NobodyKnows"] + [shape.name if in_json else shape.error_code for shape in model.error_shapes[:2]]:
            for headers, body in refusals(protocol, code, "it is not there"):
                answer = {"status_code": 400, "headers": botocore.awsrequest.HeadersDict(headers), "body": body}
                theirs = parser.parse(answer, model.output_shape)["Error"]
                body = base64.b64encode(body).decode()
                mine = ours.ask(service=service, operation=operation, status=400, headers=headers, body=body)
                mine = mine.get("error", mine)
                counts[protocol] += 1
                if (mine.get("code"), mine.get("message")) != (theirs["Code"], theirs["Message"]):
                    wrong.append(f"{name} {operation} {code}: ours {mine}, theirs {theirs}")
    judge(counts, wrong)
