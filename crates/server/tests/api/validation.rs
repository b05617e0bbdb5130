//! What is refused, and in which words: the recorded ones to the letter.

use crate::common::{CALLBACK, House, PASS, ROLE, WAIT};
use serde_json::{Value, json};

const MACHINE: &str = "arn:aws:states:us-east-1:000000000000:stateMachine:m";

fn x(number: usize) -> String {
    "x".repeat(number)
}

#[tokio::test]
async fn constraints_of_the_model() {
    let house = House::open().await;
    let cases: Vec<(&str, Value, String)> = vec![
        (
            "StartExecution",
            json!({}),
            "Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null".into(),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": null, "unknown": 1}),
            "Value null at 'stateMachineArn' failed to satisfy constraint: Member must not be null".into(),
        ),
        (
            "ListStateMachines",
            json!({"maxResults": 1001}),
            "Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"
                .into(),
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": MACHINE, "maxResults": -1}),
            "Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 0"
                .into(),
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": MACHINE, "statusFilter": "succeeded"}),
            "Value 'succeeded' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: \
             [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"
                .into(),
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": MACHINE, "nextToken": x(3097)}),
            format!(
                "Value '{}' at 'nextToken' failed to satisfy constraint: Member must have length less than or equal to 3096",
                x(3097)
            ),
        ),
        (
            "ListActivities",
            json!({"nextToken": ""}),
            "Value '' at 'nextToken' failed to satisfy constraint: Member must have length greater than or equal to 1"
                .into(),
        ),
        (
            "CreateStateMachine",
            json!({"name": "m", "roleArn": ROLE, "definition": PASS, "type": "QUICK"}),
            "Value 'QUICK' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [STANDARD, EXPRESS]"
                .into(),
        ),
        (
            "CreateStateMachine",
            json!({"name": "m", "roleArn": ROLE, "definition": ""}),
            "Value at 'definition' failed to satisfy constraint: Member must have length greater than or equal to 1".into(),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": MACHINE, "input": format!("\"{}\"", x(262_143))}),
            "Value at 'input' failed to satisfy constraint: Member must have length less than or equal to 262144".into(),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": MACHINE, "traceHeader": "Root=ä"}),
            "Value 'Root=ä' at 'traceHeader' failed to satisfy constraint: Member must satisfy regular expression \
             pattern: \\p{ASCII}*"
                .into(),
        ),
        (
            "SendTaskSuccess",
            json!({"taskToken": x(2049), "output": "{}"}),
            "Value at 'taskToken' failed to satisfy constraint: Member must have length less than or equal to 2048".into(),
        ),
        (
            "TagResource",
            json!({"resourceArn": MACHINE, "tags": [{"key": "k", "value": ""}, {"key": "", "value": "v"}]}),
            "Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal \
             to 1"
                .into(),
        ),
        (
            "UntagResource",
            json!({"resourceArn": MACHINE, "tagKeys": [x(129)]}),
            format!(
                "Value '{}' at 'tagKeys.1.member' failed to satisfy constraint: Member must have length less than or equal \
                 to 128",
                x(129)
            ),
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": MACHINE, "loggingConfiguration": {"level": "SOME"}}),
            "Value 'SOME' at 'loggingConfiguration.level' failed to satisfy constraint: Member must satisfy enum value \
             set: [ALL, ERROR, FATAL, OFF]"
                .into(),
        ),
    ];
    for (operation, parameters, constraint) in cases {
        let wanted = format!("ValidationException: 1 validation error detected: {constraint}");
        assert_eq!(house.bad(operation, parameters.clone()).await, wanted, "{operation} {parameters}");
    }
}

#[tokio::test]
async fn all_violations_are_told_at_once() {
    let house = House::open().await;
    insta::assert_snapshot!(
        house.bad("GetExecutionHistory", json!({"maxResults": 1001, "nextToken": ""})).await,
        @"ValidationException: 3 validation errors detected: Value null at 'executionArn' failed to satisfy constraint: Member must not be null; Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000; Value '' at 'nextToken' failed to satisfy constraint: Member must have length greater than or equal to 1"
    );
}

#[tokio::test]
async fn lengths_are_characters_and_payloads_are_bytes() {
    let house = House::open().await;
    let machine = house.machine("m", PASS).await;
    let name = "ä".repeat(80);
    house.good("StartExecution", json!({"stateMachineArn": machine, "name": name})).await;
    let input = json!("ä".repeat(131_071)).to_string();
    assert_eq!(input.len(), 262_144);
    house.good("StartExecution", json!({"stateMachineArn": machine, "input": input})).await;
    let input = json!("ä".repeat(131_072)).to_string();
    let told = house.bad("StartExecution", json!({"stateMachineArn": machine, "input": input})).await;
    assert!(told.starts_with("ValidationException: "), "{told}");
}

#[tokio::test]
async fn wrong_types() {
    let house = House::open().await;
    for (operation, parameters, wanted) in [
        ("StartExecution", json!({"stateMachineArn": 5}), "NUMBER_VALUE cannot be converted to String"),
        ("StartExecution", json!({"stateMachineArn": true}), "TRUE_VALUE cannot be converted to String"),
        (
            "StartExecution",
            json!({"stateMachineArn": MACHINE, "input": {}}),
            "Start of structure or map found where not expected.",
        ),
        ("StartExecution", json!({"stateMachineArn": [MACHINE]}), "Start of list found where not expected."),
        ("ListActivities", json!({"maxResults": "5"}), "STRING_VALUE cannot be converted to Integer"),
        ("GetExecutionHistory", json!({"reverseOrder": "yes"}), "STRING_VALUE cannot be converted to Boolean"),
        ("TagResource", json!({"tags": "k=v"}), "Unexpected field type"),
        ("UpdateStateMachine", json!({"tracingConfiguration": "on"}), "Unexpected field type"),
        ("ListActivities", json!([]), "The body of the request is not a JSON object"),
    ] {
        let told = house.bad(operation, parameters.clone()).await;
        assert_eq!(told, format!("SerializationException: {wanted}"), "{operation} {parameters}");
    }
    // As AWS does: what comes after the point is cut off.
    house.good("ListActivities", json!({"maxResults": 5.9})).await;
}

#[tokio::test]
async fn arns_that_name_nothing_here() {
    let house = House::open().await;
    let express = "arn:aws:states:us-east-1:000000000000:express:m:n:o";
    for (operation, member) in [
        ("DescribeExecution", "executionArn"),
        ("StopExecution", "executionArn"),
        ("GetExecutionHistory", "executionArn"),
        ("DescribeStateMachineForExecution", "executionArn"),
        ("DescribeStateMachine", "stateMachineArn"),
        ("DeleteStateMachine", "stateMachineArn"),
        ("StartExecution", "stateMachineArn"),
        ("ListExecutions", "stateMachineArn"),
        ("DescribeActivity", "activityArn"),
        ("DeleteActivity", "activityArn"),
        ("GetActivityTask", "activityArn"),
        ("ListTagsForResource", "resourceArn"),
    ] {
        let told = house.bad(operation, json!({member: "no_arn"})).await;
        assert_eq!(told, "InvalidArn: Invalid Arn: 'Invalid ARN prefix: no_arn'", "{operation}");
        let told = house.bad(operation, json!({member: express})).await;
        assert_eq!(told, "InvalidArn: Invalid Arn: 'Resource type not valid in this context: express'", "{operation}");
    }
    let update = json!({"stateMachineArn": "no_arn", "definition": PASS});
    assert_eq!(house.bad("UpdateStateMachine", update).await, "InvalidArn: Invalid Arn: 'Invalid ARN prefix: no_arn'");
}

#[tokio::test]
async fn what_does_not_exist() {
    let house = House::open().await;
    let activity = "arn:aws:states:us-east-1:000000000000:activity:a";
    let execution = "arn:aws:states:us-east-1:000000000000:execution:m:e";
    for (operation, parameters, wanted) in [
        (
            "DescribeStateMachine",
            json!({"stateMachineArn": MACHINE}),
            format!("StateMachineDoesNotExist: State Machine Does Not Exist: '{MACHINE}'"),
        ),
        (
            "StartExecution",
            json!({"stateMachineArn": MACHINE}),
            format!("StateMachineDoesNotExist: State Machine Does Not Exist: '{MACHINE}'"),
        ),
        (
            "ListExecutions",
            json!({"stateMachineArn": MACHINE}),
            format!("StateMachineDoesNotExist: State Machine Does Not Exist: '{MACHINE}'"),
        ),
        (
            "UpdateStateMachine",
            json!({"stateMachineArn": MACHINE, "roleArn": ROLE}),
            format!("StateMachineDoesNotExist: State Machine Does Not Exist: '{MACHINE}'"),
        ),
        (
            "DescribeExecution",
            json!({"executionArn": execution}),
            format!("ExecutionDoesNotExist: Execution Does Not Exist: '{execution}'"),
        ),
        (
            "StopExecution",
            json!({"executionArn": execution}),
            format!("ExecutionDoesNotExist: Execution Does Not Exist: '{execution}'"),
        ),
        (
            "GetExecutionHistory",
            json!({"executionArn": execution}),
            format!("ExecutionDoesNotExist: Execution Does Not Exist: '{execution}'"),
        ),
        (
            "DescribeActivity",
            json!({"activityArn": activity}),
            format!("ActivityDoesNotExist: Activity Does Not Exist: '{activity}'"),
        ),
        (
            "GetActivityTask",
            json!({"activityArn": activity}),
            format!("ActivityDoesNotExist: Activity Does Not Exist: '{activity}'"),
        ),
        (
            "TagResource",
            json!({"resourceArn": activity, "tags": []}),
            format!("ResourceNotFound: Resource not found: '{activity}'"),
        ),
        (
            "UntagResource",
            json!({"resourceArn": MACHINE, "tagKeys": []}),
            format!("ResourceNotFound: Resource not found: '{MACHINE}'"),
        ),
        (
            "ListTagsForResource",
            json!({"resourceArn": MACHINE}),
            format!("ResourceNotFound: Resource not found: '{MACHINE}'"),
        ),
        (
            "SendTaskSuccess",
            json!({"taskToken": "t", "output": "{}"}),
            "InvalidToken: Invalid Token: 'Invalid token'".into(),
        ),
        ("SendTaskFailure", json!({"taskToken": "t"}), "InvalidToken: Invalid Token: 'Invalid token'".into()),
        ("SendTaskHeartbeat", json!({"taskToken": "t"}), "InvalidToken: Invalid Token: 'Invalid token'".into()),
    ] {
        assert_eq!(house.bad(operation, parameters.clone()).await, wanted, "{operation} {parameters}");
    }
    // Deleting what is not there is no mistake.
    assert_eq!(house.good("DeleteStateMachine", json!({"stateMachineArn": MACHINE})).await, json!({}));
    assert_eq!(house.good("DeleteActivity", json!({"activityArn": activity})).await, json!({}));
}

#[tokio::test]
async fn names() {
    let house = House::open().await;
    let machine = house.machine("m", PASS).await;
    for name in ["a b", "a<b", "a\u{1f}", "\0a", "a\u{7f}", "a\"b", "a:b", "a|b", "a\\b"] {
        let wanted = format!("InvalidName: Invalid Name: '{name}'");
        assert_eq!(house.bad("CreateActivity", json!({"name": name})).await, wanted);
        let start = json!({"stateMachineArn": machine, "name": name});
        assert_eq!(house.bad("StartExecution", start).await, wanted);
        let create = json!({"name": name, "definition": PASS, "roleArn": ROLE});
        assert_eq!(house.bad("CreateStateMachine", create).await, wanted);
    }
}

#[tokio::test]
async fn inputs_and_outputs_are_json() {
    let house = House::open().await;
    let machine = house.machine("m", CALLBACK).await;
    let start = |input: &str| json!({"stateMachineArn": machine, "input": input});
    insta::assert_snapshot!(house.bad("StartExecution", start("not some json")).await, @r#"
    InvalidExecutionInput: Invalid State Machine Execution Input: 'Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')
     at [Source: (String)"not some json"; line: 1, column: 4]'
    "#);
    assert_eq!(house.bad("StartExecution", start("")).await, "InvalidExecutionInput: Invalid execution input.");
    for input in ["1", "null", "\"text\"", "[]", " {} "] {
        house.good("StartExecution", start(input)).await;
    }
    let token = house.token().await;
    let output = json!({"taskToken": token, "output": "{\"a\":"});
    insta::assert_snapshot!(house.bad("SendTaskSuccess", output).await, @r#"
    InvalidOutput: Invalid Output: 'Unexpected end-of-input within/between Object entries
     at [Source: (String)"{"a":"; line: 1, column: 6]'
    "#);
}

#[tokio::test]
async fn definitions_and_their_machines() {
    let house = House::open().await;
    let create = |definition: &str, more: Value| {
        let mut request = json!({"name": "m", "definition": definition, "roleArn": ROLE});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let none = json!({});
    assert_eq!(
        house.bad("CreateStateMachine", create(r#"{"Comment":"x","StartAt":"State_1"}"#, none.clone())).await,
        "InvalidDefinition: Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: \
         [States] at /'"
    );
    let machine = house.machine("m", PASS).await;
    assert_eq!(
        house.bad("CreateStateMachine", create(WAIT, none)).await,
        format!("StateMachineAlreadyExists: State Machine Already Exists: '{machine}'")
    );
    assert_eq!(
        house.bad("UpdateStateMachine", json!({"stateMachineArn": machine})).await,
        "MissingRequiredParameter: Either the definition, the role ARN, the LoggingConfiguration, or the \
         TracingConfiguration must be specified"
    );
    let group = json!({"cloudWatchLogsLogGroup": {"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"}});
    for logging in [
        json!({"level": "ALL"}),
        json!({"level": "FATAL", "destinations": []}),
        json!({"level": "ERROR", "destinations": [group, group]}),
    ] {
        assert_eq!(
            house.bad("CreateStateMachine", create(PASS, json!({"loggingConfiguration": logging}))).await,
            "InvalidLoggingConfiguration: Invalid Logging Configuration: Must specify exactly one Log Destination."
        );
    }
    let mut role = create(PASS, json!({}));
    role["roleArn"] = "role".into();
    assert_eq!(house.bad("CreateStateMachine", role).await, "InvalidArn: Invalid Role Arn: 'role'");
}

#[tokio::test]
async fn what_is_no_operation_or_not_for_this_type_says_so() {
    let house = House::open().await;
    assert_eq!(
        house.bad("StartExecutions", json!({})).await,
        "UnknownOperationException: There is no operation StartExecutions"
    );
    let express = json!({"name": "n", "definition": PASS, "roleArn": ROLE, "type": "EXPRESS"});
    let express = house.good("CreateStateMachine", express).await["stateMachineArn"].clone();
    assert_eq!(
        house.bad("ListExecutions", json!({"stateMachineArn": express})).await,
        "StateMachineTypeNotSupported: This operation is not supported by this type of state machine"
    );
}

#[tokio::test]
async fn definitions_are_judged_without_being_kept() {
    let house = House::open().await;
    for (definition, machine_type, wanted) in [
        (PASS, "STANDARD", json!({"result": "OK", "diagnostics": [], "truncated": false})),
        (
            "{}",
            "STANDARD",
            json!({"result": "FAIL", "truncated": false, "diagnostics": [{
                "severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED",
                "message": "These fields are required: [States, StartAt]", "location": "/"}]}),
        ),
        (
            " ",
            "STANDARD",
            json!({"result": "FAIL", "truncated": false, "diagnostics": [{
                "severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED",
                "message": "Definition must be a valid JSON object"}]}),
        ),
        (
            CALLBACK,
            "EXPRESS",
            json!({"result": "FAIL", "truncated": false, "diagnostics": [{
                "severity": "ERROR", "code": "SCHEMA_VALIDATION_FAILED",
                "message": "Express state machine does not support '.waitForTaskToken' service integration ",
                "location": "/States/T/Resource"}]}),
        ),
    ] {
        let request = json!({"definition": definition, "type": machine_type});
        assert_eq!(house.good("ValidateStateMachineDefinition", request).await, wanted, "{definition}");
    }
    let two = r#"{"StartAt":"A","States":{"A":{"Type":"Pass"},"B":{"Type":"Pass"}}}"#;
    let all = house.good("ValidateStateMachineDefinition", json!({"definition": two})).await;
    let found = all["diagnostics"].as_array().unwrap().len();
    assert!(found >= 2 && all["truncated"] == false, "{all}");
    let one = house.good("ValidateStateMachineDefinition", json!({"definition": two, "maxResults": 1})).await;
    assert_eq!((&one["truncated"], one["diagnostics"].as_array().unwrap().len()), (&json!(true), 1));
    let path = PASS.replace(r#"{"a":1}"#, r#""$.a""#);
    for (severity, wanted) in [("ERROR", 0), ("WARNING", 1)] {
        let request = json!({"definition": path, "severity": severity});
        let judged = house.good("ValidateStateMachineDefinition", request).await;
        assert_eq!((&judged["result"], judged["diagnostics"].as_array().unwrap().len()), (&json!("OK"), wanted));
    }
    let long = format!("{{\"Comment\":\"{}\",{}", x(100_000), &PASS[1..]);
    assert_eq!(house.good("ValidateStateMachineDefinition", json!({"definition": long})).await["result"], "OK");
}
