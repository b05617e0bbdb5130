//! The engine over the memory store, with a connector that answers what a test tells it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use asl::Payload;
use async_trait::async_trait;
use engine::api::{CreateStateMachine, HistoryQuery, MachineType, StartExecution, StateMachine};
use engine::port::{Answer, Connector, Followed, Job, TaskRequest, Unreachable};
use engine::{Engine, Error, Settings};
use machine::Status;
use machine::record::Stage;
use store::{MemoryStore, Store};

/// Answers by the parameters' `do`.
#[derive(Default)]
struct Script {
    started: Mutex<Vec<TaskRequest>>,
    cancelled: Mutex<Vec<String>>,
    polls: Mutex<HashMap<String, u32>>,
    may_answer: tokio::sync::Notify,
}

#[async_trait]
impl Connector for Script {
    async fn start(&self, request: TaskRequest) -> Answer {
        self.started.lock().unwrap().push(request.clone());
        let wish = request.parameters.value()["do"].as_str().unwrap_or("echo").to_owned();
        match wish.as_str() {
            "fail" => Answer::Failed { error: "Boom".into(), cause: Some("why".into()), stage: Stage::Run },
            "submit" => Answer::Submitted(Payload::trusted(r#"{"id":1}"#)),
            "hang" => std::future::pending().await,
            "refuse later" => {
                self.may_answer.notified().await;
                Answer::Failed { error: "Refused".into(), cause: None, stage: Stage::Submit }
            }
            "panic" => panic!("a connector may be wrong"),
            _ => Answer::Succeeded(request.parameters),
        }
    }

    async fn follow(&self, job: &Job) -> Result<Followed, Unreachable> {
        let mut polls = self.polls.lock().unwrap();
        let count = polls.entry(job.request.idempotency_key.clone()).or_default();
        *count += 1;
        if job.request.parameters.value()["endless"].as_bool() == Some(true) || *count < 3 {
            return Ok(Followed::Running { ask_again: Duration::from_millis(5) });
        }
        Ok(Followed::Succeeded(Payload::trusted(r#"{"done":true}"#)))
    }

    async fn cancel(&self, job: &Job) -> Result<(), Unreachable> {
        let submitted = job.submitted.as_ref().map(|p| p.text().to_string()).unwrap_or_default();
        self.cancelled.lock().unwrap().push(submitted);
        Ok(())
    }
}

struct House {
    engine: Engine,
    store: Arc<dyn Store>,
    script: Arc<Script>,
}

impl House {
    async fn new() -> House {
        House::over(Arc::new(MemoryStore::new())).await
    }

    async fn over(store: Arc<dyn Store>) -> House {
        let script = Arc::new(Script::default());
        let engine = Engine::open(Settings::default(), store.clone(), script.clone()).await.unwrap();
        House { engine, store, script }
    }

    async fn machine(&self, definition: &str) -> StateMachine {
        let request = CreateStateMachine {
            account: "000000000000".into(),
            name: "m".into(),
            definition: definition.into(),
            role: "arn:aws:iam::000000000000:role/r".into(),
            machine_type: MachineType::Standard,
            logging: None,
            tracing: None,
            encryption: None,
            tags: Vec::new(),
            publish: None,
        };
        self.engine.create_state_machine(request).await.unwrap().machine
    }

    /// A machine of one job that is submitted like this.
    async fn job(&self, wish: &str) -> StateMachine {
        let parameters = format!(r#"{{"JobName":"n","JobDefinition":"d","JobQueue":"q","do":"{wish}"}}"#);
        self.machine(&task(SUBMIT, &parameters)).await
    }

    /// Executions with work in flight or owed.
    async fn hot(&self) -> usize {
        let fence = store::Fence { shard: 0, epoch: 1 };
        self.store.hot(&fence, None, 100).await.unwrap().len()
    }

    async fn start(&self, machine: &StateMachine, name: &str, input: &str) -> Result<Arc<str>, Error> {
        let request = StartExecution {
            machine: machine.arn.to_string(),
            name: Some(name.into()),
            input: Payload::parse(input).unwrap(),
            trace_header: None,
            parent: None,
        };
        self.engine.start_execution(request).await.map(|started| started.arn)
    }

    async fn finish(&self, arn: &str) -> (Status, String) {
        let over = tokio::time::timeout(Duration::from_secs(10), self.engine.finished(arn)).await;
        let over = over.expect("it ends").unwrap();
        let failure = over.failure.map(|f| format!("{f:?}"));
        (over.status, over.output.map(|o| o.text().to_string()).or(failure).unwrap_or_default())
    }

    async fn types(&self, arn: &str) -> Vec<String> {
        let query = HistoryQuery { execution: arn.into(), from: None, limit: 1000, reverse: false, data: true };
        let history = self.engine.history(query).await.unwrap();
        history.events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

fn task(resource: &str, parameters: &str) -> String {
    format!(
        r#"{{"StartAt":"T","States":{{"T":{{"Type":"Task","Resource":"{resource}","Parameters":{parameters},"End":true}}}}}}"#
    )
}

const INVOKE: &str = "arn:aws:states:::lambda:invoke";
const SUBMIT: &str = "arn:aws:states:::batch:submitJob.sync";
const CALLBACK: &str = "arn:aws:states:::sqs:sendMessage.waitForTaskToken";

#[tokio::test]
async fn a_task_is_carried_out() {
    let house = House::new().await;
    let machine = house.machine(&task(INVOKE, r#"{"FunctionName":"f","x.$":"$.x"}"#)).await;
    let arn = house.start(&machine, "e", r#"{"x":1}"#).await.unwrap();
    let (status, output) = house.finish(&arn).await;
    assert_eq!((status, output.as_str()), (Status::Succeeded, r#"{"FunctionName":"f","x":1}"#));
    let types = house.types(&arn).await;
    assert_eq!(types[2..5], ["TaskScheduled", "TaskStarted", "TaskSucceeded"]);
}

#[tokio::test]
async fn a_name_is_used_once() {
    let house = House::new().await;
    let machine = house.machine(r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":100,"End":true}}}"#).await;
    let first = house.start(&machine, "e", "{}").await.unwrap();
    assert_eq!(house.start(&machine, "e", "{}").await.unwrap(), first, "the same input: the same execution");
    let other = house.start(&machine, "e", "[1]").await;
    assert!(matches!(other, Err(Error::ExecutionAlreadyExists(_))), "{other:?}");
    house.engine.stop_execution(&first, None, None).await.unwrap();
    assert!(matches!(house.start(&machine, "e", "{}").await, Err(Error::ExecutionAlreadyExists(_))));
    assert_eq!(house.finish(&first).await.0, Status::Aborted);
}

#[tokio::test]
async fn a_job_is_followed_to_its_end() {
    let house = House::new().await;
    let machine =
        house.machine(&task(SUBMIT, r#"{"JobName":"n","JobDefinition":"d","JobQueue":"q","do":"submit"}"#)).await;
    let arn = house.start(&machine, "e", "{}").await.unwrap();
    assert_eq!(house.finish(&arn).await, (Status::Succeeded, r#"{"done":true}"#.into()));
    assert_eq!(house.types(&arn).await[2..6], ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]);
}

#[tokio::test]
async fn stopping_cancels_the_job() {
    let house = House::new().await;
    let parameters = r#"{"JobName":"n","JobDefinition":"d","JobQueue":"q","do":"submit","endless":true}"#;
    let machine = house.machine(&task(SUBMIT, parameters)).await;
    let arn = house.start(&machine, "e", "{}").await.unwrap();
    while house.types(&arn).await.len() < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    house.engine.stop_execution(&arn, Some("E".into()), None).await.unwrap();
    while house.script.cancelled.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(*house.script.cancelled.lock().unwrap(), [r#"{"id":1}"#]);
    // What it was stopped with is still told when the debt is paid, by a process that reads it from the store.
    while house.hot().await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let second = House::over(house.store.clone()).await;
    let described = second.engine.describe_execution(&arn).await.unwrap();
    assert_eq!(described.failure.and_then(|failure| failure.error).as_deref(), Some("E"));
}

#[tokio::test]
async fn work_in_flight_goes_on_after_a_restart() {
    let house = House::new().await;
    let machine =
        house.machine(&task(SUBMIT, r#"{"JobName":"n","JobDefinition":"d","JobQueue":"q","do":"hang"}"#)).await;
    let arn = house.start(&machine, "e", "{}").await.unwrap();
    while house.types(&arn).await.len() < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Another process takes the store; the first one's connector never answers.
    let second = House::over(house.store.clone()).await;
    while second.script.started.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (first, again) =
        (house.script.started.lock().unwrap()[0].clone(), second.script.started.lock().unwrap()[0].clone());
    assert_eq!(first.idempotency_key, again.idempotency_key);
    assert!(again.resent && !first.resent);
}

#[tokio::test]
async fn an_activity_worker_is_given_its_task() {
    let house = House::new().await;
    let activity = house.engine.create_activity("000000000000", "a", Vec::new(), None).await.unwrap();
    let definition =
        format!(r#"{{"StartAt":"T","States":{{"T":{{"Type":"Task","Resource":"{}","End":true}}}}}}"#, activity.arn);
    let machine = house.machine(&definition).await;
    let engine = house.engine.clone();
    let waiting = activity.arn.clone();
    let worker =
        tokio::spawn(
            async move { engine.get_activity_task(&waiting, Some("w".into()), Duration::from_secs(10)).await },
        );
    tokio::time::sleep(Duration::from_millis(20)).await;
    let arn = house.start(&machine, "e", r#"{"n":5}"#).await.unwrap();
    let work = worker.await.unwrap().unwrap().expect("work");
    assert_eq!(work.input.text().as_ref(), r#"{"n":5}"#);
    house.engine.task_heartbeat(&work.token).await.unwrap();
    house.engine.task_success(&work.token, Payload::trusted("7")).await.unwrap();
    assert_eq!(house.finish(&arn).await, (Status::Succeeded, "7".into()));
    let late = house.engine.task_success(&work.token, Payload::trusted("8")).await;
    assert!(matches!(late, Err(Error::TaskTimedOut)), "{late:?}");
    assert!(matches!(house.engine.task_heartbeat("x").await, Err(Error::InvalidToken)));
}

#[tokio::test]
async fn a_callback_waits_for_its_token_also_after_a_restart() {
    let house = House::new().await;
    let parameters = r#"{"QueueUrl":"q","MessageBody":{"t.$":"$$.Task.Token"},"do":"submit"}"#;
    let machine = house.machine(&task(CALLBACK, parameters)).await;
    let arn = house.start(&machine, "e", "{}").await.unwrap();
    while house.types(&arn).await.len() < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let request = house.script.started.lock().unwrap()[0].clone();
    let token = request.parameters.value()["MessageBody"]["t"].as_str().unwrap().to_owned();
    let second = House::over(house.store.clone()).await;
    second.engine.task_success(&token, Payload::trusted(r#""back""#)).await.unwrap();
    assert_eq!(second.finish(&arn).await, (Status::Succeeded, r#""back""#.into()));
    assert!(second.script.started.lock().unwrap().is_empty(), "a callback that waits is not sent again");
}

#[tokio::test]
async fn timers_fire() {
    let house = House::new().await;
    let machine = house.machine(r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"End":true}}}"#).await;
    let arn = house.start(&machine, "e", "{}").await.unwrap();
    assert_eq!(house.finish(&arn).await, (Status::Succeeded, "{}".into()));
}

#[tokio::test]
async fn a_machine_is_deleted_when_nothing_runs() {
    let house = House::new().await;
    let machine = house.machine(r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":100,"End":true}}}"#).await;
    let arn = house.start(&machine, "e", "{}").await.unwrap();
    house.engine.delete_state_machine(&machine.arn).await.unwrap();
    let deleting = house.engine.state_machine(&machine.arn).await.unwrap();
    assert_eq!(format!("{:?}", deleting.status), "Deleting");
    assert!(matches!(house.start(&machine, "f", "{}").await, Err(Error::StateMachineDeleting(_))));
    house.engine.stop_execution(&arn, None, None).await.unwrap();
    while house.engine.state_machine(&machine.arn).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn history_is_paged_in_both_directions() {
    let house = House::new().await;
    let machine = house.machine(&task(INVOKE, r#"{"FunctionName":"f"}"#)).await;
    let arn = house.start(&machine, "e", "{}").await.unwrap();
    house.finish(&arn).await;
    for reverse in [false, true] {
        let (mut ids, mut from) = (Vec::new(), None);
        loop {
            let query = HistoryQuery { execution: arn.to_string(), from, limit: 2, reverse, data: true };
            let page = house.engine.history(query).await.unwrap();
            ids.extend(page.events.iter().map(|event| event["id"].as_u64().unwrap()));
            from = page.next;
            if from.is_none() {
                break;
            }
        }
        if reverse {
            ids.reverse();
        }
        assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7]);
    }
}

/// Too large to be kept in memory while it waits, so it is loaded again for its answer.
#[tokio::test]
async fn a_request_is_sent_once_also_for_an_execution_that_leaves_memory() {
    let house = House::new().await;
    let machine = house.machine(&task(INVOKE, r#"{"FunctionName":"f","large.$":"$"}"#)).await;
    let arn = house.start(&machine, "e", &format!("\"{}\"", "x".repeat(100_000))).await.unwrap();
    assert_eq!(house.finish(&arn).await.0, Status::Succeeded);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(house.script.started.lock().unwrap().len(), 1);
    // The same for a job, whose submission is heard before its end.
    let house = House::new().await;
    let machine = house.job("submit").await;
    let arn = house.start(&machine, "e", &format!("\"{}\"", "x".repeat(100_000))).await.unwrap();
    assert_eq!(house.finish(&arn).await.0, Status::Succeeded);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(house.script.started.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_no_execution_without_a_driver() {
    let house = House::new().await;
    let machine = house.machine(&task(INVOKE, r#"{"FunctionName":"f"}"#)).await;
    for turn in 0..50 {
        let name = format!("e{turn}");
        let mut starting = Box::pin(house.start(&machine, &name, "{}"));
        // It is asked a few times and then dropped, as a connection is that breaks.
        for _ in 0..turn % 5 {
            let poll =
                std::future::poll_fn(|context| std::task::Poll::Ready(starting.as_mut().poll(context).is_ready()));
            if poll.await {
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(starting);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let running = house.engine.list_executions(&machine.arn, Some(Status::Running), None, None, 100).await.unwrap();
    assert_eq!(running.items.len(), 0, "what has started also ends");
}

#[tokio::test]
async fn a_job_that_was_stopped_and_then_refused_is_not_owed_for_ever() {
    let house = House::new().await;
    let machine = house.job("refuse later").await;
    let arn = house.start(&machine, "e", "{}").await.unwrap();
    while house.types(&arn).await.len() < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    house.engine.stop_execution(&arn, None, None).await.unwrap();
    assert_eq!(house.hot().await, 1);
    house.script.may_answer.notify_one();
    while house.hot().await > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Workers come and go at every moment; each task reaches one that stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_task_is_lost_between_workers_that_leave() {
    const TASKS: usize = 200;
    let house = House::new().await;
    let activity = house.engine.create_activity("000000000000", "a", Vec::new(), None).await.unwrap();
    let definition =
        format!(r#"{{"StartAt":"T","States":{{"T":{{"Type":"Task","Resource":"{}","End":true}}}}}}"#, activity.arn);
    let machine = house.machine(&definition).await;
    let workers: Vec<_> = (0..8_u64)
        .map(|worker| {
            let (engine, arn) = (house.engine.clone(), activity.arn.clone());
            tokio::spawn(async move {
                for round in 0.. {
                    let patience = Duration::from_micros((worker * 131 + round * 37) % 900);
                    let work = engine.get_activity_task(&arn, None, Duration::from_secs(60));
                    if let Ok(Ok(Some(work))) = tokio::time::timeout(patience, work).await {
                        engine.task_success(&work.token, Payload::trusted("1")).await.unwrap();
                    }
                }
            })
        })
        .collect();
    let mut started = Vec::new();
    for number in 0..TASKS {
        started.push(house.start(&machine, &format!("e{number}"), "{}").await.unwrap());
    }
    for arn in started {
        assert_eq!(house.finish(&arn).await.0, Status::Succeeded);
    }
    workers.iter().for_each(|worker| worker.abort());
}

/// The execution waits; the next process, or its own timeout, looks after it. Its neighbours do not notice.
#[tokio::test]
async fn a_connector_that_panics_takes_nobody_with_it() {
    let house = House::new().await;
    let machine = house.machine(&task(INVOKE, r#"{"FunctionName":"f","do.$":"$.do"}"#)).await;
    let broken = house.start(&machine, "broken", r#"{"do":"panic"}"#).await.unwrap();
    let fine = house.start(&machine, "fine", r#"{"do":"echo"}"#).await.unwrap();
    assert_eq!(house.finish(&fine).await.0, Status::Succeeded);
    house.engine.stop_execution(&broken, None, None).await.unwrap();
    assert_eq!(house.finish(&broken).await.0, Status::Aborted);
}
