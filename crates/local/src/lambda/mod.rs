//! A small real Lambda. A function is a folder of this machine (`settings.rs`); its code runs as processes that speak the
//! Lambda Runtime API (`sandbox.rs`, `runtime_api.rs`), as many as are needed (`pool.rs`), and code that was changed is
//! used by the next invocation. Python and Node.js have bootstraps of ours, any other executable brings its own. There
//! are no versions, no layers, no containers: a function sees the whole machine, so it is for the machine's owner only.
//! Start reading in `invoke.rs`.

mod describe;
mod error;
pub mod events;
mod folder;
mod invoke;
mod log;
mod name;
mod pool;
mod runtime_api;
mod sandbox;
pub mod settings;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use crate::caller::Caller;
use crate::error::Answer;
use crate::store::Store;
use pool::{Place, Pool};
pub use settings::Function;

/// How the laptop runs functions.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub functions: BTreeMap<String, Function>,
    /// What every function finds in its environment, for example where the services are.
    pub environment: BTreeMap<String, String>,
}

/// The service; clones share the processes.
#[derive(Clone)]
pub struct Lambda {
    pools: Arc<BTreeMap<String, Arc<Pool>>>,
    account: String,
    region: String,
    store: Store,
}

/// A function of the settings cannot work.
#[derive(Debug, thiserror::Error)]
#[error("the function {name} cannot be run: {cause}")]
pub struct NotAFunction {
    pub name: String,
    pub cause: String,
}

impl Lambda {
    /// Lambda over an open database. The bootstraps and logs lie in `directory`.
    pub fn new(
        store: Store,
        directory: &Path,
        settings: Settings,
        account: &str,
        region: &str,
    ) -> Result<Self, NotAFunction> {
        let wrong = |name: &str, cause: String| NotAFunction { name: name.to_owned(), cause };
        if let Some(name) = settings.functions.keys().next() {
            write_bootstraps(directory).map_err(|error| wrong(name, error.to_string()))?;
        }
        let place = Arc::new(Place { directory: directory.to_owned(), environment: settings.environment });
        let mut pools = BTreeMap::new();
        for (name, function) in settings.functions {
            if name::parse(&name).is_none_or(|parsed| parsed.function != name) {
                return Err(wrong(&name, "a name has letters, digits, hyphens and underscores".to_owned()));
            }
            function.check().map_err(|cause| wrong(&name, cause))?;
            let pool = Pool::new(&name, function, place.clone());
            pools.insert(name, Arc::new(pool));
        }
        Ok(Self { pools: Arc::new(pools), account: account.to_owned(), region: region.to_owned(), store })
    }

    /// Answer one call.
    pub async fn call(&self, operation: &str, params: Value, caller: &Caller) -> Answer {
        match operation {
            "Invoke" => self.invoke(&params, caller).await,
            "GetFunction" => self.get(&params, caller),
            "GetFunctionConfiguration" => self.get_configuration(&params, caller),
            "ListFunctions" => self.list(caller),
            _ => Err(error::not_here(operation)),
        }
    }

    /// Invoke what nobody waits for until `stop` says true, then end all processes.
    pub async fn run(&self, stop: watch::Receiver<bool>) {
        let looking = async {
            for pool in self.pools.values() {
                pool.find_python().await;
            }
        };
        tokio::join!(events::run(self, stop), looking);
        self.pools.values().for_each(|pool| pool.sweep(true));
    }

    /// End the processes that nobody has used for long.
    pub fn sweep(&self) {
        self.pools.values().for_each(|pool| pool.sweep(false));
    }

    /// Where the log of a function is kept.
    pub fn log_file(&self, function: &str) -> Option<PathBuf> {
        self.pools.get(function).map(|pool| pool.log_file())
    }
}

fn write_bootstraps(directory: &Path) -> io::Result<()> {
    std::fs::create_dir_all(directory)?;
    std::fs::write(directory.join("bootstrap.py"), include_str!("bootstrap.py"))?;
    std::fs::write(directory.join("bootstrap.mjs"), include_str!("bootstrap.mjs"))
}
