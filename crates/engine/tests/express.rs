//! Express executions: in memory, at least once, and looked at after their end.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::{House, pass, task, until};
use engine::Error;
use engine::api::{CreateStateMachine, HistoryQuery, MachineType};
use machine::Status;
use serde_json::{Value, json};
use store::{ItemKind, MemoryStore};

impl House {
    /// The rows of asynchronous executions that have not ended.
    async fn rows(&self) -> usize {
        self.store.items(ItemKind::Express, "0", None, 100).await.unwrap().items.len()
    }

    async fn types(&self, execution: &str) -> Vec<String> {
        let query = HistoryQuery { execution: execution.into(), from: None, limit: 100, reverse: false, data: true };
        let history = self.engine.history(query).await.unwrap();
        history.events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

fn logging(level: &str) -> Option<Value> {
    let group = json!({"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"});
    Some(json!({
        "level": level, "includeExecutionData": true, "destinations": [{"cloudWatchLogsLogGroup": group}]
    }))
}

#[tokio::test]
async fn a_synchronous_execution_is_answered_with_its_end() {
    let house = House::new().await;
    let machine = house.express(&task(json!({"x": 1}))).await;
    let execution = house.engine.start_sync_execution(House::request(&machine, "{}")).await.unwrap();
    let description = execution.description;
    assert_eq!(description.status, Status::Succeeded);
    assert_eq!(description.output.unwrap().value()["x"], 1);
    assert!(description.arn.starts_with("arn:aws:states:us-east-1:000000000000:express:m:"), "{}", description.arn);
    assert_eq!(house.rows().await, 0, "nothing is written");
    let shown = description.arn.replacen(":express:", ":execution:", 1);
    let wanted =
        ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited"];
    assert_eq!(house.types(&shown).await, [&wanted[..], &["ExecutionSucceeded"]].concat());
    assert_eq!(house.engine.describe_execution(&shown).await.unwrap().arn, description.arn);
    let refused = house.engine.describe_execution(&description.arn).await;
    assert!(matches!(refused, Err(Error::InvalidArn(_))), "AWS's answer stays: {refused:?}");
    let listed = house.engine.list_express(&machine, 0, 10).items;
    assert_eq!(listed.len(), 1);
}

#[tokio::test]
async fn a_standard_machine_is_not_run_at_once() {
    let house = House::new().await;
    let machine = house.machine(&pass(json!(1))).await;
    let refused = house.engine.start_sync_execution(House::request(&machine, "{}")).await;
    assert!(matches!(refused, Err(Error::StateMachineTypeNotSupported)), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn five_minutes_are_the_most() {
    let house = House::paused().await;
    let definition = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}"#;
    let machine = house.express(definition).await;
    let execution = house.engine.start_sync_execution(House::request(&machine, "{}")).await.unwrap().description;
    let took = Duration::from_millis((execution.stopped_at.unwrap() - execution.started_at) as u64);
    assert_eq!((execution.status, took), (Status::TimedOut, Duration::from_secs(300)));
}

#[tokio::test]
async fn the_definition_s_own_time_counts_too() {
    let house = House::new().await;
    let definition = r#"{"StartAt":"W","TimeoutSeconds":1,"States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}"#;
    let machine = house.express(definition).await;
    let execution = house.engine.start_sync_execution(House::request(&machine, "{}")).await.unwrap();
    assert_eq!(execution.description.status, Status::TimedOut);
}

#[tokio::test]
async fn what_did_not_end_runs_again_after_a_crash() {
    let house = House::over(Arc::new(MemoryStore::new()), 1).await;
    let machine = house.express(&task(json!({"hang": true}))).await;
    let arn = house.start(&machine, r#"{"n":1}"#).await.unwrap();
    until("the task is asked", || house.world.asked.lock().unwrap().len() == 1).await;
    assert_eq!(house.rows().await, 1, "committed before it is answered");
    let first = house.world.asked.lock().unwrap()[0].clone();
    let house = house.again().await;
    until("it is asked again", || house.world.asked.lock().unwrap().len() == 1).await;
    let second = house.world.asked.lock().unwrap()[0].clone();
    assert_eq!((&second.execution_arn, second.resent), (&arn, true));
    assert_eq!(first.idempotency_key, second.idempotency_key);
}

#[tokio::test]
async fn an_asynchronous_execution_leaves_no_row() {
    let house = House::new().await;
    let machine = house.express(&task(json!({"x": 1}))).await;
    let arn = house.start(&machine, "{}").await.unwrap();
    let shown = arn.replacen(":express:", ":execution:", 1);
    for _ in 0..1_000 {
        if house.rows().await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(house.rows().await, 0);
    assert_eq!(house.engine.describe_execution(&shown).await.unwrap().status, Status::Succeeded);
}

#[tokio::test]
async fn the_last_ones_are_kept() {
    let store = Arc::new(MemoryStore::new());
    let settings = engine::Settings {
        express: engine::ExpressSettings { kept: 3, ..engine::ExpressSettings::default() },
        ..engine::Settings::default()
    };
    let world = Arc::new(common::World::default());
    let engine = engine::Engine::open(settings, store.clone(), world.clone()).await.unwrap();
    let house = House { engine, store, world };
    let machine = house.express(&pass(json!(1))).await;
    let mut arns = Vec::new();
    for _ in 0..5 {
        let execution = house.engine.start_sync_execution(House::request(&machine, "{}")).await.unwrap();
        arns.push(execution.description.arn.to_string());
    }
    let kept: Vec<String> = house.engine.list_express(&machine, 0, 10).items.into_iter().map(|row| row.arn).collect();
    arns.reverse();
    assert_eq!(kept, arns[..3]);
    let gone = arns[4].replacen(":express:", ":execution:", 1);
    let gone = house.engine.describe_execution(&gone).await;
    assert!(matches!(gone, Err(Error::ExecutionDoesNotExist(_))), "{gone:?}");
}

#[tokio::test]
async fn events_are_logged_as_the_level_says() {
    let house = House::new().await;
    let fails = r#"{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E","Cause":"c"}}}"#;
    for (level, wanted) in [
        ("ALL", &["ExecutionStarted", "FailStateEntered", "ExecutionFailed"][..]),
        ("ERROR", &["FailStateEntered", "ExecutionFailed"]),
        ("FATAL", &["ExecutionFailed"]),
        ("OFF", &[]),
    ] {
        for machine_type in [MachineType::Standard, MachineType::Express] {
            let name = format!("{level}-{machine_type:?}");
            let request =
                CreateStateMachine { machine_type, logging: logging(level), ..House::new_machine(&name, fails) };
            let machine = house.engine.create_state_machine(request).await.unwrap().machine.arn;
            let arn = house.start(&machine, "{}").await.unwrap();
            let logged = || -> Vec<String> {
                let logged = house.world.logged.lock().unwrap();
                let own = logged.iter().filter(|event| event["execution_arn"] == *arn);
                own.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
            };
            until("the events are logged", || logged().len() >= wanted.len()).await;
            assert_eq!(logged(), wanted, "{name}");
        }
    }
    let logged = house.world.logged.lock().unwrap();
    let failed = logged.iter().find(|event| event["type"] == "ExecutionFailed").unwrap();
    assert_eq!(failed["details"], json!({"error": "E", "cause": "c"}));
    assert_eq!((&failed["id"], &failed["previous_event_id"]), (&json!("3"), &json!("2")));
    assert_eq!(failed["redrive_count"], "0");
}

/// What was not delivered is owed: another process over the same store delivers it, and then it is owed no more.
#[tokio::test]
async fn log_events_survive_a_crash() {
    let house = House::new().await;
    house.world.deaf.store(u32::MAX, Ordering::Relaxed);
    let request = CreateStateMachine { logging: logging("ALL"), ..House::new_machine("m", &pass(json!(1))) };
    let machine = house.engine.create_state_machine(request).await.unwrap().machine.arn;
    let arn = house.start(&machine, "{}").await.unwrap();
    house.engine.finished(&arn).await.unwrap();
    assert_eq!(house.owing(1).await, 1, "an execution that is over, and owes");
    let house = house.again().await;
    until("the events are logged", || house.world.logged.lock().unwrap().len() == 4).await;
    house.owes_nothing(2).await;
    let description = house.engine.describe_execution(&arn).await.unwrap();
    assert_eq!((description.status, description.output.unwrap().text().as_ref()), (Status::Succeeded, "1"));
}

/// What was logged is owed until it is delivered, and no longer, though the execution went on with nothing to log.
#[tokio::test]
async fn a_debt_of_log_events_is_settled_by_later_turns_too() {
    let house = House::new().await;
    house.world.deaf.store(1, Ordering::Relaxed);
    let parameters = json!({"QueueUrl": "q", "MessageBody": "b", "fail": "Lost"});
    let definition = json!({"StartAt": "Fails", "States": {
        "Fails": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": parameters,
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Works"}], "End": true},
        "Works": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "End": true,
            "Parameters": {"QueueUrl": "q", "MessageBody": "b"}},
    }});
    let request = CreateStateMachine { logging: logging("ERROR"), ..House::new_machine("m", &definition.to_string()) };
    let machine = house.engine.create_state_machine(request).await.unwrap().machine.arn;
    let arn = house.start(&machine, "{}").await.unwrap();
    assert_eq!(house.engine.finished(&arn).await.unwrap().status, Status::Succeeded);
    house.owes_nothing(1).await;
    let logged = house.world.logged.lock().unwrap();
    assert_eq!(logged.iter().map(|event| event["type"].as_str().unwrap()).collect::<Vec<_>>(), ["TaskFailed"]);
}
