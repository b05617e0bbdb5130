//! Looking hosts up, so that a failure still knows which host it was.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

/// A host that has no address.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {reason}")]
pub(super) struct UnknownHost {
    pub host: String,
    pub reason: String,
}

#[derive(Clone, Debug)]
pub(super) struct Resolver;

impl Service<Name> for Resolver {
    type Response = vec::IntoIter<SocketAddr>;
    type Error = UnknownHost;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, UnknownHost>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), UnknownHost>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let unknown = |error: io::Error| UnknownHost { host: name.to_string(), reason: error.to_string() };
            // The port is the connector's; a resolver's is not looked at.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(unknown)?.collect();
            if found.is_empty() {
                return Err(unknown(io::Error::other("no address")));
            }
            Ok(found.into_iter())
        })
    }
}
