//! The server from outside: bytes in, bytes out.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::common::{PASS, ROLE, engine};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response};
use serde_json::{Value, json};
use server::{Access, AccessKey, Other, OtherAnswer, Server, ServerSettings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn serve(settings: ServerSettings, other: Option<Arc<dyn Other>>) -> Running {
    let mut server = Server::new(engine().await, settings);
    if let Some(other) = other {
        server = server.with_other(other);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.serve(listener, async { drop(stopped.await) }));
    Running { address, stop, task }
}

/// An answer as it came over the wire.
#[derive(Debug)]
struct Heard {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

impl Heard {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// Status and code of an exception, told as every SDK looks for it.
    fn refusal(&self) -> (u16, String) {
        let body = self.json();
        assert_eq!(body["__type"], self.headers["x-amzn-errortype"].as_str());
        assert!(body["message"].is_string(), "{self:?}");
        (self.status, self.headers["x-amzn-errortype"].clone())
    }
}

/// A connection, and what came over it that nobody has looked at.
struct Client(TcpStream, Vec<u8>);

impl Client {
    async fn connect(server: &Running) -> Client {
        Client(TcpStream::connect(server.address).await.unwrap(), Vec::new())
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn hear(&mut self) -> Heard {
        tokio::time::timeout(Duration::from_secs(5), self.read()).await.expect("an answer in time")
    }

    async fn read(&mut self) -> Heard {
        let mut text = std::mem::take(&mut self.1);
        let head_end = loop {
            if let Some(end) = text.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            assert_ne!(self.0.read_buf(&mut text).await.unwrap(), 0, "closed: {}", String::from_utf8_lossy(&text));
        };
        let head = String::from_utf8(text[..head_end].to_vec()).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: HashMap<String, String> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().unwrap();
        while text.len() < head_end + 4 + length {
            assert_ne!(self.0.read_buf(&mut text).await.unwrap(), 0);
        }
        self.1 = text.split_off(head_end + 4 + length);
        Heard { status, headers, body: String::from_utf8(text[head_end + 4..].to_vec()).unwrap() }
    }
}

/// A request as boto3 writes it, but for what `changed` says: a header with an empty value is left out.
fn request(operation: &str, body: &str, changed: &[(&str, &str)]) -> String {
    let target = format!("AWSStepFunctions.{operation}");
    let length = body.len().to_string();
    let mut headers = vec![
        ("Host", "127.0.0.1:8083"),
        ("Content-Type", "application/x-amz-json-1.0"),
        ("X-Amz-Target", &target),
        ("Content-Length", &length),
        (
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=test/20260102/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0",
        ),
    ];
    for change in changed {
        headers.retain(|(name, _)| !name.eq_ignore_ascii_case(change.0));
        headers.push(*change);
    }
    let headers: String = headers
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    format!("POST / HTTP/1.1\r\n{headers}\r\n{body}")
}

async fn ask(server: &Running, text: &str) -> Heard {
    let mut client = Client::connect(server).await;
    client.send(text).await;
    client.hear().await
}

#[tokio::test]
async fn a_round_trip_on_one_connection() {
    let server = serve(ServerSettings::default(), None).await;
    let mut client = Client::connect(&server).await;
    let create = json!({"name": "m", "definition": PASS, "roleArn": ROLE}).to_string();
    client.send(&request("CreateStateMachine", &create, &[])).await;
    let created = client.hear().await;
    assert_eq!(created.status, 200, "{created:?}");
    assert_eq!(created.headers["content-type"], "application/x-amz-json-1.0");
    assert_eq!(created.headers["x-amzn-requestid"].len(), 36);
    assert!(created.headers.contains_key("date"));
    let machine = created.json()["stateMachineArn"].clone();

    // In pieces, and the second one before the first is answered.
    let start = request("StartExecution", &json!({"stateMachineArn": machine}).to_string(), &[]);
    let (first, second) = start.split_at(start.len() - 10);
    client.send(first).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    client.send(second).await;
    client.send(&start).await;
    let (one, two) = (client.hear().await, client.hear().await);
    assert_eq!((one.status, two.status), (200, 200));
    assert_ne!(one.headers["x-amzn-requestid"], two.headers["x-amzn-requestid"]);
    assert_ne!(one.json()["executionArn"], two.json()["executionArn"]);

    client.send(&request("DescribeExecution", r#"{"executionArn":"x"}"#, &[])).await;
    let refused = client.hear().await;
    assert_eq!(refused.refusal(), (400, "InvalidArn".into()));
    assert_eq!(refused.json()["message"], "Invalid Arn: 'Invalid ARN prefix: x'");
}

#[tokio::test]
async fn bodies_that_are_no_requests() {
    let settings = ServerSettings { max_request_bytes: 1000, ..ServerSettings::default() };
    let server = serve(settings, None).await;
    for body in ["", "nothing", "{", "{\"nextToken\": \"\\x\"}", "[]", "null", "{}}"] {
        let heard = ask(&server, &request("ListActivities", body, &[])).await;
        assert_eq!(heard.refusal(), (400, "SerializationException".into()), "{body}");
    }
    let heard = ask(&server, &request("ListActivities", &" ".repeat(1001), &[])).await;
    assert_eq!(heard.refusal(), (413, "RequestEntityTooLarge".into()));
    let chunked = [("Content-Length", ""), ("Transfer-Encoding", "chunked")];
    let text = request("ListActivities", "", &chunked) + "1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
    assert_eq!(ask(&server, &text).await.status, 200);
    let chunk = format!("258\r\n{}\r\n", " ".repeat(600));
    let text = request("ListActivities", "", &chunked) + &chunk + &chunk;
    assert_eq!(ask(&server, &text).await.refusal(), (413, "RequestEntityTooLarge".into()));
}

#[tokio::test]
async fn what_a_web_page_could_send_is_refused() {
    let server = serve(ServerSettings::default(), None).await;
    let heard = |changed: Vec<(&'static str, &'static str)>| {
        let text = request("ListActivities", "{}", &changed);
        let server = &server;
        async move { ask(server, &text).await }
    };
    for changed in [
        ("Origin", "http://evil.example"),
        ("Origin", "null"),
        ("Host", "evil.example"),
        ("Host", "evil.example:8083"),
        ("Host", "127.0.0.1.evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
    ] {
        assert_eq!(heard(vec![changed]).await.refusal(), (403, "AccessDeniedException".into()), "{changed:?}");
    }
    for kind in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let refusal = heard(vec![("Content-Type", kind)]).await.refusal();
        assert_eq!(refusal, (415, "UnsupportedMediaTypeException".into()), "{kind}");
    }
    for changed in [
        ("Host", "localhost"),
        ("Host", "LOCALHOST:1"),
        ("Host", "[::1]:8083"),
        ("Host", "sync-localhost:8083"),
        ("Content-Type", "application/json; charset=utf-8"),
    ] {
        assert_eq!(heard(vec![changed]).await.status, 200, "{changed:?}");
    }
    let named = ServerSettings { allowed_hosts: Some(vec!["stepwell.internal".into()]), ..ServerSettings::default() };
    let server = serve(named, None).await;
    let text = request("ListActivities", "{}", &[("Host", "Stepwell.Internal:80")]);
    assert_eq!(ask(&server, &text).await.status, 200);
    let text =
        "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: AWSStepFunctions.ListActivities\r\n\r\n";
    assert_eq!(ask(&server, text).await.refusal(), (403, "AccessDeniedException".into()));
}

#[tokio::test]
async fn requests_that_name_no_operation() {
    let server = serve(ServerSettings::default(), None).await;
    for (changed, status) in [
        (("X-Amz-Target", ""), 400),
        (("X-Amz-Target", "AWSStepFunctions."), 400),
        (("X-Amz-Target", "AWSStepFunctions.Nothing"), 400),
        (("X-Amz-Target", "AmazonSQS.ListQueues"), 404),
    ] {
        let heard = ask(&server, &request("", "{}", &[changed])).await;
        assert_eq!(heard.refusal(), (status, "UnknownOperationException".into()), "{changed:?}");
    }
    let heard = ask(&server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!(heard.refusal(), (404, "UnknownOperationException".into()));
    let heard = ask(&server, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_eq!((heard.status, heard.body.as_str()), (200, r#"{"status":"ok"}"#));
}

/// Answers everything that is for SQS.
struct Sqs;

impl Other for Sqs {
    fn handle(&self, request: Request<Bytes>) -> OtherAnswer<'_> {
        Box::pin(async move {
            let target = request.headers().get("x-amz-target")?.to_str().ok()?;
            target.starts_with("AmazonSQS.").then(|| Response::new(request.into_body()))
        })
    }

    fn stream(&self, _: http::Request<hyper::body::Incoming>) -> server::OtherStream<'_> {
        unreachable!("it streams nothing")
    }
}

#[tokio::test]
async fn another_service_behind_the_same_door() {
    let server = serve(ServerSettings::default(), Some(Arc::new(Sqs))).await;
    let heard = ask(&server, &request("", "{\"a\":1}", &[("X-Amz-Target", "AmazonSQS.ListQueues")])).await;
    assert_eq!((heard.status, heard.body.as_str()), (200, "{\"a\":1}"));
    let heard = ask(&server, &request("", "{}", &[("X-Amz-Target", "Other.ListQueues")])).await;
    assert_eq!(heard.refusal(), (404, "UnknownOperationException".into()));
    assert_eq!(ask(&server, &request("ListActivities", "{}", &[])).await.status, 200);
}

#[tokio::test]
async fn an_access_key_of_twelve_digits_is_an_account() {
    let server = serve(ServerSettings::default(), None).await;
    for (key, account) in [("000000000002", "000000000002"), ("test", "000000000000"), ("12345678901x", "000000000000")]
    {
        let credential =
            format!("AWS4-HMAC-SHA256 Credential={key}/20260102/us-east-1/states/aws4_request, Signature=0");
        let text = request("CreateActivity", r#"{"name":"a"}"#, &[("Authorization", &credential)]);
        let created = ask(&server, &text).await.json();
        assert_eq!(created["activityArn"], format!("arn:aws:states:us-east-1:{account}:activity:a"));
    }
    let text = request("CreateActivity", r#"{"name":"a"}"#, &[("Authorization", "")]);
    assert_eq!(ask(&server, &text).await.status, 200, "unsigned");
}

/// A request that is signed with a key; the target only if it is there when signing.
fn signed(key: &str, secret: &str, service: &str, sign_target: bool, body: &str) -> String {
    const TARGET: &str = "AWSStepFunctions.CreateActivity";
    let credentials = aws::Credentials::new(key, secret, None, None, "test");
    let mut headers = HeaderMap::new();
    headers.insert("host", HeaderValue::from_static("localhost:8083"));
    if sign_target {
        headers.insert("x-amz-target", HeaderValue::from_static(TARGET));
    }
    let at = SystemTime::now();
    let signing = aws::auth::Signing { credentials: &credentials, region: "us-east-1", service, at };
    aws::auth::sign(signing, "POST", "http://localhost:8083/", &mut headers, body.as_bytes()).unwrap();
    headers.insert("x-amz-target", HeaderValue::from_static(TARGET));
    let changed: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    request("", body, &changed)
}

#[tokio::test]
async fn with_keys_every_request_is_signed() {
    let key = |account: Option<&str>| AccessKey { secret: "secret".into(), account: account.map(str::to_owned) };
    let keys = HashMap::from([("AKIDA".to_owned(), key(None)), ("AKIDB".to_owned(), key(Some("000000000009")))]);
    let settings = ServerSettings { access: Access::Keys(keys), allowed_hosts: None, ..ServerSettings::default() };
    let server = serve(settings, Some(Arc::new(Sqs))).await;
    let body = r#"{"name":"a"}"#;
    for (key, account) in [("AKIDA", "000000000000"), ("AKIDB", "000000000009")] {
        let heard = ask(&server, &signed(key, "secret", "states", true, body)).await;
        assert_eq!(heard.json()["activityArn"], format!("arn:aws:states:us-east-1:{account}:activity:a"), "{heard:?}");
    }
    let tampered = signed("AKIDA", "secret", "states", true, body).replace(body, r#"{"name":"b"}"#);
    let unsigned = request("CreateActivity", body, &[("Authorization", "")]);
    let sqs = request("", body, &[("Authorization", ""), ("X-Amz-Target", "AmazonSQS.ListQueues")]);
    for (text, code) in [
        (tampered, "InvalidSignatureException"),
        (signed("AKIDA", "guess", "states", true, body), "InvalidSignatureException"),
        (signed("AKIDA", "secret", "sqs", true, body), "InvalidSignatureException"),
        (signed("AKIDA", "secret", "states", false, body), "InvalidSignatureException"),
        (signed("AKIDC", "secret", "states", true, body), "UnrecognizedClientException"),
        (unsigned, "MissingAuthenticationTokenException"),
        (sqs, "MissingAuthenticationTokenException"),
    ] {
        assert_eq!(ask(&server, &text).await.refusal(), (400, code.into()));
    }
}

#[tokio::test]
async fn a_server_that_closes_answers_what_it_was_asked() {
    let server = serve(ServerSettings::default(), None).await;
    let created = ask(&server, &request("CreateActivity", r#"{"name":"a"}"#, &[])).await.json();
    let mut worker = Client::connect(&server).await;
    worker.send(&request("GetActivityTask", &json!({"activityArn": created["activityArn"]}).to_string(), &[])).await;
    let _idle = Client::connect(&server).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let Running { address, stop, task } = server;
    stop.send(()).unwrap();
    let heard = worker.hear().await;
    assert_eq!((heard.status, heard.body.as_str()), (200, "{}"), "sent away before its 60 seconds");
    tokio::time::timeout(Duration::from_secs(5), task).await.expect("closed in time").unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_client_that_says_nothing_is_not_waited_for() {
    let quick = Duration::from_millis(50);
    let settings = ServerSettings { head_timeout: quick, body_timeout: quick, ..ServerSettings::default() };
    let server = serve(settings, None).await;
    let mut silent = Client::connect(&server).await;
    silent.send("POST / HT").await;
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(5), silent.0.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the connection is closed");
    let half = request("ListActivities", "{}", &[("Content-Length", "20")]);
    assert_eq!(ask(&server, &half).await.refusal(), (408, "RequestTimeout".into()));
}
