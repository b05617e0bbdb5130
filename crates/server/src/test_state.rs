//! TestState: one state, tested alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use asl::Payload;
use engine::test_state::{Failure, FieldValidation, Handler, Mock, TestStateRequest, Tested};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::data;
use crate::decode::Text;
use crate::exception::Exception;
use crate::operations::Caller;
use crate::requests::{self, taken};

pub struct Answer {
    tested: Tested,
    input: Payload,
    inspected: bool,
}

pub async fn test(caller: Caller<'_>, request: requests::TestState<'_>) -> Result<Answer, Exception> {
    let input = match request.input.as_deref() {
        None => Payload::empty_object(),
        Some(text) if text.trim().is_empty() => {
            return Err(Exception::new("InvalidExecutionInput", "Invalid execution input."));
        }
        Some(text) => data::parse(text).map_err(|reason| Exception::invalid_input(&reason))?,
    };
    let configuration = request.state_configuration.unwrap_or_default();
    let items_read = configuration.map_item_reader_data.as_deref().map(|text| match data::parse(text) {
        Ok(items) if items.value().is_array() => Ok(items),
        _ => Err(Exception::validation("MapItemReaderData must be a JSON array")),
    });
    let count = |number: Option<crate::decode::Integer>| number.map(|number| number.0.unsigned_abs());
    let test = TestStateRequest {
        account: caller.account.to_owned(),
        definition: taken(request.definition),
        state_name: request.state_name.map(Text::into_string),
        role: request.role_arn.map(Text::into_string).unwrap_or_default(),
        input: input.clone(),
        variables: variables(request.variables.as_deref())?,
        mock: request.mock.map(mock).transpose()?.flatten(),
        context: request.context.as_deref().map(context).transpose()?,
        retries: count(configuration.retrier_retry_count).unwrap_or_default().try_into().unwrap_or(u32::MAX),
        caused_by: configuration.error_caused_by_state.map(Text::into_string),
        iteration_failures: count(configuration.map_iteration_failure_count),
        items_read: items_read.transpose()?,
    };
    let inspected = request.inspection_level.as_deref().is_some_and(|level| level != "INFO");
    let tested = caller.engine().test_state(test).await?;
    Ok(Answer { tested, input, inspected })
}

fn object(text: &str, what: &str) -> Result<Map<String, Value>, Exception> {
    match serde_json::from_str(text) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Exception::validation(format!("{what} must be a JSON object"))),
        Err(_) => Err(Exception::validation(format!("{what} must be valid JSON"))),
    }
}

fn variables(text: Option<&str>) -> Result<BTreeMap<Arc<str>, Payload>, Exception> {
    let Some(text) = text else { return Ok(BTreeMap::new()) };
    let members = object(text, "Variables")?;
    Ok(members.into_iter().map(|(name, value)| (name.into(), Payload::from(value))).collect())
}

fn mock(mock: requests::MockInput<'_>) -> Result<Option<Mock>, Exception> {
    let validation = match mock.field_validation_mode.as_deref() {
        Some("PRESENT") => FieldValidation::Present,
        Some("NONE") => FieldValidation::None,
        _ => FieldValidation::Strict,
    };
    match (mock.result, mock.error_output) {
        (Some(_), Some(_)) => {
            let told = "A test mock should have only one of the following fields: [result, errorOutput].";
            Err(Exception::validation(told))
        }
        (None, None) => Ok(None),
        (Some(text), None) => match data::parse(&text) {
            Ok(result) => Ok(Some(Mock::Result { result, validation })),
            Err(_) => Err(Exception::validation("Mocked result must be valid JSON")),
        },
        (None, Some(output)) => {
            let text = |text: Option<Text<'_>>| text.map(|text| text.into_string().into());
            let failure = Failure { error: text(output.error), cause: text(output.cause), ..Failure::default() };
            Ok(Some(Mock::Error(failure)))
        }
    }
}

/// What a context object may hold, beside `Map`, which AWS takes from the state that is tested.
const CONTEXT: [(&str, &[(&str, Type)]); 4] = {
    use Type::{Any, Number, Text};
    [
        (
            "Execution",
            &[
                ("Id", Text),
                ("Input", Any),
                ("Name", Text),
                ("RoleArn", Text),
                ("StartTime", Text),
                ("RedriveCount", Number),
                ("RedriveTime", Text),
            ],
        ),
        ("State", &[("EnteredTime", Text), ("Name", Text), ("RetryCount", Number)]),
        ("StateMachine", &[("Id", Text), ("Name", Text)]),
        ("Task", &[("Token", Text)]),
    ]
};

#[derive(Clone, Copy)]
enum Type {
    Any,
    Text,
    Number,
}

fn context(text: &str) -> Result<Value, Exception> {
    let members = object(text, "Context")?;
    let wrong = |told: String| Exception::validation(format!("Invalid Context object provided: {told}"));
    for (name, value) in &members {
        if name == "Map" {
            return Err(wrong("'Map' field is not supported when mocking a Context object".into()));
        }
        let Some((_, fields)) = CONTEXT.iter().find(|(known, _)| known == name) else {
            return Err(wrong(format!("Field '{name}' is not allowed")));
        };
        let Value::Object(value) = value else { return Err(wrong(format!("{name} must be an object"))) };
        for (field, value) in value {
            match fields.iter().find(|(known, _)| known == field) {
                None => return Err(wrong(format!("Field '{field}' is not allowed"))),
                Some((_, Type::Text)) if !value.is_string() => {
                    return Err(wrong(format!("{name}.{field} must be a string")));
                }
                Some((_, Type::Number)) if !value.is_number() => {
                    return Err(wrong(format!("{name}.{field} must be a number")));
                }
                Some(_) => {}
            }
        }
    }
    Ok(members.into())
}

impl Serialize for Answer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ended = &self.tested.ended;
        let mut answer = Map::new();
        let mut put = |name: &str, text: Option<&str>| {
            if let Some(text) = text {
                answer.insert(name.into(), text.into());
            }
        };
        put("output", ended.output.as_ref().map(|output| &**output.text()));
        put("error", ended.failure.as_ref().and_then(|failure| failure.error.as_deref()));
        put("cause", ended.failure.as_ref().and_then(|failure| failure.cause.as_deref()));
        put("nextState", ended.next.as_deref());
        put("status", Some(ended.status.name()));
        if self.inspected {
            answer.insert("inspectionData".into(), self.inspection().into());
        }
        answer.serialize(serializer)
    }
}

impl Answer {
    fn inspection(&self) -> Map<String, Value> {
        let mut data = Map::new();
        data.insert("input".into(), self.input.text().as_ref().into());
        for (stage, payload) in &self.tested.shown {
            data.insert(stage.name().into(), payload.text().as_ref().into());
        }
        for (field, amount) in &self.tested.amounts {
            let (name, number) = match *field {
                "MaxConcurrency" => ("maxConcurrency", json!(*amount as u64)),
                "ToleratedFailureCount" => ("toleratedFailureCount", json!(*amount as u64)),
                "ToleratedFailurePercentage" => ("toleratedFailurePercentage", json!(amount)),
                // What a Task or Wait computes is not shown.
                _ => continue,
            };
            data.insert(name.into(), number);
        }
        let variables = &self.tested.ended.variables;
        if !variables.is_empty() {
            let variables: Map<String, Value> =
                variables.iter().map(|(name, value)| (name.to_string(), value.value().clone())).collect();
            data.insert("variables".into(), Value::Object(variables).to_string().into());
        }
        let details = match self.tested.ended.handler {
            None => return data,
            Some(Handler::Catcher { place }) => json!({"catchIndex": place}),
            Some(Handler::Retrier { place, delay_seconds }) => {
                json!({"retryIndex": place, "retryBackoffIntervalSeconds": delay_seconds as u64})
            }
        };
        data.insert("errorDetails".into(), details);
        data
    }
}
