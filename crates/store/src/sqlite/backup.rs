//! A copy of the store: of one moment, looked through, and under its name only when it is whole and on the disk.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::open::{self, FILE, Role};
use super::{Options, sound};
use crate::{Error, Result};

/// Copy the store of a directory, whether another process serves it at this time or none does.
pub fn backup(options: &Options, to: &Path) -> Result<()> {
    let path = options.dir.join(FILE);
    if !path.exists() {
        return Err(Error::Unavailable(format!("there is no {}", path.display())));
    }
    let connection = open::connect(options, Role::Reader)?;
    open::known(&connection, options)?;
    copy(&connection, to)
}

/// Copy what the connection sees to a file that does not exist yet.
pub fn copy(connection: &Connection, to: &Path) -> Result<()> {
    let failed = |error: std::io::Error| Error::Unavailable(format!("{}: {error}", to.display()));
    if to.exists() {
        return Err(Error::Unavailable(format!("{} is there already", to.display())));
    }
    let partial = partial(to);
    // Left by a backup that was cut short.
    match fs::remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    // The keys of the task tokens are in it.
    File::options().write(true).create_new(true).mode(0o600).open(&partial).map_err(failed)?;
    let copied = fill(connection, &partial);
    if let Err(error) = copied {
        // What is left of it is of no use to anyone; that it cannot be removed is not worth another error.
        let _ = fs::remove_file(&partial);
        return Err(error);
    }
    File::open(&partial).and_then(|file| file.sync_all()).map_err(failed)?;
    fs::rename(&partial, to).map_err(failed)?;
    let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new("."))).and_then(|parent| parent.sync_all()).map_err(failed)
}

fn fill(connection: &Connection, partial: &Path) -> Result<()> {
    let mut copy = Connection::open(partial)?;
    let backup = rusqlite::backup::Backup::new(connection, &mut copy)?;
    // All pages in one step: one snapshot, which turns that go on meanwhile do not disturb.
    backup.step(-1)?;
    drop(backup);
    sound::whole(&copy)?;
    copy.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// The file beside `to` in which a backup is made until it is whole.
fn partial(to: &Path) -> PathBuf {
    let mut name = to.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    to.with_file_name(name)
}
