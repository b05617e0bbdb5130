//! Many worlds, one after the other. `SEEDS=17..18` names them, `SIM_SECONDS=600` runs on from the first for that long,
//! `SIM_TRANSCRIPT=1` prints all that happens.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sim::{Plan, Report};

/// Enough that everything has happened, in about a minute.
const SEEDS: std::ops::Range<u64> = 0..800;

fn seeds() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("SEEDS") else { return SEEDS };
    let parse = |text: &str| text.trim().parse().ok();
    let range = match text.split_once("..") {
        Some((from, to)) => parse(from).zip(parse(to)).map(|(from, to)| from..to),
        None => parse(&text).map(|seed| seed..seed + 1),
    };
    range.unwrap_or_else(|| panic!("SEEDS={text} is neither a seed nor from..to"))
}

#[test]
fn every_seed_keeps_its_promises() {
    let (seeds, whole) = (seeds(), std::env::var_os("SIM_TRANSCRIPT").is_some());
    let seconds = std::env::var("SIM_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let until = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let (mut runs, mut lines) = (0, 0);
    let mut first: Option<Report> = None;
    for seed in seeds.start.. {
        if until.map_or(seed >= seeds.end, |until| Instant::now() >= until) {
            break;
        }
        let report: Report = sim::run(Plan::of(seed), whole);
        if let Some(violation) = &report.violation {
            println!("seed {seed}: {violation}");
            first.get_or_insert(report.clone());
        }
        runs += 1;
        lines += report.lines;
        for (what, times) in report.seen {
            *seen.entry(what).or_default() += times;
        }
    }
    if let Some(Report { seed, transcript, violation, .. }) = first {
        println!("{transcript}\n{:#?}", Plan::of(seed));
        panic!("seed {seed}: {violation:?}\nagain with: SEEDS={seed} SIM_TRANSCRIPT=1 cargo test -p sim");
    }
    println!("{runs} worlds, {lines} lines of transcript: {seen:#?}");
    let all = until.is_some() || seeds.end - seeds.start >= SEEDS.end - SEEDS.start;
    let missing = sim::missing(&seen);
    assert!(!all || missing.is_empty(), "{missing:#?}");
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let from = seeds().start;
    for seed in from..from + 12 {
        let (first, second) = (sim::run(Plan::of(seed), true), sim::run(Plan::of(seed), true));
        if first.hash != second.hash {
            let differs = first.transcript.lines().zip(second.transcript.lines()).find(|(a, b)| a != b);
            panic!("seed {seed} differs: {differs:#?}");
        }
        assert!(first.lines > 100, "seed {seed} has a transcript");
    }
}
