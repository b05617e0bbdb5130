//! From the text of a filter to its expression:
//!
//! ```text
//! or       = and { '||' and }
//! and      = operand { '&&' operand }
//! operand  = relation | '(' or ')' | '!' operand
//! relation = value [ operator value ]
//! ```
//!
//! As in Jayway, a relation whose operator or right side cannot be read is taken for a path alone, and what is left over
//! is complained about afterwards (`Expected character: )`).

use crate::cursor::{Cursor, unescape};
use crate::decimal::Decimal;
use crate::error::Fault;
use crate::filter::{Expression, Filter, Literal, OPERATORS, Operand, Operator, Relation};
use crate::limits::MAX_NESTING;
use crate::literal;
use crate::parse::compile;
use crate::pattern::{self, PatternFault};

impl Filter {
    /// Reads `[?(…)]`, which begins at `base` of the whole text.
    pub(crate) fn parse(criteria: &[char], base: isize, depth: usize) -> Result<Filter, Fault> {
        let mut cursor = Cursor::new(criteria, base);
        cursor.position += 1;
        cursor.end -= 1;
        cursor.trim();
        cursor.position += 1;
        cursor.trim();
        if !cursor.current_is('(')? || !cursor.last_is(')') {
            let text = cursor.whole_text();
            return Err(cursor.invalid(format!("Filter must start with '[?(' and end with ')]'. {text}")));
        }
        let mut parser = FilterParser { cursor, depth };
        match parser.whole() {
            Ok(expression) => Ok(Filter { expression }),
            Err(Fault::Broken { .. }) => {
                let cursor = parser.cursor;
                let (text, position, c) = (cursor.whole_text(), cursor.position, cursor.current()?);
                Err(cursor.invalid(format!("Failed to parse filter: {text}, error on position: {position}, char: {c}")))
            }
            Err(fault) => Err(fault),
        }
    }
}

struct FilterParser<'t> {
    cursor: Cursor<'t>,
    depth: usize,
}

impl FilterParser<'_> {
    fn whole(&mut self) -> Result<Expression, Fault> {
        let expression = self.or(self.depth)?;
        self.cursor.skip_blanks();
        if self.cursor.in_bounds(self.cursor.position) {
            let rest = self.cursor.text(self.cursor.position, self.cursor.end);
            return Err(self.cursor.invalid(format!("Expected end of filter expression instead of: {rest}")));
        }
        Ok(expression)
    }

    fn or(&mut self, depth: usize) -> Result<Expression, Fault> {
        self.chain(depth, "||", Self::and, Expression::Or)
    }

    fn and(&mut self, depth: usize) -> Result<Expression, Fault> {
        self.chain(depth, "&&", Self::operand, Expression::And)
    }

    fn chain(
        &mut self,
        depth: usize,
        operator: &str,
        part: fn(&mut Self, usize) -> Result<Expression, Fault>,
        join: fn(Vec<Expression>) -> Expression,
    ) -> Result<Expression, Fault> {
        let first = part(self, depth)?;
        let mut parts = vec![first];
        loop {
            let before = self.cursor.position;
            if !self.cursor.take_significant(operator) {
                self.cursor.position = before;
                break;
            }
            parts.push(part(self, depth)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { join(parts) })
    }

    fn operand(&mut self, depth: usize) -> Result<Expression, Fault> {
        if depth > MAX_NESTING {
            return Err(self.cursor.refused(format!("The path is nested deeper than {MAX_NESTING} levels")));
        }
        let before = self.cursor.skip_blanks().position;
        if self.cursor.current_is('!')? {
            self.cursor.read_significant('!')?;
            if matches!(self.cursor.skip_blanks().current()?, '$' | '@') {
                self.cursor.position = before;
            } else {
                return Ok(Expression::Not(Box::new(self.operand(depth + 1)?)));
            }
        }
        if self.cursor.skip_blanks().current_is('(')? {
            self.cursor.read_significant('(')?;
            let expression = self.or(depth + 1)?;
            self.cursor.read_significant(')')?;
            return Ok(expression);
        }
        self.relation()
    }

    fn relation(&mut self) -> Result<Expression, Fault> {
        let (left, wanted) = self.value()?;
        let before = self.cursor.position;
        match self.operator_and_right() {
            Ok((operator, right)) => return Ok(Expression::Relation(Box::new(Relation { left, operator, right }))),
            Err(Fault::Invalid { .. }) => self.cursor.position = before,
            Err(fault) => return Err(fault),
        }
        match left {
            Operand::Path(path) => Ok(Expression::Exists { path, wanted }),
            _ => Err(self.cursor.invalid("Expected path node")),
        }
    }

    fn operator_and_right(&mut self) -> Result<(Operator, Operand), Fault> {
        let operator = self.operator()?;
        Ok((operator, self.value()?.0))
    }

    /// A side of a comparison, and whether it should exist if it turns out to stand alone.
    fn value(&mut self) -> Result<(Operand, bool), Fault> {
        match self.cursor.skip_blanks().current()? {
            '$' | '@' => self.path(),
            '!' => {
                self.cursor.position += 1;
                match self.cursor.skip_blanks().current()? {
                    '$' | '@' => self.path(),
                    _ => Err(self.cursor.invalid("Unexpected character: !")),
                }
            }
            _ => Ok((self.literal()?, true)),
        }
    }

    fn literal(&mut self) -> Result<Operand, Fault> {
        match self.cursor.skip_blanks().current()? {
            quote @ ('\'' | '"') => self.text(quote),
            't' | 'f' => self.bool(),
            'n' => self.null(),
            open @ ('{' | '[') => self.json(open),
            '/' => self.pattern(),
            _ => self.number(),
        }
    }

    fn operator(&mut self) -> Result<Operator, Fault> {
        let begin = self.cursor.skip_blanks().position;
        let is_sign = is_operator_char(self.cursor.current()?);
        while self.cursor.in_bounds(self.cursor.position) {
            let c = self.cursor.current()?;
            if if is_sign { !is_operator_char(c) } else { c == ' ' } {
                break;
            }
            self.cursor.position += 1;
        }
        let written = self.cursor.text(begin, self.cursor.position);
        OPERATORS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&written))
            .map(|(_, operator)| *operator)
            .ok_or_else(|| self.cursor.invalid(format!("Filter operator {written} is not supported!")))
    }

    fn null(&mut self) -> Result<Operand, Fault> {
        if !self.takes_word("null") {
            return Err(self.cursor.invalid("Expected <null> value"));
        }
        Ok(Operand::Null)
    }

    fn bool(&mut self) -> Result<Operand, Fault> {
        for (word, value) in [("true", true), ("false", false)] {
            if self.takes_word(word) {
                return Ok(Operand::Bool(value));
            }
        }
        Err(self.cursor.invalid("Expected boolean literal"))
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let (begin, end) = (self.cursor.position, self.cursor.position + word.len());
        let found = self.cursor.in_bounds(end - 1) && self.cursor.slice(begin, end).iter().copied().eq(word.chars());
        if found {
            self.cursor.position = end;
        }
        found
    }

    fn json(&mut self, open: char) -> Result<Operand, Fault> {
        let begin = self.cursor.position;
        let close = if open == '[' { ']' } else { '}' };
        let Some(end) = self.cursor.matching_close(begin, open, close, false)? else {
            let text = self.cursor.whole_text();
            return Err(self.cursor.invalid(format!("String not closed. Expected ' in {text}")));
        };
        self.cursor.position = end + 1;
        let text = self.cursor.text(begin, end + 1);
        let value = literal::parse(&text);
        Ok(Operand::Json(Literal { text, value, elements: Default::default() }))
    }

    fn pattern(&mut self) -> Result<Operand, Fault> {
        let begin = self.cursor.position;
        let Some(close) = self.cursor.next_unescaped(begin, '/') else {
            let text = self.cursor.whole_text();
            return Err(self.cursor.invalid(format!("Pattern not closed. Expected / in {text}")));
        };
        let mut end = close + 1;
        while self.cursor.in_bounds(end) && pattern::FLAGS.contains(self.cursor.at(end)?) {
            end += 1;
        }
        self.cursor.position = end;
        let (text, flags) = (self.cursor.text(begin + 1, close), self.cursor.text(close + 1, end));
        match pattern::compile(&text, &flags) {
            Ok(regex) => Ok(Operand::Pattern(regex)),
            Err(PatternFault::Wrong) => Err(self.cursor.broken("The regular expression is wrong")),
            Err(PatternFault::Unsupported(why)) => Err(self.cursor.refused(why)),
        }
    }

    fn text(&mut self, quote: char) -> Result<Operand, Fault> {
        let begin = self.cursor.position;
        let Some(close) = self.cursor.next_unescaped(begin, quote) else {
            let text = self.cursor.whole_text();
            return Err(self
                .cursor
                .invalid(format!("String literal does not have matching quotes. Expected {quote} in {text}")));
        };
        self.cursor.position = close + 1;
        let text = self.cursor.text(begin + 1, close);
        unescape(&text).map(Operand::Text).map_err(|message| self.cursor.broken(message))
    }

    fn number(&mut self) -> Result<Operand, Fault> {
        let begin = self.cursor.position;
        while self.cursor.in_bounds(self.cursor.position) {
            let c = self.cursor.current()?;
            if !c.is_ascii_digit() && !matches!(c, '-' | '.' | 'E' | 'e') {
                break;
            }
            self.cursor.position += 1;
        }
        let text = self.cursor.text(begin, self.cursor.position);
        Decimal::parse(&text).map(Operand::Number).ok_or_else(|| self.cursor.broken(format!("{text} is not a number")))
    }

    fn path(&mut self) -> Result<(Operand, bool), Fault> {
        let negated = match self.cursor.previous_significant() {
            Some(index) => self.cursor.at(index)? == '!',
            None => false,
        };
        let begin = self.cursor.position;
        self.cursor.position += 1;
        while self.cursor.in_bounds(self.cursor.position) {
            if self.cursor.current_is('[')? {
                let Some(close) = self.cursor.matching_close(self.cursor.position, '[', ']', false)? else {
                    let text = self.cursor.whole_text();
                    return Err(self.cursor.invalid(format!("Square brackets does not match in filter {text}")));
                };
                self.cursor.position = close + 1;
            }
            let c = self.cursor.current()?;
            let ends = c == ')' && !self.closes_call(begin)?;
            if !self.cursor.in_bounds(self.cursor.position) || is_operator_char(c) || c == ' ' || ends {
                break;
            }
            self.cursor.position += 1;
        }
        let text = self.cursor.slice(begin, self.cursor.position);
        let path = compile(text, self.cursor.place(begin), self.depth + 1)?;
        Ok((Operand::Path(path), !negated))
    }

    /// Is the bracket here the one of `.length()`?
    fn closes_call(&self, begin: usize) -> Result<bool, Fault> {
        let Some(open) = self.cursor.previous_significant() else {
            return Ok(false);
        };
        Ok(self.cursor.at(open)? == '(' && (begin + 1..open).any(|index| self.cursor.at(index) == Ok('.')))
    }
}

fn is_operator_char(c: char) -> bool {
    matches!(c, '<' | '>' | '=' | '~' | '!')
}
