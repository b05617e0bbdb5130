//! The Lambda Runtime API: what a function's process asks over HTTP. Each process has a port of its own on loopback, so
//! that nobody has to say who asks. It knows nothing of processes or limits; `sandbox.rs` does.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::guard::Guard;

const PREFIX: &str = "/2018-06-01/runtime/";
/// AWS's limit on what a function may answer.
pub const ANSWER_LIMIT: usize = 6 * 1024 * 1024 + 100;

/// What a process is given to do.
#[derive(Debug, Clone)]
pub struct Invocation {
    pub request_id: String,
    /// Milliseconds since 1970.
    pub deadline: i64,
    pub function_arn: String,
    pub trace_id: String,
    /// JSON, as the caller gave it.
    pub client_context: Option<String>,
    pub payload: Bytes,
}

/// What a process says.
#[derive(Debug)]
pub enum News {
    /// It asks for its next invocation.
    Ready,
    /// It cannot begin: the error in the function's words.
    CannotBegin(Bytes),
    /// What came of an invocation.
    Answered { request_id: String, payload: Bytes, failed: bool },
    /// It answered more than AWS lets through.
    TooLong { request_id: String },
}

/// Between a process and those who call it.
pub struct Desk {
    to_do: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    news: mpsc::Sender<News>,
    /// The invocation that the process has taken and not answered.
    taken: Mutex<Option<String>>,
}

impl Desk {
    pub fn new() -> (Arc<Self>, mpsc::Sender<Invocation>, mpsc::Receiver<News>) {
        let (give, to_do) = mpsc::channel(1);
        let (news, told) = mpsc::channel(4);
        (Arc::new(Self { to_do: to_do.into(), news, taken: Mutex::new(None) }), give, told)
    }

    /// Has the process taken this invocation, and not answered it yet?
    pub fn has_taken(&self, request_id: &str) -> bool {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).as_deref() == Some(request_id)
    }

    fn answered(&self, request_id: &str) -> bool {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).take_if(|taken| taken == request_id).is_some()
    }

    /// Serve one process until the task is dropped.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    let _ = stream.set_nodelay(true);
                    let desk = self.clone();
                    connections.spawn(async move {
                        let answer = service_fn(|request| async { Ok::<_, Infallible>(desk.answer(request).await) });
                        // A connection that breaks is its process's matter, whose end is seen elsewhere.
                        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
                    });
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (head, body) = request.into_parts();
        // A web page may send requests to any port of this machine.
        if Guard::default().check_page(head.uri.authority().map(http::uri::Authority::as_str), &head.headers).is_err() {
            return refused(StatusCode::FORBIDDEN, "Forbidden", "Not for web pages");
        }
        let Some(path) = head.uri.path().strip_prefix(PREFIX) else { return unknown() };
        let parts: Vec<&str> = path.split('/').collect();
        match (&head.method, parts.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, "response"]) => self.take_answer(id, body, false).await,
            (&Method::POST, ["invocation", id, "error"]) => self.take_answer(id, body, true).await,
            (&Method::POST, ["init", "error"]) => match read(body).await {
                Ok(body) => self.tell(News::CannotBegin(body)).await,
                Err(refusal) => refusal,
            },
            _ => unknown(),
        }
    }

    async fn next(&self) -> Response<Full<Bytes>> {
        let _ = self.news.send(News::Ready).await;
        let Some(invocation) = self.to_do.lock().await.recv().await else {
            return refused(StatusCode::INTERNAL_SERVER_ERROR, "Closing", "The server closes");
        };
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(invocation.request_id.clone());
        let mut answer = Response::new(Full::new(invocation.payload));
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = value.parse() {
                answer.headers_mut().insert(name, value);
            }
        };
        set("content-type", "application/json");
        set("lambda-runtime-aws-request-id", &invocation.request_id);
        set("lambda-runtime-deadline-ms", &invocation.deadline.to_string());
        set("lambda-runtime-invoked-function-arn", &invocation.function_arn);
        set("lambda-runtime-trace-id", &invocation.trace_id);
        if let Some(context) = &invocation.client_context {
            set("lambda-runtime-client-context", context);
        }
        answer
    }

    async fn take_answer(&self, request_id: &str, body: Incoming, failed: bool) -> Response<Full<Bytes>> {
        let request_id = request_id.to_owned();
        let news = match read(body).await {
            Ok(payload) => News::Answered { request_id: request_id.clone(), payload, failed },
            Err(refusal) if refusal.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                if self.answered(&request_id) {
                    self.tell(News::TooLong { request_id }).await;
                }
                return refusal;
            }
            Err(refusal) => return refusal,
        };
        if self.answered(&request_id) {
            return self.tell(news).await;
        }
        refused(StatusCode::BAD_REQUEST, "InvalidRequestID", "This is not the invocation that is under way")
    }

    async fn tell(&self, news: News) -> Response<Full<Bytes>> {
        let _ = self.news.send(news).await;
        json_answer(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
    }
}

async fn read(body: Incoming) -> Result<Bytes, Response<Full<Bytes>>> {
    match Limited::new(body, ANSWER_LIMIT).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            "Exceeded maximum allowed payload size",
        )),
        Err(error) => Err(refused(StatusCode::BAD_REQUEST, "InvalidRequest", &error.to_string())),
    }
}

fn unknown() -> Response<Full<Bytes>> {
    refused(StatusCode::NOT_FOUND, "NotFound", "The Runtime API has no such path")
}

fn refused(status: StatusCode, kind: &str, message: &str) -> Response<Full<Bytes>> {
    json_answer(status, &json!({ "errorType": kind, "errorMessage": message }))
}

fn json_answer(status: StatusCode, body: &serde_json::Value) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    *answer.headers_mut() = headers;
    answer
}
