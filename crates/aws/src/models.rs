//! The file of all service models, and the way to one of them.
//!
//! `data/models.bin` is written by `scripts/models/generate.py`, which also describes its form: an index, and one zstd
//! frame a service. Only the index is read at the first look-up; a service is decoded when it is asked for, once, and
//! kept. Nothing happens at start-up.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use ruzstd::decoding::FrameDecoder;
use serde::Deserialize;

use crate::model::{self, Service};

static FILE: &[u8] = include_bytes!("../data/models.bin");

const MAGIC: &[u8] = b"AWSMODEL";
/// Raised when the form of the file changes; the generator writes the same number.
const FORMAT: u32 = 1;
const HEAD: usize = 16;
/// The index of all 439 services is about 80 KB; a larger one is a broken file.
const MAX_INDEX: usize = 4 << 20;

/// What the index knows of a service without decoding its model.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The name in `arn:aws:states:::aws-sdk:<name>:<action>`, such as `sfn`.
    pub name: String,
    /// AWS's identifier of the service, such as `API Gateway`; environment variables and error names follow from it.
    pub service_id: String,
    /// The first label of the service's host names, such as `states`.
    pub endpoint_prefix: String,
    /// The service's name in the credential scope of a signature.
    pub signing_name: String,
    /// What stands before the operation in `X-Amz-Target`, for the JSON protocols.
    pub target_prefix: Option<String>,
    /// The service's host in AWS's main partition where that is not `<prefix>.<region>.amazonaws.com`; may hold
    /// `{region}`.
    pub host: Option<String>,
    /// The region that requests to that host are signed for, where it is always the same.
    pub host_region: Option<String>,
    offset: usize,
    length: usize,
    size: usize,
}

#[derive(Deserialize)]
struct Index {
    source: String,
    services: Vec<Entry>,
}

/// All service models of this build.
pub struct Models {
    source: String,
    entries: Vec<Entry>,
    frames: &'static [u8],
    decoded: Vec<OnceLock<Option<Arc<Service>>>>,
    by_name: HashMap<String, usize>,
    by_target: HashMap<String, usize>,
}

/// All service models of this build.
pub fn models() -> &'static Models {
    static MODELS: OnceLock<Models> = OnceLock::new();
    MODELS.get_or_init(|| Models::open(FILE).expect("data/models.bin is written by scripts/models and tested"))
}

/// Whether a state machine can call `aws-sdk:<service>:<action>`: names are exact here, and streams of events cannot be
/// called.
pub fn is_action(service: &str, action: &str) -> bool {
    let Some(model) = models().service(service) else { return false };
    let is_called_so = model.name == service || model.name.strip_suffix("service") == Some(service);
    let operation = model.operation(action).filter(|operation| operation.action() == action);
    is_called_so && operation.is_some_and(|operation| !model.streams(operation))
}

impl Models {
    fn open(file: &'static [u8]) -> Result<Models, String> {
        let head = file.get(..HEAD).ok_or("the file is shorter than its head")?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if &head[..8] != MAGIC || number(8) != FORMAT {
            return Err(format!("not a model file of format {FORMAT}"));
        }
        let end = HEAD + number(12) as usize;
        let index = file.get(HEAD..end).ok_or("the index is cut off")?;
        let text = unpack(index, MAX_INDEX).ok_or("the index cannot be unpacked")?;
        let index: Index = serde_json::from_slice(&text).map_err(|error| error.to_string())?;

        // Names that two services share go to the first row that claims them, strongest claim first.
        let mut by_name = HashMap::new();
        let claims: [fn(&Entry) -> String; 4] = [
            |entry| entry.name.clone(),
            |entry| plain(&entry.service_id),
            |entry| entry.endpoint_prefix.clone(),
            |entry| entry.signing_name.clone(),
        ];
        for claim in claims {
            for (at, entry) in index.services.iter().enumerate() {
                by_name.entry(claim(entry)).or_insert(at);
            }
        }
        let targets = index.services.iter().enumerate();
        let by_target = targets.filter_map(|(at, entry)| Some((entry.target_prefix.clone()?, at))).collect();
        let decoded = index.services.iter().map(|_| OnceLock::new()).collect();
        Ok(Models { source: index.source, entries: index.services, frames: &file[end..], decoded, by_name, by_target })
    }

    /// Where the models come from, such as `botocore 1.44.5`.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Every service of this build, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The service called `name`: the name of `aws-sdk:<name>`, else a service id, an endpoint prefix (`states`,
    /// `events`) or a signing name. `None` when this build has no such service.
    pub fn service(&self, name: &str) -> Option<Arc<Service>> {
        self.decode(self.find(name)?)
    }

    /// The index row of the service called `name`, found as in [`Models::service`].
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        Some(&self.entries[self.find(name)?])
    }

    /// The service whose operations are called `<prefix>.<Operation>` in `X-Amz-Target`.
    pub fn service_by_target(&self, prefix: &str) -> Option<Arc<Service>> {
        self.decode(*self.by_target.get(prefix)?)
    }

    /// Names that Java's SDK shortened (`databasemigration`) lack the `service` at their end.
    fn find(&self, name: &str) -> Option<usize> {
        let found = self.by_name.get(name).or_else(|| self.by_name.get(&plain(name)));
        found.or_else(|| self.by_name.get(&format!("{name}service"))).copied()
    }

    fn decode(&self, at: usize) -> Option<Arc<Service>> {
        let decode = || {
            let entry = &self.entries[at];
            let frame = self.frames.get(entry.offset..entry.offset + entry.length)?;
            let text = unpack(frame, entry.size)?;
            match model::Service::parse(&entry.name, &text) {
                Ok(service) => Some(Arc::new(service)),
                Err(error) => {
                    tracing::error!(service = entry.name, %error, "the service model cannot be read");
                    None
                }
            }
        };
        self.decoded[at].get_or_init(decode).clone()
    }
}

/// A name as `aws-sdk:` writes it: lower case, without separators.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn unpack(frame: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut decoder = FrameDecoder::new();
    decoder.init(frame).ok()?;
    let size = usize::try_from(decoder.content_size()).ok()?;
    if size > limit {
        return None;
    }
    // The decoder fills spare capacity only, so the text's own size is the bound.
    let mut text = Vec::with_capacity(size);
    FrameDecoder::new().decode_all_to_vec(frame, &mut text).ok()?;
    (text.len() == size).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_of_the_file_can_be_read() {
        for entry in models().entries() {
            let service = models().service(&entry.name).unwrap_or_else(|| panic!("{}", entry.name));
            assert_eq!(service.metadata.service_id, entry.service_id);
            assert!(service.operations().count() > 0);
        }
    }

    #[test]
    fn services_are_found_by_each_of_their_names() {
        for (asked, found) in [
            ("sqs", "sqs"),
            ("sfn", "sfn"),
            ("states", "sfn"),
            ("SFN", "sfn"),
            ("sns", "sns"),
            ("Batch", "batch"),
            ("lambda", "lambda"),
            ("sts", "sts"),
        ] {
            assert_eq!(models().service(asked).expect(asked).name, found);
        }
        assert!(models().service("nosuchservice").is_none());
        assert_eq!(models().service_by_target("AWSStepFunctions").unwrap().name, "sfn");
        assert_eq!(models().service_by_target("AmazonSQS").unwrap().name, "sqs");
    }

    #[test]
    fn actions_are_called_by_their_exact_names() {
        for (service, action, there) in [
            ("sfn", "startExecution", true),
            ("s3", "listObjectsV2", true),
            ("databasemigration", "describeEvents", true),
            ("ec2", "describeInstances", true),
            ("states", "startExecution", false),
            ("SQS", "sendMessage", false),
            ("sqs", "SendMessage", false),
            ("sqs", "sendMassage", false),
            ("kinesis", "subscribeToShard", false),
            ("nosuch", "action", false),
        ] {
            assert_eq!(is_action(service, action), there, "{service}:{action}");
        }
    }

    #[test]
    fn a_service_is_decoded_once() {
        assert!(Arc::ptr_eq(&models().service("sqs").unwrap(), &models().service("SQS").unwrap()));
    }

    #[test]
    fn broken_files_are_refused_in_words() {
        for (file, says) in [
            (&b"AWSMODEL"[..], "shorter"),
            (b"AWSMODEL\x09\0\0\0\0\0\0\0", "format"),
            (b"AWSMODEL\x01\0\0\0\xff\0\0\0", "cut off"),
            (b"AWSMODEL\x01\0\0\0\x02\0\0\0ab", "unpacked"),
        ] {
            let error = Models::open(file).err().expect(says);
            assert!(error.contains(says), "{error}");
        }
    }
}
