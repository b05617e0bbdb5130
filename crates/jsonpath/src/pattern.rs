//! Java's regular expressions on top of the `regex` crate, which matches in linear time whatever the pattern: a
//! definition must not be able to hang the engine with `(a+)+b`. What Java writes differently is rewritten; what only a
//! backtracking matcher can do (lookaround, backreferences, possessive quantifiers) is refused when the path is compiled.

use regex::{Regex, RegexBuilder};

use crate::limits::MAX_PATTERN_BYTES;

/// The flags that may stand behind the closing slash.
pub(crate) const FLAGS: &str = "dixmsuU";

#[derive(Debug, PartialEq)]
pub(crate) enum PatternFault {
    /// Java refuses it as well.
    Wrong,
    /// Java takes it, this crate does not; with the reason.
    Unsupported(String),
}

/// Java's class names in `\p{…}` whose meaning or spelling differs.
const CLASSES: &[(&str, &str)] = &[
    ("Lower", "a-z"),
    ("Upper", "A-Z"),
    ("ASCII", r"\x00-\x7F"),
    ("Alpha", "a-zA-Z"),
    ("Digit", "0-9"),
    ("Alnum", "a-zA-Z0-9"),
    ("Punct", r"!-/:-@\[-`\{-~"),
    ("Graph", "!-~"),
    ("Print", " -~"),
    ("Blank", r" \t"),
    ("Cntrl", r"\x00-\x1F\x7F"),
    ("XDigit", "0-9a-fA-F"),
    ("Space", r" \t\n\x0B\f\r"),
    ("javaLowerCase", r"\p{Lowercase}"),
    ("javaUpperCase", r"\p{Uppercase}"),
    ("javaWhitespace", r"\s"),
];

/// Java's one-letter classes; the second of each pair is its opposite.
const ESCAPES: &[(char, char, &str)] = &[
    ('d', 'D', "0-9"),
    ('w', 'W', "a-zA-Z_0-9"),
    ('s', 'S', r" \t\n\x0B\f\r"),
    ('h', 'H', r" \t\u{A0}\u{1680}\u{180E}\u{2000}-\u{200A}\u{202F}\u{205F}\u{3000}"),
    ('v', 'V', r"\n\x0B\f\r\u{85}\u{2028}\u{2029}"),
];

/// A pattern that has to match a whole text, as Java's `matches()`.
pub(crate) fn compile(pattern: &str, flags: &str) -> Result<Regex, PatternFault> {
    let has = |flag| flags.contains(flag);
    let rust =
        Translator { unicode: has('U'), any_newline: !has('d') && !has('s'), ..Translator::new(pattern) }.run()?;
    // A comment of the extended syntax must not swallow the end.
    let newline = if has('x') { "\n" } else { "" };
    RegexBuilder::new(&format!(r"\A(?:{rust}{newline})\z"))
        .case_insensitive(has('i'))
        .multi_line(has('m'))
        .dot_matches_new_line(has('s'))
        .ignore_whitespace(has('x'))
        .size_limit(MAX_PATTERN_BYTES)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => unsupported(pattern, "it takes too much memory"),
            _ => PatternFault::Wrong,
        })
}

fn unsupported(pattern: &str, why: &str) -> PatternFault {
    PatternFault::Unsupported(format!("The regular expression /{pattern}/ cannot be used: {why}"))
}

struct Translator<'p> {
    pattern: &'p str,
    chars: Vec<char>,
    position: usize,
    class_depth: usize,
    open_groups: usize,
    /// `\d` and its like are Unicode's (flag `U`).
    unicode: bool,
    /// `.` stops at all of Java's line ends.
    any_newline: bool,
    out: String,
}

impl<'p> Translator<'p> {
    fn new(pattern: &'p str) -> Self {
        Translator {
            pattern,
            chars: pattern.chars().collect(),
            position: 0,
            class_depth: 0,
            open_groups: 0,
            unicode: false,
            any_newline: true,
            out: String::new(),
        }
    }

    fn next(&mut self) -> Option<char> {
        let c = self.chars.get(self.position).copied();
        self.position += 1;
        c
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.position + ahead).copied()
    }

    fn unsupported(&self, why: &str) -> PatternFault {
        unsupported(self.pattern, why)
    }

    fn run(mut self) -> Result<String, PatternFault> {
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escape()?,
                '[' => {
                    self.class_depth += 1;
                    self.out.push('[');
                }
                ']' if self.class_depth > 0 => {
                    self.class_depth -= 1;
                    self.out.push(']');
                }
                // Set operators of Rust's syntax that are plain characters in Java.
                '-' | '~' if self.class_depth > 0 && self.peek(0) == Some(c) => {
                    self.position += 1;
                    self.out.push_str(if c == '-' { r"\-\-" } else { r"\~\~" });
                }
                _ if self.class_depth > 0 => self.out.push(c),
                '(' => self.group()?,
                // One too many would end the group that is put around the whole.
                ')' => {
                    self.open_groups = self.open_groups.checked_sub(1).ok_or(PatternFault::Wrong)?;
                    self.out.push(')');
                }
                '*' | '+' | '?' | '}' => self.quantifier(c)?,
                '.' if self.any_newline => self.out.push_str(r"[^\n\r\u{85}\u{2028}\u{2029}]"),
                _ => self.out.push(c),
            }
        }
        Ok(self.out)
    }

    fn group(&mut self) -> Result<(), PatternFault> {
        self.open_groups += 1;
        self.out.push('(');
        if self.peek(0) != Some('?') {
            return Ok(());
        }
        match (self.peek(1), self.peek(2)) {
            (Some('=' | '!'), _) | (Some('<'), Some('=' | '!')) => {
                return Err(self.unsupported("lookaround is not supported"));
            }
            (Some('>'), _) => return Err(self.unsupported("atomic groups are not supported")),
            _ => {}
        }
        let flags = self.chars[self.position + 1..].iter().take_while(|c| c.is_ascii_alphabetic());
        if flags.clone().any(|&c| c == 's') {
            self.any_newline = false;
        }
        self.position += 1;
        self.out.push('?');
        Ok(())
    }

    fn quantifier(&mut self, c: char) -> Result<(), PatternFault> {
        self.out.push(c);
        if self.peek(0) == Some('+') {
            return Err(self.unsupported("possessive quantifiers are not supported"));
        }
        if self.peek(0) == Some('?') {
            self.position += 1;
            self.out.push('?');
        }
        // Rust takes `a**` for `(a*)*`.
        if matches!(self.peek(0), Some('*' | '+' | '?')) { Err(PatternFault::Wrong) } else { Ok(()) }
    }

    /// A set of characters, within brackets of its own unless it stands in some already.
    fn set(&mut self, negated: bool, set: &str) {
        match (self.class_depth > 0, negated) {
            (true, false) => self.out.push_str(set),
            (_, true) => self.out.push_str(&format!("[^{set}]")),
            (false, false) => self.out.push_str(&format!("[{set}]")),
        }
    }

    fn escape(&mut self) -> Result<(), PatternFault> {
        let Some(c) = self.next() else {
            return Err(PatternFault::Wrong);
        };
        if let Some(&(plain, _, set)) = ESCAPES.iter().find(|(plain, opposite, _)| *plain == c || *opposite == c) {
            if self.unicode && matches!(plain, 'd' | 'w' | 's') {
                self.out.extend(['\\', c]);
            } else {
                self.set(c != plain, set);
            }
            return Ok(());
        }
        match c {
            'Q' => {
                let rest: String = self.chars[self.position..].iter().collect();
                let quoted = rest.split(r"\E").next().unwrap_or_default();
                self.position += quoted.chars().count() + 2;
                self.out.push_str(&regex::escape(quoted));
            }
            'p' | 'P' => self.property(c == 'P'),
            'u' => self.code(4)?,
            'x' if self.peek(0) != Some('{') => self.code(2)?,
            'e' => self.out.push_str(r"\x1B"),
            '1'..='9' | 'k' => return Err(self.unsupported("backreferences are not supported")),
            '0' | 'c' | 'G' | 'R' | 'X' | 'Z' | 'N' => {
                return Err(self.unsupported(&format!("\\{c} is not supported")));
            }
            'A' | 'z' | 'b' | 'B' | 'n' | 'r' | 't' | 'f' | 'a' | 'x' => self.out.extend(['\\', c]),
            c if c.is_ascii_alphabetic() => return Err(PatternFault::Wrong),
            c => self.out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
        Ok(())
    }

    fn code(&mut self, length: usize) -> Result<(), PatternFault> {
        let digits: String = self.chars.iter().skip(self.position).take(length).collect();
        if digits.chars().count() < length || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(PatternFault::Wrong);
        }
        self.position += length;
        self.out.push_str(&format!(r"\x{{{digits}}}"));
        Ok(())
    }

    fn property(&mut self, negated: bool) {
        let name: String = match self.peek(0) {
            Some('{') => self.chars[self.position + 1..].iter().take_while(|c| **c != '}').collect(),
            Some(letter) => letter.to_string(),
            None => return self.out.push_str(r"\p"),
        };
        self.position += if self.peek(0) == Some('{') { name.chars().count() + 2 } else { 1 };
        match CLASSES.iter().find(|(java, _)| *java == name) {
            Some((_, set)) => self.set(negated, set),
            None => {
                let name = name.strip_prefix("Is").unwrap_or(&name);
                self.out.push_str(&format!(r"\{}{{{name}}}", if negated { 'P' } else { 'p' }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_and_rust_agree_on() {
        let check = |pattern: &str, flags: &str, text: &str, expected: bool| {
            let regex = compile(pattern, flags).unwrap_or_else(|fault| panic!("{pattern}: {fault:?}"));
            assert_eq!(regex.is_match(text), expected, "/{pattern}/{flags} on {text:?}");
        };
        check("s|str", "", "str", true);
        check("t", "", "str", false);
        check(".*", "", "a\nb", false);
        check(".*", "", "a\rb", false);
        check(".*", "d", "a\rb", true);
        check(".*", "s", "a\nb", true);
        check("(?s).*", "", "a\nb", true);
        check("a.c", "i", "ABC", true);
        check(r"\d+", "", "١٢", false);
        check(r"\d+", "U", "١٢", true);
        check(r"[\d.]+", "", "1.5", true);
        check(r"[\D]+", "", "1", false);
        check(r"\w+\s\S", "", "a_1 b", true);
        check(r"\p{Alpha}\p{Lower}\P{Digit}", "", "Aba", true);
        check(r"\p{IsAlphabetic}\p{L}", "", "äö", true);
        check(r"[\p{Upper}_]+", "", "A_B", true);
        check(r"\Qa.b\E+", "", "a.b", true);
        check(r"\Qa.b", "", "axb", false);
        check(r"\/\-\u0041\x42", "", "/-AB", true);
        check("[a-z&&[^x]]+", "", "axb", false);
        check("a b # c", "x", "ab", true);
        check(r"(?<year>\d{4})-\d\d", "", "2026-11", true);
        check("a{2,3}?", "", "aaa", true);
        check("", "", "", true);
    }

    #[test]
    fn refused() {
        let why = |pattern: &str| match compile(pattern, "") {
            Ok(_) => format!("/{pattern}/ is taken"),
            Err(PatternFault::Wrong) => format!("/{pattern}/ is wrong"),
            Err(PatternFault::Unsupported(why)) => why,
        };
        let story = [
            "(",
            "a)",
            "a)|(b",
            "[",
            "a**",
            r"\",
            r"\q",
            r"\u12",
            "*a",
            "(?=a)",
            "(?<!a)b",
            "(?>a)",
            "a++",
            "a{2}+",
            r"(a)\1",
            r"\k<a>",
            r"\R",
            r"\01",
            "(a{1000}){1000}",
        ]
        .map(why)
        .join("\n");
        insta::assert_snapshot!(story, @r#"
    /(/ is wrong
    /a)/ is wrong
    /a)|(b/ is wrong
    /[/ is wrong
    /a**/ is wrong
    /\/ is wrong
    /\q/ is wrong
    /\u12/ is wrong
    /*a/ is wrong
    The regular expression /(?=a)/ cannot be used: lookaround is not supported
    The regular expression /(?<!a)b/ cannot be used: lookaround is not supported
    The regular expression /(?>a)/ cannot be used: atomic groups are not supported
    The regular expression /a++/ cannot be used: possessive quantifiers are not supported
    The regular expression /a{2}+/ cannot be used: possessive quantifiers are not supported
    The regular expression /(a)\1/ cannot be used: backreferences are not supported
    The regular expression /\k<a>/ cannot be used: backreferences are not supported
    The regular expression /\R/ cannot be used: \R is not supported
    The regular expression /\01/ cannot be used: \0 is not supported
    The regular expression /(a{1000}){1000}/ cannot be used: it takes too much memory
    "#);
    }
}
