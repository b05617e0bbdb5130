//! Map: one iteration of its processor for each item, some at a time.

use asl::{Map, Payload};

use super::{Decision, Flow};
use crate::Failure;
use crate::scene::Scene;

pub(super) fn begin(scene: &Scene, map: &Map) -> Decision {
    let input = scene.input()?;
    let mut draw = scene.draw(9);
    let items = map.items_path.select_items(&input, &scene.env(&input, &mut draw)).map_err(|e| scene.failure(e))?;
    let length = items.value().as_array().map_or(0, Vec::len) as u32;
    // Found out now rather than after the first iterations have run.
    concurrency(scene, map, &input)?;
    tolerance(scene, map, &input, length)?;
    Ok(Flow::Open { length, items, branches: Vec::new() })
}

/// How many iterations may run at once.
pub(crate) fn concurrency(scene: &Scene, map: &Map, input: &Payload) -> Result<u32, Failure> {
    let most = scene.stamp.limits.inline_concurrency;
    match scene.amount(&map.max_concurrency, "MaxConcurrencyPath", input)? {
        Some(n) if n >= 1.0 => Ok((n as u32).min(most)),
        _ => Ok(most),
    }
}

/// How many iterations may fail; `None` where nothing is said, and then the first failure is the Map's own.
pub(crate) fn tolerance(scene: &Scene, map: &Map, input: &Payload, length: u32) -> Result<Option<f64>, Failure> {
    let count = scene.amount(&map.tolerated_failure_count, "ToleratedFailureCountPath", input)?;
    let percentage = scene.amount(&map.tolerated_failure_percentage, "ToleratedFailurePercentagePath", input)?;
    let by_percentage = percentage.map(|p| f64::from(length) * p / 100.0);
    Ok(match (count, by_percentage) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    })
}

/// What the iteration begins with: the item, or what ItemSelector makes of it.
pub(crate) fn iteration_input(scene: Scene, map: &Map, input: &Payload, index: u32) -> Result<Payload, Failure> {
    let region = scene.frame.region.as_ref().expect("iterations start after their region");
    let items = region.items.clone();
    let item = &items.value()[index as usize];
    match &map.item_selector {
        None => Ok(Payload::from(item.clone())),
        Some(selector) => {
            let scene = scene.with_item(index, item);
            scene.template(selector, input)
        }
    }
}
