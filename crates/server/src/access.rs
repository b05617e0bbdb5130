//! Who may call, and for which account.
//!
//! Without keys everybody who reaches the port may call, which is meant for loopback only; then a web page that the
//! machine's owner visits must not be able to, so foreign hosts, origins and content types are refused. With keys every
//! request must be signed with one of them.

use std::collections::HashMap;
use std::time::SystemTime;

use aws::auth::{CLOCK_SKEW, verify};
use aws::server::Incoming;
use http::request::Parts;
use http::{HeaderMap, HeaderName, header};

use crate::exception::Exception;

/// Who may call.
#[derive(Clone, Default)]
pub enum Access {
    /// Everybody who reaches the port: for loopback only.
    #[default]
    Open,
    /// Who signs with one of these access keys, by their ids.
    Keys(HashMap<String, AccessKey>),
}

#[derive(Clone)]
pub struct AccessKey {
    pub secret: String,
    /// Whose names the caller sees; the server's account where absent.
    pub account: Option<String>,
}

/// What the protocol's clients send; a web page cannot send these without asking first.
const CONTENT_TYPES: [&str; 3] = ["application/x-amz-json-1.0", "application/x-amz-json-1.1", "application/json"];

/// Names of this machine that are always good.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What SDKs put before the host for StartSyncExecution and TestState.
const HOST_PREFIX: &str = "sync-";

/// The signing name of Step Functions.
pub const SERVICE: &str = "states";

const ACCOUNT_DIGITS: usize = 12;

/// The header that names the operation.
pub const TARGET: HeaderName = HeaderName::from_static("x-amz-target");

/// The access key id in the `Authorization` header, and the service it is for. Nothing is verified.
pub fn credential(headers: &HeaderMap) -> Option<(&str, &str)> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = text.split_once("Credential=")?;
    let credential = credential.split([',', ' ']).next()?;
    let mut parts = credential.rsplitn(5, '/');
    let (_terminator, service, _region, _date, key) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some((key, service))
}

/// Refuses what a web page could have sent: another `Host` than a name of this machine, or any `Origin`.
pub fn check_page(head: &Parts, allowed_hosts: &Option<Vec<String>>) -> Result<(), Exception> {
    let refused = |message: &str| Err(Exception::refused(403, "AccessDeniedException", message));
    if let Some(allowed) = allowed_hosts {
        let authority = head.uri.authority().map(|authority| authority.as_str());
        let hosts = head.headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default());
        let mut hosts = hosts.chain(authority).peekable();
        if hosts.peek().is_none() || !hosts.all(|host| is_own(host, allowed)) {
            return refused("The Host of the request is not a name of this server; the settings can allow it");
        }
    }
    let from_page = head.headers.get("sec-fetch-site").is_some_and(|site| site != "none");
    if from_page || head.headers.contains_key(header::ORIGIN) {
        return refused("Requests of web pages are refused");
    }
    Ok(())
}

fn is_own(host: &str, allowed: &[String]) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix(HOST_PREFIX).unwrap_or(&name);
    LOOPBACK.contains(&name) || name.ends_with(".localhost") || allowed.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Refuses content types that the protocol does not have.
pub fn check_content_type(headers: &HeaderMap) -> Result<(), Exception> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    if CONTENT_TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        return Ok(());
    }
    let message = format!("The content type is {}, not {given:?}", CONTENT_TYPES[0]);
    Err(Exception::refused(415, "UnsupportedMediaTypeException", message))
}

impl Access {
    /// The account that a request is for; refused if it may not be made. `service` is who it must be signed for.
    pub fn account<'r>(
        &'r self,
        head: &'r Parts,
        body: &[u8],
        service: Option<&str>,
        default: &'r str,
    ) -> Result<&'r str, Exception> {
        let own = credential(&head.headers).map(|(key, _)| key).filter(|key| names_account(key));
        let Access::Keys(keys) = self else { return Ok(own.unwrap_or(default)) };
        let request = Incoming {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query().unwrap_or_default(),
            headers: &head.headers,
            body,
        };
        let secret = |id: &str| keys.get(id).map(|key| key.secret.clone());
        let scope = verify(&request, secret, SystemTime::now(), CLOCK_SKEW)
            .map_err(|error| Exception::new(error.code(), error.to_string()))?;
        // Or a signature for something harmless would do for everything.
        let wrong = |message: String| Err(Exception::new("InvalidSignatureException", message));
        if let Some(service) = service.filter(|service| *service != scope.service) {
            return wrong(format!("Credential should be scoped to correct service: '{service}'."));
        }
        if head.headers.contains_key(&TARGET) && !is_signed(&head.headers, TARGET.as_str()) {
            return wrong(format!("'{TARGET}' must be a 'SignedHeader' in the AWS Authorization."));
        }
        let account = keys.get(&scope.access_key_id).and_then(|key| key.account.as_deref());
        Ok(account.or(own).unwrap_or(default))
    }
}

fn is_signed(headers: &HeaderMap, name: &str) -> bool {
    let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let signed = text.split_once("SignedHeaders=").map_or("", |(_, rest)| rest);
    signed.split([',', ' ']).next().unwrap_or_default().split(';').any(|signed| signed == name)
}

/// An access key id of twelve digits is an account's.
fn names_account(key: &str) -> bool {
    key.len() == ACCOUNT_DIGITS && key.bytes().all(|byte| byte.is_ascii_digit())
}
