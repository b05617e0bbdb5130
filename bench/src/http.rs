//! As much HTTP/1.1 with keep-alive as the driver needs, for both of its ends.
//!
//! A client library spends more on one request than the server that is measured, so the frames are written by hand: one
//! buffer out, one write, one buffer in. Only bodies with a `Content-Length` are read; a peer that answers otherwise is
//! told so by an error, never misread.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// AWS clients send about ten headers, servers answer with about eight.
const MAX_HEADERS: usize = 48;
/// A head that is longer than this is not one of ours.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// The largest page of history or 256 KiB payload, escaped twice, stays far below.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Bytes as they come in: what has been read and where the current message ends.
#[derive(Default)]
struct Inbox {
    bytes: Vec<u8>,
    filled: usize,
}

impl Inbox {
    /// Reads once more; `false` is the other side's end of the connection.
    async fn more(&mut self, stream: &mut TcpStream) -> Result<bool> {
        if self.filled == self.bytes.len() {
            self.bytes.resize((self.bytes.len() * 2).max(4096), 0);
        }
        let read = stream.read(&mut self.bytes[self.filled..]).await?;
        self.filled += read;
        Ok(read > 0)
    }

    fn seen(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    fn drop_front(&mut self, length: usize) {
        self.bytes.copy_within(length..self.filled, 0);
        self.filled -= length;
    }

    async fn body_until(&mut self, stream: &mut TcpStream, end: usize) -> Result<()> {
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        while self.filled < end {
            if !self.more(stream).await? {
                bail!("the connection closed in the middle of a body");
            }
        }
        Ok(())
    }
}

/// What of a head decides how the message goes on.
struct Framing {
    length: Option<usize>,
    close: bool,
}

fn framing(headers: &[httparse::Header<'_>]) -> Result<Framing> {
    let mut found = Framing { length: None, close: false };
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let length: usize = std::str::from_utf8(header.value)?.trim().parse().context("Content-Length")?;
            if length > MAX_BODY_BYTES {
                bail!("a body of {length} bytes");
            }
            found.length = Some(length);
        } else if header.name.eq_ignore_ascii_case("connection") {
            found.close = header.value.eq_ignore_ascii_case(b"close");
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("a body without Content-Length");
        }
    }
    Ok(found)
}

/// One connection to the endpoint that is measured. It opens itself again when the other side has closed it.
pub struct Client {
    address: SocketAddr,
    host: String,
    stream: Option<TcpStream>,
    out: Vec<u8>,
    inbox: Inbox,
    answered: usize,
}

/// An answer, borrowed from its connection until the next call.
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl Client {
    pub fn new(address: SocketAddr) -> Client {
        let host = address.to_string();
        Client { address, host, stream: None, out: Vec::new(), inbox: Inbox::default(), answered: 0 }
    }

    /// Sends one AWS JSON 1.0 call and reads its answer.
    pub async fn call(&mut self, target: &str, body: &[u8]) -> Result<Answer<'_>> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address).await.context("connecting")?;
                stream.set_nodelay(true)?;
                (self.inbox.filled, self.answered) = (0, 0);
                stream
            }
        };
        self.request(target, body);
        let (status, start, end) = self.exchange(stream).await?;
        Ok(Answer { status, body: &self.inbox.bytes[start..end] })
    }

    fn request(&mut self, target: &str, body: &[u8]) {
        self.out.clear();
        for part in [
            "POST / HTTP/1.1\r\nHost: ",
            &self.host,
            "\r\nContent-Type: application/x-amz-json-1.0\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=test/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0\r\nX-Amz-Target: ",
            target,
            "\r\nContent-Length: ",
            &body.len().to_string(),
            "\r\n\r\n",
        ] {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.out.extend_from_slice(body);
    }

    /// The stream is put back only after a whole exchange: a call that fails leaves no half-read connection behind.
    async fn exchange(&mut self, mut stream: TcpStream) -> Result<(u16, usize, usize)> {
        self.inbox.drop_front(self.answered);
        self.answered = 0;
        stream.write_all(&self.out).await?;
        let (status, start, end, close) = loop {
            if !self.inbox.more(&mut stream).await? {
                bail!("the server closed the connection instead of answering");
            }
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut head = httparse::Response::new(&mut headers);
            if let httparse::Status::Complete(start) = head.parse(self.inbox.seen())? {
                let framing = framing(head.headers)?;
                let Some(length) = framing.length else { bail!("an answer without Content-Length") };
                let old = head.version == Some(0);
                break (head.code.unwrap_or(0), start, start + length, framing.close || old);
            }
            if self.inbox.filled > MAX_HEAD_BYTES {
                bail!("an answer's head of more than {MAX_HEAD_BYTES} bytes");
            }
        };
        self.inbox.body_until(&mut stream, end).await?;
        self.answered = end;
        if !close {
            self.stream = Some(stream);
        }
        Ok((status, start, end))
    }
}

/// The other end: answers every request of one connection until it closes. The handler is given the `X-Amz-Target` and
/// the body, and returns status and body.
pub async fn answer_all(mut stream: TcpStream, handler: impl AsyncFn(&str, &[u8]) -> (u16, String)) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut inbox = Inbox::default();
    let mut out = Vec::new();
    loop {
        let (target, start, end) = loop {
            let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
            let mut head = httparse::Request::new(&mut headers);
            if let httparse::Status::Complete(start) = head.parse(inbox.seen())? {
                let length = framing(head.headers)?.length.unwrap_or(0);
                let target = head.headers.iter().find(|h| h.name.eq_ignore_ascii_case("x-amz-target"));
                let target = target.map_or(String::new(), |h| String::from_utf8_lossy(h.value).into_owned());
                break (target, start, start + length);
            }
            if inbox.filled > MAX_HEAD_BYTES {
                bail!("a request's head of more than {MAX_HEAD_BYTES} bytes");
            }
            if !inbox.more(&mut stream).await? {
                return Ok(());
            }
        };
        inbox.body_until(&mut stream, end).await?;
        let (status, body) = handler(&target, &inbox.bytes[start..end]).await;
        inbox.drop_front(end);
        out.clear();
        let reason = if status == 200 { "OK" } else { "Bad Request" };
        let length = body.len();
        out.extend_from_slice(
            format!(
                "HTTP/1.1 {status} {reason}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: {length}\r\n\r\n"
            )
            .as_bytes(),
        );
        out.extend_from_slice(body.as_bytes());
        stream.write_all(&out).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    async fn echo(close_after: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::task::spawn_local(async move {
                    let left = std::cell::Cell::new(close_after);
                    let _ = answer_all(stream, async |target, body| {
                        assert!(left.get() > 0, "closed");
                        left.set(left.get() - 1);
                        (200, format!("{target} {}", body.len()))
                    })
                    .await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn both_ends_understand_each_other() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let mut client = Client::new(echo(100).await);
                for size in [0, 1, 5_000, 300_000, 7] {
                    let answer = client.call("AWSStepFunctions.Echo", &vec![b'x'; size]).await.unwrap();
                    assert_eq!(answer.status, 200);
                    assert_eq!(answer.body, format!("AWSStepFunctions.Echo {size}").as_bytes());
                }
            })
            .await;
    }

    #[tokio::test]
    async fn a_connection_that_is_gone_fails_one_call_and_is_opened_again() {
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async {
                let mut client = Client::new(echo(1).await);
                assert!(client.call("A", b"").await.is_ok());
                assert!(client.call("A", b"").await.is_err());
                assert!(client.call("A", b"").await.is_ok());
            })
            .await;
    }

    #[test]
    fn a_chunked_body_is_refused_and_not_misread() {
        let chunked = [httparse::Header { name: "Transfer-Encoding", value: b"chunked" }];
        assert!(framing(&chunked).is_err());
    }
}
