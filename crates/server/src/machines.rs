//! State machines: create, update, describe, list, delete, and judge a definition without keeping it.

use asl::{Checked, Severity};
use engine::Engine;
use engine::api::{ChangedMachine, CreateStateMachine, MachineType, StateMachine, UpdateStateMachine};
use engine::arn::split_qualifier;
use serde_json::Value;

use crate::answers::{
    DefinitionDiagnostic, DefinitionValidation, Empty, Seconds, StateMachineCreated, StateMachineDescription,
    StateMachineItem, StateMachineList, StateMachineUpdated, VariableReferences,
};
use crate::configuration::{encryption, logging, logging_or_default, owned_key, tracing, tracing_or_default};
use crate::decode::{Integer, Text};
use crate::exception::Exception;
use crate::operations::Caller;
use crate::pages::{Pages, page_size};
use crate::requests::{self, given, taken};
use crate::{tags, versions};

/// What is shown in place of a definition where only metadata is asked for.
pub const HIDDEN_DEFINITION: &str = "{}";

/// Diagnostics that are told where the caller does not say how many. AWS: 100.
const DEFAULT_DIAGNOSTICS: usize = 100;

pub async fn create(
    caller: Caller<'_>,
    request: requests::CreateStateMachine<'_>,
) -> Result<StateMachineCreated, Exception> {
    check_role(given(&request.role_arn))?;
    let create = CreateStateMachine {
        publish: versions::wished(request.publish, request.version_description)?,
        account: caller.account.to_owned(),
        machine_type: machine_type(&request.r#type),
        logging: Some(logging_or_default(request.logging_configuration.as_ref().map(logging).transpose()?)),
        tracing: Some(tracing_or_default(request.tracing_configuration.as_ref().map(tracing))),
        encryption: request.encryption_configuration.as_ref().map(encryption).transpose()?,
        tags: tags::given_at_creation(request.tags)?,
        name: taken(request.name),
        definition: taken(request.definition),
        role: taken(request.role_arn),
    };
    let ChangedMachine { machine, version } = caller.engine().create_state_machine(create).await?;
    Ok(StateMachineCreated {
        state_machine_arn: machine.arn,
        creation_date: Seconds(machine.created_at),
        state_machine_version_arn: version,
    })
}

pub async fn update(
    caller: Caller<'_>,
    request: requests::UpdateStateMachine<'_>,
) -> Result<StateMachineUpdated, Exception> {
    let update = UpdateStateMachine {
        publish: versions::wished(request.publish, request.version_description)?,
        logging: request.logging_configuration.as_ref().map(logging).transpose()?,
        tracing: request.tracing_configuration.as_ref().map(tracing),
        encryption: request.encryption_configuration.as_ref().map(encryption).transpose()?,
        arn: taken(request.state_machine_arn),
        definition: request.definition.map(Text::into_string),
        role: request.role_arn.map(Text::into_string),
    };
    let UpdateStateMachine { definition, role, logging, tracing, encryption, .. } = &update;
    let nothing = definition.is_none() && role.is_none();
    if nothing && logging.is_none() && tracing.is_none() && encryption.is_none() {
        const MESSAGE: &str = "Either the definition, the role ARN, the LoggingConfiguration, or the \
                               TracingConfiguration must be specified";
        return Err(Exception::new("MissingRequiredParameter", MESSAGE));
    }
    role.as_deref().map_or(Ok(()), check_role)?;
    let ChangedMachine { machine, version } = caller.engine().update_state_machine(update).await?;
    Ok(StateMachineUpdated {
        update_date: Seconds(machine.updated_at),
        revision_id: machine.revision_id,
        state_machine_version_arn: version,
    })
}

pub async fn describe(
    caller: Caller<'_>,
    request: requests::DescribeStateMachine<'_>,
) -> Result<StateMachineDescription, Exception> {
    let engine = caller.engine();
    let arn = given(&request.state_machine_arn);
    let (machine, version) = match split_qualifier(arn).1 {
        None => (engine.state_machine(arn).await?, None),
        Some(_) => {
            let version = engine.version(arn).await?;
            (StateMachine::clone(&version.machine), Some(version))
        }
    };
    let definition = match wants_data(&request.included_data) {
        true => engine.definition(machine.definition).await?,
        false => HIDDEN_DEFINITION.into(),
    };
    let variable_references = variable_references(engine, machine.definition, &request.included_data).await?;
    Ok(StateMachineDescription {
        state_machine_arn: version.as_ref().map_or(machine.arn, |version| version.arn.clone()),
        name: machine.name,
        status: machine.status,
        definition,
        role_arn: machine.role,
        r#type: machine.machine_type,
        creation_date: Seconds(version.as_ref().map_or(machine.created_at, |version| version.created_at)),
        description: version.and_then(|version| version.description.clone()),
        logging_configuration: logging_or_default(machine.logging),
        tracing_configuration: tracing_or_default(machine.tracing),
        revision_id: machine.revision_id,
        encryption_configuration: shown_encryption(machine.encryption, &variable_references),
        variable_references,
    })
}

/// The variables that the states of a definition read; nothing where they read none.
pub async fn variable_references(
    engine: &Engine,
    definition: [u8; 32],
    included_data: &Option<Text<'_>>,
) -> Result<Option<VariableReferences>, Exception> {
    if !wants_data(included_data) {
        return Ok(None);
    }
    let references = engine.variable_references(definition).await?;
    Ok(Some(references).filter(|references| !references.is_empty()))
}

/// Both members are of one age, and older answers have neither: whoever reads variables is told of the encryption, too,
/// and everybody else what was set.
pub fn shown_encryption(encryption: Option<Value>, references: &Option<VariableReferences>) -> Option<Value> {
    encryption.or_else(|| references.is_some().then(owned_key))
}

pub async fn list(caller: Caller<'_>, request: requests::ListStateMachines<'_>) -> Result<StateMachineList, Exception> {
    let engine = caller.engine();
    let query = ["ListStateMachines", caller.account];
    let pages = Pages::new(engine, &query);
    let after = pages.after(&request.next_token)?;
    let page = engine.list_state_machines(caller.account, after, page_size(request.max_results)).await?;
    let item = |machine: StateMachine| StateMachineItem {
        state_machine_arn: machine.arn,
        name: machine.name,
        r#type: machine.machine_type,
        creation_date: Seconds(machine.created_at),
    };
    Ok(StateMachineList {
        state_machines: page.items.into_iter().map(item).collect(),
        next_token: pages.token(page.next),
    })
}

pub async fn delete(caller: Caller<'_>, request: requests::DeleteStateMachine<'_>) -> Result<Empty, Exception> {
    caller.engine().delete_state_machine(given(&request.state_machine_arn)).await?;
    Ok(Empty {})
}

pub async fn validate(
    caller: Caller<'_>,
    request: requests::ValidateStateMachineDefinition<'_>,
) -> Result<DefinitionValidation, Exception> {
    let warnings = request.severity.as_deref() == Some("WARNING");
    let most = match request.max_results {
        Some(Integer(number)) if number > 0 => number as usize,
        _ => DEFAULT_DIAGNOSTICS,
    };
    let engine = caller.engine();
    let checked = engine.check_definition(given(&request.definition), machine_type(&request.r#type)).await?;
    Ok(verdict(checked, warnings, most))
}

fn verdict(checked: Checked, warnings: bool, most: usize) -> DefinitionValidation {
    let result = if checked.is_valid() { "OK" } else { "FAIL" };
    let wanted = |severity: Severity| warnings || severity == Severity::Error;
    let mut diagnostics: Vec<DefinitionDiagnostic> = checked
        .diagnostics
        .into_iter()
        .filter(|diagnostic| wanted(diagnostic.severity))
        .map(|diagnostic| DefinitionDiagnostic {
            severity: diagnostic.severity.name(),
            code: diagnostic.code,
            message: diagnostic.message,
            location: diagnostic.location,
        })
        .collect();
    let truncated = diagnostics.len() > most;
    diagnostics.truncate(most);
    DefinitionValidation { result, diagnostics, truncated }
}

/// `includedData`: everything, unless only metadata is wanted.
pub fn wants_data(included_data: &Option<Text<'_>>) -> bool {
    included_data.as_deref() != Some("METADATA_ONLY")
}

fn machine_type(name: &Option<Text<'_>>) -> MachineType {
    if name.as_deref() == Some("EXPRESS") { MachineType::Express } else { MachineType::Standard }
}

/// `arn:aws:iam::000000000000:role/name`
fn check_role(role: &str) -> Result<(), Exception> {
    let mut parts = role.splitn(6, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (prefix, partition, service, _, _, resource) = (next(), next(), next(), next(), next(), next());
    let is_role = prefix == "arn" && partition.starts_with("aws") && service == "iam" && resource.starts_with("role/");
    if is_role { Ok(()) } else { Err(Exception::new("InvalidArn", format!("Invalid Role Arn: '{role}'"))) }
}
