//! The SQLite store passes the suite. The suite is about answers, so it does not wait for the disk; `kill.rs` does.

use store::sqlite::{Options, Synchronous};
use store::suite::Subject;
use store::{SqliteStore, conformance_tests};

fn sqlite() -> Subject {
    let dir = tempfile::tempdir().expect("a directory");
    Subject {
        open: Box::new(move || {
            let options = Options { synchronous: Synchronous::Off, ..Options::new(dir.path()) };
            Box::new(SqliteStore::open(&options).expect("the store opens"))
        }),
        durable: true,
    }
}

conformance_tests!(sqlite);
