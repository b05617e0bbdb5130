//! One attempt of a job: a process in a fresh empty directory, in a process group of its own, its output in a file. It
//! ends by itself, by its timeout, or because somebody wants it to; its whole group ends with it.
//!
//! The process waits for a word before it becomes the job's command, and the word is given only after its id is in the
//! database: a server that dies in between leaves no process behind that the next start would not find.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

/// How much output of an attempt is kept: enough to read, not enough to fill a disk.
const LOG_LIMIT: usize = 16 * 1024 * 1024;
/// How long output is waited for after the process and its group have ended.
const DRAIN: Duration = Duration::from_secs(2);

/// Waits for the word, then becomes the command, with nothing on its input.
const GATE: &str = "read -r word && exec \"$@\" </dev/null";

/// What is to be run.
pub struct Plan {
    pub command: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// Made fresh, and removed at the end.
    pub directory: PathBuf,
    pub log: PathBuf,
}

/// A process that waits for its word.
pub struct Process {
    child: Child,
    pid: Pid,
    log: tokio::task::JoinHandle<()>,
    directory: PathBuf,
}

impl Process {
    /// Start the process. It does nothing until it is told.
    pub async fn start(plan: Plan) -> io::Result<Self> {
        // What an earlier attempt left is not this attempt's.
        match tokio::fs::remove_dir_all(&plan.directory).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        tokio::fs::create_dir_all(&plan.directory).await?;
        if let Some(parent) = plan.log.parent() {
            tokio::fs::create_dir_all(parent).await?;
        }
        let (output, input) = std::io::pipe()?;
        let mut command = Command::new("sh");
        command
            .args(["-c", GATE, "sh"])
            .args(&plan.command)
            .current_dir(&plan.directory)
            .env_clear()
            .envs(plan.environment)
            .stdin(Stdio::piped())
            .stdout(input.try_clone()?)
            .stderr(input)
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn()?;
        // The command still holds the writing end of the pipe, which has to be the child's alone.
        drop(command);
        let pid = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw)
            .ok_or_else(|| io::Error::other("the process ended before it began"))?;
        let output = pipe::Receiver::from_owned_fd(output.into())?;
        let log = tokio::spawn(keep(output, plan.log));
        Ok(Self { child, pid, log, directory: plan.directory })
    }

    /// How the process is found again after a restart.
    pub fn identity(&self) -> String {
        let pid = self.pid.as_raw_nonzero();
        serde_json::json!({ "pid": pid.get(), "born": born(pid.get()) }).to_string()
    }

    /// Give the word: the process becomes the command.
    pub async fn go(&mut self) -> io::Result<()> {
        let Some(mut input) = self.child.stdin.take() else {
            return Err(io::Error::other("the process has no input"));
        };
        input.write_all(b"go\n").await
    }

    /// Wait until the process has ended; its exit code as a shell gives it (128 and the signal's number if a signal
    /// ended it).
    pub async fn wait(&mut self) -> io::Result<i64> {
        let status = self.child.wait().await?;
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        Ok(status.code().map(i64::from).or(signal.map(|signal| 128 + i64::from(signal))).unwrap_or(-1))
    }

    /// Ask the process and its group to end, wait for `grace`, then end them.
    pub async fn stop(&mut self, grace: Duration) -> io::Result<i64> {
        self.signal(Signal::TERM);
        match tokio::time::timeout(grace, self.wait()).await {
            Ok(code) => code,
            Err(_) => {
                self.signal(Signal::KILL);
                self.wait().await
            }
        }
    }

    /// End whatever is left of the group, keep the last of the output, and remove the directory.
    pub async fn finish(mut self) {
        self.signal(Signal::KILL);
        if tokio::time::timeout(DRAIN, &mut self.log).await.is_err() {
            // Something that left the group still holds the pipe; its output is not waited for.
            self.log.abort();
        }
        if let Err(error) = tokio::fs::remove_dir_all(&self.directory).await {
            tracing::warn!(directory = %self.directory.display(), %error, "a job's directory could not be removed");
        }
        if let Some(of_job) = self.directory.parent() {
            // The directory of all attempts of the job, which goes with the last of them.
            let _ = tokio::fs::remove_dir(of_job).await;
        }
    }

    fn signal(&self, signal: Signal) {
        // A group that has ended cannot be signalled, which is what was wanted.
        let _ = kill_process_group(self.pid, signal);
    }
}

/// Copy output to the log up to the limit, and read on without keeping, so that the process is never stuck.
async fn keep(mut output: pipe::Receiver, path: PathBuf) {
    let mut file = match tokio::fs::File::create(&path).await {
        Ok(file) => Some(file),
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a job's log cannot be written");
            None
        }
    };
    let mut buffer = vec![0; 64 * 1024];
    let mut left = LOG_LIMIT;
    while let Ok(read) = output.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        let Some(log) = &mut file else { continue };
        let kept = read.min(left);
        left -= kept;
        let mut written = log.write_all(&buffer[..kept]).await;
        if written.is_ok() && kept < read {
            written = log.write_all(b"\n[the log ends here: it has reached its limit]\n").await;
            let _ = log.flush().await;
            file = None;
        } else if written.is_ok() {
            written = log.flush().await;
        }
        if let Err(error) = written {
            tracing::warn!(path = %path.display(), %error, "a job's log cannot be written on");
            file = None;
        }
    }
}

/// End the process of an earlier run of the server, with its group, if it is still the one that was recorded.
pub fn end_leftover(identity: &str) {
    let Ok(identity) = serde_json::from_str::<serde_json::Value>(identity) else { return };
    let recorded = identity.get("born").and_then(serde_json::Value::as_str);
    let pid = identity.get("pid").and_then(serde_json::Value::as_i64).and_then(|pid| i32::try_from(pid).ok());
    let (Some(recorded), Some(pid)) = (recorded, pid) else { return };
    // The number alone says nothing: it may be another's by now.
    if born(pid).as_deref() == Some(recorded)
        && let Some(pid) = Pid::from_raw(pid)
    {
        tracing::warn!(?pid, "ending a job's process that an earlier run of the server left");
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

/// When a process began, in words of the system that no other process of the same number shares.
fn born(pid: i32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The program's name may hold anything, so fields are counted after its closing parenthesis.
        let ticks = stat.rsplit(')').next()?.split_whitespace().nth(19)?.to_owned();
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        return Some(format!("{}/{ticks}", boot.trim()));
    }
    let told = std::process::Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let told = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    (!told.is_empty()).then_some(told)
}
