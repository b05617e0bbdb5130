//! The one form in which the States Language writes an instant: RFC 3339 with `T` and an offset or `Z`.
//!
//! At creation AWS wants exactly that ([`is_rfc3339`]). What it finds in data it reads as an "ISO-8601 extended offset
//! date-time", which is a little wider: letters of either case, seconds may be left out ([`parse`]). Both keep
//! nanoseconds. A time without an offset is not an instant and matches neither.

use jiff::{Timestamp, civil, tz};

/// Whether a literal of a definition is a timestamp: what AWS checks when a machine is created.
pub fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let has_seconds = bytes.get(16) == Some(&b':');
    has_seconds && bytes.get(10) == Some(&b'T') && !text.ends_with('z') && parse(text).is_some()
}

/// The instant that a text in data names, if it names one.
pub fn parse(text: &str) -> Option<Timestamp> {
    let mut cursor = Cursor(text.as_bytes());
    let year = cursor.number(4)?;
    cursor.one_of(b"-")?;
    let month = cursor.number(2)?;
    cursor.one_of(b"-")?;
    let day = cursor.number(2)?;
    cursor.one_of(b"Tt")?;
    let hour = cursor.number(2)?;
    cursor.one_of(b":")?;
    let minute = cursor.number(2)?;
    let (second, nanosecond) = match cursor.one_of(b":") {
        Some(_) => (cursor.number(2)?, cursor.fraction()?),
        None => (0, 0),
    };
    let offset = cursor.offset()?;
    if !cursor.0.is_empty() || second > 59 {
        return None;
    }
    let small = |n: i32| i8::try_from(n).ok();
    let local = civil::DateTime::new(
        i16::try_from(year).ok()?,
        small(month)?,
        small(day)?,
        small(hour)?,
        small(minute)?,
        small(second)?,
        nanosecond,
    )
    .ok()?;
    tz::Offset::from_seconds(offset).ok()?.to_timestamp(local).ok()
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        wanted.contains(&first).then(|| {
            self.0 = rest;
            first
        })
    }

    fn number(&mut self, digits: usize) -> Option<i32> {
        let (head, rest) = self.0.split_at_checked(digits)?;
        let value = head.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i32::from(b - b'0')))?;
        self.0 = rest;
        Some(value)
    }

    /// `.` and one to nine digits, or nothing.
    fn fraction(&mut self) -> Option<i32> {
        const NANOSECOND_DIGITS: usize = 9;
        if self.one_of(b".").is_none() {
            return Some(0);
        }
        let digits = self.0.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 || digits > NANOSECOND_DIGITS {
            return None;
        }
        let value = self.number(digits)?;
        Some(value * 10_i32.pow((NANOSECOND_DIGITS - digits) as u32))
    }

    /// `Z` or `±HH:MM`, in seconds.
    fn offset(&mut self) -> Option<i32> {
        if self.one_of(b"Zz").is_some() {
            return Some(0);
        }
        let sign = if self.one_of(b"+-")? == b'-' { -1 } else { 1 };
        let hours = self.number(2)?;
        self.one_of(b":")?;
        let minutes = self.number(2)?;
        // The widest offset of java.time, which is AWS's clock.
        const MAX_OFFSET_HOURS: i32 = 18;
        let seconds = (hours * 60 + minutes) * 60;
        (minutes <= 59 && seconds <= MAX_OFFSET_HOURS * 3600).then_some(sign * seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        let same = [
            "2016-03-14T01:59:00Z",
            "2016-03-14T01:59:00.0Z",
            "2016-03-14T01:59:00.000000000Z",
            "2016-03-14T02:59:00+01:00",
            "2016-03-13T20:29:00-05:30",
            "2016-03-14t01:59:00z",
            "2016-03-14T01:59Z",
        ];
        for text in same {
            assert_eq!(parse(text).expect(text).as_second(), 1_457_920_740, "{text}");
        }
        assert!(parse("2016-03-05T21:29:29.243167252Z") > parse("2016-03-05T21:29:29.243167251Z"));
        assert_eq!(parse("2016-03-05T21:29:29.5Z").unwrap().subsec_nanosecond(), 500_000_000);
    }

    #[test]
    fn no_instants() {
        let cases = [
            "",
            "2016-13-05T21:29:29Z",
            "2016-12-05T25:29:29Z",
            "2016-12-05T21:60:29Z",
            "2016-12-05T21:29:60Z",
            "2015-02-29T00:00:00Z",
            "05-12-2016T21:29:29Z",
            "2016-12-05 21:29:29Z",
            "2016-12-05T21:29:29",
            "2016-12-05T21:29:29.Z",
            "2016-12-05T21:29:29.1234567890Z",
            "2016-12-05T21:29:29+0100",
            "2016-12-05T21:29:29+19:00",
            "2016-12-05T21:29:29Z ",
            "2016-12-05",
            "not-a-timestamp",
            "{% '2016-03-14T01:59:00Z' %}",
            "２016-03-14T01:59:00Z",
        ];
        for text in cases {
            assert_eq!(parse(text), None, "{text}");
            assert!(!is_rfc3339(text), "{text}");
        }
    }

    #[test]
    fn creation_is_stricter_than_data() {
        assert!(is_rfc3339("2016-03-14T01:59:00Z"));
        assert!(is_rfc3339("2016-03-14T01:59:00.123+02:00"));
        for text in ["2016-03-14t01:59:00Z", "2016-03-14T01:59:00z", "2016-03-14T01:59Z"] {
            assert!(!is_rfc3339(text), "{text}");
        }
    }
}
