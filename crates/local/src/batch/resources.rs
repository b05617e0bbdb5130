//! Job definitions, job queues and compute environments. They are documents: kept as they were given, with the fields
//! AWS adds, and shown again. Only job queues (may jobs be submitted, which go first) and job definitions (what a job is)
//! mean something to the runner; compute environments are accepted so that scripts written for AWS run.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::{Map, Value, json};

use super::error::{client, not_here};
use super::job;
use crate::caller::Caller;
use crate::error::Answer;
use crate::params::{document, map, number, text, texts};
use crate::store::Tx;

/// The longest name of anything here.
const NAME_LIMIT: usize = 128;
/// How many documents one page shows at most.
const PAGE_LIMIT: i64 = 100;

pub const DEFINITION: &str = "job-definition";
pub const QUEUE: &str = "job-queue";
pub const ENVIRONMENT: &str = "compute-environment";

/// A stored document.
pub struct Resource {
    seq: i64,
    pub arn: String,
    pub document: Map<String, Value>,
}

impl Resource {
    pub fn text(&self, name: &str) -> &str {
        self.document.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Resource> {
    Ok(Resource { seq: row.get(0)?, arn: row.get(1)?, document: document(&row.get::<_, String>(2)?) })
}

fn check_name(what: &str, name: &str) -> Answer<()> {
    let good = (1..=NAME_LIMIT).contains(&name.len())
        && name.starts_with(|char: char| char.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if good {
        return Ok(());
    }
    Err(client(format!(
        "{what} must start with a letter or number and can have up to {NAME_LIMIT} letters, numbers, hyphens and underscores."
    )))
}

fn insert(tx: &Tx<'_>, kind: &str, caller: &Caller, name: &str, arn: &str, document: &Value) -> Answer<()> {
    tx.db.execute(
        "INSERT INTO batch_resources (arn, kind, account, region, name, document) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![arn, kind, caller.account, caller.region, name, document.to_string()],
    )?;
    Ok(())
}

pub fn save(tx: &Tx<'_>, resource: &Resource) -> Answer<()> {
    let document = Value::Object(resource.document.clone()).to_string();
    tx.db.execute("UPDATE batch_resources SET document = ?2 WHERE arn = ?1", params![resource.arn, document])?;
    Ok(())
}

/// The ARN that a name or an ARN means.
fn arn_of(kind: &str, caller: &Caller, name: &str) -> String {
    if name.starts_with("arn:") {
        return name.to_owned();
    }
    format!("arn:aws:batch:{}:{}:{kind}/{name}", caller.region, caller.account)
}

/// The document of an ARN.
pub fn by_arn(tx: &Tx<'_>, kind: &str, arn: &str) -> Answer<Option<Resource>> {
    Ok(tx
        .db
        .prepare_cached("SELECT seq, arn, document FROM batch_resources WHERE kind = ?1 AND arn = ?2")?
        .query_row([kind, arn], read)
        .optional()?)
}

fn find(tx: &Tx<'_>, kind: &str, caller: &Caller, name: &str) -> Answer<Option<Resource>> {
    by_arn(tx, kind, &arn_of(kind, caller, name))
}

/// All documents of a kind, in the order they came, from the page that the request asks for.
fn page(
    tx: &Tx<'_>,
    kind: &str,
    params: &Value,
    caller: &Caller,
    member: &str,
    keep: impl Fn(&Resource) -> bool,
) -> Answer {
    let limit = number(params, "maxResults").unwrap_or(PAGE_LIMIT).clamp(1, PAGE_LIMIT);
    let limit = usize::try_from(limit).unwrap_or(1);
    let after: i64 = text(params, "nextToken").and_then(|token| token.parse().ok()).unwrap_or(0);
    let mut statement = tx.db.prepare_cached(
        "SELECT seq, arn, document FROM batch_resources
         WHERE kind = ?1 AND account = ?2 AND region = ?3 AND seq > ?4 ORDER BY seq",
    )?;
    let mut shown = Vec::new();
    let mut last = after;
    let mut more = false;
    for resource in statement.query_map(params![kind, caller.account, caller.region, after], read)? {
        let resource = resource?;
        if !keep(&resource) {
            continue;
        }
        if shown.len() == limit {
            more = true;
            break;
        }
        last = resource.seq;
        shown.push(Value::Object(resource.document));
    }
    let mut answer = Map::from_iter([(member.to_owned(), Value::from(shown))]);
    if more {
        answer.insert("nextToken".to_owned(), Value::from(last.to_string()));
    }
    Ok(Value::Object(answer))
}

/// Copy the members of a request that AWS shows again.
fn copied(params: &Value, names: &[&str]) -> Map<String, Value> {
    map_of(params).filter(|(name, _)| names.contains(&name.as_str())).map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn map_of(params: &Value) -> impl Iterator<Item = (&String, &Value)> {
    params.as_object().into_iter().flatten()
}

// Job definitions.

pub fn register(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let name = text(params, "jobDefinitionName").unwrap_or_default();
    check_name("Job definition name", name)?;
    match text(params, "type") {
        Some("container") => {}
        Some(other) => return Err(not_here(&format!("A job definition of type {other}"))),
        None => return Err(client("Job definition type is required.")),
    }
    for unserved in ["nodeProperties", "eksProperties", "ecsProperties"] {
        if params.get(unserved).is_some() {
            return Err(not_here(unserved));
        }
    }
    if params.pointer("/containerProperties/image").and_then(Value::as_str).is_none_or(str::is_empty) {
        return Err(client("Container properties must have an image."));
    }
    let sequence = format!("batch:{}:{}:{name}", caller.account, caller.region);
    let revision = tx.next_number(&sequence)?;
    let arn = arn_of(DEFINITION, caller, &format!("{name}:{revision}"));
    let mut definition = copied(
        params,
        &[
            "jobDefinitionName",
            "type",
            "parameters",
            "schedulingPriority",
            "containerProperties",
            "retryStrategy",
            "propagateTags",
            "timeout",
            "tags",
            "platformCapabilities",
        ],
    );
    let mut put = |name: &str, value: Value| {
        definition.insert(name.to_owned(), value);
    };
    put("jobDefinitionArn", json!(arn));
    put("revision", json!(revision));
    put("status", json!("ACTIVE"));
    put("containerOrchestrationType", json!("ECS"));
    insert(tx, DEFINITION, caller, name, &arn, &Value::Object(definition))?;
    Ok(json!({ "jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision }))
}

/// The definition that a job names: an ARN, a name with its revision, or a name, which means the newest active one.
pub fn definition_of_job(tx: &Tx<'_>, caller: &Caller, name: &str) -> Answer<Option<Resource>> {
    if let Some(exact) = find(tx, DEFINITION, caller, name)? {
        return Ok((exact.text("status") == "ACTIVE").then_some(exact));
    }
    let bare = name.rsplit('/').next().unwrap_or_default();
    Ok(tx
        .db
        .prepare_cached(
            "SELECT seq, arn, document FROM batch_resources
             WHERE kind = ?1 AND account = ?2 AND region = ?3 AND name = ?4
               AND document ->> '$.status' = 'ACTIVE' ORDER BY seq DESC LIMIT 1",
        )?
        .query_row(params![DEFINITION, caller.account, caller.region, bare], read)
        .optional()?)
}

pub fn deregister(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let name = text(params, "jobDefinition").unwrap_or_default();
    let mut definition = find(tx, DEFINITION, caller, name)?.ok_or_else(|| {
        client(format!("Job definition {name} does not exist: give its name and revision, or its ARN."))
    })?;
    definition.document.insert("status".to_owned(), json!("INACTIVE"));
    save(tx, &definition)?;
    Ok(json!({}))
}

pub fn describe_definitions(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    let wanted = texts(params, "jobDefinitions");
    let name = text(params, "jobDefinitionName");
    let status = text(params, "status");
    page(tx, DEFINITION, params, caller, "jobDefinitions", |definition| {
        let own = definition.text("jobDefinitionName");
        let revision = definition.arn.rsplit('/').next().unwrap_or_default();
        (wanted.is_empty() || wanted.iter().any(|wanted| [definition.arn.as_str(), own, revision].contains(wanted)))
            && name.is_none_or(|name| name == own)
            && status.is_none_or(|status| status == definition.text("status"))
    })
}

// Job queues and compute environments.

/// What two kinds of resources share: their name's member, their ARN's member, the member that lists them, and what is
/// kept of a request.
struct Kind {
    kind: &'static str,
    name: &'static str,
    arn: &'static str,
    request: &'static str,
    listed: &'static str,
    listing: &'static str,
    kept: &'static [&'static str],
    healthy: &'static str,
}

const QUEUES: Kind = Kind {
    kind: QUEUE,
    name: "jobQueueName",
    arn: "jobQueueArn",
    request: "jobQueue",
    listed: "jobQueues",
    listing: "jobQueues",
    kept: &[
        "jobQueueName",
        "state",
        "schedulingPolicyArn",
        "priority",
        "computeEnvironmentOrder",
        "jobStateTimeLimitActions",
        "tags",
    ],
    healthy: "JobQueue Healthy",
};

const ENVIRONMENTS: Kind = Kind {
    kind: ENVIRONMENT,
    name: "computeEnvironmentName",
    arn: "computeEnvironmentArn",
    request: "computeEnvironment",
    listed: "computeEnvironments",
    listing: "computeEnvironments",
    kept: &[
        "computeEnvironmentName",
        "type",
        "state",
        "unmanagedvCpus",
        "computeResources",
        "serviceRole",
        "updatePolicy",
        "eksConfiguration",
        "context",
        "tags",
    ],
    healthy: "ComputeEnvironment Healthy",
};

fn create(tx: &mut Tx<'_>, params: &Value, caller: &Caller, kind: &Kind) -> Answer {
    let name = text(params, kind.name).unwrap_or_default();
    check_name(kind.name, name)?;
    if find(tx, kind.kind, caller, name)?.is_some() {
        return Err(client("Object already exists"));
    }
    let arn = arn_of(kind.kind, caller, name);
    let mut document = copied(params, kind.kept);
    document.entry("state").or_insert(json!("ENABLED"));
    for (name, value) in [(kind.arn, json!(arn)), ("status", json!("VALID")), ("statusReason", json!(kind.healthy))] {
        document.insert(name.to_owned(), value);
    }
    if kind.kind == ENVIRONMENT {
        document.insert("containerOrchestrationType".to_owned(), json!("ECS"));
    }
    insert(tx, kind.kind, caller, name, &arn, &Value::Object(document))?;
    Ok(Value::Object(Map::from_iter([(kind.name.to_owned(), json!(name)), (kind.arn.to_owned(), json!(arn))])))
}

fn existing(tx: &Tx<'_>, params: &Value, caller: &Caller, kind: &Kind) -> Answer<Resource> {
    let name = text(params, kind.request).unwrap_or_default();
    find(tx, kind.kind, caller, name)?.ok_or_else(|| client(format!("{name} does not exist")))
}

fn update(tx: &mut Tx<'_>, params: &Value, caller: &Caller, kind: &Kind) -> Answer {
    let mut resource = existing(tx, params, caller, kind)?;
    for (name, value) in copied(params, kind.kept) {
        resource.document.insert(name, value);
    }
    save(tx, &resource)?;
    tx.wake(super::BELL);
    Ok(Value::Object(Map::from_iter([
        (kind.name.to_owned(), json!(resource.text(kind.name))),
        (kind.arn.to_owned(), json!(resource.arn)),
    ])))
}

fn delete(tx: &mut Tx<'_>, params: &Value, caller: &Caller, kind: &Kind) -> Answer<Option<Resource>> {
    let name = text(params, kind.request).unwrap_or_default();
    let Some(resource) = find(tx, kind.kind, caller, name)? else {
        // Deleting twice is no error.
        return Ok(None);
    };
    if resource.text("state") == "ENABLED" {
        return Err(client(format!("Cannot delete, {name} must be DISABLED first")));
    }
    tx.db.execute("DELETE FROM batch_resources WHERE arn = ?1", [&resource.arn])?;
    Ok(Some(resource))
}

fn describe(tx: &Tx<'_>, params: &Value, caller: &Caller, kind: &Kind) -> Answer {
    let wanted = texts(params, kind.listed);
    page(tx, kind.kind, params, caller, kind.listing, |resource| {
        wanted.is_empty() || wanted.iter().any(|wanted| *wanted == resource.arn || *wanted == resource.text(kind.name))
    })
}

pub fn create_queue(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    create(tx, params, caller, &QUEUES)
}

pub fn update_queue(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    update(tx, params, caller, &QUEUES)
}

pub fn delete_queue(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    if let Some(queue) = delete(tx, params, caller, &QUEUES)? {
        job::terminate_all(tx, &queue.arn, "Job queue deleted")?;
    }
    Ok(json!({}))
}

pub fn describe_queues(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    describe(tx, params, caller, &QUEUES)
}

pub fn create_environment(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    create(tx, params, caller, &ENVIRONMENTS)
}

pub fn update_environment(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    update(tx, params, caller, &ENVIRONMENTS)
}

pub fn delete_environment(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    delete(tx, params, caller, &ENVIRONMENTS).map(|_| json!({}))
}

pub fn describe_environments(tx: &mut Tx<'_>, params: &Value, caller: &Caller) -> Answer {
    describe(tx, params, caller, &ENVIRONMENTS)
}

/// The queue that a request names.
pub fn queue(tx: &Tx<'_>, caller: &Caller, name: &str) -> Answer<Option<Resource>> {
    find(tx, QUEUE, caller, name)
}

// Tags, of any of them and of jobs.

fn tagged(tx: &Tx<'_>, params: &Value) -> Answer<Resource> {
    let arn = text(params, "resourceArn").unwrap_or_default();
    tx.db
        .prepare_cached("SELECT seq, arn, document FROM batch_resources WHERE arn = ?1")?
        .query_row([arn], read)
        .optional()?
        .ok_or_else(|| client(format!("{arn} does not exist")))
}

pub fn tag(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let mut resource = tagged(tx, params)?;
    if let Value::Object(tags) = resource.document.entry("tags").or_insert(json!({})) {
        tags.extend(map(params, "tags").map(|(name, value)| (name.clone(), value.clone())));
    }
    save(tx, &resource)?;
    Ok(json!({}))
}

pub fn untag(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let mut resource = tagged(tx, params)?;
    if let Some(Value::Object(tags)) = resource.document.get_mut("tags") {
        for name in texts(params, "tagKeys") {
            tags.shift_remove(name);
        }
    }
    save(tx, &resource)?;
    Ok(json!({}))
}

pub fn list_tags(tx: &mut Tx<'_>, params: &Value, _caller: &Caller) -> Answer {
    let tags = tagged(tx, params)?.document.shift_remove("tags").unwrap_or_else(|| json!({}));
    Ok(json!({ "tags": tags }))
}
