//! The README's first example with the SDK for Rust: create, start, wait; then an Express execution in one call.

use std::env;
use std::error::Error;

use aws_credential_types::Credentials;
use aws_sdk_sfn::config::{BehaviorVersion, Region};
use aws_sdk_sfn::types::{ExecutionStatus, StateMachineType};
use aws_sdk_sfn::{Client, Config};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [name, definition, role] = &arguments[..] else { return Err("NAME DEFINITION ROLE are needed".into()) };
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(env::var("AWS_ENDPOINT_URL")?)
        .region(Region::new(env::var("AWS_REGION")?))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let client = Client::from_conf(config);

    let machine = client.create_state_machine().name(name).definition(definition).role_arn(role).send().await?;
    let started = client.start_execution().state_machine_arn(machine.state_machine_arn()).name("first").send().await?;
    let execution = loop {
        let execution = client.describe_execution().execution_arn(started.execution_arn()).send().await?;
        if execution.status() != &ExecutionStatus::Running {
            break execution;
        }
    };

    let express = client.create_state_machine().name(format!("{name}-express")).definition(definition).role_arn(role);
    let express = express.r#type(StateMachineType::Express).send().await?;
    let sync = client.start_sync_execution().state_machine_arn(express.state_machine_arn()).customize();
    // The SDK puts `sync-` before the host, and such a name there is only at AWS.
    let sync = sync.mutate_request(|request| {
        let uri = request.uri().replacen("://sync-", "://", 1);
        request.set_uri(uri).expect("an address without its prefix is one");
    });
    let sync = sync.send().await?;
    let told = json!({
        "execution": started.execution_arn(),
        "status": execution.status().as_str(),
        "output": execution.output(),
        "sync": sync.output(),
    });
    println!("{told}");
    Ok(())
}
