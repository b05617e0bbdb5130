//! A small real S3 over a folder: each folder in it is a bucket, each file in that an object, so what a user copies there is
//! an object, and what a state machine puts is a file. Objects of any size come and go as streams. It has buckets, objects
//! and uploads in parts; no versions, policies, encryption or presigned links. Why it is not a library: docs/decisions.
//! Start reading in `object.rs`.

mod chunked;
mod error;
mod files;
mod list;
mod object;
#[cfg(test)]
mod tests;
mod upload;
mod xml;

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};

use crate::store::Store;
use chunked::Content;
use error::{Refused, refused};
use files::Files;
use xml::Element;

/// An answer that comes as a stream.
pub type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// Why the body of a request ended early.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

/// What else of S3 is asked for by a word in the query.
const ELSEWHERE: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "versioning",
    "versions",
    "website",
];

/// The service; clones share the folder and the database.
#[derive(Clone)]
pub struct S3 {
    files: Files,
    store: Store,
}

/// The folder of the buckets cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the folder of the buckets {} cannot be used: {cause}", folder.display())]
pub struct NotAFolder {
    folder: PathBuf,
    cause: std::io::Error,
}

/// A request: whose object it is about, and how.
struct Asked {
    method: Method,
    bucket: String,
    key: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
}

impl Asked {
    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl S3 {
    /// S3 over an open database and a folder, which is made where it does not exist.
    pub fn new(store: Store, folder: &Path) -> Result<Self, NotAFolder> {
        let files = Files::open(folder).map_err(|cause| NotAFolder { folder: folder.to_owned(), cause })?;
        Ok(Self { files, store })
    }

    /// Answer a request that may come in. Its path is `/BUCKET/KEY`.
    pub async fn answer<B>(&self, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: std::fmt::Display,
    {
        let (head, body) = request.into_parts();
        let path = head.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query = form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        let asked =
            Asked { method: head.method, bucket: decoded(bucket), key: decoded(key), query, headers: head.headers };
        let is_chunked = asked.header("x-amz-content-sha256").is_some_and(|kind| kind.starts_with("STREAMING-"));
        let body = if is_chunked { Content::chunked(body) } else { Content::plain(body) };
        let mut answer = self.carry_out(&asked, body).await.unwrap_or_else(|refusal| told(&asked, &refusal));
        object::set(answer.headers_mut(), "x-amz-request-id", &uuid::Uuid::new_v4().simple().to_string());
        if asked.method == Method::HEAD {
            // What it would have been long is said, and not sent.
            *answer.body_mut() = nothing();
        }
        answer
    }

    async fn carry_out<B>(&self, asked: &Asked, body: B) -> Result<Answer, Refused>
    where
        B: Body<Data = Bytes, Error = Failure> + Unpin,
    {
        let has = |name: &str| asked.query(name).is_some();
        if ELSEWHERE.iter().any(|name| has(name)) {
            return Err(refused("NotImplemented"));
        }
        let of_bucket = asked.key.is_empty();
        match asked.method.as_str() {
            "GET" if asked.bucket.is_empty() => self.list_buckets(),
            "PUT" if of_bucket => self.create_bucket(&asked.bucket).await,
            "DELETE" if of_bucket => self.delete_bucket(&asked.bucket).await,
            "HEAD" if of_bucket => self.files.bucket(&asked.bucket).map(|_| empty(StatusCode::OK)),
            "GET" if of_bucket && has("location") => {
                self.files.bucket(&asked.bucket)?;
                Ok(xml(StatusCode::OK, Element::new("LocationConstraint")))
            }
            "GET" if of_bucket && !has("uploads") => self.list(asked).await,
            "POST" if of_bucket && has("delete") => self.delete_many(asked, body).await,
            "POST" if has("uploads") => self.begin_upload(asked).await,
            "POST" if has("uploadId") => self.complete_upload(asked, body).await,
            "PUT" if has("uploadId") => self.put_part(asked, body).await,
            "DELETE" if has("uploadId") => self.abort_upload(asked).await,
            "GET" | "HEAD" if !has("uploadId") && !has("uploads") => self.get(asked, asked.method == Method::GET).await,
            "PUT" => match asked.header("x-amz-copy-source") {
                Some(source) => self.copy(asked, source).await,
                None => self.put(asked, body).await,
            },
            "DELETE" => self.delete(asked).await,
            _ => Err(refused("NotImplemented")),
        }
    }
}

/// A refusal in S3's words.
fn told(asked: &Asked, refusal: &Refused) -> Answer {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status == StatusCode::NOT_MODIFIED {
        return empty(status);
    }
    let error = Element::new("Error").text("Code", refusal.code).text("Message", &refusal.message);
    xml(status, error.text("BucketName", &asked.bucket).text("Key", &asked.key))
}

fn xml(status: StatusCode, element: Element) -> Answer {
    let mut answer = empty(status);
    object::set(answer.headers_mut(), "content-type", "application/xml");
    *answer.body_mut() = Full::new(Bytes::from(element.document())).map_err(|never| match never {}).boxed_unsync();
    answer
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(nothing());
    *answer.status_mut() = status;
    answer
}

fn nothing() -> UnsyncBoxBody<Bytes, std::io::Error> {
    http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// A body that is short, whole.
async fn short<B>(body: B, most: usize) -> Result<Bytes, Refused>
where
    B: Body<Data = Bytes, Error = Failure> + Unpin,
{
    let whole = Limited::new(body, most).collect().await.map_err(|_| refused("EntityTooLarge"))?;
    Ok(whole.to_bytes())
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// As `EncodingType: url` wants it.
fn encoded(text: &str) -> String {
    const PLAIN: &percent_encoding::AsciiSet =
        &percent_encoding::NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encoding::utf8_percent_encode(text, PLAIN).to_string()
}
