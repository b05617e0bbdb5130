//! A toy of a Step Functions endpoint, in memory, and the workloads run against it: the driver is tested here, not an
//! engine. It knows the four kinds of machine that the workloads make, by the first state's type.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::drive::{Size, Source};
use crate::figures::Report;
use crate::http::{self, Client};
use crate::queue::Queue;
use crate::{activities, callbacks, passes, timers};

#[derive(Default)]
struct Toy {
    machines: Vec<Value>,
    executions: Vec<Execution>,
    activity: VecDeque<Value>,
    /// SendTaskSuccess is refused from here on: what a server that loses executions looks like.
    forgets_after: Option<usize>,
    resolved: usize,
}

struct Execution {
    machine: usize,
    input: String,
    started: f64,
    ends: Option<f64>,
    steps: usize,
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn tail(arn: &Value) -> usize {
    arn.as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap()
}

impl Toy {
    fn start(&mut self, request: &Value) -> (Value, Option<(String, String)>) {
        let (machine, number) = (tail(&request["stateMachineArn"]), self.executions.len());
        let first = &self.machines[machine]["States"][self.machines[machine]["StartAt"].as_str().unwrap()];
        let (input, started) = (request["input"].as_str().unwrap().to_owned(), now());
        let (mut ends, mut message) = (None, None);
        match first["Resource"].as_str() {
            Some(resource) if resource.ends_with("waitForTaskToken") => {
                let n: Value = serde_json::from_str(&input).unwrap();
                let body = json!({ "n": n["n"], "token": number.to_string() }).to_string();
                let url = first["Parameters"]["QueueUrl"].as_str().unwrap();
                let address = url.split('/').nth(2).unwrap().to_owned();
                message = Some((address, json!({ "QueueUrl": url, "MessageBody": body }).to_string()));
            }
            Some(_) => self.activity.push_back(json!({ "taskToken": number.to_string(), "input": input })),
            None => ends = Some(started + first["Seconds"].as_f64().unwrap_or(0.0)),
        }
        self.executions.push(Execution { machine, input, started, ends, steps: 0 });
        (json!({ "executionArn": format!("e:{number}"), "startDate": started }), message)
    }

    fn success(&mut self, token: &Value) -> Result<Value, &'static str> {
        self.resolved += 1;
        if self.forgets_after.is_some_and(|limit| self.resolved > limit) {
            return Err("TaskDoesNotExist");
        }
        let execution = &mut self.executions[tail(token)];
        execution.steps += 1;
        if execution.steps == self.machines[execution.machine]["States"].as_object().unwrap().len() {
            execution.ends = Some(now());
        } else {
            self.activity.push_back(json!({ "taskToken": token, "input": execution.input }));
        }
        Ok(json!({}))
    }

    fn describe(&self, arn: &Value) -> Value {
        let execution = &self.executions[tail(arn)];
        match execution.ends.filter(|end| *end <= now()) {
            Some(end) => json!({ "status": "SUCCEEDED", "startDate": execution.started, "stopDate": end }),
            None => json!({ "status": "RUNNING", "startDate": execution.started }),
        }
    }
}

async fn answer(toy: &RefCell<Toy>, target: &str, body: &[u8]) -> (u16, String) {
    let request: Value = serde_json::from_slice(body).unwrap();
    let answer = match target.strip_prefix("AWSStepFunctions.").unwrap() {
        "ListStateMachines" => json!({ "stateMachines": [] }),
        "CreateActivity" => json!({ "activityArn": "activity" }),
        "CreateStateMachine" => {
            let mut toy = toy.borrow_mut();
            toy.machines.push(serde_json::from_str(request["definition"].as_str().unwrap()).unwrap());
            json!({ "stateMachineArn": format!("m:{}", toy.machines.len() - 1) })
        }
        "StartExecution" => {
            let (answer, message) = toy.borrow_mut().start(&request);
            if let Some((address, message)) = message {
                let mut client = Client::new(address.parse().unwrap());
                assert_eq!(client.call("AmazonSQS.SendMessage", message.as_bytes()).await.unwrap().status, 200);
            }
            answer
        }
        "DescribeExecution" => toy.borrow().describe(&request["executionArn"]),
        "GetActivityTask" => {
            let task = toy.borrow_mut().activity.pop_front();
            if task.is_none() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            task.unwrap_or(json!({}))
        }
        "SendTaskSuccess" => match toy.borrow_mut().success(&request["taskToken"]) {
            Ok(answer) => answer,
            Err(name) => return (400, json!({ "__type": name }).to_string()),
        },
        other => panic!("a workload called {other}"),
    };
    (200, answer.to_string())
}

async fn open(toy: Toy) -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let toy = Rc::new(RefCell::new(toy));
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let toy = toy.clone();
            tokio::task::spawn_local(async move {
                http::answer_all(stream, async |target, body| answer(&toy, target, body).await).await
            });
        }
    });
    Source::Running { address, pid: Some(std::process::id()) }
}

const SMALL: Size = Size { executions: 300, in_flight: 8, calls: 20, parked: 150, many: 300, timers: 40, runs: 3 };

fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, work);
}

async fn queue() -> Queue {
    Queue::open("127.0.0.1:0".parse().unwrap()).await.unwrap()
}

#[test]
fn what_runs_to_its_end() {
    block_on(async {
        let (source, mut report) = (open(Toy::default()).await, Report::default());
        passes::w1(&source, &SMALL, &mut report).await.unwrap();
        passes::w1a(&source, &SMALL, &mut report).await.unwrap();
        passes::w2s(&source, &SMALL, &mut report).await.unwrap();
        passes::w4(&source, &SMALL, &mut report).await.unwrap();
        passes::w8_payload(&source, &SMALL, &mut report).await.unwrap();
        assert!(report.value("w1.rate").unwrap() > 10.0);
        assert!(report.value("w1a.rate").unwrap() > 10.0);
        assert!(report.value("w2s.p50").unwrap() <= report.value("w2s.p99").unwrap());
        assert!(report.value("w4.p50").unwrap() > 0.0);
        assert!(report.value("w8.passes").unwrap() > 0.0);
    });
}

#[test]
fn a_worker_does_all_tasks_of_every_execution() {
    block_on(async {
        let (source, mut report) = (open(Toy::default()).await, Report::default());
        activities::w1t(&source, &SMALL, &mut report).await.unwrap();
        assert!(report.value("w1t.rate").unwrap() > 1.0);
    });
}

#[test]
fn tokens_come_back_one_by_one_and_all_at_once() {
    block_on(async {
        let (source, queue, mut report) = (open(Toy::default()).await, queue().await, Report::default());
        callbacks::w3_latency(&source, &SMALL, &queue, &mut report).await.unwrap();
        callbacks::w3_parked(&source, &SMALL, &queue, &mut report).await.unwrap();
        assert!(report.value("w3.p50").unwrap() > 0.0);
        assert!(report.value("w3.starts").unwrap() > 10.0);
        assert!(report.value("w3.resolves").unwrap() > 10.0);
    });
}

#[test]
fn a_server_that_forgets_fails_the_workload() {
    block_on(async {
        let toy = Toy { forgets_after: Some(300), ..Toy::default() };
        let (source, queue) = (open(toy).await, queue().await);
        let told = callbacks::w3_parked(&source, &SMALL, &queue, &mut Report::default()).await.unwrap_err();
        assert!(told.to_string().contains("of 150 parked executions were lost"), "{told}");
    });
}

#[test]
fn timers_are_not_late_where_time_is_exact() {
    block_on(async {
        let (source, mut report) = (open(Toy::default()).await, Report::default());
        timers::w5(&source, &SMALL, &mut report).await.unwrap();
        assert!(report.value("w5.max").unwrap().abs() < 1.0);
        assert!(report.value("w5.seen").unwrap() < 500.0);
    });
}
