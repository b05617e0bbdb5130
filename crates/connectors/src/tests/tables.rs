//! Tables, buses and buckets: DynamoDB, EventBridge, and S3 through the SDK integration.

use engine::port::Connector;
use serde_json::{Value, json};

use super::world::{Stub, http, ok, settings, task, told};
use crate::Connectors;

/// A result without what depends on HTTP.
fn bare(answer: &str) -> String {
    let Some(result) = answer.strip_prefix("succeeded ") else { return answer.to_owned() };
    let mut result: Value = serde_json::from_str(result).unwrap();
    if let Value::Object(members) = &mut result {
        members.retain(|name, _| !name.starts_with("Sdk"));
    }
    result.to_string()
}

async fn story(calls: &[(&str, Value, String)]) -> String {
    let mut story = String::new();
    for (action, parameters, answer) in calls {
        let stub = Stub::saying(std::slice::from_ref(answer)).await;
        let answer =
            told(&stub.connectors().start(task(&format!("arn:aws:states:::{action}"), parameters.clone())).await);
        let (path, body) = stub.asked().remove(0);
        story.push_str(&format!("{action}: {path} {body}\n    {}\n", bare(&answer)));
    }
    story
}

#[tokio::test]
async fn items_are_put_and_got() {
    let item = json!({"id": {"S": "1"}, "n": {"N": "2"}, "b": {"B": "hi"}});
    let missing = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ResourceNotFoundException","message":"no table"}"#;
    let wrong = r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"wrong"}"#;
    let story = story(&[
        ("dynamodb:putItem", json!({"TableName": "t", "Item": item}), ok("{}")),
        (
            "dynamodb:getItem",
            json!({"TableName": "t", "Key": {"id": {"S": "1"}}}),
            ok(r#"{"Item":{"n":{"N":"2"},"id":{"S":"1"},"b":{"B":"aGk="}}}"#),
        ),
        ("dynamodb:deleteItem", json!({"TableName": "t", "Key": {}}), http(400, "", missing)),
        ("dynamodb:updateItem", json!({"TableName": "t", "Key": {}}), http(400, "", wrong)),
        ("aws-sdk:dynamodb:putItem", json!({"TableName": "t", "Item": {}}), http(400, "", wrong)),
    ])
    .await;
    insta::assert_snapshot!(story, @r#"
    dynamodb:putItem: / {"TableName":"t","Item":{"id":{"S":"1"},"n":{"N":"2"},"b":{"B":"aGk="}}}
        {}
    dynamodb:getItem: / {"TableName":"t","Key":{"id":{"S":"1"}}}
        {"Item":{"n":{"N":"2"},"id":{"S":"1"},"b":{"B":"hi"}}}
    dynamodb:deleteItem: / {"TableName":"t","Key":{}}
        failed (Run) DynamoDB.ResourceNotFoundException: no table (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ResourceNotFoundException; Request ID: id-1; Proxy: null)
    dynamodb:updateItem: / {"TableName":"t","Key":{}}
        failed (Run) DynamoDB.AmazonDynamoDBException: wrong (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ValidationException; Request ID: id-1; Proxy: null)
    aws-sdk:dynamodb:putItem: / {"TableName":"t","Item":{}}
        failed (Run) DynamoDb.DynamoDbException: wrong (Service: DynamoDb, Status Code: 400, Request ID: id-1)
    "#);
}

#[tokio::test]
async fn other_services_are_asked_in_their_own_words() {
    let busy = http(400, "", r#"{"__type":"ConcurrentRunsExceededException","message":"too many"}"#);
    let unknown = http(400, "", r#"{"__type":"Odd","message":"said"}"#);
    let story = story(&[
        ("glue:startJobRun", json!({"JobName": "j", "Arguments": {"--k": "v"}}), ok(r#"{"JobRunId":"jr_1"}"#)),
        ("glue:startJobRun", json!({"JobName": "j"}), busy),
        ("athena:startQueryExecution", json!({"QueryString": "SELECT 1"}), ok(r#"{"QueryExecutionId":"q-1"}"#)),
        ("athena:stopQueryExecution", json!({"QueryExecutionId": "q-1"}), unknown.clone()),
        (
            "codebuild:startBuild",
            json!({"ProjectName": "p", "EnvironmentVariablesOverride": [{"Name": "a", "Value": "1"}]}),
            ok(r#"{"build":{"id":"b","startTime":1700000000.5,"buildStatus":"IN_PROGRESS"}}"#),
        ),
        ("codebuild:stopBuild", json!({"Id": "b"}), unknown.clone()),
        ("databrew:startJobRun", json!({"Name": "j"}), ok(r#"{"RunId":"r"}"#)),
        (
            "mediaconvert:createJob",
            json!({"Role": "r", "Settings": {}}),
            ok(r#"{"job":{"id":"m","status":"SUBMITTED"}}"#),
        ),
        ("sagemaker:createModel", json!({"ModelName": "m"}), ok(r#"{"ModelArn":"a"}"#)),
        ("sagemaker:createModel", json!({"ModelName": "m"}), unknown),
    ])
    .await;
    insta::assert_snapshot!(story, @r#"
    glue:startJobRun: / {"JobName":"j","Arguments":{"--k":"v"}}
        {"JobRunId":"jr_1"}
    glue:startJobRun: / {"JobName":"j"}
        failed (Run) Glue.ConcurrentRunsExceededException: too many (Service: AWSGlue; Status Code: 400; Error Code: ConcurrentRunsExceededException; Request ID: id-1; Proxy: null)
    athena:startQueryExecution: / {"QueryString":"SELECT 1","ClientRequestToken":"key-1"}
        {"QueryExecutionId":"q-1"}
    athena:stopQueryExecution: / {"QueryExecutionId":"q-1"}
        failed (Run) Athena.AmazonAthenaException: said (Service: AmazonAthena; Status Code: 400; Error Code: Odd; Request ID: id-1; Proxy: null)
    codebuild:startBuild: / {"projectName":"p","environmentVariablesOverride":[{"name":"a","value":"1"}]}
        {"Build":{"BuildStatus":"IN_PROGRESS","Id":"b","StartTime":1700000000500}}
    codebuild:stopBuild: / {"id":"b"}
        failed (Run) CodeBuild.AWSCodeBuildException: said (Service: AWSCodeBuild; Status Code: 400; Error Code: Odd; Request ID: id-1; Proxy: null)
    databrew:startJobRun: /jobs/j/startJobRun 
        {"RunId":"r"}
    mediaconvert:createJob: /2017-08-29/jobs {"role":"r","settings":{},"clientRequestToken":"key-1"}
        {"Job":{"Id":"m","Status":"SUBMITTED"}}
    sagemaker:createModel: / {"ModelName":"m"}
        {"ModelArn":"a"}
    sagemaker:createModel: / {"ModelName":"m"}
        failed (Run) SageMaker.AmazonSageMakerException: said (Service: AmazonSageMaker; Status Code: 400; Error Code: Odd; Request ID: id-1; Proxy: null)
    "#);
}

#[tokio::test]
async fn events_are_put_and_one_that_is_not_taken_fails_the_task() {
    let entries = json!({"Entries": [{"Detail": {"a": 1}, "DetailType": "d", "Source": "s"}]});
    let refused =
        r#"{"FailedEntryCount":1,"Entries":[{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}]}"#;
    let story = story(&[
        ("events:putEvents", entries.clone(), ok(r#"{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}"#)),
        ("events:putEvents", entries.clone(), ok(refused)),
        ("events:putEvents", entries, http(400, "", r#"{"__type":"ThrottlingException","message":"slowly"}"#)),
    ])
    .await;
    insta::assert_snapshot!(story, @r#"
    events:putEvents: / {"Entries":[{"Detail":"{\"a\":1}","DetailType":"d","Source":"s","Resources":["arn:aws:states:us-east-1:000000000000:stateMachine:m","arn:aws:states:us-east-1:000000000000:execution:m:e"]}]}
        {"Entries":[{"EventId":"1"}],"FailedEntryCount":0}
    events:putEvents: / {"Entries":[{"Detail":"{\"a\":1}","DetailType":"d","Source":"s","Resources":["arn:aws:states:us-east-1:000000000000:stateMachine:m","arn:aws:states:us-east-1:000000000000:execution:m:e"]}]}
        failed (Run) EventBridge.FailedEntry: {"Entries":[{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}],"FailedEntryCount":1}
    events:putEvents: / {"Entries":[{"Detail":"{\"a\":1}","DetailType":"d","Source":"s","Resources":["arn:aws:states:us-east-1:000000000000:stateMachine:m","arn:aws:states:us-east-1:000000000000:execution:m:e"]}]}
        failed (Run) EventBridge.ThrottlingException: slowly (Service: AmazonCloudWatchEvents; Status Code: 400; Error Code: ThrottlingException; Request ID: id-1; Proxy: null)
    "#);
}

#[test]
fn status_changes_are_told_to_aws_only_where_it_was_asked_for() {
    const ANYWHERE: (&str, &str) = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    for (variables, aws, chosen, told) in [
        (vec![], false, None, false),
        (vec![], false, Some(true), false),
        (vec![ANYWHERE], false, None, true),
        (vec![ANYWHERE], true, None, true),
        (vec![ANYWHERE], false, Some(false), false),
        (vec![], true, None, false),
        (vec![], true, Some(true), true),
    ] {
        let mut settings = settings(&variables);
        settings.endpoints = settings.endpoints.with_aws(aws);
        settings.status_changes = chosen;
        assert_eq!(Connectors::new(settings).listens(), told, "{variables:?} {aws} {chosen:?}");
    }
}

#[tokio::test]
async fn objects_are_put_and_got() {
    let missing = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>\
                   <RequestId>r</RequestId></Error>";
    let list = "<ListBucketResult><Contents><Key>a</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>\
                <ETag>\"e\"</ETag><Size>3</Size></Contents><KeyCount>1</KeyCount></ListBucketResult>";
    let story = story(&[
        (
            "aws-sdk:s3:putObject",
            json!({"Bucket": "b", "Key": "k/ü 1", "Body": {"a": 1}}),
            http(200, "etag: \"e\"\r\n", ""),
        ),
        ("aws-sdk:s3:getObject", json!({"Bucket": "b", "Key": "k"}), http(200, "etag: \"e\"\r\n", "text")),
        ("aws-sdk:s3:getObject", json!({"Bucket": "b", "Key": "k"}), http(404, "x-amz-id-2: x\r\n", missing)),
        ("aws-sdk:s3:headObject", json!({"Bucket": "b", "Key": "k"}), http(404, "", "")),
        ("aws-sdk:s3:listObjectsV2", json!({"Bucket": "b", "MaxKeys": 1}), http(200, "", list)),
        (
            "aws-sdk:s3:getBucketLocation",
            json!({"Bucket": "b"}),
            http(200, "", "<LocationConstraint>eu-west-1</LocationConstraint>"),
        ),
        (
            "aws-sdk:ec2:describeVpcs",
            json!({"VpcIds": ["v"], "DryRun": true}),
            http(200, "", "<R><vpcSet><item><vpcId>v</vpcId></item></vpcSet></R>"),
        ),
    ])
    .await;
    insta::assert_snapshot!(story, @r#"
    aws-sdk:s3:putObject: /b/k/%C3%BC%201 {"a":1}
        {"ETag":"\"e\""}
    aws-sdk:s3:getObject: /b/k 
        {"ContentLength":4,"ETag":"\"e\"","Metadata":{},"Body":"text"}
    aws-sdk:s3:getObject: /b/k 
        failed (Run) S3.NoSuchKeyException: The specified key does not exist. (Service: S3, Status Code: 404, Request ID: r, Extended Request ID: x)
    aws-sdk:s3:headObject: /b/k 
        failed (Run) S3.NoSuchKeyException: (Service: S3, Status Code: 404, Request ID: id-1)
    aws-sdk:s3:listObjectsV2: /b?list-type=2&max-keys=1 
        {"Contents":[{"Key":"a","LastModified":"2026-01-02T03:04:05Z","ETag":"\"e\"","Size":3}],"KeyCount":1}
    aws-sdk:s3:getBucketLocation: /b?location= 
        {"LocationConstraint":"eu-west-1"}
    aws-sdk:ec2:describeVpcs: / Action=DescribeVpcs&Version=2016-11-15&VpcId.1=v&DryRun=true
        {"Vpcs":[{"VpcId":"v"}]}
    "#);
}
