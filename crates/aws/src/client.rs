//! Calls of any AWS API: encode, sign, send, decode.
//!
//! Connections are kept and shared; TLS is set up when the first `https` endpoint is called, so a laptop never pays for
//! it. A call is made once unless its context asks for [`Retries`]; how often each integration of a state machine tries
//! is the connectors' knowledge.

mod dns;
mod plain;
mod retry;
pub(crate) mod transport;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderMap, HeaderValue, Uri};
use serde_json::{Map, Value};

use crate::auth::{self, SignError, Signing};
use crate::codec::{self, CodecError, Dialect, HttpRequest, HttpResponse, ResponseError, ServiceError};
use crate::credentials::{self, CredentialChain, CredentialError, Credentials};
use crate::endpoint::{Endpoint, EndpointError, Endpoints, Source};
use crate::model::{Operation, Service};
use crate::models;

pub use plain::Plain;
pub use retry::Retries;
pub use transport::{Connection, Failed, MAX_RESPONSE, Transport, Unsent};

/// How long a call may take when its context does not say: the Java SDK's own patience is of this order, and longer
/// calls (a Lambda function that runs for minutes) set their own.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

const USER_AGENT: &str = concat!("stepwell/", env!("CARGO_PKG_VERSION"));

/// Makes calls. Clones share connections.
#[derive(Clone)]
pub struct Client {
    transport: Arc<transport::Transport>,
    endpoints: Endpoints,
    credentials: CredentialChain,
}

/// What one call needs beside its parameters.
#[derive(Clone, Debug)]
pub struct CallContext {
    pub region: String,
    /// In place of the credential chain.
    pub credentials: Option<Credentials>,
    /// In place of the client's [`Endpoints`].
    pub endpoint: Option<Endpoint>,
    /// Send the call to the host of its `QueueUrl` parameter, as the Java SDK does that Step Functions is built on. A
    /// host of AWS's leaves the endpoint as it is, so a local endpoint is never left for a real account.
    pub endpoint_from_queue_url: bool,
    /// For each attempt.
    pub timeout: Duration,
    pub headers: HeaderMap,
    pub retries: Retries,
    /// The value of a member that the model calls an idempotency token, when the parameters have none; a random one if
    /// this is `None`.
    pub idempotency_token: Option<String>,
    /// How parameters and result are written.
    pub dialect: Dialect,
}

impl CallContext {
    /// A single attempt in `region`, everything else as the client has it.
    pub fn new(region: impl Into<String>) -> CallContext {
        CallContext {
            region: region.into(),
            credentials: None,
            endpoint: None,
            endpoint_from_queue_url: false,
            timeout: DEFAULT_TIMEOUT,
            headers: HeaderMap::new(),
            retries: Retries::none(),
            idempotency_token: None,
            dialect: Dialect::StateMachine,
        }
    }
}

/// What a service answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The result, in the context's dialect.
    pub value: Value,
    pub http: Http,
    pub request_id: Option<String>,
    /// How often the call was sent.
    pub attempts: u32,
}

/// The HTTP side of an answer.
#[derive(Clone, Debug)]
pub struct Http {
    pub status: u16,
    pub headers: HeaderMap,
}

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The service answered with an error.
    #[error("{error}")]
    Service { error: Box<ServiceError>, http: Http, attempts: u32 },
    /// The service could not be reached, or did not answer to the end. It may have done its work.
    #[error("{}", .0.sdk_message())]
    Connection(Connection),
    /// No answer in time. The service may have done its work.
    #[error("Unable to execute HTTP request: Read timed out")]
    Timeout { after: Duration },
    /// The answer is larger than [`MAX_RESPONSE`].
    #[error("the answer is larger than {MAX_RESPONSE} bytes")]
    TooLarge,
    /// Parameters that do not fit, before anything was sent.
    #[error(transparent)]
    Params(CodecError),
    /// An answer that is not of the protocol.
    #[error("the answer cannot be read: {0}")]
    Answer(CodecError),
    #[error("no service is called {0} in the models of this build")]
    NoSuchService(String),
    #[error("{service} has no operation {operation}")]
    NoSuchOperation { service: String, operation: String },
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Credentials(#[from] CredentialError),
    #[error(transparent)]
    Signature(#[from] SignError),
    /// The role that the call is to be made with was not given to us.
    #[error("the role {role} cannot be assumed: {reason}")]
    Role { role: String, reason: String },
}

impl CallError {
    /// Whether the service asks for patience, under any of the names that AWS has for it.
    pub fn is_throttling(&self) -> bool {
        retry::is_throttling(self)
    }
}

impl Client {
    pub fn new(endpoints: Endpoints, credentials: CredentialChain) -> Client {
        Client { transport: Arc::new(Transport::default()), endpoints, credentials }
    }

    /// Calls `operation` (`SendMessage` or `sendMessage`) of `service` (any of its names).
    ///
    /// Dropping the future gives the call up; what was sent may still have its effect.
    pub async fn call(
        &self,
        service: &str,
        operation: &str,
        params: Value,
        context: &CallContext,
    ) -> Result<Answer, CallError> {
        let service = models().service(service).ok_or_else(|| CallError::NoSuchService(service.to_owned()))?;
        let operation = service.operation(operation).ok_or_else(|| CallError::NoSuchOperation {
            service: service.name.clone(),
            operation: operation.to_owned(),
        })?;
        let endpoint = self.endpoint(&service, operation, &params, context)?;
        let params = with_idempotency_token(&service, operation, params, context);
        let request = codec::encode_request(&service, operation, params, context.dialect).map_err(CallError::Params)?;
        let call = Call { service: &service, operation, endpoint: &endpoint, request: &request, context };

        let mut attempts = 0;
        loop {
            attempts += 1;
            match self.attempt(&call, attempts).await {
                Err(error) if attempts < context.retries.attempts && retry::is_worth_it(&error) => {
                    let pause = context.retries.pause(attempts, error.is_throttling());
                    tracing::debug!(service = service.name, operation = operation.name, attempts, %error, "trying again");
                    tokio::time::sleep(pause).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn attempt(&self, call: &Call<'_>, attempts: u32) -> Result<Answer, CallError> {
        let (uri, headers) = self.dress(call).await?;
        let HttpRequest { method, body, .. } = call.request;
        let response = self.exchange(method, uri, headers, body.clone(), call.context.timeout).await?;
        let decoded = codec::decode_response(call.service, call.operation, &response, call.context.dialect);
        let HttpResponse { status, headers, .. } = response;
        let http = Http { status, headers };
        match decoded {
            Ok(value) => {
                let request_id = codec::error::request_id(&http.headers);
                Ok(Answer { value, request_id, http, attempts })
            }
            Err(ResponseError::Service(error)) => Err(CallError::Service { error, http, attempts }),
            Err(ResponseError::Codec(error)) => Err(CallError::Answer(error)),
        }
    }

    async fn exchange(
        &self,
        method: &str,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
    ) -> Result<HttpResponse, CallError> {
        match tokio::time::timeout(timeout, self.transport.send(method, uri, headers, body)).await {
            Err(_) => Err(CallError::Timeout { after: timeout }),
            Ok(Err(Unsent::TooLarge)) => Err(CallError::TooLarge),
            Ok(Err(Unsent::Connection(connection))) => Err(CallError::Connection(connection)),
            Ok(Ok(response)) => Ok(response),
        }
    }

    fn endpoint(
        &self,
        service: &Service,
        operation: &Operation,
        params: &Value,
        context: &CallContext,
    ) -> Result<Endpoint, CallError> {
        let configured = match &context.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => self.endpoints.resolve_operation(&service.name, &operation.name, &context.region)?,
        };
        if !context.endpoint_from_queue_url {
            return Ok(configured);
        }
        let url = params.get("QueueUrl").and_then(Value::as_str).unwrap_or_default();
        match Endpoint::parse(url, Source::Call, "QueueUrl") {
            // The path names the queue; the host is what counts.
            Ok(queue) if !queue.is_aws() => Ok(Endpoint { base_path: configured.base_path, ..queue }),
            _ => Ok(configured),
        }
    }

    /// Address and headers of one attempt: signatures are dated, so each attempt has its own.
    async fn dress(&self, call: &Call<'_>) -> Result<(Uri, HeaderMap), CallError> {
        let Call { service, operation, endpoint, request, context } = *call;
        let mut headers = request.headers.clone();
        headers.extend(context.headers.clone());
        headers.entry(http::header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        let host = host(endpoint, request);
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let uri = format!("{}://{host}{}{}{query}", endpoint.scheme, endpoint.base_path, request.path);
        let wrong =
            || EndpointError::NotAUrl { origin: format!("the address of {}", operation.name), url: uri.clone() };
        let parsed: Uri = uri.parse().map_err(|_| wrong())?;
        headers.insert(http::header::HOST, HeaderValue::from_str(&host_header(&parsed)).map_err(|_| wrong())?);
        if !operation.unsigned {
            let credentials = self.credentials_for(endpoint, context).await?;
            let signing = Signing {
                credentials: &credentials,
                region: endpoint.signing_region.as_deref().unwrap_or(&context.region),
                service: service.metadata.signing_name(),
                at: SystemTime::now(),
            };
            auth::sign(signing, &request.method, &uri, &mut headers, &request.body)?;
        }
        Ok((parsed, headers))
    }

    /// The credentials that a chain finds, wherever they come from.
    pub async fn load(&self, chain: &CredentialChain) -> Result<Credentials, CredentialError> {
        chain.load(&self.transport).await
    }

    async fn credentials_for(
        &self,
        endpoint: &Endpoint,
        context: &CallContext,
    ) -> Result<Credentials, CredentialError> {
        match &context.credentials {
            Some(credentials) => Ok(credentials.clone()),
            None if endpoint.is_aws() => self.credentials.load(&self.transport).await,
            // Whoever is not AWS gets along without.
            None => Ok(self.credentials.local().unwrap_or_else(|_| credentials::placeholder())),
        }
    }
}

/// One call, on its way through its attempts.
#[derive(Clone, Copy)]
struct Call<'a> {
    service: &'a Service,
    operation: &'a Operation,
    endpoint: &'a Endpoint,
    request: &'a HttpRequest,
    context: &'a CallContext,
}

/// AWS's hosts take the operation's prefix; elsewhere such a host does not exist.
fn host(endpoint: &Endpoint, request: &HttpRequest) -> String {
    match &request.host_prefix {
        Some(prefix) if endpoint.is_aws() => format!("{prefix}{}", endpoint.authority),
        _ => endpoint.authority.to_string(),
    }
}

/// Host and port, without the port that the scheme implies.
fn host_header(uri: &Uri) -> String {
    let host = uri.host().unwrap_or_default();
    let implied = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    match uri.port_u16() {
        Some(port) if port != implied => format!("{host}:{port}"),
        _ => host.to_owned(),
    }
}

/// SDKs make up a token where the model asks for one and the caller gives none.
fn with_idempotency_token(service: &Service, operation: &Operation, params: Value, context: &CallContext) -> Value {
    let members = operation.input.as_ref().map_or(&[][..], |input| service.members(input));
    let Some(member) = members.iter().find(|member| member.target.idempotency_token) else { return params };
    let mut params = match params {
        Value::Null => Map::new(),
        Value::Object(params) => params,
        other => return other,
    };
    let name = match context.dialect {
        Dialect::StateMachine => &member.pascal,
        Dialect::Native => &member.name,
    };
    if params.get(name).is_none_or(Value::is_null) {
        let token = context.idempotency_token.clone().unwrap_or_else(random_uuid);
        params.insert(name.clone(), Value::String(token));
    }
    Value::Object(params)
}

/// A random (version 4) UUID; it only has to be new.
fn random_uuid() -> String {
    let bits = fastrand::u128(..) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

/// How AWS spells the headers of its answers. HTTP does not care, but a state machine sees them as keys.
const SPELLINGS: &[&str] = &[
    "Content-Length",
    "Content-Type",
    "Date",
    "X-Amz-Executed-Version",
    "X-Amz-Function-Error",
    "X-Amz-Log-Result",
    "X-Amzn-Trace-Id",
    "x-amzn-Remapped-Content-Length",
    "x-amzn-RequestId",
];

impl Http {
    /// A header's name as AWS spells it; those that it writes in lower case, and all others, stay as they are.
    pub fn spelled(name: &str) -> &str {
        SPELLINGS.iter().find(|spelling| spelling.eq_ignore_ascii_case(name)).copied().unwrap_or(name)
    }
}

#[cfg(test)]
mod tests;
