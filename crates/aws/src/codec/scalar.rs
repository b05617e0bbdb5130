//! Strings, numbers, blobs and times, between our side and the wire.
//!
//! Every protocol has the same scalars in different clothes: JSON keeps numbers and booleans, everything else is text.
//! A [`Scalar`] is the value between the two.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::{Number, Value};

use super::{CodecError, Dialect};
use crate::model::{Kind, Ref, TimestampFormat};

/// A value without parts.
#[derive(Debug, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    Blob(Vec<u8>),
    Bool(bool),
    Number(Number),
    Time(Timestamp, TimestampFormat),
}

/// The format of a timestamp: what its use says, else its shape, else the place where it stands.
pub(super) fn time_format(reference: &Ref, kind: &Kind, otherwise: TimestampFormat) -> TimestampFormat {
    match kind {
        Kind::Timestamp(of_shape) => reference.timestamp.or(*of_shape).unwrap_or(otherwise),
        _ => otherwise,
    }
}

impl Scalar {
    /// From our side. `format` is how a time will be written.
    pub fn from_ours(
        value: Value,
        kind: &Kind,
        format: TimestampFormat,
        dialect: Dialect,
    ) -> Result<Scalar, CodecError> {
        let loose = dialect == Dialect::StateMachine;
        Ok(match (kind, value) {
            (Kind::String, Value::String(text)) => Scalar::Text(text),
            (Kind::String, value @ (Value::Object(_) | Value::Array(_))) if loose => Scalar::Text(value.to_string()),
            (Kind::String, _) => return Err(CodecError::must_be("STRING")),
            (Kind::Blob, Value::String(text)) if loose => Scalar::Blob(text.into_bytes()),
            (Kind::Blob, Value::String(text)) => Scalar::Blob(base64_bytes(&text)?),
            (Kind::Blob, value) if loose => Scalar::Blob(value.to_string().into_bytes()),
            (Kind::Blob, _) => return Err(CodecError::must_be("BLOB")),
            (Kind::Boolean, Value::Bool(value)) => Scalar::Bool(value),
            (Kind::Boolean, _) => return Err(CodecError::must_be("BOOLEAN")),
            (Kind::Integer, Value::Number(number)) => Scalar::Number(integer(number)?),
            (Kind::Integer, _) => return Err(CodecError::must_be("NUMBER")),
            (Kind::Float, Value::Number(number)) => Scalar::Number(number),
            // JSON has no words for these; the wire has.
            (Kind::Float, Value::String(text)) if not_finite(&text) => Scalar::Text(text),
            (Kind::Float, _) => return Err(CodecError::must_be("NUMBER")),
            (Kind::Timestamp(_), value) => Scalar::Time(time_from_ours(&value)?, format),
            (_, value) => Scalar::Text(value.to_string()),
        })
    }

    /// Whether [`Scalar::from_ours`] takes a value from a state machine.
    pub fn fits(value: &Value, kind: &Kind) -> Result<(), CodecError> {
        match (kind, value) {
            // Any JSON stands for its text, and a text is not copied to see that.
            (Kind::Blob | Kind::Document, _) => Ok(()),
            (Kind::String, Value::String(_) | Value::Object(_) | Value::Array(_)) => Ok(()),
            _ => Scalar::from_ours(value.clone(), kind, TimestampFormat::Iso8601, Dialect::StateMachine).map(|_| ()),
        }
    }

    /// To our side.
    pub fn into_ours(self, dialect: Dialect) -> Value {
        match (self, dialect) {
            (Scalar::Text(text), _) => Value::String(text),
            (Scalar::Bool(value), _) => Value::Bool(value),
            (Scalar::Number(number), _) => Value::Number(number),
            (Scalar::Blob(bytes), Dialect::StateMachine) => Value::String(match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => STANDARD.encode(error.as_bytes()),
            }),
            (Scalar::Blob(bytes), Dialect::Native) => Value::String(STANDARD.encode(bytes)),
            (Scalar::Time(time, _), Dialect::StateMachine) => Value::String(instant(time)),
            (Scalar::Time(time, _), Dialect::Native) => seconds(time),
        }
    }

    /// From a JSON message.
    pub fn from_json(value: Value, kind: &Kind, format: TimestampFormat) -> Result<Scalar, CodecError> {
        Ok(match (kind, value) {
            (Kind::String, Value::String(text)) => Scalar::Text(text),
            (Kind::String, _) => return Err(CodecError::must_be("STRING")),
            (Kind::Blob, Value::String(text)) => Scalar::Blob(base64_bytes(&text)?),
            (Kind::Blob, _) => return Err(CodecError::must_be("BLOB")),
            (Kind::Boolean, Value::Bool(value)) => Scalar::Bool(value),
            (Kind::Boolean, _) => return Err(CodecError::must_be("BOOLEAN")),
            (Kind::Integer, Value::Number(number)) => Scalar::Number(integer(number)?),
            (Kind::Integer, _) => return Err(CodecError::must_be("NUMBER")),
            (Kind::Float, Value::Number(number)) => Scalar::Number(number),
            (Kind::Float, Value::String(text)) if not_finite(&text) => Scalar::Text(text),
            (Kind::Float, _) => return Err(CodecError::must_be("NUMBER")),
            (Kind::Timestamp(_), Value::String(text)) => Scalar::Time(time_from_text(&text)?, format),
            (Kind::Timestamp(_), value) => Scalar::Time(time_from_ours(&value)?, format),
            (_, value) => Scalar::Text(value.to_string()),
        })
    }

    /// To a JSON message.
    pub fn into_json(self) -> Value {
        match self {
            Scalar::Text(text) => Value::String(text),
            Scalar::Bool(value) => Value::Bool(value),
            Scalar::Number(number) => Value::Number(number),
            Scalar::Blob(bytes) => Value::String(STANDARD.encode(bytes)),
            Scalar::Time(time, TimestampFormat::Unix) => seconds(time),
            Scalar::Time(time, format) => Value::String(time_text(time, format)),
        }
    }

    /// From text: XML, a form, a header, a query string.
    pub fn from_text(text: String, kind: &Kind, format: TimestampFormat) -> Result<Scalar, CodecError> {
        Ok(match kind {
            Kind::Blob => Scalar::Blob(base64_bytes(&text)?),
            // Old query clients of some languages write `True`.
            Kind::Boolean if text.eq_ignore_ascii_case("true") => Scalar::Bool(true),
            Kind::Boolean if text.eq_ignore_ascii_case("false") => Scalar::Bool(false),
            Kind::Boolean => return Err(CodecError::must_be("BOOLEAN")),
            Kind::Integer => {
                let number = text.trim().parse::<i64>().map_err(|_| CodecError::must_be("NUMBER"))?;
                Scalar::Number(number.into())
            }
            Kind::Float if not_finite(&text) => Scalar::Text(text),
            Kind::Float => {
                let number = text.trim().parse::<f64>().ok().and_then(Number::from_f64);
                Scalar::Number(number.ok_or_else(|| CodecError::must_be("NUMBER"))?)
            }
            Kind::Timestamp(_) => Scalar::Time(time_from_text(&text)?, format),
            _ => Scalar::Text(text),
        })
    }

    /// To text.
    pub fn into_text(self) -> String {
        match self {
            Scalar::Text(text) => text,
            Scalar::Bool(value) => value.to_string(),
            Scalar::Number(number) => number.to_string(),
            Scalar::Blob(bytes) => STANDARD.encode(bytes),
            Scalar::Time(time, format) => time_text(time, format),
        }
    }
}

fn base64_bytes(text: &str) -> Result<Vec<u8>, CodecError> {
    STANDARD.decode(text.trim()).map_err(|_| CodecError::must_be("BLOB in base64"))
}

fn not_finite(text: &str) -> bool {
    matches!(text, "NaN" | "Infinity" | "-Infinity")
}

/// Above this a double cannot tell neighbouring integers apart.
const MAX_EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// State machines compute in doubles, so `3.0` is an integer.
fn integer(number: Number) -> Result<Number, CodecError> {
    if number.is_i64() || number.is_u64() {
        return Ok(number);
    }
    match number.as_f64() {
        Some(float) if float.fract() == 0.0 && float.abs() <= MAX_EXACT_INTEGER => Ok((float as i64).into()),
        _ => Err(CodecError::must_be("NUMBER without a fraction")),
    }
}

fn time_from_ours(value: &Value) -> Result<Timestamp, CodecError> {
    let wrong = || CodecError::must_be("TIMESTAMP");
    match value {
        Value::String(text) => time_from_text(text),
        Value::Number(number) => match number.as_i64() {
            Some(seconds) => Timestamp::from_second(seconds).map_err(|_| wrong()),
            // Microseconds are what a double still holds exactly for our times.
            None => {
                let seconds = number.as_f64().ok_or_else(wrong)?;
                Timestamp::from_microsecond((seconds * 1e6).round() as i64).map_err(|_| wrong())
            }
        },
        _ => Err(wrong()),
    }
}

fn time_from_text(text: &str) -> Result<Timestamp, CodecError> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(number) = text.parse::<f64>() {
        let value = Number::from_f64(number).map(Value::Number).unwrap_or(Value::Null);
        return time_from_ours(&value);
    }
    rfc2822::DateTimeParser::new().parse_timestamp(text).map_err(|_| CodecError::must_be("TIMESTAMP"))
}

fn time_text(time: Timestamp, format: TimestampFormat) -> String {
    match format {
        TimestampFormat::Iso8601 => instant(time),
        TimestampFormat::Rfc822 => {
            let printed = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&time);
            printed.unwrap_or_else(|_| instant(time))
        }
        TimestampFormat::Unix => seconds(time).to_string(),
    }
}

/// As Java's `Instant` prints itself, which is what state machines see: no fraction, or three, six or nine digits.
fn instant(time: Timestamp) -> String {
    let nanos = time.subsec_nanosecond();
    let digits = match nanos {
        0 => 0,
        n if n % 1_000_000 == 0 => 3,
        n if n % 1_000 == 0 => 6,
        _ => 9,
    };
    format!("{time:.digits$}")
}

/// Seconds since 1970, an integer where there is no fraction; services tell no more than milliseconds.
fn seconds(time: Timestamp) -> Value {
    let millis = time.as_millisecond();
    if millis % 1000 == 0 {
        return Value::from(millis / 1000);
    }
    Value::from(millis as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TIME: Kind = Kind::Timestamp(None);

    #[test]
    fn times_are_read_from_every_form_and_written_in_each() {
        let forms = [json!("2014-04-29T18:30:38Z"), json!(1398796238), json!(1398796238.0), json!("1398796238")];
        for form in forms.into_iter().chain([json!("Tue, 29 Apr 2014 18:30:38 GMT")]) {
            let read = |format| Scalar::from_ours(form.clone(), &TIME, format, Dialect::StateMachine).unwrap();
            assert_eq!(read(TimestampFormat::Unix).into_json(), json!(1398796238));
            assert_eq!(read(TimestampFormat::Iso8601).into_text(), "2014-04-29T18:30:38Z");
            assert_eq!(read(TimestampFormat::Rfc822).into_text(), "Tue, 29 Apr 2014 18:30:38 GMT");
        }
        let millis = Scalar::from_json(json!(1762432788.5), &TIME, TimestampFormat::Unix).unwrap();
        assert_eq!(millis.into_ours(Dialect::StateMachine), json!("2025-11-06T12:39:48.500Z"));
        let millis = Scalar::from_json(json!(1762432788.123), &TIME, TimestampFormat::Unix).unwrap();
        assert_eq!(millis.into_ours(Dialect::Native), json!(1762432788.123));
        for bad in [json!("soon"), json!(true), json!(1e300), json!("NaN")] {
            assert!(Scalar::from_ours(bad, &TIME, TimestampFormat::Unix, Dialect::Native).is_err());
        }
    }

    #[test]
    fn json_stands_for_text_in_state_machines_only() {
        let ours = |value, kind: &Kind, dialect| Scalar::from_ours(value, kind, TimestampFormat::Unix, dialect);
        let object = json!({"TaskToken": "t", "n": [1, 2.0]});
        let text = ours(object.clone(), &Kind::String, Dialect::StateMachine).unwrap();
        assert_eq!(text, Scalar::Text(r#"{"TaskToken":"t","n":[1,2.0]}"#.into()));
        assert!(ours(object.clone(), &Kind::String, Dialect::Native).is_err());
        assert_eq!(ours(object, &Kind::Blob, Dialect::StateMachine).unwrap().into_text().len(), 40);
        let error = ours(json!(1), &Kind::String, Dialect::StateMachine).unwrap_err();
        assert_eq!(error.to_string(), "the value must be a STRING");
    }

    #[test]
    fn blobs_are_text_in_state_machines_and_base64_in_services() {
        let wire = json!("aGVsbG8=");
        let read = || Scalar::from_json(wire.clone(), &Kind::Blob, TimestampFormat::Unix).unwrap();
        assert_eq!(read().into_ours(Dialect::StateMachine), json!("hello"));
        assert_eq!(read().into_ours(Dialect::Native), wire);
        let binary = Scalar::Blob(vec![0xff, 0xfe]);
        assert_eq!(binary.into_ours(Dialect::StateMachine), json!("//4="));
        assert!(Scalar::from_json(json!("%"), &Kind::Blob, TimestampFormat::Unix).is_err());
    }

    #[test]
    fn numbers_keep_their_kind() {
        let ours = |value| Scalar::from_ours(value, &Kind::Integer, TimestampFormat::Unix, Dialect::StateMachine);
        assert_eq!(ours(json!(3.0)).unwrap().into_text(), "3");
        assert_eq!(ours(json!(u64::MAX)).unwrap().into_text(), u64::MAX.to_string());
        assert!(ours(json!(3.5)).is_err() && ours(json!(1e30)).is_err() && ours(json!("3")).is_err());
        let text = |text: &str, kind: &Kind| Scalar::from_text(text.into(), kind, TimestampFormat::Unix);
        assert_eq!(text("True", &Kind::Boolean).unwrap(), Scalar::Bool(true));
        assert_eq!(text("NaN", &Kind::Float).unwrap().into_json(), json!("NaN"));
        assert!(text("x", &Kind::Integer).is_err() && text("", &Kind::Boolean).is_err());
    }
}
