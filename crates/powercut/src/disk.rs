//! What a disk has, and what it only was told. A sync makes everything durable that was written to the file before it
//! began. When the power goes, each sector that was written after that is as it was, as it became, torn, or rubbish; each
//! name that was made or taken away since its directory was synced is there or is not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use fastrand::Rng;

/// What a disk writes whole or not at all, if nothing goes wrong: the smallest there are.
const SECTOR: usize = 512;

/// The disks that SQLite may write to, by their directories.
static DISKS: Mutex<BTreeMap<PathBuf, Weak<Disk>>> = Mutex::new(BTreeMap::new());

/// The disk under one directory.
pub struct Disk {
    dir: PathBuf,
    state: Mutex<State>,
}

/// The power is gone: nothing is written any more, and nothing that was asked is answered well.
#[derive(Debug)]
pub(crate) struct NoPower;

pub(crate) type FileId = usize;

#[derive(Default)]
struct State {
    /// Every file there ever was, also under a name that is gone.
    files: Vec<File>,
    /// The names as the system sees them.
    names: BTreeMap<String, FileId>,
    durable_names: BTreeMap<String, FileId>,
    /// What happened to names since their directory was synced.
    renamed: Vec<(String, Option<FileId>)>,
    /// Writes, syncs and deletions that there have been.
    operations: u64,
    /// The operation at which the power goes.
    goes_at: Option<u64>,
    out: bool,
    changes: u64,
}

#[derive(Default)]
struct File {
    durable: Vec<u8>,
    /// Not yet synced, with their numbers.
    pending: Vec<(u64, Change)>,
}

enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Cut { to: usize },
}

impl Change {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Change::Write { at, bytes } => put(file, *at, bytes),
            Change::Cut { to } => file.resize(*to, 0),
        }
    }

    /// What may become of it: any sector alone.
    fn perhaps(&self, file: &mut Vec<u8>, survival: Survival, dice: &mut Rng) {
        let Change::Write { at, bytes } = self else {
            if survival.holds(dice) {
                self.apply(file);
            }
            return;
        };
        let mut from = 0;
        while from < bytes.len() {
            let to = bytes.len().min(from + SECTOR - (at + from) % SECTOR);
            if survival.holds(dice) {
                put(file, at + from, &bytes[from..to]);
            } else if dice.u8(..) < 8 {
                let torn = dice.usize(from..to);
                put(file, at + from, &bytes[from..torn]);
            } else if dice.u8(..) < 4 {
                let rubbish: Vec<u8> = (from..to).map(|_| dice.u8(..)).collect();
                put(file, at + from, &rubbish);
            }
            from = to;
        }
    }
}

fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[at..end].copy_from_slice(bytes);
}

/// How much of what was not synced is on the disk all the same, in 256ths.
#[derive(Clone, Copy)]
struct Survival(u16);

impl Survival {
    fn of(dice: &mut Rng) -> Survival {
        Survival(*dice.choice(&[0, 1, 128, 128, 255, 256]).expect("there are some"))
    }

    fn holds(self, dice: &mut Rng) -> bool {
        u16::from(dice.u8(..)) < self.0
    }
}

impl Disk {
    /// The disk under a directory; what is there now is durable.
    pub fn at(dir: &Path) -> std::io::Result<Arc<Disk>> {
        std::fs::create_dir_all(dir)?;
        let dir = dir.canonicalize()?;
        let mut state = State::default();
        for entry in std::fs::read_dir(&dir)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            state.durable_names.insert(name, state.files.len());
            state.files.push(File { durable: std::fs::read(entry.path())?, pending: Vec::new() });
        }
        state.names = state.durable_names.clone();
        let disk = Arc::new(Disk { dir: dir.clone(), state: Mutex::new(state) });
        lock(&DISKS).insert(dir, Arc::downgrade(&disk));
        Ok(disk)
    }

    /// The disk that a file is on, and the file's name there.
    pub(crate) fn of(path: &Path) -> Option<(Arc<Disk>, String)> {
        let name = path.file_name()?.to_str()?.to_owned();
        let disk = lock(&DISKS).get(path.parent()?)?.upgrade()?;
        Some((disk, name))
    }

    /// The power goes after so many more operations; 0: at once.
    pub fn power_goes_after(&self, operations: u64) {
        let mut state = self.state();
        state.goes_at = Some(state.operations + operations);
        state.out |= operations == 0;
    }

    /// The power does not go after all, if it has not gone yet.
    pub fn power_stays(&self) {
        self.state().goes_at = None;
    }

    pub fn is_out(&self) -> bool {
        self.state().out
    }

    /// How often it was written to, synced, or a file deleted.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Ends it, and puts what survives into an empty directory, which has a disk of its own from then on.
    pub fn restart_in(&self, dir: &Path, dice: &mut Rng) -> std::io::Result<Arc<Disk>> {
        let mut state = self.state();
        state.out = true;
        std::fs::create_dir_all(dir)?;
        for (name, id) in state.surviving_names(dice) {
            std::fs::write(dir.join(name), state.files[id].surviving(dice))?;
        }
        Disk::at(dir)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(crate) fn open(&self, name: &str) -> FileId {
        let mut state = self.state();
        if let Some(id) = state.names.get(name) {
            return *id;
        }
        let id = state.files.len();
        state.files.push(File::default());
        state.rename(name, Some(id));
        id
    }

    pub(crate) fn written(&self, file: FileId, at: usize, bytes: &[u8]) -> Result<(), NoPower> {
        self.change(file, Change::Write { at, bytes: bytes.to_owned() })
    }

    pub(crate) fn cut(&self, file: FileId, to: usize) -> Result<(), NoPower> {
        self.change(file, Change::Cut { to })
    }

    fn change(&self, file: FileId, change: Change) -> Result<(), NoPower> {
        let mut state = self.state();
        if state.out {
            return Err(NoPower);
        }
        // What is written when the power goes was still asked for.
        state.changes += 1;
        let number = state.changes;
        state.files[file].pending.push((number, change));
        state.operation()
    }

    /// All that was written to a file before is durable now. With `directory`: also what its directory holds.
    pub(crate) fn sync(&self, file: FileId, directory: bool) -> Result<(), NoPower> {
        let mut state = self.state();
        state.operation()?;
        let File { durable, pending } = &mut state.files[file];
        for (_, change) in pending.drain(..) {
            change.apply(durable);
        }
        if directory {
            state.sync_names();
        }
        Ok(())
    }

    pub(crate) fn delete(&self, name: &str, sync: bool) -> Result<(), NoPower> {
        let mut state = self.state();
        state.operation()?;
        if state.names.contains_key(name) {
            state.rename(name, None);
        }
        if sync {
            state.sync_names();
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        lock(&DISKS).remove(&self.dir);
    }
}

impl State {
    fn operation(&mut self) -> Result<(), NoPower> {
        self.operations += 1;
        self.out |= self.goes_at.is_some_and(|at| self.operations >= at);
        if self.out { Err(NoPower) } else { Ok(()) }
    }

    fn rename(&mut self, name: &str, to: Option<FileId>) {
        match to {
            Some(id) => self.names.insert(name.to_owned(), id),
            None => self.names.remove(name),
        };
        self.renamed.push((name.to_owned(), to));
    }

    fn sync_names(&mut self) {
        self.durable_names = self.names.clone();
        self.renamed.clear();
    }

    fn surviving_names(&self, dice: &mut Rng) -> BTreeMap<String, FileId> {
        let mut names = self.durable_names.clone();
        let survival = Survival::of(dice);
        for (name, id) in &self.renamed {
            match id {
                _ if !survival.holds(dice) => None,
                Some(id) => names.insert(name.clone(), *id),
                None => names.remove(name),
            };
        }
        names
    }
}

impl File {
    fn surviving(&self, dice: &mut Rng) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        let survival = Survival::of(dice);
        for (_, change) in &self.pending {
            change.perhaps(&mut bytes, survival, dice);
        }
        bytes
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
