//! The floor of this machine: what the same driver gets from a server that does as little as can be, once without and once
//! with a durable log. No engine can be faster here than this, so the distance to it is what the engine itself costs.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::drive::{Size, Source, metered, one_by_one, side_by_side};
use crate::figures::{Report, percentile};
use crate::http;
use crate::process::Recipe;

/// What the log takes for one request: about what an execution of ten Pass states leaves behind.
const EVENTS: usize = 20;
const EVENT_BYTES: usize = 100;
const WARM: usize = 500;

/// How the server of the floor is started: this binary, as a process of its own, so that its CPU is counted apart.
#[derive(clap::Args, Clone, Debug)]
pub struct FloorServer {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    data: PathBuf,
    /// Append a record to a log and wait for its fdatasync before each answer
    #[arg(long)]
    log: bool,
}

/// Measures both floors.
pub async fn floor(scratch: &Path, size: &Size, report: &mut Report) -> Result<()> {
    let binary = std::env::current_exe()?;
    for (log, name) in [(false, "plain"), (true, "log")] {
        let mut command = vec!["floor-server".to_owned()];
        command.extend(log.then(|| "--log".to_owned()));
        let recipe = Recipe { binary: binary.clone(), scratch: scratch.to_owned(), command };
        let target = Source::Spawn(recipe).server(&[]).await?;
        let work = |total| {
            let one = async |api: &mut crate::api::Api, _| api.start("floor", "{}").await.map(drop);
            side_by_side(target.address, size.in_flight, total, one)
        };
        work(WARM).await?;
        // Requests are cheap here, and CPU is counted in hundredths of a second: few of them would tell nothing.
        let requests = size.executions * 10;
        let ((), spent) = metered(&target, requests, work(requests)).await?;
        report.got(&format!("floor.{name}.rate"), requests as f64 / spent.seconds);
        report.spent(if log { "floor, with a log" } else { "floor" }, spent);
        if log {
            let one = async |api: &mut crate::api::Api, _| api.start("floor", "{}").await.map(drop);
            let mut samples = one_by_one(target.address, size.calls, one).await?;
            report.got("floor.log.p50", percentile(&mut samples, 0.5));
        }
    }
    Ok(())
}

/// Is the server of the floor, until it is killed.
pub async fn serve(options: &FloorServer) -> Result<()> {
    let log = if options.log { Some(Log::open(&options.data)?) } else { None };
    let log = Rc::new(log);
    let listener = TcpListener::bind(options.listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let log = log.clone();
        tokio::task::spawn_local(async move {
            http::answer_all(stream, async |_, _| {
                if let Some(log) = &*log
                    && log.append().await.is_err()
                {
                    return (500, "{}".to_owned());
                }
                (200, r#"{"executionArn":"arn:aws:states:::execution:floor","startDate":1767225600.0}"#.to_owned())
            })
            .await
        });
    }
}

/// A log with a writer of its own; whatever waits when one group is on disk is the next group.
struct Log(mpsc::Sender<oneshot::Sender<()>>);

impl Log {
    fn open(data: &Path) -> Result<Log> {
        std::fs::create_dir_all(data)?;
        let mut file = File::create(data.join("log"))?;
        let (sender, waiting) = mpsc::channel::<oneshot::Sender<()>>();
        let record = [b'e'; EVENTS * EVENT_BYTES];
        std::thread::spawn(move || {
            while let Ok(first) = waiting.recv() {
                let group: Vec<_> = std::iter::once(first).chain(waiting.try_iter()).collect();
                if file.write_all(&record.repeat(group.len())).and_then(|()| file.sync_data()).is_err() {
                    return;
                }
                for caller in group {
                    let _ = caller.send(());
                }
            }
        });
        Ok(Log(sender))
    }

    async fn append(&self) -> Result<()> {
        let (done, written) = oneshot::channel();
        self.0.send(done).context("the log's writer has stopped")?;
        written.await.context("the log could not be written")
    }
}
