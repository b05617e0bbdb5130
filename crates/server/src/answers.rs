//! What the operations answer, in AWS's names. What is absent is left out, as AWS leaves it out.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::api::{MachineStatus, MachineType};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// A time: seconds since 1970 with milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Seconds(pub i64);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1000.0)
    }
}

/// Operations that have nothing to say.
#[derive(Serialize)]
pub struct Empty {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateMachineCreated {
    pub state_machine_arn: Arc<str>,
    pub creation_date: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_machine_version_arn: Option<Arc<str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateMachineUpdated {
    pub update_date: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_machine_version_arn: Option<Arc<str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionPublished {
    pub creation_date: Seconds,
    pub state_machine_version_arn: Arc<str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionList {
    pub state_machine_versions: Vec<VersionPublished>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasCreated {
    pub creation_date: Seconds,
    pub state_machine_alias_arn: Arc<str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasUpdated {
    pub update_date: Seconds,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasDescription {
    pub state_machine_alias_arn: Arc<str>,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub routing_configuration: Vec<RoutingConfigurationItem>,
    pub creation_date: Seconds,
    pub update_date: Seconds,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RoutingConfigurationItem {
    pub state_machine_version_arn: Arc<str>,
    pub weight: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasList {
    pub state_machine_aliases: Vec<AliasCreated>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// The variables that states read, by the states' names.
pub type VariableReferences = BTreeMap<Arc<str>, Vec<Arc<str>>>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateMachineDescription {
    pub state_machine_arn: Arc<str>,
    pub name: String,
    pub status: MachineStatus,
    pub definition: Arc<str>,
    pub role_arn: Arc<str>,
    pub r#type: MachineType,
    pub creation_date: Seconds,
    pub logging_configuration: Value,
    pub tracing_configuration: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
    /// Of a version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable_references: Option<VariableReferences>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateMachineForExecution {
    pub state_machine_arn: Arc<str>,
    pub name: String,
    pub definition: Arc<str>,
    pub role_arn: Arc<str>,
    pub update_date: Seconds,
    pub logging_configuration: Value,
    pub tracing_configuration: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_configuration: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable_references: Option<VariableReferences>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateMachineList {
    pub state_machines: Vec<StateMachineItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StateMachineItem {
    pub state_machine_arn: Arc<str>,
    pub name: String,
    pub r#type: MachineType,
    pub creation_date: Seconds,
}

#[derive(Serialize)]
pub struct DefinitionValidation {
    /// `OK` or `FAIL`.
    pub result: &'static str,
    pub diagnostics: Vec<DefinitionDiagnostic>,
    pub truncated: bool,
}

#[derive(Serialize)]
pub struct DefinitionDiagnostic {
    pub severity: &'static str,
    pub code: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionStarted {
    pub execution_arn: Arc<str>,
    pub start_date: Seconds,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionStopped {
    pub stop_date: Seconds,
}

/// Borrowed from the engine's description, because this is asked most often.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionDescribed<'a> {
    pub execution_arn: &'a str,
    pub state_machine_arn: &'a str,
    pub name: &'a str,
    pub status: &'static str,
    pub start_date: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_date: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<&'a str>,
    pub input_details: DataDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_details: Option<DataDetails>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_machine_version_arn: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_machine_alias_arn: Option<&'a str>,
    pub redrive_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redrive_date: Option<Seconds>,
    pub redrive_status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redrive_status_reason: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncExecution<'a> {
    pub execution_arn: &'a str,
    pub state_machine_arn: &'a str,
    pub name: &'a str,
    pub start_date: Seconds,
    pub stop_date: Seconds,
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<&'a str>,
    pub input_details: DataDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<&'a str>,
    pub output_details: DataDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_header: Option<&'a str>,
    pub billing_details: BillingDetails,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BillingDetails {
    #[serde(rename = "billedMemoryUsedInMB")]
    pub billed_memory_used_in_mb: usize,
    pub billed_duration_in_milliseconds: u64,
}

#[derive(Serialize)]
pub struct DataDetails {
    pub included: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionList {
    pub executions: Vec<ExecutionItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionItem {
    pub execution_arn: String,
    pub state_machine_arn: String,
    pub name: String,
    pub status: &'static str,
    pub start_date: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_date: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_machine_version_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_machine_alias_arn: Option<String>,
    pub redrive_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redrive_date: Option<Seconds>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionRedriven {
    pub redrive_date: Seconds,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecutionHistory {
    pub events: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityCreated {
    pub activity_arn: Arc<str>,
    pub creation_date: Seconds,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityDescription {
    pub activity_arn: Arc<str>,
    pub name: String,
    pub creation_date: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption_configuration: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityList {
    pub activities: Vec<ActivityItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActivityItem {
    pub activity_arn: Arc<str>,
    pub name: String,
    pub creation_date: Seconds,
}

/// Empty where no task came in time.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub struct ActivityTask {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Arc<str>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MapRunList {
    pub map_runs: [Empty; 0],
}

#[derive(Serialize)]
pub struct Tags {
    pub tags: Vec<Tag>,
}

#[derive(Serialize)]
pub struct Tag {
    pub key: String,
    pub value: String,
}
