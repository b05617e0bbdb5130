//! Who may call at all. The services run commands, so a web page that the machine's owner visits must not be able to use
//! them: a browser sends requests to loopback for any page. What a page cannot do is leave out its `Origin`, name another
//! `Host` than the one it was loaded from (against a name that was pointed at loopback after the page was loaded), or set
//! an `Authorization` header or an unusual content type without asking first. Each of these alone would do for today's
//! browsers; all of them are asked for.
//!
//! Who listens on what address is the server's matter; this looks at requests only.

use http::{HeaderMap, Method, StatusCode, header};

/// Content types of AWS's protocols. A page can send the form's type unasked, so forms need a signature as well.
const CONTENT_TYPES: &[&str] = &[
    "application/x-amz-json-1.0",
    "application/x-amz-json-1.1",
    "application/json",
    // The payload of a function.
    "application/octet-stream",
    FORM,
];
const FORM: &str = "application/x-www-form-urlencoded";

/// Names of this machine that are always good.
const LOOPBACK: &[&str] = &["localhost", "127.0.0.1", "[::1]"];

/// Calls that AWS lets anybody make who has the link: the secret is in it.
const LINKS: &[&str] = &["ConfirmSubscription", "Unsubscribe"];

/// Why a request is not listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The name by which the server was called is not one of its own.
    #[error(
        "The Host of the request is not a name of this machine. If it is, add it to the allowed hosts in the settings."
    )]
    Host,
    /// The request comes from a web page.
    #[error("Requests of web pages are refused: the laptop services are not for browsers.")]
    Origin,
    /// No AWS protocol has this content type.
    #[error("The content type of the request is not one of AWS's protocols.")]
    ContentType,
    /// The request is not signed, which any AWS SDK does.
    #[error("The request is not signed with AWS4-HMAC-SHA256. Any credentials will do, but it has to be signed.")]
    Unsigned,
}

impl Refusal {
    /// The HTTP status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => StatusCode::FORBIDDEN,
        }
    }
}

/// The guard, with the names it lets in beyond those of loopback.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    hosts: Vec<String>,
}

impl Guard {
    /// A guard that also lets these hosts in; names without port.
    pub fn new(hosts: &[String]) -> Self {
        Self { hosts: hosts.iter().map(|host| host.to_ascii_lowercase()).collect() }
    }

    /// Refuse what a web page could have sent. `query` is the part of the target after `?`; `authority` is the target's
    /// own host, if it has one.
    pub fn check(
        &self,
        method: &Method,
        authority: Option<&str>,
        query: &str,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if is_link(method, query) {
            self.check_host(authority, headers)?;
            return if headers.contains_key(header::ORIGIN) { Err(Refusal::Origin) } else { Ok(()) };
        }
        self.check_page(authority, headers)?;
        let content_type = content_type(headers)?;
        let signed = is_signed(headers);
        // No page can send these types unasked, so tools without a signer may.
        let unusual = content_type.is_some_and(|kind| kind.starts_with("application/x-amz-json-"));
        if signed || unusual { Ok(()) } else { Err(Refusal::Unsigned) }
    }

    /// Refuse what a web page sends: another name for this machine, or an origin.
    pub fn check_page(&self, authority: Option<&str>, headers: &HeaderMap) -> Result<(), Refusal> {
        self.check_host(authority, headers)?;
        // Browsers say where a request comes from; only "none" is the user's own doing.
        let from_page = headers.get("sec-fetch-site").is_some_and(|site| site != "none");
        if headers.contains_key(header::ORIGIN) || from_page { Err(Refusal::Origin) } else { Ok(()) }
    }

    /// Refuse what a web page could have sent, and what is not signed. Objects have any content type, so it says nothing.
    pub fn check_signed(&self, authority: Option<&str>, headers: &HeaderMap) -> Result<(), Refusal> {
        self.check_page(authority, headers)?;
        if is_signed(headers) { Ok(()) } else { Err(Refusal::Unsigned) }
    }

    fn check_host(&self, authority: Option<&str>, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut named = false;
        let hosts = headers.get_all(header::HOST).iter().map(|host| host.to_str().ok());
        for host in hosts.chain(authority.map(Some)) {
            let host = host.ok_or(Refusal::Host)?;
            if !self.is_own(host) {
                return Err(Refusal::Host);
            }
            named = true;
        }
        if named { Ok(()) } else { Err(Refusal::Host) }
    }

    fn is_own(&self, host: &str) -> bool {
        let host = without_port(host).to_ascii_lowercase();
        LOOPBACK.contains(&host.as_str()) || host.ends_with(".localhost") || self.hosts.contains(&host)
    }
}

/// A header that no page can set unasked.
fn is_signed(headers: &HeaderMap) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    given.is_some_and(|value| value.trim_start().starts_with("AWS4-HMAC-SHA256 "))
}

/// The host without its port; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// The content type without its parameters, if there is one and it is one of AWS's.
fn content_type(headers: &HeaderMap) -> Result<Option<&'static str>, Refusal> {
    let mut given = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(kind) = given.next() else { return Ok(None) };
    if given.next().is_some() {
        return Err(Refusal::ContentType);
    }
    let kind = kind.to_str().map_err(|_| Refusal::ContentType)?;
    let kind = kind.split(';').next().unwrap_or_default().trim();
    CONTENT_TYPES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(kind))
        .map(|known| Some(*known))
        .ok_or(Refusal::ContentType)
}

/// Is this the visit of a link that a notification carries?
pub fn is_link(method: &Method, query: &str) -> bool {
    method == Method::GET
        && form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| name == "Action" && LINKS.contains(&value.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: (&str, &str) = ("authorization", "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/sqs/aws4_request");
    const JSON: (&str, &str) = ("content-type", "application/x-amz-json-1.0");

    fn check(method: &str, query: &str, given: &[(&'static str, &str)]) -> Result<(), Refusal> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(*name, value.parse().unwrap());
        }
        Guard::new(&["Dev.Example".to_owned()]).check(&method.parse().unwrap(), None, query, &headers)
    }

    #[test]
    fn sdks_come_in() {
        for host in ["localhost:8083", "127.0.0.1:8083", "[::1]:8083", "[::1]", "sqs.localhost:1", "dev.example:80"] {
            assert_eq!(check("POST", "", &[("host", host), SIGNED, JSON]), Ok(()), "{host}");
        }
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(check("POST", "", &[("host", "localhost"), SIGNED, form]), Ok(()));
        assert_eq!(check("POST", "", &[("host", "localhost"), SIGNED]), Ok(()), "Batch calls may have no type");
        assert_eq!(check("POST", "", &[("host", "localhost"), JSON]), Ok(()), "unsigned, but no page can send it");
    }

    #[test]
    fn foreign_hosts_stay_out() {
        for host in
            ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80", "xlocalhost", "", ":80", "10.0.0.1"]
        {
            assert_eq!(check("POST", "", &[("host", host), SIGNED, JSON]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(check("POST", "", &[SIGNED, JSON]), Err(Refusal::Host), "no host at all");
        let two = [("host", "localhost"), ("host", "evil.example"), SIGNED, JSON];
        assert_eq!(check("POST", "", &two), Err(Refusal::Host));
    }

    /// What the scripts and forms of a page can send without the server's consent, and what they would have to ask for.
    #[test]
    fn web_pages_stay_out() {
        let local = ("host", "localhost:8083");
        let origin = |value| ("origin", value);
        let kind = |value| ("content-type", value);
        let cross = ("sec-fetch-site", "cross-site");
        for (what, headers, refusal) in [
            ("fetch, no-cors", vec![local, origin("https://evil.example"), kind("text/plain")], Refusal::Origin),
            ("a sandboxed frame", vec![local, origin("null"), SIGNED, JSON], Refusal::Origin),
            ("a page of this machine", vec![local, origin("http://localhost:8083"), SIGNED, JSON], Refusal::Origin),
            ("fetch with consent", vec![local, origin("https://evil.example"), SIGNED, JSON], Refusal::Origin),
            (
                "preflight",
                vec![local, origin("https://evil.example"), ("access-control-request-method", "POST")],
                Refusal::Origin,
            ),
            ("form, no origin, text", vec![local, kind("text/plain")], Refusal::ContentType),
            ("form, no origin, file", vec![local, kind("multipart/form-data; boundary=x")], Refusal::ContentType),
            ("form, no origin", vec![local, kind("application/x-www-form-urlencoded")], Refusal::Unsigned),
            ("blob without type", vec![local], Refusal::Unsigned),
            ("json without a signature", vec![local, kind("application/json")], Refusal::Unsigned),
            ("two types", vec![local, SIGNED, JSON, kind("text/plain")], Refusal::ContentType),
            ("from elsewhere", vec![local, cross, SIGNED, JSON], Refusal::Origin),
            (
                "another scheme of signing",
                vec![local, ("authorization", "Basic eDp5"), kind("application/json")],
                Refusal::Unsigned,
            ),
        ] {
            assert_eq!(check("POST", "", &headers), Err(refusal), "{what}");
        }
        // Signed in the query string, as a link could be, is not signed.
        let presigned = "Action=Publish&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/b/c/sns/aws4_request";
        assert_eq!(check("GET", presigned, &[local]), Err(Refusal::Unsigned));
    }

    #[test]
    fn links_of_notifications_may_be_visited() {
        let local = ("host", "localhost");
        let confirm = "Action=ConfirmSubscription&TopicArn=t&Token=x";
        assert_eq!(check("GET", confirm, &[local, ("sec-fetch-site", "cross-site")]), Ok(()));
        assert_eq!(check("GET", "Action=Unsubscribe&SubscriptionArn=s", &[local]), Ok(()));
        assert_eq!(check("POST", confirm, &[local]), Err(Refusal::Unsigned));
        assert_eq!(check("GET", confirm, &[("host", "evil.example")]), Err(Refusal::Host));
        assert_eq!(check("GET", "Action=Publish&Message=x", &[local]), Err(Refusal::Unsigned));
    }
}
