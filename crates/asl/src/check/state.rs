//! A list of states, and each state: its type, its query language, its fields, and what holds between them.

use std::collections::HashSet;

use super::MachineType;
use super::object::{Context, Offers};
use super::report::{Checker, Place};
use super::shapes;
use super::template::looks_dynamic;
use super::trail::Trail;
use super::value::{language, variable};
use crate::QueryLanguage;
use crate::diagnostic::code;
use crate::parse::tree::{Json, Node};

/// The longest name of a state, in characters.
const MAX_STATE_NAME_CHARS: usize = 80;

impl Checker<'_> {
    pub fn states(&mut self, node: &Node, trail: &Trail<'_>) {
        if !node.is_object() {
            return self.wrong(
                node,
                trail,
                "Expected value of type [OBJECT]",
                "Write an object: names and their states.",
            );
        }
        if node.members().is_empty() {
            self.wrong(node, trail, "Value cannot be empty", "Add at least one state.");
        }
        self.assigned.push(assigned(node));
        for member in node.members() {
            let trail = trail.name(&member.name);
            let place = Place { location: &trail, pointer: &trail, span: &member.name_span };
            if member.name.chars().count() > MAX_STATE_NAME_CHARS {
                let message = format!(
                    "Invalid State name: {} exceeds the {MAX_STATE_NAME_CHARS}-character limit allowed by the service",
                    member.name
                );
                self.error(code::INVALID_STATE_NAME, &place, message, "Shorten the name.");
            }
            if !self.state_names.insert(member.name.clone()) {
                let message = format!("Duplicate State name: {}", member.name);
                let help = "Rename it: a name is used once in a machine, branches and item processors included.";
                self.error(code::DUPLICATE_STATE_NAME, &place, message, help);
            }
            self.state(&member.value, &trail);
        }
        self.assigned.pop();
    }

    fn state(&mut self, node: &Node, trail: &Trail<'_>) {
        if !node.is_object() {
            return self.wrong(node, trail, "Expected value of type [OBJECT]", "Write a state: an object with a Type.");
        }
        let Some(kind) = node.get("Type") else {
            return self.wrong(node, trail, "These fields are required: [Type]", "Add the state's Type.");
        };
        if self.is_open(kind) {
            return;
        }
        let Some((kind, shape)) = kind.as_str().and_then(|name| shapes::state(name).map(|shape| (name, shape))) else {
            let names: Vec<&str> = shapes::STATES.iter().map(|(name, _)| *name).collect();
            let message = format!("The field 'Type' should have one of these values: [{}]", names.join(", "));
            return self.wrong(kind, &trail.name("Type"), message, "");
        };
        let context = self.context(node, kind, trail);
        self.object(node, shape, trail, &context);
        match kind {
            "Task" => {
                self.parameters(node, trail, &context);
                self.activity_credentials(node, trail);
                self.heartbeat(node, trail);
            }
            "Map" => self.map(node, trail),
            "Pass" => self.static_result(node, trail, &context),
            "Fail" => self.static_words(node, trail, &context),
            _ => {}
        }
    }

    /// A state's language is the machine's unless it says so; a holder's language does not reach its inner states.
    fn context(&mut self, node: &Node, kind: &str, trail: &Trail<'_>) -> Context {
        let machine = self.machine_language;
        let own = node.get("QueryLanguage").map(language);
        let lowered = machine == QueryLanguage::Jsonata && own == Some(QueryLanguage::JsonPath);
        if lowered {
            let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
            let help = "Remove the machine's QueryLanguage and set 'JSONata' on the states that use it.";
            self.wrong(node, trail, message, help);
        }
        let offers = if matches!(kind, "Task" | "Parallel" | "Map") { Offers::Result } else { Offers::Nothing };
        Context { language: own.unwrap_or(machine), mixed: !lowered, offers }
    }

    fn heartbeat(&mut self, node: &Node, trail: &Trail<'_>) {
        let seconds = |name: &str| node.get(name).and_then(Node::as_u64);
        let (Some(timeout), Some(heartbeat)) = (seconds("TimeoutSeconds"), seconds("HeartbeatSeconds")) else { return };
        if heartbeat >= timeout {
            let value = node.get("HeartbeatSeconds").unwrap_or(node);
            let message = "HeartbeatSeconds must be smaller than TimeoutSeconds";
            self.wrong(value, &trail.name("HeartbeatSeconds"), message, "");
        }
    }

    fn map(&mut self, node: &Node, trail: &Trail<'_>) {
        let field = if node.has("ItemProcessor") { "ItemProcessor" } else { "Iterator" };
        let processor = trail.name(field);
        let config = node.get(field).and_then(|processor| processor.get("ProcessorConfig"));
        let mode = config.and_then(|config| config.get("Mode"));
        let is_open = mode.is_some_and(|mode| self.is_open(mode));
        let distributed = mode.and_then(Node::as_str) == Some("DISTRIBUTED");
        if let Some(config) = config.filter(|config| config.is_object() && !is_open) {
            let trail = processor.name("ProcessorConfig");
            if distributed && !config.has("ExecutionType") {
                let message = "These fields are required: [ExecutionType]";
                self.wrong(config, &trail, message, "Say whether its executions are STANDARD or EXPRESS.");
            }
            if !distributed && config.has("ExecutionType") {
                let message = "Field 'ExecutionType' is not supported";
                self.wrong(config, &trail, message, "Only a Map in DISTRIBUTED mode has an ExecutionType.");
            }
            if let Some(mode) = mode.filter(|_| distributed && self.options.machine_type == MachineType::Express) {
                let message =
                    "The field 'Mode' with value 'DISTRIBUTED' is not supported inside 'EXPRESS' state machines";
                self.wrong(mode, &trail.name("Mode"), message, "Use a Standard state machine, or INLINE mode.");
            }
        }
        if !distributed && !is_open {
            for member in node.members().iter().filter(|m| shapes::DISTRIBUTED_ONLY.contains(&m.name.as_str())) {
                let inner = trail.name(&member.name);
                let place = Place { location: trail, pointer: &inner, span: &member.name_span };
                let message =
                    format!("Field '{}' has no effect: the Map state is not in DISTRIBUTED mode", member.name);
                let help = "Set ItemProcessor.ProcessorConfig.Mode to DISTRIBUTED.";
                self.warning(code::SCHEMA_VALIDATION_FAILED, &place, message, help);
            }
        }
        if let Some(reader) = node.get("ItemReader") {
            self.reader(reader, &trail.name("ItemReader"));
        }
        if let Some(writer) = node.get("ResultWriter").filter(|writer| writer.is_object()) {
            self.writer(writer, &trail.name("ResultWriter"));
        }
    }

    fn reader(&mut self, reader: &Node, trail: &Trail<'_>) {
        let Some(config) = reader.get("ReaderConfig") else { return };
        let trail = trail.name("ReaderConfig");
        let word = |name: &str| config.get(name).and_then(Node::as_str);
        match word("InputType") {
            Some("CSV") if !config.has("CSVHeaderLocation") => {
                let message = "The field 'CSVHeaderLocation' is required but was missing";
                self.wrong(config, &trail, message, "Say FIRST_ROW or GIVEN.");
            }
            Some("JSON" | "JSONL") if config.has("CSVHeaderLocation") => {
                let message = "Field 'CSVHeaderLocation' is not supported";
                self.wrong(config, &trail, message, "Remove the field, or set InputType to CSV.");
            }
            _ => {}
        }
        if word("CSVHeaderLocation") == Some("GIVEN") && !config.has("CSVHeaders") {
            self.wrong(config, &trail, "These fields are required: [CSVHeaders]", "Add the headers.");
        }
    }

    fn writer(&mut self, writer: &Node, trail: &Trail<'_>) {
        let destination = ["Parameters", "Arguments"].iter().any(|name| writer.has(name));
        let (resource, config) = (writer.has("Resource"), writer.has("WriterConfig"));
        if (resource && destination) || (config && !resource && !destination) {
            return;
        }
        let missing = if resource { "Parameters" } else { "Resource" };
        let message = format!("These fields are required: [{missing}]");
        self.wrong(writer, trail, message, "Say where to write: Resource and its Parameters.");
    }

    fn static_result(&mut self, node: &Node, trail: &Trail<'_>, context: &Context) {
        let Some(result) = node.get("Result").filter(|_| context.language == QueryLanguage::JsonPath) else { return };
        if contains_code(result) {
            let inner = trail.name("Result");
            let place = Place { location: &inner, pointer: &inner, span: &result.span };
            let message = "The Result of a Pass state is static, but contains what looks like a path";
            self.warning(code::PASS_RESULT_IS_STATIC, &place, message, "Use Parameters to compute what goes on.");
        }
    }

    fn static_words(&mut self, node: &Node, trail: &Trail<'_>, context: &Context) {
        for name in ["Error", "Cause"].into_iter().filter(|_| context.language == QueryLanguage::JsonPath) {
            let Some(value) = node.get(name).filter(|value| value.as_str().is_some_and(looks_dynamic)) else {
                continue;
            };
            let inner = trail.name(name);
            let place = Place { location: &inner, pointer: &inner, span: &value.span };
            let message = format!("The value of the field '{name}' looks like a path, but the field is static");
            self.warning(
                code::NO_PATH,
                &place,
                message,
                &format!("Name the field '{name}Path' if it is to be evaluated."),
            );
        }
    }
}

/// The variables that a list of states sets, those of its branches not among them.
fn assigned(states: &Node) -> HashSet<String> {
    let mut names = HashSet::new();
    for state in states.members().iter().map(|member| &member.value) {
        let inside = ["Choices", "Catch"].into_iter().filter_map(|name| state.get(name)).flat_map(Node::elements);
        for holder in inside.chain([state]) {
            let assign = holder.get("Assign").map_or(&[][..], Node::members);
            names.extend(assign.iter().map(|member| variable(&member.name).to_owned()));
        }
    }
    names
}

fn contains_code(node: &Node) -> bool {
    match &node.json {
        Json::String(text) => looks_dynamic(text),
        Json::Array(elements) => elements.iter().any(contains_code),
        Json::Object(members) => {
            members.iter().any(|member| member.name.ends_with(".$") || contains_code(&member.value))
        }
        _ => false,
    }
}
