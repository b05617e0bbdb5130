//! Structured logs on standard error: for people on a terminal, as JSON for programs.

use tracing_subscriber::EnvFilter;

/// How much is logged where `--log` and `STEPWELL_LOG` say nothing.
const DEFAULT: &str = "info";

pub fn start(filter: Option<&str>, json: bool) {
    let filter = EnvFilter::try_new(filter.unwrap_or(DEFAULT)).unwrap_or_else(|error| {
        eprintln!("stepwell: the log filter is wrong ({error}); logging at {DEFAULT}");
        EnvFilter::new(DEFAULT)
    });
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call, as tests make it, changes nothing.
    let _ = if json { logs.json().try_init() } else { logs.with_target(false).try_init() };
}
