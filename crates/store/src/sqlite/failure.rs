//! SQLite's error codes as the kinds of [`Error`]. What decides is the extended code: a failed fsync is not a failed write.

use rusqlite::{ErrorCode, ffi};

use crate::Error;

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        let text = error.to_string();
        let rusqlite::Error::SqliteFailure(failure, _) = &error else {
            // A column of another type, a missing row, text that is not UTF-8: not what was written.
            return Error::Corrupt(text);
        };
        let text = format!("{text} (SQLite code {})", failure.extended_code);
        match (failure.extended_code, failure.code) {
            (ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC, _) => Error::Fatal(text),
            (ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_IOERR_DATA, _) => Error::Corrupt(text),
            (_, ErrorCode::DiskFull) => Error::Full(text),
            (_, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt(text),
            (_, ErrorCode::TooBig) => Error::TooLarge(text),
            _ => Error::Unavailable(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: i32) -> Error {
        rusqlite::Error::SqliteFailure(ffi::Error::new(code), None).into()
    }

    #[test]
    fn codes_become_kinds() {
        assert!(kind(ffi::SQLITE_IOERR_FSYNC).is_fatal());
        assert!(kind(ffi::SQLITE_IOERR_DIR_FSYNC).is_fatal());
        assert!(matches!(kind(ffi::SQLITE_FULL), Error::Full(_)));
        assert!(matches!(kind(ffi::SQLITE_CORRUPT), Error::Corrupt(_)));
        assert!(matches!(kind(ffi::SQLITE_NOTADB), Error::Corrupt(_)));
        assert!(matches!(kind(ffi::SQLITE_TOOBIG), Error::TooLarge(_)));
        assert!(matches!(kind(ffi::SQLITE_IOERR_WRITE), Error::Unavailable(_)));
        assert!(matches!(kind(ffi::SQLITE_BUSY), Error::Unavailable(_)));
    }
}
