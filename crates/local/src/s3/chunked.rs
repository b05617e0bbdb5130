//! A body in the chunks of AWS's streaming signatures, without them: `SIZE;chunk-signature=…`, the bytes, and at the end
//! trailers with a checksum.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>

use std::fmt::Display;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body, Frame};

use super::Failure;

/// A line that says the size of a chunk is short; a longer one is something else.
const LINE_LIMIT: usize = 8 * 1024;

/// The content of a body, whether it comes in chunks or as it is.
pub struct Content<B> {
    inner: B,
    waiting: BytesMut,
    expects: Expects,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    /// No chunks.
    Anything,
    Size,
    Data(usize),
    /// The line break after a chunk.
    Break,
    /// Nothing: trailers are left unread.
    End,
}

impl<B> Content<B> {
    /// Of a body in chunks.
    pub fn chunked(inner: B) -> Self {
        Self { inner, waiting: BytesMut::new(), expects: Expects::Size }
    }

    /// Of a body as it is.
    pub fn plain(inner: B) -> Self {
        Self { inner, waiting: BytesMut::new(), expects: Expects::Anything }
    }

    /// The next data, if enough has come in.
    fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            match self.expects {
                Expects::Anything => return Ok(None),
                Expects::Size => {
                    let Some(end) = self.waiting.windows(2).position(|pair| pair == b"\r\n") else {
                        return if self.waiting.len() > LINE_LIMIT {
                            Err(Failure("a chunk has no size".to_owned()))
                        } else {
                            Ok(None)
                        };
                    };
                    let line = self.waiting.split_to(end);
                    self.waiting.advance(2);
                    let size = line.as_ref().split(|byte: &u8| *byte == b';').next().unwrap_or_default();
                    let size =
                        std::str::from_utf8(size).ok().and_then(|size| usize::from_str_radix(size.trim(), 16).ok());
                    self.expects = match size.ok_or_else(|| Failure("a chunk has no size".to_owned()))? {
                        0 => Expects::End,
                        size => Expects::Data(size),
                    };
                }
                Expects::Data(_) if self.waiting.is_empty() => return Ok(None),
                Expects::Data(left) => {
                    let data = self.waiting.split_to(left.min(self.waiting.len()));
                    self.expects = if data.len() == left { Expects::Break } else { Expects::Data(left - data.len()) };
                    return Ok(Some(data.freeze()));
                }
                Expects::Break if self.waiting.len() < 2 => return Ok(None),
                Expects::Break => {
                    if !self.waiting.starts_with(b"\r\n") {
                        return Err(Failure("a chunk is longer than it says".to_owned()));
                    }
                    self.waiting.advance(2);
                    self.expects = Expects::Size;
                }
                Expects::End => {
                    self.waiting.clear();
                    return Ok(None);
                }
            }
        }
    }
}

impl<B> Body for Content<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Display,
{
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let this = self.get_mut();
        loop {
            match this.next() {
                Ok(Some(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if this.expects == Expects::Anything {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                    this.waiting.extend_from_slice(&data);
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(Failure(error.to_string())))),
                None if matches!(this.expects, Expects::End | Expects::Anything) => return Poll::Ready(None),
                None => return Poll::Ready(Some(Err(Failure("the body ends in the middle of a chunk".to_owned())))),
            }
        }
    }
}
