//! Whether a service could have answered this: a mocked result of TestState is held against the service's model.
//!
//! The texts are AWS's, as far as they are recorded (`Field 'StartDate' must be a string`). Members that the model does
//! not know are not looked at, as there.

use asl::Pattern;
use aws::Service;
use aws::model::{Kind, Ref};
use engine::test_state::FieldValidation;
use serde_json::Value;

use crate::plan::Plan;
use crate::table::Shape;

/// What a function gives back is its own affair.
const PAYLOAD: &str = "Payload";

pub(crate) fn check(plan: &Plan, result: &Value, validation: FieldValidation) -> Result<(), String> {
    let operation = match (plan.pattern, &plan.row.job) {
        // Whoever has the token gives back what they like.
        (Pattern::WaitForTaskToken, _) => return Ok(()),
        // The result of a job is what is heard when it is asked after.
        (Pattern::Sync { .. }, Some(job)) => plan.service.operation(job.describe.operation),
        _ => Some(plan.operation()),
    };
    if validation == FieldValidation::None || plan.row.result == Shape::Payload {
        return Ok(());
    }
    let Some(output) = operation.and_then(|operation| operation.output.as_ref()) else { return Ok(()) };
    let strict = validation == FieldValidation::Strict;
    Check { service: &plan.service, strict, function: plan.row.result == Shape::Invocation }
        .value("output", output, result)
}

struct Check<'a> {
    service: &'a Service,
    strict: bool,
    function: bool,
}

impl Check<'_> {
    fn value(&self, name: &str, shape: &Ref, value: &Value) -> Result<(), String> {
        let wrong = |told: &str| Err(format!("Field '{name}' {told}"));
        let shape = self.service.shape(shape.shape);
        match &shape.kind {
            Kind::Structure(structure) => {
                let Some(fields) = value.as_object() else { return wrong("must be an object") };
                for member in &structure.members {
                    match fields.get(&member.pascal).filter(|value| !value.is_null()) {
                        Some(_) if self.function && member.pascal == PAYLOAD => {}
                        Some(value) => self.value(&member.pascal, &member.target, value)?,
                        None if self.strict && member.required => {
                            return Err(format!("Required field '{}' is missing", member.pascal));
                        }
                        None => {}
                    }
                }
            }
            Kind::List { element, .. } => {
                let Some(items) = value.as_array() else { return wrong("must be an array") };
                items.iter().try_for_each(|item| self.value(name, element, item))?;
            }
            Kind::Map { value: of_value, .. } => {
                let Some(fields) = value.as_object() else { return wrong("must be an object") };
                fields.iter().try_for_each(|(key, value)| self.value(key, of_value, value))?;
            }
            Kind::String | Kind::Blob | Kind::Timestamp(_) => {
                let Some(text) = value.as_str() else { return wrong("must be a string") };
                if !shape.limits.values.is_empty() && !shape.limits.values.iter().any(|known| known == text) {
                    return wrong("is not an expected value");
                }
                let length = text.chars().count() as f64;
                if shape.limits.min.is_some_and(|least| length < least) {
                    return wrong("is smaller than the minimum length");
                }
                if shape.limits.max.is_some_and(|most| length > most) {
                    return wrong("exceeds the maximum length");
                }
            }
            Kind::Boolean if !value.is_boolean() => return wrong("must be a boolean"),
            Kind::Integer | Kind::Float => {
                let Some(number) = value.as_f64() else { return wrong("must be a number") };
                if shape.limits.min.is_some_and(|least| number < least) {
                    return wrong("is less than the minimum value");
                }
                if shape.limits.max.is_some_and(|most| number > most) {
                    return wrong("exceeds the maximum value");
                }
            }
            Kind::Boolean | Kind::Document => {}
        }
        Ok(())
    }
}
