//! Settings from three places, the strongest first: flags, environment (both by clap), and one TOML file.
//!
//! ```toml
//! listen  = "127.0.0.1:8083"
//! data    = "/var/lib/stepwell"
//! account = "000000000000"
//! region  = "eu-central-1"
//! laptop  = true
//! aws     = false                      # whether services without an endpoint are called at real AWS
//! execution_logs = "stdout"            # or a file: what loggingConfiguration asks for, a JSON object a line
//! buckets = "./buckets"                # folders in it are buckets of the laptop's S3; DATA/s3 where absent
//! mock    = "mocks.json"               # answers for test cases, in the format of Step Functions Local
//!
//! [endpoints]
//! lambda = "http://127.0.0.1:9001"     # as AWS_ENDPOINT_URL_LAMBDA, but stronger
//! s3     = "aws"                       # real AWS; "laptop" is a laptop service
//! "dynamodb:getItem" = "aws"           # one operation goes its own way
//!
//! [roles."arn:aws:iam::123456789012:role/orders"]
//! profile = "orders"                   # calls at AWS for state machines of this role; or: assume = true
//!
//! [events]
//! status_changes = true                # whether EventBridge is told of starts and ends; each is but real AWS's, where absent
//!
//! [images]
//! "example/resize:1" = "./jobs/resize" # where the laptop's Batch finds an image's programs
//!
//! [functions.NAME]                     # a function of the laptop's Lambda; only the folder must be said
//! folder      = "./functions/price"
//! handler     = "app.lambda_handler"
//! runtime     = "python"               # python, node, or provided: an executable that speaks the Lambda Runtime API
//! timeout     = 3                      # seconds
//! memory      = 128                    # megabytes; told to the function, not enforced
//! concurrency = 10                     # invocations at once; more are refused
//! aliases     = ["live"]               # qualifiers that mean this code, beside $LATEST
//! environment = { TABLE = "orders" }
//!
//! [retention]
//! days      = 90                       # how long an execution is kept after its end
//! megabytes = 10000                    # how large the store may be before the oldest ended ones go
//!
//! [tracing]
//! endpoint = "http://127.0.0.1:4318"   # as OTEL_EXPORTER_OTLP_ENDPOINT, which is stronger
//!
//! [quotas]                             # AWS's are 100,000, 100,000, 1,000 and 100
//! state_machines = 1000
//! activities = 1000
//! versions = 1000                      # of one state machine
//! aliases = 100
//!
//! [throttle]                           # calls at once, and a second; more get a ThrottlingException
//! StartExecution = { bucket = 1300, per_second = 300 }
//!
//! [limits]
//! payload_bytes  = 262144
//! history_events = 25000
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use connectors::RoleSource;
use serde::Deserialize;

use crate::Failed;

/// The settings that `serve` and `run` share.
#[derive(Args, Clone, Debug, Default)]
pub struct Flags {
    /// Settings file (TOML); ./stepwell.toml is read where it exists
    #[arg(long, env = "STEPWELL_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Account id of ARNs; callers whose access key id has twelve digits have that account
    #[arg(long, env = "STEPWELL_ACCOUNT", value_name = "ID")]
    pub account: Option<String>,

    /// Region of ARNs and of calls to services
    #[arg(long, env = "STEPWELL_REGION", value_name = "REGION")]
    pub region: Option<String>,

    /// Answer SQS, SNS, Batch, Lambda, EventBridge, DynamoDB and S3 too, on the same port; jobs and functions run as
    /// processes, so this is for loopback only
    #[arg(long, env = "STEPWELL_LAPTOP")]
    pub laptop: bool,

    /// Call real AWS for services that have no endpoint here
    #[arg(long, env = "STEPWELL_AWS")]
    pub aws: bool,

    /// The folder whose folders are the buckets of the laptop's S3; s3 in the data directory where absent
    #[arg(long, env = "STEPWELL_BUCKETS", value_name = "FOLDER")]
    pub buckets: Option<PathBuf>,

    /// Mocked answers for test cases (Step Functions Local's MockConfigFile); executions of ARN#CASE take part
    #[arg(long, env = "SFN_MOCK_CONFIG", value_name = "FILE")]
    pub mock: Option<PathBuf>,

    /// A folder of programs that stands for a container image in the laptop's Batch
    #[arg(long = "image", value_name = "IMAGE=FOLDER")]
    pub images: Vec<String>,

    /// A folder with the code of a function of the laptop's Lambda
    #[arg(long = "function", value_name = "NAME=FOLDER")]
    pub functions: Vec<String>,

    /// Let Wait states and retries go by so many times faster, for tests of workflows; a server needs --laptop for it
    #[arg(long, env = "STEPWELL_TIME_SCALE", value_name = "TIMES")]
    pub time_scale: Option<f64>,

    /// Where the log events that state machines ask for go beside CloudWatch Logs: stdout, or a file that is appended to
    #[arg(long, env = "STEPWELL_EXECUTION_LOGS", value_name = "FILE")]
    pub execution_logs: Option<PathBuf>,

    /// What to log, for example info or engine=debug
    #[arg(long, env = "STEPWELL_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

/// The file.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub listen: Option<SocketAddr>,
    pub data: Option<PathBuf>,
    pub account: Option<String>,
    pub region: Option<String>,
    #[serde(default)]
    pub laptop: bool,
    #[serde(default)]
    pub aws: bool,
    pub time_scale: Option<f64>,
    pub log: Option<String>,
    pub execution_logs: Option<PathBuf>,
    pub buckets: Option<PathBuf>,
    pub mock: Option<PathBuf>,
    #[serde(default)]
    pub roles: BTreeMap<String, Role>,
    #[serde(default)]
    pub endpoints: BTreeMap<String, String>,
    #[serde(default)]
    pub events: Events,
    #[serde(default)]
    pub images: BTreeMap<String, PathBuf>,
    #[serde(default)]
    pub functions: BTreeMap<String, FunctionTable>,
    #[serde(default)]
    pub retention: Retention,
    #[serde(default)]
    pub tracing: Tracing,
    #[serde(default)]
    pub quotas: Quotas,
    #[serde(default)]
    pub throttle: BTreeMap<String, Rate>,
    #[serde(default)]
    pub limits: Limits,
}

/// What EventBridge is told.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Events {
    pub status_changes: Option<bool>,
}

/// A function of the laptop's Lambda.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct FunctionTable {
    pub folder: PathBuf,
    pub handler: Option<String>,
    pub runtime: Option<String>,
    /// Seconds.
    pub timeout: Option<u64>,
    /// Megabytes.
    pub memory: Option<u64>,
    pub concurrency: Option<usize>,
    #[serde(default)]
    pub aliases: Vec<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// How long executions are kept that are over.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    pub days: Option<f64>,
    pub megabytes: Option<u64>,
}

/// Where the spans go of state machines that have tracing enabled.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Tracing {
    /// An OpenTelemetry collector that takes OTLP over HTTP.
    pub endpoint: Option<String>,
}

/// Where the credentials of a state machine's role come from.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Role {
    /// A profile of the AWS tools.
    Profile(String),
    /// This installation's credentials assume the role.
    Assume(bool),
}

/// How many of a thing there may be.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    pub state_machines: Option<usize>,
    pub activities: Option<usize>,
    pub versions: Option<usize>,
    pub aliases: Option<usize>,
}

/// How often an operation may be called.
#[derive(Deserialize, Clone, Copy, Debug)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    pub bucket: f64,
    pub per_second: f64,
}

/// AWS's limits, raised or lowered. Absent ones stay as AWS has them.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub payload_bytes: Option<usize>,
    pub history_events: Option<u64>,
    pub inline_map_concurrency: Option<u32>,
    pub wait_seconds: Option<u64>,
}

/// What holds after all three places were asked.
#[derive(Debug)]
pub struct Settings {
    pub file: File,
    pub account: String,
    pub region: String,
    pub laptop: bool,
    pub aws: bool,
    pub time_scale: f64,
    pub mock: Option<PathBuf>,
    pub log: Option<String>,
    pub execution_logs: Option<PathBuf>,
    pub buckets: Option<PathBuf>,
    pub images: BTreeMap<String, PathBuf>,
    pub functions: BTreeMap<String, FunctionTable>,
}

/// Slower than the clock is of no use; a million makes eleven days of a second.
const TIME_SCALES: std::ops::RangeInclusive<f64> = 1.0..=1e6;

/// The name of the standard output where a file is meant.
pub const STDOUT: &str = "stdout";

/// Read where `--config` says nothing.
const DEFAULT_FILE: &str = "stepwell.toml";

impl Flags {
    pub fn resolve(&self) -> Result<Settings, Failed> {
        let path = match &self.config {
            Some(path) => Some(path.as_path()),
            None => Some(Path::new(DEFAULT_FILE)).filter(|path| path.exists()),
        };
        let file = match path {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let account = self.account.clone().or_else(|| file.account.clone()).unwrap_or_else(|| "000000000000".into());
        if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!("the account id {account} is not twelve digits").into());
        }
        let time_scale = self.time_scale.or(file.time_scale).unwrap_or(1.0);
        if !TIME_SCALES.contains(&time_scale) {
            return Err(format!("the time scale {time_scale} is not a number from 1 to a million").into());
        }
        let environment = aws::endpoint::process_environment();
        let region = self.region.clone().or_else(|| file.region.clone());
        let region = region.or_else(|| environment("AWS_REGION")).or_else(|| environment("AWS_DEFAULT_REGION"));
        let mut images = file.images.clone();
        for image in &self.images {
            let Some((name, folder)) = image.split_once('=') else {
                return Err(format!("--image {image}: IMAGE=FOLDER is meant").into());
            };
            images.insert(name.to_owned(), folder.into());
        }
        for folder in images.values_mut() {
            *folder = std::path::absolute(&*folder)?;
        }
        let mut functions = file.functions.clone();
        for function in &self.functions {
            let Some((name, folder)) = function.split_once('=') else {
                return Err(format!("--function {function}: NAME=FOLDER is meant").into());
            };
            functions.entry(name.to_owned()).or_default().folder = folder.into();
        }
        for function in functions.values_mut() {
            function.folder = std::path::absolute(&function.folder)?;
        }
        Ok(Settings {
            account,
            region: region.unwrap_or_else(|| "us-east-1".into()),
            laptop: self.laptop || file.laptop,
            aws: self.aws || file.aws,
            time_scale,
            mock: self.mock.clone().or_else(|| file.mock.clone()),
            log: self.log.clone().or_else(|| file.log.clone()),
            execution_logs: self.execution_logs.clone().or_else(|| file.execution_logs.clone()),
            buckets: self.buckets.clone().or_else(|| file.buckets.clone()),
            images,
            functions,
            file,
        })
    }
}

fn read(path: &Path) -> Result<File, Failed> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut file: File = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    // Folders in the file are meant from where the file lies.
    let home = path.parent().unwrap_or(Path::new(""));
    let logs = file.execution_logs.as_mut().filter(|path| *path != STDOUT);
    let functions = file.functions.values_mut().map(|function| &mut function.folder);
    let paths = file.images.values_mut().chain(&mut file.data).chain(&mut file.buckets);
    for path in paths.chain(functions).chain(logs).chain(&mut file.mock) {
        *path = home.join(&*path);
    }
    Ok(file)
}

/// AWS: 90 days.
const RETENTION_DAYS: f64 = 90.0;

const DAY_SECONDS: f64 = 86_400.0;

impl Settings {
    pub fn retention(&self) -> Result<engine::Retention, Failed> {
        let given = &self.file.retention;
        let seconds = given.days.unwrap_or(RETENTION_DAYS) * DAY_SECONDS;
        let age = Duration::try_from_secs_f64(seconds).map_err(|error| format!("retention.days: {error}"))?;
        Ok(engine::Retention { age: Some(age), bytes: given.megabytes.map(|megabytes| megabytes * 1_000_000) })
    }

    pub fn roles(&self) -> BTreeMap<String, RoleSource> {
        let source = |role: &Role| match role {
            Role::Profile(name) => Some(RoleSource::Profile(name.clone())),
            Role::Assume(assume) => assume.then_some(RoleSource::Assume),
        };
        self.file.roles.iter().filter_map(|(arn, role)| Some((arn.clone(), source(role)?))).collect()
    }

    pub fn quotas(&self) -> engine::Quotas {
        let (given, aws) = (&self.file.quotas, engine::Quotas::default());
        engine::Quotas {
            state_machines: given.state_machines,
            activities: given.activities,
            versions: given.versions.unwrap_or(aws.versions),
            aliases: given.aliases.unwrap_or(aws.aliases),
        }
    }

    pub fn throttle(&self) -> BTreeMap<String, server::Rate> {
        let rate = |rate: &Rate| server::Rate { bucket: rate.bucket, per_second: rate.per_second };
        self.file.throttle.iter().map(|(operation, given)| (operation.clone(), rate(given))).collect()
    }

    pub fn machine_limits(&self) -> machine::Limits {
        let given = &self.file.limits;
        let mut limits = machine::Limits::default();
        limits.payload_bytes = given.payload_bytes.unwrap_or(limits.payload_bytes);
        limits.events = given.history_events.unwrap_or(limits.events);
        limits.inline_concurrency = given.inline_map_concurrency.unwrap_or(limits.inline_concurrency);
        limits.time_scale = self.time_scale;
        limits.wait_seconds = given.wait_seconds.unwrap_or(limits.wait_seconds);
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_stronger_than_the_file() {
        let directory = tempfile::tempdir().expect("a directory");
        let config = directory.path().join("s.toml");
        let text = "account = \"111111111111\"\nregion = \"eu-west-1\"\n[images]\n\"a:1\" = \"jobs\"\n[functions.f]\nfolder = \"g\"\ntimeout = 5\n[limits]\nhistory_events = 50\n";
        std::fs::write(&config, text).expect("written");
        let flags = Flags {
            config: Some(config),
            account: Some("222222222222".into()),
            functions: vec!["f=/h".into()],
            ..Flags::default()
        };
        let settings = flags.resolve().expect("good settings");
        assert_eq!((settings.account.as_str(), settings.region.as_str()), ("222222222222", "eu-west-1"));
        assert_eq!(settings.images["a:1"], directory.path().join("jobs"));
        let function = &settings.functions["f"];
        assert_eq!(
            (function.folder.to_str(), function.timeout),
            (Some("/h"), Some(5)),
            "the flag says where, the file how"
        );
        assert_eq!(settings.machine_limits().events, 50);
    }

    #[test]
    fn what_the_file_does_not_know_is_told_with_its_place() {
        let directory = tempfile::tempdir().expect("a directory");
        let config = directory.path().join("s.toml");
        std::fs::write(&config, "acount = \"1\"\n").expect("written");
        let error = Flags { config: Some(config), ..Flags::default() }.resolve().expect_err("a wrong name");
        assert!(error.to_string().contains("unknown field `acount`"), "{error}");
    }
}
