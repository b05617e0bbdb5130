//! Expressions that are out for harm: each ends in little memory, with the failure that it deserves. How soon, a bench
//! tells (`benches/jsonata.rs`): what an evaluation may do is counted, so a test of the clock would add nothing but noise.

mod hostile_expressions;

use std::fmt::Write as _;

use asl::Payload;
use asl::eval::NoVariables;
use asl::jsonata::{Expression, Gate, Limits, Scope, States};
use hostile_expressions::hostile;
use peak_alloc::PeakAlloc;
use serde_json::Value;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Memory that an evaluation may take beside its input.
const MEMORY_BYTES: usize = 64 << 20;

/// What it came to, and what it took in steps.
fn evaluate(text: &str) -> (String, u64) {
    let input = Payload::empty_object();
    let states = States { input: &input, result: None, error_output: None, context: &Value::Null };
    let scope = Scope { states: Some(states), variables: &NoVariables, focus: None, now_ms: 0 };
    let mut draws = || 4_u128;
    match Expression::compile(text, Gate::Aws) {
        Err(refusals) => (refusals[0].message.clone(), 0),
        Ok(expression) => match expression.evaluate_counted(&scope, &mut draws, &Limits::default()) {
            (Ok(found), work) => (found.map_or(String::new(), |found| found.text().chars().take(80).collect()), work),
            (Err(failure), work) => (failure.to_string(), work),
        },
    }
}

/// What this thread has worked, in microseconds; nothing where the system does not tell.
fn worked_us() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(told.split_whitespace().next()?.parse::<u64>().ok()? / 1000)
}

#[test]
fn each_ends_in_little_memory_with_the_right_failure() {
    let mut wrong = String::new();
    for (name, text, wanted) in hostile() {
        let (before, worked) = (ALLOCATED.current_usage(), worked_us());
        ALLOCATED.reset_peak_usage();
        let (found, steps) = evaluate(&text);
        let held = ALLOCATED.peak_usage().saturating_sub(before);
        let worked = worked_us().zip(worked).map_or(0, |(after, before)| after - before);
        println!("{worked:>9} us {steps:>8} steps {:>6} KiB  {name}: {found}", held >> 10);
        if !found.starts_with(wanted) || held > MEMORY_BYTES || steps > 3 * Limits::MAX_STEPS {
            let _ = writeln!(wrong, "{name}: {} KiB\n  wanted {wanted}\n  found  {found}", held >> 10);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
