//! Versions and aliases of state machines. A version is the machine as it was when it was published, under a number
//! that is never given again; an alias sends each start to one of at most two versions, by their weights.
//!
//! Every change here is written together with the machine's own row and under its revision, so that changes of one
//! machine follow each other: a version that an alias names cannot go, and none is published twice.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use lru::LruCache;
use serde::{Deserialize, Serialize};
use store::{Expect, Item, ItemChange, ItemKind};

use crate::api::{Alias, CreateAlias, MachineStatus, Page, Publish, Route, StateMachine, UpdateAlias, Version};
use crate::arn::{Arn, split_qualifier};
use crate::machines::{CHANGE_ATTEMPTS, decode, encode};
use crate::{Engine, Error, Result};

/// What PublishStateMachineVersion calls the revision of a machine that was never updated.
pub const INITIAL_REVISION: &str = "INITIAL";

/// Versions and aliases kept in memory.
const CACHED: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// The state machine that a start is for, and by which version and alias it was named.
#[derive(Clone)]
pub(crate) struct Chosen {
    pub machine: Arc<StateMachine>,
    pub version: Option<Arc<str>>,
    pub alias: Option<Arc<str>>,
}

#[derive(Clone)]
enum Named {
    Version(Arc<Version>),
    Alias(Arc<Alias>),
}

/// What was read of versions and aliases since the last change of any.
pub(crate) struct NamedCache(Mutex<Cached>);

struct Cached {
    changes: u64,
    entries: LruCache<Arc<str>, Named>,
}

impl Default for NamedCache {
    fn default() -> NamedCache {
        NamedCache(Mutex::new(Cached { changes: 0, entries: LruCache::new(CACHED) }))
    }
}

impl NamedCache {
    fn lock(&self) -> std::sync::MutexGuard<'_, Cached> {
        self.0.lock().expect("no panic while held")
    }

    /// After every change, whatever came of it: who read before it does not bring back what was.
    pub fn forget(&self) {
        let mut cached = self.lock();
        cached.changes += 1;
        cached.entries.clear();
    }
}

/// How a version is stored: the machine's own row, as it was.
#[derive(Serialize, Deserialize)]
struct Stored {
    machine: StateMachine,
    number: u64,
    description: Option<String>,
    created_at: machine::Timestamp,
}

impl Version {
    fn item(&self) -> Result<Item> {
        let stored = Stored {
            machine: StateMachine::clone(&self.machine),
            number: self.number,
            description: self.description.clone(),
            created_at: self.created_at,
        };
        Ok(Item {
            kind: ItemKind::Version,
            scope: self.machine.arn.to_string(),
            name: item_name(self.number),
            created_at: self.created_at,
            body: encode(&stored)?,
            definition: Some(self.machine.definition),
        })
    }

    fn read(item: &Item) -> Result<Version> {
        let Stored { machine, number, description, created_at } = decode(&item.body)?;
        let arn = format!("{}:{number}", machine.arn).into();
        Ok(Version { arn, machine: Arc::new(machine), number, description, created_at })
    }
}

impl Alias {
    fn item(&self) -> Result<Item> {
        Ok(Item {
            kind: ItemKind::Alias,
            scope: self.machine().to_owned(),
            name: self.name.clone(),
            created_at: self.created_at,
            body: encode(self)?,
            definition: None,
        })
    }

    /// Its state machine's ARN.
    pub fn machine(&self) -> &str {
        split_qualifier(&self.arn).0
    }
}

/// With leading zeros, because items are listed by the bytes of their names.
fn item_name(number: u64) -> String {
    format!("{number:020}")
}

/// The number of a version; the name of an alias is never all digits.
fn version_number(qualifier: &str) -> Option<u64> {
    let is_number = !qualifier.starts_with('0') && qualifier.bytes().all(|byte| byte.is_ascii_digit());
    qualifier.parse().ok().filter(|_| is_number)
}

/// Requires the ARN of a state machine without a version or alias behind it.
pub(crate) fn unqualified(machine: &str) -> Result<()> {
    Arn::of_kind(machine, &["stateMachine"])?;
    match split_qualifier(machine).1 {
        None => Ok(()),
        Some(_) => Err(Error::QualifiedArn(machine.to_owned())),
    }
}

/// The machine's ARN and what stands behind it.
fn qualified(arn: &str) -> Result<(&str, &str)> {
    let parsed = Arn::of_kind(arn, &["stateMachine"])?;
    match split_qualifier(arn) {
        (machine, Some(qualifier)) if !parsed.rest.starts_with(':') => Ok((machine, qualifier)),
        _ => Err(Error::InvalidArn(crate::arn::ArnError(arn.to_owned()))),
    }
}

impl Engine {
    /// The machine that an ARN names for a start: its own, a version's, or an alias's, which chooses a version.
    pub(crate) async fn choose(&self, arn: &str) -> Result<Chosen> {
        let (machine, qualifier) = split_qualifier(arn);
        let machine = match self.cached_machine(machine).await {
            Err(Error::StateMachineDoesNotExist(_)) => return Err(Error::StateMachineDoesNotExist(arn.to_owned())),
            found => found?,
        };
        if machine.status == MachineStatus::Deleting {
            return Err(Error::StateMachineDeleting(machine.arn.to_string()));
        }
        if qualifier.is_none() {
            return Ok(Chosen { machine, version: None, alias: None });
        }
        match self.named(arn).await? {
            Named::Version(version) => Ok(version.chosen(None)),
            Named::Alias(alias) => {
                let route = alias.route(|| u32::from_be_bytes(self.random()));
                match self.named(&route.version).await? {
                    Named::Version(version) => Ok(version.chosen(Some(alias.arn.clone()))),
                    Named::Alias(_) => Err(Error::Internal(format!("{arn} leads to an alias"))),
                }
            }
        }
    }

    /// A version by its ARN.
    pub async fn version(&self, arn: &str) -> Result<Arc<Version>> {
        match self.named(arn).await? {
            Named::Version(version) => Ok(version),
            Named::Alias(_) => Err(Error::StateMachineDoesNotExist(arn.to_owned())),
        }
    }

    /// An alias by its ARN.
    pub async fn alias(&self, arn: &str) -> Result<Arc<Alias>> {
        qualified(arn)?;
        match self.named(arn).await {
            Ok(Named::Alias(alias)) => Ok(alias),
            Ok(Named::Version(_)) | Err(Error::StateMachineDoesNotExist(_)) => {
                Err(Error::ResourceNotFound(arn.to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    async fn named(&self, arn: &str) -> Result<Named> {
        let (machine, qualifier) = qualified(arn)?;
        let changes = {
            let mut cached = self.named.lock();
            if let Some(named) = cached.entries.get(arn) {
                return Ok(named.clone());
            }
            cached.changes
        };
        let missing = || Error::StateMachineDoesNotExist(arn.to_owned());
        let named = match version_number(qualifier) {
            Some(number) => {
                let item = self.store.item(ItemKind::Version, machine, &item_name(number)).await?;
                Named::Version(Arc::new(Version::read(&item.ok_or_else(missing)?.0)?))
            }
            None => {
                let item = self.store.item(ItemKind::Alias, machine, qualifier).await?;
                Named::Alias(Arc::new(decode(&item.ok_or_else(missing)?.0.body)?))
            }
        };
        let mut cached = self.named.lock();
        if cached.changes == changes {
            cached.entries.put(arn.into(), named.clone());
        }
        Ok(named)
    }

    /// Idempotent: a revision is published once. `revision` must be the machine's, where it is given.
    pub async fn publish_version(&self, machine: &str, revision: Option<&str>, publish: Publish) -> Result<Version> {
        unqualified(machine)?;
        for _ in 0..CHANGE_ATTEMPTS {
            let (read, mut current) = self.machine_to_change(machine).await?;
            let is = current.revision_id.as_deref().unwrap_or(INITIAL_REVISION);
            if revision.is_some_and(|expected| expected != is) {
                return Err(Error::Conflict(format!("Current revision ID of the state machine is {is}")));
            }
            let (version, new) = self.version_of(&mut current, &publish).await?;
            let Some(new) = new else { return Ok(version) };
            if self.write_machine(read, &current, vec![new], Vec::new()).await? {
                return Ok(version);
            }
        }
        Err(changed_too_often(machine))
    }

    /// The version of a machine as it is now: the one that was published before, or a new one with what is to be
    /// written for it.
    pub(crate) async fn version_of(
        &self,
        current: &mut StateMachine,
        publish: &Publish,
    ) -> Result<(Version, Option<ItemChange>)> {
        let limit = self.settings.quotas.versions;
        let known = self.store.items_newest(ItemKind::Version, &current.arn, None, limit).await?.items;
        let latest = known.first().map(|(item, _)| Version::read(item)).transpose()?;
        if let Some(latest) = &latest
            && latest.machine.revision_id == current.revision_id
        {
            return Ok((latest.clone(), None));
        }
        if known.len() >= limit {
            let what = format!("Maximum number of versions per state machine exceeded: {limit}");
            return Err(Error::ServiceQuotaExceeded(what));
        }
        let version = Version::next(current, publish, self.clock.now(), latest.as_ref());
        let change = version.change()?;
        Ok((version, Some(change)))
    }

    /// Versions, the newest first.
    pub async fn list_versions(&self, machine: &str, after: Option<String>, limit: usize) -> Result<Page<Version>> {
        unqualified(machine)?;
        let after = after.and_then(|after| {
            let (at, name) = after.split_once(' ')?;
            Some((at.parse().ok()?, name.to_owned()))
        });
        let page = self.store.items_newest(ItemKind::Version, machine, after, limit).await?;
        let next = page.items.last().filter(|_| page.more);
        let next = next.map(|(item, _)| format!("{} {}", item.created_at, item.name));
        let items = page.items.iter().map(|(item, _)| Version::read(item)).collect::<Result<_>>()?;
        Ok(Page { items, next })
    }

    /// Deleting what is not there is no mistake; what an alias names stays.
    pub async fn delete_version(&self, arn: &str) -> Result<()> {
        let (machine, qualifier) = qualified(arn)?;
        let Some(number) = version_number(qualifier) else {
            return Err(Error::InvalidArn(crate::arn::ArnError(arn.to_owned())));
        };
        for _ in 0..CHANGE_ATTEMPTS {
            let (read, current) = match self.machine_to_change(machine).await {
                Err(Error::StateMachineDoesNotExist(_)) => return Ok(()),
                found => found?,
            };
            let aliases = self.aliases_of(machine).await?;
            let naming: Vec<&str> = aliases.iter().filter(|a| a.names(arn)).map(|a| a.name.as_str()).collect();
            if !naming.is_empty() {
                return Err(Error::Conflict(format!(
                    "Version to be deleted must not be referenced by an alias. Current list of aliases referencing \
                     this version: [{}]",
                    naming.join(", ")
                )));
            }
            let name = item_name(number);
            let gone =
                ItemChange::Delete { kind: ItemKind::Version, scope: machine.to_owned(), name, expect: Expect::Any };
            if self.write_machine(read, &current, vec![gone], Vec::new()).await? {
                return Ok(());
            }
        }
        Err(changed_too_often(machine))
    }

    /// Idempotent: the same parameters again give the same alias.
    pub async fn create_alias(&self, request: CreateAlias) -> Result<Alias> {
        let machine = request.routes.first().map(|route| split_qualifier(&route.version).0).unwrap_or_default();
        for _ in 0..CHANGE_ATTEMPTS {
            let (read, current) = self.machine_of_alias(machine).await?;
            self.check_routes(&request.routes).await?;
            let aliases = self.aliases_of(machine).await?;
            if let Some(existing) = aliases.iter().find(|alias| alias.name == request.name) {
                let same = existing.description == request.description && existing.routes == request.routes;
                const MESSAGE: &str = "State Machine Alias already exists with another description or other routes";
                return if same {
                    Ok(existing.clone())
                } else {
                    Err(Error::Conflict(format!("{MESSAGE}: '{}'", existing.arn)))
                };
            }
            let limit = self.settings.quotas.aliases;
            if aliases.len() >= limit {
                let what = format!("Maximum number of aliases per state machine exceeded: {limit}");
                return Err(Error::ServiceQuotaExceeded(what));
            }
            let now = self.clock.now();
            let alias = Alias {
                arn: format!("{machine}:{}", request.name).into(),
                name: request.name.clone(),
                description: request.description.clone(),
                routes: request.routes.clone(),
                created_at: now,
                updated_at: now,
            };
            let change = ItemChange::Put { item: alias.item()?, expect: Expect::Absent };
            if self.write_machine(read, &current, vec![change], Vec::new()).await? {
                return Ok(alias);
            }
        }
        Err(changed_too_often(machine))
    }

    /// Absent fields stay as they are.
    pub async fn update_alias(&self, request: UpdateAlias) -> Result<Alias> {
        let (machine, _) = qualified(&request.arn)?;
        for _ in 0..CHANGE_ATTEMPTS {
            let (read, current) = self.machine_of_alias(machine).await?;
            let mut alias = Alias::clone(&*self.alias(&request.arn).await?);
            if let Some(routes) = &request.routes {
                self.check_routes(routes).await?;
                alias.routes.clone_from(routes);
            }
            if request.description.is_some() {
                alias.description.clone_from(&request.description);
            }
            alias.updated_at = self.clock.now();
            let change = ItemChange::Put { item: alias.item()?, expect: Expect::Any };
            if self.write_machine(read, &current, vec![change], Vec::new()).await? {
                return Ok(alias);
            }
        }
        Err(changed_too_often(machine))
    }

    /// By their names, after one; those of a version where the ARN is a version's.
    pub async fn list_aliases(&self, arn: &str, after: Option<String>, limit: usize) -> Result<Page<Alias>> {
        let (machine, version) = match split_qualifier(arn) {
            (machine, None) => {
                if self.cached_machine(arn).await?.status == MachineStatus::Deleting {
                    return Err(Error::StateMachineDeleting(arn.to_owned()));
                }
                (machine, None)
            }
            (machine, Some(_)) => match self.version(arn).await {
                Err(Error::StateMachineDoesNotExist(_)) => return Err(Error::ResourceNotFound(arn.to_owned())),
                found => (machine, Some(found?.arn.clone())),
            },
        };
        let mut aliases = self.aliases_of(machine).await?;
        aliases.retain(|alias| version.as_ref().is_none_or(|version| alias.names(version)));
        aliases.retain(|alias| after.as_ref().is_none_or(|after| alias.name > *after));
        let next = aliases.get(limit.max(1) - 1).filter(|_| aliases.len() > limit).map(|alias| alias.name.clone());
        aliases.truncate(limit);
        Ok(Page { items: aliases, next })
    }

    /// Deleting what is not there is no mistake.
    pub async fn delete_alias(&self, arn: &str) -> Result<()> {
        let (machine, name) = qualified(arn)?;
        for _ in 0..CHANGE_ATTEMPTS {
            let (read, current) = self.machine_of_alias(machine).await?;
            let gone = ItemChange::Delete {
                kind: ItemKind::Alias,
                scope: machine.to_owned(),
                name: name.to_owned(),
                expect: Expect::Any,
            };
            if self.write_machine(read, &current, vec![gone], Vec::new()).await? {
                return Ok(());
            }
        }
        Err(changed_too_often(machine))
    }

    /// What goes with a state machine that is deleted.
    pub(crate) async fn qualifiers_of(&self, machine: &str) -> Result<Vec<ItemChange>> {
        let mut gone = Vec::new();
        for kind in [ItemKind::Version, ItemKind::Alias] {
            let page = self.store.items(kind, machine, None, i32::MAX as usize).await?;
            gone.extend(page.items.into_iter().map(|(item, _)| ItemChange::Delete {
                kind,
                scope: item.scope,
                name: item.name,
                expect: Expect::Any,
            }));
        }
        Ok(gone)
    }

    /// All of them: their number is small.
    async fn aliases_of(&self, machine: &str) -> Result<Vec<Alias>> {
        let page = self.store.items(ItemKind::Alias, machine, None, self.settings.quotas.aliases).await?;
        page.items.iter().map(|(item, _)| decode(&item.body)).collect()
    }

    async fn machine_of_alias(&self, machine: &str) -> Result<(u64, StateMachine)> {
        match self.machine_to_change(machine).await {
            Err(Error::StateMachineDoesNotExist(machine)) => Err(Error::ResourceNotFound(machine)),
            found => found,
        }
    }

    async fn check_routes(&self, routes: &[Route]) -> Result<()> {
        for route in routes {
            match self.version(&route.version).await {
                Err(Error::StateMachineDoesNotExist(version)) => return Err(Error::ResourceNotFound(version)),
                found => found?,
            };
        }
        Ok(())
    }
}

impl Version {
    /// The next version of a machine, which counts it.
    pub(crate) fn next(
        machine: &mut StateMachine,
        publish: &Publish,
        now: machine::Timestamp,
        latest: Option<&Version>,
    ) -> Version {
        machine.versions += 1;
        Version {
            arn: format!("{}:{}", machine.arn, machine.versions).into(),
            number: machine.versions,
            description: publish.description.clone(),
            // They are listed by time, so a clock that was set back must not mix them up.
            created_at: latest.map_or(now, |latest| now.max(latest.created_at)),
            machine: Arc::new(machine.clone()),
        }
    }

    pub(crate) fn change(&self) -> Result<ItemChange> {
        Ok(ItemChange::Put { item: self.item()?, expect: Expect::Absent })
    }

    fn chosen(&self, alias: Option<Arc<str>>) -> Chosen {
        Chosen { machine: self.machine.clone(), version: Some(self.arn.clone()), alias }
    }
}

impl Alias {
    /// By the weights, which sum up to 100; chance is asked only where there is a choice.
    fn route(&self, chance: impl FnOnce() -> u32) -> &Route {
        let [first, second] = &self.routes[..] else { return &self.routes[0] };
        let percent = (u64::from(chance()) * 100) >> 32;
        if percent < u64::from(first.weight) { first } else { second }
    }

    fn names(&self, version: &str) -> bool {
        self.routes.iter().any(|route| &*route.version == version)
    }
}

pub(crate) fn changed_too_often(machine: &str) -> Error {
    Error::Internal(format!("{machine} is changed too often at once"))
}
