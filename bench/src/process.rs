//! The server under test as a process: started, asked what it used, killed, started again.
//!
//! CPU and memory come from `/proc`, so that nothing of the driver is counted and nothing has to be built into the server.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use crate::api::Api;

/// Linux counts CPU for user space in hundredths of a second, whatever the kernel's own tick is.
const TICKS_PER_SECOND: f64 = 100.0;
/// A server that has not answered by then will not.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Fine enough for a cold start of a few milliseconds.
const START_LOOK: Duration = Duration::from_micros(200);

/// The server's data directory in its folder.
const STORE: &str = "store";

/// How a server is started.
#[derive(Clone)]
pub struct Recipe {
    pub binary: PathBuf,
    /// Where data directories are made. On a disk: in a memory file system every fsync is free and every figure a lie.
    pub scratch: PathBuf,
    /// The words before `--listen ADDRESS --data DIR`.
    pub command: Vec<String>,
}

/// What is measured: a server that the driver started, or one that was there before.
pub struct Target {
    pub address: SocketAddr,
    pid: Option<u32>,
    started: Option<Started>,
}

struct Started {
    child: Child,
    recipe: Recipe,
    environment: Vec<(String, String)>,
    data: TempDir,
}

impl Target {
    /// A server that runs already; without its process id there is no CPU and no memory to report.
    pub fn running(address: SocketAddr, pid: Option<u32>) -> Target {
        Target { address, pid, started: None }
    }

    /// Starts a server on a free port with a fresh data directory, without waiting for its first answer.
    pub fn spawn(recipe: &Recipe, environment: &[(&str, String)]) -> Result<Target> {
        std::fs::create_dir_all(&recipe.scratch)?;
        let data = tempfile::Builder::new().prefix("data-").tempdir_in(&recipe.scratch)?;
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = spawn(recipe, address, data.path(), &environment)?;
        let pid = Some(child.id());
        let started = Started { child, recipe: recipe.clone(), environment, data };
        Ok(Target { address, pid, started: Some(started) })
    }

    /// Waits for the first answer to a call that reads the store.
    pub async fn answers(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            // Blocking is right here: nothing else of the driver runs before the server does.
            if std::net::TcpStream::connect(self.address).is_ok()
                && Api::new(self.address).plain("ListStateMachines", json!({})).await.is_ok()
            {
                return Ok(());
            }
            if let Some(started) = &mut self.started
                && let Some(status) = started.child.try_wait()?
            {
                bail!("the server ended ({status}):\n{}", started.log());
            }
            if begun.elapsed() > START_LIMIT {
                bail!("no answer from {} within {START_LIMIT:?}", self.address);
            }
            std::thread::sleep(START_LOOK);
        }
    }

    /// Kills the server as a power cut would, and starts it again over the same data.
    pub fn kill_and_restart(&mut self) -> Result<()> {
        let started = self.started.as_mut().context("only a server that the driver started can be killed")?;
        started.child.kill()?;
        started.child.wait()?;
        started.child = spawn(&started.recipe, self.address, started.data.path(), &started.environment)?;
        self.pid = Some(started.child.id());
        Ok(())
    }

    /// Where a server that the driver started keeps its data.
    pub fn data(&self) -> Option<PathBuf> {
        Some(self.started.as_ref()?.data.path().join(STORE))
    }

    /// User and system time of the server so far.
    pub fn cpu(&self) -> Option<f64> {
        cpu_seconds(&self.pid?.to_string()).ok()
    }

    /// Memory that the server holds now, in bytes.
    pub fn resident(&self) -> Option<f64> {
        status_bytes(self.pid?, "VmRSS:").ok()
    }

    /// The most memory that it ever held, in bytes.
    pub fn peak(&self) -> Option<f64> {
        status_bytes(self.pid?, "VmHWM:").ok()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Started {
    fn log(&self) -> String {
        std::fs::read_to_string(self.data.path().join("server.log")).unwrap_or_default()
    }
}

fn spawn(recipe: &Recipe, address: SocketAddr, data: &Path, environment: &[(String, String)]) -> Result<Child> {
    let log = File::options().create(true).append(true).open(data.join("server.log"))?;
    Command::new(&recipe.binary)
        .args(&recipe.command)
        .args(["--listen", &address.to_string(), "--data"])
        .arg(data.join(STORE))
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_REGION", "us-east-1")
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .with_context(|| format!("starting {}", recipe.binary.display()))
}

/// User and system time of the driver itself so far, in seconds.
pub fn own_cpu() -> Result<f64> {
    cpu_seconds("self")
}

fn cpu_seconds(process: &str) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    parse_cpu(&stat).context("/proc/…/stat has another shape")
}

/// The command's name stands in parentheses and may hold anything, so fields are counted from the last one.
fn parse_cpu(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn status_bytes(pid: u32, field: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_is_read_past_a_name_with_spaces_and_parentheses() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 4 0 100 1000 10";
        assert_eq!(parse_cpu(stat), Some(3.0));
    }

    #[test]
    fn a_process_sees_its_own_cpu_and_memory() {
        assert!(own_cpu().unwrap() >= 0.0);
        let target = Target::running("127.0.0.1:1".parse().unwrap(), Some(std::process::id()));
        assert!(target.resident().unwrap() > 1e6);
        assert!(target.peak().unwrap() >= target.resident().unwrap());
        assert_eq!(Target::running(target.address, None).cpu(), None);
    }
}
