//! Operations one after the other, and all that they answer.

use crate::common::{ACCOUNT, CALLBACK, FAIL, House, PASS, ROLE, WAIT, plain};
use serde_json::{Value, json};

#[tokio::test]
async fn a_state_machine_from_birth_to_death() {
    let house = House::open().await;
    let create = json!({"name": "m", "definition": PASS, "roleArn": ROLE});
    let created = house.good("CreateStateMachine", create.clone()).await;
    let arn = created["stateMachineArn"].clone();
    insta::assert_json_snapshot!(plain(created.clone()), @r#"
    {
      "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
      "creationDate": "time"
    }
    "#);
    assert_eq!(house.good("CreateStateMachine", create.clone()).await, created, "idempotent");
    let mut same = create;
    same["loggingConfiguration"] = json!({"level": "OFF"});
    same["tracingConfiguration"] = json!({"enabled": false});
    assert_eq!(house.good("CreateStateMachine", same).await, created, "what AWS takes where nothing is said");
    let this = json!({"stateMachineArn": arn});
    let described = house.good("DescribeStateMachine", this.clone()).await;
    insta::assert_json_snapshot!(plain(described), @r#"
    {
      "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
      "name": "m",
      "status": "ACTIVE",
      "definition": "{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Pass\",\"Result\":{\"a\":1},\"End\":true}}}",
      "roleArn": "arn:aws:iam::000000000000:role/test",
      "type": "STANDARD",
      "creationDate": "time",
      "loggingConfiguration": {
        "level": "OFF",
        "includeExecutionData": false
      },
      "tracingConfiguration": {
        "enabled": false
      }
    }
    "#);
    let group = json!({"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"}});
    let logging = json!({"level": "ERROR", "destinations": [group]});
    let update = json!({"stateMachineArn": arn, "definition": WAIT, "loggingConfiguration": logging});
    insta::assert_json_snapshot!(plain(house.good("UpdateStateMachine", update).await), @r#"
    {
      "updateDate": "time",
      "revisionId": "uuid"
    }
    "#);
    assert_eq!(house.good("DescribeStateMachine", this.clone()).await["definition"], WAIT);
    let metadata = json!({"stateMachineArn": arn, "includedData": "METADATA_ONLY"});
    insta::assert_json_snapshot!(plain(house.good("DescribeStateMachine", metadata).await), @r#"
    {
      "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
      "name": "m",
      "status": "ACTIVE",
      "definition": "{}",
      "roleArn": "arn:aws:iam::000000000000:role/test",
      "type": "STANDARD",
      "creationDate": "time",
      "loggingConfiguration": {
        "level": "ERROR",
        "includeExecutionData": false,
        "destinations": [
          {
            "cloudWatchLogsLogGroup": {
              "logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"
            }
          }
        ]
      },
      "tracingConfiguration": {
        "enabled": false
      },
      "revisionId": "uuid"
    }
    "#);
    insta::assert_json_snapshot!(plain(house.good("ListStateMachines", json!({})).await), @r#"
    {
      "stateMachines": [
        {
          "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
          "name": "m",
          "type": "STANDARD",
          "creationDate": "time"
        }
      ]
    }
    "#);
    assert_eq!(house.good("DeleteStateMachine", this.clone()).await, json!({}));
    assert_eq!(house.good("ListStateMachines", json!({})).await, json!({"stateMachines": []}));
}

#[tokio::test]
async fn an_execution_that_succeeds() {
    let house = House::open().await;
    let machine = house.machine("m", PASS).await;
    let start = json!({"stateMachineArn": machine, "name": "e", "input": "{\"x\": 1}", "traceHeader": "Root=1"});
    let started = house.good("StartExecution", start).await;
    insta::assert_json_snapshot!(plain(started.clone()), @r#"
    {
      "executionArn": "arn:aws:states:us-east-1:000000000000:execution:m:e",
      "startDate": "time"
    }
    "#);
    let this = json!({"executionArn": started["executionArn"]});
    house.finished(started["executionArn"].as_str().unwrap()).await;
    insta::assert_json_snapshot!(plain(house.good("DescribeExecution", this.clone()).await), @r#"
    {
      "executionArn": "arn:aws:states:us-east-1:000000000000:execution:m:e",
      "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
      "name": "e",
      "status": "SUCCEEDED",
      "startDate": "time",
      "stopDate": "time",
      "input": "{\"x\": 1}",
      "inputDetails": {
        "included": true
      },
      "output": "{\"a\":1}",
      "outputDetails": {
        "included": true
      },
      "traceHeader": "Root=1",
      "redriveCount": 0,
      "redriveStatus": "NOT_REDRIVABLE",
      "redriveStatusReason": "Execution is SUCCEEDED and cannot be redriven"
    }
    "#);
    let mut metadata = this.clone();
    metadata["includedData"] = "METADATA_ONLY".into();
    insta::assert_json_snapshot!(plain(house.good("DescribeExecution", metadata).await), @r#"
    {
      "executionArn": "arn:aws:states:us-east-1:000000000000:execution:m:e",
      "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
      "name": "e",
      "status": "SUCCEEDED",
      "startDate": "time",
      "stopDate": "time",
      "inputDetails": {
        "included": false
      },
      "outputDetails": {
        "included": false
      },
      "traceHeader": "Root=1",
      "redriveCount": 0,
      "redriveStatus": "NOT_REDRIVABLE",
      "redriveStatusReason": "Execution is SUCCEEDED and cannot be redriven"
    }
    "#);
    let mut metadata = this.clone();
    metadata["includedData"] = "METADATA_ONLY".into();
    let hidden = house.good("DescribeStateMachineForExecution", metadata).await;
    assert_eq!(hidden["definition"], "{}");
    let mut bare = this.clone();
    bare["includeExecutionData"] = false.into();
    let history = house.good("GetExecutionHistory", bare).await;
    assert_eq!(history["events"][0]["executionStartedEventDetails"], json!({"roleArn": ROLE}));
    insta::assert_json_snapshot!(plain(house.good("DescribeStateMachineForExecution", this.clone()).await), @r#"
    {
      "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
      "name": "m",
      "definition": "{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Pass\",\"Result\":{\"a\":1},\"End\":true}}}",
      "roleArn": "arn:aws:iam::000000000000:role/test",
      "updateDate": "time",
      "loggingConfiguration": {
        "level": "OFF",
        "includeExecutionData": false
      },
      "tracingConfiguration": {
        "enabled": false
      }
    }
    "#);
    insta::assert_json_snapshot!(plain(house.good("GetExecutionHistory", this).await), @r#"
    {
      "events": [
        {
          "timestamp": "time",
          "type": "ExecutionStarted",
          "id": 1,
          "previousEventId": 0,
          "executionStartedEventDetails": {
            "input": "{\"x\": 1}",
            "inputDetails": {
              "truncated": false
            },
            "roleArn": "arn:aws:iam::000000000000:role/test"
          }
        },
        {
          "timestamp": "time",
          "type": "PassStateEntered",
          "id": 2,
          "previousEventId": 0,
          "stateEnteredEventDetails": {
            "input": "{\"x\": 1}",
            "inputDetails": {
              "truncated": false
            },
            "name": "P"
          }
        },
        {
          "timestamp": "time",
          "type": "PassStateExited",
          "id": 3,
          "previousEventId": 2,
          "stateExitedEventDetails": {
            "output": "{\"a\":1}",
            "outputDetails": {
              "truncated": false
            },
            "name": "P"
          }
        },
        {
          "timestamp": "time",
          "type": "ExecutionSucceeded",
          "id": 4,
          "previousEventId": 3,
          "executionSucceededEventDetails": {
            "output": "{\"a\":1}",
            "outputDetails": {
              "truncated": false
            }
          }
        }
      ]
    }
    "#);
    let list = json!({"stateMachineArn": machine});
    insta::assert_json_snapshot!(plain(house.good("ListExecutions", list).await), @r#"
    {
      "executions": [
        {
          "executionArn": "arn:aws:states:us-east-1:000000000000:execution:m:e",
          "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m",
          "name": "e",
          "status": "SUCCEEDED",
          "startDate": "time",
          "stopDate": "time",
          "redriveCount": 0
        }
      ]
    }
    "#);
    let again = json!({"stateMachineArn": machine, "name": "e", "input": "{\"x\": 1}"});
    assert_eq!(
        house.bad("StartExecution", again).await,
        "ExecutionAlreadyExists: Execution Already Exists: 'arn:aws:states:us-east-1:000000000000:execution:m:e'"
    );
}

#[tokio::test]
async fn an_execution_that_fails_and_one_that_is_stopped() {
    let house = House::open().await;
    let machine = house.machine("f", FAIL).await;
    let failed = house.start(&machine, "e").await;
    house.finished(&failed).await;
    insta::assert_json_snapshot!(plain(house.good("DescribeExecution", json!({"executionArn": failed})).await), @r#"
    {
      "executionArn": "arn:aws:states:us-east-1:000000000000:execution:f:e",
      "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:f",
      "name": "e",
      "status": "FAILED",
      "startDate": "time",
      "stopDate": "time",
      "input": "{\"x\": 1}",
      "inputDetails": {
        "included": true
      },
      "error": "Bad",
      "cause": "luck",
      "redriveCount": 0,
      "redriveStatus": "REDRIVABLE"
    }
    "#);
    let machine = house.machine("w", WAIT).await;
    let running = house.start(&machine, "e").await;
    insta::assert_json_snapshot!(plain(house.good("DescribeExecution", json!({"executionArn": running})).await), @r#"
    {
      "executionArn": "arn:aws:states:us-east-1:000000000000:execution:w:e",
      "stateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:w",
      "name": "e",
      "status": "RUNNING",
      "startDate": "time",
      "input": "{\"x\": 1}",
      "inputDetails": {
        "included": true
      },
      "redriveCount": 0,
      "redriveStatus": "NOT_REDRIVABLE",
      "redriveStatusReason": "Execution is RUNNING and cannot be redriven"
    }
    "#);
    let again = json!({"stateMachineArn": machine, "name": "e", "input": "{\"x\": 1}"});
    assert_eq!(house.good("StartExecution", again).await["executionArn"], running.as_str(), "the same while it runs");
    let stop = json!({"executionArn": running, "error": "Enough", "cause": "of it"});
    insta::assert_json_snapshot!(plain(house.good("StopExecution", stop).await), @r#"
    {
      "stopDate": "time"
    }
    "#);
    let stopped = house.good("DescribeExecution", json!({"executionArn": running})).await;
    assert_eq!(
        (&stopped["status"], &stopped["error"], &stopped["cause"]),
        (&json!("ABORTED"), &json!("Enough"), &json!("of it"))
    );
    for (filter, number) in [("RUNNING", 0), ("ABORTED", 1), ("PENDING_REDRIVE", 0)] {
        let list = json!({"stateMachineArn": machine, "statusFilter": filter});
        let listed = house.good("ListExecutions", list).await;
        assert_eq!(listed["executions"].as_array().unwrap().len(), number, "{filter}");
    }
}

#[tokio::test]
async fn a_machine_lives_until_its_last_execution_ends() {
    let house = House::open().await;
    let machine = house.machine("w", WAIT).await;
    let running = house.start(&machine, "e").await;
    let this = json!({"stateMachineArn": machine});
    house.good("DeleteStateMachine", this.clone()).await;
    assert_eq!(house.good("DescribeStateMachine", this.clone()).await["status"], "DELETING");
    let deleting = format!("StateMachineDeleting: State Machine is being deleted: '{machine}'");
    assert_eq!(house.bad("StartExecution", this.clone()).await, deleting);
    let create = json!({"name": "w", "definition": WAIT, "roleArn": ROLE});
    assert_eq!(house.bad("CreateStateMachine", create).await, deleting);
    house.good("StopExecution", json!({"executionArn": running})).await;
    for _ in 0..500 {
        if house.call("DescribeStateMachine", this.clone()).await.is_err() {
            let pinned = house.good("DescribeStateMachineForExecution", json!({"executionArn": running})).await;
            assert_eq!((&pinned["name"], &pinned["definition"]), (&json!("w"), &json!(WAIT)));
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it is still there");
}

#[tokio::test]
async fn a_callback() {
    let house = House::open().await;
    let machine = house.machine("c", CALLBACK).await;
    let execution = house.start(&machine, "e").await;
    let token = house.token().await;
    assert_eq!(house.good("SendTaskHeartbeat", json!({"taskToken": token})).await, json!({}));
    let success = json!({"taskToken": token, "output": "{\"done\": true}"});
    assert_eq!(house.good("SendTaskSuccess", success.clone()).await, json!({}));
    house.finished(&execution).await;
    let described = house.good("DescribeExecution", json!({"executionArn": execution})).await;
    assert_eq!(described["output"], "{\"done\": true}");
    assert_eq!(
        house.bad("SendTaskSuccess", success).await,
        "TaskTimedOut: Task Timed Out: 'Provided task does not exist anymore'"
    );
}

#[tokio::test]
async fn an_activity_and_its_worker() {
    let house = House::open().await;
    let created = house.good("CreateActivity", json!({"name": "a", "tags": [{"key": "k", "value": "v"}]})).await;
    insta::assert_json_snapshot!(plain(created.clone()), @r#"
    {
      "activityArn": "arn:aws:states:us-east-1:000000000000:activity:a",
      "creationDate": "time"
    }
    "#);
    assert_eq!(house.good("CreateActivity", json!({"name": "a"})).await, created, "idempotent");
    let tags = house.good("ListTagsForResource", json!({"resourceArn": created["activityArn"]})).await;
    assert_eq!(tags["tags"], json!([{"key": "k", "value": "v"}]));
    let this = json!({"activityArn": created["activityArn"]});
    insta::assert_json_snapshot!(plain(house.good("DescribeActivity", this.clone()).await), @r#"
    {
      "activityArn": "arn:aws:states:us-east-1:000000000000:activity:a",
      "name": "a",
      "creationDate": "time"
    }
    "#);
    insta::assert_json_snapshot!(plain(house.good("ListActivities", json!({})).await), @r#"
    {
      "activities": [
        {
          "activityArn": "arn:aws:states:us-east-1:000000000000:activity:a",
          "name": "a",
          "creationDate": "time"
        }
      ]
    }
    "#);
    assert_eq!(house.good("GetActivityTask", this.clone()).await, json!({}), "nothing to do");
    let definition = json!({"StartAt": "T", "States": {"T": {
        "Type": "Task", "Resource": created["activityArn"], "End": true}}});
    let machine = house.machine("m", &definition.to_string()).await;
    let execution = house.start(&machine, "e").await;
    let mut ask = this.clone();
    ask["workerName"] = "w".into();
    let task = house.good("GetActivityTask", ask).await;
    assert_eq!(task["input"], "{\"x\": 1}");
    let failure = json!({"taskToken": task["taskToken"], "error": "Tired", "cause": "late"});
    assert_eq!(house.good("SendTaskFailure", failure).await, json!({}));
    house.finished(&execution).await;
    let described = house.good("DescribeExecution", json!({"executionArn": execution})).await;
    assert_eq!((&described["status"], &described["error"]), (&json!("FAILED"), &json!("Tired")));
    assert_eq!(described["cause"], "late");
    let history = house.good("GetExecutionHistory", json!({"executionArn": execution})).await;
    assert_eq!(history["events"][3]["activityStartedEventDetails"], json!({"workerName": "w"}));
    assert_eq!(house.good("DeleteActivity", this).await, json!({}));
    assert_eq!(house.good("ListActivities", json!({})).await, json!({"activities": []}));
}

#[tokio::test]
async fn tags() {
    let house = House::open().await;
    let machine = house.machine("m", PASS).await;
    let tag = |key: &str, value: &str| json!({"key": key, "value": value});
    let tags = json!([tag("a", "1"), tag("b", ""), tag("a", "2")]);
    assert_eq!(house.good("TagResource", json!({"resourceArn": machine, "tags": tags})).await, json!({}));
    let list = json!({"resourceArn": machine});
    assert_eq!(house.good("ListTagsForResource", list.clone()).await, json!({"tags": [tag("a", "2"), tag("b", "")]}));
    house.good("UntagResource", json!({"resourceArn": machine, "tagKeys": ["a", "c"]})).await;
    assert_eq!(house.good("ListTagsForResource", list).await, json!({"tags": [tag("b", "")]}));
    let many: Vec<Value> = (0..50).map(|number| tag(&number.to_string(), "")).collect();
    let told = house.bad("TagResource", json!({"resourceArn": machine, "tags": many})).await;
    assert!(told.starts_with("TooManyTags: "), "{told}");
}

#[tokio::test]
async fn pages() {
    let house = House::open().await;
    let machine = house.machine("m", PASS).await;
    let other = house.machine("n", PASS).await;
    let mut executions = Vec::new();
    for number in 0..13 {
        let execution = house.start(&machine, &format!("e{number}")).await;
        house.finished(&execution).await;
        executions.push(json!(execution));
        // Executions are listed by their start.
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    executions.reverse();
    let list = json!({"stateMachineArn": machine, "maxResults": 10});
    let first = house.good("ListExecutions", list.clone()).await;
    let names = |page: &Value| -> Vec<Value> {
        page["executions"].as_array().unwrap().iter().map(|item| item["executionArn"].clone()).collect()
    };
    assert_eq!(names(&first), executions[..10]);
    let token = &first["nextToken"];
    assert!(token.as_str().unwrap().len() <= 1024, "{token}");
    let next = json!({"stateMachineArn": machine, "maxResults": 3, "nextToken": token});
    let second = house.good("ListExecutions", next).await;
    assert_eq!(names(&second), executions[10..]);
    assert_eq!(second.get("nextToken"), None);
    let all = json!({"stateMachineArn": machine, "maxResults": 0});
    assert_eq!(names(&house.good("ListExecutions", all).await), executions);

    let invalid = "InvalidToken: Invalid Token: 'Invalid token'";
    for (operation, parameters) in [
        ("ListExecutions", json!({"stateMachineArn": other, "nextToken": token})),
        ("ListExecutions", json!({"stateMachineArn": machine, "statusFilter": "SUCCEEDED", "nextToken": token})),
        ("ListExecutions", json!({"stateMachineArn": machine, "nextToken": "InvalidToken"})),
        ("GetExecutionHistory", json!({"executionArn": executions[0], "nextToken": token})),
        ("ListStateMachines", json!({"nextToken": token})),
        ("ListActivities", json!({"nextToken": token})),
    ] {
        assert_eq!(house.bad(operation, parameters).await, invalid, "{operation}");
    }

    let machines = house.good("ListStateMachines", json!({"maxResults": 1})).await;
    assert_eq!(machines["stateMachines"][0]["name"], "m");
    let next = json!({"nextToken": machines["nextToken"]});
    let rest = house.good("ListStateMachines", next.clone()).await;
    assert_eq!(rest["stateMachines"][0]["name"], "n");
    let stranger = house.api.call("000000000002", "ListStateMachines", next).await.unwrap_err();
    assert_eq!(stranger.code, "InvalidToken", "a token is its account's");

    for name in ["a", "b"] {
        house.good("CreateActivity", json!({"name": name})).await;
    }
    let first = house.good("ListActivities", json!({"maxResults": 1})).await;
    let rest = house.good("ListActivities", json!({"nextToken": first["nextToken"]})).await;
    for (page, name) in [(&first, "a"), (&rest, "b")] {
        let [activity] = &page["activities"].as_array().unwrap()[..] else { panic!("{page}") };
        assert_eq!(activity["name"], name);
    }

    let ask = json!({"executionArn": executions[0], "maxResults": 2, "reverseOrder": true});
    let ids = |event: &Value| event["id"].as_u64().unwrap();
    assert_eq!(house.pages("GetExecutionHistory", ask, "events", ids).await, [[4, 3], [2, 1]]);
}

#[tokio::test]
async fn accounts_have_their_own_names() {
    let house = House::open().await;
    house.machine("m", PASS).await;
    let create = json!({"name": "m", "definition": WAIT, "roleArn": ROLE});
    let theirs = house.api.call("000000000002", "CreateStateMachine", create).await.unwrap();
    assert_eq!(theirs["stateMachineArn"], "arn:aws:states:us-east-1:000000000002:stateMachine:m");
    for account in [ACCOUNT, "000000000002"] {
        let listed = house.api.call(account, "ListStateMachines", json!({})).await.unwrap();
        assert_eq!(listed["stateMachines"].as_array().unwrap().len(), 1, "{account}");
    }
}
