//! A gate that opens once. Who waits goes on in the order of waiting: tokio's own `watch` wakes in an order of chance.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Gate {
    open: AtomicBool,
    waiting: Notify,
}

impl Gate {
    pub fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
        self.waiting.notify_waiters();
    }

    pub fn is_open(&self) -> bool {
        self.open.load(Ordering::Relaxed)
    }

    /// Waits until it is open.
    pub async fn pass(&self) {
        let opened = self.waiting.notified();
        if !self.is_open() {
            opened.await;
        }
    }
}
