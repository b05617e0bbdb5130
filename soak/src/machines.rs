//! The state machines of the load: one for each way in which an execution can wait for the world.

use serde_json::{Value, json};

use crate::outside::{ENDLESS, Outside, PARKING};

/// How often each kind is begun, out of the sum of all. The others are begun on purpose.
pub const WEIGHTS: &[(&str, u32)] =
    &[("timer", 6), ("activity", 8), ("callback", 8), ("call", 6), ("job", 4), ("parent", 3), ("both", 4), ("map", 2)];

fn states(states: &[(&str, Value)]) -> Value {
    let mut all = serde_json::Map::new();
    for (place, (name, state)) in states.iter().enumerate() {
        let mut state = state.clone();
        match states.get(place + 1) {
            Some((next, _)) => state["Next"] = json!(next),
            None => state["End"] = json!(true),
        }
        all.insert((*name).to_owned(), state);
    }
    json!({"StartAt": states[0].0, "States": all})
}

fn task(resource: &str, parameters: Value) -> Value {
    let resource = match resource.strip_prefix("arn:") {
        Some(_) => resource.to_owned(),
        None => format!("arn:aws:states:::{resource}"),
    };
    json!({"Type": "Task", "Resource": resource, "Parameters": parameters})
}

/// Every kind and its definition; `child` is what `parent` starts.
pub fn definitions(outside: &Outside, activity: &str, child: &str) -> Vec<(&'static str, Value)> {
    let pass = json!({"Type": "Pass"});
    let rest = json!({"Type": "Wait", "Seconds": 1});
    let ask = |queue: &str| {
        let body = json!({"execution.$": "$$.Execution.Name", "token.$": "$$.Task.Token"});
        let mut ask =
            task("sqs:sendMessage.waitForTaskToken", json!({"QueueUrl": outside.queue(queue), "MessageBody": body}));
        ask["HeartbeatSeconds"] = json!(3_600);
        ask
    };
    let call = task("lambda:invoke", json!({"FunctionName": "f", "Payload": {"execution.$": "$$.Execution.Name"}}));
    // A task whose worker never heard of it is only found again by its timeout.
    let mut work = task(activity, json!({"execution.$": "$$.Execution.Name"}));
    work["TimeoutSeconds"] = json!(2);
    work["Retry"] =
        json!([{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 99}]);
    let job = |definition: &str| {
        let named = json!({"JobName.$": "$$.Execution.Name", "JobQueue": "q", "JobDefinition": definition});
        task("batch:submitJob.sync", named)
    };
    let mut parent = task("states:startExecution.sync:2", json!({"StateMachineArn": child, "Input": {}}));
    parent["ResultSelector"] = json!({"child.$": "$.ExecutionArn"});
    let both = json!({"Type": "Parallel", "Branches": [
        states(&[("Ask", ask("asked"))]), states(&[("Rest", rest.clone()), ("Work", work.clone())])]});
    let map = json!({"Type": "Map", "ItemsPath": "$.items", "ItemProcessor":
        states(&[("Rest", rest.clone()), ("Call", call.clone())])});
    vec![
        ("timer", states(&[("Before", pass.clone()), ("Rest", rest), ("After", pass)])),
        ("activity", states(&[("Work", work)])),
        ("callback", states(&[("Ask", ask("asked"))])),
        ("call", states(&[("Call", call)])),
        ("job", states(&[("Job", job("short"))])),
        ("parent", states(&[("Child", parent)])),
        ("both", states(&[("Both", both)])),
        ("map", states(&[("All", map)])),
        ("endless", states(&[("Job", job(ENDLESS))])),
        ("parked", states(&[("Ask", ask(PARKING))])),
    ]
}

pub fn child() -> Value {
    states(&[
        ("Rest", json!({"Type": "Wait", "Seconds": 1})),
        ("Said", json!({"Type": "Pass", "Result": {"child": true}})),
    ])
}
