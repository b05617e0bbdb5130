//! Requests that no model describes: to APIs that users made.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{CallContext, CallError, Client, host_header};
use crate::auth::{self, Signing};
use crate::codec::HttpResponse;
use crate::endpoint::{Endpoint, EndpointError};

/// A request as it is to be sent. Path and query are text: what a URL cannot hold is encoded on the way.
#[derive(Clone, Debug)]
pub struct Plain {
    pub method: String,
    pub endpoint: Endpoint,
    /// What the request calls its server, where that is not the endpoint's name.
    pub host: Option<String>,
    /// Begins with a slash; what is encoded in it stays as it is.
    pub path: String,
    pub query: Vec<(String, String)>,
    pub body: Bytes,
}

/// RFC 3986 leaves these as they are in a query's names and values.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same in a path, and the percent sign, for what is encoded already.
const PATH: &AsciiSet = &QUERY
    .remove(b'/')
    .remove(b'%')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

impl Plain {
    fn uri(&self) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, QUERY).to_string();
        let query: Vec<String> =
            self.query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{}{mark}{}", self.endpoint.url(), utf8_percent_encode(&self.path, PATH), query.join("&"))
    }
}

impl Client {
    /// Sends a request, once, with the context's headers, and signed where a signing name is given.
    pub async fn send(
        &self,
        request: &Plain,
        signing_name: Option<&str>,
        context: &CallContext,
    ) -> Result<HttpResponse, CallError> {
        let text = request.uri();
        let wrong = || EndpointError::NotAUrl { origin: "the address of the call".to_owned(), url: text.clone() };
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let mut headers = context.headers.clone();
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(super::USER_AGENT));
        let host = request.host.clone().unwrap_or_else(|| host_header(&uri));
        headers.insert(HOST, HeaderValue::try_from(host).map_err(|_| wrong())?);
        if let Some(service) = signing_name {
            let credentials = self.credentials_for(&request.endpoint, context).await?;
            let region = request.endpoint.signing_region.as_deref().unwrap_or(&context.region);
            let signing = Signing { credentials: &credentials, region, service, at: SystemTime::now() };
            auth::sign(signing, &request.method, &text, &mut headers, &request.body)?;
        }
        self.exchange(&request.method, uri, headers, request.body.clone(), context.timeout).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Source;

    #[test]
    fn what_a_url_cannot_hold_is_encoded() {
        let request = Plain {
            method: "GET".to_owned(),
            endpoint: Endpoint::parse("http://127.0.0.1:1/base/", Source::Call, "").unwrap(),
            host: None,
            path: "/prod/a b/ü/50%25/x=1,2".to_owned(),
            query: vec![("q 1".to_owned(), "a&b=c/d".to_owned()), ("q 1".to_owned(), String::new())],
            body: Bytes::new(),
        };
        assert_eq!(request.uri(), "http://127.0.0.1:1/base/prod/a%20b/%C3%BC/50%25/x=1,2?q%201=a%26b%3Dc%2Fd&q%201=");
    }
}
