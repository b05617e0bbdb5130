//! Who watches the watchman: a store that lies must be found out, by some world and soon.

use sim::{Plan, Plant};

/// Worlds in which a lie may hide at most.
const SEEDS: u64 = 200;

fn find(plant: Plant) -> String {
    for seed in 0..SEEDS {
        let mut plan = Plan { plant: Some(plant), ..Plan::of(seed) };
        if plant == Plant::NeverSyncs {
            (plan.calm, plan.power_goes) = (false, Some(30));
        }
        if let Some(violation) = sim::run(plan, false).violation {
            return violation;
        }
    }
    panic!("{plant:?} was seen by none of {SEEDS} worlds");
}

#[test]
fn a_store_that_forgets_commits_is_found_out() {
    find(Plant::ForgetsCommits);
}

#[test]
fn a_store_that_ignores_fences_is_found_out() {
    find(Plant::IgnoresFences);
}

#[test]
fn a_store_that_forgets_work_is_found_out() {
    find(Plant::ForgetsWork);
}

#[test]
fn a_store_that_reads_old_logs_is_found_out() {
    find(Plant::ReadsOldLogs);
}

#[test]
fn a_store_that_never_syncs_is_found_out_when_the_power_goes() {
    let violation = find(Plant::NeverSyncs);
    println!("{violation}");
}
