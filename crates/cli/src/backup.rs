//! `stepwell backup`: a copy of the data directory's store, whole and of one moment, also while a server writes to it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use store::sqlite::Options;

use crate::serve::data_directory;
use crate::settings::Flags;
use crate::{Failed, logging};

/// Copy the store of a data directory to a file, also while a server serves it
///
/// The file is the store as it is at one moment; it is there under its name only when it is whole, looked through, and on
/// disk. It holds the keys of the task tokens: keep it as safe as the data directory. To restore it, put it as stepwell.db
/// into an empty directory and serve that. Data of the laptop services is not in it.
#[derive(Args)]
pub struct Backup {
    /// The file to write; it must not be there yet
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Data directory
    #[arg(long, env = "STEPWELL_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    #[command(flatten)]
    flags: Flags,
}

impl Backup {
    pub fn execute(self) -> Result<ExitCode, Failed> {
        let settings = self.flags.resolve()?;
        logging::start(settings.log.as_deref(), false);
        let data = data_directory(self.data, &settings);
        store::sqlite::backup(&Options::new(&data), &self.file)?;
        eprintln!("{} is a backup of {}", self.file.display(), data.display());
        Ok(ExitCode::SUCCESS)
    }
}
