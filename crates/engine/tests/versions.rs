//! Versions and aliases: what is published stays, and starts are split as the weights say.

mod common;

use std::sync::Arc;

use common::{House, pass};
use engine::Error;
use engine::api::{Alias, CreateAlias, Publish, Route, UpdateAlias};
use serde_json::json;
use store::MemoryStore;

impl House {
    async fn alias(&self, name: &str, routes: &[(&Arc<str>, u8)]) -> Result<Alias, Error> {
        let routes = routes.iter().map(|(version, weight)| Route { version: (*version).clone(), weight: *weight });
        let request = CreateAlias { name: name.into(), description: None, routes: routes.collect() };
        self.engine.create_alias(request).await
    }

    async fn output(&self, machine: &str) -> String {
        let execution = self.start(machine, "{}").await.unwrap();
        self.engine.finished(&execution).await.unwrap().output.unwrap().text().to_string()
    }

    /// Which version each of so many starts of an alias went to.
    async fn split(seed: u64, starts: usize, weights: [u8; 2]) -> Vec<bool> {
        let house = House::over(Arc::new(MemoryStore::new()), seed).await;
        let machine = house.machine(&pass(json!(1))).await;
        let first = house.publish(&machine).await;
        house.update(&machine, &pass(json!(2))).await;
        let second = house.publish(&machine).await;
        let alias = house.alias("live", &[(&first, weights[0]), (&second, weights[1])]).await.unwrap();
        let mut split = Vec::new();
        for _ in 0..starts {
            let execution = house.start(&alias.arn, "{}").await.unwrap();
            let description = house.engine.describe_execution(&execution).await.unwrap();
            assert_eq!(description.alias.as_deref(), Some(&*alias.arn));
            split.push(description.version.unwrap() == first);
        }
        split
    }
}

#[tokio::test]
async fn a_version_runs_what_was_published() {
    let house = House::new().await;
    let machine = house.machine(&pass(json!("one"))).await;
    let first = house.publish(&machine).await;
    assert_eq!(&*first, &format!("{machine}:1"));
    assert_eq!(house.publish(&machine).await, first, "a revision is published once");
    house.update(&machine, &pass(json!("two"))).await;
    assert_eq!(house.output(&first).await, "\"one\"");
    assert_eq!(house.output(&machine).await, "\"two\"");
    assert_eq!(&*house.publish(&machine).await, &format!("{machine}:2"));
    let execution = house.start(&first, "{}").await.unwrap();
    let description = house.engine.describe_execution(&execution).await.unwrap();
    assert_eq!((description.version, description.alias), (Some(first.clone()), None));
    // After a restart too.
    let house = house.again().await;
    assert_eq!(house.output(&first).await, "\"one\"");
    house.engine.delete_version(&first).await.unwrap();
    let gone = house.start(&first, "{}").await;
    assert!(matches!(gone, Err(Error::StateMachineDoesNotExist(_))), "{gone:?}");
}

#[tokio::test]
async fn a_revision_that_has_changed_is_not_published() {
    let house = House::new().await;
    let machine = house.machine(&pass(json!(1))).await;
    house.engine.publish_version(&machine, Some(engine::INITIAL_REVISION), Publish::default()).await.unwrap();
    house.update(&machine, &pass(json!(2))).await;
    let late = house.engine.publish_version(&machine, Some(engine::INITIAL_REVISION), Publish::default()).await;
    assert!(matches!(late, Err(Error::Conflict(_))), "{late:?}");
}

#[tokio::test]
async fn an_alias_goes_where_it_was_sent_last() {
    let house = House::new().await;
    let machine = house.machine(&pass(json!("one"))).await;
    let first = house.publish(&machine).await;
    house.update(&machine, &pass(json!("two"))).await;
    let second = house.publish(&machine).await;
    let alias = house.alias("live", &[(&first, 100)]).await.unwrap();
    assert_eq!(house.output(&alias.arn).await, "\"one\"");
    let routes = Some(vec![Route { version: second.clone(), weight: 100 }]);
    let update = UpdateAlias { arn: alias.arn.to_string(), description: Some("d".into()), routes };
    house.engine.update_alias(update).await.unwrap();
    assert_eq!(house.output(&alias.arn).await, "\"two\"");
    let refused = house.engine.delete_version(&second).await;
    assert!(matches!(&refused, Err(Error::Conflict(text)) if text.ends_with("[live]")), "{refused:?}");
    house.engine.delete_alias(&alias.arn).await.unwrap();
    house.engine.delete_version(&second).await.unwrap();
    // What is gone leaves no trace for a machine of the same name.
    house.engine.delete_state_machine(&machine).await.unwrap();
    house.machine(&pass(json!("three"))).await;
    assert!(house.engine.list_versions(&machine, None, 10).await.unwrap().items.is_empty());
    let gone = house.start(&first, "{}").await;
    assert!(matches!(gone, Err(Error::StateMachineDoesNotExist(_))), "{gone:?}");
}

#[tokio::test]
async fn changes_side_by_side_give_each_number_once() {
    let house = House::new().await;
    let machine = house.machine(&pass(json!(0))).await;
    for round in 1..=5 {
        house.update(&machine, &pass(json!(round))).await;
        let publish = || house.engine.publish_version(&machine, None, Publish::default());
        let (a, b, c) = tokio::join!(publish(), publish(), publish());
        let numbers = [a.unwrap().number, b.unwrap().number, c.unwrap().number];
        assert_eq!(numbers, [round; 3]);
    }
}

/// 10,000 starts at 90 to 10: the split passes a χ² test at 0.1 % (10.83 at one degree of freedom).
#[tokio::test]
async fn starts_are_split_by_weight() {
    let starts = 10_000;
    let split = House::split(7, starts, [90, 10]).await;
    let first = split.iter().filter(|first| **first).count() as f64;
    let expected = [0.9 * starts as f64, 0.1 * starts as f64];
    let observed = [first, starts as f64 - first];
    let chi: f64 = observed.iter().zip(expected).map(|(o, e)| (o - e).powi(2) / e).sum();
    assert!(chi < 10.83, "χ² = {chi} for {observed:?}");
}

#[tokio::test]
async fn the_same_seed_gives_the_same_split() {
    let first = House::split(3, 200, [50, 50]).await;
    assert_eq!(first, House::split(3, 200, [50, 50]).await);
    assert_ne!(first, House::split(4, 200, [50, 50]).await);
    assert!(House::split(5, 50, [0, 100]).await.iter().all(|first| !first), "a weight of 0 gets nothing");
}

#[tokio::test]
async fn quotas_are_settings() {
    let quotas = engine::Quotas { state_machines: Some(1), versions: 1, aliases: 1, ..engine::Quotas::default() };
    let settings = engine::Settings { quotas, ..engine::Settings::default() };
    let store = Arc::new(MemoryStore::new());
    let world = Arc::new(common::World::default());
    let engine = engine::Engine::open(settings, store.clone(), world.clone()).await.unwrap();
    let house = House { engine, store, world };
    let machine = house.machine(&pass(json!(1))).await;
    house.machine(&pass(json!(1))).await;
    let other = house.engine.create_state_machine(House::new_machine("n", &pass(json!(1)))).await;
    assert!(matches!(other, Err(Error::StateMachineLimitExceeded(1))), "{other:?}");
    let first = house.publish(&machine).await;
    house.update(&machine, &pass(json!(2))).await;
    let second = house.engine.publish_version(&machine, None, Publish::default()).await;
    assert!(matches!(second, Err(Error::ServiceQuotaExceeded(_))), "{second:?}");
    house.alias("a", &[(&first, 100)]).await.unwrap();
    let second = house.alias("b", &[(&first, 100)]).await;
    assert!(matches!(second, Err(Error::ServiceQuotaExceeded(_))), "{second:?}");
}
