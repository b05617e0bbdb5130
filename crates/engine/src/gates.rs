//! How many requests to a service are under way at once. Each service has a gate of its own, so that one that hangs holds
//! up its own tasks and no others; and it is known how many requests wait, so that no new work is begun on top of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use asl::{Resource, Target};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) struct Gates {
    each: usize,
    by_service: Mutex<HashMap<String, Arc<Semaphore>>>,
    waiting: AtomicUsize,
}

impl Gates {
    /// `each`: requests to one service at once.
    pub fn new(each: usize) -> Gates {
        Gates { each: each.max(1), by_service: Mutex::default(), waiting: AtomicUsize::new(0) }
    }

    /// Waits until a request to this resource may be sent, which lasts until the answer is dropped.
    pub async fn pass(&self, resource: &Resource) -> OwnedSemaphorePermit {
        let gate = self.gate(service(resource));
        let _place = Place::take(&self.waiting);
        gate.acquire_owned().await.expect("a gate is never closed")
    }

    /// How many requests wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn gate(&self, service: &str) -> Arc<Semaphore> {
        let mut gates = self.by_service.lock().expect("no panic while held");
        if let Some(gate) = gates.get(service) {
            return gate.clone();
        }
        let gate = Arc::new(Semaphore::new(self.each));
        gates.insert(service.to_owned(), gate.clone());
        gate
    }
}

fn service(resource: &Resource) -> &str {
    match &resource.target {
        Target::Integration { service, .. } => service,
        Target::Lambda => "lambda",
        Target::Activity | Target::Unknown => "",
    }
}

/// Someone who waits, also if they give up.
struct Place<'a>(&'a AtomicUsize);

impl Place<'_> {
    fn take(waiting: &AtomicUsize) -> Place<'_> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Place(waiting)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
