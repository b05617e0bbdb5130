//! The processes of one function: how many may run, which are idle, and when their code is too old.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Semaphore;

use super::folder::fingerprint;
use super::log::Log;
use super::runtime_api::Invocation;
use super::sandbox::{Outcome, Plan, Sandbox};
use super::settings::{Function, Kind, Launch, PYTHON};

/// Invocations of one function at once where nobody says how many: more wait, because a laptop is small.
const AT_ONCE: usize = 32;
/// How long an invocation waits for its turn before it is refused.
const PATIENCE: Duration = Duration::from_secs(60);
/// A process that nobody has used for so long is ended.
const IDLE: Duration = Duration::from_secs(600);

/// Where the pools keep their files, and what every function finds in its environment.
pub struct Place {
    /// `bootstrap.py`, `bootstrap.mjs` and `logs/` lie here.
    pub directory: PathBuf,
    pub environment: BTreeMap<String, String>,
}

pub struct Pool {
    pub name: String,
    pub function: Function,
    free: Semaphore,
    idle: Mutex<Vec<Sandbox>>,
    /// What `python3` is in the function's folder, once somebody has looked.
    python: OnceLock<PathBuf>,
    place: Arc<Place>,
}

/// As many invocations are under way as may be.
#[derive(Debug)]
pub enum Busy {
    /// The function's own concurrency is used up.
    Reserved,
    /// Its turn did not come in time.
    Waited,
}

impl Pool {
    pub fn new(name: &str, function: Function, place: Arc<Place>) -> Self {
        let free = Semaphore::new(function.concurrency.unwrap_or(AT_ONCE));
        Self { name: name.to_owned(), function, free, idle: Mutex::default(), python: OnceLock::new(), place }
    }

    /// Find what `python3` is. Version managers put a script in its place that takes longer to start than Python itself.
    pub async fn find_python(&self) {
        let is_looked_for = |launch: Launch| launch.kind == Kind::Python && launch.program == Path::new(PYTHON);
        if !self.function.launch().is_ok_and(is_looked_for) {
            return;
        }
        let mut command = Command::new(PYTHON);
        command.args(["-I", "-c", "import sys; print(sys.executable)"]).current_dir(&self.function.folder);
        command.stdin(Stdio::null()).kill_on_drop(true);
        if let Ok(Ok(told)) = tokio::time::timeout(PATIENCE, command.output()).await {
            let path = PathBuf::from(String::from_utf8_lossy(&told.stdout).trim());
            if path.is_file() {
                let _ = self.python.set(path);
            }
        }
    }

    /// Do one invocation to its end, whether or not its caller stays to hear it.
    pub async fn invoke(self: &Arc<Self>, invocation: Invocation, region: &str) -> Result<Outcome, Busy> {
        let (pool, region) = (self.clone(), region.to_owned());
        let done = tokio::spawn(async move { pool.carry_out(invocation, &region).await }).await;
        // The task is dropped only with the whole server.
        done.unwrap_or(Err(Busy::Waited))
    }

    /// In an idle process or a new one.
    async fn carry_out(&self, mut invocation: Invocation, region: &str) -> Result<Outcome, Busy> {
        let _turn = match self.function.concurrency {
            Some(_) => self.free.try_acquire().map_err(|_| Busy::Reserved)?,
            None => match tokio::time::timeout(PATIENCE, self.free.acquire()).await {
                Ok(Ok(turn)) => turn,
                _ => return Err(Busy::Waited),
            },
        };
        let folder = self.function.folder.clone();
        let seen = tokio::task::spawn_blocking(move || fingerprint(&folder)).await;
        // A folder that cannot be read is told by the process that is to run in it.
        let seen = seen.ok().and_then(Result::ok).unwrap_or_default();
        let timeout = self.function.timeout();
        loop {
            let mut sandbox = match self.take_idle(seen) {
                Some(sandbox) => sandbox,
                None => match Sandbox::start(self.plan(region, seen), &invocation.request_id).await {
                    Ok(sandbox) => sandbox,
                    Err(outcome) => return Ok(outcome),
                },
            };
            // Its time counts from here, however long the process took to begin.
            invocation.deadline = now_ms() + i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
            let Ok(outcome) = sandbox.invoke(invocation.clone(), timeout, self.function.memory_mb()).await else {
                continue;
            };
            if outcome.alive {
                self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(sandbox);
            }
            return Ok(outcome);
        }
    }

    /// The process that was used last, if it runs today's code. Older code goes.
    fn take_idle(&self, fingerprint: u64) -> Option<Sandbox> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain_mut(|sandbox| sandbox.fingerprint == fingerprint && !sandbox.has_ended());
        idle.pop()
    }

    /// End the processes that nobody has used for long; all of them, if the server closes.
    pub fn sweep(&self, all: bool) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|sandbox| !all && sandbox.idle_since.elapsed() < IDLE);
    }

    pub fn log_file(&self) -> PathBuf {
        log_file(&self.place.directory, &self.name)
    }

    fn plan(&self, region: &str, fingerprint: u64) -> Plan {
        // It was checked when the settings were read; a folder that has changed since says so when it is run.
        let launch = self.function.launch();
        let mut command = match &launch {
            Ok(launch) => {
                let found = self.python.get().filter(|_| launch.program == Path::new(PYTHON));
                let mut command = Command::new(found.unwrap_or(&launch.program));
                command.args(&launch.arguments);
                match launch.kind {
                    Kind::Python => command.arg(self.place.directory.join("bootstrap.py")),
                    Kind::Node => command.arg(self.place.directory.join("bootstrap.mjs")),
                    Kind::Provided => &mut command,
                };
                command
            }
            Err(_) => Command::new(self.function.folder.join("bootstrap")),
        };
        let stream = format!("[$LATEST]{}", uuid::Uuid::new_v4().simple());
        let folder = self.function.folder.as_path();
        command.current_dir(folder).env_clear();
        for name in ["PATH", "HOME", "TMPDIR"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for (name, value) in
            [("AWS_REGION", region), ("AWS_DEFAULT_REGION", region), ("LANG", "C.UTF-8"), ("TZ", ":UTC")]
        {
            command.env(name, value);
        }
        command.envs(&self.place.environment).envs(&self.function.environment);
        let memory = self.function.memory_mb().to_string();
        let handler = launch.map(|launch| launch.handler).unwrap_or_default();
        let runtime = self.function.runtime.as_deref().unwrap_or("laptop");
        for (name, value) in [
            ("AWS_EXECUTION_ENV", format!("AWS_Lambda_{runtime}")),
            ("AWS_LAMBDA_FUNCTION_NAME", self.name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.name)),
            ("AWS_LAMBDA_LOG_STREAM_NAME", stream),
            ("LAMBDA_TASK_ROOT", folder.display().to_string()),
            ("LAMBDA_RUNTIME_DIR", self.place.directory.display().to_string()),
            ("_HANDLER", handler),
        ] {
            command.env(name, value);
        }
        Plan { command, log: Log::open(&self.log_file()), fingerprint }
    }
}

fn log_file(directory: &Path, name: &str) -> PathBuf {
    directory.join("logs").join(format!("{name}.log"))
}

fn now_ms() -> i64 {
    crate::store::Clock::System.now()
}
