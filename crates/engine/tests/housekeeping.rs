//! What ended long ago goes, and work beyond the bounds is refused while what was accepted goes on.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::Payload;
use async_trait::async_trait;
use engine::api::{CreateStateMachine, MachineType, StartExecution};
use engine::port::{Answer, Connector, Followed, Job, TaskRequest, Unreachable};
use engine::{Clock, Engine, Error, Retention, Settings, SystemChance};
use machine::Status;
use store::{MemoryStore, Store};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
const SEND: &str = "arn:aws:states:::sqs:sendMessage";
const PUBLISH: &str = "arn:aws:states:::sns:publish";

/// A clock that is set by hand.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request-response to SQS never ends, one with a token is submitted, and SNS answers at once.
#[derive(Default)]
struct Services(Mutex<Vec<TaskRequest>>);

#[async_trait]
impl Connector for Services {
    async fn start(&self, request: TaskRequest) -> Answer {
        self.0.lock().unwrap().push(request.clone());
        match &*request.resource.text {
            PUBLISH => Answer::Succeeded(Payload::trusted("{}")),
            SEND => std::future::pending().await,
            _ => Answer::Submitted(Payload::trusted("{}")),
        }
    }

    async fn follow(&self, _: &Job) -> Result<Followed, Unreachable> {
        Err(Unreachable("nothing is followed".into()))
    }

    async fn cancel(&self, _: &Job) -> Result<(), Unreachable> {
        Ok(())
    }
}

struct House {
    engine: Engine,
    store: Arc<MemoryStore>,
    clock: Arc<Hand>,
    services: Arc<Services>,
}

impl House {
    async fn new(settings: Settings) -> House {
        House::over(Arc::new(MemoryStore::new()), settings).await
    }

    async fn over(store: Arc<MemoryStore>, settings: Settings) -> House {
        let clock = Arc::new(Hand(AtomicI64::new(1_700_000_000_000)));
        let services = Arc::new(Services::default());
        let open = Engine::open_in(settings, store.clone(), services.clone(), clock.clone(), Arc::new(SystemChance));
        House { engine: open.await.unwrap(), store, clock, services }
    }

    /// A machine of one state.
    async fn machine(&self, state: &str) -> String {
        let name = format!("m{}", state.len());
        let request = CreateStateMachine {
            account: "000000000000".into(),
            name,
            definition: format!(r#"{{"StartAt": "Only", "States": {{"Only": {{{state}, "End": true}}}}}}"#),
            role: "arn:aws:iam::000000000000:role/r".into(),
            machine_type: MachineType::Standard,
            logging: None,
            tracing: None,
            encryption: None,
            tags: Vec::new(),
            publish: None,
        };
        self.engine.create_state_machine(request).await.unwrap().machine.arn.to_string()
    }

    async fn start(&self, machine: &str, name: &str, input: &str) -> Result<Arc<str>, Error> {
        let request = StartExecution {
            machine: machine.into(),
            name: Some(name.into()),
            input: Payload::parse(input).unwrap(),
            trace_header: None,
            parent: None,
        };
        self.engine.start_execution(request).await.map(|started| started.arn)
    }

    async fn listed(&self, machine: &str) -> Vec<String> {
        let page = self.engine.list_executions(machine, None, None, None, 1000).await.unwrap();
        page.items.into_iter().map(|row| row.name).collect()
    }

    /// Time goes by, and the housekeeper has come round.
    async fn later(&self, ms: i64) {
        self.clock.0.fetch_add(ms, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

const PASS: &str = r#""Type": "Pass""#;

fn task(resource: &str) -> String {
    format!(
        r#""Type": "Task", "Resource": "{resource}", "Parameters":
        {{"QueueUrl": "q", "TopicArn": "t", "MessageBody": "b", "Message": "m"}}"#
    )
}

fn callback() -> String {
    format!(
        r#""Type": "Task", "Resource": "{SEND}.waitForTaskToken",
        "Parameters": {{"QueueUrl": "q", "MessageBody.$": "$$.Task.Token"}}"#
    )
}

fn kept(age: Option<i64>, bytes: Option<u64>) -> Settings {
    let age = age.map(|ms| Duration::from_millis(ms as u64));
    Settings { retention: Retention { age, bytes }, ..Settings::default() }
}

#[tokio::test(start_paused = true)]
async fn after_its_retention_an_execution_is_gone_and_its_name_is_free() {
    let house = House::new(kept(Some(90 * DAY), None)).await;
    let (pass, wait) = (house.machine(PASS).await, house.machine(&callback()).await);
    let old = house.start(&pass, "old", "1").await.unwrap();
    let waiting = house.start(&wait, "waiting", "1").await.unwrap();
    house.later(89 * DAY).await;
    let younger = house.start(&pass, "younger", "1").await.unwrap();
    assert_eq!(house.engine.describe_execution(&old).await.unwrap().status, Status::Succeeded);
    assert!(matches!(house.start(&pass, "old", "2").await, Err(Error::ExecutionAlreadyExists(_))));

    house.later(2 * DAY).await;
    assert!(matches!(house.engine.describe_execution(&old).await, Err(Error::ExecutionDoesNotExist(_))));
    assert_eq!(house.listed(&pass).await, ["younger"]);
    assert_eq!(house.engine.describe_execution(&younger).await.unwrap().status, Status::Succeeded);
    assert_eq!(house.engine.describe_execution(&waiting).await.unwrap().status, Status::Running, "it is not over");
    house.start(&pass, "old", "2").await.unwrap();
    assert_eq!(house.listed(&pass).await, ["old", "younger"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_too_large_gives_up_what_ended_first() {
    const BYTES: u64 = 1_000_000;
    let house = House::new(kept(None, Some(BYTES))).await;
    let pass = house.machine(PASS).await;
    let input = format!("\"{}\"", "x".repeat(10_000));
    // All of them within what is spared, however large the store.
    for number in 0..150 {
        house.start(&pass, &format!("{number:03}"), &input).await.unwrap();
    }
    house.later(MINUTE).await;
    assert_eq!(house.listed(&pass).await.len(), 150);

    house.later(5 * MINUTE).await;
    let most = house.listed(&pass).await.len();
    assert!(house.store.bytes().await.unwrap() <= BYTES && most < 150, "{most} are left");
    for number in 0..40 {
        house.start(&pass, &format!("late-{number:03}"), &input).await.unwrap();
    }
    house.later(MINUTE).await;
    let left = house.listed(&pass).await;
    assert_eq!(left.iter().filter(|name| name.starts_with("late")).count(), 40, "the youngest stay");
}

#[tokio::test(start_paused = true)]
async fn only_a_little_more_goes_than_must() {
    const BYTES: u64 = 1_000_000;
    let house = House::new(kept(None, Some(BYTES))).await;
    let pass = house.machine(PASS).await;
    let input = format!("\"{}\"", "x".repeat(1_000));
    let mut started = 0;
    while house.store.bytes().await.unwrap() <= BYTES {
        house.start(&pass, &format!("{started:05}"), &input).await.unwrap();
        house.clock.0.fetch_add(1, Ordering::Relaxed);
        started += 1;
    }
    house.later(6 * MINUTE).await;
    let left = house.listed(&pass).await;
    assert!((started - 10..started).contains(&left.len()), "{} of {started}", left.len());
    assert_eq!(left.last().unwrap(), &format!("{:05}", started - left.len()), "the oldest went");
}

#[tokio::test(start_paused = true)]
async fn starts_are_refused_while_callbacks_go_on() {
    let house = House::new(Settings::default()).await;
    let wait = house.machine(&callback()).await;
    let waiting = house.start(&wait, "waiting", "1").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent = house.services.0.lock().unwrap().remove(0);
    let token = sent.parameters.value()["MessageBody"].as_str().unwrap().to_owned();
    house.engine.shutdown().await;

    let full = House::over(house.store.clone(), Settings { starts: 0, ..Settings::default() }).await;
    assert!(matches!(full.start(&wait, "another", "1").await, Err(Error::ExecutionLimitExceeded)));
    full.engine.task_success(&token, Payload::trusted("\"heard\"")).await.unwrap();
    let over = full.engine.finished(&waiting).await.unwrap();
    assert_eq!((over.status, over.output.unwrap().text().as_ref()), (Status::Succeeded, "\"heard\""));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_hangs_holds_up_its_own_tasks_and_then_new_executions() {
    let house = House::new(Settings { dispatch: 1, backlog: 2, ..Settings::default() }).await;
    let (hanging, quick) = (house.machine(&task(SEND)).await, house.machine(&task(PUBLISH)).await);
    for number in 0..2 {
        house.start(&hanging, &number.to_string(), "1").await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(house.services.0.lock().unwrap().len(), 1, "the second one waits its turn");
    let other = house.start(&quick, "other", "1").await.unwrap();
    let other = house.engine.finished(&other).await.unwrap();
    assert_eq!(other.status, Status::Succeeded, "another service is not held up");

    house.start(&hanging, "third", "1").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(matches!(house.start(&quick, "refused", "1").await, Err(Error::ExecutionLimitExceeded)));
    let third = format!("{}:third", hanging.replace("stateMachine", "execution"));
    house.engine.stop_execution(&third, None, None).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    house.start(&quick, "accepted", "1").await.unwrap();
}
