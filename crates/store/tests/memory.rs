//! The model passes the suite that it is the model of; the random histories then compare it with itself.

use store::suite::Subject;
use store::{MemoryStore, conformance_tests};

fn memory() -> Subject {
    Subject { open: Box::new(|| Box::new(MemoryStore::new())), durable: false }
}

conformance_tests!(memory);
