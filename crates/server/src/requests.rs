//! Every request that is understood: its members in the order of AWS's model, and what each must satisfy.
//!
//! The model is AWS's (`states-2016-11-23`); members that later parts of this project serve are here too, so that they
//! are refused and not overlooked.

use serde::Deserialize;

use crate::decode::{Flag, Integer, Number, Text};
use crate::shape::{Member, Members, Path, Shape, Violations};

const ARN: Shape = Shape::text(1, 256);
const LONG_ARN: Shape = Shape::text(1, 2000);
const NAME: Shape = Shape::text(1, 80);
const DEFINITION: Shape = Shape::text(1, asl::MAX_DEFINITION_BYTES).sensitive();
const VERSION_DESCRIPTION: Shape = Shape::text(0, 256).sensitive();
const DATA: Shape = Shape::DATA;
const TRACE_HEADER: Shape = Shape::ascii(256);
const ERROR: Shape = Shape::text(0, 256).sensitive();
const CAUSE: Shape = Shape::text(0, 32_768).sensitive();
const TASK_TOKEN: Shape = Shape::text(1, 2048).sensitive();
const CLIENT_TOKEN: Shape = Shape::visible(64);
const PAGE_SIZE: Shape = Shape::range(0, 1000);
const PAGE_TOKEN: Shape = Shape::text(1, 1024);
const EXECUTIONS_PAGE_TOKEN: Shape = Shape::text(1, 3096);
const ALIAS_NAME: Shape = Shape::word(80);
const ALIAS_DESCRIPTION: Shape = Shape::text(0, 256).sensitive();
const ROUTES: Shape = Shape::items(1, 2);
const TAG_KEY: Shape = Shape::text(1, 128);
const TAG_VALUE: Shape = Shape::text(0, 256);
const TYPE: Shape = Shape::one_of(&["STANDARD", "EXPRESS"]);
const INCLUDED_DATA: Shape = Shape::one_of(&["ALL_DATA", "METADATA_ONLY"]);
const LOG_LEVEL: Shape = Shape::one_of(&["ALL", "ERROR", "FATAL", "OFF"]);
const INSPECTION_LEVEL: Shape = Shape::one_of(&["INFO", "DEBUG", "TRACE"]);
const MOCK_VALIDATION: Shape = Shape::one_of(&["STRICT", "PRESENT", "NONE"]);
const STATE_NAME: Shape = Shape::text(1, 80).sensitive();
const NOT_NEGATIVE: Shape = Shape::at_least(0);
const SEVERITY: Shape = Shape::one_of(&["ERROR", "WARNING"]);
const ENCRYPTION_TYPE: Shape = Shape::one_of(&["AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY"]);
const REDRIVE_FILTER: Shape = Shape::one_of(&["REDRIVEN", "NOT_REDRIVEN"]);
/// In the order of a recorded answer.
const STATUS: Shape = Shape::one_of(&["SUCCEEDED", "TIMED_OUT", "PENDING_REDRIVE", "ABORTED", "FAILED", "RUNNING"]);
const ANY: Shape = Shape::ANY;

/// Structures of optional members, each with its shape.
macro_rules! structures {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty = $shape:expr),* $(,)? })*) => {
    $(
        $(#[$doc])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
        pub struct $name<'a> {
            $(pub $field: Option<$type>,)*
        }

        impl Member for $name<'_> {
            fn check(&self, path: &Path, _: &Shape, found: &mut Violations) {
                $(self.$field.check(&path.member(stringify!($field)), const { &$shape }, found);)*
            }

            fn show(&self, f: &mut std::fmt::Formatter<'_>, _: &Shape) -> std::fmt::Result {
                let mut members = Members::begin(f, stringify!($name))?;
                $(members.show(stringify!($field), &self.$field, const { &$shape })?;)*
                members.end()
            }
        }
    )*

        /// What the fuzzer does with bodies.
        #[cfg(feature = "hostile")]
        pub mod hostile {
            use crate::decode::decode;

            /// Reads a body as each structure: its name, and the code of the exception with which it was refused.
            pub fn decode_as_each(body: &[u8]) -> Vec<(&'static str, Option<&'static str>)> {
                let payload_bytes = 262_144;
                vec![$((
                    stringify!($name),
                    decode::<super::$name>(body, payload_bytes).err().map(|exception| exception.code),
                )),*]
            }
        }
    };
}

structures! {
    CreateStateMachine {
        name: Text<'a> = NAME.required(),
        definition: Text<'a> = DEFINITION.required(),
        role_arn: Text<'a> = ARN.required(),
        r#type: Text<'a> = TYPE,
        logging_configuration: LoggingConfiguration<'a> = ANY,
        tags: Vec<Tag<'a>> = ANY,
        tracing_configuration: TracingConfiguration = ANY,
        publish: Flag = ANY,
        version_description: Text<'a> = VERSION_DESCRIPTION,
        encryption_configuration: EncryptionConfiguration<'a> = ANY,
    }

    UpdateStateMachine {
        state_machine_arn: Text<'a> = ARN.required(),
        definition: Text<'a> = DEFINITION,
        role_arn: Text<'a> = ARN,
        logging_configuration: LoggingConfiguration<'a> = ANY,
        tracing_configuration: TracingConfiguration = ANY,
        publish: Flag = ANY,
        version_description: Text<'a> = VERSION_DESCRIPTION,
        encryption_configuration: EncryptionConfiguration<'a> = ANY,
    }

    PublishStateMachineVersion {
        state_machine_arn: Text<'a> = ARN.required(),
        revision_id: Text<'a> = ANY,
        description: Text<'a> = VERSION_DESCRIPTION,
    }

    /// ListStateMachineAliases has the same members.
    ListStateMachineVersions {
        state_machine_arn: Text<'a> = ARN.required(),
        next_token: Text<'a> = PAGE_TOKEN,
        max_results: Integer = PAGE_SIZE,
    }

    DeleteStateMachineVersion {
        state_machine_version_arn: Text<'a> = LONG_ARN.required(),
    }

    CreateStateMachineAlias {
        description: Text<'a> = ALIAS_DESCRIPTION,
        name: Text<'a> = ALIAS_NAME.required(),
        routing_configuration: Vec<RoutingConfigurationListItem<'a>> = ROUTES.required(),
    }

    UpdateStateMachineAlias {
        state_machine_alias_arn: Text<'a> = ARN.required(),
        description: Text<'a> = ALIAS_DESCRIPTION,
        routing_configuration: Vec<RoutingConfigurationListItem<'a>> = ROUTES,
    }

    /// DescribeStateMachineAlias and DeleteStateMachineAlias.
    OneAlias {
        state_machine_alias_arn: Text<'a> = ARN.required(),
    }

    RoutingConfigurationListItem {
        state_machine_version_arn: Text<'a> = ARN.required(),
        weight: Integer = Shape::range(0, 100).required(),
    }

    DescribeStateMachine {
        state_machine_arn: Text<'a> = ARN.required(),
        included_data: Text<'a> = INCLUDED_DATA,
    }

    ListStateMachines {
        max_results: Integer = PAGE_SIZE,
        next_token: Text<'a> = PAGE_TOKEN,
    }

    DeleteStateMachine {
        state_machine_arn: Text<'a> = ARN.required(),
    }

    ValidateStateMachineDefinition {
        definition: Text<'a> = DEFINITION.required(),
        r#type: Text<'a> = TYPE,
        severity: Text<'a> = SEVERITY,
        max_results: Integer = Shape::range(0, 100),
    }

    TestState {
        definition: Text<'a> = DEFINITION.required(),
        role_arn: Text<'a> = ARN,
        input: Text<'a> = DATA,
        inspection_level: Text<'a> = INSPECTION_LEVEL,
        reveal_secrets: Flag = ANY,
        variables: Text<'a> = DATA,
        state_name: Text<'a> = STATE_NAME,
        mock: MockInput<'a> = ANY,
        context: Text<'a> = DATA,
        state_configuration: TestStateConfiguration<'a> = ANY,
    }

    MockInput {
        result: Text<'a> = DATA,
        error_output: MockErrorOutput<'a> = ANY,
        field_validation_mode: Text<'a> = MOCK_VALIDATION,
    }

    MockErrorOutput {
        error: Text<'a> = ERROR,
        cause: Text<'a> = CAUSE,
    }

    TestStateConfiguration {
        retrier_retry_count: Integer = NOT_NEGATIVE,
        error_caused_by_state: Text<'a> = STATE_NAME,
        map_iteration_failure_count: Integer = NOT_NEGATIVE,
        map_item_reader_data: Text<'a> = DATA,
    }

    StartExecution {
        state_machine_arn: Text<'a> = ARN.required(),
        name: Text<'a> = NAME,
        input: Text<'a> = DATA,
        trace_header: Text<'a> = TRACE_HEADER,
    }

    StartSyncExecution {
        state_machine_arn: Text<'a> = ARN.required(),
        name: Text<'a> = NAME,
        input: Text<'a> = DATA,
        trace_header: Text<'a> = TRACE_HEADER,
        included_data: Text<'a> = INCLUDED_DATA,
    }

    DescribeMapRun {
        map_run_arn: Text<'a> = LONG_ARN.required(),
    }

    ListMapRuns {
        execution_arn: Text<'a> = ARN.required(),
        max_results: Integer = PAGE_SIZE,
        next_token: Text<'a> = PAGE_TOKEN,
    }

    UpdateMapRun {
        map_run_arn: Text<'a> = LONG_ARN.required(),
        max_concurrency: Integer = Shape::at_least(0),
        tolerated_failure_percentage: Number = Shape::range(0, 100),
        tolerated_failure_count: Integer = Shape::at_least(0),
    }

    StopExecution {
        execution_arn: Text<'a> = ARN.required(),
        error: Text<'a> = ERROR,
        cause: Text<'a> = CAUSE,
    }

    RedriveExecution {
        execution_arn: Text<'a> = ARN.required(),
        client_token: Text<'a> = CLIENT_TOKEN,
    }

    /// DescribeStateMachineForExecution has the same members.
    DescribeExecution {
        execution_arn: Text<'a> = ARN.required(),
        included_data: Text<'a> = INCLUDED_DATA,
    }

    ListExecutions {
        state_machine_arn: Text<'a> = ARN,
        status_filter: Text<'a> = STATUS,
        max_results: Integer = PAGE_SIZE,
        next_token: Text<'a> = EXECUTIONS_PAGE_TOKEN,
        map_run_arn: Text<'a> = LONG_ARN,
        redrive_filter: Text<'a> = REDRIVE_FILTER,
    }

    GetExecutionHistory {
        execution_arn: Text<'a> = ARN.required(),
        max_results: Integer = PAGE_SIZE,
        reverse_order: Flag = ANY,
        next_token: Text<'a> = PAGE_TOKEN,
        include_execution_data: Flag = ANY,
    }

    CreateActivity {
        name: Text<'a> = NAME.required(),
        tags: Vec<Tag<'a>> = ANY,
        encryption_configuration: EncryptionConfiguration<'a> = ANY,
    }

    /// DescribeActivity and DeleteActivity.
    OneActivity {
        activity_arn: Text<'a> = ARN.required(),
    }

    ListActivities {
        max_results: Integer = PAGE_SIZE,
        next_token: Text<'a> = PAGE_TOKEN,
    }

    GetActivityTask {
        activity_arn: Text<'a> = ARN.required(),
        worker_name: Text<'a> = NAME,
    }

    SendTaskSuccess {
        task_token: Text<'a> = TASK_TOKEN.required(),
        output: Text<'a> = DATA.required(),
    }

    SendTaskFailure {
        task_token: Text<'a> = TASK_TOKEN.required(),
        error: Text<'a> = ERROR,
        cause: Text<'a> = CAUSE,
    }

    SendTaskHeartbeat {
        task_token: Text<'a> = TASK_TOKEN.required(),
    }

    TagResource {
        resource_arn: Text<'a> = ARN.required(),
        tags: Vec<Tag<'a>> = ANY.required(),
    }

    UntagResource {
        resource_arn: Text<'a> = ARN.required(),
        tag_keys: Vec<Text<'a>> = TAG_KEY.required(),
    }

    ListTagsForResource {
        resource_arn: Text<'a> = ARN.required(),
    }

    Tag {
        key: Text<'a> = TAG_KEY.required(),
        value: Text<'a> = TAG_VALUE,
    }

    LoggingConfiguration {
        level: Text<'a> = LOG_LEVEL,
        include_execution_data: Flag = ANY,
        destinations: Vec<LogDestination<'a>> = ANY,
    }

    LogDestination {
        cloud_watch_logs_log_group: CloudWatchLogsLogGroup<'a> = ANY,
    }

    CloudWatchLogsLogGroup {
        log_group_arn: Text<'a> = ARN,
    }

    EncryptionConfiguration {
        kms_key_id: Text<'a> = Shape::text(1, 2048),
        kms_data_key_reuse_period_seconds: Integer = Shape::range(60, 900),
        r#type: Text<'a> = ENCRYPTION_TYPE.required(),
    }
}

/// Written out, because it borrows nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TracingConfiguration {
    pub enabled: Option<Flag>,
}

impl Member for TracingConfiguration {
    fn check(&self, _: &Path, _: &Shape, _: &mut Violations) {}

    fn show(&self, f: &mut std::fmt::Formatter<'_>, _: &Shape) -> std::fmt::Result {
        let mut members = Members::begin(f, "TracingConfiguration")?;
        members.show("enabled", &self.enabled, &ANY)?;
        members.end()
    }
}

/// The text of a member that the model requires; the check has seen it.
pub fn given<'t>(member: &'t Option<Text<'_>>) -> &'t str {
    member.as_deref().unwrap_or_default()
}

/// The same, owned.
pub fn taken(member: Option<Text<'_>>) -> String {
    member.map(Text::into_string).unwrap_or_default()
}

/// A flag that is false where absent.
pub fn is_set(member: Option<Flag>) -> bool {
    member.is_some_and(|flag| flag.0)
}
