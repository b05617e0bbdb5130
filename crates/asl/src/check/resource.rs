//! What a Task calls: whether it exists, whether this type of machine may call it so, and what the call must say.

use super::MachineType;
use super::object::Context;
use super::report::{Checker, Place};
use super::trail::Trail;
use crate::diagnostic::code;
use crate::parse::tree::Node;
use crate::program::{Pattern, QueryLanguage, Resource, Target};
use crate::resource::header_mistake;

impl Checker<'_> {
    pub fn resource(&mut self, node: &Node, trail: &Trail<'_>) {
        let Some(text) = node.as_str() else {
            return self.wrong(node, trail, "Expected value of type [STRING]", "Write the ARN of what the task calls.");
        };
        let resource = Resource::parse(text);
        if let Some(mistake) = resource.mistake() {
            let help = "Write arn:aws:states:::service:action, or the ARN of a Lambda function or an activity.";
            return self.wrong(node, trail, mistake, help);
        }
        if let Some((service, action)) = resource.sdk_action()
            && !(self.options.is_action)(service, action)
        {
            let help = "Write the service as AWS's SDKs call it, in small letters, and the action in camelCase.";
            return self.wrong(node, trail, resource.not_recognized(), help);
        }
        if self.options.machine_type == MachineType::Standard {
            return;
        }
        let refused = match &resource.target {
            Target::Activity => Some("Activity ARN".to_owned()),
            Target::Integration { pattern: Pattern::Sync { .. }, .. } => {
                Some("'.sync' service integration ".to_owned())
            }
            Target::Integration { pattern: Pattern::WaitForTaskToken, .. } => {
                Some("'.waitForTaskToken' service integration ".to_owned())
            }
            _ => None,
        };
        if let Some(what) = refused {
            let message = format!("Express state machine does not support {what}");
            self.wrong(node, trail, message, "Only a Standard state machine waits for jobs, callbacks and activities.");
        }
    }

    pub fn s3_resource(&mut self, node: &Node, trail: &Trail<'_>, actions: &[&str]) {
        let Some(text) = node.as_str() else {
            return self.wrong(node, trail, "Expected value of type [STRING]", "Write the ARN of what is called.");
        };
        let action = text.strip_prefix("arn:").and_then(|rest| rest.split_once(":states:::")).map(|(_, action)| action);
        if !action.is_some_and(|action| actions.contains(&action)) {
            let examples: Vec<String> =
                actions.iter().map(|action| format!("arn:<partition>:states:::{action}")).collect();
            let message = format!(
                "The field 'Resource' does not match any of the allowed values. Examples: [{}]",
                examples.join(", ")
            );
            self.wrong(node, trail, message, "");
        }
    }

    /// What an integration's call must say.
    pub fn parameters(&mut self, state: &Node, trail: &Trail<'_>, context: &Context) {
        let Some(text) = state.get("Resource").filter(|node| !self.is_open(node)).and_then(Node::as_str) else {
            return;
        };
        let resource = Resource::parse(text);
        if !matches!(resource.target, Target::Integration { .. }) || resource.mistake().is_some() {
            return;
        }
        let field = match context.language {
            QueryLanguage::JsonPath => "Parameters",
            QueryLanguage::Jsonata => "Arguments",
        };
        let Some(call) = state.get(field) else {
            let message = format!("{field} field is required for resource ARN: {text}");
            return self.wrong(state, trail, message, "Say what to call it with.");
        };
        let Some(integration) = resource.integration().filter(|_| call.is_object()) else { return };
        for name in integration.required {
            if !has_parameter(call, name) {
                let message = format!("The field '{name}' is required but was missing");
                self.wrong(call, &trail.name(field), message, "");
            }
        }
        if integration.service == "apigateway"
            && let Some(headers) = call.get("Headers")
        {
            let names = headers.members().iter().map(|member| member.name.strip_suffix(".$").unwrap_or(&member.name));
            if let Some(mistake) = header_mistake(names) {
                let help = "An authorizer of the API can take its token from a header of another name.";
                self.wrong(call, &trail.name(field), mistake, help);
            }
        }
    }

    pub fn credentials(&mut self, node: &Node, trail: &Trail<'_>, context: &Context) {
        if context.language == QueryLanguage::Jsonata && node.as_str().is_some() {
            return self.expression(node, trail, context);
        }
        if !node.is_object() {
            return self.wrong(node, trail, "Expected value of type [OBJECT]", "Write an object with RoleArn.");
        }
        if !has_parameter(node, "RoleArn") {
            self.wrong(node, trail, "The field 'RoleArn' is required but was missing", "");
        }
        match context.language {
            QueryLanguage::JsonPath => self.template(node, trail),
            QueryLanguage::Jsonata => self.expression(node, trail, context),
        }
    }

    /// An activity's worker brings its own identity.
    pub fn activity_credentials(&mut self, state: &Node, trail: &Trail<'_>) {
        let is_activity = state
            .get("Resource")
            .and_then(Node::as_str)
            .is_some_and(|text| Resource::parse(text).target == Target::Activity);
        let Some(credentials) = state.get("Credentials").filter(|_| is_activity) else { return };
        let inner = trail.name("Credentials");
        let place = Place { location: &inner, pointer: &inner, span: &credentials.span };
        let message = "The field 'Credentials' is not supported for activities";
        self.error(code::SCHEMA_VALIDATION_FAILED, &place, message, "Remove the field.");
    }
}

/// Whether an object gives a parameter, as it is or evaluated.
fn has_parameter(call: &Node, name: &str) -> bool {
    call.members().iter().any(|member| member.name.strip_suffix(".$").unwrap_or(&member.name) == name)
}
