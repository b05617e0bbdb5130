//! Why a text in data is not JSON, as AWS says it where data is parsed at run time.
//!
//! That Jackson is a newer one than the reader of definitions: the same words, but it does not show its source, and
//! points at an unexpected character instead of behind it (both recorded). So the reader of definitions finds the
//! mistake, and here its words are adjusted.

use crate::parse::json::{self, Duplicates};

/// How Jackson names a source that it may not show.
const REDACTED_SOURCE: &str = "REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled)";

/// Messages about one character, which the newer Jackson points at.
const ABOUT_A_CHARACTER: [&str; 2] = ["Unexpected character", "Unexpected close marker"];

/// The first mistake of a text; nothing if there is none.
pub(crate) fn mistake(text: &str) -> Option<String> {
    let error = json::read(text, Duplicates::LastWins).err()?;
    let message = error.message.strip_suffix(&format!("\n at {}", error.location)).unwrap_or(&error.message);
    // `[Source: (String)"…"; line: 1, column: 4]`
    let (source, place) = error.location.strip_prefix("[Source: ")?.rsplit_once("; line: ")?;
    let (line, column) = place.strip_suffix(']')?.split_once(", column: ")?;
    let behind = match ABOUT_A_CHARACTER.iter().any(|start| message.starts_with(start)) {
        true => text.get(error.span).map_or(0, |character| character.encode_utf16().count()),
        false => 0,
    };
    let column = column.parse::<usize>().ok()?.saturating_sub(behind);
    let message = message.replace(source, REDACTED_SOURCE);
    Some(format!("{message}\n at [Source: {REDACTED_SOURCE}; line: {line}, column: {column}]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first three are AWS's answers to `States.StringToJson`.
    #[test]
    fn mistakes() {
        let cases = [
            (
                "{bad json}",
                "Unexpected character ('b' (code 98)): was expecting double-quote to start field name\n \
                 at [Source: S; line: 1, column: 2]",
            ),
            (
                "{\"a\":1",
                "Unexpected end-of-input: expected close marker for Object (start marker at [Source: S; line: 1, \
                 column: 1])\n at [Source: S; line: 1, column: 7]",
            ),
            (
                "undefined",
                "Unrecognized token 'undefined': was expecting (JSON String, Number, Array, Object or token 'null', \
                 'true' or 'false')\n at [Source: S; line: 1, column: 10]",
            ),
            (
                "{\"a\": \"[Source\"\n, 🚀}",
                "Unexpected character ('🚀' (code 128640 / 0x1f680)): was expecting double-quote to start field \
                 name\n at [Source: S; line: 2, column: 3]",
            ),
        ];
        for (text, wanted) in cases {
            assert_eq!(mistake(text).expect(text).replace(REDACTED_SOURCE, "S"), wanted, "{text}");
        }
        assert_eq!(mistake("{\"a\": [1, null]}"), None);
    }
}
