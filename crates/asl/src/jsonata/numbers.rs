//! Numbers as AWS writes what JSONata made: a whole one without a point, whatever it was read as.
//!
//! Measured on AWS: `1.0` in the input comes out as `1`, `1e2` as `100`; a whole number stays exact while it fits in
//! 64 bits, and is a double beyond (`9.223372036854776E18`).

use serde_json::{Number, Value};

/// The first double that is too large for 64 bits.
const BEYOND_LONG: f64 = 9_223_372_036_854_775_808.0;

/// Puts every number of a value into AWS's form.
pub(super) fn settle(value: &mut Value) {
    match value {
        Value::Number(number) => *number = settled(number),
        Value::Array(items) => items.iter_mut().for_each(settle),
        Value::Object(fields) => fields.values_mut().for_each(settle),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn settled(number: &Number) -> Number {
    if number.is_i64() {
        return number.clone();
    }
    let Some(double) = number.as_f64() else { return number.clone() };
    if double.fract() == 0.0 && double.abs() < BEYOND_LONG {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within the bounds of 64 bits")]
        return Number::from(double as i64);
    }
    Number::from_f64(double).unwrap_or_else(|| number.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_no_point() {
        for (read, written) in [
            ("1.0", "1"),
            ("1e2", "100"),
            ("-0.0", "0"),
            ("1.5", "1.5"),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "9.223372036854776e+18"),
            ("[{\"a\":2.0}]", "[{\"a\":2}]"),
        ] {
            let mut value: Value = serde_json::from_str(read).expect(read);
            settle(&mut value);
            assert_eq!(value.to_string(), written, "{read}");
        }
    }
}
