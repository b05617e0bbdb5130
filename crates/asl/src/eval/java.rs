//! Where AWS's answers show that a Java machine made them: how a value turns into text, how numbers are printed, and
//! which numbers a seed gives. Definitions depend on all three (`States.Format`, `States.Hash`, a seeded
//! `States.MathRandom`), so they are reproduced, and nothing else of Java is.

use std::fmt::Write;
use std::io;

use serde_json::{Number, Value};

/// `String.valueOf` of a parsed value: `States.Format` shows an object so, `{Arg1=1, Arg2=[]}`.
pub(crate) fn to_string(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value);
    out
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_to_string(number)),
        Value::String(text) => out.push_str(text),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_value(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (index, (name, field)) in fields.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                out.push_str(name);
                out.push('=');
                write_value(out, field);
            }
            out.push('}');
        }
    }
}

fn number_to_string(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => double_to_string(float),
        _ => number.to_string(),
    }
}

/// `Double.toString`: the shortest digits, with an exponent below 0.001 and from 10,000,000 on.
pub(crate) fn double_to_string(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let mut text = value.to_string();
        if !text.contains('.') {
            text.push_str(".0");
        }
        return text;
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let point = if digits.contains('.') { "" } else { ".0" };
    format!("{digits}{point}E{exponent}")
}

/// Compact JSON as Jackson writes it; only doubles differ from serde's notation.
pub(crate) fn json_text(value: &Value) -> String {
    struct Jackson;
    impl serde_json::ser::Formatter for Jackson {
        fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
            writer.write_all(double_to_string(value).as_bytes())
        }
    }
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, Jackson);
    serde::Serialize::serialize(value, &mut serializer).expect("a value has string keys and memory takes it");
    String::from_utf8(bytes).expect("JSON text is UTF-8")
}

/// `java.util.Random`, whose numbers AWS gives for a seed (recorded: seed 42 of [1, 100) gives 63).
pub(crate) struct Random(u64);

impl Random {
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;

    pub(crate) fn seeded(seed: i64) -> Random {
        Random((seed.cast_unsigned() ^ Self::MULTIPLIER) & Self::MASK)
    }

    /// The upper bits of the next state, at most 48.
    fn next(&mut self, bits: u32) -> u64 {
        self.0 = self.0.wrapping_mul(Self::MULTIPLIER).wrapping_add(0xB) & Self::MASK;
        self.0 >> (48 - bits)
    }

    /// The upper 31 bits of the next state.
    fn next_31(&mut self) -> i64 {
        self.next(31).cast_signed()
    }

    /// `nextDouble()`: from 0 to, without, 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit into a double")]
    pub(crate) fn next_double(&mut self) -> f64 {
        let drawn = (self.next(26) << 27) + self.next(27);
        drawn as f64 / (1_u64 << 53) as f64
    }

    /// `nextInt(bound)`: 0 up to, without, `bound`, which is positive.
    pub(crate) fn next_int(&mut self, bound: i32) -> i32 {
        let bound = i64::from(bound.max(1));
        let mut bits = self.next_31();
        let value = if bound & (bound - 1) == 0 {
            (bound * bits) >> 31
        } else {
            // Draws that would make the low numbers likelier are thrown away.
            while bits - bits % bound + (bound - 1) > i64::from(i32::MAX) {
                bits = self.next_31();
            }
            bits % bound
        };
        i32::try_from(value).unwrap_or(0)
    }
}

/// The order in which Java's `HashSet` and `HashMap` give what was put in, each once, as indexes into `hashes`.
///
/// Recorded: `States.ArrayUnique` of `[true,false,true]` is `[false,true]`, of `[[1,2],[2,1]]` is `[[2,1],[1,2]]`, and
/// the fields that `States.JsonMerge` makes come in this order too.
pub(crate) fn hash_order(hashes: &[i32]) -> Vec<usize> {
    const SMALLEST_TABLE: usize = 16;
    let mut table = SMALLEST_TABLE;
    while hashes.len() * 4 > table * 3 {
        table *= 2;
    }
    let bucket = |hash: i32| {
        let hash = hash.cast_unsigned();
        (hash ^ (hash >> 16)) as usize & (table - 1)
    };
    let mut order: Vec<usize> = (0..hashes.len()).collect();
    order.sort_by_key(|&index| bucket(hashes[index]));
    order
}

/// `hashCode()` of a parsed value.
pub(crate) fn hash_code(value: &Value) -> i32 {
    let fold = |bits: u64| ((bits ^ (bits >> 32)) as u32).cast_signed();
    match value {
        Value::Null => 0,
        Value::Bool(b) => {
            if *b {
                1231
            } else {
                1237
            }
        }
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => i32::try_from(whole).unwrap_or_else(|_| fold(whole.cast_unsigned())),
            (None, float) => fold(float.unwrap_or_default().to_bits()),
        },
        Value::String(text) => hash_text(text),
        Value::Array(items) => {
            items.iter().fold(1_i32, |hash, item| hash.wrapping_mul(31).wrapping_add(hash_code(item)))
        }
        Value::Object(fields) => {
            fields.iter().fold(0_i32, |hash, (name, field)| hash.wrapping_add(hash_text(name) ^ hash_code(field)))
        }
    }
}

/// `String.hashCode()`.
pub(crate) fn hash_text(text: &str) -> i32 {
    text.encode_utf16().fold(0_i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// `String.length()`: UTF-16 units, by which AWS counts its limits on text.
pub(crate) fn length(text: &str) -> usize {
    text.encode_utf16().count()
}

/// `String.compareTo`: by UTF-16 unit.
pub(crate) fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

/// `UUID.randomUUID()`: version 4, from 128 bits of chance.
pub(crate) fn uuid(random: u128) -> String {
    const VERSION_4: u128 = 4 << 76;
    const VARIANT_RFC: u128 = 2 << 62;
    let random = random & !(0xF << 76) & !(3 << 62);
    let hex = format!("{:032x}", random | VERSION_4 | VARIANT_RFC);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_as_java_shows_them() {
        let cases = [
            (json!(null), "null"),
            (json!(1), "1"),
            (json!(1.1), "1.1"),
            (json!("text"), "text"),
            (json!({"Arg1": 1, "Arg2": []}), "{Arg1=1, Arg2=[]}"),
            (json!([null, true, "a b", {"k": [1.5]}]), "[null, true, a b, {k=[1.5]}]"),
            (json!(18446744073709551615u64), "18446744073709551615"),
        ];
        for (value, wanted) in cases {
            assert_eq!(to_string(&value), wanted);
        }
    }

    #[test]
    fn doubles_as_java_prints_them() {
        let cases = [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (0.001, "0.001"),
            (0.00099, "9.9E-4"),
            (9_999_999.0, "9999999.0"),
            (10_000_000.0, "1.0E7"),
            (-1.5e300, "-1.5E300"),
            (123_456_789.25, "1.2345678925E8"),
        ];
        for (value, wanted) in cases {
            assert_eq!(double_to_string(value), wanted);
        }
        assert_eq!(json_text(&json!({"a": [1.0, 1e21, "x\n", 3]})), r#"{"a":[1.0,1.0E21,"x\n",3]}"#);
    }

    /// Each of these is an answer of AWS to `States.MathRandom(low, high, seed)`.
    #[test]
    fn seeds_give_the_numbers_that_aws_gives() {
        let cases = [
            (1, 100, 42, 63),
            (1, 1000, 1, 106),
            (1, 1000, 2, 806),
            (1, 10, -10, 1),
            (2_147_483_640, 2_147_483_647, 1, 2_147_483_644),
        ];
        for (low, high, seed, wanted) in cases {
            assert_eq!(low + Random::seeded(seed).next_int(high - low), wanted, "{low} {high} {seed}");
        }
    }

    /// AWS's answers to `$random(seed)` in JSONata.
    #[test]
    fn seeds_give_the_fractions_that_aws_gives() {
        for (seed, wanted) in [(42, 0.7275636800328681), (0, 0.730967787376657), (7, 0.7306990420600421)] {
            assert!((Random::seeded(seed).next_double() - wanted).abs() < f64::EPSILON, "{seed}");
        }
    }

    #[test]
    fn hash_tables_give_their_content_in_javas_order() {
        let order = |items: &[Value]| {
            let hashes: Vec<i32> = items.iter().map(hash_code).collect();
            Value::Array(hash_order(&hashes).into_iter().map(|index| items[index].clone()).collect())
        };
        assert_eq!(order(&[json!(true), json!(false)]), json!([false, true]));
        assert_eq!(order(&[json!([1, 2]), json!([2, 1])]), json!([[2, 1], [1, 2]]));
        assert_eq!(order(&[json!(1), json!("1"), json!("01")]), json!([1, "1", "01"]));
        let many: Vec<Value> = (0..40).rev().map(|n| json!(n)).collect();
        assert_eq!(order(&many), (0..40).collect::<Value>());
    }

    #[test]
    fn text_is_measured_and_ordered_in_utf_16() {
        assert_eq!(length("a🚀"), 3);
        // By code point the rocket comes last; by UTF-16 unit it begins with a surrogate.
        assert_eq!(compare("🚀", "\u{FF5E}"), std::cmp::Ordering::Less);
        assert_eq!(compare("A", "A "), std::cmp::Ordering::Less);
    }
}
