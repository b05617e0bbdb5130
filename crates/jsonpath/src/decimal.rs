//! Decimal numbers compared as they are written, without limit of size and without rounding: a filter's `1e400`,
//! `1.00000000000000000000001` and `12345678901234567890` are what they say, as in Java's `BigDecimal`. Nothing is ever
//! multiplied out, so `1e2147483647` costs ten characters. Not arithmetic: filters only compare.

use std::cmp::Ordering;

use serde_json::Number;

use crate::java;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decimal {
    /// Nearly all numbers.
    Int(i64),
    Long(Long),
}

/// `digits × 10^-scale`; no leading zeros but in zero itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Long {
    negative: bool,
    digits: String,
    scale: i64,
}

impl Decimal {
    /// `None` for what `BigDecimal` refuses.
    pub(crate) fn parse(text: &str) -> Option<Decimal> {
        if text.len() <= 18
            && !text.starts_with('+')
            && let Ok(int) = text.parse::<i64>()
        {
            return Some(Decimal::Int(int));
        }
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.as_bytes().first()? {
            b'-' => (true, &mantissa[1..]),
            b'+' => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let scale = fraction.len() as i64 - i64::from(exponent);
        i32::try_from(scale).ok()?;
        let digits = match digits.trim_start_matches('0') {
            "" => "0".to_owned(),
            trimmed => trimmed.to_owned(),
        };
        Some(Decimal::Long(Long { negative: negative && digits != "0", digits, scale }))
    }

    pub(crate) fn of(number: &Number) -> Decimal {
        if let Some(int) = number.as_i64() {
            return Decimal::Int(int);
        }
        let text = if number.is_u64() { number.to_string() } else { java::double(number.as_f64().unwrap_or(0.0)) };
        Decimal::parse(&text).unwrap_or(Decimal::Int(0))
    }

    pub(crate) fn compare(&self, other: &Decimal) -> Ordering {
        match (self, other) {
            (Decimal::Int(left), Decimal::Int(right)) => left.cmp(right),
            _ => self.long().compare(&other.long()),
        }
    }

    fn long(&self) -> Long {
        match self {
            Decimal::Int(int) => Long { negative: *int < 0, digits: int.unsigned_abs().to_string(), scale: 0 },
            Decimal::Long(long) => long.clone(),
        }
    }

    /// The integer part, as Java's `intValue` has it for numbers of a sensible size.
    pub(crate) fn int_part(&self) -> Option<i64> {
        let long = match self {
            Decimal::Int(int) => return Some(*int),
            Decimal::Long(long) => long,
        };
        let kept = usize::try_from(long.digits.len() as i64 - long.scale).unwrap_or(0);
        if kept > 18 {
            return None;
        }
        let whole: String = long.digits.chars().chain(std::iter::repeat('0')).take(kept).collect();
        let magnitude: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        Some(if long.negative { -magnitude } else { magnitude })
    }
}

impl Long {
    fn compare(&self, other: &Long) -> Ordering {
        let sign = |long: &Long| match (long.digits.as_str(), long.negative) {
            ("0", _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        };
        let order = sign(self).cmp(&sign(other));
        if order != Ordering::Equal || sign(self) == 0 {
            return order;
        }
        let leading = |long: &Long| long.digits.len() as i64 - long.scale;
        let magnitude = leading(self).cmp(&leading(other)).then_with(|| {
            let length = self.digits.len().max(other.digits.len());
            let padded = |long: &'_ Long| -> Vec<u8> {
                let mut digits = long.digits.clone().into_bytes();
                digits.resize(length, b'0');
                digits
            };
            padded(self).cmp(&padded(other))
        });
        if self.negative { magnitude.reverse() } else { magnitude }
    }
}

/// As `BigDecimal.toString` writes it: what a comparison of a text with a number compares.
impl std::fmt::Display for Decimal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let long = match self {
            Decimal::Int(int) => return write!(f, "{int}"),
            Decimal::Long(long) => long,
        };
        let sign = if long.negative { "-" } else { "" };
        let digits = &long.digits;
        let adjusted = digits.len() as i64 - 1 - long.scale;
        if long.scale == 0 {
            write!(f, "{sign}{digits}")
        } else if long.scale > 0 && adjusted >= -6 {
            let scale = long.scale as usize;
            let padded = format!("{digits:0>width$}", width = scale + 1);
            let (whole, fraction) = padded.split_at(padded.len() - scale);
            write!(f, "{sign}{whole}.{fraction}")
        } else {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            write!(f, "{sign}{first}{point}{rest}")?;
            if adjusted == 0 { Ok(()) } else { write!(f, "E{adjusted:+}") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_as_written() {
        let ascending = [
            "-1e2147483000",
            "-12345678901234567890",
            "-7",
            "-1.5",
            "-1e-400",
            "0",
            "1e-2147483000",
            "0.1",
            "0.10000000000000000001",
            "1",
            "1.00000000000000000000001",
            "2",
            "10",
            "1e2",
            "1e400",
            "1e2147483647",
        ];
        let numbers: Vec<Decimal> = ascending.iter().map(|text| Decimal::parse(text).expect(text)).collect();
        for (left, a) in numbers.iter().enumerate() {
            for (right, b) in numbers.iter().enumerate() {
                assert_eq!(a.compare(b), left.cmp(&right), "{} and {}", ascending[left], ascending[right]);
            }
        }
        let same = |left: &str, right: &str| {
            let parsed = |text: &str| Decimal::parse(text).expect("a number");
            assert_eq!(parsed(left).compare(&parsed(right)), Ordering::Equal, "{left} and {right}");
        };
        same("1", "1.000");
        same("1e2", "100");
        same("-0", "0.0e9");
        same("10e-1", "01");
    }

    #[test]
    fn written_as_java_does() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Decimal::parse(text).expect(text).to_string(), expected, "{text}");
        };
        check("3.0", "3.0");
        check("-1.50", "-1.50");
        check(".1", "0.1");
        check("1.", "1");
        check("1.0E10", "1.0E+10");
        check("1.0E-5", "0.000010");
        check("1e-9", "1E-9");
        check("12345678901234567890", "12345678901234567890");
        for refused in ["", "-", ".", "1-1", "--1", "1e", "1e99999999999", "0x1", "e5", "1.2.3"] {
            assert_eq!(Decimal::parse(refused), None, "{refused}");
        }
    }

    #[test]
    fn integer_part() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(Decimal::parse(text).expect(text).int_part(), expected, "{text}");
        };
        check("3", Some(3));
        check("3.7", Some(3));
        check("-3.7", Some(-3));
        check("0.7", Some(0));
        check("1e3", Some(1000));
        check("1e2147483647", None);
    }
}
