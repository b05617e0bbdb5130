//! The server as a process: started over one data directory and one port, killed, started again.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use serde_json::Value;

pub struct Server {
    binary: PathBuf,
    folder: PathBuf,
    pub address: SocketAddr,
    outside: SocketAddr,
    child: Mutex<Option<Child>>,
}

impl Server {
    pub fn new(binary: &Path, folder: &Path, outside: SocketAddr) -> Result<Server> {
        // Free now; who binds it in between makes the start fail, and says so.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let binary = binary.canonicalize().with_context(|| format!("{} is no program", binary.display()))?;
        Ok(Server { binary, folder: folder.to_owned(), address, outside, child: Mutex::default() })
    }

    /// Returns when it listens.
    pub fn start(&self) -> Result<()> {
        let log = File::options().create(true).append(true).open(self.log())?;
        let outside = format!("http://{}", self.outside);
        let mut command = Command::new(&self.binary);
        // A profile of the caller's must not lead anybody to a real account.
        for (name, _) in std::env::vars_os() {
            if ["AWS_", "STEPWELL_", "SFN_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        let mut child = command
            .args(["serve", "--json", "--listen", &self.address.to_string(), "--data"])
            .arg(self.folder.join("data"))
            .envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test"), ("AWS_REGION", "us-east-1")])
            .envs(["SQS", "BATCH", "LAMBDA"].map(|service| (format!("AWS_ENDPOINT_URL_{service}"), outside.clone())))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", self.binary.display()))?;
        let mut told = String::new();
        BufReader::new(child.stdout.take().context("it has an output")?).read_line(&mut told)?;
        let ready: Option<Value> = serde_json::from_str(&told).ok();
        *self.child.lock().expect("nobody panics") = Some(child);
        if ready.is_none() {
            bail!("the server did not start; its log is {}", self.log().display());
        }
        Ok(())
    }

    /// SIGKILL: nothing is closed, nothing is said.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().expect("nobody panics").take() {
            // One that has ended by itself is found out by what it left undone.
            let _ = child.kill().and_then(|()| child.wait());
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// The end of what it has written to its log.
    pub fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        lines.into_iter().rev().map(|line| format!("{line}\n")).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
