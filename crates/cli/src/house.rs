//! Engine, connectors, laptop services and server, put together.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use aws::{CredentialChain, Endpoints};
use connectors::{ConnectorSettings, Connectors, LogSink, Mocks, SpanSink};
use engine::Engine;
use engine::port::{Api, ApiError};
use local::Local;
use serde_json::Value;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::machines::Starter;
use crate::settings::{FunctionTable, STDOUT, Settings};
use crate::{Failed, files};

pub struct House {
    pub engine: Engine,
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl House {
    /// Opens everything over a store. The laptop services keep their data in `laptop_data`.
    pub async fn open(
        settings: &Settings,
        store: Arc<dyn Store>,
        listen: SocketAddr,
        laptop_data: &Path,
    ) -> Result<House, Failed> {
        if !listen.ip().is_loopback() {
            // No credentials are checked yet, so nobody but this machine may call.
            return Err(format!("{listen} is not a loopback address; listen on 127.0.0.1 or [::1]").into());
        }
        let listener =
            TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}");
        let local = if settings.laptop { Some(open_local(settings, laptop_data, &url)?) } else { None };

        let environment = aws::endpoint::process_environment();
        let mut endpoints = Endpoints::new(environment.clone()).with_aws(settings.aws);
        for (service, endpoint) in &settings.file.endpoints {
            endpoints = endpoints.with_setting(service, endpoint)?;
        }
        for service in local.iter().flat_map(|local| local.services()) {
            endpoints = endpoints.with_laptop(service, &url)?;
        }
        endpoints.check()?;
        let status_changes = settings.file.events.status_changes;
        if status_changes == Some(true) {
            endpoints.resolve("events", &settings.region).map_err(|error| format!("events.status_changes: {error}"))?;
        }
        let connectors = Arc::new(Connectors::new(ConnectorSettings {
            account: settings.account.clone(),
            roles: settings.roles(),
            mocks: mocks(settings)?,
            status_changes,
            log_sink: settings.execution_logs.as_deref().map(open_log_sink).transpose()?,
            span_sink: SpanSink::open(settings.file.tracing.endpoint.as_deref(), environment.as_ref())?,
            ..ConnectorSettings::new(endpoints, CredentialChain::new(environment))
        }));
        let engine_settings = engine::Settings {
            account: settings.account.clone(),
            region: settings.region.clone(),
            limits: settings.machine_limits(),
            quotas: settings.quotas(),
            retention: settings.retention()?,
            is_action: aws::is_action,
            ..engine::Settings::default()
        };
        let engine = Engine::open(engine_settings, store, connectors.clone()).await?;
        let mut server_settings =
            server::ServerSettings { throttle: settings.throttle(), ..server::ServerSettings::default() };
        server_settings.max_connections = files::connections(server_settings.max_connections);
        let server = server::Server::new(engine.clone(), server_settings);
        connectors.attach(Arc::new(Home(Arc::downgrade(&server.api()))));

        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();
        if let Some(local) = &local {
            let (local, stopped, machines) = (local.clone(), stopped.clone(), Starter(server.api()));
            tasks.push(tokio::spawn(async move { local.run(&machines, until(stopped)).await }));
        }
        let server = match local {
            Some(local) => server.with_other(Arc::new(Laptop(local))),
            None => server,
        };
        tasks.push(tokio::spawn(async move { server.serve(listener, until(stopped)).await }));
        Ok(House { engine, address, stop, tasks })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers what was asked, ends jobs, and closes.
    pub async fn close(self) {
        self.stop.send_replace(true);
        self.engine.shutdown().await;
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

fn open_log_sink(path: &Path) -> Result<LogSink, Failed> {
    if path == STDOUT {
        return Ok(LogSink::Stdout);
    }
    let file = std::fs::File::options().append(true).create(true).open(path);
    Ok(LogSink::File(file.map_err(|error| format!("{}: {error}", path.display()))?))
}

/// A file that is broken when the house is opened is told at once; later its callers are told.
fn mocks(settings: &Settings) -> Result<Option<Mocks>, Failed> {
    let mocks = settings.mock.as_ref().map(Mocks::new);
    mocks.as_ref().map_or(Ok(()), Mocks::check)?;
    Ok(mocks)
}

fn open_local(settings: &Settings, data: &Path, url: &str) -> Result<Local, Failed> {
    let mut laptop = local::Settings {
        account: settings.account.clone(),
        region: settings.region.clone(),
        buckets: settings.buckets.clone(),
        ..local::Settings::default()
    };
    laptop.batch.images = settings.images.clone().into_iter().collect();
    laptop.lambda.functions = settings.functions.iter().map(|(name, table)| (name.clone(), function(table))).collect();
    // A job or function finds the services where the machine does.
    for (name, value) in [
        ("AWS_ENDPOINT_URL", url),
        ("AWS_REGION", settings.region.as_str()),
        ("AWS_DEFAULT_REGION", settings.region.as_str()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ] {
        laptop.batch.environment.insert(name.into(), value.into());
        laptop.lambda.environment.insert(name.into(), value.into());
    }
    Ok(Local::open(data, laptop)?)
}

fn function(table: &FunctionTable) -> local::lambda::Function {
    let FunctionTable { folder, handler, runtime, timeout, memory, concurrency, aliases, environment } = table.clone();
    let timeout = timeout.map(Duration::from_secs);
    local::lambda::Function { folder, handler, runtime, environment, timeout, memory_mb: memory, concurrency, aliases }
}

/// This installation's API for its own tasks. It does not keep the engine alive, which keeps the connectors: or nothing
/// would ever be let go, and the store never closed.
struct Home(Weak<dyn Api>);

#[async_trait]
impl Api for Home {
    async fn call(&self, account: &str, operation: &str, parameters: Value) -> Result<Value, ApiError> {
        match self.0.upgrade() {
            Some(api) => api.call(account, operation, parameters).await,
            None => {
                let message = "The server is closing".to_owned();
                Err(ApiError { code: "ServiceUnavailable".to_owned(), message, status: 503 })
            }
        }
    }
}

/// The laptop services behind the server's door.
struct Laptop(Local);

impl server::Other for Laptop {
    fn handle(&self, request: http::Request<bytes::Bytes>) -> server::OtherAnswer<'_> {
        Box::pin(self.0.handle(request))
    }

    fn streams(&self, head: &http::request::Parts) -> bool {
        self.0.streams(head)
    }

    fn stream(&self, request: http::Request<hyper::body::Incoming>) -> server::OtherStream<'_> {
        Box::pin(self.0.stream(request))
    }
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // The sender is gone only when the house is.
    let _ = stopped.wait_for(|stop| *stop).await;
}
