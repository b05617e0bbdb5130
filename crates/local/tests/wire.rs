//! The services as their clients meet them: HTTP requests in, HTTP answers out, and what a web page could try.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use local::{Local, Settings};
use serde_json::{Value, json};

struct World {
    local: Local,
    _dir: tempfile::TempDir,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    World { local: Local::open(dir.path(), Settings::default()).unwrap(), _dir: dir }
}

fn authorization(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=test/20260102/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
    )
}

fn request(method: Method, uri: &str, headers: &[(&str, &str)], body: &str) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(uri).header("host", "127.0.0.1:8083");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::from(body.to_owned())).unwrap()
}

impl World {
    async fn sqs(&self, operation: &str, params: Value) -> Response<Bytes> {
        let target = format!("AmazonSQS.{operation}");
        let authorization = authorization("sqs");
        let headers = [
            ("authorization", authorization.as_str()),
            ("x-amz-target", &target),
            ("content-type", "application/x-amz-json-1.0"),
        ];
        self.local.handle(request(Method::POST, "/", &headers, &params.to_string())).await.unwrap()
    }

    async fn form(&self, service: &str, path: &str, form: &str) -> Response<Bytes> {
        let authorization = authorization(service);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ];
        self.local.handle(request(Method::POST, path, &headers, form)).await.unwrap()
    }

    async fn batch(&self, path: &str, params: Value) -> Response<Bytes> {
        let authorization = authorization("batch");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        self.local.handle(request(Method::POST, path, &headers, &params.to_string())).await.unwrap()
    }
}

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

fn text(response: &Response<Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

#[tokio::test]
async fn sqs_speaks_json_and_names_its_errors_twice() {
    let world = world();
    let made = world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    assert_eq!(made.status(), StatusCode::OK);
    assert_eq!(made.headers()["content-type"], "application/x-amz-json-1.0");
    let url = body(&made)["QueueUrl"].clone();
    assert_eq!(url, "http://127.0.0.1:8083/000000000000/q");
    let sent = world.sqs("SendMessage", json!({ "QueueUrl": url, "MessageBody": "test_message_body" })).await;
    assert_eq!(sent.body().len(), 106, "as long as AWS's answer");

    let names = |shape: &'static str, query: &'static str| (shape, query);
    for (operation, params, (shape, query)) in [
        (
            "GetQueueUrl",
            json!({ "QueueName": "none" }),
            names("com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue;Sender"),
        ),
        (
            "SendMessage",
            json!({ "QueueUrl": url, "MessageBody": "" }),
            names("com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter;Sender"),
        ),
        (
            "ReceiveMessage",
            json!({ "QueueUrl": url, "MaxNumberOfMessages": 11 }),
            names("com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue;Sender"),
        ),
        (
            "CreateQueue",
            json!({ "QueueName": "q", "Attributes": { "DelaySeconds": "5" } }),
            names("com.amazonaws.sqs#QueueNameExists", "QueueAlreadyExists;Sender"),
        ),
    ] {
        let refused = world.sqs(operation, params).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert_eq!(body(&refused)["__type"], shape);
        assert_eq!(refused.headers()["x-amzn-query-error"], query);
    }
}

#[tokio::test]
async fn sqs_still_speaks_forms_to_old_clients() {
    let world = world();
    let made = world.form("sqs", "/", "Action=CreateQueue&Version=2012-11-05&QueueName=q").await;
    assert!(text(&made).contains("<QueueUrl>http://127.0.0.1:8083/000000000000/q</QueueUrl>"), "{}", text(&made));
    let sent = world.form("sqs", "/000000000000/q", "Action=SendMessage&Version=2012-11-05&MessageBody=hello").await;
    assert_eq!(sent.status(), StatusCode::OK, "{}", text(&sent));
    let received = world.form("sqs", "/000000000000/q", "Action=ReceiveMessage&Version=2012-11-05").await;
    assert!(text(&received).contains("<Body>hello</Body>"), "{}", text(&received));
    let refused = world.form("sqs", "/000000000000/none", "Action=ReceiveMessage&Version=2012-11-05").await;
    assert!(text(&refused).contains("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>"), "{}", text(&refused));
}

#[tokio::test]
async fn sns_speaks_forms_and_its_links_can_be_visited() {
    let world = world();
    let made = world.form("sns", "/", "Action=CreateTopic&Version=2010-03-31&Name=t").await;
    let arn = "arn:aws:sns:eu-west-1:000000000000:t";
    assert!(text(&made).contains(&format!("<TopicArn>{arn}</TopicArn>")), "{}", text(&made));
    let publish = format!("Action=Publish&Version=2010-03-31&TopicArn={arn}x&Message=m");
    let refused = world.form("sns", "/", &publish).await;
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    assert!(text(&refused).contains("<Code>NotFound</Code>"), "{}", text(&refused));
    assert!(text(&refused).contains("<Message>Topic does not exist</Message>"));

    let link = format!("/?Action=ConfirmSubscription&TopicArn={arn}&Token={}", "0".repeat(128));
    let visited = world.local.handle(request(Method::GET, &link, &[], "")).await.unwrap();
    assert_eq!(visited.status(), StatusCode::BAD_REQUEST);
    assert!(text(&visited).contains("Invalid parameter: Token"), "{}", text(&visited));
}

fn job_queue() -> Value {
    json!({ "jobQueueName": "q", "priority": 1, "computeEnvironmentOrder": [] })
}

#[tokio::test]
async fn batch_speaks_rest() {
    let world = world();
    let made = world.batch("/v1/createjobqueue", job_queue()).await;
    assert_eq!(body(&made)["jobQueueArn"], "arn:aws:batch:eu-west-1:000000000000:job-queue/q");
    let submit = json!({ "jobName": "j", "jobQueue": "none", "jobDefinition": "d" });
    let refused = world.batch("/v1/submitjob", submit).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert_eq!(refused.headers()["x-amzn-errortype"], "ClientException");
    assert_eq!(body(&refused)["message"], "JobQueue none not found.");
}

#[tokio::test]
async fn an_access_key_of_twelve_digits_names_its_account() {
    let world = world();
    let authorization = authorization("sqs").replace("=test/", "=000000000002/");
    let headers = [
        ("authorization", authorization.as_str()),
        ("x-amz-target", "AmazonSQS.CreateQueue"),
        ("content-type", "application/x-amz-json-1.0"),
    ];
    let made = world.local.handle(request(Method::POST, "/", &headers, "{\"QueueName\":\"q\"}")).await.unwrap();
    assert_eq!(body(&made)["QueueUrl"], "http://127.0.0.1:8083/000000000002/q");
}

#[tokio::test]
async fn other_requests_are_left_to_others() {
    let world = world();
    let states = authorization("states");
    let start = [
        ("authorization", states.as_str()),
        ("x-amz-target", "AWSStepFunctions.StartExecution"),
        ("content-type", "application/x-amz-json-1.0"),
    ];
    for (method, uri, headers) in
        [(Method::GET, "/", [].as_slice()), (Method::GET, "/console/index.html", &[]), (Method::POST, "/", &start)]
    {
        assert!(world.local.handle(request(method, uri, headers, "")).await.is_none(), "{uri}");
    }
}

/// Everything a page could send to run a job or to read a queue: each is refused, and none is passed on.
#[tokio::test]
async fn a_web_page_can_do_nothing() {
    let world = world();
    world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    world.batch("/v1/createjobqueue", job_queue()).await;
    let definition = json!({ "jobDefinitionName": "d", "type": "container", "containerProperties": { "image": "i" } });
    world.batch("/v1/registerjobdefinition", definition).await;

    let job = "{\"jobName\":\"j\",\"jobQueue\":\"q\",\"jobDefinition\":\"d\"}";
    let (signed_batch, signed_sqs) = (authorization("batch"), authorization("sqs"));
    let signed_batch = ("authorization", signed_batch.as_str());
    let signed_sqs = ("authorization", signed_sqs.as_str());
    let origin = ("origin", "https://evil.example");
    let cross = ("sec-fetch-site", "cross-site");
    let target = ("x-amz-target", "AmazonSQS.ReceiveMessage");
    let text_type = ("content-type", "text/plain");
    let json_type = ("content-type", "application/json");
    let amz_type = ("content-type", "application/x-amz-json-1.0");
    let form_type = ("content-type", "application/x-www-form-urlencoded");
    let (submit, queue) = ("/v1/submitjob", "/000000000000/q");
    let form = "Action=SendMessage&Version=2012-11-05&MessageBody=x";
    for (what, uri, headers, sent) in [
        ("a simple request", submit, [origin, text_type].as_slice(), job),
        ("a simple request without origin", submit, &[text_type], job),
        ("a blob without type", submit, &[], job),
        ("json, unsigned", submit, &[json_type], job),
        ("signed, by a page", submit, &[origin, signed_batch, json_type], job),
        ("signed, as text", submit, &[signed_batch, text_type], job),
        ("a form", queue, &[form_type], form),
        ("a form with its origin", queue, &[origin, form_type], form),
        ("a form in the address", "/000000000000/q?Action=SendMessage&MessageBody=x", &[], ""),
        ("a target as text", "/", &[target, text_type], "{}"),
        ("a target from a page", "/", &[origin, target, amz_type], "{}"),
        ("from elsewhere", "/", &[cross, signed_sqs, target, amz_type], "{}"),
    ] {
        let answer = world.local.handle(request(Method::POST, uri, headers, sent)).await;
        let answer = answer.unwrap_or_else(|| panic!("{what} was passed on"));
        let refused = [StatusCode::FORBIDDEN, StatusCode::UNSUPPORTED_MEDIA_TYPE].contains(&answer.status());
        assert!(refused, "{what}: {}", answer.status());
        assert!(!answer.headers().keys().any(|name| name.as_str().starts_with("access-control")), "{what}");
    }
    // A name that was pointed at loopback after the page was loaded.
    let mut rebound = request(Method::POST, submit, &[signed_batch, json_type], job);
    rebound.headers_mut().insert("host", "evil.example".parse().unwrap());
    assert_eq!(world.local.handle(rebound).await.unwrap().status(), StatusCode::FORBIDDEN);

    let listed = world.batch("/v1/listjobs", json!({ "jobQueue": "q", "jobStatus": "SUBMITTED" })).await;
    assert_eq!(body(&listed)["jobSummaryList"], json!([]), "no job came in");
    let received = world.sqs("ReceiveMessage", json!({ "QueueUrl": "http://x/000000000000/q" })).await;
    assert_eq!(body(&received), json!({}), "no message came in");
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open =
        || World { local: Local::open(dir.path(), Settings::default()).unwrap(), _dir: tempfile::tempdir().unwrap() };
    let world = open();
    world.sqs("CreateQueue", json!({ "QueueName": "q" })).await;
    world.sqs("SendMessage", json!({ "QueueUrl": "http://x/000000000000/q", "MessageBody": "kept" })).await;
    drop(world);
    let world = open();
    let received = world.sqs("ReceiveMessage", json!({ "QueueUrl": "http://x/000000000000/q" })).await;
    assert_eq!(body(&received)["Messages"][0]["Body"], "kept");
}
