//! State machines that are `DELETING`: the end of each of their executions may be the last one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

#[derive(Default)]
pub(crate) struct Deleting(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// With the number of the deletion, which is never used again: a name may be deleted, created and deleted again.
    machines: HashMap<Arc<str>, u64>,
    last: u64,
}

impl Deleting {
    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("no panic while held")
    }

    pub fn add(&self, machine: Arc<str>) {
        let mut inner = self.lock();
        inner.last += 1;
        let number = inner.last;
        inner.machines.insert(machine, number);
    }

    /// The newest deletion of this name that is known.
    pub fn number(&self, machine: &str) -> Option<u64> {
        self.lock().machines.get(machine).copied()
    }

    /// A deletion has come to its end; a newer one of the same name has not.
    pub fn remove(&self, machine: &str, number: Option<u64>) {
        let mut inner = self.lock();
        if inner.machines.get(machine).copied() == number {
            inner.machines.remove(machine);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Deleting;

    #[test]
    fn the_end_of_one_deletion_is_not_the_end_of_the_next() {
        let deleting = Deleting::default();
        deleting.add("a".into());
        let first = deleting.number("a");
        // Whoever saw the first one gone is slow; the name was created and deleted again meanwhile.
        deleting.remove("a", first);
        deleting.add("a".into());
        deleting.remove("a", first);
        deleting.remove("a", None);
        let second = deleting.number("a");
        assert!(second.is_some() && second != first);
        deleting.remove("a", second);
        assert_eq!(deleting.number("a"), None);
    }
}
