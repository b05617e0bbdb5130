//! DynamoDB's numbers: decimals of 38 digits, kept exactly, shown without an exponent, and ordered as keys.

use std::str::FromStr;

use bigdecimal::num_bigint::Sign;
use bigdecimal::{BigDecimal, Zero};

use super::error::invalid;
use crate::error::Answer;

const DIGITS: u64 = 38;
/// The largest and the smallest magnitude: 9.99e125 and 1e-130.
const LARGEST: i64 = 126;
const SMALLEST: i64 = -129;

pub fn parse(text: &str) -> Answer<BigDecimal> {
    let wrong = || invalid(format!("The parameter cannot be converted to a numeric value: {text}"));
    // Longer texts have too many digits, or zeros that nobody needs.
    if text.len() > 400 || text.contains('_') {
        return Err(wrong());
    }
    let number = BigDecimal::from_str(text.trim()).map_err(|_| wrong())?;
    check(number.normalized())
}

/// Refuse what DynamoDB cannot keep.
pub fn check(number: BigDecimal) -> Answer<BigDecimal> {
    if number.is_zero() {
        return Ok(BigDecimal::zero());
    }
    let number = number.normalized();
    let magnitude = magnitude(&number);
    if magnitude > LARGEST {
        return Err(invalid(
            "Number overflow. Attempting to store a number with magnitude larger than supported range",
        ));
    }
    if magnitude < SMALLEST {
        return Err(invalid(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ));
    }
    if number.digits() > DIGITS {
        return Err(invalid("Attempting to store more than 38 significant digits in a Number"));
    }
    Ok(number)
}

/// The number's one text: no exponent, no zeros that say nothing.
pub fn shown(number: &BigDecimal) -> String {
    number.normalized().to_plain_string()
}

/// The exponent of a number written as 0.d₁d₂… × 10ⁿ.
fn magnitude(number: &BigDecimal) -> i64 {
    let (_, scale) = number.as_bigint_and_exponent();
    i64::try_from(number.digits()).unwrap_or(i64::MAX) - scale
}

/// Bytes that are ordered as the numbers are.
pub fn key(number: &BigDecimal) -> Vec<u8> {
    let number = number.normalized();
    let (digits, _) = number.as_bigint_and_exponent();
    let mut key = match digits.sign() {
        Sign::NoSign => return vec![1],
        Sign::Plus => vec![2],
        Sign::Minus => vec![0],
    };
    let exponent = u16::try_from(magnitude(&number) + 1000).unwrap_or_default();
    key.extend(exponent.to_be_bytes());
    key.extend(digits.magnitude().to_string().bytes());
    key.push(0);
    if digits.sign() == Sign::Minus {
        key[1..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_text_and_their_keys_are_ordered() {
        for (given, text) in [("1.0", "1"), ("-0", "0"), ("1E2", "100"), ("00.10", "0.1"), ("-1.5e-3", "-0.0015")] {
            assert_eq!(shown(&parse(given).unwrap()), text);
        }
        let ordered = [
            "-1e100", "-10.5", "-10", "-9", "-0.1", "-1e-100", "0", "1e-100", "0.09", "0.1", "1", "1.5", "2", "10",
            "1e100",
        ];
        let keys: Vec<Vec<u8>> = ordered.iter().map(|text| key(&parse(text).unwrap())).collect();
        assert!(keys.is_sorted(), "{keys:?}");
        for (given, text) in [
            ("x", "cannot be converted"),
            ("1e126", "overflow"),
            ("1e-131", "underflow"),
            (&"1".repeat(39), "38 significant digits"),
        ] {
            assert!(parse(given).unwrap_err().message.contains(text), "{given}");
        }
    }
}
