//! What single services expect of every client and no model says: the SDKs have code for each, so do we, as one table.

use serde_json::{Map, Value};

use super::{CodecError, Dialect, HttpRequest, header};
use crate::model::{Operation, Service};

/// Before the parameters are written.
pub(super) fn prepare(service: &Service, mut params: Map<String, Value>, dialect: Dialect) -> Map<String, Value> {
    match service.name.as_str() {
        // Answers tell ids as `/hostedzone/Z1`, calls take `Z1`.
        "route53" => {
            for name in ["HostedZoneId", "Id", "DelegationSetId", "ChangeId"] {
                if let Some(Value::String(id)) = params.get_mut(name)
                    && let Some(at) = id.rfind('/')
                {
                    id.drain(..=at);
                }
            }
        }
        // The caller's own account.
        "glacier" => {
            let name = if dialect == Dialect::Native { "accountId" } else { "AccountId" };
            params.entry(name).or_insert_with(|| "-".into());
        }
        _ => {}
    }
    params
}

/// After the request is written.
pub(super) fn finish(service: &Service, operation: &Operation, request: &mut HttpRequest) -> Result<(), CodecError> {
    match (service.name.as_str(), operation.name.as_str()) {
        ("glacier", _) => header(&mut request.headers, "x-amz-glacier-version", &service.metadata.api_version),
        ("apigateway", _) if !request.headers.contains_key("accept") => {
            header(&mut request.headers, "accept", "application/json")
        }
        // Expressions may be longer than an address.
        ("cloudsearchdomain", "Search") => {
            request.method = "POST".to_owned();
            request.body = std::mem::take(&mut request.query).into();
            header(&mut request.headers, "content-type", "application/x-www-form-urlencoded")
        }
        _ => Ok(()),
    }
}
