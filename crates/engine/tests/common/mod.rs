//! An engine over a store in memory, with a connector that keeps what it is told, and chance that can be had again.

#![allow(dead_code)]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::Payload;
use async_trait::async_trait;
use engine::api::{CreateStateMachine, MachineType, Publish, StartExecution, UpdateStateMachine};
use engine::port::{Answer, Connector, Followed, Job, LogBatch, Span, TaskRequest, Unreachable};
use engine::{Chance, Engine, Error, Settings, SystemClock};
use machine::record::Stage;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{MemoryStore, Store};

/// Answers every task with its parameters, and keeps log events and spans. `hang` in the parameters is never answered,
/// `fail` is the name of the error with which the first `times` attempts of the state fail.
#[derive(Default)]
pub struct World {
    pub asked: Mutex<Vec<TaskRequest>>,
    pub logged: Mutex<Vec<Value>>,
    pub spans: Mutex<Vec<Span>>,
    /// Deliveries that fail before one succeeds.
    pub deaf: AtomicU32,
}

#[async_trait]
impl Connector for World {
    async fn start(&self, request: TaskRequest) -> Answer {
        let attempts = {
            let mut asked = self.asked.lock().unwrap();
            asked.push(request.clone());
            asked.iter().filter(|other| other.state == request.state).count() as u64
        };
        if let Some(error) = request.parameters.value()["fail"].as_str()
            && attempts <= request.parameters.value()["times"].as_u64().unwrap_or(u64::MAX)
        {
            return Answer::Failed { error: error.into(), cause: Some("a secret".into()), stage: Stage::Run };
        }
        if request.resource.text.ends_with(".waitForTaskToken") {
            return Answer::Submitted(Payload::empty_object());
        }
        if request.parameters.value()["hang"].as_bool() == Some(true) {
            std::future::pending::<()>().await;
        }
        Answer::Succeeded(request.parameters)
    }

    async fn follow(&self, _: &Job) -> Result<Followed, Unreachable> {
        Ok(Followed::Running { ask_again: Duration::from_secs(1) })
    }

    async fn cancel(&self, _: &Job) -> Result<(), Unreachable> {
        Ok(())
    }

    fn takes_spans(&self) -> bool {
        true
    }

    async fn export_spans(&self, spans: &[Span]) -> Result<(), Unreachable> {
        if self.deaf.load(Ordering::Relaxed) > 0 {
            self.deaf.fetch_sub(1, Ordering::Relaxed);
            return Err(Unreachable("nobody hears".into()));
        }
        self.spans.lock().unwrap().extend_from_slice(spans);
        Ok(())
    }

    async fn deliver_logs(&self, batch: &LogBatch) -> Result<(), Unreachable> {
        if self.deaf.load(Ordering::Relaxed) > 0 {
            self.deaf.fetch_sub(1, Ordering::Relaxed);
            return Err(Unreachable("nobody hears".into()));
        }
        let events = batch.events.iter().map(|event| serde_json::from_str(&event.text).unwrap());
        self.logged.lock().unwrap().extend(events);
        Ok(())
    }
}

/// The same numbers for the same seed.
pub struct Dice {
    seed: u64,
    drawn: Mutex<u64>,
}

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice { seed, drawn: Mutex::new(0) }
    }
}

impl Chance for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for part in bytes.chunks_mut(32) {
            let mut drawn = self.drawn.lock().unwrap();
            *drawn += 1;
            let hash = Sha256::digest([self.seed.to_be_bytes(), drawn.to_be_bytes()].concat());
            part.copy_from_slice(&hash[..part.len()]);
        }
    }
}

/// The clock on the wall goes with tokio's, which a test can pause.
pub struct Pausable {
    from: tokio::time::Instant,
}

impl engine::Clock for Pausable {
    fn now(&self) -> machine::Timestamp {
        1_800_000_000_000 + self.from.elapsed().as_millis() as machine::Timestamp
    }
}

pub struct House {
    pub engine: Engine,
    pub store: Arc<dyn Store>,
    pub world: Arc<World>,
}

pub const ROLE: &str = "arn:aws:iam::000000000000:role/r";

impl House {
    pub async fn new() -> House {
        House::over(Arc::new(MemoryStore::new()), 1).await
    }

    pub async fn over(store: Arc<dyn Store>, seed: u64) -> House {
        let world = Arc::new(World::default());
        House::with(store, seed, world).await
    }

    pub async fn with(store: Arc<dyn Store>, seed: u64, world: Arc<World>) -> House {
        let settings = Settings::default();
        let (clock, chance) = (Arc::new(SystemClock), Arc::new(Dice::new(seed)));
        let engine = Engine::open_in(settings, store.clone(), world.clone(), clock, chance).await.unwrap();
        House { engine, store, world }
    }

    /// With a clock that goes with tokio's.
    pub async fn paused() -> House {
        let (store, world) = (Arc::new(MemoryStore::new()), Arc::new(World::default()));
        let clock = Arc::new(Pausable { from: tokio::time::Instant::now() });
        let settings = Settings::default();
        let engine = Engine::open_in(settings, store.clone(), world.clone(), clock, Arc::new(Dice::new(1))).await;
        House { engine: engine.unwrap(), store, world }
    }

    /// Executions that owe something.
    pub async fn owing(&self, epoch: u64) -> usize {
        self.store.hot(&store::Fence { shard: 0, epoch }, None, 10).await.unwrap().len()
    }

    pub async fn owes_nothing(&self, epoch: u64) {
        for _ in 0..1_000 {
            if self.owing(epoch).await == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("something is still owed");
    }

    /// Another process over the same store.
    pub async fn again(self) -> House {
        self.engine.shutdown().await;
        House::over(self.store, 2).await
    }

    pub fn new_machine(name: &str, definition: &str) -> CreateStateMachine {
        CreateStateMachine {
            account: "000000000000".into(),
            name: name.into(),
            definition: definition.into(),
            role: ROLE.into(),
            machine_type: MachineType::Standard,
            logging: None,
            tracing: None,
            encryption: None,
            tags: Vec::new(),
            publish: None,
        }
    }

    pub async fn machine(&self, definition: &str) -> Arc<str> {
        self.engine.create_state_machine(House::new_machine("m", definition)).await.unwrap().machine.arn
    }

    pub async fn express(&self, definition: &str) -> Arc<str> {
        let request = CreateStateMachine { machine_type: MachineType::Express, ..House::new_machine("m", definition) };
        self.engine.create_state_machine(request).await.unwrap().machine.arn
    }

    pub async fn update(&self, machine: &str, definition: &str) {
        let request = UpdateStateMachine {
            arn: machine.into(),
            definition: Some(definition.into()),
            ..UpdateStateMachine::default()
        };
        self.engine.update_state_machine(request).await.unwrap();
    }

    pub async fn publish(&self, machine: &str) -> Arc<str> {
        self.engine.publish_version(machine, None, Publish::default()).await.unwrap().arn
    }

    pub fn request(machine: &str, input: &str) -> StartExecution {
        StartExecution {
            machine: machine.into(),
            name: None,
            input: Payload::parse(input).unwrap(),
            trace_header: None,
            parent: None,
        }
    }

    pub async fn start(&self, machine: &str, input: &str) -> Result<Arc<str>, Error> {
        self.engine.start_execution(House::request(machine, input)).await.map(|started| started.arn)
    }
}

/// A machine of one Pass state with this result.
pub fn pass(result: Value) -> String {
    json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "Result": result, "End": true}}}).to_string()
}

/// A machine of one task with these parameters.
pub fn task(parameters: Value) -> String {
    let resource = "arn:aws:states:::sqs:sendMessage";
    let mut all = json!({"QueueUrl": "q", "MessageBody": "b"});
    all.as_object_mut().unwrap().extend(parameters.as_object().unwrap().clone());
    json!({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "Parameters": all, "End": true}}})
        .to_string()
}

/// Until it is so, for some seconds.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("never: {what}");
}
