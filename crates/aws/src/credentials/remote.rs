//! Credentials of roles, web identities, containers and instances, as `aws-config` finds them.
//!
//! It reads the process's own environment, and its requests go over our connections, so it brings no HTTP client and no
//! second TLS. What it finds is kept until shortly before it expires.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use bytes::Bytes;
use tokio::sync::Mutex;

use super::{CredentialError, Credentials};
use crate::client::transport::{Transport, Unsent};

/// Credentials are renewed before they expire, so that a call on its way is not refused.
const EARLY: Duration = Duration::from_secs(5 * 60);
/// How long credentials without an end are kept.
const ENDLESS: Duration = Duration::from_secs(15 * 60);
/// A failure is kept for so long: whoever has no credentials should not ask an absent instance for each call.
const FAILED: Duration = Duration::from_secs(10);
/// STS is the same in each.
const DEFAULT_REGION: &str = "us-east-1";

type Found = (SystemTime, Result<Credentials, CredentialError>);

#[derive(Default)]
pub(super) struct Remote {
    found: Mutex<Option<Found>>,
    /// In place of the environment's.
    profile: Option<String>,
}

impl Remote {
    pub fn of_profile(profile: &str) -> Remote {
        Remote { profile: Some(profile.to_owned()), ..Remote::default() }
    }

    /// `region` is where roles are assumed.
    pub async fn load(
        &self,
        transport: &Arc<Transport>,
        region: Option<String>,
    ) -> Result<Credentials, CredentialError> {
        let mut kept = self.found.lock().await;
        let now = SystemTime::now();
        if let Some((until, found)) = &*kept
            && now < *until
        {
            return found.clone();
        }
        let region = Region::new(region.unwrap_or_else(|| DEFAULT_REGION.to_owned()));
        let config = ProviderConfig::without_region().with_http_client(Connections(transport.clone()));
        let config = config.with_region(Some(region));
        let found = match &self.profile {
            None => DefaultCredentialsChain::builder().configure(config).build().await.provide_credentials().await,
            Some(profile) => {
                let file = ProfileFileCredentialsProvider::builder().configure(&config).profile_name(profile);
                file.build().provide_credentials().await
            }
        };
        let found = found.map_err(|error| CredentialError::Remote(innermost(&error)));
        let until = match &found {
            Ok(credentials) => credentials.expiry().map_or(now + ENDLESS, |end| (end - EARLY).max(now)),
            Err(_) => now + FAILED,
        };
        *kept = Some((until, found.clone()));
        found
    }
}

/// All words of a chain of errors: the first says that there is nothing, the last says why.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

/// Our connections, as `aws-config` wants to have them.
struct Connections(Arc<Transport>);

impl std::fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Connections")
    }
}

impl HttpClient for Connections {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connections(self.0.clone()))
    }
}

impl HttpConnector for Connections {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let transport = self.0.clone();
        HttpConnectorFuture::new(async move {
            let user = |error: &dyn std::fmt::Display| ConnectorError::user(error.to_string().into());
            let body = request.body().bytes().map(Bytes::copy_from_slice).unwrap_or_default();
            let request = request.try_into_http1x().map_err(|error| user(&error))?;
            let (parts, _) = request.into_parts();
            let sent = transport.send(parts.method.as_str(), parts.uri, parts.headers, body).await;
            let response = sent.map_err(|error| match error {
                Unsent::Connection(connection) => ConnectorError::io(connection.sdk_message().into()),
                Unsent::TooLarge => ConnectorError::other("the answer is too large".into(), None),
            })?;
            let mut answer = http::Response::new(response.body.into());
            *answer.status_mut() = http::StatusCode::from_u16(response.status).map_err(|error| user(&error))?;
            *answer.headers_mut() = response.headers;
            HttpResponse::try_from(answer).map_err(|error| user(&error))
        })
    }
}
