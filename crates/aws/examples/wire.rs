//! What this crate writes on the wire and reads off it, for tests that compare it with another client: a JSON object a
//! line in, a JSON object a line out. Nothing is sent. Values are in the native dialect, bodies in base64.
//!
//! | in | out |
//! |---|---|
//! | `{service, operation, params}` | `{method, path, query, headers, body, hostPrefix}` |
//! | `{service, operation, status, headers, body}` | `{value}` or `{error: {code, queryCode, message, status}}` |
//!
//! Either may be `{refused}`, in words. Services are called by their service id.

use std::io::{BufRead, Write};

use aws::codec::{self, Dialect, HttpResponse, ResponseError};
use aws::models;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let asked: Value = serde_json::from_str(&line?)?;
        let answered = answer(&asked).unwrap_or_else(|error| json!({"refused": error.to_string()}));
        writeln!(out, "{answered}")?;
        out.flush()?;
    }
    Ok(())
}

fn answer(asked: &Value) -> Result<Value, Box<dyn std::error::Error>> {
    let text = |name: &str| asked[name].as_str().unwrap_or_default();
    let service = models().service(text("service")).ok_or("no such service")?;
    let operation = service.operation(text("operation")).ok_or("no such operation")?;
    let Some(status) = asked["status"].as_u64() else {
        let request = codec::encode_request(&service, operation, asked["params"].clone(), Dialect::Native)?;
        let headers: Map<String, Value> = request
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
            .collect();
        return Ok(json!({
            "method": request.method, "path": request.path, "query": request.query, "headers": headers,
            "body": STANDARD.encode(&request.body), "hostPrefix": request.host_prefix,
        }));
    };
    let mut headers = HeaderMap::new();
    for (name, value) in asked["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default().as_bytes();
        headers.append(HeaderName::try_from(name)?, HeaderValue::from_bytes(value)?);
    }
    let body = STANDARD.decode(text("body"))?.into();
    let response = HttpResponse { status: u16::try_from(status)?, headers, body };
    match codec::decode_response(&service, operation, &response, Dialect::Native) {
        Ok(value) => Ok(json!({"value": value})),
        Err(ResponseError::Service(error)) => Ok(json!({"error": {
            "code": error.code, "queryCode": error.query_code, "message": error.message, "status": error.status,
        }})),
        Err(error) => Err(error.into()),
    }
}
