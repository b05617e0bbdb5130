//! Answers from a file in place of those of services: the format of Step Functions Local's `MockConfigFile`.
//!
//! ```json
//! {
//!   "StateMachines": {
//!     "Orders": {"TestCases": {"HappyPath": {"Charge": "Charged"}, "Retries": {"Charge": "ChargedAtLast"}}}
//!   },
//!   "MockedResponses": {
//!     "Charged": {"0": {"Return": {"StatusCode": 200, "Payload": {"ok": true}}}},
//!     "ChargedAtLast": {
//!       "0-1": {"Throw": {"Error": "Lambda.TooManyRequestsException", "Cause": "later"}},
//!       "2": {"Return": {"StatusCode": 200, "Payload": {"ok": true}}}
//!     }
//!   }
//! }
//! ```
//!
//! An execution of `<state machine ARN>#HappyPath` takes part in a test case; a number is that of the state's attempt,
//! beginning at 0. States that the case does not name call their services. The file is read again when it has changed,
//! and what is wrong with it is told to whoever starts a test case, with its place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use asl::{Payload, Target};
use engine::port::{MockedTask, Played};
use serde::Deserialize;
use serde_json::Value;

use crate::failure::RUNTIME;

/// Larger files of answers are not written by anybody: a result has 256 KiB.
const MAX_FILE: u64 = 64 << 20;

/// The mock configuration, in whatever state its file is now.
pub struct Mocks {
    path: PathBuf,
    read: Mutex<Option<Read>>,
}

/// The file as it was when it was last looked at.
struct Read {
    changed: (Option<SystemTime>, u64),
    mocks: Result<Arc<Config>, String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Config {
    #[serde(default)]
    state_machines: BTreeMap<String, Machine>,
    #[serde(default)]
    mocked_responses: BTreeMap<String, Attempts>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Machine {
    /// By name: the responses of states.
    #[serde(default)]
    test_cases: BTreeMap<String, BTreeMap<String, String>>,
}

/// Responses by attempt (`0`) or range of attempts (`1-3`).
#[derive(Deserialize)]
#[serde(try_from = "BTreeMap<String, Response>")]
struct Attempts(Vec<(Range, Response)>);

#[derive(Clone, Copy)]
struct Range {
    first: u32,
    last: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
enum Response {
    Return(Value),
    Throw {
        #[serde(rename = "Error")]
        error: String,
        #[serde(rename = "Cause", default)]
        cause: Option<String>,
    },
}

impl TryFrom<BTreeMap<String, Response>> for Attempts {
    type Error = String;

    fn try_from(said: BTreeMap<String, Response>) -> Result<Attempts, String> {
        let mut attempts: Vec<(Range, Response)> = Vec::new();
        for (key, response) in said {
            let range = Range::parse(&key)
                .ok_or_else(|| format!("\"{key}\" is no attempt; \"0\" or a range such as \"1-3\" is meant"))?;
            if let Some((other, _)) = attempts.iter().find(|(other, _)| range.overlaps(*other)) {
                return Err(format!("the attempts {other} and {range} overlap"));
            }
            attempts.push((range, response));
        }
        attempts.sort_by_key(|(range, _)| range.first);
        Ok(Attempts(attempts))
    }
}

impl Range {
    fn parse(text: &str) -> Option<Range> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first <= last).then_some(Range { first, last })
    }

    fn overlaps(self, other: Range) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.first == self.last {
            true => write!(formatter, "{}", self.first),
            false => write!(formatter, "{}-{}", self.first, self.last),
        }
    }
}

impl Mocks {
    pub fn new(path: impl Into<PathBuf>) -> Mocks {
        Mocks { path: path.into(), read: Mutex::default() }
    }

    /// Whether the file can be read and makes sense; else what is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        self.config().map(|_| ())
    }

    /// Whether the machine of this name has the test case; else what to do.
    pub(crate) fn has_case(&self, machine: &str, case: &str) -> Result<(), String> {
        let config = self.config()?;
        let path = self.path.display();
        let Some(of_machine) = config.state_machines.get(machine) else {
            let known = listed(config.state_machines.keys());
            return Err(format!("{path} has no state machine {machine} in StateMachines (it has {known})"));
        };
        if of_machine.test_cases.contains_key(case) {
            return Ok(());
        }
        let known = listed(of_machine.test_cases.keys());
        Err(format!("{path} has no test case {case} in StateMachines.{machine}.TestCases (it has {known})"))
    }

    /// What is to be heard of a task; nothing where its state is not mocked.
    pub(crate) fn play(&self, task: &MockedTask<'_>) -> Option<Played> {
        match self.response(task) {
            Ok(played) => played,
            Err(reason) => Some(Played::Failed { error: RUNTIME.into(), cause: Some(reason) }),
        }
    }

    fn response(&self, task: &MockedTask<'_>) -> Result<Option<Played>, String> {
        let config = self.config()?;
        let case = config.state_machines.get(task.machine).and_then(|machine| machine.test_cases.get(task.case));
        let Some(name) =
            case.ok_or_else(|| self.has_case(task.machine, task.case).err().unwrap_or_default())?.get(task.state)
        else {
            return Ok(None);
        };
        let Attempts(attempts) = &config.mocked_responses[name];
        let Some((_, response)) = attempts.iter().find(|(range, _)| (range.first..=range.last).contains(&task.attempt))
        else {
            let known = listed(attempts.iter().map(|(range, _)| range));
            return Err(format!(
                "{}: MockedResponses.{name} says nothing of attempt {} of the state {} (it has {known})",
                self.path.display(),
                task.attempt,
                task.state
            ));
        };
        Ok(Some(match response {
            Response::Throw { error, cause } => Played::Failed { error: error.clone(), cause: cause.clone() },
            // A function that is called by its ARN gives its payload alone.
            Response::Return(Value::Object(answer))
                if task.resource.target == Target::Lambda && answer.contains_key("Payload") =>
            {
                Played::Succeeded(answer["Payload"].clone().into())
            }
            Response::Return(answer) => Played::Succeeded(Payload::from(answer.clone())),
        }))
    }

    /// The configuration of now: read again if the file's time or size has changed.
    fn config(&self) -> Result<Arc<Config>, String> {
        let changed = match std::fs::metadata(&self.path) {
            Ok(metadata) => (metadata.modified().ok(), metadata.len()),
            Err(error) => {
                return Err(format!("the mock configuration {} cannot be read: {error}", self.path.display()));
            }
        };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        match &*read {
            Some(read) if read.changed == changed => read.mocks.clone(),
            _ => {
                let mocks = read_file(&self.path, changed.1).map(Arc::new);
                *read = Some(Read { changed, mocks: mocks.clone() });
                mocks
            }
        }
    }
}

fn read_file(path: &Path, size: u64) -> Result<Config, String> {
    let wrong = |why: String| format!("the mock configuration {}: {why}", path.display());
    if size > MAX_FILE {
        return Err(wrong(format!("it is larger than {MAX_FILE} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    if !text.trim_start().starts_with('{') {
        return Err(wrong("a JSON object with StateMachines and MockedResponses is meant".into()));
    }
    let config: Config = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    for (machine, of_machine) in &config.state_machines {
        for (case, states) in &of_machine.test_cases {
            for (state, response) in states {
                if !config.mocked_responses.contains_key(response) {
                    let known = listed(config.mocked_responses.keys());
                    return Err(wrong(format!(
                        "StateMachines.{machine}.TestCases.{case}.{state} names the response {response}, which is not in \
                         MockedResponses (it has {known})"
                    )));
                }
            }
        }
    }
    Ok(config)
}

fn listed(names: impl Iterator<Item = impl std::fmt::Display>) -> String {
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use asl::Resource;

    use super::*;

    struct File(PathBuf);

    impl File {
        fn new(name: &str) -> File {
            File(std::env::temp_dir().join(format!("stepwell-mock-{}-{name}.json", std::process::id())))
        }

        fn write(&self, text: &str) -> &File {
            std::fs::write(&self.0, text).unwrap();
            self
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    const FILE: &str = r#"{
        "StateMachines": {"M": {"TestCases": {"Happy": {"A": "Ok", "F": "Function"}, "Sad": {"A": "AtLast"}}}},
        "MockedResponses": {
            "Ok": {"0": {"Return": {"a": 1}}},
            "Function": {"0": {"Return": {"StatusCode": 200, "Payload": [1]}}},
            "AtLast": {"0-1": {"Throw": {"Error": "E", "Cause": "C"}}, "2": {"Return": "done"}}
        }
    }"#;

    fn played(mocks: &Mocks, case: &str, state: &str, attempt: u32, resource: &str) -> String {
        let resource = Resource::parse(resource);
        match mocks.play(&MockedTask { machine: "M", case, state, attempt, resource: &resource }) {
            None => "not mocked".to_owned(),
            Some(Played::Succeeded(output)) => output.text().to_string(),
            Some(Played::Failed { error, cause }) => format!("{error}: {}", cause.unwrap_or_default()),
        }
    }

    #[test]
    fn answers_are_found_by_case_state_and_attempt() {
        let file = File::new("found");
        let mocks = Mocks::new(&file.write(FILE).0);
        let sqs = "arn:aws:states:::sqs:sendMessage";
        let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
        assert_eq!(played(&mocks, "Happy", "A", 0, sqs), r#"{"a":1}"#);
        assert_eq!(played(&mocks, "Happy", "F", 0, function), "[1]");
        assert_eq!(played(&mocks, "Happy", "F", 0, sqs), r#"{"StatusCode":200,"Payload":[1]}"#);
        assert_eq!(played(&mocks, "Happy", "B", 0, sqs), "not mocked");
        assert_eq!(played(&mocks, "Sad", "A", 0, sqs), "E: C");
        assert_eq!(played(&mocks, "Sad", "A", 1, sqs), "E: C");
        assert_eq!(played(&mocks, "Sad", "A", 2, sqs), r#""done""#);
        let missing = played(&mocks, "Sad", "A", 3, sqs);
        assert!(missing.starts_with("States.Runtime: ") && missing.ends_with("(it has 0-1, 2)"), "{missing}");
        assert!(mocks.has_case("M", "Happy").is_ok());
        assert!(mocks.has_case("M", "Other").unwrap_err().ends_with("(it has Happy, Sad)"));
        assert!(mocks.has_case("N", "Happy").unwrap_err().ends_with("(it has M)"));
    }

    #[test]
    fn the_file_is_read_again_when_it_changes() {
        let file = File::new("again");
        let mocks = Mocks::new(&file.0);
        assert!(mocks.check().unwrap_err().contains("cannot be read"));
        file.write("{}");
        assert!(mocks.has_case("M", "Happy").unwrap_err().ends_with("(it has none)"));
        file.write(FILE);
        assert!(mocks.has_case("M", "Happy").is_ok());
        file.write("{");
        assert!(mocks.has_case("M", "Happy").is_err());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let file = File::new("wrong");
        for (text, says) in [
            ("{]", "line 1"),
            ("[]", "a JSON object with StateMachines"),
            (r#"{"MockedResponses": {"R": {"x": {"Return": 1}}}}"#, "\"x\" is no attempt"),
            (r#"{"MockedResponses": {"R": {"2-1": {"Return": 1}}}}"#, "\"2-1\" is no attempt"),
            (r#"{"MockedResponses": {"R": {"0-2": {"Return": 1}, "2": {"Return": 1}}}}"#, "0-2 and 2 overlap"),
            (r#"{"MockedResponses": {"R": {"0": {"Give": 1}}}}"#, "unknown variant `Give`"),
            (r#"{"MockedResponses": {"R": {"0": {"Throw": {"Cause": "c"}}}}}"#, "missing field `Error`"),
            (
                r#"{"StateMachines": {"M": {"TestCases": {"C": {"S": "Nope"}}}}}"#,
                "StateMachines.M.TestCases.C.S names the response Nope",
            ),
        ] {
            // Each in a file of its own time: the clock of a file system may be coarse.
            let mocks = Mocks::new(&file.write(text).0);
            let error = mocks.check().unwrap_err();
            assert!(error.contains(says) && error.contains("stepwell-mock"), "{error}");
        }
    }
}
