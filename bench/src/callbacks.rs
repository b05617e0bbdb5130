//! W3 and W7: executions that wait for a task token, one at a time, many at once, and through a kill -9.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::api::Api;
use crate::drive::{Size, Source, metered, side_by_side};
use crate::figures::{Report, percentile};
use crate::process::Target;
use crate::queue::Queue;

const WARM: usize = 200;
/// Memory is read after the server has had time to let go of what it no longer needs.
const SETTLE: Duration = Duration::from_secs(2);
/// Executions whose tokens were taken have this long, all together, to end.
const TO_END: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(5);
/// Tokens spread over all that are parked; when these are taken, so is any.
const PROBES: usize = 32;
/// Beyond this many, every n-th execution is looked at afterwards.
const LOOKED_AT: usize = 20_000;
const KIB: f64 = 1024.0;

/// A server, its queue, and the machine whose executions park.
struct Parking {
    target: Target,
    queue: Queue,
    machine: String,
    callers: usize,
}

impl Parking {
    async fn open(source: &Source, size: &Size, queue: &Queue) -> Result<Parking> {
        let queue = queue.clone();
        queue.empty();
        let target = source.server(&queue.environment()).await?;
        let machine = Api::new(target.address).create_machine("bench-callback", &queue.callback_machine()).await?;
        Ok(Parking { target, queue, machine, callers: size.in_flight })
    }

    /// Starts so many executions and returns their ARNs when the last has sent its message and waits.
    async fn park(&self, total: usize) -> Result<Vec<String>> {
        let executions = Rc::new(RefCell::new(vec![String::new(); total]));
        let (machine, arns) = (self.machine.clone(), executions.clone());
        side_by_side(self.target.address, self.callers, total, async move |api, n| {
            let arn = api.start(&machine, &format!(r#"{{"n":{n}}}"#)).await?;
            arns.borrow_mut()[n] = arn;
            Ok(())
        })
        .await?;
        self.queue.all(total).await?;
        Ok(executions.take())
    }

    /// Returns the tokens of `total` executions, whose numbers `numbers` tells; counts those that were refused.
    async fn resolve(&self, total: usize, numbers: impl Fn(usize) -> usize + 'static) -> Result<usize> {
        let refused = Rc::new(Cell::new(0));
        let (queue, count) = (self.queue.clone(), refused.clone());
        side_by_side(self.target.address, self.callers, total, async move |api, index| {
            let token = queue.token(numbers(index)).await?;
            if let Err(e) = api.send_success(&token, "{}").await {
                count_and_tell(&count, "a refused token", &e);
            }
            Ok(())
        })
        .await?;
        Ok(refused.get())
    }

    /// How many of these (or of a spread of them, when they are very many) have not succeeded.
    async fn unfinished(&self, executions: Vec<String>) -> Result<usize> {
        let step = executions.len().div_ceil(LOOKED_AT).max(1);
        let missing = Rc::new(Cell::new(0));
        let (total, count) = (executions.len().div_ceil(step), missing.clone());
        let until = Instant::now() + TO_END;
        side_by_side(self.target.address, self.callers, total, async move |api, index| {
            let execution = &executions[index * step];
            let ended = loop {
                match api.describe(execution).await {
                    Ok(seen) if seen.status == "SUCCEEDED" => break Ok(()),
                    Ok(seen) if seen.status != "RUNNING" || Instant::now() > until => {
                        break Err(anyhow::anyhow!("{execution} is {}", seen.status));
                    }
                    Ok(_) => tokio::time::sleep(LOOK).await,
                    Err(e) => break Err(e),
                }
            };
            if let Err(e) = ended {
                count_and_tell(&count, "an unfinished execution", &e);
            }
            Ok(())
        })
        .await?;
        Ok(missing.get())
    }

    /// Parks and resolves a few, so that what is measured afterwards is warm.
    async fn warm(&self) -> Result<()> {
        let executions = self.park(WARM).await?;
        let lost = self.resolve(WARM, |n| n).await? + self.unfinished(executions).await?;
        anyhow::ensure!(lost == 0, "{lost} of the first {WARM} callbacks were lost");
        self.queue.empty();
        Ok(())
    }
}

/// W3, first half: from SendTaskSuccess until the execution is seen done, one at a time.
pub async fn w3_latency(source: &Source, size: &Size, queue: &Queue, report: &mut Report) -> Result<()> {
    let parking = Parking::open(source, size, queue).await?;
    parking.warm().await?;
    let (mut samples, spent) = metered(&parking.target, size.calls, async {
        let mut api = Api::new(parking.target.address);
        let mut samples = Vec::with_capacity(size.calls);
        for n in 0..size.calls {
            let execution = api.start(&parking.machine, &format!(r#"{{"n":{n}}}"#)).await?;
            let token = parking.queue.token(n).await?;
            let begun = Instant::now();
            api.send_success(&token, "{}").await?;
            api.until_succeeded(&execution).await?;
            samples.push(begun.elapsed().as_secs_f64() * 1_000.0);
        }
        Ok(samples)
    })
    .await?;
    report.spent("W3 one by one", spent);
    report.got("w3.p50", percentile(&mut samples, 0.5));
    report.got("w3.p99", percentile(&mut samples, 0.99));
    Ok(())
}

/// W3, second half: many parked at once, and taken up again by the server that parked them.
pub async fn w3_parked(source: &Source, size: &Size, queue: &Queue, report: &mut Report) -> Result<()> {
    let parking = Parking::open(source, size, queue).await?;
    parking.warm().await?;
    let total = size.parked;
    let executions = parking.fill(total, ["w3.starts", "w3.held"], "W3 park", report).await?;
    let (refused, spent) = metered(&parking.target, total, parking.resolve(total, |n| n)).await?;
    report.got("w3.resolves", total as f64 / spent.seconds);
    report.spent("W3 resolve", spent);
    let lost = refused.max(parking.unfinished(executions).await?);
    anyhow::ensure!(lost == 0, "{lost} of {total} parked executions were lost");
    Ok(())
}

/// W7: kill -9 with many parked, and back; then the same with very many.
pub async fn w7(source: &Source, size: &Size, queue: &Queue, report: &mut Report) -> Result<()> {
    if !matches!(source, Source::Spawn(_)) {
        eprintln!("w7 needs a server that the driver starts (--server); left out");
        return Ok(());
    }
    let mut parking = Parking::open(source, size, queue).await?;
    let empty = parking.target.resident();
    let executions = parking.park(size.parked).await?;
    let names = ["w7.ready", "w7.restarted", "w7.resolves", "w7.lost"];
    parking.restart(executions, empty, names, "W7 resolve", report).await?;
    drop(parking);

    let mut parking = Parking::open(source, size, queue).await?;
    parking.warm().await?;
    let empty = parking.target.resident();
    let executions = parking.fill(size.many, ["many.starts", "many.held"], "W7 many: park", report).await?;
    let names = ["many.ready", "many.restarted", "many.resolves", "many.lost"];
    parking.restart(executions, empty, names, "W7 many: resolve", report).await
}

impl Parking {
    /// Parks so many, and notes how fast that was and by how much the server's memory grew for each.
    async fn fill(
        &self,
        total: usize,
        [starts, held]: [&str; 2],
        work: &'static str,
        report: &mut Report,
    ) -> Result<Vec<String>> {
        tokio::time::sleep(SETTLE).await;
        let before = self.target.resident();
        let (executions, spent) = metered(&self.target, total, self.park(total)).await?;
        report.got(starts, total as f64 / spent.seconds);
        report.spent(work, spent);
        tokio::time::sleep(SETTLE).await;
        report.got(held, self.held_each(before, total));
        Ok(executions)
    }

    /// Kills the server with these parked, and notes what is there when it is back, and how it goes on.
    async fn restart(
        &mut self,
        executions: Vec<String>,
        empty: Option<f64>,
        [ready, restarted, resolves, lost]: [&str; 4],
        work: &'static str,
        report: &mut Report,
    ) -> Result<()> {
        let total = executions.len();
        let begun = Instant::now();
        self.target.kill_and_restart()?;
        self.target.answers().await?;
        let probes = PROBES.min(total);
        let spread = total / probes;
        let mut refused = self.resolve(probes, move |index| index * spread).await?;
        report.got(ready, begun.elapsed().as_secs_f64());
        tokio::time::sleep(SETTLE).await;
        report.got(restarted, self.held_each(empty, total));
        let rest: Vec<usize> = (0..total).filter(|n| n % spread != 0 || n / spread >= probes).collect();
        let (more, spent) = metered(&self.target, rest.len(), self.resolve(rest.len(), move |at| rest[at])).await?;
        refused += more;
        report.got(resolves, spent.transitions as f64 / spent.seconds);
        report.spent(work, spent);
        let unfinished = self.unfinished(executions).await?;
        report.got(lost, refused.max(unfinished) as f64);
        Ok(())
    }

    /// KiB for each of `total` by which the server has grown since it had so many bytes.
    fn held_each(&self, before: Option<f64>, total: usize) -> Option<f64> {
        Some((self.target.resident()? - before?) / KIB / total as f64)
    }
}

/// Counts what went wrong, and tells of the first: the others are mostly the same again.
fn count_and_tell(count: &Cell<usize>, what: &str, error: &anyhow::Error) {
    if count.replace(count.get() + 1) == 0 {
        eprintln!("{what}, the first of them: {error:#}");
    }
}
