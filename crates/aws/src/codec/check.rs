//! Whether parameters fit their shapes, without writing anything: a task whose parameters cannot be sent is not started.

use serde_json::{Map, Value};

use super::scalar::Scalar;
use super::{CodecError, Dialect, Wrong, descend, member_named};
use crate::model::{Kind, Operation, Ref, Service};

/// What is wrong with the parameters of a call, in a state machine's names. Members called in `skip` may be anything.
/// Whether something required is missing is the service's to say.
pub fn mistakes(
    service: &Service,
    operation: &Operation,
    params: &Map<String, Value>,
    skip: &[&str],
) -> Vec<CodecError> {
    let members = operation.input.as_ref().map_or(&[][..], |input| service.members(input));
    let looked_at = params.iter().filter(|(name, _)| !skip.contains(&name.as_str()));
    let judged = looked_at.filter_map(|(name, value)| {
        let judged = match member_named(members, name, Dialect::StateMachine) {
            Ok(member) => fits(service, &member.target, value, 0).map_err(|error| error.at(name.as_str())),
            Err(error) => Err(error),
        };
        judged.err()
    });
    judged.collect()
}

fn fits(service: &Service, reference: &Ref, value: &Value, depth: usize) -> Result<(), CodecError> {
    let depth = descend(depth)?;
    match (service.kind(reference), value) {
        (_, Value::Null) => Ok(()),
        (Kind::Structure(structure), Value::Object(value)) => value.iter().try_for_each(|(name, value)| {
            let member = member_named(&structure.members, name, Dialect::StateMachine)?;
            fits(service, &member.target, value, depth).map_err(|error| error.at(name.as_str()))
        }),
        (Kind::List { element, .. }, Value::Array(items)) => items.iter().enumerate().try_for_each(|(at, item)| {
            fits(service, element, item, depth).map_err(|error| error.at(format!("[{at}]")))
        }),
        (Kind::Map { value: shape, .. }, Value::Object(entries)) => entries
            .iter()
            .try_for_each(|(name, item)| fits(service, shape, item, depth).map_err(|error| error.at(name.as_str()))),
        (Kind::Structure(_) | Kind::Map { .. }, _) => Err(CodecError::new(Wrong::MustBe("MAP"))),
        (Kind::List { .. }, _) => Err(CodecError::new(Wrong::MustBe("LIST"))),
        (kind, value) => Scalar::fits(value, kind),
    }
}
