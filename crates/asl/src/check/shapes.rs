//! Which fields belong where: the States Language as tables.
//!
//! A [`Shape`] lists an object's fields, and for each its query language and the [`Rule`] for its value. The sets of
//! fields per state type, the ranges and the order of names in AWS's texts are what AWS was measured to accept and to
//! say; what no table can tell (transitions, resources, States.ALL) is code in the files beside this one.

use crate::QueryLanguage::{self, JsonPath, Jsonata};

/// An object and its fields.
pub struct Shape {
    /// AWS lists what is missing in this order.
    pub required: &'static [&'static str],
    /// Pieces, as many shapes share some.
    pub fields: &'static [&'static [Field]],
    pub choices: &'static [OneOf],
}

impl Shape {
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.all().find(|field| field.name == name)
    }

    pub fn all(&self) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().copied().flatten()
    }
}

pub struct Field {
    pub name: &'static str,
    /// The only query language that has it.
    pub language: Option<QueryLanguage>,
    pub rule: Rule,
}

/// Fields that exclude each other.
pub struct OneOf {
    /// AWS lists them in this order.
    pub names: &'static [&'static str],
    pub required: bool,
}

/// What a field's value must be.
pub enum Rule {
    Any,
    Text,
    /// A string that JSONata may compute.
    Words,
    Flag,
    /// A whole number; JSONata may compute it.
    Integer {
        min: u64,
        max: u64,
    },
    Number {
        min: f64,
        max: f64,
    },
    Word(&'static [&'static str]),
    /// `QueryLanguage`.
    Language,
    /// A JSONPath, `null` too.
    Path,
    /// A reference path; `null` too where `nullable`, into the context object too where `context`.
    ReferencePath {
        nullable: bool,
        context: bool,
    },
    /// `ErrorPath`, `CausePath`: a path or an intrinsic function.
    PathOrIntrinsic,
    /// A payload template: `.$` fields are evaluated.
    Template,
    /// JSON whose strings may be JSONata.
    Expression,
    /// Variables and their values.
    Assign,
    Timestamp,
    /// A Task's `Resource`.
    Resource,
    /// A `Resource` that is one of these, written without their partition.
    S3(&'static [&'static str]),
    Credentials,
    Label,
    Object(&'static Shape),
    List(&'static Rule),
    /// `ErrorEquals` and the place of States.ALL.
    Handlers(&'static Shape),
    /// `Choices`.
    ChoiceRules,
    /// `States`, a branch's too.
    States,
}

const ANY_REFERENCE: Rule = Rule::ReferencePath { nullable: false, context: false };

const fn both(name: &'static str, rule: Rule) -> Field {
    Field { name, language: None, rule }
}

const fn jsonpath(name: &'static str, rule: Rule) -> Field {
    Field { name, language: Some(JsonPath), rule }
}

const fn jsonata(name: &'static str, rule: Rule) -> Field {
    Field { name, language: Some(Jsonata), rule }
}

const fn one_of(names: &'static [&'static str]) -> OneOf {
    OneOf { names, required: true }
}

const fn at_most_one(names: &'static [&'static str]) -> OneOf {
    OneOf { names, required: false }
}

/// The longest timeout and wait in seconds.
const MAX_SECONDS: u64 = 99_999_999;
/// The longest delay between two attempts: 366 days.
const MAX_DELAY_SECONDS: u64 = 31_622_400;
/// The most items a reader hands out.
const MAX_READ_ITEMS: u64 = 100_000_000;
/// The largest batch: what an execution's input may hold.
const MAX_BATCH_BYTES: u64 = 262_144;

const SECONDS: Rule = Rule::Integer { min: 1, max: MAX_SECONDS };
const COUNT: Rule = Rule::Integer { min: 0, max: u64::MAX };

pub const MACHINE: Shape = Shape {
    required: &["States", "StartAt"],
    fields: &[&[
        both("Comment", Rule::Text),
        both("QueryLanguage", Rule::Language),
        both("StartAt", Rule::Text),
        both("States", Rule::States),
        both("TimeoutSeconds", Rule::Integer { min: 0, max: MAX_SECONDS }),
        both("Version", Rule::Word(&["1.0"])),
    ]],
    choices: &[],
};

const BRANCH: Shape = Shape { required: &["States", "StartAt"], fields: &[SCOPE], choices: &[] };

const PROCESSOR: Shape = Shape {
    required: &["States", "StartAt"],
    fields: &[&[both("ProcessorConfig", Rule::Object(&PROCESSOR_CONFIG))], SCOPE],
    choices: &[],
};

const SCOPE: &[Field] = &[both("Comment", Rule::Text), both("StartAt", Rule::Text), both("States", Rule::States)];

const PROCESSOR_CONFIG: Shape = Shape {
    required: &[],
    fields: &[&[
        both("Mode", Rule::Word(&["INLINE", "DISTRIBUTED"])),
        both("ExecutionType", Rule::Word(&["STANDARD", "EXPRESS"])),
    ]],
    choices: &[],
};

/// The state types, in the order in which AWS lists them, and their fields.
pub const STATES: &[(&str, Shape)] = &[
    (
        "Task",
        Shape {
            required: &["Resource"],
            fields: &[STATE, PATHS, NEXT, ASSIGN, OUTPUT, PARAMETERS, ARGUMENTS, RESULT, HANDLERS, TASK],
            choices: &[
                one_of(&["Next", "End"]),
                at_most_one(&["TimeoutSeconds", "TimeoutSecondsPath"]),
                at_most_one(&["HeartbeatSeconds", "HeartbeatSecondsPath"]),
            ],
        },
    ),
    (
        "Wait",
        Shape {
            required: &[],
            fields: &[STATE, PATHS, NEXT, ASSIGN, OUTPUT, WAIT],
            choices: &[one_of(&["Next", "End"]), one_of(&["SecondsPath", "Seconds", "TimestampPath", "Timestamp"])],
        },
    ),
    (
        "Pass",
        Shape {
            required: &[],
            fields: &[STATE, PATHS, NEXT, ASSIGN, OUTPUT, PARAMETERS, RESULT_PATH, PASS],
            choices: &[one_of(&["Next", "End"])],
        },
    ),
    ("Succeed", Shape { required: &[], fields: &[STATE, PATHS, OUTPUT], choices: &[] }),
    (
        "Fail",
        Shape {
            required: &[],
            fields: &[STATE, FAIL],
            choices: &[at_most_one(&["Error", "ErrorPath"]), at_most_one(&["Cause", "CausePath"])],
        },
    ),
    (
        "Choice",
        Shape {
            required: &["Choices"],
            fields: &[STATE, PATHS, ASSIGN, OUTPUT, &[both("Choices", Rule::ChoiceRules), both("Default", Rule::Text)]],
            choices: &[],
        },
    ),
    (
        "Parallel",
        Shape {
            required: &["Branches"],
            fields: &[STATE, PATHS, NEXT, ASSIGN, OUTPUT, PARAMETERS, ARGUMENTS, RESULT, HANDLERS, PARALLEL],
            choices: &[one_of(&["Next", "End"])],
        },
    ),
    (
        "Map",
        Shape {
            required: &[],
            fields: &[STATE, PATHS, NEXT, ASSIGN, OUTPUT, PARAMETERS, RESULT, HANDLERS, MAP],
            choices: &[
                one_of(&["Next", "End"]),
                one_of(&["ItemProcessor", "Iterator"]),
                at_most_one(&["Parameters", "ItemSelector"]),
                at_most_one(&["MaxConcurrency", "MaxConcurrencyPath"]),
                at_most_one(&["ToleratedFailurePercentage", "ToleratedFailurePercentagePath"]),
                at_most_one(&["ToleratedFailureCount", "ToleratedFailureCountPath"]),
            ],
        },
    ),
];

/// The shape of a state type.
pub fn state(kind: &str) -> Option<&'static Shape> {
    STATES.iter().find(|(name, _)| *name == kind).map(|(_, shape)| shape)
}

const STATE: &[Field] = &[both("Type", Rule::Any), both("Comment", Rule::Text), both("QueryLanguage", Rule::Language)];
const PATHS: &[Field] = &[jsonpath("InputPath", Rule::Path), jsonpath("OutputPath", Rule::Path)];
const NEXT: &[Field] = &[both("Next", Rule::Text), both("End", Rule::Flag)];
const ASSIGN: &[Field] = &[both("Assign", Rule::Assign)];
const OUTPUT: &[Field] = &[jsonata("Output", Rule::Expression)];
const PARAMETERS: &[Field] = &[jsonpath("Parameters", Rule::Template)];
const ARGUMENTS: &[Field] = &[jsonata("Arguments", Rule::Expression)];
const RESULT_PATH: &[Field] = &[jsonpath("ResultPath", Rule::ReferencePath { nullable: true, context: false })];
const RESULT: &[Field] = &[
    jsonpath("ResultSelector", Rule::Template),
    jsonpath("ResultPath", Rule::ReferencePath { nullable: true, context: false }),
];
const HANDLERS: &[Field] = &[both("Retry", Rule::Handlers(&RETRIER)), both("Catch", Rule::Handlers(&CATCHER))];

const TASK: &[Field] = &[
    both("Resource", Rule::Resource),
    both("TimeoutSeconds", SECONDS),
    jsonpath("TimeoutSecondsPath", ANY_REFERENCE),
    both("HeartbeatSeconds", SECONDS),
    jsonpath("HeartbeatSecondsPath", ANY_REFERENCE),
    both("Credentials", Rule::Credentials),
];

const WAIT: &[Field] = &[
    both("Seconds", Rule::Integer { min: 0, max: MAX_SECONDS }),
    both("Timestamp", Rule::Timestamp),
    jsonpath("SecondsPath", ANY_REFERENCE),
    jsonpath("TimestampPath", ANY_REFERENCE),
];

const PASS: &[Field] = &[jsonpath("Result", Rule::Any)];

const FAIL: &[Field] = &[
    both("Error", Rule::Words),
    jsonpath("ErrorPath", Rule::PathOrIntrinsic),
    both("Cause", Rule::Words),
    jsonpath("CausePath", Rule::PathOrIntrinsic),
];

const PARALLEL: &[Field] = &[both("Branches", Rule::List(&Rule::Object(&BRANCH)))];

const MAP: &[Field] = &[
    both("ItemProcessor", Rule::Object(&PROCESSOR)),
    both("Iterator", Rule::Object(&PROCESSOR)),
    jsonata("Items", Rule::Expression),
    jsonpath("ItemsPath", Rule::ReferencePath { nullable: false, context: true }),
    both("ItemSelector", Rule::Template),
    both("MaxConcurrency", COUNT),
    jsonpath("MaxConcurrencyPath", ANY_REFERENCE),
    both("ToleratedFailurePercentage", Rule::Number { min: 0.0, max: 100.0 }),
    jsonpath("ToleratedFailurePercentagePath", ANY_REFERENCE),
    both("ToleratedFailureCount", COUNT),
    jsonpath("ToleratedFailureCountPath", ANY_REFERENCE),
    both("Label", Rule::Label),
    both("ItemReader", Rule::Object(&ITEM_READER)),
    both("ItemBatcher", Rule::Object(&ITEM_BATCHER)),
    both("ResultWriter", Rule::Object(&RESULT_WRITER)),
];

/// Fields that a Map has only in DISTRIBUTED mode.
pub const DISTRIBUTED_ONLY: &[&str] = &["ItemReader", "ItemBatcher", "ResultWriter"];

const RETRIER: Shape = Shape {
    required: &["ErrorEquals"],
    fields: &[&[
        both("ErrorEquals", Rule::List(&Rule::Text)),
        both("IntervalSeconds", Rule::Integer { min: 0, max: MAX_SECONDS }),
        both("MaxAttempts", Rule::Integer { min: 0, max: MAX_SECONDS }),
        both("BackoffRate", Rule::Number { min: 1.0, max: f64::MAX }),
        both("MaxDelaySeconds", Rule::Integer { min: 1, max: MAX_DELAY_SECONDS }),
        both("JitterStrategy", Rule::Word(&["NONE", "FULL"])),
        both("Comment", Rule::Text),
    ]],
    choices: &[],
};

const CATCHER: Shape = Shape {
    required: &["ErrorEquals", "Next"],
    fields: &[
        &[
            both("ErrorEquals", Rule::List(&Rule::Text)),
            both("Next", Rule::Text),
            both("Comment", Rule::Text),
            jsonpath("ResultPath", Rule::ReferencePath { nullable: true, context: false }),
        ],
        ASSIGN,
        OUTPUT,
    ],
    choices: &[],
};

const ITEM_READER: Shape = Shape {
    required: &["Resource"],
    fields: &[
        &[
            both("Resource", Rule::S3(&["s3:getObject", "s3:listObjectsV2"])),
            both("ReaderConfig", Rule::Object(&READER_CONFIG)),
        ],
        PARAMETERS,
        ARGUMENTS,
    ],
    choices: &[],
};

const READER_CONFIG: Shape = Shape {
    required: &[],
    fields: &[&[
        both("InputType", Rule::Word(&["CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"])),
        both("Transformation", Rule::Word(&["NONE", "LOAD_AND_FLATTEN"])),
        both("ManifestType", Rule::Word(&["ATHENA_DATA", "S3_INVENTORY"])),
        both("CSVDelimiter", Rule::Word(&["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"])),
        both("CSVHeaderLocation", Rule::Word(&["FIRST_ROW", "GIVEN"])),
        both("CSVHeaders", Rule::List(&Rule::Text)),
        both("ItemsPointer", Rule::Text),
        both("MaxItems", Rule::Integer { min: 0, max: MAX_READ_ITEMS }),
        jsonpath("MaxItemsPath", ANY_REFERENCE),
    ]],
    choices: &[at_most_one(&["MaxItems", "MaxItemsPath"])],
};

const ITEM_BATCHER: Shape = Shape {
    required: &[],
    fields: &[&[
        both("BatchInput", Rule::Template),
        both("MaxItemsPerBatch", COUNT),
        jsonpath("MaxItemsPerBatchPath", ANY_REFERENCE),
        both("MaxInputBytesPerBatch", Rule::Integer { min: 0, max: MAX_BATCH_BYTES }),
        jsonpath("MaxInputBytesPerBatchPath", ANY_REFERENCE),
    ]],
    choices: &[
        at_most_one(&["MaxItemsPerBatch", "MaxItemsPerBatchPath"]),
        at_most_one(&["MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"]),
    ],
};

const RESULT_WRITER: Shape = Shape {
    required: &[],
    fields: &[
        &[both("Resource", Rule::S3(&["s3:putObject"])), both("WriterConfig", Rule::Object(&WRITER_CONFIG))],
        PARAMETERS,
        ARGUMENTS,
    ],
    choices: &[],
};

const WRITER_CONFIG: Shape = Shape {
    required: &[],
    fields: &[&[
        both("OutputType", Rule::Word(&["JSON", "JSONL"])),
        both("Transformation", Rule::Word(&["NONE", "COMPACT", "FLATTEN"])),
    ]],
    choices: &[],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, shape: &Shape) {
        let names: Vec<_> = shape.all().map(|field| field.name).collect();
        for wanted in shape.required.iter().chain(shape.choices.iter().flat_map(|choice| choice.names)) {
            assert!(names.contains(wanted), "{name} has no field {wanted}");
        }
        for (index, field) in names.iter().enumerate() {
            assert!(!names[..index].contains(field), "{name} has {field} twice");
        }
    }

    #[test]
    fn the_tables_agree_with_themselves() {
        for (name, shape) in STATES {
            check(name, shape);
        }
        let others = [
            ("machine", &MACHINE),
            ("branch", &BRANCH),
            ("processor", &PROCESSOR),
            ("retrier", &RETRIER),
            ("catcher", &CATCHER),
            ("reader", &ITEM_READER),
            ("reader config", &READER_CONFIG),
            ("batcher", &ITEM_BATCHER),
            ("writer", &RESULT_WRITER),
        ];
        for (name, shape) in others {
            check(name, shape);
        }
    }
}
