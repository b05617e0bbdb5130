//! The comparison operators of a Choice rule: one table for the check and for the program.

use crate::program::{Comparison, Order, TypeTest};

/// What a field such as `NumericLessThanPath` asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operator {
    Compare {
        comparison: Comparison,
        /// The operand is found by a path.
        by_path: bool,
    },
    Is(TypeTest),
}

/// What an operand must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wants {
    String,
    Number,
    Boolean,
    Timestamp,
    Path,
}

impl Operator {
    pub fn wants(self) -> Wants {
        match self {
            Operator::Compare { by_path: true, .. } => Wants::Path,
            Operator::Compare { comparison, .. } => match comparison {
                Comparison::String(_) | Comparison::StringMatches => Wants::String,
                Comparison::Numeric(_) => Wants::Number,
                Comparison::Timestamp(_) => Wants::Timestamp,
                Comparison::BooleanEquals => Wants::Boolean,
            },
            Operator::Is(_) => Wants::Boolean,
        }
    }
}

/// The operator of this name.
pub fn operator(name: &str) -> Option<Operator> {
    OPERATORS.iter().find(|row| row.0 == name).map(|row| row.1)
}

const fn value(comparison: Comparison) -> Operator {
    Operator::Compare { comparison, by_path: false }
}

const fn path(comparison: Comparison) -> Operator {
    Operator::Compare { comparison, by_path: true }
}

use Comparison::{BooleanEquals, Numeric, String, StringMatches, Timestamp};
use Order::{Equals, GreaterThan, GreaterThanEquals, LessThan, LessThanEquals};

/// All operators, in the Developer Guide's order.
pub const OPERATORS: &[(&str, Operator)] = &[
    ("BooleanEquals", value(BooleanEquals)),
    ("BooleanEqualsPath", path(BooleanEquals)),
    ("IsBoolean", Operator::Is(TypeTest::IsBoolean)),
    ("IsNull", Operator::Is(TypeTest::IsNull)),
    ("IsNumeric", Operator::Is(TypeTest::IsNumeric)),
    ("IsPresent", Operator::Is(TypeTest::IsPresent)),
    ("IsString", Operator::Is(TypeTest::IsString)),
    ("IsTimestamp", Operator::Is(TypeTest::IsTimestamp)),
    ("NumericEquals", value(Numeric(Equals))),
    ("NumericEqualsPath", path(Numeric(Equals))),
    ("NumericGreaterThan", value(Numeric(GreaterThan))),
    ("NumericGreaterThanPath", path(Numeric(GreaterThan))),
    ("NumericGreaterThanEquals", value(Numeric(GreaterThanEquals))),
    ("NumericGreaterThanEqualsPath", path(Numeric(GreaterThanEquals))),
    ("NumericLessThan", value(Numeric(LessThan))),
    ("NumericLessThanPath", path(Numeric(LessThan))),
    ("NumericLessThanEquals", value(Numeric(LessThanEquals))),
    ("NumericLessThanEqualsPath", path(Numeric(LessThanEquals))),
    ("StringEquals", value(String(Equals))),
    ("StringEqualsPath", path(String(Equals))),
    ("StringGreaterThan", value(String(GreaterThan))),
    ("StringGreaterThanPath", path(String(GreaterThan))),
    ("StringGreaterThanEquals", value(String(GreaterThanEquals))),
    ("StringGreaterThanEqualsPath", path(String(GreaterThanEquals))),
    ("StringLessThan", value(String(LessThan))),
    ("StringLessThanPath", path(String(LessThan))),
    ("StringLessThanEquals", value(String(LessThanEquals))),
    ("StringLessThanEqualsPath", path(String(LessThanEquals))),
    ("StringMatches", value(StringMatches)),
    ("TimestampEquals", value(Timestamp(Equals))),
    ("TimestampEqualsPath", path(Timestamp(Equals))),
    ("TimestampGreaterThan", value(Timestamp(GreaterThan))),
    ("TimestampGreaterThanPath", path(Timestamp(GreaterThan))),
    ("TimestampGreaterThanEquals", value(Timestamp(GreaterThanEquals))),
    ("TimestampGreaterThanEqualsPath", path(Timestamp(GreaterThanEquals))),
    ("TimestampLessThan", value(Timestamp(LessThan))),
    ("TimestampLessThanPath", path(Timestamp(LessThan))),
    ("TimestampLessThanEquals", value(Timestamp(LessThanEquals))),
    ("TimestampLessThanEqualsPath", path(Timestamp(LessThanEquals))),
];
