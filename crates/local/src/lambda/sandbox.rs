//! One process of a function, with the Runtime API that it speaks. It does one invocation at a time; when it is dropped,
//! its whole process group ends. It decides nothing about how many there are; `pool.rs` does.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;

use super::log::Log;
use super::runtime_api::{ANSWER_LIMIT, Desk, Invocation, News};

/// How long a process may take until it asks for its first invocation; AWS's own.
const BEGIN: Duration = Duration::from_secs(10);
/// How much output is read at once.
const ROOM: usize = 64 * 1024;

/// What is to be run.
pub struct Plan {
    pub command: Command,
    pub log: Log,
    /// What the folder was when the process began.
    pub fingerprint: u64,
}

/// A process of a function.
pub struct Sandbox {
    child: Child,
    pid: Pid,
    /// The process ends when this closes; our own bootstraps see to it.
    _alive: Option<ChildStdin>,
    output: pipe::Receiver,
    desk: Arc<Desk>,
    give: mpsc::Sender<Invocation>,
    news: mpsc::Receiver<News>,
    api: tokio::task::JoinHandle<()>,
    log: Log,
    /// How long it took to begin, until the first invocation has been told so.
    began_in: Option<Duration>,
    pub fingerprint: u64,
    pub idle_since: Instant,
}

/// What came of an invocation.
pub struct Outcome {
    pub payload: Bytes,
    pub failed: bool,
    /// The end of the log.
    pub tail: Vec<u8>,
    /// The process can do more.
    pub alive: bool,
}

/// The process was gone before it took the invocation: another one may do it.
pub struct Gone;

impl Sandbox {
    /// Start a process and wait until it asks for work. The error is an invocation's failure in AWS's words.
    pub async fn start(plan: Plan, request_id: &str) -> Result<Self, Outcome> {
        let began = Instant::now();
        let mut sandbox = match Self::spawn(plan).await {
            Ok(sandbox) => sandbox,
            Err((error, mut log)) => {
                let message = format!("RequestId: {request_id} Error: {error}");
                log.line(&message);
                let payload = json!({ "errorType": "Runtime.InvalidEntrypoint", "errorMessage": message });
                return Err(outcome_of(&payload, &log));
            }
        };
        let failure = match tokio::time::timeout(BEGIN, sandbox.hear()).await {
            Ok(Heard::News(News::Ready)) => {
                sandbox.began_in = Some(began.elapsed());
                return Ok(sandbox);
            }
            Ok(Heard::News(News::CannotBegin(payload))) => {
                sandbox.drain();
                return Err(Outcome { payload, failed: true, tail: sandbox.log.tail().to_vec(), alive: false });
            }
            Ok(Heard::News(_)) => failure("Runtime.ExitError", request_id, "Runtime answered what it was not asked"),
            Ok(Heard::Ended(status)) => exited(request_id, status),
            Err(_) => timed_out(request_id, BEGIN),
        };
        sandbox.drain();
        sandbox.log.line(failure["errorMessage"].as_str().unwrap_or_default());
        Err(outcome_of(&failure, &sandbox.log))
    }

    async fn spawn(plan: Plan) -> Result<Self, (String, Log)> {
        let Plan { mut command, log, fingerprint } = plan;
        let listener = match TcpListener::bind(("127.0.0.1", 0)).await {
            Ok(listener) => listener,
            Err(error) => return Err((format!("no port for the Runtime API: {error}"), log)),
        };
        let spawned = (|| {
            let (output, input) = io::pipe()?;
            command
                .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string())
                .stdin(Stdio::piped())
                .stdout(input.try_clone()?)
                .stderr(input)
                .process_group(0)
                .kill_on_drop(true);
            let child = command.spawn()?;
            let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
            let pid = pid.ok_or_else(|| io::Error::other("the process ended before it began"))?;
            Ok::<_, io::Error>((child, pid, pipe::Receiver::from_owned_fd(output.into())?))
        })();
        // The command still holds the writing end of the pipe, which has to be the child's alone.
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        drop(command);
        let (mut child, pid, output) = match spawned {
            Ok(spawned) => spawned,
            Err(error) => return Err((format!("{program} cannot be run: {error}"), log)),
        };
        let (desk, give, news) = Desk::new();
        let api = tokio::spawn(desk.clone().serve(listener));
        let alive = child.stdin.take();
        Ok(Self {
            child,
            pid,
            _alive: alive,
            output,
            desk,
            give,
            news,
            api,
            log,
            began_in: None,
            fingerprint,
            idle_since: Instant::now(),
        })
    }

    /// Has the process ended while nobody used it?
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Do one invocation.
    pub async fn invoke(&mut self, invocation: Invocation, timeout: Duration, memory_mb: u64) -> Result<Outcome, Gone> {
        let request_id = invocation.request_id.clone();
        let began = Instant::now();
        self.drain();
        self.log.begin(&request_id);
        if self.give.send(invocation).await.is_err() {
            return Err(Gone);
        }
        let heard = tokio::time::timeout(timeout, async {
            loop {
                match self.hear().await {
                    Heard::News(News::Answered { request_id: of, payload, failed }) if of == request_id => {
                        break Ok((payload, failed, true));
                    }
                    Heard::News(News::TooLong { request_id: of }) if of == request_id => {
                        let text = format!(
                            "Response payload size exceeded maximum allowed payload size ({ANSWER_LIMIT} bytes)."
                        );
                        let said = json!({ "errorType": "Function.ResponseSizeTooLarge", "errorMessage": text });
                        break Ok((Bytes::from(said.to_string()), true, true));
                    }
                    // It was ready before, or speaks of what is over.
                    Heard::News(_) => {}
                    Heard::Ended(_) if !self.desk.has_taken(&request_id) => break Err(Gone),
                    Heard::Ended(status) => {
                        break Ok((Bytes::from(exited(&request_id, status).to_string()), true, false));
                    }
                }
            }
        })
        .await;
        self.drain();
        let (payload, failed, alive) = match heard {
            Ok(Ok(answer)) => answer,
            Ok(Err(gone)) => return Err(gone),
            Err(_) => {
                let said = timed_out(&request_id, timeout);
                self.log.line(said["errorMessage"].as_str().unwrap_or_default());
                (Bytes::from(said.to_string()), true, false)
            }
        };
        self.log.end(&request_id, began.elapsed(), memory_mb, self.began_in.take());
        self.idle_since = Instant::now();
        Ok(Outcome { payload, failed, tail: self.log.tail().to_vec(), alive })
    }

    /// The next thing that happens; output is written to the log meanwhile.
    async fn hear(&mut self) -> Heard {
        let mut buffer = vec![0; ROOM];
        let mut open = true;
        loop {
            tokio::select! {
                // What was said before the end counts.
                biased;
                Some(news) = self.news.recv() => return Heard::News(news),
                status = self.child.wait() => return Heard::Ended(status.ok()),
                read = self.output.read(&mut buffer), if open => match read {
                    Ok(read) if read > 0 => self.log.said(&buffer[..read]),
                    _ => open = false,
                },
            }
        }
    }

    /// Take what the process has written so far. The system is asked, because the runtime may not have been told yet.
    fn drain(&mut self) {
        let mut buffer = vec![0; ROOM];
        while let Ok(read) = rustix::io::read(&self.output, &mut buffer) {
            if read == 0 {
                break;
            }
            self.log.said(&buffer[..read]);
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.api.abort();
        // A group that has ended cannot be signalled, which is what was wanted.
        let _ = kill_process_group(self.pid, Signal::KILL);
    }
}

enum Heard {
    News(News),
    Ended(Option<ExitStatus>),
}

fn failure(kind: &str, request_id: &str, what: &str) -> serde_json::Value {
    json!({ "errorType": kind, "errorMessage": format!("RequestId: {request_id} Error: {what}") })
}

fn timed_out(request_id: &str, timeout: Duration) -> serde_json::Value {
    let text = format!("Task timed out after {:.2} seconds", timeout.as_secs_f64());
    failure("Sandbox.Timedout", request_id, &text)
}

fn exited(request_id: &str, status: Option<ExitStatus>) -> serde_json::Value {
    let signal = status.and_then(|status| std::os::unix::process::ExitStatusExt::signal(&status));
    let text = match (status.and_then(|status| status.code()), signal) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(signal)) => format!("Runtime exited with error: signal: {signal}"),
        (None, None) => "Runtime exited".to_owned(),
    };
    failure("Runtime.ExitError", request_id, &text)
}

fn outcome_of(failure: &serde_json::Value, log: &Log) -> Outcome {
    Outcome { payload: Bytes::from(failure.to_string()), failed: true, tail: log.tail().to_vec(), alive: false }
}
