//! Tags of state machines and activities.

use crate::answers::{Empty, Tag, Tags};
use crate::decode::Text;
use crate::exception::Exception;
use crate::operations::Caller;
use crate::requests::{self, given, taken};

/// AWS's limit on the tags of a resource.
const MAX_TAGS: usize = 50;

pub async fn tag(caller: Caller<'_>, request: requests::TagResource<'_>) -> Result<Empty, Exception> {
    let resource = given(&request.resource_arn);
    let add = distinct(request.tags.unwrap_or_default());
    let mut all = tags_of(caller, resource).await?;
    all.retain(|(key, _)| !add.iter().any(|(new, _)| new == key));
    check_number(all.len() + add.len())?;
    caller.engine().change_tags(resource, add, Vec::new()).await.map_err(|error| not_found(error, resource))?;
    Ok(Empty {})
}

pub async fn untag(caller: Caller<'_>, request: requests::UntagResource<'_>) -> Result<Empty, Exception> {
    let resource = given(&request.resource_arn);
    let keys = request.tag_keys.unwrap_or_default().into_iter().map(Text::into_string).collect();
    caller.engine().change_tags(resource, Vec::new(), keys).await.map_err(|error| not_found(error, resource))?;
    Ok(Empty {})
}

pub async fn list(caller: Caller<'_>, request: requests::ListTagsForResource<'_>) -> Result<Tags, Exception> {
    let tags = tags_of(caller, given(&request.resource_arn)).await?;
    Ok(Tags { tags: tags.into_iter().map(|(key, value)| Tag { key, value }).collect() })
}

/// The tags that something is created with.
pub fn given_at_creation(tags: Option<Vec<requests::Tag<'_>>>) -> Result<Vec<(String, String)>, Exception> {
    let tags = distinct(tags.unwrap_or_default());
    check_number(tags.len())?;
    Ok(tags)
}

async fn tags_of(caller: Caller<'_>, resource: &str) -> Result<Vec<(String, String)>, Exception> {
    caller.engine().tags(resource).await.map_err(|error| not_found(error, resource))
}

/// Of tags with the same key the last one counts.
fn distinct(tags: Vec<requests::Tag<'_>>) -> Vec<(String, String)> {
    let mut distinct: Vec<(String, String)> = Vec::with_capacity(tags.len());
    for tag in tags {
        let (key, value) = (taken(tag.key), taken(tag.value));
        match distinct.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = value,
            None => distinct.push((key, value)),
        }
    }
    distinct
}

fn check_number(number: usize) -> Result<(), Exception> {
    if number <= MAX_TAGS {
        return Ok(());
    }
    Err(Exception::new("TooManyTags", format!("Too Many Tags: a resource has at most {MAX_TAGS}")))
}

fn not_found(error: engine::Error, resource: &str) -> Exception {
    match error {
        engine::Error::StateMachineDoesNotExist(_) | engine::Error::ActivityDoesNotExist(_) => {
            Exception::resource_not_found(resource)
        }
        error => error.into(),
    }
}
