use super::*;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::auth::Scope;
use crate::endpoint::Environment;

/// A service on loopback that answers with what it is given, one text after the other (the last one for ever), and keeps
/// what it was asked. An empty text is silence.
struct Peer {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Peer {
    async fn start(answers: Vec<String>) -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, connections) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let peer = Peer { url, asked: asked.clone(), connections: connections.clone() };
        let answers = Arc::new(answers);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answers.clone(), asked.clone()));
            }
        });
        peer
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answers: Arc<Vec<String>>, asked: Arc<Mutex<Vec<String>>>) {
    while let Some(request) = read_request(&mut stream).await {
        let turn = {
            let mut asked = asked.lock().unwrap();
            asked.push(request);
            asked.len() - 1
        };
        let answer = &answers[turn.min(answers.len() - 1)];
        if answer.is_empty() {
            std::future::pending::<()>().await;
        }
        if stream.write_all(answer.as_bytes()).await.is_err() || answer == "broken" {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&buffer[..read]);
        let so_far = String::from_utf8_lossy(&text).into_owned();
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        if body.len() >= length {
            return Some(so_far);
        }
    }
}

fn answer(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nx-amzn-requestid: id\r\n{headers}\r\n{body}", body.len())
}

fn client(variables: &[(&str, &str)]) -> Client {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let environment: Environment = Arc::new(move |name| variables.get(name).cloned());
    Client::new(Endpoints::new(environment.clone()), CredentialChain::new(environment))
}

fn context() -> CallContext {
    CallContext { timeout: Duration::from_secs(5), ..CallContext::new("eu-central-1") }
}

#[tokio::test]
async fn a_call_is_signed_sent_and_read() {
    let peer = Peer::start(vec![answer(200, "", r#"{"MessageId":"m"}"#)]).await;
    let client = client(&[("AWS_ENDPOINT_URL_SQS", &peer.url)]);
    let params = json!({"QueueUrl": "http://q/0/q", "MessageBody": {"a": 1}, "DelaySeconds": null});
    for _ in 0..3 {
        let answer = client.call("sqs", "sendMessage", params.clone(), &context()).await.unwrap();
        assert_eq!(answer.value, json!({"MessageId": "m"}));
        assert_eq!((answer.http.status, answer.request_id.as_deref(), answer.attempts), (200, Some("id"), 1));
    }
    assert_eq!(peer.connections.load(Ordering::SeqCst), 1, "connections are kept");
    let asked = &peer.asked()[0];
    assert!(asked.starts_with("POST / HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("x-amz-target: AmazonSQS.SendMessage\r\n"), "{asked}");
    assert!(asked.ends_with(r#"{"QueueUrl":"http://q/0/q","MessageBody":"{\"a\":1}"}"#), "{asked}");
    let authorization = asked.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_str(authorization).unwrap());
    let scope = Scope::of(&headers, "").unwrap();
    assert_eq!((scope.region.as_str(), scope.service.as_str()), ("eu-central-1", "sqs"));
}

#[tokio::test]
async fn errors_of_the_service_say_all_three_names() {
    let body = r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"gone"}"#;
    let header = "x-amzn-query-error: AWS.SimpleQueueService.NonExistentQueue;Sender\r\n";
    let peer = Peer::start(vec![answer(400, header, body)]).await;
    let client = client(&[("AWS_ENDPOINT_URL", &peer.url)]);
    let called = client.call("sqs", "SendMessage", json!({"QueueUrl": "q"}), &context()).await;
    let Err(CallError::Service { error, http, attempts }) = called else { panic!("{called:?}") };
    assert_eq!((http.status, attempts), (400, 1));
    assert_eq!(error.to_string(), "QueueDoesNotExist: gone");
    assert_eq!(error.exception.as_deref(), Some("QueueDoesNotExist"));
    assert_eq!(error.query_code.as_deref(), Some("AWS.SimpleQueueService.NonExistentQueue"));
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let busy = answer(503, "", "");
    let throttled = answer(400, "", r#"{"__type":"ThrottlingException"}"#);
    let good = answer(200, "", "{}");
    let peer = Peer::start(vec![busy, "broken".into(), throttled, good]).await;
    let client = client(&[("AWS_ENDPOINT_URL", &peer.url)]);
    let quick = Duration::from_millis(2);
    let retries = Retries { attempts: 5, base: quick, throttled_base: quick, max: quick };
    let context = CallContext { retries, ..context() };
    let answer = client.call("sfn", "startExecution", json!({"StateMachineArn": "a"}), &context).await.unwrap();
    assert_eq!(answer.attempts, 4);

    let peer = Peer::start(vec![self::answer(400, "", r#"{"__type":"InvalidName"}"#)]).await;
    let context = CallContext { endpoint: Some(endpoint(&peer.url)), ..context };
    let called = client.call("sfn", "startExecution", json!({}), &context).await;
    assert!(matches!(called, Err(CallError::Service { attempts: 1, .. })), "{called:?}");
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url, Source::Settings, "test").unwrap()
}

#[tokio::test]
async fn nobody_there_is_told_in_the_sdk_s_words() {
    let client = client(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]);
    let error = client.call("sqs", "listQueues", Value::Null, &context()).await.unwrap_err();
    assert_eq!(error.to_string(), "Unable to execute HTTP request: Connect to 127.0.0.1:1 failed: Connection refused");
    // A label of more than 63 letters is no name, so nobody is asked for its address.
    let host = "no-such-queue-".repeat(5) + ".invalid";
    let queue = json!({"QueueUrl": format!("http://{host}"), "MessageBody": "m"});
    let context = CallContext { endpoint_from_queue_url: true, ..context() };
    let error = client.call("sqs", "sendMessage", queue, &context).await.unwrap_err();
    assert_eq!(error.to_string(), format!("Unable to execute HTTP request: {host}: Name or service not known"));
    let CallError::Connection(connection) = error else { panic!() };
    assert_eq!(connection.failed, Failed::Lookup);
}

#[tokio::test]
async fn a_queue_s_host_is_asked_unless_it_is_aws() {
    let (configured, queue) =
        (Peer::start(vec![answer(200, "", "{}")]).await, Peer::start(vec![answer(200, "", "{}")]).await);
    let client = client(&[("AWS_ENDPOINT_URL", &configured.url)]);
    let context = CallContext { endpoint_from_queue_url: true, ..context() };
    let at_queue = format!("{}/000000000000/q", queue.url);
    for (url, here, there) in [
        (at_queue.as_str(), 0, 1),
        ("https://sqs.us-east-1.amazonaws.com/000000000000/q", 1, 1),
        ("https://queue.amazonaws.com/000000000000/q", 2, 1),
        ("q", 3, 1),
    ] {
        client.call("sqs", "deleteMessage", json!({"QueueUrl": url, "ReceiptHandle": "r"}), &context).await.unwrap();
        assert_eq!((configured.asked().len(), queue.asked().len()), (here, there), "{url}");
    }
}

#[tokio::test]
async fn silence_and_flood_end() {
    let silent = Peer::start(vec![String::new()]).await;
    let client = client(&[]);
    let context =
        CallContext { endpoint: Some(endpoint(&silent.url)), timeout: Duration::from_millis(50), ..context() };
    let error = client.call("sqs", "listQueues", Value::Null, &context).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
    assert_eq!(error.to_string(), "Unable to execute HTTP request: Read timed out");

    let flood = Peer::start(vec![answer(200, "", &" ".repeat(MAX_RESPONSE + 1))]).await;
    let context = CallContext { endpoint: Some(endpoint(&flood.url)), ..self::context() };
    let error = client.call("sqs", "listQueues", Value::Null, &context).await.unwrap_err();
    assert!(matches!(error, CallError::TooLarge), "{error:?}");
}

#[tokio::test]
async fn nothing_is_sent_that_does_not_fit() {
    let client = client(&[]);
    let call = |service: &'static str, operation: &'static str, params: Value| {
        let client = client.clone();
        async move { client.call(service, operation, params, &context()).await.unwrap_err().to_string() }
    };
    assert_eq!(call("nosuch", "x", json!({})).await, "no service is called nosuch in the models of this build");
    assert_eq!(call("sqs", "x", json!({})).await, "sqs has no operation x");
    assert!(call("sqs", "listQueues", json!({})).await.starts_with("no endpoint for sqs: set AWS_ENDPOINT_URL_SQS"));
    let context = CallContext { endpoint: Some(endpoint("http://127.0.0.1:1")), ..context() };
    for (params, says) in [
        (json!({"Nope": 1}), "Nope: there is no member of this name"),
        (json!({"queueUrl": "q"}), "queueUrl: there is no member of this name"),
        (json!({"QueueUrl": 1}), "QueueUrl: the value must be a STRING"),
        (
            json!({"QueueUrl": "q", "MessageAttributes": {"a": {"DataType": 1}}}),
            "MessageAttributes.a.DataType: the value must be a STRING",
        ),
        (json!([]), "the value must be a MAP"),
    ] {
        let error = client.call("sqs", "sendMessage", params, &context).await.unwrap_err();
        assert_eq!(error.to_string(), says);
    }
    let error = client.call("lambda", "invoke", json!({"Payload": {}}), &context).await.unwrap_err();
    assert_eq!(error.to_string(), "FunctionName: the value is required");
}

#[tokio::test]
async fn real_aws_is_never_called_without_credentials() {
    let client = client(&[]);
    let aws = CallContext { endpoint: Some(endpoint("https://sqs.us-east-1.amazonaws.com")), ..context() };
    let error = client.call("sqs", "listQueues", Value::Null, &aws).await.unwrap_err();
    assert!(matches!(error, CallError::Credentials(_)), "{error:?}");
}

#[tokio::test]
async fn idempotency_tokens_are_given_or_made_up() {
    let peer = Peer::start(vec![answer(200, "", "{}")]).await;
    let client = client(&[("AWS_ENDPOINT_URL", &peer.url)]);
    let batch = models().service("batch").unwrap();
    let members = |operation: &Operation| operation.input.as_ref().map_or(&[][..], |input| batch.members(input));
    let asks = |operation: &&Operation| members(operation).iter().any(|member| member.target.idempotency_token);
    let operation = batch.operations().find(asks).expect("Batch has operations with a token").name.clone();
    let given = CallContext { idempotency_token: Some("given".into()), ..context() };
    client.call("batch", &operation, json!({}), &given).await.unwrap();
    client.call("batch", &operation, json!({}), &context()).await.unwrap();
    client.call("batch", &operation, json!({"ClientToken": "mine"}), &given).await.unwrap();
    let bodies: Vec<Value> = peer
        .asked()
        .iter()
        .map(|asked| serde_json::from_str(asked.split_once("\r\n\r\n").unwrap().1).unwrap())
        .collect();
    assert_eq!(bodies[0], json!({"clientToken": "given"}));
    let made_up = bodies[1]["clientToken"].as_str().unwrap();
    assert!(
        made_up.len() == 36 && made_up.as_bytes()[14] == b'4' && b"89ab".contains(&made_up.as_bytes()[19]),
        "{made_up}"
    );
    assert_eq!(bodies[2], json!({"clientToken": "mine"}));
}

#[test]
fn headers_are_spelled_as_aws_spells_them() {
    for (given, spelled) in [
        ("x-amzn-requestid", "x-amzn-RequestId"),
        ("content-type", "Content-Type"),
        ("x-amz-executed-version", "X-Amz-Executed-Version"),
        ("connection", "connection"),
        ("x-other", "x-other"),
    ] {
        assert_eq!(Http::spelled(given), spelled);
    }
}
