//! The catalogue: state machines and activities, their tags, and the names they may have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::{Changed, Expect, Item, ItemChange, ItemKind, Put};

use crate::api::{
    Activity, ChangedMachine, CreateStateMachine, MachineStatus, MachineType, Page, Publish, StateMachine,
    UpdateStateMachine, Version,
};
use crate::arn::{Arn, arn, split_qualifier};
use crate::versions::{changed_too_often, unqualified};
use crate::{Engine, Error, Result, programs};

/// How often a change is tried again when another one came between.
pub(crate) const CHANGE_ATTEMPTS: usize = 8;

/// The scope of the markers of machines that are being deleted.
const DELETING: &str = "deleting";

/// Where an item's name is unique.
fn scope(account: &str, region: &str) -> String {
    format!("{account}/{region}")
}

/// What is known of a state machine: of two readers the one who saw the later revision is believed.
pub(crate) struct CachedMachine {
    revision: u64,
    /// Absent where it was deleted.
    machine: Option<Arc<StateMachine>>,
}

impl Engine {
    /// Idempotent: the same parameters again give the same machine.
    pub async fn create_state_machine(&self, request: CreateStateMachine) -> Result<ChangedMachine> {
        check_name(&request.name)?;
        let definition = self.learn(&request.definition, request.machine_type).await?;
        let now = self.clock.now();
        let mut machine = StateMachine {
            arn: arn(&self.settings.region, &request.account, "stateMachine", &request.name).into(),
            name: request.name,
            machine_type: request.machine_type,
            status: MachineStatus::Active,
            role: request.role.into(),
            definition,
            created_at: now,
            updated_at: now,
            revision_id: None,
            logging: request.logging,
            tracing: request.tracing,
            encryption: request.encryption,
            tags: request.tags,
            versions: 0,
            published: request.publish.clone(),
        };
        if let Some(most) = self.settings.quotas.state_machines
            && self.is_full(ItemKind::Machine, &request.account, &machine.name, most).await?
        {
            return Err(Error::StateMachineLimitExceeded(most));
        }
        let version = request.publish.map(|publish| Version::next(&mut machine, &publish, now, None));
        let mut changes = vec![ItemChange::Put { item: self.machine_item(&machine)?, expect: Expect::Absent }];
        changes.extend(version.as_ref().map(Version::change).transpose()?);
        match self.store.change_items(changes, vec![(definition, request.definition)]).await? {
            Changed::Done(revisions) => {
                self.named.forget();
                self.cache_machine(revisions.first().copied().unwrap_or_default(), &machine);
            }
            Changed::Conflict { existing: None, .. } => {
                return Err(Error::Internal("an item conflicts with nothing".into()));
            }
            Changed::Conflict { existing: Some((existing, _)), .. } => {
                let existing: StateMachine = decode(&existing.body)?;
                if existing.status == MachineStatus::Deleting {
                    return Err(Error::StateMachineDeleting(existing.arn.to_string()));
                }
                let same = existing.definition == machine.definition
                    && existing.machine_type == machine.machine_type
                    && existing.logging == machine.logging
                    && existing.tracing == machine.tracing
                    && existing.encryption == machine.encryption
                    && existing.published == machine.published;
                // AWS compares neither role nor tags: with other ones it is the same machine.
                if !same {
                    return Err(Error::StateMachineAlreadyExists(existing.arn.to_string()));
                }
                let version = existing.published.as_ref().map(|_| format!("{}:1", existing.arn).into());
                return Ok(ChangedMachine { machine: existing, version });
            }
        }
        Ok(ChangedMachine { machine, version: version.map(|version| version.arn) })
    }

    /// Whether an account has so many things of a kind already that one more may not be made.
    async fn is_full(&self, kind: ItemKind, account: &str, name: &str, most: usize) -> Result<bool> {
        let scope = scope(account, &self.settings.region);
        let known = self.store.items(kind, &scope, None, most).await?.items;
        Ok(known.len() >= most && self.store.item(kind, &scope, name).await?.is_none())
    }

    pub async fn update_state_machine(&self, request: UpdateStateMachine) -> Result<ChangedMachine> {
        unqualified(&request.arn)?;
        let mut definitions = Vec::new();
        let machine_type = self.state_machine(&request.arn).await?.machine_type;
        let definition = match &request.definition {
            Some(text) => {
                let hash = self.learn(text, machine_type).await?;
                definitions.push((hash, text.clone()));
                Some(hash)
            }
            None => None,
        };
        let change = |machine: &mut StateMachine| {
            let before = machine.clone();
            let set = |to: &mut Option<Value>, from: &Option<Value>| {
                if from.is_some() {
                    to.clone_from(from);
                }
            };
            machine.definition = definition.unwrap_or(machine.definition);
            if let Some(role) = &request.role {
                machine.role = role.as_str().into();
            }
            set(&mut machine.logging, &request.logging);
            set(&mut machine.tracing, &request.tracing);
            set(&mut machine.encryption, &request.encryption);
            // AWS keeps the revision where nothing has changed.
            if *machine != before {
                machine.revision_id = Some(self.uuid());
            }
            machine.updated_at = self.clock.now();
        };
        self.change_machine(&request.arn, definitions, request.publish.as_ref(), change).await
    }

    /// By its own ARN.
    pub async fn state_machine(&self, machine: &str) -> Result<StateMachine> {
        let machine = self.cached_machine(machine).await?;
        Ok(StateMachine::clone(&machine))
    }

    /// Of the machine that an ARN leads to, with or without a version or alias behind it.
    pub async fn type_of(&self, machine: &str) -> Result<MachineType> {
        match self.cached_machine(split_qualifier(machine).0).await {
            Err(Error::StateMachineDoesNotExist(_)) => Err(Error::StateMachineDoesNotExist(machine.to_owned())),
            found => Ok(found?.machine_type),
        }
    }

    pub(crate) async fn cached_machine(&self, machine: &str) -> Result<Arc<StateMachine>> {
        let cached = self.machines.lock().expect("no panic while held").get(machine).and_then(|c| c.machine.clone());
        if let Some(cached) = cached {
            return Ok(cached);
        }
        Arn::of_kind(machine, &["stateMachine"])?;
        let (revision, machine) = self.stored_machine(machine).await?;
        Ok(self.cache_machine(revision, &machine))
    }

    /// A slow reader does not bring back what was changed meanwhile.
    fn cache_machine(&self, revision: u64, machine: &StateMachine) -> Arc<StateMachine> {
        let machine = Arc::new(machine.clone());
        self.cache(&machine.arn, CachedMachine { revision, machine: Some(machine.clone()) });
        machine
    }

    fn cache(&self, machine: &str, new: CachedMachine) {
        // What was deleted had the revision that a slow reader saw last.
        let age = |cached: &CachedMachine| (cached.revision, cached.machine.is_none());
        let mut machines = self.machines.lock().expect("no panic while held");
        if machines.peek(machine).is_none_or(|cached| age(cached) <= age(&new)) {
            machines.put(machine.into(), new);
        }
    }

    /// Another node may have deleted it.
    fn forget_machine(&self, machine: &str) {
        self.machines.lock().expect("no panic while held").pop(machine);
        self.named.forget();
    }

    async fn stored_machine(&self, machine: &str) -> Result<(u64, StateMachine)> {
        let missing = || Error::StateMachineDoesNotExist(machine.to_owned());
        let parsed = Arn::parse(machine)?;
        if split_qualifier(machine).1.is_some() {
            return Err(missing());
        }
        let place = scope(parsed.account, parsed.region);
        let (item, revision) = self.store.item(ItemKind::Machine, &place, parsed.rest).await?.ok_or_else(missing)?;
        Ok((revision, decode(&item.body)?))
    }

    /// A machine as the store has it, and the revision under which a change of it is to be written.
    pub(crate) async fn machine_to_change(&self, machine: &str) -> Result<(u64, StateMachine)> {
        let (revision, current) = self.stored_machine(machine).await?;
        if current.status == MachineStatus::Deleting {
            return Err(Error::StateMachineDeleting(machine.to_owned()));
        }
        Ok((revision, current))
    }

    async fn change_machine(
        &self,
        machine: &str,
        definitions: Vec<([u8; 32], String)>,
        publish: Option<&Publish>,
        change: impl Fn(&mut StateMachine),
    ) -> Result<ChangedMachine> {
        for _ in 0..CHANGE_ATTEMPTS {
            let (revision, mut current) = self.machine_to_change(machine).await?;
            change(&mut current);
            let (mut version, mut more) = (None, Vec::new());
            if let Some(publish) = publish {
                let (published, new) = self.version_of(&mut current, publish).await?;
                version = Some(published.arn);
                more.extend(new);
            }
            if self.write_machine(revision, &current, more, definitions.clone()).await? {
                return Ok(ChangedMachine { machine: current, version });
            }
        }
        Err(changed_too_often(machine))
    }

    /// Writes a machine that was read under a revision, and what goes with it, all or nothing; false where another
    /// change came between. A caller who goes away does not keep it from being known what was written.
    pub(crate) async fn write_machine(
        &self,
        revision: u64,
        machine: &StateMachine,
        more: Vec<ItemChange>,
        definitions: Vec<([u8; 32], String)>,
    ) -> Result<bool> {
        let mut changes =
            vec![ItemChange::Put { item: self.machine_item(machine)?, expect: Expect::Revision(revision) }];
        changes.extend(more);
        let (engine, machine) = (self.clone(), machine.clone());
        let write = async move {
            let changed = engine.store.change_items(changes, definitions).await;
            engine.named.forget();
            match changed {
                Ok(Changed::Done(revisions)) => {
                    engine.cache_machine(revisions.first().copied().unwrap_or(revision), &machine);
                    Ok(true)
                }
                Ok(Changed::Conflict { .. }) => Ok(false),
                Err(error) => {
                    // It may have landed: the next one who asks reads it anew.
                    engine.machines.lock().expect("no panic while held").pop(&machine.arn);
                    Err(error.into())
                }
            }
        };
        tokio::spawn(write).await.unwrap_or_else(|error| Err(Error::Internal(error.to_string())))
    }

    fn machine_item(&self, machine: &StateMachine) -> Result<Item> {
        let parsed = Arn::parse(&machine.arn)?;
        Ok(Item {
            kind: ItemKind::Machine,
            scope: scope(parsed.account, parsed.region),
            name: machine.name.clone(),
            created_at: machine.created_at,
            body: encode(machine)?,
            definition: Some(machine.definition),
        })
    }

    pub async fn list_state_machines(
        &self,
        account: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<StateMachine>> {
        self.list_items(ItemKind::Machine, account, after, limit).await
    }

    async fn list_items<T: DeserializeOwned>(
        &self,
        kind: ItemKind,
        account: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<T>> {
        let page = self.store.items(kind, &scope(account, &self.settings.region), after, limit).await?;
        let next = page.items.last().filter(|_| page.more).map(|(item, _)| item.name.clone());
        let items = page.items.iter().map(|(item, _)| decode(&item.body)).collect::<Result<Vec<T>>>()?;
        Ok(Page { items, next })
    }

    /// Gone at once where nothing runs; otherwise it is `DELETING` until its last execution ends. Deleting what is not
    /// there is no mistake.
    pub async fn delete_state_machine(&self, machine: &str) -> Result<()> {
        unqualified(machine)?;
        for _ in 0..CHANGE_ATTEMPTS {
            let (revision, mut current) = match self.stored_machine(machine).await {
                Err(Error::StateMachineDoesNotExist(_)) => {
                    self.forget_machine(machine);
                    return Ok(());
                }
                found => found?,
            };
            current.status = MachineStatus::Deleting;
            let marker = ItemChange::Put { item: deleting_marker(&current), expect: Expect::Any };
            if self.write_machine(revision, &current, vec![marker], Vec::new()).await? {
                self.deleting.add(current.arn.clone());
                self.delete_when_idle(machine).await;
                return Ok(());
            }
        }
        Err(changed_too_often(machine))
    }

    /// Takes a machine that is `DELETING` away when nothing runs any more; later, where the store is unwell.
    pub(crate) async fn delete_when_idle(&self, machine: &str) {
        const PAUSE: Duration = Duration::from_secs(5);
        let Err(error) = self.delete_if_idle(machine).await else { return };
        tracing::warn!(machine, %error, "a state machine cannot be deleted yet");
        let (engine, machine) = (self.clone(), machine.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(PAUSE).await;
            while !engine.is_stopping() && engine.delete_if_idle(&machine).await.is_err() {
                tokio::time::sleep(PAUSE).await;
            }
        });
    }

    async fn delete_if_idle(&self, machine: &str) -> Result<()> {
        let number = self.deleting.number(machine);
        let found = match self.stored_machine(machine).await {
            Err(Error::StateMachineDoesNotExist(_)) => {
                self.forget_machine(machine);
                None
            }
            found => Some(found?),
        };
        // It may have gone unheard, and another one may have been created in its place.
        if let Some((revision, found)) = found.filter(|(_, found)| found.status == MachineStatus::Deleting) {
            if self.store.has_running(machine).await? {
                return Ok(());
            }
            let parsed = Arn::parse(machine)?;
            let gone = |kind, scope: String, name: &str, expect| {
                let name = name.to_owned();
                ItemChange::Delete { kind, scope, name, expect }
            };
            let place = scope(parsed.account, parsed.region);
            let mut changes = vec![
                gone(ItemKind::Machine, place, &found.name, Expect::Revision(revision)),
                gone(ItemKind::Setting, DELETING.into(), machine, Expect::Any),
            ];
            changes.extend(self.qualifiers_of(machine).await?);
            let changed = self.store.change_items(changes, Vec::new()).await;
            self.named.forget();
            if let Changed::Done(_) = changed? {
                self.cache(machine, CachedMachine { revision, machine: None });
            }
        }
        self.deleting.remove(machine, number);
        Ok(())
    }

    /// The text of a definition.
    pub async fn definition(&self, hash: [u8; 32]) -> Result<Arc<str>> {
        let text = self.store.definition(hash).await?;
        text.map(Into::into).ok_or_else(|| Error::Internal("a definition is missing from the store".into()))
    }

    /// The workflow variables that each state of a definition reads; states that read none are left out.
    pub async fn variable_references(&self, hash: [u8; 32]) -> Result<BTreeMap<Arc<str>, Vec<Arc<str>>>> {
        Ok(self.programs.get(self, hash).await?.variable_references())
    }

    /// Checks a definition and keeps its program; its hash.
    async fn learn(&self, text: &str, machine_type: MachineType) -> Result<[u8; 32]> {
        let program = self.compile(text, machine_type).await?;
        let hash = programs::hash(text);
        self.programs.put(hash, Arc::new(program));
        Ok(hash)
    }

    /// Idempotent: the same name again gives the same activity.
    pub async fn create_activity(
        &self,
        account: &str,
        name: &str,
        tags: Vec<(String, String)>,
        encryption: Option<Value>,
    ) -> Result<Activity> {
        check_name(name)?;
        let region = &self.settings.region;
        let arn = arn(region, account, "activity", name).into();
        if let Some(most) = self.settings.quotas.activities
            && self.is_full(ItemKind::Activity, account, name, most).await?
        {
            return Err(Error::ActivityLimitExceeded(most));
        }
        let activity = Activity { arn, name: name.to_owned(), created_at: self.clock.now(), encryption, tags };
        let item = Item {
            kind: ItemKind::Activity,
            scope: scope(account, region),
            name: name.to_owned(),
            created_at: activity.created_at,
            body: encode(&activity)?,
            definition: None,
        };
        match self.store.put_item(item, Expect::Absent, Vec::new()).await? {
            Put::Conflict(Some((existing, _))) => decode(&existing.body),
            _ => Ok(activity),
        }
    }

    pub async fn activity(&self, activity: &str) -> Result<Activity> {
        decode(&self.activity_item(activity).await?.0.body)
    }

    async fn activity_item(&self, activity: &str) -> Result<(Item, u64)> {
        let parsed = Arn::of_kind(activity, &["activity"])?;
        let item = self.store.item(ItemKind::Activity, &scope(parsed.account, parsed.region), parsed.rest).await?;
        item.ok_or_else(|| Error::ActivityDoesNotExist(activity.to_owned()))
    }

    pub async fn list_activities(&self, account: &str, after: Option<String>, limit: usize) -> Result<Page<Activity>> {
        self.list_items(ItemKind::Activity, account, after, limit).await
    }

    /// Deleting what is not there is no mistake.
    pub async fn delete_activity(&self, activity: &str) -> Result<()> {
        let parsed = Arn::of_kind(activity, &["activity"])?;
        let place = scope(parsed.account, parsed.region);
        self.store.delete_item(ItemKind::Activity, &place, parsed.rest, Expect::Any).await?;
        Ok(())
    }

    /// The tags of a state machine or activity.
    pub async fn tags(&self, resource: &str) -> Result<Vec<(String, String)>> {
        match Arn::of_kind(resource, &["stateMachine", "activity"])?.kind {
            "activity" => Ok(self.activity(resource).await?.tags),
            _ => Ok(self.state_machine(resource).await?.tags),
        }
    }

    /// Sets and removes tags.
    pub async fn change_tags(&self, resource: &str, add: Vec<(String, String)>, remove: Vec<String>) -> Result<()> {
        let change = |tags: &mut Vec<(String, String)>| {
            tags.retain(|(key, _)| !remove.contains(key) && !add.iter().any(|(new, _)| new == key));
            tags.extend(add.iter().cloned());
        };
        if Arn::of_kind(resource, &["stateMachine", "activity"])?.kind == "stateMachine" {
            self.change_machine(resource, Vec::new(), None, |machine| change(&mut machine.tags)).await?;
            return Ok(());
        }
        for _ in 0..CHANGE_ATTEMPTS {
            let (mut item, revision) = self.activity_item(resource).await?;
            let mut activity: Activity = decode(&item.body)?;
            change(&mut activity.tags);
            item.body = encode(&activity)?;
            if let Put::Done { .. } = self.store.put_item(item, Expect::Revision(revision), Vec::new()).await? {
                return Ok(());
            }
        }
        Err(changed_too_often(resource))
    }

    /// Machines that were being deleted when the process ended.
    pub(crate) async fn resume_deletions(&self) -> Result<()> {
        loop {
            let page = self.store.items(ItemKind::Setting, DELETING, None, 1000).await?;
            for (item, _) in page.items {
                self.deleting.add(item.name.as_str().into());
                self.delete_when_idle(&item.name).await;
            }
            if !page.more {
                return Ok(());
            }
        }
    }
}

/// The marker of a machine that is to go when nothing runs any more.
fn deleting_marker(machine: &StateMachine) -> Item {
    Item {
        kind: ItemKind::Setting,
        scope: DELETING.into(),
        name: machine.arn.to_string(),
        created_at: machine.created_at,
        body: Vec::new(),
        definition: None,
    }
}

/// What AWS forbids in names, and their length.
pub fn check_name(name: &str) -> Result<()> {
    const FORBIDDEN: &str = " ?*<>{}[]\"#%\\^|~`$&,;:/";
    let bad = |c: char| FORBIDDEN.contains(c) || c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c);
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(bad) {
        return Err(Error::InvalidName(name.to_owned()));
    }
    Ok(())
}

pub(crate) fn encode(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::Internal(e.to_string()))
}

pub(crate) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|e| Error::Internal(format!("an item of the catalogue: {e}")))
}
