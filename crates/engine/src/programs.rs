//! Definitions: judged, and compiled by their hash, the most recently used ones in memory.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use asl::{CheckOptions, Checked, Program};
use lru::LruCache;
use sha2::{Digest, Sha256};

use crate::api::MachineType;
use crate::{Engine, Error, Result};

/// Definitions longer than this are judged beside the threads that serve requests, in bytes: it takes milliseconds.
const LONG_DEFINITION: usize = 64 * 1024;

pub(crate) struct Programs {
    cache: Mutex<LruCache<[u8; 32], Arc<Program>>>,
}

impl Programs {
    pub fn new(capacity: usize) -> Programs {
        let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
        Programs { cache: Mutex::new(LruCache::new(capacity)) }
    }

    pub fn put(&self, hash: [u8; 32], program: Arc<Program>) {
        self.cache.lock().expect("no panic while held").put(hash, program);
    }

    /// The program of a definition that was checked when it was stored: it is parsed and never judged again.
    pub async fn get(&self, engine: &Engine, hash: [u8; 32]) -> Result<Arc<Program>> {
        let cached = self.cache.lock().expect("no panic while held").get(&hash).cloned();
        if let Some(program) = cached {
            return Ok(program);
        }
        let text = engine.store.definition(hash).await?;
        let text = text.ok_or_else(|| Error::Internal("a definition is missing from the store".into()))?;
        if self::hash(&text) != hash {
            return Err(store::Error::Corrupt("a definition is not what was written".into()).into());
        }
        let program = asl::load(&text).map_err(|e| Error::Internal(format!("a stored definition: {e}")))?;
        let program = Arc::new(program);
        self.put(hash, program.clone());
        Ok(program)
    }
}

impl Engine {
    /// Whether AWS would take a definition, and what is wrong with it.
    pub async fn check_definition(&self, definition: &str, machine_type: MachineType) -> Result<Checked> {
        let machine_type = match machine_type {
            MachineType::Standard => asl::MachineType::Standard,
            MachineType::Express => asl::MachineType::Express,
        };
        let is_action = self.settings.is_action;
        let options = CheckOptions { machine_type, is_action, ..CheckOptions::default() };
        if definition.len() <= LONG_DEFINITION {
            return Ok(asl::check(definition, &options));
        }
        let definition = definition.to_owned();
        let judged = tokio::task::spawn_blocking(move || asl::check(&definition, &options));
        judged.await.map_err(|error| Error::Internal(error.to_string()))
    }

    /// The program of a definition that AWS would take.
    pub(crate) async fn compile(&self, definition: &str, machine_type: MachineType) -> Result<Program> {
        let checked = self.check_definition(definition, machine_type).await?;
        if !checked.is_valid() {
            return Err(Error::InvalidDefinition(checked.diagnostics));
        }
        checked.program.ok_or_else(|| Error::Unsupported(checked.unsupported.unwrap_or_default()))
    }
}

/// What names a definition.
pub(crate) fn hash(definition: &str) -> [u8; 32] {
    Sha256::digest(definition.as_bytes()).into()
}
