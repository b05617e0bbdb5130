//! Whose name requests are signed with: the environment, then the shared files of the AWS tools.
//!
//! The order and the variables are the SDKs': `AWS_ACCESS_KEY_ID` and its companions, then the profile `AWS_PROFILE` in
//! `~/.aws/credentials` and `~/.aws/config`. What a role, a web identity, a container or an instance gives is
//! `aws-config`'s knowledge, and there with the feature `aws`; it is asked only for real AWS. Local endpoints need no real
//! credentials, so calls to them may be signed with [`placeholder`] ones, which still tell region and service.

mod profile;
#[cfg(feature = "aws")]
mod remote;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::client::transport::Transport;
use crate::endpoint::Environment;

pub use aws_credential_types::Credentials;

/// No credentials where they are needed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    #[error(
        "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the profile {profile} an \
         aws_access_key_id and aws_secret_access_key in ~/.aws/credentials"
    )]
    None { profile: String },
    #[error("{path} cannot be read: {reason}")]
    Unreadable { path: String, reason: String },
    /// Roles, web identities, containers and instances had none either.
    #[error("no AWS credentials: {0}")]
    Remote(String),
}

/// Larger shared files are not written by any tool.
const MAX_FILE: u64 = 1 << 20;
/// How long what was found in the shared files is kept: new ones are taken up soon, and calls do not wait for a disk.
const KEPT: Duration = Duration::from_secs(30);

/// Finds credentials and region as the AWS SDKs do. Clones share what was found.
#[derive(Clone)]
pub struct CredentialChain {
    environment: Environment,
    kept: Arc<Mutex<Option<Kept>>>,
    #[cfg(feature = "aws")]
    remote: Arc<remote::Remote>,
}

struct Kept {
    until: Instant,
    found: Result<Credentials, CredentialError>,
}

/// Credentials for services that do not verify any.
pub fn placeholder() -> Credentials {
    Credentials::new("test", "test", None, None, "placeholder")
}

/// The same, in an account: local services take an access key id of twelve digits for the account's.
pub fn of_account(account: &str) -> Credentials {
    Credentials::new(account, "test", None, None, "account")
}

impl CredentialChain {
    pub fn new(environment: Environment) -> CredentialChain {
        CredentialChain {
            environment,
            kept: Arc::default(),
            #[cfg(feature = "aws")]
            remote: Arc::default(),
        }
    }

    /// The chain of one profile of the shared files, whatever the environment says of credentials.
    pub fn of_profile(&self, profile: &str) -> CredentialChain {
        let (environment, profile) = (self.environment.clone(), profile.to_owned());
        #[cfg(feature = "aws")]
        let remote = Arc::new(remote::Remote::of_profile(&profile));
        CredentialChain {
            environment: Arc::new(move |name| match name {
                "AWS_PROFILE" => Some(profile.clone()),
                "AWS_ACCESS_KEY_ID" | "AWS_SECRET_ACCESS_KEY" | "AWS_SESSION_TOKEN" => None,
                name => environment(name),
            }),
            kept: Arc::default(),
            #[cfg(feature = "aws")]
            remote,
        }
    }

    /// The credentials of this process, wherever they come from.
    #[cfg(feature = "aws")]
    pub(crate) async fn load(&self, transport: &Arc<Transport>) -> Result<Credentials, CredentialError> {
        match self.local() {
            Err(CredentialError::None { .. }) => self.remote.load(transport, self.region()).await,
            found => found,
        }
    }

    /// The credentials of this process: without the feature `aws`, those of environment and shared files.
    #[cfg(not(feature = "aws"))]
    pub(crate) async fn load(&self, _: &Arc<Transport>) -> Result<Credentials, CredentialError> {
        self.local()
    }

    /// The credentials of environment and shared files.
    pub fn local(&self) -> Result<Credentials, CredentialError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(kept) if Instant::now() < kept.until => kept.found.clone(),
            _ => {
                let found = self.find();
                *kept = Some(Kept { until: Instant::now() + KEPT, found: found.clone() });
                found
            }
        }
    }

    fn find(&self) -> Result<Credentials, CredentialError> {
        if let (Some(id), Some(secret)) = (self.get("AWS_ACCESS_KEY_ID"), self.get("AWS_SECRET_ACCESS_KEY")) {
            return Ok(Credentials::new(id, secret, self.get("AWS_SESSION_TOKEN"), None, "environment"));
        }
        let profile = self.profile()?;
        let (id, secret) = (profile.get("aws_access_key_id"), profile.get("aws_secret_access_key"));
        match (id, secret) {
            (Some(id), Some(secret)) => {
                Ok(Credentials::new(id, secret, profile.get("aws_session_token").cloned(), None, "profile"))
            }
            _ => Err(CredentialError::None { profile: self.profile_name() }),
        }
    }

    /// The region of this process: `AWS_REGION`, `AWS_DEFAULT_REGION`, or the profile's.
    pub fn region(&self) -> Option<String> {
        let said = self.get("AWS_REGION").or_else(|| self.get("AWS_DEFAULT_REGION"));
        said.or_else(|| self.profile().ok()?.remove("region"))
    }

    fn get(&self, name: &str) -> Option<String> {
        (self.environment)(name).filter(|value| !value.is_empty())
    }

    fn profile_name(&self) -> String {
        let said = self.get("AWS_PROFILE").or_else(|| self.get("AWS_DEFAULT_PROFILE"));
        said.unwrap_or_else(|| "default".into())
    }

    /// The profile's settings; what the credentials file says is stronger.
    fn profile(&self) -> Result<HashMap<String, String>, CredentialError> {
        let name = self.profile_name();
        let mut settings = HashMap::new();
        for (variable, file) in [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")] {
            if let Some(text) = self.read(variable, file)? {
                settings.extend(profile::settings(&text, &name));
            }
        }
        Ok(settings)
    }

    fn read(&self, variable: &str, file: &str) -> Result<Option<String>, CredentialError> {
        let home = || Some(PathBuf::from(self.get("HOME").or_else(|| self.get("USERPROFILE"))?));
        let path = match self.get(variable) {
            Some(path) => match (path.strip_prefix("~/"), home()) {
                (Some(rest), Some(home)) => home.join(rest),
                _ => PathBuf::from(path),
            },
            None => match home() {
                Some(home) => home.join(".aws").join(file),
                None => return Ok(None),
            },
        };
        let unreadable = |reason: String| CredentialError::Unreadable { path: path.display().to_string(), reason };
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.len() > MAX_FILE => Err(unreadable(format!("larger than {MAX_FILE} bytes"))),
            Ok(_) => std::fs::read_to_string(&path).map(Some).map_err(|error| unreadable(error.to_string())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn chain(variables: &[(&str, &str)]) -> CredentialChain {
        let variables: HashMap<String, String> =
            variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        CredentialChain::new(Arc::new(move |name| variables.get(name).cloned()))
    }

    /// A home directory with shared files, gone when dropped.
    struct Home(PathBuf);

    impl Home {
        fn new(name: &str, config: &str, credentials: &str) -> Home {
            let path = std::env::temp_dir().join(format!("stepwell-aws-{}-{name}", std::process::id()));
            std::fs::create_dir_all(path.join(".aws")).unwrap();
            std::fs::write(path.join(".aws/config"), config).unwrap();
            std::fs::write(path.join(".aws/credentials"), credentials).unwrap();
            Home(path)
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    const CONFIG: &str = "
# of the tools
[default]
region = eu-west-1
s3 =
    max_concurrent_requests = 20
[profile work]
region=eu-central-1 ; where we work
aws_access_key_id = FROMCONFIG
aws_secret_access_key = s
";
    const CREDENTIALS: &str = "
[default]
aws_access_key_id = AKIDEFAULT
aws_secret_access_key = abc/d+e=
[work]
aws_access_key_id=AKIWORK
aws_secret_access_key=secret
AWS_SESSION_TOKEN = token==
";

    #[test]
    fn the_environment_is_stronger_than_the_files() {
        let home = Home::new("strong", CONFIG, CREDENTIALS);
        let at = home.0.to_str().unwrap();
        let found = |variables: &[(&str, &str)]| {
            let all: Vec<_> = variables.iter().copied().chain([("HOME", at)]).collect();
            let chain = chain(&all);
            let found = chain.local().unwrap();
            let token = found.session_token().map(str::to_owned);
            (found.access_key_id().to_owned(), found.secret_access_key().to_owned(), token, chain.region())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found(&[]), ("AKIDEFAULT".into(), "abc/d+e=".into(), None, some("eu-west-1")));
        assert_eq!(
            found(&[("AWS_PROFILE", "work")]),
            ("AKIWORK".into(), "secret".into(), some("token=="), some("eu-central-1"))
        );
        assert_eq!(
            found(&[("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "B"), ("AWS_REGION", "us-east-2")]),
            ("A".into(), "B".into(), None, some("us-east-2"))
        );
    }

    #[test]
    fn a_profile_is_stronger_than_the_environment() {
        let home = Home::new("profile", CONFIG, CREDENTIALS);
        let variables =
            [("HOME", home.0.to_str().unwrap()), ("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "B")];
        let found = chain(&variables).of_profile("work").local().unwrap();
        assert_eq!((found.access_key_id(), found.session_token()), ("AKIWORK", Some("token==")));
        assert!(chain(&variables).of_profile("none").local().is_err());
    }

    #[test]
    fn none_says_what_to_do() {
        let home = Home::new("none", "[default]\nregion = x\n", "");
        let error = chain(&[("HOME", home.0.to_str().unwrap()), ("AWS_PROFILE", "p")]).local().unwrap_err();
        assert!(error.to_string().contains("give the profile p an"), "{error}");
        assert!(chain(&[]).local().is_err());
        assert_eq!(chain(&[]).region(), None);
    }
}
