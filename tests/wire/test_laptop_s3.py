"""The laptop's S3 as boto3 and the AWS CLI see it: folders as buckets, files as objects."""

import http.client
import io
import json
import os
import subprocess
import sys

import pytest
from world import environment, output, refusal, states, task, unique


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
