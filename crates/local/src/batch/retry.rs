//! Whether a failed attempt is followed by another: the retry strategy's attempts, and what `evaluateOnExit` says of the
//! way it ended.

use serde_json::Value;

use crate::params::{list, number, text};

/// AWS allows at most ten attempts.
pub const MOST_ATTEMPTS: i64 = 10;

/// How an attempt ended, as `evaluateOnExit` sees it.
pub struct Ending<'a> {
    pub exit_code: Option<i64>,
    /// What happened to the container.
    pub reason: &'a str,
    /// What happened to the job.
    pub status_reason: &'a str,
}

/// Is there another attempt after `made` attempts, the last of which ended so?
pub fn again(strategy: &Value, made: i64, ending: &Ending<'_>) -> bool {
    let attempts = number(strategy, "attempts").unwrap_or(1).clamp(1, MOST_ATTEMPTS);
    if made >= attempts {
        return false;
    }
    let exit_code = ending.exit_code.map(|code| code.to_string()).unwrap_or_default();
    for rule in list(strategy, "evaluateOnExit") {
        let fits = |name: &str, value: &str| text(rule, name).is_none_or(|pattern| matches(pattern, value));
        if fits("onExitCode", &exit_code)
            && fits("onReason", ending.reason)
            && fits("onStatusReason", ending.status_reason)
        {
            return text(rule, "action").is_some_and(|action| action.eq_ignore_ascii_case("retry"));
        }
    }
    // No rule, or none that fits: AWS tries again.
    true
}

/// A pattern may end with a star; case does not count.
fn matches(pattern: &str, value: &str) -> bool {
    let (pattern, value) = (pattern.to_lowercase(), value.to_lowercase());
    match pattern.strip_suffix('*') {
        Some(prefix) => value.starts_with(prefix),
        None => value == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_are_tried_in_order() {
        let strategy = json!({ "attempts": 3, "evaluateOnExit": [
            { "onStatusReason": "Host EC2*", "action": "RETRY" },
            { "onExitCode": "4*", "action": "retry" },
            { "onReason": "*", "action": "EXIT" },
        ] });
        let ending = |exit_code, status_reason| Ending { exit_code, reason: "", status_reason };
        assert!(again(&strategy, 1, &ending(None, "Host EC2 (laptop) terminated.")));
        assert!(again(&strategy, 2, &ending(Some(42), "Essential container in task exited")));
        assert!(!again(&strategy, 1, &ending(Some(1), "Essential container in task exited")));
        assert!(!again(&strategy, 3, &ending(Some(42), "Essential container in task exited")));
        assert!(!again(&json!({}), 1, &ending(Some(1), "")), "one attempt if nothing is said");
        assert!(again(&json!({ "attempts": 2 }), 1, &ending(Some(1), "")));
    }
}
