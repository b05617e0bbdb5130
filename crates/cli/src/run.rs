//! `stepwell run`: one execution in this process, without a server and without a trace.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use asl::check::fill;
use asl::{CheckOptions, Kind, Payload, Program, Syntax, Target};
use clap::Args;
use engine::Engine;
use engine::api::{CreateStateMachine, ExecutionDescription, HistoryQuery, MachineType, StartExecution};
use machine::Status;
use serde_json::json;
use store::MemoryStore;
use tokio::signal::unix::{SignalKind, signal};

use crate::check::{parse_values, read, syntax};
use crate::house::House;
use crate::progress::Progress;
use crate::settings::{Flags, Settings};
use crate::{Failed, logging, runtime};

/// Run one execution of a definition in this process
///
/// Progress goes to standard error, the output to standard output. Tasks reach services as they do in a server; where
/// they wait for a callback or an activity's worker, this process listens on a loopback port and says which. Exit code
/// 0: succeeded; 1: failed; 2: bad input; 3: timed out; 4: aborted.
#[derive(Args)]
pub struct Run {
    /// The definition, in JSON or YAML; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The execution's input: a JSON text, or the name of a file that holds one
    #[arg(long, short, value_name = "FILE|JSON", default_value = "{}")]
    input: String,

    /// Fill the placeholder ${NAME}
    #[arg(long = "set", value_name = "NAME=VALUE")]
    values: Vec<String>,

    /// Take part in this test case of the mock configuration (--mock)
    #[arg(long, value_name = "NAME")]
    case: Option<String>,

    /// Where to listen for callbacks and workers; a free loopback port where absent
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// History events and the outcome as JSON lines on standard output
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    flags: Flags,
}

/// How often the history is looked at for the next line.
const LOOK: Duration = Duration::from_millis(25);

/// A free port.
const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

impl Run {
    pub fn execute(self) -> Result<ExitCode, Failed> {
        let settings = self.flags.resolve()?;
        logging::start(settings.log.as_deref().or(Some("warn")), self.json);
        let definition = self.definition()?;
        let input = input(&self.input)?;
        let program = self.compile(&definition)?;
        runtime()?.block_on(self.run(&settings, definition, &program, input))
    }

    async fn run(
        &self,
        settings: &Settings,
        definition: String,
        program: &Program,
        input: Payload,
    ) -> Result<ExitCode, Failed> {
        let scratch = tempfile::tempdir()?;
        let store = Arc::new(MemoryStore::new());
        let house = House::open(settings, store, self.listen.unwrap_or(ANY_PORT), scratch.path()).await?;
        if self.listen.is_some() || settings.laptop || waits(program) {
            eprintln!("listening on {}", house.url());
        }
        let name = self.file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let name = name.split('.').next().unwrap_or_default();
        let name = if engine::check_name(name).is_ok() { name } else { "machine" };
        let machine = CreateStateMachine {
            account: settings.account.clone(),
            name: name.to_owned(),
            definition,
            role: format!("arn:aws:iam::{}:role/stepwell-run", settings.account),
            machine_type: MachineType::Standard,
            logging: None,
            tracing: None,
            encryption: None,
            tags: Vec::new(),
            publish: None,
        };
        let machine = house.engine.create_state_machine(machine).await?.machine;
        let machine = match &self.case {
            Some(case) => format!("{}#{case}", machine.arn),
            None => machine.arn.to_string(),
        };
        let start = StartExecution { machine, name: None, input, trace_header: None, parent: None };
        // Listened for before anything is shown, so that an interrupt always stops the execution in order.
        let mut interrupt = signal(SignalKind::interrupt())?;
        let execution = house.engine.start_execution(start).await?.arn;
        let stop = house.engine.clone();
        let stopped = execution.clone();
        tokio::spawn(async move {
            if interrupt.recv().await.is_some() {
                let _ = stop.stop_execution(&stopped, None, Some("interrupted".into())).await;
            }
        });
        let outcome = self.watch(&house.engine, &execution).await?;
        house.close().await;
        Ok(self.tell(&outcome))
    }

    /// Shows the history as it grows, until the execution is over.
    async fn watch(&self, engine: &Engine, execution: &str) -> Result<ExecutionDescription, Failed> {
        let mut progress = Progress::default();
        let mut from = 1;
        loop {
            let outcome = engine.describe_execution(execution).await?;
            loop {
                let query = HistoryQuery {
                    execution: execution.into(),
                    from: Some(from),
                    limit: 1000,
                    reverse: false,
                    data: true,
                };
                let page = engine.history(query).await?;
                from += page.events.len() as u64;
                for event in page.events {
                    match self.json {
                        true => println!("{event}"),
                        false => progress.line(&event).into_iter().for_each(|line| eprintln!("{line}")),
                    }
                }
                if page.next.is_none() {
                    break;
                }
            }
            if outcome.status != Status::Running {
                return Ok(outcome);
            }
            let _ = tokio::time::timeout(LOOK, engine.finished(execution)).await;
        }
    }

    fn tell(&self, outcome: &ExecutionDescription) -> ExitCode {
        if self.json {
            let failure = outcome.failure.as_ref();
            let told = json!({
                "status": outcome.status.name(),
                "output": outcome.output.as_ref().map(Payload::value),
                "error": failure.and_then(|f| f.error.as_deref()),
                "cause": failure.and_then(|f| f.cause.as_deref()),
            });
            println!("{told}");
        } else if let Some(output) = &outcome.output {
            println!("{}", output.text());
        }
        ExitCode::from(match outcome.status {
            Status::Succeeded => 0,
            Status::Failed | Status::Running => 1,
            Status::TimedOut => 3,
            Status::Aborted => 4,
        })
    }

    /// The definition as JSON text, its placeholders filled.
    fn definition(&self) -> Result<String, Failed> {
        let values = parse_values(&self.values)?;
        let text = fill(&read(&self.file)?, |name| values.get(name).cloned());
        match syntax(&self.file) {
            Syntax::Json => Ok(text),
            Syntax::Yaml => {
                let read = asl::parse::yaml::read(&text);
                let read = read.map_err(|error| format!("{}: {}", self.file.display(), error.message))?;
                Ok(read.map(|node| node.to_value().to_string()).unwrap_or_default())
            }
        }
    }

    fn compile(&self, definition: &str) -> Result<Program, Failed> {
        let checked = asl::check(definition, &CheckOptions { is_action: aws::is_action, ..CheckOptions::default() });
        let errors: Vec<_> = checked.diagnostics.iter().filter(|d| d.is_error()).map(|d| format!("\n  {d}")).collect();
        let file = self.file.display();
        match (checked.program, checked.unsupported) {
            (Some(program), _) => Ok(program),
            (None, Some(reason)) => Err(format!("{file}: {reason}").into()),
            (None, None) => {
                Err(format!("{file} is wrong (stepwell check {file} shows where):{}", errors.concat()).into())
            }
        }
    }
}

/// Whether somebody outside must call this process for the execution to go on.
fn waits(program: &Program) -> bool {
    program.states.iter().any(|state| match &state.kind {
        Kind::Task(task) => match &task.resource.target {
            Target::Activity => true,
            Target::Integration { pattern, .. } => *pattern == asl::Pattern::WaitForTaskToken,
            _ => false,
        },
        _ => false,
    })
}

/// A JSON text, or the file of that name.
fn input(text: &str) -> Result<Payload, Failed> {
    let read = match std::fs::read_to_string(Path::new(text)) {
        Ok(read) => read,
        Err(_) => text.to_owned(),
    };
    Payload::parse(read)
        .map_err(|error| format!("the input is not JSON and no file of that name can be read: {error}").into())
}
