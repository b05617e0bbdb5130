//! Stories about items, as their callers see them.

use serde_json::{Value, json};

use super::DynamoDb;
use crate::caller::Caller;
use crate::error::ServiceError;
use crate::store::{Clock, Store};

struct World {
    dynamodb: DynamoDb,
    _dir: tempfile::TempDir,
}

fn caller() -> Caller {
    Caller {
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        base_url: "http://127.0.0.1:8083".to_owned(),
        trace: None,
    }
}

/// `{"a": "x", "n": 1}` as DynamoDB writes it.
fn item(plain: Value) -> Value {
    let Value::Object(members) = plain else { panic!("an object") };
    Value::Object(members.into_iter().map(|(name, value)| (name, attribute(value))).collect())
}

fn attribute(plain: Value) -> Value {
    match plain {
        Value::String(text) => json!({ "S": text }),
        Value::Number(number) => json!({ "N": number.to_string() }),
        Value::Bool(truth) => json!({ "BOOL": truth }),
        Value::Null => json!({ "NULL": true }),
        Value::Array(items) => json!({ "L": items.into_iter().map(attribute).collect::<Vec<_>>() }),
        // A set, as it is.
        Value::Object(members) if members.keys().any(|name| ["SS", "NS", "BS", "B"].contains(&name.as_str())) => {
            Value::Object(members)
        }
        object => json!({ "M": item(object) }),
    }
}

/// The other way round.
fn plain(item: &Value) -> Value {
    let members = item.as_object().into_iter().flatten();
    Value::Object(members.map(|(name, value)| (name.clone(), plain_value(value))).collect())
}

fn plain_value(value: &Value) -> Value {
    match super::value::parts(value) {
        ("S", held) | ("BOOL", held) => held.clone(),
        ("N", held) => serde_json::from_str(held.as_str().unwrap()).unwrap(),
        ("NULL", _) => Value::Null,
        ("L", held) => held.as_array().unwrap().iter().map(plain_value).collect(),
        ("M", held) => plain(held),
        _ => value.clone(),
    }
}

/// A table `tab` with the keys `p` (text) and `s` (number), and two indexes.
async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("laptop.db"), Clock::System).unwrap();
    let world = World { dynamodb: DynamoDb::new(store), _dir: dir };
    let key = |hash: &str, range: &str| json!([{ "AttributeName": hash, "KeyType": "HASH" }, { "AttributeName": range, "KeyType": "RANGE" }]);
    let defined = |name: &str, kind: &str| json!({ "AttributeName": name, "AttributeType": kind });
    world
        .ok(
            "CreateTable",
            json!({
                "TableName": "tab", "BillingMode": "PAY_PER_REQUEST", "KeySchema": key("p", "s"),
                "AttributeDefinitions": [defined("p", "S"), defined("s", "N"), defined("g", "S"), defined("l", "S")],
                "GlobalSecondaryIndexes": [
                    { "IndexName": "by-g", "KeySchema": key("g", "s"), "Projection": { "ProjectionType": "KEYS_ONLY" } }],
                "LocalSecondaryIndexes": [
                    { "IndexName": "by-l", "KeySchema": key("p", "l"), "Projection": { "ProjectionType": "ALL" } }],
            }),
        )
        .await;
    world
}

impl World {
    async fn call(&self, operation: &str, params: Value) -> Result<Value, ServiceError> {
        self.dynamodb.call(operation, params, &caller()).await
    }

    async fn ok(&self, operation: &str, params: Value) -> Value {
        self.call(operation, params).await.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    async fn put(&self, plain: Value) {
        self.ok("PutItem", json!({ "TableName": "tab", "Item": item(plain) })).await;
    }

    async fn get(&self, p: &str, s: i64) -> Value {
        let answer = self.ok("GetItem", json!({ "TableName": "tab", "Key": item(json!({ "p": p, "s": s })) })).await;
        answer.get("Item").map_or(Value::Null, plain)
    }

    /// Update the item `a`, 1; what it is then.
    async fn update(&self, expression: &str, names: Value, values: Value) -> Result<Value, ServiceError> {
        let mut params = json!({
            "TableName": "tab", "Key": item(json!({ "p": "a", "s": 1 })), "UpdateExpression": expression,
            "ReturnValues": "ALL_NEW",
        });
        if names != json!({}) {
            params["ExpressionAttributeNames"] = names;
        }
        if values != json!({}) {
            params["ExpressionAttributeValues"] = item(values);
        }
        self.call("UpdateItem", params).await.map(|answer| plain(&answer["Attributes"]))
    }

    /// The sort keys that a query or scan finds.
    async fn found(&self, operation: &str, more: Value) -> Vec<i64> {
        let answer = self.ok(operation, with_table(more)).await;
        let items = answer["Items"].as_array().unwrap();
        assert_eq!(answer["Count"], items.len());
        items.iter().map(|item| plain(item)["s"].as_i64().unwrap()).collect()
    }
}

fn with_table(mut params: Value) -> Value {
    params["TableName"] = json!("tab");
    params
}

#[tokio::test]
async fn items_come_and_go() {
    let world = world().await;
    let thing =
        json!({ "p": "a", "s": 1.50, "list": [1, "x", null, true, { "deep": [] }], "set": { "SS": ["u", "v"] } });
    world.put(thing.clone()).await;
    let answer = world.ok("GetItem", with_table(json!({ "Key": item(json!({ "p": "a", "s": 1.5 })) }))).await;
    assert_eq!(plain(&answer["Item"]), thing);
    assert_eq!(answer["Item"]["s"], json!({ "N": "1.5" }));
    let params = with_table(json!({
        "Key": item(json!({ "p": "a", "s": 1.5 })),
        "ProjectionExpression": "#l[0], #l[4].deep, absent, p", "ExpressionAttributeNames": { "#l": "list" },
    }));
    assert_eq!(plain(&world.ok("GetItem", params).await["Item"]), json!({ "p": "a", "list": [1, { "deep": [] }] }));
    let params = with_table(json!({ "Item": item(json!({ "p": "a", "s": 1.5 })), "ReturnValues": "ALL_OLD" }));
    assert_eq!(plain(&world.ok("PutItem", params).await["Attributes"]), thing);
    let params = with_table(json!({ "Key": item(json!({ "p": "a", "s": 1.5 })), "ReturnValues": "ALL_OLD" }));
    assert_eq!(plain(&world.ok("DeleteItem", params.clone()).await["Attributes"]), json!({ "p": "a", "s": 1.5 }));
    assert_eq!(world.ok("DeleteItem", params).await, json!({}));
}

#[tokio::test]
async fn updates_change_parts_of_an_item() {
    let world = world().await;
    let no = || json!({});
    let started = world.update(
        "SET n = :one, m = :m, l = :l ADD c :one",
        no(),
        json!({ ":one": 1, ":m": { "a": 1 }, ":l": "x" }),
    );
    assert_eq!(started.await.unwrap(), json!({ "p": "a", "s": 1, "n": 1, "m": { "a": 1 }, "l": "x", "c": 1 }));
    for (expression, names, values, left) in [
        ("SET n = n + :v, k = if_not_exists(k, :v)", no(), json!({ ":v": 2 }), json!({ "n": 3, "k": 2 })),
        ("SET k = if_not_exists(k, :v) - n", no(), json!({ ":v": 9 }), json!({ "k": -1 })),
        ("SET q = :l", no(), json!({ ":l": [1, 2] }), json!({ "q": [1, 2] })),
        (
            "SET q = list_append(q, :l), q2 = list_append(:l, q)",
            no(),
            json!({ ":l": [3] }),
            json!({ "q": [1, 2, 3], "q2": [3, 1, 2] }),
        ),
        ("SET q[1] = :v, q[9] = :v", no(), json!({ ":v": "x" }), json!({ "q": [1, "x", 3, "x"] })),
        ("REMOVE q[0], q[2], q2", no(), no(), json!({ "q": ["x", "x"], "q2": null })),
        (
            "SET m.#b = :v, m.a = n",
            json!({ "#b": "b c" }),
            json!({ ":v": true }),
            json!({ "m": { "a": 3, "b c": true } }),
        ),
        ("REMOVE m.a SET n = :v", no(), json!({ ":v": 0.1 }), json!({ "m": { "b c": true }, "n": 0.1 })),
        ("SET n = n + :v", no(), json!({ ":v": 0.2 }), json!({ "n": 0.3 })),
        ("ADD tags :s", no(), json!({ ":s": { "SS": ["a", "b"] } }), json!({ "tags": { "SS": ["a", "b"] } })),
        ("ADD tags :s", no(), json!({ ":s": { "SS": ["b", "c"] } }), json!({ "tags": { "SS": ["a", "b", "c"] } })),
        ("DELETE tags :s", no(), json!({ ":s": { "SS": ["a"] } }), json!({ "tags": { "SS": ["b", "c"] } })),
        ("DELETE tags :s", no(), json!({ ":s": { "SS": ["b", "c"] } }), json!({ "tags": null })),
        ("ADD c :v", no(), json!({ ":v": -3 }), json!({ "c": -2 })),
    ] {
        let after =
            world.update(expression, names, values).await.unwrap_or_else(|error| panic!("{expression}: {error}"));
        for (name, value) in left.as_object().unwrap() {
            assert_eq!(after.get(name).unwrap_or(&Value::Null), value, "{expression}: {name}");
        }
    }
    let params = with_table(json!({
        "Key": item(json!({ "p": "a", "s": 1 })), "UpdateExpression": "SET n = :v, m.x = :v",
        "ExpressionAttributeValues": item(json!({ ":v": 7 })), "ReturnValues": "UPDATED_NEW",
    }));
    assert_eq!(plain(&world.ok("UpdateItem", params).await["Attributes"]), json!({ "n": 7, "m": { "x": 7 } }));
}

#[tokio::test]
async fn conditions_hold_or_not() {
    let world = world().await;
    world.put(json!({ "p": "a", "s": 1, "n": 5, "t": "hello", "l": "x", "q": [1, "two"], "set": { "NS": ["1", "2"] }, "m": { "k": null } })).await;
    let values = json!({ ":n": 5, ":t": "hello", ":h": "he", ":two": "two", ":one": 1, ":N": "N", ":nine": 9 });
    for (condition, holds) in [
        ("n = :n", true),
        ("n <> :n", false),
        ("absent <> :n", true),
        ("absent = :n", false),
        ("n BETWEEN :one AND :nine AND attribute_exists(m.k)", true),
        ("n IN (:one, :nine, :n)", true),
        ("NOT n < :n", true),
        ("n < :t", false),
        ("begins_with(t, :h) and contains(t, :h)", true),
        ("contains(q, :two) AND contains(#set, :one)", true),
        ("size(t) = :n OR attribute_not_exists(t)", true),
        ("size(q) > :n", false),
        ("attribute_type(n, :N)", true),
        ("(attribute_not_exists(p) OR n = :nine) AND n = :n", false),
        ("q[0] = :one", true),
    ] {
        let used = values.as_object().unwrap().iter().filter(|(name, _)| {
            condition.split(|letter: char| !letter.is_alphanumeric() && letter != ':').any(|word| word == name.as_str())
        });
        let used: serde_json::Map<String, Value> = used.map(|(name, value)| (name.clone(), value.clone())).collect();
        let mut params =
            with_table(json!({ "Key": item(json!({ "p": "a", "s": 1 })), "ConditionExpression": condition }));
        if !used.is_empty() {
            params["ExpressionAttributeValues"] = item(Value::Object(used));
        }
        if condition.contains("#set") {
            params["ExpressionAttributeNames"] = json!({ "#set": "set" });
        }
        match world.call("UpdateItem", params).await {
            Ok(_) => assert!(holds, "{condition}"),
            Err(error) => assert!(!holds && error.code == "ConditionalCheckFailedException", "{condition}: {error}"),
        }
    }
    let params = with_table(json!({
        "Item": item(json!({ "p": "a", "s": 1 })), "ConditionExpression": "attribute_not_exists(p)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }));
    let refused = world.call("PutItem", params).await.unwrap_err();
    assert_eq!(refused.message, "The conditional request failed");
    assert_eq!(plain(&refused.members["Item"])["t"], "hello");
    assert_eq!(world.get("a", 1).await["n"], 5, "nothing was written");
}

#[tokio::test]
async fn queries_and_scans_go_by_key_and_by_page() {
    let world = world().await;
    for s in [10, -2, 3, 100, 7, 0] {
        world.put(json!({ "p": "a", "s": s, "g": if s > 5 { "big" } else { "small" }, "l": format!("l{}", 9 - s % 10), "x": s })).await;
    }
    world.put(json!({ "p": "b", "s": 1, "x": 1 })).await;
    let all = json!({ "KeyConditionExpression": "p = :p", "ExpressionAttributeValues": item(json!({ ":p": "a" })) });
    assert_eq!(world.found("Query", all.clone()).await, [-2, 0, 3, 7, 10, 100]);
    for (condition, values, found) in [
        ("p = :p AND s > :v", json!({ ":v": 3 }), vec![7, 10, 100]),
        ("s <= :v AND p = :p", json!({ ":v": 0 }), vec![-2, 0]),
        ("p = :p AND s BETWEEN :v AND :w", json!({ ":v": 3, ":w": 10 }), vec![3, 7, 10]),
        ("p = :p AND (s = :v)", json!({ ":v": 7 }), vec![7]),
    ] {
        let mut values = values;
        values[":p"] = json!("a");
        let params = json!({ "KeyConditionExpression": condition, "ExpressionAttributeValues": item(values) });
        assert_eq!(world.found("Query", params).await, found, "{condition}");
    }
    let mut params = all.clone();
    params["ScanIndexForward"] = json!(false);
    params["Limit"] = json!(4);
    let page = world.ok("Query", with_table(params.clone())).await;
    assert_eq!(plain(&page["LastEvaluatedKey"]), json!({ "p": "a", "s": 3 }));
    params["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    assert_eq!(world.found("Query", params).await, [0, -2]);
    let mut params = all;
    params["FilterExpression"] = json!("x > :x");
    params["ExpressionAttributeValues"][":x"] = json!({ "N": "5" });
    params["Select"] = json!("COUNT");
    let counted = world.ok("Query", with_table(params)).await;
    assert_eq!((&counted["Count"], &counted["ScannedCount"], counted.get("Items")), (&json!(3), &json!(6), None));

    let by_g = json!({
        "IndexName": "by-g", "KeyConditionExpression": "g = :g", "ExpressionAttributeValues": item(json!({ ":g": "big" })),
    });
    let answer = world.ok("Query", with_table(by_g.clone())).await;
    let items: Vec<Value> = answer["Items"].as_array().unwrap().iter().map(plain).collect();
    assert_eq!(items[0], json!({ "p": "a", "s": 7, "g": "big" }), "only the keys are in the index");
    assert_eq!(items.len(), 3);
    world.ok("DeleteItem", with_table(json!({ "Key": item(json!({ "p": "a", "s": 7 })) }))).await;
    assert_eq!(world.found("Query", by_g).await, [10, 100]);
    let by_l = json!({
        "IndexName": "by-l", "KeyConditionExpression": "p = :p AND begins_with(l, :l)",
        "ExpressionAttributeValues": item(json!({ ":p": "a", ":l": "l9" })),
    });
    assert_eq!(world.found("Query", by_l).await, [0, 10, 100]);

    let mut scanned = world.found("Scan", json!({})).await;
    scanned.sort_unstable();
    assert_eq!(scanned, [-2, 0, 1, 3, 10, 100]);
    let mut parts = Vec::new();
    for segment in 0..3 {
        parts.extend(world.found("Scan", json!({ "Segment": segment, "TotalSegments": 3 })).await);
    }
    parts.sort_unstable();
    assert_eq!(parts, scanned);
    let mut pages = Vec::new();
    let mut params = json!({ "Limit": 2, "FilterExpression": "attribute_exists(x)" });
    loop {
        let page = world.ok("Scan", with_table(params.clone())).await;
        pages.extend(page["Items"].as_array().unwrap().iter().map(|item| plain(item)["s"].as_i64().unwrap()));
        let Some(last) = page.get("LastEvaluatedKey") else { break };
        params["ExclusiveStartKey"] = last.clone();
    }
    pages.sort_unstable();
    assert_eq!(pages, scanned);
}

#[tokio::test]
async fn batches_and_transactions() {
    let world = world().await;
    let put = |s: i64| json!({ "PutRequest": { "Item": item(json!({ "p": "a", "s": s })) } });
    let delete = |s: i64| json!({ "DeleteRequest": { "Key": item(json!({ "p": "a", "s": s })) } });
    world.ok("BatchWriteItem", json!({ "RequestItems": { "tab": [put(1), put(2), put(3)] } })).await;
    world.ok("BatchWriteItem", json!({ "RequestItems": { "tab": [delete(3), put(4)] } })).await;
    let keys: Vec<Value> = (1..=4).map(|s| item(json!({ "p": "a", "s": s }))).collect();
    let answer = world.ok("BatchGetItem", json!({ "RequestItems": { "tab": { "Keys": keys } } })).await;
    let got: Vec<Value> =
        answer["Responses"]["tab"].as_array().unwrap().iter().map(|item| plain(item)["s"].clone()).collect();
    assert_eq!(got, [1, 2, 4]);

    let update = |s: i64, condition: &str| {
        json!({ "Update": {
            "TableName": "tab", "Key": item(json!({ "p": "a", "s": s })), "UpdateExpression": "ADD n :one",
            "ConditionExpression": condition, "ExpressionAttributeValues": item(json!({ ":one": 1 })),
        } })
    };
    let both = json!({ "TransactItems": [update(1, "attribute_exists(p)"), update(2, "attribute_exists(p)")], "ClientRequestToken": "token" });
    world.ok("TransactWriteItems", both.clone()).await;
    world.ok("TransactWriteItems", both).await;
    assert_eq!(
        (world.get("a", 1).await["n"].clone(), world.get("a", 2).await["n"].clone()),
        (json!(1), json!(1)),
        "once"
    );
    let failing = json!({ "TransactItems": [update(1, "attribute_exists(p)"), update(9, "attribute_exists(p)")] });
    let refused = world.call("TransactWriteItems", failing).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed]"
    );
    assert_eq!(refused.members["CancellationReasons"][1]["Message"], "The conditional request failed");
    assert_eq!(world.get("a", 1).await["n"], 1, "all or nothing");
    let reads: Vec<Value> = [1, 9]
        .iter()
        .map(|s| json!({ "Get": { "TableName": "tab", "Key": item(json!({ "p": "a", "s": s })) } }))
        .collect();
    let answer = world.ok("TransactGetItems", json!({ "TransactItems": reads })).await;
    assert_eq!(answer["Responses"], json!([{ "Item": item(json!({ "p": "a", "s": 1, "n": 1 })) }, {}]));
}

#[tokio::test]
async fn what_is_wrong_is_told_in_awss_words() {
    let world = world().await;
    world.put(json!({ "p": "a", "s": 1, "n": "text" })).await;
    let key = item(json!({ "p": "a", "s": 1 }));
    let update = |expression: &str| json!({ "TableName": "tab", "Key": key, "UpdateExpression": expression });
    let with = |mut params: Value, values: Value| {
        params["ExpressionAttributeValues"] = item(values);
        params
    };
    let query = |expression: &str| json!({ "TableName": "tab", "KeyConditionExpression": expression });
    let mut story = String::new();
    for (operation, params) in [
        ("GetItem", json!({ "TableName": "none", "Key": key })),
        ("DescribeTable", json!({ "TableName": "none" })),
        ("PutItem", json!({ "TableName": "tab", "Item": item(json!({ "p": "a" })) })),
        ("PutItem", json!({ "TableName": "tab", "Item": item(json!({ "p": 1, "s": 1 })) })),
        ("PutItem", json!({ "TableName": "tab", "Item": item(json!({ "p": "", "s": 1 })) })),
        ("PutItem", json!({ "TableName": "tab", "Item": item(json!({ "p": "a", "s": 1, "g": 5 })) })),
        ("PutItem", json!({ "TableName": "tab", "Item": item(json!({ "p": "a", "s": 1, "x": "y".repeat(410_000) })) })),
        ("GetItem", json!({ "TableName": "tab", "Key": item(json!({ "p": "a" })) })),
        ("UpdateItem", update("SET n = :v")),
        ("UpdateItem", update("SET #n = :v")),
        ("UpdateItem", update("SET name = n")),
        ("UpdateItem", update("SET n n")),
        ("UpdateItem", update("SET n = absent")),
        ("UpdateItem", with(update("SET n = n + :v"), json!({ ":v": 1 }))),
        ("UpdateItem", with(update("SET s = :v"), json!({ ":v": 1 }))),
        ("UpdateItem", with(update("SET a.b = :v"), json!({ ":v": 1 }))),
        ("UpdateItem", with(update("SET x = :v, x.y = :v"), json!({ ":v": 1 }))),
        ("UpdateItem", with(update("SET x = :v"), json!({ ":v": 1, ":w": 2 }))),
        ("UpdateItem", with(update("SET x = :v SET y = :v"), json!({ ":v": 1 }))),
        ("UpdateItem", with(update("ADD x :v"), json!({ ":v": "text" }))),
        ("Query", with(query("s = :v"), json!({ ":v": 1 }))),
        ("Query", with(query("p > :v"), json!({ ":v": "a" }))),
        ("Query", with(query("p = :v"), json!({ ":v": 1 }))),
        ("Query", with(query("p = :v OR s = :v"), json!({ ":v": "a" }))),
        ("Scan", json!({ "TableName": "tab", "IndexName": "none" })),
        ("Scan", json!({ "TableName": "tab", "ScanFilter": {} })),
        ("ExecuteStatement", json!({})),
    ] {
        let refused = match world.call(operation, params).await {
            Err(refused) => refused.to_string(),
            Ok(answer) => format!("answered {answer}"),
        };
        story.push_str(&format!("{operation}: {refused}\n"));
    }
    insta::assert_snapshot!(story, @r##"
    GetItem: ResourceNotFoundException: Requested resource not found
    DescribeTable: ResourceNotFoundException: Requested resource not found: Table: none not found
    PutItem: ValidationException: One or more parameter values were invalid: Missing the key s in the item
    PutItem: ValidationException: One or more parameter values were invalid: Type mismatch for key p expected: S actual: N
    PutItem: ValidationException: One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: p
    PutItem: ValidationException: One or more parameter values were invalid: Type mismatch for Index Key g Expected: S Actual: N IndexName: by-g
    PutItem: ValidationException: Item size has exceeded the maximum allowed size
    GetItem: ValidationException: The provided key element does not match the schema
    UpdateItem: ValidationException: Invalid UpdateExpression: An expression attribute value used in expression is not defined; attribute value: :v
    UpdateItem: ValidationException: Invalid UpdateExpression: An expression attribute name used in the document path is not defined; attribute name: #n
    UpdateItem: ValidationException: Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: name
    UpdateItem: ValidationException: Invalid UpdateExpression: Syntax error; token: "n", near: "n n"
    UpdateItem: ValidationException: The provided expression refers to an attribute that does not exist in the item
    UpdateItem: ValidationException: An operand in the update expression has an incorrect data type
    UpdateItem: ValidationException: One or more parameter values were invalid: Cannot update attribute s. This attribute is part of the key
    UpdateItem: ValidationException: The document path provided in the update expression is invalid for update
    UpdateItem: ValidationException: Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [x], path two: [x, y]
    UpdateItem: ValidationException: Value provided in ExpressionAttributeValues unused in expressions: keys: {:w}
    UpdateItem: ValidationException: Invalid UpdateExpression: The "SET" section can only be used once in an update expression;
    UpdateItem: ValidationException: Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING
    Query: ValidationException: Query condition missed key schema element: p
    Query: ValidationException: Query key condition not supported
    Query: ValidationException: One or more parameter values were invalid: Condition parameter type does not match schema type
    Query: ValidationException: Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: OR
    Scan: ValidationException: The table does not have the specified index: none
    Scan: ValidationException: The laptop's DynamoDB does not have the legacy parameter ScanFilter; expressions do the same.
    ExecuteStatement: ValidationException: The laptop's DynamoDB does not have ExecuteStatement.
    "##);
}

#[tokio::test]
async fn tables_are_described_listed_and_deleted() {
    let world = world().await;
    let table = world.ok("DescribeTable", json!({ "TableName": "tab" })).await["Table"].clone();
    assert_eq!((&table["TableStatus"], &table["ItemCount"]), (&json!("ACTIVE"), &json!(0)));
    assert_eq!(table["TableArn"], "arn:aws:dynamodb:us-east-1:000000000000:table/tab");
    assert_eq!(table["GlobalSecondaryIndexes"][0]["IndexStatus"], "ACTIVE");
    let refused = world.call("CreateTable", json!({ "TableName": "tab" })).await.unwrap_err();
    assert_eq!(refused.to_string(), "ResourceInUseException: Table already exists: tab");
    assert_eq!(world.ok("ListTables", json!({})).await["TableNames"], json!(["tab"]));

    // An index that is made later has what was there before.
    world.put(json!({ "p": "a", "s": 1, "late": "x" })).await;
    let definitions: Vec<Value> = [("p", "S"), ("s", "N"), ("g", "S"), ("l", "S"), ("late", "S")]
        .iter()
        .map(|(name, kind)| json!({ "AttributeName": name, "AttributeType": kind }))
        .collect();
    world
        .ok(
            "UpdateTable",
            json!({
                "TableName": "tab",
                "AttributeDefinitions": definitions,
                "GlobalSecondaryIndexUpdates": [{ "Create": {
                    "IndexName": "by-late", "KeySchema": [{ "AttributeName": "late", "KeyType": "HASH" }],
                    "Projection": { "ProjectionType": "ALL" } } }],
            }),
        )
        .await;
    let late = json!({
        "IndexName": "by-late", "KeyConditionExpression": "late = :v", "ExpressionAttributeValues": item(json!({ ":v": "x" })),
    });
    assert_eq!(world.found("Query", late).await, [1]);

    world.put(json!({ "p": "old", "s": 1, "until": 5 })).await;
    let time = json!({ "TableName": "tab", "TimeToLiveSpecification": { "Enabled": true, "AttributeName": "until" } });
    world.ok("UpdateTimeToLive", time).await;
    world.dynamodb.sweep().await.unwrap();
    assert_eq!((world.get("old", 1).await, world.get("a", 1).await["s"].clone()), (Value::Null, json!(1)));

    world.ok("DeleteTable", json!({ "TableName": "tab" })).await;
    assert_eq!(world.ok("ListTables", json!({})).await["TableNames"], json!([]));
}

#[tokio::test]
async fn what_the_model_demands_is_checked_first() {
    let world = world().await;
    let mut story = String::new();
    for (operation, params) in [
        ("PutItem", json!({ "TableName": "none", "Item": null })),
        ("PutItem", json!({})),
        ("GetItem", json!({ "TableName": "/none", "Key": {} })),
        ("DescribeTable", json!({ "TableName": "arn:aws:dynamodb:us-east-1:000000000000:table/tab" })),
    ] {
        let told =
            world.dynamodb.call(operation, params, &caller()).await.map_or_else(|error| error.message, |_| "-".into());
        story.push_str(&format!("{operation}: {told}\n"));
    }
    insta::assert_snapshot!(story, @r"
    PutItem: 1 validation error detected: Value null at 'item' failed to satisfy constraint: Member must not be null
    PutItem: 2 validation errors detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null; Value null at 'item' failed to satisfy constraint: Member must not be null
    GetItem: 1 validation error detected: Value '/none' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+
    DescribeTable: -
    ");
}
