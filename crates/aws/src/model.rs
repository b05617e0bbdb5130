//! One service as its model describes it: operations, and the shapes of what goes in and comes out.
//!
//! Shapes refer to each other by index, so a codec walks them without looking names up. What only humans read
//! (documentation) is not here; traits that no codec uses yet are in the file, and are added here when one does.

mod raw;

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::codec::route::Router;

pub use raw::Metadata;

/// A service: metadata, operations, shapes.
#[derive(Debug)]
pub struct Service {
    /// The name in `arn:aws:states:::aws-sdk:<name>:<action>`.
    pub name: String,
    pub metadata: Metadata,
    operations: Vec<Operation>,
    by_name: HashMap<String, usize>,
    shapes: Vec<Shape>,
    by_shape: HashMap<String, ShapeId>,
    pub(crate) router: OnceLock<Router>,
}

/// An operation of a service.
#[derive(Debug)]
pub struct Operation {
    /// AWS's name, such as `SendMessage`.
    pub name: String,
    pub method: String,
    /// Path template with labels and, in some models, constant query parameters: `/v1/{Name+}?list`.
    pub uri: String,
    /// The HTTP status of success.
    pub response_code: u16,
    pub input: Option<Ref>,
    pub output: Option<Ref>,
    /// The element around the result in XML answers of the query protocol.
    pub result_wrapper: Option<String>,
    /// Exceptions that the operation names.
    pub errors: Vec<ShapeId>,
    /// What SDKs put before the host name, such as `sync-`; may hold labels of the input in braces.
    pub host_prefix: Option<String>,
    /// Whether requests go without a signature.
    pub unsigned: bool,
    /// Whether the service refuses a request without a checksum of its body.
    pub checksum_required: bool,
    /// The member that names the checksum's algorithm, where the operation takes one.
    pub checksum_member: Option<String>,
}

/// Where in its service a shape is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShapeId(u32);

/// A shape: its name and what it is.
#[derive(Debug)]
pub struct Shape {
    pub name: String,
    pub kind: Kind,
    pub limits: Limits,
}

/// What a value may be, beside its kind.
#[derive(Debug, Default)]
pub struct Limits {
    /// The values of an enumeration.
    pub values: Vec<String>,
    /// Of a number; of the length of a text or blob; of how many there are.
    pub min: Option<f64>,
    pub max: Option<f64>,
}

/// What a shape is.
#[derive(Debug)]
pub enum Kind {
    Structure(Structure),
    List {
        element: Ref,
        flattened: bool,
    },
    Map {
        key: Ref,
        value: Ref,
        flattened: bool,
    },
    String,
    Blob,
    Boolean,
    /// Integer, long and short.
    Integer,
    /// Float and double.
    Float,
    Timestamp(Option<TimestampFormat>),
    /// Any JSON value.
    Document,
}

/// Members of a structure, in the model's order.
#[derive(Debug)]
pub struct Structure {
    pub members: Vec<Member>,
    /// The member that alone is the HTTP body.
    pub payload: Option<usize>,
    /// Set for exceptions.
    pub error: Option<ErrorTraits>,
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// The name in the service's model, such as `jobName`.
    pub name: String,
    /// The name in a state machine, such as `JobName`.
    pub pascal: String,
    pub required: bool,
    pub target: Ref,
}

/// How an exception is told over HTTP.
#[derive(Debug)]
pub struct ErrorTraits {
    /// The code on the wire where it is not the shape's name.
    pub code: Option<String>,
    /// The code in the query protocol, for services that speak JSON now and spoke query before.
    pub query_code: Option<String>,
    pub status: Option<u16>,
    /// The service's fault, not the caller's.
    pub server_fault: bool,
}

/// A use of a shape, with what this use says about the wire.
#[derive(Clone, Debug)]
pub struct Ref {
    pub shape: ShapeId,
    pub location: Option<Location>,
    /// The name on the wire where it is not the member's.
    pub wire: Option<String>,
    /// The name in the query protocol, where that differs from `wire`.
    pub query: Option<String>,
    pub flattened: bool,
    pub timestamp: Option<TimestampFormat>,
    pub xml_namespace: Option<(Option<String>, String)>,
    pub xml_attribute: bool,
    pub host_label: bool,
    pub idempotency_token: bool,
    /// A string that holds JSON, in base64 when it is a header.
    pub json_value: bool,
    /// A structure whose values arrive one by one; not supported by any codec here.
    pub event_stream: bool,
}

/// Where in an HTTP message a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Location {
    Uri,
    Query,
    Header,
    /// A map whose keys are header names behind a prefix.
    Headers,
    StatusCode,
}

/// How a time is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampFormat {
    Iso8601,
    Rfc822,
    Unix,
}

impl Service {
    /// The operation with AWS's name (`SendMessage`) or a state machine's action (`sendMessage`).
    pub fn operation(&self, name: &str) -> Option<&Operation> {
        let at = self.by_name.get(name).or_else(|| self.by_name.get(&capitalised(name)))?;
        Some(&self.operations[*at])
    }

    /// All operations, in the model's order.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter()
    }

    /// The shape with an id of this service.
    pub fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id.0 as usize]
    }

    /// The shape called `name`, such as an exception.
    pub fn shape_named(&self, name: &str) -> Option<&Shape> {
        self.by_shape.get(name).map(|id| self.shape(*id))
    }

    /// Traits of the exception called `name`.
    pub fn exception(&self, name: &str) -> Option<(&Shape, &ErrorTraits)> {
        exception(self.shape_named(name)?)
    }

    /// All exceptions of the service.
    pub fn exceptions(&self) -> impl Iterator<Item = (&Shape, &ErrorTraits)> {
        self.shapes.iter().filter_map(exception)
    }

    /// Members of the structure that `reference` points to; none where it is not a structure.
    pub fn members(&self, reference: &Ref) -> &[Member] {
        self.structure(reference).map_or(&[], |structure| &structure.members)
    }

    /// The structure that `reference` points to.
    pub fn structure(&self, reference: &Ref) -> Option<&Structure> {
        match &self.shape(reference.shape).kind {
            Kind::Structure(structure) => Some(structure),
            _ => None,
        }
    }

    /// Whether values arrive or are sent one by one, which no codec here does.
    pub fn streams(&self, operation: &Operation) -> bool {
        let mut shapes = operation.input.iter().chain(&operation.output);
        shapes.any(|shape| self.members(shape).iter().any(|member| member.target.event_stream))
    }

    pub(crate) fn kind(&self, reference: &Ref) -> &Kind {
        &self.shape(reference.shape).kind
    }
}

impl Operation {
    /// The name that a state machine uses: `sendMessage`.
    pub fn action(&self) -> String {
        let mut letters = self.name.chars();
        letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
    }
}

impl ErrorTraits {
    /// The HTTP status, or what the protocols say where the model is silent.
    pub fn status(&self) -> u16 {
        self.status.unwrap_or(if self.server_fault { 500 } else { 400 })
    }
}

fn exception(shape: &Shape) -> Option<(&Shape, &ErrorTraits)> {
    match &shape.kind {
        Kind::Structure(Structure { error: Some(traits), .. }) => Some((shape, traits)),
        _ => None,
    }
}

/// The name with its first letter in upper case.
pub(crate) fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

/// A member's name in a state machine. `equals` alone is renamed as well: it is a method of every Java object, so the
/// SDK that Step Functions is built on calls it `EqualsValue`.
fn pascal(name: &str) -> String {
    match name {
        "equals" | "Equals" => "EqualsValue".into(),
        _ => capitalised(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models;

    #[test]
    fn operations_are_found_by_name_and_by_action() {
        let sqs = models().service("sqs").unwrap();
        assert_eq!(sqs.operation("SendMessage").unwrap().name, "SendMessage");
        assert_eq!(sqs.operation("sendMessage").unwrap().action(), "sendMessage");
        assert!(sqs.operation("sendmessage").is_none());
        assert!(sqs.operation("").is_none());
    }

    #[test]
    fn what_the_models_say_is_there() {
        let service = models().service("lambda").unwrap();
        let invoke = service.operation("Invoke").unwrap();
        assert_eq!(invoke.uri, "/2015-03-31/functions/{FunctionName}/invocations");
        let input = invoke.input.as_ref().unwrap();
        let structure = service.structure(input).unwrap();
        assert_eq!(structure.members[structure.payload.unwrap()].name, "Payload");
        assert!(structure.members[0].required && structure.members[0].target.location == Some(Location::Uri));

        let sfn = models().service("sfn").unwrap();
        assert_eq!(sfn.operation("startSyncExecution").unwrap().host_prefix.as_deref(), Some("sync-"));
        let members = sfn.members(sfn.operation("StartExecution").unwrap().input.as_ref().unwrap());
        assert_eq!((members[0].name.as_str(), members[0].pascal.as_str()), ("stateMachineArn", "StateMachineArn"));

        let sns = models().service("sns").unwrap();
        let (_, traits) = sns.exception("NotFoundException").unwrap();
        assert_eq!((traits.code.as_deref(), traits.status()), (Some("NotFound"), 404));
        let sts = models().service("sts").unwrap();
        assert!(sts.operation("AssumeRoleWithWebIdentity").unwrap().unsigned);
    }
}
