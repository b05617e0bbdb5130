//! Versions of state machines: publish, list, delete.

use engine::api::{Publish, Version};

use crate::answers::{Empty, Seconds, VersionList, VersionPublished};
use crate::decode::{Flag, Text};
use crate::exception::Exception;
use crate::operations::Caller;
use crate::pages::{Pages, page_size};
use crate::requests::{self, given, is_set};

pub async fn publish(
    caller: Caller<'_>,
    request: requests::PublishStateMachineVersion<'_>,
) -> Result<VersionPublished, Exception> {
    let publish = Publish { description: request.description.map(Text::into_string) };
    let machine = given(&request.state_machine_arn);
    let version = caller.engine().publish_version(machine, request.revision_id.as_deref(), publish).await?;
    Ok(published(version))
}

pub async fn list(
    caller: Caller<'_>,
    request: requests::ListStateMachineVersions<'_>,
) -> Result<VersionList, Exception> {
    let machine = given(&request.state_machine_arn);
    let query = ["ListStateMachineVersions", machine];
    let pages = Pages::new(caller.engine(), &query);
    let after = pages.after(&request.next_token)?;
    let page = caller.engine().list_versions(machine, after, page_size(request.max_results)).await?;
    Ok(VersionList {
        state_machine_versions: page.items.into_iter().map(published).collect(),
        next_token: pages.token(page.next),
    })
}

pub async fn delete(caller: Caller<'_>, request: requests::DeleteStateMachineVersion<'_>) -> Result<Empty, Exception> {
    caller.engine().delete_version(given(&request.state_machine_version_arn)).await?;
    Ok(Empty {})
}

fn published(version: Version) -> VersionPublished {
    VersionPublished { creation_date: Seconds(version.created_at), state_machine_version_arn: version.arn }
}

/// `publish` and `versionDescription` of a state machine that is created or updated.
pub fn wished(publish: Option<Flag>, description: Option<Text<'_>>) -> Result<Option<Publish>, Exception> {
    match (is_set(publish), description) {
        (true, description) => Ok(Some(Publish { description: description.map(Text::into_string) })),
        (false, None) => Ok(None),
        (false, Some(_)) => Err(Exception::validation("Version description can only be set when publish is true")),
    }
}
