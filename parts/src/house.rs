//! The engine and its API over a store in memory: a request is decoded, carried out and answered, without HTTP and disk.

use std::hint::black_box;
use std::sync::Arc;

use async_trait::async_trait;
use engine::api::HistoryQuery;
use engine::port::{Answer, Api, Connector, Followed, Job, TaskRequest, Unreachable};
use engine::{Engine, Settings};
use serde_json::{Value, json};
use server::{Server, ServerSettings};
use store::MemoryStore;
use tokio::runtime::Runtime;

use crate::Work;
use crate::heart::{ROLE, passes};

const ACCOUNT: &str = "000000000000";

/// Nothing that is measured here leaves the engine.
struct Nowhere;

#[async_trait]
impl Connector for Nowhere {
    async fn start(&self, _: TaskRequest) -> Answer {
        std::future::pending().await
    }

    async fn follow(&self, _: &Job) -> Result<Followed, Unreachable> {
        std::future::pending().await
    }

    async fn cancel(&self, _: &Job) -> Result<(), Unreachable> {
        Ok(())
    }
}

struct House {
    runtime: Runtime,
    engine: Engine,
    api: Arc<dyn Api>,
    machine: Value,
}

impl House {
    fn open() -> House {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let open = Engine::open(Settings::default(), Arc::new(MemoryStore::new()), Arc::new(Nowhere));
        let engine = runtime.block_on(open).expect("an engine");
        let api = Server::new(engine.clone(), ServerSettings::default()).api();
        let mut house = House { runtime, engine, api, machine: Value::Null };
        let create = json!({ "name": "parts", "definition": passes(), "roleArn": ROLE });
        house.machine = house.call("CreateStateMachine", create)["stateMachineArn"].clone();
        house
    }

    fn call(&self, operation: &str, request: Value) -> Value {
        self.runtime.block_on(self.api.call(ACCOUNT, operation, request)).expect("an answer")
    }

    fn start(&self, number: u64) -> Value {
        let name = format!("one-{number}");
        let request = json!({ "stateMachineArn": self.machine, "name": name, "input": "{}" });
        self.call("StartExecution", request)["executionArn"].clone()
    }
}

pub fn start() -> Work {
    let (house, mut number) = (House::open(), 0);
    Box::new(move || {
        number += 1;
        black_box(house.start(number));
    })
}

pub fn describe() -> Work {
    let house = House::open();
    let execution = house.start(0);
    Box::new(move || {
        black_box(house.call("DescribeExecution", json!({ "executionArn": execution })));
    })
}

pub fn history_page() -> Work {
    let mut house = House::open();
    let states = (0..100).map(|n| {
        let next = if n == 99 { r#""End":true"#.to_owned() } else { format!(r#""Next":"S{}""#, n + 1) };
        format!(r#""S{n}":{{"Type":"Pass",{next}}}"#)
    });
    let definition = format!(r#"{{"StartAt":"S0","States":{{{}}}}}"#, states.collect::<Vec<_>>().join(","));
    let create = json!({ "name": "long", "definition": definition, "roleArn": ROLE });
    house.machine = house.call("CreateStateMachine", create)["stateMachineArn"].clone();
    let execution = house.start(0);
    let execution = execution.as_str().expect("an ARN").to_owned();
    Box::new(move || {
        let query =
            HistoryQuery { execution: execution.clone(), from: Some(51), limit: 100, reverse: false, data: true };
        let page = house.runtime.block_on(house.engine.history(query)).expect("a page");
        assert_eq!(page.events.len(), 100);
        black_box(page);
    })
}
