//! Objects: putting, getting, copying and deleting them.

use std::io::SeekFrom;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body;
use http_body_util::BodyExt;
use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value};
use tokio::io::AsyncSeekExt;

use super::error::{Refused, refused};
use super::files::{FileBody, Told, Written, remove};
use super::xml::{Element, texts_of};
use super::{Answer, Asked, Failure, S3, empty, xml};
use crate::params::document;

/// Headers that an object keeps, beside `x-amz-meta-…`.
const KEPT: &[&str] =
    &["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"];
const METADATA: &str = "x-amz-meta-";
/// The longest list of keys to delete.
const LIST_BYTES: usize = 2 * 1024 * 1024;

/// What is known of an object.
pub struct Object {
    pub told: Told,
    pub etag: String,
    pub headers: Map<String, Value>,
}

/// The headers of a request that an object keeps.
pub fn headers_of(headers: &HeaderMap) -> Map<String, Value> {
    headers
        .iter()
        .filter(|(name, _)| KEPT.contains(&name.as_str()) || name.as_str().starts_with(METADATA))
        .map(|(name, value)| (name.to_string(), Value::from(String::from_utf8_lossy(value.as_bytes()))))
        .filter(|(_, value)| value != "aws-chunked")
        .collect()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl S3 {
    /// What is known of an object that is there.
    pub(super) async fn object(&self, bucket: &str, key: &str) -> Result<Object, Refused> {
        let told = self.files.told(bucket, key).await?;
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let size = i64::try_from(told.size).unwrap_or(i64::MAX);
        let modified = told.modified;
        let known = self
            .store
            .call(move |tx| {
                Ok(tx
                    .db
                    .prepare_cached(
                        "SELECT etag, headers FROM s3_objects WHERE bucket = ?1 AND key = ?2 AND size = ?3 AND modified = ?4",
                    )?
                    .query_row(params![bucket, key, size, modified], |row| {
                        Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
                    })
                    .optional()?)
            })
            .await?;
        let (etag, headers) = match known {
            Some((etag, headers)) => (etag, document(&headers)),
            // A file that was put there by hand: its tag changes with it, though it is no digest of its bytes.
            None => (format!("{:016x}{:016x}", told.modified, told.size), Map::new()),
        };
        Ok(Object { told, etag, headers })
    }

    /// Move what was written to its place, and keep what is known of it.
    pub(super) async fn keep(
        &self,
        asked: &Asked,
        written: Written,
        etag: &str,
        headers: Map<String, Value>,
    ) -> Result<Told, Refused> {
        let place = self.files.place(&asked.bucket, &asked.key)?;
        written.move_to(&place).await?;
        let told = self.files.told(&asked.bucket, &asked.key).await?;
        let (bucket, key, etag) = (asked.bucket.clone(), asked.key.clone(), etag.to_owned());
        let (size, modified) = (i64::try_from(told.size).unwrap_or(i64::MAX), told.modified);
        self.store
            .call(move |tx| {
                tx.db
                    .prepare_cached(
                        "INSERT OR REPLACE INTO s3_objects (bucket, key, size, modified, etag, headers)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    )?
                    .execute(params![bucket, key, size, modified, etag, Value::Object(headers).to_string()])?;
                Ok(())
            })
            .await?;
        Ok(told)
    }

    pub(super) async fn put<B>(&self, asked: &Asked, body: B) -> Result<Answer, Refused>
    where
        B: Body<Data = Bytes, Error = Failure> + Unpin,
    {
        self.files.place(&asked.bucket, &asked.key)?;
        if asked.header("if-none-match") == Some("*") && self.files.told(&asked.bucket, &asked.key).await.is_ok() {
            return Err(refused("PreconditionFailed"));
        }
        let written = self.files.write(body).await?;
        let etag = hex(&written.md5);
        self.keep(asked, written, &etag, headers_of(&asked.headers)).await?;
        let mut answer = empty(StatusCode::OK);
        set(answer.headers_mut(), "etag", &quoted(&etag));
        Ok(answer)
    }

    pub(super) async fn get(&self, asked: &Asked, with_body: bool) -> Result<Answer, Refused> {
        let object = self.object(&asked.bucket, &asked.key).await?;
        let is =
            |name: &str| asked.header(name).is_some_and(|tags| tags.trim_matches('"') == object.etag || tags == "*");
        if is("if-none-match") {
            return Err(refused("NotModified"));
        }
        if asked.header("if-match").is_some() && !is("if-match") {
            return Err(refused("PreconditionFailed"));
        }
        let size = object.told.size;
        let range = asked.header("range").and_then(|range| range_of(range, size)).transpose()?;
        let (from, to) = range.unwrap_or((0, size));
        let mut answer = empty(if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK });
        let headers = answer.headers_mut();
        set(headers, "content-type", "binary/octet-stream");
        for (name, value) in &object.headers {
            set(headers, name, value.as_str().unwrap_or_default());
        }
        for (name, value) in &asked.query {
            if let Some(name) = name.strip_prefix("response-").filter(|name| KEPT.contains(name)) {
                set(headers, name, value);
            }
        }
        set(headers, "accept-ranges", "bytes");
        set(headers, "etag", &quoted(&object.etag));
        set(headers, "last-modified", &http_time(object.told.modified));
        set(headers, "content-length", &(to - from).to_string());
        if range.is_some() {
            set(headers, "content-range", &format!("bytes {from}-{}/{size}", to - 1));
        }
        if with_body {
            let mut file = tokio::fs::File::open(&object.told.path).await?;
            file.seek(SeekFrom::Start(from)).await?;
            *answer.body_mut() = FileBody { file, left: to - from }.boxed_unsync();
        }
        Ok(answer)
    }

    pub(super) async fn copy(&self, asked: &Asked, source: &str) -> Result<Answer, Refused> {
        let (written, object) = self.copied(source, None).await?;
        let headers = match asked.header("x-amz-metadata-directive") {
            Some("REPLACE") => headers_of(&asked.headers),
            _ => object.headers,
        };
        let etag = hex(&written.md5);
        let told = self.keep(asked, written, &etag, headers).await?;
        let result = Element::new("CopyObjectResult")
            .text("ETag", &quoted(&etag))
            .text("LastModified", &xml_time(told.modified));
        Ok(xml(StatusCode::OK, result))
    }

    /// The bytes of another object, or of a part of it.
    pub(super) async fn copied(&self, source: &str, range: Option<&str>) -> Result<(Written, Object), Refused> {
        let source = source.split("?versionId=").next().unwrap_or_default().trim_start_matches('/');
        let source = super::decoded(source);
        let (bucket, key) = source.split_once('/').ok_or_else(|| refused("NoSuchKey"))?;
        let object = self.object(bucket, key).await?;
        let range = range.and_then(|range| range_of(range, object.told.size)).transpose()?;
        let (from, to) = range.unwrap_or((0, object.told.size));
        let mut file = tokio::fs::File::open(&object.told.path).await?;
        file.seek(SeekFrom::Start(from)).await?;
        Ok((
            self.files.write(FileBody { file, left: to - from }.map_err(|error| Failure(error.to_string()))).await?,
            object,
        ))
    }

    pub(super) async fn delete(&self, asked: &Asked) -> Result<Answer, Refused> {
        self.forget(&asked.bucket, &asked.key).await?;
        Ok(empty(StatusCode::NO_CONTENT))
    }

    async fn forget(&self, bucket: &str, key: &str) -> Result<(), Refused> {
        let folder = self.files.bucket(bucket)?;
        // What cannot be a key is not there.
        if let Ok(place) = self.files.place(bucket, key) {
            remove(&folder, &place).await?;
        }
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.store
            .call(move |tx| {
                tx.db.execute("DELETE FROM s3_objects WHERE bucket = ?1 AND key = ?2", [bucket, key])?;
                Ok(())
            })
            .await?;
        Ok(())
    }

    pub(super) async fn delete_many<B>(&self, asked: &Asked, body: B) -> Result<Answer, Refused>
    where
        B: Body<Data = Bytes, Error = Failure> + Unpin,
    {
        let body = super::short(body, LIST_BYTES).await?;
        let keys = texts_of(&body, &["Delete", "Object", "Key"]).ok_or_else(|| refused("MalformedXML"))?;
        let quiet = texts_of(&body, &["Delete", "Quiet"]).is_some_and(|quiet| quiet == ["true"]);
        let mut result = Element::new("DeleteResult");
        for key in keys {
            match self.forget(&asked.bucket, &key).await {
                Ok(()) if quiet => {}
                Ok(()) => result = result.child(Element::new("Deleted").text("Key", &key)),
                Err(error) => {
                    let told = Element::new("Error").text("Key", &key).text("Code", error.code);
                    result = result.child(told.text("Message", &error.message));
                }
            }
        }
        Ok(xml(StatusCode::OK, result))
    }
}

pub fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// Set a header; a value that no header can have is left out.
pub fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (header::HeaderName::try_from(name), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

/// The bytes that a Range header asks for, as first and one past the last. None if it asks for something else.
fn range_of(given: &str, size: u64) -> Option<Result<(u64, u64), Refused>> {
    let (from, to) = given.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = match (from.parse::<u64>(), to.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => (from, to.saturating_add(1).min(size)),
        (Ok(from), Err(_)) if to.is_empty() => (from, size),
        (Err(_), Ok(last)) if from.is_empty() => (size.saturating_sub(last), size),
        _ => return None,
    };
    Some(if from < to { Ok((from, to)) } else { Err(refused("InvalidRange")) })
}

fn moment(modified: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(modified.into()).unwrap_or_default()
}

/// `Wed, 21 Oct 2026 07:28:00 GMT`
fn http_time(modified: i64) -> String {
    moment(modified).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `2026-10-21T07:28:00.000Z`
pub fn xml_time(modified: i64) -> String {
    format!("{:.3}", moment(modified))
}
