//! Calls an AWS API: `cargo run -p aws --example call -- sqs sendMessage '{"QueueUrl": "…", "MessageBody": "hello"}'`
//!
//! Parameters and result are as in a state machine. Endpoint, region and credentials are found as the AWS SDKs find them;
//! real AWS is called only with `CALL_AWS=true`.

use aws::endpoint::process_environment;
use aws::{CallContext, Client, CredentialChain, Endpoints};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [service, operation, params] = &arguments[..] else { return Err("service, operation, parameters".into()) };
    let environment = process_environment();
    let credentials = CredentialChain::new(environment.clone());
    let region = credentials.region().unwrap_or_else(|| "us-east-1".into());
    let endpoints = Endpoints::new(environment).with_aws(std::env::var("CALL_AWS").is_ok_and(|value| value == "true"));
    let client = Client::new(endpoints, credentials);
    let called = client.call(service, operation, serde_json::from_str(params)?, &CallContext::new(region)).await;
    match called {
        Ok(answer) => println!("{} {:?}\n{:#}", answer.http.status, answer.request_id, answer.value),
        Err(error) => println!("{error}\n{error:?}"),
    }
    Ok(())
}
