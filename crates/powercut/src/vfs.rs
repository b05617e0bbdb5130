//! Between SQLite and its own file system layer: everything is done by that one, and the [`Disk`] of the file's
//! directory is told of it. Only syncs are not passed on: the disk is what they are about, and is asked instead.
//!
//! This is the one file that is not safe Rust. SQLite's contract is what it rests on: a file is opened once into memory of
//! `szOsFile` bytes that SQLite owns, every later call gives that memory, and `xClose` is the last of them.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::size_of;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use rusqlite::ffi::{
    self, SQLITE_CANTOPEN, SQLITE_IOERR_DELETE, SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE,
    SQLITE_OK, SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_SUPER_JOURNAL, SQLITE_OPEN_WAL, sqlite3_file, sqlite3_io_methods,
    sqlite3_vfs,
};

use crate::disk::{Disk, FileId, NoPower};

/// The layer's name, by which a connection asks for it.
pub static NAME: LazyLock<&'static str> = LazyLock::new(|| {
    Layer::register();
    LAYER_NAME.to_str().expect("it is ASCII")
});

const LAYER_NAME: &CStr = c"powercut";

/// SQLite's own layer.
struct Layer(*mut sqlite3_vfs);

// SAFETY: SQLite never frees or changes its own layer, and calls it from every thread.
unsafe impl Send for Layer {}
// SAFETY: as above.
unsafe impl Sync for Layer {}

static REAL: LazyLock<Layer> = LazyLock::new(|| {
    // SAFETY: a null name asks for the default layer, which exists as soon as SQLite is initialised; this does it.
    let real = unsafe {
        ffi::sqlite3_initialize();
        ffi::sqlite3_vfs_find(std::ptr::null())
    };
    assert!(!real.is_null(), "SQLite has no file system layer");
    Layer(real)
});

impl Layer {
    fn register() {
        let real = REAL.0;
        // SAFETY: `real` lives for ever. What is not replaced is called with the copy, which has all that it reads. The copy
        // is leaked, as SQLite keeps it for ever.
        unsafe {
            let mut ours = *real;
            ours.zName = LAYER_NAME.as_ptr();
            ours.szOsFile = (size_of::<OurFile>() as c_int) + (*real).szOsFile;
            ours.xOpen = Some(open);
            ours.xDelete = Some(delete);
            let done = ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 0);
            assert_eq!(done, SQLITE_OK);
        }
    }
}

/// What SQLite keeps for an open file: ours, and behind it that of the real layer.
#[repr(C)]
struct OurFile {
    base: sqlite3_file,
    handle: *mut Handle,
}

struct Handle {
    disk: Arc<Disk>,
    file: FileId,
    /// The first sync of a journal or log syncs the directory that holds its name, as SQLite's own layer does it.
    syncs_directory: bool,
}

/// The real layer's part of an open file.
unsafe fn real(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: SQLite has given `szOsFile` bytes, which is room for both.
    unsafe { file.cast::<OurFile>().add(1).cast() }
}

unsafe fn handle<'a>(file: *mut sqlite3_file) -> &'a mut Handle {
    // SAFETY: only files that `open` has given a handle have our methods, and SQLite calls them one at a time.
    unsafe { &mut *(*file.cast::<OurFile>()).handle }
}

fn answer(done: Result<(), NoPower>, error: c_int) -> c_int {
    done.map_or(error, |()| SQLITE_OK)
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let layer = REAL.0;
    // SAFETY: the arguments are SQLite's own and are passed on as they are. A null name is a file that has none.
    unsafe {
        let Some(open) = (*layer).xOpen else { return SQLITE_CANTOPEN };
        (*file).pMethods = std::ptr::null();
        let place = if name.is_null() { None } else { disk_of(name) };
        let Some((disk, name_there)) = place else { return open(layer, name, file, flags, out_flags) };
        let opened = open(layer, name, real(file), flags, out_flags);
        if opened != SQLITE_OK {
            return opened;
        }
        let journal = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
        let handle = Handle { file: disk.open(&name_there), disk, syncs_directory: flags & journal != 0 };
        (*file.cast::<OurFile>()).handle = Box::into_raw(Box::new(handle));
        (*file).pMethods = &METHODS;
        SQLITE_OK
    }
}

unsafe fn disk_of(name: *const c_char) -> Option<(Arc<Disk>, String)> {
    // SAFETY: SQLite's names end with a zero.
    let name = unsafe { CStr::from_ptr(name) };
    Disk::of(Path::new(name.to_str().ok()?))
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    let layer = REAL.0;
    // SAFETY: as in `open`.
    unsafe {
        let told = disk_of(name).map_or(Ok(()), |(disk, name)| disk.delete(&name, sync != 0));
        match (*layer).xDelete {
            Some(delete) if told.is_ok() => delete(layer, name, 0),
            _ => SQLITE_IOERR_DELETE,
        }
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: this is the last call for this file, so its handle is taken back.
    unsafe {
        drop(Box::from_raw((*file.cast::<OurFile>()).handle));
        pass_on!(file, xClose)
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, bytes: *const c_void, count: c_int, at: i64) -> c_int {
    // SAFETY: SQLite gives `count` bytes.
    unsafe {
        let done = pass_on!(file, xWrite, bytes, count, at);
        if done != SQLITE_OK {
            return done;
        }
        let bytes = std::slice::from_raw_parts(bytes.cast::<u8>(), count as usize);
        let handle = handle(file);
        answer(handle.disk.written(handle.file, at as usize, bytes), SQLITE_IOERR_WRITE)
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, to: i64) -> c_int {
    // SAFETY: nothing but the file is used.
    unsafe {
        let done = pass_on!(file, xTruncate, to);
        if done != SQLITE_OK {
            return done;
        }
        let handle = handle(file);
        answer(handle.disk.cut(handle.file, to as usize), SQLITE_IOERR_TRUNCATE)
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: nothing but the file is used.
    let handle = unsafe { handle(file) };
    let done = handle.disk.sync(handle.file, handle.syncs_directory);
    handle.syncs_directory &= done.is_err();
    answer(done, SQLITE_IOERR_FSYNC)
}

/// Calls the real layer's method of an open file.
macro_rules! pass_on {
    ($file:ident, $method:ident $(, $argument:expr)*) => {{
        let real = real($file);
        (*(*real).pMethods).$method.expect("SQLite's own layer has this method")(real $(, $argument)*)
    }};
}
use pass_on;

/// Methods that are passed on as they are.
macro_rules! passed_on {
    ($($method:ident($($name:ident: $type:ty),*) -> $answer:ty;)*) => {
        mod passed {
            use super::*;
            $(
                #[allow(non_snake_case)]
                pub unsafe extern "C" fn $method(file: *mut sqlite3_file $(, $name: $type)*) -> $answer {
                    // SAFETY: the arguments are SQLite's own.
                    unsafe { pass_on!(file, $method $(, $name)*) }
                }
            )*
        }
    };
}

passed_on! {
    xRead(to: *mut c_void, count: c_int, at: i64) -> c_int;
    xFileSize(size: *mut i64) -> c_int;
    xLock(level: c_int) -> c_int;
    xUnlock(level: c_int) -> c_int;
    xCheckReservedLock(held: *mut c_int) -> c_int;
    xFileControl(what: c_int, argument: *mut c_void) -> c_int;
    xSectorSize() -> c_int;
    xDeviceCharacteristics() -> c_int;
    xShmMap(region: c_int, size: c_int, extend: c_int, to: *mut *mut c_void) -> c_int;
    xShmLock(offset: c_int, count: c_int, flags: c_int) -> c_int;
    xShmBarrier() -> ();
    xShmUnmap(delete: c_int) -> c_int;
}

/// Of version 2: SQLite then never maps a file into memory, where its writes would go unseen.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(passed::xRead),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(passed::xFileSize),
    xLock: Some(passed::xLock),
    xUnlock: Some(passed::xUnlock),
    xCheckReservedLock: Some(passed::xCheckReservedLock),
    xFileControl: Some(passed::xFileControl),
    xSectorSize: Some(passed::xSectorSize),
    xDeviceCharacteristics: Some(passed::xDeviceCharacteristics),
    xShmMap: Some(passed::xShmMap),
    xShmLock: Some(passed::xShmLock),
    xShmBarrier: Some(passed::xShmBarrier),
    xShmUnmap: Some(passed::xShmUnmap),
    xFetch: None,
    xUnfetch: None,
};
