//! `apigateway:invoke`: a call of an API that a user made, which no model describes. The parameters are the request, and
//! the answer is the result.
//!
//! `ApiEndpoint` is a host of API Gateway (`<id>.execute-api.<region>.amazonaws.com`). It is called at AWS where AWS may be
//! called, and otherwise at the endpoint of `execute-api` in the settings or `AWS_ENDPOINT_URL`, under the host's own name.
//! A URL of another server (`http://127.0.0.1:3000`) is called as it is. Source: the Developer Guide's page about API
//! Gateway, and recorded answers.

use std::collections::BTreeMap;

use asl::{Pattern, Resource, Target};
use aws::HttpResponse;
use aws::client::{Http, Plain};
use aws::endpoint::{Endpoint, EndpointError, Source};
use engine::port::TaskRequest;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use crate::call::Errand;
use crate::failure::{Failure, between, client, of_parameters};
use crate::{Connectors, errand, prepare};

/// The service whose endpoint and whose name in signatures the calls have.
const SERVICE: &str = "execute-api";
/// The first part of the names of errors.
const PREFIX: &str = "ApiGateway";
/// What AWS calls the task where it says that a result is too large.
const SUBJECT: &str = "apigateway";

const METHODS: &[&str] = &["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// Methods whose request has a body.
const WITH_BODY: &[&str] = &["PATCH", "POST", "PUT"];
/// Methods that change nothing.
const READING: &[&str] = &["GET", "HEAD", "OPTIONS"];

/// `RESOURCE_POLICY` is a signature too: there the API says who may call, and not the caller's role.
const AUTH_TYPES: &[&str] = &["IAM_ROLE", "NO_AUTH", "RESOURCE_POLICY"];
const NO_AUTH: &str = "NO_AUTH";

/// What a parameter may be.
enum Field {
    Text,
    Boolean,
    One(&'static [&'static str]),
    /// An object of lists of texts.
    Lists,
    Any,
}

const FIELDS: &[(&str, Field)] = &[
    ("AllowNullValues", Field::Boolean),
    ("ApiEndpoint", Field::Text),
    ("AuthType", Field::One(AUTH_TYPES)),
    ("Headers", Field::Lists),
    ("Method", Field::One(METHODS)),
    ("Path", Field::Text),
    ("QueryParameters", Field::Lists),
    ("RequestBody", Field::Any),
    ("Stage", Field::Text),
];

/// How a Resource calls an API, if it does.
pub(crate) fn pattern(resource: &Resource) -> Option<Pattern> {
    let Target::Integration { pattern, .. } = resource.target else { return None };
    let row = resource.integration().filter(|_| resource.mistake().is_none())?;
    ((row.service, row.action) == ("apigateway", "invoke")).then_some(pattern)
}

/// What is wrong with the parameters, in AWS's words.
pub(crate) fn mistakes(parameters: &Map<String, Value>) -> Vec<String> {
    let mut mistakes: Vec<String> = parameters.iter().filter_map(|(name, value)| mistake(name, value)).collect();
    for name in ["ApiEndpoint", "Method"] {
        if parameters.get(name).is_none_or(Value::is_null) {
            mistakes.push(format!("The field '{name}' is required but was missing"));
        }
    }
    if let Some(Value::Object(headers)) = parameters.get("Headers") {
        mistakes.extend(asl::header_mistake(headers.keys().map(String::as_str)));
    }
    mistakes
}

fn mistake(name: &str, value: &Value) -> Option<String> {
    let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) else {
        return Some(format!("The field \"{name}\" is not supported by Step Functions"));
    };
    let must_be = |kind: &str| Some(format!("The value for the field '{name}' must be a {kind}"));
    match (field, value) {
        (_, Value::Null) | (Field::Any, _) | (Field::Text, Value::String(_)) | (Field::Boolean, Value::Bool(_)) => None,
        (Field::Text, _) => must_be("STRING"),
        (Field::Boolean, _) => must_be("BOOLEAN"),
        (Field::One(known), Value::String(text)) if known.contains(&text.as_str()) => None,
        (Field::Lists, Value::Object(lists)) if lists.values().all(|list| texts(list).is_some()) => None,
        (Field::One(_) | Field::Lists, _) => Some(invalid(name)),
    }
}

fn invalid(name: &str) -> String {
    format!("The value of the field '{name}' has an invalid format")
}

/// A list of texts; numbers and truth values are written as such.
fn texts(list: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    list.as_array()?.iter().map(text).collect()
}

impl Connectors {
    /// Calls the API once; what a call does is its author's secret.
    pub(crate) async fn invoke(&self, request: &TaskRequest) -> Result<Value, Failure> {
        let unusable = |mistake: &str| of_parameters(request.parameters.text(), mistake);
        let Value::Object(parameters) = request.parameters.value() else {
            return Err(unusable(prepare::NO_OBJECT));
        };
        let mistakes = mistakes(parameters);
        if !mistakes.is_empty() {
            return Err(unusable(&mistakes.join(", ")));
        }
        let text = |name: &str| parameters.get(name).and_then(Value::as_str).unwrap_or_default();
        if request.resent && !READING.contains(&text("Method")) {
            self.may_resend(request)?;
        }
        let api = api(text("ApiEndpoint")).ok_or_else(|| unusable(&invalid("ApiEndpoint")))?;
        let region = region(&api).unwrap_or_else(|| request.region.to_string());
        let body = body(parameters);
        let headers = headers(parameters, body.is_some()).ok_or_else(|| unusable(&invalid("Headers")))?;
        let endpoint = self.server_of(&api, &region)?;
        let plain = Plain {
            method: text("Method").to_owned(),
            host: (endpoint.authority != api.authority).then(|| api.authority.to_string()),
            endpoint,
            path: path(text("Stage"), text("Path")),
            query: pairs(parameters, "QueryParameters").collect(),
            body: body.unwrap_or_default().into(),
        };
        let service = aws::models().service(SERVICE).expect("a service of every build");
        let errand = Errand { region: &region, ..errand(&service, request, Value::Null) };
        let is_signed = !["", NO_AUTH].contains(&text("AuthType"));
        let answered = self.caller.send(&plain, headers, is_signed, &errand).await;
        result(&answered.map_err(|error| between(PREFIX, SUBJECT, &error))?)
    }

    fn server_of(&self, api: &Endpoint, region: &str) -> Result<Endpoint, Failure> {
        if api.source == Source::Call && !api.is_aws() {
            return Ok(api.clone());
        }
        let why = match self.caller.endpoint(SERVICE, region) {
            Ok(endpoint) if !endpoint.is_aws() => return Ok(endpoint),
            Ok(_) if api.is_aws() => return Ok(api.clone()),
            Ok(_) => format!("{} is no host of API Gateway", api.authority),
            Err(EndpointError::None { .. }) => format!(
                "no endpoint for {}: set endpoints.{SERVICE} in the settings (or AWS_ENDPOINT_URL) to the server that \
                 answers for it, or aws = true to call API Gateway",
                api.authority
            ),
            Err(error) => error.to_string(),
        };
        Err(client(PREFIX, why))
    }
}

/// `ApiEndpoint`: a URL is a word of the call's own, a host alone means API Gateway's.
fn api(text: &str) -> Option<Endpoint> {
    match text.contains("://") {
        true => Endpoint::parse(text, Source::Call, SUBJECT).ok(),
        false => Endpoint::parse(&format!("https://{text}"), Source::Aws, SUBJECT).ok(),
    }
}

/// That of `<id>.execute-api.<region>.amazonaws.com`.
fn region(api: &Endpoint) -> Option<String> {
    let mut labels = api.authority.host().split('.').skip_while(|label| *label != SERVICE);
    labels.nth(1).filter(|_| api.is_aws()).map(str::to_owned)
}

fn path(stage: &str, path: &str) -> String {
    let stage = stage.trim_matches('/');
    let slash = if stage.is_empty() { "" } else { "/" };
    format!("{slash}{stage}/{}", path.trim_start_matches('/'))
}

fn pairs<'a>(parameters: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = (String, String)> + 'a {
    let lists = parameters.get(name).and_then(Value::as_object).into_iter().flatten();
    lists.flat_map(|(name, list)| texts(list).unwrap_or_default().into_iter().map(|value| (name.clone(), value)))
}

/// Nothing where a name or a value is none of HTTP's.
fn headers(parameters: &Map<String, Value>, has_body: bool) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs(parameters, "Headers") {
        headers.append(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    if has_body {
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    }
    Some(headers)
}

/// Always JSON, a text too. Fields that are null are left out, unless the call allows them.
fn body(parameters: &Map<String, Value>) -> Option<String> {
    let method = parameters.get("Method").and_then(Value::as_str).unwrap_or_default();
    let mut body = parameters.get("RequestBody").filter(|_| WITH_BODY.contains(&method))?.clone();
    if parameters.get("AllowNullValues") != Some(&Value::Bool(true)) {
        leave_out_nulls(&mut body);
        if body.is_null() {
            return None;
        }
    }
    Some(body.to_string())
}

fn leave_out_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(leave_out_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_nulls),
        _ => {}
    }
}

/// How API Gateway and what stands before it spell the headers of their answers, beside those of all services.
const SPELLINGS: &[&str] = &["Connection", "Via", "X-Amz-Cf-Id", "X-Amz-Cf-Pop", "X-Cache"];

fn spelled(name: &str) -> &str {
    SPELLINGS.iter().find(|spelling| spelling.eq_ignore_ascii_case(name)).copied().unwrap_or(Http::spelled(name))
}

/// A body that is no JSON is the text it is. What is not of the two hundreds has failed.
fn result(response: &HttpResponse) -> Result<Value, Failure> {
    let body = String::from_utf8_lossy(&response.body);
    if !(200..300).contains(&response.status) {
        return Err(Failure::new(format!("{PREFIX}.{}", response.status), body));
    }
    let mut headers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, value) in &response.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        headers.entry(spelled(name.as_str())).or_default().push(value);
    }
    let status = StatusCode::from_u16(response.status).ok().and_then(|status| status.canonical_reason());
    Ok(json!({
        "Headers": headers,
        "ResponseBody": serde_json::from_str(&body).unwrap_or_else(|_| Value::from(body)),
        "StatusCode": response.status,
        "StatusText": status.unwrap_or_default(),
    }))
}
