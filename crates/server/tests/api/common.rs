//! A server over an engine in memory, and a connector that keeps what it is asked.

#![allow(dead_code)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use engine::Engine;
use engine::port::{Answer, Api, ApiError, Connector, Followed, Job, TaskRequest, Unreachable};
use serde_json::{Value, json};
use server::{Server, ServerSettings};
use store::MemoryStore;

pub const ACCOUNT: &str = "000000000000";
pub const ROLE: &str = "arn:aws:iam::000000000000:role/test";

/// One Pass state.
pub const PASS: &str = r#"{"StartAt":"P","States":{"P":{"Type":"Pass","Result":{"a":1},"End":true}}}"#;
pub const WAIT: &str = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}"#;
pub const FAIL: &str = r#"{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"Bad","Cause":"luck"}}}"#;
pub const CALLBACK: &str = r#"{"StartAt":"T","States":{"T":{"Type":"Task","End":true,
    "Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "Parameters":{"QueueUrl":"q","MessageBody":{"token.$":"$$.Task.Token"}}}}}"#;

#[derive(Default)]
struct Keeper {
    asked: Mutex<Vec<TaskRequest>>,
}

#[async_trait]
impl Connector for Keeper {
    async fn start(&self, request: TaskRequest) -> Answer {
        self.asked.lock().unwrap().push(request);
        Answer::Submitted(json!({"MessageId": "m"}).into())
    }

    async fn follow(&self, _: &Job) -> Result<Followed, Unreachable> {
        Ok(Followed::Running { ask_again: Duration::from_secs(60) })
    }

    async fn cancel(&self, _: &Job) -> Result<(), Unreachable> {
        Ok(())
    }
}

pub struct House {
    pub engine: Engine,
    pub api: Arc<dyn Api>,
    keeper: Arc<Keeper>,
}

pub async fn engine() -> Engine {
    Engine::open(engine::Settings::default(), Arc::new(MemoryStore::new()), Arc::new(Keeper::default())).await.unwrap()
}

impl House {
    pub async fn open() -> House {
        let keeper = Arc::new(Keeper::default());
        let store = Arc::new(MemoryStore::new());
        let engine = Engine::open(engine::Settings::default(), store, keeper.clone()).await.unwrap();
        let settings = ServerSettings { activity_wait: Duration::from_millis(50), ..ServerSettings::default() };
        let api = Server::new(engine.clone(), settings).api();
        House { engine, api, keeper }
    }

    pub async fn call(&self, operation: &str, mut parameters: Value) -> Result<Value, ApiError> {
        ignore(operation, "<", &mut parameters);
        let mut answer = self.api.call(ACCOUNT, operation, parameters).await?;
        ignore(operation, ">", &mut answer);
        Ok(answer)
    }

    #[track_caller]
    pub fn good(&self, operation: &'static str, parameters: Value) -> impl Future<Output = Value> {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.call(operation, parameters).await;
            answer.unwrap_or_else(|error| panic!("{place}: {operation}: {error:?}"))
        }
    }

    /// Some members of the items of each page, up to the last one.
    pub async fn pages<T>(
        &self,
        operation: &'static str,
        mut request: Value,
        items: &str,
        of: impl Fn(&Value) -> T,
    ) -> Vec<Vec<T>> {
        const MOST: usize = 10;
        let mut pages = Vec::new();
        while pages.len() < MOST {
            let page = self.good(operation, request.clone()).await;
            pages.push(page[items].as_array().unwrap().iter().map(&of).collect());
            match page.get("nextToken") {
                Some(token) => request["nextToken"] = token.clone(),
                None => return pages,
            }
        }
        panic!("{operation}: more than {MOST} pages");
    }

    /// `Code: message`.
    pub async fn bad(&self, operation: &str, parameters: Value) -> String {
        match self.call(operation, parameters.clone()).await {
            Err(ApiError { code, message, status: 400 }) => format!("{code}: {message}"),
            other => panic!("{operation} {parameters}: {other:?}"),
        }
    }

    /// The ARN of a new state machine.
    pub async fn machine(&self, name: &str, definition: &str) -> String {
        let request = json!({"name": name, "definition": definition, "roleArn": ROLE});
        let answer = self.good("CreateStateMachine", request).await;
        answer["stateMachineArn"].as_str().unwrap().to_owned()
    }

    /// The ARN of a new execution.
    pub async fn start(&self, machine: &str, name: &str) -> String {
        let request = json!({"stateMachineArn": machine, "name": name, "input": "{\"x\": 1}"});
        let answer = self.good("StartExecution", request).await;
        answer["executionArn"].as_str().unwrap().to_owned()
    }

    pub async fn finished(&self, execution: &str) {
        tokio::time::timeout(Duration::from_secs(5), self.engine.finished(execution)).await.unwrap().unwrap();
    }

    /// The token in the first message that was sent.
    pub async fn token(&self) -> String {
        for _ in 0..500 {
            if let Some(request) = self.keeper.asked.lock().unwrap().first() {
                return request.parameters.value()["MessageBody"]["token"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing was sent");
    }
}

/// Names a field (`CreateActivity < name`) that is neither asked nor answered, as if the server knew nothing of it: a
/// test that is said to hold it must fail then.
pub const IGNORED: &str = "IGNORED_FIELD";

fn ignore(operation: &str, sign: &str, members: &mut Value) {
    let Ok(ignored) = std::env::var(IGNORED) else { return };
    let field = ignored.strip_prefix(operation).and_then(|rest| rest.strip_prefix(&format!(" {sign} ")));
    if let (Some(field), Some(members)) = (field, members.as_object_mut()) {
        members.remove(field);
    }
}

/// With times and random texts made equal.
pub fn plain(mut answer: Value) -> Value {
    settle(&mut answer);
    answer
}

fn settle(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    _ if name.ends_with("Date") || name == "timestamp" => {
                        assert!(member.as_f64().is_some_and(|at| (1.7e9..1e11).contains(&at)), "{name}: {member}");
                        *member = "time".into();
                    }
                    "revisionId" => *member = "uuid".into(),
                    "nextToken" | "taskToken" => *member = "sealed".into(),
                    _ => settle(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(settle),
        _ => {}
    }
}
