//! Aliases of state machines, and what their routes must be.

use engine::api::{Alias, CreateAlias, Route, UpdateAlias};
use engine::arn::{Arn, split_qualifier};

use crate::answers::{
    AliasCreated, AliasDescription, AliasList, AliasUpdated, Empty, RoutingConfigurationItem, Seconds,
};
use crate::decode::{Integer, Text};
use crate::exception::Exception;
use crate::operations::Caller;
use crate::pages::{Pages, page_size};
use crate::requests::{self, RoutingConfigurationListItem, given, taken};

pub async fn create(
    caller: Caller<'_>,
    request: requests::CreateStateMachineAlias<'_>,
) -> Result<AliasCreated, Exception> {
    let create = CreateAlias {
        routes: routes(&request.routing_configuration.unwrap_or_default())?,
        name: taken(request.name),
        description: request.description.map(Text::into_string),
    };
    Ok(created(caller.engine().create_alias(create).await?))
}

pub async fn update(
    caller: Caller<'_>,
    request: requests::UpdateStateMachineAlias<'_>,
) -> Result<AliasUpdated, Exception> {
    if request.description.is_none() && request.routing_configuration.is_none() {
        const MESSAGE: &str = "Either the description or the routing configuration must be specified";
        return Err(Exception::validation(MESSAGE).because("MISSING_REQUIRED_PARAMETER"));
    }
    let arn = taken(request.state_machine_alias_arn);
    let routes = request.routing_configuration.as_deref().map(routes).transpose()?;
    if routes.iter().flatten().any(|route| split_qualifier(&route.version).0 != split_qualifier(&arn).0) {
        return Err(misrouted("Routing configuration must contain versions of the alias's own state machine"));
    }
    let update = UpdateAlias { arn, description: request.description.map(Text::into_string), routes };
    Ok(AliasUpdated { update_date: Seconds(caller.engine().update_alias(update).await?.updated_at) })
}

pub async fn describe(caller: Caller<'_>, request: requests::OneAlias<'_>) -> Result<AliasDescription, Exception> {
    let alias = caller.engine().alias(given(&request.state_machine_alias_arn)).await?;
    let alias = Alias::clone(&alias);
    let route =
        |route: Route| RoutingConfigurationItem { state_machine_version_arn: route.version, weight: route.weight };
    Ok(AliasDescription {
        state_machine_alias_arn: alias.arn,
        name: alias.name,
        description: alias.description,
        routing_configuration: alias.routes.into_iter().map(route).collect(),
        creation_date: Seconds(alias.created_at),
        update_date: Seconds(alias.updated_at),
    })
}

pub async fn list(caller: Caller<'_>, request: requests::ListStateMachineVersions<'_>) -> Result<AliasList, Exception> {
    let machine = given(&request.state_machine_arn);
    let query = ["ListStateMachineAliases", machine];
    let pages = Pages::new(caller.engine(), &query);
    let after = pages.after(&request.next_token)?;
    let page = caller.engine().list_aliases(machine, after, page_size(request.max_results)).await?;
    Ok(AliasList {
        state_machine_aliases: page.items.into_iter().map(created).collect(),
        next_token: pages.token(page.next),
    })
}

pub async fn delete(caller: Caller<'_>, request: requests::OneAlias<'_>) -> Result<Empty, Exception> {
    caller.engine().delete_alias(given(&request.state_machine_alias_arn)).await?;
    Ok(Empty {})
}

fn created(alias: Alias) -> AliasCreated {
    AliasCreated { creation_date: Seconds(alias.created_at), state_machine_alias_arn: alias.arn }
}

/// One or two versions of one state machine, whose weights sum up to 100. The texts are recorded, but for the one about
/// two state machines.
fn routes(items: &[RoutingConfigurationListItem<'_>]) -> Result<Vec<Route>, Exception> {
    let arns: Vec<&str> = items.iter().map(|item| given(&item.state_machine_version_arn)).collect();
    let weights: Vec<i64> = items.iter().map(|item| item.weight.map_or(0, |Integer(weight)| weight)).collect();
    let received = || format!("Received: [{}]", arns.join(", "));
    if !arns.iter().all(|arn| is_version(arn)) {
        return Err(misrouted(format!(
            "Routing configuration must contain state machine version ARNs. {}",
            received()
        )));
    }
    let [first, rest @ ..] = &arns[..] else { return Ok(Vec::new()) };
    if rest.contains(first) {
        return Err(misrouted(format!(
            "Routing configuration must contain distinct state machine version ARNs. {}",
            received()
        )));
    }
    if rest.iter().any(|arn| split_qualifier(arn).0 != split_qualifier(first).0) {
        return Err(misrouted(format!(
            "Routing configuration must contain versions of one state machine. {}",
            received()
        )));
    }
    if weights.iter().sum::<i64>() != 100 {
        return Err(misrouted(format!("Sum of routing configuration weights must equal 100. Received: {weights:?}")));
    }
    let weights = weights.iter().map(|weight| *weight as u8);
    Ok(arns.iter().zip(weights).map(|(arn, weight)| Route { version: (*arn).into(), weight }).collect())
}

fn is_version(arn: &str) -> bool {
    let number = split_qualifier(arn).1.unwrap_or_default();
    Arn::of_kind(arn, &["stateMachine"]).is_ok()
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn misrouted(message: impl Into<String>) -> Exception {
    Exception::validation(message).because("INVALID_ROUTING_CONFIGURATION")
}
