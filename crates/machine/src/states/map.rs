//! Map: one iteration of its processor for each item, some at a time.

use asl::{Amount, Map, MapMode, Payload};
use serde::{Deserialize, Serialize};

use super::{Decision, Fault, Flow};
use crate::failure::{self, Failure};
use crate::probe::Shown;
use crate::scene::{Given, Scene};

/// What a Map computed when it began: an expression may draw or read the clock, so it is evaluated once. Paths are
/// evaluated again wherever they are asked for.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub struct Settled {
    pub max_concurrency: u32,
    /// How many iterations may fail; `None` where nothing is said, and then the first failure is the Map's own.
    pub tolerated_failures: Option<f64>,
}

pub(super) fn begin(scene: &Scene, map: &Map) -> Decision {
    if map.mode != MapMode::Inline {
        let cause = format!("The Map state '{}' is DISTRIBUTED, which this version cannot run yet", scene.state.name);
        return Err(Failure::new(failure::RUNTIME, cause).terminal().into());
    }
    select(scene, map)
}

/// Selects the items, and opens the iterations over them.
pub(crate) fn select(scene: &Scene, map: &Map) -> Decision {
    let (input, items) = if scene.is_jsonata() {
        let input = scene.frame.data.clone();
        let items = scene.query(Given::default(), |env| map.compute_items(&input, env))?;
        (input, items)
    } else {
        let input = scene.input()?;
        let mut draw = scene.draw(9);
        let items = map.items_path.select_items(&input, &scene.env(&input, &mut draw)).map_err(|e| scene.failure(e))?;
        scene.show(Shown::AfterItemsPath, &items);
        (input, items)
    };
    open(scene, map, &input, items)
}

/// Opens the iterations over these items.
pub(crate) fn open(scene: &Scene, map: &Map, input: &Payload, items: Payload) -> Decision {
    let length = items.value().as_array().map_or(0, Vec::len) as u32;
    // Found out now rather than after the first iterations have run.
    let settled = Settled {
        max_concurrency: concurrency(scene, map, input)?,
        tolerated_failures: tolerance(scene, map, input, length)?,
    };
    let settled = is_computed(map).then_some(settled);
    Ok(Flow::Open { length, items, branches: Vec::new(), settled })
}

fn is_computed(map: &Map) -> bool {
    let amounts = [&map.max_concurrency, &map.tolerated_failure_count, &map.tolerated_failure_percentage];
    amounts.into_iter().any(|amount| matches!(amount, Some(Amount::Expression(_))))
}

fn settled(scene: &Scene) -> Option<Settled> {
    scene.frame.region.as_ref().and_then(|region| region.settled)
}

/// How many iterations may run at once.
pub(crate) fn concurrency(scene: &Scene, map: &Map, input: &Payload) -> Result<u32, Fault> {
    if let Some(settled) = settled(scene) {
        return Ok(settled.max_concurrency);
    }
    let most = scene.stamp.limits.inline_concurrency;
    match scene.amount(&map.max_concurrency, "MaxConcurrency", input)? {
        Some(n) if n >= 1.0 => Ok((n as u32).min(most)),
        _ => Ok(most),
    }
}

/// How many iterations may fail.
pub(crate) fn tolerance(scene: &Scene, map: &Map, input: &Payload, length: u32) -> Result<Option<f64>, Fault> {
    if let Some(settled) = settled(scene) {
        return Ok(settled.tolerated_failures);
    }
    let count = scene.amount(&map.tolerated_failure_count, "ToleratedFailureCount", input)?;
    let percentage = scene.amount(&map.tolerated_failure_percentage, "ToleratedFailurePercentage", input)?;
    let by_percentage = percentage.map(|p| f64::from(length) * p / 100.0);
    Ok(match (count, by_percentage) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    })
}

/// What the iteration begins with: the item, or what ItemSelector makes of it.
pub(crate) fn iteration_input(
    scene: Scene,
    map: &Map,
    input: &Payload,
    items: &Payload,
    index: u32,
) -> Result<Payload, Fault> {
    let item = &items.value()[index as usize];
    if map.computed_item_selector.is_some() {
        let scene = scene.with_item(index, item);
        return scene.computed(&map.computed_item_selector, "ItemSelector");
    }
    match &map.item_selector {
        None => Ok(Payload::from(item.clone())),
        Some(selector) => Ok(scene.with_item(index, item).template(selector, input)?),
    }
}
