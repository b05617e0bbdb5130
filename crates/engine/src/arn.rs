//! Amazon Resource Names of what lives here: state machines, executions, activities.

use std::fmt;

/// Why a text names nothing here; the text is AWS's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct ArnError(pub String);

/// An ARN's parts. Its text is `arn:aws:states:region:account:kind:rest`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub kind: &'a str,
    /// What follows the kind.
    pub rest: &'a str,
}

impl<'a> Arn<'a> {
    pub fn parse(text: &'a str) -> Result<Arn<'a>, ArnError> {
        let mut parts = text.splitn(7, ':');
        if parts.next() != Some("arn") {
            return Err(ArnError(format!("Invalid ARN prefix: {text}")));
        }
        let mut next = || parts.next().unwrap_or_default();
        let (partition, service, region, account, kind, rest) = (next(), next(), next(), next(), next(), next());
        if !partition.starts_with("aws") || service != "states" || kind.is_empty() {
            return Err(ArnError(format!("Invalid ARN prefix: {text}")));
        }
        Ok(Arn { partition, region, account, kind, rest })
    }

    /// Requires one of these kinds.
    pub fn of_kind(text: &'a str, kinds: &[&str]) -> Result<Arn<'a>, ArnError> {
        let arn = Arn::parse(text)?;
        if kinds.contains(&arn.kind) {
            return Ok(arn);
        }
        Err(ArnError(format!("Resource type not valid in this context: {}", arn.kind)))
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arn { partition, region, account, kind, rest } = self;
        write!(f, "arn:{partition}:states:{region}:{account}:{kind}:{rest}")
    }
}

/// `arn:aws:states:us-east-1:000000000000:stateMachine:name`.
pub fn arn(region: &str, account: &str, kind: &str, rest: &str) -> String {
    Arn { partition: partition(region), region, account, kind, rest }.to_string()
}

/// China and GovCloud have partitions of their own.
fn partition(region: &str) -> &'static str {
    match region {
        r if r.starts_with("cn-") => "aws-cn",
        r if r.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// `…:stateMachine:name:qualifier` → the machine's own ARN and the version or alias.
pub fn split_qualifier(machine: &str) -> (&str, Option<&str>) {
    match machine.match_indices(':').nth(6) {
        Some((at, _)) => (&machine[..at], Some(&machine[at + 1..])),
        None => (machine, None),
    }
}

/// The execution ARN of a machine's ARN and a name.
pub fn execution_arn(machine: &str, name: &str) -> String {
    format!("{}:{name}", machine.replacen(":stateMachine:", ":execution:", 1))
}

/// An execution's ARN → its machine's ARN and its name.
pub fn split_execution(execution: &str) -> Option<(String, &str)> {
    let (machine, name) = execution.rsplit_once(':')?;
    Some((machine.replacen(":execution:", ":stateMachine:", 1), name))
}
/// The last part of an ARN: the name of a state machine or activity.
pub(crate) fn name_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}
