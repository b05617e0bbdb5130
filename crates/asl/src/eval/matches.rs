//! `StringMatches`: text against a pattern in which `*` is any run of characters, `\*` an asterisk and `\\` a
//! backslash. Linear in the text: every piece between two asterisks is looked for once, leftmost first.

/// Whether the whole text matches.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pieces = pieces(pattern);
    let [first, middle @ .., last] = pieces.as_slice() else {
        return pieces.first().is_some_and(|only| only == text);
    };
    let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
    let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
    for piece in middle {
        match rest.find(piece.as_str()) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    true
}

/// What stands between the asterisks, without its backslashes.
fn pieces(pattern: &str) -> Vec<String> {
    let mut pieces = vec![];
    let mut piece = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => pieces.push(std::mem::take(&mut piece)),
            '\\' => piece.push(chars.next_if(|c| matches!(c, '*' | '\\')).unwrap_or('\\')),
            other => piece.push(other),
        }
    }
    pieces.push(piece);
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("**", "", true),
            ("*", "anything", true),
            ("invoice-2025.json", "invoice-2025.json", true),
            ("invoice-*.json", "invoice-2025.json", true),
            ("invoice-*.json", "report-2025.json", false),
            ("logs-*-*-done", "logs-2025-04-done", true),
            ("log-*.txt", "log-", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("*ab*ab*", "abab", true),
            ("*ab*ab*", "aab", false),
            (r"file\*name.txt", "file*name.txt", true),
            (r"file\*name.txt", "fileXname.txt", false),
            (r"a\\*", r"a\b", true),
            (r"a\b", r"a\b", true),
            ("*.zip", "täst.zip", true),
        ];
        for (pattern, text, wanted) in cases {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }

    /// The textbook definition, exponential.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|skip| slow(rest, &text[skip..])),
            [c, rest @ ..] => text.first() == Some(c) && slow(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            let chars = |s: &str| s.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), slow(&chars(&pattern), &chars(&text)));
        }
    }
}
