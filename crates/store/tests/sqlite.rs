//! The SQLite store passes the suite.

use store::sqlite::Options;
use store::suite::Subject;
use store::{SqliteStore, conformance_tests};

fn sqlite() -> Subject {
    let dir = tempfile::tempdir().expect("a directory");
    Subject {
        open: Box::new(move || {
            let store = SqliteStore::open(&Options::new(dir.path()));
            Box::new(store.expect("the store opens"))
        }),
        durable: true,
    }
}

conformance_tests!(sqlite);
