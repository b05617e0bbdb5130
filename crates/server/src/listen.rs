//! Connections: as many as may be, each served until its client or the server closes.
//!
//! A server that closes takes no new connection, answers what it has been asked, sends waiting workers away, and then
//! drops whoever does not come to an end.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::door::Door;

/// After an accept that failed because files or memory have run out: so long until some may have come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A head longer than this is not an AWS client's; in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy)]
pub struct Patience {
    /// Connections at once; more wait in the system's queue.
    pub max_connections: usize,
    /// For the head of a request, and for the next one on a connection that is idle.
    pub head: Duration,
    /// For what is being answered when the server closes.
    pub close: Duration,
}

pub async fn listen(
    listener: TcpListener,
    door: Arc<Door>,
    patience: Patience,
    stop: watch::Sender<bool>,
    shutdown: impl Future<Output = ()>,
) {
    let free = Arc::new(Semaphore::new(patience.max_connections));
    let mut shutdown = pin!(shutdown);
    let mut connections = JoinSet::new();
    loop {
        let accept = async {
            let place = free.clone().acquire_owned().await.expect("never closed");
            (listener.accept().await, place)
        };
        tokio::select! {
            (accepted, place) = accept => match accepted {
                Ok((stream, _)) => {
                    let (door, stopping) = (door.clone(), stop.subscribe());
                    connections.spawn(async move {
                        serve(stream, door, patience, stopping).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
            () = &mut shutdown => break,
        }
    }
    drop(listener);
    stop.send_replace(true);
    let closed = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(patience.close, closed).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections are dropped that did not come to an end");
    }
}

async fn serve(stream: TcpStream, door: Arc<Door>, patience: Patience, mut stopping: watch::Receiver<bool>) {
    // Answers are small, and their callers wait for them.
    let _ = stream.set_nodelay(true);
    let answer = service_fn(|request| async { Ok::<_, Infallible>(door.answer(request).await) });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience.head).max_buf_size(MAX_HEAD_BYTES);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), answer));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = async { drop(stopping.wait_for(|stop| *stop).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
