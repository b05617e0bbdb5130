//! Versions, aliases and Express executions through the API: what is asked and what is answered.

use crate::common::{CALLBACK, FAIL, House, PASS, ROLE, WAIT, plain};
use serde_json::{Value, json};

const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:m";

impl House {
    /// With a version of its own.
    async fn published(&self, definition: &str) -> Value {
        let request = json!({"name": "m", "definition": definition, "roleArn": ROLE, "publish": true});
        self.good("CreateStateMachine", request).await
    }

    async fn second_version(&self) -> Value {
        let update =
            json!({"stateMachineArn": MACHINE, "definition": WAIT, "publish": true, "versionDescription": "w"});
        self.good("UpdateStateMachine", update).await["stateMachineVersionArn"].clone()
    }

    async fn alias(&self, routes: Value) -> String {
        self.bad("CreateStateMachineAlias", json!({"name": "live", "routingConfiguration": routes})).await
    }
}

fn version(number: u32) -> String {
    format!("{MACHINE}:{number}")
}

fn route(number: u32, weight: u32) -> Value {
    json!({"stateMachineVersionArn": version(number), "weight": weight})
}

#[tokio::test]
async fn versions() {
    let house = House::open().await;
    let created = house.published(PASS).await;
    assert_eq!(created["stateMachineVersionArn"], version(1));
    assert_eq!(house.published(PASS).await, created, "idempotent, with the version");
    let other = json!({"name": "m", "definition": PASS, "roleArn": ROLE});
    let told = house.bad("CreateStateMachine", other).await;
    assert_eq!(told, format!("StateMachineAlreadyExists: State Machine Already Exists: '{MACHINE}'"));
    assert_eq!(house.second_version().await, version(2));
    let of = |number| json!({"stateMachineArn": version(number)});
    let described = house.good("DescribeStateMachine", of(2)).await;
    assert_eq!(described["description"], "w");
    assert_eq!((&described["definition"], &described["stateMachineArn"]), (&json!(WAIT), &json!(version(2))));
    assert_eq!(house.good("DescribeStateMachine", of(1)).await["definition"], PASS);
    let listed = house.good("ListStateMachineVersions", json!({"stateMachineArn": MACHINE, "maxResults": 1})).await;
    assert_eq!(listed["stateMachineVersions"][0]["stateMachineVersionArn"], version(2));
    let rest = json!({"stateMachineArn": MACHINE, "nextToken": listed["nextToken"]});
    let rest = house.good("ListStateMachineVersions", rest).await;
    assert_eq!(
        plain(rest)["stateMachineVersions"],
        json!([{"creationDate": "time", "stateMachineVersionArn": version(1)}])
    );

    let execution = house.start(&version(1), "by-version").await;
    let described = house.good("DescribeExecution", json!({"executionArn": execution})).await;
    assert_eq!(described["stateMachineVersionArn"], version(1));
    house.finished(&execution).await;
    let history = house.good("GetExecutionHistory", json!({"executionArn": execution})).await;
    assert_eq!(history["events"][0]["executionStartedEventDetails"]["stateMachineVersionArn"], version(1));
    let listed = house.good("ListExecutions", of(1)).await;
    assert_eq!(listed["executions"][0]["stateMachineVersionArn"], version(1));
    assert_eq!(house.good("ListExecutions", of(2)).await["executions"], json!([]));

    // Where the ARN must be the machine's own.
    for (operation, request) in [
        ("UpdateStateMachine", json!({"stateMachineArn": version(1), "definition": PASS})),
        ("DeleteStateMachine", of(1)),
        ("PublishStateMachineVersion", of(1)),
        ("ListStateMachineVersions", of(1)),
    ] {
        let told = house.bad(operation, request).await;
        assert!(
            told.starts_with("ValidationException: This operation does not support the ARN of a version"),
            "{told}"
        );
    }
    // AWS tags state machines and activities, and nothing else.
    let tag = json!({"resourceArn": version(1), "tags": [{"key": "a", "value": "1"}]});
    let told = house.bad("TagResource", tag).await;
    assert_eq!(told, format!("ResourceNotFound: Resource not found: '{}'", version(1)));
    let told = house.bad("ListTagsForResource", json!({"resourceArn": version(1)})).await;
    assert_eq!(told, format!("ResourceNotFound: Resource not found: '{}'", version(1)));
    let stale = json!({"stateMachineArn": MACHINE, "revisionId": "INITIAL"});
    let told = house.bad("PublishStateMachineVersion", stale).await;
    assert!(told.starts_with("ConflictException: "), "{told}");
    let described = json!({"stateMachineArn": MACHINE, "description": "late"});
    let published = house.good("PublishStateMachineVersion", described.clone()).await;
    assert_eq!(plain(published), json!({"stateMachineVersionArn": version(2), "creationDate": "time"}));
    house.good("UpdateStateMachine", json!({"stateMachineArn": MACHINE, "definition": PASS})).await;
    house.good("PublishStateMachineVersion", described).await;
    assert_eq!(house.good("DescribeStateMachine", of(3)).await["description"], "late");
    let alone = json!({"stateMachineArn": MACHINE, "definition": PASS, "versionDescription": "d"});
    let told = house.bad("UpdateStateMachine", alone).await;
    assert_eq!(told, "ValidationException: Version description can only be set when publish is true");
    house.good("DeleteStateMachineVersion", json!({"stateMachineVersionArn": version(1)})).await;
    let told = house.bad("StartExecution", of(1)).await;
    assert_eq!(told, format!("StateMachineDoesNotExist: State Machine Does Not Exist: '{}'", version(1)));
}

#[tokio::test]
async fn aliases() {
    let house = House::open().await;
    house.published(PASS).await;
    house.second_version().await;
    let create = json!({"name": "live", "description": "d", "routingConfiguration": [route(1, 100), route(2, 0)]});
    let alias = house.good("CreateStateMachineAlias", create.clone()).await;
    assert_eq!(house.good("CreateStateMachineAlias", create).await, alias, "idempotent");
    let arn = alias["stateMachineAliasArn"].as_str().unwrap();
    assert_eq!(plain(alias.clone()), json!({"stateMachineAliasArn": arn, "creationDate": "time"}));
    let born = house.good("DescribeStateMachineAlias", json!({"stateMachineAliasArn": arn})).await;
    assert_eq!(born["description"], "d");
    let told = house.alias(json!([route(1, 100)])).await;
    assert!(told.starts_with("ConflictException: "), "{told}");
    let execution = house.start(arn, "by-alias").await;
    let described = house.good("DescribeExecution", json!({"executionArn": execution})).await;
    assert_eq!(
        (&described["stateMachineAliasArn"], &described["stateMachineVersionArn"]),
        (&json!(arn), &json!(version(1)))
    );
    let listed = house.good("ListExecutions", json!({"stateMachineArn": arn})).await;
    assert_eq!(listed["executions"][0]["stateMachineAliasArn"], arn);

    let this = json!({"stateMachineAliasArn": arn});
    let told = house.bad("UpdateStateMachineAlias", this.clone()).await;
    assert_eq!(told, "ValidationException: Either the description or the routing configuration must be specified");
    let update = json!({"stateMachineAliasArn": arn, "description": "new", "routingConfiguration": [route(2, 100)]});
    assert_eq!(plain(house.good("UpdateStateMachineAlias", update).await), json!({"updateDate": "time"}));
    let described = plain(house.good("DescribeStateMachineAlias", this.clone()).await);
    assert_eq!(
        described,
        json!({
            "stateMachineAliasArn": arn, "name": "live", "description": "new", "routingConfiguration": [route(2, 100)],
            "creationDate": "time", "updateDate": "time",
        })
    );
    let of = |arn: &str| json!({"stateMachineArn": arn});
    let item = json!([{"creationDate": "time", "stateMachineAliasArn": arn}]);
    for (of, wanted) in [(of(MACHINE), &item), (of(&version(2)), &item), (of(&version(1)), &json!([]))] {
        assert_eq!(plain(house.good("ListStateMachineAliases", of).await)["stateMachineAliases"], *wanted);
    }
    let told = house.bad("DescribeStateMachine", of(arn)).await;
    assert!(told.starts_with("StateMachineDoesNotExist: "), "{told}");
    house.good("DeleteStateMachineAlias", this.clone()).await;
    house.good("DeleteStateMachineAlias", this.clone()).await;
    let told = house.bad("DescribeStateMachineAlias", this).await;
    assert_eq!(told, format!("ResourceNotFound: Resource not found: '{arn}'"));
}

#[tokio::test]
async fn routes_that_lead_nowhere() {
    let house = House::open().await;
    house.published(PASS).await;
    house.second_version().await;
    let other = json!({"stateMachineVersionArn": format!("{MACHINE}x:1"), "weight": 50});
    for (routes, wanted) in [
        (
            json!([route(1, 70), route(2, 29)]),
            "Sum of routing configuration weights must equal 100. Received: [70, 29]",
        ),
        (
            json!([route(1, 50), route(1, 50)]),
            "Routing configuration must contain distinct state machine version ARNs.",
        ),
        (json!([route(1, 50), other]), "Routing configuration must contain versions of one state machine."),
        (
            json!([{"stateMachineVersionArn": MACHINE, "weight": 100}]),
            "Routing configuration must contain state machine version ARNs.",
        ),
        (
            json!([]),
            "1 validation error detected: Value '[]' at 'routingConfiguration' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
    ] {
        let told = house.alias(routes).await;
        assert!(told.starts_with(&format!("ValidationException: {wanted}")), "{told}");
    }
    assert_eq!(
        house.alias(json!([route(3, 100)])).await,
        format!("ResourceNotFound: Resource not found: '{}'", version(3))
    );
    let three = house.alias(json!([route(1, 1), route(2, 2), route(3, 97)])).await;
    let shown = format!("[RoutingConfigurationListItem(stateMachineVersionArn={}, weight=1), ", version(1));
    assert!(three.starts_with(&format!("ValidationException: 1 validation error detected: Value '{shown}")), "{three}");
    assert!(
        three.ends_with(
            "at 'routingConfiguration' failed to satisfy constraint: Member must have length less than or equal to 2"
        ),
        "{three}"
    );
    let number = json!({"name": "123", "routingConfiguration": [route(1, 100)]});
    let told = house.bad("CreateStateMachineAlias", number).await;
    assert_eq!(
        told,
        "ValidationException: 1 validation error detected: Value '123' at 'name' failed to satisfy constraint: \
                      Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$"
    );
}

#[tokio::test]
async fn express_executions() {
    let house = House::open().await;
    let create = |definition: &str| json!({"name": "m", "definition": definition, "roleArn": ROLE, "type": "EXPRESS"});
    let told = house.bad("CreateStateMachine", create(CALLBACK)).await;
    assert!(told.starts_with("InvalidDefinition: "), "no tokens: {told}");
    house.good("CreateStateMachine", create(PASS)).await;
    let start = json!({"stateMachineArn": MACHINE, "name": "n", "input": "{\"x\":1}", "traceHeader": "Root=1"});
    let answer = plain(house.good("StartSyncExecution", start.clone()).await);
    let arn = answer["executionArn"].as_str().unwrap();
    assert!(arn.starts_with("arn:aws:states:us-east-1:000000000000:express:m:n:"), "{arn}");
    let mut wanted = json!({
        "executionArn": arn, "stateMachineArn": MACHINE, "name": "n", "startDate": "time", "stopDate": "time",
        "status": "SUCCEEDED", "input": "{\"x\":1}", "inputDetails": {"included": true},
        "output": "{\"a\":1}", "outputDetails": {"included": true}, "traceHeader": "Root=1",
        "billingDetails": {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100},
    });
    assert_eq!(answer, wanted);
    let mut bare = start;
    bare["includedData"] = "METADATA_ONLY".into();
    let mut answer = plain(house.good("StartSyncExecution", bare).await);
    for member in ["input", "output"] {
        wanted.as_object_mut().unwrap().remove(member);
        wanted[format!("{member}Details")] = json!({"included": false});
    }
    answer["executionArn"] = wanted["executionArn"].clone();
    assert_eq!(answer, wanted);
    // What AWS refuses is refused; under a name of ours it is shown.
    let told = house.bad("GetExecutionHistory", json!({"executionArn": arn})).await;
    assert_eq!(told, "InvalidArn: Invalid Arn: 'Resource type not valid in this context: express'");
    let ours = json!({"executionArn": arn.replacen(":express:", ":execution:", 1)});
    let history = house.good("GetExecutionHistory", ours.clone()).await;
    assert_eq!(history["events"].as_array().unwrap().len(), 4);
    assert_eq!(house.good("DescribeExecution", ours).await["output"], "{\"a\":1}");
    let kept = json!({"stateMachineArn": MACHINE.replacen(":stateMachine:", ":express:", 1)});
    assert_eq!(house.good("ListExecutions", kept).await["executions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn map_runs_are_not_found() {
    let house = House::open().await;
    let machine = house.machine("m", WAIT).await;
    let execution = house.start(&machine, "e").await;
    let arn = "arn:aws:states:us-east-1:000000000000:mapRun:m/l:x";
    for operation in ["DescribeMapRun", "UpdateMapRun"] {
        let told = house.bad(operation, json!({"mapRunArn": arn})).await;
        assert_eq!(told, format!("ResourceNotFound: Resource not found: '{arn}'"));
        let told = house.bad(operation, json!({"mapRunArn": machine})).await;
        assert_eq!(told, "InvalidArn: Invalid Arn: 'Resource type not valid in this context: stateMachine'");
    }
    let told = house.bad("ListExecutions", json!({"mapRunArn": arn})).await;
    assert_eq!(told, format!("ResourceNotFound: Resource not found: '{arn}'"));
    assert_eq!(house.good("ListMapRuns", json!({"executionArn": execution})).await, json!({"mapRuns": []}));
    let percentage = json!({"mapRunArn": arn, "toleratedFailurePercentage": 100.5});
    let told = house.bad("UpdateMapRun", percentage).await;
    assert!(told.ends_with("Value '100.5' at 'toleratedFailurePercentage' failed to satisfy constraint: Member must have value less than or equal to 100"), "{told}");
}

#[tokio::test]
async fn keys_of_one_s_own_are_checked_and_shown() {
    let house = House::open().await;
    let create = |name: &str, encryption: Value| json!({"name": name, "definition": PASS, "roleArn": ROLE, "encryptionConfiguration": encryption});
    let own = json!({"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k", "kmsDataKeyReusePeriodSeconds": 60});
    let machine = house.good("CreateStateMachine", create("m", own.clone())).await["stateMachineArn"].clone();
    let described = house.good("DescribeStateMachine", json!({"stateMachineArn": machine})).await;
    assert_eq!(described["encryptionConfiguration"], own);
    for wrong in [json!({"type": "CUSTOMER_MANAGED_KMS_KEY"}), json!({"type": "AWS_OWNED_KEY", "kmsKeyId": "k"})] {
        let told = house.bad("CreateStateMachine", create("n", wrong)).await;
        assert!(told.starts_with("InvalidEncryptionConfiguration: "), "{told}");
    }
}

#[tokio::test]
async fn keys_of_activities_and_of_what_an_execution_took() {
    let house = House::open().await;
    let own = json!({"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k", "kmsDataKeyReusePeriodSeconds": 300});
    let activity =
        json!({"name": "a", "encryptionConfiguration": {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"}});
    let activity = house.good("CreateActivity", activity).await["activityArn"].clone();
    let described = house.good("DescribeActivity", json!({"activityArn": activity})).await;
    assert_eq!(described["encryptionConfiguration"], own);

    let sets = r#"{"StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"v":1},"Next":"B"},
        "B":{"Type":"Pass","Parameters":{"w.$":"$v"},"End":true}}}"#;
    let machine = house.machine("m", sets).await;
    let update = json!({"stateMachineArn": machine, "encryptionConfiguration": own});
    let revision = house.good("UpdateStateMachine", update).await["revisionId"].clone();
    assert!(revision.is_string());
    let execution = json!({"executionArn": house.start(&machine, "e").await});
    let taken = house.good("DescribeStateMachineForExecution", execution).await;
    assert_eq!((&taken["encryptionConfiguration"], &taken["revisionId"]), (&own, &revision));
    assert_eq!(taken["variableReferences"], json!({"B": ["v"]}));
    let described = house.good("DescribeStateMachine", json!({"stateMachineArn": machine})).await;
    assert_eq!(described["variableReferences"], json!({"B": ["v"]}));
}

#[tokio::test]
async fn pages_of_aliases() {
    let house = House::open().await;
    house.published(PASS).await;
    for name in ["a", "b", "c"] {
        let create = json!({"name": name, "routingConfiguration": [route(1, 100)]});
        house.good("CreateStateMachineAlias", create).await;
    }
    let request = json!({"stateMachineArn": MACHINE, "maxResults": 2});
    let name = |item: &Value| item["stateMachineAliasArn"].as_str().unwrap().to_owned();
    let names = house.pages("ListStateMachineAliases", request, "stateMachineAliases", name).await;
    let arn = |name: &str| format!("{MACHINE}:{name}");
    assert_eq!(names, [vec![arn("a"), arn("b")], vec![arn("c")]]);
}

#[tokio::test]
async fn an_express_execution_that_fails() {
    let house = House::open().await;
    let create = json!({"name": "m", "definition": FAIL, "roleArn": ROLE, "type": "EXPRESS"});
    house.good("CreateStateMachine", create).await;
    let answer = house.good("StartSyncExecution", json!({"stateMachineArn": MACHINE})).await;
    let told = (&answer["status"], &answer["error"], &answer["cause"], &answer["outputDetails"]);
    assert_eq!(told, (&json!("FAILED"), &json!("Bad"), &json!("luck"), &json!({"included": true})));
    assert_eq!(answer.get("output"), None);
    let bare = json!({"stateMachineArn": MACHINE, "includedData": "METADATA_ONLY"});
    assert_eq!(house.good("StartSyncExecution", bare).await.get("cause"), None);
}

#[tokio::test]
async fn executions_that_were_not_redriven() {
    let house = House::open().await;
    let machine = house.machine("m", WAIT).await;
    house.start(&machine, "e").await;
    for (filter, wanted) in [("NOT_REDRIVEN", 1), ("REDRIVEN", 0)] {
        let list = json!({"stateMachineArn": machine, "redriveFilter": filter});
        assert_eq!(house.good("ListExecutions", list).await["executions"].as_array().unwrap().len(), wanted);
    }
}

#[tokio::test]
async fn what_a_machine_is_made_with() {
    let house = House::open().await;
    let group = json!({"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"}});
    let logging = json!({"level": "FATAL", "includeExecutionData": true, "destinations": [group]});
    let tags = json!([{"key": "a", "value": "1"}]);
    let create = json!({
        "name": "m", "definition": PASS, "roleArn": ROLE, "loggingConfiguration": logging, "tags": tags,
        "publish": true, "versionDescription": "born", "tracingConfiguration": {"enabled": true},
    });
    house.good("CreateStateMachine", create).await;
    let of = |arn: &str| json!({"stateMachineArn": arn});
    let described = house.good("DescribeStateMachine", of(&version(1))).await;
    assert_eq!((&described["description"], &described["loggingConfiguration"]), (&json!("born"), &logging));
    assert_eq!(described["tracingConfiguration"], json!({"enabled": true}));
    assert_eq!(house.good("ListTagsForResource", json!({"resourceArn": MACHINE})).await["tags"], tags);
    let role = format!("{ROLE}-other");
    house.good("UpdateStateMachine", json!({"stateMachineArn": MACHINE, "roleArn": role})).await;
    let untraced = json!({"stateMachineArn": MACHINE, "tracingConfiguration": {"enabled": false}});
    house.good("UpdateStateMachine", untraced).await;
    let described = house.good("DescribeStateMachine", of(MACHINE)).await;
    assert_eq!((&described["roleArn"], &described["tracingConfiguration"]), (&json!(role), &json!({"enabled": false})));
}
