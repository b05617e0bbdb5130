//! What TestState shows of a state: each stage of its data's way. Everybody else's states are watched by nobody.

use std::cell::RefCell;
use std::collections::BTreeMap;

use asl::Payload;

/// A stage, named as `inspectionData` names it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Shown {
    AfterInputPath,
    AfterParameters,
    AfterArguments,
    AfterItemsPath,
    AfterItemSelector,
    Result,
    AfterResultSelector,
    AfterResultPath,
}

impl Shown {
    pub fn name(self) -> &'static str {
        match self {
            Shown::AfterInputPath => "afterInputPath",
            Shown::AfterParameters => "afterParameters",
            Shown::AfterArguments => "afterArguments",
            Shown::AfterItemsPath => "afterItemsPath",
            Shown::AfterItemSelector => "afterItemSelector",
            Shown::Result => "result",
            Shown::AfterResultSelector => "afterResultSelector",
            Shown::AfterResultPath => "afterResultPath",
        }
    }
}

/// Remembers what it was shown.
#[derive(Default)]
pub(crate) struct Probe {
    pub payloads: RefCell<BTreeMap<Shown, Payload>>,
    /// Numbers, by their field.
    pub amounts: RefCell<BTreeMap<&'static str, f64>>,
}
