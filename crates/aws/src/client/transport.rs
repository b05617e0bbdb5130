//! HTTP connections: kept alive, pooled, and TLS only where it is asked for.

use std::error::Error;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderMap, Request, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::dns::{Resolver, UnknownHost};
use crate::codec::HttpResponse;

/// The largest answer that is read. A task's result may have 256 KiB, but what an action filters from it may be larger;
/// this bounds what one call can take of our memory.
pub const MAX_RESPONSE: usize = 16 << 20;
/// AWS closes idle connections after 20 seconds and more; ours are given up before.
const IDLE: Duration = Duration::from_secs(15);
/// A host that does not take a connection for so long is not there.
const CONNECT: Duration = Duration::from_secs(10);

/// A failure to reach a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The host that was meant.
    pub host: String,
    pub port: u16,
    pub failed: Failed,
    /// What the operating system or the protocol said, for the log.
    pub reason: String,
}

/// How far a connection came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// The host has no address.
    Lookup,
    /// Nobody took the connection.
    Connect,
    /// It broke on the way; the service may have done its work.
    Broken,
}

impl Connection {
    /// The failure in the words of the Java SDK, which is what a state machine sees as its cause. An unknown host has one
    /// wording on every operating system.
    pub fn sdk_message(&self) -> String {
        let said = match self.failed {
            Failed::Lookup => format!("{}: Name or service not known", self.host),
            Failed::Connect => format!("Connect to {}:{} failed: {}", self.host, self.port, self.reason),
            Failed::Broken => self.reason.clone(),
        };
        format!("Unable to execute HTTP request: {said}")
    }
}

/// A request without an answer.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    #[error("{}", .0.sdk_message())]
    Connection(Connection),
    #[error("the answer is larger than {MAX_RESPONSE} bytes")]
    TooLarge,
}

type Plain = Pool<HttpConnector<Resolver>, Full<Bytes>>;
type Secure = Pool<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

/// Keeps connections, and TLS where it is asked for. Clients have one each; this is it for whoever speaks no AWS.
pub struct Transport {
    plain: Plain,
    secure: OnceLock<Result<Secure, String>>,
}

impl Default for Transport {
    fn default() -> Transport {
        Transport { plain: pool().build(connector()), secure: OnceLock::new() }
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transport")
    }
}

impl Transport {
    /// A request as it is; there is no limit to how long the answer may take.
    pub async fn request(&self, request: Request<Bytes>) -> Result<http::Response<Bytes>, Unsent> {
        let (http::request::Parts { method, uri, headers, .. }, body) = request.into_parts();
        let HttpResponse { status, headers, body } = self.send(method.as_str(), uri, headers, body).await?;
        let mut response = http::Response::new(body);
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        *response.headers_mut() = headers;
        Ok(response)
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        uri: Uri,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<HttpResponse, Unsent> {
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let implied = if secure { 443 } else { 80 };
        let (host, port) = (uri.host().unwrap_or_default().to_owned(), uri.port_u16().unwrap_or(implied));
        let failure = |failed, reason| Unsent::Connection(Connection { host: host.clone(), port, failed, reason });
        let mut request = Request::builder().method(method).uri(uri).body(Full::new(body)).map_err(|error| {
            // Method and address come from models and checked endpoints.
            failure(Failed::Connect, error.to_string())
        })?;
        *request.headers_mut() = headers;

        let response = if secure {
            let pool = self.secure.get_or_init(secure_pool).as_ref();
            pool.map_err(|reason| failure(Failed::Connect, reason.clone()))?.request(request).await
        } else {
            self.plain.request(request).await
        };
        let response = response.map_err(|error| {
            let unknown = find::<UnknownHost>(&error);
            let failed = match unknown {
                Some(_) => Failed::Lookup,
                None if error.is_connect() => Failed::Connect,
                None => Failed::Broken,
            };
            failure(failed, unknown.map_or_else(|| innermost(&error), |unknown| unknown.reason.clone()))
        })?;

        let (parts, body) = response.into_parts();
        let body = match Limited::new(body, MAX_RESPONSE).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(Unsent::TooLarge),
            Err(error) => return Err(failure(Failed::Broken, innermost(error.as_ref()))),
        };
        Ok(HttpResponse { status: parts.status.as_u16(), headers: parts.headers, body })
    }
}

fn pool() -> hyper_util::client::legacy::Builder {
    let mut builder = Pool::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
    builder
}

fn connector() -> HttpConnector<Resolver> {
    let mut connector = HttpConnector::new_with_resolver(Resolver);
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(CONNECT));
    connector
}

/// The roots are the operating system's, so a company's own authority counts.
fn secure_pool() -> Result<Secure, String> {
    let builder = hyper_rustls::HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls_provider())
        .map_err(|error| format!("no root certificates: {error}"))?;
    Ok(pool().build(builder.https_or_http().enable_http1().wrap_connector(connector())))
}

fn rustls_provider() -> rustls::crypto::CryptoProvider {
    rustls::crypto::ring::default_provider()
}

fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut error = Some(error);
    while let Some(this) = error {
        if let Some(found) = this.downcast_ref::<E>() {
            return Some(found);
        }
        error = this.source();
    }
    None
}

/// The words at the bottom of a chain of errors, without the operating system's number.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
