//! Express executions: the same turns in memory, without a log. A synchronous one lives as long as its caller waits
//! for it; an asynchronous one is one row of the catalogue, written before it is answered and removed at its end, and
//! after a crash it runs again from its beginning: at least once, as AWS says.
//!
//! The last ones to end are kept with their history, bounded in number, bytes and age (see [`Shelf`]), so that a person
//! can look at them.

mod run;
mod shelf;

use std::sync::Arc;

use asl::Payload;
use machine::record::Started;
use machine::{Limits, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Expect, Item, ItemKind};
use tokio::sync::Semaphore;

use crate::api::{ExpressExecution, MachineType, StartExecution, StartedExecution};
use crate::machines::{check_name, decode, encode};
use crate::versions::Chosen;
use crate::{Engine, Error, Result, SCAN, Settings};

use run::Run;
use shelf::Shelf;
pub(crate) use shelf::{Kept, is_kept_name};

/// An Express execution may run this long, in seconds.
const LONGEST_SECONDS: u64 = 300;

/// The scope of the rows of asynchronous executions: the embedded store's one shard.
const SCOPE: &str = "0";

/// What the engine has for Express executions.
pub(crate) struct Express {
    shelf: Shelf,
    running: Arc<Semaphore>,
    limits: Limits,
}

impl Express {
    pub fn new(settings: &Settings) -> Express {
        Express {
            shelf: Shelf::new(&settings.express),
            running: Arc::new(Semaphore::new(settings.express.running)),
            // AWS bounds an Express execution's history by nothing but its time.
            limits: Limits { events: u64::MAX, execution_seconds: Some(LONGEST_SECONDS), ..settings.limits.clone() },
        }
    }

    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }
}

/// An asynchronous execution, so that it can run again.
#[derive(Serialize, Deserialize)]
struct Row {
    arn: Arc<str>,
    name: Arc<str>,
    machine: Arc<str>,
    role: Arc<str>,
    input: Arc<str>,
    definition: [u8; 32],
    version: Option<Arc<str>>,
    alias: Option<Arc<str>>,
    trace_header: Option<Arc<str>>,
    #[serde(default)]
    mock: Option<Arc<str>>,
    /// Of the process that started it, which runs it already.
    #[serde(default)]
    epoch: u64,
}

impl Row {
    fn of(started: &Started, epoch: u64) -> Row {
        Row {
            arn: started.arn.clone(),
            name: started.name.clone(),
            machine: started.machine.clone(),
            role: started.role.clone(),
            input: started.input.text().clone(),
            definition: started.definition,
            version: started.version.clone(),
            alias: started.alias.clone(),
            trace_header: started.trace_header.clone(),
            mock: started.mock.clone(),
            epoch,
        }
    }

    fn started(self) -> Started {
        Started {
            arn: self.arn,
            name: self.name,
            machine: self.machine,
            role: self.role,
            input: Payload::trusted(self.input),
            definition: self.definition,
            version: self.version,
            alias: self.alias,
            trace_header: self.trace_header,
            parent: None,
            mock: self.mock,
        }
    }
}

impl Engine {
    /// StartSyncExecution: what it came to. A caller who goes away does not stop it.
    pub async fn start_sync_execution(&self, request: StartExecution) -> Result<ExpressExecution> {
        let (chosen, mock) = self.choose_case(&request.machine).await?;
        if chosen.machine.machine_type != MachineType::Express {
            return Err(Error::StateMachineTypeNotSupported);
        }
        let permit = self.express.running.clone().try_acquire_owned().map_err(|_| Error::ExecutionLimitExceeded)?;
        let mut run = Run::new(self, self.express_started(&chosen, request, mock)?).await?;
        run.turn(run.start()).await;
        if run.is_over() {
            return Ok(run.keep());
        }
        let rest = tokio::spawn(async move {
            run.finish().await;
            drop(permit);
            run.keep()
        });
        rest.await.map_err(|error| Error::Internal(error.to_string()))
    }

    /// StartExecution of an Express state machine: it will run when this returns, whatever happens to the process.
    pub(crate) async fn start_express(
        &self,
        chosen: Chosen,
        request: StartExecution,
        mock: Option<Arc<str>>,
    ) -> Result<StartedExecution> {
        let permit = self.express.running.clone().try_acquire_owned().map_err(|_| Error::ExecutionLimitExceeded)?;
        let started = self.express_started(&chosen, request, mock)?;
        let (arn, started_at) = (started.arn.clone(), self.clock.now());
        let engine = self.clone();
        // In a task of its own: a caller who goes away must not leave a row that nobody runs.
        let begun = tokio::spawn(async move {
            let run = Run::new(&engine, started).await?;
            let item = express_item(run.started(), started_at, engine.fence.epoch)?;
            if let Err(error) = engine.store.put_item(item, Expect::Absent, Vec::new()).await {
                // It may be there all the same, of an execution that nobody knows of.
                let arn = run.started().arn.clone();
                tokio::spawn(async move { engine.remove_express(&arn).await });
                return Err(error.into());
            }
            tokio::spawn(async move {
                engine.run_express(run).await;
                drop(permit);
            });
            Ok(())
        });
        begun.await.unwrap_or_else(|error| Err(Error::Internal(error.to_string())))?;
        Ok(StartedExecution { arn, started_at })
    }

    fn express_started(&self, chosen: &Chosen, request: StartExecution, mock: Option<Arc<str>>) -> Result<Started> {
        let machine = &chosen.machine;
        let name = match request.name {
            Some(name) => {
                check_name(&name)?;
                name
            }
            None => self.uuid(),
        };
        let home = machine.arn.replacen(":stateMachine:", ":express:", 1);
        Ok(Started {
            arn: format!("{home}:{name}:{}", self.uuid()).into(),
            name: name.into(),
            machine: machine.arn.clone(),
            role: machine.role.clone(),
            input: request.input,
            definition: machine.definition,
            version: chosen.version.clone(),
            alias: chosen.alias.clone(),
            trace_header: request.trace_header.map(Into::into),
            parent: request.parent,
            mock,
        })
    }

    /// An asynchronous execution to its end, and its row away.
    async fn run_express(&self, mut run: Run) {
        run.turn(run.start()).await;
        run.finish().await;
        let arn = run.started().arn.clone();
        run.keep();
        self.remove_express(&arn).await;
    }

    /// Where the row stays its execution will run once more after the next start, and that is allowed.
    async fn remove_express(&self, arn: &str) {
        const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);
        while let Err(error) = self.store.delete_item(ItemKind::Express, SCOPE, arn, Expect::Any).await {
            tracing::warn!(execution = %arn, %error, "the row of an Express execution that is over cannot be removed");
            if self.is_stopping() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Runs what had not ended when the process before this one did; `after` is the last that was taken up.
    pub(crate) async fn run_express_again(&self, after: &mut Option<String>) -> Result<()> {
        loop {
            let page = self.store.items(ItemKind::Express, SCOPE, after.clone(), SCAN).await?;
            for (item, _) in page.items {
                let row: Row = decode(&item.body)?;
                if row.epoch != self.fence.epoch {
                    // The semaphore is never closed.
                    let Ok(permit) = self.express.running.clone().acquire_owned().await else { return Ok(()) };
                    let run = Run::new(self, row.started()).await?.again();
                    let engine = self.clone();
                    tokio::spawn(async move {
                        engine.run_express(run).await;
                        drop(permit);
                    });
                }
                *after = Some(item.name);
            }
            if !page.more {
                return Ok(());
            }
        }
    }
}

fn express_item(started: &Started, created_at: Timestamp, epoch: u64) -> Result<Item> {
    Ok(Item {
        kind: ItemKind::Express,
        scope: SCOPE.into(),
        name: started.arn.to_string(),
        created_at,
        body: encode(&Row::of(started, epoch))?,
        definition: Some(started.definition),
    })
}
