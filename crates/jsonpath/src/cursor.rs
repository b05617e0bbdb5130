//! A place in the text of a path, with the ways of looking around that Jayway's parser has. Its parser has no lexer: it
//! peeks, skips blanks and jumps to closing brackets, and which odd texts it takes (`$.a[`, `$['a']x`) follows from how
//! exactly it does so. Looking beyond the end is an error there, and a `Broken` fault here.

use crate::error::Fault;

#[derive(Debug, Clone)]
pub(crate) struct Cursor<'t> {
    chars: &'t [char],
    /// Where `chars` begins in the text that the user wrote; negative when something was put before it.
    base: isize,
    pub(crate) position: usize,
    /// One past the last character that counts. Trailing blanks are beyond it but can still be looked at.
    pub(crate) end: usize,
}

impl<'t> Cursor<'t> {
    pub(crate) fn new(chars: &'t [char], base: isize) -> Self {
        Cursor { chars, base, position: 0, end: chars.len() }
    }

    pub(crate) fn invalid(&self, message: impl Into<String>) -> Fault {
        Fault::Invalid { message: message.into(), at: self.place(self.position) }
    }

    pub(crate) fn broken(&self, message: impl Into<String>) -> Fault {
        Fault::Broken { message: message.into(), at: self.place(self.position) }
    }

    pub(crate) fn refused(&self, message: impl Into<String>) -> Fault {
        Fault::Refused { message: message.into(), at: self.place(self.position) }
    }

    fn beyond(&self) -> Fault {
        Fault::Broken { message: "The path ends where more was expected".to_owned(), at: self.place(self.end) }
    }

    /// An index of this cursor as an index of the whole text.
    pub(crate) fn place(&self, index: usize) -> isize {
        self.base + index as isize
    }

    pub(crate) fn at(&self, index: usize) -> Result<char, Fault> {
        self.chars.get(index).copied().ok_or_else(|| self.beyond())
    }

    pub(crate) fn current(&self) -> Result<char, Fault> {
        self.at(self.position)
    }

    pub(crate) fn current_is(&self, c: char) -> Result<bool, Fault> {
        Ok(self.current()? == c)
    }

    pub(crate) fn next_is(&self, c: char) -> bool {
        self.in_bounds(self.position + 1) && self.chars[self.position + 1] == c
    }

    pub(crate) fn last_is(&self, c: char) -> bool {
        self.end > 0 && self.chars[self.end - 1] == c
    }

    pub(crate) fn in_bounds(&self, index: usize) -> bool {
        index < self.end
    }

    /// Is this the last character, or are we past it? What stands there alone is not read any more.
    pub(crate) fn is_tail(&self) -> bool {
        self.position + 1 >= self.end
    }

    pub(crate) fn slice(&self, from: usize, to: usize) -> &'t [char] {
        let to = to.min(self.chars.len());
        &self.chars[from.min(to)..to]
    }

    pub(crate) fn text(&self, from: usize, to: usize) -> String {
        self.slice(from, to).iter().collect()
    }

    pub(crate) fn whole_text(&self) -> String {
        self.chars.iter().collect()
    }

    pub(crate) fn skip_blanks(&mut self) -> &mut Self {
        while self.position + 1 < self.end && self.chars[self.position] == ' ' {
            self.position += 1;
        }
        self
    }

    pub(crate) fn trim(&mut self) {
        self.skip_blanks();
        while self.position + 1 < self.end && self.chars[self.end - 1] == ' ' {
            self.end -= 1;
        }
    }

    fn significant_after(&self, index: usize) -> usize {
        let mut index = index + 1;
        while self.in_bounds(index) && self.chars[index] == ' ' {
            index += 1;
        }
        index
    }

    /// The next character that is no blank; a blank if there is none.
    pub(crate) fn next_significant(&self, index: usize) -> char {
        let index = self.significant_after(index);
        if self.in_bounds(index) { self.chars[index] } else { ' ' }
    }

    pub(crate) fn next_significant_is(&self, index: usize, c: char) -> bool {
        let index = self.significant_after(index);
        self.in_bounds(index) && self.chars[index] == c
    }

    pub(crate) fn index_of_next_significant(&self, index: usize, c: char) -> Result<Option<usize>, Fault> {
        let index = self.significant_after(index);
        Ok((self.at(index)? == c).then_some(index))
    }

    /// The index of the character before `position` that is no blank.
    pub(crate) fn previous_significant(&self) -> Option<usize> {
        let mut index = self.position.checked_sub(1)?;
        while self.in_bounds(index) && self.chars[index] == ' ' {
            index = index.checked_sub(1)?;
        }
        self.in_bounds(index).then_some(index)
    }

    pub(crate) fn index_of(&self, from: usize, c: char) -> Option<usize> {
        (from..self.end).find(|&index| self.chars[index] == c)
    }

    /// The next `c` after `index` that no backslash escapes.
    pub(crate) fn next_unescaped(&self, index: usize, c: char) -> Option<usize> {
        let mut escaped = false;
        for index in index + 1..self.end {
            let here = self.chars[index];
            if escaped {
                escaped = false;
            } else if here == '\\' {
                escaped = true;
            } else if here == c {
                return Some(index);
            }
        }
        None
    }

    /// The bracket that closes the one at `start`, brackets in strings (and in `/…/`, if asked) not counted.
    pub(crate) fn matching_close(
        &self,
        start: usize,
        open: char,
        close: char,
        skip_patterns: bool,
    ) -> Result<Option<usize>, Fault> {
        let mut opened = 1;
        let mut index = start + 1;
        while self.in_bounds(index) {
            let quote = self.at(index)?;
            if quote == '\'' || quote == '"' {
                index = 1 + self.next_unescaped(index, quote).ok_or_else(|| {
                    self.invalid(format!(
                        "Could not find matching close quote for {quote} when parsing : {}",
                        self.whole_text()
                    ))
                })?;
            }
            if skip_patterns && self.at(index)? == '/' {
                index = 1 + self.next_unescaped(index, '/').ok_or_else(|| {
                    self.invalid(format!(
                        "Could not find matching close for / when parsing regex in : {}",
                        self.whole_text()
                    ))
                })?;
            }
            let here = self.at(index)?;
            if here == open {
                opened += 1;
            } else if here == close {
                opened -= 1;
                if opened == 0 {
                    return Ok(Some(index));
                }
            }
            index += 1;
        }
        Ok(None)
    }

    pub(crate) fn read_significant(&mut self, c: char) -> Result<(), Fault> {
        if self.skip_blanks().current()? != c {
            return Err(self.invalid(format!("Expected character: {c}")));
        }
        self.position += 1;
        Ok(())
    }

    /// Takes `text` if it comes next, blanks aside.
    pub(crate) fn take_significant(&mut self, text: &str) -> bool {
        self.skip_blanks();
        let length = text.chars().count();
        if !self.in_bounds(self.position + length - 1)
            || !self.slice(self.position, self.position + length).iter().copied().eq(text.chars())
        {
            return false;
        }
        self.position += length;
        true
    }
}

/// A quoted text without its backslashes. An unfinished `\u` is dropped, as Jayway does.
pub(crate) fn unescape(text: &str) -> Result<String, String> {
    if !text.contains('\\') {
        return Ok(text.to_owned());
    }
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = if c != '\\' {
            c
        } else {
            match chars.next() {
                None => '\\',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('f') => '\u{c}',
                Some('b') => '\u{8}',
                Some('u') => {
                    let digits: String = chars.by_ref().take(4).collect();
                    if digits.chars().count() == 4 {
                        units.push(
                            u16::from_str_radix(&digits, 16)
                                .map_err(|_| format!("Unable to parse unicode value: {digits}"))?,
                        );
                    }
                    continue;
                }
                Some(other) => other,
            }
        };
        units.extend_from_slice(plain.encode_utf16(&mut [0; 2]));
    }
    Ok(String::from_utf16_lossy(&units))
}
