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
use crate::settings::Flags;
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

    /// Logs as JSON, and one JSON line on standard output when the server is ready
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    flags: Flags,
}

/// Where AWS's own Step Functions Local listened.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8083);

const DEFAULT_DATA: &str = "stepwell-data";

impl Serve {
    pub fn execute(self) -> Result<ExitCode, Failed> {
        let settings = self.flags.resolve()?;
        logging::start(settings.log.as_deref(), self.json);
        let listen = self.listen.or(settings.file.listen).unwrap_or(DEFAULT_LISTEN);
        let data = self.data.or_else(|| settings.file.data.clone()).unwrap_or_else(|| DEFAULT_DATA.into());
        runtime()?.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let store = Arc::new(SqliteStore::open(&Options::new(&data))?);
            let house = House::open(&settings, store, listen, &data).await?;
            if self.json {
                println!("{}", serde_json::json!({"url": house.url(), "data": data, "laptop": settings.laptop}));
            }
            let laptop = if settings.laptop { ", with the laptop services" } else { "" };
            tracing::info!(url = house.url(), data = %data.display(), "ready{laptop}");
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            tracing::info!("closing");
            house.close().await;
            Ok(ExitCode::SUCCESS)
        })
    }
}
