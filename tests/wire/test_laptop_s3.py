"""The laptop's S3 as boto3 and the AWS CLI see it: folders as buckets, files as objects."""

import collections
import http.client
import io
import itertools
import json
import os
import random
import subprocess
import sys
import threading
import time

import botocore.exceptions
import pytest
from world import environment, output, refusal, states, task, unique

KILLS = 12
# Refused connections, connections that break, answers that never come.
NO_ANSWER = (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError, botocore.exceptions.ClientError)


@pytest.fixture
def bucket(server):
    name = unique("bucket")
    server.client("s3").create_bucket(Bucket=name)
    return name


def test_an_object_is_a_file(server, bucket):
    s3 = server.client("s3")
    s3.put_object(Bucket=bucket, Key="a/hé llo.json", Body=b'{"n": 1}', ContentType="application/json", Metadata={"k": "v"})
    assert (server.data / "s3" / bucket / "a/hé llo.json").read_bytes() == b'{"n": 1}'
    got = s3.get_object(Bucket=bucket, Key="a/hé llo.json")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b'{"n": 1}', "application/json", {"k": "v"})
    (server.data / "s3" / bucket / "by-hand.txt").write_text("copied here")
    assert s3.get_object(Bucket=bucket, Key="by-hand.txt", Range="bytes=0-5")["Body"].read() == b"copied"
    assert s3.head_object(Bucket=bucket, Key="by-hand.txt")["ContentLength"] == 11
    s3.copy_object(Bucket=bucket, Key="b", CopySource={"Bucket": bucket, "Key": "by-hand.txt"})
    s3.delete_object(Bucket=bucket, Key="by-hand.txt")
    assert refusal(s3.get_object, Bucket=bucket, Key="by-hand.txt")[0] == "NoSuchKey"
    assert refusal(s3.get_object, Bucket="there-is-none", Key="x")[0] in ("NoSuchKey", "NoSuchBucket")


def test_lists(server, bucket):
    s3 = server.client("s3")
    for key in ("x/1", "x/2", "x/y/3", "z"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
    assert [row["Key"] for page in pages for row in page["Contents"]] == ["x/1", "x/2", "x/y/3", "z"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="x/", Delimiter="/")
    assert [row["Key"] for row in listed["Contents"]] == ["x/1", "x/2"]
    assert [row["Prefix"] for row in listed["CommonPrefixes"]] == ["x/y/"]
    assert bucket in [row["Name"] for row in s3.list_buckets()["Buckets"]]


def test_large_objects_come_and_go_as_streams(server, bucket):
    """More than a request of any other service may have, and in parts."""
    s3, data = server.client("s3"), os.urandom(20 << 20)
    s3.put_object(Bucket=bucket, Key="whole", Body=data)
    assert s3.get_object(Bucket=bucket, Key="whole")["Body"].read() == data
    s3.upload_fileobj(io.BytesIO(data), bucket, "parts")
    assert (server.data / "s3" / bucket / "parts").read_bytes() == data
    got = io.BytesIO()
    s3.download_fileobj(bucket, "parts", got)
    assert got.getvalue() == data


def test_the_aws_cli(server, bucket, tmp_path):
    (tmp_path / "in").write_text("by the CLI")
    aws = [sys.executable.rsplit("/", 1)[0] + "/aws", "--endpoint-url", server.url, "s3", "cp"]
    for command in ([tmp_path / "in", f"s3://{bucket}/k"], [f"s3://{bucket}/k", tmp_path / "out"]):
        told = subprocess.run([*aws, *command], env=environment(), capture_output=True, text=True)
        assert told.returncode == 0, told.stderr
    assert (tmp_path / "out").read_text() == "by the CLI"


def test_a_web_page_can_do_nothing(server, bucket):
    server.client("s3").put_object(Bucket=bucket, Key="secret", Body=b"secret")
    scope = "Credential=test/20260102/us-east-1/s3/aws4_request"
    signed = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=00"
    presigned = f"?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-{scope.replace('/', '%2F')}"
    for path, headers in (
        ("", {}),
        ("", {"Authorization": signed, "Origin": "https://evil.example"}),
        ("", {"Authorization": signed, "Sec-Fetch-Site": "cross-site"}),
        ("", {"Authorization": signed, "Host": "evil.example"}),
        (presigned, {"Sec-Fetch-Site": "cross-site"}),
        (presigned, {}),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request("GET", f"/{bucket}/secret{path}", headers=headers)
        answer = connection.getresponse()
        assert answer.status in (403, 404) and b"secret" != answer.read(), (path, headers)
        connection.close()


def test_state_machines_read_and_write_objects(server, bucket):
    machine = states(
        Put=task("aws-sdk:s3:putObject", {"Bucket": bucket, "Key": "k", "Body.$": "$"}, ResultPath=None),
        Get=task("aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "k"}, ResultSelector={"body.$": "$.Body"}),
    )
    assert json.loads(output(server.run(machine, {"n": 1}))["body"]) == {"n": 1}
    missing = states(Get=task("aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "none"}))
    assert server.run(missing)["error"] == "S3.NoSuchKeyException"


def test_what_was_acknowledged_is_there_after_a_kill(fresh):
    """Objects of every size, in parts too, written over and deleted, while the server is killed at any moment."""
    server = fresh().start()
    server.client("s3").create_bucket(Bucket="kept")
    chance, over = random.Random(11), threading.Event()
    # What each key may hold: what was last acknowledged, and what was asked for since without an answer.
    books = collections.defaultdict(lambda: [None])

    def write(number):
        mine, s3 = random.Random(number), server.client("s3", account=f"test{number}")
        for n in itertools.count():
            key = f"{number}/{mine.randrange(6)}"
            data = mine.randbytes(mine.choice([0, 10, 5_000, 300_000])) if mine.random() < 0.85 else None
            books[key].append(data)
            try:
                if data is None:
                    s3.delete_object(Bucket="kept", Key=key)
                elif len(data) > 100_000:
                    in_parts(s3, key, data)
                else:
                    s3.put_object(Bucket="kept", Key=key, Body=data, Metadata={"n": str(n)})
                books[key] = [data]
            except NO_ANSWER:
                time.sleep(0.05)
            if over.is_set():
                return

    def in_parts(s3, key, data):
        upload = {"Bucket": "kept", "Key": key}
        upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
        tag = s3.upload_part(**upload, PartNumber=1, Body=data)["ETag"]
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": tag}]})

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.1, 0.6))
        server.kill()
        server.start()
    over.set()
    for writer in writers:
        writer.join()
    s3, sure = server.client("s3"), 0
    for key, may_be in books.items():
        try:
            held = s3.get_object(Bucket="kept", Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            held = None
        assert held in may_be, (key, None if held is None else len(held), [data and len(data) for data in may_be])
        sure += len(may_be) == 1 and held is not None
    assert sure >= 3, "nothing was acknowledged"
