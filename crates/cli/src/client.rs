//! A caller of a server, for the subcommands that ask one.

use aws::{CallContext, Client, CredentialChain, Endpoint, Endpoints};
use serde_json::Value;

use crate::Failed;

pub struct Server {
    client: Client,
    context: CallContext,
}

/// Where a server listens if nobody says otherwise.
pub const DEFAULT_ENDPOINT: &str = "http://127.0.0.1:8083";

impl Server {
    pub fn at(endpoint: &str, region: &str) -> Result<Server, Failed> {
        let environment = aws::endpoint::process_environment();
        let client = Client::new(Endpoints::new(environment.clone()), CredentialChain::new(environment));
        let mut context = CallContext::new(region);
        context.endpoint = Some(Endpoint::parse(endpoint, aws::endpoint::Source::Settings, "--endpoint")?);
        context.credentials = Some(aws::credentials::placeholder());
        context.dialect = aws::Dialect::Native;
        Ok(Server { client, context })
    }

    /// One operation, in the API's own names.
    pub async fn call(&self, operation: &str, parameters: Value) -> Result<Value, Failed> {
        Ok(self.client.call("sfn", operation, parameters, &self.context).await?.value)
    }
}
