//! Any AWS API from data: service models, wire codecs, signing, endpoints, credentials.
//!
//! No service has code of its own here. A [`Service`] is what botocore knows of it (operations and shapes), decoded
//! from one file when it is first asked for; [`codec`] writes and reads its protocol by walking the shapes; [`Client`]
//! signs and sends; [`server`] is the same codec from the other side, for whoever answers AWS calls. Start at
//! [`models`], then [`Client::call`] or [`server::decode_request`].
//!
//! This crate decides nothing about workflows: which errors are retried by a state machine, how a result is shaped for
//! it, and what a job is, is the connectors' knowledge.

pub mod auth;
pub mod client;
pub mod codec;
pub mod credentials;
pub mod endpoint;
pub mod model;
pub mod models;
pub mod server;

pub use client::{Answer, CallContext, CallError, Client, Retries, Transport};
pub use codec::{CodecError, Dialect, HttpRequest, HttpResponse, Protocol, ServiceError};
pub use credentials::{CredentialChain, Credentials};
pub use endpoint::{Endpoint, EndpointError, Endpoints};
pub use model::{Operation, Service};
pub use models::{is_action, models};
