//! The format on disk: a log that was written once must be read as long as there are installations that hold one.
//!
//! `tests/data/log-v2.bin` is such a log, of every kind of record: chunk after chunk, each as the length of its records
//! (4 bytes, little endian), the records, the length of its payloads, the payloads. A file of a version is never changed
//! again: when [`machine::codec::VERSION`] rises, the next one is written beside it, by
//! `cargo test -p machine --test heart write_the_golden_file -- --ignored`.

use std::collections::HashSet;
use std::path::PathBuf;

use insta::assert_snapshot;
use machine::codec::{Chunk, CodecError, Reader, VERSION, Writer, records};
use machine::record::Stage;
use machine::{Execution, Input, Record, Report, Status};

use crate::world::{World, failed, start, started, submitted, succeeded};

const DEFINITION: &str = r#"{"StartAt": "Pass", "States": {
    "Pass": {"Type": "Pass", "Parameters": {"items": [1, 2], "text": "é\"\\\n\u0000🚀", "n": -1.5e300}, "Next": "Wait"},
    "Wait": {"Type": "Wait", "Seconds": 3, "Next": "Parallel"},
    "Parallel": {"Type": "Parallel", "ResultPath": null, "Next": "Map",
        "Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": null, "Next": "Map"}],
        "Branches": [
            {"StartAt": "Job", "States": {"Job": {"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob.sync",
                "Parameters": {"JobName": "j", "JobQueue": "q", "JobDefinition": "d"}, "End": true}}},
            {"StartAt": "Inner", "States": {"Inner": {"Type": "Parallel", "End": true, "Branches": [
                {"StartAt": "Callback", "States": {"Callback": {"Type": "Task", "End": true, "HeartbeatSeconds": 4, "TimeoutSeconds": 9,
                    "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "Credentials": {"RoleArn": "arn:aws:iam::1:role/r"},
                    "Parameters": {"QueueUrl": "q", "MessageBody.$": "$$.Task.Token"}}}}]}}}]},
    "Map": {"Type": "Map", "ItemsPath": "$.items", "ResultPath": "$.mapped", "MaxConcurrency": 2, "Next": "Last",
        "Retry": [{"ErrorEquals": ["Again"], "JitterStrategy": "FULL"}],
        "ItemProcessor": {"StartAt": "Activity", "States": {"Activity": {"Type": "Task", "End": true,
            "Resource": "arn:aws:states:us-east-1:000000000000:activity:a"}}}},
    "Last": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 0, "Next": "Lambda"}]},
    "Lambda": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f", "TimeoutSeconds": 2, "End": true}}}"#;

/// What came with format 2.
const JSONATA: &str = r#"{"QueryLanguage": "JSONata", "StartAt": "M", "States": {
    "M": {"Type": "Map", "Items": "{% $states.input.in %}", "MaxConcurrency": "{% 1 %}", "ToleratedFailureCount": "{% 2 %}",
        "Assign": {"first": "{% $states.result[0] %}", "text": "é", "all": ["{% $states.input %}"]}, "Next": "W",
        "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": true}}}},
    "W": {"Type": "Wait", "Seconds": "{% $nope %}", "End": true}}}"#;

/// Short lives, which between them write every kind of record.
fn worlds() -> Vec<World> {
    let mut lives = Vec::new();
    let mut jsonata = World::new(JSONATA);
    jsonata.turn(vec![all_of_start()]);
    lives.push(jsonata);
    for end in [Status::Succeeded, Status::Failed, Status::TimedOut, Status::Aborted] {
        let definition = match end {
            Status::TimedOut => DEFINITION.replacen('{', r#"{"TimeoutSeconds": 100, "#, 1),
            _ => DEFINITION.to_owned(),
        };
        let mut world = World::new(&definition);
        world.turn(vec![all_of_start()]);
        world.wait(3);
        let tasks = world.tasks();
        for task in &tasks {
            world.report(*task, started());
            world.report(*task, submitted(r#"{"JobId": "j"}"#));
        }
        match end {
            Status::Succeeded => {
                world.report(tasks[1], failed("Boom", "why"));
            }
            // The callback is missed, and its neighbour is a job that is owed for now.
            _ => world.wait(4),
        }
        let owed: Vec<u64> = world.execution.debts.keys().copied().collect();
        world.turn(owed.into_iter().map(|task| Input::Settled { task }).collect());
        let iterations = world.tasks();
        world.report(iterations[0], Report::Started { worker: Some("worker".into()) });
        world.report(iterations[0], failed("Again", "not yet"));
        world.wait(2);
        if end == Status::TimedOut {
            world.wait(100);
        }
        if end == Status::Aborted {
            world.turn(vec![Input::Stop { error: None, cause: Some("enough".into()) }]);
        }
        for task in world.tasks() {
            world.report(task, succeeded(r#"{"done": "again and again"}"#));
        }
        for task in world.tasks() {
            world.report(task, started());
            let report = match end {
                Status::Succeeded => succeeded("null"),
                _ => Report::Failed { error: None, cause: None, stage: Stage::Submit },
            };
            world.report(task, report);
        }
        assert_eq!(world.execution.status, end, "{}", world.story());
        lives.push(world);
    }
    lives
}

/// With everything that a start may have.
fn all_of_start() -> Input {
    let Input::Start(mut started) = start(r#"{"in": [null, true]}"#) else { unreachable!("it is a start") };
    started.definition = [7; 32];
    started.version = Some("arn:aws:states:us-east-1:000000000000:stateMachine:m:3".into());
    started.alias = Some("arn:aws:states:us-east-1:000000000000:stateMachine:m:live".into());
    started.trace_header = Some("Root=1-5e1b4151-5ac6c58dc39a6b6f28cb9a1c".into());
    started.parent = Some("arn:aws:states:us-east-1:000000000000:execution:p:e".into());
    Input::Start(started)
}

fn path(version: u8) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/log-v{version}.bin"))
}

fn file() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut put = |part: &[u8]| {
        bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
        bytes.extend_from_slice(part);
    };
    for world in worlds() {
        put(&(world.chunks.len() as u32).to_le_bytes());
        for chunk in &world.chunks {
            put(&chunk.records);
            put(&chunk.payloads);
        }
    }
    bytes
}

/// The logs in a file.
fn read(mut bytes: &[u8]) -> Vec<Vec<Chunk>> {
    let mut take = || -> Option<Vec<u8>> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let (part, rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        bytes = rest;
        Some(part.to_vec())
    };
    let mut logs = Vec::new();
    while let Some(count) = take() {
        let count = u32::from_le_bytes(count.try_into().expect("four bytes"));
        logs.push(
            (0..count)
                .map(|_| Chunk { records: take().expect("records"), payloads: take().expect("payloads") })
                .collect(),
        );
    }
    logs
}

fn decode(chunks: &[Chunk]) -> Vec<Record> {
    let mut reader = Reader::default();
    let mut stored = Vec::new();
    for (number, chunk) in chunks.iter().enumerate() {
        reader.take(number as u32, &chunk.payloads).expect("payloads");
        stored.extend(records(&chunk.records).expect("records"));
    }
    reader.resolve(stored).expect("every payload")
}

#[test]
#[ignore = "writes the golden file of this version, once"]
fn write_the_golden_file() {
    std::fs::write(path(VERSION), file()).expect("the data folder is there");
}

fn golden(version: u8) -> Vec<Vec<Chunk>> {
    read(&std::fs::read(path(version)).expect("the golden file"))
}

#[test]
fn what_was_written_once_is_still_read() {
    for (version, kinds) in [(1, 26), (2, 29)] {
        let logs: Vec<Vec<Record>> = golden(version).iter().map(|chunks| decode(chunks)).collect();
        let found: HashSet<_> = logs.iter().flatten().map(|record| std::mem::discriminant(&record.body)).collect();
        assert_eq!(found.len(), kinds, "every kind of record is in the file");
        let mut meaning = String::new();
        for log in &logs {
            log.iter().for_each(|record| meaning += &format!("{record:?}\n"));
            let execution = Execution::fold(log);
            meaning += &format!("= {} {:?} {:?}\n\n", execution.status.name(), execution.output, execution.failure);
        }
        assert_snapshot!(format!("log-v{version}"), meaning);
    }
}

#[test]
fn the_same_is_written_still() {
    for chunks in golden(VERSION) {
        let (mut reader, mut writer) = (Reader::default(), Writer::default());
        let mut log = Vec::new();
        for (number, chunk) in (0..).zip(&chunks) {
            reader.take(number, &chunk.payloads).expect("payloads");
            let records = reader.resolve(records(&chunk.records).expect("records")).expect("every payload");
            let again = writer.encode(number, &records);
            assert!(again == *chunk, "the format has changed: raise machine::codec::VERSION, write a new golden file");
            // What nobody holds any more would be written again.
            log.extend(records);
        }
    }
}

#[test]
fn what_is_newer_cut_or_changed_is_refused() {
    let chunk = golden(VERSION)[0][0].clone();
    let mut newer = chunk.records.clone();
    newer[0] = VERSION + 1;
    assert!(matches!(records(&newer), Err(CodecError::Newer(version)) if version == VERSION + 1));
    assert!(matches!(records(&[]), Err(CodecError::Damaged(_))));
    for length in 1..chunk.records.len() {
        // What is cut is either seen at once, or is fewer payloads than its records name.
        if let Ok(cut) = records(&chunk.records[..length]) {
            assert!(cut.is_empty() || Reader::default().resolve(cut).is_err());
        }
    }
    for length in 1..chunk.payloads.len() {
        let mut reader = Reader::default();
        let cut = reader.take(0, &chunk.payloads[..length]);
        let resolved = cut.and_then(|()| reader.resolve(records(&chunk.records).expect("records")));
        assert!(resolved.is_err(), "{length} bytes of payloads are too few");
    }
}

/// Whatever the bytes are, nothing panics.
#[test]
fn noise_is_refused_without_a_panic() {
    let chunk = golden(VERSION)[0][0].clone();
    for place in 1..chunk.records.len() {
        for bit in 0..8 {
            let mut noisy = chunk.records.clone();
            noisy[place] ^= 1 << bit;
            let mut reader = Reader::default();
            reader.take(0, &chunk.payloads).expect("payloads");
            let _ = records(&noisy).and_then(|records| reader.resolve(records));
        }
    }
}
