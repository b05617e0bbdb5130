//! Whose name calls are signed with.

use std::collections::BTreeMap;

use engine::port::{Connector, TaskRequest};
use serde_json::json;

use super::world::{Stub, http, ok, settings, task, told};
use crate::{Connectors, RoleSource};

const SEND: &str = "arn:aws:states:::sqs:sendMessage";
const OTHER: &str = "arn:aws:iam::000000000002:role/other";

fn message(role: Option<&str>) -> TaskRequest {
    let mut request = task(SEND, json!({"QueueUrl": "q", "MessageBody": "m"}));
    request.credentials = role.map(|role| json!({"RoleArn": role}).into());
    request
}

/// STS, and the queue that is asked afterwards.
async fn services(expires: jiff::Timestamp) -> (Stub, Stub) {
    let sts = Stub::start(move |turn, _| {
        http(
            200,
            "",
            &format!(
                "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKIA{turn}</AccessKeyId>\
                 <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>{expires}</Expiration>\
                 </Credentials></AssumeRoleResult></AssumeRoleResponse>"
            ),
        )
    })
    .await;
    (sts, Stub::saying(&[ok("{}")]).await)
}

fn connectors(sts: Option<&Stub>, queue: &Stub, roles: &[(&str, RoleSource)]) -> Connectors {
    let mut variables = vec![("AWS_ENDPOINT_URL", queue.url.as_str())];
    variables.extend(sts.map(|sts| ("AWS_ENDPOINT_URL_STS", sts.url.as_str())));
    let roles: BTreeMap<String, RoleSource> = roles.iter().map(|(arn, to)| (arn.to_string(), to.clone())).collect();
    Connectors::new(crate::ConnectorSettings { roles, ..settings(&variables) })
}

#[tokio::test]
async fn local_services_are_told_the_account() {
    let (_, queue) = services(jiff::Timestamp::now()).await;
    let connectors = connectors(None, &queue, &[]);
    connectors.start(message(None)).await;
    connectors.start(message(Some(OTHER))).await;
    let mut elsewhere = message(None);
    elsewhere.account = "000000000007".into();
    connectors.start(elsewhere).await;
    assert_eq!(queue.signers(), ["test", "000000000002", "000000000007"]);
}

#[tokio::test]
async fn a_role_is_assumed_once_until_it_expires() {
    let hour = jiff::SignedDuration::from_hours(1);
    let (sts, queue) = services(jiff::Timestamp::now() + hour).await;
    let connectors = connectors(Some(&sts), &queue, &[]);
    let (one, two, three) = tokio::join!(
        connectors.start(message(Some(OTHER))),
        connectors.start(message(Some(OTHER))),
        connectors.start(message(None))
    );
    for answer in [one, two, three] {
        assert!(told(&answer).starts_with("succeeded"), "{}", told(&answer));
    }
    assert_eq!(sts.asked().len(), 1);
    assert!(
        sts.bodies()[0].contains("RoleArn=arn%3Aaws%3Aiam%3A%3A000000000002%3Arole%2Fother"),
        "{}",
        sts.bodies()[0]
    );
    let mut signers = queue.signers();
    signers.sort();
    assert_eq!(signers, ["AKIA0", "AKIA0", "test"]);

    // Five minutes before their end credentials are renewed.
    let (sts, queue) = services(jiff::Timestamp::now() + jiff::SignedDuration::from_mins(4)).await;
    let connectors = super::identity::connectors(Some(&sts), &queue, &[]);
    connectors.start(message(Some(OTHER))).await;
    connectors.start(message(Some(OTHER))).await;
    assert_eq!(queue.signers(), ["AKIA0", "AKIA1"]);
}

#[tokio::test]
async fn a_machines_role_may_be_assumed_first() {
    let hour = jiff::SignedDuration::from_hours(1);
    let (sts, queue) = services(jiff::Timestamp::now() + hour).await;
    let machine = message(None).role.to_string();
    let connectors = connectors(Some(&sts), &queue, &[(&machine, RoleSource::Assume)]);
    connectors.start(message(None)).await;
    connectors.start(message(Some(OTHER))).await;
    assert_eq!(queue.signers(), ["AKIA0", "AKIA1"]);
    // The state machine's role asks for the task's.
    assert_eq!(sts.signers(), ["test", "AKIA0"]);
}

#[tokio::test]
async fn a_role_that_is_refused_fails_the_task() {
    let refusal = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error>\
                   </ErrorResponse>";
    let sts = Stub::saying(&[http(403, "", refusal)]).await;
    let queue = Stub::saying(&[ok("{}")]).await;
    let answer = told(&connectors(Some(&sts), &queue, &[]).start(message(Some(OTHER))).await);
    assert_eq!(
        answer,
        "failed (Run) States.TaskFailed: The role arn:aws:iam::000000000000:role/r is not authorized to assume the task \
         state's role, arn:aws:iam::000000000002:role/other."
    );
    assert!(queue.asked().is_empty());
}
