"""The laptop's DynamoDB as boto3 and its resource layer see it."""

import decimal
import json

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from world import REGION, output, refusal, states, task, unique


def resource(server):
    return boto3.resource(
        "dynamodb",
        endpoint_url=server.url,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def make_table(server, name=None):
    """A table with a hash key `id`, a range key `n`, and an index by `owner`."""
    return resource(server).create_table(
        TableName=name or unique("table"),
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "n", "AttributeType": "N"},
            {"AttributeName": "by", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-owner",
                "KeySchema": [{"AttributeName": "by", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


@pytest.fixture
def table(server):
    return make_table(server)


def test_items(table):
    thing = {"id": "a", "n": decimal.Decimal("1.5"), "list": [1, "x", None], "set": {"u", "v"}, "bytes": b"\x00\xff", "map": {}}
    table.put_item(Item=thing)
    got = table.get_item(Key={"id": "a", "n": decimal.Decimal("1.50")})["Item"]
    assert {**got, "bytes": bytes(got["bytes"])} == thing
    after = table.update_item(
        Key={"id": "a", "n": decimal.Decimal("1.5")},
        UpdateExpression="SET #m.x = :v, #l[1] = :v ADD c :v REMOVE #s",
        ExpressionAttributeNames={"#m": "map", "#l": "list", "#s": "set"},
        ExpressionAttributeValues={":v": 7},
        ReturnValues="ALL_NEW",
    )["Attributes"]
    assert (after["map"], after["list"], after["c"], "set" in after) == ({"x": 7}, [1, 7, None], 7, False)
    told = table.delete_item(Key={"id": "a", "n": decimal.Decimal("1.5")}, ReturnValues="ALL_OLD")
    assert told["Attributes"]["c"] == 7
    assert "Item" not in table.get_item(Key={"id": "a", "n": decimal.Decimal("1.5")})


def test_conditions(table):
    table.put_item(Item={"id": "a", "n": 1}, ConditionExpression=Attr("id").not_exists())
    again = refusal(table.put_item, Item={"id": "a", "n": 1}, ConditionExpression=Attr("id").not_exists())
    assert again == ("ConditionalCheckFailedException", "The conditional request failed")


def test_queries_scans_and_pages(server, table):
    with table.batch_writer() as batch:
        for n in range(60):
            batch.put_item(Item={"id": "ab"[n % 2], "n": n, "by": f"p{n % 3}", "text": "x" * 30_000})
    found = table.query(KeyConditionExpression=Key("id").eq("a") & Key("n").between(10, 20), ScanIndexForward=False)
    assert [int(item["n"]) for item in found["Items"]] == [20, 18, 16, 14, 12, 10]
    found = table.query(IndexName="by-owner", KeyConditionExpression=Key("by").eq("p1"), FilterExpression=Attr("n").lt(10))
    assert sorted(int(item["n"]) for item in found["Items"]) == [1, 4, 7]
    pages = list(server.client("dynamodb").get_paginator("scan").paginate(TableName=table.name))
    assert len(pages) == 2, "a page is a mebibyte at most"
    assert sorted(int(item["n"]["N"]) for page in pages for item in page["Items"]) == list(range(60))


def test_transactions(server, table):
    client = server.client("dynamodb")
    put = lambda n, **more: {"Put": {"TableName": table.name, "Item": {"id": {"S": "a"}, "n": {"N": str(n)}}, **more}}
    client.transact_write_items(TransactItems=[put(1), put(2)])
    with pytest.raises(client.exceptions.TransactionCanceledException) as refused:
        client.transact_write_items(TransactItems=[put(3), put(1, ConditionExpression="attribute_not_exists(id)")])
    reasons = refused.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed"]
    assert table.scan(Select="COUNT")["Count"] == 2


def test_tables(server, table):
    client = server.client("dynamodb")
    assert client.describe_table(TableName=table.name)["Table"]["TableStatus"] == "ACTIVE"
    client.get_waiter("table_exists").wait(TableName=table.name)
    assert table.name in client.list_tables()["TableNames"]
    assert refusal(client.describe_table, TableName="none")[0] == "ResourceNotFoundException"
    table.delete()
    assert table.name not in client.list_tables()["TableNames"]


def test_what_was_written_is_there_after_a_kill(fresh):
    server = fresh().start()
    table = make_table(server, "kept")
    for n in range(20):
        table.put_item(Item={"id": "a", "n": n})
    server.kill()
    server.start()
    assert resource(server).Table("kept").scan(Select="COUNT")["Count"] == 20


def test_state_machines_keep_items(server, table):
    key = {"id": {"S.$": "$.id"}, "n": {"N": "1"}}
    put = {"TableName": table.name, "Item": {**key, "total": {"N.$": "$.total"}}}
    update = {
        "TableName": table.name,
        "Key": key,
        "UpdateExpression": "SET paid = :yes",
        "ExpressionAttributeValues": {":yes": {"BOOL": True}},
    }
    machine = states(
        Put=task("dynamodb:putItem", put, ResultPath=None),
        Update=task("dynamodb:updateItem", update, ResultPath=None),
        Get=task("dynamodb:getItem", {"TableName": table.name, "Key": key}, OutputPath="$.Item"),
    )
    got = output(server.run(machine, {"id": "a", "total": "12.50"}))
    assert got == {"id": {"S": "a"}, "n": {"N": "1"}, "total": {"N": "12.5"}, "paid": {"BOOL": True}}
    again = states(Again=task("dynamodb:putItem", {**put, "ConditionExpression": "attribute_not_exists(id)"}))
    failed = server.run(again, {"id": "a", "total": "1"})
    assert failed["error"] == "DynamoDB.ConditionalCheckFailedException"
    assert json.dumps(failed["cause"]).count("The conditional request failed") == 1
