//! Whether the store is sound, looked at when a server starts: before anything is served where that takes no time, beside
//! the serving where the store is large. Whatever is damaged is refused when it is read; this is so that it is known.

use std::path::Path;
use std::sync::Arc;

use store::{SqliteStore, Store};

use crate::Failed;

/// Up to this, the check is over before anything is served: it takes about a tenth of a second of CPU.
const CHECKED_FIRST_BYTES: u64 = 32 << 20;

pub struct Check {
    store: Arc<SqliteStore>,
    /// What is whole is served beside what is not.
    accept_damage: bool,
    data: String,
}

impl Check {
    pub fn new(store: Arc<SqliteStore>, data: &Path, accept_damage: bool) -> Check {
        Check { store, accept_damage, data: data.display().to_string() }
    }

    /// Before anything is served; what is left to do beside it, which ends only with a reason to stop.
    pub async fn first(self) -> Result<impl Future<Output = Failed>, Failed> {
        let small = self.store.bytes().await? <= CHECKED_FIRST_BYTES;
        if small {
            self.look().await?;
        }
        Ok(async move {
            match if small { Ok(()) } else { self.look().await } {
                Ok(()) => std::future::pending().await,
                Err(found) => found,
            }
        })
    }

    async fn look(&self) -> Result<(), Failed> {
        match self.store.check().await {
            Err(error) if self.accept_damage => {
                tracing::error!(%error, data = self.data, "damage; what is whole is served");
                Ok(())
            }
            Err(error) => Err(format!(
                "{}: {error}. Restore it from a backup, or serve what is whole of it with --accept-damage",
                self.data
            )
            .into()),
            Ok(()) => Ok(()),
        }
    }
}
