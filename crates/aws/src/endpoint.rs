//! Where a service is: the endpoints of settings and environment, the laptop services, and AWS itself.
//!
//! In order of strength: one set for the operation or the service (settings, then `AWS_ENDPOINT_URL_<SERVICE>`), the
//! laptop services, `AWS_ENDPOINT_URL`, and real AWS only when the settings say so: nothing reaches a real account by
//! accident. The settings may send a service, or one of its operations, to an address, to the laptop (`laptop`) or to real
//! AWS (`aws`).

use std::collections::BTreeMap;
use std::sync::Arc;

use http::Uri;
use http::uri::{Authority, Scheme};

use crate::models::{Entry, models};

/// Looks up an environment variable; tests pass their own.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The environment of this process.
pub fn process_environment() -> Environment {
    Arc::new(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// A place that answers a service's calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    pub scheme: Scheme,
    pub authority: Authority,
    /// What stands before the path of each request: empty, or `/prefix` without a slash at its end.
    pub base_path: String,
    pub source: Source,
    /// The region to sign for, where it is not that of the call: global services have one of their own.
    pub signing_region: Option<String>,
}

/// Who says that a service is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The settings.
    Settings,
    /// `AWS_ENDPOINT_URL_<SERVICE>`
    ServiceVariable,
    /// The services in this process.
    Laptop,
    /// `AWS_ENDPOINT_URL`
    Variable,
    /// Amazon Web Services.
    Aws,
    /// The parameters of the call, such as a QueueUrl.
    Call,
}

/// A service has no endpoint, or one that is not a URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error(
        "no endpoint for {service}: set {variable} (or endpoints.{service} in the settings), set AWS_ENDPOINT_URL, start \
         with --laptop if it is a laptop service, or set aws = true to call real AWS"
    )]
    None { service: String, variable: String },
    #[error("{origin} is not an endpoint: {url} (http://host:port or https://host:port is meant)")]
    NotAUrl { origin: String, url: String },
    #[error("no service is called {0} in the models of this build")]
    NoSuchService(String),
    #[error("{0} is no operation of a service; service:operation is meant, such as dynamodb:getItem")]
    NoSuchOperation(String),
    #[error("{origin} is `laptop`, but {service} is no laptop service here (--laptop starts them)")]
    NotOnLaptop { origin: String, service: String },
}

/// Where the settings send calls.
#[derive(Clone)]
enum Route {
    To(Endpoint),
    Laptop,
    Aws,
}

/// Where each service is.
#[derive(Clone)]
pub struct Endpoints {
    /// By `service` and by `service:Operation`.
    settings: BTreeMap<String, Route>,
    laptop: BTreeMap<String, Endpoint>,
    environment: Environment,
    aws: bool,
}

impl Endpoints {
    /// With the environment's variables only. Real AWS is not called.
    pub fn new(environment: Environment) -> Endpoints {
        Endpoints { settings: BTreeMap::new(), laptop: BTreeMap::new(), environment, aws: false }
    }

    /// Whether services without another endpoint are called at AWS.
    pub fn with_aws(mut self, aws: bool) -> Endpoints {
        self.aws = aws;
        self
    }

    /// Where the settings send a service, under any of its names, or one of its operations (`dynamodb:getItem`): a URL,
    /// `laptop` or `aws`.
    pub fn with_setting(mut self, name: &str, target: &str) -> Result<Endpoints, EndpointError> {
        let route = match target {
            "aws" => Route::Aws,
            "laptop" => Route::Laptop,
            url => Route::To(Endpoint::parse(url, Source::Settings, &format!("endpoints.{name}"))?),
        };
        let key = match name.split_once(':') {
            None => canonical(name)?,
            Some((service, operation)) => {
                let service = canonical(service)?;
                let model = models().service(&service);
                let operation = model.as_ref().and_then(|model| model.operation(operation));
                let operation = operation.ok_or_else(|| EndpointError::NoSuchOperation(name.to_owned()))?;
                format!("{service}:{}", operation.name)
            }
        };
        self.settings.insert(key, route);
        Ok(self)
    }

    /// Whether everything that the settings send to the laptop is there.
    pub fn check(&self) -> Result<(), EndpointError> {
        let on_laptop = self.settings.iter().filter(|(_, route)| matches!(route, Route::Laptop));
        on_laptop
            .map(|(name, _)| name.split(':').next().unwrap_or(name))
            .try_for_each(|service| self.laptop_endpoint(service).map(|_| ()))
    }

    fn laptop_endpoint(&self, service: &str) -> Result<Endpoint, EndpointError> {
        let missing = || EndpointError::NotOnLaptop { origin: format!("endpoints.{service}"), service: service.into() };
        self.laptop.get(service).cloned().ok_or_else(missing)
    }

    /// A service that this process answers itself, under any of its names.
    pub fn with_laptop(mut self, service: &str, url: &str) -> Result<Endpoints, EndpointError> {
        let endpoint = Endpoint::parse(url, Source::Laptop, &format!("the laptop service {service}"))?;
        self.laptop.insert(canonical(service)?, endpoint);
        Ok(self)
    }

    /// Where the service called `service` is, for calls in `region`.
    pub fn resolve(&self, service: &str, region: &str) -> Result<Endpoint, EndpointError> {
        self.resolve_operation(service, "", region)
    }

    /// Where calls of one operation (AWS's name, `GetItem`) go.
    pub fn resolve_operation(&self, service: &str, operation: &str, region: &str) -> Result<Endpoint, EndpointError> {
        let entry = models().entry(service).ok_or_else(|| EndpointError::NoSuchService(service.to_owned()))?;
        let of_operation = || self.settings.get(&format!("{}:{operation}", entry.name));
        match of_operation().or_else(|| self.settings.get(&entry.name)) {
            Some(Route::To(endpoint)) => return Ok(endpoint.clone()),
            Some(Route::Laptop) => return self.laptop_endpoint(&entry.name),
            Some(Route::Aws) => {
                let endpoint = aws_endpoint(entry, region)?;
                return Ok(Endpoint { source: Source::Settings, ..endpoint });
            }
            None => {}
        }
        let variable = variable(&entry.service_id);
        // The SDKs' switch: leave what the environment says about endpoints alone.
        let ignored = self.lookup("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|value| value == "true");
        let said = |name: &str| if ignored { None } else { self.lookup(name) };
        if let Some(url) = said(&variable) {
            return Endpoint::parse(&url, Source::ServiceVariable, &variable);
        }
        if let Some(endpoint) = self.laptop.get(&entry.name) {
            return Ok(endpoint.clone());
        }
        if let Some(url) = said("AWS_ENDPOINT_URL") {
            return Endpoint::parse(&url, Source::Variable, "AWS_ENDPOINT_URL");
        }
        if self.aws {
            return aws_endpoint(entry, region);
        }
        Err(EndpointError::None { service: entry.name.clone(), variable })
    }

    fn lookup(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }
}

/// The name that endpoints are kept under.
fn canonical(service: &str) -> Result<String, EndpointError> {
    let entry = models().entry(service).ok_or_else(|| EndpointError::NoSuchService(service.to_owned()))?;
    Ok(entry.name.clone())
}

/// The SDKs' variable for the endpoint of one service: `AWS_ENDPOINT_URL_` and the service id in capitals.
fn variable(service_id: &str) -> String {
    format!("AWS_ENDPOINT_URL_{}", service_id.replace([' ', '-'], "_").to_ascii_uppercase())
}

/// Domains of AWS's partitions, by the beginning of their regions' names; the last row is everything else.
const PARTITIONS: &[(&str, &str)] = &[
    ("cn-", "amazonaws.com.cn"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("us-iso-", "c2s.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
    ("", MAIN),
];

const MAIN: &str = "amazonaws.com";

/// The domain of newer services in the main partition.
const NEWER: &str = "api.aws";

/// AWS's own host of a service. Where it is in the main partition, botocore's rules say; the others have each service
/// under its prefix and region.
fn aws_endpoint(entry: &Entry, region: &str) -> Result<Endpoint, EndpointError> {
    let domain = PARTITIONS.iter().find(|(begins, _)| region.starts_with(begins)).map_or(MAIN, |row| row.1);
    let is_main = domain == MAIN && !region.starts_with("us-gov-");
    let host = match entry.host.as_deref().filter(|_| is_main) {
        Some(host) => host.replace("{region}", region),
        None => format!("{}.{region}.{domain}", entry.endpoint_prefix),
    };
    let endpoint = Endpoint::parse(&format!("https://{host}"), Source::Aws, &format!("the region {region}"))?;
    Ok(Endpoint { signing_region: entry.host_region.clone().filter(|_| is_main), ..endpoint })
}

impl Endpoint {
    /// Reads `http[s]://host[:port][/base]`. `origin` says in an error where the text is from.
    pub fn parse(url: &str, source: Source, origin: &str) -> Result<Endpoint, EndpointError> {
        let wrong = || EndpointError::NotAUrl { origin: origin.to_owned(), url: url.to_owned() };
        let uri: Uri = url.trim().parse().map_err(|_| wrong())?;
        let parts = uri.into_parts();
        let scheme = parts.scheme.filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme)).ok_or_else(wrong)?;
        let authority = parts.authority.filter(|authority| !authority.host().is_empty()).ok_or_else(wrong)?;
        let path = parts.path_and_query.as_ref().map_or("", |path| path.path());
        let base_path = path.trim_end_matches('/').to_owned();
        Ok(Endpoint { scheme, authority, base_path, source, signing_region: None })
    }

    /// Whether the host is one of AWS's.
    pub fn is_aws(&self) -> bool {
        let host = self.authority.host().to_ascii_lowercase();
        let mut domains = PARTITIONS.iter().map(|row| row.1).chain([NEWER]);
        domains.any(|domain| host == domain || host.ends_with(&format!(".{domain}")))
    }

    /// The endpoint as a URL without a slash at its end.
    pub fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.authority, self.base_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(variables: &'static [(&str, &str)]) -> Endpoints {
        let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Endpoints::new(Arc::new(lookup))
    }

    fn url(endpoints: &Endpoints, service: &str, region: &str) -> String {
        endpoints.resolve(service, region).map_or_else(|error| error.to_string(), |endpoint| endpoint.url())
    }

    #[test]
    fn the_stronger_word_counts() {
        const ALL: &[(&str, &str)] = &[
            ("AWS_ENDPOINT_URL", "http://all:1"),
            ("AWS_ENDPOINT_URL_SQS", "http://sqs:2/"),
            ("AWS_ENDPOINT_URL_SFN", "http://sfn:3/base/"),
        ];
        let all = endpoints(ALL).with_aws(true);
        assert_eq!(url(&all, "sqs", "us-east-1"), "http://sqs:2");
        assert_eq!(url(&all, "states", "us-east-1"), "http://sfn:3/base");
        assert_eq!(url(&all, "sns", "us-east-1"), "http://all:1");
        let laptop = all.with_laptop("sns", "http://127.0.0.1:8083").unwrap();
        let laptop = laptop.with_laptop("sqs", "http://127.0.0.1:8083").unwrap();
        assert_eq!(url(&laptop, "sns", "us-east-1"), "http://127.0.0.1:8083");
        assert_eq!(url(&laptop, "sqs", "us-east-1"), "http://sqs:2");
        let set = laptop.with_setting("SQS", "http://set:4").unwrap();
        assert_eq!(url(&set, "sqs", "us-east-1"), "http://set:4");
        assert_eq!(set.resolve("sqs", "us-east-1").unwrap().source, Source::Settings);
        let ignoring =
            endpoints(&[("AWS_ENDPOINT_URL", "http://all:1"), ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")]);
        assert_eq!(url(&ignoring.with_aws(true), "sqs", "us-east-1"), "https://sqs.us-east-1.amazonaws.com");
    }

    #[test]
    fn settings_send_operations_their_own_ways() {
        let routed = [
            ("dynamodb", "http://tables:1"),
            ("dynamodb:getItem", "aws"),
            ("sqs", "aws"),
            ("sqs:SendMessage", "laptop"),
            ("states", "aws"),
        ];
        let mut endpoints = endpoints(&[("AWS_ENDPOINT_URL", "http://all:1")]);
        for (name, target) in routed {
            endpoints = endpoints.with_setting(name, target).unwrap();
        }
        let error = endpoints.check().unwrap_err().to_string();
        assert!(error.contains("sqs is no laptop service here"), "{error}");
        let endpoints = endpoints.with_laptop("sqs", "http://127.0.0.1:8083").unwrap();
        assert_eq!(endpoints.check(), Ok(()));
        let to = |service: &str, operation: &str| {
            endpoints.resolve_operation(service, operation, "eu-west-1").unwrap().url()
        };
        assert_eq!(to("dynamodb", "PutItem"), "http://tables:1");
        assert_eq!(to("dynamodb", "GetItem"), "https://dynamodb.eu-west-1.amazonaws.com");
        assert_eq!(to("sqs", "ReceiveMessage"), "https://sqs.eu-west-1.amazonaws.com");
        assert_eq!(to("sqs", "SendMessage"), "http://127.0.0.1:8083");
        assert_eq!(to("sns", "Publish"), "http://all:1");
        assert_eq!(endpoints.resolve("sfn", "eu-west-1").unwrap().source, Source::Settings);
        assert!(endpoints.with_setting("sqs:sendMassage", "aws").is_err());
    }

    #[test]
    fn aws_is_called_only_when_the_settings_say_so() {
        assert_eq!(
            url(&endpoints(&[]), "states", "us-east-1"),
            "no endpoint for sfn: set AWS_ENDPOINT_URL_SFN (or endpoints.sfn in the settings), set AWS_ENDPOINT_URL, start \
             with --laptop if it is a laptop service, or set aws = true to call real AWS"
        );
        let aws = endpoints(&[]).with_aws(true);
        for (service, region, host) in [
            ("sfn", "eu-central-1", "https://states.eu-central-1.amazonaws.com"),
            ("sqs", "cn-north-1", "https://sqs.cn-north-1.amazonaws.com.cn"),
            ("sqs", "us-gov-west-1", "https://sqs.us-gov-west-1.amazonaws.com"),
            ("sqs", "us-isob-east-1", "https://sqs.us-isob-east-1.sc2s.sgov.gov"),
            ("sts", "us-east-1", "https://sts.us-east-1.amazonaws.com"),
            ("iam", "eu-west-1", "https://iam.amazonaws.com"),
            ("budgets", "eu-west-1", "https://budgets.amazonaws.com"),
            ("dsql", "eu-west-1", "https://dsql.eu-west-1.api.aws"),
            ("dsql", "us-gov-west-1", "https://dsql.us-gov-west-1.amazonaws.com"),
        ] {
            assert_eq!(url(&aws, service, region), host);
        }
    }

    #[test]
    fn what_is_not_a_url_is_named() {
        for bad in ["127.0.0.1:8083", "ftp://x", "http://", "", "http:///x", "://"] {
            let error = Endpoint::parse(bad, Source::Settings, "endpoints.sqs").unwrap_err();
            assert!(error.to_string().starts_with("endpoints.sqs is not an endpoint"), "{bad}");
        }
        assert!(endpoints(&[]).with_setting("nosuch", "http://x").is_err());
        assert!(aws_endpoint(models().entry("sqs").unwrap(), "us east/1").is_err());
        let iam = aws_endpoint(models().entry("iam").unwrap(), "eu-west-1").unwrap();
        assert_eq!((iam.signing_region.as_deref(), iam.is_aws()), (Some("us-east-1"), true));
        assert!(Endpoint::parse("https://sqs.us-east-1.amazonaws.com", Source::Call, "").unwrap().is_aws());
        assert!(!Endpoint::parse("https://amazonaws.com.evil.example", Source::Call, "").unwrap().is_aws());
    }
}
