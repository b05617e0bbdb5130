//! Whose name calls are signed with.
//!
//! At AWS: the role in the task's `Credentials`, assumed by STS with the credentials of the state machine's role; those are
//! what the settings say of that role, and this installation's own where they say nothing. Elsewhere nobody verifies
//! roles, so the account of the role is told as an access key id of twelve digits, as local services understand it; with an
//! endpoint set for STS roles are assumed there too.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws::credentials::of_account;
use aws::endpoint::Source;
use aws::{CallContext, CallError, Client, CredentialChain, Credentials, Endpoints};
use serde_json::{Value, json};

use crate::call::Errand;

/// Credentials are renewed before they expire, so that a call on its way is not refused.
const EARLY: Duration = Duration::from_secs(5 * 60);
const TIMEOUT: Duration = Duration::from_secs(20);
/// What AWS's logs call us.
const SESSION: &str = "stepwell";

/// Where the credentials of a state machine's role come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleSource {
    /// A profile of the AWS tools' shared files.
    Profile(String),
    /// This installation's own credentials assume the role.
    Assume,
}

pub(crate) struct Identity {
    /// The account of this installation.
    account: String,
    roles: BTreeMap<String, RoleSource>,
    profiles: BTreeMap<String, CredentialChain>,
    assumed: Mutex<HashMap<Session, Kept>>,
}

/// A role, and who assumed it.
type Session = (String, Option<String>);
/// Locked while STS is asked, so that it is asked once.
type Kept = Arc<tokio::sync::Mutex<Option<(SystemTime, Credentials)>>>;

impl Identity {
    pub fn new(account: String, roles: BTreeMap<String, RoleSource>, chain: &CredentialChain) -> Identity {
        let named = roles.values().filter_map(|source| match source {
            RoleSource::Profile(name) => Some((name.clone(), chain.of_profile(name))),
            RoleSource::Assume => None,
        });
        Identity { account, profiles: named.collect(), roles, assumed: Mutex::default() }
    }

    /// The credentials for a call; `None` is this installation's own.
    pub async fn of(
        &self,
        errand: &Errand<'_>,
        client: &Client,
        endpoints: &Endpoints,
    ) -> Result<Option<Credentials>, CallError> {
        let endpoint = endpoints.resolve_operation(&errand.service.name, errand.operation, errand.region)?;
        let sts = endpoints.resolve("sts", errand.region);
        let sts_is_set =
            sts.is_ok_and(|sts| matches!(sts.source, Source::Settings | Source::ServiceVariable) && !sts.is_aws());
        if !endpoint.is_aws() && !sts_is_set {
            return Ok((errand.account != self.account).then(|| of_account(errand.account)));
        }
        let own = match self.roles.get(errand.role) {
            None => None,
            Some(RoleSource::Assume) => Some(self.assume(errand.role, errand, None, client).await?),
            Some(RoleSource::Profile(name)) => match self.profiles.get(name) {
                Some(chain) => Some(client.load(chain).await?),
                None => None,
            },
        };
        match errand.task_role {
            Some(role) => self.assume(role, errand, own, client).await.map(Some),
            None => Ok(own),
        }
    }

    async fn assume(
        &self,
        role: &str,
        errand: &Errand<'_>,
        by: Option<Credentials>,
        client: &Client,
    ) -> Result<Credentials, CallError> {
        let kept = {
            let mut assumed = self.assumed.lock().unwrap_or_else(PoisonError::into_inner);
            let session = (role.to_owned(), by.as_ref().map(|by| by.access_key_id().to_owned()));
            assumed.entry(session).or_default().clone()
        };
        let mut kept = kept.lock().await;
        if let Some((until, credentials)) = &*kept
            && SystemTime::now() < *until
        {
            return Ok(credentials.clone());
        }
        let context = CallContext { credentials: by, timeout: TIMEOUT, ..CallContext::new(errand.region) };
        let parameters = json!({"RoleArn": role, "RoleSessionName": SESSION});
        let answered = client.call("sts", "AssumeRole", parameters, &context).await;
        let refused = |reason: String| CallError::Role { role: role.to_owned(), reason };
        let answer = answered.map_err(|error| match error {
            CallError::Service { error, .. } if error.code == "AccessDenied" => {
                refused(not_authorized(errand.role, role))
            }
            error => refused(error.to_string()),
        })?;
        let (credentials, until) =
            read(&answer.value).ok_or_else(|| refused("STS answered without credentials".into()))?;
        *kept = Some((until - EARLY, credentials.clone()));
        Ok(credentials)
    }
}

fn not_authorized(role: &str, task_role: &str) -> String {
    format!("The role {role} is not authorized to assume the task state's role, {task_role}.")
}

/// Credentials and their end, from STS's answer.
fn read(answer: &Value) -> Option<(Credentials, SystemTime)> {
    let text = |name: &str| answer["Credentials"][name].as_str();
    let end: jiff::Timestamp = text("Expiration")?.parse().ok()?;
    let end = SystemTime::from(end);
    let token = text("SessionToken").map(str::to_owned);
    let (id, secret) = (text("AccessKeyId")?, text("SecretAccessKey")?);
    Some((Credentials::new(id, secret, token, Some(end), "AssumeRole"), end))
}
