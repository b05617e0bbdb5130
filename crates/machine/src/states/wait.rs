//! Wait: until a number of seconds has gone, or until a time.

use asl::Wait;
use asl::eval::{EvalError, WaitFor};

use super::{Decision, Flow};
use crate::scene::{Given, Scene};

pub(super) fn begin(scene: &Scene, wait: &Wait) -> Decision {
    let time = if scene.is_jsonata() {
        scene.query(Given::default(), |env| wait.compute(env))?
    } else {
        let input = scene.input()?;
        let mut draw = scene.draw(8);
        wait.evaluate(&scene.env(&input, &mut draw)).map_err(|e| scene.failure(e))?
    };
    let now = scene.stamp.at;
    let until = match time {
        WaitFor::Seconds(seconds) => now.saturating_add_unsigned(seconds.saturating_mul(1000)),
        WaitFor::Until(at) => at.as_millisecond(),
    };
    let longest = scene.stamp.limits.wait_seconds.saturating_mul(1000);
    if until.saturating_sub(now) > longest as i64 {
        return Err(scene.failure(EvalError::wait_too_long()).into());
    }
    if until <= now {
        return Ok(Flow::WaitUntil(until));
    }
    Ok(Flow::WaitUntil(now + scene.stamp.limits.scaled(until - now)))
}
