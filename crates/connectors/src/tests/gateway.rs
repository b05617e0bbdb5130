//! `apigateway:invoke` against a scripted server. What AWS answers to these calls is recorded; here are its facts.

use asl::Resource;
use engine::port::Connector;
use serde_json::{Value, json};

use super::world::{Stub, connectors, http, settings, task, told};
use crate::{AfterCrash, Connectors};

const INVOKE: &str = "arn:aws:states:::apigateway:invoke";

fn call(more: Value) -> Value {
    let mut call = json!({"ApiEndpoint": "abc123.execute-api.eu-west-1.amazonaws.com", "Method": "POST",
                          "Stage": "prod", "Path": "id_func"});
    call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    call
}

fn api(body: &str) -> String {
    let headers = "content-type: application/json\r\nconnection: keep-alive\r\nx-amz-apigw-id: a\r\nx-cache: Miss\r\n\
                   set-cookie: a=1\r\nset-cookie: b=2\r\n";
    http(200, headers, body)
}

#[tokio::test]
async fn an_answer_is_told_whole() {
    let stub = Stub::saying(&[api(r#"{"message": "HelloWorld!"}"#)]).await;
    let request = task(
        INVOKE,
        call(json!({"RequestBody": {"message": "HelloWorld!"}, "Headers": {"custom_header": ["a", "b"]}})),
    );
    let answer = told(&stub.connectors().start(request).await);
    insta::assert_snapshot!(format!("{}\n{}\n{answer}", stub.heads()[0], stub.bodies()[0]), @r#"
    POST /prod/id_func HTTP/1.1
    custom_header: a
    custom_header: b
    content-type: application/json
    host: abc123.execute-api.eu-west-1.amazonaws.com
    content-length: 25
    {"message":"HelloWorld!"}
    succeeded {"Headers":{"Connection":["keep-alive"],"Content-Length":["26"],"Content-Type":["application/json"],"X-Cache":["Miss"],"set-cookie":["a=1","b=2"],"x-amz-apigw-id":["a"],"x-amzn-RequestId":["id-1"]},"ResponseBody":{"message":"HelloWorld!"},"StatusCode":200,"StatusText":"OK"}
    "#);
}

#[tokio::test]
async fn bodies_are_json_both_ways() {
    let mut story = String::new();
    for (parameters, answer) in [
        (json!({}), "{}"),
        (json!({"RequestBody": null}), "{}"),
        (json!({"RequestBody": ""}), "\"\""),
        (json!({"RequestBody": "HelloWorld"}), "\"HelloWorld\""),
        (json!({"RequestBody": true}), "true"),
        (json!({"RequestBody": "{\"message\": 1}"}), "\"{\\\"message\\\": 1}\""),
        (json!({"RequestBody": {"a": null, "b": [null, {"c": null}]}}), "<html>"),
        (json!({"RequestBody": {"a": null, "b": [null, {"c": null}]}, "AllowNullValues": true}), ""),
        (json!({"RequestBody": null, "AllowNullValues": true}), "[1.50]"),
        (json!({"RequestBody": {}, "Method": "GET"}), "null"),
    ] {
        let stub = Stub::saying(&[http(200, "", answer)]).await;
        let result = told(&stub.connectors().start(task(INVOKE, call(parameters.clone()))).await);
        let result: Value = serde_json::from_str(result.strip_prefix("succeeded ").unwrap()).unwrap();
        story.push_str(&format!("{parameters} sends {:?}, gives {}\n", stub.bodies()[0], result["ResponseBody"]));
    }
    insta::assert_snapshot!(story, @r#"
    {} sends "", gives {}
    {"RequestBody":null} sends "", gives {}
    {"RequestBody":""} sends "\"\"", gives ""
    {"RequestBody":"HelloWorld"} sends "\"HelloWorld\"", gives "HelloWorld"
    {"RequestBody":true} sends "true", gives true
    {"RequestBody":"{\"message\": 1}"} sends "\"{\\\"message\\\": 1}\"", gives "{\"message\": 1}"
    {"RequestBody":{"a":null,"b":[null,{"c":null}]}} sends "{\"b\":[null,{}]}", gives "<html>"
    {"RequestBody":{"a":null,"b":[null,{"c":null}]},"AllowNullValues":true} sends "{\"a\":null,\"b\":[null,{\"c\":null}]}", gives ""
    {"RequestBody":null,"AllowNullValues":true} sends "null", gives [1.5]
    {"RequestBody":{},"Method":"GET"} sends "", gives null
    "#);
}

#[tokio::test]
async fn addresses_are_put_together() {
    let mut story = String::new();
    for parameters in [
        json!({"QueryParameters": {"param1": ["Hello"], "param2": ["a b", "c&d"], "n": [1]}}),
        json!({"Path": "/bills/ü 1%2F2", "Stage": "/prod/"}),
        json!({"Path": null, "Stage": null}),
        json!({"Path": "x/"}),
    ] {
        let stub = Stub::saying(&[http(204, "", "")]).await;
        stub.connectors().start(task(INVOKE, call(parameters.clone()))).await;
        story.push_str(&format!("{parameters}\n    {}\n", stub.asked()[0].0));
    }
    insta::assert_snapshot!(story, @r#"
    {"QueryParameters":{"param1":["Hello"],"param2":["a b","c&d"],"n":[1]}}
        /prod/id_func?param1=Hello&param2=a%20b&param2=c%26d&n=1
    {"Path":"/bills/ü 1%2F2","Stage":"/prod/"}
        /prod/bills/%C3%BC%201%2F2
    {"Path":null,"Stage":null}
        /
    {"Path":"x/"}
        /prod/x/
    "#);
}

#[tokio::test]
async fn whatever_is_no_success_fails_the_task() {
    let mut story = String::new();
    for answer in [
        http(403, "", r#"{"message":"Missing Authentication Token"}"#),
        http(302, "location: /other\r\n", ""),
        http(500, "", "text"),
        "broken".to_owned(),
    ] {
        let stub = Stub::saying(&[answer]).await;
        for pattern in ["", ".waitForTaskToken"] {
            let answer = told(&stub.connectors().start(task(&format!("{INVOKE}{pattern}"), call(json!({})))).await);
            story.push_str(&format!("{answer}\n"));
        }
        assert_eq!(stub.asked().len(), 2, "nothing is tried again");
    }
    insta::assert_snapshot!(story, @r#"
    failed (Run) ApiGateway.403: {"message":"Missing Authentication Token"}
    failed (Submit) ApiGateway.403: {"message":"Missing Authentication Token"}
    failed (Run) ApiGateway.302: 
    failed (Submit) ApiGateway.302: 
    failed (Run) ApiGateway.500: text
    failed (Submit) ApiGateway.500: text
    failed (Run) ApiGateway.SdkClientException: Unable to execute HTTP request: connection closed before message completed
    failed (Submit) ApiGateway.SdkClientException: Unable to execute HTTP request: connection closed before message completed
    "#);
}

#[tokio::test]
async fn calls_are_signed_where_the_api_asks_for_it() {
    let stub = Stub::saying(&[api("{}")]).await;
    let connectors = connectors(&[
        ("AWS_ENDPOINT_URL", &stub.url),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ]);
    for auth in ["NO_AUTH", "IAM_ROLE", "RESOURCE_POLICY"] {
        let answer = connectors.start(task(INVOKE, call(json!({"AuthType": auth})))).await;
        assert!(told(&answer).starts_with("succeeded"), "{}", told(&answer));
    }
    let signatures: Vec<String> = stub.heads().iter().map(|head| head.lines().last().unwrap().to_owned()).collect();
    insta::assert_snapshot!(signatures.join("\n"), @"
    host: abc123.execute-api.eu-west-1.amazonaws.com
    authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLEeu-west-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date
    authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLEeu-west-1/execute-api/aws4_request, SignedHeaders=host;x-amz-date
    ");
}

#[tokio::test]
async fn nothing_reaches_a_real_account_by_accident() {
    let stub = Stub::saying(&[api("{}")]).await;
    let local = json!({"ApiEndpoint": format!("{}/restapis/x", stub.url)});
    let mut story = String::new();
    for (what, variables, parameters) in [
        ("nowhere", vec![], json!({})),
        ("nowhere, as a URL", vec![], json!({"ApiEndpoint": "https://abc.execute-api.us-east-1.amazonaws.com"})),
        ("another host", vec![], json!({"ApiEndpoint": "example.com"})),
        ("another server", vec![], local),
        ("no host", vec![], json!({"ApiEndpoint": "a b"})),
    ] {
        let answer = told(&connectors(&variables).start(task(INVOKE, call(parameters))).await);
        let asked = stub.asked().first().map_or("nothing", |(path, _)| path.as_str()).to_owned();
        story.push_str(&format!("{what}: {asked} asked, {}\n", answer.split(" {").next().unwrap()));
    }
    let mut settings = settings(&[]);
    settings.endpoints = settings.endpoints.clone().with_setting("execute-api", &stub.url).unwrap();
    let answer = told(&Connectors::new(settings).start(task(INVOKE, call(json!({})))).await);
    assert!(answer.starts_with("succeeded"), "{answer}");
    assert!(stub.heads().pop().unwrap().contains("host: abc123.execute-api.eu-west-1.amazonaws.com"));
    insta::assert_snapshot!(story, @r#"
    nowhere: nothing asked, failed (Run) ApiGateway.SdkClientException: no endpoint for abc123.execute-api.eu-west-1.amazonaws.com: set endpoints.execute-api in the settings (or AWS_ENDPOINT_URL) to the server that answers for it, or aws = true to call API Gateway
    nowhere, as a URL: nothing asked, failed (Run) ApiGateway.SdkClientException: no endpoint for abc.execute-api.us-east-1.amazonaws.com: set endpoints.execute-api in the settings (or AWS_ENDPOINT_URL) to the server that answers for it, or aws = true to call API Gateway
    another host: nothing asked, failed (Run) ApiGateway.SdkClientException: no endpoint for example.com: set endpoints.execute-api in the settings (or AWS_ENDPOINT_URL) to the server that answers for it, or aws = true to call API Gateway
    another server: /restapis/x/prod/id_func asked, succeeded
    no host: /restapis/x/prod/id_func asked, failed (Run) States.Runtime: The Parameters '{"ApiEndpoint":"a b","Method":"POST","Stage":"prod","Path":"id_func"}' could not be used to start the Task: [The value of the field 'ApiEndpoint' has an invalid format]
    "#);
}

#[test]
fn parameters_are_judged() {
    let connectors = connectors(&[]);
    let mut story = String::new();
    for parameters in [
        call(json!({})),
        call(json!({"Headers": {"custom_header": "singleStringHeader"}})),
        call(
            json!({"Headers": {"Authorization": ["a"], "X-Amzn-Trace-Id": ["b"], "x-forwarded-for": ["c"], "TE": ["d"], "X-Mine": ["e"]}}),
        ),
        call(json!({"QueryParameters": {"a": [{}]}, "Method": "TRACE", "AuthType": "IAM_AUTH"})),
        call(json!({"Stage": 7, "AllowNullValues": "true", "Colour": "red"})),
        json!({"Method": null}),
        json!("text"),
    ] {
        let mistake = connectors.mistake(&Resource::parse(INVOKE), &parameters.into());
        story.push_str(&format!("{}\n", mistake.as_deref().unwrap_or("-")));
    }
    insta::assert_snapshot!(story, @r#"
    -
    The value of the field 'Headers' has an invalid format
    The 'Headers' field contains unsupported values: [authorization, x-amzn-trace-id, x-forwarded-for, te]
    The value of the field 'Method' has an invalid format, The value of the field 'QueryParameters' has an invalid format, The value of the field 'AuthType' has an invalid format
    The value for the field 'Stage' must be a STRING, The value for the field 'AllowNullValues' must be a BOOLEAN, The field "Colour" is not supported by Step Functions
    The field 'ApiEndpoint' is required but was missing, The field 'Method' is required but was missing
    Parameters must be a JSON object
    "#);
}

#[tokio::test]
async fn after_a_crash_an_api_is_called_again_or_not_as_the_settings_say() {
    let stub = Stub::saying(&[api("{}")]).await;
    let mut settings = settings(&[("AWS_ENDPOINT_URL", &stub.url)]);
    settings.after_crash.insert("apigateway:invoke".to_owned(), AfterCrash::Fail);
    let careful = Connectors::new(settings);
    for (method, succeeds) in [("GET", true), ("POST", false)] {
        let mut request = task(INVOKE, call(json!({"Method": method})));
        request.resent = true;
        assert_eq!(told(&careful.start(request).await).starts_with("succeeded"), succeeds, "{method}");
    }
}
