//! AWS Signature Version 4: signing requests, and verifying those that come in.
//!
//! The canonical form is `aws-sigv4`'s; a request is verified by signing it again with the same headers and comparing.
//! A signature also says who calls, where and for which service: that [`Scope`] can be read without any secret.

use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningParams, SigningSettings,
    UriPathNormalizationMode, sign as sign_http,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use subtle::ConstantTimeEq;

use crate::credentials::Credentials;
use crate::server::Incoming;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// How far the clocks of caller and service may be apart; AWS's own limit.
pub const CLOCK_SKEW: Duration = Duration::from_secs(15 * 60);

/// What the credential of a signed request says: `AKIA…/20260102/us-east-1/sqs/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub access_key_id: String,
    /// The day of the signature, `20260102`.
    pub date: String,
    pub region: String,
    /// The signing name of the service.
    pub service: String,
}

impl Scope {
    /// The scope in the `Authorization` header, or in the query string of a presigned request. Nothing is verified.
    pub fn of(headers: &HeaderMap, query: &str) -> Option<Scope> {
        match headers.get(http::header::AUTHORIZATION) {
            Some(value) => Scope::parse(Authorization::parse(value.to_str().ok()?)?.credential),
            None => {
                let mut pairs = form_urlencoded::parse(query.as_bytes());
                Scope::parse(&pairs.find(|(name, _)| name == "X-Amz-Credential")?.1)
            }
        }
    }

    fn parse(credential: &str) -> Option<Scope> {
        // From the end: an access key id may hold slashes, the rest may not.
        let mut parts = credential.rsplitn(5, '/');
        let terminator = parts.next()?;
        let (service, region, date, key) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let whole = terminator == "aws4_request" && !key.is_empty() && !region.is_empty() && !service.is_empty();
        whole.then(|| Scope {
            access_key_id: key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }
}

/// The parts of an `Authorization` header.
struct Authorization<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Option<Authorization<'a>> {
        let parts = header.trim().strip_prefix(ALGORITHM)?;
        let part = |name: &str| parts.split(',').find_map(|part| part.trim().strip_prefix(name));
        Some(Authorization {
            credential: part("Credential=")?,
            signed_headers: part("SignedHeaders=")?,
            signature: part("Signature=")?,
        })
    }
}

/// Whose signature, for which service and region, and when.
#[derive(Clone, Copy, Debug)]
pub struct Signing<'a> {
    pub credentials: &'a Credentials,
    pub region: &'a str,
    /// The signing name of the service.
    pub service: &'a str,
    pub at: SystemTime,
}

/// A request cannot be signed.
#[derive(Debug, thiserror::Error)]
#[error("the request cannot be signed: {0}")]
pub struct SignError(String);

/// Adds the headers of a signature. `uri` is absolute and encoded as it will be sent; headers that are not text are not
/// signed.
pub fn sign(
    signing: Signing<'_>,
    method: &str,
    uri: &str,
    headers: &mut HeaderMap,
    body: &[u8],
) -> Result<(), SignError> {
    let given: Vec<(&str, &str)> = text_headers(headers).collect();
    let added = signature(signing, settings(signing.service), method, uri, &given, SignableBody::Bytes(body))?;
    for (name, value) in added {
        let name = HeaderName::try_from(name).map_err(|error| SignError(error.to_string()))?;
        let mut value = HeaderValue::try_from(value).map_err(|error| SignError(error.to_string()))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(())
}

/// S3 alone takes paths as they are, and wants the hash of the body in a header.
fn settings(service: &str) -> SigningSettings {
    let mut settings = SigningSettings::default();
    if service.starts_with("s3") {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

/// The headers that a signature adds.
fn signature(
    signing: Signing<'_>,
    settings: SigningSettings,
    method: &str,
    uri: &str,
    headers: &[(&str, &str)],
    body: SignableBody<'_>,
) -> Result<Vec<(String, String)>, SignError> {
    let wrong = |error: &dyn std::fmt::Display| SignError(error.to_string());
    let identity: Identity = signing.credentials.clone().into();
    let params: SigningParams<'_> = v4::SigningParams::builder()
        .identity(&identity)
        .region(signing.region)
        .name(signing.service)
        .time(signing.at)
        .settings(settings)
        .build()
        .map_err(|error| wrong(&error))?
        .into();
    let request = SignableRequest::new(method, uri, headers.iter().copied(), body).map_err(|error| wrong(&error))?;
    let (instructions, _) = sign_http(request, &params).map_err(|error| wrong(&error))?.into_parts();
    Ok(instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Why a request is not who it says it is, with AWS's code for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    #[error("Missing Authentication Token")]
    Missing,
    #[error("Authorization header is not a complete signature of version 4.")]
    Incomplete,
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error("Signature expired: it is too far from the time of this service.")]
    Skewed,
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

impl VerifyError {
    /// AWS's error code.
    pub fn code(&self) -> &'static str {
        match self {
            VerifyError::Missing => "MissingAuthenticationTokenException",
            VerifyError::Incomplete => "IncompleteSignatureException",
            VerifyError::UnknownKey => "UnrecognizedClientException",
            VerifyError::Skewed | VerifyError::Mismatch => "InvalidSignatureException",
        }
    }
}

/// Verifies the signature in the `Authorization` header of a request: `secret` gives the secret key of an access key id.
///
/// At least the host must be signed, and the time must be within `skew` of `now`.
pub fn verify(
    request: &Incoming<'_>,
    secret: impl FnOnce(&str) -> Option<String>,
    now: SystemTime,
    skew: Duration,
) -> Result<Scope, VerifyError> {
    let text = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
    let header = text("authorization").ok_or(VerifyError::Missing)?;
    let authorization = Authorization::parse(header).ok_or(VerifyError::Incomplete)?;
    let scope = Scope::parse(authorization.credential).ok_or(VerifyError::Incomplete)?;
    let host = text("host").ok_or(VerifyError::Incomplete)?;
    let signed: Vec<&str> = authorization.signed_headers.split(';').collect();
    if !signed.contains(&"host") {
        return Err(VerifyError::Incomplete);
    }
    let date = text("x-amz-date").ok_or(VerifyError::Incomplete)?;
    let at = parse_date(date).filter(|_| date.starts_with(&scope.date)).ok_or(VerifyError::Incomplete)?;
    let apart = now.duration_since(at).or_else(|_| at.duration_since(now)).unwrap_or(Duration::MAX);
    if apart > skew {
        return Err(VerifyError::Skewed);
    }

    let secret = secret(&scope.access_key_id).ok_or(VerifyError::UnknownKey)?;
    // A session token is signed as the header that it came in.
    let credentials = Credentials::new(&scope.access_key_id, secret, None, None, "verify");
    let mut settings = settings(&scope.service);
    settings.excluded_headers = None;
    settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
    let headers: Vec<(&str, &str)> = text_headers(request.headers)
        .filter(|(name, _)| signed.contains(name) && *name != "x-amz-date" && *name != "authorization")
        .collect();
    let body = match text("x-amz-content-sha256") {
        Some(UNSIGNED_PAYLOAD) => SignableBody::UnsignedPayload,
        _ => SignableBody::Bytes(request.body),
    };
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let uri = format!("http://{host}{}{query}", request.path);
    let signing = Signing { credentials: &credentials, region: &scope.region, service: &scope.service, at };
    let again = signature(signing, settings, request.method, &uri, &headers, body);
    let again = again.map_err(|_| VerifyError::Incomplete)?;
    let again =
        again.iter().find(|(name, _)| name == "authorization").and_then(|(_, value)| Authorization::parse(value));
    let again = again.ok_or(VerifyError::Incomplete)?;
    let same = again.signature.as_bytes().ct_eq(authorization.signature.as_bytes());
    if bool::from(same) { Ok(scope) } else { Err(VerifyError::Mismatch) }
}

fn text_headers(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
}

/// `20260102T030405Z`
fn parse_date(text: &str) -> Option<SystemTime> {
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let time: Timestamp = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(time.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    fn at(text: &str) -> SystemTime {
        parse_date(text).unwrap()
    }

    fn signed(token: Option<&str>) -> HeaderMap {
        let credentials = Credentials::new("AKIDEXAMPLE", SECRET, token.map(str::to_owned), None, "test");
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("127.0.0.1:8083"));
        headers.insert("x-amz-target", HeaderValue::from_static("AmazonSQS.SendMessage"));
        headers.insert("user-agent", HeaderValue::from_static("test"));
        let signing =
            Signing { credentials: &credentials, region: "us-east-1", service: "sqs", at: at("20260102T030405Z") };
        sign(signing, "POST", "http://127.0.0.1:8083/a%20b?x=1&b=%20", &mut headers, b"{}").unwrap();
        headers
    }

    fn check(headers: &HeaderMap, body: &[u8], secret: &str, now: &str) -> Result<Scope, VerifyError> {
        let request = Incoming { method: "POST", path: "/a%20b", query: "x=1&b=%20", headers, body };
        let secret = |key: &str| (key == "AKIDEXAMPLE").then(|| secret.to_owned());
        verify(&request, secret, at(now), CLOCK_SKEW)
    }

    #[test]
    fn what_is_signed_is_verified() {
        for token in [None, Some("session")] {
            let headers = signed(token);
            assert_eq!(headers.contains_key("x-amz-security-token"), token.is_some());
            let scope = check(&headers, b"{}", SECRET, "20260102T031000Z").unwrap();
            assert_eq!((scope.region.as_str(), scope.service.as_str()), ("us-east-1", "sqs"));
        }
    }

    #[test]
    fn whatever_is_changed_is_noticed() {
        let headers = signed(Some("session"));
        let now = "20260102T030405Z";
        assert_eq!(check(&headers, b"{ }", SECRET, now), Err(VerifyError::Mismatch));
        assert_eq!(check(&headers, b"{}", "other", now), Err(VerifyError::Mismatch));
        assert_eq!(check(&headers, b"{}", SECRET, "20260102T040405Z"), Err(VerifyError::Skewed));
        assert_eq!(check(&headers, b"{}", SECRET, "20260101T040405Z"), Err(VerifyError::Skewed));
        for name in ["x-amz-security-token", "x-amz-target", "host", "x-amz-date"] {
            let mut changed = headers.clone();
            changed.insert(HeaderName::from_static(name), HeaderValue::from_static("20260102T030406Z"));
            assert_eq!(check(&changed, b"{}", SECRET, now), Err(VerifyError::Mismatch), "{name}");
        }
        assert_eq!(check(&HeaderMap::new(), b"{}", SECRET, now), Err(VerifyError::Missing));
        let request = Incoming { method: "POST", path: "/a%20b", query: "", headers: &headers, body: b"{}" };
        assert_eq!(verify(&request, |_| None, at(now), CLOCK_SKEW), Err(VerifyError::UnknownKey));
    }

    #[test]
    fn scopes_are_read_from_headers_and_links() {
        let scope = Scope::of(&signed(None), "").unwrap();
        assert_eq!(
            scope,
            Scope {
                access_key_id: "AKIDEXAMPLE".into(),
                date: "20260102".into(),
                region: "us-east-1".into(),
                service: "sqs".into(),
            }
        );
        let link = "X-Amz-Credential=AK%2FID%2F20260102%2Feu-west-1%2Fs3%2Faws4_request";
        let scope = Scope::of(&HeaderMap::new(), link).unwrap();
        assert_eq!((scope.access_key_id.as_str(), scope.service.as_str()), ("AK/ID", "s3"));
        for bad in [
            "",
            "Basic x",
            "AWS4-HMAC-SHA256 Credential=a/b/c",
            "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=x, Signature=y",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", HeaderValue::from_str(bad).unwrap());
            assert_eq!(Scope::of(&headers, link), None, "{bad}");
        }
    }

    /// From the test suite of Signature Version 4 (`get-vanilla`), as AWS publishes it.
    #[test]
    fn the_signature_is_aws_s() {
        let credentials = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "test");
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("example.amazonaws.com"));
        let signing =
            Signing { credentials: &credentials, region: "us-east-1", service: "service", at: at("20150830T123600Z") };
        sign(signing, "GET", "https://example.amazonaws.com/", &mut headers, b"").unwrap();
        let authorization = headers["authorization"].to_str().unwrap();
        let signature = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        assert!(authorization.ends_with(signature), "{authorization}");
    }
}
