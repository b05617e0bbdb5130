//! As much HTTP/1.1 as both ends of the driver need, one request after the other on a connection that is kept. Bodies
//! have a `Content-Length`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// AWS clients send about ten headers.
const MAX_HEADERS: usize = 48;
/// What a server that is alive needs for any answer but that of a long poll, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// The bytes that have come and are not yet used.
#[derive(Default)]
pub struct Inbox(Vec<u8>);

/// A message: its first line's second word and third (path or status), the headers that matter, its body.
pub struct Message {
    pub line: String,
    pub target: String,
    pub body: Vec<u8>,
}

fn broken(what: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

impl Inbox {
    /// The next message; nothing where the other side has closed the connection between two.
    fn message(&mut self, stream: &mut TcpStream, is_request: bool) -> io::Result<Option<Message>> {
        loop {
            if let Some((message, length)) = self.parse(is_request)? {
                self.0.drain(..length);
                return Ok(Some(message));
            }
            let mut more = [0; 16 * 1024];
            match stream.read(&mut more)? {
                0 if self.0.is_empty() => return Ok(None),
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => self.0.extend_from_slice(&more[..count]),
            }
        }
    }

    fn parse(&self, is_request: bool) -> io::Result<Option<(Message, usize)>> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let (head, line, headers) = if is_request {
            let mut request = httparse::Request::new(&mut headers);
            let head = request.parse(&self.0).map_err(broken)?;
            (head, request.path.unwrap_or_default().to_owned(), request.headers)
        } else {
            let mut response = httparse::Response::new(&mut headers);
            let head = response.parse(&self.0).map_err(broken)?;
            (head, response.code.unwrap_or_default().to_string(), response.headers)
        };
        let httparse::Status::Complete(start) = head else { return Ok(None) };
        let header = |name: &str| {
            let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            found.map(|header| String::from_utf8_lossy(header.value).into_owned())
        };
        let length: usize = header("content-length").map_or(Ok(0), |text| text.trim().parse().map_err(broken))?;
        let Some(body) = self.0.get(start..start + length) else { return Ok(None) };
        let target = header("x-amz-target").unwrap_or_default();
        Ok(Some((Message { line, target, body: body.to_owned() }, start + length)))
    }
}

/// A caller's connection, which is made anew after it broke.
pub struct Connection {
    to: SocketAddr,
    patience: Duration,
    open: Option<TcpStream>,
}

impl Connection {
    pub fn new(to: SocketAddr) -> Connection {
        Connection { to, patience: PATIENCE, open: None }
    }

    /// One that gives up sooner.
    pub fn impatient(to: SocketAddr, patience: Duration) -> Connection {
        Connection { to, patience, open: None }
    }

    /// Sends a call of the AWS JSON protocol, tells that it is sent, and reads the answer: its status and its body.
    pub fn call(&mut self, target: &str, body: &str, sent: impl FnOnce()) -> io::Result<(String, Vec<u8>)> {
        let mut stream = match self.open.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.to)?,
        };
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.patience))?;
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-amz-json-1.0\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=test/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0\r\n\
             X-Amz-Target: {target}\r\nContent-Length: {}\r\n\r\n{body}",
            self.to,
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        sent();
        let answer = Inbox::default().message(&mut stream, false)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.open = Some(stream);
        Ok((answer.line, answer.body))
    }
}

/// Answers every request of one connection until it closes.
pub fn serve(mut stream: TcpStream, handle: impl Fn(Message) -> (u16, String)) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut inbox = Inbox::default();
    while let Some(request) = inbox.message(&mut stream, true)? {
        let (status, body) = handle(request);
        let head =
            format!("HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes())?;
    }
    Ok(())
}
