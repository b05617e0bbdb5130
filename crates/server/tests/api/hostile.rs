//! Executions whose expressions are out for harm run side by side with others, who are answered meanwhile.

use crate::common::{House, PASS};
use serde_json::json;

/// An expression without end, again and again: each time it fails the state, and the state is entered anew.
const HARM: &str = r#"{"QueryLanguage": "JSONata", "StartAt": "Again", "States": {"Again": {"Type": "Parallel",
    "Catch": [{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "Again"}], "End": true,
    "Branches": [{"StartAt": "Endless", "States": {"Endless": {"Type": "Pass", "End": true,
        "Output": "{% ($f := function($x){ $f($x + 1) }; $f(1)) %}"}}}]}}}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_answered_meanwhile() {
    let house = House::open().await;
    let harm = house.machine("harm", HARM).await;
    let mut harmful = Vec::new();
    for name in ["a", "b", "c", "d"] {
        harmful.push(house.start(&harm, name).await);
    }
    let pass = house.machine("pass", PASS).await;
    for nth in 0..50 {
        let execution = house.start(&pass, &nth.to_string()).await;
        house.finished(&execution).await;
    }
    for execution in &harmful {
        let this = json!({"executionArn": execution});
        assert_eq!(house.good("DescribeExecution", this.clone()).await["status"], "RUNNING");
        house.good("StopExecution", this.clone()).await;
        assert_eq!(house.good("DescribeExecution", this.clone()).await["status"], "ABORTED");
        let history = house.good("GetExecutionHistory", this).await;
        let failed = history["events"].as_array().unwrap().iter().find(|event| event["type"] == "EvaluationFailed");
        let details = &failed.expect("an expression has failed")["evaluationFailedEventDetails"];
        let cause = details["cause"].as_str().unwrap();
        assert!(cause.ends_with("Expression evaluation timeout: Check for infinite loop"), "{cause}");
    }
}
