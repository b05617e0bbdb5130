//! The expression of a filter, `[?(@.price < 10 && @.tags)]`: what it is made of. How it is read is in `filter_parse`,
//! what its operators answer in `compare`.

use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;

use crate::compare::Elements;
use crate::decimal::Decimal;
use crate::token::Path;

#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) expression: Expression,
}

#[derive(Debug)]
pub(crate) enum Expression {
    Or(Vec<Expression>),
    And(Vec<Expression>),
    Not(Box<Expression>),
    /// A path alone: is anything there (or, after `!`, nothing)?
    Exists {
        path: Path,
        wanted: bool,
    },
    Relation(Box<Relation>),
}

#[derive(Debug)]
pub(crate) struct Relation {
    pub(crate) left: Operand,
    pub(crate) operator: Operator,
    pub(crate) right: Operand,
}

/// One side of a comparison.
#[derive(Debug)]
pub(crate) enum Operand {
    Path(Path),
    Text(String),
    Number(Decimal),
    Bool(bool),
    Null,
    /// A list or an object.
    Json(Literal),
    Pattern(Regex),
}

#[derive(Debug)]
pub(crate) struct Literal {
    pub(crate) text: String,
    /// `None` if the text is not even JSON in the most lenient reading, which is an error only once it is asked for.
    pub(crate) value: Option<Value>,
    pub(crate) elements: OnceLock<Elements>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    SameTypeEqual,
    SameTypeNotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    In,
    NotIn,
    Contains,
    All,
    Size,
    Empty,
    SubsetOf,
    AnyOf,
    NoneOf,
    Exists,
    /// Written in a path they can never be satisfied: what they compare with is given by Java programs only.
    Type,
    Predicate,
}

/// Operators as they are written, in any case of letters.
pub(crate) const OPERATORS: &[(&str, Operator)] = &[
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("==", Operator::Equal),
    ("===", Operator::SameTypeEqual),
    ("!=", Operator::NotEqual),
    ("!==", Operator::SameTypeNotEqual),
    ("<", Operator::Less),
    (">", Operator::Greater),
    ("=~", Operator::Matches),
    ("nin", Operator::NotIn),
    ("in", Operator::In),
    ("contains", Operator::Contains),
    ("all", Operator::All),
    ("size", Operator::Size),
    ("exists", Operator::Exists),
    ("type", Operator::Type),
    ("matches", Operator::Predicate),
    ("empty", Operator::Empty),
    ("subsetof", Operator::SubsetOf),
    ("anyof", Operator::AnyOf),
    ("noneof", Operator::NoneOf),
];
