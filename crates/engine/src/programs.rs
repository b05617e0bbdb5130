//! Compiled definitions by their hash, the most recently used ones in memory.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use asl::Program;
use lru::LruCache;
use sha2::{Digest, Sha256};

use crate::{Engine, Error, Result};

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

/// What names a definition.
pub(crate) fn hash(definition: &str) -> [u8; 32] {
    Sha256::digest(definition.as_bytes()).into()
}
