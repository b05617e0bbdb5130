//! `stepwell serve`: the server over a data directory.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use store::SqliteStore;
use store::sqlite::Options;
use tokio::signal::unix::{SignalKind, signal};

use crate::house::House;
use crate::settings::{Flags, Settings};
use crate::sound::Check;
use crate::{Failed, logging, runtime};

/// Serve the Step Functions API over a data directory
///
/// Executions survive a kill, a crash and a power cut: nothing is answered before it is on disk.
#[derive(Args)]
pub struct Serve {
    /// Address to listen on; loopback only
    #[arg(long, env = "STEPWELL_LISTEN", value_name = "ADDRESS")]
    listen: Option<SocketAddr>,

    /// Data directory; made where it does not exist
    #[arg(long, env = "STEPWELL_DATA", value_name = "DIR")]
    data: Option<PathBuf>,

    /// Serve what is whole of a data directory that is damaged
    #[arg(long, env = "STEPWELL_ACCEPT_DAMAGE")]
    accept_damage: bool,

    /// Logs as JSON, and one JSON line on standard output when the server is ready
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    flags: Flags,
}

/// Where AWS's own Step Functions Local listened.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8083);

const DEFAULT_DATA: &str = "stepwell-data";

/// Where the data is, by flag or environment, settings file, or as it is.
pub fn data_directory(flag: Option<PathBuf>, settings: &Settings) -> PathBuf {
    flag.or_else(|| settings.file.data.clone()).unwrap_or_else(|| DEFAULT_DATA.into())
}

impl Serve {
    pub fn execute(self) -> Result<ExitCode, Failed> {
        let settings = self.flags.resolve()?;
        logging::start(settings.log.as_deref(), self.json);
        if settings.time_scale != 1.0 && !settings.laptop {
            return Err("--time-scale is for tests of workflows, and needs --laptop".into());
        }
        let listen = self.listen.or(settings.file.listen).unwrap_or(DEFAULT_LISTEN);
        let data = data_directory(self.data, &settings);
        runtime()?.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let store = Arc::new(SqliteStore::open(&Options::new(&data))?);
            let check = Check::new(store.clone(), &data, self.accept_damage).first().await?;
            let house = House::open(&settings, store, listen, &data).await?;
            if self.json {
                println!("{}", serde_json::json!({"url": house.url(), "data": data, "laptop": settings.laptop}));
            }
            let laptop = if settings.laptop { ", with the laptop services" } else { "" };
            tracing::info!(url = house.url(), data = %data.display(), "ready{laptop}");
            tracing::info!(
                "for StartSyncExecution and TestState SDKs put sync- before the host: \
                 AWS_DISABLE_HOST_PREFIX_INJECTION=true (JavaScript: disableHostPrefix) leaves it away"
            );
            let ended = tokio::select! {
                _ = terminate.recv() => Ok(ExitCode::SUCCESS),
                _ = tokio::signal::ctrl_c() => Ok(ExitCode::SUCCESS),
                damage = check => Err(damage),
            };
            tracing::info!("closing");
            house.close().await;
            ended
        })
    }
}
