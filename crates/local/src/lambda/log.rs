//! A function's log: a file for its owner to read, and the tail of it that a caller may ask for. Each invocation is framed
//! as AWS frames it, by START, END and REPORT.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What `LogType: Tail` gives: the last 4 KB.
const TAIL: usize = 4096;
/// How much of one invocation's output is kept: enough to read, not enough to fill a disk.
const INVOCATION_LIMIT: usize = 1024 * 1024;
/// A file longer than this becomes the older one of two.
const FILE_LIMIT: u64 = 16 * 1024 * 1024;

/// The log of one sandbox; sandboxes of one function share the file.
pub struct Log {
    path: PathBuf,
    file: Option<File>,
    tail: Vec<u8>,
    kept: usize,
}

impl Log {
    pub fn open(path: &Path) -> Self {
        let mut log = Self { path: path.to_owned(), file: None, tail: Vec::new(), kept: 0 };
        log.reopen();
        log
    }

    fn reopen(&mut self) {
        if let Some(folder) = self.path.parent()
            && let Err(error) = std::fs::create_dir_all(folder)
        {
            tracing::warn!(folder = %folder.display(), %error, "the folder of the functions' logs cannot be made");
        }
        if std::fs::metadata(&self.path).is_ok_and(|told| told.len() > FILE_LIMIT) {
            let _ = std::fs::rename(&self.path, self.path.with_extension("log.1"));
        }
        self.file = match OpenOptions::new().append(true).create(true).open(&self.path) {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "a function's log cannot be written");
                None
            }
        };
    }

    /// An invocation begins; what was said before it belongs to the start of the process.
    pub fn begin(&mut self, request_id: &str) {
        self.tail.clear();
        self.kept = 0;
        self.reopen();
        self.line(&format!("START RequestId: {request_id} Version: $LATEST"));
    }

    /// Something that the process said.
    pub fn said(&mut self, bytes: &[u8]) {
        if self.kept > INVOCATION_LIMIT {
            return;
        }
        self.kept += bytes.len();
        self.write(bytes);
        if self.kept > INVOCATION_LIMIT {
            self.line("\n[more than a mebibyte was written; the rest of this invocation is left out]");
        }
    }

    /// The invocation is over.
    pub fn end(&mut self, request_id: &str, took: Duration, memory_mb: u64, began_in: Option<Duration>) {
        if !self.tail.is_empty() && self.tail.last() != Some(&b'\n') {
            self.write(b"\n");
        }
        self.line(&format!("END RequestId: {request_id}"));
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let init = began_in.map(|time| format!("\tInit Duration: {:.2} ms", ms(time))).unwrap_or_default();
        self.line(&format!(
            "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {memory_mb} MB{init}",
            ms(took),
            ms(took).ceil()
        ));
    }

    /// A line of the log's own.
    pub fn line(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// The end of what the last invocation left.
    pub fn tail(&self) -> &[u8] {
        &self.tail
    }

    fn write(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
        let too_many = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..too_many);
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(bytes)
        {
            tracing::warn!(path = %self.path.display(), %error, "a function's log cannot be written on");
            self.file = None;
        }
    }
}
