//! Activities, and the long poll of their workers.

use engine::api::Activity;

use crate::answers::{ActivityCreated, ActivityDescription, ActivityItem, ActivityList, ActivityTask, Empty, Seconds};
use crate::configuration::encryption;
use crate::decode::Text;
use crate::exception::Exception;
use crate::operations::Caller;
use crate::pages::{Pages, page_size};
use crate::requests::{self, given};
use crate::tags;

pub async fn create(caller: Caller<'_>, request: requests::CreateActivity<'_>) -> Result<ActivityCreated, Exception> {
    let encryption = request.encryption_configuration.as_ref().map(encryption).transpose()?;
    let tags = tags::given_at_creation(request.tags)?;
    let activity = caller.engine().create_activity(caller.account, given(&request.name), tags, encryption).await?;
    Ok(ActivityCreated { activity_arn: activity.arn, creation_date: Seconds(activity.created_at) })
}

pub async fn describe(
    caller: Caller<'_>,
    request: requests::OneActivity<'_>,
) -> Result<ActivityDescription, Exception> {
    let activity = caller.engine().activity(given(&request.activity_arn)).await?;
    Ok(ActivityDescription {
        activity_arn: activity.arn,
        name: activity.name,
        creation_date: Seconds(activity.created_at),
        encryption_configuration: activity.encryption,
    })
}

pub async fn list(caller: Caller<'_>, request: requests::ListActivities<'_>) -> Result<ActivityList, Exception> {
    let engine = caller.engine();
    let query = ["ListActivities", caller.account];
    let pages = Pages::new(engine, &query);
    let after = pages.after(&request.next_token)?;
    let page = engine.list_activities(caller.account, after, page_size(request.max_results)).await?;
    let item = |activity: Activity| ActivityItem {
        activity_arn: activity.arn,
        name: activity.name,
        creation_date: Seconds(activity.created_at),
    };
    Ok(ActivityList { activities: page.items.into_iter().map(item).collect(), next_token: pages.token(page.next) })
}

pub async fn delete(caller: Caller<'_>, request: requests::OneActivity<'_>) -> Result<Empty, Exception> {
    caller.engine().delete_activity(given(&request.activity_arn)).await?;
    Ok(Empty {})
}

/// GetActivityTask. A server that closes sends its workers away empty-handed: they ask again, and are answered by the
/// next one.
pub async fn task(caller: Caller<'_>, request: requests::GetActivityTask<'_>) -> Result<ActivityTask, Exception> {
    let operations = caller.operations;
    let worker = request.worker_name.map(Text::into_string);
    let work = caller.engine().get_activity_task(given(&request.activity_arn), worker, operations.activity_wait);
    let work = tokio::select! {
        work = work => work?,
        () = operations.stopped() => None,
    };
    Ok(work.map_or_else(ActivityTask::default, |work| ActivityTask {
        task_token: Some(work.token),
        input: Some(work.input.text().clone()),
    }))
}
