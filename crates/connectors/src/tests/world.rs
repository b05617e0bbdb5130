//! A world for tests: one loopback server that plays every service, an API that plays our own, and tasks to carry out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use asl::Resource;
use async_trait::async_trait;
use aws::endpoint::Environment;
use aws::{CredentialChain, Endpoints};
use engine::port::{Answer, Api, ApiError, Followed, Job, TaskRequest};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::{ConnectorSettings, Connectors};

/// What a service was asked: the first line's path, and the body.
pub type Asked = (String, String);
type Script = Arc<dyn Fn(usize, &Asked) -> String + Send + Sync>;

/// Plays services: answers what its script says to the n-th question. An answer of `broken` breaks the connection, one of
/// `silence` never comes, and after one that ends in a zero the connection does.
pub struct Stub {
    pub url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Stub {
    pub async fn start(script: impl Fn(usize, &Asked) -> String + Send + Sync + 'static) -> Stub {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (asked, heads) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let stub = Stub { url, asked: asked.clone(), heads: heads.clone() };
        let script: Script = Arc::new(script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, script.clone(), asked.clone(), heads.clone()));
            }
        });
        stub
    }

    /// Answers in turn; the last answer stands for all that follow.
    pub async fn saying(answers: &[String]) -> Stub {
        let answers = answers.to_vec();
        Stub::start(move |turn, _| answers[turn.min(answers.len() - 1)].clone()).await
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Access key ids of what was asked.
    pub fn signers(&self) -> Vec<String> {
        let signer = |head: &String| {
            head.split_once("Credential=").and_then(|(_, rest)| rest.split('/').next()).unwrap_or_default().to_owned()
        };
        self.heads.lock().unwrap().iter().map(signer).collect()
    }

    /// First line and headers of what was asked, without those that are different each time.
    pub fn heads(&self) -> Vec<String> {
        let told = |line: &&str| !line.starts_with("x-amz-date") && !line.starts_with("user-agent");
        let today = regex::Regex::new(r"/\d{8}/|, Signature=.*").unwrap();
        let constant = |line: &str| today.replace_all(line, "").into_owned();
        let head = |head: &String| head.lines().filter(told).map(constant).collect::<Vec<_>>().join("\n");
        self.heads.lock().unwrap().iter().map(head).collect()
    }

    /// A header of what was asked, by its name in lower case; empty where there was none.
    pub fn header(&self, name: &str) -> Vec<String> {
        let begins = format!("{name}: ");
        let value = |head: &String| head.lines().find_map(|line| line.strip_prefix(&begins)).map(str::to_owned);
        self.heads.lock().unwrap().iter().map(|head| value(head).unwrap_or_default()).collect()
    }

    /// Bodies of what was asked.
    pub fn bodies(&self) -> Vec<String> {
        self.asked().into_iter().map(|(_, body)| body).collect()
    }

    pub fn connectors(&self) -> Connectors {
        connectors(&[("AWS_ENDPOINT_URL", &self.url)])
    }
}

async fn serve(mut stream: TcpStream, script: Script, asked: Arc<Mutex<Vec<Asked>>>, heads: Arc<Mutex<Vec<String>>>) {
    while let Some((request, head)) = read_request(&mut stream).await {
        heads.lock().unwrap().push(head);
        let turn = {
            let mut asked = asked.lock().unwrap();
            asked.push(request.clone());
            asked.len() - 1
        };
        let answer = script(turn, &request);
        if answer == "silence" {
            // Until the other side has had enough.
            let _ = stream.read(&mut [0; 1]).await;
            return;
        }
        let whole = answer.trim_end_matches('\0');
        if answer == "broken" || stream.write_all(whole.as_bytes()).await.is_err() || whole.len() < answer.len() {
            return;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<(Asked, String)> {
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
            let path = head.split(' ').nth(1).unwrap_or_default();
            return Some(((path.to_owned(), body.to_owned()), head.to_owned()));
        }
    }
}

/// An HTTP answer.
pub fn http(status: u16, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nx-amzn-requestid: id-1\r\n{headers}\r\n{body}", body.len())
}

pub fn ok(body: &str) -> String {
    http(200, "content-type: application/x-amz-json-1.0\r\n", body)
}

pub fn connectors(variables: &[(&str, &str)]) -> Connectors {
    Connectors::new(settings(variables))
}

pub fn settings(variables: &[(&str, &str)]) -> ConnectorSettings {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let environment: Environment = Arc::new(move |name| variables.get(name).cloned());
    ConnectorSettings::new(Endpoints::new(environment.clone()), CredentialChain::new(environment))
}

pub fn task(resource: &str, parameters: Value) -> TaskRequest {
    TaskRequest {
        execution_arn: "arn:aws:states:us-east-1:000000000000:execution:m:e".into(),
        state: "S".into(),
        resource: Resource::parse(resource),
        parameters: parameters.into(),
        credentials: None,
        role: "arn:aws:iam::000000000000:role/r".into(),
        account: "000000000000".into(),
        region: "us-east-1".into(),
        idempotency_key: "key-1".into(),
        trace: None,
        resent: false,
    }
}

pub fn job(request: TaskRequest, submitted: Value) -> Job {
    Job { request, submitted: Some(submitted.into()) }
}

/// An answer as a reader wants it.
pub fn told(answer: &Answer) -> String {
    match answer {
        Answer::Succeeded(result) => format!("succeeded {}", result.text()),
        Answer::Submitted(result) => format!("submitted {}", result.text()),
        Answer::Failed { error, cause, stage } => {
            format!("failed ({stage:?}) {error}: {}", cause.as_deref().unwrap_or("-"))
        }
    }
}

pub fn stands(followed: &Followed) -> String {
    match followed {
        Followed::Running { ask_again } => format!("running, ask again after {ask_again:?}"),
        Followed::Succeeded(result) => format!("succeeded {}", result.text()),
        Followed::Failed { error, cause } => format!("failed {error}: {}", cause.as_deref().unwrap_or("-")),
    }
}

type Play = dyn Fn(&str, &Value) -> Result<Value, ApiError> + Send + Sync;

/// Plays our own API.
pub struct Home {
    play: Box<Play>,
    pub asked: Mutex<Vec<String>>,
}

impl Home {
    pub fn new(play: impl Fn(&str, &Value) -> Result<Value, ApiError> + Send + Sync + 'static) -> Arc<Home> {
        Arc::new(Home { play: Box::new(play), asked: Mutex::default() })
    }
}

#[async_trait]
impl Api for Home {
    async fn call(&self, account: &str, operation: &str, parameters: Value) -> Result<Value, ApiError> {
        self.asked.lock().unwrap().push(format!("{account} {operation} {parameters}"));
        (self.play)(operation, &parameters)
    }
}

pub fn refused(code: &str, message: &str) -> Result<Value, ApiError> {
    Err(ApiError { code: code.into(), message: message.into(), status: 400 })
}
